"""Voices of one's own: what a provider offers, what it is asked for, what comes of it."""

from __future__ import annotations

import enum
import re
from datetime import date

from attrs import Attribute, field, frozen

from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat
from vivavoce.model.capability import Evidence
from vivavoce.model.card import ModelCard, Price
from vivavoce.model.voice import Voice

__all__ = [
    "CloneOffer",
    "CloneRequest",
    "Consent",
    "DesignOffer",
    "DesignRequest",
    "Finding",
    "Level",
    "MadeVoice",
    "NameRule",
    "Recording",
    "RecordingRules",
    "VoicePage",
]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _is_date(value: object) -> bool:
    if not (isinstance(value, str) and _DATE.fullmatch(value)):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _said(_instance: object, attribute: Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        msg = f"Consent has {attribute.name!r} in words, not {value!r}."
        raise InvalidValue(msg)


@frozen(kw_only=True)
class Consent:
    """
    That the person whose voice is cloned has agreed to it.

    Kept with the local record of the voice; sent to a provider only if it asks for it.

    Attributes:
        by: Who agreed: the person, or who may agree for them.
        how: In what form, such as ``signed release of 2026-11-02``.
        on: ISO date on which it was given, or empty for the day the voice is made.
    """

    by: str = field(validator=_said)
    how: str = field(validator=_said)
    on: str = field(default="")

    @on.validator
    def _check_date(self, _attribute: object, value: object) -> None:
        if value != "" and not _is_date(value):
            msg = f"Consent is given on an ISO date such as '2026-11-02', not {value!r}."
            raise InvalidValue(msg)


@frozen(kw_only=True)
class NameRule:
    """
    What a provider takes as the name of a new voice.

    Attributes:
        pattern: Regular expression that the whole name matches.
        meaning: The same in words.
    """

    pattern: str
    meaning: str

    def check(self, name: str) -> None:
        """
        Accept *name* or refuse it.

        Raises:
            InvalidValue: If it does not match.
        """
        if not re.fullmatch(self.pattern, name):
            msg = f"A voice cannot be named {name!r} here: a name is {self.meaning}."
            raise InvalidValue(msg)


@frozen(kw_only=True)
class RecordingRules:
    """
    What a provider asks of a recording; None where it asks nothing.

    Attributes:
        containers: What it reads: ``wav``, ``mp3``, ``m4a``, ``flac`` or ``ogg``; the first
            is what a repaired recording becomes.
        min_sample_rate_hz: Least sample rate.
        max_channels: Most channels.
        min_s: Least seconds.
        max_s: Most seconds.
        advised_s: Least and most seconds it recommends.
        max_bytes: Most bytes of the file, before any encoding for sending.
        wav_bits: Bits of a sample that a WAV may have; empty for any.
        takes_url: Whether it fetches a recording itself from a public address.
    """

    containers: tuple[str, ...] = ("wav",)
    min_sample_rate_hz: int | None = None
    max_channels: int | None = None
    min_s: float | None = None
    max_s: float | None = None
    advised_s: tuple[float, float] | None = None
    max_bytes: int | None = None
    wav_bits: tuple[int, ...] = ()
    takes_url: bool = False


@frozen(kw_only=True)
class CloneOffer:
    """
    That a provider clones voices from recordings, and how.

    Attributes:
        models: Names of the models a voice can be made for, the usual one first.
        regions: The provider's region ids where it does; empty for all.
        languages: BCP-47 tags a recording may be in; empty for any.
        recording: What it asks of one.
        takes_transcript: Whether it wants to know what is said in it.
        asks_consent: Whether it wants the consent sent.
        name: What a voice may be named.
        prices: Of one voice made, unit ``voices``.
        note: What a user should know besides.
        evidence: Where this was read.
    """

    models: tuple[str, ...]
    regions: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    recording: RecordingRules = RecordingRules()
    takes_transcript: bool = False
    asks_consent: bool = False
    name: NameRule
    prices: tuple[Price, ...] = ()
    note: str = ""
    evidence: Evidence | None = None


@frozen(kw_only=True)
class DesignOffer:
    """
    That a provider designs voices from descriptions, and how.

    Attributes:
        models: Names of the models a voice can be made for, the usual one first.
        regions: The provider's region ids where it does; empty for all.
        languages: BCP-47 tags the voice and its preview may speak; empty for any.
        description_languages: BCP-47 tags a description may be in; empty for any.
        max_description: Most characters of a description, or None.
        min_preview: Least characters of a preview's text, or None.
        max_preview: Most characters of it, or None.
        preview_formats: Names of formats the preview can come in, the usual one first.
        preview_rates_hz: Sample rates, the usual one first.
        name: What a voice may be named.
        prices: Of one voice made, unit ``voices``.
        note: What a user should know besides.
        evidence: Where this was read.
    """

    models: tuple[str, ...]
    regions: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    description_languages: tuple[str, ...] = ()
    max_description: int | None = None
    min_preview: int | None = None
    max_preview: int | None = None
    preview_formats: tuple[str, ...] = ("wav",)
    preview_rates_hz: tuple[int, ...] = (24_000,)
    name: NameRule
    prices: tuple[Price, ...] = ()
    note: str = ""
    evidence: Evidence | None = None


class Level(enum.StrEnum):
    """What is to be done about a finding."""

    REFUSED = "refused"  # cannot be sent so
    REPAIRED = "repaired"  # could not have been; has been put right
    WARNED = "warned"  # can be sent; the voice may suffer
    ADVISED = "advised"  # could be better


@frozen(kw_only=True)
class Finding:
    """
    Something found in what is given for a new voice.

    Attributes:
        about: What was looked at, such as ``sample_rate`` or ``transcript``.
        level: Refused, repaired, warned or advised.
        message: What was measured, what the limit is, what to do.
    """

    about: str
    level: Level
    message: str

    def __str__(self) -> str:
        return f"{self.about}: {self.level.value}: {self.message}"


@frozen(kw_only=True)
class Recording:
    """
    A recording that was looked at, as it will be sent.

    Attributes:
        data: The file; empty where the provider fetches it.
        url: Where the provider fetches it, or empty.
        media_type: Of the content itself, such as ``audio/wav``; empty for an address.
        sample_rate_hz: Of the file, or None where it was not looked at.
        channels: Likewise.
        duration_s: Likewise.
        sha256: Of the recording as it was given, in hexadecimal; of the address for one
            that was not looked at.
        findings: What was found, refusals first.
    """

    data: bytes = field(repr=False, default=b"")
    url: str = field(repr=False, default="")
    media_type: str = ""
    sample_rate_hz: int | None = None
    channels: int | None = None
    duration_s: float | None = None
    sha256: str
    findings: tuple[Finding, ...] = ()


@frozen(kw_only=True)
class CloneRequest:
    """
    What a customizer is asked to clone; all of it checked against its offer.

    Attributes:
        model: The model the voice is for.
        name: What the provider is to name it.
        recording: What to clone from.
        transcript: What is said in it, or None.
        language: One of the offer's tags, or None.
        consent: Where the offer asks for it, else None.
    """

    model: ModelCard
    name: str
    recording: Recording
    transcript: str | None = field(default=None, repr=False)
    language: str | None = None
    consent: Consent | None = None


@frozen(kw_only=True)
class DesignRequest:
    """
    What a customizer is asked to design; all of it checked against its offer.

    Attributes:
        model: The model the voice is for.
        name: What the provider is to name it.
        description: How it shall sound.
        preview_text: What it says for a proof.
        language: One of the offer's tags, or None.
        format: Of the preview.
    """

    model: ModelCard
    name: str
    description: str = field(repr=False)
    preview_text: str = field(repr=False)
    language: str | None = None
    format: AudioFormat


@frozen(kw_only=True)
class MadeVoice:
    """
    What a customizer read from the answer to a clone or a design.

    Attributes:
        voice: The new voice, with the one model it is bound to.
        preview: Audio of it, or empty.
        preview_format: How to read *preview*, or None.
        request_id: The provider's id of the request, or empty.
        warnings: What the provider warned of.
    """

    voice: Voice
    preview: bytes = field(default=b"", repr=False)
    preview_format: AudioFormat | None = None
    request_id: str = ""
    warnings: tuple[str, ...] = ()


@frozen(kw_only=True)
class VoicePage:
    """
    Some of the voices a user has.

    Attributes:
        voices: Those of this page.
        next_page: What to ask for the next one with, or None after the last.
    """

    voices: tuple[Voice, ...]
    next_page: str | None = None
