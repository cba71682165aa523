"""
From a wish to a plan: who speaks, and how each wish is met.

Each wish is **native** (the model claims it), **emulated** (core does it, and the
report says so) or **refused** (a typed error, nothing sent). Planning does no I/O,
so ``explain`` prints just this.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from attrs import evolve, field, frozen

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.audio.convert import encoder_rate, needs_audio_extra
from vivavoce.errors import (
    CapabilityError,
    InvalidValue,
    MissingDependency,
    PluginError,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    VivavoceError,
)
from vivavoce.model.audio import AudioFormat, Container, Encoding
from vivavoce.model.capability import Claim
from vivavoce.model.card import ModelCard, Price
from vivavoce.model.prosody import Prosody
from vivavoce.model.report import Decision, How
from vivavoce.model.selector import Selector
from vivavoce.model.timing import MarkKind
from vivavoce.model.utterance import Utterance
from vivavoce.model.voice import Voice
from vivavoce.pipeline.languages import match_language
from vivavoce.provider import SynthesisRequest, SynthesizerInfo
from vivavoce.text.segment import Segment, segment_text
from vivavoce.text.speakable import check_text, has_speakable
from vivavoce.text.ssml import read_ssml

__all__ = ["Estimate", "Plan", "make_plan"]

# Where a model states no limit, a request is closed at the next sentence end
# after this, so that neither side holds a book in memory.
SEGMENT_CHARS = 2_000
# Below this a cut could part a letter from its accents, which no request needs.
_SMALLEST_REQUEST_BYTES = 40

_MARK_CLAIMS = {
    MarkKind.WORD: "word_marks",
    MarkKind.SENTENCE: "sentence_marks",
    MarkKind.PHONEME: "phoneme_marks",
    MarkKind.BOOKMARK: "bookmarks",
}

# What a voice of the user's own is called, and the claim that a model speaks with such.
_OWN_VOICES = (("cloned", "clone"), ("designed", "design"))

# Wish in Prosody, claim, the value that asks for nothing, and the unit the wish is in: a claim in
# another, such as steps of volume, says nothing of what a decibel would be there.
_PROSODY_CLAIMS = (
    ("rate_ratio", "rate", 1.0, "ratio"),
    ("pitch_semitones", "pitch", 0.0, "semitones"),
    ("volume_db", "volume", 0.0, "dB"),
)


@frozen(kw_only=True)
class Estimate:
    """
    What a plan will cost by the price table.

    Attributes:
        units: Billed units, by name, as the provider counts them.
        cost: Money, or None when no price is known, or not what it will be multiplied
            with (a model billed by the tokens it makes).
        currency: ISO 4217 code; empty when there is no price.
        region: The region the price is of; empty for all.
        prices: The prices it is reckoned with: those of one region and currency.
    """

    units: Mapping[str, float]
    cost: Decimal | None = None
    currency: str = ""
    region: str = ""
    prices: tuple[Price, ...] = ()


@frozen(kw_only=True)
class Plan:
    """
    How an utterance will be spoken.

    Attributes:
        selector: Provider, model and voice, all resolved.
        info: The provider.
        model: The model's card.
        voice: The voice, or None where the provider chooses.
        utterance: The wish.
        language: The model's own tag for the wished language, or None.
        prosody: What the model does itself.
        gain_db: What core does to the volume, decibels.
        source: Format asked of the provider.
        target: Format given to the caller.
        decisions: What is said of each wish, refusals included.
        errors: One for each refusal; :meth:`check` raises the first.
        region: The provider's region that is asked; empty where it has none.
        estimates: Units and cost, one for each region and currency the model is billed
            in, those of *region* first. At least one.
    """

    selector: Selector
    info: SynthesizerInfo
    model: ModelCard
    voice: Voice | None
    utterance: Utterance
    language: str | None
    prosody: Prosody
    gain_db: float
    source: AudioFormat
    target: AudioFormat
    decisions: tuple[Decision, ...]
    errors: tuple[VivavoceError, ...] = field(repr=False, default=())
    region: str = ""
    estimates: tuple[Estimate, ...]

    @property
    def estimate(self) -> Estimate:
        """Units and cost in the region that is asked, in its first currency."""
        return self.estimates[0]

    def check(self) -> None:
        """
        Accept the plan or refuse it.

        Raises:
            VivavoceError: The first refusal: usually CapabilityError.
        """
        for error in self.errors:
            raise error

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is emulated, as sentences."""
        return tuple(str(d) for d in self.decisions if d.how is How.EMULATED)

    @property
    def samples(self) -> AudioFormat:
        """The target's samples, before any container or compression."""
        if self.source == self.target:
            return self.source
        return AudioFormat(sample_rate_hz=self.target.sample_rate_hz, channels=self.target.channels)

    @property
    def shown_text(self) -> str:
        """The text that marks index, without markup: tags are blanks."""
        text = self.utterance.text
        return read_ssml(text).in_place(len(text)) if self.utterance.ssml else text

    def cost_of(self, units: Mapping[str, float]) -> Decimal | None:
        """Return what *units* cost by the prices the estimate took, or None if not known."""
        return _cost(self.model, self.estimate.prices, units)

    def segments(self) -> Iterator[Segment]:
        """Return the requests' texts, made as they are asked for."""
        utterance = self.utterance
        if utterance.ssml:
            return iter((Segment(text=utterance.text, start=0, is_last=True),))
        limit, measure = _request_limit(self.model, utterance.segment_chars)
        target = _target_chars(self.model, utterance.segment_chars)
        if len(utterance.text) <= target and (limit is None or measure(utterance.text) <= limit):
            # Most texts are short, and looking for sentences takes a quarter millisecond.
            return iter((Segment(text=utterance.text, start=0, is_last=True),))
        return self._cut(0, limit, target, measure)

    def smaller_segments(self, segment: Segment, limit: int | None) -> Iterator[Segment] | None:
        """
        Return *segment* and all that follows it in pieces that the provider should take.

        How it counts is not known, so its limit is held in the strictest measure there
        is, UTF-8 bytes; a text that kept even that is cut to half its size.

        Args:
            segment: What the provider found too long.
            limit: The most it takes, in its own unit, or None where it does not say.

        Returns:
            The pieces, or None where the text cannot be cut.
        """
        size = _utf8_length(segment.text)
        most = limit or int(self.model.capabilities.max_text.maximum or size)
        if size <= most:
            most = size // 2
        if self.utterance.ssml or most < _SMALLEST_REQUEST_BYTES:
            return None
        return self._cut(segment.start, most, most, _utf8_length)

    def _cut(
        self, start: int, limit: int | None, target: int, measure: Callable[[str], int]
    ) -> Iterator[Segment]:
        segments = segment_text(
            self.utterance.text[start:],
            max_chars=limit,
            target_chars=target,
            language=_segment_language(self.language or _first(self.voice)),
            measure=measure,
        )
        if start:
            segments = (evolve(segment, start=start + segment.start) for segment in segments)
        return _speakable(segments)

    def request(self, segment: Segment, *, wants_stream: bool) -> SynthesisRequest:
        """Return what the provider is asked for one segment."""
        return SynthesisRequest(
            text=segment.text,
            ssml=self.utterance.ssml,
            model=self.model,
            voice=self.voice,
            language=self.language,
            instructions=self.utterance.instructions,
            prosody=self.prosody,
            format=self.source,
            options=self.utterance.options,
            wants_stream=wants_stream,
            is_last=segment.is_last,
        )


