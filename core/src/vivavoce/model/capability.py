"""What a model can do, as claims with limits, units and evidence."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import attrs
from attrs import field, frozen

from vivavoce.errors import InvalidValue

__all__ = ["Capabilities", "Claim", "Evidence", "Support", "no", "unknown", "yes"]


class Support(enum.StrEnum):
    """``unknown`` is an honest answer: nobody has written down which it is."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Evidence:
    """
    Why a claim is believed.

    Attributes:
        source: A page's address, ``code: ...`` for what the code itself shows,
            or ``measured: ...``.
        date: ISO date on which it was read or measured.
    """

    source: str
    date: str


@frozen(kw_only=True)
class Claim:
    """
    One thing a model can or cannot do.

    Attributes:
        support: Yes, no or unknown.
        values: The possible values where they can be listed (languages, rates).
        minimum: Least value, in *unit*; None when there is none or it is not known.
        maximum: Greatest value, in *unit*; None as above.
        unit: Unit of the limits, such as ``characters`` or ``ratio``.
        note: What a user should know besides; one or two sentences.
        evidence: Where this was read, or None.
    """

    support: Support = field(converter=Support)
    values: tuple[str | int, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    note: str = ""
    evidence: Evidence | None = None

    def __bool__(self) -> bool:
        """Return whether this is a plain yes; ``unknown`` is not."""
        return self.support is Support.YES

    def __str__(self) -> str:
        parts: list[str] = [self.support.value]
        if self.values:
            parts.append(", ".join(str(value) for value in self.values))
        if self.minimum is not None or self.maximum is not None:
            low = "" if self.minimum is None else f"{self.minimum:g}"
            high = "" if self.maximum is None else f"{self.maximum:g}"
            limits = f"{low} to {high}" if low else f"up to {high}"
            parts.append(f"{limits} {self.unit}".rstrip())
        return ": ".join((parts[0], "; ".join(parts[1:]))) if parts[1:] else parts[0]


def yes(
    *values: str | int,
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str = "",
    note: str = "",
    evidence: Evidence | None = None,
) -> Claim:
    """Return a claim that it can, with its values or limits."""
    return Claim(
        support=Support.YES,
        values=values,
        minimum=minimum,
        maximum=maximum,
        unit=unit,
        note=note,
        evidence=evidence,
    )


def no(note: str = "", *, evidence: Evidence | None = None) -> Claim:
    """Return a claim that it cannot."""
    return Claim(support=Support.NO, note=note, evidence=evidence)


def unknown(note: str = "") -> Claim:
    """Return the claim that nobody has found out yet."""
    return Claim(support=Support.UNKNOWN, note=note)


_UNKNOWN = unknown()


def _claim(meaning: str) -> Claim:
    # attrs gives the field back as its declared type, so the class below reads
    # as a plain list of claims.
    return field(default=_UNKNOWN, metadata={"meaning": meaning})


@frozen(kw_only=True)
class Capabilities:
    """Everything a model claims; what is not stated is ``unknown``."""

    stream_out: Claim = _claim("audio arrives while later audio is still being made")
    stream_in: Claim = _claim("text can be given while audio is already coming")
    word_marks: Claim = _claim("times of words, from the engine")
    sentence_marks: Claim = _claim("times of sentences, from the engine")
    phoneme_marks: Claim = _claim("times of phonemes, from the engine")
    bookmarks: Claim = _claim("times of SSML marks, from the engine")
    ssml: Claim = _claim("SSML is understood; the elements are the values")
    latex: Claim = _claim("LaTeX formulas are read aloud as formulas")
    instructions: Claim = _claim("style instructions in plain language")
    rate: Claim = _claim("speaking rate, a ratio to normal")
    pitch: Claim = _claim("pitch, semitones from normal")
    volume: Claim = _claim("volume, decibels from normal")
    bit_rate: Claim = _claim("bit rate of compressed audio can be set")
    clone: Claim = _claim("speaks with voices cloned from a recording")
    design: Claim = _claim("speaks with voices designed from a description")
    stock_voices: Claim = _claim("speaks with the provider's own voices")
    languages: Claim = _claim("languages, BCP-47")
    dialects: Claim = _claim("varieties of a language, BCP-47")
    containers: Claim = _claim("containers the provider itself delivers")
    encodings: Claim = _claim("encodings the provider itself delivers")
    sample_rates_hz: Claim = _claim("sample rates the provider itself delivers, Hz")
    max_text: Claim = _claim("longest text of one request; longer text is segmented")
    max_instructions: Claim = _claim("longest style instructions")
    rpm: Claim = _claim("requests per minute")
    tpm: Claim = _claim("tokens per minute")

    def __getitem__(self, name: str) -> Claim:
        """
        Return the claim of this name.

        Raises:
            InvalidValue: If there is no such capability.
        """
        if name not in NAMES:
            msg = f"{name!r} is no capability. Choose one of {', '.join(NAMES)}."
            raise InvalidValue(msg)
        claim: Claim = getattr(self, name)
        return claim

    def __iter__(self) -> Iterator[tuple[str, Claim]]:
        """Iterate over names and claims, in the order of the table."""
        return ((name, getattr(self, name)) for name in NAMES)

    @staticmethod
    def meaning(name: str) -> str:
        """Return what the capability *name* is about, in a few words."""
        meaning: str = attrs.fields_dict(Capabilities)[name].metadata["meaning"]
        return meaning


NAMES: tuple[str, ...] = tuple(attribute.name for attribute in attrs.fields(Capabilities))
