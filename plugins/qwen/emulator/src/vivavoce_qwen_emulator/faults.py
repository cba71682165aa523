"""
Everything that can be made to go wrong, by name.

A fault is a small class. Its fields are its parameters, and each method is a place where it can
step in; what it leaves alone stays as the service does it. :data:`FAULTS` has them all.
"""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform
from urllib.parse import urlsplit, urlunsplit

from vivavoce_qwen_emulator.events import DELTA, Message, Outgoing, Sent, new_id
from vivavoce_qwen_emulator.replies import (
    EVENT_STREAM,
    JSON,
    Event,
    Framing,
    dump,
    error_body,
    error_event,
    frame,
    refuse_download,
    wav_header,
    with_audio,
)
from vivavoce_qwen_emulator.script import Close, Cut, Script, Step, Wait, whole
from vivavoce_qwen_emulator.settings import can_be_sent

__all__ = [
    "ACTIONS",
    "FAULTS",
    "BadFault",
    "Caller",
    "Download",
    "Fault",
    "Kind",
    "describe_faults",
    "make_fault",
    "parse_fault",
]

FAULTS: dict[str, type[Fault]] = {}
"""Every fault by name, in the order of this module."""

ACTIONS = ("create", "list", "query", "delete")
"""What a request for voices can ask for; ``query`` of designed ones alone."""

Kind = Literal["plain", "stream", "realtime", "voices"]
"""What a request is for: an answer in one piece, a stream, a session, or voices of one's own."""

FaultT = TypeVar("FaultT", bound="Fault")

_HTML = b"<html><head><title>Bad gateway</title></head><body>Try later.</body></html>\n"
_HEADER = re.compile(r';\s*(?P<key>[\w-]+)\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^;"]*))\s*')


class BadFault(ValueError):
    """There is no such fault, or it takes no such parameter; the message says which there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a fault may know of a request."""

    key: str
    """The key it came with, which a careless service might repeat."""

    request_id: str
    wants_stream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A reader of the finished audio, who is to be served."""

    address: str
    """Path and query that were asked."""

    script: Script
    """How the WAV would be sent: in one step."""


def parameter(
    *,
    default: Any,
    meaning: str,
    least: float | None = None,
    most: float | None = None,
    choices: Collection[str] = (),
) -> Any:
    """Return the field of a parameter; its type is that of *default*."""
    limits = {"meaning": meaning, "least": least, "most": most, "choices": choices}
    return field(default=default, metadata=limits)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(parameter,))
def fault(kind: type[FaultT]) -> type[FaultT]:
    """Enter *kind* into the table; its fields become parameters."""
    made = dataclass(frozen=True, kw_only=True)(kind)
    FAULTS[made.name] = made
    return made


class Fault:
    """Something that goes wrong with one request. This one leaves everything as it is."""

    name: ClassVar[str] = ""
    on_plain: ClassVar[bool] = True
    """Whether it can be done to an answer in one piece."""

    on_stream: ClassVar[bool] = True
    """Whether it can be done to a stream."""

    on_realtime: ClassVar[bool] = False
    """Whether it can be done to a realtime session, or to its handshake."""

    on_voices: ClassVar[bool] = False
    """Whether it can be done to a request that makes, lists or deletes voices."""

    actions: ClassVar[Collection[str]] = ()
    """What such a request has to ask for; empty for anything."""

    deletes_voice: ClassVar[bool] = False
    """Whether the voice that a request is about is gone: once made, or before it is looked for."""

    gives_address: ClassVar[bool] = True
    """Whether the answer says where the finished audio is."""

    def instead(self, caller: Caller) -> Script | None:  # noqa: ARG002 - for those that override
        """Return what is answered before anything is looked at, or None."""
        return None

    def spoken(self, pcm: bytes) -> bytes:
        """Return the audio there is."""
        return pcm

    def address(self, url: str) -> str:
        """Return the address that is given for the audio."""
        return url

    def events(self, events: list[Event]) -> Sequence[Event | Step]:
        """Return what a stream consists of."""
        return events

    def framing(self) -> Framing:
        """Return how events are written."""
        return Framing()

    def script(self, script: Script) -> Script:
        """Return how the answer is sent."""
        return script

    def spoils(self, read: int) -> bool:  # noqa: ARG002 - for those that override
        """Return whether it is done to this reading of the finished audio, counted from 1."""
        return True

    def instead_of_wav(self) -> Script | None:
        """Return what is answered to any reader of the finished audio, or None."""
        return None

    def download(self, download: Download) -> Script:
        """Return how the finished audio is sent."""
        return download.script

    def told(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return what is answered about voices, once it is done."""
        return answer

    def done(self, script: Script, _caller: Caller, /) -> Script:
        """Return how what was done to voices is answered; not asked where it was refused."""
        return script

    def realtime(self, event: Message, _sent: Sent, /) -> Sequence[Outgoing]:
        """Return what is sent, or done, in place of an event of a session."""
        return [event]

    def delta_bytes(self, usual: int, /) -> int:
        """Return how many bytes of audio are in a delta."""
        return usual

    @classmethod
    def fits(cls, kind: Kind) -> bool:
        """Return whether it can be done to a request of this kind."""
        return {
            "plain": cls.on_plain,
            "stream": cls.on_stream,
            "realtime": cls.on_realtime,
            "voices": cls.on_voices,
        }[kind]

    @classmethod
    def fits_action(cls, action: str) -> bool:
        """Return whether it can be done where *action* is asked for, which is empty for speech."""
        return not cls.actions or action in cls.actions


