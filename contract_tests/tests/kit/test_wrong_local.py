"""
For every clause a provider in this process that breaks just that promise.

Each liar is the right provider of ``local_providers`` with one thing changed. It is held to all
clauses: the one it breaks fails, and no other does, but for those named with a reason.

What no provider in this process can break, since core keeps it, is broken in core: see
:func:`breaks_core`. What is about the network alone is in ``test_wrong_network.py``.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from local_providers import (
    FREE,
    FULL,
    INFO,
    MODEST_INFO,
    PAID,
    VOICES,
    Modest,
    Plugin,
    Speaker,
    Speech,
    Talk,
    Word,
    claimed,
    contract_of,
    count_billed,
    denied,
    made,
    recognise_voice,
)

from vivavoce import AudioFormat, InvalidValue, MarkupError, hookspecs
from vivavoce.authoring import (
    AudioData,
    CapabilityError,
    Container,
    Event,
    Evidence,
    Facts,
    LocalCall,
    LocalSink,
    Mark,
    NoAudio,
    Option,
    Output,
    PluginError,
    Prosody,
    SynthesisRequest,
    SynthesizerInfo,
    TextTooLong,
    Voice,
    VoiceCustomizer,
    VoiceCustomizerInfo,
    VoiceOrigin,
    unknown,
)
from vivavoce.blocking import SpeechStream
from vivavoce.client import AsyncClient
from vivavoce.errors import VivavoceError
from vivavoce.face import ClientCore
from vivavoce.model.audio import Chunk
from vivavoce.model.report import Report
from vivavoce.model.utterance import Utterance
from vivavoce.pipeline import plan
from vivavoce.pipeline.run import SpeechRun
from vivavoce.registry import installed
from vivavoce_contract.case import KEY, Case
from vivavoce_contract.clause import Clause, Unmet
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.contract import subject_of
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Run, Verdict

pytestmark = pytest.mark.slow

BY_ID: Mapping[str, Clause] = {clause.id: clause for clause in CLAUSES}


@attrs.frozen(kw_only=True)
class Lie:
    """
    One provider that breaks one promise.

    Attributes:
        clause: The clause that it breaks.
        name: In one word or two, for the test's id.
        what: What it does.
        make: Makes the plugin.
        verdict: What must be said of it.
        model: Which of its models lies.
        with_it: Clauses that cannot but break too, each with the reason.
    """

    clause: str
    name: str
    what: str
    make: Callable[[], object]
    verdict: Verdict
    model: str
    with_it: Mapping[str, str]


LIES: list[Lie] = []

# Longer than a sentence of the kit's; and shorter than the texts that are to be long.
SHORT, LONG = 40, 100


def lies(
    clause: str,
    verdict: Verdict | None = None,
    *,
    model: str = "free",
    with_it: Mapping[str, str] | None = None,
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Enter the function below as one that makes a liar; its docstring says what it does."""
    is_claim = bool(BY_ID[clause].capability)
    given = verdict or (Verdict.OVER_CLAIM if is_claim else Verdict.FAIL)

    def enter(make: Callable[[], object]) -> Callable[[], object]:
        LIES.append(
            Lie(
                clause=clause,
                name=make.__name__.strip("_").replace("_", "-"),
                what=make.__doc__ or "",
                make=make,
                verdict=given,
                model=model,
                with_it=with_it or {},
            )
        )
        return make

    return enter


def ignoring(**normal: Any) -> type[Speech]:
    """Return a speech that does not see some wishes."""

    class Deaf(Speech):
        def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
            prosody = attrs.evolve(
                request.prosody, **{k: v for k, v in normal.items() if k != "instructions"}
            )
            others = {k: v for k, v in normal.items() if k == "instructions"}
            super().__init__(attrs.evolve(request, prosody=prosody, **others), speaker)

    return Deaf


# Declaration


@lies("DEC-02")
def _silent() -> object:
    """It leaves open whether it reads formulas."""
    return made(claims={"latex": unknown()})


@lies("DEC-03")
def _no_evidence() -> object:
    """It claims to speak faster, and does not say where that was read."""
    return made(claims={"rate": attrs.evolve(FULL.rate, evidence=None)})


@lies("DEC-03")
def _no_source() -> object:
    """Its evidence names no source."""
    evidence = Evidence(source=" ", date="2026-11-25")
    return made(claims={"rate": attrs.evolve(FULL.rate, evidence=evidence)})


@lies("DEC-03")
def _no_date() -> object:
    """Its evidence is of no date."""
    evidence = Evidence(source="code: x.py", date="yesterday")
    return made(claims={"rate": attrs.evolve(FULL.rate, evidence=evidence)})


@lies("DEC-04")
def _turned_limits() -> object:
    """Its least is above its greatest."""
    return made(claims={"rpm": claimed(minimum=60, maximum=1, unit="requests")})


@lies("DEC-04")
def _endless_limit() -> object:
    """It has a limit without end, which is none."""
    return made(claims={"tpm": claimed(maximum=float("inf"), unit="tokens")})


class _Trusting(SynthesizerInfo):
    """Skips core's own check, that what is claimed of sessions is in the code."""

    def load_synthesizer(self) -> Any:
        return self.synthesizer


@lies(
    "DEC-05",
    with_it=dict.fromkeys(
        ("SES-01", "SES-02", "SES-03"), "a session that is claimed and not there opens nowhere"
    ),
)
def _no_session() -> object:
    """It claims sessions, and its code has none; core would refuse to load it."""

    class Sessionless(Speaker):
        session = Speaker.__mro__[1].session  # type: ignore[attr-defined]

    plugin = made(speaker=Sessionless, claims={"stream_in": claimed()})
    fields = {field.name: getattr(plugin.info, field.name) for field in attrs.fields(type(INFO))}
    return Plugin(info=_Trusting(**fields))


@lies("DEC-06")
def _no_encoding() -> object:
    """It does not say how its samples are written."""
    return made(claims={"encodings": claimed()})


@lies("DEC-06")
def _no_container() -> object:
    """It does not say in what its samples come."""
    return made(claims={"containers": claimed()})


@lies("DEC-06", with_it={"FMT-02": "such a rate cannot be asked for"})
def _no_rate() -> object:
    """It states a sample rate that there is not."""
    return made(claims={"sample_rates_hz": claimed(24_000, 1_000)})


