import hashlib
import io
import os
import re
import struct
import sys
from pathlib import Path

import attrs
import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vivavoce.audio import hearing, recording
from vivavoce.audio.recording import (
    address_recording,
    examine_recording,
    is_address,
    refuse,
)
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce.model.customizing import Finding, Level, RecordingRules

RULES = RecordingRules(
    containers=("wav", "mp3", "m4a"),
    min_sample_rate_hz=24_000,
    max_channels=1,
    min_s=3.0,
    max_s=60.0,
    advised_s=(10.0, 20.0),
    max_bytes=10_000_000,
    wav_bits=(16,),
    takes_url=True,
)
OPEN = RecordingRules(containers=("wav", "mp3", "m4a", "flac", "ogg"))


def speech(seconds=12.0, rate=24_000):
    """Something with the ups and downs of speech: a voice-like sound in syllables, little noise."""
    t = np.arange(int(seconds * rate)) / rate
    voice = np.sin(2 * np.pi * 140 * t + 3 * np.sin(2 * np.pi * 0.7 * t))
    voice += 0.5 * np.sin(2 * np.pi * 1200 * t)
    syllables = np.sqrt(np.clip(np.sin(2 * np.pi * 2.3 * t) + 0.3, 0, 1))
    noise = np.random.default_rng(0).standard_normal(len(t))
    return 0.25 * voice * syllables + 0.0005 * noise


