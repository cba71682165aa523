"""
The realtime wire: one WebSocket, JSON messages both ways, audio as base64 in them.

Nothing is waited for at the start: the session is configured and text is given before the
service has answered. The one end of a session is ``session.finished``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from vivavoce.authoring import (
    AudioData,
    DuplexExchange,
    Encoding,
    Envelope,
    Event,
    Facts,
    Failed,
    Finished,
    MessageReceived,
    Output,
    PeerClosed,
    ProviderConfig,
    ProviderUnavailable,
    Secret,
    SendMessage,
    SynthesisRequest,
    TruncatedAudio,
    TurnEnded,
    UnexpectedReply,
    VivavoceError,
    WebSocketCall,
    cut_string,
    decode_base64,
)
from vivavoce_qwen.calls import region_of
from vivavoce_qwen.errors import error_of_body, error_of_event
from vivavoce_qwen.replies import parsed, usage_of
from vivavoce_qwen.tables import language_type

__all__ = ["RealtimeExchange", "SpokenWhole", "realtime_url"]

HTTP_PATH = "/api/v1"
PATH = "/api-ws/v1/realtime"
MESSAGE_MAX_BYTES = 16 << 20

_AUDIO = b'"response.audio.delta"'
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_FORMATS = {Encoding.PCM_S16LE: "pcm", Encoding.MP3: "mp3"}


def realtime_url(config: ProviderConfig) -> str:
    """Return the address of the socket, less the model: beside that of the HTTP service."""
    if given := config.extra.get("websocket_url"):
        return given
    if config.base_url:
        parts = urlsplit(config.base_url.rstrip("/"))
        scheme = "ws" if parts.scheme == "http" else "wss"
        path = parts.path.removesuffix(HTTP_PATH) + PATH
        return parts._replace(scheme=scheme, path=path).geturl()
    region = region_of(config)
    workspace = config.extra.get("workspace")
    return region.workspace_ws.format(workspace=workspace) if workspace else region.ws_base


class RealtimeExchange(DuplexExchange):
    """
    One session.

    Args:
        request: Voice, language, prosody, format and options; its text is not looked at.
        url: The socket's address, less the model.
        key: The credential.
    """

    def __init__(self, request: SynthesisRequest, url: str, key: Secret) -> None:
        self.format = request.format
        self._request = request
        self._url = f"{url}?model={quote(request.model.name)}"
        self._key = key
        self._mode = str(request.options.get("mode", "server_commit"))
        self._usage: dict[str, float] = {}
        self._forget()

    def _forget(self) -> None:
        """Be as a session is that has just been opened."""
        self._has_begun = False
        self._is_uncommitted = False
        self._commits = 0
        self._taken_commits = 0
        self._torn = b""
        self._last_delta: tuple[bytes, str] | None = None
        self._usual: tuple[Envelope, str] | None = None
        self._speaking: set[str] = set()
        self._ended: set[str] = set()
        self._audible: set[str] = set()

    # What is sent

    def open(self) -> WebSocketCall:
        """Connect, and configure the session without waiting for an answer."""
        return self._call()

    def interrupt(self) -> WebSocketCall:
        """
        Go on in a session of its own.

        UNCERTAIN whether the service takes ``response.cancel``: only its client knows it, no page
        does. A new session is sure to be silent, and what is not made is not billed.
        """
        self._forget()
        return self._call()

    def _call(self, *more: str) -> WebSocketCall:
        return WebSocketCall(
            url=self._url,
            headers={"authorization": self._key.prefixed("Bearer ")},
            first=(self._message("session.update", session=self._session()), *more),
            max_message_bytes=MESSAGE_MAX_BYTES,
        )

    def _session(self) -> dict[str, object]:
        request = self._request
        assert request.voice is not None  # the plan sees to it
        session: dict[str, object] = {
            "voice": request.voice.id,
            "mode": self._mode,
            "language_type": language_type(request.language),
            "response_format": _FORMATS[request.format.encoding],
            "sample_rate": request.format.sample_rate_hz,
        }
        prosody = request.prosody
        if prosody.rate_ratio != 1.0:
            session["speech_rate"] = prosody.rate_ratio
        if prosody.pitch_semitones:
            session["pitch_rate"] = round(2 ** (prosody.pitch_semitones / 12), 4)
        if request.instructions is not None:
            session["instructions"] = request.instructions
        for name in ("volume", "bit_rate", "optimize_instructions"):
            if name in request.options:
                session[name] = request.options[name]
        return session

    def _message(self, kind: str, **fields: object) -> str:
        # The form of the ids is that of the official client; the page only asks for one.
        named = f'{{"event_id":"event_{os.urandom(16).hex()}","type":"{kind}"'
        return f"{named},{_as_json(fields)[1:]}" if fields else f"{named}}}"

    def _append(self, text: str) -> str:
        self._is_uncommitted = True
        return self._message("input_text_buffer.append", text=text)

    def _commit(self) -> str:
        self._is_uncommitted = False
        self._commits += 1
        return self._message("input_text_buffer.commit")

    def send(self, text: str) -> Sequence[SendMessage]:
        """Add *text* to the service's buffer."""
        return (SendMessage(self._append(text)),)

    def flush(self) -> Sequence[SendMessage]:
        """Have the buffer spoken; nothing is sent for an empty one, which would be an error."""
        return (SendMessage(self._commit()),) if self._is_uncommitted else ()

    def clear(self) -> Sequence[SendMessage]:
        """Drop the buffer."""
        self._is_uncommitted = False
        return (SendMessage(self._message("input_text_buffer.clear")),)

    def finish(self) -> Sequence[SendMessage]:
        """Say that no more text comes."""
        return tuple(SendMessage(message) for message in self._last_messages())

    def _last_messages(self) -> list[str]:
        # UNCERTAIN whether text that was not committed is spoken at the end in this mode.
        is_open = self._mode == "commit" and self._is_uncommitted
        last = [self._commit()] if is_open else []
        return [*last, self._message("session.finish")]

    @property
    def has_begun(self) -> bool:
        """Whether the service has taken text: it answers with a response of its own."""
        return self._has_begun

    # What comes

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        """Return the error for a handshake that was refused."""
        return error_of_body(status, headers, body)

    def receive(self, event: Event) -> Sequence[Output]:
        """Return audio and facts; raise what the service says is wrong."""
        if isinstance(event, MessageReceived):
            if not event.is_text:
                msg = f"A message of {len(event.data)} bytes is binary; audio comes as text."
                raise UnexpectedReply(msg)
            return self._read(event.data)
        if isinstance(event, PeerClosed):
            # Too many requests are told by a code and a reason, no error before it.
            return super().receive(event)
        return ()

    def _read(self, data: bytes) -> Sequence[Output]:
        if (outputs := self._read_as_usual(data)) is not None:
            return outputs
        if _AUDIO in data and (cut := cut_string(data, b"delta")) is not None:
            message = parsed(cut[1])
            if message.get("type") == "response.audio.delta" and message.get("delta") == "":
                response = _response_named(message)
                self._last_delta, self._usual = (data, response), None
                return self._audio(response, decode_base64(cut[0]))
        message = parsed(data)
        kind = message.get("type")
        if kind == "response.audio.delta":
            delta = message.get("delta")
            text = delta if isinstance(delta, str) else ""
            audio = decode_base64(text.encode("ascii", "replace"))
            return self._audio(_response_named(message), audio)
        handle = self._handlers.get(str(kind))
        return () if handle is None else handle(self, message)

    def _read_as_usual(self, data: bytes) -> Sequence[Output] | None:
        """
        Read a message that is like the last one with audio; None where it is not.

        Those that follow the first mostly differ from it in their own id and the audio alone.
        """
        if self._usual is None:
            if self._last_delta is None:
                return None
            # Not before, since the first audio must not wait for it.
            last, response = self._last_delta
            self._usual = Envelope(last, b"delta", b"event_id"), response
        envelope, response = self._usual
        if (text := envelope.value_in(data)) is None:
            return None
        try:
            audio = decode_base64(text)
        except UnexpectedReply:
            return None  # it is another message, or what is wrong with it is told by the parser
        return self._audio(response, audio)

    def _audio(self, response: str, data: bytes) -> Sequence[Output]:
        self._has_begun = True
        if response in self._ended or not data:
            return ()  # what comes late of a response that has ended is not of the next
        self._audible.add(response)
        if not self.format.is_pcm:
            return (AudioData(data),)
        data = self._torn + data
        whole = len(data) - len(data) % self.format.frame_bytes
        self._torn = data[whole:]
        return (AudioData(data[:whole]),) if whole else ()

    def _created(self, message: Mapping[str, Any]) -> Sequence[Output]:
        session = message.get("session")
        session_id = session.get("id") if isinstance(session, dict) else None
        return (Facts(request_id=session_id),) if isinstance(session_id, str) else ()

    def _committed(self, _message: Mapping[str, Any]) -> Sequence[Output]:
        self._has_begun = True
        self._taken_commits = min(self._taken_commits + 1, self._commits)
        return ()

    def _begun(self, message: Mapping[str, Any]) -> Sequence[Output]:
        self._has_begun = True
        self._speaking.add(str(_response_of(message).get("id", "")))
        return ()

    def _done(self, message: Mapping[str, Any]) -> Sequence[Output]:
        response = _response_of(message)
        name = str(response.get("id", ""))
        if name in self._ended:
            return ()
        self._ended.add(name)
        self._speaking.discard(name)
        self._count_off()
        for unit, amount in usage_of(response.get("usage")).items():
            self._usage[unit] = self._usage.get(unit, 0.0) + amount
        warnings = () if name in self._audible else ("a response came without audio",)
        outputs: list[Output] = [Facts(usage=dict(self._usage), warnings=warnings)]
        if self._torn:
            msg = f"A response ended in the middle of a sample ({len(self._torn)} bytes over)."
            outputs.append(Failed(TruncatedAudio(msg)))
        elif response.get("status") in ("failed", "incomplete"):
            outputs.append(Failed(_failure(response)))
        elif not self._commits:
            outputs.append(TurnEnded())
        return outputs

    def _count_off(self) -> None:
        """
        Count off the commit that a response answers which has just ended.

        Where the service also speaks by itself, a response that ended before the service had
        taken a commit answers none. One that was open then may be its answer, since a commit
        ends an open response, or another may follow: no event tells which, as the item that a
        commit names is of no response. It counts, so that a turn may be said to have ended
        early; never not at all, for then what is there would be waited for in vain.
        """
        if self._mode == "server_commit":
            if not self._taken_commits:
                return
            self._taken_commits -= 1
        self._commits = max(0, self._commits - 1)

    def _finished(self, _message: Mapping[str, Any]) -> Sequence[Output]:
        return (Finished(),)

    def _error(self, message: Mapping[str, Any]) -> Sequence[Output]:
        told = message.get("error")
        told = told if isinstance(told, dict) else message
        said = str(told.get("message", "")).lower()
        if self._mode == "server_commit" and "buffer" in said and "empty" in said:
            # UNCERTAIN what a commit does once the service has taken the text by itself. That
            # there is nothing left to speak is no failure of ours.
            return self._spared()
        return (Failed(error_of_event({"error": told}, None, {})),)

    def _spared(self) -> Sequence[Output]:
        """Count off a commit that no response will answer."""
        warned = Facts(warnings=("a flush came when all text had been taken",))
        was_last = self._commits == 1
        self._commits = max(0, self._commits - 1)
        return (warned, TurnEnded()) if was_last and not self._speaking else (warned,)

    _handlers: ClassVar[Mapping[str, Callable[..., Sequence[Output]]]] = {
        "session.created": _created,
        "input_text_buffer.committed": _committed,
        "response.created": _begun,
        "response.done": _done,
        "session.finished": _finished,
        "error": _error,
    }


def _response_named(message: Mapping[str, Any]) -> str:
    return str(message.get("response_id", ""))


def _response_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    response = message.get("response")
    return response if isinstance(response, dict) else {}


def _failure(response: Mapping[str, Any]) -> VivavoceError:
    status = str(response.get("status"))
    details = response.get("status_details")
    error = details.get("error") if isinstance(details, dict) else None
    if isinstance(error, dict) and error.get("code"):
        return error_of_event({"error": error}, None, {})
    return ProviderUnavailable(f"The service ended a response as {status!r}.", code=status)


class SpokenWhole(RealtimeExchange):
    """A session that is given one text, all at once."""

    def open(self) -> WebSocketCall:
        """Connect, configure, give the text and finish, in one go."""
        return self._call(self._append(self._request.text), *self._last_messages())

    def interrupt(self) -> WebSocketCall:
        """Begin anew."""
        self._forget()
        return self.open()
