import asyncio
import concurrent.futures
import itertools
import threading
import wave
from array import array

import pytest

import vivavoce
import vivavoce_espeak
from vivavoce import AsyncClient, Client, InvalidValue, UnknownLanguage, UnknownVoice
from vivavoce.model.report import End
from vivavoce.registry import Registry
from vivavoce.settings import Settings
from vivavoce_espeak._engine import engine
from vivavoce_espeak._languages import voice_tags
from vivavoce_espeak._table import LANGUAGES, VARIANTS

SENTENCES = (
    "The first sentence is short. The second one follows it, after a pause! Is this the third?"
)


@pytest.fixture
def client():
    """A client of the espeak provider alone."""
    with Client("espeak", registry=Registry.of(vivavoce_espeak), settings=Settings()) as client:
        yield client


def peak(data):
    return max(map(abs, array("h", data)))


def test_is_the_default():
    """Installed, it is what speaks when nobody is named."""
    with Client(settings=Settings()) as client:
        assert client.provider.name == "espeak"


def test_speaks(client):
    """A sentence is spoken audibly, at the rate of speech, faster than it is heard."""
    audio = client.synthesize("Hello world, this is one sentence.")
    assert 1.5 < audio.duration_s < 4.0
    assert peak(audio.data) > 5_000
    assert audio.report.rtf < 1
    assert (audio.report.end, audio.format.sample_rate_hz) == (End.COMPLETE, 22_050)


def test_word_marks_name_the_words(client):
    """Word marks name each word of the text, in order, inside the audio."""
    audio = client.synthesize(SENTENCES)
    words = [m for m in audio.marks if m.kind == "word"]
    said = [SENTENCES[m.text_start : m.text_end] for m in words]
    assert [w.strip(".,!?") for w in SENTENCES.split()] == said
    assert all(0 <= m.start_s < m.end_s <= audio.duration_s for m in words)
    assert [m.start_s for m in words] == sorted(m.start_s for m in words)
    assert {"native"} == {m.origin for m in words}


def test_sentence_marks_name_the_sentences(client):
    """Sentence marks name each sentence whole, and lie end to end."""
    audio = client.synthesize(SENTENCES)
    sentences = [m for m in audio.marks if m.kind == "sentence"]
    assert [SENTENCES[m.text_start : m.text_end] for m in sentences] == [
        "The first sentence is short.",
        "The second one follows it, after a pause!",
        "Is this the third?",
    ]
    assert sentences[0].start_s == 0.0
    assert pytest.approx(audio.duration_s) == sentences[-1].end_s
    for one, next_ in itertools.pairwise(sentences):
        assert pytest.approx(one.end_s) == next_.start_s


def test_long_text_sounds_as_spoken_whole(client):
    """A text in many requests lasts as long as in one, and its marks index the whole."""
    text = " ".join(f"Here is sentence number {n}, as long as the others." for n in range(1, 180))
    audio = client.synthesize(text)
    assert audio.report.segments >= 3
    whole = []
    engine().speak(text, voice="en-us", on_audio=lambda data: whole.append(data) or True)
    whole_s = sum(map(len, whole)) / 2 / 22_050
    assert pytest.approx(whole_s, rel=0.002) == audio.duration_s
    words = [text[m.text_start : m.text_end] for m in audio.marks if m.kind == "word"]
    assert [w.strip(".,") for w in text.split()] == words


def test_first_chunk_comes_while_the_engine_runs(client):
    """The first chunk is a small part of the speech, not the whole."""
    with client.stream(
        "This is a rather long sentence, so that the engine has work. " * 10
    ) as stream:
        first = next(stream)
        rest = sum(len(chunk.data) for chunk in stream)
        assert rest > 4 * len(first.data) > 0


def test_leaving_stops_the_engine(client):
    """Leaving the stream ends the engine's thread and what it would have said."""
    with client.stream("A sentence that goes on. " * 2_000) as stream:
        next(stream)
    assert End.CANCELLED is stream.report.end
    assert "vivavoce-engine" not in [thread.name for thread in threading.enumerate()]


def test_both_faces_give_the_same(client):
    """Sync and async give the same bytes and marks."""

    async def speak():
        registry = Registry.of(vivavoce_espeak)
        async with AsyncClient("espeak", registry=registry, settings=Settings()) as other:
            return await other.synthesize(SENTENCES * 20)

    one, two = client.synthesize(SENTENCES * 20), asyncio.run(speak())
    assert one.data == two.data
    assert one.marks == two.marks


def test_streams_side_by_side_never_mix(client):
    """Speech made in eight threads at once is, byte for byte, what it is alone."""
    texts = [f"Thread number {n} says {n * 111} in its own words." * 3 for n in range(8)]
    alone = [client.synthesize(text).data for text in texts]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: client.synthesize(text).data, texts))
    assert alone == together


def test_a_slow_reader_holds_nobody_up(client):
    """While one stream is read no further, another one is spoken whole."""
    with client.stream("A sentence that goes on. " * 500) as slow:
        next(slow)
        assert client.synthesize("Meanwhile.").duration_s > 0.3
        assert next(slow).data


@pytest.mark.parametrize(("rate", "low", "high"), [(0.5, 1.7, 2.3), (2.0, 0.42, 0.58)])
def test_rate(client, rate, low, high):
    """Speech at half and at double rate lasts about twice and half as long."""
    normal = client.synthesize(SENTENCES).duration_s
    assert low < client.synthesize(SENTENCES, rate=rate).duration_s / normal < high


