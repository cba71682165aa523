import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vivavoce import Client, Retry, Settings
from vivavoce_qwen_emulator.testing import running_emulator

KEY = "sk-canary-0815-abcdef"
DRIVER = Path(__file__).with_name("sdk_driver.py")


@pytest.fixture(scope="session")
def running():
    with running_emulator(keys={"cn-beijing": (KEY,)}) as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    """An emulator that has received nothing, has no fault armed, and has made no voice."""
    running.clear()
    running.forget_voices()
    yield running
    running.clear()


@pytest.fixture
def key():
    """The one key that the emulator accepts."""
    return KEY


@pytest.fixture
def by_sdk(emulator):
    """Return what the vendor's client makes of calls: (entry, is_async, arguments) each."""

    def run(*calls):
        asked = [
            {"entry": entry, "is_async": is_async, "arguments": {"api_key": KEY, **arguments}}
            for entry, is_async, arguments in calls
        ]
        done = subprocess.run(
            [sys.executable, DRIVER],
            input=json.dumps(asked),
            env={**os.environ, "DASHSCOPE_HTTP_BASE_URL": emulator.base_url},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def client(emulator):
    """A client for a model, of the sync face; closed after the test."""
    made = []

    def make(model="qwen3-tts-flash:Cherry", **values):
        values = {
            "api_key": KEY,
            "base_url": emulator.base_url,
            "settings": Settings(),
            "retry": Retry(attempts=1),
            **values,
        }
        made.append(Client(f"qwen/{model}", **values))
        return made[-1]

    yield make
    for one in made:
        one.close()
