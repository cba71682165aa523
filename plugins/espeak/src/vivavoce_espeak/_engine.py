"""
eSpeak NG, called through ctypes.

The engine keeps almost everything in static variables: the voice and the parameters, but also the
phase of its wave generator and the place in its pitch flutter. The latter cannot be reset by any
call, so the same text spoken twice by one loaded library differs (by up to about 20 ms in length).
And two threads in one library mix their speech. A library just loaded always starts equal.
Therefore every call of :meth:`Engine.speak` has a private copy of the library, which is unloaded
after it; the next one is loaded aside meanwhile. That costs about 5 ms a call, seldom waited for,
and 1 to 3 MB while it lasts, and buys output that is equal byte for byte, threads that do not wait
for each other, parameters that cannot leak into the next call, and a forked process that needs no
care.

Where a copy cannot be loaded (a temporary directory that forbids it) one library is shared under a
lock. Then output is correct but not repeatable to the byte, and calls wait for each other.

What the engine reads in plain text (``ssml=False``): tags and entities have no meaning, they are
spoken as characters (``&amp;`` as "and amp"); ``[[...]]`` is not phoneme input, for that flag is
never set; U+0001 starts a command of the engine, so it is replaced together with the other control
characters.

Loading the engine sets the process's LC_CTYPE to C.UTF-8; that is the engine's doing.

This module knows nothing of vivavoce.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import itertools
import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vivavoce_espeak._table import (
    RATE_RATIO_MAX,
    RATE_RATIO_MIN,
    SEMITONES_MAX,
    SEMITONES_MIN,
    VOLUME_DB_MAX,
    VOLUME_DB_MIN,
)

__all__ = [
    "RATE_RATIO_MAX",
    "RATE_RATIO_MIN",
    "SEMITONES_MAX",
    "SEMITONES_MIN",
    "VOLUME_DB_MAX",
    "VOLUME_DB_MIN",
    "Engine",
    "EngineError",
    "EngineVoice",
    "Event",
    "engine",
    "pitch_for_semitones",
    "volume_for_db",
    "wpm_for_ratio",
]


class EngineError(RuntimeError):
    """The engine could not be loaded, does not know a voice, or reported a failure."""


@dataclass(frozen=True, slots=True)
class EngineVoice:
    """A voice, or a variant of one, as the engine lists it."""

    name: str  #: for people, e.g. "English (America)"
    identifier: str  #: for the engine, e.g. "gmw/en-US"; a variant's starts with "!v/"
    languages: tuple[tuple[str, int], ...]  #: (engine's language code, priority); low is preferred
    gender: Literal["male", "female"] | None
    age: int | None  #: years, None where the engine does not say


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that happens at a sample of the speech.

    ``word``: ``text[text_position : text_position + length]`` is being spoken from here.
    ``sentence``: a sentence starts; length 0. ``mark``: an SSML mark, with its name; length 0.
    ``end``: a clause has ended, so the last word of it ends here at the latest, the pause
    after the clause included; position is just after the clause, give or take one; length 0.
    """

    kind: Literal["word", "sentence", "mark", "end"]
    start_sample: int  #: from the start of the call's audio, never falling
    text_position: int  #: 0-based code point index into the text given, markup included
    length: int  #: code points
    name: str | None = None  #: of a mark


