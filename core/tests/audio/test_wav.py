import io
import struct
import wave

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.wav import HEADER_MAX_BYTES, WavHeaderReader, read_wav, wav_header
from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat, Encoding

PCM = bytes(range(200)) * 4
STEREO = AudioFormat.named("wav", sample_rate_hz=24000, channels=2)
RAW_STEREO = AudioFormat(sample_rate_hz=24000, channels=2)


def riff(*chunks, size=0, magic=b"RIFF"):
    return magic + struct.pack("<I", size) + b"WAVE" + b"".join(chunks)


def chunk(name, body, size=None):
    padding = b"\x00" * (len(body) % 2)
    return name + struct.pack("<I", len(body) if size is None else size) + body + padding


def fmt(tag=1, channels=2, rate=24000, bits=16, extra=b""):
    frame = channels * bits // 8
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + extra
    )


EXTENSIBLE = fmt(0xFFFE, extra=struct.pack("<HHIH", 22, 16, 3, 1) + bytes(14))


def test_the_standard_library_reads_it():
    """A WAV with a known length is read by the standard library, to the last sample."""
    with wave.open(io.BytesIO(wav_header(STEREO, len(PCM)) + PCM)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 2, 2)
        assert file.readframes(10_000) == PCM


@pytest.mark.parametrize(("name", "subtype"), [("mulaw", "ULAW"), ("alaw", "ALAW")])
def test_libsndfile_reads_the_telephone_encodings(name, subtype):
    """G.711 in WAV has its own tag, and libsndfile finds all its samples."""
    wanted = AudioFormat(sample_rate_hz=8000, encoding=name, container="wav")
    info = soundfile.info(io.BytesIO(wav_header(wanted, 800) + PCM))
    assert (info.subtype, info.frames) == (subtype, 800)


def test_an_unknown_length_is_the_largest():
    """With no length, both sizes are 0xFFFFFFFF."""
    header = wav_header(STEREO, None)
    assert len(header) == 44
    assert header[4:8] == header[40:44] == b"\xff" * 4


@pytest.mark.parametrize("size", [2**32 - 36, 2**33])
def test_four_gigabytes_are_refused(size):
    """More than WAV can say is refused, with what to choose instead."""
    with pytest.raises(InvalidValue, match="Choose flac or raw"):
        wav_header(STEREO, size)


def test_the_largest_wav_is_written():
    """The largest length that still fits is accepted."""
    assert len(wav_header(STEREO, 2**32 - 44)) == 44


FORGIVEN = {
    "right": riff(fmt(), chunk(b"data", PCM)),
    "size 0": riff(fmt(), chunk(b"data", PCM, 0)),
    "size FFFFFFFF": riff(fmt(), chunk(b"data", PCM, 0xFFFFFFFF), size=0xFFFFFFFF),
    "size 7FFFFFFF": riff(fmt(), chunk(b"data", PCM, 0x7FFFFFFF)),
    "size 7FFFFFDB": riff(fmt(), chunk(b"data", PCM, 0x7FFFFFDB)),
    "size too large": riff(fmt(), chunk(b"data", PCM, 100_000)),
    "chunk before": riff(chunk(b"LIST", b"INFO" + bytes(51)), fmt(), chunk(b"data", PCM)),
    "chunk between": riff(fmt(), chunk(b"odd ", b"abc"), chunk(b"data", PCM)),
    "chunk after": riff(fmt(), chunk(b"data", PCM), chunk(b"LIST", bytes(40))),
    "fact": riff(fmt(extra=b"\x00\x00"), chunk(b"fact", bytes(4)), chunk(b"data", PCM)),
    "extensible": riff(EXTENSIBLE, chunk(b"data", PCM)),
    "RF64": riff(fmt(), chunk(b"data", PCM, 0xFFFFFFFF), magic=b"RF64"),
    "our own, streamed": wav_header(STEREO, None) + PCM,
}


@pytest.mark.parametrize("data", FORGIVEN.values(), ids=FORGIVEN.keys())
def test_sizes_and_chunks_are_forgiven(data):
    """Missing, guessed or wrong sizes and chunks nobody needs do not keep the samples back."""
    assert read_wav(data) == (RAW_STEREO, PCM)


@given(st.sampled_from(sorted(FORGIVEN)), st.lists(st.integers(0, 40), max_size=60), st.booleans())
def test_any_cut_gives_the_same(name, cuts, ends_bytewise):
    """A WAV arriving in any pieces gives the same format and samples."""
    data, reader, out, place = FORGIVEN[name], WavHeaderReader(), [], 0
    for cut in cuts + [1] * (len(data) if ends_bytewise else 0):
        out.append(reader.feed(data[place : place + cut]))
        place += cut
    out.append(reader.feed(data[place:]))
    reader.finish()
    assert reader.format == RAW_STEREO
    assert b"".join(out) == PCM


