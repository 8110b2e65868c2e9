/* Register code of one unit, on the fake register file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "fake_unit.h"
#include "vtd/unit.h"

#define RING	MIB(2)
#define STATUS	MIB(3)
#define ROOT	MIB(4)

static struct vtd_unit u;

static void probe(void)
{
	fake_reset();
	u = (struct vtd_unit){ .index = 3, .segment = 9 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
}

static void probe_with_queue(void)
{
	probe();
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	fake.nr_log = fake.nr_done = 0;
}

static void test_probe(void **state)
{
	(void)state;
	probe();
	assert_int_equal(u.index, 3);
	assert_int_equal(u.segment, 9);
	assert_int_equal(u.regs, FAKE_REGS);
	assert_int_equal(u.reg_bytes, 4096);
	assert_int_equal(u.caps.nfr, FAKE_NFR);
	assert_int_equal(u.dids.ndoms, 65536);
	assert_false(u.qi.on);
	assert_int_equal(fake.nr_log, 0);
	assert_int_equal(u.gcmd_writes + u.rtaddr_writes, 0);

	fake.cap = fake.ecap = UINT64_MAX;
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), -ENODEV);
	assert_int_equal(u.caps.nfr, FAKE_NFR);		/* untouched */
}

static void test_read_state_and_snapshot(void **state)
{
	struct vtd_unit_snapshot snap;
	struct vtd_unit_state s;

	(void)state;
	probe();
	fake.gsts = 0xc4000000;
	fake.rtaddr = 0x7f421000;
	fake.fsts = 0x41;
	fake.iqa = 0x5000;
	fake.iqh = 0x10;
	fake.iqt = 0x20;
	fake.irta = 0x6007;
	fake.pmen = 0x80000001;
	vtd_unit_read_state(&u, &s);
	assert_int_equal(s.gsts, 0xc4000000);
	assert_int_equal(s.fsts, 0x41);
	assert_int_equal(s.fectl, 1);
	assert_int_equal(s.rtaddr, 0x7f421000);
	assert_int_equal(s.iqa, 0x5000);
	assert_int_equal(s.iqh, 0x10);
	assert_int_equal(s.iqt, 0x20);
	assert_int_equal(s.irta, 0x6007);
	assert_int_equal(s.pmen, 0);		/* CAP has no protected regions */
	u.caps.plmr = true;
	vtd_unit_read_state(&u, &s);
	assert_int_equal(s.pmen, 0x80000001);
	assert_int_equal(fake.nr_log, 0);

	vtd_unit_snapshot(&u, &s, &snap);
	assert_int_equal(snap.regs, FAKE_REGS);
	assert_int_equal(snap.index, 3);
	assert_int_equal(snap.segment, 9);
	assert_int_equal(snap.ver, 0x10);
	assert_int_equal(snap.cap, FAKE_CAP);
	assert_int_equal(snap.ecap, FAKE_ECAP);
	assert_int_equal(snap.gsts, 0xc4000000);
	assert_int_equal(snap.rtaddr, 0x7f421000);
	assert_int_equal(snap.iqa, 0x5000);
	assert_int_equal(snap.irta, 0x6007);
	assert_int_equal(snap.pmen, 0x80000001);
	assert_int_equal(snap.context_tables[0], 0);
}

static void test_mask_events(void **state)
{
	(void)state;
	probe();
	vtd_unit_mask_events(&u);
	assert_int_equal(fake.fectl, 0x80000001);	/* the reserved bit is preserved */
	assert_int_equal(fake.iectl, 0x80000001);
	assert_int_equal(fake.nr_log, 2);
	u.caps.prs = u.caps.pms = true;
	vtd_unit_mask_events(&u);
	assert_int_equal(fake.pectl, 0x80000000);
	assert_int_equal(fake.perfctl, 0x80000000);
}

