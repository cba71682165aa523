"""
What a recording for cloning is refused for.

WAV and MP3 are really decoded, and their samples looked at. Of M4A only the container is read:
its sample rate and its length. That the AAC within can be decoded, and whether somebody speaks
there, is not examined: nothing the emulator depends on decodes it. Whether there is one voice
without music and noise, and whether it says what the transcript has, is examined nowhere; a
transcript is refused only if nobody could say it in that time, or would take so long.
"""

from __future__ import annotations

import base64
import io
import math
import re
import struct
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vivavoce_qwen_emulator.checks import Refused, is_speakable

__all__ = ["Recording", "check_recording", "check_transcript", "read_recording"]

_DATA_URL = re.compile(r"data:(?P<kind>[^;,]*)(?P<is_base64>;base64)?,", re.IGNORECASE)
_KINDS = ("audio/wav", "audio/mpeg", "audio/mp4")

_MOST_HEARD_S = 120
_LEAST_SPEECH_S = 3.0
_LONGEST_PAUSE_S = 2.0
_FRAME_S = 0.02
_QUIETEST = 328
"""Peak of 20 ms, of 32768, below which nobody speaks: -40 dB."""

# Letters a second; a Han character takes as long as about three. Far beyond what is usual, 10 to
# 20, on either side: only what cannot be right is refused.
_LETTERS_A_SECOND = (1.5, 45.0)
_LETTERS_OF_HAN = 3
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What can be told of a recording."""

    sample_rate_hz: int
    seconds: float
    samples: array[int] | None
    """16-bit, mono; None where they were not decoded."""


def read_recording(data: str, limit_bytes: int) -> Recording | None:
    """
    Return the recording in a data URL, or None for an address.

    An address is never fetched: one of the right form counts as a recording without fault.

    Args:
        data: A data URL, or an http(s) address without user and password.
        limit_bytes: Length of the data URL that is too much.

    Raises:
        Refused: If it is neither, too long, or cannot be decoded.
    """
    if data[:5].lower() != "data:":
        _check_address(data)
        return None
    head = _DATA_URL.match(data)
    if head is None or not head["is_base64"] or head["kind"].lower() not in _KINDS:
        raise _invalid(f"is no data URL with base64 of one of: {', '.join(_KINDS)}.")
    if len(data) >= limit_bytes:
        raise _invalid(f"is {len(data)} bytes long and has to be below {limit_bytes}.")
    try:
        raw = base64.b64decode(data[head.end() :], validate=True)
    except ValueError:
        raise _undecodable("The recording is no base64.") from None
    if head["kind"].lower() == "audio/mp4":
        return _read_mp4(raw)
    return _decode(raw, "MP3" if head["kind"].lower() == "audio/mpeg" else "WAV")


def check_recording(recording: Recording, limits: Mapping[str, int]) -> None:
    """
    Check that a voice could be cloned from *recording*.

    Args:
        recording: As read.
        limits: See :class:`vivavoce_qwen.tables.ManagementRow`.

    Raises:
        Refused: If its rate is too low, it is too long, or nobody speaks for long enough.
    """
    least_hz, most_s = limits["sample_rate_hz_minimum"], limits["audio_s"]
    if recording.sample_rate_hz < least_hz:
        msg = f"The sample rate is {recording.sample_rate_hz} Hz, below {least_hz} Hz."
        raise Refused(400, "Audio.AudioRateError", msg)
    if recording.seconds > most_s:
        msg = f"The recording is {recording.seconds:.1f} s long, over {most_s} s."
        raise Refused(400, "Audio.DurationLimitError", msg)
    if recording.samples is None:
        if recording.seconds < _LEAST_SPEECH_S:
            raise _unusable("No segments meet minimum duration requirement.")
        return
    spoken_s = _longest_speech_s(recording.samples, recording.sample_rate_hz)
    if not spoken_s:
        raise _unusable("The recording is silent.")
    if spoken_s < _LEAST_SPEECH_S:
        raise _unusable("No segments meet minimum duration requirement.")


def check_transcript(text: str, recording: Recording) -> None:
    """
    Check that *text* could be what is said in *recording*.

    Raises:
        Refused: If it is far too long or too short for that.
    """
    letters = sum(map(is_speakable, text)) + (_LETTERS_OF_HAN - 1) * len(_HAN.findall(text))
    least, most = _LETTERS_A_SECOND
    if not least <= letters / recording.seconds <= most:
        raise _unusable("The text does not match the recording.")


def _check_address(data: str) -> None:
    try:
        address = urlsplit(data)
        is_usable = bool(address.hostname) and address.scheme in {"http", "https"}
        is_public = address.username is None
    except ValueError:
        is_usable = is_public = False
    if not (is_usable and is_public):
        raise _invalid("is neither a data URL nor a public http(s) address.")


def _decode(raw: bytes, container: str) -> Recording:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as sound:
            kind = sound.format.removesuffix("EX")
            if kind != container or (kind == "WAV" and sound.subtype != "PCM_16"):
                msg = f"The recording is {sound.format} ({sound.subtype}), not {container}."
                raise _undecodable(msg)
            channels, rate_hz = sound.channels, sound.samplerate
            frames = sound.frames
            # What is much too long is told so without holding hours of it in memory.
            heard = sound.buffer_read(min(frames, _MOST_HEARD_S * rate_hz), dtype="int16")
            samples = array("h", bytes(heard))
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise _undecodable(f"The recording cannot be read as {container}.") from error
    if not samples:
        raise _undecodable("There is no audio in the recording.")
    # Mono is asked for, without a code for anything else: of more channels the first is taken.
    mono = samples[::channels]
    return Recording(sample_rate_hz=rate_hz, seconds=frames / rate_hz, samples=mono)


def _longest_speech_s(samples: array[int], rate_hz: int) -> float:
    """Return the longest time in which somebody speaks, with pauses that are short enough."""
    size = round(rate_hz * _FRAME_S)
    longest, began, heard = 0, 0, -math.inf
    pause = round(_LONGEST_PAUSE_S / _FRAME_S)
    for number, start in enumerate(range(0, len(samples), size)):
        part = samples[start : start + size]
        if max(part) < _QUIETEST and -min(part) < _QUIETEST:
            continue
        if number - heard > pause + 1:
            began = number
        heard = number
        longest = max(longest, number + 1 - began)
    return longest * _FRAME_S


def _read_mp4(raw: bytes) -> Recording:
    """Return what the header of an M4A tells of its first audio track."""
    try:
        if raw[4:8] != b"ftyp":
            raise _undecodable("The recording cannot be read as M4A.")
        for track in _boxes(raw, b"moov", b"trak", b"mdia"):
            if (handler := next(_boxes(track, b"hdlr"), b"")) and handler[8:12] == b"soun":
                header = next(_boxes(track, b"mdhd"))
                entry = next(_boxes(track, b"minf", b"stbl", b"stsd"))
                is_long = header[0] == 1
                ticks_hz, ticks = struct.unpack_from(
                    ">IQ" if is_long else ">II", header, 20 if is_long else 12
                )
                # 8 of the table, then the entry: 8 of its own, 24 to the rate, in 16.16.
                (rate_hz,) = struct.unpack_from(">H", entry, 8 + 8 + 24)
                return Recording(sample_rate_hz=rate_hz, seconds=ticks / ticks_hz, samples=None)
    except (StopIteration, struct.error, IndexError, ZeroDivisionError) as error:
        raise _undecodable("The recording cannot be read as M4A.") from error
    raise _undecodable("There is no audio in the recording.")


def _boxes(raw: bytes, *path: bytes) -> Iterator[bytes]:
    """Yield the contents of the boxes at *path* in *raw*."""
    place = 0
    while place + 8 <= len(raw):
        size, kind = struct.unpack_from(">I4s", raw, place)
        size = size or len(raw) - place
        if size < 8:
            return
        if kind == path[0]:
            inner = raw[place + 8 : place + size]
            yield from _boxes(inner, *path[1:]) if path[1:] else iter((inner,))
        place += size


def _invalid(what: str) -> Refused:
    return Refused(400, "InvalidParameter", f"The field 'input.audio.data' {what}")


def _undecodable(message: str) -> Refused:
    return Refused(400, "Audio.DecoderError", message)


def _unusable(message: str) -> Refused:
    return Refused(400, "Audio.PreprocessError", message)
