"""
Plays a tape without sockets, for tests that need thousands of runs.

The clock is virtual: it moves to the moment of each event, and past a limit on waiting at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from vivavoce.errors import ConnectFailed, ConnectionLost, StreamStateError
from vivavoce.model.secret import Secret
from vivavoce.wire.exchange import Call
from vivavoce.wire.exchange import Event as WireEvent
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted
from vivavoce.wire.websocket import MessageReceived, PeerClosed, SocketOpened, WebSocketCall
from vivavoce_contract.tapes._matching import Recorded, Recordings
from vivavoce_contract.tapes.event import ORIGIN, Event, Headers, Kind
from vivavoce_contract.tapes.format import Tape
from vivavoce_contract.tapes.scrub import DROPPED

__all__ = ["MemoryRuntime", "NotOnTheTape"]

_ORIGIN = "http://127.0.0.1:9"
_ABNORMAL = 1006
_NO_CODE = 1005
_MESSAGES = (Kind.TEXT, Kind.BIN)


class NotOnTheTape(AssertionError):
    """What was asked differs from what was recorded; the message says in what."""


class MemoryRuntime:
    """
    The world of a pipeline, in memory: see :class:`vivavoce.transport.base.Runtime`.

    Args:
        *tapes: What is played; an exchange may be played again.
        pieces: How each body of a reply is cut instead: it gets the body, and returns bytes
            that joined are the same. None: as recorded.
        on_tick: Called at each await, with its number from 1; what it raises is raised there.
        suspends: Whether each await really waits one turn of the event loop, as those of the
            async face do, so that a task can be cancelled there. Else none suspends, as
            the sync face needs it.

    Attributes:
        ticks: How many awaits there were.
        open_conversations: How many are open.
        differences: What was asked otherwise than recorded; it was raised too.
    """

    def __init__(
        self,
        *tapes: Tape,
        pieces: Callable[[bytes], Sequence[bytes]] | None = None,
        on_tick: Callable[[int], None] | None = None,
        suspends: bool = False,
    ) -> None:
        self.ticks = 0
        self.open_conversations = 0
        self.differences: list[str] = []
        self.pieces = pieces
        self._tapes = tapes
        self._on_tick = on_tick
        self._suspends = suspends
        self._now_s = 0.0
        self._recordings = Recordings.of(tapes, _ORIGIN, repeats=True)

    def base_url(self, tape: Tape | None = None) -> str:
        """Return the base address of a tape's service, of the first if none is given."""
        return _ORIGIN + (tape or self._tapes[0]).header.base_path

    def unplayed(self) -> list[str]:
        """Return the recorded exchanges that were never asked for, a line each."""
        return [str(recorded) for recorded in self._recordings.unplayed()]

    # What a pipeline needs

    async def open(self, call: Call, timeout_s: float | None) -> _Conversation:
        """
        Start *call*.

        Raises:
            NotOnTheTape: If there is no such request on the tapes.
            ConnectFailed: If the recorded handshake was refused.
        """
        await self.tick()
        if isinstance(call, HttpCall):
            found = self._find(call.method, call.url, call, call.body, is_websocket=False)
            return _HttpConversation(self, found)
        if isinstance(call, WebSocketCall):
            found = self._find("GET", call.url, call, b"", is_websocket=True)
            response = found.exchange.response
            if response is None or response.k is not Kind.WS_ACCEPT:
                status = response.status if response is not None else "no answer"
                msg = f"The recorded handshake was refused ({status}, limit {timeout_s} s)."
                raise ConnectFailed(msg)
            conversation = _WebSocketConversation(self, found)
            try:
                for message in call.first:
                    await conversation.send(message)
            except BaseException:
                # Nobody else knows of it.
                await conversation.close()
                raise
            return conversation
        msg = f"{type(call).__name__} goes over no wire: there is no tape of it."
        raise NotOnTheTape(msg)

    def now(self) -> float:
        """Return seconds on the virtual clock."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Let the clock run on."""
        self._now_s += seconds
        await self.tick()

    async def close(self) -> None:
        """Do nothing: nothing is kept."""
        await self.tick()

    # What its conversations need

    async def tick(self) -> None:
        """Count an await."""
        self.ticks += 1
        if self._on_tick is not None:
            self._on_tick(self.ticks)
        if self._suspends:
            await asyncio.sleep(0)

    def wait_until(self, moment_s: float, timeout_s: float | None) -> None:
        """
        Let the clock run to a moment.

        Raises:
            TimeoutError: If the limit comes first.
        """
        if timeout_s is not None and moment_s > self._now_s + timeout_s:
            self._now_s += timeout_s
            raise TimeoutError
        self._now_s = max(self._now_s, moment_s)

    def wait_for_ever(self, timeout_s: float | None) -> None:
        """
        Wait for what never comes.

        Raises:
            TimeoutError: When the limit has passed.
            StreamStateError: If there is no limit, where a real wait would not end.
        """
        if timeout_s is None:
            msg = "The tape says nothing more, and this waits for it without a limit."
            raise StreamStateError(msg)
        self._now_s += timeout_s
        raise TimeoutError

    def refuse(self, said: str) -> NotOnTheTape:
        """Note a difference, and return the error for it."""
        self.differences.append(said)
        return NotOnTheTape(said)

    def _find(
        self,
        method: str,
        url: str,
        call: HttpCall | WebSocketCall,
        body: bytes,
        *,
        is_websocket: bool,
    ) -> Recorded:
        target = "/" + url.partition("://")[2].partition("/")[2]
        headers = tuple(
            (name, value.reveal() if isinstance(value, Secret) else value)
            for name, value in call.headers.items()
        )
        asked = (method, target, headers, body)
        found = self._recordings.find(*asked, is_websocket=is_websocket)
        if not found:
            near, what = self._recordings.nearest(*asked, is_websocket=is_websocket)
            path = target.partition("?")[0]
            raise self.refuse(
                f"{method} {path} is like no request on the tapes. "
                f"Nearest is {near}: {'; '.join(what)}."
            )
        self._recordings.take(found[0])
        return found[0]


