"""
Voices of one's own as the kit has them made: from what, on which tape, and what came of it.

What makes voices asks with whole calls and reads whole answers, so it is examined in memory: the
tape is played without a socket, waits take no time, and a call may be given a fault instead of its
answer. A customizer of an engine in this process is asked as it is.
"""

from __future__ import annotations

import asyncio
import math
import re
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
from attrs import define, field, frozen

from vivavoce import (
    AsyncClient,
    AudioFormat,
    Client,
    ConnectionLost,
    ProviderUnavailable,
    RateLimited,
    Registry,
    Retry,
    Settings,
    SynthesizerInfo,
    TimedOut,
    UnexpectedReply,
    VivavoceError,
    Voice,
)
from vivavoce.authoring import (
    BodyData,
    BodyEnd,
    CloneOffer,
    CloneRequest,
    Consent,
    DesignOffer,
    DesignRequest,
    Done,
    HttpCall,
    MadeVoice,
    NameRule,
    NextCall,
    RecordingRules,
    Reply,
    ResponseStarted,
    Secret,
    Task,
    VoiceCustomizer,
    VoiceCustomizerInfo,
    VoiceOrigin,
    VoicePage,
    hookimpl,
)
from vivavoce.book import Alias, BookedVoice, VoiceBook
from vivavoce.wire.exchange import Call
from vivavoce.wire.exchange import Event as WireEvent
from vivavoce_contract.case import HOOKS, KEY, Bench, Case, FaceName, bench_of, is_networked
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.memory import MemoryRuntime

if TYPE_CHECKING:
    from vivavoce.pipeline.customize import OwnVoices
    from vivavoce.transport.base import Runtime

__all__ = [
    "KINDS",
    "ORIGINS",
    "Fault",
    "Life",
    "Making",
    "Outcome",
    "Sent",
    "Workshop",
    "asked_of",
    "clients_on",
    "live",
    "making_of",
    "moment_of",
    "name_for",
    "recording_for",
    "workshop",
]

Result = TypeVar("Result")

KINDS = ("clone", "design")
ORIGINS: Mapping[str, VoiceOrigin] = {"clone": VoiceOrigin.CLONED, "design": VoiceOrigin.DESIGNED}

_NAMES = ("contract", "Contract", "contract_kit", "contract-kit", "kit", "Contract Kit", "c", "c1")
_NOWHERE = "http://127.0.0.1:9"

_TRANSCRIPTS = {"en": "One, two. Good morning.", "zh": "一，二。早上好。"}
_DESCRIPTIONS = {"en": "Calm, deep.", "zh": "平静低沉。"}
_PREVIEWS = {"en": "One, two.", "zh": "一，二。"}
_DIGITS = "1, 2. 3, 4, 5."

# Loud and soft in turn, as speech is; a steady tone is no recording of anybody.
_LOUD_S, _SOFT_S, _TONE_HZ = 0.2, 0.1, 240
_LOUD, _SOFT = 9_000, 3_000


# What is made


@frozen(kw_only=True)
class Making:
    """
    What the kit has made: the same whenever it is recorded or played.

    Attributes:
        kind: ``clone`` or ``design``.
        given: What it is made from.
        wishes: Keyword arguments of the call.
    """

    kind: str
    given: bytes | str = field(repr=False)
    wishes: Mapping[str, Any]

    @property
    def origin(self) -> VoiceOrigin:
        """What kind of voice comes of it."""
        return ORIGINS[self.kind]


def making_of(case: Case, kind: str, *, is_said: bool = False) -> Making:
    """
    Return what the kit has made of a kind, by what is offered.

    Args:
        case: The model it is for.
        kind: ``clone`` or ``design``.
        is_said: Whether the model is named in the call, and not by the client alone.
    """
    offer = case.offer(kind)
    wishes: dict[str, Any] = {"name": name_for(offer.name) if offer is not None else _NAMES[0]}
    if is_said:
        wishes["target_model"] = case.card.name
    if kind == "clone":
        assert not isinstance(offer, DesignOffer)
        return _clone_of(offer, wishes)
    assert not isinstance(offer, CloneOffer)
    return _design_of(offer, wishes)


