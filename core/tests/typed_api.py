"""
The public types, as a test: never run, only checked by mypy (see `make types`).

A change that breaks a caller's type checker breaks here first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import assert_type

import vivavoce
from vivavoce import (
    AsyncClient,
    Audio,
    AudioFormat,
    Capabilities,
    Chunk,
    Claim,
    Client,
    Mark,
    ModelCard,
    Plan,
    Report,
    Secret,
    SpeechStream,
    SynthesizerInfo,
    Voice,
)
from vivavoce.authoring import (
    Exchange,
    LocalCall,
    LocalSink,
    SynthesisRequest,
    Synthesizer,
    hookimpl,
)


def the_module() -> None:
    """Calls of the library itself."""
    assert_type(vivavoce.say("Hello.", "acme/small:ann", rate=1.2, language="en"), Audio)
    assert_type(vivavoce.save("Hello.", Path("a.wav"), captions="a.vtt"), Report)
    assert_type(vivavoce.providers(), list[SynthesizerInfo])
    assert_type(vivavoce.capabilities("acme"), Capabilities)
    found = vivavoce.find_models(needs={"word_marks"}, language="yue", transport="http")
    assert_type(found, Sequence[vivavoce.FoundModel])
    advice = vivavoce.advise("audiobook", language="yue", region="eu")
    assert_type(advice, list[vivavoce.Advice])
    assert_type(advice[0].reasons, tuple[str, ...])


def the_sync_face() -> None:
    """The client without an event loop."""
    with Client("acme", api_key=Secret("k"), strict=True) as client:
        assert_type(client, Client)
        assert_type(client.models, tuple[ModelCard, ...])
        assert_type(client.explain("Hello."), Plan)
        assert_type(client.explain("Hello.").estimate.cost, Decimal | None)
        assert_type(client.voices.list(language="en"), Iterator[Voice])
        assert_type(client.capabilities().rate, Claim)
        assert_type(client.capabilities()["rate"].maximum, float | None)
        with client.stream("Hello.", marks=["word"], options={"a": 1}) as stream:
            assert_type(stream, SpeechStream)
            assert_type(stream.format, AudioFormat)
            for chunk in stream:
                assert_type(chunk, Chunk)
                assert_type(chunk.marks, tuple[Mark, ...])
        client.synthesize("Hello.", speed=2)  # type: ignore[call-arg]
        client.synthesize("Hello.", rate="fast")  # type: ignore[arg-type]


async def the_async_face() -> None:
    """The client for asyncio."""
    async with AsyncClient("acme") as client:
        assert_type(await client.synthesize("Hello."), Audio)
        assert_type(client.voices.list(), AsyncIterator[Voice])
        async with client.stream("Hello.") as stream:
            async for chunk in stream:
                assert_type(chunk.data, bytes)
        assert_type(stream.report, Report)


class AcmeExchange(Exchange):
    """What an author writes for an engine in this process."""

    def __init__(self, request: SynthesisRequest) -> None:
        self.format = request.format

    def open(self) -> LocalCall:
        """Say what to run."""
        return LocalCall(run=self.run)

    def run(self, sink: LocalSink) -> None:
        """Give a sample."""
        sink.audio(b"\0\0")


class AcmeSynthesizer(Synthesizer):
    """What an author writes besides."""

    def exchange(self, request: SynthesisRequest) -> AcmeExchange:
        """Return one conversation."""
        return AcmeExchange(request)


@hookimpl
def vivavoce_synthesizers() -> list[SynthesizerInfo]:
    """Introduce nobody."""
    return []
