"""
Providers over a WebSocket, for examining the kit: a right one, and what liars are made from.

The service does not exist; it is that of ``network_providers`` as it would be heard on a
WebSocket. Messages are JSON: ``begin`` says who speaks and how, each ``text`` is a piece of what
is said, ``end`` says that this is all. It answers that it is ready, gives audio in base64, says
after each sentence that this one is over, and last that it is done. The tapes are made here.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from local_providers import Plugin, claimed
from network_providers import (
    BASE_PATH,
    JSON,
    MADE_ON,
    REFUSALS,
    REQUEST_ID,
    SWIFT,
    Speech,
    Talk,
    buzz,
    contract_of,
    facts_of,
    recognise_voice,
)

from vivavoce import Client, Settings
from vivavoce.authoring import (
    INTERFACE,
    Claim,
    DuplexExchange,
    Event,
    Exchange,
    MessageReceived,
    Output,
    PeerClosed,
    ProviderConfig,
    Secret,
    SendMessage,
    SynthesisRequest,
    Synthesizer,
    SynthesizerInfo,
    TurnEnded,
    UnexpectedReply,
    VivavoceError,
    Voice,
    WebSocketCall,
)
from vivavoce_contract.case import KEY, Case, Scenario, tape_name
from vivavoce_contract.contract import subject_of
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.event import Event as TapeEvent
from vivavoce_contract.tapes.header import Header, Source

MODEL = "live"
PIECES = 3
"""Of the audio of a sentence."""

LIVE = attrs.evolve(
    SWIFT,
    name=MODEL,
    transports=("websocket",),
    options=(),
    capabilities=attrs.evolve(SWIFT.capabilities, stream_in=claimed()),
)

VOICES = (
    Voice(id="ann", languages=("en",), models=(MODEL,)),
    Voice(id="dirk", languages=("de",), models=(MODEL,)),
    Voice(id="old finn", languages=("en",), dialects=("en-IE",), models=(MODEL,)),
)


# The right provider


class Live(Talk):
    """
    A session, and an utterance, which is one that is given its text at once.

    Its methods are small, so that a liar changes one of them.
    """

    def __init__(self, request: SynthesisRequest, speaker: Any, *, is_session: bool) -> None:
        super().__init__(request, speaker)
        self.request = request
        self.is_session = is_session

    # What is sent

    def open(self) -> WebSocketCall:
        whole = () if self.is_session else (self.text(self.request.text), self.last())
        first = (self.begin, *whole)
        return WebSocketCall(
            url=self.url(), headers=self.headers(), first=tuple(map(self.written, first))
        )

    def url(self) -> str:
        place = self.speech.url().removesuffix("/speak")
        return f"{place.replace('http', 'ws', 1)}/live"

    def headers(self) -> dict[str, str | Secret]:
        return {"authorization": self.key().prefixed("Bearer ")}

    def key(self) -> Secret:
        return self.speech.key()

    def text(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def last(self) -> dict[str, Any]:
        return {"do": "end"}

    def written(self, message: Mapping[str, Any]) -> str:
        return json.dumps(message, ensure_ascii=False)

    def said(self, **message: str) -> tuple[SendMessage, ...]:
        return (SendMessage(self.written(message)),)

    # What comes

    def receive(self, event: Event) -> Sequence[Output]:
        if isinstance(event, MessageReceived):
            return self.take(self.read(event))
        if isinstance(event, PeerClosed):
            return self.closed(event)
        return super().receive(event)

    def read(self, event: MessageReceived) -> Mapping[str, Any]:
        return self.speech.read(event.data)

    def closed(self, event: PeerClosed) -> Sequence[Output]:
        return super().receive(event)

    def take(self, message: Mapping[str, Any]) -> Sequence[Output]:
        outputs = list(self.speech.take(message))
        return [*outputs, TurnEnded()] if message.get("over") else outputs

    # What is wrong

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        self.speech.reply_headers = headers
        try:
            message = self.speech.read(body)
        except UnexpectedReply:
            message = {}
        if isinstance(message.get("code"), str):
            return self.speech.error_of(message, status)
        return super().explain_error(status, headers, body)


class LiveSpeaker(Synthesizer):
    """The provider: makes a conversation for each request, and keeps nothing."""

    live: type[Live] = Live
    speech: type[Speech] = Speech

    def base_url(self) -> str:
        return self.config.base_url or "https://speech.invalid/v1"

    def exchange(self, request: SynthesisRequest) -> Exchange:
        return self.live(request, self, is_session=False)

    def session(self, request: SynthesisRequest) -> DuplexExchange:
        return self.live(request, self, is_session=True)


INFO = SynthesizerInfo(
    name="right-socket",
    title="Buzzes on an open line, for examining the kit",
    interface=INTERFACE,
    models=(LIVE,),
    synthesizer=LiveSpeaker,
    voices=lambda: VOICES,
    credential_env=("RIGHT_SOCKET_KEY",),
    recognise_voice=recognise_voice,
    homepage="https://speech.invalid/docs",
)
"""The right provider."""


# The service


def _audio(asked: Mapping[str, Any], sentence: str) -> list[dict[str, Any]]:
    audio = buzz({**asked, "text": sentence})
    # Odd, so that pieces tear samples.
    size = (len(audio) // PIECES) | 1
    pieces = [audio[at : at + size] for at in range(0, len(audio), size)]
    said = [{"audio": base64.b64encode(each).decode()} for each in pieces]
    return [*said, {"over": True}]


def service_of(said: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """
    Return what the service answers to each of the client's messages.

    A sentence is spoken as soon as the next has begun; all that is left at the end.
    """
    begin, answers, spoken, held = said[0], [[{"ready": True, "id": REQUEST_ID}]], "", ""
    for message in said[1:]:
        parts = []
        if "text" in message:
            held += message["text"]
            first, end, rest = held.partition(". ")
            if end and rest:
                parts, held = [first + end], rest
        else:
            parts = [held]
        answer = []
        for part in parts:
            spoken += part
            facts = facts_of({"text": spoken})
            answer += [{**facts, **each} for each in _audio(begin, part)]
        if message.get("do") == "end":
            answer.append({**facts_of({"text": spoken}), "done": True})
        answers.append(answer)
    return answers


# The tapes


def _event(t: float, side: str, kind: str, **fields: Any) -> TapeEvent:
    return TapeEvent(t=t, conn=1, dir=side, k=kind, **fields)


def _text(t: float, side: str, message: Mapping[str, Any]) -> TapeEvent:
    return _event(t, side, "text", data=json.dumps(message).encode())


def tape_of(case: Case, scenario: Scenario) -> Tape:
    """Return the tape of a scenario: what the provider sends, and what the service answers."""
    with Client(
        case.selector,
        api_key=Secret(KEY),
        settings=Settings(),
        registry=case.subject.registry,
    ) as client:
        plan = client.explain(scenario.text, **scenario.wishes)
        request = plan.request(next(plan.segments()), wants_stream=True)
    speaker = LiveSpeaker(ProviderConfig(base_url="http://127.0.0.1/v1"))
    if scenario.is_session:
        live = speaker.session(request)
        sent = [message.data for piece in scenario.pieces for message in live.send(piece)]
        sent += [message.data for message in live.finish()]
    else:
        live, sent = speaker.exchange(request), []
    call = live.open()
    assert isinstance(call, WebSocketCall)
    said = [json.loads(each) for each in (*call.first, *sent)]
    events = [
        _event(0.0, "c", "ws-open", line=f"GET {BASE_PATH}/live HTTP/1.1"),
        _event(0.1, "s", "ws-accept", line="HTTP/1.1 101 Switching Protocols"),
    ]
    for number, (message, answer) in enumerate(zip(said, service_of(said), strict=True)):
        at = 0.1 + 0.01 * number
        events.append(_text(at, "c", message))
        events += [_text(at, "s", each) for each in answer]
    events += [_event(1.0, "s", "close", code=1000), _event(1.0, "s", "eof")]
    silent = json.dumps({**facts_of({"text": scenario.text}), "done": True})
    return Tape(header=_header(scenario.name, silent=silent), events=events)


def _header(scenario: str, **expects: Any) -> Header:
    return Header(
        provider=INFO.name,
        scenario=scenario,
        model=MODEL,
        source=Source(kind="synthetic", name="socket_providers.py"),
        recorded_at=MADE_ON,
        base_path=BASE_PATH,
        expects=expects,
    )


def _expected(code: str, kind: type[VivavoceError]) -> dict[str, Any]:
    return {
        "error": kind.__name__,
        "retryable": kind.retryable,
        "code": code,
        "request_id": REQUEST_ID,
    }


def refused_tape(good: Tape, code: str, status: int, kind: type[VivavoceError]) -> Tape:
    """Return the tape of a handshake that is refused with a code of the service's."""
    body = json.dumps({"code": code, "message": f"Sorry: {code}.", "id": REQUEST_ID}).encode()
    headers = [("content-type", JSON), ("content-length", str(len(body)))]
    return Tape(
        header=_header(f"error-{code}", **_expected(code, kind)),
        events=[
            good.events[0],
            _event(0.1, "s", "response", line=f"HTTP/1.1 {status} No", headers=headers),
            _event(0.1, "s", "chunk", data=body),
            _event(0.1, "s", "end"),
        ],
    )


