"""WebSockets over both faces, against a server on this machine."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
import traceback
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets import exceptions as ws
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Response
from websockets.protocol import State
from websockets.sync.server import serve
from websockets.uri import parse_uri
from websockets.utils import accept_key

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
from vivavoce.transport import websocket
from vivavoce.transport.address import Address
from vivavoce.transport.base import HandshakeRefused, run_blocking
from vivavoce.transport.websocket import BlockingWebSocket
from vivavoce.wire.websocket import MessageReceived, PeerClosed, SocketOpened, WebSocketCall

KEY = "sk-0123456789abcdef"
ADDRESS = Address(host="tts.example", port=None, is_loopback=False)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@contextmanager
def library_server(handler, **options):
    """A server we did not write, in a thread; gives its address."""
    with serve(handler, "127.0.0.1", 0, **options) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{running.socket.getsockname()[1]}/speech"
        finally:
            running.shutdown()
            thread.join(10)


async def receive_until_closed(conversation):
    """Return the messages and the event that ended them."""
    assert isinstance(await conversation.receive(5.0), SocketOpened)
    messages = []
    while isinstance(event := await conversation.receive(5.0), MessageReceived):
        messages.append(event)
    return messages, event


async def send_for_ever(conversation):
    while True:
        await conversation.send("x")


def sending(*frames):
    """Return a script that sends frames (opcode, data) and waits for the client to leave."""

    def script(peer):
        peer.shake_hands()
        for opcode, data in frames:
            peer.send_frame(opcode, data)
        peer.is_left()

    return script


class TestConversation:
    def test_echo(self, face):
        """Text and binary messages go both ways and stay what they were."""

        def handler(connection):
            for message in connection:
                connection.send(message)

        async def scenario(url):
            conversation = await face.connect(WebSocketCall(url=url))
            opened = await conversation.receive(5.0)
            events = []
            for message in ("héllo \u2028", b"\x00\xff", "", "x" * 100_000):
                await conversation.send(message)
                events.append(await conversation.receive(5.0))
            await conversation.close()
            return opened, events

        with library_server(handler) as url:
            opened, events = face.run(scenario(url))
        assert opened.headers["upgrade"].lower() == "websocket"
        assert events == [
            MessageReceived("héllo \u2028".encode(), is_text=True),
            MessageReceived(b"\x00\xff", is_text=False),
            MessageReceived(b"", is_text=True),
            MessageReceived(b"x" * 100_000, is_text=True),
        ]

    def test_first(self, face):
        """The first messages are sent right after the handshake, in order."""
        came = []
        done = threading.Event()

        def handler(connection):
            came.extend(connection.recv() for _ in range(3))
            done.set()
            connection.recv()

        async def scenario(url):
            first = ("open", b"\x01", "text")
            conversation = await face.connect(WebSocketCall(url=url, first=first))
            # Without a receive.
            assert await asyncio.to_thread(done.wait, 5) if face.is_async else done.wait(5)
            await conversation.close()

        with library_server(handler) as url:
            face.run(scenario(url))
        assert came == ["open", b"\x01", "text"]

    @pytest.mark.parametrize("size", [10, 40_000])
    def test_many_at_once(self, face, size):
        """Messages said without a pause arrive whole and in order, also more than goes at once."""
        said = [f"{number:0{size}}" for number in range(20)]
        came = []
        done = threading.Event()

        def handler(connection):
            came.extend(connection.recv() for _ in said)
            done.set()

        async def scenario(url):
            conversation = await face.connect(WebSocketCall(url=url))
            for message in said:
                await conversation.send(message)
            assert await asyncio.to_thread(done.wait, 5) if face.is_async else done.wait(5)
            await conversation.close()

        with library_server(handler) as url:
            face.run(scenario(url))
        assert came == said

    def test_a_blocked_loop(self, face):
        """What was said before is sent, though the caller never lets the loop turn."""
        came = threading.Event()

        def handler(connection):
            assert connection.recv() == "1"
            came.set()
            connection.recv()

        async def scenario(url):
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.send("1")
            time.sleep(0.05)  # noqa: ASYNC251 - as a source does that is not made for a loop
            await conversation.send("2")
            assert came.wait(5)
            await conversation.close()

        with library_server(handler) as url:
            face.run(scenario(url))

    def test_held_back(self, face):
        """More messages than are read ahead come all, in order, once they are read."""

        def handler(connection):
            for number in range(100):
                connection.send(str(number))
            connection.recv()

        async def scenario(url):
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.receive(5.0)
            if face.is_async:
                await asyncio.sleep(0.05)
            messages = [await conversation.receive(5.0) for _ in range(100)]
            await conversation.close()
            return messages

        with library_server(handler) as url:
            messages = face.run(scenario(url))
        assert [int(message.data) for message in messages] == list(range(100))

    def test_sent(self, face, server):
        """Headers are sent as given, secrets revealed, and no compression is offered."""
        url = server.ws(sending())
        headers = {"Authorization": Secret(KEY).prefixed("bearer "), "X-Region": "eu"}

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url + "?a=b", headers=headers))
            return await conversation.receive(5.0)

        opened = face.run(scenario())
        lines = server.requests[0].split(b"\r\n")
        assert lines[0] == b"GET /speech?a=b HTTP/1.1"
        assert b"Authorization: bearer " + KEY.encode() in lines
        assert b"X-Region: eu" in lines
        assert b"sec-websocket-extensions" not in server.requests[0].lower()
        assert opened.headers["x-id"] == "a, b"

    def test_fragments(self, face, server):
        """A message in fragments is one message, of the kind of its first."""

        def script(peer):
            peer.shake_hands()
            peer.send_frame(BINARY, b"ab", is_final=False)
            peer.send_frame(PING, b"?")
            peer.send_frame(0, b"cd", is_final=False)
            peer.send_frame(0, b"ef")
            peer.send_frame(TEXT, b"g")
            peer.is_left()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            return [await conversation.receive(5.0) for _ in range(3)][1:]

        assert face.run(scenario()) == [
            MessageReceived(b"abcdef", is_text=False),
            MessageReceived(b"g", is_text=True),
        ]

    def test_text_is_not_decoded(self, face, server):
        """Text is given out as the bytes it came in, also where they are no UTF-8."""
        url = server.ws(sending((TEXT, b"\xff\xfe")))

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.receive(5.0)
            return await conversation.receive(5.0)

        assert face.run(scenario()) == MessageReceived(b"\xff\xfe", is_text=True)

    def test_byte_by_byte(self, face, server):
        """The borders of what the network delivers mean nothing."""

        def script(peer):
            peer.shake_hands()
            for byte in b"\x81\x05hello\x82\x02\x00\x01":
                peer.send(bytes([byte]))
            peer.is_left()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            return [await conversation.receive(5.0) for _ in range(3)][1:]

        assert face.run(scenario()) == [
            MessageReceived(b"hello", is_text=True),
            MessageReceived(b"\x00\x01", is_text=False),
        ]


class TestEnd:
    @pytest.mark.parametrize(
        ("payload", "event"),
        [
            (b"\x03\xe8bye", PeerClosed(1000, "bye")),
            (b"\x03\xf0no key", PeerClosed(1008, "no key")),
            (b"\x0f\xa0", PeerClosed(4000, "")),
            (b"", PeerClosed(1005, "")),
        ],
    )
    def test_closed(self, face, server, payload, event):
        """What the peer sent is given out, then its closing, though it keeps the line open."""
        url = server.ws(sending((TEXT, b"1"), (TEXT, b"2"), (CLOSE, payload)))

        async def scenario():
            return await receive_until_closed(await face.connect(WebSocketCall(url=url)))

        messages, end = face.run(scenario())
        assert [message.data for message in messages] == [b"1", b"2"]
        assert end == event

    def test_closed_by_library(self, face):
        """A closing by a server that waits for our answer is given out at once."""
        begun = time.monotonic()

        async def scenario(url):
            return await receive_until_closed(await face.connect(WebSocketCall(url=url)))

        with library_server(lambda connection: connection.close(1011, "overloaded")) as url:
            assert face.run(scenario(url)) == ([], PeerClosed(1011, "overloaded"))
        assert time.monotonic() - begun < 5.0

    @pytest.mark.parametrize("is_rude", [False, True])
    def test_abrupt(self, face, server, is_rude):
        """A connection that just ends is a closing with code 1006."""

        def script(peer):
            peer.shake_hands()
            peer.send_frame(TEXT, b"1")
            server.wait()
            if is_rude:
                peer.reset()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.receive(5.0)
            message = await conversation.receive(5.0)
            server.go.set()
            return message, await conversation.receive(5.0)

        assert face.run(scenario()) == (MessageReceived(b"1"), PeerClosed(1006))

    def test_closed_before_first(self, face, server):
        """A peer that closes while the first messages are sent is heard with its reason."""

        def script(peer):
            peer.shake_hands()
            peer.send_frame(CLOSE, b"\x03\xf0no key")

        url = server.ws(script)

        async def scenario():
            call = WebSocketCall(url=url, first=("x" * 1000,) * 20)
            return await receive_until_closed(await face.connect(call))

        assert face.run(scenario())[1].code in (1008, 1006)

    def test_send_after_end(self, face, server):
        """Sending to a peer that has closed is a lost connection, with its code."""
        url = server.ws(sending((CLOSE, b"\x03\xf0no key")))

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await receive_until_closed(conversation)
            await conversation.send("x")

        with pytest.raises(ConnectionLost, match="no key") as caught:
            face.run(scenario())
        assert caught.value.close_code == 1008


def test_what_came_before_a_cut(server, caplog):
    """What came and was not read is given out, though a send found the connection lost."""
    sizes = [1] * 20 + [1000] * 40  # more than is read ahead; the rest is with the kernel

    def script(peer):
        peer.shake_hands()
        for size in sizes:
            if size == 1000:
                server.wait()
            peer.send_frame(BINARY, bytes(size))
        peer.sock.close()
        server.arrived.set()

    async def scenario(url):
        conversation = await BlockingWebSocket.open(WebSocketCall(url=url), 5.0)
        while not conversation._connection.recv_messages.paused:
            pass
        server.go.set()
        assert server.arrived.wait(5)
        with pytest.raises(ConnectionLost, match="no close code") as caught:
            await send_for_ever(conversation)
        with pytest.raises(ConnectionLost):
            await conversation.send("and again")
        messages, end = await receive_until_closed(conversation)
        await conversation.close()
        return caught.value.close_code, [len(message.data) for message in messages], end

    assert run_blocking(scenario(server.ws(script))) == (1006, sizes, PeerClosed(1006))
    assert caplog.records == []


def test_closing_under_a_stream_is_not_logged(server, caplog):
    """Audio that comes while its connection is being closed is no error of anybody's."""

    def script(peer):
        peer.shake_hands()
        while True:
            peer.send(b"\x82\x0a0123456789" * 5000)

    async def scenario(url):
        for _ in range(5):
            conversation = await BlockingWebSocket.open(WebSocketCall(url=url), 5.0)
            await conversation.receive(5.0)
            await conversation.receive(5.0)
            await conversation.close()

    run_blocking(scenario(server.ws(script)))
    assert caplog.records == []


