"""What came of an examination, as values, and its way to JSON and back."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import pytest

from vivavoce import InvalidValue
from vivavoce_contract.report import read_json, write_json
from vivavoce_contract.results import Cell, ClauseRow, ProviderColumn, Run, Verdict, marks_of

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def small(*cells: Cell, **changes: Any) -> Run:
    """Two clauses, the second asked once of the provider, and two models."""
    given: dict[str, Any] = {
        "made_at": NOW,
        "clauses": [
            ClauseRow(id="SYN-01", sentence="It speaks.", area="synthesis"),
            ClauseRow(id="DEC-01", sentence="It tells.", area="declaration", each_model=False),
        ],
        "providers": [ProviderColumn(provider="acme", models=["small", "large"])],
        "cells": cells,
        **changes,
    }
    return Run(**given)


def cell(clause: str, model: str, verdict: str = "pass", **given: Any) -> Cell:
    return Cell(clause=clause, provider="acme", model=model, verdict=verdict, **given)


WHOLE = (cell("SYN-01", "small"), cell("SYN-01", "large"), cell("DEC-01", ""))


def test_what_did_not_run_says_so() -> None:
    """A clause and model without a cell has the verdict NOT RUN, and fails the run."""
    run = small(*WHOLE[1:])
    assert run.cell("SYN-01", "acme", "small").verdict is Verdict.NOT_RUN
    assert [(failure.clause, failure.model) for failure in run.failures()] == [("SYN-01", "small")]
    assert not run.is_good


def test_a_part_does_not_fail_by_what_was_left_out() -> None:
    """In a selected part, what was left out says NOT RUN but fails nothing; what failed does."""
    part = small(WHOLE[0], selection="-k syn")
    assert part.cell("DEC-01", "acme").verdict is Verdict.NOT_RUN
    assert part.is_good
    assert not small(cell("SYN-01", "small", "FAIL"), selection="-k syn").is_good
    assert not small(cell("SYN-01", "small", "NOT RUN"), selection="-k syn").is_good


def test_nothing_examined_is_not_good() -> None:
    """A run that examined nothing is not good, whatever was selected."""
    assert not small(clauses=[], providers=[]).is_good
    assert not small(selection="-k nothing").is_good


def test_a_clause_of_the_provider_answers_for_each_model() -> None:
    """A clause that is asked once of a provider has one place, and answers for every model."""
    run = small(*WHOLE)
    assert run.cell("DEC-01", "acme", "large") == WHOLE[2]
    assert len(run.every_cell()) == 3
    assert run.is_good


@pytest.mark.parametrize("verdict", Verdict)
def test_only_kept_promises_end_well(verdict: Verdict) -> None:
    """Every verdict but pass, declined, deviates and n/a fails the run."""
    run = small(cell("SYN-01", "small", verdict), *WHOLE[1:])
    assert run.is_good is (verdict in ("pass", "declined", "deviates", "n/a"))
    assert verdict.meaning.endswith(".")


@pytest.mark.parametrize(
    "stray",
    [cell("SYN-01", "tiny"), cell("NEW-01", "small"), cell("SYN-01", ""), cell("DEC-01", "small")],
)
def test_no_cell_is_out_of_sight(stray: Cell) -> None:
    """A cell of no clause and model in the run is refused, since no matrix would show it."""
    with pytest.raises(ValueError, match="no such clause and model"):
        small(*WHOLE, stray)


def test_nothing_is_there_twice() -> None:
    """Two cells of one place are refused: the second would hide the first."""
    with pytest.raises(ValueError, match=r"cells has .* twice"):
        small(*WHOLE, cell("SYN-01", "small", "FAIL"))


def test_counts_are_of_the_whole_matrix(run: Run) -> None:
    """The verdicts of a provider, counted, add up to its places, those that did not run too."""
    counts = run.counts("qwen")
    assert sum(counts.values()) == len(run.every_cell("qwen"))
    assert counts[Verdict.NOT_RUN] == 1


@pytest.mark.parametrize(
    ("kinds", "is_stale", "marks"),
    [
        (["synthetic", "documentation", "synthetic"], False, "DS"),
        (["live", "sdk", "emulator"], True, "VEC!"),
        ([], False, "?"),
        (["hearsay", "emulator"], True, "E?!"),
    ],
)
def test_marks(kinds: list[str], is_stale: bool, marks: str) -> None:
    """Marks have a letter for each kind, the strongest first, then ``?`` and ``!``."""
    assert marks_of(kinds, is_stale=is_stale) == marks
    assert cell("SYN-01", "small", marks=marks).marks == marks


# JSON


def test_round_trip(run: Run, hostile: Run, tmp_path: Path) -> None:
    """A run that is written and read again is the same."""
    for each in (run, hostile):
        write_json(each, tmp_path / "report.json")
        assert read_json(tmp_path / "report.json") == each


def test_torn_characters_are_written(tmp_path: Path) -> None:
    """A lone surrogate in a message is written as the escape of JSON, and comes back."""
    torn = small(cell("SYN-01", "small", "FAIL", message="\udc80"), *WHOLE[1:])
    write_json(torn, tmp_path / "report.json")
    assert read_json(tmp_path / "report.json") == torn


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["schema"], 2, "is of schema 2. This release reads schema 1"),
        (["made_at"], "yesterday", "made_at is 'yesterday'. It must be a datetime"),
        (["made_at"], "2026-11-25T00:00:00", "must have a time zone"),
        (
            ["cells", 1, "verdict"],
            "great",
            r"cells\[1\].verdict is 'great'. It must be one of: pass",
        ),
        (["cells", 0, "seconds"], float("nan"), r"cells\[0\] is not valid: 'seconds'"),
        (["cells", 0, "seconds"], True, r"cells\[0\].seconds is True. It must be a number"),
        (["cells", 0, "marks"], "<b>", r"cells\[0\] is not valid: 'marks'"),
        (["cells", 0, "evidence"], {}, r"cells\[0\].evidence is {}. It must be a list"),
        (["cells", 0, "colour"], "red", r"cells\[0\] has the key 'colour', which schema 1"),
        (["providers", 0, "provenance"], {"live": "9"}, "provenance.live is '9'. It must be a num"),
        (["providers", 0, "provenance"], {"live": True}, "provenance.live is True"),
        (["clauses", 0, "level"], "may", r"clauses\[0\] is not valid"),
        (["clauses", 0, "id"], "", r"clauses\[0\] is not valid: id is ''"),
        (["versions"], None, "versions is None. It must be an object"),
    ],
)
def test_a_bad_report_is_refused(path: list[Any], value: object, said: str) -> None:
    """What is not a report is refused with the place, the value and what it must be."""
    plain = small(*WHOLE).as_plain()
    target: Any = plain
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(InvalidValue, match=said):
        Run.from_plain(plain)


def test_a_lacking_key_is_named() -> None:
    """A key that is lacking is named."""
    plain = small(*WHOLE).as_plain()
    del plain["cells"][2]["claim"]
    with pytest.raises(InvalidValue, match=r"cells\[2\] lacks the key 'claim'"):
        Run.from_plain(plain)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '"\xff"'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    """A file that holds something else is refused as an invalid value, never by a crash."""
    (tmp_path / "report.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidValue):
        read_json(tmp_path / "report.json")


# The published schema


def schema() -> Any:
    return json.loads(files("vivavoce_contract.report").joinpath("schema-1.json").read_text())


def unmet(rule: Any, value: Any, where: str = "$") -> list[str]:
    """Return what in *value* breaks *rule*; knows the few words our schema uses."""
    known = {"type", "properties", "required", "additionalProperties", "items", "$ref", "enum"}
    known |= {"const", "pattern", "minLength", "minimum", "format", "description"}
    known |= {"$schema", "$id", "$defs", "title"}
    assert set(rule) <= known, set(rule) - known
    if "$ref" in rule:
        return unmet(schema()["$defs"][rule["$ref"].removeprefix("#/$defs/")], value, where)
    kinds = {"string": str, "object": dict, "array": list, "integer": int, "boolean": bool}
    if type(value) not in (kinds.get(rule.get("type"), type(value)), int | float):
        return [f"{where}: {value!r} is no {rule['type']}"]
    faults = [f"{where}: {value!r}"] * (
        ("enum" in rule and value not in rule["enum"])
        or ("const" in rule and value != rule["const"])
        or not re.search(rule.get("pattern", ""), value if isinstance(value, str) else "")
        or len(value if isinstance(value, str) else "long") < rule.get("minLength", 0)
    )
    if isinstance(value, dict):
        properties = rule.get("properties", {})
        faults += [f"{where} lacks {key}" for key in rule.get("required", ()) if key not in value]
        for key, item in value.items():
            other = rule["additionalProperties"]
            if key not in properties and other is False:
                faults.append(f"{where} has {key}")
            else:
                faults += unmet(properties.get(key, other), item, f"{where}.{key}")
    if isinstance(value, list):
        for n, item in enumerate(value):
            faults += unmet(rule["items"], item, f"{where}[{n}]")
    return faults


def test_reports_keep_the_published_schema(hostile: Run) -> None:
    """What is written keeps the published schema."""
    for each in (small(*WHOLE), hostile):
        assert unmet(schema(), each.as_plain()) == []
    broken = small(*WHOLE).as_plain()
    broken["cells"][0]["verdict"] = "great"
    assert unmet(schema(), broken) == ["$.cells[0].verdict: 'great'"]


def test_the_published_schema_is_the_one_in_the_code() -> None:
    """The published schema has the keys of the values and every verdict, and no other."""
    published = schema()
    named = published["$defs"]
    shapes = {Run: published, Cell: named["cell"], ClauseRow: named["clause"]}
    for value, shape in shapes.items():
        names = [each.name for each in attrs.fields(value) if each.init]
        assert [*shape["properties"]] == shape["required"] == names
    assert named["cell"]["properties"]["verdict"]["enum"] == list(Verdict)
