"""What QEMU's trace must say of taking over, on traces that are made up."""
import sys
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "boot"))
import takeover  # noqa: E402

LINES = {"i": "apic_mem_writel 0x300 = 0x000c4500",
         "w": "vtd_inv_desc_wait_sw wait invalidate status write addr 0x1 data 0x2",
         "Q": "vtd_inv_qi_enable enabled 1", "q": "vtd_inv_qi_enable enabled 0",
         "T": "vtd_dmar_enable enable 1", "t": "vtd_dmar_enable enable 0",
         "x": "apic_mem_writel 0x300 = 0x0000c500", "y": "vtd_inv_qi_tail write tail 0"}
GOOD = "ixQwTwwti" + "wqQwTwqQwwtwq"


def trace(events: str) -> str:
    return "".join(f"77@1795655811.0927:{LINES[event]}\n" for event in events)


class Takeover(unittest.TestCase):
    def test_letters(self) -> None:
        self.assertEqual("".join(takeover.letters(trace("ixyQwqTt"))), "iQwqTt")
        newer = ("2026-11-26T01:16:57.740089Z apic_register_write register 0x30 = 0xc4500\n"
                 "2026-11-26T01:16:57Z vtd_inv_qi_enable enabled 1\n"
                 "apic_register_write register 0x3 = 0xc4500\nsomething else\n")
        self.assertEqual("".join(takeover.letters(newer)), "iQ")

    def test_processors(self) -> None:
        self.assertEqual(takeover.processors_stopped(trace(GOOD)), [])
        for events in ("", "ixQwTwwt" + "wqQwTwt", "QwTwt", "iQqi"):	# firmware's alone; none; Linux's queue is off
            self.assertEqual(len(takeover.processors_stopped(trace(events))), 1, events)

    def test_unit(self) -> None:
        for since in ("wqQwTwqQwwtwq", "twqQTt", "wwqQwTwqQwqQwtq"):
            self.assertEqual(takeover.unit_taken_over(trace("iQi" + since)), [], since)
        for since in ("", "qQwTwt", "wqQwTwtTwt", "wqQwTw", "wQwTwt", "wqTwQt", "wTqQwt", "wqtQwTt"):
            self.assertEqual(len(takeover.unit_taken_over(trace("iQi" + since))), 1, since)


if __name__ == "__main__":
    unittest.main()
