"""
Drives the exchanges of one utterance over a runtime, and pulls audio out of them.

Pulled: one call of the caller reaches the transport with no task and no queue
between. Deadlines are set per receive and never held while the caller has the
chunk. Written once, as coroutines; see :mod:`vivavoce.transport.base` for how the
sync face runs them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

from vivavoce.audio.convert import Stage, converter
from vivavoce.audio.pcm import Aligner, is_audible
from vivavoce.errors import (
    NoAudio,
    StreamStateError,
    TextTooLong,
    TimedOut,
    TransportError,
    TruncatedAudio,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce.model.audio import AudioFormat, Chunk, Container
from vivavoce.model.report import End, Report
from vivavoce.model.secret import Secret
from vivavoce.model.timing import Mark
from vivavoce.pipeline.announce import Announcer
from vivavoce.pipeline.middleware import Middleware, finish_all, pass_through
from vivavoce.pipeline.plan import Plan
from vivavoce.pipeline.retry import Retry
from vivavoce.provider import Synthesizer
from vivavoce.settings import Timeouts
from vivavoce.text.segment import Segment
from vivavoce.transport.address import hide_secrets
from vivavoce.transport.base import Conversation, HandshakeRefused, Runtime
from vivavoce.wire.exchange import (
    ERROR_BODY_MAX_BYTES,
    AudioData,
    Call,
    Event,
    Exchange,
    Facts,
    Failed,
    Finished,
    Marks,
    NextCall,
    Output,
    SendMessage,
    TurnEnded,
)
from vivavoce.wire.http import BodyEnd, HttpCall
from vivavoce.wire.local import LocalEnd
from vivavoce.wire.websocket import PeerClosed, WebSocketCall

__all__ = ["SpeechRun", "duration_s"]


# After these nothing more comes.
_ENDS = (BodyEnd, LocalEnd, PeerClosed)
# How long the end of a reply is waited for that has said all, so that its connection
# can be used again. On the wire it comes with the last bytes or right behind them.
DRAIN_LIMIT_S = 0.25


class _Request:
    """One segment's exchange, and what has come of it."""

    def __init__(self, segment: Segment, exchange: Exchange) -> None:
        self.segment = segment
        self.exchange = exchange
        self.conversation: Conversation | None = None
        self.is_http = False
        self.aligner = (
            Aligner(exchange.format.frame_bytes) if _has_frames(exchange.format) else None
        )
        self._bytes_per_s = _bytes_per_s(exchange.format)
        self._unheard = b""
        self.audio_bytes = 0
        self.is_heard = False
        self.is_finished = False
        self.marks: list[Mark] = []
        self.usage: Mapping[str, float] = {}
        self.facts: dict[str, str | Secret] = {}

    @property
    def audio_s(self) -> float:
        return self.audio_bytes / self._bytes_per_s if self._bytes_per_s else 0.0

    def listen(self, data: bytes = b"") -> None:
        """
        Listen to what was given the last time, and keep *data* for the next.

        Later than it came, since the first audio must not wait to be listened to.
        """
        if self._unheard and not self.is_heard:
            self.is_heard = not self.exchange.format.is_pcm or is_audible(self._unheard)
        self._unheard = data

    def forget_audio(self) -> None:
        """Be as before any audio came."""
        if self.aligner is not None:
            self.aligner = Aligner(self.exchange.format.frame_bytes)
        self._unheard, self.is_heard, self.audio_bytes = b"", False, 0
        self.marks.clear()


