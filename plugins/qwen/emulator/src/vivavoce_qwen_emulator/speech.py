"""Text to samples, with the voices of eSpeak NG."""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vivavoce_qwen_emulator.checks import Order, Refused

if TYPE_CHECKING:
    from vivavoce import Client

__all__ = ["SAMPLE_RATE_HZ", "Manner", "Speaker", "duration_s", "guess_language", "manner_of"]

SAMPLE_RATE_HZ = 24_000

_KEPT = 32
"""Finished texts in memory; the longest is about 4 MB."""

# What the engine can do; a wish beyond it is heeded as far as this.
_ENGINE_RATES_RATIO = (0.5, 4.0)
_ENGINE_PITCHES_SEMITONES = (-6.0, 8.0)
_ENGINE_VOLUMES_DB = (-60.0, 6.0)

# Opus comes in Ogg, where its pages have a random serial number: the samples are the same.
_CONTAINERS = {"pcm": "pcm", "wav": "wav", "mp3": "mp3", "opus": "ogg"}

_FEMALE = ("f1", "f2", "f3", "f4", "f5")
_MALE = ("m1", "m2", "m3", "m4", "m5", "m6", "m7")
# Voices that were made sound like none of the service's own, and the two kinds unlike each other:
# the first are taken from living people, the second are another synthesizer's within the engine.
_MADE = {
    "cloned": (
        "Alex", "Alicia", "Andy", "Annie", "Denis", "Diogo", "Lee", "Mario", "Michael", "Mike",
        "belinda", "linda", "norbert", "quincy", "robert", "shelby", "steph", "travis", "zac",
    ),
    "designed": ("klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "croak", "whisperf"),
}  # fmt: skip
_MADE_PITCHES_SEMITONES = (-4.0, -2.5, -1.0, 0.5, 2.0, 3.5, 5.0)

# With 12 timbres alone, many of the voices would sound the same.
_PITCHES_SEMITONES = (-2.0, -1.0, 0.0, 1.0, 2.0)
_RATES_RATIO = (0.94, 1.0, 1.06)

# The engine's voice for each language it names otherwise.
_VOICES = {"zh": "cmn", "en": "en-US", "fr": "fr-FR"}

# The first that is found in a text tells its language: Japanese also has Han characters.
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)

