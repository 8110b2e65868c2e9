/* From records that were found good to units, domains and devices. */
#include "restore.h"

#include "errno.h"
#include "kernel/report/ktap.h"
#include "platform/mem.h"
#include "vtd/context.h"
#include "vtd/pasid.h"
#include "vtd/regs.h"
#include "vtd/source.h"

/* ---- units: roots and DIDs -------------------------------------------------------------------- */

static const struct kho_iommu_device *record_of(const struct restore *r, uint32_t i)
{
	return &r->rec->device[r->device[i].record];
}

/* The live unit of a device whose record can be used. */
static struct iommu_unit *unit_of(const struct restore *r, uint32_t i)
{
	return iommu_unit_at(r->mmu, r->rec->unit[record_of(r, i)->unit].register_base);
}

static bool shares_did(const struct restore *r, uint32_t i)
{
	const struct kho_iommu_device *a = record_of(r, i);

	for (uint32_t k = 0; k < i; k++) {
		const struct kho_iommu_device *b;

		if (r->device[k].fault || r->device[k].did_fault)
			continue;
		b = record_of(r, k);
		if (a->unit == b->unit && a->did == b->did)
			return a->domain == b->domain;
	}
	return false;
}

/* One DID on a unit is one domain.  Its range is the unit's: 64 bits were cut to 16 only after they
 * had been found to fit. */
static void reserve_did(struct restore *r, uint32_t i)
{
	struct iommu_unit *u = unit_of(r, i);
	int err;

	if (!u)
		return;		/* restore_device() says so */
	err = vtd_dids_reserve(&u->vtd.dids, record_of(r, i)->did);
	if (err == -EBUSY && shares_did(r, i))
		return;
	if (err)
		r->device[i].did_fault = err == -EBUSY ? "has the DID of another domain"
						       : "has a DID that its unit does not have";
}

static bool page_ok(void *ctx, paddr_t page)
{
	const struct restore *r = ctx;

	return kho_map_covers(r->map, page, PAGE_SIZE);
}

/* Tables are read only where they are preserved.  Return: as vtd_source_find(). */
static int read_entry(struct restore *r, const struct iommu_unit *u, uint16_t rid,
		      struct vtd_source *found)
{
	const struct vtd_tables t = vtd_unit_tables(&u->vtd);

	return vtd_source_find(&t, rid, page_ok, r, found);
}

/* What stands in the entry may be cached, whatever the record says, until the device is fenced. */
static void hold_live_did(struct restore *r, uint32_t i)
{
	struct restore_device *d = &r->device[i];

	for (size_t k = 0; k < r->mmu->nr_units && !d->live; k++) {
		struct iommu_unit *u = &r->mmu->unit[k];
		struct vtd_source found;
		int err;

		if (!u->used || u->vtd.segment != r->n->device[i].segment)
			continue;
		err = read_entry(r, u, r->n->device[i].rid, &found);
		if (err && err != -EOPNOTSUPP)
			continue;
		d->live = true;
		d->live_unit = k;
		d->live_did = found.did;
		/* Taken by a record, or no DID that could be given out: both will do. */
		vtd_dids_reserve(&u->vtd.dids, d->live_did);
	}
}

void restore_units(struct restore *r)
{
	if (r->units_restored)
		return;
	for (uint32_t k = 0; k < r->n->nr_units; k++) {
		struct iommu_unit *u = iommu_unit_at(r->mmu, r->n->unit[k].regs_pa);

		if (!u)
			continue;
		u->vtd.root = r->n->unit[k].rtaddr & VTD_RTADDR_RTA;
		u->vtd.ttm = r->mmu->ttm;
		vtd_dids_init(&u->vtd.dids, u->vtd.caps.ndoms);
	}
	for (uint32_t i = 0; i < r->n->nr_devices; i++)
		if (!r->device[i].fault)
			reserve_did(r, i);
	for (uint32_t i = 0; i < r->n->nr_devices; i++)
		hold_live_did(r, i);
	r->mmu->next_domain_id = r->n->next_domain_id;
	r->units_restored = true;
}

/* ---- domains and devices ---------------------------------------------------------------------- */

