"""What a plugin author subclasses, and how a plugin introduces itself."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from vivavoce.errors import CapabilityError, PluginError
from vivavoce.model.audio import AudioFormat
from vivavoce.model.card import ModelCard
from vivavoce.model.prosody import Prosody
from vivavoce.model.secret import Secret
from vivavoce.model.voice import Voice, VoiceOrigin

if TYPE_CHECKING:
    from vivavoce.model.customizing import (
        CloneOffer,
        CloneRequest,
        DesignOffer,
        DesignRequest,
        MadeVoice,
        VoicePage,
    )
    from vivavoce.wire.exchange import DuplexExchange, Exchange
    from vivavoce.wire.http import HttpCall
    from vivavoce.wire.task import Task

__all__ = [
    "INTERFACE",
    "ProviderConfig",
    "SynthesisRequest",
    "Synthesizer",
    "SynthesizerInfo",
    "VoiceCustomizer",
    "VoiceCustomizerInfo",
]

INTERFACE = 1
"""Number of the interface between core and plugins; grows when one must change for the other."""


@frozen(kw_only=True)
class ProviderConfig:
    """
    What a provider object is made with.

    Attributes:
        credential: The API key, or None where the provider needs none.
        base_url: Address in place of the provider's own, or None.
        region: The provider's region id, or None for its default.
        extra: The provider's own settings that are set, by the names it gave in
            ``SynthesizerInfo.settings``.
    """

    credential: Secret | None = None
    base_url: str | None = None
    region: str | None = None
    extra: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class SynthesisRequest:
    """
    One request, planned: every wish in it is one the model claims.

    Attributes:
        text: The segment to speak, speakable, no longer than the model's limit.
        ssml: Whether *text* is SSML.
        model: The card of the model.
        voice: The voice, or None where the model has none to choose.
        language: BCP-47 tag from the model's own list, or None.
        instructions: Style, or None.
        prosody: Only what the model does itself; the rest is at its default.
        format: One the model claims.
        options: Checked against the card.
        wants_stream: Whether the caller reads while it is made.
        is_last: Whether no segment of the same text follows.
    """

    text: str
    ssml: bool = False
    model: ModelCard
    voice: Voice | None = None
    language: str | None = None
    instructions: str | None = None
    prosody: Prosody = Prosody()
    format: AudioFormat
    options: Mapping[str, Any] = field(factory=dict)
    wants_stream: bool = True
    is_last: bool = True


class Synthesizer(ABC):
    """
    A provider, as long as the caller keeps it: settings and credential, no connection.

    Args:
        config: Credential, address, region.
    """

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    @abstractmethod
    def exchange(self, request: SynthesisRequest) -> Exchange:
        """Return the conversation that speaks *request*. Sends nothing itself."""

    def session(self, request: SynthesisRequest) -> DuplexExchange:
        """
        Return a conversation that takes text while speaking.

        Overriding this is what makes the claim ``stream_in``; ``request.text``
        is empty.

        Raises:
            CapabilityError: Unless overridden.
        """
        msg = f"{request.model.name!r} takes no text while speaking."
        raise CapabilityError(msg, capability="stream_in")

    def probe(self) -> HttpCall | None:
        """
        Return a call that shows whether the host is there, or None where there is no host.

        It costs nothing and needs no key; ``vivavoce doctor`` makes it. Any HTTP status will do.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Release what the provider holds; called once, when the client closes."""


@frozen(kw_only=True)
class SynthesizerInfo:
    """
    How a provider introduces itself. Making one loads no engine and needs no key.

    Attributes:
        name: Lower-case name used in selectors.
        title: Name for people.
        interface: Write ``INTERFACE`` as it is when you write the plugin: a number.
        models: Cards, the default model first. At least one.
        synthesizer: The class, or where to find it as ``"package.module:Class"``. The
            latter is imported when first spoken with, which keeps listing fast; the
            cards then say themselves whether there is ``stream_in``.
        voices: Returns the stock voices. May load the engine's table; no network, no key.
        credential_env: Environment variables that may hold the key, in order.
            Empty means that none is needed.
        settings: Further settings by name, each with the environment variables that may
            hold it, in order: ``base_url``, ``region``, and names of the provider's
            own, which exist by being named here and come in ``ProviderConfig.extra``.
        recognise_voice: Returns the voice that an id means for a model although it is
            not listed, one of the user's own, with the models it may be used with; None
            for an id that cannot be one. Absent where there are no such voices. No I/O.
        default_rank: 0 is never taken as the default provider; among those that
            need no credential the highest wins. 1-49 test aids, 50 and up speech.
        count_billed: Returns the billed units of a text, by the price's unit, as the
            provider counts them; None for one a character.
        homepage: Where to read on, or empty.
        licence: SPDX expression of the engine, or empty.
    """

    name: str
    title: str
    interface: int
    models: tuple[ModelCard, ...]
    synthesizer: type[Synthesizer] | str
    voices: Callable[[], Sequence[Voice]]
    credential_env: tuple[str, ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(factory=dict)
    recognise_voice: Callable[[ModelCard, str], Voice | None] | None = None
    default_rank: int = 0
    count_billed: Callable[[ModelCard, str], Mapping[str, float]] | None = None
    homepage: str = ""
    licence: str = ""

    def load_synthesizer(self) -> type[Synthesizer]:
        """
        Return the class, imported if need be.

        Raises:
            PluginError: If it cannot be imported, is no :class:`Synthesizer`, or does not
                do what a card claims of it.
        """
        found = self.synthesizer
        if isinstance(found, str):
            found = _imported(self.name, found, Synthesizer)
        overrides = found.session is not Synthesizer.session
        for card in self.models:
            if card.capabilities.stream_in and not (overrides or card.unavailable):
                msg = f"{card.name!r} claims stream_in, but {found.__name__} has no session()."
                raise PluginError(msg)
        return found


def _imported(provider: str, place: str, kind: type) -> Any:
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    # A plugin may fail in any way when imported; the cause is chained.
    except Exception as error:
        msg = f"The {kind.__name__} {place!r} of {provider!r} cannot be loaded: {error!r}."
        raise PluginError(msg) from error
    if not (isinstance(found, type) and issubclass(found, kind)):
        msg = f"{place!r} of {provider!r} is no {kind.__name__} class."
        raise PluginError(msg)
    return found


class VoiceCustomizer(ABC):
    """
    Makes and keeps voices of one's own, as long as the caller keeps it. No connection.

    Args:
        config: Credential, address, region.
    """

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        """
        Return the task that makes a voice from a recording.

        Overriding this is what the offer to clone needs.

        Raises:
            CapabilityError: Unless overridden.
        """
        msg = f"{request.model.name!r}: voices are not cloned here."
        raise CapabilityError(msg, capability="clone")

    def design(self, request: DesignRequest) -> Task[MadeVoice]:
        """
        Return the task that makes a voice from a description.

        Overriding this is what the offer to design needs.

        Raises:
            CapabilityError: Unless overridden.
        """
        msg = f"{request.model.name!r}: voices are not designed here."
        raise CapabilityError(msg, capability="design")

    @abstractmethod
    def list(self, origin: VoiceOrigin, page: str | None) -> Task[VoicePage]:
        """
        Return the task that reads a page of the user's voices.

        Args:
            origin: ``cloned`` or ``designed``, of those the offers name.
            page: What the page before gave as ``next_page``; None for the first.
        """

    def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:  # noqa: ARG002
        """
        Return the task that reads one voice, or None where it must be looked for in the list.

        The task gives None where there is no such voice.
        """
        return None

    @abstractmethod
    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
        """
        Return the task that deletes a voice.

        It gives whether there was one: to find none is no failure.
        """

    def is_named(self, voice: Voice, name: str) -> bool:
        """
        Return whether *voice* may have been made under *name*.

        Used to find a voice again whose answer was lost.
        """
        return name in voice.id or name == voice.name

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Release what is held; called once, when the client closes."""


