"""What is taken off a tape, and what keeps one from being written."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vivavoce_contract.tapes import Event, Header, Source, Tape
from vivavoce_contract.tapes.event import BLOB_ABOVE_BYTES
from vivavoce_contract.tapes.scrub import (
    DROPPED,
    Policy,
    SecretFound,
    find_keys,
    find_secrets,
    is_key_like,
    refuse_secrets,
    scrub,
)

KEY = 'sk-c4nary/4711+"ü'
UUID = "550e8400-e29b-41d4-a716-446655440000"
SIGNED = (
    "https://oss.example/a.wav?Expires=1764060000&OSSAccessKeyId=LTAI5tExample&Signature=Ab%2Bc9"
)


def make(*events: dict[str, Any]) -> Tape:
    header = Header(
        provider="acme",
        scenario="speak",
        source=Source(kind="emulator"),
        recorded_at="2026-11-25",
    )
    return Tape(
        header=header, events=[Event(**{"t": 0, "conn": 1, "dir": "s", **each}) for each in events]
    )


def request(body: object = None, target: str = "/a", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    data = b"" if body is None else json.dumps(body).encode()
    line = f"POST {target} HTTP/1.1"
    return {"dir": "c", "k": "request", "line": line, "headers": pairs, "data": data}


def reply(*chunks: bytes, **headers: str) -> list[dict[str, Any]]:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    head = {"k": "response", "line": "HTTP/1.1 200 OK", "headers": pairs}
    return [head, *({"k": "chunk", "data": chunk} for chunk in chunks), {"k": "end"}]


# Taking out


def test_a_header_is_kept_only_if_it_is_listed() -> None:
    """The value of every header is dropped but those on our list and on the provider's."""
    asked = request(Authorization="Bearer x", Accept="audio/wav", X_SSE="enable", User_Agent="me")
    tape = make(asked, *reply(Date="today", Retry_After="3", Set_Cookie="a=b"))
    clean = scrub(tape, Policy(headers=("x-sse",)))
    assert clean.events[0].headers == (
        ("Authorization", DROPPED),
        ("Accept", "audio/wav"),
        ("X-SSE", "enable"),
        ("User-Agent", DROPPED),
    )
    assert clean.events[1].headers == (
        ("Date", DROPPED),
        ("Retry-After", "3"),
        ("Set-Cookie", DROPPED),
    )
    assert clean.header.scrub == type(clean.header.scrub)(
        policy="allow-list/1", dropped=("authorization", "date", "set-cookie", "user-agent")
    )


def test_a_trailer_is_a_header() -> None:
    """The headers behind a body are treated as those before it."""
    tape = make(request(), *reply(b"a")[:-1], {"k": "end", "headers": [("X-Sum", "1")]})
    assert scrub(tape).events[-1].headers == (("X-Sum", DROPPED),)


def test_what_signs_a_request_is_dropped_from_its_address() -> None:
    """Query parameters that sign or unlock lose their values; the others keep theirs."""
    tape = make(request(target="/a?model=m-1&api%5Fkey=k&X-Amz-Date=2026&sig=ab&voice=Ann"))
    assert scrub(tape).events[0].target == (
        f"/a?model=m-1&api%5Fkey={DROPPED}&X-Amz-Date={DROPPED}&sig={DROPPED}&voice=Ann"
    )


@pytest.mark.parametrize(
    "written", [SIGNED, SIGNED.replace("&", "\\u0026"), SIGNED.replace("&", "&amp;")]
)
def test_a_signed_address_in_a_reply_is_overwritten(written: str) -> None:
    """What signs an address in a payload is overwritten in any spelling, and no byte moves."""
    body = f'{{"url": "{written}", "n": 1}}'.encode()
    events = scrub(make(request(), *reply(body))).events
    data = events[2].data
    assert len(data) == len(body)
    assert not any(part in data for part in (b"Ab%2Bc9", b"LTAI5tExample", b"1764060000"))
    assert json.loads(data)["url"].startswith("https://oss.example/a.wav?Expires=dropped")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 150), max_size=6))
