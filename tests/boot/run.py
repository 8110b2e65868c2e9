#!/usr/bin/env python3
"""Boot Baton once in QEMU with the frame sender on the wire, and say how it ended.

    run.py [--image FILE] [--out DIR] [--sender FILE] [--timeout S] [--linux FOLDER] [key=value ...]

Words of the form key=value go into baton.cfg as they are.  The environment gives the rest, with
the names and defaults of `make help`.  The status is the run's: 0 pass, 1 fail, 2 bad usage or
configuration, 3 something missing, 4 no verdict in time, 5 QEMU itself failed.
"""
import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, IO, Iterator, List, Mapping, Optional, Sequence, Tuple

import image
import ktap
import qemu as q
import witness

PASS, FAIL, USAGE, MISSING, TIMEOUT, QEMU_FAILED = range(6)
STATUS_OF_CODE = {0x10: PASS, 0x11: FAIL, 0x12: USAGE, 0x13: MISSING, 0x14: MISSING,
                  0x15: MISSING, 0x16: FAIL, 0x17: FAIL, 0x18: FAIL}

DEFAULT_TIMEOUT = 120		# seconds besides the traffic; a loaded machine needs 11 to boot
AFTER_VERDICT = 10		# seconds QEMU may take to end once the verdict is out
POLL = 0.05
SENDER_LINGER = 60		# seconds the sender stays on the wire for tests after the stream

Sink = Callable[[str], None]


@dataclass(frozen=True)
class Spec:
    """One run, apart from which QEMU and firmware carry it."""
    machine: q.Machine = field(default_factory=q.Machine)
    config: Mapping[str, str] = field(default_factory=dict)
    config_tail: str = ""			# appended to baton.cfg as it is
    image: Optional[bytes] = None		# BOOTX64.EFI; None: the built one
    rate: int = 4000
    frames: int = 20000
    sender: bool = True
    timeout: float = DEFAULT_TIMEOUT
    stop_at: Optional[str] = None		# a pattern after which nothing more can come
    files: Mapping[str, bytes] = field(default_factory=dict)	# on the disk besides
    kernel: Optional[q.Kernel] = None		# started in place of firmware and disk
    sender_frames: Optional[int] = None		# if the sender has more than Baton waits for
    trace: Sequence[str] = witness.EVENTS


@dataclass
class Outcome:
    """How a run ended."""
    status: int
    sentence: str
    directory: Path
    seconds: float = 0
    code: Optional[int] = None			# of the verdict
    report: ktap.Report = field(default_factory=ktap.Report)
    console: str = ""
    sender: Dict[str, object] = field(default_factory=dict)	# the first one, and all of them
    senders: Sequence[Mapping[str, object]] = ()
    trace: str = ""
    stream_window: Tuple[float, float] = (0, 0)	# wall time: first to last generation's report
    ended: str = ""				# as wait_for_end() says it


class Console:
    """Follows the serial log, stamps its lines and hands them on without escape sequences."""

    def __init__(self, path: Path, sink: Sink) -> None:
        self.path, self.sink = path, sink
        self.stream: Optional[IO[bytes]] = None
        self.rest = b""
        self.started = False			# the banner was seen; before it firmware talks
        self.documents: List[float] = []	# when each KTAP header came
        self.verdict_at: Optional[float] = None
        self.text = ""

    def poll(self) -> None:
        """Take what is new."""
        if self.stream is None:
            if not self.path.exists():
                return
            self.stream = open(self.path, "rb")
        data = self.stream.read()
        self.text += data.decode("utf-8", "replace")
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.take(ktap.clean(line.decode("utf-8", "replace"))[0])

    def take(self, line: str) -> None:
        now = time.time()
        banner = ktap.BANNER.search(line)
        if banner and not self.started:
            self.started, line = True, line[banner.start():]
        if line.startswith("KTAP version 1"):
            self.documents.append(now)
        if ktap.VERDICT.match(line):
            self.verdict_at = now
        if self.started:
            self.sink(line)

    def close(self) -> None:
        self.poll()
        if self.stream:
            self.stream.close()

    def stream_window(self) -> Tuple[float, float]:
        """From the first kernel's report to the last one's: in between, nothing may happen.

        The end is drawn in by two polls, because a line is seen that much after it was printed.
        """
        if len(self.documents) < 2:
            return (0, 0)
        return (self.documents[0], self.documents[-1] - 2 * POLL)


