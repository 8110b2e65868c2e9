/* Domains and the devices in them. */
#include "iommu.h"

#include "errno.h"
#include "platform/mmio.h"
#include "vtd/inval.h"
#include "vtd/source.h"

/* ---- bus masters ---------------------------------------------------------------------------- */

void iommu_silence_devices(struct iommu *mmu)
{
	unsigned was_on = 0;

	/* First the hand-shake: firmware may still be using the keyboard controller. */
	for (size_t i = 0; i < mmu->nr_fns; i++)
		pci_usb_handoff(&mmu->fns[i]);
	for (size_t i = 0; i < mmu->nr_fns; i++) {
		const struct pci_fn *fn = &mmu->fns[i];

		if (fn->is_bridge || iommu_has_rmrr(mmu, i) || !pci_is_bus_master(fn->segment, fn->rid))
			continue;
		was_on++;
		pci_bus_master(fn, false);
	}
	platform_log("pci: bus master was on in %u endpoints at entry, now off", was_on);
}

void iommu_bus_masters_off(struct iommu *mmu)
{
	for (size_t i = 0; i < mmu->nr_fns; i++)
		if (!mmu->fns[i].is_bridge && pci_is_bus_master(mmu->fns[i].segment, mmu->fns[i].rid))
			pci_bus_master(&mmu->fns[i], false);
}

struct iommu_device *iommu_device_of(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	for (size_t i = 0; i < mmu->nr_devices; i++)
		if (mmu->device[i].segment == segment && mmu->device[i].rid == rid)
			return &mmu->device[i];
	return NULL;
}

int iommu_domain_create(struct iommu *mmu, size_t unit, unsigned page_sizes, unsigned bits)
{
	const struct vtd_caps *caps = &mmu->unit[unit].vtd.caps;
	struct vtd_ss_format fmt = {
		.page_sizes = caps->page_sizes & page_sizes, .haw = mmu->dmar.haw,
		.coherent = vtd_unit_snoops_ss(&mmu->unit[unit].vtd),
	};
	struct iommu_domain *d = &mmu->domain[mmu->nr_domains];
	int err;

	if (mmu->nr_domains == IOMMU_MAX_DOMAINS)
		return -ENOSPC;
	err = vtd_caps_pick_levels(caps, bits, &fmt.levels);
	if (err)
		return err;
	fmt.addr_bits = vtd_caps_usable_bits(caps, fmt.levels);
	err = vtd_ss_init(&d->ss, &fmt);
	if (err)
		return err;
	d->id = mmu->next_domain_id++;
	d->is_rmrr = false;
	return (int)mmu->nr_domains++;
}

bool iommu_domain_has_devices(const struct iommu *mmu, size_t domain)
{
	for (size_t i = 0; i < mmu->nr_devices; i++)
		if (mmu->device[i].domain == domain)
			return true;
	return false;
}

/* Out of the list, its tables untouched: of a fenced device they may be broken.  What is not
 * handed on is free memory for the next generation. */
static void forget_domain(struct iommu *mmu, size_t domain)
{
	const size_t last = mmu->nr_domains - 1;

	mmu->domain[domain] = mmu->domain[last];
	mmu->nr_domains = last;
	for (size_t i = 0; i < mmu->nr_devices; i++)
		if (mmu->device[i].domain == last)
			mmu->device[i].domain = (uint32_t)domain;
}

void iommu_domain_destroy(struct iommu *mmu, size_t domain)
{
	vtd_ss_free(&mmu->domain[domain].ss);
	forget_domain(mmu, domain);
}

static bool did_in_use(const struct iommu *mmu, size_t unit, uint16_t did)
{
	for (size_t i = 0; i < mmu->nr_devices; i++)
		if (mmu->device[i].unit == unit && mmu->device[i].did == did)
			return true;
	return false;
}

static struct vtd_source source_in(const struct iommu *mmu, size_t domain, uint16_t did)
{
	const struct vtd_ss *ss = &mmu->domain[domain].ss;

	return (struct vtd_source){ .top = ss->top, .levels = ss->levels, .did = did };
}

static struct vtd_source source_of(const struct iommu *mmu, const struct iommu_device *dev)
{
	struct vtd_source s = source_in(mmu, dev->domain, dev->did);

	s.pasid_dir = dev->pasid_dir;
	return s;
}

static int attach_rid(struct iommu *mmu, size_t unit, uint16_t segment, uint16_t rid, size_t domain,
		      uint16_t did)
{
	struct vtd_unit *u = &mmu->unit[unit].vtd;
	struct vtd_source s = source_in(mmu, domain, did);
	int err;

	if (mmu->nr_devices == IOMMU_MAX_DEVICES)
		return -ENOSPC;
	err = vtd_source_set(u, rid, &s);
	if (err)
		return err;
	/* Recorded before it is certain, so that whoever undoes it finds it. */
	mmu->device[mmu->nr_devices++] = (struct iommu_device){
		.unit = unit, .segment = segment, .rid = rid, .domain = (uint32_t)domain, .did = did,
		.pasid_dir = s.pasid_dir,
	};
	return vtd_inval_context_added(u, rid, did);
}

/* The DID of a domain on a unit: the one that its devices there have, or a fresh one. */
static int did_of_domain(struct iommu *mmu, size_t unit, size_t domain, uint16_t *did)
{
	for (size_t i = 0; i < mmu->nr_devices; i++)
		if (mmu->device[i].unit == unit && mmu->device[i].domain == domain) {
			*did = mmu->device[i].did;
			return 0;
		}
	return vtd_dids_alloc(&mmu->unit[unit].vtd.dids, did);
}

