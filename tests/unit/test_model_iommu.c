/* The kernel's IOMMU code on the strict model: two units, real PCI and ACPI code in front of a
 * made-up machine of 138 functions, one with a region that firmware wants kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

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

static bool exists(uint16_t rid)
{
	const unsigned dev = PCI_DEV(rid);

	return rid < 256 && (rid == HOST_RID || rid == RMRR_RID ||
			     (dev >= FIRST_DEV && dev < FIRST_DEV + NR_DEVS));
}

static uint32_t config_read(paddr_t addr)
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

static void config_write(paddr_t addr, uint32_t v)
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

static size_t put(uint8_t *t, size_t at, unsigned size, uint64_t v)
{
	memcpy(t + at, &v, size);
	return at + size;
}

static size_t put_scope(uint8_t *t, size_t at, uint16_t rid)
{
	at = put(t, at, 2, 0x0801);
	at = put(t, at, 4, 0);
	at = put(t, at, 1, PCI_DEV(rid));
	return put(t, at, 1, PCI_FN(rid));
}

static size_t put_drhd(uint8_t *t, size_t at, uint64_t base, uint16_t scope)
{
	at = put(t, at, 2, 0);
	at = put(t, at, 2, scope ? 24 : 16);
	at = put(t, at, 4, scope ? 0 : 1);
	at = put(t, at, 8, base);
	return scope ? put_scope(t, at, scope) : at;
}

static size_t put_rmrr(uint8_t *t, size_t at, const struct rmrr *r)
{
	at = put(t, at, 4, 32 << 16 | 1);
	at = put(t, at, 4, 0);
	at = put(t, at, 8, r->base);
	at = put(t, at, 8, r->limit);
	return put_scope(t, at, r->rid);
}

static void list_table(unsigned i, const char *signature, size_t len)
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

static void write_tables(const struct rmrr *rmrr, size_t nr_rmrr)
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

static void machine_with(const struct model_traits *t, const struct rmrr *rmrr, size_t nr_rmrr)
{
	model_reset();
	model_other_mmio(config_read, config_write);
	for (unsigned i = 0; i < 256; i++)
		commands[i] = exists((uint16_t)i) && i != HOST_RID ? PCI_COMMAND_MASTER : 0;
	write_tables(rmrr, nr_rmrr);
	scratch_init(MIB(700), MIB(8));
	memset(&mmu, 0, sizeof(mmu));
	model_add_unit(REGS_0, t);
	model_add_unit(REGS_1, t);
}

static void machine(const struct model_traits *t)
{
	machine_with(t, &one_rmrr, 1);
}

/* Nothing goes out while bus master is off.  Return: as model_dma_write(), or -1. */
static int dma(uint16_t rid, iova_t iova, uint64_t v)
{
	if (!(commands[rid] & PCI_COMMAND_MASTER))
		return -1;
	return model_dma_write(rid == NAMED_RID ? 0 : 1, rid, iova, &v, sizeof(v));
}

