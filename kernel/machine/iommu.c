/* All remapping units of the machine. */
#include "iommu.h"

#include <string.h>

#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/scratch.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/context.h"
#include "vtd/formats.h"
#include "vtd/inval.h"
#include "vtd/regs.h"

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

int iommu_unit_of(const struct iommu *mmu, size_t fn)
{
	size_t unit;

	if (vtd_dmar_unit_of(&mmu->dmar, mmu->fns[fn].segment, mmu->fns[fn].rid, &mmu->view, &unit) ||
	    !mmu->unit[unit].used)
		return -ENOENT;
	return (int)unit;
}

static bool rmrr_usable(const struct vtd_dmar_rmrr *r)
{
	return r->limit > r->base && r->limit < UINT64_MAX;	/* 0..0 stands in real tables */
}

bool iommu_has_rmrr(const struct iommu *mmu, size_t fn)
{
	for (size_t i = 0; i < mmu->dmar.nr_rmrr; i++)
		if (rmrr_usable(&mmu->dmar.rmrr[i]) &&
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

		if (rmrr_usable(r))
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

/* ---- devices ------------------------------------------------------------------------------- */

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
	for (size_t i = 0; i < n && !err; i++)
		if (!iommu_device_of(mmu, segment, ids[i]))
			err = attach_rid(mmu, (size_t)unit, segment, ids[i], domain, did);
	while (err && mmu->nr_devices > before)
		iommu_detach(mmu, segment, mmu->device[mmu->nr_devices - 1].rid);
	/* The last detach frees the DID; if there was none to detach, nobody has.  0 is none. */
	if (err && !did_in_use(mmu, (size_t)unit, did))
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
	err = did_of_domain(mmu, dev->unit, domain, &did);
	if (err)
		return err;
	err = vtd_context_replace(u->root, rid, vtd_context_entry(ss->top, did, vtd_aw_of_levels(ss->levels)),
				  u->caps.coherent);
	if (err) {
		if (!did_in_use(mmu, dev->unit, did))
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

int iommu_block(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	int first = 0;

	for (size_t i = 0; i < mmu->nr_units; i++) {
		struct vtd_unit *u = &mmu->unit[i].vtd;
		int err;

		if (!mmu->unit[i].used || !u->root || u->segment != segment ||
		    vtd_context_clear_present(u->root, rid, u->caps.coherent))
			continue;
		err = vtd_inval_global(u);	/* the DID that stood there is not to be trusted */
		if (!err)
			err = vtd_context_zero(u->root, rid, u->caps.coherent);
		if (err && !first)
			first = err;
	}
	return first;
}

int iommu_fence(struct iommu *mmu, uint16_t segment, uint16_t rid)
{
	const int fn = pci_find(mmu->fns, mmu->nr_fns, segment, rid);

	if (fn >= 0)
		pci_bus_master(&mmu->fns[fn], false);
	return iommu_device_of(mmu, segment, rid) ? iommu_leave(mmu, segment, rid) :
						    iommu_block(mmu, segment, rid);
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

/* ---- bring-up ------------------------------------------------------------------------------- */

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

		if (!rmrr_usable(r) || !vtd_dmar_rmrr_names(&mmu->dmar, i, mmu->fns[fn].segment,
							    mmu->fns[fn].rid, &mmu->view))
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
		if (rmrr_usable(&mmu->dmar.rmrr[i]))
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

static int start_queue(struct iommu_unit *u)
{
	if (!u->vtd.caps.qi)
		return 0;	/* registers serve, vtd/inval.h */
	u->ring = mem_alloc_pages(0);
	u->status = mem_alloc_pages(0);
	if (!u->ring || !u->status)
		return -ENOMEM;
	/* Firmware's last descriptor may not have been a wait: then one is appended to its ring. */
	return vtd_qi_take_over(&u->vtd, paging_is_readable(ALIGN_DOWN(u->found.iqa, PAGE_SIZE),
							    vtd_qi_ring_bytes(u->found.iqa)),
				u->ring, u->status);
}

/* DIDs of firmware's live tables: between our SRTP and the invalidation after it, caches may hold
 * both, so none of ours may be one of theirs.  What cannot be read is not followed. */
static void reserve_firmware_dids(struct iommu_unit *u)
{
	const paddr_t root = u->found.rtaddr & VTD_RTADDR_RTA;

	if (!(u->found.gsts & VTD_GSTS_TES) || !paging_is_readable(root, PAGE_SIZE))
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

/* Another table mode cannot be switched under way, and its queue has other descriptors.  Bus
 * masters are off except for RMRR devices, which reach untranslated what they reach mapped. */
static int leave_foreign_mode(struct iommu_unit *u)
{
	int err;

	if (!(u->found.gsts & VTD_GSTS_TES) ||
	    FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr) == VTD_TTM_LEGACY)
		return 0;
	platform_log("vtd%u: firmware left another table mode on; off before our tables", u->vtd.index);
	err = vtd_unit_disable_translation(&u->vtd);
	return err ? err : vtd_unit_latch_root(&u->vtd, u->vtd.root);
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
		u->vtd.root = vtd_root_alloc(u->vtd.caps.coherent);
		if (!u->vtd.root)
			return -ENOMEM;
		vtd_dids_init(&u->vtd.dids, u->vtd.caps.ndoms);
		reserve_firmware_dids(u);
		err = leave_foreign_mode(u);
		if (!err)
			err = start_queue(u);
		if (err)
			return err;
		if (u->nr_faults)
			platform_log("vtd%zu: firmware left %zu fault records, first: %02x:%02x.%x reason %x (%s)",
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
