/* Invalidation queue of 256-bit descriptors, which scalable mode needs: steps of 32 bytes, its end,
 * its errors, and take-over from and to either width.  What both share is in test_unit_qi.c. */
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
#define DW		0x800
#define MOST		126		/* of 128 slots: one for the wait, one always empty */

static struct vtd_unit u;

static void probe(uint8_t ttm)
{
	fake_reset();
	fake.ecap = FAKE_ECAP_SCALABLE;
	u = (struct vtd_unit){ .index = 0 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
	u.ttm = ttm;
	if (ttm == VTD_TTM_SCALABLE)
		fake.latched_root = 0x400;
}

static void start(void)
{
	probe(VTD_TTM_SCALABLE);
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
}

static const uint64_t *slot(paddr_t ring, unsigned i)
{
	return (const uint64_t *)mem_ptr(ring + i * 32);
}

static void test_extent(void **state)
{
	(void)state;
	assert_int_equal(vtd_qi_desc_bytes(0x5000), 16);
	assert_int_equal(vtd_qi_desc_bytes(0x5007), 16);
	assert_int_equal(vtd_qi_desc_bytes(0x5800), 32);
	assert_int_equal(vtd_qi_ring_bytes(0x5801), 8192);	/* QS counts pages, whatever the width */
	assert_int_equal(VTD_QI_MAX_SUBMIT(32), MOST);
	assert_int_equal(VTD_QI_MAX_SUBMIT(16), 254);
}

static void test_start(void **state)
{
	(void)state;
	probe(VTD_TTM_SCALABLE);
	memset(mem_ptr(RING), 0xff, PAGE_SIZE);
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	assert_int_equal(fake.iqa, RING | DW);
	assert_int_equal(u.qi.iqa, RING | DW);
	assert_int_equal(fake.iqt, 0x20);
	assert_int_equal(fake.nr_done, 1);
	assert_int_equal(slot(RING, 0)[0] & 0xff, 0x25);
	assert_int_equal(slot(RING, 0)[1], STATUS);
	for (unsigned i = 2; i < 512; i++)
		assert_int_equal(slot(RING, 0)[i], 0);
	/* The unit's table mode decides, not what the unit could do. */
	probe(VTD_TTM_LEGACY);
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	assert_int_equal(fake.iqa, RING);
	assert_int_equal(fake.iqt, 0x10);
}

static void test_submit(void **state)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_cc(VTD_G_GLOBAL, 0, 0), vtd_qi_pc(VTD_PC_G_GLOBAL, 0, 0),
		vtd_qi_iotlb(VTD_G_SELECTIVE, 5, 0x1234000, 2, false),
	};

	(void)state;
	start();
	memset(mem_ptr(RING), 0xff, PAGE_SIZE);
	fake.nr_done = 0;
	assert_int_equal(vtd_qi_submit(&u, d, 3), 0);
	assert_int_equal(fake.nr_done, 4);
	assert_int_equal(fake.iqt, 5 * 32);
	assert_int_equal(u.qi.tail, 5);
	assert_int_equal(slot(RING, 1)[0], 0x11);
	assert_int_equal(slot(RING, 2)[0], 0x37);
	assert_int_equal(slot(RING, 3)[0], 0x000500f2);
	assert_int_equal(slot(RING, 3)[1], 0x1234002);
	assert_int_equal(slot(RING, 4)[0], 0x0000000200000025);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(slot(RING, i)[2] | slot(RING, i)[3], 0);
	assert_int_equal(slot(RING, 5)[0], UINT64_MAX);	/* nothing beyond */
	assert_int_equal(u.qi.submitted, 5);
}

static void test_wraps_at_queue_end(void **state)
{
	struct vtd_qi_desc d[7];
	unsigned executed = 0;

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++)
		d[i] = vtd_qi_pc(VTD_PC_G_DOMAIN, (uint16_t)(i + 2), 0);
	for (unsigned round = 0; round < 600; round++) {
		const size_t n = round % (ARRAY_SIZE(d) + 1);

		fake.nr_done = 0;
		assert_int_equal(vtd_qi_submit(&u, d, n), 0);
		assert_int_equal(fake.nr_done, n + 1);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(fake.done[i][0], d[i].lo);
		assert_int_equal(fake.iqh, fake.iqt);
		assert_int_equal(fake.iqt, u.qi.tail * 32);
		assert_in_range(fake.iqt, 0, 0xfe0);
		executed += (unsigned)n + 1;
	}
	assert_int_equal((executed + 1) * 32 % 4096, fake.iqt);
	assert_true(executed > 10 * 128);
}

