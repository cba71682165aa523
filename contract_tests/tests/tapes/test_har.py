"""HTTP archives."""

from __future__ import annotations

import base64
import json
from typing import Any

from vivavoce_contract.tapes import Event, Header, Origin, Source, Tape
from vivavoce_contract.tapes.har import to_har


def make(*events: dict[str, Any]) -> Tape:
    header = Header(
        provider="acme",
        scenario="speak",
        source=Source(kind=Origin.EMULATOR, url="https://api.acme.example/v1"),
        recorded_at="2026-11-25",
    )
    return Tape(header=header, events=[Event(**{"conn": 1, "dir": "s", **e}) for e in events])


HTTP = make(
    {
        "t": 0,
        "dir": "c",
        "k": "request",
        "line": "POST /say?a=b%20c&d HTTP/1.1",
        "headers": [("Content-Type", "application/json")],
        "data": b'{"text":"a"}',
    },
    {
        "t": 0.5,
        "k": "response",
        "line": "HTTP/1.1 200 OK",
        "headers": [("Content-Type", "audio/wav")],
    },
    {"t": 0.75, "k": "chunk", "data": b"\xff\x00"},
    {"t": 1.5, "k": "chunk", "data": b"\x01"},
    {"t": 1.5, "k": "cut", "how": "reset"},
)
SOCKET = make(
    {"t": 0, "dir": "c", "k": "ws-open", "line": "GET /w HTTP/1.1"},
    {"t": 0.1, "k": "ws-accept", "line": "HTTP/1.1 101 Switching Protocols"},
    {"t": 0.2, "dir": "c", "k": "text", "data": b'{"type":"start"}'},
    {"t": 0.3, "k": "bin", "data": b"\x00\xff"},
    {"t": 0.4, "k": "ping", "data": b"p"},
    {"t": 0.5, "k": "close", "code": 1011, "reason": "busy"},
)


def entry(tape: Tape) -> dict[str, Any]:
    archive = to_har(tape)
    json.dumps(archive, allow_nan=False)
    assert archive["log"]["version"] == "1.2"
    (found,) = archive["log"]["entries"]
    assert isinstance(found, dict)
    return found


def test_an_entry_has_what_the_format_asks_for() -> None:
    """Every member that HAR 1.2 demands is there, in request, response and timings."""
    found = entry(HTTP)
    assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= set(found)
    both = {"httpVersion", "cookies", "headers", "headersSize", "bodySize"}
    assert both | {"method", "url", "queryString"} <= set(found["request"])
    assert both | {"status", "statusText", "content", "redirectURL"} <= set(found["response"])
    assert {"send", "wait", "receive"} <= set(found["timings"])


def test_a_request_and_its_reply_are_in_it() -> None:
    """Address, query, bodies, status and times are those of the tape."""
    found = entry(HTTP)
    assert found["startedDateTime"] == "2026-11-25T00:00:00+00:00"
    assert found["request"]["url"] == "https://api.acme.example/say?a=b%20c&d"
    assert found["request"]["queryString"] == [
        {"name": "a", "value": "b c"},
        {"name": "d", "value": ""},
    ]
    assert found["request"]["postData"]["text"] == '{"text":"a"}'
    assert (found["response"]["status"], found["response"]["statusText"]) == (200, "OK")
    content = found["response"]["content"]
    assert base64.b64decode(content["text"]) == b"\xff\x00\x01"
    assert content["encoding"] == "base64"
    assert (found["timings"]["wait"], found["timings"]["receive"]) == (500, 1000)
    assert found["comment"] == "chunks of 2, 1 bytes; cut by the service (reset)"


def test_messages_stand_as_browsers_write_them() -> None:
    """Messages of a WebSocket are send or receive, with opcode, and binary ones in base64."""
    found = entry(SOCKET)
    assert found["request"]["url"] == "wss://api.acme.example/w"
    assert found["response"]["status"] == 101
    sent, received = found["_webSocketMessages"]
    assert (sent["type"], sent["opcode"], sent["data"]) == ("send", 1, '{"type":"start"}')
    assert (received["type"], received["opcode"]) == ("receive", 2)
    assert base64.b64decode(received["data"]) == b"\x00\xff"
    assert round(received["time"] - sent["time"], 3) == 0.1
    assert found["comment"] == "closed by the service: 1011 busy"


def test_a_request_without_a_reply_has_status_0() -> None:
    """A request that nobody answered has the status that browsers give it."""
    assert (
        entry(make({"t": 0, "dir": "c", "k": "request", "line": "GET / HTTP/1.1"}))["response"][
            "status"
        ]
        == 0
    )
