"""Waiting on an event loop, with a limit, for what nearly always comes in time."""

from __future__ import annotations

import asyncio

__all__ = ["Waiter"]


class Waiter:
    """
    Somebody who waits until woken; one wait at a time.

    ``asyncio.timeout`` sets a timer for each wait, strikes it when the wait is over, and ends
    it by cancelling the task. Here one timer serves many waits, and rings a future.
    """

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._end: float | None = None
        self._late: type[Exception] = TimeoutError
        self._alarm: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Say that something has happened; harmless when nobody waits."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, end: float | None, late: type[Exception] = TimeoutError) -> None:
        """
        Wait until something has happened, whatever it is.

        Raises:
            Exception: *late*, if nothing has until *end*, a time of the loop's clock.
        """
        loop = asyncio.get_running_loop()
        future = self._future = loop.create_future()
        self._end, self._late = end, late
        # Set anew only when it would ring too late: nearly always something comes first,
        # and then the next wait ends after the last.
        if end is not None and (self._alarm is None or self._alarm.when() > end):
            self._set_alarm(loop, end)
        try:
            await future
        finally:
            self._future = None

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, end: float) -> None:
        self.strike_alarm()
        self._alarm = loop.call_at(end, self._ring, loop)

    def strike_alarm(self) -> None:
        """Leave nothing behind in the loop; nobody will wait any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        future, end = self._future, self._end
        if future is None or future.done() or end is None:
            return
        if loop.time() < end:
            self._set_alarm(loop, end)
        else:
            future.set_exception(self._late("nothing came in time"))
