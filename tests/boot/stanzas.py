"""The boot matrix: what is booted, and what must come of it.

A stanza is data.  It names the verdict it wants, results that must hold whatever the verdict is,
and what QEMU's trace must say.  Refusals are stanzas like any other: the sentence is part of them.
"""
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import qemu as q
import run
import witness

OK, NOT_OK, SKIPPED = "ok", "not ok", "skip"

PASSED, FAILED, CONFIG, NO_VTD, NO_NIC, MEMORY = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
HANDOFF, EXCEPTION = 0x17, 0x18

# The run's own last tests unmap a buffer: write denied or read denied (VT-d, "Fault Reasons").
ENDS_WITH_FAULT = witness.Expect(fault_sids=frozenset({q.NIC_SID, q.NIC_SID + 8}),
                                 fault_reasons=frozenset({0x5, 0x6}), faults_needed=True)
# Both stages of QEMU's scalable mode exclude each other; this is second-stage.
SCALABLE: Dict[str, str] = {"aw-bits": "48", "scalable": "on"}
# Refused before the unit was touched.
UNTOUCHED = witness.Expect(enabled=False)


@dataclass(frozen=True)
class Stanza:
    name: str
    spec: run.Spec = field(default_factory=run.Spec)
    code: Optional[int] = PASSED			# None: there must be no verdict
    sentence: str = ""				# pattern the verdict's sentence must hold
    console: str = ""				# pattern the console must hold
    results: Mapping[str, str] = field(default_factory=dict)	# id -> ok, not ok or skip, newest
    may_fail: FrozenSet[str] = frozenset()		# ids that may be "not ok" all the same
    generations: Optional[int] = None		# reports that must be there
    breaks_off: bool = False			# the last of them may end anywhere
    trace: Optional[witness.Expect] = None
    test_build: bool = False			# needs the image that knows corrupt=
    cut: Optional[float] = None			# part of the image that is kept
    as_linux: bool = False			# the image itself stands in for the Linux to start


def handover(name: str, nic: str, frames: int = 20000, generations: int = 3,
             iommu: Optional[Dict[str, str]] = None, **more: object) -> Stanza:
    """A run that must pass, with QEMU as witness."""
    config = {"generations": str(generations)}
    config.update(more.pop("config", {}))	# type: ignore[call-overload]
    machine = q.Machine(nic=nic, iommu=iommu or {"aw-bits": "48"}, **more)	# type: ignore[arg-type]
    return Stanza(name, run.Spec(machine=machine, config=config, frames=frames),
                  generations=generations, trace=ENDS_WITH_FAULT)


def refusal(name: str, code: int, sentence: str, machine: Optional[q.Machine] = None,
            config: Optional[Dict[str, str]] = None, tail: str = "",
            seen: Optional[witness.Expect] = UNTOUCHED) -> Stanza:
    """A run that must end at once, with a sentence and nothing touched."""
    spec = run.Spec(machine=machine or q.Machine(), config=config or {}, config_tail=tail,
                    frames=1000, sender=False, timeout=60)
    return Stanza(name, spec, code=code, sentence=sentence, generations=0, trace=seen)


def setup_header(length: int = 4096, xloadflags: int = 0x33, init_size: int = 0x200000,
                 syssize: int = 0) -> bytes:
    """A kernel that is nothing but its setup header (Linux Documentation/arch/x86/boot.rst)."""
    header = bytearray(length)
    for at, size, value in ((0x1f1, 1, 1), (0x1f4, 4, syssize), (0x1fe, 2, 0xaa55), (0x200, 2, 0x6aeb),
                            (0x202, 4, int.from_bytes(b"HdrS", "little")), (0x206, 2, 0x20f),
                            (0x211, 1, 1), (0x230, 4, 0x200000), (0x234, 1, 1), (0x236, 2, xloadflags),
                            (0x238, 4, 2047), (0x258, 8, 0x1000000), (0x260, 4, init_size)):
        header[at:at + size] = value.to_bytes(size, "little")
    return bytes(header)


