"""
Joins the small chunks of a chunked HTTP body into large ones, below the HTTP library.

A service that sends events writes each as an HTTP chunk of its own. The library gives
each to its caller by itself, through all its layers and then through all of ours: more
than half of the processor time of a stream that comes faster than it is listened to.
The borders of chunks mean nothing (RFC 9112, section 7.1), so whatever is at hand is
written again as a single one before the library sees it.

The library still judges everything: only chunks of the plainest form are joined, and
from the first byte of any other on, what came is passed on as it is.
"""

from __future__ import annotations

import re

__all__ = ["ChunkJoiner"]

_IS_CHUNKED = re.compile(
    rb"HTTP/1\.1 200 .*?\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE | re.DOTALL
)
_HEAD_END = b"\r\n\r\n"
# Between two chunks, of which the second has no extensions; and what may become that.
_BORDER = re.compile(rb"\r\n([0-9a-fA-F]{1,8})\r\n")
_BEGIN = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
_LINE_END = b"\r\n"
_TORN_BORDER = re.compile(rb"(?:\r(?:\n(?:[0-9a-fA-F]{0,8}\r?)?)?)?")


class ChunkJoiner:
    """
    What one connection receives, with fewer chunks in it.

    Whatever is given out ends where a chunk does, so that the next may begin there. The
    first chunk stays by itself: first audio must not wait until more of it is read.
    """

    def __init__(self) -> None:
        self._is_at_head = False
        self._is_joining = False
        self._is_first = False
        self._torn = b""
        self._missing_bytes = 0

    def begin(self) -> None:
        """Expect the head of a reply; call it at each request."""
        self._is_at_head, self._is_joining = True, False

    def feed(self, data: bytes) -> bytes:
        """
        Return bytes that mean what *data* means after all that came before.

        Empty when *data* only began something: more is needed then, it is not the end.
        """
        if self._is_at_head:
            return self._begun(data)
        return self._joined(data) if self._is_joining else data

    def _begun(self, data: bytes) -> bytes:
        self._is_at_head = False
        end = data.find(_HEAD_END) + len(_HEAD_END)
        # A head in pieces is rare; such a reply is passed on as it is.
        if end < len(_HEAD_END) or not _IS_CHUNKED.match(data, 0, end):
            return data
        self._is_joining = self._is_first = True
        # As if a chunk had just ended, so that the first is like the others.
        self._torn, self._missing_bytes = _LINE_END, 0
        return data[:end] + self._joined(data[end:])

    def _joined(self, data: bytes) -> bytes:
        if self._torn == _LINE_END and _is_one_chunk(data):
            # Nearly always so where audio comes in real time: nothing to join.
            self._is_first = False
            return data
        data, self._torn = self._torn + data, b""
        pieces: list[bytes] = []
        at = 0
        while True:
            if missing_bytes := self._missing_bytes:
                piece = data[at : at + missing_bytes]
                pieces.append(piece)
                at += len(piece)
                self._missing_bytes = missing_bytes - len(piece)
                if self._missing_bytes:
                    return self._written(pieces)
            border = _BORDER.match(data, at)
            size = int(border[1], 16) if border else 0
            if border is None or not size:
                return self._written(pieces) + self._rest(data[at:])
            self._missing_bytes = size
            at = border.end()

    def _rest(self, data: bytes) -> bytes:
        """Hold back what may become a border; pass on anything else, and all after it."""
        if _TORN_BORDER.fullmatch(data):
            self._torn = data
            return b""
        self._is_joining = False
        # The line end of the last chunk was written already. Where it did not come, the
        # library finds that out from a line that is none.
        return data[2:] if data.startswith(_LINE_END) else _LINE_END + data

    def _written(self, pieces: list[bytes]) -> bytes:
        if self._is_first and pieces:
            self._is_first = False
            first, *others = pieces
            return _chunk([first]) + _chunk(others)
        return _chunk(pieces)


def _is_one_chunk(data: bytes) -> bool:
    begin = _BEGIN.match(data)
    if begin is None or not data.endswith(_LINE_END):
        return False
    size = int(begin[1], 16)
    return size > 0 and begin.end() + size + len(_LINE_END) == len(data)


def _chunk(pieces: list[bytes]) -> bytes:
    size = sum(map(len, pieces))
    return b"%x\r\n%b\r\n" % (size, b"".join(pieces)) if size else b""
