"""
For tests of programs that speak: a provider that does as it is told.

>>> from vivavoce import Client
>>> from vivavoce.testing import FakeProvider
>>> fake = FakeProvider()
>>> with Client("fake", registry=fake.registry()) as client:
...     audio = client.synthesize("Hello.")
>>> fake.requests[0].text
'Hello.'

Its audio is a function of the text, character by character, so that a test can
tell whose audio it got and whether any is missing; see :func:`samples_of`.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from vivavoce.hookspecs import hookimpl
from vivavoce.model.audio import AudioFormat
from vivavoce.model.capability import Capabilities, Evidence, no, yes
from vivavoce.model.card import ModelCard
from vivavoce.model.timing import Mark, MarkKind
from vivavoce.model.voice import Voice
from vivavoce.provider import (
    INTERFACE,
    ProviderConfig,
    SynthesisRequest,
    Synthesizer,
    SynthesizerInfo,
)
from vivavoce.registry import Registry
from vivavoce.wire.exchange import Exchange
from vivavoce.wire.local import LocalCall, LocalSink

__all__ = ["FAKE_CAPABILITIES", "FakeProvider", "Step", "samples_of"]

SAMPLES_PER_CHARACTER = 80

Step = bytes | Mark | BaseException | threading.Event
"""Audio to give, a mark to give, an error to raise, or an event to wait for."""

_EVIDENCE = Evidence(source="code: vivavoce/testing.py", date="2026-11-23")

FAKE_CAPABILITIES = Capabilities(
    stream_out=yes(evidence=_EVIDENCE),
    word_marks=yes(evidence=_EVIDENCE),
    ssml=no("it would read the markup aloud"),
    instructions=no("it has one style"),
    rate=yes(minimum=0.5, maximum=2.0, unit="ratio"),
    pitch=no("it has one pitch"),
    volume=no("it has one volume"),
    stock_voices=yes(),
    languages=yes("en-US", "de"),
    containers=yes("raw"),
    encodings=yes("pcm_s16le"),
    sample_rates_hz=yes(16_000, 8_000),
    max_text=yes(maximum=200, unit="characters"),
)
"""What a :class:`FakeProvider` claims unless told otherwise."""


def samples_of(text: str) -> bytes:
    """Return the audio a fake provider makes of *text*: 80 samples a character, mono."""
    return b"".join(
        struct.pack("<h", 500 + ord(character) % 30_000) * SAMPLES_PER_CHARACTER
        for character in text
    )


def _speak(request: SynthesisRequest) -> Iterable[Step]:
    """Say the text word by word, each with its mark."""
    at = 0
    rate_hz = request.format.sample_rate_hz
    for word in request.text.split(" "):
        end = at + len(word)
        if word:
            yield Mark(
                kind=MarkKind.WORD,
                start_s=at * SAMPLES_PER_CHARACTER / rate_hz,
                end_s=end * SAMPLES_PER_CHARACTER / rate_hz,
                text_start=at,
                text_end=end,
            )
        yield samples_of(request.text[at : end + 1])
        at = end + 1


class FakeProvider:
    """
    A provider for tests.

    Args:
        script: What it does for a request, step by step; None to speak the text.
        name: Its name in selectors.
        capabilities: What it claims.
        voices: Its voices; the first is the default.
        credential_env: Variables that may hold its key.
        default_rank: See :class:`vivavoce.SynthesizerInfo`.

    Attributes:
        requests: What it was asked, in order.
        configs: What it was made with, once for each client.
    """

    def __init__(
        self,
        script: Callable[[SynthesisRequest], Iterable[Step]] | None = None,
        *,
        name: str = "fake",
        capabilities: Capabilities = FAKE_CAPABILITIES,
        voices: Sequence[Voice] | None = None,
        credential_env: tuple[str, ...] = (),
        default_rank: int = 1,
    ) -> None:
        self.requests: list[SynthesisRequest] = []
        self.configs: list[ProviderConfig] = []
        self._script = script or _speak
        self._voices = tuple(voices) if voices is not None else _voices()
        self.info = SynthesizerInfo(
            name=name,
            title="A provider for tests",
            interface=INTERFACE,
            models=(
                ModelCard(
                    name="one",
                    transports=("local",),
                    capabilities=capabilities,
                    default_voice=self._voices[0].id,
                    is_free=True,
                ),
            ),
            synthesizer=self._synthesizer(),
            voices=lambda: self._voices,
            credential_env=credential_env,
            default_rank=default_rank,
        )

    @hookimpl
    def vivavoce_synthesizers(self) -> list[SynthesizerInfo]:
        """Introduce the provider."""
        return [self.info]

    def registry(self, *plugins: object) -> Registry:
        """Return a registry of this provider and other *plugins*, and nothing else."""
        return Registry.of(self, *plugins)

    def with_card(self, **changes: Any) -> FakeProvider:
        """Change fields of its model card; returns itself."""
        card = attrs.evolve(self.info.models[0], **changes)
        self.info = attrs.evolve(self.info, models=(card,))
        return self

    def _synthesizer(self) -> type[Synthesizer]:
        provider = self

        class FakeSynthesizer(Synthesizer):
            def __init__(self, config: ProviderConfig) -> None:
                super().__init__(config)
                provider.configs.append(config)

            def exchange(self, request: SynthesisRequest) -> Exchange:
                provider.requests.append(request)
                return _FakeExchange(request.format, provider._script(request))

        return FakeSynthesizer


class _FakeExchange(Exchange):
    def __init__(self, audio_format: AudioFormat, steps: Iterable[Step]) -> None:
        self.format = audio_format
        self._steps = steps

    def open(self) -> LocalCall:
        return LocalCall(run=self._run)

    def _run(self, sink: LocalSink) -> None:
        for step in self._steps:
            if isinstance(step, Mark):
                sink.mark(step)
            elif isinstance(step, threading.Event):
                _wait(step, sink)
            elif isinstance(step, BaseException):
                raise step
            elif not sink.audio(step):
                return


def _wait(event: threading.Event, sink: LocalSink) -> None:
    # Looks up now and then, as any engine must, so that a caller who leaves is
    # not waited for.
    while not event.wait(0.01) and not sink.stopped:
        pass


def _voices() -> tuple[Voice, ...]:
    return (
        Voice(id="ann", name="Ann", languages=("en-US",), models=("one",)),
        Voice(id="ben", name="Ben", languages=("de",), models=("one",)),
        Voice(id="old", name="Old", languages=("en-US",), models=("gone",)),
    )
