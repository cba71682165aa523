"""What is there to speak with: providers, models, voices, claims. No key and no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.errors import InvalidValue, UnknownVoice
from vivavoce.model.capability import Capabilities
from vivavoce.model.card import ModelCard
from vivavoce.model.selector import Selector
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.pipeline.languages import match_language
from vivavoce.provider import SynthesizerInfo
from vivavoce.registry import Registry, installed
from vivavoce.settings import load_settings

__all__ = [
    "FoundModel",
    "capabilities",
    "find_models",
    "find_voices",
    "get_voice",
    "origin_named",
    "providers",
]


def providers(registry: Registry | None = None) -> list[SynthesizerInfo]:
    """Return the providers that can be used, by name; no key and no network is used."""
    return list(registry or installed())


def capabilities(selector: str | None = None, *, registry: Registry | None = None) -> Capabilities:
    """
    Return what a model claims.

    Args:
        selector: ``provider`` or ``provider/model``; None for the default provider.
        registry: None for all installed plugins.

    Raises:
        UnknownProvider: If no plugin offers the provider.
        UnknownModel: If it has no such model.
    """
    known = registry or installed()
    chosen = known.default(load_settings()) if selector is None else Selector.parse(selector)
    return known.model(known.get(chosen.provider or ""), chosen.model).capabilities


@frozen(kw_only=True)
class FoundModel:
    """
    A model that fits.

    Attributes:
        provider: The provider.
        card: The model's card.
    """

    provider: SynthesizerInfo
    card: ModelCard

    @property
    def selector(self) -> str:
        """What to write to use it."""
        return f"{self.provider.name}/{self.card.name}"


def find_models(
    *,
    needs: Iterable[str] = (),
    language: str | None = None,
    transport: str | None = None,
    provider: str | None = None,
    region: str | None = None,
    only_usable: bool = True,
    registry: Registry | None = None,
) -> Sequence[FoundModel]:
    """
    Return the models that claim all that is asked; no key and no network is used.

    Args:
        needs: Names of capabilities that must be a plain yes, such as ``word_marks``.
        language: BCP-47 tag that must be spoken, itself or a near one.
        transport: ``local``, ``http``, ``http-sse`` or ``websocket``.
        provider: Only this provider's.
        region: Provider's region id in which it must be offered; a model that is tied to no
            region, such as one that runs here, is in none.
        only_usable: False to have those too that are known, but that this release cannot
            speak with (``ModelCard.unavailable`` says why).
        registry: None for all installed plugins.

    Raises:
        InvalidValue: If a need is no capability, or no installed model is in the region.
        UnknownProvider: If no plugin offers the provider.
    """
    known = registry or installed()
    asked = [known.get(provider)] if provider is not None else list(known)
    if region is not None:
        _check_region(known, region)
    needed = tuple(needs)
    return [
        FoundModel(provider=info, card=card)
        for info in asked
        for card in info.models
        if all(card.capabilities[need] for need in needed)
        and (transport is None or transport in card.transports)
        and (language is None or _speaks(card, language))
        and (region is None or region in card.regions)
        and not (only_usable and card.unavailable)
    ]


def _check_region(known: Registry, region: str) -> None:
    regions = sorted({name for info in known for card in info.models for name in card.regions})
    if region not in regions:
        near = did_you_mean(nearest(region, regions))
        msg = (
            f"No installed model is in a region {region!r}. {near}"
            f"Regions: {', '.join(regions) or 'none'}."
        )
        raise InvalidValue(msg)


def _speaks(card: ModelCard, language: str) -> bool:
    claims = card.capabilities
    offered = [str(value) for value in (*claims.languages.values, *claims.dialects.values)]
    return match_language(language, offered) is not None


def find_voices(
    registry: Registry,
    info: SynthesizerInfo,
    *,
    language: str | None = None,
    origin: VoiceOrigin | str | None = None,
    model: str | None = None,
) -> Iterator[Voice]:
    """
    Iterate over the stock voices of *info* that fit.

    Args:
        registry: Where *info* is from.
        info: The provider.
        language: BCP-47 tag that the voice speaks, or a near one.
        origin: ``stock``, ``cloned`` or ``designed``; None for all.
        model: Model the voice may be used with.

    Raises:
        InvalidValue: If *origin* is none.
        UnknownModel: If there is no such model.
    """
    wanted_origin = None if origin is None else origin_named(origin)
    wanted_model = None if model is None else registry.model(info, model).name
    for voice in info.voices():
        if wanted_model is not None and wanted_model not in voice.models:
            continue
        if wanted_origin is not None and voice.origin is not wanted_origin:
            continue
        if language is None or match_language(language, (*voice.languages, *voice.dialects)):
            yield voice


def get_voice(info: SynthesizerInfo, voice_id: str) -> Voice:
    """
    Return the voice of this id.

    Raises:
        UnknownVoice: If the provider has none.
    """
    voices = {voice.id: voice for voice in info.voices()}
    if voice_id not in voices:
        near = nearest(voice_id, voices)
        msg = (
            f"{info.name!r} has no voice {voice_id!r}. {did_you_mean(near)}"
            f"`vivavoce voices {info.name}` lists them."
        )
        raise UnknownVoice(msg, name=voice_id, nearest=near)
    return voices[voice_id]


def origin_named(value: VoiceOrigin | str) -> VoiceOrigin:
    """
    Return the origin of this name.

    Raises:
        InvalidValue: If there is none.
    """
    try:
        return VoiceOrigin(value)
    except ValueError:
        msg = f"{value!r} is no origin of a voice. Choose {', '.join(VoiceOrigin)}."
        raise InvalidValue(msg) from None
