/* Generations on the strict model of which the first was started by another kernel: what it handed over
 * goes on from one to the next, what its units still point at is left alone until they no longer do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/handover/corrupt.h"
#include "kernel/handover/receive.h"
#include "kernel/report/verdict.h"
#include "kho/crc32c.h"
#include "platform/mem.h"
#include "tests/model/spec.h"
#include "tests/unit/model_foreign.h"
#include "tests/unit/model_world.h"

#define GENERATIONS	5

static void follow(struct world *w)
{
	uint64_t taken[GENERATIONS], in_use[GENERATIONS];

	world_begin(w);
	foreign_left_untouched(&w->board);
	foreign_check(&world_run()->foreign);
	for (unsigned g = 0; g < GENERATIONS; g++) {
		assert_int_equal(world_run()->cfg.generation, g);
		assert_string_equal(world_serve(30), "");
		assert_int_equal(world_save(), 0);
		assert_string_equal(kernel_bad_checks(), "");
		taken[g] = world_pages();
		in_use[g] = model_pages_in_use();
		world_jump();
		assert_true(world_adopt());
		assert_string_equal(kernel_bad_checks(), "");
		foreign_check(&world_run()->foreign);
		assert_int_equal(world_run()->window.areas.nr, FOREIGN_SCRATCH);
	}
	assert_int_equal(taken[4], taken[3]);
	assert_int_equal(in_use[4], in_use[3]);
	world_judge();
	world_finish();
}

/* Every kind of unit, left in either table mode that it has, with interrupt remapping and without. */
static void test_generations(void **state)
{
	(void)state;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (unsigned k = 0; k < WORLD_KINDS; k++) {
			struct world w = { .board = { .nr_units = 1, .nr_nics = 1, .nr_rmrrs = 1 },
					   .unit = { world_kinds[k].t }, .mode = world_modes[m],
					   .foreign = true };

			if (!world_has_mode(&w, w.mode))
				continue;
			w.left_scalable = k % 2 && world_has_mode(&w, MODE_SCALABLE);
			w.unit[0].smts |= w.left_scalable;
			w.unit[0].ir = !w.unit[0].no_qi && (k + m) % 2;
			print_message("# mode %u, left in %u, interrupt remapping %u: %s\n", w.mode,
				      w.left_scalable, w.unit[0].ir, world_kinds[k].name);
			follow(&w);
		}
}

/* Two units, interrupt remapping on both, two NICs. */
static void test_two_units(void **state)
{
	struct world w = { .board = { .nr_units = 2, .nr_nics = 2, .nr_rmrrs = 2 }, .foreign = true,
			   .unit = { { .coherent = true, .ir = true }, { .ir = true } },
			   .profile = PROFILE_IOMMU_SERIES };

	(void)state;
	follow(&w);
}

/* ---- what generation 0 refuses ------------------------------------------------------------------ */

/* A wait would be written into what was handed over, or into our own memory. */
static void test_points_at_data(void **state)
{
	struct world w = { .board = { .nr_units = 1, .nr_nics = 1 }, .unit = { { .coherent = true } },
			   .foreign = true };

	(void)state;
	for (w.ring = FOREIGN_RING_PRESERVED; w.ring <= FOREIGN_RING_IN_SCRATCH; w.ring++) {
		if (!setjmp(kernel_ends)) {
			world_begin(&w);
			fail_msg("accepted");
		}
		assert_int_equal(kernel_verdict.code, VERDICT_HANDOFF);
		assert_non_null(strstr(kernel_verdict.sentence,
				       "remapping unit has its queue in memory that is handed over"));
		foreign_check(&world_run()->foreign);
	}
}

/* The run ends where other processors may go on, or where INIT would reset the machine's first one. */
static void test_processors(void **state)
{
	static const struct { int err; unsigned code; const char *sentence; } cases[] = {
		{ -EOPNOTSUPP, VERDICT_HANDOFF, "not started on the boot processor" },
		{ -ENOMEM, VERDICT_MEMORY, "local APIC's page cannot be mapped" },
		{ -ETIMEDOUT, VERDICT_TIMEOUT, "does not send INIT" },
	};

	(void)state;
	for (volatile size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		kernel_apic_error = cases[i].err;
		if (!setjmp(kernel_ends)) {
			receive_machine();
			fail_msg("accepted");
		}
		assert_int_equal(kernel_verdict.code, cases[i].code);
		assert_non_null(strstr(kernel_verdict.sentence, cases[i].sentence));
	}
	kernel_apic_error = -ENODEV;	/* none, so nobody to stop */
	receive_machine();
	kernel_apic_error = 0;
	receive_machine();
}

/* ---- what the next kernel finds broken --------------------------------------------------------- */

static void begin(void)
{
	static const struct world w = { .board = { .nr_units = 1, .nr_nics = 1 }, .foreign = true,
					.unit = { { .coherent = true } } };

	world_begin(&w);
	assert_string_equal(world_serve(30), "");
}

static const struct foreign *carried(void) { return &world_run()->foreign; }

static void session_block(void) { *(uint8_t *)mem_ptr(carried()->luo.sessions_pa + 16) ^= 1; }
static void sub_node(void) { *(uint8_t *)mem_ptr(carried()->node[0].pa + carried()->node[0].size - 1) ^= 1; }
static void extent_list(void) { *(uint8_t *)mem_ptr(kernel_place.node->foreign.extents_pa + 8) ^= 1; }

static const struct { const char *name; void (*change)(void); const char *sentence; } broken[] = {
	{ "a foreign session", session_block, "foreign session or sub-node changed since it was handed over" },
	{ "a foreign sub-node", sub_node, "foreign session or sub-node changed since it was handed over" },
	{ "the list of foreign memory", extent_list, "list of foreign memory changed since it was written" },
};

static void test_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		print_message("# %s\n", broken[i].name);
		begin();
		assert_int_equal(world_save(), 0);
		broken[i].change();
		world_jump();
		assert_false(world_adopt());
		assert_int_equal(kernel_verdict.code, VERDICT_HANDOFF);
		assert_non_null(strstr(kernel_verdict.sentence, broken[i].sentence));
		assert_int_equal(board_masters(), 0);
	}
}

/* ---- what is noticed before the jump --------------------------------------------------------------- */

static void drop_a_session(const struct corrupt_place *p)
{
	struct kho_luo_ser *luo = mem_ptr(p->luo);
	struct kho_block_ser *ours = mem_ptr(luo->sessions_pa);

	ours->next_pa = 0;
}

static void change_a_file(const struct corrupt_place *p)
{
	(void)p;
	session_block();
}

/* As if the handoff had been written without it. */
static void lose_a_node(const struct corrupt_place *p)
{
	(void)p;
	world_run()->foreign.nr_nodes++;
}

static void test_outgoing(void **state)
{
	static void (*const breaks[])(const struct corrupt_place *) = {
		drop_a_session, change_a_file, lose_a_node };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		begin();
		kernel_breaks_early = breaks[i];
		assert_int_not_equal(world_save(), 0);
		assert_non_null(strstr(kernel_bad_checks(), "save.handoff_reads_back"));
	}
}

/* Between receiving it and handing it on, when nobody has written anew what digests it. */
static void test_changed_under_way(void **state)
{
	static void (*const changes[])(void) = { session_block, sub_node };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		begin();
		changes[i]();
		assert_int_not_equal(world_save(), 0);
		assert_non_null(strstr(kernel_bad_checks(), "save.handoff_reads_back"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_two_units),
		cmocka_unit_test(test_points_at_data),
		cmocka_unit_test(test_processors),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_outgoing),
		cmocka_unit_test(test_changed_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
