import asyncio
import io
import wave
from datetime import UTC, datetime, timedelta, timezone

import attrs
import numpy as np
import pytest

from vivavoce.book import BookedVoice, VoiceBook
from vivavoce.errors import (
    CapabilityError,
    ConnectionLost,
    CredentialError,
    InvalidValue,
    MaybeCreated,
    OutputError,
    ProviderUnavailable,
    RequestRejected,
    SettingsError,
    UnexpectedReply,
    UnknownLanguage,
    UnknownVoice,
)
from vivavoce.model.audio import AudioFormat
from vivavoce.model.customizing import Consent, Level, VoicePage
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.pipeline import customize
from vivavoce.pipeline.retry import Retry
from vivavoce.provider import VoiceCustomizerInfo
from vivavoce.settings import Settings
from vivavoce.testing import OWN_MODEL, FakeProvider, samples_of

CONSENT = Consent(by="Ann Li", how="signed release")
DESCRIPTION = "A calm woman of about forty, low pitch, slow pace, for an audiobook."


def recording(seconds=4.0, rate_hz=24_000):
    """Return a WAV that swells and fades as speech does."""
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    swell = 0.3 + 0.3 * np.sin(2 * np.pi * 3 * at)
    samples = (np.sin(2 * np.pi * 180 * at) * swell * 16_000).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


RECORDING = recording()


@pytest.fixture
def book(tmp_path):
    return VoiceBook(tmp_path / "voices.toml")


@pytest.fixture
def fake():
    return FakeProvider(makes_voices=True)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(customize, "_LOOK_AGAIN_S", (0.0, 0.001))


class Voices:
    """The voices of a client of either face, called alike."""

    def __init__(self, face, client):
        self.face, self.client, self.voices = face, client, client.voices

    def __getattr__(self, name):
        method = getattr(self.voices, name)
        if self.face.name == "sync" or name.startswith("explain"):
            return method
        return lambda *args, **values: asyncio.run(_awaited(method(*args, **values)))

    def list(self, **values):
        if self.face.name == "sync":
            return list(self.voices.list(**values))
        return asyncio.run(_all(self.voices.list(**values)))


async def _awaited(coroutine):
    return await coroutine


async def _all(voices):
    return [voice async for voice in voices]


@pytest.fixture
def voices(face, fake, book):
    def voices(selector="fake", provider=fake, **values):
        settings = Settings(voice_book=book.path)
        return Voices(face, face.client(provider, selector, **{"settings": settings, **values}))

    return voices


def clone(voices, name="narrator", **wishes):
    return voices.clone(RECORDING, **{"name": name, "consent": CONSENT, **wishes})


def design(voices, name="narrator", **wishes):
    return voices.design(DESCRIPTION, preview_text="Good morning.", name=name, **wishes)


