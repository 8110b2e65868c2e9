"""Bugs around the hostile device: that it is blocked must be seen each time, and in two ways."""
from typing import Tuple

import stanzas
from mutant import Judged, Mutant, Unit, mutant

HOSTILE = "kernel/selftest/hostile.c"
TESTDEV = "kernel/selftest/hostile_testdev.c"
CASES = "test_hostile"
# Skipped where no QEMU has the device.
IN_QEMU = Judged(*stanzas.by_name(["hostile.iommu_testdev"]))

AFTER_ADOPTION = """\
		hostile_look(r);	/* the shot of the kernel before us */
		hostile_shoot(r);
		hostile_look(r);
"""

HOSTILES: Tuple[Mutant, ...] = (
    mutant("hostile.shot_not_looked_at", "hostile.blocked", "kernel/main.c", AFTER_ADOPTION,
           "\t\thostile_shoot(r);\n", IN_QEMU),
    mutant("hostile.shot_before_not_taken", "hostile.blocked", "kernel/handover/save.c",
           "\thostile_shoot(r);\n", "", IN_QEMU),
    mutant("hostile.shot_after_not_taken", "hostile.blocked", "kernel/main.c", AFTER_ADOPTION,
           "\t\thostile_look(r);\n", IN_QEMU),
    # Blocked by the device's own word, but the fault record that must say so is gone.
    mutant("hostile.record_not_needed", "hostile.blocked", "kernel/handover/save.c",
           "\tkexec_jump(t);\n", "\tvtd_fault_clear(&r->mmu->unit[0].vtd);\n\tkexec_jump(t);\n",
           IN_QEMU),
    # Switching its records off makes the entry present, and lets it through: only a second shot shows.
    mutant("hostile.let_through_after_fpd", "hostile.blocked", "vtd/context.c",
           "\tstore(&slot->lo, lo | (fpd ? VTD_CE_FPD : 0), t->coherent);\n",
           "\tstore(&slot->hi, VTD_AW_48BIT, t->coherent);\n"
           "\tstore(&slot->lo, lo | (fpd ? VTD_CE_FPD : 0) | FIELD_PREP(VTD_CE_TT, 2) | VTD_CE_P, t->coherent);\n",
           IN_QEMU),
    mutant("hostile.any_result_is_good", "hostile.blocked", HOSTILE,
           "d.kind->take_result(d.regs),\n\t\t\t d.kind->blocked);",
           "d.kind->blocked,\n\t\t\t d.kind->blocked);", Unit(CASES, "test_result")),
    mutant("hostile.old_result_again", "hostile.blocked", TESTDEV,
           "\tmmio_write32(regs + TESTDEV_DOORBELL, TESTDEV_DISARM);\n\treturn result;\n",
           "\treturn result;\n", Unit(CASES, "test_looked_at_once")),
    mutant("hostile.armed_not_fired", "hostile.blocked", TESTDEV,
           "\t(void)mmio_read32(regs + TESTDEV_TRIGGER);\n", "", Unit(CASES, "test_shot")),
    mutant("hostile.looked_for_elsewhere", "hostile.blocked", TESTDEV,
           "\tmmio_write32(regs + TESTDEV_PA_HI, (uint32_t)(addr >> 32));\n", "",
           Unit(CASES, "test_shot")),
    mutant("hostile.ids_are_enough", "1b36:0005 is two devices", HOSTILE,
           "return has_bar_0_only(fn) ? kinds[i] : NULL;", "return has_bar_0_only(fn) ? kinds[i] : kinds[i];",
           Unit(CASES, "test_kinds")),
    mutant("hostile.ids_are_believed", "1b36:0005 is two devices", HOSTILE,
           "\tready = d.kind->answers(d.regs);\n", "\tready = true;\n", Unit(CASES, "test_prepare")),
    mutant("hostile.no_master_shoots", "blocked by bus master, not by the unit", HOSTILE,
           "find_device(r, &d) && pci_is_bus_master(d.fn->segment, d.fn->rid))", "find_device(r, &d))",
           Unit(CASES, "test_prepare")),
)
