import io
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.convert import decode
from vivavoce.audio.encode import FileEncoder, encoder_rate, needs_encoder_extra, stream_encoder
from vivavoce.audio.g711 import decode_g711
from vivavoce.audio.wav import read_wav
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce.model.audio import AudioFormat, Encoding

RATE = 24000


def tone(seconds, channels=1, rate=RATE):
    """A sine of 440 Hz that grows, so that its parts differ."""
    time = np.arange(int(seconds * rate))
    wave = np.sin(time * 2 * np.pi * 440 / rate) * np.linspace(2000, 12000, len(time))
    return np.repeat(wave.astype("<i2"), channels).tobytes()


def named(name, rate=RATE, channels=1):
    return AudioFormat.named(name, sample_rate_hz=rate, channels=channels)


def streamed(target, data, cuts=()):
    stage, out, place = stream_encoder(target), [], 0
    for cut in cuts:
        out.append(stage.feed(data[place : place + cut]))
        place += cut
    return b"".join([*out, stage.feed(data[place:]), stage.finish()])


def filed(target, data, piece=4801):
    file = io.BytesIO()
    raw = AudioFormat(sample_rate_hz=target.sample_rate_hz, channels=target.channels)
    encoder = FileEncoder(file, raw, target)
    for begin in range(0, len(data), piece):
        assert encoder.feed(data[begin : begin + piece]) == b""
    assert encoder.finish() == b""
    return file.getvalue()


def likeness(pcm, other, channels=1):
    """Correlation at the best shift within 0.1 s: 1.0 is the same sound."""
    one, two = (np.frombuffer(x, "<i2").astype(float)[::channels] for x in (pcm, other))
    count = min(len(one), len(two)) - 3000
    shifts = range(0, 2400, 1)
    window = one[1000 : 1000 + min(count, 8000)]
    best = max(
        np.dot(window, two[1000 + s : 1000 + s + len(window)])
        / (np.linalg.norm(window) * np.linalg.norm(two[1000 + s : 1000 + s + len(window)]) + 1e-9)
        for s in shifts
        if 1000 + s + len(window) <= len(two)
    )
    return float(best)


@pytest.mark.parametrize("make", [streamed, filed])
@pytest.mark.parametrize("name", ["flac", "wav", "pcm"])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_formats_decode_to_the_same_samples(make, name, channels):
    """FLAC, WAV and raw give back exactly what was written, streamed or to a file."""
    data = tone(1.3, channels)
    encoded = make(named(name, channels=channels), data)
    if name != "pcm":
        found, encoded = decode(encoded)
        assert (found.sample_rate_hz, found.channels) == (RATE, channels)
    assert encoded == data


@pytest.mark.parametrize("make", [streamed, filed])
@pytest.mark.parametrize("name", ["mp3", "ogg"])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_formats_decode_in_full(make, name, channels):
    """MP3 and Opus give back the whole sound, at most 0.15 s longer and never shorter."""
    data = tone(3, channels)
    found, back = decode(make(named(name, channels=channels), data))
    assert found.sample_rate_hz == RATE
    assert found.channels == channels
    extra_s = found.duration_s(len(back)) - 3
    assert 0 <= extra_s < 0.15
    assert likeness(data, back, channels) > 0.95


def test_a_streamed_mp3_begins_with_sound():
    """No empty table of contents, a frame of silence to a player, stands before a streamed MP3."""
    assert streamed(named("mp3"), tone(1))[4:40].strip(b"\x00")


@pytest.mark.parametrize("name", ["mp3", "ogg"])
def test_a_file_tells_its_exact_length(name):
    """Written to a file, MP3 and Opus decode to as many samples as were given."""
    assert len(decode(filed(named(name), tone(2.5)))[1]) == len(tone(2.5))


@given(
    st.sampled_from(["wav", "pcm", "mulaw", "alaw", "flac", "mp3"]),
    st.lists(st.integers(0, 3000), max_size=9),
)
@settings(deadline=None, max_examples=40)
def test_any_cut_gives_the_same_bytes(name, cuts):
    """How the samples arrive does not change what is written."""
    data = tone(0.2)
    assert streamed(named(name), data, cuts) == streamed(named(name), data)


@given(st.lists(st.integers(0, 3000), max_size=9))
@settings(deadline=None, max_examples=15)
def test_any_cut_gives_the_same_opus(cuts):
    """How the samples arrive does not change what is heard; Ogg draws a serial number."""
    data = tone(0.2)
    assert decode(streamed(named("ogg"), data, cuts)) == decode(streamed(named("ogg"), data))


