"""What cloning and designing share: the plan shown, the price, the question, the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vivavoce.cli.ends import Ending, printable, tell, warn
from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_json, print_table
from vivavoce.cli.voice.clients import asking_options, check_key, make_client, user_book
from vivavoce.cli.voice.confirm import can_ask, confirm, yes_option

if TYPE_CHECKING:
    from vivavoce.blocking import Client
    from vivavoce.model.customizing import Finding
    from vivavoce.pipeline.customize import NewVoice, VoicePlan

__all__ = ["finding_object", "in_cli_words", "make_voice", "making_options"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    asking_options,
    click.option("--name", metavar="NAME", help="What the provider is to name it."),
    click.option("--alias", metavar="ALIAS", help="Its name in the voice book; else the name."),
    click.option("--language", metavar="TAG", help="BCP-47 tag, such as en or pt-BR."),
    click.option(
        "--target-model",
        metavar="NAME",
        help="The one model it will speak with; else that of -p, or the usual one.",
    ),
    click.option("--dry-run", is_flag=True, help="Show the plan and the price; send nothing."),
    yes_option,
    json_option,
    debug_option,
)


def making_options(command: F) -> F:
    """Add what every new voice is asked for; :func:`make_voice` reads it."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def make_voice(values: Mapping[str, Any], explain: Callable[[Client], VoicePlan]) -> None:
    """
    Plan a voice, show the plan, ask, have it made, and tell what came of it.

    Args:
        values: Those of :func:`making_options`.
        explain: Returns the plan.

    Raises:
        VivavoceError: As planning and making.
        click.UsageError: If it must be confirmed and nobody can be asked.
        click.exceptions.Exit: If the plan is refused, or not confirmed.
    """
    with make_client(values) as client:
        plan = explain(client)
        state = "refused" if _is_refused(plan) else "planned"
        document: dict[str, Any] = {
            "state": state,
            "plan": _plan_object(plan),
            "voice": None,
            "candidates": [],
        }
        if values["dry_run"]:
            _print_plan(plan, document, values, is_error=False)
            raise click.exceptions.Exit(Ending.USAGE if _is_refused(plan) else Ending.OK)
        try:
            _print_plan(plan, document, values, is_error=True)
            _check(plan, values)
            made = _create(client, plan, document)
            document["voice"] = _voice_object(plan, made)
            if not values["as_json"]:
                _print_voice(plan, made)
                _tell_end(plan, made, values)
        finally:
            # One document, however it ends.
            if values["as_json"]:
                print_json(document)


def _check(plan: VoicePlan, values: Mapping[str, Any]) -> None:
    """Refuse what can be refused without sending anything, then ask."""
    if _is_refused(plan):
        from vivavoce.errors import InvalidValue

        msg = in_cli_words(" ".join(f.message for f in plan.findings if f.level.value == "refused"))
        raise InvalidValue(f"Nothing was sent. {msg}")
    check_key(plan.info, values)
    user_book().check(plan.alias, plan.info.name)
    confirm(
        f"Have the voice {plan.request.name!r} made?",
        why="To make a voice is billed.",
        is_agreed=values["is_agreed"],
    )


def _create(client: Client, plan: VoicePlan, document: dict[str, Any]) -> NewVoice:
    from vivavoce.cli.progress import waiting
    from vivavoce.errors import MaybeCreated

    document["state"] = "failed"
    try:
        with waiting(f"{plan.info.name} makes the voice {plan.request.name}"):
            made = client.voices.create(plan)
    except KeyboardInterrupt:
        document["state"] = "maybe_made"
        tell(
            f"{plan.info.name!r} had been asked for the voice {plan.request.name!r}: it may have "
            f"been made, and billed. Look with `vivavoce voice list {plan.info.name}` before you "
            "ask for it again."
        )
        raise
    except MaybeCreated as error:
        document["state"] = "maybe_made"
        document["candidates"] = list(error.candidates)
        for voice_id in error.candidates:
            tell(f"it may be {voice_id!r}")
        raise
    document["state"] = "made"
    return made


# The plan


def _is_refused(plan: VoicePlan) -> bool:
    return any(finding.level.value == "refused" for finding in plan.findings)


def in_cli_words(message: str) -> str:
    """Return *message* with the option in place of the argument it names."""
    return message.replace("fix=True", "--fix")


