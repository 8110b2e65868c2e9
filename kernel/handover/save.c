/* The outgoing side. */
#include "save.h"

#include <string.h>

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/console/printf.h"
#include "kernel/handover/carry.h"
#include "kernel/handover/corrupt.h"
#include "kernel/handover/next.h"
#include "kernel/handover/outgoing.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records.h"
#include "kernel/machine/time.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/scratch.h"
#include "kernel/panic.h"
#include "kernel/report/verdict.h"
#include "kernel/selftest/hostile.h"
#include "kho/metadata.h"
#include "kho/write.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

#define DRAIN_POLLS	16	/* of a ring that keeps filling, at the last poll */

/* Everything that is written for the next kernel. */
struct handoff {
	struct kho_radix radix;
	paddr_t fdt, scratch_array, node, metadata, results;
	paddr_t foreign;	/* the list of what is carried on; 0: there is none */
	struct kho_data data;
	struct node *n;
	struct records *records;
};

/* ---- (c) what is not preserved ------------------------------------------------------------ */

static bool is_hostile(const struct run *r, uint16_t segment, uint16_t rid)
{
	return r->cfg.has_hostile && r->cfg.hostile.segment == segment && r->cfg.hostile.rid == rid;
}

/* Entries first, so that a hostile device with bus master on meets a closed door.  Its context
 * table stays: nothing but the IOMMU stands between it and memory. */
static int fence_unpreserved(struct run *r)
{
	int err = 0;

	for (size_t i = 0; i < r->mmu->nr_fns && !err; i++) {
		const struct pci_fn *fn = &r->mmu->fns[i];

		if (is_hostile(r, fn->segment, fn->rid)) {
			/* One that never had a domain is expected to fault once, in the first blackout:
			 * then its records are switched off. */
			if (!iommu_device_of(r->mmu, fn->segment, fn->rid)) {
				r->left_hostile = hostile_supported(fn) && r->cfg.generation == 0;
				continue;
			}
			err = iommu_leave(r->mmu, fn->segment, fn->rid);
			r->left_hostile = !err;
			for (size_t k = r->nr_ports; k-- > 0;)
				if (r->port[k].fn == i)
					run_drop_port(r, k);
		} else if (!fn->is_bridge && !iommu_device_of(r->mmu, fn->segment, fn->rid) &&
			   pci_is_bus_master(fn->segment, fn->rid)) {
			err = pci_bus_master(fn, false);
		}
	}
	return err;
}

/* ---- (d) quiet units ------------------------------------------------------------------------ */

static int drain_units(struct run *r)
{
	for (size_t i = 0; i < r->mmu->nr_units; i++) {
		struct iommu_unit *u = &r->mmu->unit[i];
		int err;

		if (!u->used)
			continue;
		vtd_unit_mask_events(&u->vtd);
		if (!u->vtd.qi.on)
			continue;
		err = vtd_qi_submit(&u->vtd, NULL, 0);	/* a wait alone: the last descriptor */
		if (err)
			return err;
	}
	return 0;
}

/* ---- (f) writing ------------------------------------------------------------------------------ */

static int preserve_page(struct handoff *h, paddr_t pa)
{
	const int err = kho_preserve(&h->radix, pa, 0);

	if (err == -EINVAL)	/* what is in scratch dies with us */
		panic("save: %llx cannot be preserved: scratch, or no page", (unsigned long long)pa);
	return err;
}

static int preserve_units(const struct run *r, struct handoff *h)
{
	/* The digests list exactly the pages that the hardware reaches. */
	for (uint32_t i = 0; i < h->n->nr_digests; i++) {
		const int err = preserve_page(h, h->n->digest[i].pa);

		if (err)
			return err;
	}
	for (size_t i = 0; i < r->mmu->nr_units; i++) {
		const struct iommu_unit *u = &r->mmu->unit[i];
		int err;

		if (!u->used || !u->ring)
			continue;
		err = preserve_page(h, u->ring);
		if (!err)
			err = preserve_page(h, u->status);
		if (err)
			return err;
	}
	return 0;
}

/* Guard pages, since a canary must survive as well, and the transmit side.  Receive buffers and
 * ring and the control page are files, which preserve themselves (records.c). */
static int preserve_port(const struct run *r, const struct port *p, struct handoff *h)
{
	struct port_region region[PORT_REGIONS];
	struct node_port_ser *rec = &h->n->port[h->n->nr_ports++];
	int err = 0;

	port_regions(p->control, region);
	for (unsigned i = 0; i < PORT_REGIONS && !err; i++) {
		const bool is_file = i == PORT_RX_BUFFERS || i == PORT_RX_RING;

		err = preserve_page(h, region[i].pa - PAGE_SIZE);
		if (!err)
			err = preserve_page(h, region[i].pa + region[i].len);
		if (!err && !is_file)
			err = kho_preserve_range(&h->radix, region[i].pa, region[i].len);
	}
	if (err)
		return err;
	rec->control_pa = p->control_pa;
	return pci_config_snapshot(r->mmu->fns, p->fn, &rec->config);
}