@frozen(kw_only=True)
class VoiceCustomizerInfo:
    """
    How a customizer introduces itself. Its settings are those of the provider's synthesizer.

    Attributes:
        name: The provider's name, as in its :class:`SynthesizerInfo`.
        interface: As there.
        customizer: The class, or where to find it as ``"package.module:Class"``; made
            with a :class:`ProviderConfig` when first needed.
        clone: How it clones, or None.
        design: How it designs, or None.
        max_voices: How many voices a user may keep, or None where it is not known.
        note: What a user should know besides, such as when unused voices are deleted.
    """

    name: str
    interface: int
    customizer: type[VoiceCustomizer] | str
    clone: CloneOffer | None = None
    design: DesignOffer | None = None
    max_voices: int | None = None
    note: str = ""

    @property
    def origins(self) -> tuple[VoiceOrigin, ...]:
        """What kinds of voices a user can have here."""
        offers = ((self.clone, VoiceOrigin.CLONED), (self.design, VoiceOrigin.DESIGNED))
        return tuple(origin for offer, origin in offers if offer is not None)

    def load_customizer(self) -> type[VoiceCustomizer]:
        """
        Return the class, imported if need be.

        Raises:
            PluginError: If it cannot be imported, is no :class:`VoiceCustomizer`, or lacks
                what an offer needs.
        """
        found = self.customizer
        if isinstance(found, str):
            found = _imported(self.name, found, VoiceCustomizer)
        for offer, verb in ((self.clone, "clone"), (self.design, "design")):
            if offer is not None and getattr(found, verb) is getattr(VoiceCustomizer, verb):
                msg = f"{self.name!r} offers to {verb}, but {found.__name__} has no {verb}()."
                raise PluginError(msg)
        return found
