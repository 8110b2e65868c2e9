/* PCI through a fake ECAM: enumeration that writes nothing, hostile bridges and capability lists,
 * aliases, bus master, BARs, the snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/pci.h"
#include "platform/mmio.h"

#define ECAM		0xb0000000ULL
#define ECAM_1		0x4000000000ULL		/* segment 1, buses 20h to 2fh */
#define MAX_FAKES	280

/* What bits of a BAR stick when it is written. */
struct fake {
	uint16_t segment, rid;
	uint32_t dword[64];
	uint32_t bar_mask[6];
	unsigned pending;	/* reads of Device Status until Transactions Pending is 0 */
};

static struct fake fakes[MAX_FAKES];
static size_t nr_fakes;
static unsigned writes, mapped_buses, bus_reads[256];
static bool map_fails, d3_sticks;

static struct fake *find(uint16_t segment, uint16_t rid)
{
	for (size_t i = 0; i < nr_fakes; i++)
		if (fakes[i].segment == segment && fakes[i].rid == rid)
			return &fakes[i];
	return NULL;
}

static struct fake *decode(paddr_t addr, unsigned *off)
{
	const bool second = addr >= ECAM_1;
	const paddr_t rel = addr - (second ? ECAM_1 : ECAM);

	assert_true(rel < MIB(256));
	assert_true(IS_ALIGNED(addr, 4));
	*off = rel & 0xfff;
	bus_reads[rel >> 20]++;
	return find(second, (uint16_t)(rel >> 12));
}

uint32_t mmio_read32(paddr_t addr)
{
	unsigned off;
	struct fake *f = decode(addr, &off);

	if (!f || off >= sizeof(f->dword))
		return UINT32_MAX;
	if (f->pending && off == 0x48)	/* Device Control and Status of the capability at 40h */
		return f->dword[off / 4] | (--f->pending ? PCI_EXP_DEVSTA_TRPND << 16 : 0);
	return f->dword[off / 4];
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	unsigned off;
	struct fake *f = decode(addr, &off);

	writes++;
	if (!f)
		return;
	if (off == PCI_COMMAND)		/* Status is RW1C */
		v = (v & 0xffff) | ((f->dword[1] & 0xffff0000) & ~(v & 0xffff0000));
	else if (off >= PCI_BAR0 && off < PCI_BAR0 + 24)
		v = (v & f->bar_mask[(off - PCI_BAR0) / 4]) |
		    (f->dword[off / 4] & 0xf & ~f->bar_mask[(off - PCI_BAR0) / 4]);
	else if (off == 0x74 && d3_sticks)	/* PMCSR of the capability at 70h */
		return;
	f->dword[off / 4] = v;
}

uint64_t mmio_read64(paddr_t addr) { (void)addr; fail(); return 0; }
void mmio_write64(paddr_t addr, uint64_t v) { (void)addr; (void)v; fail(); }

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	assert_int_equal(len, MIB(1));
	assert_true(IS_ALIGNED(pa, MIB(1)));
	mapped_buses++;
	return map_fails ? NULL : (void *)(uintptr_t)pa;
}

static struct fake *add(uint16_t segment, uint16_t rid, uint32_t id, uint32_t class_code)
{
	struct fake *f = &fakes[nr_fakes++];

	assert_true(nr_fakes <= MAX_FAKES);
	memset(f, 0, sizeof(*f));
	f->segment = segment;
	f->rid = rid;
	f->dword[0] = id;
	f->dword[2] = class_code << 8;
	return f;
}

static struct fake *add_bridge(uint16_t segment, uint16_t rid, unsigned secondary, unsigned last)
{
	struct fake *f = add(segment, rid, 0x000c1b36, 0x060400);

	f->dword[3] = PCI_HEADER_BRIDGE << 16;
	f->dword[6] = last << 16 | secondary << 8 | PCI_BUS(rid);
	return f;
}

static void add_cap(struct fake *f, unsigned off, uint8_t id, uint8_t next, uint16_t word)
{
	f->dword[1] |= PCI_STATUS_CAPS << 16;
	if (!(f->dword[13] & 0xff))
		f->dword[13] = off;
	f->dword[off / 4] = id | (uint32_t)next << 8 | (uint32_t)word << 16;
}

