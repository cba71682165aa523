"""HTTP over both faces, against a server on this machine."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import ssl
import threading
import time
import traceback
import zlib

import httpcore2 as httpcore
import pytest

from vivavoce.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidValue,
    SettingsError,
    StreamStateError,
    TimedOut,
    TransportError,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce.model.secret import Secret
from vivavoce.transport import http
from vivavoce.transport.address import Address
from vivavoce.transport.base import run_blocking
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted

KEY = "sk-0123456789abcdef"
ADDRESS = Address(host="tts.example", port=None, is_loopback=False)


async def read_all(conversation, timeout_s=5.0):
    """Return status and headers, and the body, of a reply that must come whole."""
    started = await conversation.receive(timeout_s)
    assert isinstance(started, ResponseStarted)
    body = b""
    while isinstance(event := await conversation.receive(timeout_s), BodyData):
        body += event.data
    assert event == BodyEnd()
    return started, body


def replying(*pieces):
    def script(peer):
        peer.read_request()
        for piece in pieces:
            peer.send(piece)

    return script


class TestReply:
    BODY = bytes(range(256)) * 700

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 179200\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n",
        ],
        ids=["by length", "to the end", "1.0"],
    )
    def test_whole(self, face, server, head):
        """A reply is its start, its body in any number of pieces, and its end."""
        url = server.http(replying(head, self.BODY))

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        started, body = face.run(scenario())
        assert started.status == 200
        assert body == self.BODY

    @pytest.mark.parametrize("size", [1, 7, 4096])
    def test_chunked(self, face, server, size):
        """The borders of a chunked body mean nothing."""
        body = self.BODY[:9000]
        chunks = [body[i : i + size] for i in range(0, len(body), size)]
        url = server.http(
            replying(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks),
                b"0\r\n\r\n",
            )
        )

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        assert face.run(scenario())[1] == body

    def test_headers(self, face, server):
        """Header names come in lower case, and repeated ones joined by a comma."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply(headers=RAW))[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        headers = face.run(scenario())[0].headers
        assert headers["x-request-id"] == "7f3c"
        assert headers["x-note"] == "one, two"

    @pytest.mark.parametrize("status", [204, 302, 404, 500])
    def test_any_status(self, face, server, status):
        """A status of any kind is given out, for the exchange to judge."""
        url = server.http(replying(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status))

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        assert face.run(scenario())[0].status == status

    def test_sent(self, face, server):
        """Method, target, headers and body are sent as given, secrets revealed."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply())[0])
        headers = {"Authorization": Secret(KEY).prefixed("Bearer "), "X-Region": "eu"}
        call = HttpCall(url=f"{url}?a=b%20c", headers=headers, body=b'{"text":"hi"}')

        async def scenario():
            return await read_all(await face.call(call))

        face.run(scenario())
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        assert head.startswith(b"POST /speech?a=b%20c HTTP/1.1\r\n")
        assert body == call.body
        assert b"authorization: bearer " + KEY.encode() in lines
        assert b"x-region: eu" in lines
        assert b"accept-encoding: identity" in lines

    def test_host(self, face, server):
        """The host is named with its port, an IPv6 address in brackets."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply())[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        face.run(scenario())
        assert f"\r\nhost: 127.0.0.1:{server.port}\r\n".encode() in server.requests[0].lower()
        address = Address(host="::1", port=8080, is_loopback=True, scheme="http")
        (host, *_) = http._build(HttpCall(url="http://[::1]:8080/"), address).headers
        assert host == (b"host", b"[::1]:8080")

    def test_empty_body(self, face, server):
        """A body that is empty although the method has one is said to be empty."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply())[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        face.run(scenario())
        assert b"\r\ncontent-length: 0\r\n" in server.requests[0].lower()

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_without_body(self, face, server, method):
        """A call without a body sends none."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply())[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(method=method, url=url)))

        face.run(scenario())
        assert server.requests[0].startswith(method.encode() + b" /speech ")
        assert b"content-length" not in server.requests[0].lower()

    def test_own_accept(self, face, server):
        """A header of the call stands in for the default of the same name."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply())[0])
        call = HttpCall(url=url, headers={"ACCEPT": "audio/wav"})

        async def scenario():
            return await read_all(await face.call(call))

        face.run(scenario())
        assert server.requests[0].lower().count(b"\r\naccept: ") == 1
        assert b"audio/wav" in server.requests[0]


RAW = "X-Request-Id: 7f3c\r\nX-Note: one\r\nX-Note: two\r\n"


class TestEncodedBody:
    @pytest.mark.parametrize(
        ("encoding", "pack"),
        [
            ("gzip", gzip.compress),
            ("deflate", zlib.compress),
            ("deflate", lambda data: zlib.compress(data)[2:-4]),
            ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
            ("identity", bytes),
        ],
        ids=["gzip", "deflate", "deflate without its frame", "both", "neither"],
    )
    def test_decoded(self, face, server, encoding, pack):
        """A body compressed against our wish is given out plain."""
        packed = pack(TestReply.BODY)
        headers = f"Content-Encoding: {encoding}\r\n"
        url = server.http(
            lambda peer: (peer.read_request(), peer.reply(packed, headers=headers))[0]
        )

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        assert face.run(scenario())[1] == TestReply.BODY

    def test_unknown(self, face, server):
        """A body in an encoding that cannot be undone is refused, not taken for audio."""
        headers = "Content-Encoding: br\r\n"
        url = server.http(lambda peer: (peer.read_request(), peer.reply(b"??", headers=headers))[0])

        async def scenario():
            await (await face.call(HttpCall(url=url))).receive(5.0)

        with pytest.raises(UnexpectedReply, match="br"):
            face.run(scenario())

    def test_cut_short(self, face, server):
        """A compressed body that ends in the middle is an unreadable reply, not a shorter one."""
        packed = gzip.compress(TestReply.BODY)[:-10]
        headers = "Content-Encoding: gzip\r\n"
        url = server.http(
            lambda peer: (peer.read_request(), peer.reply(packed, headers=headers))[0]
        )

        async def scenario():
            await read_all(await face.call(HttpCall(url=url)))

        with pytest.raises(UnexpectedReply, match="could not be read"):
            face.run(scenario())

    def test_broken(self, face, server):
        """A compressed body that is none is an unreadable reply."""
        headers = "Content-Encoding: gzip\r\n"
        url = server.http(
            lambda peer: (peer.read_request(), peer.reply(b"not gzip", headers=headers))[0]
        )

        async def scenario():
            await read_all(await face.call(HttpCall(url=url)))

        with pytest.raises(UnexpectedReply, match="could not be read"):
            face.run(scenario())


class TestBounds:
    def test_too_long(self, face, server):
        """A body above its bound is refused as soon as it passes it."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1000))
            while not peer.is_left(0):
                peer.send(bytes(65536))

        url = server.http(script)

        async def scenario():
            await read_all(await face.call(HttpCall(url=url, max_body_bytes=100_000)))

        with pytest.raises(UnexpectedReply, match="100000 bytes"):
            face.run(scenario())

    def test_exact(self, face, server):
        """A body of just its bound is allowed."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply(bytes(1000)))[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url, max_body_bytes=1000)))

        assert len(face.run(scenario())[1]) == 1000

    def test_many_at_once(self, face, server):
        """More calls than the library's default of 100 connections run at once."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
            server.wait()
            peer.send(b"ok")

        url = server.http(script)

        async def scenario():
            client = face.http()
            calls = [face.keep(await client.open(HttpCall(url=url), 5.0)) for _ in range(103)]
            started = [await call.receive(5.0) for call in calls]
            server.go.set()
            return started

        assert len(face.run(scenario())) == 103


