"""Names and numbers of two trees that must be alike."""
import tempfile
import unittest
from pathlib import Path

import abi

HEADER = '''
/* kho-v9 in a comment is nothing */
#define KHO_FDT_COMPATIBLE "kho-v4"
#define	MAX_NAME	64	/* bytes */
enum { BASE = 0x40, FIRST = BASE, SECOND = 0x41 };
struct entry {
	char name[MAX_NAME];	/* a; comment; */
	unsigned int a, b;
	char handler[48];
} __packed;
#define CALL_ONE \\
	_IO(TYPE, FIRST)
#define CALL_TWO	_IO(TYPE, 0x41)
'''


class Readers(unittest.TestCase):
    def test_values(self) -> None:
        for reader, want in ((abi.string("KHO_FDT_COMPATIBLE"), "kho-v4"), (abi.number("MAX_NAME"), "64"),
                             (abi.number("SECOND"), "65"), (abi.array("entry", "name"), "64"),
                             (abi.array("entry", "handler"), "48"), (abi.members("entry"), "4"),
                             (abi.call("CALL_ONE"), "64"), (abi.call("CALL_TWO"), "65")):
            self.assertEqual(reader(HEADER), want)

    def test_what_is_not_there(self) -> None:
        for reader in (abi.string("X"), abi.number("X"), abi.array("entry", "x"), abi.array("x", "name"),
                       abi.members("x"), abi.call("X")):
            self.assertIsNone(reader(HEADER))


class Trees(unittest.TestCase):
    def test_ours_are_all_found(self) -> None:
        for pair in abi.PAIRS:
            with self.subTest(pair.what):
                self.assertIsNotNone(abi.read(abi.TOP / pair.ours[0], pair.ours[1]))

    def test_a_difference_names_both(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            header = Path(directory) / abi.ABI / "kexec_handover.h"
            header.parent.mkdir(parents=True)
            header.write_text(HEADER.replace('"kho-v4"', '"kho-v5"'), encoding="utf-8")
            said = abi.differences(Path(directory))
        self.assertIn(f"root FDT: the kernel says kho-v5 ({abi.ABI}/kexec_handover.h), Baton kho-v4 (kho/abi.h)", said)
        self.assertEqual(len(said), len(abi.PAIRS))	# nothing else was found there


if __name__ == "__main__":
    unittest.main()