def no_linux(name: str, code: int, sentence: str, kernel: Optional[bytes], config: Optional[Dict[str, str]] = None,
             **files: bytes) -> Stanza:
    """A Linux that cannot be started at the end is refused at the beginning."""
    keys = {"handoff_to": "linux", **(config or {})}
    spec = run.Spec(config=keys, frames=1000, sender=False, timeout=60,
                    files={**({"baton/bzImage": kernel} if kernel is not None else {}),
                           **{f"baton/{key}": value for key, value in files.items()}})
    return Stanza(f"refused.linux_{name}", spec, code=code, sentence=sentence, generations=0,
                  trace=UNTOUCHED)


def as_linux(name: str, linux_kho: str, **more: object) -> Stanza:
    """Baton is started in place of a Linux, by the same protocol: it can say what it was given."""
    config = {"generations": "2", "handoff_to": "linux", "linux_kho": linux_kho}
    cmdline = b"generation=1 generations=2 exit=qemu faults=yes frames=4000\n"
    return Stanza(name, run.Spec(config=config, frames=4000,
                                 files={"baton/cmdline": cmdline, "baton/initrd": b"not looked at"}),
                  as_linux=True, **more)	# type: ignore[arg-type]


def corrupted(name: str, what: str, code: int, sentence: str, more_nics: Sequence[str] = (),
              iommu: Optional[Dict[str, str]] = None, config: Optional[Dict[str, str]] = None,
              **more: object) -> Stanza:
    """A handoff that a test build breaks right after the outgoing checks."""
    machine = q.Machine(more_nics=more_nics, **({"iommu": iommu} if iommu else {}))
    return Stanza(name, run.Spec(machine=machine, frames=4000,
                                 config={"generations": "2", "corrupt": what, **(config or {})}),
                  code=code, sentence=sentence, test_build=True, **more)	# type: ignore[arg-type]


def one_nic_fenced(name: str, what: str, check: str, **machine: object) -> Stanza:
    """What belongs to the first of two NICs is altered: it is fenced, the other goes on."""
    return corrupted(name, what, FAILED, r"failed", more_nics=("e1000e",), **machine,	# type: ignore[arg-type]
                     console=r"00:03\.0 is fenced",
                     results={check: NOT_OK, "restore.entry_matches": OK, "stream.no_loss": OK,
                              "stream.complete": OK, "stream.no_fault": OK,
                              "replace.hitless": OK}, generations=2)


BOTH_NICS = frozenset({"00:03.0", "00:04.0"})


def exception(name: str, phase: str, by_port: bool = False, reports: int = 1, banner: bool = True,
              config: Optional[Dict[str, str]] = None, display: Optional[str] = None,
              **seen: object) -> Stanza:
    """The incoming kernel runs into an invalid instruction while two NICs receive.

    Its registers come out, what was deferred before them, and no bus master is left.
    """
    keys = {"generations": "2", "corrupt": f"exception_{name}"}
    keys.update(config or {})
    deferred = f"generation 1 of {keys['generations']}.*" if banner else ""
    trace: Dict[str, object] = {"disables": 0, "masters_off": BOTH_NICS, "off_by_port": by_port}
    trace.update(seen)
    return Stanza(
        f"exception.{name}",
        run.Spec(machine=q.Machine(more_nics=("e1000e",), display=display), config=keys, frames=3000,
                 trace=witness.EVENTS + witness.CONFIG_EVENTS),
        code=EXCEPTION, sentence=rf"exception.* in phase {phase}$", generations=reports,
        breaks_off=True,
        console=rf"(?s){deferred}# exception 6 \(invalid opcode\).*# rip [0-9a-f]{{16}}"
                r".*# r14 [0-9a-f]{16}.*# backtrace",
        may_fail=frozenset({"handoff.image_unchanged"}),	# the instruction was written into it
        trace=witness.Expect(**trace), test_build=True)	# type: ignore[arg-type]


