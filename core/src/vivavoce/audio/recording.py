"""A recording to clone a voice from, looked at before anything is sent."""

from __future__ import annotations

import hashlib
import io
import ipaddress
import math
import os
import re
import stat
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import evolve, frozen

from vivavoce.audio.containers import MEDIA_TYPES, Shape, inspect_container
from vivavoce.audio.encode import FileEncoder, encoder_rate
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce.model.audio import AudioFormat
from vivavoce.model.customizing import Finding, Level, Recording, RecordingRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["address_recording", "examine_recording", "is_address", "refuse"]

# --- bounds: what is refused or warned of besides the provider's own rules ---

# Read into memory at most: with repairs, or where a provider has no limit; else a few times it.
MOST_BYTES_READ = 200_000_000
MOST_TIMES_READ = 4
# Decoded at most: a recording of ten hours is refused once this much of it is known.
MOST_TIMES_DECODED = 3
MOST_S_WITHOUT_RULE = 600.0
MOST_SAMPLES = 100_000_000
MOST_CHANNELS = 8

# The level of speech is that of its sounding parts, 20 ms each.
FRAME_S = 0.02
SILENT_DBFS = -50.0
QUIET_DBFS = -36.0
CLIPPED_SHARE = 0.001
STEADY_DB = 1.5

# Silence: 25 dB below the speech or 6 dB above the noise, yet never less than 12 dB below the
# speech. Shorter gaps belong to speech.
GAP_S = 0.3
LONG_EDGE_S = 1.0
LONG_PAUSE_S = 2.0
KEPT_EDGE_S = 0.25
SOUND_SHARE = 0.5

# Telephone quality is the least that is brought to a higher rate.
LEAST_RAISED_HZ = 8_000

# Syllables a second: read aloud slowly to fast, and beyond what a mouth can do. A letter of an
# alphabet is a third of a syllable; a Chinese character, a kana, a hangul block or a digit is one.
LETTERS_A_SYLLABLE = 3
SPEECH_SYLLABLES = (1.5, 9.0)
POSSIBLE_SYLLABLES = (0.5, 15.0)

