import asyncio
import io
import wave
from array import array
from datetime import datetime

import numpy as np
import pytest

from vivavoce import (
    AsyncClient,
    Client,
    Consent,
    CredentialError,
    InvalidValue,
    MaybeCreated,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    Retry,
    Settings,
    UnexpectedReply,
    UnknownVoice,
    VivavoceError,
    VoiceBook,
)
from vivavoce.pipeline import customize
from vivavoce_qwen_emulator.testing import running_emulator

CONSENT = Consent(by="Ann Li", how="signed release of 2026-11-02")
CLONED, DESIGNED = "qwen3-tts-vc-2026-01-22", "qwen3-tts-vd-2026-01-26"
DESCRIPTION = "A calm woman of about forty, low pitch, slow pace, warm timbre, for audiobooks."
FRENCH = (
    "Une voix grave et posée d'un homme d'une cinquantaine d'années, idéale pour lire des "
    "romans, avec un rythme lent et une diction très claire."
)
PREVIEW = "Good morning, and welcome to the show."


def recording(seconds=5.0, rate_hz=24_000, channels=1, level=16_000):
    """Return a WAV that swells and fades as speech does."""
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    swell = 0.3 + 0.3 * np.sin(2 * np.pi * 3 * at)
    samples = (np.sin(2 * np.pi * 180 * at) * swell * level).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(np.repeat(samples, channels).tobytes())
    return file.getvalue()


RECORDING = recording()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(customize, "_LOOK_AGAIN_S", (0.0, 0.001))


@pytest.fixture
def book(tmp_path):
    return VoiceBook(tmp_path / "voices.toml")


@pytest.fixture
def voices(emulator, key, book):
    """The voices of a client of the sync face that names no model; closed after the test."""
    made = []

    def make(selector="qwen", **values):
        values = {
            "api_key": key,
            "base_url": emulator.base_url,
            "settings": Settings(voice_book=book.path),
            "retry": Retry(attempts=1),
            **values,
        }
        made.append(Client(selector, **values))
        return made[-1].voices

    yield make
    for one in made:
        one.close()


def clone(voices, name="narrator", **wishes):
    return voices.clone(RECORDING, **{"name": name, "consent": CONSENT, **wishes})


def design(voices, name="announcer", **wishes):
    return voices.design(DESCRIPTION, preview_text=PREVIEW, name=name, **wishes)


def creations(emulator):
    return [
        received
        for received in emulator.requests()
        if received.body and received.body.get("input", {}).get("action") == "create"
    ]


def test_a_cloned_voice_speaks(voices, book, emulator, key):
    """A recording becomes a voice, the book remembers it, and its alias speaks at once."""
    new = clone(voices(), language="en", transcript="One two three four five six.")
    assert new.voice.id.startswith("qwen-tts-vc-narrator-voice-")
    assert new.voice.models == (CLONED,)
    assert (str(new.cost), new.currency) == ("0.01", "CNY")
    values = {"api_key": key, "base_url": emulator.base_url}
    with Client("qwen:narrator", settings=Settings(voice_book=book.path), **values) as speaker:
        audio = speaker.synthesize("Hello there.")
    assert (audio.report.model, audio.report.voice) == (CLONED, new.voice.id)
    assert max(array("h", audio.data)) > 1000
    assert book.get("narrator").voices["qwen"].region == "cn-beijing"


def test_a_designed_voice_and_its_preview(voices, book):
    """A description becomes a voice; its preview is heard, and kept where the book is."""
    new = design(voices(), language="en")
    assert new.voice.models == (DESIGNED,)
    assert new.preview.duration_s > 1.0
    assert new.preview.data == new.preview_path.read_bytes()
    assert new.preview.format.sample_rate_hz == 24_000
    assert book.get("announcer").voices["qwen"].description == DESCRIPTION


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_previews_come_as_asked(voices, name, rate_hz):
    """Format and sample rate of a preview are those asked for."""
    new = design(voices(), format=name, sample_rate_hz=rate_hz)
    assert new.preview.format.sample_rate_hz == rate_hz
    assert new.preview.format.container == ("raw" if name == "pcm" else "wav")
    assert new.preview.duration_s > 1.0
    assert new.warnings == ()


def test_listing_getting_deleting(voices, emulator, key):
    """Voices of both kinds are listed, found by id and alias, and deleted; twice is no error."""
    cloned, designed = clone(voices()), design(voices())
    own = [voice.id for voice in voices().list() if voice.origin != "stock"]
    assert own == [cloned.voice.id, designed.voice.id]
    for alias, new in (("narrator", cloned), ("announcer", designed)):
        found = voices().get(alias)
        assert (found.id, found.models) == (new.voice.id, new.voice.models)
        assert isinstance(found.created_at, datetime)
    assert voices().delete("narrator") is True
    assert voices().delete(cloned.voice.id) is False
    assert voices().delete(designed.voice.id) is True
    assert emulator.voices(key) == []
    with pytest.raises(UnknownVoice):
        voices().get(cloned.voice.id)


