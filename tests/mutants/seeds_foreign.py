"""Bugs in taking over from another kernel, and in carrying on what it handed over."""
from typing import Tuple

from mutant import Mutant, Unit, mutant

FOREIGN, CARRY, CLAIM = "kernel/handover/foreign.c", "kernel/handover/carry.c", "kernel/handover/claim.c"
LEFT, WINDOW = "kernel/machine/iommu_left.c", "kernel/memory/window.c"
RECORDS, SAVE, OUTGOING = "kernel/handover/records.c", "kernel/handover/save.c", "kernel/handover/outgoing.c"
ACCEPT, BOOTPARAMS = "kernel/handover/accept.c", "kernel/handover/bootparams.c"
APIC, RECEIVE = "kernel/machine/apic.c", "kernel/handover/receive.c"


def read(test: str) -> Unit:
    return Unit("test_foreign", test)


def world(test: str) -> Unit:
    return Unit("test_model_handover_foreign", test)


def parts(test: str) -> Unit:
    return Unit("test_window", test)


def apic(test: str) -> Unit:
    return Unit("test_apic", test)


PROCESSORS: Tuple[Mutant, ...] = (
    mutant("apic.init_to_all", "INIT to ourselves as well", APIC,
           "UINT32_C(3) << 18)", "UINT32_C(2) << 18)", apic("test_init_xapic")),
    mutant("apic.startup_for_init", "another message than INIT", APIC,
           "(UINT32_C(5) << 8 |", "(UINT32_C(6) << 8 |", apic("test_init_x2apic")),
    mutant("apic.deassert", "INIT without its assert level", APIC,
           " | BIT32(14) | ", " | ", apic("test_init_xapic")),
    mutant("apic.x2apic_by_mmio", "a page that does not answer in x2APIC mode", APIC,
           "\tif (base & APIC_BASE_X2APIC) {\n\t\tcpu_wrmsr", "\tif (0) {\n\t\tcpu_wrmsr", apic("test_init_x2apic")),
    mutant("apic.not_waited_for", "INIT is still on its way", APIC,
           "\t\tif (!(mmio_read32(icr) & ICR_PENDING))\n\t\t\treturn 0;", "\t\treturn 0;", apic("test_init_xapic")),
    mutant("apic.never_sent_is_fine", "an APIC that does not send", APIC,
           "\treturn -ETIMEDOUT;\n", "\treturn 0;\n", apic("test_init_never_sent")),
    mutant("apic.on_any_processor", "INIT to the boot processor resets the machine", APIC,
           "\tif (!(base & APIC_BASE_BSP))\n", "\tif (0)\n", apic("test_init_refused")),
    mutant("apic.unmapped_is_none", "no page, so no processors", APIC,
           "\t\treturn -ENOMEM;\n", "\t\treturn -ENODEV;\n", apic("test_init_refused")),
    mutant("apic.disabled_is_written", "registers of an APIC that is off", APIC,
           "\tif (!(base & APIC_BASE_ENABLE))\n\t\treturn -ENODEV;\n", "", apic("test_init_refused")),
    mutant("apic.last_entry_unmasked", "one vector less than the version says", APIC,
           "i <= entries &&", "i < entries &&", apic("test_mask")),
    mutant("receive.any_processor", "the run goes on where INIT could not be sent", RECEIVE,
           "\tcase -EOPNOTSUPP:\n", "\tcase -EOPNOTSUPP:\n\t\treturn;\n", world("test_processors")),
    mutant("receive.unmapped_goes_on", "the run goes on where INIT could not be sent", RECEIVE,
           "\tcase -ENOMEM:\n", "\tcase -ENOMEM:\n\t\treturn;\n", world("test_processors")),
    mutant("receive.not_sent_goes_on", "the run goes on where INIT was not sent", RECEIVE,
           "\tdefault:\n", "\tdefault:\n\t\treturn;\n", world("test_processors")),
)