_DEMUXERS = {"wav": "wav", "mp3": "mp3", "m4a": "mov", "flac": "flac", "ogg": "ogg"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:")
_SYLLABIC = re.compile(r"CJK UNIFIED|CJK COMPAT|HIRAGANA|KATAKANA|HANGUL|BOPOMOFO")
_NAME_MAX = 80
_HINT = "Or pass fix=True to have it done."


def is_address(source: object) -> bool:
    """Return whether *source* is an address such as ``https://...``, rather than a path."""
    return isinstance(source, str) and _SCHEME.match(source) is not None


def address_recording(url: str, rules: RecordingRules) -> Recording:
    """
    Return a recording that the provider is to fetch itself; nothing is looked at here.

    Raises:
        InvalidValue: If it is no public ``http`` or ``https`` address, or the provider
            fetches none.
    """
    parts = _split_address(url)
    if not rules.takes_url:
        msg = (
            f"The recording is at an address ({parts.scheme}), and this provider fetches none. "
            "Save it to a file, and give its path."
        )
        raise InvalidValue(msg)
    found = [
        Finding(
            about="address",
            level=Level.WARNED,
            message=(
                "The recording was not looked at, since the provider fetches it itself. "
                "Give a file to have it examined first."
            ),
        )
    ]
    if _is_private(parts.hostname or ""):
        found.append(
            Finding(
                about="address",
                level=Level.WARNED,
                message=(
                    "The recording's address is one of this machine or a private network, which "
                    "a provider elsewhere cannot reach. Give a public address or a file."
                ),
            )
        )
    return Recording(
        url=url, sha256=hashlib.sha256(url.encode()).hexdigest(), findings=tuple(found)
    )


def examine_recording(
    source: str | os.PathLike[str] | bytes,
    rules: RecordingRules,
    *,
    transcript: str | None = None,
    fix: bool = False,
) -> Recording:
    """
    Look at all of a recording and compare it with what a provider asks.

    Args:
        source: Path or bytes of the file. An address is for :func:`address_recording`.
        rules: What the provider asks.
        transcript: What is said in it, to be compared with its length; or None.
        fix: Whether to put right what can be: the sample rate (from 8 kHz), the channels,
            silence at both ends, the container, stray bytes. Speech is never cut.

    Returns:
        The recording as it would be sent, with all that was found, refusals first. It is
        for the caller to raise them (:func:`refuse`).

    Raises:
        InvalidValue: If it cannot be read at all: no such file, no plain file, far too
            large, no sound, cut off, damaged.
        MissingDependency: If the extra ``voices`` is absent.
    """
    name, data = _read(source, rules, fix=fix)
    sound = _hear(name, data, rules)
    found = list(_compared(sound, rules, transcript))
    repairs = {item.repair for item in found if item.repair}
    sha256 = hashlib.sha256(data).hexdigest()
    if not repairs or not _target(rules):
        return _recording(sound, [item.finding for item in found], sha256)
    if not fix:
        return _recording(sound, [_with_hint(item) for item in found], sha256)
    repaired = _hear(name, _repair(sound, rules, repairs), rules)
    left = list(_compared(repaired, rules, transcript))
    done = list(_repaired(sound, repaired, found, left))
    return _recording(repaired, [*done, *(item.finding for item in left)], sha256)


def refuse(findings: Iterable[Finding]) -> None:
    """
    Raise one error for all refusals among *findings*; without any, do nothing.

    Raises:
        InvalidValue: With the messages of all refusals.
    """
    messages = [finding.message for finding in findings if finding.level is Level.REFUSED]
    if messages:
        raise InvalidValue(" ".join(messages))


@frozen(kw_only=True)
class _Found:
    """
    A finding, and the repair for it where there is one.

    Attributes:
        finding: What was found, for one who gets no repair.
        repair: What to do: ``rewrite``, ``rate``, ``mono``, ``trim`` or ``smaller``; or empty.
        hint: What the repair would do.
        done: What it did.
        after: What is to be said besides once it is done.
    """

    finding: Finding
    repair: str = ""
    hint: str = ""
    done: str = ""
    after: tuple[Finding, ...] = ()


@frozen(kw_only=True)
class _Decoded:
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
class _Sound:
    """A file, decoded, mixed down and measured."""

    name: str
    data: bytes
    shape: Shape
    decoded: _Decoded
    mono: NDArray[np.int16]
    measured: _Measured

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
class _Measured:
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


def _read(source: object, rules: RecordingRules, *, fix: bool) -> tuple[str, bytes]:
    most = MOST_BYTES_READ
    if rules.max_bytes is not None and not fix:
        most = min(most, MOST_TIMES_READ * rules.max_bytes)
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "The recording", bytes(source)
        if len(data) > most:
            raise _too_large(name, len(data), rules, most)
    else:
        path = _path_of(source)
        name = f"The recording {_cut_name(path)!r}"
        data = _read_file(path, name, rules, most)
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


def _read_file(path: str, name: str, rules: RecordingRules, most: int) -> bytes:
    try:
        # A pipe without a writer would never open; a device can do anything when opened.
        _check_kind(os.stat(path).st_mode, name)  # noqa: PTH116
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            _check_kind(status.st_mode, name)
            if status.st_size > most:
                raise _too_large(name, status.st_size, rules, most)
            data = file.read(most + 1)
    except OSError as error:
        # The system's own message would tell the whole path.
        reason = error.strerror or type(error).__name__
        msg = f"{name} cannot be read: {reason}. Give the path of a file you may read."
        raise InvalidValue(msg) from None
    if len(data) > most:
        raise _too_large(name, len(data), rules, most)
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


def _too_large(name: str, size: int, rules: RecordingRules, most: int) -> InvalidValue:
    if rules.max_bytes is not None and most < MOST_BYTES_READ:
        limit = f"{rules.max_bytes} bytes are taken"
    else:
        limit = f"{MOST_BYTES_READ} bytes are read at most"
    return InvalidValue(f"{name} has {size} bytes; {limit}. Give a shorter recording.")


# --- addresses ---


def _split_address(url: str) -> Any:
    try:
        parts = urlsplit(url)
        host, has_login = parts.hostname, "@" in parts.netloc
    except ValueError:
        msg = "The recording's address cannot be read. Give one such as https://host/file.wav."
        raise InvalidValue(msg) from None
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        msg = (
            f"A recording cannot be fetched by {scheme[:20]!r}, only by http or https. "
            "Give such an address, a path or bytes."
        )
        raise InvalidValue(msg)
    if not host or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        msg = (
            "The recording's address has no host, or characters that must be written as %xx. "
            "Give one such as https://host/file.wav."
        )
        raise InvalidValue(msg)
    if has_login:
        msg = (
            "The recording's address holds a login, which would be sent on. "
            "Give an address that needs none."
        )
        raise InvalidValue(msg)
    return parts


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


# --- decoding ---


def _hear(name: str, data: bytes, rules: RecordingRules) -> _Sound:
    try:
        shape = inspect_container(data)
        most_s = MOST_TIMES_DECODED * (rules.max_s or MOST_S_WITHOUT_RULE / MOST_TIMES_DECODED)
        numpy = _extra("numpy")
        decode = _decode_plain if shape.samples else _decode_any
        decoded = decode(data, shape, most_s)
        _check_whole(shape, len(decoded.samples))
    except InvalidValue as error:
        msg = f"{name} cannot be used: {error.message}"
        raise InvalidValue(msg) from error.__cause__
    mono = _to_mono(numpy, decoded.samples)
    return _Sound(
        name=name,
        data=data,
        shape=shape,
        decoded=decoded,
        mono=mono,
        measured=_measure(numpy, decoded.samples, mono, decoded.rate_hz),
    )


def _decode_plain(data: bytes, shape: Shape, most_s: float) -> _Decoded:
    assert shape.samples is not None
    assert shape.channels is not None
    assert shape.sample_rate_hz is not None
    numpy = _extra("numpy")
    begin, end = shape.samples
    frames = (end - begin) // (2 * shape.channels)
    _check_bounds(frames, shape.channels, shape.sample_rate_hz, most_s)
    samples = numpy.frombuffer(data, "<i2", offset=begin, count=frames * shape.channels)
    return _Decoded(rate_hz=shape.sample_rate_hz, samples=samples.reshape(-1, shape.channels))


def _decode_any(data: bytes, shape: Shape, most_s: float) -> _Decoded:
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


def _decode_stream(av: Any, container: Any, most_s: float) -> _Decoded:
    numpy = _extra("numpy")
    streams = container.streams
    if len(streams.audio) != 1:
        msg = f"it holds {len(streams.audio)} tracks of sound. Give a file with one."
        raise InvalidValue(msg)
    stream = streams.audio[0]
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
    return _Decoded(
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
) -> _Measured:
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
    return _Measured(
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


# --- comparing ---


def _compared(sound: _Sound, rules: RecordingRules, transcript: str | None) -> Iterator[_Found]:
    for check in _CHECKS:
        yield from check(sound, rules)
    if transcript is not None:
        yield from _check_transcript(sound, transcript)


def _check_container(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    kind, target = sound.shape.container.upper(), (_target(rules) or rules.containers[0]).upper()
    taken = ", ".join(name.upper() for name in rules.containers)
    if sound.shape.container not in rules.containers:
        yield _refused(
            "container",
            f"{sound.name} is {kind}; taken is {taken}.",
            f"Save it as {target}",
            repair="rewrite",
            done=f"It was {kind}, and is {target} now.",
        )
    if sound.decoded.has_video:
        yield _refused(
            "container",
            f"{sound.name} holds a film, not only sound.",
            f"Save its sound as {target}",
            repair="rewrite",
            done=f"It was a film; its sound is {target} now.",
        )
    if sound.shape.container == "m4a" and sound.decoded.codec not in {"aac", ""}:
        yield _refused(
            "container",
            f"{sound.name} is M4A with {sound.decoded.codec!r} inside; AAC is what it should hold.",
            f"Save it as {target}",
            repair="rewrite",
            done=f"It held {sound.decoded.codec!r}, and is {target} now.",
        )
    faults = [fault for fault in (sound.shape.fault, sound.decoded.fault) if fault]
    if sound.shape.stray_bytes:
        faults.append(f"the last {sound.shape.stray_bytes} bytes are no part of it")
    for fault in faults:
        yield _refused(
            "container",
            f"{sound.name} is {kind}, but {fault}.",
            "Save it again",
            repair="rewrite",
            done=f"The file was not sound ({fault}); it was written anew as {target}.",
        )


def _check_bits(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    bits, codec = sound.shape.bits, sound.shape.codec
    if bits is None or not rules.wav_bits or (bits in rules.wav_bits and codec == "PCM"):
        return
    taken = " or ".join(map(str, rules.wav_bits))
    yield _refused(
        "bits",
        f"{sound.name} is a WAV with {bits} bits of {codec}; taken are {taken} bits of PCM.",
        f"Save it with {taken} bits",
        repair="rewrite" if 16 in rules.wav_bits else "",
        done=f"It had {bits} bits of {codec} and has 16 of PCM now.",
    )


def _check_rate(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    least = rules.min_sample_rate_hz
    if least is None or sound.rate_hz >= least:
        return
    can_raise = sound.rate_hz >= LEAST_RAISED_HZ
    yield _refused(
        "sample_rate",
        f"{sound.name} has a sample rate of {sound.rate_hz} Hz; {least} Hz are asked at least.",
        f"Record again at {least} Hz or more",
        repair="rate" if can_raise else "",
        done=f"The sample rate was {sound.rate_hz} Hz and is {least} Hz now.",
        after=(
            Finding(
                about="sample_rate",
                level=Level.WARNED,
                message=(
                    f"A higher sample rate gains no quality: what {sound.rate_hz} Hz cannot hold, "
                    f"above {sound.rate_hz // 2} Hz, is still missing, and the voice will sound "
                    f"so. Record again at {least} Hz or more if you can."
                ),
            ),
        ),
        hint=f"fix=True would bring it to {least} Hz, without any gain in quality.",
    )


def _check_channels(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    most = rules.max_channels
    if most is None or sound.channels <= most:
        return
    yield _refused(
        "channels",
        f"{sound.name} has {sound.channels} channels; {most} is the most.",
        "Save it in mono" if most == 1 else f"Save it with {most}",
        repair="mono",
        done=f"It had {sound.channels} channels and has 1 now.",
    )


def _check_duration(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    seconds, least, most = sound.duration_s, rules.min_s, rules.max_s
    advised = rules.advised_s
    said = f"{sound.name} lasts {seconds:.1f} s"
    if least is not None and seconds < least:
        yield _refused("duration", f"{said}; {least:g} s are asked at least.", "Record more")
    elif most is not None and seconds > most:
        trimmed = _trimmed_s(sound)
        yield _refused(
            "duration",
            f"{said}; {most:g} s are the most.",
            "Cut it where a sentence ends; speech is not cut here",
            repair="trim" if trimmed <= most else "",
            done=f"It lasted {seconds:.1f} s with silence at its ends, and {trimmed:.1f} s now.",
        )
    elif advised is not None and not advised[0] <= seconds <= advised[1]:
        low, high = advised
        what = "Record more" if seconds < low else "A part of it will do"
        yield _noted("duration", f"{said}; {low:g} to {high:g} s are advised. {what}.")


def _check_size(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    most, size = rules.max_bytes, len(sound.data)
    if most is None or size <= most:
        return
    target = _target(rules).upper()
    yield _refused(
        "size",
        f"{sound.name} has {size} bytes; {most} are the most.",
        "Give a shorter recording, or save it in mono",
        repair="smaller",
        done=f"It had {size} bytes, too many, and was written anew as {target}.",
    )


def _check_level(sound: _Sound, _rules: RecordingRules) -> Iterator[_Found]:
    measured = sound.measured
    levels = f"speech at {measured.speech_dbfs:.0f} dBFS, peak at {measured.peak_dbfs:.0f} dBFS"
    if measured.speech_dbfs < SILENT_DBFS:
        yield _refused(
            "level",
            f"{sound.name} is silent or nearly so ({levels}); speech has "
            f"{SILENT_DBFS:.0f} dBFS at the very least, {QUIET_DBFS:.0f} or more as a rule.",
            "Check the microphone and record again",
        )
        return
    if measured.speech_dbfs < QUIET_DBFS:
        yield _noted(
            "level",
            f"{sound.name} is very quiet ({levels}; {QUIET_DBFS:.0f} or more is usual). "
            "Record nearer to the microphone.",
        )
    if measured.clipped_share > CLIPPED_SHARE:
        yield _noted(
            "clipping",
            f"{sound.name} is clipped: {100 * measured.clipped_share:.1f}% of its samples are cut "
            f"off at full scale, {100 * CLIPPED_SHARE:g}% or less is clean. "
            "Record again with less gain.",
        )


def _check_sound(sound: _Sound, rules: RecordingRules) -> Iterator[_Found]:
    measured = sound.measured
    if measured.speech_dbfs < SILENT_DBFS:
        return
    if measured.swing_db < STEADY_DB:
        yield _noted(
            "speech",
            f"{sound.name} sounds steady, like a tone or noise: its level varies by "
            f"{measured.swing_db:.1f} dB, speech by {STEADY_DB:g} or more. Listen to it.",
        )
    share = measured.sounding_s / max(measured.end_s - measured.begin_s, FRAME_S)
    if share < SOUND_SHARE:
        yield _noted(
            "speech",
            f"{sound.name} holds sound for {100 * share:.0f}% of the time between its first and "
            f"last; {100 * SOUND_SHARE:.0f}% or more is usual for speech. Shorten the pauses.",
        )
    if rules.min_s is not None and measured.sounding_s < rules.min_s <= sound.duration_s:
        yield _noted(
            "speech",
            f"{sound.name} holds {measured.sounding_s:.1f} s of sound in {sound.duration_s:.1f} s; "
            f"{rules.min_s:g} s are asked at least. Record more speech.",
        )


def _check_silence(sound: _Sound, _rules: RecordingRules) -> Iterator[_Found]:
    measured = sound.measured
    if measured.speech_dbfs < SILENT_DBFS:
        return
    before, after = measured.begin_s, sound.duration_s - measured.end_s
    if max(before, after) > LONG_EDGE_S:
        silence = f"{before:.1f} s of silence before the speech and {after:.1f} s after it"
        kept = f"{sound.duration_s - _trimmed_s(sound):.1f} s of it were cut."
        yield _Found(
            finding=Finding(
                about="silence",
                level=Level.WARNED,
                message=f"{sound.name} has {silence}; {LONG_EDGE_S:g} s or less is better. Cut it.",
            ),
            repair="trim",
            hint=_HINT,
            done=f"It had {silence}; {kept}",
        )
    if measured.long_pauses:
        pauses = "a pause" if measured.long_pauses == 1 else f"{measured.long_pauses} pauses"
        yield _noted(
            "pauses",
            f"{sound.name} has {pauses} of more than {LONG_PAUSE_S:g} s inside, the longest of "
            f"{measured.longest_pause_s:.1f} s. Cut them out, or record again without.",
        )


def _check_transcript(sound: _Sound, transcript: str) -> Iterator[_Found]:
    syllables, is_syllabic = _syllables(transcript)
    if not syllables:
        yield _refused(
            "transcript",
            "The transcript holds no letters.",
            "Give the words that are spoken, or leave it out",
        )
        return
    seconds = max(sound.measured.sounding_s, FRAME_S)
    if sound.measured.speech_dbfs < SILENT_DBFS:
        return
    per_second = syllables / seconds
    unit, factor = ("characters", 1) if is_syllabic else ("letters", LETTERS_A_SYLLABLE)
    low, high = (factor * bound for bound in SPEECH_SYLLABLES)
    said = (
        f"The transcript has {factor * syllables:.0f} {unit} for {seconds:.1f} s of sound, "
        f"{factor * per_second:.1f} a second; speech has {low:g} to {high:g}."
    )
    what = "Give the words that are spoken in this recording, all of them and no others"
    least, most = POSSIBLE_SYLLABLES
    if not least <= per_second <= most:
        yield _refused("transcript", said, what)
    elif not SPEECH_SYLLABLES[0] <= per_second <= SPEECH_SYLLABLES[1]:
        yield _noted("transcript", f"{said} {what}.")


def _syllables(text: str) -> tuple[float, bool]:
    """Return about how many syllables *text* has, and whether most characters are one each."""
    whole, letters = 0, 0
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "N" or (
            category == "Lo" and _SYLLABIC.match(unicodedata.name(character, ""))
        ):
            whole += 1
        elif category[0] == "L":
            letters += 1
    return whole + letters / LETTERS_A_SYLLABLE, whole > letters


_CHECKS = (
    _check_container,
    _check_bits,
    _check_rate,
    _check_channels,
    _check_duration,
    _check_size,
    _check_level,
    _check_sound,
    _check_silence,
)


def _refused(
    about: str,
    found: str,
    what: str,
    *,
    repair: str = "",
    hint: str = _HINT,
    done: str = "",
    after: tuple[Finding, ...] = (),
) -> _Found:
    finding = Finding(about=about, level=Level.REFUSED, message=f"{found} {what}.")
    return _Found(finding=finding, repair=repair, hint=hint, done=done, after=after)


def _noted(about: str, message: str) -> _Found:
    return _Found(finding=Finding(about=about, level=Level.WARNED, message=message))


# --- repairing ---


def _target(rules: RecordingRules) -> str:
    """Return the container a repaired recording is written in; empty if none can be."""
    return next((name for name in rules.containers if name != "m4a"), "")


def _with_hint(item: _Found) -> Finding:
    if not item.repair:
        return item.finding
    return evolve(item.finding, message=f"{item.finding.message} {item.hint}")


def _repaired(
    before: _Sound, after: _Sound, found: Iterable[_Found], left: Iterable[_Found]
) -> Iterator[Finding]:
    """Yield what was put right, leaving out what is still found."""
    remaining = {(item.finding.about, item.finding.level) for item in left}
    was, now = before.shape.container, after.shape.container
    is_told = False
    for item in found:
        if item.repair and (item.finding.about, item.finding.level) not in remaining:
            is_told = is_told or item.finding.about == "container"
            yield evolve(item.finding, level=Level.REPAIRED, message=item.done)
            yield from item.after
    if was != now and not is_told:
        message = f"It was {was.upper()}, and was written as {now.upper()} to repair it."
        yield Finding(about="container", level=Level.REPAIRED, message=message)


def _trimmed_s(sound: _Sound) -> float:
    begin, end = _kept_part(sound)
    return (end - begin) / sound.rate_hz


def _kept_part(sound: _Sound) -> tuple[int, int]:
    edge = KEPT_EDGE_S
    begin = max(0.0, sound.measured.begin_s - edge)
    end = min(sound.duration_s, sound.measured.end_s + edge)
    return round(begin * sound.rate_hz), round(end * sound.rate_hz)


def _repair(sound: _Sound, rules: RecordingRules, repairs: set[str]) -> bytes:
    """Return the recording written anew, with all *repairs* made."""
    begin, end = _kept_part(sound) if "trim" in repairs else (0, len(sound.samples))
    rate_hz = sound.rate_hz
    least = rules.min_sample_rate_hz
    if "rate" in repairs and least is not None:
        rate_hz = least
    fits = rules.max_channels is None or sound.channels <= rules.max_channels
    is_mono = sound.channels > 2 or not fits or bool(repairs & {"mono", "smaller"})
    samples = sound.mono[begin:end] if is_mono else sound.samples[begin:end]
    channels = 1 if is_mono else sound.channels
    bytes_expected = 2 * channels * len(samples) * rate_hz // sound.rate_hz
    if least is not None and rules.max_bytes is not None and bytes_expected > rules.max_bytes:
        rate_hz = min(rate_hz, least)
    source = AudioFormat(sample_rate_hz=sound.rate_hz, channels=channels)
    wanted = AudioFormat.named(_target(rules), sample_rate_hz=rate_hz, channels=channels)
    target = evolve(wanted, sample_rate_hz=encoder_rate(wanted.encoding, rate_hz))
    written = io.BytesIO()
    encoder = FileEncoder(written, source, target)
    encoder.feed(samples.astype("<i2").tobytes())
    encoder.finish()
    return written.getvalue()


def _recording(sound: _Sound, findings: list[Finding], sha256: str) -> Recording:
    order = list(Level)
    return Recording(
        data=sound.data,
        media_type=MEDIA_TYPES[sound.shape.container],
        sample_rate_hz=sound.rate_hz,
        channels=sound.channels,
        duration_s=sound.duration_s,
        sha256=sha256,
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.level))),
    )
