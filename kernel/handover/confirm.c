/* The incoming side, last part: proofs over what was adopted, and the figures. */
#include "adoption.h"

#include "kernel/handover/prove.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/time.h"
#include "kernel/panic.h"
#include "kernel/report/ktap.h"
#include "kernel/selftest/hostile.h"
#include "kho/crc32c.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

static const struct prove_ids adopt_ids = {
	.mode = CHECK_HANDOFF_MODE_UNCHANGED, .preserved = CHECK_MEMORY_TABLES_PRESERVED,
	.tables = CHECK_MEMORY_TABLES_UNCHANGED, .root = CHECK_RESTORE_ROOT_ENTRIES,
	.context = CHECK_RESTORE_CONTEXT_ENTRIES, .pasid = CHECK_RESTORE_PASID_ENTRIES,
	.entry = CHECK_RESTORE_ENTRY_MATCHES, .did = CHECK_RESTORE_DID_UNIQUE,
};

/* Fewer prove nothing: one or two may have been on their way. */
#define BLACKOUT_MIN_FRAMES	8

/* ---- verify ------------------------------------------------------------------------------------- */

static void verify_tables(struct adoption *a)
{
	const struct node_digest_ser *bad, *bad_pasid;

	prove_tables(&(struct proof){
		.mmu = a->r->mmu, .map = &a->kho.map, .picture = a->picture, .node = a->n,
		.ids = adopt_ids, .blame = &a->blame, .walked = &a->walked });
	if (a->r->mmu->ttm == VTD_TTM_LEGACY)
		check_skip(CHECK_RESTORE_PASID_ENTRIES, "there are none in legacy mode");
	bad = prove_digests(a->n, NODE_DIGEST_TABLE, a->picture, &a->blame);
	bad_pasid = prove_digests(a->n, NODE_DIGEST_PASID, a->picture, &a->blame);
	if (!bad)
		bad = bad_pasid;
	check_ok(CHECK_MEMORY_TABLES_UNCHANGED, !bad, "table page %llx changed",
		 bad ? (unsigned long long)bad->pa : 0);
	check_skip(CHECK_MEMORY_TABLES_FLUSHED,
		   "memory behind the caches cannot be seen from here; the strict model can");
}

static void verify_image(const struct adoption *a)
{
	const struct boot_info *bi = a->r->bi;

	check_ok(CHECK_HANDOFF_IMAGE_UNCHANGED,
		 bi->pristine_size == a->n->image_bytes &&
		 kho_crc32c(0, bi->pristine, bi->pristine_size) == a->n->image_crc32c,
		 "our own image is not what was loaded");
}

static void verify_fresh_did(const struct adoption *a)
{
	for (size_t i = 0; i < a->r->mmu->nr_units; i++) {
		struct iommu_unit *u = &a->r->mmu->unit[i];
		uint16_t did;

		if (!u->used)
			continue;
		if (vtd_dids_alloc(&u->vtd.dids, &did)) {
			check_ok(CHECK_RESTORE_FRESH_DID, false, "no DID left on vtd%zu", i);
			continue;
		}
		check_ok(CHECK_RESTORE_FRESH_DID, true, " ");
		for (size_t k = 0; k < a->r->mmu->nr_devices; k++)
			check_ok(CHECK_RESTORE_FRESH_DID, a->r->mmu->device[k].unit != i ||
				 a->r->mmu->device[k].did != did, "a new domain got live DID %u", did);
		vtd_dids_free(&u->vtd.dids, did);
	}
}

/* GCMD and RTADDR as this kernel has used them, and the registers once more. */
static void verify_commands(const struct adoption *a)
{
	for (size_t i = 0; i < a->r->mmu->nr_units; i++) {
		const struct iommu_unit *u = &a->r->mmu->unit[i];
		struct vtd_unit_state now;

		if (!u->used)
			continue;
		vtd_unit_read_state(&u->vtd, &now);
		check_ok(CHECK_HANDOFF_GCMD_KEEPS_TE,
			 u->vtd.gcmd_te_drops == 0 && now.gsts & VTD_GSTS_TES,
			 "%llu GCMD writes dropped TE, GSTS is %08x",
			 (unsigned long long)u->vtd.gcmd_te_drops, now.gsts);
		check_ok(CHECK_HANDOFF_ROOT_NOT_REWRITTEN,
			 u->vtd.rtaddr_writes == 0 && now.rtaddr == u->found.rtaddr,
			 "%llu RTADDR writes, RTADDR is %llx", (unsigned long long)u->vtd.rtaddr_writes,
			 (unsigned long long)now.rtaddr);
	}
}

