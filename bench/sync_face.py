"""
Two ways to give a sync face to coroutines: stepping them, or a portal to an event loop.

Each hands over items that are at hand already, so that only the way itself is measured. With a
portal, a time limit or a task group that is held across items must be entered and left by one
task, and therefore needs a task that pumps items through a buffer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
from anyio.from_thread import start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from common import machine, median, paired, show

from vivavoce.transport.base import run_blocking

ITEMS = 5_000
ROUNDS = 9
BUFFER = 16


class Source:
    """Gives items, as a pipeline whose transport has them at hand does."""

    async def get(self) -> bytes:
        return b"x"


def stepped() -> float:
    """Step a coroutine that never suspends, once an item."""
    source = Source()
    begun = time.perf_counter()
    for _ in range(ITEMS):
        run_blocking(source.get())
    return time.perf_counter() - begun


def portal() -> float:
    """Call into an event loop on another thread, once an item."""
    source = Source()
    with start_blocking_portal() as loop:
        begun = time.perf_counter()
        for _ in range(ITEMS):
            loop.call(source.get)
        return time.perf_counter() - begun


def portal_with_pump() -> float:
    """The same, the items coming through a buffer that a task keeps full."""
    with start_blocking_portal() as loop:
        send, receive = loop.call(_buffer)
        pumping = loop.start_task_soon(_pump, send)
        begun = time.perf_counter()
        for _ in range(ITEMS):
            loop.call(receive.receive)
        seconds = time.perf_counter() - begun
        pumping.result()
        loop.call(receive.aclose)
        return seconds


async def _buffer() -> tuple[MemoryObjectSendStream[bytes], MemoryObjectReceiveStream[bytes]]:
    return anyio.create_memory_object_stream[bytes](BUFFER)


async def _pump(send: MemoryObjectSendStream[bytes]) -> None:
    source = Source()
    async with send:
        for _ in range(ITEMS):
            await send.send(await source.get())


WAYS: dict[str, Callable[[], float]] = {
    "stepping (ours)": stepped,
    "portal": portal,
    f"portal, pump task, buffer of {BUFFER}": portal_with_pump,
}


def main() -> None:
    """Measure in turn; starting and ending a portal is not counted."""
    print(machine())
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(ROUNDS + 1):
        for name, way in WAYS.items():
            took = way()
            if turn:  # the first round warms up
                seconds[name].append(took)
    ours = seconds["stepping (ours)"]
    rows = [
        (name, f"{median(all_) / ITEMS * 1e6:.1f}", paired(all_, ours))
        for name, all_ in seconds.items()
    ]
    head = ("way", "microseconds an item", "x stepping, in turn")
    show(f"One item handed over, {ITEMS} items, {ROUNDS} rounds in turn", head, rows)


if __name__ == "__main__":
    main()
