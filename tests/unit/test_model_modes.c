/* Table modes on the strict model: firmware's left for ours, in every pair of the two, under DMA of a
 * device that may not stop; and what only scalable mode has: two context tables to a bus, PASID
 * structures behind every source id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model_machine.h"
#include "vtd/context.h"
#include "vtd/inval.h"
#include "vtd/pasid.h"

static const struct {
	const char *name;
	struct model_traits t;
} kinds[] = {
	{ "snooped",	   { .smts = true, .coherent = true, .smpwcs = true } },
	{ "not_coherent",  { .smts = true, .sslps = 3 } },
	{ "no_snoop",	   { .smts = true, .coherent = true, .rps = true } },
	{ "snoop_no_c",	   { .smts = true, .smpwcs = true } },
	{ "caching_mode",  { .smts = true, .cm = true, .smpwcs = true } },
	{ "v6",		   { .major = 6, .smts = true, .coherent = true, .smpwcs = true, .rps = true,
			     .esrtps = true, .mgaw = 57, .mamv = 45, .sslps = 3 } },
};

/* ---- firmware's mode and ours --------------------------------------------------------------- */

enum left { TRANSLATING = 1, QUEUE = 2, NO_WAIT_LAST = 4, WIDE = 8 };

static const struct {
	const char *name;
	uint8_t theirs, ours;
	unsigned left;
	unsigned te_drops;		/* how often translation has to go off */
} pairs[] = {
	{ "legacy_to_legacy",	      0, 0, TRANSLATING | QUEUE, 0 },
	{ "legacy_wide_to_legacy",    0, 0, TRANSLATING | QUEUE | WIDE | NO_WAIT_LAST, 0 },
	{ "legacy_to_scalable",	      0, 1, TRANSLATING | QUEUE, 1 },
	{ "legacy_wide_to_scalable",  0, 1, TRANSLATING | QUEUE | WIDE, 1 },
	{ "legacy_open_to_scalable",  0, 1, TRANSLATING | QUEUE | NO_WAIT_LAST, 1 },
	{ "legacy_no_queue_to_scalable", 0, 1, TRANSLATING, 1 },
	{ "legacy_off_to_scalable",   0, 1, QUEUE, 0 },
	{ "scalable_to_legacy",	      1, 0, TRANSLATING | QUEUE, 1 },
	{ "scalable_open_to_legacy",  1, 0, TRANSLATING | QUEUE | NO_WAIT_LAST, 1 },
	{ "scalable_off_to_legacy",   1, 0, QUEUE, 0 },	/* off, but still latched */
	{ "scalable_idle_to_legacy",  1, 0, 0, 0 },
	{ "scalable_to_scalable",     1, 1, TRANSLATING | QUEUE, 1 },
	{ "scalable_open_to_scalable", 1, 1, TRANSLATING | QUEUE | NO_WAIT_LAST, 1 },
	{ "scalable_off_to_scalable", 1, 1, QUEUE, 0 },
};

static void leave(struct model_unit *u, uint8_t ttm, unsigned left)
{
	firmware_translates(u->index, ttm, 7, 2);
	if (left & WIDE)
		u->iqa |= SPEC_IQA_DW;
	if (left & NO_WAIT_LAST)
		u->last_was_wait = false;
	if (!(left & QUEUE)) {
		u->gsts &= ~SPEC_GSTS_QIES;
		u->iqh = 0;
	}
	if (!(left & TRANSLATING)) {	/* a unit with scalable mode forgets all when it stops */
		u->gsts &= ~SPEC_GSTS_TES;
		u->need_srtp = true;
		u->nr_contexts = u->nr_pasids = u->nr_structures = u->nr_tlbs = 0;
	}
}

