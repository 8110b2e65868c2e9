"""The archives: read back byte by byte, as Linux would."""
import unittest
from typing import Dict, List, Tuple
from unittest import mock

import initramfs
from initramfs import Entry

Member = Tuple[str, int, Tuple[int, int], bytes]


def read(data: bytes) -> List[Member]:
    """Members up to the trailer; raises on anything a strict reader would refuse."""
    found, at, numbers = [], 0, set()
    while True:
        header = data[at:at + 110]
        assert header[:6] == b"070701" and at % 4 == 0, header
        fields = [int(header[6 + 8 * n:14 + 8 * n], 16) for n in range(13)]
        number, mode, size, major, minor, name_size = (fields[0], fields[1], fields[6], fields[9], fields[10],
                                                       fields[11])
        name = data[at + 110:at + 110 + name_size]
        assert name[-1:] == b"\0" and fields[12] == 0
        start = (at + 110 + name_size + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            assert start + size == len(data)
            return found
        assert number not in numbers	# equal ones would be hard links
        numbers.add(number)
        found.append((name[:-1].decode(), mode, (major, minor), data[start:start + size]))
        assert len(found[-1][3]) == size
        at = (start + size + 3) // 4 * 4


class Archives(unittest.TestCase):
    def test_every_length_of_name_and_contents(self) -> None:
        entries = [Entry("n" * (n + 1), initramfs.REGULAR | 0o644, bytes(range(m)))
                   for n in range(5) for m in (range(5) if n == 0 else (3,))]
        entries = [Entry(f"{e.name}{i}", e.mode, e.data) for i, e in enumerate(entries)]
        self.assertEqual([(m[0], m[3]) for m in read(initramfs.archive(entries))],
                         [(e.name, e.data) for e in entries])

    def test_devices(self) -> None:
        member = read(initramfs.archive([Entry("dev/console", initramfs.CHARACTER | 0o600, device=(5, 1))]))[0]
        self.assertEqual(member, ("dev/console", 0o020600, (5, 1), b""))

    def test_directories_before_files(self) -> None:
        names = [m[0] for m in read(initramfs.of_files({"a/b/c": b"1", "a/b/d": b"", "e": b"2"}))]
        self.assertEqual(names, ["a", "a/b", "a/b/c", "a/b/d", "e"])

    def test_for_firmware(self) -> None:
        files: Dict[str, bytes] = {m[0]: m[3] for m in read(initramfs.for_firmware(b"kernel", b"initrd", "words"))}
        self.assertEqual(files, {"baton": b"", "baton/bzImage": b"kernel", "baton/initrd": b"initrd",
                                 "baton/cmdline": b"words"})

    def test_guest(self) -> None:
        with mock.patch.object(initramfs, "busybox", return_value=b"box"):
            members = {m[0]: m for m in read(initramfs.guest(b"agent", {"next": b"image"}))}
        self.assertEqual((members["agent"][3], members["next"][3], members["bin/busybox"][3]),
                         (b"agent", b"image", b"box"))
        for program in ("init", "agent", "bin/busybox"):
            self.assertEqual(members[program][1], 0o100755)

    def test_busybox_must_be_static(self) -> None:
        with mock.patch.object(initramfs.Path, "is_file", return_value=True), \
                mock.patch.object(initramfs.Path, "read_bytes", return_value=b"\x7fELF /lib64/ld-linux-x86-64.so.2"):
            with self.assertRaises(initramfs.Missing):
                initramfs.busybox()


if __name__ == "__main__":
    unittest.main()