class TestUnreadable:
    @pytest.mark.parametrize(
        "data",
        [
            b"\xff\xff\xff\xff",
            b"\x83\x01x",
            b"\x81\x81aaaax",
            b"\x80\x01x",
            b"\x89\x7e\x00\x7e" + bytes(126),
        ],
        ids=["reserved bits", "opcode", "masked", "continuation of nothing", "long ping"],
    )
    def test_garbled(self, face, server, data):
        """A frame that breaks the protocol is an unreadable reply, after what came before."""

        def script(peer):
            peer.shake_hands()
            peer.send_frame(TEXT, b"1")
            peer.send(data)
            peer.is_left()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.receive(5.0)
            message = await conversation.receive(5.0)
            begun = time.monotonic()
            with pytest.raises(UnexpectedReply, match="1002"):
                await conversation.receive(20.0)
            assert time.monotonic() - begun < 5.0  # though the peer keeps the line open
            return message

        assert face.run(scenario()).data == b"1"

    def test_too_big(self, face, server):
        """A message above its bound is refused."""
        url = server.ws(sending((BINARY, bytes(1000)), (BINARY, bytes(1001))))

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url, max_message_bytes=1000))
            await conversation.receive(5.0)
            assert len((await conversation.receive(5.0)).data) == 1000
            await conversation.receive(20.0)

        with pytest.raises(UnexpectedReply, match="1009"):
            face.run(scenario())

    def test_too_big_in_fragments(self, face, server):
        """The bound holds for a message, not for its fragments."""

        def script(peer):
            peer.shake_hands()
            peer.send_frame(BINARY, bytes(600), is_final=False)
            peer.send_frame(0, bytes(600))
            peer.is_left()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url, max_message_bytes=1000))
            await conversation.receive(5.0)
            await conversation.receive(20.0)

        with pytest.raises(UnexpectedReply, match="1009"):
            face.run(scenario())


