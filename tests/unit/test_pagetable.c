/* Second-stage tables: golden entries, each refusal, and random operations against a slow walker
 * with constants of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "platform/mem.h"
#include "vtd/pagetable.h"

#define RW	VTD_SS_RW
#define R	VTD_SS_R
#define W	VTD_SS_W

static struct vtd_ss ss;

static const struct vtd_ss_format all_sizes = {
	.levels = 4, .page_sizes = VTD_PG_4K | VTD_PG_2M | VTD_PG_1G, .addr_bits = 48, .haw = 46,
	.coherent = true,
};

static void fresh(const struct vtd_ss_format *fmt)
{
	arena_reset(MIB(1), MIB(64));
	assert_int_equal(vtd_ss_init(&ss, fmt), 0);
}

static struct vtd_ss_format format(unsigned levels, unsigned page_sizes, bool coherent)
{
	return (struct vtd_ss_format){
		.levels = levels, .page_sizes = page_sizes, .addr_bits = 12 + 9 * levels, .haw = 46,
		.coherent = coherent,
	};
}

/* ---- the slow walker: nothing from the library but the top pointer ------------------------- */

struct walked { bool mapped; uint64_t pa, perm, size; };

static struct walked slow_walk(paddr_t top, unsigned levels, uint64_t iova)
{
	uint64_t table = top, perm = 3;

	for (int level = (int)levels - 1; level >= 0; level--) {
		const int shift = 12 + 9 * level;
		uint64_t e;

		memcpy(&e, host_arena + table + 8 * ((iova >> shift) % 512), 8);
		perm &= e;
		if ((e & 3) == 0)
			return (struct walked){ 0 };
		if (level == 0 || (e & 0x80)) {
			const uint64_t base = e & 0x000ffffffffff000 & ~((1ULL << shift) - 1);

			return (struct walked){ true, base + iova % (1ULL << shift), perm,
						1ULL << shift };
		}
		table = e & 0x000ffffffffff000;
	}
	abort();
}

static void assert_lookup(iova_t iova, bool mapped, paddr_t pa, uint64_t perm, uint64_t size)
{
	const struct walked w = slow_walk(ss.top, ss.levels, iova);
	paddr_t got_pa = 1;
	uint64_t got_perm = 1, got_size = 1;
	int rc = vtd_ss_lookup(&ss, iova, &got_pa, &got_perm, &got_size);

	assert_int_equal(w.mapped, mapped);
	assert_int_equal(rc, mapped ? 0 : -ENOENT);
	if (!mapped)
		return;
	assert_int_equal(w.pa, pa);
	assert_int_equal(w.perm, perm);
	assert_int_equal(w.size, size);
	assert_int_equal(got_pa, pa);
	assert_int_equal(got_perm, perm);
	assert_int_equal(got_size, size);
}

/* ---- golden -------------------------------------------------------------------------------- */

static uint64_t word(paddr_t table, unsigned index)
{
	return mem_read64((const uint64_t *)mem_ptr(table) + index);
}

static void test_golden_entries(void **state)
{
	paddr_t pdpt, pd, pt;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, 0x8080604000, 0x12345000, 0x1000, R), 0);
	pdpt = word(ss.top, 1) & ~0xfffULL;
	pd = word(pdpt, 2) & ~0xfffULL;
	pt = word(pd, 3) & ~0xfffULL;
	assert_int_equal(word(ss.top, 1), pdpt | 3);
	assert_int_equal(word(pdpt, 2), pd | 3);
	assert_int_equal(word(pd, 3), pt | 3);
	assert_int_equal(word(pt, 4), 0x12345001);
	assert_int_equal(vtd_ss_map(&ss, 0x8080800000, 0x40200000, 0x200000, W), 0);
	assert_int_equal(word(pd, 4), 0x40200082);
	assert_int_equal(vtd_ss_map(&ss, 0x80c0000000, 0x140000000, 0x40000000, RW), 0);
	assert_int_equal(word(pdpt, 3), 0x140000083);
	assert_int_equal(ss.table_pages, 4);
}

