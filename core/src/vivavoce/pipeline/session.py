"""
Sessions: text is given piece by piece while audio is already coming.

Two kinds with one face. A native session is a run over one duplex exchange. An emulated one cuts
the growing text into sentences and speaks each by a run of its own, the next being made while the
last is heard. Text may be given by one task or thread while another reads.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

from attrs import frozen

from vivavoce.audio.convert import Stage, converter
from vivavoce.errors import (
    ConnectionLost,
    InvalidValue,
    StreamStateError,
    TimedOut,
    TransportError,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce.model.audio import AudioFormat, Chunk, Container
from vivavoce.model.report import End, Report
from vivavoce.model.secret import Secret
from vivavoce.model.timing import Mark
from vivavoce.pipeline.middleware import Middleware
from vivavoce.pipeline.plan import Plan
from vivavoce.pipeline.run import SpeechRun, duration_s
from vivavoce.text.segment import Segment, Segmenter
from vivavoce.text.speakable import check_characters, has_speakable
from vivavoce.transport.base import Channel, Conversation, Job, Runtime
from vivavoce.wire.exchange import (
    Call,
    DuplexExchange,
    Event,
    Exchange,
    Facts,
    Failed,
    Finished,
    Marks,
    SendMessage,
    TurnEnded,
)
from vivavoce.wire.http import HttpCall
from vivavoce.wire.websocket import WebSocketCall

__all__ = [
    "EmulatedSession",
    "Interruption",
    "NativeSession",
    "Pump",
    "SessionRun",
    "SharedRun",
    "TextSource",
]

TextSource = Iterable[str] | AsyncIterable[str]
"""Text as it is made, such as the tokens of a language model."""

# Items between the maker of an emulated session and its reader. An item is a chunk of some
# tenths of a second up to some seconds.
_AHEAD = 32


@frozen(kw_only=True)
class Interruption:
    """
    What was given up when a session was interrupted.

    Attributes:
        sent_chars: Characters of text that the session was given since it began.
        spoken_chars: How many of these had been handed out as audio when it was interrupted, or
            None where that is not known. To the sentence where the session is emulated.
        audio_s: Seconds of audio handed out by then.
    """

    sent_chars: int
    spoken_chars: int | None
    audio_s: float


class SessionRun(ABC):
    """What both kinds of session do."""

    format: AudioFormat
    plan: Plan

    @property
    @abstractmethod
    def report(self) -> Report:
        """What is known so far."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, and send what comes first; wait for no answer."""

    @abstractmethod
    async def send(self, text: str) -> None:
        """Give another piece of text."""

    @abstractmethod
    async def flush(self) -> None:
        """Have what was given spoken now."""

    @abstractmethod
    async def clear(self) -> None:
        """Drop what was given and not yet spoken."""

    @abstractmethod
    async def finish(self) -> None:
        """Say that no more text will come. Harmless when repeated."""

    @abstractmethod
    async def interrupt(self) -> Interruption:
        """Give up all that is being said and all that was to be; the session goes on."""

    @abstractmethod
    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, or None at the end, which comes after :meth:`finish`."""

    @abstractmethod
    async def close(self) -> None:
        """Leave: cut what is open, free what is held. Harmless when repeated."""

    async def wait_for_room(self) -> None:  # noqa: B027 - most take what comes
        """Wait until more text is wanted. For a source, which would else be read at once."""


def checked_piece(text: object) -> str:
    """
    Return *text*, if it can be given to a session.

    Raises:
        InvalidValue: If it is no str, or holds what cannot be sent.
    """
    if not isinstance(text, str):
        msg = f"A piece of text is a str, not {type(text).__name__}."
        raise InvalidValue(msg)
    check_characters(text)
    return text


class Pump:
    """
    Feeds a session from a source, beside its reader.

    Args:
        session: Is fed, and finished when the source ends.
        source: Text as it is made.
        runtime: Of the session's face.
    """

    def __init__(self, session: SessionRun, source: TextSource, runtime: Runtime) -> None:
        self._session = session
        self._source = source
        self.error: BaseException | None = None
        self._is_stopped = False
        self._is_in_source = False
        self._job: Job = runtime.spawn(self._feed(), "vivavoce-session-text")

    async def _feed(self) -> None:
        try:
            if isinstance(self._source, AsyncIterable):
                async for piece in self._source:
                    await self._give(piece)
            else:
                await self._feed_all(iter(self._source))
            if not self._is_stopped:
                await self._session.finish()
        except BaseException as error:
            if not self._is_stopped:
                # Whatever it is, a reader waits for audio that will not come.
                await self._give_up(error)
            elif not isinstance(error, Exception):
                raise

    async def _feed_all(self, source: Iterator[str]) -> None:
        while not self._is_stopped:
            self._is_in_source = True
            try:
                piece = next(source)
            except StopIteration:
                return
            finally:
                self._is_in_source = False
            if not self._is_stopped:
                await self._give(piece)

    async def _give(self, piece: str) -> None:
        await self._session.wait_for_room()
        await self._session.send(piece)

    async def _give_up(self, error: BaseException) -> None:
        if isinstance(error, StreamStateError) and self._session.report.end is not None:
            return  # it ended of itself; the reader learns why
        if not isinstance(error, Exception):
            msg = f"The source of the text was ended by {type(error).__name__}."
            told = StreamStateError(msg)
            told.__cause__ = error
            error = told
        self.error = error
        with suppress(VivavoceError):
            await self._session.close()

    async def stop(self) -> None:
        """End it. A thread that waits for its source cannot be ended, and is not waited for."""
        self._is_stopped = True
        if not self._is_in_source:
            await self._job.stop()


class SharedRun(SpeechRun):
    """A run that may be closed by another task or thread than its reader's."""

    async def _call(self, call: Call) -> None:
        request = self._request
        if isinstance(call, HttpCall | WebSocketCall):
            self._headers.update(call.headers)
        if request is None:
            raise _over()
        conversation = await self._conversation(request.exchange, call)
        request.is_http = isinstance(call, HttpCall)
        request.conversation = conversation
        # Looked at last: whoever closed it before this did not find the conversation.
        if self._request is not request or self._end is not None:
            await self._close_conversation(request)
            raise _over()

    async def _fail(self, error: BaseException) -> None:
        if self._end is None:
            await super()._fail(error)
            return
        # It was closed meanwhile: what that led to is no failure.
        await self._drop_request()
        if not isinstance(error, Exception):
            raise error


