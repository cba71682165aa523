"""The text to speak, from where the command line says it is."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from vivavoce.errors import InvalidValue
from vivavoce.text.speakable import has_speakable

__all__ = ["read_file", "read_pieces", "read_text"]


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
        return _read_named(argument[1:])
    return argument


def read_pieces() -> Iterator[str]:
    """
    Yield standard input as it comes, such as the tokens of a language model in a pipe.

    Raises:
        InvalidValue: If it is not UTF-8, or at its end, if there was nothing to speak in it.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    # What is there, however little, and without the lock of the buffer: a thread that still waits
    # here when the program ends would have it, and Python aborts over that.
    stdin = cast(io.RawIOBase, getattr(sys.stdin.buffer, "raw", sys.stdin.buffer))
    is_first, is_speakable = True, False
    while True:
        data = stdin.read(4096) or b""
        try:
            piece = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            msg = f"Standard input is not UTF-8: {error.reason}. Convert it to UTF-8 first."
            raise InvalidValue(msg) from error
        if is_first and piece:
            piece, is_first = piece.removeprefix("\ufeff"), False
        if piece:
            is_speakable = is_speakable or has_speakable(piece)
            yield piece
        if not data:
            break
    if not is_speakable:
        msg = "Standard input holds nothing to speak. Give at least one letter, number or symbol."
        raise InvalidValue(msg)


def read_file(name: str, what: str, hint: str = "") -> str:
    """
    Return the text of a file.

    Args:
        name: Its path.
        what: What it is, for messages.
        hint: What to do where it cannot be read; a sentence, or empty.

    Raises:
        InvalidValue: If it cannot be read, or is not UTF-8.
    """
    try:
        data = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        msg = f"{what} {name!r} cannot be read: {reason}. {hint}".rstrip()
        raise InvalidValue(msg) from error
    return _decode(data, f"{what} {name!r}")


def _read_named(name: str) -> str:
    if not name:
        msg = "'@' names no file. Write @FILE, or '@@' for a text that begins with an @."
        raise InvalidValue(msg)
    hint = "If this is the text itself, write '@@' at its beginning."
    return read_file(name, "The text file", hint)


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
