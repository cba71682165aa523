import io
import re
import time
import uuid
import wave

import pytest

from vivavoce_qwen_emulator import Settings
from vivavoce_qwen_emulator.app import Emulator
from vivavoce_qwen_emulator.faults import Fault
from vivavoce_qwen_emulator.replies import Event
from vivavoce_qwen_emulator.script import Wait

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_plain_answer(service):
    """An answer in one piece has an address in place of audio, an expiry, usage and an id."""
    reply = service.ask()
    body = reply.json()
    audio = body["output"]["audio"]
    assert reply.status_code == 200
    assert body["output"]["finish_reason"] == "stop"
    assert audio["data"] == ""
    assert audio["url"].startswith(f"{service.root}/")
    assert pytest.approx(time.time() + 86_400, abs=60) == audio["expires_at"]
    assert audio["id"] == f"audio_{body['request_id']}"
    assert body["usage"] == {"characters": 12}
    assert UUID.fullmatch(body["request_id"])
    assert reply.headers["x-request-id"] == body["request_id"]


def test_each_request_has_its_own_id(service):
    """Two requests for the same have different ids."""
    assert len({service.ask().json()["request_id"] for _ in range(2)}) == 2


def test_finished_audio_is_wav(service):
    """The address gives mono 16-bit WAV at 24 kHz, whose sizes are right."""
    reply = service.wav()
    with wave.open(io.BytesIO(reply.content)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 24_000)
        assert len(reply.content) == 44 + 2 * wav.getnframes()
        samples = wav.readframes(wav.getnframes())
    assert len(samples) > 24_000  # half a second
    assert len(set(samples)) > 100


def test_framing_of_a_stream(service):
    """Each event is four lines without a space after the colons, and a blank one."""
    reply = service.ask(stream=True)
    assert reply.headers["content-type"] == "text/event-stream;charset=UTF-8"
    blocks = reply.text.split("\n\n")
    assert blocks.pop() == ""
    for number, block in enumerate(blocks, 1):
        start = f'id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{{"output":{{"audio":{{"data":"'
        assert block.startswith(start)
        assert block.count("\n") == 3


def test_events_of_a_stream(service):
    """The middle of a stream has audio and no address; the last event has the address alone."""
    *middle, last = service.stream()
    assert len(middle) > 5
    for data in middle:
        assert data["output"]["finish_reason"] == "null"
        assert "url" not in data["output"]["audio"]
        assert len(data["output"]["audio"]["data"]) > 0
    assert last["output"]["finish_reason"] == "stop"
    assert last["output"]["audio"]["data"] == ""
    assert last["output"]["audio"]["url"].startswith("http://")
    assert {data["request_id"] for data in middle} == {last["request_id"]}
    assert last["usage"] == {"characters": 12}


def test_stream_and_wav_are_the_same_audio(service):
    """The chunks of a stream are raw samples: those of the WAV, whoever asked for it."""
    stream = service.stream()
    wav = service.http.get(stream[-1]["output"]["audio"]["url"]).content
    assert service.pcm() == wav[44:] == service.wav().content[44:]


@pytest.mark.parametrize("chunk_bytes", [331, 4_800, 10_000_000])
def test_chunks_of_any_length(serve, service, chunk_bytes):
    """A chunk may be of any length, odd ones included; the audio is the same."""
    *chunks, last, stop = map(service.audio_in, serve(chunk_bytes=chunk_bytes).stream())
    assert {len(chunk) for chunk in chunks} <= {chunk_bytes}
    assert 0 < len(last) <= chunk_bytes
    assert stop == b""
    assert b"".join([*chunks, last]) == service.pcm()


@pytest.mark.parametrize(
    ("text", "billed"),
    [("Hello.", 6), ("你好。", 5), ("日本 and 汉字", 13), ("안녕하세요", 5)],
)
def test_usage_counts_han_twice(service, text, billed):
    """A Han character counts 2, any other 1."""
    assert service.ask(text=text, language_type="Auto").json()["usage"] == {"characters": billed}


def test_usage_in_tokens(service):
    """The oldest models are billed in tokens, 50 for each second of audio."""
    reply = service.ask(model="qwen-tts", text="Hello there. " * 9)
    wav = service.http.get(reply.json()["output"]["audio"]["url"]).content
    usage = reply.json()["usage"]
    tokens = usage["output_tokens"]
    assert 0 <= tokens - 50 * (len(wav) - 44) / 48_000 < 1
    assert usage["output_tokens_details"] == {"audio_tokens": tokens, "text_tokens": 0}
    assert usage["total_tokens"] == usage["input_tokens"] + tokens
    assert usage["input_tokens_details"] == {"text_tokens": usage["input_tokens"]}


def test_a_second_is_the_least(service):
    """Less than a second of audio is billed as one."""
    reply = service.ask(model="qwen-tts", text="Hi")
    assert reply.json()["usage"]["output_tokens"] == 50


@pytest.mark.parametrize("place", ["input", "parameters"])
def test_fields_in_either_place(service, place):
    """Everything but the text may stand in input or in parameters."""
    fields = {
        "voice": "Ethan",
        "language_type": "German",
        "instructions": "Speak slowly.",
        "optimize_instructions": True,
    }
    body = {"model": "qwen3-tts-instruct-flash", "input": {"text": "Guten Tag."}}
    body.setdefault(place, {}).update(fields)
    url = service.ask(body=body).json()["output"]["audio"]["url"]
    expected = service.wav(model=body["model"], text="Guten Tag.", **fields).content
    assert service.http.get(url).content == expected


def test_real_pace():
    """At the pace of playing, a chunk is followed by a wait as long as its audio."""
    events = [Event(number=number, payload={}) for number in (1, 2, 3)]
    for pace, waits in (("real", [0.25, 0.25]), ("full", [])):
        emulator = Emulator(Settings(pace=pace, chunk_bytes=12_000))
        steps = list(emulator._steps(events, Fault()))
        emulator.close()
        assert [step.seconds for step in steps if isinstance(step, Wait)] == waits
        assert sum(isinstance(step, bytes) for step in steps) == 3
        assert isinstance(steps[0], bytes)


def test_unknown_addresses(service):
    """What is not served is refused in the service's way."""
    reply = service.http.post(f"{service.emulator.base_url}/services/audio/asr/customization")
    assert (reply.status_code, reply.json()["code"]) == (404, "NotFound")
    assert uuid.UUID(reply.json()["request_id"])
