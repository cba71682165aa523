import attrs
import pytest

from vivavoce.book import BookedVoice, VoiceBook
from vivavoce.errors import CapabilityError, InvalidValue, UnknownModel, UnknownVoice
from vivavoce.model.card import ModelCard
from vivavoce.model.voice import Voice
from vivavoce.settings import Settings
from vivavoce.testing import FAKE_CAPABILITIES, OWN_MODEL, FakeProvider

OWN = BookedVoice(id="own-cloned-x-1", origin="cloned", model=OWN_MODEL, region="eu")
VOICES = (
    Voice(id="ann", languages=("en-US",), gender="female", models=("one",)),
    Voice(id="bob", languages=("en-GB",), gender="male", description="lively", models=("one",)),
    Voice(id="cal", languages=("en-GB",), gender="male", description="A calm one", models=("one",)),
    Voice(id="dee", languages=("de",), gender="female", models=("one",)),
    Voice(id="old", languages=("en-GB",), gender="male", description="calm, low", models=("gone",)),
)


@pytest.fixture
def book(tmp_path):
    return VoiceBook(tmp_path / "voices.toml")


@pytest.fixture
def fake():
    """A provider whose models are in two regions, with a model for own voices."""
    provider = FakeProvider(makes_voices=True, voices=VOICES)
    cards = [attrs.evolve(card, regions=("us", "eu")) for card in provider.info.models]
    provider.info = attrs.evolve(provider.info, models=tuple(cards))
    return provider


@pytest.fixture
def explain(face, fake, book):
    """Explain a text spoken with a selector, in either face."""

    def explain(selector, *, region=None, strict=False, stand_in=False, providers=None, **wishes):
        settings = Settings(voice_book=book.path, providers=providers or {})
        client = face.client(
            fake, selector, settings=settings, region=region, strict=strict, stand_in=stand_in
        )
        return client.explain("Hello.", **wishes)

    return explain


def said_of_voice(plan):
    return [(d.how.value, d.detail) for d in plan.decisions if d.wish == "voice"]


def test_an_alias_brings_its_model_and_region(explain, book):
    """`provider:alias` is spoken by the voice, the model it is bound to, in its region."""
    book.add("narrator", "fake", OWN)
    plan = explain("fake:narrator")
    assert str(plan.selector) == "fake/own:own-cloned-x-1"
    assert plan.region == "eu"
    assert said_of_voice(plan) == [("native", "own-cloned-x-1 (your 'narrator')")]


def test_an_alias_is_a_voice_wherever_one_is_named(explain, book):
    """The wish `voice=` takes an alias as the selector does."""
    book.add("narrator", "fake", OWN)
    assert str(explain("fake", voice="narrator").selector) == "fake/own:own-cloned-x-1"


def test_an_own_voice_in_the_book_is_bound_by_its_id_too(explain, book):
    """Who writes the id itself gets the model and region that the book knows."""
    book.add("narrator", "fake", OWN)
    plan = explain("fake:own-cloned-x-1")
    assert (plan.model.name, plan.region) == (OWN_MODEL, "eu")


def test_it_speaks(face, fake, book):
    """The provider is asked with the bound model, in the bound region, for the voice itself."""
    book.add("narrator", "fake", OWN)
    client = face.client(fake, "fake:narrator", settings=Settings(voice_book=book.path))
    audio = face.synthesize(client, "Hello.")
    assert (audio.report.model, audio.report.voice) == (OWN_MODEL, "own-cloned-x-1")
    assert fake.requests[0].voice.id == "own-cloned-x-1"
    assert fake.configs[0].region == "eu"


def test_another_model_is_refused(explain, book):
    """A model that was named, and is another than the bound one, is refused with the reason."""
    book.add("narrator", "fake", OWN)
    with pytest.raises(InvalidValue, match=r"bound to fake/own and cannot speak with 'one'"):
        explain("fake/one:narrator")
    assert explain("fake/own:narrator").model.name == OWN_MODEL


def test_another_region_is_refused(explain, book):
    """So is another region, whether it is an argument or a setting."""
    book.add("narrator", "fake", OWN)
    with pytest.raises(InvalidValue, match=r"lives in the region 'eu' of 'fake', not in 'us'"):
        explain("fake:narrator", region="us")
    with pytest.raises(InvalidValue, match="lives in the region 'eu'"):
        explain("fake:narrator", providers={"fake": {"region": "us"}})
    assert explain("fake:narrator", region="eu").region == "eu"


def test_a_model_that_is_no_more(explain, book):
    """A voice bound to a model that is not listed any more is refused."""
    book.add("narrator", "fake", attrs.evolve(OWN, model="retired"))
    with pytest.raises(UnknownModel, match="'retired', which 'fake' does not list"):
        explain("fake:narrator")


def test_a_stock_voice_under_another_name(explain, book):
    """An alias may stand for a stock voice, which is bound to no model."""
    book.add("chief", "fake", BookedVoice(id="bob"))
    assert explain("fake:chief").voice.id == "bob"
    assert explain("fake/one:chief").voice.id == "bob"


