"""What the tone provider does: one beep a word, a short rest after it."""

from __future__ import annotations

import math
import re
import sys
from array import array

from vivavoce.authoring import (
    Exchange,
    LocalCall,
    LocalSink,
    Mark,
    MarkKind,
    SynthesisRequest,
    Synthesizer,
)
from vivavoce_tone.capabilities import BASE_HZ

__all__ = ["ToneExchange", "ToneSynthesizer"]

BEEP_S_PER_CHARACTER = 0.06
LONGEST_BEEP_S = 0.6
REST_S = 0.04
FADE_S = 0.005
LEVEL = 0.25
"""Amplitude at 0 dB, of 1.0; leaves room for the 6 dB that may be added."""

_WORD = re.compile(r"\S+")


class ToneSynthesizer(Synthesizer):
    """Makes an exchange for each request; it has nothing to keep."""

    def exchange(self, request: SynthesisRequest) -> ToneExchange:
        """Return the beeps for *request*."""
        return ToneExchange(request)


class ToneExchange(Exchange):
    """One request. An engine in this process uses the ``local`` wire: a callable and a sink."""

    def __init__(self, request: SynthesisRequest) -> None:
        self.format = request.format
        self._request = request

    def open(self) -> LocalCall:
        """Ask core to run the engine beside the reader."""
        return LocalCall(run=self._beep)

    def _beep(self, sink: LocalSink) -> None:
        rate_hz = self.format.sample_rate_hz
        rest = bytes(2 * round(REST_S * rate_hz))
        at_s = 0.0
        for word in _WORD.finditer(self._request.text):
            beep = self._wave(len(word.group()), rate_hz)
            end_s = at_s + self.format.duration_s(len(beep))
            sink.mark(
                Mark(
                    kind=MarkKind.WORD,
                    start_s=at_s,
                    end_s=end_s,
                    text_start=word.start(),
                    text_end=word.end(),
                )
            )
            # False means that the caller has left: an engine stops then.
            if not sink.audio(beep + rest):
                return
            at_s = end_s + self.format.duration_s(len(rest))

    def _wave(self, characters: int, rate_hz: int) -> bytes:
        """Return one beep, faded at both ends so that it does not click."""
        prosody = self._request.prosody
        voice = self._request.voice.id if self._request.voice else "sine"
        hertz = BASE_HZ[voice] * 2 ** (prosody.pitch_semitones / 12)
        peak = 32_767 * LEVEL * 10 ** (prosody.volume_db / 20)
        seconds = min(characters * BEEP_S_PER_CHARACTER, LONGEST_BEEP_S) / prosody.rate_ratio
        count = round(seconds * rate_hz)
        step = 2 * math.pi * hertz / rate_hz
        fade = FADE_S * rate_hz
        samples = array(
            "h",
            (
                round(peak * min(1.0, i / fade, (count - 1 - i) / fade) * math.sin(step * i))
                for i in range(count)
            ),
        )
        if sys.byteorder == "big":
            samples.byteswap()
        return samples.tobytes()
