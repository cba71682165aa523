"""``vivavoce voice design``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import Ending
from vivavoce.cli.table import print_listing
from vivavoce.cli.text import read_text
from vivavoce.cli.voice.make import finding_object, make_voice, making_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vivavoce.blocking import Client
    from vivavoce.model.customizing import DesignOffer, Finding
    from vivavoce.pipeline.customize import VoicePlan

__all__ = ["design"]

_HELP = """\
Have a voice made from a description.

DESCRIPTION tells how it shall sound; @FILE reads a UTF-8 file and - reads standard input. What is
wrong with it, what could be better, the price and the model the voice is bound to are shown before
you are asked. Its preview comes only once and is kept beside the voice book.

\b
  vivavoce voice design "A woman of about thirty, low pitch, unhurried, for news." --advise
  vivavoce voice design @voice.txt -p acme --name anchor --preview-text "Good evening."

Exits with 6 if the answer was lost, so that the voice may have been made: look before you ask
again.
"""


@click.command("design", help=_HELP, short_help="Have a voice made from a description.")
@click.argument("description")
@click.option("--preview-text", metavar="TEXT", help="What it says for a proof.")
@click.option("--format", metavar="NAME", help="Of the preview, one the provider offers.")
@click.option("--sample-rate", type=int, metavar="HZ", help="Of the preview, likewise.")
@click.option("--advise", is_flag=True, help="Only check the description; nothing is sent.")
@click.option(
    "--advise-language",
    type=click.Choice(["en", "zh"]),
    help="Of the advice; else that of the description.",
)
@making_options
def design(description: str, **values: Any) -> None:
    """Design; see the help above."""
    if description == values["preview_text"] == "-":
        msg = "Standard input cannot be both the description and the text of the preview."
        raise click.UsageError(msg, click.get_current_context())
    if values["advise_language"] and not values["advise"]:
        msg = "--advise-language is of --advise: add that."
        raise click.UsageError(msg, click.get_current_context())
    if values["preview_text"] is not None:
        values["preview_text"] = read_text(values["preview_text"]).strip()
    text = read_text(description).strip()
    if values["advise"]:
        _print_advice(text, values)
        return
    for name, meaning in (
        ("name", "what the provider is to name the voice"),
        ("preview_text", "what it says for a proof"),
    ):
        if values[name] is None:
            msg = f"Missing option '--{name.replace('_', '-')}': {meaning}"
            raise click.UsageError(msg, click.get_current_context())

    def explain(client: Client) -> VoicePlan:
        return client.voices.explain_design(
            text,
            preview_text=values["preview_text"],
            name=values["name"],
            language=values["language"],
            target_model=values["target_model"],
            format=values["format"],
            sample_rate_hz=values["sample_rate"],
            alias=values["alias"],
        )

    make_voice(values, explain)


def _print_advice(text: str, values: Mapping[str, Any]) -> None:
    found = [finding_object(finding) for finding in _findings(text, values)]
    print_listing(
        found, _COLUMNS, as_json=values["as_json"], empty="Nothing to refuse, nothing to advise."
    )
    if any(finding["level"] == "refused" for finding in found):
        raise click.exceptions.Exit(Ending.USAGE)


def _findings(text: str, values: Mapping[str, Any]) -> Iterator[Finding]:
    from vivavoce.text.description import (
        advise_description,
        examine_description,
        examine_preview,
    )
    from vivavoce.text.speakable import check_text

    if values["selector"] is None:
        check_text(text)  # of no provider's rules, it must still say something
    else:
        offer = _offer(values["selector"])
        yield from examine_description(text, offer)
        if values["preview_text"] is not None:
            yield from examine_preview(values["preview_text"], values["language"], offer)
    yield from advise_description(text, values["advise_language"])


def _offer(selector: str) -> DesignOffer:
    from vivavoce import registry
    from vivavoce.cli.voice.clients import provider_of
    from vivavoce.errors import CapabilityError

    info = provider_of(selector)
    customizer = registry.installed().customizer(info.name)
    if customizer is None or customizer.design is None:
        msg = f"{info.name!r} designs no voices. `vivavoce providers` shows who does."
        raise CapabilityError(msg, capability="design")
    return customizer.design


_COLUMNS = (
    ("about", lambda item: item["about"]),
    ("level", lambda item: item["level"]),
    ("what", lambda item: item["message"]),
)
