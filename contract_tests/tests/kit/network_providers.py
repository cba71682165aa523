"""
Providers behind a network, for examining the kit: right ones, and what liars are made from.

The service does not exist. It takes a POST of JSON and answers with lines ``data: {...}``, a blank
one behind each, that hold audio in base64 and, last, what was billed; or with one object that
holds it all. Its speech is a buzz whose pitch is a function of all that was asked, so that
whatever is mixed up is heard. The tapes are made here, from what the right provider sends and
from what the service would answer.
"""

from __future__ import annotations

import base64
import functools
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
from local_providers import MODEST, Plugin, claimed, denied

from vivavoce import Client, Settings
from vivavoce.authoring import (
    INTERFACE,
    AudioData,
    BodyData,
    BodyEnd,
    Claim,
    CredentialError,
    DuplexExchange,
    Event,
    Exchange,
    Facts,
    Failed,
    Finished,
    HttpCall,
    MessageReceived,
    ModelCard,
    Option,
    Output,
    Price,
    ProviderConfig,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    ResponseStarted,
    Secret,
    SendMessage,
    SynthesisRequest,
    Synthesizer,
    SynthesizerInfo,
    UnexpectedReply,
    VivavoceError,
    Voice,
    VoiceOrigin,
    WebSocketCall,
    decode_base64,
    retry_after_s,
    shorten,
)
from vivavoce_contract import ProviderContract
from vivavoce_contract.case import KEY, Case, Scenario, tape_name
from vivavoce_contract.contract import subject_of
from vivavoce_contract.results import Run, Verdict
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.event import Event as TapeEvent
from vivavoce_contract.tapes.header import Header, Source

BASE_PATH = "/v1"
RATE_HZ = 8_000
SECONDS_PER_CHARACTER = 0.02
LIMIT = 120
PIECES = 5
MADE_ON = "2026-11-25"
REQUEST_ID = "req-0a1b2c3d"

JSON, EVENTS, BARE = "application/json", "text/event-stream", "audio/pcm"


# What it says of itself

OPTIONS = (
    Option(name="reply", meaning="how the audio comes", type=str, values=("events", "object")),
)
PRICES = (
    Price(
        amount=Decimal("0.3"),
        currency="EUR",
        per=10_000,
        unit="characters",
        evidence=claimed().evidence,
    ),
)

SWIFT = ModelCard(
    name="swift",
    transports=("http-sse", "http"),
    default_voice="ann",
    capabilities=attrs.evolve(
        MODEST,
        stream_out=claimed(),
        instructions=claimed(),
        max_instructions=claimed(maximum=100, unit="characters"),
        rate=claimed(minimum=0.5, maximum=2.0, unit="ratio"),
        pitch=claimed(minimum=-12, maximum=12, unit="semitones"),
        volume=claimed(minimum=-40, maximum=6, unit="dB"),
        ssml=claimed("speak"),
        languages=claimed("en", "de"),
        dialects=claimed("en-IE"),
        sample_rates_hz=claimed(RATE_HZ),
        max_text=claimed(maximum=LIMIT, unit="characters"),
        rpm=claimed(maximum=60, unit="requests"),
    ),
    options=OPTIONS,
    prices=PRICES,
    evidence=claimed().evidence,
)
"""The model that most liars are made from."""

MINE = attrs.evolve(
    SWIFT,
    name="mine",
    default_voice="",
    capabilities=attrs.evolve(
        SWIFT.capabilities,
        instructions=denied("it speaks as the recording does"),
        max_instructions=denied(),
        rate=denied(),
        pitch=denied(),
        volume=denied(),
        ssml=denied(),
        stock_voices=denied("it speaks with cloned voices only"),
        clone=claimed(),
        dialects=denied(),
        languages=claimed("en"),
    ),
)
"""The model with voices of one's own alone."""

VOICES = (
    Voice(id="ann", languages=("en",), models=("swift",)),
    Voice(id="dirk", languages=("de",), models=("swift",)),
    Voice(id="old finn", languages=("en",), dialects=("en-IE",), models=("swift",)),
)
OWN_VOICES = {"mine": "cloned-4711"}


def recognise_voice(card: ModelCard, voice_id: str) -> Voice | None:
    """Return the cloned voice that an id means."""
    if not (card.capabilities.clone and voice_id.startswith("cloned-")):
        return None
    return Voice(id=voice_id, origin=VoiceOrigin.CLONED, models=(card.name,))


