"""
What came of an examination, as values: a verdict for each clause and model, and its evidence.

A :class:`Run` goes to JSON and back (:meth:`Run.as_plain`, :meth:`Run.from_plain`);
:mod:`vivavoce_contract.report` shows it. ``schema`` is raised when a key comes, goes or
changes its meaning.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin

import attrs
from attrs import field, frozen, validators

from vivavoce.errors import InvalidValue

__all__ = [
    "LETTERS",
    "SCHEMA",
    "Cell",
    "ClauseRow",
    "Deviation",
    "Evidence",
    "ProviderColumn",
    "Run",
    "Verdict",
    "as_plain",
    "from_plain",
    "marks_of",
]

T = TypeVar("T")

SCHEMA = 1
"""The schema this module writes, and the one it reads."""

LETTERS: Mapping[str, str] = MappingProxyType(
    {"live": "V", "documentation": "D", "emulator": "E", "sdk": "C", "synthetic": "S"}
)
"""The letter of each kind of evidence, the strongest first."""


class Verdict(enum.StrEnum):
    """What is said of one clause and one model."""

    PASS = "pass"  # noqa: S105 - no password
    DECLINED = "declined"
    OVER_CLAIM = "OVER-CLAIM"
    UNDER_CLAIM = "UNDER-CLAIM"
    BAD_REFUSAL = "BAD REFUSAL"
    FAIL = "FAIL"
    DEVIATES = "deviates"
    STALE_DEVIATION = "STALE DEVIATION"
    NO_EVIDENCE = "NO EVIDENCE"
    NOT_RUN = "NOT RUN"
    OVERRIDDEN = "OVERRIDDEN"
    SELF_SKIP = "SELF-SKIP"
    MARKED = "MARKED"
    NOT_ASKED = "n/a"

    @property
    def is_good(self) -> bool:
        """Whether a run with this verdict in it may end well. The others shout, and fail it."""
        return self in _GOOD

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return _MEANINGS[self]


_GOOD = frozenset({Verdict.PASS, Verdict.DECLINED, Verdict.DEVIATES, Verdict.NOT_ASKED})
_MEANINGS = {
    Verdict.PASS: "The promise is kept.",
    Verdict.DECLINED: "Claimed as no, and refused by type with nothing sent.",
    Verdict.OVER_CLAIM: "Claimed as yes, and not kept.",
    Verdict.UNDER_CLAIM: "Claimed as no, and done all the same.",
    Verdict.BAD_REFUSAL: "Claimed as no, but not refused by type before anything was sent.",
    Verdict.FAIL: "Every provider is held to it, and it is broken.",
    Verdict.DEVIATES: "Broken, as the provider says itself, with a reason and until a date.",
    Verdict.STALE_DEVIATION: "Said to deviate, but it is kept, or the date has passed.",
    Verdict.NO_EVIDENCE: "There is no tape to examine it with.",
    Verdict.NOT_RUN: "Nothing came of it: it was not collected, or not reached.",
    Verdict.OVERRIDDEN: "The provider's tests put a body of their own in the clause's place.",
    Verdict.SELF_SKIP: "It skipped itself while it ran.",
    Verdict.MARKED: "Its test was marked to be skipped or to fail.",
    Verdict.NOT_ASKED: "It cannot be asked of such a model.",
}

# Converters and validators


def _as_tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    # Not the bare class: mypy reads its own type variable into every call.
    return tuple(values)


_TEXT = validators.instance_of(str)
_COUNTS = validators.deep_mapping(_TEXT, validators.instance_of(int))
_SECONDS = [validators.ge(0.0), validators.lt(math.inf)]


def _is_told(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value:
        msg = f"{attribute.name} is {value!r}. It must be a text, and not empty."
        raise ValueError(msg)


def _is_date_or_empty(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        try:
            date.fromisoformat(value)
        except ValueError:
            msg = f"{attribute.name} is {value!r}. It must be a date (YYYY-MM-DD) or empty."
            raise ValueError(msg) from None


def _has_zone(_instance: object, attribute: attrs.Attribute[datetime], value: datetime) -> None:
    if value.tzinfo is None:
        msg = f"{attribute.name} is {value.isoformat()}. It must have a time zone."
        raise ValueError(msg)


# Values


@frozen(kw_only=True)
class ClauseRow:
    """
    One promise, as it is listed.

    Attributes:
        id: Short name, such as ``STR-02``.
        sentence: The promise, in the present tense.
        level: ``must`` or ``should``.
        area: The heading it stands under.
        capability: What it is about, or empty where every provider is held to it.
        where: Where to look when it is broken.
        each_model: Whether it is asked of every model, or once of the provider; then the
            model of its cells is empty.
    """

    id: str = field(validator=_is_told)
    sentence: str = field(validator=_TEXT)
    level: str = field(default="must", validator=validators.in_(("must", "should")))
    area: str = field(validator=_is_told)
    capability: str = field(default="", validator=_TEXT)
    where: str = field(default="", validator=_TEXT)
    each_model: bool = field(default=True, validator=validators.instance_of(bool))


@frozen(kw_only=True)
class Evidence:
    """
    A tape that a verdict rests on.

    Attributes:
        tape: Its name.
        kind: What it was made from: a key of :data:`LETTERS`.
        name: Who made it, such as the service, the emulator or the page.
        recorded_at: Date (YYYY-MM-DD), or empty.
        url: Where it can be seen, or empty.
    """

    tape: str = field(validator=_is_told)
    kind: str = field(validator=_is_told)
    name: str = field(default="", validator=_TEXT)
    recorded_at: str = field(default="", validator=_is_date_or_empty)
    url: str = field(default="", validator=_TEXT)


@frozen(kw_only=True)
class Cell:
    """
    What came of one clause and one model.

    Attributes:
        clause: Id of the clause.
        provider: Name of the provider.
        model: Name of the model; empty for a clause that is asked once of the provider.
        verdict: The verdict.
        marks: Letters of the kinds of evidence, as of :func:`marks_of`.
        message: What was found, or empty.
        evidence: The tapes that were played.
        claim: What the model claims of the capability, or empty.
        seconds: How long it took.
    """

    clause: str = field(validator=_is_told)
    provider: str = field(validator=_is_told)
    model: str = field(default="", validator=_TEXT)
    verdict: Verdict = field(converter=Verdict)
    marks: str = field(default="", validator=validators.matches_re(r"[A-Z]*\??!?"))
    message: str = field(default="", validator=_TEXT)
    evidence: tuple[Evidence, ...] = field(default=(), converter=_as_tuple)
    claim: str = field(default="", validator=_TEXT)
    seconds: float = field(default=0.0, converter=float, validator=_SECONDS)

    @property
    def is_good(self) -> bool:
        """Whether a run with this cell in it may end well."""
        return self.verdict.is_good


@frozen(kw_only=True)
class Deviation:
    """
    A promise that a provider says it does not keep.

    Attributes:
        clause: Id of the clause.
        provider: Who says so.
        model: Of which model; empty for all.
        reason: Why, in a sentence.
        link: Where it is discussed.
        expires: The last day it holds.
    """

    clause: str = field(validator=_is_told)
    provider: str = field(default="", validator=_TEXT)
    model: str = field(default="", validator=_TEXT)
    reason: str = field(validator=_is_told)
    link: str = field(default="", validator=_TEXT)
    expires: date = field(validator=validators.instance_of(date))


@frozen(kw_only=True)
class ProviderColumn:
    """
    A provider, as a group of columns.

    Attributes:
        provider: Its name.
        models: The models that were examined, in order.
        sample: Which these are of those it has, and why; empty where they are all.
        provenance: Tapes it was examined with, by what they count as, such as
            ``{"verified": 0, "documented": 14}``.
        distribution: What it was installed from, with its version.
    """

    provider: str = field(validator=_is_told)
    models: tuple[str, ...] = field(converter=_as_tuple)
    sample: str = field(default="", validator=_TEXT)
    provenance: Mapping[str, int] = field(factory=dict, validator=_COUNTS)
    distribution: str = field(default="", validator=_TEXT)


Key = tuple[str, str, str]
"""Clause, provider, model."""


def _index(run: Run) -> dict[Key, Cell]:
    return {(cell.clause, cell.provider, cell.model): cell for cell in run.cells}


@frozen(kw_only=True)
class Run:
    """
    An examination: what was asked of whom, and what came of it.

    Attributes:
        schema: Always :data:`SCHEMA`.
        made_at: When, with a time zone.
        versions: Of the kit, of Python and of whatever else may matter, by name.
        clauses: Every clause there is, in order.
        providers: Who was examined.
        cells: What came of it; one that is absent did not run.
        deviations: What the providers say of themselves.
        selection: What was selected, such as ``-k stream``, or empty for the whole. In a
            part, what did not run is shown as such but is no failure.
    """

    schema: int = field(default=SCHEMA, validator=validators.in_((SCHEMA,)))
    made_at: datetime = field(validator=_has_zone)
    versions: Mapping[str, str] = field(
        factory=dict, validator=validators.deep_mapping(_TEXT, _TEXT)
    )
    clauses: tuple[ClauseRow, ...] = field(converter=_as_tuple)
    providers: tuple[ProviderColumn, ...] = field(converter=_as_tuple)
    cells: tuple[Cell, ...] = field(converter=_as_tuple)
    deviations: tuple[Deviation, ...] = field(default=(), converter=_as_tuple)
    selection: str = field(default="", validator=_TEXT)
    _cells: dict[Key, Cell] = field(
        init=False, eq=False, repr=False, default=attrs.Factory(_index, takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        _refuse_twice("clauses", (row.id for row in self.clauses))
        _refuse_twice("providers", (column.provider for column in self.providers))
        keys = [(cell.clause, cell.provider, cell.model) for cell in self.cells]
        _refuse_twice("cells", keys)
        # A cell without a place would be seen in no matrix, and a failure in it by nobody.
        for stray in sorted(set(keys) - set(self._places())):
            msg = f"cells has {stray!r}. There is no such clause and model in this run."
            raise ValueError(msg)

    def _places(self) -> Iterator[Key]:
        for column in self.providers:
            for row in self.clauses:
                for model in column.models if row.each_model else ("",):
                    yield row.id, column.provider, model

    def cell(self, clause: str, provider: str, model: str = "") -> Cell:
        """
        Return what came of a clause; where nothing did, a cell that says NOT RUN.

        For a clause that is asked once of a provider, that is the answer for each model.
        """
        found = self._cells.get((clause, provider, model)) or self._cells.get(
            (clause, provider, "")
        )
        if found is not None:
            return found
        return Cell(clause=clause, provider=provider, model=model, verdict=Verdict.NOT_RUN)

    def every_cell(self, provider: str | None = None) -> list[Cell]:
        """Return the cells of the whole matrix, or of one provider, those that did not run too."""
        return [
            self.cell(*place)
            for place in self._places()
            if provider is None or place[1] == provider
        ]

    def failures(self) -> list[Cell]:
        """Return the cells that fail the run, provider by provider, in the order of the clauses."""
        return [cell for cell in self.every_cell() if not self._is_passed_over(cell)]

    def _is_passed_over(self, cell: Cell) -> bool:
        key = (cell.clause, cell.provider, cell.model)
        return cell.is_good or (bool(self.selection) and key not in self._cells)

    @property
    def is_good(self) -> bool:
        """Whether nothing failed, and something was examined."""
        return bool(self.cells) and not self.failures()

    def counts(self, provider: str) -> dict[Verdict, int]:
        """Return how often each verdict was given to a provider, in the order of the verdicts."""
        given = [cell.verdict for cell in self.every_cell(provider)]
        return {verdict: given.count(verdict) for verdict in Verdict if verdict in given}

    def as_plain(self) -> dict[str, Any]:
        """Return the run as JSON knows it: mappings, lists, strings and numbers."""
        plain: dict[str, Any] = _as_plain(self)
        return plain

    @classmethod
    def from_plain(cls, plain: object) -> Run:
        """
        Return the run that :meth:`as_plain` gave.

        Raises:
            InvalidValue: If it is none, or is of another schema; the message says where.
        """
        if isinstance(plain, Mapping) and plain.get("schema") != SCHEMA:
            msg = (
                f"The report is of schema {plain.get('schema')!r}. This release reads schema "
                f"{SCHEMA}. Make the report again, or read it with the release that made it."
            )
            raise InvalidValue(msg)
        run: Run = _read(cls, plain, "")
        return run


def marks_of(kinds: Iterable[str], *, is_stale: bool = False) -> str:
    """
    Return the marks of some kinds of evidence: letters, the strongest first, ``!`` when stale.

    A kind without a letter of its own, and having none at all, is ``?``.
    """
    given = set(kinds)
    letters = "".join(letter for kind, letter in LETTERS.items() if kind in given)
    unknown = "?" if not given or given - set(LETTERS) else ""
    return letters + unknown + ("!" if is_stale else "")


def _refuse_twice(what: str, keys: Iterable[object]) -> None:
    seen: set[object] = set()
    for key in keys:
        if key in seen:
            msg = f"{what} has {key!r} twice."
            raise ValueError(msg)
        seen.add(key)


# To and from JSON: the classes above are the schema, read off their fields


def as_plain(value: object) -> dict[str, Any]:
    """Return one of the values above as JSON knows it."""
    plain: dict[str, Any] = _as_plain(value)
    return plain


def from_plain(kind: type[T], plain: object) -> T:
    """
    Return the value of *kind* that :func:`as_plain` gave.

    Raises:
        InvalidValue: If it is none; the message says where.
    """
    value: T = _read(kind, plain, "")
    return value


def _as_plain(value: Any) -> Any:
    if attrs.has(type(value)):
        fields = (each for each in attrs.fields(type(value)) if each.init)
        return {each.name: _as_plain(getattr(value, each.name)) for each in fields}
    if isinstance(value, Mapping):
        return {str(key): _as_plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_as_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    return value


def _read(kind: Any, plain: Any, where: str) -> Any:
    if attrs.has(kind):
        return _read_value(kind, plain, where)
    origin = get_origin(kind)
    if origin is tuple:
        _need(plain, list, "a list", where)
        (item_kind, _) = get_args(kind)
        return tuple(_read(item_kind, item, f"{where}[{n}]") for n, item in enumerate(plain))
    if origin is not None:
        _need(plain, dict, "an object", where)
        (_, item_kind) = get_args(kind)
        return {key: _read(item_kind, item, f"{where}.{key}") for key, item in plain.items()}
    return _read_scalar(kind, plain, where)


def _read_value(cls: type[Any], plain: Any, where: str) -> Any:
    _need(plain, dict, "an object", where)
    fields = attrs.fields_dict(attrs.resolve_types(cls))
    kinds = {name: each.type for name, each in fields.items() if each.init}
    for name in kinds:
        if name not in plain:
            raise _fault(where, f"lacks the key {name!r}")
    for key in plain:
        if key not in kinds:
            raise _fault(where, f"has the key {key!r}, which schema {SCHEMA} does not know")
    given = {name: _read(kind, plain[name], f"{where}.{name}") for name, kind in kinds.items()}
    try:
        return cls(**given)
    except (TypeError, ValueError) as error:
        # attrs puts the attribute and the value after the message.
        raise _fault(where, f"is not valid: {str(error.args[0]).rstrip('.')}") from error


def _read_scalar(kind: type[Any], plain: Any, where: str) -> Any:
    if kind in (date, datetime):
        _need(plain, str, "a date", where)
        try:
            return kind.fromisoformat(plain)
        except ValueError:
            raise _fault(where, f"is {plain!r}. It must be a {kind.__name__}") from None
    if kind is Verdict:
        if plain not in list(Verdict):
            raise _fault(where, f"is {plain!r}. It must be one of: {', '.join(Verdict)}")
        return Verdict(plain)
    if kind is float and type(plain) is int:
        return float(plain)
    _need(plain, kind, {str: "a text", bool: "true or false"}.get(kind, "a number"), where)
    return plain


def _need(plain: Any, kind: type[Any], words: str, where: str) -> None:
    # Not isinstance: a bool is no number here.
    if type(plain) is not kind:
        raise _fault(where, f"is {plain!r:.60}. It must be {words}")


def _fault(where: str, what: str) -> InvalidValue:
    return InvalidValue(f"In the report, {where.lstrip('.') or 'the whole'} {what}.")
