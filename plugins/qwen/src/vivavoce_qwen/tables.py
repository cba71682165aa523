"""
The service's facts, read from the JSON beside this module.

Models and regions are read when this module is loaded, voices and the models
that manage voices when they are first asked for.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from attrs import frozen

from vivavoce.authoring import Evidence

__all__ = [
    "AUTO",
    "LANGUAGE_TYPES",
    "SOURCES",
    "UNCERTAIN",
    "VARIETIES",
    "ManagementRow",
    "ModelRow",
    "PriceRow",
    "RegionRow",
    "VoiceRow",
    "count_billed_characters",
    "language_code",
    "language_type",
    "languages_of_voice",
    "management",
    "models",
    "regions",
    "voices",
]

AUTO = "Auto"
"""The service's word for finding the language by itself."""


@frozen(kw_only=True)
class PriceRow:
    """
    What *per* units cost in one region and currency.

    Attributes:
        amount: Decimal number, as written.
        currency: ISO 4217 code.
        per: How many units it buys.
        unit: ``characters`` (as billed), ``input_tokens``, ``output_tokens`` or ``voices``.
        evidence: Key of :data:`SOURCES`.
        region: Region id, or empty for all.
    """

    amount: str
    currency: str
    per: int
    unit: str
    evidence: str
    region: str = ""


@frozen(kw_only=True)
class ModelRow:
    """
    One model, as the service's pages describe it.

    Attributes:
        name: Name it is asked with.
        title: Name of its family for people.
        kind: ``stable``, ``latest`` or ``snapshot``.
        family: Name shared by the snapshots of one model.
        alias_of: The snapshot this name stands for, or empty.
        regions: Region ids, the default first.
        transports: ``http``, ``http-sse`` or ``websocket``.
        languages: Values of ``language_type``, without ``Auto``.
        dialects: Chinese varieties that its voices speak, in the page's words.
        voices: ``system``, ``cloned`` or ``designed``: the only voices it takes.
        instructions: Whether it follows style instructions.
        instructions_limit_tokens: Longest instructions, or None.
        volume: ``yes``, ``no``, or ``instructions`` where only words change it.
        rate: As *volume*.
        pitch: As *volume*.
        bit_rate: ``yes`` or ``no``.
        ssml: Whether it reads SSML.
        latex: Whether it reads formulas.
        timestamps: Whether it says when a word is spoken.
        stream_in: Whether text is taken piecemeal.
        stream_out: Whether audio comes piecemeal.
        formats: ``pcm``, ``wav``, ``mp3``, ``opus``.
        sample_rates_hz: The default first.
        max_text: Longest text of one request, or None where no limit is documented.
        max_text_unit: ``characters``, ``tokens`` or empty.
        rpm: Requests per minute, or None.
        tpm: Tokens per minute, or None where they are not limited.
        prices: By region, the currency usual there first.
        http_model: For a realtime model, the nearest one over HTTP; else empty.
        note: What a user should know besides, or empty.
        evidence: Key of :data:`SOURCES`: where most of this was read.
    """

    name: str
    title: str
    kind: str
    family: str
    alias_of: str
    regions: tuple[str, ...]
    transports: tuple[str, ...]
    languages: tuple[str, ...]
    dialects: tuple[str, ...]
    voices: str
    instructions: bool
    instructions_limit_tokens: int | None
    volume: str
    rate: str
    pitch: str
    bit_rate: str
    ssml: bool
    latex: bool
    timestamps: bool
    stream_in: bool
    stream_out: bool
    formats: tuple[str, ...]
    sample_rates_hz: tuple[int, ...]
    max_text: int | None
    max_text_unit: str
    rpm: int | None
    tpm: int | None
    prices: tuple[PriceRow, ...]
    http_model: str
    note: str
    evidence: str

    @property
    def is_realtime(self) -> bool:
        """Whether it speaks over a WebSocket only."""
        return self.transports == ("websocket",)


