"""Voices are made, listed, told about and deleted as the pages have it."""

import base64
import io
import re
import wave
from array import array

import pytest

from vivavoce_qwen_emulator.checks import Refused
from vivavoce_qwen_emulator.recordings import read_recording

ENROL, DESIGN = "qwen-voice-enrollment", "qwen-voice-design"
VC, VD = "qwen3-tts-vc-2026-01-22", "qwen3-tts-vd-2026-01-26"
ID = r"qwen-tts-{}-{}voice-20260102030405678-[0-9a-f]{{4}}"
NOON = 1_767_323_045.678  # 2026-01-02 03:04:05.678
YEAR_S = 365 * 86_400


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


def names(reply):
    """Return the ids in a list."""
    return [voice["voice"] for voice in reply.json()["output"]["voice_list"]]


def made(reply):
    assert reply.status_code == 200, reply.text
    return reply.json()["output"]["voice"]


def refusal(reply):
    body = reply.json()
    assert body["request_id"] == reply.headers["x-request-id"]
    return reply.status_code, body["code"]


def preview(reply):
    return base64.b64decode(reply.json()["output"]["preview_audio"]["data"], validate=True)


# --- making ------------------------------------------------------------------


def test_cloning(serve):
    """A recording becomes a voice with an id of the documented form, and one is counted."""
    service = serve(clock=Clock())
    reply = service.clone(preferred_name="guan_yu", text="Good morning to you.", language="en")
    body = reply.json()
    assert re.fullmatch(ID.format("vc", "guan_yu-"), body["output"]["voice"])
    assert body.keys() == {"output", "usage", "request_id"}
    assert body["output"].keys() == {"voice", "target_model"}
    assert (body["output"]["target_model"], body["usage"]) == (VC, {"count": 1})
    assert body["request_id"] == reply.headers["x-request-id"]


def test_a_name_may_be_left_out(serve):
    """One page has the name optional: without it there is none in the id."""
    service = serve(clock=Clock())
    assert re.fullmatch(ID.format("vc", ""), made(service.clone(preferred_name=None)))
    assert re.fullmatch(ID.format("vd", ""), made(service.design(preferred_name=None)))


def test_designing(serve):
    """A description becomes a voice, with a preview that says the text."""
    service = serve(clock=Clock())
    body = service.design().json()
    output = body["output"]
    assert re.fullmatch(ID.format("vd", "bob-"), output["voice"])
    assert output.keys() == {"voice", "target_model", "preview_audio"}
    assert (output["target_model"], body["usage"]) == (VD, {"count": 1})
    assert output["preview_audio"]["sample_rate"] == 24_000
    assert output["preview_audio"]["response_format"] == "wav"
    with wave.open(io.BytesIO(base64.b64decode(output["preview_audio"]["data"]))) as sound:
        assert sound.getparams()[:3] == (1, 2, 24_000)
        preview = sound.readframes(sound.getnframes())
    said = service.pcm(model=VD, voice=output["voice"], text="Good morning to all of you.")
    assert preview == said


@pytest.mark.parametrize(
    ("kind", "rate_hz", "start"),
    [
        ("pcm", 8_000, b""),
        ("wav", 48_000, b"RIFF"),
        ("mp3", 16_000, b""),
        ("opus", 24_000, b"OggS"),
    ],
)
def test_formats_of_a_preview(service, kind, rate_hz, start):
    """The preview comes in each documented format, as long as the speech is."""
    import soundfile

    asked = {"sample_rate": rate_hz, "response_format": kind}
    reply = service.design(parameters=asked)
    told = reply.json()["output"]["preview_audio"]
    audio = preview(reply)
    assert (told["sample_rate"], told["response_format"]) == (rate_hz, kind)
    assert audio.startswith(start)
    if kind == "pcm":
        seconds = len(audio) / 2 / rate_hz
    else:
        with soundfile.SoundFile(io.BytesIO(audio)) as sound:
            # Opus knows the rate of its source, and is decoded at what its header says.
            assert sound.samplerate == rate_hz
            seconds = len(sound.buffer_read(dtype="int16")) / 2 / rate_hz
    assert 1.0 < seconds < 3.0


def test_the_preview_follows_the_text_without_a_language(service):
    """Without a language the voice is filed under zh, and the preview speaks the text's own."""
    english, unnamed = service.design(language="en"), service.design(language=None)
    assert len(preview(unnamed)) == pytest.approx(len(preview(english)), rel=0.2)
    told = service.manage(DESIGN, "query", voice=made(unnamed)).json()["output"]
    assert told["language"] == "zh"


