/* Between live state, snapshots and records. */
#include "picture.h"

#include <string.h>

#include "errno.h"
#include "vtd/context.h"

static void record_unit(const struct iommu_unit *u, struct node_unit_ser *out)
{
	struct vtd_unit_state state;
	struct vtd_unit_snapshot s;

	vtd_unit_read_state(&u->vtd, &state);
	vtd_unit_snapshot(&u->vtd, &state, &s);
	*out = (struct node_unit_ser){
		.regs_pa = s.regs, .cap = s.cap, .ecap = s.ecap, .rtaddr = s.rtaddr, .iqa = s.iqa,
		.irta = s.irta, .iq_status_pa = u->status, .index = s.index, .ver = s.ver, .gsts = s.gsts,
		.segment = s.segment,
	};
	vtd_root_context_tables(u->vtd.root, out->context_tables);
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
	if (mmu->nr_domains > NODE_MAX_DOMAINS || mmu->nr_devices > NODE_MAX_DEVICES)
		return -ENOSPC;
	for (size_t i = 0; i < mmu->nr_domains; i++) {
		const struct iommu_domain *d = &mmu->domain[i];

		n->domain[n->nr_domains++] = (struct node_domain_ser){
			.id = d->id, .levels = d->ss.levels, .top_pa = d->ss.top,
			.addr_bits = d->ss.addr_bits, .page_sizes = d->ss.page_sizes,
			.table_pages = d->ss.table_pages, .is_rmrr = d->is_rmrr,
		};
	}
	for (size_t i = 0; i < mmu->nr_devices; i++) {
		const struct iommu_device *d = &mmu->device[i];

		n->device[n->nr_devices++] = (struct node_device_ser){
			.unit = (uint32_t)d->unit, .domain = mmu->domain[d->domain].id,
			.segment = d->segment, .rid = d->rid, .did = d->did,
		};
	}
	n->next_domain_id = mmu->next_domain_id;
	return 0;
}

void picture_of_node(const struct node *n, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	for (uint32_t i = 0; i < n->nr_units; i++) {
		const struct node_unit_ser *u = &n->unit[i];
		struct vtd_unit_snapshot *s = &p->unit[p->nr_units++];

		*s = (struct vtd_unit_snapshot){
			.regs = u->regs_pa, .index = u->index, .segment = u->segment, .ver = u->ver,
			.cap = u->cap, .ecap = u->ecap, .gsts = u->gsts, .rtaddr = u->rtaddr, .iqa = u->iqa,
			.irta = u->irta,
		};
		memcpy(s->context_tables, u->context_tables, sizeof(s->context_tables));
	}
	for (uint32_t i = 0; i < n->nr_domains; i++) {
		const struct node_domain_ser *d = &n->domain[i];

		p->domain[p->nr_domains++] = (struct vtd_domain_snapshot){
			.id = d->id, .levels = d->levels, .top = d->top_pa, .addr_bits = d->addr_bits,
			.page_sizes = d->page_sizes, .table_pages = d->table_pages,
		};
	}
	for (uint32_t i = 0; i < n->nr_devices; i++) {
		const struct node_device_ser *d = &n->device[i];

		p->device[p->nr_devices++] = (struct vtd_device_snapshot){
			.unit = d->unit, .segment = d->segment, .rid = d->rid, .domain = d->domain,
			.did = d->did,
		};
	}
}