static long switch_modes(size_t kind, size_t pair, long step)
{
	const paddr_t page = MIB(48);
	struct model_unit *u;
	long steps;

	machine(&kinds[kind].t);
	mmu.ttm = pairs[pair].ours;
	u = model_unit(1);
	leave(u, pairs[pair].theirs, pairs[pair].left);
	u->te_must_stay = (pairs[pair].left & TRANSLATING) && !pairs[pair].te_drops;
	discover();
	rmrr_lost = rmrr_sent = 0;
	model_inject(step, rmrr_write, NULL);
	assert_int_equal(iommu_bring_up(&mmu), 0);
	steps = model_steps();
	model_inject(0, NULL, NULL);
	rmrr_write(NULL);
	assert_int_equal(rmrr_lost, 0);
	assert_int_equal(u->te_drops, pairs[pair].te_drops);
	assert_int_equal(u->iqercd, 0);
	assert_int_equal(u->fsts, 0);
	assert_int_equal(u->rtaddr, mmu.unit[1].vtd.root | (uint64_t)mmu.ttm << 10);
	assert_int_equal(u->iqa, mmu.unit[1].ring | (mmu.ttm ? SPEC_IQA_DW : 0));

	/* Nothing of the predecessor's is remembered, and faults are those of our mode. */
	commands[OTHER_RID] |= PCI_COMMAND_MASTER;
	assert_int_equal(dma(OTHER_RID, RMRR_BASE, 1), mmu.ttm ? no_root() : no_context());
	assert_int_equal(dma(RMRR_RID, RMRR_LIMIT + 1, 1), mmu.ttm ? SPEC_FAULT_S_SS_P : SPEC_FAULT_WRITE);
	attach(OTHER_RID, domain_with(OTHER_RID, page));
	assert_int_equal(dma(OTHER_RID, IOVA, 0x0123), 0);
	assert_int_equal(at(page), 0x0123);
	assert_int_equal(model_violations(), 0);
	return steps;
}

/* The kinds share the single steps among them. */
static void test_every_pair_of_modes(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t p = 0; p < ARRAY_SIZE(pairs); p++) {
			long steps;

			if (kinds[k].t.cm && pairs[p].ours == 0)
				continue;	/* as in test_model_iommu.c */
			steps = switch_modes(k, p, MODEL_EVERY_STEP);
			assert_true(rmrr_sent > 30);
			for (long i = 1 + (long)k; i <= steps; i += ARRAY_SIZE(kinds))
				switch_modes(k, p, i);
			print_message("# %s.%s: %ld steps\n", kinds[k].name, pairs[p].name, steps);
		}
}

/* Asked before anything is written; a unit that is left alone does not count. */
static void test_which_unit_lacks_a_mode(void **state)
{
	const struct model_traits t = { .coherent = true };
	size_t without = 99;

	(void)state;
	machine(&kinds[0].t);
	discover();
	assert_true(iommu_has_mode(&mmu, VTD_TTM_LEGACY, &without));
	assert_true(iommu_has_mode(&mmu, VTD_TTM_SCALABLE, &without));
	mmu.unit[1].vtd.caps.scalable_ss = false;
	assert_true(iommu_has_mode(&mmu, VTD_TTM_LEGACY, &without));
	assert_int_equal(without, 99);
	assert_false(iommu_has_mode(&mmu, VTD_TTM_SCALABLE, &without));
	assert_int_equal(without, 1);
	mmu.unit[1].used = false;
	assert_true(iommu_has_mode(&mmu, VTD_TTM_SCALABLE, &without));
	machine(&t);
	discover();
	assert_true(iommu_has_mode(&mmu, VTD_TTM_LEGACY, &without));
	assert_false(iommu_has_mode(&mmu, VTD_TTM_SCALABLE, &without));
	assert_int_equal(without, 0);
	assert_int_equal(model_unit(0)->gsts | model_unit(1)->gsts, 0);
}

/* ---- devices -------------------------------------------------------------------------------- */

#define LOW_RID		PCI_RID(0, 1, 1)	/* the same place in the two tables of a bus */
#define HIGH_RID	PCI_RID(0, 17, 1)

static paddr_t low_page, high_page;

/* Both in domains of their own. */
static void two_halves(const struct model_traits *t)
{
	machine(t);
	discover();
	assert_int_equal(iommu_bring_up(&mmu), 0);
	low_page = mem_alloc_pages(0);
	high_page = mem_alloc_pages(0);
	attach(LOW_RID, domain_with(LOW_RID, low_page));
	attach(HIGH_RID, domain_with(HIGH_RID, high_page));
}

