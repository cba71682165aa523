import sys
import types

import attrs
import pytest

from vivavoce.errors import PluginError, SettingsError, SetupError, UnknownModel, UnknownProvider
from vivavoce.hookspecs import hookimpl
from vivavoce.model.capability import no, yes
from vivavoce.provider import INTERFACE, Synthesizer, VoiceCustomizer
from vivavoce.registry import Registry
from vivavoce.settings import Settings
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider


class Source:
    """An entry point made for a test."""

    def __init__(self, name, plugin):
        self.name = name
        self._plugin = plugin

    def load(self):
        if isinstance(self._plugin, BaseException):
            raise self._plugin
        return self._plugin


class Misspelt:
    @hookimpl
    def vivavoce_synthesizer(self):
        return []


class WrongArguments:
    @hookimpl
    def vivavoce_synthesis_started(self, utterance):
        pass


class Raises:
    @hookimpl
    def vivavoce_synthesizers(self):
        msg = "no table"
        raise ZeroDivisionError(msg)


class NotAnInfo:
    @hookimpl
    def vivavoce_synthesizers(self):
        return ["acme"]


def of_interface(number):
    fake = FakeProvider(name="acme")
    fake.info = attrs.evolve(fake.info, interface=number)
    return fake


def without_models():
    fake = FakeProvider(name="acme")
    fake.info = attrs.evolve(fake.info, models=())
    return fake


def named(name):
    fake = FakeProvider()
    fake.info = attrs.evolve(fake.info, name=name)
    return fake


def with_the_same_model_twice():
    fake = FakeProvider(name="acme")
    fake.info = attrs.evolve(fake.info, models=fake.info.models * 2)
    return fake


def claiming_stream_in():
    capabilities = attrs.evolve(FAKE_CAPABILITIES, stream_in=yes())
    return FakeProvider(name="acme", capabilities=capabilities)


BROKEN = [
    (ImportError("No module named 'acme_sdk'"), "ImportError: No module named 'acme_sdk'"),
    (SystemExit(3), "SystemExit: 3"),
    (SyntaxError("bad"), "SyntaxError: bad"),
    (Misspelt(), "implements 'vivavoce_synthesizer', which is no hook.*'vivavoce_synthesizers'"),
    (WrongArguments(), "utterance"),
    (Raises(), "ZeroDivisionError: no table"),
    (NotAnInfo(), "returned str, not SynthesizerInfo"),
    (of_interface(INTERFACE + 1), "interface 2, and this vivavoce has 1. Upgrade vivavoce"),
    (of_interface(INTERFACE - 1), "interface 0, and this vivavoce has 1. Upgrade the plugin"),
    (without_models(), "'acme' has no model"),
    (named("Acme Speech"), "'Acme Speech' is no provider name"),
    (with_the_same_model_twice(), "model 'one' more than once"),
    (claiming_stream_in(), "claims stream_in, but FakeSynthesizer has no session"),
]


@pytest.mark.parametrize(("plugin", "reason"), BROKEN)
def test_a_broken_plugin_harms_no_other(plugin, reason):
    """A broken plugin is listed by name with its reason, and all others work."""
    registry = Registry([Source("acme", plugin), Source("good", FakeProvider(name="good"))])
    assert [info.name for info in registry] == ["good"]
    assert [broken.name for broken in registry.broken] == ["acme"]
    with pytest.raises(PluginError, match=reason):
        registry.get("acme")


@pytest.mark.parametrize(("plugin", "reason"), BROKEN)
def test_a_broken_plugin_is_told_no_more(plugin, reason):
    """Once refused, a plugin's hooks are not called again."""
    registry = Registry([Source("acme", plugin)])
    assert registry.hook.vivavoce_synthesizers() == []


def test_a_name_is_given_once():
    """Of two plugins that offer one name the first by entry point keeps it."""
    first, second = FakeProvider(name="acme"), FakeProvider(name="acme")
    registry = Registry([Source("b", second), Source("a", first)])
    assert first.info.voices is registry.get("acme").voices
    assert [broken.name for broken in registry.broken] == ["b"]
    assert "'acme', a name that" in registry.broken[0].reason


def test_given_plugins_must_work():
    """A registry made of given plugins raises for a broken one."""
    with pytest.raises(PluginError, match="no hook"):
        Registry.of(Misspelt())


def test_unknown_provider_suggests_near_names():
    """An unknown provider names the nearest one and all installed."""
    registry = FakeProvider(name="acme").registry(FakeProvider(name="zeta"))
    with pytest.raises(UnknownProvider, match=r"Did you mean 'acme'\? Installed: acme, zeta") as e:
        registry.get("acne")
    assert e.value.nearest == ("acme",)


def test_unknown_model_suggests_near_names():
    """An unknown model names the nearest one."""
    registry = FakeProvider().registry()
    with pytest.raises(UnknownModel, match="Did you mean 'one'"):
        registry.model(registry.get("fake"), "on")


def test_default_is_the_best_that_needs_no_key():
    """The default provider has the highest rank of those that need no credential."""
    registry = FakeProvider(name="poor", default_rank=5).registry(
        FakeProvider(name="rich", default_rank=9),
        FakeProvider(name="paid", default_rank=99, credential_env=("PAID_KEY",)),
        FakeProvider(name="test", default_rank=0),
    )
    assert str(registry.default(Settings())) == "rich"


