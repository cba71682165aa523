"""
A tape: one recorded conversation, HTTP or WebSocket, as a text file of JSON lines.

Line 1 is the :class:`Header`, each other line an :class:`Event`. Long payloads lie in the folder
``blobs`` beside it, each under the name of its hash, so that equal ones are there once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO

import attrs
from attrs import field, frozen, validators

from vivavoce.audio.output import atomic_output
from vivavoce_contract.tapes.event import (
    BLOB_ABOVE_BYTES,
    ORIGIN,
    Direction,
    Event,
    Headers,
    Kind,
    TapeError,
    blob_name,
    dump_line,
    load_line,
)
from vivavoce_contract.tapes.header import Header, Match, Origin, Scrub, Source, is_loopback

__all__ = [
    "BLOB_ABOVE_BYTES",
    "ORIGIN",
    "Direction",
    "Event",
    "Exchange",
    "Header",
    "Headers",
    "Kind",
    "Limits",
    "Match",
    "Origin",
    "Scrub",
    "Source",
    "Tape",
    "TapeError",
    "is_loopback",
]

BLOBS = "blobs"


@frozen(kw_only=True)
class Limits:
    """
    How much of a file is read, at most; beyond it is a :class:`TapeError`.

    Attributes:
        line_bytes: Of one line.
        events: Lines but the first.
        tape_bytes: Of all lines.
        blob_bytes: Of all that lies beside it.
    """

    line_bytes: int = 1 << 20
    events: int = 200_000
    tape_bytes: int = 64 << 20
    blob_bytes: int = 128 << 20


_LIMITS = Limits()


@frozen(kw_only=True)
class Exchange:
    """
    A request and what followed it; of a WebSocket, the whole connection.

    Attributes:
        conn: Number of the connection.
        request: The request, or the client's half of the handshake.
        replies: What followed, in order; of a WebSocket the client's messages too.
    """

    conn: int
    request: Event
    replies: tuple[Event, ...]

    @property
    def is_websocket(self) -> bool:
        """Whether it is a WebSocket."""
        return self.request.k is Kind.WS_OPEN

    @property
    def response(self) -> Event | None:
        """The head of the final reply, the service's half of a handshake, or None."""
        heads = (e for e in self.replies if e.k in (Kind.RESPONSE, Kind.WS_ACCEPT))
        # 100 Continue and its like announce a reply and are none.
        return next((e for e in heads if e.status >= 200 or e.k is Kind.WS_ACCEPT), None)

    @property
    def body(self) -> bytes:
        """The body of the reply, its chunks joined."""
        return b"".join(event.data for event in self.replies if event.k is Kind.CHUNK)