def frame(opcode, data, *, is_final=True):
    head = bytes([opcode | (0x80 if is_final else 0)])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    if len(data) < 1 << 16:
        return head + b"\x7e" + len(data).to_bytes(2, "big") + data
    return head + b"\x7f" + len(data).to_bytes(8, "big") + data


class Line(asyncio.Transport):
    """What a connection writes to; what it was told to do is noted."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def set_write_buffer_limits(self, *_limits):
        pass

    def pause_reading(self):
        pass

    def write(self, data):
        self.written += data

    def can_write_eof(self):
        return False

    def close(self):
        pass

    def abort(self):
        pass


async def read_in_cuts(stream, sizes):
    """Return what a connection makes of a reply to its handshake and *stream*, cut anywhere."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=1 << 20)
    connection = websocket._AsyncConnection(protocol, ping_interval=None)
    line = Line()
    connection.connection_made(line)
    request = protocol.connect()
    protocol.send_request(request)
    reply = (
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-accept: {accept_key(request.headers['sec-websocket-key'])}\r\n\r\n"
    )
    connection.send_data()
    line.written = b""
    unread = reply.encode() + stream
    for size in itertools.cycle(sizes):
        if not unread:
            break
        room = connection.get_buffer(-1)
        count = min(size, len(room), len(unread))
        assert count
        room[:count] = unread[:count]
        unread = unread[count:]
        connection.buffer_updated(count)
    return connection, line


