/* The incoming side: the steps in order, and taking over registers, queues and ports. */
#include "adopt.h"

#include "adoption.h"
#include "errno.h"
#include "kernel/handover/claim.h"
#include "kernel/machine/cpu.h"
#include "kernel/memory/keep.h"
#include "kernel/panic.h"
#include "kernel/report/ktap.h"
#include "kernel/report/verdict.h"
#include "kho/iommu_files.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

/* ---- adopt: registers and queues ------------------------------------------------------ */

/* Compare what was read before anything was written.  Return: NULL if the unit translates by the
 * tables that were handed over, or the check that says that it does not. */
static const char *compare_registers(const struct iommu_unit *u, const struct node_unit_ser *was,
				     uint8_t mode)
{
	const uint32_t on = VTD_GSTS_TES | VTD_GSTS_RTPS;
	const uint64_t ttm = FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr);

	check_ok(CHECK_HANDOFF_TRANSLATION_ON, (u->found.gsts & on) == on, "vtd%u GSTS is %08x",
		 was->index, u->found.gsts);
	check_eq(CHECK_HANDOFF_UNIT_UNCHANGED, "VER",
		 (uint32_t)u->vtd.caps.ver_major << 4 | u->vtd.caps.ver_minor, was->ver);
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

static _Noreturn void refuse_unit(const char *fault, paddr_t regs, uint64_t value)
{
	struct kho_refusal why;

	kho_refuse(&why, -EBADMSG, "remapping unit", fault, regs, value);
	adoption_refuse(&why);
}

/* Before anything is written to any of them. */
static void compare_units(const struct adoption *a)
{
	const struct iommu *mmu = a->r->mmu;

	for (uint32_t i = 0; i < a->n->nr_units; i++) {
		const struct node_unit_ser *was = &a->n->unit[i];
		const struct iommu_unit *u = iommu_unit_at(a->r->mmu, was->regs_pa);
		const char *fault = u ? compare_registers(u, was, mmu->ttm) : "is gone";

		if (fault)
			refuse_unit(fault, was->regs_pa, u ? u->found.rtaddr : 0);
	}
	for (size_t i = 0; i < mmu->nr_units; i++)
		if (mmu->unit[i].used && !node_names_unit(a->n, mmu->unit[i].vtd.regs))
			refuse_unit("was not handed over", mmu->unit[i].vtd.regs, mmu->unit[i].found.rtaddr);
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

static void adopt_queues(const struct adoption *a)
{
	for (uint32_t i = 0; i < a->n->nr_units; i++) {
		struct iommu_unit *u = iommu_unit_at(a->r->mmu, a->n->unit[i].regs_pa);

		take_over_queue(a, u);
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

/* A stream's port is a device that the same stream owns. */
static bool is_owner(const struct iommu_device *dev, const struct stream_control_ser *c)
{
	const uint64_t token = kho_iommu_owner_token(c->stream);

	check_eq(CHECK_RESTORE_RECORDS, "owner token of a port's device", dev->owner_token, token);
	return dev->owner_token == token;
}

/* On failure the device is to blame, and the port is not taken. */
static void adopt_port(struct adoption *a, const struct node_port_ser *rec)
{
	struct run *r = a->r;
	struct port *p = &r->port[r->nr_ports];
	const struct stream_control_ser *c = mem_ptr(rec->control_pa);
	const struct iommu_device *dev = iommu_device_of(r->mmu, rec->config.segment, rec->config.rid);
	const char *why = control_fault(a, c);

	if (!dev || !is_owner(dev, c)) {
		check_skip(CHECK_DEVICE_NOT_RESET, "the NIC was not restored for this stream");
		blame_rid(&a->blame, a->n, rec->config.segment, rec->config.rid);
		return;
	}
	if (!why && (c->segment != rec->config.segment || c->rid != rec->config.rid))
		why = "record and control page name different functions";
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

static void fence(struct adoption *a, uint32_t device)
{
	const struct node_device_ser *d = &a->n->device[device];
	struct run *r = a->r;
	int err;

	for (size_t i = r->nr_ports; i-- > 0;)
		if (r->port[i].nic.segment == d->segment && r->port[i].nic.rid == d->rid)
			run_drop_port(r, i);
	err = restore_fence(&a->restore, device);
	check_ok(CHECK_RESTORE_CONTEXT_ENTRIES, !err, "%04x cannot be fenced (error %d)", d->rid, -err);
	platform_log("adopt: %02x:%02x.%x is fenced", PCI_BUS(d->rid), PCI_DEV(d->rid), PCI_FN(d->rid));
}

/* All source ids of a function go together: what reaches memory under one does under the others. */
static void blame_aliases(struct adoption *a)
{
	const struct iommu *mmu = a->r->mmu;

	for (size_t fn = 0; fn < mmu->nr_fns; fn++) {
		uint16_t ids[PCI_MAX_REQUESTER_IDS];
		const size_t n = pci_requester_ids(mmu->fns, fn, ids);
		bool any = false;

		for (size_t k = 0; k < n; k++) {
			const size_t i = node_find_device(a->n, mmu->fns[fn].segment, ids[k]);

			any |= i != NODE_NO_DEVICE && a->blame.device[i];
		}
		for (size_t k = 0; k < n && any; k++) {
			const size_t i = node_find_device(a->n, mmu->fns[fn].segment, ids[k]);

			if (i != NODE_NO_DEVICE)
				a->blame.device[i] = true;
		}
		if (any && !mmu->fns[fn].is_bridge)
			pci_bus_master(&mmu->fns[fn], false);
	}
}

static void fence_blamed(struct adoption *a)
{
	int err;

	if (a->blame.all) {
		platform_log("adopt: every device is fenced: empty root tables, no old table is touched any more");
		a->r->nr_ports = 0;
		err = iommu_deny_all(a->r->mmu);
		check_ok(CHECK_RESTORE_CONTEXT_ENTRIES, !err, "devices cannot be fenced (error %d)", -err);
		return;
	}
	blame_aliases(a);
	for (uint32_t i = 0; i < a->n->nr_devices; i++)
		if (a->blame.device[i])
			fence(a, i);
}

void handover_adopt(struct run *r)
{
	static struct adoption a;

	a.r = r;
	phase_set("validating the handoff");
	adoption_accept(&a);
	a.validated_tsc = cpu_tsc();

	r->payload = a.n->payload;
	phase_set("comparing units");
	compare_units(&a);
	phase_set("claiming memory");
	check_ok(CHECK_MEMORY_NO_EARLY_ALLOCATION, keep_early_attempts() == 0,
		 "%u allocations before the preserved map was read", keep_early_attempts());
	handover_claim(a.r, &a.kho);
	phase_set("adopting units");
	restore_units(&a.restore);
	adopt_queues(&a);
	phase_set("adopting devices");
	restore_devices(&a.restore, &a.blame);
	phase_set("adopting NICs");
	for (uint32_t i = 0; i < a.n->nr_ports; i++)
		adopt_port(&a, &a.n->port[i]);
	a.adopted_tsc = cpu_tsc();

	phase_set("verifying");
	adoption_confirm(&a);
	phase_set("fencing what is to blame");
	fence_blamed(&a);
	adoption_quiet_hostile(&a);
	phase_set("first poll");
	adoption_report(&a);
}