# --- other answers -----------------------------------------------------------


@fault
class Status(Fault):
    """Answers with a status, a code and a message of your choice."""

    name = "status"
    on_realtime = True
    on_voices = True
    status: int = parameter(default=500, meaning="HTTP status", least=200, most=599)
    code: str = parameter(default="InternalError", meaning="the service's word")
    message: str = parameter(default="An internal error has occurred.", meaning="for a person")
    retry_after: str = parameter(
        default="", meaning="value of the header Retry-After; empty for none"
    )
    shape: str = parameter(
        default="flat",
        meaning="in fields; within 'error'; with 'msg' for 'message'; as JSON in the message",
        choices=("flat", "nested", "msg", "json"),
    )

    def instead(self, caller: Caller) -> Script:
        body: dict[str, Any] = error_body(self.code, self.message, caller.request_id)
        if self.shape == "nested":
            body = {"error": {"code": self.code, "message": self.message, "type": "error"}}
        elif self.shape == "msg":
            body["msg"] = body.pop("message")
        elif self.shape == "json":
            body["message"] = dump(body).decode()
        waiting = [("retry-after", self.retry_after)] if self.retry_after else []
        return whole(self.status, JSON, dump(body), ("x-request-id", caller.request_id), *waiting)


@fault
class Throttled(Fault):
    """Answers 429, as when there were too many requests."""

    name = "throttled"
    on_realtime = True
    on_voices = True
    retry_after: str = parameter(
        default="", meaning="value of the header Retry-After; empty for none"
    )

    def instead(self, caller: Caller) -> Script | None:
        message = "Too many requests this minute."
        return Status(
            status=429,
            code="Throttling.RateQuota",
            message=message,
            retry_after=self.retry_after,
        ).instead(caller)


@fault
class EmptyObject(Fault):
    """Answers ``{}``."""

    name = "empty-object"
    on_realtime = True
    on_voices = True
    status: int = parameter(default=400, meaning="HTTP status", least=200, most=599)

    def instead(self, caller: Caller) -> Script:
        return whole(self.status, JSON, b"{}", ("x-request-id", caller.request_id))


@fault
class EchoKey(Fault):
    """Repeats the key in the error's message, which a client must not print."""

    name = "echo-key"
    on_realtime = True
    on_voices = True
    status: int = parameter(default=401, meaning="HTTP status", least=200, most=599)

    def instead(self, caller: Caller) -> Script:
        message = f"The API key {caller.key} is not valid."
        body = error_body("InvalidApiKey", message, caller.request_id)
        return whole(self.status, JSON, dump(body), ("x-request-id", caller.request_id))


@fault
class Html(Fault):
    """Answers with a page of HTML, as a proxy does."""

    name = "html"
    on_realtime = True
    on_voices = True
    status: int = parameter(default=502, meaning="HTTP status", least=200, most=599)

    def instead(self, caller: Caller) -> Script:
        return whole(self.status, "text/html", _HTML, ("x-request-id", caller.request_id))


