"""
Providers in this process, for examining the kit: a right one, and what liars are made from.

Speech here is a buzz: each word a square wave as long as the word, its pitch a function of the
word, so that other words are other audio. It is made by repeating bytes, a few microseconds a word.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from vivavoce.authoring import (
    INTERFACE,
    Capabilities,
    Claim,
    DuplexExchange,
    Event,
    Evidence,
    Exchange,
    Facts,
    LocalCall,
    LocalEnd,
    LocalSink,
    Mark,
    MarkKind,
    ModelCard,
    Option,
    Output,
    Price,
    SendMessage,
    SynthesisRequest,
    Synthesizer,
    SynthesizerInfo,
    Voice,
    VoiceCustomizerInfo,
    VoiceOrigin,
    hookimpl,
    no,
    read_ssml,
    yes,
)
from vivavoce_contract import ProviderContract

EVIDENCE = Evidence(source="code: local_providers.py", date="2026-11-25")

SECONDS_PER_CHARACTER = 0.03
LIMIT = 300
# Small, so that the engine goes at its reader's pace: about a word is made ahead.
BUFFER_BYTES = 4_096

_WORD = re.compile(r"\S+")
_SENTENCE = re.compile(r"[^.?!]*[^.?!\s][^.?!]*[.?!]*")


def claimed(*values: str | int, **limits: Any) -> Claim:
    """Return a yes with its evidence."""
    return yes(*values, evidence=EVIDENCE, **limits)


def denied(note: str = "") -> Claim:
    """Return a no with its evidence."""
    return no(note, evidence=EVIDENCE)


NOTHING = Capabilities(
    **{name: denied() for name, _ in Capabilities()},
)
"""No to everything there is."""

MODEST = attrs.evolve(
    NOTHING,
    stock_voices=claimed(),
    containers=claimed("raw"),
    encodings=claimed("pcm_s16le"),
    sample_rates_hz=claimed(16_000),
)
"""What nobody can do without: a voice, and a format."""

FULL = attrs.evolve(
    MODEST,
    stream_out=claimed(),
    word_marks=claimed(),
    sentence_marks=claimed(),
    phoneme_marks=claimed(),
    bookmarks=claimed(),
    ssml=claimed("speak", "mark", "p", "s"),
    instructions=claimed(),
    max_instructions=claimed(maximum=100, unit="characters"),
    rate=claimed(minimum=0.5, maximum=2.0, unit="ratio"),
    pitch=claimed(minimum=-12, maximum=12, unit="semitones"),
    volume=claimed(minimum=-40, maximum=6, unit="dB"),
    clone=claimed(),
    languages=claimed("en", "de"),
    dialects=claimed("en-IE"),
    sample_rates_hz=claimed(24_000, 16_000),
    max_text=claimed(maximum=LIMIT, unit="characters"),
)
"""All that a provider in this process can do with a stock voice."""

OPTIONS = (
    Option(name="route", meaning="by which way the same comes", type=str, values=("long", "short")),
)

FREE = ModelCard(
    name="free",
    transports=("local",),
    is_free=True,
    default_voice="ann",
    capabilities=FULL,
    options=OPTIONS,
    evidence=EVIDENCE,
)
"""The model that most liars are made from."""

PAID = ModelCard(
    name="paid",
    transports=("local",),
    regions=("north", "south"),
    default_voice="zoe",
    capabilities=attrs.evolve(
        FULL,
        stream_in=claimed(),
        clone=denied("it has designed voices only"),
        design=claimed(),
        ssml=denied("it would read the markup aloud"),
        bookmarks=denied("without SSML there is no way to set one"),
        bit_rate=denied("its audio is not compressed"),
    ),
    options=OPTIONS,
    prices=tuple(
        Price(
            amount=Decimal(amount),
            currency=currency,
            per=10_000,
            unit="characters",
            region=region,
            evidence=EVIDENCE,
        )
        for region, amount, currency in (("north", "0.8", "EUR"), ("south", "1.1", "USD"))
    ),
    evidence=EVIDENCE,
)
"""The model with a price, regions, sessions and designed voices."""

VOICES = (
    Voice(id="ann", languages=("en",), models=("free",)),
    Voice(id="bea", languages=("en",), models=("free",)),
    Voice(id="dirk", languages=("de",), models=("free", "paid")),
    Voice(id="old finn", languages=("en",), dialects=("en-IE",), models=("free", "paid")),
    Voice(id="zoe", languages=("en",), models=("paid",)),
)
OWN_VOICES = {"free": "cloned-mine", "paid": "designed-mine"}


def recognise_voice(card: ModelCard, voice_id: str) -> Voice | None:
    """Return the voice of one's own that an id means, where *card* speaks with such."""
    origin = voice_id.partition("-")[0]
    claims = {"cloned": card.capabilities.clone, "designed": card.capabilities.design}
    if not claims.get(origin):
        return None
    return Voice(id=voice_id, origin=VoiceOrigin(origin), models=(card.name,))