@lies("DEC-07")
def _no_default_voice() -> object:
    """It claims voices of its own, and names no default."""
    return made(card={"default_voice": ""})


@lies("DEC-08")
def _voice_twice() -> object:
    """It lists a voice twice."""
    return made(voices=lambda: (*VOICES, VOICES[-1]))


@lies("DEC-08")
def _no_tag() -> object:
    """A voice speaks what is no tag of a language."""
    odd = Voice(id="odd", languages=("plain English",), models=("paid",))
    return made(voices=lambda: (*VOICES, odd))


@lies("DEC-08")
def _voice_without_model() -> object:
    """A voice names no model."""
    return made(voices=lambda: (*VOICES, Voice(id="idle", languages=("en",))))


@lies("DEC-08")
def _voice_of_no_model() -> object:
    """A voice names a model that there is not."""
    return made(voices=lambda: (*VOICES, Voice(id="idle", languages=("en",), models=("gone",))))


@lies("DEC-09")
def _alias_of_nothing() -> object:
    """A model's name stands for one that is not listed."""
    return made(models=(FREE, attrs.evolve(PAID, alias_of="gone")))


@lies("DEC-09")
def _alias_of_alias() -> object:
    """A model's name stands for another name."""
    aliases = (
        attrs.evolve(PAID, name=name, alias_of=of) for name, of in (("a", "b"), ("b", "free"))
    )
    return made(models=(FREE, PAID, *aliases))


def _priced(**changes: Any) -> Plugin:
    return made(card={"prices": tuple(attrs.evolve(price, **changes) for price in PAID.prices)})


@lies("DEC-10", model="paid")
def _free_at_a_price() -> object:
    """It is free and has a price."""
    return made(card={"is_free": True, "prices": PAID.prices})


@lies("DEC-10", model="paid")
def _for_nothing() -> object:
    """Its price is nothing."""
    return made(models=(FREE, _priced(amount=0).info.models[1]))


@lies("DEC-10", model="paid")
def _no_currency() -> object:
    """Its price is in no currency that there is."""
    return made(models=(FREE, _priced(currency="euro").info.models[1]))


@lies("DEC-10", model="paid")
def _of_no_region() -> object:
    """A price is of a region where it is not."""
    far = (*PAID.prices, attrs.evolve(PAID.prices[0], region="east"))
    return made(models=(FREE, attrs.evolve(PAID, prices=far)))


@lies("DEC-10", model="paid")
def _price_unread() -> object:
    """It does not say where its price was read."""
    return made(models=(FREE, _priced(evidence=None).info.models[1]))


@lies("DEC-11")
def _option_twice() -> object:
    """An option is there twice."""
    return made(card={"options": (*FREE.options, *FREE.options)})


@lies("DEC-11")
def _option_unexplained() -> object:
    """An option does not say what it does."""
    return made(card={"options": (*FREE.options, Option(name="x", meaning="", type=bool))})


@lies("DEC-11")
def _option_refuses_itself() -> object:
    """An option lists a value that it does not accept."""
    option = Option(name="x", meaning="a number", type=int, values=(1, 2), maximum=1)
    return made(card={"options": (*FREE.options, option)})


@lies("DEC-12")
def _no_title() -> object:
    """It has no title for people."""
    return made(title=" ")


@lies("DEC-12")
def _default_with_key() -> object:
    """It needs a key and offers itself as the default."""
    return made(credential_env=("RIGHT_API_KEY",), default_rank=50)


# Synthesis


@lies("SYN-01")
def _gabbles() -> object:
    """It speaks a character in a millisecond."""

    class Gabbles(Speech):
        def seconds(self, word: Word) -> float:
            return super().seconds(word) / 30

    return made(Gabbles)


@lies(
    "SYN-01",
    with_it=dict.fromkeys(
        ("LIF-05", "PAR-01", "STR-03", "SYN-04"), "they compare wholes with streams"
    ),
)
def _drawls() -> object:
    """As a whole it takes two seconds for a character, unless a text is long."""

    class Drawls(Speech):
        def seconds(self, word: Word) -> float:
            is_drawled = not self.request.wants_stream and len(self.words()) < 4
            return super().seconds(word) * (70 if is_drawled else 1)

    return made(Drawls)


@lies("SYN-01", with_it={"PRO-03": "what is softer still is silence"})
def _whispers() -> object:
    """It speaks so softly that nobody hears it."""

    class Whispering(Speech):
        def peak(self) -> int:
            return super().peak() // 400

    return made(Whispering)


@lies("SYN-01")
def _hisses() -> object:
    """What it gives changes from sample to sample, as noise does."""

    class Hissing(Speech):
        def wave(self, word: Word) -> bytes:
            samples = memoryview(super().wave(word)).cast("h")
            turned = (-sample if n % 2 else sample for n, sample in enumerate(samples))
            return struct.pack(f"<{len(samples)}h", *turned)

    return made(Hissing)


@lies(
    "SYN-02",
    with_it=dict.fromkeys(
        ("LIF-03", "LIF-04", "PAR-01"), "they hear a sentence more than once and compare"
    ),
)
def _grows_tired() -> object:
    """It speaks a sentence that it was asked before half as long again."""

    class Tired(Speech):
        def seconds(self, word: Word) -> float:
            return super().seconds(word) * (1.5 if self.is_old else 1)

        def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
            super().__init__(request, speaker)
            # Kept by the class, so from one client to the next.
            heard: set[str] = vars(type(speaker)).get("heard", set())
            type(speaker).heard = heard  # type: ignore[attr-defined]
            is_plain = request.wants_stream and request.is_last and request.prosody == Prosody()
            self.is_old = is_plain and request.text in heard
            if is_plain:
                heard.add(request.text)

    return made(Tired)


@lies("SYN-03")
def _keeps_the_first() -> object:
    """It keeps the first whole that it makes, and gives that for any other."""

    class Keeping(Speech):
        def words(self) -> list[Word]:
            if self.request.wants_stream:
                return super().words()
            kept = vars(self.speaker).setdefault("kept", super().words())
            return list(kept)

    return made(Keeping)


@lies("SYN-03")
def _stretches_the_first() -> object:
    """It speaks a sentence longer after it has spoken another."""

    class Stretching(Speech):
        def seconds(self, word: Word) -> float:
            return super().seconds(word) * self.stretch

        def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
            super().__init__(request, speaker)
            count = vars(speaker).get("count", 0) + (not request.wants_stream)
            speaker.count = count  # type: ignore[attr-defined]
            self.stretch = 1.5 if count >= 3 else 1.0

    return made(Stretching)


