"""What a file of sound is by its content, and whether all of it is there; nothing is decoded."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from attrs import frozen

from vivavoce.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MEDIA_TYPES", "Shape", "container_found", "inspect_container"]

MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
}

# From here on a size in a WAV is a way to say that it was not known.
_SIZE_IS_A_GUESS_FROM = 0x7FFFF000
_EXTENSIBLE = 0xFFFE
_PCM, _FLOAT = 1, 3
_WAV_CODECS = {_PCM: "PCM", 2: "ADPCM", _FLOAT: "floating point", 6: "A-law", 7: "mu-law"}

_OTHER_KINDS = (
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"FORM", "AIFF"),
    (0, b"caff", "Core Audio"),
    (0, b"#!AMR", "AMR"),
    (0, b"RF64", "RF64, a WAV for more than 4 GiB"),
    (0, b"RIFX", "big-endian WAV"),
    (0, b"\x30\x26\xb2\x75", "Windows Media"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%PDF", "PDF"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\xff\xf1", "bare AAC"),
    (0, b"\xff\xf9", "bare AAC"),
    (4, b"ftypqt", "a QuickTime film"),
    (4, b"ftyphei", "an HEIC picture"),
    (4, b"ftypavif", "an AVIF picture"),
)

# MPEG audio, layer III: kbit/s by version, Hz by version, samples of a frame.
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_RATES_HZ = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
_LEAST_FRAMES = 3

# What may stand outermost in an MP4.
_BOXES = frozenset(
    b"ftyp moov mdat free skip wide uuid udta meta moof mfra sidx styp pdin prft emsg ssix".split()
)

_READS = "WAV, MP3, M4A, FLAC and Ogg are read here."


@frozen(kw_only=True)
class Shape:
    """
    What a file says of itself.

    Attributes:
        container: ``wav``, ``mp3``, ``m4a``, ``flac`` or ``ogg``.
        stray_bytes: Bytes at the end that belong to nothing.
        fault: What else is wrong with its frame while its sound is whole, or empty.
        bits: Of a sample of a WAV, else None.
        codec: Of a WAV, in words such as ``PCM``; else empty.
        samples: Of a WAV with 16-bit PCM, where they begin and end in the file; else None.
        channels: Of a WAV, else None.
        sample_rate_hz: Of a WAV, else None.
        total_frames: Samples of a channel where the file tells them, else None.
    """

    container: str
    stray_bytes: int = 0
    fault: str = ""
    bits: int | None = None
    codec: str = ""
    samples: tuple[int, int] | None = None
    channels: int | None = None
    sample_rate_hz: int | None = None
    total_frames: int | None = None


def container_found(data: bytes) -> str:
    """
    Return the container that *data* begins with: ``wav``, ``mp3``, ``m4a``, ``flac`` or ``ogg``.

    Raises:
        InvalidValue: If it is none of these; the message tells what it looks like.
    """
    begin = _behind_id3(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[begin : begin + 4] == b"fLaC":
        return "flac"
    if data[:4] == b"OggS":
        return "ogg"
    other = _other_kind(data)
    if data[4:8] == b"ftyp" and not other:
        return "m4a"
    if begin or _mp3_frame_bytes(data, 0):
        return "mp3"
    what = other or _described(data)
    msg = f"its content is {what}, whatever its name says. {_READS}"
    raise InvalidValue(msg)


def inspect_container(data: bytes) -> Shape:
    """
    Return what the file says of itself, having walked through all of its parts.

    Raises:
        InvalidValue: If it is no sound known here, or is cut off or damaged. The message has
            no subject, so that a name can be put before it.
    """
    container = container_found(data)
    try:
        return _INSPECTORS[container](data)
    except (struct.error, IndexError):
        msg = f"it is cut off within its header, after {len(data)} bytes. Give the whole file."
        raise InvalidValue(msg) from None


def _described(data: bytes) -> str:
    head = data[:512]
    if head[:4] == b"RIFF":
        return "RIFF, but no WAV"
    if not head.strip(b"\x00"):
        return "zeros"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # The 512th byte may lie within a character.
        if error.start < len(head) - 3 or error.start == 0:
            return "of a kind not known here"
        text = head[: error.start].decode()
    is_text = all(character.isprintable() or character.isspace() for character in text)
    return "text" if is_text else "of a kind not known here"


def _other_kind(data: bytes) -> str:
    for offset, magic, kind in _OTHER_KINDS:
        if data.startswith(magic, offset):
            return kind
    return ""


def _cut(found: str) -> InvalidValue:
    return InvalidValue(f"it is cut off: {found}. Give the whole file.")


# --- WAV ---


def _inspect_wav(data: bytes) -> Shape:
    riff_bytes = _u32(data, 4)
    form: bytes | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], _u32(data, at + 4)
        body = at + 8
        if name == b"data":
            if form is None:
                msg = "it is a WAV whose samples come before their format. Save it again as WAV."
                raise InvalidValue(msg)
            return _wav_shape(data, form, body, size, riff_bytes)
        if body + size > len(data):
            raise _cut(f"its chunk of {size} bytes has {len(data) - body}")
        if name == b"fmt ":
            form = data[body : body + size]
        at = body + size + size % 2
    msg = f"it is a WAV without samples ({len(data)} bytes). Give the whole file."
    raise InvalidValue(msg)


def _wav_shape(data: bytes, form: bytes, begin: int, size: int, riff_bytes: int) -> Shape:
    tag, channels, rate, _bytes_a_second, frame_bytes, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE:
        (tag,) = struct.unpack_from("<H", form, 24)
    if not (channels and rate and frame_bytes):
        msg = f"it is a WAV of {channels} channels at {rate} Hz, which cannot be. Save it again."
        raise InvalidValue(msg)
    there = len(data) - begin
    fault, stray = "", 0
    if size == 0 or size >= _SIZE_IS_A_GUESS_FROM:
        size, fault = there, "the header does not tell how long it is"
    elif size > there:
        claimed = f"its header says {size} bytes of samples, and there are {there}"
        raise _cut(claimed)
    else:
        stray = _stray_chunk_bytes(data, begin + size + size % 2)
        if not stray and riff_bytes + 8 > len(data) + 1:
            fault = f"the header says {riff_bytes + 8} bytes, and there are {len(data)}"
    if tag in {_PCM, _FLOAT} and size % frame_bytes:
        fault = fault or f"its last sample has {size % frame_bytes} of {frame_bytes} bytes"
    is_plain = tag == _PCM and bits == 16 and frame_bytes == 2 * channels
    whole = size - size % frame_bytes
    return Shape(
        container="wav",
        stray_bytes=stray,
        fault=fault,
        bits=bits,
        codec=_WAV_CODECS.get(tag, f"encoding {tag}"),
        samples=(begin, begin + whole) if is_plain else None,
        channels=channels,
        sample_rate_hz=rate,
        total_frames=whole // frame_bytes if tag in {_PCM, _FLOAT} else None,
    )


def _stray_chunk_bytes(data: bytes, at: int) -> int:
    """Return how many bytes from *at* on are not in whole chunks."""
    while at + 8 <= len(data):
        name, size = data[at : at + 4], _u32(data, at + 4)
        following = at + 8 + size
        if not (name.isascii() and name.decode("ascii").isprintable()) or following > len(data):
            break
        at = following + size % 2
    return max(0, len(data) - at)


# --- MP3 ---


def _inspect_mp3(data: bytes) -> Shape:
    begin = _behind_id3(data)
    # Some writers pad their tag with more zeros than it says.
    while begin < len(data) and data[begin] == 0:
        begin += 1
    at, frames = begin, 0
    first = data[begin : begin + 4]
    while (size := _mp3_frame_bytes(data, at)) and _is_same_stream(first, data[at : at + 4]):
        if at + size > len(data):
            missing = f"the last frame of {size} bytes has {len(data) - at}"
            raise _cut(missing)
        at += size
        frames += 1
    if frames < _LEAST_FRAMES:
        msg = f"it has {frames} frames of MP3, too few to be sound. {_READS}"
        raise InvalidValue(msg)
    stray = len(data) - at - _tag_bytes_at_end(data, at)
    if stray and _resumes(data, at, first):
        msg = f"it is damaged at byte {at}: no frame is there, but more follow. Save it again."
        raise InvalidValue(msg)
    if 0 < stray < 4 and data[at] == 0xFF:
        raise _cut("a frame's first bytes stand alone")
    announced = _frames_announced(data, begin)
    # The frame that announces them does not count itself.
    if announced is not None and frames - 1 < announced:
        raise _cut(f"it announces {announced} frames and has {frames - 1}")
    return Shape(container="mp3", stray_bytes=stray)


def _mp3_frame_bytes(data: bytes, at: int) -> int:
    """Return the size of the frame of layer III at *at*, or 0 if none is there."""
    if at + 4 > len(data):
        return 0
    head = _be32(data, at)
    version, layer = head >> 19 & 3, head >> 17 & 3
    kbits_index, rate_index = head >> 12 & 15, head >> 10 & 3
    is_frame = head >> 21 == 0x7FF and version != 1 and layer == 1
    if not is_frame or kbits_index in {0, 15} or rate_index == 3:
        return 0
    kbits = (_KBITS_1 if version == 3 else _KBITS_2)[kbits_index]
    bytes_each = 144_000 if version == 3 else 72_000
    return bytes_each * kbits // _MPEG_RATES_HZ[version][rate_index] + (head >> 9 & 1)


def _is_same_stream(first: bytes, head: bytes) -> bool:
    """Return whether version, layer and sample rate of two frames agree."""
    return first[1] & 0xFE == head[1] & 0xFE and first[2] & 0x0C == head[2] & 0x0C


def _frames_announced(data: bytes, at: int) -> int | None:
    """Return how many frames the first one says follow it, if it says so."""
    version, is_mono = data[at + 1] >> 3 & 3, data[at + 3] >> 6 == 3
    side = (17 if is_mono else 32) if version == 3 else (9 if is_mono else 17)
    info = at + 4 + side
    if data[info : info + 4] not in {b"Xing", b"Info"} or not _be32(data, info + 4) & 1:
        return None
    return _be32(data, info + 8)


def _resumes(data: bytes, at: int, first: bytes) -> bool:
    """Return whether two frames in a row stand somewhere behind *at*."""
    while (at := data.find(b"\xff", at + 1)) >= 0:
        size = _mp3_frame_bytes(data, at)
        follows = at + size
        if (
            size
            and _is_same_stream(first, data[at : at + 4])
            and _mp3_frame_bytes(data, follows)
            and _is_same_stream(first, data[follows : follows + 4])
        ):
            return True
    return False


def _behind_id3(data: bytes) -> int:
    """Return where the tags at the beginning end; 0 without any."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return min(at, len(data))