class TestCutShort:
    @pytest.mark.parametrize(
        "pieces",
        [
            [],
            [b"HTTP/1.1 200"],
            [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"],
            [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", b"123456789"],
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"5\r\n12"],
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"2\r\n12\r\n"],
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"zz\r\n12\r\n"],
            [b"\x16\x03\x01garbage\r\n\r\n"],
        ],
        ids=["nothing", "status", "no body", "body", "chunk", "no last chunk", "size", "garbled"],
    )
    def test_lost(self, face, server, pieces):
        """A reply that ends before its end, or is none, is a lost connection."""
        url = server.http(replying(*pieces))

        async def scenario():
            await read_all(await face.call(HttpCall(url=url)))

        with pytest.raises(ConnectionLost) as caught:
            face.run(scenario())
        assert caught.value.retryable
        assert caught.value.__cause__ is not None

    def test_reset(self, face, server):
        """A connection reset in the middle is a lost connection, after what came before."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
            server.wait()
            peer.reset()

        url = server.http(script)

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.receive(5.0)
            data = await conversation.receive(5.0)
            server.go.set()
            with pytest.raises(ConnectionLost):
                await conversation.receive(5.0)
            return data

        assert face.run(scenario()) == BodyData(b"12345")


class TestLimits:
    def test_no_headers(self, face, server):
        """A server that never answers ends the receive at its limit."""

        def script(peer):
            peer.read_request()
            peer.is_left()

        url = server.http(script)

        async def scenario():
            await (await face.call(HttpCall(url=url))).receive(0.05)

        with pytest.raises(TimeoutError) as caught:
            face.run(scenario())
        assert not isinstance(caught.value, VivavoceError)
        assert server.left.wait(5)

    def test_falls_silent(self, face, server):
        """A server that falls silent ends the receive at that receive's own limit."""
        url = server.http(silent_after(b"12345"))

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.receive(30.0)
            await conversation.receive(30.0)
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                await conversation.receive(0.05)
            return time.monotonic() - begun

        assert face.run(scenario()) < 5.0

    def test_longer_limit_later(self, face, server):
        """A longer limit holds although an earlier receive had a shorter one."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n12")
            server.wait()
            peer.is_left(0.3)
            peer.send(b"34")

        url = server.http(script)

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.receive(0.2)
            await conversation.receive(0.2)
            server.go.set()
            return await conversation.receive(30.0)

        assert face.run(scenario()) == BodyData(b"34")

    def test_dripping(self, face, server):
        """Bytes that drip do not put the limit off while they make no event."""

        def script(peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\nx: ")
            while not peer.is_left(0.005):
                peer.send(b"a")

        url = server.http(script)

        async def scenario():
            await (await face.call(HttpCall(url=url))).receive(0.1)

        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            face.run(scenario())
        assert time.monotonic() - begun < 5.0

    def test_no_end_after_timeout(self, face, server):
        """After a timeout a further receive is refused; it never looks like the end."""
        url = server.http(silent_after(b"12345"))

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.receive(5.0)
            await conversation.receive(5.0)
            with pytest.raises(TimeoutError):
                await conversation.receive(0.02)
            with pytest.raises(StreamStateError):
                await conversation.receive(5.0)

        face.run(scenario())

    def test_connect(self, face, server):
        """A connection not made within its limit says so, and which limit it was."""
        address = server.serve(lambda peer: peer.is_left())  # never answers the TLS hello

        async def scenario():
            conversation = await face.call(HttpCall(url=f"https://{address}/"), 0.05)
            await conversation.receive(30.0)

        with pytest.raises(TimedOut) as caught:
            face.run(scenario())
        assert (caught.value.phase, caught.value.limit_s) == ("connect", 0.05)
        assert caught.value.retryable

    def test_receive_limit_while_connecting(self, face, server):
        """The receive's own limit holds also while there is no connection yet."""
        address = server.serve(lambda peer: peer.is_left())

        async def scenario():
            await (await face.call(HttpCall(url=f"https://{address}/"), 30.0)).receive(0.05)

        with pytest.raises(TimeoutError) as caught:
            face.run(scenario())
        assert not isinstance(caught.value, TimedOut)

    def test_headers_are_no_connecting(self, face, server):
        """The limit on connecting does not count the wait for the headers."""

        def script(peer):
            peer.read_request()
            peer.is_left(0.3)
            peer.reply(b"late")

        url = server.http(script)

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url), 0.1))

        assert face.run(scenario())[1] == b"late"

    def test_connected_in_time(self, face, server):
        """A wait for the headers is never blamed on the connection, once that is made."""

        def script(peer):
            peer.read_request()
            peer.is_left()

        url = server.http(script)

        async def scenario():
            await (await face.call(HttpCall(url=url), 0.1)).receive(0.2)

        with pytest.raises(TimeoutError) as caught:
            face.run(scenario())
        assert not isinstance(caught.value, TimedOut)

    def test_none(self, face, server):
        """None waits without a limit."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply(b"ok"))[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url), None), None)

        assert face.run(scenario())[1] == b"ok"

    def test_zero(self, face, server):
        """A limit of 0, as when a deadline has just passed, is a timeout like another."""
        url = server.http(lambda peer: peer.is_left())

        async def scenario():
            await (await face.call(HttpCall(url=url))).receive(0.0)

        with pytest.raises(TimeoutError):
            face.run(scenario())


def silent_after(data):
    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + data)
        peer.is_left()

    return script


class TestRefused:
    @pytest.mark.parametrize(
        "url",
        [
            "http://tts.example/",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://192.0.2.1/",
            "http://[::2]/",
            "http://0.0.0.0/",
            "ftp://127.0.0.1/",
            "ws://127.0.0.1/",
            "127.0.0.1/speech",
            "//127.0.0.1/",
            "https://",
            "https:///path",
            "https://a..b/",
            f"https://{'a' * 64}.example/",
            "https://tts.example:99999/",
            "https://tts.example:port/",
            "https://[::1/",
            "https://tts.example/a b",
            "https://tts.example/\r\nx: y",
            "http://127.0.0.1\\@tts.example/",
            "https://tts.example\\@127.0.0.1/",
            f"https://user:{KEY}@tts.example/",
            "https://bücher.example/",
            "",
        ],
    )
    def test_address(self, face, url):
        """An address without TLS to elsewhere, or one not well formed, is refused unsent."""

        async def scenario():
            await face.call(HttpCall(url=url))

        with pytest.raises(InvalidValue) as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "LOCALHOST"])
    def test_loopback(self, face, host):
        """This machine may be called without TLS."""

        async def scenario():
            await face.call(HttpCall(url=f"http://{host}:1/"))

        face.run(scenario())

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("X-Key", f"{KEY}\nX-Other: 1"),
            ("X-Key", f"{KEY}\r"),
            ("X-Key", f"{KEY}\0"),
            ("X-Key", f"{KEY}é"),
            ("X-Key", f"{KEY}\u2028"),
            ("X-Key\r\nX-Other", "1"),
            ("X Key", "1"),
            ("", "1"),
        ],
    )
    def test_header(self, face, server, name, value):
        """A header that cannot be sent is refused before a connection, unquoted."""
        url = server.http(lambda peer: peer.is_left())
        secret = Secret("x")
        secret._value = value  # a Secret takes white space off; here it stands inside

        async def scenario():
            await face.call(HttpCall(url=url, headers={name: secret}))

        with pytest.raises(InvalidValue) as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert server.connections == 0

    def test_method(self, face, server):
        """A method that is none is refused without a word of it sent."""
        url = server.http(lambda peer: peer.is_left())

        async def scenario():
            conversation = await face.call(HttpCall(url=url, method="GET /x"))
            await conversation.receive(5.0)

        with pytest.raises(InvalidValue):
            face.run(scenario())

    def test_message(self, face, server):
        """An HTTP call takes no messages."""
        url = server.http(lambda peer: peer.is_left())

        async def scenario():
            await (await face.call(HttpCall(url=url))).send("hello")

        with pytest.raises(StreamStateError, match="no messages"):
            face.run(scenario())


class TestNoConnection:
    def test_refused(self, face, server):
        """A port nobody listens on is a failed connection that names the address."""
        port = server.port
        server.serve(lambda peer: None)
        server.close()

        async def scenario():
            await (await face.call(HttpCall(url=f"http://127.0.0.1:{port}/"))).receive(5.0)

        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}") as caught:
            face.run(scenario())
        assert caught.value.retryable

    def test_no_tls(self, face, server):
        """A server that speaks no TLS is a failed connection."""

        def script(peer):
            peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            peer.is_left(1.0)

        address = server.serve(script)

        async def scenario():
            await (await face.call(HttpCall(url=f"https://{address}/"))).receive(5.0)

        with pytest.raises(ConnectFailed):
            face.run(scenario())


class TestRedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_not_followed(self, face, server, status):
        """A redirect is given out and not followed, so no key goes where it points."""

        def script(peer):
            peer.read_request()
            target = f"Location: http://127.0.0.1:{server.port}/elsewhere\r\n"
            peer.reply(status=f"{status} X", headers=target)
            peer.is_left(0.1)

        url = server.http(script)

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        assert face.run(scenario())[0].status == status
        assert len(server.requests) == 1


class TestClose:
    def test_at_once(self, face, server):
        """Closing in the middle ends the connection at once and is harmless twice."""
        url = server.http(silent_after(b"12345"))

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.receive(5.0)
            await conversation.receive(5.0)
            begun = time.monotonic()
            await conversation.close()
            await conversation.close()
            return time.monotonic() - begun

        assert face.run(scenario()) < 1.0
        assert server.left.wait(5)

    def test_unread_body(self, face, server):
        """Closing after the headers alone ends the connection too."""
        url = server.http(silent_after(b"12345"))

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.receive(5.0)
            await conversation.close()

        face.run(scenario())
        assert server.left.wait(5)

    def test_never_received(self, face, server):
        """A call closed before its first receive never connects."""
        url = server.http(lambda peer: peer.is_left())

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await conversation.close()
            with pytest.raises(StreamStateError):
                await conversation.receive(5.0)

        face.run(scenario())
        assert server.connections == 0

    def test_after_end(self, face, server):
        """After the end of the body a further receive is refused."""
        url = server.http(lambda peer: (peer.read_request(), peer.reply(b"ok"))[0])

        async def scenario():
            conversation = await face.call(HttpCall(url=url))
            await read_all(conversation)
            with pytest.raises(StreamStateError):
                await conversation.receive(5.0)

        face.run(scenario())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cancelled(server, scheme):
    """A task cancelled while it waits, for TLS or for headers, leaves no connection."""

    def script(peer):
        server.arrived.set()
        peer.is_left()
        peer.is_left()

    address = server.serve(script)

    async def scenario():
        client = http.AsyncHttp()
        conversation = await client.open(HttpCall(url=f"{scheme}://{address}/"), 30.0)
        task = asyncio.create_task(conversation.receive(30.0))
        await asyncio.to_thread(server.arrived.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await conversation.close()
        await client.close()

    asyncio.run(scenario())
    assert server.left.wait(5)


class TestReuse:
    @staticmethod
    def two_replies(peer):
        while peer.read_request():
            peer.reply(b"12345", headers="Set-Cookie: who=you\r\n")

    def test_kept(self, face, server):
        """After a whole reply the connection serves the next call."""
        url = server.http(self.two_replies)

        async def scenario():
            client = face.http()
            for _ in range(3):
                conversation = face.keep(await client.open(HttpCall(url=url), 5.0))
                await read_all(conversation)
                await conversation.close()

        face.run(scenario())
        assert (server.connections, len(server.requests)) == (1, 3)

    def test_no_cookies(self, face, server):
        """One call leaves no cookie for the next."""
        url = server.http(self.two_replies)

        async def scenario():
            client = face.http()
            for _ in range(2):
                await read_all(face.keep(await client.open(HttpCall(url=url), 5.0)))

        face.run(scenario())
        assert b"cookie" not in server.requests[1].lower()

    def test_not_after_leaving(self, face, server):
        """A connection left in the middle of a reply is never used again."""

        def script(peer):
            while peer.read_request():
                peer.reply(bytes(1_000_000))

        url = server.http(script)

        async def scenario():
            client = face.http()
            for _ in range(2):
                conversation = face.keep(await client.open(HttpCall(url=url), 5.0))
                await conversation.receive(5.0)
                await conversation.receive(5.0)
                await conversation.close()

        face.run(scenario())
        assert server.connections == 2

    def test_stale(self, face, server):
        """A kept connection the server has closed meanwhile is replaced by a new one."""

        def script(peer):
            peer.read_request()
            peer.reply(b"12345")
            peer.sock.close()
            server.go.set()

        url = server.http(script)

        async def scenario():
            client = face.http()
            await read_all(face.keep(await client.open(HttpCall(url=url), 5.0)))
            server.wait()
            return await read_all(face.keep(await client.open(HttpCall(url=url), 5.0)))

        assert face.run(scenario())[1] == b"12345"

    def test_close_twice(self, face, server):
        """Closing the connections kept for reuse is harmless when repeated."""
        url = server.http(self.two_replies)

        async def scenario():
            client = face.http()
            await read_all(face.keep(await client.open(HttpCall(url=url), 5.0)))
            await client.close()
            await client.close()

        face.run(scenario())

    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
    def test_another_loop(self, server):
        """An async client works on in a second event loop after its first has ended."""
        url = server.http(self.two_replies)
        client = http.AsyncHttp()

        async def scenario():
            conversation = await client.open(HttpCall(url=url), 5.0)
            return (await read_all(conversation))[1]

        assert [asyncio.run(scenario()) for _ in range(2)] == [b"12345", b"12345"]
        asyncio.run(client.close())  # in a third; what the others left cannot be closed
        gc.collect()  # warns, as asyncio does of whatever outlives its loop

    def test_two_threads(self, server):
        """A sync client serves threads at once, each with its own limits."""
        url = server.http(silent_after(b"12345"))
        client = http.BlockingHttp()
        face_of = {}

        def read(name, limit_s):
            begun = time.monotonic()
            conversation = run_blocking(client.open(HttpCall(url=url), 5.0))
            for _ in range(2):
                run_blocking(conversation.receive(5.0))
            with pytest.raises(TimeoutError):
                run_blocking(conversation.receive(limit_s))
            face_of[name] = time.monotonic() - begun

        threads = [
            threading.Thread(target=read, args=("short", 0.05)),
            threading.Thread(target=read, args=("long", 0.6)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        run_blocking(client.close())
        assert face_of["short"] < 0.5 < face_of["long"]


class TestProxy:
    def test_not_for_loopback(self, face, server, monkeypatch):
        """Calls to this machine ask no proxy, whatever the environment says."""
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        url = server.http(lambda peer: (peer.read_request(), peer.reply(b"direct"))[0])

        async def scenario():
            return await read_all(await face.call(HttpCall(url=url)))

        assert face.run(scenario())[1] == b"direct"

    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_asked(self, face, server, monkeypatch, scheme):
        """Other calls go through the proxy the environment names, the key hidden from it."""

        def script(peer):
            peer.read_request()
            peer.reply(status="407 Proxy Authentication Required")

        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("https_proxy", f"{scheme}{server.serve(script)}")
        call = HttpCall(url="https://tts.example/speech", headers={"X-Key": Secret(KEY)})

        async def scenario():
            await (await face.call(call)).receive(5.0)

        with pytest.raises(ConnectFailed, match="407"):
            face.run(scenario())
        assert server.requests[0].startswith(b"CONNECT tts.example:443 ")
        assert KEY.encode() not in server.requests[0]

    def test_password(self, face, server, monkeypatch):
        """A name and a password in the proxy's address are shown to it, and to it alone."""

        def script(peer):
            peer.read_request()
            peer.reply(status="407 Proxy Authentication Required")

        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("https_proxy", f"http://me:p%40ss@{server.serve(script)}")

        async def scenario():
            await (await face.call(HttpCall(url="https://tts.example/"))).receive(5.0)

        with pytest.raises(ConnectFailed):
            face.run(scenario())
        expected = b"proxy-authorization: Basic " + base64.b64encode(b"me:p@ss")
        assert expected.lower() in server.requests[0].lower()

    def test_asked_once(self, face, monkeypatch):
        """The environment is asked once for each host, however many calls there are."""
        asked = []
        monkeypatch.setattr(http, "_environment_proxy", asked.append)
        client = face.http()

        async def scenario():
            for url in ("https://a.example/1", "https://a.example/2", "https://b.example/"):
                face.keep(await client.open(HttpCall(url=url), 5.0))

        face.run(scenario())
        assert asked == ["a.example", "b.example"]

    def test_left_out(self, face, server, monkeypatch):
        """A host in NO_PROXY is called directly."""
        server.serve(lambda peer: peer.is_left())
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("no_proxy", "192.0.2.1")

        async def scenario():
            conversation = await face.call(HttpCall(url="https://192.0.2.1/"), 0.05)
            await conversation.receive(0.05)

        with pytest.raises((TimeoutError, TransportError)):
            face.run(scenario())
        assert server.connections == 0

    @pytest.mark.parametrize("proxy", [f"socks5://me:{KEY}@127.0.0.1:1", f"gopher://{KEY}/"])
    def test_unusable(self, face, monkeypatch, proxy):
        """A proxy that cannot be used is a setting to change, its password unshown."""
        monkeypatch.setenv("https_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)

        async def scenario():
            await face.call(HttpCall(url="https://tts.example/"))

        with pytest.raises(SettingsError, match="HTTPS_PROXY") as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))


