"""HTTP archives, for looking at a tape in a browser's developer tools."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from vivavoce_contract.tapes.event import Event, Kind
from vivavoce_contract.tapes.format import Exchange, Tape

__all__ = ["to_har"]

_NOWHERE = "tape.invalid"
_OPCODES = {Kind.TEXT: 1, Kind.BIN: 2}


def to_har(tape: Tape) -> dict[str, Any]:
    """
    Return *tape* as an HTTP archive (HAR 1.2), as JSON knows it.

    Messages of a WebSocket stand under ``_webSocketMessages``, as browsers write them: whole
    ones, without control frames. Chunk borders, cuts and close codes are in ``comment`` only.
    """
    began = datetime.combine(tape.header.recorded_at, time(), UTC)
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "vivavoce-contract", "version": version("vivavoce-contract")},
            "comment": (
                f"{tape.header.provider}: {tape.header.scenario} ({tape.header.source.kind})"
            ),
            "entries": [_entry(tape, each, began) for each in tape.exchanges()],
        }
    }


def _entry(tape: Tape, exchange: Exchange, began: datetime) -> dict[str, Any]:
    request, response = exchange.request, exchange.response
    last = exchange.replies[-1].t if exchange.replies else request.t
    first = response.t if response is not None else last
    wait_ms, receive_ms = (first - request.t) * 1000, (last - first) * 1000
    entry: dict[str, Any] = {
        "startedDateTime": (began + timedelta(seconds=request.t)).isoformat(),
        "time": wait_ms + receive_ms,
        "request": _request(tape, exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": wait_ms, "receive": receive_ms},
        "connection": str(exchange.conn),
        "comment": _comment(exchange),
    }
    if exchange.is_websocket:
        entry["_resourceType"] = "websocket"
        entry["_webSocketMessages"] = [
            _message(event, began) for event in exchange.replies if event.k in _OPCODES
        ]
    return entry


def _request(tape: Tape, exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    base = urlsplit(tape.header.source.url)
    scheme = base.scheme if base.scheme in ("http", "https") else "http"
    if exchange.is_websocket:
        scheme = scheme.replace("http", "ws")
    query = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    plain: dict[str, Any] = {
        "method": request.method,
        "url": f"{scheme}://{base.netloc or _NOWHERE}{request.target}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": _pairs(query),
        "headersSize": -1,
        "bodySize": len(request.data),
    }
    if request.data:
        kind = request.header("content-type") or "application/octet-stream"
        plain["postData"] = {"mimeType": kind, "params": [], **_text(request.data)}
    return plain


def _response(exchange: Exchange) -> dict[str, Any]:
    response, body = exchange.response, exchange.body
    if response is None:
        # Browsers write status 0 for a request that nobody answered.
        response_line, headers, status, kind = "HTTP/1.1 0 ", [], 0, ""
    else:
        response_line, headers, status = response.line, _pairs(response.headers), response.status
        kind = response.header("content-type") or ""
    return {
        "status": status,
        "statusText": response_line.split(" ", 2)[2] if response_line.count(" ") > 1 else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "content": {"size": len(body), "mimeType": kind, **_text(body)},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": len(body),
    }


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(data).decode(), "encoding": "base64"}


def _message(event: Event, began: datetime) -> dict[str, Any]:
    is_text = event.k is Kind.TEXT
    data = event.data.decode(errors="replace") if is_text else base64.b64encode(event.data).decode()
    return {
        "type": "send" if event.is_from_client else "receive",
        "time": (began + timedelta(seconds=event.t)).timestamp(),
        "opcode": _OPCODES[event.k],
        "data": data,
    }


def _comment(exchange: Exchange) -> str:
    words = []
    chunks = [str(len(event.data)) for event in exchange.replies if event.k is Kind.CHUNK]
    if len(chunks) > 1:
        words.append(f"chunks of {', '.join(chunks)} bytes")
    for event in exchange.replies:
        who = "client" if event.is_from_client else "service"
        if event.k is Kind.CUT:
            words.append(f"cut by the {who} ({event.how})")
        elif event.k is Kind.STALL:
            words.append("stalled")
        elif event.k is Kind.CLOSE:
            code = "without a code" if event.code is None else event.code
            words.append(f"closed by the {who}: {code} {event.reason}".rstrip())
    return "; ".join(words)
