"""
From a clause and a case to a verdict.

The body of every clause runs, whether its capability is claimed or not: where it is not, the
wish must be refused by type, with nothing sent. That is how a claim that is too small is found.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version

import attrs
import pytest

from vivavoce import SynthesizerInfo, UsageError
from vivavoce_contract import results
from vivavoce_contract.case import Case, NoEvidence, SentOtherwise, Subject
from vivavoce_contract.clause import Clause, Unmet
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.contract import ProviderContract, completed, sample_of, subject_of
from vivavoce_contract.results import Cell, ClauseRow, ProviderColumn, Run, Verdict, marks_of
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.provenance import WORDS, count, provenance

__all__ = ["Judged", "column_of", "deviated", "examine", "judge", "rows", "run_of", "versions"]


@attrs.frozen(kw_only=True)
class Judged:
    """
    A verdict before deviations.

    Attributes:
        verdict: The verdict.
        message: What was found.
        tapes: The tapes that were played.
        claim: What was claimed.
        error: What the body raised, or None.
        seconds: How long it took.
    """

    verdict: Verdict
    message: str = ""
    tapes: tuple[Tape, ...] = ()
    claim: str = ""
    error: BaseException | None = None
    seconds: float = 0.0


def judge(clause: Clause, subject: Subject, card_name: str) -> Judged:
    """Run the body of *clause* for one model, and say what its outcome means."""
    card = subject.registry.model(subject.info, card_name)
    case = Case(subject=subject, card=card, capability=clause.capability)
    if clause.by_offer:
        case.offered_for = card.name if clause.each_model else "any"
    claim = case.claim
    if not clause.applies(case):
        return Judged(verdict=Verdict.NOT_ASKED, claim=claim)
    begun = time.perf_counter()
    with _own_environment(subject.info):
        verdict, message, error = _outcome(clause, case)
    return Judged(
        verdict=verdict,
        message=message,
        tapes=tuple({id(tape): tape for tape in case.used}.values()),
        claim=claim,
        error=error,
        seconds=time.perf_counter() - begun,
    )


def _outcome(clause: Clause, case: Case) -> tuple[Verdict, str, BaseException | None]:
    try:
        clause.body(case)
    except pytest.skip.Exception as error:
        return Verdict.SELF_SKIP, f"it skipped itself: {error}", error
    except pytest.xfail.Exception as error:
        return Verdict.SELF_SKIP, f"it expects itself to fail: {error}", error
    except NoEvidence as error:
        return Verdict.NO_EVIDENCE, str(error), error
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a verdict
        return (*_failure(clause, case, error), error)
    if clause.capability and not case.is_claimed:
        name = clause.capability
        return Verdict.UNDER_CLAIM, f"{name} is not claimed, and was done all the same", None
    return Verdict.PASS, "", None


def _failure(clause: Clause, case: Case, error: Exception) -> tuple[Verdict, str]:
    said = str(error) if isinstance(error, Unmet | SentOtherwise) else _told(error)
    if not clause.capability:
        return Verdict.FAIL, said
    if case.is_claimed:
        return Verdict.OVER_CLAIM, said
    was_sent = any(stage.was_sent for stage in case.stages)
    if isinstance(error, clause.refusal) and isinstance(error, UsageError):
        if not was_sent:
            return Verdict.DECLINED, _told(error)
        return Verdict.BAD_REFUSAL, f"something was sent before it was refused: {_told(error)}"
    kinds = " or ".join(kind.__name__ for kind in clause.refusal)
    return Verdict.BAD_REFUSAL, f"it is not refused by {kinds}, but: {said}"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def _own_environment(info: SynthesizerInfo) -> Iterator[None]:
    """Hide the user's own keys and addresses: what is examined is told everything."""
    names = {
        *info.credential_env,
        *(name for several in info.settings.values() for name in several),
    }
    prefix = f"VIVAVOCE_{info.name}_".upper().replace("-", "_")
    environment = os.environ  # noqa: TID251 - hidden here, and put back
    hidden = {
        name: environment.pop(name)
        for name in list(environment)
        if name in names or name.startswith(prefix)
    }
    try:
        yield
    finally:
        environment.update(hidden)


def deviated(
    judged: Judged, clause: Clause, model: str, contract: type[ProviderContract], today: date
) -> Judged:
    """Return *judged* as the deviations that the contract names make it."""
    deviation = contract.deviations.get(f"{clause.id}@{model}") or contract.deviations.get(
        clause.id
    )
    if deviation is None:
        return judged
    because = f"{deviation.reason} ({deviation.link}, until {deviation.expires})"
    if judged.verdict.is_good:
        said = f"it is kept, and is said to deviate: {because}"
        return attrs.evolve(judged, verdict=Verdict.STALE_DEVIATION, message=said)
    if judged.verdict in (Verdict.SELF_SKIP, Verdict.NO_EVIDENCE):
        # Neither shows that the promise is broken, which is what a deviation is about.
        return judged
    if deviation.expires < today:
        said = f"the deviation has expired: {because}. {judged.message}"
        return attrs.evolve(judged, verdict=Verdict.STALE_DEVIATION, message=said)
    return attrs.evolve(judged, verdict=Verdict.DEVIATES, message=f"{because}: {judged.message}")