def test_a_preview_that_cannot_be_spoken(service):
    """What the engine cannot say is refused, and leaves no voice behind."""
    for text in ("\ud800a", "\ua9cf"):
        assert refusal(service.design(preview_text=text)) == (400, "InvalidParameter")
    assert service.emulator.voices("sk-test") == []


@pytest.mark.parametrize(
    "given",
    [
        {"preferred_name": "a" * 16},
        {"text": "", "language": "zh"},
        {"audio": {"data": "https://example.org/ann.wav"}},
        {"target_model": "qwen3-tts-vc-realtime-2026-01-15"},
    ],
    ids=["longest name", "no transcript", "address", "realtime"],
)
def test_accepted_for_cloning(service, given):
    """What the pages allow is accepted; an address is taken as it is, without being read."""
    made(service.clone(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"voice_prompt": "a" * 2_048},
        {"preview_text": "hey " * 256},
        {
            "voice_prompt": "沉稳的中年男性播音员",
            "preview_text": "各位听众朋友，大家好。",
            "language": "zh",
        },
        {"parameters": {}},
    ],
    ids=["longest prompt", "longest text", "Chinese", "no parameters"],
)
def test_accepted_for_design(service, given):
    """What the pages allow is accepted."""
    made(service.design(**given))


WRONG_FOR_BOTH = {
    "no target": ({"target_model": None}, "'input.target_model' is required"),
    "a target that speaks with others": ({"target_model": "qwen3-tts-flash"}, "may be one of"),
    "a number for a target": ({"target_model": 3}, "may be one of"),
    "a name with a hyphen": ({"preferred_name": "a-b"}, "letters, digits and _ only"),
    "a name of another script": ({"preferred_name": "关羽"}, "letters, digits and _ only"),
    "an empty name": ({"preferred_name": ""}, "letters, digits and _ only"),
    "a long name": ({"preferred_name": "a" * 17}, "longer than 16"),
    "a number for a name": ({"preferred_name": 1}, "is a string"),
    "a language by its name": ({"language": "English"}, "'input.language'"),
    "a language of nobody": ({"language": "nl"}, "'input.language'"),
}
WRONG_FOR_CLONING = {
    "no audio": ({"audio": None}, "'input.audio.data' is required"),
    "audio that is a string": ({"audio": "data:audio/wav;base64,AAAA"}, "'input.audio.data'"),
    "bare base64": ({"audio": {"data": "UklGRg=="}}, "neither a data URL nor"),
    "no base64": ({"audio": {"data": "data:audio/wav,RIFF"}}, "data URL with base64"),
    "another type": ({"audio": {"data": "data:audio/ogg;base64,T2dn"}}, "audio/wav, audio/mpeg"),
    "a file": ({"audio": {"data": "file:///tmp/a.wav"}}, "neither a data URL nor"),
    "no host": ({"audio": {"data": "https:///a.wav"}}, "neither a data URL nor"),
    "an address with a password": ({"audio": {"data": "https://a:b@c.org/d"}}, "public"),
    "half an address": ({"audio": {"data": "http://[::1/a.wav"}}, "neither a data URL nor"),
    "a number for a transcript": ({"text": 1}, "'input.text' is a string"),
    "a designed target": ({"target_model": VD}, "may be one of"),
}
WRONG_FOR_DESIGN = {
    "no prompt": ({"voice_prompt": None}, "'input.voice_prompt' is required"),
    "a long prompt": ({"voice_prompt": "a" * 2_049}, "may have 2048"),
    "a Japanese prompt": ({"voice_prompt": "おちついた声"}, "in Chinese or English"),
    "no text": ({"preview_text": None}, "'input.preview_text' is required"),
    "a text of signs": ({"preview_text": "?!"}, "'input.preview_text' is required"),
    "a long text": ({"preview_text": "a" * 1_025}, "may have 1024"),
    "an odd format": ({"parameters": {"response_format": "flac"}}, "pcm"),
    "an odd rate": ({"parameters": {"sample_rate": 22_050}}, "48000"),
    "a broken rate": ({"parameters": {"sample_rate": 24_000.0}}, "48000"),
    "a rate as text": ({"parameters": {"sample_rate": "24000"}}, "48000"),
    "parameters in a list": ({"parameters": []}, "'parameters' is an object"),
    "a cloned target": ({"target_model": VC}, "may be one of"),
}


def refused(service, ask, given, words):
    reply = ask(**given)
    assert refusal(reply) == (400, "InvalidParameter")
    assert words in reply.json()["message"]
    assert service.emulator.voices("sk-test") == []


@pytest.mark.parametrize("case", WRONG_FOR_BOTH | WRONG_FOR_CLONING)
def test_wrong_fields_of_cloning(service, case):
    """A missing or wrong field is refused by name, and no voice is made."""
    refused(service, service.clone, *(WRONG_FOR_BOTH | WRONG_FOR_CLONING)[case])


