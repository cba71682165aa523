"""
Plays tapes: a server on this machine, in place of the service they were recorded from.

A reply keeps its chunks, cuts and stalls. What a client sends is compared with what was
recorded; what has no answer on the tapes gets the status 599, and is noted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from attrs import define, field

from vivavoce_contract.tapes._frames import Message
from vivavoce_contract.tapes._http import BadMessage, Head, encode_head, read_body, read_head
from vivavoce_contract.tapes._loopback import Connection, Ended, Server
from vivavoce_contract.tapes._matching import Recorded, Recordings
from vivavoce_contract.tapes._play import Gate, Play, play_http, play_websocket
from vivavoce_contract.tapes.event import Headers
from vivavoce_contract.tapes.format import Tape

__all__ = ["Player", "Seen"]

_UNKNOWN = "599 Not On The Tape"


@define(eq=False)
class Seen:
    """
    A request that came.

    Attributes:
        method: Its method.
        path: Path and query, as sent.
        headers: Names and values, in order.
        body: The whole body.
        t: Seconds since the player began.
        messages: What followed on a WebSocket, in order.
    """

    method: str
    path: str
    headers: Headers
    body: bytes
    t: float
    messages: list[Message] = field(factory=list)


class Player:
    """
    Plays tapes to any client.

    Args:
        *tapes: What is played. Of requests that are recorded several times the first that
            was not yet played is, and after all of them the last.
        speed: Factor on the recorded waits: 0.0 sends at once, 1.0 as it was recorded.
        repeats: Whether an exchange may be played again, also many at once.
        strict: Whether what differs from the recording is refused. If not, it is noted, and
            the recording that is nearest is played.

    Attributes:
        differences: What was asked otherwise than recorded, a sentence each.
        requests: What was asked.
    """

    def __init__(
        self, *tapes: Tape, speed: float = 0.0, repeats: bool = True, strict: bool = True
    ) -> None:
        if not speed >= 0:
            msg = f"speed is {speed!r}. It must be 0.0 or more."
            raise ValueError(msg)
        self.differences: list[str] = []
        self.requests: list[Seen] = []
        self._tapes = tapes
        self._speed = speed
        self._repeats = repeats
        self._strict = strict
        self._recordings = Recordings.of((), "", repeats=repeats)
        self._plays: list[Play] = []
        self._received: dict[Connection, int] = {}
        self._received_before = 0
        self._gate = Gate()
        self._changed = threading.Condition()
        self._began_s = time.monotonic()
        self._server = Server(self._serve, "vivavoce-player", self._connection_changed)

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
        self._recordings = Recordings.of(self._tapes, self._server.origin, repeats=self._repeats)
        self._server.start()

    def stop(self) -> None:
        """End: cut what is open. Harmless when repeated."""
        self._server.stop()

    # Where it is

    @property
    def http_url(self) -> str:
        """Its own ``http://host:port``."""
        return self._server.origin

    @property
    def ws_url(self) -> str:
        """The same for WebSockets."""
        return "ws" + self.http_url.removeprefix("http")

    def base_url(self, tape: Tape) -> str:
        """Return what the client of *tape* is given as the base address of its service."""
        return self.http_url + tape.header.base_path

    # What happened

    @property
    def connections(self) -> int:
        """How many connections were opened."""
        return self._server.connections

    @property
    def open_connections(self) -> int:
        """How many are open, idle ones kept for the next request with them."""
        return len(self._server.open)

    @property
    def open_exchanges(self) -> int:
        """How many exchanges are under way; a WebSocket is until it has ended."""
        return sum(not play.is_over for play in self._plays)

    @property
    def bytes_received(self) -> int:
        """How many bytes came, over all connections."""
        return self._received_before + sum(self._received.values())

    def unplayed(self) -> list[str]:
        """Return the recorded exchanges that were never asked for, a line each."""
        return [str(recorded) for recorded in self._recordings.unplayed()]

    def sent_all(self, index: int = -1) -> bool:
        """
        Return whether an exchange was sent to its last byte.

        Args:
            index: Which, in the order they were asked for.
        """
        return self._plays[index].is_sent

    def wait_closed(self, timeout_s: float) -> bool:
        """Wait until no exchange is under way, whoever ended it; whether it came to that."""
        return self._wait(lambda: self.open_exchanges == 0, timeout_s)

    # The gate

    def hold_after(self, *, chunks: int) -> None:
        """
        Let each exchange stop after some chunks, or messages, until :meth:`release`.

        Args:
            chunks: After how many; 0 is after the head.
        """
        self._gate = Gate(chunks)

    def release(self) -> None:
        """Let all go on that are held, and hold none from now on."""
        gate = self._gate
        gate.after = None
        self._server.call(gate.open)

    def wait_held(self, timeout_s: float, *, count: int = 1) -> bool:
        """Wait until *count* exchanges are held; whether they are."""
        return self._wait(lambda: sum(play.is_held for play in self._plays) >= count, timeout_s)

    def settle(self) -> None:
        """Take in what was sent by now, which would else be seen a moment later."""
        # A turn of its loop to accept a connection, two to begin it, one to read.
        for _ in range(5):
            turned = threading.Event()
            if not self._server.call(turned.set):
                return
            turned.wait(1.0)

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # On the server's thread

    def _connection_changed(self, connection: Connection) -> None:
        self._received[connection] = connection.received_bytes
        if connection.is_lost:
            self._received_before += self._received.pop(connection)
        self._tell()

    async def _serve(self, connection: Connection) -> None:
        try:
            while await self._exchange(connection):
                pass
        except BadMessage as error:
            self.differences.append(f"What came is no request: {error}")
            await _answer(connection, "400 Bad Request", f"{error}")

    async def _exchange(self, connection: Connection) -> bool:
        """Answer one request; whether another may follow."""
        head = await read_head(connection, is_request=True)
        body = await read_body(connection, head)
        seen = Seen(head.method, head.target, head.headers, body, time.monotonic() - self._began_s)
        self.requests.append(seen)
        found = self._find(head, body)
        if not found:
            await _answer(connection, _UNKNOWN, self._unknown(head, body))
            return not head.ends_connection
        self._recordings.take(found[0])
        play = Play(found[0], self._server.origin, self._speed, lambda: self._gate, self._tell)
        self._plays.append(play)
        try:
            if head.asks_for_websocket:
                await self._play_websocket(play, found, connection, head, seen)
                return False
            return await play_http(play, connection) and not head.ends_connection
        finally:
            play.is_over = True
            self._tell()

    async def _play_websocket(
        self, play: Play, found: list[Recorded], connection: Connection, head: Head, seen: Seen
    ) -> None:
        first = play.recorded
        if not first.exchange.response or first.exchange.response.status != 101:
            await play_http(play, connection)
            return
        try:
            await play_websocket(
                play,
                found,
                connection,
                head.get("sec-websocket-key"),
                strict=self._strict,
                said=seen.messages,
                note=self.differences.append,
            )
        finally:
            if play.recorded is not first:
                self._recordings.untake(first)
                self._recordings.take(play.recorded)

    def _find(self, head: Head, body: bytes) -> list[Recorded]:
        asked = (head.method, head.target, head.headers, body)
        found = self._recordings.find(*asked, is_websocket=head.asks_for_websocket)
        if found or self._strict:
            return found
        near, what = self._recordings.nearest(*asked, is_websocket=head.asks_for_websocket)
        if near is None or any(each.startswith("request:") for each in what):
            return []
        self.differences.append(f"Played {near} though it differs: {'; '.join(what)}")
        return [near]

    def _unknown(self, head: Head, body: bytes) -> str:
        """Note a request that has no answer, and return what is said of it."""
        asked = (head.method, head.target, head.headers, body)
        path = head.target.partition("?")[0]
        near, what = self._recordings.nearest(*asked, is_websocket=head.asks_for_websocket)
        said = f"{head.method} {path} is like no request on the tapes"
        if near is None:
            said += ", which hold none of its kind."
        elif what:
            said += f". Nearest is {near}: {'; '.join(what)}."
        else:
            said = f"{head.method} {path} came again, and each recording is played once."
        self.differences.append(said)
        return said


async def _answer(connection: Connection, status: str, said: str) -> None:
    body = f"vivavoce player: {said}\n".encode()
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
    )
    try:
        await connection.write(encode_head(f"HTTP/1.1 {status}", headers) + body)
    except Ended:
        return
