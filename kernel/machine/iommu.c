/* Domains and the devices in them. */
#include "iommu.h"

#include "errno.h"
#include "platform/mmio.h"
#include "vtd/context.h"
#include "vtd/formats.h"
#include "vtd/inval.h"

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
		.coherent = caps->coherent,
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

static int attach_rid(struct iommu *mmu, size_t unit, uint16_t segment, uint16_t rid, size_t domain,
		      uint16_t did)
{
	struct iommu_unit *u = &mmu->unit[unit];
	const struct vtd_ss *ss = &mmu->domain[domain].ss;
	int err;

	if (mmu->nr_devices == IOMMU_MAX_DEVICES)
		return -ENOSPC;
	err = vtd_context_set(u->vtd.root, rid, vtd_context_entry(ss->top, did, vtd_aw_of_levels(ss->levels)),
			      u->vtd.caps.coherent);
	if (err)
		return err;
	/* Recorded before it is certain, so that whoever undoes it finds it. */
	mmu->device[mmu->nr_devices++] = (struct iommu_device){
		.unit = unit, .segment = segment, .rid = rid, .domain = (uint32_t)domain, .did = did,
	};
	return vtd_inval_context_added(&u->vtd, rid, did);
}

/* The DID under which an alias is in this domain already, or a fresh one. */
static int did_for(struct iommu *mmu, size_t unit, uint16_t segment, const uint16_t *ids, size_t n,
		   size_t domain, uint16_t *did)
{
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		const struct iommu_device *d = iommu_device_of(mmu, segment, ids[i]);

		if (d && d->domain != domain)
			return -EEXIST;
		if (d) {
			*did = d->did;
			found = true;
		}
	}
	return found ? 0 : vtd_dids_alloc(&mmu->unit[unit].vtd.dids, did);
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
	for (size_t i = 0; i < n && !err; i++)
		if (!iommu_device_of(mmu, segment, ids[i]))
			err = attach_rid(mmu, (size_t)unit, segment, ids[i], domain, did);
	while (err && mmu->nr_devices > before)
		iommu_detach(mmu, segment, mmu->device[mmu->nr_devices - 1].rid);
	/* The last detach frees the DID; if there was none to detach, nobody has. */
	if (err && err != -EEXIST && !did_in_use(mmu, (size_t)unit, did))
		vtd_dids_free(&mmu->unit[unit].vtd.dids, did);
	return err;
}

int iommu_detach(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	struct iommu_device *dev = iommu_device_of(mmu, segment, rid);
	struct iommu_device old;
	struct vtd_unit *u;
	int err;

	if (!dev)
		return -ENOENT;
	old = *dev;
	u = &mmu->unit[old.unit].vtd;
	err = vtd_context_clear_present(u->root, rid, u->caps.coherent);
	if (!err)
		err = vtd_inval_context(u, rid, old.did);
	if (!err)
		err = vtd_context_zero(u->root, rid, u->caps.coherent);
	*dev = mmu->device[--mmu->nr_devices];
	/* An id whose invalidation did not complete stays taken. */
	if (!err && !did_in_use(mmu, old.unit, old.did))
		vtd_dids_free(&u->dids, old.did);
	return err;
}

int iommu_replace(struct iommu *mmu, uint16_t segment, uint16_t rid, size_t domain)
{
	struct iommu_device *dev = iommu_device_of(mmu, segment, rid);
	const struct vtd_ss *ss = &mmu->domain[domain].ss;
	struct vtd_unit *u;
	uint16_t did, old;
	int err;

	if (!dev)
		return -ENOENT;
	u = &mmu->unit[dev->unit].vtd;
	err = vtd_dids_alloc(&u->dids, &did);
	if (err)
		return err;
	err = vtd_context_replace(u->root, rid, vtd_context_entry(ss->top, did, vtd_aw_of_levels(ss->levels)),
				  u->caps.coherent);
	if (err) {
		vtd_dids_free(&u->dids, did);
		return err;
	}
	old = dev->did;
	dev->did = did;
	dev->domain = (uint32_t)domain;
	err = vtd_inval_context(u, rid, old);
	if (!err && !did_in_use(mmu, dev->unit, old))
		vtd_dids_free(&u->dids, old);
	return err;
}

void iommu_fence(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	const int fn = pci_find(mmu->fns, mmu->nr_fns, segment, rid);

	if (fn >= 0)
		pci_bus_master(&mmu->fns[fn], false);
	iommu_leave(mmu, segment, rid);
}

int iommu_leave(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	const struct iommu_device *dev = iommu_device_of(mmu, segment, rid);
	const size_t domain = dev ? dev->domain : 0;
	int err;

	if (!dev)
		return -ENOENT;
	err = iommu_detach(mmu, segment, rid);
	if (!iommu_domain_has_devices(mmu, domain))
		forget_domain(mmu, domain);
	return err;
}

int iommu_suppress_faults(struct iommu *mmu, size_t unit, uint16_t rid)
{
	struct vtd_unit *u = &mmu->unit[unit].vtd;
	int err = vtd_context_set_fpd(u->root, rid, true, u->caps.coherent);

	if (!err)
		err = vtd_inval_global(u);	/* its entry has no DID to name */
	return err;
}
