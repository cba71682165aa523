import importlib.util

import attrs
import pytest

from vivavoce.errors import (
    CapabilityError,
    InvalidValue,
    MarkupError,
    MissingDependency,
    PluginError,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
)
from vivavoce.face import make_utterance
from vivavoce.model.audio import AudioFormat
from vivavoce.model.capability import no, unknown, yes
from vivavoce.model.card import Option, Price
from vivavoce.model.report import How
from vivavoce.model.utterance import Utterance
from vivavoce.model.voice import Voice
from vivavoce.pipeline.plan import make_plan
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider
from vivavoce.text.segment import Segment


def plan_of(fake=None, *, strict=False, region=None, capabilities=None, **wishes):
    fake = fake or FakeProvider()
    if capabilities:
        fake.with_card(capabilities=attrs.evolve(FAKE_CAPABILITIES, **capabilities))
    utterance = Utterance(**{"text": "Hello there.", **wishes})
    return make_plan(utterance, fake.info, fake.info.models[0], strict=strict, region=region)


def how(plan, wish):
    return [decision.how for decision in plan.decisions if decision.wish == wish]


def refusal(plan):
    with pytest.raises((CapabilityError, InvalidValue, MissingDependency)) as caught:
        plan.check()
    return caught.value


def test_a_plain_text_is_native():
    """A text with no wishes is wholly native, and nothing is warned of."""
    plan = plan_of()
    plan.check()
    assert {How.NATIVE} == {decision.how for decision in plan.decisions}
    assert plan.warnings == ()
    assert str(plan.selector) == "fake/one:ann"


@pytest.mark.parametrize("text", ["", "   \n\t", "...!?", "—«»"])
def test_nothing_to_speak_is_refused(text):
    """A text with nothing speakable in it is refused."""
    with pytest.raises(InvalidValue):
        plan_of(text=text)


@pytest.mark.parametrize("text", ["a\ud800b", "a\x00b"])
def test_what_cannot_be_sent_is_refused(text):
    """A lone surrogate or a NUL is refused with its place."""
    with pytest.raises(InvalidValue, match="1"):
        plan_of(text=text)


def test_text_over_the_limit_is_emulated():
    """A text over the model's limit is spoken in several requests, and the plan says so."""
    plan = plan_of(text="One sentence here. " * 20)
    assert how(plan, "text") == [How.EMULATED]
    assert all(len(segment.text) <= 200 for segment in plan.segments())


def test_preferred_size_is_no_emulation():
    """Splitting for comfort, below the limit, is the model's own business."""
    fake = FakeProvider().with_card(segment_chars=20)
    plan = plan_of(fake, text="One sentence here. " * 5)
    assert how(plan, "text") == [How.NATIVE]
    assert len(list(plan.segments())) > 2


def test_limits_in_bytes():
    """A limit stated in bytes is measured in UTF-8 bytes."""
    limit = {"max_text": yes(maximum=12, unit="bytes")}
    plan = plan_of(text="\u4f60\u597d\u554a\u3002" * 5, capabilities=limit)
    assert all(len(segment.text.encode()) <= 12 for segment in plan.segments())
    assert len(list(plan.segments())) >= 5


@pytest.mark.parametrize("unit", ["bytes", "tokens"])
def test_what_is_said_of_limits_in_bytes(unit):
    """What a plan says of a text goes by the measure of its limit, and names it."""
    limit = {"max_text": yes(maximum=30, unit=unit)}
    (warning,) = plan_of(text="一二三四五六七八九十，再", capabilities=limit).warnings
    assert "36 bytes are spoken in several requests of at most 30" in warning
    fits = plan_of(text="一二三四五六七八九十", capabilities=limit, segment_chars=15)
    (said,) = [decision.detail for decision in fits.decisions if decision.wish == "text"]
    assert said == "10 characters in one request"


@pytest.mark.parametrize(
    ("wanted", "spoken", "how_"),
    [
        ("en-US", "en-US", How.NATIVE),
        ("en", "en-US", How.NATIVE),
        ("EN-us", "en-US", How.NATIVE),
        ("en-GB", "en-US", How.EMULATED),
        ("de-AT", "de", How.EMULATED),
    ],
)
def test_languages(wanted, spoken, how_):
    """A language is answered by itself or by a near one, which is reported."""
    plan = plan_of(language=wanted)
    assert (spoken, [how_]) == (plan.language, how(plan, "language"))


