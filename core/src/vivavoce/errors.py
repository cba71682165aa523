"""
Every error this library raises, sorted by what the reader can do about it.

::

    VivavoceError
    ├── UsageError              change the call; raised before anything is sent
    │   ├── InvalidValue          (also ValueError)
    │   │   └── MarkupError         SSML that does not parse: line and column
    │   ├── UnknownName           (also LookupError) nearest names in the message
    │   │   ├── UnknownProvider
    │   │   ├── UnknownModel
    │   │   ├── UnknownVoice
    │   │   └── UnknownLanguage
    │   ├── CapabilityError       the model claims it cannot do this
    │   ├── StreamStateError      a stream or client used after its end
    │   └── OutputError           the place to write to cannot be written
    ├── SetupError              change the installation or the settings
    │   ├── PluginError           a provider plugin is broken
    │   ├── MissingDependency     an extra is not installed
    │   ├── SettingsError         the settings file or a variable is wrong
    │   └── CredentialError       no key, or one the provider refuses
    ├── ProviderError           the provider answered no
    │   ├── RequestRejected
    │   │   └── TextTooLong         its limit is known to the server alone
    │   ├── QuotaExceeded
    │   ├── RateLimited           retryable; may carry retry_after_s
    │   ├── ProviderUnavailable   retryable
    │   ├── EngineFailed          an engine in this process failed
    │   ├── NoAudio               "done", but nothing audible came
    │   ├── TruncatedAudio        the reply ended before its own end mark
    │   └── UnexpectedReply       the answer could not be read
    └── TransportError          the way there failed
        ├── ConnectFailed         retryable
        ├── ConnectionLost        retryable
        ├── MaybeCreated          a voice may have been made, and billed: the answer is lost
        └── TimedOut              retryable; says which phase and which limit
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = [
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
]


class VivavoceError(Exception):
    """
    The root of the tree; catch it to catch all of ours.

    Attributes:
        provider: Name of the provider concerned, or None before one is chosen.
        model: Name of the model concerned, or None.
        request_id: The provider's own id for the request, or None.
        code: The provider's own error code, or None.
        status: HTTP status of the refusal, or None when there was none.
        audio_delivered_s: Seconds of audio handed to the caller before the
            error; 0.0 when nothing was.
        retryable: Whether the same call may succeed later. Core acts on it
            only while ``audio_delivered_s`` is 0.0.
    """

    retryable: bool = False

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.provider: str | None = None
        self.model: str | None = None
        self.request_id: str | None = None
        self.audio_delivered_s: float = 0.0

    def add_context(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        request_id: str | None = None,
        audio_delivered_s: float | None = None,
    ) -> None:
        """Fill in what the raiser could not know; what is already set stays."""
        self.provider = self.provider or provider
        self.model = self.model or model
        self.request_id = self.request_id or request_id
        if audio_delivered_s is not None:
            self.audio_delivered_s = audio_delivered_s

    def redact(self, clean: Callable[[str], str]) -> None:
        """Pass every text that may quote the provider through *clean*."""
        self.message = clean(self.message)
        self.args = (self.message,)
        self.request_id = self.request_id and clean(self.request_id)
        self.code = self.code and clean(self.code)

    def __str__(self) -> str:
        facts = []
        if self.audio_delivered_s:
            facts.append(f"{self.audio_delivered_s:.2f} s delivered")
        if self.request_id:
            facts.append(f"request {self.request_id}")
        return f"{self.message} ({'; '.join(facts)})" if facts else self.message


class UsageError(VivavoceError):
    """The call is wrong: change it. Nothing was sent."""


class InvalidValue(UsageError, ValueError):
    """A value outside its range, of the wrong form, or with nothing to speak."""


class MarkupError(InvalidValue):
    """
    SSML that cannot be read.

    Attributes:
        line: Line of the fault, from 1.
        column: Column of the fault in characters, from 1.
    """

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class UnknownName(UsageError, LookupError):
    """
    A name nobody here knows.

    Attributes:
        name: What was asked for.
        nearest: Names that exist and look alike, best first; may be empty.
    """

    kind = "name"

    def __init__(self, message: str, *, name: str, nearest: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.nearest = tuple(nearest)


class UnknownProvider(UnknownName):
    """No installed plugin offers this provider."""


class UnknownModel(UnknownName):
    """The provider has no model of this name."""


class UnknownVoice(UnknownName):
    """The provider has no voice of this name for the model."""


class UnknownLanguage(UnknownName):
    """Not a BCP-47 tag, or a language the model does not speak."""


class CapabilityError(UsageError):
    """
    The model claims it cannot do what was asked, and core cannot do it instead.

    Attributes:
        capability: Field name in :class:`vivavoce.Capabilities`, or None.
    """

    def __init__(self, message: str, *, capability: str | None = None) -> None:
        super().__init__(message)
        self.capability = capability


class StreamStateError(UsageError):
    """A stream or client was used outside its life: before opening or after closing."""


class OutputError(UsageError):
    """The output could not be written: a folder, no permission, no space."""


class SetupError(VivavoceError):
    """The installation or its settings are wrong."""


class PluginError(SetupError):
    """A provider plugin could not be loaded; the message says which and why."""


class MissingDependency(SetupError):
    """
    An optional dependency is needed and absent.

    Attributes:
        extra: The extra that brings it, as in ``pip install 'vivavoce[audio]'``.
    """

    def __init__(self, message: str, *, extra: str) -> None:
        super().__init__(message)
        self.extra = extra


class SettingsError(SetupError):
    """The settings file or an environment variable holds something unusable."""


class CredentialError(SetupError):
    """No credential where one is needed, or the provider refuses the one given."""


class ProviderError(VivavoceError):
    """The provider answered no."""


class RequestRejected(ProviderError):
    """The provider finds the request itself wrong; asking again will not help."""


class TextTooLong(RequestRejected):
    """
    The provider finds the text of one request too long, by a measure of its own.

    Core then tries smaller pieces, once and while no audio has come.

    Attributes:
        limit: The most it takes, in its own unit, or None where it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.limit = limit


