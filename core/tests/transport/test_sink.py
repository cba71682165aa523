"""The buffer between an engine and its reader."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.errors import EngineFailed, NoAudio, StreamStateError
from vivavoce.model.timing import Mark, MarkKind
from vivavoce.transport.sink import Sink, refuse_message
from vivavoce.wire.local import LocalCall, LocalEnd, LocalOutput


def sink_of(*, wake=None, may_wait=True, **bounds):
    call = LocalCall(run=lambda sink: None, **bounds)
    return Sink(call, wake or (lambda: None), may_wait=may_wait)


def mark(start_s=0.0):
    return Mark(kind=MarkKind.WORD, start_s=start_s, end_s=start_s, text_start=0, text_end=1)


class Wakes:
    """Counts wake-ups."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


class TestReading:
    def test_everything_at_once(self):
        """The reader gets all there is in one event, audio joined and marks in order."""
        sink = sink_of()
        marks = [mark(0.0), mark(0.5)]
        assert sink.audio(b"ab")
        sink.mark(marks[0])
        assert sink.audio(b"cd")
        sink.mark(marks[1])
        assert sink.take() == LocalOutput(b"abcd", marks)
        assert sink.take() is None

    def test_late_marks(self):
        """Marks put after the last audio come before the end."""
        sink = sink_of()
        sink.audio(b"ab")
        sink.take()
        sink.mark(mark())
        assert sink.take() is None
        sink.end()
        assert sink.take() == LocalOutput(b"", [mark()])
        assert sink.take() == LocalEnd()

    def test_end_is_lasting(self):
        """The end stays the end, however often it is asked for."""
        sink = sink_of()
        sink.end()
        assert [sink.take() for _ in range(2)] == [LocalEnd(), LocalEnd()]

    def test_failure_after_audio(self):
        """What an engine raises is raised after the audio it gave before."""
        sink = sink_of()
        sink.audio(b"ab")
        sink.mark(mark())
        failure = RuntimeError("no such phoneme")
        sink.end(failure)
        assert sink.take() == LocalOutput(b"ab", [mark()])
        with pytest.raises(EngineFailed, match="RuntimeError: no such phoneme") as caught:
            sink.take()
        assert caught.value.__cause__ is failure

    def test_own_failure(self):
        """An error of the tree is raised as it is."""
        sink = sink_of()
        failure = NoAudio("nothing to hear")
        sink.end(failure)
        with pytest.raises(NoAudio) as caught:
            sink.take()
        assert caught.value is failure

    def test_long_failure(self):
        """A long complaint of an engine, which may hold the text, is cut."""
        sink = sink_of()
        sink.end(ValueError("x" * 10_000))
        with pytest.raises(EngineFailed) as caught:
            sink.take()
        assert len(str(caught.value)) < 500


