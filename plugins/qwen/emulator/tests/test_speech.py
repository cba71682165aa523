import pytest

from vivavoce_qwen import tables
from vivavoce_qwen_emulator.checks import Order
from vivavoce_qwen_emulator.speech import guess_language, manner_of


def order(voice="Cherry", text="Hello.", language="Auto", **more):
    model = tables.models()["qwen3-tts-instruct-flash"]
    return Order(model=model, voice=voice, text=text, language_type=language, **more)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello.", "en"),
        ("你好。", "zh"),
        ("日本語です。", "ja"),
        ("안녕 漢字", "ko"),
        ("Привет", "ru"),
        ("123", "en"),
    ],
)
def test_language_of_a_script(text, language):
    """Without a language, the script decides."""
    assert guess_language(text) == language


@pytest.mark.parametrize(
    ("voice", "language", "engine_voice"),
    [
        ("Cherry", "English", "en-US"),
        ("Cherry", "Chinese", "cmn"),
        ("Kiki", "Chinese", "yue"),
        ("Kiki", "English", "en-US"),
        ("Dylan", "Chinese", "cmn"),
        ("Cherry", "French", "fr-FR"),
        ("Cherry", "Japanese", "ja"),
    ],
)
def test_voice_of_a_language(voice, language, engine_voice):
    """The language chooses the engine's voice, and for Chinese the voice's variety does too."""
    assert manner_of(order(voice, language=language)).voice == engine_voice


def test_every_language_is_spoken(service):
    """Each language the models have is spoken, and each otherwise."""
    languages = tables.models()["qwen3-tts-flash"].languages
    spoken = {service.wav(text="Radio 12", language_type=name).content for name in languages}
    assert len(spoken) == len(languages) == 10


def test_timbre_fits_the_gender():
    """A woman's voice has a woman's timbre, a man's a man's."""
    for voice in tables.voices().values():
        assert manner_of(order(voice.id)).variant[0] == voice.gender[0]


def test_voices_can_be_told_apart():
    """Hardly any two voices sound the same."""
    manners = [manner_of(order(name)) for name in tables.voices()]
    assert len(set(manners)) > 0.8 * len(manners)


def test_same_is_the_same_in_any_process():
    """A voice's manner does not change from one process to the next."""
    manner = manner_of(order("Cherry"))
    assert (manner.variant, manner.pitch_semitones) == ("f2", -1.0)


def test_same_again(service, serve):
    """The same is spoken the same, by another emulator and as another model too."""
    pcm = service.pcm()
    assert serve().pcm() == pcm
    assert service.pcm(model="qwen3-tts-flash-2025-09-18") == pcm
    assert service.pcm(voice="Ethan") != pcm


@pytest.mark.parametrize(
    ("instructions", "is_longer"), [("Speak slowly.", True), ("语速快一点", False)]
)
def test_instructions_change_the_rate(service, instructions, is_longer):
    """Words such as slowly change the rate, where the model heeds instructions."""
    asked = {"text": "One two three four five six."}
    plain = service.pcm(model="qwen3-tts-instruct-flash", **asked)
    told = service.pcm(model="qwen3-tts-instruct-flash", instructions=instructions, **asked)
    assert (len(told) > 1.05 * len(plain)) if is_longer else (len(told) < 0.95 * len(plain))
    assert service.pcm(instructions=instructions, **asked) == service.pcm(**asked)


def test_instructions_change_the_pitch():
    """Words such as deep change the pitch."""
    plain, deep = manner_of(order()), manner_of(order(instructions="A deep voice."))
    assert plain.pitch_semitones - deep.pitch_semitones == 1.5


@pytest.mark.parametrize(
    ("more", "field", "expected"),
    [
        ({"speech_rate": 0.5}, "rate_ratio", 0.5),
        ({"volume": 50}, "volume_db", 0.0),
        ({"volume": 100}, "volume_db", 6.0),
        ({"volume": 0}, "volume_db", -60.0),
        ({"pitch_rate": 2.0}, "pitch_semitones", 8.0),
        ({"pitch_rate": 0.5}, "pitch_semitones", -6.0),
    ],
)
def test_prosody_ends_where_the_engine_does(more, field, expected):
    """A wish beyond what the engine can do is heeded as far as it can."""
    assert getattr(manner_of(order("Ethan", **more)), field) == pytest.approx(expected, abs=0.1)