@fault
class EventsInError(Fault):
    """Answers an error status whose body is framed as an event."""

    name = "events-in-error"
    status: int = parameter(default=400, meaning="HTTP status", least=400, most=599)
    code: str = parameter(default="InvalidParameter", meaning="the service's word")
    message: str = parameter(default="A field is wrong.", meaning="for a person")

    def instead(self, caller: Caller) -> Script:
        event = error_event(1, self.status, self.code, self.message, caller.request_id)
        return whole(self.status, EVENT_STREAM, frame(event, Framing()))


# --- other audio -------------------------------------------------------------


@fault
class NoAudio(Fault):
    """Ends as if all were well, without any audio."""

    name = "no-audio"
    on_realtime = True

    def spoken(self, pcm: bytes) -> bytes:
        return pcm[:0]


@fault
class Silence(Fault):
    """Speaks zeros, as long as the speech would have been."""

    name = "silence"

    def spoken(self, pcm: bytes) -> bytes:
        return bytes(len(pcm))


@fault
class NoUrl(Fault):
    """Gives no address for the finished audio."""

    name = "no-url"
    gives_address = False


@fault
class ForeignUrl(Fault):
    """Gives an address on another host."""

    name = "foreign-url"
    host: str = parameter(
        default="foreign.invalid", meaning="host, and port where it is not the usual one"
    )

    def address(self, url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(netloc=self.host))


# --- the way the answer is sent ----------------------------------------------


@fault
class CutBody(Fault):
    """Closes the connection in the middle of the body."""

    name = "cut"
    on_voices = True
    at: int = parameter(default=0, meaning="bytes of the body that are sent before", least=0)
    reset: bool = parameter(
        default=False, meaning="whether the client sees a reset rather than an end"
    )

    def script(self, script: Script) -> Script:
        return replace(script, steps=_at(script.steps, self.at, Cut(self.reset)))


@fault
class SlowStart(Fault):
    """Lets the client wait for the first byte."""

    name = "slow-start"
    on_realtime = True
    on_voices = True
    seconds: float = parameter(default=1.0, meaning="how long", least=0)
    headers: bool = parameter(default=False, meaning="whether the status and headers come at once")

    def script(self, script: Script) -> Script:
        if self.headers:
            return replace(script, steps=_at(script.steps, 0, Wait(self.seconds)))
        return replace(script, delay_s=self.seconds)


@fault
class Torn(Fault):
    """Sends the body in small pieces, cut anywhere."""

    name = "torn"
    on_voices = True
    size: int = parameter(default=7, meaning="bytes of a piece", least=1)

    def script(self, script: Script) -> Script:
        return replace(script, steps=_torn(script.steps, self.size))


# --- streams -----------------------------------------------------------------


class OfStreams(Fault):
    """What only a stream can suffer."""

    on_plain = False


@fault
class ErrorEvent(OfStreams):
    """Breaks off with an error in the stream."""

    name = "error-event"
    after: int = parameter(default=1, meaning="events sent before", least=0)
    status: int = parameter(default=500, meaning="the status in the comment", least=400, most=599)
    code: str = parameter(default="InternalError.Algo", meaning="the service's word")
    message: str = parameter(default="The speech could not be finished.", meaning="for a person")
    marked: bool = parameter(
        default=True, meaning="whether the event is named error, rather than result"
    )

    def events(self, events: list[Event]) -> list[Event]:
        name = "error" if self.marked else "result"
        request_id = events[-1].payload["request_id"]
        error = error_event(self.after + 1, self.status, self.code, self.message, request_id, name)
        return [*events[: self.after], error]


@fault
class Stall(OfStreams):
    """Stops sending for a while."""

    name = "stall"
    after: int = parameter(default=1, meaning="events sent before", least=0)
    seconds: float = parameter(
        default=0.0, meaning="how long; 0 for as long as the client stays", least=0
    )

    def events(self, events: list[Event]) -> list[Event | Step]:
        return [*events[: self.after], Wait(self.seconds), *events[self.after :]]


@fault
class BadJson(OfStreams):
    """Breaks the JSON of one event."""

    name = "bad-json"
    event: int = parameter(default=1, meaning="which event, from 1", least=1)

    def events(self, events: list[Event]) -> list[Event]:
        return _changed(
            events,
            self.event,
            lambda event: replace(event, payload=dump(event.payload)[:-20]),
        )


@fault
class BadBase64(OfStreams):
    """Puts into one event audio that is no base64."""

    name = "bad-base64"
    event: int = parameter(default=1, meaning="which event, from 1", least=1)

    def events(self, events: list[Event]) -> list[Event]:
        return _changed(events, self.event, lambda event: with_audio(event, data="%%% no base64"))