/* Whether a unit can use tables of this form at all. */
static const char *format_fault(const struct vtd_caps *caps, const struct kho_iommu_domain *rec,
				const struct node_domain_ser *d)
{
	if (rec->first_stage)
		return "is in a domain with first-stage tables, which this version does not have";
	if (!vtd_caps_has_levels(caps, rec->top_level + 1u))
		return "is in a domain with more or fewer levels than its unit has";
	if (rec->vasz > vtd_caps_usable_bits(caps, rec->top_level + 1u))
		return "is in a domain that is wider than its unit's addresses";
	if (d->page_sizes & ~caps->page_sizes)
		return "is in a domain with pages of a size that its unit does not have";
	return NULL;
}

/* What only scalable mode or device TLBs have. */
static const char *mode_fault(const struct iommu_unit *u, const struct kho_iommu_device_vtd *v)
{
	const bool scalable = u->vtd.ttm == VTD_TTM_SCALABLE;

	if (!scalable && (v->pasid_dir || v->max_pasid))
		return "has PASIDs, but its unit is in legacy mode";
	if (scalable && !v->pasid_dir)
		return "has no PASID directory, but its unit is in scalable mode";
	if (scalable && v->max_pasid != VTD_PASID_DIR_PASIDS)
		return "has a PASID directory of another size than one page";
	if (v->ats_enabled)
		return "has ATS enabled, whose caches nobody here invalidates";
	return NULL;
}

/* The entry is left alone, so it must be the record's. */
static const char *entry_fault(struct restore *r, const struct iommu_unit *u,
			       const struct kho_iommu_device *rec)
{
	const struct kho_iommu_domain *d = &r->rec->domain[rec->domain];
	struct vtd_source found;
	const int err = read_entry(r, u, rec->devid, &found);

	if (err == -EOPNOTSUPP)
		return "has an entry of another translation type";
	if (err)
		return "has no context entry, or one behind tables that may not be read";
	if (found.pasid_dir != rec->vtd.pasid_dir)
		return "has a context entry with another PASID directory";
	if (found.top != d->top_table)
		return "has an entry with another table";
	if (found.levels != d->top_level + 1u)
		return "has an entry with another width";
	if (found.did != rec->did)
		return "has an entry with another DID";
	return NULL;
}

static int domain_by_id(const struct iommu *mmu, uint32_t id)
{
	for (size_t i = 0; i < mmu->nr_domains; i++)
		if (mmu->domain[i].id == id)
			return (int)i;
	return -ENOENT;
}

static int new_domain(struct restore *r, size_t j, const struct vtd_unit *u, const char **why)
{
	const struct kho_iommu_domain *rec = &r->rec->domain[j];
	const struct node_domain_ser *d = &r->n->domain[r->domain[j]];
	const struct vtd_ss_format fmt = {
		.levels = rec->top_level + 1u, .page_sizes = d->page_sizes, .addr_bits = rec->vasz,
		.haw = r->mmu->dmar.haw, .coherent = vtd_unit_snoops_ss(u),
	};
	struct iommu_domain *out = &r->mmu->domain[r->mmu->nr_domains];

	*why = "finds no place for its domain";
	if (r->mmu->nr_domains == IOMMU_MAX_DOMAINS)
		return -ENOSPC;
	*why = "is in a domain whose shape is impossible";
	if (vtd_ss_adopt(&out->ss, &fmt, rec->top_table, d->table_pages))
		return -EBADMSG;
	out->id = d->id;
	out->is_rmrr = d->is_rmrr;
	r->domain_restored[j] = true;
	return (int)r->mmu->nr_domains++;
}

/* Once for all that share it.  Return: its index. */
static int restore_domain(struct restore *r, size_t j, const struct vtd_unit *u, const char **why)
{
	const int shared = domain_by_id(r->mmu, r->n->domain[r->domain[j]].id);

	if (shared >= 0) {
		*why = "shares its domain with a unit that walks tables with another coherency";
		return r->mmu->domain[shared].ss.coherent == vtd_unit_snoops_ss(u) ? shared : -EOPNOTSUPP;
	}
	*why = "is in a domain that was given back since it was restored";
	if (r->domain_restored[j])
		return -EBADMSG;
	return new_domain(r, j, u, why);
}

/* An alias that no function has is nobody's to say. */
static bool is_behind(const struct iommu *mmu, size_t unit, uint16_t segment, uint16_t rid)
{
	const int fn = pci_find(mmu->fns, mmu->nr_fns, segment, rid);

	return fn < 0 || mmu->fns[fn].is_bridge || iommu_unit_of(mmu, (size_t)fn) == (int)unit;
}

