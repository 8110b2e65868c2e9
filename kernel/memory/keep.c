/* Keep pages: first fit over a sorted list of free extents, lowest address first, so that what
 * is preserved stays together in as few 1 GiB blocks as possible. */
#include "keep.h"

#include <string.h>

#include "errno.h"
#include "kernel/panic.h"
#include "kho/sort.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "scratch.h"

struct extent {
	paddr_t base;
	uint64_t len;
};

#define LOW_LIMIT	MIB(1)

static struct extent *extents;
static size_t nr_extents, max_extents;
static uint64_t in_use;
static unsigned early_attempts;

static void insert(size_t at, paddr_t base, uint64_t len)
{
	if (nr_extents == max_extents) {
		/* Losing a piece of free memory is safe; handing out a wrong one is not. */
		platform_log("keep: free list full, %llu KiB at %llx not used",
			     (unsigned long long)len >> 10, (unsigned long long)base);
		return;
	}
	memmove(&extents[at + 1], &extents[at], (nr_extents - at) * sizeof(*extents));
	extents[at] = (struct extent){ base, len };
	nr_extents++;
}

static void remove_at(size_t i)
{
	memmove(&extents[i], &extents[i + 1], (nr_extents - i - 1) * sizeof(*extents));
	nr_extents--;
}

/* Take [base, end) out of every extent it touches. */
static void carve(paddr_t base, paddr_t end)
{
	for (size_t i = 0; i < nr_extents;) {
		struct extent *e = &extents[i];
		const paddr_t e_end = e->base + e->len;

		if (end <= e->base)
			return;
		if (base >= e_end) {
			i++;
		} else if (base <= e->base && end >= e_end) {
			remove_at(i);
		} else if (base <= e->base) {
			e->len = e_end - end;
			e->base = end;
			return;
		} else {
			e->len = base - e->base;
			if (end < e_end)
				insert(i + 1, end, e_end - end);
			i++;
		}
	}
}

/* Whole pages, sorted, without overlaps: one pass over map and list is enough then, however many pieces
 * a handoff is in.  Return: how many. */
static size_t merge_busy(const struct keep_range *busy, size_t n, struct extent *out)
{
	size_t nr = 0, merged = 0;

	for (size_t i = 0; i < n; i++) {
		const paddr_t base = ALIGN_DOWN(busy[i].base, PAGE_SIZE);

		if (busy[i].len)
			out[nr++] = (struct extent){
				base, ALIGN_UP(busy[i].base + busy[i].len, PAGE_SIZE) - base };
	}
	kho_sort(out, nr, sizeof(*out));
	for (size_t i = 0; i < nr; i++) {
		struct extent *last = merged ? &out[merged - 1] : NULL;

		if (last && out[i].base <= last->base + last->len)
			last->len = MAX(last->len, out[i].base + out[i].len - last->base);
		else
			out[merged++] = out[i];
	}
	return merged;
}

/* What of [@base, @end) is not busy; @busy moves on behind what lies before. */
static void add_free(paddr_t base, paddr_t end, const struct extent **busy, const struct extent *busy_end)
{
	while (*busy < busy_end && (*busy)->base + (*busy)->len <= base)
		++*busy;
	for (const struct extent *b = *busy; b < busy_end && b->base < end; b++) {
		if (b->base > base)
			insert(nr_extents, base, b->base - base);
		base = MAX(base, b->base + b->len);
	}
	if (base < end)
		insert(nr_extents, base, end - base);
}

int keep_init(const struct mem_range *map, size_t n, bool all_ram, const struct keep_range *busy,
	      size_t nr_busy)
{
	struct extent *sorted = scratch_new((nr_busy + 1) * sizeof(*sorted));
	const struct extent *next = sorted, *sorted_end;

	max_extents = n + nr_busy + 4096;
	extents = sorted ? scratch_new(max_extents * sizeof(*extents)) : NULL;
	if (!extents)
		return -ENOMEM;
	nr_extents = 0;
	sorted_end = sorted + merge_busy(busy, nr_busy, sorted);
	for (size_t i = 0; i < n; i++) {
		const paddr_t base = MAX(ALIGN_UP(map[i].base, PAGE_SIZE), LOW_LIMIT);
		const paddr_t end = ALIGN_DOWN(map[i].base + map[i].len, PAGE_SIZE);
		const bool usable = all_ram ? map[i].kind < MEM_RAM_KINDS
					    : map[i].kind == MEM_CONVENTIONAL;

		if (usable && base < end)
			add_free(base, end, &next, sorted_end);
	}
	return 0;
}

paddr_t mem_alloc_pages(unsigned order)
{
	const uint64_t len = PAGE_SIZE << order;

	if (!extents) {
		early_attempts++;
		return 0;
	}
	for (size_t i = 0; i < nr_extents; i++) {
		const paddr_t pa = ALIGN_UP(extents[i].base, len);
		const paddr_t end = extents[i].base + extents[i].len;

		if (pa >= end || end - pa < len)
			continue;
		carve(pa, pa + len);
		in_use += 1ULL << order;
		memset(mem_ptr(pa), 0, len);
		return pa;
	}
	return 0;
}

paddr_t keep_alloc_guarded(uint64_t len, uint64_t align)
{
	if (!extents) {
		early_attempts++;
		return 0;
	}
	for (size_t i = 0; i < nr_extents; i++) {
		const paddr_t pa = ALIGN_UP(extents[i].base + PAGE_SIZE, align);
		const paddr_t end = extents[i].base + extents[i].len;

		if (pa >= end || end - pa < len + PAGE_SIZE)
			continue;
		carve(pa - PAGE_SIZE, pa + len + PAGE_SIZE);
		in_use += len / PAGE_SIZE + 2;
		memset(mem_ptr(pa), 0, len);
		return pa;
	}
	return 0;
}

void mem_free_pages(paddr_t pa, unsigned order)
{
	const uint64_t len = PAGE_SIZE << order;
	size_t i = 0;

	while (i < nr_extents && extents[i].base < pa)
		i++;
	if ((i > 0 && extents[i - 1].base + extents[i - 1].len > pa) ||
	    (i < nr_extents && pa + len > extents[i].base))
		panic("mem_free_pages: %llx is free already", (unsigned long long)pa);
	in_use -= 1ULL << order;
	if (i > 0 && extents[i - 1].base + extents[i - 1].len == pa) {
		extents[i - 1].len += len;
		if (i < nr_extents && pa + len == extents[i].base) {
			extents[i - 1].len += extents[i].len;
			remove_at(i);
		}
	} else if (i < nr_extents && pa + len == extents[i].base) {
		extents[i].base = pa;
		extents[i].len += len;
	} else {
		insert(i, pa, len);
	}
}

uint64_t keep_pages_in_use(void)
{
	return in_use;
}

unsigned keep_early_attempts(void)
{
	return early_attempts;
}