@fault
class NoStop(OfStreams):
    """Ends without the event that says so."""

    name = "no-stop"

    def events(self, events: list[Event]) -> list[Event]:
        return events[:-1]


@fault
class AudioInStop(OfStreams):
    """Sends the end of the audio in the last event, which is usually without."""

    name = "audio-in-stop"

    def events(self, events: list[Event]) -> list[Event]:
        if len(events) < 2:
            return events
        *first, last, stop = events
        data = last.payload["output"]["audio"]["data"]
        return [*first, with_audio(replace(stop, number=last.number), data=data)]


@fault
class WavInStream(OfStreams):
    """Begins the stream with the header of a WAV."""

    name = "wav-in-stream"

    def events(self, events: list[Event]) -> list[Event]:
        def with_header(event: Event) -> Event:
            pcm = base64.b64decode(event.payload["output"]["audio"]["data"])
            # A stream's length is not known at its start.
            wav = wav_header(0xFFFFFFFF, riff_size=0xFFFFFFFF) + pcm
            return with_audio(event, data=base64.b64encode(wav).decode())

        return _changed(events, 1, with_header)


@fault
class OddFraming(OfStreams):
    """Writes events in other ways that server-sent events allow."""

    name = "framing"
    crlf: bool = parameter(default=False, meaning="whether lines end in CR LF")
    bom: bool = parameter(default=False, meaning="whether the stream begins with a byte order mark")
    comments: bool = parameter(default=False, meaning="whether comments are strewn in")
    spaces: bool = parameter(default=False, meaning="whether a space follows each colon")
    split: bool = parameter(default=False, meaning="whether data is spread over several lines")
    bare: bool = parameter(
        default=False, meaning="whether the id and the status comment are left out"
    )

    def framing(self) -> Framing:
        return Framing(
            newline="\r\n" if self.crlf else "\n",
            space=" " if self.spaces else "",
            has_extras=not self.bare,
            has_comments=self.comments,
            splits_data=self.split,
        )

    def script(self, script: Script) -> Script:
        if not self.bom:
            return script
        return replace(script, steps=(b"\xef\xbb\xbf", *script.steps))


# --- downloads ---------------------------------------------------------------


@fault
class WavStatus(Fault):
    """Refuses to hand out the finished audio."""

    name = "wav-status"
    status: int = parameter(default=404, meaning="HTTP status", least=200, most=599)
    code: str = parameter(default="NoSuchKey", meaning="the store's word")
    reads: int = parameter(default=0, meaning="how many readings it refuses; 0 for all", least=0)

    def spoils(self, read: int) -> bool:
        return not self.reads or read <= self.reads

    def instead_of_wav(self) -> Script:
        return refuse_download(self.status, self.code, "As you wished.", "0")


@fault
class WavHtml(Fault):
    """Hands out a page of HTML in place of the finished audio."""

    name = "wav-html"

    def instead_of_wav(self) -> Script:
        return whole(200, "text/html", _HTML)


@fault
class WavSizes(Fault):
    """Writes other sizes into the header of the WAV."""

    name = "wav-sizes"
    size: int = parameter(default=0, meaning="both sizes, 0 to 4294967295", least=0)

    def download(self, download: Download) -> Script:
        size = min(self.size, 0xFFFFFFFF)
        pcm = _bytes_of(download.script)[len(wav_header(0)) :]
        return whole(200, "audio/wav", wav_header(size, riff_size=size) + pcm)


@fault
class WavCut(Fault):
    """Hands out only the beginning of the WAV."""

    name = "wav-cut"
    at: int = parameter(default=1_000, meaning="bytes that are sent, of the header too", least=0)
    clean: bool = parameter(
        default=False, meaning="whether the length is declared so, and nothing seems amiss"
    )

    def download(self, download: Download) -> Script:
        if self.clean:
            return whole(200, "audio/wav", _bytes_of(download.script)[: self.at])
        return replace(download.script, steps=_at(download.script.steps, self.at, Cut()))


@fault
class WavStall(Fault):
    """Stops sending the WAV for a while."""

    name = "wav-stall"
    at: int = parameter(default=1_000, meaning="bytes that are sent before", least=0)
    seconds: float = parameter(
        default=0.0, meaning="how long; 0 for as long as the client stays", least=0
    )

    def download(self, download: Download) -> Script:
        return replace(
            download.script, steps=_at(download.script.steps, self.at, Wait(self.seconds))
        )


