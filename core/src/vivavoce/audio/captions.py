"""Marks written as captions (SubRip, WebVTT) or as JSON, while they arrive."""

from __future__ import annotations

import json
import re
import textwrap
from typing import IO, TYPE_CHECKING, Protocol

from attrs import define

from vivavoce.errors import InvalidValue, StreamStateError
from vivavoce.model.timing import Mark, MarkKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CaptionWriter"]

# Two lines of 42 characters for some seconds are what people read with ease.
LINE_CHARS = 42
SENTENCE_CHARS = 2 * LINE_CHARS
WORDS_MS = 5_000
SENTENCE_MS = 7_000
GAP_MS = 800
# Shown this long when its end is not known and nothing follows.
ALONE_MS = 1_000

_SENTENCE_BREAK = re.compile(r"[.!?…][\"'”»)\]]*\s|[。！？।]|\n\s*\n")


class CaptionWriter:
    """
    Write marks to an open text file as they become known.

    Captions (``srt``, ``vtt``) come from sentence marks. Where there are none,
    or a sentence is too long to be read at once, from word marks, grouped
    into lines of up to 42 characters and 5 s that end at a sentence end or a
    pause. No caption reaches into the next. ``json`` is a list of all marks
    as they are. Memory does not grow with the number of marks.
    """

    def __init__(self, file: IO[str], kind: str, text: str) -> None:
        """
        Take an open text file, the format, and the whole text the marks index.

        Args:
            file: Where to write; it stays open.
            kind: ``srt``, ``vtt`` or ``json``.
            text: What is spoken, without markup.

        Raises:
            InvalidValue: If *kind* is none of these.
        """
        if kind not in _FORMS:
            msg = f"{kind!r} is no caption format known here. Choose one of {', '.join(_FORMS)}."
            raise InvalidValue(msg)
        self._writer = _FORMS[kind](file, text)
        self._is_closed = False

    def add(self, mark: Mark) -> None:
        """
        Take the next mark; marks come in order of ``start_s``.

        Raises:
            StreamStateError: If called after :meth:`close`.
        """
        if self._is_closed:
            msg = "No mark can follow after close(). Make a new CaptionWriter."
            raise StreamStateError(msg)
        self._writer.add(mark)

    def close(self) -> None:
        """Write what is left. The file stays open; closing twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            self._writer.close()


class _Form(Protocol):
    def add(self, mark: Mark) -> None: ...

    def close(self) -> None: ...


class _Json:
    """A list with one mark a line."""

    def __init__(self, file: IO[str], text: str) -> None:
        self._file = file
        self._text = text
        self._lead = "[\n"

    def add(self, mark: Mark) -> None:
        fields = {
            "kind": mark.kind.value,
            "start_s": round(mark.start_s, 6),
            "end_s": round(mark.end_s, 6),
            "text_start": mark.text_start,
            "text_end": mark.text_end,
            "text": self._text[mark.text_start : mark.text_end],
            "value": mark.value,
            "origin": mark.origin.value,
        }
        # ASCII only: a lone surrogate or an odd line separator cannot spoil the file.
        self._file.write(self._lead + json.dumps(fields))
        self._lead = ",\n"

    def close(self) -> None:
        self._file.write("[]\n" if self._lead == "[\n" else "\n]\n")


@define(kw_only=True)
class _Caption:
    """What is shown together; times in ms, the span in code points."""

    start_ms: int
    end_ms: int
    text_start: int
    text_end: int
    is_sentence: bool


class _Captions:
    """Group marks into captions; what is written lies one caption behind."""

    def __init__(self, file: IO[str], text: str) -> None:
        self._file = file
        self._text = text
        self._open: _Caption | None = None  # still growing
        self._held: _Caption | None = None  # complete, but its end waits for the next one
        self._covered = 0  # words before this index are in a sentence's caption
        self._reached = 0  # where the marks of complete captions end in the text
        self._spread_to = 0  # the same with the punctuation behind them
        self._count = 0
        self._file.write(self._head())

    def add(self, mark: Mark) -> None:
        if mark.kind is MarkKind.SENTENCE:
            self._add_sentence(_caption_of(mark))
        elif mark.kind is MarkKind.WORD:
            self._add_word(_caption_of(mark))

    def close(self) -> None:
        self._complete()
        if self._held is not None:
            self._write(self._held)
            self._held = None

    def _add_sentence(self, sentence: _Caption) -> None:
        if sentence.text_start < max(self._reached, self._covered):
            return  # its words have been shown
        is_short = (
            len(self._shown(sentence)) <= SENTENCE_CHARS
            and sentence.end_ms - sentence.start_ms <= SENTENCE_MS
        )
        words = self._open
        if words is not None and not words.is_sentence and sentence.text_start < words.text_end:
            if not is_short or words.text_end > sentence.text_end:
                return  # the words tell it better
            self._open = None  # the sentence says the same and more
            sentence.start_ms = min(sentence.start_ms, words.start_ms)
        self._complete()
        self._open = sentence
        if is_short:
            self._covered = sentence.text_end

    def _add_word(self, word: _Caption) -> None:
        if word.text_start < self._covered:
            return
        if self._open is not None and self._replaces(word, self._open):
            self._open = None  # a long sentence, shown by its words instead
        if self._open is None or not self._extends(word, self._open):
            self._complete()
            self._open = word
            return
        self._open.end_ms = max(self._open.end_ms, word.end_ms)
        self._open.text_end = max(self._open.text_end, word.text_end)

    def _replaces(self, word: _Caption, open_: _Caption) -> bool:
        return open_.is_sentence and open_.text_start <= word.text_start < open_.text_end

    def _extends(self, word: _Caption, open_: _Caption) -> bool:
        """Return whether *word* is shown on the same line as what is open."""
        if open_.is_sentence or word.text_start < open_.text_start:
            return False
        last = max(open_.text_end - 1, 0)
        if _SENTENCE_BREAK.search(self._text, last, word.text_start):
            return False
        if word.start_ms - open_.end_ms > GAP_MS or word.end_ms - open_.start_ms > WORDS_MS:
            return False
        line = self._text[open_.text_start : word.text_end]
        return len(" ".join(line.split())) <= LINE_CHARS

    def _complete(self) -> None:
        """End the open caption, and write the one before it, whose end is now sure."""
        caption, self._open = self._open, None
        if caption is None:
            return
        self._reached = max(self._reached, caption.text_end)
        self._spread(caption)
        if not self._shown(caption):
            return
        held = self._held
        if held is not None and caption.start_ms <= held.start_ms:
            # Two captions cannot begin together: they become one.
            held.end_ms = max(held.end_ms, caption.end_ms)
            held.text_end = max(held.text_end, caption.text_end)
            return
        if held is not None:
            held.end_ms = min(held.end_ms, caption.start_ms)
            self._write(held)
        if caption.end_ms <= caption.start_ms:
            caption.end_ms = caption.start_ms + ALONE_MS
        self._held = caption

    def _spread(self, caption: _Caption) -> None:
        """Take in the punctuation around the caption's words; none is shown twice."""
        text = self._text
        begin, end = min(caption.text_start, len(text)), min(caption.text_end, len(text))
        while begin > self._spread_to and _is_punctuation(text[begin - 1]):
            begin -= 1
        while end < len(text) and _is_punctuation(text[end]):
            end += 1
        caption.text_start, caption.text_end = max(begin, self._spread_to), end
        self._spread_to = max(self._spread_to, end)

    def _shown(self, caption: _Caption) -> str:
        return " ".join(self._text[caption.text_start : caption.text_end].split())

    def _write(self, caption: _Caption) -> None:
        self._count += 1
        begin, end = self._time(caption.start_ms), self._time(caption.end_ms)
        lines = textwrap.wrap(
            self._shown(caption), LINE_CHARS, break_long_words=False, break_on_hyphens=False
        )
        shown = self._escape("\n".join(lines))
        self._file.write(f"{self._cue_name()}{begin} --> {end}\n{shown}\n\n")

    def _head(self) -> str:
        raise NotImplementedError

    def _cue_name(self) -> str:
        raise NotImplementedError

    def _escape(self, text: str) -> str:
        raise NotImplementedError

    def _time(self, milliseconds: int) -> str:
        raise NotImplementedError