/* The record of a port: they were adopted in order, and those that failed were left out. */
static const struct node_port_ser *record_of(const struct adoption *a, const struct port *p)
{
	for (uint32_t i = 0; i < a->n->nr_ports; i++)
		if (a->n->port[i].control_pa == p->control_pa)
			return &a->n->port[i];
	panic("adopt: a port without a record");
}

/* Return: whether the function and the bridges above it are as they were. */
static bool verify_config(const struct adoption *a, const struct port *p)
{
	const struct pci_config_snapshot *was = &record_of(a, p)->config;
	struct pci_config_snapshot is;
	const char *difference;
	bool master;

	if (pci_config_snapshot(a->r->mmu->fns, p->fn, &is)) {
		check_ok(CHECK_DEVICE_CONFIG_UNCHANGED, false, "the bridges above cannot be followed");
		return false;
	}
	difference = pci_config_difference(was, &is);
	check_ok(CHECK_DEVICE_CONFIG_UNCHANGED, !difference, "%02x:%02x.%x: %s changed",
		 PCI_BUS(was->rid), PCI_DEV(was->rid), PCI_FN(was->rid), difference);
	check_ok(CHECK_DEVICE_CONFIG_UNCHANGED, pci_is_d0(&a->r->mmu->fns[p->fn]),
		 "%02x:%02x.%x has left D0", PCI_BUS(was->rid), PCI_DEV(was->rid), PCI_FN(was->rid));
	master = is.command & PCI_COMMAND_MASTER;
	check_ok(CHECK_DEVICE_BUS_MASTER, master, "command register of the NIC is %04x", is.command);
	for (unsigned i = 0; i < is.nr_bridges && i < PCI_MAX_DEPTH; i++) {
		const bool bridge = is.bridge[i].command & PCI_COMMAND_MASTER;

		check_ok(CHECK_DEVICE_BUS_MASTER, bridge, "command register of bridge %04x is %04x",
			 is.bridge[i].rid, is.bridge[i].command);
		master &= bridge;
	}
	return master && !difference;
}

/* Every address that the NIC was given leads where the control page says, with no more rights
 * than needed.  Return: whether all do. */
static bool verify_mappings(const struct adoption *a, const struct port *p)
{
	const struct iommu_device *dev = iommu_device_of(a->r->mmu, p->nic.segment, p->nic.rid);
	const struct vtd_ss *ss = &a->r->mmu->domain[dev->domain].ss;
	struct port_region region[PORT_REGIONS];
	bool all = true;

	port_regions(p->control, region);
	for (unsigned i = 0; i < PORT_REGIONS; i++)
		for (uint64_t off = 0; off < region[i].len; off += PAGE_SIZE) {
			uint64_t perm = 0, size;
			paddr_t pa = 0;
			const bool ok = !vtd_ss_lookup(ss, region[i].iova + off, &pa, &perm, &size) &&
					pa == region[i].pa + off && perm == region[i].perm;

			check_ok(CHECK_RESTORE_ENTRY_MATCHES, ok,
				 "iova %llx leads to %llx with rights %llx, the control page says %llx, %llx",
				 (unsigned long long)(region[i].iova + off), (unsigned long long)pa,
				 (unsigned long long)perm, (unsigned long long)(region[i].pa + off),
				 (unsigned long long)region[i].perm);
			all &= ok;
		}
	return all;
}

/* A walk through tables that are broken would read where nothing of ours is. */
static bool is_blamed(const struct adoption *a, const struct port *p)
{
	const size_t i = node_find_device(a->n, p->nic.segment, p->nic.rid);

	return i == NODE_NO_DEVICE || a->blame.all || a->blame.device[i];
}

static void verify_feature(enum check_id id, enum pci_feature f, const char *absent)
{
	if (f == PCI_FEATURE_ABSENT)
		check_skip(id, absent);
	else
		check_ok(id, f == PCI_FEATURE_OFF, "it is on");
}