@frozen(kw_only=True)
class VoiceRow:
    """
    One system voice.

    Attributes:
        id: What is sent, exactly: case counts, and some have a space.
        name_zh: Name in Chinese.
        name_en: Name in English.
        gender: ``female`` or ``male``.
        description: One line.
        chinese_variety: ``Mandarin``, or the variety it speaks in its place.
        tag: BCP-47 tag of that.
        models: Names of the models it may be used with, realtime ones included.
        certainty: ``high``, or ``low`` where the service's tables disagree.
        note: What is odd about it, or empty.
    """

    id: str
    name_zh: str
    name_en: str
    gender: str
    description: str
    chinese_variety: str
    tag: str
    models: tuple[str, ...]
    certainty: str
    note: str


@frozen(kw_only=True)
class RegionRow:
    """
    Where a region is reached.

    Attributes:
        id: The service's region id.
        title: Name for people.
        http_base: Address below which the HTTP paths lie.
        ws_base: Address of the realtime socket.
        workspace_http: *http_base* of one workspace; ``{workspace}`` is its id.
        workspace_ws: *ws_base* of one workspace, likewise.
        evidence: Key of :data:`SOURCES`.
    """

    id: str
    title: str
    http_base: str
    ws_base: str
    workspace_http: str
    workspace_ws: str
    evidence: str


@frozen(kw_only=True)
class ManagementRow:
    """
    One model that makes and keeps voices rather than speaking.

    Attributes:
        name: Name it is asked with.
        path: Path below the region's ``http_base``.
        purpose: What it does.
        regions: Region ids.
        actions: What it can be asked to do.
        target_models: The models a voice can be made for, one each.
        languages: BCP-47 tags.
        limits: Greatest (or, so named, least) numbers, with their unit in the name.
        recording: What of a recording is no limit: media types by container, bits of a WAV's
            samples, channels, seconds advised, whether an address will do, the evidence; empty
            where none is taken.
        description_languages: BCP-47 tags a description may be in.
        preview: Formats and sample rates of the preview; empty where there is none.
        rpm: Requests per minute.
        prices: For one voice made.
        free_voices: How many are free, for how many days, in which regions.
        voices_per_account: How many are kept.
        unused_deleted_after_days: When a voice nobody speaks with is deleted.
        uncertain: What the pages leave open.
        evidence: Key of :data:`SOURCES`.
    """

    name: str
    path: str
    purpose: str
    regions: tuple[str, ...]
    actions: tuple[str, ...]
    target_models: tuple[str, ...]
    languages: tuple[str, ...]
    limits: Mapping[str, int]
    recording: Mapping[str, Any]
    description_languages: tuple[str, ...]
    preview: Mapping[str, Any]
    rpm: int
    prices: tuple[PriceRow, ...]
    free_voices: Mapping[str, Any]
    voices_per_account: int
    unused_deleted_after_days: int
    uncertain: str
    evidence: str


def _read(name: str) -> Any:
    return json.loads(resources.files(__package__).joinpath("data", name).read_bytes())


_FACTS = _read("models.json")

SOURCES: Mapping[str, Evidence] = MappingProxyType(
    {key: Evidence(**entry) for key, entry in _FACTS["sources"].items()}
)
"""Where the facts were read, and when, by the keys the rows name."""

LANGUAGE_TYPES: Mapping[str, str] = MappingProxyType(_FACTS["language_types"])
"""The service's ``language_type`` by BCP-47 primary tag."""

VARIETIES: Mapping[str, str] = MappingProxyType(_FACTS["varieties"])
"""The page's word for a Chinese variety, by BCP-47 tag."""

UNCERTAIN: Mapping[str, str] = MappingProxyType(_FACTS["uncertain"])
"""What the service's pages leave open, and which reading is taken."""


@functools.cache
def models() -> Mapping[str, ModelRow]:
    """Return the models that speak, by name; the default first."""
    rows = {}
    for family, facts in _FACTS["families"].items():
        shared = _FACTS["profiles"][facts["profile"]] | facts
        del shared["profile"], shared["models"]
        for name, own in facts["models"].items():
            row = {"alias_of": ""} | shared | own
            # The default region's prices come first, as the regions do.
            row["prices"] = tuple(_prices(row["prices"], row["regions"], row.pop("price_evidence")))
            rows[name] = ModelRow(name=name, family=family, **_tuples(row))
    return MappingProxyType(rows)