@pytest.mark.parametrize("language", ["ja", "xx", "qq-QQ"])
def test_other_languages_are_refused(language):
    """A language the model lacks, or that is none, is refused."""
    with pytest.raises(UnknownLanguage):
        plan_of(language=language)


def test_language_chooses_the_voice():
    """Without a voice the first that speaks the language is taken."""
    assert plan_of(language="de").voice.id == "ben"


def test_voice_against_language():
    """A voice that does not speak the language asked for is refused."""
    assert "speaks en-US, not 'de'" in str(refusal(plan_of(voice="ann", language="de")))


@pytest.mark.parametrize("name", ["ann", "ANN", "Ann"])
def test_voices_by_id_or_name(name):
    """A voice is found by its id, or by id or name in any case."""
    assert plan_of(voice=name).voice.id == "ann"


def test_unknown_voice_suggests():
    """An unknown voice names near ones."""
    with pytest.raises(UnknownVoice, match="Did you mean 'ann'") as caught:
        plan_of(voice="anm")
    assert "ann" in caught.value.nearest


def test_voice_of_another_model():
    """A voice of another model is refused with the models it belongs to."""
    with pytest.raises(UnknownVoice, match="belongs to gone") as caught:
        plan_of(voice="old")
    assert "speaks with" not in str(caught.value)


@pytest.mark.parametrize(
    ("wish", "capability"),
    [({"instructions": "cheerful"}, "instructions"), ({"marks": ["phoneme"]}, "phoneme_marks")],
)
def test_unclaimed_is_refused(wish, capability):
    """What the model does not claim is refused, naming the capability."""
    assert capability == refusal(plan_of(**wish)).capability


def test_unknown_claims_are_refused_as_such():
    """An unknown claim is refused, and called unknown."""
    error = refusal(plan_of(capabilities={"instructions": unknown()}, instructions="cheerful"))
    assert "is not known to follow style instructions" in str(error)


def test_instructions_limit():
    """Instructions over the limit are refused with both figures."""
    claims = {"instructions": yes(), "max_instructions": yes(maximum=5, unit="characters")}
    assert "measure 8 characters, and 'one' takes 5" in str(
        refusal(plan_of(capabilities=claims, instructions="cheerful"))
    )


def test_prosody_native_and_refused():
    """Rate inside the limits is native, outside is refused with them, pitch is not claimed."""
    assert how(plan_of(prosody=make_utterance("x", {"rate": 1.5}, None).prosody), "rate_ratio") == [
        How.NATIVE
    ]
    fast = refusal(plan_of(prosody=make_utterance("x", {"rate": 3.0}, None).prosody))
    assert "rate_ratio from 0.5 to 2 ratio, not 3" in str(fast)
    high = refusal(plan_of(prosody=make_utterance("x", {"pitch": 2.0}, None).prosody))
    assert high.capability == "pitch"


def test_volume_is_emulated():
    """A volume the model does not do is done by core, and reported."""
    plan = plan_of(prosody=make_utterance("x", {"volume": -6.0}, None).prosody)
    assert (how(plan, "volume_db"), plan.gain_db, plan.prosody.volume_db) == (
        [How.EMULATED],
        -6.0,
        0.0,
    )


def test_ssml_is_refused_where_unclaimed():
    """SSML for a model without is refused."""
    assert refusal(plan_of(text="<speak>Hi</speak>", ssml=True)).capability == "ssml"


def test_ssml_elements_are_checked():
    """An SSML element the model does not claim is named."""
    claims = {"ssml": yes("speak", "break")}
    plan_of(text="<speak>Hi <break/>you</speak>", ssml=True, capabilities=claims).check()
    plan = plan_of(
        text="<speak>Hi <emphasis>you</emphasis></speak>", ssml=True, capabilities=claims
    )
    assert "<emphasis>; it reads speak, break" in str(refusal(plan))


def test_ssml_that_does_not_parse():
    """SSML that does not parse is refused with line and column."""
    with pytest.raises(MarkupError) as caught:
        plan_of(text="<speak>\n  <b>Hi</speak>", ssml=True, capabilities={"ssml": yes("speak")})
    assert caught.value.line == 2


