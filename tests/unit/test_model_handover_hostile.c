/* Devices without a domain across hand-overs on the strict model: nothing of theirs lands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/model_world.h"

/* It ignores that its bus master is off, from the beginning to the end.  Its faults are seen. */
static void test_rogue(void **state)
{
	(void)state;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (size_t i = 0; i < WORLD_PAIRS; i++) {
			struct world w = world_pairs[i];

			if (!world_has_mode(&w, world_modes[m]))
				continue;
			w.mode = world_modes[m];
			w.rogue = true;
			w.board.nr_rmrrs = 2;
			world_begin(&w);
			assert_string_equal(world_serve(30), "stream.no_fault");
			for (unsigned g = 0; g < 2; g++) {
				assert_int_equal(world_save(), 0);
				assert_string_equal(kernel_bad_checks(), "");
				world_jump();
				assert_true(world_adopt());
				assert_string_equal(kernel_bad_checks(), "handoff.no_fault");
				assert_string_equal(world_serve(30), "stream.no_fault");
				world_judge();
			}
			assert_true(world_seen.tried > 500);
		}
}

/* hostile=: NIC 1 is left behind with its bus master on.  It goes on trying, its first fault is
 * looked at and the rest are not recorded, so that NIC 0's own would be seen. */
static void test_hostile(void **state)
{
	uint64_t landed, refused;

	(void)state;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (size_t i = 0; i < WORLD_PAIRS; i++) {
			struct world w = world_pairs[i];

			print_message("# %zu\n", i);
			if (!world_has_mode(&w, world_modes[m]))
				continue;
			w.mode = world_modes[m];
			w.hostile = true;
			world_begin(&w);
			assert_string_equal(world_serve(30), "");
			assert_int_equal(world_save(), 0);
			assert_string_equal(kernel_bad_checks(), "");
			landed = board_nic(1)->frames;
			refused = board_nic(1)->refused;
			world_jump();
			assert_true(world_adopt());
			assert_string_equal(kernel_bad_checks(), "");
			assert_int_equal(world_run()->nr_ports, 1);
			assert_string_equal(world_serve(30), "");
			world_hand_over();
			assert_string_equal(world_serve(30), "");
			assert_true(board_command(BOARD_NIC(1)) & PCI_COMMAND_MASTER);
			assert_int_equal(board_nic(1)->frames, landed);
			assert_true(board_nic(1)->refused > refused + 300);
			assert_true(board_blocked(board_nic(1)->reason));
			world_judge();
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rogue),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
