"""Making, listing and deleting voices: what is asked, and what is read in each answer."""

import base64
import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from qwen_wire import REQUEST_ID, card

import vivavoce_qwen
from vivavoce.authoring import (
    AudioFormat,
    CloneRequest,
    CredentialError,
    DesignRequest,
    InvalidValue,
    MadeVoice,
    ProviderConfig,
    ProviderUnavailable,
    RateLimited,
    Recording,
    Reply,
    RequestRejected,
    Secret,
    SettingsError,
    UnexpectedReply,
    VivavoceError,
    Voice,
    VoiceOrigin,
    VoicePage,
)
from vivavoce_qwen import offers
from vivavoce_qwen.capabilities import origin_of
from vivavoce_qwen.customizing import LIST_MAX_BYTES, PAGE_SIZE, PREVIEW_MAX_BYTES
from vivavoce_qwen.customizing import QwenVoiceCustomizer as Customizer
from vivavoce_qwen.exchange import QwenSynthesizer
from vivavoce_qwen.tables import LANGUAGE_TYPES, management

URL = "https://dashscope.aliyuncs.com/api/v1/services/audio/tts/customization"
KEY = "sk-0123456789abcdef"
CLONE_MODEL = "qwen3-tts-vc-2026-01-22"
DESIGN_MODEL = "qwen3-tts-vd-2026-01-26"
CLONE_ID = "qwen-tts-vc-guan_yu-voice-20260101120000123-1a2b"
DESIGN_ID = "qwen-tts-vd-announcer-voice-20260101120000123-1a2b"
TRANSCRIPT = 'He said "yes",\n and I too: 好的。'
DESCRIPTION = "A calm woman of forty,\n deep and slow."
PREVIEW_TEXT = 'Good evening, this is "the news" of today.'
RECORDING_URL = "https://files.example/a.wav?Signature=s3cr3t"
WAVE = b"RIFF" + bytes(range(256)) * 8
ENCODED = base64.b64encode(WAVE).decode()
CLONED, DESIGNED = VoiceOrigin.CLONED, VoiceOrigin.DESIGNED
JSON = {"content-type": "application/json"}
PRIVATE = (TRANSCRIPT, DESCRIPTION, PREVIEW_TEXT, RECORDING_URL)
WAV24 = AudioFormat.named("wav", sample_rate_hz=24_000)


def customizer(**config):
    return Customizer(ProviderConfig(**{"credential": Secret(KEY), **config}))


def clone_request(**changes):
    values = {
        "model": card(CLONE_MODEL),
        "name": "guan_yu",
        "recording": Recording(data=WAVE, media_type="audio/wav", sha256="0"),
        **changes,
    }
    return CloneRequest(**values)


def design_request(**changes):
    values = {
        "model": card(DESIGN_MODEL),
        "name": "announcer",
        "description": DESCRIPTION,
        "preview_text": PREVIEW_TEXT,
        "language": "en",
        "format": WAV24,
        **changes,
    }
    return DesignRequest(**values)


def clone(**changes):
    return customizer().clone(clone_request(**changes))


def design(**changes):
    return customizer().design(design_request(**changes))


def listing(origin=CLONED, page=None):
    return customizer().list(origin, page)


TASKS = {
    "clone": lambda: clone(transcript=TRANSCRIPT, language="en"),
    "clone from an address": lambda: clone(recording=Recording(url=RECORDING_URL, sha256="0")),
    "design": design,
    "list cloned": lambda: listing(CLONED),
    "list designed": lambda: listing(DESIGNED),
    "get": lambda: customizer().get(DESIGN_ID, DESIGNED),
    "delete cloned": lambda: customizer().delete(CLONE_ID, CLONED),
    "delete designed": lambda: customizer().delete(DESIGN_ID, DESIGNED),
}


def sent(task):
    return json.loads(task.open().body)


def answer(task, body, *, status=200, headers=JSON):
    """Return what *task* makes of an answer, as whoever drives it hands it over."""
    task.open()
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = Reply(status=status, headers=headers, body=data)
    return task.receive(reply) if status < 300 else task.refused(reply)


def error_of(task, body, **how):
    with pytest.raises(VivavoceError) as caught:
        answer(task, body, **how)
    return caught.value


def made(output, **more):
    return {"output": output, "usage": {"count": 1}, "request_id": REQUEST_ID, **more}


def designed(**changes):
    audio = {"data": ENCODED, "sample_rate": 24000, "response_format": "wav", **changes}
    audio = {key: value for key, value in audio.items() if value is not ...}
    return made({"preview_audio": audio, "target_model": DESIGN_MODEL, "voice": DESIGN_ID})


# What is asked


