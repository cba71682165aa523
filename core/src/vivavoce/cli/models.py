"""``vivavoce models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.options import debug_option, json_option, provider_option
from vivavoce.cli.table import print_listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vivavoce.advice import Advice
    from vivavoce.catalogue import FoundModel
    from vivavoce.cli.table import Column
    from vivavoce.model.capability import Evidence
    from vivavoce.model.card import ModelCard, Price

__all__ = ["evidence_object", "model_object", "models", "price_cell", "price_object"]

# Written out, so that the help does not load what gives the advice; a test compares them.
USES = (
    "audiobook",
    "navigation",
    "brand-voice-from-text",
    "brand-voice-from-audio",
    "emotional",
    "courseware",
)


@click.command("models", short_help="List models, by what they can do.")
@provider_option
@click.option(
    "--needs",
    multiple=True,
    metavar="CAPABILITY",
    help="Only models that claim it with a plain yes, such as word_marks; may be repeated.",
)
@click.option("--language", metavar="TAG", help="Only models that speak it, or a near variety.")
@click.option(
    "--transport", metavar="NAME", help="Only with it: local, http, http-sse or websocket."
)
@click.option("--region", metavar="ID", help="Only models offered in this region.")
@click.option(
    "--for", "use", type=click.Choice(USES), help="Only models that fit this use, the best first."
)
@json_option
@debug_option
def models(
    selector: str | None,
    needs: tuple[str, ...],
    language: str | None,
    transport: str | None,
    region: str | None,
    use: str | None,
    as_json: bool,  # noqa: FBT001 - by click, by name
) -> None:
    """
    List models, by what they can do.

    Without -p those of all providers are listed, the default model of each first. Those that this
    release cannot speak with are listed too, and say so. With --for the models that fit a use are
    ranked, each with the reasons. No key and no network is used.
    """
    from vivavoce import registry
    from vivavoce.catalogue import find_models
    from vivavoce.model.selector import Selector

    known = registry.installed()
    wanted = None if selector is None else Selector.parse(selector)
    found = find_models(
        needs=needs,
        language=language,
        transport=transport,
        provider=None if wanted is None else wanted.provider,
        region=region,
        only_usable=False,
        registry=known,
    )
    if wanted is not None and wanted.model is not None:
        card = known.model(known.get(wanted.provider or ""), wanted.model)
        found = [model for model in found if model.card.name == card.name]
    columns: Sequence[Column] = _COLUMNS
    if use is None:
        objects = [model_object(model, region) for model in found]
    else:
        from vivavoce.advice import advise

        advice = advise(
            use,
            provider=None if wanted is None else wanted.provider,
            language=language,
            region=region,
            registry=known,
        )
        kept = {model.selector for model in found}
        objects = [_advice_object(each, region) for each in advice if each.selector in kept]
        columns = _ADVICE_COLUMNS
    print_listing(objects, columns, as_json=as_json, empty="No installed model fits.")


def _advice_object(advice: Advice, region: str | None) -> dict[str, Any]:
    return {**model_object(advice.model, region), "reasons": list(advice.reasons)}


def model_object(found: FoundModel, region: str | None = None) -> dict[str, Any]:
    """Return a model for JSON; *region* is that of its price, None for its default one."""
    from vivavoce.advice import billed_by

    card = found.card
    claims = card.capabilities
    return {
        "selector": found.selector,
        "provider": found.provider.name,
        "model": card.name,
        "alias_of": card.alias_of,
        "family": card.family,
        "is_default": card is found.provider.models[0],
        "transports": list(card.transports),
        "regions": list(card.regions),
        "languages": list(claims.languages.values),
        "dialects": list(claims.dialects.values),
        "default_voice": card.default_voice,
        "capabilities": {name: claim.support.value for name, claim in claims},
        "options": _options(card),
        "is_free": card.is_free,
        "prices": [price_object(price) for price in card.prices],
        "billed_by": [price_object(price) for price in billed_by(card, region)],
        "unavailable": card.unavailable,
        "note": card.note,
        "evidence": evidence_object(card.evidence),
    }


def evidence_object(evidence: Evidence | None) -> dict[str, str] | None:
    """Return *evidence* for JSON."""
    return None if evidence is None else {"source": evidence.source, "date": evidence.date}


def _options(card: ModelCard) -> list[dict[str, Any]]:
    return [
        {
            "name": option.name,
            "meaning": option.meaning,
            "type": option.type.__name__,
            "values": list(option.values),
            "minimum": option.minimum,
            "maximum": option.maximum,
        }
        for option in card.options
    ]


def price_object(price: Price) -> dict[str, Any]:
    """Return *price* for JSON."""
    return {
        "amount": str(price.amount),  # a string: money is no floating-point number
        "currency": price.currency,
        "per": price.per,
        "unit": price.unit,
        "region": price.region,
        "evidence": evidence_object(price.evidence),
    }


def _languages(tags: list[str], shown: int = 4) -> str:
    if len(tags) <= shown:
        return ", ".join(tags)
    return f"{len(tags)}: {', '.join(tags[:shown])}, ..."


def price_cell(prices: Any) -> str:
    """Return price objects that are billed together in words."""
    from vivavoce.advice import price_text
    from vivavoce.model.card import Price

    return price_text(Price(**{**price, "evidence": None}) for price in prices)


def _price(item: Any) -> str:
    if item["is_free"]:
        return "free"
    more = len(item["prices"]) > len(item["billed_by"])
    return price_cell(item["billed_by"]) + (", ..." if more else "") or "not known"


def _note(item: Any) -> str:
    unavailable = f"unavailable: {item['unavailable']}" if item["unavailable"] else ""
    return f"{unavailable} {item['note']}".strip()


_COLUMNS = (
    ("selector", lambda item: item["selector"]),
    ("transports", lambda item: ", ".join(item["transports"])),
    ("languages", lambda item: _languages(item["languages"])),
    ("default voice", lambda item: item["default_voice"]),
    ("price", _price),
    ("note", _note),
)
_ADVICE_COLUMNS = (
    ("selector", lambda item: item["selector"]),
    ("why", lambda item: "; ".join(item["reasons"])),
)
