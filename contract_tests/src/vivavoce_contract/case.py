"""
What a clause is given: one model of a provider, a stage to put it on, and what came of it.

A provider in this process is put on the stage as it is. One behind a network is given the
address of a player, which serves a tape in place of the service; what it sends is compared there.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from weakref import WeakKeyDictionary

import attrs
from attrs import define, field, frozen

from vivavoce import (
    AsyncClient,
    Audio,
    AudioFormat,
    Chunk,
    Client,
    Mark,
    ModelCard,
    Registry,
    Report,
    Retry,
    Settings,
    SynthesizerInfo,
    Timeouts,
    VivavoceError,
    Voice,
)
from vivavoce.authoring import (
    Call,
    CloneOffer,
    DesignOffer,
    Event,
    Exchange,
    LocalCall,
    LocalSink,
    Output,
    Secret,
    SendMessage,
    SynthesisRequest,
    Synthesizer,
    VoiceCustomizerInfo,
    hookimpl,
)
from vivavoce_contract.tapes import Match, Tape

if TYPE_CHECKING:
    from vivavoce_contract.tapes.player import Player

__all__ = [
    "KEY",
    "PROSODY",
    "Case",
    "Heard",
    "Library",
    "NoEvidence",
    "Scenario",
    "Stage",
    "Subject",
    "is_networked",
]

KEY = "sk-canary-4711-a1b2c3d4e5f6"
"""The key every provider is given. It must be seen nowhere but in what is sent."""

PROSODY: Mapping[str, float] = {"rate": 1.5, "pitch": 6.0, "volume": -12.0}
"""How the kit asks for each wish about prosody."""

# What the kit's wishes are in. Steps of volume, say, are no answer to a wish in decibels.
_UNITS = {"rate": "ratio", "pitch": "semitones", "volume": "dB"}

FaceName = Literal["sync", "async"]

_WAITS = Timeouts(connect_s=5.0, first_audio_s=20.0, between_chunks_s=20.0)

# The kit's own sentences, short, so that tapes are. Digits are read in every language.
_SENTENCES = {
    "de": ("Eins, zwei.", "Guten Tag."),
    "en": ("One, two.", "Good morning."),
    "es": ("Uno, dos.", "Buenos días."),
    "fr": ("Un, deux.", "Bonjour."),
    "it": ("Uno, due.", "Buongiorno."),
    "ja": ("いち、に。", "おはようございます。"),
    "ko": ("하나, 둘.", "안녕하세요."),
    "nan": ("一，二。", "早安。"),
    "pt": ("Um, dois.", "Bom dia."),
    "ru": ("Один, два.", "Доброе утро."),
    "wuu": ("一，二。", "早上好。"),
    "yue": ("一，二。", "早晨。"),
    "zh": ("一，二。", "早上好。"),
    "zxx": ("One, two.", "Good morning."),
}
_DIGITS = ("1, 2.", "3, 4, 5.")


class NoEvidence(Exception):
    """There is no tape for what a clause asks; the message says which is missing."""


@frozen(kw_only=True)
class Scenario:
    """
    One thing the kit says, the same whenever it is recorded or played.

    Attributes:
        name: Part of the tape's file name.
        text: What is said.
        wishes: With which wishes.
        is_session: Whether it is said in a session, in :attr:`pieces`.
    """

    name: str
    text: str
    wishes: Mapping[str, Any] = field(factory=dict)
    is_session: bool = False

    @property
    def pieces(self) -> list[str]:
        """The text as a language model gives it: a word at a time, or some characters."""
        return re.findall(r"\S{1,8}\s*", self.text)


class Library:
    """
    The tapes there are.

    Args:
        folder: Where they lie, or None.
        tapes: Tapes at hand, by name, for providers made on the spot.
    """

    def __init__(self, folder: Path | None = None, tapes: Mapping[str, Tape] | None = None) -> None:
        self.folder = folder
        self._paths = (
            {path.name.removesuffix(".tape"): path for path in sorted(folder.glob("*.tape"))}
            if folder is not None
            else {}
        )
        self._tapes = dict(tapes or {})

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._paths, *self._tapes}))

    def __contains__(self, name: object) -> bool:
        return name in self._tapes or name in self._paths

    def get(self, name: str) -> Tape | None:
        """Return the tape of this name, read once, or None."""
        if name not in self._tapes and name in self._paths:
            self._tapes[name] = Tape.read(self._paths[name])
        return self._tapes.get(name)


@define
class _Sound:
    """What an engine in this process gave for one request, before core saw it."""

    format: AudioFormat
    size: int = 0
    marks: list[Mark] = field(factory=list)


_LATE_AT_MOST = 8


class _WatchedSink:
    """A sink, and a note of what is put into it. An engine that does not end is ended."""

    def __init__(self, inner: LocalSink, sound: _Sound, log: Log) -> None:
        self._inner = inner
        self._sound = sound
        self._log = log
        self._is_told = False

    def audio(self, data: bytes) -> bool:
        if self._is_told:
            self._log.late += 1
            if self._log.late > _LATE_AT_MOST:
                msg = "The engine goes on although its reader has left."
                raise RuntimeError(msg)
        self._sound.size += len(data)
        wanted = self._inner.audio(data)
        self._is_told = not wanted
        return wanted

    async def drain(self) -> None:
        await self._inner.drain()

    def mark(self, mark: Mark) -> None:
        self._sound.marks.append(mark)
        self._inner.mark(mark)

    @property
    def stopped(self) -> bool:
        return self._inner.stopped


def _watched_run(
    run: Callable[[LocalSink], Any], sound: _Sound, log: Log
) -> Callable[[LocalSink], Any]:
    if inspect.iscoroutinefunction(run):

        async def run_watched(sink: LocalSink) -> None:
            await run(_WatchedSink(sink, sound, log))

        return run_watched
    return lambda sink: run(_WatchedSink(sink, sound, log))


@define
class Log:
    """What reached the provider's own code."""

    requests: list[SynthesisRequest] = field(factory=list)
    opened: int = 0
    sounds: list[_Sound] = field(factory=list)
    kind: type[Synthesizer] | None = None
    late: int = 0
    """How often an engine in this process gave audio after it was told that its reader left."""


