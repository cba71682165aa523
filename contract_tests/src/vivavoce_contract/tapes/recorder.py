"""
Records a conversation: a proxy on this machine, between any client and a service.

What a service says is passed on as it comes, chunk by chunk and frame by frame, and written
down with its moment; a cut is passed on as a cut, a reset as a reset.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import attrs
from attrs import define

from vivavoce_contract.tapes._addresses import Addresses, Held, Place, is_text
from vivavoce_contract.tapes._frames import Reader
from vivavoce_contract.tapes._http import (
    LAST_CHUNK,
    BadMessage,
    Body,
    BodyCut,
    Head,
    encode_chunk,
    encode_head,
    read_body,
    read_head,
)
from vivavoce_contract.tapes._loopback import Connection, Ended, Server
from vivavoce_contract.tapes.event import ORIGIN, Event, Headers, Kind, TapeError
from vivavoce_contract.tapes.format import Exchange, Tape
from vivavoce_contract.tapes.header import Header, Match
from vivavoce_contract.tapes.provenance import make_source
from vivavoce_contract.tapes.scrub import Policy, refuse_secrets, scrub

__all__ = ["Recorder"]

_CONNECT_LIMIT_S = 30.0
# What is between two neighbours is not passed on, nor is what would make bytes unreadable.
_KEPT_BACK = ("host", "accept-encoding", "sec-websocket-extensions", "expect", "proxy-connection")
_FRAMING = ("content-length", "transfer-encoding")


@define
class _Talk:
    """One client's connection."""

    client: Connection
    number: int
    service: Connection | None = None
    is_websocket: bool = False
    is_leaving: bool = False