def test_where_and_how():
    """Each task asks one address with the key as bearer, which shows nowhere, and JSON."""
    for make in TASKS.values():
        call = make().open()
        assert (call.method, call.url) == ("POST", URL)
        assert call.headers == {
            "authorization": Secret(f"Bearer {KEY}"),
            "content-type": "application/json",
            "accept": "application/json",
        }
        assert KEY not in repr(call)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"region": "ap-southeast-1"},
        {"extra": {"workspace": "ws-1"}},
        {"region": "ap-southeast-1", "extra": {"workspace": "ws-1"}},
        {"base_url": "https://gateway.example/tts/", "extra": {"workspace": "ws-1"}},
    ],
)
def test_hosts_are_those_of_speech(config):
    """Region, workspace and address decide the host as they do for speech."""
    spoken = QwenSynthesizer(ProviderConfig(**config)).probe().url
    call = customizer(**config).list(CLONED, None).open()
    assert call.url == f"{spoken}/services/audio/tts/customization"


def test_a_workspace_that_is_no_id():
    """A workspace that cannot stand in a host name is refused."""
    with pytest.raises(SettingsError, match="is no id"):
        customizer(extra={"workspace": "a.evil.example/"})


@pytest.mark.parametrize("kind", ["audio/wav", "audio/mpeg", "audio/mp4"])
def test_a_clone(kind):
    """A recording is sent as a data URL with its media type; what is not known is left out."""
    recording = Recording(data=WAVE, media_type=kind, sha256="0")
    assert sent(clone(recording=recording)) == {
        "model": "qwen-voice-enrollment",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vc-2026-01-22",
            "preferred_name": "guan_yu",
            "audio": {"data": f"data:{kind};base64,{ENCODED}"},
        },
    }


def test_a_clone_with_everything():
    """Transcript and language go with it; an address goes as it is."""
    task = clone(
        model=card("qwen3-tts-vc-realtime-2026-01-15"),
        recording=Recording(url=RECORDING_URL, sha256="0"),
        transcript=TRANSCRIPT,
        language="de-AT",
    )
    assert sent(task) == {
        "model": "qwen-voice-enrollment",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vc-realtime-2026-01-15",
            "preferred_name": "guan_yu",
            "audio": {"data": RECORDING_URL},
            "text": TRANSCRIPT,
            "language": "de",
        },
    }


@pytest.mark.parametrize(
    ("tag", "code"), [("zh-Hans-CN", "zh"), ("yue", "zh"), ("cmn-TW", "zh"), ("PT-br", "pt")]
)
def test_languages_in_two_letters(tag, code):
    """A language is told in the service's two letters; a variety of Chinese is Chinese."""
    for task in (clone(language=tag), design(language=tag)):
        assert sent(task)["input"]["language"] == code


def test_a_design():
    """A description and the preview's text are sent with the preview's format beside them."""
    assert sent(design()) == {
        "model": "qwen-voice-design",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vd-2026-01-26",
            "preferred_name": "announcer",
            "voice_prompt": DESCRIPTION,
            "preview_text": PREVIEW_TEXT,
            "language": "en",
        },
        "parameters": {"sample_rate": 24000, "response_format": "wav"},
    }
    assert "language" not in sent(design(language=None))["input"]
    assert design().open().max_body_bytes == PREVIEW_MAX_BYTES


@pytest.mark.parametrize("name", ["wav", "pcm", "mp3", "opus"])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_formats_of_a_preview(name, rate_hz):
    """A preview is asked for in each format and at each rate that is offered."""
    task = design(format=AudioFormat.named(name, sample_rate_hz=rate_hz))
    assert sent(task)["parameters"] == {"sample_rate": rate_hz, "response_format": name}


@pytest.mark.parametrize("changes", [{"name": "flac"}, {"name": "wav", "channels": 2}])
def test_a_format_that_no_preview_has(changes):
    """A format of which the service knows no name is refused before anything is sent."""
    with pytest.raises(InvalidValue, match="A preview cannot come as"):
        design(format=AudioFormat.named(**changes, sample_rate_hz=24_000))


@pytest.mark.parametrize(
    ("origin", "model"), [(CLONED, "qwen-voice-enrollment"), (DESIGNED, "qwen-voice-design")]
)
@pytest.mark.parametrize(("page", "index"), [(None, 0), ("0", 0), ("7", 7)])
def test_a_list(origin, model, page, index):
    """A page is asked for by its number from zero, of the model that made the voices."""
    task = listing(origin, page)
    assert sent(task) == {
        "model": model,
        "input": {"action": "list", "page_index": index, "page_size": PAGE_SIZE},
    }
    assert task.open().max_body_bytes == LIST_MAX_BYTES


@pytest.mark.parametrize("page", ["", "-1", "x", "1.5", "²", "1" * 9])
def test_a_page_that_is_none(page):
    """A page that no answer gave is refused."""
    with pytest.raises(InvalidValue, match="is no page"):
        listing(page=page)


@pytest.mark.parametrize(
    ("voice", "origin", "model"),
    [
        (CLONE_ID, CLONED, "qwen-voice-enrollment"),
        (DESIGN_ID, DESIGNED, "qwen-voice-design"),
        # The form of an id decides; what the caller believes, where there is no such form.
        (CLONE_ID, DESIGNED, "qwen-voice-enrollment"),
        (DESIGN_ID, CLONED, "qwen-voice-design"),
        ("my voice", CLONED, "qwen-voice-enrollment"),
        ("my voice", DESIGNED, "qwen-voice-design"),
    ],
)
def test_a_deletion(voice, origin, model):
    """A voice is deleted by the model that made it, with its id as it is."""
    assert sent(customizer().delete(voice, origin)) == {
        "model": model,
        "input": {"action": "delete", "voice": voice},
    }


