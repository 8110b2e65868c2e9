"""What a mutant is: one small bug as data, and the test that must notice it."""
from dataclasses import dataclass, field
from typing import FrozenSet, Mapping, Tuple, Union

import stanzas

REFUSED = stanzas.HANDOFF
FAILED = stanzas.FAILED


@dataclass(frozen=True)
class Edit:
    """One place: @old stands in @file exactly once and becomes @new."""
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Unit:
    """Dies by a host test program; @test names the case that must fail, if one is meant."""
    program: str
    test: str = ""

    def __str__(self) -> str:
        return f"unit:{self.program}" + (f":{self.test}" if self.test else "")


@dataclass(frozen=True)
class Tool:
    """Dies by tests/tools/test_kho_dump.py; @test is the case that must fail, with its class."""
    test: str

    def __str__(self) -> str:
        return f"tool:{self.test}"


@dataclass(frozen=True)
class Compile:
    """Dies because it cannot be built: the compiler's words hold @message."""
    target: str
    message: str

    def __str__(self) -> str:
        return f"compile:{self.target}"


@dataclass(frozen=True)
class Boot:
    """Dies in QEMU by a check of its own.

    No check but @check and those in @also may fail, so that the check is known to stand for the
    bug.  With @at_once the kernel ends before it reports: verdict and sentence are what is left.
    """
    check: str
    also: FrozenSet[str] = frozenset()
    code: int = FAILED
    sentence: str = ""
    at_once: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    frames: int = 3000
    rate: int = 4000
    more_nics: Tuple[str, ...] = ()
    iommu: Mapping[str, str] = field(default_factory=lambda: {"aw-bits": "48"})

    def __str__(self) -> str:
        return f"boot:{self.check}" + (f" ({self.code:02x}h)" if self.code != FAILED else "")

    def key(self) -> Tuple[object, ...]:
        """Mutants with one key share the run without a bug that is compared with."""
        return (tuple(sorted(self.config.items())), self.frames, self.rate, self.more_nics,
                tuple(sorted(self.iommu.items())))


@dataclass(frozen=True)
class Judged:
    """Dies in QEMU because the run is no longer what a stanza says."""
    stanza: stanzas.Stanza

    def __str__(self) -> str:
        return f"stanza:{self.stanza.name}"


Death = Union[Unit, Tool, Compile, Boot, Judged]


@dataclass(frozen=True)
class Mutant:
    name: str
    stands_for: str			# check id, finding, or pitfall of VT-d
    edits: Tuple[Edit, ...]
    dies: Death


def mutant(name: str, stands_for: str, file: str, old: str, new: str, dies: Death) -> Mutant:
    """The usual one: a single edit."""
    return Mutant(name, stands_for, (Edit(file, old, new),), dies)
