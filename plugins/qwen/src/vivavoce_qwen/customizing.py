"""
Voices of one's own: made from a recording or a description, listed, deleted.

One address takes all of it. Whatever is asked is answered by one JSON object, which with a
``code`` in it is a refusal, whatever its HTTP status.
"""

from __future__ import annotations

import base64
import json
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from attrs import evolve

from vivavoce.authoring import (
    AudioFormat,
    CloneRequest,
    DesignRequest,
    HttpCall,
    InvalidValue,
    MadeVoice,
    NextCall,
    ProviderConfig,
    Recording,
    Reply,
    Task,
    UnexpectedReply,
    VivavoceError,
    Voice,
    VoiceCustomizer,
    VoiceOrigin,
    VoicePage,
    shorten,
)
from vivavoce_qwen.calls import as_json, base_url, headers_of
from vivavoce_qwen.capabilities import ID_PREFIXES, models_of, origin_of
from vivavoce_qwen.errors import as_object, error_of_body, read_refusal, request_id_of
from vivavoce_qwen.offers import CLONING, DESIGNING
from vivavoce_qwen.replies import decoded, is_text
from vivavoce_qwen.tables import LANGUAGE_TYPES, language_code, languages_of_voice, management

__all__ = ["PAGE_SIZE", "QwenVoiceCustomizer"]

PAGE_SIZE = 100
# The page's limit for designed voices. For cloned ones there is hardly any, and this many
# pages hold more voices than an account can have.
PAGE_MAX = 200

ANSWER_MAX_BYTES = 1 << 20
# A hundred voices, each with the longest description and preview text, all of it escaped.
LIST_MAX_BYTES = 8 << 20
# The longest preview text takes some four minutes, which at 48 kHz and in base64 are 31 MB.
PREVIEW_MAX_BYTES = 64 << 20

# The service has been seen to call the same thing by several codes, in refusals and in
# answers with status 200; its own examples look for the word in the code.
_NO_SUCH_VOICE = ("VoiceNotFound", "ResourceNotExist")

_MANAGERS = {VoiceOrigin.CLONED: CLONING, VoiceOrigin.DESIGNED: DESIGNING}
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{64,}")
_HIDDEN_MIN_CHARACTERS = 4

Result = TypeVar("Result")


