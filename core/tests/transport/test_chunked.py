"""Chunks of an HTTP body, joined below the library: it must not be able to tell."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vivavoce.transport.chunked import ChunkJoiner

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data, *, head=b"%x"):
    return head % len(data) + b"\r\n" + data + b"\r\n"


def read(pieces, *, joins):
    """Return what the library makes of a reply: status and body after each piece, and the end."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "tts.example")]))
    client.send(h11.EndOfMessage())
    joiner = ChunkJoiner()
    joiner.begin()
    seen, status, body = [], None, b""
    for piece in [*pieces, None]:
        if piece is None:
            client.receive_data(b"")
        elif data := joiner.feed(piece) if joins else piece:
            client.receive_data(data)
        try:
            while (event := client.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                else:
                    return [*seen, type(event), status, body]
        except h11.RemoteProtocolError:
            return [*seen, "refused", status, body]
        seen.append((status, body))
    return seen


def cut(data, cuts):
    cuts = sorted({at % (len(data) + 1) for at in cuts})
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [piece for piece in pieces if piece]


CHUNK = st.one_of(
    st.binary(min_size=1, max_size=20).map(chunk),
    st.just(b"\r\n0\r\n\r\n1\r\n").map(chunk),
    st.binary(min_size=1, max_size=20).map(lambda data: chunk(data, head=b"%X")),
    st.binary(min_size=1, max_size=20).map(lambda data: chunk(data, head=b"000%x")),
)
ODD = st.sampled_from(
    [
        b"3;name=value\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3x\r\nabc\r\n",
        b"3\nabc\n",
        b"+3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"1_0\r\n0123456789abcdef\r\n",
        b"00000000003\r\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc",
        b"3\r\nabc\n",
        b"3\r\nabc\rx",
        b"\r\n",
        b"\r\n\r\n",
        b"zz\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"0\r\n\r\n",
        b"0;last\r\n\r\n",
        b"000\r\n\r\n",
        b"",
    ]
)
HEADS = st.sampled_from(
    [
        HEAD,
        b"HTTP/1.1 200 OK\r\nX: y\r\ntransfer-encoding:chunked\r\nZ: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD,
        b"HTTP/1.1 204 Nothing\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-transfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n",
    ]
)


@settings(max_examples=400)
@given(
    head=HEADS,
    chunks=st.lists(CHUNK, max_size=6),
    odd=ODD,
    more=st.lists(CHUNK, max_size=2),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
@example(HEAD, [], b"0\r\n\r\n", [], [])
@example(HEAD, [chunk(b"a")], b"3x\r\nabc\r\n", [chunk(b"d")], [])
@example(HEAD, [chunk(b"a")], b"3\r\nabcd\r\n", [chunk(b"d")], [])
@example(HEAD, [chunk(b"abc")], b"", [chunk(b"d")], [49, 51, 53, 54, 55, 56, 57, 58, 59, 60])
def test_same_meaning(head, chunks, odd, more, cuts):
    """Of any reply, however cut, the library makes the same at each moment, joined or not."""
    reply = head + b"".join(chunks) + odd + b"".join(more)
    assert read(cut(reply, cuts), joins=True) == read(cut(reply, cuts), joins=False)


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes(pieces):
    """Whatever comes in place of chunks, the library judges it as if it were not joined."""
    pieces = [HEAD, *filter(None, pieces)]
    assert read(pieces, joins=True) == read(pieces, joins=False)


def begun():
    joiner = ChunkJoiner()
    joiner.begin()
    assert joiner.feed(HEAD) == HEAD
    assert joiner.feed(chunk(b"first")) == chunk(b"first")
    return joiner


class TestJoined:
    def test_many(self):
        """Chunks that come together are one afterwards."""
        data = b"".join(chunk(b"%d." % i) for i in range(100))
        joined = begun().feed(data)
        assert joined == chunk(b"".join(b"%d." % i for i in range(100)))

    def test_all_but_the_first(self):
        """The first is given by itself, whatever comes with it; the others are joined."""
        joiner = ChunkJoiner()
        joiner.begin()
        joined = joiner.feed(HEAD + chunk(b"ab") + chunk(b"cd") + chunk(b"ef"))
        assert joined == HEAD + chunk(b"ab") + chunk(b"cdef")

    def test_nothing_waits(self):
        """Data of a chunk that is not whole yet is given out at once."""
        joiner = begun()
        assert joiner.feed(b"64\r\n" + bytes(40)) == chunk(bytes(40))
        assert joiner.feed(bytes(59)) == chunk(bytes(59))
        assert joiner.feed(b"x\r\n3\r") == chunk(b"x")
        assert joiner.feed(b"\nabc") == chunk(b"abc")

    def test_next_reply(self):
        """Each reply of a connection is looked at for itself."""
        joiner = begun()
        joiner.feed(chunk(b"ab") + b"0\r\n\r\n")
        joiner.begin()
        plain = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n" + chunk(b"ab") * 2
        assert joiner.feed(plain) == plain
        joiner.begin()
        assert joiner.feed(HEAD + chunk(b"ab") * 3) == HEAD + chunk(b"ab") + chunk(b"abab")

    @pytest.mark.parametrize("head", [HEAD[:30], HEAD.replace(b"200", b"201")])
    def test_passed_on(self, head):
        """A head in pieces, or of another status, is followed by what came as it came."""
        joiner = ChunkJoiner()
        joiner.begin()
        rest = chunk(b"ab") * 3
        assert joiner.feed(head) == head
        assert joiner.feed(rest) == rest