class Recorder:
    """
    Records what goes through it.

    Args:
        upstream: Base address of the service, as its client would be given it.
        provider: Name of the provider, as in a selector.
        scenario: What is done, in a name.
        model: The provider's model, or empty.
        kind: What is recorded: ``live``, or ``emulator`` for anything on this machine.
        source: Other facts of :class:`Source`, such as ``name``, ``version``, ``driver``.
        secrets: What must not be on the tape, such as the key.
        match: What of a request is compared when the tape is played.
        allowed_headers: Names of headers whose values may be on the tape, besides the usual.
        policy: What else may stay; made of *allowed_headers* if not given.
        also: Patterns of other hosts (``*.example.com``) that the service sends its client to.
            Their addresses are changed, so that the client stays here.
        claims: Capabilities the tape is evidence for.
        expects: What should come of it.

    Attributes:
        failures: What went wrong on the way to the service, a sentence each.

    Raises:
        ValueError: If *upstream* is no address.
        TapeError: If *kind* is ``live`` and *upstream* is this machine.
    """

    def __init__(
        self,
        upstream: str,
        *,
        provider: str,
        scenario: str,
        model: str = "",
        kind: str = "emulator",
        source: dict[str, Any] | None = None,
        secrets: Iterable[str] = (),
        match: Match | None = None,
        allowed_headers: Iterable[str] = (),
        policy: Policy | None = None,
        also: Iterable[str] = (),
        claims: Iterable[str] = (),
        expects: dict[str, Any] | None = None,
    ) -> None:
        place = Place.of(upstream)
        self.failures: list[str] = []
        self._secrets = tuple(secret for secret in secrets if secret)
        self._policy = policy or Policy(headers=tuple(allowed_headers))
        self._addresses = Addresses(place, also)
        self._path = urlsplit(upstream).path.rstrip("/")
        self._header = Header(
            provider=provider,
            scenario=scenario,
            model=model,
            source=make_source(kind, place.host, **(source or {})),
            recorded_at=datetime.now(UTC).date(),
            recorder=f"vivavoce-contract {version('vivavoce-contract')}",
            base_path=self._path,
            match=match or Match(),
            claims=tuple(claims),
            expects=expects or {},
        )
        self._events: list[Event] = []
        self._numbers = itertools.count(1)
        self._begun_s: float | None = None
        self._tls: ssl.SSLContext | None = None
        self._server = Server(self._serve, "vivavoce-recorder")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """
        Begin to serve.

        Args:
            port: 0 for any that is free.

        Raises:
            OSError: If the port cannot be used.
        """
        self._server.bind(port)
        self._server.start()

    def stop(self) -> None:
        """End; what was recorded stays. Harmless when repeated."""
        self._server.stop()

    @property
    def origin(self) -> str:
        """Its own ``http://host:port``."""
        return self._server.origin

    @property
    def base_url(self) -> str:
        """What a client is given as the service's base address."""
        return self.origin + self._path

    @property
    def ws_url(self) -> str:
        """The same for a client that speaks WebSocket."""
        return "ws" + self.base_url.removeprefix("http")

    def tape(self) -> Tape:
        """
        Return what was recorded so far: scrubbed, sealed, and searched for the secrets.

        Take it when the recorder has been stopped: only then is the last of it known.

        Raises:
            SecretFound: If a secret is on it, or something that looks like a key.
        """
        raw = Tape(header=self._header, events=tuple(self._events))
        tape = scrub(attrs.evolve(raw, events=tuple(self._placed(raw))), self._policy).sealed()
        refuse_secrets(tape, self._secrets)
        return tape

    # What is on the tape

    def _note(self, conn: int, side: str, kind: Kind, **fields: Any) -> None:
        """Write down what happened just now."""
        now = time.monotonic()
        if self._begun_s is None:
            self._begun_s = now
        self._events.append(
            Event(t=now - self._begun_s, conn=conn, dir=side, k=kind, **fields)  # type: ignore[arg-type]
        )

    def _placed(self, raw: Tape) -> Iterator[Event]:
        """Give the events with the placeholder where an address leads back to the service."""
        changed: dict[int, Event | None] = {}
        for exchange in raw.exchanges():
            changed |= self._placed_reply(exchange)
        for event in raw.events:
            if event.is_from_client:
                yield self._placed_request(event)
                continue
            new = changed.get(id(event), event)
            if new is not None:
                yield new

    def _placed_request(self, event: Event) -> Event:
        own, placeholder = self.origin.encode(), ORIGIN.encode()
        return attrs.evolve(
            event,
            data=event.data.replace(own, placeholder),
            headers=tuple((name, v.replace(self.origin, ORIGIN)) for name, v in event.headers),
        )

    def _placed_reply(self, exchange: Exchange) -> dict[int, Event | None]:
        """Return by identity those events of a reply that change, or None where one goes."""
        head = exchange.response
        if head is None or head.k is not Kind.RESPONSE:
            return {}
        changed: dict[int, Event | None] = {}
        length = 0
        if _may_be_changed(Head(head.line, head.headers)):
            chunks = [event for event in exchange.replies if event.k is Kind.CHUNK]
            pieces = self._addresses.lead_back_pieces(
                [event.data for event in chunks], ORIGIN.encode()
            )
            for event, piece in zip(chunks, pieces, strict=True):
                if piece != event.data:
                    changed[id(event)] = attrs.evolve(event, data=piece) if piece else None
            if changed:
                grown = sum(map(len, pieces)) - sum(len(event.data) for event in chunks)
                length = int(head.header("content-length") or 0) + grown
        headers = tuple(
            (name, str(length) if length and name.lower() == "content-length" else value)
            for name, value in self._headers_back(head.headers, ORIGIN)
        )
        return changed | {id(head): attrs.evolve(head, headers=headers)}

    def _headers_back(self, headers: Headers, origin: str) -> Headers:
        return tuple(
            (
                (
                    name,
                    self._addresses.lead_back(value.encode("latin-1"), origin.encode()).decode(
                        "latin-1"
                    ),
                )
                if name.lower() in ("location", "content-location")
                else (name, value)
            )
            for name, value in headers
        )

    # One client

    async def _serve(self, client: Connection) -> None:
        talk = _Talk(client, 0)
        watch = asyncio.ensure_future(self._watch(talk))
        try:
            while await self._exchange(talk):
                pass
        except BadMessage as error:
            self.failures.append(f"{error}")
            await _refuse(client, "400 Bad Request", f"{error}")
        finally:
            watch.cancel()
            if talk.service is not None:
                talk.service.abort()

    async def _watch(self, talk: _Talk) -> None:
        """Leave the service when the client leaves, even while the service is silent."""
        await talk.client.ended.wait()
        talk.is_leaving = True
        # What a WebSocket's client said last is passed on first, by who copies it.
        if talk.service is not None and not talk.is_websocket:
            talk.service.abort()

    async def _exchange(self, talk: _Talk) -> bool:
        """Pass on one request and its reply; whether another may follow."""
        head = await read_head(talk.client, is_request=True)
        body = await read_body(talk.client, head)
        talk.number = talk.number or next(self._numbers)
        is_websocket = head.asks_for_websocket
        try:
            place, target = self._addresses.target_of(head.target)
        except ValueError as error:
            self.failures.append(f"A client was led astray: {error}")
            await _refuse(talk.client, "403 Forbidden", f"{error}")
            return False
        if is_websocket:
            self._note(talk.number, "c", Kind.WS_OPEN, line=head.line, headers=head.headers)
        else:
            self._note(
                talk.number, "c", Kind.REQUEST, line=head.line, headers=head.headers, data=body
            )
        try:
            talk.service = await self._connect(place)
        except (OSError, TimeoutError, ssl.SSLError) as error:
            said = f"{place.authority} cannot be reached: {type(error).__name__}: {error}"
            self.failures.append(said)
            self._forget_last(talk.number)
            await _refuse(talk.client, "502 Bad Gateway", said)
            return False
        try:
            await talk.service.write(self._request(head, body, place, target))
            return await self._reply(talk, head)
        except Ended as end:
            await self._cut(talk, end.how)
        except BadMessage as error:
            self.failures.append(f"the service: {error}")
            await self._cut(talk, "fin")
        finally:
            talk.service.close()
        return False

    def _forget_last(self, number: int) -> None:
        """Take back a request that went nowhere."""
        last = max(n for n, event in enumerate(self._events) if event.conn == number)
        del self._events[last]

    def _request(self, head: Head, body: bytes, place: Place, target: str) -> bytes:
        if is_text(head.get("content-type")):
            body = self._addresses.lead_on(body, self.origin)
        headers = [("Host", place.authority), *head.without(*_KEPT_BACK, *_FRAMING)]
        if body or any(name.lower() in _FRAMING for name, _ in head.headers):
            headers.append(("Content-Length", str(len(body))))
        version = head.line.rpartition(" ")[2]
        return encode_head(f"{head.method} {target} {version}", tuple(headers)) + body

    async def _connect(self, place: Place) -> Connection:
        options: dict[str, Any] = {}
        if place.scheme == "https":
            if self._tls is None:
                self._tls = ssl.create_default_context()
            options = {"ssl": self._tls, "server_hostname": place.host}
        async with asyncio.timeout(_CONNECT_LIMIT_S):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._server.others.add, self._forget_service),
                place.host,
                place.port,
                **options,
            )
        return connection

    def _forget_service(self, connection: Connection) -> None:
        if connection.is_lost:
            self._server.others.discard(connection)

    async def _cut(self, talk: _Talk, how: str) -> None:
        """Write down and pass on that the conversation was cut, by whichever side."""
        if talk.is_leaving:
            self._note(talk.number, "c", Kind.CUT, how=talk.client.how)
            return
        self._note(talk.number, "s", Kind.CUT, how=how)
        if how == "reset":
            await talk.client.reset()

    # HTTP

    async def _reply(self, talk: _Talk, asked: Head) -> bool:
        assert talk.service is not None
        while True:
            head = await read_head(talk.service)
            if asked.asks_for_websocket and head.status == 101:
                return await self._websocket(talk, head)
            self._note(
                talk.number, "s", Kind.RESPONSE, line=head.line, headers=_writable(head.headers)
            )
            if head.status >= 200:
                break
        is_empty = asked.method == "HEAD" or head.status in (204, 304)
        body = Body(talk.service, head, is_request=False, is_empty=is_empty)
        sender = _Sender(talk.client, head, self._addresses, self.origin, is_empty=is_empty)
        headers = self._headers_back(sender.headers, self.origin)
        await _to_client(talk, encode_head(head.line, headers))
        try:
            while (data := await body.next()) is not None:
                self._note(talk.number, "s", Kind.CHUNK, data=data)
                await _to_client(talk, sender.piece(data))
        except BodyCut as cut:
            if cut.rest:
                self._note(talk.number, "s", Kind.CHUNK, data=cut.rest)
                await _to_client(talk, sender.piece(cut.rest))
            raise Ended(cut.how) from cut
        if talk.is_leaving and body.until_end:
            # We have cut it ourselves; how long it would have been is not known.
            raise Ended(talk.client.how)
        self._note(talk.number, "s", Kind.END, headers=_writable(body.trailers))
        if body.until_end:
            self._note(talk.number, "s", Kind.EOF)
        with suppress(Ended):
            await _to_client(talk, sender.end(body.trailers))
        return not (body.until_end or head.ends_connection or asked.ends_connection)

    # WebSocket

    async def _websocket(self, talk: _Talk, head: Head) -> bool:
        assert talk.service is not None
        self._note(
            talk.number, "s", Kind.WS_ACCEPT, line=head.line, headers=_writable(head.headers)
        )
        await _to_client(talk, encode_head(head.line, head.headers))
        talk.is_websocket = True
        closed: set[str] = set()
        up = asyncio.ensure_future(
            self._copy(talk, talk.client, talk.service, Reader(is_client=True), "c", closed)
        )
        down = asyncio.ensure_future(
            self._copy(talk, talk.service, talk.client, Reader(is_client=False), "s", closed)
        )
        try:
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            side, first = ("c", up) if up.done() else ("s", down)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        await self._end_websocket(talk, side, first.result(), is_closed=bool(closed))
        return False

    async def _end_websocket(self, talk: _Talk, side: str, how: str, *, is_closed: bool) -> None:
        # After a close frame the end is in order.
        if is_closed and how == "fin":
            self._note(talk.number, side, Kind.EOF)
        else:
            self._note(talk.number, side, Kind.CUT, how=how)
        if side == "s" and how == "reset":
            await talk.client.reset()

    async def _copy(
        self,
        talk: _Talk,
        source: Connection,
        sink: Connection,
        reader: Reader,
        side: str,
        closed: set[str],
    ) -> str:
        """Pass on bytes as they come, write down the messages they make; return how it ended."""
        while True:
            try:
                data = await source.read_some()
            except Ended as end:
                return end.how
            for message in reader.feed(data):
                fields: dict[str, Any] = {"data": message.data}
                if message.kind is Kind.CLOSE:
                    closed.add(side)
                    fields = {"code": message.code, "reason": message.reason}
                self._note(talk.number, side, message.kind, **fields)
            if reader.failure is not None:
                who = "client" if side == "c" else "service"
                self.failures.append(f"a frame of the {who} cannot be read: {reader.failure}")
            # The other side may be gone; what came is on the tape all the same.
            with suppress(Ended):
                await sink.write(data)