class TestCloning:
    def test_a_voice_is_made_and_recorded(self, voices, fake, book):
        """The voice is bound to its model, and the book has all that is to be remembered."""
        new = clone(voices(), transcript="This is how I speak.", language="en-GB")
        assert (new.alias, new.voice.origin, new.voice.models) == (
            "narrator",
            "cloned",
            (OWN_MODEL,),
        )
        assert (str(new.cost), new.currency, new.request_id) == ("0.5", "EUR", "fake-1")
        (request,) = fake.requests
        assert (request.name, request.language) == ("narrator", "en")
        assert request.transcript == "This is how I speak."
        assert (request.recording.data, request.recording.media_type) == (RECORDING, "audio/wav")
        record = book.get("narrator").voices["fake"]
        today = datetime.now(UTC).date().isoformat()
        assert record.consent == attrs.evolve(CONSENT, on=today)
        assert (record.id, record.model, record.origin) == (new.voice.id, OWN_MODEL, "cloned")
        assert record.recording_sha256 == request.recording.sha256
        assert len(record.recording_sha256) == 64

    def test_consent_is_not_sent_unless_asked_for(self, voices, fake):
        """It stays here: a provider that does not ask for it never sees it."""
        clone(voices())
        assert fake.requests[0].consent is None

    def test_consent_must_be_given(self, voices, fake):
        """Without consent nothing is looked at, and nothing sent."""
        with pytest.raises(InvalidValue, match="only with consent=Consent"):
            clone(voices(), consent=None)
        assert fake.requests == []

    def test_the_recording_is_looked_at_first(self, voices, fake, book):
        """What the provider would not take is refused with all that was found; nothing is sent."""
        with pytest.raises(InvalidValue) as caught:
            voices().clone(recording(0.5, 8_000), name="narrator", consent=CONSENT)
        assert "8000" in caught.value.message
        assert "0.5" in caught.value.message
        assert fake.requests == []
        assert book.aliases() == {}

    def test_repairs_are_reported(self, voices, fake):
        """What was put right is among the warnings of the new voice."""
        new = voices().clone(recording(4.0, 12_000), name="narrator", consent=CONSENT, fix=True)
        assert fake.requests[0].recording.sample_rate_hz == 16_000
        assert any("repaired" in warning for warning in new.warnings)

    def test_an_address_is_refused_where_none_is_taken(self, voices, fake):
        """An address goes to the provider, or nowhere: it is not fetched by us."""
        with pytest.raises(InvalidValue, match="address"):
            voices().clone("https://example.org/a.wav", name="narrator", consent=CONSENT)
        assert fake.requests == []

    def test_an_address_is_fetched_to_be_repaired(self, voices, fake, monkeypatch):
        """Only with fix it is fetched by us: the file is then looked at and sent as any other."""
        from vivavoce.transport import public

        asked = []
        monkeypatch.setattr(
            public, "fetch_public", lambda url, **_: asked.append(url) or recording(4.0, 12_000)
        )
        url = "https://example.org/a.wav"
        voices().clone(url, name="narrator", consent=CONSENT, fix=True)
        assert asked == [url]
        assert fake.requests[0].recording.sample_rate_hz == 16_000
        assert fake.requests[0].recording.url == ""
        with pytest.raises(InvalidValue, match="only by http or https"):
            voices().clone("file:///etc/passwd", name="other", consent=CONSENT, fix=True)
        assert asked == [url]

    def test_private_things_are_not_shown(self, voices):
        """A plan can be printed: recording and transcript are not in it."""
        plan = voices().explain_clone(
            RECORDING, name="narrator", consent=CONSENT, transcript="Very private words."
        )
        assert "private" not in repr(plan)
        assert "RIFF" not in repr(plan)


