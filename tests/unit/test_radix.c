/* The radix tree: keys, the greedy cut, the golden nodes, and every way a tree can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/radix.h"
#include "tests/fixtures/kho_golden.h"
#include "tests/fixtures/kho_limits.h"

static const struct kho_scratch no_scratch;
static const struct kho_scratch golden_scratch = {
	{ { GOLDEN_SCRATCH, GOLDEN_SCRATCH_BYTES } }, 1
};

/* --- Keys --- */

/* Linux 7.3's KHO */
static const struct {
	const char *name;
	unsigned order;
	paddr_t pa;
	uint64_t key;
	unsigned slot[6];	/* levels 5 to 1, then the leaf bit */
} keys[] = {
	{ "radix.key.4k_above_4g",   0,  0x123456000,  0x0010000000123456, { 2, 0, 0, 0, 0x24, 0x3456 } },
	{ "radix.key.2m_at_1g",      9,  0x40000000,   0x0000080000000200, { 0, 2, 0, 0, 0, 0x200 } },
	{ "radix.key.1g_at_1g",      18, 0x40000000,   0x0000000400000001, { 0, 0, 2, 0, 0, 1 } },
	{ "radix.key.4k_below_2g",   0,  0x7ffff000,   0x001000000007ffff, { 2, 0, 0, 0, 0x0f, 0x7fff } },
	{ "radix.key.8k_at_2m",      1,  0x200000,     0x0008000000000100, { 1, 0, 0, 0, 0, 0x100 } },
	{ "radix.key.4m_at_4m",      10, 0x400000,     0x0000040000000001, { 0, 1, 0, 0, 0, 1 } },
	{ "radix.key.2m_at_128g",    9,  0x2000000000, 0x0000080000010000, { 0, 2, 0, 0, 2, 0 } },
	{ "radix.key.first_page",    0,  0x0,          0x0010000000000000, { 2, 0, 0, 0, 0, 0 } },
	{ "radix.key.4k_at_1m",      0,  0x100000,     0x0010000000000100, { 2, 0, 0, 0, 0, 0x100 } },
	{ "radix.key.golden_fdt",    0,  0x08020000,   0x0010000000008020, { 2, 0, 0, 0, 1, 0x20 } },
	{ "radix.key.golden_region", 9,  0x08400000,   0x0000080000000042, { 0, 2, 0, 0, 0, 0x42 } },
	{ "radix.key.order_2",       2,  0,            0x0004000000000000, { 0, 256, 0, 0, 0, 0 } },
	{ "radix.key.order_3",       3,  0,            0x0002000000000000, { 0, 128, 0, 0, 0, 0 } },
	{ "radix.key.order_11",      11, 0,            0x0000020000000000, { 0, 0, 256, 0, 0, 0 } },
	{ "radix.key.order_18",      18, 0,            0x0000000400000000, { 0, 0, 2, 0, 0, 0 } },
	{ "radix.key.order_19",      19, 0,            0x0000000200000000, { 0, 0, 1, 0, 0, 0 } },
	{ "radix.key.order_20",      20, 0,            0x0000000100000000, { 0, 0, 0, 256, 0, 0 } },
	{ "radix.key.last_page",     0,  BIT64(52) - PAGE_SIZE, 0x001000ffffffffff,
	  { 2, 0, 127, 511, 511, 0x7fff } },
	{ "radix.key.all_memory",    40, 0,            0x0000000000001000, { 0, 0, 0, 0, 0, 0x1000 } },
};

static void test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const uint64_t key = keys[i].key;
		unsigned order;
		paddr_t pa;

		print_message("# %s\n", keys[i].name);
		assert_int_equal(kho_key(keys[i].pa, keys[i].order), key);
		for (unsigned level = 5; level; level--)
			assert_int_equal(kho_radix_slot(key, level), keys[i].slot[5 - level]);
		assert_int_equal(kho_radix_bit(key), keys[i].slot[5]);
		assert_int_equal(kho_key_decode(key, &pa, &order), 0);
		assert_int_equal(pa, keys[i].pa);
		assert_int_equal(order, keys[i].order);
	}
}

/* radix.key.low_bits_are_lost: order 11 at 4 MiB encodes address 0 */
static void test_key_loses_low_bits(void **state)
{
	(void)state;
	assert_int_equal(kho_key(0x400000, 11), kho_key(0, 11));
}

