/* A whole handoff: the golden one, each part of it wrong in turn, and random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/metadata.h"
#include "kho/read.h"
#include "kho/setup_data.h"
#include "tests/fixtures/kho_golden.h"
#include "tests/fixtures/kho_limits.h"

static struct kho_handoff h;
static struct kho_refusal why;

/* From the setup_data node on, as the incoming kernel does. */
static int read_handoff(const struct kho_limits *lim)
{
	struct kho_data data;

	why = (struct kho_refusal){ .what = "", .fault = "" };
	assert_int_equal(kho_setup_data_read(span_of(mem_ptr(GOLDEN_SETUP_NODE + 16), 32), &data,
					     &why), 0);
	return kho_read(&data, lim, &h, &why);
}

static int read_golden(void)
{
	const struct kho_limits lim = test_limits();

	return read_handoff(&lim);
}

/* read.golden: Linux 7.3's KHO */
static void test_golden(void **state)
{
	const struct kho_subnode *n;
	struct kho_metadata m;

	(void)state;
	golden_lay();
	assert_int_equal(read_golden(), 0);
	assert_int_equal(h.map.entries, 12);
	assert_int_equal(h.map.entries_of[0], 11);
	assert_int_equal(h.map.entries_of[9], 1);
	assert_int_equal(h.map.pages * PAGE_SIZE, 11 * KIB(4) + MIB(2));
	assert_int_equal(h.map.nr_nodes, GOLDEN_NR_NODES);
	assert_int_equal(h.scratch.nr, 1);
	assert_int_equal(h.scratch.entry[0].addr, GOLDEN_SCRATCH);
	assert_int_equal(h.scratch.entry[0].size, GOLDEN_SCRATCH_BYTES);
	assert_int_equal(h.tree.nr, 3);
	assert_string_equal(h.tree.node[0].name, "memblock");
	assert_string_equal(h.tree.node[1].name, "LUO");
	n = kho_tree_find(&h.tree, "kexec-metadata");
	assert_int_equal(kho_metadata_read(kho_subnode_blob(n), &m, &why), 0);
	assert_string_equal(m.previous_release, "golden-1.0");
	assert_int_equal(m.kexec_count, 1);
	n = kho_tree_find(&h.tree, "memblock");
	assert_memory_equal(kho_subnode_blob(n).p, golden_memblock_fdt, n->size);
	assert_true(kho_map_covers(&h.map, GOLDEN_REGION, MIB(2)));
	assert_false(kho_map_overlaps(&h.map, GOLDEN_SCRATCH, GOLDEN_SCRATCH_BYTES));
}

/* read.array_inside_scratch, with empty areas: as Linux sends it */
static void test_linux_array(void **state)
{
	static const struct kho_scratch_entry array[] = {
		{ GOLDEN_SCRATCH, MIB(64) }, { MIB(400), 0 }, { MIB(512), MIB(192) },
	};

	(void)state;
	golden_lay();
	memcpy(mem_ptr(MIB(512) + KIB(64)), array, sizeof(array));
	*(uint64_t *)mem_ptr(GOLDEN_SETUP_NODE + 32) = MIB(512) + KIB(64);
	*(uint64_t *)mem_ptr(GOLDEN_SETUP_NODE + 40) = sizeof(array);
	assert_int_equal(read_golden(), 0);
	assert_int_equal(h.scratch.nr, 3);
	assert_int_equal(h.scratch.entry[1].addr, MIB(400));
}

