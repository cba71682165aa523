"""WAV headers, written and read; sizes that are missing or wrong are forgiven."""

from __future__ import annotations

import struct

from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat, Encoding

__all__ = ["WavHeaderReader", "read_wav", "wav_header"]

UNKNOWN_SIZE = 0xFFFFFFFF
# Programs that do not know the length write 0, 0xFFFFFFFF, 0x7FFFFFFF or these
# less a header; no speech is that long.
_SIZE_IS_A_GUESS_FROM = 0x7FFFF000
HEADER_MAX_BYTES = 1 << 20
_TAGS = {Encoding.PCM_S16LE: 1, Encoding.ALAW: 6, Encoding.MULAW: 7}
_ENCODINGS = {(1, 16): Encoding.PCM_S16LE, (6, 8): Encoding.ALAW, (7, 8): Encoding.MULAW}
_EXTENSIBLE = 0xFFFE
_TRAILING_CHUNKS = (b"LIST", b"id3 ", b"ID3 ", b"fact", b"cue ", b"bext", b"iXML", b"JUNK", b"PAD ")
_FORMAT_MAX_BYTES = 4096


def wav_header(audio_format: AudioFormat, data_bytes: int | None) -> bytes:
    """
    Return what stands before the samples of a WAV.

    Args:
        audio_format: Its rate, channels and encoding; the container is not looked at.
        data_bytes: Bytes of samples to follow, or None when that is not known,
            as for a pipe: the sizes are then 0xFFFFFFFF. After an odd number
            one byte of padding belongs.

    Raises:
        InvalidValue: If the encoding is compressed, or the samples take 4 GiB or more.
    """
    form = _format_chunk(audio_format, data_bytes)
    if data_bytes is None:
        return b"RIFF" + _size(UNKNOWN_SIZE) + b"WAVE" + form + b"data" + _size(UNKNOWN_SIZE)
    riff_bytes = 4 + len(form) + 8 + data_bytes + data_bytes % 2
    if riff_bytes >= UNKNOWN_SIZE:
        msg = (
            f"{data_bytes} bytes of samples are too many for WAV, which ends at 4 GiB. "
            "Choose flac or raw."
        )
        raise InvalidValue(msg)
    return b"RIFF" + _size(riff_bytes) + b"WAVE" + form + b"data" + _size(data_bytes)


def read_wav(data: bytes) -> tuple[AudioFormat, bytes]:
    """
    Return the format and the samples of a whole WAV.

    Args:
        data: The file. Its sizes may be wrong where they are too large or 0.

    Returns:
        The format with container ``raw``, and the interleaved whole samples.

    Raises:
        InvalidValue: If it is no WAV, or its encoding is not one of
            ``pcm_s16le``, ``mulaw`` and ``alaw``.
    """
    reader = WavHeaderReader()
    samples = reader.feed(data)
    reader.finish()
    assert reader.format is not None  # finish() has seen to it
    torn = len(samples) % reader.format.frame_bytes
    return reader.format, samples[: len(samples) - torn]


