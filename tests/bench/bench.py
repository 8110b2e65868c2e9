#!/usr/bin/env python3
"""make bench: the figures of docs/design.md, each with its budget.

    bench.py [--build DIR]

Budgets that any machine must keep (sizes, instructions, equal bytes) decide the status: 1 if one
is broken.  Times are those of this machine and its emulator: they are printed against their budget
and decide nothing.  A run that does not pass has no figures; its own status is returned.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/boot"))
import adoption  # noqa: E402  (found only once the path is set)
import image  # noqa: E402
import ktap  # noqa: E402
import qemu as q  # noqa: E402
import run  # noqa: E402
from board import Board, Failed  # noqa: E402

IMAGE_BYTES = 256 * 1024
INSTRUCTIONS_PER_PAGE = 10
TABLE_BYTES_PER_PAGE = 8.05
FIRST_LINE_SECONDS = 0.2
OWN_SECONDS = 3.0

POLL = 0.001			# seconds between two looks at the console
STARTING = re.compile(r"BdsDxe: starting Boot")
LEAVING = re.compile(r"Leaving firmware\.")
ROW = re.compile(r"(\d+) -> (\d+)\s+([\d\s|]+)$")
COLUMNS = ("pages", "blackout", "hold", "jump", "setup", "validate", "adopt", "verify", "frames",
           "gap")


# --- figures of the build -----------------------------------------------------------------------

def image_size(board: Board, program: Path) -> None:
    size = program.stat().st_size
    board.counts("image size", size <= IMAGE_BYTES, f"{size} bytes, budget {IMAGE_BYTES}")


def profile(program: Path) -> Tuple[int, Dict[str, float]]:
    """Instructions inside map_run(), and what the program says about itself."""
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as directory:
        out = Path(directory) / "callgrind.out"
        try:
            done = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=map_run",
                                   f"--callgrind-out-file={out}", str(program)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  errors="replace", check=False)
        except FileNotFoundError:
            raise q.Missing("no valgrind; install valgrind") from None
        if done.returncode or not out.is_file():
            raise Failed(f"{program.name} under valgrind: {done.stderr.strip()[-300:]}")
        total = re.search(r"^totals: (\d+)", out.read_text(encoding="utf-8"), re.M)
    # Nothing counted means that the profiler did not find the function, not that it is free.
    if not total or not int(total.group(1)):
        raise Failed("callgrind counted nothing inside map_run()")
    words = dict(line.split() for line in done.stdout.splitlines())
    return int(total.group(1)), {name: float(value) for name, value in words.items()}


def mapping(board: Board, program: Path) -> None:
    instructions, said = profile(program)
    each = instructions / said["pages"]
    table = said["table_bytes_per_page"]
    board.counts("map a 4 KiB page: instructions", each <= INSTRUCTIONS_PER_PAGE,
                 f"{each:.2f}, budget {INSTRUCTIONS_PER_PAGE} "
                 f"(callgrind, {said['pages']:.0f} contiguous pages)")
    board.counts("map a 4 KiB page: table bytes", table <= TABLE_BYTES_PER_PAGE,
                 f"{table:.3f}, budget {TABLE_BYTES_PER_PAGE}")


def build_copy(parent: Path, name: str, output: str, skip: str) -> bytes:
    """The image as built from a copy of the tree, in a folder and with an output of its own."""
    tree = parent / name
    shutil.copytree(TOP, tree, symlinks=True,
                    ignore=shutil.ignore_patterns(".git", "build", skip, "__pycache__"))
    # The make that called us must not hand its targets and jobs on.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-s", "-j2", f"B={output}", f"{output}/baton.efi"], cwd=tree,
                          env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    if done.returncode:
        raise Failed(f"a copy of the tree does not build: {done.stdout.strip()[-300:]}")
    return (tree / output / "baton.efi").read_bytes()


def reproducible(board: Board, skip: str) -> None:
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as directory:
        parent = Path(directory)
        one = build_copy(parent, "a", "out", skip)
        other = build_copy(parent, "another/deeper", "build-elsewhere", skip)
    at = next((i for i, (x, y) in enumerate(zip(one, other)) if x != y), min(len(one), len(other)))
    board.counts("two builds give the same bytes", one == other,
                 "from two folders into two outputs" if one == other
                 else f"{len(one)} and {len(other)} bytes, they differ at {at:#x}")


# --- figures of a run ------------------------------------------------------------------------------

class Stamps(threading.Thread):
    """Stamps each line of the console within a millisecond of its end being written."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.lines: List[Tuple[float, str]] = []
        self.done = threading.Event()

    def run(self) -> None:
        rest = b""
        while not self.path.exists():
            if self.done.wait(POLL):
                return
        with open(self.path, "rb") as stream:
            while True:
                over = self.done.is_set()	# asked first: what was written before is read
                data = stream.read()
                now = time.monotonic()
                *lines, rest = (rest + data).split(b"\n")
                self.lines += [(now, ktap.clean(line.decode("utf-8", "replace"))[0])
                               for line in lines]
                if over:
                    return
                self.done.wait(POLL)

    def find(self, pattern: "re.Pattern[str]", before: Optional[float] = None) -> float:
        """When the line came; with @before the last one until then, else the first."""
        times = [at for at, line in self.lines if pattern.search(line)]
        if before is not None:
            times = [at for at in times if at <= before][-1:]
        if not times:
            raise Failed(f"the console has no line \"{pattern.pattern}\"")
        return times[0]


