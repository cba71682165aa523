"""One event on a tape: what one side sent at one moment, and its line in the file."""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import attrs
from attrs import field, frozen

from vivavoce.errors import InvalidValue

__all__ = [
    "BLOB_ABOVE_BYTES",
    "ORIGIN",
    "Direction",
    "Event",
    "Headers",
    "Kind",
    "TapeError",
    "blob_name",
    "dump_line",
    "load_line",
]

ORIGIN = "{{origin}}"
"""
Stands in lines, headers and payloads for ``scheme://host:port`` of whoever serves the tape.

A recorder puts it in where a service names its own address, a player puts its own in its place.
"""

BLOB_ABOVE_BYTES = 32_768
"""A payload longer than this lies beside the tape, under the name of its hash."""

Direction = Literal["c", "s"]
Headers = tuple[tuple[str, str], ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\s]+ HTTP/\d(?:\.\d)?")
_STATUS_LINE = re.compile(r"HTTP/\d(?:\.\d)? [1-9]\d\d(?: .*)?")
# Half a surrogate pair cannot be written either.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
# What a reader cannot see, or what turns the line around: never as it is. A fixed list: what
# Python calls printable changes from one release to the next, and the hash must not.
_UNSEEN = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_LONGEST_S = 1e6
_MOST_CONNECTIONS = 10_000


class TapeError(InvalidValue):
    """
    A tape that cannot be read, or an event that cannot be on one.

    Attributes:
        path: The file, or empty.
        tape_line: Its line, from 1, or 0 where it is about the whole.
    """

    def __init__(self, message: str, *, path: str = "", tape_line: int = 0) -> None:
        self.path = path
        self.tape_line = tape_line
        place = f"{path or 'tape'}, line {tape_line}" if tape_line else path
        super().__init__(f"{place}: {message}" if place else message)
        self.bare = message

    def at(self, path: str, tape_line: int) -> TapeError:
        """Return the same error with its place."""
        return TapeError(self.bare, path=self.path or path, tape_line=self.tape_line or tape_line)


class Kind(enum.StrEnum):
    """What an event is."""

    REQUEST = "request"
    """An HTTP request: line, headers, and the whole body as data."""
    RESPONSE = "response"
    """The head of an HTTP reply: line and headers."""
    CHUNK = "chunk"
    """A piece of a reply's body, as the service cut it; never empty."""
    END = "end"
    """The orderly end of a reply's body; headers are its trailers."""
    CUT = "cut"
    """The connection ended before what was on it did: ``how`` says by FIN or RST."""
    WS_OPEN = "ws-open"
    """The client's half of a WebSocket handshake: line and headers."""
    WS_ACCEPT = "ws-accept"
    """The service's half. Where it refuses, it is a response with its chunks instead."""
    TEXT = "text"
    """A whole text message."""
    BIN = "bin"
    """A whole binary message."""
    PING = "ping"
    PONG = "pong"
    CLOSE = "close"
    """A close frame: code (None: it had none) and reason."""
    EOF = "eof"
    """The connection ended, with nothing left unsaid."""
    STALL = "stall"
    """The service sends nothing more, and keeps the connection. Made, never recorded."""


class _Rule(NamedTuple):
    sides: str
    fields: frozenset[str]


def _rule(sides: str, *fields: str) -> _Rule:
    return _Rule(sides, frozenset(fields))


_RULES = {
    Kind.REQUEST: _rule("c", "line", "headers", "data"),
    Kind.RESPONSE: _rule("s", "line", "headers"),
    Kind.CHUNK: _rule("s", "data"),
    Kind.END: _rule("s", "headers"),
    Kind.CUT: _rule("cs", "how"),
    Kind.WS_OPEN: _rule("c", "line", "headers"),
    Kind.WS_ACCEPT: _rule("s", "line", "headers"),
    Kind.TEXT: _rule("cs", "data"),
    Kind.BIN: _rule("cs", "data"),
    Kind.PING: _rule("cs", "data"),
    Kind.PONG: _rule("cs", "data"),
    Kind.CLOSE: _rule("cs", "code", "reason"),
    Kind.EOF: _rule("cs"),
    Kind.STALL: _rule("s"),
}
_OPTIONAL: Mapping[str, object] = {
    "line": "",
    "headers": (),
    "data": b"",
    "code": None,
    "reason": "",
    "how": "",
}


def _check_time(_event: object, _field: object, value: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= _LONGEST_S):
        msg = f"t is {value!r}. It must be seconds, from 0 to {_LONGEST_S:.0f}."
        raise TapeError(msg)


def _check_connection(_event: object, _field: object, value: int) -> None:
    if type(value) is not int or not 1 <= value <= _MOST_CONNECTIONS:
        msg = f"conn is {value!r:.40}. It must be a whole number from 1 to {_MOST_CONNECTIONS}."
        raise TapeError(msg)


