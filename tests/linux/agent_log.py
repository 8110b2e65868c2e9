"""Read what the agent prints (agent.h): `agent: CRC32C key=value ...`, each line twice.

Lines whose CRC is wrong were damaged on the way; what both copies lost is missing, never wrong.
"""
import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Sequence

# Not only at the start of a line: the end of one of the kernel's may stand before it.
LINE = re.compile(r"agent: ([0-9a-f]{8}) ([^\r\n]*)")
CASTAGNOLI = 0x82F63B78		# reflected (RFC 3720, appendix B.4)

Facts = Dict[str, str]


def _table() -> List[int]:
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (CASTAGNOLI if n & 1 else 0)
        table.append(n)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass
class Log:
    """What one agent, or several one after the other, said."""
    lines: List[Facts] = field(default_factory=list)
    damaged: int = 0

    def all(self, key: str) -> Iterator[Facts]:
        """The lines that begin with that key."""
        return (facts for facts in self.lines if next(iter(facts), None) == key)

    def one(self, key: str) -> Optional[Facts]:
        """The last of them."""
        found = list(self.all(key))
        return found[-1] if found else None

    def value(self, key: str, of: str = "") -> Optional[str]:
        """A value of the last line that begins with @of, or with @key itself."""
        facts = self.one(of or key)
        return facts.get(key) if facts else None

    def number(self, key: str, of: str = "") -> int:
        """The same as a number; 0 if it is not there."""
        value = self.value(key, of)
        return int(value, 0) if value and re.fullmatch(r"\d+|0x[0-9a-f]+", value) else 0

    def problems(self) -> List[str]:
        return [facts["problem"] for facts in self.all("problem")]

    def verdict(self) -> Optional[str]:
        return self.value("verdict")

    def keyed(self, key: str) -> Dict[str, Facts]:
        """Lines that begin with @key, by its value."""
        return {facts[key]: facts for facts in self.all(key)}


def facts_of(text: str) -> Facts:
    """The first word without `=` gets an empty value; it names the line."""
    facts: Facts = {}
    for word in text.split():
        key, _, value = word.partition("=")
        facts[key] = value
    return facts


def parse(console: str) -> Log:
    """Every undamaged line once, in order."""
    log = Log()
    last: Optional[str] = None
    for match in LINE.finditer(console):
        said, text = int(match.group(1), 16), match.group(2)
        if crc32c(text.encode()) != said:
            log.damaged += 1
        elif text == last:	# the second copy
            last = None
        else:
            log.lines.append(facts_of(text))
            last = text
    return log


def by_mode(console: str) -> Dict[str, Log]:
    """One log for each agent that ran, by its mode; with two of one mode, the last."""
    modes: Dict[str, Log] = {}
    current: Optional[Log] = None
    whole = parse(console)
    for facts in whole.lines:
        if "mode" in facts:
            current = modes[facts["mode"]] = Log(damaged=whole.damaged)
        if current is not None:
            current.lines.append(facts)
    return modes


def differences(sent: Log, received: Log, key: str, fields: Sequence[str]) -> List[str]:
    """How the lines of @key differ: missing, more than were sent, or other values in @fields."""
    ours, theirs = sent.keyed(key), received.keyed(key)
    found = [f"{key} {name} was sent and did not arrive" for name in ours if name not in theirs]
    found += [f"{key} {name} arrived and was not sent" for name in theirs if name not in ours]
    for name in ours:
        for one in fields:
            if name in theirs and ours[name].get(one) != theirs[name].get(one):
                found.append(f"{key} {name}: {one} was {ours[name].get(one)}, "
                             f"arrived as {theirs[name].get(one)}")
    return found
