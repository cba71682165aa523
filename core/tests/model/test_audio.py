import pytest

from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat, Container, Encoding


@pytest.mark.parametrize("rate", [3_999, 192_001, 0, -1, True, 44.1, "24000"])
def test_refuses_wrong_rates(rate):
    """A sample rate is a whole number from 4000 to 192000 Hz."""
    with pytest.raises(InvalidValue, match=r"Hz"):
        AudioFormat(sample_rate_hz=rate)


def test_refuses_impossible_pairs():
    """A container holds only the encodings it can."""
    with pytest.raises(InvalidValue, match="'flac' cannot hold 'mp3'; it holds flac"):
        AudioFormat(sample_rate_hz=24_000, container="flac", encoding="mp3")


@pytest.mark.parametrize("channels", [0, 3, -1])
def test_refuses_wrong_channels(channels):
    """Mono and stereo are all there is."""
    with pytest.raises(InvalidValue, match="Choose 1 or 2"):
        AudioFormat(sample_rate_hz=24_000, channels=channels)


@pytest.mark.parametrize(
    ("name", "container", "encoding"),
    [
        ("wav", Container.WAV, Encoding.PCM_S16LE),
        (".MP3", Container.MP3, Encoding.MP3),
        ("opus", Container.OGG, Encoding.OPUS),
        ("mulaw", Container.RAW, Encoding.MULAW),
    ],
)
def test_named(name, container, encoding):
    """A format is found by the name people use, with or without a dot."""
    found = AudioFormat.named(name, sample_rate_hz=24_000)
    assert (container, encoding) == (found.container, found.encoding)


def test_unknown_name_lists_the_known():
    """An unknown format name lists the known ones."""
    with pytest.raises(InvalidValue, match=r"'aac' is no audio format.*wav, pcm, mp3"):
        AudioFormat.named("aac", sample_rate_hz=24_000)


def test_duration():
    """Duration is bytes over frame size and rate."""
    stereo = AudioFormat(sample_rate_hz=8_000, channels=2)
    assert stereo.duration_s(16_000) == 0.5


def test_compressed_has_no_frames():
    """Compressed samples have no fixed size, and asking for it says so."""
    with pytest.raises(InvalidValue, match="compressed"):
        AudioFormat.named("mp3", sample_rate_hz=24_000).frame_bytes  # noqa: B018
