/* The model's own rules, seen by breaking each of them with bare register writes; and the queue
 * with its error cases, driven by hand and by the driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test_model_fixture.h"
#include "tests/unit/tables.h"

static struct bench b;

static uint32_t rd(uint32_t reg) { return mmio_read32(b.u.regs + reg); }
static uint64_t rd64(uint32_t reg) { return mmio_read64(b.u.regs + reg); }
static void wr(uint32_t reg, uint32_t v) { mmio_write32(b.u.regs + reg, v); }
static void wr64(uint32_t reg, uint64_t v) { mmio_write64(b.u.regs + reg, v); }
static struct model_unit *mu(void) { return model_unit(b.model); }

static void until(uint32_t bit, bool set)
{
	for (unsigned i = 0; i < 10 && !(rd(SPEC_GSTS) & bit) == set; i++)
		;
}

static void command(uint32_t v, uint32_t bit)
{
	wr(SPEC_GCMD, v);
	until(bit, v & bit);
}

/* ---- one mistake each, on a unit that has just been brought up ------------------------------ */

static void two_fields(void) { wr(SPEC_GCMD, (rd(SPEC_GSTS) & ~SPEC_GCMD_ONE_SHOT) ^ 0x84000000); until(0, 0); }
static void gsts_written_back(void) { command(rd(SPEC_GSTS) & ~SPEC_GCMD_TE, SPEC_GCMD_TE); }
static void no_field(void) { command(rd(SPEC_GSTS) & ~SPEC_GCMD_ONE_SHOT, 0); until(0, 0); rd(SPEC_GSTS); }
static void gcmd_reserved(void) { command((rd(SPEC_GSTS) & ~SPEC_GCMD_ONE_SHOT) | SPEC_GCMD_CFI | 1, SPEC_GCMD_CFI); }
static void gcmd_read(void) { rd(SPEC_GCMD); }
static void gsts_write(void) { wr(SPEC_GSTS, 0); }
static void no_poll(void) { wr(SPEC_GCMD, (rd(SPEC_GSTS) & ~SPEC_GCMD_ONE_SHOT) | SPEC_GCMD_CFI); }

static void no_poll_between(void)
{
	const uint32_t v = rd(SPEC_GSTS) & ~SPEC_GCMD_ONE_SHOT;

	wr(SPEC_GCMD, v | SPEC_GCMD_CFI);
	command(v | SPEC_GCMD_CFI | SPEC_GCMD_SRTP, SPEC_GCMD_SRTP);
}

static void te_without_srtp(void)
{
	vtd_unit_disable_translation(&b.u);
	vtd_unit_enable_translation(&b.u);
}

static void te_with_new_rtaddr(void)
{
	vtd_unit_disable_translation(&b.u);
	wr64(SPEC_RTADDR, b.u.root);
	vtd_unit_enable_translation(&b.u);
}

static void te_dropped(void)
{
	mu()->te_must_stay = true;
	vtd_unit_disable_translation(&b.u);
}

static void rtaddr_without_srtp(void) { wr64(SPEC_RTADDR, b.u.root); }
static void rtaddr_moved(void) { mu()->root_must_stay = true; vtd_unit_set_root(&b.u, b.u.root); }
static void rtaddr_reserved(void) { wr64(SPEC_RTADDR, b.u.root | 0x80); }

static void ttm_changed_live(void)
{
	wr64(SPEC_RTADDR, b.u.root | 0x400);
	vtd_unit_command(&b.u, SPEC_GCMD_SRTP, true, "RTPS");
}