def test_a_query():
    """A designed voice is asked for by its id; a cloned one must be looked for in the list."""
    assert sent(customizer().get(DESIGN_ID, DESIGNED)) == {
        "model": "qwen-voice-design",
        "input": {"action": "query", "voice": DESIGN_ID},
    }
    assert customizer().get(CLONE_ID, CLONED) is None
    assert customizer().get(CLONE_ID, DESIGNED) is None
    assert customizer().get("my voice", CLONED) is None


def test_a_task_may_be_tried_again():
    """Opened again a task asks for the same."""
    for make in TASKS.values():
        task = make()
        assert task.open() == task.open()


# What is made of answers to a creation


def test_a_cloned_voice():
    """A cloned voice has the id that came, the one model it is for, and no preview."""
    output = {"voice": CLONE_ID, "target_model": CLONE_MODEL}
    assert answer(clone(language="de"), made(output)) == MadeVoice(
        voice=Voice(
            id=CLONE_ID,
            name=CLONE_ID,
            origin=CLONED,
            models=(CLONE_MODEL,),
            languages=("de", *(tag for tag in LANGUAGE_TYPES if tag != "de")),
        ),
        request_id=REQUEST_ID,
    )


def test_a_cloned_voice_of_no_known_language():
    """Where no language was told, none is claimed."""
    found = answer(clone(), made({"voice": CLONE_ID}))
    assert (found.voice.languages, found.voice.models) == ((), (CLONE_MODEL,))


def test_a_designed_voice():
    """A designed voice comes with its preview, and keeps its description as one line."""
    found = answer(design(), designed())
    assert found == MadeVoice(
        voice=Voice(
            id=DESIGN_ID,
            name=DESIGN_ID,
            origin=DESIGNED,
            models=(DESIGN_MODEL,),
            languages=("en", *(tag for tag in LANGUAGE_TYPES if tag != "en")),
            description="A calm woman of forty, deep and slow.",
        ),
        preview=WAVE,
        preview_format=WAV24,
        request_id=REQUEST_ID,
    )


@pytest.mark.parametrize(
    ("told", "audio_format"),
    [
        ({"response_format": "wav", "sample_rate": 48000}, ("wav", 48_000)),
        ({"response_format": "pcm", "sample_rate": 16000}, ("pcm", 16_000)),
        ({"response_format": "MP3", "sample_rate": 24000}, ("mp3", 24_000)),
        ({"response_format": "opus", "sample_rate": 8000}, ("opus", 8_000)),
        ({"response_format": ..., "sample_rate": ...}, ("mp3", 8_000)),
        ({"response_format": None, "sample_rate": None}, ("mp3", 8_000)),
        ({"response_format": "wav", "sample_rate": ...}, ("wav", 8_000)),
    ],
)
def test_the_format_that_came(told, audio_format):
    """A preview is in the format the answer tells, and in the one asked for where it tells none."""
    name, rate_hz = audio_format
    task = design(format=AudioFormat.named("mp3", sample_rate_hz=8_000))
    found = answer(task, designed(**told))
    assert found.preview_format == AudioFormat.named(name, sample_rate_hz=rate_hz)
    assert (found.preview, found.warnings) == (WAVE, ())


@pytest.mark.parametrize(
    "told",
    [
        {"response_format": "realaudio"},
        {"response_format": 7},
        {"response_format": "so " * 2000},
        {"sample_rate": 10**300},
        {"sample_rate": 1},
        {"sample_rate": "24000"},
        {"sample_rate": True},
        {"sample_rate": [24000]},
    ],
)
def test_a_format_that_is_none(told):
    """A preview of which nobody knows how to read it is kept, and said to be that."""
    found = answer(design(), designed(**told))
    assert (found.voice.id, found.preview, found.preview_format) == (DESIGN_ID, WAVE, None)
    [warning] = found.warnings
    assert "how to read its preview is not known" in warning
    assert len(warning) < 250


@pytest.mark.parametrize("data", ["!!!!", ENCODED[:-2], "é" * 4, "\ud800", ENCODED + "\n"])
def test_a_preview_that_cannot_be_read(data):
    """A voice is not lost for its preview, which a warning says cannot be read."""
    found = answer(design(), designed(data=data))
    assert (found.voice.id, found.preview, found.preview_format) == (DESIGN_ID, b"", None)
    [warning] = found.warnings
    assert "preview cannot be read" in warning


@pytest.mark.parametrize("audio", [{"data": ...}, {"data": ""}, {"data": None}, {"data": 7}])
def test_a_preview_that_did_not_come(audio):
    """Nor is it lost where no preview came."""
    found = answer(design(), designed(**audio))
    assert (found.voice.id, found.preview) == (DESIGN_ID, b"")
    assert found.warnings == ("The voice is made, but no preview of it came.",)