class _Conversation:
    """What the two kinds share."""

    def __init__(self, runtime: MemoryRuntime, recorded: Recorded) -> None:
        self._runtime = runtime
        self._recorded = recorded
        # Moments on the tape count from the request.
        self._offset_s = runtime.now() - recorded.exchange.request.t
        self._is_closed = False
        runtime.open_conversations += 1

    async def receive(self, timeout_s: float | None) -> WireEvent:
        """Return the next event; see ``Conversation``."""
        raise NotImplementedError

    async def send(self, data: str | bytes) -> None:
        """Send one message; see ``Conversation``."""
        raise NotImplementedError

    async def close(self) -> None:
        """End; see ``Conversation``."""
        if not self._is_closed:
            self._is_closed = True
            self._runtime.open_conversations -= 1
        await self._runtime.tick()

    def _check_open(self) -> None:
        if self._is_closed:
            msg = "This conversation is closed."
            raise StreamStateError(msg)

    def _until(self, event: Event, timeout_s: float | None) -> None:
        self._runtime.wait_until(event.t + self._offset_s, timeout_s)

    def _filled(self, data: bytes) -> bytes:
        return data.replace(ORIGIN.encode(), _ORIGIN.encode())

    def _headers(self, headers: Headers) -> dict[str, str]:
        joined: dict[str, str] = {}
        for name, value in headers:
            if value != DROPPED:
                key, text = name.lower(), value.replace(ORIGIN, _ORIGIN)
                joined[key] = f"{joined[key]}, {text}" if key in joined else text
        return joined


