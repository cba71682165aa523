"""
A server on this machine that misbehaves as told, and both faces as one fixture.

Nothing here sleeps: a script waits for an event, or for its client to leave with a
limit, and every wait has an end.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

from vivavoce.transport.aio import AsyncLocal
from vivavoce.transport.base import Conversation, run_blocking
from vivavoce.transport.blocking import BlockingLocal
from vivavoce.transport.http import AsyncHttp, BlockingHttp
from vivavoce.transport.websocket import AsyncWebSocket, BlockingWebSocket
from vivavoce.wire.http import HttpCall
from vivavoce.wire.local import LocalCall
from vivavoce.wire.websocket import WebSocketCall

PATIENCE_S = 10.0


class Peer:
    """The server's side of one connection."""

    def __init__(self, server: Loopback, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._unread = b""

    def read_request(self) -> bytes:
        """Return head and body of the next request, empty when the client has left."""
        head = self._read_until(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(self._unread) < length and self._more():
            pass
        body, self._unread = self._unread[:length], self._unread[length:]
        if head:
            self.server.requests.append(head + body)
        return head + body

    def _read_until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            if not self._more():
                return b""
        head, _, self._unread = self._unread.partition(mark)
        return head + mark

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self._unread += data
        return bool(data)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> None:
        """Send a whole reply with its length."""
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        self.send(head.encode() + body)

    def shake_hands(self) -> None:
        """Answer a WebSocket handshake."""
        head = self.read_request()
        key = next(
            line.split(b":")[1].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\nX-Id: a\r\nX-Id: b\r\n\r\n"
        )

    def send_frame(self, opcode: int, data: bytes, *, is_final: bool = True) -> None:
        head = bytes([opcode | (0x80 if is_final else 0)])
        if len(data) < 126:
            head += bytes([len(data)])
        elif len(data) < 1 << 16:
            head += b"\x7e" + struct.pack("!H", len(data))
        else:
            head += b"\x7f" + struct.pack("!Q", len(data))
        self.send(head + data)

    def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the client's next frame, (-1, b"") at its end."""
        while (frame := self._whole_frame()) is None:
            if not self._more():
                return -1, b""
        return frame

    def _whole_frame(self) -> tuple[int, bytes] | None:
        data = self._unread
        if len(data) < 6:
            return None
        length, at = data[1] & 0x7F, 2
        assert length < 127
        if length == 126:
            length, at = struct.unpack("!H", data[2:4])[0], 4
        mask, end = data[at : at + 4], at + 4 + length
        if len(data) < end:
            return None
        self._unread = data[end:]
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data[at + 4 : end]))
        return data[0] & 0x0F, payload

    def is_left(self, limit_s: float = PATIENCE_S) -> bool:
        """Wait until the client has left; whether it has within the limit."""
        readable, _, _ = select.select([self.sock], [], [], limit_s)
        if not readable:
            return False
        with suppress(OSError):
            if self.sock.recv(65536):
                return self.is_left(limit_s)
        self.server.left.set()
        return True

    def reset(self) -> None:
        """End the connection in the rudest way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Peer], None]


class Loopback:
    """
    A server in a thread; each connection runs the script in a thread of its own.

    Attributes:
        requests: What was asked, head and body.
        connections: How many clients came.
        go: For scripts to wait on, and for tests to set.
        arrived: For scripts to set, and for tests to wait on.
        left: Set when a script saw its client leave.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.failures: list[BaseException] = []
        self.go = threading.Event()
        self.arrived = threading.Event()
        self.left = threading.Event()
        self._script: Script | None = None
        self._is_ending = False
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []

    def serve(self, script: Script) -> str:
        """Start; return the address without its scheme."""
        self._script = script
        thread = threading.Thread(target=self._accept, name="loopback")
        thread.start()
        self._threads.append(thread)
        return f"127.0.0.1:{self.port}"

    def http(self, script: Script) -> str:
        return f"http://{self.serve(script)}/speech"

    def ws(self, script: Script) -> str:
        return f"ws://{self.serve(script)}/speech"

    def wait(self) -> None:
        """Wait, in a script, until the test says so."""
        assert self.go.wait(PATIENCE_S)

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._is_ending:
                sock.close()
                return
            self.connections += 1
            sock.settimeout(PATIENCE_S)
            self._socks.append(sock)
            thread = threading.Thread(target=self._run, args=(sock,), name="loopback-peer")
            thread.start()
            self._threads.append(thread)

    def _run(self, sock: socket.socket) -> None:
        assert self._script is not None
        try:
            with sock:
                self._script(Peer(self, sock))
        except OSError:
            pass  # the client left first
        except BaseException as failure:
            self.failures.append(failure)
            raise

    def close(self) -> None:
        if self._is_ending:
            return
        self.go.set()
        self._is_ending = True
        if self._script is not None:
            socket.create_connection(("127.0.0.1", self.port)).close()
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()
        assert not self.failures


class Face:
    """One of the two faces, for tests that are written once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name == "async"
        self._runner = asyncio.Runner() if self.is_async else None
        self._http: list[AsyncHttp | BlockingHttp] = []
        self._open: list[Conversation] = []

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return run_blocking(coroutine) if self._runner is None else self._runner.run(coroutine)

    def http(self) -> AsyncHttp | BlockingHttp:
        http = AsyncHttp() if self.is_async else BlockingHttp()
        self._http.append(http)
        return http

    async def call(self, call: HttpCall, connect_s: float | None = 5.0) -> Conversation:
        """Open an HTTP call, closed after the test."""
        return self.keep(await self.http().open(call, connect_s))

    async def connect(self, call: WebSocketCall, timeout_s: float | None = 5.0) -> Conversation:
        """Open a WebSocket, closed after the test."""
        opener = AsyncWebSocket if self.is_async else BlockingWebSocket
        return self.keep(await opener.open(call, timeout_s))

    async def start(self, call: LocalCall) -> Conversation:
        """Start an engine, stopped after the test."""
        return self.keep(AsyncLocal(call) if self.is_async else BlockingLocal(call))

    def keep(self, conversation: Conversation) -> Conversation:
        self._open.append(conversation)
        return conversation

    def end(self) -> None:
        self.run(self._close())
        if self._runner is not None:
            left = asyncio.all_tasks(self._runner.get_loop())
            self._runner.close()
            assert not left, f"tasks left behind: {left}"

    async def _close(self) -> None:
        for conversation in self._open:
            await conversation.close()
        for http in self._http:
            await http.close()
        for _ in range(5 if self.is_async else 0):
            await asyncio.sleep(0)  # cancelled tasks of the libraries end here


@pytest.fixture(scope="session", autouse=True)
def quick_collection() -> Iterator[None]:
    """Collecting after each test looks only at what came since: a tenth of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No thread outlives a test, and no socket is left to the garbage collector."""
    before = set(threading.enumerate())
    yield
    gc.collect()  # a socket left open warns now, and a warning is an error
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
    left = [thread.name for thread in set(threading.enumerate()) - before]
    # Threads of asyncio's own executor end with the loop, not with a call.
    assert not [name for name in left if not name.startswith("asyncio_")]


@pytest.fixture
def server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    face = Face(request.param)
    yield face
    face.end()
