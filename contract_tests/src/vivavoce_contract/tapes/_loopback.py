"""
A server on this machine, in a thread of its own, and connections that tell all that happens.

asyncio's own streams lose what came before a reset; for a tape that is just what matters.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

__all__ = ["Connection", "Ended", "Server"]

_READ_BYTES = 64 * 1024
_HELD_MAX_BYTES = 256 * 1024
_STOP_LIMIT_S = 10.0
_GRACE_S = 1.0
_ACCEPTED_LIMIT_S = 2.0


class Ended(Exception):
    """
    The peer ended the connection before what was awaited had come.

    Attributes:
        how: ``fin`` or ``reset``.
    """

    def __init__(self, how: str) -> None:
        super().__init__(f"The connection ended by {how}.")
        self.how = how


class Connection(asyncio.Protocol):
    """
    One end of a TCP connection; read by one task at a time.

    What came before the end can be read after it. Each write is done when the system has
    taken all of it, so that no two are joined here.

    Attributes:
        received_bytes: How much came.
        ended: Set once the peer has ended its side, or all.
        how: How, ``fin`` or ``reset``.
        is_lost: Whether nothing can be sent any more.
    """

    def __init__(
        self,
        on_made: Callable[[Connection], None] | None = None,
        on_change: Callable[[Connection], None] | None = None,
    ) -> None:
        self.received_bytes = 0
        self.ended = asyncio.Event()
        self.is_lost = False
        self.how = "fin"
        self._buffer = bytearray()
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._transport: asyncio.Transport | None = None
        self._on_made = on_made
        self._on_change = on_change

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Keep what came until it is read."""
        self.received_bytes += len(data)
        self._buffer += data
        if len(self._buffer) > _HELD_MAX_BYTES and not self._is_paused and self._transport:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Note the end; what is under way may still be answered, but not over TLS."""
        self.ended.set()
        self._wake()
        assert self._transport is not None
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and how it came."""
        if exc is not None and not self.ended.is_set():
            self.how = "reset"
        self.is_lost = True
        self.ended.set()
        self._may_write.set()
        self._wake()

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._may_write.set()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._on_change is not None:
            self._on_change(self)

    # Ours

    async def _more(self) -> None:
        """Wait for more bytes; raise at the end."""
        if self.ended.is_set():
            raise Ended(self.how)
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self, most: int = -1) -> bytes:
        """Return what is there without waiting, at most *most* bytes."""
        size = len(self._buffer) if most < 0 else most
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        if self._is_paused and len(self._buffer) < _HELD_MAX_BYTES and self._transport:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def read_some(self, most: int = _READ_BYTES) -> bytes:
        """
        Return what has come, at least a byte.

        Raises:
            Ended: If nothing more comes.
        """
        while not self._buffer:
            await self._more()
        return self.take(most)

    async def read_exactly(self, size: int) -> bytes:
        """
        Return *size* bytes.

        Raises:
            Ended: If fewer come; those can still be taken.
        """
        while len(self._buffer) < size:
            await self._more()
        return self.take(size)

    async def read_through(self, mark: bytes, most: int) -> bytes:
        """
        Return what comes, up to and with *mark*.

        Raises:
            Ended: If the mark does not come.
            ValueError: If it does not come within *most* bytes.
        """
        seen = 0
        while (at := self._buffer.find(mark, seen)) < 0:
            seen = max(0, len(self._buffer) - len(mark) + 1)
            if seen > most:
                msg = f"no {mark!r} within {most} bytes"
                raise ValueError(msg)
            await self._more()
        return self.take(at + len(mark))

    async def write(self, data: bytes) -> None:
        """
        Send, and wait until the system has taken all of it.

        Raises:
            Ended: If the connection is lost.
        """
        if self.is_lost or self._transport is None:
            raise Ended("reset")
        self._transport.write(data)
        await self._may_write.wait()

    async def wait(self, event: asyncio.Event | None, limit_s: float | None = None) -> None:
        """
        Wait for *event*, or for *limit_s*, or for both at once, while the peer is there.

        Raises:
            Ended: If the peer leaves first.
        """
        waits = [asyncio.ensure_future(self.ended.wait())]
        if event is not None:
            waits.append(asyncio.ensure_future(event.wait()))
        try:
            await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        if self.ended.is_set() and not (event is not None and event.is_set()):
            raise Ended(self.how)

    def close(self) -> None:
        """End politely, after what was written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    async def reset(self) -> None:
        """
        End with RST, once the peer's system has taken what was written.

        Else the reset would throw away what was sent before it.
        """
        if self._transport is None or self.is_lost:
            return
        sock = self._transport.get_extra_info("socket")
        until = asyncio.get_running_loop().time() + _ACCEPTED_LIMIT_S
        # No event tells of it.
        while _unsent_bytes(sock) and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _unsent_bytes(sock: socket.socket) -> int:
    """Return how much the peer's system has not taken, where this one can tell."""
    if sys.platform != "linux":
        return 0
    import fcntl
    import termios

    told = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int.from_bytes(told, sys.byteorder)