static const struct {
	const char *name;
	unsigned page_sizes;
	iova_t iova;
	paddr_t pa;
	uint64_t len;
	uint64_t tables;		/* with the top */
	uint64_t first_size, last_size;
} sizes[] = {
	{ "map.4k_only",           VTD_PG_4K, 0, GIB(1), MIB(2), 4, 0x1000, 0x1000 },
	{ "map.2m_aligned",        VTD_PG_4K | VTD_PG_2M, 0, GIB(1), MIB(2), 3, MIB(2), MIB(2) },
	{ "map.2m_pa_unaligned",   VTD_PG_4K | VTD_PG_2M, 0, GIB(1) + 0x1000, MIB(2), 4, 0x1000, 0x1000 },
	{ "map.2m_iova_unaligned", VTD_PG_4K | VTD_PG_2M, 0x1000, GIB(1) + 0x1000, MIB(2), 5, 0x1000,
	  0x1000 },
	{ "map.head_then_2m",      VTD_PG_4K | VTD_PG_2M, MIB(2) - 0x1000, GIB(1) + MIB(2) - 0x1000,
	  MIB(2) + 0x1000, 4, 0x1000, MIB(2) },
	{ "map.2m_then_tail",      VTD_PG_4K | VTD_PG_2M, 0, GIB(1), MIB(2) + 0x1000, 4, MIB(2), 0x1000 },
	{ "map.1g_aligned",        VTD_PG_4K | VTD_PG_2M | VTD_PG_1G, GIB(4), GIB(1), GIB(1), 2, GIB(1), GIB(1) },
	{ "map.1g_without_1g",     VTD_PG_4K | VTD_PG_2M, GIB(4), GIB(1), GIB(1), 3, MIB(2), MIB(2) },
	{ "map.1g_without_2m",     VTD_PG_4K | VTD_PG_1G, GIB(4), GIB(1), GIB(1) + MIB(2), 4, GIB(1), 0x1000 },
};

static void test_largest_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const iova_t last = sizes[i].iova + sizes[i].len - 1;
		const struct vtd_ss_format fmt = format(4, sizes[i].page_sizes, true);

		print_message("# %s\n", sizes[i].name);
		fresh(&fmt);
		assert_int_equal(vtd_ss_map(&ss, sizes[i].iova, sizes[i].pa, sizes[i].len, RW), 0);
		assert_int_equal(ss.table_pages, sizes[i].tables);
		assert_int_equal(arena_pages_in_use, sizes[i].tables);
		assert_lookup(sizes[i].iova, true, sizes[i].pa, RW, sizes[i].first_size);
		assert_lookup(last, true, sizes[i].pa + sizes[i].len - 1, RW, sizes[i].last_size);
		assert_lookup(last + 1, false, 0, 0, 0);
		assert_int_equal(vtd_ss_unmap(&ss, sizes[i].iova, sizes[i].len), 0);
		assert_lookup(sizes[i].iova, false, 0, 0, 0);
		assert_lookup(last, false, 0, 0, 0);
	}
}

static void test_4k_pages_where_a_table_stands(void **state)
{
	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, MIB(2), GIB(1), 0x1000, RW), 0);
	assert_int_equal(vtd_ss_unmap(&ss, MIB(2), 0x1000), 0);
	/* The empty table cannot make way for a leaf without an invalidation. */
	assert_int_equal(vtd_ss_map(&ss, MIB(2), GIB(2), MIB(2), RW), 0);
	assert_lookup(MIB(2), true, GIB(2), RW, 0x1000);
	assert_lookup(MIB(4) - 1, true, GIB(2) + MIB(2) - 1, RW, 0x1000);
}

