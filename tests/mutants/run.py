#!/usr/bin/env python3
"""Seeded bugs: each is put into a copy of the tree, built, and must be noticed by its test.

    run.py [--list] [--only NAME]... [--unit-only | --boot-only] [--no-fetch]

A mutant whose text is not found, that does not build, or that survives, is a failure, and so is a
check id of include/checks.def for which there is none.  Before the first mutant everything that
kills runs once without a bug, and must be quiet.  Prints one line per mutant, the score, and
`N passed, N failed, N skipped`.
"""
import argparse
import fcntl
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/boot"))

import matrix  # noqa: E402  (found only once the path is set)
import qemu as q  # noqa: E402
import run as boot  # noqa: E402
import seeds  # noqa: E402
from mutant import Boot, Compile, Death, Edit, Judged, Mutant, Tool, Unit  # noqa: E402

OUT = TOP / "build/mutants"
WORK = OUT / "work"
LEFT_OUT = {".git", "build", "__pycache__"}
UNIT_SECONDS = 30		# the slowest program takes a tenth of that; a hang is a death as well
FIRMWARE = "build/baton.efi"
TEST_FIRMWARE = "build/test/baton.efi"
SENDER = "build/tools/frames"
DUMP_TEST = "tests/tools/test_kho_dump.py"
DUMP_TESTED = ["build/tools/kho-dump", "build/host/kho-dump", "build/host/make_handoff"]

CHECK_ID = re.compile(r'^CHECK\(\w+,\s*"([\w.]+)"', re.M)
NAMED = re.compile(r"`([a-z0-9_]+\.[a-z0-9_]+)`")
RAN = re.compile(r"^\[ RUN      \] (\w+)", re.M)
CASE_FAILED = re.compile(r"^\[  FAILED  \] (test_\w+)", re.M)


class Bad(Exception):
    """The mutant is no use as it is; the text says why."""


# --- the copy of the tree ---------------------------------------------------------------------

def sources(top: Path) -> Iterator[Path]:
    """Every file but what is built, relative to @top."""
    for path in sorted(top.iterdir()):
        if path.name in LEFT_OUT:
            continue
        if path.is_dir():
            yield from (path.name / p for p in sources(path))
        else:
            yield Path(path.name)


def sync() -> None:
    """Bring the copy up to date; what is equal keeps its time, so that make leaves it alone."""
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = set(sources(TOP))
    for name in set(sources(WORK)) - wanted:
        (WORK / name).unlink()
    for name in wanted:
        source, copy = TOP / name, WORK / name
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def changed(edit: Edit, text: str) -> str:
    found = text.count(edit.old)
    if found != 1:
        raise Bad(f"{edit.file}: its text is there {found} times, not once")
    if edit.old == edit.new:
        raise Bad(f"{edit.file}: the edit changes nothing")
    return text.replace(edit.old, edit.new)