def test_all_pages_are_read(voices, emulator, key):
    """More voices than a page has are all listed, each once."""
    made = {emulator.make_voice(CLONED, key) for _ in range(205)}
    made |= {emulator.make_voice(DESIGNED, key) for _ in range(101)}
    emulator.clear()
    listed = [voice.id for voice in voices().list() if voice.origin != "stock"]
    assert len(listed) == 306
    assert set(listed) == made


def test_a_missing_voice_told_in_an_answer(book):
    """The other form of saying that a voice is missing is read alike."""
    with (
        running_emulator(missing_voice="code") as other,
        Client(
            "qwen", api_key="sk-any-1234567", base_url=other.base_url, settings=Settings()
        ) as one,
    ):
        for prefix in ("vc", "vd"):
            voice = f"qwen-tts-{prefix}-x-voice-20261126101010123-abcd"
            assert one.voices.delete(voice) is False
            with pytest.raises(UnknownVoice):
                one.voices.get(voice)


def test_the_async_face(emulator, book, key):
    """All of it works in the async face too."""

    async def use():
        settings = Settings(voice_book=book.path)
        values = {"api_key": key, "base_url": emulator.base_url, "settings": settings}
        async with AsyncClient("qwen", **values) as client:
            new = await client.voices.clone(RECORDING, name="narrator", consent=CONSENT)
            await client.voices.design(DESCRIPTION, preview_text=PREVIEW, name="announcer")
            listed = [voice.id async for voice in client.voices.list(origin="cloned")]
            assert listed == [new.voice.id]
            audio = await client.synthesize("Hello.", voice="narrator")
            assert audio.report.voice == new.voice.id
            return await client.voices.delete("narrator")

    assert asyncio.run(use()) is True


def test_voices_are_told_apart_by_ear(voices, client, emulator, key):
    """Two cloned voices and a stock one say the same text in different sound."""
    ids = [emulator.make_voice(CLONED, key, name) for name in ("one", "two", "three")]
    said = [client(CLONED).synthesize("Good morning.", voice=each).data for each in ids]
    said.append(client().synthesize("Good morning.").data)
    assert len(set(said)) >= 3


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"name": "with-dash"}, "letters"),
        ({"name": "a" * 17}, "16"),
        ({"target_model": "qwen3-tts-flash"}, "takes no cloned voices"),
        ({"target_model": DESIGNED}, "takes no cloned voices"),
        ({"language": "sv"}, "makes no voice from 'sv'"),
        ({"consent": None}, "consent"),
        ({"transcript": "word " * 400}, "transcript"),
    ],
)
def test_bad_wishes_are_refused_before_anything_is_sent(voices, emulator, wishes, message):
    """Nothing is sent, and nothing billed, for what cannot be done."""
    with pytest.raises(VivavoceError, match=message):
        clone(voices(), **wishes)
    assert emulator.requests() == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (recording(channels=2), "2"),
        (recording(rate_hz=8_000), "8000"),
        (recording(seconds=2.0), "2"),
        (recording(seconds=61.0), "61"),
        (recording(level=0), "silen"),
        (RECORDING[:-2_000], "ends|cut|trunc"),
        (b"this is no sound, however it is named", "no"),
        (recording(seconds=58.0, rate_hz=96_000), "11"),
    ],
    ids=["stereo", "8 kHz", "2 s", "61 s", "silence", "truncated", "text", "11 MB"],
)
def test_bad_recordings_are_refused_before_anything_is_sent(voices, emulator, data, message):
    """What the service would refuse is refused here, with what was measured."""
    with pytest.raises(InvalidValue, match=message):
        voices().clone(data, name="narrator", consent=CONSENT)
    assert emulator.requests() == []


def test_the_service_takes_what_was_repaired(voices, emulator):
    """A stereo recording of a lower rate, repaired, is accepted."""
    new = voices().clone(
        recording(rate_hz=16_000, channels=2), name="narrator", consent=CONSENT, fix=True
    )
    assert len([warning for warning in new.warnings if "repaired" in warning]) >= 2
    assert len(creations(emulator)) == 1


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"name": "with-dash"}, "letters"),
        ({"target_model": CLONED}, "takes no designed voices"),
        ({"language": "de"}, "German|'de'"),
    ],
)
def test_bad_designs_are_refused_before_anything_is_sent(voices, emulator, wishes, message):
    """As with recordings; a preview text in another language than stated among them."""
    with pytest.raises(InvalidValue, match=message):
        design(voices(), **wishes)
    assert emulator.requests() == []


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("x" * 2_049, "2048"),
        (FRENCH, "French|'fr'"),
        ("", "empty|blank|nothing"),
    ],
)
def test_bad_descriptions(voices, emulator, description, message):
    """Descriptions are read in Chinese and English, up to 2048 characters."""
    with pytest.raises(InvalidValue, match=message):
        voices().design(description, preview_text=PREVIEW, name="announcer")
    assert emulator.requests() == []


