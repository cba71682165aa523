"""Calls of the library itself: say something, see what is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Unpack

from attrs import frozen

from vivavoce.audio.result import Audio
from vivavoce.blocking import Client
from vivavoce.client import Wishes
from vivavoce.model.capability import Capabilities
from vivavoce.model.card import ModelCard
from vivavoce.model.report import Report
from vivavoce.model.selector import Selector
from vivavoce.pipeline.languages import match_language
from vivavoce.provider import SynthesizerInfo
from vivavoce.registry import Registry, installed
from vivavoce.settings import load_settings

__all__ = ["FoundModel", "capabilities", "find_models", "providers", "save", "say"]


def say(text: str, selector: str | None = None, **wishes: Unpack[Wishes]) -> Audio:
    """
    Return *text* as audio, spoken by the provider of *selector* or the default one.

    For more than one call make a :class:`vivavoce.Client`, which keeps connections.

    Raises:
        VivavoceError: See :meth:`vivavoce.Client.synthesize`.
    """
    with Client(selector) as client:
        return client.synthesize(text, **wishes)


def save(
    text: str,
    path: str | os.PathLike[str],
    selector: str | None = None,
    *,
    captions: str | os.PathLike[str] | None = None,
    **wishes: Unpack[Wishes],
) -> Report:
    """
    Speak *text* into a file; see :meth:`vivavoce.Client.save`.

    Raises:
        VivavoceError: As there.
    """
    with Client(selector) as client:
        return client.save(text, path, captions=captions, **wishes)


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
    registry: Registry | None = None,
) -> Sequence[FoundModel]:
    """
    Return the models that claim all that is asked; no key and no network is used.

    Args:
        needs: Names of capabilities that must be a plain yes, such as ``word_marks``.
        language: BCP-47 tag that must be spoken, itself or a near one.
        transport: ``local``, ``http``, ``http-sse`` or ``websocket``.
        provider: Only this provider's.
        registry: None for all installed plugins.

    Raises:
        InvalidValue: If a need is no capability.
        UnknownProvider: If no plugin offers the provider.
    """
    known = registry or installed()
    asked = [known.get(provider)] if provider is not None else list(known)
    needed = tuple(needs)
    return [
        FoundModel(provider=info, card=card)
        for info in asked
        for card in info.models
        if all(card.capabilities[need] for need in needed)
        and (transport is None or transport in card.transports)
        and (language is None or _speaks(card, language))
    ]


def _speaks(card: ModelCard, language: str) -> bool:
    claims = card.capabilities
    offered = [str(value) for value in (*claims.languages.values, *claims.dialects.values)]
    return match_language(language, offered) is not None
