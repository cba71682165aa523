"""A question before what costs something or cannot be undone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from vivavoce.cli.ends import Ending, tell

__all__ = ["can_ask", "confirm", "yes_option"]

F = TypeVar("F", bound=Callable[..., Any])


def yes_option(command: F) -> F:
    """Take ``--yes``."""
    return click.option("-y", "--yes", "is_agreed", is_flag=True, help="Do not ask; for scripts.")(
        command
    )


def can_ask() -> bool:
    """Return whether somebody sits at a terminal to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, why: str, is_agreed: bool) -> None:
    """
    Go on only if it is wanted.

    Args:
        question: What is asked on the terminal.
        why: Why it must be asked, a sentence; for where nobody can be.
        is_agreed: Whether ``--yes`` was given, and nothing is asked.

    Raises:
        click.UsageError: If nobody can be asked.
        click.exceptions.Exit: If the answer is no.
    """
    if is_agreed:
        return
    if not can_ask():
        msg = f"{why} There is no terminal to ask on: add --yes to have it done"
        raise click.UsageError(msg, click.get_current_context())
    if not click.confirm(question, err=True):
        tell("nothing was done")
        raise click.exceptions.Exit(Ending.INTERRUPTED)
