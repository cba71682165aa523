import json
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from vivavoce import advice
from vivavoce.cli import models
from vivavoce.hookspecs import hookimpl
from vivavoce.model.capability import NAMES
from vivavoce.model.card import Option, Price
from vivavoce.model.voice import Voice
from vivavoce.registry import Registry
from vivavoce.testing import FakeProvider


class Broken:
    name = "wrecked"

    def load(self):
        msg = "no module named wrecked_engine"
        raise ImportError(msg)


class Given:
    name = "acme"

    def __init__(self, plugin):
        self._plugin = plugin

    def load(self):
        return self._plugin


def read(result):
    assert result.exit_code == 0
    assert result.stderr == ""
    return json.loads(result.stdout_bytes.decode("utf-8"))


def table(result):
    """Return the rows of a plain table, cut where its headings begin."""
    assert result.exit_code == 0
    heading, *rows = result.stdout.splitlines()
    starts = [
        i for i, c in enumerate(heading) if c != " " and (i == 0 or heading[i - 2 : i] == "  ")
    ]
    ends = [*starts[1:], None]
    names = [heading[a:b].strip().lower() for a, b in zip(starts, ends, strict=True)]
    return [
        dict(zip(names, (row[a:b].strip() for a, b in zip(starts, ends, strict=True)), strict=True))
        for row in rows
    ]


# providers


def test_providers(run):
    """Providers are listed by name, the default marked, with the variable of their key."""
    acme, dear = table(run("providers"))
    assert (acme["name"], acme["key"], acme["state"]) == ("acme*", "needs none", "ok")
    assert (dear["name"], dear["key"]) == ("dear", "needs DEAR_TOKEN")


def test_providers_json(run):
    """The JSON of a provider has the keys documented."""
    acme, dear = read(run("providers", "--json"))
    assert acme == {
        "name": "acme",
        "title": "A provider for tests",
        "models": 1,
        "needs_key": False,
        "key_variables": [],
        "makes_voices": False,
        "is_default": True,
        "distribution": "",
        "version": "",
        "licence": "",
        "homepage": "",
        "is_broken": False,
        "reason": "",
    }
    assert (dear["needs_key"], dear["key_variables"]) == (True, ["DEAR_TOKEN"])


def test_broken_plugin(run, acme):
    """A broken plugin is listed by name with its reason; the exit code is 0."""
    run.use(Registry([Broken(), Given(acme)]))
    rows = table(run("providers"))
    assert [row["name"] for row in rows] == ["acme*", "wrecked"]
    assert rows[1]["state"] == "broken: ImportError: no module named wrecked_engine"
    good, broken = read(run("providers", "--json"))
    assert broken.keys() == good.keys()
    assert (broken["is_broken"], broken["reason"]) == (
        True,
        "ImportError: no module named wrecked_engine",
    )


def test_asking_for_broken_plugin(run, acme):
    """Only asking for the broken provider fails, with the reason."""
    run.use(Registry([Broken(), Given(acme)]))
    result = run("voices", "wrecked")
    assert result.exit_code == 3
    assert "no module named wrecked_engine" in result.stderr
    assert run("voices", "acme").exit_code == 0


def test_no_provider(run_with):
    """Without any provider the table says so, and JSON is an empty list."""
    result = run_with()("providers")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No provider is installed" in result.stderr
    assert read(run_with()("providers", "--json")) == []


def test_default_of_settings(run):
    """The settings' default is the one marked."""
    Path("../config.toml").write_text('default = "dear"')
    assert [p["is_default"] for p in read(run("providers", "--json"))] == [False, True]


def test_wrong_settings(run):
    """Settings that cannot be read are a set-up error, also in a listing."""
    Path("../config.toml").write_text("default = ")
    result = run("providers")
    assert result.exit_code == 3
    assert "config.toml is no TOML" in result.stderr


def test_installed_plugin(process):
    """A plugin is found by its entry point, and shown with distribution and version."""
    found = json.loads(process("providers", "--json").stdout)
    (acme,) = [provider for provider in found if provider["name"] == "acme"]
    assert (acme["distribution"], acme["version"]) == ("acme-voice", "2.5")


# models


