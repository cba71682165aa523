"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, overload

from vivavoce.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["atomic_output"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@overload
def atomic_output(
    path: str | os.PathLike[str], *, encoding: None = None, is_durable: bool = False
) -> AbstractContextManager[IO[bytes]]: ...


@overload
def atomic_output(
    path: str | os.PathLike[str], *, encoding: str, is_durable: bool = False
) -> AbstractContextManager[IO[str]]: ...


def atomic_output(
    path: str | os.PathLike[str], *, encoding: str | None = None, is_durable: bool = False
) -> AbstractContextManager[IO[Any]]:
    """
    Return a context manager that gives a file to write, which becomes *path* at the end.

    Until then it lies beside *path* under a hidden name; on any failure,
    Ctrl-C included, it is removed and *path* is as it was. A file that is
    there is replaced and lends its mode bits; a symbolic link is followed.
    A device or a pipe (``/dev/null``) is written directly.

    Args:
        path: Where the file shall be.
        encoding: Of the text to write (line ends are kept); None gives a binary file.
        is_durable: Wait until the disk has it.

    Raises:
        OutputError: On entering, if *path* is a folder, its folder is missing
            or not writable; while writing or leaving, if the disk is full or
            the file cannot be put in place.
    """
    return _atomic_output(Path(path), encoding, is_durable=is_durable)


@contextlib.contextmanager
def _atomic_output(path: Path, encoding: str | None, *, is_durable: bool) -> Iterator[IO[Any]]:
    mode = _existing_mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        with _opened(_OutputFile(os.fspath(path), path), encoding) as file:
            yield file
        return
    # The link stays, and what it points to is replaced.
    target = path.resolve()
    temporary = target.with_name(f".vivavoce-{secrets.token_hex(8)}.part")
    try:
        with _opened(_create(temporary, path), encoding) as file:
            yield file
            file.flush()
            _settle(file.fileno(), path, mode, is_durable=is_durable)
        with _translated(path):
            temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


class _OutputFile(io.FileIO):
    """A file whose failures name the path the user knows."""

    def __init__(self, file: int | str, path: Path) -> None:
        self._path = path
        with _translated(path):
            super().__init__(file, "wb")

    def write(self, data: Any) -> int:
        with _translated(self._path):
            return super().write(data) or 0

    def close(self) -> None:
        with _translated(self._path):
            super().close()


def _existing_mode(path: Path) -> int | None:
    """Return the mode bits of what is at *path*, or None if there is nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _output_error(path, error) from error
    if stat.S_ISDIR(mode):
        raise _output_error(path, IsADirectoryError(errno.EISDIR, ""))
    # Renaming would replace a file its owner has made read-only.
    if not os.access(path, os.W_OK):
        raise _output_error(path, PermissionError(errno.EACCES, ""))
    return mode


def _create(temporary: Path, path: Path) -> _OutputFile:
    # Not tempfile: that makes files only their owner can read; 0o666 less the
    # umask is what any other program would make.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with _translated(path):
        return _OutputFile(os.open(temporary, flags, 0o666), path)


@contextlib.contextmanager
def _opened(raw: _OutputFile, encoding: str | None) -> Iterator[IO[Any]]:
    """Give *raw* buffered; close it at the end even when the last write fails."""
    file: IO[Any] = io.BufferedWriter(raw)
    if encoding is not None:
        file = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield file
    except BaseException:
        # What is still in the buffer is of no use to anyone, nor its errors.
        with contextlib.suppress(OSError, OutputError):
            raw.close()
        with contextlib.suppress(OSError, OutputError, ValueError):
            file.close()
        raise
    try:
        file.close()
    finally:
        raw.close()


def _settle(descriptor: int, path: Path, mode: int | None, *, is_durable: bool) -> None:
    with _translated(path):
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(descriptor, stat.S_IMODE(mode))
        if is_durable:
            os.fsync(descriptor)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path: Path, error: OSError | ValueError) -> OutputError:
    code = error.errno if isinstance(error, OSError) else None
    folder = os.fspath(path.parent)
    if code == errno.EISDIR:
        reason = "it is a folder. Give the name of a file in it"
    elif code in (errno.ENOENT, errno.ENOTDIR):
        reason = f"the folder {folder!r} does not exist. Create it first"
    elif code in _FORBIDDEN:
        reason = f"there is no permission to write it in {folder!r}. Choose another place"
    elif code in _FULL:
        reason = "the disk is full. Free some space or choose another place"
    elif code == errno.EPIPE:
        reason = "its reader has gone"
    else:
        reason = f"{getattr(error, 'strerror', None) or error}. Choose another place"
    return OutputError(f"Cannot write {os.fspath(path)!r}: {reason}.")