@lies("SYN-04")
def _short_way() -> object:
    """By one of its ways the last word is missing."""

    class Shortened(Speech):
        def words(self) -> list[Word]:
            is_short = self.request.options.get("route") == "short"
            return super().words()[: -1 if is_short else None]

    return made(Shortened)


# Streaming


@lies("STR-01")
def _at_once() -> object:
    """It claims to stream, and gives each text in one piece."""

    class AtOnce(Speech):
        def pieces(self) -> Any:
            pieces = list(super().pieces())
            yield [mark for marks, _ in pieces for mark in marks], b"".join(a for _, a in pieces)

    return made(AtOnce, claims={"max_text": claimed(maximum=2_000, unit="characters")})


@lies("STR-01")
def _in_slices() -> object:
    """It claims to stream, and cuts into pieces what it has made wholly before."""

    class InSlices(Speech):
        def pieces(self) -> Any:
            pieces = []
            for piece in super().pieces():
                pieces.append(piece)
                if self.request.wants_stream and LONG < len(self.request.text) < 3 * LONG:
                    time.sleep(0.003)  # as an engine that has something to reckon
            yield from pieces

    return made(InSlices, claims={"max_text": claimed(maximum=2_000, unit="characters")})


@lies("STR-01", Verdict.UNDER_CLAIM)
def _streams_all_the_same() -> object:
    """It says that it does not stream, and does."""
    return made(claims={"stream_out": denied()})


@lies(
    "STR-01",
    Verdict.BAD_REFUSAL,
    model="plain",
    with_it={"TXT-06": "it has a long text streamed, too"},
)
def _fails_to_stream() -> object:
    """It says that it does not stream, and breaks down at it."""

    class Fails(Modest):
        def run(self, sink: LocalSink) -> None:
            if self.request.wants_stream and LONG < len(self.request.text) < 4 * LONG:
                raise NotImplementedError
            super().run(sink)

    return made(Fails, base=MODEST_INFO)


@lies("STR-02")
def _tears_samples() -> object:
    """It gives half samples, under a format for which core does not join them."""

    class Tearing(Speech):
        def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
            super().__init__(request, speaker)
            if request.wants_stream:
                # Of a format that has one byte a sample core makes no pairs.
                self.format = attrs.evolve(request.format, encoding="mulaw")

        def receive(self, event: Event) -> Sequence[Output]:
            torn: list[Output] = []
            for output in super().receive(event):
                if isinstance(output, AudioData):
                    torn += [AudioData(output.data[:3]), AudioData(output.data[3:])]
                else:
                    torn.append(output)
            return torn

    return made(Tearing)


@lies(
    "STR-03",
    with_it=dict.fromkeys(("LIF-05", "PAR-01", "SYN-04", "TXT-06"), "they compare streams, too"),
)
def _streams_less() -> object:
    """What it streams lacks a word."""

    class Less(Speech):
        def words(self) -> list[Word]:
            words = super().words()
            is_streamed = self.request.wants_stream and len(self.request.text) < SHORT
            return words[:1] if is_streamed and len(words) < 4 else words

    return made(Less)


# Text


@lies("TXT-04")
def _no_emoji() -> object:
    """It breaks down at an emoji."""

    class Fragile(Speech):
        def run(self, sink: LocalSink) -> None:
            if any(ord(character) > 0xFFFF for character in self.request.text):
                raise UnicodeError("no surrogates")
            super().run(sink)

    return made(Fragile)


@lies("TXT-04")
def _mute_at_quotes() -> object:
    """It says that it has no word for a text with quotes."""

    class Mute(Speech):
        def run(self, sink: LocalSink) -> None:
            if "“" in self.request.text:
                raise NoAudio("nothing to speak")
            super().run(sink)

    return made(Mute)


@lies("TXT-05")
def _smaller_limit() -> object:
    """It takes less than it claims."""

    class Small(Speech):
        def run(self, sink: LocalSink) -> None:
            if len(self.request.text) > 290:
                raise TextTooLong("too long", limit=290)
            super().run(sink)

    return made(Small)


@lies("TXT-05")
def _cuts_silently() -> object:
    """It leaves out what is beyond two thirds of its limit, and says nothing."""

    class Cutting(Speech):
        def words(self) -> list[Word]:
            return [word for word in super().words() if word.end <= 200]

    return made(Cutting)


@lies("TXT-06")
def _clicks() -> object:
    """Of a short request that is not the last it gives a click."""

    class Clicking(Speech):
        def seconds(self, word: Word) -> float:
            is_cut = not self.request.is_last and len(self.request.text) < SHORT
            return super().seconds(word) / (10 if is_cut else 1)

    return made(Clicking)


# Languages and voices


@lies("VOC-01", with_it={"REP-02": "usage is asked in every language"})
def _no_german() -> object:
    """It claims German, and breaks down at it."""

    class English(Speech):
        def run(self, sink: LocalSink) -> None:
            if self.request.language == "de":
                raise LookupError("no such language")
            super().run(sink)

    return made(English)


@lies("VOC-04")
def _hoarse() -> object:
    """One of its voices does not speak."""

    class Hoarse(Speech):
        def run(self, sink: LocalSink) -> None:
            if self.request.voice is not None and self.request.voice.id == "old finn":
                raise LookupError("no such voice")
            super().run(sink)

    return made(Hoarse, claims={"dialects": denied()})


@lies("VOC-05")
def _knows_everybody() -> object:
    """It takes any id with a blank for a voice of one's own."""

    def recognise(card: Any, voice_id: str) -> Voice | None:
        if " " in voice_id:
            return Voice(id=voice_id, origin=VoiceOrigin.CLONED, models=(card.name,))
        return recognise_voice(card, voice_id)

    return made(recognise_voice=recognise)


@lies("VOC-06", with_it={"DEC-08": "the voice is of no model, else core would refuse it"})
def _anybodys_voice() -> object:
    """It lists a voice that is of no model, and takes it with any."""
    return made(voices=lambda: (Voice(id="idle", languages=("en",)), *VOICES))


@lies("VOC-07")
def _no_irish_voice() -> object:
    """It claims a variety of English that none of its voices has."""
    return made(voices=lambda: tuple(attrs.evolve(voice, dialects=()) for voice in VOICES))


