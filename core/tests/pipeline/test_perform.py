import asyncio

import pytest

from vivavoce.errors import (
    ConnectFailed,
    ConnectionLost,
    CredentialError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    SettingsError,
    TimedOut,
    UnexpectedReply,
)
from vivavoce.model.secret import Secret
from vivavoce.pipeline.perform import Performer, has_surely_not_happened
from vivavoce.pipeline.retry import Retry
from vivavoce.settings import Timeouts
from vivavoce.wire.exchange import NextCall
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted
from vivavoce.wire.local import LocalCall
from vivavoce.wire.task import Done, Task

KEY = "sk-canary-0123456789"
CALL = HttpCall(url="https://acme.example/voices", headers={"authorization": Secret(KEY)})


class Conversation:
    def __init__(self, runtime, events):
        self.runtime = runtime
        self.events = list(events)
        self.is_closed = False

    async def receive(self, timeout_s):
        self.runtime.limits.append(timeout_s)
        event = self.events.pop(0)
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, float):
            self.runtime.time += event
            return await self.receive(timeout_s)
        return event

    async def send(self, data):
        raise NotImplementedError

    async def close(self):
        self.is_closed = True


class Runtime:
    """Answers calls from a list, on a clock of its own."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls, self.waits, self.limits, self.conversations = [], [], [], []
        self.time = 100.0

    async def open(self, call, timeout_s):
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        conversation = Conversation(self, answer)
        self.conversations.append(conversation)
        return conversation

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.waits.append(seconds)


def answer(status=200, *pieces, end=True):
    body = [BodyData(piece) for piece in pieces]
    return [ResponseStarted(status=status, headers={"x": "y"}), *body, *([BodyEnd()] * end)]


class Read(Task):
    """A task that returns the body; or what *then* makes of it."""

    def __init__(self, then=None):
        self.opened = 0
        self.then = then or (lambda reply: reply.body)

    def open(self):
        self.opened += 1
        return CALL

    def receive(self, reply):
        return self.then(reply)


def perform(runtime, task, *, is_repeatable=True, attempts=3, answer_s=60.0, private=()):
    performer = Performer(
        "acme", runtime, timeouts=Timeouts(answer_s=answer_s), retry=Retry(attempts=attempts)
    )
    return asyncio.run(performer.perform(task, is_repeatable=is_repeatable, private=private))


def test_the_whole_answer_is_read():
    """The body is put together, and the conversation closed."""
    runtime = Runtime(answer(200, b"one ", b"two"))
    assert perform(runtime, Read()) == b"one two"
    assert runtime.conversations[0].is_closed


def test_what_asks_nobody_sends_nothing():
    """A task that is done at once opens no call."""

    class Local(Read):
        def open(self):
            return Done(7)

    runtime = Runtime()
    assert perform(runtime, Local()) == 7
    assert runtime.calls == []


def test_goes_on_with_another_call():
    """A task may take several calls, one after the other."""
    second = HttpCall(url="https://acme.example/more")
    answers = iter([NextCall(second), "end"])
    runtime = Runtime(answer(), answer())
    assert perform(runtime, Read(lambda _: next(answers))) == "end"
    assert runtime.calls == [CALL, second]
    assert all(conversation.is_closed for conversation in runtime.conversations)


def test_only_http_goes_on():
    """A task cannot go on with an engine or a socket."""
    runtime = Runtime(answer())
    with pytest.raises(UnexpectedReply, match="no HTTP call"):
        perform(runtime, Read(lambda _: NextCall(LocalCall(run=print))), attempts=1)


def test_a_refusal_is_the_tasks_to_explain():
    """The error of a status is made by the task, with its provider's name."""
    runtime = Runtime(answer(400, b"no such voice"))
    with pytest.raises(RequestRejected, match="no such voice") as caught:
        perform(runtime, Read())
    assert caught.value.provider == "acme"
    assert len(runtime.calls) == 1


def test_a_refusal_may_be_none():
    """A task may read a result from a refusal, as of a voice that is gone already."""

    class Delete(Read):
        def refused(self, reply):
            return reply.status

    assert perform(Runtime(answer(404)), Delete()) == 404


def test_a_long_refusal_is_cut():
    """Of the body of a refusal 64 KiB are kept."""
    sizes = []

    class Measure(Read):
        def refused(self, reply):
            sizes.append(len(reply.body))

    perform(Runtime(answer(500, *[b"x" * 50_000] * 9)), Measure())
    assert sizes == [65_536]


