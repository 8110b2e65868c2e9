/* The incoming side. */
#include "adopt.h"

#include <string.h>

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/handover/prove.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/time.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/scratch.h"
#include "kernel/report/ktap.h"
#include "kernel/report/verdict.h"
#include "kho/crc32c.h"
#include "kho/metadata.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

static const struct prove_ids adopt_ids = {
	.mode = CHECK_HANDOFF_MODE_UNCHANGED, .preserved = CHECK_MEMORY_TABLES_PRESERVED,
	.tables = CHECK_MEMORY_TABLES_UNCHANGED, .root = CHECK_RESTORE_ROOT_ENTRIES,
	.context = CHECK_RESTORE_CONTEXT_ENTRIES, .entry = CHECK_RESTORE_ENTRY_MATCHES,
	.did = CHECK_RESTORE_DID_UNIQUE,
};

/* What the phases of adopting share, and when each ended. */
struct adoption {
	struct run *r;
	struct kho_handoff kho;
	struct node *n;
	struct picture *picture;
	uint64_t validated_tsc, adopted_tsc, verified_tsc;
	uint32_t rdh;			/* when all was verified */
};

/* Fewer prove nothing: one or two may have been on their way (contracts: frames). */
#define BLACKOUT_MIN_FRAMES	8

/* ---- validate: reads only, scratch only ------------------------------------------------------ */

_Noreturn static void refuse(const struct kho_refusal *why)
{
	verdict_end(VERDICT_HANDOFF, "handoff refused: %s %s (at %llx, value %llx); all devices were stopped",
		    why->what, why->fault, (unsigned long long)why->at,
		    (unsigned long long)why->value);
}

static void need_preserved(const struct adoption *a, const char *what, paddr_t pa)
{
	struct kho_refusal why;

	if (IS_ALIGNED(pa, PAGE_SIZE) && kho_map_covers(&a->kho.map, pa, PAGE_SIZE))
		return;
	kho_refuse(&why, -EBADMSG, what, "is not a preserved page", pa, 0);
	refuse(&why);
}

/* A digested page is preserved, or one of those that hold the map itself. */
static bool may_digest(const struct adoption *a, paddr_t pa)
{
	if (!IS_ALIGNED(pa, PAGE_SIZE))
		return false;
	return kho_map_covers(&a->kho.map, pa, PAGE_SIZE) ||
	       kho_map_overlaps_node(&a->kho.map, pa, PAGE_SIZE) ||
	       pa == a->kho.data.scratch_pa;
}

static void check_addresses(const struct adoption *a)
{
	struct kho_refusal why;

	need_preserved(a, "results page", a->n->results_pa);
	for (uint32_t i = 0; i < a->n->nr_ports; i++)
		need_preserved(a, "control page", a->n->port[i].control_pa);
	for (uint32_t i = 0; i < a->n->nr_digests; i++)
		if (!may_digest(a, a->n->digest[i].pa)) {
			kho_refuse(&why, -EBADMSG, "digested page", "is not part of the handoff",
				   a->n->digest[i].pa, a->n->digest[i].kind);
			refuse(&why);
		}
}

static void check_metadata(const struct adoption *a)
{
	const struct kho_subnode *meta = kho_tree_find(&a->kho.tree, KHO_NODE_METADATA);
	const struct node_digest_ser *bad = prove_digests(a->n, NODE_DIGEST_METADATA);
	struct kho_metadata m;
	struct kho_refusal why;

	if (bad) {
		kho_refuse(&why, -EBADMSG, "metadata page", "changed since it was written", bad->pa,
			   bad->crc32c);
		refuse(&why);
	}
	if (!meta) {
		kho_refuse(&why, -EBADMSG, "kexec-metadata", "is missing", 0, 0);
		refuse(&why);
	}
	if (kho_metadata_read(kho_subnode_blob(meta), &m, &why))
		refuse(&why);
	if (m.kexec_count != a->r->cfg.generation || a->n->generation + 1 != a->r->cfg.generation) {
		kho_refuse(&why, -EBADMSG, "generation", "does not follow the one that handed over", 0,
			   a->n->generation);
		refuse(&why);
	}
}

