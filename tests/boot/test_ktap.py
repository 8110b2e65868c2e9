"""Reading the console: a good log, then everything that can be missing or torn."""
import unittest

import ktap

GOOD = (
    "\x1b[2J\x1b[01;01H\x1b[=3h\x1b[0m\x1b[37m\x1b[40mBdsDxe: loading Boot0001\r\n"
    "\x1b[01;01HBaton 0.1, generation 0\r\n"
    "# stream 1: good=6667 lost=0 refused=12\r\n"
    "KTAP version 1\r\n"
    "1..2\r\n"
    "ok 1 save.image_intact\r\n"
    "# hostile: this line explains the next\r\n"
    "ok 2 stream.no_loss # SKIP device was idle\r\n"
    "Baton 0.1, generation 1\r\n"
    "KTAP version 1\r\n"
    "1..2\r\n"
    "# handoff.translation_on: GSTS is 0x0\r\n"
    "# remedy: look for firmware code\r\n"
    "not ok 1 handoff.translation_on\r\n"
    "ok 2 stream.no_loss\r\n"
    "# stream 1: good=20000 lost=0 refused=31\r\n"
    "VERDICT: FAIL (11h) 1 of 2 checks failed\r\n"
)


def with_document(text: str) -> ktap.Document:
    return ktap.parse("KTAP version 1\n" + text).documents[0]


class Good(unittest.TestCase):
    def setUp(self) -> None:
        self.report = ktap.parse(GOOD)

    def test_banner_without_escapes(self) -> None:
        self.assertEqual(self.report.banner, "Baton 0.1, generation 0")

    def test_documents(self) -> None:
        self.assertEqual([d.plan for d in self.report.documents], [2, 2])
        self.assertEqual([len(d.results) for d in self.report.documents], [2, 2])

    def test_skip_has_its_reason(self) -> None:
        self.assertEqual(self.report.documents[0].results[1].skip, "device was idle")
        self.assertFalse(self.report.documents[0].results[1].failed())

    def test_notes_belong_to_the_next_result(self) -> None:
        failed = self.report.documents[1].results[0]
        self.assertEqual(failed.notes, ["handoff.translation_on: GSTS is 0x0",
                                        "remedy: look for firmware code"])
        self.assertEqual(self.report.documents[1].results[1].notes, [])

    def test_failures_name_the_generation(self) -> None:
        self.assertEqual(self.report.failures(), ["generation 1: handoff.translation_on"])
        self.assertEqual(self.report.problems(), [])

    def test_verdict(self) -> None:
        self.assertEqual(self.report.verdict, ("FAIL", 0x11, "1 of 2 checks failed"))

    def test_one_check_over_all_generations(self) -> None:
        self.assertEqual([r.number for r in self.report.results("stream.no_loss")], [2, 2])

    def test_rows(self) -> None:
        self.assertEqual([r["good"] for r in self.report.rows("stream 1")], ["6667", "20000"])


class Broken(unittest.TestCase):
    def test_missing_result_is_a_failure(self) -> None:
        report = ktap.parse("KTAP version 1\n1..3\nok 1 a\nok 3 c\n")
        self.assertEqual(report.failures(), ["generation 0: missing results: 2"])

    def test_torn_last_line_is_a_missing_result(self) -> None:
        self.assertEqual(with_document("1..2\nok 1 a\nok").problems(), ["missing results: 2"])

    def test_only_the_last_document_may_break_off(self) -> None:
        text = "KTAP version 1\n1..3\nok 1 a\nok 2 b\n"
        self.assertEqual(ktap.parse(text).problems(breaks_off=True), [])
        self.assertEqual(ktap.parse(text + text).problems(breaks_off=True),
                         ["generation 0: missing results: 3"])
        self.assertEqual(ktap.parse(text.replace("ok 1 a\n", "")).problems(breaks_off=True),
                         ["generation 0: missing results: 1"])

    def test_no_plan(self) -> None:
        self.assertEqual(with_document("ok 1 a\n").problems(), ["no plan"])

    def test_beyond_the_plan(self) -> None:
        self.assertEqual(with_document("1..1\nok 1 a\nok 2 b\n").problems(),
                         ["results beyond the plan: 2"])

    def test_given_twice(self) -> None:
        self.assertEqual(with_document("1..1\nok 1 a\nok 1 a\n").problems(),
                         ["results given twice: 1"])

    def test_second_plan_does_not_shrink_the_first(self) -> None:
        self.assertEqual(with_document("1..2\nok 1 a\n1..1\n").problems(), ["missing results: 2"])

    def test_result_before_any_document_is_ignored(self) -> None:
        self.assertEqual(ktap.parse("ok 1 a\n1..1\n").documents, [])

    def test_word_and_code_must_agree(self) -> None:
        for line in ("PASS (11h)", "FAIL (12h)", "REFUSED (16h)", "FAIL (10h)"):
            self.assertEqual(len(ktap.parse(f"VERDICT: {line} x\n").problems()), 1, line)
        for line in ("PASS (10h)", "FAIL (18h)", "REFUSED (17h)"):
            self.assertEqual(ktap.parse(f"VERDICT: {line} x\n").problems(), [], line)

    def test_two_verdicts(self) -> None:
        text = "VERDICT: PASS (10h) a\nVERDICT: FAIL (11h) b\n"
        self.assertEqual(ktap.parse(text).problems(), ["2 verdict lines"])
        self.assertEqual(ktap.parse(text).verdict.code, 0x11)	# type: ignore[union-attr]

    def test_verdict_inside_a_line_does_not_count(self) -> None:
        self.assertIsNone(ktap.parse("# VERDICT: PASS (10h) x\nsee VERDICT: PASS (10h)\n").verdict)

    def test_not_a_verdict(self) -> None:
        for line in ("VERDICT: PASS 10h x", "VERDICT: OK (10h) x", "VERDICT: PASS (h) x"):
            self.assertIsNone(ktap.parse(line + "\n").verdict, line)

    def test_empty(self) -> None:
        report = ktap.parse("")
        self.assertEqual((report.banner, report.documents, report.verdict), ("", [], None))

    def test_control_characters_are_dropped(self) -> None:
        self.assertEqual(ktap.clean("a\x00b\x07\r\n\x1b[1mc\x1b[0m"), ["ab", "c"])


if __name__ == "__main__":
    unittest.main()