/* ---- refusals ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	iova_t iova;
	paddr_t pa;
	uint64_t len, perm;
	int err;
} refused[] = {
	{ "map.iova_unaligned",     0x800, 0x1000, 0x1000, RW, -EINVAL },
	{ "map.pa_unaligned",       0x1000, 0x1800, 0x1000, RW, -EINVAL },
	{ "map.len_unaligned",      0x1000, 0x1000, 0x1001, RW, -EINVAL },
	{ "map.len_zero",           0x1000, 0x1000, 0, RW, -EINVAL },
	{ "map.no_permission",      0x1000, 0x1000, 0x1000, 0, -EINVAL },
	{ "map.unknown_permission", 0x1000, 0x1000, 0x1000, 7, -EINVAL },
	{ "map.iova_at_the_width",  1ULL << 48, 0x1000, 0x1000, RW, -ERANGE },
	{ "map.iova_over_the_end",  (1ULL << 48) - 0x1000, 0x1000, 0x2000, RW, -ERANGE },
	{ "map.iova_wraps",         ~0xfffULL, 0x1000, 0x2000, RW, -ERANGE },
	{ "map.pa_at_haw",          0x1000, 1ULL << 46, 0x1000, RW, -ERANGE },
	{ "map.pa_over_haw",        0x1000, (1ULL << 46) - 0x1000, 0x2000, RW, -ERANGE },
	{ "map.interrupt_iova",     0xfee00000, 0x1000, 0x1000, RW, -EINVAL },
	{ "map.interrupt_iova_tail", 0xfedff000, 0x1000, 0x2000, RW, -EINVAL },
	{ "map.interrupt_pa",       0x1000, 0xfeeff000, 0x1000, RW, -EINVAL },
	{ "map.below_interrupts",   0xfedff000, 0xfedff000, 0x1000, RW, 0 },
	{ "map.above_interrupts",   0xfef00000, 0xfef00000, 0x1000, RW, 0 },
	{ "map.last_page",          (1ULL << 48) - 0x1000, (1ULL << 46) - 0x1000, 0x1000, RW, 0 },
};

static void test_map_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		print_message("# %s\n", refused[i].name);
		fresh(&all_sizes);
		assert_int_equal(vtd_ss_map(&ss, refused[i].iova, refused[i].pa, refused[i].len,
					    refused[i].perm), refused[i].err);
		assert_int_equal(ss.table_pages, refused[i].err ? 1 : 4);
	}
}

static void test_permissions_are_anded(void **state)
{
	uint64_t *top, perm, size;
	paddr_t pa;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, 0x1000, GIB(1), 0x1000, RW), 0);
	assert_int_equal(vtd_ss_map(&ss, 0x2000, GIB(1), 0x1000, W), 0);
	top = mem_ptr(ss.top);
	mem_write64(top, *top & ~W);
	assert_lookup(0x1000, true, GIB(1), R, 0x1000);
	/* What is left of R and W is nothing: hardware would fault. */
	assert_int_equal(vtd_ss_lookup(&ss, 0x2000, &pa, &perm, &size), -ENOENT);
}

static void test_lookup_beyond_width(void **state)
{
	paddr_t pa;
	uint64_t perm, size;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_lookup(&ss, 1ULL << 48, &pa, &perm, &size), -ERANGE);
	assert_int_equal(vtd_ss_unmap(&ss, (1ULL << 48) - 0x1000, 0x2000), -ERANGE);
	assert_int_equal(vtd_ss_unmap(&ss, 0x10, 0x1000), -EINVAL);
}

static int hash_page(void *ctx, paddr_t table, unsigned level)
{
	uint64_t *h = ctx;

	(void)level;
	for (unsigned i = 0; i < 512; i++)
		*h = (*h ^ word(table, i)) * 0x100000001b3;
	return 0;
}

static uint64_t hash_tables(void)
{
	uint64_t h = 0xcbf29ce484222325;

	assert_int_equal(vtd_ss_for_each_table(&ss, hash_page, &h), 0);
	return h;
}

static const struct { const char *name; iova_t iova; uint64_t len; } collisions[] = {
	{ "eexist.same",               GIB(1), 0x1000 },
	{ "eexist.last_of_many",       GIB(1) - MIB(4), MIB(4) + 0x1000 },
	{ "eexist.end_of_another_table", GIB(1) - MIB(4), MIB(4) + 0x3000 },
	{ "eexist.under_2m",           GIB(3) + 0x1000, 0x1000 },
	{ "eexist.over_2m",            GIB(3) - MIB(2), MIB(4) },
	{ "eexist.1g_over_4k",         GIB(1), GIB(1) },
	{ "eexist.tail_in_new_pdpt",   GIB(512) - GIB(1), GIB(1) + 0x1000 },
};

