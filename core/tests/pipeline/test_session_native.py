"""Sessions over a real WebSocket on loopback, in both faces. What hangs on steps is in memory."""

import asyncio
import gc
import json
import queue
import threading

import attrs
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from vivavoce import AsyncClient, Client, StreamStateError
from vivavoce.authoring import (
    AudioData,
    ConnectFailed,
    ConnectionLost,
    DuplexExchange,
    Facts,
    Failed,
    Finished,
    MessageReceived,
    ProviderUnavailable,
    SendMessage,
    Synthesizer,
    TimedOut,
    TurnEnded,
    WebSocketCall,
    yes,
)
from vivavoce.model.report import End
from vivavoce.pipeline.retry import Retry
from vivavoce.settings import Settings, Timeouts
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider, samples_of
from vivavoce.transport.base import run_blocking

LIMIT_S = 10.0
CALLS = {"send", "flush", "clear", "finish", "interrupt", "close", "prewarm"}


class WordExchange(DuplexExchange):
    """JSON lists of one or two words go and come, audio as binary messages."""

    def __init__(self, config, request):
        self.format = request.format
        self._call = WebSocketCall(url=config.base_url, first=(json.dumps(["hello"]),))
        self._has_begun = False
        self._turns = 0.0

    def open(self):
        return self._call

    def interrupt(self):
        self._has_begun = False
        return self._call

    @property
    def has_begun(self):
        return self._has_begun

    def send(self, text):
        return [SendMessage(json.dumps(["text", text]))]

    def flush(self):
        return [SendMessage(json.dumps(["flush"]))]

    def clear(self):
        return [SendMessage(json.dumps(["clear"]))]

    def finish(self):
        return [SendMessage(json.dumps(["finish"]))]

    def receive(self, event):
        if not isinstance(event, MessageReceived):
            return super().receive(event)
        self._has_begun = True
        if not event.is_text:
            return [AudioData(event.data)]
        word, *rest = json.loads(event.data)
        if word == "turn":
            self._turns += 1
            return [Facts(usage={"turns": self._turns}), TurnEnded()]
        if word == "end":
            return [Finished()]
        return [Failed(ProviderUnavailable(*rest))] if word == "fail" else []


class Peer:
    """
    The server's side of one connection.

    Attributes:
        number: Of this connection, from 0.
        got: The words that came.
    """

    def __init__(self, connection, number):
        self._connection = connection
        self.number = number
        self.got = []

    def read(self):
        """Return the next words; an end of the connection ends the script."""
        words = json.loads(self._connection.recv(timeout=LIMIT_S))
        self.got.append(words)
        return words

    def read_until(self, word):
        while self.read()[0] != word:
            pass
        return self.text

    @property
    def text(self):
        return "".join(words[1] for words in self.got if words[0] == "text")

    def say(self, text):
        self._connection.send(samples_of(text))

    def tell(self, *words):
        self._connection.send(json.dumps(words))

    def close(self, code, reason=""):
        self._connection.close(code, reason)

    def cut(self):
        self._connection.socket.close()

    def until_left(self):
        while True:
            self.read()


class Server:
    """
    Runs a script for each connection.

    Attributes:
        peers: The connections, in order.
        left: A number for each connection whose client has left.
        arrived: For a script to set, and for its test to wait on.
    """

    def __init__(self):
        self.peers = []
        self.left = queue.Queue()
        self.failures = []
        self.arrived = threading.Event()
        self._server = self._thread = None

    def run(self, script):
        def handle(connection):
            peer = Peer(connection, len(self.peers))
            self.peers.append(peer)
            try:
                script(peer)
                peer.until_left()
            except (ConnectionClosed, OSError):
                pass
            except BaseException as failure:
                self.failures.append(failure)
                raise
            finally:
                self.left.put(peer.number)

        self._server = serve(handle, "127.0.0.1", 0, compression=None, close_timeout=0.1)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/"

    def has_arrived(self):
        assert self.arrived.wait(LIMIT_S)

    def until_text(self, peer):
        """Say, as a script, that text has come."""
        peer.read_until("text")
        self.arrived.set()

    def one_left(self):
        return self.left.get(timeout=LIMIT_S)

    def close(self):
        if self._server is not None:
            self._server.shutdown()
            self._thread.join(LIMIT_S)
        assert not self.failures


