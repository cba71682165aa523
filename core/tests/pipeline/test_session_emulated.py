"""Sessions with a provider that takes a text whole, in both faces."""

import asyncio
import gc
import itertools
import threading
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce import (
    AsyncClient,
    CapabilityError,
    Client,
    EngineFailed,
    InvalidValue,
    ProviderUnavailable,
    StreamStateError,
)
from vivavoce.audio.convert import decode
from vivavoce.authoring import AudioData, Exchange, Facts, Finished, LocalCall, Synthesizer
from vivavoce.model.card import Price
from vivavoce.model.report import End
from vivavoce.model.timing import Mark
from vivavoce.pipeline.retry import Retry
from vivavoce.pipeline.session import _AHEAD
from vivavoce.settings import Settings, Timeouts
from vivavoce.testing import SAMPLES_PER_CHARACTER, FakeProvider, samples_of
from vivavoce.transport.base import run_blocking

LIMIT_S = 10.0
TEXT = "Hello there. This is the second! And is that a third? Yes"
SENTENCES = ["Hello there. ", "This is the second! ", "And is that a third? ", "Yes"]
CALLS = {"send", "flush", "clear", "finish", "interrupt", "close"}


class Session:
    """A session of either face, with the async face's calls."""

    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        value = getattr(self._session, name)
        if name not in CALLS:
            return value

        async def call(*args):
            return value(*args)

        return call

    async def __aenter__(self):
        self._session.__enter__()
        return self

    async def __aexit__(self, *error):
        self._session.__exit__(*error)

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return next(self._session)
        except StopIteration:
            raise StopAsyncIteration from None


class SyncWorld:
    name = "sync"

    def __init__(self):
        self._clients = []

    def run(self, body):
        return run_blocking(body())

    def client(self, fake, **values):
        self._clients.append(Client(fake.info.name, **given_to(fake, values)))
        return self._clients[-1]

    def session(self, client, *source, **wishes):
        return Session(client.session(*source, **wishes))

    def beside(self, coroutine):
        return Beside(coroutine)

    async def wait(self, event):
        assert event.wait(LIMIT_S)

    async def end(self):
        for client in self._clients:
            client.close()


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


class AsyncWorld:
    name = "async"

    def __init__(self):
        self._clients = []

    def run(self, body):
        async def run():
            async with asyncio.timeout(2 * LIMIT_S):
                value = await body()
            await self.end()
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert left == []
            return value

        return asyncio.run(run())

    def client(self, fake, **values):
        self._clients.append(AsyncClient(fake.info.name, **given_to(fake, values)))
        return self._clients[-1]

    def session(self, client, *source, **wishes):
        session = client.session(*source, **wishes)
        session.close = session.aclose
        return session

    def beside(self, coroutine):
        return BesideTask(coroutine)

    async def wait(self, event):
        assert await asyncio.to_thread(event.wait, LIMIT_S)

    async def end(self):
        for client in self._clients:
            await client.aclose()


class BesideTask:
    def __init__(self, coroutine):
        self._task = asyncio.get_running_loop().create_task(coroutine)

    async def result(self):
        return await self._task


def given_to(fake, values):
    return {
        "registry": fake.registry(*values.pop("plugins", ())),
        "settings": Settings(),
        "retry": Retry(attempts=1),
        "timeouts": Timeouts(first_audio_s=LIMIT_S, between_chunks_s=LIMIT_S),
        **values,
    }


@pytest.fixture(params=[SyncWorld, AsyncWorld], ids=["sync", "async"])
def world(request, caplog):
    """Either face; nothing of it is left when the test has ended, nor was waited for in vain."""
    before = set(threading.enumerate())
    world = request.param()
    yield world
    if world.name == "sync":
        run_blocking(world.end())
    gc.collect()
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(LIMIT_S)
    assert not [thread for thread in left if thread.is_alive()]
    assert "did not" not in caplog.text


async def read_into(chunks, session):
    async for chunk in session:
        chunks.append(chunk)


async def read(session):
    return [chunk async for chunk in session]


async def read_bytes(session, count):
    chunks = []
    while len(data_of(chunks)) < count:
        chunks.append(await anext(session))
    return chunks


def data_of(chunks):
    return b"".join(chunk.data for chunk in chunks)


def requested(fake):
    return [request.text for request in fake.requests]


