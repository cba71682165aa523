"""The report for programs; ``schema-1.json`` beside this file says what is in it."""

from __future__ import annotations

import json
from pathlib import Path

from vivavoce.errors import InvalidValue
from vivavoce_contract.results import Run

__all__ = ["read_json", "write_json"]


def write_json(run: Run, path: Path) -> None:
    """Write *run* to *path*, as UTF-8."""
    text = json.dumps(run.as_plain(), ensure_ascii=False, allow_nan=False, indent=1)
    # A lone surrogate becomes the escape that JSON itself has for it.
    path.write_bytes((text + "\n").encode("utf-8", "backslashreplace"))


def read_json(path: Path) -> Run:
    """
    Return the run that :func:`write_json` wrote.

    Raises:
        InvalidValue: If the file holds none, or one of another schema.
        OSError: If it cannot be read.
    """
    try:
        plain = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        msg = f"{path.name} is not JSON: {error}. Give the report.json of a contract run."
        raise InvalidValue(msg) from error
    return Run.from_plain(plain)