def test_ssml_with_nothing_to_speak():
    """SSML without any speakable text is refused."""
    with pytest.raises(InvalidValue, match="speak"):
        plan_of(
            text="<speak><break/></speak>", ssml=True, capabilities={"ssml": yes("speak", "break")}
        )


def test_ssml_is_not_segmented():
    """SSML over the limit is refused rather than cut."""
    text = f"<speak>{'word ' * 60}</speak>"
    plan = plan_of(text=text, ssml=True, capabilities={"ssml": yes("speak")})
    assert "SSML is not segmented" in str(refusal(plan))


@pytest.mark.parametrize(
    ("wish", "source", "target", "decisions"),
    [
        ({}, 16_000, "raw/pcm_s16le 16000 Hz mono", {How.NATIVE}),
        ({"sample_rate_hz": 8_000}, 8_000, "raw/pcm_s16le 8000 Hz mono", {How.NATIVE}),
        (
            {"sample_rate_hz": 12_000},
            16_000,
            "raw/pcm_s16le 12000 Hz mono",
            {How.NATIVE, How.EMULATED},
        ),
        (
            {"sample_rate_hz": 48_000},
            16_000,
            "raw/pcm_s16le 48000 Hz mono",
            {How.NATIVE, How.EMULATED},
        ),
        ({"format": "wav"}, 16_000, "wav/pcm_s16le 16000 Hz mono", {How.NATIVE}),
        ({"format": "mp3"}, 16_000, "mp3/mp3 16000 Hz mono", {How.NATIVE, How.EMULATED}),
        ({"channels": 2}, 16_000, "raw/pcm_s16le 16000 Hz stereo", {How.NATIVE, How.EMULATED}),
    ],
)
def test_formats(wish, source, target, decisions):
    """The provider is asked for the least that loses nothing; the rest is conversion, reported."""
    plan = plan_of(**wish)
    assert (source, target) == (plan.source.sample_rate_hz, str(plan.target))
    assert decisions == {d.how for d in plan.decisions}


def test_opus_takes_its_own_rates():
    """Opus is encoded at a rate it has, and the resampling is reported."""
    plan = plan_of(format="ogg", sample_rate_hz=22_050)
    assert plan.target.sample_rate_hz == 24_000


def test_native_formats_pass_unread():
    """A format the provider delivers itself is asked of it and not converted."""
    claims = {"containers": yes("raw", "mp3"), "encodings": yes("pcm_s16le", "mp3")}
    plan = plan_of(format="mp3", capabilities=claims)
    assert plan.source == plan.target == AudioFormat.named("mp3", sample_rate_hz=16_000)


