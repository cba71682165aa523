"""
Native sessions in memory, stepped by hand.

Each call of a session is a coroutine that the test steps from pause to pause: no event loop, no
thread, no clock. So a test says what happens between which two steps, and what is awaited.
"""

import struct
import threading
import types
from asyncio import CancelledError
from collections import Counter, deque
from math import inf
from typing import ClassVar

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from vivavoce.authoring import (
    AudioData,
    ConnectFailed,
    ConnectionLost,
    DuplexExchange,
    Facts,
    Failed,
    Finished,
    Mark,
    Marks,
    MessageReceived,
    NoAudio,
    Option,
    PeerClosed,
    ProviderUnavailable,
    SendMessage,
    SocketOpened,
    StreamStateError,
    Synthesizer,
    TimedOut,
    TruncatedAudio,
    TurnEnded,
    UnexpectedReply,
    WebSocketCall,
    yes,
)
from vivavoce.face import ClientCore
from vivavoce.hookspecs import hookimpl
from vivavoce.model.report import End
from vivavoce.pipeline.retry import Retry
from vivavoce.pipeline.session import Pump
from vivavoce.settings import Settings, Timeouts
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider

STEPS = 60


@types.coroutine
def pause():
    yield


class Running:
    """A coroutine that is stepped."""

    begun: ClassVar = []

    def __init__(self, coroutine):
        self.begun.append(self)
        self._coroutine = coroutine
        self.is_done = False
        self.value = None
        self.error = None

    def step(self):
        if not self.is_done:
            self._resume(self._coroutine.send, None)

    def cancel(self):
        if not self.is_done:
            self._resume(self._coroutine.throw, CancelledError())

    def _resume(self, way, value):
        try:
            way(value)
        except StopIteration as stop:
            self.is_done, self.value = True, stop.value
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the test looks at it
            self.is_done, self.error = True, error

    def result(self):
        """Step to the end, and return or raise what is there."""
        for _ in range(STEPS):
            self.step()
        assert self.is_done, "it waits for something"
        if self.error is not None:
            raise self.error
        return self.value


@pytest.fixture(autouse=True)
def nothing_waits():
    """What still waits when a test ends is cancelled, and ends."""
    yield
    while Running.begun:
        running = Running.begun.pop()
        running.cancel()
        for _ in range(STEPS):
            running.step()
        assert running.is_done


class MemoryChannel:
    def __init__(self, size):
        self._size = size
        self._items = deque()
        self._is_closed = False

    @property
    def is_full(self):
        return len(self._items) >= self._size

    async def put(self, item):
        while self.is_full and not self._is_closed:
            await pause()
        if not self._is_closed:
            self._items.append(item)
        return not self._is_closed

    async def get(self):
        while not self._items and not self._is_closed:
            await pause()
        return None if self._is_closed else self._items.popleft()

    def close(self):
        self._is_closed = True


class MemoryJob(Running):
    async def stop(self):
        self.cancel()
        while not self.is_done:
            await pause()
            self.step()


class MemoryConversation:
    """Gives the events it was told; one that the peer has closed says so for ever."""

    def __init__(self, runtime, call):
        self.runtime = runtime
        self.sent = [*call.first]
        self.events = deque([SocketOpened()])
        self.is_closed = False

    async def receive(self, timeout_s):
        until = self.runtime.time_s + (inf if timeout_s is None else timeout_s)
        while True:
            if self.is_closed:
                raise StreamStateError("This was closed.")
            if self.events:
                if isinstance(self.events[0], PeerClosed):
                    return self.events[0]
                return self.events.popleft()
            if self.runtime.time_s >= until:
                raise TimeoutError
            await pause()

    async def send(self, data):
        await pause()
        if self.is_closed:
            raise StreamStateError("This was closed.")
        if self.events and isinstance(self.events[-1], PeerClosed):
            raise ConnectionLost("This is lost.")
        self.sent.append(data)

    async def close(self):
        self.is_closed = True
        await pause()

    def tell(self, *words):
        self.events.extend(MessageReceived(word.encode()) for word in words)

    def audio(self, data):
        self.events.append(MessageReceived(data, is_text=False))

    def end(self, code=1006, reason=""):
        self.events.append(PeerClosed(code, reason))


class MemoryRuntime:
    """
    Opens what is scripted.

    Attributes:
        is_held: Whether a connection takes until the test says otherwise.
        refusal: What is raised instead of opening.
    """

    def __init__(self):
        self.time_s = 0.0
        self.is_held = False
        self.refusal = None
        self.conversations = []

    async def open(self, call, timeout_s):
        await pause()
        while self.is_held:
            await pause()
        if self.refusal is not None:
            raise self.refusal
        self.conversations.append(MemoryConversation(self, call))
        return self.conversations[-1]

    def now(self):
        return self.time_s

    def channel(self, size):
        return MemoryChannel(size)

    def spawn(self, job, name):
        return MemoryJob(job)

    async def close(self):
        pass

    @property
    def live(self):
        return self.conversations[-1]

    def open_ones(self):
        return [each for each in self.conversations if not each.is_closed]


class WordExchange(DuplexExchange):
    """
    Words as messages, audio as binary ones.

    "begun" says that text was taken, "turn" ends a turn, "end" the session.
    """

    def __init__(self, request):
        self.format = request.format
        self.begun = False
        self.ends = 0

    def open(self):
        return WebSocketCall(url="ws://localhost/", first=("hello",))

    def interrupt(self):
        self.begun = False
        return WebSocketCall(url="ws://localhost/", first=("hello again",))

    @property
    def has_begun(self):
        return self.begun

    def send(self, text):
        return [SendMessage(text)]

    def flush(self):
        return [SendMessage("/flush")]

    def clear(self):
        return [SendMessage("/clear")]

    def finish(self):
        return [SendMessage("/finish")]

    def receive(self, event):
        if not isinstance(event, MessageReceived):
            return super().receive(event)
        if not event.is_text:
            self.begun = True
            return [AudioData(event.data)]
        word, _, rest = event.data.decode().partition(" ")
        return getattr(self, f"on_{word}")(rest)

    def on_begun(self, _rest):
        self.begun = True
        return []

    def on_turn(self, _rest):
        self.ends += 1
        return [Facts(usage={"turns": float(self.ends)}), TurnEnded()]

    def on_end(self, _rest):
        return [Finished()]

    def on_mark(self, rest):
        start_s, end_s = map(float, rest.split())
        return [Marks([Mark(kind="word", start_s=start_s, end_s=end_s, text_start=0, text_end=1)])]

    def on_fail(self, rest):
        return [Failed(ProviderUnavailable(rest))]

    def on_last(self, rest):
        """All comes at once: audio, a mark past it, and an end."""
        end = Finished() if rest == "end" else Failed(ProviderUnavailable(rest))
        return [AudioData(A), AudioData(B), *self.on_mark("0.0 9.0"), end]

    def on_answer(self, _rest):
        """Something is sent between two pieces of audio."""
        return [AudioData(b"\1\1" * 8), SendMessage("/pong"), AudioData(b"\2\2" * 8)]

    def on_closing(self, _rest):
        return [SendMessage("/pong"), TurnEnded(), Finished(), Failed(ProviderUnavailable("old"))]