# The right provider

_Maker = Callable[..., VivavoceError]
CODES: Mapping[str, _Maker] = {
    "bad-key": CredentialError,
    "bad-text": RequestRejected,
    "no-credit": QuotaExceeded,
    "too-fast": RateLimited,
    "busy": ProviderUnavailable,
}
"""What the service's codes mean."""


class Speech(Exchange):
    """One request. Its methods are small, so that a liar changes one of them."""

    codes: Mapping[str, _Maker] = CODES

    def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
        self.format = request.format
        self.request = request
        self.speaker = speaker
        self.status = 0
        self.kind = ""
        self.reply_headers: Mapping[str, str] = {}
        self.held = bytearray()
        self.is_done = False

    # What is sent

    def open(self) -> HttpCall:
        return HttpCall(url=self.url(), headers=self.headers(), body=self.body())

    def url(self) -> str:
        return f"{self.speaker.base_url()}/speak"

    def headers(self) -> dict[str, str | Secret]:
        return {"authorization": self.key().prefixed("Bearer "), "content-type": JSON}

    def key(self) -> Secret:
        return self.speaker.config.credential or Secret("")

    def body(self) -> bytes:
        return json.dumps(self.message(), ensure_ascii=False).encode()

    def message(self) -> dict[str, Any]:
        voice, prosody = self.request.voice, self.request.prosody
        message = {
            "model": self.request.model.name,
            "text": self.request.text,
            "voice": voice.id if voice is not None else None,
            "language": self.request.language,
            "style": self.request.instructions,
            "reply": self.request.options.get("reply"),
            "markup": self.request.ssml or None,
            "speed": prosody.rate_ratio if prosody.rate_ratio != 1 else None,
            "higher": prosody.pitch_semitones or None,
            "louder": prosody.volume_db or None,
        }
        return {name: value for name, value in message.items() if value is not None}

    # What comes

    def receive(self, event: Event) -> Sequence[Output]:
        if isinstance(event, ResponseStarted):
            self.begin(event)
            return ()
        if isinstance(event, BodyData):
            return self.data(event.data)
        if isinstance(event, BodyEnd):
            return self.end()
        return super().receive(event)

    def begin(self, event: ResponseStarted) -> None:
        self.status = event.status
        self.kind = event.headers.get("content-type", "")
        self.reply_headers = event.headers

    @property
    def is_events(self) -> bool:
        return self.status == 200 and self.kind == EVENTS

    def data(self, data: bytes) -> Sequence[Output]:
        self.held += data
        return self.lines() if self.is_events else ()

    def lines(self) -> Sequence[Output]:
        outputs: list[Output] = []
        try:
            while (end := self.held.find(b"\n\n")) >= 0:
                line = bytes(self.held[:end])
                del self.held[: end + 2]
                outputs += self.take(self.read(line.removeprefix(b"data: ")))
        except VivavoceError as error:
            # What came before it in the same piece is spoken all the same.
            outputs.append(Failed(error))
        return outputs

    def read(self, data: bytes) -> Mapping[str, Any]:
        try:
            message = json.loads(data)
        except ValueError:
            # Not chained: the cause holds the whole text.
            msg = f"A message of {len(data)} bytes is no JSON."
            raise UnexpectedReply(msg) from None
        return message if isinstance(message, dict) else {}

    def take(self, message: Mapping[str, Any]) -> Sequence[Output]:
        if "code" in message:
            raise self.error_of(message, self.status)
        outputs: list[Output] = [self.facts(message)]
        if "audio" in message:
            outputs.append(AudioData(self.decoded(message["audio"])))
        if message.get("done"):
            outputs.append(self.finished())
        return outputs

    def decoded(self, text: str) -> bytes:
        return decode_base64(text.encode())

    def finished(self) -> Finished:
        self.is_done = True
        return Finished()

    def facts(self, message: Mapping[str, Any]) -> Facts:
        return Facts(request_id=message.get("id"), usage=message.get("usage", {}))

    def end(self) -> Sequence[Output]:
        if self.is_events:
            return ()
        message = self.read(bytes(self.held)) if self.status == 200 else {}
        if self.status != 200 or "audio" not in message:
            raise self.refusal()
        return self.take({**message, "done": True})

    # What is wrong

    def refusal(self) -> VivavoceError:
        body = bytes(self.held)
        if self.status == 200:
            return UnexpectedReply(f"The reply holds no audio: {shorten(body)}")
        try:
            message = self.read(body)
        except UnexpectedReply:
            message = {}
        if isinstance(message.get("code"), str):
            return self.error_of(message, self.status)
        return self.explain_error(self.status, self.reply_headers, body)

    def error_of(self, message: Mapping[str, Any], status: int) -> VivavoceError:
        code = message["code"]
        said = f"The service says {code}: {shorten(str(message.get('message')).encode())}"
        maker = self.codes.get(code)
        if maker is None:
            by_status = self.explain_error(status, {}, said.encode())
            maker = type(by_status) if status >= 300 else RequestRejected
        error = maker(said, code=code, status=status)
        if isinstance(error, RateLimited):
            error.retry_after_s = retry_after_s(self.reply_headers)
        error.request_id = message.get("id")
        return error


