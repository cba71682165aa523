"""The command ``vivavoce`` itself: finds commands when they are asked for, by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import click

from vivavoce.cli.ends import (
    EXIT_CODES,
    Ending,
    State,
    end_quietly,
    exit_code_of,
    printable,
    warn,
)

__all__ = ["COMMANDS", "Home", "HomeGroup", "LazyGroup", "make_cli", "program_name"]


class Home(NamedTuple):
    """Where a command of our own is, and what the list of commands says of it."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "say": Home("say", "say", "Speak a text into a file, aloud or to standard output."),
    "explain": Home("explain", "explain", "Show how a text would be spoken, and its price."),
    "providers": Home("providers", "providers", "List the installed providers."),
    "models": Home("models", "models", "List models, by what they can do."),
    "voices": Home("voices", "voices", "List the voices of a provider."),
    "voice": Home("voice", "voice", "Make, list, try, name and delete voices of your own."),
    "capabilities": Home("capabilities", "capabilities", "Show what a model claims it can do."),
    "doctor": Home("doctor", "doctor", "Check the installation, with a short real synthesis."),
    "completion": Home("completion", "completion", "Print the completion script of a shell."),
}
"""
Our own commands. Static, so that ``--help`` imports none of them; a test compares
each help with the command's own.
"""

_KEYS = """\
A key is never given on the command line, where the shell's history and the list of processes would
show it. Set the variable the provider names, or put it into the settings file;
`vivavoce doctor` says where that is.
"""


class HomeGroup(click.Group):
    """
    A group that imports its commands when they are run.

    Args:
        homes: Where each command is, by name.
        **values: As of :class:`click.Group`.
    """

    def __init__(self, *, homes: Mapping[str, Home], **values: Any) -> None:
        super().__init__(**values)
        self.homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in their order."""
        return [*self.homes, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        home = self.homes.get(cmd_name)
        if home is None:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"vivavoce.cli.{home.module}")
        command: click.Command = getattr(module, home.attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's own signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands without importing them."""
        rows = [(name, home.help) for name, home in self.homes.items()]
        rows += [
            (name, command.get_short_help_str(formatter.width - 20))
            for name, command in sorted(self.commands.items())
            if not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is refused with the nearest names."""
        name = args[0]
        if (
            not name.startswith("-")
            and not ctx.resilient_parsing
            and self.get_command(ctx, name) is None
        ):
            from vivavoce._suggest import did_you_mean, nearest

            known = self.list_commands(ctx)
            near = did_you_mean(nearest(name, known))
            ctx.fail(f"No command {name!r}. {near}Commands are {', '.join(known)}")
        return super().resolve_command(ctx, args)


class LazyGroup(HomeGroup):
    """The command line itself: our own commands, and those that plugins add."""

    _asked_plugins = False

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        **extra: Any,
    ) -> Any:
        """Run the command line; in standalone mode exit with a code of :class:`Ending`."""
        state = extra.setdefault("obj", State())

        def run() -> object:
            return super(LazyGroup, self).main(
                args, prog_name, complete_var, standalone_mode=False, **extra
            )

        return sys.exit(exit_code_of(run, state)) if standalone_mode else run()

    def invoke(self, ctx: click.Context) -> None:
        """Run the command; what it returns is not an exit code."""
        try:
            super().invoke(ctx)
        except BrokenPipeError:
            # Caught before click does, which would exit with 1.
            end_quietly()
            raise click.exceptions.Exit(Ending.READER_GONE) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of our commands, then those of plugins."""
        self._ask_plugins()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command of ours; only another name makes plugins load."""
        if cmd_name not in self.homes:
            self._ask_plugins()
        return super().get_command(ctx, cmd_name)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a plugin's command; ours cannot be replaced."""
        if (name or cmd.name) in self.homes:
            msg = f"{name or cmd.name!r} is a command of vivavoce itself; choose another name"
            raise ValueError(msg)
        super().add_command(cmd, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing ours."""
        self._ask_plugins()
        super().format_commands(ctx, formatter)

    def _ask_plugins(self) -> None:
        """Let plugins add their commands, once; one that raises is named and left out."""
        if self._asked_plugins:
            return
        self._asked_plugins = True
        from vivavoce import registry

        hook = registry.installed().hook.vivavoce_register_commands
        for implementation in hook.get_hookimpls():
            try:
                implementation.function(*(self for _ in implementation.argnames))
            except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
                reason = f"{type(error).__name__}: {error}"
                warn(f"Plugin {implementation.plugin_name!r} could not add its commands: {reason}")


def make_cli() -> LazyGroup:
    """Return the command line, new, so that one run's plugins are not another's."""
    codes = "\n".join(f"{code.value:>5}  {meaning}" for code, meaning in EXIT_CODES.items())
    return LazyGroup(
        name="vivavoce",
        homes=COMMANDS,
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version and exit.",
            ),
            click.Option(
                ["--debug"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=set_debugging,
                help="Show tracebacks.",
            ),
        ],
        help="Text to speech, with any provider that is installed.",
        epilog=f"{_KEYS}\n\b\nExit codes:\n{codes}",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def set_debugging(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001
    """Note that tracebacks are wanted; the callback of every ``--debug``."""
    if value:
        ctx.ensure_object(State).is_debugging = True


def _print_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"vivavoce {printable(version('vivavoce'))}")
    ctx.exit()


def program_name() -> str:
    """Return the name this was called by: ``viva`` or, however else, ``vivavoce``."""
    return "viva" if PurePath(sys.argv[0]).stem == "viva" else "vivavoce"