static void verify_features(const struct pci_fn *fn)
{
	verify_feature(CHECK_DEVICE_INTERRUPTS_OFF, pci_interrupt_messages(fn),
		       "the NIC has neither MSI nor MSI-X");
	verify_feature(CHECK_DEVICE_PAGE_REQUESTS_OFF, pci_page_requests(fn),
		       "the NIC has no page request capability");
	verify_feature(CHECK_DEVICE_ATS_OFF, pci_ats(fn), "the NIC has no ATS capability");
}

static void verify_ports(struct adoption *a)
{
	for (size_t i = 0; i < a->r->nr_ports; i++) {
		const struct port *p = &a->r->port[i];
		const bool config = verify_config(a, p);

		verify_features(&a->r->mmu->fns[p->fn]);
		if (!is_blamed(a, p) && !(verify_mappings(a, p) && config))
			blame_rid(&a->blame, a->n, p->nic.segment, p->nic.rid);
	}
}

static bool is_hostile(const struct adoption *a, const struct iommu_unit *u, const struct vtd_fault *f)
{
	return a->n->hostile && f->rid == a->n->hostile_rid && u->vtd.segment == a->n->hostile_segment;
}

static void judge_hostile(struct adoption *a, size_t unit, const struct vtd_fault *f)
{
	const struct iommu_unit *u = &a->r->mmu->unit[unit];
	struct hostile_shot shot;

	platform_log("vtd%zu: hostile %02x:%02x.%x was blocked, reason %x (%s), address %llx", unit,
		     PCI_BUS(f->rid), PCI_DEV(f->rid), PCI_FN(f->rid), f->reason,
		     vtd_fault_reason_name(f->reason), (unsigned long long)f->addr);
	check_ok(CHECK_HOSTILE_BLOCKED, vtd_fault_of_no_context(u->vtd.ttm, f->reason),
		 "fault reason is %x (%s)", f->reason, vtd_fault_reason_name(f->reason));
	if (hostile_expected(a->r, f->rid, &shot)) {
		check_eq(CHECK_HOSTILE_BLOCKED, "faulting page", f->addr, shot.addr);
		check_eq(CHECK_HOSTILE_BLOCKED, "read", f->is_read, shot.is_read);
	}
	a->hostile_seen = true;
	a->hostile_unit = unit;
}

void adoption_quiet_hostile(const struct adoption *a)
{
	struct iommu *mmu = a->r->mmu;

	if (!a->hostile_seen)
		return;
	check_ok(CHECK_HOSTILE_BLOCKED,
		 !iommu_suppress_faults(mmu, a->hostile_unit, a->n->hostile_rid) &&
		 !vtd_fault_clear(&mmu->unit[a->hostile_unit].vtd), "its faults cannot be switched off");
}

/* Faults of the hostile device are what is expected; any other counts, and so does overflow. */
static void verify_unit_faults(struct adoption *a, size_t unit)
{
	struct iommu_unit *u = &a->r->mmu->unit[unit];
	const struct vtd_fault *hostile = NULL;
	uint32_t fsts;

	if (!u->nr_faults)
		vtd_fault_read_all(&u->vtd, u->fault, IOMMU_MAX_FAULTS, &u->nr_faults, &fsts);
	else
		fsts = u->fsts;
	check_ok(CHECK_HANDOFF_NO_FAULT, !(fsts & VTD_FSTS_PFO) && u->nr_faults <= IOMMU_MAX_FAULTS,
		 "vtd%zu: %zu records, FSTS %08x: inconclusive", unit, u->nr_faults, fsts);
	for (size_t i = 0; i < u->nr_faults && i < IOMMU_MAX_FAULTS; i++) {
		const struct vtd_fault *f = &u->fault[i];

		if (is_hostile(a, u, f))
			hostile = f;
		else
			check_ok(CHECK_HANDOFF_NO_FAULT, false, "%02x:%02x.%x reason %x (%s) address %llx",
				 PCI_BUS(f->rid), PCI_DEV(f->rid), PCI_FN(f->rid), f->reason,
				 vtd_fault_reason_name(f->reason), (unsigned long long)f->addr);
	}
	if (hostile)
		judge_hostile(a, unit, hostile);
}

