import re
import threading

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.authoring import (
    AudioData,
    Exchange,
    Facts,
    Failed,
    Finished,
    LocalCall,
    LocalOutput,
    Synthesizer,
)
from vivavoce.blocking import Client
from vivavoce.errors import (
    EngineFailed,
    NoAudio,
    ProviderUnavailable,
    RequestRejected,
    StreamStateError,
    TimedOut,
    TruncatedAudio,
)
from vivavoce.hookspecs import hookimpl
from vivavoce.model.audio import Chunk
from vivavoce.model.capability import yes
from vivavoce.model.card import Price
from vivavoce.model.report import End
from vivavoce.model.timing import Mark
from vivavoce.pipeline.retry import Retry
from vivavoce.settings import Settings, Timeouts
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider, samples_of

LOUD = samples_of("x") * 5
WORDS = ["One", "two,", "three.", "\u56db\u3002", "f\u00fcnf!", "\n"]


def word(start_s, end_s, start=0, end=1):
    return Mark(kind="word", start_s=start_s, end_s=end_s, text_start=start, text_end=end)


def sets(event):
    """Return a plugin that sets *event* when it sees a chunk, so that the engine goes on."""

    class Setter:
        def feed(self, chunk):
            event.set()
            return [chunk]

        def finish(self):
            return []

    class Plugin:
        @hookimpl
        def vivavoce_stream_middleware(self, plan):
            return Setter()

    return Plugin()


def test_speaks_the_text(face, fake):
    """The audio is that of the text, whole, and the report says so."""
    chunks, report, error = face.read(face.client(fake), "Hello there, world.")
    assert error is None
    assert samples_of("Hello there, world.") == b"".join(chunk.data for chunk in chunks)
    assert (
        report.end,
        report.provider,
        report.model,
        report.voice,
    ) == (End.COMPLETE, "fake", "one", "ann")
    assert pytest.approx(report.audio_s) == 19 * 80 / 16_000
    assert (report.segments, report.characters) == (1, 19)
    assert 0 <= report.ttfa_s <= report.total_s


def test_long_text_is_joined_without_loss(face, fake):
    """A text in many requests gives the audio of the whole, in order, and nothing between."""
    text = " ".join(f"This is sentence number {n}." for n in range(60))
    chunks, report, error = face.read(face.client(fake), text)
    assert error is None
    assert samples_of(text) == b"".join(chunk.data for chunk in chunks)
    assert len(fake.requests) == report.segments > 5
    assert all(len(request.text) <= 200 for request in fake.requests)
    assert [False] * (report.segments - 1) + [True] == [r.is_last for r in fake.requests]
    assert any(warning.startswith("text: emulated") for warning in report.warnings)


def test_marks_index_the_whole(face, fake):
    """Marks of a text in many requests index the whole text and the whole audio."""
    text = " ".join(f"Word{n} and more." for n in range(80))
    chunks, report, _ = face.read(face.client(fake), text)
    marks = [mark for chunk in chunks for mark in chunk.marks]
    assert text.split() == [text[mark.text_start : mark.text_end] for mark in marks]
    for mark in marks:
        assert mark.text_start * 80 / 16_000 == pytest.approx(mark.start_s)
        assert mark.end_s <= report.audio_s


def test_a_mark_comes_with_its_audio(face):
    """No mark comes before the last sample it covers, nor is it cut short to come sooner."""
    second, go_on = samples_of("x") * 200, threading.Event()
    fake = FakeProvider(lambda _: [word(0.0, 1.5), word(0.5, 0.9, 2, 3), second, go_on, second])
    chunks, _, _ = face.read(face.client(fake, plugins=[sets(go_on)]), "a b")
    assert [[mark.end_s for mark in chunk.marks] for chunk in chunks] == [[0.9], [1.5]]


def test_a_mark_past_the_end_is_held_to_it(face):
    """A mark that points past the audio ends with it."""
    fake = FakeProvider(lambda _: [LOUD, word(0.0, 99.0)])
    chunks, report, _ = face.read(face.client(fake), "a")
    (mark,) = [mark for chunk in chunks for mark in chunk.marks]
    assert report.audio_s == mark.end_s


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 700), max_size=12))
def test_any_cut_gives_the_same_audio(cuts):
    """However an engine cuts its bytes, even inside a sample, the audio is the same."""
    whole = samples_of("Hello")
    pieces, rest = [], whole
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    fake = FakeProvider(lambda _: [*filter(None, [*pieces, rest])])
    with (
        Client("fake", registry=fake.registry(), settings=Settings()) as client,
        client.stream("Hello") as stream,
    ):
        data = [chunk.data for chunk in stream]
    assert whole == b"".join(data)
    assert all(len(piece) % 2 == 0 for piece in data)


