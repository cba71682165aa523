"""The tables against a second witness: the same facts, written down apart from them."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vivavoce_qwen import tables

SPEC = Path(__file__).parent / "spec"
SPEC_MODELS = json.loads((SPEC / "qwen-models.json").read_text("utf-8"))
SPEC_VOICES = json.loads((SPEC / "qwen-voices.json").read_text("utf-8"))["voices"]
MODELS = SPEC_MODELS["models"]
MANAGEMENT = SPEC_MODELS["management_models"]

VOICES_WORDS = {"system": "system", "cloned only": "cloned", "designed only": "designed"}
PROSODY_WORDS = {False: "no", True: "yes", "via instructions": "instructions"}
# The spec names a variety once with models and once, at more length, with voices.
VARIETY_OF_VOICE = {
    "Shanghainese": "Shanghainese",
    "Beijing": "Beijing dialect",
    "Sichuan": "Sichuanese",
    "Nanjing": "Nanjing dialect",
    "Shaanxi": "Shaanxi dialect",
    "Southern Min": "Southern Min (Hokkien)",
    "Tianjin": "Tianjin dialect",
    "Cantonese": "Cantonese",
}


def voices_of(model):
    """Return the spec's records of the voices that *model* has."""
    return [row for row in SPEC_VOICES.values() if model in row["models"] + row["models_realtime"]]


def spoken_dialects(model):
    """
    Return the varieties of the model's family that a voice of this very model speaks.

    The page's column is of the family; the voices decide. qwen-tts and its snapshot of
    2025-04-10 have no voice for any.
    """
    spoken = {row["chinese_variety"] for row in voices_of(model)}
    return {name for name in MODELS[model]["dialects"] if VARIETY_OF_VOICE[name] in spoken}


def formats(audio):
    """Return what audio comes as: in the stream, and in the file of a plain answer."""
    return set(audio["formats"]) if "formats" in audio else {"pcm", audio["url"]}


def prices(price):
    """Return the spec's prices as (region, currency, unit, per, amount)."""
    if price["unit"] == "10000 billed characters":
        return {
            (region, currency.upper(), "characters", 10_000, float(amount))
            for currency in ("usd", "cny")
            for region, amount in price[currency].items()
        }
    return {
        (region, currency, f"{way}_tokens", per, float(amount))
        for currency, key, per in (
            ("CNY", "cny_per_1000", 1_000),
            ("USD", "usd_per_1000000", 1_000_000),
        )
        for region, ways in price.get(key, {}).items()
        for way, amount in ways.items()
    }


