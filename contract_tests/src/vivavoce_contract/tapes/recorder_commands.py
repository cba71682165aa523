"""``vivavoce tape record`` and ``vivavoce tape play``: the two that serve until Ctrl-C."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import Ending, printable, warn
from vivavoce.cli.options import debug_option
from vivavoce.errors import SettingsError

if TYPE_CHECKING:
    from vivavoce_contract.tapes.format import Tape
    from vivavoce_contract.tapes.recorder import Recorder

__all__ = ["play", "record"]

_PORT = click.IntRange(0, 65_535)


def _until_interrupted() -> None:
    """Wait for Ctrl-C."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _secrets(names: Iterable[str]) -> list[str]:
    """Return what the variables of these names hold; a key is never given as an argument."""
    found = []
    for name in names:
        value = os.environ.get(name, "").strip()  # noqa: TID251 - the user names the variable
        if not value:
            msg = (
                f"The variable {name} is not set, so the tape could not be searched for its value."
            )
            raise SettingsError(msg)
        found.append(value)
    return found


def _start(served: Any, port: int) -> None:
    try:
        served.start(port)
    except OSError as error:
        msg = f"Cannot listen at port {port}: {error.strerror}. Try --port 0."
        raise click.ClickException(msg) from error


@click.command("record", short_help="Record what a client and a service say to each other.")
@click.argument("upstream")
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The tape to write.",
)
@click.option("--provider", required=True, help="Name of the provider.")
@click.option("--scenario", required=True, help="What is done, in a name.")
@click.option("--model", default="", help="The provider's model.")
@click.option(
    "--kind",
    type=click.Choice(["live", "sdk", "emulator"]),
    help="What is recorded; emulator for this machine, else live.",
)
@click.option("--name", default="", help="Name of the service or of the emulator.")
@click.option("--driver", default="", help="Which client is used, with its version.")
@click.option(
    "--secret-env",
    "variables",
    multiple=True,
    metavar="NAME",
    help="A variable that holds a key: a tape with it is refused. May be repeated.",
)
@click.option(
    "--match",
    "paths",
    multiple=True,
    metavar="PATH",
    help="JSON path that is compared when it is played; all of the body, if none is given.",
)
@click.option("--ignore", multiple=True, metavar="PATH", help="JSON path that is never compared.")
@click.option("--keep-header", multiple=True, metavar="NAME", help="Also keep this header's value.")
@click.option("--keep-text", multiple=True, metavar="PATH", help="JSON path of long texts to keep.")
@click.option(
    "--also",
    multiple=True,
    metavar="HOST",
    help="Other hosts the service sends its client to, such as '*.example.com'.",
)
@click.option("--port", default=0, type=_PORT, help="0 for a free one.")
@debug_option
@click.pass_context
def record(ctx: click.Context, /, **given: Any) -> None:
    """
    Record what any client says to the service at UPSTREAM, and what it answers.

    Give the client the address that is printed in place of the service's own. Ctrl-C ends the
    recording and writes the tape, whole or not at all.
    """
    path: Path = given["path"]
    recorder = _recorder(given)
    _start(recorder, given["port"])
    try:
        click.echo(f"Recording {given['upstream']} at {recorder.base_url}")
        _until_interrupted()
    finally:
        recorder.stop()
    for failure in recorder.failures:
        warn(failure)
    tape = recorder.tape()
    if not tape.events:
        click.echo(f"Nothing was recorded, and {path} was not written.")
        ctx.exit(Ending.USAGE)
    tape.write(path)
    click.echo(f"{path}: {_told(tape)}.")


def _recorder(given: dict[str, Any]) -> Recorder:
    from urllib.parse import urlsplit

    from vivavoce_contract.tapes.header import Match, is_loopback
    from vivavoce_contract.tapes.recorder import Recorder
    from vivavoce_contract.tapes.scrub import Policy

    host = urlsplit(given["upstream"]).hostname or ""
    try:
        return Recorder(
            given["upstream"],
            provider=given["provider"],
            scenario=given["scenario"],
            model=given["model"],
            kind=given["kind"] or ("emulator" if is_loopback(host) else "live"),
            source={"name": given["name"], "driver": given["driver"]},
            secrets=_secrets(given["variables"]),
            match=Match(body=given["paths"] or None, ignore=given["ignore"]),
            policy=Policy(headers=given["keep_header"], texts=given["keep_text"]),
            also=given["also"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _told(tape: Tape) -> str:
    """Return in words what is on a tape."""
    kinds = Counter(str(event.k) for event in tape.events)
    requests = kinds["request"] + kinds["ws-open"]
    parts = [f"{requests} request{'s' if requests != 1 else ''}"]
    parts += [
        f"{kinds[kind]} {words}"
        for kind, words in (
            ("chunk", "chunks"),
            ("text", "text messages"),
            ("bin", "binary messages"),
            ("cut", "cuts"),
        )
        if kinds[kind]
    ]
    return ", ".join(parts)


@click.command("play", short_help="Play a tape in place of the service.")
@click.argument(
    "paths",
    metavar="TAPE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--speed",
    default=0.0,
    type=click.FloatRange(0.0),
    help="Factor on the recorded waits: 0 sends at once, 1 as it was recorded.",
)
@click.option("--port", default=0, type=_PORT, help="0 for a free one.")
@debug_option
@click.pass_context
def play(ctx: click.Context, paths: tuple[Path, ...], speed: float, port: int) -> None:
    """
    Play tapes in place of the service they were recorded from, until Ctrl-C.

    Give the client the address that is printed. What it asks otherwise than recorded, and what
    it never asks for, is listed at the end; then the exit code is 4.
    """
    from vivavoce_contract.tapes.format import Tape
    from vivavoce_contract.tapes.player import Player

    tapes = [Tape.read(path) for path in paths]
    player = Player(*tapes, speed=speed)
    _start(player, port)
    try:
        for address in dict.fromkeys(player.base_url(tape) for tape in tapes):
            click.echo(f"Playing at {address}")
        _until_interrupted()
    finally:
        player.stop()
    for said in player.differences:
        click.echo(f"different: {printable(said)}")
    for said in player.unplayed():
        click.echo(f"not played: {printable(said)}")
    if player.differences or player.unplayed():
        ctx.exit(Ending.PROVIDER)
    click.echo(f"All was played: {len(player.requests)} requests, as recorded.")