def test_no_audio_is_an_error(face):
    """A provider that says it is done but gave nothing has failed."""
    _, report, error = face.read(face.client(FakeProvider(lambda _: [])), "Hello")
    assert isinstance(error, NoAudio)
    assert "no audio at all for 5 characters" in str(error)
    assert (error.provider, error.model, report.end) == ("fake", "one", End.FAILED)


def test_silence_is_an_error(face):
    """Audio with nothing audible in it is no success."""
    fake = FakeProvider(lambda _: [b"\x00\x00\x01\x00" * 4000])
    _, _, error = face.read(face.client(fake), "Hello")
    assert isinstance(error, NoAudio)
    assert "only silence" in str(error)


def test_silence_at_the_end_is_no_error(face):
    """Where something was heard, silence may follow it."""
    go_on = threading.Event()
    fake = FakeProvider(lambda _: [LOUD, go_on, bytes(4000)])
    chunks, _, error = face.read(face.client(fake, plugins=[sets(go_on)]), "Hello")
    assert error is None
    assert b"".join(chunk.data for chunk in chunks) == LOUD + bytes(4000)


def test_seconds_are_those_of_the_source(face, fake):
    """However the samples are converted, the report and the chunks' places tell true seconds."""
    text = "Hello there, world. " * 9
    chunks, report, error = face.read(face.client(fake), text, sample_rate_hz=12_000)
    assert error is None
    assert report.audio_s == pytest.approx(len(text) * 80 / 16_000)
    assert sum(len(chunk.data) for chunk in chunks) / 24_000 == pytest.approx(
        report.audio_s, rel=0.01
    )


def test_the_cost_where_no_usage_comes_back(face):
    """Where the provider does not tell what it bills, the cost is that of the estimate."""
    prices = (Price(amount="1.00", currency="CNY", per=1000, unit="characters"),)
    fake = FakeProvider(lambda _: [LOUD]).with_card(prices=prices, is_free=False)
    _, report, _ = face.read(face.client(fake), "x" * 50)
    assert (report.usage, f"{report.cost:.2f}") == ({}, "0.05")


def test_a_torn_sample_at_the_end_is_an_error(face):
    """An engine that ends in the middle of a sample was cut."""
    fake = FakeProvider(lambda _: [LOUD + b"\x01"])
    chunks, _, error = face.read(face.client(fake), "Hello")
    assert isinstance(error, TruncatedAudio)
    assert b"".join(chunk.data for chunk in chunks) == LOUD


def test_an_engine_error_tells_what_was_delivered(face):
    """An engine that raises gives a typed error with its cause and the seconds delivered."""
    fake = FakeProvider(lambda _: [LOUD, ZeroDivisionError("in the vocoder")])
    chunks, report, error = face.read(face.client(fake), "Hello")
    assert b"".join(chunk.data for chunk in chunks) == LOUD
    assert isinstance(error, EngineFailed)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert 400 / 16_000 == error.audio_delivered_s == report.audio_s
    assert "0.03 s delivered" in str(error)


def test_errors_of_the_tree_pass(face):
    """An error of the tree raised by an engine comes out as itself."""
    fake = FakeProvider(lambda _: [RequestRejected("too rude")])
    _, _, error = face.read(face.client(fake), "Hello")
    assert isinstance(error, RequestRejected)
    assert error.message == "too rude"


def test_a_failure_of_a_later_request_is_not_hidden(face):
    """If the third request of a text fails, the audio of two comes and then the error."""

    def script(request):
        if "three" in request.text:
            return [ProviderUnavailable("down")]
        return [samples_of(request.text)]

    fake = FakeProvider(script).with_card(segment_chars=10)
    chunks, _, error = face.read(
        face.client(fake, retry=Retry()), "Number one. Number two. Number three."
    )
    assert samples_of("Number one. Number two. ") == b"".join(chunk.data for chunk in chunks)
    assert isinstance(error, ProviderUnavailable)
    assert error.audio_delivered_s > 0
    assert len(fake.requests) == 3


