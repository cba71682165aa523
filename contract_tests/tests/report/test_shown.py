"""The report as people see it: a page, Markdown, and text for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import pytest

from vivavoce_contract.report import (
    read_json,
    render_html,
    render_markdown,
    render_terminal,
    write_all,
)
from vivavoce_contract.results import Cell, ClauseRow, Deviation, ProviderColumn, Run, Verdict

FORMS = {"html": render_html, "markdown": render_markdown, "terminal": render_terminal}
VOID = {"meta", "input", "br", "img"}


class Page(HTMLParser):
    """What a browser makes of a page: its elements, its texts, and where they lie."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()
        assert not self._open, "an element is not closed"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        assert len(given) == len(attributes), "an attribute is there twice"
        self.elements.append((tag, given))
        if tag not in VOID:
            self._open.append((tag, given.get("id")))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name is not None:
                self.texts[name] = self.texts.get(name, "") + data
        if any(tag in ("td", "th") for tag, _ in self._open):
            self.rows[-1][-1] += data

    def ids(self) -> list[str]:
        return [given["id"] or "" for _, given in self.elements if "id" in given]


# The page


def test_the_page_stands_alone(run: Run) -> None:
    """The page has no script and loads nothing, and forbids both."""
    page = Page(render_html(run))
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object"}
    assert not any("src" in given for _, given in page.elements)
    assert "url(" not in render_html(run)
    policies = [given["content"] for _, given in page.elements if "http-equiv" in given]
    assert policies
    assert "default-src 'none'" in str(policies[0])
    assert "script-src" not in str(policies[0])


@pytest.mark.parametrize("selection", ["", "-k stream"])
def test_every_verdict_leads_to_its_evidence(run: Run, selection: str) -> None:
    """Each place of the matrix links to one entry, and no name is there twice."""
    run = attrs.evolve(run, selection=selection)
    page = Page(render_html(run))
    ids = page.ids()
    assert len(ids) == len(set(ids))
    links = [
        str(given["href"])[1:]
        for tag, given in page.elements
        if tag == "a" and str(given.get("href")).startswith("#")
    ]
    assert set(links) - {"-"} <= set(ids)
    entries = [given["id"] for tag, given in page.elements if given.get("class") == "entry"]
    assert len(entries) == len(run.every_cell())
    assert set(entries) <= set(links)


def test_the_matrix_has_a_row_for_every_clause(run: Run) -> None:
    """A row has its clause, level and sentence, and in each column verdict and marks as words."""
    rows = {row[0].split()[0]: row for row in reversed(Page(render_html(run)).rows) if row}
    assert {clause.id for clause in run.clauses} <= set(rows)
    row = rows["SYN-03"]
    assert row[0].startswith("SYN-03 should")
    assert "What was asked for is spoken" in row[0]
    said = [
        run.cell("SYN-03", column.provider, m) for column in run.providers for m in column.models
    ]
    for square, cell in zip(row[1:], said, strict=True):
        assert cell.verdict in square
        assert square.endswith(cell.marks)


def test_an_entry_tells_all(run: Run) -> None:
    """An entry has the promise, the claim, what was found, the tapes, and where to look."""
    texts = Page(render_html(run)).texts
    (cell,) = [each for each in run.cells if each.verdict is Verdict.BAD_REFUSAL]
    entry = texts[f"{cell.clause}:{cell.provider}:{cell.model}"]
    for part in (
        "BAD REFUSAL",
        "The first chunk is out before the tape has sent its last (2).",
        "streaming: yes",
        cell.message,
        "qwen-tts-latest.speak",
        "emulator, qwen emulator 0.1.0, 2026-11-20",
        "The module about streaming, where it begins.",
    ):
        assert part in entry


def test_only_links_to_pages_are_links(hostile: Run) -> None:
    """An address that is not of the web is shown as text."""
    links = [given.get("href") for tag, given in Page(render_html(hostile)).elements if tag == "a"]
    assert links
    assert all(str(link).startswith("#") for link in links)


def test_texts_are_no_markup(hostile: Run) -> None:
    """A provider's texts bring no element, attribute or style into the page."""
    page = Page(render_html(hostile))
    assert not {tag for tag, _ in page.elements} & {"script", "img"}
    names = {name for _, given in page.elements for name in given}
    assert not [name for name in names if name.startswith("on")]
    assert "<script>alert(1)" in "".join(page.texts.values())


# Every form


def test_all_are_written(run: Run, hostile: Run, tmp_path: Path) -> None:
    """All the files are written into one folder, which is made where it is not there."""
    for each in (run, hostile):
        write_all(each, tmp_path / "a" / "b")
        assert read_json(tmp_path / "a/b/report.json") == each
        assert (tmp_path / "a/b/report.html").read_text("utf-8") == render_html(each)
        assert (tmp_path / "a/b/report.md").read_text("utf-8") == render_markdown(each)


@pytest.mark.parametrize("form", FORMS)
def test_every_verdict_appears(run: Run, form: str) -> None:
    """Each verdict is shown by its own word."""
    shown = FORMS[form](run)
    for verdict in Verdict:
        assert verdict in shown


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_cell_says_not_run(run: Run, form: str) -> None:
    """A clause that nothing came of has its row all the same, and says NOT RUN."""
    new = ClauseRow(id="NEW-01", sentence="It is new.", area="new things", where="Anywhere.")
    shown = FORMS[form](attrs.evolve(run, clauses=[*run.clauses, new]))
    assert "NEW-01" in shown
    assert shown.count("NOT RUN") >= FORMS[form](run).count("NOT RUN") + 6


