"""
What is taken off a tape before it is written, and what keeps it from being written.

By allow list: the value of a header is dropped unless its name is listed. In addresses and JSON
the values that sign or unlock something are overwritten. A recording that a request holds as a data
URL is dropped: it is long, and somebody's voice. What is left of a request must not look like a
key, and the finished tape is searched for every secret it was recorded with.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_plus, unquote_to_bytes

import attrs
from attrs import field, frozen

from vivavoce_contract.tapes.event import Event, Headers, Kind, TapeError
from vivavoce_contract.tapes.format import Tape
from vivavoce_contract.tapes.header import Scrub, as_texts

__all__ = [
    "DROPPED",
    "KEPT_HEADERS",
    "Finding",
    "Policy",
    "SecretFound",
    "find_keys",
    "find_secrets",
    "is_key_like",
    "refuse_secrets",
    "scrub",
    "scrub_headers",
]

DROPPED = "<dropped>"
"""Stands for the value of a header or of a query parameter that was taken out."""

KEPT_HEADERS = frozenset(
    {
        "accept",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "retry-after",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers whose values are kept with every provider."""

# What signs an address or stands for somebody, by the services that are known to use it.
_SIGNING = (
    r"signature|ossaccesskeyid|expires|security-token|x-oss-[a-z0-9-]+|x-amz-[a-z0-9-]+"
    r"|x-goog-[a-z0-9-]+|awsaccesskeyid|googleaccessid|policy|key-pair-id|sig|token"
    r"|(?:access|auth|id|refresh|security|session)[_-]?token|api[_-]?key|access[_-]?key"
    r"|access[_-]?key[_-]?(?:id|secret)|app[_-]?key|auth|authorization|credential|key|password"
    r"|secret|secret[_-]?key|client[_-]?secret"
)
_SIGNING_NAME = re.compile(_SIGNING, re.IGNORECASE)
# In a payload & may be written as JSON or HTML writes it.
_IN_ADDRESS = re.compile(
    rf"(?:[?&]|\\u0026|&amp;)(?P<name>{_SIGNING})=(?P<value>[^&#\"'\s\\<>]+)".encode(),
    re.IGNORECASE,
)
_IN_JSON = re.compile(
    rf'"(?P<name>{_SIGNING})"\s*:\s*"(?P<value>(?:[^"\\]|\\.)+)"'.encode(), re.IGNORECASE
)
# A recording within a request; what is before the comma is kept, and compared when played.
_DATA_URL = re.compile(rb"(data:[\w.+/;=\\-]{0,80};base64,)[A-Za-z0-9+/=\\]{256,}")
_DATA_URLS = "data URLs"
_FILL = b"dropped-"
# In JSON these mean other things too; there the value must look like a key as well.
_DOUBTFUL = frozenset({b"key", b"token", b"auth", b"policy", b"expires", b"sig", b"credential"})


class SecretFound(TapeError):
    """Something on a tape is a secret or looks like one. The message does not quote it."""


@frozen(kw_only=True)
class Policy:
    """
    What of a provider may stay on a tape.

    Attributes:
        headers: Names of headers whose values are kept, besides :data:`KEPT_HEADERS`.
        query: Names of query parameters whose values may look like keys.
        texts: JSON paths of requests and client messages whose strings may look like keys, and
            all below them: what is spoken, recordings, ids made for one call. ``*`` is any key.
    """

    headers: tuple[str, ...] = field(default=(), converter=as_texts)
    query: tuple[str, ...] = field(default=(), converter=as_texts)
    texts: tuple[str, ...] = field(default=(), converter=as_texts)

    @property
    def name(self) -> str:
        """Its name in the header of a tape."""
        return "allow-list/1"


# Taking out