static uint64_t at(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

static void discover(void)
{
	const char *why = "";

	assert_int_equal(iommu_discover(&mmu, &acpi, &why), 0);
	assert_int_equal(mmu.nr_fns, 2 + 8 * NR_DEVS);
	iommu_silence_devices(&mmu);
}

static const struct {
	const char *name;
	struct model_traits t;
} kinds[] = {
	{ "coherent",      { .coherent = true } },
	{ "not_coherent",  { .sslps = 3 } },
	{ "caching_mode",  { .cm = true } },
	{ "write_buffer",  { .no_qi = true, .coherent = true, .rwbf = true } },
	{ "queue_only",    { .major = 6, .coherent = true, .pmr = true, .nfr = 4 } },
	{ "esrtps",        { .esrtps = true, .ir = true } },
};

/* ---- bring-up ------------------------------------------------------------------------------- */

/* Firmware's protection before boot: everything but its own region. */
static void protect(struct model_unit *u)
{
	u->pmen = SPEC_PMEN_EPM | SPEC_PMEN_PRS;
	u->plm[0] = 0;
	u->plm[1] = (uint32_t)MIB(1024);
	u->phm[0] = u->phm[1] = GIB(4);
}

static void test_default_is_deny(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		for (unsigned unit = 0; unit < 2; unit++) {
			if (kinds[i].t.pmr)
				protect(model_unit(unit));
			if (kinds[i].t.ir)
				model_unit(unit)->gsts |= SPEC_GSTS_IRES | SPEC_GCMD_SIRTP;
		}
		discover();
		assert_int_equal(dma(NAMED_RID, MIB(16), 1), -1);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), 0);	/* never stopped */
		assert_int_equal(iommu_bring_up(&mmu), 0);
		assert_int_equal(model_unit(0)->pmen | model_unit(1)->pmen, 0);
		assert_int_equal((model_unit(0)->gsts | model_unit(1)->gsts) & SPEC_GSTS_IRES, 0);
		commands[NAMED_RID] |= PCI_COMMAND_MASTER;
		assert_int_not_equal(dma(NAMED_RID, MIB(16), 1), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 2), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_LIMIT - 7, 3), 0);
		assert_int_equal(at(RMRR_BASE), 2);
		assert_int_not_equal(dma(RMRR_RID, RMRR_LIMIT + 1, 3), 0);
		assert_int_not_equal(dma(RMRR_RID, RMRR_BASE - 8, 3), 0);
		assert_int_equal(model_violations(), 0);
		assert_int_equal(iommu_shut_down(&mmu), 0);
		assert_int_equal(model_unit(0)->gsts & SPEC_GSTS_TES, 0);
		assert_int_equal(model_violations(), 0);
	}
}

/* Firmware's own translation: the RMRR device identity-mapped under one id, another device under
 * the id that ours will allocate first. */
#define FW_ROOT		MIB(8)
#define FW_CONTEXT	(FW_ROOT + 0x1000)
#define FW_RMRR		(FW_ROOT + 0x2000)	/* three levels */
#define FW_OTHER	(FW_ROOT + 0x6000)	/* three levels */
#define FW_RING		(FW_ROOT + 0x10000)
#define OTHER_RID	PCI_RID(0, 2, 0)

static void put64(paddr_t pa, uint64_t v)
{
	memcpy(mem_ptr(pa), &v, sizeof(v));
	model_publish(ALIGN_DOWN(pa, PAGE_SIZE), PAGE_SIZE);
}

static void firmware_table(paddr_t top, paddr_t to)
{
	put64(top + 8 * (RMRR_BASE >> 30), (top + 0x1000) | 3);
	put64(top + 0x1000 + 8 * (RMRR_BASE >> 21 & 511), (top + 0x2000) | 3);
	for (uint64_t off = 0; off <= RMRR_LIMIT - RMRR_BASE; off += PAGE_SIZE)
		put64(top + 0x2000 + 8 * ((RMRR_BASE + off) >> 12 & 511), (to + off) | 3);
}

static void firmware_entry(uint16_t rid, paddr_t top, uint16_t did)
{
	put64(FW_CONTEXT + 16 * rid, top | 1);
	put64(FW_CONTEXT + 16 * rid + 8, (uint64_t)did << 8 | 1);
}

static void firmware_translates(unsigned unit, uint16_t rmrr_did, uint16_t other_did)
{
	struct model_unit *u = model_unit(unit);

	put64(FW_ROOT, FW_CONTEXT | 1);
	firmware_entry(RMRR_RID, FW_RMRR, rmrr_did);
	firmware_entry(OTHER_RID, FW_OTHER, other_did);
	firmware_table(FW_RMRR, RMRR_BASE);
	firmware_table(FW_OTHER, MIB(32));
	u->rtaddr = u->root = FW_ROOT;
	u->gsts |= SPEC_GSTS_TES | SPEC_GSTS_RTPS;
	u->need_srtp = false;
	u->flush_cc = u->flush_pc = u->flush_iotlb = true;
	if (!u->t.no_qi) {
		u->gsts |= SPEC_GSTS_QIES;
		u->iqa = FW_RING;
		u->iqh = u->iqt = 0x40;
		u->last_was_wait = true;
	}
	model_dma_write(unit, OTHER_RID, RMRR_BASE, "firmware", 8);
}

static unsigned rmrr_lost, rmrr_sent;

static void rmrr_write(void *ctx)
{
	(void)ctx;
	rmrr_sent++;
	if (dma(RMRR_RID, RMRR_BASE + 0x100, rmrr_sent) || at(RMRR_BASE + 0x100) != rmrr_sent)
		rmrr_lost++;
}