# Measured over five voices (English, German, Spanish, Mandarin, one variant): (parameter, effect).
# Below 80 wpm nothing changes; at 450 the engine turns from its own timing to compressing the
# sound. Between 250 and 450 voices differ by up to a tenth from this table.
_WPM = (
    (80, 0.458), (90, 0.488), (100, 0.547), (120, 0.664), (150, 0.845), (175, 1.0), (200, 1.152),
    (250, 1.464), (300, 1.793), (350, 2.151), (400, 2.444), (430, 2.642), (449, 2.769),
    (490, 2.80), (500, 2.86), (600, 3.44), (700, 4.011),
)  # fmt: skip
# Median F0 against pitch 50, same voices. One semitone of doubt in the middle, 1.5 at the ends.
_PITCH = (
    (0, -6.4), (10, -5.2), (25, -3.7), (40, -1.7), (50, 0.0), (60, 1.65), (75, 4.1), (90, 6.9),
    (99, 8.6),
)  # fmt: skip
# RMS against volume 100. The engine works with few bits, so low values are quieter than a straight
# line; above about 115 its limiter acts on loud voices.
_VOLUME = (
    (5, -31.7), (10, -21.8), (20, -14.4), (25, -12.75), (50, -6.25), (71, -3.0), (100, 0.0),
    (141, 2.9), (200, 5.5), (220, 6.0),
)  # fmt: skip


def _parameter_for(effect: float, table: tuple[tuple[int, float], ...]) -> int:
    """Return the parameter that has *effect*, straight lines between the points, ends held."""
    if effect <= table[0][1]:
        return table[0][0]
    for (low, low_effect), (high, high_effect) in itertools.pairwise(table):
        if effect <= high_effect:
            return round(low + (high - low) * (effect - low_effect) / (high_effect - low_effect))
    return table[-1][0]


def wpm_for_ratio(ratio: float) -> int:
    """
    Return the engine's words per minute that make speech *ratio* times as fast; 1.0 gives 175.

    Useful from ``RATE_RATIO_MIN`` to ``RATE_RATIO_MAX``; outside, the nearest end.
    Nothing is raised.
    """
    return _parameter_for(min(max(ratio, RATE_RATIO_MIN), RATE_RATIO_MAX), _WPM)


def pitch_for_semitones(semitones: float) -> int:
    """
    Return the engine's pitch (0 to 99) that moves the voice by *semitones*; 0.0 gives 50.

    Useful from ``SEMITONES_MIN`` to ``SEMITONES_MAX``; outside, the nearest end.
    Nothing is raised.
    """
    return _parameter_for(min(max(semitones, SEMITONES_MIN), SEMITONES_MAX), _PITCH)


def volume_for_db(db: float) -> int:
    """
    Return the engine's volume (0 to 200) that changes loudness by *db* decibels; 0.0 gives 100.

    Useful from ``VOLUME_DB_MIN`` to ``VOLUME_DB_MAX``; outside, the nearest end.
    Nothing is raised.
    """
    return _parameter_for(min(max(db, VOLUME_DB_MIN), VOLUME_DB_MAX), _VOLUME)


# ---- the engine's C interface --------------------------------------------------------------------


class _EventId(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _CEvent(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


class _CVoice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        # Not a C string but a list of (priority byte, zero-ended text), ended by a zero byte.
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_CEvent)
)
_UriCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)

_OUTPUT_SYNCHRONOUS = 2  # 1 (retrieval) returns early and truncates audio in this build
_BUFFER_MS = 200  # a fifth less processor time than 100; the event list grows with it
_DO_NOT_EXIT = 0x8000  # otherwise missing data ends the process
_CHARS_UTF8, _SSML, _END_PAUSE = 0x1, 0x10, 0x1000
_RATE, _VOLUME_PARAMETER, _PITCH_PARAMETER, _RANGE = 1, 2, 3, 4
_KINDS: Mapping[int, Literal["word", "sentence", "mark", "end"]] = {
    1: "word",
    2: "sentence",
    3: "mark",
    5: "end",
}
_GENDERS: Mapping[int, Literal["male", "female"]] = {1: "male", 2: "female"}


# Without this the engine opens any file that an <audio src="..."> names. With it, the element's
# content is spoken instead. Bound here since it must outlive every library.
_refuse_uri = _UriCallback(lambda _type, _uri, _base: 1)