static int write_metadata(const struct run *r, struct handoff *h)
{
	struct kho_metadata m = { .kexec_count = r->foreign.kexec_count + r->cfg.generation + 1 };

	str_format(m.previous_release, sizeof(m.previous_release), "baton-%s", BATON_VERSION);
	memcpy(mem_ptr(h->results), &results, sizeof(results));
	return kho_metadata_write(&m, mem_ptr(h->metadata));
}

/* Sub-nodes, oldest first. */
static int write_tree(const struct run *r, struct handoff *h)
{
	const struct kho_subnode ours[] = {
		{ .name = KHO_NODE_METADATA, .pa = h->metadata, .size = KHO_METADATA_BYTES },
		{ .name = KHO_NODE_LUO, .pa = records_luo(h->records), .size = sizeof(struct kho_luo_ser) },
		{ .name = NODE_NAME, .pa = h->node, .size = NODE_BYTES },
	};
	const size_t carried = r->foreign.nr_nodes;
	struct kho_subnode nodes[KHO_MAX_SUBNODES + ARRAY_SIZE(ours)];
	const struct kho_plan plan = {
		.radix = &h->radix, .scratch = &r->window.areas, .scratch_pa = h->scratch_array,
		.fdt_pa = h->fdt, .nodes = nodes, .nr_nodes = carried + ARRAY_SIZE(ours),
		.nr_carried = carried,
	};
	struct kho_data written;
	int err;

	memcpy(nodes, r->foreign.node, carried * sizeof(nodes[0]));
	memcpy(&nodes[carried], ours, sizeof(ours));
	err = kho_write(&plan, &written);

	/* boot_params was built with these before anything was written. */
	if (!err && memcmp(&written, &h->data, sizeof(written)))
		return -EINVAL;
	return err;
}

/* Digests of every page of the tree itself; the reader lists the radix nodes. */
static int digest_metadata(const struct run *r, struct handoff *h)
{
	struct kho_handoff read;
	struct kho_limits lim;
	struct kho_refusal why;
	int err;

	if (!prove_limits(&lim, r->bi))
		return -ENOMEM;
	err = kho_read(&h->data, &lim, &read, &why);
	if (err) {
		platform_log("save: our own handoff is refused: %s %s (%llx)", why.what, why.fault,
			     (unsigned long long)why.at);
		return err;
	}
	h->n->radix_crc32c = prove_radix_crc32c(&read.map);
	err = prove_record_page(h->n, h->fdt, NODE_DIGEST_METADATA, NODE_NO_OWNER);
	if (!err)
		err = prove_record_page(h->n, h->scratch_array, NODE_DIGEST_METADATA, NODE_NO_OWNER);
	if (!err)
		err = prove_record_page(h->n, h->metadata, NODE_DIGEST_METADATA, NODE_NO_OWNER);
	if (!err)
		err = prove_record_page(h->n, h->results, NODE_DIGEST_METADATA, NODE_NO_OWNER);
	return err;
}

static int write_handoff(struct run *r, struct handoff *h, const struct kexec_target *t)
{
	size_t used;
	int err;

	h->n->generation = r->cfg.generation;
	h->n->tsc_khz = time_tsc_khz();
	h->n->image_bytes = t->part[0].len;
	h->n->image_crc32c = t->part[0].crc32c;
	h->n->results_pa = h->results;
	h->n->hostile = r->left_hostile;
	h->n->hostile_segment = r->cfg.hostile.segment;
	h->n->hostile_rid = r->cfg.hostile.rid;
	err = kho_radix_init(&h->radix, &r->window.areas);
	if (!err)
		err = picture_record(r->mmu, h->n);
	if (!err)
		err = prove_record_tables(r->mmu, h->n);
	if (err == -ENOSPC)
		platform_log("save: more units, devices or table pages (%u) than this version hands over",
			     NODE_MAX_DIGESTS);
	if (!err)
		err = preserve_units(r, h);
	for (size_t i = 0; i < r->nr_ports && !err; i++)
		err = preserve_port(r, &r->port[i], h);
	if (!err && !run_next_is_linux(r)) {	/* it is dropped when it has been used */
		h->n->payload = r->payload;
		err = payload_preserve(&r->payload, &h->radix);
	}
	if (!err)
		err = preserve_page(h, h->results);
	if (!err)
		err = carry_write(&r->foreign, h->foreign, &h->radix, h->n);
	if (!err)
		err = records_write(r->mmu, r->port, r->nr_ports, r->cfg.generation, &r->foreign,
				    r->cfg.profile == PROFILE_IOMMU_SERIES ? KHO_PROFILE_IOMMU_SERIES
									   : KHO_PROFILE_LINUX_7_3,
				    &h->radix, h->records);
	if (!err)
		err = write_metadata(r, h);
	if (!err)
		err = write_tree(r, h);
	if (!err)
		err = digest_metadata(r, h);
	if (!err)
		err = records_digest(h->records, h->n);
	if (!err)
		err = node_write(h->n, mem_ptr(h->node), &used);
	return err;
}

