"""What each Qwen-TTS model can do, said in claims; the facts are those of the tables."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from vivavoce.authoring import (
    Capabilities,
    Claim,
    Gender,
    ModelCard,
    Option,
    Price,
    Voice,
    VoiceOrigin,
    no,
    unknown,
    yes,
)
from vivavoce_qwen import tables
from vivavoce_qwen.tables import (
    LANGUAGE_TYPES,
    SOURCES,
    UNCERTAIN,
    VARIETIES,
    ModelRow,
    PriceRow,
    languages_of_voice,
)

__all__ = [
    "ID_PREFIXES",
    "MODELS",
    "count_billed",
    "list_voices",
    "models_of",
    "origin_of",
    "prices_of",
    "recognise_voice",
]

DEFAULT_VOICE = "Cherry"

# Requests are closed at the next sentence end after this many characters: well below the
# limit, since what it counts is uncertain. A token is at least one byte, so that 512 tokens
# hold at least 170 Han characters of three bytes.
SEGMENT_CHARS = {"characters": 400, "tokens": 120, "": None}

ID_PREFIXES: Mapping[VoiceOrigin, str] = {
    VoiceOrigin.CLONED: "qwen-tts-vc-",
    VoiceOrigin.DESIGNED: "qwen-tts-vd-",
}
"""
How the ids of custom voices begin.

The service documents the form of the ids it makes. Only the beginning is read: which of
the models of its kind a voice was made for cannot be told from its id.
"""

# Of what the service can send: WAV is not asked for, since core writes better headers, and Opus
# neither, since nobody says in which container it comes.
_CONTAINERS = {"pcm": "raw", "mp3": "mp3"}
_ENCODINGS = {"pcm": "pcm_s16le", "mp3": "mp3"}

_OPTIMIZE = Option(
    name="optimize_instructions",
    meaning="whether the service rewrites the instructions before it follows them",
    type=bool,
)
_TRANSPORT = Option(
    name="transport",
    meaning=(
        "how the audio comes: 'http-sse' while it is made (the default), "
        "'http' as a file to fetch when all is made"
    ),
    type=str,
    values=("http-sse", "http"),
)
_MODE = Option(
    name="mode",
    meaning=(
        "who decides when text is spoken: 'server_commit' the service (the default), "
        "'commit' the caller, by flushing"
    ),
    type=str,
    values=("server_commit", "commit"),
)
_VOLUME_STEPS = Option(
    name="volume",
    meaning="the service's own volume, in steps of which 50 is normal",
    type=int,
    minimum=0,
    maximum=100,
)
_KILOBITS = Option(
    name="bit_rate",
    meaning="of compressed audio, in kbit/s; the page names it for Opus alone",
    type=int,
    minimum=6,
    maximum=510,
)


def list_voices() -> tuple[Voice, ...]:
    """Return the system voices, in the order of the service's table."""
    return _voices()


def recognise_voice(card: ModelCard, voice_id: str) -> Voice | None:
    """
    Return the custom voice that *voice_id* means for a model.

    Args:
        card: The model it is to be used with.
        voice_id: An id that the service gave to a cloned or designed voice.

    Returns:
        A voice whose ``models`` are all those of its kind: the service binds it to one of
        them, which the id does not tell. None where *voice_id* names a system voice, is
        blank, or is of no known form while *card* takes system voices only.
    """
    folded = voice_id.strip().casefold()
    if not folded or folded in _system_names():
        return None
    origin = origin_of(voice_id)
    if origin is None:
        taken = tables.models()[card.name].voices
        origin = next((kind for kind in ID_PREFIXES if kind.value == taken), None)
    if origin is None:
        return None
    return Voice(id=voice_id, name=voice_id, origin=origin, models=models_of(origin))


def origin_of(voice_id: str) -> VoiceOrigin | None:
    """Return what kind of voice has an id of this form, or None where the form tells none."""
    folded = voice_id.strip().casefold()
    kinds = (origin for origin, prefix in ID_PREFIXES.items() if folded.startswith(prefix))
    return next(kinds, None)


