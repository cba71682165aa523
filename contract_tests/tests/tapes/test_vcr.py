"""Cassettes of vcrpy, in and out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from vivavoce import InvalidValue, MissingDependency
from vivavoce_contract.tapes import Event, Header, Kind, Match, Origin, Source, Tape, TapeError
from vivavoce_contract.tapes.derive import cut_after_chunk, stall_after_chunk
from vivavoce_contract.tapes.provenance import provenance
from vivavoce_contract.tapes.vcr import BordersLost, from_vcr, to_vcr

vcr: Any = pytest.importorskip("vcr")

ORIGIN = "https://api.acme.example"


def make(*exchanges: Sequence[dict[str, Any]], **header: Any) -> Tape:
    plain: dict[str, Any] = {
        "provider": "acme",
        "scenario": "speak",
        "source": Source(kind=Origin.DOCUMENTATION, url=f"{ORIGIN}/docs"),
        "recorded_at": "2026-11-25",
        "match": Match(ignore=("id",)),
        "expects": {"error": "RateLimited"},
    }
    events = [
        Event(**{"t": 0, "conn": conn, "dir": "s", **event})
        for conn, exchange in enumerate(exchanges, start=1)
        for event in exchange
    ]
    return Tape(header=Header(**{**plain, **header}), events=events)


def exchange(body: bytes, *chunks: bytes, status: str = "200 OK") -> list[dict[str, Any]]:
    return [
        {
            "dir": "c",
            "k": "request",
            "line": "POST /v1/say?model=m-1 HTTP/1.1",
            "headers": [("Authorization", "<dropped>"), ("Content-Type", "application/json")],
            "data": body,
        },
        {
            "k": "response",
            "line": f"HTTP/1.1 {status}",
            "headers": [("content-type", "application/json"), ("retry-after", "2")],
        },
        *({"k": "chunk", "data": chunk} for chunk in chunks),
        {"k": "end"},
    ]


JSON = make(
    exchange('{"text":"Grüße"}'.encode(), '{"url":"{{origin}}/é\u2028"}'.encode()),
    exchange(b'{"text":"2"}', b"RIFF\xff\xfe\x00", status="200 OK"),
    exchange(b'{"text":"3"}', b'{"code":"Throttling"}', status="429 Too Many Requests"),
    exchange(b"", status="204 No Content"),
)


def alike(tape: Tape) -> Tape:
    """Return *tape* without what a cassette cannot keep: the order of headers."""
    return attrs.evolve(
        tape, events=[attrs.evolve(e, headers=tuple(sorted(e.headers))) for e in tape.events]
    )


def test_a_tape_comes_back_as_it_went(tmp_path: Path) -> None:
    """A tape of whole replies, text and binary, exported and imported again, is the same."""
    to_vcr(JSON, tmp_path / "c.yaml")
    read = from_vcr(tmp_path / "c.yaml")
    assert alike(read).events == alike(JSON).events
    assert read.header == JSON.sealed().header


def test_json_cassettes_are_read_and_written(tmp_path: Path) -> None:
    """A file whose name ends so is a JSON cassette of vcrpy."""
    tape = make(exchange(b'{"a":1}', b'{"b":2}'))
    to_vcr(tape, tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_bytes())["version"] == 1
    assert alike(from_vcr(tmp_path / "c.json")).events == alike(tape).events


def test_what_came_back_as_it_went_keeps_its_seal(tmp_path: Path) -> None:
    """A recorded tape that a cassette keeps whole counts as recorded when it is back."""
    tape = make(exchange(b"{}", b"{}"), source=Source(kind=Origin.EMULATOR))
    to_vcr(tape, tmp_path / "c.yaml")
    assert provenance(from_vcr(tmp_path / "c.yaml"), date(2026, 11, 25)).kind == "emulator"


def test_what_was_changed_in_between_is_documentation(tmp_path: Path) -> None:
    """A change in the cassette, or a time that it could not keep, breaks the seal."""
    tape = make(exchange(b"{}", b"{}"), source=Source(kind=Origin.EMULATOR))
    to_vcr(tape, tmp_path / "c.yaml")
    text = (tmp_path / "c.yaml").read_text()
    (tmp_path / "c.yaml").write_text(text.replace("code: 200", "code: 201"))
    assert provenance(from_vcr(tmp_path / "c.yaml"), date(2026, 11, 25)).kind == "documentation"


@pytest.mark.parametrize("library", ["httpx2", "httpx"])
def test_vcrpy_plays_what_was_exported(tmp_path: Path, library: str) -> None:
    """A client under vcrpy gets status, headers and bytes of the tape, and asks no network."""
    client = pytest.importorskip(library)
    to_vcr(JSON, tmp_path / "c.yaml")
    player = vcr.VCR(record_mode="none", match_on=["method", "uri", "body"])
    with player.use_cassette(str(tmp_path / "c.yaml")) as cassette, client.Client() as http:
        for each in JSON.exchanges():
            assert each.response is not None
            got = http.post(
                f"{ORIGIN}{each.request.target}",
                content=each.request.data,
                headers={"content-type": "application/json"},
            )
            assert got.status_code == each.response.status
            assert got.content == each.body
            assert got.headers["retry-after"] == "2"
    assert cassette.all_played


def test_a_cassette_of_a_stranger_is_read(tmp_path: Path) -> None:
    """A cassette in vcrpy's own form becomes a tape that counts as documentation."""
    path = tmp_path / "strange.yaml"
    path.write_text(
        "version: 1\n"
        "interactions:\n"
        "- request:\n"
        "    method: GET\n"
        "    uri: https://api.acme.example/voices?lang=en\n"
        "    body: null\n"
        "    headers: {Accept: ['*/*'], X-A: [a]}\n"
        "  response:\n"
        "    status: {code: 200, message: OK}\n"
        "    headers: {Content-Type: [application/json]}\n"
        "    body: {string: '[\"Ann\"]'}\n"
    )
    tape = from_vcr(path, provider="acme")
    assert tape.events[0].line == "GET /voices?lang=en HTTP/1.1"
    assert tape.events[0].headers == (("Accept", "*/*"), ("X-A", "a"))
    assert tape.exchanges()[0].body == b'["Ann"]'
    assert tape.header.source.kind is Origin.DOCUMENTATION
    assert (tape.header.scenario, tape.header.source.url) == ("strange", ORIGIN)
    with pytest.raises(TapeError, match="which provider"):
        from_vcr(path)


