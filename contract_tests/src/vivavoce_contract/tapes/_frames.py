"""WebSocket frames, read and written without I/O."""

from __future__ import annotations

import base64
import hashlib

from attrs import frozen

# Only recorder and player load this module, and they are loaded when they are named.
from websockets.exceptions import ProtocolError  # noqa: TID253 - see above
from websockets.frames import Close, Frame, Opcode  # noqa: TID253 - see above
from websockets.protocol import Protocol, Side  # noqa: TID253 - see above

from vivavoce_contract.tapes.event import Event, Headers, Kind

__all__ = ["Message", "Reader", "accept_headers", "encode_event"]

_KINDS = {
    Opcode.TEXT: Kind.TEXT,
    Opcode.BINARY: Kind.BIN,
    Opcode.PING: Kind.PING,
    Opcode.PONG: Kind.PONG,
    Opcode.CLOSE: Kind.CLOSE,
}
_OPCODES = {kind: opcode for opcode, kind in _KINDS.items()}
_NO_CODE = 1005
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@frozen(kw_only=True)
class Message:
    """
    A whole message, or a control frame.

    Attributes:
        kind: As on a tape.
        data: Payload.
        code: Of a close frame; None if it has none.
        reason: Of a close frame.
    """

    kind: Kind
    data: bytes = b""
    code: int | None = None
    reason: str = ""


class Reader:
    """
    Makes messages of the bytes that one side sends.

    Args:
        is_client: Whether the client does; its frames are masked.
    """

    def __init__(self, *, is_client: bool) -> None:
        receiver = Side.SERVER if is_client else Side.CLIENT
        self._protocol = Protocol(receiver, max_size=None)
        # Its log would repeat what the client says, and pass for a log of the client's.
        self._protocol.debug = False
        self._opcode = Opcode.TEXT
        self._parts: list[bytes] = []

    @property
    def failure(self) -> Exception | None:
        """Why nothing more can be read, or None."""
        return self._protocol.parser_exc

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that *data*, cut anywhere, completes."""
        self._protocol.receive_data(data)
        # The answers it would give are not sent: recorder and player give their own.
        self._protocol.data_to_send()
        found = (self._message(frame) for frame in self._protocol.events_received())
        return [message for message in found if message is not None]

    def _message(self, frame: object) -> Message | None:
        assert isinstance(frame, Frame)
        if frame.opcode is Opcode.CLOSE:
            return _close_message(frame)
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return Message(kind=_KINDS[frame.opcode], data=bytes(frame.data))
        if frame.opcode is not Opcode.CONT:
            self._opcode, self._parts = frame.opcode, []
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        data, self._parts = b"".join(self._parts), []
        return Message(kind=_KINDS[self._opcode], data=data)


def _close_message(frame: Frame) -> Message:
    try:
        close = Close.parse(frame.data)
    except (ProtocolError, UnicodeDecodeError):
        return Message(kind=Kind.CLOSE)
    code = None if close.code == _NO_CODE else int(close.code)
    return Message(kind=Kind.CLOSE, code=code, reason=close.reason)


def encode_event(event: Event | Message) -> bytes:
    """Return the frame, as a server sends it, of a message on a tape."""
    kind = event.k if isinstance(event, Event) else event.kind
    data = event.data
    if kind is Kind.CLOSE and event.code is not None:
        # Built by hand: codes that must not be sent, such as 1006, may be on a tape.
        data = event.code.to_bytes(2) + event.reason.encode()
    return Frame(_OPCODES[kind], data).serialize(mask=False)


def accept_headers(key: str) -> Headers:
    """Return the headers by which a server takes a handshake with *key*."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    accept = base64.b64encode(digest).decode()
    return (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept),
    )
