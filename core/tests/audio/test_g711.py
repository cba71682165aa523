import io

import numpy as np
import pytest
import soundfile

from vivavoce.audio.g711 import decode_g711, encode_g711
from vivavoce.audio.pcm import samples_of
from vivavoce.model.audio import Encoding

LAWS = [(Encoding.MULAW, "ULAW"), (Encoding.ALAW, "ALAW")]
ALL_SAMPLES = np.arange(-32768, 32768, dtype="<i2")


@pytest.mark.parametrize(("encoding", "name"), LAWS)
def test_it_decodes_as_libsndfile_does(encoding, name):
    """Each of the 256 bytes means the sample that libsndfile reads."""
    data = bytes(range(256))
    expected, _rate = soundfile.read(
        io.BytesIO(data), samplerate=8000, channels=1, subtype=name, format="RAW", dtype="int16"
    )
    assert list(samples_of(decode_g711(data, encoding))) == expected.tolist()


def test_mulaw_is_written_as_libsndfile_does():
    """Every sample is written as the byte that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, ALL_SAMPLES, 8000, subtype="ULAW", format="RAW")
    assert encode_g711(ALL_SAMPLES.tobytes(), Encoding.MULAW) == file.getvalue()


@pytest.mark.parametrize(("encoding", "_name"), LAWS)
def test_every_sample_comes_back_near(encoding, _name):
    """A sample comes back within half a step of its segment, and its sign stays."""
    encoded = encode_g711(ALL_SAMPLES.tobytes(), encoding)
    back = np.frombuffer(decode_g711(encoded, encoding), "<i2").astype(int)
    error = np.abs(back - ALL_SAMPLES)
    assert (error <= np.maximum(16, np.abs(ALL_SAMPLES.astype(int)) // 32 + 16) + 100).all()
    assert error.max() <= 644
    assert error[32768 - 200 : 32768 + 200].max() <= 8


@pytest.mark.parametrize(("encoding", "_name"), LAWS)
def test_a_second_time_changes_nothing(encoding, _name):
    """Decoded bytes, encoded again, sound the same."""
    once = decode_g711(bytes(range(256)), encoding)
    assert decode_g711(encode_g711(once, encoding), encoding) == once
