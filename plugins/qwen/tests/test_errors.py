import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qwen_wire import event, hear

from vivavoce.authoring import (
    CredentialError,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SettingsError,
    SseComment,
    TextTooLong,
    UnexpectedReply,
)
from vivavoce_qwen.errors import CODES, error_of_body, read_refusal, status_comment

JSON = {"content-type": "application/json"}

# The error page's table: status, code, a message where it decides, what is raised, and
# whether asking again can help.
ROWS = [
    (400, "InvalidParameter", "Invalid voice specified.", RequestRejected, False),
    (400, "InvalidParameter", "url error, please check url", RequestRejected, False),
    (400, "InvalidParameter", "Range of input length should be [0, 600]", TextTooLong, False),
    (400, "DataInspectionFailed", "", RequestRejected, False),
    (400, "data_inspection_failed", "", RequestRejected, False),
    (400, "CustomRoleBlocked", "", RequestRejected, False),
    (400, "Arrearage", "good standing", QuotaExceeded, False),
    (401, "InvalidApiKey", "", CredentialError, False),
    (401, "invalid_api_key", "", CredentialError, False),
    (401, "NOT AUTHORIZED", "", SettingsError, False),
    (403, "AccessDenied", "", CredentialError, False),
    (403, "AccessDenied.Unpurchased", "", CredentialError, False),
    (403, "Model.AccessDenied", "", CredentialError, False),
    (403, "Workspace.AccessDenied", "", CredentialError, False),
    (403, "AllocationQuota.FreeTierOnly", "", QuotaExceeded, False),
    (404, "ModelNotFound", "", RequestRejected, False),
    (404, "model_not_found", "", RequestRejected, False),
    (404, "WorkSpaceNotFound", "", SettingsError, False),
    (404, "NotFound", "", RequestRejected, False),
    (400, "Audio.PreprocessError", "No segments meet minimum duration.", RequestRejected, False),
    (400, "Audio.DecoderError", "", RequestRejected, False),
    (400, "Audio.AudioRateError", "", RequestRejected, False),
    (400, "Audio.DurationLimitError", "", RequestRejected, False),
    (430, "Audio.AudioShortError", "", RequestRejected, False),
    (430, "Audio.AudioSilentError", "", RequestRejected, False),
    (400, "BadRequest.VoiceNotFound", "Voice 'a' not found.", RequestRejected, False),
    (400, "VoiceNotFound", "Voice not found: a", RequestRejected, False),
    (429, "Throttling", "", RateLimited, True),
    (429, "Throttling.RateQuota", "", RateLimited, True),
    (429, "LimitRequests", "", RateLimited, True),
    (429, "Throttling.BurstRate", "", RateLimited, True),
    (429, "Throttling.AllocationQuota", "Token rate exceeded.", RateLimited, True),
    (429, "Throttling.AllocationQuota", "Free quota used up.", QuotaExceeded, False),
    (429, "insufficient_quota", "You exceeded your token limit.", RateLimited, True),
    (429, "insufficient_quota", "Upgrade your plan.", QuotaExceeded, False),
    (429, "insufficient_quota", "Check your billing.", QuotaExceeded, False),
    (429, "CommodityNotPurchased", "", QuotaExceeded, False),
    (429, "PrepaidBillOverdue", "", QuotaExceeded, False),
    (429, "PostpaidBillOverdue", "", QuotaExceeded, False),
    (500, "InternalError", "", ProviderUnavailable, True),
    (500, "InternalError.Algo", "Engine failed.", ProviderUnavailable, True),
    (500, "InternalError.Algo", "An invalid parameter was given.", RequestRejected, False),
    (500, "InternalError.Algo", "Parameter x is wrong.", RequestRejected, False),
    (500, "InternalError.Timeout", "", ProviderUnavailable, True),
    (500, "SystemError", "", ProviderUnavailable, True),
    (500, "ModelServiceFailed", "", ProviderUnavailable, True),
    (500, "RequestTimeOut", "", ProviderUnavailable, True),
    (503, "ModelUnavailable", "", ProviderUnavailable, True),
    (503, "ModelServingError", "", ProviderUnavailable, True),
    # No code, or one that nobody knows: the status decides.
    (400, "", "", RequestRejected, False),
    (401, "", "", CredentialError, False),
    (403, "Unheard.Of", "", CredentialError, False),
    (404, "Unheard.Of", "", RequestRejected, False),
    (408, "", "", ProviderUnavailable, True),
    (409, "", "", ProviderUnavailable, True),
    (429, "Unheard.Of", "", RateLimited, True),
    (430, "Audio.Unheard", "", RequestRejected, False),
    (500, "Unheard.Of", "", ProviderUnavailable, True),
    (502, "", "", ProviderUnavailable, True),
    (504, "", "", ProviderUnavailable, True),
    (302, "", "", RequestRejected, False),
]