static const struct { const char *name; uint64_t key; } bad_keys[] = {
	{ "radix.key.zero",                    0 },
	{ "radix.key.54_bits",                 BIT64(53) },
	{ "radix.key.all_ones",                UINT64_MAX },
	{ "radix.key.order_52",                1 },
	{ "radix.key.order_41",                BIT64(11) },
	{ "radix.key.order_40_second",         BIT64(12) | 1 },
	{ "radix.key.order_0_above_52_bits",   BIT64(52) | BIT64(40) },
	{ "radix.key.order_0_last_of_64_bits", BIT64(53) - 1 },
	{ "radix.key.order_9_above_52_bits",   BIT64(43) | BIT64(31) },
};

static void test_bad_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_keys); i++) {
		paddr_t pa = 7;
		unsigned order = 7;

		print_message("# %s\n", bad_keys[i].name);
		assert_int_equal(kho_key_decode(bad_keys[i].key, &pa, &order), -EINVAL);
		assert_int_equal(pa, 7);
		assert_int_equal(order, 7);
	}
}

/* radix.key.round_trips_for_every_order */
static void test_every_order(void **state)
{
	(void)state;
	for (unsigned order = 0; order <= KHO_MAX_ORDER; order++) {
		const paddr_t last = KHO_ADDR_LIMIT - (PAGE_SIZE << order);
		unsigned got_order;
		paddr_t got;

		assert_int_equal(kho_key_decode(kho_key(last, order), &got, &got_order), 0);
		assert_int_equal(got, last);
		assert_int_equal(got_order, order);
	}
}

/* --- Writing --- */

static struct kho_radix fresh(const struct kho_scratch *scratch)
{
	struct kho_radix r;

	arena_reset(MIB(2), MIB(6));
	assert_int_equal(kho_radix_init(&r, scratch), 0);
	return r;
}

/* radix.golden_nodes_byte_for_byte */
static void test_golden_nodes(void **state)
{
	static uint8_t mine[GOLDEN_NR_NODES * PAGE_SIZE];
	struct kho_radix r;

	(void)state;
	arena_reset(GOLDEN_NODES, GOLDEN_FDT);
	assert_int_equal(kho_radix_init(&r, &golden_scratch), 0);
	for (unsigned i = 0; i < GOLDEN_SMALL_PAGES; i++)
		assert_int_equal(kho_preserve(&r, GOLDEN_FDT + i * PAGE_SIZE, 0), 0);
	assert_int_equal(kho_preserve(&r, GOLDEN_REGION, 9), 0);
	assert_int_equal(r.root, GOLDEN_NODES);
	assert_int_equal(r.nodes, GOLDEN_NR_NODES);
	assert_int_equal(r.entries, 12);
	assert_int_equal(r.pages, 11 + 512);
	memcpy(mine, mem_ptr(GOLDEN_NODES), sizeof(mine));
	golden_lay();
	assert_memory_equal(mine, mem_ptr(GOLDEN_NODES), sizeof(mine));
}

static const struct {
	const char *name;
	paddr_t pa;
	unsigned order;
} bad_chunks[] = {
	{ "radix.preserve.misaligned_page",     MIB(16) + 0x800, 0 },
	{ "radix.preserve.misaligned_order_1",  MIB(16) + PAGE_SIZE, 1 },
	{ "radix.preserve.misaligned_order_11", MIB(4), 11 },
	{ "radix.preserve.order_41",            0, 41 },
	{ "radix.preserve.order_64",            0, 64 },
	{ "radix.preserve.order_of_32_bits",    0, UINT32_MAX },
	{ "radix.preserve.address_0",           0, 0 },
	{ "radix.preserve.below_1m",            MIB(1) - PAGE_SIZE, 0 },
	{ "radix.preserve.53_bits",             BIT64(52), 0 },
	{ "radix.preserve.first_of_scratch",    GOLDEN_SCRATCH, 0 },
	{ "radix.preserve.last_of_scratch",     GOLDEN_SCRATCH + GOLDEN_SCRATCH_BYTES - PAGE_SIZE, 0 },
	{ "radix.preserve.around_scratch",      GOLDEN_SCRATCH, 18 },
};