@pytest.mark.parametrize("wish", [{"format": "mp3"}, {"sample_rate_hz": 12_000}])
def test_without_the_extra(monkeypatch, wish):
    """Without the audio extra a conversion is refused in the plan, naming the extra."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in ("soxr", "soundfile", "numpy") else find_spec(name),
    )
    error = refusal(plan_of(**wish))
    assert isinstance(error, MissingDependency)
    assert (error.extra, "pip install 'vivavoce[audio]'" in str(error)) == ("audio", True)


def test_strict_refuses_emulation():
    """With strict what would be emulated is refused."""
    error = refusal(plan_of(strict=True, sample_rate_hz=12_000))
    assert "strict=True refuses" in str(error)
    plan_of(strict=True).check()


def test_options():
    """An option is checked against the card, and an unknown one suggests a known."""
    option = Option(name="variant", meaning="x", type=str, values=("a", "b"))
    fake = FakeProvider().with_card(options=(option,))
    plan_of(fake, options={"variant": "a"}).check()
    assert "cannot be 'c'" in str(refusal(plan_of(fake, options={"variant": "c"})))
    assert "Did you mean 'variant'" in str(refusal(plan_of(fake, options={"varient": "a"})))


def test_prices_by_region():
    """The estimate takes the price of the region, and counts as the provider counts."""
    prices = tuple(
        Price(amount=amount, currency=currency, per=1000, unit="characters", region=region)
        for amount, currency, region in (("1.00", "CNY", "cn"), ("0.20", "USD", "sg"))
    )
    fake = FakeProvider().with_card(prices=prices, is_free=False)
    fake.info = attrs.evolve(
        fake.info, count_billed=lambda _, text: {"characters": 2.0 * len(text)}
    )
    estimate = plan_of(fake, text="x" * 50, region="sg").estimate
    assert (f"{estimate.cost:.2f}", estimate.currency, estimate.units) == (
        "0.02",
        "USD",
        {"characters": 100.0},
    )
    assert plan_of(fake, text="x").estimate.currency == "CNY"
    assert plan_of(FakeProvider().with_card(is_free=False)).estimate.cost is None


def test_a_card_without_rates_is_refused():
    """A model that states no sample rate cannot be planned."""
    with pytest.raises(InvalidValue, match="no sample rate"):
        plan_of(capabilities={"sample_rates_hz": no()})


def test_blanks_are_not_sent():
    """A run of blanks or dots longer than a request is passed over, wherever it stands."""
    for filler in (" " * 900, "." * 900, "\n" * 900):
        for text in (f"{filler}One. Two.", f"One.{filler}Two.", f"One. Two.{filler}"):
            segments = list(plan_of(text=text).segments())
            assert "".join("".join(s.text.split()) for s in segments).replace(".", "") == "OneTwo"
            assert [s.is_last for s in segments] == [False] * (len(segments) - 1) + [True]
            assert all(text[s.start :].startswith(s.text) for s in segments)
            assert all(any(map(str.isalpha, s.text)) for s in segments)


# What a provider of a cloud brings


def test_an_unavailable_model_is_refused():
    """A model that is listed for its facts alone is refused with the reason on the card."""
    plan = plan_of(FakeProvider().with_card(unavailable="it speaks over telegraph only."))
    assert how(plan, "model") == [How.REFUSED]
    with pytest.raises(CapabilityError, match=r"fake/one cannot be used: .*telegraph only"):
        plan.check()


def two_models():
    """A provider with a model in two regions and another in one."""
    fake = FakeProvider().with_card(regions=("cn", "sg"))
    (card,) = fake.info.models
    older = attrs.evolve(card, name="old", regions=("cn",))
    fake.info = attrs.evolve(fake.info, models=(card, older))
    return fake


def plan_for(fake, model, region):
    card = next(card for card in fake.info.models if card.name == model)
    return make_plan(Utterance(text="Hello.", voice="ann"), fake.info, card, region=region)


@pytest.mark.parametrize(("region", "asked"), [(None, "cn"), ("cn", "cn"), ("sg", "sg")])
def test_regions(region, asked):
    """A model is asked in the region given, else in its first."""
    plan = plan_for(two_models(), "one", region)
    plan.check()
    assert plan.region == asked


def test_a_region_that_is_none():
    """A region the provider does not have is refused, with those it has."""
    fake = two_models().with_card(regions=("cn-north", "sg-1"))
    with pytest.raises(InvalidValue, match=r"'cn-nroth'.*mean 'cn-north'.*cn-north, sg-1"):
        plan_for(fake, "one", "cn-nroth").check()


def test_a_region_without_the_model():
    """A model that is not in the region is refused, with where it is."""
    fake = two_models()
    fake.info = attrs.evolve(fake.info, voices=lambda: (Voice(id="ann", models=("one", "old")),))
    with pytest.raises(UnknownModel, match="'sg', only in cn"):
        plan_for(fake, "old", "sg").check()


def test_a_region_without_the_model_suggests():
    """Of a region without the model, the models nearest by name that are there are told."""
    fake = two_models()
    (card, _) = fake.info.models
    cards = [
        attrs.evolve(card, name=name, regions=regions)
        for name, regions in (("tts-one", ("cn",)), ("tts-onf", ("cn",)), ("tts-ona", ("sg",)))
    ]
    fake.info = attrs.evolve(
        fake.info,
        models=tuple(cards),
        voices=lambda: (Voice(id="ann", models=tuple(card.name for card in cards)),),
    )
    with pytest.raises(UnknownModel) as caught:
        plan_for(fake, "tts-one", "sg").check()
    assert tuple(caught.value.nearest) == ("tts-ona",)


def test_a_provider_without_regions_takes_any():
    """Where a provider names no regions, what is given is left to it."""
    plan = plan_of(region="moon")
    plan.check()
    assert plan.region == "moon"


@pytest.mark.parametrize("wishes", [{}, {"language": "en"}])
def test_a_default_voice_that_is_none(wishes):
    """A default that names no voice of the model is the plugin's mistake, and said so."""
    with pytest.raises(PluginError, match="'nobody' as its default voice") as caught:
        plan_of(FakeProvider().with_card(default_voice="nobody"), **wishes)
    assert (caught.value.provider, caught.value.model) == ("fake", "one")