static void validate(struct adoption *a)
{
	const struct boot_info *bi = a->r->bi;
	const struct kho_data data = {
		.fdt_pa = bi->kho_fdt, .fdt_size = bi->kho_fdt_size,
		.scratch_pa = bi->kho_scratch, .scratch_size = bi->kho_scratch_size,
	};
	const struct kho_subnode *node;
	struct kho_limits lim;
	struct kho_refusal why;

	a->n = scratch_new(sizeof(*a->n));
	a->picture = scratch_new(sizeof(*a->picture));
	if (!a->n || !a->picture || !prove_limits(&lim, bi))
		verdict_end(VERDICT_MEMORY, "scratch is too small to read the handoff; try a larger scratch=");
	if (kho_read(&data, &lim, &a->kho, &why))
		refuse(&why);
	node = kho_tree_find(&a->kho.tree, NODE_NAME);
	if (!node) {
		kho_refuse(&why, -EBADMSG, "baton node", "is missing: the kernel before us was no Baton",
			   data.fdt_pa, a->kho.tree.nr);
		refuse(&why);
	}
	if (node_read(kho_subnode_blob(node), a->n, &why))
		refuse(&why);
	check_addresses(a);
	check_metadata(a);
	if (results_adopt(mem_ptr(a->n->results_pa))) {
		kho_refuse(&why, -EBADMSG, "results page", "is not of this program", a->n->results_pa, 0);
		refuse(&why);
	}
	time_set_tsc_khz(a->n->tsc_khz);
	picture_of_node(a->n, a->picture);
}

/* ---- claim: from here pages outside scratch may be taken --------------------------------------- */

static void claim(const struct adoption *a)
{
	const struct run *r = a->r;
	const struct kho_map *map = &a->kho.map;
	const struct kho_scratch *areas = &r->window.areas;
	const size_t max = map->nr_ranges + map->nr_nodes + areas->nr + 2;
	struct keep_range *busy = scratch_new(max * sizeof(*busy));
	size_t n = 0;

	check_ok(CHECK_MEMORY_NO_EARLY_ALLOCATION, keep_early_attempts() == 0,
		 "%u allocations before the preserved map was read", keep_early_attempts());
	if (!busy)
		verdict_end(VERDICT_MEMORY, "scratch is too small to claim memory; try a larger scratch=");
	for (size_t i = 0; i < map->nr_ranges; i++)
		busy[n++] = (struct keep_range){ map->ranges[i].base, map->ranges[i].len };
	for (size_t i = 0; i < map->nr_nodes; i++)
		busy[n++] = (struct keep_range){ map->nodes[i], PAGE_SIZE };
	for (size_t i = 0; i < areas->nr; i++)
		busy[n++] = (struct keep_range){ areas->entry[i].addr, areas->entry[i].size };
	busy[n++] = (struct keep_range){ a->kho.data.scratch_pa, a->kho.data.scratch_size };
	busy[n++] = (struct keep_range){ r->bi->image, r->bi->image_size };
	if (keep_init(r->bi->map, r->bi->nr_map, true, busy, n))
		verdict_end(VERDICT_MEMORY, "scratch is too small for the list of free memory; try a larger scratch=");
}

/* ---- adopt: registers, ids, queues, devices ------------------------------------------------------ */

static struct iommu_unit *unit_at(struct iommu *mmu, paddr_t regs)
{
	for (size_t i = 0; i < mmu->nr_units; i++)
		if (mmu->unit[i].used && mmu->unit[i].vtd.regs == regs)
			return &mmu->unit[i];
	return NULL;
}

