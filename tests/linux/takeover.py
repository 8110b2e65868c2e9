"""QEMU's trace of the moment when Baton takes a machine over from a Linux that left its IOMMU on.

The INIT that Baton sends to the other processors is where its part begins.  What a processor makes of it
QEMU does not tell: one that halted keeps it pending, with the registers it had, until something wakes it.
"""
import re
from typing import Iterator, List, Tuple

import witness

# The APIC's event changed its name in QEMU 9; a name that is not known is a warning.
EVENTS = ("vtd_inv_desc_wait_sw", "vtd_inv_qi_enable", "vtd_dmar_enable", "apic_mem_writel", "apic_register_write")

# Interrupt Command Register (Intel SDM 3A, 11.6.1): INIT, assert, to all excluding self.  Firmware writes it as well.
INIT_OTHERS = re.compile(r"(0x300|register 0x30) = 0x0*c4500$")

INIT, WAIT, QUEUE_ON, QUEUE_OFF, ON, OFF = "iwQqTt"
SWITCHES = {("vtd_inv_qi_enable", "1"): QUEUE_ON, ("vtd_inv_qi_enable", "0"): QUEUE_OFF,
            ("vtd_dmar_enable", "1"): ON, ("vtd_dmar_enable", "0"): OFF}

# Whatever still translates stops; a wait in the queue that was left, before it is switched off; a queue of our own;
# translation on, over every hand-over, until the end.
TAKEN_OVER = re.compile("t?w+qQw*T[wqQ]*t[wq]*")


def letters(text: str) -> Iterator[str]:
    """Each event as one letter."""
    for line in text.splitlines():
        match = witness.LINE.match(line.strip())
        if not match or match["name"] not in EVENTS:
            continue
        if match["name"].startswith("apic"):
            if INIT_OTHERS.search(match["text"]):
                yield INIT
        elif match["name"] == "vtd_inv_desc_wait_sw":
            yield WAIT
        else:
            yield SWITCHES[match["name"], match["text"][-1]]


def parts(text: str) -> Tuple[str, str]:
    """What came before the last INIT, and since; the second is empty if none was sent."""
    before, _, since = "".join(letters(text)).rpartition(INIT)
    return before, since


def processors_stopped(text: str) -> List[str]:
    """INIT was sent once Linux had run, as its queue tells, and before the unit was touched."""
    before, _ = parts(text)
    queue = [letter for letter in before if letter in (QUEUE_ON, QUEUE_OFF)]
    if queue[-1:] == [QUEUE_ON]:
        return []
    return [f"no INIT to the other processors after Linux: {before or 'none at all'}"]


def unit_taken_over(text: str) -> List[str]:
    _, since = parts(text)
    if TAKEN_OVER.fullmatch(since):
        return []
    return [f"waits (w), queue (Q, q) and translation (T, t) since INIT: {since}"]
