import pytest

from vivavoce.errors import InvalidValue, UnknownLanguage
from vivavoce.model.timing import MarkKind
from vivavoce.model.utterance import Utterance


@pytest.mark.parametrize("language", ["english!", "", "e", "en_US", "-en", "en-"])
def test_language_has_the_form_of_a_tag(language):
    """A language that has not the form of a BCP-47 tag is refused."""
    with pytest.raises(UnknownLanguage, match="BCP-47"):
        Utterance(text="x", language=language)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": b"x"}, "not bytes"),
        ({"format": "aac"}, "no audio format"),
        ({"sample_rate_hz": 5}, "5 Hz"),
        ({"channels": 6}, "6 channels"),
        ({"instructions": "  "}, "instructions are empty"),
        ({"marks": ["melody"]}, "marks is a set of"),
        ({"marks": 3}, "marks is a set of"),
    ],
)
def test_refuses(change, message):
    """A field outside its range is refused when the utterance is made."""
    with pytest.raises(InvalidValue, match=message):
        Utterance(**{"text": "x", **change})


def test_marks_are_kinds():
    """Kinds of marks may be given by name."""
    assert frozenset({MarkKind.WORD}) == Utterance(text="x", marks=["word"]).marks


def test_options_cannot_be_changed():
    """Options are a copy that cannot be changed afterwards."""
    given = {"a": 1}
    utterance = Utterance(text="x", options=given)
    given["a"] = 2
    assert utterance.options["a"] == 1
    with pytest.raises(TypeError):
        utterance.options["a"] = 3