static void test_bad_chunks(void **state)
{
	struct kho_radix r = fresh(&golden_scratch);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_chunks); i++) {
		print_message("# %s\n", bad_chunks[i].name);
		assert_int_equal(kho_preserve(&r, bad_chunks[i].pa, bad_chunks[i].order), -EINVAL);
		assert_int_equal(kho_unpreserve(&r, bad_chunks[i].pa, bad_chunks[i].order), -EINVAL);
	}
	assert_int_equal(r.nodes, 1);
	assert_int_equal(r.entries, 0);
}

/* radix.preserve.twice_is_refused_and_undone_once */
static void test_twice(void **state)
{
	struct kho_radix r = fresh(&no_scratch);

	(void)state;
	assert_int_equal(kho_unpreserve(&r, MIB(16), 0), -ENOENT);
	assert_int_equal(kho_preserve(&r, MIB(16), 0), 0);
	assert_int_equal(kho_preserve(&r, MIB(16), 0), -EEXIST);
	assert_int_equal(r.entries, 1);
	assert_int_equal(kho_unpreserve(&r, MIB(16) + PAGE_SIZE, 0), -ENOENT);
	assert_int_equal(kho_unpreserve(&r, MIB(16), 0), 0);
	assert_int_equal(kho_unpreserve(&r, MIB(16), 0), -ENOENT);
	assert_int_equal(r.entries, 0);
	assert_int_equal(r.pages, 0);
	assert_int_equal(r.nodes, 6);
}

/* radix.free_returns_every_node */
static void test_freed(void **state)
{
	struct kho_radix r = fresh(&no_scratch);

	(void)state;
	for (unsigned order = 0; order < 30; order++)
		assert_int_equal(kho_preserve(&r, MAX(PAGE_SIZE << order, MIB(1)), order), 0);
	assert_int_equal(arena_pages_in_use, r.nodes);
	assert_true(r.nodes > 60);
	kho_radix_free(&r);
	assert_int_equal(arena_pages_in_use, 0);
	assert_int_equal(r.root, 0);
}

/* radix.no_page_left: at each node of a path; nothing is entered */
static void test_no_memory(void **state)
{
	struct kho_radix r;

	(void)state;
	arena_reset(0, 0);
	assert_int_equal(kho_radix_init(&r, &no_scratch), -ENOMEM);
	for (unsigned pages = 1; pages < 6; pages++) {
		arena_reset(MIB(2), MIB(2) + pages * PAGE_SIZE);
		assert_int_equal(kho_radix_init(&r, &no_scratch), 0);
		assert_int_equal(kho_preserve(&r, MIB(16), 0), -ENOMEM);
		assert_int_equal(r.entries, 0);
		assert_int_equal(r.nodes, pages);
	}
}

/* --- Ranges --- */

struct chunk {
	paddr_t pa;
	unsigned order;
};

static const struct {
	const char *name;
	paddr_t pa;
	uint64_t pages;
	struct chunk want[8];
	size_t n;
} ranges[] = {
	{ "radix.range.six_pages_from_3", MIB(16) + 3 * PAGE_SIZE, 6,
	  { { MIB(16) + 0x3000, 0 }, { MIB(16) + 0x4000, 2 }, { MIB(16) + 0x8000, 0 } }, 3 },
	{ "radix.range.one_page", MIB(16), 1, { { MIB(16), 0 } }, 1 },
	{ "radix.range.three_pages", MIB(16), 3, { { MIB(16), 1 }, { MIB(16) + 0x2000, 0 } }, 2 },
	{ "radix.range.4m_is_not_a_limit", MIB(16), 4096, { { MIB(16), 12 } }, 1 },
	{ "radix.range.1g_is_one_key", GIB(1), 262144, { { GIB(1), 18 } }, 1 },
	{ "radix.range.across_1g", GIB(1) - 0x2000, 4,
	  { { GIB(1) - 0x2000, 1 }, { GIB(1), 1 } }, 2 },
	{ "radix.range.to_the_last_page", BIT64(52) - 0x3000, 3,
	  { { BIT64(52) - 0x3000, 0 }, { BIT64(52) - 0x2000, 1 } }, 2 },
};

