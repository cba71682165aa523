"""
What both faces share: wishes, the client's inside, the life of a stream.

No I/O happens here. The async face is :mod:`vivavoce.client`, the sync one
:mod:`vivavoce.blocking`; each adds only what it must do in its own colour.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypedDict, Unpack

from attrs import evolve

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.audio.result import container_of
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
from vivavoce.pipeline.middleware import compose
from vivavoce.pipeline.plan import Plan, make_plan
from vivavoce.pipeline.retry import Retry
from vivavoce.pipeline.run import SpeechRun
from vivavoce.pipeline.session import (
    EmulatedSession,
    NativeSession,
    Pump,
    SessionRun,
    SharedRun,
    TextSource,
)
from vivavoce.provider import Synthesizer, SynthesizerInfo
from vivavoce.registry import Registry, installed
from vivavoce.settings import Settings, Timeouts, load_settings
from vivavoce.transport.base import Runtime

__all__ = [
    "ClientCore",
    "ClientFace",
    "SessionFace",
    "StreamFace",
    "Wishes",
    "make_utterance",
    "wishes_for_file",
]


class Wishes(TypedDict, total=False):
    """
    Keyword arguments of every call that speaks; see :class:`vivavoce.Utterance`.

    ``rate``, ``pitch`` and ``volume`` are the fields of ``Prosody`` under short names.
    """

    ssml: bool
    voice: str | Voice | None
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
    segment_chars: int | None


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
        self._warm: list[NativeSession] = []

    def plan(self, text: str, wishes: Mapping[str, Any]) -> Plan:
        """Return how *text* would be spoken; refusals are in it."""
        self._check_open()
        utterance = make_utterance(text, wishes, self.selector.voice)
        region = self.settings.region_for(self.info, self._region)
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

    def session_plan(self, wishes: Mapping[str, Any]) -> Plan:
        """Return how text that comes piece by piece would be spoken; refusals are in it."""
        self._check_open()
        utterance = make_utterance("", wishes, self.selector.voice)
        region = self.settings.region_for(self.info, self._region)
        return make_plan(
            utterance, self.info, self.model, region=region, strict=self.strict, is_session=True
        )

    def session(self, plan: Plan) -> SessionRun:
        """Return a session for *plan*, not opened, or raise its first refusal."""
        self._check_open()
        plan.check()
        if not self.model.capabilities.stream_in:
            return EmulatedSession(plan, partial(self._sentence, plan), self.runtime())
        return NativeSession(
            plan,
            self.synthesizer(),
            self.runtime(),
            timeouts=self.timeouts,
            retry=self.retry,
            new_middleware=partial(compose, self.registry, plan),
            announcer=Announcer(self.registry, plan),
        )

    def _sentence(self, session: Plan, text: str) -> SharedRun:
        """Return the run of one sentence of an emulated session, in samples."""
        self._check_open()
        utterance = evolve(session.utterance, text=text)
        plan = make_plan(utterance, self.info, self.model, region=session.region or None)
        plan.check()
        return SharedRun(
            plan,
            self.synthesizer(),
            self.runtime(),
            timeouts=self.timeouts,
            retry=self.retry,
            middleware=compose(self.registry, plan),
            announcer=Announcer(self.registry, plan),
            encode=False,
        )

    async def prewarm(self, plan: Plan) -> bool:
        """Open a session for *plan* ahead; False where there is nothing to open."""
        run = self.session(plan)
        if not isinstance(run, NativeSession):
            return False
        await run.open()
        self._warm.append(run)
        if self._is_closed:  # meanwhile: nobody else would close it
            await run.close()
            self._check_open()
        return True

    async def opened_session(self, plan: Plan) -> SessionRun:
        """Return an open session for *plan*: one opened ahead, if it is good, or a new one."""
        plan.check()
        for run in [run for run in self._warm if run.plan.utterance == plan.utterance]:
            try:
                self._warm.remove(run)
            except ValueError:
                continue  # another thread has it
            is_usable = False
            try:
                is_usable = await run.is_usable()
            finally:
                if not is_usable:
                    await run.close()
            if is_usable:
                return run
        fresh = self.session(plan)
        await fresh.open()
        return fresh

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
        warm, self._warm = self._warm, []
        for run in warm:
            await run.close()
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


class StreamFace:
    """What a stream tells of itself, and where it is in its life."""

    def __init__(self, run: SpeechRun) -> None:
        self._run = run
        self._state = "made"

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

    def _enter(self) -> None:
        if self._state != "made":
            msg = "A stream is entered once. Ask the client for a new one."
            raise StreamStateError(msg)
        self._state = "open"

    def _check_open(self) -> None:
        if self._state == "made":
            msg = "Enter the stream first: `with client.stream(...) as stream:`."
            raise StreamStateError(msg)
        if self._state == "closed":
            msg = "This stream is closed. Read it inside its `with` block."
            raise StreamStateError(msg)

    def _leave(self) -> None:
        self._state = "closed"


class SessionFace:
    """What a session tells of itself, and where it is in its life."""

    def __init__(self, core: ClientCore, plan: Plan, source: TextSource | None) -> None:
        self._core = core
        self._plan = plan
        self._source = source
        self._run: SessionRun | None = None
        self._pump: Pump | None = None
        self._state = "made"

    @property
    def plan(self) -> Plan:
        """How the text is spoken."""
        return self._plan

    @property
    def format(self) -> AudioFormat:
        """Format of the chunks."""
        return self._plan.target

    @property
    def report(self) -> Report:
        """What is known so far; complete once the session has ended."""
        return self._opened().report

    async def _open(self) -> None:
        if self._state != "made":
            msg = "A session is entered once. Ask the client for a new one."
            raise StreamStateError(msg)
        self._state = "open"
        self._run = await self._core.opened_session(self._plan)
        if self._source is not None:
            self._pump = Pump(self._run, self._source, self._core.runtime())

    def _opened(self) -> SessionRun:
        if self._run is None:
            msg = "Enter the session first: `with client.session(...) as session:`."
            raise StreamStateError(msg)
        return self._run

    def _given_to(self) -> SessionRun:
        run = self._opened()
        if self._state == "closed":
            msg = "This session is closed. Make a new one."
            raise StreamStateError(msg)
        if self._pump is not None:
            msg = "This session takes its text from a source. Give text there."
            raise StreamStateError(msg)
        return run

    async def _next(self) -> Chunk | None:
        run = self._opened()
        if self._state == "closed":
            msg = "This session is closed. Read it inside its `with` block."
            raise StreamStateError(msg)
        chunk = await run.next_chunk()
        if chunk is None and self._pump is not None and self._pump.error is not None:
            raise self._pump.error
        return chunk

    async def _close(self) -> None:
        self._state = "closed"
        try:
            if self._run is not None:
                await self._run.close()
        finally:
            if self._pump is not None:
                await self._pump.stop()


class ClientFace(ABC):
    """What a client of either face is made with, and can tell without speaking."""

    @abstractmethod
    def _new_runtime(self) -> Runtime:
        """Return how this face calls, waits and tells the time."""

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
            runtime=self._new_runtime,
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
