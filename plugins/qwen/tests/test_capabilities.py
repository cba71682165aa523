"""What the public interface says of the models at run time, against the pages it is read from."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import vivavoce
import vivavoce_qwen
from vivavoce import Gender, UnknownLanguage, UnknownVoice, Utterance, VoiceOrigin
from vivavoce.model.capability import NAMES
from vivavoce.pipeline.plan import make_plan
from vivavoce.registry import Registry
from vivavoce_qwen import tables
from vivavoce_qwen.capabilities import count_billed, recognise_voice

SPEC = Path(__file__).parent / "spec"
MODELS = json.loads((SPEC / "qwen-models.json").read_text("utf-8"))["models"]
VOICES = json.loads((SPEC / "qwen-voices.json").read_text("utf-8"))["voices"]

TEN = {"zh", "en", "es", "ru", "it", "fr", "ko", "ja", "de", "pt"}
TAGS = {
    "Chinese": "zh",
    "English": "en",
    "Spanish": "es",
    "Russian": "ru",
    "Italian": "it",
    "French": "fr",
    "Korean": "ko",
    "Japanese": "ja",
    "German": "de",
    "Portuguese": "pt",
}
DIALECTS = {
    "Shanghainese": "wuu",
    "Beijing dialect": "zh-CN-beijing",
    "Sichuanese": "zh-CN-sichuan",
    "Nanjing dialect": "zh-CN-nanjing",
    "Shaanxi dialect": "zh-CN-shaanxi",
    "Southern Min (Hokkien)": "nan",
    "Tianjin dialect": "zh-CN-tianjin",
    "Cantonese": "yue",
}
EIGHT = set(DIALECTS.values())
# WAV and Opus are not asked for: see the plugin.
REALTIME_AUDIO = {"raw", "mp3"}


@pytest.fixture(scope="module")
def registry():
    """A registry of this plugin alone."""
    return Registry.of(vivavoce_qwen)


@pytest.fixture(scope="module")
def info(registry):
    """How the plugin introduces itself, as users get it."""
    [found] = vivavoce.providers(registry)
    return found


@pytest.fixture(scope="module")
def cards(info):
    """The cards by name."""
    return {card.name: card for card in info.models}


def claims(name, registry):
    return vivavoce.capabilities(f"qwen/{name}", registry=registry)


def stated(claim):
    """Return a claim as one comparable value: its support, and its values or limits."""
    if claim.values:
        return claim.support.value, set(claim.values)
    if claim.minimum is not None or claim.maximum is not None:
        return claim.support.value, (claim.minimum, claim.maximum, claim.unit)
    return claim.support.value


def said(truth):
    return "yes" if truth else "no"


def dialects(name):
    """Return the tags of the varieties that some voice of the model speaks."""
    return {
        DIALECTS[row["chinese_variety"]]
        for row in VOICES.values()
        if name in row["models"] + row["models_realtime"] and row["chinese_variety"] in DIALECTS
    }


def values(found):
    return ("yes", found) if found else "no"


def prosody(limits):
    """Return the reader of a prosody cell; where only words change it, there is no number."""
    return lambda name, spec, key: ("yes", limits) if spec[key] is True else "no"


def max_text(name, spec, key):
    limit = spec["text_limit"]
    return "unknown" if limit["value"] is None else ("yes", (None, limit["value"], limit["unit"]))


def limit_of(key, unit):
    return lambda name, spec, _: "no" if spec[key] is None else ("yes", (None, spec[key], unit))


def flag(key):
    return lambda name, spec, _: said(spec[key])


# Capability: what the spec says of it, for a model's name, its record and the capability.
EXPECTED = {
    "stream_out": flag("stream_out"),
    "stream_in": flag("stream_in"),
    "word_marks": flag("timestamps"),
    "sentence_marks": flag("timestamps"),
    "phoneme_marks": flag("timestamps"),
    "bookmarks": flag("ssml"),
    "ssml": flag("ssml"),
    "latex": flag("latex"),
    "instructions": flag("instructions"),
    "rate": prosody((0.5, 2.0, "ratio")),
    "pitch": prosody((-12, 12, "semitones")),
    "volume": prosody((0, 100, "steps")),
    "bit_rate": lambda name, spec, key: ("yes", (6, 510, "kbit/s")) if spec[key] else "no",
    "clone": flag("clone"),
    "design": flag("design"),
    "stock_voices": lambda name, spec, _: said(spec["voices"] == "system"),
    "languages": lambda name, spec, _: ("yes", {TAGS[word] for word in spec["languages"]}),
    "dialects": lambda name, spec, _: values(dialects(name)),
    "containers": lambda name, spec, _: (
        "yes",
        REALTIME_AUDIO if "mp3" in spec["audio"].get("formats", ()) else {"raw"},
    ),
    "encodings": lambda name, spec, _: (
        "yes",
        {"pcm_s16le"} | ({"mp3"} & set(spec["audio"].get("formats", ()))),
    ),
    "sample_rates_hz": lambda name, spec, _: ("yes", set(spec["audio"]["sample_rates"])),
    "max_text": max_text,
    "max_instructions": limit_of("instructions_limit_tokens", "tokens"),
    "rpm": limit_of("rpm", "requests"),
    "tpm": limit_of("tpm", "tokens"),
}


def test_every_capability_is_compared():
    """No capability is left out of the comparison below."""
    assert tuple(EXPECTED) == NAMES


@pytest.mark.parametrize("capability", EXPECTED)
@pytest.mark.parametrize("name", MODELS)
def test_claim(name, capability, registry):
    """Each claim of each model, as had at run time, is what the spec says."""
    expected = EXPECTED[capability](name, MODELS[name], capability)
    assert stated(claims(name, registry)[capability]) == expected, f"{name}: {capability}"


# --- the vendor's own table of features, row by row ------------------------

INSTRUCT = ("qwen3-tts-instruct-flash", "qwen3-tts-instruct-flash-2026-01-26")
VD = ("qwen3-tts-vd-2026-01-26",)
VC = ("qwen3-tts-vc-2026-01-22",)
FLASH = ("qwen3-tts-flash", "qwen3-tts-flash-2025-11-27", "qwen3-tts-flash-2025-09-18")
QWEN = ("qwen-tts", "qwen-tts-latest", "qwen-tts-2025-05-22", "qwen-tts-2025-04-10")
COLUMNS = (INSTRUCT, VD, VC, FLASH, QWEN)
ALL_NO = ("no",) * 5
ALL_YES = ("yes",) * 5
REQUESTS_180 = ("yes", (None, 180, "requests"))
REQUESTS_10 = ("yes", (None, 10, "requests"))

# Row of the page, our capability, its cell in each of the five columns.
PAGE = [
    ("languages", "languages", (("yes", TEN),) * 4 + (("yes", {"zh", "en"}),)),
    (
        "varieties",
        "dialects",
        ("no", "no", "no", ("yes", EIGHT), ("yes", {"wuu", "zh-CN-beijing", "zh-CN-sichuan"})),
    ),
    ("audio format: pcm", "encodings", (("yes", {"pcm_s16le"}),) * 5),
    ("audio format: no header", "containers", (("yes", {"raw"}),) * 5),
    ("sample rate", "sample_rates_hz", (("yes", {24_000}),) * 5),
    ("voice cloning", "clone", ("no", "no", "yes", "no", "no")),
    ("voice design", "design", ("no", "yes", "no", "no", "no")),
    ("SSML", "ssml", ALL_NO),
    ("LaTeX", "latex", ALL_NO),
    ("volume", "volume", ALL_NO),
    ("rate", "rate", ALL_NO),
    ("pitch", "pitch", ALL_NO),
    ("bit rate", "bit_rate", ALL_NO),
    ("timestamps: words", "word_marks", ALL_NO),
    ("timestamps: sentences", "sentence_marks", ALL_NO),
    ("timestamps: phonemes", "phoneme_marks", ALL_NO),
    ("instructions", "instructions", ("yes", "no", "no", "no", "no")),
    ("streaming in", "stream_in", ALL_NO),
    ("streaming out", "stream_out", ALL_YES),
    ("RPM", "rpm", (REQUESTS_180,) * 4 + (REQUESTS_10,)),
    ("TPM", "tpm", ("no", "no", "no", "no", ("yes", (None, 100_000, "tokens")))),
]
# Where the page says, within a column, that it varies by model or by voice.
VARIES = {
    ("rpm", "qwen3-tts-flash-2025-09-18"): REQUESTS_10,
    ("dialects", "qwen-tts"): "no",
    ("dialects", "qwen-tts-2025-04-10"): "no",
}
PAGE_CELLS = [
    pytest.param(capability, name, cell, id=f"{row}-{name}")
    for row, capability, cells in PAGE
    for names, cell in zip(COLUMNS, cells, strict=True)
    for name in names
]


@pytest.mark.parametrize(("capability", "name", "cell"), PAGE_CELLS)
def test_cell_of_the_page(capability, name, cell, registry):
    """Each cell of the vendor's table of features is what the model claims at run time."""
    expected = VARIES.get((capability, name), cell)
    assert stated(claims(name, registry)[capability]) == expected, f"{name}: {capability}"