static void iqa_live(void) { wr64(SPEC_IQA, b.u.qi.ring); }
static void iqa_wide(void) { command(rd(SPEC_GSTS) & 0x92ffffff, SPEC_GCMD_QIE); wr64(SPEC_IQA, b.u.qi.ring | 0x800); }
static void iqt_reserved(void) { wr64(SPEC_IQT, rd64(SPEC_IQT) | 1); }
static void iqh_write(void) { wr64(SPEC_IQH, 0); }
static void narrow_is_wide(void) { rd64(SPEC_FSTS & ~7u); }
static void wide_on_32(void) { mmio_read64(b.u.regs + SPEC_FECTL); }
static void unaligned(void) { mmio_read64(b.u.regs + SPEC_CAP + 4); }
static void nothing_there(void) { rd(0x200); }
static void pmen_absent(void) { rd(SPEC_PMEN); }
static void outside(void) { mmio_read32(0x1000); }
static void fsts_ppf(void) { wr(SPEC_FSTS, SPEC_FSTS_PPF); }
static void frcd_copy(void) { wr(MODEL_FRO + 12, 0x80000005); }
static void frcd_low(void) { wr64(MODEL_FRO, 0); }
static void event_reserved(void) { wr(SPEC_FECTL, rd(SPEC_FECTL) | 1); }

static void ccmd_with_queue(void)
{
	wr64(SPEC_CCMD, 0xa000000000000000);
	while (rd64(SPEC_CCMD) >> 63)
		;
	assert_int_equal(spec_get(SPEC_CCMD_CAIG, rd64(SPEC_CCMD)), 0);
}

static void ccmd_twice(void)
{
	vtd_qi_stop(&b.u);
	wr64(SPEC_CCMD, 0xa000000000000000);
	wr64(SPEC_CCMD, 0xa000000000000000);
	while (rd64(SPEC_CCMD) >> 63)
		;
}

static void iotlb_during_ccmd(void)
{
	vtd_qi_stop(&b.u);
	wr64(SPEC_CCMD, 0xa000000000000000);
	wr64(MODEL_IRO + SPEC_IOTLB, 0x9003000000000000);
	while (rd64(SPEC_CCMD) >> 63 || rd64(MODEL_IRO + SPEC_IOTLB) >> 63)
		;
}

static void iotlb_wide_mask(void)
{
	vtd_qi_stop(&b.u);
	wr64(MODEL_IRO + SPEC_IVA, 30);
	wr64(MODEL_IRO + SPEC_IOTLB, 0xb003000500000000);
	while (rd64(MODEL_IRO + SPEC_IOTLB) >> 63)
		;
	assert_int_equal(spec_get(SPEC_IOTLB_IAIG, rd64(MODEL_IRO + SPEC_IOTLB)), 0);
}

static void qie_with_stale_tail(void)
{
	vtd_qi_stop(&b.u);
	wr64(SPEC_IQT, 0x10);
	vtd_unit_command(&b.u, SPEC_GCMD_QIE, true, "QIES");
}

static void free_twice(void)
{
	const paddr_t page = mem_alloc_pages(0);

	mem_free_pages(page, 0);
	mem_free_pages(page, 0);
}

static void store_to_freed(void)
{
	const paddr_t page = mem_alloc_pages(0);

	mem_free_pages(page, 0);
	mem_write64(mem_ptr(page), 1);
}

static void error_left(void)
{
	memset(mem_ptr(b.u.qi.ring), 0xff, PAGE_SIZE);
	wr64(SPEC_IQT, (rd64(SPEC_IQT) + 16) % PAGE_SIZE);
}

