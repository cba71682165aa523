"""Advice is given by rules on made-up cards; no provider is known here."""

import attrs
import pytest

from vivavoce.advice import advise, billed_by, price_text
from vivavoce.errors import InvalidValue, UnknownProvider
from vivavoce.model.capability import NAMES, no, unknown, yes
from vivavoce.model.card import ModelCard, Price
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.registry import Registry
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider


def price(amount, currency="EUR", unit="characters", region="", per=1000):
    return Price(amount=amount, currency=currency, per=per, unit=unit, region=region)


def card(name, *prices, rpm=100, **changes):
    """Return a model in the cloud; claims among *changes* go to its capabilities."""
    claims = {key: changes.pop(key) for key in list(changes) if key in NAMES}
    limit = yes(maximum=rpm) if rpm else unknown()
    return ModelCard(
        name=name,
        capabilities=attrs.evolve(FAKE_CAPABILITIES, rpm=limit, **claims),
        prices=prices,
        **{"transports": ("http",), **changes},
    )


def provider(*cards, name="acme", voices=None):
    """Return a provider; *voices* is how many a model has, 12 unless told."""
    fake = FakeProvider(name=name)
    made = tuple(
        Voice(id=f"{each.name}-{number}", languages=("en",), models=(each.name,))
        for each in cards
        for number in range((voices or {}).get(each.name, 12))
    )
    fake.info = attrs.evolve(fake.info, models=cards, voices=lambda: made)
    return fake


def names(use, *providers, **wish):
    found = advise(use, registry=Registry.of(*providers), **wish)
    return [advice.model.card.name for advice in found]


# Who is there at all


@pytest.mark.parametrize(
    ("use", "needs"),
    [
        ("audiobook", ["stock_voices"]),
        ("navigation", ["stock_voices"]),
        ("courseware", ["stock_voices", "languages"]),
        ("brand-voice-from-text", ["design"]),
        ("brand-voice-from-audio", ["clone"]),
        ("emotional", ["instructions", "stock_voices"]),
    ],
)
def test_what_must_be_claimed(use, needs):
    """Only models that claim what the use needs are named."""
    claims = {need: yes() for need in needs}
    fit = card("fit", **claims)
    unfit = [
        card(f"no-{need}", **{**claims, need: denied})
        for need in needs
        for denied in [no(), unknown()]
    ]
    fakes = [provider(each, name=f"p{number}") for number, each in enumerate([fit, *unfit])]
    assert names(use, *fakes) == ["fit"]


def test_alias_stands_in_for_its_snapshot():
    """Of a stable name and the snapshot it stands for today only the name is advised."""
    fake = provider(card("big-2026"), card("big", alias_of="big-2026"), card("big-2025"))
    found = advise("audiobook", registry=fake.registry())
    assert [advice.model.card.name for advice in found] == ["big", "big-2025"]
    assert "stands for big-2026 today" in found[0].reasons


def test_alias_of_another_provider_hides_nothing():
    """A name stands in for snapshots of its own provider only."""
    other = provider(card("big", alias_of="big-2026"), name="beta")
    assert names("audiobook", provider(card("big-2026")), other) == ["big-2026", "big"]


def test_alias_that_does_not_fit_hides_nothing():
    """A name that is itself left out hides no snapshot."""
    alias = card("big", alias_of="big-2026", unavailable="It sings only.")
    assert names("audiobook", provider(card("big-2026"), alias)) == ["big-2026"]


def test_left_out():
    """A model this release cannot speak with, or that speaks no language, is not advised."""
    fake = provider(
        card("sings", unavailable="It sings only."), card("beeps", languages=yes("zxx"))
    )
    assert names("audiobook", fake) == []


def test_filters():
    """Advice keeps to one provider, language or region."""
    one = provider(card("one", regions=("eu",), languages=yes("yue")))
    two = provider(card("two", regions=("us",)), name="beta")
    assert names("audiobook", one, two, provider="beta") == ["two"]
    assert names("audiobook", one, two, language="yue") == ["one"]
    assert names("audiobook", one, two, region="us") == ["two"]


def test_refuses():
    """An unknown use, region or provider is refused with what there is."""
    registry = provider(card("one", regions=("eu",))).registry()
    with pytest.raises(InvalidValue, match=r"Did you mean 'audiobook'\?.*navigation"):
        advise("audiobok", registry=registry)
    with pytest.raises(InvalidValue, match="Regions: eu"):
        advise("audiobook", region="mars", registry=registry)
    with pytest.raises(UnknownProvider):
        advise("audiobook", provider="nobody", registry=registry)


