import itertools
import sys
import tracemalloc
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.errors import InvalidValue
from vivavoce.text import segment as segment_module
from vivavoce.text.segment import WINDOW_CHARS, Segmenter, segment_text
from vivavoce.text.speakable import has_speakable

# Text as it comes, mixed with what is known to be awkward.
AWKWARD = st.sampled_from(
    [
        "Dr. ",
        "A.\u00a0B. ",
        "J.\u2028R. ",
        ". ",
        "! ",
        "。",
        "，",
        ", ",
        "\r\n",
        "\n\n",
        "   ",
        '("',
        "e\u0301\u0323",
        "👩\u200d🚀",
        "👍🏽",
        "🇩🇪",
        "\u1100\u1161\u11a8",
        "क्ष",
        "\ud800",
        "\x00",
        "word ",
        "…",
    ]
)
TEXTS = st.lists(st.one_of(st.text(max_size=20), AWKWARD), max_size=60).map("".join)


def texts(segments):
    return [segment.text for segment in segments]


def longest_cluster(text):
    borders = [i for i in range(len(text) + 1) if not segment_module._is_inside_cluster(text, i)]
    return max(after - before for before, after in itertools.pairwise(borders))


def utf8_bytes(text):
    return len(text.encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(TEXTS, st.integers(1, 200), st.integers(1, 300), st.none() | st.integers(1, 50))
def test_segments_joined_are_the_text(text, max_chars, target, first):
    """The segments' texts, joined, are the text, within the limit or refused."""
    try:
        found = list(
            segment_text(text, max_chars=max_chars, target_chars=target, first_chars=first)
        )
    except InvalidValue:
        # Only a cluster that is longer than the limit may stop it.
        assert max_chars < longest_cluster(text)
        return
    assert "".join(texts(found)) == text
    assert all(0 < len(segment.text) <= max_chars for segment in found)
    assert [text[s.start : s.start + len(s.text)] for s in found] == texts(found)
    assert [segment.is_last for segment in found] == [False] * (len(found) - 1) + [True] * bool(
        found
    )


@settings(deadline=None)
@given(TEXTS, st.integers(30, 90))
def test_another_measure_is_kept(text, limit):
    """No segment measures more than the limit when it counts bytes."""
    found = list(segment_text(text, max_chars=limit, target_chars=50, measure=utf8_bytes))
    assert "".join(texts(found)) == text
    assert all(utf8_bytes(segment.text) <= limit for segment in found)


@settings(deadline=None)
@given(TEXTS, st.none() | st.integers(30, 200), st.lists(st.integers(0, 30), max_size=40))
def test_any_slicing_gives_the_text(text, max_chars, cuts):
    """Pushing a text in any pieces gives segments that, joined, are the text."""
    segmenter, released, place = Segmenter(max_chars=max_chars, target_chars=40), [], 0
    for cut in cuts:
        released += segmenter.push(text[place : place + cut])
        place += cut
    released += segmenter.push(text[place:])
    assert not any(segment.is_last for segment in released)
    released += segmenter.flush()
    assert "".join(texts(released)) == text
    assert [text[s.start : s.start + len(s.text)] for s in released] == texts(released)
    assert [s.is_last for s in released][-1:] == [True] * bool(text)


@settings(deadline=None)
@given(TEXTS, st.integers(30, 60))
def test_no_letter_is_parted_from_its_accents(text, max_chars):
    """No segment begins with a combining mark, a skin tone, or within CR LF or a ZWJ sequence."""
    found = texts(segment_text(text, max_chars=max_chars, target_chars=10))
    for before, after in itertools.pairwise(found):
        assert unicodedata.category(after[0])[0] != "M"
        assert not "\U0001f3fb" <= after[0] <= "\U0001f3ff"
        assert before[-1] != "\u200d"
        assert before[-1] + after[0] != "\r\n"


@pytest.mark.parametrize(
    "whole", ["e\u0301", "👩\u200d🚀", "👍🏽", "🇩🇪", "\u1100\u1161\u11a8", "क्ष"]
)
def test_a_run_of_clusters_is_cut_between_them(whole):
    """A text without spaces is cut between what is seen as characters."""
    found = texts(segment_text(whole * 50, max_chars=7))
    assert all(len(part) % len(whole) == 0 for part in found)


@settings(deadline=None)
@given(TEXTS)
def test_nothing_unspeakable_is_alone_when_it_fits(text):
    """Without a limit, every segment of a short speakable text holds something to speak."""
    found = list(segment_text(text, max_chars=None, target_chars=20))
    if has_speakable(text):
        assert all(has_speakable(segment.text) for segment in found)


def test_it_cuts_at_sentence_ends():
    """Sentences end segments; abbreviations and decimals do not."""
    text = "Dr. Smith paid 3.50 today. He left.  Did he?"
    assert texts(segment_text(text, max_chars=None, target_chars=1)) == [
        "Dr. Smith paid 3.50 today. ",
        "He left.  ",
        "Did he?",
    ]


@pytest.mark.parametrize("language", ["zh", "zh-Hans", None, "tlh"])
def test_it_cuts_chinese_without_spaces(language):
    """Sentences written without spaces are found, with any language tag."""
    text = "你好。今天天气很好！是吗？"
    found = texts(segment_text(text, max_chars=None, target_chars=1, language=language))
    assert found == ["你好。", "今天天气很好！", "是吗？"]


def test_the_region_of_a_tag_does_not_matter():
    """A tag with a region follows the rules of its language."""
    text = "Das ist alles usw. und so. Ja."
    found = texts(segment_text(text, max_chars=None, target_chars=1, language="de-DE"))
    assert found == ["Das ist alles usw. und so. ", "Ja."]


def test_sentences_are_packed_up_to_the_target():
    """Short sentences share a segment as long as the target allows."""
    found = texts(segment_text("One two. " * 10, max_chars=None, target_chars=30))
    assert [len(part) for part in found] == [27, 27, 27, 9]


def test_the_first_segment_can_be_short():
    """The first segment closes at the first sentence end after first_chars."""
    found = texts(segment_text("One two. " * 10, max_chars=None, target_chars=60, first_chars=10))
    assert [len(part) for part in found] == [18, 54, 18]


def test_a_long_sentence_is_cut_after_a_clause_then_a_space():
    """A sentence above the limit is cut after a comma, else after a space."""
    assert texts(segment_text("one two three, four five six", max_chars=20)) == [
        "one two three, ",
        "four five six",
    ]
    assert texts(segment_text("one two three four five", max_chars=10)) == [
        "one two ",
        "three four",
        " five",
    ]
    assert texts(segment_text("我们今天一起去，公园玩吧", max_chars=10)) == [
        "我们今天一起去，",
        "公园玩吧",
    ]


def test_a_number_is_not_cut_at_its_comma():
    """A comma between digits is no clause end."""
    assert texts(segment_text("it costs 30,000,000 pounds", max_chars=14)) == [
        "it costs ",
        "30,000,000 ",
        "pounds",
    ]


def test_a_sentence_that_fits_but_for_its_space_stays_whole():
    """The space after a sentence does not make it too long."""
    assert texts(segment_text("Abcd efgh. Ijkl.", max_chars=10)) == ["Abcd efgh.", " Ijkl."]
    assert texts(segment_text("Abcd, efgh  ", max_chars=10)) == ["Abcd, efgh", "  "]


def test_a_paragraph_end_is_not_cut_within_its_line_end():
    """A carriage return and its line feed stay together where sentences end."""
    found = texts(segment_text("abc.\r\n\r\nDef.", max_chars=5, target_chars=1))
    assert not any(part.startswith("\n") for part in found[:2])


def test_too_small_a_limit_is_refused():
    """A character that measures more than the limit is an InvalidValue naming both."""
    with pytest.raises(InvalidValue, match=r"max_chars=3 is too small.*measures 4"):
        list(segment_text("😀", max_chars=3, measure=utf8_bytes))


@pytest.mark.parametrize("limits", [{"max_chars": 0}, {"target_chars": 0}, {"first_chars": -1}])
def test_limits_below_one_are_refused(limits):
    """A limit below 1 is refused at the call, before any segment is asked for."""
    with pytest.raises(InvalidValue, match="Choose 1 or more"):
        segment_text("text", **{"max_chars": None, **limits})


def test_an_end_is_released_when_the_next_word_begins():
    """A segment is held while its end could still move, and not longer."""
    segmenter = Segmenter(max_chars=None, target_chars=1)
    assert segmenter.push("It costs 3.") == []
    assert segmenter.push("5 euros. ") == []
    assert texts(segmenter.push("Good")) == ["It costs 3.5 euros. "]
    assert [(s.text, s.start, s.is_last) for s in segmenter.flush()] == [("Good", 20, True)]
    assert segmenter.flush() == []


def test_a_segmenter_begins_again_after_flush():
    """After flush, the next text counts from index 0."""
    segmenter = Segmenter(max_chars=None)
    segmenter.push("Old text.")
    segmenter.flush()
    segmenter.push("New.")
    assert [(s.text, s.start) for s in segmenter.flush()] == [("New.", 0)]


def test_a_sentence_above_the_limit_is_released_while_it_grows():
    """A stream without a full stop is released as soon as it exceeds the limit."""
    segmenter = Segmenter(max_chars=20)
    assert "".join(texts(segmenter.push("word " * 10)))


def test_it_is_lazy():
    """The first segment of a long text is found without looking at the rest."""
    measured = []

    def measure(text):
        measured.append(len(text))
        return len(text)

    next(segment_text("A sentence here. " * 50_000, max_chars=500, measure=measure))
    assert sum(measured) < 100_000


@pytest.mark.parametrize(
    "unit", ["A sentence, rather. ", "word ", "a", "你好。", "\n", ".", '("', "\u0301", "🇩🇪"]
)
def test_memory_does_not_grow_with_the_text(unit):
    """Cutting a long text needs less than 1 MB beside it, whatever it holds."""
    text = unit * (300_000 // len(unit))
    next(segment_text(text, max_chars=None), None)
    tracemalloc.start()
    count = sum(len(segment.text) for segment in segment_text(text, max_chars=None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == len(text)
    assert peak < 1_000_000


def test_work_is_linear_in_the_text(monkeypatch):
    """The sentence finder sees each character a bounded number of times."""
    seen = []
    real = segment_module._find_sentences
    monkeypatch.setattr(
        segment_module, "_find_sentences", lambda w, lang: seen.append(len(w)) or real(w, lang)
    )
    text = "Here is a sentence, the same as the others. " * 5_000
    assert "".join(texts(segment_text(text, max_chars=100))) == text
    assert max(seen) <= WINDOW_CHARS
    assert sum(seen) < 3 * len(text)


class PanicException(BaseException):
    """As pyo3 names a Rust panic."""


class BrokenFinder:
    def __init__(self, outcome):
        self.outcome = outcome

    def segment(self, _language, _text):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize("outcome", [PanicException("boom"), ["lost"]], ids=["panic", "lossy"])
def test_a_failing_sentence_finder_loses_nothing(monkeypatch, outcome):
    """When the sentence finder panics or drops text, plain rules take over."""
    monkeypatch.setitem(sys.modules, "sentencex", BrokenFinder(outcome))
    text = "One. Two! 三。四"
    assert texts(segment_text(text, max_chars=None, target_chars=1)) == [
        "One. ",
        "Two! ",
        "三。",
        "四",
    ]


def test_ctrl_c_inside_the_sentence_finder_gets_out(monkeypatch):
    """A KeyboardInterrupt is not taken for a panic."""
    monkeypatch.setitem(sys.modules, "sentencex", BrokenFinder(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(segment_text("One.", max_chars=None))


def test_spaces_of_several_bytes_after_initials_are_no_panic(capfd):
    """Initials with no-break or line-separator spaces reach the finder in a form it can take."""
    for space in "\u00a0\u2028\u3000\u202f":
        text = f"By J {space}. Tolkien. J{space}. A. Yes A.{space}B."
        assert "".join(texts(segment_text(text, max_chars=None, target_chars=1))) == text
    assert "panicked" not in capfd.readouterr().err