static void test_eexist_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(collisions); i++) {
		uint64_t pages, before;

		print_message("# %s\n", collisions[i].name);
		fresh(&all_sizes);
		assert_int_equal(vtd_ss_map(&ss, GIB(1), 0x5000000, 0x3000, R), 0);
		assert_int_equal(vtd_ss_map(&ss, GIB(3), GIB(1), MIB(2), RW), 0);
		assert_int_equal(vtd_ss_map(&ss, GIB(512), GIB(2), 0x1000, RW), 0);
		pages = ss.table_pages;
		before = hash_tables();
		assert_int_equal(vtd_ss_map(&ss, collisions[i].iova, GIB(8), collisions[i].len, RW),
				 -EEXIST);
		assert_int_equal(ss.table_pages, pages);
		assert_int_equal(hash_tables(), before);
	}
}

static const struct { const char *name; iova_t iova; uint64_t len; int err; } unmaps[] = {
	{ "unmap.nothing_there",     GIB(8), 0x1000, -ENOENT },
	{ "unmap.hole_in_the_middle", GIB(1), 0x4000, -ENOENT },
	{ "unmap.splits_2m_head",    GIB(3), 0x1000, -EINVAL },
	{ "unmap.splits_2m_tail",    GIB(3) + 0x1000, MIB(2) - 0x1000, -EINVAL },
	{ "unmap.beyond_2m",         GIB(3), MIB(4), -ENOENT },
	{ "unmap.whole_2m",          GIB(3), MIB(2), 0 },
	{ "unmap.one_of_many",       GIB(1) + 0x1000, 0x1000, 0 },
};

static void test_unmap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unmaps); i++) {
		uint64_t before;

		print_message("# %s\n", unmaps[i].name);
		fresh(&all_sizes);
		assert_int_equal(vtd_ss_map(&ss, GIB(1), 0x5000000, 0x3000, RW), 0);
		assert_int_equal(vtd_ss_map(&ss, GIB(3), GIB(1), MIB(2), RW), 0);
		before = hash_tables();
		assert_int_equal(vtd_ss_unmap(&ss, unmaps[i].iova, unmaps[i].len), unmaps[i].err);
		if (unmaps[i].err)
			assert_int_equal(hash_tables(), before);
		else
			assert_lookup(unmaps[i].iova, false, 0, 0, 0);
	}
	assert_lookup(GIB(1), true, 0x5000000, RW, 0x1000);
	assert_lookup(GIB(1) + 0x2000, true, 0x5002000, RW, 0x1000);
}

static const struct { const char *name; struct vtd_ss_format fmt; } formats[] = {
	{ "format.2_levels",      { .levels = 2, .page_sizes = VTD_PG_4K, .addr_bits = 30, .haw = 39 } },
	{ "format.6_levels",      { .levels = 6, .page_sizes = VTD_PG_4K, .addr_bits = 48, .haw = 39 } },
	{ "format.wider_than_table", { .levels = 3, .page_sizes = VTD_PG_4K, .addr_bits = 40, .haw = 39 } },
	{ "format.no_width",      { .levels = 3, .page_sizes = VTD_PG_4K, .addr_bits = 12, .haw = 39 } },
	{ "format.no_4k",         { .levels = 3, .page_sizes = VTD_PG_2M, .addr_bits = 39, .haw = 39 } },
	{ "format.unknown_size",  { .levels = 3, .page_sizes = VTD_PG_4K | 2, .addr_bits = 39, .haw = 39 } },
	{ "format.haw_0",         { .levels = 3, .page_sizes = VTD_PG_4K, .addr_bits = 39, .haw = 0 } },
	{ "format.haw_53",        { .levels = 3, .page_sizes = VTD_PG_4K, .addr_bits = 39, .haw = 53 } },
};

