"""What the service's answers look like: JSON, server-sent events, WAV."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vivavoce_qwen_emulator.checks import Order, Refused, estimate_tokens
from vivavoce_qwen_emulator.script import Script, whole
from vivavoce_qwen_emulator.speech import SAMPLE_RATE_HZ, duration_s

__all__ = [
    "EVENT_STREAM",
    "JSON",
    "Event",
    "Framing",
    "Speech",
    "dump",
    "error_body",
    "error_event",
    "frame",
    "plain_body",
    "refuse",
    "refuse_download",
    "stream_events",
    "token_usage",
    "usage_of",
    "wav_header",
    "with_audio",
]

JSON = "application/json"
EVENT_STREAM = "text/event-stream;charset=UTF-8"

_AUDIO_TOKENS_PER_S = 50
_LEAST_AUDIO_TOKENS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A finished synthesis, ready to be answered."""

    request_id: str
    pcm: bytes
    url: str | None
    """Where all of it can be read as WAV; None to leave that out."""

    expires_at: int
    """When *url* ends, in UNIX seconds."""

    usage: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One server-sent event."""

    number: int
    """Counts from 1."""

    payload: Any
    """What the data is, before JSON; bytes are sent as they are."""

    name: str = "result"
    status: int = 200
    """The status this event stands for; sent as a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How an event is written; the defaults are what the service does."""

    newline: str = "\n"
    space: str = ""
    """What follows a colon."""

    has_extras: bool = True
    """Whether the id and the status comment are written."""

    has_comments: bool = False
    """Whether further comments are strewn in."""

    splits_data: bool = False
    """Whether data is spread over several lines."""


def dump(value: object) -> bytes:
    """Return *value* as the service writes JSON: compact, and not escaped to ASCII."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def usage_of(order: Order, pcm: bytes) -> dict[str, Any]:
    """Return what *order* is billed by: characters, or tokens for the oldest models."""
    from vivavoce_qwen.tables import count_billed_characters

    if order.model.max_text_unit != "tokens":
        return {"characters": count_billed_characters(order.text)}
    return {"characters": 0, **token_usage(order.text, duration_s(pcm))}


def token_usage(text: str, seconds: float) -> dict[str, Any]:
    """Return the tokens of *text* and of the *seconds* of audio it became."""
    text_tokens = estimate_tokens(text)
    audio_tokens = max(_LEAST_AUDIO_TOKENS, math.ceil(_AUDIO_TOKENS_PER_S * seconds))
    return {
        "total_tokens": text_tokens + audio_tokens,
        "input_tokens": text_tokens,
        "output_tokens": audio_tokens,
        "input_tokens_details": {"text_tokens": text_tokens},
        "output_tokens_details": {"audio_tokens": audio_tokens, "text_tokens": 0},
    }


def plain_body(speech: Speech) -> dict[str, Any]:
    """Return the whole answer, which is also the last event's data."""
    address = {} if speech.url is None else {"url": speech.url}
    return {
        "output": {
            "audio": {
                "data": "",
                "expires_at": speech.expires_at,
                "id": f"audio_{speech.request_id}",
                **address,
            },
            "finish_reason": "stop",
        },
        "usage": speech.usage,
        "request_id": speech.request_id,
    }


def stream_events(speech: Speech, chunk_bytes: int) -> list[Event]:
    """Return one event for each *chunk_bytes* of audio, and the last one."""
    starts = range(0, len(speech.pcm), chunk_bytes)
    payloads = [
        *(_middle(speech, speech.pcm[start : start + chunk_bytes]) for start in starts),
        plain_body(speech),
    ]
    return [Event(number=number, payload=payload) for number, payload in enumerate(payloads, 1)]


def error_body(code: str, message: str, request_id: str) -> dict[str, Any]:
    """Return what the service says when it refuses."""
    return {"request_id": request_id, "code": code, "message": message}


def error_event(
    number: int, status: int, code: str, message: str, request_id: str, name: str = "error"
) -> Event:
    """Return an error in the middle of a stream."""
    payload = {"code": code, "message": message, "request_id": request_id}
    return Event(number=number, payload=payload, name=name, status=status)


def refuse(refused: Refused, request_id: str) -> Script:
    """Return the answer to a request that was refused."""
    body = dump(error_body(refused.code, refused.message, request_id))
    return whole(refused.status, JSON, body, ("x-request-id", request_id))


def refuse_download(status: int, code: str, message: str, request_id: str) -> Script:
    """Return how the store of finished audio refuses: in XML."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>"
        f"<RequestId>{request_id}</RequestId></Error>\n"
    )
    return whole(status, "application/xml", body.encode())


def frame(event: Event, framing: Framing) -> bytes:
    """Return *event* as it is sent."""
    newline, space = framing.newline, framing.space
    status = [f":HTTP_STATUS/{event.status}"] if framing.has_extras else []
    lines = [
        *([": still here"] if framing.has_comments else []),
        *([f"id:{space}{event.number}"] if framing.has_extras else []),
        f"event:{space}{event.name}",
        *status,
        *([":"] if framing.has_comments else []),
    ]
    data = [f"data:{space}".encode() + line for line in _data_lines(event, framing)]
    return newline.encode().join([line.encode() for line in lines] + data) + newline.encode() * 2


def wav_header(
    data_bytes: int, *, riff_size: int | None = None, sample_rate_hz: int = SAMPLE_RATE_HZ
) -> bytes:
    """
    Return the header of a WAV of *data_bytes*.

    Args:
        data_bytes: Written as the size of the audio.
        riff_size: Written as the size of all; None for what is right.
        sample_rate_hz: Written as the rate of the audio.
    """
    rate = sample_rate_hz
    all_bytes = 36 + data_bytes if riff_size is None else riff_size
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", all_bytes, b"WAVE"),
            struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16),
            struct.pack("<4sI", b"data", data_bytes),
        )
    )


def with_audio(event: Event, **changes: object) -> Event:
    """Return *event* with other fields of its audio."""
    output = event.payload["output"]
    changed = output | {"audio": output["audio"] | changes}
    return replace(event, payload=event.payload | {"output": changed})


def _middle(speech: Speech, pcm: bytes) -> dict[str, Any]:
    return {
        "output": {
            "audio": {
                "data": base64.b64encode(pcm).decode(),
                "expires_at": speech.expires_at,
                "id": f"audio_{speech.request_id}",
            },
            # The service says this in a string.
            "finish_reason": "null",
        },
        "usage": speech.usage,
        "request_id": speech.request_id,
    }


def _data_lines(event: Event, framing: Framing) -> Sequence[bytes]:
    if isinstance(event.payload, bytes):
        return [event.payload]
    if framing.splits_data:
        return json.dumps(event.payload, ensure_ascii=False, indent=1).encode().split(b"\n")
    return [dump(event.payload)]