@pytest.mark.parametrize("name", INSTRUCT)
@pytest.mark.parametrize("capability", ["volume", "rate", "pitch"])
def test_prosody_by_instructions(name, capability, registry):
    """Where the page says that words change the prosody, the claim tells how to say it."""
    assert "instructions" in claims(name, registry)[capability].note


@pytest.mark.parametrize("name", [name for column in COLUMNS for name in column])
def test_access(name, cards):
    """The models of the page's table are asked over HTTP, whole or as server-sent events."""
    assert cards[name].transports == ("http", "http-sse")
    assert cards[name].unavailable == ""


CHARACTERS = {
    INSTRUCT: {"cn-beijing": "0.115", "ap-southeast-1": "0.115"},
    VD: {"cn-beijing": "0.115", "ap-southeast-1": "0.115"},
    VC: {"cn-beijing": "0.115", "ap-southeast-1": "0.115"},
    FLASH: {"cn-beijing": "0.114682", "ap-southeast-1": "0.1"},
}


@pytest.mark.parametrize(
    ("name", "region", "dollars"),
    [
        (name, region, dollars)
        for names, row in CHARACTERS.items()
        for name in names
        for region, dollars in row.items()
    ],
)
def test_price_of_the_page(name, region, dollars, cards):
    """10,000 characters cost, in each region, the US dollars that the page says."""
    [price] = [p for p in cards[name].prices if (p.region, p.currency) == (region, "USD")]
    assert (price.amount, price.per, price.unit) == (Decimal(dollars), 10_000, "characters")