def test_asks_again_while_nothing_has_come(face):
    """A retryable failure before any audio is asked again, and the report says so."""
    answers = iter([[ProviderUnavailable("down")], [ProviderUnavailable("down")], [LOUD]])
    fake = FakeProvider(lambda _: next(answers))
    client = face.client(fake, retry=Retry(attempts=3, first_wait_s=0))
    chunks, report, error = face.read(client, "Hello")
    assert error is None
    assert b"".join(chunk.data for chunk in chunks) == LOUD
    assert len(fake.requests) == 3
    assert report.warnings == (
        "attempt 2 after ProviderUnavailable",
        "attempt 3 after ProviderUnavailable",
    )


def test_gives_up_after_the_last_attempt(face):
    """When every attempt fails the last error is raised."""
    fake = FakeProvider(lambda _: [ProviderUnavailable("down")])
    _, _, error = face.read(face.client(fake, retry=Retry(attempts=2, first_wait_s=0)), "Hello")
    assert isinstance(error, ProviderUnavailable)
    assert len(fake.requests) == 2


def test_never_asks_again_after_audio(face):
    """Once audio has come a failure is final."""
    fake = FakeProvider(lambda _: [LOUD, ProviderUnavailable("down")])
    _, _, error = face.read(face.client(fake, retry=Retry(first_wait_s=0)), "Hello")
    assert isinstance(error, ProviderUnavailable)
    assert len(fake.requests) == 1


def test_never_asks_again_after_compressed_audio(face):
    """Nor is a later request asked again, though compressed audio has no seconds."""
    answers = iter([[b"frames of one"], [ProviderUnavailable("down")], [b"frames of two"]])
    claims = attrs.evolve(
        FAKE_CAPABILITIES, containers=yes("raw", "mp3"), encodings=yes("pcm_s16le", "mp3")
    )
    fake = FakeProvider(lambda _: next(answers), capabilities=claims).with_card(segment_chars=10)
    chunks, _, error = face.read(
        face.client(fake, retry=Retry(first_wait_s=0)), "Number one. Number two.", format="mp3"
    )
    assert isinstance(error, ProviderUnavailable)
    assert b"".join(chunk.data for chunk in chunks) == b"frames of one"


class Holder:
    """Holds all audio back until the end."""

    def __init__(self):
        self.held = b""

    def feed(self, chunk):
        self.held += chunk.data
        return []

    def finish(self):
        return [Chunk(data=self.held)]


class HolderPlugin:
    """Lets a holder see the chunks."""

    @hookimpl
    def vivavoce_stream_middleware(self, plan):
        return Holder() if plan.utterance.text else None


def test_never_asks_again_after_audio_that_is_held_back(face):
    """A failure after audio is final, though middleware has not let it out yet."""
    fake = FakeProvider(lambda _: [LOUD, ProviderUnavailable("down")])
    client = face.client(fake, retry=Retry(first_wait_s=0), plugins=[HolderPlugin()])
    _, _, error = face.read(client, "Hello")
    assert isinstance(error, ProviderUnavailable)
    assert len(fake.requests) == 1


def test_attempts_are_counted_by_request(face):
    """While no audio has gone out, each request of a text has all attempts."""
    answers = iter([[ProviderUnavailable("down")], [LOUD], [ProviderUnavailable("down")], [LOUD]])
    fake = FakeProvider(lambda _: next(answers)).with_card(segment_chars=10)
    retry = Retry(attempts=2, first_wait_s=0)
    chunks, _, error = face.read(
        face.client(fake, retry=retry, plugins=[HolderPlugin()]), "Number one. Number two."
    )
    assert error is None
    assert b"".join(chunk.data for chunk in chunks) == LOUD * 2