class Ears:
    """Notes what is announced."""

    def __init__(self):
        self.heard = []

    @hookimpl
    def vivavoce_synthesis_started(self):
        self.heard.append("started")

    @hookimpl
    def vivavoce_synthesis_finished(self, report):
        self.heard.append(report.end.value)

    @hookimpl
    def vivavoce_synthesis_failed(self):
        self.heard.append("failed")


class World:
    """A client's inside over memory, and one session of it."""

    def __init__(
        self,
        exchange=WordExchange,
        retry=3,
        format_="pcm",
        sample_rate_hz=None,
        plugins=(),
        options=(),
        **limits,
    ):
        capabilities = attrs.evolve(FAKE_CAPABILITIES, stream_in=yes())
        fake = FakeProvider(capabilities=capabilities)

        class Duplex(Synthesizer):
            def exchange(self, request):
                raise NotImplementedError

            def session(self, request):
                return exchange(request)

        models = tuple(attrs.evolve(card, options=options) for card in fake.info.models)
        fake.info = attrs.evolve(fake.info, synthesizer=Duplex, models=models)
        self.runtime = MemoryRuntime()
        self.ears = Ears()
        none = {"first_audio_s": None, "between_chunks_s": None, "connect_s": None}
        self.core = ClientCore(
            "fake",
            runtime=lambda: self.runtime,
            api_key=None,
            base_url=None,
            region=None,
            timeouts=Timeouts(**{**none, **limits}),
            retry=Retry(attempts=retry),
            strict=False,
            settings=Settings(),
            registry=fake.registry(self.ears, *plugins),
        )
        wishes = {"format": format_, "sample_rate_hz": sample_rate_hz}
        self.plan = self.core.session_plan(wishes)
        self.session = self.core.session(self.plan)

    def opened(self):
        Running(self.session.open()).result()
        return self

    @property
    def live(self):
        return self.runtime.live

    def do(self, what, *args):
        return Running(getattr(self.session, what)(*args)).result()

    def begin(self, what, *args):
        """Begin a call, and step until it waits."""
        running = Running(getattr(self.session, what)(*args))
        return self.go_on(running)

    def go_on(self, running, steps=STEPS):
        for _ in range(steps):
            running.step()
        return running

    def pass_time(self, seconds, running):
        self.runtime.time_s += seconds
        return self.go_on(running)

    def nothing_left(self):
        self.do("close")
        assert self.runtime.open_ones() == []


A, B = b"\1\1" * 80, b"\2\2" * 80


# What is sent, and when


def test_nothing_is_waited_for_at_the_start():
    """Text is sent before anything has come."""
    world = World().opened()
    world.do("send", "One.")
    world.do("flush")
    world.do("finish")
    assert world.live.sent == ["hello", "One.", "/flush", "/finish"]


def test_text_without_characters_is_not_sent():
    """An empty piece sends nothing."""
    world = World().opened()
    world.do("send", "")
    assert world.live.sent == ["hello"]


def test_finish_is_said_once():
    """Finishing again sends nothing more, and text after it is refused."""
    world = World().opened()
    world.do("finish")
    world.do("finish")
    assert world.live.sent == ["hello", "/finish"]
    with pytest.raises(StreamStateError, match="takes no more text"):
        world.do("send", "One.")


def test_a_whole_session():
    """Audio comes as it is made, the end after the last; the report sums turns and characters."""
    world = World().opened()
    world.do("send", "One.")
    world.live.audio(A)
    assert world.do("next_chunk").data == A
    world.live.tell("turn")
    world.do("send", "Two")
    world.do("flush")
    world.live.audio(B)
    chunk = world.do("next_chunk")
    assert (chunk.data, chunk.start_s) == (B, 80 / 16_000)
    world.live.tell("turn", "end")
    world.do("finish")
    assert world.do("next_chunk") is None
    report = world.session.report
    assert (report.end, report.characters, report.segments) == (End.COMPLETE, 7, 1)
    assert report.usage == {"turns": 2.0}
    assert report.audio_s == 160 / 16_000
    assert world.ears.heard == ["started", "complete"]
    assert world.runtime.open_ones() == []


def test_after_the_end():
    """A session that has ended takes nothing and gives nothing."""
    world = World().opened()
    world.do("finish")
    world.live.tell("end")
    assert world.do("next_chunk") is None
    assert world.do("next_chunk") is None
    for what in ("flush", "clear", "interrupt"):
        with pytest.raises(StreamStateError, match="over"):
            world.do(what)
    assert world.do("is_usable") is False


def test_one_reader():
    """A second reader beside one that waits is refused."""
    world = World().opened()
    waiting = world.begin("next_chunk")
    with pytest.raises(StreamStateError, match="one reader"):
        world.do("next_chunk")
    assert not waiting.is_done
    world.live.audio(A)
    assert waiting.result().data == A


# What was heard at the end


def test_speech_without_audio():
    """An end without any audio for text that can be spoken is an error."""
    world = World().opened()
    world.do("send", "One.")
    world.do("finish")
    world.live.tell("end")
    with pytest.raises(NoAudio):
        world.do("next_chunk")


@pytest.mark.parametrize("text", ["", "...", "\n"])
def test_nothing_to_speak(text):
    """An end without audio is none where there was nothing to speak."""
    world = World().opened()
    world.do("send", text)
    world.do("finish")
    world.live.tell("end")
    assert world.do("next_chunk") is None
    assert world.session.report.end is End.COMPLETE


@pytest.mark.parametrize("what", ["clear", "interrupt"])
def test_nothing_left_to_speak(what):
    """An end without audio is none where all text was dropped before it was spoken."""
    world = World().opened()
    world.do("send", "One.")
    world.do(what)
    world.do("finish")
    world.live.tell("end")
    assert world.do("next_chunk") is None


def test_flushed_text_is_not_dropped_by_clear():
    """Text that was flushed before it is still owed after a clear."""
    world = World().opened()
    world.do("send", "One.")
    world.do("flush")
    world.do("clear")
    world.do("finish")
    world.live.tell("end")
    with pytest.raises(NoAudio):
        world.do("next_chunk")


def test_a_torn_end():
    """An end in the middle of a sample is an error that comes after the whole ones."""
    world = World().opened()
    world.do("send", "One.")
    world.live.audio(A + b"\1")
    world.live.tell("end")
    assert world.do("next_chunk").data == A
    with pytest.raises(TruncatedAudio):
        world.do("next_chunk")


def test_an_error_of_no_audio_counts_what_was_given():
    """The error of a session that stayed silent tells how much text that was."""
    world = World().opened()
    world.do("send", "One. ")
    world.do("send", "Two.")
    world.do("finish")
    world.live.tell("end")
    with pytest.raises(NoAudio, match="for 9 characters"):
        world.do("next_chunk")


