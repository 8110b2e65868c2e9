"""What it costs to take over, in guest instructions, against what there is to take over.

QEMU counts instructions as its clock (-icount): the TSC ticks once for each, so the phases of a
hand-over are counts, the same in every run.  A test build gives edu RMRRs (tests/boot/rmrr.c),
because nothing but they can map much memory without the memory, and without preserving it.
"""
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

import qemu as q
import run
import stanzas
from board import Board, Failed

GROWTH = 1.1			# of what must not grow, with 64 times as much mapped
TIMES = 64
LINEAR = 1.25			# of the cost of one, with several times as many
ICOUNT = ("-icount", "shift=0,sleep=off")
# Slow enough that the ring outlasts a blackout of a second, fast enough that frames fall into it.
RATE, FRAMES = 400, 600
TIMEOUT = 300			# seconds; an older OVMF boots in 44 like this

LINE = re.compile(r"# adopt: (\d+) records, (\d+) pages preserved, (\d+) table pages, (\d+) leaves "
                  r"map (\d+) KiB; TSC ticks: validate (\d+), adopt (\d+), verify (\d+)")


class Cost(NamedTuple):
    """One hand-over: what was handed over, then instructions."""
    records: int
    preserved: int
    tables: int
    leaves: int
    mapped: int			# KiB
    validate: int
    adopt: int
    verify: int


class Machine(NamedTuple):
    name: str
    more_nics: Sequence[str] = ()
    corrupt: str = "none"


ONE, TWO, FOUR = (Machine(f"{n} NIC{'s' if n > 1 else ''}", ("e1000e",) * (n - 1))
                  for n in (1, 2, 4))
LARGE_PAGES = (Machine("1 NIC, RMRR 8 MiB by 2 MiB", corrupt="rmrr_8m"),
               Machine("1 NIC, RMRR 512 MiB by 2 MiB", corrupt="rmrr_512m"))
SMALL_PAGES = (Machine("1 NIC, RMRR 2 MiB by 4 KiB", corrupt="rmrr_pages_2m"),
               Machine("1 NIC, RMRR 128 MiB by 4 KiB", corrupt="rmrr_pages_128m"))
MACHINES = (ONE, TWO, FOUR) + LARGE_PAGES + SMALL_PAGES


def measure(machine: Machine, qemus: Sequence[q.Qemu], firmware: q.Firmware, build: Path) -> Cost:
    """Boot it for one hand-over."""
    wanted = q.Machine(more_nics=machine.more_nics, extra=ICOUNT + stanzas.EDU)
    spec = run.Spec(machine=wanted, rate=RATE, frames=FRAMES, timeout=TIMEOUT, trace=(),
                    config={"generations": "2", "faults": "no", "corrupt": machine.corrupt})
    outcome = run.execute(spec, q.choose(qemus, wanted), firmware, build / "test/baton.efi",
                          build / "tools/frames", build / "bench/adoption")
    match = LINE.search(outcome.console)
    if outcome.status != run.PASS or not match:
        raise Failed(f"{machine.name}: {outcome.sentence}; logs: {outcome.directory}/")
    return Cost(*(int(word) for word in match.groups()))


def table(costs: Dict[Machine, Cost]) -> List[str]:
    """The figures, a line per machine."""
    heads = ("records", "pages kept", "tables", "leaves", "mapped KiB", "validate", "adopt", "verify")
    lines = ["cost of taking over, guest instructions".ljust(42) +
             "".join(f"{head:>11}" for head in heads)]
    for machine, cost in costs.items():
        lines.append(f"  {machine.name:<40}" + "".join(f"{number:>11}" for number in cost))
    return lines


def growth(board: Board, name: str, small: float, large: float, budget: float,
           what: str) -> None:
    board.counts(name, large <= budget * small,
                 f"{small:.0f}, then {large:.0f}: {large / small:.3f} times, budget {budget} ({what})")


def need_alike(costs: Dict[Machine, Cost]) -> None:
    """The comparison says something only if what should be equal is."""
    one, small, large = (costs[m] for m in (ONE,) + LARGE_PAGES)
    if small[:3] != large[:3] or small.mapped == one.mapped or \
            large.mapped - one.mapped != TIMES * (small.mapped - one.mapped):
        raise Failed("the RMRRs of 8 and 512 MiB differ in more than mapped bytes")


def per_leaf(small: Cost, large: Cost) -> float:
    return (large.verify - small.verify) / (large.leaves - small.leaves)


def per_record(small: Cost, large: Cost) -> float:
    return (large.adopt - small.adopt) / (large.records - small.records)


def judge(board: Board, costs: Dict[Machine, Cost]) -> None:
    need_alike(costs)
    mapped, entries = f"{TIMES} times the mapped bytes", f"{TIMES} times the table entries"
    eight, huge = (costs[m] for m in LARGE_PAGES)
    few, many = (costs[m] for m in SMALL_PAGES)
    growth(board, "adopt, by 2 MiB pages", eight.adopt, huge.adopt, GROWTH, mapped)
    growth(board, "adopt, by 4 KiB pages", few.adopt, many.adopt, GROWTH, mapped)
    growth(board, "validate, by 2 MiB pages", eight.validate, huge.validate, GROWTH, mapped)
    growth(board, "adopt, for each record", per_record(costs[ONE], costs[TWO]),
           per_record(costs[TWO], costs[FOUR]), LINEAR, "from 1 to 2 NICs, then from 2 to 4")
    growth(board, "verify, for each leaf", per_leaf(eight, few), per_leaf(few, many), LINEAR,
           entries)


def show(board: Board, build: Path) -> None:
    """Measure all, print the table, then what must not grow."""
    q.fetch_wider()
    qemus, firmware = q.find_qemus(), q.find_firmware()
    costs = {machine: measure(machine, qemus, firmware, build) for machine in MACHINES}
    print("\n".join(table(costs)), flush=True)
    judge(board, costs)
