"""
What the service's refusals mean.

The codes are those of https://www.alibabacloud.com/help/en/model-studio/error-code (read
2026-11), with the forms that users of the live service report: an empty body, an
OpenAI-style ``error`` object, ``msg`` for ``message``, a message that is JSON itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, frozen

from vivavoce.authoring import (
    CredentialError,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SettingsError,
    SseComment,
    SseReader,
    TextTooLong,
    UnexpectedReply,
    VivavoceError,
    retry_after_s,
    shorten,
)

__all__ = [
    "CODES",
    "Refusal",
    "as_object",
    "error_of_body",
    "error_of_event",
    "read_refusal",
    "request_id_of",
    "status_comment",
]

_STATUS_COMMENT = re.compile(rb"HTTP_STATUS/([1-9][0-9]{2})")
_LENGTH_LIMIT = re.compile(r"input length should be \[\d+, ?(\d{1,9})\]", re.IGNORECASE)
# "<400> InternalError.Algo.InvalidParameter: ...": the code meant stands in the message.
_INNER_CODE = re.compile(r"^<\d{3}> *([A-Za-z][A-Za-z0-9_.]*):")
_FREE_QUOTA = re.compile(r"free|plan|billing", re.IGNORECASE)
_MESSAGE_MAX_CHARACTERS = 500


@frozen(kw_only=True)
class Refusal:
    """
    What a refusal says.

    Attributes:
        status: HTTP status of the reply, or of the event; None where there is none, as on a
            WebSocket.
        code: The service's code, or empty.
        message: Its text, or what of the body can be shown.
        request_id: Its id of the request, or empty.
    """

    status: int | None
    code: str
    message: str
    request_id: str


def _rejected(refusal: Refusal, said: str) -> VivavoceError:
    return RequestRejected(said, code=refusal.code or None, status=refusal.status)


def _rejected_with(advice: str) -> _Maker:
    return lambda refusal, said: _rejected(refusal, f"{said} {advice}")


def _parameter(refusal: Refusal, said: str) -> VivavoceError:
    limit = _LENGTH_LIMIT.search(refusal.message)
    if limit is None:
        return _rejected(refusal, said)
    return TextTooLong(said, code=refusal.code, status=refusal.status, limit=int(limit[1]))


def _credential(refusal: Refusal, said: str) -> VivavoceError:
    advice = " A key is of one region: is it this one's, and may it use this model?"
    return CredentialError(said + advice, code=refusal.code or None, status=refusal.status)


def _workspace(refusal: Refusal, said: str) -> VivavoceError:
    advice = " Look at the setting `workspace`."
    return SettingsError(said + advice, code=refusal.code or None, status=refusal.status)


def _quota(refusal: Refusal, said: str) -> VivavoceError:
    advice = " Look at the account's billing."
    return QuotaExceeded(said + advice, code=refusal.code or None, status=refusal.status)


def _throttled(refusal: Refusal, said: str) -> VivavoceError:
    return RateLimited(said, code=refusal.code or None, status=refusal.status)


def _allocation(refusal: Refusal, said: str) -> VivavoceError:
    # One code for two things: too many tokens a minute passes, a used-up plan does not.
    return (_quota if _FREE_QUOTA.search(refusal.message) else _throttled)(refusal, said)


def _unavailable(refusal: Refusal, said: str) -> VivavoceError:
    return ProviderUnavailable(said, code=refusal.code or None, status=refusal.status)


def _algorithm(refusal: Refusal, said: str) -> VivavoceError:
    # A fault of the model passes; one that it found in the request stays.
    is_ours = "parameter" in refusal.message.lower()
    return (_parameter if is_ours else _unavailable)(refusal, said)


_Maker = Callable[[Refusal, str], VivavoceError]

_NO_VOICE = _rejected_with("Look which voices there are, with the key that made it.")

CODES: Mapping[str, _Maker] = {
    "InvalidParameter": _parameter,
    "InternalError.Algo.InvalidParameter": _parameter,
    "DataInspectionFailed": _rejected,
    "data_inspection_failed": _rejected,
    "CustomRoleBlocked": _rejected,
    "Arrearage": _quota,
    "InvalidApiKey": _credential,
    "invalid_api_key": _credential,
    "NOT AUTHORIZED": _workspace,
    "AccessDenied": _credential,
    "AccessDenied.Unpurchased": _credential,
    "Model.AccessDenied": _credential,
    "Workspace.AccessDenied": _credential,
    "AllocationQuota.FreeTierOnly": _quota,
    "ModelNotFound": _rejected,
    "model_not_found": _rejected,
    "WorkSpaceNotFound": _workspace,
    "NotFound": _rejected,
    "BadRequest.VoiceNotFound": _NO_VOICE,
    "VoiceNotFound": _NO_VOICE,
    "Audio.PreprocessError": _rejected_with(
        "The recording needs 3 s and more of one clear voice, and a transcript, if any, that "
        "says what is spoken in it."
    ),
    "Audio.DecoderError": _rejected_with("Send WAV of 16 bits, MP3 or M4A."),
    "Audio.AudioRateError": _rejected_with("Record at 24000 Hz or more."),
    "Audio.DurationLimitError": _rejected_with("Record at most 60 s; 10 to 20 s do best."),
    "Audio.AudioShortError": _rejected_with("Record at least 3 s; 10 to 20 s do best."),
    "Audio.AudioSilentError": _rejected_with("Nobody is heard in the recording."),
    "Throttling": _throttled,
    "Throttling.RateQuota": _throttled,
    "Throttling.BurstRate": _throttled,
    "LimitRequests": _throttled,
    "Throttling.AllocationQuota": _allocation,
    "insufficient_quota": _allocation,
    "CommodityNotPurchased": _quota,
    "PrepaidBillOverdue": _quota,
    "PostpaidBillOverdue": _quota,
    "InternalError": _unavailable,
    "InternalError.Algo": _algorithm,
    "InternalError.Timeout": _unavailable,
    "SystemError": _unavailable,
    "ModelServiceFailed": _unavailable,
    "ModelServingError": _unavailable,
    "ModelUnavailable": _unavailable,
    "RequestTimeOut": _unavailable,
}
"""What is made of each documented code."""


def status_comment(comment: SseComment) -> int | None:
    """Return the status that a comment of the event stream tells, or None."""
    match = _STATUS_COMMENT.fullmatch(comment.data)
    return int(match[1]) if match else None


def error_of_body(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    wanted: str = "speech",
    clean: Callable[[str], str] = str,
) -> VivavoceError:
    """
    Return the error for a reply that does not hold what was asked for.

    Args:
        status: HTTP status; below 300 where the body is at fault.
        headers: Response headers, names in lower case.
        body: JSON, or events under an error's status, or whatever a proxy says.
        wanted: What was asked for.
        clean: Takes out of a text what must not be shown; called before anything is cut.
    """
    refusal = read_refusal(status, headers, body, clean)
    if (refusal.status or 0) < 300 and not refusal.code:
        kind = headers.get("content-type", "nothing that says what it is")
        said = f"The service answered with neither {wanted} nor an error ({kind})"
        error: VivavoceError = UnexpectedReply(_with(said, refusal.message), status=status)
    else:
        error = _error_of(refusal, headers)
    error.request_id = refusal.request_id or None
    return error


def error_of_event(
    message: Mapping[str, Any], status: int | None, headers: Mapping[str, str]
) -> VivavoceError:
    """
    Return the error for an event that tells one.

    Args:
        message: The event's data.
        status: HTTP status of the reply, or what the event's comment says; None on a WebSocket.
        headers: Response headers, names in lower case.
    """
    refusal = _refusal_of(message, status, headers)
    error = _error_of(refusal, headers)
    error.request_id = refusal.request_id or None
    return error


def read_refusal(
    status: int, headers: Mapping[str, str], body: bytes, clean: Callable[[str], str] = str
) -> Refusal:
    """Return what *body* says, in whichever of the forms it comes, passed through *clean*."""
    message = as_object(body)
    if message is None and b"data:" in body:
        status, message = _of_events(status, body)
    if message:
        refusal = _refusal_of(message, status, headers)
        return evolve(
            refusal,
            code=clean(refusal.code),
            message=clean(refusal.message),
            request_id=clean(refusal.request_id),
        )
    said = "" if message == {} else shorten(clean(body.decode("utf-8", "replace")).encode())
    return Refusal(status=status, code="", message=said, request_id=request_id_of({}, headers))


def _of_events(status: int, body: bytes) -> tuple[int, dict[str, Any] | None]:
    """Read a refusal that is framed as events although its status is an error's."""
    reader = SseReader()
    for item in [*reader.feed(body), *reader.finish()]:
        if isinstance(item, SseComment):
            status = status_comment(item) or status
        elif (message := as_object(item.data)) is not None:
            return status, message
    return status, None


