"""
Run the examples of the README and of the documentation's pages.

One test for each page, in an empty folder of its own, from top to bottom:

- ```` ```python ```` blocks share their names, as a reader typing them would.
- In ```` ```console ```` blocks each line beginning with ``$ vivavoce`` or ``$ viva`` is run by the
  shell and must exit with 0. Other commands and printed output are for reading.
- ``<!-- skip: next -->`` above a block leaves it out; add the reason:
  ``<!-- skip: next "needs a key" -->``. Other languages (``text``, ``toml``) are never run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Example, Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    page
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    if page.exists() and not page.relative_to(ROOT).as_posix().startswith("docs/_")
)
OUR_COMMAND = re.compile(r"\$ (?P<command>viva(?:voce)?(?:\s.*)?)$")
COMMAND_LIMIT_S = 60


def run_console(example: Example) -> str | None:
    """Run our commands in a console block; return what went wrong, or None."""
    # The programs of the environment under test come first, whether or not it is activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    lines = iter(example.parsed.splitlines())
    for line in lines:
        match = OUR_COMMAND.match(line)
        if not match:
            continue
        command = match["command"]
        while command.endswith("\\"):
            command = command[:-1] + next(lines, "").lstrip("> ")
        done = subprocess.run(
            command,
            shell=True,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        if done.returncode:
            return f"$ {command}\nexited with {done.returncode}:\n{done.stdout}{done.stderr}"
    return None


EXAMPLES = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("console", run_console),
        SkipParser(),
    ],
    name="docs",
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of a page runs as printed."""
    monkeypatch.chdir(tmp_path)
    # The examples write into a voice book; that of whoever runs them is theirs.
    monkeypatch.setenv("VIVAVOCE_VOICES", str(tmp_path / "data" / "voices.toml"))
    failure = None
    for example in EXAMPLES.parse(page).examples():
        try:
            example.evaluate()
        except SkipTest:
            continue  # sybil's way to leave out one example with its reason; the rest still runs
        except SybilFailure as error:
            failure = str(error)
            break
    # Told outside the handler: the way through sybil to the example is of no interest.
    if failure:
        pytest.fail(failure, pytrace=False)
