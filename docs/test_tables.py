"""Pages that are made from the code are as the code makes them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_capability_table_is_current():
    """The capability table is what the plugins claim; else run tools/capability_table.py."""
    tool = ROOT / "tools" / "capability_table.py"
    command = [sys.executable, tool, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