@fault
class WavRedirect(Fault):
    """Sends the reader of the WAV to another address, where it is (same) or may be (foreign)."""

    name = "wav-redirect"
    status: int = parameter(default=302, meaning="HTTP status", least=300, most=599)
    host: str = parameter(default="", meaning="host of the other address; empty for the same")

    def download(self, download: Download) -> Script:
        if download.address.startswith("/moved/"):
            return download.script
        origin = f"http://{self.host}" if self.host else ""
        return whole(
            self.status, "text/plain", b"", ("location", f"{origin}/moved{download.address}")
        )


@fault
class WavOversized(Fault):
    """Hands out a WAV that is much too long: silence, made as it is sent."""

    name = "wav-oversized"
    size: int = parameter(
        default=400_000_000, meaning="bytes of audio, at most 4294967259", least=0
    )
    declared: bool = parameter(default=True, meaning="whether the length is in a header of HTTP")

    def instead_of_wav(self) -> Script:
        size = min(self.size, 0xFFFFFFFF - 36)
        header = wav_header(size)
        length = [("content-length", str(len(header) + size))] if self.declared else []
        return Script(headers=(("content-type", "audio/wav"), *length), steps=_zeros(header, size))


# --- realtime sessions -------------------------------------------------------

_SPOTS = ("deltas", "events")


class OfSessions(Fault):
    """What only a realtime session can suffer."""

    on_plain = False
    on_stream = False
    on_realtime = True


def _after(meaning: str, default: int = 1) -> Any:
    return parameter(default=default, meaning=meaning, least=0)


def _of() -> Any:
    return parameter(default="deltas", meaning="what 'after' counts", choices=_SPOTS)


@fault
class WsSilence(OfSessions):
    """Says nothing more: with the defaults, nothing but session.created."""

    name = "ws-silence"
    after: int = _after("events or deltas sent before")
    of: str = parameter(default="events", meaning="what 'after' counts", choices=_SPOTS)

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        return [event] if sent.spot(event, self.after, self.of) == "before" else []


@fault
class WsError(OfSessions):
    """Says that there was an error, and then nothing more."""

    name = "ws-error"
    after: int = _after("events or deltas sent before")
    of: str = _of()
    code: str = parameter(default="InternalError.Algo", meaning="the service's word")
    message: str = parameter(default="The speech could not be finished.", meaning="for a person")
    older: bool = parameter(
        default=False, meaning="whether the error also has type, param and event_id"
    )
    close: bool = parameter(default=False, meaning="whether the server then closes, with 1011")

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        spot = sent.spot(event, self.after, self.of)
        if spot != "here":
            return [event] if spot == "before" else []
        told: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.older:
            told |= {"type": "invalid_request_error", "param": None, "event_id": new_id("event")}
        closing = [Close(1011, self.code)] if self.close else []
        return [{"event_id": event["event_id"], "type": "error", "error": told}, *closing]


@fault
class WsClose(OfSessions):
    """Closes the session before its end."""

    name = "ws-close"
    code: int = parameter(
        default=1011,
        meaning="one that can be sent; 1006 just ends the connection",
        least=1000,
        most=4999,
    )
    reason: str = parameter(default="", meaning="for a person; at most 123 bytes")
    after: int = _after("events or deltas sent before")
    of: str = _of()
    reset: bool = parameter(
        default=False, meaning="with 1006, whether the client sees a reset rather than an end"
    )

    def __post_init__(self) -> None:
        if not can_be_sent(self.code) and self.code != 1006:
            msg = f"The fault {self.name!r} cannot take code={self.code}: no close carries it."
            raise BadFault(msg)
        if len(self.reason.encode()) > 123:
            msg = f"The fault {self.name!r} cannot take a reason of more than 123 bytes."
            raise BadFault(msg)

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        if sent.spot(event, self.after, self.of) == "before":
            return [event]
        return [Cut(self.reset) if self.code == 1006 else Close(self.code, self.reason)]


@fault
class WsLateDelta(OfSessions):
    """Sends audio once more after a clear, a cancelled response, or any response."""

    name = "ws-late-delta"
    after: str = parameter(
        default="clear", meaning="what it is too late for", choices=("clear", "cancel", "done")
    )

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        kind = event["type"]
        is_late = {
            "clear": kind == "input_text_buffer.cleared",
            "cancel": kind == "response.done" and event["response"]["status"] == "incomplete",
            "done": kind == "response.done",
        }
        if not is_late[self.after] or sent.last_delta is None:
            return [event]
        return [event, sent.last_delta | {"event_id": new_id("event")}]


