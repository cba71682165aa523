"""Plain samples: whole ones, loud ones, silent ones. All samples here are ``pcm_s16le``."""

from __future__ import annotations

import math
import operator
import sys
from array import array
from typing import TYPE_CHECKING

from vivavoce.errors import InvalidValue, MissingDependency, StreamStateError
from vivavoce.model.audio import AudioFormat, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = [
    "Aligner",
    "apply_gain",
    "is_audible",
    "level",
    "mono_to_stereo",
    "samples_of",
    "silence",
    "stereo_to_mono",
    "to_pcm",
]

FULL_SCALE = 32768
_BLOCK_BYTES = 1 << 11
_SILENT_BYTE = {Encoding.PCM_S16LE: b"\x00", Encoding.MULAW: b"\xff", Encoding.ALAW: b"\xd5"}


class Aligner:
    """Cut bytes as they arrive into whole samples of all channels."""

    def __init__(self, frame_bytes: int) -> None:
        """Take the size of one sample of all channels, in bytes, from 1."""
        if frame_bytes < 1:
            msg = f"frame_bytes={frame_bytes!r} is no size of a sample. Choose 1 or more."
            raise InvalidValue(msg)
        self._frame_bytes = frame_bytes
        self._rest = b""
        self._is_finished = False

    def align(self, data: bytes) -> bytes:
        """
        Return the whole samples of *data*, keeping a torn one for the next call.

        Args:
            data: Samples as received; any length, empty allowed.

        Returns:
            Interleaved samples; the length is a multiple of the frame size.

        Raises:
            StreamStateError: If called after :meth:`finish`.
        """
        if self._is_finished:
            msg = "No samples can follow after finish(). Make a new Aligner."
            raise StreamStateError(msg)
        if self._rest:
            data = self._rest + data
        torn = len(data) % self._frame_bytes
        if not torn:
            self._rest = b""
            return data
        self._rest = bytes(data[-torn:])
        return data[:-torn]

    def finish(self) -> int:
        """Return how many bytes of a torn sample are left over; 0 is as it should be."""
        self._is_finished = True
        return len(self._rest)


def samples_of(pcm: bytes | memoryview) -> array[int]:
    """Return the samples of *pcm*, -32768 to 32767; a torn last byte is left out."""
    samples = array("h")
    samples.frombytes(memoryview(pcm)[: len(pcm) - len(pcm) % 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def to_pcm(samples: array[int]) -> bytes:
    """Return *samples*, an array of type ``h``, as ``pcm_s16le``."""
    if sys.byteorder == "big":
        samples = array("h", samples)
        samples.byteswap()
    return samples.tobytes()


def is_audible(pcm: bytes, threshold: int = 16) -> bool:
    """
    Return whether a sample of *pcm* lies beyond *threshold*, at 0 to 32767 of full scale.

    The default, 16, is -66 dBFS: dither and codec noise stay below it.
    """
    # Block by block: speech answers in its first hundredth of a second.
    for begin in range(0, len(pcm), _BLOCK_BYTES):
        samples = samples_of(pcm[begin : begin + _BLOCK_BYTES])
        if samples and (max(samples) > threshold or min(samples) < -threshold):
            return True
    return False


def level(pcm: bytes) -> tuple[float, float]:
    """
    Return loudness and peak of *pcm* in dBFS, 0.0 or below; ``-inf`` for silence.

    Returns:
        Root mean square over all samples, and the largest magnitude, both
        against a full scale of 32768.
    """
    samples = samples_of(pcm)
    if not samples:
        return -math.inf, -math.inf
    peak = max(abs(max(samples)), abs(min(samples)))
    if not peak:
        return -math.inf, -math.inf
    mean_square = sum(map(operator.mul, samples, samples)) / len(samples)
    return 10 * math.log10(mean_square / FULL_SCALE**2), 20 * math.log10(peak / FULL_SCALE)


def silence(audio_format: AudioFormat, seconds: float) -> bytes:
    """
    Return *seconds* of silence as raw samples of *audio_format*, to the nearest sample.

    Raises:
        InvalidValue: If *seconds* is negative, or the encoding is compressed.
    """
    if not 0 <= seconds < math.inf:
        msg = f"{seconds!r} s is no length of silence. Choose 0 or more."
        raise InvalidValue(msg)
    frame_bytes = audio_format.frame_bytes
    frames = round(seconds * audio_format.sample_rate_hz)
    return _SILENT_BYTE[audio_format.encoding] * (frames * frame_bytes)


def mono_to_stereo(pcm: bytes) -> bytes:
    """Return mono *pcm* on two channels, interleaved."""
    samples = samples_of(pcm)
    both = array("h", bytes(4 * len(samples)))
    both[0::2] = samples
    both[1::2] = samples
    return to_pcm(both)


def stereo_to_mono(pcm: bytes) -> bytes:
    """Return the mean of both channels of interleaved *pcm*, rounded down."""
    samples = samples_of(pcm)
    pairs = zip(samples[0::2], samples[1::2], strict=False)
    return to_pcm(array("h", [(left + right) >> 1 for left, right in pairs]))


def apply_gain(pcm: bytes, db: float) -> bytes:
    """
    Return *pcm* louder or softer by *db* decibels; what is too loud saturates.

    Raises:
        MissingDependency: If numpy is absent.
        InvalidValue: If *db* is not a finite number.
    """
    if not math.isfinite(db):
        msg = f"{db!r} dB is no gain. Choose a finite number."
        raise InvalidValue(msg)
    if db == 0:
        return pcm
    return gain_function(db)(pcm)


def gain_function(db: float) -> Callable[[bytes], bytes]:
    """Return :func:`apply_gain` for one *db*, with numpy found once and in good time."""
    numpy = import_extra("numpy", "changing the volume")
    factor = 10 ** (db / 20)

    def gain(pcm: bytes) -> bytes:
        samples = numpy.frombuffer(pcm, dtype="<i2") * factor
        louder: bytes = (
            numpy.clip(numpy.rint(samples), -FULL_SCALE, FULL_SCALE - 1).astype("<i2").tobytes()
        )
        return louder

    return gain


def import_extra(module: str, purpose: str) -> ModuleType:
    """
    Return an optional *module* of the ``audio`` extra.

    Args:
        module: Name to import.
        purpose: What it is needed for, as the subject of a sentence.

    Raises:
        MissingDependency: If it is not installed or its native library is missing.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # soundfile raises OSError without libsndfile
        msg = (
            f"{purpose[:1].upper()}{purpose[1:]} needs {module}, which is not installed. "
            "Run: pip install 'vivavoce[audio]'"
        )
        raise MissingDependency(msg, extra="audio") from error
