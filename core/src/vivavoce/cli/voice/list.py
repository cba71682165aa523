"""``vivavoce voice list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.options import debug_option, json_option, selector_argument
from vivavoce.cli.table import print_listing
from vivavoce.cli.voice.clients import address_options, make_client, provider_of, user_book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vivavoce.book import BookedVoice, VoiceBook
    from vivavoce.model.voice import Voice
    from vivavoce.provider import SynthesizerInfo

__all__ = ["list_voices"]

_HELP = """\
List voices of your own, and aliases.

Of the provider named, its list of your voices is read, which needs its key and the network, and put
together with the voice book: a voice that is not in the book, and one in the book that the provider
does not list, are told. Without a provider the book alone is listed, for all providers. With
--origin stock the provider's own voices are, as `vivavoce voices` does. Neither needs a key.
"""


@click.command("list", help=_HELP, short_help="List voices of your own, and aliases.")
@selector_argument
@click.option(
    "--origin",
    type=click.Choice(["stock", "cloned", "designed"]),
    help="Only those; else your own, and what has an alias.",
)
@click.option("--language", metavar="TAG", help="Only voices that speak it, or do not say.")
@click.option("--model", metavar="NAME", help="Only voices that this model may be used with.")
@address_options
@json_option
@debug_option
def list_voices(selector: str | None, as_json: bool, **values: Any) -> None:  # noqa: FBT001 - by click, by name
    """List; see the help above."""
    book = user_book()
    if selector is None and values["origin"] != "stock":
        rows = [
            _booked(provider, alias.name, voice, is_listed=None)
            for alias in book.aliases().values()
            for provider, voice in alias.voices.items()
        ]
        empty = "The voice book has no voice that fits. `vivavoce voice list PROVIDER` asks there."
    else:
        info = provider_of(selector)
        rows = list(_at(book, {**values, "selector": selector}))
        empty = f"No voice of your own at {info.name!r} fits."
    print_listing(
        [row for row in rows if _fits(row, values)], _COLUMNS, as_json=as_json, empty=empty
    )


def _at(book: VoiceBook, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the provider lists, then what only the book has."""
    with make_client(values) as client:
        info = client.provider
        if values["model"] is not None:
            client.capabilities(values["model"])  # refuses an unknown one
        booked = {
            voice.id: (alias.name, voice)
            for alias in book.aliases().values()
            for provider, voice in alias.voices.items()
            if provider == info.name
        }
        stock = {voice.id: voice for voice in info.voices()}
        if values["origin"] == "stock":
            for voice in stock.values():
                yield _listed(info.name, voice, booked.pop(voice.id, None))
            return
        # All of them, whatever is asked for: else one left out would seem to be gone.
        for voice in client.voices.list(origin=values["origin"]):
            if voice.origin.value != "stock":
                yield _listed(info.name, voice, booked.pop(voice.id, None))
        for voice_id, (alias, record) in booked.items():
            if voice_id in stock:
                yield _listed(info.name, stock[voice_id], (alias, record))
            else:
                elsewhere = record.region not in ("", _region_asked(info, record, values["region"]))
                yield _booked(info.name, alias, record, is_listed=None if elsewhere else False)


def _region_asked(info: SynthesizerInfo, record: BookedVoice, given: str | None) -> str | None:
    """Return the region the provider was asked in for a voice like *record*, as far as is known."""
    from vivavoce import registry
    from vivavoce.settings import load_settings

    customizer = registry.installed().customizer(info.name)
    offers = (customizer.clone, customizer.design) if customizer is not None else (None, None)
    offer = offers[record.origin.value == "designed"]
    usual = next(iter(offer.regions), None) if offer is not None else None
    return load_settings().region_for(info, given) or usual


def _listed(provider: str, voice: Voice, booked: tuple[str, BookedVoice] | None) -> dict[str, Any]:
    alias, record = booked if booked is not None else (None, None)
    made = "" if voice.created_at is None else voice.created_at.isoformat(timespec="seconds")
    return {
        "provider": provider,
        "id": voice.id,
        "alias": alias,
        "origin": voice.origin.value,
        "languages": list(dict.fromkeys((*voice.languages, *voice.dialects)))
        or ([record.language] if record is not None and record.language else []),
        "models": list(voice.models),
        "region": (record.region if record is not None else "") or None,
        "made": made or (record.made if record is not None else "") or None,
        "is_listed": True,
    }


def _booked(
    provider: str, alias: str, voice: BookedVoice, *, is_listed: bool | None
) -> dict[str, Any]:
    return {
        "provider": provider,
        "id": voice.id,
        "alias": alias,
        "origin": voice.origin.value,
        "languages": [voice.language] if voice.language else [],
        "models": [voice.model] if voice.model else [],
        "region": voice.region or None,
        "made": voice.made or None,
        "is_listed": is_listed,
    }


def _fits(row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    from vivavoce.pipeline.languages import match_language

    language, model, origin = values["language"], values["model"], values["origin"]
    speaks = not language or not row["languages"] or match_language(language, row["languages"])
    return (
        bool(speaks)
        and (model is None or not row["models"] or model in row["models"])
        and origin in (None, row["origin"])
    )


def _state(row: Mapping[str, Any]) -> str:
    if row["origin"] == "stock":
        return ""
    if row["is_listed"] is False:
        return "not at the provider"
    return "" if row["alias"] is not None else "not in the book"


_COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("alias", lambda row: row["alias"] or ""),
    ("provider", lambda row: row["provider"]),
    ("id", lambda row: row["id"]),
    ("origin", lambda row: row["origin"]),
    ("models", lambda row: ", ".join(row["models"])),
    ("languages", lambda row: ", ".join(row["languages"])),
    ("region", lambda row: row["region"] or ""),
    ("made", lambda row: (row["made"] or "")[:16].replace("T", " ")),
    ("state", _state),
)
