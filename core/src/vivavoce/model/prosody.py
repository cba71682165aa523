"""How it is spoken: rate, pitch, volume."""

from __future__ import annotations

from attrs import Attribute, field, frozen

from vivavoce.errors import InvalidValue

__all__ = ["Prosody"]

# Wider than any provider's range, so that a model's own limits decide, yet
# narrow enough to catch a value in the wrong unit (a rate of 175 is words a
# minute, a volume of 100 is per cent).
LIMITS = {
    "rate_ratio": (0.1, 10.0, "a ratio, 1.0 is the voice's normal rate"),
    "pitch_semitones": (-24.0, 24.0, "semitones, 0 is the voice's normal pitch"),
    "volume_db": (-60.0, 24.0, "decibels, 0 is the voice's normal volume"),
}


def _check(_instance: object, attribute: Attribute[float], value: object) -> None:
    low, high, meaning = LIMITS[attribute.name]
    # NaN is in no range, and so is refused as well.
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return
    msg = f"{attribute.name} is {meaning}; {value!r} is not from {low} to {high}."
    raise InvalidValue(msg)


@frozen(kw_only=True)
class Prosody:
    """
    How it is spoken, relative to the voice as it is.

    Attributes:
        rate_ratio: 0.1 to 10; 2.0 is twice as fast. 1.0 asks for nothing.
        pitch_semitones: -24 to 24; 12 is an octave up. 0 asks for nothing.
        volume_db: -60 to 24; 6 is about twice the amplitude. 0 asks for nothing.
    """

    rate_ratio: float = field(default=1.0, validator=_check)
    pitch_semitones: float = field(default=0.0, validator=_check)
    volume_db: float = field(default=0.0, validator=_check)