class TestDesigning:
    def test_voice_and_preview(self, voices, fake, book):
        """The preview, which comes only once, is given and kept beside the book."""
        new = design(voices(), language="en")
        assert new.voice.origin == "designed"
        assert new.preview.data == new.preview_path.read_bytes()
        assert new.preview.format == AudioFormat.named("wav", sample_rate_hz=16_000)
        assert new.preview.duration_s == pytest.approx(len(samples_of("Good morning.")) / 32_000)
        assert new.preview_path.parent == book.path.parent / "previews"
        record = book.get("narrator").voices["fake"]
        assert (record.description, record.preview) == (DESCRIPTION, str(new.preview_path))
        assert record.consent is None
        assert fake.requests[0].preview_text == "Good morning."

    def test_advice_is_in_the_plan(self, voices, fake):
        """A vague description is sent if it must be, but advised upon first."""
        plan = voices().explain_design("A nice voice.", preview_text="Good morning.", name="vague")
        assert any(finding.level is Level.ADVISED for finding in plan.findings)
        plan.check()
        assert fake.requests == []

    @pytest.mark.parametrize(
        ("wishes", "message"),
        [
            ({"format": "mp3"}, "does not come as 'mp3'"),
            ({"sample_rate_hz": 8_000}, "does not come at 8000 Hz"),
        ],
    )
    def test_a_preview_that_cannot_be_had(self, voices, fake, wishes, message):
        """Format and rate of the preview are those of the offer."""
        with pytest.raises(InvalidValue, match=message):
            design(voices(), **wishes)
        assert fake.requests == []

    def test_a_description_in_another_language(self, voices, fake):
        """French is refused where only English and Chinese are read."""
        with pytest.raises(InvalidValue, match=r"French|'fr'"):
            voices().design(
                "Une voix grave et posée d'un homme d'une cinquantaine d'années, idéale pour lire "
                "des romans, avec un rythme lent et une diction très claire.",
                preview_text="Good morning.",
                name="french",
            )
        assert fake.requests == []

    @pytest.mark.parametrize(
        ("preview", "preview_format", "said"),
        [
            (b"", None, None),
            (b"no wav at all", AudioFormat.named("wav", sample_rate_hz=16_000), "cannot be read"),
            (bytes(32_000), AudioFormat.named("pcm", sample_rate_hz=16_000), "is silent"),
            (b"????", None, "in which format"),
        ],
    )
    def test_a_bad_preview_does_not_lose_the_voice(
        self, voices, fake, book, monkeypatch, preview, preview_format, said
    ):
        """The voice was paid for: it is given and recorded, with a warning."""
        _answer(monkeypatch, preview=preview, preview_format=preview_format)
        new = design(voices())
        assert book.get("narrator").voices["fake"].id == new.voice.id
        assert said is None or any(said in warning for warning in new.warnings)
        assert bool(new.preview_path) == bool(preview)


def _answer(monkeypatch, **changes):
    """Change what the fake customizer answers to a clone or design."""
    from vivavoce import testing

    real = testing._FakeCustomizer._made

    def made(self, request, origin):
        return attrs.evolve(real(self, request, origin), **changes)

    monkeypatch.setattr(testing._FakeCustomizer, "_made", made)


