"""Bugs in how a run ends when the kernel itself is wrong: exceptions, the fence, the way out."""
from typing import Tuple

import stanzas
from mutant import Judged, Mutant, mutant

PANIC = "kernel/panic.c"
VERDICT = "kernel/report/verdict.c"
ENTRY = "kernel/entry.c"
ADOPT = "kernel/handover/adopt.c"


def dies(name: str) -> Judged:
    stanza, = stanzas.by_name([f"exception.{name}"])
    return Judged(stanza)


EXCEPTIONS: Tuple[Mutant, ...] = (
    mutant("exception.no_fence", "every bus master off", VERDICT,
           "\tstop_devices();\t/* before", "\t(void)stop_devices;\t/* before", dies("validating")),
    mutant("exception.no_fence_at_entry", "every bus master off, before ECAM is known", ENTRY,
           "\tverdict_set_fence(pci_bus_masters_off_by_port);\n", "", dies("boot_params")),
    mutant("exception.ports_for_good", "the fence by ports reaches segment 0 only", "kernel/main.c",
           "\tif (!r->bi->from_uefi)\t/* ECAM from here",
           "\tif (r->cfg.generation > 99)\t/* ECAM from here",
           dies("validating")),
    mutant("exception.port_fence_skips_last", "every bus master off", "kernel/machine/pci_port.c",
           "\t\t\tstop((uint16_t)rid);\n",
           "\t\t\tif (PCI_DEV(rid) != 4)\n\t\t\t\tstop((uint16_t)rid);\n", dies("units")),
    mutant("exception.fence_gives_up", "an exception while devices are stopped", VERDICT,
           "now == pci_bus_masters_off_by_port ? NULL : pci_bus_masters_off_by_port;",
           "NULL;", dies("in_fence")),
    mutant("exception.tables_of_the_jump", "the old kernel's handlers reach what they need", PANIC,
           "\tpaging_resume();\n", "", dies("entry")),
    mutant("exception.second_verdict", "the verdict stands", PANIC,
           "\tif (verdict_is_out())\n", "\tif (verdict_is_out() && depth > FAULTS_MAX)\n", dies("in_reset")),
    mutant("exception.without_end", "a run never hangs", PANIC,
           "\tif (++depth > FAULTS_MAX)\n", "\tif (++depth == 0)\n", dies("in_reset")),
    mutant("exception.phase_not_named", "the phase is printed", ADOPT,
           '\tphase_set("verifying");\n', "", dies("verifying")),
    mutant("exception.deferred_forgotten", "what was deferred is printed", "kernel/console/console.c",
           "\tif (!on)\n\t\tprint_pending();\n", "\tif (!on)\n\t\tpending_len = 0;\n\t(void)print_pending;\n",
           dies("adopting_units")),
    mutant("exception.kept_deferred", "an exception prints at once", "kernel/console/console.c",
           "\tdeferred = on;\n", "\tdeferred |= on;\n", dies("adopting_units")),
)