class Speaker(Synthesizer):
    """The provider: makes a speech for each request, and keeps nothing."""

    speech: type[Speech] = Speech

    def base_url(self) -> str:
        return self.config.base_url or "https://speech.invalid/v1"

    def exchange(self, request: SynthesisRequest) -> Exchange:
        return self.speech(request, self)


class BareSpeech(Exchange):
    """The simplest there is: the reply is the audio."""

    def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
        self.format = request.format
        self.speech = Speech(request, speaker)

    def open(self) -> HttpCall:
        return self.speech.open()

    def receive(self, event: Event) -> Sequence[Output]:
        if isinstance(event, ResponseStarted) and event.status == 200:
            kind = event.headers.get("content-type", "")
            if kind != BARE:
                msg = f"The reply is {kind or 'of no kind'}, not {BARE}."
                raise UnexpectedReply(msg, status=200)
            facts = Facts(request_id=event.headers.get("x-request-id"))
            return (*super().receive(event), facts)
        return super().receive(event)


class Talk(DuplexExchange):
    """A session: text goes as messages on a WebSocket, audio comes as messages on it."""

    def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
        self.format = request.format
        self.speech = speaker.speech(request, speaker)
        self.begin = self.speech.message()
        del self.begin["text"]

    def open(self) -> WebSocketCall:
        place = self.speech.url().removesuffix("/speak").replace("http", "ws", 1)
        return WebSocketCall(
            url=f"{place}/talk", headers=self.speech.headers(), first=(json.dumps(self.begin),)
        )

    def said(self, **message: str) -> tuple[SendMessage, ...]:
        return (SendMessage(json.dumps(message)),)

    def send(self, text: str) -> Sequence[SendMessage]:
        return self.said(text=text)

    def flush(self) -> Sequence[SendMessage]:
        return self.said(do="say")

    def clear(self) -> Sequence[SendMessage]:
        return self.said(do="drop")

    def finish(self) -> Sequence[SendMessage]:
        return self.said(do="end")

    def receive(self, event: Event) -> Sequence[Output]:
        if isinstance(event, MessageReceived):
            return self.take(self.speech.read(event.data))
        return super().receive(event)

    def take(self, message: Mapping[str, Any]) -> Sequence[Output]:
        return self.speech.take(message)


class Talker(Speaker):
    """The provider with sessions."""

    talk: type[Talk] = Talk

    def session(self, request: SynthesisRequest) -> DuplexExchange:
        return self.talk(request, self)


# Who they are

INFO = SynthesizerInfo(
    name="right-net",
    title="Buzzes far away, for examining the kit",
    interface=INTERFACE,
    models=(SWIFT, MINE),
    synthesizer=Speaker,
    voices=lambda: VOICES,
    credential_env=("RIGHT_NET_KEY",),
    settings={"base_url": ("RIGHT_NET_URL",)},
    recognise_voice=recognise_voice,
    homepage="https://speech.invalid/docs",
)
"""The right provider."""


def _plain(name: str, reply: type[Exchange], **claims: Claim) -> SynthesizerInfo:
    return SynthesizerInfo(
        name=name,
        title="Buzzes far away, and does nothing else",
        interface=INTERFACE,
        models=(
            ModelCard(
                name="plain",
                transports=("http",),
                default_voice="only",
                capabilities=attrs.evolve(MODEST, sample_rates_hz=claimed(RATE_HZ), **claims),
                evidence=claimed().evidence,
            ),
        ),
        synthesizer=type("PlainSpeaker", (Speaker,), {"speech": reply}),
        voices=lambda: (Voice(id="only", models=("plain",)),),
        credential_env=("PLAIN_NET_KEY",),
        homepage="https://speech.invalid/docs",
    )


