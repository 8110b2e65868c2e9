/* A fake of the controllers' registers for test_nic_*.c: remembers writes, resets on CTRL.RST,
 * plays firmware's side of the semaphores.  DMA is done by the tests themselves. */
#ifndef BATON_TESTS_NIC_FAKE_H
#define BATON_TESTS_NIC_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/pci.h"
#include "kernel/nic/nic.h"
#include "kernel/nic/regs.h"
#include "platform/mem.h"
#include "platform/mmio.h"

#define FAKE_BAR0	0xc0000000ULL
#define FAKE_ECAM	0xb0000000ULL
#define FAKE_RID	0x0100
#define FAKE_LOG	4096
#define FAKE_NEVER	UINT32_MAX

static struct {
	uint32_t reg[NIC_BAR0_BYTES / 4];
	struct { uint32_t reg, v; } log[FAKE_LOG];
	size_t writes, reads;
	bool bus_master;
	bool reset_sticks, nvm_empty, master_sticks, queue_sticks, weak_reset;
	bool firmware_has_phy, phy_dead;
	bool smbi;			/* somebody took it by reading 0 */
	bool smbi_stuck;
	uint32_t mdic_while_unowned;	/* PHY access without the semaphore */
	uint32_t link_reads;		/* reads of STATUS until link, once restarted */
	bool restarted, igb;
	uint32_t reset_rah, reset_ral;
} fake;

static uint32_t *fake_reg(uint32_t reg)
{
	return &fake.reg[reg / 4];
}

static void fake_reset_registers(void)
{
	if (!fake.weak_reset)
		memset(fake.reg, 0, sizeof(fake.reg));
	*fake_reg(NIC_RAL(0)) = fake.reset_ral;
	*fake_reg(NIC_RAH(0)) = fake.nvm_empty ? 0 : fake.reset_rah;
	fake.restarted = false;
}

static void fake_init(bool igb)
{
	memset(&fake, 0, sizeof(fake));
	fake.igb = igb;
	fake.bus_master = true;
	fake.reset_ral = 0x12005452;	/* 52:54:00:12:34:56 */
	fake.reset_rah = 0x80005634;
	fake.link_reads = 3;
	fake_reset_registers();
	arena_reset(MIB(16), MIB(32));
	pci_init(&(struct acpi_mcfg){ .n = 1, .entry = { { .base = FAKE_ECAM, .end_bus = 255 } } });
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	(void)len;
	return (void *)(uintptr_t)pa;
}

static bool fake_phy_owned(void)
{
	if (fake.igb)
		return *fake_reg(NIC_SW_FW_SYNC) & 0x66;
	return (*fake_reg(NIC_EXTCNF_CTRL) & EXTCNF_MDIO_SW) ||
	       (*fake_reg(NIC_SWSM) & SWSM_SWESMBI);
}

static uint32_t fake_status(void)
{
	uint32_t v = *fake_reg(NIC_STATUS) & ~(STATUS_LU | STATUS_GIO_MASTER);

	if (!(*fake_reg(NIC_CTRL) & CTRL_GIO_MASTER_OFF) || fake.master_sticks)
		v |= STATUS_GIO_MASTER;
	if (fake.restarted && fake.link_reads && fake.link_reads != FAKE_NEVER)
		fake.link_reads--;
	if (fake.link_reads == 0)
		v |= STATUS_LU;
	return v;
}

static uint32_t fake_swsm(void)
{
	const uint32_t v = *fake_reg(NIC_SWSM) | (fake.smbi || fake.smbi_stuck ? SWSM_SMBI : 0);

	fake.smbi = true;
	return v;
}

uint32_t mmio_read32(paddr_t addr)
{
	const uint32_t reg = (uint32_t)(addr - FAKE_BAR0);

	fake.reads++;
	if (addr < FAKE_BAR0)
		return addr == FAKE_ECAM + (FAKE_RID << 12) + PCI_COMMAND && fake.bus_master ?
		       PCI_COMMAND_MASTER : 0;
	assert_true(reg < NIC_BAR0_BYTES);
	switch (reg) {
	case NIC_STATUS:
		return *fake_reg(reg) == UINT32_MAX ? UINT32_MAX : fake_status();
	case NIC_SWSM:
		return fake_swsm();
	default:
		return *fake_reg(reg);
	}
}

