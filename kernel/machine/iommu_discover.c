/* Which units and functions there are, and the state that they were found in. */
#include "iommu.h"

#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/scratch.h"
#include "platform/mmio.h"

#define PCI_CLASS_DISPLAY	0x03

/* ---- topology --------------------------------------------------------------------------- */

static bool view_secondary(void *ctx, uint16_t segment, uint16_t rid, uint8_t *bus)
{
	const struct iommu *mmu = ctx;
	const int i = pci_find(mmu->fns, mmu->nr_fns, segment, rid);

	if (i < 0 || !mmu->fns[i].is_bridge)
		return false;
	*bus = mmu->fns[i].secondary;
	return true;
}

static bool view_parent(void *ctx, uint16_t segment, uint16_t rid, uint16_t *parent)
{
	const struct iommu *mmu = ctx;
	const int i = pci_find(mmu->fns, mmu->nr_fns, segment, rid);

	if (i < 0 || mmu->fns[i].parent < 0)
		return false;
	*parent = mmu->fns[mmu->fns[i].parent].rid;
	return true;
}

struct iommu_unit *iommu_unit_at(struct iommu *mmu, paddr_t regs)
{
	for (size_t i = 0; i < mmu->nr_units; i++)
		if (mmu->unit[i].used && mmu->unit[i].vtd.regs == regs)
			return &mmu->unit[i];
	return NULL;
}

int iommu_unit_of(const struct iommu *mmu, size_t fn)
{
	size_t unit;

	if (vtd_dmar_unit_of(&mmu->dmar, mmu->fns[fn].segment, mmu->fns[fn].rid, &mmu->view, &unit) ||
	    !mmu->unit[unit].used)
		return -ENOENT;
	return (int)unit;
}

bool iommu_has_rmrr(const struct iommu *mmu, size_t fn)
{
	for (size_t i = 0; i < mmu->dmar.nr_rmrr; i++)
		if (vtd_dmar_rmrr_usable(&mmu->dmar.rmrr[i]) &&
		    vtd_dmar_rmrr_names(&mmu->dmar, i, mmu->fns[fn].segment, mmu->fns[fn].rid,
					&mmu->view))
			return true;
	return false;
}

size_t iommu_rmrr_ranges(const struct iommu *mmu, struct keep_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < mmu->dmar.nr_rmrr; i++) {
		const struct vtd_dmar_rmrr *r = &mmu->dmar.rmrr[i];

		if (vtd_dmar_rmrr_usable(r))
			out[n++] = (struct keep_range){ r->base, r->limit - r->base + 1 };
	}
	return n;
}

/* A unit all of whose functions are display controllers: it may sleep with its GPU, and must
 * not be switched while that is active. */
static bool serves_only_gpu(const struct iommu *mmu, size_t unit)
{
	bool any = false;

	if (mmu->dmar.drhd[unit].include_all)
		return false;
	for (size_t i = 0; i < mmu->nr_fns; i++) {
		size_t u;

		if (vtd_dmar_unit_of(&mmu->dmar, mmu->fns[i].segment, mmu->fns[i].rid, &mmu->view, &u) ||
		    u != unit)
			continue;
		if (mmu->fns[i].class_code >> 16 != PCI_CLASS_DISPLAY)
			return false;
		any = true;
	}
	return any;
}

/* ---- discovery ---------------------------------------------------------------------------- */

static void read_unit(struct iommu_unit *u)
{
	size_t n;

	vtd_unit_mask_events(&u->vtd);
	vtd_unit_read_state(&u->vtd, &u->found);
	vtd_fault_read_all(&u->vtd, u->fault, IOMMU_MAX_FAULTS, &n, &u->fsts);
	u->nr_faults = n;
}