class WavHeaderReader:
    """
    Read a WAV that arrives in pieces, cut anywhere.

    Args:
        trusts_size: Whether the samples end where the header says. If not, all that
            follows counts as samples, but for chunks of the kinds that are known to stand
            behind them (tags and the like). For makers that write wrong sizes.

    Attributes:
        format: The format, with container ``raw``; None until the header is complete.
    """

    def __init__(self, *, trusts_size: bool = True) -> None:
        self._trusts_size = trusts_size
        self._behind: bytes | None = None  # what came since the declared end, while in doubt
        self.format: AudioFormat | None = None
        self._declared: AudioFormat | None = None
        self._pending = b""
        self._header_bytes = 0  # read before the samples, for the bound
        self._skip = 0  # bytes left of a chunk nobody needs
        self._left: int | None = None  # bytes left of the samples; None for "to the end"
        self._declared_bytes = 0
        self._has_riff = False

    def feed(self, data: bytes) -> bytes:
        """
        Return the samples in *data*; empty while the header lasts.

        Args:
            data: The next bytes; any length, empty allowed.

        Returns:
            Interleaved samples, cut anywhere. What follows the samples is left out.

        Raises:
            InvalidValue: If it is no WAV, is encoded in a way not known here, or
                has more than 1 MiB before its samples.
        """
        if self.format is None:
            data = self._read_header(data)
        if self.format is None:
            return b""
        if self._left is None:
            return data
        samples, behind = data[: self._left], data[self._left :]
        self._left -= len(samples)
        if self._trusts_size or not behind:
            return samples
        return samples + self._behind_the_end(behind)

    def _behind_the_end(self, data: bytes) -> bytes:
        """Return what stands behind the declared end, if it is samples."""
        self._behind = (self._behind or b"") + data
        # A chunk begins on an even byte.
        begin = self._declared_bytes % 2
        name = self._behind[begin : begin + 4]
        if any(known.startswith(name) for known in _TRAILING_CHUNKS):
            if len(name) == 4:
                self._trusts_size = True
            return b""
        samples, self._behind, self._left = self._behind, None, None
        return samples

    def finish(self) -> bytes:
        """
        Say that no more bytes come.

        Returns:
            Samples that were in doubt until now; mostly no bytes.

        Raises:
            InvalidValue: If the samples had not begun.
        """
        if self.format is None:
            msg = f"The WAV ends within its header, after {self._header_bytes} bytes."
            raise InvalidValue(msg)
        held, self._behind = self._behind or b"", None
        is_padding = self._declared_bytes % 2 and held == b"\0"
        return b"" if self._trusts_size or is_padding else held

    def _read_header(self, data: bytes) -> bytes:
        """Read chunks until the samples begin; return what lies behind the header."""
        room = HEADER_MAX_BYTES - self._header_bytes + len(self._pending)
        self._header_bytes += len(data)
        data = self._pending + data
        total = len(data)
        while self.format is None:
            if self._skip:
                skipped = min(self._skip, len(data))
                self._skip -= skipped
                data = data[skipped:]
            used = 0 if self._skip else self._read_chunk(data)
            data = data[used:]
            if total - len(data) > room:
                msg = f"The WAV has more than {HEADER_MAX_BYTES} bytes before its samples."
                raise InvalidValue(msg)
            if not used:
                break
        self._pending = data if self.format is None else b""
        return data

    def _read_chunk(self, data: bytes) -> int:
        """Read one chunk's beginning; return the bytes used, 0 if more are needed."""
        if not self._has_riff:
            return self._read_riff(data)
        if len(data) < 8:
            return 0
        name, size = data[:4], int.from_bytes(data[4:8], "little")
        if name == b"data":
            self._begin_samples(size)
            return 8
        if name != b"fmt ":
            self._skip = size + size % 2
            return 8
        if not 16 <= size <= _FORMAT_MAX_BYTES:
            msg = f"The WAV's format chunk says it has {size} bytes; 16 to 40 are usual."
            raise InvalidValue(msg)
        if len(data) < 8 + size + size % 2:
            return 0
        self._declared = _read_format(data[8 : 8 + size])
        return 8 + size + size % 2

    def _read_riff(self, data: bytes) -> int:
        if data[:4] not in (b"RIFF"[: len(data)], b"RF64"[: len(data)]):
            msg = f"This is no WAV: it begins with {data[:4]!r}, not with b'RIFF'."
            raise InvalidValue(msg)
        if len(data) < 12:
            return 0
        if data[8:12] != b"WAVE":
            msg = f"This is a RIFF file, but no WAV: its kind is {data[8:12]!r}."
            raise InvalidValue(msg)
        self._has_riff = True
        return 12

    def _begin_samples(self, size: int) -> None:
        if self._declared is None:
            msg = "The WAV's samples come before its format chunk; it cannot be read."
            raise InvalidValue(msg)
        self.format = self._declared
        self._declared_bytes = size
        is_known = 0 < size < _SIZE_IS_A_GUESS_FROM
        self._left = size if is_known else None


def _size(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _format_chunk(audio_format: AudioFormat, data_bytes: int | None) -> bytes:
    frame_bytes = audio_format.frame_bytes
    body = struct.pack(
        "<HHIIHH",
        _TAGS[audio_format.encoding],
        audio_format.channels,
        audio_format.sample_rate_hz,
        audio_format.sample_rate_hz * frame_bytes,
        frame_bytes,
        8 * frame_bytes // audio_format.channels,
    )
    if audio_format.is_pcm:
        return b"fmt " + _size(16) + body
    # Everything but PCM has an extension, empty here, and tells its sample count.
    frames = UNKNOWN_SIZE if data_bytes is None else data_bytes // frame_bytes
    fact = b"fact" + _size(4) + _size(min(frames, UNKNOWN_SIZE))
    return b"fmt " + _size(18) + body + b"\x00\x00" + fact


def _read_format(body: bytes) -> AudioFormat:
    tag, channels, rate, _byte_rate, _frame_bytes, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack("<H", body[24:26])
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        msg = (
            f"The WAV's encoding (format tag {tag}, {bits} bits) is not supported. "
            "Supported: 16-bit PCM (1), A-law (6), mu-law (7)."
        )
        raise InvalidValue(msg)
    return AudioFormat(sample_rate_hz=rate, channels=channels, encoding=encoding)
