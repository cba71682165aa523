"""
Server-sent events, read incrementally and sans I/O.

Follows the WHATWG standard, with two additions: comments are given out, since some
providers put a status there, and an event that ends with the body instead of with an
empty line counts. Lines end at LF, CR LF and CR and nowhere else: U+2028 and U+0085
are ordinary inside the JSON that events carry.
"""

from __future__ import annotations

from attrs import frozen

from vivavoce.errors import StreamStateError, UnexpectedReply

__all__ = ["SseComment", "SseEvent", "SseReader"]

_BOM = b"\xef\xbb\xbf"
_RETRY_MAX_DIGITS = 9


@frozen(kw_only=True)
class SseEvent:
    """
    One event.

    Attributes:
        data: Its data lines joined by LF; UTF-8, not decoded.
        event: Its type; ``message`` where none is given.
        id: The last id given, in this event or an earlier one; may be empty.
        retry_ms: Milliseconds to wait before reconnecting if given in this event, else None.
    """

    data: bytes
    event: str = "message"
    id: str = ""
    retry_ms: int | None = None


@frozen
class SseComment:
    """A comment line, without its colon and one space after it."""

    data: bytes


class SseReader:
    """
    Turns bytes, cut anywhere, into events and comments.

    Args:
        max_event_bytes: Bound on one event with all its lines, 1 or more.
    """

    def __init__(self, *, max_event_bytes: int = 16 << 20) -> None:
        self._limit = max_event_bytes
        self._start: bytes | None = b""
        self._ends_in_cr = False
        self._is_finished = False
        # A line that came in pieces is joined once, when its end is there: joining at
        # each piece would copy a line of 1 MB two thousand times.
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._retry_ms: int | None = None

    def feed(self, data: bytes) -> list[SseEvent | SseComment]:
        """
        Return what has become complete with *data*, in order.

        Raises:
            UnexpectedReply: If an event is longer than allowed.
            StreamStateError: If called after :meth:`finish`.
        """
        if self._is_finished:
            msg = "This event stream was finished: no more can be fed."
            raise StreamStateError(msg)
        lines = self._without_bom(data)
        return self._read(lines) if lines else []

    def finish(self) -> list[SseEvent | SseComment]:
        """
        Return what the end of the body completes: a last event without its empty line.

        Call it when the body is known to be whole. Harmless when repeated.
        """
        if self._is_finished:
            return []
        self._is_finished = True
        self._ends_in_cr = False
        rest, self._start = self._start or b"", None
        # Two line ends: of the line under way, and of the event.
        return self._read(rest + b"\n\n")

    def _without_bom(self, data: bytes) -> bytes:
        """Return *data* less a byte order mark at the very start, which may come in pieces."""
        if self._start is None:
            return data
        data = self._start + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(_BOM)

    def _read(self, data: bytes) -> list[SseEvent | SseComment]:
        if self._ends_in_cr and data.startswith(b"\n"):
            data = data[1:]
            self._ends_in_cr = False
            if not data:
                return []
        self._ends_in_cr = data.endswith(b"\r")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *rest = data.split(b"\n")
        self._hold(first)
        outputs: list[SseEvent | SseComment] = []
        for piece in rest:
            self._end_line(outputs)
            self._hold(piece)
        return outputs

    def _hold(self, piece: bytes) -> None:
        self._held_bytes += len(piece)
        if self._held_bytes > self._limit:
            msg = f"An event is longer than the {self._limit} bytes allowed."
            raise UnexpectedReply(msg)
        if piece:
            self._pieces.append(piece)

    def _end_line(self, outputs: list[SseEvent | SseComment]) -> None:
        line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if not line:
            self._end_event(outputs)
        elif line.startswith(b":"):
            self._held_bytes -= len(line)
            outputs.append(SseComment(line[1:].removeprefix(b" ")))
        else:
            self._take_field(line)

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _RETRY_MAX_DIGITS:
            self._retry_ms = int(value)

    def _end_event(self, outputs: list[SseEvent | SseComment]) -> None:
        # The standard drops an event without any data line; its id stays.
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            outputs.append(
                SseEvent(
                    data=data, event=self._event or "message", id=self._id, retry_ms=self._retry_ms
                )
            )
        self._data = []
        self._event = ""
        self._retry_ms = None
        self._held_bytes = 0