def test_what_was_billed_is_told_of_a_failed_end():
    """The report keeps what was billed, though the end of it was refused."""
    world = World().opened()
    world.do("send", "One.")
    world.do("finish")
    world.live.tell("turn", "end")
    with pytest.raises(NoAudio):
        world.do("next_chunk")
    assert world.session.report.usage == {"turns": 1.0}


def test_flush_after_the_last_text():
    """What was finished is spoken: a flush sends nothing more."""
    world = World().opened()
    world.do("send", "One.")
    world.do("finish")
    world.do("flush")
    assert world.live.sent == ["hello", "One.", "/finish"]


def test_clear_after_the_last_text():
    """What was finished is not taken back, and it is said what would give it up."""
    world = World().opened()
    world.do("send", "One.")
    world.do("finish")
    with pytest.raises(StreamStateError, match="Interrupt it"):
        world.do("clear")
    assert world.live.sent == ["hello", "One.", "/finish"]


def test_the_end_is_taken_with_the_lock():
    """No other thread interrupts a session while it takes its end."""
    world = World().opened()
    world.do("finish")
    world.live.tell("end")
    complete, was_free = world.session._complete, []

    def look():
        was_free.append(world.session._lock.acquire(blocking=False))
        if was_free[-1]:
            world.session._lock.release()

    def noting():
        other = threading.Thread(target=look)
        other.start()
        other.join()
        complete()

    world.session._complete = noting
    assert world.do("next_chunk") is None
    assert was_free == [False]


# Interruption


def test_what_is_ready_is_dropped():
    """Audio that came and was not read yet is not delivered after an interruption."""
    world = World().opened()
    world.do("send", "One. Two.")
    world.live.tell("answer")
    first = world.do("next_chunk")
    assert first.data == b"\1\1" * 8
    told = world.do("interrupt")
    assert (told.sent_chars, told.spoken_chars, told.audio_s) == (9, None, 8 / 16_000)
    world.do("send", "Three.")
    world.live.audio(B)
    chunk = world.do("next_chunk")
    assert (chunk.data, chunk.start_s) == (B, 8 / 16_000)
    assert world.session.report.audio_s == 88 / 16_000


def test_time_goes_on_from_what_was_heard():
    """After an interruption marks and chunks are placed behind what was handed out."""
    world = World().opened()
    world.do("send", "One. Two.")
    world.live.audio(A)
    world.do("next_chunk")
    world.live.tell("mark 0.0 9.0")
    waiting = world.begin("next_chunk")
    world.do("interrupt")
    world.live.tell("mark 0.001 0.002")
    world.live.audio(B)
    chunk = waiting.result()
    (mark,) = chunk.marks
    assert chunk.start_s == pytest.approx(0.005)
    assert (mark.start_s, mark.end_s) == pytest.approx((0.006, 0.007))
    world.do("finish")
    world.live.tell("end")
    assert world.do("next_chunk") is None, "the mark of before is gone"


def test_an_interruption_goes_on_elsewhere():
    """The connection of before is cut, and text goes to another that was opened anew."""
    world = World().opened()
    world.do("send", "One.")
    before = world.live
    world.do("interrupt")
    world.do("send", "Two.")
    assert before.is_closed
    assert before.sent == ["hello", "One."]
    assert world.live.sent == ["hello again", "Two."]


def test_the_old_connection_is_cut_first():
    """The connection of before is cut before another is there: what it makes is billed."""
    world = World().opened()
    world.do("send", "One.")
    world.runtime.is_held = True
    interrupting = world.begin("interrupt")
    assert not interrupting.is_done
    assert world.live.is_closed
    world.runtime.is_held = False
    interrupting.result()


class Delay:
    """A plugin whose middleware gives each chunk when the next has come."""

    @hookimpl
    def vivavoce_stream_middleware(self):
        return Delaying()


class Delaying:
    def __init__(self):
        self._held = []

    def feed(self, chunk):
        given, self._held = self._held, [chunk]
        return given

    def finish(self):
        return self._held


def test_what_middleware_holds_back_is_dropped():
    """Audio that middleware held back when the session was interrupted is never heard."""
    world = World(plugins=[Delay()]).opened()
    world.do("send", "One.")
    world.live.audio(A)
    waiting = world.begin("next_chunk")
    world.do("interrupt")
    world.do("send", "Two.")
    world.do("finish")
    world.live.audio(B)
    world.live.tell("end")
    assert waiting.result().data == B
    assert world.do("next_chunk") is None


def test_silence_after_an_interruption():
    """Text after an interruption that nothing is heard of is an error, whatever was before."""
    world = World().opened()
    world.do("send", "One.")
    world.live.audio(A)
    world.do("next_chunk")
    world.do("interrupt")
    world.do("send", "Two.")
    world.do("finish")
    world.live.tell("end")
    with pytest.raises(NoAudio):
        world.do("next_chunk")


def test_a_reader_stays_through_an_interruption():
    """A reader that waits gets the audio of the text that is given after it."""
    world = World().opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.do("interrupt")
    world.go_on(waiting)
    assert not waiting.is_done
    world.do("send", "Two.")
    world.live.audio(B)
    assert waiting.result().data == B


def test_audio_that_comes_during_an_interruption():
    """Audio of before, that comes while another connection is being opened, is dropped."""
    world = World().opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.runtime.is_held = True
    interrupting = world.begin("interrupt")
    world.live.audio(A + b"\1")
    world.live.tell("turn", "fail old")
    world.go_on(waiting)
    assert not waiting.is_done
    world.runtime.is_held = False
    interrupting.result()
    world.do("send", "Two.")
    world.live.audio(B)
    assert waiting.result().data == B


@pytest.mark.parametrize("piece", [A, A + b"\1", b"\1"])
def test_a_torn_sample_is_dropped_too(piece):
    """Of an interrupted response not even half a sample is left."""
    world = World().opened()
    world.do("send", "One.")
    world.live.audio(piece)
    waiting = world.begin("next_chunk")
    world.do("interrupt")
    world.do("send", "Two.")
    world.live.audio(B)
    chunk = waiting.result()
    assert (world.do("next_chunk").data if chunk.data == A else chunk.data) == B


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("word", ["answer", "closing"])
def test_an_interruption_inside_an_event(word, is_held):
    """Of an event nothing more is taken once the session was interrupted, not even its end."""
    world = World().opened()
    world.do("send", "One.")
    world.live.tell(word)
    waiting = Running(world.session.next_chunk())
    waiting.step()
    assert (waiting.is_done, len(world.live.events)) == (False, 0), "it waits to send"
    world.runtime.is_held = is_held
    interrupting = world.begin("interrupt")
    world.go_on(waiting)
    world.runtime.is_held = False
    interrupting.result()
    world.go_on(waiting)
    assert not waiting.is_done
    world.live.audio(B)
    assert waiting.result().data == B