static void test_full_queue(void **state)
{
	static struct vtd_qi_desc d[MOST + 1];

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++)
		d[i] = vtd_qi_cc(VTD_G_DOMAIN, (uint16_t)i, 0);
	assert_int_equal(vtd_qi_submit(&u, d, MOST + 1), -EINVAL);
	fake.nr_done = 0;
	for (unsigned round = 0; round < 3; round++)
		assert_int_equal(vtd_qi_submit(&u, d, round < 2 ? MOST : 0), 0);
	assert_int_equal(fake.nr_done, 2 * (MOST + 1) + 1);
	for (unsigned i = 0; i < MOST; i++)
		assert_int_equal(fake.done[i][0], d[i].lo);
	fake.queue_stuck = true;	/* all of it lies in the ring at once */
	assert_int_equal(vtd_qi_submit(&u, d, MOST), -ETIMEDOUT);
	assert_int_equal((fake.iqh + 4096 - fake.iqt) % 4096, 32);
}

static void test_refused_descriptor(void **state)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_iec_global(), vtd_qi_pc(VTD_PC_G_DOMAIN, 5, 0), vtd_qi_pc(VTD_PC_G_GLOBAL, 0, 0),
		vtd_qi_iotlb(VTD_G_GLOBAL, 0, 0, 0, false),
	};

	(void)state;
	start();
	fake.nr_done = 0;
	fake.refuse_type = 7;
	assert_int_equal(vtd_qi_submit(&u, d, 4), -EIO);
	/* Both were overwritten in place, whole, and the rest was executed. */
	assert_int_equal(fake.nr_done, 5);
	assert_int_equal(fake.done[0][0], 0x04);
	assert_int_equal(fake.done[1][0], 0x45);
	assert_int_equal(fake.done[2][0], 0x45);
	assert_int_equal(fake.done[3][0], 0xd2);
	for (unsigned i = 2; i <= 3; i++) {
		assert_int_equal(slot(RING, i)[0], 0x45);
		assert_int_equal(slot(RING, i)[1] | slot(RING, i)[2] | slot(RING, i)[3], 0);
	}
	assert_int_equal(fake.fsts, 0);
	assert_int_equal(fake.iqh, fake.iqt);
	fake.refuse_type = 0;
	assert_int_equal(vtd_qi_submit(&u, d, 4), 0);
}

/* The last slot refused: what is overwritten lies at the ring's end, and the wait at its start. */
static void test_refused_at_queue_end(void **state)
{
	struct vtd_qi_desc d[MOST];

	(void)state;
	start();
	for (unsigned i = 0; i < MOST; i++)
		d[i] = vtd_qi_iec_global();
	d[MOST - 1] = vtd_qi_pc(VTD_PC_G_GLOBAL, 0, 0);
	assert_int_equal(vtd_qi_submit(&u, NULL, 0), 0);
	fake.refuse_type = 7;
	assert_int_equal(vtd_qi_submit(&u, d, MOST), -EIO);
	assert_int_equal(slot(RING, 127)[0], 0x45);
	assert_int_equal(slot(RING, 0)[0] & 0xff, 0x25);
	assert_int_equal(fake.iqt, 0x20);
}

static void test_stop(void **state)
{
	(void)state;
	start();
	fake.gsts |= FAKE_TE;
	assert_int_equal(vtd_qi_stop(&u), 0);
	assert_int_equal(fake.gsts, FAKE_TE);
	assert_false(u.qi.on);
}

/* ---- take-over ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint64_t old_bits, tail;
	uint8_t ttm;			/* ours */
	uint64_t latched;		/* table mode in use, in which the old ring is read */
	uint64_t iqa;
} moves[] = {
	{ "takeover.wide_to_wide",	  DW, 0x40, VTD_TTM_SCALABLE, 0x400, RING | DW },
	{ "takeover.wide_to_wide_at_end", DW, 0xfe0, VTD_TTM_SCALABLE, 0x400, RING | DW },
	{ "takeover.narrow_to_wide",	  0, 0x40, VTD_TTM_SCALABLE, 0, RING | DW },
	{ "takeover.narrow_to_wide_odd",  0, 0x50, VTD_TTM_SCALABLE, 0, RING | DW },
	{ "takeover.narrow_to_wide_at_end", 0, 0xff0, VTD_TTM_SCALABLE, 0, RING | DW },
	{ "takeover.wide_to_narrow",	  DW, 0x40, VTD_TTM_LEGACY, 0, RING },
	{ "takeover.wide_to_narrow_two_pages", DW | 1, 0x1fe0, VTD_TTM_LEGACY, 0, RING },
};