# What an instruction changes: rate as a ratio, pitch in semitones.
_HINTS = (
    (re.compile(r"\b(?:fast|faster|quick|quickly)\b|快", re.IGNORECASE), 1.2, 0.0),
    (re.compile(r"\b(?:slow|slower|slowly)\b|慢", re.IGNORECASE), 0.85, 0.0),
    (re.compile(r"\b(?:high|higher)\b|高", re.IGNORECASE), 1.0, 1.5),
    (re.compile(r"\b(?:low|lower|deep)\b|低", re.IGNORECASE), 1.0, -1.5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the engine is to say a text."""

    voice: str
    """The engine's voice."""

    variant: str
    """Timbre laid over it."""

    rate_ratio: float
    """1.0 is normal."""

    pitch_semitones: float
    """0.0 is the voice's own."""

    volume_db: float = 0.0
    """0.0 is the voice's own."""


class Speaker:
    """
    Speaks orders, and remembers the last few. May be used by many threads.

    What is said is a function of voice, text, language, instructions and prosody: the model's
    name does not change it, nor does how it is asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._spoken: OrderedDict[tuple[str, Manner, str, int], bytes] = OrderedDict()

    def speak(self, order: Order) -> bytes:
        """
        Return *order* in its format, which is mono ``pcm_s16le`` at 24 kHz unless it says so.

        Blocks; takes milliseconds. A WAV does not tell its length.

        Raises:
            Refused: If the engine has nothing to say for it.
        """
        key = (order.text, manner_of(order), order.response_format, order.sample_rate_hz)
        with self._lock:
            if key in self._spoken:
                self._spoken.move_to_end(key)
                return self._spoken[key]
        pcm = self._synthesize(*key)
        with self._lock:
            self._spoken[key] = pcm
            while len(self._spoken) > _KEPT:
                self._spoken.popitem(last=False)
        return pcm

    def close(self) -> None:
        """Free the engine. Harmless when repeated."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _synthesize(
        self, text: str, manner: Manner, response_format: str, sample_rate_hz: int
    ) -> bytes:
        from vivavoce import NoAudio, UsageError

        try:
            with self._engine().stream(
                text,
                voice=manner.voice,
                rate=manner.rate_ratio,
                pitch=manner.pitch_semitones,
                volume=manner.volume_db,
                format=_CONTAINERS[response_format],
                sample_rate_hz=sample_rate_hz,
                options={"variant": manner.variant},
            ) as stream:
                return b"".join(chunk.data for chunk in stream)
        except (NoAudio, UsageError) as error:
            raise Refused(400, "InvalidParameter", "Please ensure input text is valid.") from error

    def _engine(self) -> Client:
        from vivavoce import Client, Settings

        with self._lock:
            if self._client is None:
                # What the user has set up for real speech is not for this.
                self._client = Client("espeak", settings=Settings())
            return self._client


def manner_of(order: Order) -> Manner:
    """Return how the engine is to say *order*; the same order is always said the same."""
    from vivavoce_qwen.tables import voices

    row = voices().get(order.voice)
    gender = row.gender if row is not None else ""
    language = _language_of(order)
    is_cantonese = row is not None and row.chinese_variety == "Cantonese"
    voice = "yue" if language == "zh" and is_cantonese else _VOICES.get(language, language)
    made = _MADE.get(order.model.voices)
    timbres = made or {"female": _FEMALE, "male": _MALE}.get(gender, _FEMALE + _MALE)
    pitches = _MADE_PITCHES_SEMITONES if made else _PITCHES_SEMITONES
    # Python's own hash differs from process to process.
    digest = hashlib.sha256(order.voice.encode(errors="surrogatepass")).digest()
    rate_ratio, pitch_semitones = _heed(order.instructions)
    rate_ratio *= order.speech_rate * _RATES_RATIO[digest[2] % len(_RATES_RATIO)]
    pitch_semitones += 12 * math.log2(order.pitch_rate)
    pitch_semitones += pitches[digest[1] % len(pitches)]
    # 0 is silence, which in decibels is without end.
    volume_db = 20 * math.log10(order.volume / 50) if order.volume else -math.inf
    return Manner(
        voice=voice,
        variant=timbres[digest[0] % len(timbres)],
        rate_ratio=_within(rate_ratio, _ENGINE_RATES_RATIO),
        pitch_semitones=_within(pitch_semitones, _ENGINE_PITCHES_SEMITONES),
        volume_db=_within(volume_db, _ENGINE_VOLUMES_DB),
    )


def guess_language(text: str) -> str:
    """Return the language whose script *text* has, English if it is none of those known."""
    return next((tag for tag, script in _SCRIPTS if script.search(text)), "en")


def duration_s(pcm: bytes) -> float:
    """Return how long *pcm* is, in seconds."""
    return len(pcm) / (2 * SAMPLE_RATE_HZ)


def _within(value: float, limits: tuple[float, float]) -> float:
    least, most = limits
    return min(max(value, least), most)


def _language_of(order: Order) -> str:
    from vivavoce_qwen.tables import LANGUAGE_TYPES

    tags = {value: tag for tag, value in LANGUAGE_TYPES.items()}
    return tags.get(order.language_type) or guess_language(order.text)


def _heed(instructions: str) -> tuple[float, float]:
    rate_ratio, pitch_semitones = 1.0, 0.0
    for hint, ratio, semitones in _HINTS:
        if hint.search(instructions):
            rate_ratio *= ratio
            pitch_semitones += semitones
    return rate_ratio, pitch_semitones
