import base64
import io
import json
import wave
from array import array
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlencode

import httpx2
import pytest
from websockets.sync.client import connect

from vivavoce_qwen_emulator.testing import running_emulator

VC = "qwen3-tts-vc-2026-01-22"
VD = "qwen3-tts-vd-2026-01-26"


def read_events(text):
    """Return the events in *text*, read without any tolerance."""
    assert text.endswith("\n\n")
    events = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        number, name, status, data = block.split("\n")
        assert number.startswith("id:")
        assert name.startswith("event:")
        assert status.startswith(":HTTP_STATUS/")
        assert data.startswith("data:{")
        events.append(
            {
                "number": int(number[3:]),
                "name": name[6:],
                "status": int(status[13:]),
                "data": json.loads(data[5:]),
            }
        )
    return events


def audio_in(data):
    return base64.b64decode(data["output"]["audio"]["data"], validate=True)


def tone(seconds=4.0, rate_hz=24_000, peak=8_000, channels=1):
    """Return 16-bit samples of a square wave, which for the emulator is speech."""
    half = array("h", [peak] * 60 * channels + [-peak] * 60 * channels)
    return (half.tobytes() * (int(seconds * rate_hz) // 120 + 1))[
        : int(seconds * rate_hz) * 2 * channels
    ]


def wav(samples, rate_hz=24_000, channels=1, width=2):
    """Return a WAV of *samples*."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setparams((channels, width, rate_hz, 0, "NONE", ""))
        sound.writeframes(samples)
    return made.getvalue()


def data_url(raw, kind="audio/wav"):
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def recording(*args, **given):
    """Return a recording that a voice can be cloned from, as a data URL."""
    return data_url(wav(tone(*args, **given)))


class Talk:
    """One session by a bare WebSocket, which checks what every event must be."""

    def __init__(self, socket):
        self.socket = socket
        self.seen = set()
        self._numbers = count(1)

    def say(self, kind, **fields):
        """Send an event."""
        self.socket.send(
            json.dumps({"event_id": f"event_{next(self._numbers)}", "type": kind} | fields)
        )

    def update(self, **session):
        self.say("session.update", session={"voice": "Cherry"} | session)

    def append(self, text):
        self.say("input_text_buffer.append", text=text)

    def commit(self):
        self.say("input_text_buffer.commit")

    def clear(self):
        self.say("input_text_buffer.clear")

    def cancel(self):
        self.say("response.cancel")

    def finish(self):
        self.say("session.finish")

    def hear(self):
        """Return the next event."""
        event = json.loads(self.socket.recv(timeout=5))
        assert event["event_id"] not in self.seen
        self.seen.add(event["event_id"])
        return event

    def until(self, kind, times=1):
        """Return the events up to that of a kind, or up to the nth of that kind."""
        events = []
        while [event["type"] for event in events].count(kind) < times:
            events.append(self.hear())
        return events

    def is_quiet(self, seconds=0.05):
        """Return whether nothing comes for a while."""
        try:
            self.socket.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False


def kinds(events):
    """Return the types of events, several deltas in a row as one."""
    found = [event["type"] for event in events]
    return [
        kind
        for kind, before in zip(found, [None, *found], strict=False)
        if (kind, before) != ("response.audio.delta",) * 2
    ]


def deltas(events):
    """Return the audio in events."""
    return [
        base64.b64decode(event["delta"], validate=True)
        for event in events
        if event["type"] == "response.audio.delta"
    ]


def dones(events):
    """Return the responses that are done."""
    return [event["response"] for event in events if event["type"] == "response.done"]


class Service:
    """An emulator and a plain client of it."""

    read_events = staticmethod(read_events)
    audio_in = staticmethod(audio_in)

    def __init__(self, emulator, http):
        self.emulator = emulator
        self.http = http
        self.synthesis = f"{emulator.base_url}/services/aigc/multimodal-generation/generation"
        self.customization = f"{emulator.base_url}/services/audio/tts/customization"
        self.root = emulator.base_url.removesuffix("/api/v1")

    def ask(self, *, stream=False, headers=None, body=None, model="qwen3-tts-flash", **given):
        """Ask for speech; None leaves a field out."""
        words = {"text": "Hello there.", "voice": "Cherry", "language_type": "English"} | given
        words = {name: value for name, value in words.items() if value is not None}
        sent = {"authorization": "Bearer sk-test"}
        if stream:
            sent["x-dashscope-sse"] = "enable"
        sent = {k: v for k, v in (sent | (headers or {})).items() if v is not None}
        if body is None:
            body = {"model": model, "input": words}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(self.synthesis, content=content, headers=sent)

    def manage(self, model, action, *, key="sk-test", parameters=None, fault=None, **given):
        """Ask for something to be done with voices; None leaves a field out."""
        words = {"action": action} | given
        body = {"model": model, "input": {k: v for k, v in words.items() if v is not None}}
        if parameters is not None:
            body["parameters"] = parameters
        headers = {"authorization": f"Bearer {key}"}
        if fault is not None:
            headers["x-emulator-fault"] = fault
        # Escaped to ASCII: a text may hold half of a surrogate pair.
        content = json.dumps(body).encode()
        return self.http.post(self.customization, content=content, headers=headers)

    def clone(self, **given):
        """Ask for a cloned voice."""
        words = {"target_model": VC, "preferred_name": "ann", "audio": {"data": recording()}}
        return self.manage("qwen-voice-enrollment", "create", **(words | given))

    def design(self, **given):
        """Ask for a designed voice."""
        words = {
            "target_model": VD,
            "preferred_name": "bob",
            "voice_prompt": "A calm old man.",
            "preview_text": "Good morning to all of you.",
            "language": "en",
        }
        return self.manage("qwen-voice-design", "create", **(words | given))

    tone = staticmethod(tone)
    wav_of = staticmethod(wav)
    data_url = staticmethod(data_url)
    recording = staticmethod(recording)
    kinds = staticmethod(kinds)
    deltas = staticmethod(deltas)
    dones = staticmethod(dones)

    @contextmanager
    def talk(self, model="qwen3-tts-flash-realtime", *, key="sk-test", fault=None, **options):
        """Hold a session."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        if fault is not None:
            headers["X-Emulator-Fault"] = fault
        with connect(
            f"{self.emulator.ws_url}?{urlencode({'model': model})}",
            additional_headers=headers,
            proxy=None,
            compression=None,
            max_size=None,
            **options,
        ) as socket:
            yield Talk(socket)

    def stream(self, **given):
        """Return the data of each event of a stream."""
        return [event["data"] for event in read_events(self.ask(stream=True, **given).text)]

    def pcm(self, **given):
        """Return the audio of a stream, put together."""
        return b"".join(map(audio_in, self.stream(**given)))

    def wav(self, **given):
        """Return the finished audio of an answer in one piece."""
        return self.http.get(self.ask(**given).json()["output"]["audio"]["url"])


@pytest.fixture(scope="session")
def shared_service():
    with running_emulator() as emulator, httpx2.Client(timeout=30) as http:
        yield Service(emulator, http)


@pytest.fixture
def service(shared_service):
    """A service as it is without any settings: nothing armed, nothing received, no voice made."""
    shared_service.emulator.clear()
    shared_service.emulator.forget_voices()
    return shared_service


@pytest.fixture
def serve():
    """Return a function that starts a service with settings."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**settings):
            http = stack.enter_context(httpx2.Client(timeout=30))
            return Service(stack.enter_context(running_emulator(**settings)), http)

        yield start
