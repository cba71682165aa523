"""What the service refuses, and how it says so."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vivavoce_qwen_emulator.settings import LengthUnit, Settings

if TYPE_CHECKING:
    from vivavoce_qwen.tables import ModelRow

__all__ = [
    "HasOwn",
    "Order",
    "Refused",
    "are_too_long",
    "bearer_key",
    "check_caller",
    "estimate_tokens",
    "find_model",
    "find_realtime_model",
    "has_voice",
    "invalid",
    "is_own",
    "is_speakable",
    "parse_body",
    "read_order",
]

HasOwn = Callable[[str, str], bool]
"""Whether a model, by its name, speaks with a voice that was made, by its id."""

_MAX_INSTRUCTION_TOKENS = 1_600
# Scripts in which about every character is a token of its own.
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_NOTHING_TO_SAY = "Please ensure input text is valid."


class Refused(Exception):
    """
    The request is refused.

    Args:
        status: HTTP status.
        code: The service's word for it.
        message: For a person.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that passed every check."""

    model: ModelRow
    """The model's row, under the name that was asked for."""

    voice: str
    """A voice that the model has."""

    text: str
    """What is to be said."""

    language_type: str
    """One of the service's names of languages, or ``Auto``."""

    instructions: str = ""
    """How it is to be said; empty for models that take none."""

    speech_rate: float = 1.0
    """0.5 to 2.0; 1.0 is the voice's own."""

    pitch_rate: float = 1.0
    """0.5 to 2.0; 1.0 is the voice's own."""

    volume: int = 50
    """0 to 100; 50 is the voice's own."""

    sample_rate_hz: int = 24_000

    response_format: str = "pcm"
    """``pcm``, ``wav``, ``mp3`` or ``opus``."""