def make_plan(
    utterance: Utterance,
    info: SynthesizerInfo,
    model: ModelCard,
    *,
    region: str | None = None,
    strict: bool = False,
    is_session: bool = False,
    of_voice: Decision | None = None,
) -> Plan:
    """
    Return how *utterance* would be spoken by *model*.

    Args:
        utterance: The wish.
        info: The provider.
        model: One of its models.
        region: The provider's region, or None for the model's first.
        strict: Whether to refuse what would be emulated.
        is_session: Whether its text will come piece by piece, and is empty now.
        of_voice: What is said of a voice that the user's book chose, or None.

    Raises:
        InvalidValue: If there is nothing to speak, or the SSML does not parse.
        UnknownVoice: If the model has no such voice.
        UnknownLanguage: If the language is none, or not the model's.
    """
    planner = _Planner(utterance, info, model, of_voice)
    try:
        plan = planner.plan(region, is_session=is_session)
    except VivavoceError as error:
        error.add_context(provider=info.name, model=model.name)
        raise
    return _made_strict(plan) if strict else plan


class _Planner:
    """Collects decisions; one method a wish."""

    def __init__(
        self,
        utterance: Utterance,
        info: SynthesizerInfo,
        model: ModelCard,
        of_voice: Decision | None = None,
    ) -> None:
        self._of_voice = of_voice
        self.utterance = utterance
        self.info = info
        self.model = model
        self.claims = model.capabilities
        self.decisions: list[Decision] = []
        self.errors: list[VivavoceError] = []

    def plan(self, region: str | None, *, is_session: bool) -> Plan:
        self._available()
        region = self._region(region)
        spoken = self._session() if is_session else self._text()
        language = self._language()
        voice = self._voice(language)
        self._instructions()
        prosody, gain_db = self._prosody()
        source, target = self._formats(gain_db)
        self._marks()
        self._options()
        units = {} if is_session else _units(self.info, self.model, spoken)
        return Plan(
            selector=Selector(
                provider=self.info.name,
                model=self.model.name,
                voice=voice.id if voice else None,
            ),
            info=self.info,
            model=self.model,
            voice=voice,
            utterance=self.utterance,
            language=language,
            prosody=prosody,
            gain_db=gain_db,
            source=source,
            target=target,
            decisions=tuple(self.decisions),
            errors=tuple(self.errors),
            region=region,
            estimates=_estimates(self.model, region, units),
        )

    # What is said of a wish

    def _native(self, wish: str, detail: str) -> None:
        self.decisions.append(Decision(wish=wish, how=How.NATIVE, detail=detail))

    def _emulated(self, wish: str, detail: str) -> None:
        self.decisions.append(Decision(wish=wish, how=How.EMULATED, detail=detail))

    def _refused(self, wish: str, error: VivavoceError) -> None:
        error.add_context(provider=self.info.name, model=self.model.name)
        self.decisions.append(Decision(wish=wish, how=How.REFUSED, detail=error.message))
        self.errors.append(error)

    def _incapable(self, wish: str, capability: str, what: str) -> None:
        note = self.claims[capability].note
        reason = "it is not known to" if self.claims[capability].support == "unknown" else "cannot"
        advice = f" {note}" if note else ""
        msg = f"{self.info.name}/{self.model.name} {reason} {what}.{advice}"
        self._refused(wish, CapabilityError(msg, capability=capability))

    # The wishes

    def _available(self) -> None:
        if self.model.unavailable:
            msg = f"{self.info.name}/{self.model.name} cannot be used: {self.model.unavailable}"
            self._refused("model", CapabilityError(msg))

    def _region(self, wanted: str | None) -> str:
        """Return the region that is asked; refuse one where the model is not."""
        if not wanted or wanted in self.model.regions:
            return wanted or next(iter(self.model.regions), "")
        known = dict.fromkeys(region for card in self.info.models for region in card.regions)
        if not known:
            # A provider that names no regions leaves it to the caller what they mean.
            return wanted
        if wanted in known:
            there = [card.name for card in self.info.models if wanted in card.regions]
            msg = (
                f"{self.info.name}/{self.model.name} is not in the region {wanted!r}, only in "
                f"{', '.join(self.model.regions)}. Choose one of them, or another model."
            )
            near = nearest(self.model.name, there)
            self._refused("region", UnknownModel(msg, name=self.model.name, nearest=near))
        else:
            msg = (
                f"{self.info.name!r} has no region {wanted!r}. "
                f"{did_you_mean(nearest(wanted, known))}Its regions: {', '.join(known)}."
            )
            self._refused("region", InvalidValue(msg))
        return wanted

    def _text(self) -> str:
        """Check the text and return what of it is spoken."""
        text = self.utterance.text
        if self.utterance.ssml:
            return self._ssml(text)
        check_text(text)
        limit, measure = _text_limit(self.claims.max_text)
        target = _target_chars(self.model, self.utterance.segment_chars)
        size = measure(text)
        if limit is not None and size > limit:
            unit = _measured_unit(self.claims.max_text)
            self._emulated(
                "text", f"{size} {unit} are spoken in several requests of at most {limit}"
            )
        elif len(text) > target:
            self._native("text", f"spoken in several requests of about {target} characters")
        else:
            self._native("text", f"{len(text)} characters in one request")
        return text

    def _session(self) -> str:
        """Say how text that comes piece by piece is spoken; it is checked when it comes."""
        if self.utterance.ssml:
            msg = "A session takes plain text: SSML cannot be cut anywhere."
            self._refused("ssml", CapabilityError(msg, capability="ssml"))
        if self.claims.stream_in:
            self._native("stream_in", "text is taken while audio comes")
        else:
            self._emulated(
                "stream_in", "each sentence is a request of its own, made while the last is heard"
            )
        return ""

    def _ssml(self, text: str) -> str:
        document = read_ssml(text)
        check_text(document.text)
        claim = self.claims.ssml
        if not claim:
            self._incapable("ssml", "ssml", "read SSML")
        elif unread := sorted(document.elements - {str(value) for value in claim.values}):
            what = f"read the SSML element <{unread[0]}>; it reads {_values(claim)}"
            self._incapable("ssml", "ssml", what)
        else:
            self._native("ssml", f"elements {', '.join(sorted(document.elements)) or 'none'}")
        limit, measure = _text_limit(self.claims.max_text)
        if limit is not None and measure(text) > limit:
            msg = (
                f"The SSML measures {measure(text)} {self.claims.max_text.unit}, and "
                f"{self.model.name!r} takes {limit}. Split it: SSML is not segmented."
            )
            self._refused("text", InvalidValue(msg))
        return document.text

    def _language(self) -> str | None:
        wanted = self.utterance.language
        if wanted is None:
            return None
        claim = self.claims.languages
        offered = [str(value) for value in (*claim.values, *self.claims.dialects.values)]
        if not offered:
            self._incapable("language", "languages", f"be asked for the language {wanted!r}")
            return None
        found = match_language(wanted, offered)
        if found is None:
            near = nearest(wanted, offered)
            msg = (
                f"{self.info.name}/{self.model.name} does not speak {wanted!r}. "
                f"{did_you_mean(near)}It speaks {_values(claim)}."
            )
            raise UnknownLanguage(msg, name=wanted, nearest=near)
        tag, is_same = found
        if is_same:
            self._native("language", tag)
        else:
            self._emulated("language", f"{wanted!r} is spoken as {tag!r}")
        return tag

    def _voice(self, language: str | None) -> Voice | None:
        wanted = self.utterance.voice or None
        if wanted is None and not self.model.default_voice:
            self._check_voiceless()
            return None
        if isinstance(wanted, Voice):
            voice = self._given_voice(wanted)
        else:
            usable = [v for v in self.info.voices() if self.model.name in v.models]
            if wanted is None:
                return self._default_voice(language, usable)
            voice = _named_voice(self.info, self.model, wanted, usable)
        self._voice_speaks(voice, language)
        return voice

    def _check_voiceless(self) -> None:
        """Refuse to go on without a voice where there is none but the user's own."""
        own = [word for word, claim in _OWN_VOICES if self.claims[claim]]
        if own and self.claims.stock_voices.support == "no":
            msg = (
                f"{self.info.name}/{self.model.name} has no voices of its own: give voice= the id "
                f"of a {' or '.join(own)} one."
            )
            self._refused("voice", InvalidValue(msg))

    def _given_voice(self, voice: Voice) -> Voice:
        if voice.models and self.model.name not in voice.models:
            msg = _of_other_models(self.info, self.model, voice.id, voice.models)
            raise UnknownVoice(msg, name=voice.id)
        return voice

    def _voice_speaks(self, voice: Voice, language: str | None) -> None:
        tags = (*voice.languages, *voice.dialects)
        if language is not None and tags and match_language(language, tags) is None:
            msg = (
                f"The voice {voice.id!r} speaks {', '.join(tags)}, not {language!r}. "
                "Choose another voice, or leave one of the two out."
            )
            self._refused("voice", CapabilityError(msg, capability="languages"))
        elif self._of_voice is not None:
            self.decisions.append(self._of_voice)
        else:
            self._native("voice", voice.id)

    def _default_voice(self, language: str | None, usable: list[Voice]) -> Voice:
        own = next((voice for voice in usable if voice.id == self.model.default_voice), None)
        if own is None:
            msg = (
                f"{self.info.name}/{self.model.name} names {self.model.default_voice!r} as its "
                "default voice, which is none of its voices. That is the plugin's mistake; give "
                "voice= one of those it has."
            )
            raise PluginError(msg)
        if language is None:
            self._native("voice", f"{own.id} (the model's default)")
            return own
        # The default comes first, so that it wins among equals and only there.
        if found := _best_voice([own, *usable], language):
            self._native("voice", f"{found.id} (speaks {language})")
            return found
        msg = f"No voice of {self.info.name}/{self.model.name} speaks {language!r}."
        raise UnknownVoice(msg, name=language)

    def _instructions(self) -> None:
        text = self.utterance.instructions
        if text is None:
            return
        limit, measure = _text_limit(self.claims.max_instructions)
        if self.claims.max_instructions.unit == "tokens":
            limit = None  # only the server can count them, and it might take what we refuse
        if not self.claims.instructions:
            self._incapable("instructions", "instructions", "follow style instructions")
        elif limit is not None and measure(text) > limit:
            unit = self.claims.max_instructions.unit or "characters"
            msg = (
                f"The instructions measure {measure(text)} {unit}, and {self.model.name!r} "
                f"takes {limit}. Shorten them."
            )
            self._refused("instructions", InvalidValue(msg))
        else:
            self._native("instructions", f"{len(text)} characters")

    def _prosody(self) -> tuple[Prosody, float]:
        prosody = self.utterance.prosody
        gain_db = 0.0
        for wish, capability, normal, unit in _PROSODY_CLAIMS:
            value = getattr(prosody, wish)
            claim = self.claims[capability]
            if value == normal:
                continue
            is_measured = claim.unit in ("", unit)
            if claim and is_measured and _inside(claim, value):
                self._native(wish, f"{value:g}")
            elif wish == "volume_db":
                gain_db = value
                prosody = evolve(prosody, volume_db=0.0)
                self._gain(value)
            elif claim and is_measured:
                limits = f"{claim.minimum:g} to {claim.maximum:g} {claim.unit}".rstrip()
                msg = (
                    f"{self.info.name}/{self.model.name} takes {wish} from {limits}, not {value:g}."
                )
                self._refused(wish, InvalidValue(msg))
            else:
                self._incapable(wish, capability, f"change its {capability}")
        return prosody, gain_db

    def _gain(self, gain_db: float) -> None:
        if missing := _missing("numpy"):
            self._refused("volume_db", missing)
        else:
            self._emulated("volume_db", f"{gain_db:+g} dB by core, saturating")

    def _formats(self, gain_db: float) -> tuple[AudioFormat, AudioFormat]:
        wish = self.utterance
        rates = [int(rate) for rate in self.claims.sample_rates_hz.values]
        if not rates:
            msg = f"{self.info.name}/{self.model.name} states no sample rate; its card is wrong."
            raise InvalidValue(msg)
        named = AudioFormat.named(wish.format, sample_rate_hz=48_000, channels=wish.channels)
        rate = wish.sample_rate_hz or rates[0]
        rate = encoder_rate(named.encoding, rate)
        target = evolve(named, sample_rate_hz=rate)
        if self._delivers(target) and rate in rates and not gain_db and wish.channels == 1:
            self._native("format", str(target))
            return target, target
        source = AudioFormat(sample_rate_hz=_best_rate(rate, rates))
        self._conversion(source, target)
        return source, target

    def _delivers(self, target: AudioFormat) -> bool:
        containers = self.claims.containers.values or (Container.RAW.value,)
        encodings = self.claims.encodings.values or (Encoding.PCM_S16LE.value,)
        return target.container.value in containers and target.encoding.value in encodings

    def _conversion(self, source: AudioFormat, target: AudioFormat) -> None:
        if needs_audio_extra(source, target) and (
            missing := _missing("soxr") or _missing("soundfile")
        ):
            self._refused("format", missing)
            return
        if source.sample_rate_hz != target.sample_rate_hz:
            self._emulated(
                "sample_rate_hz",
                f"{source.sample_rate_hz} Hz is resampled to {target.sample_rate_hz} Hz",
            )
        if target.channels != source.channels:
            self._emulated("channels", "the same sound in both channels")
        if target.is_pcm:
            # A header changes no sample, so nothing of the sound is emulated.
            self._native("format", f"{target}")
        else:
            self._emulated("format", f"{source} is encoded as {target}")

    def _marks(self) -> None:
        for kind in sorted(self.utterance.marks):
            capability = _MARK_CLAIMS[kind]
            if self.claims[capability]:
                self._native("marks", f"{kind.value} marks")
            else:
                self._incapable("marks", capability, f"give {kind.value} marks")

    def _options(self) -> None:
        known = {option.name: option for option in self.model.options}
        for name, value in self.utterance.options.items():
            if name not in known:
                near = did_you_mean(nearest(name, known))
                msg = (
                    f"{self.info.name}/{self.model.name} has no option {name!r}. {near}"
                    f"It has: {', '.join(known) or 'none'}."
                )
                self._refused("options", InvalidValue(msg))
                continue
            try:
                known[name].check(value)
            except InvalidValue as error:
                self._refused("options", error)
            else:
                self._native("options", f"{name} = {value!r}")


