"""
From a request to the service, and from its replies to audio.

Two ways lead to the same samples: server-sent events, which bring them while they are made,
and a plain reply, which tells an address to fetch a WAV from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from vivavoce.authoring import (
    AudioData,
    AudioFormat,
    BodyData,
    BodyEnd,
    CapabilityError,
    Event,
    Exchange,
    Facts,
    Failed,
    Finished,
    HttpCall,
    InvalidValue,
    NextCall,
    Output,
    ProviderConfig,
    ProviderUnavailable,
    RequestRejected,
    ResponseStarted,
    Secret,
    SseComment,
    SseEvent,
    SseReader,
    SynthesisRequest,
    Synthesizer,
    UnexpectedReply,
    VivavoceError,
    WavHeaderReader,
    cut_string,
    decode_base64,
)
from vivavoce_qwen.calls import as_json, base_url, headers_of
from vivavoce_qwen.errors import error_of_body, error_of_event, status_comment
from vivavoce_qwen.realtime import RealtimeExchange, SpokenWhole, realtime_url
from vivavoce_qwen.replies import decoded, is_text, parsed, usage_of
from vivavoce_qwen.tables import language_type

__all__ = ["QwenExchange", "QwenSynthesizer"]

PATH = "/services/aigc/multimodal-generation/generation"

# The longest text of one request speaks a few minutes; this is twenty-three.
WAV_MAX_BYTES = 64 << 20
JSON_MAX_BYTES = 1 << 20
REDIRECTS_MAX = 3
# The pages show buckets of the service's own object store, below this name.
AUDIO_DOMAIN = ".aliyuncs.com"


class QwenSynthesizer(Synthesizer):
    """
    Knows where to send and with which key.

    Raises:
        SettingsError: If the workspace is no id that can stand in an address.
    """

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._base_url = base_url(config)
        self._realtime_url = realtime_url(config)

    def exchange(self, request: SynthesisRequest) -> Exchange:
        """
        Return the conversation that speaks *request*.

        Events are used unless the option ``transport`` asks for a plain reply: with them the
        first audio comes while the rest is made, and no second request is needed.

        Raises:
            InvalidValue: If instructions are to be optimised and there are none.
        """
        if request.options.get("optimize_instructions") and not request.instructions:
            msg = (
                "optimize_instructions has nothing to work on: give instructions= with it, "
                "or leave it out."
            )
            raise InvalidValue(msg)
        key = self.config.credential or Secret("")
        if request.model.transports == ("websocket",):
            return SpokenWhole(request, self._realtime_url, key)
        return QwenExchange(
            request,
            self._base_url + PATH,
            key,
            wants_events=request.options.get("transport") != "http",
        )

    def session(self, request: SynthesisRequest) -> RealtimeExchange:
        """
        Return a session that takes text while audio comes; only realtime models have one.

        Raises:
            CapabilityError: If the model takes a text whole.
        """
        if request.model.transports != ("websocket",):
            msg = f"{request.model.name!r} takes no text while speaking. Use a realtime model."
            raise CapabilityError(msg, capability="stream_in")
        key = self.config.credential or Secret("")
        return RealtimeExchange(request, self._realtime_url, key)

    def probe(self) -> HttpCall:
        """Return a call to the address itself: whatever it answers, it is there."""
        return HttpCall(method="GET", url=self._base_url, max_body_bytes=JSON_MAX_BYTES)


def _body(request: SynthesisRequest) -> bytes:
    assert request.voice is not None  # the plan sees to it
    inputs: dict[str, object] = {
        "text": request.text,
        "voice": request.voice.id,
        "language_type": language_type(request.language),
    }
    if request.instructions is not None:
        # UNCERTAIN where these go: the page lists them here, the official clients put them
        # into "parameters". The service is reported to take either; the documented is sent.
        inputs["instructions"] = request.instructions
        if "optimize_instructions" in request.options:
            inputs["optimize_instructions"] = request.options["optimize_instructions"]
    return as_json({"model": request.model.name, "input": inputs})


class QwenExchange(Exchange):
    """
    One synthesis, whichever way the reply comes.

    Args:
        request: What to speak.
        url: Where to ask.
        key: The credential.
        wants_events: Whether to ask for events; a plain reply is understood all the same.
    """

    def __init__(
        self, request: SynthesisRequest, url: str, key: Secret, *, wants_events: bool
    ) -> None:
        self.format = request.format
        self._url = url
        self._content = _body(request)
        self._key = key
        self._wants_events = wants_events
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._text = bytearray()
        self._events: _Events | None = None
        self._download: _Download | None = None

    def open(self) -> HttpCall:
        """Ask the service to speak."""
        headers = headers_of(self._key)
        if self._wants_events:
            headers["accept"] = "text/event-stream"
            # The second is what the official client asks the proxies on the way.
            headers |= {"x-dashscope-sse": "enable", "x-accel-buffering": "no"}
        return HttpCall(url=self._url, headers=headers, body=self._content)

    def resume(self) -> HttpCall | None:
        """Fetch the audio again where it is made, and billed, already."""
        return None if self._download is None else self._download.call()

    def receive(self, event: Event) -> Sequence[Output]:
        """Return audio and facts; raise, or end with, what the service says is wrong."""
        if isinstance(event, BodyData):
            if self._events is not None:
                return self._events.feed(event.data)
            return self._other_data(event.data)
        if isinstance(event, ResponseStarted):
            self._begin(event)
            return ()
        if isinstance(event, BodyEnd):
            return self._end()
        return super().receive(event)

    def _begin(self, event: ResponseStarted) -> None:
        self._status = event.status
        self._headers = event.headers
        self._text.clear()
        kind = event.headers.get("content-type", "")
        if self._download is None and event.status < 300 and kind.startswith("text/event-stream"):
            self._events = _Events(event.headers, self.format)

    def _other_data(self, data: bytes) -> Sequence[Output]:
        if self._download is not None and self._status < 300:
            return self._download.feed(data)
        # Of an endless body only the beginning is kept.
        self._text += data[: JSON_MAX_BYTES - len(self._text)]
        return ()

    def _end(self) -> Sequence[Output]:
        if self._events is not None:
            return self._events.finish()
        if self._download is None:
            return self._answer()
        if self._status < 300:
            return self._download.finish()
        return (NextCall(self._download.elsewhere(self._status, self._headers)),)

    def _answer(self) -> Sequence[Output]:
        """Read a plain reply, and go on to where it says the audio is."""
        message = parsed(self._text) if self._status < 300 else {}
        audio = _audio_of(message)
        url, text = audio.get("url"), audio.get("data")
        if not message.get("code"):
            facts = _facts_of(message, audio)
            if is_text(text):
                samples = _Samples(self.format)
                data = samples.feed(decoded(text)) + samples.finish()
                return (facts, AudioData(data), Finished())
            if is_text(url):
                self._download = _Download(url, asked=self._url, audio_format=self.format)
                return (facts, NextCall(self._download.call()))
        raise error_of_body(self._status, self._headers, bytes(self._text))


class _Events:
    """Reads a reply that comes as events."""

    def __init__(self, headers: Mapping[str, str], audio_format: AudioFormat) -> None:
        self._headers = headers
        self._reader = SseReader()
        self._samples: _Samples | None = _Samples(audio_format)
        self._status: int | None = None
        self._is_finished = False
        # Most events of a reply differ in their audio alone: what is left of one without
        # it, once read, need not be read again.
        self._known = b""

    def feed(self, data: bytes) -> Sequence[Output]:
        """Return what *data*, cut anywhere, brings."""
        return self._outputs(self._reader.feed(data))

    def finish(self) -> Sequence[Output]:
        """Return what the end of the body brings."""
        return self._outputs(self._reader.finish())

    def _outputs(self, items: Sequence[SseEvent | SseComment]) -> Sequence[Output]:
        outputs: list[Output] = []
        try:
            for item in items:
                if isinstance(item, SseComment):
                    self._status = status_comment(item) or self._status
                elif not self._is_finished:
                    self._take(item, outputs)
                    self._status = None
        except VivavoceError as error:
            # What came before it in the same piece of the body is spoken all the same.
            outputs.append(Failed(error))
        return outputs

    def _take(self, event: SseEvent, outputs: list[Output]) -> None:
        cut = cut_string(event.data, b"data")
        is_error = event.event == "error" or (self._status or 0) >= 400
        if cut is not None and cut[1] == self._known and not is_error:
            self._audio(decode_base64(cut[0]), outputs)
            return
        message, text = _cut_message(event.data, cut)
        if is_error or message.get("code"):
            raise error_of_event(message, self._status or 200, self._headers)
        audio = _audio_of(message)
        outputs.append(_facts_of(message, audio))
        self._audio(text, outputs)
        output = message.get("output")
        # While it is being made this is the string "null".
        if isinstance(output, dict) and output.get("finish_reason") == "stop":
            self._end(outputs)
        elif cut is not None and audio.get("data") == "":
            # Where the cut-out string stood elsewhere, it was no audio.
            self._known = cut[1]

    def _audio(self, data: bytes, outputs: list[Output]) -> None:
        if self._samples is not None:
            data = self._samples.feed(data)
            if self._samples.is_plain:
                self._samples = None
        if data:
            outputs.append(AudioData(data))

    def _end(self, outputs: list[Output]) -> None:
        self._is_finished = True
        if self._samples is not None and (held := self._samples.finish()):
            outputs.append(AudioData(held))
        outputs.append(Finished())


class _Samples:
    """
    Takes the samples out of a WAV, and lets bare ones pass.

    UNCERTAIN whether a stream ever begins with a WAV header: none was seen, but without
    this it would be heard as a click.

    Args:
        audio_format: What must come.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._head = b""
        self._wav: _Wav | None = None
        self.is_plain = False

    def feed(self, data: bytes) -> bytes:
        """Return the samples in *data*."""
        if self._wav is not None:
            return self._wav.feed(data)
        if self.is_plain:
            return data
        head, self._head = self._head + data, b""
        if head.startswith(b"RIFF"[: len(head)]) and b"WAVE".startswith(head[8:12]):
            if len(head) < 12:
                self._head = head
                return b""
            self._wav = _Wav(self._format)
            return self._wav.feed(head)
        self.is_plain = True
        return head

    def finish(self) -> bytes:
        """Return what was held back."""
        return self._head if self._wav is None else self._wav.finish()


