"""
The plugin author's door: all of ours that a plugin may import.

>>> from vivavoce.authoring import Synthesizer, SynthesizerInfo, hookimpl

Each name is loaded when it is first used, so that a plugin which only introduces
itself stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vivavoce._lazy import lazy_names

if TYPE_CHECKING:
    from vivavoce.audio.wav import WavHeaderReader
    from vivavoce.errors import (
        CapabilityError,
        ConnectFailed,
        ConnectionLost,
        CredentialError,
        EngineFailed,
        InvalidValue,
        MarkupError,
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
    from vivavoce.hookspecs import hookimpl
    from vivavoce.model.audio import AudioFormat, Chunk, Container, Encoding
    from vivavoce.model.capability import (
        Capabilities,
        Claim,
        Evidence,
        Support,
        no,
        unknown,
        yes,
    )
    from vivavoce.model.card import ModelCard, Option, Price
    from vivavoce.model.prosody import Prosody
    from vivavoce.model.report import Report
    from vivavoce.model.secret import Secret
    from vivavoce.model.timing import Mark, MarkKind, MarkOrigin
    from vivavoce.model.voice import Gender, Voice, VoiceOrigin
    from vivavoce.provider import (
        INTERFACE,
        ProviderConfig,
        SynthesisRequest,
        Synthesizer,
        SynthesizerInfo,
        VoiceCustomizer,
        VoiceCustomizerInfo,
    )
    from vivavoce.text.ssml import SsmlDocument, read_ssml
    from vivavoce.wire.base64 import cut_string, decode_base64
    from vivavoce.wire.exchange import (
        AudioData,
        DuplexExchange,
        Event,
        Exchange,
        Facts,
        Failed,
        Finished,
        Marks,
        NextCall,
        Output,
        SendMessage,
    )
    from vivavoce.wire.http import (
        BodyData,
        BodyEnd,
        HttpCall,
        ResponseStarted,
        retry_after_s,
        shorten,
    )
    from vivavoce.wire.local import LocalCall, LocalEnd, LocalOutput, LocalSink
    from vivavoce.wire.sse import SseComment, SseEvent, SseReader
    from vivavoce.wire.websocket import MessageReceived, PeerClosed, SocketOpened, WebSocketCall

_HOMES = {
    "errors": (
        "CapabilityError",
        "ConnectFailed",
        "ConnectionLost",
        "CredentialError",
        "EngineFailed",
        "InvalidValue",
        "MarkupError",
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
    "audio.wav": ("WavHeaderReader",),
    "hookspecs": ("hookimpl",),
    "model.audio": ("AudioFormat", "Chunk", "Container", "Encoding"),
    "model.capability": (
        "Capabilities",
        "Claim",
        "Evidence",
        "Support",
        "no",
        "unknown",
        "yes",
    ),
    "model.card": ("ModelCard", "Option", "Price"),
    "model.prosody": ("Prosody",),
    "model.report": ("Report",),
    "model.secret": ("Secret",),
    "model.timing": ("Mark", "MarkKind", "MarkOrigin"),
    "model.voice": ("Gender", "Voice", "VoiceOrigin"),
    "provider": (
        "INTERFACE",
        "ProviderConfig",
        "SynthesisRequest",
        "Synthesizer",
        "SynthesizerInfo",
        "VoiceCustomizer",
        "VoiceCustomizerInfo",
    ),
    "text.ssml": ("SsmlDocument", "read_ssml"),
    "wire.base64": ("cut_string", "decode_base64"),
    "wire.exchange": (
        "AudioData",
        "DuplexExchange",
        "Event",
        "Exchange",
        "Facts",
        "Failed",
        "Finished",
        "Marks",
        "NextCall",
        "Output",
        "SendMessage",
    ),
    "wire.http": (
        "BodyData",
        "BodyEnd",
        "HttpCall",
        "ResponseStarted",
        "retry_after_s",
        "shorten",
    ),
    "wire.local": ("LocalCall", "LocalEnd", "LocalOutput", "LocalSink"),
    "wire.sse": ("SseComment", "SseEvent", "SseReader"),
    "wire.websocket": ("MessageReceived", "PeerClosed", "SocketOpened", "WebSocketCall"),
}

__all__ = [
    "INTERFACE",
    "AudioData",
    "AudioFormat",
    "BodyData",
    "BodyEnd",
    "Capabilities",
    "CapabilityError",
    "Chunk",
    "Claim",
    "ConnectFailed",
    "ConnectionLost",
    "Container",
    "CredentialError",
    "DuplexExchange",
    "Encoding",
    "EngineFailed",
    "Event",
    "Evidence",
    "Exchange",
    "Facts",
    "Failed",
    "Finished",
    "Gender",
    "HttpCall",
    "InvalidValue",
    "LocalCall",
    "LocalEnd",
    "LocalOutput",
    "LocalSink",
    "Mark",
    "MarkKind",
    "MarkOrigin",
    "Marks",
    "MarkupError",
    "MessageReceived",
    "MissingDependency",
    "ModelCard",
    "NextCall",
    "NoAudio",
    "Option",
    "Output",
    "OutputError",
    "PeerClosed",
    "PluginError",
    "Price",
    "Prosody",
    "ProviderConfig",
    "ProviderError",
    "ProviderUnavailable",
    "QuotaExceeded",
    "RateLimited",
    "Report",
    "RequestRejected",
    "ResponseStarted",
    "Secret",
    "SendMessage",
    "SettingsError",
    "SetupError",
    "SocketOpened",
    "SseComment",
    "SseEvent",
    "SseReader",
    "SsmlDocument",
    "StreamStateError",
    "Support",
    "SynthesisRequest",
    "Synthesizer",
    "SynthesizerInfo",
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
    "Voice",
    "VoiceCustomizer",
    "VoiceCustomizerInfo",
    "VoiceOrigin",
    "WavHeaderReader",
    "WebSocketCall",
    "cut_string",
    "decode_base64",
    "hookimpl",
    "no",
    "read_ssml",
    "retry_after_s",
    "shorten",
    "unknown",
    "yes",
]

__getattr__ = lazy_names(
    __name__, {name: f"vivavoce.{home}" for home, names in _HOMES.items() for name in names}
)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
