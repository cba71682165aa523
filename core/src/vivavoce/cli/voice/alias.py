"""``vivavoce voice alias``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import printable, tell
from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_json, print_table
from vivavoce.cli.voice.clients import booked_object, user_book
from vivavoce.cli.voice.confirm import confirm, yes_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vivavoce.book import Alias, BookedVoice, VoiceBook

__all__ = ["alias"]

_HELP = """\
Name voices across providers.

NAME then stands for a voice at each provider named: PROVIDER:VOICE, an id of a stock voice or of
one of your own. A stock voice is looked up here; one of your own is asked for at its provider,
which needs the key. --language, --gender and --style say by what another voice may be chosen at a
provider where NAME has none (`say --stand-in`). Without any of it NAME is shown.

\b
  vivavoce voice alias narrator acme:ann other:ben --language en --gender female
  vivavoce voice alias narrator other --remove      forget what it means there
  vivavoce voice alias narrator --remove            forget it

A voice itself stays where it is; see `vivavoce voice delete`.
"""


@click.command("alias", help=_HELP, short_help="Name voices across providers.")
@click.argument("name")
@click.argument("voices", nargs=-1, metavar="[PROVIDER:VOICE]...")
@click.option("--language", metavar="TAG", help="What a stand-in speaks; empty for any.")
@click.option(
    "--gender",
    type=click.Choice(["female", "male", "neutral", "unknown"]),
    help="As a stand-in has it; unknown for any.",
)
@click.option("--style", metavar="WORDS", help="Looked for in a stand-in's description.")
@click.option("--remove", is_flag=True, help="Forget the alias, or only the providers named.")
@yes_option
@json_option
@debug_option
def alias(
    name: str,
    voices: tuple[str, ...],
    language: str | None,
    gender: str | None,
    style: str | None,
    remove: bool,  # noqa: FBT001 - by click, by name
    is_agreed: bool,  # noqa: FBT001 - by click, by name
    as_json: bool,  # noqa: FBT001 - by click, by name
) -> None:
    """Name; see the help above."""
    book = user_book()
    said = {"language": language, "gender": gender, "style": style}
    says = any(value is not None for value in said.values())
    if remove:
        if says:
            msg = "--remove takes no --language, --gender or --style. Empty ones take them away."
            raise click.UsageError(msg, click.get_current_context())
        _remove(book, name, voices, is_agreed=is_agreed)
    else:
        _add(book, name, voices)
        if says:
            _check_language(language)
            book.describe(name, language=language, gender=gender, style=style)
    found = book.get(name)
    if found is None and not remove:
        _refuse(book, name)
    _print(name, found, as_json=as_json)


def _check_language(language: str | None) -> None:
    if language:
        from vivavoce.pipeline.languages import match_language

        match_language(language, ())  # refuses what is no tag


def _add(book: VoiceBook, name: str, voices: Iterable[str]) -> None:
    from vivavoce.errors import InvalidValue

    known = book.get(name)
    added: dict[str, BookedVoice] = {}
    for text in voices:
        provider, voice = _resolved(name, text)
        if provider in added:
            msg = f"{name!r} cannot stand for two voices of {provider!r}. Give one of them."
            raise InvalidValue(msg)
        if known is None or provider not in known.voices or known.voices[provider].id != voice.id:
            book.check(name, provider)
            added[provider] = voice
    # Only now: all of them, or none.
    for provider, voice in added.items():
        book.add(name, provider, voice)


def _resolved(name: str, text: str) -> tuple[str, BookedVoice]:
    """Return provider and record of what is written as ``provider[/model]:voice``."""
    from vivavoce import registry
    from vivavoce.blocking import Client
    from vivavoce.book import BookedVoice
    from vivavoce.errors import InvalidValue
    from vivavoce.model.selector import Selector
    from vivavoce.settings import load_settings

    selector = Selector.parse(text)
    if selector.voice is None:
        msg = f"{text!r} names no voice. Write PROVIDER:VOICE; `vivavoce voices` lists them."
        raise InvalidValue(msg)
    known = registry.installed()
    info = known.get(selector.provider or "")
    stock = {voice.id for voice in info.voices()}
    if name in stock:
        msg = f"{info.name!r} has a voice {name!r} of its own, which would be meant. Name it other."
        raise InvalidValue(msg)
    if selector.voice in stock:
        return info.name, BookedVoice(id=selector.voice)
    with Client(f"{info.name}", registry=known) as client:
        voice = client.voices.get(selector.voice)
    models = [selector.model] if selector.model is not None else voice.models
    return info.name, BookedVoice(
        id=voice.id,
        origin=voice.origin,
        model=models[0] if len(models) == 1 else "",
        region=load_settings().region_for(info) or "",
        language=next(iter(voice.languages), ""),
        made="" if voice.created_at is None else voice.created_at.isoformat(timespec="seconds"),
    )


def _remove(book: VoiceBook, name: str, places: Iterable[str], *, is_agreed: bool) -> None:
    from vivavoce.model.selector import Selector

    found = book.get(name)
    if found is None:
        _refuse(book, name)
        return
    wanted = [Selector.parse(place).provider or "" for place in places]
    for provider in wanted:
        if provider not in found.voices:
            from vivavoce.errors import UnknownVoice

            there = ", ".join(found.voices) or "no provider"
            msg = f"The alias {name!r} has a voice at {there}, none at {provider!r}."
            raise UnknownVoice(msg, name=name)
    going = {at: voice for at, voice in found.voices.items() if not wanted or at in wanted}
    own = [repr(voice.id) for voice in going.values() if voice.origin.value != "stock"]
    if own:
        confirm(
            f"Forget the record of {', '.join(own)}, consent included?",
            why=f"The record of {', '.join(own)}, consent included, is only in the voice book.",
            is_agreed=is_agreed,
        )
    for provider in wanted:
        book.remove(name, provider)
    if not wanted:
        book.remove(name)


def _refuse(book: VoiceBook, name: str) -> None:
    from vivavoce._suggest import did_you_mean, nearest
    from vivavoce.errors import UnknownVoice

    near = nearest(name, book.aliases())
    msg = (
        f"There is no alias {name!r}. {did_you_mean(near)}`vivavoce voice list` lists them; "
        f"`vivavoce voice alias {name} PROVIDER:VOICE` makes one."
    )
    raise UnknownVoice(msg, name=name, nearest=near)


def _print(name: str, found: Alias | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_object(name, found))
    elif found is None:
        tell(f"forgot the alias {name!r}")
    else:
        attributes = {"language": found.language, "style": found.style}
        if found.gender.value != "unknown":
            attributes["gender"] = found.gender.value
        rows = [(at, f"{voice.id} ({voice.origin.value})") for at, voice in found.voices.items()]
        rows += [(f"stand-in {fact}", value) for fact, value in attributes.items() if value]
        print_table((printable(name), "is"), [(fact, printable(text)) for fact, text in rows])


def _as_object(name: str, found: Alias | None) -> dict[str, Any]:
    return {
        "alias": name,
        "exists": found is not None,
        "language": found.language if found is not None else "",
        "gender": found.gender.value if found is not None else "unknown",
        "style": found.style if found is not None else "",
        "voices": {
            provider: booked_object(voice)
            for provider, voice in (found.voices if found is not None else {}).items()
        },
    }
