"""
A task of a provider that is no speech, sans I/O: make a voice, list, delete.

Calls one after the other, each answered whole. As with an exchange there is no socket,
clock or ``await`` in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import field, frozen

from vivavoce.errors import VivavoceError
from vivavoce.wire.exchange import NextCall, explain_status
from vivavoce.wire.http import HttpCall

__all__ = ["Done", "Reply", "Task"]

Result = TypeVar("Result")


@frozen(kw_only=True)
class Reply:
    """
    A whole answer.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: All of it, no longer than the call's ``max_body_bytes``; of a refusal, at most
            its first 64 KiB.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@frozen
class Done(Generic[Result]):
    """The result of a task that need not ask anybody, such as one of an engine right here."""

    result: Result


class Task(ABC, Generic[Result]):
    """One task, as a state machine over whole answers."""

    @abstractmethod
    def open(self) -> HttpCall | Done[Result]:
        """Return what to send first, or the result. Called once an attempt."""

    @abstractmethod
    def receive(self, reply: Reply) -> Result | NextCall:
        """
        Return the result of an answer below 300, or the call to go on with.

        Raise an error of the tree where the answer says that it failed. Whatever else is
        raised becomes :class:`~vivavoce.errors.UnexpectedReply` with its cause.
        """

    def refused(self, reply: Reply) -> Result | NextCall:
        """
        Return what an answer of 300 or more means where it is no failure; else raise its error.

        To delete a voice that is not there is an example. By default every refusal is the
        error of :meth:`explain_error`.
        """
        raise self.explain_error(reply.status, reply.headers, reply.body)

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        """
        Return the error for an HTTP status of 300 or more.

        Args:
            status: HTTP status.
            headers: Response headers, names in lower case.
            body: The body, at most its first 64 KiB.
        """
        return explain_status(status, headers, body)
