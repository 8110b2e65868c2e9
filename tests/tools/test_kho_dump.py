"""kho-dump on a handoff of a real Linux, on one that the library's writers made, and on broken ones.

The programs are built by make: build/tools/kho-dump, the same with sanitizers, and the writer."""
from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DUMP = TOP / "build/tools/kho-dump"
SANITIZED = TOP / "build/host/kho-dump"
MAKE_HANDOFF = TOP / "build/host/make_handoff"
LINUX = TOP / "tests/fixtures/linux-7.3-kho"

# What expected.json says of the run that made it, not of the image.
NOT_OF_THE_IMAGE = {"entry", "cross_checks", "sha256_note"}


def run(*args: object, program: Path = SANITIZED) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(program), *map(str, args)], capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    if "Sanitizer" in done.stderr or "runtime error" in done.stderr or done.returncode not in range(4):
        raise AssertionError(f"{args}: status {done.returncode}\n{done.stderr[-3000:]}")
    return done


def ids(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The ids of --check; the last line is the count."""
    return [line.split(": ")[0] for line in done.stdout.splitlines()[:-1]]


class Linux(unittest.TestCase):
    """The handoff of Linux 7.3 against what an independent walk found."""

    def compare(self, got: object, want: object, path: str) -> None:
        if isinstance(want, dict):
            for key, value in want.items():
                if key not in NOT_OF_THE_IMAGE:
                    self.assertIn(key, got, path)
                    self.compare(got[key], value, f"{path}.{key}")
        elif isinstance(want, list):
            self.assertEqual(len(got), len(want), path)
            for i, value in enumerate(want):
                self.compare(got[i], value, f"{path}[{i}]")
        else:
            self.assertEqual(got, want, path)

    def test_json_key_by_key(self) -> None:
        done = run("--manifest", LINUX / "manifest.json", "--json", "--sums")
        got = json.loads(done.stdout)
        self.compare(got, json.loads((LINUX / "expected.json").read_text()), "")
        self.assertEqual(got["findings"], [])
        self.assertEqual(done.returncode, 0)

    def test_tree(self) -> None:
        done = run("--manifest", LINUX / "manifest.json")
        self.assertEqual(done.returncode, 0)
        for text in ('session "second.session with space": 3 files', "file 0xdeadbeefcafef00d",
                     'release "7.3.4-khoref", 1 hand overs', "0x7fe64000-0x7fe64fff  1 of order 0",
                     "91 blocks", "liveupdate-test-flb-v2", "0x62000000-0x74bfffff  300 MiB"):
            self.assertIn(text, done.stdout)

    def test_by_address(self) -> None:
        """Without boot_params nothing is known of RAM; the rest is the same."""
        manifest = json.loads((LINUX / "manifest.json").read_text())
        del manifest["boot_params"]
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(LINUX / "mem.bin", d)
            path = Path(d) / "manifest.json"
            path.write_text(json.dumps(manifest))
            done = run("--manifest", path, "--fdt", "0x5af000", "--scratch", "0x7aff0000+0x30")
            self.assertEqual(done.returncode, 0)
            self.assertIn("what is RAM was not checked", done.stdout)
            self.assertIn("91 blocks", done.stdout)
            self.assertEqual(run("--manifest", path).returncode, 2)

    def test_a_segment_missing(self) -> None:
        """What is not in the image is said to be so; contents may be missing."""
        manifest = json.loads((LINUX / "manifest.json").read_text())
        segments = manifest["segments"]
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(LINUX / "mem.bin", d)
            path = Path(d) / "manifest.json"
            for i, segment in enumerate(segments):
                manifest["segments"] = segments[:i] + segments[i + 1:]
                path.write_text(json.dumps(manifest))
                done = run("--manifest", path, "--check")
                contents = {"memfd-content", "reserve-content"}.issuperset(segment["what"])
                with self.subTest(segment["what"], phys=segment["phys"]):
                    self.assertEqual(done.returncode, 0 if contents else 1)
                    if not contents:
                        self.assertIn("not in the image", done.stdout)
                        self.assertEqual(ids(done)[0], "I0")

    def test_region_not_preserved(self) -> None:
        """A region of reserve_mem that nobody preserved."""
        start = struct.pack("<Q", 0x7ba6d000)
        data = (LINUX / "mem.bin").read_bytes()
        self.assertEqual(data.count(start), 1)
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(LINUX / "manifest.json", d)
            (Path(d) / "mem.bin").write_bytes(data.replace(start, struct.pack("<Q", 0x1000)))
            done = run("--manifest", Path(d) / "manifest.json", "--check")
            self.assertEqual((done.returncode, ids(done)), (1, ["K6"]), done.stdout)


class Manifests(unittest.TestCase):
    def test_refused(self) -> None:
        good = ('{"format": "sparse-physmem-1", "boot_params": "0x1000", "segments": '
                '[{"phys": "0x1000", "length": 4096, "file": "mem", "offset": 0}]}')
        segment = good[good.index("[") + 1:good.index("]")]
        cases = {
            "empty": ("{}", 2), "no_json": ("hello", 2), "cut": (good[:-3], 2),
            "trailing": (good + "x", 2), "another_format": (good.replace("-1", "-2"), 2),
            "no_format": (good.replace("format", "fromat"), 2),
            "no_segments": (good.replace("segments", "segment"), 2),
            "empty_list": (good.replace(segment, ""), 2),
            "twice": (good.replace(segment, segment + "," + segment), 2),
            "no_page": (good.replace("4096", "4095"), 2),
            "no_bytes": (good.replace("4096", "0"), 2),
            "beyond_file": (good.replace("4096", "8192"), 2),
            "offset_wraps": (good.replace('"offset": 0', '"offset": 18446744073709547520'), 2),
            "beyond_52_bits": (good.replace('"phys": "0x1000"', '"phys": "0xffffffffff000"')
                               .replace("4096", "8192"), 2),
            "no_address": (good.replace('"0x1000"', '"1000"'), 2),
            "negative": (good.replace("4096", "-4096"), 2),
            "fraction": (good.replace("4096", "4096.5"), 2),
            "other_folder": (good.replace('"mem"', '"../mem"'), 2),
            "no_file": (good.replace('"mem"', '"none"'), 3),
            "deep": (good.replace("{", '{"x": ' + "[" * 5000 + "]" * 5000 + ",", 1), 2),
            "no_announcement": (good, 1),
        }
        with tempfile.TemporaryDirectory() as d:
            (Path(d) / "mem").write_bytes(bytes(4096))
            path = Path(d) / "manifest.json"
            for name, (text, status) in cases.items():
                path.write_text(text)
                with self.subTest(name):
                    done = run("--manifest", path)
                    self.assertEqual(done.returncode, status, done.stderr)
                    self.assertTrue(done.stderr.startswith("kho-dump: ") or status == 1)

    def test_adjacent_segments_in_any_order(self) -> None:
        """Pages that are adjacent in memory and not in the file are joined."""
        manifest = json.loads((LINUX / "manifest.json").read_text())
        pages = [{**s, "phys": hex(int(s["phys"], 16) + at), "length": 4096, "offset": s["offset"] + at}
                 for s in manifest["segments"] for at in range(0, s["length"], 4096)]
        data = (LINUX / "mem.bin").read_bytes()
        random.Random(1).shuffle(pages)
        with tempfile.TemporaryDirectory() as d:
            with open(Path(d) / "mem.bin", "wb") as f:
                for i, page in enumerate(pages):
                    f.write(data[page["offset"]:page["offset"] + 4096])
                    page["offset"] = i * 4096
            manifest["segments"] = pages
            path = Path(d) / "manifest.json"
            path.write_text(json.dumps(manifest))
            self.assertEqual(run("--manifest", path, "--json", "--sums").stdout,
                             run("--manifest", LINUX / "manifest.json", "--json", "--sums").stdout)


class Written(unittest.TestCase):
    """A handoff made by the library's writers, raw, and broken in every part."""

    folder: tempfile.TemporaryDirectory[str]
    image: Path
    at: dict[str, int]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.image, cls.at = cls.make(60, 3)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    @classmethod
    def make(cls, blocks: int, files: int) -> tuple[Path, dict[str, int]]:
        image = Path(cls.folder.name) / f"{blocks}.raw"
        text = subprocess.run([MAKE_HANDOFF, image, str(blocks), str(files)], check=True,
                              capture_output=True, text=True).stdout
        return image, {name: int(value, 16) for name, value in map(str.split, text.splitlines())}

    def patched(self, patches: list[tuple[int, bytes]], *args: object) -> subprocess.CompletedProcess[str]:
        """Run on the image with these bytes in it, and put back what was there."""
        fd = os.open(self.image, os.O_RDWR)
        before = []
        try:
            for pa, new in patches:
                before.append((pa, os.pread(fd, len(new), pa)))
                os.pwrite(fd, new, pa)
            return run(self.image, "--boot-params", hex(self.at["boot_params"]), *args)
        finally:
            for pa, old in reversed(before):
                os.pwrite(fd, old, pa)
            os.close(fd)

    def test_whole(self) -> None:
        done = self.patched([], "--check")
        self.assertEqual((done.returncode, done.stdout), (0, "0 findings\n"))
        got = json.loads(self.patched([], "--json").stdout)
        self.assertEqual(got["kexec_metadata"]["kexec_count"], 7)
        self.assertEqual([s["count"] for s in got["luo"]["sessions"]], [3, 0])
        self.assertEqual([d["did"] for d in got["iommu"]["devices"]], [2, 3, 2])
        self.assertEqual([d["unit"] for d in got["iommu"]["devices"]], [0, 0, 1])
        self.assertIn("device 0000:00:03.0: DID 2, domain 0, unit 0", self.patched([]).stdout)

    def broken(self) -> dict[str, tuple[list[tuple[int, bytes]], list[str]]]:
        at, u64, u32 = self.at, struct.Struct("<Q").pack, struct.Struct("<I").pack
        unit, domain, device, second = at["unit0"], at["domain0"], at["device0"], at["device1"]
        return {
            "no_announcement": ([(at["setup_data"] + 8, u32(9))], ["K1"]),
            "short_payload": ([(at["setup_data"] + 12, u32(31))], ["K1"]),
            "setup_data_loops": ([(at["setup_data"], u64(at["setup_data"]))], ["K1"]),
            "setup_data_outside": ([(at["setup_data"], u64(1 << 40))], ["I0"]),
            "scratch_array_below": ([(at["setup_data"] + 32, u64(4096))], ["K2"]),
            "scratch_unaligned": ([(at["scratch"], u64(0x1000001))], ["K2"]),
            "fdt_magic": ([(at["fdt"], b"\0")], ["K3"]),
            "fdt_outside": ([(at["setup_data"] + 16, u64(1 << 40))], ["K3"]),
            "radix_slot": ([(at["radix"] + 8 * 3, u64(at["fdt"]))], ["K4"]),
            "metadata_version": ([(at["metadata"], u32(9))], ["K6"]),
            "luo_version": ([(at["luo"], b"luo-v4")], ["L1"]),
            "sessions_outside": ([(at["luo"] + 16, u64(1 << 51))], ["V1"]),
            "sessions_not_preserved": ([(at["luo"] + 16, u64(at["scratch"]))], ["V1"]),
            "sessions_loop": ([(at["sessions"], u64(at["sessions"]))], ["V1"]),
            "sessions_count": ([(at["sessions"] + 8, u64(52))], ["V2"]),
            "session_name": ([(at["sessions"] + 16, b"x" * 64)], ["L1"]),
            "memfd_flags": ([(at["memfd0"] + 20, u32(1))], ["F1"]),
            "memfd_seals": ([(at["memfd0"] + 16, u32(1 << 30))], ["F1"]),
            "top_version": ([(at["top"], u64(2))], ["restore.records"]),
            "units_missing": ([(at["top"] + 8, u64(0))], ["V1"]),
            "units_not_preserved": ([(at["top"] + 8, u64(at["scratch"]))], ["V1"]),
            "units_in_circle": ([(unit - 16, u64(unit - 16))], ["V1"]),
            "units_count": ([(unit - 8, u64(37))], ["V2"]),
            "root_table": ([(unit + 40, u64(at["scratch"]))], ["M1"]),
            "restored_unit": ([(unit + 24, b"\1")], ["V3"]),
            "restored_domain": ([(domain + 32, u64(1))], ["V3"]),
            "restored_device": ([(device + 50, b"\1")], ["V3"]),
            "incoming": ([(device + 4, u32(2))], ["V3"]),
            "flags": ([(device + 4, u32(4))], ["V4"]),
            "padding": ([(domain + 31, b"\1")], ["V4"]),
            "middle_of_record": ([(device + 32, u64(domain + 8))], ["V5"]),
            "deleted_domain": ([(domain + 4, u32(1))], ["V5"]),
            "same_device": ([(second + 8, u32(0x18))], ["V6", "V6"]),
            "unit_token": ([(unit + 8, u64(1))], ["V7"]),
            "unit_type": ([(unit + 16, u64(2))], ["V7"]),
            "unit_count": ([(unit, u32(3))], ["V8"]),
            "reserved_did": ([(device + 24, u64(1))], ["R4"]),
            "wide_did": ([(device + 24, u64(1 << 32))], ["R4"]),
        }

    # What a bad record brings with it: devices behind it are refused with it.
    FOLLOWS = "restore.records"

    def test_each_rule(self) -> None:
        for name, (patches, want) in self.broken().items():
            with self.subTest(name):
                done = self.patched(patches, "--check")
                got = ids(done)
                self.assertEqual(done.returncode, 1)
                if want != [self.FOLLOWS]:
                    got = [i for i in got if i != self.FOLLOWS]
                self.assertEqual(got, want, done.stdout)
                self.assertEqual(self.patched(patches).returncode, 1)
                json.loads(self.patched(patches, "--json").stdout)

    def test_all_at_once(self) -> None:
        """A rule violated here does not hide one violated there, nor in the same record."""
        broken = self.broken()
        names = ["metadata_version", "memfd_flags", "restored_device", "padding", "restored_unit",
                 "root_table", "unit_token", "unit_type", "reserved_did"]
        patches = [p for name in names for p in broken[name][0]]
        patches.append((self.at["memfd1"] + 16, struct.pack("<I", 1 << 30)))
        got = ids(self.patched(patches, "--check"))
        for rule, count in {"K6": 1, "F1": 2, "V3": 2, "V4": 1, "V7": 2, "R4": 1, "M1": 1}.items():
            self.assertEqual(got.count(rule), count, f"{rule} in {got}")

    def test_all_of_luo(self) -> None:
        """Its reader stops at the first broken name; the records behind the FLB are found nevertheless."""
        broken, at = self.broken(), self.at
        patches = [*broken["session_name"][0], (at["sessions"] + 96, bytes(64)),
                   (at["sessions"] + 88, struct.pack("<Q", 9)), *broken["restored_device"][0],
                   *broken["memfd_seals"][0]]
        got = ids(self.patched(patches, "--check"))
        self.assertEqual(sorted(got), ["F1", "L1", "L1", "L1", "V3"])

    def test_all_of_the_radix_tree(self) -> None:
        """Two slots of the root that do not exist, one that leads into scratch; and what is behind."""
        broken, at, u64 = self.broken(), self.at, struct.Struct("<Q").pack
        patches = [(at["radix"] + 8 * 3, u64(at["fdt"])), (at["radix"] + 8 * 511, u64(1)),
                   (at["radix"] + 8 * 1, u64(0x1000000)), *broken["memfd_flags"][0],
                   *broken["restored_device"][0]]
        done = self.patched(patches, "--check")
        self.assertEqual(sorted(ids(done)), ["F1", "K4", "K4", "K4", "V3"], done.stdout)

    def test_memfds_share_memory(self) -> None:
        """Each is read on its own; that two name the same pages is still seen."""
        fd = os.open(self.image, os.O_RDONLY)
        first = os.pread(fd, 48, self.at["memfd0"])
        os.close(fd)
        got = ids(self.patched([(self.at["memfd1"], first)], "--check"))
        self.assertEqual(set(got), {"V1"})

    def test_bytes_changed_at_random(self) -> None:
        """Every end is a sentence."""
        chance = random.Random(7)
        with open(self.image, "rb") as f:
            low = f.read(0x2400000)
        pages = [pa for pa in range(0, len(low), 4096) if any(low[pa:pa + 4096])]
        for _ in range(150):
            patches = []
            for _ in range(chance.choice((1, 1, 4))):
                page = chance.choice(pages)
                used = [i for i in range(4096) if low[page + i]]
                at = page + chance.choice(used) // 8 * 8
                value = chance.choice((0, 1, 1 << 63, (1 << 64) - 1, chance.choice(pages),
                                       chance.getrandbits(64), 1 << chance.randrange(64)))
                patches.append((at, struct.pack("<Q", value)))
            form = chance.choice(([], ["--check"], ["--json", "--sums"]))
            self.assertIn(self.patched(patches, *form).returncode, (0, 1), patches)

    def test_cut_short(self) -> None:
        """A raw image that ends early."""
        short = Path(self.folder.name) / "short.raw"
        for size in (1, 4096, 0x10000, 0x11000, 0x12000, 0x2001000, 0x2010000):
            with open(self.image, "rb") as f:
                short.write_bytes(f.read(size))
            done = run(short, "--boot-params", "0x10000", "--check")
            with self.subTest(size):
                self.assertEqual(done.returncode, 2 if size == 1 else 1)
                if size > 1:
                    self.assertIn("I0", ids(done))
        done = run(short, "--boot-params", hex(size - 8), "--check")
        self.assertEqual((done.returncode, ids(done)), (1, ["I0"]), done.stdout)

    def test_large(self) -> None:
        """100,000 blocks that are not adjacent, in 100 files; the time is shown."""
        image, at = self.make(100000, 100)
        start = time.monotonic()
        done = run(image, "--boot-params", hex(at["boot_params"]), "--json", program=DUMP)
        took = time.monotonic() - start
        got = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertGreaterEqual(got["radix"]["preserved_count"], 100000)
        self.assertEqual(len(got["luo"]["sessions"][0]["files"]), 100)
        self.assertEqual(got["luo"]["sessions"][0]["files"][99]["memfd"]["nr_folios"], 1000)
        print(f"# kho-dump: {got['radix']['preserved_count']} blocks, 100 files: {took:.2f} s")


class Usage(unittest.TestCase):
    def test_statuses(self) -> None:
        manifest = LINUX / "manifest.json"
        cases: dict[str, tuple[tuple[object, ...], int]] = {
            "help": (("--help",), 0), "nothing": ((), 2), "unknown": (("--what",), 2),
            "both": (("--manifest", manifest, "raw"), 2),
            "two_images": (("a", "b"), 2),
            "fdt_without_scratch": (("--manifest", manifest, "--fdt", "0x1000"), 2),
            "scratch_without_size": (("--manifest", manifest, "--fdt", "0x1000",
                                      "--scratch", "0x1000"), 2),
            "no_number": (("--manifest", manifest, "--boot-params", "here"), 2),
            "negative": (("--manifest", manifest, "--boot-params", "-1"), 2),
            "no_such_image": (("/nonexistent", "--boot-params", "0"), 3),
            "no_such_manifest": (("--manifest", "/nonexistent"), 3),
            "a_folder": ((LINUX, "--boot-params", "0"), 2),
            "outside": (("--manifest", manifest, "--boot-params", "0xfffffffffffffff0"), 1),
            "odd": (("--manifest", manifest, "--boot-params", "0x7aff9001"), 1),
        }
        for name, (args, status) in cases.items():
            with self.subTest(name):
                self.assertEqual(run(*args).returncode, status)


if __name__ == "__main__":
    unittest.main()
