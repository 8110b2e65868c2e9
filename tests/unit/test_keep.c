/* The two allocators: scratch against its bounds, keep against a page-wise model.  keep.c is the
 * firmware's half of the seam for pages, so its functions get names of their own here, beside
 * those of the test arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define mem_alloc_pages	keep_alloc_pages
#define mem_free_pages	keep_free_pages
#include "kernel/memory/keep.c"
#undef mem_alloc_pages
#undef mem_free_pages

#include "arena.h"
#include "kernel/memory/scratch.h"

static jmp_buf panicked;
static bool panic_expected;

void panic(const char *fmt, ...)
{
	if (!panic_expected)
		fail_msg("panic: %s", fmt);
	longjmp(panicked, 1);
}

/* ---- scratch --------------------------------------------------------------------------------- */

/* scratch.bottom_up_zeroed_bounded */
static void test_scratch(void **state)
{
	const uint64_t left = KIB(64) - 2 * PAGE_SIZE - 100;	/* after the three below */
	uint8_t *p;

	(void)state;
	arena_reset(GIB(1), GIB(1) + MIB(1));
	memset(mem_ptr(MIB(16)), 0xa5, KIB(64));
	scratch_init(MIB(16) + 8, KIB(64) - 8);
	assert_int_equal(scratch_used(), 0);
	assert_int_equal(scratch_alloc(1, 1), MIB(16) + 8);
	assert_int_equal(scratch_alloc(PAGE_SIZE, PAGE_SIZE), MIB(16) + PAGE_SIZE);
	assert_int_equal(scratch_used(), 2 * PAGE_SIZE - 8);
	p = scratch_new(100);
	assert_int_equal(mem_pa(p), MIB(16) + 2 * PAGE_SIZE);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal(p[100], 0xa5);
	/* What does not fit changes nothing; the last byte can be had. */
	assert_int_equal(scratch_alloc(KIB(64), 1), 0);
	assert_int_equal(scratch_alloc(UINT64_MAX, 1), 0);
	assert_int_equal(scratch_alloc(1, BIT64(63)), 0);
	assert_int_equal(scratch_alloc(left + 1, 1), 0);
	assert_null(scratch_new(left + 1));
	assert_int_equal(scratch_used(), 2 * PAGE_SIZE + 100 - 8);
	assert_int_equal(scratch_alloc(left, 1), MIB(16) + 2 * PAGE_SIZE + 100);
	assert_int_equal(scratch_used(), KIB(64) - 8);
	assert_int_equal(scratch_alloc(1, 1), 0);
}

/* ---- keep against a model -------------------------------------------------------------------- */

#define FIRST		MIB(15)		/* the model's window */
#define PAGES		8192ULL
#define SCRATCH		MIB(512)
#define SCRATCH_BYTES	MIB(4)

enum owner { NOT_OURS, FREE, TAKEN };
static uint8_t owner[PAGES];
static uint64_t model_in_use;

static size_t page_of(paddr_t pa)
{
	assert_in_range(pa, FIRST, FIRST + PAGES * PAGE_SIZE - 1);
	return (pa - FIRST) / PAGE_SIZE;
}

static void model_free_range(paddr_t base, uint64_t len, enum owner to)
{
	for (paddr_t pa = base; pa < base + len; pa += PAGE_SIZE)
		owner[page_of(pa)] = to;
}

/* A range has been handed out: every page of it must have been free. */
static void model_take(paddr_t base, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint8_t *o = &owner[page_of(base + i * PAGE_SIZE)];

		if (*o != FREE)
			fail_msg("page %llx handed out, but it is %s",
				 (unsigned long long)(base + i * PAGE_SIZE),
				 *o == TAKEN ? "taken" : "not ours");
		*o = TAKEN;
	}
	model_in_use += pages;
}

/* Lowest place for @len at @align with @guard pages around it, the slow way; 0: none. */
static paddr_t model_find(uint64_t len, uint64_t align, uint64_t guard)
{
	const uint64_t pages = len / PAGE_SIZE;

	for (paddr_t pa = ALIGN_UP(FIRST, align); pa + len <= FIRST + PAGES * PAGE_SIZE; pa += align) {
		const size_t at = (pa - FIRST) / PAGE_SIZE;
		bool fits = at >= guard && at + pages + guard <= PAGES;

		for (size_t i = at - guard; fits && i < at + pages + guard; i++)
			fits = owner[i] == FREE;
		if (fits)
			return pa;
	}
	return 0;
}