class _Watched(Exchange):
    """An exchange, and a note of whether it was opened: only then is anything sent."""

    def __init__(self, inner: Exchange, log: Log) -> None:
        self._inner = inner
        self._log = log
        self.format = inner.format

    def open(self) -> Call:
        self._log.opened += 1
        call = self._inner.open()
        if isinstance(call, LocalCall):
            sound = _Sound(self.format)
            self._log.sounds.append(sound)
            return attrs.evolve(call, run=_watched_run(call.run, sound, self._log))
        return call

    def receive(self, event: Event) -> Sequence[Output]:
        return self._inner.receive(event)

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        return self._inner.explain_error(status, headers, body)

    def resume(self) -> Call | None:
        return self._inner.resume()

    def cancel(self) -> Sequence[SendMessage]:
        return self._inner.cancel()


class Bench:
    """
    Where a provider is watched: a registry of it alone, which takes its time to make.

    Args:
        make: Makes the registry; what it watches is noted in :attr:`log`.

    Attributes:
        log: What is written to now.
        registry: The provider, watched.
    """

    def __init__(self, make: Callable[[Bench], Registry]) -> None:
        self.log: Any = None
        self.registry = make(self)

    @contextmanager
    def noting(self, log: Any) -> Iterator[None]:
        """Write to *log* meanwhile."""
        before, self.log = self.log, log
        try:
            yield
        finally:
            self.log = before


_BENCHES: WeakKeyDictionary[Registry, dict[tuple[str, int], Bench]] = WeakKeyDictionary()


def bench_of(case: Case, what: str, make: Callable[[Bench], Registry]) -> Bench:
    """Return the bench for examining *what* of a provider, made once for all clauses."""
    known = _BENCHES.setdefault(case.subject.registry, {})
    place = (what, id(case.info))  # which the bench keeps alive
    if place not in known:
        known[place] = Bench(make)
    return known[place]


@frozen(kw_only=True)
class _WatchedInfo(SynthesizerInfo):
    """A provider whose synthesizer notes what it is asked in the log of a bench."""

    bench: Bench = field(eq=False, repr=False)
    found: type[Synthesizer] = field(eq=False, repr=False)

    @classmethod
    def of(cls, info: SynthesizerInfo, bench: Bench) -> _WatchedInfo:
        """Return *info*, watched."""
        said = {each.name: getattr(info, each.name) for each in attrs.fields(SynthesizerInfo)}
        found = info.load_synthesizer()
        return cls(**{**said, "synthesizer": found}, bench=bench, found=found)

    def load_synthesizer(self) -> type[Synthesizer]:
        log: Log | None = self.bench.log
        if log is None:
            return self.found
        # Anew for each log, so that nothing that is kept in a class goes from stage to stage.
        log.kind = log.kind or _watched(self.found, log)
        return log.kind