def _check_headers(_event: object, _field: object, value: tuple[tuple[Any, ...], ...]) -> None:
    for pair in value:
        if [type(part) for part in pair] != [str, str]:
            msg = f"headers has {pair!r:.80}. Each must be a pair of a name and a value."
            raise TapeError(msg)
        if not _TOKEN.fullmatch(pair[0]) or _CONTROL.search(pair[1]):
            msg = f"headers has {pair!r:.80}, which cannot be sent as a header."
            raise TapeError(msg)


def _check_bytes(_event: object, _field: object, value: object) -> None:
    if type(value) is not bytes:
        msg = f"data is {type(value).__name__}. It must be bytes."
        raise TapeError(msg)


def _as_seconds(value: float) -> float:
    # Microseconds: finer is noise, and makes long lines.
    return round(float(value), 6)


def _as_pairs(value: Any) -> Headers:
    return tuple(tuple(pair) for pair in value)


def _as_kind(value: str) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        msg = f"k is {value!r:.40}. It must be one of: {', '.join(Kind)}."
        raise TapeError(msg) from None


@frozen(kw_only=True)
class Event:
    """
    What one side sent at one moment.

    Attributes:
        t: Seconds since the tape began; within a connection it never decreases.
        conn: Number of the connection, from 1, in the order they were opened.
        dir: Which side: ``c`` the client, ``s`` the service.
        k: What it is.
        line: Request line or status line, without its line end.
        headers: Names and values, in order, as sent.
        data: Payload: a body, a chunk, a message.
        code: Of a close frame, or None.
        reason: Of a close frame.
        how: Of a cut: ``fin`` or ``reset``.

    Raises:
        TapeError: If a field does not fit its kind.
    """

    t: float = field(converter=_as_seconds, validator=_check_time)
    conn: int = field(validator=_check_connection)
    dir: Direction
    k: Kind = field(converter=_as_kind)
    line: str = ""
    headers: Headers = field(default=(), converter=_as_pairs, validator=_check_headers)
    data: bytes = field(default=b"", validator=_check_bytes, repr=lambda data: f"{data!r:.60}")
    code: int | None = None
    reason: str = ""
    how: str = ""

    def __attrs_post_init__(self) -> None:
        rule = _RULES[self.k]
        if self.dir not in tuple(rule.sides):
            msg = f"dir is {self.dir!r:.20}. For {self.k} it must be {' or '.join(rule.sides)}."
            raise TapeError(msg)
        for name, empty in _OPTIONAL.items():
            if name not in rule.fields and getattr(self, name) != empty:
                msg = f"{self.k} has {name}, which belongs to other kinds."
                raise TapeError(msg)
        self._check_words()

    def _check_words(self) -> None:
        if self.k in (Kind.REQUEST, Kind.WS_OPEN):
            _need(_REQUEST_LINE.fullmatch(self.line), "line", self.line, "a request line")
        elif self.k in (Kind.RESPONSE, Kind.WS_ACCEPT):
            _need(_STATUS_LINE.fullmatch(self.line), "line", self.line, "a status line")
        elif self.k is Kind.CUT:
            _need(self.how in ("fin", "reset"), "how", self.how, "fin or reset")
        elif self.k is Kind.CHUNK:
            _need(self.data, "data", self.data, "at least one byte, for a chunk")
        elif self.k is Kind.CLOSE:
            is_code = self.code is None or (type(self.code) is int and 1000 <= self.code <= 4999)
            _need(is_code, "code", self.code, "from 1000 to 4999")
            is_short = len(self.reason.encode(errors="replace")) <= 123
            _need(is_short, "reason", self.reason, "at most 123 bytes long")
        for name in ("line", "reason"):
            text = getattr(self, name)
            _need(not _CONTROL.search(text), name, text, "without control characters")

    # What is read off it

    @property
    def is_from_client(self) -> bool:
        """Whether the client sent it."""
        return self.dir == "c"

    @property
    def method(self) -> str:
        """The method of a request, or empty."""
        return self.line.split(" ")[0] if self.is_from_client else ""

    @property
    def target(self) -> str:
        """The path and query of a request, or empty."""
        return self.line.split(" ")[1] if self.is_from_client and self.line else ""

    @property
    def status(self) -> int:
        """The status of a reply, or 0."""
        return int(self.line.split(" ")[1]) if self.line and not self.is_from_client else 0

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever the case of its name, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def filled(self, origin: str) -> Event:
        """Return the event with *origin* (``http://host:port``) in place of :data:`ORIGIN`."""
        return attrs.evolve(
            self,
            line=self.line.replace(ORIGIN, origin),
            headers=tuple((name, value.replace(ORIGIN, origin)) for name, value in self.headers),
            data=self.data.replace(ORIGIN.encode(), origin.encode()),
        )

    # To and from a line of the file

    def as_plain(self) -> dict[str, Any]:
        """Return it as it stands in the file; a long payload is named by its hash."""
        plain: dict[str, Any] = {"t": self.t, "conn": self.conn, "dir": self.dir, "k": str(self.k)}
        for name, empty in _OPTIONAL.items():
            value = getattr(self, name)
            if value != empty:
                plain[name] = _as_payload(value) if name == "data" else value
        return plain

    def to_line(self) -> bytes:
        """Return its line of the file, without a line end; equal events have equal lines."""
        return dump_line(self.as_plain())

    @classmethod
    def from_plain(cls, plain: object, blob: Callable[[str, int], bytes]) -> Event:
        """
        Return the event of a line.

        Args:
            plain: What the line holds.
            blob: Gives the payload of a hash and a length.

        Raises:
            TapeError: If it is none.
        """
        if not isinstance(plain, dict):
            msg = f"It holds {type(plain).__name__}. An event must be an object."
            raise TapeError(msg)
        for key in plain:
            if key not in _KEYS:
                msg = f"It has the key {key!r:.40}, which is unknown. Known are {', '.join(_KEYS)}."
                raise TapeError(msg)
        for key in ("t", "conn", "dir", "k"):
            if key not in plain:
                msg = f"It lacks the key {key!r}."
                raise TapeError(msg)
        given = dict(plain)
        _need(type(given["t"]) in (int, float), "t", given["t"], "a number")
        for key in ("dir", "k", "line", "reason", "how"):
            _need(isinstance(given.get(key, ""), str), key, given.get(key), "a text")
        pairs = given.get("headers", [])
        is_list = isinstance(pairs, list) and all(isinstance(pair, list) for pair in pairs)
        _need(is_list, "headers", pairs, "a list of pairs")
        if "data" in given:
            given["data"] = _from_payload(given["data"], blob)
        return cls(**given)