/* What keep's list of free extents holds. */
static uint64_t free_pages(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < nr_extents; i++)
		n += extents[i].len / PAGE_SIZE;
	return n;
}

static uint64_t model_free_pages(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < PAGES; i++)
		n += owner[i] == FREE;
	return n;
}

/* RAM with an uneven start and end, boot services in the middle, busy ranges everywhere. */
static const struct mem_range map[] = {
	{ 0, KIB(640), MEM_CONVENTIONAL },
	{ MIB(15) + 0x800, MIB(9), MEM_CONVENTIONAL },		/* loses both part pages */
	{ MIB(25), MIB(2), MEM_BOOT_SERVICES },
	{ MIB(27) + KIB(64), MIB(1) - KIB(64), MEM_LOADER },	/* not touching: ranges stay apart */
	{ MIB(28), MIB(1), MEM_ACPI_RECLAIM },
	{ MIB(29), MIB(10), MEM_CONVENTIONAL },
	{ MIB(40), MIB(1), MEM_RESERVED },
	{ MIB(41), 0x7ff, MEM_CONVENTIONAL },			/* no whole page */
	{ SCRATCH, SCRATCH_BYTES, MEM_CONVENTIONAL },
};
static const struct keep_range busy[] = {
	{ SCRATCH, SCRATCH_BYTES },
	{ MIB(17), MIB(1) },				/* inside a range */
	{ MIB(17) + KIB(64), PAGE_SIZE },		/* inside one that is busy */
	{ MIB(24) - PAGE_SIZE, MIB(2) },		/* across two */
	{ MIB(30) + 0x234, 0x10 },			/* takes its whole page */
	{ MIB(29), PAGE_SIZE }, { MIB(39) - PAGE_SIZE, PAGE_SIZE },	/* first and last page */
	{ MIB(33), 0 },					/* an empty scratch area */
	{ MIB(60), MIB(1) },				/* no memory at all */
};

static void open_keep(bool all_ram)
{
	arena_reset(GIB(1), GIB(1) + MIB(1));
	scratch_init(SCRATCH, SCRATCH_BYTES);
	in_use = early_attempts = 0;
	model_in_use = 0;
	memset(owner, NOT_OURS, sizeof(owner));
	model_free_range(MIB(15) + PAGE_SIZE, MIB(9) - PAGE_SIZE, FREE);
	model_free_range(MIB(29), MIB(10), FREE);
	if (all_ram) {
		model_free_range(MIB(25), MIB(2), FREE);
		model_free_range(MIB(27) + KIB(64), MIB(1) - KIB(64), FREE);
	}
	model_free_range(MIB(17), MIB(1), NOT_OURS);
	model_free_range(MIB(24) - PAGE_SIZE, MIB(2), NOT_OURS);
	model_free_range(MIB(30), PAGE_SIZE, NOT_OURS);
	model_free_range(MIB(29), PAGE_SIZE, NOT_OURS);
	model_free_range(MIB(39) - PAGE_SIZE, PAGE_SIZE, NOT_OURS);
	assert_int_equal(keep_init(map, ARRAY_SIZE(map), all_ram, busy, ARRAY_SIZE(busy)), 0);
}

/* keep.takes_exactly_the_free_pages: page by page until nothing is left */
static void test_every_page(void **state)
{
	(void)state;
	for (int all_ram = 0; all_ram <= 1; all_ram++) {
		const paddr_t first = MIB(15) + PAGE_SIZE;
		paddr_t pa, last = 0;

		open_keep(all_ram);
		assert_int_equal(free_pages(), model_free_pages());
		memset(mem_ptr(first), 0xa5, PAGE_SIZE);
		while ((pa = keep_alloc_pages(0)) != 0) {
			assert_true(pa > last);		/* lowest first */
			last = pa;
			model_take(pa, 1);
			if (pa == first)
				for (size_t i = 0; i < PAGE_SIZE; i++)
					assert_int_equal(((uint8_t *)mem_ptr(pa))[i], 0);
		}
		assert_int_equal(model_free_pages(), 0);
		assert_int_equal(free_pages(), 0);
		assert_int_equal(keep_pages_in_use(), model_in_use);
		assert_int_equal(keep_alloc_guarded(PAGE_SIZE, PAGE_SIZE), 0);
	}
}