static const struct {
	const char *name;
	void (*run)(void);
	const char *seen;
} mistakes[] = {
	{ "gcmd.two_fields", two_fields, "changes 2 fields" },
	{ "gcmd.one_shots_written_back", gsts_written_back, "changes 2 fields" },
	{ "gcmd.nothing_changes", no_field, "changes 0 fields" },
	{ "gcmd.reserved", gcmd_reserved, "reserved bits" },
	{ "gcmd.read", gcmd_read, "read of write-only" },
	{ "gsts.written", gsts_write, "write to read-only register 0x01c" },
	{ "gcmd.never_polled", no_poll, "was never waited for" },
	{ "gcmd.next_before_done", no_poll_between, "is under way" },
	{ "te.without_srtp", te_without_srtp, "TE set without SRTP since translation was off" },
	{ "te.rtaddr_not_latched", te_with_new_rtaddr, "TE set without SRTP since RTADDR" },
	{ "te.dropped", te_dropped, "TE cleared, though" },
	{ "rtaddr.without_srtp", rtaddr_without_srtp, "no SRTP followed" },
	{ "rtaddr.moved", rtaddr_moved, "the root table must stay" },
	{ "rtaddr.reserved", rtaddr_reserved, "RTADDR = " },
	{ "rtaddr.mode_changed_live", ttm_changed_live, "which the unit does not have" },
	{ "iqa.while_enabled", iqa_live, "IQA written while QIES=1" },
	{ "iqa.wide_without_smts", iqa_wide, "without scalable mode" },
	{ "iqt.reserved", iqt_reserved, "IQT = " },
	{ "iqh.written", iqh_write, "write to read-only register 0x080" },
	{ "width.gap_before_fsts", narrow_is_wide, "no such register" },
	{ "width.qword_on_dword", wide_on_32, "a 32-bit register" },
	{ "width.unaligned", unaligned, "not aligned" },
	{ "map.nothing_there", nothing_there, "no such register" },
	{ "map.absent_capability", pmen_absent, "no such register" },
	{ "map.outside", outside, "where nothing is" },
	{ "fsts.ppf_written", fsts_ppf, "cannot be cleared by writing" },
	{ "frcd.read_modify_write", frcd_copy, "only F can be written" },
	{ "frcd.low_half", frcd_low, "read-only part of a fault record" },
	{ "fectl.reserved", event_reserved, "not preserved" },
	{ "ccmd.with_queue", ccmd_with_queue, "while the queue is enabled" },
	{ "ccmd.twice", ccmd_twice, "CCMD written while ICC=1" },
	{ "iotlb.during_ccmd", iotlb_during_ccmd, "IOTLB written while ICC=1" },
	{ "iotlb.mask_too_wide", iotlb_wide_mask, "which the unit cannot do" },
	{ "qie.stale_tail", qie_with_stale_tail, "queue enabled with IQT" },
	{ "memory.free_twice", free_twice, "not in use" },
	{ "memory.store_to_freed", store_to_freed, "which has been freed" },
	{ "fsts.error_left", error_left, "queue error left" },
};

static void test_rules_are_enforced(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		print_message("# %s\n", mistakes[i].name);
		bench_init(&b, &(struct model_traits){ .coherent = true });
		assert_int_equal(model_violations(), 0);
		mistakes[i].run();
		assert_true(model_violations() > 0);
		assert_true(model_violated(mistakes[i].seen));
	}
}

/* ---- commands take their time --------------------------------------------------------------- */

static void test_commands_complete_late(void **state)
{
	(void)state;
	model_reset();
	bench_add(&b, &(struct model_traits){ .coherent = true, .no_qi = true });
	wr64(SPEC_RTADDR, mem_alloc_pages(0));
	wr(SPEC_GCMD, SPEC_GCMD_SRTP);
	assert_false(rd(SPEC_GSTS) & SPEC_GSTS_RTPS);
	assert_int_equal(mu()->root, 0);
	assert_false(rd(SPEC_GSTS) & SPEC_GSTS_RTPS);
	assert_true(rd(SPEC_GSTS) & SPEC_GSTS_RTPS);
	assert_int_equal(mu()->root, rd64(SPEC_RTADDR));
	/* Set again: the status goes away first. */
	wr(SPEC_GCMD, SPEC_GCMD_SRTP);
	assert_false(rd(SPEC_GSTS) & SPEC_GSTS_RTPS);
	until(SPEC_GSTS_RTPS, true);
	/* Low dword first; the upper one fires. */
	wr(SPEC_CCMD, 0);
	assert_int_equal(rd64(SPEC_CCMD), 0);
	wr(SPEC_CCMD + 4, 0xa0000000);
	assert_true(rd(SPEC_CCMD + 4) >> 31);
	while (rd(SPEC_CCMD + 4) >> 31)
		;
	assert_int_equal(spec_get(SPEC_CCMD_CAIG, rd64(SPEC_CCMD)), SPEC_G_GLOBAL);
	assert_true(mu()->flush_cc);
	assert_int_equal(model_violations(), 0);
}