def cell_of(judged: Judged, clause: Clause, provider: str, model: str, today: date) -> Cell:
    """Return *judged* as a cell of the report."""
    found = [(tape, provenance(tape, today)) for tape in judged.tapes]
    marks = ""
    if found:
        kinds = [str(known.kind) for _, known in found]
        marks = marks_of(kinds, is_stale=any(known.is_stale for _, known in found))
    elif judged.verdict is Verdict.NO_EVIDENCE:
        marks = "?"
    return Cell(
        clause=clause.id,
        provider=provider,
        model=model if clause.each_model else "",
        verdict=judged.verdict,
        marks=marks,
        message=judged.message,
        evidence=tuple(
            results.Evidence(
                tape=".".join(part for part in (tape.header.model, tape.header.scenario) if part),
                kind=str(known.kind),
                name=" ".join(
                    part for part in (tape.header.source.name, tape.header.source.version) if part
                ),
                recorded_at=tape.header.recorded_at.isoformat(),
                url=tape.header.source.url,
            )
            for tape, known in found
        ),
        claim=judged.claim,
        seconds=judged.seconds,
    )


def today() -> date:
    """Return the date, by which deviations and tapes get old."""
    return datetime.now(UTC).date()


def rows(clauses: Iterable[Clause] = CLAUSES) -> tuple[ClauseRow, ...]:
    """Return the clauses as rows of a report."""
    return tuple(
        ClauseRow(
            id=clause.id,
            sentence=clause.sentence,
            level=clause.level,
            area=clause.area,
            capability=clause.capability,
            where=clause.where,
            each_model=clause.each_model,
        )
        for clause in clauses
    )


def column_of(contract: type[ProviderContract], subject: Subject, today: date) -> ProviderColumn:
    """Return who is examined as a group of columns."""
    cards, sample = sample_of(contract, subject)
    tapes = [tape for name in subject.library if (tape := subject.library.get(name)) is not None]
    return ProviderColumn(
        provider=subject.info.name,
        models=tuple(card.name for card in cards),
        sample=sample,
        provenance={WORDS[kind]: amount for kind, amount in count(tapes, today).items()},
        distribution=subject.registry.origin(subject.info.name),
    )


def versions() -> dict[str, str]:
    """Return the versions that a report tells."""
    told = {"python": platform.python_version()}
    for name in ("vivavoce", "vivavoce-contract", "pytest"):
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            told[name] = "not installed"
    return told


def run_of(
    columns: Iterable[ProviderColumn],
    cells: Iterable[Cell],
    deviations: Iterable[results.Deviation] = (),
    *,
    selection: str = "",
    clauses: Iterable[Clause] = CLAUSES,
    more_versions: Mapping[str, str] | None = None,
) -> Run:
    """Return a run, made now."""
    return Run(
        made_at=datetime.now(UTC),
        versions={**versions(), **(more_versions or {})},
        clauses=rows(clauses),
        providers=tuple(columns),
        cells=tuple(cells),
        deviations=tuple(deviations),
        selection=selection,
    )


def run_of_plain(
    columns: Iterable[object],
    cells: Iterable[object],
    deviations: Iterable[object],
    *,
    selection: str,
) -> Run:
    """Return a run of plain values, as other processes give them."""
    return run_of(
        [results.from_plain(ProviderColumn, one) for one in columns],
        [results.from_plain(Cell, one) for one in cells],
        [results.from_plain(results.Deviation, one) for one in deviations],
        selection=selection,
    )


def deviations_of(contract: type[ProviderContract], provider: str) -> list[results.Deviation]:
    """Return the deviations that a contract names, as the report tells them."""
    return [
        results.Deviation(
            clause=key.partition("@")[0],
            provider=provider,
            model=key.partition("@")[2],
            reason=deviation.reason,
            link=deviation.link,
            expires=deviation.expires,
        )
        for key, deviation in contract.deviations.items()
    ]


def examine(
    contract: type[ProviderContract],
    *,
    clauses: Iterable[Clause] = CLAUSES,
    on: date | None = None,
    on_cell: Callable[[Cell], None] | None = None,
) -> Run:
    """
    Examine a provider without pytest, and return what came of it.

    Args:
        contract: What its author wrote.
        clauses: Which clauses; all by default.
        on: The date, by which deviations and tapes get old; None for that of now.
        on_cell: Told of each cell as it is there.
    """
    now = on or today()
    asked = tuple(clauses)
    contract = completed(contract)
    subject = subject_of(contract)
    cards, _ = sample_of(contract, subject)
    cells = []
    for clause in asked:
        for card in cards if clause.each_model else cards[:1]:
            judged = judge(clause, subject, card.name)
            judged = deviated(judged, clause, card.name, contract, now)
            cells.append(cell_of(judged, clause, subject.info.name, card.name, now))
            if on_cell is not None:
                on_cell(cells[-1])
    return run_of(
        [column_of(contract, subject, now)],
        cells,
        deviations_of(contract, subject.info.name),
        clauses=asked,
    )
