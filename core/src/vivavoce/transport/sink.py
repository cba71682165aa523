"""
The buffer between an engine that pushes and a reader that pulls.

One lock, and the reader takes everything that is there at once: an engine a
thousand times faster than speech must not cost a wake-up for each of its buffers.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import suppress

from vivavoce.errors import EngineFailed, StreamStateError, VivavoceError
from vivavoce.model.timing import Mark
from vivavoce.wire.exchange import Event
from vivavoce.wire.local import LocalCall, LocalEnd, LocalOutput

__all__ = ["JOIN_LIMIT_S", "Sink", "refuse_message"]

# An engine promises to look at its sink at least once a buffer. One that does
# not is left to end by itself, and said so, rather than waited for without end.
JOIN_LIMIT_S = 5.0

# Long enough for a reader on a busy machine; a reader that is not there costs no more.
HAND_OVER_LIMIT_S = 0.005

_QUOTE_MAX_CHARACTERS = 300


class Sink:
    """
    Implements ``LocalSink`` on one side and gives events on the other.

    Args:
        call: Its bounds are obeyed.
        wake: Called, from the engine's side, when the reader should look again. It
            raises ``RuntimeError`` when there is no reader any more.
        may_wait: Whether ``audio`` may block its caller. A coroutine must not be
            blocked; it calls ``drain`` instead.
    """

    def __init__(
        self, call: LocalCall, wake: Callable[[], object], *, may_wait: bool = True
    ) -> None:
        self._limit = call.max_buffered_bytes
        self._coalesce = call.coalesce_bytes
        self._wake = wake
        self._may_wait = may_wait
        self._changed = threading.Condition()
        self._on_room: list[Callable[[], object]] = []
        self._on_stop: Callable[[], object] | None = None
        self._audio: list[bytes] = []
        self._held = 0
        self._marks: list[Mark] = []
        self._is_first = True
        self._reader_waits = False
        self._ended = False
        self._failure: BaseException | None = None
        self.stopped = False

    # The engine's side

    def audio(self, data: bytes) -> bool:
        """Hand over audio; see ``LocalSink``."""
        with self._changed:
            if self._may_wait:
                self._wait_for_room()
            if self.stopped:
                return False
            if data:
                self._hold(data)
            return True

    def _hold(self, data: bytes) -> None:
        self._audio.append(data)
        self._held += len(data)
        if self._is_first:
            self._is_first = False
            self._hand_over()
        elif self._held >= self._coalesce:
            self._wake_reader()

    def _hand_over(self) -> None:
        """
        Give the reader its first audio, and step back until it has it.

        An engine that comes back for the interpreter's lock every tenth of a
        millisecond would keep it from the reader for a whole switch interval (5 ms).
        """
        is_awaited = self._reader_waits
        self._wake_reader()
        if is_awaited and self._may_wait and not self.stopped:
            self._changed.wait(HAND_OVER_LIMIT_S)

    def mark(self, mark: Mark) -> None:
        """Hand over a mark; no wake-up, it travels with the audio around it."""
        with self._changed:
            if not self.stopped:
                self._marks.append(mark)

    async def drain(self) -> None:
        """
        Wait until there is room; for engines written as coroutines.

        Waits on the engine's own loop. A thread for each waiting engine would use up
        the loop's few, which look up host names for the whole program.
        """
        import asyncio  # the sync face with a plain engine never needs it

        # Others get their turn also where there is room: an engine that computes
        # without ever waiting would fill the sink before its reader runs once.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        while True:
            room = asyncio.Event()
            with self._changed:
                if not self._is_full():
                    return
                self._wake_reader()
                self._on_room.append(functools.partial(loop.call_soon_threadsafe, room.set))
            await room.wait()

    def _wait_for_room(self) -> None:
        while self._is_full():
            self._wake_reader()
            self._changed.wait()

    def _is_full(self) -> bool:
        # An empty sink takes a piece of any size, or a bound of 0 would never end.
        is_over = self._limit is not None and self._held > 0 and self._limit <= self._held
        return is_over and not self.stopped

    def end(self, failure: BaseException | None = None) -> None:
        """Note that the engine has returned, or what it raised."""
        with self._changed:
            self._ended = True
            self._failure = failure
            self._wake_reader()

    def _wake_reader(self) -> None:
        if not self._reader_waits:
            return
        self._reader_waits = False
        try:
            self._wake()
        except RuntimeError:
            # The reader's event loop was closed under an open stream: nobody reads.
            self.stop()

    # The reader's side

    def take(self) -> Event | None:
        """
        Return what is there, or None after noting that the reader will wait.

        Raises:
            EngineFailed: If the engine raised; errors of the tree come as they are.
            StreamStateError: If the conversation was closed: what the engine did
                after that must not look like its end.
        """
        with self._changed:
            if self.stopped:
                msg = "This synthesis was closed: no more of it comes."
                raise StreamStateError(msg)
            if self._audio or (self._ended and self._marks):
                return self._take_output()
            if self._ended:
                return self._take_end()
            self._reader_waits = True
            return None

    def _take_output(self) -> LocalOutput:
        audio = self._audio[0] if len(self._audio) == 1 else b"".join(self._audio)
        output = LocalOutput(audio, self._marks)
        self._make_room()
        return output

    def _make_room(self) -> None:
        self._audio, self._marks, self._held = [], [], 0
        self._changed.notify_all()
        waiting, self._on_room = self._on_room, []
        for call_back in waiting:
            with suppress(RuntimeError):  # the loop of that engine has ended
                call_back()

    def _take_end(self) -> LocalEnd:
        if self._failure is None:
            return LocalEnd()
        if isinstance(self._failure, VivavoceError):
            raise self._failure
        said = str(self._failure)[:_QUOTE_MAX_CHARACTERS]
        msg = f"The engine raised {type(self._failure).__name__}: {said}."
        raise EngineFailed(msg) from self._failure

    def stop(self) -> None:
        """Drop what is held and let the engine see that the reader has left."""
        with self._changed:
            self.stopped = True
            self._make_room()
            call_back, self._on_stop = self._on_stop, None
            if call_back is not None:
                with suppress(RuntimeError):  # the loop of the engine has ended
                    call_back()
            # A reader that waits on another thread learns that this is closed.
            self._wake_reader()

    def when_stopped(self, call_back: Callable[[], object]) -> None:
        """Have *call_back* called, on whichever thread, as soon as the reader has left."""
        with self._changed:
            if not self.stopped:
                self._on_stop = call_back
                return
        call_back()


def refuse_message(data: str | bytes) -> StreamStateError:
    """Return the error for sending a message to something that takes none."""
    return StreamStateError(f"This call takes no messages; {len(data)} bytes were to be sent.")