static void fake_mdic(uint32_t v)
{
	if (!fake_phy_owned())
		fake.mdic_while_unowned++;
	*fake_reg(NIC_MDIC) = v | MDIC_READY | (fake.phy_dead ? MDIC_ERROR : 0);
	if (v == (1U << 26 | 1U << 21 | 0x1200))
		fake.restarted = true;
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	const uint32_t reg = (uint32_t)(addr - FAKE_BAR0);

	assert_true(addr >= FAKE_BAR0 && reg < NIC_BAR0_BYTES);
	if (fake.writes < FAKE_LOG) {
		fake.log[fake.writes].reg = reg;
		fake.log[fake.writes].v = v;
	}
	fake.writes++;
	*fake_reg(reg) = v;
	if (reg == NIC_CTRL && (v & CTRL_RST)) {
		fake_reset_registers();
		*fake_reg(NIC_CTRL) = fake.reset_sticks ? v : fake.weak_reset ? v & ~CTRL_RST : 0;
	} else if (reg == NIC_MDIC) {
		fake_mdic(v);
	} else if (reg == NIC_SWSM) {
		fake.smbi = v & SWSM_SMBI;
		if (!(v & SWSM_SMBI))
			fake.smbi_stuck = false;
		*fake_reg(reg) = fake.firmware_has_phy ? 0 : v & SWSM_SWESMBI;
	} else if (reg == NIC_EXTCNF_CTRL && fake.firmware_has_phy) {
		*fake_reg(reg) = v & ~EXTCNF_MDIO_SW;
	} else if (fake.queue_sticks && (reg == IGB_RX + NIC_DCTL || reg == IGB_TX + NIC_DCTL)) {
		*fake_reg(reg) = v & ~DCTL_ENABLE;
	}
}

uint64_t mmio_read64(paddr_t addr) { (void)addr; fail(); return 0; }
void mmio_write64(paddr_t addr, uint64_t v) { (void)addr; (void)v; fail(); }

/* A NIC with rings of @entries, IOVAs unlike the physical addresses. */
static struct nic fake_nic(uint16_t device, uint32_t entries)
{
	return (struct nic){
		.drv = nic_match(0x8086, device), .segment = 0, .rid = FAKE_RID,
		.bar0 = FAKE_BAR0,
		.rx = { .ring_pa = MIB(1), .ring_iova = 0x140000000, .entries = entries,
			.buf_pa = MIB(2), .buf_iova = 0x150000000, .stride = 4096 },
		.tx = { .ring_pa = MIB(1) + KIB(64), .ring_iova = 0x160000000, .entries = entries,
			.buf_pa = MIB(4), .buf_iova = 0x170000000, .stride = 2048 },
	};
}

static uint64_t *fake_desc(const struct nic_ring *r, uint32_t i)
{
	return mem_ptr(r->ring_pa + 16ULL * i);
}

/* The log from write @from on is exactly @want. */
struct fake_write { uint32_t reg, v; };
static void fake_expect(size_t from, const struct fake_write *want, size_t n)
{
	assert_int_equal(fake.writes - from, n);
	assert_true(fake.writes <= FAKE_LOG);
	for (size_t i = 0; i < n; i++) {
		if (fake.log[from + i].reg != want[i].reg || fake.log[from + i].v != want[i].v)
			fail_msg("write %zu: register %04x = 0x%08x, want %04x = 0x%08x", i,
				 fake.log[from + i].reg, fake.log[from + i].v, want[i].reg,
				 want[i].v);
	}
}

/* Writes of the filters, and of the marks that tell of a reset: 15 receive addresses of which
 * only the second is valid, 128 empty multicast words, FCTTV. */
#define FAKE_FILTER_WRITES	(2 * 15 + 128 + 1)
static void fake_expect_filters(size_t from)
{
	for (unsigned i = 0; i < 15; i++) {
		assert_int_equal(fake.log[from + 2 * i].reg, 0x5400 + 8 * i);
		assert_int_equal(fake.log[from + 2 * i].v, i < 2 ? 0x12005452 : 0);
		assert_int_equal(fake.log[from + 2 * i + 1].reg, 0x5404 + 8 * i);
		assert_int_equal(fake.log[from + 2 * i + 1].v,
				 i == 0 ? 0x00005634 : i == 1 ? 0x80005634 : 0);
	}
	for (unsigned i = 0; i < 128; i++) {
		assert_int_equal(fake.log[from + 30 + i].reg, 0x5200 + 4 * i);
		assert_int_equal(fake.log[from + 30 + i].v, 0);
	}
	assert_int_equal(fake.log[from + 158].reg, 0x0170);
	assert_int_equal(fake.log[from + 158].v, NIC_MARK);
}

#endif
