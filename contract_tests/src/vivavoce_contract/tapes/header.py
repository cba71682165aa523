"""The first line of a tape: what it shows, what it was made from, how it is compared."""

from __future__ import annotations

import enum
import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import attrs
from attrs import field, frozen, validators

from vivavoce_contract.tapes.event import TapeError, dump_line

__all__ = ["VERSION", "Header", "Match", "Origin", "Scrub", "Source", "as_texts", "is_loopback"]

VERSION = 1
"""The version of the format this module writes, and the one it reads."""

REVIEW_AFTER_DAYS = 182

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HASH = re.compile(r"(?:[0-9a-f]{64})?")


class Origin(enum.StrEnum):
    """What a tape was made from."""

    LIVE = "live"
    """Recorded from the service, through our recorder."""
    SDK = "sdk"
    """What the vendor's own client sends; the replies are nobody's word."""
    EMULATOR = "emulator"
    """Recorded from an emulator of the service."""
    DOCUMENTATION = "documentation"
    """Typed from a published example."""
    SYNTHETIC = "synthetic"
    """Made for what cannot be had on demand: a cut, a stall, a malformed reply."""


def is_loopback(host: str) -> bool:
    """Return whether *host*, a name or address in any spelling, is this machine, port or not."""
    name = host.strip()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.partition("%")[0].rstrip(".").lower()
    if not name or name == "localhost" or name.endswith((".localhost", ".localdomain")):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            # 127.1 and 2130706433 are 127.0.0.1 too.
            address = ipaddress.ip_address(socket.inet_aton(name))
        except (OSError, ValueError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


# Converters and checks: what is read from a file must be refused by name, not by a crash.


def _as_origin(value: str) -> Origin:
    try:
        return Origin(value)
    except ValueError:
        msg = f"kind is {value!r:.40}. It must be one of: {', '.join(Origin)}."
        raise TapeError(msg) from None


def _as_date(value: date | str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        msg = f"{value!r:.40} is no date. Write YYYY-MM-DD."
        raise TapeError(msg) from None


def as_texts(value: Iterable[str]) -> tuple[str, ...]:
    """Return a list of texts as a tuple; the converter of such fields."""
    if not isinstance(value, list | tuple | set | frozenset):
        msg = f"{value!r:.40} is not a list of texts."
        raise TapeError(msg)
    texts = tuple(value)
    for text in texts:
        if not isinstance(text, str) or _SURROGATE.search(text):
            msg = f"{text!r:.40} is not a text."
            raise TapeError(msg)
    return texts


def _as_texts_or_none(value: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if value is None else as_texts(value)


def _is_text(_owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        msg = f"{attribute.name} is {value!r:.40}. It must be a text."
        raise TapeError(msg)
    if _SURROGATE.search(value):
        msg = f"{attribute.name} is {value!r:.40}, which UTF-8 cannot write."
        raise TapeError(msg)


def _is_said(owner: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    _is_text(owner, attribute, value)
    if not value:
        msg = f"{attribute.name} is empty. It must be a text."
        raise TapeError(msg)


def _is_name(owner: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    _is_text(owner, attribute, value)
    if not _NAME.fullmatch(value):
        msg = (
            f"{attribute.name} is {value!r:.40}. It must be of letters, digits, dots, "
            "hyphens and underscores."
        )
        raise TapeError(msg)


def _is_date_or_empty(owner: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    _is_text(owner, attribute, value)
    if value:
        _as_date(value)


def _is_path_or_empty(owner: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    _is_text(owner, attribute, value)
    if value and (not value.startswith("/") or value.endswith("/") or not value.isascii()):
        msg = f"base_path is {value!r:.80}. It must begin with / and not end with one."
        raise TapeError(msg)


def _is_hash_or_empty(owner: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    _is_text(owner, attribute, value)
    if not _HASH.fullmatch(value):
        msg = f"{attribute.name} is {value!r:.80}. It must be 64 hex digits, or empty."
        raise TapeError(msg)


def _is_version(_owner: object, _attribute: object, value: object) -> None:
    if type(value) is not int or value != VERSION:
        msg = f"It is a tape of version {value!r:.20}. This release reads version {VERSION}."
        raise TapeError(msg)


def _is_object(_owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, dict):
        msg = f"{attribute.name} is {value!r:.40}. It must be an object."
        raise TapeError(msg)
    try:
        dump_line(value)
    except (TypeError, ValueError) as error:
        msg = f"{attribute.name} cannot be written as JSON: {error}."
        raise TapeError(msg) from None


@frozen(kw_only=True)
class Source:
    """
    What a tape was made from.

    Attributes:
        kind: In a word.
        name: Of the service, the emulator, the client or the page.
        version: Of that.
        driver: Who made the requests, with its version, such as ``acme-sdk 2.0.2``.
        url: Address of the service or of the page; of a live tape one that is not this machine.
        date: When the page was read (YYYY-MM-DD), or empty.
        evidence: Where else to look.
    """

    kind: Origin = field(converter=_as_origin)
    name: str = field(default="", validator=_is_text)
    version: str = field(default="", validator=_is_text)
    driver: str = field(default="", validator=_is_text)
    url: str = field(default="", validator=_is_text)
    date: str = field(default="", validator=_is_date_or_empty)
    evidence: tuple[str, ...] = field(default=(), converter=as_texts)

    def __attrs_post_init__(self) -> None:
        if self.kind is not Origin.LIVE:
            return
        try:
            host = urlsplit(self.url).hostname or ""
        except ValueError:
            host = ""
        if is_loopback(host):
            msg = (
                f"kind is live and url is {self.url!r:.80}. A live tape names the service it was "
                "recorded from, and that is not this machine. Use emulator for a stand-in."
            )
            raise TapeError(msg)


@frozen(kw_only=True)
class Match:
    """
    What of a request, or of a client's WebSocket message, is compared when a tape is played.

    A JSON path is of keys joined by dots, such as ``input.text``; in a list the key is the
    index, and ``*`` is any.

    Attributes:
        body: The JSON paths that are compared; None for the whole body, none for nothing.
        headers: Names of the headers that are compared.
        ignore: JSON paths that are never compared, such as ids made anew each time.
    """

    body: tuple[str, ...] | None = field(default=None, converter=_as_texts_or_none)
    headers: tuple[str, ...] = field(default=(), converter=as_texts)
    ignore: tuple[str, ...] = field(default=(), converter=as_texts)


@frozen(kw_only=True)
class Scrub:
    """
    What was taken out while recording.

    Attributes:
        policy: Name of the policy, or empty where nothing was recorded.
        dropped: Names of the headers, parameters and JSON paths whose values were dropped.
    """

    policy: str = field(default="", validator=_is_text)
    dropped: tuple[str, ...] = field(default=(), converter=as_texts)


def _review_date(header: Any) -> date:
    recorded_at: date = header.recorded_at
    return recorded_at + timedelta(days=REVIEW_AFTER_DAYS)


@frozen(kw_only=True)
class Header:
    """
    The first line of a tape.

    Attributes:
        tape: Version of the format.
        provider: Name of the provider, as in a selector.
        scenario: What is done on it, in a name.
        model: The provider's model, or empty.
        source: What it was made from.
        recorded_at: Day it was made.
        review_by: Last day it counts as fresh; half a year later, if not given.
        recorder: Program that wrote it, with its version, or empty for a hand.
        base_path: What the provider's base address has behind host and port, such as ``/api/v1``.
        match: What is compared when it is played.
        scrub: What was taken out.
        claims: Capabilities it is evidence for.
        expects: What should come of it, free JSON for the kit, such as
            ``{"error": "RateLimited", "retryable": true}``.
        sha256: The seal, see :attr:`Tape.sha256`; empty where there is none.
        derived_from: Seal of the tape it was derived from, or empty.
    """

    tape: int = field(default=VERSION, validator=_is_version)
    provider: str = field(validator=_is_name)
    scenario: str = field(validator=_is_said)
    model: str = field(default="", validator=_is_text)
    source: Source = field(validator=validators.instance_of(Source))
    recorded_at: date = field(converter=_as_date)
    review_by: date = field(
        default=attrs.Factory(_review_date, takes_self=True), converter=_as_date
    )
    recorder: str = field(default="", validator=_is_text)
    base_path: str = field(default="", validator=_is_path_or_empty)
    match: Match = field(factory=Match, validator=validators.instance_of(Match))
    scrub: Scrub = field(factory=Scrub, validator=validators.instance_of(Scrub))
    claims: tuple[str, ...] = field(default=(), converter=as_texts)
    expects: Mapping[str, Any] = field(factory=dict, validator=_is_object)
    sha256: str = field(default="", validator=_is_hash_or_empty)
    derived_from: str = field(default="", validator=_is_hash_or_empty)

    def as_plain(self) -> dict[str, Any]:
        """Return it as it stands in the file: what is empty is left out."""
        return cast("dict[str, Any]", _as_plain(self))

    @classmethod
    def from_plain(cls, plain: object) -> Header:
        """
        Return the header of a line.

        Raises:
            TapeError: If it is none.
        """
        if isinstance(plain, dict) and "tape" not in plain:
            msg = 'The first line lacks "tape": it is no tape.'
            raise TapeError(msg)
        if isinstance(plain, dict):
            _is_version(None, None, plain["tape"])
        return cast("Header", _read(cls, plain, "header"))


_PARTS = {"source": Source, "match": Match, "scrub": Scrub}


def _as_plain(value: Any) -> Any:
    if attrs.has(type(value)):
        found = {
            each.name: _as_plain(getattr(value, each.name)) for each in attrs.fields(type(value))
        }
        # An empty list of compared paths says something: nothing is compared.
        return {
            key: item
            for key, item in found.items()
            if item not in ("", [], {}, None) or (key == "body" and item == [])
        }
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, enum.Enum) else value


def _read(cls: type[Any], plain: object, where: str) -> Any:
    if not isinstance(plain, dict):
        msg = f"{where} is {plain!r:.40}. It must be an object."
        raise TapeError(msg)
    fields = {each.name: each for each in attrs.fields(cls)}
    for key in plain:
        if key not in fields:
            msg = (
                f"{where} has the key {key!r:.40}, which is unknown. Known are {', '.join(fields)}."
            )
            raise TapeError(msg)
    for name, each in fields.items():
        if each.default is attrs.NOTHING and name not in plain:
            msg = f"{where} lacks the key {name!r}."
            raise TapeError(msg)
    given = {
        key: _read(_PARTS[key], item, key) if cls is Header and key in _PARTS else item
        for key, item in plain.items()
    }
    return cls(**given)
