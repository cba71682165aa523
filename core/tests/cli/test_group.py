import errno
import os
import sys

import attrs
import click
import pytest

from vivavoce import errors
from vivavoce.cli import main
from vivavoce.cli.ends import EXIT_CODES, Ending, State, ending_of, exit_code_of
from vivavoce.cli.group import COMMANDS, make_cli
from vivavoce.cli.voice import VOICE_COMMANDS, voice
from vivavoce.hookspecs import hookimpl
from vivavoce.registry import Registry
from vivavoce.testing import samples_of


class Hello:
    """A plugin with a command."""

    @hookimpl
    def vivavoce_register_commands(self, cli):
        @cli.command("hello", short_help="Say hello.")
        @click.option("--loud", is_flag=True)
        def hello(loud):
            click.echo("HELLO" if loud else "hello")
            return 7


class Raises:
    @hookimpl
    def vivavoce_register_commands(self, cli):
        msg = "no\ncommands"
        raise ZeroDivisionError(msg)


class Replaces:
    @hookimpl
    def vivavoce_register_commands(self, cli):
        cli.add_command(click.Command("say"))


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(run, flag):
    """The help lists every command, and what each exit code means."""
    result = run(flag)
    assert result.exit_code == 0
    for name, home in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert home.help in result.stdout
    for code, meaning in EXIT_CODES.items():
        assert f"{code:>3}  {meaning}" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_static_help(run, name):
    """What the list of commands says of a command is what the command says of itself."""
    command = make_cli().get_command(None, name)
    assert command.short_help == COMMANDS[name].help
    assert command.name == name
    assert run(name, "-h").exit_code == 0


def test_keys_are_no_option(run):
    """No command takes a key, and the help says why."""
    assert "shell's history" in " ".join(run("--help").stdout.split())
    commands = [make_cli().get_command(None, name) for name in COMMANDS]
    commands += [voice.get_command(None, name) for name in VOICE_COMMANDS]
    for command in commands:
        options = [flag for p in command.params for flag in p.opts]
        assert not [flag for flag in options if "key" in flag or "token" in flag]


def test_nothing_asked(run):
    """Without a command the help is shown, and the exit code is that of wrong usage."""
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: vivavoce ")


def test_version(run):
    """--version prints name and version."""
    name, version = run("--version").stdout.split()
    assert name == "vivavoce"
    assert version[0].isdigit()


def test_unknown_command(run):
    """An unknown command is refused with the nearest names."""
    result = run("voises")
    assert result.exit_code == 2
    assert result.stderr.startswith("vivavoce: error: No command 'voises'. Did you mean 'voices' ")


# How it ends


def _leaves(cls):
    below = cls.__subclasses__()
    return [leaf for sub in below for leaf in _leaves(sub)] if below else [cls]


@pytest.mark.parametrize("leaf", _leaves(errors.VivavoceError), ids=lambda leaf: leaf.__name__)
def test_code_of_each_error(leaf):
    """Every error of the tree has the exit code of its branch; a voice perhaps made has its own."""
    expected = {
        errors.MaybeCreated: 6,
        errors.UsageError: 2,
        errors.SetupError: 3,
        errors.ProviderError: 4,
        errors.TransportError: 5,
    }
    codes = [code for branch, code in expected.items() if issubclass(leaf, branch)]
    assert ending_of(leaf.__new__(leaf)) == codes[0]


def test_provider_error(run_with, make_acme):
    """A provider that says no gives code 4 and one paragraph."""
    refusal = errors.RequestRejected("not\n  this text")
    result = run_with(make_acme(lambda _request: [refusal]))("say", "Hi.", "-o", "a.wav")
    assert result.exit_code == 4
    assert result.stderr == "vivavoce: error: not this text\n"


def test_transport_error(run_with, make_acme):
    """A connection lost gives code 5, and how much had come."""
    steps = [samples_of("a" * 200), errors.ConnectionLost("The line broke.")]
    result = run_with(make_acme(lambda _request: steps))("say", "Hi.", "-o", "a.wav")
    assert result.exit_code == 5
    assert result.stderr == "vivavoce: error: The line broke. (1.00 s delivered)\n"


