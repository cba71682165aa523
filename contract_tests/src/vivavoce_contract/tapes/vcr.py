"""
Cassettes of vcrpy, in and out, for services that answer in one piece.

vcrpy keeps no chunk borders, no times, no cuts and no WebSockets, so what has them does not come
through whole. Reading and writing is vcrpy's own, whose YAML loader runs no code.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import attrs

from vivavoce.audio.output import atomic_output
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce_contract.tapes.event import Event, Headers, Kind
from vivavoce_contract.tapes.format import Exchange, Limits, Tape, TapeError
from vivavoce_contract.tapes.header import Header, Origin, Source

__all__ = ["BordersLost", "from_vcr", "to_vcr"]

_OLDEST = (8, 2, 1)
_NOWHERE = "http://tape.invalid"
_KEY = "vivavoce_tape"


class BordersLost(UserWarning):
    """A reply in several chunks became one: their borders and times are not in the cassette."""


def to_vcr(tape: Tape, path: str | os.PathLike[str], *, origin: str = "") -> None:
    """
    Write *tape* as a cassette of vcrpy: JSON if *path* ends so, else YAML.

    The header goes along as the cassette's metadata. Times and the order of headers do not.

    Args:
        tape: A tape of HTTP.
        path: Where to.
        origin: ``scheme://host:port`` the requests are said to have gone to; else that of
            the tape's source, or a host that cannot exist.

    Raises:
        InvalidValue: If the tape has a WebSocket, or a reply that does not end in order.
        MissingDependency: If vcrpy is not installed.
        OutputError: If it cannot be written.
    """
    vcrpy, serializer = _vcrpy(path)
    exchanges = tape.exchanges()
    for number, exchange in enumerate(exchanges, start=1):
        _refuse_beyond_vcr(number, exchange)
    if any(_chunks(exchange) > 1 for exchange in exchanges):
        msg = (
            "A reply in several chunks is written as one: the cassette does not say where "
            "they were cut, nor when they came."
        )
        warnings.warn(msg, BordersLost, stacklevel=2)
    base = origin or _origin_of(tape.header.source.url)
    request = import_module("vcr.request").Request
    cassette = {
        "requests": [
            request(
                each.request.method,
                base + each.request.target,
                each.request.data or None,
                {name: ", ".join(values) for name, values in _grouped(each.request).items()},
            )
            for each in exchanges
        ],
        "responses": [_response(each) for each in exchanges],
        "metadata": {_KEY: tape.sealed().header.as_plain()},
    }
    with atomic_output(path, encoding="utf-8") as file:
        file.write(vcrpy.serialize(cassette, serializer))


def from_vcr(
    path: str | os.PathLike[str],
    *,
    provider: str = "",
    scenario: str = "",
    recorded_at: date | None = None,
    limits: Limits | None = None,
) -> Tape:
    """
    Return the tape of a cassette of vcrpy.

    A cassette does not say what it was recorded from, so the tape counts as documentation,
    unless it was made by :func:`to_vcr` and nothing was lost or changed.

    Args:
        path: The cassette: JSON if it ends so, else YAML.
        provider: Name of the provider; else that of the tape the cassette was made from.
        scenario: Name of the scenario; else likewise, or the name of the file.
        recorded_at: Day it was recorded; else likewise, or that of the file.
        limits: How much is read.

    Raises:
        TapeError: If it is no cassette that can be a tape.
        MissingDependency: If vcrpy is not installed.
    """
    vcrpy, serializer = _vcrpy(path)
    place = Path(path)
    text = _text(place, limits or Limits())
    try:
        requests, responses, *rest = vcrpy.deserialize(text, serializer)
        events = [
            event
            for number, (request, response) in enumerate(zip(requests, responses, strict=True))
            for event in _events(number, request, response)
        ]
    except TapeError:
        raise
    # Whatever a stranger's YAML leads to in vcrpy and below is a fault of the file.
    except Exception as error:
        msg = f"It is no cassette of vcrpy: {type(error).__name__}: {error!s:.200}"
        raise TapeError(msg, path=str(place)) from error
    metadata = rest[0] if rest else {}
    header = _header(metadata, place, requests, recorded_at, provider, scenario)
    return Tape(header=header, events=events)


def _vcrpy(path: str | os.PathLike[str]) -> tuple[ModuleType, ModuleType]:
    """Return ``vcr.serialize`` and the serializer for *path*."""
    try:
        version = import_module("vcr").__version__
    except ImportError as error:
        msg = (
            "vcrpy is not installed, which reads and writes its cassettes. "
            "Install it with: pip install 'vivavoce-contract[vcr]'"
        )
        raise MissingDependency(msg, extra="vcr") from error
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < _OLDEST:
        msg = (
            f"vcrpy {version} is installed, which may run code that a cassette names. "
            "Upgrade it to 8.2.1 or later."
        )
        raise MissingDependency(msg, extra="vcr")
    kind = "json" if Path(path).suffix == ".json" else "yaml"
    return import_module("vcr.serialize"), import_module(f"vcr.serializers.{kind}serializer")


# Out


def _refuse_beyond_vcr(number: int, exchange: Exchange) -> None:
    if exchange.is_websocket:
        msg = (
            f"Exchange {number} is a WebSocket, which vcrpy neither records nor plays. "
            "Keep the tape; export it as HAR to look at it elsewhere."
        )
        raise InvalidValue(msg)
    kinds = [event.k for event in exchange.replies]
    if exchange.response is None or Kind.CUT in kinds or Kind.STALL in kinds:
        msg = (
            f"Exchange {number} has a reply that does not end in order, which a cassette of "
            "vcrpy cannot say. Keep the tape."
        )
        raise InvalidValue(msg)


def _chunks(exchange: Exchange) -> int:
    return sum(event.k is Kind.CHUNK for event in exchange.replies)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else _NOWHERE


def _grouped(event: Event) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in event.headers:
        known = next((key for key in grouped if key.lower() == name.lower()), name)
        grouped.setdefault(known, []).append(value)
    return grouped


def _response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    assert response is not None
    reason = response.line.split(" ", 2)[2:]
    return {
        "status": {"code": response.status, "message": reason[0] if reason else ""},
        "headers": _grouped(response),
        "body": {"string": exchange.body},
    }


# In


def _text(place: Path, limits: Limits) -> str:
    try:
        if not place.is_file():
            msg = "It is no file."
            raise TapeError(msg, path=str(place))
        with place.open("rb") as file:
            data = file.read(limits.tape_bytes + 1)
    except OSError as error:
        msg = f"It cannot be opened: {error.strerror}."
        raise TapeError(msg, path=str(place)) from error
    if len(data) > limits.tape_bytes:
        msg = f"It is longer than {limits.tape_bytes} bytes."
        raise TapeError(msg, path=str(place))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        msg = f"It is not UTF-8: {error}."
        raise TapeError(msg, path=str(place)) from error


def _events(number: int, request: Any, response: Mapping[str, Any]) -> Iterable[Event]:
    conn = number + 1
    parts = urlsplit(request.uri)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    yield Event(
        t=0.0,
        conn=conn,
        dir="c",
        k=Kind.REQUEST,
        line=f"{request.method} {target} HTTP/1.1",
        headers=_pairs(dict(request.headers)),
        data=request.body_bytes or b"",
    )
    status = response["status"]
    line = f"HTTP/1.1 {status['code']} {status.get('message') or ''}".rstrip()
    headers = _pairs(response["headers"])
    yield Event(t=0.0, conn=conn, dir="s", k=Kind.RESPONSE, line=line, headers=headers)
    if body := response["body"]["string"]:
        yield Event(t=0.0, conn=conn, dir="s", k=Kind.CHUNK, data=body)
    yield Event(t=0.0, conn=conn, dir="s", k=Kind.END)


def _pairs(headers: Mapping[str, Any]) -> Headers:
    return tuple(
        (name, value.decode("latin-1") if isinstance(value, bytes) else value)
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str | bytes) else values)
    )


def _header(
    metadata: Any,
    place: Path,
    requests: list[Any],
    recorded_at: date | None,
    provider: str,
    scenario: str,
) -> Header:
    kept = metadata.get(_KEY) if isinstance(metadata, dict) else None
    given: dict[str, Any] = {}
    if provider:
        given["provider"] = provider
    if scenario:
        given["scenario"] = scenario
    if recorded_at is not None:
        given["recorded_at"] = recorded_at
    if kept is not None:
        try:
            return attrs.evolve(Header.from_plain(kept), **given)
        except TapeError as error:
            raise error.at(str(place), 0) from error
    if not provider:
        msg = "It does not say which provider it is of. Give provider=."
        raise TapeError(msg, path=str(place))
    given.setdefault("scenario", place.stem)
    given.setdefault("recorded_at", date.fromtimestamp(place.stat().st_mtime))  # noqa: DTZ012
    source = Source(
        kind=Origin.DOCUMENTATION,
        name="a cassette of vcrpy",
        url=_origin_of(requests[0].uri) if requests else "",
        evidence=(place.name,),
    )
    return Header(source=source, **given)