@pytest.mark.parametrize(("tag", "encoding"), [(7, Encoding.MULAW), (6, Encoding.ALAW)])
def test_telephone_encodings_are_read(tag, encoding):
    """Format tags 7 and 6 are mu-law and A-law."""
    found, samples = read_wav(riff(fmt(tag, 1, 8000, 8), chunk(b"data", b"abc")))
    assert found == AudioFormat(sample_rate_hz=8000, encoding=encoding)
    assert samples == b"abc"


def test_a_torn_last_sample_is_left_out():
    """A whole WAV gives whole samples only."""
    assert read_wav(riff(fmt(), chunk(b"data", PCM + b"x", 0)))[1] == PCM


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends within its header, after 0 bytes"),
        (b"RIF", "ends within its header, after 3 bytes"),
        (b"ID3\x04", "no WAV: it begins with b'ID3"),
        (b"<html>not found</html>", "no WAV"),
        (riff(fmt(), chunk(b"data", b""))[:-1], "ends within its header"),
        (b"RIFF\x00\x00\x00\x00AVI ", "kind is b'AVI '"),
        (riff(chunk(b"data", PCM)), "before its format chunk"),
        (riff(fmt(3, bits=32)), "format tag 3, 32 bits"),
        (riff(fmt(1, bits=24)), "format tag 1, 24 bits"),
        (riff(chunk(b"fmt ", b"abc")), "3 bytes"),
        (riff(fmt(), chunk(b"junk", bytes(HEADER_MAX_BYTES)), fmt()), "more than 1048576 bytes"),
        (riff(fmt(channels=6)), "6 channels"),
    ],
)
def test_what_is_no_wav_is_refused(data, message):
    """What cannot be read is refused with what was found."""
    with pytest.raises(InvalidValue, match=message):
        read_wav(data)


def test_the_header_is_bounded_in_memory():
    """A chunk that is passed over is not kept."""
    reader = WavHeaderReader()
    reader.feed(riff(chunk(b"junk", b"", 900_000)))
    for _ in range(80):
        assert reader.feed(bytes(10_000)) == b""
        assert len(reader._pending) < 100


UNTRUSTED = {
    **{name: data for name, data in FORGIVEN.items() if name != "chunk after"},
    "size too small": riff(fmt(), chunk(b"data", PCM, 100)),
    "tags after": riff(fmt(), chunk(b"data", PCM), chunk(b"LIST", bytes(40))),
    "ID3 after": riff(fmt(), chunk(b"data", PCM), chunk(b"id3 ", bytes(41))),
}


@pytest.mark.parametrize("data", UNTRUSTED.values(), ids=UNTRUSTED.keys())
@given(cuts=st.lists(st.integers(0, 60), max_size=40))
def test_a_size_that_is_not_trusted(data, cuts):
    """Without trust in its sizes all that follows the header is samples, but for tags behind."""
    reader, out, place = WavHeaderReader(trusts_size=False), [], 0
    for cut in cuts:
        out.append(reader.feed(data[place : place + cut]))
        place += cut
    out += [reader.feed(data[place:]), reader.finish()]
    assert b"".join(out) == PCM


BEHIND = [b"LIST", b"id3 ", b"ID3 ", b"fact", b"cue ", b"bext", b"iXML", b"JUNK", b"PAD "]


@pytest.mark.parametrize("name", BEHIND)
def test_chunks_that_stand_behind(name):
    """Chunks of the kinds that stand behind samples are not taken for samples."""
    reader = WavHeaderReader(trusts_size=False)
    body = riff(fmt(), chunk(b"data", PCM), chunk(name, bytes(8)))
    assert reader.feed(body) + reader.finish() == PCM


def test_a_size_once_found_wrong_is_forgotten():
    """Behind a size that was wrong all is samples, even what looks like a chunk."""
    reader = WavHeaderReader(trusts_size=False)
    out = reader.feed(riff(fmt(), chunk(b"data", PCM[:4], 4)))
    for piece in (b"abcd", b"LIST", b"efgh"):
        out += reader.feed(piece)
    assert out + reader.finish() == PCM[:4] + b"abcdLISTefgh"


def test_a_size_that_is_trusted():
    """With trust in its sizes nothing behind the samples counts, whatever it is called."""
    assert read_wav(riff(fmt(), chunk(b"data", PCM), b"abcdefgh"))[1] == PCM


@pytest.mark.parametrize("rest", [b"", b"\0", b"L", b"\0LIS", b"\0LIST\4\0\0\0abcd", b"\0LISP"])
def test_what_stands_behind_an_odd_end(rest):
    """Behind an odd number of bytes a chunk begins after one of padding, which is no sample."""
    body = riff(fmt(7, 1, 8000, 8), b"data" + struct.pack("<I", 3) + b"abc" + rest)
    reader = WavHeaderReader(trusts_size=False)
    out = b"".join([*(reader.feed(body[n : n + 1]) for n in range(len(body))), reader.finish()])
    is_tag = rest in (b"", b"\0") or rest.startswith(b"\0LIST")
    assert out == (b"abc" if is_tag else b"abc" + rest)
