/* The hostile device: what counts as one, where its shots go, and that each is looked at.  An edu
 * and an iommu-testdev are played by the test; the IOMMU is a flag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/report/ktap.h"
#include "kernel/selftest/hostile.h"
#include "platform/mmio.h"

#define REGS		UINT64_C(0xfe000000)
#define BUFFERS		UINT64_C(0x159800000)	/* of the first stream; the guard page is before them */
#define GUARD		(BUFFERS - PAGE_SIZE)
#define RID		PCI_RID(0, 10, 0)
#define BLOCKED		0xdead0002u
#define IDLE		0xffffffffu

static struct pci_fn fns[2];
static struct pci_bar bars[6];
static struct iommu mmu;
static struct run run_of_test;
static uint16_t command;
static bool dead;		/* nothing answers behind the BAR */
static uint64_t mapped;

/* What both kinds have in common: shots and where they went. */
static struct {
	unsigned fired;
	uint64_t target, bytes;
	uint32_t outcome;		/* of the next one */
} shots;

static struct { uint32_t reg[0x24 / 4]; bool armed; uint32_t result; } testdev;
static struct { uint64_t reg[0xa0 / 8]; } edu;

/* ---- PCI, pages, ports, checks --------------------------------------------------------------- */

int pci_bar(const struct pci_fn *fn, unsigned index, struct pci_bar *out)
{
	assert_ptr_equal(fn, &fns[1]);
	if (index >= ARRAY_SIZE(bars))
		return -EINVAL;
	*out = bars[index];
	return 0;
}

int pci_find(const struct pci_fn *list, size_t n, uint16_t segment, uint16_t rid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].segment == segment && list[i].rid == rid)
			return (int)i;
	return -1;
}

uint16_t pci_read16(uint16_t segment, uint16_t rid, unsigned off)
{
	assert_int_equal(segment, 0);
	assert_int_equal(rid, RID);
	assert_int_equal(off, PCI_COMMAND);
	return command;
}

void pci_write_control(uint16_t segment, uint16_t rid, unsigned off, uint16_t v)
{
	assert_int_equal(pci_read16(segment, rid, off), command);
	command = v;
}

int pci_bus_master(const struct pci_fn *fn, bool on)
{
	assert_ptr_equal(fn, &fns[1]);
	assert_true(on);
	command |= PCI_COMMAND_MASTER;
	return 0;
}