def _named_voice(
    info: SynthesizerInfo, model: ModelCard, wanted: str, usable: Iterable[Voice]
) -> Voice:
    by_id = {voice.id: voice for voice in usable}
    if wanted in by_id:
        return by_id[wanted]
    folded = [
        v for v in by_id.values() if wanted.casefold() in (v.id.casefold(), v.name.casefold())
    ]
    if len(folded) == 1:
        return folded[0]
    elsewhere = {m: None for v in info.voices() if v.id == wanted for m in v.models}
    own = None
    if not elsewhere and info.recognise_voice is not None:
        own = info.recognise_voice(model, wanted)
    if own is not None:
        if model.name in own.models:
            return own
        elsewhere = dict.fromkeys(own.models)
    if elsewhere:
        raise UnknownVoice(_of_other_models(info, model, wanted, elsewhere), name=wanted)
    near = nearest(wanted, [*by_id, *(voice.name for voice in by_id.values())])
    msg = (
        f"{info.name}/{model.name} has no voice {wanted!r}. {did_you_mean(near)}"
        f"`vivavoce voices {info.name}` lists its {len(by_id)} voices."
    )
    raise UnknownVoice(msg, name=wanted, nearest=near)


def _of_other_models(
    info: SynthesizerInfo, model: ModelCard, voice_id: str, models: Iterable[str]
) -> str:
    own = [word for word, claim in _OWN_VOICES if model.capabilities[claim]]
    takes = f" {model.name} speaks with {' or '.join(own)} voices only." if own else ""
    return (
        f"The voice {voice_id!r} is not one of {info.name}/{model.name}; it belongs to "
        f"{', '.join(models)}.{takes}"
    )


