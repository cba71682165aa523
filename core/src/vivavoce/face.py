"""
What both faces share: wishes, the client's inside, the life of a stream.

No I/O happens here. The async face is :mod:`vivavoce.client`, the sync one
:mod:`vivavoce.blocking`; each adds only what it must do in its own colour.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from attrs import evolve, frozen

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.audio.result import container_of
from vivavoce.book import BookedVoice, VoiceBook
from vivavoce.catalogue import find_voices, get_voice, origin_named
from vivavoce.errors import CapabilityError, InvalidValue, StreamStateError
from vivavoce.model.audio import AudioFormat, Chunk
from vivavoce.model.capability import Capabilities
from vivavoce.model.card import ModelCard
from vivavoce.model.customizing import Consent
from vivavoce.model.prosody import Prosody
from vivavoce.model.report import Report
from vivavoce.model.secret import Secret
from vivavoce.model.selector import Selector
from vivavoce.model.utterance import Utterance
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.pipeline.aliases import Chosen, choose_voice
from vivavoce.pipeline.announce import Announcer
from vivavoce.pipeline.languages import match_language
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
from vivavoce.provider import ProviderConfig, Synthesizer, SynthesizerInfo, VoiceCustomizer
from vivavoce.registry import Registry, installed
from vivavoce.settings import Settings, Timeouts, load_settings
from vivavoce.transport.base import Runtime

if TYPE_CHECKING:
    from vivavoce.pipeline.customize import OwnVoices, VoicePlan, VoicePlanner, VoiceReader

__all__ = [
    "ClientCore",
    "ClientFace",
    "CloneWishes",
    "DesignWishes",
    "SessionFace",
    "StreamFace",
    "VoiceList",
    "VoicesFace",
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


class CloneWishes(TypedDict, total=False):
    """
    Further keyword arguments of ``voices.clone`` and ``voices.explain_clone``.

    Attributes:
        target_model: The model the voice is for, and the only one it will speak with; the
            client's own where the selector names one, else the provider's usual one.
        transcript: What is said in the recording, where the provider takes that.
        language: BCP-47 tag of the recording.
        alias: What the voice is called in the voice book; the name where it is None.
        fix: Whether to repair what can be repaired: resample, downmix, trim, convert.
    """

    target_model: str | None
    transcript: str | None
    language: str | None
    alias: str | None
    fix: bool


class DesignWishes(TypedDict, total=False):
    """
    Further keyword arguments of ``voices.design`` and ``voices.explain_design``.

    Attributes:
        target_model: As in :class:`CloneWishes`.
        language: BCP-47 tag the preview is in.
        format: Of the preview, one the provider offers.
        sample_rate_hz: Of the preview, likewise.
        alias: As in :class:`CloneWishes`.
    """

    target_model: str | None
    language: str | None
    format: str | None
    sample_rate_hz: int | None
    alias: str | None


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


@frozen(kw_only=True)
class _Planned:
    """
    How a session was planned.

    Attributes:
        said: The wishes, written out: they are the same only if that is, since ``1 == True``.
        wishes: Kept also for what is written as its address, which is no other's while it lives.
        utterance: What became of the wishes.
        found: What was found out besides, and may be otherwise the next time.
        plan: Without refusals.
    """

    said: str
    wishes: Mapping[str, Any]
    utterance: Utterance
    found: tuple[object, ...]
    plan: Plan


def _found(chosen: Chosen, region: str | None) -> tuple[object, ...]:
    # As a tuple, which compares what is the same object without looking into it.
    return chosen.voice, chosen.model, chosen.region, chosen.decision, region


def _is_same_wish(left: Plan, right: Plan) -> bool:
    """Whether two plans are of the same wishes, also where ``1 == True``."""
    if left is right:
        return True
    return left.utterance == right.utterance and repr(left.utterance) == repr(right.utterance)


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
        stand_in: Whether another voice may be taken where an alias has none here.
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
        stand_in: bool = False,
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
        self._stand_in = stand_in
        self._credential = Secret(api_key) if isinstance(api_key, str) else api_key
        self._base_url = base_url
        self._region = region
        self._make_runtime = runtime
        self._runtime: Runtime | None = None
        self._synthesizers: dict[str | None, Synthesizer] = {}
        self._own_voices: dict[str | None, OwnVoices] = {}
        self._customizers: list[VoiceCustomizer] = []
        self._book: VoiceBook | None = None
        self._is_closed = False
        self._warm: list[NativeSession] = []
        self._last_session: _Planned | None = None

    @cached_property
    def _asked_region(self) -> str | None:
        """The region asked for, or None; a client stays where it first was."""
        return self.settings.region_for(self.info, self._region)

    def plan(self, text: str, wishes: Mapping[str, Any]) -> Plan:
        """Return how *text* would be spoken; refusals are in it."""
        self._check_open()
        utterance = make_utterance(text, wishes, self.selector.voice)
        region = self._asked_region
        chosen = self._choose(utterance, region)
        return self._plan(utterance, chosen, region, is_session=False)

    def _plan(
        self, utterance: Utterance, chosen: Chosen, region: str | None, *, is_session: bool
    ) -> Plan:
        return make_plan(
            evolve(utterance, voice=chosen.voice) if chosen.decision is not None else utterance,
            self.info,
            chosen.model,
            region=chosen.region or region,
            strict=self.strict,
            is_session=is_session,
            of_voice=chosen.decision,
        )

    def _choose(self, utterance: Utterance, region: str | None) -> Chosen:
        return choose_voice(
            utterance.voice,
            self.info,
            self.model,
            self.book,
            is_model_given=self.selector.model is not None,
            region=region,
            language=utterance.language,
            stand_in=self._stand_in,
        )

    @property
    def book(self) -> VoiceBook | None:
        """The user's voice book, or None where the settings have none."""
        if self._book is None and self.settings.voice_book is not None:
            self._book = VoiceBook(self.settings.voice_book)
        return self._book

    def run(self, plan: Plan, *, wants_stream: bool, encode: bool) -> SpeechRun:
        """Return the run of *plan*, or raise its first refusal."""
        self._check_open()
        plan.check()
        return SpeechRun(
            plan,
            self.synthesizer(plan),
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
        region = self._asked_region
        # A conversation opens one session after the other, with the same wishes.
        last = self._last_session
        is_same = last is not None and last.said == repr(wishes) and last.wishes == wishes
        if last is not None and is_same:
            utterance = last.utterance
        else:
            utterance = make_utterance("", wishes, self.selector.voice)
        chosen = self._choose(utterance, region)
        if last is not None and is_same and last.found == _found(chosen, region):
            return last.plan
        plan = self._plan(utterance, chosen, region, is_session=True)
        # Marks may be an iterator, which is used up.
        if not plan.errors and "marks" not in wishes:
            self._last_session = _Planned(
                said=repr(wishes),
                wishes=dict(wishes),
                utterance=utterance,
                found=_found(chosen, region),
                plan=plan,
            )
        return plan

    def session(self, plan: Plan) -> SessionRun:
        """Return a session for *plan*, not opened, or raise its first refusal."""
        self._check_open()
        plan.check()
        if not plan.model.capabilities.stream_in:
            return EmulatedSession(plan, partial(self._sentence, plan), self.runtime())
        return NativeSession(
            plan,
            self.synthesizer(plan),
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
        plan = make_plan(utterance, self.info, session.model, region=session.region or None)
        plan.check()
        return SharedRun(
            plan,
            self.synthesizer(plan),
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
        for run in [run for run in self._warm if _is_same_wish(run.plan, plan)]:
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

    def synthesizer(self, plan: Plan) -> Synthesizer:
        """Return the provider object for the plan's region, made once, when first needed."""
        region = self._asked_region
        if region is None and plan.region != next(iter(plan.model.regions), ""):
            region = plan.region  # where a voice of the user's lives
        if region not in self._synthesizers:
            self._synthesizers[region] = self.info.load_synthesizer()(self._config(region))
        return self._synthesizers[region]

    def _config(self, region: str | None) -> ProviderConfig:
        credential = self._credential or self.registry.hook.vivavoce_resolve_credential(
            provider=self.info.name
        )
        return self.settings.config_for(
            self.info, credential=credential, base_url=self._base_url, region=region
        )

    def runtime(self) -> Runtime:
        """Return the runtime, made once."""
        if self._runtime is None:
            self._runtime = self._make_runtime()
        return self._runtime

    def voices(
        self, language: str | None, origin: VoiceOrigin | str | None, model: str | None
    ) -> VoiceList:
        """Return the voices that fit, stock ones first; the user's own are read as needed."""
        self._check_open()
        stock = find_voices(self.registry, self.info, language=language, origin=origin, model=model)
        wanted = None if origin is None else origin_named(origin)
        offers = self.registry.customizer(self.info.name)
        has_own = offers is not None and any(wanted in (None, kind) for kind in offers.origins)
        return VoiceList(
            stock,
            self.own_voices if has_own else None,
            origin=wanted,
            language=language,
            model=model,
        )

    async def voice(self, voice_id: str) -> Voice:
        """Return the voice of this id or alias."""
        booked = self._booked(voice_id)
        known = booked.id if booked is not None else voice_id
        if any(voice.id == known for voice in self.info.voices()):
            return get_voice(self.info, known)
        if not self._may_be_own(known):
            return get_voice(self.info, known)  # which refuses it
        return await self.own_voices(self._region_of(booked)).get(known)

    async def delete_voice(self, voice_id: str, origin: VoiceOrigin | str | None) -> bool:
        """Delete a voice of the user's by id or alias; returns whether there was one."""
        booked = self._booked(voice_id)
        known = booked.id if booked is not None else voice_id
        if any(voice.id == known for voice in self.info.voices()):
            msg = f"{known!r} is a voice of {self.info.name!r} itself, which nobody can delete."
            raise InvalidValue(msg)
        return await self.own_voices(self._region_of(booked)).delete(
            known, None if origin is None else origin_named(origin)
        )

    def _booked(self, voice_id: str) -> BookedVoice | None:
        """Return what the book has of a voice by its alias or id; the provider's ids go first."""
        if self.book is None:
            return None
        alias = self.book.get(voice_id)
        is_stock = any(voice.id == voice_id for voice in self.info.voices())
        if alias is not None and self.info.name in alias.voices and not is_stock:
            return alias.voices[self.info.name]
        found = self.book.find(self.info.name, voice_id)
        return None if found is None else found[1]

    def _region_of(self, booked: BookedVoice | None) -> str | None:
        """Return where a voice lives: elsewhere it would be taken for gone."""
        if booked is None or not booked.region:
            return None
        asked = self._asked_region
        if asked and asked != booked.region:
            msg = (
                f"The voice {booked.id!r} lives in the region {booked.region!r} of "
                f"{self.info.name!r}, not in {asked!r}. Ask for region={booked.region!r}."
            )
            raise InvalidValue(msg)
        return booked.region

    def _may_be_own(self, voice_id: str) -> bool:
        """Return whether an id may be one of the user's voices, as far as can be told here."""
        if self.registry.customizer(self.info.name) is None:
            return False
        recognise = self.info.recognise_voice
        return recognise is None or any(recognise(card, voice_id) for card in self.info.models)

    def planner(self) -> VoicePlanner:
        """Return what plans new voices."""
        from vivavoce.pipeline.customize import VoicePlanner

        self._check_open()
        return VoicePlanner(
            self.info,
            self.registry.customizer(self.info.name),
            model=self.model if self.selector.model is not None else None,
            region=self._asked_region,
            book=self.book,
        )

    def own_voices(self, region: str | None = None) -> OwnVoices:
        """
        Return the user's voices at this provider.

        Args:
            region: Where they live, or None for the client's region.

        Raises:
            CapabilityError: If the provider has none.
            CredentialError: If it needs a credential and there is none.
        """
        self._check_open()
        region = region or self._asked_region
        if region not in self._own_voices:
            # Loaded only here: most programs speak, and make no voices.
            from vivavoce.pipeline.customize import OwnVoices
            from vivavoce.pipeline.perform import Performer

            offers = self.registry.customizer(self.info.name)
            if offers is None:
                msg = f"{self.info.name!r} has no voices but its own."
                raise CapabilityError(msg)
            customizer = offers.load_customizer()(self._config(region))
            self._customizers.append(customizer)
            performer = Performer(
                self.info.name, self.runtime(), timeouts=self.timeouts, retry=self.retry
            )
            self._own_voices[region] = OwnVoices(
                self.info, offers, customizer, performer, self.runtime(), book=self.book
            )
        return self._own_voices[region]

    async def close(self) -> None:
        """Free what is held. Harmless when repeated."""
        self._is_closed = True
        warm, self._warm = self._warm, []
        for run in warm:
            await run.close()
        synthesizers, self._synthesizers = self._synthesizers, {}
        customizers, self._customizers = self._customizers, []
        runtime, self._runtime = self._runtime, None
        for synthesizer in synthesizers.values():
            synthesizer.close()
        for customizer in customizers:
            customizer.close()
        if runtime is not None:
            await runtime.close()

    def _check_open(self) -> None:
        if self._is_closed:
            msg = "This client is closed. Make a new one, or keep it open while speaking."
            raise StreamStateError(msg)


class VoiceList:
    """
    Voices that fit, stock ones first, then the user's own, read page by page.

    Args:
        stock: The provider's own.
        own: Returns the user's; None where none are asked for.
        origin: Of the user's, or None for all.
        language: BCP-47 tag they must speak; a voice that names none may.
        model: Model they may be used with.
    """

    def __init__(
        self,
        stock: Iterator[Voice],
        own: Callable[[], OwnVoices] | None,
        *,
        origin: VoiceOrigin | None,
        language: str | None,
        model: str | None,
    ) -> None:
        self._stock = stock
        self._own = own
        self._origin = origin
        self._language = language
        self._model = model
        self._voices: OwnVoices | None = None
        self._reader: VoiceReader | None = None

    async def next(self) -> Voice | None:
        """Return the next voice, or None after the last."""
        for stock in self._stock:
            return stock
        if self._own is None:
            return None
        if self._voices is None or self._reader is None:
            self._voices = self._own()
            self._reader = self._voices.reader(self._origin)
        while (own := await self._voices.next_voice(self._reader)) is not None:
            if self._fits(own):
                return own
        return None

    def _fits(self, voice: Voice) -> bool:
        tags = (*voice.languages, *voice.dialects)
        speaks = not self._language or not tags or match_language(self._language, tags)
        return bool(speaks) and self._model in (None, *voice.models)


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


class VoicesFace:
    """What a client tells of voices that could be made, without making them."""

    def __init__(self, core: ClientCore) -> None:
        self._core = core

    def explain_clone(
        self,
        recording: str | os.PathLike[str] | bytes,
        *,
        name: str,
        consent: Consent,
        **wishes: Unpack[CloneWishes],
    ) -> VoicePlan:
        """
        Return what a voice would be cloned from and what it costs; nothing is sent.

        The recording is read, decoded and measured, which blocks for a moment. What is wrong
        with it is in the plan's findings, not raised. At an address it is looked at only
        with ``fix``: then it is fetched, from public addresses only.

        Args:
            recording: Path, the file's bytes, or an ``http(s)`` address where the provider
                takes one.
            name: What the provider is to name it.
            consent: Who agreed and how; kept with the local record, sent only to a
                provider that asks for it.
            **wishes: See :class:`CloneWishes`.

        Raises:
            CapabilityError: If the provider clones no voices.
            InvalidValue: If a name, model or file cannot be used at all.
            MissingDependency: If looking at the recording needs an extra.
        """
        return self._core.planner().clone(recording, name=name, consent=consent, **wishes)

    def explain_design(
        self, description: str, *, preview_text: str, name: str, **wishes: Unpack[DesignWishes]
    ) -> VoicePlan:
        """
        Return what a voice would be designed from and what it costs; nothing is sent.

        Args:
            description: How it shall sound.
            preview_text: What it says for a proof.
            name: What the provider is to name it.
            **wishes: See :class:`DesignWishes`.

        Returns:
            The plan; advice on the description is among its findings.

        Raises:
            CapabilityError: If the provider designs no voices.
            InvalidValue: If a name or model cannot be used at all.
        """
        return self._core.planner().design(
            description, preview_text=preview_text, name=name, **wishes
        )


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
        stand_in: bool = False,
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
            stand_in=stand_in,
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
