"""How the sync face runs coroutines."""

from __future__ import annotations

import asyncio

import pytest

from vivavoce.transport.base import run_blocking


async def give(value):
    return value


async def fail():
    raise KeyError("x")


def test_value():
    """A coroutine that does not wait is run to its value, through any depth of awaits."""

    async def outer():
        return [await give(1), await give(None)]

    assert run_blocking(outer()) == [1, None]


def test_error():
    """What the coroutine raises is raised, as it is."""
    with pytest.raises(KeyError, match="x"):
        run_blocking(fail())


def test_waiting():
    """A coroutine that waits on an event loop is an error, and its clean-up is run."""
    cleaned = []

    async def waits():
        try:
            await asyncio.sleep(0)
        finally:
            cleaned.append(True)

    waiting = waits()  # kept, so that no garbage collection cleans up instead
    with pytest.raises(RuntimeError, match="event loop"):
        run_blocking(waiting)
    assert cleaned == [True]


def test_inside_a_loop():
    """The sync face works inside a program that runs an event loop."""

    async def program():
        return run_blocking(give(3))

    assert asyncio.run(program()) == 3


def test_async_generator():
    """Async generators and context managers are stepped too."""

    async def numbers():
        for i in range(3):
            yield await give(i)

    async def total():
        return sum([i async for i in numbers()])

    assert run_blocking(total()) == 3
