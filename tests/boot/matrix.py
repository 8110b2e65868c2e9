#!/usr/bin/env python3
"""Boot every stanza of the matrix, one after the other, and judge it.

    matrix.py [--list] [--only NAME]... [--image FILE] [--test-image FILE] [--sender FILE] [--out DIR]

Prints one line per stanza and `N passed, N failed, N skipped` at the end.  What the QEMU at hand
cannot do is skipped with the reason; under CI=true a skipped igb stanza is a failure, because there
the wider QEMU must be.  results.ktap under --out nests what the kernels reported.
"""
import argparse
import dataclasses
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import List, Optional, Sequence

import image
import ktap
import qemu as q
import run
import stanzas
import witness
from stanzas import NOT_OK, OK, SKIPPED, Stanza


class Skip(Exception):
    """The stanza cannot be run here; the text is the reason."""


# --- judging one stanza -----------------------------------------------------------------------

def verdict_problems(stanza: Stanza, outcome: run.Outcome) -> List[str]:
    """The verdict, its sentence, and where the run stopped if there was to be none."""
    if stanza.code is None:
        if ktap.BANNER.search("\n".join(ktap.clean(outcome.console))):
            return ["Baton was started all the same"]
        return [] if outcome.sentence.startswith("stopped") else [outcome.sentence]
    if outcome.code is None:
        return [f"no verdict: {outcome.sentence}"]
    if outcome.code != stanza.code:
        return [f"verdict {outcome.code:02x}h, expected {stanza.code:02x}h: {outcome.sentence}"]
    found = []
    if stanza.sentence and not re.search(stanza.sentence, outcome.sentence):
        found.append(f"the sentence does not say /{stanza.sentence}/: {outcome.sentence}")
    # The runner turns a PASS that its own counts contradict into a failure.
    expected = run.STATUS_OF_CODE[stanza.code]
    if outcome.status != expected:
        found.append(f"status {outcome.status}, expected {expected}: {outcome.sentence}")
    return found


def result_problems(stanza: Stanza, outcome: run.Outcome) -> List[str]:
    """What the kernels reported."""
    report, found = outcome.report, []
    for name, want in stanza.results.items():
        seen = report.results(name)
        last = seen[-1] if seen else None
        got = (None if last is None else NOT_OK if last.failed()
               else SKIPPED if last.skip is not None else OK)
        if got != want:
            found.append(f"{name} is {got or 'missing'}, expected {want}")
    for generation, document in enumerate(report.documents):
        for result in document.results:
            allowed = stanza.may_fail | set(stanza.results)
            if result.failed() and result.name not in allowed and "*" not in allowed:
                found.append(f"generation {generation}: not ok {result.name}")
    if stanza.generations is not None and len(report.documents) != stanza.generations:
        found.append(f"{len(report.documents)} generations reported, "
                     f"expected {stanza.generations}")
    return found + report.problems(stanza.breaks_off)


def problems(stanza: Stanza, outcome: run.Outcome) -> List[str]:
    """Everything in which a run differs from its stanza."""
    found = verdict_problems(stanza, outcome)
    if outcome.code is not None:
        found += result_problems(stanza, outcome)
    if stanza.console and not re.search(stanza.console, outcome.console):
        found.append(f"the console does not say /{stanza.console}/")
    if stanza.trace is not None and outcome.code is not None:
        begin, end = outcome.stream_window
        found += ["QEMU's trace: " + p for p in witness.disagreements(
            witness.read(outcome.trace), stanza.trace, begin, end)]
    return list(dict.fromkeys(found))


# --- running ----------------------------------------------------------------------------------

@dataclasses.dataclass
class Bench:
    """What all stanzas share."""
    qemus: Sequence[q.Qemu]
    firmware: q.Firmware
    image: Path
    test_image: Path
    sender: Path
    out: Path
    wider_missing: Optional[str] = None		# why the newer QEMU could not be had


def run_stanza(bench: Bench, stanza: Stanza) -> run.Outcome:
    """Boot one stanza; raises Skip if it cannot be done here."""
    try:
        machine = q.choose(bench.qemus, stanza.spec.machine)
    except q.Unsupported as reason:
        hint = f"; {bench.wider_missing}" if bench.wider_missing else ""
        raise Skip(f"{reason}{hint}") from None
    program = bench.test_image if stanza.test_build else bench.image
    if not program.is_file():
        raise Skip(f"{program} was not built")
    spec = stanza.spec
    if stanza.cut is not None:
        data = program.read_bytes()
        spec = dataclasses.replace(spec, image=data[:int(len(data) * stanza.cut)])
    if stanza.as_linux:
        spec = dataclasses.replace(spec, files={**spec.files,
                                                "baton/bzImage": program.read_bytes()})
    return run.execute(spec, machine, bench.firmware, program, bench.sender,
                       bench.out / stanza.name)


