import pytest

from vivavoce.errors import InvalidValue
from vivavoce.model.capability import NAMES, Capabilities, Support, no, unknown, yes


def test_unstated_is_unknown():
    """What a card does not state is unknown, not no."""
    assert all(claim.support is Support.UNKNOWN for _, claim in Capabilities())


@pytest.mark.parametrize(("claim", "truth"), [(yes(), True), (no(), False), (unknown(), False)])
def test_only_yes_is_true(claim, truth):
    """Only a plain yes counts as true; unknown does not."""
    assert truth is bool(claim)


def test_by_name():
    """A claim is found by its name."""
    assert yes(maximum=3) == Capabilities(rate=yes(maximum=3))["rate"]


def test_unknown_name_lists_the_known():
    """Asking for a capability that does not exist names those that do."""
    with pytest.raises(InvalidValue, match=r"'telepathy' is no capability.*word_marks"):
        Capabilities()["telepathy"]


def test_every_capability_has_a_meaning():
    """Every capability says what it is about."""
    assert all(Capabilities.meaning(name) for name in NAMES)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (yes("en", "de"), "yes: en, de"),
        (yes(minimum=0.5, maximum=2, unit="ratio"), "yes: 0.5 to 2 ratio"),
        (yes(maximum=600, unit="characters"), "yes: up to 600 characters"),
        (no("why not"), "no"),
    ],
)
def test_reads_as_a_sentence(claim, text):
    """A claim prints its support, values and limits."""
    assert text == str(claim)
