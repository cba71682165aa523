"""Fault tapes: made from a good one, and different from it in the fault alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce import InvalidValue
from vivavoce_contract.tapes import Event, Header, Kind, Match, Origin, Source, Tape, derive

CHUNKS = [b'data:{"a":1}\n\n', b'data:{"a":2}\n\n', b'data:{"done":1}\n\n']


def tape(*events: dict[str, Any]) -> Tape:
    header = Header(
        provider="acme",
        scenario="speak",
        source=Source(kind=Origin.EMULATOR),
        recorded_at="2026-11-25",
        base_path="/v1",
        match=Match(ignore=("id",)),
        claims=("streaming",),
    )
    return Tape(
        header=header,
        events=[Event(**{"t": n / 10, "conn": 1, "dir": "s", **e}) for n, e in enumerate(events)],
    )


def http(*chunks: bytes, conn: int = 1, **headers: str) -> list[dict[str, Any]]:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return [
        {"conn": conn, "dir": "c", "k": "request", "line": "POST /a HTTP/1.1"},
        {"conn": conn, "k": "response", "line": "HTTP/1.1 200 OK", "headers": pairs},
        *({"conn": conn, "k": "chunk", "data": chunk} for chunk in chunks),
        {"conn": conn, "k": "end"},
    ]


GOOD = tape(*http(*CHUNKS))
SOCKET = tape(
    {"dir": "c", "k": "ws-open", "line": "GET /w HTTP/1.1"},
    {"k": "ws-accept", "line": "HTTP/1.1 101 Switching Protocols"},
    {"dir": "c", "k": "text", "data": b'{"type":"start"}'},
    {"k": "text", "data": b'{"type":"began"}'},
    {"k": "bin", "data": b"\0\1\2\3"},
    {"k": "text", "data": b'{"type":"done"}'},
    {"k": "close", "code": 1000},
    {"dir": "c", "k": "close", "code": 1000},
)


def kinds(found: Tape) -> list[str]:
    return [str(event.k) for event in found.events]


def body(found: Tape) -> bytes:
    return b"".join(event.data for event in found.events if event.k is Kind.CHUNK)


MADE: dict[str, Callable[[], Tape]] = {
    "cut": lambda: derive.cut(GOOD, at=3),
    "cut_after_chunk": lambda: derive.cut_after_chunk(GOOD, 1, "reset"),
    "stall_after_chunk": lambda: derive.stall_after_chunk(GOOD, 1),
    "error_after_chunk": lambda: derive.error_after_chunk(GOOD, 1, b"oh"),
    "only_chunk": lambda: derive.only_chunk(GOOD, b"{}"),
    "status": lambda: derive.status(GOOD, 429),
    "malformed_chunk": lambda: derive.malformed_chunk(GOOD, 1),
    "without_end": lambda: derive.without_end(GOOD),
    "rechunk": lambda: derive.rechunk(GOOD, [1]),
    "map_chunks": lambda: derive.map_chunks(GOOD, lambda data: data.upper(), "loud"),
    "close_after": lambda: derive.close_after(SOCKET, 1, 1011),
    "late_event": lambda: derive.late_event(SOCKET, b"\0", after=1),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_says_so(name: str) -> None:
    """Each fault tape is synthetic, names what it was made from, and has no claim left."""
    made = MADE[name]()
    good = SOCKET if name in ("close_after", "late_event") else GOOD
    assert made.header.source.kind is Origin.SYNTHETIC
    assert made.header.derived_from == good.sha256
    assert made.header.scenario.startswith("speak: ")
    assert made.header.claims == ()
    assert (made.header.match, made.header.base_path) == (good.header.match, "/v1")
    assert Tape.parse(made.to_bytes()) == made.sealed()


def test_every_way_to_make_one_is_tried_here() -> None:
    """Every function that makes a fault tape is in the table above."""
    assert set(MADE) == set(derive.__all__) - {"derived", "count_pieces"}


def test_a_cut_keeps_what_came_before_at_every_byte() -> None:
    """Cut at any byte, the body is exactly that long and the connection ends in the cut."""
    whole = body(GOOD)
    for at in range(len(whole) + 1):
        made = derive.cut(GOOD, at=at, how="reset")
        assert body(made) == whole[:at]
        assert (made.events[-1].k, made.events[-1].how) == (Kind.CUT, "reset")


def test_a_cut_beyond_the_end_is_refused() -> None:
    """There is no cut behind the last byte, and the message says how many there are."""
    with pytest.raises(InvalidValue, match=f"has {len(body(GOOD))} bytes"):
        derive.cut(GOOD, at=len(body(GOOD)) + 1)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_cut_or_a_stall_after_a_chunk(n: int) -> None:
    """After chunk n comes the fault and nothing else; before the first is after 0."""
    for made, last in (
        (derive.cut_after_chunk(GOOD, n), Kind.CUT),
        (derive.stall_after_chunk(GOOD, n), Kind.STALL),
    ):
        assert kinds(made) == ["request", "response", *["chunk"] * n, last]


@pytest.mark.parametrize("n", [-1, 4])
def test_a_chunk_that_is_not_there_is_refused(n: int) -> None:
    """A number of a chunk that the tape does not have is a usage error."""
    with pytest.raises(InvalidValue, match="3 chunks"):
        derive.stall_after_chunk(GOOD, n)


def test_an_error_in_the_middle_ends_in_order() -> None:
    """The provider's error comes as a chunk of its own, and the body ends as it should."""
    made = derive.error_after_chunk(GOOD, 1, b"data:{}\n\n", expects={"error": "EngineFailed"})
    assert kinds(made) == ["request", "response", "chunk", "chunk", "end"]
    assert body(made) == CHUNKS[0] + b"data:{}\n\n"
    assert made.header.expects == {"error": "EngineFailed"}


