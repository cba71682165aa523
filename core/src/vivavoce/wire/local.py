"""The words of an exchange with an engine in this process, or with its own I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import field, frozen

from vivavoce.model.timing import Mark

__all__ = ["LocalCall", "LocalEnd", "LocalOutput", "LocalSink"]


class LocalSink(Protocol):
    """Where an engine puts what it makes. Safe to call from the engine's own thread."""

    def audio(self, data: bytes) -> bool:
        """
        Hand over audio, cut anywhere.

        Waits while the sink is full (see ``LocalCall.max_buffered_bytes``), but
        never in a coroutine: there, await :meth:`drain` after it.

        Returns:
            False when the caller has left: stop, and return.
        """
        ...

    async def drain(self) -> None:
        """Wait until there is room; for engines written as coroutines."""
        ...

    def mark(self, mark: Mark) -> None:
        """Hand over a mark; times and text span relative to this request."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether the caller has left."""
        ...


@frozen(kw_only=True)
class LocalCall:
    """
    A callable to run beside the reader.

    Attributes:
        run: Called once with a sink; puts audio and marks into it and returns
            when all is said. A plain function runs in a thread of its own, a
            coroutine function as a task (in the sync face: in a thread).
        max_buffered_bytes: Audio the sink holds before ``audio`` waits for the
            reader. None never waits: right only where one request is small and
            the engine must not be held up, say because others wait for it.
        coalesce_bytes: Audio gathered before the reader is woken again, after the
            first piece. Saves wake-ups where the engine is far faster than
            real time; leave it 0 where it is not.
    """

    run: Callable[[LocalSink], None] | Callable[[LocalSink], Awaitable[None]]
    max_buffered_bytes: int | None = field(default=1 << 20)
    coalesce_bytes: int = 0


@frozen
class LocalOutput:
    """
    What the engine has put into the sink since the last event.

    Attributes:
        audio: Audio bytes, may be empty.
        marks: Marks, may be empty.
    """

    audio: bytes
    marks: Sequence[Mark] = ()


@frozen
class LocalEnd:
    """The callable has returned; had it raised, that would be an error instead."""