@pytest.mark.parametrize("case", WRONG_FOR_BOTH | WRONG_FOR_DESIGN)
def test_wrong_fields_of_design(service, case):
    """A missing or wrong field is refused by name, and no voice is made."""
    refused(service, service.design, *(WRONG_FOR_BOTH | WRONG_FOR_DESIGN)[case])


def test_a_shortest_preview_can_be_set(serve):
    """A sibling of the service wants 15 characters, and so can this one."""
    service = serve(least_preview_characters=15)
    reply = service.design(preview_text="Good morning!")
    assert refusal(reply) == (400, "InvalidParameter")
    assert "preview_text should not be shorter than 15" in reply.json()["message"]
    made(service.design(preview_text="Good morning!!!"))


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b"{", 400, "InvalidParameter", "no JSON"),
        ({"input": {"action": "list"}}, 400, "InvalidParameter", "'model'"),
        ({"model": ENROL}, 400, "InvalidParameter", "'input'"),
        ({"model": ENROL, "input": {}}, 400, "InvalidParameter", "create, list, delete"),
        (
            {"model": DESIGN, "input": {"action": "create_voice"}},
            400,
            "InvalidParameter",
            "create, list, query, delete",
        ),
        (
            # Nobody documents it for cloned voices.
            {"model": ENROL, "input": {"action": "query", "voice": "a"}},
            400,
            "InvalidParameter",
            "create, list, delete",
        ),
        ({"model": DESIGN, "input": {"action": ["list"]}}, 400, "InvalidParameter", "'input.act"),
        ({"model": "voice-enrollment", "input": {}}, 404, "ModelNotFound", "'voice-enrollment'"),
        ({"model": VC, "input": {}}, 400, "InvalidParameter", "url error, please check url"),
        ({"model": DESIGN, "input": {"action": "query"}}, 400, "InvalidParameter", "'input.voice'"),
        (b" " * ((1 << 24) + 1), 413, "InvalidParameter", "16777216"),
    ],
)
def test_unusable_requests(service, body, status, code, words):
    """What is no request for one of the documented actions is refused."""
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = {"authorization": "Bearer sk-test"}
    reply = service.http.post(service.customization, headers=headers, **content)
    assert refusal(reply) == (status, code)
    assert words in reply.json()["message"]


# --- recordings --------------------------------------------------------------


def silence(seconds, rate_hz=24_000):
    return bytes(int(seconds * rate_hz) * 2)


def mp3(samples, rate_hz):
    import soundfile

    made = io.BytesIO()
    with soundfile.SoundFile(
        made, "w", rate_hz, 1, format="MP3", subtype="MPEG_LAYER_III"
    ) as sound:
        sound.buffer_write(samples, dtype="int16")
    return made.getvalue()


def box(kind, *inner):
    held = b"".join(inner)
    return (len(held) + 8).to_bytes(4, "big") + kind + held


def m4a(seconds=4, rate_hz=44_100, kind=b"soun"):
    """Return the container of an M4A without audio."""
    header = bytes(12) + rate_hz.to_bytes(4, "big") + (rate_hz * seconds).to_bytes(4, "big")
    entry = box(b"mp4a", bytes(24), rate_hz.to_bytes(2, "big"), bytes(2))
    table = box(b"stsd", bytes(4), b"\0\0\0\1", entry)
    media = box(
        b"mdia",
        box(b"mdhd", header),
        box(b"hdlr", bytes(8), kind, bytes(12)),
        box(b"minf", box(b"stbl", table)),
    )
    return box(b"ftyp", b"M4A ", bytes(4)) + box(b"moov", box(b"trak", media))


RECORDINGS = {
    "3 s": lambda s: s.recording(3.0),
    "60 s": lambda s: s.recording(60.0),
    "two channels": lambda s: s.data_url(s.wav_of(s.tone(4, channels=2), channels=2)),
    "48 kHz": lambda s: s.recording(4.0, peak=400),
    "a pause of 2 s": lambda s: s.data_url(s.wav_of(s.tone(2) + silence(2) + s.tone(2))),
    "MP3": lambda s: s.data_url(mp3(s.tone(4, 44_100), 44_100), "audio/mpeg"),
    "M4A": lambda s: s.data_url(m4a(), "audio/mp4"),
    "upper case": lambda s: s.recording().replace("data:audio/wav", "DATA:Audio/WAV"),
}


@pytest.mark.parametrize("case", RECORDINGS)
def test_recordings(service, case):
    """A recording that is as the pages want it is accepted."""
    made(service.clone(audio={"data": RECORDINGS[case](service)}))