@pytest.mark.parametrize("name", QWEN)
def test_price_of_tokens(name, cards):
    """Tokens cost the page's US dollars by the million, which is the price in yuan converted."""
    by_unit = {(p.currency, p.unit): p for p in cards[name].prices}
    for unit, dollars, yuan in (
        ("input_tokens", "0.23", "0.0016"),
        ("output_tokens", "1.434", "0.01"),
    ):
        assert by_unit["USD", unit].amount == Decimal(dollars)
        assert by_unit["CNY", unit].amount == Decimal(yuan)
        rate = by_unit["CNY", unit].of(1) / by_unit["USD", unit].of(1)
        assert 6.5 < rate < 7.5
        assert "1,000,000" in by_unit["USD", unit].evidence.source


# --- cards -----------------------------------------------------------------


def test_provider(info):
    """The provider is qwen; its key, address, region and workspace have the vendor's variables."""
    assert (info.name, info.interface, info.licence) == ("qwen", 1, "")
    assert info.credential_env == ("DASHSCOPE_API_KEY",)
    assert info.settings == {
        "base_url": ("DASHSCOPE_HTTP_BASE_URL",),
        "region": ("DASHSCOPE_API_REGION",),
        "workspace": ("DASHSCOPE_WORKSPACE_ID",),
        "websocket_url": (),
    }
    assert info.models[0].name == "qwen3-tts-flash"
    assert info.default_rank == 0