@fault
class WsDuplicateDone(OfSessions):
    """Says twice that a response is done."""

    name = "ws-duplicate-done"

    def realtime(self, event: Message, _sent: Sent, /) -> Sequence[Outgoing]:
        if event["type"] != "response.done":
            return [event]
        return [event, event | {"event_id": new_id("event")}]


@fault
class WsBinary(OfSessions):
    """Sends a binary frame, of zeros."""

    name = "ws-binary"
    after: int = _after("events or deltas sent before")
    of: str = _of()
    size: int = parameter(default=100, meaning="bytes of the frame", least=0)

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        is_here = sent.spot(event, self.after, self.of) == "here"
        return [bytes(self.size), event] if is_here else [event]


@fault
class WsBigDelta(OfSessions):
    """Sends a delta that is very large: silence, before the first one with speech."""

    name = "ws-big-delta"
    size: int = parameter(default=1_000_000, meaning="bytes of audio", least=1, most=100_000_000)

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        if sent.spot(event, 0, "deltas") != "here":
            return [event]
        big = base64.b64encode(bytes(self.size)).decode()
        return [event | {"event_id": new_id("event"), "delta": big}, event]


@fault
class WsUnknown(OfSessions):
    """Strews in events and fields that nobody knows."""

    name = "ws-unknown"

    def realtime(self, event: Message, _sent: Sent, /) -> Sequence[Outgoing]:
        unknown = {"event_id": new_id("event"), "type": "weather.updated", "delta": "cloudy"}
        return [unknown, _with_unknown(event)]


@fault
class WsSlow(OfSessions):
    """Waits before each delta."""

    name = "ws-slow"
    seconds: float = parameter(default=0.2, meaning="how long; 0 for ever", least=0)
    after: int = _after("deltas sent before without waiting", 0)

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        if event["type"] != DELTA or sent.deltas < self.after:
            return [event]
        return [Wait(self.seconds), event]


@fault
class WsTorn(OfSessions):
    """Sends deltas of another length, which may tear samples apart."""

    name = "ws-torn"
    size: int = parameter(default=777, meaning="bytes of audio in a delta", least=1)

    def delta_bytes(self, _usual: int, /) -> int:
        return self.size


@fault
class WsBadBase64(OfSessions):
    """Puts into one delta what is no base64."""

    name = "ws-bad-base64"
    after: int = _after("deltas sent before")

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        is_here = sent.spot(event, self.after, "deltas") == "here"
        return [event | {"delta": "%%% no base64"}] if is_here else [event]


@fault
class WsBadJson(OfSessions):
    """Breaks the JSON of one event."""

    name = "ws-bad-json"
    after: int = _after("events or deltas sent before")
    of: str = _of()

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        is_here = sent.spot(event, self.after, self.of) == "here"
        return [dump(event).decode()[:-20]] if is_here else [event]


@fault
class WsNoFinished(OfSessions):
    """Never says that the session is finished."""

    name = "ws-no-finished"

    def realtime(self, event: Message, _sent: Sent, /) -> Sequence[Outgoing]:
        return [] if event["type"] == "session.finished" else [event]


@fault
class WsEmptyIds(OfSessions):
    """Leaves the ids of items empty."""

    name = "ws-empty-ids"

    def realtime(self, event: Message, _sent: Sent, /) -> Sequence[Outgoing]:
        changed = event | ({"item_id": ""} if "item_id" in event else {})
        if "item" in event:
            changed["item"] = event["item"] | {"id": ""}
        return [changed]


@fault
class WsDoneStatus(OfSessions):
    """Ends responses otherwise than completed, with only the beginning of their audio."""

    name = "ws-done-status"
    status: str = parameter(
        default="failed", meaning="how they end", choices=("failed", "incomplete", "in_progress")
    )
    after: int = _after("deltas of the session that are sent")

    def realtime(self, event: Message, sent: Sent, /) -> Sequence[Outgoing]:
        if event["type"] == DELTA:
            return [event] if sent.deltas < self.after else []
        if event["type"] == "response.done":
            return [event | {"response": event["response"] | {"status": self.status}}]
        return [event]


# --- voices of one's own ------------------------------------------------------


