/* Root and context tables of scalable mode: two tables to a bus, entries of 32 bytes.  What both modes
 * share is in test_context.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "platform/mem.h"
#include "vtd/context.h"

#define LOW	0x0318		/* 03:03.0, lower table of bus 3 */
#define HIGH	0x0398		/* 03:13.0, upper table */
#define ROOT	MIB(1)		/* what a fresh arena hands out, in this order */
#define TABLE_1	(MIB(1) + 0x1000)
#define TABLE_2	(MIB(1) + 0x2000)

static struct vtd_tables t;

static void fresh(bool coherent)
{
	arena_reset(MIB(1), MIB(4));
	t = (struct vtd_tables){
		.root = vtd_root_alloc(coherent), .ttm = VTD_TTM_SCALABLE, .coherent = coherent,
	};
	assert_int_equal(t.root, ROOT);
	arena_flushed_bytes = 0;
}

static uint64_t word(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

/* An entry that leads to the PASID directory at @dir. */
static int set(uint16_t rid, paddr_t dir)
{
	return vtd_context_set(&t, rid, vtd_scalable_context_entry(dir));
}

static const struct { uint16_t rid; unsigned legacy_index, index, legacy_offset, offset; } places[] = {
	{ 0x0000, 0,   0,   0x000, 0x000 },
	{ 0x007f, 0,   0,   0x7f0, 0xfe0 },
	{ 0x0080, 0,   1,   0x800, 0x000 },
	{ 0x00a8, 0,   1,   0xa80, 0x500 },
	{ 0x0318, 6,   6,   0x180, 0x300 },
	{ 0x0398, 6,   7,   0x980, 0x300 },
	{ 0xff7f, 510, 510, 0x7f0, 0xfe0 },
	{ 0xffff, 510, 511, 0xff0, 0xfe0 },
};

static void test_golden_words(void **state)
{
	(void)state;
	/* P, PDTS 2: a directory of 512 entries. */
	assert_int_equal(vtd_scalable_context_entry(0x7f421000).lo, 0x7f421401);
	assert_int_equal(vtd_scalable_context_entry(0x7f421fff).lo, 0x7f421401);
	assert_int_equal(vtd_scalable_context_entry(0x3fffffffff000).lo, 0x3fffffffff401);
	assert_int_equal(vtd_scalable_context_entry(0x3fffffffff000).hi, 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const uint16_t rid = places[i].rid;

		print_message("# %04x\n", rid);
		assert_int_equal(vtd_context_table_index(VTD_TTM_LEGACY, rid), places[i].legacy_index);
		assert_int_equal(vtd_context_table_index(VTD_TTM_SCALABLE, rid), places[i].index);
		assert_int_equal(vtd_context_offset(VTD_TTM_LEGACY, rid), places[i].legacy_offset);
		assert_int_equal(vtd_context_offset(VTD_TTM_SCALABLE, rid), places[i].offset);
	}
}

static void test_two_tables_to_a_bus(void **state)
{
	struct vtd_context_entry e;

	(void)state;
	fresh(true);
	assert_int_equal(vtd_context_get(&t, HIGH, &e), -ENOENT);
	assert_int_equal(set(HIGH, 0x5000), 0);
	assert_int_equal(word(ROOT + 3 * 16), 0);	/* the other half stands for itself */
	assert_int_equal(word(ROOT + 3 * 16 + 8), TABLE_1 | 1);
	assert_int_equal(vtd_context_get(&t, LOW, &e), -ENOENT);
	assert_int_equal(set(LOW, 0x6000), 0);
	assert_int_equal(word(ROOT + 3 * 16), TABLE_2 | 1);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5401);
	assert_int_equal(word(TABLE_2 + 0x18 * 32), 0x6401);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(word(TABLE_1 + 0x18 * 32 + 8 * i), 0);
	assert_int_equal(vtd_context_get(&t, HIGH, &e), 0);
	assert_int_equal(e.lo, 0x5401);
	assert_int_equal(e.hi, 0);

	/* Neighbours: 32 bytes on, and the last of the table. */
	assert_int_equal(set(HIGH + 1, 0x7000), 0);
	assert_int_equal(word(TABLE_1 + 0x19 * 32), 0x7401);
	assert_int_equal(set(0x03ff, 0x8000), 0);
	assert_int_equal(word(TABLE_1 + 0xfe0), 0x8401);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5401);
	assert_int_equal(arena_pages_in_use, 3);
	assert_int_equal(arena_flushed_bytes, 0);
}