def models_of(origin: VoiceOrigin) -> tuple[str, ...]:
    """Return the names of the models that take voices of this kind only."""
    return tuple(name for name, row in tables.models().items() if row.voices == origin.value)


def count_billed(card: ModelCard, text: str) -> Mapping[str, float]:
    """
    Return what *text* is billed as, by unit.

    Models billed by tokens give nothing: how many tokens a text and its audio are is only
    known when they have been made.
    """
    if any(price.unit == "characters" for price in card.prices):
        return {"characters": float(tables.count_billed_characters(text))}
    return {}


@functools.cache
def _voices() -> tuple[Voice, ...]:
    return tuple(
        Voice(
            id=row.id,
            name=row.name_en,
            native_name=row.name_zh,
            languages=languages_of_voice(row.tag),
            dialects=(row.tag,) if row.tag in VARIETIES else (),
            gender=Gender(row.gender),
            description=(
                row.description if row.certainty == "high" else f"{row.description} ({row.note})"
            ),
            models=row.models,
        )
        for row in tables.voices().values()
    )


@functools.cache
def _system_names() -> frozenset[str]:
    return frozenset(
        name.casefold()
        for row in tables.voices().values()
        for name in (row.id, row.name_en, row.name_zh)
    )


def prices_of(rows: tuple[PriceRow, ...]) -> tuple[Price, ...]:
    """Return the prices of the tables as core reads them."""
    return tuple(
        Price(
            amount=row.amount,
            currency=row.currency,
            per=row.per,
            unit=row.unit,
            region=row.region,
            evidence=SOURCES[row.evidence],
        )
        for row in rows
    )


def _card(row: ModelRow) -> ModelCard:
    return ModelCard(
        name=row.name,
        alias_of=row.alias_of,
        family=row.family,
        transports=row.transports,
        regions=row.regions,
        capabilities=_capabilities(row),
        options=tuple(_options(row)),
        prices=prices_of(row.prices),
        default_voice=DEFAULT_VOICE if row.voices == "system" else "",
        segment_chars=SEGMENT_CHARS[row.max_text_unit],
        note=" ".join(_notes(row)),
        evidence=SOURCES[row.evidence],
    )


def _options(row: ModelRow) -> Iterator[Option]:
    if row.instructions:
        yield _OPTIMIZE
    if row.is_realtime:
        yield _MODE
    else:
        yield _TRANSPORT
    if row.volume == "yes":
        yield _VOLUME_STEPS
    if row.bit_rate == "yes":
        yield _KILOBITS


def _notes(row: ModelRow) -> Iterator[str]:
    kind = {
        "stable": f"Stable name of {row.title}.",
        "latest": f"Newest snapshot of {row.title}.",
        "snapshot": f"Snapshot of {row.title}.",
    }
    yield kind[row.kind]
    if row.voices != "system":
        yield f"Speaks with {row.voices} voices only, each bound to the model it was made for."
    if row.note:
        yield row.note