static void test_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct kho_radix r = fresh(&no_scratch);

		print_message("# %s\n", ranges[i].name);
		assert_int_equal(kho_preserve_range(&r, ranges[i].pa, ranges[i].pages * PAGE_SIZE), 0);
		assert_int_equal(r.entries, ranges[i].n);
		assert_int_equal(r.pages, ranges[i].pages);
		for (size_t c = 0; c < ranges[i].n; c++)
			assert_int_equal(kho_unpreserve(&r, ranges[i].want[c].pa,
							ranges[i].want[c].order), 0);
		assert_int_equal(r.entries, 0);
	}
}

static const struct { const char *name; paddr_t pa; uint64_t len; } bad_ranges[] = {
	{ "radix.range.empty",              MIB(16), 0 },
	{ "radix.range.base_inside_a_page", MIB(16) + 1, PAGE_SIZE },
	{ "radix.range.len_inside_a_page",  MIB(16), PAGE_SIZE + 1 },
	{ "radix.range.wraps",              MIB(16), -PAGE_SIZE },
	{ "radix.range.all_64_bits",        PAGE_SIZE, -PAGE_SIZE },
	{ "radix.range.53_bits",            BIT64(52) - PAGE_SIZE, 2 * PAGE_SIZE },
	{ "radix.range.from_0",             0, MIB(2) },
	{ "radix.range.into_scratch",       GOLDEN_SCRATCH - 3 * PAGE_SIZE, 5 * PAGE_SIZE },
};

static void test_bad_ranges(void **state)
{
	struct kho_radix r = fresh(&golden_scratch);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_ranges); i++) {
		print_message("# %s\n", bad_ranges[i].name);
		assert_int_equal(kho_preserve_range(&r, bad_ranges[i].pa, bad_ranges[i].len), -EINVAL);
		assert_int_equal(r.entries, 0);
	}
}

/* radix.range.undone_when_a_chunk_exists */
static void test_range_undone(void **state)
{
	struct kho_radix r = fresh(&no_scratch);

	(void)state;
	assert_int_equal(kho_preserve(&r, MIB(16) + 0x8000, 0), 0);
	assert_int_equal(kho_preserve_range(&r, MIB(16) + 0x3000, 6 * PAGE_SIZE), -EEXIST);
	assert_int_equal(r.entries, 1);
	assert_int_equal(r.pages, 1);
	assert_int_equal(kho_unpreserve(&r, MIB(16) + 0x8000, 0), 0);
	assert_int_equal(kho_preserve_range(&r, MIB(16) + 0x3000, 6 * PAGE_SIZE), 0);
}

/* --- Reading --- */

static struct kho_map map;
static struct kho_refusal why;

static int read_back(paddr_t root, const struct kho_scratch *scratch)
{
	const struct kho_limits lim = test_limits();

	why = (struct kho_refusal){ .what = "", .fault = "" };
	return kho_radix_read(root, &lim, scratch, &map, &why);
}

/* radix.read.golden */
static void test_read_golden(void **state)
{
	(void)state;
	golden_lay();
	assert_int_equal(read_back(GOLDEN_NODES, &golden_scratch), 0);
	assert_int_equal(map.entries, 12);
	assert_int_equal(map.pages, 11 + 512);
	assert_int_equal(map.entries_of[0], 11);
	assert_int_equal(map.entries_of[9], 1);
	assert_int_equal(map.nr_nodes, GOLDEN_NR_NODES);
	for (unsigned i = 0; i < GOLDEN_NR_NODES; i++)
		assert_int_equal(map.nodes[i], GOLDEN_NODES + i * PAGE_SIZE);
	assert_int_equal(map.nr_extents, 2);
	assert_int_equal(map.extents[0].pa, GOLDEN_FDT);
	assert_int_equal(map.extents[0].count, 11);
	assert_int_equal(map.extents[0].order, 0);
	assert_int_equal(map.extents[1].pa, GOLDEN_REGION);
	assert_int_equal(map.extents[1].order, 9);
	assert_true(kho_map_covers(&map, GOLDEN_FDT, GOLDEN_SMALL_PAGES * PAGE_SIZE));
	assert_true(kho_map_covers(&map, GOLDEN_REGION, MIB(2)));
	assert_false(kho_map_overlaps(&map, GOLDEN_NODES, GOLDEN_NR_NODES * PAGE_SIZE));
}