/* One 8-byte word of the golden handoff changed; offsets into the root FDT as in its dump. */
#define FDT_PA		(GOLDEN_SETUP_NODE + 16)
#define FDT_SIZE	(GOLDEN_SETUP_NODE + 24)
#define SCRATCH_PA	(GOLDEN_SETUP_NODE + 32)
#define SCRATCH_SIZE	(GOLDEN_SETUP_NODE + 40)
#define MAP_VALUE	(GOLDEN_FDT + 0x60)
#define MEMBLOCK_SIZE	(GOLDEN_FDT + 0x84)
#define MEMBLOCK_DATA	(GOLDEN_FDT + 0x98)
#define LUO_SIZE	(GOLDEN_FDT + 0xb8)
#define LUO_DATA	(GOLDEN_FDT + 0xcc)
#define METADATA_DATA	(GOLDEN_FDT + 0x110)
#define LEAF_0		0x08015000ULL
static const struct {
	const char *name;
	paddr_t at;
	uint64_t v;
	const char *what, *fault;	/* empty: accepted */
} cases[] = {
	{ "read.fdt_at_0", FDT_PA, 0, "root FDT", "lies below 1 MiB" },
	{ "read.fdt_inside_a_page", FDT_PA, GOLDEN_FDT + 8, "root FDT", "is not page aligned" },
	{ "read.fdt_not_ram", FDT_PA, GIB(3), "root FDT", "is not RAM" },
	{ "read.fdt_size_256k", FDT_SIZE, KIB(256), "", "" },
	{ "read.fdt_above_52_bits", FDT_PA, BIT64(52), "root FDT", "exceeds 52 address bits" },
	{ "read.fdt_in_scratch", FDT_PA, GOLDEN_SCRATCH + MIB(1), "root FDT", "lies in scratch" },
	{ "read.fdt_elsewhere", FDT_PA, MIB(32), "root FDT", "has no FDT magic" },
	{ "read.fdt_size_0", FDT_SIZE, 0, "root FDT", "is empty" },
	{ "read.fdt_size_over_256k", FDT_SIZE, KIB(256) + 1, "root FDT", "has too large a buffer" },
	{ "read.fdt_size_of_64_bits", FDT_SIZE, UINT64_MAX, "root FDT", "has too large a buffer" },
	{ "read.fdt_size_below_totalsize", FDT_SIZE, 344, "root FDT", "is larger than its buffer" },
	{ "read.fdt_size_is_totalsize", FDT_SIZE, 345, "", "" },
	{ "read.array_at_0", SCRATCH_PA, 0, "scratch array", "lies below 1 MiB" },
	{ "read.array_not_ram", SCRATCH_PA, BIT64(50), "scratch array", "is not RAM" },
	{ "read.array_wraps", SCRATCH_PA, -16ULL, "scratch array", "exceeds 52 address bits" },
	{ "read.array_all_zero", SCRATCH_PA, MIB(32), "scratch array", "has no non-empty area" },
	{ "read.array_size_0", SCRATCH_SIZE, 0, "scratch array", "is empty" },
	{ "read.array_size_15", SCRATCH_SIZE, 15, "scratch array", "has no non-empty area" },
	{ "read.array_size_16m", SCRATCH_SIZE, MIB(16), "scratch array", "has too many entries" },
	{ "read.array_size_of_64_bits", SCRATCH_SIZE, UINT64_MAX,
	  "scratch array", "exceeds 52 address bits" },
	{ "read.array_in_preserved_memory", LEAF_0, 0x000007ff00000001,
	  "scratch array", "lies in preserved memory" },
	{ "read.area_over_the_tree", GOLDEN_ARRAY, MIB(128), "root FDT", "lies in scratch" },
	{ "read.area_not_ram", GOLDEN_ARRAY, GIB(1), "scratch area", "is not RAM" },
	{ "read.map_at_0", MAP_VALUE, 0,
	  "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "read.map_in_scratch", MAP_VALUE, GOLDEN_SCRATCH, "radix node", "lies in scratch" },
	{ "read.map_to_nothing", MAP_VALUE, MIB(32), "root FDT", "is not preserved" },
	{ "read.fdt_not_preserved", LEAF_0, 0x000007fe00000000, "root FDT", "is not preserved" },
	{ "read.luo_page_not_preserved", LEAF_0, 0x000007fd00000000,
	  "blob of a sub-node", "is not preserved" },
	{ "read.metadata_page_not_preserved", LEAF_0, 0x000007fb00000000,
	  "blob of a sub-node", "is not preserved" },
	{ "read.memblock_page_not_preserved", LEAF_0, 0x000007f700000000,
	  "blob of a sub-node", "is not preserved" },
	{ "read.blob_behind_preserved_memory", LUO_DATA, GOLDEN_END,
	  "blob of a sub-node", "is not preserved" },
	{ "read.blob_in_scratch", LUO_DATA, GOLDEN_SCRATCH,
	  "blob of a sub-node", "is not preserved" },
	{ "read.blob_not_ram", LUO_DATA, BIT64(51), "blob of a sub-node", "is not preserved" },
	{ "read.blob_wraps", LUO_SIZE, UINT64_MAX, "blob of a sub-node", "is not preserved" },
	{ "read.blob_at_the_top", LUO_DATA, UINT64_MAX, "blob of a sub-node", "is not preserved" },
	{ "read.blob_runs_out_of_its_range", LUO_SIZE, 10 * PAGE_SIZE + 1,
	  "blob of a sub-node", "is not preserved" },
	{ "read.blob_shares_the_root_fdt", LUO_DATA, GOLDEN_FDT + 512,
	  "blob of a sub-node", "shares a page with another" },
	{ "read.blob_shares_another", LUO_DATA, GOLDEN_MEMBLOCK + 1024,
	  "blob of a sub-node", "shares a page with another" },
	{ "read.blob_reaches_another", LUO_SIZE, 2 * PAGE_SIZE + 1,
	  "blob of a sub-node", "shares a page with another" },
	{ "read.blob_size_0", MEMBLOCK_SIZE, 0,
	  "sub-node", "has no blob-size of 8 bytes, not zero" },
	{ "read.blob_at_0", MEMBLOCK_DATA, 0,
	  "sub-node", "has no preserved-data of 8 bytes, not zero" },
	{ "read.blob_inside_its_page", MEMBLOCK_DATA, GOLDEN_MEMBLOCK + 64, "", "" },
	{ "read.blob_of_a_page", LUO_SIZE, PAGE_SIZE, "", "" },
	{ "read.blob_in_the_region", LUO_DATA, GOLDEN_REGION + MIB(1), "", "" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		golden_lay();
		memcpy(mem_ptr(cases[i].at), &cases[i].v, 8);
		assert_int_equal(read_golden(), cases[i].fault[0] ? -EBADMSG : 0);
		assert_string_equal(why.what, cases[i].what);
		assert_string_equal(why.fault, cases[i].fault);
	}
}

/* read.fdt_buffer_across_the_end_of_ram */
static void test_end_of_ram(void **state)
{
	(void)state;
	golden_lay();
	*(uint64_t *)mem_ptr(FDT_PA) = GIB(1) - PAGE_SIZE;
	*(uint64_t *)mem_ptr(FDT_SIZE) = PAGE_SIZE + 1;
	assert_int_equal(read_golden(), -EBADMSG);
	assert_string_equal(why.fault, "is not RAM");
	assert_int_equal(why.at, GIB(1) - PAGE_SIZE);
}

/* read.array_in_a_radix_node: an area whose words, as bits of a leaf, are keys of RAM pages */
static void test_array_in_node(void **state)
{
	const struct kho_scratch_entry e = { MIB(768), MIB(16) };

	(void)state;
	golden_lay();
	*(uint64_t *)mem_ptr(0x08014000 + 2 * 8) = MIB(160);	/* pages from 256 MiB on */
	memcpy(mem_ptr(MIB(160)), &e, sizeof(e));
	*(uint64_t *)mem_ptr(SCRATCH_PA) = MIB(160);
	assert_int_equal(read_golden(), -EBADMSG);
	assert_string_equal(why.what, "scratch array");
	assert_string_equal(why.fault, "lies in a radix node");
}

/* read.excluded: nothing may lie in what the incoming kernel uses */
static void test_excluded(void **state)
{
	static const struct { paddr_t at; const char *what; } used[] = {
		{ GOLDEN_ARRAY, "scratch array" },
		{ GOLDEN_FDT + PAGE_SIZE - 1, "root FDT" },
		{ GOLDEN_NODES, "radix node" },
		{ GOLDEN_REGION, "preserved memory" },
	};

	(void)state;
	golden_lay();
	for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
		const struct kho_range r[] = { { GOLDEN_SCRATCH, MIB(1) }, { used[i].at, 1 } };
		struct kho_limits lim = test_limits();

		lim.exclude = r;
		lim.nr_exclude = 1;		/* the own window, in scratch: fine */
		assert_int_equal(read_handoff(&lim), 0);
		lim.nr_exclude = 2;
		assert_int_equal(read_handoff(&lim), -EBADMSG);
		assert_string_equal(why.what, used[i].what);
		assert_string_equal(why.fault, "lies in memory in use");
	}
}

