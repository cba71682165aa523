"""
Leads a client back to the recorder, wherever a service tells it to go.

In what the service says, the beginning of an address (``https://host:port``) is replaced, so
that what follows it stays as it is, however it is written.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["ELSEWHERE", "Addresses", "Held", "Place", "is_text"]

ELSEWHERE = "/_elsewhere/"

_ADDRESS = re.compile(
    rb"(?P<scheme>https?):(?:\\?/){2}"
    rb"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
    # A name before @ is no host.
    rb"(?![A-Za-z0-9._:@-])",
    re.IGNORECASE,
)
_BEGUN = re.compile(
    rb"h(?:t(?:t(?:ps?(?::(?:\\?/(?:\\?(?:/[A-Za-z0-9._:\[\]-]{0,260})?)?|\\)?)?)?)?)?\Z",
    re.IGNORECASE,
)
_TEXTS = re.compile(
    r"\s*(?:text/|application/(?:[\w.+-]*json|[\w.+-]*xml|x-ndjson|javascript))", re.IGNORECASE
)
_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """
    Where a request goes.

    Attributes:
        scheme: ``http`` or ``https``.
        host: In lower case, without brackets.
        port: Always given.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Place:
        """
        Return where *url* leads.

        Raises:
            ValueError: If it is no address of HTTP or of a WebSocket.
        """
        parts = urlsplit(url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme not in _PORTS or not parts.hostname:
            msg = f"{url!r:.80} is no http, https, ws or wss address."
            raise ValueError(msg)
        return cls(scheme, parts.hostname.lower(), parts.port or _PORTS[scheme])

    @property
    def authority(self) -> str:
        """Host and port as they stand in an address and in ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def is_text(content_type: str) -> bool:
    """Return whether a body of this type may hold addresses."""
    return _TEXTS.match(content_type) is not None


class Addresses:
    """
    Replaces addresses in what a service says.

    Args:
        upstream: The service.
        also: Patterns of hosts, or of ``host:port``, to be fetched by the recorder too.
    """

    def __init__(self, upstream: Place, also: Iterable[str]) -> None:
        self._upstream = upstream
        self._also = tuple(pattern.lower() for pattern in also)

    def covers(self, place: Place) -> bool:
        """Return whether a place other than the service's own may be asked."""
        names = (place.host, f"{place.host}:{place.port}")
        return any(fnmatch.fnmatchcase(name, each) for name in names for each in self._also)

    def _replacement(self, match: re.Match[bytes], origin: bytes) -> bytes | None:
        scheme = match["scheme"].lower().decode()
        host = match["host"].decode().lower().strip("[]")
        place = Place(scheme, host, int(match["port"] or _PORTS[scheme]))
        if place == self._upstream:
            return origin
        if self.covers(place):
            return origin + f"{ELSEWHERE}{scheme}/{place.authority}".encode()
        return None

    def _edits(self, data: bytes, origin: bytes) -> list[tuple[int, int, bytes]]:
        if b"://" not in data and b":\\/" not in data:
            return []
        found = ((each, self._replacement(each, origin)) for each in _ADDRESS.finditer(data))
        return [(*each.span(), new) for each, new in found if new is not None]

    def lead_back(self, data: bytes, origin: bytes) -> bytes:
        """Return *data* with *origin* in the place of addresses."""
        return b"".join(self.lead_back_pieces([data], origin))

    def lead_back_pieces(self, pieces: Sequence[bytes], origin: bytes) -> list[bytes]:
        """
        Return the pieces of a body likewise, one for each.

        A border inside an address moves to its end, so that a piece may become empty.
        """
        whole = b"".join(pieces)
        edits = self._edits(whole, origin)
        if not edits:
            return list(pieces)
        borders = list(itertools.accumulate(len(piece) for piece in pieces))
        return _edited(whole, borders, edits)

    def target_of(self, target: str) -> tuple[Place, str]:
        """
        Return where a request to the recorder goes, and the target there.

        Raises:
            ValueError: If it is an address the recorder does not fetch.
        """
        if not target.startswith(ELSEWHERE):
            return self._upstream, target
        scheme, _, rest = target.removeprefix(ELSEWHERE).partition("/")
        end = min((at for mark in "/?" if (at := rest.find(mark)) >= 0), default=len(rest))
        place = Place.of(f"{scheme}://{rest[:end]}")
        if not self.covers(place):
            msg = f"{place.host!r:.80} is not among the hosts that are recorded also."
            raise ValueError(msg)
        path = rest[end:]
        return place, path if path.startswith("/") else f"/{path}"

    def lead_on(self, data: bytes, origin: str) -> bytes:
        """Return what a client sends with the service's own addresses in it again."""
        if origin.encode() not in data:
            return data
        pattern = re.escape(f"{origin}{ELSEWHERE}".encode()) + rb"(https?)/([A-Za-z0-9._:\[\]-]+)"
        data = re.sub(pattern, rb"\1://\2", data)
        own = f"{self._upstream.scheme}://{self._upstream.authority}"
        return data.replace(origin.encode(), own.encode())


def _edited(
    whole: bytes, borders: Sequence[int], edits: Sequence[tuple[int, int, bytes]]
) -> list[bytes]:
    changed = bytearray()
    moved: dict[int, int] = {}
    at = 0
    waiting = list(borders)
    for start, end, new in [*edits, (len(whole), len(whole), b"")]:
        while waiting and waiting[0] <= start:
            moved[waiting[0]] = len(changed) + waiting[0] - at
            waiting.pop(0)
        changed += whole[at:start] + new
        at = end
        while waiting and waiting[0] < end:
            moved[waiting[0]] = len(changed)
            waiting.pop(0)
    ends = [moved[border] for border in borders]
    return [bytes(changed[a:b]) for a, b in itertools.pairwise([0, *ends])]


class Held:
    """
    Replaces addresses in pieces as they come; what may be the beginning of one is held.

    Args:
        replace: Replaces them in bytes.
    """

    def __init__(self, replace: Callable[[bytes], bytes]) -> None:
        self._replace = replace
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be passed on; may be empty."""
        data = self._held + data
        at = len(data)
        # Held from its first letter; what stands right before it may be one that goes on too.
        while begun := _BEGUN.search(data, max(0, at - 300), at):
            at = begun.start()
        self._held = data[at:]
        return self._replace(data[:at])

    def finish(self) -> bytes:
        """Return what was held."""
        data, self._held = self._held, b""
        return self._replace(data)