static int restore_claimed(struct restore *r, uint32_t i, const char **why)
{
	const struct kho_iommu_device *rec = record_of(r, i);
	struct iommu *mmu = r->mmu;
	const struct iommu_unit *u = unit_of(r, i);
	int domain;

	*why = "is behind a unit that is not there";
	if (!u)
		return -EBADMSG;
	*why = "is behind another unit, says the DMAR table";
	if (!is_behind(mmu, (size_t)(u - mmu->unit), r->n->device[i].segment, rec->devid))
		return -EBADMSG;
	*why = format_fault(&u->vtd.caps, &r->rec->domain[rec->domain],
			    &r->n->domain[r->domain[rec->domain]]);
	if (!*why)
		*why = mode_fault(u, &rec->vtd);
	if (*why)
		return -EOPNOTSUPP;
	*why = entry_fault(r, u, rec);
	if (*why)
		return -EBADMSG;
	*why = "finds no place among the devices";
	if (mmu->nr_devices == IOMMU_MAX_DEVICES)
		return -ENOSPC;
	domain = restore_domain(r, rec->domain, &u->vtd, why);
	if (domain < 0)
		return domain;
	mmu->device[mmu->nr_devices++] = (struct iommu_device){
		.unit = (size_t)(u - mmu->unit), .segment = r->n->device[i].segment,
		.rid = rec->devid, .domain = (uint32_t)domain, .did = rec->did,
		.owner_token = rec->owner_token, .pasid_dir = rec->vtd.pasid_dir,
	};
	return 0;
}

int restore_device(struct restore *r, uint32_t i, const char **why)
{
	struct restore_device *d = &r->device[i];
	int err;

	if (d->restored)
		return 0;
	*why = d->fenced ? "was fenced" : d->fault ? d->fault : d->did_fault;
	if (*why)
		return -EBADMSG;
	*why = "has a record that another device has claimed";
	if (r->claimed[d->record] != RESTORE_NONE)
		return -EBUSY;
	r->claimed[d->record] = i;
	err = restore_claimed(r, i, why);
	if (err)
		r->claimed[d->record] = RESTORE_NONE;
	d->restored = !err;
	return err;
}

void restore_devices(struct restore *r, struct blame *b)
{
	for (uint32_t i = 0; i < r->n->nr_devices; i++) {
		const struct restore_device *d = &r->device[i];
		const uint16_t rid = r->n->device[i].rid;
		const char *why = "";

		if (d->fault)
			continue;	/* observed and blamed with the records */
		check_ok(CHECK_RESTORE_DID_UNIQUE, !d->did_fault, "%04x %s", rid, d->did_fault);
		if (d->did_fault || restore_device(r, i, &why))
			b->device[i] = true;
		if (!d->did_fault)
			check_ok(CHECK_RESTORE_ENTRY_MATCHES, d->restored, "%04x %s", rid, why);
	}
}

/* ---- who must not go on ------------------------------------------------------------------------ */

/* Whether a device that is not fenced has the DID, in its entry or in its record. */
static bool holds_did(const struct restore *r, uint32_t i, size_t unit, uint16_t did)
{
	const struct restore_device *d = &r->device[i];

	if (d->fenced)
		return false;
	if (d->live && d->live_unit == unit && d->live_did == did)
		return true;
	return !d->fault && !d->did_fault && unit_of(r, i) == &r->mmu->unit[unit] &&
	       record_of(r, i)->did == did;
}

static void settle_did(struct restore *r, size_t unit, uint16_t did)
{
	struct vtd_dids *dids = &r->mmu->unit[unit].vtd.dids;

	for (uint32_t i = 0; i < r->n->nr_devices; i++)
		if (holds_did(r, i, unit, did)) {
			vtd_dids_reserve(dids, did);	/* given back with a sharer that was known */
			return;
		}
	for (size_t k = 0; k < r->mmu->nr_devices; k++)
		if (r->mmu->device[k].unit == unit && r->mmu->device[k].did == did)
			return;
	vtd_dids_free(dids, did);	/* or free already */
}

int restore_fence(struct restore *r, uint32_t i)
{
	struct restore_device *d = &r->device[i];
	const int err = iommu_fence(r->mmu, r->n->device[i].segment, r->n->device[i].rid);

	d->fenced = !err;
	d->restored = false;
	if (d->live)
		settle_did(r, d->live_unit, d->live_did);
	if (!d->fault && !d->did_fault && unit_of(r, i))
		settle_did(r, (size_t)(unit_of(r, i) - r->mmu->unit), record_of(r, i)->did);
	return err;
}