static void test_write_buffer_flush_is_done_when_clear(void **state)
{
	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true, .no_qi = true, .rwbf = true });
	wr(SPEC_GCMD, (rd(SPEC_GSTS) & ~SPEC_GCMD_ONE_SHOT) | SPEC_GCMD_WBF);
	assert_true(rd(SPEC_GSTS) & SPEC_GSTS_WBFS);
	until(SPEC_GSTS_WBFS, false);
	assert_false(rd(SPEC_GSTS) & SPEC_GSTS_WBFS);
	assert_int_equal(vtd_unit_write_buffer_flush(&b.u), 0);
	assert_int_equal(model_violations(), 0);
}

static void test_protected_memory_drops_silently(void **state)
{
	(void)state;
	model_reset();
	bench_add(&b, &(struct model_traits){ .pmr = true, .major = 4 });
	wr(SPEC_PLMBASE, (uint32_t)MIB(16));
	wr(SPEC_PLMLIMIT, (uint32_t)MIB(18));
	wr(SPEC_PMEN, SPEC_PMEN_EPM);
	while (!(rd(SPEC_PMEN) & SPEC_PMEN_PRS))
		;
	assert_int_equal(dma(&b, RID, MIB(16) - 8, 1), 0);
	assert_int_equal(dma(&b, RID, MIB(16), 1), MODEL_DROPPED);
	assert_int_equal(dma(&b, RID, MIB(20) - 8, 1), MODEL_DROPPED);	/* the limit is inclusive */
	assert_int_equal(dma(&b, RID, MIB(20), 1), 0);
	assert_int_equal(rd(SPEC_FSTS), 0);
	assert_int_equal(vtd_unit_disable_protected_memory(&b.u), 0);
	assert_int_equal(dma(&b, RID, MIB(16), 1), 0);
	assert_int_equal(model_violations(), 0);
	wr(SPEC_PMEN, SPEC_PMEN_EPM);
	while (!(rd(SPEC_PMEN) & SPEC_PMEN_PRS))
		;
	wr(SPEC_PLMBASE, 0);
	assert_true(model_violated("written while PRS=1"));
}

/* Before version 2 it ends where translation begins. */
static void test_protected_memory_and_translation(void **state)
{
	static const struct { unsigned major; int rc; } cases[] = { { 1, 0 }, { 4, MODEL_DROPPED } };
	struct mapped m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bench_init(&b, &(struct model_traits){ .pmr = true, .major = cases[i].major });
		mapped_init(&b, &m, RID, 5);
		wr(SPEC_PLMBASE, 0);
		wr(SPEC_PLMLIMIT, (uint32_t)MIB(1024));
		wr(SPEC_PMEN, SPEC_PMEN_EPM);
		while (!(rd(SPEC_PMEN) & SPEC_PMEN_PRS))
			;
		assert_int_equal(dma(&b, RID, IOVA, 1), cases[i].rc);
		assert_int_equal(model_violations(), 0);
	}
}

/* ---- what hardware forgets by itself ------------------------------------------------------ */

static void test_esrtps_invalidates(void **state)
{
	struct mapped m;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true, .esrtps = true });
	mapped_init(&b, &m, RID, 5);
	assert_int_equal(dma(&b, RID, IOVA, 1), 0);
	wr64(SPEC_RTADDR, mem_alloc_pages(0));
	assert_int_equal(vtd_unit_command(&b.u, SPEC_GCMD_SRTP, true, "RTPS"), 0);
	assert_int_equal(dma(&b, RID, IOVA, 1), SPEC_FAULT_ROOT_P);
	assert_int_equal(model_violations(), 0);
}