static void test_refusals(void **state)
{
	(void)state;
	fresh(true);
	assert_int_equal(vtd_context_set(&t, LOW, (struct vtd_context_entry){ 0x5400, 0 }), -EINVAL);
	assert_int_equal(set(LOW, 0x5000), 0);
	assert_int_equal(set(LOW, 0x6000), -EEXIST);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5401);
	/* The PASID entry is what is replaced here. */
	assert_int_equal(vtd_context_replace(&t, LOW, vtd_scalable_context_entry(0x6000)), -EINVAL);
	assert_int_equal(vtd_context_replace(&t, LOW, (struct vtd_context_entry){ 0x6401, 0x802 }), -EINVAL);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5401);

	arena_reset(MIB(1), MIB(1) + PAGE_SIZE);
	t.root = vtd_root_alloc(true);
	assert_int_equal(set(HIGH, 0x5000), -ENOMEM);
	assert_int_equal(word(ROOT + 3 * 16 + 8), 0);
}

static void test_removal_in_two_steps(void **state)
{
	(void)state;
	fresh(true);
	assert_int_equal(vtd_context_clear_present(&t, HIGH), -ENOENT);
	assert_int_equal(set(HIGH, 0x5000), 0);
	assert_int_equal(set(HIGH + 1, 0x7000), 0);
	assert_int_equal(vtd_context_clear_present(&t, LOW), -ENOENT);
	assert_int_equal(vtd_context_zero(&t, HIGH), -EBUSY);
	assert_int_equal(vtd_context_clear_present(&t, HIGH), 0);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5400);	/* all but P stays for the invalidation */
	assert_int_equal(vtd_context_zero(&t, HIGH), 0);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0);
	assert_int_equal(word(TABLE_1 + 0x19 * 32), 0x7401);
	assert_int_equal(set(HIGH, 0x5000), 0);
}

static void test_fpd(void **state)
{
	(void)state;
	fresh(true);
	assert_int_equal(set(HIGH, 0x5000), 0);
	assert_int_equal(vtd_context_set_fpd(&t, LOW, true), 0);	/* adds its table, not its bus's */
	assert_int_equal(word(ROOT + 3 * 16), TABLE_2 | 1);
	assert_int_equal(word(TABLE_2 + 0x18 * 32), 2);
	assert_int_equal(vtd_context_set_fpd(&t, HIGH + 2, true), 0);	/* not present */
	assert_int_equal(word(TABLE_1 + 0x1a * 32), 2);
	assert_int_equal(vtd_context_set_fpd(&t, HIGH, true), 0);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5403);
	assert_int_equal(vtd_context_set_fpd(&t, HIGH, false), 0);
	assert_int_equal(word(TABLE_1 + 0x18 * 32), 0x5401);
}

struct seen {
	struct { paddr_t table; int index; } at[8];
	unsigned n, stop_at;
};

static int note(void *ctx, paddr_t table, int index)
{
	struct seen *s = ctx;

	assert_true(s->n < ARRAY_SIZE(s->at));
	s->at[s->n].table = table;
	s->at[s->n].index = index;
	return ++s->n == s->stop_at ? 42 : 0;
}