def _watched(found: type[Synthesizer], log: Log) -> type[Synthesizer]:
    class Watched(found):  # type: ignore[misc, valid-type]
        def exchange(self, request: SynthesisRequest) -> Exchange:
            log.requests.append(request)
            return _Watched(super().exchange(request), log)

    return Watched


HOOKS = ["vivavoce_synthesizers", "vivavoce_voice_customizers"]
"""The hooks of a provider put on here: pluggy looks at nothing else of it, which takes its time."""


@frozen
class _Plugin:
    """A provider as a plugin of its own."""

    info: SynthesizerInfo
    original: SynthesizerInfo
    """Kept, so that the bench is known by it."""

    def __dir__(self) -> list[str]:
        return HOOKS[:1]

    @hookimpl
    def vivavoce_synthesizers(self) -> list[SynthesizerInfo]:
        return [self.info]


@define(kw_only=True)
class Heard:
    """
    What came of one utterance.

    Attributes:
        chunks: As they came.
        report: Of the stream.
        error: What ended it, or None.
        audio: The whole, where it was asked for as a whole.
    """

    chunks: list[Chunk] = field(factory=list)
    report: Report | None = None
    error: BaseException | None = None
    audio: Audio | None = None

    @property
    def data(self) -> bytes:
        """The bytes of all chunks, or of the whole."""
        if self.audio is not None:
            return self.audio.data
        return b"".join(chunk.data for chunk in self.chunks)

    def spoken(self) -> bytes:
        """
        Return the bytes of an utterance that ended well.

        Raises:
            BaseException: Whatever ended it otherwise.
        """
        if self.error is not None:
            raise self.error
        return self.data


class Sending(Protocol):
    """Where something may leave for a provider."""

    @property
    def was_sent(self) -> bool:
        """Whether anything did."""
        ...


