"""The command ``vivavoce-qwen-emulator``."""

from __future__ import annotations

import sqlite3
import textwrap
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from vivavoce_qwen_emulator.settings import (
    AFTERWARDS,
    CANCELS,
    CLEARS,
    LENGTH_UNITS,
    MISSING_VOICES,
    PACES,
    SHAPES,
    UNCOMMITTED,
    Settings,
)

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="vivavoce-qwen-emulator")
def main() -> None:
    """Speak Qwen-TTS's wire on this machine, with the voices of eSpeak NG."""


def _read_rpm(_context: click.Context, _parameter: click.Parameter, value: str) -> int | str:
    return int(value) if value.isdecimal() else value


@main.command()
@click.option("--host", default="127.0.0.1", help="Address to listen at.")
@click.option("--port", default=8765, type=click.IntRange(0, 65_535), help="0 for a free one.")
@click.option("--expose", is_flag=True, help="Allow an address that other machines can reach.")
@click.option("--region", default="cn-beijing", help="The region that is served.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="[REGION=]KEY",
    help="A made-up key to accept, or one of another region to refuse; may be repeated. "
    "Without any, every key is accepted.",
)
@click.option(
    "--rpm",
    default="off",
    metavar="N|on|off",
    callback=_read_rpm,
    help="Requests a minute; on: the model's own limit.",
)
@click.option(
    "--pace", default="full", type=click.Choice(PACES), help="As fast as it can, or as it plays."
)
@click.option(
    "--chunk-bytes",
    default=4_800,
    type=click.IntRange(1),
    help="Audio in one event; 4800 are 0.1 s, and an odd number tears samples apart.",
)
@click.option(
    "--url-lifetime",
    "url_lifetime_s",
    default=86_400,
    type=click.IntRange(0),
    help="Seconds for which finished audio can be read.",
)
@click.option(
    "--length-unit",
    default="characters",
    type=click.Choice(LENGTH_UNITS),
    help="What the limit on a text counts.",
)
@click.option(
    "--voice",
    "voices",
    multiple=True,
    metavar="MODEL=VOICE",
    help="Voices: a cloned or designed one that every key has from the beginning; may be repeated.",
)
@click.option(
    "--voices-of",
    "voices_of",
    type=click.Path(exists=True, dir_okay=False),
    help="Voices: those of the table own_voices in a TOML file, as a contract.toml has it.",
)
@click.option(
    "--voices-path",
    default="",
    type=click.Path(dir_okay=False),
    help="Voices: a file to keep them in; without one they are kept in memory.",
)
@click.option(
    "--voice-quota",
    default=1_000,
    type=click.IntRange(0),
    help="Voices: how many each key may have at a time.",
)
@click.option(
    "--missing-voice",
    default="status",
    type=click.Choice(MISSING_VOICES),
    help="Voices: whether one that is not there is told by status 400 or by a code with 200.",
)
@click.option(
    "--least-preview-characters",
    default=0,
    type=click.IntRange(0),
    help="Voices: shortest text of a preview.",
)
@click.option(
    "--shape",
    default="documented",
    type=click.Choice(SHAPES),
    help="Sessions: how the end of a response is told.",
)
@click.option(
    "--group-characters",
    default=300,
    type=click.IntRange(1),
    help="Sessions: length at which server_commit speaks without the end of a sentence.",
)
@click.option(
    "--open-responses",
    is_flag=True,
    help="Sessions: let responses of server_commit stay open for further text.",
)
@click.option(
    "--uncommitted",
    default="dropped",
    type=click.Choice(UNCOMMITTED),
    help="Sessions: what becomes of text that was not committed at the end.",
)
@click.option(
    "--clear",
    default="unspoken",
    type=click.Choice(CLEARS),
    help="Sessions: what input_text_buffer.clear drops.",
)
@click.option(
    "--cancel",
    default="obeyed",
    type=click.Choice(CANCELS),
    help="Sessions: what is made of response.cancel.",
)
@click.option(
    "--after-finish",
    default="open",
    type=click.Choice(AFTERWARDS),
    help="Sessions: whether the server closes once they are finished.",
)
@click.option(
    "--after-error",
    default="open",
    type=click.Choice(AFTERWARDS),
    help="Sessions: whether the server closes after an error that ends one.",
)
@click.option(
    "--idle",
    "idle_s",
    default=0.0,
    type=click.FloatRange(0),
    help="Sessions: seconds after which the server closes an idle one; 0 for never.",
)
@click.option(
    "--idle-code",
    default=1_000,
    type=click.IntRange(1_000, 4_999),
    help="Sessions: what it closes an idle one with.",
)
def serve(
    *,
    host: str,
    port: int,
    expose: bool,
    region: str,
    keys: tuple[str, ...],
    voices: tuple[str, ...],
    voices_of: str | None,
    **rest: Any,
) -> None:
    """Serve until Ctrl-C."""
    from vivavoce_qwen_emulator.app import Emulator
    from vivavoce_qwen_emulator.serving import (
        Server,
        address_of,
        is_loopback,
        open_socket,
        ws_address_of,
    )

    if not (expose or is_loopback(host)):
        msg = f"{host} can be reached from other machines. If you want that, give --expose."
        raise click.UsageError(msg)
    try:
        settings = Settings(
            region=region,
            keys=_read_keys(keys, region),
            voices=_read_voices(voices, voices_of),
            **rest,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        listening = open_socket(host, port)
    except OSError as error:
        msg = f"Cannot listen at {host}, port {port}: {error.strerror}. Try --port 0."
        raise click.ClickException(msg) from error
    try:
        emulator = Emulator(settings)
    except sqlite3.Error as error:
        listening.close()
        msg = f"Cannot keep voices in {settings.voices_path!r}: {error}."
        raise click.ClickException(msg) from error
    click.echo(f"Serving {region} at {address_of(listening)}")
    click.echo(f"and realtime sessions at {ws_address_of(listening)}")
    try:
        Server(emulator).run([listening])
    except KeyboardInterrupt:
        click.echo("Stopped.")
    finally:
        emulator.close()


@main.command()
def faults() -> None:
    """List what can be made to go wrong."""
    from vivavoce_qwen_emulator.faults import describe_faults

    for name, meaning, params in describe_faults():
        click.echo(f"{name}\n{textwrap.indent(meaning, '  ')}")
        if params:
            click.echo(textwrap.indent(params, "    "))


def _read_keys(keys: tuple[str, ...], served: str) -> dict[str, list[str]]:
    from vivavoce_qwen.tables import models

    regions = {region for row in models().values() for region in row.regions}
    read: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        region, has_region, rest = key.partition("=")
        if has_region and region in regions:
            read[region].append(rest)
        else:
            read[served].append(key)
    return dict(read)


def _read_voices(given: tuple[str, ...], table: str | None) -> dict[str, list[str]]:
    read: defaultdict[str, list[str]] = defaultdict(list)
    for pair in given:
        model, _, voice = pair.partition("=")
        read[model].append(voice)
    if table is not None:
        try:
            facts = tomllib.loads(Path(table).read_text(encoding="utf-8"))
            for model, voice in facts["own_voices"].items():
                read[model].append(str(voice))
        except (ValueError, KeyError, AttributeError) as error:
            msg = f"{table} has no table own_voices of ids by model."
            raise click.UsageError(msg) from error
    return dict(read)
