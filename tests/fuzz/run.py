#!/usr/bin/env python3
"""Run every fuzz target for a while; one line per target, then the counts.

    tests/fuzz/run.py --seconds N --build FOLDER PROGRAM...

PROGRAM is FOLDER/fuzz_NAME.  Seeds: FOLDER/seeds/NAME and tests/fuzz/corpus/NAME; what is found
interesting is kept in FOLDER/corpus/NAME.  An input that crashes is made small and kept in
FOLDER/findings.
"""
from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MAX_LEN = 16384
INPUT_TIMEOUT = 10		# seconds for one input: an endless loop is a finding
MINIMISE_SECONDS = 20
EXECUTIONS = re.compile(r"^stat::number_of_executed_units:\s+(\d+)", re.M)
COVERAGE = re.compile(r"cov: (\d+)")
WROTE = re.compile(r"Test unit written to (\S+)")
PLACE = re.compile(r"^.*(?:not so: .*|runtime error: .*|ERROR: AddressSanitizer: .*|ERROR: libFuzzer: .*)$",
                   re.M)
OURS = re.compile(r"^\s+#\d+ .* in (\S+) .*?/((?:vtd|kho|kernel|tests)/\S+)", re.M)


def seed_folders(name: str, build: Path) -> list[str]:
    """Folders to start from, the one that grows first."""
    grows = build / "corpus" / name
    grows.mkdir(parents=True, exist_ok=True)
    made = build / "seeds" / name
    made.mkdir(parents=True, exist_ok=True)
    if name == "dmar":
        for table in (TOP / "tests/fixtures/dmar").glob("*.dmar"):
            shutil.copy(table, made)
    image = build.parent / "baton.efi"
    if name == "bzimage" and image.exists():
        (made / "baton.efi").write_bytes(image.read_bytes()[:8192])
    kept = TOP / "tests/fuzz/corpus" / name
    return [str(folder) for folder in (grows, made, kept) if folder.is_dir()]


def minimise(program: str, found: Path) -> Path:
    """The smallest input that still crashes."""
    small = found.with_name(found.name + ".min")
    subprocess.run([program, "-minimize_crash=1", f"-max_total_time={MINIMISE_SECONDS}",
                    f"-exact_artifact_path={small}", str(found)], cwd=TOP,
                   capture_output=True, check=False)
    return small if small.exists() else found


def run_target(program: str, seconds: int, build: Path) -> bool:
    """Whether the target ran without a finding."""
    name = Path(program).name.removeprefix("fuzz_")
    findings = build / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [program, f"-max_total_time={seconds}", f"-max_len={MAX_LEN}", "-print_final_stats=1",
         f"-timeout={INPUT_TIMEOUT}", "-rss_limit_mb=4096", f"-artifact_prefix={findings}/{name}-",
         *seed_folders(name, build)],
        cwd=TOP, capture_output=True, text=True, errors="replace", check=False)
    text = done.stdout + done.stderr
    ran = EXECUTIONS.search(text)
    coverage = COVERAGE.findall(text)
    print(f"{'not ok' if done.returncode else 'ok'} fuzz.{name}: "
          f"{ran.group(1) if ran else 'unknown'} executions, "
          f"{coverage[-1] if coverage else '0'} edges, "
          f"{'1 finding' if done.returncode else 'no findings'}", flush=True)
    if not done.returncode:
        return True
    wrote = WROTE.search(text)
    if wrote:
        small = minimise(program, Path(wrote.group(1)))
        print(f"# input: {small} ({small.stat().st_size} bytes)")
        print(f"# {small.read_bytes()[:64].hex()}")
    for line in PLACE.findall(text)[:3]:
        print(f"# {line.strip()}")
    for function, place in OURS.findall(text)[:6]:
        print(f"#   {function} {place}")
    if not wrote:
        print(text[-3000:])
    return False


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("programs", nargs="+")
    args = parser.parse_args()
    build = args.build.resolve()
    results = [run_target(program, args.seconds, build) for program in args.programs]
    print(f"{results.count(True)} passed, {results.count(False)} failed, 0 skipped")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