def finding_object(finding: Finding) -> dict[str, str]:
    """Return *finding* for JSON."""
    return {
        "about": finding.about,
        "level": finding.level.value,
        "message": in_cli_words(finding.message),
    }


def _plan_object(plan: VoicePlan) -> dict[str, Any]:
    from vivavoce.cli.models import price_object

    recording = getattr(plan.request, "recording", None)
    return {
        "provider": plan.info.name,
        "model": plan.model.name,
        "origin": plan.origin.value,
        "name": plan.request.name,
        "alias": plan.alias,
        "region": plan.region or None,
        "language": plan.request.language,
        "recording": None
        if recording is None
        else {
            "media_type": recording.media_type,
            "sample_rate_hz": recording.sample_rate_hz,
            "channels": recording.channels,
            "duration_s": recording.duration_s,
            "sha256": recording.sha256,
        },
        "is_refused": _is_refused(plan),
        "findings": [finding_object(finding) for finding in plan.findings],
        "cost": None if plan.cost is None else str(plan.cost),
        "currency": plan.currency,
        "prices": [price_object(price) for price in plan.prices],
        "note": plan.note,
    }


def _print_plan(
    plan: VoicePlan, document: dict[str, Any], values: Mapping[str, Any], *, is_error: bool
) -> None:
    if values["as_json"]:
        if not is_error:
            print_json(document)
        if not is_error or values["is_agreed"] or not can_ask():
            return
    click.echo(f"A {plan.origin.value} voice of {plan.info.name}:", err=is_error)
    rows = list(_facts(plan))
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        click.echo(f"  {label:<{width}}  {printable(text)}", err=is_error)


def _facts(plan: VoicePlan) -> Iterator[tuple[str, str]]:
    request, consent = plan.request, plan.consent
    yield "name", request.name
    yield "alias", f"{plan.alias}, in the voice book"
    yield "bound to", f"{plan.info.name}/{plan.model.name}, the only model it will speak with"
    yield "region", plan.region or "the provider's own choice"
    if request.language:
        yield "language", request.language
    recording = getattr(request, "recording", None)
    if recording is not None and recording.duration_s is not None:
        channels = "mono" if recording.channels == 1 else f"{recording.channels} channels"
        rate = f"{recording.sample_rate_hz} Hz"
        yield "recording", f"{recording.duration_s:.1f} s, {rate}, {channels}"
    if consent is not None:
        is_sent = getattr(request, "consent", None) is not None
        where = "sent, and kept in the voice book" if is_sent else "kept in the voice book only"
        yield "consent", f"by {consent.by}: {consent.how} ({where})"
    for finding in plan.findings:
        yield finding.level.value, in_cli_words(f"{finding.about}: {finding.message}")
    yield "cost", _cost(plan)
    if plan.note:
        yield "note", plan.note


def _cost(plan: VoicePlan) -> str:
    from vivavoce.advice import price_text

    if plan.cost is None:
        return "not known"
    if not plan.cost:
        return "nothing"
    return " or ".join(price_text([price]) for price in plan.prices)


# The result


def _voice_object(plan: VoicePlan, made: NewVoice) -> dict[str, Any]:
    return {
        "provider": plan.info.name,
        "id": made.voice.id,
        "alias": made.alias or None,
        "origin": plan.origin.value,
        "model": plan.model.name,
        "region": plan.region or None,
        "preview": None if made.preview_path is None else str(made.preview_path),
        "cost": None if made.cost is None else str(made.cost),
        "currency": made.currency,
        "request_id": made.request_id,
        "warnings": list(made.warnings),
    }


def _print_voice(plan: VoicePlan, made: NewVoice) -> None:
    rows = [
        ("alias", made.alias),
        ("id", made.voice.id),
        ("bound to", f"{plan.info.name}/{plan.model.name}"),
        ("region", plan.region),
        ("preview", str(made.preview_path or "")),
        ("cost", "not known" if made.cost is None else f"{made.cost} {made.currency}"),
    ]
    print_table(("fact", "is"), [(name, printable(text)) for name, text in rows if text])


def _tell_end(plan: VoicePlan, made: NewVoice, values: Mapping[str, Any]) -> None:
    shown = {str(finding) for finding in plan.findings}
    for warning in made.warnings:
        if warning not in shown:  # the plan has told it
            warn(warning)
    there = f" --base-url {values['base_url']}" if values["base_url"] else ""
    name = made.alias or made.voice.id
    tell(f"hear it: vivavoce voice try {name} -p {plan.info.name}{there} --play")