OWN = {"stock_voices": no(), "clone": yes()}


def with_own_voices(**capabilities):
    """A provider that speaks with voices cloned by its users, whose ids begin with c-."""
    fake = FakeProvider().with_card(
        capabilities=attrs.evolve(FAKE_CAPABILITIES, **capabilities), default_voice=""
    )

    def recognise(card, voice_id):
        if not voice_id.startswith("c-"):
            return None
        return Voice(
            id=voice_id, origin="cloned", models=("other",) if "x" in voice_id else ("one",)
        )

    fake.info = attrs.evolve(fake.info, recognise_voice=recognise)
    return fake


def test_a_voice_of_ones_own():
    """An id that is not listed but recognised is a voice like any other."""
    plan = plan_of(with_own_voices(**OWN), voice="c-me")
    plan.check()
    assert (plan.voice.id, plan.voice.origin) == ("c-me", "cloned")


@pytest.mark.parametrize(
    ("voice", "message"),
    [
        ("c-x", r"'c-x' is not one of fake/one; it belongs to other\. .*cloned voices only"),
        ("old", r"'old' is not one of fake/one; it belongs to gone\. .*cloned voices only"),
        ("nobody", "has no voice 'nobody'"),
    ],
)
def test_a_voice_of_another_model(voice, message):
    """A voice of another model, stock or one's own, is refused with where it belongs."""
    with pytest.raises(UnknownVoice, match=message):
        plan_of(with_own_voices(**OWN), voice=voice)


def test_a_model_without_voices_needs_one():
    """Where a model speaks with voices of one's own alone, one must be given."""
    plan = plan_of(with_own_voices(**OWN))
    with pytest.raises(InvalidValue, match="give voice= the id of a cloned one"):
        plan.check()
    # A provider that chooses by itself is left to it.
    plan_of(with_own_voices(stock_voices=no(), clone=no())).check()
    plan_of(with_own_voices(stock_voices=yes(), clone=yes())).check()


def test_a_listed_voice_is_not_guessed_at():
    """A voice that is listed for another model is that model's, however its id looks."""
    fake = with_own_voices(**OWN)
    fake.info = attrs.evolve(
        fake.info, recognise_voice=lambda _, voice_id: Voice(id=voice_id, models=("one",))
    )
    with pytest.raises(UnknownVoice, match="belongs to gone"):
        plan_of(fake, voice="old")


def test_a_voice_that_knows_its_models():
    """A Voice is held to the models it names, and one that names none is taken anywhere."""
    assert plan_of(voice=Voice(id="v-1", models=("one",))).voice.id == "v-1"
    assert plan_of(voice=Voice(id="v-1")).voice.id == "v-1"
    german = Voice(id="v-1", languages=("de",))
    assert "speaks de, not 'en-US'" in str(refusal(plan_of(voice=german, language="en-US")))
    with pytest.raises(UnknownVoice, match=r"'v-1' is not one of .* belongs to two, three"):
        plan_of(voice=Voice(id="v-1", models=("two", "three")))


def test_a_voice_is_an_id_or_a_voice():
    """Anything else is refused."""
    with pytest.raises(InvalidValue, match="its id or a Voice"):
        Utterance(text="x", voice=7)


def priced(*rows, units=None):
    prices = tuple(
        Price(amount=amount, currency=currency, per=1000, unit=unit, region=region)
        for amount, currency, region, unit in rows
    )
    fake = two_models().with_card(prices=prices, is_free=False)
    if units is not None:
        fake.info = attrs.evolve(fake.info, count_billed=lambda _card, _text: units)
    return fake