class WholeSpeech(Speech):
    """Asks for one object with all of the audio in it."""

    def message(self) -> dict[str, Any]:
        return {**super().message(), "reply": "object"}


BARE_INFO = _plain("bare-net", BareSpeech, stream_out=claimed())
"""A right provider whose reply is nothing but audio, its end that of the reply."""
WHOLE_INFO = _plain("whole-net", WholeSpeech)
"""A right provider that claims nothing but a voice: all of the audio comes at once."""


# The service


def buzz(asked: Mapping[str, Any]) -> bytes:
    """Return the speech: its pitch is of all that says who speaks, what, and in which style."""
    text = asked["text"]
    if asked.get("markup"):
        text = text.removeprefix("<speak>").removesuffix("</speak>")
    said = [text, *(asked.get(name) for name in ("model", "voice", "language", "style"))]
    hertz = 150 + zlib.crc32(json.dumps(said).encode()) % 200
    peak = round((8_000 + hertz) * 10 ** (asked.get("louder", 0.0) / 20))
    half = round(RATE_HZ / hertz / 2 / 2 ** (asked.get("higher", 0.0) / 12))
    cycle = struct.pack("<h", peak) * half + struct.pack("<h", -peak) * half
    count = round(len(text) * SECONDS_PER_CHARACTER * RATE_HZ / asked.get("speed", 1.0))
    return (cycle * (count // (2 * half) + 1))[: 2 * count]


def line(**message: Any) -> bytes:
    """Return a message of the service's."""
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def facts_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": REQUEST_ID, "usage": {"characters": len(asked["text"])}}


def reply_in_events(asked: Mapping[str, Any]) -> list[bytes]:
    """Return the pieces of a reply; what was billed so far stands in each."""
    audio = buzz(asked)
    # Odd, so that pieces tear samples.
    size = (len(audio) // PIECES) | 1
    pieces = [audio[at : at + size] for at in range(0, len(audio), size)]
    lines = [line(**facts_of(asked), audio=base64.b64encode(each).decode()) for each in pieces]
    return [*lines, line(**facts_of(asked), done=True)]


def reply_as_object(asked: Mapping[str, Any]) -> list[bytes]:
    whole = {**facts_of(asked), "audio": base64.b64encode(buzz(asked)).decode()}
    return _in_pieces(json.dumps(whole).encode())


def _in_pieces(data: bytes) -> list[bytes]:
    size = len(data) // PIECES + 1
    return [data[at : at + size] for at in range(0, len(data), size)]


def answer(asked: Mapping[str, Any], kind: str) -> list[TapeEvent]:
    """Return what the service answers, in the pieces in which it does."""
    replies = {
        EVENTS: reply_in_events,
        JSON: reply_as_object,
        BARE: lambda said: _in_pieces(buzz(said)),
    }
    head = TapeEvent(
        t=0.1,
        conn=1,
        dir="s",
        k="response",
        line="HTTP/1.1 200 OK",
        headers=[
            ("content-type", kind),
            ("transfer-encoding", "chunked"),
            ("x-request-id", REQUEST_ID),
        ],
    )
    chunks = [
        TapeEvent(t=0.1 + 0.1 * n, conn=1, dir="s", k="chunk", data=data)
        for n, data in enumerate(replies[kind](asked), start=1)
    ]
    return [head, *chunks, TapeEvent(t=1.0, conn=1, dir="s", k="end")]


# The tapes


def tape_of(case: Case, scenario: Scenario, kind: str) -> Tape:
    """Return the tape of a scenario: what the provider sends, and what the service answers."""
    with Client(
        case.selector,
        api_key=Secret(KEY),
        settings=Settings(),
        registry=case.subject.registry,
    ) as client:
        plan = client.explain(scenario.text, **scenario.wishes)
        request = plan.request(next(plan.segments()), wants_stream=True)
    speaker = case.info.load_synthesizer()(ProviderConfig(base_url="http://127.0.0.1/v1"))
    call = speaker.exchange(request).open()
    assert isinstance(call, HttpCall)
    asked = TapeEvent(
        t=0.0,
        conn=1,
        dir="c",
        k="request",
        line=f"POST {BASE_PATH}/speak HTTP/1.1",
        headers=[("content-type", JSON)],
        data=call.body,
    )
    said = json.loads(call.body)
    if kind == EVENTS and said.get("reply") == "object":
        kind = JSON
    silent = line(**facts_of(said), done=True).decode()
    return Tape(
        header=_header(case.info.name, scenario.name, case.card.name, silent=silent),
        events=[asked, *answer(said, kind)],
    )


def _header(provider: str, scenario: str, model: str, **expects: Any) -> Header:
    return Header(
        provider=provider,
        scenario=scenario,
        model=model,
        source=Source(kind="synthetic", name="network_providers.py"),
        recorded_at=MADE_ON,
        base_path=BASE_PATH,
        expects=expects,
    )


REFUSALS = (
    ("bad-key", 401, CredentialError),
    ("bad-text", 400, RequestRejected),
    ("no-credit", 403, QuotaExceeded),
    ("too-fast", 429, RateLimited),
    ("busy", 503, ProviderUnavailable),
)


def refusal_tape(good: Tape, code: str, status: int, kind: type[VivavoceError]) -> Tape:
    """Return the tape of a documented refusal."""
    body = json.dumps({"code": code, "message": f"Sorry: {code}.", "id": REQUEST_ID}).encode()
    head = TapeEvent(
        t=0.1,
        conn=1,
        dir="s",
        k="response",
        line=f"HTTP/1.1 {status} No",
        headers=[("content-type", JSON), ("content-length", str(len(body)))],
    )
    return Tape(
        header=_header(
            good.header.provider,
            f"error-{code}",
            good.header.model,
            error=kind.__name__,
            retryable=kind.retryable,
            code=code,
            request_id=REQUEST_ID,
        ),
        events=[
            good.events[0],
            head,
            TapeEvent(t=0.1, conn=1, dir="s", k="chunk", data=body),
            TapeEvent(t=0.1, conn=1, dir="s", k="end"),
        ],
    )


def failing_tape(good: Tape) -> Tape:
    """Return the tape of a reply that goes wrong in its middle."""
    failure = line(code="busy", message="Sorry, busy.", id=REQUEST_ID)
    chunks = [event for event in good.events if event.k == "chunk"]
    last = chunks[len(chunks) // 2]
    place = good.events.index(last)
    return Tape(
        header=_header(
            good.header.provider,
            "error-event-busy",
            good.header.model,
            error="ProviderUnavailable",
            retryable=True,
            code="busy",
            request_id=REQUEST_ID,
        ),
        events=[
            *good.events[:place],
            attrs.evolve(last, data=failure),
            TapeEvent(t=last.t, conn=1, dir="s", k="end"),
        ],
    )


def session_tape() -> Tape:
    """Return the tape of a session with the right talker."""
    tapes = tapes_of()
    subject = subject_of(contract_of(talker(), "swift", tapes=tapes))
    case = Case(subject=subject, card=subject.registry.model(subject.info, "swift"))
    scenario = case.scenario("session")
    begin = json.loads(tapes["swift.speak"].events[0].data)
    said = [{name: value for name, value in begin.items() if name != "text"}]
    said += [{"text": piece} for piece in scenario.pieces]
    said.append({"do": "end"})
    replies = reply_in_events({**begin, "text": scenario.text})
    events = [
        TapeEvent(
            t=0.0, conn=1, dir="c", k="ws-open", line=f"GET {BASE_PATH}/talk HTTP/1.1", headers=[]
        ),
        TapeEvent(t=0.0, conn=1, dir="s", k="ws-accept", line="HTTP/1.1 101 Switching Protocols"),
    ]
    events += [
        TapeEvent(t=0.1, conn=1, dir="c", k="text", data=json.dumps(each).encode()) for each in said
    ]
    events += [
        TapeEvent(t=0.2, conn=1, dir="s", k="text", data=each.removeprefix(b"data: ").strip())
        for each in replies
    ]
    events += [
        TapeEvent(t=0.3, conn=1, dir="s", k="close", code=1000),
        TapeEvent(t=0.3, conn=1, dir="s", k="eof"),
    ]
    return Tape(header=_header("right-net", "session", "swift"), events=events)


@functools.cache
def tapes_with_session() -> dict[str, Tape]:
    """Return the tapes of the right provider with sessions."""
    return {**tapes_of(), "swift.session": session_tape()}


WAYS: Mapping[str, Mapping[str, Any]] = {way: {"reply": way} for way in ("events", "object")}


def contract_of(
    provider: object, *models: str, tapes: Mapping[str, Tape] | None = None, **more: Any
) -> type[ProviderContract]:
    """Return what the author of *provider* would write."""
    return type(
        "Examined",
        (ProviderContract,),
        {
            "provider": provider,
            "models": models,
            "own_voices": OWN_VOICES,
            "ways": WAYS if models[:1] != ("plain",) else {},
            "tapes": tapes_of() if tapes is None else tapes,
            **more,
        },
    )


def _made_tapes(info: SynthesizerInfo, kind: str, *models: str) -> dict[str, Tape]:
    subject = subject_of(contract_of(Plugin(info=info), *models, tapes={}))
    found = {}
    for card in info.models:
        case = Case(subject=subject, card=card)
        for scenario in case.scenarios():
            found[tape_name(card.name, scenario.name)] = tape_of(case, scenario, kind)
    return found


@functools.cache
def tapes_of() -> dict[str, Tape]:
    """Return the tapes of the right provider; its liars are examined with them too."""
    tapes = _made_tapes(INFO, EVENTS)
    good = tapes["swift.speak"]
    for code, status, kind in REFUSALS:
        tapes[f"error-{status}-{code}"] = refusal_tape(good, code, status, kind)
    tapes["error-event-busy"] = failing_tape(good)
    tapes["swift.client-other"] = attrs.evolve(
        good, header=attrs.evolve(good.header, scenario="client-other")
    )
    return tapes


@functools.cache
def plain_tapes(name: str) -> dict[str, Tape]:
    """Return the tapes of one of the plain providers."""
    info, kind = {"bare-net": (BARE_INFO, BARE), "whole-net": (WHOLE_INFO, JSON)}[name]
    tapes = _made_tapes(info, kind, "plain")
    codeless = refusal_tape(tapes["plain.speak"], "bad-key", 401, CredentialError)
    expects = {"error": "CredentialError", "retryable": False}
    header = attrs.evolve(codeless.header, expects=expects)
    tapes["error-401"] = attrs.evolve(codeless, header=header)
    return {
        name: attrs.evolve(tape, header=attrs.evolve(tape.header, expects=_spoken(tape)))
        for name, tape in tapes.items()
    }


def _spoken(tape: Tape) -> dict[str, Any]:
    # What the right provider's silence looks like is no word of these.
    return {name: value for name, value in tape.header.expects.items() if name != "silent"}


# Liars


def made(
    speech: type[Speech] | None = None,
    *,
    speaker: type[Speaker] = Speaker,
    claims: Mapping[str, Claim] | None = None,
    card: Mapping[str, Any] | None = None,
    **info: Any,
) -> Plugin:
    """
    Return the right provider but for what is given.

    Args:
        speech: Its exchange.
        speaker: Its synthesizer.
        claims: What its models claim otherwise.
        card: What its models' cards say otherwise.
        **info: What it says of itself otherwise.
    """
    maker = type("Liar", (speaker,), {} if speech is None else {"speech": speech})
    models = tuple(
        attrs.evolve(
            one,
            **{"capabilities": attrs.evolve(one.capabilities, **(claims or {})), **(card or {})},
        )
        for one in INFO.models
    )
    return Plugin(info=attrs.evolve(INFO, **{"synthesizer": maker, "models": models, **info}))


def talker(talk: type[Talk] = Talk) -> Plugin:
    """Return the right provider with sessions, or one whose sessions are as given."""
    speaker = type("TalkingLiar", (Talker,), {"talk": talk})
    return made(
        speaker=speaker,
        claims={"stream_in": claimed()},
        card={"transports": ("http-sse", "http", "websocket")},
    )


def verdicts(run: Run) -> dict[str, dict[str, Verdict]]:
    """Return by clause and model what came of it."""
    found: dict[str, dict[str, Verdict]] = {}
    for cell in run.every_cell():
        found.setdefault(cell.clause, {})[cell.model] = cell.verdict
    return found


def failing(run: Run) -> dict[str, Verdict]:
    """Return by clause the verdict that fails the run; of several the first."""
    found: dict[str, Verdict] = {}
    for cell in run.failures():
        found.setdefault(cell.clause, cell.verdict)
    return found
