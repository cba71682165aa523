"""Pages that are made from the code are as the code makes them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("tool", ["capability_table.py", "qwen_page.py"])
def test_a_generated_page_is_current(tool):
    """A page that is made from the plugins is as they are now; else run the tool it names."""
    command = [sys.executable, ROOT / "tools" / tool, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
