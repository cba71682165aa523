"""What eSpeak NG can do, and how well; voices come from the engine's own table."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from vivavoce.authoring import (
    Capabilities,
    Evidence,
    Gender,
    ModelCard,
    Option,
    Voice,
    no,
    yes,
)
from vivavoce_espeak._languages import voice_tags
from vivavoce_espeak._table import (
    LANGUAGES,
    RATE_RATIO_MAX,
    RATE_RATIO_MIN,
    SEMITONES_MAX,
    SEMITONES_MIN,
    VARIANTS,
    VOLUME_DB_MAX,
    VOLUME_DB_MIN,
)

__all__ = ["MODELS", "SSML_MAX_CHARS", "identifier_of", "list_voices"]

MODEL = "espeak-ng"

# One request is spoken into memory, so that a slow reader holds nobody up. SSML
# is not segmented: at this length it is about an hour of speech, 160 MB.
SSML_MAX_CHARS = 50_000

_CODE = Evidence(source="code: vivavoce_espeak/exchange.py", date="2026-11-23")
_MEASURED = Evidence(source="measured: eSpeak NG 1.52.0, see docs/decisions", date="2026-11-23")
_TABLE = Evidence(source="the engine's own voice table, 1.52.0", date="2026-11-23")
_RECIPE = Evidence(
    source="measured: speech recognition round trip, five sentences", date="2026-11-22"
)

_SSML_ELEMENTS = (
    "audio",
    "break",
    "emphasis",
    "mark",
    "p",
    "prosody",
    "s",
    "speak",
    "sub",
    "voice",
)

MODELS = (
    ModelCard(
        name=MODEL,
        transports=("local",),
        is_free=True,
        default_voice="en-US",
        segment_chars=2_500,
        note="Formant speech: robotic, but clear, small, and in 145 language tags.",
        evidence=_TABLE,
        options=(
            Option(
                name="variant",
                meaning="a timbre laid over the voice, such as f3 for a woman's",
                type=str,
                values=VARIANTS,
            ),
        ),
        capabilities=Capabilities(
            stream_out=yes(evidence=_CODE),
            stream_in=no("the engine takes a text whole", evidence=_CODE),
            word_marks=yes(
                note="An end is where the next word begins, or the clause's pause ends.",
                evidence=_MEASURED,
            ),
            sentence_marks=yes(evidence=_MEASURED),
            phoneme_marks=no("the engine has them, this plugin does not read them"),
            bookmarks=yes(
                note="From SSML <mark> within a sentence; one between two sentences is lost.",
                evidence=_MEASURED,
            ),
            ssml=yes(
                *_SSML_ELEMENTS,
                maximum=SSML_MAX_CHARS,
                unit="characters",
                note=(
                    "<audio> speaks its content instead of the file. In <prosody> write pitch in "
                    "per cent and volume in words: semitones and dB come out far too small."
                ),
                evidence=_MEASURED,
            ),
            latex=no(evidence=_CODE),
            instructions=no("it has one style", evidence=_CODE),
            rate=yes(
                minimum=RATE_RATIO_MIN, maximum=RATE_RATIO_MAX, unit="ratio", evidence=_MEASURED
            ),
            pitch=yes(
                minimum=SEMITONES_MIN, maximum=SEMITONES_MAX, unit="semitones", evidence=_MEASURED
            ),
            volume=yes(minimum=VOLUME_DB_MIN, maximum=VOLUME_DB_MAX, unit="dB", evidence=_MEASURED),
            bit_rate=no("its audio is not compressed", evidence=_CODE),
            clone=no(evidence=_CODE),
            design=no(evidence=_CODE),
            stock_voices=yes(evidence=_TABLE),
            languages=yes(
                *LANGUAGES,
                note=(
                    "Uneven: zh, cmn, yue, ko and ru were hardly understood by a recogniser; "
                    "Japanese kanji are not read but announced as Chinese letters; "
                    "en, de, it and pt come out well."
                ),
                evidence=_RECIPE,
            ),
            dialects=no("varieties are listed as languages", evidence=_TABLE),
            containers=yes("raw", evidence=_CODE),
            encodings=yes("pcm_s16le", evidence=_CODE),
            sample_rates_hz=yes(22_050, evidence=_MEASURED),
            max_text=yes(note="no limit; core closes a request after about 2500", evidence=_CODE),
            max_instructions=no(evidence=_CODE),
            rpm=no("no limit", evidence=_CODE),
            tpm=no("no limit", evidence=_CODE),
        ),
    ),
)


def list_voices() -> tuple[Voice, ...]:
    """Return the engine's voices; an id is the voice's first BCP-47 tag."""
    return _voices()


def identifier_of(voice_id: str) -> str:
    """Return the engine's identifier for a voice id."""
    return _identifiers()[voice_id]


@functools.cache
def _voices() -> tuple[Voice, ...]:
    from vivavoce_espeak._engine import engine  # loads ctypes, which a card has no need of

    return tuple(
        Voice(
            id=tags[0],
            name=voice.name,
            languages=tags,
            gender=Gender(voice.gender or "unknown"),
            description=f"eSpeak NG voice {voice.identifier}",
            models=(MODEL,),
        )
        for voice in engine().voices()
        for tags in (voice_tags(voice.identifier, (code for code, _ in voice.languages)),)
    )


@functools.cache
def _identifiers() -> Mapping[str, str]:
    from vivavoce_espeak._engine import engine

    return {
        voice_tags(voice.identifier, (code for code, _ in voice.languages))[0]: voice.identifier
        for voice in engine().voices()
    }