# Field of a row: what the spec says of it, what the table does.
MODEL_CELLS = {
    "kind": (lambda name, spec: spec["kind"], lambda row: row.kind),
    "family": (lambda name, spec: spec["family"], lambda row: row.family),
    "alias_of": (lambda name, spec: spec["alias_of"] or "", lambda row: row.alias_of),
    "regions": (lambda name, spec: tuple(spec["regions"]), lambda row: row.regions),
    "transports": (
        lambda name, spec: ("websocket",) if spec["realtime"] else tuple(spec["transports"]),
        lambda row: row.transports,
    ),
    "realtime": (lambda name, spec: spec["realtime"], lambda row: row.is_realtime),
    "languages": (lambda name, spec: set(spec["languages"]), lambda row: set(row.languages)),
    "dialects": (lambda name, spec: spoken_dialects(name), lambda row: set(row.dialects)),
    "voices": (lambda name, spec: VOICES_WORDS[spec["voices"]], lambda row: row.voices),
    "instructions": (lambda name, spec: spec["instructions"], lambda row: row.instructions),
    "instructions_limit": (
        lambda name, spec: spec["instructions_limit_tokens"],
        lambda row: row.instructions_limit_tokens,
    ),
    "clone": (lambda name, spec: spec["clone"], lambda row: row.voices == "cloned"),
    "design": (lambda name, spec: spec["design"], lambda row: row.voices == "designed"),
    "volume": (lambda name, spec: PROSODY_WORDS[spec["volume"]], lambda row: row.volume),
    "rate": (lambda name, spec: PROSODY_WORDS[spec["rate"]], lambda row: row.rate),
    "pitch": (lambda name, spec: PROSODY_WORDS[spec["pitch"]], lambda row: row.pitch),
    "bit_rate": (lambda name, spec: bool(spec["bit_rate"]), lambda row: row.bit_rate == "yes"),
    "ssml": (lambda name, spec: spec["ssml"], lambda row: row.ssml),
    "latex": (lambda name, spec: spec["latex"], lambda row: row.latex),
    "timestamps": (lambda name, spec: spec["timestamps"], lambda row: row.timestamps),
    "stream_in": (lambda name, spec: spec["stream_in"], lambda row: row.stream_in),
    "stream_out": (lambda name, spec: spec["stream_out"], lambda row: row.stream_out),
    "formats": (lambda name, spec: formats(spec["audio"]), lambda row: set(row.formats)),
    "sample_rates": (
        lambda name, spec: set(spec["audio"]["sample_rates"]),
        lambda row: set(row.sample_rates_hz),
    ),
    "default_sample_rate": (
        lambda name, spec: spec["audio"].get("default_sample_rate", 24_000),
        lambda row: row.sample_rates_hz[0],
    ),
    "max_text": (lambda name, spec: spec["text_limit"]["value"], lambda row: row.max_text),
    "max_text_unit": (
        lambda name, spec: spec["text_limit"]["unit"] or "",
        lambda row: row.max_text_unit,
    ),
    "rpm": (lambda name, spec: spec["rpm"], lambda row: row.rpm),
    "tpm": (lambda name, spec: spec["tpm"], lambda row: row.tpm),
    "prices": (
        lambda name, spec: prices(spec["price"]),
        lambda row: {(p.region, p.currency, p.unit, p.per, float(p.amount)) for p in row.prices},
    ),
}

VOICE_CELLS = {
    "name_zh": (lambda spec: spec["name_zh"], lambda row: row.name_zh),
    "name_en": (lambda spec: spec["name_en"], lambda row: row.name_en),
    "gender": (lambda spec: spec["gender"], lambda row: row.gender),
    "description": (lambda spec: spec["description"], lambda row: row.description),
    "variety": (lambda spec: spec["chinese_variety"], lambda row: row.chinese_variety),
    "languages": (
        lambda spec: set(spec["languages"]),
        lambda row: set(tables.LANGUAGE_TYPES.values()),
    ),
    "models": (
        lambda spec: sorted(spec["models"] + spec["models_realtime"]),
        lambda row: sorted(row.models),
    ),
    "certainty": (lambda spec: spec["certainty"], lambda row: row.certainty),
    "has_note": (lambda spec: bool(spec.get("note")), lambda row: bool(row.note)),
}


def test_models_are_those_of_the_spec():
    """The table has the models of the spec, no more and no fewer, the default one first."""
    assert sorted(tables.models()) == sorted(MODELS)
    assert next(iter(tables.models())) == "qwen3-tts-flash"


@pytest.mark.parametrize("cell", MODEL_CELLS)
@pytest.mark.parametrize("name", MODELS)
def test_cell_of_a_model(name, cell):
    """Each fact of each model is as the spec has it."""
    expected, actual = MODEL_CELLS[cell]
    assert actual(tables.models()[name]) == expected(name, MODELS[name]), f"{name}: {cell}"


def test_every_fact_of_the_spec_is_compared():
    """No field of a model's record goes unread, but for remarks on it."""
    remarks = {"source", "notes"}
    read = {"audio", "text_limit", "instructions_limit_tokens", "price", *MODEL_CELLS}
    assert {key for spec in MODELS.values() for key in spec} - read == remarks


def test_voices_are_those_of_the_spec():
    """The table has the voices of the spec, in the same order."""
    assert list(tables.voices()) == list(SPEC_VOICES)


