"""How an emulator behaves, whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "AFTERWARDS",
    "CANCELS",
    "CLEARS",
    "LENGTH_UNITS",
    "MISSING_VOICES",
    "PACES",
    "SHAPES",
    "UNCOMMITTED",
    "Afterwards",
    "Cancel",
    "Clear",
    "LengthUnit",
    "MissingVoice",
    "Pace",
    "Rpm",
    "Settings",
    "Shape",
    "Uncommitted",
    "can_be_sent",
]

LengthUnit = Literal["characters", "bytes", "billed"]
Pace = Literal["full", "real"]
Rpm = int | Literal["on", "off"]
Shape = Literal["documented", "observed"]
Uncommitted = Literal["dropped", "spoken"]
Clear = Literal["unspoken", "buffer"]
Cancel = Literal["obeyed", "error"]
Afterwards = Literal["open", "close"]
MissingVoice = Literal["status", "code"]

LENGTH_UNITS: tuple[LengthUnit, ...] = ("characters", "bytes", "billed")
PACES: tuple[Pace, ...] = ("full", "real")
SHAPES: tuple[Shape, ...] = ("documented", "observed")
UNCOMMITTED: tuple[Uncommitted, ...] = ("dropped", "spoken")
CLEARS: tuple[Clear, ...] = ("unspoken", "buffer")
CANCELS: tuple[Cancel, ...] = ("obeyed", "error")
AFTERWARDS: tuple[Afterwards, ...] = ("open", "close")
MISSING_VOICES: tuple[MissingVoice, ...] = ("status", "code")


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
    Bytes of audio in one event of a stream or session, 1 or more. The default is 0.1 s; an odd
    number tears samples apart.
    """

    url_lifetime_s: int = 86_400
    """Seconds for which the address of finished audio may be read; 0 makes it expired at once."""

    length_unit: LengthUnit = "characters"
    """What a text's limit counts: code points, bytes of UTF-8, or billed characters."""

    # Of voices that are made.

    voices: Mapping[str, Collection[str]] = field(default_factory=dict)
    """
    Ids by model: cloned or designed voices that every key has from the beginning. One id may be
    given to several models, which no voice that is made has.
    """

    voices_path: str = ""
    """
    File of an SQLite database in which voices are kept, made where there is none; empty keeps them
    in memory. Emulators may share one. It holds neither keys nor recordings.
    """

    voice_quota: int = 1_000
    """How many voices each key may have at a time, cloned and designed ones together."""

    missing_voice: MissingVoice = "status"
    """
    How a voice that is not there is told to who deletes it or asks about it: with 400, or with
    a code in an answer with 200. The pages have both.
    """

    least_preview_characters: int = 0
    """Shortest text of a preview; a sibling of the service wants 15."""

    # The rest is of realtime sessions: mostly what the service's pages leave open.

    shape: Shape = "documented"
    """
    How the end of a response is told: as the pages show it, or as it was seen, with tokens beside
    the characters and the usage in the item.
    """

    group_characters: int = 300
    """Characters after which ``server_commit`` speaks without waiting for a sentence's end."""

    open_responses: bool = False
    """
    Whether in ``server_commit`` a response stays open for further text until the client commits
    or finishes; otherwise each sentence is a response.
    """

    uncommitted: Uncommitted = "dropped"
    """What becomes of text that was not committed when a session in ``commit`` is finished."""

    clear: Clear = "unspoken"
    """
    What is dropped on ``input_text_buffer.clear``: all that has not begun to be spoken, or what is
    in the buffer, not what is committed or grouped already.
    """

    cancel: Cancel = "obeyed"
    """Whether ``response.cancel`` is known; the pages do not have it."""

    after_finish: Afterwards = "open"
    """Who closes after ``session.finished``: the client, or the server."""

    after_error: Afterwards = "open"
    """Who closes after an error that ended a session: the client, or the server with 1011."""

    idle_s: float = 0.0
    """Seconds without a word from either side after which the server closes; 0 for never."""

    idle_code: int = 1_000
    """What it closes an idle session with, such as 1000 or 1011."""

    clock: Callable[[], float] = time.time
    """Seconds since 1970; rate limits go by it, and the expiry of addresses and of voices."""

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
        self._check_voices()
        self._check_sessions()

    def _check_voices(self) -> None:
        from vivavoce_qwen.tables import models

        own = {name: row.voices for name, row in models().items() if row.voices != "system"}
        for model, ids in self.voices.items():
            _check(model in own, "voices", model, sorted(own))
            for voice in ids:
                form = f"qwen-tts-{'vc' if own[model] == 'cloned' else 'vd'}-"
                _check(voice.startswith(form) and voice != form, "voices", voice, [f"{form}..."])
        _check(self.voice_quota >= 0, "voice_quota", self.voice_quota, ["0 or more"])
        _check(
            self.missing_voice in MISSING_VOICES,
            "missing_voice",
            self.missing_voice,
            MISSING_VOICES,
        )
        _check(
            self.least_preview_characters >= 0,
            "least_preview_characters",
            self.least_preview_characters,
            ["0 or more"],
        )

    def _check_sessions(self) -> None:
        _check(self.shape in SHAPES, "shape", self.shape, SHAPES)
        _check(self.uncommitted in UNCOMMITTED, "uncommitted", self.uncommitted, UNCOMMITTED)
        _check(self.clear in CLEARS, "clear", self.clear, CLEARS)
        _check(self.cancel in CANCELS, "cancel", self.cancel, CANCELS)
        _check(self.after_finish in AFTERWARDS, "after_finish", self.after_finish, AFTERWARDS)
        _check(self.after_error in AFTERWARDS, "after_error", self.after_error, AFTERWARDS)
        _check(
            self.group_characters >= 1,
            "group_characters",
            self.group_characters,
            ["a number from 1"],
        )
        _check(self.idle_s >= 0, "idle_s", self.idle_s, ["0 or more"])
        _check(can_be_sent(self.idle_code), "idle_code", self.idle_code, ["1000", "1001", "1011"])


def can_be_sent(code: int) -> bool:
    """Return whether a WebSocket may be closed with *code*."""
    return code in {*range(1_000, 1_004), *range(1_007, 1_015)} or 3_000 <= code <= 4_999


def _check(is_usable: object, name: str, value: object, choices: Collection[str]) -> None:
    if not is_usable:
        msg = f"{name}={value!r} is unusable. Choose one of: {', '.join(choices)}."
        raise ValueError(msg)