def gated(events, entered=None):
    """Return a provider that waits, for each text it has an event for, before it speaks."""

    def script(request):
        if entered is not None and request.text in entered:
            entered[request.text].set()
        if request.text in events:
            yield events[request.text]
        yield samples_of(request.text)

    return FakeProvider(script)


# What is spoken


@settings(max_examples=30, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=12).map(sorted))
def test_any_cutting(cuts):
    """However the text is cut into pieces, each sentence is one request and none is lost."""
    fake = FakeProvider()
    borders = [0, *cuts, len(TEXT)]
    world = SyncWorld()
    with world.client(fake).session() as session:
        for begin, end in itertools.pairwise(borders):
            session.send(TEXT[begin:end])
        session.finish()
        assert data_of(session) == samples_of(TEXT)
    assert requested(fake) == SENTENCES
    run_blocking(world.end())


def test_speaks_the_whole(world):
    """Audio, report and plan are those of the whole text, and say that it was emulated."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            for character in TEXT:
                await session.send(character)
            await session.finish()
            chunks = await read(session)
            assert [chunk async for chunk in session] == []
        return chunks, session.report, session.plan

    chunks, report, plan = world.run(body)
    assert data_of(chunks) == samples_of(TEXT)
    assert (report.end, report.characters, report.segments) == (End.COMPLETE, len(TEXT), 4)
    assert report.audio_s == pytest.approx(len(TEXT) * SAMPLES_PER_CHARACTER / 16_000)
    assert 0 < report.ttfa_s <= report.total_s
    assert any(word.startswith("stream_in: emulated") for word in report.warnings)
    assert any(word.startswith("stream_in: emulated") for word in plan.warnings)


def test_marks_index_the_whole(world):
    """Marks and chunks are placed in the whole text and time, across flush and clear too."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One two. Three ")
            await session.flush()
            heard = await read_bytes(session, len(samples_of("One two. Three ")))
            await session.send("more ")
            await session.flush()
            heard += await read_bytes(session, len(samples_of("more ")))
            await session.send("dropped")
            await session.clear()
            await session.send("four. Five six")
            await session.finish()
            return heard + await read(session)

    chunks = world.run(body)
    text = "One two. Three more droppedfour. Five six"
    marks = [mark for chunk in chunks for mark in chunk.marks]
    said = [text[mark.text_start : mark.text_end] for mark in marks]
    assert said == ["One", "two.", "Three", "more", "four.", "Five", "six"]
    at_s = 0.0
    for chunk in chunks:
        assert chunk.start_s == pytest.approx(at_s)
        at_s += len(chunk.data) / 2 / 16_000
    spoken = text.replace("dropped", "")
    expected = [spoken.index(word) * SAMPLES_PER_CHARACTER / 16_000 for word in said]
    assert [mark.start_s for mark in marks] == pytest.approx(expected)


def test_marks_behind_the_last_audio(world):
    """Marks that come after the last audio are given with the end."""
    mark = Mark(kind="word", start_s=0.0, end_s=99.0, text_start=0, text_end=4)
    fake = FakeProvider(lambda request: [samples_of(request.text), mark])

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two.")
            await session.finish()
            return await read(session)

    chunks = world.run(body)
    marks = [mark for chunk in chunks for mark in chunk.marks]
    assert [(mark.text_start, mark.text_end) for mark in marks] == [(0, 4), (5, 9)]
    assert [mark.end_s for mark in marks] == pytest.approx([0.025, 0.045])
    assert data_of(chunks) == samples_of("One. Two.")


@pytest.mark.parametrize("format_", ["wav", "mulaw"])
def test_one_container(world, format_):
    """A container is begun once for the whole session; its audio is that of the whole text."""
    fake = FakeProvider()
    if format_ == "mulaw":
        pytest.importorskip("numpy")

    async def body():
        async with world.session(world.client(fake), format=format_) as session:
            await session.send(TEXT)
            await session.finish()
            return await read(session)

    data = data_of(world.run(body))
    assert data.count(b"RIFF") == (format_ == "wav")
    if format_ == "wav":
        assert data.endswith(samples_of(TEXT))
    else:
        assert len(data) == len(samples_of(TEXT)) // 2