class OfVoices(Fault):
    """What only a request that makes, lists or deletes voices can suffer."""

    on_plain = False
    on_stream = False
    on_voices = True


@fault
class VoiceLost(OfVoices):
    """Does what was asked, and closes the connection in place of an answer."""

    name = "voice-lost"
    reset: bool = parameter(
        default=False, meaning="whether the client sees a reset rather than an end"
    )

    def done(self, script: Script, _caller: Caller, /) -> Script:
        return replace(script, lost=Cut(self.reset))


@fault
class VoiceError(OfVoices):
    """Does what was asked, and answers that it failed."""

    name = "voice-error"
    status: int = parameter(default=500, meaning="HTTP status", least=200, most=599)
    code: str = parameter(default="InternalError", meaning="the service's word")
    message: str = parameter(default="An internal error has occurred.", meaning="for a person")

    def done(self, _script: Script, caller: Caller, /) -> Script:
        return Status(status=self.status, code=self.code, message=self.message).instead(caller)


@fault
class VoiceVanished(OfVoices):
    """Lets the voice be deleted by somebody else: as soon as it is made, or before it is found."""

    name = "voice-vanished"
    actions = ("create", "query", "delete")
    deletes_voice = True


@fault
class VoiceFallback(OfVoices):
    """Says whether the voice was made in the degraded mode; it is no different."""

    name = "voice-fallback"
    actions = ("create",)
    mode: bool = parameter(default=True, meaning="whether it was")
    reason: str = parameter(
        default="no_merged_segments", meaning="why; not told where it was not, or if empty"
    )

    def told(self, answer: dict[str, Any]) -> dict[str, Any]:
        why = {"fallback_reason": self.reason} if self.mode and self.reason else {}
        return answer | {"output": answer["output"] | {"fallback_mode": self.mode} | why}


@fault
class VoiceBadPreview(OfVoices):
    """Sends a preview that is no base64; for a cloned voice, where none is due."""

    name = "voice-bad-preview"
    actions = ("create",)

    def told(self, answer: dict[str, Any]) -> dict[str, Any]:
        preview = answer["output"].get("preview_audio", {}) | {"data": "%%% no base64"}
        return answer | {"output": answer["output"] | {"preview_audio": preview}}


@fault
class VoiceNoId(OfVoices):
    """Makes a voice and does not tell its id."""

    name = "voice-no-id"
    actions = ("create",)

    def told(self, answer: dict[str, Any]) -> dict[str, Any]:
        told = {key: value for key, value in answer["output"].items() if key != "voice"}
        return answer | {"output": told}


@fault
class VoiceBadJson(OfVoices):
    """Does what was asked, and breaks the JSON of the answer."""

    name = "voice-bad-json"

    def done(self, script: Script, _caller: Caller, /) -> Script:
        return whole(200, JSON, _bytes_of(script)[:-20])


@fault
class VoiceHuge(OfVoices):
    """Does what was asked, and answers with JSON that is much too long, made as it is sent."""

    name = "voice-huge"
    size: int = parameter(default=400_000_000, meaning="bytes of the answer", least=0)
    declared: bool = parameter(default=True, meaning="whether the length is in a header of HTTP")

    def done(self, script: Script, _caller: Caller, /) -> Script:
        body = _bytes_of(script)
        size = max(self.size, len(body))
        length = [("content-length", str(size))] if self.declared else []
        # White space before the end is still JSON.
        steps = _filled(body[:-1], size - len(body), body[-1:])
        return Script(headers=(("content-type", JSON), *length), steps=steps)


# --- the table ---------------------------------------------------------------


def make_fault(name: str, params: Mapping[str, Any]) -> Fault:
    """
    Return the fault *name*.

    Args:
        name: A key of :data:`FAULTS`.
        params: Its parameters; each may be given as text.

    Raises:
        BadFault: If there is no such fault, parameter or value.
    """
    kind = FAULTS.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, FAULTS, 1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        msg = f"There is no fault {name!r}. {hint}There are: {', '.join(FAULTS)}."
        raise BadFault(msg)
    known = {entry.name: entry for entry in _parameters(kind)}
    for key in params:
        if key not in known:
            takes = ", ".join(known) or "no parameters"
            msg = f"The fault {name!r} has no parameter {key!r}. It takes: {takes}."
            raise BadFault(msg)
    return kind(**{key: _value(name, known[key], value) for key, value in params.items()})


