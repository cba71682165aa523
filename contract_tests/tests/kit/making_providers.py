"""
Providers that make voices, for examining the kit: right ones, and what liars are made from.

One is an engine in this process, which keeps its voices in memory and lists two on a page. The
other is behind a network, with a service that does not exist: what it would answer is a function
here, and its tapes are made by asking that.
"""

from __future__ import annotations

import base64
import functools
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import local_providers as local
import network_providers as network
from local_providers import EVIDENCE, Plugin, claimed

from vivavoce import Settings
from vivavoce.audio.wav import wav_header
from vivavoce.authoring import (
    INTERFACE,
    AudioFormat,
    BodyData,
    BodyEnd,
    CloneOffer,
    CloneRequest,
    CredentialError,
    DesignOffer,
    DesignRequest,
    Done,
    HttpCall,
    MadeVoice,
    ModelCard,
    NameRule,
    Price,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    RecordingRules,
    Reply,
    RequestRejected,
    ResponseStarted,
    Secret,
    Task,
    UnexpectedReply,
    VivavoceError,
    Voice,
    VoiceCustomizer,
    VoiceCustomizerInfo,
    VoiceOrigin,
    VoicePage,
)
from vivavoce_contract import ProviderContract
from vivavoce_contract.case import KEY, Case, tape_name
from vivavoce_contract.contract import subject_of
from vivavoce_contract.making import KINDS, asked_of, clients_on, live, making_of
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.event import Event
from vivavoce_contract.tapes.header import Header, Source
from vivavoce_contract.tapes.memory import MemoryRuntime

CLONED, DESIGNED = VoiceOrigin.CLONED, VoiceOrigin.DESIGNED
NAMES = NameRule(pattern="[a-z0-9_]{1,20}", meaning="1 to 20 small letters, digits and _")
PRICES = (Price(amount="0.5", currency="EUR", per=1, unit="voices", evidence=EVIDENCE),)
PREVIEW_HZ = (16_000, 8_000)

CLONE = CloneOffer(
    models=("free",),
    languages=("en", "de"),
    recording=RecordingRules(min_sample_rate_hz=16_000, max_channels=1, min_s=1.0, max_s=20.0),
    takes_transcript=True,
    name=NAMES,
    prices=PRICES,
    evidence=EVIDENCE,
)
DESIGN = DesignOffer(
    models=("paid",),
    languages=("en", "de"),
    description_languages=("en",),
    max_description=400,
    max_preview=100,
    preview_formats=("wav", "pcm"),
    preview_rates_hz=PREVIEW_HZ,
    name=NAMES,
    prices=PRICES,
    evidence=EVIDENCE,
)


