"""Right providers behind a network, of three kinds of wire, pass every clause."""

import pytest
from local_providers import Plugin
from network_providers import (
    BARE_INFO,
    INFO,
    WHOLE_INFO,
    contract_of,
    failing,
    plain_tapes,
    talker,
    tapes_with_session,
    verdicts,
)

from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Verdict


@pytest.fixture(scope="module")
def run():
    return examine(contract_of(Plugin(info=INFO)))


def said(run):
    """What is said where it fails, to be read in the assertion."""
    return [f"{cell.clause} {cell.model} {cell.verdict}: {cell.message}" for cell in run.failures()]


def test_right_provider_passes_all(run):
    """A right provider behind a network, with all it may claim, fails no clause."""
    assert said(run) == []
    assert run.is_good


def test_every_clause_of_the_network_is_asked(run):
    """Of a right provider behind a network all is asked but what is of installed ones or makers."""
    found = verdicts(run)
    unasked = [
        clause.id for clause in CLAUSES if set(found[clause.id].values()) == {Verdict.NOT_ASKED}
    ]
    assert unasked == ["DEC-01", *(f"VOI-0{n}" for n in range(1, 6))]


def test_what_is_claimed_passes_and_the_rest_is_declined(run):
    """A claimed capability passes with the model that claims it, and is declined by the other."""
    found = verdicts(run)
    for clause in ("INS-01", "PRO-01", "PRO-02", "PRO-03", "SML-01"):
        assert found[clause] == {"swift": Verdict.PASS, "mine": Verdict.DECLINED}
    assert found["OWN-01"] == {"swift": Verdict.DECLINED, "mine": Verdict.PASS}
    assert set(found["SES-01"].values()) == {Verdict.DECLINED}


def test_right_talker_passes_all():
    """A right provider with sessions of its own fails no clause, and those of sessions pass."""
    run = examine(contract_of(talker(), "swift", tapes=tapes_with_session()))
    assert said(run) == []
    sessions = [cell for cell in run.every_cell() if cell.clause.startswith("SES-")]
    assert {cell.verdict for cell in sessions} == {Verdict.PASS}


@pytest.mark.parametrize("info", [BARE_INFO, WHOLE_INFO], ids=lambda info: info.name)
def test_plain_providers_pass_all(info):
    """A right provider whose reply is bare audio, or comes as a whole, fails no clause either."""
    run = examine(contract_of(Plugin(info=info), "plain", tapes=plain_tapes(info.name)))
    assert said(run) == []
    assert failing(run) == {}


def test_one_that_does_not_stream_is_declined():
    """Who claims no streaming, and gives all at once, is declined by STR-01."""
    streaming = [clause for clause in CLAUSES if clause.id == "STR-01"]
    run = examine(
        contract_of(Plugin(info=WHOLE_INFO), "plain", tapes=plain_tapes("whole-net")),
        clauses=streaming,
    )
    assert [cell.verdict for cell in run.every_cell()] == [Verdict.DECLINED]
