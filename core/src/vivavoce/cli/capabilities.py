"""``vivavoce capabilities``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.models import evidence_object
from vivavoce.cli.options import complete_selector, debug_option, json_option
from vivavoce.cli.table import print_listing
from vivavoce.cli.voices import selector_or_default

if TYPE_CHECKING:
    from vivavoce.model.capability import Claim

__all__ = ["capabilities"]

SHOWN_VALUES = 8


@click.command("capabilities", short_help="Show what a model claims it can do.")
@click.argument("selector", required=False, shell_complete=complete_selector)
@json_option
@debug_option
def capabilities(selector: str | None, as_json: bool) -> None:  # noqa: FBT001 - by click, by name
    """
    Show what a model claims it can do.

    SELECTOR is provider/model, or a provider for its default model; without it the default
    provider's. Each claim has its evidence: where it was read or measured. The table shortens long
    lists of values, --json does not.
    """
    from vivavoce import registry
    from vivavoce.model.capability import Capabilities

    known = registry.installed()
    wanted = selector_or_default(known, selector)
    info = known.get(wanted.provider or "")
    card = known.model(info, wanted.model)
    objects = [
        {
            "provider": info.name,
            "model": card.name,
            "capability": name,
            "meaning": Capabilities.meaning(name),
            **_as_object(claim),
        }
        for name, claim in card.capabilities
    ]
    if not as_json:
        click.echo(f"{info.name}/{card.name}")
    print_listing(objects, _COLUMNS, as_json=as_json, empty="")


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
