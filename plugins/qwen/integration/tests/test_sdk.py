"""The vendor's own client drives the emulator, and hears what the plugin hears."""

import base64

import pytest

from vivavoce import VivavoceError

TEXT = "Hello there. 今天天气怎么样？"
ASKED = {"text": TEXT, "voice": "Cherry", "language_type": "Chinese"}
NEW = {"model": "qwen3-tts-flash", **ASKED}
OLD = {"model": "qwen-tts", **ASKED}


def audio(result):
    """Return what a result of the vendor's client brought: by events, or by its address."""
    return base64.b64decode(result["streamed"]), base64.b64decode(result["wav"])[44:]


@pytest.mark.slow
def test_the_audio_is_the_same(by_sdk, client):
    """All ways through the vendor's client, and all through ours, bring the same bytes."""
    results = by_sdk(
        ("new", False, NEW),
        ("new", False, {**NEW, "stream": True}),
        ("new", True, NEW),
        ("new", True, {**NEW, "stream": True}),
        ("old", False, OLD),
        ("old", False, {**OLD, "stream": True}),
    )
    for model, theirs in (("qwen3-tts-flash", results[:4]), ("qwen-tts", results[4:])):
        ours = client(f"{model}:Cherry")
        speech = ours.synthesize(TEXT, language="zh")
        plain = ours.synthesize(TEXT, language="zh", options={"transport": "http"})
        with ours.stream(TEXT, language="zh") as stream:
            streamed = b"".join(chunk.data for chunk in stream)
        assert speech.data == plain.data == streamed
        assert len(speech.data) > 48_000
        assert speech.format.sample_rate_hz == 24_000
        for result in theirs:
            assert (result["status"], result["code"]) == (200, "")
            by_events, by_address = audio(result)
            assert by_address == speech.data
            assert by_events in (b"", speech.data)
        assert audio(theirs[1])[0] == audio(theirs[-1])[0] == speech.data
        for unit, amount in speech.report.usage.items():
            assert theirs[0]["usage"][unit] == theirs[1]["usage"][unit] == amount


@pytest.mark.slow
def test_the_errors_are_the_same(by_sdk, client, emulator):
    """A refusal has the same status, code and message by the vendor's client and by ours."""
    calls = {
        "a voice of another model": ({**NEW, "voice": "Nobody"}, None),
        "a key that is none": ({**NEW, "api_key": "sk-wrong-1"}, {"api_key": "sk-wrong-1"}),
    }
    for told in by_sdk(*(("new", False, arguments) for arguments, _ in calls.values())):
        assert told["status"] in (400, 401)
        assert told["code"]
        assert told["request_id"]
    (refused,) = by_sdk(("new", False, calls["a key that is none"][0]))
    with pytest.raises(VivavoceError) as caught:
        client(api_key="sk-wrong-1").synthesize(TEXT)
    error = caught.value
    assert (error.status, error.code) == (refused["status"], refused["code"])
    assert refused["message"] in error.message
    assert error.request_id
    assert len(emulator.requests()) == 4
