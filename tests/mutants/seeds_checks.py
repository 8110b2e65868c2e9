"""One bug at least for each check id, in the firmware, seen in QEMU.

The outgoing kernel's last moment is where most of them are: its own checks are done, and nothing
but the incoming kernel can notice.
"""
from typing import FrozenSet, Mapping, Tuple

import stanzas
from mutant import REFUSED, Boot, Edit, Judged, Mutant, Unit, mutant

SAVE = "kernel/handover/save.c"
ADOPT = "kernel/handover/adopt.c"
RESTORE_C = "kernel/handover/restore.c"
FEATURES = "kernel/machine/pci_features.c"
PORT = "kernel/nic/port.c"
SECOND_NIC = "0000:00:04.0"

# What is left unobserved when the NIC was fenced: a fatal check costs its stream.
NO_STREAM: FrozenSet[str] = frozenset({
    "stream.no_loss", "stream.no_duplicate", "stream.no_corruption", "stream.no_misplacement",
    "stream.guards_intact", "stream.complete", "stream.frames_in_blackout",
    "stream.ring_not_full", "replace.hitless", "fault.unmapped_blocked", "fault.memory_untouched",
})
# And when it was not adopted in the first place.
NO_PORT = NO_STREAM | {"device.config_unchanged", "device.bus_master", "device.interrupts_off",
                       "device.page_requests_off", "device.ats_off"}
# Replacing and unmapping are left out where they would only repeat what is looked for.
PLAIN: Mapping[str, str] = {"faults": "no"}
SCALABLE: Mapping[str, str] = {"mode": "scalable"}


def at_jump(name: str, code: str, dies: Boot) -> Mutant:
    """Right before the jump, after the last poll."""
    last = "\tkexec_jump(t);\n"
    return mutant(name, dies.check, SAVE, last, code + last, dies)


def at_last_poll(name: str, code: str, dies: Boot) -> Mutant:
    """While the port can still be used."""
    last = "\t\tport_record(p, r->cfg.generation);\n"
    return mutant(name, dies.check, SAVE, last, code + last, dies)


# Whatever is altered with it has a digest that fits.
REDIGEST = """\
	for (uint32_t i = 0; i < h.n->nr_digests; i++) {
		uint32_t kho_crc32c(uint32_t crc, const void *p, size_t len);
		struct node_digest_ser *d = &h.n->digest[i];

		if (d->kind == NODE_DIGEST_TABLE || d->kind == NODE_DIGEST_RECORD)
			d->crc32c = kho_crc32c(0, mem_ptr(d->pa),
					       d->kind == NODE_DIGEST_TABLE ? PAGE_SIZE : d->owner);
	}
"""


def in_record(name: str, code: str, dies: Boot) -> Mutant:
    """A handoff that is wrong, but whole: altered behind the outgoing checks."""
    last = "\tcorrupt_after_checks(r->cfg.corrupt, &place);\n"
    write = "\t{ size_t used; node_write(h.n, mem_ptr(h.node), &used); }\n"
    return mutant(name, dies.check, SAVE, last, last + code + REDIGEST + write, dies)


def at_frame(name: str, check: str, code: str, also: FrozenSet[str] = frozenset()) -> Mutant:
    """At one received frame, of generation 0."""
    place = "\t\ttake_frame(p, &rx);\n"
    body = "\t\tif (p->control->account.next == 500 && !p->bad_descriptors) {\n" + code + "\t\t}\n"
    return mutant(name, check, PORT, place, body + place,
                  Boot(check, also=also, config=PLAIN))