static void verify_faults(struct adoption *a)
{
	for (size_t i = 0; i < a->r->mmu->nr_units; i++)
		if (a->r->mmu->unit[i].used)
			verify_unit_faults(a, i);
	if (a->n->hostile)
		check_ok(CHECK_HOSTILE_BLOCKED, a->hostile_seen, "no unit has a record of its fault");
	else
		check_skip(CHECK_HOSTILE_BLOCKED, "no device was left hostile by the kernel before us");
}

void adoption_confirm(struct adoption *a)
{
	verify_tables(a);
	verify_image(a);
	verify_fresh_did(a);
	verify_commands(a);
	verify_ports(a);
	verify_faults(a);
	for (size_t i = 0; i < a->r->nr_ports; i++) {
		struct nic_regs regs;

		nic_read_regs(&a->r->port[i].nic, &regs);
		a->r->port[i].rdh_verified = regs.rdh;
	}
	a->verified_tsc = cpu_tsc();
}

/* ---- report -------------------------------------------------------------------------------------- */

/* A row stands for all streams: of each figure the worst. */
static void report_stream(struct adoption *a, struct port *p, struct handover_row_ser *row)
{
	const struct stream_control_ser *c = p->control;
	const uint64_t hold = (uint64_t)a->r->cfg.hold_ms * 1000;
	const uint64_t gap = time_tsc_to_us(a->r->bi->entry_tsc - c->tsc);
	const uint64_t blackout = time_tsc_to_us(a->verified_tsc - c->tsc);
	const uint32_t frames = (p->rdh_verified - (uint32_t)c->rdh + c->rx.entries) % c->rx.entries;
	const uint32_t free = nic_rx_free(&p->nic);

	row->frames_in_blackout = MIN(row->frames_in_blackout, frames);
	row->ring_free = MIN(row->ring_free, free);
	if (blackout > row->blackout_us) {
		row->blackout_us = blackout;
		row->hold_us = MIN(hold, gap);
		row->jump_us = gap - row->hold_us;
	}
	check_ok(CHECK_STREAM_FRAMES_IN_BLACKOUT, frames >= BLACKOUT_MIN_FRAMES,
		 "stream %u: %u frames landed in the blackout, at least %u are needed", c->stream, frames,
		 BLACKOUT_MIN_FRAMES);
	check_ok(CHECK_STREAM_RING_NOT_FULL, free != 0, "stream %u: no free descriptor was left",
		 c->stream);
	/* The first look: all that it finds landed while no kernel was looking. */
	port_poll(p);
	account_blackout_end(&p->control->account);
	row->longest_gap_us = MAX(row->longest_gap_us, c->account.blackout_gap_ns / 1000);
}

/* What the work is linear in, and the work itself: `make bench` compares them. */
static void report_cost(const struct adoption *a)
{
	platform_log("adopt: %u records, %llu pages preserved, %llu table pages, %llu leaves map %llu KiB; TSC ticks: validate %llu, adopt %llu, verify %llu",
		     a->n->nr_units + a->n->nr_domains + a->n->nr_devices,
		     (unsigned long long)a->kho.map.pages, (unsigned long long)a->walked.tables,
		     (unsigned long long)a->walked.leaves, (unsigned long long)a->walked.bytes >> 10,
		     (unsigned long long)(a->validated_tsc - a->r->setup_tsc),
		     (unsigned long long)(a->adopted_tsc - a->validated_tsc),
		     (unsigned long long)(a->verified_tsc - a->adopted_tsc));
}

void adoption_report(struct adoption *a)
{
	struct run *r = a->r;
	struct handover_row_ser row = {
		.generation = r->cfg.generation,
		.preserved_pages = (uint32_t)MIN(a->kho.map.pages, UINT32_MAX),
		.setup_us = time_tsc_to_us(r->setup_tsc - r->bi->entry_tsc),
		.validate_us = time_tsc_to_us(a->validated_tsc - r->setup_tsc),
		.adopt_us = time_tsc_to_us(a->adopted_tsc - a->validated_tsc),
		.verify_us = time_tsc_to_us(a->verified_tsc - a->adopted_tsc),
	};

	report_cost(a);
	if (!r->nr_ports)	/* no stream, no blackout to speak of */
		return;
	row.frames_in_blackout = row.ring_free = UINT32_MAX;
	for (size_t i = 0; i < r->nr_ports; i++)
		report_stream(a, &r->port[i], &row);
	results_add_handover(&row);
}