def test_a_border_hides_no_signature(borders: list[int]) -> None:
    """However a body is cut into chunks, what signs is overwritten and the borders stay."""
    body = f'{{"url": "{SIGNED}"}}'.encode()
    cuts = sorted({0, *(b for b in borders if b < len(body)), len(body)})
    chunks = [body[a:b] for a, b in itertools.pairwise(cuts)]
    events = scrub(make(request(), *reply(*chunks))).events[2:-1]
    assert [len(event.data) for event in events] == [len(chunk) for chunk in chunks]
    whole = b"".join(event.data for event in events)
    assert whole == scrub(make(request(), *reply(body))).events[2].data


def test_what_unlocks_is_overwritten_in_json() -> None:
    """JSON values under names that unlock are overwritten; doubtful names only if key-like."""
    body = {"access_token": "st-1", "token": "Hello", "key": "a1b2c3d4e5f6a7b8c9d0e1", "a": "b"}
    plain = json.loads(scrub(make(request(), *reply(json.dumps(body).encode()))).events[2].data)
    assert plain == {
        "access_token": "drop",
        "token": "Hello",
        "key": "dropped-dropped-dropped-"[:22],
        "a": "b",
    }


@pytest.mark.parametrize(
    "event",
    [
        request({"input": {"note": "9f8e7d6c5b4a39281706f5e4d3c2b1a0"}}),
        request({"a": [{"9f8e7d6c5b4a39281706f5e4d3c2b1a0": 1}]}),
        request({"id": UUID}),
        request(target="/voices/9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
        request(target="/a?who=sk-0123456789abcdef0123"),
        request(Sec_WebSocket_Protocol="x, key.sk-0123456789abcdef0123"),
        {**request(), "data": b"a=b&c=9f8e7d6c5b4a39281706f5e4d3c2b1a0"},
    ],
)
def test_a_request_with_something_like_a_key_is_refused(event: dict[str, Any]) -> None:
    """Something that looks like a key, in whatever place of a request, refuses the tape."""
    with pytest.raises(SecretFound, match=r"Event 1 .* looks like a key") as caught:
        scrub(make(event))
    assert "9f8e" not in str(caught.value).replace("at a.0.9f8e", "")


def test_a_message_of_the_client_is_looked_at_too() -> None:
    """A client's WebSocket message is a request in this respect, a service's is not."""
    opened = {"dir": "c", "k": "ws-open", "line": "GET /w HTTP/1.1"}
    accepted = {"k": "ws-accept", "line": "HTTP/1.1 101 Switching Protocols"}
    message = {"k": "text", "data": json.dumps({"event_id": UUID}).encode()}
    scrub(make(opened, accepted, message))
    with pytest.raises(SecretFound, match="event_id"):
        scrub(make(opened, accepted, {**message, "dir": "c"}))
    scrub(make(opened, accepted, {**message, "dir": "c"}), Policy(texts=("event_id",)))


def test_a_listed_place_may_hold_anything() -> None:
    """What the provider's list vouches for is kept, with all below it."""
    body = {"input": {"audio": {"data": "9f8e7d6c5b4a39281706f5e4d3c2b1a0"}}, "ids": [UUID]}
    tape = make(request(body, target=f"/a?task={UUID}"))
    clean = scrub(tape, Policy(texts=("input.audio", "ids.*"), query=("task",)))
    assert clean.events[0].data == tape.events[0].data
    assert clean.events[0].target == tape.events[0].target


@pytest.mark.parametrize(
    "text",
    [
        "qwen3-tts-instruct-flash-realtime-2026-01-22",
        "multimodal-generation/generation",
        "The quick brown fox jumps over the lazy dog, 12 times in 2026.",
        "一，二，三。一，二，三。一，二，三。一，二，三。",
        "2026-11-25T10:00:00.123456+00:00",
        "application/json; charset=utf-8",
        "audio/L16;rate=24000;channels=1",
        "Donaudampfschifffahrtsgesellschaft",
        "shortbutk3y1sh2a",
    ],
)
def test_names_and_sentences_are_not_like_keys(text: str) -> None:
    """Names of models, dates, paths and sentences pass."""
    assert not is_key_like(text)


def test_known_forms_of_keys_are_found_anywhere() -> None:
    """A key of a known form is found in any bytes, and quoted by its beginning alone."""
    found = find_keys(
        b'{"a":"sk-0123456789abcdefgh"} Bearer abcdefghijklmnopqrst AKIA0123456789ABCDEF'
    )
    assert found == ["sk-012…", "Bearer…", "AKIA01…"]
    assert not find_keys(base64.b64encode(bytes(range(256)) * 40))


def test_a_recording_is_dropped() -> None:
    """Of a recording in a request what is before its data stays; a reply keeps its audio."""
    sound = base64.b64encode(bytes(range(256)) * 200).decode()
    said = {"audio": {"data": f"data:audio/wav;base64,{sound}"}, "name": "contract"}
    asked = request(said, Content_Length=str(len(json.dumps(said))))
    clean = scrub(make(asked, *reply(json.dumps(said).encode())))
    left = {"audio": {"data": f"data:audio/wav;base64,{DROPPED}"}, "name": "contract"}
    assert json.loads(clean.events[0].data) == left
    assert clean.events[0].header("Content-Length") == str(len(clean.events[0].data))
    assert json.loads(clean.events[2].data) == said
    assert "data URLs" in clean.header.scrub.dropped


@pytest.mark.parametrize(
    "said",
    [
        "data:audio/wav;base64,UklGRg==",
        "data:text/plain," + "a" * 999,
        "see data:audio/wav;base64, " + "a " * 999,
    ],
    ids=["short", "plain", "words"],
)
def test_what_is_no_recording_stays(said: str) -> None:
    """A short data URL, one without base64, and words about one are left as they are."""
    tape = make(request({"text": said}))
    assert scrub(tape, Policy(texts=("text",))).events[0].data == tape.events[0].data


# Searching


def _json_all(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" if ord(char) < 256 else char for char in text)


SPELLINGS = {
    "plain": KEY,
    "json": json.dumps(KEY),
    "json in utf-8": json.dumps(KEY, ensure_ascii=False),
    "json with slashes": json.dumps(KEY).replace("/", "\\/"),
    "json, every character": _json_all(KEY),
    "url": quote(KEY, safe=""),
    "url, lower case": quote(KEY, safe="").lower(),
    "form": quote_plus(KEY),
    "url in json": json.dumps({"a": quote(KEY)}),
    "hex": KEY.encode().hex(),
    "HEX": KEY.encode().hex().upper(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_in_any_spelling(spelling: str) -> None:
    """A secret is found as it is, escaped for JSON or for an address, and in hex."""
    data = b"before " + SPELLINGS[spelling].encode() + b" behind"
    assert [found.number for found in find_secrets(data, ["other", KEY, ""])] == [2]


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=7),
    st.binary(max_size=7),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes]),
    st.binary(min_size=8, max_size=60).map(lambda data: data.hex()),
)
def test_a_secret_is_found_in_base64_at_any_alignment(
    before: bytes, behind: bytes, encode: Any, secret: str
) -> None:
    """Whatever stands around a secret in base64, and however that is broken, it is found."""
    coded = encode(before + secret.encode() + behind)
    assert find_secrets(b'{"audio":"' + coded + b'"}', [secret])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_what_is_not_there_is_not_found(data: bytes) -> None:
    """Bytes without the secret are passed."""
    assert not find_secrets(data.hex().encode(), ["this is not in it"])