class QwenVoiceCustomizer(VoiceCustomizer):
    """
    Knows where to ask, and with which key.

    Raises:
        SettingsError: If the workspace is no id that can stand in an address.
    """

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._base_url = base_url(config)

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        """Return the task that makes a voice from a recording; there is no preview of it."""
        recording = request.recording
        inputs: dict[str, object] = {
            "action": "create",
            "target_model": request.model.name,
            "preferred_name": request.name,
            "audio": {"data": _address_of(recording)},
        }
        if request.transcript is not None:
            inputs["text"] = request.transcript
        if request.language is not None:
            inputs["language"] = language_code(request.language)
        call = self._call(VoiceOrigin.CLONED, inputs)
        voice = Voice(
            id="",
            origin=VoiceOrigin.CLONED,
            models=(request.model.name,),
            languages=_languages(inputs.get("language")),
        )
        return _Creation(call, voice, None, _cleaner((request.transcript, recording.url)))

    def design(self, request: DesignRequest) -> Task[MadeVoice]:
        """
        Return the task that makes a voice from a description.

        Raises:
            InvalidValue: If a preview cannot come in the format.
        """
        inputs: dict[str, object] = {
            "action": "create",
            "target_model": request.model.name,
            "preferred_name": request.name,
            "voice_prompt": request.description,
            "preview_text": request.preview_text,
        }
        if request.language is not None:
            inputs["language"] = language_code(request.language)
        parameters = {
            "sample_rate": request.format.sample_rate_hz,
            "response_format": _name_of(request.format),
        }
        call = self._call(
            VoiceOrigin.DESIGNED,
            inputs,
            parameters=parameters,
            max_body_bytes=PREVIEW_MAX_BYTES,
        )
        voice = Voice(
            id="",
            origin=VoiceOrigin.DESIGNED,
            models=(request.model.name,),
            languages=_languages(inputs.get("language")),
            description=_line(request.description),
        )
        private = (request.description, request.preview_text)
        return _Creation(call, voice, request.format, _cleaner(private))

    def list(self, origin: VoiceOrigin, page: str | None) -> Task[VoicePage]:
        """
        Return the task that reads a page of the user's voices.

        Raises:
            InvalidValue: If *page* is none that was given as ``next_page``.
        """
        if page is not None and not (page.isascii() and page.isdigit() and len(page) < 9):
            msg = f"{page!r} is no page of a list of voices: it is what the page before gave."
            raise InvalidValue(msg)
        index = int(page or 0)
        inputs = {"action": "list", "page_index": index, "page_size": PAGE_SIZE}
        return _Listing(self._call(origin, inputs, max_body_bytes=LIST_MAX_BYTES), origin, index)

    def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:
        """Return the task that reads a designed voice; cloned ones must be looked for."""
        origin = origin_of(voice_id) or origin
        if "query" not in management()[_MANAGERS[origin]].actions:
            return None
        return _Query(self._call(origin, {"action": "query", "voice": voice_id}), origin, voice_id)

    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
        """Return the task that deletes a voice; *origin* counts where its id tells no kind."""
        origin = origin_of(voice_id) or origin
        return _Deletion(self._call(origin, {"action": "delete", "voice": voice_id}))

    def is_named(self, voice: Voice, name: str) -> bool:
        """Return whether the id of *voice* has the form that the service gives under *name*."""
        # UNCERTAIN whether case is kept; two names that differ in it alone are told apart
        # by nothing else.
        folded = voice.id.casefold()
        return any(
            folded.startswith(f"{prefix}{name}-voice-".casefold())
            for prefix in ID_PREFIXES.values()
        )

    def _call(
        self,
        origin: VoiceOrigin,
        inputs: Mapping[str, object],
        *,
        parameters: Mapping[str, object] | None = None,
        max_body_bytes: int = ANSWER_MAX_BYTES,
    ) -> HttpCall:
        row = management()[_MANAGERS[origin]]
        message: dict[str, object] = {"model": row.name, "input": inputs}
        if parameters is not None:
            message["parameters"] = parameters
        return HttpCall(
            url=self._base_url + row.path,
            headers=headers_of(self.config.credential),
            body=as_json(message),
            max_body_bytes=max_body_bytes,
        )


class _Asked(Task[Result]):
    """
    One call, answered by one object.

    Args:
        call: What to send.
        clean: Takes out of a text what must not be shown.
    """

    wanted = ""

    def __init__(self, call: HttpCall, clean: Callable[[str], str]) -> None:
        self._call = call
        self._clean = clean

    def open(self) -> HttpCall:
        """Ask."""
        return self._call

    def receive(self, reply: Reply) -> Result | NextCall:
        """Return what the answer says, or raise the error that it is."""
        message = as_object(reply.body)
        # A gateway tells errors in an object of that name.
        if message is None or message.get("code") or isinstance(message.get("error"), dict):
            return self.refused(reply)
        return self._read(message, reply)

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        """Return the error that a refusal is, or an answer without what was asked for."""
        return error_of_body(status, headers, body, wanted=self.wanted, clean=self._clean)

    @abstractmethod
    def _read(self, message: Mapping[str, Any], reply: Reply) -> Result:
        """Return what *message* says; raise where it does not hold what was asked for."""

    def _unreadable(self, reply: Reply) -> VivavoceError:
        return self.explain_error(reply.status, reply.headers, reply.body)

    def _is_of_no_voice(self, reply: Reply) -> bool:
        told = read_refusal(reply.status, reply.headers, reply.body)
        said = f"{told.code} {told.message}"
        return (told.status or 0) < 500 and any(word in said for word in _NO_SUCH_VOICE)