def test_models(cards):
    """There is one card for each model of the spec."""
    assert sorted(cards) == sorted(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_card(name, cards):
    """Besides its claims a card states alias, family, regions, transports and prices."""
    card, spec = cards[name], MODELS[name]
    assert card.alias_of == (spec["alias_of"] or "")
    assert card.family == spec["family"]
    assert card.regions == tuple(spec["regions"])
    assert card.transports == (("websocket",) if spec["realtime"] else tuple(spec["transports"]))
    assert card.default_voice == ("Cherry" if spec["voices"] == "system" else "")
    assert {p.region for p in card.prices} == set(spec["regions"])
    assert card.note


@pytest.mark.parametrize("name", MODELS)
def test_prices(name, cards):
    """A card's prices are the spec's, each region's usual currency first, each with evidence."""
    found = [
        (p.region, p.currency, p.unit, p.per, float(p.amount), p.evidence is not None)
        for p in cards[name].prices
    ]
    price = MODELS[name]["price"]
    if price["unit"] == "tokens":
        rows = [("CNY", 1_000, price["cny_per_1000"]["cn-beijing"])]
        if "usd_per_1000000" in price:
            rows.append(("USD", 1_000_000, price["usd_per_1000000"]["cn-beijing"]))
        assert found == [
            ("cn-beijing", currency, f"{way}_tokens", per, amount, True)
            for currency, per, ways in rows
            for way, amount in ways.items()
        ]
        return
    order = (("cn-beijing", "CNY"), ("cn-beijing", "USD"))
    order += (("ap-southeast-1", "USD"), ("ap-southeast-1", "CNY"))
    assert found == [
        (region, currency, "characters", 10_000, price[currency.lower()][region], True)
        for region, currency in order
    ]


@pytest.mark.parametrize("name", MODELS)
def test_evidence(name, registry):
    """Every claim but an unknown one says where it was read, by address and month."""
    for capability, claim in claims(name, registry):
        if claim.support == "unknown":
            assert claim.note, capability
            continue
        assert claim.evidence is not None, capability
        assert claim.evidence.source.startswith("https://"), capability
        assert claim.evidence.date in {"2026-03", "2026-11"}, capability


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_spoken_with(name, cards):
    """No model is listed for its facts alone."""
    assert cards[name].unavailable == ""


@pytest.mark.parametrize("name", MODELS)
def test_options(name, cards):
    """Options are the way the reply comes, and what of the wire has no neutral wish."""
    spec = MODELS[name]
    wanted = ["optimize_instructions"] if spec["instructions"] else []
    wanted += ["mode"] if spec["realtime"] else ["transport"]
    wanted += ["volume"] if spec["volume"] is True else []
    wanted += ["bit_rate"] if spec["bit_rate"] else []
    assert [option.name for option in cards[name].options] == wanted


@pytest.mark.parametrize("name", [name for name in MODELS if not MODELS[name]["realtime"]])
def test_segments(name, cards):
    """A request is closed well below the model's limit."""
    card = cards[name]
    limit = card.capabilities.max_text
    # A token is at least a byte, and a Han character three.
    bytes_each = 3 if limit.unit == "tokens" else 1
    assert 0 < card.segment_chars * bytes_each < 0.75 * limit.maximum


# --- voices ----------------------------------------------------------------


@pytest.mark.parametrize("voice_id", VOICES)
def test_voice(voice_id, info):
    """Each voice has its exact id, names, models, and its own language first."""
    [voice] = [voice for voice in info.voices() if voice.id == voice_id]
    spec = VOICES[voice_id]
    own = DIALECTS.get(spec["chinese_variety"])
    assert (voice.name, voice.native_name) == (spec["name_en"], spec["name_zh"])
    assert voice.gender is Gender(spec["gender"])
    assert voice.origin is VoiceOrigin.STOCK
    assert voice.description.startswith(spec["description"])
    assert set(voice.models) == set(spec["models"] + spec["models_realtime"])
    assert voice.languages[:2] == ((own, "zh") if own else ("zh", "en"))
    assert set(voice.languages) - {own} == {TAGS[word] for word in spec["languages"]}
    assert voice.dialects == ((own,) if own else ())


def test_voices(info):
    """The voices are those of the spec; one of which the pages disagree says so."""
    assert [voice.id for voice in info.voices()] == list(VOICES)
    doubtful = [voice.id for voice in info.voices() if "withdrawn" in voice.description]
    assert doubtful == ["Ebona"]


@pytest.mark.parametrize(
    ("language", "voices"),
    [
        (None, {"Cherry"}),
        ("zh", {"Cherry"}),
        ("zh-CN", {"Cherry"}),
        ("cmn", {"Cherry"}),
        ("en-US", {"Cherry"}),
        ("pt-BR", {"Cherry"}),
        ("ko", {"Cherry"}),
        ("yue", {"Rocky", "Kiki"}),
        ("yue-HK", {"Rocky", "Kiki"}),
        ("wuu", {"Jada"}),
        ("nan", {"Roy"}),
        ("zh-CN-sichuan", {"Sunny", "Eric"}),
        ("zh-CN-beijing", {"Dylan"}),
        ("zh-cn-nanjing", {"Li"}),
        ("zh-CN-shaanxi", {"Marcus"}),
        ("zh-CN-tianjin", {"Peter"}),
    ],
)
def test_voice_for_a_language(language, voices, info, cards):
    """Asked for a language only, a voice whose own language it is speaks, Cherry among equals."""
    plan = make_plan(Utterance(text="你好", language=language), info, cards["qwen3-tts-flash"])
    assert plan.errors == ()
    assert plan.voice.id in voices


@pytest.mark.parametrize("language", sorted(EIGHT))
@pytest.mark.parametrize("name", ["qwen3-tts-instruct-flash", "qwen-tts", "qwen-tts-realtime"])
def test_a_variety_the_model_lacks(name, language, info, cards):
    """A model without voices of a Chinese variety refuses it, and does not speak Mandarin."""
    with pytest.raises(UnknownLanguage, match="does not speak"):
        make_plan(Utterance(text="你好", language=language), info, cards[name])


@pytest.mark.parametrize("name", MODELS)
def test_a_variety_claimed_has_a_voice(name, info, cards):
    """Each variety a model claims, it has a voice for."""
    tags = {tag for voice in info.voices() if name in voice.models for tag in voice.dialects}
    assert set(cards[name].capabilities.dialects.values) == tags


@pytest.mark.parametrize(
    ("model", "voice"),
    [
        ("qwen3-tts-instruct-flash", "Jennifer"),
        ("qwen3-tts-flash-2025-09-18", "Serena"),
        ("qwen-tts", "Jada"),
        ("qwen-tts-latest", "Momo"),
        ("qwen3-tts-vc-2026-01-22", "Cherry"),
        ("qwen3-tts-vd-2026-01-26", "Cherry"),
    ],
)
def test_a_voice_of_another_model(model, voice, info, cards):
    """A voice the model has not is refused before anything is sent."""
    with pytest.raises(UnknownVoice):
        make_plan(Utterance(text="你好", voice=voice), info, cards[model]).check()


CLONED = {name for name, row in MODELS.items() if row["clone"]}
REALTIME = {name for name, row in MODELS.items() if row["realtime"]}
DESIGNED = {name for name, row in MODELS.items() if row["design"]}
CLONE_ID = "qwen-tts-vc-guan_yu-voice-20260101120000123-1a2b"
DESIGN_ID = "qwen-tts-vd-announcer-voice-20260101120000123-1a2b"


@pytest.mark.parametrize(
    ("model", "voice", "origin", "models"),
    [
        ("qwen3-tts-vc-2026-01-22", CLONE_ID, "cloned", CLONED),
        ("qwen3-tts-vd-2026-01-26", DESIGN_ID, "designed", DESIGNED),
        # The form decides what a voice is, not the model it is tried with.
        ("qwen3-tts-vd-2026-01-26", CLONE_ID, "cloned", CLONED),
        ("qwen3-tts-flash", DESIGN_ID, "designed", DESIGNED),
        # Ids are opaque: one of another form is believed where such a voice must be.
        ("qwen3-tts-vc-2026-01-22", "my voice", "cloned", CLONED),
        ("qwen3-tts-vd-realtime-2026-01-15", "my voice", "designed", DESIGNED),
    ],
)
def test_custom_voice(model, voice, origin, models, cards):
    """An id of a voice of one's own is recognised, with all models of its kind."""
    found = recognise_voice(cards[model], voice)
    assert (found.id, found.origin.value, set(found.models)) == (voice, origin, models)


@pytest.mark.parametrize(
    ("model", "voice"),
    [
        ("qwen3-tts-flash", "my voice"),
        ("qwen-tts", "xyz"),
        ("qwen3-tts-vc-2026-01-22", "Cherry"),
        ("qwen3-tts-vc-2026-01-22", "cherry"),
        ("qwen3-tts-vd-2026-01-26", "ono anna"),
        ("qwen3-tts-vd-2026-01-26", "芊悦"),
        ("qwen3-tts-vc-2026-01-22", ""),
        ("qwen3-tts-vc-2026-01-22", "  "),
    ],
)
def test_no_custom_voice(model, voice, cards):
    """A system voice is none of one's own, and a model of system voices has no others."""
    assert recognise_voice(cards[model], voice) is None


# --- finding, billing, listing ---------------------------------------------


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, set(MODELS)),
        ({"transport": "http"}, set(MODELS) - REALTIME),
        ({"transport": "http-sse"}, set(MODELS) - REALTIME),
        ({"transport": "websocket"}, REALTIME),
        ({"needs": ["clone"]}, CLONED),
        ({"needs": ["design"]}, DESIGNED),
        ({"needs": ["instructions"]}, {n for n, row in MODELS.items() if row["instructions"]}),
        ({"needs": ["stream_in"]}, REALTIME),
        ({"needs": ["rate"]}, {n for n, row in MODELS.items() if row["rate"] is True}),
        ({"needs": ["ssml"]}, set()),
        ({"needs": ["word_marks"]}, set()),
        ({"language": "ko"}, {n for n, row in MODELS.items() if "Korean" in row["languages"]}),
        ({"language": "yue"}, {n for n in MODELS if "yue" in dialects(n)}),
        ({"language": "wuu"}, {n for n in MODELS if "wuu" in dialects(n)}),
        ({"language": "zh-CN-sichuan"}, {n for n in MODELS if "zh-CN-sichuan" in dialects(n)}),
        ({"region": "cn-beijing"}, set(MODELS)),
        (
            {"region": "ap-southeast-1"},
            {n for n, row in MODELS.items() if "ap-southeast-1" in row["regions"]},
        ),
    ],
    ids=lambda value: (
        "-".join(map(str, value.values())) or "all" if isinstance(value, dict) else ""
    ),
)
def test_find_models(asked, names, registry):
    """Models are found by what they claim."""
    known = vivavoce.find_models(**asked, registry=registry)
    assert {model.card.name for model in known} == names


