/* Fault records on the fake register file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "fake_unit.h"
#include "vtd/fault.h"
#include "vtd/unit.h"

static struct vtd_unit u;
static struct vtd_fault recs[FAKE_NFR];
static size_t n;
static uint32_t fsts;

static void probe(void)
{
	fake_reset();
	u = (struct vtd_unit){ .index = 0 };
	assert_int_equal(vtd_unit_probe(&u, FAKE_REGS), 0);
}

static void record(unsigned i, uint64_t lo, uint64_t hi)
{
	fake.frcd[i][0] = lo;
	fake.frcd[i][1] = hi;
	fake_update_ppf();
}

static const struct {
	const char *name;
	uint64_t lo, hi;
	struct vtd_fault want;
} decoded[] = {
	{ "fault.write",        0x123456000, 0x8000000500000018, { 0x0018, 5, false, false, 0, 0x123456000 } },
	{ "fault.read",         0x123456000, 0xc000000600000310, { 0x0310, 6, true, false, 0, 0x123456000 } },
	{ "fault.pasid",        0x7000,      0x800abc5980000018 | 0xdULL << 56 | 0xeULL << 52,
	  { 0x0018, 0x59, false, true, 0xdeabc, 0x7000 } },
	/* Some units leave the field full of ones where there is no PASID. */
	{ "fault.garbage_pasid", 0x7000,     0x80ffff0500000018, { 0x0018, 5, false, false, 0, 0x7000 } },
	{ "fault.low_bits_cut", 0x7fff,      0x8000000200000018, { 0x0018, 2, false, false, 0, 0x7000 } },
	{ "fault.interrupt",    0x0123000000000000, 0x800000220000f0f8,
	  { 0xf0f8, 0x22, false, false, 0, 0x0123000000000000 } },
};

static void test_decoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(decoded); i++) {
		print_message("# %s\n", decoded[i].name);
		probe();
		record(0, decoded[i].lo, decoded[i].hi);
		assert_int_equal(vtd_fault_read_all(&u, recs, FAKE_NFR, &n, &fsts), 0);
		assert_int_equal(n, 1);
		assert_int_equal(recs[0].rid, decoded[i].want.rid);
		assert_int_equal(recs[0].reason, decoded[i].want.reason);
		assert_int_equal(recs[0].is_read, decoded[i].want.is_read);
		assert_int_equal(recs[0].pasid_valid, decoded[i].want.pasid_valid);
		assert_int_equal(recs[0].pasid, decoded[i].want.pasid);
		assert_int_equal(recs[0].addr, decoded[i].want.addr);
	}
}

static void test_nothing_recorded(void **state)
{
	(void)state;
	probe();
	record(1, 0x5000, 0x0000000500000018);	/* F is clear: the rest means nothing */
	fake.fsts = 0xff00;			/* nor does FRI without PPF */
	n = 7;
	assert_int_equal(vtd_fault_read_all(&u, recs, FAKE_NFR, &n, &fsts), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fsts, 0xff00);
	assert_int_equal(fake.nr_log, 0);
}

static void test_oldest_first(void **state)
{
	(void)state;
	probe();
	for (unsigned i = 0; i < FAKE_NFR; i++)
		record(i, i << 12, 0x8000000500000000 | i);
	fake.fsts |= 2 << 8 | 1;		/* FRI = 2, overflow */
	assert_int_equal(vtd_fault_read_all(&u, recs, FAKE_NFR, &n, &fsts), 0);
	assert_int_equal(n, FAKE_NFR);
	assert_int_equal(fsts, 0x203);
	for (unsigned i = 0; i < FAKE_NFR; i++)
		assert_int_equal(recs[i].rid, (2 + i) % FAKE_NFR);
	assert_int_equal(fake.nr_log, 0);	/* nothing is cleared */
	/* FRI beyond the last record stays within them. */
	fake.fsts |= 0xff00;
	assert_int_equal(vtd_fault_read_all(&u, recs, FAKE_NFR, &n, &fsts), 0);
	assert_int_equal(n, FAKE_NFR);
}

static void test_more_than_the_caller_holds(void **state)
{
	struct vtd_fault one = { 0 };

	(void)state;
	probe();
	record(0, 0x1000, 0x8000000500000018);
	record(3, 0x2000, 0x8000000500000020);
	assert_int_equal(vtd_fault_read_all(&u, &one, 1, &n, &fsts), -ENOSPC);
	assert_int_equal(n, 2);
	assert_int_equal(one.rid, 0x18);
	assert_int_equal(vtd_fault_read_all(&u, NULL, 0, &n, &fsts), -ENOSPC);
	assert_int_equal(n, 2);
}

