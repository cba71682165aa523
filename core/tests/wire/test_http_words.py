"""The words of an HTTP exchange."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.model.secret import Secret
from vivavoce.wire.http import HttpCall, retry_after_s, shorten


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("²", None),
        ("٣", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("9" * 400, None),
    ],
)
def test_retry_after(value, seconds):
    """Whole seconds are read; a date or nonsense is none."""
    assert retry_after_s({"retry-after": value}) == seconds


def test_retry_after_absent():
    """Without the header there is no wait asked for."""
    assert retry_after_s({}) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"  no \r\n such\tvoice ", "no such voice"),
        ("größer".encode(), "größer"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_shorten(body, text):
    """A body becomes one readable line."""
    assert shorten(body) == text


@given(st.binary(max_size=4000), st.integers(1, 400))
def test_shorten_bound(body, limit):
    """The line is never longer than its bound, and has no line end."""
    text = shorten(body, limit)
    assert len(text) <= limit
    assert len(text.splitlines()) <= 1


def test_call_shows_no_secret():
    """A call's representation shows no secret of its headers."""
    call = HttpCall(url="https://tts.example/", headers={"X-Key": Secret("sk-123456")})
    assert "sk-123456" not in repr(call)


def test_call_shows_no_body():
    """Nor does it show what is sent: a text, or a recording of somebody's voice."""
    call = HttpCall(url="https://tts.example/", body=b'{"text": "In confidence."}')
    assert "confidence" not in repr(call)
