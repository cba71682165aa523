"""What can go wrong while voices are made."""

import json

import httpx2
import pytest

ENROL, DESIGN = "qwen-voice-enrollment", "qwen-voice-design"


def kept(service):
    return len(service.emulator.voices("sk-test"))


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("voice-lost", httpx2.RemoteProtocolError, "without sending a response"),
        ("voice-lost; reset=true", httpx2.ReadError, "reset"),
    ],
)
def test_lost_answers(service, fault, error, words):
    """A voice is made, and the connection is closed before there is a status."""
    with pytest.raises(error, match=words):
        service.clone(fault=fault)
    assert kept(service) == 1
    assert service.emulator.wait_for_end() == "cut"


def test_lost_refusals(service):
    """What was refused is answered: nothing was done that could be lost."""
    for fault in ("voice-lost", "voice-error", "voice-huge", "voice-bad-json"):
        assert service.clone(fault=fault, preferred_name="a b").status_code == 400


def test_slow_answers(service):
    """Who does not wait for a slow answer has a voice all the same."""
    service.emulator.fault("slow-start", seconds=30)
    with pytest.raises(httpx2.ReadTimeout):
        service.http.post(
            service.customization,
            json={
                "model": ENROL,
                "input": {
                    "action": "create",
                    "target_model": "qwen3-tts-vc-2026-01-22",
                    "audio": {"data": "https://example.org/a.wav"},
                },
            },
            headers={"authorization": "Bearer sk-test"},
            timeout=0.1,
        )
    assert service.emulator.wait_for_end() == "left"
    assert kept(service) == 1


@pytest.mark.parametrize(
    ("fault", "status", "voices"),
    [
        ("throttled", 429, 0),
        ("status", 500, 0),
        ("voice-error", 500, 1),
        ("voice-error; status=504; code=RequestTimeOut", 504, 1),
        ("empty-object; status=200", 200, 0),
        ("html", 502, 0),
        ("echo-key", 401, 0),
    ],
)
def test_errors_with_and_without_a_voice(service, fault, status, voices):
    """An error may come before a voice is made, or after."""
    assert service.clone(fault=fault).status_code == status
    assert kept(service) == voices


def test_cut_and_torn_answers(service):
    """The ways of sending are those of other answers."""
    with pytest.raises(httpx2.RemoteProtocolError):
        service.clone(fault="cut; at=20")
    assert service.clone(fault="torn; size=3").json()["output"]["voice"]


def test_vanished_voices(service):
    """A voice is gone as soon as it is made, or before it is looked for."""
    reply = service.design(fault="voice-vanished")
    assert reply.json()["output"]["voice"]
    assert kept(service) == 0
    for action in ("query", "delete"):
        voice = service.emulator.make_voice("qwen3-tts-vd-2026-01-26", "sk-test")
        reply = service.manage(DESIGN, action, voice=voice, fault="voice-vanished")
        assert reply.json()["code"] == "BadRequest.VoiceNotFound"
        assert service.manage(DESIGN, action, fault="voice-vanished").status_code == 400
    assert kept(service) == 0


def test_broken_answers(service):
    """The JSON may be broken, the preview no base64, the id left out; the voice is made."""
    reply = service.clone(fault="voice-bad-json")
    assert reply.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        reply.json()
    preview = service.design(fault="voice-bad-preview").json()["output"]["preview_audio"]
    assert (preview["data"], preview["response_format"]) == ("%%% no base64", "wav")
    assert service.clone(fault="voice-no-id").json()["output"].keys() == {"target_model"}
    assert kept(service) == 3


@pytest.mark.parametrize("declared", [True, False])
def test_huge_answers(service, declared):
    """An answer can be longer than anybody should read, and is JSON to its end."""
    fault = f"voice-huge; size=300000; declared={declared}"
    reply = service.manage(ENROL, "list", fault=fault)
    assert len(reply.content) == 300_000
    assert reply.content.endswith(b"  }")
    assert ("content-length" in reply.headers) is declared
    assert reply.json()["output"]["voice_list"] == []


def test_fallback(service):
    """Whether a voice was made in the degraded mode is told as wished, with a reason or not."""

    def told(fault):
        output = service.clone(fault=fault).json()["output"]
        return {key: value for key, value in output.items() if key.startswith("fallback")}

    assert told(None) == {}
    assert told("voice-fallback") == {
        "fallback_mode": True,
        "fallback_reason": "no_merged_segments",
    }
    assert told("voice-fallback; reason=no_valid_asr_segments")["fallback_reason"] == (
        "no_valid_asr_segments"
    )
    assert told('voice-fallback; reason=""') == {"fallback_mode": True}
    assert told("voice-fallback; mode=false") == {"fallback_mode": False}


def test_armed_for_an_action(service):
    """An armed fault waits for the requests it can be done to, and for an action if it says so."""
    service.emulator.fault("throttled", model=ENROL, action="list")
    service.emulator.fault("voice-fallback")
    assert service.ask().status_code == 200
    assert service.manage(DESIGN, "list").status_code == 200
    assert service.clone().json()["output"]["fallback_mode"] is True
    assert [service.manage(ENROL, "list").status_code for _ in range(2)] == [429, 200]
    armed = {"fault": "html", "action": "query"}
    reply = service.http.post(f"{service.root}/_emulator/faults", json=armed)
    assert reply.json()["waiting"][0]["action"] == "query"
    service.emulator.clear()
    for action in ("create_voice", 7):
        reply = service.http.post(
            f"{service.root}/_emulator/faults", json={"fault": "html", "action": action}
        )
        assert "create, list, query, delete" in reply.json()["error"]


def test_faults_of_something_else(service):
    """A fault that cannot be done to a request is refused, rather than ignored."""
    for reply, words in (
        (service.manage(ENROL, "list", fault="voice-fallback"), "is for create, not 'list'"),
        (service.manage(ENROL, "list", fault="no-stop"), "of the kind 'stream', not 'voices'"),
        (service.ask(headers={"x-emulator-fault": "voice-lost"}), "of the kind 'voices'"),
    ):
        assert (reply.status_code, reply.json()["code"]) == (400, "BadFault")
        assert words in reply.json()["message"]
