"""Listings: a table for people, JSON for programs."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from vivavoce.cli.ends import printable

__all__ = ["Column", "print_json", "print_listing", "print_table"]

Column = tuple[str, Callable[[Mapping[str, Any]], str]]
"""A heading, and what of an object stands below it."""


def print_listing(
    objects: Iterable[Mapping[str, Any]],
    columns: Sequence[Column],
    *,
    as_json: bool,
    empty: str,
) -> None:
    """
    Print *objects*, whole as JSON or some of each as a table.

    Args:
        objects: What JSON shows, in order.
        columns: What the table shows.
        as_json: Which of the two.
        empty: What is said in place of a table without rows, on standard error.
    """
    listed = list(objects)
    if as_json:
        print_json(listed)
    elif not listed:
        click.echo(empty, err=True)
    else:
        rows = [[printable(read(item)) for _, read in columns] for item in listed]
        print_table([heading for heading, _ in columns], rows)


def print_json(value: object) -> None:
    """Print *value* as JSON, in UTF-8 whatever the terminal's own encoding is."""
    import json

    text = json.dumps(value, ensure_ascii=False, indent=2)
    # A lone surrogate becomes the escape that JSON itself has for it.
    sys.stdout.buffer.write((text + "\n").encode("utf-8", "backslashreplace"))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: by rich on a terminal, else in plain aligned columns."""
    with suppress(AttributeError):
        # A voice's name in a script the terminal cannot write is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if sys.stdout.isatty():
        _print_rich(headings, rows)
    else:
        click.echo("\n".join(_plain_lines(headings, rows)))


def _print_rich(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        # Text: square brackets in a name are no markup.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _plain_lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    lines = [[heading.upper() for heading in headings], *rows]
    widths = [max(_width(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (w - _width(cell)) for cell, w in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Return the columns *text* takes; rich knows better, but is not loaded for a pipe."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