def _tag_bytes_at_end(data: bytes, at: int) -> int:
    """Return how many of the bytes from *at* on are tags or padding."""
    end = len(data)
    if end - at >= 128 and data[end - 128 : end - 125] == b"TAG":
        end -= 128
    if end - at >= 32 and data[end - 32 : end - 24] == b"APETAGEX":
        size = int.from_bytes(data[end - 20 : end - 16], "little")
        has_header = data[end - 9] & 0x80
        end = max(at, end - size - (32 if has_header else 0))
    if not data[at:end].strip(b"\x00"):
        end = at
    return len(data) - end


# --- FLAC, Ogg, M4A ---


def _inspect_flac(data: bytes) -> Shape:
    at, total, is_last = _behind_id3(data) + 4, 0, False
    while not is_last:
        (head,) = struct.unpack_from(">I", data, at)
        is_last, kind, size = bool(head >> 31), head >> 24 & 0x7F, head & 0xFFFFFF
        if at + 4 + size > len(data):
            raise _cut(f"its header of {size} bytes has {len(data) - at - 4}")
        if kind == 0:
            total = int.from_bytes(data[at + 4 + 13 : at + 4 + 18], "big") & (1 << 36) - 1
        at += 4 + size
    return Shape(container="flac", total_frames=total or None)


