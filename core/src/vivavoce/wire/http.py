"""The words of an HTTP exchange."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from vivavoce.model.secret import Secret

__all__ = ["BodyData", "BodyEnd", "HttpCall", "ResponseStarted", "retry_after_s", "shorten"]

_RETRY_AFTER_MAX_DIGITS = 9


@frozen(kw_only=True)
class HttpCall:
    """
    A request to send.

    Attributes:
        method: ``GET``, ``POST`` or ``DELETE``.
        url: Absolute ``https`` (or, for loopback, ``http``) address.
        headers: Name to value; a :class:`~vivavoce.authoring.Secret` is revealed
            only when sent.
        body: Bytes to send.
        max_body_bytes: Bound on the reply; more is an error, so that a server
            cannot fill the memory.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str | Secret] = field(factory=dict)
    # What is in it is the user's: a text, a recording of somebody.
    body: bytes = field(repr=False, default=b"")
    max_body_bytes: int = 1 << 30


@frozen(kw_only=True)
class ResponseStarted:
    """
    Status and headers have come.

    Attributes:
        status: HTTP status.
        headers: Names in lower case; of repeated ones, the values joined by a comma.
    """

    status: int
    headers: Mapping[str, str]


@frozen
class BodyData:
    """Some bytes of the body, content encoding removed, cut anywhere."""

    data: bytes


@frozen
class BodyEnd:
    """The body is complete; a body cut short is a transport error instead."""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """
    Return the seconds to wait before asking again, or None for a date, nonsense or nothing.

    Read from ``Retry-After-Ms``, in milliseconds, where some providers put it, else from
    ``Retry-After``.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        # More digits than this are nonsense, and enough of them would be infinite.
        if value.isascii() and value.isdigit() and len(value) <= _RETRY_AFTER_MAX_DIGITS:
            return float(value) * unit_s
    return None


def shorten(body: bytes, limit: int = 300) -> str:
    """Return *body* as one readable line of at most *limit* characters."""
    text = " ".join(body[: limit * 4].decode("utf-8", "replace").split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
