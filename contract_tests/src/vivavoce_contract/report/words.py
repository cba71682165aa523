"""What every form of the report says, in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from vivavoce_contract.results import Cell, ClauseRow, Deviation, ProviderColumn, Run

__all__ = [
    "MARKS",
    "areas",
    "clause_of",
    "cleaned",
    "evidence_lines",
    "has_passed",
    "headline",
    "kept",
    "one_line",
    "provenance",
    "tally",
    "who",
]

MARKS = {
    "V": "verified: recorded from the service itself",
    "D": "documented: typed from a published example",
    "E": "emulator: recorded from an emulator, so it only agrees with itself",
    "C": "client: what the official client sends, not what the service answers",
    "S": "synthetic: made for what cannot be had on demand",
    "?": "no evidence, or of a kind that is not known",
    "!": "stale: due to be looked at again",
}
"""What the marks beside a verdict mean. Without one, no evidence was needed."""

LONGEST = 4_000
"""Characters shown of one message; the whole is in the JSON report."""


def cleaned(text: str) -> str:
    """
    Return *text* without characters that steer a terminal or turn the direction of writing.

    Names and messages come from providers. Line ends stay; an overlong text is cut.
    """
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ... ({len(text)} characters, cut here)"
    return "\n".join(map(_visible, text.splitlines()))


def one_line(text: str) -> str:
    """Return *text* as :func:`cleaned` does, on one line."""
    return " ".join(cleaned(text).split())


def _visible(line: str) -> str:
    line = line.replace("\t", "    ")
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def areas(run: Run) -> list[tuple[str, list[ClauseRow]]]:
    """Return the clauses of each area, in their order."""
    first = {row.area: n for n, row in reversed(list(enumerate(run.clauses)))}
    rows = sorted(run.clauses, key=lambda row: first[row.area])
    return [(area, list(group)) for area, group in groupby(rows, key=lambda row: row.area)]


def clause_of(run: Run, cell: Cell) -> ClauseRow:
    """Return the clause of a cell."""
    return next(row for row in run.clauses if row.id == cell.clause)


def who(cell: Cell | Deviation) -> str:
    """Return whose cell or deviation it is."""
    return one_line("/".join(filter(None, (cell.provider, cell.model))) or "every model")


def headline(run: Run) -> str:
    """Return how the run ended, in a sentence."""
    failures = len(run.failures())
    if not run.cells:
        return "Nothing was examined."
    if failures:
        verb = "fails" if failures == 1 else "fail"
        return f"{failures} of {_count(len(run.every_cell()), 'verdict')} {verb} the run."
    if run.selection:
        return "Nothing failed in the part that was run."
    return "Every promise is kept, or declined as it was claimed."


def tally(run: Run, provider: str) -> str:
    """Return the verdicts of a provider, counted."""
    return ", ".join(f"{count} {verdict}" for verdict, count in run.counts(provider).items())


def kept(run: Run, rows: Sequence[ClauseRow]) -> str:
    """Return how many clauses there are, and of how many a verdict fails the run."""
    failing = {cell.clause for cell in run.failures()} & {row.id for row in rows}
    ending = f"{len(failing)} with failures" if failing else "none fails"
    return f"{_count(len(rows), 'clause')}, {ending}"


def provenance(column: ProviderColumn) -> str:
    """Return what the tapes of a provider count as, and what follows from it."""
    counts = column.provenance
    if not sum(counts.values()):
        return "No tapes."
    listed = ", ".join(f"{count} {one_line(name)}" for name, count in counts.items())
    said = f"Tapes: {listed}."
    if not counts.get("verified"):
        said += " None was recorded from the service itself."
    return said


def evidence_lines(cell: Cell) -> list[str]:
    """Return a line for each tape of a cell: its name, kind, maker and date."""
    return [
        one_line(", ".join(filter(None, (each.tape, each.kind, each.name, each.recorded_at))))
        for each in cell.evidence
    ]


def has_passed(run: Run, deviation: Deviation) -> bool:
    """Return whether the last day of a deviation was over when the run was made."""
    return deviation.expires < run.made_at.date()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