def _over() -> StreamStateError:
    return StreamStateError("This session is over. Make a new one.")


def _is_read_already() -> StreamStateError:
    return StreamStateError("This session is being read already. A session has one reader.")


def _finished() -> StreamStateError:
    return StreamStateError("This session was finished: it takes no more text. Make a new one.")


class NativeSession(SharedRun, SessionRun):
    """
    A session over one duplex exchange; see :class:`SpeechRun` for its other arguments.

    Args:
        new_middleware: Makes what sees each chunk, at first and after each interruption: of
            what is given up nothing may be held back.
    """

    def __init__(
        self,
        *arguments: Any,
        new_middleware: Callable[[], Sequence[Middleware]],
        **options: Any,
    ) -> None:
        super().__init__(*arguments, middleware=new_middleware(), **options)
        self._new_middleware = new_middleware
        self._lock = threading.RLock()
        # While another connection is made in place of one; closed when it is there.
        self._gate: Channel | None = None
        # Whose event is being looked at.
        self._hearing: Conversation | None = None
        self._given: list[tuple[str, str]] = []
        self._sent_chars = 0
        self._has_speakable = False
        self._has_unflushed = False
        self._owed_since: float | None = None
        self._asked_s = 0.0
        self._is_flushed = False
        self._is_finishing = False
        self._first_sent_s: float | None = None
        limits = (self._timeouts.first_audio_s, self._timeouts.between_chunks_s)
        self._least_limit_s = min((s for s in limits if s is not None), default=math.inf)

    # What is given

    async def open(self) -> None:
        """Connect, and send what comes first."""
        self._started_s = self._runtime.now()
        self._announcer.started()
        try:
            await self._open(Segment(text="", start=0, is_last=True))
        except BaseException as error:
            await self._fail(error)
            raise

    def _make_exchange(self, segment: Segment) -> Exchange:
        return self._synthesizer.session(self.plan.request(segment, wants_stream=True))

    @property
    def _duplex(self) -> DuplexExchange:
        if self._end is not None or self._request is None:
            raise _over()
        return cast(DuplexExchange, self._request.exchange)

    async def send(self, text: str) -> None:
        """Give another piece of text."""
        if self._is_finishing:
            raise _finished()
        if checked_piece(text):
            await self._do("send", text)

    async def flush(self) -> None:
        """Have what was given spoken now; after :meth:`finish` it is, without being told."""
        self._check_open()
        if not self._is_finishing:
            await self._do("flush")

    async def clear(self) -> None:
        """Drop what was given and not yet spoken."""
        self._check_open()
        if self._is_finishing:
            msg = "This session was finished: what was given is not taken back. Interrupt it."
            raise StreamStateError(msg)
        await self._do("clear")

    async def finish(self) -> None:
        """Say that no more text will come."""
        if self._is_finishing:
            return
        await self._do("finish")

    def _check_open(self) -> None:
        if self._end is not None:
            raise _over()

    async def _do(self, what: str, text: str = "") -> None:
        while (asked := self._ask(what, text)) is None:
            await self._wait_at_gate()
        await self._send_all(*asked)

    def _ask(self, what: str, text: str) -> tuple[Conversation, list[SendMessage]] | None:
        """Return what is to be sent and on what; None while that is being opened."""
        with self._lock:
            if self._gate is not None:
                return None
            exchange = self._duplex
            conversation = self._current()
            messages = _asked(exchange, what, text)
            if not exchange.has_begun:
                # Kept until the provider has taken something: see _lost.
                self._given.append((what, text))
            self._note_given(what, text)
            return conversation, messages

    def _current(self) -> Conversation:
        conversation = self._request.conversation if self._request is not None else None
        if conversation is None:
            raise _over()
        return conversation

    def _note_given(self, what: str, text: str) -> None:
        """Note what is owed now: audio for what was given, unless that was dropped."""
        now = self._runtime.now()
        if what == "send":
            self._sent_chars += len(text)
            if self._first_sent_s is None:
                self._first_sent_s = now
            if has_speakable(text):
                self._has_speakable = self._has_unflushed = True
            if self._has_unflushed:
                self._owed_since = now
        elif what == "flush" and self._has_unflushed:
            self._has_unflushed, self._is_flushed = False, True
            self._owed_since = now
        elif what == "clear":
            self._has_unflushed = False
            if not self._is_flushed:
                self._has_speakable, self._owed_since = False, None
        elif what == "finish":
            self._is_finishing = True
            self._owed_since = now

    async def _send_all(self, conversation: Conversation, messages: Iterable[SendMessage]) -> None:
        try:
            for message in messages:
                await conversation.send(message.data)
        except (TransportError, UnexpectedReply, StreamStateError):
            # The reader finds the same end, with its reason, and decides.
            if self._end is not None:
                raise

    # What comes

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, or None at the end, which comes after :meth:`finish`."""
        self._asked_s = self._runtime.now()
        while True:
            # Another thread may drop what is ready at any moment.
            with self._lock:
                if self._ready:
                    return self._ready.popleft()
                if self._late_error is not None:
                    error, self._late_error = self._late_error, None
                    raise error
                if self._end is not None:
                    return None
            await self._fill_once()

    async def _fill_once(self) -> None:
        if self._is_busy:
            raise _is_read_already()
        self._is_busy = True
        try:
            await self._fill()
        finally:
            self._is_busy = False

    async def _fill(self) -> None:
        """Go on until there is a chunk, or the end; never asked again by itself but by _lost."""
        try:
            self._check_total()
            while not self._ready and self._end is None:
                await self._step()
        except BaseException as error:  # noqa: BLE001 - _fail raises it, in its turn
            await self._fail(error)

    async def _step(self) -> None:
        if self._gate is not None:
            await self._wait_at_gate()
            return
        request = self._request
        if request is None:
            self._take_end()
            return
        conversation = request.conversation
        if conversation is None:
            return  # closed just now
        try:
            event = await conversation.receive(self._patience_s())
        except TimeoutError as error:
            self._look_up(error)
        except (TransportError, StreamStateError) as error:
            await self._lost(conversation, error)
        else:
            await self._take(request, conversation, event)

    def _take_end(self) -> None:
        # With the lock, so that it is not interrupted in another thread meanwhile.
        with self._lock:
            if self._gate is None and self._request is None and self._end is None:
                self._complete()

    async def _take(self, request: Any, conversation: Conversation, event: Event) -> None:
        # With the lock, so that nothing of it is taken after an interruption in another thread.
        with self._lock:
            if self._gate is not None or conversation is not request.conversation:
                return
            self._hearing = conversation
            try:
                outputs = self._understand(event)
                if self._given and cast(DuplexExchange, request.exchange).has_begun:
                    self._given.clear()
                await self._handle(event, outputs)
            except (ConnectionLost, StreamStateError) as error:
                lost = error
            else:
                return
        await self._lost(conversation, lost)

    def _is_stale(self, request: Any) -> bool:
        """Whether the session was interrupted while an event was being looked at."""
        return self._gate is not None or self._hearing is not request.conversation

    def _take_note(
        self, request: Any, output: Marks | Facts | Failed | Finished | TurnEnded
    ) -> None:
        if self._is_stale(request) and not isinstance(output, Facts):
            return
        if isinstance(output, TurnEnded):
            self._is_flushed = False
            if not self._is_finishing:
                self._owed_since = None
        super()._take_note(request, output)

    def _take_audio(self, request: Any, data: bytes) -> None:
        if self._is_stale(request):
            return
        if self._owed_since is not None:
            self._owed_since = self._runtime.now()
        super()._take_audio(request, data)

    def _note_first_audio(self) -> None:
        super()._note_first_audio()
        if self._first_sent_s is not None:
            # Counted from the first text: until then nobody waits for audio.
            self._first_audio_s = self._runtime.now() - self._first_sent_s

    async def _lost(self, conversation: Conversation, error: VivavoceError) -> None:
        """
        Open another connection in place of a lost one, if nothing was taken by the provider.

        A session that was opened ahead may have been closed by then. What was given since
        is given again, so that no sentence is lost; and never twice.
        """
        with self._lock:
            request = self._request
            if request is None or self._gate or conversation is not request.conversation:
                return  # it was cut on purpose: another is in its place
            exchange = self._duplex
            if exchange.has_begun or self._retry.attempts <= self._attempt:
                raise error
            self._attempt += 1
            self._warn(f"attempt {self._attempt} after {type(error).__name__}")
            gate = self._shut()
            call = exchange.interrupt()
        try:
            await self._change(call)
        finally:
            self._let_on(gate)

    def _shut(self) -> Channel:
        """Have readers and givers wait for another connection."""
        self._gate = self._runtime.channel(1)
        return self._gate

    async def _wait_at_gate(self) -> None:
        if (gate := self._gate) is not None:
            await gate.get()

    def _let_on(self, gate: Channel) -> None:
        self._gate = None
        gate.close()

    async def _change(self, call: Call | None) -> None:
        """
        Let go of the conversation of before, open *call*, and give again what was given.

        Without a call the exchange has ended, and another is made.
        """
        if call is None:
            await self._open(Segment(text="", start=0, is_last=True))
        else:
            await self._swap(call)
        for what, text in self._given:
            messages = _asked(self._duplex, what, text)
            await self._send_all(self._current(), messages)
        if self._owed_since is not None:
            self._owed_since = self._runtime.now()

    async def _swap(self, call: Call) -> None:
        request = self._request
        if request is None:
            raise _over()
        if request.conversation is not None:
            # First, since what the provider makes until then is billed.
            await request.conversation.close()
        await self._call(call)

    async def interrupt(self) -> Interruption:
        """Give up all that is being said and all that was to be; the session goes on."""
        while (begun := self._break_off()) is None:
            await self._wait_at_gate()
        told, call, gate = begun
        try:
            await self._change(call)
        except BaseException as error:
            # What is being said must not go on.
            await self._fail(error)
            raise
        finally:
            self._let_on(gate)
        return told

    def _break_off(self) -> tuple[Interruption, Call | None, Channel] | None:
        """Have nothing more of this be heard; None while another connection is being made."""
        with self._lock:
            if self._gate is not None:
                return None
            call = self._drop()
            told = Interruption(
                sent_chars=self._sent_chars, spoken_chars=None, audio_s=self._given_s
            )
            return told, call, self._shut()

    def _drop(self) -> Call | None:
        """Forget what was to be said; return what to go on with, None after an end."""
        self._check_open()
        request = self._request
        self._middleware = self._new_middleware()
        if self._ready:
            # Time goes on from what was handed out.
            self._given_bytes = round(self._ready[0].start_s * self._bytes_per_s)
            self._ready.clear()
        self._before_request_bytes = self._given_bytes
        self._held_marks = ()
        if self.format.container is Container.RAW:
            self._stage = converter(self.plan.source, self.format, gain_db=self.plan.gain_db)
        self._given.clear()
        self._attempt = 1
        self._owed_since, self._is_flushed, self._is_finishing = None, False, False
        self._has_unflushed = self._has_speakable = False
        if request is None:
            return None
        request.forget_audio()
        return cast(DuplexExchange, request.exchange).interrupt()

    async def is_usable(self) -> bool:
        """Whether it is still open, though it was opened ahead; reads what has come meanwhile."""
        while self._request is not None and self._end is None:
            self._hearing = self._current()
            try:
                event = await self._hearing.receive(0.0)
                await self._handle(event, self._understand(event))
            except TimeoutError:
                # Its time is that of its user, not of whoever opened it.
                self._started_s = self._runtime.now()
                return True
            except VivavoceError:
                return False
        return False

    # Limits

    def _patience_s(self) -> float | None:
        """
        Return how long to wait before the limits are to be looked at; None for ever.

        A limit on audio passes its length after a chunk was asked for, at the earliest, and
        that of text given while it is waited, its length after that.
        """
        now = self._runtime.now()
        until = self._asked_s + self._least_limit_s
        if until <= now or self._timeouts.total_s is not None:
            limit = self._limit()
            until = min(now + self._least_limit_s, math.inf if limit is None else limit[1])
        return None if until == math.inf else max(0.0, until - now)

    def _limit(self) -> tuple[str, float] | None:
        """Return the phase whose limit is nearest, and when it passes."""
        nearest = None
        if self._timeouts.total_s is not None and self._started_s is not None:
            nearest = "total", self._started_s + self._timeouts.total_s
        phase, limit_s = self._phase()
        has_audio = self._request is not None and self._request.audio_bytes > 0
        # Text that was neither flushed nor finished may wait for more of it.
        is_owed = self._is_flushed or self._is_finishing or not has_audio
        if self._owed_since is not None and limit_s is not None and is_owed:
            # From when it is asked for: the reader's own time is not the provider's.
            end = max(self._owed_since, self._asked_s) + limit_s
            if nearest is None or end < nearest[1]:
                nearest = phase, end
        return nearest

    def _set_deadline(self) -> None:
        pass  # how long to wait is reckoned with each receive: text may come meanwhile

    def _look_up(self, error: TimeoutError) -> None:
        limit = self._limit()
        if limit is not None and self._runtime.now() >= limit[1]:
            raise self._over_time(limit[0]) from error

    def _over_time(self, phase: str) -> TimedOut:
        limits = {
            "first_audio": self._timeouts.first_audio_s,
            "between_chunks": self._timeouts.between_chunks_s,
            "total": self._timeouts.total_s,
        }
        return self._timed_out(phase, limits[phase])

    # The end

    def _check_end(self, request: Any) -> None:
        # A session without text is spoken wholly by silence.
        if self._has_speakable:
            super()._check_end(request)

    def _characters_of(self, request: Any) -> int:  # noqa: ARG002 - all that was given to it
        return self._sent_chars - self._characters


def _asked(exchange: DuplexExchange, what: str, text: str) -> list[SendMessage]:
    if what == "send":
        return list(exchange.send(text))
    messages: Iterable[SendMessage] = getattr(exchange, what)()  # flush, clear or finish
    return list(messages)


class _Sentence:
    """A part of the text, and how much of its audio there is."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start
        self.made = 0
        self.heard = 0
        self.is_made = False