def encoded(sound, rate=24_000, container="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=container, subtype=subtype)
    return file.getvalue()


def mp4(sound, rate=24_000, *, codec="aac", has_video=False):
    file = io.BytesIO()
    write_mp4(file, sound, rate, codec=codec, has_video=has_video, options={})
    return file.getvalue()


def write_mp4(file, sound, rate, *, codec, has_video, options):
    with av.open(file, "w", format="mp4", options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        if has_video:
            video = container.add_stream("mpeg4", rate=5, width=64, height=64, pix_fmt="yuv420p")
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            for packet in [*video.encode(picture), *video.encode()]:
                container.mux(packet)
        samples = (sound * 32767).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = rate
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


SPEECH = speech()
WAV = encoded(SPEECH)
SHORT = speech(4.0)
FILES = {
    "wav": encoded(SHORT),
    "wavex": encoded(SHORT, container="WAVEX", subtype="PCM_16"),
    "mp3": encoded(SHORT, container="MP3"),
    "m4a": mp4(SHORT),
    "flac": encoded(SHORT, container="FLAC"),
    "ogg": encoded(SHORT, container="OGG"),
    "opus": encoded(SHORT, container="OGG", subtype="OPUS"),
}


def told(found):
    return [(finding.about, finding.level.value) for finding in found.findings]


def message_of(found, about, level=Level.REFUSED):
    (message,) = [f.message for f in found.findings if (f.about, f.level) == (about, level)]
    return message


# --- what is fine ---


def test_a_good_recording_is_passed_on_as_it_is():
    """A recording that fits the rules has no findings, and its bytes are not changed."""
    found = examine_recording(WAV, RULES, fix=True)
    assert found.findings == ()
    assert found.data == WAV
    assert (found.media_type, found.sample_rate_hz, found.channels) == ("audio/wav", 24_000, 1)
    assert found.duration_s == 12.0
    assert found.sha256 == hashlib.sha256(WAV).hexdigest()


@pytest.mark.parametrize("name", FILES)
def test_the_container_is_taken_from_the_content(name, tmp_path):
    """WAV, MP3, M4A, FLAC and Ogg are known by what is in them, whatever the file is called."""
    path = tmp_path / "recording.txt"
    path.write_bytes(FILES[name])
    found = examine_recording(path, OPEN)
    kinds = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "flac": "audio/flac"}
    wanted = kinds.get(name, "audio/wav" if name.startswith("wav") else "audio/ogg")
    assert (found.media_type, found.findings) == (wanted, ())
    assert found.duration_s == pytest.approx(4.0, abs=0.1)


def test_tags_are_part_of_an_mp3():
    """Tags before and behind an MP3, and zeros after them, are no fault of it."""
    id3 = b"ID3\x04\x00\x00\x00\x00\x00\x14" + bytes(20) + bytes(7)
    found = examine_recording(id3 + FILES["mp3"] + b"TAG" + bytes(125), OPEN)
    assert (found.media_type, found.findings) == ("audio/mpeg", ())


def test_chunks_behind_the_samples_are_part_of_a_wav():
    """A WAV may have chunks such as tags behind its samples, even if its size leaves them out."""
    chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert examine_recording(WAV + chunk, RULES).findings == ()


def test_a_cover_picture_makes_no_film():
    """An M4A with a cover picture is sound; one with moving pictures is refused."""

    class Video:
        def __init__(self, flags):
            self.disposition = av.stream.Disposition(flags)

    assert hearing._is_cover(Video(0x400))
    assert not hearing._is_cover(Video(0))


def test_plain_wav_needs_no_decoder(monkeypatch):
    """A 16-bit WAV is examined without PyAV; anything else names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "av", None)
    assert examine_recording(WAV, RULES).findings == ()
    with pytest.raises(MissingDependency, match=r"vivavoce\[voices\]") as caught:
        examine_recording(FILES["mp3"], RULES)
    assert caught.value.extra == "voices"


# --- what is refused, all at once ---

NOISE = encoded(np.random.default_rng(1).standard_normal((48_000 * 58, 2)) * 0.1, 48_000)


@pytest.mark.parametrize(
    ("data", "about", "words"),
    [
        (FILES["flac"], "container", ["FLAC", "WAV, MP3, M4A", "Save it as WAV", "fix=True"]),
        (encoded(SPEECH, subtype="PCM_U8"), "bits", ["8 bits", "16 bits", "fix=True"]),
        (encoded(SPEECH, subtype="PCM_24"), "bits", ["24 bits", "16 bits"]),
        (encoded(SPEECH, subtype="FLOAT"), "bits", ["32 bits of floating point"]),
        (encoded(SPEECH, subtype="ULAW"), "bits", ["8 bits of mu-law"]),
        (
            encoded(speech(rate=8_000), 8_000),
            "sample_rate",
            ["8000 Hz", "24000 Hz", "without any gain"],
        ),
        (encoded(np.stack([SPEECH, SPEECH], 1)), "channels", ["2 channels", "1 is the most"]),
        (encoded(speech(2.0)), "duration", ["2.0 s", "3 s"]),
        (encoded(speech(61.0)), "duration", ["61.0 s", "60 s", "speech is not cut"]),
        (NOISE, "size", [str(len(NOISE)), "10000000"]),
        (encoded(0 * SPEECH), "level", ["silent", "-inf dBFS", "-50 dBFS"]),
        (encoded(SPEECH * 0.01), "level", ["silent", "dBFS"]),
        (mp4(SPEECH, has_video=True), "container", ["film", "fix=True"]),
        (mp4(SPEECH, codec="alac"), "container", ["'alac'", "AAC"]),
        (WAV + b"what is this here?", "container", ["last 18 bytes", "no part of it"]),
        (FILES["mp3"] + b"what is this?", "container", ["last 13 bytes"]),
        (FILES["m4a"] + b"what is this?", "container", ["last 13 bytes"]),
    ],
)
def test_what_does_not_fit_is_refused(data, about, words):
    """A refusal tells what was measured, what the limit is and what to do."""
    found = examine_recording(data, RULES)
    message = message_of(found, about)
    for word in words:
        assert word in message
    with pytest.raises(InvalidValue, match=re.escape(message)):
        refuse(found.findings)


@pytest.mark.parametrize("name", ["flac", "ogg", "opus"])
def test_stray_bytes_are_found_in_every_container(name):
    """What stands behind the end of a FLAC or an Ogg is noticed too."""
    found = examine_recording(FILES[name] + b"what is this?", OPEN)
    assert told(found) == [("container", "refused")]


def test_all_refusals_are_told_at_once_and_first():
    """One look finds all that is wrong; refusals stand before warnings."""
    sound = speech(2.0, 8_000)
    data = encoded(np.stack([sound, sound], 1) * 0.05, 8_000, subtype="PCM_U8")
    found = examine_recording(data + b"junk", RULES)
    refused = {about for about, level in told(found) if level == "refused"}
    assert {"container", "bits", "sample_rate", "channels", "duration"} <= refused
    levels = [level for _about, level in told(found)]
    assert levels == sorted(levels)
    assert "warned" in levels
    with pytest.raises(InvalidValue) as caught:
        refuse(found.findings)
    assert str(caught.value).count("fix=True") == 4


def test_warnings_refuse_nothing():
    """Findings without a refusal among them raise nothing."""
    refuse([Finding(about="level", level=Level.WARNED, message="Quiet.")])
    refuse([])


# --- what cannot be read at all ---


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.25, 0.6, 0.97])
def test_a_cut_file_is_refused(name, share):
    """A file that ends too early is refused at once; nothing of it could be trusted."""
    data = FILES[name]
    with pytest.raises(InvalidValue, match=r"cut off|damaged"):
        examine_recording(data[: int(len(data) * share)], OPEN, fix=True)


def test_an_mp3_cut_between_two_frames_is_refused():
    """An MP3 that announces how many frames it has is cut off where some are missing."""
    data = FILES["mp3"]
    border = data.rindex(data[data.rindex(b"\xff\xf3") :][:2])
    with pytest.raises(InvalidValue, match=r"it announces \d+ frames and has \d+"):
        examine_recording(data[:border], OPEN)


def test_an_ogg_cut_between_two_pages_is_refused():
    """An Ogg whose last page is not marked as the last is cut off."""
    data = FILES["ogg"]
    with pytest.raises(InvalidValue, match="no page is marked as the last"):
        examine_recording(data[: data.rindex(b"OggS")], OPEN)


def test_an_m4a_that_announces_more_than_it_has_is_refused(tmp_path):
    """An M4A whose boxes are whole but hold less sound than its index says is cut off."""
    path, index_first = tmp_path / "voice.m4a", {"movflags": "faststart"}
    write_mp4(str(path), SHORT, 24_000, codec="aac", has_video=False, options=index_first)
    with av.open(path) as container:
        begins = [packet.pos for packet in container.demux() if packet.size]
    data = bytearray(path.read_bytes()[: begins[-3]])
    begin = data.index(b"mdat") - 4
    data[begin : begin + 4] = struct.pack(">I", len(data) - begin)
    with pytest.raises(InvalidValue, match=r"it announces \d+ packets and has \d+"):
        examine_recording(bytes(data), OPEN)


def test_a_wav_that_claims_more_than_there_is_is_refused():
    """A WAV whose header promises more samples than follow is cut off, with both numbers."""
    with pytest.raises(InvalidValue, match=r"says 576000 bytes of samples, and there are 575000"):
        examine_recording(WAV[:-1000], RULES)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_of_unknown_length_is_written_anew(size):
    """A WAV from a pipe does not tell its length: refused, and repaired without loss."""
    data = WAV[:40] + struct.pack("<I", size) + WAV[44:]
    assert "does not tell how long" in message_of(examine_recording(data, RULES), "container")
    fixed = examine_recording(data, RULES, fix=True)
    assert told(fixed) == [("container", "repaired")]
    assert fixed.data == WAV


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("Dies ist ein Text mit Ümlauten.\n".encode() * 40, "text"),
        (b"", "empty"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "RIFF, but no WAV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (b"\x1aE\xdf\xa3" + bytes(50), "WebM"),
        (bytes(5000), "zeros"),
        (b"\x00\x00\x00\x14ftypqt  " + bytes(50), "QuickTime"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x14" + bytes(500), "too few"),
        (bytes(range(128, 256)), "not known here"),
        (FILES["wav"][:44], "0 bytes|without samples|no sound|cut off"),
    ],
)
def test_what_is_no_sound_is_refused_with_what_it_is(data, what, tmp_path):
    """A file that is something else is refused with what it looks like, whatever its name says."""
    path = tmp_path / "voice.wav"
    path.write_bytes(data)
    with pytest.raises(InvalidValue, match=what) as caught:
        examine_recording(path, RULES, fix=True)
    assert "'voice.wav'" in str(caught.value)


def test_an_encoding_nobody_knows_is_refused():
    """A WAV whose samples are encoded in a way no decoder knows is refused as such."""
    data = bytearray(WAV)
    data[20:22] = b"\xaa\xaa"
    with pytest.raises(InvalidValue, match="not known here"):
        examine_recording(bytes(data), RULES, fix=True)


def test_an_mp3_with_a_hole_is_damaged():
    """Bytes in the middle of an MP3 that are no frame are not passed over."""
    data = FILES["mp3"]
    middle = len(data) // 2
    with pytest.raises(InvalidValue, match=r"damaged at byte \d+"):
        examine_recording(data[:middle] + bytes(700) + data[middle + 700 :], OPEN)


@pytest.mark.parametrize("name", ["flac", "ogg", "opus"])
def test_wrong_bits_are_found_by_their_checksum(name):
    """FLAC and Ogg have checksums, and a file with a wrong one is damaged."""
    data = bytearray(FILES[name])
    for share in (0.3, 0.4, 0.5, 0.6, 0.7):
        data[int(len(data) * share)] ^= 0x10
        with pytest.raises(InvalidValue, match=r"damaged|cut off"):
            examine_recording(bytes(data), OPEN)
        data[int(len(data) * share)] ^= 0x10


def test_a_named_pipe_is_refused_at_once(tmp_path):
    """A pipe is never opened: without a writer that would wait for ever."""
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    with pytest.raises(InvalidValue, match=r"'pipe.wav' is a pipe, not a file"):
        examine_recording(path, RULES)


def test_a_pipe_that_takes_a_files_place_is_refused(tmp_path, monkeypatch):
    """What was a file when looked at and is a pipe when opened does not wait either."""
    file, pipe = tmp_path / "a.wav", tmp_path / "b.wav"
    file.write_bytes(WAV)
    os.mkfifo(pipe)
    status = file.stat()
    monkeypatch.setattr(hearing.os, "stat", lambda _path: status)
    with pytest.raises(InvalidValue, match="is a pipe"):
        examine_recording(pipe, RULES)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/dev/null", "is a device"),
        ("/", "is a folder"),
        ("no/such/voice.wav", "'voice.wav' cannot be read: No such file"),
        ("", "empty"),
        ("a\x00b", "NUL"),
        (7, "not int"),
        (None, "not NoneType"),
        ("https://example.com/a.wav", "address"),
    ],
)
def test_what_is_no_file_is_refused(path, words):
    """Devices, folders, missing files and what is no path at all are refused with the reason."""
    with pytest.raises(InvalidValue, match=words):
        examine_recording(path, RULES)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    """No permission is told as such, with the file's name and without its folder."""
    path = tmp_path / "secret" / "voice.wav"
    path.parent.mkdir()
    path.write_bytes(WAV)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read anything: the system's answer is given

        def refused(name, *_rest):
            raise PermissionError(13, "Permission denied", name)

        monkeypatch.setattr(hearing.os, "open", refused)
    with pytest.raises(InvalidValue, match=r"'voice.wav' cannot be read: Permission denied") as e:
        examine_recording(str(path), RULES)
    assert "secret" not in str(e.value)


@pytest.mark.parametrize(("fix", "size"), [(False, 40_000_001), (True, 200_000_001)])
def test_a_file_far_too_large_is_not_read(fix, size, tmp_path, monkeypatch):
    """A file far over the limit is refused by its size; with repairs, more is read."""
    path = tmp_path / "voice.wav"
    with path.open("wb") as file:
        file.truncate(size)  # no blocks are written

    class Unreadable(io.FileIO):
        def read(self, _size=-1):
            pytest.fail("It was read.")

    monkeypatch.setattr(hearing.os, "fdopen", lambda descriptor, _mode: Unreadable(descriptor))
    with pytest.raises(InvalidValue, match=rf"{size} bytes"):
        examine_recording(path, RULES, fix=fix)


def test_a_recording_of_hours_is_not_decoded_to_its_end(monkeypatch):
    """Decoding stops some way behind the longest duration, so that memory is bounded."""
    monkeypatch.setattr(recording, "MOST_TIMES_DECODED", 2)
    few_s = RecordingRules(containers=("mp3", "wav"), max_s=1.5)
    with pytest.raises(InvalidValue, match="goes on for more than 3 s"):
        examine_recording(FILES["mp3"], few_s, fix=True)
    with pytest.raises(InvalidValue, match="goes on for more than"):
        examine_recording(FILES["wav"], few_s)


# --- what is warned of ---


def with_silences():
    quiet = np.zeros(48_000)
    return np.concatenate([quiet, SPEECH[: 24_000 * 6], quiet, quiet, SPEECH[: 24_000 * 6], quiet])


@pytest.mark.parametrize(
    ("sound", "about", "words"),
    [
        (np.clip(SPEECH * 12, -1, 1), "clipping", ["% of its samples"]),
        (SPEECH * 0.03, "level", ["very quiet", "-36"]),
        (with_silences(), "silence", ["2.0 s of silence before", "2.1 s after"]),
        (with_silences(), "pauses", ["a pause of more than 2 s", "4.1 s"]),
        (0.1 * np.sin(np.arange(240_000) / 9), "speech", ["steady", "0.0 dB"]),
        (speech(25.0), "duration", ["25.0 s", "10 to 20 s are advised"]),
        (speech(5.0), "duration", ["5.0 s", "Record more"]),
    ],
)
def test_what_may_harm_the_voice_is_warned_of(sound, about, words):
    """What can be sent but may spoil the voice is a warning with what was measured."""
    found = examine_recording(encoded(sound), RULES)
    message = message_of(found, about, Level.WARNED)
    for word in words:
        assert word in message
    refuse(found.findings)


def test_too_little_sound_in_enough_time_is_warned_of():
    """A recording that is long enough but mostly silent has too little speech, which is said."""
    sound = np.concatenate([speech(1.0), np.zeros(120_000), speech(1.0)])
    found = examine_recording(encoded(sound), RULES)
    messages = " ".join(f.message for f in found.findings if f.about == "speech")
    assert "3 s are asked" in messages
    assert "% of the time" in messages


# --- the transcript ---

HAN = "今天天气很好我们一起去公园里散步吧"


@pytest.mark.parametrize(
    ("transcript", "level"),
    [
        ("The quick brown fox jumps over the lazy dog, and then it runs away. " * 2, None),
        (HAN * 3, None),
        ("こんにちは、きょうはとてもいいてんきですね。" * 3, None),
        ("きょうのじゅぎょうはちょっとながかったですね" * 6, None),
        ("안녕하세요 오늘은 날씨가 아주 좋네요 " * 3, None),
        ("Привет, сегодня очень хорошая погода, пойдём гулять. " * 2, None),
        (HAN, Level.WARNED),
        ("Too short for it, really.", Level.WARNED),
        (HAN * 8, Level.WARNED),
        (HAN * 20, Level.REFUSED),
        ("The quick brown fox jumps over the lazy dog. " * 30, Level.REFUSED),
        ("你好", Level.REFUSED),
        ("...", Level.REFUSED),
        ("", Level.REFUSED),
    ],
)
def test_a_transcript_is_compared_with_the_length_of_the_sound(transcript, level):
    """Too much or too little text for the sound is doubtful, and refused where it cannot be."""
    found = examine_recording(WAV, RULES, transcript=transcript)
    assert told(found) == ([] if level is None else [("transcript", level.value)])
    for finding in found.findings:
        assert not transcript or transcript[:9] not in finding.message


# --- repairs ---


def test_a_low_sample_rate_is_raised_without_a_promise():
    """8 kHz becomes 24 kHz when asked, with a warning that nothing is gained."""
    found = examine_recording(encoded(speech(rate=8_000), 8_000), RULES, fix=True)
    assert told(found) == [("sample_rate", "repaired"), ("sample_rate", "warned")]
    assert (found.sample_rate_hz, found.duration_s) == (24_000, pytest.approx(12.0, abs=0.01))
    assert "gains no quality" in found.findings[1].message


def test_below_the_telephone_nothing_is_raised():
    """Less than 8 kHz is no recording of a voice: it stays refused, and no repair is promised."""
    found = examine_recording(encoded(speech(rate=6_000), 6_000), RULES, fix=True)
    assert told(found) == [("sample_rate", "refused")]
    assert "fix" not in found.findings[0].message


@pytest.mark.parametrize("data", [FILES["flac"], FILES["opus"], mp4(SHORT, has_video=True)])
def test_another_container_is_written_as_wav(data):
    """What is in the wrong container becomes a 16-bit WAV, the first that is taken."""
    found = examine_recording(data, RULES, fix=True)
    assert told(found)[0] == ("container", "repaired")
    info = soundfile.info(io.BytesIO(found.data))
    assert (info.format, info.subtype, found.media_type) == ("WAV", "PCM_16", "audio/wav")
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    refuse(found.findings)


def test_a_repair_may_be_written_as_another_first_container():
    """The first container of the rules is what a repaired recording becomes."""
    rules = RecordingRules(containers=("m4a", "flac", "wav"), max_channels=1)
    found = examine_recording(encoded(np.stack([SHORT, SHORT], 1)), rules, fix=True)
    assert found.media_type == "audio/flac"
    assert sorted(told(found)) == [("channels", "repaired"), ("container", "repaired")]


def test_no_repair_is_promised_that_cannot_be_written():
    """Where only M4A is taken, nothing can be repaired, and nothing is promised."""
    found = examine_recording(WAV, RecordingRules(containers=("m4a",)), fix=True)
    assert told(found) == [("container", "refused")]
    assert "fix" not in found.findings[0].message


@pytest.mark.parametrize(
    "channels",
    [
        np.stack([SPEECH, SPEECH], 1),
        np.stack([SPEECH, -SPEECH], 1),
        np.stack([0 * SPEECH, SPEECH], 1),
        np.stack([SPEECH] * 4, 1),
    ],
    ids=["twice", "cancelling", "one side", "four"],
)
def test_channels_are_mixed_without_losing_the_voice(channels):
    """Channels are mixed to one; where that would cancel or halve the voice, one is taken."""
    found = examine_recording(encoded(channels), RULES, fix=True)
    assert told(found) == [("channels", "repaired")]
    sound, _rate = soundfile.read(io.BytesIO(found.data))
    assert sound.ndim == 1
    assert np.abs(sound).std() == pytest.approx(np.abs(SPEECH).std(), rel=0.01)


def test_silence_at_the_ends_is_cut_and_speech_is_not():
    """Silence before and behind is cut to a quarter of a second; the pause inside stays."""
    found = examine_recording(encoded(with_silences()), RULES, fix=True)
    assert ("silence", "repaired") in told(found)
    assert ("pauses", "warned") in told(found)
    assert found.duration_s == pytest.approx(16.5, abs=0.3)


def test_a_long_recording_is_cut_only_if_the_rest_is_silence():
    """61 s of speech stay refused; 59 s of speech in 64 s are cut to fit."""
    for fix in (False, True):
        too_long = message_of(examine_recording(encoded(speech(61)), RULES, fix=fix), "duration")
        assert "fix=True" not in too_long
    sound = np.concatenate([np.zeros(60_000), speech(58.0), np.zeros(60_000)])
    assert ("duration", "refused") in told(examine_recording(encoded(sound), RULES))
    found = examine_recording(encoded(sound), RULES, fix=True)
    assert ("duration", "repaired") in told(found)
    assert found.duration_s <= 60
    refuse(found.findings)


def test_what_is_too_large_is_written_smaller():
    """58 s at 48 kHz in stereo are 11 MB; in mono they fit, and so does a lower sample rate."""
    found = examine_recording(NOISE, RULES, fix=True)
    assert ("size", "repaired") in told(found)
    assert len(found.data) <= 10_000_000
    few_bytes = attrs.evolve(RULES, max_bytes=300_000)
    found = examine_recording(encoded(speech(5.0, 48_000), 48_000), few_bytes, fix=True)
    assert (found.sample_rate_hz, len(found.data) <= 300_000) == (24_000, True)


def test_a_repaired_recording_is_examined_again():
    """What repairs cannot mend is still found in what they made."""
    sound = speech(2.0)
    found = examine_recording(encoded(np.stack([sound, sound], 1)), RULES, fix=True)
    assert told(found) == [("duration", "refused"), ("channels", "repaired")]


# --- addresses ---


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://example.com/a.wav", True),
        ("HTTP://example.com", True),
        ("ftp://example.com/a", True),
        ("data:audio/wav;base64,AAAA", True),
        ("a.wav", False),
        ("/tmp/a.wav", False),
        (r"C:\voices\a.wav", False),
        (Path("https:/x"), False),
        (b"https://example.com", False),
    ],
)
def test_an_address_is_told_from_a_path(source, expected):
    """What begins with a scheme is an address."""
    assert is_address(source) is expected


