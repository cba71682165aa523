"""A command line whose only providers are those of the test."""

import array
import math
import os
import random
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
from vivavoce.audio.wav import wav_header
from vivavoce.book import VoiceBook
from vivavoce.model.audio import AudioFormat
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
OTHER_VOICES = (
    Voice(
        id="eva", languages=("en-GB",), gender="female", description="calm, warm", models=("one",)
    ),
    Voice(id="tom", languages=("en-GB",), gender="male", description="lively", models=("one",)),
    Voice(id="ute", languages=("de",), gender="female", description="calm", models=("one",)),
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No settings of whoever runs the tests are read, and files go into a folder of their own."""
    for name in list(os.environ):
        if name.startswith("VIVAVOCE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIVAVOCE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("VIVAVOCE_VOICES", str(tmp_path / "data" / "voices.toml"))
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
def maker(make_acme):
    """A provider that clones and designs voices, for its model own."""
    return make_acme(makes_voices=True)


@pytest.fixture
def run_makers(run_with, maker):
    """The command line, with the providers acme, which makes voices, and other."""
    return run_with(maker, FakeProvider(name="other", voices=OTHER_VOICES))


@pytest.fixture
def voice(run_makers):
    """The commands about voices, with the same providers."""
    return lambda *args, **kwargs: run_makers("voice", *args, **kwargs)


@pytest.fixture
def book(tmp_path):
    """The voice book of the tests."""
    return VoiceBook(tmp_path / "data" / "voices.toml")


@pytest.fixture
def terminal(monkeypatch):
    """Let somebody sit at a terminal."""
    monkeypatch.setattr("vivavoce.cli.voice.confirm.can_ask", lambda: True)
    monkeypatch.setattr("vivavoce.cli.voice.make.can_ask", lambda: True)


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """Three seconds like speech, as a WAV that the maker takes as it is."""
    path = tmp_path_factory.mktemp("recording") / "ann.wav"
    path.write_bytes(_speech_like(16_000))
    return path


@pytest.fixture(scope="session")
def poor_recording(tmp_path_factory):
    """The same at a sample rate that is too low."""
    path = tmp_path_factory.mktemp("recording") / "low.wav"
    path.write_bytes(_speech_like(8_000))
    return path


def _speech_like(rate_hz):
    noise = random.Random(1)
    samples = array.array("h")
    for number in range(3 * rate_hz):
        swell = 0.16 + 0.14 * math.sin(8 * math.pi * number / rate_hz)
        tone = math.sin(280 * math.pi * number / rate_hz) + 0.3 * noise.uniform(-1, 1)
        samples.append(round(20_000 * swell * tone))
    audio_format = AudioFormat(sample_rate_hz=rate_hz)
    if sys.byteorder == "big":
        samples.byteswap()
    data = samples.tobytes()
    return wav_header(audio_format, len(data)) + data


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
