/* The kernel's IOMMU code on the strict model, on every kind of unit: bring-up, many devices, replacing
 * under DMA, fencing, what firmware wants kept.  Table modes that firmware left on are in
 * test_model_modes.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model_machine.h"

static const struct {
	const char *name;
	struct model_traits t;
} kinds[] = {
	{ "coherent",      { .coherent = true } },
	{ "not_coherent",  { .sslps = 3 } },
	{ "caching_mode",  { .cm = true } },
	{ "write_buffer",  { .no_qi = true, .coherent = true, .rwbf = true } },
	{ "queue_only",    { .major = 6, .coherent = true, .pmr = true, .nfr = 4 } },
	{ "esrtps",        { .esrtps = true, .ir = true } },
	{ "scalable",      { .smts = true, .coherent = true, .smpwcs = true } },
	{ "scalable_no_c", { .smts = true, .sslps = 3 } },
	{ "scalable_no_snoop", { .smts = true, .coherent = true, .rps = true } },
	{ "scalable_snoop_no_c", { .smts = true, .smpwcs = true } },
	{ "scalable_cm",   { .smts = true, .cm = true, .smpwcs = true } },
	{ "scalable_v6",   { .major = 6, .smts = true, .coherent = true, .smpwcs = true, .rps = true,
			     .esrtps = true, .ir = true, .mgaw = 57, .mamv = 45, .sslps = 3 } },
};

/* ---- bring-up ------------------------------------------------------------------------------- */

/* Firmware's protection before boot: everything but its own region. */
static void protect(struct model_unit *u)
{
	u->pmen = SPEC_PMEN_EPM | SPEC_PMEN_PRS;
	u->plm[0] = 0;
	u->plm[1] = (uint32_t)MIB(1024);
	u->phm[0] = u->phm[1] = GIB(4);
}

static void test_default_is_deny(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		for (unsigned unit = 0; unit < 2; unit++) {
			if (kinds[i].t.pmr)
				protect(model_unit(unit));
			if (kinds[i].t.ir)
				model_unit(unit)->gsts |= SPEC_GSTS_IRES | SPEC_GCMD_SIRTP;
		}
		discover();
		assert_int_equal(dma(NAMED_RID, MIB(16), 1), -1);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), 0);	/* never stopped */
		assert_int_equal(iommu_bring_up(&mmu), 0);
		assert_int_equal(model_unit(0)->pmen | model_unit(1)->pmen, 0);
		assert_int_equal((model_unit(0)->gsts | model_unit(1)->gsts) & SPEC_GSTS_IRES, 0);
		commands[NAMED_RID] |= PCI_COMMAND_MASTER;
		assert_int_not_equal(dma(NAMED_RID, MIB(16), 1), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 2), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_LIMIT - 7, 3), 0);
		assert_int_equal(at(RMRR_BASE), 2);
		assert_int_not_equal(dma(RMRR_RID, RMRR_LIMIT + 1, 3), 0);
		assert_int_not_equal(dma(RMRR_RID, RMRR_BASE - 8, 3), 0);
		assert_int_equal(model_violations(), 0);
		assert_int_equal(iommu_shut_down(&mmu), 0);
		assert_int_equal(model_unit(0)->gsts & SPEC_GSTS_TES, 0);
		assert_int_equal(model_violations(), 0);
	}
}

static long bring_up_under_dma(const struct model_traits *t, long step, uint16_t rmrr_did,
			       uint16_t other_did)
{
	long steps;

	machine(t);
	firmware_translates(1, SPEC_TTM_LEGACY, rmrr_did, other_did);
	model_unit(1)->te_must_stay = !t->smts;		/* ours is the same table mode then */
	discover();
	rmrr_lost = rmrr_sent = 0;
	model_inject(step, rmrr_write, NULL);
	assert_int_equal(iommu_bring_up(&mmu), 0);
	steps = model_steps();
	model_inject(0, NULL, NULL);
	assert_int_equal(rmrr_lost, 0);
	rmrr_write(NULL);
	assert_int_equal(rmrr_lost, 0);
	commands[OTHER_RID] |= PCI_COMMAND_MASTER;
	assert_int_not_equal(dma(OTHER_RID, RMRR_BASE, 1), 0);
	assert_int_equal(model_violations(), 0);
	return steps;
}