static struct fake *add_exp(struct fake *f, enum pci_exp_type type)
{
	add_cap(f, 0x40, PCI_CAP_PCIE, 0, (uint16_t)(type << 4));
	return f;
}

static const struct acpi_mcfg q35 = {
	.n = 2, .entry = {
		{ .base = ECAM, .segment = 0, .start_bus = 0, .end_bus = 255 },
		{ .base = ECAM_1, .segment = 1, .start_bus = 0x20, .end_bus = 0x2f },
	},
};

static struct pci_fn fns[300];
static size_t n;

static void reset(void)
{
	nr_fakes = 0;
	writes = mapped_buses = 0;
	map_fails = d3_sticks = false;
	memset(bus_reads, 0, sizeof(bus_reads));
	pci_init(&q35);
}

static int enumerate(void)
{
	const int err = pci_enumerate(fns, ARRAY_SIZE(fns), &n);

	assert_int_equal(writes, 0);
	return err;
}

/* Host bridge; root port to 1 with a NIC; PCIe-to-PCI bridge to 2 with a device and a
 * conventional bridge to 3; a second host bridge's bus 80h; segment 1. */
static void build(void)
{
	struct fake *f;

	reset();
	add(0, PCI_RID(0, 0, 0), 0x29c08086, 0x060000);
	add_exp(add_bridge(0, PCI_RID(0, 3, 0), 1, 1), PCI_EXP_ROOT_PORT);
	add_exp(add_bridge(0, PCI_RID(0, 4, 0), 2, 3), PCI_EXP_TO_PCI);
	f = add(0, PCI_RID(0, 0x1f, 0), 0x29188086, 0x060100);
	f->dword[3] = PCI_HEADER_MULTI << 16;
	add(0, PCI_RID(0, 0x1f, 2), 0x29228086, 0x010601);
	add(0, PCI_RID(0, 5, 1), 0x11111111, 0xff0000);	/* no function 0: not there */
	f = add_exp(add(0, PCI_RID(1, 0, 0), 0x10d38086, 0x020000), PCI_EXP_ENDPOINT);
	add_cap(f, 0x70, PCI_CAP_PM, 0x40, 3);
	f->dword[13] = 0x70;
	add(0, PCI_RID(1, 1, 0), 0x10d38086, 0x020000);	/* ghost: a link leads to device 0 alone */
	add(0, PCI_RID(2, 2, 0), 0x11e81234, 0x00ff00);
	add_bridge(0, PCI_RID(2, 3, 0), 3, 3);
	add(0, PCI_RID(3, 1, 0), 0x100e8086, 0x020000);
	add(0, PCI_RID(0x80, 2, 0), 0x15218086, 0x020000);
	add(1, PCI_RID(0x20, 0, 0), 0x15218086, 0x020000);
	add(1, PCI_RID(0x30, 0, 0), 0x15218086, 0x020000);	/* outside the window */
}

static void test_follows_bridges(void **state)
{
	static const struct { uint16_t segment, rid; int parent; } want[] = {
		{ 0, 0x0000, -1 }, { 0, 0x0018, -1 }, { 0, 0x0020, -1 }, { 0, 0x00f8, -1 },
		{ 0, 0x00fa, -1 }, { 0, 0x0100, 1 }, { 0, 0x0210, 2 }, { 0, 0x0218, 2 },
		{ 0, 0x0308, 7 }, { 0, 0x8010, -1 }, { 1, 0x2000, -1 },
	};

	(void)state;
	build();
	assert_int_equal(enumerate(), 0);
	assert_int_equal(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(fns[i].segment, want[i].segment);
		assert_int_equal(fns[i].rid, want[i].rid);
		assert_int_equal(fns[i].parent, want[i].parent);
	}
	assert_int_equal(mapped_buses, 256 + 16);	/* once each */
	assert_int_equal(fns[1].exp_type, PCI_EXP_ROOT_PORT);
	assert_true(fns[1].is_bridge);
	assert_int_equal(fns[2].secondary, 2);
	assert_int_equal(fns[2].subordinate, 3);
	assert_int_equal(fns[5].vendor, 0x8086);
	assert_int_equal(fns[5].device, 0x10d3);
	assert_int_equal(fns[5].class_code, 0x020000);
	assert_int_equal(fns[5].cap_pm, 0x70);
	assert_int_equal(fns[5].cap_pcie, 0x40);
	assert_int_equal(fns[5].cap_msix, 0);
	assert_int_equal(pci_find(fns, n, 1, 0x2000), 10);
	assert_int_equal(pci_find(fns, n, 1, 0x0100), -1);
}

