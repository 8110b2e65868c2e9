"""Bugs in both sides of a hand-over that its run on the strict model notices: two units, what the
units still have cached, memory that is gone after the jump.  QEMU has none of these.
"""
from typing import Tuple

from mutant import Mutant, Unit, mutant

IOMMU = "kernel/machine/iommu.c"
SAVE, ADOPT, CLAIM = "kernel/handover/save.c", "kernel/handover/adopt.c", "kernel/handover/claim.c"
PROVE, PLAIN = "kernel/handover/prove.c", "kernel/handover/records_plain.c"


def one(test: str) -> Unit:
    return Unit("test_model_handover", test)


def two(test: str) -> Unit:
    return Unit("test_model_handover_units", test)


def broken(test: str) -> Unit:
    return Unit("test_model_handover_broken", test)


SAVING: Tuple[Mutant, ...] = (
    mutant("handover.queue_not_preserved", "M1: the unit reads a ring that is free memory", SAVE,
           "\t\terr = preserve_page(h, u->ring);\n", "\t\terr = 0;\n", one("test_one_port")),
    mutant("handover.first_unit_preserved", "M1: tables of the other unit are free memory", PROVE,
           "\t\terr = vtd_context_for_each_table(&tables, record_context_table, n);\n",
           "\t\terr = i ? 0 : vtd_context_for_each_table(&tables, record_context_table, n);\n",
           two("test_equal_dids")),
    mutant("handover.left_behind_not_flushed", "M3, F27: the unit still sees the entry", SAVE,
           "\t\t\terr = iommu_leave(r->mmu, fn->segment, fn->rid);\n",
           "\t\t\tr->mmu->unit[0].vtd.caps.coherent = true;\n"
           "\t\t\terr = iommu_leave(r->mmu, fn->segment, fn->rid);\n",
           Unit("test_model_handover_hostile", "test_hostile")),
    mutant("handover.places_before_written", "M4: places of a handoff that was never written", SAVE,
           "\tif (!err) {\n\t\tplace = corrupt_place(r, &h, t);\n",
           "\tplace = corrupt_place(r, &h, t);\n\tif (!err) {\n", broken("test_dropped")),
    mutant("handover.record_of_first_unit", "F34: the record's unit is always the first", PLAIN,
           ".domain = d->domain, .unit = unit[d->unit],", ".domain = d->domain, .unit = 0,",
           two("test_equal_dids")),
)

ADOPTING: Tuple[Mutant, ...] = (
    mutant("handover.queue_of_first_unit", "H5: the other goes on with a ring that nobody writes", ADOPT,
           "\n\t\ttake_over_queue(a, u);\n", "\n\t\tif (!i)\n\t\t\ttake_over_queue(a, u);\n", two("test_equal_dids")),
    mutant("handover.first_unit_compared", "H1: the other does not translate", ADOPT,
           "\t\tif (fault)\n\t\t\trefuse_unit", "\t\tif (fault && !i)\n\t\t\trefuse_unit",
           broken("test_units")),
    mutant("handover.any_unit_accepted", "H1, F52: a unit that was not handed over translates by nobody's tables",
           ADOPT, "\t\tif (mmu->unit[i].used && !node_names_unit(", "\t\tif (i > 99 && !node_names_unit(",
           broken("test_units")),
    mutant("handover.preserved_given_out", "M4: memory of the handoff is free memory", CLAIM,
           "\tfor (size_t i = 0; i < map->nr_ranges; i++)\n\t\tbusy[n++]",
           "\tfor (size_t i = 0; i < map->nr_ranges / 2; i++)\n\t\tbusy[n++]", one("test_one_port")),
)

FENCING: Tuple[Mutant, ...] = (
    mutant("handover.block_believes_entry", "F27, F04: it is gone, but cached", "vtd/source.c",
           "\tconst int rc = vtd_inval_global(u);\n", "\tconst int rc = was_present ? vtd_inval_global(u) : 0;\n",
           Unit("test_source", "test_block")),
    mutant("handover.masters_left_on", "F04: behind a root entry that leads elsewhere", IOMMU,
           "\tiommu_bus_masters_off(mmu);\n\tfor", "\tfor",
           broken("test_contexts")),
    mutant("handover.root_not_replaced", "F04, F51: tables that cannot be trusted stay in use", IOMMU,
           "\t\terr = root ? vtd_unit_set_root(u, root) : -ENOMEM;\n", "\t\terr = root ? 0 : -ENOMEM;\n",
           broken("test_contexts")),
    mutant("handover.new_root_not_flushed", "F27: what the old tables said is still cached", IOMMU,
           "\t\terr = root ? vtd_unit_set_root(u, root) : -ENOMEM;\n",
           "\t\terr = root ? vtd_unit_latch_root(u, root) : -ENOMEM;\n", broken("test_contexts")),
    mutant("handover.denied_dids_kept", "F10: taken for devices that are gone", IOMMU,
           "\t\t\tvtd_dids_init(&u->dids, u->caps.ndoms);\n", "\t\t\terr = 0;\n", broken("test_contexts")),
    mutant("handover.denied_devices_listed", "F13: fenced, but still in the list", IOMMU,
           "\tmmu->nr_devices = mmu->nr_domains = 0;\n\treturn first;\n", "\treturn first;\n",
           broken("test_contexts")),
    mutant("handover.alias_goes_on", "F14, F30: what one id may not the other does", ADOPT,
           "\tblame_aliases(a);\n\tfor", "\t(void)blame_aliases;\n\tfor", broken("test_aliases")),
    mutant("handover.bridge_loses_master", "D1: whoever else is behind it falls silent", IOMMU,
           "\tif (fn >= 0 && !mmu->fns[fn].is_bridge)", "\tif (fn >= 0)", Unit("test_iommu", "test_fence")),
    mutant("handover.first_digest_decides", "F04: another device's broken tables go unseen",
           "kernel/handover/confirm.c",
           "\tbad_pasid = prove_digests(a->n, NODE_DIGEST_PASID, a->picture, &a->blame);\n\tif (!bad)\n"
           "\t\tbad = bad_pasid;\n",
           "\tbad_pasid = bad;\n\tif (!bad_pasid)\n"
           "\t\tbad = prove_digests(a->n, NODE_DIGEST_PASID, a->picture, &a->blame);\n",
           broken("test_tables")),
)

HANDOVER = SAVING + ADOPTING + FENCING
