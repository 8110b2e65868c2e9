/* What must be seen to go wrong in scalable mode: each mistake, made on a unit that is otherwise well
 * driven, breaks a rule of the strict model.  Those of either mode are in test_model_driver.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test_model_fixture.h"
#include "vtd/pasid.h"

#define DID	5
#define OTHER	(RID + 0x80)		/* in the other context table of the bus */

static struct bench bad;
static struct mapped a;			/* RID's */
static struct vtd_tables t;
static struct vtd_source src;		/* what a.ss was attached with */

static void init(const struct model_traits *traits)
{
	struct vtd_context_entry e;

	bench_init(&bad, traits);
	mapped_init(&bad, &a, RID, DID);
	t = vtd_unit_tables(&bad.u);
	assert_int_equal(vtd_context_get(&t, RID, &e), 0);
	src = source_of(&a.ss, DID);
	src.pasid_dir = e.lo & SPEC_SCE_PASIDDIRPTR;
	assert_int_equal(dma(&bad, RID, IOVA, 1), 0);
}

static uint64_t *pasid_words(void)
{
	return mem_ptr(at(src.pasid_dir) & SPEC_PDE_SMPTBLPTR);
}

static struct vtd_pasid_entry pasid_entry_of(const struct vtd_ss *ss, uint16_t did)
{
	return vtd_pasid_entry(ss->top, did, vtd_aw_of_levels(ss->levels), bad.u.caps.smpwcs);
}

static void submit(const struct vtd_qi_desc *d, size_t n)
{
	assert_int_equal(vtd_qi_submit(&bad.u, d, n), 0);
}

static void clear_present(void)
{
	assert_int_equal(vtd_context_clear_present(&t, RID), 0);
}

/* ---- removal -------------------------------------------------------------------------------- */

static void removed_without_pasid_cache(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_cc(VTD_G_SELECTIVE, DID, RID), vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false),
	};
	struct vtd_ss to;

	clear_present();
	submit(d, 2);
	assert_int_equal(vtd_context_zero(&t, RID), 0);
	/* It comes back in another table, and is taken to the old one. */
	new_table(&bad, &to);
	attach(&bad, RID, &to, DID + 1);
	assert_int_equal(dma(&bad, RID, IOVA, 0x57a1e), 0);
	assert_int_equal(at(a.page), 0x57a1e);
}

static void removed_pasid_before_context(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_pc(VTD_PC_G_DOMAIN, DID, 0), vtd_qi_cc(VTD_G_SELECTIVE, DID, RID),
		vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false),
	};

	clear_present();
	submit(d, 3);
}

static void removed_iotlb_before_pasid(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_cc(VTD_G_SELECTIVE, DID, RID), vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false),
		vtd_qi_pc(VTD_PC_G_DOMAIN, DID, 0),
	};

	clear_present();
	submit(d, 3);
}

static void removed_pasid_of_another_did(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_cc(VTD_G_SELECTIVE, DID, RID), vtd_qi_pc(VTD_PC_G_DOMAIN, DID + 1, 0),
		vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false),
	};

	clear_present();
	submit(d, 3);
}

static void context_of_another_function(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_cc(VTD_G_SELECTIVE, DID, OTHER), vtd_qi_pc(VTD_PC_G_DOMAIN, DID, 0),
		vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false),
	};

	clear_present();
	submit(d, 3);
	assert_int_equal(dma(&bad, RID, IOVA, 2), 0);		/* still lets it through */
}

static void zeroed_before_invalidation(void)
{
	clear_present();
	assert_int_equal(vtd_context_zero(&t, RID), 0);
}

static void structures_freed_first(void)
{
	clear_present();
	vtd_source_free_tables(&src);
}

static void structures_of_a_live_source_freed(void)
{
	vtd_source_free_tables(&src);
}

/* The table alone: the cached context still leads to the directory, and that to it. */
static void pasid_table_freed_first(void)
{
	const paddr_t table = at(src.pasid_dir) & SPEC_PDE_SMPTBLPTR;

	clear_present();
	mem_free_pages(table, 0);
}