def test_the_peer_closes_during_an_interruption():
    """A connection that ends while another takes its place is no failure, and is not waited on."""
    world = World().opened()
    world.do("send", "One.")
    world.live.tell("begun")
    waiting = world.begin("next_chunk")
    world.runtime.is_held = True
    interrupting = world.begin("interrupt")
    world.live.end()
    for _ in range(3):
        world.go_on(waiting)
    assert not waiting.is_done
    world.runtime.is_held = False
    interrupting.result()
    world.live.audio(B)
    assert waiting.result().data == B


def test_what_the_old_connection_says_is_not_understood():
    """What comes late on a connection that is being replaced tells nothing of the next one."""
    world = World().opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.runtime.is_held = True
    interrupting = world.begin("interrupt")
    world.live.tell("begun")
    world.go_on(waiting)
    world.runtime.is_held = False
    interrupting.result()
    world.do("send", "Two.")
    world.live.end()
    world.go_on(waiting)
    assert world.live.sent == ["hello again", "Two."]
    assert not waiting.is_done


def test_the_converter_is_emptied():
    """What a resampler holds of interrupted audio is dropped with it."""
    pytest.importorskip("soxr")
    loud, quiet = (struct.pack("<h", level) * 8000 for level in (20_000, 300))
    world = World(sample_rate_hz=24_000).opened()
    world.do("send", "One.")
    world.live.audio(loud)
    world.do("next_chunk")
    world.do("interrupt")
    world.do("send", "Two.")
    world.live.audio(quiet)
    samples = struct.iter_unpack("<h", world.do("next_chunk").data)
    assert max(abs(level) for (level,) in samples) < 1000


def test_text_given_during_an_interruption():
    """Text that is given while another connection is opened is sent on that one, once."""
    world = World().opened()
    world.runtime.is_held = True
    interrupting = world.begin("interrupt")
    sending = world.begin("send", "Two.")
    assert not sending.is_done
    world.runtime.is_held = False
    interrupting.result()
    sending.result()
    assert [each.sent for each in world.runtime.conversations] == [
        ["hello"],
        ["hello again", "Two."],
    ]


def test_interrupting_twice():
    """An interruption during another waits for it, and then is one itself."""
    world = World().opened()
    world.do("send", "One.")
    world.runtime.is_held = True
    first, second = world.begin("interrupt"), world.begin("interrupt")
    world.runtime.is_held = False
    first.result()
    second.result()
    world.do("interrupt")
    assert len(world.runtime.conversations) == 4
    assert len(world.runtime.open_ones()) == 1
    world.do("send", "Two.")
    world.live.audio(B)
    assert world.do("next_chunk").data == B


def test_text_after_an_interruption_of_a_finished_session():
    """A session that was finished and then interrupted takes text again."""
    world = World().opened()
    world.do("send", "One.")
    world.do("finish")
    world.do("interrupt")
    world.do("send", "Two.")
    world.do("finish")
    assert world.live.sent == ["hello again", "Two.", "/finish"]


def test_interrupting_what_has_come_whole():
    """A session whose end has come but was not read is interrupted like any other."""
    world = World().opened()
    world.do("send", "One.")
    world.do("finish")
    world.live.tell("last end")
    assert world.do("next_chunk").data == A
    assert world.runtime.open_ones() == []
    world.do("interrupt")
    world.do("send", "Two.")
    world.do("finish")
    world.live.audio(B)
    world.live.tell("end")
    chunk = world.do("next_chunk")
    assert (chunk.data, chunk.marks, chunk.start_s) == (B, (), 80 / 16_000)
    assert world.do("next_chunk") is None
    assert world.session.report.characters == 8
    assert world.session.report.end is End.COMPLETE


def test_an_interruption_that_finds_no_way():
    """Where no other connection is had the session ends, and what was being said is not."""
    world = World().opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.live.audio(A)
    world.runtime.refusal = ConnectFailed("Nobody there.")
    with pytest.raises(ConnectFailed) as caught:
        world.do("interrupt")
    assert caught.value.provider == "fake"
    assert waiting.result() is None
    assert world.runtime.open_ones() == []
    assert world.ears.heard == ["started", "failed"]


@pytest.mark.parametrize("format_", ["pcm", "wav"])
def test_interruption_in_a_container(format_):
    """A container goes on after an interruption; it does not begin again."""
    world = World(format_=format_).opened()
    world.do("send", "One.")
    world.live.audio(A)
    heard = world.do("next_chunk").data
    world.do("interrupt")
    world.live.audio(B)
    heard += world.do("next_chunk").data
    assert heard.count(b"RIFF") == (format_ == "wav")
    assert heard.endswith(A + B)


# The connection is lost


def test_lost_before_text_was_taken():
    """A connection lost before any text was taken is made again, and the text sent once more."""
    world = World().opened()
    world.do("send", "One.")
    world.do("flush")
    world.live.end(1001, "idle")
    waiting = world.begin("next_chunk")
    first, second = world.runtime.conversations
    assert first.is_closed
    assert second.sent == ["hello again", "One.", "/flush"]
    second.audio(A)
    assert waiting.result().data == A
    assert world.session.report.warnings == ("attempt 2 after ConnectionLost",)


def test_lost_twice_before_text_was_taken():
    """What was given is sent on each connection that is made again, and those have an end."""
    world = World(retry=3).opened()
    world.do("send", "One.")
    world.live.end(1001)
    waiting = world.begin("next_chunk")
    world.live.end(1001)
    world.go_on(waiting)
    assert world.live.sent == ["hello again", "One."]
    world.live.end(1011, "overloaded")
    with pytest.raises(ConnectionLost, match=r"1011.*overloaded") as caught:
        waiting.result()
    assert caught.value.close_code == 1011
    assert len(world.runtime.conversations) == 3


def test_lost_after_text_was_taken():
    """A connection lost after text was taken is an error, and nothing is sent twice."""
    world = World().opened()
    world.do("send", "One.")
    world.live.tell("begun")
    waiting = world.begin("next_chunk")
    world.do("send", "Two.")
    assert world.session._given == [], "nothing is kept that will not be sent again"
    world.live.end(1011, "overloaded")
    with pytest.raises(ConnectionLost, match="overloaded"):
        waiting.result()
    assert len(world.runtime.conversations) == 1
    with pytest.raises(StreamStateError):
        world.do("send", "Two.")


def test_each_interruption_has_its_own_attempts():
    """However often a session was interrupted, what waits for text is connected again."""
    world = World(retry=2).opened()
    waiting = world.begin("next_chunk")
    for _ in range(3):
        world.live.end(1001, "idle")
        world.go_on(waiting)
        world.do("interrupt")
    world.do("send", "One.")
    world.live.audio(A)
    assert waiting.result().data == A


def test_not_asked_for_again():
    """With one attempt nothing is made again."""
    world = World(retry=1).opened()
    world.do("send", "One.")
    world.live.end()
    with pytest.raises(ConnectionLost):
        world.do("next_chunk")


