"""Sans-I/O steps from samples to samples: rate, channels, loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vivavoce.audio.g711 import decode_g711
from vivavoce.audio.pcm import (
    Aligner,
    gain_function,
    import_extra,
    mono_to_stereo,
    stereo_to_mono,
)
from vivavoce.audio.wav import WavHeaderReader
from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat, Container, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Chain", "Resampler", "Stage", "to_samples"]

_COMPRESSED = (Encoding.MP3, Encoding.OPUS, Encoding.FLAC)


class Stage(Protocol):
    """A sans-I/O step: bytes in any cut go in, bytes come out."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what is ready; often nothing."""

    def finish(self) -> bytes:
        """Return the rest. Nothing may be fed afterwards."""


class Chain:
    """Stages one after the other, as one stage; with none, bytes pass unchanged."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        """Take the stages in the order the bytes pass them."""
        self._stages = tuple(stages)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what has passed all stages."""
        for stage in self._stages:
            data = stage.feed(data)
        return data

    def finish(self) -> bytes:
        """Return the rest of every stage, passed through those behind it."""
        rest = b""
        for stage in self._stages:
            rest = (stage.feed(rest) if rest else b"") + stage.finish()
        return rest


class Resampler:
    """
    Change the sample rate of ``pcm_s16le``.

    Any cut of the input gives the same output. It reckons in floating point
    and rounds at the end: the resampler's own 16-bit output is dithered with
    noise that depends on the cut.
    """

    def __init__(self, in_rate_hz: int, out_rate_hz: int, channels: int) -> None:
        """
        Take both rates in Hz and the number of interleaved channels.

        Raises:
            MissingDependency: If soxr or numpy is absent.
        """
        self._numpy: Any = import_extra("numpy", "resampling")
        soxr = import_extra("soxr", "resampling")
        self._channels = channels
        self._aligner = Aligner(2 * channels)
        self._stream: Any = soxr.ResampleStream(
            in_rate_hz, out_rate_hz, channels, dtype="float32", quality="HQ"
        )

    def feed(self, data: bytes) -> bytes:
        """Take interleaved samples, cut anywhere; return those resampled so far."""
        samples = self._aligner.align(data)
        return self._resampled(samples, is_last=False) if samples else b""

    def finish(self) -> bytes:
        """Return the samples still in the filter."""
        self._aligner.finish()
        return self._resampled(b"", is_last=True)

    def _resampled(self, pcm: bytes, *, is_last: bool) -> bytes:
        numpy = self._numpy
        samples = numpy.frombuffer(pcm, dtype="<i2").astype(numpy.float32)
        if self._channels > 1:
            samples = samples.reshape(-1, self._channels)
        out = numpy.rint(self._stream.resample_chunk(samples, last=is_last))
        whole: bytes = numpy.clip(out, -32768, 32767).astype("<i2").tobytes()
        return whole


class _Mapped:
    """A function from whole samples to samples, as a stage."""

    def __init__(self, function: Callable[[bytes], bytes], frame_bytes: int) -> None:
        self._function = function
        self._aligner = Aligner(frame_bytes)

    def feed(self, data: bytes) -> bytes:
        samples = self._aligner.align(data)
        return self._function(samples) if samples else b""

    def finish(self) -> bytes:
        self._aligner.finish()
        return b""


def to_samples(source: AudioFormat, target: AudioFormat, gain_db: float = 0.0) -> Stage:
    """
    Return a stage from *source* to ``pcm_s16le`` at *target*'s rate and channels.

    It makes the audio *gain_db* decibels louder. The target's encoding and
    container are not looked at.

    Raises:
        InvalidValue: If *source* is compressed.
        MissingDependency: If the ``audio`` extra is needed and absent.
    """
    return Chain(_sample_stages(source, target, gain_db))


def _sample_stages(source: AudioFormat, target: AudioFormat, gain_db: float) -> list[Stage]:
    stages = _decoding_stages(source)
    if gain_db:
        stages.append(_Mapped(gain_function(gain_db), 2))
    # Fewer channels before the costly step, more after it.
    if source.channels > target.channels:
        stages.append(_Mapped(stereo_to_mono, 4))
    if source.sample_rate_hz != target.sample_rate_hz:
        channels = min(source.channels, target.channels)
        stages.append(Resampler(source.sample_rate_hz, target.sample_rate_hz, channels))
    if source.channels < target.channels:
        stages.append(_Mapped(mono_to_stereo, 2))
    return stages


def _decoding_stages(source: AudioFormat) -> list[Stage]:
    if source.encoding in _COMPRESSED:
        msg = (
            f"{source.encoding.value!r} cannot be converted while it streams. "
            "Ask for pcm_s16le, or decode the whole audio."
        )
        raise InvalidValue(msg)
    stages: list[Stage] = [WavHeaderReader()] if source.container is Container.WAV else []
    if not source.is_pcm:
        stages.append(_Mapped(lambda data: decode_g711(data, source.encoding), 1))
    return stages
