/* Which invalidation is issued when: through the queue, and through the registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "fake_unit.h"
#include "vtd/inval.h"
#include "vtd/unit.h"

#define RING	MIB(2)
#define STATUS	MIB(3)
#define RID	0x0018
#define DID	5

static struct vtd_unit u;

static void probe(bool queue)
{
	fake_reset();
	u = (struct vtd_unit){ .index = 0 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
	if (queue)
		assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	fake.nr_log = fake.nr_done = 0;
}

static int global(void) { return vtd_inval_global(&u); }
static int context(void) { return vtd_inval_context(&u, RID, DID); }
static int domain(void) { return vtd_inval_domain(&u, DID); }
static int one_page(void) { return vtd_inval_pages(&u, DID, 0x1234000, 0x1000, true); }
static int two_pages(void) { return vtd_inval_pages(&u, DID, 0x1234000, 0x2000, true); }
static int odd_pages(void) { return vtd_inval_pages(&u, DID, 0x1235000, 0x2000, false); }
static int across(void) { return vtd_inval_pages(&u, DID, 0x1ff000, 0x2000, false); }
static int one_gib(void) { return vtd_inval_pages(&u, DID, GIB(1), GIB(1), true); }
static int too_wide(void) { return vtd_inval_pages(&u, DID, GIB(1), GIB(1) + 0x1000, true); }
static int last_page(void) { return vtd_inval_pages(&u, DID, ~0xfffULL, 0x1000, true); }
static int no_psi(void) { u.caps.psi = false; return one_page(); }
static int added(void) { return vtd_inval_context_added(&u, RID, DID); }
static int added_cm(void) { u.caps.cm = true; return added(); }
static int pages_added(void) { return vtd_inval_pages_added(&u, DID, 0x1234000, 0x1000); }
static int pages_added_cm(void) { u.caps.cm = true; return pages_added(); }

static const struct {
	const char *name;
	int (*call)(void);
	unsigned n;			/* without the wait */
	uint64_t d[2][2];
} queued[] = {
	{ "inval.global",         global,    2, { { 0x11, 0 }, { 0xd2, 0 } } },
	{ "inval.context",        context,   2, { { 0x001800050031, 0 }, { 0x000500e2, 0 } } },
	{ "inval.domain",         domain,    1, { { 0x000500e2, 0 } } },
	{ "inval.one_page",       one_page,  1, { { 0x000500f2, 0x1234040 } } },
	{ "inval.two_pages",      two_pages, 1, { { 0x000500f2, 0x1234041 } } },
	{ "inval.unaligned_pair", odd_pages, 1, { { 0x000500f2, 0x1234002 } } },
	{ "inval.across_2m",      across,    1, { { 0x000500f2, 0x0000000 + 10 } } },
	{ "inval.1g_is_am_18",    one_gib,   1, { { 0x000500f2, 0x40000040 + 18 } } },
	{ "inval.beyond_mamv",    too_wide,  1, { { 0x000500e2, 0 } } },
	{ "inval.last_page",      last_page, 1, { { 0x000500f2, 0xfffffffffffff040 } } },
	{ "inval.without_psi",    no_psi,    1, { { 0x000500e2, 0 } } },
	{ "inval.added",          added,     0, { { 0, 0 } } },
	{ "inval.added_cm_did_0", added_cm,  2, { { 0x001800000031, 0 }, { 0x000500e2, 0 } } },
	{ "inval.pages_added",    pages_added, 0, { { 0, 0 } } },
	{ "inval.pages_added_cm", pages_added_cm, 1, { { 0x000500f2, 0x1234000 } } },
};

static void test_through_the_queue(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(queued); i++) {
		print_message("# %s\n", queued[i].name);
		probe(true);
		assert_int_equal(queued[i].call(), 0);
		assert_int_equal(fake.nr_done, queued[i].n ? queued[i].n + 1 : 0);
		for (unsigned d = 0; d < queued[i].n; d++) {
			assert_int_equal(fake.done[d][0], queued[i].d[d][0]);
			assert_int_equal(fake.done[d][1], queued[i].d[d][1]);
		}
	}
}

/* ---- scalable mode -------------------------------------------------------------------------- */

