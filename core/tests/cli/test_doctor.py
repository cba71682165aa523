import json
import sys
from pathlib import Path

import attrs
import pytest

from vivavoce.errors import RequestRejected
from vivavoce.hookspecs import hookimpl
from vivavoce.model.capability import Capabilities, yes
from vivavoce.model.secret import Secret
from vivavoce.registry import Registry
from vivavoce.testing import FAKE_CAPABILITIES

TOKEN = "sk-verysecret"


def findings(result):
    """Return what was found, by check and provider."""
    found = json.loads(result.stdout_bytes)
    assert all(set(f) == {"check", "provider", "state", "detail"} for f in found)
    return {(f["check"], f["provider"]): (f["state"], f["detail"]) for f in found}


def test_installation(run):
    """Python, versions, extras, settings and the default provider are told."""
    found = findings(run("doctor", "acme", "--json"))
    assert found["python", None][1].startswith("CPython 3.") or sys.implementation.name != "cpython"
    assert "vivavoce " in found["versions", None][1]
    assert {"extra audio", "extra play", "extra speed"} <= {check for check, _ in found}
    assert str(Path("../config.toml").resolve()) in found["settings", None][1]
    assert found["default", None] == ("ok", "acme")


def test_speaks(run, acme):
    """A provider that costs nothing and runs here is spoken with."""
    result = run("doctor", "acme:bär", "--json")
    assert result.exit_code == 0
    state, detail = findings(result)["speech", "acme"]
    assert state == "ok"
    assert detail.startswith("one: 0.04 s of audible speech, first audio after ")
    assert acme.requests[0].voice.id == "bär"


def test_all_providers(run):
    """Without a selector every provider is looked at."""
    found = findings(run("doctor", "--json"))
    assert {provider for _, provider in found} == {None, "acme", "dear"}


def test_table(run):
    """People get a table."""
    result = run("doctor", "acme")
    assert result.exit_code == 0
    assert result.stdout.startswith("CHECK ")
    assert "audible speech" in result.stdout


def test_missing_key(run, dear):
    """A missing key fails with the code of a set-up error, and nothing is sent."""
    result = run("doctor", "dear", "--json")
    assert result.exit_code == 3
    found = findings(result)
    assert found["key", "dear"][0] == "fail"
    assert "DEAR_TOKEN" in found["key", "dear"][1]
    assert found["speech", "dear"] == ("note", "left out: no key")
    assert dear.requests == []


class Keeper:
    """A plugin that knows keys."""

    @hookimpl
    def vivavoce_resolve_credential(self, provider):
        return Secret(TOKEN)


@pytest.mark.parametrize("place", ["environment", "settings", "plugin"])
@pytest.mark.parametrize("flags", [[], ["--json"], ["--speak", "--debug"]])
def test_key_is_not_shown(run, acme, dear, monkeypatch, place, flags):
    """A key is found wherever it may be, and shown nowhere."""
    if place == "environment":
        monkeypatch.setenv("DEAR_TOKEN", TOKEN)
    elif place == "settings":
        Path("../config.toml").write_text(f'[providers.dear]\napi_key = "{TOKEN}"')
    else:
        run.use(Registry.of(acme, dear, Keeper()))
    result = run("doctor", "dear", *flags)
    assert result.exit_code == 0
    assert "there is one" in result.stdout
    assert TOKEN not in result.output


def test_money_is_not_spent(run, dear, monkeypatch):
    """A model that may cost something is spoken with only when told to."""
    monkeypatch.setenv("DEAR_TOKEN", TOKEN)
    result = run("doctor", "dear", "--json")
    assert result.exit_code == 0
    assert findings(result)["speech", "dear"][0] == "note"
    assert dear.requests == []
    result = run("doctor", "dear", "--speak", "--json")
    assert findings(result)["speech", "dear"][0] == "ok"
    assert len(dear.requests) == 1


def test_silence(run_with, make_acme):
    """A provider that cannot be heard fails with the code of a provider's error."""
    result = run_with(make_acme(lambda _request: [bytes(3_200)]))("doctor", "--json")
    assert result.exit_code == 4
    state, detail = findings(result)["speech", "acme"]
    assert state == "fail"
    assert "only silence" in detail


def test_refusal(run_with, make_acme):
    """What the provider answers is told."""
    result = run_with(make_acme(lambda _request: [RequestRejected("Not today.")]))(
        "doctor", "--json"
    )
    assert result.exit_code == 4
    assert findings(result)["speech", "acme"] == ("fail", "Not today.")


def test_incomplete_claims(run_with, make_acme):
    """Claims that are unknown or without evidence are named, and are no failure."""
    claims = Capabilities(
        languages=yes("en"), sample_rates_hz=FAKE_CAPABILITIES.sample_rates_hz, rate=yes()
    )
    result = run_with(make_acme(capabilities=claims))("doctor", "--json")
    assert result.exit_code == 0
    state, detail = findings(result)["claims", "acme"]
    assert state == "note"
    assert "unknown: stream_out, word_marks" in detail
    assert "without evidence: rate, languages" in detail


def test_voices_that_raise(run_with, make_acme):
    """A plugin that raises is a finding, and the rest is looked at all the same."""
    acme = make_acme()
    acme.info = attrs.evolve(acme.info, voices=lambda: 1 // 0)
    result = run_with(acme)("doctor", "--json")
    assert result.exit_code == 1
    found = findings(result)
    assert found["voices", "acme"][0] == "fail"
    assert found["voices", "acme"][1].startswith("ZeroDivisionError")
    assert found["claims", "acme"][0] == "note"


def test_broken_plugin(run):
    """A plugin that cannot be loaded fails with its reason."""

    class Source:
        name = "wrecked"

        def load(self):
            msg = "no engine"
            raise ImportError(msg)

    run.use(Registry([Source()]))
    result = run("doctor", "--json")
    assert result.exit_code == 3
    found = findings(result)
    assert found["plugin", "wrecked"] == ("fail", "ImportError: no engine")
    assert found["default", None][0] == "fail"


def test_wrong_settings(run):
    """Settings that cannot be read are a finding too."""
    Path("../config.toml").write_text("default = ")
    result = run("doctor", "acme", "--json")
    assert result.exit_code == 3
    found = findings(result)
    assert found["settings", None][0] == "fail"
    assert found["speech", "acme"][0] == "ok"


def test_missing_extra(run, monkeypatch):
    """An extra that is not installed is told with the command that installs it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    found = findings(run("doctor", "dear", "--json"))
    state, detail = found["extra audio", None]
    assert state == "note"
    assert detail.endswith("pip install 'vivavoce[audio]'")


def test_unknown_selector(run):
    """A selector that names nothing is a usage error."""
    result = run("doctor", "acne")
    assert result.exit_code == 2
    assert "Did you mean 'acme'?" in result.stderr