# Instructions, prosody, SSML


@lies("INS-01")
def _deaf_to_instructions() -> object:
    """It claims to follow instructions, and does nothing with them."""
    return made(ignoring(instructions=None))


@lies("PRO-01")
def _deaf_to_rate() -> object:
    """It claims a rate, and does nothing with it."""
    return made(ignoring(rate_ratio=1.0))


@lies("PRO-02")
def _deaf_to_pitch() -> object:
    """It claims a pitch, and does nothing with it."""
    return made(ignoring(pitch_semitones=0.0))


@lies("PRO-03")
def _deaf_to_volume() -> object:
    """It claims a volume, and does nothing with it."""
    return made(ignoring(volume_db=0.0))


@lies("SML-01")
def _reads_tags() -> object:
    """It reads the markup aloud."""

    class Literal(Speech):
        def _read(self) -> tuple[str, Any]:
            return self.request.text, int

    return made(Literal)


# Marks


@lies("MRK-01")
def _all_from_the_start() -> object:
    """Each word begins where the audio does."""

    class Flat(Speech):
        def word_mark(self, word: Word, start_s: float, end_s: float) -> Mark | None:
            return super().word_mark(word, 0.0, end_s)

    return made(Flat)


@lies("MRK-02")
def _marks_blanks() -> object:
    """A word's mark spans the blank behind it."""

    class Wide(Speech):
        def word_mark(self, word: Word, start_s: float, end_s: float) -> Mark | None:
            return super().word_mark(attrs.evolve(word, end=word.end + 1), start_s, end_s)

    return made(Wide)


@lies("MRK-02")
def _marks_the_first_word() -> object:
    """Each mark spans the first word."""

    class First(Speech):
        def word_mark(self, word: Word, start_s: float, end_s: float) -> Mark | None:
            first = self.words()[0]
            return super().word_mark(first, start_s, end_s)

    return made(First, claims={"max_text": denied()})


@lies("MRK-03")
def _marks_the_first_request() -> object:
    """It marks the words of a client's first request only."""

    class Once(Speech):
        def word_mark(self, word: Word, start_s: float, end_s: float) -> Mark | None:
            first = vars(self.speaker).setdefault("first", self)
            return super().word_mark(word, start_s, end_s) if first is self else None

    return made(Once)


@lies("MRK-04")
def _guesses() -> object:
    """It guesses where the words are, and says so, though it claims to know."""

    class Guessing(Speech):
        def word_mark(self, word: Word, start_s: float, end_s: float) -> Mark | None:
            mark = super().word_mark(word, start_s, end_s)
            return mark and attrs.evolve(mark, origin="estimated")

    return made(Guessing)


@lies("MRK-05")
def _one_sentence() -> object:
    """It marks two sentences as one."""

    class Joined(Speech):
        def sentences(self) -> list[tuple[int, int]]:
            found = super().sentences()
            return [(found[0][0], found[-1][1])] if found else []

    return made(Joined)


@lies("MRK-06")
def _nameless_phonemes() -> object:
    """Its phonemes have no symbols."""

    class Nameless(Speech):
        def phoneme_marks(self, word: Word, start_s: float, end_s: float) -> list[Mark]:
            marks = super().phoneme_marks(word, start_s, end_s)
            return [attrs.evolve(mark, value="") for mark in marks]

    return made(Nameless)


@lies("MRK-06")
def _no_phonemes() -> object:
    """It claims phonemes, and marks none."""

    class Without(Speech):
        def phoneme_marks(self, word: Word, start_s: float, end_s: float) -> list[Mark]:
            return []

    return made(Without)


@lies("MRK-07")
def _renames_bookmarks() -> object:
    """A bookmark comes back under another name."""

    class Renaming(Speech):
        def bookmark(self, name: str, index: int, at_s: float) -> Mark | None:
            return super().bookmark("mark-1", index, at_s)

    return made(Renaming)


# Formats


@lies("FMT-01")
def _endless_header() -> object:
    """It delivers WAV itself, with a header as of a stream without end."""

    class Endless(Speech):
        def pieces(self) -> Any:
            if self.format.container is Container.WAV:
                rate = self.format.sample_rate_hz
                size = 0xFFFFFFFF
                form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
                yield [], struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + form
                yield [], struct.pack("<4sI", b"data", size)
            yield from super().pieces()

    return made(Endless, claims={"containers": claimed("raw", "wav")})


@lies("FMT-02")
def _one_rate() -> object:
    """At whatever rate it is asked, its samples are for 24000 Hz."""

    class OneRate(Speech):
        def wave(self, word: Word) -> bytes:
            asked, self.format = self.format, attrs.evolve(self.format, sample_rate_hz=24_000)
            try:
                return super().wave(word)
            finally:
                self.format = asked

    return made(OneRate)


_BIT_RATE = Option(name="bit_rate", meaning="kilobits a second", type=int, minimum=8, maximum=320)


@lies("FMT-05")
def _no_bit_rate() -> object:
    """It claims bit rates, and has no option for them."""
    return made(claims={"bit_rate": claimed()})


@lies("FMT-05", Verdict.UNDER_CLAIM)
def _takes_a_bit_rate() -> object:
    """It claims no bit rate, and takes one."""
    return made(card={"options": (*FREE.options, _BIT_RATE)})


@lies("FMT-05", Verdict.BAD_REFUSAL)
def _breaks_at_a_bit_rate() -> object:
    """It claims no bit rate, and breaks down at one."""

    class Breaking(Speech):
        def run(self, sink: LocalSink) -> None:
            if "bit_rate" in self.request.options:
                raise NotImplementedError
            super().run(sink)

    return made(Breaking, card={"options": (*FREE.options, _BIT_RATE)})


# Lifecycle


class _Coroutine(Speech):
    """An engine written as a coroutine."""

    def open(self) -> LocalCall:
        return LocalCall(run=self.arun, max_buffered_bytes=self.buffer_bytes)

    async def arun(self, sink: LocalSink) -> None:
        for marks, audio in self.pieces():
            for mark in marks:
                sink.mark(mark)
            if not sink.audio(audio):
                return
            await sink.drain()


@lies("LIF-01")
def _leaves_a_task() -> object:
    """It begins a task beside its speech, and leaves it running."""

    class Littering(_Coroutine):
        async def arun(self, sink: LocalSink) -> None:
            self.speaker.task = asyncio.ensure_future(asyncio.sleep(30))  # type: ignore[attr-defined]
            await super().arun(sink)

    return made(Littering)