def _inspect_ogg(data: bytes) -> Shape:
    at, open_streams = 0, set[bytes]()
    while data[at : at + 4] == b"OggS":
        flags, stream, segments = data[at + 5], data[at + 14 : at + 18], data[at + 26]
        sizes = data[at + 27 : at + 27 + segments]
        end = at + 27 + segments + sum(sizes)
        if len(sizes) < segments or end > len(data):
            raise _cut("its last page is not whole")
        if _ogg_checksum(data[at:end]) != _u32(data, at + 22):
            msg = f"it is damaged: the page at byte {at} has a wrong checksum. Save it again."
            raise InvalidValue(msg)
        if flags & 2:
            open_streams.add(stream)
        if flags & 4:
            open_streams.discard(stream)
        at = end
    if open_streams and b"OggS" in data[at:]:
        msg = (
            f"it is damaged at byte {at}: no page of Ogg is there, but more follow. Save it again."
        )
        raise InvalidValue(msg)
    if open_streams:
        raise _cut("no page is marked as the last one")
    return Shape(container="ogg", stray_bytes=len(data) - at)


# Ogg reckons its checksum with the bits of each byte the other way round than zlib.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> int:
    turned = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    crc = zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def _inspect_m4a(data: bytes) -> Shape:
    at, found = 0, set[bytes]()
    while at + 8 <= len(data):
        size, name, head = _be32(data, at), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:  # to the end of the file
            size = len(data) - at
        if size < head or name not in _BOXES:
            break
        if at + size > len(data):
            raise _cut(f"its box of {size} bytes has {len(data) - at}")
        found.add(name)
        at += size
    if not {b"moov", b"mdat"} <= found and b"moof" not in found:
        missing = "index" if b"moov" not in found else "sound"
        msg = f"it is cut off: it is an MP4 without its {missing}. Give the whole file."
        raise InvalidValue(msg)
    return Shape(container="m4a", stray_bytes=len(data) - at)


def _u32(data: bytes, at: int) -> int:
    value: int = struct.unpack_from("<I", data, at)[0]
    return value


def _be32(data: bytes, at: int) -> int:
    value: int = struct.unpack_from(">I", data, at)[0]
    return value


_INSPECTORS: dict[str, Callable[[bytes], Shape]] = {
    "wav": _inspect_wav,
    "mp3": _inspect_mp3,
    "m4a": _inspect_m4a,
    "flac": _inspect_flac,
    "ogg": _inspect_ogg,
}