class _Creation(_Asked[MadeVoice]):
    """
    Makes a voice.

    Args:
        call: What to send.
        voice: What is known of it beforehand.
        audio_format: Of the preview that was asked for; None where none was.
        clean: Takes out of a text what must not be shown.
    """

    wanted = "a new voice"

    def __init__(
        self,
        call: HttpCall,
        voice: Voice,
        audio_format: AudioFormat | None,
        clean: Callable[[str], str],
    ) -> None:
        super().__init__(call, clean)
        self._voice = voice
        self._format = audio_format

    def _read(self, message: Mapping[str, Any], reply: Reply) -> MadeVoice:
        output = _object(message.get("output"))
        voice_id = output.get("voice")
        if not is_text(voice_id):
            raise self._unreadable(reply)
        warnings = self._fallback(output)
        target = output.get("target_model")
        models = self._voice.models
        if is_text(target) and (target,) != models:
            models = (target,)
            warnings.append(
                f"The voice is bound to {self._quoted(target)}, not to the model asked for."
            )
        preview, preview_format = self._preview(output.get("preview_audio"), warnings)
        return MadeVoice(
            voice=evolve(self._voice, id=voice_id, name=voice_id, models=models),
            preview=preview,
            preview_format=preview_format,
            request_id=self._clean(request_id_of(message, reply.headers)),
            warnings=tuple(warnings),
        )

    def _preview(self, told: object, warnings: list[str]) -> tuple[bytes, AudioFormat | None]:
        """Return the preview and its format; the voice is made, whatever is wrong with them."""
        if self._format is None:
            return b"", None
        audio = _object(told)
        data = audio.get("data")
        if not is_text(data):
            warnings.append("The voice is made, but no preview of it came.")
            return b"", None
        try:
            preview = decoded(data)
        except UnexpectedReply as error:
            warnings.append(f"The voice is made, but its preview cannot be read. {error.message}")
            return b"", None
        try:
            return preview, _format_of(audio, self._format)
        except InvalidValue as error:
            said = self._clean(error.message)
            warnings.append(f"The voice is made; how to read its preview is not known. {said}")
            return preview, None

    def _fallback(self, output: Mapping[str, Any]) -> list[str]:
        if output.get("fallback_mode") is not True:
            return []
        reason = output.get("fallback_reason")
        why = self._quoted(reason) if is_text(reason) else "it does not say why"
        msg = (
            f"The service made the voice in a simpler way ({why}); it may be less like the "
            "recording. Listen to it, and record again if need be."
        )
        return [msg]

    def _quoted(self, text: str) -> str:
        return repr(shorten(self._clean(text).encode("utf-8", "replace")))


class _Listing(_Asked[VoicePage]):
    """
    Reads a page of the list.

    Args:
        call: What to send.
        origin: Of the voices asked for.
        index: Number of the page, from 0.
    """

    wanted = "a list of voices"

    def __init__(self, call: HttpCall, origin: VoiceOrigin, index: int) -> None:
        super().__init__(call, _cleaner())
        self._origin = origin
        self._index = index

    def _read(self, message: Mapping[str, Any], reply: Reply) -> VoicePage:
        output = _object(message.get("output"))
        rows = output.get("voice_list")
        # Where there is none, some encoders write nothing or null in place of a list.
        if rows is None and ("voice_list" in output or output.get("total_count") == 0):
            rows = []
        if not isinstance(rows, list):
            raise self._unreadable(reply)
        voices = tuple(_voice_of(row, self._origin) for row in rows)
        return VoicePage(voices=voices, next_page=self._next(output, len(voices)))

    def _next(self, output: Mapping[str, Any], count: int) -> str | None:
        # What the service says it gave counts: it may give smaller pages than it is asked for.
        size = min(_number(output.get("page_size")) or PAGE_SIZE, PAGE_SIZE)
        total = _number(output.get("total_count"))
        following = self._index + 1
        # UNCERTAIN for cloned voices, of which no total is told: a page shorter than asked
        # for is taken for the last.
        is_last = count < size if total is None else following * size >= total
        return None if is_last or count == 0 or following > PAGE_MAX else str(following)


class _Query(_Asked[Voice | None]):
    """
    Reads one voice.

    Args:
        call: What to send.
        origin: Of the voice.
        voice_id: Its id.
    """

    wanted = "the voice that was asked for"

    def __init__(self, call: HttpCall, origin: VoiceOrigin, voice_id: str) -> None:
        super().__init__(call, _cleaner())
        self._origin = origin
        self._id = voice_id

    def refused(self, reply: Reply) -> Voice | NextCall | None:
        """Return None where there is no such voice."""
        return None if self._is_of_no_voice(reply) else super().refused(reply)

    def _read(self, message: Mapping[str, Any], reply: Reply) -> Voice:
        output = _object(message.get("output"))
        if output.get("voice") != self._id:
            raise self._unreadable(reply)
        return _voice_of(output, self._origin)