def test_a_refusal_answers_the_first_request() -> None:
    """The first request is refused with status, headers and body, and its length fits."""
    made = derive.status(GOOD, 429, (("Retry-After", "2"),), b'{"code":"Throttling"}')
    assert kinds(made) == ["request", "response", "chunk", "end"]
    assert made.events[1].line == "HTTP/1.1 429 Too Many Requests"
    assert made.events[1].headers == (("Retry-After", "2"), ("Content-Length", "21"))


def test_a_handshake_is_refused_likewise() -> None:
    """Of a WebSocket it is the handshake that is refused."""
    assert kinds(derive.status(SOCKET, 401)) == ["ws-open", "response", "end"]


def test_a_malformed_chunk_spoils_no_other() -> None:
    """A garbled chunk is not JSON any more, keeps its line ends, and the others are whole."""
    made = derive.malformed_chunk(GOOD, 2)
    chunks = [event.data for event in made.events if event.k is Kind.CHUNK]
    assert [chunks[0], chunks[2]] == [CHUNKS[0], CHUNKS[2]]
    assert chunks[1].endswith(b"\xff\n\n")
    with pytest.raises(ValueError, match=r"."):
        json.loads(chunks[1].removeprefix(b"data:"))


def test_equal_chunks_are_not_mixed_up() -> None:
    """Of equal chunks at the same time, the one that is named is meant."""
    twins = tape(*({**event, "t": 0} for event in http(b"aa", b"aa", b"aa")))
    made = derive.malformed_chunk(twins, 2)
    assert [e.data for e in made.events if e.k is Kind.CHUNK] == [b"aa", b"a\xff", b"aa"]
    assert len(derive.without_end(twins).exchanges()[0].body) == 4
    assert len(derive.cut_after_chunk(twins, 2).exchanges()[0].body) == 4


def test_the_end_that_is_missing_is_the_providers() -> None:
    """The last chunk, or the service's last message, is gone, and the transport ends in order."""
    assert body(derive.without_end(GOOD)) == CHUNKS[0] + CHUNKS[1]
    assert kinds(derive.without_end(GOOD))[-1] == "end"
    messages = [e.data for e in derive.without_end(SOCKET).events if e.k is Kind.TEXT]
    assert messages == [b'{"type":"start"}', b'{"type":"began"}']


@pytest.mark.parametrize(
    "change",
    [
        lambda good: derive.malformed_chunk(good, 1),
        lambda good: derive.error_after_chunk(good, 1, b"more"),
        derive.without_end,
        lambda good: derive.only_chunk(good, b"{}"),
        lambda good: derive.map_chunks(good, lambda data: data[:5], "short"),
    ],
    ids=["malformed", "error", "no end", "only", "changed"],
)
def test_a_stated_length_stays_true(change: Callable[[Tape], Tape]) -> None:
    """Where the fault is in the body, a Content-Length is that of the new body."""
    made = change(tape(*http(b"0123456789", b"end", content_length="13")))
    (exchange,) = made.exchanges()
    assert exchange.response is not None
    assert exchange.response.header("content-length") == str(len(exchange.body))


def test_a_cut_body_keeps_the_length_it_was_promised() -> None:
    """Of a body that is cut, the stated length stays: by it the client sees the cut."""
    made = derive.cut(tape(*http(b"0123456789", content_length="10")), at=4)
    assert made.events[1].header("content-length") == "10"