static void test_translation_off_invalidates_with_scalable_mode(void **state)
{
	struct mapped m;

	(void)state;
	for (unsigned smts = 0; smts < 2; smts++) {
		bench_init(&b, &(struct model_traits){ .coherent = true, .smts = smts });
		mapped_init(&b, &m, RID, 5);
		assert_int_equal(dma(&b, RID, IOVA, 1), 0);
		assert_int_equal(vtd_unit_disable_translation(&b.u), 0);
		assert_int_equal(mu()->nr_tlbs, !smts);
		assert_int_equal(model_violations(), 0);
	}
}

/* The index of the next record starts again when translation goes off, and not before. */
static void test_record_index_starts_again(void **state)
{
	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true, .nfr = 4 });
	for (unsigned i = 0; i < 3; i++) {
		dma(&b, RID, IOVA, 1);
		assert_int_equal(spec_get(SPEC_FSTS_FRI, rd(SPEC_FSTS)), i % 2);
		assert_int_equal(vtd_fault_clear(&b.u), 0);
		if (i != 1)
			continue;
		assert_int_equal(vtd_unit_disable_translation(&b.u), 0);
		assert_int_equal(vtd_unit_set_root(&b.u, b.u.root), 0);
		assert_int_equal(vtd_unit_enable_translation(&b.u), 0);
	}
	assert_int_equal(model_violations(), 0);
}

/* ---- the queue ------------------------------------------------------------------------------ */

/* Put one descriptor and ring the bell. */
static void put(uint64_t lo, uint64_t hi)
{
	const uint64_t tail = rd64(SPEC_IQT);
	uint64_t *slot = mem_ptr(b.u.qi.ring + tail);

	slot[0] = lo;
	slot[1] = hi;
	wr64(SPEC_IQT, (tail + 16) % PAGE_SIZE);
}

static void settle(void)
{
	for (unsigned i = 0; i < 64; i++)
		platform_us();
}

static const struct {
	const char *name;
	uint64_t lo, hi;
	unsigned iqei;		/* 0: accepted */
} descriptors[] = {
	{ "cc_global", 0x11, 0, 0 },
	{ "cc_device", 0x0000001800050031, 0, 0 },
	{ "cc_function_mask", 0x0003001800050031, 0, 0 },
	{ "cc_granularity_0", 0x01, 0, SPEC_IQEI_RSVD },
	{ "cc_upper_word", 0x11, 1, SPEC_IQEI_RSVD },
	{ "cc_bit_6", 0x51, 0, SPEC_IQEI_RSVD },
	{ "iotlb_global", 0xd2, 0, 0 },
	{ "iotlb_page", 0x000500f2, 0x1234000, 0 },
	{ "iotlb_page_am_18", 0x000500f2, 0x40000012, 0 },
	{ "iotlb_page_am_19", 0x000500f2, 0x80000013, SPEC_IQEI_RSVD },
	{ "iotlb_page_unaligned", 0x000500f2, 0x1234001 | 0x1000, SPEC_IQEI_RSVD },
	{ "iotlb_bit_8", 0x1d2, 0, SPEC_IQEI_RSVD },
	{ "iotlb_hi_bit_7", 0x000500f2, 0x1234080, SPEC_IQEI_RSVD },
	{ "type_0", 0, 0, SPEC_IQEI_TYPE },
	{ "type_8", 8, 0, SPEC_IQEI_TYPE },
	{ "type_with_high_bits", 0x211, 0, SPEC_IQEI_TYPE },
	{ "device_tlb_without_dt", 3, 0, SPEC_IQEI_TYPE },
	{ "interrupt_entries_without_ir", 4, 0, SPEC_IQEI_TYPE },
	{ "pasid_cache_in_legacy_mode", 0x37, 0, SPEC_IQEI_TYPE },
	{ "wait_fence", 0x45, 0, 0 },
	{ "wait_odd_address", 0x25, MIB(32) + 2, SPEC_IQEI_RSVD },
	{ "wait_bit_7", 0xa5, MIB(32), SPEC_IQEI_RSVD },
};

