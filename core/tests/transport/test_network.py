"""The streams below the HTTP library: TLS, limits, back-pressure, nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import httpcore2 as httpcore
import pytest

from vivavoce.errors import ConnectFailed, ConnectionLost, TimedOut
from vivavoce.transport import http, network
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted

PEM = str(Path(__file__).with_name("localhost.pem"))


@pytest.fixture
def trusts_us(monkeypatch):
    context = ssl.create_default_context(cafile=PEM)
    monkeypatch.setattr(http, "tls_context", lambda: context)


def speaking_tls(script):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    def wrapped(peer):
        with (
            contextlib.suppress(ssl.SSLError),
            context.wrap_socket(peer.sock, server_side=True) as sock,
        ):
            peer.server._socks.append(sock)  # the plain one is no longer its own
            peer.sock = sock
            script(peer)

    return wrapped


async def body_of(conversation, timeout_s=5.0):
    started = await conversation.receive(timeout_s)
    assert isinstance(started, ResponseStarted)
    body = b""
    while isinstance(event := await conversation.receive(timeout_s), BodyData):
        body += event.data
    assert event == BodyEnd()
    return body


BODY = bytes(range(256)) * 8000


@pytest.mark.usefixtures("trusts_us")
class TestTls:
    def test_replies(self, face, server):
        """Over TLS a long request and a long reply pass, and the connection is kept."""

        def script(peer):
            while peer.read_request():
                peer.reply(BODY)

        address = server.serve(speaking_tls(script))
        call = HttpCall(url=f"https://{address}/", body=BODY)

        async def scenario():
            client = face.http()
            for _ in range(2):
                conversation = face.keep(await client.open(call, 5.0))
                assert await body_of(conversation) == BODY
                await conversation.close()

        face.run(scenario())
        assert server.connections == 1
        assert [request.endswith(BODY) for request in server.requests] == [True, True]

    def test_cut(self, face, server):
        """A peer that goes without a word, in the middle of a reply, is a lost connection."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
            peer.sock.shutdown(socket.SHUT_RDWR)

        address = server.serve(speaking_tls(script))

        async def scenario():
            await body_of(await face.call(HttpCall(url=f"https://{address}/")))

        with pytest.raises(ConnectionLost):
            face.run(scenario())

    def test_wrong_name(self, face, server):
        """A certificate for another name is a failed connection; nothing was sent."""
        server.serve(speaking_tls(lambda peer: peer.read_request()))

        async def scenario():
            url = f"https://127.0.0.2:{server.port}/"
            await (await face.call(HttpCall(url=url))).receive(5.0)

        with pytest.raises(ConnectFailed, match=r"(?i)certificate|connect"):
            face.run(scenario())
        assert server.requests == []

    def test_through_a_proxy(self, face, server, monkeypatch):
        """A proxy connects us, and sees neither the address's path nor a header."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            speaking_tls(lambda peer: (peer.read_request(), peer.reply(b"ok"))[0])(peer)

        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("https_proxy", f"http://{server.serve(script)}")

        async def scenario():
            return await body_of(await face.call(HttpCall(url="https://tts.example/speech")))

        assert face.run(scenario()) == b"ok"
        tunnel, request = server.requests
        assert tunnel.startswith(b"CONNECT tts.example:443 ")
        assert b"speech" not in tunnel
        assert request.startswith(b"POST /speech ")

    def test_words_before_the_handshake(self, server):
        """What came in plain text before a handshake ends it: it might be anybody's."""

        def script(peer):
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            server.arrived.set()
            peer.is_left()

        server.serve(script)

        async def scenario():
            stream = await network.AsyncBackend().connect_tcp("127.0.0.1", server.port)
            await stream._protocol.wait(None, TimeoutError)
            with pytest.raises(httpcore.ConnectError, match="before the TLS handshake"):
                await stream.start_tls(http.tls_context(), "localhost")

        asyncio.run(scenario())
        assert server.left.wait(5)


