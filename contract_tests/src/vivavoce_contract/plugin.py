"""
The pytest plugin: runs clauses as tests, and lets nothing be skipped.

A clause that is skipped, marked, overridden or dropped fails the run, and the report says which
of these it was: its rows come from the list of clauses, not from what was collected.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vivavoce_contract.case import Subject
    from vivavoce_contract.clause import Clause
    from vivavoce_contract.contract import ProviderContract
    from vivavoce_contract.results import Cell, Run

__all__ = ["Asked"]

_WAYS_ROUND = ("skip", "skipif", "xfail")
_WORKER_KEY = "vivavoce_contract"


class Asked:
    """What ``vivavoce contract`` was asked for, for the module it lets pytest collect."""

    provider: str = ""
    models: tuple[str, ...] = ()
    cassettes: Path | None = None


class _Store:
    """What came of it: plain values, since with pytest-xdist they come from other processes."""

    def __init__(self) -> None:
        self.columns: dict[str, dict[str, Any]] = {}
        self.deviations: list[dict[str, Any]] = []
        self.cells: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.deselected = 0
        self.run: Run | None = None

    def note(self, cell: dict[str, Any]) -> None:
        """Keep a cell; of two of the same place the first, which says more."""
        key = (cell["clause"], cell["provider"], cell.get("model", ""))
        self.cells.setdefault(key, cell)

    def as_plain(self) -> dict[str, Any]:
        """Return it for another process."""
        return {
            "columns": self.columns,
            "deviations": self.deviations,
            "cells": list(self.cells.values()),
            "deselected": self.deselected,
        }

    def merge(self, plain: dict[str, Any]) -> None:
        """Take in what another process gave."""
        # Every worker collects everything, so contracts and what was left out come again.
        self.columns.update(plain["columns"])
        self.deviations += [one for one in plain["deviations"] if one not in self.deviations]
        self.deselected = max(self.deselected, plain["deselected"])
        for cell in plain["cells"]:
            self.note(cell)


_STORE = pytest.StashKey[_Store]()
_ROUND = pytest.StashKey[list[str]]()
_CONTRACTS: dict[type, tuple[type[ProviderContract], Subject, list[str]]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that asks for reports."""
    parser.getgroup("vivavoce", "contract of vivavoce providers").addoption(
        "--contract-report",
        metavar="DIR",
        help="write report.json, report.md and report.html of the contract into this folder",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what comes."""
    config.stash[_STORE] = _Store()


# Collecting


def _contract_of(item: object) -> type[ProviderContract] | None:
    """Return the contract whose test *item* is, or None."""
    kind = getattr(item, "cls", None)
    # By name first, so that nothing is loaded in the many runs that hold no contract.
    if not isinstance(kind, type) or not any(
        base.__module__ == "vivavoce_contract.contract" for base in kind.__mro__
    ):
        return None
    return kind


def _clause_of(name: str) -> Clause | None:
    from vivavoce_contract.clauses import CLAUSES

    return next((clause for clause in CLAUSES if clause.test_name == name), None)


def _examined(
    contract: type[ProviderContract], near: Path
) -> tuple[type[ProviderContract], Subject, list[str]]:
    """Return the completed contract, its subject and the models examined; made once."""
    if contract not in _CONTRACTS:
        from vivavoce_contract.contract import completed, sample_of, subject_of

        whole = completed(contract, near)
        subject = subject_of(whole, near)
        cards, _ = sample_of(whole, subject)
        _CONTRACTS[contract] = (whole, subject, [card.name for card in cards])
    return _CONTRACTS[contract]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask a clause of each model that is examined, or once of the provider."""
    contract = _contract_of(metafunc)
    if contract is None or "vivavoce_ask" not in metafunc.fixturenames:
        return
    clause = _clause_of(metafunc.function.__name__)
    if clause is not None:
        _, _, models = _examined(contract, metafunc.definition.path.parent)
        chosen = models if clause.each_model else models[:1]
        metafunc.parametrize("vivavoce_ask", chosen, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the contracts, and take marks off that would keep a clause from running."""
    for item in items:
        contract = _contract_of(item)
        if contract is None:
            continue
        _enter(config.stash[_STORE], contract, item.path.parent)
        if found := [mark.name for mark in item.iter_markers() if mark.name in _WAYS_ROUND]:
            item.stash[_ROUND] = found
            _hide_marks(item)


def _enter(store: _Store, contract: type[ProviderContract], near: Path) -> None:
    from vivavoce_contract.engine import column_of, deviations_of, today
    from vivavoce_contract.results import as_plain

    whole, subject, _ = _examined(contract, near)
    if subject.info.name not in store.columns:
        store.columns[subject.info.name] = as_plain(column_of(whole, subject, today()))
        store.deviations += [as_plain(one) for one in deviations_of(whole, subject.info.name)]


def _hide_marks(item: pytest.Item) -> None:
    """Let *item* alone forget the marks: others of its file may be marked for good reasons."""
    original = item.iter_markers_with_node

    def visible(name: str | None = None) -> Iterator[Any]:
        return (pair for pair in original(name) if pair[1].name not in _WAYS_ROUND)

    item.iter_markers_with_node = visible  # type: ignore[method-assign]


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what a selection left out: then a missing cell is no failure, but is told."""
    for item in items:
        if _contract_of(item) is not None:
            item.config.stash[_STORE].deselected += 1


# Running


@pytest.fixture
def vivavoce_ask(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Ask one clause of one model, note the verdict, and fail where it is no good one."""

    def ask(clause: Clause, contract: type[ProviderContract]) -> None:
        from vivavoce_contract.engine import cell_of, deviated, judge, today
        from vivavoce_contract.results import as_plain

        whole, subject, _ = _examined(contract, request.path.parent)
        model: str = request.param
        judged = deviated(judge(clause, subject, model), clause, model, whole, today())
        cell = cell_of(judged, clause, subject.info.name, model, today())
        request.config.stash[_STORE].note(as_plain(cell))
        if not cell.is_good:
            pytest.fail(_explained(cell, clause), pytrace=False)

    return ask


def _explained(cell: Cell, clause: Clause) -> str:
    """Return the failure in words: clause, promise, what was found, evidence, where to look."""
    lines = [
        f"{clause.id} {cell.verdict.value}: {cell.provider}/{cell.model}".rstrip("/"),
        f"  promise:  {clause.sentence}",
        f"  found:    {cell.message}",
    ]
    if cell.claim:
        lines.append(f"  claim:    {clause.capability}: {cell.claim}")
    tapes = ", ".join(f"{one.tape} ({one.kind})" for one in cell.evidence)
    lines.append(f"  evidence: {tapes or 'the provider itself, in this process'}")
    lines.append(f"  look at:  {clause.where}")
    return "\n".join(lines)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Do not run what stands in a clause's place, nor let a mark pass unseen."""
    contract = _contract_of(pyfuncitem)
    if contract is not None and _clause_of(pyfuncitem.originalname) is not None:
        from vivavoce_contract.contract import ProviderContract

        if pyfuncitem.function is not getattr(ProviderContract, pyfuncitem.originalname):
            _fail_as(pyfuncitem, "OVERRIDDEN", "another test was put in its place")
        if marks := pyfuncitem.stash.get(_ROUND, None):
            _fail_as(pyfuncitem, "MARKED", f"its test is marked {', '.join(marks)}")
    return (yield)


def _fail_as(item: pytest.Function, verdict: str, message: str) -> None:
    clause = _clause_of(item.originalname)
    assert clause is not None
    _note_as(item, clause, verdict, message)
    pytest.fail(f"{clause.id} {verdict}: {message}.\n  promise:  {clause.sentence}", pytrace=False)


def _note_as(item: pytest.Function, clause: Clause, verdict: str, message: str) -> None:
    contract = _contract_of(item)
    assert contract is not None
    _, subject, models = _examined(contract, item.path.parent)
    spec = getattr(item, "callspec", None)
    chosen = models[:1] if spec is None else [str(spec.params.get("vivavoce_ask", models[0]))]
    if spec is None and clause.each_model:
        chosen = models  # replaced by one that is asked of nobody in particular
    from vivavoce_contract.results import Cell, as_plain

    for model in chosen:
        cell = Cell(
            clause=clause.id,
            provider=subject.info.name,
            model=model if clause.each_model else "",
            verdict=verdict,
            message=message,
        )
        item.config.stash[_STORE].note(as_plain(cell))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Turn whatever skips, or expects to fail, into a failure, whoever does it and when."""
    report = yield
    if _contract_of(item) is None or not isinstance(item, pytest.Function):
        return report
    clause = _clause_of(item.originalname)
    if clause is None or not (report.outcome == "skipped" or hasattr(report, "wasxfail")):
        return report
    if hasattr(report, "wasxfail"):
        del report.wasxfail
    said = str(call.excinfo.value) if call.excinfo is not None else ""
    message = f"it skipped itself ({call.when}): {said}"
    _note_as(item, clause, "SELF-SKIP", message)
    report.outcome = "failed"
    report.longrepr = f"{clause.id} SELF-SKIP: {message}\n  promise:  {clause.sentence}"
    return report


# The end


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a worker of pytest-xdist found."""
    if plain := getattr(node, "workeroutput", {}).get(_WORKER_KEY):
        node.config.stash[_STORE].merge(plain)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hold what came against the list of clauses: what did not run fails the run."""
    config = session.config
    store = config.stash[_STORE]
    if hasattr(config, "workeroutput"):
        config.workeroutput[_WORKER_KEY] = store.as_plain()
        return
    if not store.columns or config.option.collectonly:
        return
    from vivavoce_contract.engine import run_of_plain

    store.run = run_of_plain(
        list(store.columns.values()),
        list(store.cells.values()),
        store.deviations,
        selection=_selection(config, store),
    )
    if folder := config.option.contract_report:
        from vivavoce_contract.report import write_all

        write_all(store.run, Path(folder))
    if not store.run.is_good and session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _selection(config: pytest.Config, store: _Store) -> str:
    """Return how the run was narrowed down, or empty for the whole."""
    parts = [f"-k {config.option.keyword}"] if config.option.keyword else []
    if config.option.markexpr and store.deselected:
        parts.append(f"-m {config.option.markexpr}")
    parts += [arg for arg in config.args if "::" in arg]
    if config.option.maxfail:
        parts.append(f"up to {config.option.maxfail} failures")
    # Absent where pytest's cache is switched off.
    if getattr(config.option, "lf", False):
        parts.append("what failed last")
    if store.deselected and not parts:
        parts.append(f"{store.deselected} left out")
    return " ".join(parts)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the matrix."""
    run = config.stash[_STORE].run
    if run is None:
        return
    from vivavoce_contract.report.terminal import render_terminal

    width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest has no public name for it
    terminalreporter.section("contract of providers")
    terminalreporter.write_line(render_terminal(run, width))
