import io
import json
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.captions import CaptionWriter
from vivavoce.errors import InvalidValue, StreamStateError
from vivavoce.model.timing import Mark

TIMES = re.compile(
    r"^(\d+):(\d\d):(\d\d)[,.](\d{3}) --> (\d+):(\d\d):(\d\d)[,.](\d{3})$", re.MULTILINE
)


def mark(kind, start_s, end_s, span, value=""):
    return Mark(
        kind=kind, start_s=start_s, end_s=end_s, text_start=span[0], text_end=span[1], value=value
    )


def words_of(text, seconds=0.3, gap=0.0):
    """One word mark after the other, without their punctuation."""
    return [
        mark("word", i * (seconds + gap), i * (seconds + gap) + seconds, found.span())
        for i, found in enumerate(re.finditer(r"\w+", text))
    ]


def sentences_of(text, seconds=2.0):
    return [
        mark("sentence", i * seconds, (i + 1) * seconds, found.span())
        for i, found in enumerate(re.finditer(r"[^.]+\.", text))
    ]


def written(kind, text, marks):
    file = io.StringIO()
    writer = CaptionWriter(file, kind, text)
    for one in marks:
        writer.add(one)
    writer.close()
    return file.getvalue()


def shown(text, marks):
    """The texts of the captions, each on one line."""
    cues = written("vtt", text, marks).split("\n\n")[1:-1]
    return [" ".join(cue.split("\n")[1:]) for cue in cues]


def spans_ms(captions):
    found = []
    for times in TIMES.findall(captions):
        h, m, s, ms, h2, m2, s2, ms2 = map(int, times)
        found.append((((h * 60 + m) * 60 + s) * 1000 + ms, ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2))
    return found


def test_subrip_is_numbered_with_commas():
    """An SRT numbers its captions from 1 and writes hours, and milliseconds after a comma."""
    marks = [mark("sentence", 0.0, 1.5, (0, 4)), mark("sentence", 3661.0004, 3662.25, (5, 9))]
    assert written("srt", "One. Two.", marks) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne.\n\n2\n01:01:01,000 --> 01:01:02,250\nTwo.\n\n"
    )


def test_webvtt_has_a_head_and_full_stops():
    """A VTT begins with its name and writes milliseconds after a full stop."""
    assert written("vtt", "One.", [mark("sentence", 0, 1.5, (0, 4))]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne.\n\n"
    )


@pytest.mark.parametrize(("kind", "empty"), [("srt", ""), ("vtt", "WEBVTT\n\n"), ("json", "[]\n")])
def test_no_marks_are_a_valid_file(kind, empty):
    """Without marks the file is empty but valid."""
    assert written(kind, "text", []) == empty


def test_json_is_a_list_of_all_marks():
    """JSON has every mark with its text, also those captions leave out."""
    marks = [mark("word", 0, 0.1, (0, 2)), mark("bookmark", 0.1, 0.1, (2, 2), "x")]
    assert json.loads(written("json", "Hé", marks)) == [
        {"kind": "word", "start_s": 0, "end_s": 0.1, "text_start": 0, "text_end": 2}
        | {"text": "Hé", "value": "", "origin": "native"},
        {"kind": "bookmark", "start_s": 0.1, "end_s": 0.1, "text_start": 2, "text_end": 2}
        | {"text": "", "value": "x", "origin": "native"},
    ]


def test_short_sentences_are_captions():
    """Where sentence marks are, each sentence is a caption and its words are left out."""
    text = "One two. Three four."
    marks = sorted([*sentences_of(text), *words_of(text, 1.0)], key=lambda m: (m.start_s, -m.end_s))
    assert shown(text, marks) == ["One two.", "Three four."]


@pytest.mark.parametrize("order", ["start_s", "end_s"])
def test_long_sentences_are_shown_by_their_words(order):
    """A sentence too long to read is grouped by words, in whichever order marks come."""
    text = "Long " + "word " * 40 + "end. Short one."
    words = words_of(text)
    first, second = (mark("sentence", 0, 12.6, (0, 208)), mark("sentence", 12.6, 13.2, (210, 220)))
    marks = sorted([first, *words, second], key=lambda m: getattr(m, order))
    captions = shown(text, marks)
    assert max(map(len, captions)) <= 43
    assert " ".join(captions) == " ".join(text.split())
    assert captions[-1] == "Short one."


def test_a_long_sentence_without_words_is_shown_whole():
    """A long sentence with no word marks is one caption on several lines."""
    text = "word " * 40 + "end."
    captions = written("srt", text, [mark("sentence", 0, 12, (0, len(text)))])
    lines = captions.split("\n")[2:-2]
    assert " ".join(lines) == " ".join(text.split())
    assert max(map(len, lines)) <= 42


