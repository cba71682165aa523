"""A command line whose only providers are those of the test."""

import os
import subprocess
import sys
import textwrap

import attrs
import pytest
from click.testing import CliRunner

# Loaded before `installed` is replaced: whoever imports that name from the registry would
# otherwise keep a test's providers for the tests that follow.
import vivavoce.api
import vivavoce.catalogue  # noqa: F401
from vivavoce.model.capability import Evidence, no, yes
from vivavoce.model.card import Option, Price
from vivavoce.model.voice import Voice
from vivavoce.registry import Registry
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider

SEEN = Evidence(source="https://acme.example/docs", date="2026-01-02")

VOICES = (
    Voice(
        id="ann",
        name="Ann",
        languages=("en-US",),
        gender="female",
        description="clear",
        models=("one",),
    ),
    Voice(
        id="bär", name="Bär", native_name="熊", languages=("de",), gender="male", models=("one",)
    ),
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No settings of whoever runs the tests are read, and files go into a folder of their own."""
    for name in list(os.environ):
        if name.startswith("VIVAVOCE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIVAVOCE_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def _make_acme(script=None, **changes):
    """Return a provider whose table has something of everything."""
    given = {"name": "acme", "voices": VOICES, "default_rank": 60, **changes}
    fake = FakeProvider(script, **given)
    return fake.with_card(
        note="For tests only.",
        evidence=SEEN,
        options=(
            Option(name="warmth", meaning="how warm", type=int, minimum=0, maximum=9),
            Option(name="slow", meaning="whether slow", type=bool),
        ),
    )


@pytest.fixture
def make_acme():
    return _make_acme


@pytest.fixture
def acme():
    return _make_acme()


@pytest.fixture
def dear():
    """A provider that costs money and wants a key."""
    fake = FakeProvider(name="dear", credential_env=("DEAR_TOKEN",), default_rank=90)
    return fake.with_card(
        is_free=False,
        transports=("http",),
        regions=("eu",),
        prices=(Price(amount="0.5", currency="EUR", per=10, unit="characters", region="eu"),),
        capabilities=attrs.evolve(
            FAKE_CAPABILITIES, word_marks=no("it keeps no times"), ssml=yes("speak", "break")
        ),
    )


class CommandLine:
    """Runs commands in this process."""

    def __init__(self, monkeypatch, *plugins):
        self._monkeypatch = monkeypatch
        self.use(Registry.of(*plugins))

    def use(self, registry):
        self._monkeypatch.setattr("vivavoce.registry.installed", lambda: registry)

    def __call__(self, *args, stdin=None):
        from vivavoce.cli.group import make_cli

        return CliRunner().invoke(
            make_cli(), [str(arg) for arg in args], input=stdin, prog_name="vivavoce"
        )


@pytest.fixture
def run(monkeypatch, acme, dear):
    """The command line, with the providers acme and dear."""
    return CommandLine(monkeypatch, acme, dear)


@pytest.fixture
def run_with(monkeypatch):
    """The command line, with the plugins given."""
    return lambda *plugins: CommandLine(monkeypatch, *plugins)


PLUGIN = """
from vivavoce.hookspecs import hookimpl


@hookimpl
def vivavoce_synthesizers():
    # As a real plugin does, it loads no more than its table.
    from vivavoce.testing import FakeProvider

    return [FakeProvider(script, name="acme", default_rank=99).info]


script = None
"""


@pytest.fixture
def process(tmp_path, monkeypatch):
    """The command line as a program of its own, which finds the plugin acme by its entry point."""
    site = tmp_path / "site"
    (site / "acme_voice-2.5.dist-info").mkdir(parents=True)
    (site / "acme_voice-2.5.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-voice\nVersion: 2.5\n"
    )
    (site / "acme_voice-2.5.dist-info/entry_points.txt").write_text(
        "[vivavoce]\nacme = acme_voice\n"
    )
    given = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *([given] if given else [])]))
    return Process(site / "acme_voice.py")


class Process:
    def __init__(self, plugin):
        self._plugin = plugin
        self.script("")

    def script(self, code):
        """Let the provider do *code*, which may define ``script``."""
        self._plugin.write_text(PLUGIN + textwrap.dedent(code))

    def start(self, *args, before="", **kwargs):
        """Start the program; *before* is code for its process to run first."""
        # Not preexec_fn: Python warns of it, as the test runner has threads.
        program = ["-c", f"{before}\nfrom vivavoce.cli import main\nmain()"]
        command = [sys.executable, *(program if before else ["-m", "vivavoce"]), *args]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, **{**pipes, **kwargs})

    def __call__(self, *args, stdin=b"", **kwargs):
        with self.start(*args, **kwargs) as child:
            out, err = child.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(args, child.returncode, out, err)
