/* Invalidation queue on the fake register file: descriptors, wrap-around, errors, take-over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "fake_unit.h"
#include "vtd/qi.h"
#include "vtd/unit.h"

#define RING		MIB(2)
#define STATUS		(MIB(3) + 0x40)
#define OLD_RING	MIB(4)
#define OLD_STATUS	MIB(5)

static struct vtd_unit u;

static void probe(void)
{
	fake_reset();
	u = (struct vtd_unit){ .index = 0 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
}

static void start(void)
{
	probe();
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
}

static const struct { const char *name; uint64_t lo, hi; } golden[] = {
	{ "qi.cc_global",      0x11, 0 },
	{ "qi.cc_domain",      0x00050021, 0 },
	{ "qi.cc_device",      0x001800050031, 0 },
	{ "qi.iotlb_global",   0xd2, 0 },
	{ "qi.iotlb_domain",   0x000500e2, 0 },
	{ "qi.iotlb_pages",    0x000500f2, 0x1234000 | 2 },
	{ "qi.iotlb_leaves",   0x000500f2, 0x1234000 | 0x40 },
	{ "qi.pc_global",      0x37, 0 },
	{ "qi.pc_domain",      0x00050007, 0 },
	{ "qi.pc_pasid",       0xfffff00050017, 0 },
	{ "qi.iec_global",     0x04, 0 },
	{ "qi.wait",           0x0000000700000025, 0x12344 },
	{ "qi.fence",          0x45, 0 },
};

static void test_golden_descriptors(void **state)
{
	const struct vtd_qi_desc built[] = {
		vtd_qi_cc(VTD_G_GLOBAL, 0, 0), vtd_qi_cc(VTD_G_DOMAIN, 5, 0),
		vtd_qi_cc(VTD_G_SELECTIVE, 5, 0x18), vtd_qi_iotlb(VTD_G_GLOBAL, 0, 0, 0, false),
		vtd_qi_iotlb(VTD_G_DOMAIN, 5, 0x1234000, 9, true),
		vtd_qi_iotlb(VTD_G_SELECTIVE, 5, 0x1234000, 2, false),
		vtd_qi_iotlb(VTD_G_SELECTIVE, 5, 0x1234000, 0, true),
		vtd_qi_pc(VTD_PC_G_GLOBAL, 0, 0), vtd_qi_pc(VTD_PC_G_DOMAIN, 5, 0),
		vtd_qi_pc(VTD_PC_G_PASID, 5, 0xfffff), vtd_qi_iec_global(),
		vtd_qi_wait(0x12344, 7), vtd_qi_fence(),
	};

	(void)state;
	static_assert(ARRAY_SIZE(built) == ARRAY_SIZE(golden), "one builder call per case");
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		print_message("# %s\n", golden[i].name);
		assert_int_equal(built[i].lo, golden[i].lo);
		assert_int_equal(built[i].hi, golden[i].hi);
	}
}

static void test_start(void **state)
{
	(void)state;
	probe();
	fake.iqt = 0x70;		/* a tail left behind by firmware */
	fake.fsts = 0x51;		/* stale errors; the overflow is not ours to clear */
	memset(mem_ptr(RING), 0xff, PAGE_SIZE);
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	assert_true(u.qi.on);
	assert_int_equal(fake.fsts, 1);
	assert_int_equal(fake.iqa, RING);
	/* IQT=0 before QIE=1, then one wait; nothing of the old ring contents was executed. */
	assert_int_equal(fake.log[0].reg, 0x034);
	assert_int_equal(fake.log[0].v, 0x50);
	assert_int_equal(fake.log[1].reg, 0x088);
	assert_int_equal(fake.log[1].v, 0);
	assert_int_equal(fake.log[2].reg, 0x090);
	assert_int_equal(fake.log[3].reg, 0x018);
	assert_int_equal(fake.nr_done, 1);
	assert_int_equal(fake.done[0][0] & 0xff, 0x25);
	assert_int_equal(fake.done[0][1], STATUS);
	assert_int_equal(fake.iqh, fake.iqt);
}