static void probe_scalable(void)
{
	fake_reset();
	fake.ecap = FAKE_ECAP_SCALABLE;
	fake.latched_root = 0x400;
	u = (struct vtd_unit){ .index = 0 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
	u.ttm = VTD_TTM_SCALABLE;
	assert_int_equal(vtd_qi_start(&u, RING, STATUS), 0);
	fake.nr_log = fake.nr_done = 0;
}

static int pasid_0(void) { return vtd_inval_pasid(&u, 0, DID); }
static int pasid_last(void) { return vtd_inval_pasid(&u, 0xfffff, 0xffff); }

/* Context cache, PASID cache, IOTLB: each may be asked only after the one before it (6.5.2.12). */
static const struct {
	const char *name;
	int (*call)(void);
	unsigned n;
	uint64_t d[3][2];
} scalable[] = {
	{ "scalable.global",      global,  3, { { 0x11, 0 }, { 0x37, 0 }, { 0xd2, 0 } } },
	{ "scalable.context",     context, 3, { { 0x001800050031, 0 }, { 0x00050007, 0 }, { 0x000500e2, 0 } } },
	{ "scalable.pasid",       pasid_0, 2, { { 0x00050017, 0 }, { 0x000500e2, 0 } } },
	{ "scalable.last_pasid",  pasid_last, 2, { { 0xfffffffff0017, 0 }, { 0xffff00e2, 0 } } },
	{ "scalable.domain",      domain,  1, { { 0x000500e2, 0 } } },
	{ "scalable.one_page",    one_page, 1, { { 0x000500f2, 0x1234040 } } },
	{ "scalable.added",       added,   0, { { 0, 0 } } },
	{ "scalable.added_cm",    added_cm, 3, { { 0x001800000031, 0 }, { 0x00050007, 0 }, { 0x000500e2, 0 } } },
	{ "scalable.pages_added", pages_added, 0, { { 0, 0 } } },
	{ "scalable.pages_added_cm", pages_added_cm, 1, { { 0x000500f2, 0x1234000 } } },
};

static void test_in_scalable_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scalable); i++) {
		print_message("# %s\n", scalable[i].name);
		probe_scalable();
		assert_int_equal(scalable[i].call(), 0);
		assert_int_equal(fake.nr_done, scalable[i].n ? scalable[i].n + 1 : 0);
		for (unsigned d = 0; d < scalable[i].n; d++) {
			assert_int_equal(fake.done[d][0], scalable[i].d[d][0]);
			assert_int_equal(fake.done[d][1], scalable[i].d[d][1]);
		}
	}
}

/* No register reaches the PASID cache, and in this mode none of them may be used (6.5.1). */
static void test_no_registers_in_scalable_mode(void **state)
{
	(void)state;
	probe_scalable();
	assert_int_equal(vtd_qi_stop(&u), 0);
	fake.nr_log = 0;
	assert_int_equal(vtd_inval_global(&u), -EOPNOTSUPP);
	assert_int_equal(vtd_inval_context(&u, RID, DID), -EOPNOTSUPP);
	assert_int_equal(vtd_inval_pasid(&u, 0, DID), -EOPNOTSUPP);
	assert_int_equal(vtd_inval_domain(&u, DID), -EOPNOTSUPP);
	assert_int_equal(fake.nr_log, 0);
}

static void test_pasid_of_a_wrong_did_is_refused(void **state)
{
	(void)state;
	probe_scalable();
	u.caps.ndoms = 256;
	assert_int_equal(vtd_inval_pasid(&u, 0, 256), -ERANGE);
	assert_int_equal(fake.nr_done, 0);
	assert_int_equal(vtd_inval_pasid(&u, 0, 255), 0);
	fake.refuse_type = 7;
	assert_int_equal(vtd_inval_pasid(&u, 0, DID), -EIO);
	assert_int_equal(vtd_inval_context(&u, RID, DID), -EIO);
}

/* ---- registers ------------------------------------------------------------------------------ */

#define CCMD	0x028
#define IVA	FAKE_IRO
#define IOTLB	(FAKE_IRO + 8)

static const struct {
	const char *name;
	int (*call)(void);
	unsigned n;
	struct { uint32_t reg; uint64_t v; } w[2];
} by_register[] = {
	{ "registers.global",  global,  2, { { CCMD, 0xa000000000000000 }, { IOTLB, 0x9003000000000055 } } },
	{ "registers.context", context, 2, { { CCMD, 0xe000000000180005 }, { IOTLB, 0xa003000500000055 } } },
	{ "registers.domain",  domain,  1, { { IOTLB, 0xa003000500000055 } } },
	{ "registers.page",    one_page, 2, { { IVA, 0x1234040 }, { IOTLB, 0xb003000500000055 } } },
	{ "registers.pages",   across,  2, { { IVA, 10 }, { IOTLB, 0xb003000500000055 } } },
	{ "registers.added",   added,   0, { { 0, 0 } } },
};