class _Line:
    """What one maker works from, and where it puts what it makes."""

    def __init__(self, runtime: Runtime) -> None:
        self.sentences: deque[_Sentence] = deque()
        self.wake: Channel = runtime.channel(1)
        self.room: Channel = runtime.channel(1)
        self.items: Channel = runtime.channel(_AHEAD)
        self.job: Job | None = None
        self.run: SpeechRun | None = None
        self.is_finishing = False
        self.is_stopped = False


class EmulatedSession(SessionRun):
    """
    A session with a provider that takes a text whole.

    Args:
        plan: Of the session; its text is empty.
        make_run: Makes the run of one sentence, with this runtime, in ``plan.samples``.
        runtime: Of the session's face.
    """

    def __init__(self, plan: Plan, make_run: Callable[[str], SpeechRun], runtime: Runtime) -> None:
        self.plan = plan
        self.format = plan.target
        self._make_run = make_run
        self._runtime = runtime
        self._lock = threading.RLock()
        self._segmenter = self._new_segmenter()
        # Where in the whole text the segmenter's begins.
        self._segmenter_start = 0
        self._stage = self._new_stage()
        self._line = _Line(runtime)
        self._is_busy = False
        self._is_closed = False
        self._sent_chars = 0
        self._spoken_chars = 0
        self._now_heard: _Sentence | None = None
        self._before_s = 0.0
        self._audio_s = 0.0
        self._held_marks: tuple[Mark, ...] = ()
        self._end: End | None = None
        self._reports: list[Report] = []
        self._started_s: float | None = None
        self._ended_s: float | None = None
        self._first_sent_s: float | None = None
        self._first_audio_s: float | None = None

    def _new_segmenter(self) -> Segmenter:
        limit = self.plan.model.capabilities.max_text.maximum
        asked = self.plan.utterance.segment_chars
        return Segmenter(
            max_chars=asked or (None if limit is None else int(limit)),
            # Each sentence by itself, so that it is spoken as soon as it is there.
            target_chars=1,
            language=self.plan.language,
        )

    def _new_stage(self) -> Stage:
        return converter(self.plan.samples, self.format)

    async def open(self) -> None:
        """Begin; nothing is sent before there is a sentence."""
        self._started_s = self._runtime.now()
        self._begin()

    def _begin(self) -> None:
        self._line = line = _Line(self._runtime)
        line.job = self._runtime.spawn(self._make(line), "vivavoce-session")

    # What is given

    async def send(self, text: str) -> None:
        """Give another piece of text."""
        self._check_open()
        if self._line.is_finishing:
            raise _finished()
        checked_piece(text)
        with self._lock:
            if self._first_sent_s is None and text:
                self._first_sent_s = self._runtime.now()
            self._add(self._segmenter.push(text))
            self._sent_chars += len(text)
            await self._tell()

    def _add(self, segments: Iterable[Segment]) -> None:
        start = self._segmenter_start
        self._line.sentences.extend(_Sentence(one.text, start + one.start) for one in segments)

    async def flush(self) -> None:
        """Have what was given spoken now."""
        self._check_open()
        with self._lock:
            self._add(self._segmenter.flush())
            self._segmenter_start = self._sent_chars
            await self._tell()

    async def clear(self) -> None:
        """Drop what was given and not yet begun."""
        self._check_open()
        with self._lock:
            self._line.sentences.clear()
            self._forget()

    def _forget(self) -> None:
        self._segmenter = self._new_segmenter()
        self._segmenter_start = self._sent_chars

    async def finish(self) -> None:
        """Say that no more text will come."""
        if self._line.is_finishing or self._is_closed:
            return
        with self._lock:
            await self.flush()
            self._line.is_finishing = True

    async def _tell(self) -> None:
        """Wake the maker; a wake-up that is waiting already will do for this one too."""
        wake = self._line.wake
        if not wake.is_full:
            await wake.put(True)  # noqa: FBT003 - anything at all

    async def wait_for_room(self) -> None:
        """Wait until fewer sentences wait for the maker than it may be ahead."""
        line = self._line
        while len(line.sentences) >= _AHEAD:
            if await line.room.get() is None:
                return

    # What is made, beside the reader

    async def _make(self, line: _Line) -> None:
        try:
            while not line.is_stopped:
                with self._lock:
                    sentence = line.sentences.popleft() if line.sentences else None
                    is_over = sentence is None and line.is_finishing
                if is_over:
                    await line.items.put((None, End.COMPLETE))
                    return
                if sentence is None:
                    await line.wake.get()
                    continue
                if not line.room.is_full:
                    await line.room.put(True)  # noqa: FBT003 - anything at all
                if has_speakable(sentence.text):
                    await self._speak(line, sentence)
                else:
                    await line.items.put((sentence, None))
        except Exception as error:  # noqa: BLE001 - the reader raises it, in its turn
            await line.items.put((None, error))

    async def _speak(self, line: _Line, sentence: _Sentence) -> None:
        run = self._make_run(sentence.text)
        with self._lock:
            if line.is_stopped:
                return
            line.run = run
        try:
            while (chunk := await run.next_chunk()) is not None:
                sentence.made += 1
                if not await line.items.put((sentence, chunk)):
                    return
            sentence.is_made = True
            await line.items.put((sentence, run.report.audio_s))
        finally:
            await run.close()
            self._reports.append(run.report)

    # What comes

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, or None at the end."""
        if self._is_busy:
            raise _is_read_already()
        self._is_busy = True
        try:
            return await self._next()
        finally:
            self._is_busy = False

    async def _next(self) -> Chunk | None:
        while self._end is None:
            line = self._line
            item = await line.items.get()
            with self._lock:
                # Else it was interrupted, and another maker is at work.
                if line is self._line and item is not None and self._end is None:
                    chunk = self._taken(*item)
                    if chunk is not None:
                        return chunk
        return None

    def _taken(self, sentence: _Sentence | None, thing: object) -> Chunk | None:
        if sentence is None:
            return self._ended(thing)
        if isinstance(thing, Chunk):
            return self._placed(sentence, thing)
        self._now_heard = None
        self._spoken_chars += len(sentence.text)
        if isinstance(thing, float):
            self._audio_s = self._before_s = self._before_s + thing
        return None

    def _placed(self, sentence: _Sentence, chunk: Chunk) -> Chunk | None:
        self._now_heard = sentence
        sentence.heard += 1
        if self._first_audio_s is None and self._first_sent_s is not None:
            self._first_audio_s = self._runtime.now() - self._first_sent_s
        start_s = self._before_s + chunk.start_s
        self._audio_s = start_s + duration_s(self.plan.samples, len(chunk.data))
        self._held_marks += tuple(
            mark.shifted(seconds=self._before_s, characters=sentence.start) for mark in chunk.marks
        )
        data = self._stage.feed(chunk.data)
        return self._chunk(data, start_s) if data else None

    def _chunk(self, data: bytes, start_s: float) -> Chunk:
        marks, self._held_marks = self._held_marks, ()
        return Chunk(data=data, start_s=start_s, marks=marks)

    def _ended(self, thing: object) -> Chunk | None:
        self._ended_s = self._runtime.now()
        if isinstance(thing, End):
            self._end = thing
            rest = self._stage.finish()
            # Marks that came behind the last audio would else be lost.
            return self._chunk(rest, self._audio_s) if rest or self._held_marks else None
        self._end = End.FAILED
        if isinstance(thing, VivavoceError):
            # The run knew of one sentence only.
            thing.add_context(audio_delivered_s=self._audio_s)
        raise cast(BaseException, thing)

    async def interrupt(self) -> Interruption:
        """Give up all that is being said and all that was to be; the session goes on."""
        with self._lock:
            # Else a maker would be begun that nobody ends.
            self._check_open()
            last = self._now_heard
            if last is not None and last.is_made and last.heard == last.made:
                self._spoken_chars += len(last.text)
            told = Interruption(
                sent_chars=self._sent_chars,
                spoken_chars=self._spoken_chars,
                audio_s=self._audio_s,
            )
            self._now_heard, self._held_marks = None, ()
            self._before_s = self._audio_s
            if self.format.container is Container.RAW:
                self._stage = self._new_stage()
            self._forget()
            before = self._line
            self._begin()
        await self._stop(before)
        return told

    async def _stop(self, line: _Line) -> None:
        with self._lock:
            line.is_stopped = True
        for channel in (line.wake, line.room, line.items):
            channel.close()
        try:
            # A thread that waits in its request would else be waited for.
            if line.run is not None:
                await line.run.close()
        finally:
            if line.job is not None:
                await line.job.stop()

    async def close(self) -> None:
        """Leave."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._end is None:
                self._end, self._ended_s = End.CANCELLED, self._runtime.now()
        await self._stop(self._line)

    def _check_open(self) -> None:
        if self._is_closed or self._end is not None:
            raise _over()

    @property
    def report(self) -> Report:
        """What is known so far."""
        reports = list(self._reports)
        usage: dict[str, float] = {}
        facts: dict[str, tuple[str | Secret, ...]] = {}
        for report in reports:
            for unit, amount in report.usage.items():
                usage[unit] = usage.get(unit, 0.0) + amount
            for name, values in report.facts.items():
                facts[name] = (*facts.get(name, ()), *values)
        costs = [report.cost for report in reports]
        known = [cost for cost in costs if cost is not None]
        until = self._ended_s if self._ended_s is not None else self._runtime.now()
        warnings = [*self.plan.warnings, *(w for one in reports for w in one.warnings)]
        return Report(
            provider=self.plan.info.name,
            model=self.plan.model.name,
            voice=self.plan.voice.id if self.plan.voice else "",
            end=self._end,
            request_ids=tuple(i for report in reports for i in report.request_ids),
            segments=sum(report.segments for report in reports),
            characters=sum(report.characters for report in reports),
            ttfa_s=self._first_audio_s,
            total_s=0.0 if self._started_s is None else until - self._started_s,
            audio_s=self._audio_s,
            usage=usage,
            cost=sum(known[1:], known[0]) if known and len(known) == len(costs) else None,
            currency=self.plan.estimate.currency,
            warnings=tuple(dict.fromkeys(warnings)),
            facts=facts,
        )
