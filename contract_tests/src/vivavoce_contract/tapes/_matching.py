"""
Which recorded exchange a request belongs to, and in what it differs from one.

Requests and messages are compared as flat tables: a name for each part, such as ``query model``
or ``body input.text``, and what it holds.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field, frozen

from vivavoce_contract.tapes.event import Headers, Kind
from vivavoce_contract.tapes.format import Exchange, Tape
from vivavoce_contract.tapes.header import Match
from vivavoce_contract.tapes.scrub import DROPPED, find_keys

__all__ = ["Recorded", "Recordings", "differences", "message_parts", "request_parts"]

Parts = Mapping[str, str]

_SHOWN_CHARACTERS = 80
# What scrubbing leaves of a value in a payload: its length, filled with this word.
_OVERWRITTEN = re.compile(r'"(?:dropped-)+d?r?o?p?p?e?d?"')
_LINE = "request"


def request_parts(
    method: str, target: str, headers: Headers, body: bytes, match: Match
) -> dict[str, str]:
    """Return what is compared of a request."""
    path, _, query = target.partition("?")
    parts = {_LINE: f"{method} {path}"}
    for name, value in parse_qsl(query, keep_blank_values=True):
        _add(parts, f"query {name}", value)
    for wanted in match.headers:
        for name, value in headers:
            if name.lower() == wanted.lower():
                _add(parts, f"header {wanted.lower()}", value)
    return parts | _payload_parts(body, match, "body")


def message_parts(kind: Kind, data: bytes, match: Match) -> dict[str, str]:
    """Return what is compared of a WebSocket message."""
    if kind not in (Kind.TEXT, Kind.BIN):
        return {"kind": str(kind)}
    return {"kind": str(kind)} | _payload_parts(data, match, "message")


def _add(parts: dict[str, str], name: str, value: str) -> None:
    """Add a part; one that comes again gets a number."""
    if name in parts:
        name = next(free for n in itertools.count(2) if (free := f"{name} ({n})") not in parts)
    parts[name] = value


def _payload_parts(data: bytes, match: Match, what: str) -> dict[str, str]:
    if match.body == () or not data:
        return {}
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        return {what: ascii(data)}
    wanted = None if match.body is None else [path.split(".") for path in match.body]
    ignored = [path.split(".") for path in match.ignore]
    found = {}
    for path, leaf in _leaves(plain, ()):
        if wanted is not None and not any(_is_below(path, each) for each in wanted):
            continue
        if not any(_is_below(path, each) for each in ignored):
            found[f"{what} {'.'.join(path)}".rstrip()] = json.dumps(leaf, ensure_ascii=False)
    return found


def _leaves(plain: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give each leaf of a JSON value with its path; an empty object or list is one."""
    if isinstance(plain, dict) and plain:
        for key, item in plain.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(plain, list) and plain:
        for number, item in enumerate(plain):
            yield from _leaves(item, (*path, str(number)))
    else:
        yield path, plain


def _is_below(path: Sequence[str], declared: Sequence[str]) -> bool:
    # Keys may hold dots themselves; joined, they are compared as they were written.
    path = ".".join(path).split(".")
    return len(path) >= len(declared) and all(
        want in ("*", have) for want, have in zip(declared, path, strict=False)
    )


def differences(recorded: Parts, sent: Parts) -> dict[str, str]:
    """Return by part what was recorded and what was sent, where the two differ."""
    found = {}
    for name in sorted({*recorded, *sent}):
        old, new = recorded.get(name), sent.get(name)
        if old == new or (old is not None and new is not None and _is_like(old, new)):
            continue
        found[name] = f"{name}: recorded {_shown(old)}, sent {_shown(new)}"
    return found


def _is_like(scrubbed: str, sent: str) -> bool:
    """Return whether what was sent is what a recorded value may have been before scrubbing."""
    if _OVERWRITTEN.fullmatch(scrubbed):
        return True
    if DROPPED not in scrubbed:
        return False
    # Of a value that was dropped in part, such as a recording, what was kept is compared.
    kept = ".*".join(map(re.escape, scrubbed.split(DROPPED)))
    return re.fullmatch(kept, sent, re.DOTALL) is not None


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    if find_keys(value.encode(errors="replace")):
        return "a key"
    return value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 1] + "…"