/* radix.read.empty_tree and nodes that lead nowhere are legal: deletion never prunes */
static void test_read_empty(void **state)
{
	struct kho_radix r = fresh(&no_scratch);

	(void)state;
	assert_int_equal(read_back(r.root, &no_scratch), 0);
	assert_int_equal(map.nr_extents, 0);
	assert_int_equal(map.nr_nodes, 1);
	assert_int_equal(kho_preserve(&r, MIB(16), 3), 0);
	assert_int_equal(kho_unpreserve(&r, MIB(16), 3), 0);
	assert_int_equal(read_back(r.root, &no_scratch), 0);
	assert_int_equal(map.nr_extents, 0);
	assert_int_equal(map.entries, 0);
	assert_int_equal(map.nr_nodes, 6);
}

/* One word of the golden handoff changed. */
#define LEAF_0		0x08015000ULL
#define LEAF_9		0x0801a000ULL
#define LEAF_9_PARENT	0x08019000ULL
static const struct {
	const char *name;
	paddr_t at;
	uint64_t v;
	int err;
	const char *what, *fault;
} corruptions[] = {
	{ "radix.read.root_slot_3", GOLDEN_NODES + 3 * 8, 0x08011000,
	  -EBADMSG, "radix root", "uses a slot above 2" },
	{ "radix.read.root_slot_511", GOLDEN_NODES + 511 * 8, 1,
	  -EBADMSG, "radix root", "uses a slot above 2" },
	{ "radix.read.node_inside_a_page", 0x08011000, 0x08012008,
	  -EBADMSG, "radix node", "is not page aligned" },
	{ "radix.read.node_with_a_flag_bit", LEAF_9_PARENT, LEAF_9 | 1,
	  -EBADMSG, "radix node", "is not page aligned" },
	{ "radix.read.node_not_ram", 0x08011000, GIB(1),
	  -EBADMSG, "radix node", "is not RAM" },
	{ "radix.read.node_above_52_bits", 0x08011000, BIT64(63),
	  -EBADMSG, "radix node", "exceeds 52 address bits" },
	{ "radix.read.node_at_the_top", 0x08011000, -PAGE_SIZE,
	  -EBADMSG, "radix node", "exceeds 52 address bits" },
	{ "radix.read.node_below_1m", 0x08011000, 0x1000,
	  -EBADMSG, "radix node", "lies below 1 MiB" },
	{ "radix.read.node_in_scratch", 0x08011000, GOLDEN_SCRATCH,
	  -EBADMSG, "radix node", "lies in scratch" },
	{ "radix.read.leaf_in_scratch", LEAF_9_PARENT, GOLDEN_SCRATCH + MIB(1),
	  -EBADMSG, "radix node", "lies in scratch" },
	{ "radix.read.node_in_preserved_memory", LEAF_9_PARENT + 8, GOLDEN_REGION,
	  -EBADMSG, "radix node", "lies in preserved memory" },
	{ "radix.read.cycle_to_root", 0x08012000, GOLDEN_NODES,
	  -ELOOP, "radix node", "is its own ancestor" },
	{ "radix.read.cycle_to_parent", 0x08013000, 0x08012000,
	  -ELOOP, "radix node", "is its own ancestor" },
	{ "radix.read.cycle_to_itself", 0x08017000, 0x08017000,
	  -ELOOP, "radix node", "is its own ancestor" },
	{ "radix.read.leaf_is_its_parent", LEAF_9_PARENT, LEAF_9_PARENT,
	  -ELOOP, "radix node", "is its own ancestor" },
	{ "radix.read.another_leaf_that_is_empty", LEAF_9_PARENT + 8, 0x09000000, 0, "", "" },
	{ "radix.read.shared_leaf", LEAF_9_PARENT, LEAF_0,
	  -ELOOP, "radix node", "has two parents" },
	{ "radix.read.region_not_ram", LEAF_9 + 8 * 8, 1,
	  -EBADMSG, "preserved memory", "is not RAM" },
	{ "radix.read.region_at_0", LEAF_9, 1,
	  -EBADMSG, "preserved memory", "lies below 1 MiB" },
	{ "radix.read.region_in_scratch", LEAF_9 + 2 * 8, 1,
	  -EBADMSG, "preserved memory", "lies in scratch" },
	{ "radix.read.region_up_to_scratch", LEAF_9 + 8, 1ULL << 63 | 4, 0, "", "" },
	{ "radix.read.overlap_between_orders", LEAF_9 + 8, 3,
	  -EBADMSG, "preserved memory", "is entered twice" },
	{ "radix.read.page_before_region", LEAF_0 + 15 * 8, BIT64(63), 0, "", "" },
	{ "radix.read.first_page_of_region", LEAF_0 + 16 * 8, 1,
	  -EBADMSG, "preserved memory", "is entered twice" },
	{ "radix.read.last_page_of_region", LEAF_0 + 23 * 8, BIT64(63),
	  -EBADMSG, "preserved memory", "is entered twice" },
	{ "radix.read.page_behind_region", LEAF_0 + 24 * 8, 1, 0, "", "" },
	{ "radix.read.nodes_preserved", LEAF_0, 0x000007ff04000000,
	  -EBADMSG, "radix node", "lies in preserved memory" },
};