static void test_format_refusals(void **state)
{
	(void)state;
	arena_reset(MIB(1), MIB(2));
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		print_message("# %s\n", formats[i].name);
		assert_int_equal(vtd_ss_init(&ss, &formats[i].fmt), -EINVAL);
		assert_int_equal(vtd_ss_adopt(&ss, &formats[i].fmt, 0x1000, 1), -EINVAL);
	}
	assert_int_equal(vtd_ss_adopt(&ss, &all_sizes, 0, 1), -EINVAL);
	assert_int_equal(vtd_ss_adopt(&ss, &all_sizes, 0x1800, 1), -EINVAL);
	assert_int_equal(vtd_ss_adopt(&ss, &all_sizes, 0x1000, 0), -EINVAL);
	assert_int_equal(arena_pages_in_use, 0);
}

static void test_out_of_pages(void **state)
{
	(void)state;
	arena_reset(MIB(1), MIB(1));
	assert_int_equal(vtd_ss_init(&ss, &all_sizes), -ENOMEM);

	arena_reset(MIB(1), MIB(1) + 5 * PAGE_SIZE);
	assert_int_equal(vtd_ss_init(&ss, &all_sizes), 0);
	/* Needs a second level-1 table: the part before it stays mapped and is reachable. */
	assert_int_equal(vtd_ss_map(&ss, MIB(2) - 0x2000, GIB(1), MIB(4) + 0x1000, R), -ENOMEM);
	assert_lookup(MIB(2) - 0x1000, true, GIB(1) + 0x1000, R, 0x1000);
	assert_lookup(MIB(4) - 0x1000, true, GIB(1) + MIB(2) + 0x1000, R, 0x1000);
	assert_lookup(MIB(4), false, 0, 0, 0);
	assert_int_equal(vtd_ss_unmap(&ss, MIB(2) - 0x2000, MIB(2) + 0x2000), 0);
	vtd_ss_free(&ss);
	assert_int_equal(arena_pages_in_use, 0);
}

/* ---- table pages --------------------------------------------------------------------------- */

static int count_table(void *ctx, paddr_t table, unsigned level)
{
	unsigned *n = ctx;

	assert_true(IS_ALIGNED(table, PAGE_SIZE));
	n[level]++;
	return 0;
}

static void test_for_each_table(void **state)
{
	unsigned n[6] = { 0 };

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, 0x1000, GIB(1), 0x1000, RW), 0);
	assert_int_equal(vtd_ss_map(&ss, MIB(2), GIB(1), 0x1000, RW), 0);
	assert_int_equal(vtd_ss_map(&ss, GIB(600), GIB(1), MIB(2), RW), 0);
	assert_int_equal(vtd_ss_for_each_table(&ss, count_table, n), 0);
	assert_int_equal(n[4], 1);
	assert_int_equal(n[3], 2);
	assert_int_equal(n[2], 2);
	assert_int_equal(n[1], 2);
	assert_int_equal(ss.table_pages, 7);
	/* A table that leads back to itself ends the walk. */
	mem_write64((uint64_t *)mem_ptr(ss.top) + 7, ss.top | 3);
	assert_int_equal(vtd_ss_for_each_table(&ss, count_table, n), -ELOOP);
}

static int stop_at_2(void *ctx, paddr_t table, unsigned level)
{
	(void)table;
	(void)level;
	return ++*(unsigned *)ctx == 2 ? -EIO : 0;
}

static void test_walk_can_be_ended(void **state)
{
	unsigned n = 0;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, 0x1000, GIB(1), 0x1000, RW), 0);
	assert_int_equal(vtd_ss_for_each_table(&ss, stop_at_2, &n), -EIO);
	assert_int_equal(n, 2);
}

static int check_leaf(void *ctx, const struct vtd_ss_leaf_info *leaf)
{
	static const struct vtd_ss_leaf_info want[] = {
		{ 0x1000, 0x5000, 0x1000, R }, { MIB(2), GIB(1), MIB(2), RW }, { GIB(1), GIB(2), GIB(1), W },
	};
	unsigned *n = ctx;

	assert_in_range(*n, 0, 2);
	assert_memory_equal(leaf, &want[*n], sizeof(*leaf));
	++*n;
	return 0;
}

static void test_for_each_leaf(void **state)
{
	unsigned n = 0;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, GIB(1), GIB(2), GIB(1), W), 0);
	assert_int_equal(vtd_ss_map(&ss, MIB(2), GIB(1), MIB(2), RW), 0);
	assert_int_equal(vtd_ss_map(&ss, 0x1000, 0x5000, 0x1000, R), 0);
	assert_int_equal(vtd_ss_for_each_leaf(&ss, check_leaf, &n), 0);
	assert_int_equal(n, 3);
}