@pytest.mark.parametrize(
    ("script", "limits", "phase"),
    [
        ([threading.Event()], {"first_audio_s": 0.05}, "first_audio"),
        ([LOUD, threading.Event()], {"between_chunks_s": 0.05}, "between_chunks"),
        ([LOUD, threading.Event()], {"total_s": 0.05}, "total"),
        ([threading.Event()], {"total_s": 0.05}, "total"),
    ],
)
def test_limits(face, script, limits, phase):
    """An engine that falls silent is given up after the limit of the phase it is in."""
    fake = FakeProvider(lambda _: script)
    _, _, error = face.read(face.client(fake, timeouts=Timeouts(**limits)), "Hello")
    assert isinstance(error, TimedOut)
    assert (phase, 0.05) == (error.phase, error.limit_s)
    assert f"within 0.05 s (phase: {phase})" in str(error)


def test_a_readers_own_time_counts(fake):
    """The limit on the whole holds although audio is at hand, when the reader took too long."""
    at_s = [100.0]
    limits = Timeouts(total_s=10.0)
    with Client("fake", registry=fake.registry(), settings=Settings(), timeouts=limits) as client:
        client._core.runtime().now = lambda: at_s[0]
        with client.stream("One two three. " * 60) as stream:
            next(stream)
            at_s[0] += 9.9
            next(stream)
            at_s[0] += 0.2
            with pytest.raises(TimedOut) as caught:
                next(stream)
    assert caught.value.phase == "total"
    assert caught.value.audio_delivered_s > 0


def test_the_first_chunk_comes_before_the_last_is_made(face):
    """A chunk is handed over while the engine still works on the rest."""
    go_on = threading.Event()
    fake = FakeProvider(lambda _: [LOUD, go_on, LOUD])
    chunks, _, error = face.read(face.client(fake, plugins=[sets(go_on)]), "Hello")
    assert error is None
    assert [chunk.data for chunk in chunks] == [LOUD, LOUD]
    assert [chunk.start_s for chunk in chunks] == [0.0, 400 / 16_000]


def test_leaving_early_stops_the_engine(fake):
    """Leaving the block stops the engine, and what it would have said never comes."""
    stopped = threading.Event()

    def script(_):
        try:
            for _ in range(10_000_000):
                yield LOUD
        finally:
            stopped.set()

    endless = FakeProvider(script)
    with Client("fake", registry=endless.registry(), settings=Settings()) as client:
        with client.stream("Hello") as stream:
            next(stream)
        assert End.CANCELLED is stream.report.end
        with pytest.raises(StreamStateError, match="closed"):
            next(stream)
        stream.close()
    assert threading.active_count() == len(
        [t for t in threading.enumerate() if t.name != "vivavoce-engine"]
    )


def test_middleware_sees_every_chunk_and_may_hold_back(face, fake):
    """Middleware may hold audio back and give it at the end; none is lost."""
    chunks, report, _ = face.read(face.client(fake, plugins=[HolderPlugin()]), "Hello there.")
    assert [samples_of("Hello there.")] == [chunk.data for chunk in chunks]
    assert len(samples_of("Hello there.")) / 32_000 == report.audio_s


def test_observers_are_told_and_cannot_spoil(face, fake, caplog):
    """Each observer hears start and end, even after one that raises; that is logged."""
    heard = []

    class Loud:
        @hookimpl
        def vivavoce_synthesis_started(self, plan):
            raise ZeroDivisionError

    class Quiet:
        @hookimpl
        def vivavoce_synthesis_started(self, plan):
            heard.append(plan.utterance.text)

        @hookimpl
        def vivavoce_synthesis_finished(self, report):
            heard.append(report.end)

        @hookimpl
        def vivavoce_synthesis_failed(self, error):
            heard.append(error)

    chunks, _, error = face.read(face.client(fake, plugins=[Quiet(), Loud()]), "Hello")
    assert (heard, error) == (["Hello", End.COMPLETE], None)
    assert chunks
    assert "vivavoce_synthesis_started of plugin 'Loud' failed" in caplog.text


def test_observers_hear_of_failures(face):
    """An observer is told of a failure, with the error."""
    heard = []

    class Observer:
        @hookimpl
        def vivavoce_synthesis_failed(self, report, error):
            heard.append((report.end, type(error)))

    fake = FakeProvider(lambda _: [])
    face.read(face.client(fake, plugins=[Observer()]), "Hello")
    assert [(End.FAILED, NoAudio)] == heard