def test_the_providers_own_names_come_first(explain, book):
    """An alias that is also a voice's id does not hide the voice."""
    book.add("bob", "fake", BookedVoice(id="ann"))
    assert explain("fake:bob").voice.id == "bob"


def test_without_a_book_a_name_is_the_providers(face, fake):
    """Settings made by hand without a book know no aliases."""
    with pytest.raises(UnknownVoice):
        face.client(fake, "fake:narrator").explain("Hello.")


class TestStandIns:
    """Another voice for an alias that has none here."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, book):
        book.add("narrator", "other", BookedVoice(id="zoe"))

    def test_none_unless_asked_for(self, explain, book):
        """The refusal names where the alias has voices, and how to go on."""
        book.describe("narrator", gender="male")
        with pytest.raises(UnknownVoice, match=r"has a voice at other, none at 'fake'") as caught:
            explain("fake:narrator")
        assert "stand_in=True" in caught.value.message

    def test_by_gender_language_and_style(self, explain, book):
        """The voice that fits the attributes is taken and reported; strict refuses it."""
        book.describe("narrator", gender="male", language="en-GB", style="calm, low")
        plan = explain("fake:narrator", stand_in=True)
        assert plan.voice.id == "cal"
        ((how, detail),) = said_of_voice(plan)
        assert how == "emulated"
        assert "'cal' stands in for 'narrator'" in detail
        assert any("stands in" in warning for warning in plan.warnings)
        with pytest.raises(CapabilityError, match="stands in"):
            explain("fake:narrator", stand_in=True, strict=True).check()

    def test_the_report_says_so(self, face, fake, book):
        """Who only reads the report learns that another voice spoke."""
        book.describe("narrator", gender="female")
        settings = Settings(voice_book=book.path)
        client = face.client(fake, "fake:narrator", settings=settings, stand_in=True)
        report = face.synthesize(client, "Hello.").report
        assert report.voice == "ann"
        assert any("'ann' stands in for 'narrator'" in warning for warning in report.warnings)

    def test_the_wished_language_goes_before_the_alias(self, explain, book):
        """A stand-in speaks the language asked for, not the alias's usual one."""
        book.describe("narrator", gender="female", language="en")
        assert explain("fake:narrator", stand_in=True, language="de").voice.id == "dee"

    def test_a_style_nobody_has_is_said(self, explain, book):
        """Style chooses among those that fit, and excludes none."""
        book.describe("narrator", gender="male", style="whispering")
        plan = explain("fake:narrator", stand_in=True)
        assert plan.voice.id == "bob"
        assert "style 'whispering' unmet" in said_of_voice(plan)[0][1]

    def test_nobody_fits(self, explain, book):
        """Where nobody has the gender and language, nobody stands in."""
        book.describe("narrator", gender="male", language="de")
        with pytest.raises(UnknownVoice, match="none is language de, gender male"):
            explain("fake:narrator", stand_in=True)

    def test_an_alias_that_describes_nothing(self, explain):
        """Without attributes there is nothing to choose by."""
        with pytest.raises(UnknownVoice, match="says nothing of language, gender or style"):
            explain("fake:narrator", stand_in=True)

    def test_its_own_voice_goes_before_a_stand_in(self, explain, book):
        """Where the alias has a voice, that one speaks."""
        book.add("narrator", "fake", BookedVoice(id="dee"))
        book.describe("narrator", gender="male")
        assert explain("fake:narrator", stand_in=True).voice.id == "dee"


def test_sessions_take_aliases_too(fake, book):
    """A session by sentence speaks each sentence with the voice and model of the alias."""
    from vivavoce.blocking import Client

    book.add("narrator", "fake", OWN)
    settings = Settings(voice_book=book.path)
    with Client("fake:narrator", registry=fake.registry(), settings=settings) as client:
        with client.session(["Hello there. ", "How are you?"]) as session:
            assert b"".join(chunk.data for chunk in session)
        assert session.plan.model.name == OWN_MODEL
    assert {request.model.name for request in fake.requests} == {OWN_MODEL}
    assert {request.voice.id for request in fake.requests} == {"own-cloned-x-1"}


def test_the_capability_is_that_of_the_bound_model(fake, book):
    """What the bound model cannot do is refused, though the client's usual model could."""
    cards = list(fake.info.models)
    plain = attrs.evolve(FAKE_CAPABILITIES, max_text=cards[1].capabilities.max_text)
    cards[1] = ModelCard(
        name=OWN_MODEL,
        transports=("local",),
        capabilities=attrs.evolve(plain, rate=attrs.evolve(plain.rate, support="no")),
    )
    fake.info = attrs.evolve(fake.info, models=tuple(cards))
    from vivavoce.blocking import Client

    book.add("narrator", "fake", attrs.evolve(OWN, region=""))
    client = Client(
        "fake:narrator", registry=fake.registry(), settings=Settings(voice_book=book.path)
    )
    with client, pytest.raises(CapabilityError, match="change its rate"):
        client.synthesize("Hello.", rate=1.5)