@pytest.fixture
def server():
    """A server that is closed after the test."""
    server = Server()
    yield server
    server.close()


class Adapted:
    """A client or session of the sync face, with the calls of the async one."""

    def __init__(self, thing):
        self._thing = thing

    def __getattr__(self, name):
        value = getattr(self._thing, name)
        if name == "session":
            return lambda *args, **wishes: Adapted(value(*args, **wishes))
        if name not in CALLS:
            return value

        async def call(*args, **wishes):
            return value(*args, **wishes)

        return call

    async def __aenter__(self):
        self._thing.__enter__()
        return self

    async def __aexit__(self, *error):
        self._thing.__exit__(*error)

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return next(self._thing)
        except StopIteration:
            raise StopAsyncIteration from None


class Beside:
    """A coroutine in a thread."""

    def __init__(self, coroutine):
        self._coroutine = coroutine
        self._value = self._error = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self._value = run_blocking(self._coroutine)
        except Exception as error:  # noqa: BLE001 - result raises it
            self._error = error

    async def result(self):
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._value


class BesideTask:
    """A coroutine in a task."""

    def __init__(self, coroutine):
        self._task = asyncio.get_running_loop().create_task(coroutine)

    async def result(self):
        return await self._task


class World:
    """One of the two faces, with a client of a provider at an address."""

    def __init__(self, name):
        self.name = name
        self.is_async = name == "async"

    def run(self, url, body, **values):
        return (
            asyncio.run(self._run(url, body, values))
            if self.is_async
            else run_blocking(self._run(url, body, values))
        )

    async def _run(self, url, body, values):
        values = {
            "base_url": url,
            "registry": provider(),
            "settings": Settings(),
            "retry": Retry(attempts=2),
            "timeouts": Timeouts(
                connect_s=LIMIT_S, first_audio_s=LIMIT_S, between_chunks_s=LIMIT_S
            ),
            **values,
        }
        make = AsyncClient if self.is_async else lambda *a, **k: Adapted(Client(*a, **k))
        async with make("fake", **values) as client:
            result = await body(client)
        if self.is_async:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if left:  # the library's own end in their next turn
                await asyncio.wait(left, timeout=LIMIT_S)
            assert all(task.done() for task in left)
        return result

    def beside(self, coroutine):
        return BesideTask(coroutine) if self.is_async else Beside(coroutine)

    async def until(self, wait):
        """Wait for what the server's thread does, without keeping others from running."""
        return await asyncio.to_thread(wait) if self.is_async else wait()

    async def close(self, session):
        await (session.aclose() if self.is_async else session.close())


@pytest.fixture(params=["sync", "async"])
def world(request):
    """Either face; no thread of it outlives the test."""
    before = set(threading.enumerate())
    yield World(request.param)
    gc.collect()
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(LIMIT_S)
    assert not [thread for thread in left if thread.is_alive()]


def provider():
    fake = FakeProvider(capabilities=attrs.evolve(FAKE_CAPABILITIES, stream_in=yes()))

    class Duplex(Synthesizer):
        def exchange(self, request):
            raise NotImplementedError

        def session(self, request):
            return WordExchange(self.config, request)

    fake.info = attrs.evolve(fake.info, synthesizer=Duplex)
    return fake.registry()


async def read(session):
    return [chunk async for chunk in session]


def data_of(chunks):
    return b"".join(chunk.data for chunk in chunks)


async def read_bytes(session, text):
    data = b""
    while len(data) < len(samples_of(text)):
        data += (await anext(session)).data
    assert data == samples_of(text)


# Speaking