def test_both_faces_give_the_same(both_faces, fake):
    """The sync and the async face give the same bytes, marks and chunks' places."""
    text = "One two three. " * 40
    results = []
    for face in both_faces:
        audio = face.synthesize(face.client(fake), text)
        results.append(
            (audio.data, audio.marks, audio.format, attrs.evolve(audio.report, total_s=0, ttfa_s=0))
        )
    assert results[0] == results[1]


def test_many_streams_at_once_never_mix(fake):
    """Twenty streams read in turns each get their own audio, whole."""
    texts = [f"Stream {n} speaks. " * 30 for n in range(20)]
    with Client("fake", registry=fake.registry(), settings=Settings()) as client:
        streams = [client.stream(text).__enter__() for text in texts]
        heard = [b""] * 20
        open_streams = set(range(20))
        while open_streams:
            for n in sorted(open_streams):
                chunk = next(streams[n], None)
                if chunk is None:
                    open_streams.discard(n)
                    streams[n].close()
                else:
                    heard[n] += chunk.data
    assert [samples_of(text) for text in texts] == heard


@settings(max_examples=30, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["One", "two,", "three.", "\u56db\u3002", "f\u00fcnf!", "\n"]), min_size=1
    ),
    size=st.integers(1, 60),
    limit=st.integers(12, 200),
)
def test_any_segmentation_gives_the_same_audio(words, size, limit):
    """However a text is split, its audio is the same, and marks ascend inside it."""
    text = "Start " + " ".join(words)
    claims = attrs.evolve(FAKE_CAPABILITIES, max_text=yes(maximum=limit, unit="characters"))
    fake = FakeProvider(capabilities=claims).with_card(segment_chars=size)
    with Client("fake", registry=fake.registry(), settings=Settings()) as client:
        audio = client.synthesize(text)
    # Blanks at the ends may go unsaid; nothing that can be heard may.
    spoken = "".join(request.text for request in fake.requests)
    assert "".join(spoken.split()) == "".join(text.split())
    assert audio.data == samples_of(spoken)
    ends = [mark.end_s for mark in audio.marks]
    assert ends == sorted(ends)
    assert all(0 <= mark.start_s <= mark.end_s <= audio.duration_s for mark in audio.marks)
    assert [text[m.text_start : m.text_end] for m in audio.marks] == [
        word for request in fake.requests for word in re.findall(r"[^ ]+", request.text)
    ]


def provider_with(receive):
    """Return a provider whose exchange runs a loud engine and reads its events by *receive*."""
    fake = FakeProvider()

    class Odd(Exchange):
        def __init__(self, request):
            self.format = request.format

        def open(self):
            return LocalCall(run=lambda sink: sink.audio(LOUD + b"\x01"))

        def receive(self, event):
            return receive(event)

    class Speaker(Synthesizer):
        def exchange(self, request):
            return Odd(request)

    fake.info = attrs.evolve(fake.info, synthesizer=Speaker)
    return fake


def test_an_end_without_the_providers_word_is_a_truncation(face):
    """A reply that is over before the exchange called it finished is an error."""
    fake = provider_with(lambda event: [AudioData(LOUD)] if isinstance(event, LocalOutput) else [])
    chunks, _, error = face.read(face.client(fake), "Hello")
    assert isinstance(error, TruncatedAudio)
    assert "before saying that it was complete" in str(error)
    assert b"".join(chunk.data for chunk in chunks) == LOUD


def test_an_error_waits_for_the_audio_before_it(face):
    """Audio that came together with a failure is given out first, then the error."""
    fake = provider_with(lambda event: [AudioData(event.audio), Finished()])
    chunks, report, error = face.read(face.client(fake), "Hello")
    assert isinstance(error, TruncatedAudio)
    assert b"".join(chunk.data for chunk in chunks) == LOUD
    assert report.end is End.FAILED


def test_facts_before_a_failure_are_kept(face):
    """What a reply told before it failed is in the report, also in that of observers."""
    heard = []

    class Observer:
        @hookimpl
        def vivavoce_synthesis_failed(self, report):
            heard.append((report.facts, report.usage))

    facts = Facts(usage={"characters": 3.0}, other={"place": "here"})
    fake = provider_with(lambda _: [facts, Failed(RequestRejected("No."))])
    _, report, _ = face.read(face.client(fake, plugins=[Observer()]), "Hello")
    assert heard == [({"place": ("here",)}, {"characters": 3.0})]
    assert (report.facts, report.usage) == heard[0]
