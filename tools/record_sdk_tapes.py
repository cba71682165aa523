"""
Record tapes of cassettes/qwen with the vendor's own client, from the emulator.

    python tools/record_sdk_tapes.py

The client runs in a process of its own (sdk_driver.py and sdk_realtime_driver.py in
plugins/qwen/integration/tests) and says what the contract kit says; the kit then plays the tapes to
the plugin. Needs the dependency group sdk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from vivavoce.authoring import ProviderConfig, Secret
from vivavoce_contract.case import KEY, Case, tape_name
from vivavoce_contract.contract import ProviderContract, completed, subject_of
from vivavoce_contract.tapes import Recorder
from vivavoce_contract.tapes.scrub import Policy
from vivavoce_qwen.realtime import realtime_url
from vivavoce_qwen.tables import language_type
from vivavoce_qwen_emulator.testing import running_emulator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "cassettes" / "qwen"
DRIVERS = ROOT / "plugins/qwen/integration/tests"
MODELS = ("qwen3-tts-flash", "qwen-tts")
REALTIME_MODELS = ("qwen3-tts-flash-realtime", "qwen-tts-realtime")


class Qwen(ProviderContract):
    """The contract of qwen, for its settings."""

    provider = "qwen"
    cassettes = FOLDER


def main() -> None:
    """Record a stream and a plain reply of each model, and both modes of each realtime model."""
    subject = subject_of(completed(Qwen))
    with running_emulator() as emulator:
        for model in MODELS:
            case = Case(subject=subject, card=subject.registry.model(subject.info, model))
            for stream in (True, False):
                record(case, emulator.base_url, stream=stream)
        for model in REALTIME_MODELS:
            case = Case(subject=subject, card=subject.registry.model(subject.info, model))
            for mode in ("server_commit", "commit"):
                record_session(case, emulator.base_url, mode=mode)


def recorder_of(case: Case, name: str, upstream: str) -> Recorder:
    """Return what records the vendor's client."""
    return Recorder(
        upstream,
        provider="qwen",
        scenario=name,
        model=case.card.name,
        source={"name": "emulator of qwen", "driver": "dashscope 2.0.2"},
        match=case.subject.match,
        secrets=(KEY,),
        policy=Policy(texts=case.subject.not_keys),
    )


def driven(driver: str, call: dict[str, object], **environment: str) -> dict[str, object]:
    """Return what the vendor's client tells of one call."""
    done = subprocess.run(
        [sys.executable, DRIVERS / driver],
        input=json.dumps([call]),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    (told,) = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def keep(recorder: Recorder, case: Case, name: str) -> None:
    """Write the tape."""
    path = FOLDER / f"{tape_name(case.card.name, name)}.tape"
    recorder.tape().write(path)
    print(f"{path.name}: {len(recorder.tape().events)} events")


def record(case: Case, upstream: str, *, stream: bool) -> None:
    """Record one call of the vendor's client."""
    name = "client-sdk" if stream else "client-sdk-plain"
    recorder = recorder_of(case, name, upstream)
    call: dict[str, object] = {
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
        told = driven("sdk_driver.py", call, DASHSCOPE_HTTP_BASE_URL=recorder.base_url)
    if told["status"] != 200:
        sys.exit(f"The client was refused: {told['code']}: {told['message']}")
    keep(recorder, case, name)


def record_session(case: Case, upstream: str, *, mode: str) -> None:
    """Record one session of the vendor's client, in which a text is given at once."""
    name = "client-sdk" if mode == "server_commit" else f"client-sdk-{mode}"
    recorder = recorder_of(case, name, upstream)
    commit = [["commit"]] if mode == "commit" else []
    with recorder:
        config = ProviderConfig(credential=Secret(KEY), base_url=recorder.base_url)
        call: dict[str, object] = {
            "url": realtime_url(config),
            "api_key": KEY,
            "model": case.card.name,
            "update": {
                "voice": case.card.default_voice,
                "mode": mode,
                "language_type": language_type(None),
            },
            "steps": [
                ["append", case.scenario().text],
                *commit,
                ["finish"],
                ["await", "session.finished", 1],
            ],
        }
        driven("sdk_realtime_driver.py", call)
    keep(recorder, case, name)


if __name__ == "__main__":
    main()
