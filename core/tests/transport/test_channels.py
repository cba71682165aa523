"""Jobs beside a reader, and the channels between them, in both faces."""

import asyncio
import logging
import threading

import pytest

from vivavoce.transport.aio import AsyncRuntime
from vivavoce.transport.base import run_blocking
from vivavoce.transport.blocking import BlockingRuntime

LIMIT_S = 10.0


class Started:
    """Says when a job has begun, to either face."""

    def __init__(self):
        self._event = threading.Event()

    def set(self):
        self._event.set()

    async def wait(self, face):
        waited = asyncio.to_thread(self._event.wait, LIMIT_S) if face.is_async else None
        assert await waited if waited else self._event.wait(LIMIT_S)


@pytest.fixture
def runtime(face):
    """The runtime of a face."""
    return AsyncRuntime() if face.is_async else BlockingRuntime()


def test_in_order(face, runtime):
    """Items come out in the order they were put in, however small the channel."""

    async def main():
        channel, got = runtime.channel(2), []

        async def put():
            for number in range(100):
                assert await channel.put(number)

        job = runtime.spawn(put(), "putting")
        while len(got) < 100:
            got.append(await channel.get())
        await job.stop()
        return got

    assert face.run(main()) == list(range(100))


def test_it_is_full(face, runtime):
    """A channel is full with as many items as its size, and is not before or after."""

    async def main():
        channel = runtime.channel(2)
        said = [channel.is_full]
        for item in "ab":
            await channel.put(item)
            said.append(channel.is_full)
        await channel.get()
        return [*said, channel.is_full]

    assert face.run(main()) == [False, False, True, False]


def test_a_full_channel_holds_no_more(face, runtime):
    """Whoever puts into a full channel waits until one item has been taken."""

    async def main():
        channel, started, done = runtime.channel(1), Started(), []
        await channel.put("first")

        async def put():
            started.set()
            done.append(await channel.put("second"))

        job = runtime.spawn(put(), "putting")
        await started.wait(face)
        before = list(done)
        items = [await channel.get(), await channel.get()]
        await job.stop()
        return before, items, done

    assert face.run(main()) == ([], ["first", "second"], [True])


@pytest.mark.parametrize("is_full", [False, True])
def test_close_lets_both_sides_go(face, runtime, is_full):
    """Whoever waits in a channel is let go when it is closed, and is told so."""

    async def main():
        channel, started, got = runtime.channel(1), Started(), []
        if is_full:
            await channel.put("first")

        async def wait():
            started.set()
            got.append(await (channel.put("second") if is_full else channel.get()))

        job = runtime.spawn(wait(), "waiting")
        await started.wait(face)
        channel.close()
        if face.is_async:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await job.stop()
        return got

    assert face.run(main()) == [False if is_full else None]


def test_after_close(face, runtime):
    """A closed channel takes nothing and gives nothing, not even what was in it."""

    async def main():
        channel = runtime.channel(2)
        await channel.put("first")
        channel.close()
        channel.close()
        return await channel.put("second"), await channel.get(), channel.is_full

    assert face.run(main()) == (False, None, False)


def test_several_who_wait(face, runtime):
    """Of several who wait in a channel each gets one item, and the rest are let go."""

    async def main():
        channel, got = runtime.channel(1), []

        async def get():
            got.append(await channel.get())

        jobs = [runtime.spawn(get(), "getting") for _ in range(3)]
        for item in "ab":
            await channel.put(item)
        # The channel has room again only when the last item was taken.
        await channel.put("c")
        for job in jobs if not face.is_async else ():
            await job.stop()
        for _ in range(3 if face.is_async else 0):
            await asyncio.sleep(0)
        channel.close()
        return sorted(got)

    assert face.run(main()) == ["a", "b", "c"]


def test_a_task_is_cancelled():
    """In the async face a job is cancelled where it waits, and has ended when stop returns."""

    async def main():
        started, ended = asyncio.Event(), []

        async def wait():
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        job = AsyncRuntime().spawn(wait(), "waiting")
        await started.wait()
        await job.stop()
        await job.stop()
        return ended

    assert asyncio.run(main()) == [True]


def test_a_task_that_failed():
    """What a job raised of its own is raised by who stops it."""

    async def main():
        async def fail():
            raise KeyError("mine")

        job = AsyncRuntime().spawn(fail(), "failing")
        await asyncio.sleep(0)
        with pytest.raises(KeyError, match="mine"):
            await job.stop()

    asyncio.run(main())


def test_a_job_that_stops_itself(face, runtime):
    """A job that stops itself goes on: it would wait for its own end."""

    async def main():
        jobs, done = runtime.channel(1), runtime.channel(1)

        async def stop():
            await (await jobs.get()).stop()
            await done.put("here")

        job = runtime.spawn(stop(), "stopping")
        await jobs.put(job)
        said = await done.get()
        await job.stop()
        return said

    assert face.run(main()) == "here"


def test_a_thread_that_does_not_end(monkeypatch, caplog):
    """A thread that does not end in time is left alone, and it is said."""
    monkeypatch.setattr("vivavoce.transport.blocking.JOIN_LIMIT_S", 0.01)
    let_go = threading.Event()

    async def wait():
        let_go.wait(LIMIT_S)

    job = BlockingRuntime().spawn(wait(), "stubborn")
    with caplog.at_level(logging.WARNING):
        run_blocking(job.stop())
    assert "did not end" in caplog.text
    let_go.set()
    monkeypatch.undo()
    run_blocking(job.stop())


def test_names(face, runtime):
    """A job is named for people who look at threads or tasks, and keeps no process alive."""

    async def main():
        names = runtime.channel(1)

        async def tell():
            here = asyncio.current_task().get_name() if face.is_async else None
            thread = threading.current_thread()
            await names.put((here or thread.name, face.is_async or thread.daemon))

        job = runtime.spawn(tell(), "vivavoce-test")
        said = await names.get()
        await job.stop()
        return said

    assert face.run(main()) == ("vivavoce-test", True)