def test_a_stream_is_exported_whole_with_a_warning(tmp_path: Path) -> None:
    """Of a reply in chunks the bytes are kept, and it is said that the borders are lost."""
    tape = make(exchange(b"{}", b"data:1\n\n", b"data:2\n\n"))
    with pytest.warns(BordersLost, match="where they were cut, nor when"):
        to_vcr(tape, tmp_path / "c.yaml")
    read = from_vcr(tmp_path / "c.yaml")
    assert [e.data for e in read.events if e.k is Kind.CHUNK] == [b"data:1\n\ndata:2\n\n"]


SOCKET = make(
    [
        {"dir": "c", "k": "ws-open", "line": "GET /w HTTP/1.1"},
        {"k": "ws-accept", "line": "HTTP/1.1 101 Switching Protocols"},
    ]
)
REPLY = make(exchange(b"{}", b"a"))


@pytest.mark.parametrize(
    ("tape", "words"),
    [
        (SOCKET, "a WebSocket, which vcrpy neither records nor plays"),
        (cut_after_chunk(REPLY, 1), "does not end in order"),
        (stall_after_chunk(REPLY, 0), "does not end in order"),
        (make(exchange(b"{}")[:1]), "does not end in order"),
    ],
    ids=["WebSocket", "cut", "stall", "no reply"],
)
def test_what_a_cassette_cannot_say_is_refused(tmp_path: Path, tape: Tape, words: str) -> None:
    """A WebSocket or an unfinished reply is refused with the reason, and nothing is written."""
    with pytest.raises(InvalidValue, match=words):
        to_vcr(tape, tmp_path / "c.yaml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch owned']",
        "interactions: !!python/object/apply:os.system ['touch owned']",
        "version: 1\ninteractions: 3",
        "version: 1",
        "- a",
        "",
        "{",
        "version: 1\ninteractions: [{request: {}, response: {}}]",
        (
            "version: 1\ninteractions: [{request: {method: 'A B', uri: /, body: a, headers: {}},"
            " response: {status: {code: x}, headers: {}, body: {string: a}}}]"
        ),
        (
            "version: 1\ninteractions: [{request: {method: A, uri: /, body: a, headers: {}},"
            " response: {status: {code: 200}, headers: {A: ['b\\nc']}, body: {string: 5}}}]"
        ),
        "version: 1\ninteractions: []\nmetadata: {vivavoce_tape: {tape: 9}}",
    ],
    ids=range(11),
)
def test_a_hostile_cassette_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A cassette that is none, or that names code, is a TapeError and runs nothing."""
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(text)
    with pytest.raises(TapeError):
        from_vcr("c.yaml", provider="acme")
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_without_vcrpy_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where vcrpy is absent the error names the extra."""
    monkeypatch.setitem(sys.modules, "vcr", None)
    with pytest.raises(MissingDependency, match=r"vivavoce-contract\[vcr\]"):
        to_vcr(JSON, tmp_path / "c.yaml")


def test_an_unsafe_vcrpy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vcrpy from before its loader was safe is not used."""
    monkeypatch.setitem(sys.modules, "vcr", SimpleNamespace(__version__="8.2.0"))
    with pytest.raises(MissingDependency, match="may run code"):
        from_vcr(tmp_path / "c.yaml")


def test_vcrpy_is_not_loaded_until_it_is_needed() -> None:
    """The module that reads cassettes can be imported where vcrpy is absent."""
    source = import_module("vivavoce_contract.tapes.vcr").__dict__
    assert not [name for name, value in source.items() if getattr(value, "__name__", "") == "vcr"]