static void test_clear(void **state)
{
	(void)state;
	probe();
	record(0, 0x1000, 0x8000000500000018);
	record(2, 0x2000, 0xc000000600000020);
	fake.fsts |= 0x71;
	assert_int_equal(vtd_fault_clear(&u), 0);
	assert_int_equal(fake.fsts, 0);
	assert_int_equal(fake.frcd[0][1] >> 63, 0);
	assert_int_equal(fake.frcd[2][1] >> 63, 0);
	/* Records before the overflow, and exactly the bits that were set. */
	assert_int_equal(fake.nr_log, 3);
	assert_int_equal(fake.log[0].reg, FAKE_FRO + 12);
	assert_int_equal(fake.log[1].reg, FAKE_FRO + 2 * 16 + 12);
	assert_int_equal(fake.log[2].reg, 0x034);
	assert_int_equal(fake.log[2].v, 0x71);
	fake.nr_log = 0;
	assert_int_equal(vtd_fault_clear(&u), 0);
	assert_int_equal(fake.nr_log, 0);
	fake.fsts = 1;
	fake.new_fault_on_clear = true;
	assert_int_equal(vtd_fault_clear(&u), -EIO);
}

static void test_reason_names(void **state)
{
	static const struct { uint8_t reason; const char *name; } names[] = {
		{ 0x01, "root entry not present" }, { 0x02, "context entry not present" },
		{ 0x05, "write not permitted" }, { 0x06, "read not permitted" },
		{ 0x0c, "reserved bit in paging entry" }, { 0x25, "compatibility format interrupt blocked" },
		{ 0x33, "blocked by abort-DMA mode" },
		{ 0x39, "root entry not present" }, { 0x41, "context entry not present" },
		{ 0x51, "PASID directory entry not present" }, { 0x5a, "reserved bit in PASID entry" },
		{ 0x79, "not mapped" }, { 0x85, "write not permitted" }, { 0x86, "read not permitted" },
		{ 0x87, "output in the interrupt address range" },
		{ 0x00, "unknown fault reason" }, { 0x0f, "unknown fault reason" },
		{ 0x34, "unknown fault reason" }, { 0xff, "unknown fault reason" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(vtd_fault_reason_name(names[i].reason), names[i].name);
}

/* 7.1.3: reasons of scalable mode are no others' there, and emulated units log 2, 5 and 6 in both. */
static const struct {
	uint8_t ttm, reason;
	bool no_context, write, read;
} kinds[] = {
	{ VTD_TTM_LEGACY, 0x01, true, false, false },	 { VTD_TTM_LEGACY, 0x02, true, false, false },
	{ VTD_TTM_LEGACY, 0x05, false, true, false },	 { VTD_TTM_LEGACY, 0x06, false, false, true },
	{ VTD_TTM_LEGACY, 0x39, false, false, false },	 { VTD_TTM_SCALABLE, 0x39, true, false, false },
	{ VTD_TTM_SCALABLE, 0x01, true, false, false },
	{ VTD_TTM_LEGACY, 0x41, false, false, false },	 { VTD_TTM_LEGACY, 0x79, false, false, false },
	{ VTD_TTM_LEGACY, 0x85, false, false, false },	 { VTD_TTM_LEGACY, 0x86, false, false, false },
	{ VTD_TTM_SCALABLE, 0x02, true, false, false },	 { VTD_TTM_SCALABLE, 0x05, false, true, false },
	{ VTD_TTM_SCALABLE, 0x06, false, false, true },	 { VTD_TTM_SCALABLE, 0x41, true, false, false },
	{ VTD_TTM_SCALABLE, 0x51, false, false, false }, { VTD_TTM_SCALABLE, 0x59, false, false, false },
	{ VTD_TTM_SCALABLE, 0x79, false, true, true },	 { VTD_TTM_SCALABLE, 0x7a, false, false, false },
	{ VTD_TTM_SCALABLE, 0x85, false, true, false },	 { VTD_TTM_SCALABLE, 0x86, false, false, true },
};

static void test_what_a_reason_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		print_message("# mode %u, reason %02x\n", kinds[i].ttm, kinds[i].reason);
		assert_int_equal(vtd_fault_of_no_context(kinds[i].ttm, kinds[i].reason), kinds[i].no_context);
		assert_int_equal(vtd_fault_of_permission(kinds[i].ttm, kinds[i].reason, false), kinds[i].write);
		assert_int_equal(vtd_fault_of_permission(kinds[i].ttm, kinds[i].reason, true), kinds[i].read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoding),
		cmocka_unit_test(test_nothing_recorded),
		cmocka_unit_test(test_oldest_first),
		cmocka_unit_test(test_more_than_the_caller_holds),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_reason_names),
		cmocka_unit_test(test_what_a_reason_says),
	};

	return cmocka_run_group_tests_name("vtd faults", tests, NULL, NULL);
}
