"""``vivavoce contract --record``: the tapes that the clauses need, recorded anew."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from vivavoce import Client, Retry, Secret, Settings, SetupError, UsageError
from vivavoce.settings import load_settings
from vivavoce_contract.case import KEY, Case, Scenario, Subject, is_networked, tape_name
from vivavoce_contract.contract import ProviderContract, completed, sample_of, subject_of
from vivavoce_contract.making import KINDS, Making, asked_of, live, making_of
from vivavoce_contract.tapes import Match, Recorder, Tape
from vivavoce_contract.tapes.scrub import Policy
from vivavoce_contract.tapes.shape import difference

__all__ = ["makings", "record", "record_case", "record_making"]


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
            for scenario, recorded in (
                *(
                    (scenario.name, partial(record_case, case, scenario))
                    for scenario in case.scenarios()
                ),
                *((making.kind, partial(record_making, case, making)) for making in makings(case)),
            ):
                name = tape_name(card.name, scenario)
                if only_missing and name in subject.library:
                    continue
                click.echo(f"Recording {name} ...", err=True)
                tape = recorded(kind=kind, upstream=upstream, key=key)
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
    recorder = _recorder(case, scenario.name, kind=kind, upstream=upstream, key=key)
    with recorder, _client(case, recorder, key) as client:
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


def makings(case: Case) -> list[Making]:
    """Return what voices a tape is needed of: one of each kind that is offered for the model."""
    offers = {kind: case.offer(kind) for kind in KINDS}
    return [
        making_of(case, kind)
        for kind, offer in offers.items()
        if offer is not None and case.card.name in offer.models
    ]


def record_making(case: Case, making: Making, *, kind: str, upstream: str, key: Secret) -> Tape:
    """
    Record the life of a voice: made, listed, found and deleted. The service bills its making.

    Raises:
        VivavoceError: Whatever went wrong: a tape of it would be of no use.
    """
    recorder = _recorder(case, making.kind, kind=kind, upstream=upstream, key=key)
    with recorder, tempfile.TemporaryDirectory() as folder:
        book = Settings(voice_book=Path(folder) / "voices.toml")
        with _client(case, recorder, key, settings=book) as client:
            life = live(partial(asked_of, client), making)
    for outcome in (life.made, life.listed, life.got, life.deleted, life.again, life.left):
        outcome.value()
    return recorder.tape()


def _recorder(case: Case, scenario: str, *, kind: str, upstream: str, key: Secret) -> Recorder:
    info = case.info
    return Recorder(
        upstream,
        provider=info.name,
        scenario=scenario,
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


def _client(case: Case, recorder: Recorder, key: Secret, **changes: Any) -> Client:
    given: dict[str, Any] = {
        "api_key": key,
        "base_url": recorder.base_url,
        "settings": Settings(),
        "retry": Retry(attempts=1),
        "registry": case.subject.registry,
        **changes,
    }
    return Client(case.selector, **given)


def _changes(subject: Subject, fresh: Path) -> list[str]:
    """Return how the shape of the tapes differs from those that are there."""
    lines = []
    for path in sorted(fresh.glob("*.tape")):
        name = path.name.removesuffix(".tape")
        old = subject.library.get(name)
        if old is not None:
            lines += [f"{name}: {line}" for line in difference(old, Tape.read(path))]
    return lines
