"""HTTP/1.1 as far as a recorder and a player need it: with every border kept."""

from __future__ import annotations

from attrs import frozen

from vivavoce_contract.tapes._loopback import Connection, Ended
from vivavoce_contract.tapes.event import Headers

__all__ = [
    "BadMessage",
    "Body",
    "BodyCut",
    "Head",
    "encode_chunk",
    "encode_head",
    "read_body",
    "read_head",
]

_HEAD_MAX_BYTES = 128 * 1024
_LINE_MAX_BYTES = 16 * 1024
_CHUNK_MAX_BYTES = 256 << 20
_REQUEST_MAX_BYTES = 256 << 20
LAST_CHUNK = b"0\r\n\r\n"


class BadMessage(ValueError):
    """What came is no HTTP/1.1."""


class BodyCut(Exception):
    """
    A body ended before its end.

    Attributes:
        how: ``fin`` or ``reset``.
        rest: What came of the piece that was not complete.
    """

    def __init__(self, how: str, rest: bytes = b"") -> None:
        super().__init__(f"The body was cut by {how}.")
        self.how = how
        self.rest = rest


@frozen
class Head:
    """
    The head of a request or a reply.

    Attributes:
        line: First line.
        headers: Names and values, in order.
    """

    line: str
    headers: Headers

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        """The target of a request."""
        return self.line.split(" ")[1]

    @property
    def status(self) -> int:
        """The status of a reply."""
        return int(self.line.split(" ")[1])

    def get(self, name: str) -> str:
        """Return the first value of a header, or empty."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def has(self, name: str, word: str) -> bool:
        """Return whether a header lists *word*."""
        return any(
            word in [part.strip().lower() for part in value.split(",")]
            for key, value in self.headers
            if key.lower() == name
        )

    def without(self, *names: str) -> Headers:
        """Return the headers but those of these names, given in lower case."""
        return tuple(pair for pair in self.headers if pair[0].lower() not in names)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.has("transfer-encoding", "chunked")

    @property
    def asks_for_websocket(self) -> bool:
        """Whether it is the client's half of a WebSocket handshake."""
        return self.has("upgrade", "websocket") and self.has("connection", "upgrade")

    @property
    def ends_connection(self) -> bool:
        """Whether its sender keeps the connection no longer than this."""
        return self.has("connection", "close") or self.line.startswith("HTTP/1.0")


async def read_head(connection: Connection, *, is_request: bool = False) -> Head:
    """
    Return the next head.

    Raises:
        Ended: If none comes.
        BadMessage: If it is none.
    """
    try:
        raw = await connection.read_through(b"\r\n\r\n", _HEAD_MAX_BYTES)
        line, *rest = raw[:-4].decode("latin-1").split("\r\n")
        head = Head(line, tuple(_pair(each) for each in rest))
        words = line.split(" ", 2)
        version = words[2] if is_request else words[0]
        if not version.startswith("HTTP/1.") or not (is_request or words[1].isdecimal()):
            raise _bad(line)
    except (ValueError, IndexError) as error:
        msg = f"What came is no HTTP/1.1: {error}."
        raise BadMessage(msg) from error
    return head


def _pair(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or name != name.strip():
        raise _bad(line)
    return name, value.strip()


def _bad(line: str) -> ValueError:
    return ValueError(f"the line {line[:80]!r}")


def encode_head(line: str, headers: Headers) -> bytes:
    """Return the bytes of a head."""
    lines = [line, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def encode_chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Body:
    """
    A body, piece by piece: its chunks, or what the socket gives.

    Args:
        connection: Where it comes from.
        head: Its head.
        is_request: A request without a length has no body; a reply goes on to the end.
        is_empty: Whether there is none whatever the head says, as after HEAD.

    Attributes:
        until_end: Whether only the end of the connection ends it.
        trailers: What followed the last chunk.
    """

    def __init__(
        self, connection: Connection, head: Head, *, is_request: bool, is_empty: bool = False
    ) -> None:
        self._connection = connection
        self._is_chunked = head.is_chunked
        self._left: int | None = None
        length = head.get("content-length")
        if not self._is_chunked and length:
            if not (length.isascii() and length.isdecimal()):
                msg = f"content-length is {length[:40]!r}."
                raise BadMessage(msg)
            self._left = int(length)
        elif not self._is_chunked and is_request:
            self._left = 0
        if is_empty:
            self._is_chunked, self._left = False, 0
        self.until_end = not self._is_chunked and self._left is None
        self.trailers: Headers = ()

    async def next(self) -> bytes | None:
        """
        Return the next piece, or None after the last.

        Raises:
            BodyCut: If it ends too soon.
            BadMessage: If it cannot be read.
        """
        if self._is_chunked:
            return await self._next_chunk()
        if self._left == 0:
            return None
        try:
            data = await self._connection.read_some(min(65_536, self._left or 65_536))
        except Ended as end:
            if self.until_end and end.how == "fin":
                return None
            raise BodyCut(end.how) from end
        if self._left is not None:
            self._left -= len(data)
        return data

    async def _next_chunk(self) -> bytes | None:
        size = await self._size()
        if size == 0:
            await self._read_trailers()
            return None
        try:
            data = await self._connection.read_exactly(size)
        except Ended as end:
            raise BodyCut(end.how, self._connection.take()) from end
        try:
            await self._connection.read_exactly(2)
        except Ended as end:
            raise BodyCut(end.how, data) from end
        return data

    async def _size(self) -> int:
        line = (await self._line()).partition(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            size = -1
        if not 0 <= size <= _CHUNK_MAX_BYTES:
            msg = f"A chunk's length is {line[:40]!r}."
            raise BadMessage(msg)
        return size

    async def _line(self) -> bytes:
        try:
            return await self._connection.read_through(b"\r\n", _LINE_MAX_BYTES)
        except Ended as end:
            raise BodyCut(end.how) from end
        except ValueError as error:
            msg = "A line between chunks does not end."
            raise BadMessage(msg) from error

    async def _read_trailers(self) -> None:
        found = []
        while (line := await self._line()) != b"\r\n":
            found.append(_pair(line[:-2].decode("latin-1")))
        self.trailers = tuple(found)


async def read_body(connection: Connection, head: Head) -> bytes:
    """
    Return the whole body of a request.

    Raises:
        Ended: If it does not come whole.
        BadMessage: If it cannot be read, or is too long.
    """
    body = Body(connection, head, is_request=True)
    if head.has("expect", "100-continue"):
        await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    whole = bytearray()
    try:
        while (data := await body.next()) is not None:
            whole += data
            if len(whole) > _REQUEST_MAX_BYTES:
                msg = f"A request is longer than {_REQUEST_MAX_BYTES} bytes."
                raise BadMessage(msg)
    except BodyCut as cut:
        raise Ended(cut.how) from cut
    return bytes(whole)