def count_billed(_card: ModelCard, text: str) -> Mapping[str, float]:
    """Return what is billed: every character."""
    return {"characters": float(len(text))}


@attrs.frozen(kw_only=True)
class Word:
    """A word to speak, with its place in the text."""

    text: str
    start: int
    end: int


class Speech(Exchange):
    """One request. Its methods are small, so that a liar changes one of them."""

    buffer_bytes: int | None = BUFFER_BYTES

    def __init__(self, request: SynthesisRequest, speaker: Speaker) -> None:
        self.format = request.format
        self.request = request
        self.speaker = speaker

    def open(self) -> LocalCall:
        return LocalCall(run=self.run, max_buffered_bytes=self.buffer_bytes)

    def run(self, sink: LocalSink) -> None:
        for marks, audio in self.pieces():
            for mark in marks:
                sink.mark(mark)
            if not sink.audio(audio):
                self.was_left()
                return

    def was_left(self) -> None:
        """Be told that the reader left."""

    # What is said

    def words(self) -> list[Word]:
        said, place = self._read()
        return [
            Word(text=found.group(), start=place(found.start()), end=place(found.end() - 1) + 1)
            for found in _WORD.finditer(said)
        ]

    def _read(self) -> tuple[str, Any]:
        if self.request.ssml:
            document = read_ssml(self.request.text)
            return document.text, document.markup_index
        return self.request.text, int

    def bookmarks(self) -> list[tuple[str, int]]:
        """Return the names of the marks in the SSML, and where in it they stand."""
        if not self.request.ssml:
            return []
        document = read_ssml(self.request.text)
        return [(name, document.markup_index(index)) for name, index in document.bookmarks]

    # How it sounds

    def pieces(self) -> Iterator[tuple[list[Mark], bytes]]:
        """Give the audio word by word, each with the marks that end in it."""
        at_s = 0.0
        bookmarks = self.bookmarks()
        sentences = self.sentences()
        begun_s: float | None = None
        for word in self.words():
            audio = self.wave(word)
            end_s = at_s + self.format.duration_s(len(audio))
            marks = [self.word_mark(word, at_s, end_s), *self.phoneme_marks(word, at_s, end_s)]
            while bookmarks and bookmarks[0][1] <= word.start:
                marks.append(self.bookmark(*bookmarks.pop(0), at_s))
            begun_s = at_s if begun_s is None else begun_s
            if sentences and word.end >= sentences[0][1]:
                marks.append(self.sentence_mark(sentences.pop(0), begun_s, end_s))
                begun_s = None
            yield [mark for mark in marks if mark is not None], audio
            at_s = end_s

    def sentences(self) -> list[tuple[int, int]]:
        if self.request.ssml:
            return []
        return [found.span() for found in _SENTENCE.finditer(self.request.text)]

    def seconds(self, word: Word) -> float:
        return len(word.text) * SECONDS_PER_CHARACTER / self.request.prosody.rate_ratio

    def hertz(self, word: Word) -> float:
        voice = self.request.voice.id if self.request.voice else ""
        base_hz = 150 + zlib.crc32(f"{voice} {word.text}".encode()) % 100
        cheer = 1.5 if self.request.instructions else 1.0
        return base_hz * cheer * 2 ** (self.request.prosody.pitch_semitones / 12)

    def peak(self) -> int:
        return round(8_000 * 10 ** (self.request.prosody.volume_db / 20))

    def wave(self, word: Word) -> bytes:
        rate_hz = self.format.sample_rate_hz
        count = round(self.seconds(word) * rate_hz)
        half = round(rate_hz / self.hertz(word) / 2)
        cycle = struct.pack("<h", self.peak()) * half + struct.pack("<h", -self.peak()) * half
        return (cycle * (count // (2 * half) + 1))[: 2 * count]

    # What is told of it

    def word_mark(self, word: Word, start_s: float, end_s: float) -> Mark | None:
        return Mark(
            kind=MarkKind.WORD,
            start_s=start_s,
            end_s=end_s,
            text_start=word.start,
            text_end=word.end,
        )

    def phoneme_marks(self, word: Word, start_s: float, end_s: float) -> list[Mark]:
        count = len(word.text)
        step_s = (end_s - start_s) / count
        return [
            Mark(
                kind=MarkKind.PHONEME,
                start_s=start_s + n * step_s,
                end_s=end_s if n == count - 1 else start_s + (n + 1) * step_s,
                text_start=word.start,
                text_end=word.end,
                value=word.text[n],
            )
            for n in range(count)
        ]

    def sentence_mark(self, span: tuple[int, int], start_s: float, end_s: float) -> Mark | None:
        start, end = span
        return Mark(
            kind=MarkKind.SENTENCE,
            start_s=start_s,
            end_s=end_s,
            text_start=start,
            text_end=end,
        )

    def bookmark(self, name: str, index: int, at_s: float) -> Mark | None:
        return Mark(
            kind=MarkKind.BOOKMARK,
            start_s=at_s,
            end_s=at_s,
            text_start=index,
            text_end=index,
            value=name,
        )

    def facts(self) -> Facts:
        """Return what is billed, told at the end."""
        return Facts(usage=count_billed(self.request.model, self.request.text))

    def receive(self, event: Event) -> Sequence[Output]:
        outputs = super().receive(event)
        return (self.facts(), *outputs) if isinstance(event, LocalEnd) else outputs


class Talk(Speech, DuplexExchange):
    """A session; only what it says to send is examined, as no engine here takes text meanwhile."""

    def send(self, text: str) -> Sequence[SendMessage]:
        return (SendMessage(text),)

    def flush(self) -> Sequence[SendMessage]:
        return (SendMessage("flush"),)

    def clear(self) -> Sequence[SendMessage]:
        return (SendMessage("clear"),)

    def finish(self) -> Sequence[SendMessage]:
        return (SendMessage("finish"),)


class Speaker(Synthesizer):
    """The provider: makes a speech for each request, and keeps nothing."""

    speech: type[Speech] = Speech
    talk: type[Talk] = Talk

    def exchange(self, request: SynthesisRequest) -> Exchange:
        return self.speech(request, self)

    def session(self, request: SynthesisRequest) -> DuplexExchange:
        if not request.model.capabilities.stream_in:
            return super().session(request)  # which refuses
        return self.talk(request, self)


class Modest(Speech):
    """Makes all of a request at once, and tells no marks and no facts."""

    def pieces(self) -> Iterator[tuple[list[Mark], bytes]]:
        yield [], b"".join(self.wave(word) for word in self.words())

    def receive(self, event: Event) -> Sequence[Output]:
        return Exchange.receive(self, event)


@attrs.frozen(kw_only=True)
class Plugin:
    """A provider as a plugin."""

    info: SynthesizerInfo
    customizers: tuple[VoiceCustomizerInfo, ...] = ()

    @hookimpl
    def vivavoce_synthesizers(self) -> list[SynthesizerInfo]:
        return [self.info]

    @hookimpl
    def vivavoce_voice_customizers(self) -> list[VoiceCustomizerInfo]:
        return list(self.customizers)


INFO = SynthesizerInfo(
    name="right",
    title="Buzzes, for examining the kit",
    interface=INTERFACE,
    models=(FREE, PAID),
    synthesizer=Speaker,
    voices=lambda: VOICES,
    recognise_voice=recognise_voice,
    count_billed=count_billed,
)
"""The right provider."""

MODEST_INFO = SynthesizerInfo(
    name="modest",
    title="Buzzes and does nothing else",
    interface=INTERFACE,
    models=(
        ModelCard(
            name="plain",
            transports=("local",),
            is_free=True,
            default_voice="only",
            capabilities=MODEST,
            evidence=EVIDENCE,
        ),
    ),
    synthesizer=type("ModestSpeaker", (Speaker,), {"speech": Modest}),
    voices=lambda: (Voice(id="only", models=("plain",)),),
)
"""The right provider that claims nothing but a voice."""


def made(
    speech: type[Speech] | None = None,
    *,
    talk: type[Talk] | None = None,
    base: SynthesizerInfo = INFO,
    speaker: type[Speaker] | None = None,
    claims: Mapping[str, Claim] | None = None,
    card: Mapping[str, Any] | None = None,
    customizers: tuple[VoiceCustomizerInfo, ...] = (),
    **info: Any,
) -> Plugin:
    """
    Return a right provider but for what is given.

    Args:
        speech: Its exchange.
        talk: Its session.
        base: What it is made from.
        speaker: Its synthesizer.
        claims: What its models claim otherwise.
        card: What its models' cards say otherwise.
        customizers: Those it registers.
        **info: What it says of itself otherwise.
    """
    changed = {"speech": speech, "talk": talk}
    maker = type(
        "Liar",
        (speaker or base.synthesizer,),  # type: ignore[arg-type]
        {name: kind for name, kind in changed.items() if kind is not None},
    )
    models = tuple(
        attrs.evolve(one, capabilities=attrs.evolve(one.capabilities, **(claims or {})))
        for one in base.models
    )
    models = tuple(attrs.evolve(one, **(card or {})) for one in models)
    return Plugin(
        info=attrs.evolve(base, **{"synthesizer": maker, "models": models, **info}),
        customizers=customizers,
    )


def contract_of(provider: object, *models: str) -> type[ProviderContract]:
    """Return what the author of *provider* would write."""
    return type(
        "Examined",
        (ProviderContract,),
        {
            "provider": provider,
            "models": models,
            "own_voices": OWN_VOICES,
            "ways": {way: {"route": way} for way in ("long", "short")}
            if models[:1] != ("plain",)
            else {},
        },
    )