/* A device that firmware keeps going is translated alike at every step of the switch. */
static void test_rmrr_device_never_stops(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		long steps;

		if (kinds[i].t.cm)
			continue;	/* hardware never has it; an emulator has no RMRR */
		steps = bring_up_under_dma(&kinds[i].t, MODEL_EVERY_STEP, 7, 2);
		assert_true(rmrr_sent > 40);
		for (long k = 1; k <= steps; k++)
			bring_up_under_dma(&kinds[i].t, k, 7, 2);
		print_message("# bring_up.%s: %ld steps\n", kinds[i].name, steps);
	}
}

/* ---- domains -------------------------------------------------------------------------------- */

#define MANY	(8 * NR_DEVS)
#define SHARERS	3

/* 136 functions over two units, three to a domain; then all of them go again. */
static void test_many_devices(void **state)
{
	paddr_t page[MANY / SHARERS + 1];
	uint64_t used;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		print_message("# %s\n", kinds[k].name);
		machine(&kinds[k].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		used = model_pages_in_use();
		page[0] = mem_alloc_pages(0);
		attach(NAMED_RID, domain_with(NAMED_RID, page[0]));
		for (unsigned i = 1; i < MANY; i += SHARERS) {
			const size_t p = 1 + (i - 1) / SHARERS;
			size_t domain;

			page[p] = mem_alloc_pages(0);
			domain = domain_with(nth(i), page[p]);
			for (unsigned s = i; s < i + SHARERS && s < MANY; s++)
				attach(nth(s), domain);
		}
		model_prefetch(0);
		model_prefetch(1);
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(dma(nth(i), IOVA + 8 * (i % 64), 0x100 + i), 0);
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(at(page[i ? 1 + (i - 1) / SHARERS : 0] + 8 * (i % 64)), 0x100 + i);
		assert_int_equal(model_violations(), 0);

		for (unsigned i = 0; i < MANY; i++) {
			assert_int_equal(iommu_detach(&mmu, 0, nth(i)), 0);
			assert_int_not_equal(dma(nth(i), IOVA, 1), 0);
		}
		while (mmu.nr_domains > 1)	/* the RMRR device keeps its own */
			iommu_domain_destroy(&mmu, mmu.nr_domains - 1);
		for (unsigned p = 0; p <= (MANY - 2) / SHARERS + 1; p++)
			mem_free_pages(page[p], 0);
		assert_int_equal(mmu.nr_devices, 1);
		/* What is left: unit 0 has gained a context table, unit 1 that of the functions below 80h. */
		assert_int_equal(model_pages_in_use(), used + (kinds[k].t.smts ? 2 : 1));
		assert_int_equal(model_violations(), 0);
	}
}

/* ---- live replace --------------------------------------------------------------------------- */

static paddr_t old_page, new_page;
static unsigned in_old, in_new, lost;

static void racing_write(void *ctx)
{
	static uint64_t v = 0x1000;

	(void)ctx;
	v++;
	if (dma(OTHER_RID, IOVA, v))
		lost++;
	else if (at(old_page) == v)
		in_old++;
	else if (at(new_page) == v)
		in_new++;
	else
		lost++;
}

static long replace_under_dma(const struct model_traits *t, long step, bool warm)
{
	size_t old, new_;
	long steps;

	machine(t);
	discover();
	assert_int_equal(iommu_bring_up(&mmu), 0);
	old_page = mem_alloc_pages(0);
	new_page = mem_alloc_pages(0);
	old = domain_with(OTHER_RID, old_page);
	attach(OTHER_RID, old);
	new_ = domain_with(OTHER_RID, new_page);
	if (warm)
		model_prefetch(1);
	in_old = in_new = lost = 0;
	model_inject(step, racing_write, NULL);
	assert_int_equal(iommu_replace(&mmu, 0, OTHER_RID, new_), 0);
	steps = model_steps();
	iommu_domain_destroy(&mmu, old);
	mem_free_pages(old_page, 0);
	model_inject(0, NULL, NULL);
	assert_int_equal(lost, 0);
	in_old = in_new = 0;
	racing_write(NULL);
	assert_int_equal(in_new, 1);
	assert_int_equal(model_violations(), 0);
	return steps;
}

static void test_replace_with_dma_at_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (unsigned warm = 0; warm < 2; warm++) {
			const long steps = replace_under_dma(&kinds[i].t, MODEL_EVERY_STEP, warm);

			assert_true(steps > 5);
			for (long k = 1; k <= steps; k++)
				replace_under_dma(&kinds[i].t, k, warm);
		}
}

/* ---- fence, silence ------------------------------------------------------------------------- */

