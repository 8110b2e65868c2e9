/* ACPI from the RSDP on, in a window of memory that is the input, and the decoders.  Checksums are
 * made right where a signature stands, unless the input says otherwise. */
#include "fuzz.h"

#include "errno.h"
#include "kernel/machine/acpi.h"

#define MEM_BASE	0x7e000000ULL
#define MEM_MAX		KIB(64)
#define SEAL		0x80	/* of the first byte; the others are the RSDP's place */

static struct span mem;

static const void *map(void *ctx, paddr_t pa, uint64_t len)
{
	struct span s;

	(void)ctx;
	return pa >= MEM_BASE && span_sub(mem, pa - MEM_BASE, len, &s) ? s.p : NULL;
}

static void seal_bytes(uint8_t *p, size_t len, size_t checksum)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	p[checksum] = (uint8_t)(p[checksum] - sum);
}

static bool is_signature(const uint8_t *p)
{
	static const uint32_t known[] = {
		0x52414d44, 0x4746434d, 0x50434146, 0x43495041, 0x52435053, 0x54445352, 0x54445358,
	};	/* DMAR, MCFG, FACP, APIC, SPCR, RSDT, XSDT */
	uint32_t is;

	memcpy(&is, p, sizeof(is));
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (is == known[i])
			return true;
	return false;
}

/* No checksum covers another one. */
static void seal_all(uint8_t *p, size_t len)
{
	for (size_t at = 0; at + 36 <= len; at += 4) {
		uint32_t bytes;

		memcpy(&bytes, p + at + 4, sizeof(bytes));
		if (!memcmp(p + at, "RSD PTR ", 8)) {
			seal_bytes(p + at, 20, 8);
			seal_bytes(p + at, 36, 32);
		} else if (is_signature(p + at) && bytes >= 36 && bytes <= len - at) {
			seal_bytes(p + at, bytes, 9);
		}
	}
}

static void decode(const struct acpi_tables *t)
{
	struct acpi_mcfg mcfg;
	struct acpi_reset reset;
	struct acpi_spcr spcr;
	struct acpi_madt madt;
	struct span s;

	if (!acpi_table(t, "MCFG", &s) && !acpi_decode_mcfg(s, &mcfg)) {
		REQUIRE(mcfg.n && mcfg.n <= ACPI_MAX_MCFG);
		for (size_t i = 0; i < mcfg.n; i++)
			REQUIRE(mcfg.entry[i].start_bus <= mcfg.entry[i].end_bus);
	}
	if (!acpi_table(t, "FACP", &s) && !acpi_decode_reset(s, &reset))
		REQUIRE(reset.reg.space <= ACPI_GAS_PCI_CONFIG);
	if (!acpi_table(t, "SPCR", &s))
		acpi_decode_spcr(s, &spcr);
	if (!acpi_table(t, "APIC", &s) && !acpi_decode_madt(s, &madt))
		REQUIRE(madt.ioapics <= ACPI_MAX_IOAPICS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct acpi_reader reader = { .map = map };
	static struct acpi_tables t;
	const char *why = NULL;
	int err;

	if (size < 2 || size > MEM_MAX)
		return 0;
	mem = fuzz_guarded(data + 2, size - 2);
	if (data[0] & SEAL)
		seal_all((uint8_t *)(uintptr_t)mem.p, mem.len);
	err = acpi_init(&reader, MEM_BASE + (data[0] & 0x7f) * 256 + data[1], &t, &why);
	if (err) {
		REQUIRE(why);
		return 0;
	}
	REQUIRE(t.n <= ACPI_MAX_TABLES);
	for (size_t i = 0; i < t.n; i++) {
		const struct span s = t.found[i].bytes;

		REQUIRE(!s.len || (s.p >= mem.p && s.p + s.len <= mem.p + mem.len));
	}
	decode(&t);
	return 0;
}
