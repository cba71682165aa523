import contextlib
import socket
import threading

import pytest

from vivavoce.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidValue,
    RequestRejected,
    TimedOut,
    UnexpectedReply,
)
from vivavoce.transport.public import fetch_public, is_public

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


class Server:
    """Answers one connection with fixed bytes, then closes it."""

    def __init__(self, reply):
        self.reply = reply
        self.request = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        with connection:
            self.request = connection.recv(65536)
            if self.reply is None:
                connection.recv(1)
                return
            connection.sendall(self.reply)

    def close(self):
        self._socket.settimeout(0)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def serve():
    servers = []

    def serve(reply):
        servers.append(Server(reply))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def fetch(server, *, host="127.0.0.1", **values):
    url = f"http://{host}:{server.port}/a.wav?x=1"
    return fetch_public(url, **{"max_bytes": 100, "may_connect": lambda _: True, **values})


def test_the_file_comes(serve):
    """What lies there is given, asked for without any credential."""
    server = serve(OK)
    assert fetch(server) == b"hello"
    assert server.request.startswith(b"GET /a.wav?x=1 HTTP/1.1\r\n")
    assert b"authorization" not in server.request.lower()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "ff02::1",
    ],
)
def test_private_addresses(address):
    """Addresses of this machine, of private networks and of clouds' own services are none."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "47.94.1.2", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    """Those of the internet are."""
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433"])
def test_nothing_is_fetched_from_here(serve, host):
    """However this machine is written, it is not connected to."""
    server = serve(OK)
    with pytest.raises((InvalidValue, ConnectFailed)):
        fetch(server, host=host, may_connect=is_public)
    assert server.request == b""


def test_a_name_that_means_a_private_address(serve, monkeypatch):
    """What counts is what the name resolves to, all of it, and that is what is connected to."""
    server = serve(OK)

    def resolve(*_args, **_values):
        return [(2, 1, 6, "", (address, server.port)) for address in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(InvalidValue, match="private network"):
        fetch(server, host="innocent.example", may_connect=is_public)
    assert server.request == b""


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\n\r\n", RequestRejected, "not foll"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", RequestRejected, "HTTP 404"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + bytes(200), InvalidValue, "100 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel", ConnectionLost, "in the middle"),
        (b"nonsense\r\n\r\n", ConnectionLost, "in the middle"),
        (b"", ConnectionLost, "in the middle"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx",
            UnexpectedReply,
            "compressed",
        ),
    ],
)
def test_odd_replies(serve, reply, error, message):
    """What is not the whole file, at once, is an error of the tree."""
    with pytest.raises(error, match=message):
        fetch(serve(reply))


def test_no_server_and_no_answer(serve):
    """Nobody there, or nobody answering, is an error of the way there."""
    server = serve(None)
    with pytest.raises(TimedOut):
        fetch(server, timeout_s=0.05)
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    with pytest.raises(ConnectFailed):
        fetch_public(f"http://127.0.0.1:{port}/", max_bytes=9, may_connect=lambda _: True)
    with pytest.raises(InvalidValue):
        fetch_public("ftp://127.0.0.1/", max_bytes=9, may_connect=lambda _: True)