/* Compare what was read before anything was written. */
static void compare_registers(const struct iommu_unit *u, const struct node_unit_ser *was)
{
	const uint32_t on = VTD_GSTS_TES | VTD_GSTS_RTPS;

	check_ok(CHECK_HANDOFF_TRANSLATION_ON, (u->found.gsts & on) == on, "vtd%u GSTS is %08x",
		 was->index, u->found.gsts);
	check_eq(CHECK_HANDOFF_RTADDR_UNCHANGED, "RTADDR", u->found.rtaddr, was->rtaddr);
	check_eq(CHECK_HANDOFF_MODE_UNCHANGED, "RTADDR.TTM",
		 FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr), VTD_TTM_LEGACY);
}

/* Every id that is in use is reserved before one is given out. */
static void reserve_dids(const struct adoption *a, struct iommu_unit *u, uint32_t index)
{
	vtd_dids_init(&u->vtd.dids, u->vtd.caps.ndoms);
	for (uint32_t i = 0; i < a->n->nr_devices; i++) {
		const struct node_device_ser *d = &a->n->device[i];

		if (d->unit != index || vtd_dids_used(&u->vtd.dids, d->did))
			continue;
		check_ok(CHECK_RESTORE_DID_UNIQUE, !vtd_dids_reserve(&u->vtd.dids, d->did),
			 "DID %u of %04x cannot be of this unit", d->did, d->rid);
	}
}

static bool ring_is_preserved(const struct adoption *a, uint64_t iqa)
{
	return kho_map_covers(&a->kho.map, ALIGN_DOWN(iqa, PAGE_SIZE), vtd_qi_ring_bytes(iqa));
}

static void take_over_queue(const struct adoption *a, struct iommu_unit *u, uint64_t iqa)
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
	err = vtd_qi_take_over(&u->vtd, ring_is_preserved(a, iqa), u->ring, u->status);
	if (err)
		verdict_end(VERDICT_TIMEOUT, "vtd%u does not take a new invalidation queue (error %d); last wait: %s",
			    u->vtd.index, -err, u->vtd.failed_wait ? u->vtd.failed_wait : "none");
	check_ok(CHECK_HANDOFF_QUEUE_STOPPED_FIRST,
		 !((t->gsts_before_iqt | t->gsts_before_iqa) & VTD_GSTS_QIES),
		 "GSTS was %08x before IQT, %08x before IQA", t->gsts_before_iqt, t->gsts_before_iqa);
}

static void adopt_units(const struct adoption *a)
{
	struct iommu *mmu = a->r->mmu;

	for (uint32_t i = 0; i < a->n->nr_units; i++) {
		const struct node_unit_ser *was = &a->n->unit[i];
		struct iommu_unit *u = unit_at(mmu, was->regs_pa);

		if (!u) {
			check_ok(CHECK_HANDOFF_TRANSLATION_ON, false, "unit at %llx is gone",
				 (unsigned long long)was->regs_pa);
			continue;
		}
		compare_registers(u, was);
		u->vtd.root = was->rtaddr & VTD_RTADDR_RTA;
		reserve_dids(a, u, was->index);
		take_over_queue(a, u, was->iqa);
	}
}