def test_an_address_is_passed_on_with_a_warning():
    """An address is not fetched here: it is passed on, and said not to be looked at."""
    url = "https://example.com/voice.wav?token=abc"
    found = address_recording(url, RULES)
    assert (found.url, found.data, found.media_type) == (url, b"", "")
    assert found.sha256 == hashlib.sha256(url.encode()).hexdigest()
    assert told(found) == [("address", "warned")]
    assert "not looked at" in found.findings[0].message


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.1", "10.1.2.3", "[::1]", "nas.local"])
def test_an_address_nobody_else_can_reach_is_warned_of(host):
    """An address of this machine or a private network gets a warning of its own."""
    assert "cannot reach" in address_recording(f"http://{host}/a", RULES).findings[-1].message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/geheim.wav", "'ftp'"),
        ("file:///geheim.wav", "'file'"),
        ("data:audio/wav;base64,geheim", "'data'"),
        ("https:///geheim.wav", "no host"),
        ("https://example.com/geheim .wav", "%xx"),
        ("https://me:geheim@example.com/a.wav", "login"),
        ("https://[geheim", "cannot be read"),
    ],
)
def test_only_public_http_addresses_are_taken(url, words):
    """Other schemes, logins and broken addresses are refused, without telling the address."""
    with pytest.raises(InvalidValue, match=words) as caught:
        address_recording(url, RULES)
    assert "geheim" not in str(caught.value)