class _Sender:
    """Passes a reply on to the client, in the framing it came in."""

    def __init__(
        self, client: Connection, head: Head, addresses: Addresses, origin: str, *, is_empty: bool
    ) -> None:
        self._client = client
        self._is_chunked = head.is_chunked
        self.headers = head.headers
        self._held: Held | None = None
        if not is_empty and _may_be_changed(head):
            self._held = Held(lambda data: addresses.lead_back(data, origin.encode()))
            if head.get("content-length") and not self._is_chunked:
                # How long it will be is known at its end, and nothing waits for that.
                self._is_chunked = True
                self.headers = (*head.without(*_FRAMING), ("Transfer-Encoding", "chunked"))
        self._is_empty = is_empty

    def piece(self, data: bytes) -> bytes:
        """Return what to send for a piece of the body."""
        if self._held is not None:
            data = self._held.feed(data)
        return self._framed(data)

    def end(self, trailers: Headers) -> bytes:
        """Return what to send for its end."""
        rest = self._framed(self._held.finish()) if self._held is not None else b""
        if not self._is_chunked or self._is_empty:
            return rest
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
        return rest + LAST_CHUNK[:-2] + lines.encode("latin-1") + b"\r\n"

    def _framed(self, data: bytes) -> bytes:
        return encode_chunk(data) if data and self._is_chunked else data


def _may_be_changed(head: Head) -> bool:
    is_plain = head.get("content-encoding").strip().lower() in ("", "identity")
    return is_plain and is_text(head.get("content-type"))


def _writable(headers: Headers) -> Headers:
    """Return those headers that can stand on a tape."""
    kept = []
    for pair in headers:
        with suppress(TapeError):
            Event(t=0, conn=1, dir="s", k=Kind.END, headers=(pair,))
            kept.append(pair)
    return tuple(kept)


async def _to_client(talk: _Talk, data: bytes) -> None:
    if data:
        try:
            await talk.client.write(data)
        except Ended:
            talk.is_leaving = True
            raise


async def _refuse(client: Connection, status: str, said: str) -> None:
    body = f"vivavoce recorder: {said}\n".encode()
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    )
    await client.write(encode_head(f"HTTP/1.1 {status}", headers) + body)