class _HttpConversation(_Conversation):
    """A request and its reply."""

    def __init__(self, runtime: MemoryRuntime, recorded: Recorded) -> None:
        super().__init__(runtime, recorded)
        self._events: Iterator[Event] = self._recut(runtime.pieces)
        self._has_ended = False

    def _recut(self, pieces: Callable[[bytes], Sequence[bytes]] | None) -> Iterator[Event]:
        replies = self._recorded.exchange.replies
        chunks = [event for event in replies if event.k is Kind.CHUNK]
        if pieces is None or not chunks:
            yield from replies
            return
        for event in replies:
            if event is chunks[0]:
                for piece in pieces(self._filled(self._recorded.exchange.body)):
                    if piece:
                        yield Event(t=event.t, conn=event.conn, dir="s", k=Kind.CHUNK, data=piece)
            elif event.k is not Kind.CHUNK:
                yield event

    async def receive(self, timeout_s: float | None) -> WireEvent:
        self._check_open()
        await self._runtime.tick()
        for event in self._events:
            if event.k is Kind.STALL or (event.k is Kind.CUT and event.is_from_client):
                break
            self._until(event, timeout_s)
            if event.k is Kind.RESPONSE and event.status >= 200:
                return ResponseStarted(status=event.status, headers=self._headers(event.headers))
            if event.k is Kind.CHUNK:
                return BodyData(self._filled(event.data))
            if event.k is Kind.END:
                self._events = iter(())
                self._has_ended = True
                return BodyEnd()
            if event.k is Kind.CUT:
                msg = f"The connection of the tape was lost ({event.how})."
                raise ConnectionLost(msg)
        if self._has_ended:
            msg = "The call is over: no more events come."
            raise StreamStateError(msg)
        self._runtime.wait_for_ever(timeout_s)
        raise AssertionError

    async def send(self, data: str | bytes) -> None:
        msg = f"An HTTP call takes no messages; {len(data)} were to be sent."
        raise StreamStateError(msg)


class _WebSocketConversation(_Conversation):
    """A WebSocket. What the service said waits for what the client said before it."""

    def __init__(self, runtime: MemoryRuntime, recorded: Recorded) -> None:
        super().__init__(runtime, recorded)
        self._at = 0
        self._sent: set[int] = set()

    async def receive(self, timeout_s: float | None) -> WireEvent:
        self._check_open()
        await self._runtime.tick()
        replies = self._recorded.exchange.replies
        while self._at < len(replies):
            event = replies[self._at]
            if event.k is Kind.STALL or (
                event.is_from_client and not self._is_passed_over(self._at)
            ):
                break
            if not event.is_from_client:
                self._until(event, timeout_s)
            self._at += 1
            found = self._meaning(event)
            if found is not None:
                return found
        self._runtime.wait_for_ever(timeout_s)
        raise AssertionError

    def _meaning(self, event: Event) -> WireEvent | None:
        if event.is_from_client:
            return None
        if event.k is Kind.WS_ACCEPT:
            return SocketOpened(headers=self._headers(event.headers))
        if event.k in _MESSAGES:
            return MessageReceived(self._filled(event.data), is_text=event.k is Kind.TEXT)
        if event.k is Kind.CLOSE:
            return PeerClosed(_NO_CODE if event.code is None else event.code, event.reason)
        return PeerClosed(_ABNORMAL) if event.k in (Kind.CUT, Kind.EOF) else None

    def _is_passed_over(self, at: int) -> bool:
        """Whether what the client said at a place was said already, or says nothing."""
        event = self._recorded.exchange.replies[at]
        return event.k in (Kind.PING, Kind.PONG) or at in self._sent

    async def send(self, data: str | bytes) -> None:
        self._check_open()
        await self._runtime.tick()
        replies = self._recorded.exchange.replies
        # What the service has said meanwhile may be received later.
        at = self._next_message()
        kind = Kind.TEXT if isinstance(data, str) else Kind.BIN
        payload = data.encode() if isinstance(data, str) else data
        if at is None:
            raise self._runtime.refuse(f"{self._recorded}: a {kind} was sent after all recorded.")
        found = self._recorded.next_message_differs(at, kind, payload, _ORIGIN)
        if found:
            raise self._runtime.refuse(f"{self._recorded}: {'; '.join(found.values())}")
        self._sent.add(at)
        self._offset_s = self._runtime.now() - replies[at].t

    def _next_message(self) -> int | None:
        replies = self._recorded.exchange.replies
        return next(
            (
                at
                for at, event in enumerate(replies)
                if event.is_from_client and event.k in _MESSAGES and at not in self._sent
            ),
            None,
        )
