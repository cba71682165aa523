"""The async face: the client, its stream, its voices."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from vivavoce.audio.result import Audio, container_of
from vivavoce.catalogue import find_voices, get_voice
from vivavoce.errors import InvalidValue, StreamStateError
from vivavoce.model.audio import AudioFormat, Chunk
from vivavoce.model.capability import Capabilities
from vivavoce.model.card import ModelCard
from vivavoce.model.prosody import Prosody
from vivavoce.model.report import Report
from vivavoce.model.secret import Secret
from vivavoce.model.selector import Selector
from vivavoce.model.utterance import Utterance
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.pipeline.announce import Announcer
from vivavoce.pipeline.collect import gather, write
from vivavoce.pipeline.middleware import compose
from vivavoce.pipeline.plan import Plan, make_plan
from vivavoce.pipeline.retry import Retry
from vivavoce.pipeline.run import SpeechRun
from vivavoce.provider import Synthesizer, SynthesizerInfo
from vivavoce.registry import Registry, did_you_mean, installed, nearest
from vivavoce.settings import Settings, Timeouts, load_settings
from vivavoce.transport.base import Runtime

__all__ = ["AsyncClient", "AsyncSpeechStream", "AsyncVoices", "Wishes"]


class Wishes(TypedDict, total=False):
    """
    Keyword arguments of every call that speaks; see :class:`vivavoce.Utterance`.

    ``rate``, ``pitch`` and ``volume`` are the fields of ``Prosody`` under short names.
    """

    ssml: bool
    voice: str | None
    language: str | None
    instructions: str | None
    rate: float
    pitch: float
    volume: float
    format: str
    sample_rate_hz: int | None
    channels: int
    marks: Any
    options: Mapping[str, Any]


def make_utterance(text: str, wishes: Mapping[str, Any], voice: str | None) -> Utterance:
    """
    Return the utterance for *text* and keyword arguments.

    Raises:
        InvalidValue: If a wish is none, or its value is unusable.
    """
    values = dict(wishes)
    known = set(Wishes.__annotations__)
    for name in values:
        if name not in known:
            near = did_you_mean(nearest(name, known))
            msg = f"{name!r} is no wish. {near}Wishes are {', '.join(sorted(known))}."
            raise InvalidValue(msg)
    prosody = Prosody(
        rate_ratio=values.pop("rate", 1.0),
        pitch_semitones=values.pop("pitch", 0.0),
        volume_db=values.pop("volume", 0.0),
    )
    return Utterance(
        text=text, prosody=prosody, **{**values, "voice": values.get("voice") or voice}
    )


class ClientCore:
    """
    What both faces share: finding the provider, planning, making runs. No I/O.

    Args:
        selector: ``provider[/model][:voice]``; None for the default provider.
        runtime: How this face calls and waits.
        api_key: Credential; None to look into settings and environment.
        base_url: Address in place of the provider's own.
        region: The provider's region id.
        timeouts: Limits on waiting; None for those of the settings.
        retry: Whether to ask again while no audio has come.
        strict: Whether to refuse what would be emulated.
        settings: None to read the user's.
        registry: None for all installed plugins.
    """

    def __init__(
        self,
        selector: str | None,
        *,
        runtime: Callable[[], Runtime],
        api_key: str | Secret | None,
        base_url: str | None,
        region: str | None,
        timeouts: Timeouts | None,
        retry: Retry | None,
        strict: bool,
        settings: Settings | None,
        registry: Registry | None,
    ) -> None:
        self.registry = registry if registry is not None else installed()
        self.settings = settings if settings is not None else load_settings()
        if selector is None:
            self.selector = self.registry.default(self.settings)
        else:
            self.selector = Selector.parse(selector)
        self.info = self.registry.get(self.selector.provider or "")
        self.model = self.registry.model(self.info, self.selector.model)
        self.timeouts = timeouts or self.settings.timeouts
        self.retry = retry or Retry()
        self.strict = strict
        self._credential = Secret(api_key) if isinstance(api_key, str) else api_key
        self._base_url = base_url
        self._region = region
        self._make_runtime = runtime
        self._runtime: Runtime | None = None
        self._synthesizer: Synthesizer | None = None
        self._is_closed = False

    def plan(self, text: str, wishes: Mapping[str, Any]) -> Plan:
        """Return how *text* would be spoken; refusals are in it."""
        self._check_open()
        utterance = make_utterance(text, wishes, self.selector.voice)
        region = self._region or self.settings.providers.get(self.info.name, {}).get("region")
        return make_plan(utterance, self.info, self.model, region=region, strict=self.strict)

    def run(self, plan: Plan, *, wants_stream: bool, encode: bool) -> SpeechRun:
        """Return the run of *plan*, or raise its first refusal."""
        self._check_open()
        plan.check()
        return SpeechRun(
            plan,
            self.synthesizer(),
            self.runtime(),
            timeouts=self.timeouts,
            retry=self.retry,
            middleware=compose(self.registry, plan),
            announcer=Announcer(self.registry, plan),
            wants_stream=wants_stream,
            encode=encode,
        )

    def synthesizer(self) -> Synthesizer:
        """Return the provider object, made once, when it is first needed."""
        if self._synthesizer is None:
            credential = self._credential or self.registry.hook.vivavoce_resolve_credential(
                provider=self.info.name
            )
            config = self.settings.config_for(
                self.info, credential=credential, base_url=self._base_url, region=self._region
            )
            self._synthesizer = self.info.load_synthesizer()(config)
        return self._synthesizer

    def runtime(self) -> Runtime:
        """Return the runtime, made once."""
        if self._runtime is None:
            self._runtime = self._make_runtime()
        return self._runtime

    def voices(
        self, language: str | None, origin: VoiceOrigin | str | None, model: str | None
    ) -> Iterator[Voice]:
        """Return the stock voices that fit."""
        return find_voices(self.registry, self.info, language=language, origin=origin, model=model)

    def voice(self, voice_id: str) -> Voice:
        """Return the voice of this id."""
        return get_voice(self.info, voice_id)

    async def close(self) -> None:
        """Free what is held. Harmless when repeated."""
        self._is_closed = True
        synthesizer, self._synthesizer = self._synthesizer, None
        runtime, self._runtime = self._runtime, None
        if synthesizer is not None:
            synthesizer.close()
        if runtime is not None:
            await runtime.close()

    def _check_open(self) -> None:
        if self._is_closed:
            msg = "This client is closed. Make a new one, or keep it open while speaking."
            raise StreamStateError(msg)


def wishes_for_file(path: str | os.PathLike[str], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return *wishes* with the format that the file's ending means, unless one is given."""
    return {"format": container_of(path), **wishes} if "format" not in wishes else dict(wishes)


