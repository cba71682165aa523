"""
The emulator, recorded by the contract kit with both clients, plays without it.

Only here: the kit knows no provider.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vivavoce import AsyncClient, Client, Retry, Settings
from vivavoce_contract.tapes import Match, Player, Recorder, Tape
from vivavoce_contract.tapes.scrub import Policy
from vivavoce_qwen_emulator.testing import running_emulator

DRIVER = Path(__file__).with_name("sdk_driver.py")
TEXT = 'Hello "there".\n今天天气怎么样？ €'
SDK_ARGUMENTS = {
    "model": "qwen3-tts-flash",
    "text": TEXT,
    "voice": "Cherry",
    "language_type": "Chinese",
}
WAYS = ["http-sse", "http"]


def speak(base_url, key, way, face):
    """Return what our plugin makes of the text."""
    given = {
        "api_key": key,
        "base_url": base_url,
        "settings": Settings(),
        "retry": Retry(attempts=1),
    }
    wishes = {"language": "zh", "options": {"transport": way}}
    if face == "sync":
        with Client("qwen/qwen3-tts-flash:Cherry", **given) as client:
            return client.synthesize(TEXT, **wishes).data

    async def run():
        async with AsyncClient("qwen/qwen3-tts-flash:Cherry", **given) as client:
            return (await client.synthesize(TEXT, **wishes)).data

    return asyncio.run(run())


def by_sdk(base_url, key, *calls):
    """Return what the vendor's client makes of calls: (entry, is_async, arguments) each."""
    asked = [
        {"entry": entry, "is_async": is_async, "arguments": {"api_key": key, **arguments}}
        for entry, is_async, arguments in calls
    ]
    done = subprocess.run(
        [sys.executable, DRIVER],
        input=json.dumps(asked),
        env={**os.environ, "DASHSCOPE_HTTP_BASE_URL": base_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def record(tmp_path, key):
    """Return what *use* gives when it talks to an emulator, and the tape, read from a file."""

    def run(use, driver):
        with running_emulator(keys={"cn-beijing": (key,)}) as emulator:
            recorder = Recorder(
                emulator.base_url,
                provider="qwen",
                scenario="speak",
                model="qwen3-tts-flash",
                source={"name": "vivavoce-qwen-emulator", "driver": driver},
                secrets=[key],
                match=Match(body=("model", "input"), headers=("x-dashscope-sse",)),
                policy=Policy(headers=("x-dashscope-sse",), texts=("input.text",)),
                also=["*.aliyuncs.com"],
            )
            with recorder:
                said = use(recorder.base_url)
        assert recorder.failures == []
        path = tmp_path / "qwen.tape"
        recorder.tape().write(path, secrets=[key])
        written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
        assert key.encode() not in written
        return said, Tape.read(path)

    return run


def assert_clean(player):
    assert (player.differences, player.unplayed()) == ([], [])


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
def test_our_plugin_plays_what_it_recorded(record, key, way, face):
    """With the emulator gone our plugin hears the same audio, to the byte, in both faces."""
    said, tape = record(lambda url: speak(url, key, way, "sync"), "vivavoce-qwen")
    with Player(tape) as player:
        assert speak(player.base_url(tape), key, way, face) == said
        assert_clean(player)


@pytest.mark.slow
def test_the_vendors_client_plays_what_it_recorded(record, key):
    """With the emulator gone the vendor's client hears the same audio, to the byte."""

    def use(url):
        calls = (
            ("new", False, {**SDK_ARGUMENTS, "stream": True}),
            ("new", False, {**SDK_ARGUMENTS, "stream": False}),
            ("new", True, {**SDK_ARGUMENTS, "stream": True}),
        )
        return by_sdk(url, key, *calls)

    said, tape = record(use, "dashscope 2.0.2")
    assert all(base64.b64decode(one["wav"]) for one in said)
    with Player(tape) as player:
        assert use(player.base_url(tape)) == said
        assert_clean(player)


@pytest.mark.slow
def test_our_plugin_plays_what_the_vendors_client_recorded(record, key):
    """What the vendor's client has recorded our plugin hears as the same audio."""

    def use(url):
        arguments = {**SDK_ARGUMENTS, "stream": True}
        return by_sdk(url, key, ("new", False, arguments))

    (said,), tape = record(use, "dashscope 2.0.2")
    with Player(tape) as player:
        heard = speak(player.base_url(tape), key, "http-sse", "sync")
        assert heard == base64.b64decode(said["streamed"])
        assert player.differences == []
