"""
Which model for which use: answered from claims and prices, with the reasons.

Each use says what a model must claim, and then what counts, the most important
first. Rules know no provider: a model comes first because of what its card says.

- A name that stands for a snapshot stands in for it; a model that this release
  cannot speak with, or that speaks no language at all (``zxx``), is left out.
- Prices are compared only within one currency and unit: there are no exchange
  rates here. What costs nothing comes first and an unknown price last; between
  them models of different currencies or units stand in groups, by the name of the
  currency, which does not say that the first group is cheaper.
- A model's price is that of the region asked for, else of its default region, in
  the currency that region is usually billed in.
- Where all that is equal, more voices, then more languages come first, then the
  order of the providers' own lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from attrs import frozen

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.catalogue import FoundModel, find_models, find_voices
from vivavoce.errors import InvalidValue
from vivavoce.model.capability import Capabilities, Claim, Support
from vivavoce.model.card import ModelCard, Price
from vivavoce.registry import Registry, installed

__all__ = ["USES", "Advice", "Use", "advise", "billed_by", "price_text"]

ENOUGH_VOICES = 10
"""A narrator and the figures of a story."""

ENOUGH_RPM = 60
"""One request a second."""


@frozen(kw_only=True)
class Advice:
    """
    A model that fits a use, and why.

    Attributes:
        model: The model.
        reasons: Why, with the figures it claims; what counts most for the use first.
        prices: What a request is billed by, together, in the region and currency it was
            ranked by; empty when it costs nothing or the price is not known.
    """

    model: FoundModel
    reasons: tuple[str, ...]
    prices: tuple[Price, ...] = ()

    @property
    def selector(self) -> str:
        """What to write to use it."""
        return self.model.selector


def advise(
    use: str,
    *,
    provider: str | None = None,
    language: str | None = None,
    region: str | None = None,
    registry: Registry | None = None,
) -> list[Advice]:
    """
    Return the models that fit a use, the best first; no key and no network is used.

    Args:
        use: One of :data:`USES`, such as ``audiobook``.
        provider: Only this provider's models.
        language: BCP-47 tag that must be spoken, itself or a near one; only voices that
            speak it count.
        region: Provider's region id; decides the price too.
        registry: None for all installed plugins.

    Returns:
        Advice with reasons; empty when no model fits. The module tells the rules.

    Raises:
        InvalidValue: If there is no such use or region.
        UnknownProvider: If no plugin offers the provider.
    """
    asked = _use(use)
    known = registry or installed()
    found = find_models(
        needs=asked.needs, language=language, provider=provider, region=region, registry=known
    )
    candidates = [
        _Candidate(
            model=model,
            language=language,
            voices=_count_voices(known, model, language),
            prices=billed_by(model.card, region),
        )
        for model in _folded(found)
        if model.card.capabilities.languages.values != ("zxx",)
    ]
    criteria = (*asked.criteria, _VOICES, _LANGUAGES)
    candidates.sort(key=lambda candidate: [criterion.order(candidate) for criterion in criteria])
    return [
        Advice(model=each.model, reasons=_reasons(asked, each), prices=each.prices)
        for each in candidates
    ]


def _use(name: str) -> Use:
    if name not in USES:
        near = did_you_mean(nearest(name, USES))
        msg = f"{name!r} is no use there is advice for. {near}Choose one of {', '.join(USES)}."
        raise InvalidValue(msg)
    return USES[name]


def _folded(found: Iterable[FoundModel]) -> list[FoundModel]:
    """Leave out each model that another one's name stands for."""
    models = list(found)
    stood_for = {(model.provider.name, model.card.alias_of) for model in models}
    return [model for model in models if (model.provider.name, model.card.name) not in stood_for]


def _count_voices(known: Registry, model: FoundModel, language: str | None) -> int:
    if not model.card.capabilities.stock_voices:
        return 0
    voices = find_voices(
        known, model.provider, language=language, origin="stock", model=model.card.name
    )
    return sum(1 for _ in voices)


def billed_by(card: ModelCard, region: str | None = None) -> tuple[Price, ...]:
    """
    Return the prices that a request is billed by, together: those of one region and currency.

    Args:
        card: The model.
        region: None for its default region.

    Returns:
        In the currency that the region is usually billed in; what making a voice costs
        is not among them. Empty where no price is known.
    """
    spoken = [price for price in card.prices if price.unit != "voices"]
    default = next(iter(card.regions), spoken[0].region if spoken else "")
    here = [price for price in spoken if price.region in {region or default, ""}]
    return tuple(price for price in here if price.currency == here[0].currency)


def price_text(prices: Iterable[Price]) -> str:
    """
    Return prices that are billed together in words, or an empty text where there is none.

    Example: ``0.5 EUR per 1000 characters in eu-west``.
    """
    parts, where = [], ""
    for price in prices:
        units = f"{price.per} {price.unit}" if price.per != 1 else price.unit.removesuffix("s")
        parts.append(f"{price.amount:f} {price.currency} per {units}")
        where = f" in {price.region}" if price.region else where
    return " and ".join(parts) + where


# What counts


@frozen(kw_only=True)
class _Candidate:
    """A model, and what is counted once for it."""

    model: FoundModel
    language: str | None
    voices: int
    prices: tuple[Price, ...]

    @property
    def card(self) -> ModelCard:
        return self.model.card

    @property
    def claims(self) -> Capabilities:
        return self.model.card.capabilities

    @property
    def rpm(self) -> float:
        """Requests a minute; infinite without a limit, 0 where it is not known."""
        claim = self.claims.rpm
        if claim.support is Support.NO or self.card.transports == ("local",):
            return math.inf
        return claim.maximum or 0.0