@pytest.mark.parametrize("make", [clone, design], ids=["clone", "design"])
class TestBoth:
    @pytest.mark.parametrize(
        ("wishes", "error", "message"),
        [
            ({"name": "two words"}, InvalidValue, "1 to 16 letters"),
            ({"name": "a" * 17}, InvalidValue, "1 to 16 letters"),
            ({"target_model": "one"}, InvalidValue, "fake/one takes no"),
            ({"target_model": "nobody"}, InvalidValue, "fake/nobody takes no"),
            ({"language": "fr"}, UnknownLanguage, "makes no voice from 'fr'"),
            ({"alias": "a b"}, InvalidValue, "is no alias"),
            ({"alias": "ann"}, InvalidValue, "has a voice 'ann' of its own"),
        ],
    )
    def test_bad_input_is_refused_before_anything_is_sent(
        self, make, voices, fake, wishes, error, message
    ):
        """What cannot be asked for is refused with the reason, and nothing is billed."""
        with pytest.raises(error, match=message):
            make(voices(), **wishes)
        assert fake.requests == []

    def test_a_taken_alias(self, make, voices, fake, book):
        """An alias means one voice at a provider: the second is refused before it is paid for."""
        book.add("narrator", "fake", BookedVoice(id="own-cloned-x-9"))
        with pytest.raises(InvalidValue, match="alias 'narrator' means the voice"):
            make(voices())
        assert fake.requests == []
        assert make(voices(), alias="second").alias == "second"

    def test_an_alias_taken_meanwhile(self, make, voices, fake, book, monkeypatch):
        """Then the voice gets another alias, and says so: it was paid for."""
        from vivavoce import testing

        real = testing._FakeCustomizer._made

        def made(self, request, origin):
            book.add("narrator", "fake", BookedVoice(id="own-cloned-x-9"))
            return real(self, request, origin)

        monkeypatch.setattr(testing._FakeCustomizer, "_made", made)
        new = make(voices())
        assert new.alias == "narrator-2"
        assert any("'narrator' was taken meanwhile" in warning for warning in new.warnings)

    def test_the_clients_model_is_meant(self, make, voices, fake):
        """A model in the selector is the one a voice is made for, if it can be."""
        assert make(voices(f"fake/{OWN_MODEL}")).voice.models == (OWN_MODEL,)
        with pytest.raises(InvalidValue, match="fake/one takes no"):
            make(voices("fake/one"), name="second")

    def test_without_a_book(self, make, voices, fake):
        """A voice that could not be recorded is not made."""
        with pytest.raises(SettingsError, match="no voice book"):
            make(voices(settings=Settings()))
        assert fake.requests == []

    def test_a_book_that_cannot_be_written(self, make, voices, fake, tmp_path):
        """This is found out before anything is sent."""
        (tmp_path / "file").write_text("")
        settings = Settings(voice_book=tmp_path / "file" / "voices.toml")
        with pytest.raises((OutputError, SettingsError)):
            make(voices(settings=settings))
        assert fake.requests == []

    def test_a_book_that_fails_afterwards(self, make, voices, fake, monkeypatch):
        """The voice is given with a warning that tells its id: it was paid for."""

        def full(*_args):
            raise OutputError("The disk is full.")

        monkeypatch.setattr(VoiceBook, "add_anyhow", full)
        new = make(voices())
        assert new.alias == ""
        (warning,) = (warning for warning in new.warnings if "not recorded" in warning)
        assert new.voice.id in warning

    def test_a_refusal_is_final(self, make, voices, fake, book):
        """What the provider refuses was not made: no list is read, nothing recorded."""
        fake.lost_answers.append(RequestRejected("No.", code="Bad"))
        with pytest.raises(RequestRejected) as caught:
            make(voices())
        assert (caught.value.provider, caught.value.model) == ("fake", OWN_MODEL)
        assert len(fake.requests) == 1
        assert book.aliases() == {}

    @pytest.mark.parametrize(
        "error", [ConnectionLost("Cut."), ProviderUnavailable("500."), UnexpectedReply("Odd.")]
    )
    def test_a_lost_answer_is_looked_for(self, make, voices, fake, book, error):
        """The voice is found by name and time, recorded, and asked for only once."""
        fake.lost_answers.append(error)
        new = make(voices(retry=Retry(attempts=3, first_wait_s=0.0)))
        assert len(fake.requests) == 1
        assert list(fake.own_voices) == [new.voice.id]
        assert book.get("narrator").voices["fake"].id == new.voice.id
        assert any("the answer was lost" in warning for warning in new.warnings)

    @pytest.mark.parametrize(
        "made_at",
        [
            datetime.now(UTC) - timedelta(minutes=10),
            datetime.now(timezone(timedelta(hours=8))) - timedelta(minutes=10),
            datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=10),
        ],
    )
    def test_an_older_voice_of_the_name_is_not_it(self, make, voices, fake, made_at, monkeypatch):
        """A voice of the same name that was there before is not taken for the new one."""
        origin = VoiceOrigin.CLONED if make is clone else VoiceOrigin.DESIGNED
        older = Voice(
            id=f"own-{origin}-narrator-0", origin=origin, models=(OWN_MODEL,), created_at=made_at
        )
        fake.own_voices[older.id] = older
        _never_made(monkeypatch)
        with pytest.raises(MaybeCreated, match=r"not in its list, or not yet") as caught:
            make(voices())
        assert caught.value.candidates == ()
        assert not caught.value.retryable

    @pytest.mark.parametrize("hours", [0, 8, -7])
    def test_a_time_without_a_zone(self, make, voices, fake, monkeypatch, hours):
        """Where nobody says in which zone the time is, any whole hour will do."""
        from vivavoce import testing

        real = testing._FakeCustomizer._made

        def made(self, request, origin):
            answer = real(self, request, origin)
            naive = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=hours)
            fake.own_voices[answer.voice.id] = attrs.evolve(answer.voice, created_at=naive)
            raise ConnectionLost("Cut.")

        monkeypatch.setattr(testing._FakeCustomizer, "_made", made)
        assert make(voices()).alias == "narrator"

    def test_others_of_the_time_are_not_it(self, make, voices, fake):
        """Voices made in the same minute under another name or for another model are others."""
        origin = VoiceOrigin.CLONED if make is clone else VoiceOrigin.DESIGNED
        now = {"origin": origin, "created_at": datetime.now(UTC)}
        other_name = Voice(id=f"own-{origin}-somebody-8", models=(OWN_MODEL,), **now)
        other_model = Voice(id=f"own-{origin}-narrator-9", models=("other",), **now)
        fake.own_voices = {voice.id: voice for voice in (other_name, other_model)}
        fake.lost_answers.append(ConnectionLost("Cut."))
        assert make(voices()).voice.id == f"own-{origin}-narrator-3"

    def test_two_that_may_be_it(self, make, voices, fake):
        """Where two may be the one, neither is taken, and both are named."""
        origin = VoiceOrigin.CLONED if make is clone else VoiceOrigin.DESIGNED
        twin = Voice(
            id=f"own-{origin}-narrator-0",
            origin=origin,
            models=(OWN_MODEL,),
            created_at=datetime.now(UTC),
        )
        fake.own_voices[twin.id] = twin
        fake.lost_answers.append(ConnectionLost("Cut."))
        with pytest.raises(MaybeCreated, match="2 voices in its list") as caught:
            make(voices())
        assert set(caught.value.candidates) == set(fake.own_voices)

    def test_one_in_the_book_is_not_it(self, make, voices, fake, book):
        """A voice that is recorded already was made by an earlier call."""
        first = make(voices())
        fake.lost_answers.append(ConnectionLost("Cut."))
        second = make(voices(), alias="again")
        assert second.voice.id != first.voice.id

    def test_a_list_that_cannot_be_read(self, make, voices, fake, monkeypatch):
        """Then nobody knows, and the error says so with both reasons."""
        from vivavoce import testing

        def refuse(*_args):
            raise CredentialError("Key refused.")

        monkeypatch.setattr(testing._FakeCustomizer, "_page", refuse)
        fake.lost_answers.append(ConnectionLost("Cut."))
        with pytest.raises(MaybeCreated) as caught:
            make(voices())
        assert "Cut." in caught.value.message
        assert "Key refused." in caught.value.message

    def test_leaving_in_the_middle(self, make, voices, fake, monkeypatch):
        """Whoever stops a creation is told that the voice may have been made."""
        from vivavoce import testing

        def interrupt(*_args):
            raise KeyboardInterrupt

        monkeypatch.setattr(testing._FakeCustomizer, "_made", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            make(voices())
        assert any("may have been made" in note for note in caught.value.__notes__)

    def test_leaving_while_it_is_looked_for(self, make, voices, fake, monkeypatch):
        """So is whoever stops while the voice of a lost answer is looked for."""
        from vivavoce import testing

        def interrupt(*_args):
            raise KeyboardInterrupt

        monkeypatch.setattr(testing._FakeCustomizer, "_page", interrupt)
        fake.lost_answers.append(ConnectionLost("Cut."))
        with pytest.raises(KeyboardInterrupt) as caught:
            make(voices())
        assert any("may have been made" in note for note in caught.value.__notes__)

    def test_what_was_given_is_not_quoted(self, make, voices, fake):
        """A refusal that repeats what it was given is shown without it."""
        given = "My very private words." if make is clone else DESCRIPTION
        fake.lost_answers.append(RequestRejected(f"Bad words: {given}"))
        wishes = {"transcript": given} if make is clone else {}
        with pytest.raises(RequestRejected) as caught:
            make(voices(), **wishes)
        assert given not in str(caught.value)
        assert "Bad words" in str(caught.value)


def _never_made(monkeypatch):
    from vivavoce import testing

    def fail(*_args):
        raise ConnectionLost("Cut.")

    monkeypatch.setattr(testing._FakeCustomizer, "_made", fail)


class TestKeeping:
    def test_stock_and_own_in_one_list(self, voices, fake):
        """Stock voices come first, then all pages of the user's own."""
        made = [clone(voices(), name=name).voice.id for name in ("a", "b", "c", "d", "e")]
        made.append(design(voices(), name="f").voice.id)
        assert [voice.id for voice in voices().list()] == ["ann", "ben", "old", *made]
        assert [voice.id for voice in voices().list(origin="cloned")] == made[:5]
        assert [voice.id for voice in voices().list(origin="designed")] == made[5:]
        assert [voice.id for voice in voices().list(origin="stock")] == ["ann", "ben", "old"]
        assert [voice.id for voice in voices().list(model=OWN_MODEL)] == made
        assert [voice.id for voice in voices().list(model="one")] == ["ann", "ben"]
        assert [voice.id for voice in voices().list(language="de")] == ["ben", *made]
        english = attrs.evolve(fake.own_voices[made[0]], languages=("en",))
        fake.own_voices[english.id] = english
        assert [voice.id for voice in voices().list(language="de")] == ["ben", *made[1:]]
        with pytest.raises(InvalidValue, match="'stolen' is no origin"):
            voices().list(origin="stolen")

    def test_pages_are_read_as_needed(self, fake, book, monkeypatch):
        """Whoever stops after the first voice has had one page asked for."""
        from vivavoce import testing
        from vivavoce.blocking import Client

        pages = []
        real = testing._FakeCustomizer._page
        monkeypatch.setattr(
            testing._FakeCustomizer,
            "_page",
            lambda self, *args: pages.append(args) or real(self, *args),
        )
        settings = Settings(voice_book=book.path)
        with Client("fake", registry=fake.registry(), settings=settings) as client:
            for name in ("a", "b", "c"):
                client.voices.clone(RECORDING, name=name, consent=CONSENT)
            voices = client.voices.list(origin="cloned")
            next(voices)
            assert len(pages) == 1
            assert len(list(voices)) == 2
        assert len(pages) == 2

    def test_only_own_voices_need_a_key(self, voices, book):
        """Stock voices are listed without a key; the first own one asks for it."""
        locked = FakeProvider(makes_voices=True, credential_env=("FAKE_KEY",))
        assert len(voices(provider=locked).list(origin="stock")) == 3
        with pytest.raises(CredentialError, match="FAKE_KEY"):
            voices(provider=locked).list()

    @pytest.mark.parametrize("is_empty", [True, False])
    @pytest.mark.parametrize("is_counted", [True, False])
    def test_a_page_that_never_ends(self, voices, monkeypatch, is_counted, is_empty):
        """A provider that gives the same page again and again is not followed."""
        from vivavoce import testing

        held = () if is_empty else (Voice(id="own-cloned-x-1"),)

        def page(_self, _origin, begin):
            return VoicePage(voices=held, next_page=str(begin + 1) if is_counted else "1")

        monkeypatch.setattr(testing._FakeCustomizer, "_page", page)
        with pytest.raises(UnexpectedReply, match="same page of its list again"):
            voices().list(origin="cloned")

    def test_a_voice_on_two_pages_is_listed_once(self, voices, monkeypatch):
        """A voice made meanwhile moves others to the next page; each is given once."""
        from vivavoce import testing

        pages = {0: (("a", "b"), "1"), 1: (("b", "c"), None)}

        def page(_self, _origin, begin):
            ids, following = pages[begin]
            return VoicePage(voices=tuple(Voice(id=each) for each in ids), next_page=following)

        monkeypatch.setattr(testing._FakeCustomizer, "_page", page)
        assert [voice.id for voice in voices().list(origin="cloned")] == ["a", "b", "c"]

    def test_getting_one(self, voices, fake):
        """One voice is had by id or alias, stock or own; else the refusal says where to look."""
        new = clone(voices())
        assert voices().get("narrator").id == new.voice.id
        assert voices().get(new.voice.id).models == (OWN_MODEL,)
        assert voices().get("ann").origin == "stock"
        with pytest.raises(UnknownVoice, match="has no voice 'own-cloned-x-7' of yours"):
            voices().get("own-cloned-x-7")
        with pytest.raises(UnknownVoice, match="has no voice 'nobody'"):
            voices().get("nobody")

    def test_deleting(self, voices, fake, book):
        """A voice goes at the provider and from the book; a second time is no error."""
        new = clone(voices())
        assert voices().delete("narrator") is True
        assert fake.own_voices == {}
        assert book.aliases() == {}
        assert voices().delete(new.voice.id) is False
        other = design(voices())
        assert voices().delete(other.voice.id, origin="designed") is True
        assert book.aliases() == {}

    def test_a_stock_voice_is_not_deleted(self, voices):
        """Nor can it be asked for."""
        with pytest.raises(InvalidValue, match="'ann' is a voice of 'fake' itself"):
            voices().delete("ann")

    def test_a_voice_that_is_gone_at_the_provider(self, voices, fake, book):
        """What others have deleted leaves the book all the same."""
        new = clone(voices())
        fake.own_voices.clear()
        assert voices().delete("narrator") is False
        assert book.find("fake", new.voice.id) is None


class TestProvidersWithout:
    @pytest.fixture
    def fake(self):
        return FakeProvider()

    def test_all_is_refused(self, voices):
        """A provider without a customizer says so, and who has one is told how to find."""
        with pytest.raises(CapabilityError, match="clones no voices") as caught:
            clone(voices())
        assert caught.value.capability == "clone"
        with pytest.raises(CapabilityError, match="designs no voices"):
            design(voices())
        with pytest.raises(CapabilityError, match="has no voices but its own"):
            voices().delete("own-cloned-x-1")
        with pytest.raises(UnknownVoice):
            voices().get("nobody")
        assert len(voices().list()) == 3
        assert voices().list(origin="cloned") == []


def test_the_customizer_is_closed_with_the_client(fake, book, monkeypatch):
    """What a customizer holds is released once."""
    from vivavoce import testing
    from vivavoce.blocking import Client

    closed = []

    def close(self):
        closed.append(self)

    monkeypatch.setattr(testing._FakeCustomizer, "close", close)
    client = Client("fake", registry=fake.registry(), settings=Settings(voice_book=book.path))
    list(client.voices.list())
    client.close()
    client.close()
    assert len(closed) == 1


def test_both_kinds_of_origin_must_be_told_apart(fake, book):
    """An id that may be of either kind is looked for in both lists."""
    from vivavoce.blocking import Client

    fake.info = attrs.evolve(fake.info, recognise_voice=None)
    settings = Settings(voice_book=book.path)
    with Client("fake", registry=fake.registry(), settings=settings) as client:
        odd = Voice(id="odd", origin="designed", models=(OWN_MODEL,))
        fake.own_voices["odd"] = odd
        assert client.voices.get("odd") == odd
        assert client.voices.delete("odd") is True
        assert client.voices.delete("odd") is False


def test_consent_goes_to_who_asks_for_it(book):
    """A provider whose offer asks for it gets the consent."""
    from vivavoce import testing
    from vivavoce.blocking import Client

    fake = FakeProvider(makes_voices=True)
    (info,) = fake.vivavoce_voice_customizers()
    asking = attrs.evolve(info, clone=attrs.evolve(info.clone, asks_consent=True))
    testing_info: list[VoiceCustomizerInfo] = [asking]
    fake.vivavoce_voice_customizers = testing.hookimpl(lambda: testing_info)
    settings = Settings(voice_book=book.path)
    with Client("fake", registry=fake.registry(), settings=settings) as client:
        client.voices.clone(RECORDING, name="narrator", consent=CONSENT)
    assert fake.requests[0].consent == CONSENT
