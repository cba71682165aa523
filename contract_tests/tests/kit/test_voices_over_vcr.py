"""
What makes voices is asked over another client than ours, answered by a cassette of vcrpy.

The tapes of qwen's voices are exported as cassettes, and its tasks are driven by httpx2, which
vcrpy answers: from a task's call to a request, and from a response to the reply it reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vivavoce import RequestRejected, VivavoceError
from vivavoce.authoring import (
    CloneRequest,
    DesignRequest,
    HttpCall,
    ProviderConfig,
    Reply,
    Secret,
    Task,
    VoiceCustomizer,
    VoiceOrigin,
)
from vivavoce_contract import ProviderContract
from vivavoce_contract.case import KEY, Case
from vivavoce_contract.contract import completed, subject_of
from vivavoce_contract.making import KINDS, ORIGINS, making_of
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.vcr import from_vcr, to_vcr

vcr: Any = pytest.importorskip("vcr")
httpx2: Any = pytest.importorskip("httpx2")

ORIGIN = "https://voices.example"
CASSETTES = Path(__file__).resolve().parents[3] / "cassettes"


@pytest.fixture(scope="module")
def qwen() -> Any:
    """Return the contract's subject."""
    contract = type("Qwen", (ProviderContract,), {"provider": "qwen"})
    return subject_of(completed(contract, CASSETTES.parent), CASSETTES.parent)


def said_by(case: Case, kind: str) -> CloneRequest | DesignRequest:
    """Return what the kit asks a customizer for, as core plans it."""
    from vivavoce import Client, Settings

    making = making_of(case, kind)
    settings = {"api_key": KEY, "settings": Settings(), "registry": case.subject.registry}
    with Client(case.selector, **settings) as client:
        plan = getattr(client.voices, f"explain_{kind}")(making.given, **making.wishes)
    request: CloneRequest | DesignRequest = plan.request
    return request


def tasks(maker: VoiceCustomizer, request: Any, kind: str, voice_id: str) -> Iterator[Task[Any]]:
    """Give the tasks of a voice's life in the order of the tape; qwen looks for clones in lists."""
    origin = ORIGINS[kind]

    def find() -> Task[Any]:
        return maker.get(voice_id, origin) or maker.list(origin, None)

    yield maker.clone(request) if kind == "clone" else maker.design(request)
    yield maker.list(origin, None)
    yield find()
    yield maker.delete(voice_id, origin)
    yield maker.delete(voice_id, origin)
    yield find()
    yield maker.list(origin, None)


def read(task: Task[Any], status: int, headers: Any, body: bytes) -> Any:
    """Return what a task makes of an answer."""
    lower = {name.lower(): value for name, value in headers.items()}
    reply = Reply(status=status, headers=lower, body=body)
    return task.receive(reply) if status < 300 else task.refused(reply)


def sent(client: Any, call: HttpCall) -> Any:
    """Send a task's call by httpx2 and return the response, whole."""
    headers = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in call.headers.items()
    }
    return client.request(call.method, call.url, headers=headers, content=call.body)


def is_asked_alike(one: Any, other: Any) -> None:
    """Compare what is asked, but for the recording, which is on no tape."""
    said, asked = (json.loads(request.body) for request in (one, other))
    for plain in (said, asked):
        plain["input"].pop("audio", None)
    assert said == asked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_a_voice_lives_on_a_cassette(qwen: Any, kind: str, ending: str, tmp_path: Path) -> None:
    """By httpx2 and vcrpy each task of a voice's life has the result it has on the tape."""
    name = {"clone": "qwen3-tts-vc-2026-01-22", "design": "qwen3-tts-vd-2026-01-26"}[kind]
    case = Case(subject=qwen, card=qwen.registry.model(qwen.info, name))
    tape: Tape = case.tape(kind)
    path = tmp_path / f"voices.{ending}"
    to_vcr(tape, path, origin=ORIGIN)
    request = said_by(case, kind)
    config = ProviderConfig(credential=Secret(KEY), base_url=ORIGIN + tape.header.base_path)
    maker = case.customizer.load_customizer()(config)  # type: ignore[union-attr]
    exchanges = tape.exchanges()
    made = read(
        next(tasks(maker, request, kind, "")),
        exchanges[0].response.status,  # type: ignore[union-attr]
        dict(exchanges[0].response.headers),  # type: ignore[union-attr]
        exchanges[0].body,
    )
    lives = list(tasks(maker, request, kind, made.voice.id))
    assert len(exchanges) == len(lives)
    recorder = vcr.VCR(record_mode="none", serializer=ending)
    recorder.register_matcher("asked", is_asked_alike)
    with (
        recorder.use_cassette(str(path), match_on=["method", "uri", "asked"]) as cassette,
        httpx2.Client() as client,
    ):
        for task, exchange in zip(lives, exchanges, strict=True):
            call = task.open()
            assert isinstance(call, HttpCall)
            response = sent(client, call)
            head = exchange.response
            assert head is not None
            assert response.content == exchange.body
            got = read(task, response.status_code, response.headers, response.content)
            assert got == read(task, head.status, dict(head.headers), exchange.body)
        assert cassette.all_played
    assert made.voice.origin is ORIGINS[kind]
    assert bool(made.preview) is (ORIGINS[kind] is VoiceOrigin.DESIGNED)


def test_a_refusal_comes_from_a_cassette(qwen: Any, tmp_path: Path) -> None:
    """A documented refusal is the same error over httpx2 and vcrpy, with its code and id."""
    tape = qwen.library.get("voices-error-clone-Audio.DecoderError")
    path = tmp_path / "refused.yaml"
    to_vcr(tape, path, origin=ORIGIN)
    assert from_vcr(path).exchanges()[0].body == tape.exchanges()[0].body
    case = Case(subject=qwen, card=qwen.registry.model(qwen.info, "qwen3-tts-vc-2026-01-22"))
    config = ProviderConfig(credential=Secret(KEY), base_url=ORIGIN + tape.header.base_path)
    maker = case.customizer.load_customizer()(config)  # type: ignore[union-attr]
    task = maker.clone(said_by(case, "clone"))
    with (
        vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri"]),
        httpx2.Client() as client,
    ):
        call = task.open()
        assert isinstance(call, HttpCall)
        response = sent(client, call)
    with pytest.raises(VivavoceError) as caught:
        read(task, response.status_code, response.headers, response.content)
    assert type(caught.value) is RequestRejected
    assert caught.value.code == tape.header.expects["code"]
    assert caught.value.request_id == tape.header.expects["request_id"]