class TestSecrets:
    def test_unshown(self, face, server):
        """Neither a conversation nor its error shows a key, with all its causes."""
        url = server.http(replying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"))
        call = HttpCall(url=url, headers={"Authorization": Secret(f"Bearer {KEY}")})

        async def scenario():
            conversation = await face.call(call)
            shown = repr(conversation) + repr(call)
            await conversation.receive(5.0)
            with pytest.raises(ConnectionLost) as caught:
                await conversation.receive(5.0)
            return shown + "".join(traceback.format_exception(caught.value))

        assert KEY not in face.run(scenario())


def library_errors():
    found = [
        value
        for value in vars(httpcore).values()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and not issubclass(value, Warning)
    ]
    assert len(found) >= 14
    return sorted(found, key=lambda error: error.__name__)


@pytest.mark.parametrize("kind", library_errors(), ids=lambda kind: kind.__name__)
class TestEveryLibraryError:
    def test_mapped(self, face, monkeypatch, kind):
        """Every error of the library becomes one of ours, or a timeout."""
        caught = self.raised_in_a_call(face, monkeypatch, kind("said"))
        assert "tts.example" in str(caught)
        assert type(caught) is not TransportError or kind in GENERAL

    def test_chained(self, face, monkeypatch, kind):
        """The library's error is kept as the cause, save where it may quote what we send."""
        error = kind("said")
        caught = self.raised_in_a_call(face, monkeypatch, error)
        if isinstance(caught, InvalidValue):
            assert caught.__cause__ is None
            assert caught.__suppress_context__
            assert "said" not in str(caught)
        else:
            assert caught.__cause__ is error

    @staticmethod
    def raised_in_a_call(face, monkeypatch, error):
        def fail(self, request):
            raise error

        async def fail_async(self, request):
            raise error

        monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", fail)
        monkeypatch.setattr(httpcore.AsyncConnectionPool, "handle_async_request", fail_async)

        async def scenario():
            conversation = await face.call(HttpCall(url="https://tts.example/"))
            await conversation.receive(5.0)

        with pytest.raises((VivavoceError, TimeoutError)) as caught:
            face.run(scenario())
        return caught.value


# Said of the library's own pool, or roots of its tree, which it never raises by themselves.
GENERAL = {httpcore.ConnectionNotAvailable, httpcore.ProtocolError}


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (httpcore.ConnectTimeout("x"), TimeoutError),
        (httpcore.PoolTimeout("x"), TimeoutError),
        (httpcore.ConnectError("x"), ConnectFailed),
        (httpcore.ProxyError("x"), ConnectFailed),
        (httpcore.ReadError("x"), ConnectionLost),
        (httpcore.RemoteProtocolError("x"), ConnectionLost),
        (zlib.error("x"), UnexpectedReply),
        (httpcore.LocalProtocolError("x"), InvalidValue),
        (httpcore.UnsupportedProtocol("x"), InvalidValue),
        (OSError("x"), ConnectionLost),
        (ssl.SSLError("x"), ConnectionLost),
        (UnicodeError("x"), InvalidValue),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else value.__name__,
)
def test_meaning(error, meaning):
    """Each kind of failure has the error by which a reader knows what to do."""
    assert type(http.explain(error, ADDRESS)) is meaning