static bool probe_unit(struct iommu *mmu, size_t i)
{
	const struct vtd_dmar_drhd *d = &mmu->dmar.drhd[i];
	struct iommu_unit *u = &mmu->unit[i];

	u->vtd.index = (unsigned)i;
	u->vtd.segment = d->segment;
	if (d->same_as != i) {
		platform_log("vtd%zu: listed twice, same registers as vtd%zu", i, d->same_as);
		return false;
	}
	if (!d->base || !paging_map_mmio(d->base, d->bytes)) {
		platform_log("vtd%zu: register base %llx cannot be used, left alone", i,
			     (unsigned long long)d->base);
		return false;
	}
	if (serves_only_gpu(mmu, i)) {
		platform_log("vtd%zu: serves only a GPU, left alone", i);
		return false;
	}
	if (vtd_unit_probe(&u->vtd, d->base)) {
		platform_log("vtd%zu: nothing answers at %llx, left alone", i,
			     (unsigned long long)d->base);
		return false;
	}
	/* Fault and IOTLB registers may lie beyond what the table says. */
	if (u->vtd.reg_bytes > d->bytes && !paging_map_mmio(d->base, u->vtd.reg_bytes))
		return false;
	read_unit(u);
	platform_log("vtd%zu: version %u.%u at %llx, CAP %016llx ECAP %016llx GSTS %08x", i,
		     u->vtd.caps.ver_major, u->vtd.caps.ver_minor, (unsigned long long)d->base,
		     (unsigned long long)u->vtd.caps.cap, (unsigned long long)u->vtd.caps.ecap,
		     u->found.gsts);
	return true;
}

int iommu_discover(struct iommu *mmu, const struct acpi_tables *acpi, const char **why)
{
	struct acpi_mcfg mcfg;
	struct span table;
	bool any = false;
	int err;

	if (acpi_table(acpi, "MCFG", &table) || acpi_decode_mcfg(table, &mcfg)) {
		*why = "no usable ACPI MCFG table; PCI Express configuration space cannot be reached";
		return -ENODEV;
	}
	if (acpi_table(acpi, "DMAR", &table)) {
		*why = "no ACPI DMAR table; switch VT-d on in firmware setup (QEMU: -device intel-iommu)";
		return -ENODEV;
	}
	err = vtd_dmar_parse(table, &mmu->dmar, why);
	if (err)
		return err;
	pci_init(&mcfg);
	mmu->fns = scratch_new(IOMMU_MAX_FNS * sizeof(*mmu->fns));
	if (!mmu->fns) {
		*why = "scratch memory does not hold the list of PCI functions";
		return -ENOMEM;
	}
	err = pci_enumerate(mmu->fns, IOMMU_MAX_FNS, &mmu->nr_fns);
	if (err == -ENOSPC)
		platform_log("pci: more than %u functions, the rest is not seen", IOMMU_MAX_FNS);
	mmu->view = (struct vtd_pci_view){
		.ctx = mmu, .secondary_bus = view_secondary, .parent = view_parent,
	};
	mmu->nr_units = mmu->dmar.nr_drhd;
	platform_log("dmar: %zu units, %zu RMRRs, host address width %u, anomalies %x; pci: %zu functions",
		     mmu->dmar.nr_drhd, mmu->dmar.nr_rmrr, mmu->dmar.haw, mmu->dmar.anomalies,
		     mmu->nr_fns);
	for (size_t i = 0; i < mmu->nr_units; i++) {
		mmu->unit[i].used = probe_unit(mmu, i);
		any |= mmu->unit[i].used;
	}
	if (!any) {
		*why = "the DMAR table lists no unit that answers; switch VT-d on in firmware setup";
		return -ENODEV;
	}
	return 0;
}

bool iommu_has_mode(const struct iommu *mmu, uint8_t ttm, size_t *without)
{
	for (size_t i = 0; i < mmu->nr_units; i++) {
		if (!mmu->unit[i].used || ttm == VTD_TTM_LEGACY || mmu->unit[i].vtd.caps.scalable_ss)
			continue;
		*without = i;
		return false;
	}
	return true;
}
