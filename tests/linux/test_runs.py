"""What check-linux demands, on logs that are made up."""
import sys
import unittest
from pathlib import Path
from typing import List

sys.path.append(str(Path(__file__).resolve().parents[1] / "boot"))
import agent_log  # noqa: E402
import ktap  # noqa: E402
import qemu as q  # noqa: E402
import run  # noqa: E402
import runs  # noqa: E402
from test_agent_log import twice  # noqa: E402

SENT = ("mode=send", "memfd=a/1 size=5 crc32c=1 position=0 seals=0 folios=1", "session=a files=1",
        "region=left address=1000 size=4096 crc32c=7", "ready=yes")
STREAM = ("ring=1 rdh=5 rdt=4 entries=8 free_at_start=7", "pages=begin in_place=yes",
          "stream=1 when=since_jump frames=3 lost=0 duplicate=0 corrupt=0 misplaced=0 bad_descriptors=0",
          "stream=1 when=since_repost frames=200 lost=0 duplicate=0 corrupt=0 misplaced=0 bad_descriptors=0",
          "guards words=9 changed=0", "pages=end in_place=yes",
          "stopped=0000:00:03.0 command=0002 landed_before=1 landed_after=1 watched_ms=500")
DIGESTS = ("digests=begin tables=4 records=3 different=0", "digests=end tables=4 records=3 different=0")
RECEIVED = ("mode=receive up_ms=60", *SENT[1:-1], "metadata release=r count=1", "liveupdate_number=1", *STREAM, *DIGESTS,
            "memfd=baton/101 size=9", "session=baton streams=1", "verdict=PASS")


def seen(*lines: str, ended: str = "exit") -> runs.Seen:
    outcome = run.Outcome(run.TIMEOUT, "", Path("/logs"), console=twice(*lines), ended=ended,
                          senders=[{"longest_silence_us": 499999, "ended": "peer gone"}] if lines else [])
    return runs.see(outcome)


def without(lines: List[str], begin: str, instead: str = "") -> List[str]:
    return [instead or "note=1" if line.startswith(begin) else line for line in lines]


