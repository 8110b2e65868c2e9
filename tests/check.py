#!/usr/bin/env python3
"""make check: host tests, every 61st bit flip, the boot matrix; one closing line over all of them.

    tests/check.py PROGRAM...        host test programs
"""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


def run(command: list[str]) -> tuple[int, int, int]:
    """Pass the output through, take the closing line out of it."""
    counts = None
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True,
                          errors="replace") as part:
        assert part.stdout
        for line in part.stdout:
            closing = CLOSING.match(line.strip())
            if closing:
                counts = tuple(int(n) for n in closing.groups())
            else:
                print(line, end="", flush=True)
    if counts is None:
        print(f"# {' '.join(command[:2])} ended without its closing line (status {part.returncode})")
        return 0, 1, 0
    passed, failed, skipped = counts
    if part.returncode and not failed:
        failed = 1
    return passed, failed, skipped


def main() -> int:
    parts = [[sys.executable, "tests/unit/run.py", *sys.argv[1:]],
             ["build/flips/flips", "--every", "61"],
             ["build/flips/flips", "--every", "61", "--scalable"],
             [sys.executable, "tests/boot/matrix.py"]]
    total = [0, 0, 0]
    for command in parts:
        total = [a + b for a, b in zip(total, run(command))]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
