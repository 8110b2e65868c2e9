/* From whatever firmware left behind to units that translate and deny, and back to off. */
#include "iommu.h"

#include "errno.h"
#include "kernel/machine/paging.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/context.h"
#include "vtd/formats.h"
#include "vtd/regs.h"

/* ---- devices with an RMRR --------------------------------------------------------------------- */

/* Page by page where regions overlap: the rest of each must be mapped all the same. */
static int map_region(struct vtd_ss *ss, paddr_t base, uint64_t len)
{
	int err = vtd_ss_map(ss, base, base, len, VTD_SS_R | VTD_SS_W);

	if (err != -EEXIST)
		return err;
	for (uint64_t off = 0; off < len; off += PAGE_SIZE) {
		err = vtd_ss_map(ss, base + off, base + off, PAGE_SIZE, VTD_SS_R | VTD_SS_W);
		if (err && err != -EEXIST)
			return err;
	}
	return 0;
}

static int map_rmrrs(struct iommu *mmu, size_t fn, struct vtd_ss *ss)
{
	for (size_t i = 0; i < mmu->dmar.nr_rmrr; i++) {
		const struct vtd_dmar_rmrr *r = &mmu->dmar.rmrr[i];
		const paddr_t base = ALIGN_DOWN(r->base, PAGE_SIZE);
		int err;

		if (!vtd_dmar_rmrr_usable(r) ||
		    !vtd_dmar_rmrr_names(&mmu->dmar, i, mmu->fns[fn].segment, mmu->fns[fn].rid,
					 &mmu->view))
			continue;
		err = map_region(ss, base, ALIGN_UP(r->limit + 1, PAGE_SIZE) - base);
		if (err)
			return err;
	}
	return 0;
}

/* The domain that an alias of the function is in: all behind one bridge share it. */
static int domain_of_alias(struct iommu *mmu, size_t fn)
{
	uint16_t ids[PCI_MAX_REQUESTER_IDS];
	const size_t n = pci_requester_ids(mmu->fns, fn, ids);

	for (size_t i = 0; i < n; i++) {
		const struct iommu_device *d = iommu_device_of(mmu, mmu->fns[fn].segment, ids[i]);

		if (d)
			return (int)d->domain;
	}
	return -ENOENT;
}

static unsigned rmrr_bits(const struct iommu *mmu)
{
	unsigned bits = IOMMU_IOVA_BITS;

	for (size_t i = 0; i < mmu->dmar.nr_rmrr; i++)
		if (vtd_dmar_rmrr_usable(&mmu->dmar.rmrr[i]))
			bits = MAX(bits, 64u - (unsigned)__builtin_clzll(mmu->dmar.rmrr[i].limit));
	return bits;
}

static int attach_rmrr_device(struct iommu *mmu, size_t fn, size_t unit)
{
	int domain = domain_of_alias(mmu, fn), err;

	if (domain < 0)
		domain = iommu_domain_create(mmu, unit, VTD_PG_4K | VTD_PG_2M | VTD_PG_1G,
					     rmrr_bits(mmu));
	if (domain < 0)
		return domain;
	mmu->domain[domain].is_rmrr = true;
	err = map_rmrrs(mmu, fn, &mmu->domain[domain].ss);
	return err ? err : iommu_attach(mmu, fn, (size_t)domain);
}

static int attach_rmrr_devices(struct iommu *mmu)
{
	for (size_t i = 0; i < mmu->nr_fns; i++) {
		const struct pci_fn *fn = &mmu->fns[i];
		const int unit = iommu_unit_of(mmu, i);
		int err;

		if (fn->is_bridge || unit < 0 || !iommu_has_rmrr(mmu, i))
			continue;
		err = attach_rmrr_device(mmu, i, (size_t)unit);
		platform_log("pci: %04x:%02x:%02x.%x %s its RMRR (error %d)", fn->segment,
			     PCI_BUS(fn->rid), PCI_DEV(fn->rid), PCI_FN(fn->rid),
			     err ? "cannot keep" : "keeps", -err);
		if (err)
			return err;
	}
	return 0;
}

/* ---- units -------------------------------------------------------------------------------------- */

/* Only from legacy to legacy mode can firmware's translation stay on until ours is live: another
 * mode cannot be switched under way, and what it left in PASID tables is not followed. */
static bool keeps_firmware_translation(const struct iommu_unit *u)
{
	return u->found.gsts & VTD_GSTS_TES && u->vtd.ttm == VTD_TTM_LEGACY &&
	       FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr) == VTD_TTM_LEGACY;
}

/* DIDs of firmware's live tables: between our SRTP and the invalidation after it, caches may hold
 * both, so none of ours may be one of theirs.  What cannot be read is not followed. */
static void reserve_firmware_dids(struct iommu_unit *u)
{
	const paddr_t root = u->found.rtaddr & VTD_RTADDR_RTA;

	if (!keeps_firmware_translation(u) || !paging_is_readable(root, PAGE_SIZE))
		return;
	for (unsigned bus = 0; bus < 256; bus++) {
		const uint64_t entry = ((const uint64_t *)mem_ptr(root))[2 * bus];
		const paddr_t table = entry & VTD_RE_CTP;

		if (!(entry & VTD_RE_P) || !paging_is_readable(table, PAGE_SIZE))
			continue;
		for (unsigned devfn = 0; devfn < 256; devfn++) {
			const struct vtd_context_entry *ce =
				(const struct vtd_context_entry *)mem_ptr(table) + devfn;

			if (ce->lo & VTD_CE_P)	/* several functions may share one */
				vtd_dids_reserve(&u->vtd.dids,
						 (uint16_t)FIELD_GET(VTD_CE_HI_DID, ce->hi));
		}
	}
}

