"""Bring audio from one format to another, piece by piece or whole."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from vivavoce.audio.encode import encoder_rate, needs_encoder_extra, stream_encoder
from vivavoce.audio.pcm import import_extra
from vivavoce.audio.stages import Chain, Stage, to_samples
from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat

if TYPE_CHECKING:
    import os

__all__ = ["Stage", "converter", "decode", "encoder_rate", "needs_audio_extra"]

_DECODE_FRAMES = 1 << 16


def needs_audio_extra(source: AudioFormat, target: AudioFormat, gain_db: float = 0.0) -> bool:
    """Return whether :func:`converter` would need the ``audio`` extra; nothing is imported."""
    if source == target and gain_db == 0:
        return False
    is_resampled = source.sample_rate_hz != target.sample_rate_hz
    is_compressed = needs_encoder_extra(source) or needs_encoder_extra(target)
    return gain_db != 0 or is_resampled or is_compressed


def converter(source: AudioFormat, target: AudioFormat, gain_db: float = 0.0) -> Stage:
    """
    Return a stage that brings *source* to *target*, *gain_db* decibels louder.

    Equal formats and no gain pass the bytes unchanged.

    Raises:
        InvalidValue: If *source* is compressed (see :func:`decode`), or *target*
            cannot be written at its rate (see :func:`~vivavoce.audio.encode.encoder_rate`).
        MissingDependency: If the ``audio`` extra is needed and absent.
    """
    if source == target and gain_db == 0:
        return Chain([])
    return Chain([to_samples(source, target, gain_db), stream_encoder(target)])


def decode(audio: bytes | str | os.PathLike[str]) -> tuple[AudioFormat, bytes]:
    """
    Return the format (raw ``pcm_s16le``) and samples of a whole audio file.

    Args:
        audio: Its bytes, or its path; any container soundfile reads.

    Raises:
        MissingDependency: If the ``audio`` extra is absent.
        InvalidValue: If it is no audio known here, or has more than two channels.
    """
    import_extra("numpy", "decoding")
    soundfile: Any = import_extra("soundfile", "decoding")
    source = io.BytesIO(audio) if isinstance(audio, bytes) else audio
    try:
        with soundfile.SoundFile(source) as file:
            audio_format = AudioFormat(sample_rate_hz=file.samplerate, channels=file.channels)
            # soundfile seeks after each read, which fails at the end of a streamed
            # FLAC: its length is unknown. Unseekable, it is read to its end.
            file.seekable = lambda: False
            # And block by block: that length would be 2**63.
            blocks = iter(
                lambda: file.read(_DECODE_FRAMES, dtype="int16").astype("<i2").tobytes(), b""
            )
            return audio_format, b"".join(blocks)
    except soundfile.LibsndfileError as error:
        name = f"{len(audio)} bytes" if isinstance(audio, bytes) else repr(str(audio))
        msg = f"The audio ({name}) cannot be decoded: {error.error_string}"
        raise InvalidValue(msg) from error
