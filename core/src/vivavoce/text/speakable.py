"""Whether a text holds anything a voice can say."""

from __future__ import annotations

import re
import unicodedata

from vivavoce.errors import InvalidValue

__all__ = ["check_characters", "check_text", "has_speakable"]

# Letters and numbers of every script; the regex engine knows them in C.
_LETTER_OR_NUMBER = re.compile(r"[^\W_]")
_UNSPEAKABLE_CHARACTER = re.compile("[\ud800-\udfff\x00]")


def has_speakable(text: str) -> bool:
    """
    Return whether *text* holds a letter, a number or a symbol such as ``€`` or an emoji.

    Punctuation, marks, spaces and control characters say nothing, nor do the
    modifier symbols (``^``, a lone acute accent).
    """
    if _LETTER_OR_NUMBER.search(text):
        return True
    # Only texts without a letter come here, and each character is looked up once.
    return any(_is_symbol(character) for character in set(text))


def check_text(text: str) -> None:
    """
    Refuse a text no voice can speak.

    Raises:
        InvalidValue: If the text is empty, holds nothing speakable, or holds a
            lone surrogate or a NUL character; the message tells the index.
    """
    if not text:
        msg = "The text is empty. Give at least one letter, number or symbol to speak."
        raise InvalidValue(msg)
    check_characters(text)
    if not has_speakable(text):
        msg = (
            f"The text of {len(text)} characters holds nothing to speak, only spaces, punctuation "
            "or control characters. Give at least one letter, number or symbol."
        )
        raise InvalidValue(msg)


def check_characters(text: str) -> None:
    """
    Refuse a text with a character that cannot be sent.

    Raises:
        InvalidValue: If it holds a lone surrogate or a NUL; the message tells the index.
    """
    fault = _UNSPEAKABLE_CHARACTER.search(text)
    if fault is not None:
        raise InvalidValue(_describe_fault(fault))


def _is_symbol(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "S" and category != "Sk"


def _describe_fault(fault: re.Match[str]) -> str:
    if fault.group() == "\x00":
        return f"The text holds a NUL character at index {fault.start()}. Remove it."
    return (
        f"The text holds a lone surrogate, {fault.group()!r}, at index {fault.start()}. "
        "The text was probably decoded or cut wrongly: pass whole characters."
    )
