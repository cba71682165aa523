"""What the tone provider claims, each with its evidence."""

from __future__ import annotations

from vivavoce.authoring import Capabilities, Evidence, ModelCard, Voice, no, yes

__all__ = ["BASE_HZ", "MODELS", "VOICES"]

_CODE = Evidence(source="code: vivavoce_tone/exchange.py", date="2026-11-23")

BASE_HZ = {"sine": 440.0, "low": 220.0}
"""Pitch of each voice, in Hz, before any pitch wish."""

MODELS = (
    ModelCard(
        name="beep",
        transports=("local",),
        is_free=True,
        default_voice="sine",
        evidence=_CODE,
        capabilities=Capabilities(
            stream_out=yes(evidence=_CODE),
            stream_in=no("it has the text before it beeps", evidence=_CODE),
            word_marks=yes(evidence=_CODE),
            sentence_marks=no("it knows no sentences", evidence=_CODE),
            phoneme_marks=no(evidence=_CODE),
            bookmarks=no(evidence=_CODE),
            ssml=no("it would beep the markup", evidence=_CODE),
            latex=no(evidence=_CODE),
            instructions=no(evidence=_CODE),
            rate=yes(minimum=0.5, maximum=2.0, unit="ratio", evidence=_CODE),
            pitch=yes(minimum=-12, maximum=12, unit="semitones", evidence=_CODE),
            volume=yes(minimum=-40, maximum=6, unit="dB", evidence=_CODE),
            bit_rate=no(evidence=_CODE),
            clone=no(evidence=_CODE),
            design=no(evidence=_CODE),
            stock_voices=yes(evidence=_CODE),
            languages=yes("zxx", note="no language: every word is a beep", evidence=_CODE),
            dialects=no(evidence=_CODE),
            containers=yes("raw", evidence=_CODE),
            encodings=yes("pcm_s16le", evidence=_CODE),
            sample_rates_hz=yes(24_000, 16_000, 8_000, evidence=_CODE),
            max_text=yes(maximum=10_000, unit="characters", evidence=_CODE),
            max_instructions=no(evidence=_CODE),
            rpm=no("no limit", evidence=_CODE),
            tpm=no("no limit", evidence=_CODE),
        ),
    ),
)

VOICES = tuple(
    Voice(id=name, languages=("zxx",), description=f"{hertz:g} Hz", models=("beep",))
    for name, hertz in BASE_HZ.items()
)
