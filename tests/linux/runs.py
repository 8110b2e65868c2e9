"""What check-linux runs: who hands over to whom, and what must come of it.

A run boots one machine once.  Its checks look at what was left: the agents' logs, Baton's reports.
"""
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import agent_log
import initramfs
import kexec_tool
import qemu as q
import run
import signing
import takeover
from agent_log import Log

# Both consoles, so that the log has the time before drivers; a panic ends the run at once.
CONSOLE = "console=ttyS0,115200 earlyprintk=serial,ttyS0,115200 loglevel=8 panic=-1"
REGIONS = ("reserve_mem=1M:4096:left", "reserve_mem=20K:4096:right")
SESSIONS = "alpha,empty,beta,gamma"
RELEASE = "7.3.4-baton"		# of the kernels' `uname -r`: version of the package, base.config

RATE = 100			# frames per second while Linux boots: a ring of 4096 lasts 40 s
MORE_FRAMES = 200		# that must arrive once the agent gives descriptors back
SLOW = {"hold_ms": "200"}	# so that at that rate enough of them fall into a blackout between two Batons
SENDER_FRAMES = 12000		# more than any run lasts

PCI_COMMAND_MASTER = 4
IOMMU_WORDS = ("intel_iommu=on,sm_on",)
VTD: Mapping[str, str] = {"aw-bits": "48", "intremap": "on", "device-iotlb": "on", "scalable": "on"}


@dataclass(frozen=True)
class Kit:
    """What all runs share."""
    kernels: Mapping[str, Mapping[str, str]]	# as kernel.get() gives them
    agent: bytes
    image: Path
    test_image: Path				# knows corrupt=

    def kernel(self, flavour: str) -> Path:
        return Path(self.kernels[flavour]["bzImage"])


@dataclass
class Seen:
    """What a run left behind."""
    outcome: run.Outcome
    send: Log
    receive: Log


Problems = Callable[[Seen], List[str]]


@dataclass(frozen=True)
class Check:
    name: str
    problems: Problems


@dataclass(frozen=True)
class Run:
    name: str
    flavours: Sequence[str]
    spec: Callable[[Kit, Path], run.Spec]	# files may be made in that directory
    checks: Sequence[Check]

    def names(self) -> List[str]:
        return [f"{self.name}.{check.name}" for check in self.checks]


def see(outcome: run.Outcome) -> Seen:
    logs = agent_log.by_mode(outcome.console)
    return Seen(outcome, logs.get("send", Log()), logs.get("receive", Log()))


# --- command lines and files ------------------------------------------------------------------

@dataclass(frozen=True)
class Guest:
    """One Linux: kernel and words of its command line."""
    flavour: str = "bystander"
    kho: str = "on"
    liveupdate: str = "on"
    kaslr: bool = False
    words: Sequence[str] = ()
    # As the first kernel: started by OVMF; what it hands over.
    uefi: bool = False
    sessions: str = SESSIONS
    many: int = 0			# sessions besides, of one memfd each
    regions: Sequence[str] = REGIONS

    def number_of_sessions(self) -> int:
        return len(self.sessions.split(",") if self.sessions else []) + self.many

    def kinds(self) -> Sequence[str]:
        """Which lines of an agent say what it hands over."""
        memfds = ("memfd", "session") if self.sessions or self.many else ()
        return (*memfds, *(("region",) if self.regions else ()))

    def cmdline(self, *more: str) -> str:
        iommu = IOMMU_WORDS if self.flavour == "iommu" else ()
        return " ".join((CONSOLE, f"kho={self.kho} liveupdate={self.liveupdate}", *([] if self.kaslr else ["nokaslr"]),
                         *iommu, *self.words, *more))


def session_words(sessions: str, many: int = 0) -> Sequence[str]:
    return (*([f"agent_sessions={sessions}"] if sessions else []), *([f"agent_many={many}"] if many else []))


