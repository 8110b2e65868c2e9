"""The budgets of taking over: what keeps them, then each way to break one."""
import sys
import unittest
from pathlib import Path
from typing import Dict, List

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "boot"))
import adoption  # noqa: E402  (found only once the path is set)
from board import Board, Failed  # noqa: E402

SAID = ("# adopt: 5 records, 2190 pages preserved, 7 table pages, 89 leaves map 16708 KiB; "
        "TSC ticks: validate 4747811, adopt 107997, verify 1978648")

# As measured; the columns are those of Cost.
GOOD: Dict[adoption.Machine, adoption.Cost] = {
    adoption.ONE: adoption.Cost(3, 2188, 5, 85, 8516, 4739837, 107523, 1911791),
    adoption.TWO: adoption.Cost(5, 4345, 8, 170, 17032, 6376099, 111167, 2370574),
    adoption.FOUR: adoption.Cost(9, 8659, 14, 340, 34064, 9762542, 118838, 3297357),
    adoption.LARGE_PAGES[0]: adoption.Cost(5, 2190, 7, 89, 16708, 4747811, 107997, 1978648),
    adoption.LARGE_PAGES[1]: adoption.Cost(5, 2190, 7, 341, 532804, 4747811, 107997, 2059792),
    adoption.SMALL_PAGES[0]: adoption.Cost(5, 2191, 8, 597, 10564, 4746912, 108178, 2174442),
    adoption.SMALL_PAGES[1]: adoption.Cost(5, 2254, 71, 32853, 139588, 4775162, 108178, 14908888),
}


class Quiet(Board):
    def show(self, word: str, name: str, text: str) -> None:
        pass


def broken(machine: adoption.Machine, **other: int) -> List[str]:
    """Budgets that are over if one machine's figures are others."""
    board = Quiet()
    adoption.judge(board, {**GOOD, machine: GOOD[machine]._replace(**other)})
    return board.broken


class Budgets(unittest.TestCase):
    def test_line_of_the_kernel(self) -> None:
        match = adoption.LINE.search("x\n" + SAID + "\n")
        assert match
        self.assertEqual(adoption.Cost(*(int(word) for word in match.groups())),
                         GOOD[adoption.LARGE_PAGES[0]])

    def test_good(self) -> None:
        self.assertEqual(broken(adoption.ONE), [])

    def test_adopt_grows_with_mapped_bytes(self) -> None:
        self.assertEqual(broken(adoption.LARGE_PAGES[1], adopt=119000), ["adopt, by 2 MiB pages"])
        self.assertEqual(broken(adoption.LARGE_PAGES[1], adopt=118000), [])
        self.assertEqual(broken(adoption.SMALL_PAGES[1], adopt=119000), ["adopt, by 4 KiB pages"])

    def test_validate_grows_with_mapped_bytes(self) -> None:
        self.assertEqual(broken(adoption.LARGE_PAGES[1], validate=5300000),
                         ["validate, by 2 MiB pages"])

    def test_adopt_is_not_linear(self) -> None:
        self.assertEqual(broken(adoption.FOUR, adopt=125000), ["adopt, for each record"])

    def test_verify_is_not_linear(self) -> None:
        self.assertEqual(broken(adoption.SMALL_PAGES[1], verify=18000000), ["verify, for each leaf"])
        self.assertEqual(broken(adoption.SMALL_PAGES[1], verify=17500000), [])

    def test_compares_like_with_like(self) -> None:
        for column in ("records", "preserved", "tables", "mapped"):
            with self.subTest(column), self.assertRaises(Failed):
                broken(adoption.LARGE_PAGES[1],
                       **{column: getattr(GOOD[adoption.LARGE_PAGES[1]], column) + 1})
        with self.assertRaises(Failed):		# no RMRR took effect
            broken(adoption.LARGE_PAGES[0], mapped=GOOD[adoption.ONE].mapped)


if __name__ == "__main__":
    unittest.main()