static void test_through_the_registers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(by_register); i++) {
		print_message("# %s\n", by_register[i].name);
		probe(false);
		fake.iotlb = 0x55;	/* RsvdP bits come back as they were */
		assert_int_equal(by_register[i].call(), 0);
		assert_int_equal(fake.nr_log, by_register[i].n);
		for (unsigned w = 0; w < by_register[i].n; w++) {
			assert_int_equal(fake.log[w].reg, by_register[i].w[w].reg);
			assert_int_equal(fake.log[w].v, by_register[i].w[w].v);
		}
	}
}

static void test_registers_refuse(void **state)
{
	(void)state;
	probe(false);
	fake.refuse_commands = true;
	assert_int_equal(vtd_inval_global(&u), -EIO);	/* CAIG=0 */
	assert_int_equal(fake.nr_log, 1);
	assert_int_equal(vtd_inval_domain(&u, DID), -EIO);	/* IAIG=0 */

	probe(false);
	fake.commands_stuck = true;
	assert_int_equal(vtd_inval_global(&u), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "CCMD.ICC");
	/* No IOTLB command is started while that one is under way. */
	fake.nr_log = 0;
	assert_int_equal(vtd_inval_domain(&u, DID), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "CCMD.ICC");
	assert_int_equal(fake.nr_log, 0);
	fake.ccmd = 0;
	assert_int_equal(vtd_inval_domain(&u, DID), -ETIMEDOUT);
	assert_string_equal(u.failed_wait, "IOTLB.IVT");

	probe(false);
	fake.gsts = FAKE_QIE;		/* a queue that is not ours: the registers would hang */
	assert_int_equal(vtd_inval_global(&u), -EBUSY);
	assert_int_equal(fake.nr_log, 0);

	probe(false);
	u.caps.ver_major = 6;
	assert_int_equal(vtd_inval_global(&u), -EOPNOTSUPP);
	assert_int_equal(fake.nr_log, 0);
}

static void test_wrong_did_is_refused(void **state)
{
	(void)state;
	probe(true);
	u.caps.ndoms = 256;
	assert_int_equal(vtd_inval_domain(&u, 256), -ERANGE);
	assert_int_equal(vtd_inval_context(&u, RID, 256), -ERANGE);
	assert_int_equal(vtd_inval_pages(&u, 256, 0, 0x1000, true), -ERANGE);
	assert_int_equal(fake.nr_done, 0);
	assert_int_equal(vtd_inval_domain(&u, 255), 0);
	assert_int_equal(vtd_inval_pages(&u, DID, 0, 0, true), -EINVAL);
	assert_int_equal(vtd_inval_pages(&u, DID, ~0xfffULL, 0x2000, true), -EINVAL);
}

static void test_queue_error_is_reported(void **state)
{
	(void)state;
	probe(true);
	fake.refuse_type = 2;
	assert_int_equal(vtd_inval_domain(&u, DID), -EIO);
}

static void test_write_buffer_flush_when_asked_for(void **state)
{
	(void)state;
	probe(true);
	u.caps.rwbf = true;
	assert_int_equal(vtd_inval_context_added(&u, RID, DID), 0);
	assert_int_equal(fake.nr_log, 1);
	assert_int_equal(fake.log[0].v, FAKE_QIE | FAKE_WBF);
	assert_int_equal(vtd_inval_pages_added(&u, DID, 0, 0x1000), 0);
	assert_int_equal(fake.nr_log, 2);
	fake.stuck = FAKE_WBF;
	assert_int_equal(vtd_inval_pages_added(&u, DID, 0, 0x1000), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_through_the_queue),
		cmocka_unit_test(test_in_scalable_mode),
		cmocka_unit_test(test_no_registers_in_scalable_mode),
		cmocka_unit_test(test_pasid_of_a_wrong_did_is_refused),
		cmocka_unit_test(test_through_the_registers),
		cmocka_unit_test(test_registers_refuse),
		cmocka_unit_test(test_wrong_did_is_refused),
		cmocka_unit_test(test_queue_error_is_reported),
		cmocka_unit_test(test_write_buffer_flush_when_asked_for),
	};

	return cmocka_run_group_tests_name("vtd invalidation", tests, NULL, NULL);
}