class Demands(unittest.TestCase):
    both = [*SENT, *RECEIVED]

    def holds(self, check: runs.Problems, lines: List[str]) -> None:
        self.assertEqual(check(seen(*lines)), [])

    def fails(self, check: runs.Problems, lines: List[str], **more: str) -> None:
        self.assertNotEqual(check(seen(*lines, **more)), [])

    def test_a_good_run(self) -> None:
        for check in (runs.agent_passed, runs.agent_sent, runs.arrived(*runs.FIELDS), runs.handoff("r", 1, 1),
                      runs.streams_went_on(1), runs.bytes_intact, runs.nic_stopped):
            self.holds(check, self.both)

    def test_nothing_is_never_enough(self) -> None:
        """A check that saw nothing fails, whichever run it belongs to."""
        for one in runs.RUNS:
            for check, name in zip(one.checks, one.names()):
                with self.subTest(name):
                    self.assertNotEqual(check.problems(seen()), [])

    def test_agent(self) -> None:
        self.fails(runs.agent_passed, without(self.both, "verdict"))
        self.fails(runs.agent_passed, [*self.both[:-1], "problem=x", "verdict=FAIL reason=x"])
        self.fails(runs.agent_passed, [*self.both[:-1], "problem=x", "verdict=PASS"])
        self.fails(runs.agent_passed, self.both, ended="timeout")
        self.fails(runs.agent_sent, without(self.both, "ready"))

    def test_arrived(self) -> None:
        for line in SENT[1:-1]:
            changed = line.replace("size=", "size=1").replace("files=", "files=1")
            self.fails(runs.arrived(*runs.FIELDS), [*SENT, *without(list(RECEIVED), line)])
            self.fails(runs.arrived(*runs.FIELDS), [*SENT, *without(list(RECEIVED), line, changed)])

    def test_counts(self) -> None:
        self.fails(runs.handoff("r", 2, 1), self.both)
        self.fails(runs.handoff("r", 1, None), self.both)
        self.fails(runs.handoff("s", 1, 1), self.both)

    def test_stream(self) -> None:
        for begin, instead in (("stream=1 when=since_jump", STREAM[2].replace("frames=3", "frames=2")),
                               ("stream=1 when=since_jump", STREAM[2].replace("lost=0", "lost=1")),
                               ("stream=1 when=since_repost", STREAM[3].replace("frames=200", "frames=199")),
                               ("ring", STREAM[0].replace("free_at_start=7", "free_at_start=0")),
                               ("guards", "guards words=9 changed=1"), ("pages=end", "pages=end in_place=no")):
            self.fails(runs.streams_went_on(1), without(self.both, begin, instead))
        for line in STREAM:
            self.fails(runs.streams_went_on(1), without(self.both, line))

    def test_two_streams(self) -> None:
        second = [line.replace("ring=1", "ring=2").replace("stream=1", "stream=2").replace(":03.0", ":04.0")
                  for line in STREAM]
        both = [*self.both, *second]
        self.holds(runs.streams_went_on(2), both)
        self.fails(runs.streams_went_on(1), both)
        self.fails(runs.streams_went_on(2), self.both)
        for line in second:
            self.fails(runs.streams_went_on(2), [*self.both, *without(second, line)])
        self.fails(runs.streams_went_on(2), [*self.both, *STREAM])

    def test_digests(self) -> None:
        for line in DIGESTS:
            self.fails(runs.bytes_intact, without(self.both, line))
            self.fails(runs.bytes_intact, without(self.both, line, line.replace("different=0", "different=1")))
            self.fails(runs.bytes_intact, without(self.both, line, line.replace("tables=4", "tables=0")))

    def test_stopped(self) -> None:
        self.fails(runs.nic_stopped, without(self.both, "stopped", STREAM[-1].replace("0002", "0006")))
        self.fails(runs.nic_stopped, without(self.both, "stopped", STREAM[-1].replace("watched_ms=500", "")))

    def test_offered_meanwhile(self) -> None:
        for sender, good in (({"longest_silence_us": 100, "ended": "terminated"}, True), ({}, False),
                             ({"longest_silence_us": 500000, "ended": "peer gone"}, False),
                             ({"longest_silence_us": 100, "ended": "acknowledged"}, False),
                             ({"longest_silence_us": 100, "ended": "no heartbeat"}, False)):
            one = seen(*self.both)
            one.outcome.senders = [{"longest_silence_us": 100, "ended": "terminated"}, dict(sender)]
            for check in (runs.nic_stopped, runs.streams_went_on(1)):
                self.assertEqual(check(one) == [], good, sender)

    def test_what_baton_found(self) -> None:
        guest = runs.Guest(sessions="a")
        sent = ("mode=send la57=no", "memfd=a/1f size=5 crc32c=1 position=2 seals=a folios=1", "session=a files=1",
                "region=left address=1000 size=4096 crc32c=7", "scratch=0 address=400000 size=1000",
                "scratch=1 address=800000 size=0", "node=LUO size=32")
        said = ("file session=a token=0x1f handler=memfd-v2 size=5 pages=1 pos=2 seals=0xa crc32c=1",
                "session name=a files=1", "reserve_mem name=left at=0x1000 size=4096 crc32c=7",
                f"release={runs.RELEASE} kexec_count=1 liveupdate_num=1", "node name=LUO at=0x1 size=32",
                "scratch at=0x400000 size=4096", "scratch at=0x800000 size=0", "preserved order=0 chunks=7",
                "preserved order=2 chunks=1", "extent at=0x1000 chunks=7 order=0", "extent at=0x8000 chunks=1 order=2",
                "extents=2 shown=2 pages=11")

        def problems(lines: List[str]) -> List[str]:
            one = seen(*sent)
            one.outcome.console = "".join(f"# foreign: {line}\r\n" for line in lines)
            return runs.baton_found(guest)(one)
        self.assertEqual(problems(list(said)), [])
        for line in said:
            self.assertEqual(len(problems(without(list(said), line, "nothing"))), 1, line)
        for value, other in (("crc32c=1", "crc32c=2"), ("pos=2", "pos=3"), ("files=1", "files=2"),
                             ("kexec_count=1", "kexec_count=2"), ("name=LUO", "name=OUL"),
                             ("at=0x1 size=32", "at=0x1 size=33"), ("at=0x800000 size=0", "at=0x800000 size=4096"),
                             ("at=0x400000", "at=0x401000"), ("order=2 chunks=1", "order=2 chunks=2"),
                             ("chunks=7 order=0", "chunks=6 order=0"), ("shown=2", "shown=1")):
            self.assertEqual(len(problems([line.replace(value, other) for line in said])), 1, value)
        # One memfd and one region of a page each, one session.
        rest = [line for line in said if not line.startswith(("preserved", "extent"))]
        most = 2 + runs.PAGES_OF_KHO + 2 * runs.PAGES_OF_ONE
        for count, good in ((2, False), (3, True), (most, True), (most + 1, False)):
            changed = [*rest, f"preserved order=0 chunks={count}", f"extents=1 shown=0 pages={count}"]
            self.assertEqual(problems(changed) == [], good, count)
        # Sent must be what the run means to send.
        for other in (runs.Guest(sessions="a", regions=()), runs.Guest(sessions=""), runs.Guest(sessions="a,b"),
                      runs.Guest(sessions="a", many=1), runs.Guest(sessions="a", liveupdate="off")):
            guest = other
            self.assertNotEqual(problems(list(said)), [], other)

    def test_baton_found_nothing(self) -> None:
        """Neither sessions nor regions: then none may be found, and all the rest is."""
        guest = runs.Guest(sessions="", regions=(), liveupdate="off")
        said = ["node name=kexec-metadata at=0x1 size=73", "scratch at=0x400000 size=4096",
                "preserved order=0 chunks=3", "extents=9 shown=0 pages=3", f"release={runs.RELEASE} kexec_count=1 liveupdate_num=0"]
        one = seen("mode=send", "node=kexec-metadata size=73", "scratch=0 address=400000 size=1000")
        for more, good in (([], True), (["session name=a files=1"], False),
                           (["reserve_mem name=l at=0x1 size=1 crc32c=1"], False)):
            one.outcome.console = "".join(f"# foreign: {line}\n" for line in said + more)
            self.assertEqual(runs.baton_found(guest)(one) == [], good, more)

    def test_no_handoff(self) -> None:
        self.holds(runs.no_handoff, ["mode=receive", "found_handover_data=no", "handoff=none"])
        self.fails(runs.no_handoff, ["mode=receive", "found_handover_data=yes", "handoff=none"])
        self.fails(runs.no_handoff, ["mode=receive", "found_handover_data=no", "handoff=announced"])

    def test_scratch(self) -> None:
        one = seen("mode=receive", "scratch=0 address=400000 size=1000", "scratch=1 address=800000 size=0")
        areas = "# foreign: scratch at=0x400000 size=4096\r\n# foreign: scratch at=0x800000 size=0\r\n"
        one.outcome.console = areas
        self.assertEqual(runs.same_scratch(one), [])
        one.outcome.console = areas.replace("size=0", "size=4096")
        self.assertNotEqual(runs.same_scratch(one), [])

    def test_kernel_in_scratch(self) -> None:
        for at, good in (("400000", True), ("4fffff", True), ("500000", False), ("3fffff", False)):
            one = seen(f"mode=receive kernel_at={at}", "scratch=0 address=400000 size=100000",
                       "scratch=1 address=500000 size=0")
            self.assertEqual(runs.kernel_in_scratch(one) == [], good, at)

    def test_iommu_left_on(self) -> None:
        one = seen()
        for gsts, good in (("47000000", True), ("45000000", False), ("43000000", False), ("00000000", False)):
            one.outcome.console = f"# vtd0: left with GSTS {gsts} RTADDR 0\n"
            self.assertEqual(runs.iommu_left_on(one) == [], good)

    def test_slept(self) -> None:
        line = "# pci: 0000:00:03.0: woken from D3\n"
        for state, said, good in (("3", line, True), ("0", line, False), ("3", "", False), ("3", 2 * line, False),
                                  ("3", line.replace("D3", "D1"), False), ("3", line.replace("03.0", "04.0"), False)):
            one = seen("mode=send", f"slept=0000:00:03.0 state={state}")
            one.outcome.console = said
            self.assertEqual(runs.slept(one) == [], good, (state, said))

    def test_notices(self) -> None:
        told = [*without(self.both, "verdict", "problem=this"), "verdict=FAIL reason=this"]
        self.holds(runs.notices("this"), told)
        self.fails(runs.notices("that"), told)
        self.fails(runs.notices("this"), [*told[:-1], "problem=more", told[-1]])
        self.fails(runs.notices("this"), self.both)

    def test_baton(self) -> None:
        outcome = run.Outcome(run.TIMEOUT, "", Path("/logs"))
        outcome.report = ktap.parse("Baton 0.1\nKTAP version 1\n1..1\nok 1 a\nKTAP version 1\n1..1\nnot ok 1 a\n")
        one = runs.Seen(outcome, agent_log.Log(), agent_log.Log())
        self.assertEqual(runs.baton_reports(2)(one), ["generation 1: a"])
        self.assertEqual(len(runs.baton_reports(1)(one)), 2)


