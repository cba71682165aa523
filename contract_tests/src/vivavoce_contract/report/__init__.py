"""
Shows a :class:`~vivavoce_contract.results.Run`: to people and to programs.

What it is given comes from providers, so every text is escaped for the place it is put in.
"""

from pathlib import Path

from vivavoce_contract.report.as_json import read_json, write_json
from vivavoce_contract.report.html import render_html
from vivavoce_contract.report.markdown import render_markdown
from vivavoce_contract.report.terminal import render_terminal
from vivavoce_contract.results import Run

__all__ = [
    "read_json",
    "render_html",
    "render_markdown",
    "render_terminal",
    "write_all",
    "write_json",
]


def write_all(run: Run, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into *folder*, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(run, folder / "report.json")
    (folder / "report.md").write_text(render_markdown(run), "utf-8")
    (folder / "report.html").write_text(render_html(run), "utf-8")
