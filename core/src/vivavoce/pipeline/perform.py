"""Drives a task over a runtime: calls whose whole answers it reads."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from vivavoce.errors import (
    ConnectFailed,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SetupError,
    TimedOut,
    UnexpectedReply,
    UsageError,
    VivavoceError,
)
from vivavoce.model.secret import Secret
from vivavoce.pipeline.retry import Retry
from vivavoce.settings import Timeouts
from vivavoce.transport.address import hide_secrets
from vivavoce.transport.base import Conversation, Runtime
from vivavoce.wire.exchange import ERROR_BODY_MAX_BYTES, NextCall
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted
from vivavoce.wire.task import Done, Reply, Task

__all__ = ["Performer", "has_surely_not_happened"]

Result = TypeVar("Result")

# Shorter pieces of a text are too likely to be part of an innocent message.
_QUOTE_MIN_CHARACTERS = 12


def has_surely_not_happened(error: VivavoceError) -> bool:
    """Return whether *error* shows that what was asked for was not done."""
    if isinstance(error, TimedOut):
        return error.phase == "connect"
    return isinstance(
        error,
        ConnectFailed | QuotaExceeded | RateLimited | RequestRejected | SetupError | UsageError,
    )


class Performer:
    """
    Performs tasks with one provider.

    Args:
        provider: Its name, for messages.
        runtime: How this face calls, waits and tells the time.
        timeouts: Limits on waiting; ``answer_s`` is for the whole answer.
        retry: Whether to ask again.
    """

    def __init__(
        self, provider: str, runtime: Runtime, *, timeouts: Timeouts, retry: Retry
    ) -> None:
        self._provider = provider
        self._runtime = runtime
        self._timeouts = timeouts
        self._retry = retry

    async def perform(
        self, task: Task[Result], *, is_repeatable: bool, private: tuple[str, ...] = ()
    ) -> Result:
        """
        Return the result of *task*.

        Args:
            task: A new one.
            private: Texts that no error may quote, though the provider does.
            is_repeatable: Whether it does no harm to do it twice. Else it is asked for
                again only where it surely has not been done.

        Raises:
            VivavoceError: What the provider or the way there refused it with.
        """
        attempt = 1
        while True:
            try:
                return await self._attempt(task)
            except VivavoceError as error:
                error.add_context(provider=self._provider)
                for text in private:
                    error.redact(partial(_without, private=text))
                may_repeat = is_repeatable or has_surely_not_happened(error)
                wait_s = self._retry.wait_s(error, attempt=attempt, audio_came=not may_repeat)
                if wait_s is None:
                    raise
            attempt += 1
            await self._runtime.sleep(wait_s)

    async def _attempt(self, task: Task[Result]) -> Result:
        call = task.open()
        if isinstance(call, Done):
            return call.result
        headers: dict[str, str | Secret] = {}
        while True:
            headers.update(call.headers)
            try:
                outcome = self._read(task, await self._answer(call))
            except VivavoceError as error:
                # Whatever the provider repeats of what it was sent: not the key.
                error.redact(lambda text: hide_secrets(text, headers))
                raise
            if not isinstance(outcome, NextCall):
                return outcome
            if not isinstance(outcome.call, HttpCall):
                msg = f"A task of {self._provider!r} goes on with something that is no HTTP call."
                raise UnexpectedReply(msg)
            call = outcome.call

    def _read(self, task: Task[Result], reply: Reply) -> Result | NextCall:
        try:
            return task.receive(reply) if reply.status < 300 else task.refused(reply)
        except VivavoceError:
            raise
        except Exception as error:  # a reply that breaks the reader is the provider's doing
            msg = (
                f"A reply of {self._provider!r} could not be read: {type(error).__name__}: {error}."
            )
            raise UnexpectedReply(msg) from error

    async def _answer(self, call: HttpCall) -> Reply:
        limit_s = self._timeouts.answer_s
        until = None if limit_s is None else self._runtime.now() + limit_s
        try:
            conversation = await self._runtime.open(call, self._timeouts.connect_s)
        except TimeoutError as error:
            raise self._late("connect", self._timeouts.connect_s) from error
        try:
            return await self._collect(conversation, until)
        except TimeoutError as error:
            raise self._late("answer", limit_s) from error
        finally:
            await conversation.close()

    async def _collect(self, conversation: Conversation, until: float | None) -> Reply:
        started: ResponseStarted | None = None
        body = bytearray()
        while True:
            left_s = None if until is None else max(0.0, until - self._runtime.now())
            event = await conversation.receive(left_s)
            if isinstance(event, ResponseStarted):
                started = event
            elif isinstance(event, BodyData):
                body += event.data
                if started is not None and started.status >= 300:
                    del body[ERROR_BODY_MAX_BYTES:]
            elif isinstance(event, BodyEnd) and started is not None:
                return Reply(status=started.status, headers=started.headers, body=bytes(body))

    def _late(self, phase: str, limit_s: float | None) -> TimedOut:
        what = "could not be reached" if phase == "connect" else "gave no whole answer"
        limit_s = limit_s or 0.0
        msg = f"{self._provider!r} {what} within {limit_s:g} s (phase: {phase})."
        return TimedOut(msg, phase=phase, limit_s=limit_s)


def _without(said: str, private: str) -> str:
    """Return *said* with every longer piece of *private* taken out."""
    from difflib import SequenceMatcher  # only on the way to an error

    while True:
        match = SequenceMatcher(None, said, private, autojunk=False).find_longest_match()
        if match.size < _QUOTE_MIN_CHARACTERS:
            return said
        said = f"{said[: match.a]}***{said[match.a + match.size :]}"
