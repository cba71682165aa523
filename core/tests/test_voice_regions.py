"""Where an own voice lives is where it is made, looked for and deleted."""

import asyncio

import attrs
import pytest

from vivavoce import AsyncClient, BookedVoice, Client, InvalidValue, Settings, VoiceBook
from vivavoce.hookspecs import hookimpl
from vivavoce.model.voice import Voice
from vivavoce.testing import FakeProvider

PREVIEW = "Good evening, and welcome."


@pytest.fixture
def fake():
    return FakeProvider(makes_voices=True)


@pytest.fixture
def book(tmp_path):
    return VoiceBook(tmp_path / "voices.toml")


@pytest.fixture
def make(fake, book):
    """Return a function that makes a client with the arguments given."""

    def made(*plugins, **values):
        settings = Settings(voice_book=book.path)
        registry = fake.registry(*plugins)
        return Client("fake", registry=registry, settings=settings, **values)

    return made


@pytest.fixture
def narrator(fake, book):
    """A voice that lives in the region eu."""
    voice = Voice(id="own-cloned-n-1", origin="cloned", models=("own",))
    fake.own_voices[voice.id] = voice
    book.add("narrator", "fake", BookedVoice(id=voice.id, origin="cloned", region="eu"))


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize("given", ["narrator", "own-cloned-n-1"])
@pytest.mark.parametrize("call", ["get", "delete"])
def test_asked_where_it_lives(make, fake, given, call):
    """A voice of the book is asked for in its region: elsewhere it would be taken for gone."""
    with make() as client:
        assert getattr(client.voices, call)(given)
    assert [config.region for config in fake.configs] == ["eu"]


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize("call", ["get", "delete"])
def test_other_region_refused(make, fake, book, call):
    """To ask for it in another region is refused, and its record stays."""
    with make(region="us") as client, pytest.raises(InvalidValue, match="lives in the region 'eu'"):
        getattr(client.voices, call)("narrator")
    assert fake.configs == []
    assert book.get("narrator") is not None


@pytest.mark.parametrize("is_async", [False, True])
def test_made_where_the_plan_says(fake, book, is_async):
    """A voice is made in the region of its plan, which the book then has."""
    (info,) = fake.vivavoce_voice_customizers()
    offer = attrs.evolve(info.design, regions=("eu", "us"))

    class Regional:
        vivavoce_synthesizers = fake.vivavoce_synthesizers

        @hookimpl
        def vivavoce_voice_customizers(self):
            return [attrs.evolve(info, design=offer)]

    settings = Settings(voice_book=book.path)
    registry = type(fake.registry()).of(Regional())
    given = {"registry": registry, "settings": settings}
    words = {"preview_text": PREVIEW, "name": "guide", "language": "en"}
    description = "A young man, high pitch, fast."

    async def make():
        async with AsyncClient("fake", **given) as client:
            await client.voices.design(description, **words)

    if is_async:
        asyncio.run(make())
    else:
        with Client("fake", **given) as client:
            assert client.voices.explain_design(description, **words).region == "eu"
            client.voices.design(description, **words)
    assert [config.region for config in fake.configs] == ["eu"]
    assert book.get("guide").voices["fake"].region == "eu"


def test_stock_id_goes_first(make, book):
    """An alias that is also a stock voice's id is not looked at."""
    book.add("ann", "fake", BookedVoice(id="ben"))
    with make() as client:
        assert client.voices.get("ann").id == "ann"
