/* A small register file behind the seam: enough of a remapping unit for the register code, with
 * constants of its own.  It answers at once unless told not to, executes the invalidation queue
 * and refuses what would break real hardware (wrong access width, two GCMD fields at once, IQA
 * under a running queue).  Included once by a test program: it defines mmio_*. */
#ifndef BATON_TEST_FAKE_UNIT_H
#define BATON_TEST_FAKE_UNIT_H

#include <string.h>

#include "arena.h"
#include "platform/mem.h"
#include "platform/mmio.h"

#define FAKE_REGS	UINT64_C(0xfed90000)
#define FAKE_FRO	0x220
#define FAKE_IRO	0xf0
#define FAKE_NFR	4
#define FAKE_CAP	UINT64_C(0x00d2038c222f0606)	/* an emulated unit's, NFR=4 */
#define FAKE_ECAP	UINT64_C(0xf00f4a)
#define FAKE_ECAP_SCALABLE UINT64_C(0x480080f00f4a)	/* the same unit with second-stage tables */
#define FAKE_ONE_SHOTS	UINT32_C(0x69000000)
#define FAKE_TE		UINT32_C(0x80000000)
#define FAKE_SRTP	UINT32_C(0x40000000)
#define FAKE_WBF	UINT32_C(0x08000000)
#define FAKE_QIE	UINT32_C(0x04000000)
#define FAKE_IRE	UINT32_C(0x02000000)

struct fake_unit {
	uint32_t ver, gsts, fsts, fectl, iectl, pectl, perfctl, pmen;
	uint64_t cap, ecap, rtaddr, ccmd, iqh, iqt, iqa, iqercd, irta, iva, iotlb;
	uint64_t frcd[FAKE_NFR][2];

	uint64_t latched_root;		/* what SRTP made effective */
	bool last_was_wait;

	/* Behaviour. */
	uint32_t stuck;			/* GCMD fields whose status never changes */
	bool queue_stuck;		/* descriptors are never fetched */
	bool no_status_write;		/* waits complete without writing */
	bool ite_on_iotlb;		/* a device that does not answer; pending waits are dropped */
	unsigned refuse_type;		/* descriptor type that raises IQE */
	bool refuse_commands;		/* CAIG = IAIG = 0 */
	bool commands_stuck;		/* ICC and IVT stay set */
	bool pmen_stuck, new_fault_on_clear;
	bool dw_reads_zero;		/* IQA.DW, as on emulated units */

	/* Evidence. */
	struct { uint32_t reg; uint64_t v; } log[64];
	size_t nr_log;
	uint64_t done[256][2];		/* descriptors executed */
	size_t nr_done;
};

static struct fake_unit fake;

static void fake_reset(void)
{
	arena_reset(MIB(1), MIB(16));
	memset(&fake, 0, sizeof(fake));
	fake.ver = 0x10;
	fake.cap = FAKE_CAP;
	fake.ecap = FAKE_ECAP;
	fake.fectl = fake.iectl = 0x00000001;	/* unmasked, and a reserved bit to be preserved */
}

/* VT-d 6.5.2: scalable mode knows descriptors of 256 bits only, and the PASID cache; the upper half of
 * all of these is zero. */
static bool fake_is_legal(const uint64_t d[4])
{
	const unsigned type = d[0] & 15;
	const bool wide = fake.iqa & 0x800, scalable = fake.latched_root & 0x400;

	return (wide || !scalable) && !d[2] && !d[3] &&
	       (type == 1 || type == 2 || type == 4 || type == 5 || (type == 7 && scalable));
}

static bool fake_execute(const uint64_t d[4])
{
	const uint64_t lo = d[0], hi = d[1];
	const unsigned type = lo & 15;

	if (type == fake.refuse_type || !fake_is_legal(d)) {
		fake.fsts |= 0x10;
		fake.iqercd = 3;
		return false;
	}
	assert_true(fake.nr_done < ARRAY_SIZE(fake.done));
	fake.done[fake.nr_done][0] = lo;
	fake.done[fake.nr_done++][1] = hi;
	fake.last_was_wait = type == 5;
	if (type == 2 && fake.ite_on_iotlb) {
		fake.fsts |= 0x40;
		fake.iqh = fake.iqt;
		return false;
	}
	if (type == 5 && (lo & 0x20) && !fake.no_status_write) {
		const uint32_t data = (uint32_t)(lo >> 32);

		memcpy(mem_ptr(hi & ~3ULL), &data, sizeof(data));
	}
	return true;
}

static void fake_run_queue(void)
{
	const uint64_t bytes = 4096ULL << (fake.iqa & 7);
	const uint64_t step = fake.iqa & 0x800 ? 32 : 16;

	while ((fake.gsts & FAKE_QIE) && !fake.queue_stuck && fake.iqh != fake.iqt) {
		uint64_t d[4] = { 0 };

		if (fake.fsts & 0x50)
			return;
		memcpy(d, mem_ptr((fake.iqa & ~0xfffULL) + fake.iqh), step);
		if (!fake_execute(d))
			return;
		fake.iqh = (fake.iqh + step) % bytes;
	}
}

static void fake_queue_switch(bool on)
{
	if (on) {
		fake.gsts |= FAKE_QIE;
		fake.iqh = 0;
		fake_run_queue();	/* whatever lies up to an old tail */
	} else if (fake.iqh == fake.iqt && fake.last_was_wait) {
		fake.gsts &= ~FAKE_QIE;
		fake.iqh = 0;
	}
}