static void test_descriptors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(descriptors); i++) {
		const unsigned iqei = descriptors[i].iqei;
		uint64_t head;

		print_message("# descriptor.%s\n", descriptors[i].name);
		bench_init(&b, &(struct model_traits){ .coherent = true });
		head = rd64(SPEC_IQH);
		put(descriptors[i].lo, descriptors[i].hi);
		settle();
		assert_int_equal(!!(rd(SPEC_FSTS) & SPEC_FSTS_IQE), !!iqei);
		assert_int_equal(spec_get(SPEC_IQERCD_IQEI, rd64(SPEC_IQERCD)), iqei);
		assert_int_equal(rd64(SPEC_IQH), iqei ? head : head + 16);
		if (!iqei)
			continue;
		/* Recovery: overwritten in place, cleared, it goes on. */
		*(uint64_t *)mem_ptr(b.u.qi.ring + head) = 0x45;
		*(uint64_t *)mem_ptr(b.u.qi.ring + head + 8) = 0;
		wr(SPEC_FSTS, SPEC_FSTS_IQE);
		settle();
		assert_int_equal(rd64(SPEC_IQH), head + 16);
		assert_int_equal(rd(SPEC_FSTS), 0);
		assert_int_equal(model_violations(), 0);
	}
}

/* The head moves when a descriptor is fetched, which is before it has done anything. */
static void test_head_is_not_completion(void **state)
{
	struct mapped m;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	mapped_init(&b, &m, RID, 5);
	assert_int_equal(dma(&b, RID, IOVA, 1), 0);
	vtd_ss_unmap(&m.ss, IOVA, PAGE_SIZE);
	put(0x000500f2, IOVA);
	assert_int_equal(rd64(SPEC_IQH), rd64(SPEC_IQT));
	assert_int_equal(dma(&b, RID, IOVA, 1), 0);
	mem_free_pages(m.page, 0);
	assert_true(model_violated("while invalidations are under way"));
	settle();
	assert_int_equal(dma(&b, RID, IOVA, 1), SPEC_FAULT_WRITE);
}

/* FN holds back what comes after it. */
static void test_fence_holds_fetching(void **state)
{
	uint64_t head, *slot;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	head = rd64(SPEC_IQT);
	slot = mem_ptr(b.u.qi.ring + head);
	slot[0] = 0x45;
	slot[2] = 0xd2;
	slot[1] = slot[3] = 0;
	wr64(SPEC_IQT, head + 32);
	assert_int_equal(mu()->iqh, head + 16);
	settle();
	assert_int_equal(rd64(SPEC_IQH), head + 32);
	put(0x45, 0);
	settle();
	assert_int_equal(model_violations(), 0);
}

/* After a device did not answer, waits are dropped and nothing is fetched until ITE is cleared. */
static void test_ite_drops_waits(void **state)
{
	uint64_t head;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	put(0xd2, 0);
	mu()->ite_once = true;
	put(0x25 | UINT64_C(0x1234) << 32, MIB(32));
	settle();
	assert_true(rd(SPEC_FSTS) & SPEC_FSTS_ITE);
	assert_int_equal(mu()->nr_fetched, 0);
	assert_int_equal(at(MIB(32)), 0);
	head = rd64(SPEC_IQH);
	put(0x25 | UINT64_C(0x5678) << 32, MIB(32));
	settle();
	assert_int_equal(rd64(SPEC_IQH), head);
	wr(SPEC_FSTS, SPEC_FSTS_ITE);
	settle();
	assert_int_equal(at(MIB(32)), 0x5678);
	assert_int_equal(model_violations(), 0);
}

