"""One exchange being played to a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import define, field

from vivavoce_contract.tapes._frames import Message, Reader, accept_headers, encode_event
from vivavoce_contract.tapes._http import LAST_CHUNK, Head, encode_chunk, encode_head
from vivavoce_contract.tapes._loopback import Connection, Ended
from vivavoce_contract.tapes._matching import Recorded
from vivavoce_contract.tapes.event import ORIGIN, Event, Headers, Kind
from vivavoce_contract.tapes.scrub import DROPPED

__all__ = ["Gate", "Play", "play_http", "play_websocket"]

_MESSAGES = (Kind.TEXT, Kind.BIN)
_FRAMING = ("content-length", "transfer-encoding")
_HANDSHAKE = ("upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions")
_POLICY_VIOLATION = 1008
_CLOSE_LIMIT_S = 5.0


class Gate:
    """
    Stops exchanges after a chunk until it is opened.

    Args:
        after: After how many chunks; None: it is open.
    """

    def __init__(self, after: int | None = None) -> None:
        self.after = after
        self.opened = asyncio.Event()

    def open(self) -> None:
        """Let all go on. On the server's thread."""
        self.after = None
        self.opened.set()


@define(eq=False)
class Play:
    """
    An exchange being played.

    Attributes:
        recorded: What is played.
        seen: What the client said, of a WebSocket: its messages are added.
        origin: The player's own address.
        speed: Factor on the recorded waits.
        gate: Asks whether to go on.
        on_change: Told when something below changes.
        chunks: How many chunks, or messages, were sent.
        is_held: Whether it waits at the gate.
        is_sent: Whether all has been sent.
        is_over: Whether it has ended, by whichever side.
    """

    recorded: Recorded
    origin: str
    speed: float
    gate: Callable[[], Gate]
    on_change: Callable[[], None]
    chunks: int = 0
    is_held: bool = False
    is_sent: bool = False
    is_over: bool = False
    _from_s: float = field(factory=lambda: asyncio.get_running_loop().time())

    def __attrs_post_init__(self) -> None:
        self.begin_at(self.recorded.exchange.request)

    def begin_at(self, event: Event) -> None:
        """Reckon the moments of what follows from this event, which happened just now."""
        self._from_s = asyncio.get_running_loop().time() - event.t * self.speed

    def data(self, event: Event) -> bytes:
        """Return the payload of an event with the player's own address in it."""
        return event.data.replace(ORIGIN.encode(), self.origin.encode())

    async def until(self, event: Event, connection: Connection) -> None:
        """
        Wait for the moment of *event*.

        Raises:
            Ended: If the client leaves meanwhile.
        """
        if not self.speed:
            return
        wait_s = self._from_s + event.t * self.speed - asyncio.get_running_loop().time()
        if wait_s > 0:
            await connection.wait(None, wait_s)

    async def pass_gate(self, connection: Connection) -> None:
        """
        Wait at the gate where it is shut for this one.

        Raises:
            Ended: If the client leaves meanwhile.
        """
        gate = self.gate()
        while gate.after is not None and self.chunks >= gate.after:
            self.is_held = True
            self.on_change()
            try:
                await connection.wait(gate.opened)
            finally:
                self.is_held = False
            gate = self.gate()

    def note_sent(self) -> None:
        """Note that all has been sent."""
        self.is_sent = True
        self.on_change()


# HTTP


async def play_http(play: Play, connection: Connection) -> bool:
    """
    Play the reply; whether the connection may be used again.

    Raises:
        Ended: If the client leaves before its end.
    """
    framing = _Framing(play)
    for event in play.recorded.exchange.replies:
        await play.until(event, connection)
        if event.k is Kind.CUT:
            return await _play_cut(play, event, connection)
        if event.k is Kind.STALL:
            break
        if event.k is Kind.EOF:
            return False
        await connection.write(framing.of(event))
        play.chunks += event.k is Kind.CHUNK
        if event.k is Kind.END:
            play.note_sent()
            if framing.ends_connection:
                return False
        else:
            await play.pass_gate(connection)
    if not play.is_sent:
        # It was recorded no further, or stalls: nothing comes until the client has had enough.
        await connection.wait(None)
    return True


async def _play_cut(play: Play, event: Event, connection: Connection) -> bool:
    if event.is_from_client:
        # This client may have more patience than the recorded one; the service said no more.
        await connection.wait(None)
    play.note_sent()
    if event.how == "reset":
        await connection.reset()
    return False


