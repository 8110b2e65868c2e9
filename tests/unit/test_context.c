/* Root and context tables: golden words, the two-step removal, live replacement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "platform/mem.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"

#define RID	0x0318		/* 03:03.0 */

static paddr_t root;

static void fresh(void)
{
	arena_reset(MIB(1), MIB(4));
	root = vtd_root_alloc(true);
	assert_int_equal(root, MIB(1));
}

static uint64_t word(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

static const struct {
	const char *name;
	paddr_t table;
	uint16_t did;
	enum vtd_aw aw;
	uint64_t lo, hi;
} golden[] = {
	{ "context.3_level",        0x7f421000,      0x0002, VTD_AW_39BIT, 0x7f421001,      0x201 },
	{ "context.4_level",        0x7f421000,      0x1234, VTD_AW_48BIT, 0x7f421001,      0x123402 },
	{ "context.5_level",        0x3fffffffff000, 0xffff, VTD_AW_57BIT, 0x3fffffffff001, 0xffff03 },
	{ "context.low_bits_cut",   0x7f421fff,      0x0005, VTD_AW_39BIT, 0x7f421001,      0x501 },
};

static void test_golden_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		const struct vtd_context_entry e =
			vtd_context_entry(golden[i].table, golden[i].did, golden[i].aw);

		print_message("# %s\n", golden[i].name);
		assert_int_equal(e.lo, golden[i].lo);
		assert_int_equal(e.hi, golden[i].hi);
	}
	assert_int_equal(vtd_root_entry(0x12345000).lo, 0x12345001);
	assert_int_equal(vtd_root_entry(0x12345000).hi, 0);
	assert_int_equal(vtd_aw_of_levels(4), VTD_AW_48BIT);
	assert_int_equal(vtd_levels_of_aw(VTD_AW_57BIT), 5);
}

static void test_set_and_get(void **state)
{
	struct vtd_context_entry e;

	(void)state;
	fresh();
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), -ENOENT);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	/* Bus 3 in the root table, device 3 function 0 in the context table. */
	assert_int_equal(word(root + 3 * 16), (MIB(1) + 0x1000) | 1);
	assert_int_equal(word(root + 3 * 16 + 8), 0);
	assert_int_equal(word(MIB(1) + 0x1000 + 0x18 * 16), 0x5001);
	assert_int_equal(word(MIB(1) + 0x1000 + 0x18 * 16 + 8), 0x702);
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), 0);
	assert_int_equal(e.lo, 0x5001);
	assert_int_equal(e.hi, 0x702);
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID + 1, &e), 0);
	assert_int_equal(e.lo | e.hi, 0);
	/* A second device of the bus shares the table. */
	assert_int_equal(vtd_context_set(LEGACY(root, true), 0x03ff, vtd_context_entry(0x6000, 8, VTD_AW_48BIT)), 0);
	assert_int_equal(arena_pages_in_use, 2);
	assert_int_equal(arena_flushed_bytes, 0);
}

static void test_set_refusals(void **state)
{
	const struct vtd_context_entry good = vtd_context_entry(0x5000, 7, VTD_AW_48BIT);

	(void)state;
	fresh();
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, (struct vtd_context_entry){ 0x5000, 2 }), -EINVAL);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, good), 0);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, good), -EEXIST);
	arena_reset(MIB(1), MIB(1) + PAGE_SIZE);
	root = vtd_root_alloc(true);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, good), -ENOMEM);
	assert_int_equal(word(root + 3 * 16), 0);
	assert_int_equal(vtd_root_alloc(true), 0);
}

static void test_removal_in_two_steps(void **state)
{
	struct vtd_context_entry e;

	(void)state;
	fresh();
	assert_int_equal(vtd_context_clear_present(LEGACY(root, true), RID), -ENOENT);
	assert_int_equal(vtd_context_zero(LEGACY(root, true), RID), -ENOENT);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	assert_int_equal(vtd_context_zero(LEGACY(root, true), RID), -EBUSY);
	assert_int_equal(vtd_context_clear_present(LEGACY(root, true), RID), 0);
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), 0);
	assert_int_equal(e.lo, 0x5000);		/* all but P stays until the invalidation */
	assert_int_equal(e.hi, 0x702);
	assert_int_equal(vtd_context_clear_present(LEGACY(root, true), RID), -ENOENT);
	assert_int_equal(vtd_context_zero(LEGACY(root, true), RID), 0);
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), 0);
	assert_int_equal(e.lo | e.hi, 0);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
}

static const struct {
	const char *name;
	struct vtd_context_entry now;
	int err;
} replacements[] = {
	{ "replace.new_table_new_did",  { 0x6001, 0x802 }, 0 },
	{ "replace.same_table_new_did", { 0x5001, 0x802 }, 0 },
	{ "replace.only_fpd",           { 0x5003, 0x702 }, 0 },
	{ "replace.table_keeps_did",    { 0x6001, 0x702 }, -EINVAL },
	{ "replace.width_keeps_did",    { 0x5001, 0x701 }, -EINVAL },
	{ "replace.type_keeps_did",     { 0x5009, 0x702 }, -EINVAL },
	{ "replace.not_present",        { 0x6000, 0x802 }, -EINVAL },
};

