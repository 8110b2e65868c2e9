/* Units as a kernel that is no Baton left them: translation off as a rule, but queue, interrupt
 * remapping and root table still programmed, in pages that it did not preserve. */
#include "iommu.h"

#include "kernel/memory/keep.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

#define IRTE_BYTES	16

/* A unit that is left alone (a GPU's) may translate by tables that nobody preserved: what is behind it
 * must not use them, an RMRR or not. */
static void stop_behind_others(const struct iommu *mmu)
{
	for (size_t i = 0; i < mmu->nr_fns; i++) {
		const struct pci_fn *fn = &mmu->fns[i];

		if (fn->is_bridge || iommu_unit_of(mmu, i) >= 0 || !pci_is_bus_master(fn->segment, fn->rid))
			continue;
		pci_bus_master(fn, false);
		platform_log("pci: %04x:%02x:%02x.%x is behind no unit of ours; bus master off", fn->segment,
			     PCI_BUS(fn->rid), PCI_DEV(fn->rid), PCI_FN(fn->rid));
	}
}

int iommu_stop_left(struct iommu *mmu)
{
	int err = 0;

	stop_behind_others(mmu);
	for (size_t i = 0; i < mmu->nr_units && !err; i++) {
		struct iommu_unit *u = &mmu->unit[i];

		if (!u->used)
			continue;
		platform_log("vtd%zu: left with GSTS %08x RTADDR %llx IQA %llx IRTA %llx", i, u->found.gsts,
			     (unsigned long long)u->found.rtaddr, (unsigned long long)u->found.iqa,
			     (unsigned long long)u->found.irta);
		if (!(u->found.gsts & VTD_GSTS_TES))
			continue;
		platform_log("vtd%zu: still translates by tables that nobody preserved; switched off", i);
		err = vtd_unit_disable_translation(&u->vtd);
		u->found.gsts &= ~VTD_GSTS_TES;	/* there is nothing to be kept on */
	}
	return err;
}

size_t iommu_left_queues(const struct iommu *mmu, struct keep_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < mmu->nr_units; i++) {
		const struct vtd_unit_state *s = &mmu->unit[i].found;

		if (mmu->unit[i].used && s->gsts & VTD_GSTS_QIES)
			out[n++] = (struct keep_range){ s->iqa & VTD_IQA_IQA, vtd_qi_ring_bytes(s->iqa) };
	}
	return n;
}

size_t iommu_left_tables(const struct iommu *mmu, struct keep_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < mmu->nr_units; i++) {
		const struct vtd_unit_state *s = &mmu->unit[i].found;

		if (!mmu->unit[i].used)
			continue;
		if (s->gsts & VTD_GSTS_IRES)
			out[n++] = (struct keep_range){ s->irta & VTD_IRTA_IRTA,
							IRTE_BYTES << (FIELD_GET(VTD_IRTA_S, s->irta) + 1) };
		if (s->gsts & VTD_GSTS_RTPS)
			out[n++] = (struct keep_range){ s->rtaddr & VTD_RTADDR_RTA, PAGE_SIZE };
	}
	return n;
}