_Order = tuple[float | str | tuple[float, ...], ...]
"""What candidates are sorted by; the least comes first."""


@frozen
class _Criterion:
    """
    One thing that counts.

    Attributes:
        order: Returns what a model is sorted by; the least comes first.
        reason: Returns what there is to say of it, or an empty text.
    """

    order: Callable[[_Candidate], _Order]
    reason: Callable[[_Candidate], str]


@frozen(kw_only=True)
class Use:
    """
    What somebody wants to do.

    Attributes:
        meaning: In a few words.
        needs: Capabilities that must be claimed with a plain yes.
        criteria: What counts then, the most important first.
    """

    meaning: str
    needs: tuple[str, ...]
    criteria: tuple[_Criterion, ...]


def _is_known_before(each: _Candidate) -> bool:
    by_characters = {price.unit for price in each.prices} == {"characters"}
    return each.card.is_free or by_characters


def _known_reason(each: _Candidate) -> str:
    if each.card.is_free or not _is_known_before(each):
        return ""
    return "billed by the character: what a text costs is known before"


def _price_order(each: _Candidate) -> _Order:
    if each.card.is_free:
        return (0,)
    if not each.prices:
        return (2,)
    units = " ".join(sorted(price.unit for price in each.prices))
    # The dearest unit first: of tokens read and tokens made, the latter are what costs.
    amounts = tuple(sorted((float(price.of(1)) for price in each.prices), reverse=True))
    return (1, each.prices[0].currency, units, amounts)


def _price_reason(each: _Candidate) -> str:
    if each.card.is_free:
        return "costs nothing"
    return price_text(each.prices) or "the price is not known"


def _voices_reason(each: _Candidate) -> str:
    if not each.voices:
        return ""
    voices = f"{each.voices} voice{'s' if each.voices != 1 else ''}"
    return f"{voices} for {each.language}" if each.language else voices


def _languages_reason(each: _Candidate) -> str:
    languages, varieties = _count(each.claims.languages), _count(each.claims.dialects)
    if not languages:
        return ""
    text = f"{languages} language{'s' if languages != 1 else ''}"
    more = f" and {varieties} variet{'ies' if varieties != 1 else 'y'}" if varieties else ""
    return text + more


def _count(claim: Claim) -> int:
    return len(claim.values) if claim else 0


def _rpm_reason(each: _Candidate) -> str:
    if math.isinf(each.rpm):
        return "no limit of requests"
    return f"{each.rpm:g} requests a minute" if each.rpm else ""


_KNOWN_BEFORE = _Criterion(lambda each: (not _is_known_before(each),), _known_reason)
_PRICE = _Criterion(_price_order, _price_reason)
_VOICES = _Criterion(lambda each: (-each.voices,), _voices_reason)
_LANGUAGES = _Criterion(
    lambda each: (-_count(each.claims.languages) - _count(each.claims.dialects),),
    _languages_reason,
)
_RPM = _Criterion(lambda each: (-each.rpm,), _rpm_reason)
# Whether there is enough of it: beyond that the price counts for more than a greater number.
_CHOICE = _Criterion(lambda each: (each.voices < ENOUGH_VOICES,), _voices_reason)
_STEADY = _Criterion(lambda each: (each.rpm < ENOUGH_RPM,), _rpm_reason)

USES: Mapping[str, Use] = {
    "audiobook": Use(
        meaning="long texts in numbers: a cost known before, a choice of voices, a low price",
        needs=("stock_voices",),
        criteria=(_KNOWN_BEFORE, _CHOICE, _STEADY, _PRICE, _VOICES, _RPM),
    ),
    "navigation": Use(
        meaning="short texts, called often: a cost known before, many requests, a low price",
        needs=("stock_voices",),
        criteria=(_KNOWN_BEFORE, _RPM, _PRICE, _VOICES),
    ),
    "brand-voice-from-text": Use(
        meaning="a voice of one's own, designed from a description",
        needs=("design",),
        criteria=(_LANGUAGES, _STEADY, _PRICE, _RPM),
    ),
    "brand-voice-from-audio": Use(
        meaning="a voice of one's own, cloned from a recording",
        needs=("clone",),
        criteria=(_LANGUAGES, _STEADY, _PRICE, _RPM),
    ),
    "emotional": Use(
        meaning="acting as told: style instructions, and voices to give them to",
        needs=("instructions", "stock_voices"),
        criteria=(_CHOICE, _STEADY, _PRICE, _VOICES, _RPM),
    ),
    "courseware": Use(
        meaning="lessons for many places: many languages and varieties",
        needs=("stock_voices", "languages"),
        criteria=(_LANGUAGES, _STEADY, _PRICE, _VOICES, _RPM),
    ),
}
"""Uses by name: what a model must claim for each, and what counts then."""


def _reasons(use: Use, each: _Candidate) -> tuple[str, ...]:
    said = [_claim_reason(each, need) for need in use.needs]
    said += [criterion.reason(each) for criterion in use.criteria]
    if each.language and not each.voices:
        said.append(f"speaks {each.language}")
    if each.card.alias_of:
        said.append(f"stands for {each.card.alias_of} today")
    return tuple(dict.fromkeys(reason for reason in said if reason))


def _claim_reason(each: _Candidate, need: str) -> str:
    if need in {"stock_voices", "languages"}:
        return ""  # their numbers are told by the criteria
    if need == "instructions":
        limit = each.claims.max_instructions
        most = f" (up to {limit.maximum:g} {limit.unit})" if limit.maximum else ""
        return f"takes style instructions{most}"
    return Capabilities.meaning(need)
