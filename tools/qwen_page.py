"""
Write docs/reference/qwen.md from the tables of the Qwen-TTS plugin.

    python tools/qwen_page.py            # writes the page
    python tools/qwen_page.py --check    # fails if the page is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from vivavoce.authoring import DesignOffer, RecordingRules
from vivavoce_qwen import tables
from vivavoce_qwen.capabilities import DEFAULT_VOICE, SEGMENT_CHARS
from vivavoce_qwen.customizing import PAGE_SIZE
from vivavoce_qwen.offers import customizer_info
from vivavoce_qwen.tables import ModelRow, PriceRow, VoiceRow

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "qwen.md"

# Columns of the voice table: heading, and the model that stands for its group.
VOICE_COLUMNS = (
    ("F", "qwen3-tts-flash"),
    ("O", "qwen3-tts-flash-2025-09-18"),
    ("I", "qwen3-tts-instruct-flash"),
    ("Q", "qwen-tts"),
    ("L", "qwen-tts-latest"),
    ("R", "qwen-tts-realtime"),
)


def main() -> None:
    """Write the page, or compare it."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != page:
        sys.exit(f"{PAGE.name} is stale. Run: python tools/qwen_page.py")


def render() -> str:
    """Return the page."""
    return TEXT.format(
        models=_models(),
        regions=_regions(),
        languages=_languages(),
        varieties=_varieties(),
        voice_columns=_voice_columns(),
        voices=_voices(),
        prices=_prices(),
        management=_management(),
        page_size=PAGE_SIZE,
        uncertain="\n".join(f"- {reading}" for reading in tables.UNCERTAIN.values()),
        sources="\n".join(
            f"- `{key}`: {evidence.source}, {evidence.date}"
            for key, evidence in tables.SOURCES.items()
        ),
        default_voice=DEFAULT_VOICE,
        characters=SEGMENT_CHARS["characters"],
        tokens=SEGMENT_CHARS["tokens"],
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _models() -> str:
    heads = ("model", "stands for", "voices", "reached over", "regions", "a minute")
    return _table(heads, (_model(row) for row in tables.models().values()))


def _model(row: ModelRow) -> tuple[str, ...]:
    limits = [f"{row.rpm} requests"] + ([f"{row.tpm} tokens"] if row.tpm else [])
    return (
        f"`{row.name}`",
        f"`{row.alias_of}`" if row.alias_of else "",
        row.voices,
        ", ".join(row.transports),
        ", ".join(row.regions),
        ", ".join(limits),
    )


def _regions() -> str:
    heads = ("region", "where", "over HTTP", "over a WebSocket")
    rows = []
    for row in tables.regions().values():
        rows.append((f"`{row.id}`", row.title, f"`{row.http_base}`", f"`{row.ws_base}`"))
        rows.append(("", "one workspace", f"`{row.workspace_http}`", f"`{row.workspace_ws}`"))
    return _table(heads, rows)


def _languages() -> str:
    return ", ".join(f"`{tag}` {name}" for tag, name in tables.LANGUAGE_TYPES.items())


def _varieties() -> str:
    rows = []
    for tag, name in tables.VARIETIES.items():
        speakers = [row.id for row in tables.voices().values() if row.tag == tag]
        families = {row.family: None for row in tables.models().values() if name in row.dialects}
        rows.append((f"`{tag}`", name, _code(speakers), _code(families)))
    return _table(("write", "spoken", "voices", "families"), rows)


def _voice_columns() -> str:
    lines = []
    for head, model in VOICE_COLUMNS:
        holders = _same_voices(model)
        lines.append(f"- **{head}**: {_code(holders)}")
    return "\n".join(lines)


def _same_voices(model: str) -> list[str]:
    mine = _ids(model)
    family = tables.models()[model].family.removesuffix("-realtime")
    return [
        name
        for name, row in tables.models().items()
        if row.family.removesuffix("-realtime") == family
        and _ids(name) == mine
        and (row.is_realtime == tables.models()[model].is_realtime or family != "qwen-tts")
    ]


def _ids(model: str) -> set[str]:
    return {row.id for row in tables.voices().values() if model in row.models}


def _voices() -> str:
    heads = ("voice", "name", "speaks", "description", *(head for head, _ in VOICE_COLUMNS))
    return _table(heads, (_voice(row) for row in tables.voices().values()))


def _voice(row: VoiceRow) -> tuple[str, ...]:
    spoken = "" if row.tag == "zh" else f"{row.chinese_variety}, "
    note = f" {row.note}" if row.note else ""
    return (
        f"`{row.id}`",
        row.name_zh,
        f"{spoken}{row.gender}",
        f"{row.description}.{note}",
        *("x" if model in row.models else "" for _, model in VOICE_COLUMNS),
    )


def _prices() -> str:
    found: dict[tuple[PriceRow, ...], list[ModelRow]] = {}
    for row in tables.models().values():
        found.setdefault(row.prices, []).append(row)
    heads = ("families", "region", "price", "read")
    rows = []
    for prices, holders in found.items():
        families = _code({row.family: None for row in holders})
        for price in prices:
            units = price.unit.replace("_", " ")
            rows.append(
                (
                    families,
                    price.region,
                    f"{price.amount} {price.currency} for {price.per:,} {units}",
                    f"`{price.evidence}`, {tables.SOURCES[price.evidence].date}",
                )
            )
            families = ""
    return _table(heads, rows)


def _management() -> str:
    heads = ("model", "for", "a voice costs", "free", "kept", "a minute")
    rows = []
    for row in tables.management().values():
        free = row.free_voices
        rows.append(
            (
                f"`{row.name}`",
                row.purpose,
                ", ".join(f"{price.amount} {price.currency}" for price in row.prices),
                f"{free['count']} in the first {free['days']} days ({', '.join(free['regions'])})",
                f"{row.voices_per_account} an account, unused ones for a year",
                f"{row.rpm} requests",
            )
        )
    notes = "\n".join(f"- `{row.name}`: {row.uncertain}" for row in tables.management().values())
    return f"{_table(heads, rows)}\n\n{_offers()}\n\n{notes}"


def _offers() -> str:
    info = customizer_info()
    clone, design = info.clone, info.design
    assert clone is not None
    assert design is not None
    rows = [
        ("made for", _code(clone.models), _code(design.models)),
        ("in", ", ".join(clone.regions), ", ".join(design.regions)),
        ("named", clone.name.meaning, design.name.meaning),
        ("made from", _recording(clone.recording), _description(design)),
        ("transcript", "may be given", ""),
        ("languages", _code(clone.languages), f"{_code(design.languages)}, of the preview"),
        ("preview", "none", _preview(design)),
    ]
    return _table(("", "cloning", "design"), rows)


def _recording(rules: RecordingRules) -> str:
    assert rules.advised_s is not None
    bits = " or ".join(map(str, rules.wav_bits))
    kinds = ", ".join(name.upper() for name in rules.containers)
    channels = "mono" if rules.max_channels == 1 else f"{rules.max_channels} channels"
    return (
        f"{kinds} (WAV: {bits} bit), {channels}, {rules.min_sample_rate_hz} Hz or more; "
        f"{rules.min_s} to {rules.max_s} s, best {rules.advised_s[0]} to {rules.advised_s[1]} s; "
        f"a file of at most {rules.max_bytes:,} bytes, which as base64 are just below 10 MB, "
        "or a public address"
    )


def _description(offer: DesignOffer) -> str:
    tags = " or ".join(f"`{tag}`" for tag in offer.description_languages)
    return f"a description of at most {offer.max_description} characters, in {tags}"


def _preview(offer: DesignOffer) -> str:
    rates = ", ".join(map(str, offer.preview_rates_hz))
    return (
        f"of at most {offer.max_preview} characters; {_code(offer.preview_formats)} at {rates} Hz, "
        "the usual one first"
    )


TEXT = """\
# Qwen-TTS

The provider `qwen` of the distribution `vivavoce-qwen`: the speech models of Alibaba Cloud Model
Studio (DashScope). Written by `tools/qwen_page.py` from the plugin's tables; a test fails when it
is stale. What each model claims, capability by capability, is in the
[capability table](capabilities.md).

The facts are those of the vendor's public pages, named with their dates under
[Sources](#sources). Where the pages contradict each other or are silent, that is said under
[Uncertain](#uncertain), with the reading taken.

```python
import vivavoce

found = vivavoce.find_models(provider="qwen", needs=["instructions"])
assert [model.card.name for model in found] == [
    "qwen3-tts-instruct-flash",
    "qwen3-tts-instruct-flash-2026-01-26",
    "qwen3-tts-instruct-flash-realtime",
    "qwen3-tts-instruct-flash-realtime-2026-01-22",
]
```

## Settings

| setting | variable of the vendor's |
|---|---|
| `api_key` | `DASHSCOPE_API_KEY` |
| `base_url` | `DASHSCOPE_HTTP_BASE_URL` |
| `region` | `DASHSCOPE_API_REGION` |
| `workspace` | `DASHSCOPE_WORKSPACE_ID` |

A key belongs to one region. See [Settings](settings.md) for where else they may be written.

## Models

{models}

- *system* voices are those [below](#voices); the voice where none is asked for is
  `{default_voice}`. Models of *cloned* and *designed* voices take those only, by the id the service
  gave; a voice is bound to the one model it was made for.
- A name that stands for another may come to mean a newer one; a snapshot stays.
- Models over a WebSocket also take text [while they speak](../how-to/speak-as-text-comes.md).
- Limits are those of the main account, over all its keys and workspaces.
- A long text is sent in several requests, each closed at the next sentence end after
  {characters} characters; for `qwen-tts`, whose limit is in tokens, after {tokens}.

The option `transport` chooses how audio comes: `http-sse`, while it is made, or `http`, as a file
that is fetched when all is made. Both are 24 kHz, mono, 16 bit.

## Regions

{regions}

The Chinese mainland is the default. A family of a single region exists there only.

## Languages

{languages}. `qwen-tts` and its realtime sibling speak Chinese and English only. Without a language
the service finds it by itself, as it does best for mixed text.

A Chinese variety is carried by the voice; the service itself knows it as Chinese. Asking for one
chooses a voice that speaks it:

{varieties}

## Voices

{voice_columns}

A voice that speaks a variety speaks it in place of Mandarin, and the nine other languages besides.
Ids are sent as they stand here; some hold a blank.

{voices}

## Prices

Characters are counted as billed: a Han character (simplified, traditional, kanji or hanja) is two,
anything else is one. Tokens are counted by the service: a second of audio is 50, and less than a
second also; so what a text will cost with `qwen-tts` is not known before it is spoken.

{prices}

Prices change; what counts is what the vendor's page says today.

## Making voices

These models make, list and delete voices of one's own. A voice speaks with the one model it was
made for. Cloned voices and designed ones are listed apart, in pages of {page_size}. To delete a
voice that is not there is no failure. The preview of a designed voice comes once, when it is made.

{management}

## Uncertain

{uncertain}

## Sources

{sources}
"""

if __name__ == "__main__":
    main()
