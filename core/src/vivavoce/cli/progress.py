"""How far a long text has been spoken, and that something is waited for, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vivavoce.model.report import Report

__all__ = ["LONG_CHARACTERS", "progress_bar", "waiting"]

LONG_CHARACTERS = 2_000
"""From here on a text takes long enough for a bar: two minutes of speech."""


@contextmanager
def progress_bar(
    total: int, *, is_wanted: bool | None
) -> Iterator[Callable[[Report], None] | None]:
    """
    Give what to call with each report, or None where no bar is shown.

    Args:
        total: Characters of the text; 0 where it still comes.
        is_wanted: None shows it for long texts. In any case only a terminal gets one.
    """
    if not sys.stderr.isatty() or not (is_wanted or total >= LONG_CHARACTERS):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    of_total = " of {task.total:,.0f}" if total else ""
    columns = (
        BarColumn(),
        TextColumn(f"{{task.completed:,.0f}}{of_total} characters"),
        TextColumn("{task.fields[audio_s]:,.0f} s of speech"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("speaking", total=total or None, audio_s=0.0)
        yield lambda report: progress.update(
            task, completed=report.characters, audio_s=report.audio_s
        )


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show *what* is waited for, and for how long; only a terminal sees it."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what)
        yield