static void test_each_table(void **state)
{
	static const struct { paddr_t table; int index; } want[] = {
		{ ROOT, -1 }, { MIB(1) + 0x3000, 0 }, { MIB(1) + 0x2000, 6 }, { MIB(1) + 0x1000, 7 },
		{ MIB(1) + 0x4000, 511 },
	};
	struct seen s = { .stop_at = 0 };
	uint64_t tables[VTD_CONTEXT_TABLE_WORDS];

	(void)state;
	fresh(true);
	assert_int_equal(set(HIGH, 0x5000), 0);
	assert_int_equal(set(LOW, 0x5000), 0);
	assert_int_equal(set(0x0010, 0x5000), 0);
	assert_int_equal(set(0xff80, 0x5000), 0);
	vtd_context_tables(&t, tables);
	assert_int_equal(tables[0], 1 | 1 << 6 | 1 << 7);
	for (unsigned i = 1; i < 7; i++)
		assert_int_equal(tables[i], 0);
	assert_int_equal(tables[7], 1ULL << 63);
	assert_int_equal(vtd_context_for_each_table(&t, note, &s), 0);
	assert_int_equal(s.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(s.at[i].table, want[i].table);
		assert_int_equal(s.at[i].index, want[i].index);
	}
	for (unsigned at = 1; at <= ARRAY_SIZE(want); at++) {
		s = (struct seen){ .stop_at = at };
		assert_int_equal(vtd_context_for_each_table(&t, note, &s), 42);
		assert_int_equal(s.n, at);
	}
}

/* In legacy mode the upper word of a root entry leads nowhere, whatever stands in it. */
static void test_upper_words_of_legacy_mode(void **state)
{
	struct seen s = { .stop_at = 0 };
	uint64_t tables[VTD_CONTEXT_TABLE_WORDS];

	(void)state;
	fresh(true);
	assert_int_equal(set(HIGH, 0x5000), 0);
	t.ttm = VTD_TTM_LEGACY;
	vtd_context_tables(&t, tables);
	assert_int_equal(tables[0], 0);
	assert_int_equal(vtd_context_for_each_table(&t, note, &s), 0);
	assert_int_equal(s.n, 1);
}

/* Each half of a root entry is taken away by itself. */
static void test_root_entries(void **state)
{
	paddr_t table = 0;

	(void)state;
	fresh(true);
	assert_int_equal(set(HIGH, 0x5000), 0);
	assert_int_equal(set(LOW, 0x5000), 0);
	assert_int_equal(vtd_root_zero(&t, HIGH, &table), -EBUSY);
	assert_int_equal(vtd_root_clear_present(&t, 0x0380), 0);
	assert_int_equal(vtd_root_clear_present(&t, HIGH), -ENOENT);
	assert_int_equal(word(ROOT + 3 * 16 + 8), TABLE_1);
	assert_int_equal(word(ROOT + 3 * 16), TABLE_2 | 1);
	assert_int_equal(vtd_root_zero(&t, HIGH, &table), 0);
	assert_int_equal(table, TABLE_1);
	assert_int_equal(word(ROOT + 3 * 16 + 8), 0);
	assert_int_equal(word(ROOT + 3 * 16), TABLE_2 | 1);
	assert_int_equal(vtd_root_zero(&t, HIGH, &table), -ENOENT);
	assert_int_equal(vtd_root_zero(&t, LOW, &table), -EBUSY);
}

static void test_flushes_when_not_coherent(void **state)
{
	paddr_t table;

	(void)state;
	fresh(false);
	assert_int_equal(set(HIGH, 0x5000), 0);
	assert_int_equal(arena_flushed_bytes, 4096 + 8 + 32);	/* table, root entry, context entry */
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_context_clear_present(&t, HIGH), 0);
	assert_int_equal(arena_flushed_bytes, 8);
	assert_int_equal(vtd_context_set_fpd(&t, HIGH, true), 0);
	assert_int_equal(arena_flushed_bytes, 16);
	assert_int_equal(vtd_context_zero(&t, HIGH), 0);
	assert_int_equal(arena_flushed_bytes, 16 + 32);
	assert_int_equal(vtd_root_clear_present(&t, HIGH), 0);
	assert_int_equal(vtd_root_zero(&t, HIGH, &table), 0);
	assert_int_equal(arena_flushed_bytes, 16 + 32 + 16);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_words),
		cmocka_unit_test(test_two_tables_to_a_bus),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_removal_in_two_steps),
		cmocka_unit_test(test_fpd),
		cmocka_unit_test(test_each_table),
		cmocka_unit_test(test_upper_words_of_legacy_mode),
		cmocka_unit_test(test_root_entries),
		cmocka_unit_test(test_flushes_when_not_coherent),
	};

	return cmocka_run_group_tests_name("vtd root and context, scalable mode", tests, NULL, NULL);
}