/* Where the table mode changes, translation goes off first: bus masters are off except for RMRR
 * devices, which reach untranslated what they reach mapped. */
static int leave_foreign_mode(struct iommu_unit *u)
{
	if (!(u->found.gsts & VTD_GSTS_TES) || keeps_firmware_translation(u))
		return 0;
	platform_log("vtd%u: the translation found is switched off before ours is on: its table mode or ours is not legacy",
		     u->vtd.index);
	return vtd_unit_disable_translation(&u->vtd);
}

/* Firmware's last descriptor may not have been a wait: then one is appended to its ring.  A unit
 * that leaves scalable mode gets its new root before our queue, whose descriptors are not legal in
 * the old mode. */
static int start_queue(struct iommu_unit *u)
{
	const bool leaves_scalable = u->vtd.ttm == VTD_TTM_LEGACY &&
				     FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr) != VTD_TTM_LEGACY;
	int err;

	if (!u->vtd.caps.qi)
		return 0;	/* registers serve, vtd/inval.h */
	u->ring = mem_alloc_pages(0);
	u->status = mem_alloc_pages(0);
	if (!u->ring || !u->status)
		return -ENOMEM;
	err = vtd_qi_stop_foreign(&u->vtd, paging_is_readable(ALIGN_DOWN(u->found.iqa, PAGE_SIZE),
							      vtd_qi_ring_bytes(u->found.iqa)),
				  u->status);
	if (!err && leaves_scalable)
		err = vtd_unit_latch_root(&u->vtd, u->vtd.root);
	return err ? err : vtd_qi_start(&u->vtd, u->ring, u->status);
}

/* Descriptors for the PASID cache are legal under a scalable root only, and attaching may need them
 * (CAP.CM); under one the queue must be ours already.  Translation is off here. */
static int enter_scalable_mode(struct iommu_unit *u)
{
	return u->vtd.ttm == VTD_TTM_SCALABLE ? vtd_unit_latch_root(&u->vtd, u->vtd.root) : 0;
}

/* Firmware's translation and protected regions stay until our tables are live. */
static int switch_root(struct iommu_unit *u)
{
	int err = vtd_unit_set_root(&u->vtd, u->vtd.root);

	if (!err)
		err = vtd_unit_enable_translation(&u->vtd);
	if (!err)
		err = vtd_unit_disable_protected_memory(&u->vtd);
	if (!err && u->found.gsts & VTD_GSTS_IRES)
		err = vtd_unit_interrupt_remapping_off(&u->vtd);
	return err;
}

int iommu_bring_up(struct iommu *mmu)
{
	int err;

	/* Queues first, on all units: some chipsets need that before any flush (VT-d quirks). */
	for (size_t i = 0; i < mmu->nr_units; i++) {
		struct iommu_unit *u = &mmu->unit[i];

		if (!u->used)
			continue;
		u->vtd.ttm = mmu->ttm;
		u->vtd.root = vtd_root_alloc(u->vtd.caps.coherent);
		if (!u->vtd.root)
			return -ENOMEM;
		vtd_dids_init(&u->vtd.dids, u->vtd.caps.ndoms);
		reserve_firmware_dids(u);
		err = leave_foreign_mode(u);
		if (!err)
			err = start_queue(u);
		if (!err)
			err = enter_scalable_mode(u);
		if (err)
			return err;
		if (u->nr_faults)
			platform_log("vtd%zu: %zu fault records were left, first: %02x:%02x.%x reason %x (%s)",
				     i, u->nr_faults, PCI_BUS(u->fault[0].rid), PCI_DEV(u->fault[0].rid),
				     PCI_FN(u->fault[0].rid), u->fault[0].reason,
				     vtd_fault_reason_name(u->fault[0].reason));
		vtd_fault_clear(&u->vtd);
	}
	err = attach_rmrr_devices(mmu);
	if (err)
		return err;
	for (size_t i = 0; i < mmu->nr_units; i++) {
		if (!mmu->unit[i].used)
			continue;
		err = switch_root(&mmu->unit[i]);
		if (err)
			return err;
		platform_log("vtd%zu: translating, root table at %llx, everything else denied", i,
			     (unsigned long long)mmu->unit[i].vtd.root);
	}
	return 0;
}

int iommu_shut_down(struct iommu *mmu)
{
	int first = 0;

	iommu_bus_masters_off(mmu);
	for (size_t i = 0; i < mmu->nr_units; i++) {
		struct vtd_unit *u = &mmu->unit[i].vtd;
		int err;

		if (!mmu->unit[i].used)
			continue;
		err = vtd_unit_disable_translation(u);
		if (!err && u->qi.on)
			err = vtd_qi_stop(u);
		vtd_fault_clear(u);
		if (err && !first)
			first = err;
	}
	return first;
}