def test_words_are_grouped_into_lines():
    """Words share a caption up to 42 characters and end it at a sentence end."""
    text = 'He said: "Yes, it is so." Then he went on and on about the weather of the day.'
    assert shown(text, words_of(text)) == [
        'He said: "Yes, it is so."',
        "Then he went on and on about the weather",
        "of the day.",
    ]


def test_a_pause_ends_a_caption():
    """Words parted by a pause, or together longer than 5 s, are separate captions."""
    assert shown("one two", words_of("one two", gap=1.0)) == ["one", "two"]
    assert shown("a b c", words_of("a b c", seconds=2.4)) == ["a b", "c"]


def test_punctuation_between_words_is_shown_once():
    """Without spaces, punctuation between two captions belongs to the first."""
    text = "“你好。”“再见。”"
    marks = [mark("word", 0, 1, (1, 3)), mark("word", 1, 2, (6, 8))]
    assert "".join(shown(text, marks)) == text


def test_captions_do_not_overlap():
    """A caption that would reach into the next ends where that begins."""
    marks = [mark("sentence", 0, 5, (0, 4)), mark("sentence", 2, 3, (5, 9))]
    assert spans_ms(written("srt", "One. Two.", marks)) == [(0, 2000), (2000, 3000)]


def test_a_caption_without_an_end_lasts_a_second():
    """A mark whose end is not known is shown for a second, or until the next one."""
    marks = [mark("sentence", 0, 0, (0, 4)), mark("sentence", 0.5, 0.5, (5, 9))]
    assert spans_ms(written("srt", "One. Two.", marks)) == [(0, 500), (500, 1500)]


def test_a_late_sentence_takes_no_words_away():
    """A sentence mark that comes after words beyond it loses none of them."""
    text = "one two three"
    marks = [*words_of(text), mark("sentence", 0, 0.3, (0, 3))]
    assert shown(text, marks) == [text]


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_an_arrow_in_the_text_cannot_break_the_file(kind):
    """An arrow, markup or a blank line in the text stays text."""
    text = "a --> b <i>&amp;\n\n00:00:00.000 --> 00:00:09.000."
    out = written(kind, text, [mark("sentence", 0, 1, (0, len(text)))])
    assert out.count("-->") == 1
    assert len(out.strip().split("\n\n")) == (2 if kind == "vtt" else 1)
    if kind == "vtt":
        assert "&lt;i&gt;&amp;amp;" in out


KINDS = st.sampled_from(["word", "sentence", "phoneme", "bookmark"])
MARKS = st.lists(st.tuples(KINDS, st.integers(0, 3000), st.integers(0, 8000), st.integers(0, 9)))


@given(MARKS, st.text(max_size=60))
def test_any_marks_give_times_that_run_forward(raw, text):
    """Whatever the marks, no caption is empty, goes back or overlaps the next."""
    marks, now, place = [], 0, 0
    for kind, step, length, chars in raw:
        marks.append(mark(kind, now / 1000, (now + length) / 1000, (place, place + chars)))
        now, place = now + step, place + chars // 2
    flat = [time for span in spans_ms(written("srt", text, marks)) for time in span]
    assert flat == sorted(flat)
    assert all(begin < end for begin, end in spans_ms(written("vtt", text, marks)))
    assert len(json.loads(written("json", text, marks))) == len(marks)


@pytest.mark.parametrize("kind", ["srt", "vtt", "json"])
def test_memory_does_not_grow_with_the_marks(kind):
    """Captions are written while marks come."""

    class Count(io.StringIO):
        written = 0

        def write(self, text):
            self.written += len(text)
            return len(text)

    text, file = "word " * 20_000, Count()
    writer = CaptionWriter(file, kind, text)
    tracemalloc.start()
    for i in range(20_000):
        writer.add(mark("word", i * 0.3, i * 0.3 + 0.3, (5 * i, 5 * i + 4)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.written > len(text)
    assert peak < 100_000


def test_an_unknown_kind_is_refused():
    """Another format is refused with those there are."""
    with pytest.raises(InvalidValue, match=r"'ass' is no caption format.*srt, vtt, json"):
        CaptionWriter(io.StringIO(), "ass", "")


def test_closing_ends_it():
    """Closing twice is harmless; adding after it is a StreamStateError."""
    file = io.StringIO()
    writer = CaptionWriter(file, "json", "")
    writer.close()
    writer.close()
    assert file.getvalue() == "[]\n"
    with pytest.raises(StreamStateError, match="close"):
        writer.add(mark("word", 0, 0, (0, 0)))
