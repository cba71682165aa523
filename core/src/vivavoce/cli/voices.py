"""``vivavoce voices``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.options import debug_option, json_option, selector_argument
from vivavoce.cli.table import print_listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vivavoce.model.selector import Selector
    from vivavoce.model.voice import Voice
    from vivavoce.registry import Registry

__all__ = ["selector_or_default", "voices"]


@click.command("voices", short_help="List the voices of a provider.")
@selector_argument
@click.option("--language", metavar="TAG", help="Only voices that speak it, or a near variety.")
@click.option(
    "--gender",
    type=click.Choice(["female", "male", "neutral", "unknown"]),
    help="As the provider describes them.",
)
@click.option("--model", metavar="NAME", help="Only voices that this model may be used with.")
@click.option(
    "--origin",
    type=click.Choice(["stock", "cloned", "designed"]),
    help="The provider's own, or made from a recording or a description.",
)
@json_option
@debug_option
def voices(
    selector: str | None,
    language: str | None,
    gender: str | None,
    model: str | None,
    origin: str | None,
    as_json: bool,  # noqa: FBT001 - by click, by name
) -> None:
    """
    List the voices of a provider.

    SELECTOR is a provider, or provider/model for the voices of one model; without it the default
    provider's voices are listed. No key and no network is used.
    Voices of your own are listed by `vivavoce voice list`.
    """
    from vivavoce import registry
    from vivavoce.catalogue import find_voices, get_voice

    known = registry.installed()
    wanted = selector_or_default(known, selector)
    info = known.get(wanted.provider or "")
    # Without a selector the settings' default model and voice narrow nothing down: all are wanted.
    named = wanted if selector is not None else None
    found: Iterable[Voice] = find_voices(
        known,
        info,
        language=language,
        origin=origin,
        model=model or (named.model if named is not None else None),
    )
    if named is not None and named.voice is not None:
        only = get_voice(info, named.voice)
        found = [voice for voice in found if voice == only]
    print_listing(
        [
            _as_object(info.name, voice)
            for voice in found
            if gender is None or voice.gender.value == gender
        ],
        _COLUMNS,
        as_json=as_json,
        empty=f"No voice of {info.name!r} fits.",
    )


def selector_or_default(known: Registry, text: str | None) -> Selector:
    """Return the selector of *text*, or the default one."""
    if text is not None:
        from vivavoce.model.selector import Selector

        return Selector.parse(text)
    from vivavoce.settings import load_settings

    return known.default(load_settings())


def _as_object(provider: str, voice: Voice) -> dict[str, Any]:
    return {
        "provider": provider,
        "id": voice.id,
        "name": voice.name,
        "native_name": voice.native_name,
        "languages": list(voice.languages),
        "dialects": list(voice.dialects),
        "gender": voice.gender.value,
        "description": voice.description,
        "origin": voice.origin.value,
        "models": list(voice.models),
    }


def _names(item: Any) -> str:
    names = dict.fromkeys(name for name in (item["name"], item["native_name"]) if name)
    return " ".join(names)


_COLUMNS = (
    ("id", lambda item: item["id"]),
    ("name", _names),
    ("languages", lambda item: ", ".join(dict.fromkeys(item["languages"] + item["dialects"]))),
    ("gender", lambda item: "" if item["gender"] == "unknown" else item["gender"]),
    ("origin", lambda item: item["origin"]),
    ("description", lambda item: item["description"]),
)
