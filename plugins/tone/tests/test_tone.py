import itertools
import math
from array import array

import pytest

import vivavoce
import vivavoce_tone
from vivavoce import CapabilityError, Client, InvalidValue
from vivavoce.registry import Registry
from vivavoce.settings import Settings


@pytest.fixture
def client():
    """A client of the tone provider alone."""
    with Client("tone", registry=Registry.of(vivavoce_tone), settings=Settings()) as client:
        yield client


def samples(audio):
    return array("h", audio.data)


def crossings_hz(audio):
    """Return the pitch of the first beep by counting zero crossings over 0.2 s."""
    beep = samples(audio)[: round(0.2 * audio.format.sample_rate_hz)]
    ups = sum(1 for a, b in itertools.pairwise(beep) if a < 0 <= b)
    return ups / 0.2


def rms(audio):
    return math.sqrt(sum(s * s for s in samples(audio)) / len(samples(audio)))


def test_is_found_by_its_entry_point():
    """Installed, the provider is found by name."""
    assert "tone" in [info.name for info in vivavoce.providers()]


def test_one_beep_a_word(client):
    """Each word is a beep as long as the word, followed by a rest, and has its mark."""
    audio = client.synthesize("a bb ccc")
    assert ["a bb ccc"[m.text_start : m.text_end] for m in audio.marks] == ["a", "bb", "ccc"]
    lengths = [m.end_s - m.start_s for m in audio.marks]
    assert pytest.approx([0.06, 0.12, 0.18], abs=1e-3) == lengths
    assert pytest.approx(0.36 + 3 * 0.04, abs=1e-3) == audio.duration_s


@pytest.mark.parametrize(
    ("voice", "pitch", "hertz"), [("sine", 0, 440), ("low", 0, 220), ("sine", 12, 880)]
)
def test_pitch(client, voice, pitch, hertz):
    """Voice and pitch decide how high the beep is."""
    audio = client.synthesize("abcdefgh", voice=voice, pitch=pitch)
    assert pytest.approx(hertz, rel=0.03) == crossings_hz(audio)


def test_volume(client):
    """Six decibels more are twice the amplitude."""
    normal, loud = rms(client.synthesize("abcdefgh")), rms(client.synthesize("abcdefgh", volume=6))
    assert pytest.approx(1.995, rel=0.01) == loud / normal


def test_rate(client):
    """Twice the rate is half the beep."""
    (mark,) = client.synthesize("abcdefgh", rate=2).marks
    assert pytest.approx(0.24, abs=1e-3) == mark.end_s


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_sample_rates(client, rate_hz):
    """It speaks at each rate it claims, for the same time."""
    audio = client.synthesize("abcdefgh", sample_rate_hz=rate_hz)
    assert rate_hz == audio.format.sample_rate_hz
    assert pytest.approx(0.48 + 0.04, abs=1e-3) == audio.duration_s


def test_does_not_click(client):
    """A beep starts and ends at zero."""
    audio = client.synthesize("abc", sample_rate_hz=24_000)
    beep = samples(audio)[: round(0.18 * 24_000)]
    assert (beep[0], beep[-1]) == (0, 0)


def test_long_text_is_whole(client):
    """A text over the limit is beeped to its last word."""
    text = "word " * 4000
    audio = client.synthesize(text)
    assert len(audio.marks) == 4000
    assert text.rstrip() == text[: audio.marks[-1].text_end]
    assert audio.report.segments > 1


@pytest.mark.parametrize("wish", [{"instructions": "sad"}, {"ssml": True}, {"marks": ["phoneme"]}])
def test_declines_what_it_does_not_claim(client, wish):
    """What it does not claim is refused before anything is done."""
    with pytest.raises(CapabilityError):
        client.stream("<speak>a</speak>", **wish)


def test_claims_a_range_and_keeps_to_it(client):
    """A rate outside the claimed range is refused with the range."""
    with pytest.raises(InvalidValue, match=r"0\.5 to 2 ratio"):
        client.stream("a", rate=3)