static void test_replace(void **state)
{
	struct vtd_context_entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(replacements); i++) {
		print_message("# %s\n", replacements[i].name);
		fresh();
		assert_int_equal(vtd_context_replace(LEGACY(root, true), RID, (struct vtd_context_entry){ 0x6001, 0x802 }), -ENOENT);
		assert_int_equal(vtd_context_set(LEGACY(root, true), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
		assert_int_equal(vtd_context_replace(LEGACY(root, true), RID, replacements[i].now),
				 replacements[i].err);
		assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), 0);
		assert_int_equal(e.lo, replacements[i].err ? 0x5001 : replacements[i].now.lo);
		assert_int_equal(e.hi, replacements[i].err ? 0x702 : replacements[i].now.hi);
	}
}

static void test_fpd(void **state)
{
	struct vtd_context_entry e;

	(void)state;
	fresh();
	/* The table is added, so that there is an entry to say it in. */
	assert_int_equal(vtd_context_set_fpd(LEGACY(root, true), 0xff00, true), 0);
	assert_int_equal(vtd_context_get(LEGACY(root, true), 0xff00, &e), 0);
	assert_int_equal(e.lo, 2);
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	assert_int_equal(vtd_context_set_fpd(LEGACY(root, true), RID + 8, true), 0);	/* not present */
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID + 8, &e), 0);
	assert_int_equal(e.lo, 2);
	assert_int_equal(vtd_context_set_fpd(LEGACY(root, true), RID, true), 0);
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), 0);
	assert_int_equal(e.lo, 0x5003);
	assert_int_equal(vtd_context_set_fpd(LEGACY(root, true), RID, false), 0);
	assert_int_equal(vtd_context_get(LEGACY(root, true), RID, &e), 0);
	assert_int_equal(e.lo, 0x5001);
}

static int note_table(void *ctx, paddr_t table, int index)
{
	static const struct { paddr_t table; int index; } want[] = {
		{ MIB(1), -1 }, { MIB(1) + 0x2000, 0 }, { MIB(1) + 0x1000, 6 }, { MIB(1) + 0x3000, 510 },
	};
	unsigned *n = ctx;

	assert_in_range(*n, 0, 3);
	assert_int_equal(table, want[*n].table);
	assert_int_equal(index, want[*n].index);
	return ++*n == 4 ? 42 : 0;
}

static void test_root_entries(void **state)
{
	uint64_t tables[8];
	paddr_t table = 0;
	unsigned n = 0;

	(void)state;
	fresh();
	assert_int_equal(vtd_context_set(LEGACY(root, true), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	assert_int_equal(vtd_context_set(LEGACY(root, true), 0x0010, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	assert_int_equal(vtd_context_set(LEGACY(root, true), 0xffff, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	vtd_context_tables(LEGACY(root, true), tables);
	assert_int_equal(tables[0], 1 | 1 << 6);
	for (unsigned i = 1; i < 7; i++)
		assert_int_equal(tables[i], 0);
	assert_int_equal(tables[7], 1ULL << 62);
	assert_int_equal(vtd_context_for_each_table(LEGACY(root, true), note_table, &n), 42);
	assert_int_equal(n, 4);

	assert_int_equal(vtd_root_zero(LEGACY(root, true), 3 << 8, &table), -EBUSY);
	assert_int_equal(vtd_root_clear_present(LEGACY(root, true), 3 << 8), 0);
	assert_int_equal(vtd_root_clear_present(LEGACY(root, true), 3 << 8), -ENOENT);
	assert_int_equal(word(root + 3 * 16), MIB(1) + 0x1000);
	assert_int_equal(vtd_root_zero(LEGACY(root, true), 3 << 8, &table), 0);
	assert_int_equal(table, MIB(1) + 0x1000);
	assert_int_equal(word(root + 3 * 16), 0);
	assert_int_equal(vtd_root_zero(LEGACY(root, true), 3 << 8, &table), -ENOENT);
}

static void test_flushes_when_not_coherent(void **state)
{
	(void)state;
	arena_reset(MIB(1), MIB(4));
	root = vtd_root_alloc(false);
	assert_int_equal(arena_flushed_bytes, 4096);
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_context_set(LEGACY(root, false), RID, vtd_context_entry(0x5000, 7, VTD_AW_48BIT)), 0);
	assert_int_equal(arena_flushed_bytes, 4096 + 8 + 16);	/* table, root entry, context entry */
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_context_replace(LEGACY(root, false), RID, (struct vtd_context_entry){ 0x6001, 0x802 }), 0);
	assert_int_equal(arena_flushed_bytes, 16);
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_context_clear_present(LEGACY(root, false), RID), 0);
	assert_int_equal(arena_flushed_bytes, 8);
	assert_int_equal(vtd_context_set_fpd(LEGACY(root, false), RID, true), 0);
	assert_int_equal(arena_flushed_bytes, 16);
	assert_int_equal(vtd_context_zero(LEGACY(root, false), RID), 0);
	assert_int_equal(arena_flushed_bytes, 32);
	assert_int_equal(vtd_root_clear_present(LEGACY(root, false), 3 << 8), 0);
	assert_int_equal(arena_flushed_bytes, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_words),
		cmocka_unit_test(test_set_and_get),
		cmocka_unit_test(test_set_refusals),
		cmocka_unit_test(test_removal_in_two_steps),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_fpd),
		cmocka_unit_test(test_root_entries),
		cmocka_unit_test(test_flushes_when_not_coherent),
	};

	return cmocka_run_group_tests_name("vtd root and context", tests, NULL, NULL);
}