def _listen(port: int) -> socket.socket:
    # asyncio sends small pieces at once only where the protocol is named: sockets that are
    # accepted inherit it. Else each piece would wait for the last one's receipt, 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(256)
    except OSError:
        listening.close()
        raise
    return listening


class Server:
    """
    Serves connections on loopback, in a thread of its own.

    Args:
        serve: Serves one connection to its end. ``Ended`` may leave it.
        name: Of the thread.
        on_change: Called on the server's thread when a connection opens, brings or ends.

    Attributes:
        connections: How many came.
        open: Those that are open.
        others: Connections made elsewhere, to be cut with the rest when it ends.
    """

    def __init__(
        self,
        serve: Callable[[Connection], Awaitable[None]],
        name: str,
        on_change: Callable[[Connection], None] | None = None,
    ) -> None:
        self.connections = 0
        self.open: set[Connection] = set()
        self.others: set[Connection] = set()
        self.port = 0
        self._serve = serve
        self._name = name
        self._listening: socket.socket | None = None
        self._on_change = on_change
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._tasks: dict[asyncio.Task[None], Connection] = {}
        self._failures: list[BaseException] = []

    @property
    def origin(self) -> str:
        """``http://host:port``."""
        return f"http://127.0.0.1:{self.port}"

    def bind(self, port: int = 0) -> None:
        """
        Take the port, which is known from now on; 0 for any that is free.

        Raises:
            OSError: If it cannot be used.
        """
        self._listening = _listen(port)
        self.port = self._listening.getsockname()[1]

    def start(self) -> None:
        """Begin to serve."""
        listening = self._listening
        assert listening is not None
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(listening, started)), name=self._name, daemon=True
        )
        self._thread.start()
        started.wait(_STOP_LIMIT_S)

    def stop(self) -> None:
        """
        End: cut what is open, wait for the thread. Harmless when repeated.

        Raises:
            BaseException: What went wrong while serving, a fault of ours.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.call(self._ask_to_stop)
        thread.join(_STOP_LIMIT_S)
        if self._failures:
            raise self._failures[0]

    def _ask_to_stop(self) -> None:
        if self._stop is not None:
            self._stop.set()

    def call(self, function: Callable[[], object]) -> bool:
        """Call *function* on the server's thread, soon; nothing, and False, once that has ended."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(function)
                return True
        return False

    async def _main(self, listening: socket.socket, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await self._loop.create_server(
            lambda: Connection(self._begin, self._changed), sock=listening
        )
        started.set()
        try:
            await self._stop.wait()
        finally:
            server.close()
            await self._end()

    def _begin(self, connection: Connection) -> None:
        self.connections += 1
        self.open.add(connection)
        task = asyncio.ensure_future(self._run(connection))
        self._tasks[task] = connection
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)

    def _changed(self, connection: Connection) -> None:
        if connection.is_lost:
            self.open.discard(connection)
        if self._on_change is not None:
            self._on_change(connection)

    async def _run(self, connection: Connection) -> None:
        try:
            await self._serve(connection)
        except Ended:
            pass
        except Exception as failure:  # noqa: BLE001 - stop raises it, on the user's thread
            self._failures.append(failure)
            connection.abort()
        finally:
            connection.close()

    async def _end(self) -> None:
        # What peers have sent or ended already is read first: it belongs to the story.
        for _ in range(3):
            await asyncio.sleep(0)
        leaving = [task for task, peer in self._tasks.items() if peer.ended.is_set()]
        if leaving:
            await asyncio.wait(leaving, timeout=_GRACE_S)
        for connection in [*self.open, *self.others]:
            connection.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the sockets are freed in this turn of the loop