static void test_unlink_then_free(void **state)
{
	paddr_t pdpt;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, 0x1000, GIB(1), 0x1000, RW), 0);
	assert_int_equal(vtd_ss_map(&ss, GIB(1), GIB(1), MIB(4), RW), 0);
	assert_int_equal(vtd_ss_unmap(&ss, 0x1000, 0x1000), 0);
	assert_int_equal(ss.table_pages, 5);
	assert_int_equal(vtd_ss_unlink_tables(&ss, 0, MIB(2)), 2);
	/* Still owned, and what a stale walk finds in them is not present. */
	assert_int_equal(ss.table_pages, 5);
	assert_int_equal(arena_pages_in_use, 5);
	for (paddr_t t = ss.unlinked; t; t = word(t, 0))
		for (unsigned i = 0; i < 512; i++)
			assert_int_equal(word(t, i) & 3, 0);
	vtd_ss_free_tables(&ss);
	assert_int_equal(ss.table_pages, 3);
	assert_int_equal(arena_pages_in_use, 3);
	assert_lookup(GIB(1), true, GIB(1), RW, MIB(2));

	assert_int_equal(vtd_ss_unlink_tables(&ss, 0, 1ULL << 48), 0);
	assert_int_equal(vtd_ss_unmap(&ss, GIB(1), MIB(4)), 0);
	pdpt = word(ss.top, 0) & ~0xfffULL;
	assert_int_equal(vtd_ss_unlink_tables(&ss, GIB(1), MIB(4)), 2);
	assert_int_equal(ss.unlinked, pdpt);
	assert_int_equal(word(ss.top, 0), 0);
	vtd_ss_free(&ss);
	assert_int_equal(arena_pages_in_use, 0);
	assert_int_equal(ss.table_pages, 0);
}

static void test_flushes_when_not_coherent(void **state)
{
	struct vtd_ss_format fmt = format(3, VTD_PG_4K, false);

	(void)state;
	fresh(&fmt);
	assert_int_equal(arena_flushed_bytes, 4096);		/* the top */
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_ss_map(&ss, 0, GIB(1), 0x4000, RW), 0);
	assert_int_equal(arena_flushed_bytes, 2 * 4096 + 8);	/* two new tables, one old entry */
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_ss_map(&ss, 0x4000, GIB(1), 0x4000, RW), 0);
	/* The run once, and the parents' entries that led to it. */
	assert_int_equal(arena_flushed_bytes, 4 * 8 + 2 * 8);
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_ss_unmap(&ss, 0x1000, 0x2000), 0);
	assert_int_equal(arena_flushed_bytes, 2 * 8);

	fmt.coherent = true;
	fresh(&fmt);
	assert_int_equal(vtd_ss_map(&ss, 0, GIB(1), 0x4000, RW), 0);
	assert_int_equal(arena_flushed_bytes, 0);
}

static void test_adopted_table_is_used(void **state)
{
	paddr_t top;
	uint64_t pages;

	(void)state;
	fresh(&all_sizes);
	assert_int_equal(vtd_ss_map(&ss, 0x1000, GIB(1), 0x1000, RW), 0);
	top = ss.top;
	pages = ss.table_pages;
	memset(&ss, 0xff, sizeof(ss));
	assert_int_equal(vtd_ss_adopt(&ss, &all_sizes, top, pages), 0);
	assert_lookup(0x1000, true, GIB(1), RW, 0x1000);
	assert_int_equal(vtd_ss_map(&ss, 0x2000, GIB(1), 0x1000, RW), 0);
	vtd_ss_free(&ss);
	assert_int_equal(arena_pages_in_use, 0);
}

