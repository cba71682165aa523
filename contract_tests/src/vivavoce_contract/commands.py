"""
The commands ``contract`` and ``tape``.

This module is loaded whenever the command line starts, so everything else is loaded when a
command is run.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from vivavoce.authoring import hookimpl

__all__ = ["vivavoce_register_commands"]


@hookimpl
def vivavoce_register_commands(cli: click.Group) -> None:
    """Add both."""
    cli.add_command(contract)
    cli.add_command(_LazyGroup("tape", "tape_commands", "Record, play and look at tapes."))


class _LazyGroup(click.Group):
    """A group whose commands are in a module that is loaded when it is used."""

    def __init__(self, name: str, module: str, short_help: str) -> None:
        super().__init__(name=name, short_help=short_help, help=short_help)
        self._module = module

    def _real(self) -> click.Group:
        module = importlib.import_module(f"vivavoce_contract.{self._module}")
        group: click.Group = getattr(module, self.name or "")
        return group

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the real group's commands."""
        return self._real().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of the real group."""
        return self._real().get_command(ctx, cmd_name)


@click.command("contract", short_help="Examine a provider against what it claims, offline.")
@click.argument("provider", required=False)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only it; may be repeated.")
@click.option(
    "--cassettes",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Where the tapes are; else cassettes/PROVIDER, looked for upwards.",
)
@click.option("--report", metavar="DIR", help="Write report.json, report.md and report.html here.")
@click.option("-k", "keyword", metavar="EXPR", help="Only clauses whose name fits, as pytest's -k.")
@click.option("--list", "is_list", is_flag=True, help="List the clauses, and examine nobody.")
@click.option(
    "--record",
    type=click.Choice(["live", "emulator"]),
    help="Record the tapes anew, from the service itself or from an emulator of it.",
)
@click.option("--upstream", metavar="URL", help="With --record: the address that is recorded.")
@click.option("--only-missing", is_flag=True, help="With --record: only tapes that are not there.")
@click.option("--yes", is_flag=True, help="With --record: replace tapes without asking.")
@click.pass_context
def contract(ctx: click.Context, /, provider: str | None, **values: Any) -> None:
    """
    Examine a provider against what it claims, offline.

    PROVIDER is the name of an installed one. Every clause is asked of one model of each family;
    nothing is skipped, and what a provider says it cannot do must be refused before anything is
    sent. A provider behind a network is examined from tapes; no key is needed.

    Exits with 0 when every promise is kept or honestly declined, else with 1.
    """
    from vivavoce_contract import running

    if values.pop("is_list"):
        running.list_clauses()
        return
    if provider is None:
        msg = "Which provider? `vivavoce providers` lists those that are installed."
        raise click.UsageError(msg, ctx)
    record, upstream = values.pop("record"), values.pop("upstream")
    only_missing, yes = values.pop("only_missing"), values.pop("yes")
    if record is not None:
        from vivavoce_contract import recording

        recording.record(
            provider,
            kind=record,
            upstream=upstream,
            models=values["models"],
            cassettes=values["cassettes"],
            only_missing=only_missing,
            confirm=None if yes else lambda text: click.confirm(text, default=False, err=True),
        )
        return
    ctx.exit(running.examine(provider, **values))
