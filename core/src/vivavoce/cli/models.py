"""``vivavoce models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.options import debug_option, json_option, provider_option
from vivavoce.cli.table import print_listing

if TYPE_CHECKING:
    from vivavoce.catalogue import FoundModel
    from vivavoce.model.capability import Evidence
    from vivavoce.model.card import ModelCard

__all__ = ["evidence_object", "models"]


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
@json_option
@debug_option
def models(
    selector: str | None,
    needs: tuple[str, ...],
    language: str | None,
    transport: str | None,
    as_json: bool,  # noqa: FBT001 - by click, by name
) -> None:
    """
    List models, by what they can do.

    Without -p those of all providers are listed, the default model of each first. No key and no
    network is used.
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
        registry=known,
    )
    if wanted is not None and wanted.model is not None:
        card = known.model(known.get(wanted.provider or ""), wanted.model)
        found = [model for model in found if model.card.name == card.name]
    print_listing(
        [_as_object(model) for model in found],
        _COLUMNS,
        as_json=as_json,
        empty="No installed model fits.",
    )


def _as_object(found: FoundModel) -> dict[str, Any]:
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
        "prices": _prices(card),
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


def _prices(card: ModelCard) -> list[dict[str, Any]]:
    return [
        {
            "amount": str(price.amount),
            "currency": price.currency,
            "per": price.per,
            "unit": price.unit,
            "region": price.region,
            "evidence": evidence_object(price.evidence),
        }
        for price in card.prices
    ]


def _languages(tags: list[str], shown: int = 4) -> str:
    if len(tags) <= shown:
        return ", ".join(tags)
    return f"{len(tags)}: {', '.join(tags[:shown])}, ..."


def _price(item: Any) -> str:
    if item["is_free"]:
        return "free"
    prices = (
        f"{price['amount']} {price['currency']} per {price['per']} {price['unit']}"
        + (f" ({price['region']})" if price["region"] else "")
        for price in item["prices"]
    )
    return "; ".join(prices) or "not known"


_COLUMNS = (
    ("selector", lambda item: item["selector"]),
    ("transports", lambda item: ", ".join(item["transports"])),
    ("languages", lambda item: _languages(item["languages"])),
    ("default voice", lambda item: item["default_voice"]),
    ("price", _price),
    ("note", lambda item: item["note"]),
)