def _capabilities(row: ModelRow) -> Capabilities:
    read = SOURCES[row.evidence]
    limits = SOURCES["limits"]
    timeless = "No times come with the audio."
    return Capabilities(
        stream_out=_stream_out(row),
        stream_in=(
            yes(evidence=read)
            if row.stream_in
            else no("A text is taken whole; the realtime models take it piecemeal.", evidence=read)
        ),
        word_marks=no(timeless, evidence=read),
        sentence_marks=no(timeless, evidence=read),
        phoneme_marks=no(timeless, evidence=read),
        bookmarks=no("There is no SSML to mark in.", evidence=read),
        ssml=no(evidence=read),
        latex=no(evidence=read),
        instructions=(
            yes(note="Written in Chinese or English.", evidence=read)
            if row.instructions
            else no("Models with instruct in their name follow them.", evidence=read)
        ),
        rate=_prosody(row.rate, row, yes(minimum=0.5, maximum=2.0, unit="ratio", evidence=_EVENTS)),
        pitch=_prosody(row.pitch, row, _PITCH),
        volume=_prosody(row.volume, row, _VOLUME),
        bit_rate=_BIT_RATE if row.bit_rate == "yes" else no(evidence=read),
        clone=yes(evidence=read) if row.voices == "cloned" else no(evidence=read),
        design=yes(evidence=read) if row.voices == "designed" else no(evidence=read),
        stock_voices=(
            yes(evidence=read)
            if row.voices == "system"
            else no(f"It takes {row.voices} voices only.", evidence=read)
        ),
        languages=_languages(row),
        dialects=_dialects(row),
        containers=_containers(row),
        encodings=_encodings(row),
        sample_rates_hz=yes(*row.sample_rates_hz, evidence=read),
        max_text=_max_text(row),
        max_instructions=(
            yes(maximum=row.instructions_limit_tokens, unit="tokens", evidence=read)
            if row.instructions
            else no("It takes none.", evidence=read)
        ),
        rpm=(
            unknown("No limit is published.")
            if row.rpm is None
            else yes(
                maximum=row.rpm,
                unit="requests",
                note="Of the main account, over all its keys and workspaces.",
                evidence=limits,
            )
        ),
        tpm=(
            no("By what is published, only requests are limited.", evidence=limits)
            if row.tpm is None
            else yes(
                maximum=row.tpm,
                unit="tokens",
                note="Those read and those made, together.",
                evidence=limits,
            )
        ),
    )


_EVENTS = SOURCES["events"]
_PITCH = yes(
    minimum=-12.0,
    maximum=12.0,
    unit="semitones",
    note=UNCERTAIN["pitch_ratio"],
    evidence=_EVENTS,
)
_VOLUME = yes(minimum=0, maximum=100, unit="steps", note=UNCERTAIN["volume_db"], evidence=_EVENTS)
_BIT_RATE = yes(
    minimum=6,
    maximum=510,
    unit="kbit/s",
    note=f"Normally 128. {UNCERTAIN['bit_rate']}",
    evidence=_EVENTS,
)


def _stream_out(row: ModelRow) -> Claim:
    doubted = row.voices != "system" and not row.is_realtime
    note = UNCERTAIN["stream_out_custom_voices"] if doubted else ""
    return yes(note=note, evidence=SOURCES[row.evidence])


def _prosody(said: str, row: ModelRow, claim: Claim) -> Claim:
    if said == "yes":
        return claim
    note = "Say it in the instructions, in words." if said == "instructions" else ""
    return no(note, evidence=SOURCES[row.evidence])


def _languages(row: ModelRow) -> Claim:
    tags = (tag for tag, name in LANGUAGE_TYPES.items() if name in row.languages)
    return yes(*tags, evidence=SOURCES[row.evidence])


def _dialects(row: ModelRow) -> Claim:
    read = SOURCES[row.evidence]
    tags = [tag for tag, name in VARIETIES.items() if name in row.dialects]
    if tags:
        return yes(*tags, note="The voice carries the variety.", evidence=read)
    return no("None of its voices speaks one.", evidence=read)


def _containers(row: ModelRow) -> Claim:
    read = SOURCES[row.evidence]
    if not row.is_realtime:
        note = "A plain HTTP reply is a WAV file; its samples are taken out."
        return yes("raw", note=note, evidence=read)
    found = [_CONTAINERS[name] for name in row.formats if name in _CONTAINERS]
    return yes(*found, note=UNCERTAIN["opus"] if "opus" in row.formats else "", evidence=read)


def _encodings(row: ModelRow) -> Claim:
    found = [_ENCODINGS[name] for name in row.formats if name in _ENCODINGS]
    return yes(*found, evidence=SOURCES[row.evidence])


def _max_text(row: ModelRow) -> Claim:
    if row.max_text is None:
        return unknown("Neither for one addition nor for a session is a limit documented.")
    note = UNCERTAIN["max_text"] if row.max_text_unit == "characters" else ""
    return yes(maximum=row.max_text, unit=row.max_text_unit, note=note, evidence=SOURCES["api"])


MODELS: tuple[ModelCard, ...] = tuple(_card(row) for row in tables.models().values())
"""One card a model, the default model first."""
