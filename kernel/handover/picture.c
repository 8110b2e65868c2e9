/* From live state to what the `baton` node says of it. */
#include "picture.h"

#include "errno.h"

static void record_unit(const struct iommu_unit *u, struct node_unit_ser *out)
{
	struct vtd_unit_snapshot s;
	struct vtd_unit_state state;

	vtd_unit_read_state(&u->vtd, &state);
	vtd_unit_snapshot(&u->vtd, &state, &s);
	*out = (struct node_unit_ser){
		.regs_pa = s.regs, .cap = s.cap, .ecap = s.ecap, .rtaddr = s.rtaddr, .iqa = s.iqa,
		.irta = s.irta, .index = s.index, .ver = s.ver, .gsts = s.gsts,
		.segment = s.segment,
	};
}

static void record_device(const struct iommu *mmu, const struct iommu_device *d,
			  struct node_device_ser *out)
{
	const int fn = pci_find(mmu->fns, mmu->nr_fns, d->segment, d->rid);

	*out = (struct node_device_ser){ .segment = d->segment, .rid = d->rid };
	if (fn < 0)
		return;
	out->vendor = mmu->fns[fn].vendor;
	out->device = mmu->fns[fn].device;
}

int picture_record(const struct iommu *mmu, struct node *n)
{
	for (size_t i = 0; i < mmu->nr_units; i++) {
		if (!mmu->unit[i].used)
			continue;
		if (n->nr_units == NODE_MAX_UNITS)
			return -ENOSPC;
		record_unit(&mmu->unit[i], &n->unit[n->nr_units++]);
	}
	if (mmu->nr_domains > NODE_MAX_DOMAINS || mmu->nr_devices > NODE_MAX_DEVICES ||
	    mmu->next_domain_id > NODE_NO_OWNER)
		return -ENOSPC;
	for (size_t i = 0; i < mmu->nr_domains; i++) {
		const struct iommu_domain *d = &mmu->domain[i];

		n->domain[n->nr_domains++] = (struct node_domain_ser){
			.top_pa = d->ss.top, .table_pages = d->ss.table_pages, .id = d->id,
			.page_sizes = d->ss.page_sizes, .is_rmrr = d->is_rmrr,
		};
	}
	for (size_t i = 0; i < mmu->nr_devices; i++)
		record_device(mmu, &mmu->device[i], &n->device[n->nr_devices++]);
	n->next_domain_id = mmu->next_domain_id;
	return 0;
}
