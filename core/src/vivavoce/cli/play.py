"""Plays samples through the loudspeaker while they arrive."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vivavoce.errors import MissingDependency, OutputError

if TYPE_CHECKING:
    from vivavoce.model.audio import AudioFormat

__all__ = ["Player", "import_device"]

# A write waits until the loudspeaker has taken it all; in pieces of this length
# Ctrl-C is heard at once.
PIECE_S = 0.1


class Player:
    """
    A loudspeaker, as a context manager; leaving it waits for the end, but not with an error.

    Args:
        audio_format: Raw ``pcm_s16le``.

    Raises:
        MissingDependency: If ``sounddevice`` or its PortAudio library is absent.
        OutputError: On entering, if there is no output device; or while it plays.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._device: Any = import_device()
        self._format = audio_format
        self._piece_bytes = round(PIECE_S * audio_format.sample_rate_hz) * audio_format.frame_bytes
        self._stream: Any = None

    def __enter__(self) -> Self:
        try:
            self._stream = self._device.RawOutputStream(
                samplerate=self._format.sample_rate_hz,
                channels=self._format.channels,
                dtype="int16",
            )
            self._stream.start()
        except self._device.PortAudioError as error:
            raise _refusal(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._stream.stop()
            else:
                self._stream.abort()
        finally:
            self._stream.close()

    def write(self, samples: bytes) -> None:
        """Play *samples*; returns when they have been taken, not when they were heard."""
        try:
            for start in range(0, len(samples), self._piece_bytes):
                self._stream.write(samples[start : start + self._piece_bytes])
        except self._device.PortAudioError as error:
            raise _refusal(error) from error


def import_device() -> Any:
    """
    Return ``sounddevice``.

    Raises:
        MissingDependency: If it, or the PortAudio library below it, is absent.
    """
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        msg = "Playing needs 'sounddevice', which is absent. Run: pip install 'vivavoce[play]'"
        raise MissingDependency(msg, extra="play") from error
    except OSError as error:
        # What sounddevice raises where the system has no PortAudio.
        msg = (
            f"Playing needs the PortAudio library: {error}. Install it (on Debian and Ubuntu: "
            "apt install libportaudio2), or write a file with -o."
        )
        raise MissingDependency(msg, extra="play") from error


def _refusal(error: Exception) -> OutputError:
    return OutputError(f"The loudspeaker cannot be used: {error}. Write a file with -o instead.")