class _Srt(_Captions):
    """SubRip: numbered, a comma before the milliseconds."""

    def _head(self) -> str:
        return ""

    def _cue_name(self) -> str:
        return f"{self._count}\n"

    def _escape(self, text: str) -> str:
        # There is no escape in SubRip; an arrow would read as a line of times.
        return text.replace("-->", "→")

    def _time(self, milliseconds: int) -> str:
        return _clock(milliseconds, ",")


class _Vtt(_Captions):
    """WebVTT: a head line, a full stop before the milliseconds, three escapes."""

    def _head(self) -> str:
        return "WEBVTT\n\n"

    def _cue_name(self) -> str:
        return ""

    def _escape(self, text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def _time(self, milliseconds: int) -> str:
        return _clock(milliseconds, ".")


_FORMS: dict[str, Callable[[IO[str], str], _Form]] = {"srt": _Srt, "vtt": _Vtt, "json": _Json}


def _caption_of(mark: Mark) -> _Caption:
    return _Caption(
        start_ms=round(mark.start_s * 1000),
        end_ms=round(mark.end_s * 1000),
        text_start=mark.text_start,
        text_end=mark.text_end,
        is_sentence=mark.kind is MarkKind.SENTENCE,
    )


def _clock(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{thousandths:03}"


def _is_punctuation(character: str) -> bool:
    return not character.isspace() and not character.isalnum()