class TestWaking:
    def test_nobody_waits(self):
        """Nobody is woken who does not wait."""
        wakes = Wakes()
        sink = sink_of(wake=wakes)
        sink.audio(b"ab")
        sink.end()
        assert wakes.count == 0

    def test_first_audio(self):
        """The first audio wakes the reader at once, however much is to be gathered."""
        wakes = Wakes()
        sink = sink_of(wake=wakes, coalesce_bytes=1000)
        assert sink.take() is None
        sink.audio(b"a")
        assert wakes.count == 1

    def test_empty_is_not_first(self):
        """An empty piece wakes nobody and does not count as the first audio."""
        wakes = Wakes()
        sink = sink_of(wake=wakes, coalesce_bytes=1000)
        assert sink.take() is None
        assert sink.audio(b"")
        assert wakes.count == 0
        assert sink.take() is None
        sink.audio(b"a")
        assert wakes.count == 1

    def test_gathering(self):
        """After the first audio the reader is woken once as much as asked for is there."""
        wakes = Wakes()
        sink = sink_of(wake=wakes, coalesce_bytes=10)
        sink.take()
        sink.audio(b"a")
        sink.take()
        sink.take()
        counts = []
        for _ in range(12):
            sink.audio(b"a")
            counts.append(wakes.count)
        assert counts == [1] * 9 + [2] * 3

    def test_one_wake(self):
        """A reader that has been woken is not woken again before it has looked."""
        wakes = Wakes()
        sink = sink_of(wake=wakes)
        sink.take()
        for _ in range(100):
            sink.audio(b"a")
        assert wakes.count == 1

    def test_end(self):
        """The end wakes the reader, also with less gathered than asked for."""
        wakes = Wakes()
        sink = sink_of(wake=wakes, coalesce_bytes=10)
        sink.audio(b"a")
        sink.take()
        sink.take()
        sink.audio(b"b")
        assert wakes.count == 0
        sink.end()
        assert wakes.count == 1

    def test_mark(self):
        """A mark alone wakes nobody: it travels with audio."""
        wakes = Wakes()
        sink = sink_of(wake=wakes)
        sink.take()
        sink.mark(mark())
        assert wakes.count == 0

    def test_no_reader(self):
        """A reader whose event loop was closed has left: the engine is told so."""

        def wake():
            raise RuntimeError("Event loop is closed")

        sink = sink_of(wake=wake)
        sink.take()
        sink.audio(b"a")
        assert sink.stopped
        assert not sink.audio(b"b")


def in_thread(function):
    """Run *function* in a thread; return the thread and an event set at its end."""
    done = threading.Event()
    thread = threading.Thread(target=lambda: (function(), done.set()))
    thread.start()
    return thread, done


class TestRoom:
    def test_bound(self):
        """An engine waits while the bound is held, so no more than one piece is above it."""
        sink = sink_of(max_buffered_bytes=100)
        thread, done = in_thread(lambda: [sink.audio(bytes(30)) for _ in range(20)])
        taken, most = 0, 0
        while taken < 600:
            # Read slowly: each time the engine is stuck, or has ended.
            done.wait(0.01)
            output = sink.take()
            if output is not None:
                most = max(most, len(output.audio))
                taken += len(output.audio)
        thread.join(5)
        assert taken == 600
        assert most <= 100 + 30

    def test_none(self):
        """With no bound an engine is never held up."""
        sink = sink_of(max_buffered_bytes=None)
        for _ in range(100):
            assert sink.audio(bytes(1 << 16))
        assert len(sink.take().audio) == 100 << 16

    def test_zero(self):
        """A bound of 0 hands piece after piece over, and does not wait for ever."""
        sink = sink_of(max_buffered_bytes=0)
        thread, done = in_thread(lambda: [sink.audio(b"ab") for _ in range(3)])
        got = []
        while len(got) < 3:
            output = sink.take()
            if output is not None:
                got.append(output.audio)
        assert done.wait(5)
        thread.join(5)
        assert got == [b"ab"] * 3

    def test_full_wakes(self):
        """A full sink wakes its reader, although less is there than was to be gathered."""
        woken = threading.Event()
        sink = sink_of(wake=woken.set, max_buffered_bytes=10, coalesce_bytes=1000)
        sink.audio(b"a")
        sink.take()
        sink.take()
        thread, done = in_thread(lambda: [sink.audio(bytes(10)) for _ in range(2)])
        assert woken.wait(5)
        sink.take()
        assert done.wait(5)
        thread.join(5)

    def test_stop_ends_waiting(self):
        """An engine that waits for room learns at once that its reader has left."""
        sink = sink_of(max_buffered_bytes=1)
        sink.audio(b"a")
        answers = []
        thread, done = in_thread(lambda: answers.append(sink.audio(b"b")))
        assert not done.wait(0.02)
        sink.stop()
        assert done.wait(5)
        thread.join(5)
        assert answers == [False]

    def test_coroutine_is_not_held(self):
        """A coroutine is never blocked in ``audio``; it awaits ``drain``."""
        sink = sink_of(may_wait=False, max_buffered_bytes=1)
        for _ in range(10):
            assert sink.audio(b"ab")

    def test_drain(self):
        """``drain`` waits until the reader has taken, on the engine's own loop."""
        sink = sink_of(may_wait=False, max_buffered_bytes=1)
        order = []

        async def engine():
            sink.audio(b"ab")
            order.append("full")
            await sink.drain()
            order.append("drained")

        async def scenario():
            task = asyncio.create_task(engine())
            for _ in range(10):
                await asyncio.sleep(0)
            assert order == ["full"]
            await asyncio.to_thread(sink.take)  # the reader is on another thread
            await asyncio.wait_for(task, 5)

        asyncio.run(scenario())
        assert order == ["full", "drained"]

    def test_drain_needs_no_thread(self):
        """Any number of engines may wait for room and leave the loop's threads free."""

        async def scenario():
            sinks = [sink_of(may_wait=False, max_buffered_bytes=1) for _ in range(100)]
            for sink in sinks:
                sink.audio(b"ab")
            tasks = [asyncio.create_task(sink.drain()) for sink in sinks]
            await asyncio.sleep(0)
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 5) == "free"
            for sink in sinks:
                sink.stop()
            await asyncio.wait_for(asyncio.gather(*tasks), 5)

        asyncio.run(scenario())

    def test_drain_gives_way(self):
        """An engine that only computes still lets its reader run, each time it drains."""
        sink = sink_of(may_wait=False)
        turns = []

        async def reader():
            for _ in range(3):
                turns.append(len(sink.take().audio))
                await asyncio.sleep(0)

        async def engine():
            for _ in range(3):
                sink.audio(b"ab")
                await sink.drain()

        async def scenario():
            engine_task = asyncio.create_task(engine())
            await asyncio.gather(engine_task, asyncio.create_task(reader()))

        asyncio.run(scenario())
        assert turns == [2, 2, 2]


