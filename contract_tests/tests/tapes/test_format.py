"""The format of a tape: what is written is read again, and what is hostile is refused."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vivavoce import OutputError
from vivavoce_contract.tapes import (
    BLOB_ABOVE_BYTES,
    ORIGIN,
    Event,
    Header,
    Kind,
    Limits,
    Match,
    Scrub,
    Source,
    Tape,
    TapeError,
)

# A whole tape takes its time to be drawn; on a busy machine that is no fault of what is tested.
_QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Made on the spot


def _is_writable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


# Drawn from lists where a list has all that matters: whole tapes of free text are slow to draw.
_TRICKY = ["", "a", "é\u2028\x85\u202e", "\\ud800", "{{origin}}", "\x7f\ufeff😀", 'a"b\\c']
_WORDS = st.sampled_from([*_TRICKY, "a\r\n\x00b"]) | st.text(max_size=3).filter(_is_writable)
_VALUES = st.sampled_from([text.replace("\x7f", "") for text in _TRICKY])
_PAIRS = st.lists(st.tuples(st.sampled_from(["A", "x-b", "Content-Type"]), _VALUES), max_size=2)
_LONG = [b"\xff" * (BLOB_ABOVE_BYTES + more) for more in (0, 1)] + [b"a" * BLOB_ABOVE_BYTES]
_PAYLOADS = st.sampled_from(
    [*_LONG, b"", b"\xc3", b"\x00\n", *(text.encode() for text in _TRICKY)]
) | st.binary(max_size=4)
_HOW = st.sampled_from(["fin", "reset"])


def _event(k: str, side: str = "s", **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"k": st.just(k), "dir": st.just(side), **fields})


_EXCHANGES = st.tuples(
    _event("request", "c", line=st.just("POST /a?b=c HTTP/1.1"), headers=_PAIRS, data=_PAYLOADS),
    _event("response", line=st.just("HTTP/1.1 200 OK"), headers=_PAIRS),
    st.lists(_event("chunk", data=_PAYLOADS.filter(bool)), max_size=3),
    _event("end", headers=_PAIRS),
).map(lambda parts: [parts[0], parts[1], *parts[2], parts[3]])
_MESSAGES = st.sampled_from("cs").flatmap(
    lambda side: st.one_of(
        *(_event(k, side, data=_PAYLOADS) for k in ("text", "bin", "ping", "pong")),
        _event("close", side, code=st.none() | st.integers(1000, 4999), reason=_VALUES),
    )
)
_ENDS = st.one_of(
    st.just([]),
    st.tuples(_event("cut", how=_HOW)).map(list),
    st.tuples(_event("stall")).map(list),
    st.tuples(_event("eof", "c"), _event("eof")).map(list),
)
_CONNECTIONS = st.one_of(
    st.tuples(st.lists(_EXCHANGES, min_size=1, max_size=3), _ENDS).map(
        lambda parts: [event for exchange in parts[0] for event in exchange] + parts[1]
    ),
    st.tuples(
        _event("ws-open", "c", line=st.just("GET /w HTTP/1.1"), headers=_PAIRS),
        _event("ws-accept", line=st.just("HTTP/1.1 101 Switching Protocols")),
        st.lists(_MESSAGES, max_size=4),
        _ENDS,
    ).map(lambda parts: [parts[0], parts[1], *parts[2], *parts[3]]),
)


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Return any tape."""
    left = {n: draw(_CONNECTIONS) for n in range(1, draw(st.integers(1, 2)) + 1)}
    t = 0.0
    events = []
    while any(left.values()):
        conn = draw(st.sampled_from([n for n, rest in left.items() if rest]))
        t += draw(st.floats(0, 2))
        events.append(Event(t=t, conn=conn, **left[conn].pop(0)))
    texts = st.lists(_WORDS, max_size=2).map(tuple)
    header = Header(
        provider="acme",
        scenario=draw(_WORDS.filter(bool)),
        model=draw(_WORDS),
        source=Source(kind=draw(st.sampled_from(["sdk", "emulator"])), evidence=draw(texts)),
        recorded_at=draw(st.dates(date(2000, 1, 1), date(2100, 1, 1))),
        match=Match(body=draw(st.none() | texts), headers=draw(texts), ignore=draw(texts)),
        scrub=Scrub(policy=draw(_WORDS), dropped=draw(texts)),
        claims=draw(texts),
        expects=draw(st.dictionaries(_WORDS, st.integers() | _WORDS | st.none(), max_size=2)),
    )
    return Tape(header=header, events=events)


