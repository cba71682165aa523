"""What is to be said in one synthesis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from vivavoce.errors import InvalidValue, UnknownLanguage
from vivavoce.model.audio import AudioFormat
from vivavoce.model.prosody import Prosody
from vivavoce.model.timing import MarkKind
from vivavoce.model.voice import Voice

__all__ = ["Utterance"]

# The shape of a BCP-47 tag (RFC 5646, section 2.1), not whether it is registered:
# the plan finds that out, with the registry's data.
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def _frozen_mapping(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(dict(value or {}))


def _mark_kinds(value: object) -> frozenset[MarkKind]:
    try:
        return frozenset(MarkKind(kind) for kind in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        msg = f"marks is a set of {', '.join(MarkKind)}, not {value!r}."
        raise InvalidValue(msg) from None


@frozen(kw_only=True)
class Utterance:
    """
    What is to be said in one synthesis, and every wish about how.

    A wish left at its default asks for nothing, so it can never be refused.

    Attributes:
        text: Plain text, or SSML when *ssml* is true.
        ssml: Whether *text* is an SSML document.
        voice: Voice id, or a :class:`~vivavoce.Voice` (whose ``models`` are then held to),
            or None for the model's default (for the language asked).
        language: BCP-47 tag, or None to leave it to the voice.
        instructions: Style in plain language, or None.
        prosody: Rate, pitch and volume.
        format: ``pcm``, ``wav``, ``mp3``, ``ogg``, ``flac``, ``mulaw`` or ``alaw``.
        sample_rate_hz: Wanted rate, or None for the model's own.
        channels: 1, or 2 for the same sound in both.
        marks: Kinds of marks that must come; others may come as well.
        options: The provider's own options, checked against the model card.
        segment_chars: Most characters of one request, from 1; longer text is spoken in
            several. None for the model's own limit.
    """

    text: str = field()
    ssml: bool = False
    voice: str | Voice | None = field(default=None)
    language: str | None = field(default=None)
    instructions: str | None = field(default=None)
    prosody: Prosody = Prosody()
    format: str = field(default="pcm")
    sample_rate_hz: int | None = field(default=None)
    channels: int = field(default=1)
    marks: frozenset[MarkKind] = field(default=frozenset(), converter=_mark_kinds)
    options: Mapping[str, Any] = field(factory=dict, converter=_frozen_mapping)
    segment_chars: int | None = field(default=None)

    @text.validator
    def _check_text(self, _attribute: object, value: object) -> None:
        if not isinstance(value, str):
            msg = f"A text to speak is a str, not {type(value).__name__}."
            raise InvalidValue(msg)

    @voice.validator
    def _check_voice(self, _attribute: object, value: object) -> None:
        if value is not None and not isinstance(value, str | Voice):
            msg = f"A voice is its id or a Voice, not {value!r}."
            raise InvalidValue(msg)

    @segment_chars.validator
    def _check_segment_chars(self, _attribute: object, value: object) -> None:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_number and value >= 1):  # type: ignore[operator]
            msg = f"segment_chars is a whole number of characters from 1, not {value!r}."
            raise InvalidValue(msg)

    @language.validator
    def _check_language(self, _attribute: object, value: object) -> None:
        if value is not None and not (isinstance(value, str) and _TAG.fullmatch(value)):
            msg = f"{value!r} is no BCP-47 language tag. Write it like 'en', 'pt-BR' or 'zh-Hant'."
            raise UnknownLanguage(msg, name=str(value))

    @instructions.validator
    def _check_instructions(self, _attribute: object, value: str | None) -> None:
        if value is not None and not value.strip():
            msg = "instructions are empty. Leave them out, or say how it should sound."
            raise InvalidValue(msg)

    @format.validator  # noqa: A003 - here the field above is meant
    def _check_format(self, _attribute: object, value: str) -> None:
        # Made only to be refused here rather than in the middle of a plan.
        AudioFormat.named(value, sample_rate_hz=48_000)

    @sample_rate_hz.validator
    def _check_rate(self, _attribute: object, value: int | None) -> None:
        if value is not None:
            AudioFormat(sample_rate_hz=value)

    @channels.validator
    def _check_channels(self, _attribute: object, value: int) -> None:
        AudioFormat(sample_rate_hz=48_000, channels=value)