DECODER, RATE = "Audio.DecoderError", "Audio.AudioRateError"
DURATION, UNUSABLE = "Audio.DurationLimitError", "Audio.PreprocessError"
BAD_RECORDINGS = {
    "no base64": (lambda s: "data:audio/wav;base64,%%%", DECODER),
    "a sign within base64": (lambda s: s.recording()[:999] + "%" + s.recording()[999:], DECODER),
    "nothing": (lambda s: "data:audio/wav;base64,", DECODER),
    "no WAV": (lambda s: s.data_url(b"RIFF but no WAVE" * 9), DECODER),
    "no samples": (lambda s: s.data_url(s.wav_of(b"")), DECODER),
    "8 bits": (lambda s: s.data_url(s.wav_of(s.tone(2), width=1)), DECODER),
    "WAV as MP3": (lambda s: s.data_url(s.wav_of(s.tone()), "audio/mpeg"), DECODER),
    "MP3 as WAV": (lambda s: s.data_url(mp3(s.tone(4), 24_000)), DECODER),
    "no M4A": (lambda s: s.data_url(b"\0\0\0\x08ftyp", "audio/mp4"), DECODER),
    "WAV as M4A": (lambda s: s.data_url(s.wav_of(s.tone()), "audio/mp4"), DECODER),
    "half an M4A": (lambda s: s.data_url(m4a()[:90], "audio/mp4"), DECODER),
    "a film": (lambda s: s.data_url(m4a(kind=b"vide"), "audio/mp4"), DECODER),
    "22.05 kHz": (lambda s: s.data_url(s.wav_of(s.tone(4), 22_050)), RATE),
    "MP3 of 16 kHz": (lambda s: s.data_url(mp3(s.tone(4, 16_000), 16_000), "audio/mpeg"), RATE),
    "M4A of 16 kHz": (lambda s: s.data_url(m4a(rate_hz=16_000), "audio/mp4"), RATE),
    "60.1 s": (lambda s: s.recording(60.1), DURATION),
    "150 s": (lambda s: s.recording(150.0), DURATION),
    "M4A of 61 s": (lambda s: s.data_url(m4a(61), "audio/mp4"), DURATION),
    "2.9 s": (lambda s: s.recording(2.9), UNUSABLE),
    "2 s in two channels": (
        lambda s: s.data_url(s.wav_of(s.tone(2, channels=2), channels=2)),
        UNUSABLE,
    ),
    "M4A of 2 s": (lambda s: s.data_url(m4a(2), "audio/mp4"), UNUSABLE),
    "silence": (lambda s: s.data_url(s.wav_of(silence(5))), UNUSABLE),
    "almost silence": (lambda s: s.recording(5.0, peak=300), UNUSABLE),
    "a pause of 2.1 s": (
        lambda s: s.data_url(s.wav_of(s.tone(2) + silence(2.1) + s.tone(2))),
        UNUSABLE,
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDINGS)
def test_bad_recordings(service, case):
    """A recording that is none, or too slow, long or short, is refused with its code."""
    make, code = BAD_RECORDINGS[case]
    assert refusal(service.clone(audio={"data": make(service)})) == (400, code)
    assert service.emulator.voices("sk-test") == []


def test_silence_is_told(service):
    """Silence is told apart from speech that is too short."""
    silent = service.clone(audio={"data": service.data_url(service.wav_of(silence(5)))})
    assert "silent" in silent.json()["message"]
    short = service.clone(audio={"data": service.recording(2.0)})
    assert short.json()["message"] == "No segments meet minimum duration requirement."


def test_size_of_a_recording(service):
    """A data URL of 10 MB is refused before it is decoded."""
    reply = service.clone(audio={"data": "data:audio/wav;base64,".ljust(10_000_000, "A")})
    assert refusal(reply) == (400, "InvalidParameter")
    assert "10000000" in reply.json()["message"]
    with pytest.raises(Refused) as caught:
        read_recording("data:audio/wav;base64,".ljust(9_999_998, "A"), 10_000_000)
    assert caught.value.code == DECODER


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Good morning to all of you, and welcome back.", True),
        ("各位听众朋友，大家好。", True),
        ("Yes.", False),
        ("word " * 60, False),
        ("好" * 70, False),
        ("?!", False),
    ],
)
def test_transcripts(service, text, fits):
    """A transcript that nobody could say in that time, or would take so long, is refused."""
    reply = service.clone(text=text)
    if fits:
        made(reply)
    else:
        assert refusal(reply) == (400, UNUSABLE)


# --- listing -----------------------------------------------------------------


