"""
The sync face's runtime: its coroutines block the thread and never suspend.

See :func:`vivavoce.transport.base.run_blocking` for how they are stepped.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from vivavoce.transport.base import Conversation, run_blocking
from vivavoce.transport.sink import JOIN_LIMIT_S, Sink, refuse_message
from vivavoce.wire.exchange import Call, Event
from vivavoce.wire.http import HttpCall
from vivavoce.wire.local import LocalCall
from vivavoce.wire.websocket import WebSocketCall

if TYPE_CHECKING:
    from vivavoce.transport.http import BlockingHttp

__all__ = ["BlockingChannel", "BlockingJob", "BlockingLocal", "BlockingRuntime", "run_engine"]

logger = logging.getLogger(__name__)


class BlockingRuntime:
    """Calls, clock and waiting for the sync face. One a client."""

    def __init__(self) -> None:
        self._http: BlockingHttp | None = None
        self._lock = threading.Lock()

    async def open(self, call: Call, timeout_s: float | None) -> Conversation:
        """Start *call*; see ``Runtime``."""
        if isinstance(call, LocalCall):
            return BlockingLocal(call)
        if isinstance(call, HttpCall):
            return await self._open_http(call, timeout_s)
        return await _open_websocket(call, timeout_s)

    async def _open_http(self, call: HttpCall, timeout_s: float | None) -> Conversation:
        from vivavoce.transport.http import BlockingHttp

        with self._lock:
            if self._http is None:
                self._http = BlockingHttp()
        return await self._http.open(call, timeout_s)

    def now(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is what this face is for

    def spawn(self, job: Coroutine[Any, Any, None], name: str) -> BlockingJob:
        """Run *job* in a thread."""
        return BlockingJob(job, name)

    def channel(self, size: int) -> BlockingChannel:
        """Return a queue between threads."""
        return BlockingChannel(size)

    async def close(self) -> None:
        """Close the connections kept for reuse."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            await http.close()


class BlockingJob:
    """A thread beside its reader; see ``Job``."""

    def __init__(self, job: Coroutine[Any, Any, None], name: str) -> None:
        # A daemon: a session somebody forgot to close must not keep the process alive.
        self._thread = threading.Thread(target=run_blocking, args=(job,), name=name, daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Wait until it has ended; its channel or conversation was closed, which it sees."""
        if self._thread is threading.current_thread():
            return
        self._thread.join(JOIN_LIMIT_S)
        if self._thread.is_alive():
            logger.warning("A session's thread did not end within %s s.", JOIN_LIMIT_S)


class BlockingChannel:
    """A queue between threads; see ``Channel``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[object] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    async def put(self, item: object) -> bool:
        """Hand over *item*, once there is room."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size or self._is_closed)
            if self._is_closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    @property
    def is_full(self) -> bool:
        """Whether :meth:`put` would wait."""
        return len(self._items) >= self._size

    async def get(self) -> Any:
        """Return the next item, once there is one."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._is_closed)
            if self._is_closed:
                return None
            self._changed.notify_all()
            return self._items.popleft()

    def close(self) -> None:
        """Let both sides go."""
        with self._changed:
            self._is_closed = True
            self._items.clear()
            self._changed.notify_all()


async def _open_websocket(call: WebSocketCall, timeout_s: float | None) -> Conversation:
    from vivavoce.transport.websocket import BlockingWebSocket

    return await BlockingWebSocket.open(call, timeout_s)


class BlockingLocal:
    """A conversation with an engine, which runs in a thread of its own."""

    def __init__(self, call: LocalCall) -> None:
        self._ready = threading.Semaphore(0)
        may_wait = not inspect.iscoroutinefunction(call.run)
        self._sink = Sink(call, self._ready.release, may_wait=may_wait)
        # A daemon: a stream somebody forgot to close must not keep the process alive.
        self._thread = threading.Thread(
            target=run_engine, args=(call, self._sink), name="vivavoce-engine", daemon=True
        )
        self._thread.start()

    async def receive(self, timeout_s: float | None) -> Event:
        """Return what the engine has put out; see ``Conversation``."""
        while (event := self._sink.take()) is None:
            if not self._ready.acquire(timeout=timeout_s):
                msg = "The engine gave nothing in time."
                raise TimeoutError(msg)
        return event

    async def send(self, data: str | bytes) -> None:
        """Refuse: an engine takes no messages."""
        raise refuse_message(data)

    async def close(self) -> None:
        """Tell the engine to stop and wait until it has, one buffer long."""
        self._sink.stop()
        self._thread.join(JOIN_LIMIT_S)
        if self._thread.is_alive():
            logger.warning("An engine did not stop within %s s; it is left alone.", JOIN_LIMIT_S)

    def __del__(self) -> None:
        # Somebody forgot to close: the engine must not wait for this reader for ever.
        sink = getattr(self, "_sink", None)
        if sink is not None:
            sink.stop()


def run_engine(call: LocalCall, sink: Sink) -> None:
    """Run the callable to its end in this thread; what it raises goes to the reader."""
    try:
        result = call.run(sink)
        if inspect.isawaitable(result):
            import asyncio  # only an engine written as a coroutine needs a loop

            asyncio.run(_run_until_stopped(result, sink))
    except BaseException as failure:  # noqa: BLE001 - the reader raises it, in its own thread
        sink.end(failure)
    else:
        sink.end()


async def _run_until_stopped(awaitable: Awaitable[None], sink: Sink) -> None:
    """Cancel an engine that waits, once its reader has left, as the async face does."""
    import asyncio

    task = asyncio.ensure_future(awaitable)
    loop = asyncio.get_running_loop()
    sink.when_stopped(lambda: loop.call_soon_threadsafe(task.cancel))
    await task
