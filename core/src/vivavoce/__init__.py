"""
One voice interface to every text-to-speech provider.

>>> import vivavoce
>>> audio = vivavoce.say("Hello.")            # the default provider
>>> audio.save("hello.wav")                   # doctest: +SKIP

Every name is loaded when it is first used: importing the package costs next to
nothing, and no HTTP, WebSocket or audio library is loaded before one is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vivavoce._lazy import lazy_names

if TYPE_CHECKING:
    from vivavoce.advice import Advice, advise
    from vivavoce.api import save, say
    from vivavoce.audio.result import Audio
    from vivavoce.blocking import Client, Session, SpeechStream, Voices
    from vivavoce.book import Alias, BookedVoice, VoiceBook
    from vivavoce.catalogue import FoundModel, capabilities, find_models, providers
    from vivavoce.client import AsyncClient, AsyncSession, AsyncSpeechStream, AsyncVoices
    from vivavoce.errors import (
        CapabilityError,
        ConnectFailed,
        ConnectionLost,
        CredentialError,
        EngineFailed,
        InvalidValue,
        MarkupError,
        MaybeCreated,
        MissingDependency,
        NoAudio,
        OutputError,
        PluginError,
        ProviderError,
        ProviderUnavailable,
        QuotaExceeded,
        RateLimited,
        RequestRejected,
        SettingsError,
        SetupError,
        StreamStateError,
        TextTooLong,
        TimedOut,
        TransportError,
        TruncatedAudio,
        UnexpectedReply,
        UnknownLanguage,
        UnknownModel,
        UnknownName,
        UnknownProvider,
        UnknownVoice,
        UsageError,
        VivavoceError,
    )
    from vivavoce.face import CloneWishes, DesignWishes, Wishes
    from vivavoce.model.audio import AudioFormat, Chunk, Container, Encoding
    from vivavoce.model.capability import Capabilities, Claim, Evidence, Support
    from vivavoce.model.card import ModelCard, Option, Price
    from vivavoce.model.customizing import (
        CloneOffer,
        Consent,
        DesignOffer,
        Finding,
        Level,
        Recording,
        RecordingRules,
    )
    from vivavoce.model.prosody import Prosody
    from vivavoce.model.report import Decision, End, How, Report
    from vivavoce.model.secret import Secret
    from vivavoce.model.selector import Selector
    from vivavoce.model.timing import Mark, MarkKind, MarkOrigin
    from vivavoce.model.utterance import Utterance
    from vivavoce.model.voice import Gender, Voice, VoiceOrigin
    from vivavoce.pipeline.customize import NewVoice, VoicePlan
    from vivavoce.pipeline.middleware import Middleware
    from vivavoce.pipeline.plan import Estimate, Plan
    from vivavoce.pipeline.retry import Retry
    from vivavoce.pipeline.session import Interruption
    from vivavoce.provider import SynthesizerInfo, VoiceCustomizerInfo
    from vivavoce.registry import BrokenPlugin, Registry
    from vivavoce.settings import Settings, Timeouts

_HOMES = {
    "advice": ("Advice", "advise"),
    "api": ("save", "say"),
    "audio.result": ("Audio",),
    "blocking": ("Client", "Session", "SpeechStream", "Voices"),
    "catalogue": ("FoundModel", "capabilities", "find_models", "providers"),
    "client": ("AsyncClient", "AsyncSession", "AsyncSpeechStream", "AsyncVoices"),
    "errors": (
        "CapabilityError",
        "ConnectFailed",
        "ConnectionLost",
        "CredentialError",
        "EngineFailed",
        "InvalidValue",
        "MarkupError",
        "MaybeCreated",
        "MissingDependency",
        "NoAudio",
        "OutputError",
        "PluginError",
        "ProviderError",
        "ProviderUnavailable",
        "QuotaExceeded",
        "RateLimited",
        "RequestRejected",
        "SettingsError",
        "SetupError",
        "StreamStateError",
        "TextTooLong",
        "TimedOut",
        "TransportError",
        "TruncatedAudio",
        "UnexpectedReply",
        "UnknownLanguage",
        "UnknownModel",
        "UnknownName",
        "UnknownProvider",
        "UnknownVoice",
        "UsageError",
        "VivavoceError",
    ),
    "book": ("Alias", "BookedVoice", "VoiceBook"),
    "face": ("CloneWishes", "DesignWishes", "Wishes"),
    "model.audio": ("AudioFormat", "Chunk", "Container", "Encoding"),
    "model.capability": ("Capabilities", "Claim", "Evidence", "Support"),
    "model.card": ("ModelCard", "Option", "Price"),
    "model.customizing": (
        "CloneOffer",
        "Consent",
        "DesignOffer",
        "Finding",
        "Level",
        "Recording",
        "RecordingRules",
    ),
    "model.prosody": ("Prosody",),
    "model.report": ("Decision", "End", "How", "Report"),
    "model.secret": ("Secret",),
    "model.selector": ("Selector",),
    "model.timing": ("Mark", "MarkKind", "MarkOrigin"),
    "model.utterance": ("Utterance",),
    "model.voice": ("Gender", "Voice", "VoiceOrigin"),
    "pipeline.customize": ("NewVoice", "VoicePlan"),
    "pipeline.middleware": ("Middleware",),
    "pipeline.plan": ("Estimate", "Plan"),
    "pipeline.retry": ("Retry",),
    "pipeline.session": ("Interruption",),
    "provider": ("SynthesizerInfo", "VoiceCustomizerInfo"),
    "registry": ("BrokenPlugin", "Registry"),
    "settings": ("Settings", "Timeouts"),
}

__all__ = [
    "Advice",
    "Alias",
    "AsyncClient",
    "AsyncSession",
    "AsyncSpeechStream",
    "AsyncVoices",
    "Audio",
    "AudioFormat",
    "BookedVoice",
    "BrokenPlugin",
    "Capabilities",
    "CapabilityError",
    "Chunk",
    "Claim",
    "Client",
    "CloneOffer",
    "CloneWishes",
    "ConnectFailed",
    "ConnectionLost",
    "Consent",
    "Container",
    "CredentialError",
    "Decision",
    "DesignOffer",
    "DesignWishes",
    "Encoding",
    "End",
    "EngineFailed",
    "Estimate",
    "Evidence",
    "Finding",
    "FoundModel",
    "Gender",
    "How",
    "Interruption",
    "InvalidValue",
    "Level",
    "Mark",
    "MarkKind",
    "MarkOrigin",
    "MarkupError",
    "MaybeCreated",
    "Middleware",
    "MissingDependency",
    "ModelCard",
    "NewVoice",
    "NoAudio",
    "Option",
    "OutputError",
    "Plan",
    "PluginError",
    "Price",
    "Prosody",
    "ProviderError",
    "ProviderUnavailable",
    "QuotaExceeded",
    "RateLimited",
    "Recording",
    "RecordingRules",
    "Registry",
    "Report",
    "RequestRejected",
    "Retry",
    "Secret",
    "Selector",
    "Session",
    "Settings",
    "SettingsError",
    "SetupError",
    "SpeechStream",
    "StreamStateError",
    "Support",
    "SynthesizerInfo",
    "TextTooLong",
    "TimedOut",
    "Timeouts",
    "TransportError",
    "TruncatedAudio",
    "UnexpectedReply",
    "UnknownLanguage",
    "UnknownModel",
    "UnknownName",
    "UnknownProvider",
    "UnknownVoice",
    "UsageError",
    "Utterance",
    "VivavoceError",
    "Voice",
    "VoiceBook",
    "VoiceCustomizerInfo",
    "VoiceOrigin",
    "VoicePlan",
    "Voices",
    "Wishes",
    "advise",
    "capabilities",
    "find_models",
    "providers",
    "save",
    "say",
]

__getattr__ = lazy_names(
    __name__, {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}
)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