/* read.nothing_is_written: reading leaves the whole handoff as it was */
static void test_read_only(void **state)
{
	static uint8_t before[GOLDEN_END - GOLDEN_ARRAY];

	(void)state;
	golden_lay();
	memcpy(before, mem_ptr(GOLDEN_ARRAY), sizeof(before));
	assert_int_equal(read_golden(), 0);
	assert_memory_equal(before, mem_ptr(GOLDEN_ARRAY), sizeof(before));
}

/* What kho_read() promises about anything it accepts. */
static void check_promises(void)
{
	for (size_t i = 0; i < h.tree.nr; i++) {
		assert_true(kho_map_covers(&h.map, h.tree.node[i].pa, h.tree.node[i].size));
		for (size_t j = 0; j < i; j++)
			assert_true(h.tree.node[i].pa / PAGE_SIZE != h.tree.node[j].pa / PAGE_SIZE);
	}
	for (size_t i = 0; i < h.map.nr_ranges; i++) {
		const struct kho_range *r = &h.map.ranges[i];

		assert_true(r->base >= MIB(1) && test_is_ram(NULL, r->base, r->len));
		assert_false(kho_scratch_overlaps(&h.scratch, r->base, r->len));
		assert_true(!i || r[-1].base + r[-1].len < r->base);
	}
	for (size_t i = 0; i < h.map.nr_nodes; i++)
		assert_false(kho_map_overlaps(&h.map, h.map.nodes[i], PAGE_SIZE));
}

