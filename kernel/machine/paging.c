/* Identity-mapped page tables. */
#include "paging.h"

#include "cpu.h"
#include "errno.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "platform/mem.h"

#define ENTRIES	512
#define PAT_VALUE	UINT64_C(0x0007010600070106)	/* WB WC UC- UC, twice */

extern const uint8_t image_end[], text_start[], text_end[], rodata_end[],
	relro_end[], stack_guard[];

static struct page_tables own;
static paddr_t loaded;			/* top of @own once it is complete */
static const struct boot_info *boot;

static unsigned shift_of(unsigned level)
{
	return PAGE_SHIFT + 9 * level;		/* level 0: page table */
}

/* A leaf at this level exists: 4 KiB and 2 MiB always, 1 GiB where the processor says so. */
static bool level_has_leaf(const struct page_tables *pt, unsigned level)
{
	return level <= 1 || (level == 2 && pt->gib_pages);
}

static uint64_t leaf(paddr_t pa, uint64_t flags, unsigned level)
{
	if (!(flags & PT_P))
		return 0;
	return pa | flags | (level ? PT_PS : 0);
}

/* Replace a large leaf by a table that translates the same. */
static int split(struct page_tables *pt, uint64_t *entry, unsigned level)
{
	const paddr_t table = pt->alloc(pt->ctx);
	const uint64_t flags = *entry & ~(PT_ADDR | PT_PS);
	const paddr_t base = *entry & PT_ADDR;
	uint64_t *sub = mem_ptr(table);

	if (!table)
		return -ENOMEM;
	for (unsigned i = 0; i < ENTRIES; i++)
		sub[i] = leaf(base + ((uint64_t)i << shift_of(level - 1)), flags, level - 1);
	*entry = table | PT_P | PT_W;
	return 0;
}

static int map_level(struct page_tables *pt, paddr_t table, unsigned level, paddr_t pa,
		     paddr_t end, uint64_t flags)
{
	const uint64_t size = BIT64(shift_of(level));
	uint64_t *entries = mem_ptr(table);

	while (pa < end) {
		uint64_t *e = &entries[pa >> shift_of(level) & (ENTRIES - 1)];
		const paddr_t next = MIN(ALIGN_DOWN(pa, size) + size, end);
		const bool is_leaf = level == 0 || *e & PT_PS;
		int err;

		if (level_has_leaf(pt, level) && next - pa == size && (is_leaf || !(*e & PT_P))) {
			*e = leaf(pa, flags, level);
		} else if (!(*e & PT_P) && !(flags & PT_P)) {
			;	/* not mapped, and shall not be */
		} else {
			if (!(*e & PT_P)) {
				const paddr_t sub = pt->alloc(pt->ctx);

				if (!sub)
					return -ENOMEM;
				*e = sub | PT_P | PT_W;
			} else if (is_leaf) {
				err = split(pt, e, level);
				if (err)
					return err;
			}
			err = map_level(pt, *e & PT_ADDR, level - 1, pa, next, flags);
			if (err)
				return err;
		}
		pa = next;
	}
	return 0;
}

int page_tables_init(struct page_tables *pt, paddr_t (*alloc)(void *ctx), void *ctx)
{
	uint32_t id[4], id_max;

	*pt = (struct page_tables){
		.levels = cpu_read_cr4() & CR4_LA57 ? 5 : 4, .alloc = alloc, .ctx = ctx,
	};
	cpu_cpuid(0x80000000, 0, id);
	id_max = id[0];
	if (id_max >= 0x80000001) {
		cpu_cpuid(0x80000001, 0, id);
		pt->gib_pages = id[3] & BIT32(26);
	}
	/* Identity-mapped, so an address must be canonical too: the lower half only. */
	pt->limit = BIT64(pt->levels == 5 ? 56 : 47);
	if (id_max >= 0x80000008) {
		cpu_cpuid(0x80000008, 0, id);
		pt->limit = MIN(pt->limit, BIT64(id[0] & 0xff));	/* MAXPHYADDR */
	}
	pt->top = alloc(ctx);
	return pt->top ? 0 : -ENOMEM;
}

int page_tables_map(struct page_tables *pt, paddr_t pa, uint64_t len, uint64_t flags)
{
	if (!range_valid(pa, len) || pa + len - 1 >= pt->limit)
		return -ERANGE;
	return map_level(pt, pt->top, pt->levels - 1, pa, pa + len, flags);
}

