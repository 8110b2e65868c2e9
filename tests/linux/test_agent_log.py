"""Reading the agent's lines, damaged and interleaved ones included."""
import unittest

import agent_log
from agent_log import crc32c


def line(text: str) -> str:
    return f"agent: {crc32c(text.encode()):08x} {text}\r\n"


def twice(*texts: str) -> str:
    return "".join(line(text) * 2 for text in texts)


class Crc(unittest.TestCase):
    def test_known_values(self) -> None:
        """RFC 3720, appendix B.4."""
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(crc32c(bytes(range(32))), 0x46DD794E)
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)


class Lines(unittest.TestCase):
    def test_each_line_once(self) -> None:
        log = agent_log.parse(twice("a=1 b=2", "verdict=PASS"))
        self.assertEqual(log.lines, [{"a": "1", "b": "2"}, {"verdict": "PASS"}])
        self.assertEqual((log.verdict(), log.damaged), ("PASS", 0))

    def test_one_copy_is_damaged(self) -> None:
        for damaged in ("agent: 00000000 a=1\n", line("a=1")[1:], line("a=1").replace("a=1", "a=")):
            for text in (damaged + line("a=1"), line("a=1") + damaged):
                with self.subTest(text):
                    self.assertEqual(agent_log.parse(text).lines, [{"a": "1"}])

    def test_both_copies_are_damaged(self) -> None:
        log = agent_log.parse(line("a=1").replace("a=1", "a=2") * 2)
        self.assertEqual((log.lines, log.damaged), ([], 2))

    def test_the_kernel_speaks_in_between(self) -> None:
        text = "[    1.5] usb " + line("a=1") + "[    1.6] more\n" + line("a=1") + line("b=2")
        self.assertEqual(agent_log.parse(text).lines, [{"a": "1"}, {"b": "2"}])

    def test_said_twice_is_two_lines(self) -> None:
        self.assertEqual(len(agent_log.parse(twice("a=1", "a=1")).lines), 2)

    def test_only_the_first_word_names_a_line(self) -> None:
        log = agent_log.parse(twice("ring=1 rdh=2", "stream=1 ring=7", "metadata release=x count=010"))
        self.assertEqual(log.value("ring"), "1")
        self.assertEqual(log.value("count", "metadata"), "010")
        self.assertEqual(log.number("rdh", "ring"), 2)
        self.assertIsNone(log.value("rdh"))

    def test_problems(self) -> None:
        log = agent_log.parse(twice("problem=one", "problem=two", "verdict=FAIL reason=one"))
        self.assertEqual((log.problems(), log.verdict()), (["one", "two"], "FAIL"))


class Modes(unittest.TestCase):
    def test_by_mode(self) -> None:
        modes = agent_log.by_mode(twice("mode=send cpus=1", "ready=yes", "mode=receive cpus=1", "verdict=PASS"))
        self.assertEqual(modes["send"].value("ready"), "yes")
        self.assertIsNone(modes["send"].verdict())
        self.assertEqual(modes["receive"].verdict(), "PASS")

    def test_nobody_spoke(self) -> None:
        self.assertEqual(agent_log.by_mode("Kernel panic"), {})


class Differences(unittest.TestCase):
    sent = agent_log.parse(twice("memfd=a/1 size=5 crc32c=1", "memfd=a/2 size=6 crc32c=2"))

    def differ(self, *received: str) -> int:
        return len(agent_log.differences(self.sent, agent_log.parse(twice(*received)), "memfd", ("size", "crc32c")))

    def test_same(self) -> None:
        self.assertEqual(self.differ("memfd=a/2 size=6 crc32c=2", "memfd=a/1 size=5 crc32c=1"), 0)

    def test_missing_added_changed(self) -> None:
        self.assertEqual(self.differ("memfd=a/1 size=5 crc32c=1"), 1)
        self.assertEqual(self.differ("memfd=a/1 size=5 crc32c=1", "memfd=a/2 size=6 crc32c=2", "memfd=b/1 size=1"), 1)
        self.assertEqual(self.differ("memfd=a/1 size=5 crc32c=9", "memfd=a/2 size=7 crc32c=2"), 2)
        self.assertEqual(self.differ("memfd=a/1 size=5", "memfd=a/2 size=6 crc32c=2"), 1)


if __name__ == "__main__":
    unittest.main()
