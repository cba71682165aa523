"""How an emulator behaves, whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["LENGTH_UNITS", "PACES", "LengthUnit", "Pace", "Rpm", "Settings"]

LengthUnit = Literal["characters", "bytes", "billed"]
Pace = Literal["full", "real"]
Rpm = int | Literal["on", "off"]

LENGTH_UNITS: tuple[LengthUnit, ...] = ("characters", "bytes", "billed")
PACES: tuple[Pace, ...] = ("full", "real")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    How an emulator behaves, validated when made.

    Raises:
        ValueError: If a value is unusable; the message says which are.
    """

    region: str = "cn-beijing"
    """The region that is served; models that are not in it are not found."""

    keys: Mapping[str, Collection[str]] = field(default_factory=dict)
    """
    Keys of each region. Where the served region has none, every key is accepted that is not listed
    for another region.
    """

    rpm: Rpm = "off"
    """Requests a minute and model: a number, ``on`` for the model's own limit, ``off`` for none."""

    pace: Pace = "full"
    """``full`` sends as fast as it can; ``real`` sends each chunk when it could be played."""

    chunk_bytes: int = 4_800
    """
    Bytes of audio in one event of a stream, 1 or more. The default is 0.1 s; an odd number tears
    samples apart.
    """

    url_lifetime_s: int = 86_400
    """Seconds for which the address of finished audio may be read; 0 makes it expired at once."""

    length_unit: LengthUnit = "characters"
    """What a text's limit counts: code points, bytes of UTF-8, or billed characters."""

    clock: Callable[[], float] = time.time
    """Seconds since 1970; expiry and rate limits go by it."""

    def __post_init__(self) -> None:
        from vivavoce_qwen.tables import models

        regions = sorted({region for row in models().values() for region in row.regions})
        for region in (self.region, *self.keys):
            _check(region in regions, "region", region, regions)
        _check(
            self.rpm in {"on", "off"} or (isinstance(self.rpm, int) and self.rpm >= 1),
            "rpm",
            self.rpm,
            ["on", "off", "a number from 1"],
        )
        _check(self.pace in PACES, "pace", self.pace, PACES)
        _check(self.chunk_bytes >= 1, "chunk_bytes", self.chunk_bytes, ["a number from 1"])
        _check(self.url_lifetime_s >= 0, "url_lifetime_s", self.url_lifetime_s, ["0 or more"])
        _check(self.length_unit in LENGTH_UNITS, "length_unit", self.length_unit, LENGTH_UNITS)


def _check(is_usable: object, name: str, value: object, choices: Collection[str]) -> None:
    if not is_usable:
        msg = f"{name}={value!r} is unusable. Choose one of: {', '.join(choices)}."
        raise ValueError(msg)