/* keep.random_against_model: same places, same counts, nothing twice, all of it back */
static void test_random(void **state)
{
	static struct { paddr_t pa; unsigned order; } held[512];
	size_t nr = 0;
	uint64_t seed = 0x243f6a8885a308d3, free_before;

	(void)state;
	open_keep(true);
	free_before = free_pages();
	for (unsigned step = 0; step < 6000; step++) {
		const unsigned order = (unsigned)(seed >> 40 & 0xff) % 7;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		if (nr < ARRAY_SIZE(held) && (seed >> 60 & 7) < 4 + (step / 1000 & 1)) {
			const paddr_t want = model_find(PAGE_SIZE << order, PAGE_SIZE << order, 0);
			const paddr_t pa = keep_alloc_pages(order);

			assert_int_equal(pa, want);
			if (!pa)
				continue;
			model_take(pa, 1ULL << order);
			held[nr].pa = pa;
			held[nr++].order = order;
		} else if (nr) {
			const size_t i = (size_t)(seed >> 32) % nr;

			keep_free_pages(held[i].pa, held[i].order);
			model_free_range(held[i].pa, PAGE_SIZE << held[i].order, FREE);
			model_in_use -= 1ULL << held[i].order;
			held[i] = held[--nr];
		}
		assert_int_equal(keep_pages_in_use(), model_in_use);
		if (step % 100 == 0)
			assert_int_equal(free_pages(), model_free_pages());
	}
	while (nr-- > 0)
		keep_free_pages(held[nr].pa, held[nr].order);
	assert_int_equal(keep_pages_in_use(), 0);
	assert_int_equal(free_pages(), free_before);
}

/* keep.merges_what_is_freed: the list of free extents is again the one it started with */
static void test_merge(void **state)
{
	static paddr_t pa[64];
	struct extent before[16];
	size_t nr;

	(void)state;
	open_keep(true);
	nr = nr_extents;
	assert_true(nr <= ARRAY_SIZE(before));
	memcpy(before, extents, nr * sizeof(*extents));
	for (size_t i = 0; i < ARRAY_SIZE(pa); i++)
		pa[i] = keep_alloc_pages(i % 3);
	for (size_t i = 0; i < ARRAY_SIZE(pa); i += 2)		/* holes, then what is between */
		keep_free_pages(pa[i], i % 3);
	assert_true(nr_extents > nr);
	for (size_t i = 1; i < ARRAY_SIZE(pa); i += 2)
		keep_free_pages(pa[i], i % 3);
	assert_int_equal(nr_extents, nr);
	assert_memory_equal(extents, before, nr * sizeof(*extents));
}

/* keep.guarded: a page on each side is the caller's as well, and left as it was */
static void test_guarded(void **state)
{
	static const struct { uint64_t len, align; } want[] = {
		{ PAGE_SIZE, PAGE_SIZE }, { MIB(2), MIB(2) }, { KIB(64), PAGE_SIZE },
		{ 3 * PAGE_SIZE, KIB(64) }, { MIB(1), MIB(1) }, { PAGE_SIZE, MIB(2) },
	};

	(void)state;
	open_keep(true);
	memset(mem_ptr(FIRST), 0xa5, MIB(24));
	for (unsigned round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
			const paddr_t place = model_find(want[i].len, want[i].align, 1);
			const paddr_t pa = keep_alloc_guarded(want[i].len, want[i].align);
			const uint8_t *p = mem_ptr(pa);

			assert_int_equal(pa, place);
			if (!pa)
				continue;
			model_take(pa - PAGE_SIZE, want[i].len / PAGE_SIZE + 2);
			assert_int_equal(p[-1], 0xa5);
			assert_int_equal(p[0], 0);
			assert_int_equal(p[want[i].len - 1], 0);
			assert_int_equal(p[want[i].len], 0xa5);
		}
	assert_int_equal(keep_pages_in_use(), model_in_use);
	assert_int_equal(free_pages(), model_free_pages());
}

/* keep.guarded_at_the_edges: a hole of exactly its size with guards, and one page less */
static void test_guarded_edges(void **state)
{
	const struct mem_range one[] = { { MIB(16), 6 * PAGE_SIZE, MEM_CONVENTIONAL } };

	(void)state;
	for (uint64_t pages = 3; pages <= 7; pages++) {
		arena_reset(GIB(1), GIB(1) + MIB(1));
		scratch_init(SCRATCH, SCRATCH_BYTES);
		assert_int_equal(keep_init(one, 1, true, NULL, 0), 0);
		assert_int_equal(keep_alloc_guarded(pages * PAGE_SIZE, PAGE_SIZE),
				 pages <= 4 ? MIB(16) + PAGE_SIZE : 0);
	}
}

