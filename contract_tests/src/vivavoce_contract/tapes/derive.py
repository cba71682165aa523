"""
Fault tapes, made from a good one: a reply that is cut, refused, stalled, malformed or late.

They are never edited by hand. Each is synthetic, and its header says what it was derived from.
Chunks are counted over the whole tape, from 1; what follows the fault on the same connection
is gone, and so are connections opened after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Literal

import attrs

from vivavoce.errors import InvalidValue
from vivavoce_contract.tapes.event import Event, Headers, Kind
from vivavoce_contract.tapes.format import Tape
from vivavoce_contract.tapes.header import Origin, Source

__all__ = [
    "close_after",
    "count_pieces",
    "cut",
    "cut_after_chunk",
    "derived",
    "error_after_chunk",
    "late_event",
    "malformed_chunk",
    "map_chunks",
    "only_chunk",
    "rechunk",
    "stall_after_chunk",
    "status",
    "without_end",
]

How = Literal["fin", "reset"]

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_SPOKEN = (Kind.TEXT, Kind.BIN)


def derived(
    tape: Tape,
    events: Iterable[Event],
    what: str,
    *,
    expects: Mapping[str, Any] | None = None,
) -> Tape:
    """
    Return a synthetic tape with other events.

    Args:
        tape: What it is made from.
        events: What is on it.
        what: What was done, in a few words; it becomes part of the scenario.
        expects: What should come of it.
    """
    source = Source(
        kind=Origin.SYNTHETIC,
        name=f"{what} of {tape.header.scenario}",
        evidence=(f"made from a tape of kind {tape.header.source.kind}",),
    )
    header = attrs.evolve(
        tape.header,
        source=source,
        scenario=f"{tape.header.scenario}: {what}",
        claims=(),
        expects=dict(expects or {}),
        sha256="",
        derived_from=tape.sha256,
    )
    # Without a seal, which would be one more pass: it is sealed when it is written.
    return Tape(header=header, events=events)


# HTTP


def cut(tape: Tape, *, at: int, how: How = "fin", expects: Mapping[str, Any] | None = None) -> Tape:
    """
    Return the tape with the connection cut after *at* bytes of replies' bodies.

    Args:
        tape: A tape of HTTP.
        at: How many bytes still come, counted over the whole tape; 0 for none.
        how: By an orderly FIN, or a reset.
        expects: What should come of it.

    Raises:
        InvalidValue: If there are not as many.
    """
    left = at
    events: list[Event] = []
    for event in tape.events:
        if event.k is Kind.CHUNK:
            if left <= len(event.data):
                if left:
                    events.append(attrs.evolve(event, data=event.data[:left]))
                events.append(_cut(event, how))
                kept = _until(tape, events, event)
                return derived(tape, kept, f"{how} after {at} bytes", expects=expects)
            left -= len(event.data)
        events.append(event)
    msg = f"The tape has {at - left} bytes of replies, so it cannot be cut after {at}."
    raise InvalidValue(msg)


def cut_after_chunk(
    tape: Tape, n: int, how: How = "fin", *, expects: Mapping[str, Any] | None = None
) -> Tape:
    """Return the tape with the connection cut right after chunk *n*; 0 is before the first."""
    return _after_chunk(tape, n, lambda last: [_cut(last, how)], f"{how} after chunk {n}", expects)


def stall_after_chunk(tape: Tape, n: int, *, expects: Mapping[str, Any] | None = None) -> Tape:
    """Return the tape with a service that says nothing more after chunk *n*, and stays."""
    return _after_chunk(tape, n, lambda last: [_stall(last)], f"stall after chunk {n}", expects)


def error_after_chunk(
    tape: Tape, n: int, payload: bytes, *, expects: Mapping[str, Any] | None = None
) -> Tape:
    """
    Return the tape with another chunk after chunk *n*, and the orderly end of the body.

    Of a WebSocket: with another message in text, and a close by the service.

    Args:
        tape: Any tape.
        n: After which chunk; 0 is before the first.
        payload: What the provider sends when it fails in the middle, framed as it does.
        expects: What should come of it.
    """

    def tail(last: Event) -> list[Event]:
        common: dict[str, Any] = {"t": last.t, "conn": last.conn, "dir": "s"}
        if last.k is Kind.WS_ACCEPT or last.k in _SPOKEN:
            message = Event(**common, k=Kind.TEXT, data=payload)
            close = Event(**common, k=Kind.CLOSE, code=1000)
            return [message, close, Event(**common, k=Kind.EOF)]
        return [Event(**common, k=Kind.CHUNK, data=payload), Event(**common, k=Kind.END)]

    return _fitted(_after_chunk(tape, n, tail, f"error after chunk {n}", expects))


def only_chunk(tape: Tape, payload: bytes, *, expects: Mapping[str, Any] | None = None) -> Tape:
    """Return the tape with *payload* as the first reply's whole body, such as one without audio."""
    return error_after_chunk(tape, 0, payload, expects=expects)