static void test_set_root(void **state)
{
	(void)state;
	probe_with_queue();
	fake.gsts |= FAKE_TE;
	assert_int_equal(vtd_unit_set_root(&u, ROOT), 0);
	assert_int_equal(fake.latched_root, ROOT);
	assert_int_equal(u.root, ROOT);
	assert_int_equal(u.rtaddr_writes, 1);
	assert_int_equal(u.gcmd_te_drops, 0);
	assert_true(fake.gsts & FAKE_TE);
	/* RTADDR, then SRTP, then both caches. */
	assert_int_equal(fake.log[0].reg, 0x020);
	assert_int_equal(fake.log[1].reg, 0x018);
	assert_int_equal(fake.log[1].v, FAKE_TE | FAKE_QIE | FAKE_SRTP);
	assert_int_equal(fake.done[0][0], 0x11);
	assert_int_equal(fake.done[1][0], 0xd2);
	/* Once more: RTPS was set already and is not written back with the next command. */
	fake.nr_log = 0;
	assert_int_equal(vtd_unit_set_root(&u, ROOT + 0x1000), 0);
	assert_int_equal(fake.latched_root, ROOT + 0x1000);
	assert_int_equal(vtd_unit_disable_translation(&u), 0);
	assert_int_equal(fake.log[fake.nr_log - 1].v, FAKE_QIE);
	assert_int_equal(vtd_unit_set_root(&u, 0), -EINVAL);
	assert_int_equal(vtd_unit_set_root(&u, ROOT + 8), -EINVAL);
	assert_int_equal(u.rtaddr_writes, 2);
}

/* TTM goes with the pointer (RTADDR bits 11:10), and the PASID cache with the others. */
static void test_set_root_in_scalable_mode(void **state)
{
	(void)state;
	probe();
	fake.ecap = FAKE_ECAP_SCALABLE;
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
	assert_int_equal(u.ttm, VTD_TTM_LEGACY);
	u.ttm = VTD_TTM_SCALABLE;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	fake.nr_log = fake.nr_done = 0;
	assert_int_equal(vtd_unit_set_root(&u, ROOT), 0);
	assert_int_equal(fake.latched_root, ROOT | 0x400);
	assert_int_equal(u.root, ROOT);
	assert_int_equal(fake.nr_done, 4);
	assert_int_equal(fake.done[0][0], 0x11);
	assert_int_equal(fake.done[1][0], 0x37);
	assert_int_equal(fake.done[2][0], 0xd2);
	assert_int_equal(vtd_unit_set_root(&u, ROOT + 0x400), -EINVAL);
}

/* A root that is latched alone: nothing is invalidated, for no queue of ours runs yet. */
static void test_latch_root(void **state)
{
	(void)state;
	probe();
	assert_int_equal(vtd_unit_latch_root(&u, ROOT + 8), -EINVAL);
	assert_int_equal(vtd_unit_latch_root(&u, 0), -EINVAL);
	assert_int_equal(fake.nr_log, 0);
	assert_int_equal(vtd_unit_latch_root(&u, ROOT), 0);
	assert_int_equal(fake.latched_root, ROOT);
	assert_int_equal(u.root, ROOT);
	assert_int_equal(u.rtaddr_writes, 1);
	assert_int_equal(fake.nr_log, 2);
	fake.stuck = FAKE_SRTP;
	fake.gsts = 0;
	assert_int_equal(vtd_unit_latch_root(&u, ROOT + 0x1000), -ETIMEDOUT);
	assert_int_equal(u.root, ROOT);
}

static const struct { bool scalable, coherent, smpwcs, ss; } snooping[] = {
	{ false, false, false, false }, { false, true, false, true },
	{ false, false, true, false },  { false, true, true, true },
	{ true, false, false, false },	{ true, true, false, false },
	{ true, false, true, true },	{ true, true, true, true },
};

/* VT-d 3.10: ECAP.C covers second-stage tables in legacy mode, SMPWCS in scalable mode. */
static void test_who_snoops_second_stage_tables(void **state)
{
	(void)state;
	probe();
	for (size_t i = 0; i < ARRAY_SIZE(snooping); i++) {
		u.ttm = snooping[i].scalable ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
		u.caps.coherent = snooping[i].coherent;
		u.caps.smpwcs = snooping[i].smpwcs;
		assert_int_equal(vtd_unit_snoops_ss(&u), snooping[i].ss);
		assert_int_equal(vtd_unit_tables(&u).coherent, snooping[i].coherent);
		assert_int_equal(vtd_unit_tables(&u).ttm, u.ttm);
	}
}

static void test_translation_switch(void **state)
{
	(void)state;
	probe();
	assert_int_equal(vtd_unit_disable_translation(&u), 0);
	assert_int_equal(u.gcmd_writes, 0);
	assert_int_equal(vtd_unit_enable_translation(&u), 0);
	assert_true(fake.gsts & FAKE_TE);
	assert_int_equal(u.gcmd_writes, 1);
	assert_int_equal(vtd_unit_enable_translation(&u), 0);
	assert_int_equal(u.gcmd_writes, 1);
	assert_int_equal(u.gcmd_te_drops, 0);
	assert_int_equal(vtd_unit_disable_translation(&u), 0);
	assert_false(fake.gsts & FAKE_TE);
	assert_int_equal(u.gcmd_te_drops, 1);
}