class _Instance:
    """One loaded and initialised library."""

    def __init__(self, library: Path, data: Path) -> None:
        try:
            self.lib = ctypes.CDLL(str(library))
        except OSError as error:
            raise EngineError(
                f"Cannot load the speech engine from {str(library)!r}: {error}."
            ) from error
        lib = self.lib
        lib.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint,
            ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_CVoice))
        lib.espeak_Info.restype = ctypes.c_char_p
        lib.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        self.sample_rate_hz = int(
            lib.espeak_Initialize(_OUTPUT_SYNCHRONOUS, _BUFFER_MS, os.fsencode(data), _DO_NOT_EXIT)
        )
        if self.sample_rate_hz <= 0:
            self.close()
            raise EngineError(f"The speech engine cannot read its data in {str(data)!r}.")
        lib.espeak_SetUriCallback(_refuse_uri)

    def reseed(self) -> None:
        # Breath noise is random, and the engine seeds it with the time of day.
        self.lib.espeak_ng_SetRandSeed(1)

    def version(self) -> str:
        return str((self.lib.espeak_Info(None) or b"").decode("utf-8", "replace"))

    def list_voices(self, languages: bytes | None = None) -> tuple[EngineVoice, ...]:
        wanted = None
        if languages is not None:
            # Here, unlike in the answer, the field is a plain C string.
            text = ctypes.create_string_buffer(languages)
            wanted = ctypes.byref(_CVoice(languages=ctypes.addressof(text)))
        listed = self.lib.espeak_ListVoices(wanted)
        found = []
        index = 0
        while listed[index]:
            found.append(_read_voice(listed[index].contents))
            index += 1
        return tuple(found)

    def close(self) -> None:
        """Unload; the object must not be used again."""
        self.lib.espeak_Terminate()
        import _ctypes  # ctypes has no public way to unload

        handle = self.lib._handle  # noqa: SLF001
        if sys.platform == "win32":
            _ctypes.FreeLibrary(handle)
        else:
            _ctypes.dlclose(handle)


def _read_voice(voice: _CVoice) -> EngineVoice:
    languages = []
    address = voice.languages
    while address and (priority := ctypes.c_ubyte.from_address(address).value):
        code = ctypes.string_at(address + 1)
        languages.append((code.decode("utf-8", "replace"), priority))
        address += len(code) + 2
    return EngineVoice(
        name=voice.name.decode("utf-8", "replace").strip(),
        identifier=voice.identifier.decode("utf-8", "replace").replace("\\", "/"),
        languages=tuple(languages),
        gender=_GENDERS.get(voice.gender),
        age=voice.age or None,
    )


def _has_dictionary(voice: EngineVoice, data: Path) -> bool:
    """
    Tell whether the data of *voice* are complete.

    Some builds list voices (of 1.52.0: Faroese, Karakalpak and a test) whose dictionary they do
    not bring. Those write a complaint to stderr and stay silent.
    """
    name = voice.languages[0][0].split("-")[0] if voice.languages else ""
    if (data / f"{name}_dict").exists():
        return True
    with contextlib.suppress(OSError):
        definition = (data / "lang" / voice.identifier).read_text("utf-8", "replace")
        if found := re.search(r"^dictionary\s+(\w+)", definition, re.MULTILINE):
            return (data / f"{found[1]}_dict").exists()
    return False


@contextlib.contextmanager
def _private_instance(library: Path, data: Path) -> Iterator[_Instance]:
    """Load a copy of the library which nothing else in this process shares."""
    import shutil  # these two load a dozen modules, and a card needs neither
    import tempfile

    with contextlib.ExitStack() as cleanup:
        try:
            folder = cleanup.enter_context(
                tempfile.TemporaryDirectory(prefix="espeak-", ignore_cleanup_errors=True)
            )
            copy = Path(folder, library.name)
            shutil.copyfile(library, copy)
        except OSError as error:
            raise EngineError(
                f"Cannot copy the speech engine to a temporary directory: {error}. "
                "Make room there, or choose another one with TMPDIR."
            ) from error
        instance = _Instance(copy, data)
        cleanup.callback(instance.close)
        # Where the system allows, all goes at once: then even a killed process leaves nothing.
        with contextlib.suppress(OSError):
            copy.unlink()
            copy.parent.rmdir()
        yield instance


