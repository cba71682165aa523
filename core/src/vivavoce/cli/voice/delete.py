"""``vivavoce voice delete``."""

from __future__ import annotations

from typing import Any

import click

from vivavoce.cli.ends import printable, tell
from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_json
from vivavoce.cli.voice.clients import (
    asking_options,
    check_key,
    find_kept,
    make_client,
    provider_of,
    user_book,
)
from vivavoce.cli.voice.confirm import confirm, yes_option

__all__ = ["delete"]

_HELP = """\
Delete a voice of your own.

VOICE is an id or an alias. The voice is deleted at the provider and forgotten by the voice book; to
make it again is billed again. To find it gone already is no failure. To drop an alias and keep the
voice, see `vivavoce voice alias --remove`.
"""


@click.command("delete", help=_HELP, short_help="Delete a voice of your own.")
@click.argument("voice")
@asking_options
@click.option(
    "--origin",
    type=click.Choice(["cloned", "designed"]),
    help="What it was made from, where that cannot be told from its id.",
)
@yes_option
@json_option
@debug_option
def delete(
    voice: str,
    origin: str | None,
    is_agreed: bool,  # noqa: FBT001 - by click, by name
    as_json: bool,  # noqa: FBT001 - by click, by name
    **values: Any,
) -> None:
    """Delete; see the help above."""
    from vivavoce.errors import InvalidValue

    info = provider_of(values["selector"])
    kept = find_kept(user_book(), info, voice)
    alias = None if kept.alias is None else kept.alias.name
    what = printable(f"{kept.voice_id!r} of {info.name}" + (f" (your {alias!r})" if alias else ""))
    if any(stock.id == kept.voice_id for stock in info.voices()):
        msg = f"{kept.voice_id!r} is a voice of {info.name!r} itself, which nobody can delete."
        if alias:
            msg += f" `vivavoce voice alias {alias} {info.name} --remove` takes its alias away."
        raise InvalidValue(msg)
    with make_client(values) as client:
        check_key(info, values)
        confirm(
            f"Delete the voice {what} for good?",
            why=f"The voice {what} cannot be brought back.",
            is_agreed=is_agreed,
        )
        existed = client.voices.delete(kept.voice_id, origin=origin)
    if as_json:
        print_json({"provider": info.name, "id": kept.voice_id, "alias": alias, "existed": existed})
        return
    tell(f"deleted {what}" if existed else f"there was no voice {what}; it is forgotten")
    if kept.booked is not None and kept.booked.preview:
        tell(f"note: its preview stays: {kept.booked.preview}")