@pytest.mark.parametrize("name", MODELS)
def test_count_billed(name, cards):
    """Characters are counted as billed; tokens are not known before they are made."""
    by_characters = MODELS[name]["price"]["unit"] != "tokens"
    assert count_billed(cards[name], "你好!") == ({"characters": 5.0} if by_characters else {})


LISTING = """
import socket, sys

class NoNetwork(socket.socket):
    def __init__(self, *args, **kwargs):
        raise AssertionError("a socket was opened")

socket.socket = NoNetwork
socket.getaddrinfo = NoNetwork

import vivavoce

[info] = [info for info in vivavoce.providers() if info.name == "qwen"]
for card in info.models:
    assert vivavoce.capabilities("qwen/" + card.name).languages
assert vivavoce.find_models(provider="qwen", needs=["clone"])
from vivavoce_qwen import tables
assert tables.voices.cache_info().currsize == 0, "voices were read"
assert len(info.voices()) == 49
own = {f"vivavoce_qwen.{name}" for name in ("customizing", "exchange", "realtime")}
heavy = (own | {"httpx2", "numpy", "websockets"}) & set(sys.modules)
assert not heavy, heavy
"""


def test_listing_is_light(tmp_path):
    """Listing needs no key and no network, and loads neither exchange nor HTTP client."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        env={"HOME": str(tmp_path), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_uncertain_is_said(registry):
    """Where the pages contradict each other, a note of the claim says so."""
    flash = claims("qwen3-tts-flash", registry)
    assert flash.max_text.note == tables.UNCERTAIN["max_text"]
    clone = claims("qwen3-tts-vc-2026-01-22", registry)
    assert clone.stream_out.note == tables.UNCERTAIN["stream_out_custom_voices"]
    assert not flash.stream_out.note
    realtime = claims("qwen3-tts-flash-realtime", registry)
    for capability, key in (
        ("volume", "volume_db"),
        ("pitch", "pitch_ratio"),
        ("bit_rate", "bit_rate"),
        ("containers", "opus"),
    ):
        assert tables.UNCERTAIN[key] in realtime[capability].note
