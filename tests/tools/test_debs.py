"""Reading the system's apt sources, and what is made of them."""
import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import List
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import debs  # noqa: E402
from debs import Source  # noqa: E402

DEB822 = """\
# comment
Types: deb deb-src
URIs: http://one.example/debian http://two.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main
"""

CLASSIC = """\
# deb http://no.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib
deb-src http://src.example/debian bookworm main
  deb http://sec.example/security bookworm-security main
debug http://no.example x
"""


class Sources(unittest.TestCase):
    def test_deb822(self) -> None:
        self.assertEqual(list(debs.parse_deb822(DEB822)), [
            Source("http://one.example/debian", "bookworm"),
            Source("http://one.example/debian", "bookworm-updates"),
            Source("http://two.example/debian", "bookworm"),
            Source("http://two.example/debian", "bookworm-updates")])

    def test_classic(self) -> None:
        self.assertEqual(list(debs.parse_classic(CLASSIC)), [
            Source("http://one.example/debian", "bookworm"),
            Source("http://sec.example/security", "bookworm-security")])

    def test_directory(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            etc = Path(directory)
            (etc / "sources.list.d").mkdir()
            (etc / "sources.list").write_text(CLASSIC, encoding="utf-8")
            (etc / "sources.list.d/a.sources").write_text(DEB822, encoding="utf-8")
            (etc / "sources.list.d/b.list.disabled").write_text(CLASSIC, encoding="utf-8")
            self.assertEqual(len(debs.system_sources(etc)), 6)

    def test_only_the_suite_changes(self) -> None:
        system = [Source("http://x.example/d", "bookworm"),
                  Source("http://x.example/d", "bookworm-updates"),
                  Source("http://other.example/node", "nodistro")]
        self.assertEqual(debs.sources_for("bookworm", "trixie", system, False),
                         [Source("http://x.example/d", "trixie")])
        self.assertEqual(debs.sources_for("bookworm", "bookworm-backports", system, True),
                         [Source("http://x.example/d", "bookworm-backports")] + system[:2])

    def test_dependencies_of_another_release(self) -> None:
        """Each suite at the address of the system's own; nothing twice, nothing that may not exist."""
        system = [Source("http://x.example/d", "bookworm"),
                  Source("http://x.example/d", "bookworm-updates"),
                  Source("http://x.example/d", "bookworm-backports"),
                  Source("http://x.example/d", "bookworm-proposed-updates"),
                  Source("http://s.example/security", "bookworm-security"),
                  Source("http://x.example/d", "bookworm"),
                  Source("http://other.example/node", "nodistro"),
                  Source("http://other.example/d", "bookworm2")]
        self.assertEqual(debs.sources_for("bookworm", "trixie-backports", system, True), [
            Source("http://x.example/d", "trixie-backports"),
            Source("http://x.example/d", "trixie"),
            Source("http://x.example/d", "trixie-updates"),
            Source("http://s.example/security", "trixie-security")])

    def test_no_archive_known(self) -> None:
        with self.assertRaisesRegex(debs.Unavailable, "bookworm"):
            debs.sources_for("bookworm", "trixie", [Source("http://x", "nodistro")], False)


class Cache(unittest.TestCase):
    def test_directory(self) -> None:
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": "/c"}):
            self.assertEqual(debs.cache_dir(), Path("/c/baton"))
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": "relative", "HOME": "/h"}):
            self.assertEqual(debs.cache_dir(), Path("/h/.cache/baton"))

    def test_broken_record_is_no_record(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            cache = Path(directory)
            wanted = debs.WANTED["ovmf"]
            self.assertIsNone(debs.cached(wanted, cache))
            for text in ("", "[]", "{}", '{"layout": 2}', '{"layout": 2, "tree": "/nowhere"}'):
                (cache / "ovmf.json").write_text(text, encoding="utf-8")
                self.assertIsNone(debs.cached(wanted, cache), text)

    def test_whole_tree_is_used(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            tree = Path(directory)
            proof = tree / debs.WANTED["ovmf"].proof
            proof.parent.mkdir(parents=True)
            proof.write_bytes(b"")
            found = debs.describe(debs.WANTED["ovmf"], "1", tree)
            self.assertTrue(debs.usable(debs.WANTED["ovmf"], found))
            found["layout"] = debs.LAYOUT - 1
            self.assertFalse(debs.usable(debs.WANTED["ovmf"], found))

    def test_program_that_does_not_run_is_not_used(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            tree = Path(directory)
            program = tree / debs.WANTED["qemu"].proof
            program.parent.mkdir(parents=True)
            program.write_text("#!/bin/sh\nexit ${STATUS:-0}\n", encoding="utf-8")
            program.chmod(0o755)
            found = debs.describe(debs.WANTED["qemu"], "1", tree)
            self.assertTrue(debs.usable(debs.WANTED["qemu"], found))
            with mock.patch.dict(os.environ, {"STATUS": "127"}):
                self.assertFalse(debs.usable(debs.WANTED["qemu"], found))

    def test_libc_of_its_own(self) -> None:
        """It is started through the loader that came with the libc, which is not for others."""
        wanted = debs.WANTED["qemu-11"]
        with tempfile.TemporaryDirectory() as directory:
            tree = Path(directory)
            program = tree / wanted.proof
            libraries = tree / "usr/lib" / f"{os.uname().machine}-linux-gnu"
            for folder in (program.parent, libraries):
                folder.mkdir(parents=True)
            program.write_text("not for this system's loader", encoding="utf-8")
            self.assertEqual(debs.describe(wanted, "1", tree)["loader"], "")
            self.assertFalse(debs.usable(wanted, debs.describe(wanted, "1", tree)))
            loader = libraries / "ld-linux-test.so.2"
            loader.write_text(f"""#!/bin/sh
test "$*" = "--library-path {libraries} {program} --version" && test -z "$LD_LIBRARY_PATH"
""", encoding="utf-8")
            loader.chmod(0o755)
            found = debs.describe(wanted, "1", tree)
            self.assertEqual(found["loader"], str(loader))
            with mock.patch.dict(os.environ):
                os.environ.pop("LD_LIBRARY_PATH", None)
                self.assertTrue(debs.usable(wanted, found))

    def fetched(self, codename: str) -> debs.Apt:
        """What the archive was asked for on a system of that release."""
        asked: List[debs.Apt] = []

        def run(apt: debs.Apt, *args: str, **_: object) -> None:
            asked.append(apt)
            raise debs.Unavailable("no network")
        with tempfile.TemporaryDirectory() as directory:
            keyring = Path(directory) / "keyring"
            keyring.touch()
            with mock.patch.object(debs.Apt, "run", run), \
                    mock.patch.object(debs, "KEYRING", keyring), \
                    mock.patch.object(debs.shutil, "which", return_value="/bin/x"), \
                    mock.patch.object(debs, "system_sources",
                                      return_value=[Source("http://x.example/d", codename)]), \
                    self.assertRaises(debs.Unavailable):
                debs.fetch(debs.WANTED["qemu-11"], codename, Path(directory))
            sources = (Path(directory) / "apt/qemu-11/sources.list").read_text(encoding="utf-8")
            self.assertRegex(sources, r"(?s)trixie-backports main.*trixie main")
            status = Path(asked[0].options["Dir::State::status"])
            self.assertTrue(status == debs.DPKG_STATUS or status.read_bytes() == b"")
        return asked[0]

    def test_where_the_libc_is_too_old_nothing_of_the_system_counts(self) -> None:
        status = "Dir::State::status"
        self.assertNotEqual(self.fetched("bookworm").options[status], str(debs.DPKG_STATUS))
        self.assertEqual(self.fetched("trixie").options[status], str(debs.DPKG_STATUS))

    def test_elsewhere_the_systems_own_is_used(self) -> None:
        with mock.patch.object(debs, "os_release", return_value={"VERSION_CODENAME": "trixie"}):
            self.assertIsNone(debs.get("qemu"))
            self.assertIsNone(debs.get("ovmf"))
        with mock.patch.object(debs, "os_release", return_value={"VERSION_CODENAME": "forky"}):
            self.assertIsNone(debs.get("qemu-11"))


if __name__ == "__main__":
    unittest.main()
