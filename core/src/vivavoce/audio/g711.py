"""mu-law and A-law (ITU-T G.711), by tables built when first needed."""

from __future__ import annotations

import functools
from array import array

from vivavoce.audio.pcm import samples_of, to_pcm
from vivavoce.model.audio import Encoding

__all__ = ["decode_g711", "encode_g711"]

_MULAW_BIAS = 0x84
_MULAW_CLIP = 32635
_ALAW_INVERT = 0x55


def encode_g711(pcm: bytes, encoding: Encoding) -> bytes:
    """
    Return *pcm* (``pcm_s16le``, whole samples) in one byte a sample.

    Args:
        pcm: Interleaved samples.
        encoding: ``mulaw`` or ``alaw``.
    """
    # A negative sample counts from the end of the table, which is its place there.
    return bytes(map(_encode_table(encoding).__getitem__, samples_of(pcm)))


def decode_g711(data: bytes, encoding: Encoding) -> bytes:
    """Return G.711 *data* (``mulaw`` or ``alaw``) as ``pcm_s16le``."""
    return to_pcm(array("h", map(_decode_table(encoding).__getitem__, data)))


@functools.cache
def _encode_table(encoding: Encoding) -> bytes:
    encode = _mulaw_byte if encoding is Encoding.MULAW else _alaw_byte
    return bytes(map(encode, [*range(32768), *range(-32768, 0)]))


@functools.cache
def _decode_table(encoding: Encoding) -> array[int]:
    decode = _mulaw_sample if encoding is Encoding.MULAW else _alaw_sample
    return array("h", map(decode, range(256)))


def _mulaw_byte(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _MULAW_CLIP) + _MULAW_BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def _mulaw_sample(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + _MULAW_BIAS << (byte >> 4 & 7)) - _MULAW_BIAS
    return -magnitude if byte & 0x80 else magnitude


def _alaw_byte(sample: int) -> int:
    sign = 0 if sample < 0 else 0x80
    magnitude = (~sample if sample < 0 else sample) >> 4
    exponent = max(magnitude.bit_length() - 4, 0)
    mantissa = magnitude >> max(exponent - 1, 0) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ _ALAW_INVERT


def _alaw_sample(byte: int) -> int:
    byte ^= _ALAW_INVERT
    exponent, mantissa = byte >> 4 & 7, byte & 0x0F
    magnitude = (mantissa << 4) + 8
    if exponent:
        magnitude = magnitude + 0x100 << exponent - 1
    return magnitude if byte & 0x80 else -magnitude
