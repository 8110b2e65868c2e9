/* One source id in either table mode: what is stored, in which order caches hear of it, and what is
 * left when a step fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "fake_unit.h"
#include "vtd/pasid.h"
#include "vtd/source.h"

#define RID	0x0398		/* 03:13.0: upper table of bus 3 in scalable mode */
#define OTHER	0x03a0
#define TOP	0x7f421000
#define DID	7

static struct vtd_unit u;
static const uint8_t modes[] = { VTD_TTM_LEGACY, VTD_TTM_SCALABLE };

static void fresh(uint8_t ttm)
{
	fake_reset();
	fake.ecap = FAKE_ECAP_SCALABLE;
	u = (struct vtd_unit){ .index = 0 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
	u.ttm = ttm;
	u.caps.coherent = true;
	assert_int_equal(vtd_qi_start(&u, mem_alloc_pages(0), mem_alloc_pages(0)), 0);
	assert_int_equal(vtd_unit_set_root(&u, vtd_root_alloc(true)), 0);
	fake.nr_done = 0;
	arena_flushed_bytes = 0;
}

static bool scalable(void)
{
	return u.ttm == VTD_TTM_SCALABLE;
}

static uint64_t word(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

/* Word @i of the context entry of @rid, found by hand. */
static uint64_t context_word(uint16_t rid, unsigned i)
{
	const unsigned half = scalable() && rid & 0x80 ? 8 : 0, bytes = scalable() ? 32 : 16;
	const uint64_t re = word(u.root + (rid >> 8) * 16 + half);

	assert_true(re & 1);
	return word((re & ~0xfffULL) + (rid & (scalable() ? 0x7f : 0xff)) * bytes + 8 * i);
}

static uint64_t pasid_word(const struct vtd_source *s, unsigned i)
{
	return word((word(s->pasid_dir) & ~0xfffULL) + 8 * i);
}

static struct vtd_source a_source(void)
{
	return (struct vtd_source){ .top = TOP, .levels = 4, .did = DID };
}

static struct vtd_source set(uint16_t rid)
{
	struct vtd_source s = a_source();

	assert_int_equal(vtd_source_set(&u, rid, &s), 0);
	return s;
}

/* What the queue has executed since, but for the wait at the end. */
static void assert_executed(const uint64_t *d, size_t n)
{
	assert_int_equal(fake.nr_done, n ? n + 1 : 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(fake.done[i][0], d[i]);
		assert_int_equal(fake.done[i][1], 0);
	}
	fake.nr_done = 0;
}

static void assert_function_flushed(uint16_t did)
{
	const uint64_t rid = (uint64_t)RID << 32, tag = (uint64_t)did << 16;
	const uint64_t legacy[] = { rid | tag | 0x31, tag | 0xe2 };
	const uint64_t wide[] = { rid | tag | 0x31, tag | 0x07, tag | 0xe2 };

	if (scalable())
		assert_executed(wide, 3);
	else
		assert_executed(legacy, 2);
}

static void assert_all_flushed(void)
{
	static const uint64_t legacy[] = { 0x11, 0xd2 }, wide[] = { 0x11, 0x37, 0xd2 };

	assert_executed(scalable() ? wide : legacy, scalable() ? 3 : 2);
}

/* ---- not present -> present ----------------------------------------------------------------- */

static void test_set(void **state)
{
	struct vtd_source s;

	(void)state;
	fresh(VTD_TTM_LEGACY);
	s = set(RID);
	assert_int_equal(s.pasid_dir, 0);
	assert_int_equal(context_word(RID, 0), TOP | 1);
	assert_int_equal(context_word(RID, 1), DID << 8 | 2);

	fresh(VTD_TTM_SCALABLE);
	s = set(RID);
	assert_int_not_equal(s.pasid_dir, 0);
	assert_int_equal(context_word(RID, 0), s.pasid_dir | 0x401);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(context_word(RID, i), 0);
	assert_int_equal(pasid_word(&s, 0), TOP | 0x89);
	assert_int_equal(pasid_word(&s, 1), DID);	/* PWSNP would be reserved here */
	assert_int_equal(s.top, TOP);
	assert_int_equal(s.did, DID);
	assert_executed(NULL, 0);			/* left to the caller */
}

static void test_walks_snoop_where_they_can(void **state)
{
	struct vtd_source s, now = a_source();

	(void)state;
	fresh(VTD_TTM_SCALABLE);
	u.caps.smpwcs = true;
	s = set(RID);
	assert_int_equal(pasid_word(&s, 1), 0x800000 | DID);
	now.did = DID + 1;
	assert_int_equal(vtd_source_replace(&u, RID, &s, &now), 0);
	assert_int_equal(pasid_word(&s, 1), 0x800000 | (DID + 1));
}

static void test_set_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vtd_source s = a_source();
		uint64_t pages, entry;

		fresh(modes[i]);
		set(RID);
		pages = arena_pages_in_use;
		entry = context_word(RID, 0);
		s.pasid_dir = 0xdead000;
		assert_int_equal(vtd_source_set(&u, RID, &s), -EEXIST);
		assert_int_equal(s.pasid_dir, 0);
		assert_int_equal(arena_pages_in_use, pages);
		assert_int_equal(context_word(RID, 0), entry);
	}
	/* No memory for the directory, its table, the context table. */
	for (unsigned left = 0; left < 3; left++) {
		struct vtd_source s = a_source();
		uint64_t pages;

		fresh(VTD_TTM_SCALABLE);
		while (mem_alloc_pages(0))
			;
		for (unsigned k = 0; k < left; k++)
			mem_free_pages(MIB(8) + k * PAGE_SIZE, 0);
		pages = arena_pages_in_use;
		assert_int_equal(vtd_source_set(&u, RID, &s), -ENOMEM);
		assert_int_equal(s.pasid_dir, 0);
		assert_int_equal(arena_pages_in_use, pages);
		assert_int_equal(word(u.root + 3 * 16 + 8), 0);
	}
}