def test_a_designed_voice_on_a_model_for_cloned_ones(voices, client, book, emulator, key):
    """A voice is refused on any model but its own, from the book or by the service."""
    new = design(voices())
    emulator.clear()
    settings = Settings(voice_book=book.path)
    for named in ("announcer", new.voice.id):
        with pytest.raises((InvalidValue, UnknownVoice)):
            client(CLONED, settings=settings).synthesize("Hello.", voice=named)
    assert emulator.requests() == []
    other = emulator.make_voice("qwen3-tts-vc-realtime-2026-01-15", key)
    with pytest.raises(RequestRejected, match="voice"):
        client(CLONED).synthesize("Hello.", voice=other)


def test_a_deleted_voice_is_refused(voices, client, emulator, key):
    """A voice that is gone is the service's to refuse, as no voice of it."""
    gone = "qwen-tts-vc-gone-voice-20261126101010123-abcd"
    with pytest.raises(RequestRejected, match="voice"):
        client(CLONED).synthesize("Hello.", voice=gone)


def test_the_quota(book):
    """A full account is refused, and nothing was made or recorded."""
    settings = Settings(voice_book=book.path)
    with (
        running_emulator(voice_quota=1) as other,
        Client("qwen", api_key="sk-any-1234567", base_url=other.base_url, settings=settings) as one,
    ):
        clone(one.voices)
        with pytest.raises((QuotaExceeded, RateLimited)):
            clone(one.voices, name="second")
    assert list(book.aliases()) == ["narrator"]


def test_a_key_of_another_region(voices, book):
    """A key of another region is a refused credential."""
    with pytest.raises(CredentialError):
        clone(voices(api_key="sk-of-another-region"))
    assert book.aliases() == {}


@pytest.mark.parametrize("make", [clone, design], ids=["clone", "design"])
class TestLostAnswers:
    @pytest.mark.parametrize(
        ("fault", "values"),
        [("voice-lost", {}), ("voice-no-id", {}), ("voice-bad-json", {})],
    )
    def test_it_is_found_again(self, make, voices, emulator, book, key, fault, values):
        """A voice whose answer was lost is found in the list, asked for once, and recorded."""
        emulator.fault(fault, action="create", **values)
        new = make(voices(retry=Retry(attempts=3, first_wait_s=0.01)))
        assert len(creations(emulator)) == 1
        assert emulator.voices(key) == [new.voice.id]
        assert book.get(new.alias).voices["qwen"].id == new.voice.id
        assert any("the answer was lost" in warning for warning in new.warnings)

    def test_it_was_not_made(self, make, voices, emulator, book):
        """Where the service failed before, the error says how to look; it is asked for once."""
        emulator.fault("status", action="create", status=500)
        voices = voices(retry=Retry(attempts=3, first_wait_s=0.01))
        with pytest.raises(MaybeCreated, match="`vivavoce voice list qwen`"):
            make(voices)
        assert book.aliases() == {}
        assert len(creations(emulator)) == 1


def test_a_degraded_clone_warns(voices, emulator):
    """A voice made in the degraded mode is given with a warning."""
    emulator.fault("voice-fallback", action="create")
    assert any("simpler way" in warning for warning in clone(voices()).warnings)


def test_a_preview_that_cannot_be_read(voices, emulator, key):
    """The voice is not lost for it."""
    emulator.fault("voice-bad-preview", action="create")
    new = design(voices())
    assert emulator.voices(key) == [new.voice.id]
    assert any("preview cannot be read" in warning for warning in new.warnings)


def test_lists_are_asked_again(voices, emulator, key):
    """A list does no harm twice: it is asked for again after what may pass."""
    voice = emulator.make_voice(CLONED, key)
    emulator.fault("voice-lost", action="list")
    found = voices(retry=Retry(attempts=3, first_wait_s=0.01)).list(origin="cloned")
    assert [each.id for each in found] == [voice]


def test_an_answer_without_end(voices, emulator):
    """An answer larger than any list is refused, not read into memory."""
    emulator.fault("voice-huge", action="list")
    with pytest.raises((UnexpectedReply, VivavoceError)):
        list(voices().list(origin="cloned"))


def test_throttled(voices, emulator):
    """A refusal for haste is one: no voice was made, and none is looked for."""
    emulator.fault("throttled", action="create")
    with pytest.raises(RateLimited):
        clone(voices())
    assert len(emulator.requests()) == 1


def test_private_things_stay_private(voices, emulator, caplog):
    """Neither recording nor transcript nor key is in an error or a log."""
    caplog.set_level("DEBUG")
    transcript = "My very private words are here."
    said = f"The text {transcript!r} does not fit."
    emulator.fault("status", action="create", status=400, message=said)
    with pytest.raises(VivavoceError) as caught:
        clone(voices(), transcript=transcript)
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__} {caplog.text}"
    assert "private words" not in shown
    assert "sk-canary" not in shown
    assert "UklGR" not in shown
