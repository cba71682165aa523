import math
import struct
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio import pcm as pcm_module
from vivavoce.audio.pcm import (
    Aligner,
    apply_gain,
    is_audible,
    level,
    mono_to_stereo,
    samples_of,
    silence,
    stereo_to_mono,
    to_pcm,
)
from vivavoce.errors import InvalidValue, MissingDependency, StreamStateError
from vivavoce.model.audio import AudioFormat

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=50)


def pcm_of(*samples):
    return struct.pack(f"<{len(samples)}h", *samples)


@given(st.lists(st.binary(max_size=9)), st.integers(1, 6))
def test_any_cut_gives_the_same_whole_samples(pieces, frame_bytes):
    """Each piece out is whole, and together they are the input less the torn rest."""
    aligner = Aligner(frame_bytes)
    out = [aligner.align(piece) for piece in pieces]
    assert all(len(piece) % frame_bytes == 0 for piece in out)
    whole = b"".join(pieces)
    torn = aligner.finish()
    assert torn == len(whole) % frame_bytes
    assert b"".join(out) == whole[: len(whole) - torn]


def test_nothing_follows_the_end():
    """Aligning after finish is a StreamStateError."""
    aligner = Aligner(2)
    aligner.finish()
    with pytest.raises(StreamStateError, match="finish"):
        aligner.align(b"ab")


def test_a_sample_has_a_size():
    """A frame below one byte is refused."""
    with pytest.raises(InvalidValue, match="frame_bytes=0"):
        Aligner(0)


@given(SAMPLES)
def test_samples_read_and_write_little_endian(samples):
    """Samples are little-endian, whatever the machine."""
    assert list(samples_of(pcm_of(*samples))) == samples
    assert to_pcm(array("h", samples)) == pcm_of(*samples)


def test_a_big_endian_machine_swaps(monkeypatch):
    """On a big-endian machine the bytes are swapped, both ways."""
    other = "little" if sys.byteorder == "big" else "big"
    monkeypatch.setattr(pcm_module.sys, "byteorder", other)
    assert list(samples_of(b"\x01\x00")) == [256]
    samples = array("h", [256])
    assert to_pcm(samples) == b"\x01\x00"
    assert list(samples) == [256]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([], False), ([16, -16], False), ([17], True), ([-17], True), ([-32768], True)],
)
def test_audible_is_beyond_the_threshold(samples, expected):
    """A sample is audible when it is beyond the threshold on either side."""
    assert is_audible(pcm_of(*samples)) is expected
    assert is_audible(bytes(1_000_000) + pcm_of(*samples)) is expected


def test_level_of_full_scale_and_silence():
    """A full square is 0 dBFS, half of it -6.02, silence and nothing -inf."""
    assert level(pcm_of(-32768, -32768)) == (0.0, 0.0)
    assert level(pcm_of(16384, -16384)) == pytest.approx((-6.0206, -6.0206), abs=1e-3)
    assert level(bytes(8)) == level(b"") == (-math.inf, -math.inf)


@pytest.mark.parametrize(
    ("name", "channels", "byte", "size"),
    [("pcm", 1, 0, 1600), ("pcm", 2, 0, 3200), ("mulaw", 1, 0xFF, 800), ("alaw", 2, 0xD5, 1600)],
)
def test_silence_is_the_zero_of_its_encoding(name, channels, byte, size):
    """Silence has the asked length in whole samples of the encoding's zero."""
    wanted = AudioFormat.named(name, sample_rate_hz=8000, channels=channels)
    assert silence(wanted, 0.1) == bytes([byte]) * size


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_silence_has_a_length(seconds):
    """A length that is negative or no number is refused."""
    with pytest.raises(InvalidValue, match="silence"):
        silence(AudioFormat(sample_rate_hz=8000), seconds)


@given(SAMPLES)
def test_stereo_and_back_is_the_same(samples):
    """Mono on two channels, mixed again, is what it was."""
    both = mono_to_stereo(pcm_of(*samples))
    assert len(both) == 4 * len(samples)
    assert stereo_to_mono(both) == pcm_of(*samples)


def test_mixing_cannot_overflow():
    """The mean of two extreme samples stays a sample."""
    mixed = stereo_to_mono(pcm_of(32767, 32767, -32768, -32768, 100, 0))
    assert mixed == pcm_of(32767, -32768, 50)


def test_gain_saturates():
    """Gain multiplies, rounds and stops at full scale; 0 dB changes nothing."""
    loud = apply_gain(pcm_of(100, 20000, -20000), 20 * math.log10(2))
    assert loud == pcm_of(200, 32767, -32768)
    assert apply_gain(pcm_of(5), 0) == pcm_of(5)


def test_gain_is_a_number():
    """A gain that is no finite number is refused."""
    with pytest.raises(InvalidValue, match="nan dB"):
        apply_gain(b"", math.nan)


def test_gain_without_numpy_names_the_extra(monkeypatch):
    """Without numpy, gain is a MissingDependency that says what to run; 0 dB still works."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert apply_gain(b"ab", 0) == b"ab"
    with pytest.raises(MissingDependency, match=r"pip install 'vivavoce\[audio\]'") as caught:
        apply_gain(b"ab", 1)
    assert caught.value.extra == "audio"