def test_nothing_is_waited_for(world, server):
    """All of the text is sent before the server has answered anything."""

    def script(peer):
        peer.read_until("finish")
        peer.say(peer.text)
        peer.tell("turn")
        peer.tell("end")

    async def body(client):
        async with client.session() as session:
            assert not any("emulated" in word for word in session.plan.warnings)
            for word in ("One ", "two ", "three."):
                await session.send(word)
            await session.finish()
            return await read(session), session.report

    chunks, report = world.run(server.run(script), body)
    assert data_of(chunks) == samples_of("One two three.")
    assert server.peers[0].got == [
        ["hello"],
        ["text", "One "],
        ["text", "two "],
        ["text", "three."],
        ["finish"],
    ]
    assert (report.end, report.usage, report.characters) == (End.COMPLETE, {"turns": 1.0}, 14)


def test_turns(world, server):
    """Several turns follow each other in one session, on one connection."""

    def script(peer):
        for _ in range(2):
            peer.got.clear()
            peer.say(peer.read_until("flush"))
            peer.tell("turn")
        peer.read_until("finish")
        peer.tell("end")

    async def body(client):
        async with client.session() as session:
            for text in ("One.", "Two."):
                await session.send(text)
                await session.flush()
                await read_bytes(session, text)
            await session.finish()
            assert await read(session) == []
            return session.report

    assert world.run(server.run(script), body).usage == {"turns": 2.0}
    assert len(server.peers) == 1


def test_a_giver_beside_a_reader(world, server):
    """One gives text while another waits for audio, and each piece is answered at once."""

    def script(peer):
        while (words := peer.read())[0] != "finish":
            if words[0] == "text":
                peer.say(words[1])
        peer.tell("end")

    async def body(client):
        async with client.session() as session:
            reading = world.beside(read(session))
            for number in range(50):
                await session.send(f"{number} ")
            await session.finish()
            return await reading.result()

    expected = "".join(f"{number} " for number in range(50))
    assert data_of(world.run(server.run(script), body)) == samples_of(expected)


def test_a_source(world, server):
    """Text comes from a source, which is read while audio comes."""
    go_on = threading.Event()

    def source():
        yield "One. "
        assert go_on.wait(LIMIT_S)
        yield "Two."

    async def async_source():
        yield "One. "
        await asyncio.to_thread(go_on.wait, LIMIT_S)
        yield "Two."

    def script(peer):
        while (words := peer.read())[0] != "finish":
            if words[0] == "text":
                peer.say(words[1])
        peer.tell("end")

    async def body(client):
        async with client.session(async_source() if world.is_async else source()) as session:
            await read_bytes(session, "One. ")
            go_on.set()
            return data_of(await read(session))

    assert world.run(server.run(script), body) == samples_of("Two.")


def test_clear(world, server):
    """What the giver clears is told to the server."""

    def script(peer):
        peer.read_until("finish")
        peer.tell("end")

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            await session.clear()
            await session.finish()
            return await read(session)

    assert world.run(server.run(script), body) == []
    assert server.peers[0].got[1:] == [["text", "One."], ["clear"], ["finish"]]


# Limits and failures


def test_a_silent_server(world, server):
    """A server that says nothing for a text is an error once the limit has passed."""

    async def body(client):
        async with client.session() as session:
            reading = world.beside(read(session))
            await session.send("One.")
            with pytest.raises(TimedOut) as caught:
                await reading.result()
        return caught.value

    limits = Timeouts(first_audio_s=0.05, between_chunks_s=0.05)
    error = world.run(server.run(lambda peer: None), body, timeouts=limits)
    assert (error.phase, error.provider) == ("first_audio", "fake")
    assert server.one_left() == 0