/* ---- the steps, in order --------------------------------------------------------------------------- */

static int allocate(const struct run *r, struct handoff *h)
{
	memset(h, 0, sizeof(*h));
	h->n = scratch_new(sizeof(*h->n));
	h->records = scratch_new(sizeof(*h->records));
	h->fdt = mem_alloc_pages(0);
	h->scratch_array = mem_alloc_pages(0);
	h->metadata = mem_alloc_pages(0);
	h->results = mem_alloc_pages(0);
	h->node = mem_alloc_pages(NODE_ORDER);
	if (r->foreign.nr_extents)
		h->foreign = mem_alloc_pages(carry_list_order(&r->foreign));
	if (!h->n || !h->records || !h->fdt || !h->scratch_array || !h->metadata || !h->results ||
	    !h->node || (r->foreign.nr_extents && !h->foreign))
		return -ENOMEM;
	h->data = (struct kho_data){
		.fdt_pa = h->fdt, .fdt_size = KHO_FDT_BYTES, .scratch_pa = h->scratch_array,
		.scratch_size = r->window.areas.nr * sizeof(struct kho_scratch_entry),
	};
	return 0;
}

static void drop(const struct run *r, struct handoff *h)
{
	if (h->radix.root)
		kho_radix_free(&h->radix);
	kho_pages_free(&h->records->pages, 0);
	mem_free_pages(h->fdt, 0);
	mem_free_pages(h->scratch_array, 0);
	mem_free_pages(h->metadata, 0);
	mem_free_pages(h->results, 0);
	mem_free_pages(h->node, NODE_ORDER);
	if (h->foreign)
		mem_free_pages(h->foreign, carry_list_order(&r->foreign));
}

static struct corrupt_place corrupt_place(const struct run *r, const struct handoff *h,
					  const struct kexec_target *t)
{
	return (struct corrupt_place){ .target = t, .node = h->n, .fdt = h->fdt,
				       .radix_root = h->radix.root, .scratch = r->window.own,
				       .device_record = kho_iommu_device_pa(&h->records->pages,
									    &h->records->placed, 0),
				       .luo = records_luo(h->records) };
}

int handover_save(struct run *r, struct kexec_target *t)
{
	struct corrupt_place place;
	struct handoff h;
	int err;

	err = allocate(r, &h);
	if (err) {
		platform_log("save: no memory left for the handoff");
		return err;
	}
	err = next_load(r, &h.data, t);					/* (a) */
	if (!err) {							/* (b): this is one thread */
		err = fence_unpreserved(r);				/* (c) */
		if (!err)
			err = drain_units(r);				/* (d) */
	}
	for (size_t i = 0; i < r->nr_ports && !err; i++) {
		port_poll(&r->port[i]);
		err = port_settle(&r->port[i]);				/* (e) */
	}
	if (!err)
		err = write_handoff(r, &h, t);				/* (f) */
	if (!err) {
		place = corrupt_place(r, &h, t);
		corrupt_before_checks(r->cfg.corrupt, &place);
		err = outgoing_check(r, &h.data, t);			/* (g) */
	}
	if (err) {
		platform_log("save: the handoff is dropped (error %d)", -err);
		drop(r, &h);
		return err;
	}
	platform_log("save: %llu pages preserved, %llu taken by this generation; scratch %llu KiB",
		     (unsigned long long)h.radix.pages, (unsigned long long)keep_pages_in_use(),
		     (unsigned long long)scratch_used() >> 10);
	corrupt_after_checks(r->cfg.corrupt, &place);
	return 0;
}

/* A kernel that does not know KHO would take preserved memory for free, under live DMA. */
static void stop_devices(struct run *r)
{
	for (size_t i = 0; i < r->nr_ports; i++)
		iommu_fence(r->mmu, r->port[i].nic.segment, r->port[i].nic.rid);
	if (iommu_shut_down(r->mmu))
		verdict_end(VERDICT_TIMEOUT, "Linux is not started: a remapping unit does not switch off (linux_kho=no), the line above says what was waited for");
}

_Noreturn void handover_jump(struct run *r, const struct kexec_target *t)
{
	console_flush();
	console_defer(true);
	hostile_shoot(r);
	for (size_t i = 0; i < r->nr_ports; i++) {
		struct port *p = &r->port[i];

		for (unsigned n = 0; n < DRAIN_POLLS && port_poll(p); n++)
			;
		port_settle(p);
		port_record(p, r->cfg.generation);
	}
	if (run_next_is_linux(r) && !r->cfg.linux_kho)
		stop_devices(r);
	time_delay_us((uint64_t)r->cfg.hold_ms * 1000);
	kexec_jump(t);
}