def test_pitch_and_volume_change_the_sound(client):
    """Pitch changes the samples but hardly the time; volume the level."""
    normal = client.synthesize(SENTENCES)
    high = client.synthesize(SENTENCES, pitch=6)
    quiet = client.synthesize(SENTENCES, volume=-12)
    assert normal.data != high.data
    assert pytest.approx(normal.duration_s, rel=0.05) == high.duration_s
    assert 0.15 < peak(quiet.data) / peak(normal.data) < 0.4
    assert quiet.report.warnings == ()


def test_nothing_leaks_into_the_next(client):
    """After odd wishes a plain call sounds as it did before them."""
    before = client.synthesize(SENTENCES).data
    client.synthesize(SENTENCES, rate=3, pitch=8, volume=-20, voice="fr-FR")
    assert before == client.synthesize(SENTENCES).data


def test_ssml_with_marks(client):
    """SSML is understood, and its marks come as bookmarks where they stand."""
    text = '<speak>One <mark name="here"/> two <break time="2s"/> three.</speak>'
    audio = client.synthesize(text, ssml=True, marks=["bookmark"])
    (mark,) = [m for m in audio.marks if m.kind == "bookmark"]
    assert mark.value == "here"
    plain = client.synthesize("One two three.")
    assert 1.5 < audio.duration_s - plain.duration_s < 2.6
    words = [text[m.text_start : m.text_end] for m in audio.marks if m.kind == "word"]
    assert words == ["One", "two", "three"]


def test_ssml_captions_show_no_markup(client, tmp_path):
    """Captions of SSML show what is said, without tags."""
    text = '<speak>This is <emphasis level="strong">very</emphasis> nice. Bread &amp; tea.</speak>'
    client.save(text, tmp_path / "a.wav", ssml=True, captions=tmp_path / "a.srt")
    captions = " ".join((tmp_path / "a.srt").read_text("utf-8").split())
    assert "This is very nice." in captions
    assert "Bread & tea." in captions
    assert "<" not in captions


def test_ssml_is_bounded(client):
    """SSML too long for one request is refused before anything is spoken."""
    with (
        pytest.raises(InvalidValue, match="50000"),
        client.stream(f"<speak>{'word ' * 11_000}</speak>", ssml=True) as stream,
    ):
        next(stream)


def test_lists_the_engines_own_table(client):
    """The languages and variants on the card are those of the engine's own table."""
    tags = {
        tag
        for voice in engine().voices()
        for tag in voice_tags(voice.identifier, (code for code, _ in voice.languages))
    }
    assert sorted(tags) == list(LANGUAGES) == list(client.capabilities().languages.values)
    assert sorted(v.identifier.removeprefix("!v/") for v in engine().variants()) == list(VARIANTS)


def test_voice_ids_are_unique(client):
    """Each voice has an id of its own."""
    ids = [voice.id for voice in client.voices.list()]
    assert len(ids) == len(set(ids)) == len(engine().voices())


@pytest.mark.parametrize(
    ("language", "voice"),
    [
        ("fr", "fr-FR"),
        ("zh", "cmn"),
        ("de-AT", "de"),
        ("yue", "yue"),
        ("en-US", "en-US"),
        ("en", "en-US"),
        ("en-GB", "en-GB"),
        ("pt-BR", "pt-BR"),
    ],
)
def test_language_chooses_the_voice(client, language, voice):
    """A language is spoken by the voice whose own it is."""
    assert voice == client.explain("a", language=language).voice.id


@pytest.mark.parametrize(
    "text",
    [
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
        "\u041f\u0440\u0438\u0432\u0435\u0442",
        "\u3053\u3093\u306b\u3061\u306f",
        "\U0001f600 smile",
    ],
)
def test_other_scripts(client, text):
    """Other scripts and emoji give audio, and marks inside the text."""
    audio = client.synthesize(text)
    assert audio.duration_s > 0.2
    assert all(0 <= m.text_start <= m.text_end <= len(text) for m in audio.marks)


def test_variants(client):
    """A variant changes the voice; one that is none is refused."""
    assert (
        client.synthesize("Hello.").data
        != client.synthesize("Hello.", options={"variant": "f3"}).data
    )
    with pytest.raises(InvalidValue, match="one of 'Alex'"):
        client.stream("Hello.", options={"variant": "f33"})


def test_unknown_voice_and_language(client):
    """What the engine has not is refused with near names."""
    with pytest.raises(UnknownVoice, match="Did you mean 'en-US'"):
        client.stream("Hello.", voice="en-USA")
    with pytest.raises(UnknownLanguage):
        client.stream("Hello.", language="sux")


def test_saves_wav_and_captions(client, tmp_path):
    """A text is spoken into a WAV file that other programs read, with captions beside it."""
    path, captions = tmp_path / "a.wav", tmp_path / "a.vtt"
    report = client.save(SENTENCES, path, captions=captions)
    with wave.open(str(path)) as file:
        assert pytest.approx(report.audio_s) == file.getnframes() / file.getframerate()
    text = captions.read_text("utf-8")
    assert text.startswith("WEBVTT")
    assert "The second one follows it, after a pause!" in text.replace("\n", " ")


def test_say_at_module_level():
    """One line of code speaks."""
    assert vivavoce.say("Hello.", "espeak").duration_s > 0.3
