"""The runner's decisions: statuses, command line, configuration, stanzas."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Dict, List, Optional
from unittest import mock

import image
import ktap
import matrix
import qemu
import run
import stanzas
import witness


def verdict(code: int, word: str = "FAIL") -> ktap.Verdict:
    return ktap.Verdict(word, code, "why")


class Statuses(unittest.TestCase):
    def check(self, status: int, why: str, returncode: int,
              said: Optional[ktap.Verdict] = None) -> None:
        self.assertEqual(run.conclude(why, returncode, said, "words")[0], status)

    def test_every_code(self) -> None:
        for code, status in {0x10: 0, 0x11: 1, 0x12: 2, 0x13: 3, 0x14: 3, 0x15: 3, 0x16: 1,
                             0x17: 1, 0x18: 1}.items():
            self.check(status, "exit", 2 * code + 1, verdict(code))

    def test_console_and_exit_disagree(self) -> None:
        self.check(run.FAIL, "exit", 2 * 0x10 + 1, verdict(0x11))

    def test_exit_without_verdict_line(self) -> None:
        self.check(run.FAIL, "exit", 2 * 0x10 + 1)

    def test_reset_without_verdict(self) -> None:
        self.check(run.TIMEOUT, "exit", 0)

    def test_reset_after_verdict(self) -> None:
        self.check(run.PASS, "exit", 0, verdict(0x10, "PASS"))

    def test_qemu_fails(self) -> None:
        self.check(run.QEMU_FAILED, "exit", 1)
        self.check(run.QEMU_FAILED, "exit", -6)
        self.check(run.QEMU_FAILED, "exit", -11, verdict(0x10, "PASS"))
        self.check(run.QEMU_FAILED, "exit", 2 * 0x30 + 1)
        self.check(run.QEMU_FAILED, "exit", 2 * 0x10)

    def test_no_verdict_in_time(self) -> None:
        self.check(run.TIMEOUT, "timeout", -15)

    def test_hangs_after_verdict(self) -> None:
        self.check(run.FAIL, "verdict", -15, verdict(0x10, "PASS"))
        self.assertIsNone(run.conclude("verdict", -15, verdict(0x18), "words")[1])

    def test_over_to_linux(self):
        """Without a verdict, what Baton said last counts."""
        for why, returncode, failed, status in (("exit", 0, 0, run.PASS), ("exit", 0, 2, run.FAIL),
                                                ("timeout", -15, 0, run.TIMEOUT),
                                                ("exit", 1, 0, run.QEMU_FAILED)):
            got = run.conclude(why, returncode, None, "words", failed)
            self.assertEqual(got[0], status)
        self.assertEqual(run.conclude("exit", 0, None, "words", None)[0], run.TIMEOUT)
        said = ("# Baton ends here: generation 1, 1 hand overs to itself, 3 checks failed; now to Linux, "
                "DMA goes on\n")
        self.assertEqual(run.ktap.parse(said).left, 3)
        self.assertIsNone(run.ktap.parse("# Baton\n").left)

    def test_linux_folder(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"MEM": ""}):
            with self.assertRaises(run.Usage):
                run.spec_from_environment([], 1, Path(folder))
            (Path(folder) / "bzImage").write_bytes(b"k")
            spec = run.spec_from_environment([], 1, Path(folder))
            self.assertEqual(dict(spec.files), {"baton/bzImage": b"k"})
            self.assertEqual((spec.config["handoff_to"], spec.machine.memory), ("linux", "2G"))
            self.assertEqual(run.spec_from_environment([], 1).machine.memory, "1G")


class Counts(unittest.TestCase):
    report = ktap.parse("# stream 1: good=20000 refused=7\n")

    def test_agree(self) -> None:
        self.assertIsNone(run.counts_disagree(self.report, {"sent": 20000, "refused_frames": 7}))

    def test_sent_disagrees(self) -> None:
        self.assertIn("sent=20001",
                      run.counts_disagree(self.report, {"sent": 20001, "refused_frames": 7}) or "")

    def test_refused_disagrees(self) -> None:
        self.assertIn("refused",
                      run.counts_disagree(self.report, {"sent": 20000, "refused_frames": 8}) or "")

    def test_nothing_to_compare(self) -> None:
        self.assertIsNone(run.counts_disagree(ktap.parse(""), {"sent": 1}))


class Environment(unittest.TestCase):
    def spec(self, env: Dict[str, str], *words: str) -> run.Spec:
        with mock.patch.dict(os.environ, env, clear=True):
            return run.spec_from_environment(words, 120)

    def test_defaults(self) -> None:
        spec = self.spec({})
        self.assertEqual((spec.rate, spec.frames, spec.machine.nic, spec.machine.memory),
                         (4000, 20000, "e1000e", "1G"))
        self.assertEqual(run.baton_config(spec),
                         {"exit": "qemu", "faults": "yes", "countdown": "0", "rate": "4000",
                          "frames": "20000", "plan": "handover", "generations": "3"})

    def test_empty_variables_are_defaults(self) -> None:
        self.assertEqual(self.spec({"NIC": "", "FRAMES": "", "DURATION": ""}).frames, 20000)

    def test_duration_sets_frames(self) -> None:
        self.assertEqual(self.spec({"RATE": "1000", "DURATION": "60", "FRAMES": "5"}).frames, 60000)

    def test_words_win(self) -> None:
        keys = run.baton_config(self.spec({}, "faults=no", "hostile=0000:00:03.0"))
        self.assertEqual((keys["faults"], keys["hostile"]), ("no", "0000:00:03.0"))

    def test_no_sender_for_loopback(self) -> None:
        self.assertFalse(self.spec({}, "traffic=loopback").sender)

    def test_refused(self) -> None:
        for env, words in (({"RATE": "0"}, ()), ({"FRAMES": "many"}, ()), ({}, ("word",)),
                           ({}, ("Key=1",))):
            with self.assertRaises(run.Usage):
                self.spec(env, *words)


class FakeQemu(qemu.Qemu):
    """Answers as a version would, without one."""
    answers: Dict[str, str] = {}

    def ask(self, *args: str) -> str:
        return self.answers.get(" ".join(args), "")


def fake(version: str, iommu: str, *devices: str) -> FakeQemu:
    one = FakeQemu("/nowhere/qemu")
    one.answers = {"--version": f"QEMU emulator version {version} (Debian)",
                   "-device intel-iommu,help": "intel-iommu options:\n" + "".join(
                       f"  {p}=<bool>  - on/off\n" for p in iommu.split())}
    for device in devices:
        one.answers[f"-device {device},help"] = f"{device} options:\n  mac=<str>\n"
    return one


class Qemus(unittest.TestCase):
    old = fake("7.2.22", "aw-bits x-scalable-mode", "e1000e")
    new = fake("11.1.3", "aw-bits scalable-mode fsts", "e1000e", "igb", "iommu-testdev")

    def test_spelling_follows_the_version(self) -> None:
        wanted = {"aw-bits": "48", "scalable": "on"}
        self.assertEqual(self.old.iommu_option(wanted),
                         "intel-iommu,aw-bits=48,x-scalable-mode=on")
        self.assertEqual(self.new.iommu_option(wanted), "intel-iommu,aw-bits=48,scalable-mode=on")

    def test_first_that_can(self) -> None:
        both = [self.old, self.new]
        self.assertIs(qemu.choose(both, qemu.Machine()), self.old)
        self.assertIs(qemu.choose(both, qemu.Machine(nic="igb")), self.new)
        self.assertIs(qemu.choose(both, qemu.Machine(iommu={"first-stage": "on"})), self.new)

    def test_first_that_has_the_device(self) -> None:
        both = [self.old, self.new]
        machine = qemu.Machine(devices=("iommu-testdev,addr=0xa",))
        self.assertIs(qemu.choose(both, machine), self.new)
        with self.assertRaisesRegex(qemu.Unsupported, r"7.2.22 has no iommu-testdev \(needs 11.1"):
            qemu.choose([self.old], machine)
        self.assertIn("-device iommu-testdev,addr=0xa", self.command(machine))

    def test_first_that_is_new_enough(self) -> None:
        both = [self.old, self.new]
        for version, want in (((7,), self.old), ((7, 2, 23), self.new), ((8,), self.new),
                              ((11, 1), self.new)):
            self.assertIs(qemu.choose(both, qemu.Machine(version=version)), want)
        with self.assertRaisesRegex(qemu.Unsupported, "11.1.3 is older than 11.2"):
            qemu.choose(both, qemu.Machine(version=(11, 2)))

    def test_loader_of_its_own(self) -> None:
        own = qemu.Qemu("/t/qemu", ["/t/data"], ["/t/lib", "/t/more"], loader="/t/lib/ld.so")
        self.assertEqual(own.argv(), ["/t/lib/ld.so", "--library-path", "/t/lib:/t/more", "/t/qemu",
                                      "-L", "/t/data"])
        with mock.patch.dict(os.environ, {}, clear=True):
            self.assertNotIn("LD_LIBRARY_PATH", own.environment())
            own.loader = ""
            self.assertEqual(own.environment(), {"LD_LIBRARY_PATH": "/t/lib:/t/more"})
        self.assertEqual(own.argv()[0], "/t/qemu")

    def test_from_the_cache(self) -> None:
        """The newest comes last, so that what any of them can do runs on the oldest."""
        record = {"data": [], "libraries": [], "modules": []}
        found = {"qemu": {**record, "binary": "/ten"},
                 "qemu-11": {**record, "binary": "/eleven", "loader": "/ld.so"}}
        with mock.patch.object(qemu.debs, "get", side_effect=lambda name, network: found.get(name)), \
                mock.patch.object(qemu.shutil, "which", return_value="/usr/bin/x"), \
                mock.patch.dict(os.environ, {"QEMU": ""}):
            self.assertEqual([(m.binary, m.loader) for m in qemu.find_qemus()],
                             [("qemu-system-x86_64", ""), ("/ten", ""), ("/eleven", "/ld.so")])
            del found["qemu-11"]
            self.assertEqual(len(qemu.find_qemus()), 2)

    def test_one_that_cannot_be_had_is_no_reason_against_another(self) -> None:
        now: List[qemu.Qemu] = [self.old]

        def fetch() -> str:
            now.append(self.new)
            return "the other is not in the archive"
        with mock.patch.object(qemu, "find_qemus", side_effect=lambda: list(now)), \
                mock.patch.object(qemu, "fetch_wider", side_effect=fetch), \
                mock.patch.object(run, "print", create=True), \
                mock.patch.dict(os.environ, {"QEMU": ""}):
            self.assertIs(run.choose_qemu(qemu.Machine(nic="igb")), self.new)
            with self.assertRaisesRegex(qemu.Unsupported, "older than 12; the other is not in"):
                run.choose_qemu(qemu.Machine(version=(12,)))

    def test_none_can(self) -> None:
        with self.assertRaisesRegex(qemu.Unsupported, "7.2.22 has no igb"):
            qemu.choose([self.old], qemu.Machine(nic="igb"))
        with self.assertRaisesRegex(qemu.Unsupported, "does not run"):
            qemu.choose([FakeQemu("/nowhere")], qemu.Machine())

    def command(self, machine: qemu.Machine) -> str:
        with tempfile.TemporaryDirectory() as directory:
            here = Path(directory)
            files = qemu.Files(here / "d", here / "v", here / "s", here / "t", here / "e",
                               Path("/tmp/a,b"))
            firmware = qemu.Firmware(Path("/c"), Path("/v"))
            return " ".join(qemu.command(self.new, firmware, machine, files, witness.EVENTS))

    def test_command(self) -> None:
        line = self.command(qemu.Machine())
        self.assertIn("-accel tcg", line)
        self.assertIn("intel-iommu,aw-bits=48", line)
        self.assertIn("isa-debug-exit,iobase=0xf4,iosize=4", line)
        self.assertIn("local.path=/tmp/a,,b/q0,", line)
        self.assertIn("e1000e,netdev=wire0,romfile=,mac=52:54:00:12:34:56,addr=0x3", line)

    def test_command_without(self) -> None:
        line = self.command(qemu.Machine(nic=None, iommu=None, disk="ahci"))
        self.assertNotIn("intel-iommu", line)
        self.assertNotIn("netdev", line)
        self.assertIn("ide-hd", line)

    def test_split_irqchip_for_kvm(self) -> None:
        self.assertIn("kernel-irqchip=split", self.command(qemu.Machine(accel="kvm")))


class Images(unittest.TestCase):
    def test_config_text(self) -> None:
        self.assertEqual(image.config_text({"a": "1", "b": "x"}), "a=1\nb=x\n")

    def test_round_trip(self) -> None:
        try:
            mcopy = image.tool("mcopy")
            image.tool("mkfs.fat")
        except image.ImageError as reason:
            self.skipTest(str(reason))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "esp.img"
            image.make(path, {"EFI/BOOT/BOOTX64.EFI": b"program", "baton/baton.cfg": b"a=1\n"})
            for name, data in (("EFI/BOOT/BOOTX64.EFI", b"program"), ("baton/baton.cfg", b"a=1\n")):
                got = subprocess.run([mcopy, "-i", str(path), f"::{name}", "-"], check=True,
                                     stdout=subprocess.PIPE).stdout
                self.assertEqual(got, data)


class Processes(unittest.TestCase):
    def test_stop_ends_what_was_started(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            out, err = Path(directory) / "o", Path(directory) / "e"
            # Deaf to SIGTERM would take five seconds; an ordinary child ends at once.
            with run.running(["sleep", "60"], os.environ, out, err) as process:
                self.assertIsNone(process.poll())
            self.assertEqual(process.returncode, -signal.SIGTERM)

    def test_children_die_with_a_killed_runner(self) -> None:
        program = ("import sys, time, os; from pathlib import Path; import run\n"
                   "d = Path(sys.argv[1])\n"
                   "with run.running(['sleep', '60'], os.environ, d / 'o', d / 'e') as p:\n"
                   "    print(p.pid, flush=True); time.sleep(60)\n")
        with tempfile.TemporaryDirectory() as directory:
            runner = subprocess.Popen([sys.executable, "-c", program, directory],
                                      stdout=subprocess.PIPE, text=True,
                                      cwd=Path(__file__).parent)
            assert runner.stdout
            child = int(runner.stdout.readline())
            runner.kill()
            runner.communicate()
            for _ in range(100):
                if not is_alive(child):
                    return
                time.sleep(0.05)
            self.fail("the child outlived its killed runner")

    def test_socket_paths_are_short(self) -> None:
        with run.socket_directory() as directory:
            self.assertLess(len(str(directory / "q")), 107)
        self.assertFalse(directory.exists())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split(") ")[1][0] != "Z"
    except OSError:
        return False


def outcome(code: Optional[int], console: str, status: int = 0, trace: str = "") -> run.Outcome:
    report = ktap.parse(console)
    sentence = report.verdict.sentence if report.verdict else "no verdict in time"
    return run.Outcome(status, sentence, Path("/logs"), code=code, report=report, console=console,
                       trace=trace)


ONE = "Baton 0.1\nKTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP x\nVERDICT: PASS (10h) all well\n"


class Stanzas(unittest.TestCase):
    def test_names_are_unique_and_listed(self) -> None:
        names = [s.name for s in stanzas.STANZAS]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([s.name for s in stanzas.by_name(["handover.igb"])], ["handover.igb"])
        self.assertGreater(len(stanzas.by_name(["refused."])), 5)
        with self.assertRaises(KeyError):
            stanzas.by_name(["no.such"])

    def test_pass(self) -> None:
        stanza = stanzas.Stanza("x", generations=1, results={"a": "ok", "b": "skip"})
        self.assertEqual(matrix.problems(stanza, outcome(0x10, ONE)), [])

    def expect(self, stanza: stanzas.Stanza, seen: run.Outcome, part: str) -> None:
        found = matrix.problems(stanza, seen)
        self.assertTrue(any(part in p for p in found), found)

    def test_differences(self) -> None:
        new = stanzas.Stanza
        self.expect(new("x", code=0x13), outcome(0x10, ONE), "verdict 10h, expected 13h")
        self.expect(new("x"), outcome(None, "Baton 0.1\n", 4), "no verdict")
        self.expect(new("x", sentence="disk"), outcome(0x10, ONE), "does not say /disk/")
        self.expect(new("x", console="disk"), outcome(0x10, ONE), "console does not say")
        self.expect(new("x", generations=2), outcome(0x10, ONE), "1 generations reported")
        self.expect(new("x", results={"a": "not ok"}), outcome(0x10, ONE), "a is ok")
        self.expect(new("x", results={"c": "ok"}), outcome(0x10, ONE), "c is missing")
        self.expect(new("x"), outcome(0x10, ONE, status=1), "status 1, expected 0")
        self.expect(new("x", trace=witness.Expect()), outcome(0x10, ONE), "trace is empty")

    def test_failed_check_needs_leave(self) -> None:
        text = ONE.replace("ok 1 a", "not ok 1 a")
        self.expect(stanzas.Stanza("x"), outcome(0x10, text), "not ok a")
        self.assertEqual(matrix.problems(stanzas.Stanza("x", may_fail=frozenset({"a"})),
                                         outcome(0x10, text)), [])

    def test_no_verdict_wanted(self) -> None:
        stanza = stanzas.Stanza("x", code=None)
        seen = outcome(None, "BdsDxe: failed to load\n", run.TIMEOUT)
        self.expect(stanza, seen, "no verdict in time")
        seen.sentence = "stopped where nothing more could come"
        self.assertEqual(matrix.problems(stanza, seen), [])
        seen.console = "Baton 0.1\n"
        self.expect(stanza, seen, "started all the same")

    def test_skipped_igb_fails_in_ci(self) -> None:
        igb, e1000e, *newest = stanzas.by_name(["handover.igb", "handover.e1000e",
                                                "handover.e1000e_qemu_11", "hostile.iommu_testdev"])
        with mock.patch.dict(os.environ, {"CI": "true"}):
            self.assertTrue(matrix.skip_is_failure(igb))
            self.assertFalse(matrix.skip_is_failure(e1000e))
            self.assertFalse(any(matrix.skip_is_failure(s) for s in newest))
        with mock.patch.dict(os.environ, {"CI": ""}):
            self.assertFalse(matrix.skip_is_failure(igb))


if __name__ == "__main__":
    unittest.main()