# --- processes --------------------------------------------------------------------------------

def die_with_parent() -> None:
    """In the child: be killed if the runner goes away without a chance to clean up."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def start(argv: Sequence[str], env: Mapping[str, str], out: IO[bytes],
          err: IO[bytes]) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches the runner only, which then ends what it started.
    return subprocess.Popen(argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                            start_new_session=True, preexec_fn=die_with_parent)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End one process that we started, politely first."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(argv: Sequence[str], env: Mapping[str, str], out: Path,
            err: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with open(out, "wb") as out_file, open(err, "ab") as err_file:
        process = start(argv, env, out_file, err_file)
        try:
            yield process
        finally:
            stop(process)


@contextlib.contextmanager
def socket_directory() -> Iterator[Path]:
    """Short, because a UNIX socket's path has at most 107 characters."""
    base = tempfile.gettempdir()
    directory = Path(tempfile.mkdtemp(prefix="baton-", dir=base if len(base) < 60 else "/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


# --- one run ----------------------------------------------------------------------------------

def baton_config(spec: Spec) -> Dict[str, str]:
    """The keys the runner writes, then those of the run."""
    keys = {"exit": "qemu", "faults": "yes", "countdown": "0", "rate": str(spec.rate),
            "frames": str(spec.frames)}
    keys.update(spec.config)
    return keys


def prepare(spec: Spec, built: Path, firmware: q.Firmware, directory: Path,
            sockets: Path) -> q.Files:
    """The files of a run; what an earlier one left is gone."""
    files = q.Files(disk=directory / "esp.img", variables=directory / "vars.fd",
                    serial=directory / "serial.log", trace=directory / "trace.log",
                    events=directory / "trace-events", sockets=sockets, kernel=spec.kernel)
    for path in directory.iterdir():
        if path.is_file() and path.name != "lock":
            path.unlink()
    program = built.read_bytes() if spec.image is None else spec.image
    config = image.config_text(baton_config(spec)) + spec.config_tail
    (directory / "baton.cfg").write_text(config, encoding="utf-8")
    image.make(files.disk, {"EFI/BOOT/BOOTX64.EFI": program,
                            "baton/baton.cfg": config.encode("utf-8"), **spec.files})
    shutil.copyfile(firmware.variables, files.variables)
    return files


def sender_argv(spec: Spec, sender: Path, files: q.Files, wire: int) -> List[str]:
    return [str(sender), "--bind", str(files.peer_socket(wire)),
            "--peer", str(files.nic_socket(wire)), "--mac", q.mac(wire),
            "--stream", str(wire + 1), "--rate", str(spec.rate),
            "--frames", str(spec.sender_frames or spec.frames),
            "--timeout", str(max(1, int(spec.timeout))), "--linger", str(SENDER_LINGER)]


def wire_name(wire: int) -> str:
    """Base name of a sender's files."""
    return f"frames{wire + 1}" if wire else "frames"


def traffic_seconds(spec: Spec) -> float:
    return spec.frames / spec.rate if spec.sender else 0


def wait_for_end(spec: Spec, machine: "subprocess.Popen[bytes]", console: Console,
                 progress: Callable[[], None]) -> str:
    """Follow the run.  Returns why it is over: "exit", "timeout", "stopped" or "verdict"."""
    deadline = time.monotonic() + spec.timeout + traffic_seconds(spec)
    stop_at = re.compile(spec.stop_at) if spec.stop_at else None
    while machine.poll() is None:
        console.poll()
        progress()
        if stop_at and stop_at.search(console.text):
            return "stopped"
        if console.verdict_at and time.time() > console.verdict_at + AFTER_VERDICT:
            return "verdict"
        if time.monotonic() > deadline:
            return "timeout"
        time.sleep(POLL)
    return "exit"


def sender_progress(path: Path, sink: Sink) -> Callable[[], None]:
    """Hands on the sender's newest line whenever it says something new."""
    seen: List[str] = []

    def poll() -> None:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if lines and lines[-1:] != seen[-1:]:
            seen.append(lines[-1])
            sink(lines[-1])
    return poll


def execute(spec: Spec, machine: q.Qemu, firmware: q.Firmware, built: Path, sender: Path,
            directory: Path, sink: Sink = lambda line: None) -> Outcome:
    """Boot once.  Nothing that was started is left when this returns or raises."""
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(open(directory / "lock", "w", encoding="utf-8"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return Outcome(USAGE, f"another run is using {directory}", directory)
        sockets = stack.enter_context(socket_directory())
        files = prepare(spec, built, firmware, directory, sockets)
        argv = q.command(machine, firmware, spec.machine, files, spec.trace)
        (directory / "command").write_text("\n".join(argv) + "\n", encoding="utf-8")
        console = Console(files.serial, sink)
        peers = []
        reports = []
        for wire, _ in enumerate(spec.machine.nics() if spec.sender else []):
            name = wire_name(wire)
            peers.append(stack.enter_context(running(sender_argv(spec, sender, files, wire),
                                                     os.environ, directory / f"{name}.json",
                                                     directory / f"{name}.log")))
            reports.append(sender_progress(directory / f"{name}.log", sink))

        def progress() -> None:
            for report in reports:
                report()
        began = time.monotonic()
        process = stack.enter_context(running(argv, machine.environment(),
                                              directory / "qemu.out", directory / "qemu.log"))
        why = wait_for_end(spec, process, console, progress)
        stop(process)
        seconds = time.monotonic() - began
        console.close()
        for peer in peers:
            stop(peer)
    return judge(spec, why, process.returncode, console, directory, seconds)


# --- what it means ----------------------------------------------------------------------------

def read_json(path: Path) -> Dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def first_line(path: Path) -> str:
    """QEMU names what is wrong first; what follows is advice."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    return next((line.strip() for line in lines if line.strip()), "it said nothing")


def code_of_exit(returncode: int) -> Optional[int]:
    """isa-debug-exit gives 2 * code + 1; anything else is not ours."""
    code = (returncode - 1) // 2
    return code if returncode == 2 * code + 1 and code in STATUS_OF_CODE else None


def conclude(why: str, returncode: int, verdict: Optional[ktap.Verdict], qemu_words: str,
             left: Optional[int] = None) -> Tuple[int, Optional[int], str]:
    """Status, verdict code and sentence (docs/design.md, "How failures end")."""
    code = code_of_exit(returncode) if why == "exit" else None
    if verdict and code is not None and verdict.code != code:
        return FAIL, code, (f"the console says {verdict.code:02x}h but QEMU was left "
                            f"with {code:02x}h")
    if verdict and why == "verdict":
        return FAIL, None, f"the machine was not left after the verdict: {verdict.sentence}"
    if verdict:
        if why == "exit" and code is None and returncode != 0:
            return QEMU_FAILED, None, f"QEMU ended with status {returncode}: {qemu_words}"
        return STATUS_OF_CODE.get(verdict.code, FAIL), verdict.code, verdict.sentence
    if code is not None:
        return FAIL, code, f"QEMU was left with {code:02x}h, but no verdict line was printed"
    if left is not None and (returncode == 0 or why != "exit"):
        words = f"Baton handed over to Linux, {left} of its checks failed"
        if why != "exit":
            return TIMEOUT, None, f"{words}; Linux did not end in time"
        return FAIL if left else PASS, None, f"{words}; what Linux made of it is on the console"
    if why == "stopped":
        return TIMEOUT, None, "stopped where nothing more could come"
    if why == "timeout":
        return TIMEOUT, None, "no verdict in time"
    if returncode == 0:
        return TIMEOUT, None, "the machine was reset or switched off without a verdict"
    return QEMU_FAILED, None, f"QEMU ended with status {returncode}: {qemu_words}"


def counts_disagree(report: ktap.Report, sender: Mapping[str, object],
                    stream: int = 1) -> Optional[str]:
    """Both ends of the wire count; they must agree on what was sent and what was refused."""
    rows = list(report.rows(f"stream {stream}"))
    if not rows or not sender:
        return None
    for ours, theirs in (("good", "sent"), ("refused", "refused_frames")):
        if ours in rows[-1] and int(rows[-1][ours], 0) != sender.get(theirs):
            return (f"stream {stream}: firmware counted {ours}={rows[-1][ours]}, the sender "
                    f"{theirs}={sender.get(theirs)}")
    return None


def judge(spec: Spec, why: str, returncode: int, console: Console, directory: Path,
          seconds: float) -> Outcome:
    report = ktap.parse(console.text)
    status, code, sentence = conclude(why, returncode, report.verdict,
                                      first_line(directory / "qemu.log"), report.left)
    outcome = Outcome(status, sentence, directory, seconds, code, report, console.text,
                      read_json(directory / "frames.json"),
                      [read_json(directory / f"{wire_name(wire)}.json")
                       for wire, _ in enumerate(spec.machine.nics() if spec.sender else [])],
                      stream_window=console.stream_window(), ended=why)
    trace = directory / "trace.log"
    if trace.exists():
        outcome.trace = trace.read_text(encoding="utf-8", errors="replace")
    if status == PASS and report.verdict:
        wrong = report.failures() + report.problems()
        for wire, sender in enumerate(outcome.senders):
            disagreement = counts_disagree(report, sender, wire + 1)
            if disagreement:
                wrong.append(disagreement)
        if wrong:
            outcome.status, outcome.sentence = FAIL, "the verdict is PASS, but: " + "; ".join(wrong)
    return outcome


# --- command line -----------------------------------------------------------------------------

class Usage(Exception):
    """A variable or word that cannot be used."""


def number(name: str, default: int, least: int = 1) -> int:
    text = os.environ.get(name, "") or str(default)
    if not text.isdigit() or int(text) < least:
        raise Usage(f"{name}={text} is not a number of at least {least}")
    return int(text)


LINUX_FILES = ("bzImage", "initrd", "cmdline")


def linux_files(folder: Path) -> Dict[str, bytes]:
    """What is there of the files for a Linux, as the disk has them."""
    if not (folder / LINUX_FILES[0]).is_file():
        raise Usage(f"{folder} has no {LINUX_FILES[0]}")
    return {f"baton/{name}": (folder / name).read_bytes()
            for name in LINUX_FILES if (folder / name).is_file()}


def spec_from_environment(words: Sequence[str], timeout: float, linux: Optional[Path] = None) -> Spec:
    rate = number("RATE", 4000)
    duration = number("DURATION", 0, 0)
    frames = rate * duration if duration else number("FRAMES", 20000)
    config = {"plan": os.environ.get("PLAN") or "handover",
              "generations": str(number("GENERATIONS", 3)),
              **({"handoff_to": "linux"} if linux else {})}
    for word in words:
        key, sep, value = word.partition("=")
        if not sep or not re.fullmatch(r"[a-z_]+", key):
            raise Usage(f"{word} is not of the form key=value")
        config[key] = value
    # The sender must know what the firmware is told.
    for key in ("rate", "frames"):
        if not config.get(key, "1").isdigit():
            raise Usage(f"{key}={config[key]} is not a number")
    rate = int(config.pop("rate", rate))
    frames = int(config.pop("frames", frames))
    nics = (os.environ.get("NIC") or "e1000e").split(",")
    machine = q.Machine(nic=None if nics[0] == "none" else nics[0], more_nics=tuple(nics[1:]),
                        memory=os.environ.get("MEM") or ("2G" if config.get("handoff_to") == "linux" else "1G"),
                        accel=os.environ.get("ACCEL") or "tcg")
    sender = config["plan"] == "handover" and config.get("traffic") != "loopback"
    return Spec(machine=machine, config=config, rate=rate, frames=frames, sender=sender,
                timeout=timeout, files=linux_files(linux) if linux else {})


def choose_qemu(machine: q.Machine) -> q.Qemu:
    """A QEMU for this machine; the newer one is fetched only if it is needed."""
    try:
        return q.choose(q.find_qemus(), machine)
    except q.Unsupported as first:
        if os.environ.get("QEMU"):
            raise
        print(f"{first}; looking for a newer QEMU", flush=True)
    # One that cannot be had is no reason against the others.
    reason = q.fetch_wider()
    try:
        return q.choose(q.find_qemus(), machine)
    except q.Unsupported as second:
        raise q.Unsupported(f"{second}; {reason}" if reason else str(second)) from None


def show(line: str) -> None:
    """Live progress: everything but the results that are fine."""
    if os.environ.get("V") == "1" or not line.startswith("ok "):
        print(line, flush=True)


def print_end(outcome: Outcome) -> None:
    results = [r for d in outcome.report.documents for r in d.results]
    bad = sum(r.failed() for r in results)
    skipped = sum(r.skip is not None for r in results)
    print(f"\n{len(results)} results from {len(outcome.report.documents)} generations: "
          f"{len(results) - bad - skipped} ok, {bad} not ok, {skipped} skipped")
    if outcome.sender:
        print("sender: " + ", ".join(f"{k} {v}" for k, v in outcome.sender.items()))
    print(f"logs: {outcome.directory}/ (serial.log, trace.log, qemu.log, frames.log)")
    word = outcome.report.verdict.word if outcome.report.verdict else "none"
    print(f"verdict: {word}: {outcome.sentence} ({outcome.seconds:.1f} s)", flush=True)


def main(argv: Optional[List[str]] = None) -> int:
    top = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Boot Baton once in QEMU.")
    parser.add_argument("--image", type=Path, default=top / "build/baton.efi")
    parser.add_argument("--out", type=Path, default=top / "build/run")
    parser.add_argument("--sender", type=Path, default=top / "build/tools/frames")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT)
    parser.add_argument("--linux", type=Path, metavar="FOLDER",
                        help="hand over to the bzImage in there, with initrd and cmdline if they are there")
    parser.add_argument("config", nargs="*", metavar="key=value")
    options = parser.parse_args(argv)
    # SIGTERM ends the run as Ctrl-C does, through the same clean-up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        spec = spec_from_environment(options.config, options.timeout, options.linux)
        for path in (options.image, options.sender):
            if not path.is_file():
                raise q.Missing(f"{path} is not there; run make first")
        machine = choose_qemu(spec.machine)
        firmware = q.find_firmware()
        print(f"QEMU {machine.version()} ({machine.origin}), OVMF from {firmware.origin}, "
              f"NIC {' and '.join(spec.machine.nics()) or 'none'}, {spec.frames} frames at {spec.rate}/s", flush=True)
        outcome = execute(spec, machine, firmware, options.image, options.sender, options.out, show)
    except Usage as reason:
        print(f"run: {reason}", file=sys.stderr)
        return USAGE
    except (q.Missing, q.Unsupported, image.ImageError) as reason:
        print(f"run: {reason}", file=sys.stderr)
        return MISSING
    except KeyboardInterrupt:
        print("run: interrupted", file=sys.stderr)
        return TIMEOUT
    print_end(outcome)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