/* keep.early_attempts_are_counted and get nothing (M4) */
static void test_early(void **state)
{
	(void)state;
	extents = NULL;
	nr_extents = 0;
	early_attempts = 0;
	assert_int_equal(keep_alloc_pages(0), 0);
	assert_int_equal(keep_alloc_pages(9), 0);
	assert_int_equal(keep_alloc_guarded(PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(keep_early_attempts(), 3);
	open_keep(false);
	assert_int_not_equal(keep_alloc_pages(0), 0);
	assert_int_equal(keep_early_attempts(), 0);
}

/* keep.no_room_for_its_list */
static void test_no_scratch(void **state)
{
	(void)state;
	arena_reset(GIB(1), GIB(1) + MIB(1));
	scratch_init(SCRATCH, PAGE_SIZE);
	assert_int_equal(keep_init(map, ARRAY_SIZE(map), true, busy, ARRAY_SIZE(busy)), -ENOMEM);
}

static void free_it(paddr_t pa, unsigned order)
{
	panic_expected = true;
	if (!setjmp(panicked)) {
		keep_free_pages(pa, order);
		panic_expected = false;
		fail_msg("freeing %llx again went through", (unsigned long long)pa);
	}
	panic_expected = false;
}

/* keep.freed_twice_is_a_panic, also when only a part was free */
static void test_double_free(void **state)
{
	paddr_t pa;

	(void)state;
	open_keep(true);
	pa = keep_alloc_pages(2);
	free_it(pa + PAGE_SIZE * 4, 0);		/* free, inside a larger extent */
	keep_free_pages(pa + PAGE_SIZE, 0);
	free_it(pa, 2);				/* its second page is free */
	free_it(pa + PAGE_SIZE, 0);
	assert_int_equal(keep_pages_in_use(), 3);
}

/* keep.a_full_list_loses_memory_but_never_hands_out_twice */
static void test_full_list(void **state)
{
	(void)state;
	open_keep(true);
	max_extents = nr_extents;	/* room for no further hole */
	for (unsigned i = 0; i < 200; i++) {
		const paddr_t pa = keep_alloc_guarded(PAGE_SIZE, KIB(64));

		if (!pa)
			break;
		model_take(pa - PAGE_SIZE, 3);
	}
	assert_true(free_pages() < model_free_pages());
	while (nr_extents) {
		const paddr_t pa = keep_alloc_pages(0);

		model_take(pa, 1);
	}
}

/* keep.generation_1000_uses_what_generation_1_used: the kernel before us preserved what we take
 * over; the same work leaves the same number of pages in use */
static void test_constant(void **state)
{
	uint64_t first_free = 0, first_used = 0;
	struct keep_range kept[4] = { { SCRATCH, SCRATCH_BYTES } };

	(void)state;
	arena_reset(GIB(1), GIB(1) + MIB(1));
	for (unsigned generation = 0; generation < 1000; generation++) {
		paddr_t tables, records, buffers = generation ? kept[1].base + PAGE_SIZE : 0;

		scratch_init(SCRATCH, SCRATCH_BYTES);
		in_use = 0;
		/* Streams and tables are carried; records of the kernel before us are let go. */
		assert_int_equal(keep_init(map, ARRAY_SIZE(map), generation > 0, kept,
					   generation ? 3 : 1), 0);
		if (!buffers) {
			buffers = keep_alloc_guarded(MIB(1), MIB(1));
			tables = keep_alloc_pages(4);
			assert_true(buffers && tables);
			kept[1] = (struct keep_range){ buffers - PAGE_SIZE, MIB(1) + 2 * PAGE_SIZE };
			kept[2] = (struct keep_range){ tables, KIB(64) };
		}
		records = keep_alloc_pages(4);
		assert_int_not_equal(records, 0);
		for (size_t i = 1; i < 3; i++)
			assert_false(ranges_overlap(records, KIB(64), kept[i].base, kept[i].len));
		if (generation == 1) {
			first_free = free_pages();
			first_used = keep_pages_in_use();
		} else if (generation > 1) {
			assert_int_equal(free_pages(), first_free);
			assert_int_equal(keep_pages_in_use(), first_used);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_every_page),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_guarded),
		cmocka_unit_test(test_guarded_edges),
		cmocka_unit_test(test_no_scratch),
		cmocka_unit_test(test_double_free),
		cmocka_unit_test(test_full_list),
		cmocka_unit_test(test_constant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