def skip_is_failure(stanza: Stanza) -> bool:
    """A CI machine must have the wider QEMU, fetched by tools/debs.py."""
    return os.environ.get("CI") == "true" and "igb" in stanza.spec.machine.nics()


def nested(outcome: run.Outcome) -> List[str]:
    """The kernels' own documents, indented under the stanza's line."""
    lines = []
    for document in outcome.report.documents:
        lines += ["    KTAP version 1", f"    1..{document.plan or 0}"]
        for result in document.results:
            skip = f" # SKIP {result.skip}" if result.skip is not None else ""
            word = "not ok" if result.failed() else "ok"
            lines += [f"    # {note}" for note in result.notes]
            lines.append(f"    {word} {result.number} {result.name}{skip}")
    return lines


def run_all(bench: Bench, chosen: Sequence[Stanza]) -> int:
    """Status of the whole matrix."""
    counts = {OK: 0, NOT_OK: 0, SKIPPED: 0}
    book = ["KTAP version 1", f"1..{len(chosen)}"]
    for number, stanza in enumerate(chosen, 1):
        began = time.monotonic()
        notes: List[str] = []
        body: List[str] = []
        try:
            outcome = run_stanza(bench, stanza)
            notes, body = problems(stanza, outcome), nested(outcome)
            if notes:
                notes.append(f"logs: {outcome.directory}/")
            state = NOT_OK if notes else OK
            tail = f" ({time.monotonic() - began:.1f} s)"
        except Skip as reason:
            state, tail = SKIPPED, f" # SKIP {reason}"
            if skip_is_failure(stanza):
                state, tail, notes = NOT_OK, "", [f"must not be skipped in CI: {reason}"]
        counts[state] += 1
        line = f"{OK if state == SKIPPED else state} {number} {stanza.name}{tail}"
        said = [f"# {note}" for note in notes] + [line]
        print("\n".join(said), flush=True)
        book += body + said
    bench.out.mkdir(parents=True, exist_ok=True)
    (bench.out / "results.ktap").write_text("\n".join(book) + "\n", encoding="utf-8")
    print(f"{counts[OK]} passed, {counts[NOT_OK]} failed, {counts[SKIPPED]} skipped", flush=True)
    return run.FAIL if counts[NOT_OK] else run.PASS


def main(argv: Optional[List[str]] = None) -> int:
    top = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Boot the matrix in QEMU.")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help='a stanza; a name ending in "." stands for all that begin so')
    parser.add_argument("--no-fetch", action="store_true", help="use what is on the machine")
    parser.add_argument("--image", type=Path, default=top / "build/baton.efi")
    parser.add_argument("--test-image", type=Path, default=top / "build/test/baton.efi")
    parser.add_argument("--sender", type=Path, default=top / "build/tools/frames")
    parser.add_argument("--out", type=Path, default=top / "build/boot")
    options = parser.parse_args(argv)
    try:
        chosen = stanzas.by_name(options.only) if options.only else list(stanzas.STANZAS)
    except KeyError as name:
        print(f"matrix: no stanza {name}", file=sys.stderr)
        return run.USAGE
    if options.list:
        print("\n".join(s.name for s in chosen))
        return run.PASS
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for path in (options.image, options.sender):
            if not path.is_file():
                raise q.Missing(f"{path} is not there; run make first")
        wider = None if options.no_fetch else q.fetch_wider()
        bench = Bench(q.find_qemus(), q.find_firmware(), options.image, options.test_image,
                      options.sender, options.out, wider)
        versions = ", ".join(f"{m.version()} ({m.origin})" for m in bench.qemus)
        print(f"# QEMU {versions}; OVMF from {bench.firmware.origin}", flush=True)
        return run_all(bench, chosen)
    except (q.Missing, image.ImageError) as reason:
        print(f"matrix: {reason}", file=sys.stderr)
        return run.MISSING
    except KeyboardInterrupt:
        print("matrix: interrupted", file=sys.stderr)
        return run.TIMEOUT


if __name__ == "__main__":
    sys.exit(main())