static void test_tail_beyond_the_queue(void **state)
{
	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	wr64(SPEC_IQT, 0x1000);
	settle();
	assert_int_equal(spec_get(SPEC_IQERCD_IQEI, rd64(SPEC_IQERCD)), SPEC_IQEI_TAIL);
	wr64(SPEC_IQT, rd64(SPEC_IQH));
	wr(SPEC_FSTS, SPEC_FSTS_IQE);
	assert_int_equal(rd(SPEC_FSTS), 0);
	assert_int_equal(vtd_inval_global(&b.u), 0);
	assert_int_equal(model_violations(), 0);
}

static void test_wraps_many_times(void **state)
{
	static struct vtd_qi_desc many[VTD_QI_MAX_SUBMIT(16)];

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = vtd_qi_iotlb(VTD_G_DOMAIN, (uint16_t)i, 0, 0, false);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(vtd_qi_submit(&b.u, many, ARRAY_SIZE(many)), 0);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(vtd_inval_global(&b.u), 0);
	assert_int_equal(model_violations(), 0);
}

/* The driver meets a refused descriptor: it reports, and the queue goes on. */
static void test_driver_recovers_from_a_refusal(void **state)
{
	const struct vtd_qi_desc wrong = { .lo = 8 };

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	assert_int_equal(vtd_qi_submit(&b.u, &wrong, 1), -EIO);
	assert_int_equal(vtd_inval_global(&b.u), 0);
	assert_int_equal(model_violations(), 0);
}

static void test_driver_survives_a_silent_device(void **state)
{
	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	mu()->ite_once = true;
	assert_int_equal(vtd_inval_global(&b.u), -EIO);
	assert_int_equal(vtd_inval_global(&b.u), 0);
	mu()->ice_once = true;
	assert_int_equal(vtd_inval_global(&b.u), 0);
	assert_int_equal(vtd_qi_stop(&b.u), 0);
	assert_int_equal(model_violations(), 0);
}

/* ---- fault records -------------------------------------------------------------------------- */

static void test_records_overflow_and_collapse(void **state)
{
	struct vtd_fault f[8];
	uint32_t fsts;
	uint64_t v;
	size_t n;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true, .nfr = 4 });
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dma(&b, RID, IOVA + i * PAGE_SIZE, 1), SPEC_FAULT_ROOT_P);
	assert_int_equal(vtd_fault_read_all(&b.u, f, 8, &n, &fsts), 0);
	assert_int_equal(n, 1);					/* one source id, one record */
	assert_int_equal(f[0].addr, IOVA);
	for (unsigned i = 1; i < 5; i++)
		dma(&b, (uint16_t)(RID + i), IOVA, 1);
	assert_int_equal(vtd_fault_read_all(&b.u, f, 8, &n, &fsts), 0);
	assert_int_equal(n, 4);
	assert_true(fsts & SPEC_FSTS_PFO);
	assert_int_equal(f[3].rid, RID + 3);
	/* One record free again, but with PFO nothing is recorded. */
	wr(MODEL_FRO + 12, 0x80000000);
	dma(&b, RID + 7, IOVA, 1);
	assert_int_equal(vtd_fault_read_all(&b.u, f, 8, &n, &fsts), 0);
	assert_int_equal(n, 3);
	assert_int_equal(vtd_fault_clear(&b.u), 0);
	/* The index goes on round, it does not start again. */
	assert_int_equal(model_dma_read(b.model, RID + 1, IOVA, &v, 8), SPEC_FAULT_ROOT_P);
	assert_int_equal(spec_get(SPEC_FSTS_FRI, rd(SPEC_FSTS)), 0);
	dma(&b, RID + 2, IOVA, 1);
	assert_int_equal(vtd_fault_read_all(&b.u, f, 8, &n, &fsts), 0);
	assert_int_equal(n, 2);
	assert_true(f[0].is_read);
	wr(MODEL_FRO + 12, 0x80000000);
	wr(MODEL_FRO + 28, 0x80000000);
	dma(&b, RID, IOVA, 1);
	assert_int_equal(spec_get(SPEC_FSTS_FRI, rd(SPEC_FSTS)), 2);
	assert_int_equal(vtd_fault_clear(&b.u), 0);
	assert_int_equal(model_violations(), 0);
}

