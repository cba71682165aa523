"""``vivavoce contract --record``: the tapes that the clauses need, recorded anew."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from vivavoce import Client, Retry, Secret, Settings, SetupError, UsageError
from vivavoce.settings import load_settings
from vivavoce_contract.case import KEY, Case, Scenario, Subject, is_networked, tape_name
from vivavoce_contract.contract import ProviderContract, completed, sample_of, subject_of
from vivavoce_contract.tapes import Match, Recorder, Tape
from vivavoce_contract.tapes.scrub import Policy
from vivavoce_contract.tapes.shape import difference

__all__ = ["record", "record_case"]


def record(
    provider: str,
    *,
    kind: str,
    upstream: str | None,
    models: Sequence[str] = (),
    cassettes: str | None = None,
    only_missing: bool = False,
    confirm: Callable[[str], bool] | None = None,
) -> list[Path]:
    """
    Record the tapes of a provider into a temporary folder, show what changed, and replace.

    Args:
        provider: Name of an installed provider.
        kind: ``live`` or ``emulator``.
        upstream: The address that is recorded; None for the provider's own.
        models: Only these.
        cassettes: Where the tapes are; None for ``cassettes/PROVIDER`` here.
        only_missing: Whether to leave alone what is there.
        confirm: Asked before tapes are replaced whose shape changed; None replaces.

    Returns:
        The tapes that were written.

    Raises:
        UsageError: If the provider is not reached over a network, or nothing says where.
        CredentialError: If a live recording has no key.
    """
    folder = Path(cassettes or Path("cassettes") / provider)
    contract = completed(
        type(
            "Asked",
            (ProviderContract,),
            {
                "provider": provider,
                "models": tuple(models),
                "cassettes": folder if folder.is_dir() else None,
            },
        )
    )
    subject = subject_of(contract)
    cards, _ = sample_of(contract, subject)
    if not any(is_networked(card) for card in cards):
        msg = f"{provider!r} is no provider behind a network: it needs no tapes."
        raise UsageError(msg)
    if upstream is None:
        msg = "Give --upstream, the address below which the service's paths lie."
        raise UsageError(msg)
    key = _key(subject, kind)
    written: list[Path] = []
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        for card in cards:
            case = Case(subject=subject, card=card)
            for scenario in case.scenarios():
                name = tape_name(card.name, scenario.name)
                if only_missing and subject.library.get(name) is not None:
                    continue
                click.echo(f"Recording {name} ...", err=True)
                tape = record_case(case, scenario, kind=kind, upstream=upstream, key=key)
                tape.write(fresh / f"{name}.tape")
        changes = _changes(subject, fresh)
        for line in changes:
            click.echo(line)
        if changes and confirm is not None and not confirm("Replace these tapes?"):
            click.echo("Nothing was replaced.", err=True)
            return []
        for path in sorted(fresh.glob("*.tape")):
            Tape.read(path).write(folder / path.name)
            written.append(folder / path.name)
    click.echo(f"{len(written)} tapes are in {folder}.", err=True)
    return written


def _key(subject: Subject, kind: str) -> Secret:
    if kind == "emulator":
        return Secret(KEY)
    config = load_settings().config_for(subject.info)
    if config.credential is None:
        msg = f"{subject.info.name!r} was given no key, and a live recording needs one."
        raise SetupError(msg)
    return config.credential


def record_case(case: Case, scenario: Scenario, *, kind: str, upstream: str, key: Secret) -> Tape:
    """
    Record one scenario, said by the plugin.

    Raises:
        VivavoceError: Whatever the utterance ends with: a tape of it would be of no use.
    """
    info = case.info
    recorder = Recorder(
        upstream,
        provider=info.name,
        scenario=scenario.name,
        model=case.card.name,
        kind=kind,
        source={
            "name": info.title if kind == "live" else f"emulator of {info.name}",
            "driver": case.subject.registry.origin(info.name),
        },
        match=case.subject.match or Match(),
        secrets=(key.reveal(),),
        also=case.subject.also,
        policy=Policy(texts=case.subject.not_keys),
    )
    with recorder:
        given: dict[str, Any] = {
            "api_key": key,
            "base_url": recorder.base_url,
            "settings": Settings(),
            "retry": Retry(attempts=1),
            "registry": case.subject.registry,
        }
        with Client(case.selector, **given) as client:
            if scenario.is_session:
                with client.session(**scenario.wishes) as session:
                    for piece in scenario.pieces:
                        session.send(piece)
                    session.finish()
                    deque(session, maxlen=0)
            else:
                with client.stream(scenario.text, **scenario.wishes) as stream:
                    deque(stream, maxlen=0)
    return recorder.tape()


def _changes(subject: Subject, fresh: Path) -> list[str]:
    """Return how the shape of the tapes differs from those that are there."""
    lines = []
    for path in sorted(fresh.glob("*.tape")):
        name = path.name.removesuffix(".tape")
        old = subject.library.get(name)
        if old is not None:
            lines += [f"{name}: {line}" for line in difference(old, Tape.read(path))]
    return lines