int page_tables_map_ram(struct page_tables *pt, const struct boot_info *bi, uint64_t flags)
{
	for (size_t i = 0; i < bi->nr_map; i++) {
		const struct mem_range *r = &bi->map[i];
		const bool ram = r->kind < MEM_RAM_KINDS;
		const bool table = r->kind == MEM_ACPI_RECLAIM || r->kind == MEM_ACPI_NVS ||
				   r->kind == MEM_RUNTIME_CODE || r->kind == MEM_RUNTIME_DATA;
		/* RAM shrinks to whole pages; tables may end inside one. */
		const paddr_t base = ram ? ALIGN_UP(r->base, PAGE_SIZE) : ALIGN_DOWN(r->base, PAGE_SIZE);
		const paddr_t top = ram ? ALIGN_DOWN(r->base + r->len, PAGE_SIZE)
					: ALIGN_UP(r->base + r->len, PAGE_SIZE);
		const paddr_t end = MIN(top, pt->limit);
		int err;

		if ((!ram && !table) || base >= end)
			continue;
		err = page_tables_map(pt, base, end - base, flags);
		if (err)
			return err;
	}
	return 0;
}

static paddr_t alloc_from_scratch(void *ctx)
{
	(void)ctx;
	return scratch_alloc(PAGE_SIZE, PAGE_SIZE);
}

static int map_image(struct page_tables *pt)
{
	const struct { const uint8_t *from, *to; uint64_t flags; } part[] = {
		{ text_start, text_end, PT_P },
		{ text_end, relro_end, PT_P | PT_NX },
		{ relro_end, image_end, PT_P | PT_W | PT_NX },
		{ stack_guard, stack_guard + PAGE_SIZE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		const int err = page_tables_map(pt, mem_pa(part[i].from),
						(uint64_t)(part[i].to - part[i].from), part[i].flags);
		if (err)
			return err;
	}
	return 0;
}

int paging_init(const struct boot_info *bi)
{
	int err = page_tables_init(&own, alloc_from_scratch, NULL);

	boot = bi;
	if (err)
		return err;
	cpu_wrmsr(MSR_EFER, cpu_rdmsr(MSR_EFER) | EFER_NXE);
	err = page_tables_map_ram(&own, bi, PT_P | PT_W | PT_NX | PT_WB);
	if (!err)
		err = map_image(&own);
	if (!err)
		err = page_tables_map(&own, 0, PAGE_SIZE, 0);
	if (err)
		return err;
	cpu_write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	cpu_write_cr3(own.top);
	/* Clearing PGE here also drops global entries of the kernel before us. */
	cpu_write_cr4((cpu_read_cr4() & CR4_LA57) | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	cpu_wrmsr(MSR_PAT, PAT_VALUE);
	cpu_write_cr3(own.top);
	loaded = own.top;
	return 0;
}

unsigned paging_levels(void)
{
	return own.levels;
}

void paging_resume(void)
{
	if (loaded && cpu_read_cr3() != loaded)
		cpu_write_cr3(loaded);
}

static void *map_device(paddr_t pa, uint64_t len, uint64_t cache)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	if (!range_valid(pa, len) || pa + len - 1 >= own.limit)
		return NULL;
	for (size_t i = 0; i < boot->nr_map; i++) {
		const struct mem_range *r = &boot->map[i];

		if (r->kind < MEM_RAM_KINDS && ranges_overlap(pa, len, r->base, r->len))
			return NULL;
	}
	if (page_tables_map(&own, base, ALIGN_UP(pa + len, PAGE_SIZE) - base,
			    PT_P | PT_W | PT_NX | cache))
		return NULL;
	cpu_write_cr3(own.top);
	return mem_ptr(pa);
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	return map_device(pa, len, PT_UC);
}

void *paging_map_wc(paddr_t pa, uint64_t len)
{
	return map_device(pa, len, PT_WC);
}

int paging_map_runtime_executable(void)
{
	for (size_t i = 0; i < boot->nr_map; i++) {
		const struct mem_range *r = &boot->map[i];
		int err;

		if (r->kind != MEM_RUNTIME_CODE)
			continue;
		err = page_tables_map(&own, r->base, ALIGN_UP(r->len, PAGE_SIZE), PT_P | PT_W);
		if (err)
			return err;
	}
	cpu_write_cr3(own.top);
	return 0;
}

static bool page_is_mapped(paddr_t pa)
{
	paddr_t table = own.top;

	if (pa >= own.limit)
		return false;
	for (unsigned level = own.levels; level-- > 0;) {
		const uint64_t *entries = mem_ptr(table);
		const uint64_t e = entries[pa >> shift_of(level) & (ENTRIES - 1)];

		if (!(e & PT_P))
			return false;
		if (level == 0 || e & PT_PS)
			return true;
		table = e & PT_ADDR;
	}
	return false;
}

bool paging_is_readable(paddr_t pa, uint64_t len)
{
	if (!range_valid(pa, len))
		return false;
	for (paddr_t p = ALIGN_DOWN(pa, PAGE_SIZE); p < pa + len; p += PAGE_SIZE)
		if (!page_is_mapped(p))
			return false;
	return true;
}