def test_text_that_was_taken_is_forgotten():
    """What was taken before an interruption is not sent when a later connection is lost."""
    world = World().opened()
    world.do("send", "One.")
    world.live.tell("begun")
    waiting = world.begin("next_chunk")
    world.do("interrupt")
    world.do("send", "Two.")
    world.live.end()
    world.go_on(waiting)
    assert world.live.sent == ["hello again", "Two."]


def test_dropped_text_is_not_given_again():
    """What an interruption dropped is not sent when a later connection is lost."""
    world = World().opened()
    world.do("send", "One.")
    world.do("interrupt")
    world.live.end()
    waiting = world.begin("next_chunk")
    world.do("send", "Two.")
    assert world.live.sent == ["hello again", "Two."]
    assert not waiting.is_done


def test_text_given_while_connecting_again():
    """Text given while a lost connection is made again comes after what was given before."""
    world = World().opened()
    world.do("send", "One.")
    world.live.end()
    world.runtime.is_held = True
    waiting = world.begin("next_chunk")
    sending = world.begin("send", "Two.")
    world.runtime.is_held = False
    world.go_on(waiting)
    sending.result()
    assert world.live.sent == ["hello again", "One.", "Two."]
    assert len(world.runtime.conversations) == 2


def test_sending_finds_the_connection_lost():
    """A giver that finds the connection lost goes on: the reader learns why, or sends it again."""
    world = World().opened()
    world.live.end(1001)
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    assert world.live.sent == ["hello again", "One."]
    world.live.audio(A)
    assert waiting.result().data == A


@pytest.mark.parametrize("kind", [ConnectFailed, UnexpectedReply])
def test_sending_finds_any_end(kind):
    """Whatever a giver finds wrong with the connection is for the reader to tell."""
    world = World().opened()

    async def refuse(_data):
        raise kind("It ended.")

    world.live.send = refuse
    world.do("send", "One.")
    world.live.tell("fail why")
    with pytest.raises(ProviderUnavailable, match="why"):
        world.do("next_chunk")


def test_an_error_comes_after_the_audio():
    """What came before an error is delivered first; the error tells how much it was."""
    world = World().opened()
    world.do("send", "One.")
    world.live.tell("answer", "fail broken")
    assert world.do("next_chunk").data == b"\1\1" * 8
    assert world.do("next_chunk").data == b"\2\2" * 8
    with pytest.raises(ProviderUnavailable, match="broken") as caught:
        world.do("next_chunk")
    assert (caught.value.provider, caught.value.audio_delivered_s) == ("fake", 16 / 16_000)
    assert world.do("next_chunk") is None
    assert world.session.report.end is End.FAILED


def test_a_source_finds_the_session_failed():
    """A source that finds its session failed takes neither audio nor error from the reader."""
    world = World().opened()
    world.live.tell("last broken")
    assert world.do("next_chunk").data == A
    pump = Pump(world.session, ["One."], world.runtime)
    world.go_on(pump._job)
    assert pump._job.is_done
    assert pump.error is None
    assert world.do("next_chunk").data == B
    with pytest.raises(ProviderUnavailable, match="broken"):
        world.do("next_chunk")


# Limits

FIRST = {"first_audio_s": 5.0, "between_chunks_s": 3.0}


def test_no_first_audio():
    """Text for which no audio comes within the limit is an error."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.pass_time(4.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut) as caught:
        waiting.result()
    assert (caught.value.phase, caught.value.limit_s) == ("first_audio", 5.0)


def test_text_given_while_a_reader_waits():
    """A reader that waited without limit has one from the moment text is given."""
    world = World(**FIRST).opened()
    waiting = world.begin("next_chunk")
    for _ in range(30):
        world.pass_time(1.0, waiting)
    world.do("send", "One.")
    for _ in range(9):
        world.pass_time(0.5, waiting)
    assert not waiting.is_done
    for _ in range(2):
        world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut):
        waiting.result()


@pytest.mark.parametrize(
    "calls",
    [
        [],
        [("flush",)],
        [("clear",)],
        [("send", "...")],
        [("send", "..."), ("flush",)],
        [("send", "One."), ("turn",)],
        [("send", "One."), ("clear",)],
        [("send", "One."), ("clear",), ("flush",)],
        [("send", "One."), ("flush",), ("interrupt",)],
        [("send", "One."), ("finish",), ("interrupt",)],
        [("send", "One."), ("interrupt",), ("flush",)],
    ],
)
def test_an_idle_session_has_no_limit(calls):
    """A session that owes no audio is waited for without end."""
    world = World(**FIRST).opened()
    for call in calls:
        if call == ("turn",):
            world.live.tell("turn")
        else:
            world.do(*call)
    waiting = world.begin("next_chunk")
    for _ in range(100):
        world.pass_time(1.0, waiting)
    assert not waiting.is_done


def test_a_turn_that_has_ended_is_idle():
    """After the end of a turn nothing is owed, until more is flushed."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("flush")
    world.live.audio(A)
    world.do("next_chunk")
    world.live.tell("turn")
    waiting = world.begin("next_chunk")
    for _ in range(100):
        world.pass_time(1.0, waiting)
    world.do("send", "Two.")
    for _ in range(100):
        world.pass_time(1.0, waiting)
    assert not waiting.is_done, "a sentence may go on"
    world.do("flush")
    world.pass_time(2.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut) as caught:
        waiting.result()
    assert (caught.value.phase, caught.value.limit_s) == ("between_chunks", 3.0)


@pytest.mark.parametrize("what", ["flush", "finish"])
def test_silence_in_the_middle(what):
    """Silence after what was flushed or finished, before its end, is an error."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do(what)
    world.live.audio(A)
    world.do("next_chunk")
    waiting = world.begin("next_chunk")
    world.pass_time(2.5, waiting)
    world.live.audio(A)
    assert world.go_on(waiting).is_done
    waiting = world.begin("next_chunk")
    world.pass_time(2.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut) as caught:
        waiting.result()
    assert caught.value.phase == "between_chunks"
    assert caught.value.audio_delivered_s == 160 / 16_000


def test_audio_without_a_chunk_is_heard_too():
    """Audio too short for a whole sample shows that the provider is at work."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("flush")
    world.live.audio(A)
    world.do("next_chunk")
    waiting = world.begin("next_chunk")
    world.pass_time(2.5, waiting)
    world.live.audio(b"\2")
    world.go_on(waiting)
    world.pass_time(2.5, waiting)
    assert not waiting.is_done
    world.live.audio(b"\2")
    assert waiting.result().data == b"\2\2"


def test_an_end_without_text_is_owed():
    """The end of a session is owed though no text was given."""
    world = World(**FIRST).opened()
    world.do("finish")
    waiting = world.begin("next_chunk")
    world.pass_time(5.0, waiting)
    with pytest.raises(TimedOut):
        waiting.result()