/* ECAP.C alone: PASID structures and context entries are of the kind that it covers. */
static void test_set_flushes_when_not_coherent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		const uint64_t pasid = modes[i] == VTD_TTM_SCALABLE ? 2 * 4096 : 0;

		fresh(modes[i]);
		u.caps.smpwcs = true;
		u.caps.coherent = false;
		set(RID);
		assert_int_equal(arena_flushed_bytes, pasid + 4096 + 8 + vtd_context_bytes(modes[i]));
		fresh(modes[i]);
		set(RID);
		assert_int_equal(arena_flushed_bytes, 0);
	}
}

/* ---- present -> not present ------------------------------------------------------------------- */

static void test_clear(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vtd_source s;
		uint64_t pages;

		fresh(modes[i]);
		assert_int_equal(vtd_source_clear(&u, RID, DID), -ENOENT);
		pages = arena_pages_in_use;
		s = set(RID);
		set(OTHER);
		assert_int_equal(vtd_source_clear(&u, RID, DID), 0);
		assert_function_flushed(DID);
		assert_int_equal(context_word(RID, 0) | context_word(RID, 1), 0);
		assert_true(context_word(OTHER, 0) & 1);
		assert_int_equal(vtd_source_clear(&u, RID, DID), -ENOENT);
		assert_executed(NULL, 0);

		/* Its own structures stay until they are given back: one context table, the other's two. */
		if (scalable()) {
			assert_int_equal(pasid_word(&s, 0), TOP | 0x89);
			assert_int_equal(arena_pages_in_use, pages + 1 + 4);
		}
		vtd_source_free_tables(&s);
		assert_int_equal(s.pasid_dir, 0);
		assert_int_equal(arena_pages_in_use, pages + 1 + (scalable() ? 2 : 0));
		vtd_source_free_tables(&s);
		assert_int_equal(arena_pages_in_use, pages + 1 + (scalable() ? 2 : 0));
	}
}

/* P goes first and alone; the rest stays for caches that may still be reading it. */
static void test_clear_stuck(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		uint64_t lo, hi;

		fresh(modes[i]);
		set(RID);
		lo = context_word(RID, 0);
		hi = context_word(RID, 1);
		fake.queue_stuck = true;
		assert_int_equal(vtd_source_clear(&u, RID, DID), -ETIMEDOUT);
		assert_int_equal(context_word(RID, 0), lo & ~1ULL);
		assert_int_equal(context_word(RID, 1), hi);
	}
}

static void test_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		uint64_t lo;

		fresh(modes[i]);
		/* No table, or no entry: one may be cached all the same. */
		assert_int_equal(vtd_source_block(&u, RID), 0);
		assert_all_flushed();
		set(RID);
		assert_int_equal(vtd_source_block(&u, OTHER), 0);
		assert_all_flushed();
		assert_int_equal(vtd_source_block(&u, RID), 0);
		assert_all_flushed();
		assert_int_equal(context_word(RID, 0) | context_word(RID, 1), 0);

		set(RID);
		lo = context_word(RID, 0);
		fake.queue_stuck = true;
		assert_int_equal(vtd_source_block(&u, RID), -ETIMEDOUT);
		assert_int_equal(context_word(RID, 0), lo & ~1ULL);
	}
}