def test_one_container_through_an_interruption(world):
    """A container goes on after an interruption; it does not begin again."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake), format="wav") as session:
            await session.send("One.")
            await session.flush()
            heard = [await anext(session)]
            await session.interrupt()
            await session.send("Two.")
            await session.finish()
            return data_of(heard + await read(session))

    data = world.run(body)
    assert data.count(b"RIFF") == 1
    assert data.endswith(samples_of("Two."))


def test_a_container_that_is_ended(world):
    """What an encoder holds back comes at the end."""
    pytest.importorskip("soundfile")
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake), format="flac") as session:
            await session.send(TEXT)
            await session.finish()
            return data_of(await read(session))

    _, samples = decode(world.run(body))
    assert samples == samples_of(TEXT)


def test_audio_before_the_text_ends(world):
    """Audio of a whole sentence comes while the text goes on."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. T")
            heard = (await anext(session)).data
            await session.send("wo.")
            await session.finish()
            return heard + data_of(await read(session))

    assert world.run(body) == samples_of("One. Two.")


def test_flush(world):
    """An unfinished sentence is spoken when it is flushed."""
    fake = FakeProvider(lambda request: [samples_of(request.text)])

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One")
            await session.flush()
            await session.flush()
            heard = (await anext(session)).data
            await session.send("two")
            await session.finish()
            await session.finish()
            return heard + data_of(await read(session))

    assert world.run(body) == samples_of("Onetwo")
    assert requested(fake) == ["One", "two"]


def test_clear(world):
    """What has not begun is dropped; what is being spoken goes on."""
    entered, go_on = threading.Event(), threading.Event()
    fake = gated({"One. ": go_on}, {"One. ": entered})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two. Thr")
            await world.wait(entered)
            await session.clear()
            go_on.set()
            await session.send("Four.")
            await session.finish()
            return await read(session)

    assert data_of(world.run(body)) == samples_of("One. Four.")


@pytest.mark.parametrize("text", ["", "...", " \n "])
def test_nothing_to_speak(world, text):
    """A session with nothing to speak ends without audio, request or error."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send(text)
            await session.flush()
            await session.send(text)
            await session.finish()
            return await read(session), session.report

    chunks, report = world.run(body)
    assert (chunks, report.end, report.cost) == ([], End.COMPLETE, None)
    assert report.ttfa_s is None
    assert fake.requests == []


# Both at once


def test_the_next_is_made_while_the_last_is_heard(world):
    """The next request is begun while the last one's audio is still being read."""
    entered = threading.Event()
    fake = gated({}, {"Two.": entered})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two.")
            await session.finish()
            first = await anext(session)
            await world.wait(entered)
            return first.data + data_of(await read(session))

    assert world.run(body) == samples_of("One. Two.")