def test_estimates_by_region_and_currency():
    """There is an estimate for each region and currency, those of the region asked first."""
    fake = priced(
        ("1.0", "CNY", "cn", "characters"),
        ("0.2", "USD", "cn", "characters"),
        ("0.1", "USD", "sg", "characters"),
    )
    shown = [
        (found.region, found.currency, f"{found.cost:.4f}")
        for found in plan_of(fake, text="x" * 100, region="sg").estimates
    ]
    assert shown == [("sg", "USD", "0.0100"), ("cn", "CNY", "0.1000"), ("cn", "USD", "0.0200")]
    assert plan_of(fake).estimate.currency == "CNY"


def test_a_price_for_all_regions():
    """A price that holds everywhere is one of the region asked."""
    fake = priced(("1.0", "CNY", "cn", "characters"), ("0.2", "USD", "", "characters"))
    found = [(each.region, each.currency) for each in plan_of(fake, region="sg").estimates]
    assert found == [("", "USD"), ("cn", "CNY")]


def test_what_is_free_costs_nothing():
    """A free model costs nothing, without any price."""
    assert plan_of(FakeProvider().with_card(is_free=True, prices=())).estimate.cost == 0


def test_no_price_of_another_region():
    """Where no price of the region is known, none of another is given as its own."""
    fake = priced(("1.0", "CNY", "cn", "characters"))
    plan = plan_of(fake, region="sg")
    assert (plan.estimate.region, plan.estimate.cost, plan.estimate.prices) == ("sg", None, ())
    assert plan.cost_of({"characters": 5.0}) is None


def test_several_prices_together():
    """A model billed by two units costs their sum, and is not known while one is missing."""
    fake = priced(
        ("1.0", "CNY", "cn", "input_tokens"), ("2.0", "CNY", "cn", "output_tokens"), units={}
    )
    plan = plan_of(fake)
    assert plan.estimate.cost is None
    assert [price.unit for price in plan.estimate.prices] == ["input_tokens", "output_tokens"]
    assert plan.cost_of({"input_tokens": 10.0}) is None
    assert f"{plan.cost_of({'input_tokens': 10.0, 'output_tokens': 20.0}):.2f}" == "0.05"


def texts(plan):
    return [segment.text for segment in plan.segments()]


SENTENCES = "One two three. Four five six. Seven eight nine. Ten eleven twelve."


def test_the_caller_sets_the_length_of_a_request():
    """Requests are held to the caller's limit as well as to the model's, and nothing is lost."""
    assert texts(plan_of(text=SENTENCES)) == [SENTENCES]
    parts = texts(plan_of(text=SENTENCES, segment_chars=20))
    assert "".join(parts) == SENTENCES
    assert max(map(len, parts)) <= 20
    (said,) = plan_of(text="Hello there. " * 5, segment_chars=30).decisions[:1]
    assert said.detail == "spoken in several requests of about 30 characters"
    # The model's own limit, 200 characters, stays in force.
    for text in (SENTENCES * 10, "word " * 100):
        assert max(map(len, texts(plan_of(text=text, segment_chars=5000)))) <= 200
    # So does the size it prefers.
    fake = FakeProvider().with_card(segment_chars=20)
    assert len(texts(plan_of(fake, text=SENTENCES, segment_chars=150))) > 2


def test_the_voice_tells_the_language_of_the_text():
    """Where no language is given, sentences are those of the voice's own."""
    fake = FakeProvider().with_card(segment_chars=8)
    german = plan_of(fake, text="Am 3. Mai kam er. Er ging.", voice="ben")
    assert texts(german) == ["Am 3. Mai kam er. ", "Er ging."]


def test_a_large_limit_is_made_use_of():
    """A text that a model takes whole is one request, however long it is."""
    limit = {"max_text": yes(maximum=9_000, unit="characters")}
    text = SENTENCES * 50
    assert texts(plan_of(text=text, capabilities=limit)) == [text]