static long bring_up_under_dma(const struct model_traits *t, long step, uint16_t rmrr_did,
			       uint16_t other_did)
{
	long steps;

	machine(t);
	firmware_translates(1, rmrr_did, other_did);
	model_unit(1)->te_must_stay = true;
	discover();
	rmrr_lost = rmrr_sent = 0;
	model_inject(step, rmrr_write, NULL);
	assert_int_equal(iommu_bring_up(&mmu), 0);
	steps = model_steps();
	model_inject(0, NULL, NULL);
	assert_int_equal(rmrr_lost, 0);
	rmrr_write(NULL);
	assert_int_equal(rmrr_lost, 0);
	commands[OTHER_RID] |= PCI_COMMAND_MASTER;
	assert_int_not_equal(dma(OTHER_RID, RMRR_BASE, 1), 0);
	assert_int_equal(model_violations(), 0);
	return steps;
}

/* A device that firmware keeps going is translated alike at every step of the switch. */
static void test_rmrr_device_never_stops(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		long steps;

		if (kinds[i].t.cm)
			continue;	/* hardware never has it; an emulator has no RMRR */
		steps = bring_up_under_dma(&kinds[i].t, MODEL_EVERY_STEP, 7, 2);
		assert_true(rmrr_sent > 40);
		for (long k = 1; k <= steps; k++)
			bring_up_under_dma(&kinds[i].t, k, 7, 2);
		print_message("# bring_up.%s: %ld steps\n", kinds[i].name, steps);
	}
}

/* Scalable mode stays latched when translation is switched off, and under it a queue of 128-bit
 * descriptors does not work: our root is latched before the queue starts. */
static void test_foreign_table_mode_is_left(void **state)
{
	const struct model_traits t = { .smts = true, .coherent = true };
	struct model_unit *u;

	(void)state;
	machine(&t);
	u = model_unit(1);
	firmware_translates(1, 7, 8);
	u->nr_contexts = u->nr_tlbs = u->nr_structures = 0;
	u->root = u->rtaddr = FW_ROOT | 0x400;
	u->iqa |= SPEC_IQA_DW;
	discover();
	assert_int_equal(iommu_bring_up(&mmu), 0);
	assert_int_equal(u->iqercd, 0);
	assert_int_equal(u->te_drops, 1);
	assert_int_equal(dma(OTHER_RID, RMRR_BASE, 2), -1);
}

/* ---- domains -------------------------------------------------------------------------------- */

static size_t fn_of(uint16_t rid)
{
	const int fn = pci_find(mmu.fns, mmu.nr_fns, 0, rid);

	assert_true(fn >= 0);
	return (size_t)fn;
}

/* A domain for @rid's unit with one page mapped at IOVA. */
static size_t domain_with(uint16_t rid, paddr_t page)
{
	const int unit = iommu_unit_of(&mmu, fn_of(rid));
	const int domain = iommu_domain_create(&mmu, (size_t)unit, VTD_PG_4K | VTD_PG_2M,
					       IOMMU_IOVA_BITS);

	assert_true(domain >= 0);
	assert_int_equal(vtd_ss_map(&mmu.domain[domain].ss, IOVA, page, PAGE_SIZE, VTD_SS_RW), 0);
	return (size_t)domain;
}

static void attach(uint16_t rid, size_t domain)
{
	assert_int_equal(iommu_attach(&mmu, fn_of(rid), domain), 0);
	commands[rid] |= PCI_COMMAND_MASTER;
}

static uint16_t nth(unsigned i)
{
	return PCI_RID(0, FIRST_DEV + i / 8, i % 8);
}

#define MANY	(8 * NR_DEVS)
#define SHARERS	3