def _best_voice(voices: Iterable[Voice], language: str) -> Voice | None:
    """
    Return the voice nearest to *language*; of equals the first.

    A voice's own language counts before one it also speaks: asked for Chinese, the
    Mandarin voice goes before a Cantonese one that lists Chinese as well.
    """
    ranked = [
        (rank, place, voice)
        for place, voice in enumerate(voices)
        if (rank := _language_rank(voice, language)) is not None
    ]
    return min(ranked)[2] if ranked else None


def _language_rank(voice: Voice, language: str) -> int | None:
    tags = (*voice.languages, *voice.dialects)
    if tags[:1] == (language,):
        return 0
    own = match_language(language, tags[:1])
    any_ = match_language(language, tags)
    if own is not None and own[1]:
        return 1
    if any_ is not None and any_[1]:
        return 2
    return 3 if own is not None else 4 if any_ is not None else None


def _inside(claim: Claim, value: float) -> bool:
    low_ok = claim.minimum is None or value >= claim.minimum
    return low_ok and (claim.maximum is None or value <= claim.maximum)


def _values(claim: Claim, limit: int = 20) -> str:
    shown = ", ".join(str(value) for value in claim.values[:limit])
    more = len(claim.values) - limit
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def _text_limit(claim: Claim) -> tuple[int | None, Callable[[str], int]]:
    limit = None if claim.maximum is None else int(claim.maximum)
    return limit, _utf8_length if claim.unit in _BYTE_UNITS else len


