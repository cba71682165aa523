import base64
import re
import sys
from xml.etree import ElementTree as ET

import pytest

from vivavoce.audio import show
from vivavoce.audio.pcm import to_pcm
from vivavoce.audio.show import audio_html, peaks
from vivavoce.audio.wav import read_wav
from vivavoce.model.audio import AudioFormat
from vivavoce.model.timing import Mark

MONO = AudioFormat(sample_rate_hz=8000)
STEREO = AudioFormat(sample_rate_hz=8000, channels=2)


def parsed(fragment):
    """The fragment as XML; HTML's only bare attribute here is made one of XML."""
    return ET.fromstring(fragment.replace("<audio controls ", "<audio "))


@pytest.mark.parametrize("audio_format", [MONO, STEREO])
def test_the_player_holds_the_audio(audio_format):
    """The player's source is the whole audio as a WAV, with nothing to fetch."""
    pcm = bytes(range(200)) * 20
    fragment = audio_html(pcm, audio_format)
    source = parsed(fragment).find("audio").get("src")
    assert read_wav(base64.b64decode(source.removeprefix("data:audio/wav;base64,"))) == (
        audio_format,
        pcm,
    )
    assert "http" not in fragment
    assert "<script" not in fragment


def test_it_tells_the_duration_and_the_format():
    """The duration stands below, in seconds or in minutes."""
    assert "0.50 s, raw/pcm_s16le 8000 Hz mono" in audio_html(bytes(8000), MONO)
    assert "1 min 05 s" in audio_html(bytes(16000 * 65), MONO)


def test_long_audio_has_a_note_for_a_player(monkeypatch):
    """Too much audio gets a waveform and a note, no player."""
    monkeypatch.setattr(show, "PLAYER_MAX_BYTES", 1000)
    fragment = audio_html(bytes(2_000_000), MONO)
    assert "<audio" not in fragment
    assert "2 MB of audio are too many for a player" in fragment
    assert "<svg" in fragment
    assert len(fragment) < 30_000


def test_the_waveform_shows_the_extremes():
    """Each column spans the smallest and the largest sample in it."""
    pcm = to_pcm(
        show.samples_of(b"") + type(show.samples_of(b""))("h", [0, 5, -3, 9, -32768, 32767])
    )
    assert peaks(pcm, 3) == [(0, 5), (-3, 9), (-32768, 32767)]
    assert peaks(pcm, 3, channels=2) == [(0, 5), (-3, 9), (-32768, 32767)]
    assert peaks(pcm, 100) == [(0, 0), (5, 5), (-3, -3), (9, 9), (-32768, -32768), (32767, 32767)]


@pytest.mark.parametrize("samples", [0, 1, 599, 601, 100_000])
def test_the_waveform_is_bounded(samples):
    """A waveform has at most 600 columns, whatever the length, and none for nothing."""
    path = parsed(audio_html(bytes(2 * samples), MONO)).findall("svg/path")[1].get("d")
    assert len(re.findall("M", path)) == min(samples, 600)


def test_marks_are_ticks_and_bounded():
    """Marks are drawn within the waveform, 200 of them at most."""
    marks = [
        Mark(kind="word", start_s=i / 1000, end_s=i / 1000, text_start=0, text_end=0)
        for i in range(1000)
    ]
    ticks = parsed(audio_html(bytes(16000), MONO, marks)).findall("svg/path")[2].get("d")
    places = [float(x) for x in re.findall(r"M([\d.]+) ", ticks)]
    assert len(places) == 200
    assert places == sorted(places)
    assert places[-1] < 600


def test_marks_of_silence_do_no_harm():
    """Marks without audio are left out."""
    mark = Mark(kind="word", start_s=0, end_s=0, text_start=0, text_end=0)
    assert parsed(audio_html(b"", MONO, [mark])).findall("svg/path")[2].get("d") == ""


def test_it_needs_no_extra(monkeypatch):
    """The waveform is drawn without numpy."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert "<svg" in audio_html(bytes(100), MONO)