static void test_stops_when_full(void **state)
{
	(void)state;
	build();
	assert_int_equal(pci_enumerate(fns, 4, &n), -ENOSPC);
	assert_int_equal(n, 4);
	pci_init(&(struct acpi_mcfg){ .n = 0 });
	assert_int_equal(pci_enumerate(fns, 4, &n), -ENOENT);
}

/* Each of these bridges claims bus numbers it cannot have.  Bus 1 has a device all the same. */
static const struct { const char *name; unsigned secondary, last; } bad_bridges[] = {
	{ "secondary_zero", 0, 5 }, { "subordinate_below", 4, 3 }, { "unconfigured", 0, 0 },
};

static void test_refuses_bridges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_bridges); i++) {
		print_message("# pci.refuses_bridge.%s\n", bad_bridges[i].name);
		reset();
		add_bridge(0, PCI_RID(0, 1, 0), bad_bridges[i].secondary, bad_bridges[i].last);
		add(0, PCI_RID(4, 0, 0), 0x10d38086, 0x020000);
		assert_int_equal(enumerate(), 0);
		assert_int_equal(n, 2);
		assert_int_equal(fns[1].parent, -1);
	}
}

static void test_no_bus_twice(void **state)
{
	(void)state;
	reset();
	add_bridge(0, PCI_RID(0, 1, 0), 1, 3);
	add_bridge(0, PCI_RID(0, 2, 0), 1, 3);		/* the same bus again */
	add_bridge(0, PCI_RID(1, 0, 0), 2, 4);		/* beyond the bridge above */
	add_bridge(0, PCI_RID(1, 1, 0), 1, 1);		/* leads to itself */
	add(0, PCI_RID(2, 0, 0), 0x10d38086, 0x020000);
	assert_int_equal(enumerate(), 0);
	assert_int_equal(n, 5);
	assert_int_equal(fns[2].parent, 0);
	assert_int_equal(fns[3].parent, 0);
	assert_int_equal(fns[4].parent, -1);
	/* 32 device numbers, and at most 20 reads for each function that is there */
	for (unsigned bus = 0; bus < 4; bus++)
		assert_in_range(bus_reads[bus], 32, 32 + 3 * 20);
}

/* Longest possible chain: the walk's memory does not depend on depth. */
static void test_deep_chain(void **state)
{
	(void)state;
	reset();
	for (unsigned bus = 0; bus < 255; bus++)
		add_bridge(0, PCI_RID(bus, 0, 0), bus + 1, 255);
	assert_int_equal(enumerate(), 0);
	assert_int_equal(n, 255);
	assert_int_equal(fns[254].parent, 253);
	assert_int_equal(pci_config_snapshot(fns, 254, &(struct pci_config_snapshot){ 0 }), -ELOOP);
	assert_int_equal(pci_config_snapshot(fns, PCI_MAX_DEPTH,
					     &(struct pci_config_snapshot){ 0 }), 0);
}

static void test_requester_ids(void **state)
{
	uint16_t ids[PCI_MAX_REQUESTER_IDS];

	(void)state;
	build();
	enumerate();
	assert_int_equal(pci_requester_ids(fns, 5, ids), 1);	/* behind a root port */
	assert_int_equal(ids[0], 0x0100);
	assert_int_equal(pci_requester_ids(fns, 6, ids), 2);	/* behind a PCIe-to-PCI bridge */
	assert_int_equal(ids[0], 0x0210);
	assert_int_equal(ids[1], 0x0200);
	assert_int_equal(pci_requester_ids(fns, 8, ids), 3);	/* and a conventional one */
	assert_int_equal(ids[0], 0x0308);
	assert_int_equal(ids[1], 0x0218);
	assert_int_equal(ids[2], 0x0200);
	reset();
	for (unsigned bus = 0; bus < 9; bus++)
		add_bridge(0, PCI_RID(bus, 0, 0), bus + 1, 9);
	enumerate();
	assert_int_equal(pci_requester_ids(fns, 8, ids), PCI_MAX_REQUESTER_IDS);
}