def test_models(run):
    """Models are listed with transports, languages, default voice and price."""
    acme, dear = table(run("models"))
    assert acme["selector"] == "acme/one"
    assert acme["transports"] == "local"
    assert acme["languages"] == "en-US, de"
    assert acme["default voice"] == "ann"
    assert (acme["price"], dear["price"]) == ("free", "0.5 EUR per 10 characters in eu")
    assert acme["note"] == "For tests only."


def test_models_json(run):
    """The JSON of a model has the keys documented."""
    (acme,) = read(run("models", "-p", "acme", "--json"))
    assert list(acme.pop("capabilities")) == list(NAMES)
    assert acme == {
        "selector": "acme/one",
        "provider": "acme",
        "model": "one",
        "alias_of": "",
        "family": "",
        "is_default": True,
        "transports": ["local"],
        "regions": [],
        "languages": ["en-US", "de"],
        "dialects": [],
        "default_voice": "ann",
        "options": [
            {
                "name": "warmth",
                "meaning": "how warm",
                "type": "int",
                "values": [],
                "minimum": 0,
                "maximum": 9,
            },
            {
                "name": "slow",
                "meaning": "whether slow",
                "type": "bool",
                "values": [],
                "minimum": None,
                "maximum": None,
            },
        ],
        "is_free": True,
        "prices": [],
        "billed_by": [],
        "unavailable": "",
        "note": "For tests only.",
        "evidence": {"source": "https://acme.example/docs", "date": "2026-01-02"},
    }


def test_price_json(run):
    """Money is a string in JSON."""
    (dear,) = read(run("models", "-p", "dear", "--json"))
    assert dear["prices"] == [
        {
            "amount": "0.5",
            "currency": "EUR",
            "per": 10,
            "unit": "characters",
            "region": "eu",
            "evidence": None,
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "selectors"),
    [
        (["--needs", "word_marks"], ["acme/one"]),
        (["--needs", "rate", "--needs", "ssml"], ["dear/one"]),
        (["--language", "de-AT"], ["acme/one", "dear/one"]),
        (["--language", "fr"], []),
        (["--transport", "http"], ["dear/one"]),
        (["--region", "eu"], ["dear/one"]),
        (["-p", "dear"], ["dear/one"]),
        (["-p", "dear/one"], ["dear/one"]),
    ],
    ids=" ".join,
)
def test_models_that_fit(run, arguments, selectors):
    """Only the models that fit are listed."""
    assert [model["selector"] for model in read(run("models", *arguments, "--json"))] == selectors


