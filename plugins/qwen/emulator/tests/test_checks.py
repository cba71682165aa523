import pytest

from vivavoce_qwen_emulator.checks import estimate_tokens

TEXT_TOO_LONG = "Range of input length should be [0, 600]"
CLONED = "qwen-tts-vc-ann-voice-20260101120000000-ab12"


@pytest.mark.parametrize(
    ("asked", "status", "code", "message"),
    [
        pytest.param(
            {"headers": {"authorization": None}}, 401, "InvalidApiKey", "key", id="no key"
        ),
        pytest.param(
            {"headers": {"authorization": "Bearer"}}, 401, "InvalidApiKey", "key", id="empty key"
        ),
        pytest.param(
            {"headers": {"authorization": "sk-x"}}, 401, "InvalidApiKey", "key", id="no bearer"
        ),
        pytest.param(
            {"headers": {"authorization": "Basic sk-x"}}, 401, "InvalidApiKey", "key", id="basic"
        ),
        pytest.param(
            {"headers": {"x-dashscope-async": "enable"}}, 403, "AccessDenied", "async", id="async"
        ),
        pytest.param({"body": b"{"}, 400, "InvalidParameter", "JSON", id="bad JSON"),
        pytest.param({"body": b"\xff"}, 400, "InvalidParameter", "JSON", id="no UTF-8"),
        pytest.param({"body": b"[]"}, 400, "InvalidParameter", "JSON", id="no object"),
        pytest.param({"body": {"input": {}}}, 400, "InvalidParameter", "'model'", id="no model"),
        pytest.param(
            {"body": {"model": "qwen3-tts-flash"}},
            400,
            "InvalidParameter",
            "'input'",
            id="no input",
        ),
        pytest.param({"model": "qwen9"}, 404, "ModelNotFound", "'qwen9'", id="unknown model"),
        pytest.param(
            {"model": "qwen3-tts-flash-realtime"},
            400,
            "InvalidParameter",
            "url error, please check url",
            id="realtime model",
        ),
        pytest.param({"text": None}, 400, "InvalidParameter", "'input.text'", id="no text"),
        pytest.param({"text": 7}, 400, "InvalidParameter", "'input.text'", id="text is a number"),
        pytest.param({"voice": None}, 400, "InvalidParameter", "'input.voice'", id="no voice"),
        pytest.param(
            {"voice": "Ann"}, 400, "InvalidParameter", "Invalid voice specified", id="unknown voice"
        ),
        pytest.param(
            {"voice": "cherry"}, 400, "InvalidParameter", "Invalid voice specified", id="case"
        ),
        pytest.param(
            {"model": "qwen3-tts-instruct-flash", "voice": "Jennifer"},
            400,
            "InvalidParameter",
            "Invalid voice specified",
            id="voice of another model",
        ),
        pytest.param(
            {"model": "qwen3-tts-vc-2026-01-22"},
            400,
            "InvalidParameter",
            "Invalid voice specified",
            id="system voice on vc",
        ),
        pytest.param(
            {"model": "qwen3-tts-vd-2026-01-26", "voice": CLONED},
            400,
            "InvalidParameter",
            "Invalid voice specified",
            id="cloned voice on vd",
        ),
        pytest.param(
            {"model": "qwen3-tts-vc-2026-01-22", "voice": CLONED},
            400,
            "InvalidParameter",
            "Invalid voice specified, the requested voice does not exist or is not licensed",
            id="cloned voice that there is not",
        ),
        pytest.param(
            {"model": "qwen-voice-enrollment"},
            400,
            "InvalidParameter",
            "url error, please check url",
            id="model that makes voices",
        ),
        pytest.param(
            {"voice": CLONED},
            400,
            "InvalidParameter",
            "Invalid voice specified",
            id="cloned voice on flash",
        ),
        pytest.param({"text": "a" * 601}, 400, "InvalidParameter", TEXT_TOO_LONG, id="long text"),
        pytest.param(
            {"model": "qwen-tts", "text": "好" * 513, "language_type": "Chinese"},
            400,
            "InvalidParameter",
            "[0, 512]",
            id="too many tokens",
        ),
        pytest.param(
            {"text": " …!\u200b"},
            400,
            "InvalidParameter",
            "Please ensure input text is valid.",
            id="nothing to say",
        ),
        pytest.param(
            {"text": "\ud800a"},
            400,
            "InvalidParameter",
            "Please ensure input text is valid.",
            id="half a character",
        ),
        pytest.param(
            {"language_type": "en"}, 400, "InvalidParameter", "'language_type'", id="language tag"
        ),
        pytest.param(
            {"model": "qwen-tts", "language_type": "German"},
            400,
            "InvalidParameter",
            "'language_type'",
            id="language of other models",
        ),
        pytest.param(
            {"instructions": 3}, 400, "InvalidParameter", "'instructions'", id="instructions"
        ),
        pytest.param(
            {"optimize_instructions": "yes"},
            400,
            "InvalidParameter",
            "'optimize_instructions'",
            id="optimize_instructions",
        ),
        pytest.param(
            {"instructions": "好" * 1_601}, 400, "InvalidParameter", "1600", id="long instructions"
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_refusals(service, stream, asked, status, code, message):
    """What the service would refuse is refused before any audio, in JSON, streamed or not."""
    reply = service.ask(stream=stream, **asked)
    body = reply.json()
    assert (reply.status_code, body["code"]) == (status, code)
    assert message in body["message"]
    assert body["request_id"] == reply.headers["x-request-id"]
    assert "sk-" not in reply.text


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"text": "a" * 600}, id="longest text"),
        pytest.param({"text": "好" * 600, "language_type": "Chinese"}, id="longest Chinese text"),
        pytest.param({"language_type": None}, id="no language"),
        pytest.param({"voice": "Ono Anna"}, id="voice with a blank"),
        pytest.param({"instructions": "Slowly."}, id="instructions that are not heeded"),
        pytest.param({"headers": {"authorization": "bearer sk-x"}}, id="bearer in lower case"),
    ],
)
def test_accepted(service, asked):
    """What the service takes is taken."""
    assert service.ask(**asked).status_code == 200


