"""The kit finds single faults seeded into the plugins of this repository."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from seeded_faults import FAULTS, HOUSE, MODELS, PAGE, Fault, contract_of, imported, render

from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Cell

BY_ID = {clause.id: clause for clause in CLAUSES}

# Those whose clause waits for what does not come, or says a text of 10,000 characters.
_SLOW = {"STR-01", "TXT-05", "LIF-06", "TMO-03"}


def _examined(plugin: str, model: str, ids: tuple[str, ...], fault: Fault | None) -> list[Cell]:
    with imported(plugin, fault) as module:
        contract = contract_of(plugin, module, model)
        return list(examine(contract, clauses=[BY_ID[one] for one in ids]).cells)


@cache
def _right(plugin: str, model: str, clause: str) -> Cell:
    (cell,) = _examined(plugin, model, (clause,), None)
    return cell


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=pytest.mark.slow if _SLOW & {*fault.caught_by} else ())
        for fault in FAULTS
    ],
    ids=str,
)
def test_a_fault_is_caught(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    """Each fault is found by each clause that the table names, which the right plugin keeps."""
    found = _examined(fault.plugin, fault.model, fault.caught_by, fault)
    for cell in found:
        record_property(cell.clause, f"{cell.verdict}: {cell.message}")
        print(f"{fault} -> {cell.clause} {cell.verdict}: {cell.message[:120]}")  # noqa: T201 - shown with -rA
    assert not [cell.clause for cell in found if cell.verdict.is_good]
    kept = [_right(fault.plugin, fault.model, one) for one in fault.caught_by]
    assert [cell for cell in kept if not cell.verdict.is_good] == []


def test_the_table_is_large_and_of_all_plugins() -> None:
    """There are forty faults and more, of every plugin, all different."""
    assert len({(fault.plugin, fault.edits) for fault in FAULTS}) == len(FAULTS)
    assert len({str(fault) for fault in FAULTS}) == len(FAULTS) >= 40
    for plugin in MODELS:
        assert sum(fault.plugin == plugin for fault in FAULTS) >= 10


def test_every_area_of_the_kit_catches_a_fault() -> None:
    """Each area of clauses catches a fault, but sessions, which none of these plugins has here."""
    areas = {BY_ID[one].area for fault in FAULTS for one in fault.caught_by}
    assert {clause.area for clause in CLAUSES} - areas == {"sessions", "timeouts"}


def test_a_fault_that_no_longer_fits_is_told() -> None:
    """A fault whose text is not in the plugin, or twice, is refused rather than passed over."""
    for old in ("no such text", "return"):
        fault = Fault("tone", "does nothing", ("SYN-01",), ((old, ""),))
        with pytest.raises(ValueError, match="must be there once"), imported("tone", fault):
            pass


def test_installed_modules_are_put_back() -> None:
    """What is imported meanwhile is forgotten, and the installed plugin is the one there was."""
    import vivavoce_tone

    with imported("tone") as module:
        assert module is not vivavoce_tone
    import vivavoce_tone as after

    assert after is vivavoce_tone
    assert (HOUSE / "plugins") in HOUSE.joinpath(after.__file__ or "").resolve().parents


def test_the_page_is_fresh() -> None:
    """The page of the documentation shows the table as it is."""
    assert PAGE.read_text("utf-8") == render(), "Run: python tools/seeded_faults_page.py"
