from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from vivavoce_qwen_emulator.checks import is_speakable
from vivavoce_qwen_emulator.sessions import TextBuffer

TEXTS = st.text(st.sampled_from('ab字 .?!…。！」")\n\t'), max_size=40)


def grouped(pieces, limit):
    buffer = TextBuffer(limit)
    groups = []
    for piece in pieces:
        buffer.add(piece)
        groups += buffer.take_groups()
    return [*groups, buffer.take()]


@given(text=TEXTS, cuts=st.sets(st.integers(0, 40)), limit=st.integers(1, 20))
@example(text="a b.  ", cuts={4}, limit=4)
def test_any_cut_gives_the_same_groups(text, cuts, limit):
    """However a text is cut, its groups are the same, within the limit, and all of its letters."""
    borders = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(borders)]
    groups = grouped(pieces, limit)
    assert groups == grouped([text], limit)
    assert all(len(group) <= limit for group in groups)
    assert "".join("".join(groups).split()) == "".join(text.split())


@given(text=TEXTS)
def test_signs_are_no_group(text):
    """Signs alone are not spoken for themselves, but go with what follows."""
    *complete, _rest = grouped([text], 1_000)
    assert all(map(is_speakable, complete))