# In which order


def test_audiobook():
    """For books: a cost known before, then enough voices and requests, then the price."""
    cards = [
        card("by-tokens", price("0.1", unit="output_tokens")),
        card("few-voices", price("0.1")),
        card("slow", price("0.1"), rpm=10),
        card("dear", price("3")),
        card("cheap", price("2")),
        card("cheap-and-rich", price("2")),
        card("free", is_free=True),
    ]
    voices = {"few-voices": 9, "cheap-and-rich": 30}
    expected = ["free", "cheap-and-rich", "cheap", "dear", "slow", "few-voices", "by-tokens"]
    assert names("audiobook", provider(*cards, voices=voices)) == expected


def test_navigation():
    """For navigation: a cost known before, then many requests a minute, then the price."""
    cards = [
        card("by-tokens", price("0.1", unit="output_tokens"), rpm=500),
        card("busy", price("2"), rpm=100),
        card("busy-and-cheap", price("1"), rpm=100),
        card("busiest", price("3"), rpm=200),
        card("not-told", price("1"), rpm=None),
        attrs.evolve(card("here", price("9"), rpm=None), transports=("local",)),
    ]
    expected = ["here", "busiest", "busy-and-cheap", "busy", "not-told", "by-tokens"]
    assert names("navigation", provider(*cards)) == expected


def test_courseware():
    """For lessons: languages and varieties together, then the rest."""
    cards = [
        card("two", price("1"), languages=yes("en", "de")),
        card("three", price("2"), languages=yes("en"), dialects=yes("yue", "nan")),
        card("three-and-cheap", price("1"), languages=yes("en", "de", "fr")),
    ]
    assert names("courseware", provider(*cards)) == ["three-and-cheap", "three", "two"]


def test_emotional():
    """For acting: enough voices, then enough requests, then the price."""
    cards = [
        card("few-voices", price("1"), instructions=yes()),
        card("slow", price("1"), instructions=yes(), rpm=59),
        card("dear", price("2"), instructions=yes(), rpm=60),
        card("cheap", price("1"), instructions=yes(), rpm=60),
    ]
    found = names("emotional", provider(*cards, voices={"few-voices": 9, "slow": 10}))
    assert found == ["cheap", "dear", "slow", "few-voices"]


@pytest.mark.parametrize(
    ("use", "claim"), [("brand-voice-from-text", "design"), ("brand-voice-from-audio", "clone")]
)
def test_brand_voice(use, claim):
    """For a voice of one's own: more languages, then enough requests, then the price."""
    own = {claim: yes(), "stock_voices": no()}
    cards = [
        card("narrow", price("1"), languages=yes("en"), **own),
        card("slow", price("1"), rpm=10, **own),
        card("dear", price("2"), **own),
        card("cheap", price("1"), **own),
    ]
    assert names(use, provider(*cards)) == ["cheap", "dear", "slow", "narrow"]


def test_currencies_are_not_compared():
    """Models of different currencies or units stand in groups; free comes first, unknown last."""
    acting = {"instructions": yes()}
    cards = [
        card("usd-1", price("1", "USD"), **acting),
        card("eur-9", price("9"), **acting),
        card("nobody-knows", **acting),
        card("eur-8", price("8000", per=1_000_000), **acting),
        card("free", is_free=True, **acting),
        card("by-second", price("0.1", unit="seconds"), **acting),
    ]
    found = names("emotional", provider(*cards))
    assert found == ["free", "eur-8", "eur-9", "by-second", "usd-1", "nobody-knows"]


def test_price_of_the_region_counts():
    """Models are ranked by the price of the region asked for, else by that of their default one."""
    regions = ("eu", "us")
    cards = [
        card("a", price("1", region="eu"), price("9", region="us"), regions=regions),
        card("b", price("2", region="eu"), price("8", region="us"), regions=regions),
    ]
    assert names("navigation", provider(*cards)) == ["a", "b"]
    assert names("navigation", provider(*cards), region="us") == ["b", "a"]


def test_price_of_tokens_made_counts_first():
    """Of prices billed together the dearest unit is compared first."""
    cards = [
        card("b", price("1", unit="input_tokens"), price("9", unit="output_tokens")),
        card("a", price("2", unit="input_tokens"), price("8", unit="output_tokens")),
    ]
    assert names("navigation", provider(*cards)) == ["a", "b"]