def test_a_giver_beside_a_reader(world):
    """One gives text while another reads."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            reading = world.beside(read(session))
            for word in TEXT.split(" "):
                await session.send(word + " ")
            await session.finish()
            return await reading.result()

    assert data_of(world.run(body)) == samples_of(TEXT + " ")


def test_a_slow_reader(world):
    """What is made ahead of a reader that does not read is bounded, and nothing is lost."""
    text = "".join(f"Sentence {n}. " for n in range(4 * _AHEAD))
    full = threading.Event()
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send(text)
            await session.finish()
            put = session._run if world.name == "async" else session._session._run
            original = put._line.items.put

            async def noting(item):
                if put._line.items.is_full:
                    full.set()
                return await original(item)

            put._line.items.put = noting
            await world.wait(full)
            made = len(fake.requests)
            return made, data_of(await read(session))

    made, data = world.run(body)
    assert made <= _AHEAD
    assert data == samples_of(text)


def test_a_source_is_not_read_ahead_of_a_reader(world):
    """A source without end is not read further than what waits to be spoken."""
    taken = []
    stuck = threading.Event()

    def source():
        while True:
            taken.append("One. ")
            yield "One. "

    def script(request):
        stuck.set()
        yield never
        yield samples_of(request.text)

    never = threading.Event()
    fake = FakeProvider(script)

    async def body():
        async with world.session(world.client(fake), source()) as session:
            await world.wait(stuck)
            run = session._run if world.name == "async" else session._session._run
            for _ in range(1000):
                if len(run._line.sentences) >= _AHEAD:
                    break
                await world.wait(stuck)
            return len(taken)

    assert world.run(body) <= _AHEAD + 3


def test_one_reader():
    """A second reader beside one that waits is refused."""
    go_on, world = threading.Event(), AsyncWorld()

    async def body():
        async with world.client(gated({"One.": go_on})).session() as session:
            await session.send("One.")
            await session.finish()
            reading = asyncio.create_task(read(session))
            await asyncio.sleep(0)  # so that it waits
            with pytest.raises(StreamStateError, match="one reader"):
                await anext(session)
            go_on.set()
            return data_of(await reading)

    assert world.run(body) == samples_of("One.")


# Interruption


def test_interrupt(world):
    """After an interruption only later text is heard; it is told what had been spoken."""
    entered, never = threading.Event(), threading.Event()
    fake = gated({"Two. ": never}, {"Two. ": entered})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two. Thr")
            first = await anext(session)
            reading = world.beside(anext_or_none(session))
            await world.wait(entered)
            told = await session.interrupt()
            await session.send("Four. Five.")
            await session.finish()
            after = await reading.result()
            rest = [after, *await read(session)]
            return first, told, rest, session.report

    first, told, rest, report = world.run(body)
    assert first.data == samples_of("One. ")
    assert (told.sent_chars, told.spoken_chars) == (13, 5)
    assert told.audio_s == pytest.approx(5 * SAMPLES_PER_CHARACTER / 16_000)
    assert data_of(rest) == samples_of("Four. Five.")
    assert rest[0].start_s == pytest.approx(told.audio_s)
    assert report.end is End.COMPLETE
    assert report.audio_s == pytest.approx(16 * SAMPLES_PER_CHARACTER / 16_000)


async def anext_or_none(session):
    async for chunk in session:
        return chunk
    return None


def test_interrupt_in_a_sentence(world):
    """Of a sentence broken off in the middle no character counts as spoken, its audio does."""
    never, third = threading.Event(), samples_of("x") * 100

    def script(request):
        yield third
        if request.text == "One.":
            yield never
            yield third

    fake = FakeProvider(script)

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One.")
            await session.flush()
            first = await anext(session)
            told = await session.interrupt()
            again = await session.interrupt()
            await session.send("Two.")
            await session.finish()
            return first, told, again, await read(session), session.report

    first, told, again, rest, report = world.run(body)
    assert (told.spoken_chars, told.sent_chars, told.audio_s) == (0, 4, 0.5)
    assert again == told
    assert first.data == data_of(rest) == third
    assert rest[0].start_s == 0.5
    assert report.audio_s == 1.0


def test_marks_after_an_interruption(world):
    """Marks of later text index all the text there was, and all that was heard."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Tw")
            await read_bytes(session, len(samples_of("One. ")))
            told = await session.interrupt()
            await session.send("Three.")
            await session.finish()
            return told, await read(session)

    told, chunks = world.run(body)
    (mark,) = [mark for chunk in chunks for mark in chunk.marks]
    assert (mark.text_start, mark.text_end) == (7, 13)
    assert mark.start_s == pytest.approx(told.audio_s)


def test_all_was_spoken(world):
    """A sentence whose audio was handed out whole counts as spoken before more is asked for."""
    second = threading.Event()
    fake = gated({}, {"Two. ": second})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two. T")
            await anext(session)
            await world.wait(second)  # so the first is made
            return await session.interrupt(), await session.interrupt()

    first, second_told = world.run(body)
    assert first.spoken_chars == 5
    assert second_told == first


def test_closed_just_before_an_interruption(world):
    """An interruption that finds the session closed begins nothing that nobody would end."""

    class Late:
        """A lock before which another closes the session."""

        def __init__(self, run):
            self._run, self._lock = run, run._lock

        def __enter__(self):
            self._run._lock = self._lock
            self._run._is_closed = True
            self._lock.acquire()

        def __exit__(self, *_error):
            self._lock.release()

    async def body():
        async with world.session(world.client(FakeProvider())) as session:
            run = session._run if world.name == "async" else session._session._run
            line = run._line
            run._lock = Late(run)
            with pytest.raises(StreamStateError, match="over"):
                await session.interrupt()
            assert run._line is line
            run._is_closed = False

    world.run(body)


def test_text_after_finish_and_interrupt(world):
    """A finished session that is interrupted takes text again."""
    never = threading.Event()
    fake = gated({"One.": never})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One.")
            await session.finish()
            await session.interrupt()
            await session.send("Two.")
            await session.finish()
            return data_of(await read(session))

    assert world.run(body) == samples_of("Two.")