def status(
    tape: Tape,
    code: int,
    headers: Headers = (),
    body: bytes = b"",
    *,
    expects: Mapping[str, Any] | None = None,
) -> Tape:
    """
    Return the tape with its first request refused; a WebSocket's handshake likewise.

    Args:
        tape: Any tape.
        code: HTTP status.
        headers: Of the refusal; its length is added.
        body: Of the refusal.
        expects: What should come of it.
    """
    asked = tape.exchanges()[0].request
    reason = _REASONS.get(code, "")
    all_headers = [*headers]
    if not any(name.lower() == "content-length" for name, _ in headers):
        all_headers.append(("Content-Length", str(len(body))))
    common: dict[str, Any] = {"t": asked.t, "conn": asked.conn, "dir": "s"}
    line = f"HTTP/1.1 {code} {reason}".rstrip()
    refusal = [Event(**common, k=Kind.RESPONSE, line=line, headers=tuple(all_headers))]
    if body:
        refusal.append(Event(**common, k=Kind.CHUNK, data=body))
    refusal.append(Event(**common, k=Kind.END))
    before = list(tape.events[: tape.events.index(asked) + 1])
    return derived(tape, [*before, *refusal], f"status {code}", expects=expects)


def malformed_chunk(tape: Tape, n: int, *, expects: Mapping[str, Any] | None = None) -> Tape:
    """
    Return the tape with chunk *n*, or message *n* of the service, garbled from its middle on.

    Its second half is replaced by a byte that is no UTF-8; the line ends behind it stay, so
    that the fault is in this event and the next one is whole.
    """
    wanted = _numbered(tape, n)
    events = [
        attrs.evolve(event, data=_garbled(event.data)) if event is wanted else event
        for event in tape.events
    ]
    return _fitted(derived(tape, events, f"chunk {n} malformed", expects=expects))


def without_end(tape: Tape, *, expects: Mapping[str, Any] | None = None) -> Tape:
    """
    Return the tape without its last chunk, though the body ends in order.

    Of a WebSocket: without the last message of the service. That is where a provider says
    that it is done, so what is missing is the provider's own end, not the transport's.
    """
    last = [event for event in tape.events if _is_piece(event)][-1]
    events = [event for event in tape.events if event is not last]
    return _fitted(derived(tape, events, "no end", expects=expects))


