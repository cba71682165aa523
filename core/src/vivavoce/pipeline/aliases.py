"""From a name of the user's to a voice: who it is here, and with which model and region."""

from __future__ import annotations

from attrs import frozen

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.book import Alias, BookedVoice, VoiceBook
from vivavoce.errors import InvalidValue, UnknownModel, UnknownVoice
from vivavoce.model.card import ModelCard
from vivavoce.model.report import Decision, How
from vivavoce.model.voice import Gender, Voice
from vivavoce.pipeline.languages import match_language
from vivavoce.provider import SynthesizerInfo

__all__ = ["Chosen", "choose_voice"]


@frozen(kw_only=True)
class Chosen:
    """
    Who speaks.

    Attributes:
        voice: The voice, or what was asked for where the book says nothing of it.
        model: The model to speak with.
        region: The provider's region the voice lives in, or None where that is open.
        decision: What the plan is to say of the voice, or None to say the usual.
    """

    voice: Voice | str | None
    model: ModelCard
    region: str | None = None
    decision: Decision | None = None


def choose_voice(
    wanted: Voice | str | None,
    info: SynthesizerInfo,
    model: ModelCard,
    book: VoiceBook | None,
    *,
    is_model_given: bool,
    region: str | None,
    language: str | None = None,
    stand_in: bool = False,
) -> Chosen:
    """
    Return who speaks where *wanted* is asked for.

    Args:
        wanted: Voice, its id, an alias, or None for the model's default.
        info: The provider.
        model: The client's model.
        book: The user's aliases, or None.
        is_model_given: Whether the caller named *model*; else a bound voice brings its own.
        region: The region asked for, or None where the caller leaves it open.
        language: The utterance's language, which a stand-in has to speak.
        stand_in: Whether another voice may be taken where the alias has none here.

    Raises:
        UnknownVoice: If the alias has no voice at this provider.
        InvalidValue: If the voice is bound to another model or region than was asked for.
        UnknownModel: If the model it is bound to is no more.
        SettingsError: If the book cannot be read.
    """
    if not isinstance(wanted, str) or not wanted or book is None:
        return Chosen(voice=wanted, model=model)
    if any(voice.id == wanted for voice in info.voices()):
        return Chosen(voice=wanted, model=model)  # the provider's own names come first
    alias = book.get(wanted)
    if alias is None:
        # An own voice may be asked for by its id: what it is bound to is known all the same.
        found = book.find(info.name, wanted)
        if found is None:
            return Chosen(voice=wanted, model=model)
        alias = book.get(found[0])
        assert alias is not None
    booked = alias.voices.get(info.name)
    if booked is None:
        return _stood_in(alias, info, model, language, stand_in=stand_in)
    return _bound(alias, booked, info, model, is_model_given=is_model_given, region=region)


def _bound(
    alias: Alias,
    booked: BookedVoice,
    info: SynthesizerInfo,
    model: ModelCard,
    *,
    is_model_given: bool,
    region: str | None,
) -> Chosen:
    what = f"The voice {alias.name!r} ({booked.id!r})"
    if booked.region and region and booked.region != region:
        msg = (
            f"{what} lives in the region {booked.region!r} of {info.name!r}, not in {region!r}. "
            f"Ask for region={booked.region!r} with a key of that region, or leave it out."
        )
        raise InvalidValue(msg)
    decision = Decision(wish="voice", how=How.NATIVE, detail=f"{booked.id} (your {alias.name!r})")
    if not booked.model:
        # A stock voice under another name.
        return Chosen(voice=booked.id, model=model, region=booked.region or None, decision=decision)
    if is_model_given and model.name != booked.model:
        msg = (
            f"{what} is bound to {info.name}/{booked.model} and cannot speak with "
            f"{model.name!r}. Leave the model out ({info.name}:{alias.name}), or make a voice "
            "for the other model."
        )
        raise InvalidValue(msg)
    card = next((card for card in info.models if card.name == booked.model), None)
    if card is None:
        msg = f"{what} is bound to {booked.model!r}, which {info.name!r} does not list any more."
        raise UnknownModel(msg, name=booked.model)
    # No languages: what it was made in says nothing of what else its model lets it speak.
    voice = Voice(
        id=booked.id,
        name=alias.name,
        origin=booked.origin,
        models=(card.name,),
    )
    return Chosen(voice=voice, model=card, region=booked.region or None, decision=decision)


def _stood_in(
    alias: Alias, info: SynthesizerInfo, model: ModelCard, language: str | None, *, stand_in: bool
) -> Chosen:
    there = ", ".join(alias.voices) or "no provider"
    said = f"The alias {alias.name!r} has a voice at {there}, none at {info.name!r}."
    if not stand_in:
        could = " or let another stand in (stand_in=True, --stand-in)" if alias.describes else ""
        msg = (
            f"{said} Give it one with `vivavoce voice alias {alias.name} {info.name}:VOICE`{could}."
        )
        raise UnknownVoice(msg, name=alias.name)
    if not alias.describes:
        msg = (
            f"{said} None can stand in: the alias says nothing of language, gender or style. "
            f"Say it with `vivavoce voice alias {alias.name} --gender ... --language ...`."
        )
        raise UnknownVoice(msg, name=alias.name)
    usable = [voice for voice in info.voices() if model.name in voice.models]
    fitting = [voice for voice in usable if _fits(alias, voice, language)]
    if not fitting:
        near = did_you_mean(nearest(alias.name, [voice.id for voice in usable]))
        msg = f"{said} Of the {len(usable)} voices of {model.name!r} none is {_wish(alias)}. {near}"
        raise UnknownVoice(msg.rstrip(), name=alias.name)
    best = max(fitting, key=lambda voice: _style(alias, voice))  # of equals the first
    unmet = [] if _style(alias, best) or not alias.style else [f"style {alias.style!r} unmet"]
    fit = ", ".join([_wish(alias), *unmet])
    detail = f"{best.id!r} stands in for {alias.name!r}, which has no voice here ({fit})"
    return Chosen(
        voice=best, model=model, decision=Decision(wish="voice", how=How.EMULATED, detail=detail)
    )


def _fits(alias: Alias, voice: Voice, language: str | None) -> bool:
    tags = (*voice.languages, *voice.dialects)
    wanted = language or alias.language
    speaks = not wanted or match_language(wanted, tags) is not None
    return speaks and alias.gender in (Gender.UNKNOWN, voice.gender)


def _style(alias: Alias, voice: Voice) -> int:
    """Return how many words of the style the voice's description has."""
    said = voice.description.casefold()
    return sum(word in said for word in alias.style.casefold().replace(",", " ").split())


def _wish(alias: Alias) -> str:
    gender = "" if alias.gender is Gender.UNKNOWN else f"gender {alias.gender.value}"
    language = f"language {alias.language}" if alias.language else ""
    return ", ".join(part for part in (language, gender) if part) or f"style {alias.style!r}"
