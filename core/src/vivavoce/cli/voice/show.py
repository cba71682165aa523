"""``vivavoce voice show``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import printable
from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_json, print_table
from vivavoce.cli.voice.clients import (
    asking_options,
    booked_object,
    find_kept,
    make_client,
    provider_of,
    user_book,
)

if TYPE_CHECKING:
    from vivavoce.model.voice import Voice

__all__ = ["show"]

_HELP = """\
Show all that is known of one voice.

VOICE is an id or an alias. What the voice book has is shown first, consent and description
included, then what the provider says of the voice, which needs its key and the network. Where the
provider cannot be asked, the book's part is shown all the same, and the exit code tells.
"""


@click.command("show", help=_HELP, short_help="Show all that is known of one voice.")
@click.argument("voice")
@asking_options
@json_option
@debug_option
def show(voice: str, as_json: bool, **values: Any) -> None:  # noqa: FBT001 - by click, by name
    """Show; see the help above."""
    from vivavoce.errors import VivavoceError

    info = provider_of(values["selector"])
    kept = find_kept(user_book(), info, voice)
    alias, booked = kept.alias, kept.booked
    shown: dict[str, Any] = {
        "provider": info.name,
        "id": kept.voice_id,
        "alias": None if alias is None else alias.name,
        "booked": None if booked is None else booked_object(booked),
        "listed": None,
    }
    with make_client(values) as client:
        try:
            shown["listed"] = _as_object(client.voices.get(kept.voice_id))
        except VivavoceError:
            if booked is not None:
                _print(shown, as_json=as_json)
            raise
    _print(shown, as_json=as_json)


def _as_object(voice: Voice) -> dict[str, Any]:
    return {
        "name": voice.name,
        "languages": list(voice.languages),
        "dialects": list(voice.dialects),
        "gender": voice.gender.value,
        "description": voice.description,
        "origin": voice.origin.value,
        "models": list(voice.models),
        "made": None if voice.created_at is None else voice.created_at.isoformat(),
    }


def _print(shown: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    rows = [[fact, printable(text), source] for fact, text, source in _facts(shown) if text]
    print_table(("fact", "is", "says"), rows)


def _facts(shown: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "id", shown["id"], ""
    yield "alias", shown["alias"] or "", "voice book"
    for name, value in (shown["booked"] or {}).items():
        if name == "consent" and value is not None:
            for part, words in value.items():
                yield f"consent {part}", words, "voice book"
        elif name != "id":
            yield name.replace("_", " "), value or "", "voice book"
    for name, value in (shown["listed"] or {}).items():
        if value != "unknown":
            text = ", ".join(value) if isinstance(value, list) else value
            yield name, text or "", shown["provider"]