class Handover(NamedTuple):
    """One row of the hand-over table: its columns, in microseconds where they are times."""
    outgoing: int
    incoming: int
    column: Dict[str, int]


def handovers(report: ktap.Report) -> Iterator[Handover]:
    for comment in report.comments:
        match = ROW.match(comment)
        if not match:
            continue
        numbers = [int(word) for word in match.group(3).replace("|", " ").split()]
        if len(numbers) != len(COLUMNS):
            raise Failed(f"the hand-over table has other columns: {comment}")
        yield Handover(int(match.group(1)), int(match.group(2)), dict(zip(COLUMNS, numbers)))


def blackout(board: Board, rows: List[Handover]) -> None:
    """By phase; what is spent on purpose (hold) is a phase of its own."""
    phases = COLUMNS[2:8]
    for row in rows:
        text = ", ".join(f"{name} {row.column[name]}" for name in phases)
        board.show("", f"blackout {row.outgoing} -> {row.incoming}",
                   f"{row.column['blackout']} us: {text}; {row.column['frames']} frames landed")
    pages = [row.column["pages"] for row in rows]
    if len(pages) > 1:
        board.counts("preserved pages per hand-over", len(set(pages)) == 1,
                     ", ".join(str(n) for n in pages) + ", budget: always the same")


def boot(board: Board, build: Path) -> run.Outcome:
    spec = run.spec_from_environment([], run.DEFAULT_TIMEOUT)
    machine, firmware = run.choose_qemu(spec.machine), q.find_firmware()
    directory = build / "bench/run"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "serial.log").unlink(missing_ok=True)	# else an earlier run's would be stamped
    stamps = Stamps(directory / "serial.log")
    stamps.start()
    try:
        outcome = run.execute(spec, machine, firmware, build / "baton.efi", build / "tools/frames",
                              directory)
    finally:
        stamps.done.set()
        stamps.join()
    if outcome.status != run.PASS:
        return outcome
    banner = stamps.find(ktap.BANNER)
    board.time("entry to first console line", banner - stamps.find(STARTING, before=banner),
               FIRST_LINE_SECONDS, "from firmware's \"starting\" line to ours, on the serial port")
    traffic = run.traffic_seconds(spec)
    board.time("firmware exit to verdict",
               stamps.find(ktap.VERDICT) - stamps.find(LEAVING) - traffic, OWN_SECONDS,
               f"besides {traffic:g} s of traffic, which goes on through every hold")
    rows = list(handovers(outcome.report))
    if len(rows) != len(outcome.report.documents) - 1:
        raise Failed(f"{len(outcome.report.documents)} generations, but {len(rows)} hand-over rows")
    blackout(board, rows)
    return outcome


# --- command line ------------------------------------------------------------------------------------

def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Print Baton's figures against their budgets.")
    parser.add_argument("--build", type=Path, default=TOP / "build")
    options = parser.parse_args(argv)
    build = options.build.resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    board = Board()
    try:
        for name in ("baton.efi", "test/baton.efi", "tools/frames", "bench/map_bench"):
            if not (build / name).is_file():
                raise q.Missing(f"{build / name} is not there; run make bench")
        image_size(board, build / "baton.efi")
        mapping(board, build / "bench/map_bench")
        reproducible(board, build.name)
        adoption.show(board, build)
        outcome = boot(board, build)
    except run.Usage as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return run.USAGE
    except (q.Missing, q.Unsupported, image.ImageError) as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return run.MISSING
    except Failed as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return run.FAIL
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return run.TIMEOUT
    if outcome.status != run.PASS:
        print(f"bench: no figures of a run: {outcome.sentence}; logs: {outcome.directory}/",
              file=sys.stderr)
        return outcome.status
    if board.broken:
        print("over budget: " + ", ".join(board.broken))
        return run.FAIL
    return run.PASS


if __name__ == "__main__":
    sys.exit(main())