def sender_words(guest: Guest, *more: str) -> Sequence[str]:
    return ("agent=send", *session_words(guest.sessions, guest.many), *guest.regions, *more)


def receiver_words(sessions: str, *more: str, many: int = 0) -> Sequence[str]:
    return ("agent=receive", *session_words(sessions, many), *more)


def started(directory: Path, kit: Kit, guest: Guest, files: Mapping[str, bytes],
            cmdline: str) -> q.Kernel:
    """A kernel that SeaBIOS starts, with an initramfs that holds @files as well."""
    inputs = directory / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    initrd = inputs / "initrd"
    initrd.write_bytes(initramfs.guest(kit.agent, files))
    return q.Kernel(kit.kernel(guest.flavour), initrd, cmdline, guest.uefi)


def linux_spec(kit: Kit, directory: Path, first: Guest, machine: q.Machine, next_files: Mapping[str, bytes],
               **more: object) -> run.Spec:
    """A machine that starts Linux with an agent that hands over to next_files["next"]."""
    words = ["next=/next", "next_cmdline=/next_cmdline"]
    if kexec_tool.PROGRAM in next_files:
        words.append("next_by=kexec")
    if "next_initrd" in next_files:
        words.append("next_initrd=/next_initrd")
    kernel = started(directory, kit, first, next_files, first.cmdline(*sender_words(first, *words)))
    return run.Spec(machine=machine, kernel=kernel, **more)	# type: ignore[arg-type]


# --- checks -----------------------------------------------------------------------------------

def agent_passed(seen: Seen) -> List[str]:
    """The receiving agent came to its end, was content, and the machine was reset by it."""
    if not seen.receive.lines:
        last = seen.outcome.console.strip().splitlines()
        return [f"no receiving agent was heard; the console ends with: {last[-1] if last else 'nothing'}"]
    found = seen.receive.problems()
    verdict = seen.receive.verdict()
    if verdict != "PASS" and not found:
        found.append(f"the agent's verdict is {verdict}")
    if seen.outcome.ended != "exit":
        found.append(f"the machine was not left: {seen.outcome.ended}")
    return found


def agent_sent(seen: Seen) -> List[str]:
    found = seen.send.problems()
    if seen.send.value("ready") != "yes":
        found.append("the sending agent did not get to its jump")
    return found


FIELDS = {"memfd": ("size", "crc32c", "position", "seals", "folios"), "session": ("files",),
          "region": ("address", "size", "crc32c")}


def arrived(*kinds: str) -> Problems:
    """Every memfd, session or region is what was sent; the firmware's own apart."""
    def problems(seen: Seen) -> List[str]:
        found = []
        for kind in kinds:
            theirs = Log([f for f in seen.receive.all(kind) if not re.match(r"baton(/|$)", f[kind])])
            if not seen.send.keyed(kind):
                found.append(f"no {kind} was sent")
            found += agent_log.differences(seen.send, theirs, kind, FIELDS[kind])
        return found
    return problems


def handoff(release: str, count: int, number: Optional[int]) -> Problems:
    """kexec-metadata and LUO's count; @number None: LUO is off."""
    def problems(seen: Seen) -> List[str]:
        log = seen.receive
        got = (log.value("release", "metadata"), log.value("count", "metadata"), log.value("liveupdate_number"))
        want = (release, str(count), None if number is None else str(number))
        return [] if got == want else [f"release, count and liveupdate number are {got}, expected {want}"]
    return problems


BAD_COUNTS = ("lost", "duplicate", "corrupt", "misplaced", "bad_descriptors")


def offered_meanwhile(seen: Seen) -> List[str]:
    """The wires had frames while nothing landed: no sender ever paused for as long, until the machine was gone."""
    watched = seen.receive.number("watched_ms", "stopped")
    quiet = [s for s in seen.outcome.senders
             if s.get("ended") not in ("peer gone", "terminated") or
             not isinstance(s.get("longest_silence_us"), int) or int(str(s["longest_silence_us"])) >= 1000 * watched]
    if quiet or not seen.outcome.senders:
        return [f"nothing landed for {watched} ms; was anything offered?  {[dict(s) for s in quiet] or 'No sender'}"]
    return []


