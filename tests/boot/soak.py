#!/usr/bin/env python3
"""Many hand-overs in one run, under continuous frames on two NICs: nothing is lost, and generation
1000 uses what generation 1 used.

    soak.py [--generations N] [--frames-each N]

Prints the counts and ends with `N passed, N failed, N skipped`.
"""
from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import List, Tuple

import qemu as q
import run

SAVED = re.compile(r"^# save: (\d+) pages preserved, (\d+) taken by this generation; "
                   r"scratch (\d+) KiB", re.M)
BLACKOUT = re.compile(r"^# blackout: .*$", re.M)


def uneven(rows: List[Tuple[str, str, str]]) -> str:
    """What differs between the second and a later generation; the first still starts the NICs."""
    for number, row in enumerate(rows[2:], 2):
        if row != rows[1]:
            return (f"generation {number} used {row} (pages preserved, pages taken, KiB of "
                    f"scratch), generation 1 used {rows[1]}")
    return ""


def main() -> int:
    top = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Soak: many hand-overs in one run.")
    parser.add_argument("--generations", type=int, default=100)
    parser.add_argument("--frames-each", type=int, default=2000, help="frames per generation and NIC")
    options = parser.parse_args()
    spec = run.Spec(machine=q.Machine(more_nics=("e1000e",)),
                    config={"generations": str(options.generations)},
                    frames=options.generations * options.frames_each, timeout=600)
    machine = run.choose_qemu(spec.machine)
    outcome = run.execute(spec, machine, q.find_firmware(), top / "build/baton.efi",
                          top / "build/tools/frames", top / "build/soak", run.show)
    rows = SAVED.findall(outcome.console)
    checks = {
        "soak.verdict": "" if outcome.status == run.PASS else outcome.sentence,
        "soak.every_generation_handed_over":
            "" if len(rows) == options.generations - 1 else f"{len(rows)} hand-overs seen",
        "soak.same_memory_in_every_generation": uneven(rows) if len(rows) > 2 else "too few rows",
    }
    print(*BLACKOUT.findall(outcome.console), sep="\n")
    for name, wrong in checks.items():
        print(f"{'not ok' if wrong else 'ok'} {name}{': ' + wrong if wrong else ''}")
    failed = sum(bool(wrong) for wrong in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    return run.FAIL if failed else run.PASS


if __name__ == "__main__":
    sys.exit(main())