static void fault_again(void *ctx)
{
	static uint16_t rid;

	(void)ctx;
	dma(&b, ++rid & 0xff, IOVA, 1);
}

/* A new fault at any step of clearing the old ones: only what was seen is written back. */
static void test_clearing_under_faults(void **state)
{
	long steps = 1;

	(void)state;
	for (long k = 1; k <= steps; k++) {
		bench_init(&b, &(struct model_traits){ .coherent = true, .nfr = 4 });
		fault_again(NULL);
		fault_again(NULL);
		mu()->fsts |= SPEC_FSTS_ICE;
		model_inject(k, fault_again, NULL);
		vtd_fault_clear(&b.u);
		steps = model_steps();
		model_inject(0, NULL, NULL);
		assert_int_equal(vtd_fault_clear(&b.u), 0);
		assert_int_equal(model_violations(), 0);
	}
	assert_true(steps > 8);
}

static void test_fpd_silences(void **state)
{
	struct mapped m;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	mapped_init(&b, &m, RID, 5);
	assert_int_equal(vtd_context_set_fpd(LEGACY(b.u.root, true), RID + 8, true), 0);
	assert_int_equal(dma(&b, RID + 8, IOVA, 1), SPEC_FAULT_CONTEXT_P);
	assert_int_equal(rd(SPEC_FSTS), 0);
	assert_int_equal(dma(&b, 0x0300, IOVA, 1), SPEC_FAULT_ROOT_P);	/* not qualified */
	assert_int_not_equal(rd(SPEC_FSTS), 0);
	assert_int_equal(model_violations(), 0);
}

/* One message until every status is clear; a masked one waits. */
static void test_events(void **state)
{
	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true, .nfr = 4 });
	dma(&b, RID, IOVA, 1);
	assert_int_equal(mu()->events, 0);
	assert_true(rd(SPEC_FECTL) & SPEC_EVENT_IP);
	wr(SPEC_FECTL, rd(SPEC_FECTL) & ~SPEC_EVENT_IM);
	assert_int_equal(mu()->events, 1);
	dma(&b, RID + 1, IOVA, 1);
	assert_int_equal(mu()->events, 1);
	assert_int_equal(vtd_fault_clear(&b.u), 0);
	dma(&b, RID, IOVA, 1);
	assert_int_equal(mu()->events, 2);
	assert_int_equal(model_violations(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_are_enforced),
		cmocka_unit_test(test_commands_complete_late),
		cmocka_unit_test(test_write_buffer_flush_is_done_when_clear),
		cmocka_unit_test(test_protected_memory_drops_silently),
		cmocka_unit_test(test_protected_memory_and_translation),
		cmocka_unit_test(test_esrtps_invalidates),
		cmocka_unit_test(test_translation_off_invalidates_with_scalable_mode),
		cmocka_unit_test(test_record_index_starts_again),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_fence_holds_fetching),
		cmocka_unit_test(test_ite_drops_waits),
		cmocka_unit_test(test_head_is_not_completion),
		cmocka_unit_test(test_tail_beyond_the_queue),
		cmocka_unit_test(test_wraps_many_times),
		cmocka_unit_test(test_driver_recovers_from_a_refusal),
		cmocka_unit_test(test_driver_survives_a_silent_device),
		cmocka_unit_test(test_records_overflow_and_collapse),
		cmocka_unit_test(test_clearing_under_faults),
		cmocka_unit_test(test_fpd_silences),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
