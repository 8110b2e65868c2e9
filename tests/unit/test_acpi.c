/* ACPI: RSDP to table list on a small fake memory, each field of it corrupted in turn, and the
 * decoders on tables as QEMU and servers have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/machine/acpi.h"

#define MEM_BASE	0x7e000000ULL
#define MEM_BYTES	0x8000
#define RSDP		(MEM_BASE + 0x14)	/* 16-byte alignment is not asked for */
#define RSDT		(MEM_BASE + 0x100)
#define XSDT		(MEM_BASE + 0x204)	/* entries are not aligned in real tables */
#define TABLE(i)	(MEM_BASE + 0x1000 + (i) * 0x200ULL)

static uint8_t mem[MEM_BYTES];

static const void *map(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	assert_true(len <= ACPI_MAX_TABLE_LEN);
	if (pa < MEM_BASE || pa - MEM_BASE > MEM_BYTES || len > MEM_BYTES - (pa - MEM_BASE))
		return NULL;
	return mem + (pa - MEM_BASE);
}

static const struct acpi_reader reader = { .map = map };

static uint8_t *at(paddr_t pa)
{
	return mem + (pa - MEM_BASE);
}

static void put(paddr_t pa, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		at(pa)[i] = (uint8_t)(v >> 8 * i);
}

static void seal(paddr_t pa, size_t len, size_t checksum)
{
	uint8_t sum = 0;

	at(pa)[checksum] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + at(pa)[i]);
	at(pa)[checksum] = (uint8_t)-sum;
}

static void table(paddr_t pa, const char *signature, uint32_t len)
{
	memcpy(at(pa), signature, 4);
	put(pa + 4, 4, len);
	seal(pa, len, 9);
}

static void seal_rsdp(void)
{
	seal(RSDP, 20, 8);
	seal(RSDP, 36, 32);
}

/* RSDP revision 2, XSDT with DMAR, MCFG, APIC; RSDT with DMAR alone. */
static void build(void)
{
	memset(mem, 0, sizeof(mem));
	memcpy(at(RSDP), "RSD PTR ", 8);
	put(RSDP + 15, 1, 2);
	put(RSDP + 16, 4, RSDT);
	put(RSDP + 20, 4, 36);
	put(RSDP + 24, 8, XSDT);
	seal_rsdp();
	table(TABLE(0), "DMAR", 64);
	table(TABLE(1), "MCFG", 60);
	table(TABLE(2), "APIC", 44);
	for (unsigned i = 0; i < 3; i++)
		put(XSDT + 36 + 8 * i, 8, TABLE(i));
	table(XSDT, "XSDT", 36 + 3 * 8);
	put(RSDT + 36, 4, TABLE(0));
	table(RSDT, "RSDT", 36 + 4);
}

static struct acpi_tables t;
static const char *why;

static int init(void)
{
	why = NULL;
	return acpi_init(&reader, RSDP, &t, &why);
}

static void test_walks_xsdt(void **state)
{
	struct span s;

	(void)state;
	build();
	assert_int_equal(init(), 0);
	assert_true(t.from_xsdt);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.left_out, 0);
	assert_int_equal(acpi_table(&t, "DMAR", &s), 0);
	assert_ptr_equal(s.p, at(TABLE(0)));
	assert_int_equal(s.len, 64);
	assert_int_equal(acpi_table(&t, "MCFG", &s), 0);
	assert_int_equal(s.len, 60);
	assert_int_equal(acpi_table(&t, "SPCR", &s), -ENOENT);
}

static void test_revision_0_uses_rsdt(void **state)
{
	struct span s;

	(void)state;
	build();
	put(RSDP + 15, 1, 0);
	seal(RSDP, 20, 8);
	at(RSDP)[32] ^= 1;	/* the extended checksum does not exist in revision 0 */
	assert_int_equal(init(), 0);
	assert_false(t.from_xsdt);
	assert_int_equal(t.n, 1);
	assert_int_equal(acpi_table(&t, "DMAR", &s), 0);
}

static void break_signature(void) { at(RSDP)[0] = 'X'; }
static void break_checksum(void) { at(RSDP)[8] ^= 1; }
static void break_extended(void) { at(RSDP)[32] ^= 1; }
static void short_length(void) { put(RSDP + 20, 4, 35); seal_rsdp(); }
static void huge_length(void) { put(RSDP + 20, 4, UINT32_MAX); seal_rsdp(); }
static void no_roots(void) { put(RSDP + 16, 4, 0); put(RSDP + 24, 8, 0); seal_rsdp(); }
static void no_rsdt(void) { put(RSDP + 16, 4, 0); seal_rsdp(); }
static void xsdt_checksum(void) { no_rsdt(); at(XSDT)[9] ^= 1; }
static void xsdt_signature(void) { no_rsdt(); table(XSDT, "XSDX", 60); }
static void xsdt_length(void) { no_rsdt(); put(XSDT + 4, 4, 35); }
static void xsdt_wraps(void) { no_rsdt(); put(RSDP + 24, 8, UINT64_MAX - 8); seal_rsdp(); }
static void xsdt_leaves_memory(void) { no_rsdt(); put(XSDT + 4, 4, MEM_BYTES); }

