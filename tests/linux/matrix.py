#!/usr/bin/env python3
"""make check-linux: real Linux kernels hand over to Baton and take over from it.

    matrix.py [--list] [--only NAME]... [--image FILE] [--test-image FILE] [--agent FILE]
              [--sender FILE] [--out DIR]

Builds the kernels first, once (kernel.py).  Prints one line per check and `N passed, N failed, N skipped`
at the end.  Where the kernels cannot be had all is skipped, with status 3 unless ALLOW_SKIP=1.
"""
import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[1:1] = [str(TOP / "tests/boot"), str(TOP / "tools")]
import abi  # noqa: E402  (these are found only once the path is set)
import debs  # noqa: E402
import image  # noqa: E402
import initramfs  # noqa: E402
import kernel  # noqa: E402
import qemu as q  # noqa: E402
import run  # noqa: E402
import runs  # noqa: E402
import signing  # noqa: E402
from runs import Kit, Run  # noqa: E402

ABI = "abi.names_and_numbers"


class Tally:
    """One line per check, and how many of each kind."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0
        self.missing = False		# a package that was to be fetched

    def result(self, name: str, problems: Sequence[str], note: str = "") -> None:
        self.passed += not problems
        self.failed += bool(problems)
        self.line("not ok" if problems else "ok", name, problems, note)

    def skip(self, name: str, reason: str) -> None:
        self.skipped += 1
        self.line("ok", name, (), f" # SKIP {reason}")

    def line(self, word: str, name: str, problems: Sequence[str], note: str) -> None:
        for problem in problems:
            print(f"# {problem}")
        print(f"{word} {self.passed + self.failed + self.skipped} {name}{note}", flush=True)

    def close(self) -> None:
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)


@dataclass(frozen=True)
class Bench:
    """What carries the runs."""
    qemus: Sequence[q.Qemu]
    firmware: q.Firmware
    sender: Path
    out: Path


def perform(bench: Bench, kit: Kit, one: Run, tally: Tally) -> None:
    """Boot once and judge every check of the run."""
    directory = bench.out / one.name
    try:
        spec = one.spec(kit, directory)
        machine = q.choose(bench.qemus, spec.machine)
    except (q.Unsupported, debs.Unavailable) as reason:
        tally.missing |= isinstance(reason, debs.Unavailable)
        for name in one.names():
            tally.skip(name, str(reason))
        return
    began = time.monotonic()
    outcome = run.execute(spec, machine, bench.firmware, kit.image, bench.sender, directory)
    seen = runs.see(outcome)
    note = f" ({time.monotonic() - began:.1f} s)"
    for check, name in zip(one.checks, one.names()):
        problems = check.problems(seen)
        if problems:
            problems = [*problems, f"logs: {directory}/"]
        tally.result(name, problems, note)
        note = ""


def check_abi(kernels: Mapping[str, Mapping[str, str]], tally: Tally) -> None:
    """The kernels come of one source; their headers are those of any of them."""
    tally.result(ABI, abi.differences(Path(next(iter(kernels.values()))["headers"])))


def without_kernels(chosen: Sequence[Run], reason: str) -> int:
    tally = Tally()
    tally.missing = True
    for name in [ABI, *(n for one in chosen for n in one.names())]:
        tally.skip(name, reason)
    tally.close()
    return status(tally)


def status(tally: Tally) -> int:
    if tally.failed:
        return run.FAIL
    return run.MISSING if tally.missing and os.environ.get("ALLOW_SKIP") != "1" else run.PASS


def get_kernels(chosen: Sequence[Run]) -> Mapping[str, Mapping[str, str]]:
    flavours = {"bystander"} | {flavour for one in chosen for flavour in one.flavours}
    return kernel.get([f for f in kernel.FLAVOURS if f in flavours])


def check(options: argparse.Namespace, chosen: Sequence[Run]) -> int:
    for path in (options.image, options.test_image, options.sender, options.agent):
        if not path.is_file():
            raise q.Missing(f"{path} is not there; run make check-linux")
    initramfs.busybox()
    reason = None if options.no_fetch else q.fetch_wider()
    if reason:
        print(f"# {reason}")
    try:
        kernels = get_kernels(chosen)
    except debs.Unavailable as missing:
        return without_kernels(chosen, str(missing))
    kit = Kit(kernels, options.agent.read_bytes(), options.image, options.test_image)
    bench = Bench(q.find_qemus(), q.find_firmware(), options.sender, options.out)
    tally = Tally()
    check_abi(kernels, tally)
    for one in chosen:
        perform(bench, kit, one, tally)
    tally.close()
    return status(tally)


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Hand over between Baton and Linux in QEMU.")
    parser.add_argument("--list", action="store_true", help="print the names of the runs and stop")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help='a run; a name ending in "." stands for all that begin so')
    parser.add_argument("--no-fetch", action="store_true", help="use the QEMU and OVMF on the machine")
    parser.add_argument("--image", type=Path, default=TOP / "build/baton.efi")
    parser.add_argument("--test-image", type=Path, default=TOP / "build/test/baton.efi")
    parser.add_argument("--agent", type=Path, default=TOP / "build/linux/agent")
    parser.add_argument("--sender", type=Path, default=TOP / "build/tools/frames")
    parser.add_argument("--out", type=Path, default=TOP / "build/linux/runs")
    options = parser.parse_args(argv)
    try:
        chosen = runs.by_name(options.only) if options.only else list(runs.RUNS)
    except KeyError as name:
        print(f"check-linux: no run {name}", file=sys.stderr)
        return run.USAGE
    if options.list:
        print("\n".join(one.name for one in chosen))
        return run.PASS
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return check(options, chosen)
    except kernel.BuildFailed as reason:
        print(f"check-linux: {reason}", file=sys.stderr)
        return run.FAIL
    except (q.Missing, image.ImageError, initramfs.Missing, signing.Missing) as reason:
        print(f"check-linux: {reason}", file=sys.stderr)
        return run.MISSING
    except KeyboardInterrupt:
        print("check-linux: interrupted", file=sys.stderr)
        return run.TIMEOUT


if __name__ == "__main__":
    sys.exit(main())
