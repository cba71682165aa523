import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.stages import Chain, Resampler, to_samples
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce.model.audio import AudioFormat

NOISE = np.random.default_rng(7).integers(-32768, 32767, 6000, "int16").astype("<i2").tobytes()
CUTS = st.lists(st.integers(0, 3000), max_size=12)


def run(stage, data, cuts=()):
    out, place = [], 0
    for cut in cuts:
        out.append(stage.feed(data[place : place + cut]))
        place += cut
    return b"".join([*out, stage.feed(data[place:]), stage.finish()])


@given(
    CUTS, st.sampled_from([(24000, 16000), (22050, 48000), (44100, 8000)]), st.sampled_from([1, 2])
)
@settings(deadline=None)
def test_any_cut_resamples_to_the_same_bytes(cuts, rates, channels):
    """How the samples arrive does not change the resampled bytes."""
    expected = run(Resampler(*rates, channels), NOISE)
    assert run(Resampler(*rates, channels), NOISE, cuts) == expected


@pytest.mark.parametrize(("rate", "wanted"), [(24000, 16000), (22050, 48000), (8000, 44100)])
def test_resampling_keeps_length_and_pitch(rate, wanted):
    """A resampled tone lasts as long and has the same frequency and loudness."""
    time = np.arange(rate) / rate
    tone = (np.sin(2 * np.pi * 1000 * time) * 16000).astype("<i2").tobytes()
    out = np.frombuffer(run(Resampler(rate, wanted, 1), tone), "<i2").astype(float)
    assert abs(len(out) - wanted) <= 2
    spectrum = np.abs(np.fft.rfft(out[:wanted]))
    assert abs(np.argmax(spectrum) * wanted / len(out[:wanted]) - 1000) < 2
    assert np.abs(out[1000:-1000]).max() == pytest.approx(16000, rel=0.02)


def test_resampling_loud_sound_saturates():
    """Overshoot at full scale is cut off, never wrapped round."""
    square = np.repeat(np.tile(np.array([32767, -32768], "<i2"), 100), 40).tobytes()
    out = np.frombuffer(run(Resampler(24000, 48000, 1), square), "<i2").astype(int)
    assert (out[500:-500].reshape(-1) * 1.0).max() == 32767
    assert np.abs(np.diff(out[500:-500])).max() < 50000


def test_resampling_nothing_gives_nothing():
    """No samples in, none out."""
    assert run(Resampler(24000, 16000, 1), b"") == b""


@pytest.mark.parametrize("absent", ["soxr", "numpy"])
def test_without_the_extra_it_says_what_to_install(monkeypatch, absent):
    """Without soxr or numpy, making a resampler is a MissingDependency naming the extra."""
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingDependency, match=f"{absent}.*vivavoce") as caught:
        Resampler(24000, 16000, 1)
    assert caught.value.extra == "audio"


class Echo:
    """Holds its input back until the end, and then puts a letter before it."""

    def __init__(self, letter):
        self.letter, self.held = letter, b""

    def feed(self, data):
        self.held += data
        return b""

    def finish(self):
        return self.letter + self.held


def test_a_chain_passes_on_what_each_stage_held_back():
    """At the end the rest of each stage passes through those behind it."""
    assert run(Chain([Echo(b"1"), Echo(b"2")]), b"ab") == b"21ab"
    assert run(Chain([]), b"ab") == b"ab"


def test_compressed_sources_are_refused():
    """A compressed stream cannot be converted while it streams."""
    mp3 = AudioFormat.named("mp3", sample_rate_hz=24000)
    with pytest.raises(InvalidValue, match="decode the whole audio"):
        to_samples(mp3, AudioFormat(sample_rate_hz=24000))