FRAMES = st.one_of(
    st.tuples(
        st.sampled_from([TEXT, BINARY]),
        st.sampled_from([0, 1, 2, 125, 126, 127, 300, 32_754, 32_755, 32_768, 65_535, 65_536]),
        st.integers(0, 3),
    ),
    st.tuples(st.sampled_from([PING, PONG]), st.integers(0, 125), st.just(0)),
)


@given(
    st.lists(FRAMES, max_size=6),
    st.lists(st.sampled_from([1, 2, 3, 4, 7, 13, 1000, 1 << 15]), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_frames_in_any_cut(frames, sizes, is_closed):
    """Messages are the same however they are cut, split into frames and mixed with others."""
    sizes = [*sizes, 1000] if sum(size for _, size, _ in frames) > 5000 else sizes
    stream, expected, pings = b"", [], 0
    for number, (opcode, size, splits) in enumerate(frames):
        data = bytes([65 + number]) * size
        if opcode in (PING, PONG):
            stream += frame(opcode, data)
            pings += opcode == PING
            continue
        part = size // (splits + 1)
        for split in range(splits):
            stream += frame(0 if split else opcode, data[:part], is_final=False)
            stream += frame(PING, b"between")
            pings += 1
            data = data[part:]
        stream += frame(0 if splits else opcode, data)
        expected.append(MessageReceived(bytes([65 + number]) * size, opcode == TEXT))
    if is_closed:
        stream += frame(CLOSE, b"\x03\xe9away") + b"what nobody reads" * 9
    connection, line = asyncio.run(read_in_cuts(stream, sizes))
    assert list(connection.messages) == expected
    assert connection.protocol.state is (State.CLOSING if is_closed else State.OPEN)
    # Masked by the client: opcodes are seen, and the lengths of what is echoed.
    assert line.written.count(b"\x8a") >= pings
    if is_closed:
        assert connection.protocol.close_rcvd == Close(1001, "away")


@pytest.mark.parametrize("size", [1000, 1 << 15])
def test_what_belongs_to_a_message_begun(size):
    """A whole message among the fragments of another breaks the protocol."""
    stream = frame(TEXT, b"a", is_final=False) + frame(TEXT, b"b")
    connection, _ = asyncio.run(read_in_cuts(stream, [size]))
    assert not connection.messages
    assert connection.protocol.close_sent.code == 1002


class TestLimits:
    def test_silent(self, face, server):
        """A silent peer ends the receive at its limit, and can still be heard after it."""

        def script(peer):
            peer.shake_hands()
            server.wait()
            peer.send_frame(TEXT, b"late")
            peer.is_left()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.receive(5.0)
            for limit_s in (0.02, 0.0):
                with pytest.raises(TimeoutError) as caught:
                    await conversation.receive(limit_s)
                assert not isinstance(caught.value, VivavoceError)
            server.go.set()
            return await conversation.receive(5.0)

        assert face.run(scenario()) == MessageReceived(b"late")

    def test_no_handshake(self, face, server):
        """A server that never answers the handshake is a timeout of opening."""

        def script(peer):
            peer.read_request()
            peer.is_left()

        url = server.ws(script)

        async def scenario():
            await face.connect(WebSocketCall(url=url), 0.05)

        with pytest.raises(TimeoutError) as caught:
            face.run(scenario())
        assert not isinstance(caught.value, VivavoceError)
        assert server.left.wait(5)

    def test_no_tls(self, face, server):
        """A server that never answers the TLS hello is a timeout of opening."""
        address = server.serve(lambda peer: (peer.is_left(), peer.is_left())[0])

        async def scenario():
            await face.connect(WebSocketCall(url=f"wss://{address}/"), 0.05)

        with pytest.raises(TimeoutError):
            face.run(scenario())

    def test_none(self, face, server):
        """None waits without a limit."""
        url = server.ws(sending((TEXT, b"1")))

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url), None)
            return [await conversation.receive(None) for _ in range(2)][1]

        assert face.run(scenario()) == MessageReceived(b"1")


