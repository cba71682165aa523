"""What is known of a model before anything is sent to it."""

from __future__ import annotations

from decimal import Decimal

from attrs import field, frozen

from vivavoce.errors import InvalidValue
from vivavoce.model.capability import Capabilities, Evidence

__all__ = ["ModelCard", "Option", "Price"]


@frozen(kw_only=True)
class Price:
    """
    What a unit costs.

    A request is billed by all prices of one region and currency together: a model
    billed by tokens has one price for those it reads and one for those it makes.

    Attributes:
        amount: Money for *per* units.
        currency: ISO 4217 code.
        per: How many units the amount buys.
        unit: ``characters`` as the provider counts them, ``input_tokens``,
            ``output_tokens``, ``seconds`` or ``voices``.
        region: The provider's region id, or empty for all.
        evidence: Where this was read.
    """

    amount: Decimal = field(converter=Decimal)
    currency: str
    per: int
    unit: str
    region: str = ""
    evidence: Evidence | None = None

    def of(self, units: float) -> Decimal:
        """Return what *units* cost."""
        return self.amount * Decimal(str(units)) / self.per


@frozen(kw_only=True)
class Option:
    """
    A provider's own option: a wish no other provider knows.

    Attributes:
        name: Key in ``Utterance.options``.
        meaning: What it does, in a sentence.
        type: ``bool``, ``int``, ``float`` or ``str``.
        values: The allowed values, or empty for any of the type.
        minimum: Least number, or None.
        maximum: Greatest number, or None.
    """

    name: str
    meaning: str
    type: type[bool | int | float | str]
    values: tuple[object, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def check(self, value: object) -> None:
        """
        Accept *value* or refuse it.

        Raises:
            InvalidValue: If it is of another type, outside the range, or none of the values.
        """
        wanted: tuple[type, ...] = (int, float) if self.type is float else (self.type,)
        fits = isinstance(value, wanted) and isinstance(value, bool) == (self.type is bool)
        if fits and self.values:
            fits = value in self.values
        if fits and isinstance(value, int | float):
            low_ok = self.minimum is None or value >= self.minimum
            fits = low_ok and (self.maximum is None or value <= self.maximum)
        if not fits:
            msg = f"Option {self.name!r} cannot be {value!r}: it is {self.allowed()}."
            raise InvalidValue(msg)

    def allowed(self) -> str:
        """Return the allowed values in words."""
        if self.values:
            return "one of " + ", ".join(repr(value) for value in self.values)
        limits = ""
        if self.minimum is not None:
            limits += f" from {self.minimum:g}"
        if self.maximum is not None:
            limits += f" up to {self.maximum:g}"
        return f"a {self.type.__name__}{limits}"


@frozen(kw_only=True)
class ModelCard:
    """
    What is known of a model before anything is sent to it.

    Attributes:
        name: Name the provider is asked with.
        alias_of: The model this name stands for today, or empty.
        family: Name shared by the snapshots of one model, or empty.
        transports: ``local``, ``http``, ``http-sse`` or ``websocket``.
        regions: The provider's region ids, the default first; empty when there are none.
        capabilities: What it claims.
        options: The provider's own options it takes.
        prices: One a region, currency and unit, the currency a region is usually
            billed in first; empty when it costs nothing or is not known.
        is_free: Whether using it costs nothing.
        default_voice: Voice id used when none is asked for, or empty.
        segment_chars: Characters after which core closes a request at the next
            sentence end, though the model would take more; None for the model's
            own limit. Keeps memory and waiting small.
        unavailable: Why this release cannot speak with it, or empty. Such a card is
            there for its facts; asking it to speak is refused with this reason.
        note: What a user should know besides.
        evidence: Where the card as a whole was read.
    """

    name: str
    alias_of: str = ""
    family: str = ""
    transports: tuple[str, ...]
    regions: tuple[str, ...] = ()
    capabilities: Capabilities
    options: tuple[Option, ...] = ()
    prices: tuple[Price, ...] = ()
    is_free: bool = False
    default_voice: str = ""
    segment_chars: int | None = None
    unavailable: str = ""
    note: str = ""
    evidence: Evidence | None = None
