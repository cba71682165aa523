"""Wishes about how it is said: language, voice, style, prosody, markup, marks, format."""

from __future__ import annotations

import io
import math
import re
import wave
from collections.abc import Iterable
from typing import Any

import attrs

from vivavoce import (
    Audio,
    CapabilityError,
    InvalidValue,
    Mark,
    MarkKind,
    MarkupError,
    UnknownLanguage,
    UnknownVoice,
    UsageError,
    VivavoceError,
    Voice,
)
from vivavoce_contract.case import Case, Heard, Stage, check_player
from vivavoce_contract.clause import Clauses, need
from vivavoce_contract.clauses.speech import anything, level_of, source_format

languages = Clauses("languages and voices", "VOC")
instructions = Clauses("instructions", "INS")
prosody = Clauses("prosody", "PRO")
ssml = Clauses("ssml", "SML")
marks = Clauses("marks", "MRK")
formats = Clauses("formats", "FMT")

_BODY = "how the exchange writes the wish into its request"


def _refused(case: Case, kind: type[VivavoceError], **wishes: Any) -> VivavoceError:
    """Ask for what must be refused by *kind* with nothing sent, and return the refusal."""
    with case.stage() as stage:
        error = stage.hear(case.scenario(), **wishes).error
        need(isinstance(error, kind), f"{wishes!r} gave {error!r}, not {kind.__name__}")
        need(not stage.was_sent, f"{wishes!r} was sent before it was refused")
    assert isinstance(error, VivavoceError)
    return error


# Languages and voices


@languages(where="the card's languages and dialects, and their words on the wire")
def speaks_its_languages(case: Case) -> None:
    """Each language and variety that is claimed is spoken, and asked for by its own tag."""
    for tag in case.sample_languages():
        name = f"language-{tag}"
        with case.stage(*case.tapes_for(name)) as stage:
            stage.hear(case.scenario(name)).spoken()
            check_player(stage)
            asked = stage.log.requests[0].language
        need(asked == tag, f"{tag!r} was asked as {asked!r}")


@languages(where="the plan: no plugin is asked")
def refuses_what_is_no_language(case: Case) -> None:
    """What is no tag of a language is refused, and nothing is sent."""
    # Where no language can be asked for, that is what is said of any.
    kind = UnknownLanguage if case.card.capabilities.languages.values else UsageError
    for tag in ("xx", "english!", "qq-QQ"):
        _refused(case, kind, language=tag)


@languages(where="the card's languages")
def refuses_other_languages(case: Case) -> None:
    """A language that is not claimed is refused, and nothing is sent."""
    claims = case.card.capabilities
    spoken = {str(tag).partition("-")[0] for tag in claims.languages.values}
    spoken |= {str(tag).partition("-")[0] for tag in claims.dialects.values}
    # Languages that few services have, far from any that they have.
    foreign = [tag for tag in ("ak", "sm", "qu", "iu", "nv", "chr") if tag not in spoken][:2]
    for tag in foreign:
        _refused(case, VivavoceError, language=tag)


@languages(where="the table of voices, and the voice on the wire")
def its_voices_speak(case: Case) -> None:
    """Each voice that names the model speaks with it, asked for by its id."""
    sounds: set[bytes] = set()
    for voice in case.sample_voices():
        name = f"voice-{voice.id}"
        with case.stage(*case.tapes_for(name)) as stage:
            heard = stage.hear(case.scenario(name))
            heard.spoken()
            check_player(stage)
        assert heard.report is not None
        need(heard.report.voice == voice.id, f"{voice.id!r} was reported as {heard.report.voice!r}")
        sounds.add(heard.data)
    if not case.is_networked:
        need(len(sounds) > 1 or len(case.sample_voices()) < 2, "all its voices sound the same")


@languages(where="the plan: no plugin is asked; recognise_voice")
def refuses_unknown_voices(case: Case) -> None:
    """A voice nobody has is refused, and nothing is sent."""
    if case.card.capabilities.stock_voices.support == "no":
        return  # ids of voices of one's own are known to the service alone
    _refused(case, UnknownVoice, voice="no such voice")


