"""``vivavoce explain``: the plan, without speaking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import Ending
from vivavoce.cli.models import price_object
from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_json, print_table
from vivavoce.cli.wishes import Asked, wish_options

if TYPE_CHECKING:
    from vivavoce.pipeline.plan import Estimate, Plan

__all__ = ["explain"]

_HELP = """\
Show how a text would be spoken, and its price.

Takes what `say` takes, so that one word changes one into the other; nothing is sent, no key is
needed and nothing is written. Each wish is native (the model does it), emulated (vivavoce does it)
or refused. Exits with 2 if anything is refused.
"""


@click.command("explain", help=_HELP, short_help="Show how a text would be spoken, and its price.")
@wish_options
@json_option
@debug_option
def explain(as_json: bool, **values: Any) -> None:  # noqa: FBT001 - by click, by name
    """Explain; see the help above."""
    asked = Asked(values)
    with asked.client() as client:
        wishes = asked.file_wishes(asked.wishes(client.model))
        plan = client.explain(asked.text, **wishes)
    if as_json:
        print_json(_as_object(plan))
    else:
        _print_plan(plan)
    if plan.errors:
        raise click.exceptions.Exit(Ending.USAGE)


def _as_object(plan: Plan) -> dict[str, Any]:
    return {
        "selector": str(plan.selector),
        "provider": plan.info.name,
        "model": plan.model.name,
        "voice": plan.voice.id if plan.voice else None,
        "language": plan.language,
        "region": plan.region or None,
        "source_format": str(plan.source),
        "target_format": str(plan.target),
        "is_refused": bool(plan.errors),
        "decisions": [
            {"wish": decision.wish, "how": decision.how.value, "detail": decision.detail}
            for decision in plan.decisions
        ],
        "estimate": _estimate_object(plan.estimate),
        "estimates": [_estimate_object(estimate) for estimate in plan.estimates],
    }


def _estimate_object(estimate: Estimate) -> dict[str, Any]:
    return {
        "units": dict(estimate.units),
        # A string: money is no floating-point number.
        "cost": None if estimate.cost is None else str(estimate.cost),
        "currency": estimate.currency,
        "region": estimate.region,
        "prices": [price_object(price) for price in estimate.prices],
    }


def _print_plan(plan: Plan) -> None:
    click.echo(f"{plan.selector} speaks it as {plan.target}.")
    print_table(
        ("wish", "how", "detail"),
        [(decision.wish, decision.how.value, decision.detail) for decision in plan.decisions],
    )
    units = ", ".join(f"{amount:g} {unit}" for unit, amount in plan.estimate.units.items())
    click.echo(f"Units: {units}." if units else "Units: not known before.")
    for estimate in plan.estimates:
        where = f" in {estimate.region}" if estimate.region else ""
        click.echo(f"Cost{where}: {_cost(estimate)}.")


def _cost(estimate: Estimate) -> str:
    from attrs import evolve

    from vivavoce.advice import price_text

    # Their region stands at the beginning of the line.
    prices = price_text(evolve(price, region="") for price in estimate.prices)
    if estimate.cost is None:
        open_ = [price.unit for price in estimate.prices if price.unit not in estimate.units]
        return f"by {' and '.join(open_)}, not known before: {prices}" if prices else "not known"
    if not estimate.cost:
        return "nothing"
    return f"{estimate.cost.normalize():f} {estimate.currency} ({prices})"
