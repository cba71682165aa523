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
    """Without a file the settings are the defaults."""
    assert Settings() == load_settings()


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
        ("[providers]\nacme = 1", "providers.acme is a table"),
        ("[providers.acme]\nkey = 'x'", "providers.acme.key is not one of api_key"),
        ("[providers.acme]\nregion = 1", "providers.acme.region is not one of"),
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
