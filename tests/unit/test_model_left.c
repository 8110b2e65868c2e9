/* Units that a kernel before us left translating, on the strict model: off before memory is claimed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/memory/keep.h"
#include "model_machine.h"
#include "vtd/regs.h"

static const struct {
	const char *name;
	struct model_traits t;
	uint8_t ttm;
} kinds[] = {
	{ "legacy", { .coherent = true }, SPEC_TTM_LEGACY },
	{ "scalable", { .smts = true, .coherent = true, .smpwcs = true }, SPEC_TTM_SCALABLE },
	{ "scalable_to_legacy", { .smts = true, .coherent = true, .smpwcs = true }, SPEC_TTM_SCALABLE },
};

static bool listed(const struct keep_range *r, size_t n, paddr_t pa)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].base == pa && r[i].len == PAGE_SIZE)
			return true;
	return false;
}

static size_t left_ranges(struct keep_range left[IOMMU_MAX_LEFT])
{
	const size_t n = iommu_left_queues(&mmu, left);

	return n + iommu_left_tables(&mmu, &left[n]);
}

/* Its tables may be overwritten from then on: nothing of them is looked at when ours are made. */
static void test_translating(void **state)
{
	struct keep_range left[IOMMU_MAX_LEFT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n;

		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		if (i == 2)
			mmu.ttm = VTD_TTM_LEGACY;
		firmware_translates(1, kinds[i].ttm, 7, 2);
		discover();
		assert_int_equal(iommu_stop_left(&mmu), 0);
		assert_int_equal(model_unit(1)->gsts & SPEC_GSTS_TES, 0);
		assert_int_equal(model_unit(1)->te_drops, 1);
		n = left_ranges(left);
		assert_int_equal(n, 2);
		assert_true(listed(left, n, FW_RING));
		assert_true(listed(left, n, FW_ROOT));

		for (paddr_t pa = FW_CONTEXT; pa < FW_RING; pa += 8)
			put64(pa, UINT64_MAX);
		assert_int_equal(iommu_bring_up(&mmu), 0);
		assert_int_equal(model_unit(1)->te_drops, 1);
		commands[OTHER_RID] |= PCI_COMMAND_MASTER;
		assert_int_not_equal(dma(OTHER_RID, RMRR_BASE, 1), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), 0);
		assert_int_equal(model_violations(), 0);
	}
}

/* A unit that was not in use points at nothing. */
static void test_idle(void **state)
{
	struct keep_range left[IOMMU_MAX_LEFT];

	(void)state;
	machine(&kinds[0].t);
	discover();
	assert_int_equal(iommu_stop_left(&mmu), 0);
	assert_int_equal(left_ranges(left), 0);
	assert_int_equal(model_unit(0)->te_drops | model_unit(1)->te_drops, 0);
}

/* Queue of several pages, table of 2^(S+1) entries of 16 bytes. */
static void test_sizes(void **state)
{
	struct keep_range left[IOMMU_MAX_LEFT];

	(void)state;
	machine(&kinds[0].t);
	discover();
	mmu.unit[0].found.gsts = VTD_GSTS_QIES | VTD_GSTS_IRES;
	mmu.unit[0].found.iqa = MIB(32) | 3;
	mmu.unit[0].found.irta = MIB(33) | 1 << 11 | 15;
	mmu.unit[1].found.gsts = VTD_GSTS_IRES;
	mmu.unit[1].found.irta = MIB(35);
	assert_int_equal(left_ranges(left), 3);
	assert_int_equal(left[0].base, MIB(32));
	assert_int_equal(left[0].len, 8 * PAGE_SIZE);
	assert_int_equal(left[1].base, MIB(33));
	assert_int_equal(left[1].len, MIB(1));
	assert_int_equal(left[2].len, 32);
	mmu.unit[0].used = false;
	assert_int_equal(left_ranges(left), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translating),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
