"""Audio in the caller's hands: saved, shown, turned into numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from vivavoce.audio.captions import CaptionWriter
from vivavoce.audio.encode import FileEncoder, encoder_rate
from vivavoce.audio.output import atomic_output
from vivavoce.audio.wav import read_wav, wav_header
from vivavoce.errors import InvalidValue, MissingDependency
from vivavoce.model.audio import AudioFormat, Container
from vivavoce.model.report import Report
from vivavoce.model.timing import Mark

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Audio", "container_of"]


def container_of(path: str | os.PathLike[str]) -> str:
    """
    Return the format name that a file's ending means, such as ``wav``.

    Raises:
        InvalidValue: If the ending means no format known here.
    """
    ending = Path(path).suffix.lower()
    try:
        AudioFormat.named("pcm" if ending == ".raw" else ending, sample_rate_hz=48_000)
    except InvalidValue:
        msg = (
            f"The ending {ending!r} of {os.fspath(path)!r} means no audio format. "
            "Use .wav, .mp3, .ogg, .opus, .flac, .pcm or .raw, or name the format."
        )
        raise InvalidValue(msg) from None
    return "pcm" if ending == ".raw" else ending[1:]


@frozen(kw_only=True)
class Audio:
    """
    A whole synthesis.

    Attributes:
        data: The bytes, in *format*.
        format: How to read them.
        marks: Timed marks, in the order in which they end.
        report: Who spoke, how fast, at what cost.
        text: What was said; marks index it. Of SSML, the tags are blanks.
    """

    data: bytes = field(repr=False)
    format: AudioFormat
    marks: tuple[Mark, ...] = field(repr=False, default=())
    report: Report
    text: str = field(repr=False, default="")

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.report.audio_s

    def save(self, path: str | os.PathLike[str]) -> Path:
        """
        Write the audio to *path*; its ending names the format.

        Written beside and renamed: a half-written file never has the name asked for.

        Args:
            path: Ends in ``.wav``, ``.mp3``, ``.ogg``, ``.opus``, ``.flac``, ``.pcm``
                or ``.raw``.

        Returns:
            The path.

        Raises:
            InvalidValue: If the ending means no format, or this audio is compressed
                already and another format is asked for.
            MissingDependency: If the format needs the ``audio`` extra.
            OutputError: If the file cannot be written.
        """
        name = container_of(path)
        wanted = AudioFormat.named(
            name, sample_rate_hz=self.format.sample_rate_hz, channels=self.format.channels
        )
        # MP3 and Opus have rates of their own.
        rate_hz = encoder_rate(wanted.encoding, wanted.sample_rate_hz)
        wanted = evolve(wanted, sample_rate_hz=rate_hz)
        with atomic_output(path) as file:
            if wanted == self.format:
                file.write(self.data)
            else:
                samples_format, samples = self._samples()
                encoder = FileEncoder(file, samples_format, wanted)
                encoder.feed(samples)
                encoder.finish()
        return Path(path)

    def save_captions(self, path: str | os.PathLike[str]) -> Path:
        """
        Write the marks to *path* as ``.vtt``, ``.srt`` or ``.json``.

        Raises:
            InvalidValue: If the ending is another one.
            OutputError: If the file cannot be written.
        """
        with atomic_output(path, encoding="utf-8") as file:
            writer = CaptionWriter(file, Path(path).suffix.lower().removeprefix("."), self.text)
            for mark in self.marks:
                writer.add(mark)
            writer.close()
        return Path(path)

    def to_wav(self) -> bytes:
        """
        Return the audio as a WAV file's bytes.

        Raises:
            InvalidValue: If this audio is compressed.
        """
        if self.format.container is Container.WAV:
            return self.data
        samples_format, samples = self._samples()
        wav = AudioFormat.named(
            "wav", sample_rate_hz=samples_format.sample_rate_hz, channels=samples_format.channels
        )
        return wav_header(wav, len(samples)) + samples

    def to_numpy(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        """
        Return the samples as a numpy array of int16.

        Returns:
            Shape ``(samples,)`` for mono, ``(samples, 2)`` for stereo; -32768 to 32767.

        Raises:
            MissingDependency: If numpy is not installed.
            InvalidValue: If this audio is compressed.
        """
        try:
            import numpy as np
        except ImportError as error:
            msg = "to_numpy() needs numpy. Run: pip install 'vivavoce[audio]'"
            raise MissingDependency(msg, extra="audio") from error
        samples_format, samples = self._samples()
        array = np.frombuffer(samples, dtype="<i2").astype(np.int16, copy=False)
        return array.reshape(-1, 2) if samples_format.channels == 2 else array

    def _samples(self) -> tuple[AudioFormat, bytes]:
        if self.format.is_pcm and self.format.container is Container.RAW:
            return self.format, self.data
        if self.format.is_pcm:
            wav_format, samples = read_wav(self.data)
            raw = AudioFormat(
                sample_rate_hz=wav_format.sample_rate_hz, channels=wav_format.channels
            )
            return raw, bytes(samples)
        msg = (
            f"This audio is {self.format.encoding.value} already. Ask for pcm or wav when "
            "speaking, then save it in any format."
        )
        raise InvalidValue(msg)

    def _repr_html_(self) -> str:
        """Return a player and a waveform for a notebook; no network is used."""
        from vivavoce.audio.show import audio_html

        samples_format, samples = self._samples()
        return audio_html(samples, samples_format, self.marks)

    def _repr_mimebundle_(self, **_wanted: object) -> dict[str, str]:
        """Return what a notebook shows: HTML, and plain text where it cannot."""
        bundle = {"text/plain": repr(self)}
        if self.format.is_pcm:
            bundle["text/html"] = self._repr_html_()
        return bundle