class _Wav:
    """
    Reads a WAV to its end.

    UNCERTAIN whether its sizes are right: wrong ones are reported of a sibling service. So
    all that follows the header is taken for samples.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._reader = WavHeaderReader(trusts_size=False)

    def feed(self, data: bytes) -> bytes:
        """Return the samples in *data*."""
        return self._read(self._reader.feed, data)

    def finish(self) -> bytes:
        """Return samples that were in doubt."""
        return self._read(self._reader.finish)

    def _read(self, step: Callable[..., bytes], *data: bytes) -> bytes:
        try:
            samples = step(*data)
        except InvalidValue as error:
            msg = f"The audio that came cannot be read. {error.message}"
            raise UnexpectedReply(msg) from error
        if self._reader.format not in (None, self._format):
            # Spoken as it is, it would be too fast or too slow.
            msg = f"The audio that came is {self._reader.format}, not {self._format}."
            raise UnexpectedReply(msg)
        return samples


class _Download:
    """Fetches a WAV from the address that a reply names."""

    def __init__(self, url: str, *, asked: str, audio_format: AudioFormat) -> None:
        self._asked = urlsplit(asked)
        self._format = audio_format
        self._wav = _Wav(audio_format)
        self._url = self._checked(url)
        self._redirects = 0

    def call(self) -> HttpCall:
        """Return the request: without the key, which the address does not need."""
        self._wav = _Wav(self._format)
        return HttpCall(method="GET", url=self._url, max_body_bytes=WAV_MAX_BYTES)

    def feed(self, data: bytes) -> Sequence[Output]:
        """Return the samples in *data*."""
        samples = self._wav.feed(data)
        return (AudioData(samples),) if samples else ()

    def finish(self) -> Sequence[Output]:
        """Return the last samples."""
        return (AudioData(self._wav.finish()), Finished())

    def elsewhere(self, status: int, headers: Mapping[str, str]) -> HttpCall:
        """Return the request to where a redirect leads; refuse any other status."""
        where = headers.get("location")
        if status not in (301, 302, 303, 307, 308) or not where:
            raise self._refused(status)
        self._redirects += 1
        if self._redirects > REDIRECTS_MAX:
            msg = f"The address of the audio redirects more than {REDIRECTS_MAX} times."
            raise UnexpectedReply(msg, status=status)
        self._url = self._checked(urljoin(self._url, where))
        return self.call()

    def _refused(self, status: int) -> VivavoceError:
        # The body is not quoted: it may repeat the address with its signature.
        msg = f"The audio is made, but its address answers with HTTP {status}."
        if status >= 500 or status in (408, 429):
            return ProviderUnavailable(msg, status=status)
        return RequestRejected(f"{msg} It is valid for a day only.", status=status)

    def _checked(self, url: str) -> str:
        """Return *url* with TLS, if it leads to the service."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            msg = "The address of the audio cannot be read."
            raise UnexpectedReply(msg) from None
        is_asked = (host, port) == (self._asked.hostname, self._asked.port)
        if is_asked and parts.scheme == self._asked.scheme:
            return url
        if not (is_asked or f".{host}".endswith(AUDIO_DOMAIN)) or parts.username is not None:
            msg = (
                f"The audio is said to be at {host!r}, which is neither the service's "
                f"(*{AUDIO_DOMAIN}) nor {self._asked.hostname!r}. It was not fetched."
            )
            raise UnexpectedReply(msg)
        return _with_tls(parts)


