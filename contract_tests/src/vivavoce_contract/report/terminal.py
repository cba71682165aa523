"""The report as plain text, for a terminal or a log."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator

from vivavoce_contract.report import words
from vivavoce_contract.results import Cell, Run

__all__ = ["render_terminal"]

Column = tuple[str, str]
"""Provider and model."""

_NARROWEST = 40
_GAP = "  "


def render_terminal(run: Run, width: int = 80) -> str:
    """
    Return *run* as text: the matrix, what failed, and a line for each provider.

    Args:
        run: What came of it.
        width: Columns of the terminal. Where the models do not fit beside each other, the
            matrix goes on below.
    """
    width = max(width, _NARROWEST)
    columns = [(column.provider, model) for column in run.providers for model in column.models]
    blocks = ["\n".join(_matrix(run, block)) for block in _blocks(run, columns, width)]
    failures = ["\n".join(_failure(run, cell, width)) for cell in run.failures()]
    return "\n\n".join([*blocks, *failures, "\n".join(_summary(run, width))]) + "\n"


# The matrix


def _blocks(run: Run, columns: list[Column], width: int) -> Iterator[list[Column]]:
    block: list[Column] = []
    used = left = _label_width(run)
    for column in columns:
        needed = len(_GAP) + _column_width(run, column)
        if block and used + needed > width:
            yield block
            block, used = [], left
        block.append(column)
        used += needed
    if block:
        yield block


def _label(row_id: str, level: str) -> str:
    return words.one_line(row_id) + (" (should)" if level == "should" else "")


def _label_width(run: Run) -> int:
    return max((_width(_label(row.id, row.level)) for row in run.clauses), default=0)


def _said(run: Run, clause: str, column: Column) -> str:
    cell = run.cell(clause, *column)
    return f"{cell.verdict} {cell.marks}".rstrip()


def _column_width(run: Run, column: Column) -> int:
    # A heading is folded to this or to what the cells need.
    return max(10, *(len(_said(run, row.id, column)) for row in run.clauses))


def _matrix(run: Run, columns: list[Column]) -> Iterator[str]:
    widths = [_label_width(run), *(_column_width(run, column) for column in columns)]
    headings = [
        [*_folded(provider, wide), *_folded(model, wide)]
        for (provider, model), wide in zip(columns, widths[1:], strict=True)
    ]
    for n in range(max(map(len, headings))):
        yield _line(["", *(lines[n] if n < len(lines) else "" for lines in headings)], widths)
    for area, rows in words.areas(run):
        yield words.one_line(area)
        for row in rows:
            said = [_said(run, row.id, column) for column in columns]
            yield _line([_label(row.id, row.level), *said], widths)


def _folded(text: str, width: int) -> list[str]:
    """Return *text* in lines of *width*, after a hyphen where there is one."""
    lines = [""]
    for part in re.split(r"(?<=[-_. ])", words.one_line(text)):
        # A part that is itself too long goes on where the line is full.
        for piece in [part] if _width(part) <= width else part:
            if _width(lines[-1] + piece) > width:
                lines.append("")
            lines[-1] += piece
    return lines


def _line(cells: list[str], widths: list[int]) -> str:
    padded = (cell + " " * (wide - _width(cell)) for cell, wide in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


# Below it


def _failure(run: Run, cell: Cell, width: int) -> Iterator[str]:
    row = words.clause_of(run, cell)
    yield from _paragraph("", f"{cell.verdict}: {row.id}, {words.who(cell)}", width)
    facts = [
        ("promise", f"{row.sentence} ({row.level})"),
        ("claim", cell.claim),
        ("found", cell.message or cell.verdict.meaning),
        *(("evidence", line) for line in words.evidence_lines(cell)),
        ("where", row.where),
    ]
    for name, fact in facts:
        if fact:
            yield from _paragraph(f"  {name:<8}  ", fact, width)


def _summary(run: Run, width: int) -> Iterator[str]:
    for column in run.providers:
        told = f"{words.tally(run, column.provider)}. {words.provenance(column)} {column.sample}"
        yield from _paragraph(f"{words.one_line(column.provider)}: ", told, width)
    if run.selection:
        yield from _paragraph("", f"Only a part was run: {run.selection}.", width)
    yield from _paragraph("", words.headline(run), width)


def _paragraph(start: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        words.one_line(text),
        width,
        initial_indent=start,
        subsequent_indent=" " * min(len(start), 12),
        break_on_hyphens=False,
    )