@lies("LIF-02", with_it={"LIF-01": "it leaves a stream and closes the client, too"})
def _closes_badly() -> object:
    """Its close() breaks down when its only sentence was left early."""

    class Closing(Speaker):
        left: Speech | None = None

        def close(self) -> None:
            if self.left is not None:
                raise RuntimeError("speech is still going on")

    class Leaving(Speech):
        def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
            super().__init__(request, speaker)
            self.is_only = "count" not in vars(speaker)
            speaker.count = 1  # type: ignore[attr-defined]
            speaker.left = None  # type: ignore[attr-defined]

        def was_left(self) -> None:
            if self.is_only and len(self.request.text) < LONG:
                self.speaker.left = self  # type: ignore[attr-defined]

    return made(Leaving, speaker=Closing)


class _Latest(Speaker):
    """Keeps what it was asked last."""

    latest: SynthesisRequest

    def exchange(self, request: SynthesisRequest) -> Any:
        self.latest = request
        return super().exchange(request)


@lies("LIF-03", with_it={"LIF-04": "what goes wrong among eight goes wrong among fifty"})
def _speaks_the_latest() -> object:
    """Its engine begins late, and then speaks what was asked last."""

    class Late(_Coroutine):
        async def arun(self, sink: LocalSink) -> None:
            self.request = self.speaker.latest  # type: ignore[attr-defined]
            await super().arun(sink)

    return made(Late, speaker=_Latest)


@lies("LIF-04")
def _crowded() -> object:
    """It breaks down when more than twenty speak at once."""

    class Crowded(_Coroutine):
        async def arun(self, sink: LocalSink) -> None:
            busy = vars(self.speaker).setdefault("busy", [])
            busy.append(self)
            try:
                if len(busy) > 20:
                    raise MemoryError("too many at once")
                await super().arun(sink)
            finally:
                busy.remove(self)

    return made(Crowded)


@lies("LIF-05")
def _speaks_the_rest() -> object:
    """What was left unheard of one utterance it speaks before the next."""

    class Resuming(Speech):
        def run(self, sink: LocalSink) -> None:
            kept = vars(self.speaker).pop("rest", [])
            pieces = [*(([], audio) for _, audio in kept), *self.pieces()]
            for n, (marks, audio) in enumerate(pieces):
                for mark in marks:
                    sink.mark(mark)
                if not sink.audio(audio):
                    self.speaker.rest = pieces[n:]  # type: ignore[attr-defined]
                    return

    return made(Resuming)


@lies("LIF-05")
def _speaks_to_nobody() -> object:
    """Its engine goes on although its reader has left."""

    class Unheeding(Speech):
        def run(self, sink: LocalSink) -> None:
            for marks, audio in self.pieces():
                for mark in marks:
                    sink.mark(mark)
                sink.audio(audio)

    return made(Unheeding)


# Secrets


@lies("SEC-01")
def _logs_the_key() -> object:
    """It logs its key."""

    class Logging(Speaker):
        def exchange(self, request: SynthesisRequest) -> Any:
            assert self.config.credential is not None
            logging.getLogger("liar").debug("the key is %s", self.config.credential.reveal())
            return super().exchange(request)

    return made(speaker=Logging)


@lies("SEC-01")
def _shows_the_key() -> object:
    """Its repr shows the key."""

    class Showing(Speaker):
        def __repr__(self) -> str:
            assert self.config.credential is not None
            return f"Showing({self.config.credential.reveal()!r})"

    return made(speaker=Showing)


@lies("SEC-01")
def _reports_the_key() -> object:
    """It tells its key among the facts of the report."""

    class Reporting(Speech):
        def facts(self) -> Facts:
            assert self.speaker.config.credential is not None
            key = self.speaker.config.credential.reveal()
            return attrs.evolve(super().facts(), other={"asked_with": key})

    return made(Reporting)


# Report


@lies("REP-01", model="paid")
def _no_usage() -> object:
    """It is billed, and tells no usage."""

    class Unbilled(Speech):
        def facts(self) -> Facts:
            return Facts()

    return made(Unbilled)


@lies("REP-01", model="paid")
def _other_units() -> object:
    """It tells its usage in a unit that no price is of."""

    class Otherwise(Speech):
        def facts(self) -> Facts:
            return Facts(usage={"syllables": 5.0})

    return made(Otherwise)


@lies("REP-02", model="paid")
def _bills_double() -> object:
    """It tells twice the characters that it counts before."""

    class Double(Speech):
        def facts(self) -> Facts:
            billed = count_billed(self.request.model, self.request.text)
            return Facts(usage={unit: 2 * amount for unit, amount in billed.items()})

    return made(Double)


# Parity


@lies("PAR-01")
def _louder_in_a_loop() -> object:
    """Where an event loop runs it speaks louder."""

    class Louder(Speech):
        def open(self) -> LocalCall:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                pass
            else:
                prosody = attrs.evolve(self.request.prosody, volume_db=3.0)
                self.request = attrs.evolve(self.request, prosody=prosody)
            return super().open()

    return made(Louder)


# Sessions


def _sessions(but: str, why: str) -> Mapping[str, str]:
    return {name: why for name in ("SES-01", "SES-02", "SES-03") if name != but}


@lies("SES-01", model="paid", with_it=_sessions("SES-01", "a session begins with opening it"))
def _session_refused() -> object:
    """It claims sessions, and refuses them."""

    class Refusing(Speaker):
        def session(self, request: SynthesisRequest) -> Any:
            raise CapabilityError("it does not, after all", capability="stream_in")

    return made(speaker=Refusing)


@lies("SES-02", model="paid")
def _session_without_flush() -> object:
    """Its session says nothing to send for speaking now what it was given."""

    class Holding(Talk):
        def flush(self) -> Sequence[Any]:
            return ()

    return made(talk=Holding)


@lies("SES-03", model="paid")
def _session_without_clear() -> object:
    """Its session says nothing to send for dropping what it was given."""

    class Stubborn(Talk):
        def clear(self) -> Sequence[Any]:
            return ()

    return made(talk=Stubborn)


class _Open(Speaker):
    """Has sessions, whatever the card says."""

    def session(self, request: SynthesisRequest) -> Any:
        return self.talk(request, self)