class SpeechRun:
    """
    One utterance on its way to audio.

    Args:
        plan: Checked already.
        synthesizer: The provider.
        runtime: How this face calls, waits and tells the time.
        timeouts: Limits on waiting.
        retry: Whether to ask again.
        middleware: What sees each chunk, nearest to the provider first.
        announcer: Who is told.
        wants_stream: Whether the caller reads while audio is made.
        encode: Whether to give out ``plan.target``; else plain samples at its rate
            and channels, for a caller that writes the container itself.
    """

    def __init__(
        self,
        plan: Plan,
        synthesizer: Synthesizer,
        runtime: Runtime,
        *,
        timeouts: Timeouts,
        retry: Retry,
        middleware: Sequence[Middleware] = (),
        announcer: Announcer,
        wants_stream: bool = True,
        encode: bool = True,
    ) -> None:
        self.plan = plan
        self.format = plan.target if encode else plan.samples
        self._synthesizer = synthesizer
        self._runtime = runtime
        self._timeouts = timeouts
        self._retry = retry
        self._middleware = middleware
        self._announcer = announcer
        self._wants_stream = wants_stream
        self._bytes_per_s = _bytes_per_s(plan.source)
        self._stage: Stage = converter(plan.source, self.format, gain_db=plan.gain_db)
        self._segments: Iterator[Segment] = plan.segments()
        self._request: _Request | None = None
        self._attempt = 1
        self._again: Segment | None = None
        self._is_cut_smaller = False
        self._headers: dict[str, str | Secret] = {}
        self._ready: deque[Chunk] = deque()
        self._held_marks: tuple[Mark, ...] = ()
        self._late_error: BaseException | None = None
        self._is_busy = False
        self._end: End | None = None
        self._deadline: float | None = None
        self._started_s: float | None = None
        self._ended_s: float | None = None
        self._first_audio_s: float | None = None
        self._before_request_bytes = 0
        self._given_bytes = 0
        self._characters = 0
        self._count = 0
        self._request_ids: list[str] = []
        self._usage: dict[str, float] = {}
        self._warnings: list[str] = list(plan.warnings)
        self._facts: dict[str, tuple[str | Secret, ...]] = {}

    # The caller's side

    async def next_chunk(self) -> Chunk | None:
        """
        Return the next chunk, or None after the last.

        Raises:
            StreamStateError: If another task is reading already.
            VivavoceError: Whatever ended the synthesis; it says how much was delivered.
        """
        if self._ready:
            return self._ready.popleft()
        if self._late_error is not None:
            error, self._late_error = self._late_error, None
            raise error
        if self._end is not None:
            return None
        if self._is_busy:
            msg = "This stream is being read already. A stream has one reader."
            raise StreamStateError(msg)
        self._is_busy = True
        try:
            await self._fill()
        finally:
            self._is_busy = False
        return self._ready.popleft() if self._ready else None

    async def close(self) -> None:
        """Leave: cancel what runs, free what is held. Harmless when repeated."""
        if self._end is None:
            self._finish(End.CANCELLED)
        self._ready.clear()
        await self._drop_request()

    @property
    def report(self) -> Report:
        """What is known so far."""
        usage = _sum(self._usage, self._request.usage if self._request else {})
        facts = _joined(self._facts, self._request.facts if self._request else {})
        return Report(
            provider=self.plan.info.name,
            model=self.plan.model.name,
            voice=self.plan.voice.id if self.plan.voice else "",
            end=self._end,
            request_ids=tuple(self._request_ids),
            segments=self._count,
            characters=self._characters,
            ttfa_s=self._first_audio_s,
            total_s=self._elapsed_s(),
            audio_s=self._given_s,
            usage=usage,
            cost=self._cost(usage),
            currency=self.plan.estimate.currency,
            warnings=tuple(self._warnings),
            facts=facts,
        )

    @property
    def _given_s(self) -> float:
        # Reckoned from bytes each time: a sum of seconds drifts away from the samples.
        return self._given_bytes / self._bytes_per_s if self._bytes_per_s else 0.0

    def _elapsed_s(self) -> float:
        if self._started_s is None:
            return 0.0
        return (self._ended_s or self._runtime.now()) - self._started_s

    def _cost(self, usage: dict[str, float]) -> Decimal | None:
        """Return the cost of what was billed; of the estimate's units where none came back."""
        return self.plan.cost_of(usage or self.plan.estimate.units)

    # The loop

    async def _fill(self) -> None:
        """Go on until there is a chunk, or the end."""
        if self._started_s is None:
            self._started_s = self._runtime.now()
            self._announcer.started()
        try:
            self._check_total()
            self._set_deadline()
            while not self._ready and self._end is None:
                await self._step_or_retry()
        except BaseException as error:  # noqa: BLE001 - _fail raises it, in its turn
            await self._fail(error)

    async def _step_or_retry(self) -> None:
        try:
            await self._step()
        except VivavoceError as error:
            if not await self._go_on_after(error):
                raise

    async def _go_on_after(self, error: VivavoceError) -> bool:
        """Make ready to ask again; False where that must not be, or cannot help."""
        request = self._request
        # Once audio has come, asking again could say it twice. Bytes: compressed audio has no
        # seconds here.
        if request is None or self._given_bytes > 0 or request.audio_bytes > 0:
            return False
        if isinstance(error, TextTooLong):
            return await self._cut_smaller(request, error)
        wait_s = self._retry.wait_s(error, attempt=self._attempt, audio_came=False)
        if wait_s is None:
            return False
        await self._close_conversation(request)
        self._attempt += 1
        self._warn(f"attempt {self._attempt} after {type(error).__name__}")
        call = request.exchange.resume()
        if call is None:
            self._request, self._again = None, request.segment
        await self._runtime.sleep(self._bounded(wait_s))
        if call is not None:
            await self._call(call)
            self._set_deadline()
        return True

    async def _cut_smaller(self, request: _Request, error: TextTooLong) -> bool:
        """Go on in smaller requests, once; False if that was done, or cannot be."""
        segments = None
        if not self._is_cut_smaller:
            segments = self.plan.smaller_segments(request.segment, error.limit)
        if segments is None:
            return False
        self._is_cut_smaller = True
        await self._drop_request()
        self._segments = segments
        size = len(request.segment.text)
        self._warn(f"text: {size} characters were too long for one request; tried in smaller ones")
        return True

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

    async def _step(self) -> None:
        if self._request is None:
            segment = self._next_segment()
            if segment is None:
                self._complete()
            else:
                await self._open(segment)
            return
        event = await self._receive()
        await self._handle(event, self._understand(event))

    def _next_segment(self) -> Segment | None:
        if self._again is not None:
            segment, self._again = self._again, None
            return segment
        self._attempt = 1
        return next(self._segments, None)

    async def _open(self, segment: Segment) -> None:
        exchange = self._make_exchange(segment)
        self._request = _Request(segment, exchange)
        await self._call(exchange.open())
        self._set_deadline()

    def _make_exchange(self, segment: Segment) -> Exchange:
        request = self.plan.request(segment, wants_stream=self._wants_stream)
        return self._synthesizer.exchange(request)

    async def _call(self, call: Call) -> None:
        assert self._request is not None
        if isinstance(call, HttpCall | WebSocketCall):
            self._headers.update(call.headers)
        self._request.is_http = isinstance(call, HttpCall)
        self._request.conversation = await self._conversation(self._request.exchange, call)

    async def _conversation(self, exchange: Exchange, call: Call) -> Conversation:
        limit_s = self._timeouts.connect_s
        try:
            return await self._runtime.open(
                call, None if limit_s is None else self._bounded(limit_s)
            )
        except TimeoutError as error:
            raise self._timed_out("connect", limit_s) from error
        except HandshakeRefused as error:
            refusal = error
        # Not while it is handled: the body, which may repeat the credential, would go along.
        body, refusal.body = refusal.body[:ERROR_BODY_MAX_BYTES], b""
        if refusal.reply.status < 300:  # a page, where a connection was asked for
            raise refusal
        raise exchange.explain_error(refusal.reply.status, refusal.reply.headers, body)

    async def _receive(self) -> Event:
        assert self._request is not None
        assert self._request.conversation is not None
        timeout_s = None
        if self._deadline is not None:
            timeout_s = max(0.0, self._deadline - self._runtime.now())
        try:
            return await self._request.conversation.receive(timeout_s)
        except TimeoutError as error:
            raise self._late() from error

    def _understand(self, event: Event) -> Sequence[Output]:
        assert self._request is not None
        try:
            return self._request.exchange.receive(event)
        except VivavoceError:
            raise
        except Exception as error:  # a reply that breaks the reader is the provider's doing
            msg = (
                f"A reply of {self.plan.info.name!r} could not be read: "
                f"{type(error).__name__}: {error}."
            )
            raise UnexpectedReply(msg) from error

    async def _handle(self, event: Event, outputs: Iterable[Output]) -> None:
        request = self._request
        assert request is not None
        for output in outputs:
            if isinstance(output, AudioData):
                self._take_audio(request, output.data)
            elif isinstance(output, NextCall):
                await self._close_conversation(request)
                await self._call(output.call)
                return
            elif isinstance(output, SendMessage):
                assert request.conversation is not None
                await request.conversation.send(output.data)
            else:
                self._take_note(request, output)
        if request.is_finished:
            if not isinstance(event, _ENDS):
                await self._drain(request)
            await self._finish_request(request)
        elif isinstance(event, _ENDS):
            msg = f"{self.plan.info.name!r} ended its reply before saying that it was complete."
            raise TruncatedAudio(msg)

    def _take_note(
        self, request: _Request, output: Marks | Facts | Failed | Finished | TurnEnded
    ) -> None:
        if isinstance(output, Marks):
            request.marks.extend(output.marks)
        elif isinstance(output, Facts):
            self._take_facts(request, output)
        elif isinstance(output, Failed):
            raise output.error
        elif isinstance(output, Finished):
            request.is_finished = True

    # What came

    def _take_audio(self, request: _Request, data: bytes) -> None:
        if request.aligner is not None:
            data = request.aligner.align(data)
        if not data:
            return
        request.audio_bytes += len(data)
        if not request.is_heard:
            request.listen(data)
        marks = self._due_marks(request, request.audio_s) if request.marks else ()
        self._emit(data, marks)

    def _due_marks(self, request: _Request, until_s: float) -> tuple[Mark, ...]:
        """
        Take the marks whose audio has come whole, moved into the whole text and audio.

        A mark waits for its last sample, so that no mark points past the audio.
        """
        if not request.marks:
            return ()
        due = [mark for mark in request.marks if mark.end_s <= until_s]
        if not due:
            return ()
        due.sort(key=_end_of)  # stable: of equals the first to come stays first
        request.marks = [mark for mark in request.marks if mark.end_s > until_s]
        before_s = duration_s(request.exchange.format, self._before_request_bytes)
        end_s = duration_s(
            request.exchange.format, self._before_request_bytes + request.audio_bytes
        )
        # Held again: the sum of two times may lie a hair past the sum of their samples.
        return tuple(
            _held_to(mark.shifted(seconds=before_s, characters=request.segment.start), end_s)
            for mark in due
        )

    def _take_facts(self, request: _Request, facts: Facts) -> None:
        if facts.request_id:
            request_id = self._without_secrets(facts.request_id)
            if request_id not in self._request_ids:
                self._request_ids.append(request_id)
        if facts.usage:
            request.usage = facts.usage
        for text in facts.warnings:
            self._warn(self._without_secrets(text))
        for name, value in facts.other.items():
            request.facts[name] = (
                value if isinstance(value, Secret) else self._without_secrets(value)
            )

    def _without_secrets(self, text: str) -> str:
        """Return *text* of the provider's without the key, should it have sent that back."""
        return hide_secrets(text, self._headers)

    async def _drain(self, request: _Request) -> None:
        """Read an HTTP reply that is complete to its end: cut, its connection would be lost."""
        if not request.is_http or request.conversation is None:
            return
        until = self._runtime.now() + DRAIN_LIMIT_S
        # It is complete, whatever still happens to the connection.
        with suppress(TimeoutError, TransportError, UnexpectedReply):
            while (left_s := until - self._runtime.now()) > 0:
                if isinstance(await request.conversation.receive(left_s), BodyEnd):
                    return

    async def _finish_request(self, request: _Request) -> None:
        torn = request.aligner.finish() if request.aligner is not None else 0
        if torn:
            msg = f"{self.plan.info.name!r} ended in the middle of a sample ({torn} bytes over)."
            raise TruncatedAudio(msg)
        self._check_end(request)
        self._held_marks += self._last_marks(request)
        self._before_request_bytes += request.audio_bytes
        self._count += 1
        self._characters += self._characters_of(request)
        await self._drop_request()

    def _characters_of(self, request: _Request) -> int:
        return len(request.segment.text)

    def _check_end(self, request: _Request) -> None:
        """Refuse an end that nothing was heard before."""
        request.listen()
        if not request.is_heard:
            what = "only silence" if request.audio_bytes else "no audio at all"
            msg = (
                f"{self.plan.info.name!r} said it was done but gave {what} for "
                f"{self._characters_of(request)} characters. The text may be in a script it "
                "does not read."
            )
            raise NoAudio(msg)

    def _last_marks(self, request: _Request) -> tuple[Mark, ...]:
        """Take what marks are left, held to the end of the audio that came."""
        end_s = request.audio_s
        request.marks = [_held_to(mark, end_s) for mark in request.marks]
        return self._due_marks(request, end_s)

    def _complete(self) -> None:
        for chunk in finish_all(self._middleware):
            self._convert(chunk.data, chunk.marks)
        rest = self._stage.finish()
        if rest or self._held_marks:
            self._give(rest)
        self._finish(End.COMPLETE)

    def _emit(self, data: bytes, marks: tuple[Mark, ...]) -> None:
        if not self._middleware:
            self._convert(data, marks)
            return
        marks, self._held_marks = self._held_marks + marks, ()
        chunk = Chunk(data=data, start_s=self._given_s, marks=marks)
        for changed in pass_through(self._middleware, (chunk,)):
            self._convert(changed.data, changed.marks)

    def _convert(self, data: bytes, marks: tuple[Mark, ...]) -> None:
        if marks:
            self._held_marks += marks
        start_s = self._given_s
        self._given_bytes += len(data)
        converted = self._stage.feed(data)
        if converted:
            self._give(converted, start_s)

    def _give(self, data: bytes, start_s: float | None = None) -> None:
        if self._first_audio_s is None:
            self._note_first_audio()
        marks, self._held_marks = self._held_marks, ()
        at_s = self._given_s if start_s is None else start_s
        self._ready.append(Chunk(data=data, start_s=at_s, marks=marks))

    def _note_first_audio(self) -> None:
        if self._started_s is not None:
            self._first_audio_s = self._runtime.now() - self._started_s

    # Limits

    def _check_total(self) -> None:
        """Give up what is over its time, though more of it may be at hand."""
        total_s = self._timeouts.total_s
        if total_s is not None and self._elapsed_s() >= total_s:
            raise self._timed_out("total", total_s)

    def _set_deadline(self) -> None:
        limit_s = self._phase()[1]
        self._deadline = None if limit_s is None else self._runtime.now() + limit_s
        if self._timeouts.total_s is not None and self._started_s is not None:
            total = self._started_s + self._timeouts.total_s
            self._deadline = min(self._deadline or total, total)

    def _phase(self) -> tuple[str, float | None]:
        if self._request is None or not self._request.audio_bytes:
            return "first_audio", self._timeouts.first_audio_s
        return "between_chunks", self._timeouts.between_chunks_s

    def _bounded(self, seconds: float) -> float:
        """Return *seconds*, or what is left of the total."""
        if self._timeouts.total_s is None or self._started_s is None:
            return seconds
        left = self._started_s + self._timeouts.total_s - self._runtime.now()
        return max(0.0, min(seconds, left))

    def _late(self) -> TimedOut:
        total_s = self._timeouts.total_s
        if total_s is not None and self._elapsed_s() >= total_s:
            return self._timed_out("total", total_s)
        return self._timed_out(*self._phase())

    def _timed_out(self, phase: str, limit_s: float | None) -> TimedOut:
        limit_s = limit_s or 0.0
        what = {
            "connect": "could not be reached",
            "first_audio": "sent no audio",
            "between_chunks": "sent no more audio",
            "total": "was not done",
        }[phase]
        msg = f"{self.plan.info.name!r} {what} within {limit_s:g} s (phase: {phase})."
        return TimedOut(msg, phase=phase, limit_s=limit_s)

    # Ends

    async def _fail(self, error: BaseException) -> None:
        """End with *error*; it comes after chunks that are ready already."""
        if isinstance(error, VivavoceError):
            error.redact(self._without_secrets)
            error.add_context(
                provider=self.plan.info.name,
                model=self.plan.model.name,
                request_id=self._request_ids[-1] if self._request_ids else None,
                audio_delivered_s=self._given_s,
            )
        if isinstance(error, Exception):
            self._end, self._ended_s = End.FAILED, self._runtime.now()
            self._announcer.failed(lambda: self.report, error)
        else:
            # Ctrl-C, or the caller's task was cancelled: nobody failed.
            self._finish(End.CANCELLED)
        await self._drop_request()
        if self._ready and isinstance(error, Exception):
            self._late_error = error
            return
        raise error

    def _finish(self, end: End) -> None:
        self._end = end
        self._ended_s = self._runtime.now() if self._started_s is not None else None
        if self._started_s is not None:
            self._announcer.finished(lambda: self.report)

    async def _drop_request(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            # What was billed is billed, however it ended.
            self._usage = _sum(self._usage, request.usage)
            self._facts = _joined(self._facts, request.facts)
            await self._close_conversation(request)

    async def _close_conversation(self, request: _Request) -> None:
        conversation, request.conversation = request.conversation, None
        if conversation is not None:
            await conversation.close()


def _has_frames(audio_format: AudioFormat) -> bool:
    return audio_format.container is Container.RAW and audio_format.encoding.value in (
        "pcm_s16le",
        "mulaw",
        "alaw",
    )


def _bytes_per_s(audio_format: AudioFormat) -> int:
    """Return the bytes of a second; 0 for compressed audio, which is passed on unread."""
    if not _has_frames(audio_format):
        return 0
    return audio_format.frame_bytes * audio_format.sample_rate_hz


def duration_s(audio_format: AudioFormat, byte_count: int) -> float:
    """Return the seconds; 0.0 for compressed audio."""
    return audio_format.duration_s(byte_count) if _has_frames(audio_format) else 0.0


def _end_of(mark: Mark) -> float:
    return mark.end_s


def _held_to(mark: Mark, end_s: float) -> Mark:
    if mark.end_s <= end_s:
        return mark
    start_s = min(mark.start_s, end_s)
    return Mark(
        kind=mark.kind,
        start_s=start_s,
        end_s=end_s,
        text_start=mark.text_start,
        text_end=mark.text_end,
        value=mark.value,
        origin=mark.origin,
    )


def _sum(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    total = dict(left)
    for unit, amount in right.items():
        total[unit] = total.get(unit, 0.0) + amount
    return total


def _joined(
    left: Mapping[str, tuple[str | Secret, ...]], right: Mapping[str, str | Secret]
) -> dict[str, tuple[str | Secret, ...]]:
    return {**left, **{name: (*left.get(name, ()), value) for name, value in right.items()}}
