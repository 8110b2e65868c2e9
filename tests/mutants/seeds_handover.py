"""Bugs in both sides of a hand-over that its run on the strict model notices: two units, what the
units still have cached, memory that is gone after the jump.  QEMU has none of these.
"""
from typing import Tuple

from mutant import Mutant, Unit, mutant

IOMMU = "kernel/machine/iommu.c"
SAVE, ADOPT, ACCEPT = "kernel/handover/save.c", "kernel/handover/adopt.c", "kernel/handover/accept.c"
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
    mutant("handover.record_of_first_unit", "F34: the record's unit is always the first", PLAIN,
           ".domain = d->domain, .unit = unit[d->unit],", ".domain = d->domain, .unit = 0,",
           two("test_equal_dids")),
)

ADOPTING: Tuple[Mutant, ...] = (
    mutant("handover.queue_of_first_unit", "H5: the other goes on with a ring that nobody writes", ADOPT,
           "\t\tstruct iommu_unit *u = unit_at(a->r->mmu, a->n->unit[i].regs_pa);\n\n\t\ttake_over_queue",
           "\t\tstruct iommu_unit *u = unit_at(a->r->mmu, a->n->unit[i].regs_pa);\n\n\t\tif (!i)\n"
           "\t\t\ttake_over_queue", two("test_equal_dids")),
    mutant("handover.first_unit_compared", "H1: the other does not translate", ADOPT,
           "\t\tif (!fault)\n\t\t\tcontinue;\n", "\t\tif (!fault || i)\n\t\t\tcontinue;\n",
           broken("test_units")),
    mutant("handover.preserved_given_out", "M4: memory of the handoff is free memory", ACCEPT,
           "\tfor (size_t i = 0; i < map->nr_ranges; i++)\n\t\tbusy[n++]",
           "\tfor (size_t i = 0; i < map->nr_ranges / 2; i++)\n\t\tbusy[n++]", one("test_one_port")),
)

FENCING: Tuple[Mutant, ...] = (
    mutant("handover.block_believes_entry", "F27, F04: it is gone, but cached", IOMMU,
           "\treturn err ? err : vtd_inval_global(u);\n", "\treturn err;\n", broken("test_contexts")),
    mutant("handover.masters_left_on", "F04: behind a root entry that leads elsewhere", ADOPT,
           "\t\tiommu_bus_masters_off(r->mmu);\n\t\tr->nr_ports", "\t\tr->nr_ports",
           broken("test_contexts")),
)

HANDOVER = SAVING + ADOPTING + FENCING