def exceptions() -> Tuple[Stanza, ...]:
    """One for each phase of an incoming kernel, in the order of the phases."""
    nic_faults = {"fault_sids": frozenset({q.NIC_SID, q.NIC_SID + 8}),
                  "fault_reasons": frozenset({0x5, 0x6})}
    three = {"generations": "3"}
    return (
        # Before it has handlers of its own, those of the kernel before it are still there, and
        # must reach a screen and ECAM.
        exception("entry", "jump", banner=False, display="bochs-display"),
        exception("boot_params", "boot_params", True, banner=False),
        exception("configuration", "configuration", True, banner=False),
        exception("scratch", "finding scratch", True),
        exception("page_tables", "own page tables", True),
        exception("acpi", "ACPI tables", True),
        exception("units", "finding remapping units", True),
        exception("validating", "validating the handoff"),
        exception("comparing", "comparing units"),
        exception("claiming", "claiming memory"),
        exception("adopting_units", "adopting units"),
        exception("adopting_devices", "adopting devices"),
        exception("adopting_nics", "adopting NICs"),
        exception("verifying", "verifying"),
        exception("fencing", "fencing what is to blame"),
        exception("first_poll", "first poll"),
        exception("reporting", "reporting"),
        exception("stream", "stream", reports=2),
        exception("replacing", "replacing a domain", reports=2),
        exception("checking", "checking the stream", reports=2),
        exception("fault_tests", "fault tests", reports=2),
        exception("teardown", "teardown", reports=2, **nic_faults),
        exception("results", "results", reports=2, **nic_faults, disables=1),
        exception("saving", "saving", reports=2, config=three),
        exception("jump", "jump", reports=2, config=three),
        # Stopping the devices fails: then it is done through ports.
        exception("in_fence", "validating the handoff", True),
        # And the way out: the verdict stands, and the run ends all the same.
        exception("in_reset", "validating the handoff", masters_off=frozenset({"00:03.0"}),
                  config={"exit": "reset", "nic": q.NIC_BDF}),
    )


def cut_image(name: str, part: float) -> Stanza:
    """Firmware must refuse what is left of the image; it then looks for something else to boot."""
    spec = run.Spec(sender=False, timeout=60, stop_at=r"BdsDxe: (failed to (load|start)|No bootable)|"
                    r"UEFI Interactive Shell|Press any key", trace=())
    return Stanza(name, spec, code=None, cut=part, generations=0)


def hostile(name: str, bdf: str, sid: int, config: Optional[Dict[str, str]] = None,
            shots: Optional[int] = None, **machine: object) -> Stanza:
    """A device beside the test NIC tries to reach memory across the hand-overs; it must not.

    @shots: how often, of one that knows how each of them ended.
    """
    keys = {"generations": "3", "hostile": bdf}
    keys.update(config or {})
    return Stanza(
        name, run.Spec(machine=q.Machine(**machine), config=keys, frames=9000,	# type: ignore[arg-type]
                       trace=witness.EVENTS + (witness.TESTDEV_EVENTS if shots else ())),
        results={"hostile.blocked": OK if shots else SKIPPED},
        console=r"hostile .* was blocked, reason 2", generations=3,
        trace=witness.Expect(disables=None, fault_sids=frozenset({q.NIC_SID, sid}),
                             fault_reasons=frozenset({0x2, 0x5}), faults_needed=True,
                             sids_needed=frozenset({sid}), shots=shots))


EDU = ("-device", "edu,addr=0xa,dma_mask=0xffffffffffffffff")
EDU_BDF = "00:0a.0"


def rmrr(name: str, what: str, console: str, masters: FrozenSet[str] = frozenset()) -> Stanza:
    """A test build gives the DMAR table RMRRs; whoever they name, the run must pass."""
    return Stanza(name, run.Spec(machine=q.Machine(extra=EDU), frames=9000,
                                 config={"generations": "3", "corrupt": what}),
                  console=console, generations=3, test_build=True,
                  trace=replace(ENDS_WITH_FAULT, masters=masters))


# The device works before, over and after both hand-overs: what it wrote was seen to arrive.
RMRR_IN_USE = (r"(?s)00:0a\.0 keeps its RMRR \(error 0\).*rmrr: DMA of generation 0.*"
               r"rmrr: DMA across the jump.*rmrr: DMA of generation 1.*rmrr: DMA across the jump")

