"""The words of a WebSocket exchange."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from vivavoce.model.secret import Secret

__all__ = ["MessageReceived", "PeerClosed", "SocketOpened", "WebSocketCall"]


@frozen(kw_only=True)
class WebSocketCall:
    """
    A connection to open, and what to send at once.

    Attributes:
        url: Absolute ``wss`` (or, for loopback, ``ws``) address.
        headers: Name to value; secrets are revealed only when sent.
        first: Messages sent right after the handshake, without waiting.
        max_message_bytes: Bound on one message received.
    """

    url: str
    headers: Mapping[str, str | Secret] = field(factory=dict)
    first: tuple[str | bytes, ...] = ()
    max_message_bytes: int = 16 << 20


@frozen(kw_only=True)
class SocketOpened:
    """
    The handshake is done.

    Attributes:
        headers: Response headers, names in lower case.
    """

    headers: Mapping[str, str] = field(factory=dict)


@frozen
class MessageReceived:
    """
    One whole message.

    Attributes:
        data: Payload; of a text message its UTF-8 bytes, not yet decoded.
        is_text: Whether it was a text message.
    """

    data: bytes
    is_text: bool = True


@frozen
class PeerClosed:
    """
    The provider closed the connection.

    Attributes:
        code: Close code; 1006 when the connection just ended.
        reason: Close reason, may be empty.
    """

    code: int
    reason: str = ""