static void test_fence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		old_page = mem_alloc_pages(0);
		attach(OTHER_RID, domain_with(OTHER_RID, old_page));
		assert_int_equal(dma(OTHER_RID, IOVA, 1), 0);
		iommu_fence(&mmu, 0, OTHER_RID);
		assert_int_equal(dma(OTHER_RID, IOVA, 2), -1);
		commands[OTHER_RID] |= PCI_COMMAND_MASTER;	/* even if it came on again */
		assert_int_equal(dma(OTHER_RID, IOVA, 2), no_context());
		assert_int_equal(at(old_page), 1);
		mem_free_pages(old_page, 0);
		assert_int_equal(vtd_fault_clear(&mmu.unit[1].vtd), 0);
		assert_int_equal(iommu_suppress_faults(&mmu, 1, OTHER_RID), 0);
		assert_int_equal(dma(OTHER_RID, IOVA, 2), no_context());
		assert_int_equal(model_unit(1)->fsts, 0);
		assert_int_equal(model_violations(), 0);
	}
}

/* ---- what firmware wants kept, by the same calls ------------------------------------------------ */

#define SECOND_RID	PCI_RID(0, 3, 0)
#define LARGE_BASE	UINT64_C(0x60003000)
#define LARGE_LIMIT	UINT64_C(0x60545fff)	/* 5 MiB, no end on a 2 MiB boundary */

/* Regions of up to two devices, and what each of them must then reach: both ends, no byte around
 * them.  A broken one gives its device nothing, not even bus master. */
static const struct {
	const char *name;
	struct rmrr r[2];
	bool reached[2];
} shapes[] = {
	{ "large",	     { { RMRR_RID, LARGE_BASE, LARGE_LIMIT } }, { true } },
	{ "unaligned",	     { { RMRR_RID, RMRR_BASE + 0x810, RMRR_BASE + 0x1f0f } }, { true } },
	{ "two_devices",     { { RMRR_RID, RMRR_BASE, RMRR_LIMIT },
			       { SECOND_RID, RMRR_BASE, RMRR_LIMIT } }, { true, true } },
	{ "two_regions",     { { RMRR_RID, LARGE_BASE, LARGE_LIMIT },
			       { RMRR_RID, RMRR_BASE, RMRR_LIMIT } }, { true, true } },
	{ "overlap",	     { { RMRR_RID, LARGE_BASE + MIB(3), LARGE_BASE + MIB(3) + 0xfff },
			       { RMRR_RID, LARGE_BASE, LARGE_LIMIT } }, { false, true } },
	{ "absent",	     { { PCI_RID(0, 0x1e, 0), RMRR_BASE, RMRR_LIMIT } }, { false } },
	{ "backwards",	     { { RMRR_RID, RMRR_LIMIT + 1, RMRR_BASE } }, { false } },
	{ "zero",	     { { RMRR_RID, 0, 0 } }, { false } },
	{ "whole_space",     { { RMRR_RID, 0, UINT64_MAX } }, { false } },
	{ "one_of_two",	     { { RMRR_RID, RMRR_LIMIT, RMRR_BASE },
			       { SECOND_RID, RMRR_BASE, RMRR_LIMIT } }, { false, true } },
};

static void reaches_exactly(const struct rmrr *r)
{
	const paddr_t base = ALIGN_DOWN(r->base, PAGE_SIZE), end = ALIGN_UP(r->limit + 1, PAGE_SIZE);
	const paddr_t in[] = { base, ALIGN_DOWN(base / 2 + end / 2, PAGE_SIZE), end - 8 };

	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		assert_int_equal(dma(r->rid, in[i], 0x100 + i), 0);
		assert_int_equal(at(in[i]), 0x100 + i);
	}
	assert_int_not_equal(dma(r->rid, base - 8, 1), 0);
	assert_int_not_equal(dma(r->rid, end, 1), 0);
}

static void test_rmrr_shapes(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
			const struct rmrr *r = shapes[i].r;
			size_t devices = 0;

			print_message("# %s.%s\n", kinds[k].name, shapes[i].name);
			machine_with(&kinds[k].t, r, r[1].limit ? 2 : 1);
			discover();
			assert_int_equal(iommu_bring_up(&mmu), 0);
			for (size_t d = 0; d < 2; d++)
				if (shapes[i].reached[d]) {
					reaches_exactly(&r[d]);
					devices += d == 0 || r[0].rid != r[d].rid || !shapes[i].reached[0];
				}
			assert_int_equal(mmu.nr_devices, devices);
			assert_int_equal(mmu.nr_domains, devices);
			if (!devices && r[0].rid == RMRR_RID) {
				assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), -1);	/* silenced */
				commands[RMRR_RID] |= PCI_COMMAND_MASTER;
				assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), no_root());
			}
			assert_int_equal(model_violations(), 0);
		}
}