class _Deletion(_Asked[bool]):
    """Deletes a voice."""

    wanted = "a word that the voice is deleted"

    def __init__(self, call: HttpCall) -> None:
        super().__init__(call, _cleaner())

    def refused(self, reply: Reply) -> bool | NextCall:
        """Return False where there is no such voice."""
        return False if self._is_of_no_voice(reply) else super().refused(reply)

    def _read(self, message: Mapping[str, Any], reply: Reply) -> bool:  # noqa: ARG002
        # UNCERTAIN what stands in it: "output" may be absent or empty.
        return True


def _address_of(recording: Recording) -> str:
    """Return the recording as the service takes it: its address, or all of it as one."""
    if recording.url:
        return recording.url
    text = base64.b64encode(recording.data).decode("ascii")
    return f"data:{recording.media_type};base64,{text}"


def _name_of(audio_format: AudioFormat) -> str:
    """Return the service's name of a preview's format."""
    for name in management()[DESIGNING].preview["formats"]:
        if AudioFormat.named(name, sample_rate_hz=audio_format.sample_rate_hz) == audio_format:
            return str(name)
    msg = f"A preview cannot come as {audio_format}."
    raise InvalidValue(msg)


def _format_of(audio: Mapping[str, Any], asked: AudioFormat) -> AudioFormat:
    """
    Return the format that the answer tells, or the one asked for where it tells none.

    Raises:
        InvalidValue: If it tells something that is none.
    """
    name = audio.get("response_format") or _name_of(asked)
    rate_hz = _number(audio.get("sample_rate") or asked.sample_rate_hz)
    # Only what is near to being one is quoted.
    if not isinstance(name, str) or len(name) > 16 or rate_hz is None:
        msg = "What the service says of its format is neither a name nor a sample rate."
        raise InvalidValue(msg)
    return AudioFormat.named(name, sample_rate_hz=rate_hz)


def _voice_of(row: object, origin: VoiceOrigin) -> Voice:
    """
    Return the voice that an entry of the list describes.

    Raises:
        UnexpectedReply: If it has no id: a voice that is passed over in silence would
            seem to have been deleted.
    """
    facts = _object(row)
    voice_id, model = facts.get("voice"), facts.get("target_model")
    if not is_text(voice_id):
        msg = f"The service lists a {origin.value} voice without saying its id."
        raise UnexpectedReply(msg)
    prompt = facts.get("voice_prompt")
    return Voice(
        id=voice_id,
        name=voice_id,
        origin=origin,
        models=(model,) if is_text(model) else models_of(origin),
        languages=_languages(facts.get("language")),
        description=_line(prompt) if is_text(prompt) else "",
        created_at=_time_of(facts.get("gmt_create")),
    )


def _time_of(text: object) -> datetime | None:
    # UNCERTAIN in which zone: the page names none, so none is made up.
    if not is_text(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _languages(own: object) -> tuple[str, ...]:
    """Return what a voice speaks by its language: that first; nothing where that is not known."""
    return languages_of_voice(own) if is_text(own) and own in LANGUAGE_TYPES else ()


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def _line(text: str) -> str:
    return " ".join(text.split())


def _cleaner(private: Iterable[str | None] = ()) -> Callable[[str], str]:
    """
    Return what takes texts of the user's, and whatever looks like audio, out of a message.

    Args:
        private: What must not be shown, as it is or as JSON would write it.
    """
    forms = sorted({form for text in private if text for form in _forms(text)}, key=len)

    def clean(message: str) -> str:
        for form in reversed(forms):
            message = message.replace(form, "***")
        return _BASE64.sub("***", message)

    return clean


def _forms(text: str) -> Sequence[str]:
    written = [json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
    forms = (text, _line(text), *written)
    return [form for form in forms if len(form) >= _HIDDEN_MIN_CHARACTERS]