def test_an_interruption_forgets_the_flush():
    """Text after an interruption may wait for more of it, though a flush was interrupted."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("flush")
    world.do("interrupt")
    world.do("send", "Two.")
    world.live.audio(B)
    world.do("next_chunk")
    waiting = world.begin("next_chunk")
    for _ in range(20):
        world.pass_time(1.0, waiting)
    assert not waiting.is_done


def test_clear_leaves_what_was_flushed_its_limit():
    """The limit on what was flushed stays when what came after it is cleared."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("flush")
    world.do("clear")
    waiting = world.begin("next_chunk")
    world.pass_time(5.0, waiting)
    with pytest.raises(TimedOut):
        waiting.result()


def test_the_end_is_owed_after_the_last_turn():
    """The end of a finished session is owed though the last turn has ended."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("finish")
    world.live.audio(A)
    world.do("next_chunk")
    world.live.tell("turn")
    waiting = world.begin("next_chunk")
    world.pass_time(3.0, waiting)
    with pytest.raises(TimedOut):
        waiting.result()


def test_the_readers_own_time_is_not_counted():
    """A reader that comes late finds the whole limit before it."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("flush")
    world.live.audio(A)
    world.do("next_chunk")
    world.runtime.time_s += 60.0
    waiting = world.begin("next_chunk")
    world.pass_time(2.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut):
        waiting.result()


def test_the_whole_has_a_limit():
    """The limit of the whole holds for an idle session too, and for a connection."""
    world = World(total_s=7.0).opened()
    waiting = world.begin("next_chunk")
    world.pass_time(6.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut) as caught:
        waiting.result()
    assert (caught.value.phase, caught.value.limit_s) == ("total", 7.0)