@languages(where="the voices' models")
def refuses_voices_of_other_models(case: Case) -> None:
    """A voice of another model is refused with where it belongs, and nothing is sent."""
    others = [v for v in case.info.voices() if case.card.name not in v.models][:1]
    others.append(Voice(id="somebody", models=("a model that is not this",)))
    for voice in others:
        error = _refused(case, UnknownVoice, voice=voice)
        need(voice.models[0] in error.message, f"the refusal does not name {voice.models[0]!r}")


@languages(where="the card's dialects and the voices' languages")
def a_variety_chooses_its_voice(case: Case) -> None:
    """A variety that is claimed is spoken by a voice that has it."""
    with case.stage() as stage, stage.client() as client:
        for tag in case.card.capabilities.dialects.values:
            voice = client.explain(case.sentence(str(tag)), language=str(tag)).voice
            have = (*voice.languages, *voice.dialects) if voice is not None else ()
            need(voice is None or str(tag) in have, f"{tag!r} is left to {voice!r}")


# Instructions


@instructions(where=_BODY, capability="instructions")
def follows_instructions(case: Case) -> None:
    """Style in plain words reaches the provider; where it is not claimed it is refused."""
    with case.stage(*case.tapes_for("instructions")) as stage:
        scenario = case.scenario("instructions")
        style = "Cheerful and quick."
        styled = stage.hear(scenario, instructions=style).spoken()
        check_player(stage)
        asked = stage.log.requests[0].instructions
    need(asked == style, f"asked was {asked!r}")
    if not case.is_networked:
        need(styled != case.hear().spoken(), "they changed nothing of the sound")


@instructions(where="the plan: no plugin is asked")
def refuses_empty_instructions(case: Case) -> None:
    """Empty instructions are refused, and nothing is sent."""
    _refused(case, InvalidValue, instructions="  ")


# Prosody


def _changed(case: Case, capability: str) -> tuple[Heard, Heard]:
    """Say it plainly, and with a wish that must be native."""
    with case.stage(*case.tapes_for("speak", capability)) as stage:
        # Strict: what core would do in the model's place is no claim of the model's.
        strict = {"strict": True}
        changed = stage.hear(case.scenario(capability), client=strict)
        changed.spoken()
        plain = stage.hear(case.scenario(), client=strict)
        plain.spoken()
        check_player(stage)
    return plain, changed


@prosody(where=_BODY, capability="rate")
def speaks_faster(case: Case) -> None:
    """A rate of 1.5 makes speech shorter; where it is not claimed it is refused."""
    plain, faster = _changed(case, "rate")
    ratio = len(faster.data) / len(plain.data)
    need(0.5 < ratio < 0.9, f"at a rate of 1.5 it lasts {ratio:.2f} of the plain")


@prosody(where=_BODY, capability="pitch")
def speaks_higher(case: Case) -> None:
    """Six semitones change the sound, not its length; where not claimed they are refused."""
    plain, higher = _changed(case, "pitch")
    need(plain.data != higher.data, "six semitones changed nothing")
    ratio = len(higher.data) / len(plain.data)
    need(0.7 < ratio < 1.4, f"six semitones higher it lasts {ratio:.2f} of the plain")
    rate_hz = source_format(case).sample_rate_hz
    low, high = _pitch_hz(plain.data, rate_hz), _pitch_hz(higher.data, rate_hz)
    need(high > low or not low, f"six semitones changed its pitch from {low:.0f} to {high:.0f} Hz")