static void fake_gcmd(uint32_t v)
{
	const uint32_t level = fake.gsts & ~FAKE_ONE_SHOTS;
	const uint32_t changed = (v ^ level) & ~fake.stuck;

	/* One field per write (VT-d "Global Command Register"). */
	assert_int_equal(__builtin_popcount(v ^ level), 1);
	if (changed & FAKE_SRTP) {
		fake.latched_root = fake.rtaddr;
		fake.gsts |= FAKE_SRTP;
	}
	if (changed & FAKE_QIE)
		fake_queue_switch(v & FAKE_QIE);
	if (changed & (FAKE_TE | FAKE_IRE))
		fake.gsts ^= changed;
	if (fake.stuck & v & FAKE_WBF)
		fake.gsts |= FAKE_WBF;	/* in progress for ever */
}

/* Register-based commands act only while the queue is off. */
static uint64_t fake_command(uint64_t v, unsigned requested, unsigned actual)
{
	if ((fake.gsts & FAKE_QIE) || fake.commands_stuck || !(v >> 63))
		return v;
	v &= ~(1ULL << 63 | 3ULL << actual);
	return fake.refuse_commands ? v : v | ((v >> requested) & 3) << actual;
}

static uint64_t *fake_reg64(uint32_t reg)
{
	switch (reg) {
	case 0x008: return &fake.cap;
	case 0x010: return &fake.ecap;
	case 0x020: return &fake.rtaddr;
	case 0x028: return &fake.ccmd;
	case 0x080: return &fake.iqh;
	case 0x088: return &fake.iqt;
	case 0x090: return &fake.iqa;
	case 0x0b0: return &fake.iqercd;
	case 0x0b8: return &fake.irta;
	case FAKE_IRO: return &fake.iva;
	case FAKE_IRO + 8: return &fake.iotlb;
	}
	if (reg >= FAKE_FRO && reg < FAKE_FRO + 16 * FAKE_NFR && reg % 8 == 0)
		return &fake.frcd[(reg - FAKE_FRO) / 16][reg / 8 % 2];
	fail_msg("64-bit access to register 0x%x", reg);
	return NULL;
}

static uint32_t *fake_reg32(uint32_t reg)
{
	switch (reg) {
	case 0x000: return &fake.ver;
	case 0x01c: return &fake.gsts;
	case 0x034: return &fake.fsts;
	case 0x038: return &fake.fectl;
	case 0x064: return &fake.pmen;
	case 0x0a0: return &fake.iectl;
	case 0x0e0: return &fake.pectl;
	case 0x328: return &fake.perfctl;
	}
	fail_msg("32-bit access to register 0x%x", reg);
	return NULL;
}

static bool fake_is_dw3(uint32_t reg)
{
	return reg >= FAKE_FRO && reg < FAKE_FRO + 16 * FAKE_NFR && reg % 16 == 12;
}

static void fake_log(uint32_t reg, uint64_t v)
{
	if (fake.nr_log < ARRAY_SIZE(fake.log)) {
		fake.log[fake.nr_log].reg = reg;
		fake.log[fake.nr_log].v = v;
	}
	fake.nr_log++;
}

/* PPF is the OR of all F bits. */
static void fake_update_ppf(void)
{
	fake.fsts &= ~2u;
	for (unsigned i = 0; i < FAKE_NFR; i++)
		if (fake.frcd[i][1] >> 63)
			fake.fsts |= 2;
}

uint32_t mmio_read32(paddr_t addr)
{
	const uint32_t reg = (uint32_t)(addr - FAKE_REGS);

	if (fake_is_dw3(reg))
		return (uint32_t)(fake.frcd[(reg - FAKE_FRO) / 16][1] >> 32);
	return *fake_reg32(reg);
}

uint64_t mmio_read64(paddr_t addr)
{
	const uint32_t reg = (uint32_t)(addr - FAKE_REGS);

	if (reg == 0x090 && fake.dw_reads_zero)
		return fake.iqa & ~0x800ULL;
	return *fake_reg64(reg);
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	const uint32_t reg = (uint32_t)(addr - FAKE_REGS);

	fake_log(reg, v);
	if (reg == 0x018) {
		fake_gcmd(v);
	} else if (reg == 0x034) {
		fake.fsts &= ~(v & 0x71);
		if (fake.new_fault_on_clear)
			fake.fsts |= 1;
		fake_run_queue();
	} else if (reg == 0x064) {
		fake.pmen = v & 0x80000000;
		if (fake.pmen_stuck || fake.pmen)
			fake.pmen |= 1;
	} else if (fake_is_dw3(reg)) {
		assert_int_equal(v, 0x80000000);	/* F alone */
		fake.frcd[(reg - FAKE_FRO) / 16][1] &= ~(1ULL << 63);
		fake_update_ppf();
	} else {
		assert_true(reg == 0x038 || reg == 0x0a0 || reg == 0x0e0 || reg == 0x328);
		*fake_reg32(reg) = v;
	}
}

void mmio_write64(paddr_t addr, uint64_t v)
{
	const uint32_t reg = (uint32_t)(addr - FAKE_REGS);

	fake_log(reg, v);
	switch (reg) {
	case 0x020: fake.rtaddr = v; break;
	case 0x028: fake.ccmd = fake_command(v, 61, 59); break;
	case 0x088: fake.iqt = v; fake_run_queue(); break;
	case 0x090:
		assert_false(fake.gsts & FAKE_QIE);
		fake.iqa = v;
		break;
	case FAKE_IRO: fake.iva = v; break;
	case FAKE_IRO + 8:
		assert_false(fake.ccmd >> 63);	/* never while a context command runs */
		fake.iotlb = fake_command(v, 60, 57);
		break;
	default: fail_msg("64-bit write to register 0x%x", reg);
	}
}

#endif