/* Its last descriptor is no wait, so the old ring must get one, in its own width. */
static void test_take_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		const bool wide = moves[i].old_bits & DW;
		const uint64_t *wait;

		print_message("# %s\n", moves[i].name);
		probe(moves[i].ttm);
		fake.latched_root = moves[i].latched;
		fake.iqa = OLD_RING | moves[i].old_bits;
		fake.iqh = fake.iqt = moves[i].tail;
		fake.gsts = FAKE_QIE;
		wait = mem_ptr(OLD_RING + moves[i].tail);
		memset(mem_ptr(OLD_RING), 0xff, 2 * PAGE_SIZE);
		assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), 0);
		assert_int_equal(wait[0], 0x0000000100000025);
		assert_int_equal(wait[1], STATUS);
		if (wide)
			assert_int_equal(wait[2] | wait[3], 0);
		else if (moves[i].tail < 0xff0)
			assert_int_equal(wait[2], UINT64_MAX);	/* a slot of 16 bytes, no more */
		assert_true(u.qi.takeover.wait_appended);
		assert_int_equal(fake.iqa, moves[i].iqa);
		assert_int_equal(fake.iqt, moves[i].iqa & DW ? 0x20 : 0x10);
		assert_int_equal(fake.nr_done, 2);
		assert_int_equal(vtd_qi_submit(&u, NULL, 0), 0);
		assert_int_equal(fake.iqt, moves[i].iqa & DW ? 0x40 : 0x20);
	}
}

/* IQA does not say how wide the descriptors are; the table mode does. */
static void test_take_over_where_dw_reads_zero(void **state)
{
	const uint64_t *wait;

	(void)state;
	probe(VTD_TTM_SCALABLE);
	fake.rtaddr = fake.latched_root;
	fake.dw_reads_zero = true;
	fake.iqa = OLD_RING | DW;
	fake.iqh = fake.iqt = 0xfe0;
	fake.gsts = FAKE_QIE;
	wait = mem_ptr(OLD_RING + 0xfe0);
	memset(mem_ptr(OLD_RING), 0xff, PAGE_SIZE);
	assert_int_equal(vtd_qi_take_over(&u, true, RING, STATUS), 0);
	assert_int_equal(wait[0] & 0xff, 0x25);
	assert_int_equal(wait[2] | wait[3], 0);
	assert_int_equal(u.qi.takeover.old_iqa, OLD_RING | DW);
	assert_int_equal(fake.nr_done, 2);
	assert_int_equal(fake.iqa, RING | DW);
	assert_int_equal(vtd_qi_submit(&u, NULL, 0), 0);
	assert_int_equal(fake.iqt, 0x40);
}

static void test_stop_foreign(void **state)
{
	(void)state;
	probe(VTD_TTM_LEGACY);
	fake.iqa = OLD_RING | DW;
	fake.iqh = fake.iqt = 0x40;
	assert_int_equal(vtd_qi_stop_foreign(&u, true, STATUS), 0);	/* none runs */
	assert_false(u.qi.takeover.was_on);
	assert_int_equal(fake.nr_log, 0);
	fake.gsts = FAKE_QIE | FAKE_TE;
	assert_int_equal(vtd_qi_stop_foreign(&u, true, STATUS + 2), -EINVAL);
	assert_int_equal(vtd_qi_stop_foreign(&u, true, 0), -EINVAL);
	assert_int_equal(fake.nr_log, 0);
	assert_int_equal(vtd_qi_stop_foreign(&u, true, STATUS), 0);
	assert_true(u.qi.takeover.was_on && u.qi.takeover.wait_appended);
	assert_int_equal(fake.gsts, FAKE_TE);
	assert_int_equal(fake.nr_done, 1);
	assert_int_equal(fake.iqa, OLD_RING | DW);	/* ours is set up by vtd_qi_start() */
	assert_false(u.qi.on);
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	assert_int_equal(fake.iqa, RING);
	u.caps.qi = false;
	assert_int_equal(vtd_qi_stop_foreign(&u, true, STATUS), -EOPNOTSUPP);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extent),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_submit),
		cmocka_unit_test(test_wraps_at_queue_end),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_refused_descriptor),
		cmocka_unit_test(test_refused_at_queue_end),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_take_over_where_dw_reads_zero),
		cmocka_unit_test(test_stop_foreign),
	};

	return cmocka_run_group_tests_name("vtd invalidation queue, 256 bits", tests, NULL, NULL);
}