REGISTERS = (
    at_jump("check.translation_off", """\
	vtd_unit_disable_translation(&r->mmu->unit[0].vtd);
""", Boot("handoff.translation_on", code=REFUSED, sentence=r"handoff\.translation_on", at_once=True)),
    at_jump("check.root_moved", """\
	const paddr_t copy = mem_alloc_pages(0);

	memcpy(mem_ptr(copy), mem_ptr(r->mmu->unit[0].vtd.root), PAGE_SIZE);
	vtd_unit_set_root(&r->mmu->unit[0].vtd, copy);
""", Boot("handoff.rtaddr_unchanged", code=REFUSED, sentence=r"handoff\.rtaddr_unchanged", at_once=True)),
    # The incoming kernel was built for another mode: RTADDR itself has not changed.
    mutant("check.other_mode", "handoff.mode_unchanged", ADOPT,
           "ttm = FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr);",
           "ttm = FIELD_GET(VTD_RTADDR_TTM, u->found.rtaddr) ^ 1;",
           Boot("handoff.mode_unchanged", code=REFUSED, sentence=r"handoff\.mode_unchanged", at_once=True)),
    at_jump("check.queue_moved", """\
	vtd_qi_take_over(&r->mmu->unit[0].vtd, true, mem_alloc_pages(0), r->mmu->unit[0].status);
""", Boot("handoff.unit_unchanged")),
    mutant("check.adopt_toggles_te", "handoff.gcmd_keeps_te", ADOPT,
           "\t\ttake_over_queue(a, u);\n",
           "\t\ttake_over_queue(a, u);\n"
           "\t\tvtd_unit_disable_translation(&u->vtd);\n"
           "\t\tvtd_unit_enable_translation(&u->vtd);\n",
           Boot("handoff.gcmd_keeps_te", also=NO_STREAM)),
    mutant("check.adopt_sets_root", "handoff.root_not_rewritten", ADOPT,
           "\t\ttake_over_queue(a, u);\n",
           "\t\ttake_over_queue(a, u);\n"
           "\t\tvtd_unit_set_root(&u->vtd, u->vtd.root);\n",
           Boot("handoff.root_not_rewritten")),
    Mutant("check.queue_moved_while_on", "handoff.queue_stopped_first", (
        Edit("vtd/qi.c", """\
	return rc ? rc : vtd_unit_command(u, VTD_GCMD_QIE, false, "GSTS.QIES");
""", """\
	return rc;
"""),
        Edit("vtd/qi.c", """\
	if (mmio_read32(u->regs + VTD_GSTS) & VTD_GSTS_QIES)
		return -EBUSY;
""", ""),
        Edit("vtd/qi.c", """\
	seen->gsts_before_iqt = mmio_read32(u->regs + VTD_GSTS);
	mmio_write64(u->regs + VTD_IQT, 0);
	seen->gsts_before_iqa = mmio_read32(u->regs + VTD_GSTS);
	mmio_write64(u->regs + VTD_IQA, u->qi.iqa);
""", """\
	seen->gsts_before_iqa = mmio_read32(u->regs + VTD_GSTS);
	mmio_write64(u->regs + VTD_IQA, u->qi.iqa);
	rc = vtd_unit_command(u, VTD_GCMD_QIE, false, "GSTS.QIES");
	if (rc)
		return rc;
	seen->gsts_before_iqt = mmio_read32(u->regs + VTD_GSTS);
	mmio_write64(u->regs + VTD_IQT, 0);
""")), Boot("handoff.queue_stopped_first")),
    # A heartbeat from an address that is not mapped; the record stays until it is cleared.
    at_last_poll("check.fault_in_blackout", """\
		r->port[0].nic.tx.buf_iova += GIB(1);
		port_heartbeat(&r->port[0], true);
""", Boot("handoff.no_fault", also=frozenset({"stream.no_fault"}), config=PLAIN)),
    at_jump("check.image_written", """\
	*(uint8_t *)mem_ptr(t->part[0].pa + t->part[0].len - 1) ^= 1;
""", Boot("handoff.image_unchanged")),
    # Blocked, but the evidence is wiped: nobody would know if it had not been.
    at_jump("check.evidence_wiped", "\tvtd_fault_clear(&r->mmu->unit[0].vtd);\n",
            Boot("hostile.blocked", config={"hostile": SECOND_NIC}, more_nics=("e1000e",))),
)