class Applied:
    """The copy with a bug in it; without it again at the end."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.originals: Dict[Path, str] = {}

    def __enter__(self) -> None:
        texts: Dict[Path, str] = {}
        for edit in self.mutant.edits:
            path = WORK / edit.file
            if not path.is_file():
                raise Bad(f"{edit.file} is not there")
            self.originals.setdefault(path, path.read_text(encoding="utf-8"))
            texts[path] = changed(edit, texts.get(path, self.originals[path]))
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")

    def __exit__(self, *exc: object) -> None:
        for path, text in self.originals.items():
            path.write_text(text, encoding="utf-8")


# --- building and running -----------------------------------------------------------------------

def make(targets: Sequence[str], jobs: int = 1) -> Tuple[bool, str]:
    done = subprocess.run(["make", "--no-print-directory", f"-j{jobs}", *targets], cwd=WORK,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode == 0, done.stdout


def first_error(text: str) -> str:
    return next((line for line in text.splitlines() if "rror:" in line or "***" in line), "no word")


def build(targets: Sequence[str], jobs: int = 1) -> None:
    ok, text = make(targets, jobs)
    if not ok:
        raise Bad(f"does not build: {first_error(text)}")


def program_path(program: str) -> str:
    return f"build/host/unit/{program}"


def failed_cases(program: str) -> Set[str]:
    """The test cases that fail; one that takes the program down with it is among them."""
    try:
        done = subprocess.run([str(WORK / program_path(program))], cwd=WORK,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=UNIT_SECONDS, check=False)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = late.stdout or b"", 1
    text = output.decode("utf-8", "replace")
    cases = set(CASE_FAILED.findall(text))
    if code and not cases:
        cases = set(RAN.findall(text)[-1:]) or {"the start"}
    return cases


def tool_fails(test: str) -> bool:
    try:
        done = subprocess.run([sys.executable, DUMP_TEST, test], cwd=WORK,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=2 * UNIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


class Machines:
    """QEMU, firmware and the runs without a bug."""

    def __init__(self) -> None:
        self.bench = matrix.Bench(q.find_qemus(), q.find_firmware(), WORK / FIRMWARE,
                                  WORK / TEST_FIRMWARE, WORK / SENDER, OUT / "boot")

    def run(self, dies: Boot, name: str) -> boot.Outcome:
        spec = boot.Spec(machine=q.Machine(more_nics=dies.more_nics, iommu=dies.iommu),
                         config={"generations": "2", **dies.config}, frames=dies.frames,
                         rate=dies.rate, trace=())
        machine = q.choose(self.bench.qemus, spec.machine)
        return boot.execute(spec, machine, self.bench.firmware, self.bench.image,
                            self.bench.sender, self.bench.out / name)

    def judge(self, dies: Judged) -> List[str]:
        return matrix.problems(dies.stanza, matrix.run_stanza(self.bench, dies.stanza))

    def forget(self, name: str) -> None:
        """Logs are kept of what went wrong only."""
        shutil.rmtree(self.bench.out / name, ignore_errors=True)


def failed_checks(outcome: boot.Outcome) -> Set[str]:
    return {r.name for d in outcome.report.documents for r in d.results if r.failed()}


def targets_of(dies: Death) -> List[str]:
    if isinstance(dies, Unit):
        return [program_path(dies.program)]
    if isinstance(dies, Tool):
        return DUMP_TESTED
    if isinstance(dies, Compile):
        return [dies.target]
    if isinstance(dies, Judged) and dies.stanza.test_build:
        return [TEST_FIRMWARE]
    return [FIRMWARE]


# --- without a bug -------------------------------------------------------------------------------

def quiet_boots(machines: Machines, mutants: Sequence[Mutant]) -> List[str]:
    found = []
    groups: Dict[Tuple[object, ...], List[Boot]] = {}
    for mutant in mutants:
        if isinstance(mutant.dies, Boot):
            groups.setdefault(mutant.dies.key(), []).append(mutant.dies)
    for number, group in enumerate(groups.values()):
        name = f"without_a_bug.{number}"
        outcome = machines.run(group[0], name)
        bad = failed_checks(outcome)
        seen = {r.name for d in outcome.report.documents for r in d.results}
        for dies in group:
            if dies.check in bad or dies.check not in seen:
                found.append(f"{dies.check} is not ok without a bug, logs: {outcome.directory}/")
        if not found:
            machines.forget(name)
    for stanza in {m.dies.stanza.name: m.dies for m in mutants
                   if isinstance(m.dies, Judged)}.values():
        try:
            found += [f"{stanza}: {p}" for p in machines.judge(stanza)]
        except matrix.Skip:
            pass			# so will be its mutants, with the reason
    return found


def quiet(machines: Optional[Machines], mutants: Sequence[Mutant]) -> List[str]:
    """What is noticed although nothing is wrong: then no death would mean anything."""
    targets = {t for m in mutants for t in targets_of(m.dies)}
    if machines:
        targets.add(SENDER)
    test_build = TEST_FIRMWARE in targets
    try:
        build(sorted(targets - {TEST_FIRMWARE}), 2)
        if test_build:
            build(["test-image"], 2)
    except Bad as reason:
        return [str(reason)]
    found = []
    for program in sorted({m.dies.program for m in mutants if isinstance(m.dies, Unit)}):
        cases = failed_cases(program)
        if cases:
            found.append(f"{program} fails: {', '.join(sorted(cases))}")
    for test in sorted({m.dies.test for m in mutants if isinstance(m.dies, Tool)}):
        if tool_fails(test):
            found.append(f"{DUMP_TEST} {test} fails")
    return found + (quiet_boots(machines, mutants) if machines else [])


# --- with one -----------------------------------------------------------------------------------

def dies_by_unit(dies: Unit) -> str:
    build([program_path(dies.program)])
    cases = failed_cases(dies.program)
    if not cases:
        raise Bad("survives")
    if dies.test and dies.test not in cases:
        raise Bad(f"survives {dies.test}; what fails is {', '.join(sorted(cases))}")
    return ", ".join(sorted(cases))


def dies_by_tool(dies: Tool) -> str:
    build(DUMP_TESTED)
    if not tool_fails(dies.test):
        raise Bad(f"survives {dies.test}")
    return dies.test


def dies_by_compiler(dies: Compile) -> str:
    ok, text = make([dies.target])
    if ok:
        raise Bad("survives: it can be built")
    if not re.search(dies.message, text):
        raise Bad(f"the compiler does not say /{dies.message}/: {first_error(text)}")
    return dies.message


def dies_by_check(machines: Machines, name: str, dies: Boot) -> str:
    build([FIRMWARE])
    outcome = machines.run(dies, name)
    bad = failed_checks(outcome)
    if outcome.code != dies.code:
        raise Bad(f"survives: {'no verdict' if outcome.code is None else f'{outcome.code:02x}h'}, "
                  f"expected {dies.code:02x}h: {outcome.sentence}; "
                  f"not ok: {', '.join(sorted(bad)) or 'nothing'}")
    if dies.sentence and not re.search(dies.sentence, outcome.sentence):
        raise Bad(f"the sentence does not say /{dies.sentence}/: {outcome.sentence}")
    if dies.at_once:
        return outcome.sentence
    if dies.check not in bad:
        raise Bad(f"survives {dies.check}; not ok: {', '.join(sorted(bad)) or 'nothing'}")
    more = bad - {dies.check} - dies.also
    if more:
        raise Bad(f"not by {dies.check} alone: {', '.join(sorted(more))}")
    return dies.check


def dies_by_stanza(machines: Machines, dies: Judged) -> str:
    if dies.stanza.test_build:
        build(["test-image"])
    else:
        build([FIRMWARE])
    noticed = machines.judge(dies)
    if not noticed:
        raise Bad("survives")
    return noticed[0]


def kill(machines: Optional[Machines], mutant: Mutant) -> str:
    """How it died; raises Bad."""
    dies = mutant.dies
    with Applied(mutant):
        if isinstance(dies, Unit):
            return dies_by_unit(dies)
        if isinstance(dies, Tool):
            return dies_by_tool(dies)
        if isinstance(dies, Compile):
            return dies_by_compiler(dies)
        assert machines
        if isinstance(dies, Boot):
            by = dies_by_check(machines, mutant.name, dies)
        else:
            by = dies_by_stanza(machines, dies)
    machines.forget(mutant.name)
    return by


def run_all(machines: Optional[Machines], mutants: Sequence[Mutant], gaps: Sequence[str]) -> int:
    count: Counter = Counter(failed=len(gaps))
    killed = 0
    for gap in gaps:
        print(f"not ok {gap}", flush=True)
    for number, mutant in enumerate(mutants, 1):
        began = time.monotonic()
        head = f"{number} {mutant.name} [{mutant.stands_for}] {mutant.dies}"
        try:
            by = kill(machines, mutant)
        except (q.Unsupported, matrix.Skip) as reason:
            count["skipped"] += 1
            print(f"ok {head} # SKIP {reason}", flush=True)
        except Bad as reason:
            count["failed"] += 1
            print(f"# {reason}\nnot ok {head}", flush=True)
        else:
            count["passed"] += 1
            killed += 1
            print(f"ok {head}: {by} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"score: {killed}/{len(mutants)}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped",
          flush=True)
    return boot.FAIL if count["failed"] else boot.PASS


# --- what there must be --------------------------------------------------------------------------

def gaps_in(mutants: Sequence[Mutant]) -> List[str]:
    """Check ids without a mutant, and mutants that the table of findings makes up."""
    found = [f"{name}: two mutants have this name"
             for name, n in Counter(m.name for m in mutants).items() if n > 1]
    ids = CHECK_ID.findall((TOP / "include/checks.def").read_text(encoding="utf-8"))
    covered = {m.dies.check if isinstance(m.dies, Boot) else m.stands_for for m in mutants}
    found += [f"{check}: no mutant makes this check fail" for check in ids if check not in covered]
    table = (TOP / "tests/mutants/findings.md").read_text(encoding="utf-8")
    names = {m.name for m in mutants}
    found += [f"findings.md names {name}, which is not there"
              for name in sorted(set(NAMED.findall(table)) - names)]
    return found


def needs_boot(mutant: Mutant) -> bool:
    return isinstance(mutant.dies, (Boot, Judged))


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Kill every mutant.")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help='a mutant; a name ending in "." stands for all that begin so')
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--unit-only", action="store_true", help="those that no boot is needed for")
    which.add_argument("--boot-only", action="store_true")
    parser.add_argument("--no-fetch", action="store_true", help="use what is on the machine")
    options = parser.parse_args(argv)
    chosen = [m for m in seeds.MUTANTS
              if not options.only or any(m.name == n or n.endswith(".") and m.name.startswith(n)
                                         for n in options.only)]
    chosen = [m for m in chosen if not (options.unit_only and needs_boot(m)) and
              not (options.boot_only and not needs_boot(m))]
    if not chosen:
        print("mutants: none of that name", file=sys.stderr)
        return boot.USAGE
    if options.list:
        print("\n".join(f"{m.name} [{m.stands_for}] {m.dies}" for m in chosen))
        return boot.PASS
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    OUT.mkdir(parents=True, exist_ok=True)
    lock = open(OUT / "lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"mutants: another run is using {OUT}", file=sys.stderr)
        return boot.USAGE
    machines = None
    try:
        if any(needs_boot(m) for m in chosen):
            if not options.no_fetch:
                q.fetch_wider()
            machines = Machines()
        sync()
        noise = quiet(machines, chosen)
        for line in noise:
            print(f"not ok without a bug: {line}", flush=True)
        if noise:
            print(f"score: 0/{len(chosen)}\n0 passed, {len(noise)} failed, 0 skipped")
            return boot.FAIL
        return run_all(machines, chosen, [] if options.only else gaps_in(seeds.MUTANTS))
    except q.Missing as reason:
        print(f"mutants: {reason}", file=sys.stderr)
        return boot.MISSING
    except KeyboardInterrupt:
        print("mutants: interrupted", file=sys.stderr)
        return boot.TIMEOUT


if __name__ == "__main__":
    sys.exit(main())