# A token stands for one byte at least, so that a text has never more tokens than
# bytes; how many fewer, only the provider's own tokenizer knows.
_BYTE_UNITS = ("bytes", "tokens")


def _measured_unit(claim: Claim) -> str:
    return "bytes" if claim.unit in _BYTE_UNITS else claim.unit or "characters"


def _request_limit(
    model: ModelCard, segment_chars: int | None
) -> tuple[int | None, Callable[[str], int]]:
    """Return the most that one request may measure, the model's limit and the caller's in one."""
    limit, measure = _text_limit(model.capabilities.max_text)
    if segment_chars is None:
        return limit, measure
    if limit is None or measure is len:
        return min(segment_chars, limit or segment_chars), len
    most = limit

    def both(text: str) -> int:
        # Rounded up: a text that just passes the caller's limit must pass this one too.
        return max(measure(text), -(-len(text) * most // segment_chars))

    return limit, both


def _target_chars(model: ModelCard, segment_chars: int | None) -> int:
    """Return after how many characters a request is closed at the next sentence end."""
    limit, _ = _text_limit(model.capabilities.max_text)
    target = model.segment_chars or limit or SEGMENT_CHARS
    return target if segment_chars is None else min(target, segment_chars)


def _utf8_length(text: str) -> int:
    return len(text.encode("utf-8"))


def _best_rate(wanted: int, rates: list[int]) -> int:
    """Return the least rate that loses nothing against *wanted*, else the greatest."""
    return min((rate for rate in rates if rate >= wanted), default=max(rates))


def _missing(module: str) -> MissingDependency | None:
    if importlib.util.find_spec(module) is not None:
        return None
    msg = (
        f"Converting audio needs {module!r}, which is not installed. "
        "Run: pip install 'vivavoce[audio]'"
    )
    return MissingDependency(msg, extra="audio")


def _speakable(segments: Iterable[Segment]) -> Iterator[Segment]:
    """
    Yield the segments with something to speak in them.

    A long run of blanks or dots comes as a segment of its own; sent, it would be
    answered with silence.
    """
    held: Segment | None = None
    for segment in segments:
        if not has_speakable(segment.text):
            continue
        if held is not None:
            yield evolve(held, is_last=False)
        held = segment
    if held is not None:
        yield evolve(held, is_last=True)


def _first(voice: Voice | None) -> str | None:
    return voice.languages[0] if voice is not None and voice.languages else None


def _segment_language(tag: str | None) -> str | None:
    return tag.partition("-")[0].lower() if tag else None


def _units(info: SynthesizerInfo, model: ModelCard, text: str) -> Mapping[str, float]:
    if info.count_billed is not None:
        return info.count_billed(model, text)
    return {"characters": float(len(text))}


def _cost(model: ModelCard, prices: Iterable[Price], units: Mapping[str, float]) -> Decimal | None:
    if model.is_free:
        return Decimal(0)
    parts = [price.of(units[price.unit]) if price.unit in units else None for price in prices]
    known = [part for part in parts if part is not None]
    return sum(known, Decimal(0)) if parts and len(known) == len(parts) else None


def _estimates(model: ModelCard, region: str, units: Mapping[str, float]) -> tuple[Estimate, ...]:
    """Return one estimate for each region and currency, those of *region* first."""
    groups: dict[tuple[str, str], list[Price]] = {}
    for price in model.prices:
        groups.setdefault((price.region, price.currency), []).append(price)
    estimates = [
        Estimate(
            units=units,
            cost=_cost(model, prices, units),
            currency=currency,
            region=of_region,
            prices=tuple(prices),
        )
        for (of_region, currency), prices in groups.items()
    ]
    if not region and estimates:
        return tuple(estimates)
    if not any(estimate.region in ("", region) for estimate in estimates):
        # No price of this region is known, so none of another is passed off as it.
        estimates.append(Estimate(units=units, cost=_cost(model, (), units), region=region))
    return tuple(sorted(estimates, key=lambda estimate: estimate.region not in ("", region)))


def _made_strict(plan: Plan) -> Plan:
    """Return *plan* with everything emulated refused."""
    decisions, errors = [], list(plan.errors)
    for decision in plan.decisions:
        if decision.how is not How.EMULATED:
            decisions.append(decision)
            continue
        msg = f"strict=True refuses what would be emulated: {decision.detail}."
        decisions.append(evolve(decision, how=How.REFUSED, detail=msg))
        error = CapabilityError(msg, capability=decision.wish)
        error.add_context(provider=plan.info.name, model=plan.model.name)
        errors.append(error)
    return evolve(plan, decisions=tuple(decisions), errors=tuple(errors))