def as_object(data: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object in *data*, or None where it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refusal_of(
    message: Mapping[str, Any], status: int | None, headers: Mapping[str, str]
) -> Refusal:
    inner = message.get("error")
    told = inner if isinstance(inner, dict) else message
    code = _text(told.get("code")) or _text(told.get("type"))
    text = _text(told.get("message")) or _text(told.get("msg"))
    nested = as_object(text) if text.startswith("{") else None
    if nested:
        below = _refusal_of(nested, status, headers)
        code, text = code or below.code, below.message or text
    if code not in CODES and (match := _INNER_CODE.match(text)):
        code = match[1]
    return Refusal(
        status=status, code=code, message=text, request_id=request_id_of(message, headers)
    )


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def request_id_of(message: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Return the service's id of a request, from its answer or the headers, or an empty string."""
    return (
        _text(message.get("request_id"))
        or headers.get("x-request-id", "")
        or headers.get("x-dashscope-request-id", "")
    )


def _error_of(refusal: Refusal, headers: Mapping[str, str]) -> VivavoceError:
    said = _with(_heading(refusal), refusal.message)
    make = CODES.get(refusal.code) or _maker_by_status(refusal.status)
    error = make(refusal, said)
    if isinstance(error, RateLimited | ProviderUnavailable):
        if isinstance(error, RateLimited):
            error.retry_after_s = retry_after_s(headers)
        # The official client lets the server have the last word.
        if headers.get("x-should-retry", "").lower() == "false":
            error.retryable = False
    return error


def _heading(refusal: Refusal) -> str:
    what = refusal.code or "no code"
    status = "" if refusal.status is None else f", HTTP {refusal.status}"
    return f"The service refused ({what}{status})"


def _with(said: str, message: str) -> str:
    text = " ".join(message.split())
    if len(text) > _MESSAGE_MAX_CHARACTERS:
        text = text[: _MESSAGE_MAX_CHARACTERS - 1] + "…"
    if not text:
        return f"{said}."
    return f"{said}: {text}" if text.endswith((".", "!", "?", "…")) else f"{said}: {text}."


def _maker_by_status(status: int | None) -> _Maker:
    if status is None:
        return _rejected
    if status in (401, 403):
        return _credential
    if status == 429:
        return _throttled
    if status >= 500 or status in (408, 409):
        return _unavailable
    return _rejected
