"""
Record tapes of cassettes/qwen with the vendor's own client, from the emulator.

    python tools/record_sdk_tapes.py

The client runs in a process of its own (plugins/qwen/integration/tests/sdk_driver.py) and says what
the contract kit says; the kit then plays the tapes to the plugin. Needs the dependency group sdk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from vivavoce_contract.case import KEY, Case, tape_name
from vivavoce_contract.contract import ProviderContract, completed, subject_of
from vivavoce_contract.tapes import Recorder
from vivavoce_qwen.tables import language_type
from vivavoce_qwen_emulator.testing import running_emulator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "cassettes" / "qwen"
DRIVER = ROOT / "plugins/qwen/integration/tests/sdk_driver.py"
MODELS = ("qwen3-tts-flash", "qwen-tts")


class Qwen(ProviderContract):
    """The contract of qwen, for its settings."""

    provider = "qwen"
    cassettes = FOLDER


def main() -> None:
    """Record a stream and a plain reply of each model."""
    subject = subject_of(completed(Qwen))
    with running_emulator() as emulator:
        for model in MODELS:
            case = Case(subject=subject, card=subject.registry.model(subject.info, model))
            for stream in (True, False):
                record(case, emulator.base_url, stream=stream)


def record(case: Case, upstream: str, *, stream: bool) -> None:
    """Record one call of the vendor's client."""
    name = "client-sdk" if stream else "client-sdk-plain"
    recorder = Recorder(
        upstream,
        provider="qwen",
        scenario=name,
        model=case.card.name,
        source={"name": "emulator of qwen", "driver": "dashscope 2.0.2"},
        match=case.subject.match,
        secrets=(KEY,),
    )
    call = {
        "entry": "new",
        "is_async": False,
        "arguments": {
            "api_key": KEY,
            "model": case.card.name,
            "text": case.scenario().text,
            "voice": case.card.default_voice,
            "language_type": language_type(None),
            "stream": stream,
        },
    }
    with recorder:
        done = subprocess.run(
            [sys.executable, DRIVER],
            input=json.dumps([call]),
            env={**os.environ, "DASHSCOPE_HTTP_BASE_URL": recorder.base_url},
            capture_output=True,
            text=True,
            check=True,
        )
    (told,) = json.loads(done.stdout)
    if told["status"] != 200:
        sys.exit(f"The client was refused: {told['code']}: {told['message']}")
    path = FOLDER / f"{tape_name(case.card.name, name)}.tape"
    recorder.tape().write(path)
    print(f"{path.name}: {len(recorder.tape().events)} events")


if __name__ == "__main__":
    main()