class Stage:
    """
    A provider put on, with a player in place of its service.

    Made by :meth:`Case.stage`.

    Attributes:
        player: The player, or None for a provider in this process.
        log: What reached the provider's code.
    """

    def __init__(self, case: Case, player: Player | None, base_url: str | None) -> None:
        self.case = case
        self.player = player
        self.log = Log()
        self._base_url = base_url
        info = case.info
        self.bench = bench_of(
            case, "speech", lambda bench: Registry.of(_Plugin(_WatchedInfo.of(info, bench), info))
        )
        self.registry = self.bench.registry

    @property
    def was_sent(self) -> bool:
        """Whether anything left for the provider: a byte on the wire, or an exchange opened."""
        if self.player is not None:
            if not self.player.connections:
                self.player.settle()
            return self.player.bytes_received > 0 or self.player.connections > 0
        return self.log.opened > 0

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of a client."""
        return {
            "api_key": Secret(KEY),
            "base_url": self._base_url,
            "timeouts": _WAITS,
            "retry": Retry(attempts=1),
            "settings": Settings(),
            "registry": self.registry,
            **changes,
        }

    def client(self, **changes: Any) -> Client:
        """Return a client of the sync face; close it."""
        return Client(self.case.selector, **self.settings(**changes))

    def aclient(self, **changes: Any) -> AsyncClient:
        """Return a client of the async face; close it."""
        return AsyncClient(self.case.selector, **self.settings(**changes))

    def hear(
        self,
        scenario: Scenario,
        *,
        face: FaceName = "sync",
        as_whole: bool = False,
        client: Mapping[str, Any] | None = None,
        **wishes: Any,
    ) -> Heard:
        """
        Say *scenario* in one of the faces, to its end, and return what came of it.

        Args:
            scenario: What to say.
            face: Which face.
            as_whole: Whether to ask for the whole rather than for a stream.
            client: Arguments of the client that differ.
            **wishes: Over those of the scenario.
        """
        given = {**scenario.wishes, **wishes}
        options = dict(client or {})
        if face == "sync":
            return self._hear_sync(scenario.text, given, options, as_whole=as_whole)
        return asyncio.run(self._hear_async(scenario.text, given, options, as_whole=as_whole))

    def _hear_sync(
        self, text: str, wishes: dict[str, Any], options: dict[str, Any], *, as_whole: bool
    ) -> Heard:
        heard = Heard()
        try:
            with self.client(**options) as client:
                if as_whole:
                    heard.audio = client.synthesize(text, **wishes)
                    heard.report = heard.audio.report
                    return heard
                with client.stream(text, **wishes) as stream:
                    try:
                        heard.chunks.extend(stream)
                    finally:
                        heard.report = stream.report
        except Exception as error:  # noqa: BLE001 - a clause looks at whatever it is
            heard.error = error
        return heard

    async def _hear_async(
        self, text: str, wishes: dict[str, Any], options: dict[str, Any], *, as_whole: bool
    ) -> Heard:
        heard = Heard()
        try:
            async with self.aclient(**options) as client:
                if as_whole:
                    heard.audio = await client.synthesize(text, **wishes)
                    heard.report = heard.audio.report
                    return heard
                async with client.stream(text, **wishes) as stream:
                    try:
                        async for chunk in stream:
                            heard.chunks.append(chunk)
                    finally:
                        heard.report = stream.report
        except Exception as error:  # noqa: BLE001 - a clause looks at whatever it is
            heard.error = error
        return heard

    def hear_session(
        self,
        scenario: Scenario,
        *,
        face: FaceName = "sync",
        client: Mapping[str, Any] | None = None,
    ) -> Heard:
        """
        Say *scenario* in a session, piece by piece, and return what came of it.

        Only a provider's own session is heard: core's way with sentences is refused.
        """
        options = {"strict": True, **(client or {})}
        if face == "async":
            return asyncio.run(self._hear_session_async(scenario, options))
        heard = Heard()
        try:
            with (
                self.client(**options) as speaking,
                speaking.session(**scenario.wishes) as session,
            ):
                for piece in scenario.pieces:
                    session.send(piece)
                session.finish()
                try:
                    heard.chunks.extend(session)
                finally:
                    heard.report = session.report
        except Exception as error:  # noqa: BLE001 - a clause looks at whatever it is
            heard.error = error
        return heard

    async def _hear_session_async(self, scenario: Scenario, options: Mapping[str, Any]) -> Heard:
        heard = Heard()
        try:
            async with (
                self.aclient(**options) as speaking,
                speaking.session(**scenario.wishes) as session,
            ):
                for piece in scenario.pieces:
                    await session.send(piece)
                await session.finish()
                try:
                    async for chunk in session:
                        heard.chunks.append(chunk)
                finally:
                    heard.report = session.report
        except Exception as error:  # noqa: BLE001 - a clause looks at whatever it is
            heard.error = error
        return heard


@frozen(kw_only=True)
class Subject:
    """
    Who is examined, and with what; see :class:`vivavoce_contract.ProviderContract`.

    Attributes:
        info: The provider.
        registry: Where it is from.
        library: The tapes.
        own_voices: By model, the id of a voice of the user's own that the tapes were made with.
        ways: By name, options that lead another way to the same audio.
        session_ways: By name, options by which a session is held in another way.
        match: What of a request is compared with the tapes that are recorded.
        also: Other hosts that the service sends its clients to, for recording.
        not_keys: Places in what is sent that look like keys and are none, for recording.
    """

    info: SynthesizerInfo
    registry: Registry
    library: Library
    own_voices: Mapping[str, str] = field(factory=dict)
    ways: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    session_ways: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    match: Match | None = None
    also: tuple[str, ...] = ()
    not_keys: tuple[str, ...] = ()


def is_networked(card: ModelCard) -> bool:
    """Return whether a model is reached over a network."""
    return card.transports != ("local",)


@define
class Case:
    """
    One model under examination.

    Attributes:
        subject: Its provider.
        card: Its card.
        capability: The capability the clause is about, or empty.
        offered_for: Where the claim is the customizer's offer: the model it is offered for, or
            ``any``. Empty where the claim is the card's.
        used: The tapes that were played.
        stages: The stages it was put on, and the workshops.
    """

    subject: Subject
    card: ModelCard
    capability: str = ""
    offered_for: str = ""
    used: list[Tape] = field(factory=list)
    stages: list[Sending] = field(factory=list)

    @property
    def info(self) -> SynthesizerInfo:
        """The provider."""
        return self.subject.info

    @property
    def selector(self) -> str:
        """What to write to use the model."""
        return f"{self.info.name}/{self.card.name}"

    @property
    def is_networked(self) -> bool:
        """Whether it is reached over a network."""
        return is_networked(self.card)

    @property
    def is_on_websocket(self) -> bool:
        """Whether it is reached by WebSocket."""
        return self.card.transports[0] == "websocket"

    @property
    def is_claimed(self) -> bool:
        """Whether the capability of the clause is claimed with a plain yes, or there is none."""
        if self.offered_for:
            return any(self._is_offered(kind) for kind in self.capability.split(" or "))
        return not self.capability or self.claims(self.capability)

    @property
    def claim(self) -> str:
        """What is claimed of the capability of the clause, in words; empty where there is none."""
        if not self.offered_for:
            return str(self.card.capabilities[self.capability]) if self.capability else ""
        return "offered" if self.is_claimed else "not offered"

    @property
    def customizer(self) -> VoiceCustomizerInfo | None:
        """What makes voices at the provider, or None."""
        return self.subject.registry.customizer(self.info.name)

    def offer(self, kind: str) -> CloneOffer | DesignOffer | None:
        """Return the offer to ``clone`` or to ``design``, or None."""
        if self.customizer is None:
            return None
        return self.customizer.clone if kind == "clone" else self.customizer.design

    def of_model(self, card: ModelCard) -> Case:
        """Return the case of another model, whose tapes and stages are noted in this one."""
        return attrs.evolve(self, card=card)

    def has_tape(self, scenario: str) -> bool:
        """Return whether there is a tape of a scenario, without using it."""
        return tape_name(self.card.name, scenario) in self.subject.library

    def _is_offered(self, kind: str) -> bool:
        offer = self.offer(kind)
        return offer is not None and self.offered_for in ("any", *offer.models)

    def claims(self, capability: str) -> bool:
        """Return whether a capability is claimed, in the unit in which the kit asks for it."""
        claim = self.card.capabilities[capability]
        return bool(claim) and claim.unit in ("", _UNITS.get(capability, claim.unit))

    @property
    def ways(self) -> dict[str, Mapping[str, Any]]:
        """The other ways to the same audio that this model has."""
        return self._with_options(self.subject.ways)

    def _with_options(self, ways: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        known = {option.name for option in self.card.options}
        return {name: way for name, way in ways.items() if known.issuperset(way)}

    # What is said

    @property
    def language(self) -> str:
        """The language of the kit's sentences: the voice's own, else the first that is claimed."""
        voice = self.default_voice
        own = voice.languages[:1] if voice is not None else ()
        claimed = [str(tag) for tag in self.card.capabilities.languages.values]
        first = own[0] if own else claimed[0] if claimed else "und"
        # English is spoken by most, and read by those who look at the tapes.
        english = [tag for tag in claimed if tag.partition("-")[0] == "en"]
        return english[0] if english and first.partition("-")[0] in ("zh", "en") else first

    @property
    def default_voice(self) -> Voice | None:
        """The model's default voice, or None."""
        voices = {voice.id: voice for voice in self.info.voices()}
        return voices.get(self.card.default_voice)

    def sentence(self, language: str | None = None, number: int = 0) -> str:
        """Return one of the kit's sentences in a language."""
        primary = (language or self.language).partition("-")[0].lower()
        return _SENTENCES.get(primary, _DIGITS)[number]

    def _own_voice(self) -> dict[str, str]:
        if self.card.default_voice or self.card.capabilities.stock_voices.support != "no":
            return {}
        own = self.subject.own_voices.get(self.card.name)
        if own is None:
            msg = f"{self.card.name} speaks with voices of one's own alone. Name one in own_voices."
            raise NoEvidence(msg)
        return {"voice": own}

    def scenario(self, name: str = "speak") -> Scenario:
        """
        Return a scenario by its name.

        ``speak``, ``second``, ``session``, ``instructions``, ``rate``, ``pitch``, ``volume``,
        ``ssml``,
        ``way-NAME``, ``session-NAME``: by another way; ``language-TAG``, ``voice-ID``, and
        ``client-NAME`` or ``client-NAME-WAY``: what ``speak`` says, recorded with another client.
        """
        kind, _, value = name.partition("-")
        wishes: dict[str, Any] = self._own_voice()
        text = self.sentence()
        ways = {"way": self.subject.ways, "session": self.subject.session_ways}.get(kind, {})
        if value and ways:
            wishes["options"] = dict(ways[value])
        if kind == "session":
            text = f"{text} {self.sentence(number=1)}"
            return Scenario(name=name, text=text, wishes=wishes, is_session=True)
        if kind == "second":
            text = self.sentence(number=1)
        elif kind == "instructions":
            wishes["instructions"] = "Cheerful and quick."
        elif kind in PROSODY:
            wishes[kind] = PROSODY[kind]
        elif kind == "ssml":
            wishes["ssml"] = True
            text = f"<speak>{text}</speak>"
        elif kind == "client":
            wishes["options"] = dict(self.subject.ways.get(value.rpartition("-")[2], {}))
        elif kind == "language":
            wishes["language"] = value
            text = self.sentence(value)
        elif kind == "voice":
            wishes["voice"] = value
        return Scenario(name=name, text=text, wishes=wishes)

    def scenarios(self) -> list[Scenario]:
        """Return every scenario that a tape is needed for."""
        names = ["speak", "second", *(f"way-{way}" for way in self.ways)]
        if self.card.capabilities.instructions:
            names.append("instructions")
        names += [name for name in (*PROSODY, "ssml") if self.claims(name)]
        names += self.sessions()
        names += [f"language-{tag}" for tag in self.sample_languages()]
        names += [f"voice-{voice.id}" for voice in self.sample_voices()]
        return [self.scenario(name) for name in names]

    def sessions(self) -> list[str]:
        """Return the scenarios of sessions: where text may be given, by every way."""
        if not self.claims("stream_in"):
            return []
        ways = self._with_options(self.subject.session_ways)
        return ["session", *(f"session-{way}" for way in ways)]

    def sample_languages(self) -> list[str]:
        """Return some of the languages and varieties that are claimed: the ends and the middle."""
        claims = self.card.capabilities
        spoken = _some([str(tag) for tag in claims.languages.values], 3)
        varieties = _some([str(tag) for tag in claims.dialects.values], 2)
        return list(dict.fromkeys([*spoken, *varieties]))

    def sample_voices(self) -> list[Voice]:
        """Return some of the stock voices of the model: the ends, the middle, one with a blank."""
        voices = [voice for voice in self.info.voices() if self.card.name in voice.models]
        blank = [voice for voice in voices if " " in voice.id][:1]
        return list({voice.id: voice for voice in [*_some(voices, 3), *blank]}.values())

    # Where it is said

    def tape(self, scenario: Scenario | str = "speak") -> Tape:
        """
        Return the tape of a scenario, and note that it was used.

        Raises:
            NoEvidence: If there is none.
        """
        name = scenario if isinstance(scenario, str) else scenario.name
        full = tape_name(self.card.name, name)
        found = self.subject.library.get(full)
        if found is None:
            msg = f"There is no tape {full}.tape."
            raise NoEvidence(msg)
        self.used.append(found)
        return found

    def tapes_for(self, *names: str) -> tuple[Tape, ...]:
        """
        Return the tapes of some scenarios where this case needs them.

        None for a provider in this process, and none where the capability of the clause is not
        claimed: then nothing may be sent, and the player has no answer.
        """
        if not (self.is_networked and self.is_claimed):
            return ()
        return tuple(self.tape(name) for name in names)

    @contextmanager
    def stage(self, *tapes: Tape, speed: float = 0.0) -> Iterator[Stage]:
        """Give a stage with a player that serves *tapes*; none are needed in this process."""
        with ExitStack() as stack:
            player = None
            base_url = None
            if self.is_networked:
                from vivavoce_contract.tapes.player import Player

                player = stack.enter_context(Player(*tapes, speed=speed))
                base_url = player.base_url(tapes[0]) if tapes else player.http_url
            stage = Stage(self, player, base_url)
            stack.enter_context(stage.bench.noting(stage.log))
            self.stages.append(stage)
            try:
                yield stage
            finally:
                if player is not None:
                    player.settle()  # before it stops; what was sent is asked for later

    def hear(self, name: str = "speak", **given: Any) -> Heard:
        """Say a scenario on a stage of its own with its own tape, and check what was sent."""
        with self.stage(*self.tapes_for(name)) as stage:
            heard = stage.hear(self.scenario(name), **given)
            check_player(stage)
            return heard


class SentOtherwise(AssertionError):
    """What the provider sent is not what the tape was recorded with."""


def check_player(stage: Stage) -> None:
    """
    Accept what was sent, or refuse it.

    Raises:
        SentOtherwise: If it differs from what the tapes were recorded with.
    """
    if stage.player is not None and stage.player.differences:
        msg = "It sent something else than was recorded: " + "; ".join(stage.player.differences)
        raise SentOtherwise(msg)


def tape_name(model: str, scenario: str) -> str:
    """Return the file name, without its ending, of a tape."""
    return f"{model}.{scenario}".replace(" ", "_").replace("/", "_")


def _some(items: Sequence[Any], count: int) -> list[Any]:
    """Return up to *count* of *items*: the ends, and what lies evenly between."""
    if len(items) <= count:
        return list(items)
    return [items[round(n * (len(items) - 1) / (count - 1))] for n in range(count)]