static void test_interrupt_remapping_off(void **state)
{
	(void)state;
	probe_with_queue();
	assert_int_equal(vtd_unit_interrupt_remapping_off(&u), 0);
	assert_int_equal(fake.nr_log, 0);
	fake.gsts |= FAKE_IRE | FAKE_TE;
	assert_int_equal(vtd_unit_interrupt_remapping_off(&u), 0);
	assert_int_equal(fake.gsts, FAKE_QIE | FAKE_TE);
	assert_int_equal(fake.done[0][0], 0x04);	/* interrupt entry cache, global */
	/* Without a queue IRE alone goes. */
	probe();
	fake.gsts = FAKE_IRE;
	assert_int_equal(vtd_unit_interrupt_remapping_off(&u), 0);
	assert_int_equal(fake.gsts, 0);
	assert_int_equal(fake.nr_log, 1);
}

static void test_protected_memory_off(void **state)
{
	(void)state;
	probe();
	fake.pmen = 0x80000001;
	assert_int_equal(vtd_unit_disable_protected_memory(&u), 0);
	assert_int_equal(fake.pmen, 0x80000001);	/* none implemented: not touched */
	u.caps.phmr = true;
	assert_int_equal(vtd_unit_disable_protected_memory(&u), 0);
	assert_int_equal(fake.pmen, 0);
	assert_int_equal(fake.nr_log, 1);
	assert_int_equal(vtd_unit_disable_protected_memory(&u), 0);
	assert_int_equal(fake.nr_log, 1);
	fake.pmen = 0x80000001;
	fake.pmen_stuck = true;
	assert_int_equal(vtd_unit_disable_protected_memory(&u), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "PMEN.PRS");
}

static void test_write_buffer_flush(void **state)
{
	(void)state;
	probe();
	assert_int_equal(vtd_unit_write_buffer_flush(&u), 0);
	assert_int_equal(u.gcmd_writes, 0);
	u.caps.rwbf = true;
	fake.gsts = FAKE_TE | FAKE_SRTP;
	assert_int_equal(vtd_unit_write_buffer_flush(&u), 0);
	assert_int_equal(fake.log[0].v, FAKE_TE | FAKE_WBF);
	fake.stuck = FAKE_WBF;
	assert_int_equal(vtd_unit_write_buffer_flush(&u), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "GSTS.WBFS");
}

static int enable(void) { return vtd_unit_enable_translation(&u); }
static int disable(void) { fake.gsts |= FAKE_TE; return vtd_unit_disable_translation(&u); }
static int set_root(void) { return vtd_unit_set_root(&u, ROOT); }
static int ir_off(void) { fake.gsts |= FAKE_IRE; return vtd_unit_interrupt_remapping_off(&u); }

static const struct {
	const char *name;
	int (*call)(void);
	uint32_t stuck;
	const char *wait;
	uint64_t last;
} timeouts[] = {
	{ "timeout.te_on",   enable,   FAKE_TE,   "GSTS.TES",  FAKE_QIE },
	{ "timeout.te_off",  disable,  FAKE_TE,   "GSTS.TES",  FAKE_QIE | FAKE_TE },
	{ "timeout.srtp",    set_root, FAKE_SRTP, "GSTS.RTPS", FAKE_QIE },
	{ "timeout.ire_off", ir_off,   FAKE_IRE,  "GSTS.IRES", FAKE_QIE | FAKE_IRE },
};

static void test_timeouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
		uint64_t start;

		print_message("# %s\n", timeouts[i].name);
		probe_with_queue();
		fake.stuck = timeouts[i].stuck;
		start = platform_us();
		assert_int_equal(timeouts[i].call(), -ETIMEDOUT);
		assert_in_range(platform_us() - start, VTD_WAIT_US, VTD_WAIT_US + 1000);
		assert_string_equal(u.failed_wait, timeouts[i].wait);
		assert_int_equal(u.failed_value, timeouts[i].last);
		assert_int_equal(u.root, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_read_state_and_snapshot),
		cmocka_unit_test(test_mask_events),
		cmocka_unit_test(test_set_root),
		cmocka_unit_test(test_set_root_in_scalable_mode),
		cmocka_unit_test(test_latch_root),
		cmocka_unit_test(test_who_snoops_second_stage_tables),
		cmocka_unit_test(test_translation_switch),
		cmocka_unit_test(test_interrupt_remapping_off),
		cmocka_unit_test(test_protected_memory_off),
		cmocka_unit_test(test_write_buffer_flush),
		cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests_name("vtd unit", tests, NULL, NULL);
}
