"""The text to speak, from where the command line says it is."""

from __future__ import annotations

import sys
from pathlib import Path

from vivavoce.errors import InvalidValue

__all__ = ["read_text"]


def read_text(argument: str) -> str:
    """
    Return the text that *argument* stands for.

    Args:
        argument: ``-`` for standard input, ``@FILE`` for a file, ``@@...`` for a text
            that begins with ``@``; else the text itself.

    Raises:
        InvalidValue: If there is no such file, or it is not UTF-8.
    """
    if argument == "-":
        return _decode(sys.stdin.buffer.read(), "Standard input")
    if argument.startswith("@@"):
        return argument[1:]
    if argument.startswith("@"):
        return _read_file(argument[1:])
    return argument


def _read_file(name: str) -> str:
    if not name:
        msg = "'@' names no file. Write @FILE, or '@@' for a text that begins with an @."
        raise InvalidValue(msg)
    try:
        data = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        msg = (
            f"The text file {name!r} cannot be read: {reason}. If this is the text itself, "
            "write '@@' at its beginning."
        )
        raise InvalidValue(msg) from error
    return _decode(data, f"The text file {name!r}")


def _decode(data: bytes, what: str) -> str:
    try:
        # Some editors begin a file with a byte order mark. It is no part of the text.
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        msg = (
            f"{what} is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}. "
            "Convert it to UTF-8 first."
        )
        raise InvalidValue(msg) from error