@_QUICK
@given(tapes())
def test_any_tape_is_read_as_it_was_written(tape: Tape) -> None:
    """Whatever is on a tape, its bytes read again are the same tape, sealed."""
    read = Tape.parse(tape.to_bytes(), blobs=tape.blobs())
    assert read == tape.sealed()
    assert read.is_sealed
    assert read.to_bytes() == tape.to_bytes()


@_QUICK
@given(tapes())
def test_a_line_holds_one_line_of_visible_text(tape: Tape) -> None:
    """No event breaks its line, for any reader, or turns it around."""
    for line in tape.lines():
        assert len(line.decode().splitlines()) == 1
        assert not set("\u202e\u2066\ufeff\u200b") & set(line.decode())


@_QUICK
@given(tapes())
def test_exchanges_lose_nothing(tape: Tape) -> None:
    """Each event is in exactly one exchange, in order, under the request it followed."""
    exchanges = tape.exchanges()
    inside = [event for each in exchanges for event in (each.request, *each.replies)]
    for conn in {event.conn for event in tape.events}:
        on_tape = [event for event in tape.events if event.conn == conn]
        assert [event for event in inside if event.conn == conn] == on_tape
    assert len(inside) == len(tape.events)


def make(*events: dict[str, Any], **header: Any) -> Tape:
    """Return a tape of events with the plainest header."""
    plain: dict[str, Any] = {
        "provider": "acme",
        "scenario": "speak",
        "source": Source(kind="emulator"),
        "recorded_at": "2026-11-25",
    }
    return Tape(
        header=Header(**{**plain, **header}),
        events=[Event(**{"t": 0, "conn": 1, "dir": "s", **event}) for event in events],
    )


REQUEST = {"dir": "c", "k": "request", "line": "POST /a HTTP/1.1"}
RESPONSE = {"k": "response", "line": "HTTP/1.1 200 OK"}
BIG = b"\x00\xff" * BLOB_ABOVE_BYTES


def test_a_chunk_cut_inside_a_character_keeps_its_border() -> None:
    """Half a character is stored as base64, and comes back as it was."""
    halves = [{"k": "chunk", "data": half} for half in (b"na\xc3", b"\xafve")]
    lines = make(REQUEST, RESPONSE, *halves).to_bytes().splitlines()
    assert b'"b64"' in lines[3]
    assert [e.data for e in Tape.parse(b"\n".join(lines)).events[2:]] == [b"na\xc3", b"\xafve"]


