"""What was received, for whoever tests a client."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Journal", "Received"]

_SECRETS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_CUSTOMIZATION = "/services/audio/tts/customization"
# A recording may come in other forms and places than it should.
_NOT_SHOWN = {"text": "transcript", "audio": "recording", "data": "recording", "url": "recording"}
# Nothing a request for a voice should hold in the clear is longer.
_LONGEST_SHOWN = 4_096
_KEPT = 1_000
_MASK = "***"


@dataclass(slots=True, kw_only=True)
class Received:
    """One request, as it came in."""

    method: str
    path: str
    query: dict[str, str]
    """As decoded; a signature is masked."""

    headers: list[tuple[str, str]]
    """In order; names in lower case. A key is masked: ``Bearer ***``, or ``***`` without it."""

    body: Any = None
    """
    The JSON in the body; its text where that is none; None without a body. Of a request for
    voices, recordings and transcripts are left out: in their place is an object with ``kind``,
    ``characters`` and ``sha256``, and for a recording also ``media_type``, ``bytes`` and
    ``bytes_sha256``, of what the base64 holds.
    """

    fault: str = ""
    """Name of the fault that was done to it, or empty."""

    status: int = 0
    """The status that was answered."""

    ended: str = ""
    """
    ``complete``, ``left`` (by the client), ``cut``, or empty while it lasts. A session is complete
    where it was closed after its last event, and may also be ``closed`` by the server before.
    """

    messages: list[Any] = field(default_factory=list)
    """
    What the client sent in a session, in order: the JSON of each message, its text where that is
    none, and the length of what was binary as ``{"binary": 3}``.
    """

    close_code: int | None = None
    """
    How a session was closed: the code that was sent first, 1005 for none, 1006 where the
    connection just ended; None while it lasts, and for all that is no session.
    """

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)


@dataclass(slots=True)
class Journal:
    """The last 1000 requests. May be used by many threads."""

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _entries: list[Received] = field(default_factory=list)

    def note(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]],
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> Received:
        """Write down a request and return the entry; secrets are masked."""
        entry = Received(
            method=method,
            path=path,
            query={key: _MASK if key == "Signature" else value for key, value in query},
            headers=[(name.lower(), _mask(name.lower(), value)) for name, value in headers],
            body=_shown(body) if path.endswith(_CUSTOMIZATION) else _parsed(body),
        )
        with self._changed:
            self._entries.append(entry)
            del self._entries[:-_KEPT]
        return entry

    def hear(self, entry: Received, message: str | bytes) -> None:
        """Write down what the client sent in a session."""
        heard = {"binary": len(message)} if isinstance(message, bytes) else _parsed(message)
        with self._changed:
            entry.messages.append(heard)

    def end(self, entry: Received, how: str, close_code: int | None = None) -> None:
        """Write down how the answer to *entry* ended, and with what a session was closed."""
        with self._changed:
            entry.ended, entry.close_code = how, close_code
            self._changed.notify_all()

    def wait_for_end(self, entry: Received, timeout_s: float) -> str:
        """
        Return how *entry* ended, waiting for it.

        Raises:
            TimeoutError: If it has not ended after *timeout_s* seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: entry.ended, timeout_s):
                msg = f"The answer to {entry.method} {entry.path} still lasts after {timeout_s} s."
                raise TimeoutError(msg)
            return entry.ended

    def entries(self) -> list[Received]:
        """Return the entries, the oldest first."""
        with self._changed:
            return list(self._entries)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the entries as plain values, the oldest first."""
        with self._changed:
            return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forget every entry."""
        with self._changed:
            self._entries.clear()


def _mask(name: str, value: str) -> str:
    if name not in _SECRETS:
        return value
    return f"Bearer {_MASK}" if value.lower().startswith("bearer ") else _MASK


def _parsed(body: bytes | str) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body if isinstance(body, str) else body.decode(errors="replace")


def _shown(body: bytes) -> Any:
    """Return *body* without what somebody said, or is to be known by."""
    value = _parsed(body)
    # What is no JSON might hold a recording anywhere.
    return _summary("body", value) if isinstance(value, str) else _without_speech(value)


def _without_speech(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _without_speech(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_speech(inner, name) for inner in value]
    return _string_without_speech(value, name) if isinstance(value, str) else value


def _string_without_speech(value: str, name: str) -> Any:
    if value[:5].lower() == "data:":
        return _summary("data URL", value) | _held(value)
    if value[:5].lower().startswith("http"):
        # It may be signed, and whoever reads it can hear the recording.
        return _summary("address", value)
    if name in _NOT_SHOWN:
        return _summary(_NOT_SHOWN[name], value)
    return value if len(value) <= _LONGEST_SHOWN else _summary("text", value)


def _held(value: str) -> dict[str, Any]:
    """Return what can be told of the bytes in a data URL."""
    head, _, data = value.partition(",")
    told: dict[str, Any] = {"media_type": head[5:].partition(";")[0]}
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError:
        return told
    return told | {"bytes": len(raw), "bytes_sha256": hashlib.sha256(raw).hexdigest()}


def _summary(kind: str, value: str) -> dict[str, Any]:
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    return {"kind": kind, "characters": len(value), "sha256": digest}
