"""
A service on this machine that does as a script says, and a client that sees every byte.

Nothing here sleeps: a script waits for an event or for its client, with a limit.
"""

import base64
import gc
import hashlib
import select
import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from vivavoce_contract.tapes import Event, Header, Match, Source, Tape

PATIENCE_S = 10.0


class Wire:
    """One side of a connection."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(PATIENCE_S)
        self._unread = b""

    def more(self):
        data = self.sock.recv(65536)
        self._unread += data
        return bool(data)

    def send(self, data):
        self.sock.sendall(data)

    def through(self, mark):
        """Return what comes up to and with *mark*; less at the end."""
        while mark not in self._unread and self.more():
            pass
        head, found, self._unread = self._unread.partition(mark)
        return head + found

    def exactly(self, size):
        while len(self._unread) < size and self.more():
            pass
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def head(self):
        """Return the first line and the headers of what comes, names in lower case."""
        line, *rest = self.through(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = (each.partition(":") for each in rest if each)
        return line, {name.lower(): value.strip() for name, _, value in pairs}

    def chunk(self):
        """Return the next chunk of a body; empty is the last."""
        size = int(self.through(b"\r\n"), 16)
        data = self.exactly(size)
        self.exactly(2)
        return data

    def body(self):
        """Return all chunks of a body."""
        return list(iter(self.chunk, b""))

    def rest(self):
        """Return what still comes, and how it ends: fin or reset."""
        try:
            while self.more():
                pass
        except ConnectionResetError:
            return self._unread, "reset"
        return self._unread, "fin"

    def frame(self):
        """Return opcode and payload of the next frame, (-1, b"") at the end."""
        first = self.exactly(2)
        if len(first) < 2:
            return -1, b""
        length = first[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self.exactly(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.exactly(8))[0]
        mask = self.exactly(4) if first[1] & 0x80 else b"\0" * 4
        data = self.exactly(length)
        if any(mask):
            data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        return first[0] & 0x0F, data

    def send_frame(self, opcode, data, *, is_masked=False, is_final=True):
        head = bytes([opcode | (0x80 if is_final else 0)])
        flag = 0x80 if is_masked else 0
        if len(data) < 126:
            head += bytes([flag | len(data)])
        else:
            head += bytes([flag | 126]) + struct.pack("!H", len(data))
        self.send(head + (b"\0" * 4 if is_masked else b"") + data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


class Peer(Wire):
    """The service's side of a connection."""

    def __init__(self, service, sock):
        super().__init__(sock)
        self.service = service

    def request(self):
        """Return line, headers and body of the next request; an empty line at the end."""
        line, headers = self.head()
        body = self.exactly(int(headers.get("content-length", 0)))
        if line:
            self.service.requests.append((line, headers, body))
        return line, headers, body

    def begin(self, headers="content-type: text/event-stream", status="200 OK"):
        """Answer with a body that comes in chunks."""
        self.send(f"HTTP/1.1 {status}\r\n{headers}\r\ntransfer-encoding: chunked\r\n\r\n".encode())

    def send_chunk(self, data):
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def reply(self, body, headers="content-type: application/json", status="200 OK"):
        """Answer in one piece."""
        head = f"HTTP/1.1 {status}\r\n{headers}\r\ncontent-length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def shake_hands(self):
        _, headers, _ = self.request()
        key = headers["sec-websocket-key"].encode()
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    def is_left(self):
        """Wait until the client has left."""
        readable, _, _ = select.select([self.sock], [], [], PATIENCE_S)
        with suppress(OSError):
            if readable and self.sock.recv(65536):
                return self.is_left()
        return bool(readable)