READING: Tuple[Mutant, ...] = (
    mutant("foreign.iommu_accepted", "live devices of another kernel are forgotten", FOREIGN,
           "\tif (kho_iommu_find(l, &at, why) == -ENOENT)\n", "\tif (kho_iommu_find(l, &at, why) <= 0)\n", read("test_bad")),
    mutant("foreign.flb_count", "an FLB that cannot be handed on", FOREIGN,
           "\tif (!flb->count)\n", "\tif (0)\n", read("test_bad")),
    mutant("foreign.session_named_baton", "two sessions of one name later", FOREIGN,
           "\tif (!strcmp(s->name, RECORDS_SESSION))\n", "\tif (0)\n", read("test_bad")),
    mutant("foreign.baton_node", "a handoff of ours taken for another's", FOREIGN,
           "\tif (!err && kho_tree_find(&h->tree, NODE_NAME))\n", "\tif (0)\n", read("test_stray_node")),
    mutant("foreign.metadata_unread", "kexec-metadata of another version", FOREIGN,
           "\tif (n) {\n\t\terr = kho_metadata_read", "\tif (n && !n->size) {\n\t\terr = kho_metadata_read", read("test_bad")),
    mutant("foreign.memblock_unread", "memblock of another version", FOREIGN,
           "\tif (!n)\n\t\treturn 0;\n\terr = kho_memblock_open", "\tif (!n || n->size)\n\t\treturn 0;\n\terr = kho_memblock_open", read("test_bad")),
    mutant("foreign.handler_guessed", "data of an unknown handler is followed", FOREIGN,
           "\tif (strcmp(file->compatible, KHO_MEMFD_COMPATIBLE)) {", "\tif (!file->compatible[0]) {",
           read("test_bad")),
    mutant("foreign.names_printed_raw", "a name writes a verdict", FOREIGN,
           "name[i] > ' ' && name[i] < 0x7f ? name[i] : '?'", "name[i]", read("test_names")),
    mutant("foreign.all_extents_listed", "thousands of lines", FOREIGN,
           "\tconst size_t shown = MIN(m->nr_extents, MAX_SHOWN);\n", "\tconst size_t shown = m->nr_extents;\n",
           read("test_scattered")),
    mutant("foreign.holes_skipped", "a digest without the holes", FOREIGN,
           "\t\tcrc = kho_crc32c_zeros(crc, from - at);\n", "\t\t(void)at;\n", read("test_holes")),
    mutant("foreign.last_hole_skipped", "a digest without the hole at the end", FOREIGN,
           "\treturn kho_crc32c_zeros(crc, m->size - at);\n", "\treturn crc;\n", read("test_holes")),
    mutant("foreign.crc_beyond_the_end", "a digest of whole pages", FOREIGN,
           "len = MIN(f->len, m->size - from);", "len = f->len;", read("test_report")),
    mutant("foreign.crc_of_zeros", "one power of two left out", "kho/crc32c.c",
           "\t\tif (len & 1)\n\t\t\tcrc = apply(step, crc);\n", "\t\tif (len & 1 && len != 3)\n\t\t\tcrc = apply(step, crc);\n",
           Unit("test_crc32c", "test_zeros")),
    mutant("foreign.region_version", "reserve_mem of another version", "kho/memblock.c",
           "\tif (!kho_fdt_compatible(fdt, *node, REGION_COMPATIBLE))", "\tif (0)", read("test_bad")),
    mutant("foreign.region_shared", "reserve_mem in what is written anew", FOREIGN,
           "\tif (err)\n\t\treturn err;\n\tkprintf(\"# foreign: reserve_mem", "\tif (err == 1)\n\t\treturn err;\n\tkprintf(\"# foreign: reserve_mem", read("test_bad")),
    mutant("foreign.initrd_anywhere", "an initrd that is not RAM", BOOTPARAMS,
           "\tif (bytes > INITRD_MAX || !in_ram(w, pa, bytes))", "\tif (bytes > INITRD_MAX)",
           Unit("test_bootparams", "test_initrd")),
    mutant("foreign.initrd_endless", "an initrd without bound", BOOTPARAMS,
           "\tif (bytes > INITRD_MAX || !in_ram(w, pa, bytes))", "\tif (!in_ram(w, pa, bytes))",
           Unit("test_bootparams", "test_initrd")),
    mutant("foreign.initrd_by_e820_alone", "an initrd in memory of the firmware", BOOTPARAMS,
           "\tif (!err)\n\t\terr = read_efi_info(&w);\n\tif (!err)\n\t\terr = read_initrd(&w);",
           "\tif (!err)\n\t\terr = read_initrd(&w);\n\tif (!err)\n\t\terr = read_efi_info(&w);",
           Unit("test_bootparams", "test_initrd_of_firmware")),
)