/* ---- reserved bits ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t entry;
	unsigned level, page_sizes;
	bool sc, bad;
} reserved[] = {
	{ "ss.leaf_4k",            0x12345003, 1, VTD_PG_4K, false, false },
	{ "ss.ps_ignored_in_pte",  0x12345083, 1, VTD_PG_4K, false, false },
	{ "ss.software_bits",      0x1ff0000012345403, 1, VTD_PG_4K, false, false },
	{ "ss.above_haw",          1ULL << 46 | 3, 1, VTD_PG_4K, false, true },
	{ "ss.below_haw",          1ULL << 45 | 3, 1, VTD_PG_4K, false, false },
	{ "ss.bit_51",             1ULL << 51 | 3, 2, VTD_PG_4K, false, true },
	{ "ss.bit_62",             1ULL << 62 | 0x1003, 1, VTD_PG_4K, false, true },
	{ "ss.snoop_without_sc",   0x12345803, 1, VTD_PG_4K, false, true },
	{ "ss.snoop_with_sc",      0x12345803, 1, VTD_PG_4K, true, false },
	{ "ss.snoop_non_leaf",     0x12345803, 2, VTD_PG_4K, true, true },
	{ "ss.2m_allowed",         0x12200083, 2, VTD_PG_4K | VTD_PG_2M, false, false },
	{ "ss.2m_not_allowed",     0x12200083, 2, VTD_PG_4K, false, true },
	{ "ss.2m_low_bits",        0x12201083, 2, VTD_PG_4K | VTD_PG_2M, false, true },
	{ "ss.1g_low_bits",        0x60000083, 3, VTD_PG_4K | VTD_PG_1G, false, true },
	{ "ss.1g_allowed",         0x40000083, 3, VTD_PG_4K | VTD_PG_1G, false, false },
	{ "ss.ps_in_level_4",      0x8000000083, 4, VTD_PG_4K | VTD_PG_2M | VTD_PG_1G, false, true },
};

static void test_reserved_bits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		const uint64_t mask = vtd_ss_reserved(reserved[i].entry, reserved[i].level, 46,
						      reserved[i].page_sizes, reserved[i].sc);

		print_message("# %s\n", reserved[i].name);
		assert_int_equal((reserved[i].entry & mask) != 0, reserved[i].bad);
	}
	assert_int_equal(vtd_ss_reserved(3, 1, 52, VTD_PG_4K, true), 1ULL << 62);
}

/* ---- random operations --------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Reference: one word per 4 KiB page of a window, 0 or pa | perm, and the first page of the
 * leaf that maps it with the leaf's pages, so that splits can be foretold. */
#define PAGES	(3 * 512 * 4)		/* 24 MiB */
static struct { uint64_t pa_perm; uint32_t leaf_first, leaf_pages; } ref[PAGES];

static void ref_read(iova_t base)
{
	for (uint32_t p = 0; p < PAGES; p++) {
		const struct walked w = slow_walk(ss.top, ss.levels, base + p * 0x1000ULL);
		const uint32_t pages = (uint32_t)(w.size >> 12);

		if (!w.mapped) {
			assert_int_equal(ref[p].pa_perm, 0);
			continue;
		}
		assert_int_equal(w.pa | w.perm, ref[p].pa_perm);
		ref[p].leaf_pages = pages;
		ref[p].leaf_first = p - (uint32_t)((base / 0x1000 + p) % pages);
	}
}

static int ref_map(uint32_t first, uint32_t n, paddr_t pa, uint64_t perm)
{
	for (uint32_t p = first; p < first + n; p++)
		if (ref[p].pa_perm)
			return -EEXIST;
	for (uint32_t p = first; p < first + n; p++, pa += 0x1000)
		ref[p].pa_perm = pa | perm;
	return 0;
}

/* The library may answer for whichever flaw it meets first. */
static bool ref_unmap_fails(uint32_t first, uint32_t n, int rc)
{
	bool hole = false, split = false;

	for (uint32_t p = first; p < first + n; p++) {
		if (!ref[p].pa_perm)
			hole = true;
		else if (ref[p].leaf_first < first ||
			 ref[p].leaf_first + ref[p].leaf_pages > first + n)
			split = true;
	}
	if (!hole && !split)
		return false;
	assert_true((hole && rc == -ENOENT) || (split && rc == -EINVAL));
	return true;
}