@pytest.mark.parametrize("form", FORMS)
def test_texts_steer_no_terminal(hostile: Run, form: str) -> None:
    """No character that steers a terminal or turns the direction of writing comes through."""
    shown = FORMS[form](hostile)
    assert all(char.isprintable() for char in shown.replace("\n", ""))
    assert "\\x1b" in shown.replace("\\\\", "\\")


@pytest.mark.parametrize("form", FORMS)
def test_provenance_is_told_at_the_head(run: Run, form: str) -> None:
    """Each provider has its counts, and the sentence that nothing came from the service."""
    shown = FORMS[form](run)
    assert "0 verified, 14 documented, 38 self-consistent, 6 synthetic" in " ".join(shown.split())
    assert "None was recorded from the service itself." in " ".join(shown.split())
    verified = attrs.evolve(run.providers[2], provenance={"verified": 3})
    better = FORMS[form](attrs.evolve(run, providers=[*run.providers[:2], verified]))
    assert "None was recorded" not in better


@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_told_as_one(run: Run, form: str) -> None:
    """A selected part says what was selected, and is not told as the whole."""
    cells = [cell for cell in run.cells if cell.is_good]
    part = attrs.evolve(run, cells=cells, selection="-k stream")
    shown = FORMS[form](part)
    assert "k stream" in shown
    assert "Nothing failed in the part that was run." in shown
    assert "Every promise is kept" not in shown
    whole = attrs.evolve(run, cells=cells)
    assert "verdicts fail the run" in FORMS[form](whole)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_at_all_can_be_shown(form: str) -> None:
    """A run without clauses, providers or models is shown, and as nothing good."""
    empty: dict[str, Any] = {"made_at": datetime(2026, 1, 1, tzinfo=UTC), "cells": []}
    assert "Nothing was examined." in FORMS[form](Run(**empty, clauses=[], providers=[]))
    bare = ProviderColumn(provider="bare", models=[])
    row = ClauseRow(id="SYN-01", sentence="It speaks.", area="synthesis")
    assert "Nothing was examined." in FORMS[form](Run(**empty, clauses=[row], providers=[bare]))


# Markdown


def test_markdown_tables_keep_their_columns(run: Run, hostile: Run) -> None:
    """Every row of a table has as many columns as its heading, whatever stands in it."""
    for each in (run, hostile):
        width = 0
        for line in render_markdown(each).splitlines():
            bars = line.replace("\\\\", "").replace("\\|", "").count("|")
            if not line.startswith("|"):
                width = 0
                continue
            width = width or bars
            assert bars == width, line


def test_markdown_calls_nobody(hostile: Run) -> None:
    """No text becomes an element, a heading, a code or somebody's name."""
    shown = render_markdown(hostile)
    assert "<" not in shown
    assert "@" not in shown
    assert "\n# h" not in shown
    assert "`" not in shown.replace("\\`", "")


def test_deviations_have_their_last_day(run: Run) -> None:
    """A deviation shows reason, link and last day, and whether that has passed."""
    shown = render_markdown(run)
    assert "The service renames this voice without notice." in shown
    assert "| 2027-03-01 |" in shown
    assert "| 2026-11-01, passed |" in shown
    assert Page(render_html(run)).rows[-1 - len(run.clauses) - 1][-1] == "2026-11-01 has passed"


@pytest.mark.parametrize(("day", "is_over"), [(24, True), (25, False)])
def test_a_deviation_holds_on_its_last_day(run: Run, day: int, is_over: bool) -> None:
    """A deviation holds through the day it names."""
    last = Deviation(clause="LNG-04", reason="So.", expires=datetime(2026, 11, day).date())  # noqa: DTZ001
    shown = render_markdown(attrs.evolve(run, deviations=[last]))
    assert (f"2026-11-{day}, passed" in shown) is is_over


# Terminal


@pytest.mark.parametrize("width", [20, 40, 80, 100, 200])
def test_the_terminal_is_not_overrun(run: Run, width: int) -> None:
    """No line is longer than the terminal is wide; the matrix goes on below instead."""
    shown = render_terminal(run, width)
    assert max(map(len, shown.splitlines())) <= max(width, 40)


def test_the_terminal_tells_failures_alone_in_full(run: Run) -> None:
    """Below the matrix stand the failing cells with promise, evidence and where to look."""
    shown = render_terminal(run, 100)
    for cell in run.failures():
        assert f"\n{cell.verdict}: {cell.clause}, {cell.provider}" in shown
    assert shown.count("  promise ") == len(run.failures())
    assert "  evidence  qwen-tts-latest.speak, emulator, qwen emulator 0.1.0, 2026-11-20" in shown
    assert shown.endswith("12 of 393 verdicts fail the run.\n")


def test_wide_characters_keep_the_columns(run: Run) -> None:
    """A name in a script of wide characters takes the columns it takes."""
    cells = [
        Cell(clause="SYN-01", provider=name, model="模型", verdict="pass") for name in ("声音", "b")
    ]
    wide = Run(
        made_at=run.made_at,
        clauses=[row for row in run.clauses if row.id == "SYN-01"],
        providers=[ProviderColumn(provider=name, models=["模型"]) for name in ("声音", "b")],
        cells=cells,
    )
    first, second, _, row, *_ = render_terminal(wide, 80).splitlines()
    assert first.index("b") + 2 == row.rindex("pass")
    assert second.rindex("模") + 2 == row.rindex("pass")