KEEPING: Tuple[Mutant, ...] = (
    mutant("carry.root_fdt_kept", "what is written anew piles up", FOREIGN,
           "\treplace(&w, h->data.fdt_pa, h->tree.fdt_bytes);\n", "", read("test_handed_on")),
    mutant("carry.luo_kept", "the old LUO blob piles up", FOREIGN,
           "\treplace(w, n->pa, n->size);\n\tif (l->flbs_pa)", "\tif (l->flbs_pa)", read("test_handed_on")),
    mutant("carry.flb_page_kept", "the old page of FLBs piles up", FOREIGN,
           "\tif (l->flbs_pa)\n\t\treplace(w, l->flbs_pa, PAGE_SIZE);\n", "", read("test_handed_on")),
    mutant("carry.chunk_behind_lost", "what follows a replaced page is not preserved again", CARRY,
           "\tif (end < len)\n\t\tout[n++]", "\tif (0)\n\t\tout[n++]", world("test_generations")),
    mutant("carry.sub_nodes_not_digested", "a blob that is carried on changes unseen", CARRY,
           "\t\tcrc = kho_crc32c(crc, mem_ptr(f->node[i].pa), f->node[i].size);\n", "\t\tcrc += i;\n",
           world("test_broken")),
    mutant("carry.more_pieces_than_fit", "refused at once, not after the stream", CARRY,
           "\tif (f->nr_extents > MAX_LISTED ||", "\tif (f->nr_extents > PROVE_MAX_EXTENTS ||", read("test_no_room")),
    mutant("carry.more_nodes_than_fit", "refused at once, not after the stream", CARRY,
           "h->map.nr_nodes > PROVE_MAX_NODES - OWN_RADIX_NODES)", "h->map.nr_nodes > PROVE_MAX_NODES)",
           read("test_no_room")),
    mutant("carry.digested_anew", "what changed under way gets a digest that fits", CARRY,
           ".carried_crc32c = f->carried_crc32c,\n\t};", ".carried_crc32c = carried_crc32c(f),\n\t};",
           world("test_changed_under_way")),
    mutant("carry.no_room_in_the_root_fdt", "refused at once, not after the stream", CARRY,
           "\tif (f->nr_nodes + OWN_NODES > KHO_MAX_SUBNODES ||", "\tif (f->nr_nodes > KHO_MAX_SUBNODES ||",
           read("test_no_room")),
    mutant("carry.no_room_for_our_flb", "refused at once, not after the stream", CARRY,
           "f->luo.nr_flbs + OWN_FLBS > KHO_MAX_FLBS", "f->luo.nr_flbs > KHO_MAX_FLBS", read("test_bad")),
    mutant("carry.blobs_of_any_size", "digested in every blackout", CARRY,
           "\tif (blobs > MAX_BLOBS)\n", "\tif (blobs > 2 * MAX_BLOBS)\n", read("test_no_room")),
    mutant("foreign.device_file_carried_on", "its device has been stopped", FOREIGN,
           "\t\treturn !is_device(file) ? 0 :", "\t\treturn !is_device(file) || file ? 0 :", read("test_bad")),
    mutant("carry.oldest_first", "sub-nodes change places", CARRY,
           "for (size_t i = t->nr; i-- > 0;)\t/* the FDT has the newest first */\n",
           "for (size_t i = 0; i < t->nr; i++)\n", world("test_generations")),
    mutant("carry.metadata_twice", "kexec-metadata is carried on", CARRY,
           "!strcmp(n->name, KHO_NODE_METADATA) ||\n", "\n", world("test_generations")),
    mutant("carry.blob_preserved_twice", "a carried blob entered again", "kho/write.c",
           "for (size_t i = p->nr_carried; i", "for (size_t i = 0; i", read("test_handed_on")),
    mutant("carry.order_lost", "every page for itself", CARRY,
           "err = kho_preserve(radix, e->pa + (i << (PAGE_SHIFT + e->order)), (unsigned)e->order);",
           "err = kho_preserve(radix, e->pa + (i << PAGE_SHIFT), 0);", read("test_handed_on")),
    mutant("carry.list_not_preserved", "the list dies", CARRY,
           "\terr = kho_preserve_range(radix, list, PAGE_SIZE << carry_list_order(f));\n", "\terr = 0;\n",
           world("test_generations")),
    mutant("carry.sessions_dropped", "ours alone", RECORDS,
           "return kho_luo_write(&luo, &foreign->luo, radix, &rec->pages, why);",
           "return kho_luo_write(&luo, NULL, radix, &rec->pages, why);", world("test_generations")),
    mutant("carry.flbs_dropped", "ours alone", RECORDS,
           "\tconst size_t nr_flbs = 1 + foreign->luo.nr_flbs;\n", "\tconst size_t nr_flbs = 1;\n",
           world("test_generations")),
    mutant("carry.liveupdate_num", "counts from one again", RECORDS,
           ".liveupdate_num = foreign->liveupdate_num + generation + 1,",
           ".liveupdate_num = (uint64_t)generation + 1,", world("test_generations")),
    mutant("carry.kexec_count", "counts from one again", SAVE,
           ".kexec_count = r->foreign.kexec_count + r->cfg.generation + 1 };",
           ".kexec_count = r->cfg.generation + 1 };", world("test_generations")),
    mutant("carry.kexec_count_expected", "counts from one again", ACCEPT,
           "m.kexec_count != a->n->foreign.kexec_count + a->r->cfg.generation",
           "m.kexec_count != a->r->cfg.generation", world("test_generations")),
    mutant("carry.nodes_dropped", "memblock is gone", SAVE,
           "\tconst size_t carried = r->foreign.nr_nodes;\n", "\tconst size_t carried = 0;\n",
           world("test_generations")),
    mutant("carry.outgoing_same", "nobody compares", OUTGOING,
           "carry_same(&foreign, &r->foreign),", "true,", world("test_outgoing")),
)

