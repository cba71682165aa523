import attrs
import pytest

from vivavoce.errors import CredentialError, InvalidValue, SettingsError
from vivavoce.model.secret import Secret
from vivavoce.settings import Settings, Timeouts, load_settings
from vivavoce.testing import FakeProvider

CANARY = "sk-canary-1234"


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a settings file and point the environment at it."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("VIVAVOCE_CONFIG", str(path))

    def write(text):
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_no_file_is_no_error(config):
    """Without a file the settings are the defaults, and the voice book has its usual place."""
    found = load_settings()
    assert found.voice_book is not None
    assert found.voice_book.name == "voices.toml"
    assert attrs.evolve(found, voice_book=None) == Settings()


def test_the_voice_book_is_where_it_is_set(config, monkeypatch, tmp_path):
    """The setting is read beside the file it stands in; the variable goes before it."""
    config('voice_book = "mine.toml"\n')
    assert load_settings().voice_book == tmp_path / "mine.toml"
    monkeypatch.setenv("VIVAVOCE_VOICES", str(tmp_path / "other.toml"))
    assert load_settings().voice_book == tmp_path / "other.toml"


def test_reads_a_file(config):
    """Default, providers and timeouts come from the file, a key as a secret."""
    path = config(
        f'default = "acme:ann"\n[providers.acme]\napi_key = "{CANARY}"\nregion = "eu"\n'
        "[timeouts]\ntotal_s = 5\n"
    )
    settings = load_settings()
    assert ("acme:ann", path) == (settings.default, settings.path)
    assert {"api_key": Secret(CANARY), "region": "eu"} == settings.providers["acme"]
    assert Timeouts(total_s=5) == settings.timeouts
    assert CANARY not in repr(settings)