@pytest.mark.parametrize(
    ("unit", "fits", "too_long"),
    [
        ("characters", "好" * 600, "好" * 601),
        ("bytes", "好" * 200, "好" * 201),
        ("billed", "好" * 300, "好" * 301),
    ],
)
def test_unit_of_length(serve, unit, fits, too_long):
    """What the limit on a text counts can be chosen."""
    service = serve(length_unit=unit)
    assert service.ask(text=fits, language_type="Chinese").status_code == 200
    assert TEXT_TOO_LONG in service.ask(text=too_long, language_type="Chinese").json()["message"]


def test_models_of_a_region(serve):
    """A model that is not in the region is not found there."""
    service = serve(region="ap-southeast-1")
    assert service.ask(model="qwen-tts").json()["code"] == "ModelNotFound"
    assert service.ask().status_code == 200


def test_keys_of_a_region(serve):
    """A key of another region, or none that is listed for this one, is refused."""
    keys = {"cn-beijing": ["sk-here"], "ap-southeast-1": ["sk-there"]}

    def status(service, key):
        return service.ask(headers={"authorization": f"Bearer {key}"}).status_code

    listed, open_to_all = serve(keys=keys), serve(keys={"ap-southeast-1": ["sk-there"]})
    assert [status(listed, key) for key in ("sk-here", "sk-there", "sk-x")] == [200, 401, 401]
    assert [status(open_to_all, key) for key in ("sk-there", "sk-x")] == [401, 200]


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("good", 1), ("goods", 2), ("你好", 2), ("你好 you", 3)]
)
def test_estimate_of_tokens(text, tokens):
    """A CJK character is about a token, and so are four others."""
    assert estimate_tokens(text) == tokens