class _Unwritten(Speaker):
    """Means to have sessions."""

    def session(self, request: SynthesisRequest) -> Any:
        raise NotImplementedError


for _id in ("SES-01", "SES-02", "SES-03"):

    @lies(_id, Verdict.UNDER_CLAIM, with_it=_sessions(_id, "it is the same session"))
    def _sessions_unclaimed() -> object:
        """It claims no sessions, and has them."""
        return made(speaker=_Open)

    @lies(_id, Verdict.BAD_REFUSAL, with_it=_sessions(_id, "it is the same refusal"))
    def _sessions_unwritten() -> object:
        """It claims no sessions, and breaks down when asked for one."""
        return made(speaker=_Unwritten)


# Voices of one's own


def _knows(*origins: str) -> Callable[[Any, str], Voice | None]:
    """Return what recognises voices of these origins by their ids, for any model."""

    def recognise(card: Any, voice_id: str) -> Voice | None:
        for origin in origins:
            if origin in voice_id:
                return Voice(id=voice_id, origin=VoiceOrigin(origin), models=(card.name,))
        return recognise_voice(card, voice_id)

    return recognise


@lies("OWN-01")
def _knows_no_clone() -> object:
    """It claims cloned voices, and knows none."""
    return made(recognise_voice=lambda _card, _voice_id: None)


@lies("OWN-02", model="paid")
def _takes_designs_for_clones() -> object:
    """It claims designed voices, and takes them for cloned ones."""
    return made(
        recognise_voice=lambda card, voice_id: (
            Voice(id=voice_id, origin=VoiceOrigin.CLONED, models=(card.name,))
            if voice_id.startswith("designed-")
            else None
        )
    )


@lies("OWN-01", Verdict.UNDER_CLAIM, model="paid")
def _clones_unclaimed() -> object:
    """It claims no cloned voices, and speaks with one."""
    return made(recognise_voice=_knows("cloned"))


@lies("OWN-02", Verdict.UNDER_CLAIM)
def _designs_unclaimed() -> object:
    """It claims no designed voices, and speaks with one."""
    return made(recognise_voice=_knows("designed"))


class _Choosy(Speech):
    """Breaks down at a voice of one's own that its model does not claim."""

    def run(self, sink: LocalSink) -> None:
        claims = self.request.model.capabilities
        speaks_with = {"stock": True, "cloned": claims.clone, "designed": claims.design}
        if self.request.voice is not None and not speaks_with[self.request.voice.origin]:
            raise CapabilityError("no such voice after all", capability="clone")
        super().run(sink)


@lies("OWN-01", Verdict.BAD_REFUSAL, model="paid")
def _refuses_clones_late() -> object:
    """It claims no cloned voices, and refuses one only when it is asked to speak."""
    return made(_Choosy, recognise_voice=_knows("cloned"))


@lies("OWN-02", Verdict.BAD_REFUSAL)
def _refuses_designs_late() -> object:
    """It claims no designed voices, and refuses one only when it is asked to speak."""
    return made(_Choosy, recognise_voice=_knows("designed"))


def _customizer(name: str) -> VoiceCustomizerInfo:
    return VoiceCustomizerInfo(name=name, interface=1, customizer=VoiceCustomizer)


@lies(
    "OWN-03",
    model="plain",
    with_it=dict.fromkeys(("VOI-01", "VOI-02"), "a maker of nothing offers nothing, by no class"),
)
def _maker_of_no_use() -> object:
    """It registers a maker of voices, and no model speaks with what that makes."""
    return made(Modest, base=MODEST_INFO, customizers=(_customizer("modest"),))


@lies("OWN-03")
def _maker_of_nobody() -> object:
    """It registers a maker of voices under a name that no provider has."""
    return made(customizers=(_customizer("wright"),))


# What a provider cannot get wrong, since core does it: there core is broken


@attrs.frozen(kw_only=True)
class CoreFault:
    """
    A fault put into core, for a promise that core keeps in every provider's place.

    Attributes:
        clause: The clause that must find it.
        why: Why no provider can break it.
        fault: Puts it in.
    """

    clause: str
    why: str
    fault: Callable[[pytest.MonkeyPatch], None]


GUARANTEED_BY_CORE: list[CoreFault] = []


def breaks_core(
    clause: str, why: str
) -> Callable[[Callable[[pytest.MonkeyPatch], None]], Callable[[pytest.MonkeyPatch], None]]:
    """Enter the function below as a fault of core; its docstring says which."""

    def enter(
        fault: Callable[[pytest.MonkeyPatch], None],
    ) -> Callable[[pytest.MonkeyPatch], None]:
        GUARANTEED_BY_CORE.append(CoreFault(clause=clause, why=why, fault=fault))
        return fault

    return enter


def _tell(monkeypatch: pytest.MonkeyPatch, change: Callable[[SpeechRun, Report], Report]) -> None:
    """Change what every report says."""
    true = SpeechRun.report.fget
    assert true is not None
    monkeypatch.setattr(SpeechRun, "report", property(lambda run: change(run, true(run))))


_PLANNED = "core refuses it while planning, before a plugin is asked"
_MEASURED = "core measures and reports it"


@breaks_core("SYN-05", "core chooses the voice, asks for it and reports it")
def _reports_another_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names another voice where none was asked for."""
    _tell(
        monkeypatch,
        lambda run, told: (
            told if run.plan.utterance.voice else attrs.evolve(told, voice="somebody")
        ),
    )


@breaks_core("STR-04", "core reckons where a chunk begins")
def _starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk begins at nought."""
    true = SpeechRun.next_chunk

    async def next_chunk(run: SpeechRun) -> Chunk | None:
        chunk = await true(run)
        return chunk and attrs.evolve(chunk, start_s=0.0)

    monkeypatch.setattr(SpeechRun, "next_chunk", next_chunk)


@breaks_core("STR-05", "core's stream ends, whatever a provider still has to say")
def _goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that has ended gives another chunk when asked again."""
    true = SpeechStream.__next__

    def following(stream: SpeechStream) -> Chunk:
        try:
            return true(stream)
        except StopIteration:
            if vars(stream).setdefault("ends", []):
                stream.ends.clear()  # type: ignore[attr-defined]
                return Chunk(data=b"\0\0")
            stream.ends.append(1)  # type: ignore[attr-defined]
            raise

    monkeypatch.setattr(SpeechStream, "__next__", following)


def _let_through(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    true = plan.check_text
    monkeypatch.setattr(plan, "check_text", lambda text: None if text in texts else true(text))


@breaks_core("TXT-01", _PLANNED)
def _lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty text is let through."""
    _let_through(monkeypatch, "")


