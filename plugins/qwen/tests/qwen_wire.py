"""What the service sends, built by hand, and a driver that feeds it to an exchange."""

import base64
import json

import attrs

from vivavoce.authoring import (
    AudioData,
    AudioFormat,
    BodyData,
    BodyEnd,
    Facts,
    Failed,
    Finished,
    NextCall,
    ResponseStarted,
    Secret,
    SynthesisRequest,
    VivavoceError,
    Voice,
)
from vivavoce_qwen.capabilities import MODELS
from vivavoce_qwen.exchange import QwenExchange

URL = "https://dashscope.aliyuncs.com/api/v1/services/aigc/multimodal-generation/generation"
AUDIO_URL = "http://bucket.oss-cn-beijing.aliyuncs.com/a.wav?Expires=1&Signature=abc"
REQUEST_ID = "5f3c9c1e-7f0e-9d5e-8d6b-0a1b2c3d4e5f"
FORMAT = AudioFormat(sample_rate_hz=24_000)
EVENTS = {"content-type": "text/event-stream;charset=UTF-8"}
JSON = {"content-type": "application/json"}


def card(name="qwen3-tts-flash"):
    return next(card for card in MODELS if card.name == name)


def request(**changes):
    values = {
        "text": "Hello.",
        "model": card(),
        "voice": Voice(id="Cherry"),
        "language": "en",
        "format": FORMAT,
        **changes,
    }
    return SynthesisRequest(**values)


def exchange(*, key="sk-1", url=URL, wants_events=True, **changes):
    return QwenExchange(request(**changes), url, Secret(key), wants_events=wants_events)


def message(data=b"", *, finish="null", url=None, usage=6, **more):
    """Return the data of an event as the service writes it."""
    audio = {"data": base64.b64encode(data).decode(), "expires_at": 1766113409, "id": "audio_1"}
    if url is not None:
        audio["url"] = url
    return {
        "output": {"audio": audio, "finish_reason": finish},
        "usage": {"characters": usage},
        "request_id": REQUEST_ID,
        **more,
    }


def event(data, *, kind="result", status=200, number=1):
    """Return one event, framed as the service frames it."""
    text = json.dumps(data, separators=(",", ":")) if isinstance(data, dict) else data
    return f"id:{number}\nevent:{kind}\n:HTTP_STATUS/{status}\ndata:{text}\n\n".encode()


def stream(*chunks, last=b""):
    """Return the body of a whole synthesis: *chunks* of samples, then the stop event."""
    frames = [event(message(chunk), number=n) for n, chunk in enumerate(chunks, 1)]
    end = message(last, finish="stop", url=AUDIO_URL)
    return b"".join([*frames, event(end, number=len(chunks) + 1)])


@attrs.define
class Heard:
    """What an exchange made of a reply."""

    audio: bytes = b""
    facts: list = attrs.field(factory=list)
    calls: list = attrs.field(factory=list)
    is_finished: bool = False
    error: Exception | None = None


def pieces(body, size):
    return [body[at : at + size] for at in range(0, len(body), size)]


def reply(heard, talk, *body, status=200, headers=EVENTS, ends=True):
    """Feed one reply to *talk* and note what comes of it."""
    events = [ResponseStarted(status=status, headers=headers), *map(BodyData, body)]
    for happening in [*events, BodyEnd()] if ends else events:
        try:
            outputs = talk.receive(happening)
        except VivavoceError as error:
            heard.error = error
            return heard
        for output in outputs:
            assert not heard.is_finished, "something came after the end"
            _note(heard, output)
            if heard.error is not None:
                return heard
    return heard


def _note(heard, output):
    if isinstance(output, AudioData):
        heard.audio += output.data
    elif isinstance(output, Facts):
        heard.facts.append(output)
    elif isinstance(output, NextCall):
        heard.calls.append(output.call)
    elif isinstance(output, Failed):
        heard.error = output.error
    else:
        assert isinstance(output, Finished)
        heard.is_finished = True


def hear(*body, **given):
    """Return what a new exchange makes of one reply."""
    options = {name: given.pop(name) for name in ("status", "headers", "ends") if name in given}
    talk = exchange(**given)
    talk.open()
    return reply(Heard(), talk, *body, **options)
