"""A realtime session: text in and audio out over one WebSocket, both at once."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from vivavoce_qwen_emulator.checks import HasOwn, Order, Refused, has_voice, is_speakable
from vivavoce_qwen_emulator.events import (
    Message,
    Outgoing,
    Response,
    Sent,
    closing_events,
    created,
    delta,
    engine_refusal,
    error,
    new_id,
    opening_events,
    updated,
)
from vivavoce_qwen_emulator.faults import Fault
from vivavoce_qwen_emulator.journal import Journal, Received
from vivavoce_qwen_emulator.replies import dump
from vivavoce_qwen_emulator.script import Close, Cut, Wait, wait_for
from vivavoce_qwen_emulator.sessions import TextBuffer, invalid_value, order_of, read_session
from vivavoce_qwen_emulator.settings import Settings

if TYPE_CHECKING:
    from vivavoce_qwen.tables import ModelRow

__all__ = ["RealtimeSession"]

_TOO_LATE = "Session update error: session already started or finished or failed."


class _Over(Exception):
    """The server has ended the session."""


@dataclass(frozen=True, slots=True)
class _Say:
    """Text to be spoken."""

    text: str


@dataclass(frozen=True, slots=True)
class _EndResponse:
    """No more text for a response that is open."""


@dataclass(frozen=True, slots=True)
class _Finish:
    """No more text at all."""


class RealtimeSession:
    """
    One session, from the accepted handshake to the close.

    What the client says is taken at once, while what it asked for is spoken, one text after the
    other, beside that.

    Args:
        socket: An accepted WebSocket.
        model: The model's row; None for one that is not served here, which gets no answers.
        name: The name that was asked for.
        fault: What goes wrong.
        settings: How the service behaves.
        speak: Text to audio; blocks.
        has_own: Knows the voices that were made.
        cut: Ends the connection without a close.
        journal: Where messages and the end are written down.
        received: The entry of the handshake.
    """

    def __init__(
        self,
        socket: WebSocket,
        *,
        model: ModelRow | None,
        name: str,
        fault: Fault,
        settings: Settings,
        speak: Callable[[Order], bytes],
        has_own: HasOwn,
        cut: Callable[[Cut], None],
        journal: Journal,
        received: Received,
    ) -> None:
        self._socket = socket
        self._model = model
        self._name = name
        self._fault = fault
        self._settings = settings
        self._speak = speak
        self._has_own = has_own
        self._cut = cut
        self._journal = journal
        self._received = received

        self._id = new_id("sess")
        self._config: dict[str, Any] = {}
        self._buffer = TextBuffer(settings.group_characters)
        self._event_ids: set[str] = set()
        self._sent = Sent()
        self._jobs: deque[_Say | _EndResponse | _Finish] = deque()
        self._has_jobs = asyncio.Event()
        self._is_busy = False
        self._response: Response | None = None
        self._audio: asyncio.Task[None] | None = None
        # "new", "started", "finishing", "finished" or "failed", in this order.
        self._state = "new"
        self._end: tuple[str, int] | None = None

    async def run(self) -> None:
        """Serve until either side closes."""
        tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._work())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            if any(isinstance(end, WebSocketDisconnect) for end in ends):
                # Found out while sending; how the client left is still to be read.
                await self._hear_the_rest()
            self._journal.end(self._received, *(self._end or ("left", 1006)))
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, _Over | WebSocketDisconnect):
                raise end

    # --- what the client says ------------------------------------------------

    async def _listen(self) -> None:
        await self._emit(created(self._id, self._name))
        while True:
            said = self._hear(await self._next_frame())
            if said is None:
                return
            if self._model is None or self._state == "failed":
                continue
            try:
                await self._obey(self._read(said), self._model)
            except Refused as refused:
                await self._emit(error(refused.code, refused.message))

    def _hear(self, frame: Mapping[str, Any]) -> str | bytes | None:
        """Return what the client says in *frame*, written down; None if it left."""
        if frame["type"] == "websocket.disconnect":
            # Without a reason there was no close: the connection just ended.
            code = frame["code"] if "reason" in frame else 1006
            how = "complete" if self._state == "finished" and code != 1006 else "left"
            self._end = self._end or (how, code)
            return None
        said: str | bytes = frame["bytes"] if frame.get("text") is None else frame["text"]
        self._journal.hear(self._received, said)
        return said

    async def _hear_the_rest(self) -> None:
        while self._end is None:
            self._hear(await self._socket.receive())

    async def _next_frame(self) -> Mapping[str, Any]:
        idle_s = self._settings.idle_s or None
        while True:
            try:
                async with asyncio.timeout(idle_s):
                    return await self._socket.receive()
            except TimeoutError:
                if not (self._is_busy or self._jobs):
                    await self._send(Close(self._settings.idle_code, "The session was idle."))

    def _read(self, said: str | bytes) -> Message:
        """Return the event in a frame, as far as every event is the same."""
        try:
            event = json.loads(said) if isinstance(said, str) else None
        except ValueError:
            event = None
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise invalid_value("The message is no JSON object with a type.")
        event_id = event.get("event_id")
        if not isinstance(event_id, str) or not event_id:
            raise invalid_value("The field 'event_id' is required and is a string.")
        if event_id in self._event_ids:
            raise invalid_value(f"The event_id {event_id!r} was used before.")
        self._event_ids.add(event_id)
        return event

    async def _obey(self, event: Message, model: ModelRow) -> None:
        kind = event["type"]
        if kind == "session.update":
            await self._update(event, model)
        elif kind == "response.cancel" and self._settings.cancel == "obeyed":
            self._cancel()
        elif kind not in {
            "input_text_buffer.append",
            "input_text_buffer.commit",
            "input_text_buffer.clear",
            "session.finish",
        }:
            raise invalid_value(f"There is no event {kind!r}.")
        elif self._state in {"finishing", "finished"}:
            raise invalid_value(f"The session is finished; {kind!r} is too late.")
        elif kind == "input_text_buffer.append":
            self._append(event)
        elif kind == "input_text_buffer.commit":
            await self._commit()
        elif kind == "input_text_buffer.clear":
            await self._clear()
        else:
            self._finish()

    async def _update(self, event: Message, model: ModelRow) -> None:
        if self._state != "new":
            raise invalid_value(_TOO_LATE)
        self._config |= read_session(event.get("session"), model)
        await self._emit(updated(self._id, self._name, self._config))

    def _append(self, event: Message) -> None:
        text = event.get("text")
        if not isinstance(text, str):
            raise invalid_value("The field 'text' is required and is a string.")
        self._buffer.add(text)
        if self._is_grouping():
            for group in self._buffer.take_groups():
                self._say(group)

    async def _commit(self) -> None:
        text = self._buffer.take()
        is_open = self._settings.open_responses and self._is_grouping()
        is_awaited = is_open and (self._response is not None or bool(self._jobs))
        if not (text or is_awaited):
            raise invalid_value("The text buffer is empty; there is nothing to commit.")
        await self._emit({"type": "input_text_buffer.committed", "item_id": ""})
        if text:
            # Here, and only here, signs alone reach the engine, which cannot speak them.
            self._put(_Say(text))
        if is_open:
            self._put(_EndResponse())

    async def _clear(self) -> None:
        self._buffer.take()
        if self._settings.clear == "unspoken":
            kept = [job for job in self._jobs if not isinstance(job, _Say)]
            self._jobs.clear()
            self._jobs.extend(kept)
        await self._emit({"type": "input_text_buffer.cleared"})

    def _finish(self) -> None:
        text = self._buffer.take()
        if self._is_grouping() or self._settings.uncommitted == "spoken":
            self._say(text)
        self._state = "finishing"
        self._put(_Finish())

    def _cancel(self) -> None:
        if self._response is None:
            return
        self._response.status = "incomplete"
        if self._audio is not None:
            self._audio.cancel()
        else:
            self._jobs.appendleft(_EndResponse())
            self._has_jobs.set()

    def _is_grouping(self) -> bool:
        return bool(self._config.get("mode", "server_commit") == "server_commit")

    def _say(self, text: str) -> None:
        if is_speakable(text):
            self._put(_Say(text))

    def _put(self, job: _Say | _EndResponse | _Finish) -> None:
        if isinstance(job, _Say):
            self._state = "started"
        self._jobs.append(job)
        self._has_jobs.set()

    # --- what is spoken ------------------------------------------------------

    async def _work(self) -> None:
        while True:
            if not self._jobs:
                self._is_busy = False
                self._has_jobs.clear()
                await self._has_jobs.wait()
                continue
            self._is_busy = True
            job = self._jobs.popleft()
            try:
                if isinstance(job, _Say):
                    await self._say_aloud(job.text)
                elif isinstance(job, _EndResponse):
                    await self._end_response()
                else:
                    await self._end_session()
            except Refused as refused:
                await self._fail(refused)

    async def _say_aloud(self, text: str) -> None:
        assert self._model is not None
        is_first = self._response is None
        if self._response is None:
            order = order_of(self._model, self._config)
            if not has_voice(self._model, order.voice, self._has_own):
                raise engine_refusal()
            if not is_speakable(text):
                raise Refused(400, "InvalidParameter", "Please ensure input text is valid.")
            self._response = Response(order=order)
            for event in opening_events(self._response):
                await self._emit(event)
        self._audio = asyncio.ensure_future(
            self._send_audio(self._response, text, is_first=is_first)
        )
        audio = self._audio
        try:
            # Unlike this session's own end, the end of the task by a cancel is not raised here.
            await asyncio.wait((audio,))
        finally:
            self._audio = None
            audio.cancel()
        if not audio.cancelled():
            audio.result()
        is_open = self._settings.open_responses and self._is_grouping()
        if not is_open or self._response.status == "incomplete":
            await self._end_response()

    async def _send_audio(self, response: Response, text: str, *, is_first: bool) -> None:
        response.text += text
        order = replace(response.order, text=text)
        if order.response_format == "wav" and not is_first:
            order = replace(order, response_format="pcm")
        audio = self._fault.spoken(await run_in_threadpool(self._speak, order))
        seconds = await run_in_threadpool(self._duration_s, order, audio)
        response.seconds += seconds
        size = self._fault.delta_bytes(self._settings.chunk_bytes)
        is_real = self._settings.pace == "real"
        for start in range(0, len(audio), size):
            # Even at full speed the client is heard in between.
            await asyncio.sleep(seconds * size / len(audio) if is_real and start else 0)
            await self._emit(delta(response, audio[start : start + size]))

    def _duration_s(self, order: Order, audio: bytes) -> float:
        if order.response_format in {"mp3", "opus"}:
            audio = self._speak(replace(order, response_format="pcm"))
        return len(audio) / (2 * order.sample_rate_hz)

    async def _end_response(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            for event in closing_events(response, self._settings.shape):
                await self._emit(event)

    async def _end_session(self) -> None:
        await self._end_response()
        # Before the event goes out: a client may answer it with its close at once.
        self._state = "finished"
        await self._emit({"type": "session.finished"})
        if self._settings.after_finish == "close":
            await self._send(Close(), how="complete")

    async def _fail(self, refused: Refused) -> None:
        """Tell an error of the engine, after which there is nothing more."""
        self._state = "failed"
        self._jobs.clear()
        response, self._response = self._response, None
        await self._emit(error(refused.code, refused.message))
        if response is not None:
            response.status = "failed"
            await self._emit(closing_events(response, self._settings.shape)[-1])
        if self._settings.after_error == "close":
            await self._send(Close(1011, refused.code))

    # --- what is sent --------------------------------------------------------

    async def _emit(self, event: Message) -> None:
        event = {"event_id": new_id("event"), **event}
        outgoing = self._fault.realtime(event, self._sent)
        self._sent.add(event)
        for item in outgoing:
            await self._send(item)

    async def _send(self, item: Outgoing, *, how: str = "closed") -> None:
        """
        Send or do *item*.

        Raises:
            _Over: If that was the end.
        """
        if isinstance(item, dict):
            await self._socket.send_text(dump(item).decode())
        elif isinstance(item, str):
            await self._socket.send_text(item)
        elif isinstance(item, bytes):
            await self._socket.send_bytes(item)
        elif isinstance(item, Wait):
            await wait_for(item)
        elif isinstance(item, Close):
            self._end = (how, item.code)
            await self._socket.close(item.code, item.reason)
            raise _Over
        else:
            self._end = ("cut", 1006)
            self._cut(item)
            raise _Over
