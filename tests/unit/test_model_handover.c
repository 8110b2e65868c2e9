/* Hand-overs on the strict model: every kind of unit, one NIC and two, several generations, DMA of
 * all devices before every step of either kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/selftest/selftest.h"
#include "platform/mem.h"
#include "tests/model/spec.h"
#include "tests/unit/model_world.h"
#include "vtd/inval.h"

#define FRESH_IOVA	UINT64_C(0x10000000)

/* Every kind of unit in every mode, with the first @memories of how long they remember in turn. */
static void for_each(void (*run)(struct world *w), unsigned memories)
{
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (unsigned k = 0; k < WORLD_KINDS; k++) {
			struct world w = { .board.nr_units = 1, .unit = { world_kinds[k].t },
					   .mode = world_modes[m],
					   .evict = world_memories[(k + m) % memories] };

			if (!world_has_mode(&w, w.mode))
				continue;
			print_message("# mode %u, %s, evicted %u\n", w.mode, world_kinds[k].name, w.evict);
			run(&w);
		}
}

/* What the devices did while the hand-over lasted. */
struct counts {
	uint64_t frames, looks, writes;
};

static struct counts counts_now(unsigned nic)
{
	return (struct counts){ board_nic(nic)->frames, board_nic(nic)->prefetched, world_seen.landed };
}

/* From the first step of saving to the last of adopting the NIC reads and receives, and a device
 * with an RMRR writes. */
static void one_port(struct world *w)
{
	struct counts before, after;

	w->board = (struct board){ .nr_units = 1, .nr_nics = 1, .nr_rmrrs = 1 };
	world_begin(w);
	assert_string_equal(world_serve(30), "");
	before = counts_now(0);
	world_hand_over();
	after = counts_now(0);
	assert_in_range(after.frames - before.frames, 30, 1000);
	assert_in_range(after.looks - before.looks, 300, 10000);
	assert_in_range(after.writes - before.writes, 300, 10000);
	assert_string_equal(world_serve(30), "");
	world_judge();
	world_finish();
}

static void test_one_port(void **state)
{
	(void)state;
	for_each(one_port, WORLD_MEMORIES);
}

/* A domain that was adopted is mapped into and unmapped as one that was made here. */
static void adopted_domain_is_ours(uint16_t rid)
{
	const struct iommu_device *dev = world_device(rid);
	struct vtd_unit *u = &world_run()->mmu->unit[dev->unit].vtd;
	struct vtd_ss *ss = &world_run()->mmu->domain[dev->domain].ss;
	const paddr_t page = mem_alloc_pages(0);
	bool tables;

	assert_int_equal(vtd_ss_map(ss, FRESH_IOVA, page, PAGE_SIZE, VTD_SS_W), 0);
	assert_int_equal(vtd_inval_pages_added(u, dev->did, FRESH_IOVA, PAGE_SIZE), 0);
	assert_int_equal(board_dma_write(rid, FRESH_IOVA + 8, "landed", 7), 0);
	assert_string_equal((const char *)mem_ptr(page + 8), "landed");
	assert_int_equal(vtd_ss_unmap(ss, FRESH_IOVA, PAGE_SIZE), 0);
	tables = vtd_ss_unlink_tables(ss, FRESH_IOVA, PAGE_SIZE);
	assert_true(tables);
	assert_int_equal(vtd_inval_pages(u, dev->did, FRESH_IOVA, PAGE_SIZE, !tables), 0);
	vtd_ss_free_tables(ss);
	assert_true(board_blocked(board_dma_write(rid, FRESH_IOVA + 8, "again", 6)));
	assert_string_equal((const char *)mem_ptr(page + 8), "landed");
	mem_free_pages(page, 0);
	assert_int_equal(vtd_fault_clear(u), 0);
}

/* Two domains of one unit, the same addresses in both, or one that both NICs share; one NIC is behind
 * a bridge.  Domains that the adopting kernel makes in their place are handed on like them. */
static void two_ports(struct world *w)
{
	struct run *r = world_run();

	w->board = (struct board){ .nr_units = 1, .nr_nics = 2, .nr_rmrrs = 1 };
	w->profile = w->evict ? PROFILE_IOMMU_SERIES : PROFILE_LINUX_7_3;
	w->shared = w->evict;
	world_begin(w);
	assert_string_equal(world_serve(30), "");
	world_hand_over();
	assert_int_equal(world_device(BOARD_NIC(0))->did == world_device(BOARD_NIC(1))->did, w->shared);
	adopted_domain_is_ours(BOARD_NIC(1));
	assert_string_equal(world_serve(30), "");
	for (size_t i = 0; i < r->nr_ports; i++)
		selftest_replace(r, &r->port[i]);
	assert_int_not_equal(r->mmu->domain[0].id, r->mmu->domain[1].id);
	world_hand_over();
	assert_string_equal(world_serve(30), "");
	world_judge();
	world_finish();
}

static void test_two_ports(void **state)
{
	(void)state;
	for_each(two_ports, 2);
}

#define GENERATIONS	4

/* F50: what one generation writes the next one reads and writes anew, and nothing adds up. */
static void test_generations(void **state)
{
	struct world w = { .board = { .nr_units = 2, .nr_nics = 2, .nr_rmrrs = 2 }, .evict = 5,
			   .unit = { { .coherent = true }, { .cm = true } } };
	uint64_t taken[GENERATIONS], in_use[GENERATIONS];

	(void)state;
	for (unsigned m = 0; m < WORLD_MODES; m++) {
		w.mode = world_modes[m];
		world_begin(&w);
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
		}
		assert_int_equal(taken[3], taken[2]);
		assert_int_equal(in_use[3], in_use[2]);
		world_judge();
		world_finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_port),
		cmocka_unit_test(test_two_ports),
		cmocka_unit_test(test_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