@frozen(eq=False)
class Recorded:
    """
    A recorded exchange, and what a request must be like to get it.

    Attributes:
        tape: The tape it is on.
        number: Which of the tape's exchanges, from 0.
        exchange: What was recorded.
        parts: What is compared of the request.
    """

    tape: Tape
    number: int
    exchange: Exchange
    parts: Parts

    @classmethod
    def of(cls, tape: Tape, number: int, exchange: Exchange, origin: str) -> Recorded:
        """Return an exchange as one of a tape that is served at *origin*."""
        asked = exchange.request.filled(origin)
        parts = request_parts(
            asked.method, asked.target, asked.headers, asked.data, tape.header.match
        )
        return cls(tape, number, exchange, parts)

    @property
    def match(self) -> Match:
        """What of its requests is compared."""
        return self.tape.header.match

    def __str__(self) -> str:
        path = self.exchange.request.target.partition("?")[0]
        return (
            f"{self.tape.header.provider}/{self.tape.header.scenario} exchange {self.number + 1} "
            f"({self.exchange.request.method} {path})"
        )

    def next_message_differs(self, at: int, kind: Kind, data: bytes, origin: str) -> dict[str, str]:
        """Return in what a client's message differs from the event at a place of the replies."""
        event = self.exchange.replies[at].filled(origin)
        recorded = message_parts(event.k, event.data, self.match)
        return differences(recorded, message_parts(kind, data, self.match))


@define
class Recordings:
    """
    All exchanges that can be asked for.

    Attributes:
        all: In the order they are given.
        repeats: Whether one can be asked for again.
        played: How often each was, by its place.
    """

    all: tuple[Recorded, ...]
    repeats: bool = True
    played: dict[int, int] = field(factory=dict)

    @classmethod
    def of(cls, tapes: Sequence[Tape], origin: str, *, repeats: bool) -> Recordings:
        """Return the exchanges of *tapes*, as they are served at *origin*."""
        return cls(
            tuple(
                Recorded.of(tape, number, exchange, origin)
                for tape in tapes
                for number, exchange in enumerate(tape.exchanges())
            ),
            repeats,
        )

    def find(
        self, method: str, target: str, headers: Headers, body: bytes, *, is_websocket: bool
    ) -> list[Recorded]:
        """Return those the request fits, the one to play first; those not yet played go first."""
        sent: dict[Match, dict[str, str]] = {}
        found = []
        for recorded in self.all:
            if recorded.exchange.is_websocket is not is_websocket:
                continue
            parts = _parts_for(sent, recorded.match, method, target, headers, body)
            if not differences(recorded.parts, parts):
                found.append(recorded)
        fresh = [each for each in found if not self._count(each)]
        if not self.repeats:
            return fresh
        # Of those that were all played, the last is what lasts.
        return fresh + [each for each in reversed(found) if each not in fresh]

    def take(self, recorded: Recorded) -> None:
        """Note that one is played."""
        place = self.all.index(recorded)
        self.played[place] = self.played.get(place, 0) + 1

    def untake(self, recorded: Recorded) -> None:
        """Take that back: another was played in its place."""
        self.played[self.all.index(recorded)] -= 1

    def _count(self, recorded: Recorded) -> int:
        return self.played.get(self.all.index(recorded), 0)

    def unplayed(self) -> list[Recorded]:
        """Return those never asked for."""
        return [each for each in self.all if not self._count(each)]

    def nearest(
        self, method: str, target: str, headers: Headers, body: bytes, *, is_websocket: bool
    ) -> tuple[Recorded | None, list[str]]:
        """Return the recording a request is most like, and in what it differs from it."""
        best: Recorded | None = None
        least: dict[str, str] = {}
        sent: dict[Match, dict[str, str]] = {}
        for recorded in self.all:
            if recorded.exchange.is_websocket is not is_websocket:
                continue
            parts = _parts_for(sent, recorded.match, method, target, headers, body)
            found = differences(recorded.parts, parts)
            # Another path is another thing altogether.
            if best is None or (_LINE in found, len(found)) < (_LINE in least, len(least)):
                best, least = recorded, found
        return best, list(least.values())


def _parts_for(
    known: dict[Match, dict[str, str]],
    match: Match,
    method: str,
    target: str,
    headers: Headers,
    body: bytes,
) -> dict[str, str]:
    if match not in known:
        known[match] = request_parts(method, target, headers, body, match)
    return known[match]