class Service:
    """
    A server in a thread; each connection runs the script in a thread of its own.

    Attributes:
        requests: What was asked: line, headers, body.
        go: For scripts to wait on, and for tests to set.
        told: For scripts to set, and for tests to wait on.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = []
        self.failures = []
        self.go = threading.Event()
        self.told = threading.Event()
        self._script = None
        self._is_ending = False
        self._threads = []

    def serve(self, script):
        """Begin; return the address."""
        self._script = script
        self._start(self._accept)
        return self.url

    def wait(self):
        assert self.go.wait(PATIENCE_S)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args)
        thread.start()
        self._threads.append(thread)

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            if self._is_ending:
                sock.close()
                return
            self._start(self._run, sock)

    def _run(self, sock):
        try:
            with sock:
                self._script(Peer(self, sock))
        except OSError:
            pass  # the client left first
        except BaseException as failure:
            self.failures.append(failure)
            raise

    def close(self):
        self._is_ending = True
        self.go.set()
        if self._script is not None:
            socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()
        assert not self.failures


class RawClient(Wire):
    """A client that writes and reads bytes."""

    def __init__(self, url, window=None):
        parts = urlsplit(url)
        sock = socket.socket()
        if window is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        super().__init__(sock)
        sock.connect((parts.hostname, parts.port))
        self._path = parts.path

    def ask(self, target="/speech", body=b"", method="POST", headers=""):
        """Send a request whose target is *target* behind the base address."""
        self.send(
            f"{method} {self._path}{target} HTTP/1.1\r\nHost: x\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    def fetch(self, target="/speech", body=b"", method="POST", headers=""):
        """Return line, headers and whole body of the answer."""
        self.ask(target, body, method, headers)
        line, found = self.head()
        if found.get("transfer-encoding") == "chunked":
            return line, found, b"".join(self.body())
        if "content-length" in found:
            return line, found, self.exactly(int(found["content-length"]))
        return line, found, self.rest()[0]

    def open_websocket(self, target="/live"):
        """Shake hands; return the status line."""
        self.send(
            f"GET {self._path}{target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        )
        return self.head()[0]

    def say(self, text):
        self.send_frame(1, text.encode(), is_masked=True)


class Talk:
    """Writes a tape by hand, event by event."""

    def __init__(self, *, conn=1, t=0.0):
        self.events = []
        self._conn = conn
        self._t = t

    def add(self, side, kind, dt=0.0, **fields):
        self._t += dt
        self.events.append(Event(t=self._t, conn=self._conn, dir=side, k=kind, **fields))
        return self

    def asked(self, body=b"", target="/speech", method="POST"):
        return self.add("c", "request", line=f"{method} {target} HTTP/1.1", data=body)

    def answered(self, headers=(("Transfer-Encoding", "chunked"),), status="200 OK"):
        return self.add("s", "response", line=f"HTTP/1.1 {status}", headers=headers)

    def chunks(self, *pieces, dt=0.0):
        for piece in pieces:
            self.add("s", "chunk", dt, data=piece)
        return self

    def ended(self):
        return self.add("s", "end")

    def opened(self, target="/live"):
        self.add("c", "ws-open", line=f"GET {target} HTTP/1.1")
        return self.add("s", "ws-accept", line="HTTP/1.1 101 Switching Protocols")

    def client(self, text):
        return self.add("c", "text", data=text.encode())

    def service(self, text):
        return self.add("s", "text", data=text.encode())

    def closed(self, code=1000, reason=""):
        return self.add("s", "close", code=code, reason=reason).add("s", "eof")

    def tape(self, *more, match=None, **header):
        events = [*self.events, *(event for each in more for event in each.events)]
        values = {
            "provider": "acme",
            "scenario": "speak",
            "source": Source(kind="synthetic"),
            "recorded_at": "2026-11-25",
            "match": match or Match(),
            **header,
        }
        return Tape(header=Header(**values), events=events)


@pytest.fixture(scope="session")
def talk():
    """Begin a tape written by hand."""
    return Talk


@pytest.fixture(scope="session")
def quick_collection():
    """Collecting after each test looks only at what came since: a tenth of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def nothing_left(quick_collection):
    """No thread outlives a test, and no socket is left to the garbage collector."""
    before = set(threading.enumerate())
    yield
    gc.collect()  # a socket left open warns now, and a warning is an error
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
    assert not set(threading.enumerate()) - before


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


@pytest.fixture
def client():
    """Connect to an address; closed after the test."""
    made = []

    def connect(url, **options):
        made.append(RawClient(url, **options))
        return made[-1]

    yield connect
    for each in made:
        each.close()