@pytest.mark.parametrize("audio", [None, [], "x", 7])
def test_a_preview_of_the_wrong_type(audio):
    """Nor where something else stands in the preview's place."""
    found = answer(design(), made({"voice": DESIGN_ID, "preview_audio": audio}))
    assert found.warnings == ("The voice is made, but no preview of it came.",)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"fallback_mode": True, "fallback_reason": "no_merged_segments"}, "no_merged_segments"),
        ({"fallback_mode": True, "fallback_reason": "quite_new"}, "quite_new"),
        ({"fallback_mode": True}, "does not say why"),
        ({"fallback_mode": True, "fallback_reason": ["x"]}, "does not say why"),
        ({"fallback_mode": True, "fallback_reason": "so " * 2000}, "so so"),
    ],
)
def test_a_voice_made_in_a_simpler_way(output, said):
    """That a voice was made in a simpler way is a warning, with whatever reason is told."""
    [warning] = answer(clone(), made({"voice": CLONE_ID, **output})).warnings
    assert said in warning
    assert "simpler way" in warning
    assert len(warning) < 600


@pytest.mark.parametrize("mode", [False, None, "no", 0])
def test_a_voice_made_as_usual(mode):
    """Without that mode a reason means nothing."""
    output = {"voice": CLONE_ID, "fallback_mode": mode, "fallback_reason": "none"}
    assert answer(clone(), made(output)).warnings == ()


def test_a_voice_for_another_model():
    """A voice is for the model that the service says; that it is another one is a warning."""
    other = "qwen3-tts-vc-realtime-2026-01-15"
    found = answer(clone(), made({"voice": CLONE_ID, "target_model": other}))
    assert found.voice.models == (other,)
    assert other in found.warnings[0]
    found = answer(clone(), made({"voice": CLONE_ID, "target_model": 7}))
    assert (found.voice.models, found.warnings) == ((CLONE_MODEL,), ())


def test_a_request_id_in_a_header():
    """Where the answer has no request id, the header's is kept."""
    found = answer(clone(), {"output": {"voice": CLONE_ID}}, headers={"x-request-id": "r-9"})
    assert found.request_id == "r-9"


@pytest.mark.parametrize("code", ["", None])
def test_a_code_that_is_empty(code):
    """The empty code that the service's own client writes into an answer is none."""
    body = made({"voice": CLONE_ID}, code=code, message="", status_code=200)
    assert answer(clone(), body).voice.id == CLONE_ID


# Lists


def rows(count, prefix="v"):
    return [
        {"voice": f"{prefix}{n}", "gmt_create": "2026-01-02 03:04:05", "target_model": CLONE_MODEL}
        for n in range(count)
    ]


def test_a_list_of_cloned_voices():
    """A cloned voice is listed with model and time, and its language where that is told."""
    first, second = rows(2)
    second |= {"language": "fr", "gmt_create": None, "unheard_of": {"a": 1}}
    page = answer(listing(), {"output": {"voice_list": [first, second]}, "usage": {"count": 0}})
    assert page == VoicePage(
        voices=(
            Voice(
                id="v0",
                name="v0",
                origin=CLONED,
                models=(CLONE_MODEL,),
                created_at=datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - the zone is not told
            ),
            Voice(
                id="v1",
                name="v1",
                origin=CLONED,
                models=(CLONE_MODEL,),
                languages=("fr", *(tag for tag in LANGUAGE_TYPES if tag != "fr")),
            ),
        )
    )


DESIGNED_ROW = {
    "voice": DESIGN_ID,
    "target_model": DESIGN_MODEL,
    "language": "zh",
    "voice_prompt": DESCRIPTION,
    "preview_text": PREVIEW_TEXT,
    "gmt_create": "2026-01-02 03:04:05",
    "gmt_modified": "2026-02-02 03:04:05",
}
DESIGNED_VOICE = Voice(
    id=DESIGN_ID,
    name=DESIGN_ID,
    origin=DESIGNED,
    models=(DESIGN_MODEL,),
    languages=tuple(LANGUAGE_TYPES),
    description="A calm woman of forty, deep and slow.",
    created_at=datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - the zone is not told
)


def test_a_list_of_designed_voices():
    """A designed voice is listed with its description; the same is told of one that is queried."""
    output = {"page_index": 0, "page_size": 100, "total_count": 1, "voice_list": [DESIGNED_ROW]}
    assert answer(listing(DESIGNED), {"output": output}) == VoicePage(voices=(DESIGNED_VOICE,))
    assert answer(TASKS["get"](), {"output": DESIGNED_ROW}) == DESIGNED_VOICE