MEMORY = (
    # A context table that the records know nothing of, in a page that is not handed over.
    at_jump("check.table_not_preserved", """\
	uint64_t *top = mem_ptr(r->mmu->domain[0].ss.top);

	for (unsigned i = 0; i < VTD_SS_ENTRIES; i++)
		if (vtd_ss_present(top[i])) {
			const paddr_t copy = mem_alloc_pages(0);

			memcpy(mem_ptr(copy), mem_ptr(top[i] & VTD_SS_ADDR), PAGE_SIZE);
			mem_write64(&top[i], vtd_ss_table(copy));
			break;
		}
""", Boot("memory.tables_preserved", also=NO_STREAM | {"memory.tables_unchanged"})),
    at_jump("check.table_written", """\
	uint64_t *top = mem_ptr(r->mmu->domain[0].ss.top);

	for (unsigned i = 0; i < VTD_SS_ENTRIES; i++)
		if (vtd_ss_present(top[i])) {
			mem_write64(&top[i], top[i] | BIT64(52));
			break;
		}
""", Boot("memory.tables_unchanged", also=NO_STREAM)),
    mutant("check.early_allocation", "memory.no_early_allocation", "kernel/handover/accept.c",
           "\ta->n = scratch_new(sizeof(*a->n));\n",
           "\tmem_alloc_pages(0);\n\ta->n = scratch_new(sizeof(*a->n));\n",
           Boot("memory.no_early_allocation")),
)

DEVICE_RECORD = "((struct kho_iommu_device_ser *)mem_ptr(place.device_record))"
UNIT_RECORD = ("((struct kho_iommu_unit_ser *)mem_ptr(kho_iommu_unit_pa(&h.records->pages,"
               " &h.records->placed, 0)))")
RESERVE = "\terr = vtd_dids_reserve(&u->vtd.dids, record_of(r, i)->did);\n"

RESTORE = (
    in_record("check.bus_too_many", f"\t{UNIT_RECORD}->context_tables[0] |= BIT64(10);\n",
              Boot("restore.root_entries", also=NO_STREAM)),
    # An entry that the node does not name a device for.
    in_record("check.device_too_many", """\
	const struct vtd_tables tables = vtd_unit_tables(&r->mmu->unit[0].vtd);

	vtd_context_set(&tables, 0x00f8,
			vtd_context_entry(r->mmu->domain[0].ss.top, 9,
					  vtd_aw_of_levels(r->mmu->domain[0].ss.levels)));
""", Boot("restore.context_entries", also=NO_STREAM)),
    in_record("check.did_of_record", f"\t{DEVICE_RECORD}->attachment_id ^= 4;\n",
              Boot("restore.entry_matches", also=NO_PORT)),
    in_record("check.did_reserved_value", f"\t{DEVICE_RECORD}->attachment_id = 1;\n",
              Boot("restore.records", also=NO_PORT)),
    in_record("check.owner_of_record", f"\t{DEVICE_RECORD}->owner_token++;\n",
              Boot("restore.records", also=NO_PORT)),
    in_record("check.device_was_another", "\th.n->device[0].device++;\n",
              Boot("restore.records", also=NO_PORT)),
    mutant("check.record_written", "restore.records", SAVE,
           "\tcorrupt_after_checks(r->cfg.corrupt, &place);\n",
           "\tcorrupt_after_checks(r->cfg.corrupt, &place);\n"
           "\t++*(uint64_t *)mem_ptr(place.device_record + 24);\n",
           Boot("restore.records", also=NO_PORT)),
    mutant("check.restored_twice", "restore.did_unique", RESTORE_C, RESERVE,
           "\tvtd_dids_reserve(&u->vtd.dids, record_of(r, i)->did);\n" + RESERVE,
           Boot("restore.did_unique", also=NO_PORT)),
    Mutant("check.did_not_reserved", "restore.fresh_did", (
        Edit(RESTORE_C, RESERVE, "\terr = 0;\n"),
        Edit(RESTORE_C, "\t\tvtd_dids_reserve(&u->vtd.dids, d->live_did);\n", ""),
    ), Boot("restore.fresh_did", config=PLAIN)),
)

