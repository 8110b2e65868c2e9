#!/usr/bin/env python3
"""Line coverage of the libraries by the host tests.

    tests/fuzz/coverage.py --build FOLDER --least PERCENT PROGRAM...

Programs are built with clang's source-based coverage of vtd/ and kho/.  Status 1 if a program
fails, or if less than PERCENT of all lines were run.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LIBRARIES = ("vtd/", "kho/")


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


def summary(programs: list[str], build: Path) -> dict[str, tuple[int, int]]:
    """Lines and lines run, for each file of the libraries."""
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
        if path.startswith(LIBRARIES):
            lines = entry["summary"]["lines"]
            files[path] = (lines["count"], lines["covered"])
    return files


def percent(count: int, covered: int) -> float:
    return 100.0 * covered / count if count else 100.0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--least", type=float, required=True)
    parser.add_argument("programs", nargs="+")
    args = parser.parse_args()
    raw = args.build / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for old in raw.glob("*.profraw"):
        old.unlink()
    failed = run_all(args.programs, raw.resolve())
    files = summary(args.programs, args.build)
    for path, (count, covered) in sorted(files.items()):
        if count:
            print(f"{path:32} {covered:5} of {count:5} lines {percent(count, covered):6.1f} %")
    total = percent(sum(n for n, _ in files.values()), sum(c for _, c in files.values()))
    print(f"vtd/ and kho/: {total:.1f} % of lines, at least {args.least:g} % are wanted")
    for name in failed:
        print(f"# {name} failed")
    return 1 if failed or not files or total < args.least else 0


if __name__ == "__main__":
    sys.exit(main())
