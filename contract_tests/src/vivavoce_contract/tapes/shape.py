"""
The shape of a tape: what must stay the same when it is recorded again.

Keys and their types, the order of events, statuses and error codes belong to it; audio, ids,
numbers, times and chunk borders do not, nor how often an event comes in a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any

from vivavoce_contract.tapes.event import Event, Kind
from vivavoce_contract.tapes.format import Exchange, Tape

__all__ = ["difference", "shape"]

# The values of these say which event or which error it is.
_TELLING = frozenset(
    {
        "action",
        "code",
        "error",
        "error_code",
        "event",
        "finish_reason",
        "object",
        "status",
        "status_code",
        "type",
    }
)
_LONGEST_BLOCK = 4


def shape(tape: Tape) -> tuple[str, ...]:
    """Return the shape as lines, each understood by itself, in the order of the tape."""
    lines: list[str] = []
    for exchange in tape.exchanges():
        label = f"{exchange.request.method} {exchange.request.target.partition('?')[0]}"
        lines += _head(label, exchange.request)
        lines += (
            _of_websocket(label, exchange) if exchange.is_websocket else _of_http(label, exchange)
        )
    return tuple(lines)


def difference(old: Tape, new: Tape) -> list[str]:
    """
    Return in what the shapes of two tapes differ, in the order of the tapes.

    A line that begins with ``-`` is in *old* alone, one with ``+`` in *new* alone; no line
    means that they have the same shape.
    """
    before, after = shape(old), shape(new)
    found: list[str] = []
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag != "equal":
            found += [f"- {line}" for line in before[a0:a1]]
            found += [f"+ {line}" for line in after[b0:b1]]
    return found


def _head(label: str, request: Event) -> Iterator[str]:
    yield f"{label} {request.k}"
    for part in filter(None, request.target.partition("?")[2].split("&")):
        yield f"{label} query {part.partition('=')[0]}"
    yield from _headers(label, request)
    if request.data:
        yield from _payload(f"{label} body", request.data)


def _headers(label: str, event: Event) -> list[str]:
    return [f"{label} header {name}" for name in sorted({n.lower() for n, _ in event.headers})]


def _of_http(label: str, exchange: Exchange) -> list[str]:
    lines: list[str] = []
    for event in exchange.replies:
        if event.k is Kind.RESPONSE:
            lines.append(f"{label} status {event.status}")
            kind = (event.header("content-type") or "none").partition(";")[0].strip()
            lines.append(f"{label} content-type {kind}")
    response = exchange.response
    kind = (response.header("content-type") or "" if response is not None else "").lower()
    if exchange.body:
        if kind.startswith("text/event-stream"):
            lines += _flat(_folded(_sse_events(f"{label} reply", exchange.body)))
        else:
            lines += _payload(f"{label} reply", exchange.body)
    return lines + [f"{label} {_ending(e)}" for e in exchange.replies if e.k in _ENDINGS]


_ENDINGS = (Kind.END, Kind.CUT, Kind.STALL)


def _ending(event: Event) -> str:
    return f"{event.k} {event.how}".rstrip()


def _of_websocket(label: str, exchange: Exchange) -> list[str]:
    blocks = []
    for event in exchange.replies:
        if event.k in (Kind.PING, Kind.PONG, Kind.EOF):
            continue
        who = f"{label} {'client' if event.is_from_client else 'service'}"
        if event.k is Kind.TEXT:
            blocks.append(tuple(_payload(who, event.data)))
        elif event.k is Kind.CLOSE:
            blocks.append((f"{who} close {event.code}",))
        elif event.k in (Kind.RESPONSE, Kind.WS_ACCEPT):
            blocks.append((f"{who} status {event.status}",))
        elif event.k is not Kind.END:
            blocks.append((f"{who} {_ending(event)}",))
    return _flat(_folded(blocks))


def _sse_events(label: str, body: bytes) -> Iterator[tuple[str, ...]]:
    """Give the shape of each server-sent event, by the rules of the HTML standard."""
    text = body.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n"):
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                fields.setdefault(name, []).append(value.removeprefix(" "))
        if "data" not in fields:
            continue
        event = f"{label} event {fields['event'][0]}" if "event" in fields else f"{label} event"
        yield tuple(_payload(event, "\n".join(fields["data"]).encode()))


def _payload(label: str, data: bytes) -> Iterator[str]:
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        yield f"{label}: {'text' if _is_text(data) else 'bytes'}"
        return
    told = " ".join(_telling(plain))
    label = f"{label} ({told})" if told else label
    yield label
    for line in dict.fromkeys(_paths(plain, "$")):
        yield f"{label}: {line}"


def _is_text(data: bytes) -> bool:
    try:
        return data.decode().isprintable() or b"\n" in data
    except UnicodeDecodeError:
        return False


def _telling(plain: Any) -> Iterator[str]:
    """Give the values that say what an object is, down the whole of it."""
    if isinstance(plain, dict):
        for key, value in sorted(plain.items()):
            if key in _TELLING and isinstance(value, str | int) and str(value):
                yield f"{key}={str(value)[:60]}"
            else:
                yield from _telling(value)
    elif isinstance(plain, list):
        for value in dict.fromkeys(found for item in plain for found in _telling(item)):
            yield value


def _paths(plain: Any, path: str) -> Iterator[str]:
    if isinstance(plain, dict):
        if not plain:
            yield f"{path} empty object"
        for key, value in sorted(plain.items()):
            yield from _paths(value, f"{path}.{key}")
    elif isinstance(plain, list):
        if not plain:
            yield f"{path} empty list"
        for value in plain:
            yield from _paths(value, f"{path}[]")
    else:
        yield f"{path} {_TYPES[type(plain)]}"


_TYPES = {str: "text", bool: "truth", int: "number", float: "number", type(None): "null"}


def _folded(blocks: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return *blocks*, where up to four that come again at once are there only once."""
    out: list[tuple[str, ...]] = []
    for block in blocks:
        out.append(block)
        for size in range(1, _LONGEST_BLOCK + 1):
            if len(out) >= 2 * size and out[-size:] == out[-2 * size : -size]:
                del out[-size:]
                break
    return out


def _flat(blocks: Iterable[tuple[str, ...]]) -> list[str]:
    return [line for block in blocks for line in block]