def test_equals_keep_their_order():
    """Among equals more voices, then more languages come first, then the providers' own order."""
    cards = [
        card("first"),
        card("second"),
        card("wide", languages=yes("en", "de", "fr")),
        card("rich"),
    ]
    fake = provider(*cards, voices={"rich": 13})
    assert names("navigation", fake) == ["rich", "wide", "first", "second"]


# Why


def test_reasons():
    """The reasons are what is claimed, with its figures, what counts most first."""
    acting = card(
        "one",
        price("0.8", region="eu", per=10_000),
        instructions=yes(),
        max_instructions=yes(maximum=1600, unit="tokens"),
        rpm=180,
        regions=("eu",),
    )
    (advice,) = advise("emotional", registry=provider(acting).registry())
    assert advice.selector == "acme/one"
    assert advice.prices == acting.prices
    assert advice.reasons == (
        "takes style instructions (up to 1600 tokens)",
        "12 voices",
        "180 requests a minute",
        "0.8 EUR per 10000 characters in eu",
    )


@pytest.mark.parametrize(
    ("use", "changes", "reason"),
    [
        ("navigation", {}, "billed by the character: what a text costs is known before"),
        ("navigation", {"is_free": True, "prices": ()}, "costs nothing"),
        ("navigation", {"prices": ()}, "the price is not known"),
        ("navigation", {"rpm": no("no limit")}, "no limit of requests"),
        (
            "courseware",
            {"languages": yes("en"), "dialects": yes("nan")},
            "1 language and 1 variety",
        ),
        ("courseware", {"dialects": yes("yue", "nan")}, "2 languages and 2 varieties"),
        ("brand-voice-from-text", {}, "speaks with voices designed from a description"),
        ("brand-voice-from-audio", {}, "speaks with voices cloned from a recording"),
    ],
)
def test_reason(use, changes, reason):
    """Each thing that counts is told in words."""
    made = card("one", price("1"), clone=yes(), design=yes())
    claims = {key: changes[key] for key in changes if key in NAMES}
    fields = {key: changes[key] for key in changes if key not in NAMES}
    made = attrs.evolve(made, capabilities=attrs.evolve(made.capabilities, **claims), **fields)
    (advice,) = advise(use, registry=provider(made).registry())
    assert reason in advice.reasons


def test_voices_of_a_language():
    """With a language only the stock voices that speak it count."""
    fake = provider(card("one", languages=yes("en", "yue")))
    voices = [
        Voice(id="ann", languages=("en",), models=("one",)),
        Voice(id="kit", languages=("yue",), models=("one",)),
        Voice(id="own", languages=("yue",), models=("one",), origin=VoiceOrigin.CLONED),
    ]
    fake.info = attrs.evolve(fake.info, voices=lambda: voices)
    (advice,) = advise("audiobook", language="yue", registry=fake.registry())
    assert "1 voice for yue" in advice.reasons


def test_language_of_voices_of_ones_own():
    """Of a model without stock voices it is told that it speaks the language."""
    fake = provider(card("one", languages=yes("yue"), design=yes(), stock_voices=no()))
    (advice,) = advise("brand-voice-from-text", language="yue", registry=fake.registry())
    assert "speaks yue" in advice.reasons


# Prices


def test_billed_by_one_region_and_currency():
    """A request is billed by the prices of one region, in its first currency."""
    made = card(
        "one",
        price("9", unit="voices", region="eu"),
        price("1", unit="input_tokens", region="eu"),
        price("2", unit="output_tokens", region="eu"),
        price("3", "USD", region="eu"),
        price("4", region="us"),
        regions=("eu", "us", "ap"),
    )
    assert [str(each.amount) for each in billed_by(made)] == ["1", "2"]
    assert [str(each.amount) for each in billed_by(made, "us")] == ["4"]
    assert billed_by(made, "ap") == ()
    anywhere = card("two", price("5"), regions=("eu",))
    assert billed_by(anywhere, "eu") == anywhere.prices


def test_price_text():
    """Prices that are billed together are one text, with the region once."""
    tokens = [
        price("0.0016", "CNY", "input_tokens", "cn"),
        price("1E+1", "CNY", "output_tokens", "cn", per=1),
    ]
    text = "0.0016 CNY per 1000 input_tokens and 10 CNY per output_token in cn"
    assert price_text(tokens) == text
    assert price_text([]) == ""
