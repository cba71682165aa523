"""What may be sent, and where to."""

from __future__ import annotations

import pytest

from vivavoce.errors import InvalidValue
from vivavoce.model.secret import Secret
from vivavoce.transport.address import check_address, hide_secrets, reveal_headers


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("https://TTS.example/a?b=c", ("tts.example", None, False), "tts.example"),
        ("https://tts.example:8443", ("tts.example", 8443, False), "tts.example:8443"),
        ("https://192.0.2.1/", ("192.0.2.1", None, False), "192.0.2.1"),
        ("https://[2001:db8::1]:1/", ("2001:db8::1", 1, False), "[2001:db8::1]:1"),
        ("http://127.1.2.3/", ("127.1.2.3", None, True), "127.1.2.3"),
        ("https://localhost/", ("localhost", None, True), "localhost"),
        ("HTTP://[::1]:80/", ("::1", 80, True), "[::1]:80"),
    ],
)
def test_address(url, address, shown):
    """An address gives its host, its port, and whether it is this machine."""
    found = check_address(url, secure="https", plain="http")
    assert (found.host, found.port, found.is_loopback) == address
    assert str(found) == shown


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f.0.0.1", "2130706433", "localhost.", "127.0.0.1.nip.example", "[::ffff:0:1]"],
)
def test_not_quite_loopback(host):
    """Whatever only looks like this machine needs TLS."""
    with pytest.raises(InvalidValue):
        check_address(f"http://{host}/", secure="https", plain="http")


def test_query_is_not_shown():
    """A refusal shows neither path nor query, where some providers want their keys."""
    with pytest.raises(InvalidValue) as caught:
        check_address("http://tts.example/sk-1?key=sk-2", secure="https", plain="http")
    assert "sk-" not in str(caught.value)


def test_reveal():
    """Headers are revealed as they are to be sent; empty and inner spaces are allowed."""
    headers = {"A": "", "B": "one two\tthree", "C": Secret("key").prefixed("Bearer ")}
    assert reveal_headers(headers) == {"A": "", "B": "one two\tthree", "C": "Bearer key"}


@pytest.mark.parametrize("value", [" a", "a ", "a\n", "\x7f", "a\x0bb", "\x85", "日本"])
def test_value_refused(value):
    """Values that some server or proxy could read otherwise are refused."""
    with pytest.raises(InvalidValue, match="'X'"):
        reveal_headers({"X": value})


def test_hide():
    """Secrets are taken out of what came back; ordinary words stay."""
    headers = {"Authorization": Secret("Bearer sk-123456"), "X": "region", "Y": Secret("no")}
    text = "no: sk-123456 is not known in region"
    assert hide_secrets(text, headers) == "no: *** is not known in region"