@functools.cache
def voices() -> Mapping[str, VoiceRow]:
    """Return the system voices, by id; read when first asked for."""
    facts = _read("voices.json")
    rows = {}
    for voice, row in facts["voices"].items():
        variety = row.get("variety", "Mandarin")
        usable = {name for group in row["in"] for name in facts["groups"][group]}
        rows[voice] = VoiceRow(
            id=voice,
            name_zh=row["zh"],
            name_en=row.get("en", voice),
            gender=row["gender"],
            description=row["is"],
            chinese_variety=variety,
            tag=facts["varieties"][variety],
            models=tuple(name for name in models() if name in usable),
            certainty=row.get("certainty", "high"),
            note=row.get("note", ""),
        )
    return MappingProxyType(rows)


@functools.cache
def regions() -> Mapping[str, RegionRow]:
    """Return the regions, by id; the default first."""
    facts = _read("regions.json")
    return MappingProxyType({key: RegionRow(id=key, **row) for key, row in facts.items()})


_NO_SUCH_FACTS: Mapping[str, Any] = {"recording": {}, "description_languages": [], "preview": {}}


@functools.cache
def management() -> Mapping[str, ManagementRow]:
    """Return the models that make and keep voices, by name."""
    facts = _read("management.json")
    rows = {}
    for name, own in facts["models"].items():
        row = {"path": facts["path"], **_NO_SUCH_FACTS} | own
        row["prices"] = tuple(
            PriceRow(
                amount=price["CNY"],
                currency="CNY",
                per=price["per"],
                unit=price["unit"],
                evidence=row["evidence"],
            )
            for price in row["prices"]
        )
        rows[name] = ManagementRow(name=name, **_tuples(row))
    return MappingProxyType(rows)


def _prices(
    entries: list[dict[str, Any]], order: list[str], evidence: Mapping[str, str]
) -> Iterator[PriceRow]:
    for region in order:
        for entry in entries:
            for currency, amount in entry[region].items():
                yield PriceRow(
                    amount=amount,
                    currency=currency,
                    per=entry["per"],
                    unit=entry["unit"],
                    evidence=evidence[currency],
                    region=region,
                )


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def language_type(tag: str | None) -> str:
    """
    Return the service's name for a language.

    Args:
        tag: BCP-47 tag that a model claims, or None.

    Returns:
        A value of :data:`LANGUAGE_TYPES`. A Chinese variety is ``Chinese``: the service has
        no name for it, the voice decides. ``Auto`` for None and for what has no name.
    """
    return AUTO if tag is None else LANGUAGE_TYPES.get(language_code(tag), AUTO)


def language_code(tag: str) -> str:
    """Return the two letters by which a BCP-47 *tag* is known where voices are made."""
    primary = tag.partition("-")[0].lower()
    return "zh" if primary in _OTHER_CHINESE else primary


def languages_of_voice(own: str) -> tuple[str, ...]:
    """Return the BCP-47 tags a voice speaks: *own*, its own language, and all the others."""
    return tuple(dict.fromkeys((own, *LANGUAGE_TYPES)))


_OTHER_CHINESE = {"cmn", *(tag.partition("-")[0] for tag in VARIETIES)}

# The rule names simplified and traditional characters, kanji and hanja: the ideographs of
# Unicode, whatever they are used for. The marks U+3005 to U+3007 stand in the place of one
# (人々, 〆切, 二〇二六), so they are counted with them: an estimate is better too high than too
# low. Kana, hangul, full-width forms and punctuation are no ideographs.
_HAN = re.compile(
    "["
    "\u3005-\u3007"
    "\u3400-\u4dbf"  # extension A
    "\u4e00-\u9fff"
    "\uf900-\ufaff"  # compatibility
    "\U00020000-\U0003ffff"  # planes 2 and 3: extensions B onwards, those to come included
    "]+"
)


def count_billed_characters(text: str) -> int:
    """
    Return the characters that *text* is billed as.

    A Han character counts 2, anything else 1: letters, kana, hangul, digits, punctuation,
    blanks, each code point by itself.
    """
    return len(text) + sum(map(len, _HAN.findall(text)))
