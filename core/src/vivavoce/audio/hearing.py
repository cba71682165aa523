"""A file of sound: read, decoded to its end and measured."""

from __future__ import annotations

import io
import math
import os
import re
import stat
from typing import TYPE_CHECKING, Any

from attrs import frozen

from vivavoce.audio.containers import Shape, inspect_container
from vivavoce.errors import InvalidValue, MissingDependency

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FRAME_S", "LONG_PAUSE_S", "SILENT_DBFS", "Sound", "hear", "is_address", "read_source"]

# Decoded at most, however long it may be by the rules.
MOST_SAMPLES = 100_000_000
MOST_CHANNELS = 8

# The level of speech is that of its sounding parts, each this long.
FRAME_S = 0.02
SILENT_DBFS = -50.0

# Silence: 25 dB below the speech or 6 dB above the noise, yet never less than 12 dB below the
# speech. Shorter gaps belong to speech.
GAP_S = 0.3
LONG_PAUSE_S = 2.0

_DEMUXERS = {"wav": "wav", "mp3": "mp3", "m4a": "mov", "flac": "flac", "ogg": "ogg"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:")
_NAME_MAX = 80


def is_address(source: object) -> bool:
    """Return whether *source* is an address such as ``https://...``, rather than a path."""
    return isinstance(source, str) and _SCHEME.match(source) is not None


@frozen(kw_only=True)
class Decoded:
    """
    What a decoder made of a file.

    Attributes:
        rate_hz: Sample rate.
        samples: 16 bits each, of shape (frames, channels).
        codec: Name of the encoding, or empty for plain samples.
        has_video: Whether there are moving pictures too.
        fault: What is wrong with the file while its sound is whole, or empty.
    """

    rate_hz: int
    samples: NDArray[np.int16]
    codec: str = ""
    has_video: bool = False
    fault: str = ""


@frozen(kw_only=True)
class Sound:
    """A file, decoded, mixed down and measured."""

    name: str
    data: bytes
    shape: Shape
    decoded: Decoded
    mono: NDArray[np.int16]
    measured: Measured

    @property
    def rate_hz(self) -> int:
        return self.decoded.rate_hz

    @property
    def samples(self) -> NDArray[np.int16]:
        return self.decoded.samples

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


@frozen(kw_only=True)
class Measured:
    """
    What was measured.

    Attributes:
        peak_dbfs: Largest sample of any channel.
        speech_dbfs: Mean power of the sounding frames; ``-inf`` without any.
        swing_db: How much the level of these varies.
        clipped_share: Of samples at full scale in a row, 0.0 to 1.0.
        begin_s: Where sound begins.
        end_s: Where it ends.
        sounding_s: Seconds of sound, short gaps included.
        longest_pause_s: Of the long ones inside.
        long_pauses: How many there are.
    """

    peak_dbfs: float
    speech_dbfs: float
    swing_db: float
    clipped_share: float
    begin_s: float
    end_s: float
    sounding_s: float
    longest_pause_s: float
    long_pauses: int


# --- reading ---


def read_source(source: object, most: int, limit: str) -> tuple[str, bytes]:
    """
    Return what to call a recording in messages, and its bytes.

    Args:
        source: Path or bytes.
        most: Most bytes that are read; a larger file is refused by its size.
        limit: The same in words.

    Raises:
        InvalidValue: If it is neither, or a file that cannot be read; the message tells the
            file's name without its folder.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "The recording", bytes(source)
        if len(data) > most:
            raise _too_large(name, len(data), limit)
    else:
        path = _path_of(source)
        name = f"The recording {_cut_name(path)!r}"
        data = _read_file(path, name, most, limit)
    if not data:
        msg = f"{name} is empty (0 bytes). Give a file with sound in it."
        raise InvalidValue(msg)
    return name, data


def _path_of(source: object) -> str:
    if is_address(source):
        msg = (
            "The recording is at an address, not in a file. "
            "Save it to a file and give its path, or its bytes."
        )
        raise InvalidValue(msg)
    try:
        path = os.fsdecode(os.fspath(source))  # type: ignore[call-overload]
    except TypeError:
        msg = f"A recording is a path or bytes, not {type(source).__name__}."
        raise InvalidValue(msg) from None
    if not path or "\x00" in path:
        msg = "The recording's path is empty or holds a NUL character. Give the path of a file."
        raise InvalidValue(msg)
    assert isinstance(path, str)
    return path


def _cut_name(path: str) -> str:
    name = os.path.basename(path.rstrip("/\\")) or path[:1]  # noqa: PTH119 - of any system's path
    return name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 1] + "…"


def _read_file(path: str, name: str, most: int, limit: str) -> bytes:
    try:
        # A pipe without a writer would never open; a device can do anything when opened.
        _check_kind(os.stat(path).st_mode, name)  # noqa: PTH116
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            _check_kind(status.st_mode, name)
            if status.st_size > most:
                raise _too_large(name, status.st_size, limit)
            data = file.read(most + 1)
    except OSError as error:
        # The system's own message would tell the whole path.
        reason = error.strerror or type(error).__name__
        msg = f"{name} cannot be read: {reason}. Give the path of a file you may read."
        raise InvalidValue(msg) from None
    if len(data) > most:
        raise _too_large(name, len(data), limit)
    return data


def _check_kind(mode: int, name: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(mode), "no plain file")
    msg = f"{name} is {kind}, not a file. Give the path of a file, or its bytes."
    raise InvalidValue(msg)


def _too_large(name: str, size: int, limit: str) -> InvalidValue:
    return InvalidValue(f"{name} has {size} bytes; {limit}. Give a shorter recording.")


# --- decoding ---


def hear(name: str, data: bytes, most_s: float) -> Sound:
    """
    Decode all of a recording and measure it.

    Args:
        name: What to call it in messages.
        data: The file.
        most_s: Most seconds that are decoded.

    Raises:
        InvalidValue: If it is no sound, cut off, damaged, or longer than *most_s*.
        MissingDependency: If the extra ``voices`` is absent.
    """
    try:
        shape = inspect_container(data)
        numpy = _extra("numpy")
        decode = _decode_plain if shape.samples else _decode_any
        decoded = decode(data, shape, most_s)
        _check_whole(shape, len(decoded.samples))
    except InvalidValue as error:
        msg = f"{name} cannot be used: {error.message}"
        raise InvalidValue(msg) from error.__cause__
    mono = _to_mono(numpy, decoded.samples)
    return Sound(
        name=name,
        data=data,
        shape=shape,
        decoded=decoded,
        mono=mono,
        measured=_measure(numpy, decoded.samples, mono, decoded.rate_hz),
    )


def _decode_plain(data: bytes, shape: Shape, most_s: float) -> Decoded:
    assert shape.samples is not None
    assert shape.channels is not None
    assert shape.sample_rate_hz is not None
    numpy = _extra("numpy")
    begin, end = shape.samples
    frames = (end - begin) // (2 * shape.channels)
    _check_bounds(frames, shape.channels, shape.sample_rate_hz, most_s)
    samples = numpy.frombuffer(data, "<i2", offset=begin, count=frames * shape.channels)
    return Decoded(rate_hz=shape.sample_rate_hz, samples=samples.reshape(-1, shape.channels))


def _decode_any(data: bytes, shape: Shape, most_s: float) -> Decoded:
    av = _extra("av")
    # Named, so that no content can choose a reader that opens other files.
    demuxer = _DEMUXERS[shape.container]
    end = len(data) - shape.stray_bytes
    try:
        with av.open(io.BytesIO(data[:end]), format=demuxer, metadata_errors="ignore") as container:
            return _decode_stream(av, container, most_s)
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        if isinstance(error, InvalidValue):
            raise
        msg = (
            f"it looks like {shape.container.upper()}, but cannot be decoded to its end "
            f"({type(error).__name__}): it is damaged or cut off. Save it again."
        )
        raise InvalidValue(msg) from error


def _decode_stream(av: Any, container: Any, most_s: float) -> Decoded:
    numpy = _extra("numpy")
    streams = container.streams
    if len(streams.audio) != 1:
        msg = f"it holds {len(streams.audio)} tracks of sound. Give a file with one."
        raise InvalidValue(msg)
    stream = streams.audio[0]
    if stream.codec_context is None:
        msg = "its sound is encoded in a way not known here. Save it as WAV."
        raise InvalidValue(msg)
    # Without this, a frame with a wrong checksum is played as if nothing were wrong.
    stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
    rate_hz, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    _check_bounds(0, channels, rate_hz, most_s)
    has_video = any(not _is_cover(video) for video in streams.video)
    to_16_bit = av.AudioResampler(format="s16")
    blocks, frames, packets, last = [], 0, 0, None
    for packet in container.demux(stream):
        if packet.size:
            packets, last = packets + 1, packet
        for decoded in packet.decode():
            if (decoded.sample_rate, decoded.layout.nb_channels) != (rate_hz, channels):
                msg = "its sample rate or channels change within. Save it again as WAV."
                raise InvalidValue(msg)
            for block in to_16_bit.resample(decoded):
                blocks.append(block.to_ndarray().reshape(-1, channels))
                frames += block.samples
        _check_bounds(frames, channels, rate_hz, most_s)
    if packets < stream.frames:
        msg = f"it is cut off: it announces {stream.frames} packets and has {packets}."
        raise InvalidValue(msg)
    samples = numpy.concatenate(blocks) if blocks else numpy.empty((0, channels), "<i2")
    codec = stream.codec_context.name
    # The reader of FLAC takes all that follows for part of the last frame.
    has_stray = codec == "flac" and last is not None and _crc16(bytes(last)) != 0
    return Decoded(
        rate_hz=rate_hz,
        samples=samples,
        codec=codec,
        has_video=has_video,
        fault="something follows that is no part of it" if has_stray else "",
    )


def _crc16(data: bytes) -> int:
    """Return the checksum of a FLAC frame; 0 for a whole one with its own at the end."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def _is_cover(video: Any) -> bool:
    return bool(video.disposition.value & 0x400)  # AV_DISPOSITION_ATTACHED_PIC


def _check_bounds(frames: int, channels: int, rate_hz: int, most_s: float) -> None:
    if not (0 < channels <= MOST_CHANNELS and rate_hz > 0):
        msg = f"it has {channels} channels at {rate_hz} Hz. Give a recording in mono."
        raise InvalidValue(msg)
    if frames > most_s * rate_hz or frames * channels > MOST_SAMPLES:
        msg = (
            f"it goes on for more than {frames / rate_hz:.0f} s, of which no more was looked at. "
            "Give a shorter recording."
        )
        raise InvalidValue(msg)


def _check_whole(shape: Shape, frames: int) -> None:
    if not frames:
        msg = "it holds no sound at all (0 samples). Give a recording of speech."
        raise InvalidValue(msg)
    if shape.total_frames and frames < shape.total_frames:
        msg = (
            f"it is cut off: it announces {shape.total_frames} samples and has {frames}. "
            "Give the whole file."
        )
        raise InvalidValue(msg)


def _extra(module: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        msg = (
            f"Looking at a recording needs {module}, which is not installed. "
            "Run: pip install 'vivavoce[voices]'"
        )
        raise MissingDependency(msg, extra="voices") from error


# --- measuring ---


def _to_mono(numpy: Any, samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the mean of all channels, or the loudest where the mean would lose it."""
    if samples.shape[1] == 1:
        only: NDArray[np.int16] = samples[:, 0]
        return only
    mean = numpy.rint(samples.mean(axis=1, dtype=numpy.float32)).astype(numpy.int16)
    power = numpy.array([_power(numpy, samples[:, n]) for n in range(samples.shape[1])])
    loudest = int(power.argmax())
    # One microphone on two channels, or two that cancel each other.
    is_lost = _power(numpy, mean) < 0.4 * power[loudest]
    chosen: NDArray[np.int16] = samples[:, loudest] if is_lost else mean
    return chosen


def _power(numpy: Any, samples: NDArray[np.int16]) -> float:
    wide = samples.astype(numpy.float32)
    return float(wide @ wide) / len(wide)


def _measure(
    numpy: Any, samples: NDArray[np.int16], mono: NDArray[np.int16], rate_hz: int
) -> Measured:
    frame = max(1, round(FRAME_S * rate_hz))
    count = len(mono) // frame
    powers = [_power(numpy, mono[n * frame : (n + 1) * frame]) for n in range(count)]
    levels = 10 * numpy.log10(numpy.array(powers or [_power(numpy, mono)]) / 32768**2 + 1e-12)
    sounding = levels > _threshold(numpy, levels)
    where = numpy.flatnonzero(sounding)
    peak = int(numpy.abs(samples.astype(numpy.int32)).max())
    if not len(where):
        where = numpy.array([0])
    gaps = numpy.diff(where) - 1
    frame_s = frame / rate_hz
    pauses = gaps[gaps * frame_s > LONG_PAUSE_S] * frame_s
    short = gaps[gaps * frame_s < GAP_S].sum()
    heard = levels[sounding]
    return Measured(
        peak_dbfs=20 * math.log10(peak / 32768) if peak else -math.inf,
        speech_dbfs=float(10 * numpy.log10(numpy.mean(10 ** (heard / 10))))
        if len(heard)
        else -math.inf,
        swing_db=float(heard.std()) if len(heard) else 0.0,
        clipped_share=_clipped_share(samples),
        begin_s=float(where[0]) * frame_s,
        end_s=min(float(where[-1] + 1) * frame_s, len(mono) / rate_hz),
        sounding_s=float(sounding.sum() + short) * frame_s,
        longest_pause_s=float(pauses.max()) if len(pauses) else 0.0,
        long_pauses=len(pauses),
    )


def _threshold(numpy: Any, levels: NDArray[np.float64]) -> float:
    """Return the level in dBFS above which a frame counts as sounding."""
    noise, speech = numpy.percentile(levels, [5, 95])
    return float(max(min(max(noise + 6, speech - 25), speech - 12), SILENT_DBFS - 15))


def _clipped_share(samples: NDArray[np.int16]) -> float:
    """Return the share of samples that stand at full scale in a row of three or more."""
    full = (samples >= 32_700) | (samples <= -32_700)
    rows = full[:-2] & full[1:-1] & full[2:]
    return float(rows.sum()) / samples.size if rows.size else 0.0