def test_by_name(face, server):
    """A host of several addresses is reached at the one that answers."""
    server.serve(lambda peer: (peer.read_request(), peer.reply(b"ok"))[0])

    async def scenario():
        return await body_of(await face.call(HttpCall(url=f"http://localhost:{server.port}/")))

    assert face.run(scenario()) == b"ok"


def test_sent_in_one_piece(face, server):
    """Head and body of a request leave together."""
    pieces = []

    def script(peer):
        pieces.append(peer.sock.recv(65536))
        peer.reply(b"ok")

    url = server.http(script)

    async def scenario():
        return await body_of(await face.call(HttpCall(url=url, body=b"x" * 1000)))

    face.run(scenario())
    assert pieces[0].endswith(b"\r\n\r\n" + b"x" * 1000)


def test_answered_before_it_was_asked(face, server):
    """A refusal sent while a long request is still on its way is read all the same."""

    def script(peer):
        peer.reply(b"too long", status="413 Too Long")
        server.arrived.set()
        peer.sock.shutdown(socket.SHUT_WR)
        while not peer.is_left(0):
            pass

    url = server.http(script)

    async def scenario():
        conversation = await face.call(HttpCall(url=url, body=bytes(1 << 20)))
        return await conversation.receive(5.0)

    assert face.run(scenario()).status == 413


def test_request_not_taken(face, server):
    """A peer that takes no more of a request ends it at the limit on connecting and sending."""

    def script(peer):
        server.wait()

    url = server.http(script)

    async def scenario():
        conversation = await face.call(HttpCall(url=url, body=bytes(64 << 20)), 0.1)
        try:
            await conversation.receive(30.0)
        finally:
            await conversation.close()
            server.go.set()

    with pytest.raises(TimedOut) as caught:
        face.run(scenario())
    assert (caught.value.phase, caught.value.limit_s) == ("connect", 0.1)


def test_limits_of_two_in_turn(face, server):
    """Two calls read in turn by one caller keep each its own limits."""

    def script(peer):
        request = peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n12")
        if b"/slow" in request:
            server.wait()
            peer.is_left(0.2)
            peer.send(b"34")
        else:
            peer.is_left()

    address = server.serve(script)

    async def scenario():
        client = face.http()
        slow, silent = [
            face.keep(await client.open(HttpCall(url=f"http://{address}/{name}"), 5.0))
            for name in ("slow", "silent")
        ]
        for conversation in (slow, silent):
            await conversation.receive(5.0)
            await conversation.receive(5.0)
        with pytest.raises(TimeoutError):
            await silent.receive(0.02)
        server.go.set()
        return await slow.receive(30.0)

    assert face.run(scenario()) == BodyData(b"34")


class FakeTransport:
    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args: self.calls.append((name, *args))