class TestRefusal:
    @pytest.mark.parametrize(
        ("status", "is_retryable"),
        [
            (400, False),
            (401, False),
            (403, False),
            (404, False),
            (408, True),
            (429, True),
            (500, True),
            (503, True),
            (200, False),
        ],
    )
    def test_status(self, face, server, status, is_retryable):
        """A refused handshake carries its status and says whether asking again can help."""

        def script(peer):
            peer.read_request()
            peer.reply(
                b'{"message": "no, not %s"}' % KEY.encode(),
                status=f"{status} X",
                headers="Retry-After: 7\r\n",
            )

        url = server.ws(script)
        call = WebSocketCall(url=url, headers={"Authorization": Secret(f"Bearer {KEY}")})

        async def scenario():
            await face.connect(call)

        with pytest.raises(HandshakeRefused, match=f"HTTP {status}") as caught:
            face.run(scenario())
        assert caught.value.retryable is is_retryable
        assert "no, not ***" in str(caught.value)
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert caught.value.status == status
        assert caught.value.reply.headers["retry-after"] == "7"
        assert caught.value.body == b'{"message": "no, not %s"}' % KEY.encode()
        assert caught.value.__cause__.response.body == b""

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_redirect(self, face, server, status):
        """A redirect is not followed, so no key goes where it points."""

        def script(peer):
            peer.read_request()
            target = f"Location: ws://127.0.0.1:{server.port}/elsewhere\r\n"
            peer.reply(status=f"{status} X", headers=target)

        url = server.ws(script)

        async def scenario():
            await face.connect(WebSocketCall(url=url))

        with pytest.raises(ConnectFailed, match=f"HTTP {status}"):
            face.run(scenario())
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "reply",
        [b"", b"\x00\x01garbage\r\n\r\n", b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n"],
        ids=["nothing", "garbled", "wrong"],
    )
    def test_no_handshake(self, face, server, reply):
        """An answer that is no handshake is a failed connection."""
        url = server.ws(lambda peer: (peer.read_request(), peer.send(reply))[0])

        async def scenario():
            await face.connect(WebSocketCall(url=url))

        with pytest.raises(ConnectFailed):
            face.run(scenario())

    def test_nobody(self, face, server):
        """A port nobody listens on is a failed connection that names the address."""
        server.serve(lambda peer: None)
        server.close()

        async def scenario():
            await face.connect(WebSocketCall(url=f"ws://127.0.0.1:{server.port}/"))

        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{server.port}"):
            face.run(scenario())

    def test_no_tls(self, face, server):
        """A server that speaks no TLS is a failed connection."""

        def script(peer):
            peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            peer.is_left(1.0)

        address = server.serve(script)

        async def scenario():
            await face.connect(WebSocketCall(url=f"wss://{address}/"))

        with pytest.raises(ConnectFailed):
            face.run(scenario())

    @pytest.mark.parametrize(
        "url",
        [
            "ws://tts.example/",
            "ws://127.0.0.1.example/",
            "http://127.0.0.1/",
            "https://tts.example/",
            "wss://",
            f"wss://user:{KEY}@tts.example/",
            "ws://127.0.0.1\\@tts.example/",
        ],
    )
    def test_address(self, face, url):
        """An address without TLS to elsewhere, or one not well formed, is refused unsent."""

        async def scenario():
            await face.connect(WebSocketCall(url=url))

        with pytest.raises(InvalidValue) as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))

    def test_header(self, face, server):
        """A header that cannot be sent is refused before a connection, unquoted."""
        url = server.ws(sending())
        call = WebSocketCall(url=url, headers={"X-Key": Secret(f"{KEY}\r\nX-Other: 1")})

        async def scenario():
            await face.connect(call)

        with pytest.raises(InvalidValue) as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert server.connections == 0

    def test_fragment(self, face, server):
        """An address with a fragment, which the library refuses, is a wrong value too."""
        url = server.ws(sending())

        async def scenario():
            await face.connect(WebSocketCall(url=f"{url}#{KEY}"))

        with pytest.raises(InvalidValue) as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))