def rechunk(tape: Tape, sizes: Sequence[int]) -> Tape:
    """
    Return the tape with other borders between chunks, and the same bytes.

    Args:
        tape: A tape of HTTP.
        sizes: Sizes of the chunks in turn, over and over.

    Raises:
        InvalidValue: If a size is below 1, or there is none.
    """
    if not sizes or min(sizes) < 1:
        msg = f"sizes is {sizes!r}. It must be one or more sizes of 1 byte or more."
        raise InvalidValue(msg)
    events: list[Event] = []
    body: list[Event] = []
    for event in tape.events:
        if event.k is Kind.CHUNK and (not body or body[0].conn == event.conn):
            body.append(event)
            continue
        events += _cut_anew(body, sizes)
        body = [event] if event.k is Kind.CHUNK else []
        if not body:
            events.append(event)
    events += _cut_anew(body, sizes)
    sizes_text = ", ".join(str(size) for size in sizes[:4]) + (", …" if len(sizes) > 4 else "")
    return derived(tape, events, f"in chunks of {sizes_text} bytes", expects=tape.header.expects)


def map_chunks(
    tape: Tape,
    change: Callable[[bytes], bytes],
    what: str,
    *,
    expects: Mapping[str, Any] | None = None,
) -> Tape:
    """
    Return the tape with each body of a reply, or message of the service, changed.

    Only who knows the provider can make a reply without audio: *change* is given the whole
    body of each reply, or one message, and returns what is sent in its place.
    """
    events: list[Event] = []
    bodies: dict[int, list[Event]] = {}
    for event in tape.events:
        if event.k is Kind.CHUNK:
            bodies.setdefault(event.conn, []).append(event)
            continue
        if event.k in _SPOKEN and not event.is_from_client:
            events.append(attrs.evolve(event, data=change(event.data)))
            continue
        events += _changed(bodies.pop(event.conn, []), change)
        events.append(event)
    events += chain.from_iterable(_changed(body, change) for body in bodies.values())
    return _fitted(derived(tape, events, what, expects=expects))


# WebSocket


def close_after(
    tape: Tape,
    n: int,
    code: int,
    reason: str = "",
    *,
    expects: Mapping[str, Any] | None = None,
) -> Tape:
    """
    Return the tape with the WebSocket closed by the service after its *n*-th message.

    Args:
        tape: A tape with a WebSocket.
        n: After which message of the service; 0 is right after the handshake.
        code: Of the close frame; 1006 means that the connection breaks without one.
        reason: Of the close frame.
        expects: What should come of it.
    """

    def tail(last: Event) -> list[Event]:
        if code == 1006:
            return [_cut(last, "reset")]
        common: dict[str, Any] = {"t": last.t, "conn": last.conn, "dir": "s"}
        close = Event(**common, k=Kind.CLOSE, code=code, reason=reason)
        return [close, Event(**common, k=Kind.EOF)]

    return _after_chunk(tape, n, tail, f"close {code} after message {n}", expects)


def late_event(
    tape: Tape,
    payload: bytes | Mapping[str, Any],
    *,
    after: int,
    expects: Mapping[str, Any] | None = None,
) -> Tape:
    """
    Return the tape with one message more, such as audio of a request that was cancelled.

    Args:
        tape: A tape with a WebSocket.
        payload: What is sent: an object as JSON, bytes as they are, in a binary message.
        after: After which message of the service; 0 is right after the handshake.
        expects: What should come of it.
    """
    last = _numbered(tape, after)
    is_bytes = isinstance(payload, bytes)
    data = payload if isinstance(payload, bytes) else json.dumps(dict(payload)).encode()
    kind = Kind.BIN if is_bytes else Kind.TEXT
    late = Event(t=last.t, conn=last.conn, dir="s", k=kind, data=data)
    place = _place(tape.events, last) + 1
    events = [*tape.events[:place], late, *tape.events[place:]]
    return derived(tape, events, f"late event after message {after}", expects=expects)


# Helpers


def count_pieces(tape: Tape) -> int:
    """Return how many pieces the replies came in: chunks of HTTP, messages of a WebSocket."""
    return sum(1 for event in tape.events if _is_piece(event))


def _is_piece(event: Event) -> bool:
    return event.k is Kind.CHUNK or (event.k in _SPOKEN and not event.is_from_client)