def sound(audio_format: AudioFormat, text: str) -> bytes:
    """Return the preview of a voice: a buzz, as long as the text."""
    cycle = b"\x00\x20" * 20 + b"\x00\xe0" * 20
    samples = cycle * (1 + len(text) * audio_format.sample_rate_hz // 1_000)
    return wav_header(audio_format, len(samples)) + samples


# In this process


class Local(Task[Any]):
    """A task that asks nobody."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run

    def open(self) -> Done[Any]:
        return Done(self.run())

    def receive(self, reply: Reply) -> Any:
        raise AssertionError(reply)


class Maker(VoiceCustomizer):
    """Keeps voices in memory, two on a page. Its methods are small, so that a liar changes one."""

    kept: dict[str, Voice]
    page_size = 2

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        return Local(lambda: MadeVoice(voice=self.keep(request, CLONED), request_id="made-1"))

    def design(self, request: DesignRequest) -> Task[MadeVoice]:
        return Local(lambda: self.designed(request))

    def list(self, origin: VoiceOrigin, page: str | None) -> Task[VoicePage]:
        return Local(lambda: self.page(origin, int(page or 0)))

    def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:
        return Local(lambda: self.kept.get(voice_id))

    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
        return Local(lambda: self.kept.pop(voice_id, None) is not None)

    def keep(self, request: CloneRequest | DesignRequest, origin: VoiceOrigin) -> Voice:
        voice = Voice(
            id=f"{origin.value}-{request.name}-{len(self.kept)}",
            origin=origin,
            models=(request.model.name,),
            created_at=datetime.now(UTC),
        )
        self.kept[voice.id] = voice
        return voice

    def designed(self, request: DesignRequest) -> MadeVoice:
        return MadeVoice(
            voice=self.keep(request, DESIGNED),
            preview=self.preview(request),
            preview_format=self.preview_format(request),
            request_id="made-2",
        )

    def preview(self, request: DesignRequest) -> bytes:
        return sound(request.format, request.preview_text)

    def preview_format(self, request: DesignRequest) -> AudioFormat:
        return request.format

    def page(self, origin: VoiceOrigin, begin: int) -> VoicePage:
        voices = [voice for voice in self.kept.values() if voice.origin is origin]
        end = begin + self.page_size
        more = str(end) if end < len(voices) else None
        return VoicePage(voices=tuple(voices[begin:end]), next_page=more)


class OnlyClones(VoiceCustomizer):
    """Designs nothing."""

    clone, list, delete = Maker.clone, Maker.list, Maker.delete


def customizer(
    maker: type[VoiceCustomizer] = Maker, *, name: str = "right", **changes: Any
) -> VoiceCustomizerInfo:
    """Return how a maker introduces itself, its own voices being no other's."""
    kind = type("Kept", (maker,), {"kept": {}})
    given = {"clone": CLONE, "design": DESIGN, "customizer": kind, **changes}
    return VoiceCustomizerInfo(name=name, interface=INTERFACE, **given)


def made(
    maker: type[VoiceCustomizer] = Maker,
    *,
    speech: type[local.Speech] | None = None,
    clone: Mapping[str, Any] | None = None,
    design: Mapping[str, Any] | None = None,
    info: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Plugin:
    """
    Return the right maker in this process but for what is given.

    Args:
        maker: Its customizer.
        speech: How its voices speak.
        clone: What its offer to clone says otherwise.
        design: Likewise.
        info: What its provider says of itself otherwise.
        **changes: What its customizer says of itself otherwise.
    """
    offers = {
        "clone": attrs.evolve(CLONE, **(clone or {})),
        "design": attrs.evolve(DESIGN, **(design or {})),
        **changes,
    }
    return local.made(speech, customizers=(customizer(maker, **offers),), **(info or {}))


def contract_of(provider: object) -> type[ProviderContract]:
    """Return what the author of a maker in this process would write."""
    return local.contract_of(provider, "free", "paid")


# Behind a network

REQUEST_ID = "req-voice-1"
CODES: Mapping[str, Callable[..., VivavoceError]] = {
    "bad-key": CredentialError,
    "bad-sound": RequestRejected,
    "no-credit": QuotaExceeded,
    "too-fast": RateLimited,
    "busy": ProviderUnavailable,
}
_STATUSES: Mapping[int, Callable[..., VivavoceError]] = {
    401: CredentialError,
    403: CredentialError,
    429: RateLimited,
}


class Asking(Task[Any]):
    """One call, answered by one object."""

    def __init__(
        self, maker: NetMaker, message: Mapping[str, Any], read: Callable[..., Any]
    ) -> None:
        self.maker = maker
        self.message = message
        self.read = read

    def open(self) -> HttpCall:
        return self.maker.call(self.message)

    def receive(self, reply: Reply) -> Any:
        try:
            answer = json.loads(reply.body)
            return self.read(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise self.unreadable(reply) from error

    def unreadable(self, reply: Reply) -> VivavoceError:
        return UnexpectedReply(f"An answer of {len(reply.body)} bytes is none.")

    def refused(self, reply: Reply) -> Any:
        if self.message["do"] in ("get", "delete") and self.told(reply.body).get("code") == "none":
            return None if self.message["do"] == "get" else False
        raise self.explain_error(reply.status, reply.headers, reply.body)

    def told(self, body: bytes) -> Mapping[str, Any]:
        try:
            told = json.loads(body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        told = self.told(body)
        usual = ProviderUnavailable if status >= 500 else _STATUSES.get(status, RequestRejected)
        kind = CODES.get(str(told.get("code")), usual)
        error = kind(f"Refused with HTTP {status}.", code=told.get("code"), status=status)
        error.request_id = told.get("id")
        return error


class NetMaker(VoiceCustomizer):
    """Asks a service for voices. Its methods are small, so that a liar changes one of them."""

    asking: type[Asking] = Asking

    def call(self, message: Mapping[str, Any]) -> HttpCall:
        key = self.config.credential or Secret("")
        return HttpCall(
            url=f"{self.config.base_url or 'https://speech.invalid/v1'}/voices",
            headers={"authorization": key.prefixed("Bearer "), "content-type": "application/json"},
            body=json.dumps(message).encode(),
        )

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        data = base64.b64encode(request.recording.data).decode()
        message = {
            "do": "make",
            "kind": "cloned",
            "name": request.name,
            "model": request.model.name,
            "sound": f"data:{request.recording.media_type};base64,{data}",
            "text": request.transcript,
        }
        return self.asking(self, message, partial(self.read_made, request, CLONED))

    def design(self, request: DesignRequest) -> Task[MadeVoice]:
        message = {
            "do": "make",
            "kind": "designed",
            "name": request.name,
            "model": request.model.name,
            "like": request.description,
            "says": request.preview_text,
            "hz": request.format.sample_rate_hz,
        }
        return self.asking(self, message, partial(self.read_made, request, DESIGNED))

    def list(self, origin: VoiceOrigin, page: str | None) -> Task[VoicePage]:
        message = {"do": "list", "kind": origin.value, "page": page or "1"}
        return self.asking(self, message, self.read_page)

    def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:
        message = {"do": "get", "voice": voice_id}
        return self.asking(self, message, lambda answer: self.read_voice(answer["voice"]))

    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
        return self.asking(self, {"do": "delete", "voice": voice_id}, lambda answer: answer["was"])

    def read_made(
        self, request: CloneRequest | DesignRequest, origin: VoiceOrigin, answer: Mapping[str, Any]
    ) -> MadeVoice:
        is_designed = isinstance(request, DesignRequest)
        return MadeVoice(
            voice=Voice(id=answer["voice"], origin=origin, models=(request.model.name,)),
            preview=base64.b64decode(answer["sound"]) if is_designed else b"",
            preview_format=request.format if isinstance(request, DesignRequest) else None,
            request_id=answer["id"],
            warnings=self.warnings(answer),
        )

    def warnings(self, answer: Mapping[str, Any]) -> tuple[str, ...]:
        return (f"The service says: {answer['but']}",) if "but" in answer else ()

    def read_page(self, answer: Mapping[str, Any]) -> VoicePage:
        voices = tuple(map(self.read_voice, answer["voices"]))
        return VoicePage(voices=voices, next_page=self.next_page(answer))

    def next_page(self, answer: Mapping[str, Any]) -> str | None:
        return answer.get("next")

    def read_voice(self, told: Mapping[str, Any]) -> Voice:
        return Voice(
            id=told["id"],
            origin=VoiceOrigin(told["kind"]),
            models=(told["model"],),
            created_at=datetime.fromisoformat(told["made"]),
        )


MINE = attrs.evolve(
    network.MINE,
    capabilities=attrs.evolve(network.MINE.capabilities, design=claimed()),
)


def recognise_voice(card: ModelCard, voice_id: str) -> Voice | None:
    """Return the voice of one's own that an id means."""
    kind = voice_id.partition("-")[0]
    if card.name != "mine" or kind not in ("cloned", "designed"):
        return None
    return Voice(id=voice_id, origin=VoiceOrigin(kind), models=(card.name,))


NET_INFO = attrs.evolve(network.INFO, models=(network.SWIFT, MINE), recognise_voice=recognise_voice)
NET_OFFERS: Mapping[str, Any] = {
    "clone": attrs.evolve(CLONE, models=("mine",)),
    "design": attrs.evolve(DESIGN, models=("mine",)),
}


def net_made(maker: type[VoiceCustomizer] = NetMaker, **changes: Any) -> Plugin:
    """Return the right maker behind a network but for what is given."""
    info = customizer(maker, name="right-net", **{**NET_OFFERS, **changes})
    return Plugin(info=NET_INFO, customizers=(info,))


class _Service(MemoryRuntime):
    """The service: answers each call, and writes both down as they would be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.voices: dict[str, dict[str, str]] = {}

    async def open(self, call: Any, timeout_s: float | None) -> Any:
        status, answer = self.answer(json.loads(call.body))
        body = json.dumps(answer).encode()
        self.events += exchange(json.loads(call.body), status, body)
        return _Answer(status, body)

    def answer(self, asked: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        voice_id = asked.get("voice", "")
        if asked["do"] == "make":
            voice_id = f"{asked['kind']}-{asked['name']}-4712"
            told = {"id": voice_id, "kind": asked["kind"], "model": asked["model"]}
            self.voices[voice_id] = {**told, "made": "2026-11-25T10:00:00+00:00"}
            answer = {"voice": voice_id, "id": REQUEST_ID}
            if asked["kind"] == "designed":
                audio_format = AudioFormat.named("wav", sample_rate_hz=asked["hz"])
                answer["sound"] = base64.b64encode(sound(audio_format, asked["says"])).decode()
            return 200, answer
        if asked["do"] == "list":
            listed = [one for one in self.voices.values() if one["kind"] == asked["kind"]]
            return 200, {"voices": listed, "next": None}
        if voice_id not in self.voices:
            return 404, {"code": "none", "id": REQUEST_ID}
        if asked["do"] == "get":
            return 200, {"voice": self.voices[voice_id]}
        del self.voices[voice_id]
        return 200, {"was": True}


class _Answer:
    """One answer of the service."""

    def __init__(self, status: int, body: bytes) -> None:
        kind = {"content-type": "application/json"}
        self.events = [ResponseStarted(status=status, headers=kind), BodyData(body), BodyEnd()]

    async def receive(self, timeout_s: float | None) -> Any:
        return self.events.pop(0)

    async def close(self) -> None:
        """Do nothing: it is over."""


def exchange(asked: Mapping[str, Any], status: int, body: bytes) -> list[Event]:
    """Return the events of one call and its answer, the recording as scrubbing leaves it."""
    if "sound" in asked:
        asked = {**asked, "sound": f"{asked['sound'].partition(',')[0]},<dropped>"}
    return [
        Event(
            t=0.0,
            conn=1,
            dir="c",
            k="request",
            line=f"POST {network.BASE_PATH}/voices HTTP/1.1",
            data=json.dumps(asked).encode(),
        ),
        Event(
            t=0.0,
            conn=1,
            dir="s",
            k="response",
            line=f"HTTP/1.1 {status} So",
            headers=[("content-type", "application/json")],
        ),
        Event(t=0.0, conn=1, dir="s", k="chunk", data=body),
        Event(t=0.0, conn=1, dir="s", k="end"),
    ]


def _tape(scenario: str, events: Sequence[Event], model: str = "", **expects: Any) -> Tape:
    header = Header(
        provider="right-net",
        scenario=scenario,
        model=model,
        source=Source(kind="synthetic", name="making_providers.py"),
        recorded_at=network.MADE_ON,
        base_path=network.BASE_PATH,
        expects=expects,
    )
    return Tape(header=header, events=events)


def _life_tape(kind: str) -> Tape:
    subject = subject_of(network.contract_of(net_made(), tapes={}))
    case = Case(subject=subject, card=MINE)
    service = _Service()
    with (
        tempfile.TemporaryDirectory() as folder,
        clients_on(service)[0](
            "right-net/mine",
            api_key=KEY,
            base_url=f"http://127.0.0.1:9{network.BASE_PATH}",
            registry=subject.registry,
            settings=Settings(voice_book=Path(folder) / "voices.toml"),
        ) as client,
    ):
        life = live(partial(asked_of, client), making_of(case, kind))
    life.left.value()
    return _tape(kind, service.events, "mine")


def _paged(*ids: str) -> list[Event]:
    events: list[Event] = []
    for number, voice_id in enumerate(ids, start=1):
        told = {"id": voice_id, "kind": "cloned", "model": "mine", "made": "2026-11-25T10:00:00Z"}
        answer = {"voices": [told], "next": str(number + 1) if number < len(ids) else None}
        asked = {"do": "list", "kind": "cloned", "page": str(number)}
        events += exchange(asked, 200, json.dumps(answer).encode())
    return events


@functools.cache
def net_tapes() -> dict[str, Tape]:
    """Return the tapes of the right maker behind a network, and of its liars."""
    tapes = {tape_name("mine", kind): _life_tape(kind) for kind in KINDS}
    asked = {"do": "make"}
    for code, error in list(CODES.items())[:-1]:
        body = json.dumps({"code": code, "id": REQUEST_ID}).encode()
        tapes[f"voices-error-{code}"] = _tape(
            f"voices-error-{code}",
            exchange(asked, 400, body),
            making="clone",
            error=error.__name__,  # type: ignore[attr-defined]
            code=code,
            request_id=REQUEST_ID,
            retryable=error.retryable,  # type: ignore[attr-defined]
        )
    simpler = {"voice": "cloned-contract-1", "id": REQUEST_ID, "but": "it was made in haste"}
    tapes["voices-simpler"] = _tape(
        "voices-simpler",
        exchange(asked, 200, json.dumps(simpler).encode()),
        making="clone",
        warns="in haste",
    )
    ids = ("cloned-a", "cloned-b", "cloned-c")
    tapes["voices-pages"] = _tape("voices-pages", _paged(*ids), origin="cloned", voices=list(ids))
    # What it speaks with is what the right provider speaks with.
    speech = {name: tape for name, tape in network.tapes_of().items() if name.startswith("mine.")}
    return {**speech, **tapes}


def net_contract_of(provider: object, tapes: Mapping[str, Tape] | None = None) -> Any:
    """Return what the author of a maker behind a network would write."""
    return network.contract_of(provider, tapes=net_tapes() if tapes is None else tapes)