def test_equal_long_payloads_lie_beside_it_once(tmp_path: Path) -> None:
    """A payload above the limit goes into the folder by its hash, and equal ones share it."""
    chunks = [{"k": "chunk", "data": BIG}] * 3
    tape = make(REQUEST, RESPONSE, *chunks)
    tape.write(tmp_path / "a.tape")
    tape.write(tmp_path / "b.tape")
    assert len(list((tmp_path / "blobs").iterdir())) == 1
    assert len((tmp_path / "a.tape").read_bytes()) < 2000
    assert Tape.read(tmp_path / "a.tape") == tape.sealed()


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where a tape cannot be put in place, nothing of it is left there."""
    (tmp_path / "a.tape").mkdir()
    with pytest.raises(OutputError):
        make(REQUEST).write(tmp_path / "a.tape")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tape"]


def test_a_wrong_seal_is_kept_when_written_again(tmp_path: Path) -> None:
    """Reading and writing does not heal a seal that does not fit."""
    tape = make(REQUEST, sha256="0" * 64)
    tape.write(tmp_path / "a.tape")
    read = Tape.read(tmp_path / "a.tape")
    assert read.header.sha256 == "0" * 64
    assert not read.is_sealed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind":"emulator"', '"kind":"sdk"'),
        ("2026-11-25", "2026-11-26"),
        ("2027-05-26", "2037-05-26"),
        ("200 OK", "201 OK"),
        ('"t":0.0', '"t":0.1'),
    ],
)
def test_the_seal_covers_events_and_origin(old: str, new: str) -> None:
    """A change of an event, of a date or of the origin does not fit the seal."""
    text = make(REQUEST, RESPONSE).to_bytes().decode()
    assert old in text
    assert not Tape.parse(text.replace(old, new).encode()).is_sealed


def test_the_seal_does_not_mind_how_a_line_is_written() -> None:
    """Blanks and the order of keys in a line are not part of what is sealed."""
    lines = make(REQUEST, RESPONSE).to_bytes().splitlines()
    loose = [json.dumps(dict(reversed(json.loads(line).items()))) for line in lines]
    assert Tape.parse("\n".join(loose).encode()).is_sealed


def test_the_place_of_the_origin_is_filled_everywhere() -> None:
    """An event filled with an origin has it in line, headers and payload."""
    event = Event(
        t=0,
        conn=1,
        dir="c",
        k=Kind.REQUEST,
        line=f"GET /?to={ORIGIN} HTTP/1.1",
        headers=[("Location", f"{ORIGIN}/b")],
        data=f'{{"url":"{ORIGIN}/c"}}'.encode(),
    ).filled("http://127.0.0.1:1")
    assert event.target == "/?to=http://127.0.0.1:1"
    assert event.header("location") == "http://127.0.0.1:1/b"
    assert event.data == b'{"url":"http://127.0.0.1:1/c"}'


# Hostile

HEADER = make().to_bytes().decode().strip()


def _line(**changes: Any) -> str:
    plain = {"t": 0, "conn": 1, "dir": "c", "k": "request", "line": "GET / HTTP/1.1", **changes}
    return json.dumps({key: value for key, value in plain.items() if value is not ...})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "not JSON"),
        ("[]", "must be an object"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"t":NaN}', "NaN"),
        ('{"t":1e999}', "1e999"),
        ('{"t":' + "9" * 5000 + "}", "not JSON"),
        ('{"t":0,"t":1}', "twice"),
        (_line(extra=1), "'extra'"),
        (_line(k=...), "lacks the key 'k'"),
        (_line(t="0"), "t is '0'"),
        (_line(t=-1), "t is -1"),
        (_line(t=True), "t is True"),
        (_line(conn=0), "conn is 0"),
        (_line(conn=True), "conn is True"),
        (_line(conn=10**9), "conn is"),
        (_line(k="shell"), "k is 'shell'"),
        (_line(k=["a"]), "k is"),
        (_line(dir="s"), "dir is 's'"),
        (_line(line="GET /\r\nX: y HTTP/1.1"), "line is"),
        (_line(line="GET / HTTP/1.1\n"), "line is"),
        (_line(headers=[["A", "b\r\nC: d"]]), "headers has"),
        (_line(headers=[["A: b", "c"]]), "headers has"),
        (_line(headers=[["A"]]), "headers has"),
        (_line(headers=["AB"]), "headers is"),
        (_line(headers={"A": "b"}), "headers is"),
        (_line(headers=[["A", 1]]), "headers has"),
        (_line(code=1000), "code"),
        (_line(data="text"), "data is"),
        (_line(data={"text": 1}), "data is"),
        (_line(data={"text": "a", "b64": ""}), "data is"),
        (_line(data={"b64": "%%%"}), "not base64"),
        (_line(data={"text": "\ud800"}), "not JSON"),
        (_line(data={"blob": "sha256:../../../etc/passwd", "bytes": 1}), "data is"),
        (_line(data={"blob": "sha256:" + "A" * 64, "bytes": 1}), "data is"),
        (_line(data={"blob": "sha256:" + "a" * 64, "bytes": True}), "data is"),
        (_line(data={"blob": "sha256:" + "a" * 64, "bytes": -1}), "data is"),
        (_line(data={"blob": "sha256:" + "a" * 64, "bytes": 1}), "no blob"),
        (_line(k="response", dir="s", line="HTTP/1.1 200 OK"), "before a request"),
    ],
)
def test_a_faulty_event_is_refused_with_its_line(line: str, words: str) -> None:
    """Whatever is wrong with a line is a TapeError that says which line and what."""
    with pytest.raises(TapeError) as caught:
        Tape.parse(f"{HEADER}\n{line}\n".encode(), name="x.tape")
    assert str(caught.value).startswith("x.tape, line 2: ")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tape": 2}, "version 2"),
        ({"tape": True}, "version True"),
        ({"tape": ...}, "no tape"),
        ({"extra": 1}, "'extra'"),
        ({"source": ...}, "lacks the key 'source'"),
        ({"source": {"kind": "true"}}, "kind is 'true'"),
        ({"source": {"kind": ["live"]}}, "kind is"),
        ({"source": "live"}, "source is 'live'"),
        ({"source": {"kind": "live", "url": "https://[::1/"}}, "kind is live"),
        ({"provider": "../x"}, "provider is"),
        ({"scenario": ""}, "scenario is empty"),
        ({"recorded_at": "yesterday"}, "no date"),
        ({"recorded_at": 5}, "no date"),
        ({"base_path": "api"}, "base_path"),
        ({"match": {"body": "text"}}, "not a list of texts"),
        ({"claims": [1]}, "not a text"),
        ({"claims": {"a": "b"}}, "not a list"),
        ({"expects": []}, "expects is"),
        ({"sha256": "abc"}, "64 hex digits"),
    ],
)
def test_a_faulty_header_is_refused(change: dict[str, Any], words: str) -> None:
    """Whatever is wrong with the first line is a TapeError that says so."""
    plain = {**json.loads(HEADER), **change}
    first = json.dumps({key: value for key, value in plain.items() if value is not ...})
    with pytest.raises(TapeError, match="line 1: ") as caught:
        Tape.parse(first.encode())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([REQUEST, {"k": "chunk", "data": b"a"}], "before a response"),
        ([REQUEST, {**RESPONSE, "dir": "c"}], "For response it must be s"),
        ([REQUEST, RESPONSE, {"k": "text", "data": b"a"}], "no WebSocket"),
        ([REQUEST, {"k": "cut", "how": "fin"}, RESPONSE], "last event"),
        ([REQUEST, RESPONSE, {"k": "stall"}, {"k": "end"}], "last event"),
        ([{**REQUEST, "t": 2}, {**RESPONSE, "t": 1}], "earlier"),
        ([REQUEST, {"dir": "c", "k": "ws-open", "line": "GET / HTTP/1.1"}], "used otherwise"),
        ([REQUEST, RESPONSE, {"k": "chunk", "data": b""}], "at least one byte"),
        ([REQUEST, {"k": "cut", "how": "politely"}], "how is"),
        ([REQUEST, {"k": "close", "code": 99}], "code is"),
    ],
)
def test_events_that_cannot_have_happened_are_refused(
    events: list[dict[str, Any]], words: str
) -> None:
    """A tape whose events cannot come in this order cannot be made."""
    with pytest.raises(TapeError, match=words):
        make(*events)


@_QUICK
@given(tapes(), st.data())
def test_a_damaged_file_is_read_or_refused_by_type(tape: Tape, data: st.DataObject) -> None:
    """However a file is damaged, reading it gives a tape or a TapeError, nothing else."""
    damaged = bytearray(tape.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        Tape.parse(bytes(damaged), blobs=tape.blobs())
    except TapeError as error:
        assert error.tape_line  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(line_bytes=500), "longer than 500 bytes"),
        (Limits(events=2), "more than 2 events"),
        (Limits(tape_bytes=1000), "longer than 1000 bytes"),
        (Limits(blob_bytes=len(BIG) - 1), "lies beside"),
    ],
)
def test_reading_stops_at_each_limit(tmp_path: Path, limits: Limits, words: str) -> None:
    """A file with more of anything than the limits allow is refused."""
    make(REQUEST, RESPONSE, {"k": "chunk", "data": b"x" * 900}, {"k": "chunk", "data": BIG}).write(
        tmp_path / "a.tape"
    )
    Tape.read(tmp_path / "a.tape")
    with pytest.raises(TapeError, match=words):
        Tape.read(tmp_path / "a.tape", limits=limits)


def test_no_more_of_a_line_is_read_than_is_allowed(tmp_path: Path) -> None:
    """A file without a line end is not read into memory to find that out."""
    path = tmp_path / "a.tape"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(TapeError, match="line 1: It is longer than"):
            Tape.read(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def _link_blob(blob: Path) -> None:
    outside = blob.parent.parent / "outside"
    outside.write_bytes(blob.read_bytes())
    blob.unlink()
    blob.symlink_to(outside)


def _link_folder(blob: Path) -> None:
    folder = blob.parent
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


def _make_pipe(blob: Path) -> None:
    blob.unlink()
    os.mkfifo(blob)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_link_blob, "symbolic link"),
        (_link_folder, "symbolic link"),
        (_make_pipe, "no regular file"),
        (Path.unlink, "cannot be read"),
        (lambda blob: blob.write_bytes(BIG + b"x"), "not .* bytes long"),
        (lambda blob: blob.write_bytes(BIG[::-1]), "does not have the hash"),
    ],
)
def test_what_lies_beside_is_nothing_else(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    """A blob is a regular file in the folder, of the length and the hash that the tape says."""
    make(REQUEST, RESPONSE, {"k": "chunk", "data": BIG}).write(tmp_path / "a.tape")
    (blob,) = (tmp_path / "blobs").iterdir()
    spoil(blob)
    with pytest.raises(TapeError, match=f"line 4: .*{words}"):
        Tape.read(tmp_path / "a.tape")


def test_writing_does_not_follow_a_link_out(tmp_path: Path) -> None:
    """A link in the place of the folder is not written through."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "blobs").symlink_to("elsewhere")
    with pytest.raises(TapeError, match="symbolic link"):
        make(REQUEST, RESPONSE, {"k": "chunk", "data": BIG}).write(tmp_path / "a.tape")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe"])
def test_a_tape_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    """What is no file is refused at once, a pipe too."""
    path = tmp_path / "a.tape"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(TapeError, match=r"a\.tape"):
        Tape.read(path)


def test_a_tape_is_frozen() -> None:
    """An event and a header cannot be changed in place."""
    tape = make(REQUEST)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        tape.events[0].t = 1.0  # type: ignore[misc]