@pytest.mark.parametrize(("status", "code", "message", "kind", "retryable"), ROWS)
def test_every_row(status, code, message, kind, retryable):
    """Each documented code is an error of the right kind, before the stream and within it."""
    told = {"request_id": "r-1", "code": code, "message": message}
    before = hear(json.dumps(told).encode(), status=status, headers=JSON).error
    within = hear(event(told, kind="error", status=status)).error
    for error in (before, within):
        assert type(error) is kind
        assert (error.code, error.status) == (code or None, status)
        assert (error.request_id, error.retryable) == ("r-1", retryable)
        assert message.rstrip(".") in error.message


def test_no_code_is_left_out():
    """Every code that is known here has a row above."""
    assert {code for _, code, *_ in ROWS} >= set(CODES) - {"InternalError.Algo.InvalidParameter"}


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("Audio.PreprocessError", "3 s and more"),
        ("Audio.DecoderError", "WAV of 16 bits, MP3 or M4A"),
        ("Audio.AudioRateError", "24000 Hz or more"),
        ("Audio.DurationLimitError", "at most 60 s"),
        ("Audio.AudioShortError", "at least 3 s"),
        ("Audio.AudioSilentError", "Nobody is heard"),
        ("BadRequest.VoiceNotFound", "which voices there are"),
    ],
)
def test_what_to_do_about_a_recording(code, advice):
    """A refused recording, or a voice that is missing, comes with what to do about it."""
    assert advice in error_of_body(400, {}, json.dumps({"code": code}).encode()).message


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("Range of input length should be [0, 600]", 600),
        ("<400> InternalError.Algo.InvalidParameter: Range of input length should be [0,512]", 512),
    ],
)
def test_the_limit_of_a_text(text, limit):
    """An error about the length tells the limit it names."""
    error = error_of_body(
        400, {}, json.dumps({"code": "InvalidParameter", "message": text}).encode()
    )
    assert isinstance(error, TextTooLong)
    assert error.limit == limit


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"code": "Throttling", "msg": "Slow."}, "Throttling", "Slow."),
        ({"error": {"code": "Throttling", "message": "Slow."}}, "Throttling", "Slow."),
        ({"error": {"type": "Throttling", "message": "Slow."}}, "Throttling", "Slow."),
        ({"code": "Throttling", "message": '{"message":"Slow."}'}, "Throttling", "Slow."),
        ({"message": '{"error":{"code":"Throttling","message":"Slow."}}'}, "Throttling", "Slow."),
        ({"message": "<429> Throttling: Slow."}, "Throttling", "<429> Throttling: Slow."),
        ({"code": "Odd", "message": "<400> Arrearage: Pay."}, "Arrearage", "<400> Arrearage: Pay."),
        (
            {"code": "Throttling", "message": '{"code":"B","message":"Slow."}'},
            "Throttling",
            "Slow.",
        ),
        (
            {"code": "Arrearage", "message": "<400> InvalidParameter: Pay."},
            "Arrearage",
            "<400> InvalidParameter: Pay.",
        ),
        ({"error": "busy", "code": "Throttling", "message": "Slow."}, "Throttling", "Slow."),
        ({"code": 7, "message": ["a"]}, "7", ""),
        ({}, "", ""),
    ],
)
def test_other_forms_of_an_error(body, code, said):
    """A refusal is read in every form in which it has been seen."""
    refusal = read_refusal(429, {}, json.dumps(body).encode())
    assert (refusal.code, refusal.message) == (code, said)