static const struct { const char *name; void (*damage)(void); const char *why; } broken[] = {
	{ "rsdp.signature", break_signature, "RSDP has the wrong signature" },
	{ "rsdp.checksum", break_checksum, "RSDP checksum is wrong" },
	{ "rsdp.extended_checksum", break_extended, "RSDP extended checksum is wrong" },
	{ "rsdp.short_length", short_length, "RSDP length is impossible" },
	{ "rsdp.huge_length", huge_length, "RSDP length is impossible" },
	{ "rsdp.no_roots", no_roots, "RSDP names neither XSDT nor RSDT" },
	{ "xsdt.checksum", xsdt_checksum, "root table checksum is wrong" },
	{ "xsdt.signature", xsdt_signature, "root table has the wrong signature" },
	{ "xsdt.length_below_header", xsdt_length,
	  "root table is outside memory or has an impossible length" },
	{ "xsdt.address_wraps", xsdt_wraps,
	  "root table is outside memory or has an impossible length" },
	{ "xsdt.longer_than_memory", xsdt_leaves_memory,
	  "root table is outside memory or has an impossible length" },
};

static void test_refuses_broken_roots(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		print_message("# acpi.refuses.%s\n", broken[i].name);
		build();
		broken[i].damage();
		assert_int_equal(init(), -EBADMSG);
		assert_string_equal(why, broken[i].why);
	}
	assert_int_equal(acpi_init(&reader, 0, &t, &why), -ENOENT);
	assert_int_equal(acpi_init(&reader, MEM_BASE + MEM_BYTES - 8, &t, &why), -EBADMSG);
	assert_string_equal(why, "RSDP is outside memory");
}

static void test_broken_xsdt_falls_back(void **state)
{
	(void)state;
	build();
	at(XSDT)[9] ^= 1;
	assert_int_equal(init(), 0);
	assert_false(t.from_xsdt);
	assert_int_equal(t.n, 1);
}

static void test_broken_table_is_alone(void **state)
{
	struct span s;

	(void)state;
	build();
	at(TABLE(0))[40] ^= 1;			/* checksum */
	put(TABLE(2) + 4, 4, 0x7fffffff);	/* length */
	assert_int_equal(init(), 0);
	assert_int_equal(acpi_table(&t, "DMAR", &s), -EBADMSG);
	assert_int_equal(acpi_table(&t, "APIC", &s), -EBADMSG);
	assert_int_equal(acpi_table(&t, "MCFG", &s), 0);
	build();
	put(XSDT + 36, 8, 0xdead00000000);
	put(XSDT + 44, 8, 0);
	table(XSDT, "XSDT", 60);
	assert_int_equal(init(), 0);
	assert_int_equal(t.left_out, 2);
	assert_int_equal(t.n, 1);
}

static void test_list_is_bounded(void **state)
{
	const unsigned entries = ACPI_MAX_TABLES + 5;

	(void)state;
	build();
	for (unsigned i = 0; i < entries; i++)
		put(XSDT + 36 + 8 * i, 8, TABLE(0));
	table(XSDT, "XSDT", 36 + 8 * entries + 7);	/* a tail shorter than an entry */
	assert_int_equal(init(), 0);
	assert_int_equal(t.n, ACPI_MAX_TABLES);
	assert_int_equal(t.left_out, 5);
}

/* --- decoders ------------------------------------------------------------------------------ */

static uint8_t raw[1024];

static void raw_put(size_t off, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		raw[off + i] = (uint8_t)(v >> 8 * i);
}

static void mcfg_entry(size_t i, uint64_t base, uint16_t segment, uint8_t start, uint8_t end)
{
	raw_put(44 + 16 * i, 8, base);
	raw_put(52 + 16 * i, 2, segment);
	raw_put(54 + 16 * i, 1, start);
	raw_put(55 + 16 * i, 1, end);
}