class TestProtocol:
    def test_holds_back(self):
        """No more is read ahead than some 256 KB; reading on resumes once that is taken."""
        protocol, transport = network._Protocol(), FakeTransport()
        protocol.use(transport)
        for _ in range(4):
            protocol.data_received(bytes(64 * 1024))
        assert transport.calls == []
        protocol.data_received(b"x")
        assert transport.calls == [("pause_reading",)]
        taken = 0
        while protocol.pieces:
            assert transport.calls == [("pause_reading",)]
            taken += len(protocol.take(40_000))
        assert taken == 256 * 1024 + 1
        assert transport.calls == [("pause_reading",), ("resume_reading",)]

    def test_takes_in_order(self):
        """What is taken is what came, in order, at most as much as asked."""
        protocol = network._Protocol()
        for piece in (b"abcdefg", b"h", b"ijk"):
            protocol.data_received(piece)
        taken = []
        while protocol.pieces:
            taken.append(protocol.take(3))
        assert taken == [b"abc", b"def", b"g", b"h", b"ijk"]
        assert all(type(piece) is bytes for piece in taken)

    def test_reads_before_the_end(self):
        """What came before a connection was lost is read before the loss is told."""

        async def scenario():
            protocol = network._Protocol()
            stream = network._AsyncStream(FakeTransport(), protocol)
            protocol.data_received(b"ab")
            protocol.connection_lost(ConnectionResetError("gone"))
            assert await stream.read(10) == b"ab"
            with pytest.raises(httpcore.ReadError, match="gone"):
                await stream.read(10)

        asyncio.run(scenario())

    def test_waits_for_room(self):
        """Sending waits while the loop asks for it, and goes on when it no longer does."""

        async def scenario():
            protocol, transport = network._Protocol(), FakeTransport()
            stream = network._AsyncStream(transport, protocol)
            protocol.pause_writing()
            await stream.write(b"head")
            assert transport.calls == []
            reading = asyncio.create_task(stream.read(10))
            await asyncio.sleep(0)
            assert transport.calls == [("write", b"head")]
            protocol.data_received(b"ok")
            await asyncio.sleep(0)
            assert not reading.done()
            protocol.resume_writing()
            assert await reading == b"ok"

        asyncio.run(scenario())


class TestAnsweredAndGone:
    """A peer that has answered and left takes no request any more; its answer counts."""

    ANSWER = b"HTTP/1.1 413 Too Long\r\n\r\n"

    def test_async(self):
        """Nothing is sent to a peer that has left, and what it said is read."""

        async def scenario():
            protocol, transport = network._Protocol(), FakeTransport()
            stream = network._AsyncStream(transport, protocol)
            protocol.data_received(self.ANSWER)
            protocol.eof_received()
            await stream.write(b"request")
            assert await stream.read(100) == self.ANSWER
            assert await stream.read(100) == b""
            assert transport.calls == []

        asyncio.run(scenario())

    def test_sync(self):
        """A request that cannot be sent does not keep the answer from being read."""

        class Inner(httpcore.NetworkStream):
            def write(self, buffer, timeout=None):
                raise httpcore.WriteError

            def read(self, max_bytes, timeout=None):
                return TestAnsweredAndGone.ANSWER

        stream = network._BlockingStream(Inner())
        stream.write(b"request")
        assert stream.read(100) == self.ANSWER


class TestAlarm:
    @staticmethod
    def late_after(*limits):
        """Wait for nothing with each limit in turn; return how long each took of the clock."""

        async def scenario():
            loop = asyncio.get_running_loop()
            protocol = network._Protocol()
            took = []
            for limit_s in limits:
                begun = loop.time()
                if limit_s > 1:
                    loop.call_soon(protocol.data_received, b"x")
                    await protocol.wait(begun + limit_s, httpcore.ReadTimeout)
                else:
                    with pytest.raises(httpcore.ReadTimeout):
                        await protocol.wait(begun + limit_s, httpcore.ReadTimeout)
                took.append(loop.time() - begun)
            protocol.connection_lost(None)
            assert protocol._alarm is None
            return took

        return asyncio.run(scenario())

    def test_shorter_later(self):
        """A shorter limit holds although a longer one was set before."""
        assert self.late_after(100.0, 0.02)[1] < 50

    def test_longer_later(self):
        """A longer limit is not cut short by what was set for an earlier wait."""
        short, long = self.late_after(0.02, 0.1)
        assert short >= 0.02
        assert long >= 0.1


def test_asyncio_alone(server, monkeypatch):
    """The async face connects, sends and reads without the library's own backends."""

    async def refuse(*args, **options):
        raise AssertionError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", refuse)
    url = server.http(lambda peer: (peer.read_request(), peer.reply(b"ok"))[0])

    async def scenario():
        client = http.AsyncHttp()
        conversation = await client.open(HttpCall(url=url), 5.0)
        body = await body_of(conversation)
        await conversation.close()
        await client.close()
        return body

    assert asyncio.run(scenario()) == b"ok"