def test_list_of_cloned_voices(serve):
    """Cloned voices are listed without a total, with a language where one was given."""
    clock = Clock()
    service = serve(clock=clock)
    first = made(service.clone(language="en"))
    clock.now += 2
    second = made(service.clone())
    made(service.design())
    body = service.manage(ENROL, "list").json()
    assert body["output"] == {
        "voice_list": [
            {"voice": second, "gmt_create": "2026-01-02 03:04:07", "target_model": VC},
            {
                "voice": first,
                "gmt_create": "2026-01-02 03:04:05",
                "target_model": VC,
                "language": "en",
            },
        ]
    }
    assert body["usage"] == {"count": 0}


def test_list_of_designed_voices(serve):
    """Designed voices are listed with all that is known, and with a total."""
    service = serve(clock=Clock())
    made(service.clone())
    voice = made(service.design())
    told = {
        "voice": voice,
        "target_model": VD,
        "language": "en",
        "voice_prompt": "A calm old man.",
        "preview_text": "Good morning to all of you.",
        "gmt_create": "2026-01-02 03:04:05",
        "gmt_modified": "2026-01-02 03:04:05",
    }
    assert service.manage(DESIGN, "list", page_size=3).json()["output"] == {
        "page_index": 0,
        "page_size": 3,
        "total_count": 1,
        "voice_list": [told],
    }
    body = service.manage(DESIGN, "query", voice=voice).json()
    assert (body["output"], body["usage"]) == (told, {"count": 0})


@pytest.mark.parametrize(("model", "target"), [(ENROL, VC), (DESIGN, VD)])
def test_pages(service, model, target):
    """Pages are cut from the newest to the oldest; 10 are on one where no size is given."""
    ids = [service.emulator.make_voice(target, "sk-test") for _ in range(13)][::-1]
    assert names(service.manage(model, "list")) == ids[:10]
    assert names(service.manage(model, "list", page_index=1)) == ids[10:]
    assert names(service.manage(model, "list", page_index=2, page_size=5)) == ids[10:]
    assert names(service.manage(model, "list", page_index=3, page_size=5)) == []
    assert names(service.manage(model, "list", page_size=1_000_000)) == ids
    if model == DESIGN:
        reply = service.manage(model, "list", page_index=1, page_size=5)
        assert reply.json()["output"]["total_count"] == 13


@pytest.mark.parametrize(
    ("model", "given", "fits"),
    [
        (ENROL, {"page_index": 1_000_000, "page_size": 0}, True),
        (ENROL, {"page_index": 1_000_001}, False),
        (ENROL, {"page_size": 1_000_001}, False),
        (ENROL, {"page_index": -1}, False),
        (ENROL, {"page_size": True}, False),
        (ENROL, {"page_size": "10"}, False),
        (DESIGN, {"page_index": 200, "page_size": 1}, True),
        (DESIGN, {"page_index": 201}, False),
        (DESIGN, {"page_size": 0}, False),
        (DESIGN, {"page_size": 1.5}, False),
    ],
)
def test_limits_of_pages(service, model, given, fits):
    """Each kind of list has limits of its own."""
    reply = service.manage(model, "list", **given)
    assert (reply.status_code == 200) is fits
    if not fits:
        assert refusal(reply) == (400, "InvalidParameter")


# --- deleting ----------------------------------------------------------------


@pytest.mark.parametrize("way", ["clone", "design"])
def test_deleting(service, way):
    """A deleted voice is gone, and is not found a second time, nor by the model of the other."""
    model, other = (ENROL, DESIGN) if way == "clone" else (DESIGN, ENROL)
    voice, kept = made(getattr(service, way)()), made(getattr(service, way)())
    assert refusal(service.manage(other, "delete", voice=voice))[1] == "BadRequest.VoiceNotFound"
    body = service.manage(model, "delete", voice=voice).json()
    assert body == {"usage": {"count": 0}, "request_id": body["request_id"]}
    assert names(service.manage(model, "list")) == [kept]
    reply = service.manage(model, "delete", voice=voice)
    assert refusal(reply) == (400, "BadRequest.VoiceNotFound")
    assert reply.json()["message"] == f"Voice '{voice}' not found."


def test_a_missing_voice_in_the_other_form(serve):
    """A missing voice can be told by a code in an answer with 200."""
    service = serve(missing_voice="code")
    for model, action in ((ENROL, "delete"), (DESIGN, "delete"), (DESIGN, "query")):
        reply = service.manage(model, action, voice="qwen-tts-vd-x-voice-1-0000")
        assert refusal(reply) == (200, "VoiceNotFound")
        assert "output" not in reply.json()