class StreamState:
    """Where a stream is in its life; both faces ask it before they read."""

    def __init__(self, run: SpeechRun) -> None:
        self.run = run
        self._state = "made"

    def enter(self) -> None:
        """Note that the ``with`` block began."""
        if self._state != "made":
            msg = "A stream is entered once. Ask the client for a new one."
            raise StreamStateError(msg)
        self._state = "open"

    def check(self) -> None:
        """Refuse reading outside the ``with`` block."""
        if self._state == "made":
            msg = "Enter the stream first: `with client.stream(...) as stream:`."
            raise StreamStateError(msg)
        if self._state == "closed":
            msg = "This stream is closed. Read it inside its `with` block."
            raise StreamStateError(msg)

    def close(self) -> None:
        """Note that it is over."""
        self._state = "closed"


class AsyncSpeechStream:
    """
    Audio as it is made: an async context manager, and an async iterator of :class:`Chunk`.

    Leaving the block early cancels the synthesis at once. Made by
    :meth:`AsyncClient.stream`.
    """

    def __init__(self, run: SpeechRun) -> None:
        self._run = run
        self._state = StreamState(run)

    @property
    def format(self) -> AudioFormat:
        """Format of the chunks."""
        return self._run.format

    @property
    def plan(self) -> Plan:
        """How the text is spoken."""
        return self._run.plan

    @property
    def report(self) -> Report:
        """What is known so far; complete once the stream has ended."""
        return self._run.report

    async def __aenter__(self) -> Self:
        self._state.enter()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        self._state.check()
        chunk = await self._run.next_chunk()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Cancel what runs and free what is held. Harmless when repeated."""
        self._state.close()
        await self._run.close()


class AsyncVoices:
    """The provider's voices. Reached as :attr:`AsyncClient.voices`."""

    def __init__(self, core: ClientCore) -> None:
        self._core = core

    async def list(
        self,
        *,
        language: str | None = None,
        origin: VoiceOrigin | str | None = None,
        model: str | None = None,
    ) -> AsyncIterator[Voice]:
        """
        Iterate over the voices that fit.

        Args:
            language: BCP-47 tag that the voice speaks, or a near one.
            origin: ``stock``, ``cloned`` or ``designed``; None for all. This release
                lists stock voices.
            model: Model the voice may be used with.
        """
        for voice in self._core.voices(language, origin, model):
            yield voice

    async def get(self, voice_id: str) -> Voice:
        """
        Return one voice.

        Raises:
            UnknownVoice: If there is none of this id.
        """
        return self._core.voice(voice_id)


