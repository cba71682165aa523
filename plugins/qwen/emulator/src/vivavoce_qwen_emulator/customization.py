"""Making, listing and deleting voices: what is asked, and what is answered."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vivavoce_qwen_emulator.checks import Order, Refused, invalid, is_speakable
from vivavoce_qwen_emulator.recordings import check_recording, check_transcript, read_recording
from vivavoce_qwen_emulator.replies import wav_header
from vivavoce_qwen_emulator.settings import Settings
from vivavoce_qwen_emulator.speech import guess_language
from vivavoce_qwen_emulator.voices import Account, Making, OwnVoice, VoiceStore

if TYPE_CHECKING:
    from vivavoce_qwen.tables import ManagementRow

__all__ = ["Desk", "action_of", "find_manager", "making_by"]

_NAME = re.compile(r"[A-Za-z0-9_]+")
_PROMPT_LANGUAGES = ("en", "zh")
_DESIGNED = "qwen-voice-design"
_FIRST_PAGE, _PAGE_SIZE = 0, 10

# The pages: (least, most) of the number of a page, and of its size.
_PAGES: Mapping[Making, tuple[tuple[int, int], tuple[int, int]]] = {
    "cloned": ((0, 1_000_000), (0, 1_000_000)),
    # No page tells a greatest size; this is what a database takes.
    "designed": ((0, 200), (1, (1 << 31) - 1)),
}

Answer = dict[str, Any]


def making_by(name: str) -> Making:
    """Return how the model *name* makes voices."""
    return "designed" if name == _DESIGNED else "cloned"


def find_manager(body: Mapping[str, Any], region: str) -> ManagementRow:
    """
    Return the model *body* names, one of those that make voices.

    Raises:
        Refused: If it names none, none of this region, or one that speaks.
    """
    from vivavoce_qwen.tables import management, models

    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("The field 'model' is required and is a string.")
    if name in models():
        raise invalid(f"url error, please check url: {name!r} makes no voices.")
    row = management().get(name)
    if row is None or region not in row.regions:
        raise Refused(404, "ModelNotFound", f"There is no model {name!r} in {region}.")
    return row


def action_of(body: object) -> str:
    """Return what *body* asks to do, or an empty string."""
    given = body.get("input") if isinstance(body, dict) else None
    action = given.get("action") if isinstance(given, dict) else None
    return action if isinstance(action, str) else ""


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of an object in a body, each read with what it may be."""

    given: Mapping[str, Any]
    place: str

    def text(self, name: str, limit: int | None = None) -> str:
        """Return a string that has to be there, with something in it that can be said."""
        value = self.given.get(name)
        if not isinstance(value, str) or not is_speakable(value):
            raise invalid(f"The field '{self.place}.{name}' is required and is a string.")
        if not _is_unicode(value):
            raise invalid("Please ensure input text is valid.")
        if limit is not None and len(value) > limit:
            msg = f"'{self.place}.{name}' has {len(value)} characters, and may have {limit}."
            raise invalid(msg)
        return value

    def optional(self, name: str) -> str:
        """Return a string, or an empty one."""
        value = self.given.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise invalid(f"The field '{self.place}.{name}' is a string.")
        return value

    def choice(self, name: str, choices: tuple[Any, ...], default: Any) -> Any:
        """Return one of *choices*, or *default*."""
        value = self.given.get(name)
        if value is None:
            return default
        # To Python alone 24000.0 is 24000.
        if value not in choices or type(value) is not type(choices[0]):
            listed = ", ".join(map(str, choices))
            msg = f"The field '{self.place}.{name}' is {value!r}, and may be one of: {listed}."
            raise invalid(msg)
        return value

    def number(self, name: str, default: int, limits: tuple[int, int]) -> int:
        """Return a whole number within *limits*, or *default*."""
        value = self.given.get(name, default)
        least, most = limits
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            msg = f"The field '{self.place}.{name}' is {value!r}, and may be {least} to {most}."
            raise invalid(msg)
        return value


