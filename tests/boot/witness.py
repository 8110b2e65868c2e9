"""The independent witness: what QEMU's own trace says about the unit and the NIC.

The firmware claims that translation never stopped and the root pointer never moved.  QEMU knows;
this module reads its trace and says where the two disagree.  It decides nothing about the
firmware's log, and takes no number from it.
"""
import calendar
import re
import time
from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Set

# Never a per-frame event: at thousands of frames per second the trace would be the load.
EVENTS = (
    "vtd_reg_write_gcmd", "vtd_reg_dmar_root", "vtd_dmar_enable", "vtd_switch_address_space",
    "vtd_dmar_fault", "vtd_frr_new", "vtd_inv_qi_enable", "e1000e_core_ctrl_sw_reset",
    "pci_cfg_write",
)

# Besides, to tell ports from ECAM.  It stands for every access to a device: for runs of a few thousand
# frames.
CONFIG_EVENTS = ("memory_region_ops_write",)
# Where there is an iommu-testdev: one line for each time it fires.
TESTDEV_EVENTS = ("iommu_testdev_dma_result",)

GCMD_TE = 1 << 31
COMMAND, COMMAND_MASTER = 0x4, 1 << 2		# of configuration space (PCI Local Bus 3.0, 6.2.2)
TESTDEV_WRITE_FAILED = 0xdead0002

# What -msg timestamp=on puts before an event: "pid@seconds.micros:", in later versions of QEMU a
# date and time of day, whose fraction is left out if it is zero.
LINE = re.compile(r"(?:\d+@(?P<since>\d+\.\d+):|(?P<date>\d+-\d+-\d+T\d+:\d+:\d+)(?P<fraction>\.\d+)?Z )?"
                  r"(?P<name>\w+) ?(?P<text>.*)$")
SWITCH = re.compile(r"Device (\w+):(\w+)\.(\w+) switching address space \(iommu enabled=(\d)\)")
ROOT = re.compile(r"addr (0x[0-9a-f]+) scalable (\d)")
GCMD = re.compile(r"status (0x[0-9a-f]+) value (0x[0-9a-f]+)")
CONFIG = re.compile(r"(\w+:\w+\.\w+) @(0x[0-9a-f]+) <- (0x[0-9a-f]+)$")
FAULT = re.compile(r"sid (0x[0-9a-f]+) fault (\d+) addr (0x[0-9a-f]+) write (\d)")
RESULT = re.compile(r"result=(0x[0-9a-f]+)")


class Event(NamedTuple):
    time: float			# seconds since 1970; 0 if the trace has no times
    name: str
    text: str


class Fault(NamedTuple):
    time: float
    sid: int
    reason: int
    addr: int
    write: bool


class MasterWrite(NamedTuple):
    """A write to the low byte of a function's command register."""
    time: float
    on: bool
    by_port: bool			# through CF8h and CFCh, else through ECAM
    translated: bool			# while the unit was on


@dataclass
class Trace:
    """What happened to the unit, in order."""
    enables: List[float] = field(default_factory=list)		# translation off -> on
    disables: List[float] = field(default_factory=list)		# on -> off
    roots: List[int] = field(default_factory=list)		# each SRTP while on, or the one before
    nic_off: List[float] = field(default_factory=list)		# NIC untranslated while it was on
    nic_resets: List[float] = field(default_factory=list)
    faults: List[Fault] = field(default_factory=list)
    masters: Dict[str, List[MasterWrite]] = field(default_factory=dict)	# by bus:slot.function
    shots: List[int] = field(default_factory=list)		# of an iommu-testdev: their results
    queue_enables: int = 0
    unparsed: List[str] = field(default_factory=list)
    events: int = 0
    root_before_on: Optional[int] = None


@dataclass(frozen=True)
class Expect:
    """What a stanza says about its trace; the defaults are those of a run that passes."""
    enabled: bool = True			# translation was switched on at all
    disables: Optional[int] = 1			# at the very end; None: do not care
    roots: int = 1				# how often the root pointer was set
    fault_sids: FrozenSet[int] = frozenset()	# who may fault at all
    fault_reasons: FrozenSet[int] = frozenset()
    faults_needed: bool = False
    sids_needed: FrozenSet[int] = frozenset()	# who must fault
    shots: Optional[int] = None			# of an iommu-testdev, all blocked; None: there is none
    nic_resets_within: int = 0			# between begin and end of the stream
    masters: FrozenSet[str] = frozenset()	# on from before the stream to its end
    masters_off: FrozenSet[str] = frozenset()	# were bus master and must not be; nobody else is
    off_by_port: Optional[bool] = None		# how; None: do not care