class Table(unittest.TestCase):
    def test_names_are_unique(self) -> None:
        names = [name for one in runs.RUNS for name in one.names()]
        self.assertEqual(len(names), len(set(names)))

    def test_by_name(self) -> None:
        self.assertEqual([r.name for r in runs.by_name(["linux_to_linux"])], ["linux_to_linux"])
        self.assertGreater(len(runs.by_name(["linux_to_linux."])), 1)
        with self.assertRaises(KeyError):
            runs.by_name(["nothing"])


class CommandLines(unittest.TestCase):
    def test_words(self) -> None:
        self.assertIn("nokaslr", runs.Guest().cmdline())
        self.assertNotIn("nokaslr", runs.Guest(kaslr=True).cmdline())
        self.assertIn("kho=off", runs.OFF.cmdline())
        self.assertIn("intel_iommu=on", runs.Guest("iommu").cmdline())

    def test_a_kernel_takes_the_place_of_the_firmware(self) -> None:
        files = q.Files(*(Path(f"/{n}") for n in ("disk", "vars", "serial", "trace", "events", "s")),
                        kernel=q.Kernel(Path("/bzImage"), Path("/initrd"), "a=b c"))
        line = q.command(q.Qemu("qemu"), q.Firmware(Path("/code"), Path("/vars")),
                         q.Machine(nic=None, iommu=None, cpu="qemu64", processors=2), files, ())
        self.assertEqual(line[line.index("-append") + 1], "a=b c")
        self.assertEqual((line[line.index("-smp") + 1], line[line.index("-cpu") + 1]), ("2", "qemu64"))
        self.assertFalse([word for word in line if "pflash" in word or "drive=" in word])

    def test_the_sender_has_more_than_baton_waits_for(self) -> None:
        files = q.Files(*(Path(f"/{n}") for n in ("disk", "vars", "serial", "trace", "events", "s")))
        for spec, frames in ((run.Spec(frames=5, sender_frames=9), "9"), (run.Spec(frames=5), "5")):
            line = run.sender_argv(spec, Path("/frames"), files, 0)
            self.assertEqual(line[line.index("--frames") + 1], frames)
            self.assertEqual(run.baton_config(spec)["frames"], "5")


if __name__ == "__main__":
    unittest.main()