class AsyncClient:
    """
    Speaks with one provider, for asyncio programs. Close it, or use ``async with``.

    One client may run many streams at once. It belongs to one event loop.

    Args:
        selector: ``provider[/model][:voice]``; None for the default provider: that of
            the settings, else the best installed one that needs no credential.
        api_key: Credential; None to ask plugins, settings and environment, in this order.
        base_url: Address in place of the provider's own.
        region: The provider's region id.
        timeouts: Limits on waiting; None for those of the settings.
        retry: Whether to ask again while no audio has come; None for three attempts.
        strict: Whether to refuse what core would have to emulate.
        settings: None to read the user's.
        registry: None for all installed plugins.

    Raises:
        UnknownProvider: If no plugin offers the provider.
        PluginError: If its plugin is broken.
        UnknownModel: If it has no such model.
        SettingsError: If the settings are unusable.
    """

    def __init__(
        self,
        selector: str | None = None,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        region: str | None = None,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        strict: bool = False,
        settings: Settings | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._core = ClientCore(
            selector,
            runtime=_async_runtime,
            api_key=api_key,
            base_url=base_url,
            region=region,
            timeouts=timeouts,
            retry=retry,
            strict=strict,
            settings=settings,
            registry=registry,
        )

    @property
    def provider(self) -> SynthesizerInfo:
        """The provider spoken with."""
        return self._core.info

    @property
    def model(self) -> ModelCard:
        """The model spoken with."""
        return self._core.model

    @property
    def models(self) -> tuple[ModelCard, ...]:
        """The provider's models, the default first."""
        return self._core.info.models

    @property
    def voices(self) -> AsyncVoices:
        """The provider's voices."""
        return AsyncVoices(self._core)

    def capabilities(self, model: str | None = None) -> Capabilities:
        """
        Return what a model claims; no key and no network is used.

        Args:
            model: A model of this provider, or None for the client's own.

        Raises:
            UnknownModel: If there is no such model.
        """
        if model is None:
            return self._core.model.capabilities
        return self._core.registry.model(self._core.info, model).capabilities

    def explain(self, text: str, **wishes: Unpack[Wishes]) -> Plan:
        """
        Return how *text* would be spoken, what is emulated or refused, and what it costs.

        Nothing is sent and no key is needed. Refusals are in the plan, not raised;
        unknown names and unusable text are raised.
        """
        return self._core.plan(text, wishes)

    def stream(self, text: str, **wishes: Unpack[Wishes]) -> AsyncSpeechStream:
        """
        Return a stream of audio for *text*, to be entered with ``async with``.

        Args:
            text: Plain text, or SSML with ``ssml=True``.
            **wishes: See :class:`vivavoce.Utterance`.

        Raises:
            UsageError: If something asked for is unknown or cannot be done. Nothing
                was sent.
            SetupError: If a credential or a dependency is missing.
        """
        plan = self._core.plan(text, wishes)
        return AsyncSpeechStream(self._core.run(plan, wants_stream=True, encode=True))

    async def synthesize(self, text: str, **wishes: Unpack[Wishes]) -> Audio:
        """
        Return *text* as one piece of audio.

        Raises:
            VivavoceError: As :meth:`stream`, or what ended the synthesis.
        """
        plan = self._core.plan(text, wishes)
        return await gather(self._core.run(plan, wants_stream=False, encode=False))

    async def save(
        self,
        text: str,
        path: str | os.PathLike[str],
        *,
        captions: str | os.PathLike[str] | None = None,
        on_chunk: Callable[[Chunk], None] | None = None,
        on_progress: Callable[[Report], None] | None = None,
        **wishes: Unpack[Wishes],
    ) -> Report:
        """
        Speak *text* into a file, in memory that does not grow with the text.

        Args:
            text: As in :meth:`stream`.
            path: Its ending names the format unless ``format=`` does.
            captions: Where marks go, ending in ``.vtt``, ``.srt`` or ``.json``.
            on_chunk: Given each chunk of plain samples (``plan.samples``), say to play it.
            on_progress: Given the report so far, after each chunk.
            **wishes: As in :meth:`stream`.

        Raises:
            VivavoceError: As :meth:`synthesize`; OutputError when a file cannot be
                written. A file that is not whole never has its name.
        """
        plan = self._core.plan(text, wishes_for_file(path, wishes))
        run = self._core.run(plan, wants_stream=True, encode=False)
        return await write(run, path, captions, on_chunk=on_chunk, on_progress=on_progress)

    async def aclose(self) -> None:
        """Free connections and the provider. Harmless when repeated."""
        await self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _async_runtime() -> Runtime:
    from vivavoce.transport.aio import AsyncRuntime

    return AsyncRuntime()
