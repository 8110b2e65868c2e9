/* Test builds only: RMRRs in the DMAR table, and QEMU's edu that does DMA to them, as a BMC or a
 * USB controller does on a server, before, over and after each hand-over. */
#include "rmrr.h"

#include <string.h>

#include "kernel/handover/corrupt.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/pci.h"
#include "kernel/memory/memmap.h"
#include "kernel/panic.h"
#include "kernel/selftest/edu.h"
#include "platform/mem.h"
#include "platform/mmio.h"

#define EDU_RID		PCI_RID(0, 10, 0)	/* where tests/boot/stanzas.py puts it */
#define ABSENT_RID	PCI_RID(0, 30, 0)
#define SHOT_WORDS	32
#define SHOT_BYTES	(SHOT_WORDS * sizeof(uint64_t))
#define WAIT_US		2000000u

/* VT-d 8.4, "Reserved Memory Region Reporting Structure", with one endpoint scope. */
struct rmrr_bytes {
	uint16_t type, len, reserved, segment;
	uint64_t base, limit;
	uint8_t scope_type, scope_len, scope_reserved[2], enum_id, start_bus, dev, fn;
};
static_assert(sizeof(struct rmrr_bytes) == 32, "layout");

#define ACPI_LENGTH	4		/* u32 in every table's header */
#define ACPI_CHECKSUM	9

struct region {
	paddr_t base, limit;		/* as in the table: limit is the last byte */
};

static const struct plan {
	const char *name;
	uint16_t rid;
	struct region r[2];		/* limit 0: none */
	enum { LEFT, IN_USE, FREE } how;
} plans[] = {
	/* Reserved memory that the device reaches, as firmware has it. */
	{ "rmrr",		EDU_RID,    { { 0x10000000, 0x1000ffff } }, IN_USE },
	{ "rmrr_large",		EDU_RID,    { { 0x10003000, 0x10545fff } }, IN_USE },
	/* The first pages that would be allocated. */
	{ "rmrr_absent",	ABSENT_RID, { { 0x00100000, 0x00101fff } }, FREE },
	{ "rmrr_backwards",	EDU_RID,    { { 0x10010000, 0x1000ffff } }, LEFT },
	{ "rmrr_in_scratch",	EDU_RID,    { { 0x02000000, 0x0200ffff } }, LEFT },
	/* For tests/bench/adoption.py, beyond RAM: by 2 MiB pages, and by 4 KiB pages, which a second
	 * region inside the first one forces. */
	{ "rmrr_8m",		EDU_RID,    { { GIB(4), GIB(4) + MIB(8) - 1 } }, LEFT },
	{ "rmrr_512m",		EDU_RID,    { { GIB(4), GIB(4) + MIB(512) - 1 } }, LEFT },
	{ "rmrr_pages_2m",	EDU_RID,    { { GIB(4), GIB(4) + PAGE_SIZE - 1 },
					      { GIB(4), GIB(4) + MIB(2) - 1 } }, LEFT },
	{ "rmrr_pages_128m",	EDU_RID,    { { GIB(4), GIB(4) + PAGE_SIZE - 1 },
					      { GIB(4), GIB(4) + MIB(128) - 1 } }, LEFT },
};

static const struct plan *plan_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(plans); i++)
		if (!strcmp(name, plans[i].name))
			return &plans[i];
	return NULL;
}

/* ---- the table and the memory map -------------------------------------------------------------- */

static void append(uint8_t *table, uint32_t *len, size_t max, const struct plan *p,
		   const struct region *r)
{
	const struct rmrr_bytes s = {
		.type = 1, .len = sizeof(s), .base = r->base, .limit = r->limit,
		.scope_type = 1, .scope_len = 8, .dev = PCI_DEV(p->rid), .fn = PCI_FN(p->rid),
	};

	if (*len + sizeof(s) > max)
		panic("rmrr: the DMAR table is too long");
	memcpy(table + *len, &s, sizeof(s));
	*len += sizeof(s);
}