def bearer_key(headers: Mapping[str, str]) -> str:
    """Return the key in *headers*, or an empty string."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def check_caller(headers: Mapping[str, str], settings: Settings) -> None:
    """
    Check who asks, and for which kind of call.

    Raises:
        Refused: 401 without a key of the served region; 403 for an asynchronous call.
    """
    key = bearer_key(headers)
    listed = settings.keys.get(settings.region, ())
    elsewhere = {
        key
        for region, keys in settings.keys.items()
        if region != settings.region
        for key in keys
        if key not in listed
    }
    if not key or key in elsewhere or (listed and key not in listed):
        msg = f"The API key is missing, or is no key of {settings.region}."
        raise Refused(401, "InvalidApiKey", msg)
    if "x-dashscope-async" in headers:
        raise Refused(403, "AccessDenied", "This model takes no asynchronous calls.")


def parse_body(raw: bytes) -> dict[str, Any]:
    """
    Return the JSON object in *raw*.

    Raises:
        Refused: If there is none.
    """
    try:
        body = json.loads(raw)
    except ValueError:  # of the JSON, or of its UTF-8
        body = None
    if not isinstance(body, dict):
        raise invalid("The body is no JSON object.")
    return body


def find_model(body: Mapping[str, Any], region: str) -> ModelRow:
    """
    Return the model *body* names.

    Raises:
        Refused: If it names none, none of this region, or one of another transport.
    """
    from vivavoce_qwen.tables import management, models

    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("The field 'model' is required and is a string.")
    if name in management():
        raise invalid(f"url error, please check url: {name!r} does not speak.")
    row = models().get(name)
    if row is None or region not in row.regions:
        raise Refused(404, "ModelNotFound", f"There is no model {name!r} in {region}.")
    if "http" not in row.transports:
        raise invalid(f"url error, please check url: {name!r} is not served over HTTP.")
    return row


def find_realtime_model(name: str, region: str) -> ModelRow | None:
    """Return the realtime model *name*, or None if there is none in *region*."""
    from vivavoce_qwen.tables import models

    row = models().get(name)
    return row if row is not None and row.is_realtime and region in row.regions else None


def read_order(
    body: Mapping[str, Any], model: ModelRow, unit: LengthUnit, has_own: HasOwn
) -> Order:
    """
    Return what *body* asks of *model*.

    Args:
        body: The parsed body.
        model: What it names.
        unit: What the limit on a text counts.
        has_own: Knows the voices that were made.

    Raises:
        Refused: If a field is missing, wrong, or not one of the model's.
    """
    given = body.get("input")
    if not isinstance(given, dict):
        raise invalid("The field 'input' is required and is an object.")
    parameters = body.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise invalid("The field 'parameters' is an object.")
    # Everything but the text has been seen in either place.
    fields = {**(parameters or {}), **given}
    text = given.get("text")
    if not isinstance(text, str):
        raise invalid("The field 'input.text' is required and is a string.")
    _check_text(text, model, unit)
    return Order(
        model=model,
        voice=_read_voice(fields, model, has_own),
        text=text,
        language_type=_read_language(fields, model),
        instructions=_read_instructions(fields, model),
    )


def estimate_tokens(text: str) -> int:
    """Return about how many tokens *text* is: a CJK character is one, four others are one."""
    dense = len(_DENSE.findall(text))
    return dense + math.ceil((len(text) - dense) / 4)


def are_too_long(instructions: str) -> bool:
    """Return whether the service would refuse *instructions* for their length."""
    return estimate_tokens(instructions) > _MAX_INSTRUCTION_TOKENS


def is_speakable(text: str) -> bool:
    """Return whether there is anything in *text* to say."""
    return any(_is_speakable(character) for character in text)


def is_own(model: ModelRow) -> bool:
    """Return whether *model* speaks only with voices that were made."""
    return model.voices != "system"


def has_voice(model: ModelRow, voice: str, has_own: HasOwn) -> bool:
    """Return whether *voice* is one of *model*."""
    from vivavoce_qwen.tables import voices

    if is_own(model):
        return has_own(model.name, voice)
    row = voices().get(voice)
    return row is not None and model.name in row.models


def invalid(message: str) -> Refused:
    """Return how a wrong or missing field is refused."""
    return Refused(400, "InvalidParameter", message)


def _check_text(text: str, model: ModelRow, unit: LengthUnit) -> None:
    if not is_speakable(text):
        raise invalid(_NOTHING_TO_SAY)
    if model.max_text is not None and _length(text, model, unit) > model.max_text:
        # The service wraps this one: the inner code differs from the outer.
        limit = f"[0, {model.max_text}]"
        raise invalid(
            f"<400> InternalError.Algo.InvalidParameter: Range of input length should be {limit}"
        )


def _is_speakable(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LNS" and category != "Sk"


def _length(text: str, model: ModelRow, unit: LengthUnit) -> int:
    from vivavoce_qwen.tables import count_billed_characters

    if model.max_text_unit == "tokens":
        return estimate_tokens(text)
    if unit == "bytes":
        return len(text.encode(errors="surrogatepass"))
    return count_billed_characters(text) if unit == "billed" else len(text)


def _read_voice(fields: Mapping[str, Any], model: ModelRow, has_own: HasOwn) -> str:
    voice = fields.get("voice")
    if not isinstance(voice, str) or not voice:
        raise invalid("The field 'input.voice' is required and is a string.")
    if not has_voice(model, voice, has_own):
        msg = (
            "Invalid voice specified, the requested voice does not exist or is not licensed for "
            f"use: {voice!r} is no voice of {model.name!r}."
        )
        raise invalid(msg)
    return voice


def _read_language(fields: Mapping[str, Any], model: ModelRow) -> str:
    language = fields.get("language_type")
    if language is None:
        return "Auto"
    allowed = ("Auto", *model.languages)
    if language not in allowed:
        listed = ", ".join(allowed)
        raise invalid(f"The field 'language_type' is {language!r}, and may be one of: {listed}.")
    return str(language)


def _read_instructions(fields: Mapping[str, Any], model: ModelRow) -> str:
    instructions = fields.get("instructions")
    if instructions is None:
        instructions = ""
    if not isinstance(instructions, str):
        raise invalid("The field 'instructions' is a string.")
    if not isinstance(fields.get("optimize_instructions") or False, bool):
        raise invalid("The field 'optimize_instructions' is true or false.")
    if are_too_long(instructions):
        raise invalid(f"The instructions are longer than {_MAX_INSTRUCTION_TOKENS} tokens.")
    # Other models let them pass and do not heed them.
    return instructions if model.instructions else ""