static void directory_entry_emptied_first(void)
{
	mem_write64(mem_ptr(src.pasid_dir), 0);
}

static void upper_root_word_not_flushed(void)
{
	struct vtd_ss to;

	new_table(&bad, &to);
	attach(&bad, OTHER, &to, DID + 1);
	assert_int_equal(vtd_root_clear_present(&t, OTHER), 0);
	assert_int_equal(vtd_inval_context(&bad.u, OTHER, DID + 1), 0);	/* global is what it takes */
}

/* ---- live change ---------------------------------------------------------------------------- */

static struct vtd_ss elsewhere;

static void replace_entry(uint16_t did)
{
	new_table(&bad, &elsewhere);
	assert_int_equal(vtd_pasid_replace(src.pasid_dir, pasid_entry_of(&elsewhere, did), false), 0);
}

static void replaced_without_pasid_cache(void)
{
	replace_entry(DID + 1);
	assert_int_equal(vtd_inval_domain(&bad.u, DID), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 0x57a1e), 0);
	assert_int_equal(at(a.page), 0x57a1e);		/* where it no longer belongs */
}

static void replaced_invalidates_new_did(void)
{
	replace_entry(DID + 1);
	assert_int_equal(vtd_inval_pasid(&bad.u, VTD_RID_PASID, DID + 1), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 3), 0);
	assert_int_equal(at(a.page), 3);
}

static void replaced_invalidates_another_pasid(void)
{
	replace_entry(DID + 1);
	assert_int_equal(vtd_inval_pasid(&bad.u, VTD_RID_PASID + 1, DID), 0);
}

static void replaced_iotlb_first(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false), vtd_qi_pc(VTD_PC_G_PASID, DID, VTD_RID_PASID),
	};

	replace_entry(DID + 1);
	submit(d, 2);
}

static void replaced_by_two_stores(void)
{
	struct vtd_pasid_entry now;

	new_table(&bad, &elsewhere);
	now = pasid_entry_of(&elsewhere, DID + 1);
	mem_write64(&pasid_words()[1], now.qw[1]);
	mem_write64(&pasid_words()[0], now.qw[0]);
}

static void replaced_under_the_same_did(void)
{
	struct vtd_pasid_entry now;

	new_table(&bad, &elsewhere);
	now = pasid_entry_of(&elsewhere, DID);
	mem_write128(pasid_words(), now.qw[0], now.qw[1]);
}

static void context_led_to_another_directory(void)
{
	const paddr_t dir = vtd_pasid_alloc(pasid_entry_of(&a.ss, DID), false);
	uint64_t *slot = (uint64_t *)mem_ptr(at(bad.u.root) & SPEC_RE_CTP) + 4 * RID;

	mem_write64(slot, vtd_scalable_context_entry(dir).lo);
}

static void did_aliasing(void)
{
	struct vtd_source s;

	new_table(&bad, &elsewhere);
	s = source_of(&elsewhere, DID);
	assert_int_equal(vtd_source_set(&bad.u, OTHER, &s), 0);
}

/* ---- coherency ------------------------------------------------------------------------------ */

/* ECAP.C=0: PASID structures are written back before anything leads to them. */
static void structures_not_flushed(void)
{
	const paddr_t dir = vtd_pasid_alloc(pasid_entry_of(&a.ss, DID), true);

	assert_int_equal(vtd_context_set(&t, OTHER, vtd_scalable_context_entry(dir)), 0);
	assert_int_equal(dma(&bad, OTHER, IOVA, 1), SPEC_FAULT_DIR_RSVD);	/* what was there before */
}

static void replaced_entry_not_flushed(void)
{
	new_table(&bad, &elsewhere);
	assert_int_equal(vtd_pasid_replace(src.pasid_dir, pasid_entry_of(&elsewhere, DID + 1), true), 0);
	assert_int_equal(vtd_inval_pasid(&bad.u, VTD_RID_PASID, DID), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 4), 0);
	assert_int_equal(at(a.page), 4);
}