static const struct {
	const char *name;
	uint64_t base;
	uint16_t segment;
	uint8_t start, end;
	bool used;
} windows[] = {
	{ "q35", 0xe0000000, 0, 0, 255, true },
	{ "second_segment", 0x4000000000, 1, 0x20, 0x7f, true },
	{ "same_bus_again", 0xf0000000, 0, 255, 255, false },
	{ "backwards", 0xf0000000, 2, 5, 4, false },
	{ "unaligned", 0xf0000800, 2, 0, 4, false },
	{ "zero", 0, 2, 0, 4, false },
	{ "wraps", 0xfffffffff8000000, 2, 0, 4, false },
	{ "below_the_second", 0x5000000000, 1, 0, 0x1f, true },
};

static void test_mcfg(void **state)
{
	struct acpi_mcfg m;
	size_t used = 0;

	(void)state;
	memset(raw, 0, sizeof(raw));
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		mcfg_entry(i, windows[i].base, windows[i].segment, windows[i].start,
			   windows[i].end);
	assert_int_equal(acpi_decode_mcfg(span_of(raw, 44 + 16 * ARRAY_SIZE(windows) + 3), &m), 0);
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		print_message("# mcfg.%s\n", windows[i].name);
		if (!windows[i].used)
			continue;
		assert_int_equal(m.entry[used].base, windows[i].base);
		assert_int_equal(m.entry[used].segment, windows[i].segment);
		assert_int_equal(m.entry[used].start_bus, windows[i].start);
		assert_int_equal(m.entry[used++].end_bus, windows[i].end);
	}
	assert_int_equal(m.n, used);
	assert_int_equal(m.refused, ARRAY_SIZE(windows) - used);
	assert_int_equal(acpi_decode_mcfg(span_of(raw, 43), &m), -EBADMSG);
	assert_int_equal(acpi_decode_mcfg(span_of(raw, 44), &m), -ENOENT);
	for (unsigned i = 0; i < ACPI_MAX_MCFG + 2; i++)
		mcfg_entry(i, 0xe0000000, (uint16_t)i, 0, 0);
	assert_int_equal(acpi_decode_mcfg(span_of(raw, 44 + 16 * (ACPI_MAX_MCFG + 2)), &m), 0);
	assert_int_equal(m.n, ACPI_MAX_MCFG);
	assert_int_equal(m.refused, 2);
}

static void gas(size_t off, uint8_t space, uint8_t width, uint8_t bit, uint64_t address)
{
	raw_put(off, 1, space);
	raw_put(off + 1, 1, width);
	raw_put(off + 2, 1, bit);
	raw_put(off + 3, 1, 1);
	raw_put(off + 4, 8, address);
}

static const struct {
	const char *name;
	uint32_t flags;
	uint8_t space, width, bit;
	uint64_t address;
	int err;
} resets[] = {
	{ "q35_cf9", 0x400, ACPI_GAS_IO, 8, 0, 0xcf9, 0 },
	{ "memory", 0x400, ACPI_GAS_MEMORY, 8, 0, 0xfed00000, 0 },
	{ "pci_config", 0x400, ACPI_GAS_PCI_CONFIG, 8, 0, 0x1f000000ac, 0 },
	{ "flag_clear", 0xfffffbff, ACPI_GAS_IO, 8, 0, 0xcf9, -EOPNOTSUPP },
	{ "other_space", 0x400, 3, 8, 0, 0xcf9, -EOPNOTSUPP },
	{ "too_wide", 0x400, ACPI_GAS_IO, 32, 0, 0xcf9, -EOPNOTSUPP },
	{ "shifted", 0x400, ACPI_GAS_IO, 8, 1, 0xcf9, -EOPNOTSUPP },
	{ "no_address", 0x400, ACPI_GAS_IO, 8, 0, 0, -EOPNOTSUPP },
	{ "port_beyond_64k", 0x400, ACPI_GAS_IO, 8, 0, 0x10cf9, -EOPNOTSUPP },
};

static void test_reset(void **state)
{
	struct acpi_reset r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(resets); i++) {
		print_message("# facp.reset.%s\n", resets[i].name);
		memset(raw, 0, sizeof(raw));
		raw_put(112, 4, resets[i].flags);
		gas(116, resets[i].space, resets[i].width, resets[i].bit, resets[i].address);
		raw_put(128, 1, 0x0f);
		assert_int_equal(acpi_decode_reset(span_of(raw, 244), &r), resets[i].err);
		if (resets[i].err)
			continue;
		assert_int_equal(r.reg.space, resets[i].space);
		assert_int_equal(r.reg.address, resets[i].address);
		assert_int_equal(r.value, 0x0f);
	}
	assert_int_equal(acpi_decode_reset(span_of(raw, 128), &r), -EBADMSG);	/* ACPI 1.0 */
}

