import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.convert import converter, decode, needs_audio_extra
from vivavoce.audio.g711 import decode_g711, encode_g711
from vivavoce.audio.pcm import mono_to_stereo
from vivavoce.audio.wav import read_wav, wav_header
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce.model.audio import AudioFormat, Encoding

PCM = np.random.default_rng(3).integers(-9000, 9000, 4000, "int16").astype("<i2").tobytes()
NAMES = ["pcm", "wav", "mulaw", "alaw", "flac", "mp3"]


def named(name, rate=24000, channels=1):
    return AudioFormat.named(name, sample_rate_hz=rate, channels=channels)


def run(stage, data, cuts=()):
    out, place = [], 0
    for cut in cuts:
        out.append(stage.feed(data[place : place + cut]))
        place += cut
    return b"".join([*out, stage.feed(data[place:]), stage.finish()])


def test_equal_formats_pass_unchanged():
    """Nothing to do means the very same bytes, torn samples and compressed ones included."""
    for name in NAMES:
        assert run(converter(named(name), named(name)), b"abc") == b"abc"


@given(
    st.sampled_from(["pcm", "wav", "mulaw", "alaw"]),
    st.sampled_from(NAMES),
    st.sampled_from([(24000, 24000), (24000, 16000), (8000, 24000)]),
    st.sampled_from(list(itertools.product([1, 2], [1, 2]))),
    st.sampled_from([0.0, -6.0]),
    st.lists(st.integers(0, 1500), max_size=8),
)
@settings(deadline=None, max_examples=80)
def test_any_cut_converts_to_the_same_bytes(name, target, rates, channels, gain_db, cuts):
    """How the bytes arrive does not change the result, between any two formats."""
    source = named(name, rates[0], channels[0])
    wanted = named(target, rates[1], channels[1])
    data = wav_header(source, len(PCM)) + PCM if name == "wav" else PCM
    expected = run(converter(source, wanted, gain_db), data)
    assert run(converter(source, wanted, gain_db), data, cuts) == expected


def test_the_steps_come_together():
    """A WAV in mono becomes mu-law in stereo at another rate, of the same length."""
    source, target = named("wav", 24000), named("mulaw", 8000, 2)
    out = run(converter(source, target), wav_header(source, len(PCM)) + PCM)
    assert target.duration_s(len(out)) == pytest.approx(2000 / 24000 * 2, rel=0.01)


def test_g711_is_decoded():
    """A telephone source becomes the samples it stands for."""
    coded = encode_g711(PCM, Encoding.ALAW)
    assert run(converter(named("alaw"), named("pcm")), coded) == decode_g711(coded, Encoding.ALAW)


def test_mono_becomes_stereo_in_a_streamed_wav():
    """Without the extra, channels and headers are still converted."""
    found, samples = read_wav(run(converter(named("pcm"), named("wav", channels=2)), PCM))
    assert found.channels == 2
    assert samples == mono_to_stereo(PCM)


def test_stereo_becomes_mono():
    """Both channels are mixed, before a change of rate too."""
    stereo = mono_to_stereo(PCM)
    assert run(converter(named("pcm", channels=2), named("pcm")), stereo) == PCM
    wanted = named("pcm", 16000)
    mixed = run(converter(named("pcm", channels=2), wanted), stereo)
    assert mixed == run(converter(named("pcm"), wanted), PCM)


def test_gain_makes_louder():
    """A gain of 6.02 dB doubles the samples."""
    out = run(converter(named("pcm"), named("pcm"), 6.0206), PCM)
    assert np.abs(np.frombuffer(out, "<i2") - 2 * np.frombuffer(PCM, "<i2").astype(int)).max() <= 1


@pytest.mark.parametrize("source", ["pcm", "mulaw", "wav", "mp3"])
@pytest.mark.parametrize("target", [*NAMES, "ogg"])
@pytest.mark.parametrize("rate", [24000, 16000])
@pytest.mark.parametrize("gain_db", [0.0, 3.0])
def test_the_need_of_the_extra_is_known_beforehand(monkeypatch, source, target, rate, gain_db):
    """A conversion says that it needs the extra exactly when it fails without it."""
    for module in ("numpy", "soxr", "soundfile"):
        monkeypatch.setitem(sys.modules, module, None)
    formats = named(source), named(target, rate)
    if source == "mp3" and (source, rate, gain_db) != (target, 24000, 0.0):
        assert needs_audio_extra(*formats, gain_db)
    elif needs_audio_extra(*formats, gain_db):
        with pytest.raises(MissingDependency):
            converter(*formats, gain_db)
    else:
        converter(*formats, gain_db)


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_whole_audio_is_decoded_from_bytes_and_paths(tmp_path, name):
    """Decoding takes bytes or a path and gives raw samples with their format."""
    data = run(converter(named("pcm", channels=2), named(name, channels=2)), PCM)
    path = tmp_path / f"a.{name}"
    path.write_bytes(data)
    expected = AudioFormat(sample_rate_hz=24000, channels=2), PCM
    assert decode(data) == decode(path) == decode(str(path)) == expected


@pytest.mark.parametrize("audio", [b"", b"no audio at all", "/no/such/file.wav"])
def test_what_cannot_be_decoded_is_refused(audio):
    """What is no audio, or is not there, is an InvalidValue."""
    with pytest.raises(InvalidValue, match="cannot be decoded"):
        decode(audio)


def test_decoding_without_the_extra_says_what_to_install(monkeypatch):
    """Without soundfile, decoding is a MissingDependency."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingDependency, match="Decoding needs soundfile"):
        decode(b"")