FINDING: Tuple[Mutant, ...] = (
    mutant("carry.list_digest", "a list that changed", CARRY,
           "\tif (kho_crc32c(0, f->extent, list_bytes(f->nr_extents)) != s->extents_crc32c)\n",
           "\tif (0)\n", world("test_broken")),
    mutant("carry.list_anywhere", "a list that is not preserved", CARRY,
           "\n\t    !kho_map_covers(&h->map, s->extents_pa, list_bytes(s->nr_extents)))", "\n\t    0)",
           read("test_carried")),
    mutant("carry.list_any_order", "an order that it was not preserved with", CARRY,
           " || in->order != e->order)", ")", read("test_carried")),
    mutant("carry.list_beyond", "more than is preserved", CARRY,
           "e->count &&\n\t       e->count <= in->count - (from >> (PAGE_SHIFT + in->order));", "e->count;",
           read("test_carried")),
    mutant("carry.list_twice", "memory that is listed twice", CARRY,
           "\t\tif (e->pa < end || !preserved", "\t\tif ((e->pa < end && !e->count) || !preserved", read("test_carried")),
    mutant("carry.blocks_digest", "a session that changed", CARRY,
           "\tif (carried_crc32c(f) != n->foreign.carried_crc32c)\n",
           "\tif (!n->foreign.carried_crc32c)\n",
           world("test_broken")),
    mutant("carry.file_blocks_digest", "a file that changed", CARRY,
           "\t\t\t\tcrc = kho_crc32c(crc, files, PAGE_SIZE);\n", "", read("test_carried")),
    mutant("carry.any_session_first", "another session taken for ours", CARRY,
           " || strcmp(luo->sessions[0].name, RECORDS_SESSION))", ")", read("test_carried")),
    mutant("carry.ours_not_alone", "a session lost behind ours", CARRY,
           "!ours || ours->count != 1 ||", "!ours ||", read("test_carried")),
    mutant("carry.any_flb_first", "another FLB taken for ours", CARRY,
           "\tif (luo->nr_flbs > 1 && strcmp", "\tif (0 && strcmp", read("test_carried")),
)