def test_a_connection_made_again_has_its_own_limit():
    """What is given again after a lost connection has the limit from then."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.pass_time(4.5, waiting)
    world.live.end()
    world.go_on(waiting)
    world.pass_time(4.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut):
        waiting.result()


def test_an_interruption_begins_the_limits_anew():
    """The first audio after an interruption has the limit of a first audio."""
    world = World(**FIRST).opened()
    world.do("send", "One.")
    world.do("flush")
    world.live.audio(A)
    world.do("next_chunk")
    world.do("interrupt")
    world.do("send", "Two.")
    waiting = world.begin("next_chunk")
    world.pass_time(4.5, waiting)
    assert not waiting.is_done
    world.pass_time(0.5, waiting)
    with pytest.raises(TimedOut) as caught:
        waiting.result()
    assert caught.value.phase == "first_audio"


def test_time_to_first_audio_counts_from_the_first_text():
    """The time to the first audio begins with the first text, not with the connection."""
    world = World().opened()
    world.runtime.time_s = 100.0
    world.do("send", "One.")
    world.runtime.time_s = 101.5
    world.do("send", "Two.")
    world.live.audio(A)
    world.do("next_chunk")
    world.runtime.time_s = 103.0
    world.live.audio(A)
    world.do("next_chunk")
    assert world.session.report.ttfa_s == 1.5


# Leaving


def test_close_while_a_reader_waits():
    """A reader that waits when the session is closed finds its end, which is no failure."""
    world = World().opened()
    world.do("send", "One.")
    waiting = world.begin("next_chunk")
    world.do("close")
    assert waiting.result() is None
    world.do("close")
    assert world.ears.heard == ["started", "cancelled"]
    assert world.session.report.end is End.CANCELLED


@pytest.mark.parametrize("steps", range(1, 8))
@pytest.mark.parametrize("what", ["open", "interrupt", "again"])
def test_close_while_connecting(what, steps):
    """A session closed while a connection is opened, at any step, leaves none open."""
    world = World()
    if what == "open":
        connecting = Running(world.session.open())
    else:
        world.opened().do("send", "One.")
        if what == "again":
            world.live.end()
        connecting = Running(
            world.session.next_chunk() if what == "again" else world.session.interrupt()
        )
    world.go_on(connecting, steps)
    world.do("close")
    world.go_on(connecting)
    assert connecting.is_done
    assert connecting.error is None or "over" in str(connecting.error)
    assert world.runtime.open_ones() == []
    assert world.do("next_chunk") is None
    assert world.ears.heard in (["started", "cancelled"], ["cancelled"])


@pytest.mark.parametrize("steps", range(1, 8))
@pytest.mark.parametrize("what", ["open", "send", "interrupt", "again", "next_chunk", "close"])
def test_cancelled_anywhere(what, steps):
    """A call that is cancelled at any of its steps leaves nothing open once it is closed."""
    world = World()
    if what != "open":
        world.opened()
    if what in ("again", "next_chunk", "interrupt"):
        world.do("send", "One.")
    if what == "again":
        world.live.end()
    arguments = ("Two.",) if what == "send" else ()
    call = getattr(world.session, "next_chunk" if what == "again" else what)(*arguments)
    running = Running(call)
    world.go_on(running, steps)
    was_done = running.is_done
    running.cancel()
    world.go_on(running)
    assert running.is_done
    assert was_done or isinstance(running.error, CancelledError)
    if what == "interrupt" and not was_done:
        # Half done it would leave the old speech going on.
        assert world.do("next_chunk") is None
    world.nothing_left()


# Opened ahead


def warm(world):
    assert Running(world.core.prewarm(world.plan)).result()
    return world.live


def taken(world, **wishes):
    return Running(
        world.core.opened_session(world.core.session_plan({"format": "pcm", **wishes}))
    ).result()


def test_a_session_opened_ahead_is_used_once():
    """The next session with the same wishes gets the connection opened ahead; others do not."""
    world = World()
    ahead = warm(world)
    other = taken(world, rate=1.5)
    assert other._request.conversation is not ahead
    first, second = taken(world), taken(world)
    assert first._request.conversation is ahead
    assert second._request.conversation is not ahead
    Running(first.send("One.")).result()
    assert ahead.sent == ["hello", "One."]


def test_the_same_wishes_are_planned_once():
    """Sessions with the same wishes share a plan; with others they do not."""
    core = World().core
    plan = core.session_plan({"rate": 1.5})
    assert core.session_plan({"rate": 1.5}) is plan
    assert core.session_plan({"rate": 1.6}) is not plan
    assert core.session_plan({"rate": 1.5}) == plan
    assert core.session_plan({"rate": 1.5, "format": "mulaw"}).target != plan.target


@pytest.mark.parametrize(("good", "bad"), [(True, 1), (False, 0)])
def test_what_is_equal_is_not_the_same(good, bad):
    """A wish that equals the last one, but is of another type, is looked at anew."""
    core = World(options=(Option(name="loud", meaning="", type=bool),)).core
    assert not core.session_plan({"options": {"loud": good}}).errors
    assert core.session_plan({"options": {"loud": bad}}).errors
    assert not core.session_plan({"options": {"loud": good}}).errors


def test_a_wish_that_changes():
    """A mapping of options that its owner changes is looked at anew."""
    core = World(options=(Option(name="loud", meaning="", type=bool),)).core
    options = {"loud": True}
    assert core.session_plan({"options": options}).utterance.options == {"loud": True}
    options["loud"] = False
    assert core.session_plan({"options": options}).utterance.options == {"loud": False}


def test_marks_that_are_used_up():
    """Marks given as an iterator are not taken for asked again once it is at its end."""
    core = World().core
    marks = iter([])
    plan = core.session_plan({"marks": marks})
    assert core.session_plan({"marks": marks}) is not plan


def test_one_opened_ahead_with_equal_wishes():
    """A session opened ahead is for the same wishes, not for such as are equal to them."""
    world = World(options=(Option(name="speed", meaning="", type=float),))
    plans = [world.core.session_plan({"options": {"speed": speed}}) for speed in (1, 1.0)]
    Running(world.core.prewarm(plans[0])).result()
    ahead = world.live
    other = Running(world.core.opened_session(plans[1])).result()
    assert other._request.conversation is not ahead
    same = Running(world.core.opened_session(attrs.evolve(plans[0]))).result()
    assert same._request.conversation is ahead


@pytest.mark.parametrize("how", ["closed", "ended", "failed", "over"])
def test_a_stale_one_is_discarded(how):
    """A session opened ahead that has ended meanwhile is closed, and a fresh one is used."""
    world = World()
    ahead = warm(world)
    if how == "closed":
        ahead.end(1001)
    elif how == "ended":
        ahead.tell("end")
    elif how == "failed":
        ahead.tell("fail idle")
    else:
        Running(world.core._warm[0].close()).result()
    session = taken(world)
    assert session._request.conversation is world.live is not ahead
    assert ahead.is_closed
    assert world.core._warm == []


def test_what_came_ahead_is_read():
    """What a session opened ahead was told meanwhile is not lost."""
    world = World()
    ahead = warm(world)
    ahead.tell("turn")
    assert taken(world).report.usage == {"turns": 1.0}


def test_its_time_begins_when_it_is_taken():
    """The limit of the whole and the times of the report count from when it is taken."""
    world = World(total_s=10.0)
    warm(world)
    world.runtime.time_s = 60.0
    session = taken(world)
    waiting = Running(session.next_chunk())
    world.pass_time(9.0, waiting)
    assert not waiting.is_done
    assert session.report.total_s == 9.0


def test_closing_the_client_closes_what_was_opened_ahead():
    """A client that is closed closes the sessions it opened ahead."""
    world = World()
    warm(world)
    warm(world)
    Running(world.core.close()).result()
    assert world.runtime.open_ones() == []


def test_closing_the_client_while_one_is_opened():
    """A session that is being opened ahead when the client is closed is closed too."""
    world = World()
    world.runtime.is_held = True
    warming = world.go_on(Running(world.core.prewarm(world.plan)))
    Running(world.core.close()).result()
    world.runtime.is_held = False
    with pytest.raises(StreamStateError, match="client is closed"):
        warming.result()
    assert world.runtime.open_ones() == []


@pytest.mark.parametrize("steps", range(1, 4))
def test_cancelled_while_one_is_looked_at(steps):
    """A session opened ahead is not left open when its taker is cancelled."""
    world = World()
    ahead = warm(world)
    ahead.end()
    taking = world.go_on(
        Running(world.core.opened_session(world.core.session_plan({"format": "pcm"}))), steps
    )
    taking.cancel()
    world.go_on(taking)
    assert ahead.is_closed
    assert len(world.runtime.open_ones()) == (taking.error is None)


# Anything, in any order


class NumberedExchange(WordExchange):
    """Audio carries the number of its response; clear drops responses that say nothing yet."""

    def __init__(self, request):
        super().__init__(request)
        self.usage = 0.0
        self.forget()

    def forget(self):
        self.created, self.audible, self.ended, self.cleared = set(), set(), set(), set()

    def interrupt(self):
        self.forget()
        return super().interrupt()

    def clear(self):
        self.cleared |= self.created - self.audible
        return super().clear()

    def receive(self, event):
        if isinstance(event, MessageReceived) and not event.is_text:
            number, data = event.data[0], event.data[1:]
            if number in self.ended | self.cleared:
                return []
            self.audible.add(number)
            return [AudioData(data)]
        return super().receive(event)

    def on_created(self, rest):
        self.begun = True
        self.created.add(int(rest))
        return []

    def on_done(self, rest):
        number = int(rest)
        if number in self.ended:
            return []
        self.ended.add(number)
        self.usage += 1
        return [Facts(usage={"responses": self.usage}), TurnEnded()]


class Response:
    """What the server says in one response: samples that carry its number."""

    def __init__(self, number, conversation):
        self.number = number
        self.conversation = conversation
        self.sent = 0  # bytes
        self.is_done = False
        self.is_cleared = False

    def next_bytes(self, count):
        stream = b"".join(
            bytes((at % 256, self.number)) for at in range((self.sent + count) // 2 + 1)
        )
        data = stream[self.sent : self.sent + count]
        self.sent += count
        return data

    def all_bytes(self):
        sent, self.sent = self.sent, 0
        return self.next_bytes(sent)


class SessionMachine(RuleBasedStateMachine):
    """A giver and a reader of a session, and a server with a mind of its own."""

    seen: ClassVar = Counter()

    def __init__(self):
        super().__init__()
        self.world = World(exchange=NumberedExchange)
        self.runtime = self.world.runtime
        self.responses = []
        self.calls = []
        self.heard = []
        self.forbidden = set()
        self.counted = set()
        self.is_over = False
        self.interrupting = None
        self.error = None
        self.calm = 0
        Running.begun.clear()

    def may_end(self):
        """Whether there was enough to listen to: else most runs would end at once."""
        return len(self.responses) >= self.calm

    @initialize(calm=st.integers(0, 8))
    def open(self, calm):
        self.calm = calm
        self.world.opened()
        self.reader = Running(self.world.session.next_chunk())
        self.settle()

    # Driving

    def settle(self):
        for _ in range(25):
            self.step_reader()
            for call in self.calls:
                call.step()
            if self.interrupting is not None:
                self.interrupting.step()
        for call in self.calls:
            if call.is_done and call.error is not None:
                assert isinstance(call.error, StreamStateError), call.error
        self.calls = [call for call in self.calls if not call.is_done]
        self.seen["waiting call"] += bool(self.calls)
        if self.interrupting is not None and self.interrupting.is_done:
            self.interrupting = None

    def step_reader(self):
        self.reader.step()
        if not self.reader.is_done or self.is_over:
            return
        if self.reader.error is not None:
            self.is_over, self.error = True, self.reader.error
        elif self.reader.value is None:
            self.is_over = True
        else:
            self.hear(self.reader.value.data)
            self.reader = Running(self.world.session.next_chunk())

    def hear(self, data):
        assert len(data) % 2 == 0
        for at in range(0, len(data), 2):
            assert data[at + 1] not in self.forbidden, "it was cleared or interrupted"
        self.heard.append(data)
        self.seen["audio", len(self.runtime.conversations) > 1] += 1

    def call(self, what, *args):
        self.calls.append(Running(getattr(self.world.session, what)(*args)))
        self.settle()

    @property
    def is_connected(self):
        return bool(self.runtime.open_ones()) and self.interrupting is None

    def live_responses(self):
        return [each for each in self.responses if each.conversation is self.runtime.live]

    def speaking(self):
        """Return the response whose audio may come now: the first that is not done."""
        return next((each for each in self.live_responses() if not each.is_done), None)

    # The giver

    @rule(
        text=st.sampled_from(["One.", "Two ", "...", "", "\u56db\u3002"]), is_flushed=st.booleans()
    )
    def send(self, text, is_flushed):
        self.call("send", text)
        if is_flushed:
            self.call("flush")

    @precondition(lambda self: not self.is_over and self.interrupting is None)
    @rule()
    def clear(self):
        for each in self.live_responses():
            if not each.sent and not each.is_done:
                self.forbidden.add(each.number)
                each.is_cleared = True
        self.call("clear")

    @rule()
    def finish(self):
        self.call("finish")

    @precondition(lambda self: self.interrupting is None)
    @rule(is_held=st.booleans())
    def interrupt(self, is_held):
        self.runtime.is_held = is_held
        self.seen["interruption", is_held, self.is_over] += 1
        self.seen["torn"] += any(each.sent % 2 for each in self.live_responses())
        self.interrupting = Running(self.world.session.interrupt())
        self.interrupting.step()
        if not (self.interrupting.is_done and self.interrupting.error):
            self.forbidden |= {each.number for each in self.responses}
        self.settle()

    @precondition(lambda self: self.runtime.is_held)
    @rule()
    def connect(self):
        self.runtime.is_held = False
        self.settle()
        assert self.interrupting is None

    @precondition(lambda self: self.world.session.report.end is None and self.may_end())
    @rule()
    def close(self):
        self.seen["close"] += 1
        Running(self.world.session.close()).result()
        self.forbidden |= {each.number for each in self.responses}
        self.runtime.is_held = False
        self.settle()
        assert self.is_over

    # The server

    @precondition(lambda self: len(self.responses) < 200)
    @rule()
    def create(self):
        response = Response(len(self.responses) + 1, self.runtime.live)
        self.responses.append(response)
        if self.interrupting is not None:
            self.forbidden.add(response.number)
        self.runtime.live.tell(f"created {response.number}")
        self.settle()

    @precondition(lambda self: len(self.responses) < 200)
    @rule(counts=st.lists(st.integers(1, 9), min_size=1, max_size=3))
    def audio(self, counts):
        if self.speaking() is None:
            self.create()
        response = self.speaking()
        for count in counts:
            self.runtime.live.audio(bytes([response.number]) + response.next_bytes(count))
        self.settle()

    @rule(counts=st.lists(st.integers(1, 9), min_size=1, max_size=3))
    def speak_whole(self, counts):
        self.audio(counts)
        self.done()

    @precondition(lambda self: any(each.is_done for each in self.responses))
    @rule(data=st.data(), is_old=st.booleans())
    def late_audio(self, data, is_old):
        response = data.draw(st.sampled_from([each for each in self.responses if each.is_done]))
        where = response.conversation if is_old else self.runtime.live
        number = response.number if where is response.conversation else 255
        if number == 255:
            return
        where.audio(bytes([number]) + b"\xff\xff\xff\xff")
        self.settle()

    @precondition(lambda self: self.speaking() is not None)
    @rule()
    def done_now(self):
        self.done()

    def done(self):
        response = self.speaking()
        if response.sent % 2:
            tail = bytes([response.number]) + response.next_bytes(1)
            self.runtime.live.audio(tail)
        response.is_done = True
        self.runtime.live.tell(f"done {response.number}")
        if self.is_connected and not self.is_over:
            self.counted.add(response.number)
        self.settle()

    @precondition(lambda self: any(each.is_done for each in self.live_responses()))
    @rule(data=st.data())
    def done_again(self, data):
        done = [each for each in self.live_responses() if each.is_done]
        self.runtime.live.tell(f"done {data.draw(st.sampled_from(done)).number}")
        self.settle()

    @precondition(may_end)
    @rule()
    def fail(self):
        self.runtime.live.tell("fail no")
        self.settle()

    @precondition(lambda self: self.may_end() or not self.live_responses())
    @rule()
    def lose(self):
        self.runtime.live.end()
        self.settle()

    @precondition(may_end)
    @rule()
    def end(self):
        response = self.speaking()
        if response is not None:
            self.done()
        self.runtime.live.tell("end")
        self.settle()

    @precondition(lambda self: self.may_end() and len(self.responses) < 200)
    @rule()
    def speak_and_end(self):
        self.audio([2])
        self.end()

    # What always holds

    @invariant()
    def each_response_is_heard_from_its_beginning(self):
        heard = {}
        for data in self.heard:
            for at in range(0, len(data), 2):
                heard.setdefault(data[at + 1], bytearray()).extend(data[at : at + 2])
        for response in self.responses:
            got = bytes(heard.get(response.number, b""))
            assert response.all_bytes().startswith(got)
            # All that is whole is heard at once, since the reader waits for it.
            if response.number not in self.forbidden and self.is_live(response):
                assert len(got) == response.sent - response.sent % 2

    def is_live(self, response):
        return not self.is_over and response.conversation is self.runtime.live

    @invariant()
    def each_response_ends_once(self):
        ended = self.world.session.report.usage.get("responses", 0.0)
        assert ended == len(self.counted)

    @invariant()
    def one_connection_is_open(self):
        most = 0 if self.is_over else 1
        if self.interrupting is None:
            assert len(self.runtime.open_ones()) == most

    @invariant()
    def an_end_has_its_reason(self):
        expected = (ProviderUnavailable, ConnectionLost, NoAudio, TruncatedAudio)
        assert self.error is None or isinstance(self.error, expected)

    def teardown(self):
        self.runtime.is_held = False
        Running(self.world.session.close()).result()
        self.settle()
        assert self.is_over
        assert self.calls == []
        assert Running(self.world.session.next_chunk()).result() is None
        assert self.runtime.open_ones() == []
        (end,) = [word for word in self.world.ears.heard if word != "started"]
        self.seen[end] += 1
        self.seen["again"] += bool(self.world.session.report.warnings)


def test_any_order_of_calls_and_events():
    """
    Whatever is called and whatever comes, nothing given up is heard and nothing is left.

    Of each response its beginning is heard, in whole samples, and it ends once.
    """
    SessionMachine.seen.clear()
    run_state_machine_as_test(
        SessionMachine,
        settings=settings(
            derandomize=True,
            deadline=None,
            max_examples=100,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # What never happened was not tested.
    seen = SessionMachine.seen
    often = [
        *("complete", "failed", "cancelled", "close", "torn", "again", "waiting call"),
        *(("interruption", is_held, False) for is_held in (False, True)),
        *(("audio", was_changed) for was_changed in (False, True)),
    ]
    assert {what: seen[what] for what in often if seen[what] < 5} == {}