# ---- text and positions --------------------------------------------------------------------------

# Replaced one for one, so positions stay. U+0001 would start a command of the engine.
_CONTROLS = {
    code: " " for code in (*range(0x01, 0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"
}
_ENTITY = re.compile(r"&#?\w+;")


def _prepare_text(text: str) -> bytes:
    if "\0" in text:
        raise ValueError(f"The text has a NUL at position {text.index(chr(0))}. Remove it.")
    try:
        return text.translate(_CONTROLS).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text has a lone surrogate at position {error.start}. "
            "Decode the text correctly, or remove it."
        ) from None


class _WordTracker:
    """
    Turn the engine's word positions into positions of written words.

    The engine is right about most starts, but: it reports each spoken part of a number or an emoji
    as a word, one character late; it reports only the first part of "don't" or "U.S.A."; it caps
    lengths at 31; it starts early behind a full stop that does not end a sentence; and for an
    entity it gives the semicolon. So a word is held until the next event shows how far it can
    reach, parts inside a word are dropped, and the end is found in the text.
    """

    def __init__(self, text: str, *, ssml: bool) -> None:
        self._text = text
        self._ssml = ssml
        self._held: tuple[int, int, int] | None = None  # start sample, start, reported end
        self._reported = (-2, -2)  # span the engine gave for the last word, also after it was sent

    def clamp(self, position: int) -> int:
        return min(max(position, 0), len(self._text))

    def word(self, sample: int, position: int, length: int) -> Event | None:
        """Take a word event, 0-based; return the word before it, if one was held."""
        start = self._true_start(position)
        if start is None or self._reported[0] <= start < self._reported[1]:
            return None
        end = self.clamp(max(start + 1, position + length))
        before = self.flush(start)
        self._held = (sample, start, end)
        self._reported = (start, end)
        return before

    def flush(self, limit: int | None = None) -> Event | None:
        """Return the held word, if any; it ends at *limit* (0-based) at the latest."""
        if self._held is None:
            return None
        sample, start, end = self._held
        self._held = None
        end = self._true_end(start, end, len(self._text) if limit is None else self.clamp(limit))
        return Event("word", sample, start, end - start)

    def _is_border(self, index: int) -> bool:
        return self._text[index].isspace() or (self._ssml and self._text[index] == "<")

    def _true_start(self, position: int) -> int | None:
        text = self._text
        start = self.clamp(position)
        if start < len(text) and text[start].isspace():
            if start <= self._reported[0] + 1:
                return None  # a further part of the one character before the space
            while start < len(text) and text[start].isspace():
                start += 1
        if start >= len(text):
            return None
        if self._ssml and text[start] == ";":
            opening = text.rfind("&", max(0, start - 12), start)
            if opening >= 0 and _ENTITY.fullmatch(text, opening, start + 1):
                return opening
        return start

    def _true_end(self, start: int, reported: int, limit: int) -> int:
        text = self._text
        end = start
        while end < len(text) and not self._is_border(end):
            end += 1
        reported = min(reported, end)
        if limit > start:
            end = min(end, limit)
        entity = _ENTITY.match(text, start) if self._ssml else None
        least = max(start + 1, min(reported, end), entity.end() if entity else 0)
        # Punctuation after the word is not of it, unless the engine says so ("25%", an emoji).
        while end > least and unicodedata.category(text[end - 1])[0] in "PSZC":
            end -= 1
        while least > start + 1 and least >= end and text[least - 1] in ",;:.":
            least -= 1  # a reported end may cut into a number: "10," of "10,000"
        return max(end, least)


# ---- the engine ----------------------------------------------------------------------------------


class Engine:
    """
    eSpeak NG, ready to speak from any thread.

    Args:
        private: Load a private copy of the library for each call. With False, or where a copy
            cannot be loaded, one library is shared under a lock.

    Raises:
        EngineError: If the library or its data cannot be loaded.
    """

    def __init__(self, *, private: bool = True) -> None:
        import espeakng_loader  # here, since it costs 20 ms

        self._library = Path(espeakng_loader.get_library_path())
        try:
            self._data = Path(espeakng_loader.get_data_path())
        except RuntimeError as error:
            raise EngineError(f"The speech engine's data are missing: {error}.") from error
        self._lock = threading.Lock()
        self._shared: _Instance | None = None
        self._spare: _Spare | None = None
        self._is_private = private
        if private:
            try:
                self._spare = _Spare(self._library, self._data)
                self._learn(self._spare.instance)
            except EngineError:
                self._is_private = False
        if not self._is_private:
            self._shared = _Instance(self._library, self._data)
            self._learn(self._shared)

    def _learn(self, instance: _Instance) -> None:
        self._sample_rate_hz = instance.sample_rate_hz
        self._version = instance.version()
        self._voices = tuple(
            voice for voice in instance.list_voices() if _has_dictionary(voice, self._data)
        )
        self._variants = instance.list_voices(b"variant")
        self._identifiers = self._index_voices()
        self._variant_names = {voice.identifier.removeprefix("!v/") for voice in self._variants}

    def _index_voices(self) -> dict[str, str]:
        """Map lower-case identifiers and language codes to identifiers, a code to its best."""
        ranked = sorted(
            (priority, place, code.lower(), voice.identifier)
            for place, voice in enumerate(self._voices)
            for code, priority in voice.languages
        )
        index = {code: identifier for _, _, code, identifier in reversed(ranked)}
        index.update((voice.identifier.lower(), voice.identifier) for voice in self._voices)
        return index

    @property
    def sample_rate_hz(self) -> int:
        """The rate of all audio (22050)."""
        return self._sample_rate_hz

    @property
    def version(self) -> str:
        """The engine's version, e.g. "1.52.0"."""
        return self._version

    @property
    def is_private(self) -> bool:
        """Whether each call has its own library: repeatable, and without waiting."""
        return self._is_private

    def voices(self) -> tuple[EngineVoice, ...]:
        """Return all voices that can speak, without variants."""
        return self._voices

    def variants(self) -> tuple[EngineVoice, ...]:
        """Return all variants: timbres to be added to a voice, as in "gmw/en-US+f3"."""
        return self._variants

    def resolve_voice(self, voice: str) -> str:
        """
        Return the engine's name for *voice*: identifier or language code, perhaps with "+variant".

        Raises:
            EngineError: If the voice or the variant is not listed.
        """
        base, plus, variant = voice.partition("+")
        identifier = self._identifiers.get(base.lower())
        if identifier is None:
            raise EngineError(
                f"The speech engine has no voice {base!r}. Choose one listed by voices()."
            )
        # The engine itself takes an unknown variant silently for none.
        if plus and variant not in self._variant_names:
            raise EngineError(
                f"The speech engine has no variant {variant!r}. Choose one listed by variants()."
            )
        return identifier + plus + variant

    def speak(
        self,
        text: str,
        *,
        voice: str,
        on_audio: Callable[[bytes], bool],
        on_event: Callable[[Event], None] = lambda _event: None,
        stopped: Callable[[], bool] = lambda: False,
        rate_wpm: int = 175,
        pitch: int = 50,
        pitch_range: int = 50,
        volume: int = 100,
        ssml: bool = False,
    ) -> bool:
        """
        Speak *text*, handing out audio while the engine runs.

        All callables run in the calling thread, during the call. Of each buffer the events come
        first, then the audio, except that a word comes only with the next event, which shows where
        it ends. The speech ends with the pause that belongs to its last punctuation, so a text cut
        at sentence ends lasts as long as the whole. A text without anything to say gives 7 ms of
        silence, or a pause.

        Args:
            text: Plain text or SSML; control characters other than tab and line ends act as spaces.
            voice: Identifier or language code, perhaps with "+variant", e.g. "gmw/en-US+f3".
            on_audio: Takes mono ``pcm_s16le``, at most 4412 samples; returns False to stop.
            on_event: Takes word, sentence, mark and clause end.
            stopped: Asked before each buffer, and while waiting for the engine.
            rate_wpm: 80 to 700, see :func:`wpm_for_ratio`.
            pitch: 0 to 99, see :func:`pitch_for_semitones`.
            pitch_range: 0 (monotonous) to 99; 50 is normal.
            volume: 0 to 200, see :func:`volume_for_db`.
            ssml: Read *text* as SSML. The engine does not report wrong markup, it skips it.

        Returns:
            True if all was spoken, False if it was stopped.

        Raises:
            ValueError: If the text has a NUL or a lone surrogate, or a number is out of its range.
            EngineError: If the voice is unknown or the engine failed.
            Exception: What a callable raised, after the engine was stopped.
        """
        name = self.resolve_voice(voice).encode()
        raw = _prepare_text(text)
        for label, value, low, high in (
            ("rate_wpm", rate_wpm, 80, 700),
            ("pitch", pitch, 0, 99),
            ("pitch_range", pitch_range, 0, 99),
            ("volume", volume, 0, 200),
        ):
            if not low <= value <= high:
                raise ValueError(f"{label} is {value}. Choose {low} to {high}.")
        parameters = {
            _RATE: rate_wpm,
            _VOLUME_PARAMETER: volume,
            _PITCH_PARAMETER: pitch,
            _RANGE: pitch_range,
        }
        flags = _CHARS_UTF8 | _END_PAUSE | (_SSML if ssml else 0)
        run = _Run(_WordTracker(text, ssml=ssml), on_audio, on_event, stopped)
        with self._instance(name, stopped) as instance:
            if instance is None:
                return False
            instance.reseed()
            return run.speak(instance, raw, name, parameters, flags)

    @contextlib.contextmanager
    def _instance(self, voice: bytes, stopped: Callable[[], bool]) -> Iterator[_Instance | None]:
        """Give a library nobody else uses meanwhile, or None if stopped while waiting for it."""
        if self._shared is None:
            spare = self._take_spare(voice) or _Spare(self._library, self._data)
            try:
                yield spare.instance
            finally:
                spare.close()
                self._prepare(voice)
            return
        while not self._lock.acquire(timeout=0.05):
            if stopped():
                yield None
                return
        try:
            yield self._shared
        finally:
            self._lock.release()

    def _take_spare(self, voice: bytes) -> _Spare | None:
        """
        Return the library kept for *voice*, or None.

        One that has loaded another voice will not do: a few variants (robosoft2, caleb,
        Reed) leave or take traces of the voice before.
        """
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is None or spare.voice in (None, voice):
            return spare
        spare.close()
        return None

    def _prepare(self, voice: bytes) -> None:
        """
        Load the next call's library, aside, with the voice of this one.

        Loading takes about 1 ms and a voice's data 4 ms, which the next call need not wait for.
        """

        def load() -> None:
            try:
                spare = _Spare(self._library, self._data, voice)
            except EngineError:
                return  # the next call meets the same and reports it
            with self._lock:
                if self._spare is None:
                    self._spare = spare
                    return
            spare.close()

        # Not a daemon: the process waits for it, or its temporary folder would stay behind.
        with contextlib.suppress(RuntimeError):  # the interpreter is going down
            threading.Thread(target=load, name="espeak-spare", daemon=False).start()

    def close(self) -> None:
        """Unload what is kept for the next call. The engine stays usable."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()


class _Spare:
    """A private library, loaded and not yet used: no speech has changed its state."""

    def __init__(self, library: Path, data: Path, voice: bytes | None = None) -> None:
        self.voice = voice
        with contextlib.ExitStack() as stack:
            self.instance = stack.enter_context(_private_instance(library, data))
            if voice is not None:
                # Loaded twice, before and in the call, a voice sounds as loaded once.
                self.instance.lib.espeak_SetVoiceByName(voice)
            self.close = stack.pop_all().close


class _Run:
    """One call of :meth:`Engine.speak`: what the engine calls back into."""

    def __init__(
        self,
        words: _WordTracker,
        on_audio: Callable[[bytes], bool],
        on_event: Callable[[Event], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._words = words
        self._on_audio = on_audio
        self._on_event = on_event
        self._stopped = stopped
        self._is_stopped = False
        self._error: BaseException | None = None

    def speak(
        self,
        instance: _Instance,
        raw: bytes,
        voice: bytes,
        parameters: Mapping[int, int],
        flags: int,
    ) -> bool:
        lib = instance.lib
        if lib.espeak_SetVoiceByName(voice):
            raise EngineError(f"The speech engine cannot load voice {voice.decode()!r}.")
        # After the voice, since loading one may change them.
        for parameter, value in parameters.items():
            if lib.espeak_SetParameter(parameter, value, 0):
                raise EngineError(f"The speech engine refused parameter {parameter}={value}.")
        callback = _SynthCallback(self._called)  # must live as long as the call
        lib.espeak_SetSynthCallback(callback)
        status = lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, flags, None, None)
        if self._error is not None:
            raise self._error
        if self._is_stopped:
            return False
        if status:
            raise EngineError(f"The speech engine failed with status {status:#x}.")
        return True

    def _called(self, audio: int | None, samples: int, events: ctypes._Pointer[_CEvent]) -> int:
        """Take a buffer; return 1 to stop the engine. Must not raise: C calls it."""
        try:
            self._is_stopped = self._stopped() or not self._take(audio, samples, events)
        except BaseException as error:  # noqa: BLE001 - raised again outside of C
            self._error = error
            return 1
        return int(self._is_stopped)

    def _take(self, audio: int | None, samples: int, events: ctypes._Pointer[_CEvent]) -> bool:
        index = 0
        while events[index].type:
            self._take_event(events[index])
            index += 1
        if not audio or samples <= 0:
            return True
        return self._on_audio(ctypes.string_at(audio, 2 * samples))  # the buffer is used again

    def _take_event(self, event: _CEvent) -> None:
        kind = _KINDS.get(event.type)
        if kind is None:
            return
        words = self._words
        if kind == "word":
            self._send(words.word(event.sample, event.text_position - 1, event.length))
            return
        # An end's position is already the one behind the clause, counted from 0.
        position = words.clamp(event.text_position - (kind != "end"))
        self._send(words.flush(position))
        name = None
        if kind == "mark":
            from html import unescape  # its table of entities is seldom needed

            name = unescape((event.id.name or b"").decode("utf-8", "replace"))
        self._send(Event(kind, event.sample, position, 0, name))

    def _send(self, event: Event | None) -> None:
        if event is not None:
            self._on_event(event)


class _Process:
    """Holds the engine of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._engines: dict[int, Engine] = {}  # by process, for a forked one inherits an entry

    def engine(self) -> Engine:
        pid = os.getpid()
        with self.lock:
            if pid not in self._engines:
                self._engines = {pid: Engine()}
                # Otherwise the spare's temporary folder would be reported as forgotten.
                atexit.register(self._engines[pid].close)
            return self._engines[pid]

    def renew_lock(self) -> None:
        """Forget a lock that a thread of the parent held while forking."""
        self.lock = threading.Lock()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.renew_lock)


def engine() -> Engine:
    """
    Return the process's engine, loading it at the first call (about 15 ms).

    A forked process gets its own: the parent's might be in the middle of a word.
    """
    return _process.engine()