@settings(deadline=None)
@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=9), max_size=5), min_size=1, max_size=3),
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
)
def test_other_borders_keep_each_body(bodies: list[list[bytes]], sizes: list[int]) -> None:
    """With other borders each reply has the same bytes, in chunks of the sizes in turn."""
    good = tape(*(event for chunks in bodies for event in http(*chunks)))
    made = derive.rechunk(good, sizes)
    assert [each.body for each in made.exchanges()] == [b"".join(chunks) for chunks in bodies]
    assert [each.request for each in made.exchanges()] == [e.request for e in good.exchanges()]
    for exchange in made.exchanges():
        lengths = [len(event.data) for event in exchange.replies if event.k is Kind.CHUNK]
        wanted = [sizes[n % len(sizes)] for n in range(len(lengths))]
        assert lengths[:-1] == wanted[:-1]
        assert all(have <= want for have, want in zip(lengths, wanted, strict=True))


def test_a_new_chunk_comes_when_its_last_byte_did() -> None:
    """A chunk with other borders comes no sooner than its last byte was there."""
    made = derive.rechunk(tape(*http(b"aa", b"bb", b"cc")), [3])
    times = [(event.t, event.data) for event in made.events if event.k is Kind.CHUNK]
    assert times == [(0.3, b"aab"), (0.4, b"bcc")]


def test_chunks_of_two_connections_are_not_joined() -> None:
    """Replies that come at the same time on two connections stay apart."""
    one, two = http(b"aa", b"aa"), http(b"bb", b"bb", conn=2)
    mixed = tape(*(event for pair in zip(one, two, strict=True) for event in pair))
    for made in (derive.rechunk(mixed, [4]), derive.map_chunks(mixed, lambda data: data, "same")):
        assert [each.body for each in made.exchanges()] == [b"aaaa", b"bbbb"]


@pytest.mark.parametrize("sizes", [[], [0], [3, -1]])
def test_sizes_that_lead_nowhere_are_refused(sizes: list[int]) -> None:
    """Without a size of at least one byte there are no borders."""
    with pytest.raises(InvalidValue, match="sizes is"):
        derive.rechunk(GOOD, sizes)


def test_what_happens_beside_a_fault_goes_on() -> None:
    """Other connections go on; one that is opened after the fault is gone, and so is the rest."""
    good = tape(*http(b"a", conn=1)[:2], *http(b"b", conn=2), *http(b"a")[2:], *http(b"c", conn=3))
    made = derive.cut_after_chunk(good, 2)
    assert [(e.conn, str(e.k)) for e in made.events][-2:] == [(1, "chunk"), (1, "cut")]
    assert {event.conn for event in made.events} == {1, 2}
    made = derive.cut_after_chunk(good, 1)
    assert [e.k for e in made.events if e.conn == 1][-1] is Kind.END


def test_a_close_comes_after_a_message_of_the_service() -> None:
    """The close frame comes after that message and has its code; 1006 is no frame but a reset."""
    made = derive.close_after(SOCKET, 2, 1011, "overload")
    assert kinds(made)[-3:] == ["bin", "close", "eof"]
    assert (made.events[-2].code, made.events[-2].reason) == (1011, "overload")
    assert kinds(derive.close_after(SOCKET, 0, 1011))[:3] == ["ws-open", "ws-accept", "close"]
    assert derive.close_after(SOCKET, 1, 1006).events[-1].how == "reset"


def test_a_late_event_is_one_message_more() -> None:
    """A late event is put after the message that is named; an object is text, bytes are binary."""
    made = derive.late_event(SOCKET, {"type": "audio"}, after=3)
    assert kinds(made)[5:8] == ["text", "text", "close"]
    assert made.events[6].data == b'{"type": "audio"}'
    assert derive.late_event(SOCKET, b"\0", after=0).events[2].k is Kind.BIN


def test_an_error_on_a_websocket_is_a_message_and_a_close() -> None:
    """What a service says when it fails, or instead of all else, is a message, then a close."""
    made = derive.error_after_chunk(SOCKET, 2, b'{"code": "busy"}')
    assert kinds(made)[-4:] == ["bin", "text", "close", "eof"]
    assert (made.events[-3].data, made.events[-2].code) == (b'{"code": "busy"}', 1000)
    made = derive.only_chunk(SOCKET, b"{}")
    assert kinds(made) == ["ws-open", "ws-accept", "text", "close", "eof"]


def test_pieces_are_chunks_or_messages_of_the_service() -> None:
    """Counted is what a service sends, by either wire, and nothing a client says."""
    assert derive.count_pieces(GOOD) == sum(event.k is Kind.CHUNK for event in GOOD.events)
    said = [event for event in SOCKET.events if event.k in (Kind.TEXT, Kind.BIN)]
    assert derive.count_pieces(SOCKET) == sum(not event.is_from_client for event in said) > 0