def _as_events(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(events)


@frozen(kw_only=True)
class Tape:
    """
    One recorded conversation.

    Attributes:
        header: Its first line.
        events: What was sent, by both sides, on all connections, in order.

    Raises:
        TapeError: If the events cannot have happened in this order.
    """

    header: Header = field(validator=validators.instance_of(Header))
    events: tuple[Event, ...] = field(converter=_as_events, repr=False)

    def __attrs_post_init__(self) -> None:
        connections: dict[int, _Connection] = {}
        for number, event in enumerate(self.events):
            try:
                connections.setdefault(event.conn, _Connection()).take(event)
            except TapeError as error:
                raise error.at("", number + 2) from None

    # The seal

    @cached_property
    def sha256(self) -> str:
        """
        The seal: a hash over the events' lines and what the header says of their origin.

        Of the header it covers provider, source, the two dates and the recorder, so that
        neither an event nor the origin can be changed by hand unseen.
        """
        header = self.header.as_plain()
        sealed = {key: header[key] for key in _SEALED if key in header}
        digest = hashlib.sha256(dump_line(sealed))
        for event in self.events:
            digest.update(b"\n" + event.to_line())
        return digest.hexdigest()

    @property
    def is_sealed(self) -> bool:
        """Whether the header's hash is that of the tape."""
        return self.header.sha256 == self.sha256

    def sealed(self) -> Tape:
        """Return the tape with its own hash in the header."""
        return attrs.evolve(self, header=attrs.evolve(self.header, sha256=self.sha256))

    # What is on it

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return each request with what followed it, in the order of the requests."""
        found: list[tuple[Event, list[Event]]] = []
        current: dict[int, list[Event]] = {}
        for event in self.events:
            if event.k in (Kind.REQUEST, Kind.WS_OPEN):
                current[event.conn] = []
                found.append((event, current[event.conn]))
            else:
                current[event.conn].append(event)
        return tuple(
            Exchange(conn=request.conn, request=request, replies=tuple(replies))
            for request, replies in found
        )

    def blobs(self) -> dict[str, bytes]:
        """Return the payloads that lie beside the tape, by the names of their files."""
        long = (event.data for event in self.events if len(event.data) > BLOB_ABOVE_BYTES)
        return {blob_name(data): data for data in long}

    # To and from a file

    def lines(self) -> Iterator[bytes]:
        """Give the lines of the file, with their line ends; a tape without a seal is sealed."""
        header = self.header if self.header.sha256 else self.sealed().header
        yield dump_line(header.as_plain()) + b"\n"
        for event in self.events:
            yield event.to_line() + b"\n"

    def to_bytes(self) -> bytes:
        """Return the file, without what lies beside it."""
        return b"".join(self.lines())

    def write(self, path: str | os.PathLike[str], *, secrets: Iterable[str] = ()) -> None:
        """
        Write the tape, whole or not at all, what lies beside it first.

        A tape without a seal is sealed; a seal that does not fit is kept, so that what was
        changed by hand stays known.

        Args:
            path: Where to; the folder is made if need be.
            secrets: What must not be on it, such as the keys it was recorded with.

        Raises:
            SecretFound: If one of *secrets* is on it in any spelling; nothing is written.
            OutputError: If it cannot be written.
        """
        from vivavoce_contract.tapes.scrub import refuse_secrets

        refuse_secrets(self, secrets)
        place = Path(path)
        with _translated(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        for name, data in self.blobs().items():
            _write_blob(place.parent / BLOBS, name, data)
        with atomic_output(place) as file:
            file.writelines(self.lines())

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, limits: Limits = _LIMITS) -> Tape:
        """
        Return the tape of a file, whoever made it.

        Nothing but JSON is understood, no more than *limits* is read, and nothing outside
        the folder ``blobs`` beside it.

        Raises:
            TapeError: If it is none; the message says file, line and what is wrong.
        """
        place = Path(path)
        with _translated(place), _open_regular(place) as file:
            budget = _Budget(limits)
            return cls._parse(file, str(place), budget, _Blobs(place.parent, budget))

    @classmethod
    def parse(
        cls,
        data: bytes,
        *,
        blobs: Mapping[str, bytes] | None = None,
        name: str = "tape",
        limits: Limits = _LIMITS,
    ) -> Tape:
        """
        Return the tape of a file's bytes.

        Args:
            data: The file.
            blobs: What lies beside it, by file name.
            name: What the messages call it.
            limits: How much of it is read.

        Raises:
            TapeError: If it is none.
        """
        import io

        beside = dict(blobs or {})

        def blob(name: str, size: int) -> bytes:
            if name not in beside:
                msg = f"There is no blob {name}."
                raise TapeError(msg)
            return _checked_blob(beside[name], name, size)

        return cls._parse(io.BytesIO(data), name, _Budget(limits), blob)

    @classmethod
    def _parse(
        cls, file: IO[bytes], name: str, budget: _Budget, blob: Callable[[str, int], bytes]
    ) -> Tape:
        number = 0

        def next_line() -> bytes:
            nonlocal number
            number += 1
            return budget.line(file)

        try:
            header = Header.from_plain(load_line(next_line()))
            events = []
            for line in iter(next_line, b""):
                events.append(Event.from_plain(load_line(line), blob))
                budget.count(len(events))
        except TapeError as error:
            raise error.at(name, number) from None
        try:
            return cls(header=header, events=tuple(events))
        except TapeError as error:
            raise error.at(name, 1) from None


_SEALED = ("provider", "source", "recorded_at", "review_by", "recorder")


# The order of events


class _Connection:
    """What can happen next on one connection."""

    def __init__(self) -> None:
        self._is_websocket: bool | None = None
        self._has_reply = False
        self._gone: set[str] = set()
        self._t = 0.0

    def take(self, event: Event) -> None:
        if event.t < self._t:
            msg = f"t is {event.t}, earlier than the event before it on connection {event.conn}."
            raise TapeError(msg)
        self._t = event.t
        if event.dir in self._gone:
            msg = f"{event.k} comes after this side's last event on connection {event.conn}."
            raise TapeError(msg)
        self._take_kind(event.k)
        if event.k in (Kind.CUT, Kind.EOF, Kind.STALL):
            self._gone.add(event.dir)

    def _take_kind(self, kind: Kind) -> None:
        if kind in (Kind.REQUEST, Kind.WS_OPEN):
            if self._is_websocket or (self._is_websocket is False and kind is Kind.WS_OPEN):
                msg = f"{kind} comes on a connection that is already used otherwise."
                raise TapeError(msg)
            self._is_websocket = kind is Kind.WS_OPEN
            self._has_reply = False
            return
        if self._is_websocket is None:
            msg = f"{kind} comes before a request."
            raise TapeError(msg)
        if kind in _MESSAGES and not self._is_websocket:
            msg = f"{kind} comes on a connection that is no WebSocket."
            raise TapeError(msg)
        if kind in (Kind.CHUNK, Kind.END) and not self._has_reply:
            msg = f"{kind} comes before a response."
            raise TapeError(msg)
        if kind is Kind.RESPONSE:
            self._has_reply = True


_MESSAGES = (Kind.WS_ACCEPT, Kind.TEXT, Kind.BIN, Kind.PING, Kind.PONG, Kind.CLOSE)


# Reading with limits


class _Budget:
    """What may still be read of a tape."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._read = 0
        self._beside = 0

    def line(self, file: IO[bytes]) -> bytes:
        """Return the next line, or nothing at the end."""
        longest = self._limits.line_bytes
        line = file.readline(longest + 1)
        if len(line) > longest:
            msg = f"It is longer than {longest} bytes."
            raise TapeError(msg)
        self._read += len(line)
        if self._read > self._limits.tape_bytes:
            msg = f"The tape is longer than {self._limits.tape_bytes} bytes."
            raise TapeError(msg)
        return line

    def count(self, events: int) -> None:
        if events > self._limits.events:
            msg = f"The tape has more than {self._limits.events} events."
            raise TapeError(msg)

    def blob(self, size: int) -> None:
        self._beside += size
        if self._beside > self._limits.blob_bytes:
            msg = f"What lies beside the tape is longer than {self._limits.blob_bytes} bytes."
            raise TapeError(msg)


class _Blobs:
    """Gives what lies beside a tape, each once."""

    def __init__(self, folder: Path, budget: _Budget) -> None:
        self._folder = folder / BLOBS
        self._budget = budget
        self._known: dict[str, bytes] = {}

    def __call__(self, name: str, size: int) -> bytes:
        if name not in self._known:
            self._budget.blob(size)
            self._known[name] = self._read(name, size)
        return _checked_blob(self._known[name], name, size, is_known=True)

    def _read(self, name: str, size: int) -> bytes:
        if self._folder.is_symlink():
            msg = f"The folder {BLOBS} beside the tape is a symbolic link. It must be a folder."
            raise TapeError(msg)
        # The name is 64 hex digits, by now: it leads nowhere else.
        path = self._folder / name
        try:
            with _open_regular(path, is_followed=False) as file:
                return _checked_blob(file.read(size + 1), name, size)
        except OSError as error:
            msg = f"The blob {BLOBS}/{name} cannot be read: {error.strerror}."
            raise TapeError(msg) from None


def _checked_blob(data: bytes, name: str, size: int, *, is_known: bool = False) -> bytes:
    if len(data) != size:
        msg = f"The blob {name} is not {size} bytes long, as the tape says."
        raise TapeError(msg)
    if not is_known and blob_name(data) != name:
        msg = f"The blob {name} does not have the hash that is its name: it was changed."
        raise TapeError(msg)
    return data


@contextlib.contextmanager
def _open_regular(path: Path, *, is_followed: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that is one: a pipe would never end, a device is none of ours."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    if not is_followed:
        flags |= getattr(os, "O_NOFOLLOW", 0)
        if path.is_symlink():
            msg = f"{path.name!r} is a symbolic link. It must be a file."
            raise TapeError(msg)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - of a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            msg = f"{path.name!r} is no regular file."
            raise TapeError(msg)
        yield file


def _write_blob(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    with _translated(folder):
        folder.mkdir(exist_ok=True)
        if folder.is_symlink() or path.is_symlink():
            msg = f"{path} is behind a symbolic link. It must be a file in a folder."
            raise TapeError(msg)
        # Written once: its name says what is in it.
        if path.exists() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with atomic_output(path) as file:
        file.write(data)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except TapeError as error:
        raise (error if error.path else TapeError(error.bare, path=str(path))) from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise TapeError(f"It cannot be opened: {reason}.", path=str(path)) from error
        raise
