/* The incoming side: the steps in order, and taking over units, domains, devices and the port. */
#include "adopt.h"

#include "adoption.h"
#include "errno.h"
#include "kernel/machine/cpu.h"
#include "kernel/panic.h"
#include "kernel/report/ktap.h"
#include "kernel/report/verdict.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

/* ---- adopt: registers, ids, queues, devices ------------------------------------------------------ */

static struct iommu_unit *unit_at(struct iommu *mmu, paddr_t regs)
{
	for (size_t i = 0; i < mmu->nr_units; i++)
		if (mmu->unit[i].used && mmu->unit[i].vtd.regs == regs)
			return &mmu->unit[i];
	return NULL;
}

/* Compare what was read before anything was written.  Return: NULL if the unit translates by the
 * tables that were handed over, or the check that says that it does not. */
static const char *compare_registers(const struct iommu_unit *u, const struct node_unit_ser *was,
				     uint8_t mode)
{
	const uint32_t on = VTD_GSTS_TES | VTD_GSTS_RTPS;
	const uint64_t ttm = FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr);

	check_ok(CHECK_HANDOFF_TRANSLATION_ON, (u->found.gsts & on) == on, "vtd%u GSTS is %08x",
		 was->index, u->found.gsts);
	check_eq(CHECK_HANDOFF_UNIT_UNCHANGED, "CAP", u->vtd.caps.cap, was->cap);
	check_eq(CHECK_HANDOFF_UNIT_UNCHANGED, "ECAP", u->vtd.caps.ecap, was->ecap);
	check_eq(CHECK_HANDOFF_UNIT_UNCHANGED, "IRTA", u->found.irta, was->irta);
	check_eq(CHECK_HANDOFF_UNIT_UNCHANGED, "IQA", u->found.iqa, was->iqa);
	check_eq(CHECK_HANDOFF_UNIT_UNCHANGED, "GSTS", u->found.gsts, was->gsts);
	check_eq(CHECK_HANDOFF_RTADDR_UNCHANGED, "RTADDR", u->found.rtaddr, was->rtaddr);
	check_eq(CHECK_HANDOFF_MODE_UNCHANGED, "RTADDR.TTM", ttm, mode);
	if ((u->found.gsts & on) != on)
		return "does not translate (handoff.translation_on)";
	if (ttm != mode)
		return "translates in another table mode (handoff.mode_unchanged)";
	if (u->found.rtaddr != was->rtaddr)
		return "translates by another root table (handoff.rtaddr_unchanged)";
	return NULL;
}

/* Before anything is written to any of them. */
static void compare_units(const struct adoption *a)
{
	for (uint32_t i = 0; i < a->n->nr_units; i++) {
		const struct node_unit_ser *was = &a->n->unit[i];
		const struct iommu_unit *u = unit_at(a->r->mmu, was->regs_pa);
		const char *fault = u ? compare_registers(u, was, a->r->mmu->ttm) : "is gone";
		struct kho_refusal why;

		if (!fault)
			continue;
		kho_refuse(&why, -EBADMSG, "remapping unit", fault, was->regs_pa,
			   u ? u->found.rtaddr : 0);
		adoption_refuse(&why);
	}
}

/* Every id that is in use is reserved before one is given out. */
static void reserve_dids(struct adoption *a, struct iommu_unit *u, uint32_t index)
{
	vtd_dids_init(&u->vtd.dids, u->vtd.caps.ndoms);
	for (uint32_t i = 0; i < a->n->nr_devices; i++) {
		const struct node_device_ser *d = &a->n->device[i];

		if (d->unit != index || vtd_dids_used(&u->vtd.dids, d->did))
			continue;
		if (vtd_dids_reserve(&u->vtd.dids, d->did)) {
			a->blame.device[i] = true;
			check_ok(CHECK_RESTORE_DID_UNIQUE, false,
				 "DID %u of %04x cannot be of this unit", d->did, d->rid);
		}
	}
}

static bool ring_is_preserved(const struct adoption *a, uint64_t iqa)
{
	return kho_map_covers(&a->kho.map, ALIGN_DOWN(iqa, PAGE_SIZE), vtd_qi_ring_bytes(iqa));
}

