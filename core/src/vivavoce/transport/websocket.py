"""
WebSockets for both faces, over the library ``websockets``.

Keep-alive is the library's: a ping every 20 s. No answer to one is no failure: with a reader
that plays as it reads, the answer stands in line behind audio that is not yet wanted. A peer
that is gone is found by the limits on waiting. Closing sends nothing and waits for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import select
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from websockets import exceptions as ws
from websockets.asyncio import client as async_client
from websockets.datastructures import HeadersLike
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event as LibraryEvent
from websockets.protocol import State
from websockets.sync import client as sync_client

from vivavoce.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidValue,
    SettingsError,
    StreamStateError,
    TransportError,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce.model.secret import Secret
from vivavoce.transport.address import Address, check_address, hide_secrets, reveal_headers
from vivavoce.transport.base import HandshakeRefused
from vivavoce.transport.waiting import Waiter
from vivavoce.wire.exchange import Event
from vivavoce.wire.http import ResponseStarted, shorten
from vivavoce.wire.websocket import MessageReceived, PeerClosed, SocketOpened, WebSocketCall

__all__ = ["AsyncWebSocket", "BlockingWebSocket"]

_QUOTE_MAX_CHARACTERS = 300
_ABNORMAL = 1006
# Codes by which our side of the library says that it could not read what came.
_UNREADABLE = {CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG}
# Statuses of a refused handshake after which the same call may succeed.
_PASSING = {408, 425, 429}
_SERVER_FAULT = 500
_THREAD_LIMIT_S = 1.0
# More than this many that nobody has read yet, and no more is read from the network.
_HELD_MAX_MESSAGES = 16
_READ_MAX_BYTES = 32 * 1024
# Of a frame's head (RFC 6455, section 5.2): its first byte where it is a whole message, and of
# the second byte the mask's bit and what says how the size is written.
_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82
_RESERVED, _MASKED = 0x70, 0x80
_SIZE_MAX, _SIZE_IN_2 = 125, 126
_HEAD_MAX_BYTES = 14
# What is said within this time, and is not more than this, goes together.
_TOGETHER_S = 0.001
_UNSENT_MAX_BYTES = 64 * 1024

_tls_lock = threading.Lock()
_tls: ssl.SSLContext | None = None


def tls_context() -> ssl.SSLContext:
    """Return the one context of this process for WebSockets; it takes some 25 ms to make."""
    global _tls  # noqa: PLW0603 - the point is to have one
    with _tls_lock:
        if _tls is None:
            _tls = ssl.create_default_context()
        return _tls


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """
    The library's logger without its debug level.

    On that level it writes each header and each message, that is, the key and the
    text to be spoken.
    """

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return level > logging.DEBUG and super().isEnabledFor(level)


_logger = _Discreet(logging.getLogger("websockets.client"), {})


# Errors


@contextmanager
def translated(address: Address, headers: Mapping[str, str | Secret]) -> Iterator[None]:
    """Turn whatever websockets raises into an error of our tree, or ``TimeoutError``."""
    try:
        yield
    except (ws.WebSocketException, OSError, EOFError, UnicodeError, ImportError) as error:
        meaning = explain(error, address, headers)
        if meaning is error:
            raise
        # These name an address or a value of ours, which may hold a key or a password.
        is_ours = isinstance(meaning, InvalidValue | SettingsError)
        raise meaning from None if is_ours else error


def explain(error: Exception, address: Address, headers: Mapping[str, str | Secret]) -> Exception:
    """Return what *error*, raised by websockets or the system, means to our caller."""
    said = hide_secrets(f"{type(error).__name__}: {str(error)[:_QUOTE_MAX_CHARACTERS]}", headers)
    meaning: Exception
    if isinstance(error, TimeoutError):
        meaning = error
    elif isinstance(error, ws.ConnectionClosed):
        meaning = _closed(error, address)
    elif isinstance(error, ws.InvalidStatus):
        meaning = _refused(error, address, headers)
    elif isinstance(error, ws.InvalidURI | UnicodeError):
        meaning = InvalidValue(f"{address} cannot be called: {type(error).__name__}.")
    elif isinstance(error, ws.InvalidProxy | ImportError):
        meaning = SettingsError(
            f"The proxy named in the environment cannot be used ({type(error).__name__}). "
            "Set HTTPS_PROXY to an http:// address, or leave the host out with NO_PROXY; "
            "a socks5:// proxy needs the package python-socks."
        )
    elif isinstance(error, ws.InvalidHandshake | OSError | EOFError):
        meaning = ConnectFailed(f"No connection to {address}. {said}. Check address and network.")
    elif isinstance(error, ws.ProtocolError | ws.PayloadTooBig | ws.TooManyFragments):
        meaning = UnexpectedReply(f"A message of {address} could not be read. {said}.")
    elif isinstance(error, ws.InvalidState | ws.ConcurrencyError):
        meaning = StreamStateError(f"The connection to {address} was used wrongly. {said}.")
    else:
        meaning = TransportError(f"The connection to {address} failed. {said}.")
    return meaning


def _refused(
    error: ws.InvalidStatus, address: Address, headers: Mapping[str, str | Secret]
) -> HandshakeRefused:
    """Return the error for a handshake answered with another status than 101."""
    response = error.response
    status = response.status_code
    body = bytes(response.body or b"")
    # It may repeat the key, and the library's error is the cause of ours.
    response.body = b""
    replied = {name.lower(): value for name, value in response.headers.raw_items()}
    text = hide_secrets(shorten(body), headers)
    refusal = HandshakeRefused(
        f"{address} refused the WebSocket (HTTP {status}){f': {text}' if text else '.'}",
        reply=ResponseStarted(status=status, headers=replied),
        body=body,
    )
    refusal.retryable = status >= _SERVER_FAULT or status in _PASSING
    return refusal


def _closed(error: ws.ConnectionClosed, address: Address) -> VivavoceError:
    """Return the error for a connection that ended while it was needed."""
    sent, received = error.sent, error.rcvd
    if sent is not None and received is None and sent.code in _UNREADABLE:
        return UnexpectedReply(
            f"A message of {address} could not be read ({sent.code}: {sent.reason})."
        )
    code = received.code if received is not None else _ABNORMAL
    detail = f"code {code} {received.reason[:200]!r}" if received is not None else "no close code"
    if sent is not None and received is None:
        detail = sent.reason or detail
    return ConnectionLost(f"The connection to {address} was lost ({detail}).", close_code=code)


def _ended(error: ws.ConnectionClosed) -> PeerClosed | None:
    """Return the event for a connection the peer ended, or None if our side did."""
    if error.rcvd is not None and error.rcvd_then_sent is not False:
        return PeerClosed(error.rcvd.code, error.rcvd.reason)
    if error.rcvd is None and error.sent is None:
        return PeerClosed(_ABNORMAL)
    return None


# The parts both faces share


class _AsyncConnector(async_client.connect):
    """Connects, and follows no redirect: it would carry the key to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _SyncConnector(sync_client.reconnect):
    """Connects, and follows no redirect: it would carry the key to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _is_readable(sock: socket.socket) -> bool:
    """Whether reading would not wait; looked at without a turn of the loop."""
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _frame(room: memoryview, at: int, end: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at *at* begins and ends; None if its head is torn."""
    if end - at < 2:
        return None
    size = room[at + 1] & ~_MASKED
    begin = at + 2
    if size > _SIZE_MAX:
        begin += 2 if size == _SIZE_IN_2 else 8
        size = int.from_bytes(room[at + 2 : begin], "big")
    if room[at + 1] >= _MASKED:
        begin += 4
    return None if begin > end else (begin, begin + size)


