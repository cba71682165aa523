"""
What httpcore's connection pools connect, read and write with: its documented argument.

Its own would do, but for two things. Its limits on waiting are fixed when a call
begins, while ours end at another moment with each receive; so a call says in
:data:`waiting` until when it may wait, and the streams below it ask. And its async one
goes through anyio, which costs a cancel scope for each read; ours is plain asyncio.

Both hold what is written until the reply is waited for: the library writes head and
body apart, which would be two system calls, two packets, and a server woken twice. And
both join small chunks of a reply; see :mod:`vivavoce.transport.chunked`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import select
import ssl
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import httpcore2 as httpcore

from vivavoce.transport.chunked import ChunkJoiner
from vivavoce.transport.waiting import Waiter

__all__ = ["AsyncBackend", "BlockingBackend", "Wait", "waiting"]

# More than this is sent at once rather than held, and more is not read ahead.
_HELD_MAX_BYTES = 256 * 1024
# As RFC 8305 advises: how long one address of a host is tried alone.
_NEXT_ADDRESS_S = 0.25
# The loop wants a limit of its own on the handshake; ours ends it long before.
_HANDSHAKE_S = 24 * 3600.0


class Wait:
    """
    Until when a call may wait; monotonic seconds of its face's clock, None for ever.

    Attributes:
        sent_by: End of connecting and sending.
        until: End of waiting for the reply.
        connect_s: Seconds allowed for connecting and sending, where these and not
            ``until`` decide ``sent_by``; else None.
    """

    __slots__ = ("connect_s", "sent_by", "until")

    def __init__(self) -> None:
        self.sent_by: float | None = None
        self.until: float | None = None
        self.connect_s: float | None = None

    def begin(self, now: float, connect_s: float | None, total_s: float | None) -> None:
        """Set the limits of a first receive, which connects, sends and waits."""
        self.until = self.sent_by = None if total_s is None else now + total_s
        if connect_s is not None and (total_s is None or connect_s <= total_s):
            self.sent_by, self.connect_s = now + connect_s, connect_s


_FOR_EVER = Wait()

waiting: ContextVar[Wait] = ContextVar("waiting")
"""The limits of the receive under way in this task or thread."""


def _wait() -> Wait:
    return waiting.get(_FOR_EVER)


# The async face


class AsyncBackend(httpcore.AsyncNetworkBackend):
    """Connects by the running event loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's; ours is in Wait
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; whichever of the host's addresses answers first."""
        loop = asyncio.get_running_loop()
        # Other loops do not know this option, and for a single address it only costs.
        options: dict[str, Any] = {}
        if isinstance(loop, asyncio.BaseEventLoop) and not _is_ip(host):
            options["happy_eyeballs_delay"] = _NEXT_ADDRESS_S
        try:
            async with asyncio.timeout_at(_wait().sent_by):
                transport, protocol = await loop.create_connection(
                    _Protocol,
                    host,
                    port,
                    local_addr=None if local_address is None else (local_address, 0),
                    **options,
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(error) from error
        except OSError as error:
            raise httpcore.ConnectError(error) from error
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return _AsyncStream(transport, protocol)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Protocol(Waiter, asyncio.Protocol):
    """
    What came and is not read yet, and who waits for it.

    Attributes:
        pieces: What came, in order.
        is_full: Whether the loop asks us to write no more just now.
        is_ended: Whether nothing more will come.
        failure: Why, if for another reason than that the peer is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pieces: deque[bytes | memoryview] = deque()
        self.is_full = False
        self.is_ended = False
        self.failure: Exception | None = None
        self._held_bytes = 0
        self._is_held_back = False
        self._transport: asyncio.Transport | None = None

    def use(self, transport: asyncio.Transport) -> None:
        """Take *transport* for the one to hold back when too much comes."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_MAX_BYTES and self._transport is not None:
            self._is_held_back = True
            self._transport.pause_reading()
        self.wake()

    def eof_received(self) -> None:
        self.is_ended = True
        self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_ended = True
        self.failure = exc
        self.wake()
        self.strike_alarm()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self.wake()

    def take(self, max_bytes: int) -> bytes:
        """Return the first of what came; there must be something."""
        piece = self.pieces.popleft()
        if len(piece) > max_bytes:
            view = memoryview(piece)
            self.pieces.appendleft(view[max_bytes:])
            piece = view[:max_bytes]
        self._held_bytes -= len(piece)
        if self._is_held_back and not self.pieces and self._transport is not None:
            self._is_held_back = False
            self._transport.resume_reading()
        return piece if isinstance(piece, bytes) else bytes(piece)


class _AsyncStream(httpcore.AsyncNetworkStream):
    """One connection of the async face, used by one call at a time."""

    def __init__(self, transport: asyncio.Transport, protocol: _Protocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._unsent: list[bytes] = []
        self._joiner = ChunkJoiner()
        protocol.use(transport)

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as above
    ) -> bytes:
        """Return what has come, waiting for something; empty at the end."""
        protocol = self._protocol
        if self._unsent:
            await self._send()
        while True:
            while not protocol.pieces:
                if protocol.failure is not None:
                    raise httpcore.ReadError(protocol.failure) from protocol.failure
                if protocol.is_ended:
                    return b""
                await protocol.wait(_wait().until, httpcore.ReadTimeout)
            if data := self._joiner.feed(protocol.take(max_bytes)):
                return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as above
    ) -> None:
        """Take *buffer* for sending; it goes with the next read, or with many more bytes."""
        if buffer:
            self._unsent.append(buffer)
        if len(buffer) > _HELD_MAX_BYTES:
            await self._send()

    async def _send(self) -> None:
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._joiner.begin()
        protocol = self._protocol
        if protocol.is_ended:
            return  # the peer may have answered before it left; reading tells
        self._transport.write(data)
        while protocol.is_full and not protocol.is_ended:
            await protocol.wait(_wait().sent_by, httpcore.WriteTimeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        """Shake hands; whatever goes wrong, also being cancelled, ends the connection."""
        loop = asyncio.get_running_loop()
        try:
            if self._protocol.pieces:
                # Sent in plain text by who knows whom; it must not pass for the peer's.
                msg = "bytes came before the TLS handshake"
                raise httpcore.ConnectError(msg)  # noqa: TRY301 - the connection ends below
            async with asyncio.timeout_at(_wait().sent_by):
                transport = await loop.start_tls(
                    self._transport,
                    self._protocol,
                    ssl_context,
                    server_hostname=server_hostname,
                    ssl_handshake_timeout=_HANDSHAKE_S,
                )
        except BaseException as error:
            self._transport.abort()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(error) from error
            if isinstance(error, OSError):  # TLS errors are these too
                raise httpcore.ConnectError(error) from error
            raise
        # None only if the connection was lost meanwhile, which reading then tells.
        self._transport = transport or self._transport
        self._protocol.use(self._transport)
        return self

    async def aclose(self) -> None:
        """Cut the connection: nothing more is sent, and nobody waited for."""
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """Return what the library asks by name, None for what it does not."""
        if info == "is_readable":
            # Also asked of the system: the loop may not have looked since the peer left.
            is_known = self._protocol.is_ended or bool(self._protocol.pieces)
            return is_known or _is_readable(self._transport.get_extra_info("socket"))
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))