class _Framing:
    """How the body of a reply is told apart from what follows it."""

    def __init__(self, play: Play) -> None:
        self._play = play
        exchange = play.recorded.exchange
        response = exchange.response
        head = Head(response.line, response.headers) if response is not None else Head("", ())
        self._is_empty = exchange.request.method == "HEAD" or (
            response is not None and response.status in (204, 304)
        )
        self._is_chunked = head.is_chunked and not self._is_empty
        self.ends_connection = not (
            self._is_chunked or self._is_empty or head.get("content-length")
        )

    def of(self, event: Event) -> bytes:
        """Return what to send for an event."""
        if event.k is Kind.RESPONSE:
            return encode_head(event.line, self._headers(event))
        if self._is_empty:
            return b""
        if event.k is Kind.CHUNK:
            data = self._play.data(event)
            return encode_chunk(data) if self._is_chunked else data
        if not self._is_chunked:
            return b""
        trailers = "".join(f"{name}: {value}\r\n" for name, value in event.headers)
        return LAST_CHUNK[:-2] + trailers.encode("latin-1", "replace") + b"\r\n"

    def _headers(self, event: Event) -> Headers:
        headers = []
        for name, value in event.headers:
            if value == DROPPED:
                continue
            if name.lower() == "content-length" and not self._is_empty and event.status >= 200:
                headers.append((name, str(self._length(value))))
            else:
                headers.append((name, value.replace(ORIGIN, self._play.origin)))
        return tuple(headers)

    def _length(self, recorded: str) -> int:
        """Return how long the body is, with our own address in it and values scrubbed."""
        replies = self._play.recorded.exchange.replies
        chunks = [event.data for event in replies if event.k is Kind.CHUNK]
        grows = len(self._play.origin) - len(ORIGIN)
        grown = grows * sum(data.count(ORIGIN.encode()) for data in chunks)
        there = sum(map(len, chunks)) + grown
        if any(event.k is Kind.END for event in replies):
            return there
        # Of a body that is cut, what is missing stays missing.
        return max(int(recorded) + grown, there + 1) if recorded.isdecimal() else there + 1


# WebSocket


async def play_websocket(
    play: Play,
    candidates: list[Recorded],
    connection: Connection,
    key: str,
    *,
    strict: bool,
    said: list[Message],
    note: Callable[[str], None],
) -> None:
    """
    Play a WebSocket to its end: what the service says waits for what the client said before it.

    Args:
        play: Of the first candidate; another takes its place when what the client says fits
            that one alone.
        candidates: The recordings that the handshake fits.
        connection: To the client.
        key: From the handshake.
        strict: Whether a message that differs ends it.
        said: Gets what the client says.
        note: Told what differs.

    Raises:
        Ended: If the client leaves.
    """
    await _WebSocketPlay(play, candidates, connection, key, strict, said, note).run()


def _is_said(event: Event) -> bool:
    return event.is_from_client and event.k in _MESSAGES