/* A copy takes the table's place; firmware's own is left as it is. */
static void patch_dmar(const struct plan *p, struct acpi_found *f)
{
	static uint8_t table[PAGE_SIZE];
	uint32_t len = (uint32_t)f->bytes.len;
	uint8_t sum = 0;

	if (len > sizeof(table))
		panic("rmrr: the DMAR table is too long");
	memcpy(table, f->bytes.p, len);
	for (size_t i = 0; i < ARRAY_SIZE(p->r) && p->r[i].limit; i++)
		append(table, &len, sizeof(table), p, &p->r[i]);
	memcpy(table + ACPI_LENGTH, &len, sizeof(len));
	table[ACPI_CHECKSUM] = 0;
	for (uint32_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	table[ACPI_CHECKSUM] = (uint8_t)-sum;
	f->bytes = span_of(table, len);
}

/* Generation 0 takes it out of free memory before anything is allocated; later ones are told. */
static void reserve(const struct boot_info *bi, const struct region *r)
{
	struct boot_info *map = (struct boot_info *)(uintptr_t)bi;
	const struct mem_range *at = memmap_at(bi->map, bi->nr_map, r->base);

	if (!at || at->kind != (bi->from_uefi ? MEM_CONVENTIONAL : MEM_RESERVED) ||
	    at->base + at->len <= r->limit)
		panic("rmrr: %llx is of another kind than it should be", (unsigned long long)r->base);
	if (bi->from_uefi && memmap_carve(map->map, BOOT_MAX_RANGES, &map->nr_map, r->base,
					  r->limit - r->base + 1, MEM_RESERVED))
		panic("rmrr: no room in the memory map");
}

/* Firmware calls it free memory all the same: every generation must leave it alone. */
static void guard(const struct boot_info *bi, const struct region *r)
{
	for (paddr_t pa = r->base; pa < r->limit; pa += sizeof(uint64_t)) {
		uint64_t *word = mem_ptr(pa);

		if (bi->from_uefi)
			*word = ~pa;
		else if (*word != ~pa)
			panic("rmrr: %llx was written", (unsigned long long)pa);
	}
}

/* ---- the device ---------------------------------------------------------------------------------- */

static volatile uint64_t *words(paddr_t pa)
{
	void *p = paging_is_readable(pa, SHOT_BYTES) ? mem_ptr(pa) : paging_map_mmio(pa, SHOT_BYTES);

	if (!p)
		panic("rmrr: %llx cannot be mapped", (unsigned long long)pa);
	return p;
}

static paddr_t last_shot(const struct region *r)
{
	return r->limit + 1 - SHOT_BYTES;
}

/* In a region of several MiB, inside a larger page than its ends are. */
static paddr_t middle(const struct region *r)
{
	return ALIGN_DOWN(r->base / 2 + r->limit / 2, PAGE_SIZE);
}

static void clear(paddr_t pa)
{
	for (unsigned i = 0; i < SHOT_WORDS; i++)
		words(pa)[i] = 0;
}

/* What the CPU wrote at the region's base must come to stand at @pa. */
static void await(const struct region *r, paddr_t pa)
{
	const volatile uint64_t *want = words(r->base), *got = words(pa);
	const uint64_t start = platform_us();

	for (unsigned i = 0; i < SHOT_WORDS; i++)
		while (got[i] != want[i]) {
			if (platform_us() - start > WAIT_US)
				panic("rmrr: word %u at %llx is %llx, want %llx: the device's DMA did not arrive",
				      i, (unsigned long long)pa, (unsigned long long)got[i],
				      (unsigned long long)want[i]);
			platform_relax();
		}
}

/* Nobody but firmware has switched it on, and nobody may switch it off. */
static paddr_t device(void)
{
	const paddr_t bar = pci_read32(0, EDU_RID, PCI_BAR0) & ~UINT32_C(0xf);
	const uint16_t command = pci_read16(0, EDU_RID, PCI_COMMAND);

	if (!(command & PCI_COMMAND_MASTER))
		panic("rmrr: bus master of the device is off, command register %04x", command);
	if (!paging_map_mmio(bar, EDU_BAR_BYTES) ||
	    (mmio_read32(bar + EDU_ID) & 0xff) != EDU_ID_LOW)
		panic("rmrr: no edu at %llx", (unsigned long long)bar);
	return bar;
}

static void copy(paddr_t from, paddr_t to, uint32_t direction)
{
	const paddr_t bar = device();
	const uint64_t start = platform_us();

	mmio_write64(bar + EDU_SOURCE, from);
	mmio_write64(bar + EDU_TARGET, to);
	mmio_write64(bar + EDU_COUNT, SHOT_BYTES);
	mmio_write64(bar + EDU_COMMAND, EDU_START | direction);
	if (direction == EDU_TO_RAM)
		return;		/* it can be seen to arrive */
	while (mmio_read32(bar + EDU_COMMAND) & EDU_START)
		if (platform_us() - start > WAIT_US)
			panic("rmrr: the device does not end its copy");
}

/* From the region's base through the device to its end, while this kernel watches. */
static void round_trip(const struct region *r, uint32_t generation)
{
	for (unsigned i = 0; i < SHOT_WORDS; i++)
		words(r->base)[i] = (uint64_t)(generation + 1) << 32 | i;
	clear(last_shot(r));
	copy(r->base, EDU_BUFFER, 0);
	copy(EDU_BUFFER, last_shot(r), EDU_TO_RAM);
	await(r, last_shot(r));
	platform_log("rmrr: DMA of generation %u arrived at %llx", generation,
		     (unsigned long long)last_shot(r));
}

/* ---- called by the kernel -------------------------------------------------------------------------- */

bool rmrr_use(const char *name, bool early, uint32_t generation)
{
	const struct plan *p = plan_of(name);

	if (!p || p->how != IN_USE)
		return p;
	if (early) {
		round_trip(&p->r[0], generation);
		return true;
	}
	clear(middle(&p->r[0]));
	copy(EDU_BUFFER, middle(&p->r[0]), EDU_TO_RAM);	/* arrives when the next kernel is at work */
	return true;
}

void corrupt_tables(const char *name, const struct boot_info *bi, struct acpi_tables *acpi)
{
	const struct plan *p = plan_of(name);

	if (!p)
		return;
	for (size_t i = 0; i < acpi->n; i++)
		if (!memcmp(acpi->found[i].signature, "DMAR", 4))
			patch_dmar(p, &acpi->found[i]);
	if (p->how == FREE)
		guard(bi, &p->r[0]);
	if (p->how != IN_USE)
		return;
	reserve(bi, &p->r[0]);
	if (bi->from_uefi)
		return;
	await(&p->r[0], middle(&p->r[0]));
	platform_log("rmrr: DMA across the jump arrived at %llx", (unsigned long long)middle(&p->r[0]));
}
