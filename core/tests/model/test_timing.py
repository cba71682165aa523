import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.errors import InvalidValue
from vivavoce.model.timing import Mark


@pytest.mark.parametrize(
    "change",
    [
        {"start_s": 2.0, "end_s": 1.0},
        {"start_s": -1.0},
        {"text_start": 5, "text_end": 4},
        {"text_start": -1},
    ],
)
def test_runs_forward(change):
    """A mark never ends before it starts, in time or in text."""
    values = {"kind": "word", "start_s": 0.0, "end_s": 1.0, "text_start": 0, "text_end": 4}
    with pytest.raises(InvalidValue, match="run forward"):
        Mark(**{**values, **change})


@given(seconds=st.floats(0, 1e6), characters=st.integers(0, 10**7))
def test_shifting_moves_everything(seconds, characters):
    """Shifting moves times and text span together and keeps the rest."""
    mark = Mark(kind="bookmark", start_s=1.0, end_s=2.0, text_start=3, text_end=7, value="here")
    moved = mark.shifted(seconds=seconds, characters=characters)
    assert (1.0 + seconds, 2.0 + seconds) == (moved.start_s, moved.end_s)
    assert (3 + characters, 7 + characters) == (moved.text_start, moved.text_end)
    assert ("here", mark.kind, mark.origin) == (moved.value, moved.kind, moved.origin)
