/* PASID directory and table of one source id: golden words, the live change, pages taken and given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "platform/mem.h"
#include "vtd/pasid.h"

#define DIR	MIB(1)			/* what a fresh arena hands out, in this order */
#define TABLE	(MIB(1) + 0x1000)

static uint64_t word(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

static const struct {
	const char *name;
	paddr_t table;
	uint16_t did;
	enum vtd_aw aw;
	bool snoop;
	uint64_t lo, hi;
} golden[] = {
	{ "pasid.3_level",	0x7f421000,	 0x0002, VTD_AW_39BIT, false, 0x7f421085, 0x0002 },
	{ "pasid.4_level",	0x7f421000,	 0x1234, VTD_AW_48BIT, false, 0x7f421089, 0x1234 },
	{ "pasid.5_level",	0x3fffffffff000, 0xffff, VTD_AW_57BIT, false, 0x3fffffffff08d, 0xffff },
	{ "pasid.snooped",	0x7f421000,	 0xffff, VTD_AW_39BIT, true, 0x7f421085, 0x80ffff },
	{ "pasid.low_bits_cut", 0x7f421fff,	 0x0005, VTD_AW_39BIT, false, 0x7f421085, 0x0005 },
};

static void test_golden_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		const struct vtd_pasid_entry e = vtd_pasid_entry(golden[i].table, golden[i].did,
								 golden[i].aw, golden[i].snoop);

		print_message("# %s\n", golden[i].name);
		assert_int_equal(e.qw[0], golden[i].lo);
		assert_int_equal(e.qw[1], golden[i].hi);
		for (unsigned k = 2; k < 8; k++)
			assert_int_equal(e.qw[k], 0);
	}
	assert_int_equal(sizeof(struct vtd_pasid_entry), 64);
	assert_int_equal(VTD_PASID_DIR_PASIDS, 32768);	/* 512 directory entries of 64 PASIDs */
	assert_int_equal(VTD_RID_PASID, 0);
}

/* The entry of the tests: second-stage table 5000h, 4 levels, DID 7. */
static struct vtd_pasid_entry first_entry(void)
{
	return vtd_pasid_entry(0x5000, 7, VTD_AW_48BIT, false);
}

static paddr_t fresh(bool coherent)
{
	arena_reset(MIB(1), MIB(4));
	return vtd_pasid_alloc(first_entry(), coherent);
}

static void test_alloc_and_free(void **state)
{
	(void)state;
	assert_int_equal(fresh(true), DIR);
	assert_int_equal(word(DIR), TABLE | 1);
	for (unsigned i = 1; i < 512; i++)
		assert_int_equal(word(DIR + 8 * i), 0);
	assert_int_equal(word(TABLE), 0x5089);
	assert_int_equal(word(TABLE + 8), 7);
	for (unsigned i = 2; i < 512; i++)
		assert_int_equal(word(TABLE + 8 * i), 0);
	assert_int_equal(arena_pages_in_use, 2);
	assert_int_equal(arena_flushed_bytes, 0);
	vtd_pasid_free(DIR);
	assert_int_equal(arena_pages_in_use, 0);

	assert_int_equal(fresh(false), DIR);
	assert_int_equal(arena_flushed_bytes, 2 * 4096);
	mem_write64(mem_ptr(DIR), TABLE);	/* no table: what stands there is not followed */
	vtd_pasid_free(DIR);
	assert_int_equal(arena_pages_in_use, 1);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned pages = 0; pages < 2; pages++) {
		arena_reset(MIB(1), MIB(1) + pages * PAGE_SIZE);
		assert_int_equal(vtd_pasid_alloc(first_entry(), true), 0);
		assert_int_equal(arena_pages_in_use, 0);
	}
}