@pytest.mark.parametrize("voice", ["\ud800", "声音", "a\0b", "' OR 1=1 --"])
def test_odd_ids(service, voice):
    """An id that can be none is not found, whatever signs are in it."""
    made(service.design())
    for action in ("query", "delete"):
        assert refusal(service.manage(DESIGN, action, voice=voice))[0] == 400
    assert refusal(service.ask(model=VD, voice=voice)) == (400, "InvalidParameter")
    assert len(service.emulator.voices("sk-test")) == 1


# --- whose, how many, how long -----------------------------------------------


def test_each_key_has_its_own(service):
    """Nobody sees, deletes or speaks with another key's voice."""
    voice = made(service.clone())
    assert names(service.manage(ENROL, "list", key="sk-other")) == []
    reply = service.manage(ENROL, "delete", key="sk-other", voice=voice)
    assert refusal(reply)[1] == "BadRequest.VoiceNotFound"
    other = {"authorization": "Bearer sk-other"}
    asked = {"model": VC, "voice": voice}
    assert refusal(service.ask(headers=other, **asked)) == (400, "InvalidParameter")
    assert service.ask(**asked).status_code == 200


def test_each_region_has_its_own(serve, tmp_path):
    """A key of another region is refused; a store that regions share keeps them apart."""
    path = str(tmp_path / "voices.sqlite")
    keys = {"cn-beijing": ["sk-north"], "ap-southeast-1": ["sk-test"]}
    north = serve(keys=keys, voices_path=path)
    south = serve(keys=keys, voices_path=path, region="ap-southeast-1")
    assert refusal(north.clone()) == (401, "InvalidApiKey")
    voice = made(south.clone())
    assert names(north.manage(ENROL, "list", key="sk-north")) == []
    unlisted = serve(voices_path=path)
    assert names(unlisted.manage(ENROL, "list")) == []
    assert names(south.manage(ENROL, "list")) == [voice]


def test_a_store_outlives_its_emulator(serve, tmp_path):
    """Voices in a file are there for the next emulator, and the file holds no secret."""
    path = tmp_path / "voices.sqlite"
    first = serve(voices_path=str(path))
    voice = made(first.clone(text="A secret sentence of mine.", key="sk-canary"))
    first.emulator._emulator.close()
    second = serve(voices_path=str(path))
    assert second.emulator.voices("sk-canary") == [voice]
    written = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert voice.encode() in written
    for secret in (b"sk-canary", b"secret sentence", first.recording().encode()[-40:]):
        assert secret not in written


def test_quota(serve):
    """A key may have so many voices, cloned and designed ones together; deleting makes room."""
    service = serve(voice_quota=2)
    first = made(service.clone())
    made(service.design())
    for ask in (service.clone, service.design):
        assert refusal(ask()) == (429, "Throttling.AllocationQuota")
    made(service.clone(key="sk-other"))
    service.manage(ENROL, "delete", voice=first)
    made(service.design())


def test_usual_quota():
    """The quota is that of the pages."""
    from vivavoce_qwen.tables import management
    from vivavoce_qwen_emulator import Settings

    assert {row.voices_per_account for row in management().values()} == {Settings().voice_quota}
    assert {row.unused_deleted_after_days for row in management().values()} == {365}


def test_unused_voices_are_gone_after_a_year(serve):
    """A voice is gone 365 days after it was made or spoke last; nothing else counts as use."""
    clock = Clock()
    service = serve(clock=clock)
    idle, spoken, refused_one = (made(service.clone()) for _ in range(3))
    clock.now += YEAR_S - 1
    assert len(names(service.manage(ENROL, "list"))) == 3
    assert service.ask(model=VC, voice=spoken).status_code == 200
    asked = {"model": VC, "voice": refused_one, "language_type": "Klingon"}
    assert service.ask(**asked).status_code == 400
    clock.now += 1
    assert service.emulator.voices("sk-test") == [spoken]
    assert refusal(service.ask(model=VC, voice=idle)) == (400, "InvalidParameter")
    assert refusal(service.manage(ENROL, "delete", voice=idle))[1] == "BadRequest.VoiceNotFound"
    clock.now += YEAR_S - 1
    assert service.emulator.voices("sk-test") == []


def test_rate_limit(serve):
    """Requests about voices are counted for their own model."""
    service = serve(rpm=1)
    assert service.manage(ENROL, "list").status_code == 200
    assert refusal(service.manage(ENROL, "list")) == (429, "Throttling.RateQuota")
    assert service.manage(DESIGN, "list").status_code == 200