@pytest.mark.parametrize("name", ["mp3", "flac", "ogg", "wav"])
def test_output_comes_while_input_comes(name):
    """An encoder hands on bytes before the end, and its memory stays small."""
    stage, second = stream_encoder(named(name)), tone(1)
    stage.feed(second)
    tracemalloc.start()
    sizes = [len(stage.feed(second)) for _ in range(30)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    stage.finish()
    assert sum(map(bool, sizes)) > 20
    assert peak < 1_000_000


def test_g711_is_one_byte_a_sample():
    """The telephone encodings are written without a header."""
    data = tone(0.1, rate=8000)
    encoded = streamed(named("mulaw", 8000), data)
    assert len(encoded) == len(data) // 2
    assert likeness(data * 6, decode_g711(encoded, Encoding.MULAW) * 6) > 0.99


def test_a_wav_file_has_its_sizes():
    """A WAV written to a file tells its true length, with padding where it is odd."""
    encoded = filed(AudioFormat(sample_rate_hz=8000, encoding="mulaw", container="wav"), bytes(6))
    assert int.from_bytes(encoded[4:8], "little") == len(encoded) - 8
    assert len(encoded) % 2 == 0
    assert read_wav(encoded)[1] == b"\xff" * 3


def test_an_empty_wav_file_is_whole():
    """A WAV with no sample at all still has a right header."""
    encoded = filed(named("wav"), b"")
    assert len(encoded) == 44
    assert encoded[40:44] == bytes(4)


def test_a_wav_beyond_four_gigabytes_is_refused(monkeypatch):
    """A WAV that outgrows 4 GiB stops with what to choose instead."""
    encoder = FileEncoder(io.BytesIO(), named("pcm"), named("wav"))
    encoder.feed(bytes(4))
    encoder._encoder._data_bytes = 2**32 - 60
    with pytest.raises(InvalidValue, match="Choose flac or raw"):
        encoder.feed(bytes(100))


class OneWay(io.BytesIO):
    def seekable(self):
        return False

    def seek(self, *place):
        raise AssertionError(place)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3"])
def test_a_pipe_is_written_as_a_stream(name):
    """A file that cannot seek gets the streamed form, which decodes in full."""
    file, data = OneWay(), tone(1)
    encoder = FileEncoder(file, named("pcm"), named(name))
    encoder.feed(data)
    encoder.finish()
    assert file.getvalue() == streamed(named(name), data)


def test_a_file_encoder_converts():
    """Another rate and number of channels on the way in is brought to the target's."""
    file = io.BytesIO()
    encoder = FileEncoder(file, named("pcm", 22050), named("wav", 44100, 2))
    encoder.feed(tone(1, rate=22050))
    encoder.finish()
    found, samples = read_wav(file.getvalue())
    assert (found.sample_rate_hz, found.channels) == (44100, 2)
    assert found.duration_s(len(samples)) == pytest.approx(1, abs=0.001)


def feed_noise(encoder):
    for _ in range(20):
        encoder.feed(np.random.default_rng(1).bytes(48000))


class Broken(io.BytesIO):
    """Fails after 5000 bytes, as a full disk does."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, data):
        if self.tell() + len(data) > 5000:
            raise self.error
        return super().write(data)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize(
    "error", [OSError(28, "full"), KeyboardInterrupt()], ids=["full", "ctrl-c"]
)
def test_the_file_s_own_error_comes_out(name, error, capfd):
    """What a write raises comes out of feed or finish as it was, through C code too."""
    encoder = FileEncoder(Broken(error), named("pcm"), named(name))
    with pytest.raises(type(error)) as caught:
        feed_noise(encoder)
    assert caught.value is error
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("encoding", "rate", "expected"),
    [
        ("opus", 22050, 24000),
        ("opus", 24000, 24000),
        ("opus", 44100, 48000),
        ("opus", 96000, 48000),
        ("mp3", 22050, 22050),
        ("mp3", 23000, 24000),
        ("mp3", 96000, 48000),
        ("flac", 23000, 23000),
        ("pcm_s16le", 11025, 11025),
    ],
)
def test_an_encoder_has_its_rates(encoding, rate, expected):
    """The rate to write at is the nearest above that the encoding knows, else the highest."""
    assert encoder_rate(Encoding(encoding), rate) == expected


@pytest.mark.parametrize("make", [streamed, filed])
def test_a_wrong_rate_is_refused(make):
    """A rate the encoding cannot have is refused with those it can."""
    with pytest.raises(InvalidValue, match=r"'opus' cannot be written at 22050 Hz\. Choose 24000"):
        make(named("ogg", 22050), b"")


def test_raw_opus_is_refused():
    """Opus without a container is refused."""
    with pytest.raises(InvalidValue, match="Choose ogg"):
        stream_encoder(AudioFormat(sample_rate_hz=24000, encoding="opus"))


@pytest.mark.parametrize("name", ["mp3", "flac", "ogg"])
@pytest.mark.parametrize("absent", ["soundfile", "numpy"])
def test_without_the_extra_it_says_what_to_install(monkeypatch, name, absent):
    """Without soundfile or numpy, making the encoder is a MissingDependency naming the extra."""
    monkeypatch.setitem(sys.modules, absent, None)
    assert needs_encoder_extra(named(name))
    for make in (streamed, filed):
        with pytest.raises(MissingDependency, match=absent) as caught:
            make(named(name), b"")
        assert caught.value.extra == "audio"


@pytest.mark.parametrize("name", ["wav", "pcm", "mulaw", "alaw"])
def test_plain_formats_need_no_extra(monkeypatch, name):
    """WAV, raw and G.711 are written without the extra."""
    for module in ("soundfile", "soxr", "numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    assert not needs_encoder_extra(named(name))
    assert streamed(named(name), bytes(100))
    assert filed(named(name), bytes(100))
