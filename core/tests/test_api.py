import attrs
import pytest

import vivavoce
from vivavoce import InvalidValue, UnknownModel, UnknownProvider
from vivavoce.model.capability import yes
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider


@pytest.fixture
def registry(monkeypatch):
    """Two providers in place of the installed ones."""
    rich = attrs.evolve(FAKE_CAPABILITIES, ssml=yes("speak"), languages=yes("yue", "cmn"))
    registry = FakeProvider(name="acme").registry(FakeProvider(name="rich", capabilities=rich))
    for module in ("vivavoce.catalogue", "vivavoce.face"):
        monkeypatch.setattr(f"{module}.installed", lambda: registry)
    monkeypatch.setenv("VIVAVOCE_CONFIG", "/nonexistent/config.toml")
    return registry


def test_say(registry):
    """One call speaks, with the default provider or another."""
    assert vivavoce.say("Hello.").report.provider in ("acme", "rich")
    assert vivavoce.say("Hello.", "rich:ben").report.voice == "ben"


def test_save(registry, tmp_path):
    """One call speaks into a file."""
    assert vivavoce.save("Hello.", tmp_path / "a.wav", "acme").audio_s > 0
    assert (tmp_path / "a.wav").read_bytes().startswith(b"RIFF")


def test_providers(registry):
    """Providers are listed by name."""
    assert [info.name for info in vivavoce.providers()] == ["acme", "rich"]


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({}, ["acme/one", "rich/one"]),
        ({"needs": ["ssml"]}, ["rich/one"]),
        ({"needs": ["ssml", "instructions"]}, []),
        ({"language": "yue"}, ["rich/one"]),
        ({"language": "zh"}, ["rich/one"]),
        ({"language": "en-GB"}, ["acme/one"]),
        ({"transport": "http"}, []),
        ({"transport": "local", "provider": "acme"}, ["acme/one"]),
    ],
)
def test_find_models(registry, wish, found):
    """Models are found by what they claim, speak and are reached by."""
    assert [model.selector for model in vivavoce.find_models(**wish)] == found


def test_find_models_of_a_region():
    """Models are found by the region they are offered in; one tied to no region is in none."""
    registry = FakeProvider(name="here").registry(
        FakeProvider(name="acme").with_card(regions=("eu", "us")),
        FakeProvider(name="beta").with_card(regions=("us",)),
    )

    def found(region):
        return [m.selector for m in vivavoce.find_models(region=region, registry=registry)]

    assert (found("eu"), found("us")) == (["acme/one"], ["acme/one", "beta/one"])
    with pytest.raises(InvalidValue, match=r"'euu'\. Did you mean 'eu'\? Regions: eu, us\."):
        found("euu")


def test_find_models_that_can_be_used():
    """Models this release cannot speak with are left out, unless they are asked for."""
    registry = FakeProvider(name="acme").with_card(unavailable="It sings only.").registry()
    assert vivavoce.find_models(registry=registry) == []
    (found,) = vivavoce.find_models(only_usable=False, registry=registry)
    assert found.selector == "acme/one"


def test_find_models_refuses(registry):
    """A need that is no capability, or an unknown provider, is refused."""
    with pytest.raises(InvalidValue, match="'telepathy' is no capability"):
        vivavoce.find_models(needs=["telepathy"])
    with pytest.raises(UnknownProvider):
        vivavoce.find_models(provider="nobody")


def test_capabilities(registry):
    """Capabilities are had by selector, or for the default provider."""
    assert vivavoce.capabilities("rich/one").ssml
    assert not vivavoce.capabilities("acme").ssml
    assert vivavoce.capabilities().word_marks
    with pytest.raises(UnknownModel):
        vivavoce.capabilities("acme/two")
