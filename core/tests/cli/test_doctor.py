import contextlib
import json
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import attrs
import pytest

from vivavoce.errors import RequestRejected
from vivavoce.hookspecs import hookimpl
from vivavoce.model.capability import Capabilities, yes
from vivavoce.model.secret import Secret
from vivavoce.provider import Synthesizer
from vivavoce.registry import Registry
from vivavoce.testing import FAKE_CAPABILITIES
from vivavoce.wire.http import HttpCall

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


def test_key_nobody_asked_for(run):
    """A provider without its key is no failure unless it is named."""
    result = run("doctor", "--json")
    assert result.exit_code == 0
    found = findings(result)
    assert found["key", "dear"] == ("note", "no key: set DEAR_TOKEN to use it")
    assert found["speech", "dear"] == ("note", "left out: no key")


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


def test_no_default(run_with, dear, monkeypatch):
    """Having no default provider fails, unless a provider is named."""
    monkeypatch.setenv("DEAR_TOKEN", TOKEN)
    result = run_with(dear)("doctor", "--json")
    assert (result.exit_code, findings(result)["default", None][0]) == (3, "fail")
    result = run_with(dear)("doctor", "dear", "--json")
    assert (result.exit_code, findings(result)["default", None][0]) == (0, "note")


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


# The way to a host


@pytest.fixture
def host():
    """A host that answers every request with 404 and a time of the test's choice."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, dict(self.headers)))
            self.send_response_only(404)
            if self.server.date is not None:
                self.send_header("Date", self.server.date)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.date = format_datetime(datetime.now(UTC), usegmt=True)
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cloud(dear, host, monkeypatch):
    """The provider dear, with that host; ``cloud.configs`` is what it was made with."""
    monkeypatch.setenv("VIVAVOCE_DEAR_BASE_URL", host.url)

    class Cloudy(Synthesizer):
        closed = 0

        def __init__(self, config):
            super().__init__(config)
            dear.configs.append(config)

        def exchange(self, request):
            raise NotImplementedError

        def probe(self):
            return HttpCall(method="GET", url=f"{self.config.base_url}/{self.config.region}")

        def close(self):
            Cloudy.closed += 1

    dear.info = attrs.evolve(dear.info, synthesizer=Cloudy)
    return dear


def test_host(run_with, cloud, host):
    """Any answer shows that the host is there; it takes no key."""
    result = run_with(cloud)("doctor", "dear", "--region", "eu", "--json")
    assert result.exit_code == 3  # the missing key
    state, detail = findings(result)["host", "dear"]
    assert state == "ok"
    assert detail.startswith(f"127.0.0.1:{host.server_port} answered after ")
    assert detail.endswith("with HTTP status 404")
    assert [path for path, _ in host.asked] == ["/eu"]
    assert findings(result)["clock", "dear"] == ("ok", "agrees with the host's")
    assert cloud.info.load_synthesizer().closed == 1


@pytest.mark.parametrize("variable", ["DEAR_TOKEN", "VIVAVOCE_DEAR_API_KEY"])
def test_key_is_not_sent_to_a_host(run_with, cloud, host, monkeypatch, variable):
    """What looks whether the host is there is not given the key."""
    monkeypatch.setenv(variable, TOKEN)
    result = run_with(cloud)("doctor", "dear", "--json")
    assert result.exit_code == 0
    assert [config.credential for config in cloud.configs] == [None]
    assert len(host.asked) == 1


def test_host_of_an_address(run_with, cloud, host, monkeypatch):
    """The address given is the one that is asked."""
    monkeypatch.setenv("VIVAVOCE_DEAR_BASE_URL", "http://127.0.0.1:1")
    run_with(cloud)("doctor", "dear", "--base-url", host.url, "--json")
    assert len(host.asked) == 1


def test_host_nobody_asked_for(run_with, cloud, host):
    """Without a selector no host is asked, unless it is to be spoken with."""
    assert ("host", "dear") not in findings(run_with(cloud)("doctor", "--json"))
    assert host.asked == []
    assert ("host", "dear") in findings(run_with(cloud)("doctor", "--speak", "--json"))
    assert len(host.asked) == 1


def test_no_host(run):
    """A provider without a host has nothing said of one."""
    found = findings(run("doctor", "acme", "--json"))
    assert not {check for check, _ in found} & {"host", "clock"}


def closed_port():
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_host_that_is_not_there(run_with, cloud, monkeypatch):
    """A host that is not reached is a transport error, and is not spoken with."""
    monkeypatch.setenv("DEAR_TOKEN", TOKEN)
    monkeypatch.setenv("VIVAVOCE_DEAR_BASE_URL", f"http://127.0.0.1:{closed_port()}")
    result = run_with(cloud)("doctor", "dear", "--speak", "--json")
    assert result.exit_code == 5
    found = findings(result)
    assert found["host", "dear"][0] == "fail"
    assert ("clock", "dear") not in found
    assert found["speech", "dear"] == ("note", "left out: see the failure above")


def test_host_that_does_not_answer(run_with, cloud, monkeypatch):
    """A host that gives no answer within the settings' limit of a connection fails."""
    monkeypatch.setenv("DEAR_TOKEN", TOKEN)
    Path("../config.toml").write_text("[timeouts]\nconnect_s = 0.05")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        monkeypatch.setenv("VIVAVOCE_DEAR_BASE_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        result = run_with(cloud)("doctor", "dear", "--json")
    assert result.exit_code == 5
    assert findings(result)["host", "dear"] == ("fail", "The host gave no answer within 0.05 s.")


@pytest.mark.parametrize(
    ("minutes", "state", "says"),
    [
        (4, "ok", "agrees with the host's"),
        (-4, "ok", "agrees with the host's"),
        (6, "fail", "this machine's clock is 6 minutes behind the host's"),
        (-90, "fail", "this machine's clock is 90 minutes ahead of the host's"),
    ],
)
def test_clock(run_with, cloud, host, monkeypatch, minutes, state, says):
    """A clock more than five minutes off the host's fails with the code of a set-up error."""
    monkeypatch.setenv("DEAR_TOKEN", TOKEN)
    there = datetime.now(UTC) + timedelta(minutes=minutes)
    host.date = format_datetime(there, usegmt=True)
    result = run_with(cloud)("doctor", "dear", "--json")
    assert result.exit_code == (0 if state == "ok" else 3)
    found, detail = findings(result)["clock", "dear"]
    assert (found, detail[: len(says)]) == (state, says)


@pytest.mark.parametrize(
    ("date", "says"),
    [(None, "not compared: the host tells no time"), ("soon", "the host's time is 'soon'")],
)
def test_host_without_a_clock(run_with, cloud, host, date, says):
    """A host that does not tell the time is a note."""
    host.date = date
    state, detail = findings(run_with(cloud)("doctor", "dear", "--json"))["clock", "dear"]
    assert state == "note"
    assert detail.endswith(says)


def test_unavailable_model_is_not_spoken_with(run_with, make_acme):
    """A model that this release cannot speak with is left out, with the reason."""
    acme = make_acme().with_card(unavailable="It sings only.")
    result = run_with(acme)("doctor", "acme", "--json")
    assert result.exit_code == 0
    assert findings(result)["speech", "acme"] == ("note", "left out: It sings only.")


def test_selector_with_p(run):
    """The selector may be given with -p, as elsewhere."""
    found = findings(run("doctor", "-p", "acme", "--json"))
    assert {provider for _, provider in found} == {None, "acme"}
