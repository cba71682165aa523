import io
import wave
from array import array

import pytest

from vivavoce import Audio, AudioFormat, InvalidValue, MissingDependency, Report
from vivavoce.audio.convert import decode
from vivavoce.audio.result import container_of
from vivavoce.model.timing import Mark

SAMPLES = array("h", [0, 1000, -1000, 20_000] * 4000).tobytes()
REPORT = Report(provider="fake", model="one", audio_s=1.0)


def audio(**changes):
    raw = AudioFormat(sample_rate_hz=16_000)
    return Audio(**{"data": SAMPLES, "format": raw, "report": REPORT, **changes})


@pytest.mark.parametrize("name", ["a.wav", "A.WAV", "a.flac"])
def test_saves_what_decodes_to_the_same(tmp_path, name):
    """Saved without loss, the samples come back the same."""
    path = audio().save(tmp_path / name)
    audio_format, samples = decode(str(path))
    assert (audio_format.sample_rate_hz, samples) == (16_000, SAMPLES)


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.opus"])
def test_saves_compressed(tmp_path, name):
    """Saved compressed, the file decodes to as much sound."""
    audio_format, samples = decode(str(audio().save(tmp_path / name)))
    assert 0.9 < audio_format.duration_s(len(samples)) < 1.2


def test_saves_at_a_rate_the_format_has(tmp_path):
    """Audio at a rate that Opus has not is saved at one that it has."""
    odd = audio(format=AudioFormat(sample_rate_hz=22_050))
    audio_format, samples = decode(str(odd.save(tmp_path / "a.ogg")))
    assert 0.7 < audio_format.duration_s(len(samples)) < 0.8


def test_saves_raw(tmp_path):
    """Saved raw, the file is the samples."""
    assert audio().save(tmp_path / "a.raw").read_bytes() == SAMPLES


def test_wav_in_memory():
    """The WAV in memory is read by the standard library."""
    with wave.open(io.BytesIO(audio().to_wav())) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 16_000)


def test_unknown_endings(tmp_path):
    """An ending that means no format is refused, and nothing is written."""
    with pytest.raises(InvalidValue, match=r"'\.aac'.*Use \.wav"):
        audio().save(tmp_path / "a.aac")
    with pytest.raises(InvalidValue, match="ending ''"):
        container_of("speech")
    assert list(tmp_path.iterdir()) == []


def test_compressed_is_not_converted(tmp_path):
    """Compressed audio is written as it is, and not into another format."""
    mp3 = audio(data=b"mp3 bytes", format=AudioFormat.named("mp3", sample_rate_hz=16_000))
    assert mp3.save(tmp_path / "a.mp3").read_bytes() == b"mp3 bytes"
    with pytest.raises(InvalidValue, match="is mp3 already"):
        mp3.save(tmp_path / "a.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp3"]


def test_to_numpy():
    """The samples are had as int16, one column a channel."""
    assert audio().to_numpy().tolist()[:4] == [0, 1000, -1000, 20_000]
    stereo = audio(format=AudioFormat(sample_rate_hz=16_000, channels=2))
    assert stereo.to_numpy().shape == (8_000, 2)
    wav = audio(data=audio().to_wav(), format=AudioFormat.named("wav", sample_rate_hz=16_000))
    assert wav.to_numpy().shape == (16_000,)


def test_to_numpy_without_numpy(monkeypatch):
    """Without numpy the error names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    with pytest.raises(MissingDependency, match=r"vivavoce\[audio\]"):
        audio().to_numpy()


def test_captions(tmp_path):
    """Marks are saved as captions by the file's ending."""
    mark = Mark(kind="word", start_s=0, end_s=1, text_start=0, text_end=5)
    spoken = audio(marks=(mark,), text="Hello")
    assert "00:00:00.000 --> 00:00:01.000" in spoken.save_captions(tmp_path / "a.vtt").read_text()
    with pytest.raises(InvalidValue, match="caption"):
        spoken.save_captions(tmp_path / "a.txt")


def test_notebook():
    """A notebook gets a player, a waveform and nothing from the network; text where it cannot."""
    bundle = audio()._repr_mimebundle_()
    html = bundle["text/html"]
    assert "<audio" in html
    assert "<svg" in html
    assert "data:audio/wav;base64," in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert "20000" not in bundle["text/plain"]
    compressed = audio(format=AudioFormat.named("mp3", sample_rate_hz=16_000))
    assert list(compressed._repr_mimebundle_()) == ["text/plain"]


def test_repr_is_short():
    """The repr shows no samples."""
    assert len(repr(audio())) < 700