static void test_spcr(void **state)
{
	static const struct { uint8_t code; uint32_t baud; int err; } rates[] = {
		{ 0, 0, 0 }, { 3, 9600, 0 }, { 4, 19200, 0 }, { 6, 57600, 0 }, { 7, 115200, 0 },
		{ 5, 0, -EBADMSG }, { 255, 0, -EBADMSG },
	};
	struct acpi_spcr s;

	(void)state;
	memset(raw, 0, sizeof(raw));
	raw[36] = ACPI_SPCR_16550;
	gas(40, ACPI_GAS_IO, 8, 0, 0x2f8);
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		raw[58] = rates[i].code;
		assert_int_equal(acpi_decode_spcr(span_of(raw, 80), &s), rates[i].err);
		if (!rates[i].err)
			assert_int_equal(s.baud, rates[i].baud);
	}
	assert_int_equal(s.interface, ACPI_SPCR_16550);
	assert_int_equal(s.reg.space, ACPI_GAS_IO);
	assert_int_equal(s.reg.address, 0x2f8);
	assert_int_equal(acpi_decode_spcr(span_of(raw, 58), &s), -EBADMSG);
	gas(40, ACPI_GAS_IO, 8, 0, 0);
	assert_int_equal(acpi_decode_spcr(span_of(raw, 80), &s), -ENOENT);
}

/* Two processors of which one is enabled, one by x2APIC id, one I/O APIC, an NMI entry. */
static size_t build_madt(void)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,
		0, 8, 1, 1, 0, 0, 0, 0,
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
		1, 12, 0x1a, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
		4, 6, 0xff, 0, 0, 1,
		5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0,
	};

	memset(raw, 0, sizeof(raw));
	raw_put(36, 4, 0xfee00000);
	memcpy(raw + 44, entries, sizeof(entries));
	return 44 + sizeof(entries);
}

static void test_madt(void **state)
{
	const size_t len = build_madt();
	struct acpi_madt m;

	(void)state;
	assert_int_equal(acpi_decode_madt(span_of(raw, len), &m), 0);
	assert_int_equal(m.processors, 2);
	assert_int_equal(m.ioapics, 1);
	assert_int_equal(m.ioapic_id[0], 0x1a);
	assert_int_equal(m.local_apic, 0x1fee00000);
	assert_int_equal(acpi_decode_madt(span_of(raw, len - 12), &m), 0);
	assert_int_equal(m.local_apic, 0xfee00000);
}

static void test_madt_is_bounded(void **state)
{
	const size_t len = build_madt();
	struct acpi_madt m;

	(void)state;
	assert_int_equal(acpi_decode_madt(span_of(raw, 43), &m), -EBADMSG);
	assert_int_equal(acpi_decode_madt(span_of(raw, len - 1), &m), -EBADMSG);
	raw[44] = 0x80;	/* unknown, and of no length: would loop for ever */
	raw[45] = 0;
	assert_int_equal(acpi_decode_madt(span_of(raw, len), &m), -EBADMSG);
	build_madt();
	raw[45] = 4;	/* flags outside the entry */
	assert_int_equal(acpi_decode_madt(span_of(raw, len), &m), -EBADMSG);
	memset(raw, 0, sizeof(raw));
	for (unsigned i = 0; i <= ACPI_MAX_IOAPICS; i++) {
		raw[44 + 12 * i] = 1;
		raw[45 + 12 * i] = 12;
	}
	assert_int_equal(acpi_decode_madt(span_of(raw, 44 + 12 * ACPI_MAX_IOAPICS), &m), 0);
	assert_int_equal(acpi_decode_madt(span_of(raw, 44 + 12 * (ACPI_MAX_IOAPICS + 1)), &m),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "acpi.walks_xsdt", test_walks_xsdt, NULL, NULL, NULL },
		{ "acpi.revision_0_uses_rsdt", test_revision_0_uses_rsdt, NULL, NULL, NULL },
		{ "acpi.refuses_broken_roots", test_refuses_broken_roots, NULL, NULL, NULL },
		{ "acpi.broken_xsdt_falls_back", test_broken_xsdt_falls_back, NULL, NULL, NULL },
		{ "acpi.broken_table_is_alone", test_broken_table_is_alone, NULL, NULL, NULL },
		{ "acpi.list_is_bounded", test_list_is_bounded, NULL, NULL, NULL },
		{ "mcfg.usable_windows", test_mcfg, NULL, NULL, NULL },
		{ "facp.reset_register", test_reset, NULL, NULL, NULL },
		{ "spcr.fields", test_spcr, NULL, NULL, NULL },
		{ "madt.counts", test_madt, NULL, NULL, NULL },
		{ "madt.is_bounded", test_madt_is_bounded, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
