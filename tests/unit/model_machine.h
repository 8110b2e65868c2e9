/* Two units of the strict model behind real PCI and ACPI code: a made-up machine of 138 functions, one
 * with a region that firmware wants kept, and what firmware may have left on.  Included once by a test
 * program: it defines paging_*. */
#ifndef BATON_TEST_MODEL_MACHINE_H
#define BATON_TEST_MODEL_MACHINE_H

#include <string.h>

#include "errno.h"
#include "kernel/machine/iommu.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/scratch.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "tests/model/model.h"
#include "tests/model/spec.h"

#define ECAM		UINT64_C(0xb0000000)
#define REGS_0		UINT64_C(0xfed90000)	/* one function, named */
#define REGS_1		UINT64_C(0xfed91000)	/* the rest */
#define HOST_RID	PCI_RID(0, 0, 0)
#define NAMED_RID	PCI_RID(0, 1, 0)
#define RMRR_RID	PCI_RID(0, 0x1f, 0)
#define FIRST_DEV	1
#define NR_DEVS		17			/* of eight functions each */
#define RMRR_BASE	UINT64_C(0x70000000)
#define RMRR_LIMIT	UINT64_C(0x7001ffff)
#define IOVA		UINT64_C(0x40000000)

static struct iommu mmu;
static uint16_t commands[256];			/* of bus 0 */
static uint8_t tables[2][256];
static struct acpi_tables acpi;

struct rmrr {
	uint16_t rid;
	uint64_t base, limit;
};
static const struct rmrr one_rmrr = { RMRR_RID, RMRR_BASE, RMRR_LIMIT };

/* ---- the machine ---------------------------------------------------------------------------- */

static inline bool exists(uint16_t rid)
{
	const unsigned dev = PCI_DEV(rid);

	return rid < 256 && (rid == HOST_RID || rid == RMRR_RID ||
			     (dev >= FIRST_DEV && dev < FIRST_DEV + NR_DEVS));
}

static inline uint32_t config_read(paddr_t addr)
{
	const uint16_t rid = (uint16_t)((addr - ECAM) >> 12);

	assert_true(addr >= ECAM && addr < ECAM + MIB(1));
	if (!exists(rid))
		return UINT32_MAX;
	switch (addr & 0xfff) {
	case 0x00: return 0x10d38086;
	case 0x04: return commands[rid];
	case 0x08: return rid == HOST_RID ? 0x06000000 : rid == RMRR_RID ? 0x0c800000 : 0x02000000;
	case 0x0c: return PCI_FN(rid) || rid == HOST_RID || rid == RMRR_RID ? 0 : 0x00800000;
	}
	return 0;
}

static inline void config_write(paddr_t addr, uint32_t v)
{
	assert_int_equal(addr & 0xfff, 0x04);
	commands[(addr - ECAM) >> 12] = (uint16_t)v;
}

bool paging_is_readable(paddr_t pa, uint64_t len)
{
	return pa >= MIB(1) && pa < GIB(2) && len <= GIB(2) - pa;	/* the fake machine's RAM */
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	(void)len;
	return (void *)(uintptr_t)pa;
}

static inline size_t put(uint8_t *t, size_t at, unsigned size, uint64_t v)
{
	memcpy(t + at, &v, size);
	return at + size;
}

static inline size_t put_scope(uint8_t *t, size_t at, uint16_t rid)
{
	at = put(t, at, 2, 0x0801);
	at = put(t, at, 4, 0);
	at = put(t, at, 1, PCI_DEV(rid));
	return put(t, at, 1, PCI_FN(rid));
}

static inline size_t put_drhd(uint8_t *t, size_t at, uint64_t base, uint16_t scope)
{
	at = put(t, at, 2, 0);
	at = put(t, at, 2, scope ? 24 : 16);
	at = put(t, at, 4, scope ? 0 : 1);
	at = put(t, at, 8, base);
	return scope ? put_scope(t, at, scope) : at;
}

static inline size_t put_rmrr(uint8_t *t, size_t at, const struct rmrr *r)
{
	at = put(t, at, 4, 32 << 16 | 1);
	at = put(t, at, 4, 0);
	at = put(t, at, 8, r->base);
	at = put(t, at, 8, r->limit);
	return put_scope(t, at, r->rid);
}