/* SMPWCS=0: second-stage tables are not snooped, whatever ECAP.C says. */
static void second_stage_taken_for_coherent(void)
{
	a.ss.coherent = bad.u.caps.coherent;
	map(&bad, &a.ss, DID, IOVA + PAGE_SIZE, a.page, PAGE_SIZE);
	assert_int_equal(dma(&bad, RID, IOVA + PAGE_SIZE, 1), SPEC_FAULT_S_SS_P);
}

/* And where they could be, an entry without PWSNP lets them be read from memory. */
static void walks_not_made_to_snoop(void)
{
	struct vtd_ss ss;
	paddr_t dir;

	new_table(&bad, &ss);
	assert_true(ss.coherent);
	dir = vtd_pasid_alloc(vtd_pasid_entry(ss.top, DID + 1, vtd_aw_of_levels(ss.levels), false), false);
	assert_int_equal(vtd_context_set(&t, OTHER, vtd_scalable_context_entry(dir)), 0);
	map(&bad, &ss, DID + 1, IOVA, a.page, PAGE_SIZE);
	assert_int_not_equal(dma(&bad, OTHER, IOVA, 1), 0);
}

/* ---- caching mode ----------------------------------------------------------------------------- */

static void attached_without_invalidation(void)
{
	struct vtd_source s = source_of(&a.ss, DID);

	assert_int_equal(dma(&bad, OTHER, IOVA, 1), SPEC_FAULT_S_ROOT_P);
	assert_int_equal(vtd_source_set(&bad.u, OTHER, &s), 0);
	assert_int_equal(dma(&bad, OTHER, IOVA, 1), SPEC_FAULT_S_ROOT_P);
}

#define C	{ .smts = true, .coherent = true, .smpwcs = true }
static const struct {
	const char *name;
	struct model_traits t;
	void (*run)(void);
	const char *seen;
} mistakes[] = {
	{ "removed_without_pasid_cache", C, removed_without_pasid_cache, "is cached as it no longer is" },
	{ "removed_pasid_before_context", C, removed_pasid_before_context, "is owed" },
	{ "removed_iotlb_before_pasid", C, removed_iotlb_before_pasid, "is owed" },
	{ "removed_pasid_of_another_did", C, removed_pasid_of_another_did, "is owed" },
	{ "context_of_another_function", C, context_of_another_function, "is cached as it no longer is" },
	{ "zeroed_before_invalidation", C, zeroed_before_invalidation, "rewritten before its invalidation" },
	{ "structures_freed_first", C, structures_freed_first, "freed while the context-cache" },
	{ "structures_of_live_source_freed", C, structures_of_a_live_source_freed, "freed while the tables" },
	{ "pasid_table_freed_first", C, pasid_table_freed_first, "freed while the context-cache" },
	{ "directory_entry_emptied_first", C, directory_entry_emptied_first,
	  "P cleared together with other fields" },
	{ "upper_root_word_not_flushed", C, upper_root_word_not_flushed, "a root entry, not" },
	{ "replaced_without_pasid_cache", C, replaced_without_pasid_cache, "is cached as it no longer is" },
	{ "replaced_invalidates_new_did", C, replaced_invalidates_new_did, "is owed" },
	{ "replaced_invalidates_another_pasid", C, replaced_invalidates_another_pasid,
	  "is cached as it no longer is" },
	{ "replaced_iotlb_first", C, replaced_iotlb_first, "is owed" },
	{ "replaced_by_two_stores", C, replaced_by_two_stores, "changed while present, by an 8-byte store" },
	{ "replaced_under_same_did", C, replaced_under_the_same_did, "another table under the same DID" },
	{ "context_led_elsewhere", C, context_led_to_another_directory,
	  "changed while present, by an 8-byte store" },
	{ "did_aliasing", C, did_aliasing, "with different tables" },
	{ "structures_not_flushed", { .smts = true, .smpwcs = true }, structures_not_flushed,
	  "PASID directory table" },
	{ "pasid_table_not_flushed", { .smts = true, .smpwcs = true }, structures_not_flushed, "PASID table" },
	{ "replaced_entry_not_flushed", { .smts = true, .smpwcs = true }, replaced_entry_not_flushed,
	  "PASID table" },
	{ "second_stage_taken_for_coherent", { .smts = true, .coherent = true },
	  second_stage_taken_for_coherent, "second-stage table" },
	{ "walks_not_made_to_snoop", C, walks_not_made_to_snoop, "second-stage table" },
	{ "cm_attached_without_invalidation", { .smts = true, .cm = true, .smpwcs = true },
	  attached_without_invalidation, "context of 0098 is cached as it no longer is" },
};