def test_at_once(serve):
    """Many requests at once neither exceed the quota nor make two voices of one id."""
    from concurrent.futures import ThreadPoolExecutor

    service = serve(voice_quota=20, clock=Clock())
    there = {"data": "https://example.org/ann.wav"}
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: service.clone(audio=there), range(30)))
    assert sorted(reply.status_code for reply in replies) == [200] * 20 + [429] * 10
    assert len(set(service.emulator.voices("sk-test"))) == 20


def test_ids_that_collide(serve, monkeypatch):
    """An id that there is already is not given again."""
    from vivavoce_qwen_emulator import voices

    digits = iter(["0a1b", "0a1b", "0a1b", "2c3d"])
    monkeypatch.setattr(voices.secrets, "token_hex", lambda _: next(digits))
    service = serve(clock=Clock())
    ids = [service.emulator.make_voice(VC, "sk-test") for _ in range(2)]
    assert [voice[-4:] for voice in ids] == ["0a1b", "2c3d"]


# --- given beforehand --------------------------------------------------------


def test_voices_given_beforehand(serve):
    """Every key has them from the beginning; one that is deleted does not come back by itself."""
    voice = "qwen-tts-vc-contract-voice-20260101000000000-0a1b"
    realtime = "qwen3-tts-vc-realtime-2026-01-15"
    service = serve(voices={VC: [voice], realtime: [voice]})
    for key in ("sk-one", "sk-two"):
        bearer = {"authorization": f"Bearer {key}"}
        assert service.ask(model=VC, voice=voice, headers=bearer).status_code == 200
        assert set(service.emulator.voices(key)) == {voice}
    assert service.manage(ENROL, "delete", key="sk-one", voice=voice).status_code == 200
    assert (service.emulator.voices("sk-one"), len(service.emulator.voices("sk-two"))) == ([], 2)
    made(service.clone(key="sk-one"))
    service.emulator.forget_voices()
    assert service.emulator.voices("sk-one") == [voice, voice]


@pytest.mark.parametrize(
    "settings",
    [
        {"voices": {"qwen3-tts-flash": ["qwen-tts-vc-a"]}},
        {"voices": {VC: ["qwen-tts-vd-a"]}},
        {"voices": {VC: ["qwen-tts-vc-"]}},
        {"voices": {"": []}},
        {"voice_quota": -1},
        {"missing_voice": "maybe"},
        {"least_preview_characters": -1},
    ],
)
def test_unusable_settings(settings):
    """A voice given to a model that cannot have it is refused, and so are other such values."""
    from vivavoce_qwen_emulator import Settings

    with pytest.raises(ValueError, match="is unusable"):
        Settings(**settings)


def test_a_voice_made_for_a_model_without(service):
    """A test that makes a voice for a model of stock voices is told so."""
    with pytest.raises(ValueError, match="neither cloned nor designed"):
        service.emulator.make_voice("qwen3-tts-flash", "sk-test")


# --- speaking ----------------------------------------------------------------

REALTIME = {VC: "qwen3-tts-vc-realtime-2026-01-15", VD: "qwen3-tts-vd-realtime-2026-01-15"}
OLDER = {VC: "qwen3-tts-vc-realtime-2025-11-27", VD: "qwen3-tts-vd-realtime-2025-12-16"}


def said(service, model, voice):
    """Return how a session speaks with a voice."""
    with service.talk(model) as talk:
        talk.update(voice=voice)
        talk.append("Hello there.")
        talk.commit()
        talk.finish()
        return b"".join(service.deltas(talk.until("session.finished")))


@pytest.mark.parametrize(("ask", "target"), [("clone", VC), ("design", VD)])
def test_speaking_with_the_bound_model(service, ask, target):
    """A voice speaks in every way that its model has, and with no other model."""
    other, realtime, older = {VC: VD, VD: VC}[target], REALTIME[target], OLDER[target]
    voice = made(getattr(service, ask)())
    streamed = service.pcm(model=target, voice=voice)
    assert service.wav(model=target, voice=voice).content[44:] == streamed
    for model in (other, "qwen3-tts-flash"):
        reply = service.ask(model=model, voice=voice)
        assert refusal(reply) == (400, "InvalidParameter")
        assert reply.json()["message"].startswith(
            "Invalid voice specified, the requested voice does not exist or is not licensed for use"
        )
    session_voice = made(getattr(service, ask)(target_model=realtime))
    assert len(said(service, realtime, session_voice)) > 24_000
    assert service.ask(model=target, voice=session_voice).status_code == 400
    for model, wrong in ((realtime, voice), (older, session_voice)):
        with service.talk(model) as talk:
            talk.update(voice=wrong)
            talk.append("Hello there.")
            talk.commit()
            events = talk.until("error")
        assert events[-1]["error"]["message"] == "[qwen-tts:]Engine return error code: 411"


