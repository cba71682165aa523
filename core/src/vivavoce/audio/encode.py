"""Turn raw samples into a format to keep: WAV, G.711, MP3, FLAC, Ogg Opus."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from vivavoce.audio.g711 import encode_g711
from vivavoce.audio.pcm import FULL_SCALE, Aligner, import_extra
from vivavoce.audio.stages import Stage, to_samples
from vivavoce.audio.wav import wav_header
from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat, Container, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FileEncoder", "encoder_rate", "needs_encoder_extra", "stream_encoder"]

_RATES_HZ = {
    Encoding.OPUS: (8_000, 12_000, 16_000, 24_000, 48_000),
    Encoding.MP3: (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}
_SOUNDFILE_NAMES = {
    Encoding.MP3: ("MP3", "MPEG_LAYER_III"),
    Encoding.FLAC: ("FLAC", "PCM_16"),
    Encoding.OPUS: ("OGG", "OPUS"),
}
# 64 kbit/s for mono at 24 kHz, 32 at 8 kHz, 144 at 44.1 kHz.
_MP3_CONSTANT: dict[str, Any] = {"bitrate_mode": "CONSTANT", "compression_level": 0.6}


def encoder_rate(encoding: Encoding, sample_rate_hz: int) -> int:
    """
    Return the rate in Hz at which *encoding* can be written, nearest above *sample_rate_hz*.

    Where none lies above, it is the highest. Only MP3 and Opus are particular.
    """
    rates = _RATES_HZ.get(encoding, (sample_rate_hz,))
    return min((rate for rate in rates if rate >= sample_rate_hz), default=rates[-1])


def needs_encoder_extra(audio_format: AudioFormat) -> bool:
    """Return whether writing *audio_format* takes the ``audio`` extra; nothing is imported."""
    return audio_format.encoding in _SOUNDFILE_NAMES


def stream_encoder(target: AudioFormat) -> Stage:
    """
    Return a stage from ``pcm_s16le`` at *target*'s rate and channels to *target*.

    For pipes and sockets: nothing written is changed later, so WAV and FLAC
    do not tell their length, and MP3 has a constant bit rate. To a file, use
    :class:`FileEncoder`.

    Raises:
        InvalidValue: If the encoding cannot be written at this rate, or raw Opus is asked for.
        MissingDependency: If the encoder needs the ``audio`` extra.
    """
    _check_target(target)
    if needs_encoder_extra(target):
        return _StreamedSoundfile(target)
    head = wav_header(target, None) if target.container is Container.WAV else b""
    return _PlainEncoder(target, head)


class FileEncoder:
    """
    Write samples as *target* straight into a real file, sizes and all.

    It is a stage whose output is always empty. The file stays open.
    """

    def __init__(self, file: IO[bytes], source: AudioFormat, target: AudioFormat) -> None:
        """
        Take an empty binary file, what comes, and what is to be written.

        Into a file that cannot seek, such as a pipe, it is written as by
        :func:`stream_encoder`.

        Raises:
            InvalidValue: If *source* is compressed, *target* cannot be written at
                its rate, or raw Opus is asked for.
            MissingDependency: If the ``audio`` extra is needed and absent.
        """
        _check_target(target)
        self._samples = to_samples(source, target)
        self._encoder: _StreamedFile | _PlainFile | _SoundfileWriter
        if not file.seekable():
            self._encoder = _StreamedFile(file, target)
        elif needs_encoder_extra(target):
            self._encoder = _SoundfileWriter(target, _FileSink(file), {})
        else:
            self._encoder = _PlainFile(file, target)

    def feed(self, data: bytes) -> bytes:
        """
        Write the whole samples of *data*; return no bytes.

        Raises:
            InvalidValue: If the samples outgrow the 4 GiB of a WAV.
            OSError: As the file raises it.
        """
        self._encoder.write(self._samples.feed(data))
        return b""

    def finish(self) -> bytes:
        """Write what is left and the sizes in the header; return no bytes."""
        self._encoder.write(self._samples.finish())
        self._encoder.close()
        return b""


class _StreamedFile:
    """A file that cannot go back, such as a pipe."""

    def __init__(self, file: IO[bytes], target: AudioFormat) -> None:
        self._file = file
        self._stage = stream_encoder(target)

    def write(self, samples: bytes) -> None:
        self._file.write(self._stage.feed(samples))

    def close(self) -> None:
        self._file.write(self._stage.finish())


class _PlainFile:
    """Raw samples, G.711 and WAV in a file; the WAV header is written again at the end."""

    def __init__(self, file: IO[bytes], target: AudioFormat) -> None:
        self._file = file
        self._target = target
        self._is_wav = target.container is Container.WAV
        self._data_bytes = 0
        self._plain = _PlainEncoder(target, b"")
        if self._is_wav:
            self._file.write(wav_header(target, None))

    def write(self, samples: bytes) -> None:
        encoded = self._plain.feed(samples)
        self._data_bytes += len(encoded)
        if self._is_wav:
            wav_header(self._target, self._data_bytes)  # refuses what is too long
        self._file.write(encoded)

    def close(self) -> None:
        self._plain.finish()
        if not self._is_wav:
            return
        if self._data_bytes % 2:
            self._file.write(b"\x00")
        self._file.seek(0)
        self._file.write(wav_header(self._target, self._data_bytes))
        self._file.seek(0, 2)


class _PlainEncoder:
    """Raw samples and G.711, with a header before them or none."""

    def __init__(self, target: AudioFormat, head: bytes) -> None:
        self._head = head
        self._encoding = target.encoding
        self._aligner = Aligner(2 * target.channels)

    def feed(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        samples = self._aligner.align(data)
        if self._encoding is not Encoding.PCM_S16LE:
            samples = encode_g711(samples, self._encoding)
        return head + samples if head else samples

    def finish(self) -> bytes:
        self._aligner.finish()
        head, self._head = self._head, b""
        return head


class _StreamedSoundfile:
    """A soundfile encoder whose output is handed on as it appears."""

    def __init__(self, target: AudioFormat) -> None:
        is_mp3 = target.encoding is Encoding.MP3
        # The first frame of an MP3 is a table of contents, filled in at the end
        # by seeking back. Here it would stay empty and mislead players.
        self._sink = _AppendingSink(drops_first_write=is_mp3)
        # Of an MP3 without that table, only a constant bit rate tells the length.
        self._writer = _SoundfileWriter(target, self._sink, _MP3_CONSTANT if is_mp3 else {})

    def feed(self, data: bytes) -> bytes:
        self._writer.write(data)
        return self._sink.take()

    def finish(self) -> bytes:
        self._writer.close()
        return self._sink.take()


class _SoundfileWriter:
    """A soundfile writing into a sink of ours; the sink's errors come out as they were."""

    def __init__(
        self, target: AudioFormat, sink: _AppendingSink | _FileSink, settings: dict[str, Any]
    ) -> None:
        purpose = f"writing {target.encoding.value}"
        self._numpy: Any = import_extra("numpy", purpose)
        soundfile = import_extra("soundfile", purpose)
        container, subtype = _SOUNDFILE_NAMES[target.encoding]
        self._is_mp3 = target.encoding is Encoding.MP3
        self._channels = target.channels
        self._aligner = Aligner(2 * target.channels)
        self._sink = sink
        self._file: Any = soundfile.SoundFile(
            sink,
            "w",
            samplerate=target.sample_rate_hz,
            channels=target.channels,
            format=container,
            subtype=subtype,
            **settings,
        )

    def write(self, data: bytes) -> None:
        samples = self._aligner.align(data)
        if samples:
            self._guarded(lambda: self._write(samples))

    def close(self) -> None:
        self._aligner.finish()
        self._guarded(self._file.close)

    def _write(self, samples: bytes) -> None:
        if not self._is_mp3:
            self._file.buffer_write(samples, dtype="int16")
            return
        # libsndfile 1.2.2 garbles 16-bit stereo on its way to MP3; floats arrive whole.
        numbers = self._numpy.frombuffer(samples, dtype="<i2").reshape(-1, self._channels)
        self._file.write(numbers.astype(self._numpy.float32) / FULL_SCALE)

    def _guarded(self, call: Callable[[], object]) -> None:
        """Run *call*, and raise what the sink met inside instead of what soundfile made of it."""
        try:
            call()
        except Exception:
            if self._sink.error is None:
                raise
        if self._sink.error is not None:
            raise self._sink.error