def _pitch_hz(pcm: bytes, rate_hz: int) -> float:
    """Return the middle pitch of what is voiced, by autocorrelation; 0.0 where nothing is."""
    every = max(1, rate_hz // 8_000)
    samples = memoryview(pcm[: len(pcm) // 2 * 2]).cast("h")[::every].tolist()
    rate = rate_hz / every
    size, lags = int(0.03 * rate), range(int(rate / 800), int(rate / 60))
    found = []
    for at in range(0, len(samples) - size - lags.stop, 2 * size):
        frame = samples[at : at + size]
        # Frames that are nearly silent have no pitch; 0.3 is the usual threshold of a voiced one.
        if sum(value * value for value in frame) < size * 500 * 500:
            continue
        alike = [_alike(frame, samples[at + lag : at + lag + size]) for lag in lags]
        best = max(alike)
        if best > 0.5:
            # The first that is about as good: twice the time is as good again.
            found.append(rate / lags[_first_peak(alike, 0.9 * best)])
    return sorted(found)[len(found) // 2] if found else 0.0


def _alike(one: list[int], other: list[int]) -> float:
    power = sum(a * a for a in one) * sum(b * b for b in other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.sqrt(power or 1)


def _first_peak(values: list[float], least: float) -> int:
    for n in range(1, len(values) - 1):
        if values[n] >= least and values[n - 1] <= values[n] >= values[n + 1]:
            return n
    return values.index(max(values))


@prosody(where=_BODY, capability="volume")
def speaks_softer(case: Case) -> None:
    """Twelve decibels less make it softer; what is not claimed is left to core, and said so."""
    plain, softer = _changed(case, "volume")
    loud, soft = level_of(plain.data)[0], level_of(softer.data)[0]
    need(0.1 < soft / loud < 0.6, f"-12 dB gave {soft / loud:.2f} of the amplitude")


@prosody(where="the card's rate, pitch and volume")
def refuses_what_is_beyond_its_limits(case: Case) -> None:
    """A rate or pitch beyond the claimed limits is refused, and nothing is sent."""
    for wish, name, widest in (("rate", "rate", 10.0), ("pitch", "pitch", 24.0)):
        claim = case.card.capabilities[name]
        if claim and claim.maximum is not None and claim.maximum < widest:
            _refused(case, VivavoceError, **{wish: min(claim.maximum * 1.01 + 0.01, widest)})


# SSML


@ssml(where="the exchange's handling of ssml", capability="ssml")
def reads_markup(case: Case) -> None:
    """A document in SSML is spoken without its markup; where not claimed it is refused."""
    with case.stage(*case.tapes_for("speak", "ssml")) as stage:
        marked = stage.hear(case.scenario("ssml")).spoken()
        plain = stage.hear(case.scenario()).spoken()
        check_player(stage)
    ratio = len(marked) / len(plain)
    need(0.6 < ratio < 1.6, f"with markup it lasts {ratio:.2f} of the plain: is that read aloud?")


@ssml(where="the plan: no plugin is asked")
def refuses_broken_markup(case: Case) -> None:
    """Markup that does not parse is refused with its place, and nothing is sent."""
    with case.stage() as stage:
        for broken in ("<speak>One", "<speak><b>One</speak>", "no markup at all"):
            scenario = attrs.evolve(case.scenario(), text=broken)
            error = stage.hear(scenario, ssml=True).error
            need(isinstance(error, MarkupError | CapabilityError), f"{broken!r} gave {error!r}")
        need(not stage.was_sent, "broken markup was sent")


# Marks


def _marked(case: Case, kind: MarkKind, text: str | None = None, **wishes: Any) -> Audio:
    scenario = case.scenario()
    if text is not None:
        scenario = attrs.evolve(scenario, text=text)
    with case.stage(*case.tapes_for("speak")) as stage:
        heard = stage.hear(scenario, as_whole=True, marks={kind}, **wishes)
        heard.spoken()
        _lie_inside(stage)
    assert heard.audio is not None
    need(any(mark.kind is kind for mark in heard.audio.marks), f"no {kind} mark came")
    return heard.audio


def _lie_inside(stage: Stage) -> None:
    """Look at an engine's own marks, since core puts right those that it is handed."""
    for sound in stage.log.sounds:
        end_s = sound.format.duration_s(sound.size)
        for mark in sound.marks:
            # By a few samples more any engine may be wrong about its own end.
            need(mark.end_s <= end_s + 0.01, f"a mark ends past the audio ({end_s:.2f} s): {mark}")


def _of_kind(audio: Audio, kind: MarkKind) -> list[Mark]:
    return [mark for mark in audio.marks if mark.kind is kind]


def _in_order(audio: Audio, kind: MarkKind) -> list[Mark]:
    found = _of_kind(audio, kind)
    begun = -1.0
    for mark in found:
        need(mark.start_s <= mark.end_s, f"a mark ends before it begins: {mark}")
        need(mark.start_s > begun, f"a mark begins no later than the one before: {mark}")
        need(mark.end_s <= audio.duration_s + 1e-6, f"a mark points past the audio: {mark}")
        begun = mark.start_s
    return found


@marks(where="the marks the exchange gives", capability="word_marks")
def marks_words(case: Case) -> None:
    """Words are marked in order, inside the audio; where not claimed they are refused."""
    audio = _marked(case, MarkKind.WORD)
    last = _in_order(audio, MarkKind.WORD)[-1]
    end = f"the last word ends at {last.end_s:.2f} s of {audio.duration_s:.2f} s"
    need(last.end_s > audio.duration_s / 2, end)


@marks(where="text_start and text_end of the marks", capability="word_marks")
def marks_what_was_said(case: Case) -> None:
    """Each word's mark spans that word in the text, one after the other."""
    audio = _marked(case, MarkKind.WORD)
    end = 0
    for mark in _of_kind(audio, MarkKind.WORD):
        need(mark.text_start >= end, f"a mark spans what the one before it does: {mark}")
        end = mark.text_end
        word = audio.text[mark.text_start : mark.text_end]
        need(word.strip(), f"the mark at {mark.start_s:.2f} s spans {word!r}")
        need(word == word.strip(), f"a mark spans white space: {word!r}")
        if " " in audio.text:  # where words are written with blanks between them
            for border in (mark.text_start, mark.text_end):
                torn = audio.text[max(0, border - 1) : border + 1]
                is_torn = len(torn) == 2 and torn.isalpha()
                need(not is_torn, f"a mark tears a word at {torn!r}")


@marks(where="the marks of a text in several requests", capability="word_marks")
def marks_long_texts(case: Case) -> None:
    """In a text of several requests marks go on over all of it, and index the whole text."""
    text = " ".join([case.sentence()] * 3)
    size = len(case.sentence()) + 1
    audio = _marked(case, MarkKind.WORD, text, segment_chars=size)
    found = _of_kind(audio, MarkKind.WORD)
    need(found[-1].text_start > len(text) // 2, "marks of later requests index their own text")
    need(found[-1].start_s > audio.duration_s / 2, "marks of later requests begin anew")


@marks(where="the origin of the marks", capability="word_marks")
def tells_where_marks_are_from(case: Case) -> None:
    """Each mark tells its origin, and those of the provider are native."""
    for mark in _of_kind(_marked(case, MarkKind.WORD), MarkKind.WORD):
        need(mark.origin == "native", f"a mark of the provider's is {mark.origin}")


@marks(where="the marks the exchange gives", capability="sentence_marks")
def marks_sentences(case: Case) -> None:
    """Sentences are marked in order, inside the audio; where not claimed they are refused."""
    text = f"{case.sentence()} {case.sentence(number=1)}"
    found = _in_order(_marked(case, MarkKind.SENTENCE, text), MarkKind.SENTENCE)
    need(len(found) == 2, f"of two sentences {len(found)} are marked")


@marks(where="the marks the exchange gives", capability="phoneme_marks")
def marks_phonemes(case: Case) -> None:
    """Phonemes are marked in order, inside the audio; where not claimed they are refused."""
    for mark in _in_order(_marked(case, MarkKind.PHONEME), MarkKind.PHONEME):
        need(mark.value, f"a mark does not say of which phoneme it is: {mark}")


@marks(where="the marks the exchange gives", capability="bookmarks")
def marks_bookmarks(case: Case) -> None:
    """A mark set in SSML comes back by its name; where not claimed it is refused."""
    claims = case.card.capabilities
    if not claims.ssml:
        # Without SSML there is no way to set one: the wish alone must be refused.
        _marked(case, MarkKind.BOOKMARK)
        return
    # Within a sentence: between two, engines differ about which of them it belongs to.
    first, comma, rest = re.split("([,，、])", case.sentence(), maxsplit=1)
    text = f'<speak>{first}{comma} <mark name="here"/> {rest}</speak>'
    audio = _marked(case, MarkKind.BOOKMARK, text, ssml=True)
    found = [mark.value for mark in audio.marks if mark.kind is MarkKind.BOOKMARK]
    need(found == ["here"], f"bookmarks are {found}")


# Formats


@formats(where="core writes headers; the exchange states its format")
def writes_true_headers(case: Case) -> None:
    """A WAV's header is true: rate, samples, and a length that is that of its bytes."""
    data = case.hear(as_whole=True, format="wav").spoken()
    with wave.open(io.BytesIO(data)) as file:
        rate, width = file.getframerate(), file.getsampwidth()
        frames, channels = file.getnframes(), file.getnchannels()
        samples = file.readframes(frames)
    expected = source_format(case).sample_rate_hz
    need((rate, width, channels) == (expected, 2, 1), f"{rate} Hz, {width} bytes, {channels}")
    need(len(samples) == 2 * frames, f"{len(samples)} bytes for {frames} frames")
    need(len(data) == 44 + len(samples), f"{len(data) - 44 - len(samples)} bytes stand behind it")


@formats(where="SynthesisRequest.format")
def delivers_its_rates(case: Case) -> None:
    """Each sample rate that is claimed is asked of the provider, and speech lasts alike."""
    lasting: list[float] = []
    rates = [int(rate) for rate in case.card.capabilities.sample_rates_hz.values]
    for rate in rates if not case.is_networked else rates[:1]:
        with case.stage(*case.tapes_for("speak")) as stage:
            data = stage.hear(case.scenario(), sample_rate_hz=rate).spoken()
            asked = stage.log.requests[0].format
        need(asked.sample_rate_hz == rate, f"{rate} Hz were asked as {asked.sample_rate_hz}")
        lasting.append(asked.duration_s(len(data)))
    need(max(lasting) < 1.2 * min(lasting), f"at its rates it lasts {_seconds(lasting)}")


def _seconds(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f} s" for value in values)


@formats(where="the plan and core's resampling")
def tells_what_is_converted(case: Case) -> None:
    """A rate that is not claimed is converted by core, and the report says so."""
    rate = 11_025
    if rate in case.card.capabilities.sample_rates_hz.values:
        return
    # Asked is whatever rate is nearest, which no tape need be of.
    with case.stage(*map(anything, case.tapes_for("speak"))) as stage:
        heard = stage.hear(case.scenario(), sample_rate_hz=rate)
    heard.spoken()
    assert heard.report is not None
    said = any("resampled" in warning for warning in heard.report.warnings)
    need(said, f"the report says nothing of it: {heard.report.warnings}")


@formats(where="the plan: no plugin is asked")
def refuses_what_is_no_format(case: Case) -> None:
    """A format nobody knows is refused, and nothing is sent."""
    for name in ("wma", "", "mp5"):
        _refused(case, InvalidValue, format=name)


@formats(
    where="the card's bit_rate", capability="bit_rate", refusal=(CapabilityError, InvalidValue)
)
def takes_a_bit_rate(case: Case) -> None:
    """A bit rate is an option of its own; where it is not claimed there is none."""
    options = [option.name for option in case.card.options if "bit_rate" in option.name]
    if case.is_claimed:
        need(options, "bit_rate is claimed, and no option of the card sets it")
        return
    with case.stage() as stage:
        stage.hear(case.scenario(), options={"bit_rate": 64}).spoken()