static void test_start_refusals(void **state)
{
	(void)state;
	probe();
	assert_int_equal(vtd_qi_start(&u, 0, STATUS), -EINVAL);
	assert_int_equal(vtd_qi_start(&u, RING + 16, STATUS), -EINVAL);
	assert_int_equal(vtd_qi_start(&u, RING, STATUS + 2), -EINVAL);
	assert_int_equal(vtd_qi_start(&u, RING, 0), -EINVAL);
	fake.gsts = FAKE_QIE;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), -EBUSY);
	u.caps.qi = false;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), -EOPNOTSUPP);
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), -EOPNOTSUPP);
	assert_int_equal(fake.nr_log, 0);

	probe();
	fake.ccmd = 1ULL << 63;		/* a register command that never ends */
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "CCMD.ICC");
	probe();
	fake.iotlb = 1ULL << 63;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "IOTLB.IVT");
	/* From major version 6 on these registers mean nothing. */
	u.caps.ver_major = 6;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);

	probe();
	fake.stuck = FAKE_QIE;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "GSTS.QIES");
	assert_false(u.qi.on);
	probe();
	fake.no_status_write = true;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), -ETIMEDOUT);
	assert_false(u.qi.on);
}

static void test_submit(void **state)
{
	const struct vtd_qi_desc d[] = { vtd_qi_cc(VTD_G_GLOBAL, 0, 0), vtd_qi_iec_global() };
	uint32_t *guard = mem_ptr(STATUS - 4);

	(void)state;
	start();
	guard[0] = guard[2] = 0xdeadbeef;
	fake.nr_done = 0;
	assert_int_equal(vtd_qi_submit(&u, d, 2), 0);
	assert_int_equal(fake.nr_done, 3);
	assert_int_equal(fake.done[0][0], 0x11);
	assert_int_equal(fake.done[1][0], 0x04);
	assert_int_equal(fake.done[2][0] & 0xff, 0x25);
	assert_int_equal(fake.done[2][0] >> 32, 2);	/* a new value for each wait */
	assert_int_equal(guard[1], 2);
	assert_int_equal(guard[0], 0xdeadbeef);
	assert_int_equal(guard[2], 0xdeadbeef);
	assert_int_equal(u.qi.submitted, 4);
	assert_int_equal(vtd_qi_submit(&u, d, VTD_QI_MAX_SUBMIT(16) + 1), -EINVAL);
	u.qi.on = false;
	assert_int_equal(vtd_qi_submit(&u, d, 2), -EINVAL);
}

static void test_wraps_at_queue_end(void **state)
{
	static struct vtd_qi_desc d[VTD_QI_MAX_SUBMIT(16)];
	unsigned executed = 0;

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++)
		d[i] = vtd_qi_cc(VTD_G_DOMAIN, (uint16_t)(i + 2), 0);
	for (unsigned round = 0; round < 1100; round++) {
		const size_t n = round % 7;

		fake.nr_done = 0;
		assert_int_equal(vtd_qi_submit(&u, d, n), 0);
		assert_int_equal(fake.nr_done, n + 1);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(fake.done[i][0], d[i].lo);
		assert_int_equal(fake.iqh, fake.iqt);
		assert_int_equal(fake.iqt, u.qi.tail * 16);
		executed += (unsigned)n + 1;
	}
	assert_in_range(executed, 4000, 5000);
}

static void test_full_queue(void **state)
{
	static struct vtd_qi_desc d[VTD_QI_MAX_SUBMIT(16)];

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++)
		d[i] = vtd_qi_fence();
	fake.queue_stuck = true;	/* all of it lies in the ring at once */
	assert_int_equal(vtd_qi_submit(&u, d, ARRAY_SIZE(d)), -ETIMEDOUT);
	assert_int_not_equal(fake.iqh, fake.iqt);
	assert_int_equal((fake.iqh + 4096 - fake.iqt) % 4096, 16);
}