static void test_corruptions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(corruptions); i++) {
		print_message("# %s\n", corruptions[i].name);
		golden_lay();
		memcpy(mem_ptr(corruptions[i].at), &corruptions[i].v, 8);
		map.nr_nodes = 12345;
		assert_int_equal(read_back(GOLDEN_NODES, &golden_scratch), corruptions[i].err);
		assert_string_equal(why.what, corruptions[i].what);
		assert_string_equal(why.fault, corruptions[i].fault);
		if (corruptions[i].err)
			assert_int_equal(map.nr_nodes, 12345);
	}
}

/* The root itself at places where it must not be. */
static const struct { const char *name; paddr_t root; const char *fault; } roots[] = {
	{ "radix.read.root_0",          0,                "lies below 1 MiB" },
	{ "radix.read.root_misaligned", GOLDEN_NODES + 8, "is not page aligned" },
	{ "radix.read.root_not_ram",    BIT64(40),        "is not RAM" },
	{ "radix.read.root_in_scratch", GOLDEN_SCRATCH,   "lies in scratch" },
	{ "radix.read.root_is_a_leaf",  LEAF_0,           "is not RAM" },
};

static void test_roots(void **state)
{
	(void)state;
	golden_lay();
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		print_message("# %s\n", roots[i].name);
		assert_int_equal(read_back(roots[i].root, &golden_scratch), -EBADMSG);
		assert_string_equal(why.fault, roots[i].fault);
	}
}

/* A leaf by hand: one path of slots under a fresh root, and one bit. */
static paddr_t lay_path(const unsigned slot[6])
{
	paddr_t root, node;

	arena_reset(MIB(2), MIB(6));
	root = node = mem_alloc_pages(0);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t *p = (uint64_t *)mem_ptr(node) + slot[i];

		node = *p = mem_alloc_pages(0);
	}
	((uint64_t *)mem_ptr(node))[slot[5] / 64] |= BIT64(slot[5] % 64);
	return root;
}

static const struct { const char *name; unsigned slot[6]; } bad_bits[] = {
	{ "radix.read.bit_of_key_0",            { 0, 0, 0, 0, 0, 0 } },
	{ "radix.read.bit_of_order_52",         { 0, 0, 0, 0, 0, 1 } },
	{ "radix.read.bit_of_order_41",         { 0, 0, 0, 0, 0, 2048 } },
	{ "radix.read.bit_above_52_bits",       { 2, 0, 128, 0, 0, 0 } },
	{ "radix.read.order_1_above_52_bits",   { 1, 0, 64, 0, 0, 0 } },
	{ "radix.read.bit_at_the_end_of_slots", { 2, 511, 511, 511, 511, 32767 } },
};

static void test_bad_bits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_bits); i++) {
		const paddr_t root = lay_path(bad_bits[i].slot);

		print_message("# %s\n", bad_bits[i].name);
		assert_int_equal(read_back(root, &no_scratch), -EBADMSG);
		assert_string_equal(why.what, "radix leaf");
		assert_string_equal(why.fault, "has a bit that is no valid key");
	}
}