def failing_tape(good: Tape, code: str, kind: type[VivavoceError]) -> Tape:
    """Return the tape of an utterance that the service gives up in its middle, and hangs up."""
    place = next(n for n, event in enumerate(good.events) if b'"audio"' in event.data) + 1
    failure = {"code": code, "message": f"Sorry: {code}.", "id": REQUEST_ID}
    return Tape(
        header=_header(f"error-event-{code}", **_expected(code, kind)),
        events=[
            *good.events[:place],
            _text(0.5, "s", failure),
            _event(0.5, "s", "close", code=1011),
            _event(0.5, "s", "eof"),
        ],
    )


@functools.cache
def tapes_of() -> dict[str, Tape]:
    """Return the tapes of the right provider; its liars are examined with them too."""
    subject = subject_of(contract_of(Plugin(info=INFO), MODEL, tapes={}, ways={}))
    case = Case(subject=subject, card=LIVE)
    tapes = {tape_name(MODEL, each.name): tape_of(case, each) for each in case.scenarios()}
    good = tapes[f"{MODEL}.speak"]
    for code, status, kind in REFUSALS:
        tapes[f"error-{status}-{code}"] = refused_tape(good, code, status, kind)
    for code, _, kind in REFUSALS[-2:]:
        tapes[f"error-event-{code}"] = failing_tape(good, code, kind)
    return tapes


# Liars


def made(
    live: type[Live] = Live,
    *,
    speech: type[Speech] = Speech,
    speaker: type[Synthesizer] = LiveSpeaker,
    claims: Mapping[str, Claim] | None = None,
    **info: Any,
) -> Plugin:
    """Return the right provider but for what is given."""
    maker = type("SocketLiar", (speaker,), {"live": live, "speech": speech})
    card = attrs.evolve(LIVE, capabilities=attrs.evolve(LIVE.capabilities, **(claims or {})))
    return Plugin(info=attrs.evolve(INFO, **{"synthesizer": maker, "models": (card,), **info}))
