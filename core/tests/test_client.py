import asyncio
import threading
import tracemalloc

import pytest

from vivavoce import (
    AsyncClient,
    Client,
    CredentialError,
    InvalidValue,
    OutputError,
    PluginError,
    Secret,
    Settings,
    StreamStateError,
    UnknownModel,
    UnknownProvider,
    UnknownVoice,
)
from vivavoce.hookspecs import hookimpl
from vivavoce.model.report import End
from vivavoce.registry import Registry
from vivavoce.testing import FakeProvider, samples_of

CANARY = "sk-canary-77aa"


def engines_that_stay():
    """Return the engine threads that do not end; one about to end is waited for."""
    engines = [t for t in threading.enumerate() if t.name == "vivavoce-engine"]
    for engine in engines:
        engine.join(timeout=5)
    return [engine for engine in engines if engine.is_alive()]


@pytest.fixture
def fake():
    """A provider that speaks what it is told."""
    return FakeProvider()


@pytest.fixture
def client(fake):
    """A client of the fake provider."""
    with Client("fake", registry=fake.registry(), settings=Settings()) as client:
        yield client


def test_a_stream_is_entered_first(client):
    """Reading a stream outside its block is refused, before and after it."""
    stream = client.stream("Hello.")
    with pytest.raises(StreamStateError, match="Enter the stream first"):
        next(stream)
    with stream:
        next(stream)
    with pytest.raises(StreamStateError, match="closed"):
        next(stream)
    with pytest.raises(StreamStateError, match="entered once"):
        stream.__enter__()


def test_closing_twice_is_harmless(client):
    """A stream and a client may be closed as often as one likes."""
    with client.stream("Hello.") as stream:
        pass
    stream.close()
    stream.close()
    client.close()
    client.close()


def test_the_async_stream_likewise(fake):
    """The async stream has the same life as the sync one."""

    async def live():
        async with AsyncClient("fake", registry=fake.registry(), settings=Settings()) as client:
            stream = client.stream("Hello.")
            with pytest.raises(StreamStateError, match="Enter the stream first"):
                await anext(stream)
            async with stream:
                await anext(stream)
            with pytest.raises(StreamStateError, match="closed"):
                await anext(stream)
            await stream.aclose()
        await client.aclose()
        with pytest.raises(StreamStateError, match="client is closed"):
            client.stream("Hello.")
        return stream.report.end

    assert asyncio.run(live()) is End.CANCELLED


def test_a_read_stream_stays_at_its_end(client):
    """After the last chunk there is none, however often one asks."""
    with client.stream("Hello.") as stream:
        list(stream)
        assert [next(stream, None), next(stream, None)] == [None, None]


def test_a_closed_client_is_refused(client):
    """A closed client says so."""
    client.close()
    for call in (client.synthesize, client.stream, client.explain):
        with pytest.raises(StreamStateError, match="client is closed"):
            call("Hello.")


def test_the_users_error_comes_out_bare(fake):
    """An error raised inside the block comes out as itself, in both faces; no ExceptionGroup."""
    with (
        Client("fake", registry=fake.registry(), settings=Settings()) as client,
        pytest.raises(KeyError, match="mine"),
        client.stream("Hello."),
    ):
        raise KeyError("mine")

    async def fail():
        async with (
            AsyncClient("fake", registry=fake.registry(), settings=Settings()) as client,
            client.stream("Hello.") as stream,
        ):
            await anext(stream)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(fail())


@pytest.mark.parametrize("pulls", range(6))
def test_cancelling_an_async_reader_leaves_nothing(pulls):
    """A reader cancelled at any await ends the engine; no task and no thread is left."""
    never = threading.Event()
    fake = FakeProvider(lambda _: [*[samples_of("abc")] * (pulls % 3), never])
    reached = asyncio.Event()

    async def read():
        async with (
            AsyncClient("fake", registry=fake.registry(), settings=Settings()) as client,
            client.stream("Hello.") as stream,
        ):
            reached.set()
            async for _ in stream:
                pass

    async def cancel():
        task = asyncio.create_task(read())
        await reached.wait()
        for _ in range(pulls):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [other for other in asyncio.all_tasks() if other is not asyncio.current_task()]

    assert asyncio.run(cancel(), debug=True) == []
    assert engines_that_stay() == []


def test_one_reader_at_a_time():
    """A second reader of one stream is refused rather than given half the audio."""
    go_on = threading.Event()
    fake = FakeProvider(lambda _: [go_on, samples_of("x")])

    async def read_twice():
        async with (
            AsyncClient("fake", registry=fake.registry(), settings=Settings()) as client,
            client.stream("Hello.") as stream,
        ):
            first = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            with pytest.raises(StreamStateError, match="one reader"):
                await anext(stream)
            go_on.set()
            return (await first).data

    assert asyncio.run(read_twice()) == samples_of("x")


def test_selector_chooses_provider_model_and_voice(fake):
    """The selector decides who speaks; a voice in the call goes before it."""
    with Client("fake/one:ben", registry=fake.registry(), settings=Settings()) as client:
        assert client.synthesize("x").report.voice == "ben"
        assert client.synthesize("x", voice="ann").report.voice == "ann"


@pytest.mark.parametrize(
    ("selector", "error"),
    [
        ("fale", UnknownProvider),
        ("fake/two", UnknownModel),
        ("fake:bob", UnknownVoice),
        ("FAKE", InvalidValue),
    ],
)
def test_wrong_selectors(fake, selector, error):
    """A selector that names nothing is refused before anything is done."""
    with pytest.raises(error):
        Client(selector, registry=fake.registry(), settings=Settings()).stream("x")
    assert fake.requests == []


