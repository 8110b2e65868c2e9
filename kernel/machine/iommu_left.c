/* Units as a kernel that is no Baton left them: translation off as a rule, but queue, interrupt
 * remapping and root table still programmed, in pages that it did not preserve. */
#include "iommu.h"

#include "kernel/memory/keep.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

#define IRTE_BYTES	16

int iommu_stop_left(struct iommu *mmu)
{
	int err = 0;

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

size_t iommu_left_ranges(const struct iommu *mmu, struct keep_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < mmu->nr_units; i++) {
		const struct vtd_unit_state *s = &mmu->unit[i].found;

		if (!mmu->unit[i].used)
			continue;
		if (s->gsts & VTD_GSTS_QIES)
			out[n++] = (struct keep_range){ s->iqa & VTD_IQA_IQA, vtd_qi_ring_bytes(s->iqa) };
		if (s->gsts & VTD_GSTS_IRES)
			out[n++] = (struct keep_range){ s->irta & VTD_IRTA_IRTA,
							IRTE_BYTES << (FIELD_GET(VTD_IRTA_S, s->irta) + 1) };
		if (s->gsts & VTD_GSTS_RTPS)
			out[n++] = (struct keep_range){ s->rtaddr & VTD_RTADDR_RTA, PAGE_SIZE };
	}
	return n;
}