@pytest.mark.parametrize(
    ("told", "time"),
    [
        ("2026-01-02 03:04:05", "2026-01-02T03:04:05"),
        ("2026-01-02T03:04:05+08:00", "2026-01-02T03:04:05+08:00"),
        ("yesterday", None),
        ("", None),
        (1766113409, None),
        ("9" * 5000, None),
    ],
)
def test_when_a_voice_was_made(told, time):
    """A time is kept as it is told, and left out where it cannot be read."""
    row = {"voice": "v", "gmt_create": told}
    [voice] = answer(listing(), {"output": {"voice_list": [row]}}).voices
    assert (voice.created_at and voice.created_at.isoformat()) == time


def test_a_voice_of_no_known_model():
    """A voice whose model is not told may be one of any model of its kind."""
    [voice] = answer(listing(DESIGNED), {"output": {"voice_list": [{"voice": "v"}]}}).voices
    assert voice.models == management()["qwen-voice-design"].target_models
    assert (voice.languages, voice.description) == ((), "")


FULL = PAGE_SIZE


@pytest.mark.parametrize(
    ("page", "count", "output", "next_page"),
    [
        # No total is told: a short page is the last.
        (None, 0, {}, None),
        (None, FULL - 1, {}, None),
        (None, FULL, {}, "1"),
        ("1", FULL, {}, "2"),
        ("1", 0, {}, None),
        # It is told.
        (None, FULL, {"total_count": FULL}, None),
        (None, FULL, {"total_count": FULL + 1}, "1"),
        ("1", 1, {"total_count": FULL + 1}, None),
        ("1", 0, {"total_count": 10**9}, None),
        (None, FULL, {"total_count": "many"}, "1"),
        (None, FULL, {"total_count": True}, "1"),
        (None, FULL, {"total_count": -1}, "1"),
        # Smaller pages are given than asked for.
        (None, 10, {"page_size": 10}, "1"),
        (None, 10, {"page_size": 10, "total_count": 10}, None),
        (None, 10, {"page_size": 10, "total_count": 11}, "1"),
        (None, 9, {"page_size": 10}, None),
        (None, FULL, {"page_size": 10**9}, "1"),
        (None, FULL, {"page_size": 0}, "1"),
        # The service knows no page beyond 200.
        ("199", FULL, {"total_count": 10**9}, "200"),
        ("200", FULL, {"total_count": 10**9}, None),
        ("200", FULL, {}, None),
    ],
)
def test_the_next_page(page, count, output, next_page):
    """There is a next page as long as the total, or a full page, says so."""
    found = answer(listing(DESIGNED, page), {"output": {"voice_list": rows(count), **output}})
    assert (len(found.voices), found.next_page) == (count, next_page)


@pytest.mark.parametrize("output", [{"voice_list": []}, {"voice_list": None}, {"total_count": 0}])
@pytest.mark.parametrize("origin", [CLONED, DESIGNED])
def test_an_empty_list(output, origin):
    """A list with nothing in it is empty, however that is written."""
    assert answer(listing(origin), {"output": output}) == VoicePage(voices=())


@pytest.mark.parametrize("row", [{}, {"voice": ""}, {"voice": 7}, {"voice": None}, None, "v"])
def test_a_listed_voice_without_an_id(row):
    """A list with a voice that cannot be named is an error: passed over, it would seem deleted."""
    error = error_of(listing(), {"output": {"voice_list": [*rows(1), row]}})
    assert isinstance(error, UnexpectedReply)
    assert "without saying its id" in error.message


# Deleting, and voices that are not there


@pytest.mark.parametrize("kind", ["delete cloned", "delete designed"])
@pytest.mark.parametrize(
    "body",
    [
        {"usage": {"count": 0}, "request_id": "r"},
        {"output": {}, "request_id": "r"},
        {"output": {"voice": CLONE_ID}, "code": "", "message": ""},
        {},
    ],
)
def test_a_voice_is_deleted(kind, body):
    """An answer without a code says that the voice is deleted."""
    assert answer(TASKS[kind](), body) is True


MISSING = [
    (400, {"code": "BadRequest.VoiceNotFound", "message": "Voice 'x' not found."}),
    (200, {"code": "BadRequest.VoiceNotFound", "message": "Voice 'x' not found."}),
    (404, {"code": "VoiceNotFound", "message": "Voice not found: x"}),
    (200, {"code": "VoiceNotFound", "message": "Voice not found: x", "output": {}}),
    (400, {"code": "BadRequest.ResourceNotExist", "message": ""}),
    (200, {"code": "Audio.ResourceNotExist", "message": ""}),
    (400, {"code": "InvalidParameter", "message": "<400> BadRequest.VoiceNotFound: gone"}),
    (400, {"error": {"code": "BadRequest.VoiceNotFound", "message": "gone"}}),
    (200, {"error": {"code": "BadRequest.VoiceNotFound", "message": "gone"}}),
]


@pytest.mark.parametrize(("status", "body"), MISSING)
def test_a_voice_that_is_not_there(status, body):
    """To delete a missing voice is no failure, and to read it gives none, in every form told."""
    assert answer(TASKS["delete cloned"](), body, status=status) is False
    assert answer(TASKS["delete designed"](), body, status=status) is False
    assert answer(TASKS["get"](), body, status=status) is None