@define
class _WebSocketPlay:
    play: Play
    candidates: list[Recorded]
    connection: Connection
    key: str
    strict: bool
    said: list[Message]
    note: Callable[[str], None]
    at: int = 0
    messages: int = 0
    compared: list[Message] = field(factory=list)
    sent: int = 0
    sent_already: int = 0
    reader: Reader = field(factory=lambda: Reader(is_client=True))
    waiting: list[Message] = field(factory=list)

    async def run(self) -> None:
        while self.at < len(self.play.recorded.exchange.replies):
            event = self.play.recorded.exchange.replies[self.at]
            if event.is_from_client:
                if not await self.take(event):
                    return
            elif self.sent_already:
                self.sent_already -= 1
            else:
                await self.play.until(event, self.connection)
                if not await self.send(event):
                    return
            self.at += 1
        self.play.note_sent()
        await self.listen()

    # What the service says

    async def send(self, event: Event) -> bool:
        """Send what an event says; whether the conversation goes on."""
        self.sent += 1
        if event.k is Kind.STALL:
            await self.connection.wait(None)
        if event.k in (Kind.CUT, Kind.EOF):
            self.play.note_sent()
            if event.how == "reset":
                await self.connection.reset()
            return False
        if event.k is Kind.WS_ACCEPT:
            headers = tuple(
                (name, value.replace(ORIGIN, self.play.origin))
                for name, value in event.headers
                if value != DROPPED and name.lower() not in _HANDSHAKE
            )
            await self.connection.write(
                encode_head(event.line, (*accept_headers(self.key), *headers))
            )
            await self.play.pass_gate(self.connection)
        elif event.k is Kind.CLOSE:
            await self.connection.write(encode_event(event))
            self.play.note_sent()
            await self.wait_for_close()
            return False
        elif event.k in (*_MESSAGES, Kind.PING):
            filled = Message(kind=event.k, data=self.play.data(event))
            await self.connection.write(encode_event(filled))
            self.play.chunks += event.k in _MESSAGES
            await self.play.pass_gate(self.connection)
        return True

    async def wait_for_close(self) -> None:
        """Hear the client out: ended before, it might lose the close frame."""
        try:
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                while (await self.next()).kind is not Kind.CLOSE:
                    pass
        except TimeoutError:
            pass

    # What the client says

    async def next(self) -> Message:
        """Return the client's next message; its pings are answered, its pongs passed over."""
        while True:
            while not self.waiting:
                self.waiting = self.reader.feed(await self.connection.read_some())
                if self.reader.failure is not None and not self.waiting:
                    self.note(f"A frame of the client cannot be read: {self.reader.failure}")
                    raise Ended("fin")
            message = self.waiting.pop(0)
            if message.kind is Kind.PING:
                pong = Message(kind=Kind.PONG, data=message.data)
                await self.connection.write(encode_event(pong))
            elif message.kind is not Kind.PONG:
                if message.kind in _MESSAGES:
                    self.messages += 1
                    self.said.append(message)
                return message

    async def take(self, event: Event) -> bool:
        """Wait for what the client said here, and compare; whether the conversation goes on."""
        if event.k in (Kind.PING, Kind.PONG):
            return True
        if event.k in (Kind.CUT, Kind.EOF):
            await self.listen()
            return False
        message = await self.next()
        if Kind.CLOSE in (message.kind, event.k):
            if message.kind is Kind.CLOSE:
                return await self.closed(message, event)
            return await self.differs(message, [f"kind: recorded a close, sent {message.kind}"])
        found = self.play.recorded.next_message_differs(
            self.at, message.kind, message.data, self.play.origin
        )
        if found and await self.changes_to_another(message):
            found = {}
        self.compared.append(message)
        self.play.begin_at(self.play.recorded.exchange.replies[self.at])
        return await self.differs(message, list(found.values())) if found else True

    async def changes_to_another(self, message: Message) -> bool:
        """
        Go on with another recording in which the client says the same; whether there is one.

        Where the sides talk at once, who came first is chance: recordings of one kind differ
        in it. So places are told by what was said, and what of the other recording should have
        been sent before is sent now, what was sent already is not sent again.
        """
        came = [*self.compared, message]
        for other in self.candidates:
            places = [n for n, event in enumerate(other.exchange.replies) if _is_said(event)]
            if other is self.play.recorded or len(places) < len(came):
                continue
            place = places[len(came) - 1]
            if any(
                other.next_message_differs(at, each.kind, each.data, self.play.origin)
                for at, each in zip(places, came, strict=False)
            ):
                continue
            self.play.recorded = other
            before = other.exchange.replies[:place]
            service = [event for event in before if not event.is_from_client]
            self.sent_already = max(0, self.sent - len(service))
            self.at = place
            for event in service[self.sent :]:
                if not await self.send(event):
                    raise Ended("fin")  # the other recording is over before this message
            return True
        return False

    async def closed(self, message: Message, event: Event) -> bool:
        """Go on if the recorded client closed here too; else answer, and that is all."""
        if event.k is Kind.CLOSE:
            rest = self.play.recorded.exchange.replies[self.at + 1 :]
            if any(later.k is Kind.CLOSE for later in rest):
                return True
        await self.connection.write(encode_event(message))
        self.play.note_sent()
        return False

    async def differs(self, message: Message, found: list[str]) -> bool:
        """Note a difference; whether the conversation goes on."""
        self.note(
            f"Message {self.messages} of the client is not the one of {self.play.recorded}: "
            + "; ".join(found)
        )
        if not self.strict:
            return message.kind is not Kind.CLOSE
        refusal = Message(
            kind=Kind.CLOSE, code=_POLICY_VIOLATION, reason="vivavoce player: not as recorded"
        )
        await self.connection.write(encode_event(refusal))
        await self.wait_for_close()
        return False

    async def listen(self) -> None:
        """Say nothing more; what the client still says was not recorded."""
        while (message := await self.next()).kind is not Kind.CLOSE:
            found = [f"kind: recorded nothing more, sent {message.kind}"]
            if not await self.differs(message, found):
                return
        await self.connection.write(encode_event(message))
