/* Preserved ranges: merging, and questions at every edge against a slow look at each page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/map.h"

static const struct kho_extent extents[] = {
	{ 0x100000, 1, 0 }, { 0x101000, 1, 0 }, { 0x102000, 1, 1 },	/* four pages that touch */
	{ 0x200000, 2, 9 },
	{ 0x601000, 3, 0 },
};
static const struct kho_range merged[] = {
	{ 0x100000, 0x4000 }, { 0x200000, 0x400000 }, { 0x601000, 0x3000 },
};
static const paddr_t nodes[] = { 0x105000, 0x106000, 0x700000 };
static const struct kho_map map = {
	.ranges = merged, .nr_ranges = ARRAY_SIZE(merged),
	.nodes = nodes, .nr_nodes = ARRAY_SIZE(nodes),
};
static const struct kho_map empty;

/* map.merges_what_touches */
static void test_merge(void **state)
{
	struct kho_range out[ARRAY_SIZE(extents)];

	(void)state;
	assert_int_equal(kho_map_merge(extents, ARRAY_SIZE(extents), out), ARRAY_SIZE(merged));
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
		assert_int_equal(out[i].base, merged[i].base);
		assert_int_equal(out[i].len, merged[i].len);
	}
	assert_int_equal(kho_map_merge(extents, 0, out), 0);
}

static const struct {
	const char *name;
	paddr_t pa;
	uint64_t len;
	bool covers, overlaps, node;
} cases[] = {
	{ "map.below_all",               0x0ff000, 0x1000,   false, false, false },
	{ "map.last_byte_below",         0x0fffff, 1,        false, false, false },
	{ "map.first_byte",              0x100000, 1,        true,  true,  false },
	{ "map.whole_merged_range",      0x100000, 0x4000,   true,  true,  false },
	{ "map.one_byte_too_long",       0x100000, 0x4001,   false, true,  false },
	{ "map.one_byte_too_early",      0x0fffff, 2,        false, true,  false },
	{ "map.last_byte",               0x103fff, 1,        true,  true,  false },
	{ "map.behind_the_first",        0x104000, 1,        false, false, false },
	{ "map.gap_only",                0x104000, 0x1000,   false, false, false },
	{ "map.last_byte_before_node",   0x104fff, 1,        false, false, false },
	{ "map.across_the_gap",          0x103000, 0x100000, false, true,  true },
	{ "map.around_all",              0,        GIB(1),   false, true,  true },
	{ "map.order_9_chunks",          0x2ff000, 0x200000, true,  true,  false },
	{ "map.last_page_of_all",        0x603000, 0x1000,   true,  true,  false },
	{ "map.behind_all",              0x701000, 0x1000,   false, false, false },
	{ "map.first_byte_of_node",      0x105000, 1,        false, false, true },
	{ "map.last_byte_of_node",       0x106fff, 1,        false, false, true },
	{ "map.last_node",               0x6ff000, 0x1001,   false, false, true },
	{ "map.top_of_memory",           UINT64_MAX, 1,      false, false, false },
	{ "map.length_of_64_bits",       0x100000, UINT64_MAX - 0x100000, false, true, true },
};

static void test_questions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const paddr_t pa = cases[i].pa;
		const uint64_t len = cases[i].len;

		print_message("# %s\n", cases[i].name);
		assert_int_equal(kho_map_covers(&map, pa, len), cases[i].covers);
		assert_int_equal(kho_map_overlaps(&map, pa, len), cases[i].overlaps);
		assert_int_equal(kho_map_overlaps_node(&map, pa, len), cases[i].node);
		assert_false(kho_map_covers(&empty, pa, len));
		assert_false(kho_map_overlaps(&empty, pa, len));
		assert_false(kho_map_overlaps_node(&empty, pa, len));
	}
}

#define PAGES	64

/* map.agrees_with_page_by_page */
static void test_random(void **state)
{
	struct kho_range r[PAGES];
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 200; round++) {
		bool set[PAGES + 2] = { false };
		struct kho_extent e[PAGES];
		struct kho_map m = { .ranges = r };
		size_t n = 0;

		for (size_t p = 1; p < PAGES; p++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			set[p] = seed >> 63;
			if (set[p])
				e[n++] = (struct kho_extent){ p * PAGE_SIZE, 1, 0 };
		}
		m.nr_ranges = kho_map_merge(e, n, r);
		for (size_t first = 0; first < PAGES; first++)
			for (size_t count = 1; first + count <= PAGES; count++) {
				size_t hits = 0;

				for (size_t p = first; p < first + count; p++)
					hits += set[p];
				assert_int_equal(kho_map_covers(&m, first * PAGE_SIZE,
								count * PAGE_SIZE), hits == count);
				assert_int_equal(kho_map_overlaps(&m, first * PAGE_SIZE,
								  count * PAGE_SIZE), hits > 0);
			}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
