"""Tables that tests are compiled with are those made from the fixtures' JSON."""
import subprocess
import sys
import unittest
from pathlib import Path

TABLES = Path(__file__).resolve().parents[1] / "fixtures" / "tables.py"


class Fixtures(unittest.TestCase):
    def test_tables_are_up_to_date(self):
        done = subprocess.run([sys.executable, str(TABLES), "--check"], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