def _with_tls(parts: SplitResult) -> str:
    # The service tells plain addresses; the same ones work with TLS, since the signature
    # does not cover the scheme.
    if parts.scheme not in ("http", "https"):
        msg = f"The address of the audio begins with {parts.scheme!r}, not with https."
        raise UnexpectedReply(msg)
    host = parts.hostname or ""
    netloc = host if parts.port in (None, 80, 443) else f"{host}:{parts.port}"
    return parts._replace(scheme="https", netloc=netloc, fragment="").geturl()


def _cut_message(data: bytes, cut: tuple[bytes, bytes] | None) -> tuple[Mapping[str, Any], bytes]:
    """Return an event's data as an object, and the audio in it."""
    if cut is not None:
        message = parsed(cut[1])
        # Only where the cut-out string stood in its place is it audio.
        if _audio_of(message).get("data") == "":
            return message, decode_base64(cut[0])
    message = parsed(data)
    text = _audio_of(message).get("data")
    return message, decoded(text) if is_text(text) else b""


def _audio_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    output = message.get("output")
    audio = output.get("audio") if isinstance(output, dict) else None
    return audio if isinstance(audio, dict) else {}


def _facts_of(message: Mapping[str, Any], audio: Mapping[str, Any]) -> Facts:
    other: dict[str, str | Secret] = {}
    if is_text(audio.get("url")):
        # Its query holds a signature that opens the audio to whoever has it.
        other["audio_url"] = Secret(audio["url"])
    if isinstance(audio.get("expires_at"), int):
        other["audio_expires_at"] = str(audio["expires_at"])
    request_id = message.get("request_id")
    return Facts(
        request_id=request_id if is_text(request_id) else None,
        usage=usage_of(message.get("usage")),
        other=other,
    )