class TestProxy:
    def test_not_for_loopback(self, face, server, monkeypatch):
        """Calls to this machine ask no proxy, whatever the environment says."""
        for name in ("http_proxy", "https_proxy", "all_proxy", "socks_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        url = server.ws(sending((TEXT, b"direct")))

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            return [await conversation.receive(5.0) for _ in range(2)][1]

        assert face.run(scenario()).data == b"direct"

    def test_asked(self, face, server, monkeypatch):
        """Other calls go through the proxy the environment names, the key hidden from it."""

        def script(peer):
            peer.read_request()
            peer.reply(status="407 Proxy Authentication Required")

        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("https_proxy", f"http://{server.serve(script)}")
        call = WebSocketCall(url="wss://tts.example/speech", headers={"X-Key": Secret(KEY)})

        async def scenario():
            await face.connect(call)

        with pytest.raises(ConnectFailed, match="407"):
            face.run(scenario())
        assert server.requests[0].startswith(b"CONNECT tts.example:443 ")
        assert KEY.encode() not in server.requests[0]

    @pytest.mark.parametrize("proxy", [f"socks5://me:{KEY}@127.0.0.1:1", f"gopher://{KEY}/"])
    def test_unusable(self, face, monkeypatch, proxy):
        """A proxy that cannot be used is a setting to change, its password unshown."""
        monkeypatch.setenv("https_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)

        async def scenario():
            await face.connect(WebSocketCall(url="wss://tts.example/"))

        with pytest.raises(SettingsError, match="HTTPS_PROXY") as caught:
            face.run(scenario())
        assert KEY not in "".join(traceback.format_exception(caught.value))


class TestClose:
    def test_at_once(self, face, server):
        """Closing waits for no peer, sends no farewell, and is harmless when repeated."""
        frames = []

        def script(peer):
            peer.shake_hands()
            frames.append(peer.read_frame())
            server.left.set()

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            begun = time.monotonic()
            await conversation.close()
            await conversation.close()
            return time.monotonic() - begun

        assert face.run(scenario()) < 1.0
        assert server.left.wait(5)
        assert frames in ([(-1, b"")], [])  # no frame, or a reset

    def test_under_flood(self, face, server):
        """Closing is at once although the peer sends more than is read."""

        def script(peer):
            peer.shake_hands()
            while True:
                peer.send_frame(BINARY, bytes(60_000))

        url = server.ws(script)

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.receive(5.0)
            await conversation.receive(5.0)
            begun = time.monotonic()
            await conversation.close()
            return time.monotonic() - begun

        assert face.run(scenario()) < 1.0

    def test_used_after(self, face, server):
        """A closed connection is not received from or sent to, and says that it is closed."""
        url = server.ws(sending((TEXT, b"1")))

        async def scenario():
            conversation = await face.connect(WebSocketCall(url=url))
            await conversation.close()
            with pytest.raises(StreamStateError, match="closed"):
                await conversation.receive(5.0)
            with pytest.raises(StreamStateError, match="closed"):
                await conversation.send("x")

        face.run(scenario())

    def test_flow_control(self, face, server):
        """A reader that does not read holds the peer up, instead of filling the memory."""
        sent = []

        def script(peer):
            peer.shake_hands()
            peer.sock.settimeout(0.5)
            try:
                while len(sent) < 2000:
                    peer.send_frame(BINARY, bytes(60_000))
                    sent.append(1)
            except TimeoutError:
                pass
            server.arrived.set()

        url = server.ws(script)

        async def scenario():
            await face.connect(WebSocketCall(url=url))
            if face.is_async:
                await asyncio.to_thread(server.arrived.wait, 10)
            else:
                server.arrived.wait(10)

        face.run(scenario())
        assert len(sent) < 500  # 30 MB, most of it in the kernel's buffers


class TestSecrets:
    def test_unlogged(self, face, server, caplog):
        """Logging at its chattiest shows neither key nor text."""
        caplog.set_level(logging.DEBUG)
        url = server.ws(sending((TEXT, b"answer")))
        headers = {"Authorization": Secret(f"Bearer {KEY}")}
        call = WebSocketCall(url=url, headers=headers, first=("a private text",))

        async def scenario():
            conversation = await face.connect(call)
            await conversation.receive(5.0)
            await conversation.receive(5.0)
            shown = repr(conversation)
            await conversation.close()
            return shown

        shown = face.run(scenario()) + caplog.text
        assert KEY not in shown
        assert "private" not in shown
        assert "answer" not in shown


def library_errors():
    return sorted(
        (getattr(ws, name) for name in ws.__all__),
        key=lambda error: error.__name__,
    )


RESPONSE = Response(418, "X", Headers())
ARGUMENTS = {
    ws.ConnectionClosed: (None, None),
    ws.ConnectionClosedOK: (None, None),
    ws.ConnectionClosedError: (None, None),
    ws.DuplicateParameter: ("a",),
    ws.InvalidHeader: ("a", "b"),
    ws.InvalidHeaderFormat: ("a", "b", "c", 1),
    ws.InvalidHeaderValue: ("a", "b"),
    ws.InvalidMethod: ("a",),
    ws.InvalidOrigin: ("a",),
    ws.InvalidParameterName: ("a",),
    ws.InvalidParameterValue: ("a", "b"),
    ws.InvalidProtocol: ("a",),
    ws.InvalidProxy: (f"http://{KEY}", "b"),
    ws.InvalidProxyStatus: (RESPONSE,),
    ws.InvalidStatus: (RESPONSE,),
    ws.InvalidURI: (f"ws://{KEY}", "b"),
    ws.InvalidUpgrade: ("a", "b"),
    ws.PayloadTooBig: (2, 1),
    ws.TooManyFragments: (1,),
}


def made(kind):
    return kind(*ARGUMENTS.get(kind, ("said",)))


@pytest.mark.parametrize("kind", library_errors(), ids=lambda kind: kind.__name__)
def test_every_library_error(kind):
    """Every error of the library becomes one of ours, its cause kept unless it shows ours."""
    error = made(kind)
    with pytest.raises(VivavoceError) as caught, websocket.translated(ADDRESS, {}):
        raise error
    is_general = kind is ws.WebSocketException
    assert (type(caught.value) is TransportError) == is_general
    assert KEY not in "".join(traceback.format_exception(caught.value))
    if isinstance(caught.value, InvalidValue | SettingsError):
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
    else:
        assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (ConnectionRefusedError("x"), ConnectFailed),
        (EOFError("x"), ConnectFailed),
        (ws.InvalidMessage("x"), ConnectFailed),
        (ws.InvalidStatus(RESPONSE), HandshakeRefused),
        (ws.InvalidProxyStatus(RESPONSE), ConnectFailed),
        (ws.ProtocolError("x"), UnexpectedReply),
        (ws.PayloadTooBig(2, 1), UnexpectedReply),
        (ws.ConcurrencyError("x"), StreamStateError),
        (ws.ConnectionClosedError(None, Close(1009, "")), UnexpectedReply),
        (ws.ConnectionClosedError(None, Close(1011, "keepalive ping timeout")), ConnectionLost),
        (ws.ConnectionClosedError(Close(1008, "no"), None), ConnectionLost),
        (ImportError("x"), SettingsError),
        (UnicodeError("x"), InvalidValue),
        (TimeoutError("x"), TimeoutError),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else value.__name__,
)
def test_meaning(error, meaning):
    """Each kind of failure has the error by which a reader knows what to do."""
    assert type(websocket.explain(error, ADDRESS, {})) is meaning


def test_dead_peer():
    """A peer that answers no ping is a lost connection that says so."""
    error = ws.ConnectionClosedError(None, Close(1011, "keepalive ping timeout"))
    assert "keepalive ping timeout" in str(websocket.explain(error, ADDRESS, {}))


def test_one_tls_context():
    """There is one TLS context for WebSockets in a process."""
    assert websocket.tls_context() is websocket.tls_context()
