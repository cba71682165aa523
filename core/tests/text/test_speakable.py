import sys
import unicodedata

import pytest

from vivavoce.errors import InvalidValue
from vivavoce.text.speakable import check_text, has_speakable


def test_letters_numbers_and_symbols_are_speakable():
    """Every character of categories L, N and S but Sk is speakable, and no other."""
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        expected = category[0] in "LN" or (category[0] == "S" and category != "Sk")
        assert has_speakable(chr(code)) == expected, hex(code)


@pytest.mark.parametrize("text", ["a", " .5", "€", "😀", "\n\n你", "..." * 100_000 + "x", "_a"])
def test_good_text_passes(text):
    """A text with something to speak is accepted."""
    check_text(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The text is empty"),
        (" \n\t", "The text of 3 characters holds nothing to speak"),
        ("...!?_^", "holds nothing to speak"),
        ("\u0301\u200d", "holds nothing to speak"),
        ("." * 1_000_000, "The text of 1000000 characters holds nothing"),
        ("abc\ud800", "lone surrogate, '\\ud800', at index 3"),
        ("a\x00b", "NUL character at index 1"),
    ],
)
def test_bad_text_is_refused(text, message):
    """A text no voice can speak is refused with the reason, the place and no quotation of it."""
    with pytest.raises(InvalidValue) as caught:
        check_text(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250
