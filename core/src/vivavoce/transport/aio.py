"""The async face's runtime, on asyncio."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from vivavoce.transport.base import Conversation
from vivavoce.transport.blocking import run_engine
from vivavoce.transport.sink import JOIN_LIMIT_S, Sink, refuse_message
from vivavoce.wire.exchange import Call, Event
from vivavoce.wire.http import HttpCall
from vivavoce.wire.local import LocalCall
from vivavoce.wire.websocket import WebSocketCall

if TYPE_CHECKING:
    from vivavoce.transport.http import AsyncHttp

__all__ = ["AsyncChannel", "AsyncJob", "AsyncLocal", "AsyncRuntime"]

logger = logging.getLogger(__name__)


class AsyncRuntime:
    """Calls, clock and waiting for the async face. One a client."""

    def __init__(self) -> None:
        self._http: AsyncHttp | None = None

    async def open(self, call: Call, timeout_s: float | None) -> Conversation:
        """Start *call*; see ``Runtime``."""
        if isinstance(call, LocalCall):
            return AsyncLocal(call)
        if isinstance(call, HttpCall):
            return await self._open_http(call, timeout_s)
        return await _open_websocket(call, timeout_s)

    async def _open_http(self, call: HttpCall, timeout_s: float | None) -> Conversation:
        from vivavoce.transport.http import AsyncHttp

        if self._http is None:
            self._http = AsyncHttp()
        return await self._http.open(call, timeout_s)

    def now(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)

    def spawn(self, job: Coroutine[Any, Any, None], name: str) -> AsyncJob:
        """Run *job* as a task."""
        return AsyncJob(asyncio.get_running_loop().create_task(job, name=name))

    def channel(self, size: int) -> AsyncChannel:
        """Return a queue between tasks."""
        return AsyncChannel(size)

    async def close(self) -> None:
        """Close the connections kept for reuse."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()


class AsyncJob:
    """A task beside its reader; see ``Job``."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def stop(self) -> None:
        """Cancel it and wait until it has ended; not of itself, which would wait for ever."""
        if self._task is asyncio.current_task():
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error


class AsyncChannel:
    """A queue between tasks; see ``Channel``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[object] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False

    async def put(self, item: object) -> bool:
        """Hand over *item*, once there is room."""
        while len(self._items) >= self._size and not self._is_closed:
            await self._wait()
        if self._is_closed:
            return False
        self._items.append(item)
        self._changed.set()
        return True

    @property
    def is_full(self) -> bool:
        """Whether :meth:`put` would wait."""
        return len(self._items) >= self._size

    async def get(self) -> Any:
        """Return the next item, once there is one."""
        while not self._items and not self._is_closed:
            await self._wait()
        if self._is_closed:
            return None
        item = self._items.popleft()
        self._changed.set()
        return item

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def close(self) -> None:
        """Let both sides go."""
        self._is_closed = True
        self._items.clear()
        self._changed.set()


async def _open_websocket(call: WebSocketCall, timeout_s: float | None) -> Conversation:
    from vivavoce.transport.websocket import AsyncWebSocket

    return await AsyncWebSocket.open(call, timeout_s)


class AsyncLocal:
    """A conversation with an engine: a plain one in a thread, a coroutine as a task."""

    def __init__(self, call: LocalCall) -> None:
        loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        is_coroutine = inspect.iscoroutinefunction(call.run)
        # The engine's side holds the loop and the events but never this object, so
        # that one nobody closed can be collected, and its engine told to stop.
        wake = functools.partial(loop.call_soon_threadsafe, self._ready.set)
        self._sink = Sink(call, wake, may_wait=not is_coroutine)
        end = functools.partial(_set, self._ended)
        if is_coroutine:
            self._task = loop.create_task(_run_task(call, self._sink))
            # Not at the end of the task's own code: cancelled early, it never runs.
            self._task.add_done_callback(end)
        else:
            note_end = functools.partial(loop.call_soon_threadsafe, end)
            threading.Thread(
                target=_run_thread,
                args=(call, self._sink, note_end),
                name="vivavoce-engine",
                daemon=True,
            ).start()

    async def receive(self, timeout_s: float | None) -> Event:
        """Return what the engine has put out; see ``Conversation``."""
        while (event := self._sink.take()) is None:
            if timeout_s is None:
                await self._ready.wait()
            else:
                async with asyncio.timeout(timeout_s):
                    await self._ready.wait()
            self._ready.clear()
        return event

    async def send(self, data: str | bytes) -> None:
        """Refuse: an engine takes no messages."""
        raise refuse_message(data)

    async def close(self) -> None:
        """Tell the engine to stop and wait until it has, one buffer long."""
        self._sink.stop()
        if self._task is not None:
            self._task.cancel()
        try:
            async with asyncio.timeout(JOIN_LIMIT_S):
                await self._ended.wait()
        except TimeoutError:
            logger.warning("An engine did not stop within %s s; it is left alone.", JOIN_LIMIT_S)

    def __del__(self) -> None:
        # Somebody forgot to close: the engine must not wait for this reader for ever.
        sink = getattr(self, "_sink", None)
        if sink is not None:
            sink.stop()


def _set(event: asyncio.Event, _task: object = None) -> None:
    event.set()


def _run_thread(call: LocalCall, sink: Sink, note_end: Callable[[], object]) -> None:
    run_engine(call, sink)
    with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits for this
        note_end()


async def _run_task(call: LocalCall, sink: Sink) -> None:
    try:
        await cast(Awaitable[None], call.run(sink))
    except BaseException as failure:
        sink.end(failure)
        if isinstance(failure, asyncio.CancelledError):
            raise
    else:
        sink.end()