static bool adopt_domain(struct iommu *mmu, const struct node_domain_ser *d,
			 const struct vtd_caps *caps)
{
	struct iommu_domain *out = &mmu->domain[mmu->nr_domains];
	const struct vtd_ss_format fmt = {
		.levels = d->levels, .page_sizes = d->page_sizes, .addr_bits = d->addr_bits,
		.haw = mmu->dmar.haw, .coherent = caps->coherent,
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
static void adopt_devices(const struct adoption *a)
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
		if (u && rec && domain < 0 && adopt_domain(mmu, rec, &u->vtd.caps))
			domain = (int)mmu->nr_domains - 1;
		check_ok(CHECK_RESTORE_ENTRY_MATCHES, u && domain >= 0,
			 "domain %u of %04x does not fit its unit", d->domain, d->rid);
		if (!u || domain < 0)
			continue;
		mmu->device[mmu->nr_devices++] = (struct iommu_device){
			.unit = u->vtd.index, .segment = d->segment, .rid = d->rid,
			.domain = (uint32_t)domain, .did = d->did,
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

static bool adopt_port(const struct adoption *a)
{
	struct run *r = a->r;
	const struct node_port_ser *rec = &a->n->port[0];
	const struct stream_control_ser *c = mem_ptr(rec->control_pa);
	const char *why = control_fault(a, c);
	const struct iommu_device *dev;

	if (!why && port_adopt(&r->port, r->mmu, rec->control_pa, &why) == 0)
		why = NULL;
	check_ok(CHECK_DEVICE_NOT_RESET, !why && !nic_was_reset(&r->port.nic), "%s",
		 why ? why : "the marks left at start are gone");
	if (why)
		return false;
	dev = iommu_device_of(r->mmu, c->segment, c->rid);
	if (!dev || r->mmu->domain[dev->domain].id != rec->domain) {
		check_ok(CHECK_RESTORE_CONTEXT_ENTRIES, false, "the NIC has no record of its domain");
		return false;
	}
	return true;
}

/* ---- verify ------------------------------------------------------------------------------------- */

static void verify_tables(const struct adoption *a)
{
	const struct node_digest_ser *bad;

	prove_tables(&(struct proof){
		.mmu = a->r->mmu, .map = &a->kho.map, .picture = a->picture, .node = a->n,
		.ids = adopt_ids });
	bad = prove_digests(a->n, NODE_DIGEST_TABLE);
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

static void verify_config(const struct adoption *a)
{
	const struct run *r = a->r;
	const struct pci_config_snapshot *was = &a->n->port[0].config;
	struct pci_config_snapshot is;
	const char *difference;

	if (pci_config_snapshot(r->mmu->fns, r->port.fn, &is)) {
		check_ok(CHECK_DEVICE_CONFIG_UNCHANGED, false, "the bridges above cannot be followed");
		return;
	}
	difference = pci_config_difference(was, &is);
	check_ok(CHECK_DEVICE_CONFIG_UNCHANGED, !difference, "%s changed", difference);
	check_ok(CHECK_DEVICE_BUS_MASTER, is.command & PCI_COMMAND_MASTER,
		 "command register of the NIC is %04x", is.command);
	for (unsigned i = 0; i < is.nr_bridges && i < PCI_MAX_DEPTH; i++)
		check_ok(CHECK_DEVICE_BUS_MASTER, is.bridge[i].command & PCI_COMMAND_MASTER,
			 "command register of bridge %04x is %04x", is.bridge[i].rid,
			 is.bridge[i].command);
}

/* Faults of the hostile device are what is expected; any other counts. */
static void verify_faults(const struct adoption *a)
{
	const bool hostile = a->n->hostile;

	for (size_t i = 0; i < a->r->mmu->nr_units; i++) {
		struct iommu_unit *u = &a->r->mmu->unit[i];
		struct vtd_fault now;
		uint32_t fsts;
		size_t n;

		if (!u->used)
			continue;
		vtd_fault_read_all(&u->vtd, &now, 1, &n, &fsts);
		if (n && !u->nr_faults) {
			u->fault = now;
			u->nr_faults = n;
		}
		if (hostile && u->nr_faults && u->fault.rid == a->n->hostile_rid) {
			platform_log("vtd%zu: hostile %02x:%02x.%x was blocked, reason %x (%s), address %llx",
				     i, PCI_BUS(u->fault.rid), PCI_DEV(u->fault.rid),
				     PCI_FN(u->fault.rid), u->fault.reason,
				     vtd_fault_reason_name(u->fault.reason),
				     (unsigned long long)u->fault.addr);
			check_eq(CHECK_HOSTILE_BLOCKED, "fault reason", u->fault.reason,
				 VTD_REASON_CONTEXT_NOT_PRESENT);
			check_ok(CHECK_HOSTILE_BLOCKED,
				 !iommu_suppress_faults(a->r->mmu, i, u->fault.rid) &&
				 !vtd_fault_clear(&u->vtd), "its faults cannot be switched off");
			check_ok(CHECK_HANDOFF_NO_FAULT, true, " ");
			continue;
		}
		check_ok(CHECK_HANDOFF_NO_FAULT, !u->nr_faults && !((u->fsts | fsts) & VTD_FSTS_PFO),
			 "%02x:%02x.%x reason %x (%s) address %llx, FSTS %08x%s", PCI_BUS(u->fault.rid),
			 PCI_DEV(u->fault.rid), PCI_FN(u->fault.rid), u->fault.reason,
			 vtd_fault_reason_name(u->fault.reason), (unsigned long long)u->fault.addr,
			 u->fsts | fsts, (u->fsts | fsts) & VTD_FSTS_PFO ? ", inconclusive" : "");
	}
	if (!hostile)
		check_skip(CHECK_HOSTILE_BLOCKED, "no hostile= device in this run");
}

/* ---- report -------------------------------------------------------------------------------------- */

static void report_stream(struct adoption *a, struct handover_row_ser *row)
{
	const struct stream_control_ser *c = a->r->port.control;
	const uint64_t hold = (uint64_t)a->r->cfg.hold_ms * 1000;
	const uint64_t gap = time_tsc_to_us(a->r->bi->entry_tsc - c->tsc);

	row->frames_in_blackout = (a->rdh - (uint32_t)c->rdh + c->rx.entries) % c->rx.entries;
	row->ring_free = nic_rx_free(&a->r->port.nic);
	row->blackout_us = time_tsc_to_us(a->verified_tsc - c->tsc);
	row->hold_us = MIN(hold, gap);
	row->jump_us = gap - row->hold_us;
	check_ok(CHECK_STREAM_FRAMES_IN_BLACKOUT, row->frames_in_blackout >= BLACKOUT_MIN_FRAMES,
		 "%u frames landed in the blackout, at least %u are needed", row->frames_in_blackout,
		 BLACKOUT_MIN_FRAMES);
	check_ok(CHECK_STREAM_RING_NOT_FULL, row->ring_free != 0, "no free descriptor was left");
	/* The first look: all that it finds landed while no kernel was looking. */
	port_poll(&a->r->port);
	account_blackout_end(&a->r->port.control->account);
	row->longest_gap_us = c->account.blackout_gap_ns / 1000;
}

static void report_row(struct adoption *a)
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

	if (!r->have_port)	/* no stream, no blackout to speak of */
		return;
	report_stream(a, &row);
	results_add_handover(&row);
}

/* Table or record checks that make it unsafe to let the device go on. */
static bool port_is_sound(void)
{
	const enum check_id fatal[] = {
		CHECK_MEMORY_TABLES_PRESERVED, CHECK_MEMORY_TABLES_UNCHANGED,
		CHECK_RESTORE_CONTEXT_ENTRIES, CHECK_RESTORE_ENTRY_MATCHES, CHECK_RESTORE_DID_UNIQUE,
		CHECK_DEVICE_CONFIG_UNCHANGED,
	};

	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		if (check_failed(fatal[i]))
			return false;
	return true;
}

void handover_adopt(struct run *r)
{
	static struct adoption a;

	a.r = r;
	validate(&a);
	a.validated_tsc = cpu_tsc();

	claim(&a);
	adopt_units(&a);
	adopt_devices(&a);
	r->have_port = a.n->nr_ports && adopt_port(&a);
	a.adopted_tsc = cpu_tsc();

	verify_tables(&a);
	verify_image(&a);
	verify_fresh_did(&a);
	verify_commands(&a);
	if (r->have_port)
		verify_config(&a);
	verify_faults(&a);
	if (r->have_port) {
		struct nic_regs regs;

		nic_read_regs(&r->port.nic, &regs);
		a.rdh = regs.rdh;
	}
	a.verified_tsc = cpu_tsc();

	report_row(&a);
	if (a.n->nr_ports && (!r->have_port || !port_is_sound())) {
		const struct pci_config_snapshot *nic = &a.n->port[0].config;

		platform_log("adopt: the NIC is fenced");
		iommu_fence(r->mmu, nic->segment, nic->rid);
		r->have_port = false;
	}
}
