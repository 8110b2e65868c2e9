/* The jump to a Linux that does not know KHO, linux_kho=no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/handover/save.h"
#include "kernel/report/verdict.h"
#include "tests/model/spec.h"
#include "tests/unit/model_world.h"

static struct run *before_linux(unsigned mode)
{
	struct world w = world_pairs[3];	/* two units, a NIC on each */
	struct run *r = world_run();

	w.mode = world_modes[mode];
	world_begin(&w);
	assert_string_equal(world_serve(30), "");
	assert_int_equal(world_save(), 0);
	r->cfg.handoff_to = TARGET_LINUX;
	r->cfg.generations = r->cfg.generation + 2;
	for (unsigned i = 0; i < w.board.nr_units; i++)
		model_unit(i)->te_must_stay = false;
	return r;
}

static void nobody_is_bus_master(const struct iommu *mmu)
{
	for (size_t i = 0; i < mmu->nr_fns; i++)
		if (!mmu->fns[i].is_bridge)
			assert_false(pci_is_bus_master(mmu->fns[i].segment, mmu->fns[i].rid));
}

static void test_stopped(void **state)
{
	(void)state;
	for (volatile unsigned m = 0; m < WORLD_MODES; m++) {
		const struct run *r = before_linux(m);

		if (!setjmp(kernel_jumps)) {
			handover_jump(world_run(), &(struct kexec_target){ 0 });
			fail_msg("no jump");
		}
		nobody_is_bus_master(r->mmu);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(model_unit(i)->gsts & (SPEC_GSTS_TES | SPEC_GSTS_QIES), 0);
		assert_int_equal(model_violations(), 0);
	}
}

static void test_stuck(void **state)
{
	(void)state;
	for (volatile unsigned m = 0; m < WORLD_MODES; m++) {
		const struct run *r = before_linux(m);

		model_unit(1)->te_is_stuck = true;
		if (!setjmp(kernel_jumps)) {
			if (!setjmp(kernel_ends)) {
				handover_jump(world_run(), &(struct kexec_target){ 0 });
				fail_msg("neither jumped nor ended");
			}
		} else {
			fail_msg("jumped");
		}
		assert_int_equal(kernel_verdict.code, VERDICT_TIMEOUT);
		assert_non_null(strstr(kernel_verdict.sentence, "Linux is not started"));
		nobody_is_bus_master(r->mmu);
		assert_int_equal(model_unit(0)->gsts & SPEC_GSTS_TES, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