def test_sessions_keep_a_voice(serve):
    """Speaking in a session keeps a voice for another year."""
    clock = Clock()
    service = serve(clock=clock)
    voice = service.emulator.make_voice(REALTIME[VC], "sk-test")
    clock.now += YEAR_S - 1
    assert said(service, REALTIME[VC], voice)
    clock.now += 1
    assert service.emulator.voices("sk-test") == [voice]


def test_own_voices_can_be_told_apart():
    """Voices that were made have timbres that no other voice has, cloned ones and designed ones."""
    from vivavoce_qwen import tables
    from vivavoce_qwen_emulator.checks import Order
    from vivavoce_qwen_emulator.speech import manner_of

    def manner(model, voice):
        order = Order(
            model=tables.models()[model], voice=voice, text="Hi.", language_type="English"
        )
        return manner_of(order)

    stock = {manner("qwen3-tts-flash", voice).variant for voice in tables.voices()}
    cloned = [manner(VC, f"qwen-tts-vc-a-voice-{number}-0000") for number in range(100)]
    designed = [manner(VD, f"qwen-tts-vd-a-voice-{number}-0000") for number in range(100)]
    families = [stock, *({each.variant for each in made} for made in (cloned, designed))]
    assert sum(map(len, families)) == len(set.union(*families))
    assert len(set(cloned)) > 75
    assert len(set(designed)) > 60
    again = manner(VC, "qwen-tts-vc-a-voice-1-0000")
    assert again == cloned[1] == manner(REALTIME[VC], "qwen-tts-vc-a-voice-1-0000")


@pytest.mark.slow
def test_every_timbre_speaks():
    """Each timbre of a voice that was made is one the engine has, and is heard."""
    from vivavoce import Client, Settings
    from vivavoce_qwen_emulator.speech import _MADE

    spoken = set()
    with Client("espeak", settings=Settings()) as client:
        for variant in (name for names in _MADE.values() for name in names):
            audio = client.synthesize("Hi.", voice="en-US", options={"variant": variant})
            assert max(array("h", audio.data)) > 3_000, variant
            spoken.add(audio.data)
    assert len(spoken) == sum(map(len, _MADE.values()))


# --- what is written down ----------------------------------------------------


def test_recordings_and_transcripts_are_not_written_down(service):
    """The journal tells size and hash of a recording and of a transcript, and neither of both."""
    import hashlib

    raw = service.wav_of(service.tone())
    text = "A secret sentence of mine."
    made(service.clone(audio={"data": service.data_url(raw)}, text=text))
    body = service.emulator.requests()[0].body["input"]
    assert body["audio"]["data"] == {
        "kind": "data URL",
        "characters": len(service.data_url(raw)),
        "sha256": hashlib.sha256(service.data_url(raw).encode()).hexdigest(),
        "media_type": "audio/wav",
        "bytes": len(raw),
        "bytes_sha256": hashlib.sha256(raw).hexdigest(),
    }
    assert body["text"] == {
        "kind": "transcript",
        "characters": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    assert (body["action"], body["preferred_name"]) == ("create", "ann")


MISPLACED = {
    "an address": {"audio": {"data": "https://example.org/a.wav?Signature=canary"}},
    "a field of its own": {"url": "canary"},
    "a string": {"audio": "canary"},
    "no data URL": {"audio": {"data": "canary"}},
    "broken base64": {"audio": {"data": "data:audio/wav;base64,canary%%"}},
    "a list": {"audio": [["canary"]]},
    "deeper": {"audio": {"data": {"text": ["canary"]}}},
    "an address anywhere": {"voice_prompt": "https://example.org/canary"},
    "anywhere, if long": {"voice_prompt": "canary" * 1_000},
}


@pytest.mark.parametrize("case", MISPLACED)
def test_misplaced_recordings_are_not_written_down(service, case):
    """A recording in the wrong place is not written down either."""
    service.clone(**MISPLACED[case])
    assert "canary" not in str(service.emulator.requests())


def test_unreadable_bodies_are_not_written_down(service):
    """What cannot be read might hold anything."""
    headers = {"authorization": "Bearer sk-test"}
    service.http.post(service.customization, content=b'{"text": "canary', headers=headers)
    (request,) = service.emulator.requests()
    assert (request.body["kind"], request.body["characters"]) == ("body", 16)
    assert "canary" not in str(request)


def test_descriptions_are_written_down(service):
    """What a voice is to be like is nobody's secret."""
    service.design()
    body = service.emulator.requests()[0].body["input"]
    assert (body["voice_prompt"], body["preview_text"]) == (
        "A calm old man.",
        "Good morning to all of you.",
    )
