"""
What a transport is, for both faces at once.

The pipeline is written once, as coroutines over these protocols. In the async
face a transport's coroutines really wait on the event loop. In the sync face
they block the calling thread inside and never suspend, so that
:func:`run_blocking` can step them with a single ``send``: no event loop, no
portal thread, no hop per chunk.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from vivavoce.errors import ConnectFailed
from vivavoce.wire.exchange import Call, Event
from vivavoce.wire.http import ResponseStarted

__all__ = ["Channel", "Conversation", "HandshakeRefused", "Job", "Runtime", "run_blocking"]

T = TypeVar("T")


class HandshakeRefused(ConnectFailed):
    """
    A WebSocket was answered with a plain reply.

    What it means is for the exchange to say, as with any reply.

    Attributes:
        reply: Status and headers of the reply.
        body: Of the reply. It may repeat the credential: never shown.
    """

    def __init__(self, message: str, *, reply: ResponseStarted, body: bytes) -> None:
        super().__init__(message)
        self.status = reply.status
        self.reply = reply
        self.body = body


class Conversation(Protocol):
    """One open call: a request under way, a WebSocket, an engine at work."""

    async def receive(self, timeout_s: float | None) -> Event:
        """
        Return the next event.

        Args:
            timeout_s: Seconds to wait; None waits for ever.

        Raises:
            TimeoutError: If nothing came in time. All that can be relied on after it
                is :meth:`close`: a WebSocket and an engine could be asked again, but an
                HTTP reply is lost with the read that was given up.
            TransportError: If the way there failed.
            StreamStateError: If the conversation is over or was closed.
        """
        ...

    async def send(self, data: str | bytes) -> None:
        """
        Send one WebSocket message.

        Raises:
            TransportError: If the way there failed.
        """
        ...

    async def close(self) -> None:
        """End at once and free what is held; nothing polite. Harmless when repeated."""
        ...


class Runtime(Protocol):
    """What the pipeline needs of the world: calls, a clock, a way to wait."""

    async def open(self, call: Call, timeout_s: float | None) -> Conversation:
        """
        Start *call*.

        An HTTP call is only checked here and connects on its first ``receive``; its
        connection then fails there, with a ``TransportError``, of which ``TimedOut``
        with the phase ``connect`` says that *timeout_s* has passed.

        Args:
            call: HTTP, WebSocket or local.
            timeout_s: Seconds for the connection; None waits for ever.

        Raises:
            InvalidValue: If the address or a header cannot be sent; nothing was.
            TimeoutError: If there was no connection in time.
            TransportError: If the way there failed.
            CredentialError: If a WebSocket's handshake was refused for the credential.
        """
        ...

    def now(self) -> float:
        """Return seconds on a clock that never runs backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def spawn(self, job: Coroutine[Any, Any, None], name: str) -> Job:
        """
        Run *job* beside the caller: as a task, or in the sync face in a thread.

        Args:
            job: Coroutines of this runtime; it handles its own errors.
            name: For people who look at threads and tasks.
        """
        ...

    def channel(self, size: int) -> Channel:
        """Return a queue between a job and its reader that holds *size* items at the most."""
        ...

    async def close(self) -> None:
        """Close connections kept for reuse. Harmless when repeated."""
        ...


class Job(Protocol):
    """Something that runs beside the caller."""

    async def stop(self) -> None:
        """
        Ask it to end, and wait until it has.

        A task is cancelled; a thread sees that its channel is closed, or its conversation.
        """
        ...


class Channel(Protocol):
    """Items from one side to the other, in order; whoever puts waits while it is full."""

    async def put(self, item: object) -> bool:
        """Hand over *item*; False when the channel was closed meanwhile, and it was not taken."""
        ...

    async def get(self) -> Any:
        """Return the next item, or None when the channel is closed."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether :meth:`put` would wait."""
        ...

    def close(self) -> None:
        """Let both sides go; what was in it is dropped. Harmless when repeated."""
        ...


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    Run *coroutine* to its end on this thread, without an event loop.

    Raises:
        RuntimeError: If it suspends, that is, awaits something of an event loop.
            In the sync face nothing may.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    msg = "A coroutine of the sync face tried to wait on an event loop."
    raise RuntimeError(msg)