@pytest.mark.parametrize("cell", VOICE_CELLS)
@pytest.mark.parametrize("voice", SPEC_VOICES)
def test_cell_of_a_voice(voice, cell):
    """Each fact of each voice is as the spec has it."""
    expected, actual = VOICE_CELLS[cell]
    assert actual(tables.voices()[voice]) == expected(SPEC_VOICES[voice]), f"{voice}: {cell}"


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("qwen3-tts-flash-2025-09-18", 17),
        ("qwen3-tts-flash-2025-11-27", 49),
        ("qwen3-tts-instruct-flash-2026-01-26", 25),
        ("qwen-tts-2025-04-10", 4),
        ("qwen-tts-2025-05-22", 7),
        ("qwen-tts-realtime-2025-07-15", 4),
        ("qwen3-tts-vc-2026-01-22", 0),
        ("qwen3-tts-vd-2026-01-26", 0),
    ],
)
def test_how_many_voices(model, count):
    """A model has as many voices as its page says; Ebona, which is uncertain, is counted."""
    assert sum(model in row.models for row in tables.voices().values()) == count


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if row["alias_of"]])
def test_an_alias_has_the_facts_of_its_snapshot(name):
    """An alias names a model of the table and shares its voices, limits and prices."""
    row = tables.models()[name]
    snapshot = tables.models()[row.alias_of]
    same = ("family", "languages", "dialects", "voices", "regions", "rpm", "tpm", "prices")
    assert [getattr(row, field) for field in same] == [getattr(snapshot, field) for field in same]
    mine, other = (
        {voice.id for voice in tables.voices().values() if model in voice.models}
        for model in (name, row.alias_of)
    )
    assert mine == other


@pytest.mark.parametrize("region", SPEC_MODELS["endpoints"])
def test_endpoints(region):
    """A region is reached where the spec says, by a host of its own or of a workspace."""
    row = tables.regions()[region]
    spec = SPEC_MODELS["endpoints"][region]
    assert [row.http_base, row.workspace_http.replace("{workspace}", "{WorkspaceId}")] == spec[
        "http"
    ]
    assert [row.ws_base, row.workspace_ws.replace("{workspace}", "{WorkspaceId}")] == spec[
        "ws_realtime"
    ]


def test_regions():
    """There are the regions of the spec, the Chinese mainland first."""
    assert list(tables.regions()) == list(SPEC_MODELS["endpoints"])


@pytest.mark.parametrize("name", MANAGEMENT)
def test_management_models(name):
    """The models that make voices are as the spec has them: targets, quotas, prices."""
    row, spec = tables.management()[name], MANAGEMENT[name]
    assert spec["path"].endswith(row.path)
    for field in ("regions", "actions", "target_models", "languages"):
        assert getattr(row, field) == tuple(spec[field]), field
    assert row.rpm == spec["rpm"]
    assert row.voices_per_account == spec["quota_voices_per_account"]
    assert (row.unused_deleted_after_days, spec["unused_deleted_after"]) == (365, "1 year")
    assert [(p.currency, float(p.amount), p.per) for p in row.prices] == [
        ("CNY", spec["price"]["cny"], 1)
    ]
    assert f"{row.free_voices['count']} creations" in spec["price"]["free"]
    for key, limit in spec.get("limits", {}).items():
        assert row.limits[key.replace("_chars", "_characters")] == limit
    assert list(row.description_languages) == spec.get("description_languages", [])
    recording = spec.get("recording")
    assert bool(row.recording) == bool(recording)
    if recording:
        for key in ("media_types", "wav_bits"):
            assert row.recording[key] == recording[key], key
        assert list(row.recording["media_types"]) == list(recording["media_types"])
        assert row.recording["channels"] == recording["max_channels"]
        assert row.recording["advised_s"] == recording["advised_seconds"]
        assert row.recording["takes_url"] is recording["url"]
        assert row.limits["audio_s_minimum"] == recording["min_seconds"]
        assert row.limits["audio_s"] == recording["max_seconds"]
        assert row.limits["sample_rate_hz_minimum"] == recording["min_sample_rate"]
        assert row.limits["audio_bytes"] == recording["max_encoded_bytes_below"]
        source = tables.SOURCES[row.recording["evidence"]].source
        assert source.removeprefix("https://www.") in recording["source"]
    preview = spec.get("preview")
    assert bool(row.preview) == bool(preview)
    if preview:
        assert set(row.preview["formats"]) == set(preview["formats"])
        assert set(row.preview["sample_rates_hz"]) == set(preview["sample_rates"])
        assert (
            f"{row.preview['formats'][0]} {row.preview['sample_rates_hz'][0]}" == preview["default"]
        )