@pytest.mark.parametrize("kind", ["delete cloned", "get"])
@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (500, {"code": "InternalError", "message": "VoiceNotFound"}, ProviderUnavailable),
        (401, {"code": "InvalidApiKey"}, CredentialError),
        (404, {"code": "ModelNotFound"}, RequestRejected),
        (429, {"code": "Throttling.RateQuota"}, RateLimited),
        (400, {}, RequestRejected),
        (200, {"code": "InvalidParameter", "message": "No."}, RequestRejected),
        (200, {"error": {"message": "No."}}, UnexpectedReply),
    ],
)
def test_other_refusals(kind, status, body, wanted):
    """Any other refusal is an error: the voice may still be there."""
    assert type(error_of(TASKS[kind](), body, status=status)) is wanted


@pytest.mark.parametrize("output", [{}, None, {"voice": "another"}, {"voice": 7}])
def test_a_query_answered_with_something_else(output):
    """An answer about no voice, or another one, is no answer."""
    error = error_of(TASKS["get"](), {"output": output})
    assert isinstance(error, UnexpectedReply)
    assert "neither the voice that was asked for nor an error" in error.message


# Answers that are none


@pytest.mark.parametrize("kind", ["clone", "design"])
@pytest.mark.parametrize(
    "output",
    [
        {},
        None,
        [],
        "x",
        {"voice": ""},
        {"voice": None},
        {"voice": 7},
        {"voice": [CLONE_ID]},
        {"voice_id": CLONE_ID},
    ],
)
def test_a_creation_without_a_voice(kind, output):
    """A creation that names no voice is no success, and not said to be a refusal."""
    error = error_of(TASKS[kind](), made(output))
    assert type(error) is UnexpectedReply
    assert "neither a new voice nor an error" in error.message
    assert error.request_id == REQUEST_ID


@pytest.mark.parametrize("output", [{}, None, [], {"voice_list": {}}, {"voice_list": "x"}])
def test_a_list_that_is_none(output):
    """Where no list came, that is not an empty one."""
    error = error_of(listing(), {"output": output})
    assert type(error) is UnexpectedReply
    assert "neither a list of voices nor an error" in error.message


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"<html><h1>Welcome to   the hotel</h1></html>", "Welcome to the hotel"),
        (b"", ""),
        (b'{"output":{"voice":"qwen-tts', "qwen-tts"),
        (b"[]", "[]"),
        (b'"ok"', "ok"),
        (b"null", ""),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (b"1" * 10_000, ""),
    ],
)
def test_an_answer_that_is_no_object(kind, body, shown):
    """Whatever is no JSON object is an error of the tree, also where the status is a success."""
    error = error_of(TASKS[kind](), body, headers={"content-type": "text/html"})
    assert type(error) is UnexpectedReply
    assert shown in error.message
    assert len(error.message) < 700


@pytest.mark.parametrize("kind", TASKS)
def test_a_page_of_a_proxy(kind):
    """A proxy's page under an error's status is an error of that status."""
    error = error_of(TASKS[kind](), b"<html>502 Bad Gateway</html>", status=502)
    assert isinstance(error, ProviderUnavailable)
    assert "Bad Gateway" in error.message


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal(kind, status):
    """A code is a refusal whatever the status, even beside a result."""
    body = {
        "code": "Audio.PreprocessError",
        "message": "No segments meet minimum duration requirement",
        "request_id": "r-1",
        "output": {"voice": CLONE_ID, "voice_list": []},
    }
    error = error_of(TASKS[kind](), body, status=status)
    assert type(error) is RequestRejected
    assert (error.code, error.request_id, error.status) == ("Audio.PreprocessError", "r-1", status)
    assert "No segments meet" in error.message


def test_a_key_of_another_region():
    """A refused key is an error of the key, with what to look at."""
    body = {"code": "InvalidApiKey", "message": "Invalid API-key provided."}
    error = error_of(clone(), body, status=401)
    assert isinstance(error, CredentialError)
    assert "A key is of one region" in error.message


# What is never shown


ECHOES = {
    "clone": (TRANSCRIPT, f"data:audio/wav;base64,{ENCODED}"),
    "clone from an address": (RECORDING_URL,),
    "design": (DESCRIPTION, PREVIEW_TEXT, ENCODED),
}


def shown_by(task, body, **how):
    """Return all that users may be shown of an answer, and how it ended."""
    try:
        result = answer(task, body, **how)
    except VivavoceError as error:
        return f"{error!s} {error!r} {error.code} {error.request_id} {error.__cause__!r}", error
    warnings = " ".join(getattr(result, "warnings", ()))
    return f"{warnings} {getattr(result, 'request_id', '')}", result


