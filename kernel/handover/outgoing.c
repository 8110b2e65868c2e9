/* What is about to be handed over, looked at as the next kernel will look at it. */
#include "outgoing.h"

#include "errno.h"
#include "kernel/handover/carry.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records.h"
#include "kernel/handover/restore.h"
#include "kernel/memory/scratch.h"
#include "kernel/report/ktap.h"
#include "kho/metadata.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/formats.h"
#include "vtd/regs.h"

static const struct prove_ids save_ids = {
	.mode = CHECK_SAVE_TABLES_MATCH, .preserved = CHECK_SAVE_TABLES_PRESERVED,
	.tables = CHECK_SAVE_TABLES_MATCH, .root = CHECK_SAVE_TABLES_MATCH,
	.context = CHECK_SAVE_TABLES_MATCH, .pasid = CHECK_SAVE_TABLES_MATCH,
	.entry = CHECK_SAVE_TABLES_MATCH, .did = CHECK_SAVE_TABLES_MATCH,
};

/* Whether the last descriptor is a wait that has completed: all before it has been done. */
static bool ends_with_wait(const struct iommu_unit *u, uint64_t iqt)
{
	const uint64_t tail = iqt & VTD_IQ_OFFSET;
	const struct vtd_qi_desc *last = mem_ptr(u->vtd.qi.ring + (tail ? tail : PAGE_SIZE) -
						 vtd_qi_desc_bytes(u->vtd.qi.iqa));

	return FIELD_GET(VTD_QI_TYPE, mem_read64(&last->lo)) == VTD_QI_WAIT &&
	       mem_read32(mem_ptr(u->vtd.qi.status)) == u->vtd.qi.data;
}

/* As this kernel has brought the unit up or found it, and not touched since. */
static void check_translation(const struct iommu_unit *u, const struct vtd_unit_state *s)
{
	const uint32_t on = VTD_GSTS_TES | VTD_GSTS_RTPS;
	const uint64_t rtaddr = u->vtd.root | FIELD_PREP(VTD_RTADDR_TTM, u->vtd.ttm);

	check_ok(CHECK_SAVE_UNITS_TRANSLATE, (s->gsts & on) == on && !(s->gsts & VTD_GSTS_IRES),
		 "vtd%u GSTS is %08x", u->vtd.index, s->gsts);
	check_eq(CHECK_SAVE_UNITS_TRANSLATE, "RTADDR", s->rtaddr, rtaddr);
	check_eq(CHECK_SAVE_UNITS_TRANSLATE, "GCMD writes that dropped TE", u->vtd.gcmd_te_drops, 0);
}

static void check_units(const struct run *r)
{
	for (size_t i = 0; i < r->mmu->nr_units; i++) {
		const struct iommu_unit *u = &r->mmu->unit[i];
		struct vtd_unit_state s;

		if (!u->used)
			continue;
		vtd_unit_read_state(&u->vtd, &s);
		check_translation(u, &s);
		check_ok(CHECK_SAVE_EVENTS_MASKED, s.fectl & VTD_EVENT_IM, "vtd%zu FECTL is %08x", i,
			 s.fectl);
		check_ok(CHECK_SAVE_EVENTS_MASKED,
			 !u->vtd.caps.qi || mmio_read32(u->vtd.regs + VTD_IECTL) & VTD_EVENT_IM,
			 "vtd%zu leaves invalidation events unmasked", i);
		if (u->vtd.caps.qi)
			check_ok(CHECK_SAVE_QUEUE_DRAINED, s.gsts & VTD_GSTS_QIES && s.iqh == s.iqt &&
				 ends_with_wait(u, s.iqt), "vtd%zu GSTS %08x IQH %llx IQT %llx", i, s.gsts,
				 (unsigned long long)s.iqh, (unsigned long long)s.iqt);
		else
			check_skip(CHECK_SAVE_QUEUE_DRAINED, "the unit has no queue");
	}
}

/* Nothing on the way from the device to memory is switched off. */
static void check_running(const struct run *r, const struct port *p)
{
	const struct pci_fn *fn = &r->mmu->fns[p->fn];
	struct pci_config_snapshot now;
	bool on;

	on = !pci_config_snapshot(r->mmu->fns, p->fn, &now) && now.command & PCI_COMMAND_MASTER &&
	     now.vendor == fn->vendor && now.device == fn->device && pci_is_d0(fn);
	for (unsigned k = 0; on && k < now.nr_bridges; k++)
		on = now.bridge[k].command & PCI_COMMAND_MASTER;
	check_ok(CHECK_SAVE_DEVICE_RUNNING, on, "%02x:%02x.%x or a bridge above it is off",
		 PCI_BUS(fn->rid), PCI_DEV(fn->rid), PCI_FN(fn->rid));
}

static void check_devices(const struct run *r)
{
	for (size_t i = 0; i < r->nr_ports; i++) {
		const struct pci_fn *fn = &r->mmu->fns[r->port[i].fn];

		check_running(r, &r->port[i]);
		check_ok(CHECK_SAVE_DEVICE_QUIET, pci_interrupt_messages(fn) != PCI_FEATURE_ON &&
			 pci_page_requests(fn) != PCI_FEATURE_ON && pci_ats(fn) != PCI_FEATURE_ON,
			 "%02x:%02x.%x has interrupt messages, page requests or ATS on", PCI_BUS(fn->rid),
			 PCI_DEV(fn->rid), PCI_FN(fn->rid));
	}
	if (r->nr_ports)
		return;
	check_skip(CHECK_SAVE_DEVICE_QUIET, "no device is handed over");
	check_skip(CHECK_SAVE_DEVICE_RUNNING, "no device is handed over");
}