class _AppendingSink:
    """
    What libsndfile takes for a file, while only what is appended is kept.

    It goes back at the end to write lengths into the header; those bytes have
    gone out already, and every decoder copes without.
    """

    def __init__(self, *, drops_first_write: bool) -> None:
        self.error: BaseException | None = None
        self._ready = bytearray()
        self._position = 0
        self._end = 0
        self._drops_next = drops_first_write

    def take(self) -> bytes:
        ready = bytes(self._ready)
        self._ready.clear()
        return ready

    def write(self, data: bytes) -> int:
        self._position += len(data)
        if self._position > self._end:
            if not self._drops_next:
                self._ready += data[len(data) - (self._position - self._end) :]
            self._drops_next = False
            self._end = self._position
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = (0, self._position, self._end)[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, _size: int = -1) -> bytes:
        return b""


class _FileSink:
    """
    A real file, as libsndfile's callbacks need it.

    An exception cannot pass through C: it is kept, and the write reported as short.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.error: BaseException | None = None
        self._file = file

    def write(self, data: bytes) -> int:
        if self.error is not None:
            return 0
        try:
            self._file.write(bytes(data))
        except BaseException as error:  # noqa: BLE001 - C would lose it; raised by _guarded
            self.error = error
            return 0
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._kept(lambda: self._file.seek(offset, whence))

    def tell(self) -> int:
        return self._kept(self._file.tell)

    def read(self, _size: int = -1) -> bytes:
        return b""

    def _kept(self, call: Callable[[], int]) -> int:
        try:
            return call()
        except BaseException as error:  # noqa: BLE001 - as in write
            self.error = self.error or error
            return 0


def _check_target(target: AudioFormat) -> None:
    if target.container is Container.RAW and target.encoding is Encoding.OPUS:
        msg = "Opus without a container cannot be written. Choose ogg."
        raise InvalidValue(msg)
    rate = target.sample_rate_hz
    rates = _RATES_HZ.get(target.encoding)
    if rates and rate not in rates:
        allowed = ", ".join(map(str, rates))
        msg = (
            f"{target.encoding.value!r} cannot be written at {rate} Hz. "
            f"Choose {encoder_rate(target.encoding, rate)}; supported: {allowed} Hz."
        )
        raise InvalidValue(msg)