/* All aliases are in one domain. */
static int did_for(struct iommu *mmu, size_t unit, uint16_t segment, const uint16_t *ids, size_t n,
		   size_t domain, uint16_t *did)
{
	for (size_t i = 0; i < n; i++) {
		const struct iommu_device *d = iommu_device_of(mmu, segment, ids[i]);

		if (d && d->domain != domain)
			return -EEXIST;
	}
	return did_of_domain(mmu, unit, domain, did);
}

int iommu_attach(struct iommu *mmu, size_t fn, size_t domain)
{
	const int unit = iommu_unit_of(mmu, fn);
	const uint16_t segment = mmu->fns[fn].segment;
	const size_t before = mmu->nr_devices;
	uint16_t ids[PCI_MAX_REQUESTER_IDS], did = 0;
	size_t n;
	int err;

	if (unit < 0)
		return unit;
	n = pci_requester_ids(mmu->fns, fn, ids);
	err = did_for(mmu, (size_t)unit, segment, ids, n, domain, &did);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		if (!iommu_device_of(mmu, segment, ids[i]))
			err = attach_rid(mmu, (size_t)unit, segment, ids[i], domain, did);
	if (!err)
		return 0;
	/* The last detach frees the DID, if its invalidation completes; without one nobody has. */
	if (mmu->nr_devices == before && !did_in_use(mmu, (size_t)unit, did))
		vtd_dids_free(&mmu->unit[unit].vtd.dids, did);
	while (mmu->nr_devices > before)
		iommu_detach(mmu, segment, mmu->device[mmu->nr_devices - 1].rid);
	return err;
}

/* Out of the list and out of reach.  An id whose invalidation did not complete stays taken, and so
 * do the PASID structures; @forget keeps away from them altogether, since they may be broken. */
static int take_out(struct iommu *mmu, struct iommu_device *dev, bool forget)
{
	const struct iommu_device old = *dev;
	struct vtd_unit *u = &mmu->unit[old.unit].vtd;
	struct vtd_source s = source_of(mmu, dev);
	const int err = vtd_source_clear(u, old.rid, old.did);

	*dev = mmu->device[--mmu->nr_devices];
	if (err)
		return err;
	if (!forget)
		vtd_source_free_tables(&s);
	if (!did_in_use(mmu, old.unit, old.did))
		vtd_dids_free(&u->dids, old.did);
	return 0;
}

int iommu_detach(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	struct iommu_device *dev = iommu_device_of(mmu, segment, rid);

	return dev ? take_out(mmu, dev, false) : -ENOENT;
}

int iommu_replace(struct iommu *mmu, uint16_t segment, uint16_t rid, size_t domain)
{
	struct iommu_device *dev = iommu_device_of(mmu, segment, rid);
	struct vtd_source s, now;
	struct vtd_unit *u;
	uint16_t did, old;
	int err;

	if (!dev)
		return -ENOENT;
	u = &mmu->unit[dev->unit].vtd;
	err = did_of_domain(mmu, dev->unit, domain, &did);
	if (err)
		return err;
	old = dev->did;
	s = source_of(mmu, dev);
	now = source_in(mmu, domain, did);
	err = vtd_source_replace(u, rid, &s, &now);
	if (s.did == old) {	/* nothing has changed */
		if (!did_in_use(mmu, dev->unit, did))
			vtd_dids_free(&u->dids, did);
		return err;
	}
	dev->did = did;
	dev->domain = (uint32_t)domain;
	if (!err && !did_in_use(mmu, dev->unit, old))
		vtd_dids_free(&u->dids, old);
	return err;
}

int iommu_block(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	int first = 0;

	for (size_t i = 0; i < mmu->nr_units; i++) {
		struct vtd_unit *u = &mmu->unit[i].vtd;
		int err = 0;

		if (mmu->unit[i].used && u->root && u->segment == segment)
			err = vtd_source_block(u, rid);
		if (err && !first)
			first = err;
	}
	return first;
}

int iommu_fence(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	const int fn = pci_find(mmu->fns, mmu->nr_fns, segment, rid);
	int left = 0, blocked;

	if (fn >= 0 && !mmu->fns[fn].is_bridge)	/* others may be behind one */
		pci_bus_master(&mmu->fns[fn], false);
	if (iommu_device_of(mmu, segment, rid))
		left = iommu_leave(mmu, segment, rid);
	/* Whatever the list says: it may have another entry, or be cached under another DID. */
	blocked = iommu_block(mmu, segment, rid);
	return left ? left : blocked;
}

int iommu_leave(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	struct iommu_device *dev = iommu_device_of(mmu, segment, rid);
	const size_t domain = dev ? dev->domain : 0;
	int err;

	if (!dev)
		return -ENOENT;
	err = take_out(mmu, dev, true);
	if (!iommu_domain_has_devices(mmu, domain))
		forget_domain(mmu, domain);
	return err;
}

int iommu_deny_all(struct iommu *mmu)
{
	int first = 0;

	iommu_bus_masters_off(mmu);
	for (size_t i = 0; i < mmu->nr_units; i++) {
		struct vtd_unit *u = &mmu->unit[i].vtd;
		paddr_t root;
		int err;

		if (!mmu->unit[i].used)
			continue;
		root = vtd_root_alloc(u->caps.coherent);
		err = root ? vtd_unit_set_root(u, root) : -ENOMEM;
		if (!err)	/* nothing is tagged with any id any more */
			vtd_dids_init(&u->dids, u->caps.ndoms);
		if (err && !first)
			first = err;
	}
	mmu->nr_devices = mmu->nr_domains = 0;
	return first;
}

int iommu_suppress_faults(struct iommu *mmu, size_t unit, uint16_t rid)
{
	return vtd_source_suppress_faults(&mmu->unit[unit].vtd, rid);
}
