"""The report as Markdown, for a pull request or a repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vivavoce_contract.report import words
from vivavoce_contract.results import Cell, ClauseRow, Run, Verdict

__all__ = ["render_markdown"]

# What begins markup in the middle of a line; "@" would call somebody.
_MARKUP = re.compile(r"[\\`*_{}\[\]|~$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}


def render_markdown(run: Run) -> str:
    """Return *run* as Markdown: who was examined, the matrix, what failed, what deviates."""
    parts = [
        ["# Contract report", "", *_head(run)],
        *(_area(run, area, rows) for area, rows in words.areas(run)),
        _failures(run),
        _deviations(run),
        _legend(),
    ]
    return "\n".join("\n".join(part) + "\n" for part in parts if part)


def _head(run: Run) -> Iterator[str]:
    yield f"**{words.headline(run)}**"
    if run.selection:
        yield ""
        yield f"Only a part was run: {_text(run.selection)}. The rest says NOT RUN."
    yield ""
    for column in run.providers:
        parts = (words.tally(run, column.provider) + ".", words.provenance(column), column.sample)
        told = " ".join(_text(part) for part in parts if part)
        source = f" ({_text(column.distribution)})" if column.distribution else ""
        yield f"- **{_text(column.provider)}**{source}: {told}"
    yield ""
    versions = ", ".join(f"{_text(name)} {_text(value)}" for name, value in run.versions.items())
    yield f"Made {run.made_at:%Y-%m-%d %H:%M %Z}{', with ' + versions if versions else ''}."


def _area(run: Run, area: str, rows: list[ClauseRow]) -> list[str]:
    columns = [(column.provider, model) for column in run.providers for model in column.models]
    table = [["Clause", "Promise", *("/".join(column) for column in columns)]]
    for row in rows:
        level = " (should)" if row.level == "should" else ""
        table.append(
            [
                row.id + level,
                row.sentence,
                *(_cell(run.cell(row.id, *column)) for column in columns),
            ]
        )
    return [f"## {_text(area.capitalize())}", "", *_table(table)]


def _cell(cell: Cell) -> str:
    return f"{cell.verdict} {cell.marks}".rstrip()


def _failures(run: Run) -> list[str]:
    lines = []
    for cell in run.failures():
        row = words.clause_of(run, cell)
        lines += ["", f"### {_text(row.id)}, {_text(words.who(cell))}: {cell.verdict}", ""]
        facts = [
            ("Promise", row.sentence),
            ("Claim", cell.claim),
            ("Found", cell.message or cell.verdict.meaning),
            *(("Evidence", line) for line in words.evidence_lines(cell)),
            ("Where to look", row.where),
        ]
        lines += [f"- {name}: {_text(fact)}" for name, fact in facts if fact]
    return ["## What failed", *lines] if lines else []


def _deviations(run: Run) -> list[str]:
    if not run.deviations:
        return []
    table = [["Clause", "Who", "Reason", "Link", "Until"]]
    for each in run.deviations:
        until = each.expires.isoformat() + (", passed" if words.has_passed(run, each) else "")
        table.append([each.clause, words.who(each), each.reason, each.link, until])
    return ["## Deviations", "", *_table(table)]


def _legend() -> list[str]:
    verdicts = [f"- {verdict}: {verdict.meaning}" for verdict in Verdict]
    marks = [f"- {_text(mark)} {meaning}" for mark, meaning in words.MARKS.items()]
    return ["## How to read it", "", *verdicts, "", "Marks of the evidence:", "", *marks]


def _table(rows: list[list[str]]) -> Iterator[str]:
    heading, *others = rows
    yield _line(heading)
    yield _line(["---"] * len(heading))
    yield from map(_line, others)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_text, cells)) + " |"


def _text(text: str) -> str:
    escaped = _MARKUP.sub(r"\\\g<0>", words.one_line(text))
    return "".join(_ENTITIES.get(char, char) for char in escaped)