def test_the_targets_of_management_models_are_models():
    """A voice is made for a model of the table that takes voices of this kind, and for each."""
    kinds = {"qwen-voice-enrollment": "cloned", "qwen-voice-design": "designed"}
    for name, row in tables.management().items():
        of_kind = {m.name for m in tables.models().values() if m.voices == kinds[name]}
        assert set(row.target_models) == of_kind


def test_language_types():
    """The service's names of languages are those of the spec, Auto apart."""
    assert {tables.AUTO, *tables.LANGUAGE_TYPES.values()} == set(
        SPEC_MODELS["_meta"]["language_type_values"]
    )


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        (None, "Auto"),
        ("zh", "Chinese"),
        ("zh-CN", "Chinese"),
        ("zh-CN-sichuan", "Chinese"),
        ("cmn", "Chinese"),
        ("yue", "Chinese"),
        ("yue-HK", "Chinese"),
        ("wuu", "Chinese"),
        ("nan", "Chinese"),
        ("en", "English"),
        ("EN-us", "English"),
        ("fr", "French"),
        ("de", "German"),
        ("ru", "Russian"),
        ("it", "Italian"),
        ("es-MX", "Spanish"),
        ("pt-BR", "Portuguese"),
        ("ja", "Japanese"),
        ("ko", "Korean"),
        ("sw", "Auto"),
    ],
)
def test_language_type(tag, name):
    """A tag is named as the service names the language; a Chinese variety is Chinese."""
    assert tables.language_type(tag) == name


def test_a_source_has_an_address_and_a_date():
    """Whatever a row gives as its evidence can be looked up, and has a month."""
    for key, evidence in tables.SOURCES.items():
        assert evidence.source.startswith("https://"), key
        assert evidence.date in {"2026-03", "2026-11"}, key
    used = {row.evidence for row in tables.models().values()}
    used |= {price.evidence for row in tables.models().values() for price in row.prices}
    used |= {row.evidence for row in tables.regions().values()}
    used |= {row.evidence for row in tables.management().values()}
    assert used <= set(tables.SOURCES)


# --- characters as billed --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "billed"),
    [
        ("", 0),
        ("Hello.", 6),
        ("你好", 4),
        ("你好，world!", 11),
        ("漢語 汉语", 9),
        ("東京タワー", 7),
        ("大韓民國 한국", 11),
        ("人々", 4),
        ("〆切", 4),
        ("二〇二六", 8),
        ("ﬀ", 1),
        ("Ａ。、", 3),
        ("\u3400\u4dbf\u9fff\uf900", 8),
        ("\U00020000\U0002a6df\U0002ebf0\U0002f800\U00030000\U000323b0", 12),
        ("\u2e80", 1),
        ("⺀ㄅㄆ", 3),
        ("👍🏽", 2),
        ("e\u0301", 2),
    ],
)
def test_billed_characters(text, billed):
    """A Han character is billed as two, any other code point as one."""
    assert tables.count_billed_characters(text) == billed


@given(st.text(), st.text())
@example("中", "文")
def test_billing_is_additive(first, second):
    """However a text is cut, its parts are billed as the whole is."""
    count = tables.count_billed_characters
    assert count(first + second) == count(first) + count(second)


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_han_characters_count_twice(text):
    """A text of Han characters alone is billed as twice its length."""
    assert tables.count_billed_characters(text) == 2 * len(text)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FFF)))
def test_other_characters_count_once(text):
    """A text without Han characters is billed as its length."""
    assert tables.count_billed_characters(text) == len(text)


def test_a_book_is_counted_at_once():
    """A million characters are counted in a fraction of a second."""
    book = "春眠不觉晓，处处闻啼鸟。Spring. " * 50_000
    started = time.perf_counter()
    assert tables.count_billed_characters(book) == (10 * 2 + 2 + 8) * 50_000
    assert time.perf_counter() - started < 1
