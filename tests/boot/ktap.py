"""Read what Baton prints: one KTAP document per generation, then the verdict line.

The console is what a person would see, so firmware's escape sequences come first and lines may be
torn at the end.  Anything a plan promises and the text does not hold is a failure.
"""
import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, NamedTuple, Optional

# ECMA-48 control sequences (CSI ... final byte), and the two-byte escapes.
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
BANNER = re.compile(r"Baton \S")
PLAN = re.compile(r"1\.\.(\d+)\s*(?:#.*)?$")
RESULT = re.compile(r"(not )?ok\s+(\d+)\s+(?:- )?([^\s#]+)?\s*(?:#\s*(.*))?$")
LEFT = re.compile(r"Baton ends here: .* (\d+) checks failed; now to Linux")
VERDICT = re.compile(r"VERDICT: (PASS|FAIL|REFUSED) \(([0-9A-Fa-f]+)h\)\s*(.*)$")
PAIR = re.compile(r"(\w+)=(\S+)")

# Words and codes belong together (docs/design.md, "How failures end").
WORDS = {
    "PASS": {0x10},
    "FAIL": {0x11, 0x16, 0x18},
    "REFUSED": {0x12, 0x13, 0x14, 0x15, 0x17},
}


class Result(NamedTuple):
    """One check of one generation."""
    number: int
    name: str
    ok: bool
    skip: Optional[str]		# the reason, if it was skipped
    notes: List[str]		# comment lines directly before it

    def failed(self) -> bool:
        return not self.ok


class Verdict(NamedTuple):
    word: str
    code: int
    sentence: str


@dataclass
class Document:
    """What one kernel reported."""
    plan: Optional[int] = None
    results: List[Result] = field(default_factory=list)

    def problems(self, breaks_off: bool = False) -> List[str]:
        """What makes this document itself incomplete.  @breaks_off: its end may be missing."""
        found = []
        numbers = [r.number for r in self.results]
        if self.plan is None:
            found.append("no plan")
        else:
            last = max(numbers, default=0) if breaks_off else self.plan
            missing = sorted(set(range(1, last + 1)) - set(numbers))
            if missing:
                found.append("missing results: " + ", ".join(str(n) for n in missing))
            beyond = [n for n in numbers if not 1 <= n <= self.plan]
            if beyond:
                found.append("results beyond the plan: " + ", ".join(str(n) for n in beyond))
        twice = sorted({n for n in numbers if numbers.count(n) > 1})
        if twice:
            found.append("results given twice: " + ", ".join(str(n) for n in twice))
        return found

    def by_name(self) -> Dict[str, Result]:
        return {r.name: r for r in self.results}


@dataclass
class Report:
    """A whole console log."""
    banner: str = ""
    documents: List[Document] = field(default_factory=list)
    comments: List[str] = field(default_factory=list)	# without "# "
    verdicts: List[Verdict] = field(default_factory=list)

    @property
    def verdict(self) -> Optional[Verdict]:
        """The last one counts; more than one is a problem."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def left(self) -> Optional[int]:
        """Checks that had failed when Baton went over to a Linux; None: it did not."""
        found = [int(m[1]) for m in map(LEFT.match, self.comments) if m]
        return found[-1] if found else None

    def failures(self) -> List[str]:
        """Every failed or missing result, by generation."""
        found = []
        for generation, document in enumerate(self.documents):
            found += [f"generation {generation}: {r.name}" for r in document.results if r.failed()]
            found += [f"generation {generation}: {p}" for p in document.problems()]
        return found

    def problems(self, breaks_off: bool = False) -> List[str]:
        """What is wrong with the log itself, whatever the results say.

        @breaks_off: the last document may, because its kernel did.
        """
        found = []
        for generation, document in enumerate(self.documents):
            last = generation == len(self.documents) - 1
            found += [f"generation {generation}: {p}"
                      for p in document.problems(breaks_off and last)]
        if len(self.verdicts) > 1:
            found.append(f"{len(self.verdicts)} verdict lines")
        for verdict in self.verdicts:
            if verdict.code not in WORDS[verdict.word]:
                found.append(f"verdict {verdict.word} does not go with code {verdict.code:02x}h")
        return found

    def results(self, name: str) -> List[Result]:
        """One check over all generations."""
        return [d.by_name()[name] for d in self.documents if name in d.by_name()]

    def rows(self, label: str) -> Iterator[Dict[str, str]]:
        """The key=value pairs of comment lines that begin with a label and a colon."""
        for comment in self.comments:
            if comment.split(":", 1)[0] == label:
                yield dict(PAIR.findall(comment))


def clean(text: str) -> List[str]:
    """Lines without escape sequences, carriage returns and other control characters."""
    text = ESCAPES.sub("", text).replace("\r", "")
    return ["".join(c for c in line if c >= " " or c == "\t") for line in text.split("\n")]


def parse(text: str) -> Report:
    """The whole log, from firmware's first words on."""
    report = Report()
    notes: List[str] = []
    for line in clean(text):
        banner = BANNER.search(line)
        if banner and not report.banner:
            report.banner = line[banner.start():]
        if line.startswith("#"):
            comment = line[1:].strip()
            report.comments.append(comment)
            notes.append(comment)
            continue
        take_line(report, line, notes)
        notes = []
    return report


def take_line(report: Report, line: str, notes: List[str]) -> None:
    """One line that is not a comment."""
    verdict = VERDICT.match(line)
    if verdict:
        report.verdicts.append(Verdict(verdict.group(1), int(verdict.group(2), 16),
                                       verdict.group(3).strip()))
        return
    if line.startswith("KTAP version 1"):
        report.documents.append(Document())
        return
    if not report.documents:
        return
    document = report.documents[-1]
    plan = PLAN.match(line)
    if plan and document.plan is None:
        document.plan = int(plan.group(1))
        return
    result = RESULT.match(line)
    if result:
        document.results.append(make_result(result, notes))


def make_result(match: "re.Match[str]", notes: List[str]) -> Result:
    directive = match.group(4) or ""
    skipped = directive.upper().startswith("SKIP")
    return Result(int(match.group(2)), match.group(3) or f"result-{match.group(2)}",
                  match.group(1) is None, directive[4:].strip() if skipped else None, list(notes))
