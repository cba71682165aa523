"""Two ways to give a sync face to coroutines: stepping them, or a portal to an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable

from anyio import create_memory_object_stream, create_task_group
from anyio.from_thread import start_blocking_portal
from common import machine, median, show

from vivavoce.transport.base import run_blocking

ITEMS = 20_000
ROUNDS = 7


class Source:
    """Gives items, as a pipeline whose transport has them at hand does."""

    async def get(self) -> bytes:
        return b"x"


def stepped() -> None:
    """Step a coroutine that never suspends, once an item."""
    source = Source()
    for _ in range(ITEMS):
        run_blocking(source.get())


def portal() -> None:
    """Call into an event loop on another thread, once an item."""
    source = Source()
    with start_blocking_portal() as loop:
        for _ in range(ITEMS):
            loop.call(source.get)


def portal_with_pump() -> None:
    """The same, with a task that pumps items through a buffer, as scopes over a yield need."""

    async def pump_all(count: int) -> None:
        source = Source()
        send, receive = create_memory_object_stream[bytes](0)

        async def pump() -> None:
            async with send:
                for _ in range(count):
                    await send.send(await source.get())

        async with create_task_group() as group:
            group.start_soon(pump)
            receivers.append(receive)
            await done.wait()
            group.cancel_scope.cancel()

    import anyio

    receivers: list[object] = []
    with start_blocking_portal() as loop:
        done = loop.call(_event)
        future = loop.start_task_soon(pump_all, ITEMS)
        while not receivers:
            loop.call(anyio.lowlevel.checkpoint)
        receive = receivers[0]
        for _ in range(ITEMS):
            loop.call(receive.receive)  # type: ignore[attr-defined]
        loop.call(done.set)
        future.result()


async def _event() -> object:
    import anyio

    return anyio.Event()


WAYS: dict[str, Callable[[], None]] = {
    "stepping (ours)": stepped,
    "portal": portal,
    "portal, pump task and buffer": portal_with_pump,
}


def main() -> None:
    """Measure in turn."""
    print(machine())
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            begun = time.perf_counter()
            way()
            seconds[name].append((time.perf_counter() - begun) / ITEMS)
    rows = [(name, f"{median(all_) * 1e6:.1f}") for name, all_ in seconds.items()]
    show(f"One item, {ITEMS} items, {ROUNDS} rounds in turn", ("way", "microseconds"), rows)


if __name__ == "__main__":
    main()