@breaks_core("TXT-02", _PLANNED)
def _lets_dots_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of punctuation is let through."""
    _let_through(monkeypatch, "?!")


@breaks_core("TXT-03", _PLANNED)
def _lets_nul_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text with a NUL is let through."""
    _let_through(monkeypatch, "a\x00b")


@breaks_core("TXT-07", "a refused text reaches no provider that could be put out by it")
def _closes_at_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that refused a text is closed."""
    true = ClientCore.plan

    def planned(core: ClientCore, text: str, wishes: Mapping[str, Any]) -> Any:
        try:
            return true(core, text, wishes)
        except InvalidValue:
            core._is_closed = True
            raise

    monkeypatch.setattr(ClientCore, "plan", planned)


def _take_for_the_first(monkeypatch: pytest.MonkeyPatch, *tags: str) -> None:
    true = plan.match_language
    monkeypatch.setattr(
        plan,
        "match_language",
        lambda wanted, offered: (
            (next(iter(offered)), False) if wanted in tags else true(wanted, offered)
        ),
    )


@breaks_core("VOC-02", _PLANNED)
def _takes_any_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no language is taken for the first there is."""
    _take_for_the_first(monkeypatch, "qq-QQ")


@breaks_core("VOC-03", _PLANNED)
def _takes_any_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language that is not claimed is taken for the first there is."""
    _take_for_the_first(monkeypatch, "sm")


@breaks_core("INS-02", "an utterance with empty instructions cannot be made")
def _drops_empty_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty instructions are dropped."""

    def made_utterance(**fields: Any) -> Utterance:
        if not (fields.get("instructions") or "").strip():
            fields["instructions"] = None
        return Utterance(**fields)

    monkeypatch.setattr("vivavoce.face.Utterance", made_utterance)


@breaks_core("PRO-04", _PLANNED)
def _knows_no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rate and pitch is within the limits."""
    monkeypatch.setattr(plan, "_inside", lambda _claim, _value: True)


@breaks_core("SML-02", "core reads SSML before a provider does")
def _mends_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken markup is taken for another text."""
    true = plan.read_ssml

    def read(ssml: str) -> Any:
        try:
            return true(ssml)
        except MarkupError:
            return true("<speak>One.</speak>")

    monkeypatch.setattr(plan, "read_ssml", read)
    # The engine must not stumble over it, or that would be the refusal.
    monkeypatch.setattr("local_providers.read_ssml", read)


@breaks_core("FMT-03", "core converts, and says so")
def _converts_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of what is resampled."""
    true = plan._Planner._emulated

    def emulated(planner: Any, wish: str, detail: str) -> None:
        if wish != "sample_rate_hz":
            true(planner, wish, detail)

    monkeypatch.setattr(plan._Planner, "_emulated", emulated)


@breaks_core("FMT-04", "an utterance in no known format cannot be made")
def _knows_mp5(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format nobody knows is taken for WAV."""
    true = AudioFormat.named
    monkeypatch.setattr(
        AudioFormat,
        "named",
        lambda name, **given: true("wav" if name == "mp5" else name, **given),
    )


@breaks_core("ERR-05", "core tells each error where it is from")
def _forgets_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error does not say of which provider it is."""
    monkeypatch.setattr(VivavoceError, "add_context", lambda _error, **_context: None)


@breaks_core("ERR-10", "core refuses such a text, in its own words")
def _repeats_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal repeats the whole text."""
    true = plan.check_text

    def check(text: str) -> None:
        try:
            true(text)
        except InvalidValue as error:
            msg = f"{text!r} cannot be spoken"
            raise InvalidValue(msg) from error

    monkeypatch.setattr(plan, "check_text", check)


@breaks_core("TMO-04", "core holds the limits, beside the provider")
def _waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit on waiting is kept."""
    monkeypatch.setattr(SpeechRun, "_set_deadline", lambda _run: None)
    monkeypatch.setattr(SpeechRun, "_check_total", lambda _run: None)


@breaks_core("SEC-02", "what is asked of an engine here is refused before it has a key")
def _refuses_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal tells the key."""
    true = ClientCore.run

    def run(core: ClientCore, planned: Any, **given: Any) -> Any:
        try:
            return true(core, planned, **given)
        except InvalidValue as error:
            assert core._credential is not None
            error.redact(lambda text: f"{text} (asked with {core._credential.reveal()})")  # type: ignore[union-attr]
            raise

    monkeypatch.setattr(ClientCore, "run", run)


@breaks_core("REP-04", _MEASURED)
def _forgets_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first audio came is not told."""
    true = SpeechRun.report.fget
    assert true is not None
    _tell(
        monkeypatch,
        lambda run, told: attrs.evolve(told, ttfa_s=None) if told.total_s < 0.05 else told,
    )


@breaks_core("REP-05", _MEASURED)
def _names_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names another model."""
    _tell(monkeypatch, lambda _run, told: attrs.evolve(told, model="another"))