/* read.random_damage: one to four bytes of the parts that are read */
static void test_random(void **state)
{
	static const struct { paddr_t at; uint64_t len; } parts[] = {
		{ GOLDEN_SETUP_NODE + 16, 32 }, { GOLDEN_ARRAY, 16 }, { GOLDEN_FDT, 345 },
		{ GOLDEN_NODES, GOLDEN_NR_NODES * PAGE_SIZE },
		{ GOLDEN_NODES, 8 }, { GOLDEN_NODES + 16, 8 }, { LEAF_0, 8 },
	};
	unsigned accepted = 0, refused = 0;
	uint64_t seed = 11;

	(void)state;
	golden_lay();
	for (int round = 0; round < 20000; round++) {
		struct { uint8_t *p, was; } undo[4];
		const unsigned n = 1 + round % 4;

		for (unsigned i = 0; i < n; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			const size_t part = (seed >> 32) % ARRAY_SIZE(parts);

			undo[i].p = mem_ptr(parts[part].at + (seed >> 40) % parts[part].len);
			undo[i].was = *undo[i].p;
			*undo[i].p = seed >> 33 & 1 ? 0 : seed >> 56;
		}
		if (read_golden()) {
			refused++;
			assert_true(why.fault[0]);
		} else {
			accepted++;
			check_promises();
		}
		for (unsigned i = n; i-- > 0;)
			*undo[i].p = undo[i].was;
	}
	print_message("# %u accepted, %u refused\n", accepted, refused);
	assert_true(accepted && refused);
	assert_int_equal(read_golden(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_linux_array),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_end_of_ram),
		cmocka_unit_test(test_array_in_node),
		cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
