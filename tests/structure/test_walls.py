"""Rooms and walls: every include line of the tree against the table of docs/design.md."""
import re
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.M)
SEAM = {"platform/mmio.h", "platform/mem.h"}
LIBC = {"string.h", "stdarg.h", "stddef.h", "stdint.h", "stdbool.h", "assert.h", "limits.h", "stdlib.h"}
# Pure kernel headers: what firmware's side may use before there is a kernel.
PURE_FOR_EFI = {"kernel/config.h", "kernel/console/printf.h",
                "kernel/handover/bootparams.h", "kernel/memory/memmap.h",
                "kernel/nic/nic.h", "kernel/report/verdict.h"}


def include_lines(path):
    for kind, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        yield kind, name


def sources(*folders):
    for folder in folders:
        yield from sorted(p for p in (TOP / folder).rglob("*") if p.suffix in (".c", ".h", ".S"))


class Walls(unittest.TestCase):
    def judge(self, path, allowed_quotes, allowed_angles):
        public = {p.name for p in (TOP / "include").iterdir()}
        own = {p.name for p in path.parent.iterdir()}
        for kind, name in include_lines(path):
            if kind == "<":
                ok = allowed_angles(name)
            else:
                ok = name in public or name in own or allowed_quotes(name)
            self.assertTrue(ok, f"{path.relative_to(TOP)} includes {name}")

    def test_include_depends_on_nothing(self):
        for path in sources("include"):
            self.judge(path, lambda n: False, lambda n: n in LIBC)

    def test_libraries_see_include_and_seam(self):
        for path in sources("vtd"):
            self.judge(path, lambda n: n in SEAM, lambda n: n in LIBC)
        for path in sources("kho"):
            self.judge(path, lambda n: n in SEAM, lambda n: n in LIBC or n == "libfdt.h")

    def test_seam_sees_include(self):
        for path in sources("kernel/seam/platform", "tests/host/platform",
                            "tools/kho-dump/platform"):
            self.judge(path, lambda n: False, lambda n: n in LIBC)

    def test_stream_is_pure(self):
        for path in sources("kernel/stream"):
            self.judge(path, lambda n: n == "kho/crc32c.h", lambda n: n in LIBC)

    def test_kernel_sees_libraries(self):
        def allowed(name):
            return name in SEAM or name.split("/")[0] in ("kernel", "vtd", "kho")
        for path in sources("kernel"):
            if "seam" in path.parts:
                continue
            efi = path.name == "runtime.c"	# the one caller of runtime services
            self.judge(path, allowed, lambda n: n in LIBC or (efi and n == "efi.h"))

    def test_efi_sees_pure_headers(self):
        for path in sources("efi"):
            self.judge(path, lambda n: n in PURE_FOR_EFI,
                       lambda n: n in LIBC or n in ("efi.h", "efipciio.h"))

    def test_tables_are_not_empty(self):
        """A folder that moved would make the tests above pass on nothing."""
        for folder in ("include", "vtd", "kho", "kernel", "kernel/stream", "efi",
                       "kernel/seam/platform", "tests/host/platform",
                       "tools/kho-dump/platform"):
            self.assertTrue(list(sources(folder)), folder)


if __name__ == "__main__":
    unittest.main()
