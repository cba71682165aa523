"""Options that several commands share, and what completes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vivavoce.cli.group import set_debugging

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_selector", "debug_option", "json_option", "provider_option"]

F = TypeVar("F", bound=Callable[..., Any])


def debug_option(command: F) -> F:
    """Take ``--debug`` behind the command's name as well as before it."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=set_debugging,
        help="Show tracebacks.",
    )(command)


def json_option(command: F) -> F:
    """Take ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, complete.")(command)


def provider_option(command: F) -> F:
    """Take ``-p``."""
    return click.option(
        "-p",
        "--provider",
        "selector",
        metavar="SELECTOR",
        shell_complete=complete_selector,
        help="provider[/model][:voice]; else the default provider.",
    )(command)


def complete_selector(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the providers that begin so, or after a ``/`` the provider's models."""
    from click.shell_completion import CompletionItem

    from vivavoce import registry

    known = registry.installed()
    if "/" not in incomplete:
        return [
            CompletionItem(i.name, help=i.title) for i in known if i.name.startswith(incomplete)
        ]
    selectors = (f"{info.name}/{card.name}" for info in known for card in info.models)
    return [CompletionItem(text) for text in selectors if text.startswith(incomplete)]