/* What the next kernel reserves, this one still has reserved. */
static void check_dids(const struct run *r)
{
	for (size_t i = 0; i < r->mmu->nr_devices; i++) {
		const struct iommu_device *d = &r->mmu->device[i];

		check_ok(CHECK_SAVE_DIDS_RESERVED, vtd_dids_used(&r->mmu->unit[d->unit].vtd.dids, d->did),
			 "DID %u of %04x can be given out", d->did, d->rid);
	}
	if (!r->mmu->nr_devices)
		check_skip(CHECK_SAVE_DIDS_RESERVED, "no device is handed over");
}

static int read_node(const struct kho_handoff *h, struct node *n, struct kho_refusal *why)
{
	const struct kho_subnode *node = kho_tree_find(&h->tree, NODE_NAME);

	return node ? node_read(kho_subnode_blob(node), n, why)
		    : kho_refuse(why, -EBADMSG, "baton node", "is missing", 0, h->tree.nr);
}

/* One hop more than was received. */
static int read_metadata(const struct run *r, const struct kho_handoff *h, struct kho_refusal *why)
{
	const struct kho_subnode *node = kho_tree_find(&h->tree, KHO_NODE_METADATA);
	struct kho_metadata m;
	int err;

	if (!node)
		return kho_refuse(why, -EBADMSG, "kexec-metadata", "is missing", 0, h->tree.nr);
	err = kho_metadata_read(kho_subnode_blob(node), &m, why);
	if (!err && m.kexec_count != r->foreign.kexec_count + r->cfg.generation + 1)
		err = kho_refuse(why, -EBADMSG, "kexec-metadata", "has another count", node->pa, m.kexec_count);
	return err;
}

static void check_handoff(const struct run *r, const struct kho_data *data)
{
	struct picture *picture = scratch_new(sizeof(*picture));
	struct restore *restore = scratch_new(sizeof(*restore));
	struct node *n = scratch_new(sizeof(*n));
	const struct records_plain *rec;
	const struct node_digest_ser *bad;
	struct kho_refusal why = { 0 };
	struct foreign foreign;
	struct kho_handoff read;
	struct kho_limits lim;

	if (!picture || !restore || !n || !prove_limits(&lim, r->bi)) {
		check_ok(CHECK_SAVE_HANDOFF_READS_BACK, false, "no scratch memory left to read it");
		return;
	}
	if (kho_read(data, &lim, &read, &why) || read_node(&read, n, &why) ||
	    read_metadata(r, &read, &why)) {
		check_ok(CHECK_SAVE_HANDOFF_READS_BACK, false, "%s %s at %llx (%llx)", why.what,
			 why.fault, (unsigned long long)why.at, (unsigned long long)why.value);
		return;
	}
	if (records_read(&read, &lim, n, true, &rec, &foreign, &why)) {
		check_ok(CHECK_SAVE_HANDOFF_READS_BACK, false, "%s %s at %llx (%llx)", why.what,
			 why.fault, (unsigned long long)why.at, (unsigned long long)why.value);
		return;
	}
	check_ok(CHECK_SAVE_HANDOFF_READS_BACK, carry_same(&foreign, &r->foreign),
		 "what another kernel handed over is not handed on as it was");
	restore_match(restore, r->mmu, &read.map, n, rec);
	check_ok(CHECK_SAVE_HANDOFF_READS_BACK, !restore->bad, "%s %s at %llx (%llx)",
		 restore->first.what, restore->first.fault, (unsigned long long)restore->first.at,
		 (unsigned long long)restore->first.value);
	bad = prove_digests(n, NODE_DIGEST_HEADER, NULL, NULL);
	if (!bad)
		bad = prove_digests(n, NODE_DIGEST_METADATA, NULL, NULL);
	check_ok(CHECK_SAVE_HANDOFF_READS_BACK, !bad, "page %llx changed since it was written",
		 bad ? (unsigned long long)bad->pa : 0);
	check_eq(CHECK_SAVE_HANDOFF_READS_BACK, "CRC32C of the radix nodes",
		 prove_radix_crc32c(&read.map), n->radix_crc32c);
	bad = prove_digests(n, NODE_DIGEST_TABLE, NULL, NULL);
	if (!bad)
		bad = prove_digests(n, NODE_DIGEST_PASID, NULL, NULL);
	check_ok(CHECK_SAVE_TABLES_MATCH, !bad, "table page %llx changed since it was digested",
		 bad ? (unsigned long long)bad->pa : 0);
	restore_picture(restore, picture);
	prove_tables(&(struct proof){
		.mmu = r->mmu, .map = &read.map, .picture = picture, .node = n, .ids = save_ids });
}

int outgoing_check(const struct run *r, const struct kho_data *data, const struct kexec_target *t)
{
	const char *changed = kexec_changed_part(t);

	check_ok(CHECK_SAVE_IMAGE_INTACT, !changed, "%s differs from what was loaded", changed);
	check_units(r);
	check_devices(r);
	check_dids(r);
	check_handoff(r, data);
	ktap_print(CHECK_PHASE_SAVE);
	return ktap_phase_failed(CHECK_PHASE_SAVE) ? -EIO : 0;
}