def one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in ECHOES.items() for text in texts]
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_what_was_sent_is_not_shown(kind, text, status):
    """A transcript, a description, an address or audio that an answer repeats is not shown."""
    escaped = json.dumps(text)
    bodies = [
        {"code": "InvalidParameter", "message": f"What of {text}"},
        {"code": text, "message": "What.", "request_id": text},
        {"code": "InvalidParameter", "message": json.dumps({"message": f"What of {text}"})},
        {"code": "InvalidParameter", "message": "What. " * 80 + text},
        {"output": {"voice": "v", "fallback_mode": True, "fallback_reason": f"What of {text}"}},
        {"output": {"voice": "v", "target_model": f"What of {text}"}},
        {"output": {"voice": "v", "preview_audio": {"data": "AAAA", "response_format": text}}},
        f"<html>What of {text}</html>".encode(),
        f'{{"input":{escaped},'.encode(),
        f'{{"input":{json.dumps(text, ensure_ascii=False)},'.encode(),
    ]
    for body in bodies:
        shown, _ = shown_by(TASKS[kind](), body, status=status)
        head = text[:12] if "base64" not in text else ENCODED[:12]
        assert head not in shown, body
        assert one_line(head) not in shown, body


def test_a_short_text_is_not_shown_as_a_format():
    """Nor is a short text shown where a format's name is expected."""
    text = "Hello there."
    [warning] = answer(design(preview_text=text), designed(response_format=text)).warnings
    assert "is no audio format known" in warning
    assert text not in warning


def test_a_task_shows_nothing():
    """Neither a request nor a task nor its result shows what is the user's own."""
    for kind, texts in ECHOES.items():
        task = TASKS[kind]()
        for text in (KEY, *texts):
            assert text not in repr(task)
    assert ENCODED[:20] not in repr(answer(design(), designed()))


def documents():
    """Any JSON, the words of the service more often than others, what is private among it."""
    words = st.sampled_from(
        [
            *("output", "voice", "voice_list", "target_model", "preview_audio", "data", "code"),
            *("message", "error", "request_id", "fallback_mode", "fallback_reason", "language"),
            *("gmt_create", "total_count", "page_size", "sample_rate", "response_format"),
        ]
    )
    texts = st.sampled_from([DESIGN_ID, "wav", "zh", "VoiceNotFound", ENCODED, *PRIVATE])
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=8)
        | texts
        | st.integers(min_value=0, max_value=10**40)
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(words | st.text(max_size=4), inner, max_size=6)
        ),
        max_leaves=24,
    )


def answers():
    """Whole answers, most with something in the place where a result stands."""
    return documents() | st.fixed_dictionaries({"output": documents()}).flatmap(
        lambda body: st.sampled_from([body, {**body, "code": ""}])
    )


RESULTS = {
    "clone": MadeVoice,
    "clone from an address": MadeVoice,
    "design": MadeVoice,
    "list cloned": VoicePage,
    "list designed": VoicePage,
    "get": Voice | None,
    "delete cloned": bool,
    "delete designed": bool,
}


@given(st.sampled_from(sorted(TASKS)), answers(), st.sampled_from([200, 201, 302, 400, 429, 500]))
@example("design", designed(sample_rate=10**40), 200)
@example("list designed", {"output": {"voice_list": [{"voice": "v", "language": "\ud800"}]}}, 200)
@example("clone", {"code": "\ud800", "message": "\ud800"}, 400)
def test_any_answer(kind, body, status):
    """Any JSON gives a result or an error of the tree, and shows nothing that is the user's."""
    shown, end = shown_by(TASKS[kind](), body, status=status)
    assert isinstance(end, (VivavoceError, RESULTS[kind]))
    assert status < 300 or isinstance(end, VivavoceError) or end in (None, False)
    for text in (KEY, ENCODED[:80], *ECHOES.get(kind, ())):
        assert text not in shown
        assert one_line(text) not in shown


@given(st.sampled_from(sorted(TASKS)), st.binary(max_size=200), st.sampled_from([200, 400, 500]))
def test_any_bytes(kind, body, status):
    """Any bytes give a result or an error of the tree."""
    end = shown_by(TASKS[kind](), body, status=status)[1]
    assert isinstance(end, (VivavoceError, RESULTS[kind]))


# What is offered


@pytest.fixture(scope="module")
def info():
    """How the customizer introduces itself."""
    [found] = vivavoce_qwen.vivavoce_voice_customizers()
    return found


MANAGEMENT = json.loads((Path(__file__).parent / "spec" / "qwen-models.json").read_text("utf-8"))[
    "management_models"
]


def test_the_customizer(info):
    """It is found under the provider's name, and loaded when it is needed."""
    assert info.name == "qwen"
    assert info.customizer == "vivavoce_qwen.customizing:QwenVoiceCustomizer"
    assert info.load_customizer() is Customizer
    assert info.origins == (CLONED, DESIGNED)
    assert info.max_voices == 1000
    assert "365 days" in info.note