@breaks_core("PAR-02", "core refuses, in both faces by the same code")
def _faces_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The async face refuses in other words."""
    true = AsyncClient.stream

    def stream(client: AsyncClient, text: str, **wishes: Any) -> Any:
        try:
            return true(client, text, **wishes)
        except VivavoceError as error:
            error.redact(lambda said: f"{said} (async)")
            raise

    monkeypatch.setattr(AsyncClient, "stream", stream)


# The lies about capabilities that cannot be told

_REFUSED_BY_CORE = (
    "core refuses what is not claimed before the plugin sees it, so a provider can neither do it "
    "nor refuse it otherwise"
)
CANNOT_BE_TOLD: Mapping[tuple[str, Verdict], str] = {
    (clause, verdict): _REFUSED_BY_CORE
    for clause in (
        "INS-01",
        "PRO-01",
        "PRO-02",
        "PRO-03",
        "SML-01",
        "MRK-01",
        "MRK-02",
        "MRK-03",
        "MRK-04",
        "MRK-05",
        "MRK-06",
        "MRK-07",
        "SES-04",
        "SES-05",
        "SES-06",
    )
    for verdict in (Verdict.UNDER_CLAIM, Verdict.BAD_REFUSAL)
}


def _is_asked(clause: Clause) -> bool:
    subject = subject_of(contract_of(Plugin(info=INFO)))
    return any(clause.applies(Case(subject=subject, card=card)) for card in subject.info.models)


NOT_ASKED_HERE = frozenset(clause.id for clause in CLAUSES if not _is_asked(clause)) - {"DEC-01"}
"""The clauses that none of these is asked: they are about the network."""


def _broken(run: Run) -> dict[str, Verdict]:
    return {cell.clause: cell.verdict for cell in run.failures()}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie.clause}:{lie.name}")
def test_a_liar_is_told_by_the_clause_it_breaks(lie: Lie) -> None:
    """A provider that breaks one promise fails that clause, and none that is unrelated."""
    run = examine(contract_of(lie.make(), lie.model))
    broken = _broken(run)
    cell = next(cell for cell in run.cells if cell.clause == lie.clause)
    assert cell.verdict is lie.verdict, f"{lie.what} {cell.message}"
    assert cell.message
    assert set(broken) == {lie.clause, *lie.with_it}, f"{lie.what} {run.failures()}"


@pytest.mark.parametrize("fault", GUARANTEED_BY_CORE, ids=lambda fault: fault.clause)
def test_a_fault_of_core_is_told_by_the_clause_it_breaks(
    fault: CoreFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What core promises in a provider's place is examined all the same."""
    fault.fault(monkeypatch)
    run = examine(contract_of(Plugin(info=INFO), "free"))
    assert set(_broken(run)) == {fault.clause}, f"{fault.fault.__doc__} {run.failures()}"


def test_a_core_that_refuses_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Did core not refuse what is not claimed, each such clause would say UNDER-CLAIM."""
    monkeypatch.setattr(plan._Planner, "_incapable", lambda *_given: None)
    unclaimed = {
        clause: denied()
        for clause in (
            "instructions",
            "rate",
            "pitch",
            "ssml",
            "word_marks",
            "sentence_marks",
            "phoneme_marks",
        )
    }
    told = _broken(examine(contract_of(made(claims=unclaimed), "free")))
    wanted = {clause for clause, _ in CANNOT_BE_TOLD} - {"PRO-03", "MRK-07"} - NOT_ASKED_HERE
    assert {clause for clause, verdict in told.items() if verdict is Verdict.UNDER_CLAIM} == wanted


@pytest.mark.parametrize("voice", ["nobody", "zoe"], ids=["unlisted", "of-another-model"])
def test_a_default_voice_that_is_none_is_told(voice: str) -> None:
    """A default voice that is not listed, or not for its model, is told; core cannot speak then."""
    card = attrs.evolve(FREE, default_voice=voice)
    subject = subject_of(contract_of(made(models=(card, PAID))))
    with pytest.raises(Unmet, match=voice):
        BY_ID["DEC-07"].body(Case(subject=subject, card=card))


def test_a_plugin_for_another_interface_is_refused_by_core() -> None:
    """A plugin for another interface cannot be examined, and its own clause would tell it."""
    stranger = made(interface=99)
    with pytest.raises(PluginError):
        subject_of(contract_of(stranger))
    subject = attrs.evolve(subject_of(contract_of(made())), info=stranger.info)
    with pytest.raises(Unmet, match="interface 99"):
        BY_ID["DEC-12"].body(Case(subject=subject, card=FREE))


def test_every_lie_about_a_capability_is_told_or_cannot_be() -> None:
    """Of each capability all three lies are in the table, or there is a reason why not."""
    from test_sockets import SOCKET_ROWS

    told = {(lie.clause, lie.verdict) for lie in (*LIES, *SOCKET_ROWS)}
    three = (Verdict.OVER_CLAIM, Verdict.UNDER_CLAIM, Verdict.BAD_REFUSAL)
    # What a customizer does not offer, core refuses before it is asked: test_wrong_makers.py.
    asked = [clause.id for clause in CLAUSES if clause.capability and not clause.by_offer]
    wanted = {(clause, verdict) for clause in asked for verdict in three}
    assert wanted == told & wanted | set(CANNOT_BE_TOLD)
    assert not set(CANNOT_BE_TOLD) & told


def test_every_clause_has_a_liar() -> None:
    """A clause that nobody has been seen to break is no clause."""
    from test_wrong_makers import MAKER_ROWS
    from test_wrong_network import NETWORK_ROWS

    here = {"DEC-01", *(one.clause for one in (*LIES, *GUARANTEED_BY_CORE))}
    here |= MAKER_ROWS - NOT_ASKED_HERE
    there = {row if isinstance(row, str) else row.clause for row in NETWORK_ROWS}
    assert not here & NOT_ASKED_HERE
    assert here | NOT_ASKED_HERE == set(BY_ID)
    assert there | MAKER_ROWS >= NOT_ASKED_HERE


# What is installed

_LISTERS = {
    "right": "",
    "heavy": "import numpy",
    "calling": """
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=0.1)
except OSError:
    pass
""",
    "keyed": """
import os
os.environ["RIGHT_API_KEY"]
""",
    "calling-for-voices": """
import socket
import local_providers
class Plugin(local_providers.Plugin):
    @local_providers.hookimpl
    def vivavoce_voice_customizers(self):
        try:
            socket.create_connection(("127.0.0.1", 9), timeout=0.1)
        except OSError:
            pass
        return []
""",
}


@pytest.mark.parametrize("name", _LISTERS)
def test_listing_is_examined_where_it_is_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A provider that needs a key, calls somebody or loads much to be listed is told by DEC-01.

    Only what is installed can be listed by another interpreter, so it is: as a module and an
    entry point in a folder on the path, which is all that an installation is.
    """
    (tmp_path / "lister.py").write_text(
        f"from local_providers import INFO, Plugin\n{_LISTERS[name]}\nplugin = Plugin(info=INFO)\n"
    )
    metadata = tmp_path / "lister-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lister\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{hookspecs.GROUP}]\nright = lister:plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lister", raising=False)
    monkeypatch.setenv("RIGHT_API_KEY", KEY)
    installed.cache_clear()
    try:
        run = examine(contract_of("right", "free"))
    finally:
        installed.cache_clear()
    assert run.providers[0].distribution == "lister 1.0"
    assert set(_broken(run)) == ({"DEC-01"} if name != "right" else set())