static void test_functions_from_80h_on(void **state)
{
	(void)state;
	static_assert((LOW_RID | 0x80) == HIGH_RID, "the same place");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		print_message("# %s\n", kinds[k].name);
		two_halves(&kinds[k].t);
		assert_int_equal(dma(LOW_RID, IOVA, 0x10), 0);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x20), 0);
		assert_int_equal(at(low_page), 0x10);
		assert_int_equal(at(high_page), 0x20);
		assert_int_equal(iommu_detach(&mmu, 0, LOW_RID), 0);
		assert_int_equal(dma(LOW_RID, IOVA, 0x11), no_context());
		assert_int_equal(dma(HIGH_RID, IOVA, 0x21), 0);
		assert_int_equal(at(high_page), 0x21);
		assert_int_equal(vtd_fault_clear(&mmu.unit[1].vtd), 0);

		/* Silence for the one is none for the other. */
		assert_int_equal(iommu_suppress_faults(&mmu, 1, LOW_RID), 0);
		assert_int_equal(dma(LOW_RID, IOVA, 0x12), no_context());
		assert_int_equal(model_unit(1)->fsts, 0);
		assert_int_equal(iommu_detach(&mmu, 0, HIGH_RID), 0);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x22), no_context());
		assert_true(model_unit(1)->fsts & SPEC_FSTS_PPF);
		assert_int_equal(at(high_page), 0x21);
		assert_int_equal(model_violations(), 0);
	}
}

/* Two devices in one domain, each with a directory of its own: what goes with the one costs the other
 * nothing. */
static void test_sharers(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint64_t used;
		size_t domain;

		print_message("# %s\n", kinds[k].name);
		two_halves(&kinds[k].t);
		used = model_pages_in_use();
		assert_int_equal(iommu_detach(&mmu, 0, HIGH_RID), 0);
		assert_int_equal(model_pages_in_use(), used - 2);
		domain = iommu_device_of(&mmu, 0, LOW_RID)->domain;
		attach(HIGH_RID, domain);
		assert_int_equal(model_pages_in_use(), used);
		assert_int_not_equal(iommu_device_of(&mmu, 0, HIGH_RID)->pasid_dir,
				     iommu_device_of(&mmu, 0, LOW_RID)->pasid_dir);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x30), 0);
		assert_int_equal(at(low_page), 0x30);
		assert_int_equal(iommu_detach(&mmu, 0, LOW_RID), 0);
		assert_int_equal(model_pages_in_use(), used - 2);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x31), 0);
		assert_int_equal(at(low_page), 0x31);
		assert_int_equal(model_violations(), 0);
	}
}

/* Its PASID structures may be broken: they are neither read nor given back. */
static void test_leave(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		size_t domains;
		uint64_t used;
		paddr_t dir;

		print_message("# %s\n", kinds[k].name);
		two_halves(&kinds[k].t);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x40), 0);
		domains = mmu.nr_domains;
		used = model_pages_in_use();
		dir = iommu_device_of(&mmu, 0, HIGH_RID)->pasid_dir;
		assert_int_equal(iommu_leave(&mmu, 0, HIGH_RID), 0);
		assert_int_equal(model_pages_in_use(), used);
		assert_int_not_equal(at(dir), 0);
		assert_int_equal(mmu.nr_domains, domains - 1);
		assert_null(iommu_device_of(&mmu, 0, HIGH_RID));
		assert_int_equal(dma(HIGH_RID, IOVA, 0x41), no_context());
		assert_int_equal(at(high_page), 0x40);
		/* And it may come back, with new ones. */
		attach(HIGH_RID, domain_with(HIGH_RID, high_page));
		assert_int_not_equal(iommu_device_of(&mmu, 0, HIGH_RID)->pasid_dir, dir);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x42), 0);
		assert_int_equal(at(high_page), 0x42);
		assert_int_equal(model_violations(), 0);
	}
}

/* An invalidation that fails: caches may still lead to the PASID structures, so they are kept, and so is
 * the DID; the entry is not present all the same. */