def test_a_broken_provider_says_why():
    """Asking for a broken provider raises its reason."""

    class Source:
        name = "fake"

        def load(self):
            raise ImportError("no SDK")

    with pytest.raises(PluginError, match="no SDK"):
        Client("fake", registry=Registry([Source()]), settings=Settings())


def test_unknown_wishes_are_refused(client):
    """A keyword that is no wish is refused with a near one."""
    with pytest.raises(InvalidValue, match="'speed' is no wish"):
        client.synthesize("x", speed=2)
    with pytest.raises(InvalidValue, match="Did you mean 'language'"):
        client.synthesize("x", langauge="en")


def test_explain_needs_no_key_and_sends_nothing(monkeypatch):
    """Explaining works without the credential that speaking needs."""
    monkeypatch.delenv("FAKE_KEY", raising=False)
    fake = FakeProvider(credential_env=("FAKE_KEY",))
    with Client("fake", registry=fake.registry(), settings=Settings()) as client:
        assert client.explain("Hello.").estimate.cost == 0
        assert client.capabilities().word_marks
        assert [voice.id for voice in client.voices.list()] == ["ann", "ben", "old"]
        with pytest.raises(CredentialError, match="FAKE_KEY"):
            client.stream("Hello.")
    assert (fake.requests, fake.configs) == ([], [])


def test_a_plugin_may_have_the_key():
    """A credential resolved by a plugin goes before settings, an argument before it."""

    class Vault:
        @hookimpl
        def vivavoce_resolve_credential(self, provider):
            return Secret(f"{CANARY}-{provider}")

    fake = FakeProvider(credential_env=("FAKE_KEY",))
    for given, expected in ((None, f"{CANARY}-fake"), ("mine", "mine")):
        with Client(
            "fake", registry=fake.registry(Vault()), settings=Settings(), api_key=given
        ) as client:
            client.synthesize("x")
        assert fake.configs[-1].credential.reveal() == expected
    assert CANARY not in repr(fake.configs)


def test_the_provider_is_made_once(client, fake):
    """One client makes its provider object once."""
    client.synthesize("x")
    client.synthesize("y")
    assert len(fake.configs) == 1


def test_voices_by_language(client):
    """Voices are found by language, near ones included, and by model and origin."""
    assert [v.id for v in client.voices.list(language="de-AT")] == ["ben"]
    assert [v.id for v in client.voices.list(model="one", origin="stock")] == ["ann", "ben"]
    assert list(client.voices.list(origin="cloned")) == []
    with pytest.raises(InvalidValue, match="stock, cloned, designed"):
        list(client.voices.list(origin="stolen"))
    with pytest.raises(UnknownVoice, match="Did you mean 'ben'"):
        client.voices.get("bem")
    assert client.voices.get("ben").name == "Ben"


def test_async_voices(fake):
    """The async face lists voices as an async iterator."""

    async def names():
        async with AsyncClient("fake", registry=fake.registry(), settings=Settings()) as client:
            return [v.id async for v in client.voices.list()], (await client.voices.get("ann")).name

    assert asyncio.run(names()) == (["ann", "ben", "old"], "Ann")


def test_save_writes_audio_and_captions(client, tmp_path):
    """Saving writes the whole audio and its captions."""
    report = client.save("Hello there.", tmp_path / "a.pcm", captions=tmp_path / "a.srt")
    assert (tmp_path / "a.pcm").read_bytes() == samples_of("Hello there.")
    assert "Hello there." in (tmp_path / "a.srt").read_text()
    assert report.end is End.COMPLETE


def test_a_failed_save_leaves_nothing(tmp_path):
    """When speech fails half-way neither file is there, and an old one is kept."""
    fake = FakeProvider(lambda _: [samples_of("abc"), ZeroDivisionError("late")])
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with (
        Client("fake", registry=fake.registry(), settings=Settings()) as client,
        pytest.raises(Exception, match="late"),
    ):
        client.save("Hello.", path, captions=tmp_path / "a.vtt")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_ctrl_c_leaves_nothing(tmp_path):
    """A keyboard interrupt while saving leaves no file, and the engine stops."""

    def script(_):
        yield samples_of("abc")
        raise KeyboardInterrupt

    class Breaks:
        """Raises in the reader's thread, where Ctrl-C arrives."""

        @hookimpl
        def vivavoce_stream_middleware(self, plan):
            return self

        def feed(self, chunk):
            raise KeyboardInterrupt

        def finish(self):
            return []

    fake = FakeProvider()
    with (
        Client("fake", registry=fake.registry(Breaks()), settings=Settings()) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.save("Hello.", tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []
    assert engines_that_stay() == []


@pytest.mark.parametrize("name", ["missing/a.wav", "."])
def test_a_place_that_cannot_be_written(client, fake, tmp_path, name):
    """A folder that is not there, or a folder itself, is refused before anything is spoken."""
    with pytest.raises((OutputError, InvalidValue)):
        client.save("Hello.", tmp_path / name, format="wav")
    assert fake.requests == []


def test_wrong_caption_ending_is_refused_first(client, fake, tmp_path):
    """A caption file with an ending nobody knows is refused before anything is spoken."""
    with pytest.raises(InvalidValue, match="caption"):
        client.save("Hello.", tmp_path / "a.wav", captions=tmp_path / "a.doc")
    assert fake.requests == []
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_text(tmp_path):
    """Saving a text a hundred times as long takes about the same memory."""

    def peak(sentences):
        text = "This is a sentence of some length. " * sentences
        with Client("fake", registry=FakeProvider().registry(), settings=Settings()) as client:
            client.save("warm.", tmp_path / "warm.wav")
            tracemalloc.start()
            base = tracemalloc.get_traced_memory()[0]
            client.save(text, tmp_path / "a.wav")
            top = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return top - base - len(text)

    small, large = peak(40), peak(4000)
    assert large < small + 1_000_000