class _AsyncConnection(async_client.ClientConnection, asyncio.BufferedProtocol):
    """
    Hands over whole messages, and ends as soon as the last word is said.

    The library's ``recv`` and ``send`` can do more than is needed here, and a stream of audio
    pays for it with each message. So frames that are each a whole message are read here, by far
    the most; handshake, other frames, pings and closing are the library's. It gets those whole,
    one behind the other, and so never knows that there were others between.
    A buffered protocol, since for others the loop makes 256 KB for each read, and cuts them.

    Once either side has sent its close code the library waits for the peer to cut the
    connection, for ever if need be.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.messages: deque[MessageReceived] = deque()
        self._is_text = False
        self._begun = bytearray()
        self._is_held_back = False
        self._is_lost = False
        self._waiter = Waiter()
        self._room = memoryview(bytearray(_READ_MAX_BYTES))
        # Bytes of a torn frame at the begin of the room.
        self._torn_bytes = 0
        # Bytes yet to come of a frame that is the library's.
        self._others_bytes = 0
        self._head_end = b""
        limit = self.protocol.max_message_size
        room = _READ_MAX_BYTES - _HEAD_MAX_BYTES
        self._plain_max_bytes = room if limit is None else min(room, limit)
        self._unsent_bytes = 0
        self._unsent_since: float | None = None

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's name
        return self._room[self._torn_bytes :]

    def buffer_updated(self, nbytes: int) -> None:
        room, end = self._room, self._torn_bytes + nbytes
        at = self._read_head(end) if self.protocol.state is State.CONNECTING else 0
        while at < end:
            if self._others_bytes or self.protocol.state is not State.OPEN:
                at += self._hand_on(at, end)
                continue
            span = _frame(room, at, end)
            if span is None:
                if not room[at] & _RESERVED:
                    break
                # Nothing that ends can come of it; the library says why without waiting for more.
                self._others_bytes = sys.maxsize
                continue
            begin, stop = span
            if not self._is_plain(room[at], room[at + 1], stop - begin):
                self._others_bytes = stop - at
            elif stop > end:
                break
            else:
                self._hold(bytes(room[begin:stop]), is_text=room[at] == _WHOLE_TEXT)
                at = stop
        self._torn_bytes = end - at
        if at and self._torn_bytes:
            room[: self._torn_bytes] = room[at:end]

    def _read_head(self, end: int) -> int:
        """Give the library the reply to the handshake, and nothing behind it; return its size."""
        seen = self._head_end + self._room[:end]
        blank = seen.find(b"\r\n\r\n")
        size = end if blank < 0 else blank + 4 - len(self._head_end)
        self._head_end = seen[-3:]
        self.data_received(self._room[:size])  # type: ignore[arg-type]
        return size

    def _hand_on(self, at: int, end: int) -> int:
        """Give the library what belongs to it from *at* on; return how many bytes."""
        if self.protocol.state is State.OPEN:
            end = min(end, at + self._others_bytes)
            self._others_bytes -= end - at
        self.data_received(self._room[at:end])  # type: ignore[arg-type]
        return end - at

    def _is_plain(self, kind: int, second: int, size: int) -> bool:
        """Whether a frame is a whole message that the library would only hand on."""
        is_begun = self.protocol.current_size is not None
        is_masked = second >= _MASKED
        fits = size <= self._plain_max_bytes
        return kind in (_WHOLE_TEXT, _WHOLE_BINARY) and fits and not is_masked and not is_begun

    async def handshake(
        self,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = None,
    ) -> None:
        """Shake hands as the library does, which sends and waits by means for more than this."""
        request = self.request = self.protocol.connect()
        request.headers.update(additional_headers or {})
        if user_agent_header is not None:
            request.headers.setdefault("User-Agent", user_agent_header)
        self.protocol.send_request(request)
        self.send_data()
        while self.response is None and not self._is_lost:
            await self._waiter.wait(None)
        if self.protocol.handshake_exc is not None:
            raise self.protocol.handshake_exc

    def process_event(self, event: LibraryEvent) -> None:
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            self._waiter.wake()  # it may be the reply to the handshake
            return
        if event.opcode is not Opcode.CONT:
            self._is_text = event.opcode is Opcode.TEXT
        if not event.fin:
            self._begun += event.data
            return
        data = bytes(event.data)
        if self._begun:
            data = bytes(self._begun) + data
            self._begun.clear()
        self._hold(data, is_text=self._is_text)

    def _hold(self, data: bytes, *, is_text: bool) -> None:
        self.messages.append(MessageReceived(data, is_text))
        if len(self.messages) > _HELD_MAX_MESSAGES and not self._is_held_back:
            self._is_held_back = True
            self.transport.pause_reading()
        self._waiter.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._is_lost = True
        self._waiter.wake()
        self._waiter.strike_alarm()

    def take(self) -> MessageReceived:
        """Return the first message that has come; there must be one."""
        message = self.messages.popleft()
        if self._is_held_back and not self.messages:
            self._is_held_back = False
            self.transport.resume_reading()
        return message

    async def receive(self, timeout_s: float | None) -> MessageReceived:
        """
        Return the next message.

        Raises:
            ConnectionClosed: If there is none, and will be none.
            TimeoutError: If it did not come in time.
        """
        end = None if timeout_s is None else self.loop.time() + timeout_s
        if timeout_s == 0 and not self.messages and not self._may_have_more():
            raise TimeoutError
        while not self.messages:
            if self._is_lost:
                raise self.close_exc
            self._send_unsent()
            await self._waiter.wait(end)
        return self.take()

    def _may_have_more(self) -> bool:
        """Whether there may be something that the loop has not read yet; what is unsent goes."""
        self._send_unsent()
        if self._is_lost or self.transport.is_closing():
            return True
        return _is_readable(self.transport.get_extra_info("socket"))

    async def say(self, data: str | bytes) -> None:
        """
        Send a message, waiting only while too much is on its way.

        What is said at once goes together, in the loop's next turn: the first messages of a
        session are small, and each by itself would be a system call and a server woken. A loop
        that does not turn, as under a source of text that blocks it, holds back one message.

        Raises:
            ConnectionClosed: If the connection has ended.
        """
        payload = data.encode() if isinstance(data, str) else data
        if self.protocol.state is not State.OPEN:
            await self.send(data)  # raises why
        elif isinstance(data, str):
            self.protocol.send_text(payload)
        else:
            self.protocol.send_binary(payload)
        now = self.loop.time()
        if self._unsent_since is None:
            self._unsent_since = now
            self.loop.call_soon(self._send_unsent)
        self._unsent_bytes += len(payload)
        if now - self._unsent_since > _TOGETHER_S or self._unsent_bytes > _UNSENT_MAX_BYTES:
            self._send_unsent()
        if self.paused:
            await self.drain()

    def _send_unsent(self) -> None:
        if self._unsent_since is not None and self.protocol.state is State.OPEN:
            self.send_data()

    def send_data(self) -> None:
        self._unsent_since, self._unsent_bytes = None, 0
        if len(self.protocol.writes) > 1 and b"" not in self.protocol.writes:
            self.protocol.writes[:] = [b"".join(self.protocol.writes)]
        super().send_data()
        if self.protocol.state is State.CLOSING:
            self.transport.abort()

    def start_keepalive(self) -> None:
        # A peer may close right after the handshake. The library would then ping a
        # connection that is lost already, 20 s later, and log that it could not.
        if self.protocol.state is State.OPEN:
            super().start_keepalive()


class _SyncConnection(sync_client.ClientConnection):
    """
    Notes which messages are text, and ends as soon as the last word is said.

    Called on the library's own thread.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.are_text: deque[bool] = deque()
        self._is_cut_off = False
        super().__init__(*args, **options)

    def process_event(self, event: LibraryEvent) -> None:
        if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
            self.are_text.append(event.opcode is Opcode.TEXT)
        with contextlib.suppress(EOFError):  # it is being left: what still comes is for nobody
            super().process_event(event)

    def send_data(self) -> None:
        try:
            super().send_data()
        except OSError as error:
            if self.protocol.state is State.CONNECTING:
                raise
            # The library would close the socket, and lose what has come and was not read yet.
            # Whoever reads finds the end behind it.
            self.set_connection_exc(error)
            self._is_cut_off = True
        if self.protocol.state is State.CLOSING:
            self.cut()

    def say(self, data: str | bytes) -> None:
        """
        Send a message.

        Raises:
            ConnectionClosed: If the connection has ended. The library's ``send`` would wait
                for its reader first, and then close the socket under it.
        """
        protocol = self.protocol
        if protocol.state is State.OPEN and not self._is_cut_off:
            self.send(data)
            if not self._is_cut_off:
                return
        raise ws.ConnectionClosedError(
            protocol.close_rcvd, protocol.close_sent, protocol.close_rcvd_then_sent
        ) from self.connection_exc

    def cut(self) -> None:
        """End both directions, also under a thread that is reading or writing."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


@functools.lru_cache(maxsize=16)
def _address(url: str) -> Address:
    """Return where *url* leads, if a credential may be sent there; sessions are mostly of one."""
    return check_address(url, secure="wss", plain="ws")


def _options(call: WebSocketCall, address: Address) -> dict[str, Any]:
    options: dict[str, Any] = {
        "additional_headers": reveal_headers(call.headers),
        "user_agent_header": "vivavoce",
        "compression": None,
        "ping_timeout": None,
        "max_size": call.max_message_bytes,
        "proxy": None if address.is_loopback else True,
        "logger": _logger,
    }
    if call.url.lower().startswith("wss"):
        options["ssl"] = tls_context()
    return options


def _opened(headers: Iterator[tuple[str, str]]) -> SocketOpened:
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return SocketOpened(headers=joined)


# The async face


class AsyncWebSocket:
    """One WebSocket of the async face; see ``Conversation``."""

    def __init__(self, connection: _AsyncConnection, address: Address, call: WebSocketCall) -> None:
        self._connection = connection
        self._address = address
        self._headers = call.headers
        assert connection.response is not None
        self._opened: SocketOpened | None = _opened(connection.response.headers.raw_items())
        self._is_closed = False

    @classmethod
    async def open(cls, call: WebSocketCall, timeout_s: float | None) -> AsyncWebSocket:
        """
        Connect, shake hands, and send the first messages.

        Args:
            call: Its secrets are revealed now.
            timeout_s: Seconds for all of it; None waits for ever.

        Raises:
            InvalidValue: If the address or a header cannot be sent.
            TimeoutError: If it was not done in time.
            HandshakeRefused: If it is answered with another status than 101.
            ConnectFailed: If there is no connection.
        """
        address = _address(call.url)
        options = _options(call, address)
        with translated(address, call.headers):
            async with asyncio.timeout(timeout_s):
                connection = await _AsyncConnector(
                    call.url, create_connection=_AsyncConnection, open_timeout=None, **options
                )
                assert isinstance(connection, _AsyncConnection)
                try:
                    for message in call.first:
                        await connection.say(message)
                except ws.ConnectionClosed:
                    pass  # the peer has closed; receive says with which reason
                except BaseException:
                    connection.transport.abort()
                    raise
        return cls(connection, address, call)

    async def receive(self, timeout_s: float | None) -> Event:
        """Return the next message; the connection stays usable after a ``TimeoutError``."""
        if self._is_closed:
            raise _after_close(self._address)
        if self._opened is not None:
            opened, self._opened = self._opened, None
            return opened
        if self._connection.messages:
            return self._connection.take()
        try:
            return await self._connection.receive(timeout_s)
        except ws.ConnectionClosed as error:
            if (ended := _ended(error)) is not None:
                return ended
            with translated(self._address, self._headers):
                raise

    async def send(self, data: str | bytes) -> None:
        """Send one message, str as text and bytes as binary."""
        if self._is_closed:
            raise _after_close(self._address)
        try:
            await self._connection.say(data)
        except Exception:
            with translated(self._address, self._headers):
                raise

    async def close(self) -> None:
        """Cut the connection: no closing handshake, no wait for the peer."""
        self._is_closed = True
        self._connection.transport.abort()
        # One turn of the loop, in which it frees the socket and ends its keep-alive.
        await self._connection.wait_closed()


# The sync face


class BlockingWebSocket:
    """One WebSocket of the sync face; see ``Conversation``."""

    def __init__(self, connection: _SyncConnection, address: Address, call: WebSocketCall) -> None:
        self._connection = connection
        self._address = address
        self._headers = call.headers
        assert connection.response is not None
        self._opened: SocketOpened | None = _opened(connection.response.headers.raw_items())
        self._is_closed = False

    @classmethod
    async def open(cls, call: WebSocketCall, timeout_s: float | None) -> BlockingWebSocket:
        """Connect, shake hands, send the first messages; see :meth:`AsyncWebSocket.open`."""
        address = _address(call.url)
        options = _options(call, address)
        with translated(address, call.headers):
            connector = _SyncConnector(
                call.url, create_connection=_SyncConnection, open_timeout=timeout_s, **options
            )
            connection = connector.connect()
            assert isinstance(connection, _SyncConnection)
            connection.__enter__()  # says that we close it ourselves; else it warns
            conversation = cls(connection, address, call)
            try:
                for message in call.first:
                    connection.say(message)
            except ws.ConnectionClosed:
                pass  # the peer has closed; receive says with which reason
            except BaseException:
                await conversation.close()
                raise
        return conversation

    async def receive(self, timeout_s: float | None) -> Event:
        """Return the next message; the connection stays usable after a ``TimeoutError``."""
        if self._is_closed:
            raise _after_close(self._address)
        if self._opened is not None:
            opened, self._opened = self._opened, None
            return opened
        with translated(self._address, self._headers):
            try:
                data = self._connection.recv(timeout_s, decode=False)
            except ws.ConnectionClosed as error:
                ended = _ended(error)
                if ended is None:
                    raise
                return ended
        return MessageReceived(data, is_text=self._connection.are_text.popleft())

    async def send(self, data: str | bytes) -> None:
        """Send one message, str as text and bytes as binary."""
        if self._is_closed:
            raise _after_close(self._address)
        with translated(self._address, self._headers):
            self._connection.say(data)

    async def close(self) -> None:
        """Cut the connection: no closing handshake, no wait for the peer."""
        self._is_closed = True
        connection = self._connection
        connection.cut()
        connection.close_socket()
        for thread in (connection.recv_events_thread, connection.keepalive_thread):
            if thread is not None:
                thread.join(_THREAD_LIMIT_S)


def _after_close(address: Address) -> StreamStateError:
    return StreamStateError(f"The connection to {address} is closed.")