class TestStop:
    def test_nothing_more(self):
        """After the reader has left the engine is told, and nothing is kept for it."""
        sink = sink_of()
        sink.audio(b"ab")
        sink.stop()
        sink.stop()
        assert sink.stopped
        assert not sink.audio(b"cd")
        sink.mark(mark())
        assert (sink._audio, sink._marks) == ([], [])

    def test_is_no_end(self):
        """A reader on another thread hears that it was closed, not that all was said."""
        woken = threading.Event()
        sink = sink_of(wake=woken.set)
        assert sink.take() is None
        sink.stop()
        assert woken.is_set()
        sink.end()
        with pytest.raises(StreamStateError, match="closed"):
            sink.take()

    @pytest.mark.parametrize("is_early", [False, True])
    def test_told(self, is_early):
        """Who asks to be told is told once, also when the reader has left already."""
        sink = sink_of()
        told = Wakes()
        if is_early:
            sink.stop()
        sink.when_stopped(told)
        sink.stop()
        sink.stop()
        assert told.count == 1


def test_refuse_message():
    """Sending to an engine is refused without showing what was to be sent."""
    error = refuse_message("a private text")
    assert isinstance(error, StreamStateError)
    assert "private" not in str(error)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 50), max_size=40),
    limit=st.one_of(st.none(), st.integers(0, 60)),
    coalesce=st.integers(0, 80),
)
def test_no_lost_wake(sizes, limit, coalesce):
    """Whatever the pieces and bounds, a reader that sleeps until woken gets all of it."""
    ready = threading.Semaphore(0)
    sink = sink_of(wake=ready.release, max_buffered_bytes=limit, coalesce_bytes=coalesce)
    sent = b"".join(bytes([i % 256]) * size for i, size in enumerate(sizes))

    def engine():
        for i, size in enumerate(sizes):
            assert sink.audio(bytes([i % 256]) * size)
        sink.end()

    thread = threading.Thread(target=engine)
    thread.start()
    got = b""
    while True:
        event = sink.take()
        if event is None:
            assert ready.acquire(timeout=10), "a wake-up was lost"
        elif event == LocalEnd():
            break
        else:
            got += event.audio
    thread.join(10)
    assert got == sent
