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