def test_an_address_is_refused_where_none_is_fetched():
    """A provider that fetches nothing gets no address; the message tells what to do."""
    with pytest.raises(InvalidValue, match="Save it to a file"):
        address_recording("https://example.com/a.wav", RecordingRules())


# --- privacy, and strange bytes ---


def test_nothing_private_is_shown(tmp_path):
    """Neither folders nor the transcript nor samples are in messages or in what is printed."""
    path = tmp_path / "geheim" / "voice.wav"
    path.parent.mkdir()
    path.write_bytes(encoded(speech(2.0)))
    found = examine_recording(path, RULES, transcript="geheimes Wort")
    shown = f"{found!r} {' '.join(map(str, found.findings))}"
    assert "'voice.wav'" in shown
    assert "geheim" not in shown
    assert "\\x" not in repr(found)


TINY = {name: data for name, data in FILES.items() if name != "wavex"}


def looked_at(data, **settings):
    """Return what was found, or the refusal's message."""
    try:
        return examine_recording(data, OPEN, **settings)
    except InvalidValue as error:
        return str(error)


@given(name=st.sampled_from(sorted(TINY)), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_beginning_of_a_file_is_refused_or_examined(name, share):
    """Cut anywhere, a file is examined or refused, and nothing else happens."""
    found = looked_at(TINY[name][: int(len(TINY[name]) * share)])
    assert found.startswith("The recording ") if isinstance(found, str) else found.duration_s


@given(
    name=st.sampled_from(sorted(TINY)),
    where=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
    is_early=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_wrong_byte_is_refused_or_examined(name, where, byte, is_early):
    """With any one byte changed, a file is examined or refused, repaired or not."""
    data = bytearray(TINY[name])
    data[int(where * (100 if is_early else len(data)))] = byte
    found = looked_at(bytes(data), fix=True)
    assert found.startswith("The recording ") if isinstance(found, str) else found.duration_s