static void test_failed_invalidation_keeps_the_structures(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint64_t used;
		uint16_t did;

		print_message("# %s\n", kinds[k].name);
		two_halves(&kinds[k].t);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x50), 0);
		used = model_pages_in_use();
		did = iommu_device_of(&mmu, 0, HIGH_RID)->did;
		model_unit(1)->ite_once = true;
		assert_int_equal(iommu_detach(&mmu, 0, HIGH_RID), -EIO);
		assert_int_equal(model_pages_in_use(), used);
		assert_true(vtd_dids_used(&mmu.unit[1].vtd.dids, did));
		assert_null(iommu_device_of(&mmu, 0, HIGH_RID));
		assert_int_equal(vtd_inval_global(&mmu.unit[1].vtd), 0);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x51), no_context());
		assert_int_equal(at(high_page), 0x50);
		assert_int_equal(model_violations(), 0);
	}
}

/* Moved to another table: the context entry leads where it led, the PASID entry elsewhere. */
static void test_replace_keeps_the_directory(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct iommu_device *dev;
		struct vtd_context_entry was, now;
		struct vtd_pasid_entry e;
		struct vtd_tables t;
		uint64_t used;
		paddr_t page, dir;
		uint16_t did;
		size_t to;

		print_message("# %s\n", kinds[k].name);
		two_halves(&kinds[k].t);
		t = vtd_unit_tables(&mmu.unit[1].vtd);
		dev = iommu_device_of(&mmu, 0, HIGH_RID);
		dir = dev->pasid_dir;
		did = dev->did;
		page = mem_alloc_pages(0);
		to = domain_with(HIGH_RID, page);
		used = model_pages_in_use();
		assert_int_equal(vtd_context_get(&t, HIGH_RID, &was), 0);
		assert_int_equal(iommu_replace(&mmu, 0, HIGH_RID, to), 0);
		assert_int_equal(vtd_context_get(&t, HIGH_RID, &now), 0);
		assert_int_equal(was.lo, now.lo);
		assert_int_equal(dev->pasid_dir, dir);
		assert_int_not_equal(dev->did, did);
		assert_false(vtd_dids_used(&mmu.unit[1].vtd.dids, did));
		assert_int_equal(vtd_pasid_get(dir, &e), 0);
		assert_int_equal(e.qw[0] & SPEC_PE_SSPTPTR, mmu.domain[to].ss.top);
		assert_int_equal(e.qw[1] & SPEC_PE_HI_DID, dev->did);
		assert_int_equal(model_pages_in_use(), used);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x60), 0);
		assert_int_equal(at(page), 0x60);
		assert_int_equal(iommu_detach(&mmu, 0, HIGH_RID), 0);
		assert_int_equal(model_pages_in_use(), used - 2);
		assert_int_equal(model_violations(), 0);
	}
}

/* Each unit is told its own: the second one's caches do not hear of it. */
static void test_two_units(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		print_message("# %s\n", kinds[k].name);
		machine(&kinds[k].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		low_page = mem_alloc_pages(0);
		high_page = mem_alloc_pages(0);
		attach(NAMED_RID, domain_with(NAMED_RID, low_page));
		assert_int_equal(iommu_detach(&mmu, 0, RMRR_RID), 0);
		attach(HIGH_RID, domain_with(HIGH_RID, high_page));
		assert_int_equal(iommu_device_of(&mmu, 0, NAMED_RID)->did,
				 iommu_device_of(&mmu, 0, HIGH_RID)->did);
		assert_int_equal(dma(NAMED_RID, IOVA, 0x70), 0);
		assert_int_equal(dma(HIGH_RID, IOVA, 0x71), 0);
		assert_int_equal(at(low_page), 0x70);
		assert_int_equal(at(high_page), 0x71);
		assert_int_equal(iommu_detach(&mmu, 0, NAMED_RID), 0);
		assert_int_equal(dma(NAMED_RID, IOVA, 0x72), no_context());
		assert_int_equal(dma(HIGH_RID, IOVA, 0x73), 0);
		assert_int_equal(at(high_page), 0x73);
		assert_int_equal(model_violations(), 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair_of_modes),
		cmocka_unit_test(test_which_unit_lacks_a_mode),
		cmocka_unit_test(test_functions_from_80h_on),
		cmocka_unit_test(test_sharers),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_failed_invalidation_keeps_the_structures),
		cmocka_unit_test(test_replace_keeps_the_directory),
		cmocka_unit_test(test_two_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
