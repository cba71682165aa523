"""
Cut a text into segments: at sentence ends where it can be, never losing a character.

The work goes through windows of fixed size, so that a text of any length,
with or without a full stop, needs the same memory and linear time.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

from attrs import frozen

from vivavoce.errors import InvalidValue
from vivavoce.text.speakable import has_speakable

__all__ = ["Segment", "Segmenter", "segment_text"]

# How much the sentence finder sees at once. It takes quadratic time on scripts
# without spaces (measured: 1 M characters of Chinese cost 0.3 s in windows of
# 2048 and 0.6 s in windows of 8192), and it drops characters of a text above 10 000.
WINDOW_CHARS = 2048

# A clause ends behind this punctuation. Western marks need a space behind them
# (3,000 and 10:30 stay whole); the others are written without one.
_CLAUSE_END = re.compile(
    r"([,;:.!?…—–)\]}\"”»](?=\s)|[、，；：。！？．…—」』）》〉】،؛؟।॥።፣၊။]+|(?=\n))\s*"
)
_SPACE = re.compile(r"()\s+")
# Used only where the sentence finder fails.
_PLAIN_SENTENCE_END = re.compile(r"(?:[.!?](?=\s)|[。！？।॥؟።။]+|\n(?=\n))\s*")

_ZWJ = "\u200d"
_VIRAMA = 9  # Unicode combining class: the next consonant joins


@frozen(kw_only=True)
class Segment:
    """
    A part of a text to be sent on its own.

    Attributes:
        text: The part, with the white space around it.
        start: Index of its first character in the whole text, in code points.
        is_last: Whether nothing follows it.
    """

    text: str
    start: int
    is_last: bool = False


def segment_text(
    text: str,
    *,
    max_chars: int | None,
    target_chars: int = 600,
    first_chars: int | None = None,
    language: str | None = None,
    measure: Callable[[str], int] = len,
) -> Iterator[Segment]:
    """
    Yield *text* in segments that end with a sentence where the limits allow.

    The segments' texts, joined, are the text. A sentence above *max_chars* is
    cut after a clause, else after white space, else between two characters;
    a letter is never parted from its accents, nor an emoji from its parts. A
    part with nothing speakable joins a neighbour wherever it fits; where it
    cannot (a page of blank lines), it comes alone and need not be sent.

    Args:
        text: What to cut; empty gives no segment.
        max_chars: Most that a segment may measure, from 1; None for no limit.
            Sentences above 2048 characters are cut even then.
        target_chars: Sentences are packed together up to this many characters.
        first_chars: Close the first segment at the first sentence end at or
            after this many characters, so that speech starts early; None
            treats it like the others.
        language: BCP-47 tag; unknown ones and None follow general rules.
        measure: How *max_chars* counts, for limits in bytes or tokens. A longer
            text must not measure less than its own beginning.

    Yields:
        The segments, lazily, in order.

    Raises:
        InvalidValue: If a limit is below 1, or a single character with its
            accents measures more than *max_chars* (raised when it is reached).
    """
    cutter = _Cutter(
        max_chars=max_chars,
        target_chars=target_chars,
        first_chars=first_chars,
        language=language,
        measure=measure,
    )
    return _all_segments(cutter, text)


class Segmenter:
    """
    Cut a text that is still growing, such as the tokens of a language model.

    Any slicing of a text into pieces gives segments whose texts, joined, are
    the text. A segment is released once its end is sure, that is when the
    first word after it has begun.
    """

    def __init__(
        self,
        *,
        max_chars: int | None,
        target_chars: int = 600,
        first_chars: int | None = None,
        language: str | None = None,
        measure: Callable[[str], int] = len,
    ) -> None:
        """Take the same limits as :func:`segment_text`."""
        self._cutter = _Cutter(
            max_chars=max_chars,
            target_chars=target_chars,
            first_chars=first_chars,
            language=language,
            measure=measure,
        )

    def push(self, piece: str) -> list[Segment]:
        """
        Add *piece* to the text.

        Args:
            piece: The next characters; any length, empty allowed.

        Returns:
            The segments whose end is now sure; often none.

        Raises:
            InvalidValue: As for :func:`segment_text`.
        """
        return list(self._cutter.feed(piece))

    def flush(self) -> list[Segment]:
        """
        Return what is left; the last segment has ``is_last`` set.

        The next :meth:`push` begins a new text at index 0.

        Returns:
            The remaining segments; none if no text was pushed.

        Raises:
            InvalidValue: As for :func:`segment_text`.
        """
        return list(self._cutter.finish())


class _Cutter:
    """The work of both doors: what is not yet in a segment, and when it will be."""

    def __init__(
        self,
        *,
        max_chars: int | None,
        target_chars: int = 600,
        first_chars: int | None = None,
        language: str | None = None,
        measure: Callable[[str], int] = len,
    ) -> None:
        limits = {
            "max_chars": max_chars,
            "target_chars": target_chars,
            "first_chars": first_chars,
        }
        for name, value in limits.items():
            if value is not None and value < 1:
                msg = f"{name}={value!r} leaves no room for text. Choose 1 or more."
                raise InvalidValue(msg)
        self._max = max_chars
        self._target = target_chars
        self._first = first_chars
        self._language = (language or "en").replace("_", "-").partition("-")[0].lower()
        self._measure = measure
        self._start = 0  # index of self._open in the whole text
        self._open = ""  # whole sentences, packed, still accepting more
        self._open_is_speakable = False
        self._tail = ""  # what no sentence end has been found in

    def feed(self, piece: str) -> Iterator[Segment]:
        for begin in range(0, len(piece), WINDOW_CHARS):
            self._tail += piece[begin : begin + WINDOW_CHARS]
            yield from self._drain(is_end=False)

    def finish(self) -> Iterator[Segment]:
        yield from self._drain(is_end=True)
        if self._open:
            yield Segment(text=self._open, start=self._start, is_last=True)
        self._start, self._open, self._open_is_speakable = 0, "", False

    def _drain(self, *, is_end: bool) -> Iterator[Segment]:
        while units := self._sure_units(is_end=is_end):
            for unit in units:
                self._tail = self._tail[len(unit) :]
                yield from self._pack(unit)
            # Something speakable stands in the tail, so this end is sure.
            if self._is_ripe() and not is_end:
                yield self._close()

    def _sure_units(self, *, is_end: bool) -> list[str]:
        """Return the leading parts of the tail that nothing to come can change."""
        window = self._tail[:WINDOW_CHARS]
        has_more = len(self._tail) > WINDOW_CHARS
        if not window:
            return []
        units = _split_at(window, _sentence_ends(window, self._language))
        if is_end and not has_more:
            return units
        last = len(units) - 1
        while last > 0 and not has_speakable(units[last]):
            last -= 1
        if last > 0:
            return units[:last]
        # One unfinished sentence: cut it when it must be cut whatever follows.
        if self._max is not None and self._measure(window) > self._max:
            return list(self._pieces(window))[:-1]
        if len(window) == WINDOW_CHARS:
            return [window[: _best_cut(window, WINDOW_CHARS - 1)]]
        return []

    def _pack(self, unit: str) -> Iterator[Segment]:
        """Take *unit*, a sentence or less, and yield the segments it closes."""
        for piece in self._pieces(unit):
            is_speakable = has_speakable(piece)
            if self._open and not self._joins(piece, is_speakable=is_speakable):
                yield self._close()
            self._open += piece
            self._open_is_speakable |= is_speakable

    def _joins(self, piece: str, *, is_speakable: bool) -> bool:
        joined = self._open + piece
        if self._max is not None and self._measure(joined) > self._max:
            return False
        if not (is_speakable and self._open_is_speakable):
            # Silence joins a neighbour beyond the target, but not without end.
            return len(joined) <= self._target + 2 * WINDOW_CHARS
        return not self._is_ripe() and len(joined) <= self._target

    def _is_ripe(self) -> bool:
        goal = self._target
        if self._start == 0 and self._first is not None:
            goal = min(goal, self._first)
        return self._open_is_speakable and len(self._open) >= goal

    def _close(self) -> Segment:
        segment = Segment(text=self._open, start=self._start)
        self._start += len(self._open)
        self._open, self._open_is_speakable = "", False
        return segment

    def _pieces(self, unit: str) -> Iterator[str]:
        """Yield *unit* in pieces that measure ``max_chars`` at most."""
        while self._max is not None and self._measure(unit) > self._max:
            fitting = self._fitting_chars(unit, self._max)
            body = unit.rstrip()
            # A sentence that fits without the space behind it stays whole.
            cut = len(body) if 0 < len(body) <= fitting else _best_cut(unit, fitting)
            if cut == 0:
                msg = (
                    f"max_chars={self._max!r} is too small: the character {_first_cluster(unit)!r} "
                    f"measures {self._measure(_first_cluster(unit))}. Choose a larger limit."
                )
                raise InvalidValue(msg)
            yield unit[:cut]
            unit = unit[cut:]
        yield unit

    def _fitting_chars(self, unit: str, limit: int) -> int:
        """Return how many leading characters measure *limit* at most."""
        if self._measure is len:
            return limit
        low, high = 0, min(limit, len(unit))
        while high < len(unit) and self._measure(unit[:high]) <= limit:
            low, high = high, min(2 * high, len(unit))
        while high - low > 1:
            middle = (low + high) // 2
            if self._measure(unit[:middle]) <= limit:
                low = middle
            else:
                high = middle
        return high if self._measure(unit[:high]) <= limit else low


def _all_segments(cutter: _Cutter, text: str) -> Iterator[Segment]:
    for begin in range(0, len(text), WINDOW_CHARS):
        yield from cutter.feed(text[begin : begin + WINDOW_CHARS])
    yield from cutter.finish()


def _sentence_ends(window: str, language: str) -> list[int]:
    """Return the indices where a sentence of *window* ends, its own end excluded."""
    ends, end = [], 0
    for sentence in _find_sentences(window, language):
        end += len(sentence)
        if end < len(window) and not _is_inside_cluster(window, end):
            ends.append(end)
    return ends


def _find_sentences(window: str, language: str) -> list[str]:
    import sentencex

    # Character for character, so that lengths stay: sentencex 1.0.32 panics at
    # white space of more than one byte after an initial ("J. R."), and
    # cannot take lone surrogates.
    plain = _ODD_SPACE.sub(" ", _LINE_SEPARATOR.sub("\n", window))
    plain = _SURROGATE.sub("\ufffd", plain)
    try:
        sentences: list[str] = sentencex.segment(language, plain)
    except BaseException as error:
        # A Rust panic is no Exception. Anything else (Ctrl-C) is not ours.
        if type(error).__name__ != "PanicException":
            raise
        return _plain_sentences(plain)
    if sum(map(len, sentences)) != len(window):
        return _plain_sentences(plain)
    return sentences


_LINE_SEPARATOR = re.compile("[\x85\u2028\u2029]")
_ODD_SPACE = re.compile(r"[^\S \n\r\t]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _plain_sentences(window: str) -> list[str]:
    return _split_at(window, [match.end() for match in _PLAIN_SENTENCE_END.finditer(window)])


def _split_at(text: str, ends: list[int]) -> list[str]:
    borders = [0, *ends, len(text)]
    parts = [text[begin:end] for begin, end in itertools.pairwise(borders)]
    return [part for part in parts if part]


def _best_cut(text: str, limit: int) -> int:
    """
    Return where to cut *text*, at *limit* or before; 0 if one cluster is longer.

    The last clause end in the second two thirds wins, then the last white
    space there, then either of them anywhere, then a cluster's border.
    """
    clause = _last_cut(_CLAUSE_END, text, limit)
    space = _last_cut(_SPACE, text, limit)
    for cut in (clause, space):
        if cut > limit // 3:
            return cut
    return max(clause, space) or _cluster_cut(text, limit)


def _last_cut(pattern: re.Pattern[str], text: str, limit: int) -> int:
    last = 0
    # One character beyond the limit tells whether a space follows.
    for match in pattern.finditer(text[: limit + 1]):
        cut = min(match.end(), limit)
        if match.end(1) <= cut and not _is_inside_cluster(text, cut):
            last = cut
    return last


def _cluster_cut(text: str, limit: int) -> int:
    cut = min(limit, len(text))
    while cut > 0 and _is_inside_cluster(text, cut):
        cut -= 1
    if cut == 0 and limit >= WINDOW_CHARS - 1:
        return limit  # a pile of accents larger than any window: no reader sees the cut
    return cut


def _first_cluster(text: str) -> str:
    end = 1
    while end < len(text) and end < 20 and _is_inside_cluster(text, end):
        end += 1
    return text[:end]


def _is_inside_cluster(text: str, index: int) -> bool:
    """Return whether a cut before ``text[index]`` would part what is seen as one character."""
    if not 0 < index < len(text):
        return False
    before, after = text[index - 1], text[index]
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    return (
        unicodedata.category(after)[0] == "M"
        or after in (_ZWJ, "\u200c")
        or before == _ZWJ
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # flag tags
        or (unicodedata.combining(before) == _VIRAMA and after.isalpha())
        or _is_hangul_joint(before, after)
        or _is_flag_joint(text, index)
    )


def _is_hangul_joint(before: str, after: str) -> bool:
    """Return whether two conjoining jamo or a syllable and its final meet here."""
    is_lead = "\u1100" <= before <= "\u115f"
    is_vowel = "\u1160" <= after <= "\u11a7"
    is_final = "\u11a8" <= after <= "\u11ff"
    before_joins = "\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"
    return (is_lead and ("\u1100" <= after <= "\u11a7" or "\uac00" <= after <= "\ud7a3")) or (
        before_joins and (is_vowel or is_final)
    )


def _is_flag_joint(text: str, index: int) -> bool:
    """Return whether the two regional indicators around *index* form one flag."""
    count = 0
    if not _is_regional(text[index]):
        return False
    while count < index and _is_regional(text[index - 1 - count]):
        count += 1
    return count % 2 == 1


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
