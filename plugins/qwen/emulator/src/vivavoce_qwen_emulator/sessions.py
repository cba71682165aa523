"""What a session is set to, and how its text is put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vivavoce_qwen_emulator.checks import Order, Refused, are_too_long, is_speakable

if TYPE_CHECKING:
    from vivavoce_qwen.tables import ModelRow

__all__ = ["MODES", "TextBuffer", "invalid_value", "order_of", "read_session"]

MODES = ("server_commit", "commit")

# A full stop may stand within a number or an address, so white space must follow it.
_SENTENCE_END = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|[。！？]+["'”’」』）]*|\n""")
_BIT_RATES_KBPS = (6, 510)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one field of a session may be."""

    is_usable: Callable[[Any], bool]
    wanted: str
    is_claimed: Callable[[ModelRow], bool] = lambda _model: True
    """Whether a model has the field at all."""


def invalid_value(message: str) -> Refused:
    """Return how a session refuses what a client said."""
    return Refused(400, "invalid_value", message)


def read_session(given: object, model: ModelRow) -> dict[str, Any]:
    """
    Return what *given*, the client's part of an update, sets *model* to.

    Fields that are unknown, or null, are left out.

    Raises:
        Refused: If a value is unusable, or not one of the model's.
    """
    if not isinstance(given, Mapping):
        raise invalid_value("Session update error: 'session' is no object.")
    rules = _rules(model)
    read = {}
    for name, value in given.items():
        rule = rules.get(name)
        if rule is None or value is None:
            continue
        if not rule.is_claimed(model):
            msg = f"Session update error: {model.name!r} does not take {name!r}."
            raise invalid_value(msg)
        if not rule.is_usable(value):
            msg = f"Session update error: {name!r} is {value!r}, and has to be {rule.wanted}."
            raise invalid_value(msg)
        read[name] = value
    return read


def order_of(model: ModelRow, session: Mapping[str, Any]) -> Order:
    """Return what a session that is set to *session* asks of *model*, with no text yet."""
    return Order(
        model=model,
        voice=session.get("voice", "Cherry"),
        text="",
        language_type=session.get("language_type", "Auto"),
        instructions=session.get("instructions", ""),
        speech_rate=session.get("speech_rate", 1.0),
        pitch_rate=session.get("pitch_rate", 1.0),
        volume=session.get("volume", 50),
        sample_rate_hz=session.get("sample_rate", 24_000),
        response_format=session.get("response_format", "pcm"),
    )


class TextBuffer:
    """
    Puts together what a client appends.

    However the text is cut into pieces, it is grouped the same.

    Args:
        group_characters: Length at which a group ends without the end of a sentence.
    """

    def __init__(self, group_characters: int) -> None:
        self._group_characters = group_characters
        self._text = ""

    def add(self, text: str) -> None:
        """Add *text*."""
        self._text = (self._text + text).lstrip()

    def take_groups(self) -> Iterator[str]:
        """Yield what is complete, and keep the rest."""
        while end := self._group_end():
            group, self._text = self._text[:end], self._text[end:].lstrip()
            yield group.strip()

    def take(self) -> str:
        """Return all that is left."""
        text, self._text = self._text.strip(), ""
        return text

    def _group_end(self) -> int:
        """Return where the first group ends, 0 if it is not complete."""
        limit = self._group_characters
        for found in _SENTENCE_END.finditer(self._text, 0, limit + 1):
            # At the end of what is there, more of the same sign may come.
            is_whole = found.end() < len(self._text) or found[0] == "\n"
            # Signs alone are no sentence; they go with what follows.
            if is_whole and is_speakable(self._text[: found.end()]):
                return min(found.end(), limit)
        if len(self._text) <= limit:
            return 0
        return self._text.rfind(" ", 1, limit + 1) + 1 or limit


def _rules(model: ModelRow) -> dict[str, _Rule]:
    languages = [name.lower() for name in ("Auto", *model.languages)]
    return {
        "voice": _Rule(lambda value: isinstance(value, str) and bool(value), "a string"),
        "mode": _Rule(lambda value: value in MODES, " or ".join(MODES)),
        "language_type": _Rule(
            lambda value: isinstance(value, str) and value.lower() in languages,
            f"one of {', '.join(('Auto', *model.languages))}",
        ),
        "response_format": _Rule(
            lambda value: value in model.formats, f"one of {', '.join(model.formats)}"
        ),
        "sample_rate": _Rule(
            lambda value: _is_number(value, int) and value in model.sample_rates_hz,
            f"one of {', '.join(map(str, model.sample_rates_hz))}",
        ),
        "speech_rate": _Rule(
            lambda value: _is_number(value, int | float) and 0.5 <= value <= 2.0,
            "from 0.5 to 2.0",
            lambda model: model.rate == "yes",
        ),
        "pitch_rate": _Rule(
            lambda value: _is_number(value, int | float) and 0.5 <= value <= 2.0,
            "from 0.5 to 2.0",
            lambda model: model.pitch == "yes",
        ),
        "volume": _Rule(
            lambda value: _is_number(value, int) and 0 <= value <= 100,
            "a whole number from 0 to 100",
            lambda model: model.volume == "yes",
        ),
        "bit_rate": _Rule(
            lambda value: (
                _is_number(value, int) and _BIT_RATES_KBPS[0] <= value <= _BIT_RATES_KBPS[1]
            ),
            "a whole number from 6 to 510",
            lambda model: model.bit_rate == "yes",
        ),
        "instructions": _Rule(
            lambda value: isinstance(value, str) and not are_too_long(value),
            "a string of at most 1600 tokens",
            lambda model: model.instructions,
        ),
        "optimize_instructions": _Rule(
            lambda value: isinstance(value, bool), "true or false", lambda model: model.instructions
        ),
        "enable_tn": _Rule(lambda value: isinstance(value, bool), "true or false"),
    }


def _is_number(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
