"""Realtime models through the client, against the emulator: both faces, real connections."""

import asyncio
import gc
import logging
import re

import pytest

from vivavoce import (
    AsyncClient,
    Client,
    ConnectionLost,
    CredentialError,
    NoAudio,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    Retry,
    Settings,
    TimedOut,
    Timeouts,
    TruncatedAudio,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce.transport.base import run_blocking
from vivavoce_qwen_emulator.faults import FAULTS
from vivavoce_qwen_emulator.testing import running_emulator

MODEL = "qwen3-tts-flash-realtime"
TEXT = "Hello there. How are you today?"
SENTENCES = ["Hello there. ", "How are you today?"]
# The space between sentences is not.
BILLED = float(sum(len(text.strip()) for text in SENTENCES))
COMMIT = {"options": {"mode": "commit"}}
BYTES_PER_S = 48_000.0
CALLS = {"send", "flush", "clear", "finish", "interrupt", "prewarm"}


class Adapted:
    """A client or session of the sync face, with the calls of the async one."""

    def __init__(self, thing):
        self._thing = thing

    def __getattr__(self, name):
        value = getattr(self._thing, name)
        if name == "session":
            return lambda *args, **wishes: Adapted(value(*args, **wishes))
        if name not in {*CALLS, "synthesize"}:
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


class Face:
    """One of the two faces; runs what is written for the async one."""

    def __init__(self, name, base_url, key):
        self.is_async = name == "async"
        self._given = {
            "api_key": key,
            "base_url": base_url,
            "settings": Settings(),
            "retry": Retry(attempts=1),
        }

    def run(self, body, model=MODEL, **values):
        """Return what *body* returns for a client; no task of it is left."""
        values = {**self._given, **values}

        async def run():
            make = AsyncClient if self.is_async else lambda *a, **k: Adapted(Client(*a, **k))
            async with make(f"qwen/{model}:Cherry", **values) as client:
                result = await body(client)
            if self.is_async:
                assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        return asyncio.run(run()) if self.is_async else run_blocking(run())


@pytest.fixture(params=["sync", "async"])
def face(request, emulator, key):
    return Face(request.param, emulator.base_url, key)


@pytest.fixture(scope="session")
def spoken():
    """Return what a text becomes by itself over HTTP, with the same voice."""
    known = {}
    given = {"api_key": "sk-made-up", "settings": Settings()}
    # An emulator of its own, so that nothing of this is among what a test's has received.
    with (
        running_emulator() as emulator,
        Client("qwen/qwen3-tts-flash:Cherry", base_url=emulator.base_url, **given) as client,
    ):

        def speak(text):
            if text not in known:
                known[text] = client.synthesize(text, options={"transport": "http"}).data
            return known[text]

        yield speak


async def read(session):
    return b"".join([chunk.data async for chunk in session])


async def read_bytes(session, count):
    """Read until there are *count* bytes; what is asked for exactly comes exactly."""
    data = b""
    while len(data) < count:
        data += (await anext(session)).data
    return data


async def say_all(session, *pieces):
    for piece in pieces:
        await session.send(piece)
    await session.finish()
    return await read(session)


def sent(received, kind):
    """Return the messages of a kind that the service got in a session."""
    return [message for message in received.messages if message["type"] == kind]


def sent_text(received):
    return "".join(message["text"] for message in sent(received, "input_text_buffer.append"))


# Speaking


def test_one_shot(face, emulator, spoken):
    """A text is spoken whole over a session, with the same bytes in both faces and over HTTP."""

    async def body(client):
        return await client.synthesize(TEXT)

    audio = face.run(body)
    (received,) = emulator.requests()
    assert audio.data == b"".join(map(spoken, (text.strip() for text in SENTENCES)))
    assert sent_text(received) == TEXT
    assert emulator.wait_for_end() in ("complete", "left")
    report = audio.report
    assert report.usage == {"characters": BILLED}
    assert (f"{report.cost:.6f}", report.currency) == ("0.003000", "CNY")
    assert len(report.request_ids) == 1
    assert audio.duration_s == len(audio.data) / BYTES_PER_S


@pytest.mark.parametrize("wishes", [{}, COMMIT], ids=["server_commit", "commit"])
def test_a_session(face, emulator, spoken, wishes):
    """Text given in pieces is spoken, by sentences or all at once as the mode has it."""

    async def body(client):
        async with client.session(**wishes) as session:
            data = await say_all(session, *re.findall(".{1,4}", TEXT))
            return data, session.report

    data, report = face.run(body)
    (received,) = emulator.requests()
    whole = [TEXT] if wishes else [text.strip() for text in SENTENCES]
    assert data == b"".join(map(spoken, whole))
    assert sent_text(received) == TEXT
    assert len(sent(received, "input_text_buffer.commit")) == len(wishes)
    assert (report.end, report.characters) == ("complete", len(TEXT))
    assert report.audio_s == pytest.approx(len(data) / BYTES_PER_S)
    assert report.usage == {"characters": float(sum(map(len, whole)))}


@pytest.mark.parametrize("wishes", [{}, COMMIT], ids=["server_commit", "commit"])
def test_flush(face, emulator, spoken, wishes):
    """What is flushed is heard before the session is finished, and the rest after it."""
    first, second = "Hello there", "how are you"

    async def body(client):
        async with client.session(**wishes) as session:
            await session.send(first)
            await session.flush()
            heard = await read_bytes(session, len(spoken(first)))
            (received,) = emulator.requests()
            assert not sent(received, "session.finish")
            return heard, await say_all(session, second)

    assert face.run(body) == (spoken(first), spoken(second))
    assert len(emulator.requests()) == 1


@pytest.mark.parametrize("wishes", [{}, COMMIT], ids=["server_commit", "commit"])
@pytest.mark.parametrize("heard", [0, 1, 3])
def test_interrupt(face, spoken, wishes, heard):
    """After an interruption exactly the new text is heard, and nothing of before."""

    async def body(client):
        async with client.session(**wishes) as session:
            await session.send("This is a rather long sentence that nobody wants to hear. More")
            await session.flush()
            before = [len((await anext(session)).data) for _ in range(heard)]
            told = await session.interrupt()
            assert told.audio_s == pytest.approx(sum(before) / BYTES_PER_S)
            return sum(before), await say_all(session, "Good night."), session.report

    before, data, report = face.run(body)
    assert data == spoken("Good night.")
    assert report.audio_s == pytest.approx((before + len(data)) / BYTES_PER_S)
    assert report.end == "complete"


def test_interrupt_and_finish(face, spoken):
    """A session that was finished takes text again once it is interrupted."""

    async def body(client):
        async with client.session() as session:
            await session.send(TEXT)
            await session.finish()
            await anext(session)
            await session.interrupt()
            return await say_all(session, "Good night.")

    assert face.run(body) == spoken("Good night.")


def test_a_source(face, spoken):
    """Text comes from a generator of each kind that a face takes; its end finishes the session."""
    pieces = ["Hello ", "there. How", " are you today?"]

    async def agenerator():
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece

    async def body(client):
        sources = [(piece for piece in pieces)]
        if face.is_async:
            sources.append(agenerator())
        heard = []
        for source in sources:
            async with client.session(source) as session:
                heard.append(await read(session))
        return heard

    expected = b"".join(spoken(text.strip()) for text in SENTENCES)
    assert face.run(body) == [expected] * (2 if face.is_async else 1)


def test_a_source_that_fails(face, emulator):
    """What a source raises is raised to the reader, and the session is cut."""

    def source():
        yield "Hello there. "
        raise ZeroDivisionError

    async def body(client):
        async with client.session(source()) as session:
            with pytest.raises(ZeroDivisionError):
                await read(session)

    face.run(body)
    assert emulator.wait_for_end() == "left"


# Opened ahead


def test_prewarm(face, emulator, spoken):
    """A session that was opened ahead is the next one's, once."""

    async def body(client):
        assert await client.prewarm()
        assert len(emulator.requests()) == 1
        texts = []
        for text in ("One.", "Two."):
            async with client.session() as session:
                texts.append(await say_all(session, text))
        return texts

    assert face.run(body) == [spoken("One."), spoken("Two.")]
    assert [sent_text(received) for received in emulator.requests()] == ["One.", "Two."]


def test_prewarmed_for_other_wishes(face, emulator, spoken):
    """A session that was opened ahead with other wishes is not used; it is closed at the end."""

    async def body(client):
        await client.prewarm(**COMMIT)
        async with client.session() as session:
            return await say_all(session, "One.")

    assert face.run(body) == spoken("One.")
    assert [sent_text(received) for received in emulator.requests()] == ["", "One."]
    assert emulator.wait_for_end(0) == "left"


@pytest.mark.parametrize("code", [1000, 1006, 1011])
def test_a_prewarmed_session_that_died(face, emulator, spoken, code):
    """One that died before it was asked for is replaced, and no text is lost or said twice."""
    emulator.fault("ws-close", code=code, after=1, of="events")

    async def body(client):
        await client.prewarm()
        if face.is_async:
            await asyncio.sleep(0)  # what was said goes out in the loop's next turn
        assert emulator.wait_for_end(0) in ("closed", "cut")
        async with client.session() as session:
            return await say_all(session, *SENTENCES), session.report

    data, report = face.run(body, retry=Retry(attempts=2))
    assert data == b"".join(spoken(text.strip()) for text in SENTENCES)
    assert [sent_text(received) for received in emulator.requests()] == ["", TEXT]
    assert report.usage == {"characters": BILLED}


@pytest.mark.parametrize("code", [1006, 1011])
def test_one_that_dies_as_it_is_used(face, emulator, spoken, code):
    """One that dies before the service took text is replaced, and the text is given again."""
    emulator.fault("ws-close", code=code, after=2, of="events")

    async def body(client):
        async with client.session() as session:
            return await say_all(session, *SENTENCES), session.report

    data, report = face.run(body, retry=Retry(attempts=2))
    assert data == b"".join(spoken(text.strip()) for text in SENTENCES)
    assert sent_text(emulator.requests()[-1]) == TEXT
    assert [warning[:9] for warning in report.warnings] == ["attempt 2"]


# What goes wrong

# Short where no audio can come. Else long enough for a machine that does much besides: what is
# expected is the audio up to the fault, however slowly it is made.
SOON = Timeouts(first_audio_s=0.4)
AFTER_AUDIO = Timeouts(between_chunks_s=2.0)
# Fault, its parameters, the error, and after how many pieces of audio of 0.1 s it comes.
FAILURES = [
    ("ws-silence", {"after": 0}, TimedOut, 0),
    ("ws-silence", {}, TimedOut, 0),
    ("ws-silence", {"after": 3, "of": "deltas"}, TimedOut, 3),
    ("ws-error", {}, ProviderUnavailable, 1),
    ("ws-error", {"after": 0, "of": "events"}, ProviderUnavailable, 0),
    ("ws-error", {"code": "InvalidParameter", "after": 2}, RequestRejected, 2),
    ("ws-error", {"older": True, "code": "Throttling.RateQuota"}, RateLimited, 1),
    ("ws-error", {"close": True, "after": 4}, ProviderUnavailable, 4),
    ("ws-close", {}, VivavoceError, 1),
    ("ws-close", {"code": 1000, "after": 3}, VivavoceError, 3),
    ("ws-close", {"code": 1013, "after": 2}, VivavoceError, 2),
    ("ws-close", {"code": 1006, "after": 2}, ConnectionLost, 2),
    ("ws-close", {"code": 1006, "reset": True, "after": 2}, ConnectionLost, 2),
    ("ws-close", {"after": 0, "of": "events"}, VivavoceError, 0),
    ("ws-binary", {}, UnexpectedReply, 1),
    ("ws-binary", {"after": 0, "of": "events"}, UnexpectedReply, 0),
    ("ws-big-delta", {"size": 13_000_000}, UnexpectedReply, 0),
    ("ws-slow", {"seconds": 0}, TimedOut, 0),
    ("ws-slow", {"seconds": 0, "after": 3}, TimedOut, 3),
    ("ws-bad-base64", {"after": 2}, UnexpectedReply, 2),
    ("ws-bad-json", {"after": 2}, UnexpectedReply, 2),
    ("ws-no-finished", {}, TimedOut, None),
    ("ws-done-status", {}, ProviderUnavailable, 1),
    ("ws-done-status", {"status": "incomplete", "after": 2}, ProviderUnavailable, 2),
]
HARMLESS = [
    ("ws-late-delta", {"after": "done"}),
    ("ws-late-delta", {"after": "clear"}),
    ("ws-duplicate-done", {}),
    ("ws-unknown", {}),
    ("ws-slow", {"seconds": 0.01}),
    ("ws-torn", {"size": 777}),
    ("ws-torn", {"size": 1_001}),
    ("ws-empty-ids", {}),
]
HANDSHAKES = [
    ("status", {"status": 500}, ProviderUnavailable),
    ("status", {"status": 400, "code": "InvalidParameter"}, RequestRejected),
    ("throttled", {}, RateLimited),
    ("empty-object", {}, RequestRejected),
    ("echo-key", {}, CredentialError),
    ("html", {}, ProviderUnavailable),
]


def test_every_fault_is_here():
    """What can be made to go wrong with a session is in one of the tables."""
    tables = {row[0] for row in (*FAILURES, *HARMLESS, *HANDSHAKES)}
    others = {"no-audio", "slow-start"}  # with tests of their own
    assert tables | others == {name for name, kind in FAULTS.items() if kind.fits("realtime")}


@pytest.mark.parametrize("way", ["one shot", "session"])
@pytest.mark.parametrize(("name", "params", "kind", "deltas"), FAILURES)
def test_every_fault_is_a_typed_error(face, emulator, spoken, way, name, params, kind, deltas):
    """What goes wrong is an error of its kind that tells the audio before it, never an end."""
    emulator.fault(name, **params)
    heard = bytearray()

    async def body(client):
        if way == "one shot":
            await client.synthesize(TEXT)
            return
        async with client.session() as session:
            for text in SENTENCES:
                await session.send(text)
            await session.finish()
            async for chunk in session:
                heard.extend(chunk.data)

    limits = {"timeouts": SOON if deltas == 0 else AFTER_AUDIO} if kind is TimedOut else {}
    with pytest.raises(kind) as caught:
        face.run(body, **limits)
    error = caught.value
    assert type(error) is not VivavoceError
    expected = b"".join(spoken(text.strip()) for text in SENTENCES)
    if deltas is not None:
        expected = expected[: deltas * 4_800]
    if params.get("code") == 1006:
        # A connection that breaks takes along what lay unread.
        expected = expected[: round(error.audio_delivered_s * BYTES_PER_S)]
        assert len(expected) / BYTES_PER_S in (0, 0.1, 0.2)
    assert (error.provider, error.model) == ("qwen", MODEL)
    assert error.audio_delivered_s == pytest.approx(len(expected) / BYTES_PER_S)
    if way == "session":
        assert heard == expected
    assert len(emulator.requests()) == 1
    assert emulator.requests()[0].fault == name
    assert emulator.wait_for_end()


@pytest.mark.parametrize(("name", "params"), HARMLESS)
def test_what_harms_nothing(face, emulator, spoken, name, params):
    """What the service may do leaves the audio as it is, and what is billed."""
    emulator.fault(name, **params)

    async def body(client):
        async with client.session() as session:
            await session.send("Nobody hears")
            await session.clear()
            return await say_all(session, *SENTENCES), session.report.usage

    data, usage = face.run(body)
    assert usage == {"characters": BILLED}
    assert data == b"".join(spoken(text.strip()) for text in SENTENCES)
    assert emulator.requests()[0].fault == name


@pytest.mark.parametrize("code", [1006, 1011])
@pytest.mark.parametrize("way", ["one shot", "session"])
def test_does_not_ask_again_after_audio(face, emulator, way, code):
    """Once audio has come no other session is opened in place of one that ends."""
    emulator.fault("ws-close", code=code, after=2)
    heard = bytearray()

    async def body(client):
        if way == "one shot":
            await client.synthesize(TEXT)
            return
        async with client.session(**COMMIT) as session:
            await session.send(TEXT)
            await session.flush()
            async for chunk in session:
                heard.extend(chunk.data)

    with pytest.raises(VivavoceError) as caught:
        face.run(body, retry=Retry(attempts=3, first_wait_s=0))
    assert caught.value.audio_delivered_s == pytest.approx(0.2)
    assert len(heard) == (9_600 if way == "session" else 0)
    assert len(emulator.requests()) == 1


@pytest.mark.parametrize(("name", "params", "kind"), HANDSHAKES)
def test_a_refused_handshake(face, emulator, name, params, kind):
    """A refused handshake is the error that the service tells, before any audio."""
    emulator.fault(name, **params)

    async def body(client):
        async with client.session() as session:
            await say_all(session, TEXT)

    with pytest.raises(kind) as caught:
        face.run(body)
    assert not caught.value.audio_delivered_s
    assert (caught.value.provider, caught.value.model) == ("qwen", MODEL)


def test_no_audio(face, emulator):
    """A session that ends without any audio for a text is an error."""
    emulator.fault("no-audio")

    async def body(client):
        async with client.session() as session:
            await say_all(session, TEXT)

    with pytest.raises(NoAudio):
        face.run(body)


def test_a_slow_handshake(face, emulator):
    """A handshake that is not answered is given up in time."""
    emulator.fault("slow-start", seconds=30.0)

    async def body(client):
        async with client.session() as session:
            await say_all(session, TEXT)

    with pytest.raises(TimedOut) as caught:
        face.run(body, timeouts=Timeouts(connect_s=0.4, first_audio_s=0.4))
    assert not caught.value.audio_delivered_s


def test_a_torn_sample_at_the_end(face, emulator):
    """A response that ends in the middle of a sample is cut short."""
    emulator.fault("ws-torn", size=777)

    async def body(client):
        async with client.session(**COMMIT) as session:
            await say_all(session, TEXT)

    emulator.clear()
    emulator.fault("ws-big-delta", size=1_001)
    with pytest.raises(TruncatedAudio):
        face.run(body)


# Many at once, and leaving early


def test_twenty_sessions_at_once(emulator, key, spoken):
    """Of twenty sessions at once each gets its own audio and its own usage."""
    texts = [f"This is number {number}." for number in range(20)]

    async def run():
        async with AsyncClient(
            f"qwen/{MODEL}:Cherry", api_key=key, base_url=emulator.base_url, settings=Settings()
        ) as client:

            async def speak(text):
                async with client.session() as session:
                    data = await say_all(session, *text.partition(" "))
                    return data, session.report.usage["characters"]

            return await asyncio.gather(*map(speak, texts))

    together = asyncio.run(run())
    assert [data for data, _ in together] == list(map(spoken, texts))
    assert len({data for data, _ in together}) == 20
    assert [count for _, count in together] == [float(len(text)) for text in texts]
    assert len(emulator.requests()) == 20


def given_for(emulator, key):
    return {
        "api_key": key,
        "base_url": emulator.base_url,
        "settings": Settings(),
        "retry": Retry(attempts=1),
    }


async def one_shot(client):
    return (await client.synthesize(TEXT)).data


async def by_hand(client):
    async with client.session() as session:
        await session.send(TEXT)
        await session.flush()
        await anext(session)
        await session.interrupt()
        return await say_all(session, *SENTENCES)


async def from_source(client):
    async def source():
        for text in SENTENCES:
            await asyncio.sleep(0)
            yield text

    async with client.session(source()) as session:
        return await read(session)


async def opened_ahead(client):
    await client.prewarm()
    async with client.session() as session:
        return await say_all(session, *SENTENCES)


@pytest.mark.parametrize("speak", [one_shot, by_hand, from_source, opened_ahead])
def test_cancelled_at_every_await(key, speak):
    """Cancelled at any of its awaits, a session leaves no task, no connection and no warning."""
    with running_emulator(chunk_bytes=20_000) as emulator:

        async def cancelled_after(steps):
            """Return whether it was cancelled: the loop has gone round *steps* times before."""
            async with AsyncClient(f"qwen/{MODEL}:Cherry", **given_for(emulator, key)) as client:
                task = asyncio.ensure_future(speak(client))
                for _ in range(steps):
                    await asyncio.sleep(0)
                    if task.done():
                        break
                task.cancel()
                (result,) = await asyncio.gather(task, return_exceptions=True)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if left:  # the library's own end in their next turn
                await asyncio.wait(left, timeout=5)
            assert all(one.done() for one in left)
            if isinstance(result, asyncio.CancelledError):
                return True
            assert isinstance(result, bytes), result
            return False

        async def run():
            async with AsyncClient(f"qwen/{MODEL}:Cherry", **given_for(emulator, key)) as client:
                await speak(client)  # so that the speech is at hand
            was_cancelled = [await cancelled_after(steps) for steps in range(150)]
            gc.collect()  # a connection left open warns now, and a warning is an error
            return was_cancelled

        was_cancelled = asyncio.run(run())
        for index in range(len(emulator.requests())):
            assert emulator.wait_for_end(index)
    assert was_cancelled[0]
    assert sum(was_cancelled) > 10


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_leaving_early(face, emulator, spoken, chunks):
    """Who leaves a session ends the connection; the service sees it, and the next one works."""
    emulator.fault("ws-slow", seconds=0, after=5)

    async def body(client):
        async with client.session() as session:
            await session.send(TEXT)
            for _ in range(chunks):
                await anext(session)
        assert session.report.end == "cancelled"
        assert emulator.wait_for_end(0) == "left"
        async with client.session() as session:
            return await say_all(session, "Good night.")

    assert face.run(body) == spoken("Good night.")


# The key


def test_the_key_is_nowhere(face, emulator, key, caplog):
    """The key is in no log, repr, error or report, whatever the service sends back."""
    caplog.set_level(logging.DEBUG)
    shown = []

    async def body(client):
        async with client.session() as session:
            await say_all(session, TEXT)
            shown.extend([repr(session.report), repr(session.plan), repr(session), repr(client)])

    face.run(body)
    faults = [
        ("echo-key", {}),
        ("throttled", {}),
        ("ws-error", {"message": f"The key {key} is wrong."}),
        ("ws-close", {"code": 1008, "reason": f"The key {key} is wrong."}),
        ("ws-close", {"code": 1006}),
        ("ws-bad-json", {}),
        ("ws-silence", {}),
    ]
    for name, params in faults:
        emulator.fault(name, **params)
        with pytest.raises(VivavoceError) as caught:
            face.run(body, timeouts=SOON)
        shown += told_by(caught.value)
    with pytest.raises(CredentialError) as caught:
        face.run(body, api_key=f"{key}-wrong")
    shown += [*told_by(caught.value), caplog.text]
    shown += [repr(received.headers) for received in emulator.requests()]
    assert key not in "\n".join(shown)
    assert "***" in "\n".join(shown)


def told_by(error):
    chain = [error, error.__cause__, error.__context__]
    return [text for each in chain for text in (str(each), repr(each))] + [repr(vars(error))]
