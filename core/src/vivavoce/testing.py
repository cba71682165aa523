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
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs

from vivavoce.audio.wav import wav_header
from vivavoce.errors import UnexpectedReply, VivavoceError
from vivavoce.hookspecs import hookimpl
from vivavoce.model.audio import AudioFormat
from vivavoce.model.capability import Capabilities, Evidence, no, yes
from vivavoce.model.card import ModelCard, Price
from vivavoce.model.customizing import (
    CloneOffer,
    CloneRequest,
    DesignOffer,
    DesignRequest,
    MadeVoice,
    NameRule,
    RecordingRules,
    VoicePage,
)
from vivavoce.model.timing import Mark, MarkKind
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.provider import (
    INTERFACE,
    ProviderConfig,
    SynthesisRequest,
    Synthesizer,
    SynthesizerInfo,
    VoiceCustomizer,
    VoiceCustomizerInfo,
)
from vivavoce.registry import Registry
from vivavoce.wire.exchange import Exchange
from vivavoce.wire.local import LocalCall, LocalSink
from vivavoce.wire.task import Done, Reply, Task

__all__ = ["FAKE_CAPABILITIES", "OWN_MODEL", "FakeProvider", "Step", "samples_of"]

Result = TypeVar("Result")

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
        makes_voices: Whether it clones and designs voices, for its model ``own``.

    Attributes:
        requests: What it was asked, in order; what for new voices too.
        configs: What it was made with, once for each client.
        own_voices: The voices a user has here, by id.
        lost_answers: Errors to raise, one for each voice made, after it was made.
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
        makes_voices: bool = False,
    ) -> None:
        self.requests: list[SynthesisRequest | CloneRequest | DesignRequest] = []
        self.configs: list[ProviderConfig] = []
        self.own_voices: dict[str, Voice] = {}
        self.lost_answers: deque[VivavoceError] = deque()
        self._makes_voices = makes_voices
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
                *((_own_card(capabilities),) if makes_voices else ()),
            ),
            synthesizer=self._synthesizer(),
            voices=lambda: self._voices,
            recognise_voice=self._recognise if makes_voices else None,
            credential_env=credential_env,
            default_rank=default_rank,
        )

    @hookimpl
    def vivavoce_synthesizers(self) -> list[SynthesizerInfo]:
        """Introduce the provider."""
        return [self.info]

    @hookimpl
    def vivavoce_voice_customizers(self) -> list[VoiceCustomizerInfo]:
        """Introduce what makes voices, if it does."""
        if not self._makes_voices:
            return []
        provider = self

        class FakeCustomizer(_FakeCustomizer):
            def __init__(self, config: ProviderConfig) -> None:
                super().__init__(config, provider)

        return [
            VoiceCustomizerInfo(
                name=self.info.name,
                interface=INTERFACE,
                customizer=FakeCustomizer,
                clone=_FAKE_CLONE,
                design=_FAKE_DESIGN,
            )
        ]

    def _recognise(self, card: ModelCard, voice_id: str) -> Voice | None:
        if card.name != OWN_MODEL or not voice_id.startswith("own-"):
            return None
        return Voice(id=voice_id, origin=voice_id.split("-")[1], models=(OWN_MODEL,))

    def registry(self, *plugins: object) -> Registry:
        """Return a registry of this provider and other *plugins*, and nothing else."""
        return Registry.of(self, *plugins)

    def with_card(self, **changes: Any) -> FakeProvider:
        """Change fields of its model card; returns itself."""
        card = attrs.evolve(self.info.models[0], **changes)
        self.info = attrs.evolve(self.info, models=(card, *self.info.models[1:]))
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


OWN_MODEL = "own"
"""The model that speaks with own voices, where a :class:`FakeProvider` makes them."""