static inline void list_table(unsigned i, const char *signature, size_t len)
{
	uint8_t sum = 0;

	memcpy(tables[i], signature, 4);
	put(tables[i], 4, 4, len);
	tables[i][8] = 1;
	tables[i][9] = 0;
	for (size_t b = 0; b < len; b++)
		sum += tables[i][b];
	tables[i][9] = (uint8_t)-sum;
	memcpy(acpi.found[i].signature, signature, 4);
	acpi.found[i].bytes = span_of(tables[i], len);
	acpi.found[i].checksum_ok = true;
	acpi.n = i + 1;
}

static inline void write_tables(const struct rmrr *rmrr, size_t nr_rmrr)
{
	size_t at = 44;

	memset(tables, 0, sizeof(tables));
	at = put(tables[0], at, 8, ECAM);
	at = put(tables[0], at, 8, 0);		/* segment 0, buses 0 to 0 */
	list_table(0, "MCFG", at);
	tables[1][36] = 38;			/* host address width, minus one */
	at = put_drhd(tables[1], 48, REGS_0, NAMED_RID);
	at = put_drhd(tables[1], at, REGS_1, 0);
	for (size_t i = 0; i < nr_rmrr; i++)
		at = put_rmrr(tables[1], at, &rmrr[i]);
	list_table(1, "DMAR", at);
}

/* In scalable mode if the units have it. */
static inline void machine_with(const struct model_traits *t, const struct rmrr *rmrr, size_t nr_rmrr)
{
	model_reset();
	model_other_mmio(config_read, config_write);
	for (unsigned i = 0; i < 256; i++)
		commands[i] = exists((uint16_t)i) && i != HOST_RID ? PCI_COMMAND_MASTER : 0;
	write_tables(rmrr, nr_rmrr);
	scratch_init(MIB(700), MIB(8));
	memset(&mmu, 0, sizeof(mmu));
	mmu.ttm = t->smts ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
	model_add_unit(REGS_0, t);
	model_add_unit(REGS_1, t);
}

static inline void machine(const struct model_traits *t)
{
	machine_with(t, &one_rmrr, 1);
}

/* Nothing goes out while bus master is off.  Return: as model_dma_write(), or -1. */
static inline int dma(uint16_t rid, iova_t iova, uint64_t v)
{
	if (!(commands[rid] & PCI_COMMAND_MASTER))
		return -1;
	return model_dma_write(rid == NAMED_RID ? 0 : 1, rid, iova, &v, sizeof(v));
}

/* The two modes have names of their own for the same mishap. */
static inline int no_root(void)
{
	return mmu.ttm == VTD_TTM_SCALABLE ? SPEC_FAULT_S_ROOT_P : SPEC_FAULT_ROOT_P;
}

static inline int no_context(void)
{
	return mmu.ttm == VTD_TTM_SCALABLE ? SPEC_FAULT_S_CONTEXT_P : SPEC_FAULT_CONTEXT_P;
}

