import importlib.util

import attrs
import pytest

from vivavoce.errors import (
    CapabilityError,
    InvalidValue,
    MarkupError,
    MissingDependency,
    UnknownLanguage,
    UnknownVoice,
)
from vivavoce.face import make_utterance
from vivavoce.model.audio import AudioFormat
from vivavoce.model.capability import no, unknown, yes
from vivavoce.model.card import Option, Price
from vivavoce.model.report import How
from vivavoce.model.utterance import Utterance
from vivavoce.pipeline.plan import make_plan
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider


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
    with pytest.raises(UnknownVoice, match="belongs to gone"):
        plan_of(voice="old")


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