/* A domain that maps the region once more. */
static size_t rmrr_domain(void)
{
	const int unit = iommu_unit_of(&mmu, fn_of(RMRR_RID));
	const int domain = iommu_domain_create(&mmu, (size_t)unit, VTD_PG_4K, IOMMU_IOVA_BITS);

	assert_true(domain >= 0);
	assert_int_equal(vtd_ss_map(&mmu.domain[domain].ss, RMRR_BASE, RMRR_BASE,
				    RMRR_LIMIT + 1 - RMRR_BASE, VTD_SS_RW), 0);
	return (size_t)domain;
}

/* Its life after bring-up, with its DMA at one step or at every one: other devices come and go, its
 * domain is replaced and the old one freed.  None of its writes is lost. */
static long live_on(const struct model_traits *t, long step)
{
	size_t old, other;
	long steps;

	machine(t);
	discover();
	assert_int_equal(iommu_bring_up(&mmu), 0);
	rmrr_lost = rmrr_sent = 0;
	old = iommu_device_of(&mmu, 0, RMRR_RID)->domain;
	old_page = mem_alloc_pages(0);
	other = domain_with(OTHER_RID, old_page);
	model_prefetch(1);
	model_inject(step, rmrr_write, NULL);
	attach(OTHER_RID, other);
	assert_int_equal(dma(OTHER_RID, IOVA, 1), 0);
	iommu_fence(&mmu, 0, OTHER_RID);
	attach(OTHER_RID, domain_with(OTHER_RID, old_page));
	assert_int_equal(iommu_detach(&mmu, 0, OTHER_RID), 0);
	assert_int_equal(iommu_replace(&mmu, 0, RMRR_RID, rmrr_domain()), 0);
	steps = model_steps();
	iommu_domain_destroy(&mmu, old);
	mem_free_pages(old_page, 0);
	model_inject(0, NULL, NULL);
	reaches_exactly(&one_rmrr);
	assert_int_equal(rmrr_lost, 0);
	assert_int_equal(model_violations(), 0);
	return steps;
}

static void test_rmrr_device_lives_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const long steps = live_on(&kinds[i].t, MODEL_EVERY_STEP);

		assert_true(rmrr_sent > 20);
		for (long k = 1; k <= steps; k++)
			live_on(&kinds[i].t, k);
		print_message("# %s: %ld steps\n", kinds[i].name, steps);
	}
}

/* Broken records fence it as any other device: nothing of it lands, not even in its region, until it
 * has a domain again. */
static void test_rmrr_device_is_fenced(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint16_t did;

		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		old_page = mem_alloc_pages(0);
		attach(OTHER_RID, domain_with(OTHER_RID, old_page));
		did = iommu_device_of(&mmu, 0, RMRR_RID)->did;
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), 0);
		iommu_fence(&mmu, 0, RMRR_RID);
		assert_null(iommu_device_of(&mmu, 0, RMRR_RID));
		assert_int_equal(mmu.nr_domains, 1);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 2), -1);
		commands[RMRR_RID] |= PCI_COMMAND_MASTER;
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 2), no_context());
		assert_int_equal(at(RMRR_BASE), 1);
		assert_int_equal(dma(OTHER_RID, IOVA, 3), 0);	/* who shares its unit goes on */
		assert_int_equal(at(old_page), 3);
		assert_false(vtd_dids_used(&mmu.unit[1].vtd.dids, did));
		attach(RMRR_RID, rmrr_domain());
		reaches_exactly(&one_rmrr);
		assert_int_equal(iommu_detach(&mmu, 0, RMRR_RID), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 4), no_context());
		iommu_fence(&mmu, 0, OTHER_RID);
		mem_free_pages(old_page, 0);
		assert_int_equal(model_violations(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_is_deny),
		cmocka_unit_test(test_rmrr_device_never_stops),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_replace_with_dma_at_every_step),
		cmocka_unit_test(test_fence),
		cmocka_unit_test(test_rmrr_shapes),
		cmocka_unit_test(test_rmrr_device_lives_on),
		cmocka_unit_test(test_rmrr_device_is_fenced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