static void test_capability_lists_end(void **state)
{
	struct fake *f;

	(void)state;
	reset();
	f = add(0, 0, 0x10d38086, 0x020000);
	f->dword[13] = 0x40;			/* pointer, but the Status bit says no list */
	f->dword[16] = PCI_CAP_PM;
	assert_int_equal(pci_find_cap(0, 0, PCI_CAP_PM), 0);
	add_cap(f, 0x40, PCI_CAP_MSI, 0x50, 0);
	add_cap(f, 0x50, PCI_CAP_PM, 0x43, 0);	/* low bits are reserved; back to 40h: a loop */
	assert_int_equal(pci_find_cap(0, 0, PCI_CAP_PM), 0x50);
	assert_int_equal(pci_find_cap(0, 0, PCI_CAP_MSIX), 0);
	add_cap(f, 0x50, PCI_CAP_PM, 0x10, 0);	/* into the header */
	f->dword[4] = PCI_CAP_MSIX;
	assert_int_equal(pci_find_cap(0, 0, PCI_CAP_MSIX), 0);
	f->dword[3] = PCI_HEADER_CARDBUS << 16;	/* its list starts elsewhere */
	f->dword[5] = 0x50;
	assert_int_equal(pci_find_cap(0, 0, PCI_CAP_MSI), 0);
	assert_int_equal(pci_find_cap(0, 0, PCI_CAP_PM), 0x50);
}

static void test_outside_windows(void **state)
{
	(void)state;
	reset();
	add(0, 0, 0x10d38086, 0x020000);
	assert_int_equal(pci_read32(7, 0, 0), UINT32_MAX);
	assert_int_equal(pci_read16(1, 0, 0), UINT16_MAX);
	assert_int_equal(pci_read8(0, 0, 4096), UINT8_MAX);
	pci_write32(7, 0, 0, 1);
	assert_int_equal(writes, 0);
	map_fails = true;
	assert_int_equal(pci_read32(0, 0, 0), UINT32_MAX);
	assert_int_equal(pci_read32(0, 0, 0), UINT32_MAX);
	assert_int_equal(mapped_buses, 1);	/* not tried again */
}

static void test_narrow_access(void **state)
{
	struct fake *f;

	(void)state;
	reset();
	f = add(0, 0, 0x10d38086, 0x020000);
	f->dword[15] = 0x44332211;
	assert_int_equal(pci_read8(0, 0, 0x3f), 0x44);
	assert_int_equal(pci_read16(0, 0, 0x3e), 0x4433);
	pci_write8(0, 0, 0x3d, 0xaa);
	assert_int_equal(f->dword[15], 0x4433aa11);
	pci_write16(0, 0, 0x3e, 0x5566);
	assert_int_equal(f->dword[15], 0x5566aa11);
	f->dword[1] = 0xf9100007;
	pci_write_control(0, 0, PCI_COMMAND, 0x0003);
	assert_int_equal(f->dword[1], 0xf9100003);	/* no RW1C status bit was cleared */
}

static void test_bus_master(void **state)
{
	struct fake *f;

	(void)state;
	build();
	f = find(0, PCI_RID(1, 0, 0));
	f->dword[1] |= 0x20000007;	/* received target abort: must survive */
	enumerate();
	assert_true(pci_is_bus_master(0, 0x0100));
	f->pending = 50;
	assert_int_equal(pci_bus_master(&fns[5], false), 0);
	assert_int_equal(f->pending, 0);
	assert_int_equal(f->dword[1] & 0xffff, 3);
	assert_int_equal(f->dword[1] >> 29, 1);
	assert_false(pci_is_bus_master(0, 0x0100));
	assert_int_equal(pci_bus_master(&fns[5], true), 0);
	assert_true(pci_is_bus_master(0, 0x0100));
	writes = 0;
	assert_int_equal(pci_bus_master(&fns[5], true), 0);
	assert_int_equal(writes, 0);
	f->pending = UINT32_MAX;
	assert_int_equal(pci_bus_master(&fns[5], false), -ETIMEDOUT);
	assert_false(pci_is_bus_master(0, 0x0100));
	assert_false(pci_is_bus_master(0, 0x0700));	/* all ones is not "on" */
}