static void random_unmap(iova_t base, uint32_t first, uint32_t n)
{
	const int rc = vtd_ss_unmap(&ss, base + first * 0x1000ULL, n * 0x1000ULL);

	if (ref_unmap_fails(first, n, rc))
		return;
	assert_int_equal(rc, 0);
	for (uint32_t p = first; p < first + n; p++)
		ref[p].pa_perm = 0;
	if (rnd(4) == 0) {
		vtd_ss_unlink_tables(&ss, base + first * 0x1000ULL, n * 0x1000ULL);
		vtd_ss_free_tables(&ss);
	}
}

static void random_run(const struct vtd_ss_format *fmt, iova_t base, unsigned ops)
{
	unsigned n[6] = { 0 };

	fresh(fmt);
	memset(ref, 0, sizeof(ref));
	for (unsigned op = 0; op < ops; op++) {
		const bool whole = rnd(3) == 0;		/* 2 MiB aligned, to meet large pages */
		const uint32_t unit = whole ? 512 : 1;
		const uint32_t first = (uint32_t)rnd(PAGES / unit) * unit;
		const uint32_t most = MIN(PAGES - first, whole ? 1536u : 40u);
		const uint32_t len = (uint32_t)rnd(most / unit) * unit + unit;

		if (rnd(2)) {
			const paddr_t pa = GIB(8) + rnd(4096) * 0x200000 + (whole ? 0 : rnd(512) * 0x1000);
			const uint64_t perm = 1 + rnd(3);

			assert_int_equal(vtd_ss_map(&ss, base + first * 0x1000ULL, pa, len * 0x1000ULL,
						    perm), ref_map(first, len, pa, perm));
		} else {
			random_unmap(base, first, len);
		}
		ref_read(base);
	}
	assert_int_equal(vtd_ss_for_each_table(&ss, count_table, n), 0);
	assert_int_equal(n[1] + n[2] + n[3] + n[4] + n[5], ss.table_pages);
	assert_int_equal(arena_pages_in_use, ss.table_pages);
	vtd_ss_free(&ss);
	assert_int_equal(arena_pages_in_use, 0);
}

static const struct {
	const char *name;
	unsigned levels, page_sizes;
	iova_t base;
	bool coherent;
} runs[] = {
	{ "random.3_levels_4k",      3, VTD_PG_4K, GIB(5) - MIB(12), true },
	{ "random.3_levels_2m",      3, VTD_PG_4K | VTD_PG_2M, GIB(5) - MIB(12), false },
	{ "random.4_levels_2m",      4, VTD_PG_4K | VTD_PG_2M, GIB(512) - MIB(12), true },
	{ "random.4_levels_1g",      4, VTD_PG_4K | VTD_PG_2M | VTD_PG_1G, (1ULL << 48) - MIB(24), true },
	{ "random.5_levels_2m",      5, VTD_PG_4K | VTD_PG_2M, (1ULL << 48) - MIB(12), false },
};

static void test_random_against_slow_walker(void **state)
{
	(void)state;
	seed = 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		const struct vtd_ss_format fmt = format(runs[i].levels, runs[i].page_sizes,
							runs[i].coherent);

		print_message("# %s\n", runs[i].name);
		random_run(&fmt, runs[i].base, 800);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_entries),
		cmocka_unit_test(test_largest_pages),
		cmocka_unit_test(test_4k_pages_where_a_table_stands),
		cmocka_unit_test(test_map_refusals),
		cmocka_unit_test(test_permissions_are_anded),
		cmocka_unit_test(test_lookup_beyond_width),
		cmocka_unit_test(test_eexist_changes_nothing),
		cmocka_unit_test(test_unmap),
		cmocka_unit_test(test_format_refusals),
		cmocka_unit_test(test_out_of_pages),
		cmocka_unit_test(test_for_each_table),
		cmocka_unit_test(test_walk_can_be_ended),
		cmocka_unit_test(test_for_each_leaf),
		cmocka_unit_test(test_unlink_then_free),
		cmocka_unit_test(test_flushes_when_not_coherent),
		cmocka_unit_test(test_adopted_table_is_used),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_random_against_slow_walker),
	};

	return cmocka_run_group_tests_name("vtd page tables", tests, NULL, NULL);
}
