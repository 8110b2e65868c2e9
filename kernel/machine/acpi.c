/* ACPI tables: RSDP, XSDT or RSDT, and the fields of MCFG, FACP, SPCR and MADT that are used. */
#include "kernel/machine/acpi.h"

#include <string.h>

#include "errno.h"

/* Root System Description Pointer (ACPI 6.5, 5.2.5.3). */
#define RSDP_SIGNATURE		"RSD PTR "
#define RSDP_V1_LEN		20	/* what the first checksum covers */
#define RSDP_REVISION		15
#define RSDP_RSDT		16
#define RSDP_LENGTH		20	/* revision 2 and later from here */
#define RSDP_XSDT		24
#define RSDP_V2_LEN		36
#define RSDP_MAX_LEN		PAGE_SIZE

/* System description table header (5.2.6). */
#define SDT_LENGTH		4
#define SDT_LEN			36

/* MCFG (PCI Firmware 3.3, 4.1.2). */
#define MCFG_ENTRIES		44
#define MCFG_ENTRY_LEN		16

/* FADT (5.2.9). */
#define FACP_FLAGS		112
#define   FACP_RESET_REG_SUP	BIT32(10)
#define FACP_RESET_REG		116
#define FACP_RESET_VALUE	128

/* SPCR (Microsoft, "Serial Port Console Redirection Table", revision 2 and later). */
#define SPCR_INTERFACE		36
#define SPCR_GAS		40
#define SPCR_BAUD		58

/* MADT (5.2.12) and its interrupt controller structures. */
#define MADT_LOCAL_APIC		36
#define MADT_ENTRIES		44
#define MADT_TYPE_LAPIC		0	/* 8 bytes, flags at 4 */
#define MADT_TYPE_IOAPIC	1	/* 12 bytes, id at 2 */
#define MADT_TYPE_LAPIC_ADDR	5	/* 12 bytes, address at 4 */
#define MADT_TYPE_X2APIC	9	/* 16 bytes, flags at 8 */
#define   MADT_ENABLED		BIT32(0)

static bool sum_is_zero(struct span s)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum = (uint8_t)(sum + s.p[i]);
	return sum == 0;
}

static bool map_span(const struct acpi_reader *r, paddr_t pa, uint64_t len, struct span *out)
{
	const void *p = pa && range_valid(pa, len) ? r->map(r->ctx, pa, len) : NULL;

	if (!p)
		return false;
	*out = span_of(p, (size_t)len);
	return true;
}

/* The whole table at @pa.  Its length is foreign: nothing is mapped by it before it was checked. */
static bool map_table(const struct acpi_reader *r, paddr_t pa, struct span *out)
{
	struct span head;
	uint32_t len;

	return map_span(r, pa, SDT_LEN, &head) && span_u32(head, SDT_LENGTH, &len) &&
	       len >= SDT_LEN && len <= ACPI_MAX_TABLE_LEN && map_span(r, pa, len, out);
}

static void add_table(const struct acpi_reader *r, paddr_t pa, struct acpi_tables *out)
{
	struct acpi_found *f = &out->found[out->n];
	struct span head;

	if (out->n == ACPI_MAX_TABLES || !map_span(r, pa, SDT_LEN, &head)) {
		out->left_out++;
		return;
	}
	*f = (struct acpi_found){ .pa = pa };
	memcpy(f->signature, head.p, sizeof(f->signature));
	if (map_table(r, pa, &f->bytes))
		f->checksum_ok = sum_is_zero(f->bytes);
	out->n++;
}

/* Follow the RSDT (@width 4) or XSDT (@width 8); the entries are not aligned. */
static const char *walk_root(const struct acpi_reader *r, paddr_t pa, const char *signature,
			     size_t width, struct acpi_tables *out)
{
	struct span root;

	if (!map_table(r, pa, &root))
		return "root table is outside memory or has an impossible length";
	if (memcmp(root.p, signature, 4))
		return "root table has the wrong signature";
	if (!sum_is_zero(root))
		return "root table checksum is wrong";
	for (size_t off = SDT_LEN; root.len - off >= width; off += width) {
		uint32_t lo = 0, hi = 0;

		span_u32(root, off, &lo);
		if (width == 8)
			span_u32(root, off + 4, &hi);
		add_table(r, (paddr_t)hi << 32 | lo, out);
	}
	return NULL;
}