/* radix.read.run_that_leaves_the_address_space: its first bit is a valid key, its second is not */
static void test_run_off_the_end(void **state)
{
	const unsigned order_40[6] = { 0, 0, 0, 0, 0, 0x1000 };
	const paddr_t leaf = MIB(2) + 5 * PAGE_SIZE;
	paddr_t root = lay_path(order_40);

	(void)state;
	assert_int_equal(read_back(root, &no_scratch), -EBADMSG);
	assert_string_equal(why.fault, "lies below 1 MiB");
	((uint64_t *)mem_ptr(leaf))[0x1000 / 64] |= 2;
	assert_int_equal(read_back(root, &no_scratch), -EBADMSG);
	assert_string_equal(why.fault, "has a bit that is no valid key");
	assert_int_equal(why.at, leaf);
	assert_int_equal(why.value, 0x1000);
}

/* radix.read.work_memory_is_the_bound */
static void test_capacity(void **state)
{
	struct kho_limits lim = test_limits();

	(void)state;
	golden_lay();
	lim.max_nodes = GOLDEN_NR_NODES;
	lim.max_extents = 2;
	assert_int_equal(kho_radix_read(GOLDEN_NODES, &lim, &golden_scratch, &map, &why), 0);
	lim.max_nodes--;
	assert_int_equal(kho_radix_read(GOLDEN_NODES, &lim, &golden_scratch, &map, &why), -ENOSPC);
	assert_string_equal(why.fault, "has too many nodes");
	assert_int_equal(why.value, GOLDEN_NR_NODES - 1);
	lim.max_nodes++;
	lim.max_extents--;
	assert_int_equal(kho_radix_read(GOLDEN_NODES, &lim, &golden_scratch, &map, &why), -ENOSPC);
	assert_string_equal(why.fault, "has too many scattered entries");
}

/* radix.read.fan_out_ends: 2^36 paths through five shared nodes stop at the node limit */
static void test_fan_out(void **state)
{
	(void)state;
	arena_reset(MIB(2), MIB(6));
	for (unsigned i = 0; i < 5; i++) {
		uint64_t *node = mem_ptr(MIB(2) + i * PAGE_SIZE);

		for (unsigned s = 0; s < (i ? 512u : 3u); s++)
			node[s] = MIB(2) + (i + 1) * PAGE_SIZE;
	}
	assert_int_equal(read_back(MIB(2), &no_scratch), -ENOSPC);
	assert_string_equal(why.fault, "has too many nodes");
}

/* radix.read.excluded_memory */
static void test_excluded(void **state)
{
	static const struct { paddr_t at; const char *what; } cases[] = {
		{ GOLDEN_NODES + 3 * PAGE_SIZE, "radix node" },
		{ GOLDEN_FDT + 9 * PAGE_SIZE, "preserved memory" },
		{ GOLDEN_REGION + MIB(1), "preserved memory" },
	};

	(void)state;
	golden_lay();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kho_range used = { cases[i].at, 1 };
		struct kho_limits lim = test_limits();

		lim.exclude = &used;
		lim.nr_exclude = 1;
		assert_int_equal(kho_radix_read(GOLDEN_NODES, &lim, &golden_scratch, &map, &why),
				 -EBADMSG);
		assert_string_equal(why.what, cases[i].what);
		assert_string_equal(why.fault, "lies in memory in use");
	}
}

/* radix.read.every_bit_of_every_used_word: refused, or a map that keeps its promises */
static void check_promises(void)
{
	for (size_t i = 0; i < map.nr_extents; i++) {
		const struct kho_extent *e = &map.extents[i];

		assert_true(e->pa >= MIB(1) && test_is_ram(NULL, e->pa, kho_extent_len(e)));
		assert_false(kho_scratch_overlaps(&golden_scratch, e->pa, kho_extent_len(e)));
		assert_true(!i || e[-1].pa + kho_extent_len(&e[-1]) <= e->pa);
		assert_true(kho_map_covers(&map, e->pa, kho_extent_len(e)));
	}
	for (size_t i = 0; i < map.nr_nodes; i++) {
		assert_false(kho_map_overlaps(&map, map.nodes[i], PAGE_SIZE));
		assert_false(kho_scratch_overlaps(&golden_scratch, map.nodes[i], PAGE_SIZE));
		assert_true(!i || map.nodes[i - 1] < map.nodes[i]);
	}
}