def scrub(tape: Tape, policy: Policy | None = None) -> Tape:
    """
    Return *tape* without the values that *policy* does not keep, and without a seal.

    Lengths and chunk borders stay as they were: values in payloads are overwritten. Only a
    request with a recording in it, as a data URL, becomes shorter.

    Raises:
        SecretFound: If a request has something left that looks like a key.
    """
    policy = policy or Policy()
    dropped: dict[str, None] = {}
    events = [_without_data(_scrub_head(each, policy, dropped), dropped) for each in tape.events]
    for numbers in _streams(tape):
        pieces = [events[number].data for number in numbers]
        for number, piece in zip(numbers, _overwritten(pieces, dropped), strict=True):
            events[number] = attrs.evolve(events[number], data=piece)
    # An address that a reply named is the service's own, and what signs it was taken out.
    served = b"".join(event.data for event in events if not event.is_from_client)
    for number, event in enumerate(events):
        if event.is_from_client:
            _refuse_key_like(event, policy, number, served)
    before = tape.header.scrub.dropped
    note = Scrub(policy=policy.name, dropped=tuple(sorted({*before, *dropped})))
    return Tape(header=attrs.evolve(tape.header, scrub=note, sha256=""), events=events)


def scrub_headers(headers: Headers, policy: Policy | None = None) -> Headers:
    """Return *headers*, the value of each dropped unless its name is listed."""
    kept = _kept(policy or Policy())
    return tuple((name, value if name.lower() in kept else DROPPED) for name, value in headers)


def _kept(policy: Policy) -> frozenset[str]:
    return KEPT_HEADERS | {name.lower() for name in policy.headers}


def _scrub_head(event: Event, policy: Policy, dropped: dict[str, None]) -> Event:
    headers = scrub_headers(event.headers, policy)
    changed = zip(headers, event.headers, strict=True)
    dropped.update((name.lower(), None) for (name, new), (_, old) in changed if new != old)
    return attrs.evolve(event, headers=headers, line=_scrub_line(event, dropped))


def _scrub_line(event: Event, dropped: dict[str, None]) -> str:
    if not event.target.partition("?")[2]:
        return event.line
    method, target, version = event.line.split(" ")
    path, _, query = target.partition("?")
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if value and _SIGNING_NAME.fullmatch(unquote_plus(name)):
            dropped[unquote_plus(name)] = None
            value = DROPPED
        parts.append(name + equals + value)
    return f"{method} {path}?{'&'.join(parts)} {version}"


def _without_data(event: Event, dropped: dict[str, None]) -> Event:
    """Return a client's *event* without the data of its data URLs, its stated length put right."""
    if not event.is_from_client or b";base64," not in event.data:
        return event
    data = _DATA_URL.sub(rb"\1" + DROPPED.encode(), event.data)
    if data == event.data:
        return event
    dropped[_DATA_URLS] = None
    headers = tuple(
        (name, str(len(data)) if name.lower() == "content-length" else value)
        for name, value in event.headers
    )
    return attrs.evolve(event, data=data, headers=headers)


def _streams(tape: Tape) -> Iterator[list[int]]:
    """Give the numbers of the events whose payloads belong together: a border hides nothing."""
    streams: dict[tuple[int, str, int], list[int]] = {}
    request: dict[int, int] = {}
    for number, event in enumerate(tape.events):
        if event.k in (Kind.REQUEST, Kind.WS_OPEN):
            request[event.conn] = number
        if event.data:
            # A message of a WebSocket is whole by itself, and chunks are one body.
            whole = number if event.k is not Kind.CHUNK else request[event.conn]
            streams.setdefault((event.conn, event.dir, whole), []).append(number)
    yield from streams.values()