def _place(events: Sequence[Event], wanted: Event) -> int:
    # Not index(): equal events are not the same one.
    return next(number for number, event in enumerate(events) if event is wanted)


def _numbered(tape: Tape, n: int) -> Event:
    """Return the *n*-th piece of a reply; for 0 the head of the first reply that has one."""
    pieces = [event for event in tape.events if _is_piece(event)]
    if not 0 <= n <= len(pieces):
        msg = f"n is {n}. The tape has {len(pieces)} chunks and messages of the service."
        raise InvalidValue(msg)
    if n:
        return pieces[n - 1]
    first = pieces[0] if pieces else None
    heads = (
        event
        for event in tape.events
        if event.k in (Kind.RESPONSE, Kind.WS_ACCEPT)
        and (first is None or event.conn == first.conn)
    )
    head = None
    for event in heads:
        if first is None or _place(tape.events, event) < _place(tape.events, first):
            head = event
    if head is None:
        msg = "The tape has no reply."
        raise InvalidValue(msg)
    return head


def _until(tape: Tape, head: Sequence[Event], last: Event) -> list[Event]:
    """
    Return *head*, which ends with the fault, and what happens beside it.

    Other connections go on; what was opened later may depend on what did not come.
    """
    place = _place(tape.events, last)
    known = {event.conn for event in tape.events[:place]}
    rest = [
        event
        for event in tape.events[place + 1 :]
        if event.conn != last.conn and event.conn in known
    ]
    return [*head, *rest]


def _after_chunk(
    tape: Tape,
    n: int,
    tail: Callable[[Event], list[Event]],
    what: str,
    expects: Mapping[str, Any] | None,
) -> Tape:
    last = _numbered(tape, n)
    head = [*tape.events[: _place(tape.events, last) + 1], *tail(last)]
    return derived(tape, _until(tape, head, last), what, expects=expects)


def _cut(last: Event, how: How) -> Event:
    return Event(t=last.t, conn=last.conn, dir="s", k=Kind.CUT, how=how)


def _stall(last: Event) -> Event:
    return Event(t=last.t, conn=last.conn, dir="s", k=Kind.STALL)


def _garbled(data: bytes) -> bytes:
    content = data.rstrip(b"\r\n")
    return content[: len(content) // 2] + b"\xff" + data[len(content) :]


def _cut_anew(body: Sequence[Event], sizes: Sequence[int]) -> Iterator[Event]:
    whole = memoryview(b"".join(event.data for event in body))
    # A new chunk comes when its last byte did.
    arrivals = list(_arrivals(body))
    turn = chain.from_iterable(repeat(sizes))
    start = 0
    number = 0
    while start < len(whole):
        end = min(start + next(turn), len(whole))
        while arrivals[number][0] < end:
            number += 1
        yield attrs.evolve(body[0], t=arrivals[number][1], data=bytes(whole[start:end]))
        start = end


def _arrivals(body: Sequence[Event]) -> Iterator[tuple[int, float]]:
    end = 0
    for event in body:
        end += len(event.data)
        yield end, event.t


def _changed(body: Sequence[Event], change: Callable[[bytes], bytes]) -> list[Event]:
    if not body:
        return []
    data = change(b"".join(event.data for event in body))
    return [attrs.evolve(body[-1], data=data)] if data else []


def _fitted(tape: Tape) -> Tape:
    """Return the tape with each ``Content-Length`` that of the body that is on it now."""
    lengths = {
        id(each.response): len(each.body) for each in tape.exchanges() if each.response is not None
    }
    events = [
        attrs.evolve(event, headers=_with_length(event.headers, lengths[id(event)]))
        if id(event) in lengths
        else event
        for event in tape.events
    ]
    return attrs.evolve(tape, events=events)


def _with_length(headers: Headers, length: int) -> Headers:
    return tuple(
        (name, str(length) if name.lower() == "content-length" else value)
        for name, value in headers
    )
