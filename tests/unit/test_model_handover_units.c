/* Two units, equal DIDs on both, more than 120 devices: handed over on the strict model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kho/abi.h"
#include "platform/mem.h"
#include "tests/model/spec.h"
#include "tests/unit/model_world.h"

#define NIC_IOVA(i)	(world_run()->port[i].control->rx.buffers_iova)

/* ---- equal ids ------------------------------------------------------------------------------ */

/* Kinds of two units that differ in what the driver must do. */
static const struct {
	const char *name;
	struct model_traits t[2];
} pairs[] = {
	{ "coherent, not coherent",   { { .coherent = true }, { .sslps = 3 } } },
	{ "queue, registers",         { { .cm = true }, { .no_qi = true, .coherent = true } } },
	{ "registers, esrtps",        { { .no_qi = true, .rwbf = true }, { .esrtps = true, .nfr = 4 } } },
	{ "queue only, write buffer", { { .major = 6, .coherent = true }, { .rwbf = true } } },
};

static void equal_dids(const struct world *w)
{
	const struct iommu_device *a, *b;

	world_begin(w);
	assert_string_equal(world_serve(30), "");
	for (unsigned g = 0; g < 2; g++) {
		world_hand_over();
		a = world_device(BOARD_NIC(0));
		b = world_device(BOARD_NIC(1));
		assert_int_not_equal(a->unit, b->unit);
		assert_int_equal(a->did, b->did);
		assert_int_not_equal(a->domain, b->domain);
		assert_int_equal(NIC_IOVA(0), NIC_IOVA(1));	/* the same addresses, other memory */
		assert_int_not_equal(world_run()->port[0].control->rx.buffers_pa,
				     world_run()->port[1].control->rx.buffers_pa);
		assert_string_equal(world_serve(30), "");
		world_judge();
	}
	world_finish();
}

static void test_equal_dids(void **state)
{
	(void)state;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
			for (unsigned k = 0; k < WORLD_MEMORIES; k++) {
				const struct world w = {
					.board = { .nr_units = 2, .nr_nics = 2, .nr_rmrrs = 2 },
					.unit = { pairs[i].t[0], pairs[i].t[1] },
					.mode = world_modes[m], .evict = world_memories[k],
				};

				if (!world_has_mode(&w, w.mode))
					continue;
				print_message("# mode %u, %s, evicted %u\n", w.mode, pairs[i].name, w.evict);
				equal_dids(&w);
			}
}

/* ---- many devices --------------------------------------------------------------------------- */

#define PLAIN		116
#define RMRRS		BOARD_RMRRS
#define MANY		(2 + RMRRS + PLAIN)

/* Blocks of device records, the first of which holds the first record. */
static unsigned record_pages(void)
{
	const struct kho_block_ser *b = mem_ptr(ALIGN_DOWN(kernel_place.device_record, PAGE_SIZE));
	unsigned n = 1;

	for (; b->next_pa; n++)
		b = mem_ptr(b->next_pa);
	return n;
}

/* Every device once more by itself, after all caches have been filled and after all are empty. */
static void everything_lands(void)
{
	world_dma(false);
	for (unsigned warm = 0; warm < 2; warm++) {
		for (unsigned unit = 0; unit < 2; unit++)
			warm ? model_prefetch(unit) : model_evict(unit);
		for (unsigned i = 0; i < PLAIN + RMRRS; i++) {
			const uint16_t rid = i < PLAIN ? BOARD_PLAIN_FN(i) : BOARD_RMRR(i - PLAIN);
			const struct world_target *t = world_target(rid);
			const uint64_t v = 0x1000 * (warm + 1) + i;

			assert_int_equal(board_dma_write(rid, t->iova, &v, sizeof(v)), 0);
			assert_int_equal(mem_read64(mem_ptr(t->pa)), v);
		}
	}
	world_dma(true);
}

/* What was adopted is as good as what was made: domains of some are replaced under DMA, shared and
 * unshared, then all are detached. */
static void all_can_go(void)
{
	struct iommu *mmu = world_run()->mmu;

	for (unsigned i = 0; i < PLAIN; i += 10) {
		struct iommu_device *d = world_device(BOARD_PLAIN_FN(i));
		const struct world_target *t = world_target(BOARD_PLAIN_FN(i));
		const int fresh = iommu_domain_create(mmu, d->unit, VTD_PG_4K, IOMMU_IOVA_BITS);

		assert_true(fresh >= 0);
		assert_int_equal(vtd_ss_map(&mmu->domain[fresh].ss, ALIGN_DOWN(t->iova, PAGE_SIZE),
					    ALIGN_DOWN(t->pa, PAGE_SIZE), PAGE_SIZE, VTD_SS_RW), 0);
		assert_int_equal(iommu_replace(mmu, 0, d->rid, (size_t)fresh), 0);
	}
	world_judge();
	for (unsigned i = 0; i < PLAIN; i++) {
		struct world_target *t = world_target(BOARD_PLAIN_FN(i));

		t->live = false;
		assert_int_equal(iommu_leave(mmu, 0, t->rid), 0);
		assert_true(board_blocked(board_dma_write(t->rid, t->iova, "late", 4)));
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vtd_fault_clear(&mmu->unit[i].vtd), 0);
	world_judge();
}

static void many_devices(const struct world *w)
{
	world_begin(w);
	assert_int_equal(world_run()->mmu->nr_devices, MANY);
	assert_string_equal(world_serve(30), "");
	for (unsigned g = 0; g < 2; g++) {
		assert_int_equal(world_save(), 0);
		assert_string_equal(kernel_bad_checks(), "");
		assert_true(record_pages() >= 3);
		world_jump();
		assert_true(world_adopt());
		assert_string_equal(kernel_bad_checks(), "");
		assert_int_equal(world_run()->mmu->nr_devices, MANY);
		everything_lands();
		assert_string_equal(world_serve(30), "");
		world_judge();
	}
	all_can_go();
	world_finish();
}

static void test_many_devices(void **state)
{
	(void)state;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
			const struct world w = {
				.board = { .nr_units = 2, .nr_nics = 2, .nr_rmrrs = RMRRS, .nr_plain = PLAIN },
				.unit = { pairs[i].t[0], pairs[i].t[1] },
				.mode = world_modes[m], .evict = world_memories[i % WORLD_MEMORIES],
				.profile = PROFILE_IOMMU_SERIES,
			};

			if (!world_has_mode(&w, w.mode))
				continue;
			print_message("# mode %u, %s, evicted %u\n", w.mode, pairs[i].name, w.evict);
			many_devices(&w);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_dids),
		cmocka_unit_test(test_many_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
