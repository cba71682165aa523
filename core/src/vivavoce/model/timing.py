"""Timed marks: which part of the text is heard when."""

from __future__ import annotations

import enum

from attrs import field, frozen

from vivavoce.errors import InvalidValue

__all__ = ["Mark", "MarkKind", "MarkOrigin"]


class MarkKind(enum.StrEnum):
    """What a mark points at; ``bookmark`` is an SSML ``<mark name="...">``."""

    WORD = "word"
    SENTENCE = "sentence"
    PHONEME = "phoneme"
    BOOKMARK = "bookmark"


class MarkOrigin(enum.StrEnum):
    """Who said so: the engine itself, an aligner after it, or a guess."""

    NATIVE = "native"
    ALIGNED = "aligned"
    ESTIMATED = "estimated"


@frozen(kw_only=True)
class Mark:
    """
    One thing that is heard from *start_s* to *end_s*.

    Attributes:
        kind: Word, sentence, phoneme or bookmark.
        start_s: Seconds from the start of the audio, 0 or more.
        end_s: Seconds from the start of the audio, not before *start_s*;
            equal to it for a bookmark.
        text_start: Index of the first character in the whole text given, in
            code points.
        text_end: Index after the last character.
        value: Name of a bookmark, symbol of a phoneme (IPA); empty otherwise.
        origin: Where the times come from.
    """

    kind: MarkKind = field(converter=MarkKind)
    start_s: float
    end_s: float = field()
    text_start: int
    text_end: int = field()
    value: str = ""
    origin: MarkOrigin = field(default=MarkOrigin.NATIVE, converter=MarkOrigin)

    @end_s.validator
    def _check_times(self, _attribute: object, value: float) -> None:
        if not 0.0 <= self.start_s <= value:
            msg = f"A mark from {self.start_s!r} s to {value!r} s does not run forward."
            raise InvalidValue(msg)

    @text_end.validator
    def _check_span(self, _attribute: object, value: int) -> None:
        if not 0 <= self.text_start <= value:
            msg = f"A mark over characters {self.text_start!r} to {value!r} does not run forward."
            raise InvalidValue(msg)

    def shifted(self, *, seconds: float, characters: int) -> Mark:
        """Return this mark moved by *seconds* of audio and *characters* of text."""
        return Mark(
            kind=self.kind,
            start_s=self.start_s + seconds,
            end_s=self.end_s + seconds,
            text_start=self.text_start + characters,
            text_end=self.text_end + characters,
            value=self.value,
            origin=self.origin,
        )