class Desk:
    """
    Makes voices and keeps them. May be used by many threads.

    Args:
        settings: How the service behaves.
        store: Where voices are kept.
        speak: Text to audio; blocks.
    """

    def __init__(
        self, settings: Settings, store: VoiceStore, speak: Callable[[Order], bytes]
    ) -> None:
        self._settings = settings
        self._store = store
        self._speak = speak

    def answer(self, body: Mapping[str, Any], row: ManagementRow, account: Account) -> Answer:
        """
        Do what *body* asks and return the answer, but for the id of the request. Blocks.

        Raises:
            Refused: If it cannot be done.
        """
        given = body.get("input")
        if not isinstance(given, dict):
            raise invalid("The field 'input' is required and is an object.")
        action = given.get("action")
        if action not in row.actions:
            listed = ", ".join(row.actions)
            raise invalid(f"The field 'input.action' is {action!r}, and may be one of: {listed}.")
        fields, making = _Fields(given, "input"), making_by(row.name)
        if action == "list":
            return self._list(fields, making, account)
        if action == "query":
            return {"output": _told(self._found(fields, making, account)), "usage": {"count": 0}}
        if action == "delete":
            return self._delete(fields, making, account)
        if making == "cloned":
            return self._clone(fields, row, account)
        parameters = body.get("parameters")
        if parameters is not None and not isinstance(parameters, dict):
            raise invalid("The field 'parameters' is an object.")
        return self._design(fields, _Fields(parameters or {}, "parameters"), row, account)

    def delete(self, body: Mapping[str, Any], making: Making, account: Account) -> None:
        """
        Delete the voice that is named in *body*, as somebody else might.

        Raises:
            Refused: If there is none.
        """
        self._delete(_Fields(body["input"], "input"), making, account)

    def _clone(self, fields: _Fields, row: ManagementRow, account: Account) -> Answer:
        target, name = _read_target(fields, row), _read_name(fields, row)
        audio = fields.given.get("audio")
        data = audio.get("data") if isinstance(audio, dict) else None
        if not isinstance(data, str) or not data:
            raise invalid("The field 'input.audio.data' is required and is a string.")
        language = fields.choice("language", row.languages, "")
        transcript = fields.optional("text")
        recording = read_recording(data, row.limits["audio_bytes"])
        if recording is not None:
            check_recording(recording, row.limits)
            if transcript:
                check_transcript(transcript, recording)
        made = self._store.add(account, "cloned", name, target, language=language)
        output = {"voice": made.voice, "target_model": target}
        return {"output": output, "usage": {"count": 1}}

    def _design(
        self, fields: _Fields, parameters: _Fields, row: ManagementRow, account: Account
    ) -> Answer:
        from vivavoce_qwen.tables import LANGUAGE_TYPES, models

        target, name = _read_target(fields, row), _read_name(fields, row)
        prompt = fields.text("voice_prompt", row.limits["voice_prompt_characters"])
        if guess_language(prompt) not in _PROMPT_LANGUAGES:
            raise invalid("The field 'input.voice_prompt' is in Chinese or English.")
        text = fields.text("preview_text", row.limits["preview_text_characters"])
        least = self._settings.least_preview_characters
        if len(text) < least:
            raise invalid(f"preview_text should not be shorter than {least} characters")
        language = fields.choice("language", row.languages, "zh")
        formats, rates = row.preview["formats"], row.preview["sample_rates_hz"]
        kind = parameters.choice("response_format", tuple(formats), formats[0])
        rate_hz = parameters.choice("sample_rate", tuple(rates), rates[0])
        made = self._store.add(
            account,
            "designed",
            name,
            target,
            language=language,
            voice_prompt=prompt,
            preview_text=text,
        )
        # English under the language that holds where none is named would be spelled out.
        spoken = language if "language" in fields.given else guess_language(text)
        order = Order(
            model=models()[target],
            voice=made.voice,
            text=text,
            language_type=LANGUAGE_TYPES[spoken],
            sample_rate_hz=rate_hz,
            response_format="pcm" if kind == "wav" else kind,
        )
        try:
            audio = self._speak(order)
        except Refused:
            self._store.delete(account, "designed", made.voice)
            raise
        if kind == "wav":
            audio = wav_header(len(audio), sample_rate_hz=rate_hz) + audio
        output = {
            "preview_audio": {
                "data": base64.b64encode(audio).decode(),
                "sample_rate": rate_hz,
                "response_format": kind,
            },
            "target_model": target,
            "voice": made.voice,
        }
        return {"output": output, "usage": {"count": 1}}

    def _list(self, fields: _Fields, making: Making, account: Account) -> Answer:
        indices, sizes = _PAGES[making]
        index = fields.number("page_index", _FIRST_PAGE, indices)
        size = fields.number("page_size", _PAGE_SIZE, sizes)
        voices = self._store.page(account, making, index, size)
        if making == "cloned":
            listed = [
                {
                    "voice": voice.voice,
                    "gmt_create": voice.made_at,
                    "target_model": voice.target_model,
                    **({"language": voice.language} if voice.language else {}),
                }
                for voice in voices
            ]
            return {"output": {"voice_list": listed}, "usage": {"count": 0}}
        output = {
            "page_index": index,
            "page_size": size,
            "total_count": self._store.count(account, making),
            "voice_list": [_told(voice) for voice in voices],
        }
        return {"output": output, "usage": {}}

    def _delete(self, fields: _Fields, making: Making, account: Account) -> Answer:
        voice = self._found(fields, making, account)
        self._store.delete(account, making, voice.voice)
        return {"usage": {"count": 0}}

    def _found(self, fields: _Fields, making: Making, account: Account) -> OwnVoice:
        name = fields.given.get("voice")
        if not isinstance(name, str) or not name:
            raise invalid("The field 'input.voice' is required and is a string.")
        voice = self._store.find(account, making, name)
        if voice is not None:
            return voice
        # One page tells a status of its own, another a code beside the status of success.
        if self._settings.missing_voice == "status":
            raise Refused(400, "BadRequest.VoiceNotFound", f"Voice '{name}' not found.")
        raise Refused(200, "VoiceNotFound", f"Voice not found: {name}")


def _read_target(fields: _Fields, row: ManagementRow) -> str:
    if fields.given.get("target_model") is None:
        raise invalid("The field 'input.target_model' is required and is a string.")
    return str(fields.choice("target_model", row.target_models, ""))


def _read_name(fields: _Fields, row: ManagementRow) -> str:
    """Return the name, or an empty string: one page has it required, another does not."""
    name, limit = fields.optional("preferred_name"), row.limits["preferred_name_characters"]
    if (name or "preferred_name" in fields.given) and not _NAME.fullmatch(name):
        msg = f"The field 'input.preferred_name' is {name!r}, and has letters, digits and _ only."
        raise invalid(msg)
    if len(name) > limit:
        raise invalid(f"The field 'input.preferred_name' is longer than {limit} characters.")
    return name


def _is_unicode(text: str) -> bool:
    """Return whether *text* can be stored: JSON may hold half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _told(voice: OwnVoice) -> Answer:
    return {
        "voice": voice.voice,
        "target_model": voice.target_model,
        "language": voice.language,
        "voice_prompt": voice.voice_prompt,
        "preview_text": voice.preview_text,
        "gmt_create": voice.made_at,
        "gmt_modified": voice.made_at,
    }