def test_environment_wins(config, monkeypatch):
    """Environment variables go before the file."""
    config('default = "a"\n[providers.acme]\nregion = "eu"\n')
    monkeypatch.setenv("VIVAVOCE_DEFAULT", "b")
    monkeypatch.setenv("VIVAVOCE_ACME_REGION", "us")
    monkeypatch.setenv("VIVAVOCE_ACME_API_KEY", CANARY)
    settings = load_settings()
    assert settings.default == "b"
    assert {"region": "us", "api_key": Secret(CANARY)} == settings.providers["acme"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default = 3", "default is a selector in quotes"),
        ("defualt = 'x'", "defualt is no setting; known are default"),
        ("providers = 1", "providers is a table"),
        ("voice_book = 1", "voice_book is a path in quotes"),
        ("[providers]\nacme = 1", "providers.acme is a table"),
        ("[providers.acme]\nregion = 1", "providers.acme.region is a string"),
        ("[timeouts]\nfirst = 1", "timeouts.first is not one of connect_s"),
        ("[timeouts]\ntotal_s = -1", "total_s is a number of seconds above 0"),
        ("timeouts = []", "timeouts is a table"),
        ("= nonsense", "is no TOML"),
    ],
)
def test_refuses_what_has_no_meaning(config, text, message):
    """A setting that means nothing is refused with the file and the key."""
    path = config(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings()
    assert str(path) in str(caught.value)


def test_a_broken_file_does_not_show_its_keys(config):
    """The error for a file that does not parse quotes none of its secrets."""
    config(f'api_key = "{CANARY}" "\n')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_not_utf8_is_no_toml(config):
    """A file that is not UTF-8 is refused as such."""
    config("").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings()


def test_unreadable_file(config):
    """A path that cannot be read is refused with the reason."""
    path = config("")
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()


@pytest.mark.parametrize("value", [0, -1, "5", True, float("inf"), float("nan")])
def test_timeouts_are_seconds(value):
    """A timeout is a finite number above 0, or None."""
    with pytest.raises(InvalidValue, match="seconds above 0"):
        Timeouts(total_s=value)


def test_a_missing_key_says_where_to_put_it(monkeypatch):
    """Without a credential the error names argument, variable and file."""
    monkeypatch.delenv("ACME_KEY", raising=False)
    info = FakeProvider(name="acme", credential_env=("ACME_KEY", "ACME_OLD_KEY")).info
    with pytest.raises(CredentialError, match=r"api_key=, set ACME_KEY or ACME_OLD_KEY"):
        Settings().config_for(info)


@pytest.mark.parametrize("key", [CANARY, "k" * 200, f" {CANARY}\n"])
def test_key_precedence(monkeypatch, key):
    """Argument goes before settings, settings before the provider's own variable; any length."""
    info = FakeProvider(name="acme", credential_env=("ACME_KEY",)).info
    monkeypatch.setenv("ACME_KEY", key)
    assert Secret(key) == Settings().config_for(info).credential
    stored = Settings(providers={"acme": {"api_key": Secret("stored")}})
    assert Secret("stored") == stored.config_for(info).credential
    assert Secret("given") == stored.config_for(info, credential=Secret("given")).credential


@pytest.fixture
def acme():
    """A provider with variables for its address and region, and a setting of its own."""
    return attrs.evolve(
        FakeProvider(name="acme").info,
        settings={
            "base_url": ("ACME_URL",),
            "region": ("ACME_REGION",),
            "workspace": ("ACME_WORKSPACE", "ACME_SPACE"),
        },
    )


def test_a_provider_names_variables_of_its_own(acme, monkeypatch):
    """Address, region and own settings come from the variables that the provider names."""
    monkeypatch.setenv("ACME_URL", "https://acme.example")
    monkeypatch.setenv("ACME_REGION", " eu ")
    monkeypatch.setenv("ACME_SPACE", "ws-1")
    found = Settings().config_for(acme)
    assert (found.base_url, found.region) == ("https://acme.example", "eu")
    assert found.extra == {"workspace": "ws-1"}


def test_precedence_of_a_providers_settings(acme, monkeypatch):
    """An argument goes before the file, that before our variable, ours before the provider's."""
    monkeypatch.setenv("ACME_REGION", "theirs")
    monkeypatch.setenv("ACME_WORKSPACE", "theirs")
    monkeypatch.setenv("VIVAVOCE_ACME_WORKSPACE", "ours")
    assert Settings().config_for(acme).extra == {"workspace": "ours"}
    stored = Settings(providers={"acme": {"workspace": "stored", "region": "eu"}})
    assert stored.config_for(acme).extra == {"workspace": "stored"}
    assert stored.config_for(acme).region == "eu"
    assert stored.config_for(acme, region="us").region == "us"
    assert stored.region_for(acme, "us") == "us"
    stored = Settings(providers={"acme": {"base_url": "https://stored.example"}})
    assert stored.config_for(acme).base_url == "https://stored.example"
    given = stored.config_for(acme, base_url="https://given.example")
    assert given.base_url == "https://given.example"


def test_variables_of_a_provider_with_a_hyphen(config, acme, monkeypatch):
    """In the variables of a provider a hyphen of its name is an underscore."""
    info = attrs.evolve(acme, name="acme-two")
    config('[providers.acme-two]\nregion = "eu"\nbase_url = "https://stored.example"\n')
    monkeypatch.setenv("VIVAVOCE_ACME_TWO_WORKSPACE", "ours")
    monkeypatch.setenv("VIVAVOCE_ACME_TWO_REGION", "us")
    monkeypatch.setenv("VIVAVOCE_ACME_TWO_API_KEY", CANARY)
    found = load_settings().config_for(info)
    assert found.extra == {"workspace": "ours"}
    assert (found.credential, found.region) == (Secret(CANARY), "us")
    assert found.base_url == "https://stored.example"


def test_a_setting_that_is_not_set_is_absent(acme):
    """Of the provider's own settings only those that are set are handed over."""
    assert Settings().config_for(acme).extra == {}


def test_a_misspelt_setting_of_a_provider(config, acme):
    """A setting the provider does not have is refused once it is used, and never shown."""
    config(f'[providers.acme]\napikey = "{CANARY}"\n')
    settings = load_settings()
    assert CANARY not in repr(settings)
    with pytest.raises(SettingsError, match=r"acme\.apikey is no setting of it; known are api_key"):
        settings.config_for(acme)
