"""The nouns of sound: its format, a piece of it."""

from __future__ import annotations

import enum

from attrs import field, frozen

from vivavoce.errors import InvalidValue
from vivavoce.model.timing import Mark

__all__ = ["AudioFormat", "Chunk", "Container", "Encoding"]

SAMPLE_RATE_MIN_HZ = 4_000
SAMPLE_RATE_MAX_HZ = 192_000


class Encoding(enum.StrEnum):
    """How samples are written; ``pcm_s16le`` is signed 16-bit little-endian."""

    PCM_S16LE = "pcm_s16le"
    MULAW = "mulaw"
    ALAW = "alaw"
    MP3 = "mp3"
    OPUS = "opus"
    FLAC = "flac"


class Container(enum.StrEnum):
    """What is wrapped around the encoded samples; ``raw`` is nothing at all."""

    RAW = "raw"
    WAV = "wav"
    MP3 = "mp3"
    OGG = "ogg"
    FLAC = "flac"


# What each container holds here. One line a container keeps the impossible
# pairs (MP3 in FLAC) from being written down at all.
ENCODINGS_IN: dict[Container, tuple[Encoding, ...]] = {
    Container.RAW: (Encoding.PCM_S16LE, Encoding.MULAW, Encoding.ALAW, Encoding.OPUS),
    Container.WAV: (Encoding.PCM_S16LE, Encoding.MULAW, Encoding.ALAW),
    Container.MP3: (Encoding.MP3,),
    Container.OGG: (Encoding.OPUS,),
    Container.FLAC: (Encoding.FLAC,),
}

_NAMED = {
    "wav": (Container.WAV, Encoding.PCM_S16LE),
    "pcm": (Container.RAW, Encoding.PCM_S16LE),
    "mp3": (Container.MP3, Encoding.MP3),
    "ogg": (Container.OGG, Encoding.OPUS),
    "opus": (Container.OGG, Encoding.OPUS),
    "flac": (Container.FLAC, Encoding.FLAC),
    "mulaw": (Container.RAW, Encoding.MULAW),
    "alaw": (Container.RAW, Encoding.ALAW),
}


@frozen(kw_only=True)
class AudioFormat:
    """
    How a run of audio bytes is to be read.

    Attributes:
        sample_rate_hz: Samples per second and channel, 4000 to 192000.
        channels: 1 (mono) or 2 (stereo, interleaved).
        encoding: How a sample is written.
        container: What is wrapped around them; ``raw`` is nothing.
    """

    sample_rate_hz: int = field()
    channels: int = field(default=1)
    encoding: Encoding = field(default=Encoding.PCM_S16LE, converter=Encoding)
    container: Container = field(default=Container.RAW, converter=Container)

    @sample_rate_hz.validator
    def _check_rate(self, _attribute: object, value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            msg = f"A sample rate is a whole number of Hz, not {value!r}."
            raise InvalidValue(msg)
        if not SAMPLE_RATE_MIN_HZ <= value <= SAMPLE_RATE_MAX_HZ:
            msg = (
                f"{value!r} Hz is no sample rate for speech. "
                f"Choose {SAMPLE_RATE_MIN_HZ} to {SAMPLE_RATE_MAX_HZ} Hz."
            )
            raise InvalidValue(msg)

    @channels.validator
    def _check_channels(self, _attribute: object, value: int) -> None:
        if value not in (1, 2):
            msg = f"{value!r} channels are not supported. Choose 1 or 2."
            raise InvalidValue(msg)

    @container.validator
    def _check_pair(self, _attribute: object, value: Container) -> None:
        if self.encoding not in ENCODINGS_IN[value]:
            allowed = ", ".join(ENCODINGS_IN[value])
            msg = f"{value.value!r} cannot hold {self.encoding.value!r}; it holds {allowed}."
            raise InvalidValue(msg)

    @classmethod
    def named(cls, name: str, *, sample_rate_hz: int, channels: int = 1) -> AudioFormat:
        """
        Return the format people mean by *name*.

        Args:
            name: ``pcm``, ``wav``, ``mp3``, ``ogg`` (Opus), ``flac``, ``mulaw``
                or ``alaw``; a leading dot is allowed, case does not matter.
            sample_rate_hz: As in the class.
            channels: As in the class.

        Raises:
            InvalidValue: If the name is none of these.
        """
        pair = _NAMED.get(name.lower().removeprefix("."))
        if pair is None:
            msg = f"{name!r} is no audio format known here. Choose one of {', '.join(_NAMED)}."
            raise InvalidValue(msg)
        container, encoding = pair
        return cls(
            sample_rate_hz=sample_rate_hz,
            channels=channels,
            encoding=encoding,
            container=container,
        )

    @property
    def is_pcm(self) -> bool:
        """Whether the samples are plain ``pcm_s16le``."""
        return self.encoding is Encoding.PCM_S16LE

    @property
    def frame_bytes(self) -> int:
        """
        Bytes of one sample of all channels.

        Raises:
            InvalidValue: If the encoding is compressed and has no such size.
        """
        if self.encoding is Encoding.PCM_S16LE:
            return 2 * self.channels
        if self.encoding in (Encoding.MULAW, Encoding.ALAW):
            return self.channels
        msg = f"{self.encoding.value!r} is compressed: its samples have no fixed size."
        raise InvalidValue(msg)

    def duration_s(self, byte_count: int) -> float:
        """Return the seconds that *byte_count* bytes of raw samples last."""
        return byte_count / (self.frame_bytes * self.sample_rate_hz)

    def __str__(self) -> str:
        channels = "mono" if self.channels == 1 else "stereo"
        return f"{self.container.value}/{self.encoding.value} {self.sample_rate_hz} Hz {channels}"


@frozen(kw_only=True)
class Chunk:
    """
    Some whole samples, in order; its length means nothing.

    Attributes:
        data: The bytes, in the stream's format. Whole samples where the format
            is raw; any cut where it has a container.
        start_s: Seconds of audio delivered before this chunk.
        marks: Timed marks that became known with this chunk, in order of
            ``start_s``. A mark may lie in a neighbouring chunk's time.
    """

    data: bytes
    start_s: float = 0.0
    marks: tuple[Mark, ...] = ()