_FAKE_NAME = NameRule(pattern="[a-z]{1,16}", meaning="1 to 16 letters, a to z")
_FAKE_PRICES = (Price(amount="0.5", currency="EUR", per=1, unit="voices"),)
_FAKE_CLONE = CloneOffer(
    models=(OWN_MODEL,),
    languages=("en", "de"),
    recording=RecordingRules(
        containers=("wav", "mp3"),
        min_sample_rate_hz=16_000,
        max_channels=1,
        min_s=1.0,
        max_s=10.0,
        max_bytes=1_000_000,
        wav_bits=(16,),
    ),
    takes_transcript=True,
    name=_FAKE_NAME,
    prices=_FAKE_PRICES,
    evidence=_EVIDENCE,
)
_FAKE_DESIGN = DesignOffer(
    models=(OWN_MODEL,),
    languages=("en", "de"),
    description_languages=("en", "zh"),
    max_description=500,
    max_preview=200,
    preview_rates_hz=(16_000,),
    name=_FAKE_NAME,
    prices=_FAKE_PRICES,
    evidence=_EVIDENCE,
)


def _own_card(capabilities: Capabilities) -> ModelCard:
    own = attrs.evolve(
        capabilities, stock_voices=no("it speaks with own voices"), clone=yes(), design=yes()
    )
    return ModelCard(name=OWN_MODEL, transports=("local",), capabilities=own, is_free=True)


class _FakeCustomizer(VoiceCustomizer):
    """Keeps voices in its provider's ``own_voices``; pages have two."""

    def __init__(self, config: ProviderConfig, provider: FakeProvider) -> None:
        super().__init__(config)
        provider.configs.append(config)
        self._provider = provider

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        return _FakeTask(lambda: self._made(request, VoiceOrigin.CLONED))

    def design(self, request: DesignRequest) -> Task[MadeVoice]:
        return _FakeTask(lambda: self._made(request, VoiceOrigin.DESIGNED))

    def list(self, origin: VoiceOrigin, page: str | None) -> Task[VoicePage]:
        return _FakeTask(lambda: self._page(origin, int(page or 0)))

    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:  # noqa: ARG002
        return _FakeTask(lambda: self._provider.own_voices.pop(voice_id, None) is not None)

    def _made(self, request: CloneRequest | DesignRequest, origin: VoiceOrigin) -> MadeVoice:
        self._provider.requests.append(request)
        voice = Voice(
            id=f"own-{origin.value}-{request.name}-{len(self._provider.own_voices) + 1}",
            origin=origin,
            models=(request.model.name,),
            created_at=datetime.now(UTC),
        )
        self._provider.own_voices[voice.id] = voice
        if self._provider.lost_answers:
            raise self._provider.lost_answers.popleft()
        if isinstance(request, CloneRequest):
            return MadeVoice(voice=voice, request_id="fake-1")
        samples = samples_of(request.preview_text)
        return MadeVoice(
            voice=voice,
            preview=wav_header(request.format, len(samples)) + samples,
            preview_format=request.format,
            request_id="fake-1",
        )

    def _page(self, origin: VoiceOrigin, begin: int) -> VoicePage:
        voices = [v for v in self._provider.own_voices.values() if v.origin is origin]
        more = str(begin + 2) if begin + 2 < len(voices) else None
        return VoicePage(voices=tuple(voices[begin : begin + 2]), next_page=more)


class _FakeTask(Task[Result]):
    """A task that asks nobody."""

    def __init__(self, run: Callable[[], Result]) -> None:
        self._run = run

    def open(self) -> Done[Result]:
        return Done(self._run())

    def receive(self, reply: Reply) -> Result:
        msg = f"Nothing was sent, and yet an answer came: {reply.status}."
        raise UnexpectedReply(msg)


def _voices() -> tuple[Voice, ...]:
    return (
        Voice(id="ann", name="Ann", languages=("en-US",), models=("one",)),
        Voice(id="ben", name="Ben", languages=("de",), models=("one",)),
        Voice(id="old", name="Old", languages=("en-US",), models=("gone",)),
    )