static void test_timeout(void **state)
{
	(void)state;
	start();
	fake.queue_stuck = true;
	assert_int_equal(vtd_qi_submit(&u, NULL, 0), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "wait descriptor status");
	assert_int_equal(u.failed_value, 1);
}

static void test_refused_descriptor(void **state)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_iec_global(), vtd_qi_cc(VTD_G_GLOBAL, 0, 0), vtd_qi_cc(VTD_G_GLOBAL, 0, 0),
		vtd_qi_iotlb(VTD_G_GLOBAL, 0, 0, 0, false),
	};

	(void)state;
	start();
	fake.nr_done = 0;
	fake.refuse_type = 1;
	assert_int_equal(vtd_qi_submit(&u, d, 4), -EIO);
	/* Both were overwritten in place, the rest was executed, the error is cleared. */
	assert_int_equal(fake.nr_done, 5);
	assert_int_equal(fake.done[1][0], 0x45);
	assert_int_equal(fake.done[2][0], 0x45);
	assert_int_equal(fake.done[3][0], 0xd2);
	assert_int_equal(fake.fsts, 0);
	assert_int_equal(fake.iqh, fake.iqt);
	assert_int_equal(vtd_qi_submit(&u, d, 1), 0);
}

static void test_device_does_not_answer(void **state)
{
	const struct vtd_qi_desc d = vtd_qi_iotlb(VTD_G_GLOBAL, 0, 0, 0, false);

	(void)state;
	start();
	fake.ite_on_iotlb = true;
	assert_int_equal(vtd_qi_submit(&u, &d, 1), -EIO);	/* its wait was dropped */
	assert_int_equal(fake.fsts, 0);
	fake.ite_on_iotlb = false;
	assert_int_equal(vtd_qi_submit(&u, &d, 1), 0);
}

static void test_stop(void **state)
{
	(void)state;
	start();
	fake.gsts |= FAKE_TE;
	assert_int_equal(vtd_qi_stop(&u), 0);
	assert_int_equal(fake.gsts, FAKE_TE);
	assert_false(u.qi.on);
	assert_int_equal(u.gcmd_te_drops, 0);
	assert_int_equal(vtd_qi_stop(&u), -EINVAL);
	start();
	fake.stuck = FAKE_QIE;
	assert_int_equal(vtd_qi_stop(&u), -ETIMEDOUT);
	assert_true(u.qi.on);
}

/* ---- take-over ------------------------------------------------------------------------------ */

/* A predecessor whose last descriptor is no wait, so that QIE=0 would be refused. */
static void predecessor(uint64_t iqa_bits, uint64_t tail)
{
	probe();
	fake.iqa = OLD_RING | iqa_bits;
	fake.iqh = fake.iqt = tail;
	fake.gsts = FAKE_QIE | FAKE_TE | FAKE_SRTP;
	fake.last_was_wait = false;
}

static const struct {
	const char *name;
	uint64_t iqa_bits, tail;
	uint64_t wait_at;
} old_rings[] = {
	{ "takeover.128_bit",          0, 0x40, 0x40 },
	{ "takeover.128_bit_at_end",   0, 0xff0, 0xff0 },
	{ "takeover.two_pages",        1, 0x1ff0, 0x1ff0 },
	{ "takeover.256_bit",          0x800, 0x40, 0x40 },
	{ "takeover.256_bit_at_end",   0x800, 0xfe0, 0xfe0 },
};

