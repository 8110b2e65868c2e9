"""The runner itself: statuses, and what it prints where nothing can be run."""
import contextlib
import importlib.util
import io
import os
import tempfile
import unittest
from pathlib import Path
from typing import Dict, List, Optional, Tuple
from unittest import mock

# By its path: tests/boot has a module of that name as well.
SPEC = importlib.util.spec_from_file_location("linux_matrix", Path(__file__).with_name("matrix.py"))
assert SPEC and SPEC.loader
matrix = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(matrix)


def main(*words: str, env: Optional[Dict[str, str]] = None, **patches: object) -> Tuple[int, List[str]]:
    """Status and lines of a run of `agent.session_missing` with empty files in place of what is built."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        empty = Path(directory) / "file"
        empty.touch()
        for option in ("image", "test-image", "agent", "sender"):
            words += (f"--{option}", str(empty))
        stack.enter_context(mock.patch.dict(os.environ, env or {}))
        stack.enter_context(mock.patch.object(matrix.initramfs, "busybox", return_value=b""))
        stack.enter_context(mock.patch.object(matrix.kernel, "get", **patches))
        stack.enter_context(contextlib.redirect_stdout(said))
        stack.enter_context(contextlib.redirect_stderr(said))
        status = matrix.main(["--no-fetch", "--only", "agent.session_missing", *words])
    return status, said.getvalue().splitlines()


class Statuses(unittest.TestCase):
    missing = {"side_effect": matrix.debs.Unavailable("there is no network")}

    def test_no_source(self) -> None:
        status, lines = main(env={"ALLOW_SKIP": ""}, **self.missing)
        self.assertEqual(status, matrix.run.MISSING)
        self.assertEqual(lines, ["ok 1 abi.names_and_numbers # SKIP there is no network",
                                 "ok 2 agent.session_missing.is_sent # SKIP there is no network",
                                 "ok 3 agent.session_missing.notices # SKIP there is no network",
                                 "0 passed, 0 failed, 3 skipped"])

    def test_no_source_and_that_is_allowed(self) -> None:
        self.assertEqual(main(env={"ALLOW_SKIP": "1"}, **self.missing)[0], matrix.run.PASS)

    def test_the_kernel_cannot_be_built(self) -> None:
        status, lines = main(side_effect=matrix.kernel.BuildFailed("its log is there"))
        self.assertEqual((status, lines), (matrix.run.FAIL, ["check-linux: its log is there"]))

    def test_unknown_run(self) -> None:
        self.assertEqual(main("--only", "nothing", return_value={})[0], matrix.run.USAGE)

    def test_tally(self) -> None:
        said = io.StringIO()
        tally = matrix.Tally()
        with contextlib.redirect_stdout(said):
            tally.result("a", [])
            tally.result("b", ["one", "two"], " (1 s)")
            tally.skip("c", "why")
            tally.close()
        self.assertEqual(said.getvalue().splitlines(),
                         ["ok 1 a", "# one", "# two", "not ok 2 b (1 s)", "ok 3 c # SKIP why",
                          "1 passed, 1 failed, 1 skipped"])


if __name__ == "__main__":
    unittest.main()
