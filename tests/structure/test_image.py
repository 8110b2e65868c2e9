"""build/baton.efi as a file: PE32+ application and boot-protocol image at once."""
import struct
import subprocess
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
IMAGE = TOP / "build/baton.efi"
ELF = TOP / "build/baton.elf"
SETUP_BYTES = 0x1000
MAX_BYTES = 256 * 1024
HEADER_USED = 0x26c  # the end of setup header 2.15


def u(data, off, size):
    return int.from_bytes(data[off:off + size], "little")


def elf_symbols():
    out = subprocess.run(["llvm-nm", str(ELF)], capture_output=True, text=True, check=True).stdout
    return {line.split()[2]: int(line.split()[0], 16)
            for line in out.splitlines() if len(line.split()) == 3}


def relr_places(words):
    """System V gABI: an even word is an address, an odd one a bitmap of the 63 words behind."""
    places = []
    after = 0
    for word in words:
        if word & 1:
            places += [after + 8 * i for i in range(63) if word >> (i + 1) & 1]
            after += 8 * 63
        else:
            places.append(word)
            after = word + 8
    return places


@unittest.skipUnless(IMAGE.is_file(), "build/baton.efi is not built")
class Image(unittest.TestCase):
    def setUp(self):
        self.data = IMAGE.read_bytes()
        self.pe = u(self.data, 0x3c, 4)

    def sections(self):
        count = u(self.data, self.pe + 6, 2)
        table = self.pe + 24 + u(self.data, self.pe + 20, 2)
        for i in range(count):
            off = table + 40 * i
            name = self.data[off:off + 8].rstrip(b"\0").decode()
            yield (name, *struct.unpack_from("<IIII", self.data, off + 8), u(self.data, off + 36, 4))

    def test_size(self):
        self.assertLessEqual(len(self.data), MAX_BYTES)

    def test_pe_header(self):
        self.assertEqual(self.data[:2], b"MZ")
        self.assertEqual(self.data[self.pe:self.pe + 4], b"PE\0\0")
        self.assertEqual(u(self.data, self.pe + 4, 2), 0x8664)
        characteristics = u(self.data, self.pe + 22, 2)
        self.assertFalse(characteristics & 1, "RELOCS_STRIPPED")
        opt = self.pe + 24
        self.assertEqual(u(self.data, opt, 2), 0x20b)
        self.assertEqual(u(self.data, opt + 68, 2), 10, "EFI application")
        self.assertTrue(u(self.data, opt + 70, 2) & 0x100, "NX_COMPAT")
        directories = u(self.data, opt + 108, 4)
        self.assertEqual(directories, 6)
        self.assertEqual(u(self.data, self.pe + 20, 2), 112 + 8 * directories)
        self.assertEqual(self.data[opt + 112 + 8 * 4:opt + 112 + 8 * 5], bytes(8), "certificates")
        self.assertEqual(u(self.data, self.pe + 8, 4), 0, "a time stamp is not reproducible")

    def test_sections_are_w_xor_x_and_flat(self):
        seen = []
        for name, vsize, rva, raw, offset, flags in self.sections():
            seen.append(name)
            self.assertFalse(flags & 0x20000000 and flags & 0x80000000, f"{name} is W and X")
            self.assertEqual(rva, offset, f"{name}: RVA is not the file offset")
            self.assertEqual(rva % 0x1000, 0)
            self.assertLessEqual(offset + raw, len(self.data))
            self.assertLessEqual(raw, vsize)
        self.assertEqual(seen, [".text", ".rodata", ".data"])

    def test_setup_header(self):
        """What kexec_file_load checks (Linux arch/x86/kernel/kexec-bzimage64.c)."""
        d = self.data
        self.assertEqual((u(d, 0x1f1, 1) + 1) * 512, SETUP_BYTES)
        self.assertEqual(u(d, 0x1fe, 2), 0xaa55)
        self.assertEqual(d[0x202:0x206], b"HdrS")
        self.assertGreaterEqual(u(d, 0x206, 2), 0x20c)
        self.assertEqual(0x202 + u(d, 0x201, 1), 0x26c)
        self.assertEqual(u(d, 0x236, 2) & 0x23, 0x23, "KERNEL_64, ABOVE_4G, 5LEVEL")
        self.assertEqual(u(d, 0x250, 8), 0, "setup_data becomes the tail of a list")
        memory = elf_symbols()["image_end"] - SETUP_BYTES
        self.assertGreaterEqual(u(d, 0x260, 4), memory + 64 * 1024, "init_size, signed file")

    def test_header_stands_twice(self):
        """The copy in .rodata, from which a generation builds the next one's file."""
        at = elf_symbols()["header_template"]
        self.assertEqual(self.data[at:at + HEADER_USED], self.data[:HEADER_USED])
        self.assertEqual(self.data[HEADER_USED:SETUP_BYTES], bytes(SETUP_BYTES - HEADER_USED))

    def test_only_relative_relocations(self):
        sections = subprocess.run(["llvm-readelf", "-SW", str(ELF)], capture_output=True, text=True,
                                  check=True).stdout
        self.assertNotIn(".rela", sections)
        symbols = elf_symbols()
        table = self.data[symbols["relr_start"]:symbols["relr_end"]]
        self.assertEqual(len(table) % 8, 0)
        places = relr_places([word for word, in struct.iter_unpack("<Q", table)])
        self.assertGreater(len(places), 0)
        self.assertEqual(places, sorted(set(places)), "the entry code would add the load bias twice")
        for where in places:
            self.assertGreaterEqual(where, symbols["relro_start"], "a relocation in .rodata or .text")
            self.assertLessEqual(where + 8, len(self.data), "a relocation behind the file")
            self.assertLessEqual(u(self.data, where, 8), symbols["image_end"])


if __name__ == "__main__":
    unittest.main()