LEAVING: Tuple[Mutant, ...] = (
    mutant("left.not_busy", "pages that a unit still reads are used anew", CLAIM,
           "\tn += add_left(r, h, &busy[n]);\n", "\tadd_left(r, h, &busy[n]);\n", world("test_generations")),
    mutant("left.ring_forgotten", "the old queue is used anew", LEFT,
           "mmu->unit[i].used && s->gsts & VTD_GSTS_QIES)", "mmu->unit[i].used && i > 99)",
           world("test_generations")),
    mutant("left.gpu_goes_on", "a unit that is left alone may translate by pages of nobody", LEFT,
           "\t\tpci_bus_master(fn, false);\n", "", Unit("test_iommu", "test_left_behind")),
    mutant("left.irt_forgotten", "the old interrupt remapping table is used anew", LEFT,
           "\t\tif (s->gsts & VTD_GSTS_IRES)\n", "\t\tif (0)\n", world("test_generations")),
    mutant("left.irt_half", "half of the table is used anew", LEFT,
           "IRTE_BYTES << (FIELD_GET(VTD_IRTA_S, s->irta) + 1)", "IRTE_BYTES << FIELD_GET(VTD_IRTA_S, s->irta)",
           world("test_generations")),
    mutant("left.root_forgotten", "the old root table is used anew", LEFT,
           "\t\tif (s->gsts & VTD_GSTS_RTPS)\n", "\t\tif (0)\n", world("test_generations")),
    mutant("left.still_translating", "translation by tables that are used anew", LEFT,
           "\t\terr = vtd_unit_disable_translation(&u->vtd);\n", "", Unit("test_model_left", "test_translating")),
    mutant("left.at_what_is_preserved", "a wait written into preserved memory", CLAIM,
           "\tcheck_queues(h, busy, n);\n", "\tcheck_queues(h, busy, 0);\n", world("test_points_at_data")),
)

PLACES: Tuple[Mutant, ...] = (
    mutant("window.initrd_overwritten", "the initrd is not in the way", WINDOW,
           "\tadd_busy(&b, bi->initrd, bi->initrd_size);\n", "", parts("test_linux")),
    mutant("window.array_overwritten", "the array is not in the way", WINDOW,
           "\tadd_busy(&b, bi->kho_scratch, bi->kho_scratch_size);\n", "", parts("test_initrd")),
    mutant("window.area_not_clear", "the next image over the initrd", WINDOW,
           "e->size > r.len && is_clear(b, e))", "e->size > r.len && (is_clear(b, e) || e->size))", parts("test_initrd")),
    mutant("window.first_gap", "not the largest piece", WINDOW,
           "\t\tif (gap.len > largest[0].len) {", "\t\tif (!largest[0].len) {", parts("test_places")),
    mutant("window.across_the_middle", "a part across the middle", WINDOW,
           "\ttake_gaps(b, e->addr, e->addr + half, piece);\n\ttake_gaps(b, e->addr + half, e->addr + 2 * half, piece);\n",
           "\ttake_gaps(b, e->addr, e->addr + 2 * half, piece);\n", parts("test_turns")),
    mutant("window.larger_area_unused", "always in one area", WINDOW,
           "\tif (other.len > piece[0].len) {", "\tif (0) {", parts("test_two_areas")),
    mutant("window.lopsided", "a small piece beside a large one", WINDOW,
           "\tif (piece[0].len / MUCH_LARGER > piece[1].len) {", "\tif (0) {", parts("test_initrd")),
    mutant("window.empty_part", "no room for the next image", WINDOW,
           "\tif (!piece[0].len || !piece[1].len)\n", "\tif (!piece[1].len)\n", parts("test_places")),
)

FOREIGNERS: Tuple[Mutant, ...] = PROCESSORS + READING + KEEPING + FINDING + LEAVING + PLACES
