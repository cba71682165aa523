import subprocess
import sys

import pytest

HEAVY = {"anyio", "asyncio", "httpx", "httpx2", "numpy", "rich", "sentencex", "sounddevice"}
HEAVY |= {"soundfile", "soxr", "ssl", "websockets"}

PROGRAM = """
import sys
from vivavoce.cli.group import make_cli

try:
    make_cli().main({arguments!r}, prog_name="vivavoce")
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n--", *sys.modules)
"""


def modules_after(*arguments):
    """Return what a fresh interpreter has loaded once the command has run."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.rpartition("\n--")[2].split())


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["providers"],
        ["models", "--json"],
        ["models", "--for", "audiobook"],
        ["voices", "acme"],
        ["capabilities", "acme"],
        ["completion", "bash"],
        ["say", "--help"],
        ["voice", "--help"],
        ["voice", "clone", "--help"],
        ["voice", "list"],
        ["voice", "alias", "--help"],
    ],
    ids=" ".join,
)
def test_listing_is_light(arguments):
    """Help and listings load no HTTP, WebSocket, audio or terminal library, and no event loop."""
    assert not HEAVY & modules_after(*arguments)


@pytest.mark.usefixtures("process")
def test_help_imports_no_command():
    """The list of commands is printed without importing one of them."""
    from vivavoce.cli.group import COMMANDS

    loaded = modules_after("--help")
    assert "vivavoce.cli.group" in loaded
    assert not {f"vivavoce.cli.{home.module}" for home in COMMANDS.values()} & loaded


@pytest.mark.usefixtures("process")
def test_help_of_group_imports_no_command():
    """So is the list of commands about voices."""
    from vivavoce.cli.voice import VOICE_COMMANDS

    loaded = modules_after("voice", "--help")
    assert "vivavoce.cli.voice" in loaded
    assert not {f"vivavoce.cli.{home.module}" for home in VOICE_COMMANDS.values()} & loaded


@pytest.mark.usefixtures("process")
def test_say_without_network_library(tmp_path):
    """Speaking with a provider in this process loads no HTTP or WebSocket library either."""
    loaded = modules_after("say", "Hello.", "-p", "acme", "-o", str(tmp_path / "a.wav"), "-q")
    assert "vivavoce.pipeline.run" in loaded
    assert not {"httpx2", "websockets", "asyncio", "soundfile", "numpy", "rich"} & loaded
