"""
One conversation with a provider, sans I/O.

An exchange says what to send (``open``) and what an answer means (``receive``).
It holds no socket, clock, thread or ``await``; so one copy serves the sync and
the async face, and a test can feed it a table of events.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from vivavoce.errors import (
    ConnectionLost,
    CredentialError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce.model.audio import AudioFormat
from vivavoce.model.secret import Secret
from vivavoce.model.timing import Mark
from vivavoce.wire.http import (
    BodyData,
    BodyEnd,
    HttpCall,
    ResponseStarted,
    retry_after_s,
    shorten,
)
from vivavoce.wire.local import LocalCall, LocalEnd, LocalOutput
from vivavoce.wire.websocket import MessageReceived, PeerClosed, SocketOpened, WebSocketCall

__all__ = [
    "AudioData",
    "Call",
    "DuplexExchange",
    "Event",
    "Exchange",
    "Facts",
    "Failed",
    "Finished",
    "Marks",
    "NextCall",
    "Output",
    "SendMessage",
    "TurnEnded",
    "explain_status",
]

Call = HttpCall | WebSocketCall | LocalCall
Event = (
    ResponseStarted
    | BodyData
    | BodyEnd
    | SocketOpened
    | MessageReceived
    | PeerClosed
    | LocalOutput
    | LocalEnd
)

# An error body is read to find the provider's reason, never to keep it.
ERROR_BODY_MAX_BYTES = 64 * 1024


@frozen
class AudioData:
    """Audio as received, cut anywhere, in the exchange's ``format``."""

    data: bytes


@frozen
class Marks:
    """Marks that became known; times and text spans relative to this request."""

    marks: Sequence[Mark]


@frozen(kw_only=True)
class Facts:
    """
    What was learnt on the way; a later value replaces an earlier one.

    Attributes:
        request_id: The provider's id of this request.
        usage: Billed units so far in this request, by name: totals, not additions.
        warnings: Sentences for ``Report.warnings``.
        other: Anything else worth keeping, for ``Report.facts``. What opens something to
            whoever has it, such as a signed address, comes as a ``Secret``.
    """

    request_id: str | None = None
    usage: Mapping[str, float] = field(factory=dict)
    warnings: tuple[str, ...] = ()
    other: Mapping[str, str | Secret] = field(factory=dict)


@frozen
class SendMessage:
    """A message to send on the open WebSocket; str goes as text, bytes as binary."""

    data: str | bytes


@frozen
class NextCall:
    """This call is over; go on with another (such as fetching the audio from an address)."""

    call: Call


@frozen
class Finished:
    """The provider has said that this is all; without it an end is a truncation."""


@frozen
class Failed:
    """
    The provider has said that something is wrong.

    What stands before it among the outputs is handed to the caller first; an error that is
    raised takes the outputs of its event with it.
    """

    error: VivavoceError


@frozen
class TurnEnded:
    """Of a session: all of the text that was to be spoken now has been; more may follow."""


Output = AudioData | Marks | Facts | SendMessage | NextCall | Finished | Failed | TurnEnded


