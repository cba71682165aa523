"""``vivavoce capabilities``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import printable
from vivavoce.cli.models import evidence_object, model_object, price_cell
from vivavoce.cli.options import debug_option, json_option, selector_argument
from vivavoce.cli.table import print_json, print_listing, print_table
from vivavoce.cli.voices import selector_or_default

if TYPE_CHECKING:
    from vivavoce.model.capability import Claim
    from vivavoce.provider import SynthesizerInfo

__all__ = ["capabilities"]

SHOWN_VALUES = 8


@click.command("capabilities", short_help="Show what a model claims it can do.")
@selector_argument
@json_option
@debug_option
def capabilities(selector: str | None, as_json: bool) -> None:  # noqa: FBT001 - by click, by name
    """
    Show what a model claims it can do.

    SELECTOR is provider/model, or a provider for its default model; without it the default
    provider's. First what is known of the model: transports, regions, prices, its own options, the
    key it needs. Then each claim, with its evidence: where it was read or measured. The table
    shortens long lists of values, --json does not.
    """
    from vivavoce import registry
    from vivavoce.catalogue import FoundModel
    from vivavoce.model.capability import Capabilities

    known = registry.installed()
    wanted = selector_or_default(known, selector)
    info = known.get(wanted.provider or "")
    card = known.model(info, wanted.model)
    model = model_object(FoundModel(provider=info, card=card))
    del model["capabilities"]  # the claims say it, and more
    model["access"] = _access(info)
    model["claims"] = [
        {"capability": name, "meaning": Capabilities.meaning(name), **_as_object(claim)}
        for name, claim in card.capabilities
    ]
    if as_json:
        print_json(model)
        return
    click.echo(model["selector"])
    rows = [[heading, printable(text)] for heading, text in _facts(model) if text]
    print_table(["fact", "is"], rows)
    click.echo()
    print_listing(model["claims"], _COLUMNS, as_json=False, empty="")


def _access(info: SynthesizerInfo) -> dict[str, Any]:
    return {
        "needs_key": bool(info.credential_env),
        "key_variables": list(info.credential_env),
        "settings": {name: list(variables) for name, variables in info.settings.items()},
    }


def _facts(model: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the table tells of the model as a whole; empty texts are left out."""
    yield "unavailable", model["unavailable"]
    yield "stands for", model["alias_of"]
    yield "family", model["family"]
    yield "transports", ", ".join(model["transports"])
    yield "regions", ", ".join(model["regions"])
    yield "key", " or ".join(model["access"]["key_variables"]) or "needs none"
    for name, variables in model["access"]["settings"].items():
        yield f"setting {name}", " or ".join(variables)
    yield "default voice", model["default_voice"]
    for option in model["options"]:
        yield f"option {option['name']}", _option(option)
    yield from _prices(model)
    yield "note", model["note"]
    yield "evidence", _evidence(model["evidence"])


def _option(option: dict[str, Any]) -> str:
    limits = _limits({**option, "unit": ""}) or option["type"]
    return f"{option['meaning']} ({limits})"


def _prices(model: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if model["is_free"]:
        yield "price", "free"
    for price in model["prices"]:
        yield "price", price_cell([price])


def _as_object(claim: Claim) -> dict[str, Any]:
    return {
        "support": claim.support.value,
        "values": list(claim.values),
        "minimum": claim.minimum,
        "maximum": claim.maximum,
        "unit": claim.unit,
        "note": claim.note,
        "evidence": evidence_object(claim.evidence),
    }


def _limits(item: Any) -> str:
    parts = []
    if values := item["values"]:
        more = len(values) - SHOWN_VALUES
        shown = ", ".join(str(value) for value in values[:SHOWN_VALUES])
        parts.append(f"{shown} and {more} more" if more > 0 else shown)
    low, high = item["minimum"], item["maximum"]
    if low is not None and high is not None:
        parts.append(f"{low:g} to {high:g} {item['unit']}".rstrip())
    elif low is not None:
        parts.append(f"from {low:g} {item['unit']}".rstrip())
    elif high is not None:
        parts.append(f"up to {high:g} {item['unit']}".rstrip())
    return "; ".join(parts)


def _evidence(evidence: Any) -> str:
    return "" if evidence is None else f"{evidence['source']} ({evidence['date']})"


_COLUMNS = (
    ("capability", lambda item: item["capability"]),
    ("support", lambda item: item["support"]),
    ("values and limits", _limits),
    ("note", lambda item: item["note"]),
    ("evidence", lambda item: _evidence(item["evidence"])),
)