/* ---- present -> present ----------------------------------------------------------------------- */

static void test_replace(void **state)
{
	const struct vtd_source now = { .top = 0x5000, .levels = 3, .did = 9, .pasid_dir = 0xbad000 };
	struct vtd_source s;
	paddr_t dir;

	(void)state;
	fresh(VTD_TTM_LEGACY);
	s = set(RID);
	assert_int_equal(vtd_source_replace(&u, RID, &s, &now), 0);
	assert_int_equal(context_word(RID, 0), 0x5001);
	assert_int_equal(context_word(RID, 1), 9 << 8 | 1);
	assert_int_equal(s.pasid_dir, 0);
	assert_function_flushed(DID);

	fresh(VTD_TTM_SCALABLE);
	s = set(RID);
	dir = s.pasid_dir;
	assert_int_equal(vtd_source_replace(&u, RID, &s, &now), 0);
	assert_int_equal(context_word(RID, 0), dir | 0x401);	/* leads where it led */
	assert_int_equal(pasid_word(&s, 0), 0x5085);
	assert_int_equal(pasid_word(&s, 1), 9);
	assert_int_equal(s.pasid_dir, dir);
	assert_executed((const uint64_t[]){ DID << 16 | 0x17, DID << 16 | 0xe2 }, 2);
	assert_int_equal(s.top, 0x5000);
	assert_int_equal(s.levels, 3);
	assert_int_equal(s.did, 9);
}

static void test_replace_refusals(void **state)
{
	const struct vtd_source same_did = { .top = 0x5000, .levels = 4, .did = DID };
	const struct vtd_source good = { .top = 0x5000, .levels = 4, .did = 9 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vtd_source s;

		fresh(modes[i]);
		s = set(RID);
		assert_int_equal(vtd_source_replace(&u, RID, &s, &same_did), -EINVAL);
		assert_int_equal(s.top, TOP);
		assert_int_equal(s.did, DID);
		assert_executed(NULL, 0);

		/* What cannot be invalidated has changed all the same: the caller must know which DID is used. */
		fake.queue_stuck = true;
		assert_int_equal(vtd_source_replace(&u, RID, &s, &good), -ETIMEDOUT);
		assert_int_equal(s.top, 0x5000);
		assert_int_equal(s.did, 9);
		assert_int_equal((scalable() ? pasid_word(&s, 0) : context_word(RID, 0)) & ~0xfffULL, 0x5000);
	}
	fresh(VTD_TTM_LEGACY);
	set(OTHER);
	assert_int_equal(vtd_source_replace(&u, RID, &(struct vtd_source){ .did = DID }, &good), -ENOENT);
}

static void test_suppress_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		fresh(modes[i]);
		set(OTHER);
		assert_int_equal(vtd_source_suppress_faults(&u, RID), 0);
		assert_all_flushed();
		assert_int_equal(context_word(RID, 0), 2);
		assert_false(context_word(OTHER, 0) & 2);
		fake.queue_stuck = true;
		assert_int_equal(vtd_source_suppress_faults(&u, RID), -ETIMEDOUT);
	}
}

/* ---- what stands in memory -------------------------------------------------------------------- */

static paddr_t asked[8], forbidden;
static unsigned nr_asked;

static bool page_ok(void *ctx, paddr_t page)
{
	assert_ptr_equal(ctx, &u);
	assert_true(nr_asked < ARRAY_SIZE(asked));
	asked[nr_asked++] = page;
	return page && page != forbidden && page < MIB(16);
}

static int find(uint16_t rid, struct vtd_source *out)
{
	const struct vtd_tables t = vtd_unit_tables(&u);

	nr_asked = 0;
	memset(out, 0x5a, sizeof(*out));
	return vtd_source_find(&t, rid, page_ok, &u, out);
}