def test_no_model_fits(run):
    """A table without rows is a sentence on standard error, and no failure."""
    result = run("models", "--language", "fr")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No installed model fits.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--needs", "wordmarks"], "'wordmarks' is no capability"),
        (["--language", "german!"], "no registered BCP-47"),
        (["--region", "us"], "'us'. Regions: eu."),
        (["--for", "singing"], "'singing' is not one of"),
        (["-p", "acne"], "Did you mean 'acme'?"),
        (["-p", "acme/on"], "Did you mean 'one'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_models_wrong(run, arguments, says):
    """A wrong name in a filter is a usage error."""
    result = run("models", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_models_that_cannot_be_used(run_with, make_acme):
    """A model this release cannot speak with is listed, and its note says so first."""
    run = run_with(make_acme().with_card(unavailable="It sings only."))
    (row,) = table(run("models"))
    assert row["note"] == "unavailable: It sings only. For tests only."
    assert read(run("models", "--json"))[0]["unavailable"] == "It sings only."


def test_price_of_the_region(run_with):
    """The price shown is the asked region's, else the default one's, with a hint at others."""
    prices = [
        Price(amount=amount, currency="EUR", per=1, unit="characters", region=region)
        for amount, region in (("3", "eu"), ("2", "us"))
    ]
    fake = FakeProvider(name="acme")
    run = run_with(fake.with_card(is_free=False, regions=("eu", "us"), prices=tuple(prices)))
    assert table(run("models"))[0]["price"] == "3 EUR per character in eu, ..."
    assert table(run("models", "--region", "us"))[0]["price"] == "2 EUR per character in us, ..."


# advice


def test_uses_are_those_of_the_advice():
    """What --for takes are the uses there is advice for."""
    assert tuple(advice.USES) == models.USES


def test_advice(run):
    """Advice names the models, the best first, with the reasons."""
    acme, dear = table(run("models", "--for", "navigation"))
    assert (acme["selector"], dear["selector"]) == ("acme/one", "dear/one")
    assert acme["why"] == "no limit of requests; costs nothing; 2 voices"
    assert "0.5 EUR per 10 characters in eu" in dear["why"]


def test_advice_json(run):
    """The JSON of advice is that of the models, with the reasons, and what they are billed by."""
    acme, dear = read(run("models", "--for", "navigation", "--json"))
    (listed,) = read(run("models", "-p", "acme", "--json"))
    reasons = acme.pop("reasons")
    assert acme == listed
    assert reasons == ["no limit of requests", "costs nothing", "2 voices"]
    assert dear["billed_by"] == dear["prices"]


@pytest.mark.parametrize(
    ("arguments", "selectors"),
    [
        (["-p", "dear"], ["dear/one"]),
        (["-p", "dear/one"], ["dear/one"]),
        (["--region", "eu"], ["dear/one"]),
        (["--needs", "ssml"], ["dear/one"]),
        (["--transport", "local"], ["acme/one"]),
        (["--language", "fr"], []),
    ],
    ids=" ".join,
)
def test_advice_that_fits(run, arguments, selectors):
    """Advice keeps to the other filters."""
    found = read(run("models", "--for", "audiobook", *arguments, "--json"))
    assert [model["selector"] for model in found] == selectors


# voices


def test_voices(run):
    """The default provider's voices are listed; wide letters keep the columns straight."""
    result = run("voices")
    ann, bear = result.stdout.splitlines()[1:]
    assert ann == "ann  Ann     en-US      female  stock   clear"
    assert bear == "bär  Bär 熊  de         male    stock"


def test_voices_json(run):
    """The JSON of a voice has the keys documented, in its own letters."""
    result = run("voices", "acme", "--json")
    assert read(result)[1] == {
        "provider": "acme",
        "id": "bär",
        "name": "Bär",
        "native_name": "熊",
        "languages": ["de"],
        "dialects": [],
        "gender": "male",
        "description": "",
        "origin": "stock",
        "models": ["one"],
    }
    assert "熊".encode() in result.stdout_bytes


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["acme", "--language", "de-CH"], ["bär"]),
        (["acme", "--gender", "female"], ["ann"]),
        (["acme", "--origin", "cloned"], []),
        (["acme:bär"], ["bär"]),
        (["acme/one"], ["ann", "bär"]),
        (["dear"], ["ann", "ben", "old"]),
        (["dear/one"], ["ann", "ben"]),
        (["dear", "--model", "one"], ["ann", "ben"]),
        (["-p", "dear/one"], ["ann", "ben"]),
        (["acme:bär", "-p", "acme:bär"], ["bär"]),
    ],
    ids=" ".join,
)
def test_voices_that_fit(run, arguments, ids):
    """Only the voices that fit are listed."""
    assert [voice["id"] for voice in read(run("voices", *arguments, "--json"))] == ids


def test_a_language_is_shown_once(run_with, make_acme):
    """A variety that a voice names among its languages too is shown once in the table."""
    kit = Voice(id="ann", languages=("yue", "en"), dialects=("yue",), models=("one",))
    (row,) = table(run_with(make_acme(voices=[kit]))("voices"))
    assert row["languages"] == "yue, en"


