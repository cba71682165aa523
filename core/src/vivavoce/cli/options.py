"""Options that several commands share, and what completes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from vivavoce.cli.group import set_debugging

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = [
    "complete_selector",
    "debug_option",
    "json_option",
    "provider_option",
    "selector_argument",
]

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
    return _provider_option("selector")(command)


def _provider_option(name: str) -> Callable[[F], F]:
    return click.option(
        "-p",
        "--provider",
        name,
        metavar="SELECTOR",
        shell_complete=complete_selector,
        help="provider[/model][:voice]; else the default provider.",
    )


def selector_argument(command: F) -> F:
    """
    Take a selector as an argument or with ``-p``, whichever comes to mind.

    The command is given ``selector``; two that differ are a usage error.
    """

    @functools.wraps(command)
    def with_one(*args: Any, selector: str | None, option: str | None, **values: Any) -> Any:
        if selector is not None and option not in {None, selector}:
            msg = f"{selector!r} and -p {option!r} are two selectors. Give one of them."
            raise click.UsageError(msg)
        return command(*args, selector=selector if option is None else option, **values)

    argument = click.argument("selector", required=False, shell_complete=complete_selector)
    return cast("F", argument(_provider_option("option")(with_one)))


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
