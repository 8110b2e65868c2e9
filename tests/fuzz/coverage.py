#!/usr/bin/env python3
"""Line coverage of some rooms by the host tests.

    tests/fuzz/coverage.py --build FOLDER --least PERCENT --rooms "ROOM..." PROGRAM...

Programs are built with clang's source-based coverage of the rooms.  Status 1 if a program fails, or
if of any room less than PERCENT of the lines was run.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def run_all(programs: list[str], raw: Path) -> list[str]:
    """Run every program once; the names of those that failed."""
    failed = []
    for program in programs:
        name = Path(program).name
        env = {**os.environ, "LLVM_PROFILE_FILE": str(raw / f"{name}.profraw")}
        done = subprocess.run([program], cwd=TOP, env=env, capture_output=True, check=False)
        if done.returncode:
            failed.append(name)
    return failed


def summary(programs: list[str], build: Path, rooms: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Lines and lines run, for each file of the rooms."""
    merged = build / "merged.profdata"
    raw = sorted(str(path) for path in (build / "raw").glob("*.profraw"))
    subprocess.run(["llvm-profdata", "merge", "-sparse", *raw, "-o", str(merged)], check=True)
    objects = [arg for program in programs[1:] for arg in ("-object", program)]
    done = subprocess.run(["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}",
                           programs[0], *objects], cwd=TOP, capture_output=True, text=True,
                          check=True)
    files = {}
    for entry in json.loads(done.stdout)["data"][0]["files"]:
        path = os.path.relpath(entry["filename"], TOP)
        if path.startswith(rooms):
            lines = entry["summary"]["lines"]
            files[path] = (lines["count"], lines["covered"])
    return files


def percent(count: int, covered: int) -> float:
    return 100.0 * covered / count if count else 100.0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--least", type=float, required=True)
    parser.add_argument("--rooms", required=True)
    parser.add_argument("programs", nargs="+")
    args = parser.parse_args()
    raw = args.build / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for old in raw.glob("*.profraw"):
        old.unlink()
    failed = run_all(args.programs, raw.resolve())
    rooms = tuple(f"{room}/" for room in args.rooms.split())
    files = summary(args.programs, args.build, rooms)
    for path, (count, covered) in sorted(files.items()):
        if count:
            print(f"{path:32} {covered:5} of {count:5} lines {percent(count, covered):6.1f} %")
    enough = True
    for room in rooms:
        lines = [figures for path, figures in files.items() if path.startswith(room)]
        total = percent(sum(n for n, _ in lines), sum(c for _, c in lines))
        enough = enough and bool(lines) and total >= args.least
        print(f"{room} {total:.1f} % of lines, at least {args.least:g} % are wanted")
    for name in failed:
        print(f"# {name} failed")
    return 0 if enough and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