def test_default_narrows_nothing(run):
    """The model and voice of the settings' default do not narrow the listing down."""
    Path("../config.toml").write_text('default = "dear/one:ben"')
    assert len(read(run("voices", "--json"))) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["acme:anne"], "Did you mean 'ann'?"),
        (["acme", "-p", "dear"], "'acme' and -p 'dear' are two selectors"),
        (["acme/ones"], "Did you mean 'one'?"),
        (["acne"], "Did you mean 'acme'?"),
        (["--gender", "robot"], "'robot' is not one of"),
        (["--origin", "found"], "'found' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_voices_wrong(run, arguments, says):
    """A wrong name is a usage error, with the nearest ones."""
    result = run("voices", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


# capabilities


def test_capabilities_json(run):
    """What is known of the model, and every claim, are in the JSON, complete."""
    found = read(run("capabilities", "acme/one", "--json"))
    claims = found.pop("claims")
    access = found.pop("access")
    (listed,) = read(run("models", "-p", "acme", "--json"))
    del listed["capabilities"]
    assert found == listed
    assert access == {"needs_key": False, "key_variables": [], "settings": {}}
    assert [claim["capability"] for claim in claims] == list(NAMES)
    (rate,) = [claim for claim in claims if claim["capability"] == "rate"]
    assert rate == {
        "capability": "rate",
        "meaning": "speaking rate, a ratio to normal",
        "support": "yes",
        "values": [],
        "minimum": 0.5,
        "maximum": 2.0,
        "unit": "ratio",
        "note": "",
        "evidence": None,
    }
    assert claims[0]["evidence"] == {"source": "code: vivavoce/testing.py", "date": "2026-11-23"}


def rows(lines):
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}


def test_capabilities(run):
    """The table names the model, and shows support, limits, notes and evidence."""
    head, claims = run("capabilities").stdout.split("\n\n")
    assert head.splitlines()[0] == "acme/one"
    shown = rows(claims.splitlines())
    assert shown["rate"] == "yes 0.5 to 2 ratio"
    assert shown["max_text"] == "yes up to 200 characters"
    assert shown["ssml"] == "no it would read the markup aloud"
    assert shown["stream_out"] == "yes code: vivavoce/testing.py (2026-11-23)"
    assert shown["clone"] == "unknown"


def test_facts_of_a_model(run_with, dear):
    """The table tells names, ways, regions, key, settings, options and all prices of the model."""
    dear.with_card(
        alias_of="one-2026",
        family="ones",
        unavailable="It sings only.",
        options=(Option(name="warmth", meaning="how warm", type=int, minimum=0, maximum=9),),
    )
    dear.info = attrs.evolve(dear.info, settings={"base_url": ("DEAR_URL", "DEAR_HOST")})
    head, _ = run_with(dear)("capabilities", "-p", "dear").stdout.split("\n\n")
    assert [line.split("  ")[0] for line in head.splitlines()[2:]] == [
        "unavailable",
        "stands for",
        "family",
        "transports",
        "regions",
        "key",
        "setting base_url",
        "default voice",
        "option warmth",
        "price",
    ]
    shown = {" ".join(line.split()) for line in head.splitlines()}
    assert "unavailable It sings only." in shown
    assert "stands for one-2026" in shown
    assert "regions eu" in shown
    assert "key DEAR_TOKEN" in shown
    assert "setting base_url DEAR_URL or DEAR_HOST" in shown
    assert "option warmth how warm (0 to 9)" in shown
    assert "price 0.5 EUR per 10 characters in eu" in shown
    found = read(run_with(dear)("capabilities", "dear", "--json"))
    assert found["access"] == {
        "needs_key": True,
        "key_variables": ["DEAR_TOKEN"],
        "settings": {"base_url": ["DEAR_URL", "DEAR_HOST"]},
    }


def test_long_lists_are_cut_in_the_table_only(run_with, make_acme):
    """A long list of values is shortened in the table, and whole in JSON."""
    acme = make_acme()
    claims = acme.info.models[0].capabilities
    tags = tuple(f"en-{number:03}" for number in range(20))
    many = attrs.evolve(claims, languages=attrs.evolve(claims.languages, values=tags))
    run = run_with(acme.with_card(capabilities=many))
    assert "en-007 and 12 more" in run("capabilities").stdout
    assert read(run("capabilities", "--json"))["languages"] == list(tags)


# explain


def test_explain(run, acme):
    """The plan is printed with its price, and nothing is sent."""
    result = run("explain", "Hello.", "--volume", "-6")
    assert result.exit_code == 0
    first, *rows, units, cost = result.stdout.splitlines()
    assert first == "acme/one:ann speaks it as wav/pcm_s16le 16000 Hz mono."
    assert [row.split()[:2] for row in rows[1:]] == [
        ["text", "native"],
        ["voice", "native"],
        ["volume_db", "emulated"],
        ["format", "native"],
    ]
    assert (units, cost) == ("Units: 6 characters.", "Cost: nothing.")
    assert acme.configs == []


def test_explain_json(run):
    """The JSON of a plan has the keys documented; no key is needed."""
    (price,) = read(run("models", "-p", "dear", "--json"))[0]["prices"]
    plan = read(run("explain", "Hello.", "-p", "dear", "--region", "eu", "--json"))
    assert plan == {
        "selector": "dear/one:ann",
        "provider": "dear",
        "model": "one",
        "voice": "ann",
        "language": None,
        "region": "eu",
        "source_format": "raw/pcm_s16le 16000 Hz mono",
        "target_format": "wav/pcm_s16le 16000 Hz mono",
        "is_refused": False,
        "decisions": [
            {"wish": "text", "how": "native", "detail": "6 characters in one request"},
            {"wish": "voice", "how": "native", "detail": "ann (the model's default)"},
            {"wish": "format", "how": "native", "detail": "wav/pcm_s16le 16000 Hz mono"},
        ],
        "estimate": {
            "units": {"characters": 6.0},
            "cost": plan["estimate"]["cost"],
            "currency": "EUR",
            "region": "eu",
            "prices": [price],
        },
        "estimates": [plan["estimate"]],
    }
    assert Decimal(plan["estimate"]["cost"]) == Decimal("0.3")


def priced(*prices, **changes):
    """Return a provider billed so: amount, currency, unit, region."""
    fake = FakeProvider(name="acme").with_card(
        is_free=False,
        regions=("eu", "us"),
        prices=tuple(
            Price(amount=amount, currency=currency, per=100, unit=unit, region=region)
            for amount, currency, unit, region in prices
        ),
    )
    fake.info = attrs.evolve(fake.info, **changes)
    return fake


def test_explain_prices_by_region(run_with):
    """The price is told by region and currency, those of the region that is asked first."""
    fake = priced(
        ("1", "EUR", "characters", "eu"),
        ("2", "USD", "characters", "eu"),
        ("3", "USD", "characters", "us"),
    )
    lines = run_with(fake)("explain", "Hello.", "--region", "us").stdout.splitlines()
    assert lines[-4:] == [
        "Units: 6 characters.",
        "Cost in us: 0.18 USD (3 USD per 100 characters).",
        "Cost in eu: 0.06 EUR (1 EUR per 100 characters).",
        "Cost in eu: 0.12 USD (2 USD per 100 characters).",
    ]


def test_explain_what_is_not_known_before(run_with):
    """Where it is billed by what comes out, the price of that is told in place of a sum."""
    fake = priced(
        ("1", "EUR", "input_tokens", "eu"),
        ("2", "EUR", "output_tokens", "eu"),
        count_billed=lambda card, text: {"input_tokens": 4.0},
    )
    units, cost = run_with(fake)("explain", "Hello.").stdout.splitlines()[-2:]
    assert units == "Units: 4 input_tokens."
    assert cost == (
        "Cost in eu: by output_tokens, not known before: "
        "1 EUR per 100 input_tokens and 2 EUR per 100 output_tokens."
    )


def test_explain_segment_chars(run):
    """--segment-chars bounds a request's length."""
    result = run("explain", "One two. Three four.", "--segment-chars", "10", "--json")
    (text,) = [each for each in read(result)["decisions"] if each["wish"] == "text"]
    assert "several requests" in text["detail"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_explain_refused(run, form):
    """A refused wish is in the plan, and the exit code is 2."""
    result = run("explain", "Hello.", "--instructions", "calm", *form)
    assert result.exit_code == 2
    assert result.stderr == ""
    assert "cannot follow style instructions" in result.stdout


def test_explain_takes_what_say_takes(run):
    """The output's ending and --marks count as wishes, and no file is made."""
    result = run("explain", "Hello.", "-o", "a.mp3", "--marks", "a.vtt", "--json")
    plan = read(result)
    assert plan["target_format"].startswith("mp3/mp3 ")
    assert {"wish": "marks", "how": "native", "detail": "word marks"} in plan["decisions"]
    assert list(Path.cwd().iterdir()) == []


def test_explain_unknown_price(run_with):
    """A price nobody knows is said to be so."""
    fake = FakeProvider(name="acme").with_card(is_free=False)
    assert "Cost: not known." in run_with(fake)("explain", "Hello.").stdout


# all


class Tricky:
    """A provider whose words are not harmless."""

    @hookimpl
    def vivavoce_synthesizers(self):
        fake = FakeProvider(name="tricky")
        return [attrs.evolve(fake.info, title="[red]one\n\x1b[2Jtwo \ud800")]


def test_odd_words(run_with):
    """Line breaks and escapes of a provider do not reach the terminal; JSON keeps them all."""
    run = run_with(Tricky())
    (row,) = table(run("providers"))
    assert row["title"] == r"[red]one \x1b[2Jtwo \ud800"
    (tricky,) = read(run("providers", "--json"))
    assert tricky["title"] == "[red]one\n\x1b[2Jtwo \ud800"