static void test_take_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(old_rings); i++) {
		const uint64_t *wait;

		print_message("# %s\n", old_rings[i].name);
		predecessor(old_rings[i].iqa_bits, old_rings[i].tail);
		wait = mem_ptr(OLD_RING + old_rings[i].wait_at);
		if (old_rings[i].iqa_bits & 0x800)
			memset(mem_ptr(OLD_RING + old_rings[i].wait_at), 0xff, 32);
		assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), 0);
		assert_int_equal(wait[0] & 0xff, 0x25);
		assert_int_equal(wait[1], STATUS);	/* our word, not the predecessor's */
		if (old_rings[i].iqa_bits & 0x800)
			assert_int_equal(wait[2] | wait[3], 0);
		assert_true(u.qi.takeover.was_on);
		assert_true(u.qi.takeover.wait_appended);
		assert_int_equal(u.qi.takeover.old_iqa, OLD_RING | old_rings[i].iqa_bits);
		assert_int_equal(u.qi.takeover.old_iqt, old_rings[i].tail);
		/* QIES=0 was confirmed before IQT and IQA were written, with translation on. */
		assert_int_equal(u.qi.takeover.gsts_before_iqt, FAKE_TE | FAKE_SRTP);
		assert_int_equal(u.qi.takeover.gsts_before_iqa, FAKE_TE | FAKE_SRTP);
		assert_int_equal(fake.gsts, FAKE_QIE | FAKE_TE | FAKE_SRTP);
		assert_int_equal(u.gcmd_te_drops, 0);
		assert_int_equal(fake.iqa, RING);
		assert_int_equal(fake.nr_done, 2);	/* the wait there, the wait here */
		assert_int_equal(vtd_qi_submit(&u, NULL, 0), 0);
	}
}

static void test_take_over_queue_off(void **state)
{
	(void)state;
	probe();
	fake.gsts = FAKE_TE;
	fake.iqt = 0x100;
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), 0);
	assert_false(u.qi.takeover.was_on);
	assert_false(u.qi.takeover.wait_appended);
	assert_int_equal(fake.nr_done, 1);
}

static void test_take_over_old_ring_unreadable(void **state)
{
	(void)state;
	predecessor(0, 0x40);
	fake.last_was_wait = true;
	assert_int_equal(vtd_qi_take_over(&u, false, RING, STATUS), 0);
	assert_false(u.qi.takeover.wait_appended);
	assert_int_equal(*(uint64_t *)mem_ptr(OLD_RING + 0x40), 0);
	/* Where the unit insists on a wait this ends in a time-out, not in a hang. */
	predecessor(0, 0x40);
	assert_int_equal(vtd_qi_take_over(&u, false, RING, STATUS), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "GSTS.QIES");
	assert_int_equal(fake.iqa, OLD_RING);
	assert_false(u.qi.on);
}

static void test_take_over_broken_tail(void **state)
{
	(void)state;
	predecessor(0, 0x1000);
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), -EIO);
	assert_int_equal(fake.nr_log, 0);
	predecessor(0x800, 0x10);
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), -EIO);
	assert_int_equal(fake.nr_log, 0);
}

static void test_take_over_stale_error(void **state)
{
	(void)state;
	/* The predecessor's queue stands on an error with work left: cleared, then it drains. */
	predecessor(0, 0x40);
	fake.iqh = 0x30;
	fake.fsts = 0x40;
	*(uint64_t *)mem_ptr(OLD_RING + 0x30) = 0x11;
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), 0);
	assert_int_equal(fake.done[0][0], 0x11);
	/* One that never drains is a time-out. */
	predecessor(0, 0x40);
	fake.iqh = 0x30;
	fake.queue_stuck = true;
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "IQH");
}

static void test_ring_bytes(void **state)
{
	(void)state;
	assert_int_equal(vtd_qi_ring_bytes(0x5000), 4096);
	assert_int_equal(vtd_qi_ring_bytes(0x5800), 4096);
	assert_int_equal(vtd_qi_ring_bytes(0x5007), 4096 << 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_descriptors),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_start_refusals),
		cmocka_unit_test(test_submit),
		cmocka_unit_test(test_wraps_at_queue_end),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_refused_descriptor),
		cmocka_unit_test(test_device_does_not_answer),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_take_over_queue_off),
		cmocka_unit_test(test_take_over_old_ring_unreadable),
		cmocka_unit_test(test_take_over_broken_tail),
		cmocka_unit_test(test_take_over_stale_error),
		cmocka_unit_test(test_ring_bytes),
	};

	return cmocka_run_group_tests_name("vtd invalidation queue", tests, NULL, NULL);
}