static void test_d0(void **state)
{
	struct fake *f;

	(void)state;
	build();
	f = find(0, PCI_RID(1, 0, 0));
	enumerate();
	assert_int_equal(pci_set_d0(&fns[5]), 0);
	assert_int_equal(writes, 0);
	assert_true(pci_is_d0(&fns[5]));
	f->dword[0x74 / 4] = 0x8003;	/* D3hot, PME_Status */
	assert_false(pci_is_d0(&fns[5]));
	assert_int_equal(pci_set_d0(&fns[5]), 0);
	assert_true(pci_is_d0(&fns[5]));
	assert_int_equal(f->dword[0x74 / 4], 0);
	f->dword[0x74 / 4] = 0x8003;
	d3_sticks = true;
	assert_int_equal(pci_set_d0(&fns[5]), -ETIMEDOUT);
	assert_int_equal(pci_set_d0(&fns[0]), 0);	/* has no such capability */
	assert_true(pci_is_d0(&fns[0]));
}

static const struct {
	const char *name;
	uint32_t lo, hi, lo_mask, hi_mask;
	uint64_t base, size;
	bool is_io, is_64;
} bars[] = {
	{ "mem32_128k", 0xc0000000, 0, 0xfffe0000, 0, 0xc0000000, 0x20000, false, false },
	{ "mem64_1g", 0x0000000c, 0x38, 0xc0000000, 0xffffffff, 0x3800000000, GIB(1), false, true },
	{ "mem64_8g", 0x0000000c, 0x38, 0, 0xfffffffe, 0x3800000000, GIB(8), false, true },
	{ "io_32", 0x0000e001, 0, 0xffffffe0, 0, 0xe000, 32, true, false },
	{ "io_16_bit", 0x0000e001, 0, 0x0000ffe0, 0, 0xe000, 32, true, false },
	{ "none", 0, 0, 0, 0, 0, 0, false, false },
};

static void test_bars(void **state)
{
	struct pci_bar bar;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bars); i++) {
		struct fake *f;

		print_message("# pci.bar.%s\n", bars[i].name);
		reset();
		f = add(0, 0, 0x10d38086, 0x020000);
		f->dword[1] = 0xf9100003;
		f->dword[6] = bars[i].lo;
		f->dword[7] = bars[i].hi;
		f->bar_mask[2] = bars[i].lo_mask;
		f->bar_mask[3] = bars[i].hi_mask;
		enumerate();
		assert_int_equal(pci_bar(&fns[0], 2, &bar), 0);
		assert_int_equal(bar.base, bars[i].base);
		assert_int_equal(bar.is_io, bars[i].is_io);
		assert_int_equal(bar.is_64, bars[i].is_64);
		assert_int_equal(writes, 0);
		assert_int_equal(pci_bar_size(&fns[0], 2), bars[i].size);
		assert_int_equal(f->dword[1], 0xf9100003);
		assert_int_equal(f->dword[6], bars[i].lo);
		assert_int_equal(f->dword[7], bars[i].hi);
	}
}