static inline uint64_t at(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

static inline void discover(void)
{
	const char *why = "";

	assert_int_equal(iommu_discover(&mmu, &acpi, &why), 0);
	assert_int_equal(mmu.nr_fns, 2 + 8 * NR_DEVS);
	iommu_silence_devices(&mmu);
}

/* ---- what firmware left on ------------------------------------------------------------------ */

/* Translation in either table mode: the RMRR device identity-mapped under one id, another device under
 * another, which may be the one that ours will allocate first. */
#define FW_ROOT		MIB(8)
#define FW_CONTEXT	(FW_ROOT + 0x1000)
#define FW_UPPER	(FW_ROOT + 0x2000)	/* scalable mode: functions from 80h on */
#define FW_PASIDS	(FW_ROOT + 0x3000)	/* scalable mode: directory and table for each of the two */
#define FW_RMRR		(FW_ROOT + 0x8000)	/* three levels */
#define FW_OTHER	(FW_ROOT + 0xc000)	/* three levels */
#define FW_RING		(FW_ROOT + 0x10000)
#define OTHER_RID	PCI_RID(0, 2, 0)

static inline void put64(paddr_t pa, uint64_t v)
{
	memcpy(mem_ptr(pa), &v, sizeof(v));
	model_publish(ALIGN_DOWN(pa, PAGE_SIZE), PAGE_SIZE);
}

static inline void firmware_table(paddr_t top, paddr_t to)
{
	put64(top + 8 * (RMRR_BASE >> 30), (top + 0x1000) | 3);
	put64(top + 0x1000 + 8 * (RMRR_BASE >> 21 & 511), (top + 0x2000) | 3);
	for (uint64_t off = 0; off <= RMRR_LIMIT - RMRR_BASE; off += PAGE_SIZE)
		put64(top + 0x2000 + 8 * ((RMRR_BASE + off) >> 12 & 511), (to + off) | 3);
}

static inline void firmware_entry(uint8_t ttm, uint16_t rid, paddr_t top, uint16_t did)
{
	const paddr_t table = rid & 0x80 ? FW_UPPER : FW_CONTEXT;
	const paddr_t dir = FW_PASIDS + (rid & 0x80 ? 0x2000 : 0);

	if (ttm == SPEC_TTM_LEGACY) {
		put64(FW_CONTEXT + 16 * rid, top | 1);
		put64(FW_CONTEXT + 16 * rid + 8, (uint64_t)did << 8 | 1);
		return;
	}
	put64(table + 32 * (rid & 0x7f), dir | 1);
	put64(dir, (dir + 0x1000) | 1);
	put64(dir + 0x1000, top | 1 << 2 | SPEC_PGTT_SS << 6 | 1);
	put64(dir + 0x1008, did);
}

/* Caches full of it, and a queue that fits the mode and ended with a wait. */
static inline void firmware_translates(unsigned unit, uint8_t ttm, uint16_t rmrr_did, uint16_t other_did)
{
	struct model_unit *u = model_unit(unit);

	put64(FW_ROOT, FW_CONTEXT | 1);
	if (ttm == SPEC_TTM_SCALABLE)
		put64(FW_ROOT + 8, FW_UPPER | 1);
	firmware_entry(ttm, RMRR_RID, FW_RMRR, rmrr_did);
	firmware_entry(ttm, OTHER_RID, FW_OTHER, other_did);
	firmware_table(FW_RMRR, RMRR_BASE);
	firmware_table(FW_OTHER, MIB(32));
	u->rtaddr = u->root = FW_ROOT | (uint64_t)ttm << 10;
	u->gsts |= SPEC_GSTS_TES | SPEC_GSTS_RTPS;
	u->need_srtp = false;
	u->flush_cc = u->flush_pc = u->flush_iotlb = true;
	if (!u->t.no_qi) {
		u->gsts |= SPEC_GSTS_QIES;
		u->iqa = FW_RING | (ttm == SPEC_TTM_SCALABLE ? SPEC_IQA_DW : 0);
		u->iqh = u->iqt = 0x40;
		u->last_was_wait = true;
	}
	model_dma_write(unit, OTHER_RID, RMRR_BASE, "firmware", 8);
}

static unsigned rmrr_lost, rmrr_sent;

static inline void rmrr_write(void *ctx)
{
	(void)ctx;
	rmrr_sent++;
	if (dma(RMRR_RID, RMRR_BASE + 0x100, rmrr_sent) || at(RMRR_BASE + 0x100) != rmrr_sent)
		rmrr_lost++;
}

/* ---- domains ------------------------------------------------------------------------------ */

static inline size_t fn_of(uint16_t rid)
{
	const int fn = pci_find(mmu.fns, mmu.nr_fns, 0, rid);

	assert_true(fn >= 0);
	return (size_t)fn;
}

/* A domain for @rid's unit with one page mapped at IOVA. */
static inline size_t domain_with(uint16_t rid, paddr_t page)
{
	const int unit = iommu_unit_of(&mmu, fn_of(rid));
	const int domain = iommu_domain_create(&mmu, (size_t)unit, VTD_PG_4K | VTD_PG_2M,
					       IOMMU_IOVA_BITS);

	assert_true(domain >= 0);
	assert_int_equal(vtd_ss_map(&mmu.domain[domain].ss, IOVA, page, PAGE_SIZE, VTD_SS_RW), 0);
	return (size_t)domain;
}

static inline void attach(uint16_t rid, size_t domain)
{
	assert_int_equal(iommu_attach(&mmu, fn_of(rid), domain), 0);
	commands[rid] |= PCI_COMMAND_MASTER;
}

/* The functions that are neither host bridge nor RMRR device, from 00:01.0 on; the last are beyond 7fh. */
static inline uint16_t nth(unsigned i)
{
	return PCI_RID(0, FIRST_DEV + i / 8, i % 8);
}

#endif