def test_nothing_more_is_made_after_leaving(world):
    """Sentences that wait when a session is interrupted or closed are never asked for."""
    entered, never = threading.Event(), threading.Event()
    fake = gated({"One. ": never}, {"One. ": entered})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two. Three. Four. ")
            await world.wait(entered)
            await session.interrupt()
            entered.clear()
            await session.send("One. Five. Six. ")
            await world.wait(entered)
        return session.report

    assert world.run(body).end is End.CANCELLED
    assert requested(fake) == ["One. ", "One. "]


# Failures


def test_a_request_fails(world):
    """The error of a request comes after the audio before it, with its context, and ends all."""
    broken = ProviderUnavailable("It broke.")
    fake = FakeProvider(
        lambda request: [broken] if "Two" in request.text else [samples_of(request.text)]
    )

    async def body():
        chunks = []
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two. Three.")
            with pytest.raises(ProviderUnavailable, match="It broke") as caught:
                await read_into(chunks, session)
            with pytest.raises(StreamStateError, match="over"):
                await session.send("Four.")
            assert await read(session) == []
        return chunks, caught.value, session.report

    chunks, error, report = world.run(body)
    assert data_of(chunks) == samples_of("One. ")
    assert (error.provider, error.model) == ("fake", "one")
    assert error.audio_delivered_s == pytest.approx(5 * SAMPLES_PER_CHARACTER / 16_000)
    assert report.end is End.FAILED
    assert requested(fake) == ["One. ", "Two. "]


def test_an_engine_breaks(world):
    """An engine that raises anything else is an error of the tree."""
    fake = FakeProvider(lambda _request: [ValueError("odd")])

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One.")
            await session.finish()
            with pytest.raises(EngineFailed, match="odd"):
                await read(session)

    world.run(body)


def test_close_while_a_reader_waits(world):
    """A reader that waits when the session is closed finds its end."""
    entered, never = threading.Event(), threading.Event()
    fake = gated({"One.": never}, {"One.": entered})

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One.")
            await session.flush()
            reading = world.beside(read(session))
            await world.wait(entered)
            await session.close()
            assert await reading.result() == []
            await session.close()
        return session.report

    assert world.run(body).end is End.CANCELLED


def test_the_report_ends_with_the_session(world):
    """The time a session took does not grow after its end."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One.")
            await session.finish()
            await read(session)
            return session.report, session.report

    first, second = world.run(body)
    assert first == second


# What is refused


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", 3, None, b"One."])
def test_what_cannot_be_sent(world, text):
    """A piece that cannot be sent is refused, and the session goes on without it."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One, ")
            with pytest.raises(InvalidValue):
                await session.send(text)
            await session.send("two.")
            await session.finish()
            return data_of(await read(session))

    assert world.run(body) == samples_of("One, two.")


def test_the_last_text_cannot_be_cut(world):
    """A session whose last text cannot be sent is not finished, and goes on without it."""

    async def body():
        async with world.session(world.client(FakeProvider()), segment_chars=1) as session:
            with pytest.raises(InvalidValue, match="too small"):
                await session.send("e\u0301")
            with pytest.raises(InvalidValue, match="too small"):
                await session.finish()
            await session.clear()
            await session.finish()
            return await read(session)

    assert world.run(body) == []


def test_calls_out_of_turn(world):
    """A session takes text between its opening and its finish or close, and is opened once."""
    fake = FakeProvider()

    async def body():
        session = world.session(world.client(fake))
        with pytest.raises(StreamStateError, match="Enter the session first"):
            await session.send("One.")
        with pytest.raises(StreamStateError, match="Enter the session first"):
            await read(session)
        async with session:
            with pytest.raises(StreamStateError, match="entered once"):
                await session.__aenter__()
            await session.finish()
            with pytest.raises(StreamStateError, match="takes no more text"):
                await session.send("One.")
        for call in (session.flush, session.clear, session.finish, session.interrupt):
            with pytest.raises(StreamStateError, match="closed"):
                await call()
        with pytest.raises(StreamStateError, match="closed"):
            await read(session)

    world.run(body)


def test_strict(world):
    """With strict=True a session that would be emulated is refused; so is SSML in any case."""
    fake = FakeProvider()

    async def body():
        with pytest.raises(CapabilityError) as caught:
            world.session(world.client(fake, strict=True))
        assert caught.value.capability == "stream_in"
        with pytest.raises(CapabilityError) as caught:
            world.session(world.client(fake), ssml=True)
        assert caught.value.capability == "ssml"

    world.run(body)
    assert fake.requests == []


