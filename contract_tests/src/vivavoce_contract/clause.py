"""A clause: one promise that a provider is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from attrs import field, frozen, validators

from vivavoce import CapabilityError

if TYPE_CHECKING:
    from vivavoce_contract.case import Case

__all__ = ["AREAS", "Clause", "Clauses", "Unmet", "need"]

AREAS = (
    "declaration",
    "synthesis",
    "streaming",
    "text",
    "languages and voices",
    "instructions",
    "prosody",
    "ssml",
    "marks",
    "formats",
    "errors",
    "lifecycle",
    "timeouts",
    "secrets",
    "report",
    "parity",
    "sessions",
    "own voices",
    "making voices",
)
"""The order in which clauses are listed."""


class Unmet(AssertionError):
    """A promise that is not kept; the message says what was found."""


def need(condition: object, found: str) -> None:
    """
    Go on if *condition* holds.

    Raises:
        Unmet: If it does not. Not a bare ``assert``, which Python may be told to leave out.
    """
    if not condition:
        raise Unmet(found)


@frozen(kw_only=True)
class Clause:
    """
    One promise.

    Attributes:
        id: Short name in reports, such as ``STR-02``.
        sentence: The promise, in the present tense.
        level: ``must``, or ``should`` where a good provider may have its reasons.
        area: One of :data:`AREAS`.
        capability: The capability it is about, or empty where every provider is held to it.
            Where that is claimed with a plain yes the body must pass, else it must be refused
            by type with nothing sent.
        refusal: The errors that count as a refusal where the capability is not claimed.
        where: Where to look when it is broken.
        each_model: Whether it is asked of every model, or once of the provider.
        by_offer: Whether the capability (``clone``, ``design``, or both) is claimed by what the
            provider's customizer offers to make, for the model or for any, and not by its card.
        applies: Whether it can be asked of a case at all: one about the network cannot be
            asked of an engine in this process.
        body: Does it; returns when the promise is kept, raises :class:`Unmet` when not.
    """

    id: str = field(validator=validators.matches_re(r"[A-Z]{3}-\d{2}"))
    sentence: str
    level: str = field(default="must", validator=validators.in_(("must", "should")))
    area: str = field(validator=validators.in_(AREAS))
    capability: str = ""
    refusal: tuple[type[Exception], ...] = (CapabilityError,)
    where: str
    each_model: bool = True
    by_offer: bool = False
    applies: Callable[[Case], bool] = field(eq=False, repr=False, default=lambda _case: True)
    body: Callable[[Case], None] = field(eq=False, repr=False)

    @property
    def test_name(self) -> str:
        """The name of its test."""
        return "test_" + self.id.lower().replace("-", "_")


class Clauses:
    """
    The clauses of one area, entered by a decorator.

    Args:
        area: One of :data:`AREAS`.
        prefix: Of their ids.
    """

    def __init__(self, area: str, prefix: str) -> None:
        self._area = area
        self._prefix = prefix
        self._clauses: list[Clause] = []

    def __iter__(self) -> Iterator[Clause]:
        return iter(self._clauses)

    def __call__(
        self,
        *,
        where: str,
        level: str = "must",
        capability: str = "",
        refusal: tuple[type[Exception], ...] = (CapabilityError,),
        each_model: bool = True,
        by_offer: bool = False,
        applies: Callable[[Case], bool] = lambda _case: True,
    ) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
        """Enter the function below as a clause; its docstring's first line is the promise."""

        def enter(body: Callable[[Case], None]) -> Callable[[Case], None]:
            sentence = (body.__doc__ or "").strip().partition("\n")[0]
            self._clauses.append(
                Clause(
                    id=f"{self._prefix}-{len(self._clauses) + 1:02d}",
                    sentence=sentence,
                    level=level,
                    area=self._area,
                    capability=capability,
                    refusal=refusal,
                    where=where,
                    each_model=each_model,
                    by_offer=by_offer,
                    applies=applies,
                    body=body,
                )
            )
            return body

        return enter