def test_default_from_settings_wins():
    """A default selector in the settings goes before rank."""
    registry = FakeProvider(name="poor").registry(FakeProvider(name="acme", default_rank=0))
    assert str(registry.default(Settings(default="acme/one:ann"))) == "acme/one:ann"


@pytest.mark.parametrize("default", ["acne", "acme/two", "ACME"])
def test_an_unusable_default_names_the_settings(default):
    """A default that names nothing is an error of the settings, with the reason."""
    registry = FakeProvider(name="acme").registry()
    with pytest.raises(SettingsError, match=r"settings \(VIVAVOCE_DEFAULT\) cannot be used"):
        registry.default(Settings(default=default))


def test_no_default_is_a_clear_error():
    """Where nothing speaks without a key, the error says what to do."""
    registry = FakeProvider(default_rank=0).registry()
    with pytest.raises(SetupError, match="VIVAVOCE_DEFAULT"):
        registry.default(Settings())


def test_stream_in_is_read_off_the_code():
    """Where a card is silent on stream_in, the claim is what the class shows."""
    fake = FakeProvider()
    assert fake.registry().get("fake").models[0].capabilities.stream_in.support == "no"

    class Duplex(fake.info.synthesizer):
        def session(self, request):
            return super().session(request)

    fake.info = attrs.evolve(fake.info, synthesizer=Duplex)
    assert fake.registry().get("fake").models[0].capabilities.stream_in
    assert Duplex.session is not Synthesizer.session


def named_class(place, **changes):
    fake = FakeProvider(name="acme", capabilities=attrs.evolve(FAKE_CAPABILITIES, **changes))
    fake.info = attrs.evolve(fake.info, synthesizer=place)
    return fake


def test_a_class_may_be_named(monkeypatch):
    """A synthesizer given by name is imported only when it is spoken with."""
    fake = named_class("made_up_module:Speaker", stream_in=no())
    info = fake.registry().get("acme")
    assert "made_up_module" not in sys.modules
    module = types.ModuleType("made_up_module")
    module.Speaker = FakeProvider().info.synthesizer
    monkeypatch.setitem(sys.modules, "made_up_module", module)
    assert info.load_synthesizer() is module.Speaker


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("no_such_module:Speaker", "No module named 'no_such_module'"),
        ("json:Speaker", "no attribute 'Speaker'"),
        ("json:JSONDecoder", "'json:JSONDecoder' of 'acme' is no Synthesizer class"),
    ],
)
def test_a_named_class_that_is_not_there(place, reason):
    """A name that leads to no synthesizer is an error of the plugin, with the reason."""
    info = named_class(place, stream_in=no()).registry().get("acme")
    with pytest.raises(PluginError, match=reason):
        info.load_synthesizer()


def test_a_named_class_cannot_lie(monkeypatch):
    """A class given by name that lacks the session it is claimed to have is refused."""
    module = types.ModuleType("made_up_module")
    module.Speaker = FakeProvider().info.synthesizer
    monkeypatch.setitem(sys.modules, "made_up_module", module)
    info = named_class("made_up_module:Speaker", stream_in=yes()).registry().get("acme")
    with pytest.raises(PluginError, match="claims stream_in, but FakeSynthesizer has no session"):
        info.load_synthesizer()


def customizing(**changes):
    """Return a fake provider whose customizer introduces itself otherwise."""
    fake = FakeProvider(makes_voices=True)
    (info,) = fake.vivavoce_voice_customizers()
    changed = changes.pop("instead", None) or attrs.evolve(info, **changes)
    fake.vivavoce_voice_customizers = hookimpl(lambda: [changed])
    return fake


class Listing(VoiceCustomizer):
    """One that can neither clone nor design."""

    def list(self, origin, page):
        raise NotImplementedError

    def delete(self, voice_id, origin):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (customizing(instead="acme"), "vivavoce_voice_customizers returned str"),
        (customizing(interface=INTERFACE + 1), "was written for interface"),
        (customizing(customizer=Listing), "offers to clone, but Listing has no clone()"),
    ],
)
def test_a_broken_customizer(plugin, reason):
    """A customizer that introduces itself wrongly makes its plugin a broken one."""
    with pytest.raises(PluginError) as caught:
        Registry.of(plugin)
    assert reason in caught.value.message


def test_one_customizer_a_provider():
    """A second plugin cannot make voices in the name of the first."""
    second = FakeProvider(name="other", makes_voices=True)
    (info,) = FakeProvider(makes_voices=True).vivavoce_voice_customizers()
    second.vivavoce_voice_customizers = hookimpl(lambda: [info])
    registry = Registry([Source("a", FakeProvider(makes_voices=True)), Source("b", second)])
    assert [broken.name for broken in registry.broken] == ["b"]
    assert "which another plugin does already" in registry.broken[0].reason
    assert registry.customizer("fake") is not None


def test_a_customizer_may_be_named(monkeypatch):
    """It is imported when it is first needed; one that is none is a broken plugin's."""
    module = types.ModuleType("acme_voices")
    module.Listing, module.number = Listing, 7
    monkeypatch.setitem(sys.modules, "acme_voices", module)
    plain = {"clone": None, "design": None}
    found = Registry.of(customizing(customizer="acme_voices:Listing", **plain)).customizer("fake")
    assert found.load_customizer() is Listing
    assert found.origins == ()
    wrong = Registry.of(customizing(customizer="acme_voices:number")).customizer("fake")
    with pytest.raises(PluginError, match="is no VoiceCustomizer class"):
        wrong.load_customizer()