def seconds(line: "re.Match[str]") -> float:
    """The time of an event."""
    if line["date"]:
        return (calendar.timegm(time.strptime(line["date"], "%Y-%m-%dT%H:%M:%S")) +
                float(line["fraction"] or 0))
    return float(line["since"] or 0)


def events(text: str) -> Iterator[Event]:
    """The lines of a trace that are events."""
    for line in text.splitlines():
        match = LINE.match(line.strip())
        if match and match["name"] in EVENTS + CONFIG_EVENTS + TESTDEV_EVENTS:
            yield Event(seconds(match), match["name"], match["text"])


def read(text: str, nic: str = "00:03.0") -> Trace:
    """The trace as facts.  @nic: bus:slot.function as QEMU writes it."""
    trace = Trace()
    on = by_port = False
    for event in events(text):
        trace.events += 1
        if event.name == "pci_cfg_write":
            take_config(trace, event, by_port, on)
        by_port = event.name == "memory_region_ops_write" and "'pci-conf-data'" in event.text
        if event.name == "vtd_reg_write_gcmd":
            on = take_gcmd(trace, event, on)
        elif event.name == "vtd_reg_dmar_root":
            take_root(trace, event, on)
        elif event.name == "vtd_switch_address_space":
            take_switch(trace, event, on, nic)
        elif event.name == "vtd_dmar_fault":
            take_fault(trace, event)
        elif event.name == "vtd_inv_qi_enable":
            trace.queue_enables += event.text.strip() == "enabled 1"
        elif event.name == "e1000e_core_ctrl_sw_reset":
            trace.nic_resets.append(event.time)
        elif event.name in TESTDEV_EVENTS:
            take_shot(trace, event)
    return trace


def take_gcmd(trace: Trace, event: Event, on: bool) -> bool:
    """GCMD writes are what switches translation; a value built from zero drops it at once."""
    match = GCMD.search(event.text)
    if not match:
        trace.unparsed.append(event.text)
        return on
    want = bool(int(match.group(2), 16) & GCMD_TE)
    if want and not on:
        trace.enables.append(event.time)
        if trace.root_before_on is not None and not trace.roots:
            trace.roots.append(trace.root_before_on)
    elif on and not want:
        trace.disables.append(event.time)
    return want


def take_root(trace: Trace, event: Event, on: bool) -> None:
    match = ROOT.search(event.text)
    if not match:
        trace.unparsed.append(event.text)
        return
    root = int(match.group(1), 16)
    if on:
        trace.roots.append(root)
    elif not trace.enables:
        trace.root_before_on = root


def take_switch(trace: Trace, event: Event, on: bool, nic: str) -> None:
    match = SWITCH.search(event.text)
    if not match:
        trace.unparsed.append(event.text)
    elif on and match.group(4) == "0" and "{}:{}.{}".format(*match.groups()[:3]) == nic:
        trace.nic_off.append(event.time)


def take_config(trace: Trace, event: Event, by_port: bool, translated: bool) -> None:
    """A write to a byte above the register's low one says nothing about bus master."""
    match = CONFIG.search(event.text)
    if not match:
        trace.unparsed.append(event.text)
    elif int(match.group(2), 16) == COMMAND:
        trace.masters.setdefault(match.group(1), []).append(
            MasterWrite(event.time, bool(int(match.group(3), 16) & COMMAND_MASTER), by_port,
                        translated))


def take_fault(trace: Trace, event: Event) -> None:
    match = FAULT.search(event.text)
    if not match:
        trace.unparsed.append(event.text)
        return
    sid, reason, addr, write = match.groups()
    trace.faults.append(Fault(event.time, int(sid, 16), int(reason), int(addr, 16), write == "1"))


def take_shot(trace: Trace, event: Event) -> None:
    match = RESULT.search(event.text)
    if not match:
        trace.unparsed.append(event.text)
        return
    trace.shots.append(int(match.group(1), 16))