static const char *check_rsdp(const struct acpi_reader *r, paddr_t pa, paddr_t *rsdt, paddr_t *xsdt)
{
	struct span v1, v2;
	uint32_t len, rsdt_pa;
	uint8_t revision;

	if (!map_span(r, pa, RSDP_V1_LEN, &v1))
		return "RSDP is outside memory";
	if (memcmp(v1.p, RSDP_SIGNATURE, 8))
		return "RSDP has the wrong signature";
	if (!sum_is_zero(v1))
		return "RSDP checksum is wrong";
	span_u8(v1, RSDP_REVISION, &revision);
	span_u32(v1, RSDP_RSDT, &rsdt_pa);
	*rsdt = rsdt_pa;
	*xsdt = 0;
	if (revision < 2)
		return NULL;
	if (!map_span(r, pa, RSDP_V2_LEN, &v2))
		return "RSDP is outside memory";
	span_u32(v2, RSDP_LENGTH, &len);
	span_u64(v2, RSDP_XSDT, xsdt);
	if (len < RSDP_V2_LEN || len > RSDP_MAX_LEN || !map_span(r, pa, len, &v2))
		return "RSDP length is impossible";
	if (!sum_is_zero(v2))
		return "RSDP extended checksum is wrong";
	return NULL;
}

int acpi_init(const struct acpi_reader *r, paddr_t rsdp, struct acpi_tables *out, const char **why)
{
	paddr_t rsdt, xsdt;

	memset(out, 0, sizeof(*out));
	if (!rsdp) {
		*why = "no RSDP was found";
		return -ENOENT;
	}
	*why = check_rsdp(r, rsdp, &rsdt, &xsdt);
	if (*why)
		return -EBADMSG;
	if (xsdt) {
		*why = walk_root(r, xsdt, "XSDT", 8, out);
		out->from_xsdt = !*why;
	}
	if (!out->from_xsdt && rsdt)
		*why = walk_root(r, rsdt, "RSDT", 4, out);
	else if (!xsdt)
		*why = "RSDP names neither XSDT nor RSDT";
	return *why ? -EBADMSG : 0;
}

int acpi_table(const struct acpi_tables *t, const char *signature, struct span *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct acpi_found *f = &t->found[i];

		if (memcmp(f->signature, signature, sizeof(f->signature)))
			continue;
		if (!f->checksum_ok)
			return -EBADMSG;
		*out = f->bytes;
		return 0;
	}
	return -ENOENT;
}

/* A window is usable if its bus numbers run forward, its base has room for 256 buses below
 * 2^64, and no earlier window has the same bus. */
static bool mcfg_entry_usable(const struct acpi_mcfg *m, const struct acpi_mcfg_entry *e)
{
	if (!e->base || !IS_ALIGNED(e->base, MIB(1)) || !range_valid(e->base, MIB(256)) ||
	    e->start_bus > e->end_bus || m->n == ACPI_MAX_MCFG)
		return false;
	for (size_t i = 0; i < m->n; i++) {
		const struct acpi_mcfg_entry *o = &m->entry[i];

		if (o->segment == e->segment && e->start_bus <= o->end_bus &&
		    o->start_bus <= e->end_bus)
			return false;
	}
	return true;
}

int acpi_decode_mcfg(struct span table, struct acpi_mcfg *out)
{
	struct span s;

	memset(out, 0, sizeof(*out));
	if (table.len < MCFG_ENTRIES)
		return -EBADMSG;
	for (size_t off = MCFG_ENTRIES; span_sub(table, off, MCFG_ENTRY_LEN, &s);
	     off += MCFG_ENTRY_LEN) {
		struct acpi_mcfg_entry e;

		span_u64(s, 0, &e.base);
		span_u16(s, 8, &e.segment);
		span_u8(s, 10, &e.start_bus);
		span_u8(s, 11, &e.end_bus);
		if (mcfg_entry_usable(out, &e))
			out->entry[out->n++] = e;
		else
			out->refused++;
	}
	return out->n ? 0 : -ENOENT;
}