def stream_problems(log: Log, stream: str) -> List[str]:
    found = []
    by_when = {facts.get("when"): facts for facts in log.all("stream") if facts["stream"] == stream}
    booted = log.number("up_ms", "mode") * RATE // 1000		# frames that were sent meanwhile, about
    for when, least in (("since_jump", max(1, booted // 2)), ("since_repost", MORE_FRAMES)):
        facts = by_when.get(when)
        if facts is None:
            found.append(f"the agent says nothing of frames of stream {stream} {when}")
            continue
        if int(facts["frames"]) < least:
            found.append(f"stream {stream}: {facts['frames']} frames {when}, at least {least} are wanted")
        found += [f"stream {stream} {when}: {key}={facts[key]}" for key in BAD_COUNTS if facts[key] != "0"]
    if not any(int(f["free_at_start"]) for f in log.all("ring") if f["ring"] == stream):
        found.append(f"stream {stream}: no free descriptor when the agent started")
    return found


def streams_went_on(count: int) -> Problems:
    """Frames landed while Linux booted, all of them, and more when descriptors were given back."""
    def problems(seen: Seen) -> List[str]:
        log = seen.receive
        found = [p for n in range(count) for p in stream_problems(log, str(n + 1))]
        if [f["changed"] for f in log.all("guards")] != count * ["0"]:
            found.append("the guards were not found intact")
        for when in ("begin", "end"):
            if sum(f["pages"] == when and f.get("in_place") == "yes" for f in log.all("pages")) != count:
                found.append(f"{when}: the memfds are not known to be the receive buffers")
        if len({f["stopped"] for f in log.all("stopped") if "landed_after" in f}) != count:
            found.append("bus master was not cleared in every NIC")
        return found + offered_meanwhile(seen)
    return problems


def nic_stopped(seen: Seen) -> List[str]:
    facts = seen.receive.one("stopped")
    if facts is None:
        return ["the agent says nothing of a stopped NIC"]
    command = int(facts["command"], 16)
    if command & PCI_COMMAND_MASTER:
        return [f"the NIC's command register is {command:04x}, bus master on"]
    return offered_meanwhile(seen)


def bytes_intact(seen: Seen) -> List[str]:
    """IOMMU tables and records are as Baton's digests say, before and after Linux did its work."""
    found = []
    for when in ("begin", "end"):
        facts = next((f for f in seen.receive.all("digests") if f["digests"] == when), {})
        if facts.get("different") != "0" or "0" in (facts.get("tables", "0"), facts.get("records", "0")):
            found.append(f"{when}: {facts or 'no digests were compared'}")
    return found


def buffers_intact(seen: Seen) -> List[str]:
    """Read by physical address: control page and guards."""
    if seen.receive.one("preserved") is None or seen.receive.value("changed", "guards") != "0":
        return ["control page and guards were not found intact"]
    return []


def kernel_in_scratch(seen: Seen) -> List[str]:
    """Wherever the kernel moved itself to."""
    at = int(seen.receive.value("kernel_at", "mode") or "0", 16)
    areas = announced_scratch(seen.receive)
    return [] if any(a <= at < a + size for a, size in areas) else [f"the kernel is at {at:x}, scratch is {areas}"]


def no_liveupdate(seen: Seen) -> List[str]:
    said = seen.receive.value("liveupdate_device")
    return [] if said == "ENOENT" else [f"/dev/liveupdate: {said}"]


def baton_reports(generations: int) -> Problems:
    """Every generation reported, and all its checks held."""
    def problems(seen: Seen) -> List[str]:
        report = seen.outcome.report
        found = report.failures()
        if len(report.documents) != generations:
            found.append(f"{len(report.documents)} generations of Baton reported, expected {generations}")
        return found
    return problems


FOREIGN = re.compile(r"^# foreign: (.*)$", re.M)


def foreign(seen: Seen) -> List[agent_log.Facts]:
    """What Baton says of the handoff that Linux left it."""
    return [agent_log.facts_of(line) for line in FOREIGN.findall(seen.outcome.console.replace("\r", ""))]


MAY_BE_NONE = ("memfd", "session", "region")
PAGE = 4096
# What Linux keeps besides, at most: its own structures, one by one and for each session and memfd.
PAGES_OF_KHO, PAGES_OF_ONE = 32, 5


def pages(size: str) -> int:
    return (int(size) + PAGE - 1) // PAGE


def scratch_of(said: Sequence[agent_log.Facts]) -> List[Tuple[int, int]]:
    return [(int(f["at"], 0), int(f["size"], 0)) for f in said if "scratch" in f]


def announced_scratch(log: Log) -> List[Tuple[int, int]]:
    return [(int(f["address"], 16), int(f["size"], 16)) for f in log.all("scratch")]


def pages_problems(said: Sequence[agent_log.Facts], sent: Log) -> List[str]:
    """As many pages are preserved as the memfds and regions need, and few more; orders and extents add up to them."""
    total = next((f for f in said if "extents" in f), None)
    if total is None:
        return ["Baton does not say how many pages are preserved"]
    found = []
    count = int(total["pages"])
    data = sum(pages(f["size"]) for kind in ("memfd", "region") for f in sent.all(kind))
    besides = PAGES_OF_KHO + PAGES_OF_ONE * sum(1 for kind in ("memfd", "session") for _ in sent.all(kind))
    if not data < count <= data + besides:
        found.append(f"{count} pages are preserved; memfds and regions have {data}, for the rest {besides} are enough")
    by_order = sum(int(f["chunks"]) << int(f["order"]) for f in said if "preserved" in f)
    if by_order != count:
        found.append(f"{count} pages are preserved, by orders {by_order}")
    extents = [int(f["chunks"]) << int(f["order"]) for f in said if "extent" in f]
    if len(extents) != int(total["shown"]) or total["shown"] == total["extents"] and sum(extents) != count:
        found.append(f"{count} pages are preserved; {len(extents)} of {total['extents']} extents have {sum(extents)}")
    return found


def baton_found(guest: Guest) -> Problems:
    """Every session, memfd and region that Linux sent, by digest, and its counts; none where it sent none."""
    def problems(seen: Seen) -> List[str]:
        kinds = guest.kinds()
        found = [f"{'no' if kind in kinds else 'a'} {kind} was sent" for kind in MAY_BE_NONE
                 if (kind in kinds) != bool(seen.send.keyed(kind))]
        count = len(seen.send.keyed("session"))
        if count != guest.number_of_sessions():
            found.append(f"{count} sessions were sent, {guest.number_of_sessions()} were meant to be")
        return found + found_differently(foreign(seen), seen.send, "1" if guest.liveupdate == "on" else "0")
    return problems


def found_differently(said: Sequence[agent_log.Facts], sent: Log, number: str) -> List[str]:
    files = {f"{f['session']}/{int(f['token'], 0):x}":
             (f["size"], f["crc32c"], f["pos"], f"{int(f['seals'], 0):x}") for f in said if "file" in f}
    sessions = {f["name"]: f["files"] for f in said if "session" in f and "name" in f}
    regions = {f["name"]: (f"{int(f['at'], 0):x}", f["size"], f["crc32c"]) for f in said if "reserve_mem" in f}
    counts = [(f["release"], f["kexec_count"], f["liveupdate_num"]) for f in said if "release" in f]
    wanted = (
        ("memfd", files, {k: (f["size"], f["crc32c"], f["position"], f["seals"])
                           for k, f in sent.keyed("memfd").items()}),
        ("session", sessions, {k: f["files"] for k, f in sent.keyed("session").items()}),
        ("region", regions, {k: (f["address"], f["size"], f["crc32c"])
                              for k, f in sent.keyed("region").items()}),
        ("counts", counts, [(RELEASE, "1", number)]),
        ("scratch areas", scratch_of(said), announced_scratch(sent)),
        ("nodes", {f["name"]: f["size"] for f in said if "node" in f},
         {k: f["size"] for k, f in sent.keyed("node").items()}),
    )
    found = [f"Baton found {what} {got}, sent were {want}" for what, got, want in wanted
             if got != want or not (got or what in MAY_BE_NONE)]
    return found + pages_problems(said, sent)


def same_scratch(seen: Seen) -> List[str]:
    """The last kernel's scratch array is the first one's."""
    first, last = scratch_of(foreign(seen)), announced_scratch(seen.receive)
    return [] if first and first == last else [f"scratch areas were {first}, arrived as {last}"]


GSTS_QIES, GSTS_IRES = 1 << 26, 1 << 25


def iommu_left_on(seen: Seen) -> List[str]:
    """Linux left queue and interrupt remapping programmed, and Baton saw it."""
    match = re.search(r"vtd0: left with GSTS ([0-9a-f]{8})", seen.outcome.console)
    if match and int(match.group(1), 16) & (GSTS_QIES | GSTS_IRES) == GSTS_QIES | GSTS_IRES:
        return []
    return [f"GSTS as Linux left it: {match.group(1) if match else 'not said'}"]


def others_stopped(seen: Seen) -> List[str]:
    return takeover.processors_stopped(seen.outcome.trace)


def unit_taken_over(seen: Seen) -> List[str]:
    return takeover.unit_taken_over(seen.outcome.trace)


def five_levels(seen: Seen) -> List[str]:
    said = seen.send.value("la57", "mode")
    return [] if said == "yes" else [f"5-level paging in the first kernel: {said}"]


def no_handoff(seen: Seen) -> List[str]:
    said = (seen.receive.value("handoff"), seen.receive.value("found_handover_data"))
    return [] if said == ("none", "no") else [f"handoff and whether the kernel found one: {said}"]


def notices(reason: str) -> Problems:
    """The agent found exactly one thing wrong."""
    def problems(seen: Seen) -> List[str]:
        said = sorted(set(seen.receive.problems()))	# some things are looked at twice
        if seen.receive.verdict() == "FAIL" and len(said) == 1 and re.search(reason, said[0]):
            return []
        return [f"verdict {seen.receive.verdict()}, problems {said}; expected one: {reason}"]
    return problems


def told_of_efi(times: int) -> Problems:
    """How many of the kernels found EFI's tables.  What is wrong with them is in the log, which is checked."""
    def problems(seen: Seen) -> List[str]:
        if not seen.receive.lines:
            return ["no kernel was heard"]
        found = len(re.findall(r"\] efi: EFI v\d", seen.outcome.console))
        return [] if found == times else [f"{found} kernels found EFI tables, expected {times}"]
    return problems


SCREEN_EFI = "70"		# orig_video_isVGA: a linear framebuffer that firmware left


def screen_told(seen: Seen) -> List[str]:
    facts = seen.receive.one("screen") or {}
    whole = facts.get("screen") == SCREEN_EFI and "0" not in (facts["width"], facts["height"], facts["base"])
    return [] if whole else [f"the framebuffer in boot_params: {facts}"]


PASSED = Check("passes", agent_passed)
SENT = Check("is_sent", agent_sent)


# --- Linux to Linux ---------------------------------------------------------------------------

NO_NIC = q.Machine(nic=None, iommu=None, memory="1G", cpu="qemu64")


def linux_to_linux(name: str, first: Guest, second: Guest, checks: Sequence[Check],
                   machine: q.Machine = NO_NIC, words: Sequence[str] = ()) -> Run:
    def spec(kit: Kit, directory: Path) -> run.Spec:
        sessions = "" if second.kho == "off" else first.sessions
        cmdline = second.cmdline(*receiver_words(sessions, *first.regions, *words))
        return linux_spec(kit, directory, first, machine,
                          {"next": kit.kernel(second.flavour).read_bytes(),
                           "next_initrd": initramfs.guest(kit.agent), "next_cmdline": cmdline.encode()},
                          sender=False, trace=())
    return Run(name, (first.flavour, second.flavour), spec, (SENT, *checks))


PLAIN, OFF = Guest(), Guest(kho="off", words=("agent_kho=off",))
ARRIVES = Check("arrives", arrived(*FIELDS))
NOTHING = Guest(kho="off", liveupdate="off", sessions="", regions=())
FIRST_HOP = Check("counts", handoff(RELEASE, 1, 1))

LINUX: Tuple[Run, ...] = (
    linux_to_linux("linux_to_linux", PLAIN, PLAIN, (PASSED, ARRIVES, FIRST_HOP)),
    linux_to_linux("linux_to_linux.kaslr_2_cpus_6g", Guest(kaslr=True), Guest(kaslr=True),
                   (PASSED, ARRIVES, FIRST_HOP), replace(NO_NIC, memory="6G", processors=2, cpu="max")),
    linux_to_linux("linux_to_linux.kho_off", PLAIN, OFF,
                   (PASSED, Check("regions_arrive", arrived("region")), Check("counts", handoff(RELEASE, 1, None)),
                    Check("no_liveupdate", no_liveupdate))),
    linux_to_linux("linux_to_linux.iommu", Guest("iommu"), Guest("iommu"), (PASSED, ARRIVES, FIRST_HOP),
                   replace(NO_NIC, iommu=VTD)),
    # A handoff that is not there is not found.
    linux_to_linux("linux_to_linux.none", NOTHING, Guest(words=("agent_kho=none",)),
                   (PASSED, Check("no_handoff", no_handoff))),
    # That the agent is not content with anything.
    linux_to_linux("agent.session_missing", PLAIN, replace(PLAIN, words=("agent_sessions=nothere",)),
                   (Check("notices", notices("session_nothere_cannot_be_retrieved")),),
                   words=("agent_sessions=nothere",)),
)

# --- Baton to Linux ---------------------------------------------------------------------------

BATON_RELEASE = r"baton-0.1"	# VERSION of the Makefile


def baton_to_linux(name: str, generations: int = 2, guest: Guest = PLAIN, machine: Optional[q.Machine] = None,
                   stopped: bool = False, config: Optional[Mapping[str, str]] = None,
                   sender_frames: int = SENDER_FRAMES, streams: int = 1, checks: Optional[Sequence[Check]] = None,
                   more: Sequence[Check] = ()) -> Run:
    """Firmware, Baton, and Linux in place of the last generation, frames arriving all the while."""
    hops = generations - 1
    off = guest.kho == "off"
    nic = ("nic=stopped", f"agent_nic={q.NIC_BDF}") if stopped else ("nic=live", f"agent_frames={MORE_FRAMES}")
    keys = {"generations": str(generations), "handoff_to": "linux", "linux_kho": "yes", **SLOW, **(config or {})}

    def spec(kit: Kit, directory: Path) -> run.Spec:
        cmdline = guest.cmdline(*receiver_words("" if off else "baton", *nic, f"agent_streams={streams}"))
        return run.Spec(machine=machine or q.Machine(memory="2G"), config=keys, rate=RATE,
                        frames=100 * generations, sender_frames=sender_frames, trace=(),
                        image=kit.test_image.read_bytes() if "corrupt" in keys else None,
                        files={"baton/bzImage": kit.kernel(guest.flavour).read_bytes(),
                               "baton/initrd": initramfs.guest(kit.agent), "baton/cmdline": cmdline.encode()})
    wanted = [PASSED, Check("bytes_intact", bytes_intact),
              Check("counts", handoff(BATON_RELEASE, hops, None if off else hops)),
              Check("kernel_in_scratch", kernel_in_scratch)]
    if off:
        wanted += [Check("no_liveupdate", no_liveupdate), Check("buffers_intact", buffers_intact)]
    elif stopped:
        wanted.append(Check("nic_stopped", nic_stopped))
    else:
        wanted.append(Check("stream", streams_went_on(streams)))
    return Run(name, (guest.flavour,), spec, (Check("baton", baton_reports(hops)), *(checks or wanted), *more))


BATON: Tuple[Run, ...] = (
    baton_to_linux("baton_to_linux", more=(Check("efi_not_told", told_of_efi(0)),)),
    baton_to_linux("baton_to_linux.efi_first", config={"efi": "first"}, guest=Guest(kaslr=True),
                   machine=q.Machine(memory="2G", display="bochs-display"),
                   more=(Check("efi", told_of_efi(1)), Check("screen", screen_told))),
    baton_to_linux("baton_to_linux.generation_2", generations=4),
    baton_to_linux("baton_to_linux.igb_scalable", config={"mode": "scalable"},
                   machine=q.Machine(nic="igb", memory="2G", iommu={"aw-bits": "48", "scalable": "on"})),
    baton_to_linux("baton_to_linux.kaslr_2_cpus_6g", guest=Guest(kaslr=True),
                   machine=q.Machine(memory="6G", processors=2)),
    baton_to_linux("baton_to_linux.2_nics", streams=2, machine=q.Machine(memory="2G", more_nics=("e1000e",))),
    baton_to_linux("baton_to_linux.kho_off", guest=OFF),
    baton_to_linux("baton_to_linux.iommu_stopped", guest=Guest("iommu"), stopped=True, config={"linux_kho": "no"}),
    # That the agent is not content with anything.
    baton_to_linux("agent.stream_ends", sender_frames=250,
                   checks=(Check("notices", notices("frames_after_descriptors_were_given_back")),)),
    baton_to_linux("agent.table_altered", config={"corrupt": "table"},
                   checks=(Check("notices", notices("of_kind_1_has_CRC32C")),)),
    baton_to_linux("agent.record_altered", config={"corrupt": "record_did"},
                   checks=(Check("notices", notices("of_kind_3_has_CRC32C")),)),
)

# --- Linux to Baton ---------------------------------------------------------------------------


def linux_to_baton(name: str, first: Guest, machine: q.Machine, generations: int = 2,
                   then: Optional[Guest] = None, more: Sequence[Check] = (), sign: bool = False,
                   by_program: bool = False, config: Optional[Mapping[str, str]] = None,
                   trace: Sequence[str] = ()) -> Run:
    """Linux starts baton.efi with kexec_file_load(); with @then Baton goes on to Linux."""
    last = generations if then is None else generations - 1
    keys = {"generations": str(generations), "frames": str(100 * generations), "rate": str(RATE),
            "exit": "qemu", "faults": "yes", **SLOW, **(config or {})}
    if then is not None:
        keys.update({"handoff_to": "linux", "linux_kho": "yes"})

    def spec(kit: Kit, directory: Path) -> run.Spec:
        files = {"next": signing.signed(kit.image, directory / "inputs") if sign else kit.image.read_bytes(),
                 "next_cmdline": " ".join(f"{k}={v}" for k, v in keys.items()).encode(),
                 **(kexec_tool.files() if by_program else {})}
        if then is not None:
            words = receiver_words(f"baton,{first.sessions}", *first.regions, "nic=live",
                                   f"agent_frames={MORE_FRAMES}", many=first.many)
            files["next_initrd"] = initramfs.for_firmware(
                kit.kernel(then.flavour).read_bytes(), initramfs.guest(kit.agent), then.cmdline(*words))
        return linux_spec(kit, directory, first, machine, files, rate=RATE, frames=100 * generations,
                          sender_frames=None if then is None else SENDER_FRAMES, trace=trace)
    checks = [SENT, Check("handoff_found", baton_found(first)), Check("baton", baton_reports(last)), *more]
    if then is None:
        checks.append(Check("verdict", baton_passed))
    else:
        checks += [PASSED, ARRIVES, Check("bytes_intact", bytes_intact), Check("stream", streams_went_on(1)),
                   Check("counts", handoff(BATON_RELEASE, last + 1, last + 1)), Check("same_scratch", same_scratch)]
    flavours = (first.flavour,) if then is None else (first.flavour, then.flavour)
    return Run(name, flavours, spec, checks)


def baton_passed(seen: Seen) -> List[str]:
    return [] if seen.outcome.status == run.PASS else [seen.outcome.sentence]


def slept(seen: Seen) -> List[str]:
    """The NIC was in D3 when the first kernel left, and Baton woke it, once."""
    state = seen.send.value("state", "slept")
    found = [] if state == "3" else [f"the NIC's power state before the jump: {state}"]
    woken = re.findall(r"^# pci: (\S+): woken from (D\d)", seen.outcome.console, re.M)
    return found if woken == [(q.NIC_BDF, "D3")] else [*found, f"Baton woke {woken}"]


def firmware_to_signed(name: str) -> Run:
    """Firmware starts a signed image, which hands over to itself."""
    def spec(kit: Kit, directory: Path) -> run.Spec:
        return run.Spec(image=signing.signed(kit.image, directory / "inputs"), config={"generations": "2"},
                        frames=4000, trace=())
    return Run(name, (), spec, (Check("baton", baton_reports(2)), Check("verdict", baton_passed)))


WITH_NIC = q.Machine(memory="2G")

THROUGH: Tuple[Run, ...] = (
    linux_to_baton("linux_to_baton", PLAIN, WITH_NIC, more=(Check("with_5_levels", five_levels),)),
    linux_to_baton("linux_to_baton.iommu_2_cpus", Guest("iommu"), replace(WITH_NIC, processors=2, iommu=VTD),
                   trace=takeover.EVENTS,
                   more=(Check("iommu_left_on", iommu_left_on), Check("others_stopped", others_stopped),
                         Check("unit_taken_over", unit_taken_over))),
    # With Debian's program, and a NIC that must be woken first.
    linux_to_baton("linux_to_baton.kexec_s", Guest(words=(f"agent_sleep={q.NIC_BDF}",)), WITH_NIC,
                   more=(Check("nic_slept", slept),), by_program=True),
    linux_to_baton("linux_to_baton.6g_no_regions", Guest(regions=()), replace(WITH_NIC, memory="6G")),
    linux_to_baton("linux_to_baton.liveupdate_off", Guest(liveupdate="off", sessions=""), WITH_NIC),
    linux_to_baton("linux_to_baton.signed", PLAIN, replace(WITH_NIC, cpu="qemu64"), sign=True),
    firmware_to_signed("signed_baton"),
    linux_to_baton("linux_to_baton_to_linux", PLAIN, WITH_NIC, then=PLAIN),
    linux_to_baton("linux_to_baton_to_linux.many_sessions", Guest(many=300), WITH_NIC, generations=3,
                   then=PLAIN),
    linux_to_baton("linux_to_baton_to_linux.efi_relay", Guest(uefi=True), WITH_NIC, generations=3, then=PLAIN,
                   config={"efi": "relay"}, more=(Check("efi", told_of_efi(2)),)),
    linux_to_baton("linux_to_baton_to_linux.iommu_2_generations", Guest("iommu"),
                   replace(WITH_NIC, processors=2, iommu=VTD), generations=3, then=PLAIN),
)

RUNS: Tuple[Run, ...] = (*LINUX, *BATON, *THROUGH)


def by_name(names: Sequence[str], runs: Sequence[Run] = RUNS) -> List[Run]:
    """Those named; a name ending in "." stands for all that begin so.  KeyError: there is none."""
    chosen: List[Run] = []
    for name in names:
        found = [r for r in runs if r.name == name or (name.endswith(".") and r.name.startswith(name))]
        if not found:
            raise KeyError(name)
        chosen += found
    return chosen
