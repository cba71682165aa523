"""The vendor's own client holds realtime sessions with the emulator."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("sdk_realtime_driver.py")
MODEL = "qwen3-tts-flash-realtime"
# One text has a quote and two scripts, so that escapes are seen to be undone.
ONE, TWO = 'Hello "there", 今天天气怎么样？', "How are you?"
VOICE = {"voice": "Ethan", "language_type": "Chinese"}
# What the vendor's client adds to each update by itself.
USUAL = {"response_format": "pcm", "sample_rate": 24_000}
DONE = ["await", "response.done", 1]
LAST = ["await", "session.finished", 1]
RESPONSE = [
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.audio.delta",
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


@pytest.fixture
def by_sdk_realtime(emulator, key):
    """Return what the vendor's client makes of sessions: (arguments of the update, steps) each."""

    def run(*sessions, model=MODEL):
        asked = [
            {
                "url": emulator.ws_url,
                "api_key": key,
                "model": model,
                "update": update,
                "steps": steps,
            }
            for update, steps in sessions
        ]
        done = subprocess.run(
            [sys.executable, DRIVER],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def over_http(client):
    """Return what a text becomes over HTTP, in the voice of these tests."""

    def speak(text):
        speech = client("qwen3-tts-flash:Ethan").synthesize(
            text, language="zh", options={"transport": "http"}
        )
        return speech.data

    return speak


def kinds(result):
    """Return the types of the events, several deltas in a row as one."""
    found = [event["type"] for event in result["events"]]
    return [
        kind
        for kind, before in zip(found, [None, *found], strict=False)
        if (kind, before) != ("response.audio.delta",) * 2
    ]


def audio(result):
    """Return the audio of each response, in order."""
    spoken = {}
    for event in result["events"]:
        if event["type"] == "response.created":
            spoken[event["response"]["id"]] = b""
        elif event["type"] == "response.audio.delta":
            spoken[event["response_id"]] += base64.b64decode(event["delta"], validate=True)
    return list(spoken.values())


def sent(received):
    """Return the messages as received, without their ids, which are of the documented form."""
    ids = [message.pop("event_id") for message in received.messages]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("event_[0-9a-f]{32}", event_id) for event_id in ids)
    return received.messages


def append(text):
    return {"type": "input_text_buffer.append", "text": text}


@pytest.mark.slow
def test_both_modes(emulator, by_sdk_realtime, over_http):
    """Each committed text, and each sentence in server_commit, sounds as it does over HTTP."""
    commit, server_commit = by_sdk_realtime(
        (
            {**VOICE, "mode": "commit"},
            [
                ["append", ONE],
                ["commit"],
                DONE,
                ["append", "How are"],
                ["append", " you?"],
                ["commit"],
                ["finish"],
                LAST,
            ],
        ),
        (
            {**VOICE, "mode": "server_commit"},
            [["append", f"{ONE} How"], DONE, ["append", " are you?"], ["finish"], LAST],
        ),
    )
    expected = [over_http(ONE), over_http(TWO)]
    assert audio(commit) == audio(server_commit) == expected
    assert min(map(len, expected)) > 24_000

    beginning = ["session.created", "session.updated"]
    committed = ["input_text_buffer.committed", *RESPONSE]
    assert kinds(commit) == [*beginning, *committed, *committed, "session.finished"]
    assert kinds(server_commit) == [*beginning, *RESPONSE, *RESPONSE, "session.finished"]

    sessions = [one for one in emulator.requests() if one.path.startswith("/api-ws/")]
    assert emulator.wait_for_end(1) == "complete"
    for result, received in zip((commit, server_commit), sessions, strict=True):
        created, *_, done, finished = result["events"]
        assert result["session_id"] == created["session"]["id"]
        assert result["last_response_id"] == done["response"]["id"]
        assert result["last_message"] == finished
        assert len({event["event_id"] for event in result["events"]}) == len(result["events"])
        assert (received.query, received.status) == ({"model": MODEL}, 101)
        assert received.header("authorization") == "Bearer ***"
        assert received.ended == "complete"

    first, second = map(sent, sessions)
    end = {"type": "session.finish"}
    confirmation = {"type": "input_text_buffer.commit"}
    assert first == [
        {"type": "session.update", "session": {**VOICE, **USUAL, "mode": "commit"}},
        append(ONE),
        confirmation,
        append("How are"),
        append(" you?"),
        confirmation,
        end,
    ]
    assert second == [
        {"type": "session.update", "session": {**VOICE, **USUAL, "mode": "server_commit"}},
        append(f"{ONE} How"),
        append(" are you?"),
        end,
    ]


@pytest.mark.slow
def test_every_setting(emulator, by_sdk_realtime):
    """Every setting of the vendor's client is one that the emulator takes and tells back."""
    settings = {
        "mode": "commit",
        "sample_rate": 16_000,
        "volume": 60,
        "speech_rate": 1.2,
        "pitch_rate": 0.9,
        "bit_rate": 64,
        "language_type": "Auto",
        "enable_tn": True,
        "instructions": "Fast, please.",
        "optimize_instructions": False,
    }
    (result,) = by_sdk_realtime(
        (
            {"voice": "Cherry", "audio_format": "opus", **settings},
            [["append", TWO], ["commit"], ["finish"], LAST],
        ),
        model="qwen3-tts-instruct-flash-realtime",
    )
    set_to = {"voice": "Cherry", "response_format": "opus", **settings}
    (received,) = emulator.requests()
    assert sent(received)[0]["session"] == set_to
    told = result["events"][1]["session"]
    assert set_to | {"language_type": "auto"} == {name: told[name] for name in set_to}
    assert audio(result)[0].startswith(b"OggS")


@pytest.mark.slow
def test_clear_and_cancel(emulator, by_sdk_realtime):
    """What the vendor's client clears is not spoken, and what it cancels is not finished."""
    emulator.fault("ws-slow", seconds=0, after=2)
    (result,) = by_sdk_realtime(
        (
            {**VOICE, "mode": "commit"},
            [
                ["append", "Never mind."],
                ["clear"],
                ["append", ONE],
                ["commit"],
                ["await", "response.audio.delta", 2],
                ["cancel"],
                DONE,
                ["finish"],
                LAST,
            ],
        ),
    )
    assert kinds(result).count("input_text_buffer.cleared") == 1
    (done,) = [event["response"] for event in result["events"] if event["type"] == "response.done"]
    assert (done["status"], len(audio(result)[0])) == ("incomplete", 9_600)
    said = [message["type"] for message in emulator.requests()[0].messages]
    assert said[-2:] == ["response.cancel", "session.finish"]