def _is_readable(sock: Any) -> bool:
    """Tell whether a read of *sock* would give something at once, if only its end."""
    number = -1 if sock is None else sock.fileno()
    if number < 0:
        return True
    if sys.platform == "win32" or not hasattr(select, "poll"):
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


# The sync face


def _left_s(end: float | None) -> float | None:
    # Zero would mean "do not wait" to a socket, which then fails in another way.
    return None if end is None else max(end - time.monotonic(), 0.001)


class BlockingBackend(httpcore.NetworkBackend):
    """Connects as the library does, within our limits."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the library's; ours is in Wait
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect; the host's addresses one after the other."""
        left_s = _left_s(_wait().sent_by)
        inner = self._inner.connect_tcp(host, port, left_s, local_address, socket_options or ())
        return _BlockingStream(inner)

    def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)


class _BlockingStream(httpcore.NetworkStream):
    """One connection of the sync face: the library's, its waits ending at our limits."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._unsent: list[bytes] = []
        self._joiner = ChunkJoiner()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Return what has come, waiting for something; empty at the end."""
        if self._unsent:
            # As the library has it: the peer may have answered before it left.
            with contextlib.suppress(httpcore.WriteError):
                self._send()
        while data := self._inner.read(max_bytes, _left_s(_wait().until)):
            if joined := self._joiner.feed(data):
                return joined
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Take *buffer* for sending; it goes with the next read, or with many more bytes."""
        if buffer:
            self._unsent.append(buffer)
        if len(buffer) > _HELD_MAX_BYTES:
            self._send()

    def _send(self) -> None:
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._joiner.begin()
        self._inner.write(data, _left_s(_wait().sent_by))

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.NetworkStream:
        """Shake hands; what goes wrong ends the connection."""
        left_s = _left_s(_wait().sent_by)
        return _BlockingStream(self._inner.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:
        """Return what the library asks by name, None for what it does not."""
        return self._inner.get_extra_info(info)
