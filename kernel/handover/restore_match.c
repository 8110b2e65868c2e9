/* Records of the kernel before us joined with what its node adds, and what both say together. */
#include "restore.h"

#include <string.h>

#include "errno.h"
#include "vtd/context.h"
#include "vtd/regs.h"

/* ---- records and node ------------------------------------------------------------------------ */

static void note(struct restore *r, const char *what, const char *fault, paddr_t at, uint64_t value)
{
	if (!r->bad++)
		kho_refuse(&r->first, -EBADMSG, what, fault, at, value);
}

static size_t node_unit_of(const struct node *n, paddr_t regs)
{
	for (uint32_t k = 0; k < n->nr_units; k++)
		if (n->unit[k].regs_pa == regs)
			return k;
	return RESTORE_NONE;
}

static size_t node_domain_of(const struct node *n, paddr_t top)
{
	for (uint32_t k = 0; k < n->nr_domains; k++)
		if (n->domain[k].top_pa == top)
			return k;
	return RESTORE_NONE;
}

static const char *match_unit(struct restore *r, size_t j)
{
	const struct kho_iommu_unit *u = &r->rec->unit[j];
	const size_t k = node_unit_of(r->n, u->register_base);

	if (r->rec->unit_verdict[j].fault)
		return r->rec->unit_verdict[j].fault;
	if (k == RESTORE_NONE)
		return "is of a unit that the baton node does not name";
	if ((r->n->unit[k].rtaddr & VTD_RTADDR_RTA) != u->root_table)
		return "has another root table than RTADDR";
	r->unit[j] = k;
	return NULL;
}

static const char *match_domain(struct restore *r, size_t j)
{
	const size_t k = node_domain_of(r->n, r->rec->domain[j].top_table);

	if (r->rec->domain_verdict[j].fault)
		return r->rec->domain_verdict[j].fault;
	if (k == RESTORE_NONE)
		return "has a top table that the baton node does not name";
	r->domain[j] = k;
	return NULL;
}

static void match_units(struct restore *r)
{
	for (size_t j = 0; j < r->rec->iommu.nr_units; j++) {
		r->unit[j] = RESTORE_NONE;
		if (r->rec->unit[j].deleted)
			continue;
		r->unit_fault[j] = match_unit(r, j);
		if (r->unit_fault[j])
			note(r, "unit record", r->unit_fault[j], r->rec->unit_verdict[j].pa,
			     r->rec->unit_verdict[j].value);
	}
	for (uint32_t k = 0; k < r->n->nr_units; k++) {
		size_t j = 0;

		while (j < r->rec->iommu.nr_units && r->unit[j] != k)
			j++;
		if (j == r->rec->iommu.nr_units)
			note(r, "unit", "has no record that can be used", r->n->unit[k].regs_pa, k);
	}
}

static void match_domains(struct restore *r)
{
	for (size_t j = 0; j < r->rec->iommu.nr_domains; j++) {
		r->domain[j] = RESTORE_NONE;
		if (r->rec->domain[j].deleted)
			continue;
		r->domain_fault[j] = match_domain(r, j);
		if (r->domain_fault[j])
			note(r, "domain record", r->domain_fault[j], r->rec->domain_verdict[j].pa,
			     r->rec->domain_verdict[j].value);
	}
}

size_t restore_find(const struct records_plain *rec, uint32_t pci_domain, uint16_t rid)
{
	size_t bad = RESTORE_NONE;

	for (size_t j = 0; j < rec->iommu.nr_devices; j++) {
		const struct kho_iommu_device *d = &rec->device[j];

		if (d->deleted || d->pci_domain != pci_domain || d->devid != rid)
			continue;
		if (!rec->device_verdict[j].fault)
			return j;
		if (bad == RESTORE_NONE)
			bad = j;
	}
	return bad;
}

/* An alias that no function has was none before, and is none now. */
static bool same_identity(const struct iommu *mmu, const struct node_device_ser *d)
{
	const int fn = pci_find(mmu->fns, mmu->nr_fns, d->segment, d->rid);

	return d->vendor == (fn < 0 ? 0 : mmu->fns[fn].vendor) &&
	       d->device == (fn < 0 ? 0 : mmu->fns[fn].device);
}

static const char *match_device(const struct restore *r, const struct node_device_ser *d, size_t j)
{
	const struct kho_iommu_device *rec;

	if (j == RESTORE_NONE)
		return "is missing";
	if (r->rec->device_verdict[j].fault)
		return r->rec->device_verdict[j].fault;
	rec = &r->rec->device[j];
	if (r->unit_fault[rec->unit])
		return "is behind a unit whose record cannot be used";
	if (r->domain_fault[rec->domain])
		return "is in a domain whose record cannot be used";
	if (r->n->unit[r->unit[rec->unit]].segment != d->segment)
		return "is behind a unit of another PCI domain";
	if (!same_identity(r->mmu, d))
		return "is of another function than the one that is there now";
	return NULL;
}

