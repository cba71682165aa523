"""
The report as one page that needs nothing else: no script, no other file, no network.

Each verdict of the matrix leads to an entry with its evidence. Entries of what failed stand on
the page; the others lie on a shelf that is not shown, and the style sheet shows the one that the
address names, over the page. So the page works without a script, and forbids every one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from importlib.resources import files
from urllib.parse import quote, urlsplit

from vivavoce_contract.report import words
from vivavoce_contract.results import (
    Cell,
    ClauseRow,
    Deviation,
    Evidence,
    ProviderColumn,
    Run,
    Verdict,
)

__all__ = ["render_html"]

# Class of the style sheet, and a sign that most fonts have.
_LOOKS = {
    Verdict.PASS: ("kept", "✓"),
    Verdict.DECLINED: ("declined", "○"),
    Verdict.OVER_CLAIM: ("broken", "▲"),
    Verdict.UNDER_CLAIM: ("broken", "▼"),
    Verdict.BAD_REFUSAL: ("broken", "⊗"),
    Verdict.FAIL: ("broken", "✗"),
    Verdict.DEVIATES: ("deviates", "≈"),
    Verdict.STALE_DEVIATION: ("missing", "≠"),
    Verdict.NO_EVIDENCE: ("missing", "?"),
    Verdict.NOT_RUN: ("missing", "□"),
    Verdict.OVERRIDDEN: ("dodged", "◆"),
    Verdict.SELF_SKIP: ("dodged", "»"),
    Verdict.MARKED: ("dodged", "■"),
    Verdict.NOT_ASKED: ("apart", "–"),
}
_FEW = 8  # models that fit beside the clauses on a desk
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_html(run: Run) -> str:
    """Return *run* as a page of HTML, in itself complete."""
    is_few = sum(len(column.models) for column in run.providers) <= _FEW
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>Contract report: {_text(words.headline(run))}</title>",
        f"<style>{_style()}</style></head>",
        f"<body{' class=few' if is_few else ''}><main>",
        *_head(run),
        *_matrix(run),
        *_failures(run),
        *_deviations(run),
        *_clauses(run),
        *_legend(),
        *_shelf(run),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


@cache
def _style() -> str:
    return files("vivavoce_contract.report").joinpath("page.css").read_text("utf-8")


# The head


def _head(run: Run) -> Iterator[str]:
    versions = (f"{_text(name)} {_text(value)}" for name, value in run.versions.items())
    made = " · ".join((f"{run.made_at:%Y-%m-%d %H:%M %Z}", *versions))
    yield '<header class="head"><h1>Contract report</h1>'
    yield f'<span class="soft small">{made}</span></header>'
    outcome = "bad" if not run.is_good else "part" if run.selection else "good"
    link = ' <a href="#failed">See what failed</a>' if run.failures() else ""
    yield f'<p class="outcome {outcome}" role="status">{_text(words.headline(run))}{link}</p>'
    if run.selection:
        yield (
            f"<p><b>Only a part was run:</b> <code>{_text(run.selection)}</code>. "
            "The rest says NOT RUN.</p>"
        )
    yield '<section class="cards" aria-label="Providers">'
    for column in run.providers:
        yield from _card(run, column)
    yield "</section>"


def _card(run: Run, column: ProviderColumn) -> Iterator[str]:
    counts = run.counts(column.provider)
    yield f'<article class="card"><h3>{_text(column.provider)}</h3>'
    if column.distribution:
        yield f'<span class="soft small">{_text(column.distribution)}</span>'
    yield f'<div class="bar" role="img" aria-label="{_text(words.tally(run, column.provider))}">'
    for verdict, count in counts.items():
        yield f'<i class="{_LOOKS[verdict][0]}" style="flex:{count}"></i>'
    yield '</div><ul class="counts">'
    for verdict, count in counts.items():
        yield f"<li>{count} {_badge(verdict)}</li>"
    yield f'</ul><p class="small">{_text(words.provenance(column))}</p>'
    if column.sample:
        yield f'<p class="small soft">{_text(column.sample)}</p>'
    yield "</article>"


# The matrix


def _matrix(run: Run) -> Iterator[str]:
    spread = sum(max(1, len(column.models)) for column in run.providers)
    yield '<h2 id="matrix">Clauses and models</h2>'
    yield '<div class="tools small">'
    yield '<label><input type="checkbox" id="only"> Only what fails</label>'
    yield '<span class="soft">Choose a verdict to see its evidence.</span></div>'
    yield '<div class="pane"><table class="matrix"><thead><tr>'
    yield '<th class="corner clause" rowspan="2" scope="col">Clause</th>'
    for column in run.providers:
        across = max(1, len(column.models))
        yield f'<th class="first" scope="colgroup" colspan="{across}">{_text(column.provider)}</th>'
    yield "</tr><tr>"
    for column in run.providers:
        for n, model in enumerate(column.models or ("",)):
            first = ' class="first"' if n == 0 else ""
            yield f'<th{first} scope="col"><span>{_text(model)}</span></th>'
    yield "</tr></thead>"
    failing = {cell.clause for cell in run.failures()}
    for area, rows in words.areas(run):
        fine = "" if failing & {row.id for row in rows} else " fine"
        yield f'<tbody><tr class="area{fine}"><th scope="colgroup" colspan="{spread + 1}">'
        yield f"<span>{_text(area.capitalize())}"
        yield f' <span class="soft small">{_text(words.kept(run, rows))}</span></span></th></tr>'
        for row in rows:
            yield from _row(run, row, is_fine=row.id not in failing)
        yield "</tbody>"
    yield "</table></div>"


def _row(run: Run, row: ClauseRow, *, is_fine: bool) -> Iterator[str]:
    yield f"<tr{' class=fine' if is_fine else ''}>"
    should = '<span class="should">should</span>' if row.level == "should" else ""
    yield (
        f'<th class="clause" scope="row" title="{_text(row.sentence)}">'
        f'<a href="#{_anchor(row.id)}"><span><b>{_text(row.id)}</b> {should}</span>'
        f'<span class="sentence">{_text(row.sentence)}</span></a></th>'
    )
    for column in run.providers:
        if row.each_model:
            for n, model in enumerate(column.models):
                cell = run.cell(row.id, column.provider, model)
                yield _square(run, cell, first=n == 0)
            if not column.models:
                yield '<td class="first"></td>'
        else:
            cell = run.cell(row.id, column.provider)
            yield _square(run, cell, first=True, across=max(1, len(column.models)))
    yield "</tr>"


def _square(run: Run, cell: Cell, *, first: bool, across: int = 1) -> str:
    attributes = (' class="first"' if first else "") + (f' colspan="{across}"' * (across > 1))
    title = f"{cell.clause}, {words.who(cell)}: {cell.message or cell.verdict.meaning}"
    look, sign = _LOOKS[cell.verdict]
    if run.selection and cell.verdict is Verdict.NOT_RUN:
        look = "apart"
    quiet = " quiet" if cell.verdict.is_good else ""
    whole = ' <span class="soft small whole">the whole provider</span>' * (across > 1)
    return (
        f'<td{attributes}><a class="v {look}{quiet}" href="#{_entry_anchor(cell)}" '
        f'title="{_text(title[:300])}">{_inside(cell.verdict, sign)}{_marks(cell)}</a>{whole}</td>'
    )


def _badge(verdict: Verdict) -> str:
    look, sign = _LOOKS[verdict]
    return f'<span class="v {look}">{_inside(verdict, sign)}</span>'


def _inside(verdict: Verdict, sign: str) -> str:
    return (
        f'<span class="sign" aria-hidden="true">{sign}</span>'
        f'<span class="word">{_text(verdict)}</span>'
    )


def _marks(cell: Cell) -> str:
    if not cell.marks:
        return ""
    meaning = "; ".join(words.MARKS.get(mark, mark) for mark in cell.marks)
    return f' <span class="marks" title="{_text(meaning)}">{_text(cell.marks)}</span>'


# Entries


def _failures(run: Run) -> Iterator[str]:
    failures = run.failures()
    if failures:
        yield '<h2 id="failed">What failed</h2>'
        for cell in failures:
            yield from _entry(run, cell)


def _shelf(run: Run) -> Iterator[str]:
    failing = run.failures()
    yield '<section class="shelf" aria-label="Evidence of the other verdicts">'
    for cell in run.every_cell():
        if cell not in failing:
            yield from _entry(run, cell)
    yield "</section>"


def _entry(run: Run, cell: Cell) -> Iterator[str]:
    row = words.clause_of(run, cell)
    yield f'<article class="entry" id="{_entry_anchor(cell)}"><header>'
    yield f"{_badge(cell.verdict)}<h3>{_text(row.id)}, {_text(words.who(cell))}</h3>"
    # A fragment that names nothing: the page does not move.
    yield '<a class="close" href="#-">close</a></header><dl>'
    yield f"<dt>promise</dt><dd>{_text(row.sentence)} <i class=soft>({_text(row.level)})</i></dd>"
    if cell.claim:
        yield f"<dt>claim</dt><dd>{_text(cell.claim)}</dd>"
    found = cell.message or cell.verdict.meaning
    yield f'<dt>found</dt><dd class="wordy">{escape(words.cleaned(found))}</dd>'
    yield f"<dt>evidence</dt><dd>{_tapes(cell)}</dd>"
    if row.where:
        yield f"<dt>where to look</dt><dd>{_text(row.where)}</dd>"
    if cell.seconds:
        yield f"<dt>took</dt><dd>{cell.seconds:.2f} s</dd>"
    yield "</dl></article>"


def _tapes(cell: Cell) -> str:
    if not cell.evidence:
        return '<span class="soft">No tape was played.</span>'
    listed = "".join(f"<li>{_tape(each)}</li>" for each in cell.evidence)
    stale = '<p class="small">Due to be looked at again.</p>' if cell.marks.endswith("!") else ""
    return f"<ul>{listed}</ul>{stale}"


def _tape(evidence: Evidence) -> str:
    told = ", ".join(filter(None, (evidence.kind, evidence.name, evidence.recorded_at)))
    return f'{_link(evidence.url, evidence.tape)} <span class="soft small">{_text(told)}</span>'


# Below


def _deviations(run: Run) -> Iterator[str]:
    if run.deviations:
        yield '<h2 id="deviations">Deviations</h2><div class="list"><table><thead><tr>'
        yield from _headings("Clause", "Who", "Reason", "Where it is discussed", "Until")
        yield "</tr></thead><tbody>"
        for each in run.deviations:
            yield f"<tr>{''.join(f'<td>{part}</td>' for part in _deviation(run, each))}</tr>"
        yield "</tbody></table></div>"


def _deviation(run: Run, deviation: Deviation) -> Iterator[str]:
    yield _text(deviation.clause)
    yield _text(words.who(deviation))
    yield _text(deviation.reason)
    yield _link(deviation.link, deviation.link)
    passed = " <b>has passed</b>" if words.has_passed(run, deviation) else ""
    yield deviation.expires.isoformat() + passed


def _clauses(run: Run) -> Iterator[str]:
    yield '<h2 id="clauses">Every clause</h2><div class="list"><table><thead><tr>'
    yield from _headings("Clause", "Promise", "Level", "Asked where", "Where to look")
    yield "</tr></thead><tbody>"
    for _, rows in words.areas(run):
        for row in rows:
            asked = f"claimed: {row.capability}" if row.capability else "always"
            parts = (row.id, row.sentence, row.level, asked, row.where)
            squares = "".join(f"<td>{_text(part)}</td>" for part in parts)
            yield f'<tr id="{_anchor(row.id)}">{squares}</tr>'
    yield "</tbody></table></div>"


def _headings(*names: str) -> Iterable[str]:
    return (f'<th scope="col">{_text(name)}</th>' for name in names)


def _legend() -> Iterator[str]:
    yield '<h2 id="legend">How to read it</h2><ul class="legend">'
    for verdict in Verdict:
        yield f"<li>{_badge(verdict)} {_text(verdict.meaning)}</li>"
    for mark, meaning in words.MARKS.items():
        yield f'<li><span class="marks">{_text(mark)}</span> {_text(meaning)}</li>'
    yield "</ul>"


# Escaping


def _text(text: str) -> str:
    """Return *text* on one line, for an element or a quoted attribute."""
    return escape(words.one_line(text))


def _link(url: str, label: str) -> str:
    """Return a link; where *url* is not plainly one to a page, the label alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _text(label)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return _text(label)
    return f'<a href="{escape(words.one_line(url))}" rel="noopener nofollow">{_text(label)}</a>'


def _anchor(*parts: str) -> str:
    """Return a name that is the same in every report and has no sign of HTML in it."""
    return ":".join(quote(part, safe="", errors="replace") for part in parts)


def _entry_anchor(cell: Cell) -> str:
    return _anchor(cell.clause, cell.provider, cell.model)
