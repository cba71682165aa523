"""Right providers in this process, which do all that can be claimed there or nothing of it."""

from __future__ import annotations

import pytest
from local_providers import (
    FREE,
    INFO,
    MODEST_INFO,
    PAID,
    Plugin,
    Speech,
    claimed,
    contract_of,
    made,
)

from vivavoce.authoring import Option
from vivavoce_contract.case import is_networked
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Run, Verdict

ASKED_OF_FEW = {
    "DEC-01": "only of what is installed, which these are not",
    "SYN-06": "only where another client was recorded",
    "TXT-05": "only where a limit is claimed",
    **{f"VOI-0{n}": "only of who makes voices, as test_wrong_makers.py does" for n in range(1, 6)},
}


class _Gushing(Speech):
    """Never waits for its reader."""

    buffer_bytes = None


class _Creeping(Speech):
    """Makes nothing before its reader has taken what it made last."""

    buffer_bytes = 0


RIGHT = {
    "full": (Plugin(info=INFO), ("free", "paid")),
    "modest": (Plugin(info=MODEST_INFO), ("plain",)),
    "gushing": (made(_Gushing), ("free",)),
    "creeping": (made(_Creeping), ("free",)),
}


def _verdicts(run: Run, clause: str) -> set[Verdict]:
    return {cell.verdict for cell in run.cells if cell.clause == clause}


@pytest.fixture(scope="module", params=list(RIGHT))
def run(request: pytest.FixtureRequest) -> Run:
    plugin, models = RIGHT[request.param]
    return examine(contract_of(plugin, *models))


def test_a_right_provider_passes_every_clause(run: Run) -> None:
    """A provider that does what it claims fails no clause."""
    assert [str(cell) for cell in run.failures()] == []
    assert run.is_good


def test_a_right_provider_is_asked_all_that_is_not_about_networks(run: Run) -> None:
    """What is not asked of a provider in this process is about networks, or named here."""
    unasked = {clause.id for clause in CLAUSES if _verdicts(run, clause.id) == {Verdict.NOT_ASKED}}
    networked = {
        clause.id
        for clause in CLAUSES
        if getattr(clause.applies, "__name__", "") in ("_networked", "_on_network", "_on_http")
    }
    assert unasked - networked <= set(ASKED_OF_FEW)
    assert networked <= unasked
    assert not any(map(is_networked, (FREE, PAID, *MODEST_INFO.models)))


def test_what_is_claimed_passes_and_what_is_not_is_declined() -> None:
    """Of the modest provider every capability is declined; of the full one nearly all pass."""
    about = [
        clause.id
        for clause in CLAUSES
        if clause.capability and getattr(clause.applies, "__name__", "") != "_networked"
    ]
    offered = {clause.id for clause in CLAUSES if clause.by_offer}
    modest = examine(contract_of(*_of("modest")))
    assert {clause for clause in about if _verdicts(modest, clause) != {Verdict.DECLINED}} == set()
    full = examine(contract_of(*_of("full")))
    never = {clause for clause in about if Verdict.PASS not in _verdicts(full, clause)}
    # Nobody here compresses audio, which is where there are bit rates, nor makes voices.
    assert never - offered == {"FMT-05"}


def _of(name: str) -> tuple[object, ...]:
    plugin, models = RIGHT[name]
    return (plugin, *models)


def test_a_bit_rate_with_its_option_passes() -> None:
    """What no other right provider claims here, a bit rate, passes where an option sets it."""
    option = Option(name="bit_rate", meaning="kilobits a second", type=int, minimum=8)
    plugin = made(claims={"bit_rate": claimed()}, card={"options": (*FREE.options, option)})
    run = examine(contract_of(plugin, "free"))
    assert run.is_good
    assert _verdicts(run, "FMT-05") == {Verdict.PASS}