PASIDS = (
    # A second PASID of the NIC is live; its table's digest tells as well.
    at_jump("check.pasid_beside", """\
	((uint64_t *)mem_ptr(*(uint64_t *)mem_ptr(r->mmu->device[0].pasid_dir) & ~0xfffull))[8] = 1;
""", Boot("restore.pasid_entries", also=NO_STREAM | {"memory.tables_unchanged"},
           config=SCALABLE, iommu=stanzas.SCALABLE)),
    # The context entry leads to a copy of the directory that the record names.
    at_jump("check.directory_moved", """\
	const struct vtd_tables tables = vtd_unit_tables(&r->mmu->unit[0].vtd);
	const paddr_t copy = mem_alloc_pages(0);

	memcpy(mem_ptr(copy), mem_ptr(r->mmu->device[0].pasid_dir), PAGE_SIZE);
	*(uint64_t *)mem_ptr(vtd_context_table_of(&tables, r->mmu->device[0].rid) +
			     vtd_context_offset(tables.ttm, r->mmu->device[0].rid)) = copy | 0x401;
""", Boot("restore.pasid_entries",
           also=NO_PORT | {"memory.tables_unchanged", "restore.entry_matches"},
           config=SCALABLE, iommu=stanzas.SCALABLE)),
)

DEVICE = (
    at_jump("check.nic_reset", "\tnic_stop(&r->port[0].nic);\n",
            Boot("device.not_reset", also=NO_PORT)),
    # One bit of one register: whoever compares configuration space sees it as well.
    at_jump("check.bus_master_off", "\tpci_bus_master(&r->mmu->fns[r->port[0].fn], false);\n",
            Boot("device.bus_master", also=NO_STREAM | {"device.config_unchanged"})),
    at_jump("check.command_written", """\
	pci_write_control(r->port[0].nic.segment, r->port[0].nic.rid, PCI_COMMAND,
			  (uint16_t)(pci_read16(r->port[0].nic.segment, r->port[0].nic.rid, PCI_COMMAND) &
				     ~PCI_COMMAND_INTX_OFF));
""", Boot("device.config_unchanged", also=NO_STREAM)),
    at_jump("check.message_on", """\
	const struct pci_fn *fn = &r->mmu->fns[r->port[0].fn];

	pci_write16(fn->segment, fn->rid, fn->cap_msi + 2, 1);
""", Boot("device.interrupts_off")),
    mutant("check.page_requests_unseen", "device.page_requests_off", FEATURES,
           "return extended(fn, EXT_CAP_PRI, PRI_CONTROL, PRI_ENABLE);",
           "return extended(fn, EXT_CAP_PRI, PRI_CONTROL, 0);",
           Unit("test_pci_features", "test_extended")),
    mutant("check.ats_unseen", "device.ats_off", FEATURES,
           "return extended(fn, EXT_CAP_ATS, ATS_CONTROL, ATS_ENABLE);",
           "return extended(fn, EXT_CAP_ATS, ATS_CONTROL, BIT32(0));",
           Unit("test_pci_features", "test_extended")),
    mutant("check.no_hold", "stream.frames_in_blackout", SAVE,
           "\ttime_delay_us((uint64_t)r->cfg.hold_ms * 1000);\n", "",
           Boot("stream.frames_in_blackout", config={"hold_ms": "250"}, frames=200, rate=100)),
    mutant("check.hold_too_long", "stream.ring_not_full", SAVE,
           "(uint64_t)r->cfg.hold_ms * 1000);", "(uint64_t)r->cfg.hold_ms * 50000);",
           Boot("stream.ring_not_full", frames=12000)),
)

