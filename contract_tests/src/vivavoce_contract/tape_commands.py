"""``vivavoce tape``: looks at tapes, checks them, and takes them to other formats and back."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import Ending, printable
from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_json, print_listing, print_table

if TYPE_CHECKING:
    from vivavoce_contract.tapes.format import Event, Tape

__all__ = ["tape"]

_RECORDER = "vivavoce_contract.tapes.recorder_commands"
_ELSEWHERE = {
    "record": "Record what a client and a service say to each other.",
    "play": "Play a tape in place of the service.",
}
"""Commands with sockets, imported when they are named."""

_A_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TODAY_HELP = "Day that staleness is counted from (YYYY-MM-DD); today, if not given."


class _LazyGroup(click.Group):
    """A group, some commands of which are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        elsewhere = _ELSEWHERE if importlib.util.find_spec(_RECORDER) else ()
        return [*elsewhere, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE and importlib.util.find_spec(_RECORDER):
            command: click.Command = getattr(importlib.import_module(_RECORDER), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(
        self,
        ctx: click.Context,
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands without importing them."""
        rows = []
        for name in self.list_commands(ctx):
            known = self.commands.get(name)
            rows.append((name, known.get_short_help_str(100) if known else _ELSEWHERE[name]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group("tape", cls=_LazyGroup, short_help="Record, play, look at and check tapes.")
def tape() -> None:
    """Record, play, look at and check tapes: conversations with a service, kept in a file."""


# Looking


@tape.command("show", short_help="Show what is on a tape.")
@click.argument("path", metavar="TAPE", type=_A_FILE)
@json_option
@debug_option
def show(path: Path, as_json: bool) -> None:  # noqa: FBT001 - by click, by name
    """Show what is on a tape: its origin, and each event with its size and its time."""
    from vivavoce_contract.tapes.format import Tape
    from vivavoce_contract.tapes.provenance import provenance

    read = Tape.read(path)
    found = provenance(read, _today())
    events = [_as_object(event) for event in read.events]
    if as_json:
        header = read.header.as_plain()
        judged = {"kind": str(found.kind), "mark": found.mark, "reasons": list(found.reasons)}
        print_json({"header": header, "provenance": judged, "events": events})
        return
    print_table(["of the tape", ""], [*_facts(read, found.mark, found.reasons)])
    click.echo()
    print_listing(events, _COLUMNS, as_json=False, empty="The tape has no events.")


def _facts(read: Tape, mark: str, reasons: Iterable[str]) -> Iterable[list[str]]:
    header, source = read.header, read.header.source
    yield ["provider", printable(f"{header.provider} {header.model}".strip())]
    yield ["scenario", printable(header.scenario)]
    words = f"{source.kind}: {source.name} {source.version}".strip(": ")
    yield ["origin", printable(f"[{mark}] {words}")]
    for name in ("driver", "url"):
        if value := getattr(source, name):
            yield [name, printable(value)]
    yield ["recorded", f"{header.recorded_at}, to be reviewed by {header.review_by}"]
    for reason in reasons:
        yield ["but", reason]


def _as_object(event: Event) -> dict[str, Any]:
    return {
        "t": event.t,
        "conn": event.conn,
        "from": "client" if event.is_from_client else "service",
        "kind": str(event.k),
        "bytes": len(event.data),
        "what": _what(event),
    }


def _what(event: Event) -> str:
    if event.line:
        return event.line
    if event.how:
        return event.how
    if event.code is not None:
        return f"{event.code} {event.reason}".rstrip()
    try:
        text = " ".join(event.data.decode().split())
    except UnicodeDecodeError:
        return "(binary)"
    return text if len(text) <= 60 else text[:59] + "…"


_COLUMNS = (
    ("s", lambda item: f"{item['t']:.3f}"),
    ("conn", lambda item: str(item["conn"])),
    ("from", lambda item: item["from"]),
    ("kind", lambda item: item["kind"]),
    ("bytes", lambda item: str(item["bytes"] or "")),
    ("what", lambda item: item["what"]),
)


# Checking


def _parse_day(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        msg = f"{value!r} is no date. Write YYYY-MM-DD."
        raise click.BadParameter(msg) from None


@tape.command("verify", short_help="Check tapes: can they be read, trusted and published.")
@click.argument(
    "paths",
    metavar="TAPE_OR_FOLDER...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option("--today", callback=_parse_day, metavar="DAY", help=_TODAY_HELP)
@json_option
@debug_option
@click.pass_context
def verify(
    ctx: click.Context,
    paths: tuple[Path, ...],
    today: date | None,
    as_json: bool,  # noqa: FBT001 - by click, by name
) -> None:
    """
    Check tapes, or all those in folders.

    Each must be readable with what lies beside it, have a seal that fits, hold nothing that
    looks like a key, and not be past its review. One that fails ends this with exit code 2.
    """
    rows = [_verdict(path, today or _today()) for path in _tapes_in(paths)]
    print_listing(rows, _VERDICTS, as_json=as_json, empty="There is no tape in it.")
    if not rows or any(row["faults"] for row in rows):
        ctx.exit(Ending.USAGE)


def _tapes_in(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.rglob("*.tape")) if path.is_dir() else [path]
        found.update(dict.fromkeys(inside))
    return list(found)


def _verdict(path: Path, today: date) -> dict[str, Any]:
    from vivavoce_contract.tapes.format import Tape, TapeError
    from vivavoce_contract.tapes.provenance import provenance

    row: dict[str, Any] = {"tape": str(path), "mark": "?", "events": 0, "faults": []}
    try:
        read = Tape.read(path)
    except TapeError as error:
        row["faults"] = [error.bare if not error.tape_line else _short(error)]
        return row
    found = provenance(read, today)
    row |= {"mark": found.mark, "events": len(read.events)}
    row["faults"] = [*found.reasons, *_keys_on(read)]
    if read.header.sha256 and not read.is_sealed and not found.reasons:
        row["faults"].append("Its seal does not fit: it was changed by hand.")
    return row


def _short(error: Any) -> str:
    return f"line {error.tape_line}: {error.bare}"


def _keys_on(read: Tape) -> Iterable[str]:
    from vivavoce_contract.tapes.scrub import find_keys

    lines = [line.rstrip(b"\n") for line in read.lines()]
    for number, line in enumerate(lines, start=1):
        # A long payload is not in the line but beside the tape.
        payload = read.events[number - 2].data if number > 1 else b""
        for key in dict.fromkeys([*find_keys(line), *find_keys(payload)]):
            yield f"line {number}: it has {key!r}, which looks like a key."


_VERDICTS = (
    ("tape", lambda item: item["tape"]),
    ("mark", lambda item: item["mark"]),
    ("events", lambda item: str(item["events"])),
    ("found", lambda item: " ".join(item["faults"]) or "ok"),
)


@tape.command("diff", short_help="Show in what the shapes of two tapes differ.")
@click.argument("old", type=_A_FILE)
@click.argument("new", type=_A_FILE)
@json_option
@debug_option
@click.pass_context
def diff(ctx: click.Context, old: Path, new: Path, as_json: bool) -> None:  # noqa: FBT001
    """
    Show in what the shapes of two tapes differ: keys, types, order of events, statuses, codes.

    Audio, ids, numbers and times are not compared. Where they differ, the exit code is 2.
    """
    from vivavoce_contract.tapes.format import Tape
    from vivavoce_contract.tapes.shape import difference

    found = difference(Tape.read(old), Tape.read(new))
    if as_json:
        print_json(found)
    else:
        for line in found:
            click.echo(printable(line))
    if found:
        ctx.exit(Ending.USAGE)


# Other formats


@tape.command("import-vcr", short_help="Make a tape of a cassette of vcrpy (extra: vcr).")
@click.argument("cassette", type=_A_FILE)
@click.argument("path", metavar="TAPE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--provider", default="", help="Name of the provider.")
@click.option("--scenario", default="", help="Name of the scenario; else that of the file.")
@click.option("--keep-header", multiple=True, metavar="NAME", help="Also keep this header's value.")
@click.option("--keep-text", multiple=True, metavar="PATH", help="JSON path of long texts to keep.")
@debug_option
def import_vcr(
    cassette: Path,
    path: Path,
    provider: str,
    scenario: str,
    keep_header: tuple[str, ...],
    keep_text: tuple[str, ...],
) -> None:
    """
    Make a tape of a cassette of vcrpy: YAML, or JSON if its name ends so.

    Values of headers are dropped unless listed, what looks like a key is refused. A cassette does
    not say where it is from, so the tape counts as documentation.
    """
    from vivavoce_contract.tapes import scrub
    from vivavoce_contract.tapes.vcr import from_vcr

    policy = scrub.Policy(headers=keep_header, texts=keep_text)
    read = from_vcr(cassette, provider=provider, scenario=scenario)
    scrub.scrub(read, policy).write(path)
    click.echo(str(path))


@tape.command("export-vcr", short_help="Write a tape as a cassette of vcrpy (extra: vcr).")
@click.argument("path", metavar="TAPE", type=_A_FILE)
@click.argument("cassette", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--origin", default="", metavar="URL", help="Where requests are said to have gone.")
@debug_option
def export_vcr(path: Path, cassette: Path, origin: str) -> None:
    """
    Write a tape as a cassette of vcrpy: YAML, or JSON if its name ends so.

    A reply in chunks becomes one piece, with a warning. WebSockets and cut replies are refused.
    """
    import warnings

    from vivavoce.cli.ends import warn
    from vivavoce_contract.tapes.format import Tape
    from vivavoce_contract.tapes.vcr import BordersLost, to_vcr

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BordersLost)
        to_vcr(Tape.read(path), cassette, origin=origin)
    for warning in caught:
        warn(str(warning.message))
    click.echo(str(cassette))


@tape.command("export-har", short_help="Write a tape as an HTTP archive, for a browser.")
@click.argument("path", metavar="TAPE", type=_A_FILE)
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@debug_option
def export_har(path: Path, archive: Path) -> None:
    """Write a tape as an HTTP archive (HAR 1.2), which browsers' developer tools open."""
    import json

    from vivavoce.audio.output import atomic_output
    from vivavoce_contract.tapes.format import Tape
    from vivavoce_contract.tapes.har import to_har

    archived: Mapping[str, Any] = to_har(Tape.read(path))
    with atomic_output(archive, encoding="utf-8") as file:
        json.dump(archived, file, ensure_ascii=False, indent=1)
    click.echo(str(archive))


def _today() -> date:
    return date.today()  # noqa: DTZ011 - a day of the reader's calendar