@pytest.mark.parametrize(
    "events",
    [
        [request(Authorization=f"Bearer {KEY}")],
        [request({"key": KEY})],
        [request(target=f"/a?k={quote(KEY, safe='')}")],
        [request(), *reply(KEY.encode())],
        [request(), *reply(KEY.encode()[:5], KEY.encode()[5:])],
        [request(), *reply(b"\xff" + KEY.encode())],
        [request(), *reply(b"\xff" * BLOB_ABOVE_BYTES + KEY.encode())],
        [request(), *reply(base64.b64encode(b"ab" + KEY.encode()))],
    ],
)
def test_a_tape_with_a_secret_is_not_written(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    """Wherever a secret is, between chunks and beside the tape too, no file is left behind."""
    with pytest.raises(SecretFound, match="Secret 1 of those") as caught:
        make(*events).write(tmp_path / "a.tape", secrets=[KEY])
    assert KEY not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_secret_in_the_header_is_found() -> None:
    """The first line is searched as well."""
    tape = make(request())
    with pytest.raises(SecretFound, match="the first line"):
        refuse_secrets(tape, ["2026-11-25"])


def test_a_clean_tape_is_written(tmp_path: Path) -> None:
    """Without a secret on it, a tape is written."""
    make(request(), *reply(b"a")).write(tmp_path / "a.tape", secrets=[KEY])
    assert Tape.read(tmp_path / "a.tape").is_sealed