def _clone_of(offer: CloneOffer | None, wishes: dict[str, Any]) -> Making:
    wishes["consent"] = Consent(by="the contract kit", how="its own tone", on="2026-01-01")
    if offer is None:
        return Making(kind="clone", given=b"RIFF", wishes=wishes)
    language = _language(offer.languages)
    if language:
        wishes["language"] = language
    if offer.takes_transcript:
        once = _TRANSCRIPTS.get(language or "en", _DIGITS)
        wishes["transcript"] = " ".join([once] * math.ceil(_seconds(offer.recording) / 3))
    if "wav" not in offer.recording.containers:
        wishes["fix"] = True
    return Making(kind="clone", given=recording_for(offer.recording), wishes=wishes)


def _design_of(offer: DesignOffer | None, wishes: dict[str, Any]) -> Making:
    if offer is None:
        wishes["preview_text"] = _PREVIEWS["en"]
        return Making(kind="design", given=_DESCRIPTIONS["en"], wishes=wishes)
    language = _language(offer.languages)
    if language:
        wishes["language"] = language
    once = _PREVIEWS.get(language or "en", _DIGITS)
    count = math.ceil((offer.min_preview or 1) / len(once))
    wishes["preview_text"] = " ".join([once] * count)
    wishes["format"] = "wav" if "wav" in offer.preview_formats else offer.preview_formats[0]
    # The least, so that tapes are small, and seldom the usual one.
    wishes["sample_rate_hz"] = min(offer.preview_rates_hz)
    described = _language(offer.description_languages) or "en"
    return Making(kind="design", given=_DESCRIPTIONS.get(described, "1, 2."), wishes=wishes)


def name_for(rule: NameRule) -> str:
    """Return a name that a rule takes; the kit's usual one where it takes none of them."""
    return next((name for name in _NAMES if re.fullmatch(rule.pattern, name)), _NAMES[0])


def _language(offered: Sequence[str]) -> str:
    return next((tag for tag in ("en", "zh") if tag in offered), offered[0] if offered else "")


def _seconds(rules: RecordingRules) -> float:
    return max(rules.min_s or 1.0, 1.0)


