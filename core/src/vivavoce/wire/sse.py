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
_COLON, _D = b":d"
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
        if self._start is not None:
            data = self._without_bom(self._start + data)
        return self._read(data) if data else []

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
        """Return *data*, all that came yet, less a byte order mark; empty if it may be one."""
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
        outputs: list[SseEvent | SseComment] = []
        at = 0
        if self._pieces and (at := data.find(b"\n") + 1):
            self._take_lines(self._joined(data[:at]), 0, outputs)
        at = self._take_lines(data, at, outputs)
        if at < len(data):
            self._hold(data[at:])
        return outputs

    def _hold(self, piece: bytes) -> None:
        self._held_bytes += len(piece)
        if self._held_bytes > self._limit:
            raise self._too_long()
        self._pieces.append(piece)

    def _joined(self, end: bytes) -> bytes:
        """Return the line that came in pieces and ends with *end*, no longer held."""
        line = b"".join((*self._pieces, end))
        self._held_bytes -= len(line) - len(end)
        self._pieces.clear()
        return line

    def _take_lines(self, data: bytes, at: int, outputs: list[SseEvent | SseComment]) -> int:
        """
        Read the whole lines of *data* from *at* on; return where the torn one begins.

        Of a stream of audio nearly all bytes go through here, some five lines an event.
        So each line is looked for with ``find``, which is fast (``split`` looks at each
        byte), and one that holds data is copied once and calls nothing.
        """
        held_bytes, limit = self._held_bytes, self._limit
        while (end := data.find(b"\n", at)) >= 0:
            held_bytes += end - at
            if held_bytes > limit:
                raise self._too_long()
            first = data[at]
            if first == _D and data.startswith(b"data:", at):
                self._data.append(data[at + (6 if data.startswith(b" ", at + 5) else 5) : end])
            elif end == at:
                held_bytes = 0
                self._end_event(outputs)
            elif first == _COLON:
                held_bytes -= end - at
                outputs.append(SseComment(data[at + 1 : end].removeprefix(b" ")))
            else:
                self._take_field(data[at:end])
            at = end + 1
        self._held_bytes = held_bytes
        return at

    def _too_long(self) -> UnexpectedReply:
        return UnexpectedReply(f"An event is longer than the {self._limit} bytes allowed.")

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
            self._data.clear()
        self._event = ""
        self._retry_ms = None