STREAM = (
    at_frame("check.frame_dropped", "stream.no_loss",
             "\t\t\tp->bad_descriptors = 1;\n\t\t\tcontinue;\n", frozenset({"stream.complete"})),
    at_frame("check.frame_taken_twice", "stream.no_duplicate",
             "\t\t\tp->bad_descriptors = 1;\n\t\t\ttake_frame(p, &rx);\n"),
    # The buffer is written to before it is done with, once it has been counted.
    at_frame("check.buffer_written", "stream.no_corruption", """\
			p->bad_descriptors = 1;
			take_frame(p, &rx);
			*(uint8_t *)mem_ptr(p->control->rx.buffers_pa +
					    (uint64_t)rx.slot * p->control->rx.stride + 40) ^= 1;
"""),
    at_frame("check.frames_swapped", "stream.no_misplacement", """\
			const struct nic_rx first = rx;

			p->bad_descriptors = 1;
			while (!nic_rx_poll(&p->nic, &rx))
				;
			take_frame(p, &rx);
			rx = first;
""", frozenset({"stream.complete"})),
    mutant("check.guard_written", "stream.guards_intact", PORT,
           "\tfor_each_guard(p, fill_one);\n",
           "\tfor_each_guard(p, fill_one);\n"
           "\t*(uint8_t *)mem_ptr(c->rx.buffers_pa - 1) ^= 1;\n",
           Boot("stream.guards_intact")),
    mutant("check.fault_in_stream", "stream.no_fault", "kernel/main.c",
           "\tif (traffic_run(r, end))\n\t\treturn;\n",
           "\tif (run_is_last(r)) {\n"
           "\t\tr->port[0].nic.tx.buf_iova += GIB(1);\n"
           "\t\tport_heartbeat(&r->port[0], true);\n"
           "\t\tr->port[0].nic.tx.buf_iova -= GIB(1);\n"
           "\t}\n"
           "\tif (traffic_run(r, end))\n\t\treturn;\n",
           Boot("stream.no_fault", config=PLAIN)),
)