@pytest.mark.parametrize("unit", ["bytes", "tokens"])
def test_both_limits_hold_in_bytes(unit):
    """A limit in bytes, or in tokens, holds beside the caller's limit in characters."""
    capabilities = {"max_text": yes(maximum=30, unit=unit)}
    for text in (
        SENTENCES,
        "一二三四。五六七八。九十一二。三四五六。",
        "一二三四五六七八九十" * 4,
    ):
        parts = texts(plan_of(text=text, capabilities=capabilities, segment_chars=12))
        assert "".join(parts) == text
        assert all(len(part) <= 12 and len(part.encode()) <= 30 for part in parts)


def test_a_limit_where_the_model_has_none():
    """The caller's limit holds for a model that states none."""
    plan = plan_of(text=SENTENCES, capabilities={"max_text": yes()}, segment_chars=20)
    assert max(map(len, texts(plan))) <= 20


@pytest.mark.parametrize("value", [0, -1, 1.5, "9", True])
def test_a_length_that_is_none(value):
    """A length of requests is a whole number from 1."""
    with pytest.raises(InvalidValue, match="whole number of characters from 1"):
        Utterance(text="x", segment_chars=value)


def test_instructions_in_tokens_are_left_to_the_server():
    """Instructions limited in tokens are not counted here, where they could only be miscounted."""
    claims = {"instructions": yes(), "max_instructions": yes(maximum=3, unit="tokens")}
    plan_of(instructions="a b c d e f", capabilities=claims).check()


KOREAN = "안녕하세요 여러분. " * 40


def test_smaller_segments_keep_the_strictest_measure():
    """What a server finds too long is cut so that it fits however it counts, from there on."""
    plan = plan_of(text=KOREAN, capabilities={"max_text": yes(maximum=200, unit="characters")})
    first, second, *_ = plan.segments()
    assert len(second.text.encode()) > 200
    pieces = list(plan.smaller_segments(second, 200))
    assert "".join(piece.text for piece in pieces) == KOREAN[second.start :]
    assert pieces[0].start == len(first.text)
    assert all(KOREAN.startswith(piece.text, piece.start) for piece in pieces)
    assert 100 < max(len(piece.text.encode()) for piece in pieces) <= 200
    for limit, most in ((None, 200), (90, 90)):
        sizes = [len(piece.text.encode()) for piece in plan.smaller_segments(second, limit)]
        assert max(sizes) <= most
    assert [piece.is_last for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_smaller_segments_of_what_was_small():
    """A text that kept the strictest measure already is cut to half its size."""
    text = SENTENCES * 2
    plan = plan_of(text=text)
    (whole,) = plan.segments()
    for limit in (200, None):
        pieces = list(plan.smaller_segments(whole, limit))
        assert max(len(piece.text) for piece in pieces) <= len(text) // 2
    # What just keeps the limit is cut as well.
    exactly = list(plan.smaller_segments(whole, len(text)))
    assert max(len(piece.text) for piece in exactly) <= len(text) // 2


def test_the_smallest_request():
    """A request is never cut below forty bytes; down to that it is."""
    text = SENTENCES * 2
    plan = plan_of(text=text)
    (whole,) = plan.segments()
    assert max(len(piece.text) for piece in plan.smaller_segments(whole, 40)) <= 40
    assert plan.smaller_segments(whole, 39) is None


def test_ssml_is_not_cut_smaller():
    """SSML that a server finds too long is left whole."""
    text = f"<speak>{'word ' * 30}</speak>"
    plan = plan_of(text=text, ssml=True, capabilities={"ssml": yes("speak")})
    (whole,) = plan.segments()
    assert plan.smaller_segments(whole, 60) is None


@pytest.mark.parametrize("text", ["Hello.", "x" * 70])
def test_what_cannot_be_cut(text):
    """A text of a few characters is not cut further."""
    plan = plan_of(text=text)
    assert plan.smaller_segments(Segment(text=text, start=0, is_last=True), 10) is None


@pytest.mark.parametrize(
    "wishes",
    [{"text": "..."}, {"voice": "nobody"}, {"language": "ja"}, {"ssml": True, "text": "<a"}],
)
def test_what_is_raised_tells_of_whom(wishes):
    """An error that planning raises names provider and model, like one that it keeps."""
    with pytest.raises((InvalidValue, UnknownLanguage, UnknownVoice, MarkupError)) as caught:
        plan_of(**wishes)
    assert (caught.value.provider, caught.value.model) == ("fake", "one")