def test_setup_error(run, dear):
    """A missing key gives code 3 and says where it may be put."""
    result = run("say", "Hi.", "-o", "a.wav", "-p", "dear")
    assert result.exit_code == 3
    assert "DEAR_TOKEN" in result.stderr
    assert dear.requests == []


def test_bug(run_with, make_acme):
    """Anything else that is raised gives code 1, without a traceback."""
    acme = make_acme()
    acme.info = attrs.evolve(acme.info, voices=lambda: 1 // 0)
    result = run_with(acme)("voices")
    assert result.exit_code == 1
    assert result.stderr.startswith("vivavoce: error: unexpected ZeroDivisionError: ")
    assert "This is a bug" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["before", "behind"])
def test_debug(run, place):
    """--debug, before the command or behind it, shows the traceback as well."""
    arguments = ["voices", "acne"]
    arguments.insert(0 if place == "before" else 2, "--debug")
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("vivavoce: error: No provider 'acne'")
    assert "Traceback" not in run("voices", "acne").stderr


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, click.Abort])
def test_interruption(capsys, interruption):
    """Ctrl-C gives 130, wherever it comes."""

    def raises():
        raise interruption

    assert exit_code_of(raises, State()) == Ending.INTERRUPTED == 130
    assert capsys.readouterr().err == "vivavoce: interrupted\n"


def test_interruption_while_loading(monkeypatch):
    """Ctrl-C while modules are being loaded gives 130 as well."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("vivavoce.cli.group.make_cli", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EPIPE, Ending.READER_GONE), (errno.ENOSPC, Ending.USAGE)]
)
def test_output_kept_back(monkeypatch, capsys, number, code):
    """What standard output still held at the end is not lost without a word."""

    class Output:
        def flush(self):
            raise OSError(number, os.strerror(number))

        def fileno(self):
            raise OSError

    monkeypatch.setattr(sys, "stdout", Output())
    assert exit_code_of(lambda: None, State()) == code
    assert capsys.readouterr().err.count("\n") == (0 if code == Ending.READER_GONE else 1)


def test_terminal_is_not_steered(run_with, make_acme):
    """What a provider says cannot steer the terminal."""
    refusal = errors.RequestRejected("no \x1b]0;title\x07\x9b2J")
    result = run_with(make_acme(lambda _request: [refusal]))("say", "Hi.", "-o", "a.wav")
    assert result.stderr == "vivavoce: error: no \\x1b]0;title\\x07\\x9b2J\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
@pytest.mark.parametrize(
    "arguments", [["capabilities", "acme", "--json"], ["capabilities", "acme"]]
)
def test_reader_of_listing_gone(process, arguments):
    """A listing whose reader has gone ends quietly, with the code of SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    with process.start(*arguments, stdout=writing) as child:
        os.close(writing)
        err = child.stderr.read()
    assert (child.returncode, err) == (141, b"")


# Commands of plugins


def test_plugin_command(run_with):
    """A plugin's command is listed and runs; what it returns is not an exit code."""
    run = run_with(Hello())
    assert "hello         Say hello." in run("--help").stdout
    result = run("hello", "--loud")
    assert (result.exit_code, result.stdout) == (0, "HELLO\n")


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Raises(), "ZeroDivisionError: no commands"),
        (Replaces(), "ValueError: 'say' is a command of vivavoce itself; choose another name"),
    ],
)
def test_plugin_hook_raises(run_with, plugin, reason):
    """A plugin whose hook raises is named with the reason, and harms nothing."""
    run = run_with(plugin, Hello())
    result = run("hello")
    assert (result.exit_code, result.stdout) == (0, "hello\n")
    name = type(plugin).__name__
    assert result.stderr == (
        f"vivavoce: warning: Plugin {name!r} could not add its commands: {reason}\n"
    )
    assert run("--help").exit_code == 0


def test_plugins_are_not_asked_for_our_commands(run_with):
    """A command of ours runs without asking plugins for theirs."""
    result = run_with(Raises())("completion", "bash")
    assert (result.exit_code, result.stderr) == (0, "")


def test_runs_are_apart(run_with):
    """The commands of one run are not those of the next."""
    run = run_with(Hello())
    assert run("hello").exit_code == 0
    run.use(Registry())
    assert run("hello").exit_code == 2