static void match_devices(struct restore *r)
{
	for (uint32_t i = 0; i < r->n->nr_devices; i++) {
		const struct node_device_ser *d = &r->n->device[i];
		const size_t j = restore_find(r->rec, d->segment, d->rid);

		r->device[i].record = j;
		r->device[i].fault = match_device(r, d, j);
		if (r->device[i].fault)
			note(r, "device record", r->device[i].fault,
			     j == RESTORE_NONE ? 0 : r->rec->device_verdict[j].pa, d->rid);
	}
}

static bool is_named(const struct node *n, const struct kho_iommu_device *rec)
{
	return rec->pci_domain <= UINT16_MAX &&
	       node_find_device(n, (uint16_t)rec->pci_domain, rec->devid) != NODE_NO_DEVICE;
}

static void find_strangers(struct restore *r)
{
	for (size_t j = 0; j < r->rec->iommu.nr_devices; j++) {
		const struct kho_iommu_device *rec = &r->rec->device[j];

		r->claimed[j] = RESTORE_NONE;
		if (rec->deleted || is_named(r->n, rec))
			continue;
		/* A broken one says nothing, not even whose it is. */
		r->stranger |= !r->rec->device_verdict[j].fault;
		note(r, "device record", "is of a device that the baton node does not name",
		     r->rec->device_verdict[j].pa, rec->devid);
	}
}

void restore_match(struct restore *r, struct iommu *mmu, const struct kho_map *map,
		   const struct node *n, const struct records_plain *rec)
{
	memset(r, 0, sizeof(*r));
	r->mmu = mmu;
	r->map = map;
	r->n = n;
	r->rec = rec;
	match_units(r);
	match_domains(r);
	match_devices(r);
	find_strangers(r);
}

void restore_blame(const struct restore *r, struct blame *b)
{
	b->all |= r->stranger;
	for (uint32_t i = 0; i < r->n->nr_devices; i++)
		b->device[i] |= r->device[i].fault != NULL;
}

/* ---- the picture ------------------------------------------------------------------------------ */

/* What the unit can do is what it says itself now; that it is still the same is compared apart. */
static void picture_unit(const struct restore *r, uint32_t k, struct vtd_unit_snapshot *s)
{
	const struct node_unit_ser *u = &r->n->unit[k];
	const struct iommu_unit *live = iommu_unit_at(r->mmu, u->regs_pa);
	const paddr_t root = u->rtaddr & VTD_RTADDR_RTA;

	*s = (struct vtd_unit_snapshot){
		.regs = u->regs_pa, .index = u->index, .segment = u->segment, .gsts = u->gsts,
		.rtaddr = u->rtaddr, .iqa = u->iqa, .irta = u->irta,
	};
	if (live) {
		s->ver = (uint32_t)live->vtd.caps.ver_major << 4 | live->vtd.caps.ver_minor;
		s->cap = live->vtd.caps.cap;
		s->ecap = live->vtd.caps.ecap;
	}
	for (size_t j = 0; j < r->rec->iommu.nr_units; j++)
		if (r->unit[j] == k) {
			memcpy(s->context_tables, r->rec->unit[j].context_tables,
			       sizeof(s->context_tables));
			return;
		}
	/* Without a record that says which, all context tables are looked into. */
	if (root && kho_map_covers(r->map, root, PAGE_SIZE))
		vtd_context_tables(&(struct vtd_tables){ .root = root, .ttm = r->mmu->ttm },
				   s->context_tables);
}

static void picture_domain(const struct restore *r, size_t j, struct vtd_domain_snapshot *s)
{
	const struct kho_iommu_domain *rec = &r->rec->domain[j];
	const struct node_domain_ser *d = &r->n->domain[r->domain[j]];

	*s = (struct vtd_domain_snapshot){
		.id = d->id, .levels = rec->top_level + 1u, .top = rec->top_table,
		.addr_bits = rec->vasz, .page_sizes = d->page_sizes, .table_pages = d->table_pages,
	};
}

static void picture_device(const struct restore *r, uint32_t i, struct vtd_device_snapshot *s)
{
	const struct kho_iommu_device *rec = &r->rec->device[r->device[i].record];

	*s = (struct vtd_device_snapshot){
		.unit = r->n->unit[r->unit[rec->unit]].index, .segment = r->n->device[i].segment,
		.rid = rec->devid, .domain = r->n->domain[r->domain[rec->domain]].id, .did = rec->did,
		.pasid_dir = rec->vtd.pasid_dir,
	};
}

void restore_picture(const struct restore *r, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	for (uint32_t k = 0; k < r->n->nr_units; k++)
		picture_unit(r, k, &p->unit[p->nr_units++]);
	for (size_t j = 0; j < r->rec->iommu.nr_domains; j++)
		if (r->domain[j] != RESTORE_NONE)
			picture_domain(r, j, &p->domain[p->nr_domains++]);
	for (uint32_t i = 0; i < r->n->nr_devices; i++)
		if (!r->device[i].fault)
			picture_device(r, i, &p->device[p->nr_devices++]);
}