class QuotaExceeded(ProviderError):
    """Credit, quota or free tier used up; waiting seconds will not help."""


class RateLimited(ProviderError):
    """
    Too many requests just now.

    Attributes:
        retry_after_s: Seconds to wait as told by the provider, or None.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.retry_after_s = retry_after_s


class ProviderUnavailable(ProviderError):
    """The provider has trouble of its own (5xx, overload, maintenance)."""

    retryable = True


class EngineFailed(ProviderError):
    """An engine running in this process reported a failure or raised."""


class NoAudio(ProviderError):
    """The provider said it was done, but no audible sample came."""


class TruncatedAudio(ProviderError):
    """The reply ended before the provider's own mark of its end."""

    retryable = True


class UnexpectedReply(ProviderError):
    """The reply could not be understood; the cause is chained where there is one."""


class TransportError(VivavoceError):
    """The way to the provider failed."""

    retryable = True


class ConnectFailed(TransportError):
    """No connection: name not found, refused, TLS failed, handshake refused."""


class ConnectionLost(TransportError):
    """
    The connection ended in the middle.

    Attributes:
        close_code: WebSocket close code, or None for other wires.
    """

    def __init__(self, message: str, *, close_code: int | None = None) -> None:
        super().__init__(message)
        self.close_code = close_code


class TimedOut(TransportError):
    """
    A limit passed.

    Attributes:
        phase: ``connect``, ``first_audio``, ``between_chunks``, ``total``, or ``answer`` of a call
            that is no speech.
        limit_s: The limit that passed, in seconds.
    """

    def __init__(self, message: str, *, phase: str, limit_s: float) -> None:
        super().__init__(message)
        self.phase = phase
        self.limit_s = limit_s


class MaybeCreated(TransportError):
    """
    A voice was asked for and the answer was lost: it may have been made, and billed.

    It is not asked for again by itself. The message says how to look.

    Attributes:
        candidates: Ids of voices in the provider's list that may be the one.
    """

    retryable = False

    def __init__(self, message: str, *, candidates: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)