static void test_mistakes_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		print_message("# mistake.%s\n", mistakes[i].name);
		init(&mistakes[i].t);
		assert_int_equal(model_violations(), 0);
		mistakes[i].run();
		assert_true(model_violations() > 0);
		assert_true(model_violated(mistakes[i].seen));
	}
}

/* PWSNP where the unit has no such bit: not a page is reached. */
static void test_snoop_bit_is_reserved_without_smpwcs(void **state)
{
	struct vtd_pasid_entry e;
	paddr_t dir;

	(void)state;
	init(&(struct model_traits){ .smts = true, .coherent = true });
	e = vtd_pasid_entry(a.ss.top, DID, vtd_aw_of_levels(a.ss.levels), true);
	dir = vtd_pasid_alloc(e, true);
	assert_int_equal(vtd_context_set(&t, OTHER, vtd_scalable_context_entry(dir)), 0);
	assert_int_equal(dma(&bad, OTHER, IOVA, 2), SPEC_FAULT_PASID_RSVD);
	assert_int_equal(at(a.page), 1);
}

/* A queue of 128-bit descriptors under a scalable root is stuck on every descriptor. */
static void test_narrow_queue_is_refused(void **state)
{
	static struct bench b;
	struct model_unit *m;

	(void)state;
	model_reset();
	bench_add(&b, &(struct model_traits)C);
	m = model_unit(b.model);
	b.u.ttm = VTD_TTM_LEGACY;
	assert_int_equal(vtd_qi_start(&b.u, mem_alloc_pages(0), mem_alloc_pages(0)), 0);
	b.u.ttm = VTD_TTM_SCALABLE;
	b.u.root = vtd_root_alloc(true);
	assert_int_not_equal(vtd_unit_set_root(&b.u, b.u.root), 0);
	assert_int_equal(m->iqercd, SPEC_IQEI_WIDTH);
	assert_int_equal(vtd_unit_enable_translation(&b.u), 0);
	assert_true(model_violated("before the caches were invalidated globally"));
}

/* The other way round is fine, so that a queue can be there before the mode is entered. */
static void test_wide_queue_serves_legacy_mode(void **state)
{
	static struct bench b;

	(void)state;
	model_reset();
	bench_add(&b, &(struct model_traits)C);
	assert_int_equal(vtd_qi_start(&b.u, mem_alloc_pages(0), mem_alloc_pages(0)), 0);
	assert_int_equal(model_unit(b.model)->iqa & SPEC_IQA_DW, SPEC_IQA_DW);
	b.u.ttm = VTD_TTM_LEGACY;
	assert_int_equal(vtd_unit_set_root(&b.u, vtd_root_alloc(true)), 0);
	assert_int_equal(model_unit(b.model)->iqercd, 0);
	assert_int_equal(model_violations(), 0);
}

/* PASID-cache descriptors are those of scalable mode: under a legacy root the driver must not use them. */
static void test_pasid_cache_is_unknown_to_legacy_mode(void **state)
{
	static struct bench b;

	(void)state;
	model_reset();
	bench_add(&b, &(struct model_traits)C);
	assert_int_equal(vtd_qi_start(&b.u, mem_alloc_pages(0), mem_alloc_pages(0)), 0);
	assert_int_equal(vtd_inval_global(&b.u), -EIO);
	assert_int_equal(model_unit(b.model)->iqercd, SPEC_IQEI_TYPE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes_are_seen),
		cmocka_unit_test(test_snoop_bit_is_reserved_without_smpwcs),
		cmocka_unit_test(test_narrow_queue_is_refused),
		cmocka_unit_test(test_wide_queue_serves_legacy_mode),
		cmocka_unit_test(test_pasid_cache_is_unknown_to_legacy_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
