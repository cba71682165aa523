import re

import pytest

from vivavoce_qwen_emulator.signing import Signer


def address(service, **given):
    return service.ask(**given).json()["output"]["audio"]["url"]


def test_needs_no_key(service):
    """Finished audio is read without a key, as often as one likes."""
    url = address(service)
    assert service.http.get(url).content == service.http.get(url).content


def test_address_has_the_usual_query(service):
    """The address says when it expires, and is signed."""
    audio = service.ask().json()["output"]["audio"]
    expires = re.search(r"\?Expires=(\d+)&OSSAccessKeyId=\w+&Signature=\S+$", audio["url"])
    assert int(expires[1]) == audio["expires_at"]


@pytest.mark.parametrize(
    ("pattern", "other"),
    [
        (r"Signature=.", "Signature=-"),
        (r"Expires=1", "Expires=2"),
        (r"Expires=\d+", "Expires=soon"),
        (r"OSSAccessKeyId=\w+", "OSSAccessKeyId=me"),
        (r"\?.*", ""),
        (r"results/.", "results/z"),
    ],
    ids=["signature", "expiry", "no number", "key id", "no query", "path"],
)
def test_forged_address(service, pattern, other):
    """An address that was changed anywhere is refused, in XML."""
    reply = service.http.get(re.sub(pattern, other, address(service)))
    assert reply.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in reply.text
    assert reply.headers["content-type"].startswith("application/xml")


def test_expired_address(serve):
    """An address that has expired is refused, in XML."""
    now = [1_000.0]
    service = serve(url_lifetime_s=60, clock=lambda: now[0])
    url = address(service)
    now[0] += 59
    assert service.http.get(url).status_code == 200
    now[0] += 1
    reply = service.http.get(url)
    assert reply.status_code == 403
    assert "<Code>AccessDenied</Code>" in reply.text


def test_expired_at_once(serve):
    """With a lifetime of 0 no address can be read."""
    service = serve(url_lifetime_s=0)
    assert service.wav().status_code == 403


def test_another_process_signs_otherwise():
    """What one signer signed is forged to another."""
    one, other = (Signer(60, lambda: 1.0) for _ in range(2))
    query = {"Expires": "61", "OSSAccessKeyId": "emulator"}
    signed = dict(pair.split("=", 1) for pair in one.query("/a", 61).split("&"))
    from urllib.parse import unquote

    query["Signature"] = unquote(signed["Signature"])
    assert one.verdict("/a", query) == "good"
    assert other.verdict("/a", query) == "forged"