static const struct {
	const char *name;
	uint64_t lo, hi;
	int err;
} replacements[] = {
	{ "replace.new_table_new_did",	0x6089, 8, 0 },
	{ "replace.same_table_new_did", 0x5089, 8, 0 },
	{ "replace.only_fpd",		0x508b, 7, 0 },
	{ "replace.only_snoop",		0x5089, 0x800007, 0 },
	{ "replace.table_keeps_did",	0x6089, 7, -EINVAL },
	{ "replace.width_keeps_did",	0x5085, 7, -EINVAL },
	{ "replace.type_keeps_did",	0x5109, 7, -EINVAL },
	{ "replace.snoop_is_no_did",	0x6089, 0x800007, -EINVAL },
	{ "replace.not_present",	0x6088, 8, -EINVAL },
};

static void test_replace(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(replacements); i++) {
		const struct vtd_pasid_entry now = { { replacements[i].lo, replacements[i].hi } };

		print_message("# %s\n", replacements[i].name);
		fresh(true);
		assert_int_equal(vtd_pasid_replace(DIR, now, true), replacements[i].err);
		assert_int_equal(word(TABLE), replacements[i].err ? 0x5089 : replacements[i].lo);
		assert_int_equal(word(TABLE + 8), replacements[i].err ? 7 : replacements[i].hi);
		assert_int_equal(arena_flushed_bytes, 0);
	}
	fresh(true);
	mem_write64(mem_ptr(TABLE), 0x5088);
	assert_int_equal(vtd_pasid_replace(DIR, first_entry(), true), -ENOENT);
	assert_int_equal(word(TABLE), 0x5088);
	mem_write64(mem_ptr(DIR), TABLE);
	assert_int_equal(vtd_pasid_replace(DIR, first_entry(), true), -ENOENT);
}

static void test_replace_flushes_the_entry(void **state)
{
	const struct vtd_pasid_entry now = vtd_pasid_entry(0x6000, 8, VTD_AW_48BIT, false);

	(void)state;
	fresh(false);
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_pasid_replace(DIR, now, false), 0);
	assert_in_range(arena_flushed_bytes, 16, 64);	/* all that changed, inside one line */
}

static void test_get(void **state)
{
	struct vtd_pasid_entry e;

	(void)state;
	fresh(true);
	mem_write64(mem_ptr(TABLE + 56), 0xabc);
	assert_int_equal(vtd_pasid_get(DIR, &e), 0);
	assert_int_equal(e.qw[0], 0x5089);
	assert_int_equal(e.qw[1], 7);
	assert_int_equal(e.qw[7], 0xabc);
	mem_write64(mem_ptr(TABLE), 0x5088);	/* as it stands, present or not */
	assert_int_equal(vtd_pasid_get(DIR, &e), 0);
	assert_int_equal(e.qw[0], 0x5088);
	mem_write64(mem_ptr(DIR), TABLE);
	assert_int_equal(vtd_pasid_get(DIR, &e), -ENOENT);
}

struct seen {
	paddr_t page[8];
	unsigned n, stop_at;
};

static int note(void *ctx, paddr_t page)
{
	struct seen *s = ctx;

	assert_true(s->n < ARRAY_SIZE(s->page));
	s->page[s->n++] = page;
	return s->n == s->stop_at ? 42 : 0;
}

/* Every entry of the directory counts, not only the one that we fill. */
static void test_each_table(void **state)
{
	struct seen s = { .n = 0 };

	(void)state;
	fresh(true);
	mem_write64(mem_ptr(DIR + 8 * 7), 0x9001);
	mem_write64(mem_ptr(DIR + 8 * 8), 0xa000);	/* not present */
	mem_write64(mem_ptr(DIR + 8 * 511), 0xb001);
	assert_int_equal(vtd_pasid_for_each_table(DIR, note, &s), 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.page[0], DIR);
	assert_int_equal(s.page[1], TABLE);
	assert_int_equal(s.page[2], 0x9000);
	assert_int_equal(s.page[3], 0xb000);
	for (unsigned at = 1; at <= 4; at++) {
		s = (struct seen){ .stop_at = at };
		assert_int_equal(vtd_pasid_for_each_table(DIR, note, &s), 42);
		assert_int_equal(s.n, at);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_words),
		cmocka_unit_test(test_alloc_and_free),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_flushes_the_entry),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_each_table),
	};

	return cmocka_run_group_tests_name("vtd PASID directory and table", tests, NULL, NULL);
}