def test_system_timeout():
    """A timeout of the system stays the timeout it is."""
    error = TimeoutError("x")
    with pytest.raises(TimeoutError) as caught:
        http.raise_meaning(error, ADDRESS)
    assert caught.value is error
    assert caught.value.__cause__ is None


def test_one_tls_context():
    """There is one TLS context in a process, whoever asks first."""
    found = set()
    threads = [threading.Thread(target=lambda: found.add(http.tls_context())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 1


def test_made_once(face, server, monkeypatch):
    """However many calls and clients there are, one TLS context is made, and one pool a client."""

    def script(peer):
        while peer.read_request():
            peer.reply(b"ok")

    made = []
    new = ssl.SSLContext.__new__

    def counted(cls, *args, **options):
        made.append(cls)
        return new(cls, *args, **options)

    monkeypatch.setattr(http, "_tls", None)
    monkeypatch.setattr(ssl.SSLContext, "__new__", counted)
    url = server.http(script)

    async def scenario():
        for client in (face.http(), face.http()):
            for _ in range(3):
                conversation = face.keep(await client.open(HttpCall(url=url), 5.0))
                await read_all(conversation)
                await conversation.close()
            assert len(client._pools) == 1

    face.run(scenario())
    assert len(made) == 1
    assert server.connections == 2