/* The tables on the way to an entry, by hand.  Return: how many. */
static unsigned tables_of(const struct vtd_source *s, paddr_t out[4])
{
	out[0] = u.root;
	out[1] = word(u.root + 3 * 16 + (scalable() ? 8 : 0)) & ~0xfffULL;
	if (!scalable())
		return 2;
	out[2] = s->pasid_dir;
	out[3] = word(s->pasid_dir) & ~0xfffULL;
	return 4;
}

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vtd_source s, found;
		paddr_t tables[4];
		unsigned n;

		fresh(modes[i]);
		assert_int_equal(find(RID, &found), -ENOENT);		/* no table */
		s = set(RID);
		assert_int_equal(find(OTHER, &found), -ENOENT);		/* no entry */
		assert_int_equal(found.did, 0);
		assert_int_equal(find(RID, &found), 0);
		assert_int_equal(found.top, TOP);
		assert_int_equal(found.levels, 4);
		assert_int_equal(found.did, DID);
		assert_int_equal(found.pasid_dir, s.pasid_dir);
		n = tables_of(&s, tables);
		assert_int_equal(nr_asked, n);
		assert_memory_equal(asked, tables, n * sizeof(tables[0]));
	}
}

static void test_find_reads_what_it_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vtd_source s, found;
		paddr_t tables[4];
		unsigned n;

		fresh(modes[i]);
		s = set(RID);
		n = tables_of(&s, tables);
		for (unsigned k = 0; k < n; k++) {
			forbidden = tables[k];
			assert_int_equal(find(RID, &found), -EBADMSG);
			assert_int_equal(nr_asked, k + 1);
		}
		forbidden = 0;
		u.root = 0;
		assert_int_equal(find(RID, &found), -EBADMSG);
		assert_int_equal(nr_asked, 0);
	}
}

static uint64_t *pasid_slot(const struct vtd_source *s)
{
	return mem_ptr(word(s->pasid_dir) & ~0xfffULL);
}

/* Present, but nothing that this library writes: its DID may be cached all the same. */
static void test_find_another_type(void **state)
{
	struct vtd_source s, found;

	(void)state;
	fresh(VTD_TTM_LEGACY);
	set(RID);
	*(uint64_t *)mem_ptr((word(u.root + 3 * 16) & ~0xfffULL) + 0x98 * 16) |= 2 << 2;	/* pass-through */
	assert_int_equal(find(RID, &found), -EOPNOTSUPP);
	assert_int_equal(found.did, DID);

	fresh(VTD_TTM_SCALABLE);
	s = set(RID);
	for (unsigned pgtt = 0; pgtt < 8; pgtt++) {
		pasid_slot(&s)[0] = TOP | pgtt << 6 | 2 << 2 | 1;
		assert_int_equal(find(RID, &found), pgtt == 2 ? 0 : -EOPNOTSUPP);
		assert_int_equal(found.did, DID);
	}
	pasid_slot(&s)[0] = TOP | 0x88;		/* the entry is not present */
	assert_int_equal(find(RID, &found), -EOPNOTSUPP);
	assert_int_equal(found.did, DID);
	*(uint64_t *)mem_ptr(s.pasid_dir) &= ~1ULL;
	assert_int_equal(find(RID, &found), -EOPNOTSUPP);
	assert_int_equal(found.did, 0);
	assert_int_equal(found.pasid_dir, s.pasid_dir);
}

/* What this library never writes would send requests elsewhere than what is found: not even the
 * directory is read. */
static void test_find_other_requests(void **state)
{
	static const struct { unsigned word; uint64_t flip; } flips[] = {
		{ 0, 1 << 2 }, { 0, 1 << 3 }, { 0, 1 << 4 },	/* DTE, PASIDE, PRE */
		{ 0, 7 << 9 }, { 0, 1 << 9 },			/* PDTS */
		{ 1, 1 }, { 1, 1 << 19 }, { 1, 1 << 20 },	/* RID_PASID, RID_PRIV */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flips); i++) {
		struct vtd_source found;
		uint64_t *e;

		fresh(VTD_TTM_SCALABLE);
		set(RID);
		e = mem_ptr((word(u.root + (RID >> 8) * 16 + (RID & 0x80 ? 8 : 0)) & ~0xfffULL) +
			    vtd_context_offset(VTD_TTM_SCALABLE, RID));
		e[flips[i].word] ^= flips[i].flip;
		assert_int_equal(find(RID, &found), -EOPNOTSUPP);
		assert_int_equal(nr_asked, 2);		/* root and context table */
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_walks_snoop_where_they_can),
		cmocka_unit_test(test_set_refusals),
		cmocka_unit_test(test_set_flushes_when_not_coherent),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_clear_stuck),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_refusals),
		cmocka_unit_test(test_suppress_faults),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_reads_what_it_may),
		cmocka_unit_test(test_find_another_type),
		cmocka_unit_test(test_find_other_requests),
	};

	return cmocka_run_group_tests_name("vtd source ids", tests, NULL, NULL);
}