@pytest.mark.parametrize("code", [1000, 1008, 1011])
def test_closed_before_the_end(world, server, code):
    """A peer that closes before the end is an error with its code and reason, after the audio."""

    def script(peer):
        peer.read_until("flush")
        peer.say("One.")
        peer.close(code, "no more")

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            await session.flush()
            await read_bytes(session, "One.")
            with pytest.raises(ConnectionLost, match=rf"{code}.*no more") as caught:
                await read(session)
            with pytest.raises(StreamStateError):
                await session.send("Two.")
        return caught.value

    error = world.run(server.run(script), body)
    assert error.close_code == code
    assert error.audio_delivered_s == pytest.approx(4 * 80 / 16_000)
    assert len(server.peers) == 1


def test_cut_after_text_was_taken(world, server):
    """A connection cut after text was taken is an error, and nothing is sent twice."""

    def script(peer):
        peer.read_until("flush")
        peer.tell("begun")
        peer.cut()

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            await session.flush()
            with pytest.raises(ConnectionLost):
                await read(session)

    world.run(server.run(script), body)
    assert len(server.peers) == 1


@pytest.mark.parametrize("when", ["idle", "given"])
def test_closed_before_text_was_taken(world, server, when):
    """A session closed before any text was taken is opened again, the text sent exactly once."""

    def script(peer):
        if peer.number == 0:
            if when == "given":
                peer.read_until("flush")
            peer.close(1001, "idle")
            return
        peer.say(peer.read_until("flush"))
        peer.read_until("finish")
        peer.tell("end")

    async def body(client):
        async with client.session() as session:
            if when == "idle":
                await world.until(server.one_left)
            await session.send("One.")
            await session.flush()
            await read_bytes(session, "One.")
            await session.finish()
            assert await read(session) == []
            return session.report

    report = world.run(server.run(script), body)
    assert report.warnings[-1] == "attempt 2 after ConnectionLost"
    assert server.peers[1].got == [["hello"], ["text", "One."], ["flush"], ["finish"]]
    assert len(server.peers) == 2


def test_an_error_of_the_provider(world, server):
    """What the provider says is wrong reaches the reader, and the connection is left."""

    def script(peer):
        peer.read_until("flush")
        peer.tell("fail", "no voice today")

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            await session.flush()
            with pytest.raises(ProviderUnavailable, match="no voice today"):
                await read(session)
            await world.until(server.one_left)

    world.run(server.run(script), body)


def test_nobody_there(world):
    """A session that finds nobody raises when it is entered."""

    async def body(client):
        with pytest.raises(ConnectFailed) as caught:
            async with client.session():
                pass
        return caught.value

    error = world.run("ws://127.0.0.1:9/", body)
    assert (error.provider, error.model) == ("fake", "one")


# Interruption


def test_interrupt_while_a_reader_waits(world, server):
    """The server sees its connection end; the reader, which waited, gets later text only."""

    def script(peer):
        text = peer.read_until("flush")
        if peer.number == 0:
            peer.say("One. ")
            server.arrived.set()
            return
        peer.say(text)
        peer.read_until("finish")
        peer.tell("end")

    async def body(client):
        async with client.session() as session:
            await session.send("One. Two.")
            await session.flush()
            await read_bytes(session, "One. ")
            reading = world.beside(read(session))
            told = await session.interrupt()
            assert await world.until(server.one_left) == 0
            await session.send("Three.")
            await session.flush()
            await session.finish()
            return told, await reading.result()

    told, chunks = world.run(server.run(script), body)
    assert (told.sent_chars, told.spoken_chars) == (9, None)
    assert told.audio_s == pytest.approx(5 * 80 / 16_000)
    assert data_of(chunks) == samples_of("Three.")
    assert chunks[0].start_s == pytest.approx(told.audio_s)