/* The ring that the hardware reads is the one that must be ours. */
static void take_over_queue(const struct adoption *a, struct iommu_unit *u)
{
	const struct vtd_qi_takeover *t = &u->vtd.qi.takeover;
	int err;

	if (!u->vtd.caps.qi) {
		check_skip(CHECK_HANDOFF_QUEUE_STOPPED_FIRST, "the unit has no queue");
		return;
	}
	u->ring = mem_alloc_pages(0);
	u->status = mem_alloc_pages(0);
	if (!u->ring || !u->status)
		verdict_end(VERDICT_MEMORY, "no page for the invalidation queue");
	err = vtd_qi_take_over(&u->vtd, ring_is_preserved(a, u->found.iqa), u->ring, u->status);
	if (err)
		verdict_end(VERDICT_TIMEOUT, "vtd%u does not take a new invalidation queue (error %d); last wait: %s",
			    u->vtd.index, -err, u->vtd.failed_wait ? u->vtd.failed_wait : "none");
	check_ok(CHECK_HANDOFF_QUEUE_STOPPED_FIRST,
		 !((t->gsts_before_iqt | t->gsts_before_iqa) & VTD_GSTS_QIES),
		 "GSTS was %08x before IQT, %08x before IQA", t->gsts_before_iqt, t->gsts_before_iqa);
}

static void adopt_units(struct adoption *a)
{
	for (uint32_t i = 0; i < a->n->nr_units; i++) {
		const struct node_unit_ser *was = &a->n->unit[i];
		struct iommu_unit *u = unit_at(a->r->mmu, was->regs_pa);

		u->vtd.root = was->rtaddr & VTD_RTADDR_RTA;
		u->vtd.ttm = a->r->mmu->ttm;
		reserve_dids(a, u, was->index);
		take_over_queue(a, u);
	}
}

static bool adopt_domain(struct iommu *mmu, const struct node_domain_ser *d,
			 const struct vtd_unit *unit)
{
	const struct vtd_caps *caps = &unit->caps;
	struct iommu_domain *out = &mmu->domain[mmu->nr_domains];
	const struct vtd_ss_format fmt = {
		.levels = d->levels, .page_sizes = d->page_sizes, .addr_bits = d->addr_bits,
		.haw = mmu->dmar.haw, .coherent = vtd_unit_snoops_ss(unit),
	};

	if (!vtd_caps_has_levels(caps, d->levels) || (d->page_sizes & ~caps->page_sizes) ||
	    vtd_ss_adopt(&out->ss, &fmt, d->top_pa, d->table_pages))
		return false;
	out->id = d->id;
	out->is_rmrr = d->is_rmrr;
	mmu->nr_domains++;
	return true;
}

static int domain_index(const struct iommu *mmu, uint32_t id)
{
	for (size_t i = 0; i < mmu->nr_domains; i++)
		if (mmu->domain[i].id == id)
			return (int)i;
	return -ENOENT;
}

/* Each shared domain once, from the record; entries are left alone. */
static void adopt_devices(struct adoption *a)
{
	struct iommu *mmu = a->r->mmu;

	mmu->next_domain_id = a->n->next_domain_id;
	for (uint32_t i = 0; i < a->n->nr_devices; i++) {
		const struct node_device_ser *d = &a->n->device[i];
		const struct iommu_unit *u = NULL;
		const struct node_domain_ser *rec = NULL;
		int domain = domain_index(mmu, d->domain);

		for (uint32_t k = 0; k < a->n->nr_units; k++)
			if (a->n->unit[k].index == d->unit)
				u = unit_at(mmu, a->n->unit[k].regs_pa);
		for (uint32_t k = 0; k < a->n->nr_domains; k++)
			if (a->n->domain[k].id == d->domain)
				rec = &a->n->domain[k];
		if (u && rec && domain < 0 && adopt_domain(mmu, rec, &u->vtd))
			domain = (int)mmu->nr_domains - 1;
		check_ok(CHECK_RESTORE_ENTRY_MATCHES, u && domain >= 0,
			 "domain %u of %04x does not fit its unit", d->domain, d->rid);
		if (!u || domain < 0) {
			a->blame.device[i] = true;
			continue;
		}
		mmu->device[mmu->nr_devices++] = (struct iommu_device){
			.unit = u->vtd.index, .segment = d->segment, .rid = d->rid,
			.domain = (uint32_t)domain, .did = d->did, .pasid_dir = d->pasid_dir_pa,
		};
	}
}

