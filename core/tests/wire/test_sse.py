"""Server-sent events, cut anywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vivavoce.errors import StreamStateError, UnexpectedReply
from vivavoce.wire.sse import SseComment, SseEvent, SseReader


def read(*pieces, **bounds):
    reader = SseReader(**bounds)
    outputs = [output for piece in pieces for output in reader.feed(piece)]
    return outputs + reader.finish()


def message(data, **fields):
    return SseEvent(data=data, **fields)


# Line ends to ``str.splitlines``, but not here.
NO_ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg".encode()


@pytest.mark.parametrize(
    ("stream", "outputs"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b"data: a\n\n", [message(b"a")]),
        (b"data:a\n\n", [message(b"a")]),
        (b"data:  a \n\n", [message(b" a ")]),
        (b"data\n\n", [message(b"")]),
        (b"data:\n\n", [message(b"")]),
        (b"data: a\ndata: b\ndata\ndata: c\n\n", [message(b"a\nb\n\nc")]),
        (b"data: a\n\ndata: b\n\n", [message(b"a"), message(b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [message(b"a"), message(b"b")]),
        (b"data: a\r\rdata: b\r\r", [message(b"a"), message(b"b")]),
        (b"data: a\n\r\ndata: b\r\n\n", [message(b"a"), message(b"b")]),
        (b"event: result\ndata: a\n\ndata: b\n\n", [message(b"a", event="result"), message(b"b")]),
        (b"event: end\n\ndata: b\n\n", [message(b"b")]),
        (b"id: 7\ndata: a\n\ndata: b\n\n", [message(b"a", id="7"), message(b"b", id="7")]),
        (b"id: 7\n\ndata: b\n\n", [message(b"b", id="7")]),
        (b"id: 7\ndata: a\n\nid\ndata: b\n\n", [message(b"a", id="7"), message(b"b")]),
        (b"id: 7\0\ndata: a\n\n", [message(b"a")]),
        (b"retry: 250\ndata: a\n\ndata: b\n\n", [message(b"a", retry_ms=250), message(b"b")]),
        (b"retry: soon\ndata: a\n\n", [message(b"a")]),
        (b"retry: -1\ndata: a\n\n", [message(b"a")]),
        (b"retry: " + b"9" * 5000 + b"\ndata: a\n\n", [message(b"a")]),
        (b":HTTP_STATUS/200\ndata: a\n\n", [SseComment(b"HTTP_STATUS/200"), message(b"a")]),
        (b": ping\n\n:\n", [SseComment(b"ping"), SseComment(b"")]),
        (b"data: a\n: between\ndata: b\n\n", [SseComment(b"between"), message(b"a\nb")]),
        (b"unknown: x\nDATA: y\n data: z\ndata: a\n\n", [message(b"a")]),
        (b'data: {"a": "b: c"}\n\n', [message(b'{"a": "b: c"}')]),
        (b"data: %s\n\n" % NO_ENDS, [message(NO_ENDS)]),
        (b"data: \xff\xfe\0\n\n", [message(b"\xff\xfe\0")]),
        (b"\xef\xbb\xbfdata: a\n\n", [message(b"a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [message(b"a")]),
        (b"\xef\xbb", []),
        (b"data: a", [message(b"a")]),
        (b"data: a\n", [message(b"a")]),
        (b"data: a\r", [message(b"a")]),
        (b"data: a\r\n", [message(b"a")]),
        (b"data: a\r\n\r", [message(b"a")]),
        (b": a", [SseComment(b"a")]),
    ],
)  # fmt: skip
class TestTable:
    def test_whole(self, stream, outputs):
        """A stream means what the standard says; an end without an empty line counts."""
        assert read(stream) == outputs

    def test_byte_by_byte(self, stream, outputs):
        """The borders of what came mean nothing."""
        pieces = [stream[i : i + 1] for i in range(len(stream))]
        assert read(*pieces) == outputs

    def test_every_cut(self, stream, outputs):
        """A cut at any place, with nothing in between, changes nothing."""
        for i in range(min(len(stream), 100)):
            assert read(stream[:i], b"", stream[i:]) == outputs


def reference(stream, limit=1 << 60):
    """Read a whole stream in the plainest way; None where an event passes its bound."""
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    outputs, fields, data, held, last_id = [], {}, [], 0, ""
    for line in [*re.split(rb"\r\n|\n|\r", stream), b""]:
        held += len(line)
        if held > limit:
            return None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                outputs.append(SseEvent(data=b"\n".join(data), id=last_id, **fields))
            fields, data, held = {}, [], 0
        elif not name:
            outputs.append(SseComment(value))
            held -= len(line)
        elif name == b"data":
            data.append(value)
        elif name == b"event":
            fields["event"] = value.decode("utf-8", "replace") or "message"
        elif name == b"id" and b"\0" not in value:
            last_id = value.decode("utf-8", "replace")
        elif name == b"retry" and re.fullmatch(rb"[0-9]{1,9}", value):
            fields["retry_ms"] = int(value)
    return outputs


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"data: a", b"data:b", b"data:  ", b"data:", b"data", b"dat: a", b"databa: c"),
                *(b"event: x", b"event:", b"id: 1", b"id", b": c", b":d", b":", b"retry: 5"),
                *(b"", b"", b"\xef\xbb\xbf"),
            ]
        ),
        st.binary(max_size=12),
    ),
    max_size=20,
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(data=st.data())
def test_any_cut(data):
    """Any re-chunking of any stream gives the same events."""
    stream = b"".join(line + data.draw(ENDS) for line in data.draw(LINES))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]
    assert read(*pieces) == reference(stream)


@given(data=st.data(), limit=st.integers(1, 40))
def test_any_cut_of_a_bounded_event(data, limit):
    """However a stream is cut, the same events are within their bound."""
    stream = b"".join(line + data.draw(ENDS) for line in data.draw(LINES))
    size = data.draw(st.integers(1, 9))
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    expected = reference(stream, limit)
    if expected is None:
        with pytest.raises(UnexpectedReply):
            read(*pieces, max_event_bytes=limit)
    else:
        assert read(*pieces, max_event_bytes=limit) == expected


@given(st.lists(st.binary(max_size=40), max_size=12))
@example([b"\r", b"\n", b"\r\n", b"\n\r"])
def test_any_bytes(pieces):
    """Nothing that can come in breaks the reader, and pieces mean what their sum means."""
    assert read(*pieces) == reference(b"".join(pieces))


@given(st.lists(st.binary(max_size=60).filter(lambda b: not set(b) & set(b"\r\n")), min_size=1))
def test_round_trip(lines):
    """What a server writes as data lines is read back."""
    stream = b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"
    assert read(stream) == [message(b"\n".join(lines))]


class TestAtOnce:
    def test_no_waiting(self):
        """An event is given out with the byte that ends it, a CR included."""
        reader = SseReader()
        assert reader.feed(b"data: a\n") == []
        assert reader.feed(b"\n") == [message(b"a")]
        assert reader.feed(b"data: b\r\r") == [message(b"b")]
        assert reader.feed(b"\n: c\r") == [SseComment(b"c")]
        assert reader.feed(b"\n") == []

    def test_after_finish(self):
        """After the end no more can be fed; finishing again is harmless."""
        reader = SseReader()
        reader.feed(b"data: a")
        assert reader.finish() == [message(b"a")]
        assert reader.finish() == []
        with pytest.raises(StreamStateError):
            reader.feed(b"data: b\n\n")


class TestBound:
    @pytest.mark.parametrize(
        "stream",
        [b"data: " + bytes(100), b"data: a\n" * 20, b"data\n" * 30, b"x" * 101, b"event: e\n" * 20],
    )
    def test_above(self, stream):
        """An event above its bound is refused before it is whole."""
        with pytest.raises(UnexpectedReply, match="100 bytes"):
            SseReader(max_event_bytes=100).feed(stream)

    def test_in_pieces(self):
        """The bound holds for the sum of the pieces."""
        reader = SseReader(max_event_bytes=100)
        reader.feed(b"data: " + b"a" * 94)
        with pytest.raises(UnexpectedReply):
            reader.feed(b"a")

    def test_each_event(self):
        """The bound is for one event: any number of them pass, with comments between."""
        stream = (b": ping\n" * 30 + b"data: " + b"a" * 94 + b"\n\n") * 10
        events = [
            output for output in read(stream, max_event_bytes=100) if output != SseComment(b"ping")
        ]
        assert events == [message(b"a" * 94)] * 10


def test_long_line():
    """A line in pieces is copied once, at its end; until then the pieces themselves are held."""
    reader = SseReader()
    pieces = [b"data: ", *(bytes([65 + i % 26]) * 512 for i in range(2000))]
    for piece in pieces:
        assert reader.feed(piece) == []
        assert reader._pieces[-1] is piece
    assert len(reader._pieces) == len(pieces)
    assert reader.feed(b"\n\n") == [message(b"".join(pieces[1:]))]
    assert reader._pieces == []