bool pci_is_bus_master(uint16_t segment, uint16_t rid)
{
	return pci_read16(segment, rid, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	assert_int_equal(pa, REGS);
	mapped = len;
	return &mapped;
}

void port_regions(const struct stream_control_ser *c, struct port_region region[PORT_REGIONS])
{
	assert_non_null(c);
	region[PORT_RX_BUFFERS] = (struct port_region){ .pa = BUFFERS };
}

static unsigned good, bad;
static uint64_t last_got;

void check_eq(enum check_id id, const char *what, uint64_t got, uint64_t want)
{
	assert_int_equal(id, CHECK_HOSTILE_BLOCKED);
	assert_non_null(what);
	last_got = got;
	if (got == want)
		good++;
	else
		bad++;
}

void platform_log(const char *fmt, ...)
{
	assert_non_null(fmt);
}

/* ---- the devices' registers ------------------------------------------------------------------ */

static void fire(uint64_t target, uint64_t bytes)
{
	assert_true(command & PCI_COMMAND_MASTER);
	shots.fired++;
	shots.target = target;
	shots.bytes = bytes;
}

static bool is_testdev(void)
{
	return fns[1].device == 0x0005;
}

static size_t offset(paddr_t addr, size_t size)
{
	assert_true(command & PCI_COMMAND_MEMORY && mapped);
	assert_true(addr >= REGS && addr + size <= REGS + mapped);
	return addr - REGS;
}

uint32_t mmio_read32(paddr_t addr)
{
	const size_t off = offset(addr, 4);

	if (dead)
		return 0;
	if (!is_testdev())
		return off == 0 ? 0x010000ed : (uint32_t)edu.reg[off / 8];
	if (off == 0x00) {
		/* Lands where it was told to, or would be looked for in another place. */
		assert_int_equal(testdev.reg[0x04 / 4], testdev.reg[0x1c / 4]);
		assert_int_equal(testdev.reg[0x08 / 4], testdev.reg[0x20 / 4]);
		assert_true(testdev.armed);
		fire(testdev.reg[0x04 / 4] | (uint64_t)testdev.reg[0x08 / 4] << 32, testdev.reg[0x0c / 4]);
		testdev.result = shots.outcome;
		testdev.armed = false;
		return 0;
	}
	return off == 0x10 ? testdev.result : testdev.reg[off / 4];
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	const size_t off = offset(addr, 4);

	assert_true(is_testdev());
	assert_true(off < sizeof(testdev.reg));
	assert_int_not_equal(off, 0x18);	/* attributes: they mean other processors' worlds */
	if (off == 0x14) {
		testdev.armed = v & 1;
		testdev.result = testdev.armed ? 0xfffffffe : IDLE;
	}
	testdev.reg[off / 4] = v;
}

void mmio_write64(paddr_t addr, uint64_t v)
{
	const size_t off = offset(addr, 8);

	assert_false(is_testdev());
	assert_true(off < sizeof(edu.reg));
	edu.reg[off / 8] = v;
	if (off == 0x98) {
		assert_int_equal(v, 3);		/* start, to RAM */
		assert_int_equal(edu.reg[0x80 / 8], 0x40000);
		fire(edu.reg[0x88 / 8], edu.reg[0x90 / 8]);
	}
}

static void set_up(uint16_t vendor, uint16_t device)
{
	static struct stream_control_ser control;

	memset(&shots, 0, sizeof(shots));
	memset(&testdev, 0, sizeof(testdev));
	memset(&edu, 0, sizeof(edu));
	memset(bars, 0, sizeof(bars));
	bars[0].base = REGS;
	testdev.result = IDLE;
	shots.outcome = BLOCKED;
	command = 0;
	mapped = 0;
	dead = false;
	good = bad = 0;
	fns[1] = (struct pci_fn){ .rid = RID, .vendor = vendor, .device = device };
	mmu = (struct iommu){ .fns = fns, .nr_fns = ARRAY_SIZE(fns) };
	run_of_test = (struct run){ .mmu = &mmu, .nr_ports = 1 };
	run_of_test.cfg.has_hostile = true;
	run_of_test.cfg.hostile.rid = RID;
	run_of_test.port[0].control = &control;
}

static void set_up_testdev(void)
{
	set_up(0x1b36, 0x0005);
	hostile_prepare(&run_of_test);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* hostile.kinds: by ids, and a memory BAR alone */
static void test_kinds(void **state)
{
	static const struct {
		const char *name;
		uint16_t vendor, device;
		struct pci_bar first, second;
		bool is_one;
	} cases[] = {
		{ "edu", 0x1234, 0x11e8, { .base = REGS }, { 0 }, true },
		{ "iommu_testdev", 0x1b36, 0x0005, { .base = REGS }, { 0 }, true },
		{ "pci_testdev", 0x1b36, 0x0005, { .base = REGS }, { .base = 0xc000, .is_io = true }, false },
		{ "ports_not_assigned", 0x1b36, 0x0005, { .base = REGS }, { .is_io = true }, false },
		{ "more_memory", 0x1b36, 0x0005, { .base = REGS }, { .base = REGS + MIB(1) }, false },
		{ "ports_first", 0x1b36, 0x0005, { .base = 0xc000, .is_io = true }, { 0 }, false },
		{ "wide", 0x1b36, 0x0005, { .base = REGS, .is_64 = true }, { 0 }, false },
		{ "another_vendor", 0x1234, 0x0005, { .base = REGS }, { 0 }, false },
		{ "another_device", 0x1b36, 0x0010, { .base = REGS }, { 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		set_up(cases[i].vendor, cases[i].device);
		bars[0] = cases[i].first;
		bars[1] = cases[i].second;
		assert_int_equal(hostile_supported(&fns[1]), cases[i].is_one);
	}
}

/* hostile.prepare: bus master only if it behaves as what it says it is; no shot meanwhile */
static void test_prepare(void **state)
{
	static const uint16_t ids[][2] = { { 0x1234, 0x11e8 }, { 0x1b36, 0x0005 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		set_up(ids[i][0], ids[i][1]);
		hostile_prepare(&run_of_test);
		assert_int_equal(command, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		assert_int_equal(testdev.result, IDLE);
		set_up(ids[i][0], ids[i][1]);
		dead = true;
		hostile_prepare(&run_of_test);
		assert_int_equal(command, PCI_COMMAND_MEMORY);
		hostile_shoot(&run_of_test);
		assert_int_equal(shots.fired, 0);
	}
}

/* hostile.shot: at the guard page before the first stream's buffers, above 4 GiB as well */
static void test_shot(void **state)
{
	(void)state;
	set_up_testdev();
	hostile_shoot(&run_of_test);
	assert_int_equal(shots.fired, 1);
	assert_int_equal(shots.target, GUARD);
	assert_in_range(shots.bytes, 1, PAGE_SIZE);
}

/* hostile.result: nothing but "the write failed" is blocked, and no shot is no proof */
static void test_result(void **state)
{
	static const struct { const char *name; uint32_t result; bool is_good; } cases[] = {
		{ "blocked", BLOCKED, true },
		{ "landed", 0, false },
		{ "landed_elsewhere", 0xdead0004, false },
		{ "cannot_be_read_back", 0xdead0003, false },
		{ "bad_length", 0xdead0001, false },
		{ "not_armed", 0xdead0005, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		set_up_testdev();
		shots.outcome = cases[i].result;
		hostile_shoot(&run_of_test);
		hostile_look(&run_of_test);
		assert_int_equal(good, cases[i].is_good);
		assert_int_equal(bad, !cases[i].is_good);
		assert_int_equal(last_got, cases[i].result);
	}
	set_up_testdev();
	hostile_look(&run_of_test);
	assert_int_equal(bad, 1);
}

/* hostile.looked_at_once: the result of one shot is not taken for that of the next */
static void test_looked_at_once(void **state)
{
	(void)state;
	set_up_testdev();
	hostile_shoot(&run_of_test);
	hostile_look(&run_of_test);
	assert_int_equal(good, 1);
	hostile_look(&run_of_test);
	assert_int_equal(bad, 1);
	hostile_shoot(&run_of_test);
	hostile_look(&run_of_test);
	assert_int_equal(good, 2);
	assert_int_equal(shots.fired, 2);
}

/* hostile.edu: a copy of its buffer to the guard page, not while one is under way; no result */
static void test_edu(void **state)
{
	(void)state;
	set_up(0x1234, 0x11e8);
	hostile_prepare(&run_of_test);
	hostile_shoot(&run_of_test);
	assert_int_equal(shots.fired, 1);
	assert_int_equal(shots.target, GUARD);
	assert_in_range(shots.bytes, 1, PAGE_SIZE);
	hostile_shoot(&run_of_test);
	assert_int_equal(shots.fired, 1);
	edu.reg[0x98 / 8] = 0;
	hostile_shoot(&run_of_test);
	assert_int_equal(shots.fired, 2);
	hostile_look(&run_of_test);
	assert_int_equal(good + bad, 0);
}

/* hostile.expected: a write to the guard page, of this device; nothing is known of another */
static void test_expected(void **state)
{
	struct hostile_shot shot;

	(void)state;
	set_up_testdev();
	assert_true(hostile_expected(&run_of_test, RID, &shot));
	assert_int_equal(shot.addr, GUARD);
	assert_false(shot.is_read);
	assert_false(hostile_expected(&run_of_test, RID + 1, &shot));
}

/* hostile.nobody: without hostile=, or without a stream to aim at, nothing happens */
static void test_nobody(void **state)
{
	struct hostile_shot shot;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		set_up_testdev();
		if (i)
			run_of_test.nr_ports = 0;
		else
			run_of_test.cfg.has_hostile = false;
		hostile_shoot(&run_of_test);
		hostile_look(&run_of_test);
		assert_int_equal(shots.fired, 0);
		assert_int_equal(good + bad, 0);
		assert_false(hostile_expected(&run_of_test, RID, &shot));
	}
	set_up(0x1b36, 0x0005);
	run_of_test.cfg.has_hostile = false;
	hostile_prepare(&run_of_test);
	assert_int_equal(command, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_shot),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_looked_at_once),
		cmocka_unit_test(test_edu),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
