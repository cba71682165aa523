"""
The sync face's runtime: its coroutines block the thread and never suspend.

See :func:`vivavoce.transport.base.run_blocking` for how they are stepped.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from vivavoce.transport.base import Conversation
from vivavoce.transport.sink import JOIN_LIMIT_S, Sink, refuse_message
from vivavoce.wire.exchange import Call, Event
from vivavoce.wire.http import HttpCall
from vivavoce.wire.local import LocalCall
from vivavoce.wire.websocket import WebSocketCall

if TYPE_CHECKING:
    from vivavoce.transport.http import BlockingHttp

__all__ = ["BlockingLocal", "BlockingRuntime", "run_engine"]

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

    async def close(self) -> None:
        """Close the connections kept for reuse."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            await http.close()


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
