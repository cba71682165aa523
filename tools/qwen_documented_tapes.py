"""
Write the tapes of cassettes/qwen that are typed from the vendor's pages.

They are documented errors, and what of making voices happens at no emulator by itself.

    python tools/qwen_documented_tapes.py            # writes them
    python tools/qwen_documented_tapes.py --check    # fails if one is missing or differs

Each says which page it is from. The errors are those of the error page, with the message where the
message decides; what is expected of each is the plugin's promise.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from vivavoce_contract.tapes import Event, Header, Match, Source, Tape

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "cassettes" / "qwen"
ERROR_PAGE = "https://www.alibabacloud.com/help/en/model-studio/error-code"
API_PAGE = "https://help.aliyun.com/zh/model-studio/qwen-tts-api"
CLONING_PAGE = (
    "https://docs.qwencloud.com/api-reference/speech-synthesis/voice-cloning/qwen/create-voice"
)
DESIGN_PAGE = "https://help.aliyun.com/zh/model-studio/qwen-tts-voice-design"
READ = "2026-11-22"
PATH = "/api/v1/services/aigc/multimodal-generation/generation"
VOICES_PATH = "/api/v1/services/audio/tts/customization"
MODEL = "qwen3-tts-flash"
CLONE_MODEL = "qwen3-tts-vc-2026-01-22"
DESIGN_MODEL = "qwen3-tts-vd-2026-01-26"
REQUEST_ID = "5f3c9c1e-7f0e-9d5e-8d6b-0a1b2c3d4e5f"

# Status, code, message where it decides, what the plugin makes of it, whether asking again helps.
ERRORS = (
    (400, "InvalidParameter", "Range of input length should be [0, 600]", "TextTooLong", False),
    (400, "InvalidParameter", "Invalid voice specified.", "RequestRejected", False),
    (400, "InvalidParameter", "url error, please check url", "RequestRejected", False),
    (400, "DataInspectionFailed", "", "RequestRejected", False),
    (400, "CustomRoleBlocked", "", "RequestRejected", False),
    (400, "Arrearage", "", "QuotaExceeded", False),
    (401, "InvalidApiKey", "", "CredentialError", False),
    (401, "NOT AUTHORIZED", "", "SettingsError", False),
    (403, "AccessDenied", "", "CredentialError", False),
    (403, "AccessDenied.Unpurchased", "", "CredentialError", False),
    (403, "Model.AccessDenied", "", "CredentialError", False),
    (403, "Workspace.AccessDenied", "", "CredentialError", False),
    (403, "AllocationQuota.FreeTierOnly", "", "QuotaExceeded", False),
    (404, "ModelNotFound", "", "RequestRejected", False),
    (404, "WorkSpaceNotFound", "", "SettingsError", False),
    (404, "NotFound", "", "RequestRejected", False),
    (429, "Throttling", "", "RateLimited", True),
    (429, "Throttling.RateQuota", "", "RateLimited", True),
    (429, "Throttling.BurstRate", "", "RateLimited", True),
    (429, "LimitRequests", "", "RateLimited", True),
    (429, "Throttling.AllocationQuota", "Token rate exceeded.", "RateLimited", True),
    (429, "Throttling.AllocationQuota", "Free quota used up.", "QuotaExceeded", False),
    (429, "CommodityNotPurchased", "", "QuotaExceeded", False),
    (429, "PrepaidBillOverdue", "", "QuotaExceeded", False),
    (429, "PostpaidBillOverdue", "", "QuotaExceeded", False),
    (500, "InternalError", "", "ProviderUnavailable", True),
    (500, "InternalError.Algo", "", "ProviderUnavailable", True),
    (500, "InternalError.Timeout", "", "ProviderUnavailable", True),
    (500, "SystemError", "", "ProviderUnavailable", True),
    (500, "ModelServiceFailed", "", "ProviderUnavailable", True),
    (500, "RequestTimeOut", "", "ProviderUnavailable", True),
    (503, "ModelUnavailable", "", "ProviderUnavailable", True),
    (503, "ModelServingError", "", "ProviderUnavailable", True),
)
# What is made, code, message where it decides: refusals of a recording or a description.
NO_VOICES = (
    ("clone", "Audio.PreprocessError", "No segments meet minimum duration requirement"),
    ("clone", "Audio.DecoderError", ""),
    ("clone", "Audio.AudioRateError", ""),
    ("clone", "Audio.DurationLimitError", ""),
    ("design", "DataInspectionFailed", ""),
)
_REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
_REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


def header(
    scenario: str, page: str, expects: dict[str, object], match: Match | None = None
) -> Header:
    """Return the first line of a tape."""
    return Header(
        provider="qwen",
        scenario=scenario,
        model=MODEL if match is None and scenario.startswith("error") else "",
        source=Source(kind="documentation", name="Model Studio's pages", url=page, date=READ),
        recorded_at=READ,
        base_path="/api/v1",
        # Whatever is asked is refused: nothing of the request is compared.
        match=match or Match(body=()),
        expects=expects,
    )


def events(
    status: int, kind: str, body: bytes, *, path: str = PATH, asked: object = None
) -> list[Event]:
    """Return one request and its reply."""
    said = asked or {"model": MODEL, "input": {"text": "One, two.", "voice": "Cherry"}}
    reason = _REASONS.get(status, "OK")
    reply = (("Content-Type", kind), ("Content-Length", str(len(body))))
    if status == 200 and kind != "application/json":
        reply = (("Content-Type", kind), ("Transfer-Encoding", "chunked"))
    line = f"HTTP/1.1 {status} {reason}"
    return [
        Event(
            t=0.0,
            conn=1,
            dir="c",
            k="request",
            line=f"POST {path} HTTP/1.1",
            headers=(("Content-Type", "application/json"),),
            data=json.dumps(said).encode(),
        ),
        Event(t=0.0, conn=1, dir="s", k="response", line=line, headers=reply),
        Event(t=0.0, conn=1, dir="s", k="chunk", data=body),
        Event(t=0.0, conn=1, dir="s", k="end"),
    ]


def refusal(code: str, message: str) -> dict[str, str]:
    """Return the body of a refusal."""
    return {"request_id": REQUEST_ID, "code": code, "message": message or f"({code})"}


def tapes() -> dict[str, Tape]:
    """Return the tapes by their names."""
    made: dict[str, Tape] = {}
    for status, code, message, error, retryable in ERRORS:
        expects = {
            "error": error,
            "retryable": retryable,
            "code": code,
            "request_id": REQUEST_ID,
        }
        told = refusal(code, message)
        name = f"error-{status}-{re.sub('[^A-Za-z0-9.]+', '-', code)}"
        if name in made:
            name += f"-{error}"
        before = events(status, "application/json", json.dumps(told).encode())
        made[name] = Tape(header=header(name, ERROR_PAGE, expects), events=before)
    for status, code, message, error, retryable in ERRORS[::6]:
        # The same within a stream: an event, whose comment tells the status.
        expects = {"error": error, "retryable": retryable, "code": code}
        data = json.dumps(refusal(code, message))
        body = f"id:1\nevent:error\n:HTTP_STATUS/{status}\ndata:{data}\n\n"
        name = f"error-event-{status}-{re.sub('[^A-Za-z0-9.]+', '-', code)}"
        made[name] = Tape(
            header=header(name, API_PAGE, expects),
            events=events(200, "text/event-stream", body.encode()),
        )
    return made


def making(kind: str) -> dict[str, object]:
    """Return what asks for a voice, its recording as scrubbing leaves one."""
    inputs: dict[str, object] = {"action": "create", "preferred_name": "contract"}
    if kind == "clone":
        inputs |= {
            "target_model": CLONE_MODEL,
            "audio": {"data": "data:audio/wav;base64,<dropped>"},
        }
        return {"model": "qwen-voice-enrollment", "input": inputs}
    inputs |= {"target_model": DESIGN_MODEL, "voice_prompt": "Calm, deep."}
    return {"model": "qwen-voice-design", "input": {**inputs, "preview_text": "One, two."}}


def voice_tapes() -> dict[str, Tape]:
    """Return the tapes of what is documented of voices, by their names."""
    made: dict[str, Tape] = {}
    for kind, code, message in NO_VOICES:
        name = f"voices-error-{kind}-{code}"
        expects: dict[str, object] = {"making": kind, "error": "RequestRejected", "code": code}
        expects |= {"retryable": False, "request_id": REQUEST_ID}
        body = json.dumps(refusal(code, message)).encode()
        said = events(400, "application/json", body, path=VOICES_PATH, asked=making(kind))
        made[name] = Tape(header=header(name, ERROR_PAGE, expects), events=said)
    reason = "no_merged_segments"
    voice = "qwen-tts-vc-contract-voice-20260101000000000-0a1b"
    output = {"voice": voice, "target_model": CLONE_MODEL, "fallback_mode": True}
    answer = {"output": {**output, "fallback_reason": reason}, "usage": {"count": 1}}
    body = json.dumps({**answer, "request_id": REQUEST_ID}).encode()
    name = "voices-clone-fallback"
    made[name] = Tape(
        header=header(name, CLONING_PAGE, {"making": "clone", "warns": reason}),
        events=events(200, "application/json", body, path=VOICES_PATH, asked=making("clone")),
    )
    made["voices-design-pages"] = pages_tape("voices-design-pages")
    return made


def pages_tape(name: str) -> Tape:
    """Return the tape of a list on two pages, smaller ones than are asked for."""
    ids = [f"qwen-tts-vd-page{n}-voice-20260101000000000-0a1b" for n in range(3)]
    rows = [
        {
            "voice": each,
            "target_model": DESIGN_MODEL,
            "language": "en",
            "voice_prompt": "Calm, deep.",
            "preview_text": "One, two.",
            "gmt_create": "2026-01-01 00:00:00",
            "gmt_modified": "2026-01-01 00:00:00",
        }
        for each in ids
    ]
    said: list[Event] = []
    for index, page in enumerate((rows[:2], rows[2:])):
        output = {"page_index": index, "page_size": 2, "total_count": 3, "voice_list": page}
        body = json.dumps({"output": output, "usage": {}, "request_id": REQUEST_ID}).encode()
        inputs = {"action": "list", "page_index": index, "page_size": 100}
        asked = {"model": "qwen-voice-design", "input": inputs}
        said += events(200, "application/json", body, path=VOICES_PATH, asked=asked)
    expects: dict[str, object] = {"origin": "designed", "voices": ids}
    compared = Match(body=("model", "input.action", "input.page_index"))
    return Tape(header=header(name, DESIGN_PAGE, expects, compared), events=said)


def main() -> None:
    """Write the tapes, or compare them."""
    wrong = []
    for name, tape in {**tapes(), **voice_tapes()}.items():
        path = FOLDER / f"{name}.tape"
        if "--check" not in sys.argv[1:]:
            tape.write(path)
        elif not path.exists() or Tape.read(path).events != tape.events:
            wrong.append(name)
    if wrong:
        sys.exit(f"Stale: {', '.join(wrong)}. Run: python tools/qwen_documented_tapes.py")


if __name__ == "__main__":
    main()
