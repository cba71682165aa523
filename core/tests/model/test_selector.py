import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.errors import InvalidValue
from vivavoce.model.selector import Selector


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("acme", ("acme", None, None)),
        ("acme/small", ("acme", "small", None)),
        ("acme:Ann", ("acme", None, "Ann")),
        ("acme/small:Ann", ("acme", "small", "Ann")),
        ("acme/team/small:Ann Lee/2:b", ("acme", "team/small", "Ann Lee/2:b")),
    ],
)
def test_reads_and_writes(text, parts):
    """A selector is read into its parts and written back the same."""
    selector = Selector.parse(text)
    assert parts == (selector.provider, selector.model, selector.voice)
    assert text == str(selector)


@pytest.mark.parametrize(
    "text", ["", "/", ":", "Acme", "acme/", "acme:", "acme/:x", "a b", "1a", "acme/m:"]
)
def test_refuses_what_is_none(text):
    """What is no selector is refused with the form to write."""
    with pytest.raises(InvalidValue, match="Write provider"):
        Selector.parse(text)


@given(
    provider=st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True),
    model=st.none() | st.text(st.characters(exclude_characters=":"), min_size=1),
    voice=st.none() | st.text(min_size=1),
)
def test_round_trip(provider, model, voice):
    """Whatever the parts hold, writing and reading gives them back."""
    selector = Selector(provider=provider, model=model, voice=voice)
    assert selector == Selector.parse(str(selector))
