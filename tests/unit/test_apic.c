/* The local APIC: masked, and INIT to all other processors.  MSRs cannot be tried on the host, so apic.c
 * is built here with an APIC of the test's own, which answers in the mode it is in and in no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/machine/cpu.h"

#define APIC_PAGE	0xfee00000ULL
#define BSP		BIT64(8)
#define X2APIC		BIT64(10)
#define ENABLED		BIT64(11)

/* Intel SDM 3A, 11.6.1: 10:8 delivery mode 5, 14 assert, 19:18 all excluding self. */
#define ICR		0x300
#define INIT_TO_OTHERS	0x000c4500
#define PENDING		BIT32(12)
#define NEVER		UINT32_MAX

static struct {
	uint64_t base;
	uint32_t reg[0x400 / 16];	/* by offset / 16 */
	unsigned reads, writes;		/* of registers */
	unsigned icr_writes;
	uint32_t pending;		/* reads of ICR until it was sent; NEVER */
	bool map_fails, is_mapped;
} apic;

static uint32_t *reg(uint64_t offset)
{
	assert_true(IS_ALIGNED(offset, 16));
	assert_true(offset / 16 < ARRAY_SIZE(apic.reg));
	return &apic.reg[offset / 16];
}

static void write_reg(uint64_t offset, uint64_t v)
{
	assert_true(v <= UINT32_MAX);	/* of ICR in x2APIC mode: the destination, which is not looked at */
	apic.writes++;
	apic.icr_writes += offset == ICR;
	*reg(offset) = (uint32_t)v;
}

static uint64_t fake_rdmsr(uint32_t msr)
{
	if (msr == MSR_APIC_BASE)
		return apic.base;
	assert_true((apic.base & (ENABLED | X2APIC)) == (ENABLED | X2APIC));	/* else #GP */
	assert_in_range(msr, 0x800, 0x83f);
	apic.reads++;
	return *reg((uint64_t)(msr - 0x800) << 4);
}

static void fake_wrmsr(uint32_t msr, uint64_t v)
{
	assert_true((apic.base & (ENABLED | X2APIC)) == (ENABLED | X2APIC));
	assert_in_range(msr, 0x800, 0x83f);
	write_reg((uint64_t)(msr - 0x800) << 4, v);
}

#define cpu_rdmsr(msr)		fake_rdmsr(msr)
#define cpu_wrmsr(msr, v)	fake_wrmsr(msr, v)
#include "kernel/machine/apic.c"

static void check_mode(paddr_t addr)
{
	assert_true(apic.is_mapped);
	assert_true((apic.base & (ENABLED | X2APIC)) == ENABLED);
	assert_in_range(addr, APIC_PAGE, APIC_PAGE + PAGE_SIZE - 1);
}

uint32_t mmio_read32(paddr_t addr)
{
	check_mode(addr);
	apic.reads++;
	if (addr == APIC_PAGE + ICR && apic.icr_writes && apic.pending) {
		apic.pending -= apic.pending != NEVER;
		return *reg(ICR) | PENDING;
	}
	return *reg(addr - APIC_PAGE);
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	check_mode(addr);
	write_reg(addr - APIC_PAGE, v);
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	assert_int_equal(pa, APIC_PAGE);
	assert_int_equal(len, PAGE_SIZE);
	apic.is_mapped = !apic.map_fails;
	return apic.is_mapped ? &apic : NULL;
}

static void begin(uint64_t flags)
{
	memset(&apic, 0, sizeof(apic));
	apic.base = APIC_PAGE | flags;
	*reg(0x30) = 5 << 16 | 0x14;	/* version: the last entry is number 5 */
}

/* ---- INIT ---------------------------------------------------------------------------------- */

static void test_init_xapic(void **state)
{
	(void)state;
	for (uint32_t pending = 0; pending < 3; pending++) {
		begin(ENABLED | BSP);
		apic.pending = pending;
		assert_int_equal(apic_silence_others(), 0);
		assert_int_equal(*reg(ICR), INIT_TO_OTHERS);
		assert_int_equal(apic.writes, 1);
		assert_int_equal(apic.reads, pending + 1);	/* waited for */
	}
}

static void test_init_never_sent(void **state)
{
	(void)state;
	begin(ENABLED | BSP);
	apic.pending = NEVER;
	assert_int_equal(apic_silence_others(), -ETIMEDOUT);
	assert_in_range(apic.reads, 1000, 10000000);
}

/* No delivery status there: bit 12 of ICR is reserved. */
static void test_init_x2apic(void **state)
{
	(void)state;
	begin(ENABLED | X2APIC | BSP);
	apic.map_fails = true;
	assert_int_equal(apic_silence_others(), 0);
	assert_int_equal(*reg(ICR), INIT_TO_OTHERS);
	assert_int_equal(apic.writes, 1);
	assert_int_equal(apic.reads, 0);
}

static void test_init_refused(void **state)
{
	static const struct { uint64_t flags; bool map_fails; int err; } cases[] = {
		{ BSP, false, -ENODEV },
		{ 0, false, -ENODEV },
		{ ENABLED, false, -EOPNOTSUPP },
		{ ENABLED | X2APIC, false, -EOPNOTSUPP },
		{ ENABLED | BSP, true, -ENOMEM },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(cases[i].flags);
		apic.map_fails = cases[i].map_fails;
		assert_int_equal(apic_silence_others(), cases[i].err);
		assert_int_equal(apic.writes, 0);
	}
}

/* ---- the local vector table ------------------------------------------------------------------ */

/* As many entries as the version says; what else they hold stays. */
static void test_mask(void **state)
{
	static const uint16_t first_six[] = { 0x320, 0x350, 0x360, 0x370, 0x340, 0x330 };

	(void)state;
	for (unsigned x2 = 0; x2 < 2; x2++) {
		begin(ENABLED | (x2 ? X2APIC : 0));
		for (size_t i = 0; i < ARRAY_SIZE(first_six); i++)
			*reg(first_six[i]) = 0x700 | (uint32_t)i;
		apic_mask();
		for (size_t i = 0; i < ARRAY_SIZE(first_six); i++)
			assert_int_equal(*reg(first_six[i]), 0x10700 | i);
		assert_int_equal(apic.writes, ARRAY_SIZE(first_six));
	}
	begin(0);
	apic_mask();
	assert_int_equal(apic.reads + apic.writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_xapic),
		cmocka_unit_test(test_init_never_sent),
		cmocka_unit_test(test_init_x2apic),
		cmocka_unit_test(test_init_refused),
		cmocka_unit_test(test_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