HOSTILE = Stanza(
    "hostile.nic_unpreserved",
    run.Spec(config={"generations": "2", "hostile": q.NIC_BDF}, frames=8000),
    code=FAILED,
    results={"hostile.blocked": OK, "handoff.no_fault": OK, "stream.no_loss": NOT_OK},
    may_fail=frozenset({"*"}),
    trace=witness.Expect(disables=None, fault_sids=frozenset({q.NIC_SID}),
                           # Context entry not present, and what the last tests unmap.
                           fault_reasons=frozenset({0x2, 0x5, 0x6}), faults_needed=True))

STANZAS: Tuple[Stanza, ...] = (
    handover("handover.e1000e", "e1000e"),
    handover("handover.igb", "igb"),
    handover("handover.e1000e_3_levels", "e1000e", 8000, iommu={"aw-bits": "39"}),
    handover("handover.e1000e_one_generation", "e1000e", 2000, 1),
    handover("handover.e1000e_ahci_display", "e1000e", 4000, 2, disk="ahci",
             display="bochs-display"),
    handover("handover.e1000e_caching_mode", "e1000e", 4000, 2,
             iommu={"aw-bits": "48", "caching-mode": "on"}),
    handover("handover.two_nics", "e1000e", 8000, 3, more_nics=("e1000e",)),
    handover("handover.e1000e_and_igb", "e1000e", 8000, 2, more_nics=("igb",)),
    handover("handover.scalable", "e1000e", 8000, iommu=SCALABLE, config={"mode": "scalable"}),
    handover("handover.scalable_3_levels", "e1000e", 6000, 2,
             iommu={"aw-bits": "39", "scalable": "on", "caching-mode": "on"},
             config={"mode": "scalable"}),
    handover("handover.scalable_e1000e_and_igb", "e1000e", 8000, 3, more_nics=("igb",),
             iommu=SCALABLE, config={"mode": "scalable", "profile": "iommu-series"}),
    handover("handover.legacy_on_a_scalable_unit", "e1000e", 4000, 2, iommu=SCALABLE),
    # One table and one DID under both: restored once, each with the owner of its own record.
    replace(handover("handover.shared_domain", "e1000e", 8000, 3, more_nics=("e1000e",),
                     config={"domains": "shared", "profile": "iommu-series"}),
            console=r"(?s)00:03\.0,.* DID 2,.*00:04\.0,.* DID 2,.*replace: 00:03\.0 moved from DID 2"),
    replace(handover("handover.shared_domain_scalable", "e1000e", 6000, 2, more_nics=("e1000e",),
                     iommu=SCALABLE, config={"domains": "shared", "mode": "scalable"}),
            console=r"(?s)00:03\.0,.* DID 2,.*00:04\.0,.* DID 2,"),
    handover("handover.iommu_series", "e1000e", 6000, 3, more_nics=("e1000e",),
             config={"profile": "iommu-series"}),
    # Its unit reports ESRTPS (VT-d, Capability Register, bit 63).
    replace(handover("handover.e1000e_qemu_11", "e1000e", 8000, 2, version=(11,)),
            console=r"CAP [89a-f]"),
    rmrr("handover.rmrr", "rmrr", RMRR_IN_USE, frozenset({EDU_BDF})),
    rmrr("handover.rmrr_large", "rmrr_large", RMRR_IN_USE, frozenset({EDU_BDF})),
    # Of a device that is not there, in what firmware calls free memory: left alone all the same.
    rmrr("handover.rmrr_absent", "rmrr_absent", r"1 RMRRs"),
    # As if it were not there: its device is silenced and fenced like any other.
    rmrr("handover.rmrr_backwards", "rmrr_backwards",
         r"1 RMRRs, .* anomalies 90;(?s:.*)on in 7 endpoints"),
    Stanza("refused.rmrr_in_scratch",
           run.Spec(machine=q.Machine(extra=EDU), config={"corrupt": "rmrr_in_scratch"},
                    sender=False, frames=1000, timeout=60),
           code=MEMORY, sentence=r"2000000 \(RMRR\).* overlaps scratch", generations=0,
           trace=UNTOUCHED, test_build=True),
    HOSTILE,
    hostile("hostile.second_nic", "0000:00:04.0", 0x20, more_nics=("e1000e",)),
    hostile("hostile.second_nic_scalable", "0000:00:04.0", 0x20, {"mode": "scalable"},
            more_nics=("e1000e",), iommu=SCALABLE),
    hostile("hostile.edu", "0000:00:0a.0", 0x50, {"hold_ms": "150"},
            extra=EDU),
    # Before the last poll and after adoption, at each of two hand-overs.
    hostile("hostile.iommu_testdev", "0000:00:0a.0", 0x50, shots=4,
            devices=("iommu-testdev,addr=0xa",)),
    refusal("refused.hostile_disk", CONFIG, r"hostile", config={"hostile": "0000:00:08.0"}),
    # It has the ids of iommu-testdev.
    refusal("refused.hostile_pci_testdev", CONFIG, r"hostile",
            q.Machine(devices=("pci-testdev,addr=0xa",)), config={"hostile": "0000:00:0a.0"}),
    refusal("refused.no_dmar", NO_VTD, r"DMAR", q.Machine(iommu=None), seen=None),
    refusal("refused.no_nic", NO_NIC, r"NIC", q.Machine(nic=None)),
    refusal("refused.unsupported_nic", NO_NIC, r"NIC", q.Machine(nic="e1000")),
    refusal("refused.named_nic_absent", NO_NIC, r"00:1e\.0", config={"nic": "0000:00:1e.0"}),
    refusal("refused.scratch_too_large", MEMORY, r"scratch", config={"scratch": "2048"}),
    refusal("refused.small_machine", MEMORY, r"MiB", q.Machine(memory="128M"),
            config={"scratch": "128"}),
    refusal("refused.unknown_key", CONFIG, r"speed", tail="speed=11\n"),
    refusal("refused.bad_value", CONFIG, r"rate", config={"rate": "fast"}),
    refusal("refused.no_value", CONFIG, r"line \d+", tail="faults\n"),
    refusal("refused.bad_bdf", CONFIG, r"nic", config={"nic": "00:03"}),
    refusal("refused.no_scalable_mode", NO_VTD, r"vtd0 has no scalable mode",
            config={"mode": "scalable"}),
    as_linux("linux.protocol", "yes", generations=2, trace=ENDS_WITH_FAULT,
             console=r"bzImage \d+ KiB, initrd 0 KiB(?s:.*)now to Linux, DMA goes on"),
    # What comes then finds nothing alive, and nobody bus master.
    as_linux("linux.without_kho", "no", code=HANDOFF, sentence=r"does not translate",
             generations=1, console=r"every device is stopped and translation off \(linux_kho=no\)",
             trace=witness.Expect(masters_off=frozenset({"00:03.0"}))),
    no_linux("missing", CONFIG, r"needs the file .baton.bzImage", None),
    no_linux("truncated", CONFIG, r"bzImage: the image is truncated", setup_header(syssize=0x1000)),
    no_linux("header_truncated", CONFIG, r"bzImage: the image is truncated", setup_header()[:1000]),
    no_linux("32_bit", CONFIG, r"bzImage: the image is a 32-bit kernel", setup_header(xloadflags=0x32)),
    no_linux("too_large", MEMORY, r"does not fit into half of scratch",
             setup_header(init_size=0x10001000)),
    no_linux("no_room", MEMORY, r"initrd does not fit beside the kernel", setup_header(),
             config={"scratch": "16M"}, initrd=bytes(7 << 20)),
    no_linux("cmdline_of_bytes", CONFIG, r"command line for Linux has bytes that are not text",
             setup_header(), cmdline=b"quiet\xff"),
    no_linux("cmdline_too_long", CONFIG, r"command line for Linux is longer", setup_header(),
             cmdline=b"x" * 3000),
    no_linux("efi_relay", CONFIG, r"no Linux before us passed EFI information", setup_header(),
             config={"efi": "relay"}),
    no_linux("efi_first", CONFIG, r"needs generations=2", setup_header(), config={"efi": "first"}),
    refusal("refused.generation_in_file", CONFIG, r"generation", config={"generation": "1"}),
    corrupted("handoff.missing", "no_handoff", HANDOFF, r"no KHO handoff"),
    corrupted("handoff.root_fdt_version", "root_fdt", HANDOFF, r"root FDT"),
    corrupted("handoff.radix_node_in_scratch", "radix_node", HANDOFF, r"radix node"),
    corrupted("handoff.luo_version", "luo_version", HANDOFF, r"."),
    corrupted("handoff.record_chain", "record_chain", HANDOFF, r"."),
    one_nic_fenced("handoff.record_did", "record_did", "restore.records"),
    # The other one stays in the domain that both are in, under its DID.
    one_nic_fenced("handoff.record_did_of_a_sharer", "record_did", "restore.records",
                   config={"domains": "shared"}),
    one_nic_fenced("handoff.record_did_scalable", "record_did", "restore.records", iommu=SCALABLE,
                   config={"mode": "scalable"}),
    one_nic_fenced("handoff.pasid_directory_changed", "pasid_dir", "memory.tables_unchanged",
                   iommu=SCALABLE, config={"mode": "scalable"}),
    one_nic_fenced("handoff.record_pointer", "record_pointer", "restore.records"),
    corrupted("handoff.table_changed", "table", FAILED, r"failed",
              results={"memory.tables_unchanged": NOT_OK, "restore.entry_matches": OK},
              may_fail=frozenset({"*"}), generations=2),
    one_nic_fenced("handoff.table_of_one_nic_changed", "table", "memory.tables_unchanged"),
    # Everything is stopped, and what is left is handed over all the same: no device, no domain.
    corrupted("handoff.stranger_in_context_table", "stranger", FAILED, r"had no stream", ("e1000e",),
              config={"generations": "3"}, console=r"every device is fenced: empty root tables",
              results={"restore.root_entries": OK}, may_fail=frozenset({"*"}), generations=3,
              trace=witness.Expect(disables=None, fault_sids=frozenset({q.NIC_SID, q.NIC_SID + 8}),
                                   fault_reasons=frozenset({0x1, 0x2}), roots=2)),
    corrupted("handoff.image_changed", "image", FAILED, r"failed",
              results={"handoff.image_unchanged": NOT_OK, "stream.no_loss": OK,
                       "stream.complete": OK}, generations=2),
    corrupted("dropped.image", "image_early", FAILED, r"could not hand over.* 0 lost",
              results={"save.image_intact": NOT_OK, "save.tables_match": OK}, generations=1),
    corrupted("dropped.root_fdt", "root_fdt_early", FAILED, r"could not hand over.* 0 lost",
              results={"save.handoff_reads_back": NOT_OK, "save.image_intact": OK},
              may_fail=frozenset({"save.tables_match", "save.tables_preserved"}), generations=1),
    corrupted("dropped.record", "record_early", FAILED, r"could not hand over.* 0 lost",
              results={"save.handoff_reads_back": NOT_OK, "save.image_intact": OK},
              may_fail=frozenset({"save.tables_match", "save.tables_preserved"}), generations=1),
    corrupted("dropped.table", "table_early", FAILED, r"could not hand over.* 0 lost",
              results={"save.tables_match": NOT_OK, "save.image_intact": OK}, generations=1),
    corrupted("exception.null_page", "null_page", EXCEPTION, r"page fault.* in phase saving",
              console=r"cr2 0{16}"),
    corrupted("exception.stack_guard", "stack", EXCEPTION, r"page fault.* in phase saving",
              console=r"backtrace"),
    corrupted("exception.canary", "canary", EXCEPTION, r"stack overrun"),
    *exceptions(),
    cut_image("image.cut_near_its_end", 0.99),
    cut_image("image.cut_to_a_half", 0.5),
    cut_image("image.cut_to_the_header", 0.02),
)


def by_name(names: Sequence[str]) -> List[Stanza]:
    """The stanzas with these names; a name ending in "." stands for all that begin so."""
    chosen: List[Stanza] = []
    for name in names:
        match: Callable[[Stanza], bool] = (
            (lambda s, n=name: s.name.startswith(n)) if name.endswith(".")
            else (lambda s, n=name: s.name == n))
        found = [s for s in STANZAS if match(s)]
        if not found:
            raise KeyError(name)
        chosen += [s for s in found if s not in chosen]
    return chosen