OUTGOING = (
    mutant("check.image_written_early", "save.image_intact", SAVE,
           "\tif (!err) {\t\t\t\t\t\t\t/* (b): this is one thread */\n",
           "\tif (!err) {\n\t\t*(uint8_t *)mem_ptr(t->part[0].pa + t->part[0].len - 1) ^= 1;\n",
           Boot("save.image_intact")),
    mutant("check.results_after_digest", "save.handoff_reads_back", SAVE,
           "\t\terr = node_write(h->n, mem_ptr(h->node), &used);\n",
           "\t\terr = node_write(h->n, mem_ptr(h->node), &used);\n"
           "\t*(uint8_t *)mem_ptr(h->results + PAGE_SIZE - 1) ^= 1;\n",
           Boot("save.handoff_reads_back")),
    mutant("check.buffers_not_preserved", "save.tables_preserved", SAVE,
           "\t\tif (!err && !is_file)\n", "\t\tif (!err && !is_file && i == PORT_REGIONS)\n",
           Boot("save.tables_preserved")),
    mutant("check.did_recorded_wrong", "save.tables_match", "kernel/handover/records_plain.c",
           ".devid = d->rid, .did = d->did,\n", ".devid = d->rid, .did = d->did ^ 4,\n",
           Boot("save.tables_match")),
    mutant("check.message_left_on", "save.device_quiet", PORT,
           "\tpci_interrupt_messages_off(f);\n",
           "\tpci_write16(f->segment, f->rid, f->cap_msi + 2, 1);\n",
           Boot("save.device_quiet")),
    mutant("check.translation_off_before_jump", "save.units_translate", SAVE,
           "\t\tvtd_unit_mask_events(&u->vtd);\n",
           "\t\tvtd_unit_mask_events(&u->vtd);\n\t\tvtd_unit_disable_translation(&u->vtd);\n",
           Boot("save.units_translate")),
    mutant("check.master_off_before_jump", "save.device_running", SAVE,
           "\t\t} else if (!fn->is_bridge && !iommu_device_of(r->mmu, fn->segment, fn->rid) &&\n",
           "\t\t} else if (!fn->is_bridge &&\n",
           Boot("save.device_running")),
    mutant("check.live_did_free", "save.dids_reserved", "kernel/machine/iommu.c",
           "\tif (!err)\n\t\treturn 0;\n\t/* The last detach frees the DID,",
           "\tif (!err)\n\t\tvtd_dids_free(&mmu->unit[unit].vtd.dids, did);\n"
           "\tif (!err)\n\t\treturn 0;\n\t/* The last detach frees the DID,",
           Boot("save.dids_reserved")),
    mutant("check.low_power_unseen", "save.device_running", "kernel/machine/pci.c",
           "\treturn !fn->cap_pm || !(pci_read16(fn->segment, fn->rid, fn->cap_pm + PM_PMCSR) & PMCSR_STATE);\n",
           "\treturn !fn->cap_pm || pci_read16(fn->segment, fn->rid, fn->cap_pm + PM_PMCSR) != UINT16_MAX;\n",
           Unit("test_pci")),
    # A descriptor that the hardware stops at, and nobody waits for.
    mutant("check.queue_left_stuck", "save.queue_drained", SAVE,
           "\t\tif (err)\n\t\t\treturn err;\n\t}\n\treturn 0;\n}\n\n"
           "/* ---- (f) writing",
           "\t\tif (err)\n\t\t\treturn err;\n"
           "\t\t*(uint64_t *)mem_ptr(u->vtd.qi.ring + u->vtd.qi.tail * 16) = 0xf;\n"
           "\t\tmmio_write64(u->vtd.regs + VTD_IQT, (u->vtd.qi.tail + 1) * 16);\n"
           "\t}\n\treturn 0;\n}\n\n"
           "/* ---- (f) writing",
           Boot("save.queue_drained")),
    # The next kernel cannot know when it was done.
    mutant("check.queue_without_wait", "save.queue_drained", SAVE,
           "\t\tif (err)\n\t\t\treturn err;\n\t}\n\treturn 0;\n}\n\n"
           "/* ---- (f) writing",
           "\t\tif (err)\n\t\t\treturn err;\n"
           "\t\t*(struct vtd_qi_desc *)mem_ptr(u->vtd.qi.ring + u->vtd.qi.tail * 16) =\n"
           "\t\t\tvtd_qi_iotlb(VTD_G_GLOBAL, 0, 0, 0, false);\n"
           "\t\tmmio_write64(u->vtd.regs + VTD_IQT, ++u->vtd.qi.tail * 16);\n"
           "\t}\n\treturn 0;\n}\n\n"
           "/* ---- (f) writing",
           Boot("save.queue_drained")),
    mutant("check.fault_event_unmasked", "save.events_masked", SAVE,
           "\t\tvtd_unit_mask_events(&u->vtd);\n",
           "\t\tmmio_write32(u->vtd.regs + VTD_FECTL, 0);\n",
           Boot("save.events_masked")),
    mutant("check.inval_event_unmasked", "save.events_masked", SAVE,
           "\t\tvtd_unit_mask_events(&u->vtd);\n",
           "\t\tvtd_unit_mask_events(&u->vtd);\n\t\tmmio_write32(u->vtd.regs + VTD_IECTL, 0);\n",
           Boot("save.events_masked")),
)