_KEYS = ("t", "conn", "dir", "k", *_OPTIONAL)


def _need(condition: object, name: str, value: object, words: str) -> None:
    if not condition:
        msg = f"{name} is {value!r:.80}. It must be {words}."
        raise TapeError(msg)


def blob_name(data: bytes) -> str:
    """Return the name of a payload that lies beside the tape: its SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def _as_payload(data: bytes) -> dict[str, Any]:
    if len(data) > BLOB_ABOVE_BYTES:
        return {"blob": f"sha256:{blob_name(data)}", "bytes": len(data)}
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        # A chunk cut inside a character, for one: the border must survive.
        return {"b64": base64.b64encode(data).decode()}


_BLOB = re.compile(r"sha256:([0-9a-f]{64})")


def _from_payload(plain: object, blob: Callable[[str, int], bytes]) -> bytes:
    match plain:
        case {"text": str(text), **rest} if not rest:
            return text.encode()
        case {"b64": str(text), **rest} if not rest:
            try:
                return base64.b64decode(text.encode(), validate=True)
            except binascii.Error as error:
                msg = f"data.b64 is not base64: {error}."
                raise TapeError(msg) from None
        case {"blob": str(name), "bytes": int(size), **rest} if not rest:
            found = _BLOB.fullmatch(name)
            _need(found and type(size) is int and size >= 0, "data", plain, _PAYLOAD)
            assert found is not None
            return blob(found[1], size)
    _need(None, "data", plain, _PAYLOAD)
    raise AssertionError


_PAYLOAD = '{"text": ...}, {"b64": ...} or {"blob": "sha256:<64 hex digits>", "bytes": <length>}'


def dump_line(plain: object) -> bytes:
    """Return *plain* as one line of JSON in UTF-8, without a line end."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def load_line(line: bytes) -> Any:
    """
    Return what a line of JSON holds.

    Raises:
        TapeError: If it is not plain JSON in UTF-8: twice the same key, half a surrogate
            pair, ``NaN`` and numbers too large count as faults.
    """
    try:
        plain = json.loads(
            line.decode(),
            object_pairs_hook=_without_twins,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
        if b"\\ud" in line.lower():
            dump_line(plain)
    except TapeError:
        raise
    except RecursionError:
        msg = "It is nested too deeply."
        raise TapeError(msg) from None
    except ValueError as error:
        msg = f"It is not JSON in UTF-8: {error!s:.200}."
        raise TapeError(msg) from None
    return plain


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        msg = f"It has the key {twin!r:.40} twice."
        raise TapeError(msg)
    return found


def _refuse_number(text: str) -> float:
    msg = f"It has the number {text:.20}, which JSON does not know."
    raise TapeError(msg)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)