def test_a_reply_that_breaks_the_reader():
    """Whatever a reader raises of its own is an unexpected reply with its cause."""

    def breaks(_):
        raise KeyError("output")

    with pytest.raises(UnexpectedReply, match="KeyError: 'output'") as caught:
        perform(Runtime(answer()), Read(breaks))
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "failure",
    [
        answer(503),
        answer(429),
        [ConnectionLost("Cut.")],
        ConnectFailed("Refused."),
        [TimeoutError()],
        TimeoutError(),
    ],
    ids=["503", "429", "cut", "refused", "late", "late to connect"],
)
def test_what_may_be_repeated_is(failure):
    """A task that does no harm twice is asked for again after what may pass."""
    task, runtime = Read(), Runtime(failure, answer(200, b"there"))
    assert perform(runtime, task) == b"there"
    assert task.opened == 2
    assert len(runtime.waits) == 1


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (answer(503), ProviderUnavailable),
        ([ConnectionLost("Cut.")], ConnectionLost),
        ([*answer(end=False), ConnectionLost("Cut.")], ConnectionLost),
        ([TimeoutError()], TimedOut),
    ],
    ids=["503", "cut", "cut in the body", "late"],
)
def test_what_may_have_been_done_is_not_repeated(failure, error):
    """What is billed is not asked for again where it may have been done."""
    runtime = Runtime(failure, answer(200))
    with pytest.raises(error) as caught:
        perform(runtime, Read(), is_repeatable=False)
    assert len(runtime.calls) == 1
    assert not has_surely_not_happened(caught.value)


@pytest.mark.parametrize(
    "failure", [answer(429), ConnectFailed("Refused."), TimeoutError()], ids=["429", "no", "late"]
)
def test_what_surely_was_not_done_is_repeated(failure):
    """Before anything was taken, asking again cannot bill twice."""
    runtime = Runtime(failure, answer(200, b"made"))
    assert perform(runtime, Read(), is_repeatable=False) == b"made"


@pytest.mark.parametrize(
    ("error", "surely"),
    [
        (ConnectFailed("x"), True),
        (CredentialError("x"), True),
        (SettingsError("x"), True),
        (RequestRejected("x"), True),
        (RateLimited("x"), True),
        (TimedOut("x", phase="connect", limit_s=1), True),
        (TimedOut("x", phase="answer", limit_s=1), False),
        (ConnectionLost("x"), False),
        (ProviderUnavailable("x"), False),
        (UnexpectedReply("x"), False),
    ],
)
def test_what_surely_has_not_happened(error, surely):
    """Refusals and failures to connect show that nothing was done; all else leaves it open."""
    assert has_surely_not_happened(error) is surely


def test_it_gives_up():
    """Attempts are counted as for speech."""
    runtime = Runtime(*[answer(503)] * 3)
    with pytest.raises(ProviderUnavailable):
        perform(runtime, Read())
    assert len(runtime.calls) == 3


def test_the_limit_is_for_the_whole_answer():
    """Pieces that trickle in share one limit."""
    runtime = Runtime([20.0, *answer(200, end=False), 30.0, BodyData(b"x"), BodyEnd()])
    perform(runtime, Read())
    assert runtime.limits[0] == 60.0
    assert runtime.limits[-1] == 10.0
    with pytest.raises(TimedOut, match=r"gave no whole answer within 5 s \(phase: answer\)"):
        perform(Runtime([TimeoutError()]), Read(), answer_s=5, attempts=1)
    unlimited = Runtime(answer())
    perform(unlimited, Read(), answer_s=None)
    assert set(unlimited.limits) == {None}


def test_the_key_is_hidden():
    """A provider that sends the key back is not quoted with it."""
    runtime = Runtime(answer(400, f"bad key {KEY}".encode()))
    with pytest.raises(RequestRejected) as caught:
        perform(runtime, Read())
    assert KEY not in str(caught.value)
    assert "***" in str(caught.value)


def test_private_texts_are_hidden():
    """Nor is a transcript quoted, whole or in longer pieces."""
    transcript = "Good morning, this is my own voice speaking."
    runtime = Runtime(answer(400, b"mismatch: 'this is my own voice' in the recording"))
    with pytest.raises(RequestRejected) as caught:
        perform(runtime, Read(), private=(transcript,))
    assert "own voice" not in str(caught.value)
    assert "mismatch" in str(caught.value)
    assert "recording" in str(caught.value)