/* 136 functions over two units, three to a domain; then all of them go again. */
static void test_many_devices(void **state)
{
	paddr_t page[MANY / SHARERS + 1];
	uint64_t used;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		print_message("# %s\n", kinds[k].name);
		machine(&kinds[k].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		used = model_pages_in_use();
		page[0] = mem_alloc_pages(0);
		attach(NAMED_RID, domain_with(NAMED_RID, page[0]));
		for (unsigned i = 1; i < MANY; i += SHARERS) {
			const size_t p = 1 + (i - 1) / SHARERS;
			size_t domain;

			page[p] = mem_alloc_pages(0);
			domain = domain_with(nth(i), page[p]);
			for (unsigned s = i; s < i + SHARERS && s < MANY; s++)
				attach(nth(s), domain);
		}
		model_prefetch(0);
		model_prefetch(1);
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(dma(nth(i), IOVA + 8 * (i % 64), 0x100 + i), 0);
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(at(page[i ? 1 + (i - 1) / SHARERS : 0] + 8 * (i % 64)), 0x100 + i);
		assert_int_equal(model_violations(), 0);

		for (unsigned i = 0; i < MANY; i++) {
			assert_int_equal(iommu_detach(&mmu, 0, nth(i)), 0);
			assert_int_not_equal(dma(nth(i), IOVA, 1), 0);
		}
		while (mmu.nr_domains > 1)	/* the RMRR device keeps its own */
			iommu_domain_destroy(&mmu, mmu.nr_domains - 1);
		for (unsigned p = 0; p <= (MANY - 2) / SHARERS + 1; p++)
			mem_free_pages(page[p], 0);
		assert_int_equal(mmu.nr_devices, 1);
		/* Unit 0 has gained the context table of bus 0. */
		assert_int_equal(model_pages_in_use(), used + 1);
		assert_int_equal(model_violations(), 0);
	}
}

/* ---- live replace --------------------------------------------------------------------------- */

static paddr_t old_page, new_page;
static unsigned in_old, in_new, lost;

static void racing_write(void *ctx)
{
	static uint64_t v = 0x1000;

	(void)ctx;
	v++;
	if (dma(OTHER_RID, IOVA, v))
		lost++;
	else if (at(old_page) == v)
		in_old++;
	else if (at(new_page) == v)
		in_new++;
	else
		lost++;
}

static long replace_under_dma(const struct model_traits *t, long step, bool warm)
{
	size_t old, new_;
	long steps;

	machine(t);
	discover();
	assert_int_equal(iommu_bring_up(&mmu), 0);
	old_page = mem_alloc_pages(0);
	new_page = mem_alloc_pages(0);
	old = domain_with(OTHER_RID, old_page);
	attach(OTHER_RID, old);
	new_ = domain_with(OTHER_RID, new_page);
	if (warm)
		model_prefetch(1);
	in_old = in_new = lost = 0;
	model_inject(step, racing_write, NULL);
	assert_int_equal(iommu_replace(&mmu, 0, OTHER_RID, new_), 0);
	steps = model_steps();
	iommu_domain_destroy(&mmu, old);
	mem_free_pages(old_page, 0);
	model_inject(0, NULL, NULL);
	assert_int_equal(lost, 0);
	in_old = in_new = 0;
	racing_write(NULL);
	assert_int_equal(in_new, 1);
	assert_int_equal(model_violations(), 0);
	return steps;
}

static void test_replace_with_dma_at_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (unsigned warm = 0; warm < 2; warm++) {
			const long steps = replace_under_dma(&kinds[i].t, MODEL_EVERY_STEP, warm);

			assert_true(steps > 5);
			for (long k = 1; k <= steps; k++)
				replace_under_dma(&kinds[i].t, k, warm);
		}
}

/* ---- fence, silence ------------------------------------------------------------------------- */

static void test_fence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		old_page = mem_alloc_pages(0);
		attach(OTHER_RID, domain_with(OTHER_RID, old_page));
		assert_int_equal(dma(OTHER_RID, IOVA, 1), 0);
		iommu_fence(&mmu, 0, OTHER_RID);
		assert_int_equal(dma(OTHER_RID, IOVA, 2), -1);
		commands[OTHER_RID] |= PCI_COMMAND_MASTER;	/* even if it came on again */
		assert_int_equal(dma(OTHER_RID, IOVA, 2), SPEC_FAULT_CONTEXT_P);
		assert_int_equal(at(old_page), 1);
		mem_free_pages(old_page, 0);
		assert_int_equal(vtd_fault_clear(&mmu.unit[1].vtd), 0);
		assert_int_equal(iommu_suppress_faults(&mmu, 1, OTHER_RID), 0);
		assert_int_equal(dma(OTHER_RID, IOVA, 2), SPEC_FAULT_CONTEXT_P);
		assert_int_equal(model_unit(1)->fsts, 0);
		assert_int_equal(model_violations(), 0);
	}
}