def recording_for(rules: RecordingRules) -> bytes:
    """Return a recording as a provider asks for one: a tone, as short as it may be, as WAV."""
    from vivavoce.audio.wav import wav_header

    rate_hz = max(rules.min_sample_rate_hz or 0, 16_000)
    half = rate_hz // _TONE_HZ // 2
    loud, soft = (
        (struct.pack("<h", peak) * half + struct.pack("<h", -peak) * half)
        * round(seconds * _TONE_HZ)
        for peak, seconds in ((_LOUD, _LOUD_S), (_SOFT, _SOFT_S))
    )
    size = 2 * math.ceil(_seconds(rules) * rate_hz)
    samples = ((loud + soft) * (size // len(loud + soft) + 1))[:size]
    return wav_header(AudioFormat(sample_rate_hz=rate_hz), len(samples)) + samples


# What came of it


@frozen(kw_only=True)
class Outcome:
    """
    What came of one call.

    Attributes:
        result: What it returned.
        error: What it raised, or None.
    """

    result: Any = None
    error: Exception | None = None

    def value(self) -> Any:
        """
        Return the result.

        Raises:
            Exception: What the call raised.
        """
        if self.error is not None:
            raise self.error
        return self.result


@frozen(kw_only=True)
class Life:
    """
    A voice from its making to its end.

    Attributes:
        made: Making it: a ``NewVoice``.
        listed: All voices of its kind, then.
        got: Asking for it.
        deleted: Deleting it.
        again: Deleting it once more.
        gone: Asking for it after that.
        left: All voices of its kind that are left.
    """

    made: Outcome
    listed: Outcome
    got: Outcome
    deleted: Outcome
    again: Outcome
    gone: Outcome
    left: Outcome


def live(ask: Callable[..., Outcome], making: Making) -> Life:
    """Have a voice made, listed, looked for and deleted by *ask*, in this order."""
    made = ask(making.kind, making.given, **making.wishes)
    voice_id = made.result.voice.id if made.error is None else "nobody"
    origin = making.origin
    return Life(
        made=made,
        listed=ask("list", origin=origin),
        got=ask("get", voice_id),
        deleted=ask("delete", voice_id, origin=origin),
        again=ask("delete", voice_id, origin=origin),
        gone=ask("get", voice_id),
        left=ask("list", origin=origin),
    )


def asked_of(client: Client, verb: str, *given: Any, **wishes: Any) -> Outcome:
    """Call one of the methods of ``client.voices``, and return what came of it."""
    try:
        result = getattr(client.voices, verb)(*given, **wishes)
        return Outcome(result=list(result) if verb == "list" else result)
    except Exception as error:  # noqa: BLE001 - a clause looks at whatever it is
        return Outcome(error=error)


async def _asked_of_async(client: AsyncClient, verb: str, *given: Any, **wishes: Any) -> Outcome:
    try:
        asked = getattr(client.voices, verb)(*given, **wishes)
        if verb == "list":
            return Outcome(result=[voice async for voice in asked])
        return Outcome(result=await asked)
    except Exception as error:  # noqa: BLE001 - a clause looks at whatever it is
        return Outcome(error=error)


# What is sent


@frozen(kw_only=True)
class Sent:
    """
    One call that left for a provider.

    Attributes:
        verb: For what: ``clone``, ``design``, ``list``, ``get`` or ``delete``.
        call: The call; None for an engine in this process.
    """

    verb: str
    call: HttpCall | None = None

    @property
    def as_plain(self) -> tuple[str, str, str, bytes]:
        """What is compared: verb, method, address, body."""
        if self.call is None:
            return (self.verb, "", "", b"")
        return (self.verb, self.call.method, self.call.url, self.call.body)


@frozen(kw_only=True)
class Fault:
    """
    What a call meets in place of its answer.

    Attributes:
        name: In a word or two.
        status: The HTTP status it is answered with; 0 where no answer comes.
        body: Of the answer.
        is_silence: Whether nothing comes at all; else, without a status, the connection is cut.
        is_done: Whether what was asked for has been done all the same.
    """

    name: str
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)
    is_silence: bool = False
    is_done: bool = False

    def error(self) -> VivavoceError:
        """Return what an engine in this process raises for it."""
        if self.is_silence:
            return TimedOut(f"({self.name})", phase="answer", limit_s=1.0)
        if self.status == 429:
            return RateLimited(f"({self.name})", status=429)
        if self.status >= 500:
            return ProviderUnavailable(f"({self.name})", status=self.status)
        if self.status:
            return UnexpectedReply(f"({self.name})")
        return ConnectionLost(f"({self.name})")


@define
class _Log:
    """What reached the customizer and left it."""

    is_local: bool
    verb: str = ""
    sent: list[Sent] = field(factory=list)
    made: list[MadeVoice] = field(factory=list)
    faults: deque[tuple[str, Fault]] = field(factory=deque)

    def fault(self) -> Fault | None:
        """Return what the call that leaves now meets, once."""
        if self.faults and self.faults[0][0] == self.verb:
            return self.faults.popleft()[1]
        return None

    def note(self, outcome: Any) -> Any:
        """Keep a voice that was made."""
        if isinstance(outcome, MadeVoice):
            self.made.append(outcome)
        return outcome


class _Watched(Task[Result]):
    """A task, and a note of what it is for and of what comes of it."""

    def __init__(self, inner: Task[Result], verb: str, log: _Log) -> None:
        self._inner = inner
        self._verb = verb
        self._log = log

    def open(self) -> HttpCall | Done[Result]:
        self._log.verb = self._verb
        fault = None
        if self._log.is_local:
            fault = self._log.fault()
            if fault is not None and not fault.is_done:
                raise fault.error()
        call = self._inner.open()
        if isinstance(call, Done):
            self._log.sent.append(Sent(verb=self._verb))
            self._log.note(call.result)
            if fault is not None:
                raise fault.error()
        return call

    def receive(self, reply: Reply) -> Result | NextCall:
        return cast("Result | NextCall", self._log.note(self._inner.receive(reply)))

    def refused(self, reply: Reply) -> Result | NextCall:
        return cast("Result | NextCall", self._log.note(self._inner.refused(reply)))

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        return self._inner.explain_error(status, headers, body)


def _watched(info: VoiceCustomizerInfo, bench: Bench) -> VoiceCustomizerInfo:
    """Return *info* with a customizer whose tasks are noted."""
    found: type[VoiceCustomizer] = info.load_customizer()

    class Watched(found):  # type: ignore[misc, valid-type]
        def clone(self, request: CloneRequest) -> Task[MadeVoice]:
            return _Watched(super().clone(request), "clone", bench.log)

        def design(self, request: DesignRequest) -> Task[MadeVoice]:
            return _Watched(super().design(request), "design", bench.log)

        def list(self, origin: VoiceOrigin, page: str | None) -> Task[VoicePage]:
            return _Watched(super().list(origin, page), "list", bench.log)

        def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:
            task = super().get(voice_id, origin)
            return None if task is None else _Watched(task, "get", bench.log)

        def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
            return _Watched(super().delete(voice_id, origin), "delete", bench.log)

    return attrs.evolve(info, customizer=Watched)


class _Wire(MemoryRuntime):
    """The tapes in memory, and faults in their place."""

    def __init__(self, log: _Log, *tapes: Tape) -> None:
        super().__init__(*tapes)
        self._log = log

    async def open(self, call: Call, timeout_s: float | None) -> Any:
        if isinstance(call, HttpCall):
            self._log.sent.append(Sent(verb=self._log.verb, call=call))
            fault = self._log.fault()
            if fault is not None:
                return _Broken(self, fault)
        return await super().open(call, timeout_s)


class _Broken:
    """A call that meets a fault."""

    def __init__(self, wire: _Wire, fault: Fault) -> None:
        self._wire = wire
        self._fault = fault
        self._events = iter(self._answer())

    def _answer(self) -> Iterator[WireEvent]:
        fault = self._fault
        if fault.status:
            headers = {"content-type": "application/json", **fault.headers}
            yield ResponseStarted(status=fault.status, headers=headers)
            yield BodyData(fault.body)
            yield BodyEnd()

    async def receive(self, timeout_s: float | None) -> WireEvent:
        await self._wire.tick()
        for event in self._events:
            return event
        if self._fault.is_silence:
            self._wire.wait_for_ever(timeout_s)
        msg = "The connection was cut once the request was there."
        raise ConnectionLost(msg)

    async def send(self, data: str | bytes) -> None:
        raise AssertionError(data)

    async def close(self) -> None:
        await self._wire.tick()


# Where it is made


@frozen
class _Plugin:
    """A provider and its customizer as a plugin of their own."""

    info: SynthesizerInfo
    customizer: VoiceCustomizerInfo | None

    @classmethod
    def of(cls, case: Case, bench: Bench) -> _Plugin:
        """Return the provider of *case*, what makes its voices watched."""
        found = case.customizer
        return cls(case.info, None if found is None else _watched(found, bench))

    def __dir__(self) -> list[str]:
        return HOOKS

    @hookimpl
    def vivavoce_synthesizers(self) -> list[SynthesizerInfo]:
        return [self.info]

    @hookimpl
    def vivavoce_voice_customizers(self) -> list[VoiceCustomizerInfo]:
        return [] if self.customizer is None else [self.customizer]


class _Book(VoiceBook):
    """A voice book that is kept in memory: the file is core's own affair, and takes its time."""

    def __init__(self) -> None:
        super().__init__("in-memory.toml")
        self._kept: dict[str, Alias] = {}

    def aliases(self) -> dict[str, Alias]:
        return dict(self._kept)

    def check(self, alias: str, provider: str) -> None:
        """Accept whatever it is: whether it is free was asked when it was planned."""

    def add_anyhow(self, alias: str, provider: str, voice: BookedVoice) -> str:
        self._kept[alias] = Alias(name=alias, voices={provider: voice})
        return alias

    def remove(self, alias: str, provider: str | None = None) -> bool:  # noqa: ARG002
        return self._kept.pop(alias, None) is not None

    def save_preview(self, alias: str, provider: str, data: bytes, ending: str) -> Path:  # noqa: ARG002
        return Path(f"{alias}.{provider}.{ending}")


def clients_on(runtime: MemoryRuntime) -> tuple[type[Client], type[AsyncClient]]:
    """Return clients of both faces that call over *runtime*."""

    class MemoryClient(Client):
        def _new_runtime(self) -> Runtime:
            return cast("Runtime", runtime)

    class AsyncMemoryClient(AsyncClient):
        def _new_runtime(self) -> Runtime:
            return cast("Runtime", runtime)

    return MemoryClient, AsyncMemoryClient


class Workshop:
    """
    A provider that is asked for voices, with a voice book of its own.

    Made by :func:`workshop`.

    Attributes:
        book: The voice book.
        moment: What time it is while a voice is made, or None for now.
    """

    def __init__(self, case: Case, tapes: Sequence[Tape]) -> None:
        self.case = case
        self.book: VoiceBook = _Book()
        self.moment: datetime | None = None
        self._log = _Log(is_local=not is_networked(case.card))
        self._bench = bench_of(case, "voices", lambda bench: Registry.of(_Plugin.of(case, bench)))
        self.registry = self._bench.registry
        self._clients = clients_on(_Wire(self._log, *tapes))
        self._base_url = _NOWHERE + (tapes[0].header.base_path if tapes else "")

    def noting(self) -> AbstractContextManager[None]:
        """Note here what leaves for the provider meanwhile."""
        return self._bench.noting(self._log)

    @property
    def was_sent(self) -> bool:
        """Whether anything left for the provider."""
        return bool(self._log.sent)

    @property
    def sent(self) -> list[Sent]:
        """What left for the provider, in order."""
        return self._log.sent

    @property
    def made(self) -> list[MadeVoice]:
        """What the customizer read of the voices that were made, in order."""
        return self._log.made

    def count(self, verb: str) -> int:
        """Return how many calls left for *verb*."""
        return sum(sent.verb == verb for sent in self._log.sent)

    def fail(self, verb: str, fault: Fault) -> None:
        """Let the next call for *verb* meet a fault; several are met in the order given."""
        self._log.faults.append((verb, fault))

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of a client."""
        return {
            "api_key": Secret(KEY),
            "base_url": self._base_url,
            "retry": Retry(attempts=1),
            "settings": Settings(),
            "registry": self.registry,
            **changes,
        }

    def client(self, selector: str | None = None, **changes: Any) -> Client:
        """Return a client of the sync face, of this model or of another; close it."""
        client = self._clients[0](selector or self.case.selector, **self.settings(**changes))
        client._core._book = self.book  # noqa: SLF001 - settings name files alone
        return client

    def ask(
        self,
        verb: str,
        *given: Any,
        face: FaceName = "sync",
        client: Mapping[str, Any] | None = None,
        **wishes: Any,
    ) -> Outcome:
        """
        Call one of the methods of ``client.voices``, and return what came of it.

        Args:
            verb: Its name.
            *given: Its positional arguments.
            face: Which face.
            client: Arguments of the client that differ.
            **wishes: Its keyword arguments.
        """
        if face == "async":
            return asyncio.run(self._ask_async(verb, given, wishes, client or {}))
        try:
            with self.client(**(client or {})) as asked:
                self._set_clock(asked)
                return asked_of(asked, verb, *given, **wishes)
        except Exception as error:  # noqa: BLE001 - of a customizer that cannot be made
            return Outcome(error=error)

    async def _ask_async(
        self, verb: str, given: Sequence[Any], wishes: Mapping[str, Any], client: Mapping[str, Any]
    ) -> Outcome:
        settings = self.settings(**client)
        async with self._clients[1](self.case.selector, **settings) as asked:
            asked._core._book = self.book  # noqa: SLF001 - as above
            return await _asked_of_async(asked, verb, *given, **wishes)

    def _set_clock(self, client: Client) -> None:
        """Let it be the moment at which the tape was recorded, where one is given."""
        core, moment = client._core, self.moment  # noqa: SLF001 - a client has the world's clock
        if moment is None:
            return
        true = core.own_voices

        def own_voices(*given: Any) -> OwnVoices:
            own = true(*given)
            own._today = lambda: moment  # noqa: SLF001 - as above
            return own

        core.own_voices = own_voices  # type: ignore[method-assign, assignment]

    def make(self, making: Making, **client: Any) -> Outcome:
        """Have a voice made."""
        return self.ask(making.kind, making.given, client=client, **making.wishes)

    def clear(self) -> None:
        """Delete what an engine in this process has made; a tape remembers nothing."""
        if self._log.is_local:
            self._log.faults.clear()
            for made in list(self._log.made):
                with suppress(Exception):
                    self.ask("delete", made.voice.id, origin=made.voice.origin)


@contextmanager
def workshop(case: Case, *tapes: Tape) -> Iterator[Workshop]:
    """Give a workshop where *tapes* are played; none are needed in this process."""
    shop = Workshop(case, tapes)
    case.stages.append(shop)
    with shop.noting():
        try:
            yield shop
        finally:
            shop.clear()


def moment_of(voice: Voice | None) -> datetime:
    """Return when a voice was made as its provider says, or now where it says nothing."""
    made = voice.created_at if voice is not None else None
    if made is None:
        return datetime.now(UTC)
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)