/* ---- the port ---------------------------------------------------------------------------------- */

/* The control page is data, so its addresses are proved against the map before any is used. */
static const char *control_fault(const struct adoption *a, const struct stream_control_ser *c)
{
	struct port_region region[PORT_REGIONS];
	const char *why;

	if (stream_control_check(c, &why))
		return why;
	port_regions(c, region);
	for (unsigned i = 0; i < PORT_REGIONS; i++)
		if (!kho_map_covers(&a->kho.map, region[i].pa - PAGE_SIZE,
				    region[i].len + 2 * PAGE_SIZE))
			return "a ring or buffer region is not preserved";
	return NULL;
}

/* On failure the device is to blame, and the port is not taken. */
static void adopt_port(struct adoption *a, const struct node_port_ser *rec)
{
	struct run *r = a->r;
	struct port *p = &r->port[r->nr_ports];
	const struct stream_control_ser *c = mem_ptr(rec->control_pa);
	const struct iommu_device *dev = iommu_device_of(r->mmu, rec->config.segment, rec->config.rid);
	const char *why = control_fault(a, c);

	if (!why && (c->segment != rec->config.segment || c->rid != rec->config.rid))
		why = "record and control page name different functions";
	if (!why && (!dev || r->mmu->domain[dev->domain].id != rec->domain))
		why = "the NIC has no record of its domain";
	if (!why && port_adopt(p, r->mmu, rec->control_pa, &why) == 0)
		why = nic_was_reset(&p->nic) ? "the marks left at start are gone" : NULL;
	check_ok(CHECK_DEVICE_NOT_RESET, !why, "%02x:%02x.%x: %s", PCI_BUS(rec->config.rid),
		 PCI_DEV(rec->config.rid), PCI_FN(rec->config.rid), why);
	if (why)
		blame_rid(&a->blame, a->n, rec->config.segment, rec->config.rid);
	else
		r->nr_ports++;
}

/* ---- who must not go on --------------------------------------------------------------------- */

static void fence(struct run *r, uint16_t segment, uint16_t rid)
{
	for (size_t i = r->nr_ports; i-- > 0;)
		if (r->port[i].nic.segment == segment && r->port[i].nic.rid == rid)
			run_drop_port(r, i);
	platform_log("adopt: %02x:%02x.%x is fenced", PCI_BUS(rid), PCI_DEV(rid), PCI_FN(rid));
	iommu_fence(r->mmu, segment, rid);
}

static void fence_blamed(struct adoption *a)
{
	struct run *r = a->r;

	/* Where the walk met a page that is none of ours, nothing is written through the tables. */
	if (a->blame.all && (check_failed(CHECK_MEMORY_TABLES_PRESERVED) ||
			     check_failed(CHECK_RESTORE_ROOT_ENTRIES))) {
		iommu_bus_masters_off(r->mmu);
		r->mmu->nr_devices = 0;
	}
	for (uint32_t i = 0; i < a->n->nr_devices; i++)
		if (a->blame.all || a->blame.device[i])
			fence(r, a->n->device[i].segment, a->n->device[i].rid);
	if (a->blame.all)
		iommu_bus_masters_off(r->mmu);
}

void handover_adopt(struct run *r)
{
	static struct adoption a;

	a.r = r;
	phase_set("validating the handoff");
	adoption_accept(&a);
	a.validated_tsc = cpu_tsc();

	phase_set("comparing units");
	compare_units(&a);
	phase_set("claiming memory");
	adoption_claim(&a);
	phase_set("adopting units");
	adopt_units(&a);
	phase_set("adopting devices");
	adopt_devices(&a);
	phase_set("adopting NICs");
	for (uint32_t i = 0; i < a.n->nr_ports; i++)
		adopt_port(&a, &a.n->port[i]);
	a.adopted_tsc = cpu_tsc();

	phase_set("verifying");
	adoption_confirm(&a);
	phase_set("fencing what is to blame");
	fence_blamed(&a);
	phase_set("first poll");
	adoption_report(&a);
}