/* ---- what firmware wants kept, by the same calls ------------------------------------------------ */

#define SECOND_RID	PCI_RID(0, 3, 0)
#define LARGE_BASE	UINT64_C(0x60003000)
#define LARGE_LIMIT	UINT64_C(0x60545fff)	/* 5 MiB, no end on a 2 MiB boundary */

/* Regions of up to two devices, and what each of them must then reach: both ends, no byte around
 * them.  A broken one gives its device nothing, not even bus master. */
static const struct {
	const char *name;
	struct rmrr r[2];
	bool reached[2];
} shapes[] = {
	{ "large",	     { { RMRR_RID, LARGE_BASE, LARGE_LIMIT } }, { true } },
	{ "unaligned",	     { { RMRR_RID, RMRR_BASE + 0x810, RMRR_BASE + 0x1f0f } }, { true } },
	{ "two_devices",     { { RMRR_RID, RMRR_BASE, RMRR_LIMIT },
			       { SECOND_RID, RMRR_BASE, RMRR_LIMIT } }, { true, true } },
	{ "two_regions",     { { RMRR_RID, LARGE_BASE, LARGE_LIMIT },
			       { RMRR_RID, RMRR_BASE, RMRR_LIMIT } }, { true, true } },
	{ "overlap",	     { { RMRR_RID, LARGE_BASE + MIB(3), LARGE_BASE + MIB(3) + 0xfff },
			       { RMRR_RID, LARGE_BASE, LARGE_LIMIT } }, { false, true } },
	{ "absent",	     { { PCI_RID(0, 0x1e, 0), RMRR_BASE, RMRR_LIMIT } }, { false } },
	{ "backwards",	     { { RMRR_RID, RMRR_LIMIT + 1, RMRR_BASE } }, { false } },
	{ "zero",	     { { RMRR_RID, 0, 0 } }, { false } },
	{ "whole_space",     { { RMRR_RID, 0, UINT64_MAX } }, { false } },
	{ "one_of_two",	     { { RMRR_RID, RMRR_LIMIT, RMRR_BASE },
			       { SECOND_RID, RMRR_BASE, RMRR_LIMIT } }, { false, true } },
};

static void reaches_exactly(const struct rmrr *r)
{
	const paddr_t base = ALIGN_DOWN(r->base, PAGE_SIZE), end = ALIGN_UP(r->limit + 1, PAGE_SIZE);
	const paddr_t in[] = { base, ALIGN_DOWN(base / 2 + end / 2, PAGE_SIZE), end - 8 };

	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		assert_int_equal(dma(r->rid, in[i], 0x100 + i), 0);
		assert_int_equal(at(in[i]), 0x100 + i);
	}
	assert_int_not_equal(dma(r->rid, base - 8, 1), 0);
	assert_int_not_equal(dma(r->rid, end, 1), 0);
}

static void test_rmrr_shapes(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
			const struct rmrr *r = shapes[i].r;
			size_t devices = 0;

			print_message("# %s.%s\n", kinds[k].name, shapes[i].name);
			machine_with(&kinds[k].t, r, r[1].limit ? 2 : 1);
			discover();
			assert_int_equal(iommu_bring_up(&mmu), 0);
			for (size_t d = 0; d < 2; d++)
				if (shapes[i].reached[d]) {
					reaches_exactly(&r[d]);
					devices += d == 0 || r[0].rid != r[d].rid || !shapes[i].reached[0];
				}
			assert_int_equal(mmu.nr_devices, devices);
			assert_int_equal(mmu.nr_domains, devices);
			if (!devices && r[0].rid == RMRR_RID) {
				assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), -1);	/* silenced */
				commands[RMRR_RID] |= PCI_COMMAND_MASTER;
				assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), SPEC_FAULT_ROOT_P);
			}
			assert_int_equal(model_violations(), 0);
		}
}

