"""The shape of a tape: what must not change when it is recorded again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vivavoce_contract.tapes import Event, Header, Origin, Source, Tape
from vivavoce_contract.tapes.shape import difference, shape


def make(*events: dict[str, Any]) -> Tape:
    header = Header(
        provider="acme",
        scenario="speak",
        source=Source(kind=Origin.EMULATOR),
        recorded_at="2026-11-25",
    )
    return Tape(
        header=header,
        events=[Event(**{"t": 0, "conn": 1, "dir": "s", **each}) for each in events],
    )


def sse(*bodies: object, status: int = 200, extra: str = "") -> Tape:
    events = b"".join(b"event:result\ndata:" + json.dumps(b).encode() + b"\n\n" for b in bodies)
    return make(
        {"dir": "c", "k": "request", "line": f"POST /a?k=1{extra} HTTP/1.1", "data": b'{"a":1}'},
        {
            "k": "response",
            "line": f"HTTP/1.1 {status} X",
            "headers": [("Content-Type", "text/event-stream;charset=UTF-8")],
        },
        {"k": "chunk", "data": events},
        {"k": "end"},
    )


def ws(*messages: tuple[str, object]) -> Tape:
    return make(
        {"dir": "c", "k": "ws-open", "line": "GET /w HTTP/1.1"},
        {"k": "ws-accept", "line": "HTTP/1.1 101 Switching Protocols"},
        *(
            {"dir": side, "k": "bin", "data": body}
            if isinstance(body, bytes)
            else {"dir": side, "k": "text", "data": json.dumps(body).encode()}
            for side, body in messages
        ),
        {"k": "close", "code": 1000},
    )


AUDIO = {"output": {"audio": {"data": "AAAA", "id": "1"}, "finish_reason": "null"}, "n": 1}
LAST = {"output": {"audio": {"url": "x"}, "finish_reason": "stop"}, "usage": {"seconds": 1.5}}


@pytest.mark.parametrize(
    "other",
    [
        sse(AUDIO, LAST),
        sse(AUDIO, AUDIO, AUDIO, LAST),
        sse({**AUDIO, "n": 2.5}, LAST),
        sse({**AUDIO, "output": {**AUDIO["output"], "audio": {"data": "/w==", "id": "9"}}}, LAST),  # type: ignore[dict-item]
    ],
)
def test_audio_ids_numbers_and_repetition_have_no_shape(other: Tape) -> None:
    """Other audio, ids and numbers, and more of the same events, are the same shape."""
    assert difference(sse(AUDIO, LAST), other) == []


def test_chunk_borders_and_times_have_no_shape() -> None:
    """The same events in other chunks at other times are the same shape."""
    from vivavoce_contract.tapes.derive import rechunk

    assert difference(sse(AUDIO, LAST), rechunk(sse(AUDIO, LAST), [7])) == []


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (sse(AUDIO), "finish_reason=stop"),
        (sse(LAST, AUDIO), "finish_reason"),
        (sse(AUDIO, LAST, status=400), "status 400"),
        (sse(AUDIO, LAST, extra="&v=2"), "query v"),
        (sse({**AUDIO, "new": {"deep": True}}, LAST), "$.new.deep truth"),
        (sse({**AUDIO, "n": "1"}, LAST), "$.n text"),
        (sse({**AUDIO, "n": None}, LAST), "$.n null"),
        (sse({**AUDIO, "n": []}, LAST), "$.n empty list"),
        (sse({**AUDIO, "code": "Throttling"}, LAST), "code=Throttling"),
        (sse(AUDIO, {**LAST, "output": {"finish_reason": "length"}}), "finish_reason=length"),
    ],
)
def test_keys_types_order_and_codes_are_the_shape(other: Tape, word: str) -> None:
    """A key, a type, an event's place, a status or a code that changes is named."""
    found = difference(sse(AUDIO, LAST), other)
    assert any(word in line for line in found)
    assert all(line.startswith(("- ", "+ ")) for line in found)
    assert difference(other, other) == []


def test_a_difference_looks_the_other_way_round_from_the_other_side() -> None:
    """What one side has alone is what the other lacks."""
    one, two = sse(AUDIO, LAST), sse(AUDIO, {**LAST, "more": 1})
    turned = [("-+"["+-".index(line[0])] + line[1:]) for line in difference(two, one)]
    assert sorted(turned) == sorted(difference(one, two))


def test_the_order_of_messages_is_the_shape() -> None:
    """Who says what first on a WebSocket is part of the shape; how often in a row is not."""
    start, audio, done = {"type": "start"}, {"type": "audio", "delta": "AA"}, {"type": "done"}
    good = ws(("c", start), ("s", audio), ("s", b"\0"), ("s", done))
    more = ws(("c", start), ("s", audio), ("s", b"\0"), ("s", audio), ("s", b"\1\2"), ("s", done))
    assert difference(good, more) == []
    late = ws(("s", audio), ("c", start), ("s", b"\0"), ("s", done))
    assert any("type=start" in line for line in difference(good, late))
    theirs = ws(("c", start), ("c", audio), ("s", b"\0"), ("s", done))
    assert any("client" in line for line in difference(good, theirs))


def test_how_it_ends_is_the_shape() -> None:
    """A cut, and the code of a close, are part of the shape."""
    from vivavoce_contract.tapes.derive import close_after, cut_after_chunk

    assert any("cut fin" in s for s in difference(sse(AUDIO), cut_after_chunk(sse(AUDIO), 1)))
    good = ws(("s", {"type": "a"}))
    assert any("close 1011" in line for line in difference(good, close_after(good, 1, 1011)))


def test_each_line_is_understood_by_itself() -> None:
    """Every line names the request it belongs to."""
    assert all(line.startswith("POST /a ") for line in shape(sse(AUDIO, LAST)))


def test_a_body_that_is_no_json_has_a_kind() -> None:
    """Text and other bytes are told apart, and not looked into."""
    plain = [
        {"dir": "c", "k": "request", "line": "GET / HTTP/1.1"},
        {"k": "response", "line": "HTTP/1.1 200 OK"},
    ]
    lines = shape(make(*plain, {"k": "chunk", "data": b"\xff\xfe"}))
    assert "GET / reply: bytes" in lines
    assert "GET / reply: text" in shape(make(*plain, {"k": "chunk", "data": b"Sorry"}))
