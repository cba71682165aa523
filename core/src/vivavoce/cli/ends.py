"""How the command line ends: its exit codes, and one paragraph on standard error."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from vivavoce.errors import (
    MaybeCreated,
    OutputError,
    ProviderError,
    SetupError,
    TransportError,
    UsageError,
    VivavoceError,
)

__all__ = [
    "EXIT_CODES",
    "Ending",
    "State",
    "end_quietly",
    "ending_of",
    "exit_code_of",
    "printable",
    "tell",
    "warn",
    "writing_stdout",
]


class Ending(enum.IntEnum):
    """The exit codes."""

    OK = 0
    BUG = 1
    USAGE = 2
    SETUP = 3
    PROVIDER = 4
    TRANSPORT = 5
    MAYBE_MADE = 6
    INTERRUPTED = 130
    READER_GONE = 141


EXIT_CODES = {
    Ending.OK: "done",
    Ending.BUG: "an unexpected fault, a bug",
    Ending.USAGE: "usage: change the command or its input",
    Ending.SETUP: "set-up: change the installation, the settings or the key",
    Ending.PROVIDER: "the provider said no, or gave no usable audio",
    Ending.TRANSPORT: "the way to the provider failed",
    Ending.MAYBE_MADE: "a voice may have been made, and billed: look before you ask again",
    Ending.INTERRUPTED: "stopped with Ctrl-C, or not confirmed",
    Ending.READER_GONE: "the reader of standard output went away",
}
"""What each code means, in the words of the help."""

_BRANCHES = (
    # First the one error that is its own: to run the command again may cost money again.
    (MaybeCreated, Ending.MAYBE_MADE),
    (UsageError, Ending.USAGE),
    (SetupError, Ending.SETUP),
    (ProviderError, Ending.PROVIDER),
    (TransportError, Ending.TRANSPORT),
)


class State:
    """
    What one run of the command line keeps.

    Attributes:
        is_debugging: Whether tracebacks are shown.
    """

    def __init__(self) -> None:
        self.is_debugging = False


def ending_of(error: VivavoceError) -> Ending:
    """Return the exit code of an error of the tree, by its branch."""
    return next((code for branch, code in _BRANCHES if isinstance(error, branch)), Ending.BUG)


def exit_code_of(run: Callable[[], object], state: State) -> int:
    """
    Run the command line and return its exit code; say on standard error what went wrong.

    Args:
        run: Runs it; returns an exit code, or anything else for 0.
        state: Its state.
    """
    try:
        code = run()
        _flush()
    # A program's outermost place: whatever happened has to become an exit code.
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        return _told(error, state)
    return code if isinstance(code, int) else Ending.OK


def _told(error: BaseException, state: State) -> int:
    if isinstance(error, BrokenPipeError):
        end_quietly()
        return Ending.READER_GONE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        tell("interrupted")
        return Ending.INTERRUPTED
    if state.is_debugging:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        # The help itself, which is no single paragraph.
        error.show()
        return error.exit_code
    if isinstance(error, click.ClickException):
        tell(f"error: {_of_click(error)}")
        return error.exit_code
    if isinstance(error, VivavoceError):
        tell(f"error: {error}")
        return ending_of(error)
    advice = "" if state.is_debugging else " Run it again as `vivavoce --debug ...` to see where."
    tell(f"error: unexpected {type(error).__name__}: {error}. This is a bug.{advice}")
    return Ending.BUG


def _of_click(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message.rstrip('.')}. See `{error.ctx.command_path} --help`."
    return message


def _flush() -> None:
    """Write out what standard output still holds: a full disk must not pass unseen."""
    with writing_stdout():
        sys.stdout.flush()


@contextmanager
def writing_stdout() -> Iterator[None]:
    """
    Translate what goes wrong while writing to standard output.

    Raises:
        BrokenPipeError: As it came: there is nobody to tell.
        OutputError: For all else, such as a full disk.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        end_quietly()
        msg = f"Cannot write to standard output: {error.strerror or error}."
        raise OutputError(msg) from error


def end_quietly() -> None:
    """Let standard output lead nowhere, so that Python's own flush at the end is silent."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(message: str) -> None:
    """Say on standard error that something is not as it should be, though the work goes on."""
    tell(f"warning: {message}")


def tell(message: str) -> None:
    """Write one paragraph to standard error; without a reader there, nothing."""
    with suppress(OSError):
        click.echo(f"vivavoce: {printable(message)}", err=True)


def printable(text: str) -> str:
    """
    Return *text* on one line, without characters that steer a terminal.

    Names and messages come from providers: an escape sequence in one must not
    recolour, retitle or clear somebody's screen.
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