class Exchange(ABC):
    """
    One synthesis, as a state machine over events.

    The defaults fit a call whose reply is plain audio: an author then writes
    :meth:`open` and, where errors are JSON, :meth:`explain_error`.

    Attributes:
        format: Format of every :class:`AudioData` given out.
    """

    format: AudioFormat
    _refusal: ResponseStarted | None = None
    _refusal_body: bytes = b""

    @abstractmethod
    def open(self) -> Call:
        """Return what to send first. Called once."""

    def receive(self, event: Event) -> Sequence[Output]:
        """
        Return what *event* means, in order; empty when it means nothing yet.

        Raise an error of the tree to end the synthesis with it, or return it last, as
        :class:`Failed`, where the same event brought audio. Whatever else is
        raised here becomes :class:`~vivavoce.errors.UnexpectedReply` with its cause.

        Args:
            event: What came, in the order it came. Chunk borders mean nothing.
        """
        if isinstance(event, LocalOutput):
            return _local_outputs(event)
        if isinstance(event, ResponseStarted):
            self._refusal = event if event.status >= 300 else None
            return ()
        if isinstance(event, BodyData):
            return self._body(event)
        if isinstance(event, BodyEnd):
            if self._refusal is not None:
                raise self.explain_error(
                    self._refusal.status, self._refusal.headers, self._refusal_body
                )
            return (Finished(),)
        if isinstance(event, LocalEnd):
            return (Finished(),)
        if isinstance(event, PeerClosed):
            msg = f"The connection was closed with code {event.code} {event.reason[:200]!r}."
            raise ConnectionLost(msg, close_code=event.code)
        if isinstance(event, MessageReceived):
            msg = f"{type(self).__name__} does not read WebSocket messages."
            raise UnexpectedReply(msg)
        return ()

    def _body(self, event: BodyData) -> Sequence[Output]:
        if self._refusal is None:
            return (AudioData(event.data),)
        room = ERROR_BODY_MAX_BYTES - len(self._refusal_body)
        self._refusal_body += event.data[:room]
        return ()

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        """
        Return the error for an HTTP status of 300 or more.

        Args:
            status: HTTP status.
            headers: Response headers, names in lower case.
            body: The body, at most its first 64 KiB.
        """
        return explain_status(status, headers, body)

    def resume(self) -> Call | None:
        """
        Return what to send to go on after a failure that may pass, or None to begin anew.

        Asked only while no audio has come. An exchange whose provider has made the audio
        already, and been paid for it, returns here the call that fetches it.
        """
        return None

    def cancel(self) -> Sequence[SendMessage]:
        """Return what to send when the caller leaves early; most wires need nothing."""
        return ()


class DuplexExchange(Exchange):
    """A synthesis that takes text while audio is already coming."""

    @abstractmethod
    def send(self, text: str) -> Sequence[SendMessage]:
        """Return what to send for another piece of text."""

    @abstractmethod
    def flush(self) -> Sequence[SendMessage]:
        """Return what to send so that the text given so far is spoken now."""

    @abstractmethod
    def clear(self) -> Sequence[SendMessage]:
        """Return what to send so that text not yet spoken is dropped."""

    @abstractmethod
    def finish(self) -> Sequence[SendMessage]:
        """Return what to send to say that no more text will come."""

    @property
    def has_begun(self) -> bool:
        """
        Whether the provider has taken any text yet.

        Until then a lost connection is made again, and the same text sent; after that it
        could be spoken twice. By default any answer counts but the handshake's.
        """
        return True

    def interrupt(self) -> Call:
        """
        Return the call to go on with after what is being said was given up.

        The connection of before is cut, so nothing of it can be heard any more; where a
        provider can do better on an open one it will still have been cut when this returns.
        By default the same as at first.
        """
        return self.open()


def explain_status(status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
    """Return the error that an HTTP status of 300 or more means, where the body is plain text."""
    text = shorten(body)
    said = f": {text}" if text else "."
    if status in (401, 403):
        error: VivavoceError = CredentialError(
            f"The credential was refused (HTTP {status}){said}", status=status
        )
    elif status == 429:
        error = RateLimited(
            f"Too many requests (HTTP 429){said}",
            status=status,
            retry_after_s=retry_after_s(headers),
        )
    elif status >= 500 or status == 408:
        error = ProviderUnavailable(f"The provider failed (HTTP {status}){said}", status=status)
    elif status >= 400:
        error = RequestRejected(f"The request was refused (HTTP {status}){said}", status=status)
    else:
        error = ProviderError(
            f"The provider redirects (HTTP {status}), which is not followed.", status=status
        )
    return error


def _local_outputs(event: LocalOutput) -> Sequence[Output]:
    if not event.marks:
        return (AudioData(event.audio),)
    if not event.audio:
        return (Marks(event.marks),)
    # Marks first: those that end in this audio then come with it.
    return (Marks(event.marks), AudioData(event.audio))
