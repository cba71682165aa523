"""Engines in this process, over both faces."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading

import pytest

from vivavoce.errors import EngineFailed, NoAudio, StreamStateError
from vivavoce.model.timing import Mark, MarkKind
from vivavoce.transport import aio, blocking
from vivavoce.transport.aio import AsyncLocal, AsyncRuntime
from vivavoce.transport.base import run_blocking
from vivavoce.transport.blocking import BlockingLocal, BlockingRuntime
from vivavoce.wire.http import HttpCall
from vivavoce.wire.local import LocalCall, LocalEnd, LocalOutput
from vivavoce.wire.websocket import WebSocketCall

MARK = Mark(kind=MarkKind.WORD, start_s=0.0, end_s=0.5, text_start=0, text_end=2)


async def read_all(conversation, timeout_s=5.0):
    audio, marks = b"", []
    while (event := await conversation.receive(timeout_s)) != LocalEnd():
        assert isinstance(event, LocalOutput)
        audio += event.audio
        marks += event.marks
    return audio, marks


def plain(sink):
    sink.mark(MARK)
    for i in range(200):
        assert sink.audio(bytes([i]) * 100)


async def coroutine(sink):
    sink.mark(MARK)
    for i in range(200):
        assert sink.audio(bytes([i]) * 100)
        await sink.drain()


class Callable_:  # noqa: N801 - an object that is called, whose call is a coroutine
    async def __call__(self, sink):
        await coroutine(sink)


def given(sink):
    """Not a coroutine function, but gives a coroutine."""
    return coroutine(sink)


SPOKEN = b"".join(bytes([i]) * 100 for i in range(200))


class TestSpeaking:
    @pytest.mark.parametrize("run", [plain, coroutine, Callable_(), given], ids="pcol")
    @pytest.mark.parametrize("limit", [0, 150, 1 << 20, None])
    @pytest.mark.parametrize("coalesce", [0, 5000])
    def test_whole(self, face, run, limit, coalesce):
        """Whatever kind of callable and bounds, the same audio and marks come, then the end."""
        call = LocalCall(run=run, max_buffered_bytes=limit, coalesce_bytes=coalesce)

        async def scenario():
            return await read_all(await face.start(call))

        assert face.run(scenario()) == (SPOKEN, [MARK])

    def test_first_at_once(self, face):
        """The first audio comes while the engine is still at work."""
        may_go_on = threading.Event()

        def run(sink):
            sink.audio(b"first")
            may_go_on.wait(10)
            sink.audio(b"second")

        async def scenario():
            conversation = await face.start(LocalCall(run=run, coalesce_bytes=1 << 20))
            first = await conversation.receive(5.0)
            may_go_on.set()
            return first, await read_all(conversation)

        assert face.run(scenario()) == (LocalOutput(b"first", []), (b"second", []))

    def test_side_by_side(self, face):
        """Engines run side by side, and their audio never mixes."""
        meet = threading.Barrier(4)

        def speaking(letter):
            def run(sink):
                meet.wait(10)
                for _ in range(300):
                    sink.audio(letter * 10)

            return LocalCall(run=run, max_buffered_bytes=100)

        async def scenario():
            opened = [await face.start(speaking(letter)) for letter in (b"a", b"b", b"c", b"d")]
            return [(await read_all(conversation))[0] for conversation in opened]

        assert face.run(scenario()) == [letter * 3000 for letter in (b"a", b"b", b"c", b"d")]


def fails_plain(sink):
    sink.audio(b"before")
    raise ValueError("no such phoneme")


async def fails_coroutine(sink):
    sink.audio(b"before")
    raise ValueError("no such phoneme")


class TestFailing:
    @pytest.mark.parametrize("run", [fails_plain, fails_coroutine])
    def test_in_order(self, face, run):
        """What an engine raises comes after its audio, as an engine failure with the cause."""

        async def scenario():
            conversation = await face.start(LocalCall(run=run))
            first = await conversation.receive(5.0)
            with pytest.raises(EngineFailed, match="no such phoneme") as caught:
                await conversation.receive(5.0)
            assert isinstance(caught.value.__cause__, ValueError)
            return first.audio

        assert face.run(scenario()) == b"before"

    def test_own_error(self, face):
        """An error of the tree passes as it is."""
        error = NoAudio("nothing")

        def run(sink):
            raise error

        async def scenario():
            with pytest.raises(NoAudio) as caught:
                await (await face.start(LocalCall(run=run))).receive(5.0)
            return caught.value

        assert face.run(scenario()) is error

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
    def test_leaving(self, face, kind):
        """An engine that tries to end the program ends its own synthesis only."""

        def run(sink):
            raise kind

        async def scenario():
            await (await face.start(LocalCall(run=run))).receive(5.0)

        with pytest.raises(EngineFailed, match=kind.__name__):
            face.run(scenario())


class TestLimits:
    def test_timeout(self, face):
        """An engine that gives nothing ends the receive at its limit and is heard later."""
        may_go_on = threading.Event()

        def run(sink):
            may_go_on.wait(10)
            sink.audio(b"late")

        async def scenario():
            conversation = await face.start(LocalCall(run=run))
            for limit_s in (0.02, 0.0, 0.02):
                with pytest.raises(TimeoutError):
                    await conversation.receive(limit_s)
            may_go_on.set()
            return await conversation.receive(5.0)

        assert face.run(scenario()).audio == b"late"

    def test_none(self, face):
        """None waits without a limit."""

        async def scenario():
            return await read_all(await face.start(LocalCall(run=plain)), None)

        assert face.run(scenario())[0] == SPOKEN


class TestClosing:
    def test_waiting_for_room(self, face):
        """An engine that waits for room ends when its reader leaves, and close awaits it."""
        ended = []

        def run(sink):
            while sink.audio(bytes(100)):
                pass
            ended.append(sink.stopped)

        async def scenario():
            conversation = await face.start(LocalCall(run=run, max_buffered_bytes=100))
            await conversation.receive(5.0)
            await conversation.close()
            assert ended == [True]
            await conversation.close()

        face.run(scenario())

    def test_draining(self, face):
        """A coroutine that waits for room ends when its reader leaves."""
        ended = threading.Event()

        async def run(sink):
            try:
                while sink.audio(bytes(100)):
                    await sink.drain()
            finally:
                ended.set()

        async def scenario():
            conversation = await face.start(LocalCall(run=run, max_buffered_bytes=100))
            await conversation.receive(5.0)
            await conversation.close()

        face.run(scenario())
        assert ended.is_set()

    def test_waiting_elsewhere(self, face, caplog):
        """A coroutine that waits for something else is cancelled, in both faces."""
        ended = threading.Event()

        async def run(sink):
            sink.audio(b"a")
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def scenario():
            conversation = await face.start(LocalCall(run=run))
            await conversation.receive(5.0)
            await conversation.close()

        face.run(scenario())
        assert ended.is_set()
        assert "did not stop" not in caplog.text

    @pytest.mark.parametrize("run", [plain, coroutine])
    def test_at_once(self, face, run, caplog):
        """Closing before the engine has even begun does not wait for it in vain."""

        async def scenario():
            conversation = await face.start(LocalCall(run=run))
            await conversation.close()

        face.run(scenario())
        assert "did not stop" not in caplog.text

    def test_used_after(self, face):
        """A closed conversation is not received from, and never looks complete."""

        async def scenario():
            conversation = await face.start(LocalCall(run=plain))
            await conversation.close()
            with pytest.raises(StreamStateError, match="closed"):
                await conversation.receive(5.0)

        face.run(scenario())

    def test_stuck(self, face, monkeypatch, caplog):
        """An engine that never looks is left alone after a while, and that is logged."""
        monkeypatch.setattr(aio, "JOIN_LIMIT_S", 0.05)
        monkeypatch.setattr(blocking, "JOIN_LIMIT_S", 0.05)
        may_end = threading.Event()

        async def scenario():
            conversation = await face.start(LocalCall(run=lambda sink: may_end.wait(10)))
            await conversation.close()
            may_end.set()

        with caplog.at_level(logging.WARNING):
            face.run(scenario())
        assert "did not stop" in caplog.text

    def test_send(self, face):
        """An engine takes no messages."""

        async def scenario():
            await (await face.start(LocalCall(run=plain))).send("hello")

        with pytest.raises(StreamStateError, match="no messages"):
            face.run(scenario())


class TestForgotten:
    """A stream nobody closed must not hold its engine for ever."""

    @staticmethod
    def endless(ended):
        def run(sink):
            while sink.audio(bytes(100)):
                pass
            ended.set()

        return LocalCall(run=run, max_buffered_bytes=100)

    def test_sync(self):
        """A sync conversation that is dropped tells its engine to stop."""
        ended = threading.Event()
        conversation = BlockingLocal(self.endless(ended))
        run_blocking(conversation.receive(5.0))
        del conversation
        gc.collect()
        assert ended.wait(5)

    def test_loop_closed(self):
        """An async conversation whose loop has ended tells its engine to stop."""
        ended = threading.Event()

        async def scenario():
            conversation = AsyncLocal(self.endless(ended))
            await conversation.receive(5.0)

        asyncio.run(scenario())
        gc.collect()
        assert ended.wait(5)

    def test_loop_closed_under_waiting_reader(self):
        """An engine that would wake a reader of a closed loop stops instead."""
        ended, may_go_on = threading.Event(), threading.Event()
        kept = []

        def run(sink):
            may_go_on.wait(10)
            while sink.audio(bytes(100)):
                pass
            ended.set()

        async def scenario():
            kept.append(AsyncLocal(LocalCall(run=run)))
            with pytest.raises(TimeoutError):
                await kept[0].receive(0.01)

        asyncio.run(scenario())
        may_go_on.set()
        assert ended.wait(5)


class TestOtherThread:
    def test_closed_under_reader(self):
        """A sync reader that waits hears at once that another thread has closed."""
        stop_waiting = threading.Event()
        conversation = BlockingLocal(LocalCall(run=lambda sink: stop_waiting.wait(10)))
        outcome = []

        def read():
            try:
                run_blocking(conversation.receive(None))
            except StreamStateError as error:
                outcome.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        while not conversation._sink._reader_waits:
            thread.join(0.001)
        conversation._sink.stop()
        thread.join(5)
        stop_waiting.set()
        run_blocking(conversation.close())
        assert len(outcome) == 1


@pytest.mark.parametrize("round_", range(5))
def test_stress(face, round_):
    """Under many threads and tiny bounds no wake-up is lost."""
    count = 30

    def run(sink):
        for i in range(400):
            if not sink.audio(bytes([i % 251])):
                return

    call = LocalCall(run=run, max_buffered_bytes=1 + round_, coalesce_bytes=round_ * 2)
    expected = bytes(i % 251 for i in range(400))

    async def scenario():
        opened = [await face.start(call) for _ in range(count)]
        return [(await read_all(conversation, 10.0))[0] for conversation in opened]

    assert face.run(scenario()) == [expected] * count


class TestRuntime:
    """The runtime finds the transport for a call."""

    @pytest.fixture
    def runtime(self, face):
        return AsyncRuntime() if face.is_async else BlockingRuntime()

    def test_calls(self, face, server, runtime):
        """Each kind of call reaches its own transport, and closing twice is harmless."""

        def script(peer):
            if b"upgrade: websocket" in peer.read_request().lower():
                peer.send(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
            else:
                peer.reply(b"ok")

        address = server.serve(script)

        async def scenario():
            local = face.keep(await runtime.open(LocalCall(run=plain), 5.0))
            assert (await read_all(local))[0] == SPOKEN
            http = face.keep(await runtime.open(HttpCall(url=f"http://{address}/"), 5.0))
            assert (await http.receive(5.0)).status == 200
            with pytest.raises(Exception, match="500"):
                await runtime.open(WebSocketCall(url=f"ws://{address}/"), 5.0)
            await http.close()
            await runtime.close()
            await runtime.close()

        face.run(scenario())

    def test_time(self, face, runtime):
        """The clock runs forward by at least what was slept."""

        async def scenario():
            begun = runtime.now()
            await runtime.sleep(0.01)
            return runtime.now() - begun

        assert face.run(scenario()) >= 0.009