static void test_flips(void **state)
{
	unsigned accepted = 0, refused = 0;

	(void)state;
	golden_lay();
	for (size_t i = 0; i < ARRAY_SIZE(golden_words); i++) {
		const paddr_t at = golden_words[i].at;

		if (at < GOLDEN_NODES || at >= GOLDEN_FDT)
			continue;
		for (unsigned bit = 0; bit < 64; bit++) {
			*(uint64_t *)mem_ptr(at) ^= BIT64(bit);
			if (read_back(GOLDEN_NODES, &golden_scratch)) {
				refused++;
				assert_true(why.fault[0]);
			} else {
				accepted++;
				check_promises();
			}
			*(uint64_t *)mem_ptr(at) ^= BIT64(bit);
		}
	}
	print_message("# %u accepted, %u refused\n", accepted, refused);
	assert_true(accepted && refused);
}

/* radix.random_ranges_round_trip: against one flag per page */
#define PAGES	2048
static void test_random(void **state)
{
	static bool set[PAGES];
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct kho_radix r = fresh(&no_scratch);
		uint64_t pages = 0;

		memset(set, 0, sizeof(set));
		for (size_t p = 0; p < PAGES;) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			const size_t len = MIN((seed >> 33) % (round + 1) + 1, PAGES - p);

			if (seed >> 63) {
				assert_int_equal(kho_preserve_range(&r, MIB(16) + p * PAGE_SIZE,
								    len * PAGE_SIZE), 0);
				memset(set + p, 1, len);
				pages += len;
			}
			p += len;
		}
		assert_int_equal(read_back(r.root, &no_scratch), 0);
		assert_int_equal(map.entries, r.entries);
		assert_int_equal(map.pages, pages);
		assert_int_equal(r.pages, pages);
		assert_int_equal(map.nr_nodes, r.nodes);
		for (size_t p = 0; p < PAGES; p++)
			assert_int_equal(kho_map_covers(&map, MIB(16) + p * PAGE_SIZE, PAGE_SIZE),
					 set[p]);
	}
}

/* radix.read.run_lengths: words that are full, half full and striped join into the right runs */
static void test_runs(void **state)
{
	struct kho_radix r = fresh(&no_scratch);

	(void)state;
	/* 32768 pages from 16 MiB: the run leaves one leaf and goes on in the next. */
	for (unsigned p = 0; p < 32768; p++)
		assert_int_equal(kho_preserve(&r, MIB(16) + p * PAGE_SIZE, 0), 0);
	assert_int_equal(read_back(r.root, &no_scratch), 0);
	assert_int_equal(map.nr_extents, 1);
	assert_int_equal(map.extents[0].count, 32768);
	assert_int_equal(map.nr_nodes, 7);
	for (unsigned p = 0; p < 128; p += 2)
		assert_int_equal(kho_unpreserve(&r, MIB(16) + p * PAGE_SIZE, 0), 0);
	assert_int_equal(read_back(r.root, &no_scratch), 0);
	assert_int_equal(map.nr_extents, 64);
	assert_int_equal(map.extents[0].count, 1);
	assert_int_equal(map.extents[0].pa, MIB(16) + PAGE_SIZE);
	assert_int_equal(map.extents[63].count, 32768 - 127);
	assert_int_equal(map.entries_of[0], 32768 - 64);
}

/* radix.read.orders_stay_apart: chunks that touch are one range, but two extents */
static void test_orders_apart(void **state)
{
	struct kho_radix r = fresh(&no_scratch);

	(void)state;
	assert_int_equal(kho_preserve_range(&r, MIB(16), 3 * PAGE_SIZE), 0);
	assert_int_equal(read_back(r.root, &no_scratch), 0);
	assert_int_equal(map.nr_extents, 2);
	assert_int_equal(map.extents[0].order, 1);
	assert_int_equal(map.extents[1].order, 0);
	assert_int_equal(map.pages, 3);
	assert_int_equal(map.nr_ranges, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_key_loses_low_bits),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_golden_nodes),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_freed),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_range_undone),
		cmocka_unit_test(test_read_golden),
		cmocka_unit_test(test_read_empty),
		cmocka_unit_test(test_corruptions),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_bad_bits),
		cmocka_unit_test(test_run_off_the_end),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_fan_out),
		cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_orders_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
