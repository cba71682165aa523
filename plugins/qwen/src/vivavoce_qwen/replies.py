"""What the replies of both wires have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from vivavoce.authoring import UnexpectedReply, decode_base64

__all__ = ["decoded", "is_text", "parsed", "usage_of"]

_scan = json.JSONDecoder().raw_decode
_UNITS = ("characters", "input_tokens", "output_tokens", "total_tokens")


def parsed(data: bytes | bytearray) -> Mapping[str, Any]:
    """
    Return the object in *data*; an empty one for JSON that is none.

    Raises:
        UnexpectedReply: If it is no JSON.
    """
    try:
        value = _loads(data)
    except (ValueError, RecursionError) as error:
        # Not chained: the cause holds the whole text.
        msg = f"A reply of {len(data)} bytes is no JSON ({type(error).__name__})."
        raise UnexpectedReply(msg) from None
    return value if isinstance(value, dict) else {}


def _loads(data: bytes | bytearray) -> Any:
    # A third of what json.loads takes for what is small, by far the most: it looks which
    # encoding it is, and for white space around it.
    try:
        text = str(data, "utf-8")
        value, end = _scan(text)
    except ValueError:
        return json.loads(data)
    return value if end == len(text) else json.loads(data)


def usage_of(usage: object) -> dict[str, float]:
    """Return the billed units, those that are none left out; details are no units of their own."""
    if not isinstance(usage, dict):
        return {}
    return {
        unit: float(amount)
        for unit in _UNITS
        if isinstance(amount := usage.get(unit), int | float)
        and not isinstance(amount, bool)
        and amount > 0
    }


def is_text(value: object) -> TypeGuard[str]:
    """Return whether *value* is a string with something in it."""
    return isinstance(value, str) and value != ""


def decoded(text: str) -> bytes:
    """
    Return the audio that *text* says in base64.

    Raises:
        UnexpectedReply: If it is none.
    """
    # What is not ASCII is no base64 either; "?" lets the decoder say so.
    return decode_base64(text.encode("ascii", "replace"))
