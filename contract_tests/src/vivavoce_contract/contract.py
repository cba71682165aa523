"""What a provider's author writes, and nothing more."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from attrs import field, frozen, validators

from vivavoce import ModelCard, Registry
from vivavoce.registry import installed
from vivavoce_contract.case import Library, Subject
from vivavoce_contract.clause import Clause
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.tapes import Match, Tape

__all__ = ["Deviation", "ProviderContract", "completed", "sample_of", "subject_of"]


def _as_date(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


@frozen(kw_only=True)
class Deviation:
    """
    A promise that a provider does not keep, said openly.

    Attributes:
        reason: Why, in a sentence.
        link: Where it is discussed.
        expires: ISO date of the last day on which it counts.
    """

    reason: str = field(validator=validators.min_len(1))
    link: str = field(validator=validators.min_len(1))
    expires: date = field(converter=_as_date)


class ProviderContract:
    """
    Holds a provider to what it claims.

    Subclass it in a test file, and name the provider::

        from vivavoce_contract import ProviderContract

        class TestAcme(ProviderContract):
            provider = "acme"

    Each clause is a test. They are neither overridden nor dropped: what is not kept is named in
    *deviations*, with a reason, a link and a date.

    What stands below may also stand in ``contract.toml`` beside the tapes, where
    ``vivavoce contract`` finds it too; an attribute goes before it.
    """

    provider: ClassVar[str | object] = ""
    """Name of an installed provider, or a plugin itself: a module or object with hooks."""

    models: ClassVar[Sequence[str]] = ()
    """The models examined; without any, one of each family that can be used."""

    cassettes: ClassVar[Path | str | None] = None
    """Folder of the tapes; without one, ``cassettes/PROVIDER`` is looked for upwards."""

    tapes: ClassVar[Mapping[str, Tape]] = {}
    """Tapes at hand, by name (``MODEL.SCENARIO``), for providers made on the spot."""

    own_voices: ClassVar[Mapping[str, str]] = {}
    """By model, the id of a voice of one's own that its tapes were recorded with."""

    ways: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """By name, options of the provider that lead another way to the same audio."""

    session_ways: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """By name, options by which a session is held in another way."""

    match: ClassVar[Match | None] = None
    """What of a request is compared when tapes are recorded; None for all of its JSON."""

    also: ClassVar[Sequence[str]] = ()
    """Patterns of other hosts that the service sends its clients to, for recording."""

    not_keys: ClassVar[Sequence[str]] = ()
    """JSON paths of what is sent that look like keys and are none, such as ids, for recording."""

    deviations: ClassVar[Mapping[str, Deviation]] = {}
    """By clause (``STR-02``), or by clause and model (``STR-02@small``), what is not kept."""


def _test_of(clause: Clause) -> Callable[..., None]:
    def test(self: ProviderContract, vivavoce_ask: Callable[..., None]) -> None:
        vivavoce_ask(clause, type(self))

    test.__name__ = clause.test_name
    test.__qualname__ = f"ProviderContract.{clause.test_name}"
    test.__doc__ = clause.sentence
    return test


for _clause in CLAUSES:
    setattr(ProviderContract, _clause.test_name, _test_of(_clause))


def completed(contract: type[ProviderContract], near: Path | None = None) -> type[ProviderContract]:
    """
    Return *contract* with what ``contract.toml`` beside its tapes says and it does not.

    Raises:
        ValueError: If that file says something that means nothing.
    """
    if not isinstance(contract.provider, str):
        return contract
    folder = _folder_of(contract, contract.provider, near)
    path = None if folder is None else folder / "contract.toml"
    if path is None or not path.is_file():
        return contract
    said = tomllib.loads(path.read_text("utf-8"))
    known = {"models", "own_voices", "ways", "session_ways", "match", "also", "not_keys"}
    known |= {"deviations"}
    if unknown := sorted(set(said) - known):
        msg = f"{path} says {unknown[0]!r}, which means nothing; known are {', '.join(known)}."
        raise ValueError(msg)
    if "match" in said:
        said["match"] = Match(**{key: tuple(value) for key, value in said["match"].items()})
    if "deviations" in said:
        said["deviations"] = {
            key: Deviation(**deviation) for key, deviation in said["deviations"].items()
        }
    fresh = {name: value for name, value in said.items() if not getattr(contract, name)}
    return type(contract.__name__, (contract,), {**fresh, "cassettes": folder})


def subject_of(contract: type[ProviderContract], near: Path | None = None) -> Subject:
    """
    Return who is examined.

    Args:
        contract: What its author wrote.
        near: Where to begin looking for tapes, upwards; None for the working folder.

    Raises:
        UnknownProvider: If nothing installed has the name.
        PluginError: If the plugin is broken.
    """
    if isinstance(contract.provider, str):
        registry = installed()
        info = registry.get(contract.provider)
    else:
        registry = Registry.of(contract.provider)
        (info,) = registry
    found = _folder_of(contract, info.name, near)
    return Subject(
        info=info,
        registry=registry,
        library=Library(found, contract.tapes),
        own_voices=contract.own_voices,
        ways=contract.ways,
        session_ways=contract.session_ways,
        match=contract.match,
        also=tuple(contract.also),
        not_keys=tuple(contract.not_keys),
    )


def _folder_of(contract: type[ProviderContract], provider: str, near: Path | None) -> Path | None:
    if contract.cassettes is not None:
        return Path(contract.cassettes)
    return _tapes_near(near or Path.cwd(), provider)


def _tapes_near(place: Path, provider: str) -> Path | None:
    for folder in (place, *place.resolve().parents):
        if (found := folder / "cassettes" / provider).is_dir():
            return found
    return None


def sample_of(contract: type[ProviderContract], subject: Subject) -> tuple[list[ModelCard], str]:
    """
    Return the cards that are examined, and what of the provider's models they are.

    Raises:
        UnknownModel: If the contract names a model that is none.
    """
    cards = subject.info.models
    if contract.models:
        chosen = [subject.registry.model(subject.info, name) for name in contract.models]
        return chosen, f"{len(chosen)} of {len(cards)} models, named by the contract"
    families: dict[str, ModelCard] = {}
    for card in cards:
        if not card.unavailable:
            families.setdefault(card.family or card.name, card)
    chosen = list(families.values())
    unavailable = sum(1 for card in cards if card.unavailable)
    if len(chosen) == len(cards):
        return chosen, ""
    said = f"one of each family: {len(chosen)} of {len(cards)} models"
    return chosen, f"{said}; {unavailable} cannot be used" if unavailable else said