@pytest.mark.parametrize(
    ("side", "name"), [("clone", "qwen-voice-enrollment"), ("design", "qwen-voice-design")]
)
def test_what_both_offers_say(info, side, name):
    """Models, regions, languages and prices are those of the spec; what is open is said."""
    offer, spec = getattr(info, side), MANAGEMENT[name]
    assert offer.models == tuple(spec["target_models"])
    assert offer.regions == tuple(spec["regions"])
    assert offer.languages == tuple(spec["languages"])
    [price] = offer.prices
    assert (float(price.amount), price.currency, price.per, price.unit, price.region) == (
        spec["price"]["cny"],
        "CNY",
        1,
        "voices",
        "",
    )
    assert price.evidence is not None
    assert offer.evidence.source in management_source(spec)
    assert management()[name].uncertain in offer.note
    assert spec["price"]["free"].split()[0] in offer.note


def management_source(spec):
    return "https://" + spec["source"].removeprefix("[doc: ").removesuffix("]")


def test_the_offer_to_clone(info):
    """What is asked of a recording is what the spec says, as a file before it is encoded."""
    spec = MANAGEMENT["qwen-voice-enrollment"]["recording"]
    rules = info.clone.recording
    assert rules.containers == tuple(spec["media_types"])
    assert rules.min_sample_rate_hz == spec["min_sample_rate"]
    assert rules.max_channels == spec["max_channels"]
    assert [rules.min_s, rules.max_s] == [spec["min_seconds"], spec["max_seconds"]]
    assert list(rules.advised_s) == spec["advised_seconds"]
    assert list(rules.wav_bits) == spec["wav_bits"]
    assert rules.takes_url is spec["url"]
    assert info.clone.takes_transcript is True
    assert info.clone.asks_consent is False


def test_the_largest_recording(info):
    """The largest file just fits into a data URL of the limit, whatever its media type."""
    limit = MANAGEMENT["qwen-voice-enrollment"]["recording"]["max_encoded_bytes_below"]
    kinds = MANAGEMENT["qwen-voice-enrollment"]["recording"]["media_types"].values()

    def encoded(size, kind):
        recording = Recording(data=bytes(size), media_type=kind, sha256="0")
        return len(sent(clone(recording=recording))["input"]["audio"]["data"])

    most = info.clone.recording.max_bytes
    assert max(encoded(most, kind) for kind in kinds) < limit
    assert max(encoded(most + 1, kind) for kind in kinds) >= limit
    assert offers.largest_recording(limit, "audio/mpeg") == most == 7_499_982


def test_the_offer_to_design(info):
    """Limits, formats and rates are those of the spec; a least length is open, so none is asked."""
    spec, offer = MANAGEMENT["qwen-voice-design"], info.design
    assert offer.max_description == spec["limits"]["voice_prompt_chars"]
    assert offer.max_preview == spec["limits"]["preview_text_chars"]
    assert offer.min_preview is None
    assert "15 characters" in offer.note
    assert list(offer.description_languages) == spec["description_languages"]
    assert set(offer.preview_formats) == set(spec["preview"]["formats"])
    assert set(offer.preview_rates_hz) == set(spec["preview"]["sample_rates"])
    usual = f"{offer.preview_formats[0]} {offer.preview_rates_hz[0]}"
    assert usual == spec["preview"]["default"]


@pytest.mark.parametrize("side", ["clone", "design"])
@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("guan_yu", True),
        ("A", True),
        ("x" * 16, True),
        ("x" * 17, False),
        ("", False),
        ("a-b", False),
        ("a b", False),
        ("ä", False),
        ("名", False),
        ("a\n", False),
    ],
)
def test_names(info, side, name, fits):
    """A voice is named with up to 16 letters, digits and underscores."""
    rule = getattr(info, side).name
    if fits:
        rule.check(name)
    else:
        with pytest.raises(InvalidValue, match="1 to 16"):
            rule.check(name)


@pytest.mark.parametrize(
    ("voice", "name", "is_it"),
    [
        (CLONE_ID, "guan_yu", True),
        (DESIGN_ID, "announcer", True),
        (CLONE_ID.upper(), "Guan_Yu", True),
        (CLONE_ID, "guan", False),
        (CLONE_ID, "yu", False),
        (CLONE_ID, "guan_yu-voice", False),
        ("qwen-tts-vc-a_b-voice-1-2", "a", False),
        ("qwen-tts-vc-a_b-voice-1-2", "b", False),
        ("my_guan_yu", "guan_yu", False),
    ],
)
def test_is_named(voice, name, is_it):
    """A voice was made under a name if its id has the documented form with it."""
    assert customizer().is_named(Voice(id=voice), name) is is_it


@pytest.mark.parametrize(
    ("voice", "origin"),
    [
        (CLONE_ID, CLONED),
        (DESIGN_ID, DESIGNED),
        (CLONE_ID.upper(), CLONED),
        ("Cherry", None),
        ("my voice", None),
        ("qwen-tts-v", None),
        ("", None),
    ],
)
def test_origin_of(voice, origin):
    """The beginning of an id tells what kind of voice it is."""
    assert origin_of(voice) is origin


def test_each_target_takes_such_voices(info):
    """Each model that voices are made for claims to speak with them."""
    for name in info.clone.models:
        assert card(name).capabilities.clone
    for name in info.design.models:
        assert card(name).capabilities.design