/* A domain that maps the region once more. */
static size_t rmrr_domain(void)
{
	const int unit = iommu_unit_of(&mmu, fn_of(RMRR_RID));
	const int domain = iommu_domain_create(&mmu, (size_t)unit, VTD_PG_4K, IOMMU_IOVA_BITS);

	assert_true(domain >= 0);
	assert_int_equal(vtd_ss_map(&mmu.domain[domain].ss, RMRR_BASE, RMRR_BASE,
				    RMRR_LIMIT + 1 - RMRR_BASE, VTD_SS_RW), 0);
	return (size_t)domain;
}

/* Its life after bring-up, with its DMA at one step or at every one: other devices come and go, its
 * domain is replaced and the old one freed.  None of its writes is lost. */
static long live_on(const struct model_traits *t, long step)
{
	size_t old, other;
	long steps;

	machine(t);
	discover();
	assert_int_equal(iommu_bring_up(&mmu), 0);
	rmrr_lost = rmrr_sent = 0;
	old = iommu_device_of(&mmu, 0, RMRR_RID)->domain;
	old_page = mem_alloc_pages(0);
	other = domain_with(OTHER_RID, old_page);
	model_prefetch(1);
	model_inject(step, rmrr_write, NULL);
	attach(OTHER_RID, other);
	assert_int_equal(dma(OTHER_RID, IOVA, 1), 0);
	iommu_fence(&mmu, 0, OTHER_RID);
	attach(OTHER_RID, domain_with(OTHER_RID, old_page));
	assert_int_equal(iommu_detach(&mmu, 0, OTHER_RID), 0);
	assert_int_equal(iommu_replace(&mmu, 0, RMRR_RID, rmrr_domain()), 0);
	steps = model_steps();
	iommu_domain_destroy(&mmu, old);
	mem_free_pages(old_page, 0);
	model_inject(0, NULL, NULL);
	reaches_exactly(&one_rmrr);
	assert_int_equal(rmrr_lost, 0);
	assert_int_equal(model_violations(), 0);
	return steps;
}

static void test_rmrr_device_lives_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const long steps = live_on(&kinds[i].t, MODEL_EVERY_STEP);

		assert_true(rmrr_sent > 20);
		for (long k = 1; k <= steps; k++)
			live_on(&kinds[i].t, k);
		print_message("# %s: %ld steps\n", kinds[i].name, steps);
	}
}

/* Broken records fence it as any other device: nothing of it lands, not even in its region, until it
 * has a domain again. */
static void test_rmrr_device_is_fenced(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint16_t did;

		print_message("# %s\n", kinds[i].name);
		machine(&kinds[i].t);
		discover();
		assert_int_equal(iommu_bring_up(&mmu), 0);
		old_page = mem_alloc_pages(0);
		attach(OTHER_RID, domain_with(OTHER_RID, old_page));
		did = iommu_device_of(&mmu, 0, RMRR_RID)->did;
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 1), 0);
		iommu_fence(&mmu, 0, RMRR_RID);
		assert_null(iommu_device_of(&mmu, 0, RMRR_RID));
		assert_int_equal(mmu.nr_domains, 1);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 2), -1);
		commands[RMRR_RID] |= PCI_COMMAND_MASTER;
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 2), SPEC_FAULT_CONTEXT_P);
		assert_int_equal(at(RMRR_BASE), 1);
		assert_int_equal(dma(OTHER_RID, IOVA, 3), 0);	/* who shares its unit goes on */
		assert_int_equal(at(old_page), 3);
		assert_false(vtd_dids_used(&mmu.unit[1].vtd.dids, did));
		attach(RMRR_RID, rmrr_domain());
		reaches_exactly(&one_rmrr);
		assert_int_equal(iommu_detach(&mmu, 0, RMRR_RID), 0);
		assert_int_equal(dma(RMRR_RID, RMRR_BASE, 4), SPEC_FAULT_CONTEXT_P);
		iommu_fence(&mmu, 0, OTHER_RID);
		mem_free_pages(old_page, 0);
		assert_int_equal(model_violations(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_is_deny),
		cmocka_unit_test(test_rmrr_device_never_stops),
		cmocka_unit_test(test_foreign_table_mode_is_left),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_replace_with_dma_at_every_step),
		cmocka_unit_test(test_fence),
		cmocka_unit_test(test_rmrr_shapes),
		cmocka_unit_test(test_rmrr_device_lives_on),
		cmocka_unit_test(test_rmrr_device_is_fenced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