static void test_bar_refusals(void **state)
{
	struct pci_bar bar;
	struct fake *f;

	(void)state;
	reset();
	f = add(0, 0, 0x10d38086, 0x020000);
	f->dword[4] = 0xc0000002;	/* below 1 MiB: reserved since PCI 3.0 */
	f->dword[9] = 0xc0000004;	/* 64-bit in the last one */
	f->dword[5] = 0xc0000000;
	f->bar_mask[1] = 0xffff0000;
	enumerate();
	assert_int_equal(pci_bar(&fns[0], 0, &bar), -EINVAL);
	assert_int_equal(pci_bar(&fns[0], 5, &bar), -EINVAL);
	assert_int_equal(pci_bar(&fns[0], 6, &bar), -EINVAL);
	assert_int_equal(pci_bar_size(&fns[0], 0), 0);
	f->dword[1] = PCI_COMMAND_MASTER;
	assert_int_equal(pci_bar_size(&fns[0], 1), 0);
	assert_int_equal(writes, 0);
	f->dword[3] = PCI_HEADER_BRIDGE << 16;
	enumerate();
	assert_int_equal(pci_bar(&fns[0], 2, &bar), -EINVAL);
}

static void change_command(void) { find(0, 0x0210)->dword[1] ^= PCI_COMMAND_MASTER; }
static void change_bar(void) { find(0, 0x0210)->dword[5] ^= 0x100000; }
static void change_id(void) { find(0, 0x0210)->dword[0] ^= 0x10000; }
static void change_bus(void) { find(0, 0x0020)->dword[6] ^= 0x10000; }
static void change_bridge_command(void) { find(0, 0x0020)->dword[1] ^= PCI_COMMAND_MASTER; }
static void change_status(void) { find(0, 0x0210)->dword[1] ^= 0xf0000000; }

static const struct { const char *name; void (*change)(void); const char *what; } changes[] = {
	{ "command", change_command, "Command register" },
	{ "bar", change_bar, "a Base Address Register" },
	{ "id", change_id, "vendor or device id" },
	{ "bridge_buses", change_bus, "bus numbers of a bridge above" },
	{ "bridge_command", change_bridge_command, "Command register of a bridge above" },
	{ "status_is_not_config", change_status, NULL },
};

static void test_snapshot(void **state)
{
	struct pci_config_snapshot was, is;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *what;

		print_message("# pci.snapshot.%s\n", changes[i].name);
		build();
		enumerate();
		assert_int_equal(pci_config_snapshot(fns, 6, &was), 0);
		assert_int_equal(was.nr_bridges, 1);
		assert_int_equal(was.bridge[0].rid, 0x0020);
		assert_int_equal(was.bridge[0].secondary, 2);
		assert_null(pci_config_difference(&was, &was));
		changes[i].change();
		assert_int_equal(pci_config_snapshot(fns, 6, &is), 0);
		what = pci_config_difference(&was, &is);
		if (changes[i].what)
			assert_string_equal(what, changes[i].what);
		else
			assert_null(what);
		assert_int_equal(writes, 0);
	}
	is = was;
	is.rid ^= 8;
	assert_non_null(pci_config_difference(&was, &is));
	is = was;
	is.nr_bridges = UINT16_MAX;	/* foreign bytes: must not be believed */
	assert_string_equal(pci_config_difference(&was, &is), "number of bridges above");
	was.nr_bridges = UINT16_MAX;
	assert_null(pci_config_difference(&was, &is));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "pci.follows_bridges", test_follows_bridges, NULL, NULL, NULL },
		{ "pci.stops_when_full", test_stops_when_full, NULL, NULL, NULL },
		{ "pci.refuses_bridges", test_refuses_bridges, NULL, NULL, NULL },
		{ "pci.no_bus_twice", test_no_bus_twice, NULL, NULL, NULL },
		{ "pci.deep_chain", test_deep_chain, NULL, NULL, NULL },
		{ "pci.requester_ids", test_requester_ids, NULL, NULL, NULL },
		{ "pci.capability_lists_end", test_capability_lists_end, NULL, NULL, NULL },
		{ "pci.outside_windows", test_outside_windows, NULL, NULL, NULL },
		{ "pci.narrow_access", test_narrow_access, NULL, NULL, NULL },
		{ "pci.bus_master", test_bus_master, NULL, NULL, NULL },
		{ "pci.d0", test_d0, NULL, NULL, NULL },
		{ "pci.bars", test_bars, NULL, NULL, NULL },
		{ "pci.bar_refusals", test_bar_refusals, NULL, NULL, NULL },
		{ "pci.snapshot", test_snapshot, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