def _overwritten(pieces: list[bytes], dropped: dict[str, None]) -> list[bytes]:
    """Return *pieces* of a stream with what signs or unlocks overwritten, length by length."""
    whole = b"".join(pieces)
    found = [*_IN_ADDRESS.finditer(whole), *filter(_unlocks, _IN_JSON.finditer(whole))]
    if not found:
        return pieces
    changed = bytearray(whole)
    for match in found:
        start, end = match.span("value")
        changed[start:end] = (_FILL * ((end - start) // len(_FILL) + 1))[: end - start]
        dropped[match["name"].decode()] = None
    ends = list(accumulate(len(piece) for piece in pieces))
    return [bytes(changed[end - len(piece) : end]) for piece, end in zip(pieces, ends, strict=True)]


def _unlocks(match: re.Match[bytes]) -> bool:
    is_doubtful = match["name"].lower() in _DOUBTFUL
    return not is_doubtful or is_key_like(match["value"].decode(errors="replace"))


# What looks like a key

_KEY = re.compile(
    rb"(?<![A-Za-z0-9_+/=-])(?:"
    rb"sk[-_][A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|LTAI[0-9A-Za-z]{12,}|AIza[0-9A-Za-z_-]{30,}"
    rb"|gh[pousr]_[A-Za-z0-9]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"
    rb"|Bearer [A-Za-z0-9._~+/-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY)"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9+/=_.~-]{21,}")
_RUN = re.compile(r"[A-Za-z0-9+/=]{12,}")
_TURN = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_TURNS_OF_A_KEY = 3


def find_keys(data: bytes) -> list[str]:
    """Return what in *data* has the form of a known kind of key, shortened to its beginning."""
    return [match[0][:6].decode() + "…" for match in _KEY.finditer(data)]


def is_key_like(text: str) -> bool:
    """
    Return whether something in *text* looks like a key.

    That is more than 20 characters without a blank, with a stretch in which letters and
    digits change often. Names of models and dates are not, random letters and UUIDs are.
    """
    if _KEY.search(text.encode(errors="replace")) or _UUID.search(text):
        return True
    return any(
        len(_TURN.findall(run)) >= _TURNS_OF_A_KEY
        for word in _WORD.findall(text)
        for run in _RUN.findall(word)
    )


def _refuse_key_like(event: Event, policy: Policy, number: int, served: bytes) -> None:
    for place, text in _strings(event, policy, served):
        if is_key_like(text):
            msg = (
                f"Event {number + 1} ({event.k}) has at {place} something that looks like a key. "
                f"If it is none, list the place in the policy."
            )
            raise SecretFound(msg)


def _strings(event: Event, policy: Policy, served: bytes) -> Iterator[tuple[str, str]]:
    """Give each text of a request that nobody has vouched for, with its place."""
    path, _, query = event.target.partition("?")
    if not (len(path) > 1 and path.encode() in served):
        for segment in unquote(path).split("/"):
            yield "the path", segment
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if unquote_plus(name) not in policy.query:
            yield f"query {unquote_plus(name)}", unquote_plus(value)
    declared = {name.lower() for name in policy.headers}
    for name, value in event.headers:
        if name.lower() not in declared:
            yield f"header {name}", value
    if event.k in (Kind.REQUEST, Kind.TEXT):
        yield from _strings_of_payload(event.data, policy)


def _strings_of_payload(data: bytes, policy: Policy) -> Iterator[tuple[str, str]]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Sound or a form with sound in it; known secrets are searched for all the same.
        return
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        yield "its payload", unquote_plus(text)
        return
    allowed = [tuple(path.split(".")) for path in policy.texts]
    for path, string in _walk(plain, ()):
        if not any(_is_below(path, each) for each in allowed):
            yield ".".join(path) or "its payload", string


def _walk(plain: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(plain, str):
        yield path, plain
    elif isinstance(plain, dict):
        for key, item in plain.items():
            yield path, key
            yield from _walk(item, (*path, key))
    elif isinstance(plain, list):
        for number, item in enumerate(plain):
            yield from _walk(item, (*path, str(number)))


def _is_below(path: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
    if len(path) < len(allowed):
        return False
    return all(want in ("*", have) for want, have in zip(allowed, path, strict=False))


# Searching for known secrets


class Finding(NamedTuple):
    """
    A secret that was found.

    Attributes:
        number: Which of those given, from 1: the secret itself is not repeated.
        form: How it was written: ``plain``, ``base64``, ``hex``, ``URL-encoded`` or
            ``JSON-escaped``.
    """

    number: int
    form: str


def find_secrets(data: bytes, secrets: Iterable[str]) -> list[Finding]:
    """
    Return which of *secrets* are in *data*, in any of the spellings they may be in.

    Base64 is found at each of its three alignments, in both alphabets and across line ends;
    escapes of JSON and of URLs in any mixture.

    Args:
        data: Finished bytes of any kind.
        secrets: What to look for; empty ones are passed over.
    """
    wanted = [secret.encode() for secret in secrets if secret]
    if not wanted:
        return []
    spellings = list(_spellings(data))
    cores = [tuple(_cores(secret)) for secret in wanted]
    found: dict[int, Finding] = {}
    for form, text in spellings:
        lower = text.lower()
        base64_text = text.translate(_TO_PLAIN_BASE64, b" \t\r\n")
        for number, secret in enumerate(wanted, start=1):
            if secret in text:
                found.setdefault(number, Finding(number, form))
            elif secret.hex().encode() in lower:
                found.setdefault(number, Finding(number, "hex"))
            elif any(core in base64_text for core in cores[number - 1]):
                found.setdefault(number, Finding(number, "base64"))
    return [found[number] for number in sorted(found)]


_JSON_ESCAPE = re.compile(rb'\\(?:u00([0-9a-fA-F]{2})|(["\\/]))')


def _spellings(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", data
    unescaped = _JSON_ESCAPE.sub(_unescaped, data)
    if unescaped != data:
        yield "JSON-escaped", unescaped
    if b"%" in unescaped or b"+" in unescaped:
        yield "URL-encoded", unquote_to_bytes(unescaped)
        yield "URL-encoded", unquote_to_bytes(unescaped.replace(b"+", b" "))


def _unescaped(match: re.Match[bytes]) -> bytes:
    # A byte above 7F stands for a character of two bytes in UTF-8.
    return chr(int(match[1], 16)).encode() if match[1] else match[2]


_TO_PLAIN_BASE64 = bytes.maketrans(b"-_", b"+/")


def _cores(secret: bytes) -> Iterator[bytes]:
    """Give the characters of base64 that stand for *secret* whatever is before and behind it."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + secret).rstrip(b"=")
        # The first and the last character may hold bits of the neighbours.
        first = -(-before * 8 // 6)
        whole = (before + len(secret)) * 8 // 6
        if whole > first:
            yield coded[first:whole]


def refuse_secrets(tape: Tape, secrets: Iterable[str]) -> None:
    """
    Go on if none of *secrets* is on *tape*.

    Its lines are searched as they will be written, and the payloads joined, so that neither
    a border between chunks nor base64 hides one.

    Raises:
        SecretFound: If one is; the message says which by its number, and where.
    """
    wanted = list(secrets)
    if not wanted:
        return
    places = [("the first line", next(tape.lines()))]
    places += [
        (f"line {number}", event.to_line()) for number, event in enumerate(tape.events, start=2)
    ]
    joined: dict[tuple[int, str], bytearray] = {}
    for event in tape.events:
        joined.setdefault((event.conn, event.dir), bytearray()).extend(event.data)
    places += [
        (f"what {'the client' if side == 'c' else 'the service'} sent on connection {conn}", data)
        for (conn, side), data in ((key, bytes(value)) for key, value in joined.items())
    ]
    for place, data in places:
        for found in find_secrets(data, wanted):
            msg = (
                f"Secret {found.number} of those it was recorded with is on the tape "
                f"({found.form}, in {place}). Nothing was written. Drop or overwrite its place."
            )
            raise SecretFound(msg)