def parse_fault(header: str) -> Fault:
    """
    Return the fault a header asks for, such as ``cut; at=1234``.

    Values with a semicolon are written in double quotes.

    Raises:
        BadFault: If it cannot be read, or as :func:`make_fault`.
    """
    name, rest = header.partition(";")[0].strip(), header[len(header.partition(";")[0]) :]
    params, end = {}, 0
    for match in _HEADER.finditer(rest):
        if match.start() != end:
            break
        quoted = match["quoted"]
        params[match["key"].replace("-", "_")] = match["bare"].strip() if quoted is None else quoted
        end = match.end()
    if rest[end:].strip(" ;"):
        msg = f"Cannot read {rest[end:]!r} of a fault. Write: name; parameter=value; other=value."
        raise BadFault(msg)
    return make_fault(name, params)


def describe_faults() -> Iterator[tuple[str, str, str]]:
    """Yield each fault's name, its meaning, and a line for each of its parameters."""
    for name, kind in FAULTS.items():
        meaning = (kind.__doc__ or "").strip()
        yield name, meaning, "\n".join(_describe(entry) for entry in _parameters(kind))


def _describe(entry: Field[Any]) -> str:
    choices = entry.metadata["choices"]
    listed = f" (one of {', '.join(choices)})" if choices else ""
    return f"{entry.name}={entry.default!r}: {entry.metadata['meaning']}{listed}"


def _parameters(kind: type[Fault]) -> Sequence[Field[Any]]:
    return fields(kind)  # type: ignore[arg-type]  # every class of the table is a dataclass


def _value(name: str, entry: Field[Any], given: Any) -> Any:
    """Return *given* as the parameter's type, within its limits."""
    kind, limits = type(entry.default), entry.metadata
    value = _converted(kind, given)
    is_usable = (
        value is not None
        and (limits["least"] is None or value >= limits["least"])
        and (limits["most"] is None or value <= limits["most"])
        and (not limits["choices"] or value in limits["choices"])
    )
    if not is_usable:
        msg = f"The fault {name!r} cannot take {entry.name}={given!r}. {_wanted(kind, limits)}"
        raise BadFault(msg)
    return value


def _converted(kind: type, given: Any) -> Any:
    """Return *given* as *kind*, or None if it is no such thing."""
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        return words.get(str(given).lower())
    if kind is str:
        return str(given)
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        return kind(given)
    except ValueError:
        return None


def _wanted(kind: type, limits: Mapping[str, Any]) -> str:
    if limits["choices"]:
        return f"Choose one of: {', '.join(limits['choices'])}."
    if kind is bool:
        return "Give true or false."
    most = "" if limits["most"] is None else f" to {limits['most']}"
    what = "a whole number" if kind is int else "a number"
    return f"Give {what} from {limits['least']}{most}."


# --- helpers -----------------------------------------------------------------


def _with_unknown(event: Message) -> Message:
    """Return *event* with an unknown field in it and in each object within."""
    changed = {
        key: _with_unknown(value) if isinstance(value, dict) else value
        for key, value in event.items()
    }
    return changed | {"colour": {"of": ["nothing", 0, None]}}


def _changed(events: list[Event], number: int, change: Callable[[Event], Event]) -> list[Event]:
    return [change(event) if event.number == number else event for event in events]


def _bytes_of(script: Script) -> bytes:
    return b"".join(step for step in script.steps if isinstance(step, bytes))


def _at(steps: Iterable[Step], count: int, then: Step) -> Iterator[Step]:
    """Yield *steps*, with *then* after *count* bytes, or at the end if there are fewer."""
    left, is_done = count, False
    for step in steps:
        if is_done or not isinstance(step, bytes):
            yield step
        elif len(step) < left:
            left -= len(step)
            yield step
        else:
            is_done = True
            yield from (step[:left], then, step[left:])
    if not is_done:
        yield then


def _torn(steps: Iterable[Step], size: int) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, bytes):
            yield from (step[start : start + size] for start in range(0, len(step), size))
        else:
            yield step


def _zeros(header: bytes, size: int) -> Iterator[bytes]:
    return _filled(header, size, filling=bytes(1))


def _filled(begin: bytes, size: int, end: bytes = b"", filling: bytes = b" ") -> Iterator[bytes]:
    block = filling * (1 << 16)
    yield begin
    for start in range(0, size, len(block)):
        yield block[: size - start]
    yield end
