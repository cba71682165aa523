"""From a request to the engine, and from the engine's events to marks."""

from __future__ import annotations

from vivavoce.authoring import (
    EngineFailed,
    Exchange,
    InvalidValue,
    LocalCall,
    LocalSink,
    Mark,
    MarkKind,
    SynthesisRequest,
    Synthesizer,
)
from vivavoce_espeak._engine import (
    EngineError,
    Event,
    engine,
    pitch_for_semitones,
    volume_for_db,
    wpm_for_ratio,
)
from vivavoce_espeak.capabilities import SSML_MAX_CHARS, identifier_of

__all__ = ["EspeakExchange", "EspeakSynthesizer", "MarkMaker"]

# The engine makes a buffer in a tenth of a millisecond; waking the reader costs
# as much. After the first buffer it is woken once for six seconds of speech.
COALESCE_BYTES = 262_144


class EspeakSynthesizer(Synthesizer):
    """Makes an exchange for each request; the engine is the process's."""

    def exchange(self, request: SynthesisRequest) -> EspeakExchange:
        """
        Return the speech for *request*.

        Raises:
            InvalidValue: If SSML is too long for one request, or the variant is none.
        """
        if request.ssml and len(request.text) > SSML_MAX_CHARS:
            msg = (
                f"The SSML has {len(request.text)} characters; one request takes "
                f"{SSML_MAX_CHARS}. Split it into several <speak> documents."
            )
            raise InvalidValue(msg)
        return EspeakExchange(request, _voice_name(request))


class EspeakExchange(Exchange):
    """One request."""

    def __init__(self, request: SynthesisRequest, voice: str) -> None:
        self.format = request.format
        self._request = request
        self._voice = voice

    def open(self) -> LocalCall:
        """
        Ask core to run the engine beside the reader.

        The sink never holds the engine up: a request is short, and where the
        engine is shared under its lock a slow reader must not keep others waiting.
        """
        return LocalCall(run=self._speak, max_buffered_bytes=None, coalesce_bytes=COALESCE_BYTES)

    def _speak(self, sink: LocalSink) -> None:
        prosody = self._request.prosody
        marks = MarkMaker(self._request.text, self.format.sample_rate_hz, sink)
        try:
            engine().speak(
                self._request.text,
                voice=self._voice,
                on_audio=marks.audio,
                on_event=marks.event,
                stopped=lambda: sink.stopped,
                rate_wpm=wpm_for_ratio(prosody.rate_ratio),
                pitch=pitch_for_semitones(prosody.pitch_semitones),
                volume=volume_for_db(prosody.volume_db),
                ssml=self._request.ssml,
            )
        except EngineError as error:
            raise EngineFailed(str(error)) from error
        marks.finish()


class MarkMaker:
    """
    Turns the engine's events, which have starts only, into marks with ends.

    A word ends where the next begins or its clause ends, the clause's pause
    included; a sentence where the next begins or the speech ends.

    Args:
        text: What is spoken, for the spans of sentences.
        sample_rate_hz: Of the engine.
        sink: Takes the audio and the marks.
    """

    def __init__(self, text: str, sample_rate_hz: int, sink: LocalSink) -> None:
        self._text = text
        self._rate_hz = sample_rate_hz
        self._sink = sink
        self._samples = 0
        self._word: Event | None = None
        self._sentence: Event | None = None

    def audio(self, data: bytes) -> bool:
        """Pass audio on; False when the reader has left."""
        self._samples += len(data) // 2
        return self._sink.audio(data)

    def event(self, event: Event) -> None:
        """Take an event, in the order of their samples."""
        if event.kind == "word":
            self._close_word(event.start_sample)
            self._word = event
        elif event.kind == "end":
            self._close_word(event.start_sample)
        elif event.kind == "sentence":
            self._close_word(event.start_sample)
            self._close_sentence(event.start_sample, event.text_position)
            self._sentence = event
        elif event.kind == "mark":
            self._mark(
                MarkKind.BOOKMARK, event, event.start_sample, event.text_position, event.name or ""
            )

    def finish(self) -> None:
        """Close what is open: the speech is over."""
        self._close_word(self._samples)
        self._close_sentence(self._samples, len(self._text))

    def _close_word(self, end_sample: int) -> None:
        word, self._word = self._word, None
        if word is not None:
            self._mark(MarkKind.WORD, word, end_sample, word.text_position + word.length)

    def _close_sentence(self, end_sample: int, text_end: int) -> None:
        sentence, self._sentence = self._sentence, None
        if sentence is None:
            return
        spoken = self._text[sentence.text_position : text_end].rstrip()
        self._mark(MarkKind.SENTENCE, sentence, end_sample, sentence.text_position + len(spoken))

    def _mark(
        self, kind: MarkKind, event: Event, end_sample: int, text_end: int, value: str = ""
    ) -> None:
        self._sink.mark(
            Mark(
                kind=kind,
                start_s=event.start_sample / self._rate_hz,
                end_s=max(end_sample, event.start_sample) / self._rate_hz,
                text_start=event.text_position,
                text_end=max(text_end, event.text_position),
                value=value,
            )
        )


def _voice_name(request: SynthesisRequest) -> str:
    """Return the engine's name for voice and variant."""
    base = request.voice.id if request.voice is not None else "en-US"
    variant = str(request.options.get("variant", ""))
    name = f"{identifier_of(base)}+{variant}" if variant else identifier_of(base)
    try:
        return engine().resolve_voice(name)
    except EngineError as error:
        raise InvalidValue(str(error)) from error