def test_events_under_an_errors_status():
    """A refusal framed as events is read as such, with the status it tells itself."""
    told = {"code": "InvalidApiKey", "message": "No.", "request_id": "r-2"}
    body = event(told, kind="error", status=401)
    for headers in (JSON, {"content-type": "text/event-stream"}, {}):
        error = hear(body, status=400, headers=headers).error
        assert isinstance(error, CredentialError)
        assert (error.code, error.status, error.request_id) == ("InvalidApiKey", 401, "r-2")
    bare = body.replace(b":HTTP_STATUS/401\n", b"")
    error = hear(bare, status=403, headers={"content-type": "text/event-stream"}).error
    assert (type(error), error.status) == (CredentialError, 403)


@pytest.mark.parametrize(
    ("text", "status"),
    [(b"HTTP_STATUS/429", 429), (b"HTTP_STATUS/4290", None), (b"HTTP_STATUS/099", None)],
)
def test_the_status_of_an_event(text, status):
    """A comment that is a status and nothing else tells it."""
    assert status_comment(SseComment(text)) == status


def test_an_error_that_is_nested_without_end():
    """A refusal that cannot be read is an error of its status."""
    error = hear(b"[" * 500_000, status=500, headers=JSON).error
    assert isinstance(error, ProviderUnavailable)


def test_a_long_message():
    """Of a long message the beginning is shown."""
    told = {"code": "Arrearage", "message": "x" * 5000}
    error = hear(json.dumps(told).encode(), status=400, headers=JSON).error
    assert len(error.message) < 620
    assert "x…" in error.message


def test_a_page_of_a_proxy():
    """A page that is no answer of the service is an error of its status, shown shortly."""
    page = b"<html>\n<h1>502   Bad Gateway</h1>" + b"x" * 5000
    error = hear(page, status=502, headers={"content-type": "text/html"}).error
    assert isinstance(error, ProviderUnavailable)
    assert "502 Bad Gateway" in error.message
    assert len(error.message) < 600


@pytest.mark.parametrize("name", ["x-request-id", "x-dashscope-request-id"])
def test_a_request_id_in_a_header(name):
    """Where the body has no request id, the header's is taken."""
    assert hear(b"{}", status=400, headers={name: "r-3"}).error.request_id == "r-3"
    body = b'{"code":"Arrearage","request_id":"r-4"}'
    assert hear(body, status=400, headers={name: "r-3"}).error.request_id == "r-4"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers, wait_s):
    """A wait that the service asks for is told, in seconds."""
    error = hear(b'{"code":"Throttling"}', status=429, headers=headers).error
    assert error.retry_after_s == wait_s


def test_the_service_may_forbid_to_ask_again():
    """A header that says so makes an error final that else would pass."""
    for word, retryable in (("false", False), ("False", False), ("true", True)):
        headers = {"x-should-retry": word}
        for status, body in ((429, b'{"code":"Throttling"}'), (500, b'{"code":"SystemError"}')):
            assert hear(body, status=status, headers=headers).error.retryable is retryable


@given(st.binary(max_size=300), st.sampled_from([200, 400, 429, 500]))
def test_any_body_gives_an_error(body, status):
    """Whatever bytes come as a reply that is no stream, an error of the tree comes of them."""
    headers = {"content-type": "application/json"}
    error = error_of_body(status, headers, body)
    assert error.message.endswith((".", "!", "?", "…"))
    assert status != 200 or isinstance(error, UnexpectedReply)