def test_interrupt_a_stream_of_audio(world, server):
    """No chunk is handed out after an interruption but of later text, however much is coming."""

    def script(peer):
        peer.read_until("flush")
        if peer.number == 0:
            while True:
                peer.say("x" * 20)
        peer.say("Two.")
        peer.read_until("finish")
        peer.tell("end")

    interrupted = threading.Event()

    async def body(client):
        async with client.session() as session:

            async def listen():
                # What was in hand when the interruption returned is not handed out after it.
                late = b""
                async for chunk in session:
                    if interrupted.is_set():
                        late += chunk.data
                    elif not server.arrived.is_set():
                        server.arrived.set()
                return late

            await session.send("One.")
            await session.flush()
            reading = world.beside(listen())
            await world.until(server.has_arrived)
            await session.interrupt()
            interrupted.set()
            await session.send("Two.")
            await session.flush()
            await session.finish()
            return await reading.result()

    late = world.run(server.run(script), body)
    # In threads one chunk may be on its way out of the call while the flag is set.
    assert late.endswith(samples_of("Two."))
    assert len(late) <= len(samples_of("Two.")) + (
        0 if world.is_async else len(samples_of("x" * 20))
    )


def test_interrupt_twice(world, server):
    """A session is interrupted as often as one likes; each time its connection is cut."""

    def script(peer):
        peer.say(peer.read_until("flush"))

    async def body(client):
        async with client.session() as session:
            for number in range(3):
                await session.send(f"{number}.")
                await session.flush()
                await read_bytes(session, f"{number}.")
                await session.interrupt()
            await session.interrupt()
        return [await world.until(server.one_left) for _ in range(5)]

    assert sorted(world.run(server.run(script), body)) == [0, 1, 2, 3, 4]


# Leaving


def test_close_while_a_reader_waits(world, server):
    """A session closed beside a reader that waits lets it go, and the server sees it left."""

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            reading = world.beside(read(session))
            await world.until(server.has_arrived)
            await world.close(session)
            assert await reading.result() == []
            assert await world.until(server.one_left) == 0
            return session.report

    assert world.run(server.run(server.until_text), body).end is End.CANCELLED


def test_leaving_under_a_stream_of_audio(world, server):
    """Leaving cuts the connection at once: a server that keeps sending sees it end."""

    def script(peer):
        peer.read_until("flush")
        while True:
            peer.say("x" * 50)

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            await session.flush()
            await anext(session)
        assert await world.until(server.one_left) == 0

    world.run(server.run(script), body)


def test_a_cancelled_reader(server):
    """A reader's task that is cancelled leaves neither task nor connection."""

    async def body(client):
        async with client.session() as session:
            await session.send("One.")
            reading = asyncio.create_task(read(session))
            await asyncio.to_thread(server.has_arrived)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert await asyncio.to_thread(server.one_left) == 0

    World("async").run(server.run(server.until_text), body)


# Opened ahead


def echo(peer):
    peer.say(peer.read_until("flush"))
    peer.read_until("finish")
    peer.tell("end")


async def speak(session, text):
    await session.send(text)
    await session.flush()
    await session.finish()
    return data_of(await read(session))


def test_opened_ahead(world, server):
    """A session opened ahead is used by the next with the same wishes, once, and by no other."""

    async def body(client):
        assert await client.prewarm() is True
        await world.until(server.has_arrived)
        for wishes in ({"rate": 1.5}, {}, {}):
            async with client.session(**wishes) as session:
                assert await speak(session, "One.") == samples_of("One.")

    def script(peer):
        peer.read()
        server.arrived.set()
        echo(peer)

    world.run(server.run(script), body)
    assert [peer.text for peer in server.peers] == ["One."] * 3
    assert len(server.peers) == 3


def test_opened_ahead_and_closed_by_the_server(world, server):
    """A session the server closed meanwhile is discarded or opened again: no text is lost."""

    def script(peer):
        if peer.number == 0:
            peer.read()
            peer.close(1001, "idle")
        else:
            echo(peer)

    async def body(client):
        await client.prewarm()
        await world.until(server.one_left)
        async with client.session() as session:
            return await speak(session, "One.")

    assert world.run(server.run(script), body) == samples_of("One.")
    assert [peer.text for peer in server.peers] == ["", "One."]


def test_closing_the_client(world, server):
    """A client that is closed closes what it opened ahead."""

    async def body(client):
        await client.prewarm()

    world.run(server.run(lambda peer: None), body)
    assert server.one_left() == 0