static bool read_gas(struct span table, size_t off, struct acpi_gas *gas)
{
	return span_u8(table, off, &gas->space) && span_u8(table, off + 1, &gas->bit_width) &&
	       span_u8(table, off + 2, &gas->bit_offset) &&
	       span_u8(table, off + 3, &gas->access_size) &&
	       span_u64(table, off + 4, &gas->address);
}

int acpi_decode_reset(struct span facp, struct acpi_reset *out)
{
	struct acpi_reset reset;
	uint32_t flags;

	if (!span_u32(facp, FACP_FLAGS, &flags) || !read_gas(facp, FACP_RESET_REG, &reset.reg) ||
	    !span_u8(facp, FACP_RESET_VALUE, &reset.value))
		return -EBADMSG;
	/* 4.8.3.6: the register is 8 bits wide, at bit offset 0, in one of these three spaces. */
	if (!(flags & FACP_RESET_REG_SUP) || reset.reg.space > ACPI_GAS_PCI_CONFIG ||
	    reset.reg.bit_width != 8 || reset.reg.bit_offset != 0 || !reset.reg.address ||
	    (reset.reg.space == ACPI_GAS_IO && reset.reg.address > UINT16_MAX))
		return -EOPNOTSUPP;
	*out = reset;
	return 0;
}

int acpi_decode_spcr(struct span table, struct acpi_spcr *out)
{
	static const struct { uint8_t code; uint32_t baud; } rates[] = {
		{ 0, 0 }, { 3, 9600 }, { 4, 19200 }, { 6, 57600 }, { 7, 115200 },
	};
	struct acpi_spcr spcr;
	uint8_t code;

	if (!span_u8(table, SPCR_INTERFACE, &spcr.interface) ||
	    !read_gas(table, SPCR_GAS, &spcr.reg) || !span_u8(table, SPCR_BAUD, &code))
		return -EBADMSG;
	if (!spcr.reg.address)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		if (rates[i].code != code)
			continue;
		spcr.baud = rates[i].baud;
		*out = spcr;
		return 0;
	}
	return -EBADMSG;
}

static bool madt_entry(struct span e, uint8_t type, struct acpi_madt *m)
{
	uint32_t flags;
	uint8_t id;

	switch (type) {
	case MADT_TYPE_LAPIC:
	case MADT_TYPE_X2APIC:
		if (!span_u32(e, type == MADT_TYPE_LAPIC ? 4 : 8, &flags))
			return false;
		m->processors += (flags & MADT_ENABLED) != 0;
		return true;
	case MADT_TYPE_IOAPIC:
		if (e.len < 12 || !span_u8(e, 2, &id) || m->ioapics == ACPI_MAX_IOAPICS)
			return false;
		m->ioapic_id[m->ioapics++] = id;
		return true;
	case MADT_TYPE_LAPIC_ADDR:
		return span_u64(e, 4, &m->local_apic);
	default:
		return true;
	}
}

int acpi_decode_madt(struct span table, struct acpi_madt *out)
{
	struct acpi_madt m = { 0 };
	uint32_t local_apic;
	struct span e;

	if (table.len < MADT_ENTRIES || !span_u32(table, MADT_LOCAL_APIC, &local_apic))
		return -EBADMSG;
	m.local_apic = local_apic;
	for (size_t off = MADT_ENTRIES; off < table.len; off += e.len) {
		uint8_t type, len;

		if (!span_u8(table, off, &type) || !span_u8(table, off + 1, &len) || len < 2 ||
		    !span_sub(table, off, len, &e) || !madt_entry(e, type, &m))
			return -EBADMSG;
	}
	*out = m;
	return 0;
}
