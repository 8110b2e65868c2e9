#!/usr/bin/env python3
"""Run the host test programs and the Python tests; one line per program, then the counts.

    tests/unit/run.py PROGRAM...

cmocka's own output is shown only for programs that fail.
"""
from __future__ import annotations

import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RAN = re.compile(r"^\[==========\].*?(\d+) test\(s\) run", re.M)
PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
PYTHON_TESTS = ("tests/boot", "tests/bench", "tests/tools", "tests/structure", "tests/linux")


def run_program(path: str) -> tuple[int, int]:
    """Passed and failed tests of one cmocka program; one that dies counts as one failure."""
    start = time.monotonic()
    done = subprocess.run([path], cwd=TOP, capture_output=True, text=True, errors="replace")
    text = done.stdout + done.stderr
    ran = RAN.findall(text)
    total = int(ran[-1]) if ran else 0
    passed = sum(int(n) for n in PASSED.findall(text))
    failed = total - passed
    if done.returncode != 0 and failed == 0 or total == 0:
        failed += 1
    name = Path(path).name
    print(f"{'not ok' if failed else 'ok'} {name}: {passed} passed, {failed} failed "
          f"({time.monotonic() - start:.1f} s)", flush=True)
    if failed:
        print(text[-6000:], flush=True)
    return passed, failed


def run_python(folder: str) -> tuple[int, int, int]:
    """Passed, failed and skipped unittest cases below a folder."""
    suite = unittest.TestLoader().discover(str(TOP / folder), top_level_dir=str(TOP / folder))
    result = unittest.TextTestRunner(stream=open("/dev/null", "w"), verbosity=0).run(suite)
    bad = result.failures + result.errors
    for case, text in bad:
        print(f"{case}: {text}")
    failed = len(bad) + len(result.unexpectedSuccesses)
    if result.testsRun == 0:
        failed += 1
    passed = result.testsRun - len(bad) - len(result.skipped)
    print(f"{'not ok' if failed else 'ok'} {folder}: {passed} passed, {failed} failed, "
          f"{len(result.skipped)} skipped", flush=True)
    return passed, failed, len(result.skipped)


def run_all(programs: list[str]) -> tuple[int, int, int]:
    """Everything that needs no virtual machine."""
    passed = failed = skipped = 0
    for program in programs:
        p, f = run_program(program)
        passed, failed = passed + p, failed + f
    for folder in PYTHON_TESTS:
        p, f, s = run_python(folder)
        passed, failed, skipped = passed + p, failed + f, skipped + s
    return passed, failed, skipped


def main() -> int:
    passed, failed, skipped = run_all(sys.argv[1:])
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