def disagreements(trace: Trace, expect: Expect, begin: float = 0, end: float = 0) -> List[str]:
    """Where the trace does not say what was expected.

    @begin, @end: wall time between which the stream ran and kernels handed over; 0 if unknown.
    Nothing may fault and nobody may reset the NIC in there.
    """
    found = [f"trace line not understood: {text}" for text in trace.unparsed[:3]]
    if not trace.events:
        return ["the trace is empty"]
    if not expect.enabled:
        return found + (["translation was switched on"] if trace.enables else [])
    if not trace.enables:
        return found + ["translation was never switched on"]
    found += translation_problems(trace, expect)
    found += fault_problems(trace, expect, begin, end)
    found += master_problems(trace, expect, begin, end)
    if expect.masters_off:
        found += masters_off_problems(trace, expect)
    found += shot_problems(trace, expect)
    if any(begin < t < end for t in trace.disables):
        found.append("translation was switched off while the stream ran")
    inside = [t for t in trace.nic_resets if begin < t < end]
    if len(inside) > expect.nic_resets_within:
        found.append(f"NIC reset {len(inside)} times while the stream ran")
    return found


def translation_problems(trace: Trace, expect: Expect) -> List[str]:
    found = []
    if len(trace.enables) != 1:
        found.append(f"translation was switched on {len(trace.enables)} times")
    if expect.disables is not None and len(trace.disables) != expect.disables:
        found.append(f"translation was switched off {len(trace.disables)} times, "
                     f"expected {expect.disables}")
    if len(trace.roots) != expect.roots:
        roots = ", ".join(f"{r:#x}" for r in trace.roots) or "none"
        found.append(f"root pointer set {len(trace.roots)} times: {roots}")
    if trace.nic_off:
        found.append("the NIC's address space was untranslated while translation was on")
    return found


def last_switch_off(writes: List[MasterWrite]) -> Optional[MasterWrite]:
    """The write that took bus master away for good; None if it was never on, or still is."""
    off = None
    for before, write in zip(writes, writes[1:]):
        if before.on and not write.on:
            off = write
    return off if not writes[-1].on else None


def masters_off_problems(trace: Trace, expect: Expect) -> List[str]:
    found = [f"{name} is still bus master"
             for name, writes in sorted(trace.masters.items()) if writes[-1].on]
    ways: Dict[bool, str] = {True: "through ports", False: "through ECAM"}
    for name in sorted(expect.masters_off):
        writes = trace.masters.get(name, [])
        if not any(write.on and write.translated for write in writes):
            found.append(f"{name} was never bus master under translation")
            continue
        off = last_switch_off(writes)
        if off and expect.off_by_port not in (None, off.by_port):
            found.append(f"bus master of {name} was taken away {ways[off.by_port]}")
    return found


def fault_problems(trace: Trace, expect: Expect, begin: float, end: float) -> List[str]:
    found = []
    sids: Set[int] = {f.sid for f in trace.faults}
    reasons: Dict[int, Fault] = {f.reason: f for f in trace.faults}
    for sid in sorted(sids - expect.fault_sids):
        found.append(f"fault of source-id {sid:#06x}")
    for reason in sorted(set(reasons) - expect.fault_reasons):
        found.append(f"fault reason {reason:#x} at {reasons[reason].addr:#x}")
    for sid in sorted(expect.sids_needed - sids):
        found.append(f"no fault of source-id {sid:#06x} was seen, one was expected")
    if expect.faults_needed and not trace.faults:
        found.append("no fault was seen, one was expected")
    if expect.faults_needed or not end:
        return found
    inside = [f for f in trace.faults if begin < f.time < end]
    if inside:
        found.append(f"{len(inside)} faults while the stream ran, first at {inside[0].addr:#x}")
    return found


def shot_problems(trace: Trace, expect: Expect) -> List[str]:
    if expect.shots is None:
        return []
    found = []
    if len(trace.shots) != expect.shots:
        found.append(f"the iommu-testdev fired {len(trace.shots)} times, expected {expect.shots}")
    for result in sorted(set(trace.shots) - {TESTDEV_WRITE_FAILED}):
        found.append(f"a shot of the iommu-testdev ended with {result:#x}")
    return found


def master_problems(trace: Trace, expect: Expect, begin: float, end: float) -> List[str]:
    found = []
    for name in sorted(expect.masters):
        writes = trace.masters.get(name, [])
        before = [w for w in writes if w.time <= begin]
        if not before or not before[-1].on:
            found.append(f"{name} was no bus master when the stream began")
        if any(begin < w.time < end and not w.on for w in writes):
            found.append(f"bus master of {name} went off while the stream ran")
    return found
