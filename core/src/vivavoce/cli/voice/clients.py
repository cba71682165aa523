"""Who is asked, and what the voice book says: shared by the commands about voices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from vivavoce.cli.options import provider_option
from vivavoce.cli.voices import selector_or_default

if TYPE_CHECKING:
    from vivavoce.blocking import Client
    from vivavoce.book import Alias, BookedVoice, VoiceBook
    from vivavoce.provider import SynthesizerInfo

__all__ = [
    "Kept",
    "address_options",
    "asking_options",
    "booked_object",
    "check_key",
    "find_kept",
    "make_client",
    "provider_of",
    "user_book",
]

F = TypeVar("F", bound=Callable[..., Any])


def asking_options(command: F) -> F:
    """Take ``-p``, ``--region`` and ``--base-url``."""
    return provider_option(address_options(command))


def address_options(command: F) -> F:
    """Take ``--region`` and ``--base-url``."""
    options = (
        click.option("--region", metavar="ID", help="The provider's region."),
        click.option("--base-url", metavar="URL", help="Address in place of the provider's own."),
    )
    for add in reversed(options):
        command = add(command)
    return command


def make_client(values: Mapping[str, Any]) -> Client:
    """
    Return a client for the values of :func:`asking_options`.

    Raises:
        VivavoceError: See :class:`vivavoce.Client`.
        click.UsageError: If the selector has a voice, which has no meaning here.
    """
    from vivavoce import registry
    from vivavoce.blocking import Client

    known = registry.installed()
    selector = selector_or_default(known, values["selector"])
    if values["selector"] is not None and selector.voice is not None:
        msg = f"-p takes provider or provider/model here; {selector.voice!r} stands for itself"
        raise click.UsageError(msg, click.get_current_context())
    model = f"/{selector.model}" if selector.model is not None else ""
    return Client(
        f"{selector.provider}{model}",
        region=values["region"],
        base_url=values["base_url"],
        registry=known,
    )


def provider_of(selector: str | None) -> SynthesizerInfo:
    """Return the provider of a selector, or the default one."""
    from vivavoce import registry

    known = registry.installed()
    return known.get(selector_or_default(known, selector).provider or "")


def check_key(info: SynthesizerInfo, values: Mapping[str, Any]) -> None:
    """
    Make sure that there is a key, before anybody is asked anything.

    Raises:
        CredentialError: If one is needed and there is none.
    """
    from vivavoce import registry
    from vivavoce.settings import load_settings

    found = registry.installed().hook.vivavoce_resolve_credential(provider=info.name)
    load_settings().config_for(
        info, credential=found, base_url=values["base_url"], region=values["region"]
    )


# The voice book


def user_book() -> VoiceBook:
    """Return the voice book of this user."""
    from vivavoce.book import VoiceBook
    from vivavoce.settings import load_settings

    place = load_settings().voice_book
    assert place is not None  # settings that were read always have one
    return VoiceBook(place)


class Kept(NamedTuple):
    """
    What the book says of a voice at one provider.

    Attributes:
        voice_id: The provider's id, or what was asked for where the book has nothing.
        alias: The alias, or None.
        booked: The record, or None.
    """

    voice_id: str
    alias: Alias | None
    booked: BookedVoice | None


def find_kept(book: VoiceBook, info: SynthesizerInfo, voice: str) -> Kept:
    """Return what *book* says of a voice, by its alias or its id."""
    if any(stock.id == voice for stock in info.voices()):
        found = book.find(info.name, voice)  # a provider's own names come first
        return Kept(voice, book.get(found[0]) if found else None, found[1] if found else None)
    alias = book.get(voice)
    if alias is not None and info.name in alias.voices:
        booked = alias.voices[info.name]
        return Kept(booked.id, alias, booked)
    found = book.find(info.name, voice)
    return Kept(voice, book.get(found[0]), found[1]) if found else Kept(voice, None, None)


def booked_object(booked: BookedVoice) -> dict[str, Any]:
    """Return a record of the book for JSON."""
    import attrs

    return {**attrs.asdict(booked), "origin": booked.origin.value}