def test_nothing_to_open_ahead(world):
    """There is nothing to open ahead; what a session would refuse is refused here too."""
    fake = FakeProvider()

    async def body():
        client = world.client(fake)

        async def prewarm(**wishes):
            warmed = client.prewarm(**wishes)
            return await warmed if world.name == "async" else warmed

        assert await prewarm() is False
        with pytest.raises(CapabilityError):
            await prewarm(ssml=True)

    world.run(body)


# Sources


@pytest.mark.parametrize("kind", [list, iter, tuple])
def test_a_source(world, kind):
    """An iterable of text is spoken, and its end is the session's."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake), kind([*TEXT, ""])) as session:
            chunks = await read(session)
            for call in (session.flush, session.finish, session.interrupt):
                with pytest.raises(StreamStateError, match="source"):
                    await call()
            with pytest.raises(StreamStateError, match="source"):
                await session.send("More.")
        return chunks, session.report

    chunks, report = world.run(body)
    assert data_of(chunks) == samples_of(TEXT)
    assert (report.end, report.characters) == (End.COMPLETE, len(TEXT))


def test_an_async_source():
    """An async iterable of text is spoken while it is still being made."""
    fake, world = FakeProvider(), AsyncWorld()
    more = asyncio.Event()

    async def source():
        yield "One. T"
        await more.wait()
        yield "wo."

    async def body():
        async with world.client(fake).session(source()) as session:
            first = await anext(session)
            more.set()
            return first.data + data_of(await read(session))

    assert world.run(body) == samples_of("One. Two.")


class Odd(BaseException):
    """No Exception."""


@pytest.mark.parametrize("error", [KeyError("mine"), InvalidValue("mine"), StreamStateError("m")])
def test_a_source_that_raises(world, error):
    """The error of a source reaches the reader as it is, and ends the session."""
    fake = FakeProvider()

    def source():
        yield "One"
        raise error

    async def body():
        async with world.session(world.client(fake), source()) as session:
            with pytest.raises(type(error)) as caught:
                await read(session)
        return caught.value

    assert world.run(body) is error


def test_a_source_that_raises_what_is_no_exception():
    """A source that ends by what is no exception ends the session: nobody waits for ever."""
    fake, world = FakeProvider(), SyncWorld()

    def source():
        yield "One"
        raise Odd

    with (
        world.client(fake).session(source()) as session,
        pytest.raises(StreamStateError, match="Odd") as caught,
    ):
        list(session)
    assert isinstance(caught.value.__cause__, Odd)
    run_blocking(world.end())


def test_a_source_that_is_cancelled():
    """A source whose own waiting was cancelled ends the session with an error."""
    fake, world = FakeProvider(), AsyncWorld()

    async def source():
        yield "One"
        raise asyncio.CancelledError

    async def body():
        async with world.client(fake).session(source()) as session:
            with pytest.raises(StreamStateError, match="CancelledError"):
                await read(session)

    world.run(body)


@pytest.mark.parametrize("piece", ["\ud800", 3, None])
def test_a_source_with_a_piece_that_cannot_be_sent(world, piece):
    """A piece of a source that cannot be sent is an error for the reader."""
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake), ["One", piece]) as session:
            with pytest.raises(InvalidValue):
                await read(session)

    world.run(body)


def test_a_failed_request_is_not_hidden_by_its_source(world):
    """The reader of a fed session gets the error of the request, not that of the giving."""
    fake = FakeProvider(lambda _request: [ProviderUnavailable("It broke.")])

    async def body():
        async with world.session(world.client(fake), ["One. "] * 500) as session:
            with pytest.raises(ProviderUnavailable, match="It broke"):
                await read(session)

    world.run(body)


def test_a_long_source(world):
    """A source of more sentences than may wait is read as they are spoken, to its end."""
    pieces = [f"Sentence {n}. " for n in range(3 * _AHEAD)]
    fake = FakeProvider()

    async def body():
        async with world.session(world.client(fake), pieces) as session:
            return data_of(await read(session))

    assert world.run(body) == samples_of("".join(pieces))


def test_leaving_a_source_that_waits(caplog):
    """A thread that waits in its source is not waited for when the session is left."""
    fake, world = FakeProvider(), SyncWorld()
    entered, let_go = threading.Event(), threading.Event()

    def source():
        yield "One. T"
        entered.set()
        let_go.wait(LIMIT_S)
        yield "wo."

    before = set(threading.enumerate())
    with world.client(fake).session(source()) as session:
        next(session)
        assert entered.wait(LIMIT_S)
    assert not let_go.is_set()
    feeders = set(threading.enumerate()) - before
    assert [thread.name for thread in feeders] == ["vivavoce-session-text"]
    assert "did not end" not in caplog.text
    let_go.set()
    for thread in feeders:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert requested(fake) == ["One. "]
    run_blocking(world.end())


def test_leaving_an_async_source_that_waits():
    """A source that waits when the session is left is cancelled, where it waits."""
    fake, world = FakeProvider(), AsyncWorld()
    ended = []

    async def source():
        try:
            yield "One. T"
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def body():
        async with world.client(fake).session(source()) as session:
            await anext(session)
        assert ended == [True]

    world.run(body)


def test_leaving_from_within_the_source():
    """A source may close the session it feeds."""
    fake, world = FakeProvider(), AsyncWorld()
    sessions = []

    async def source():
        yield "One. T"
        await sessions[0].aclose()

    async def body():
        async with world.client(fake).session(source()) as session:
            sessions.append(session)
            with pytest.raises(StreamStateError, match="closed"):
                await read_for_ever(session)

    world.run(body)


async def read_for_ever(session):
    while True:
        await read(session)


# What it adds up to


class Billed(Exchange):
    """Bills ten tokens a request, or nothing."""

    tokens = True

    def __init__(self, request):
        self.format = request.format
        self._text = request.text

    def open(self):
        return LocalCall(run=lambda sink: sink.audio(samples_of(self._text)) and None)

    def receive(self, event):
        outputs = list(super().receive(event))
        if self.tokens and outputs and isinstance(outputs[0], AudioData):
            facts = Facts(
                request_id=f"r-{self._text.strip()}",
                usage={"tokens": 10.0},
                warnings=("odd",),
                other={"where": self._text},
            )
            return [facts, *outputs]
        assert not outputs or isinstance(outputs[0], AudioData | Finished)
        return outputs


class Counted(Billed):
    tokens = False


def billed(exchange, unit):
    fake = FakeProvider()

    class Biller(Synthesizer):
        def exchange(self, request):
            return exchange(request)

    price = Price(unit=unit, amount=Decimal(2), per=10, currency="EUR")
    fake.info = attrs.evolve(fake.info, synthesizer=Biller)
    return fake.with_card(is_free=False, prices=(price,))


@pytest.mark.parametrize(
    ("exchange", "unit", "cost"), [(Billed, "tokens", 4), (Counted, "characters", "1.8")]
)
def test_the_report_sums(world, exchange, unit, cost):
    """The report sums what each request was billed, or would be by its text, and joins the rest."""
    fake = billed(exchange, unit)

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two.")
            await session.finish()
            await read(session)
            return session.report

    report = world.run(body)
    assert (report.cost, report.currency) == (Decimal(cost), "EUR")
    if exchange is Billed:
        assert report.usage == {"tokens": 20.0}
        assert report.request_ids == ("r-One.", "r-Two.")
        assert report.facts == {"where": ("One. ", "Two.")}
        assert report.warnings.count("odd") == 1


def test_what_was_broken_off_is_billed(world):
    """What was used by requests that were interrupted or never heard is in the report."""
    fake = billed(Billed, "tokens")

    async def body():
        async with world.session(world.client(fake)) as session:
            await session.send("One. Two.")
            await session.flush()
            first = await anext(session)
            await session.interrupt()
            await session.finish()
            assert await read(session) == []
        return first, session.report

    first, report = world.run(body)
    assert report.usage["tokens"] in (10.0, 20.0)
    assert report.audio_s == pytest.approx(len(first.data) / 2 / 16_000)


def test_cancelled_while_waiting():
    """A reader that is cancelled leaves the session as it was."""
    entered, let_go = threading.Event(), threading.Event()
    fake, world = gated({"One.": let_go}, {"One.": entered}), AsyncWorld()

    async def body():
        async with world.client(fake).session() as session:
            await session.send("One.")
            await session.finish()
            reading = asyncio.create_task(read(session))
            await world.wait(entered)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            let_go.set()
            return data_of(await read(session))

    assert world.run(body) == samples_of("One.")
