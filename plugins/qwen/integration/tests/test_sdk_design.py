"""
The vendor's own client designs, lists, reads and deletes voices at the emulator.

Of cloning it has nothing for these models: its class for that speaks another family's dialect.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vivavoce import Client, Settings
from vivavoce_qwen_emulator.testing import running_emulator

DRIVER = Path(__file__).with_name("sdk_design_driver.py")
VD = "qwen3-tts-vd-2026-01-26"
TEXT = "Good morning to all of you."
DESIGNED = {
    "target_model": VD,
    "voice_prompt": "A calm old man, as on the radio.",
    "preview_text": TEXT,
    "preferred_name": "teller",
    "language": "en",
    "parameters": {"sample_rate": 24_000, "response_format": "wav"},
}
MISSING = "qwen-tts-vd-nobody-voice-20260101000000000-0a1b"

REASONS = {
    "header user-agent": "each says who it is",
    "header x-dashscope-sdk-client": "statistics of the vendor's client, which we do not pose as",
    "header x-dashscope-sdk-session-id": "likewise",
    "header accept": "JSON is what is asked for, and the one thing that is read",
    "header accept-encoding": "as in all our calls, which mostly bring audio",
    "header connection": "keeping a connection is what HTTP/1.1 does unasked",
    "header content-length": "follows from the body",
    "body input.page_size": "a page of 10 by default; we read a hundred at once",
}


GOOD = [
    ("create", DESIGNED),
    ("list", {}),
    ("get", {"voice": "{voice}"}),
    ("create", DESIGNED),
    ("delete", {"voice": "{voice}"}),
    ("delete", {"voice": "{voice}"}),
]
BAD = [
    ("create", {**DESIGNED, "preferred_name": "no hyphen-s"}),
    ("create", DESIGNED),
    ("get", {"voice": MISSING}),
]
FOREIGN = [("list", {})]


@pytest.fixture(scope="module")
def design_run(tmp_path_factory):
    """Return an emulator at which the vendor's client was, and what came of all its calls."""
    key, keys = "sk-canary-4711-fedcba", {"ap-southeast-1": ["sk-south"]}
    with (
        running_emulator(keys=keys) as emulator,
        running_emulator(missing_voice="code", voice_quota=0) as full,
    ):
        asked = [
            {"base_url": emulator.base_url, "api_key": key, "calls": GOOD},
            {"base_url": full.base_url, "api_key": key, "calls": BAD},
            {"base_url": emulator.base_url, "api_key": "sk-south", "calls": FOREIGN},
        ]
        done = subprocess.run(
            [sys.executable, "-W", "ignore::FutureWarning", DRIVER],
            input=json.dumps(asked),
            # Whoever runs this may have settings of the vendor's client.
            env={**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        yield emulator, key, json.loads(done.stdout)


@pytest.fixture
def client_here(design_run, tmp_path):
    """A client of ours at the same emulator."""
    emulator, key, _ = design_run
    settings = Settings(voice_book=tmp_path / "voices.toml")
    with Client(f"qwen/{VD}", api_key=key, base_url=emulator.base_url, settings=settings) as ours:
        yield ours


@pytest.mark.slow
def test_all_actions(design_run, client_here):
    """A voice is made, listed, read, spoken with and deleted, and then it is not found."""
    emulator, key, (results, _, _) = design_run
    created, listed, read, other, deleted, gone = results
    voice = created["voice"]
    assert voice in emulator.voices(key)
    assert other["voice"] not in emulator.voices(key)
    assert (created["target_model"], created["request_id"] != "") == (VD, True)
    preview = base64.b64decode(created["preview_audio"]["data"])
    assert client_here.synthesize(TEXT, voice=voice, language="en").data == preview[44:]
    (row,) = listed["voices"]
    assert row == {
        "voice": voice,
        "target_model": VD,
        "language": "en",
        "voice_prompt": DESIGNED["voice_prompt"],
        "preview_text": TEXT,
        "gmt_create": row["gmt_create"],
        "gmt_modified": row["gmt_modified"],
    }
    assert {name: read[name] for name in ("voice", "target_model", "language")} == {
        "voice": voice,
        "target_model": VD,
        "language": "en",
    }
    assert deleted["is_error"] is False
    assert (gone["status"], gone["code"]) == (400, "BadRequest.VoiceNotFound")
    assert gone["request_id"]


@pytest.mark.slow
def test_errors(design_run):
    """What is refused reaches the caller with status, code and message, in both forms."""
    _, _, (_, (wrong, full, missing), (foreign,)) = design_run
    assert (wrong["status"], wrong["code"]) == (400, "InvalidParameter")
    assert "preferred_name" in wrong["message"]
    assert (full["status"], full["code"]) == (429, "Throttling.AllocationQuota")
    assert missing["code"] == "VoiceNotFound"
    assert (foreign["status"], foreign["code"]) == (401, "InvalidApiKey")


def fields(received):
    """Return every field of a request by its place."""
    found = {"line": (received.method, received.path, received.query)}
    found |= {f"header {name}": value for name, value in received.headers}
    for name, value in received.body.items():
        inner = value if isinstance(value, dict) else {"": value}
        found |= {f"body {name}.{key}".removesuffix("."): each for key, each in inner.items()}
    return found


@pytest.mark.slow
def test_the_requests_are_the_same(design_run, client_here):
    """The vendor's client and ours ask the same; each difference has a reason, each is needed."""
    emulator, _, (results, _, _) = design_run
    voice = results[0]["voice"]
    theirs = [one for one in emulator.requests() if one.header("x-dashscope-sdk-client")]
    voices = client_here.voices
    voices.design(
        DESIGNED["voice_prompt"],
        preview_text=TEXT,
        name="teller",
        target_model=VD,
        language="en",
        format="wav",
        sample_rate_hz=24_000,
    )
    list(voices.list(origin="designed"))
    voices.get(voice)
    voices.delete(results[3]["voice"], origin="designed")
    ours = {
        one.body["input"]["action"]: fields(one)
        for one in reversed(emulator.requests())
        if not one.header("x-dashscope-sdk-client") and one.path.endswith("/customization")
    }
    found = {}
    # Of two that are alike the first: it is about the same voice.
    for one in theirs[:3] + theirs[4:5]:
        action, sent = one.body["input"]["action"], fields(one)
        for name in sent.keys() | ours[action].keys():
            here, there = sent.get(name), ours[action].get(name)
            if here != there:
                assert name in REASONS, f"{action}: {name}: {here!r} by theirs, {there!r}"
                found[name] = action
    assert sorted(found) == sorted(REASONS), "a reason for a difference that is no longer there"