LAST = (
    mutant("check.ends_early", "stream.complete", "kernel/traffic.c",
           "\treturn (uint64_t)r->cfg.frames * (r->cfg.generation + 1) / r->cfg.generations;\n",
           "\treturn (uint64_t)r->cfg.frames * (r->cfg.generation + 1) / r->cfg.generations - 100;\n",
           Boot("stream.complete", config=PLAIN)),
    mutant("check.replace_keeps_did", "replace.hitless", "kernel/machine/iommu.c",
           "\tnow = source_in(mmu, domain, did);\n", "\tnow = source_in(mmu, domain, old);\n",
           # The domain that stays has 2 MiB pages, and the next test cannot take those apart.
           Boot("replace.hitless",
                also=frozenset({"fault.unmapped_blocked", "fault.memory_untouched"}))),
    mutant("check.fault_kind_wrong", "fault.unmapped_blocked", "vtd/fault.c",
           ".is_read = hi & VTD_FR_HI_T1,", ".is_read = !(hi & VTD_FR_HI_T1),",
           Boot("fault.unmapped_blocked")),
    # Unmapped late: the first of two frames for the page lands, the second does not.
    Mutant("check.unmapped_late", "fault.memory_untouched", (
        Edit("kernel/selftest/unmapped.c", "\tvtd_fault_clear(u);\n",
             "\tvtd_fault_clear(u);\n"
             "\tfill(rx->buffers_pa + off, seed);\n"
             "\twhile (p->nic.rx.next != off / rx->stride + 1)\n"
             "\t\tport_poll(p);\n"),
        Edit("kernel/selftest/unmapped.c",
             "\t\treturn;\n\t}\n\tfill(rx->buffers_pa + off, seed);\n", "\t\treturn;\n\t}\n"),
    ), Boot("fault.memory_untouched")),
    mutant("check.translation_left_on", "teardown.safe", "kernel/machine/iommu_bringup.c",
           "\t\terr = vtd_unit_disable_translation(u);\n\t\tif (!err && u->qi.on)\n",
           "\t\terr = 0;\n\t\tif (!err && u->qi.on)\n",
           Boot("teardown.safe")),
)

# ---- findings that show in a whole run only -------------------------------------------------------

ONE_OF_TWO, = stanzas.by_name(["handoff.table_of_one_nic_changed"])
RMRR_IN_USE, RMRR_LARGE, RMRR_ABSENT = stanzas.by_name(
    ["handover.rmrr", "handover.rmrr_large", "handover.rmrr_absent"])

RUNS: Tuple[Mutant, ...] = (
    mutant("restore.goes_on_unsound", "F04: a failed restore falls back silently", ADOPT,
           "\tfence_blamed(&a);\n\tadoption_quiet",
           "\tif (a.blame.all)\n\t\tfence_blamed(&a);\n\tadoption_quiet",
           Judged(ONE_OF_TWO)),
    mutant("restore.blames_everyone", "what is broken is refused as small as possible",
           "kernel/handover/prove.c",
           "\t\t\tblame_domain(blame, n, p, d->owner);\n", "\t\t\tblame->all = p != NULL;\n",
           Judged(ONE_OF_TWO)),
    mutant("restore.blames_nobody", "F04: the failure is reported, the device goes on",
           "kernel/handover/prove.c",
           "\t\t\tblame_domain(blame, n, p, d->owner);\n", "\t\t\t(void)p;\n",
           Judged(ONE_OF_TWO)),
    mutant("restore.fenced_port_served", "F13: fenced, but its stream goes on", ADOPT,
           "\t\t\trun_drop_port(r, i);\n", "\t\t\tcontinue;\n", Judged(ONE_OF_TWO)),
    mutant("rmrr.stopped_at_jump", "F18: fenced like a device that nobody needs", SAVE,
           "!fn->is_bridge && !iommu_device_of(r->mmu, fn->segment, fn->rid) &&",
           "!fn->is_bridge && (!iommu_device_of(r->mmu, fn->segment, fn->rid) ||\n"
           "\t\t\t\t\t       iommu_has_rmrr(r->mmu, i)) &&", Judged(RMRR_IN_USE)),
    mutant("rmrr.end_not_mapped", "F18: the last page of a region that is no multiple of 2 MiB",
           "kernel/machine/iommu_bringup.c", "ALIGN_UP(r->limit + 1, PAGE_SIZE) - base);",
           "ALIGN_DOWN(r->limit, PAGE_SIZE) - base);", Judged(RMRR_LARGE)),
    mutant("rmrr.claimed", "F18: the region is given out as free memory",
           "kernel/handover/claim.c", "\tn += iommu_rmrr_ranges(r->mmu, &busy[n]);\n", "",
           Judged(RMRR_ABSENT)),
)

CHECKS: Tuple[Mutant, ...] = (REGISTERS + MEMORY + RESTORE + PASIDS + DEVICE + STREAM + OUTGOING +
                              LAST + RUNS)
