import io
import json
import wave
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from vivavoce import errors
from vivavoce.book import BookedVoice
from vivavoce.cli.voice.trial import DIGITS, SENTENCES
from vivavoce.hookspecs import hookimpl
from vivavoce.model.customizing import Consent
from vivavoce.model.voice import Voice
from vivavoce.testing import samples_of

MADE = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
CONSENT = Consent(by="Ann Li", how="signed release", on="2026-11-02")


def read(result):
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout_bytes.decode("utf-8"))


def own(voice_id, **changes):
    origin = "designed" if "designed" in voice_id else "cloned"
    values = {"origin": origin, "models": ("own",), "created_at": MADE}
    return Voice(id=voice_id, **{**values, **changes})


@pytest.fixture
def narrator(maker, book):
    """A voice of the user's, at the provider and in the book."""
    maker.own_voices["own-cloned-n-1"] = own("own-cloned-n-1")
    booked = BookedVoice(
        id="own-cloned-n-1",
        origin="cloned",
        model="own",
        name="n",
        language="de",
        made="2026-11-02T09:30:00+00:00",
        recording_sha256="5f" * 32,
        consent=CONSENT,
    )
    book.add("narrator", "acme", booked)
    return booked


def change(book, **changes):
    """Change the record of the narrator."""
    booked = book.get("narrator").voices["acme"]
    book.remove("narrator", "acme")
    book.add("narrator", "acme", attrs.evolve(booked, **changes))


def spoken(path):
    with wave.open(io.BytesIO(Path(path).read_bytes())) as sound:
        return sound.readframes(sound.getnframes())


# list


@pytest.mark.usefixtures("narrator")
def test_list(voice, maker, book):
    """Own voices are listed with their aliases; one without, and one that is gone, are told."""
    maker.own_voices["own-designed-x-2"] = own("own-designed-x-2", languages=("de",))
    book.add("gone", "acme", BookedVoice(id="own-cloned-g-0", origin="cloned", model="own"))
    book.add("clear", "acme", BookedVoice(id="ann"))
    book.add("there", "other", BookedVoice(id="eva"))
    rows = read(voice("list", "acme", "--json"))
    assert rows[0] == {
        "provider": "acme",
        "id": "own-cloned-n-1",
        "alias": "narrator",
        "origin": "cloned",
        "languages": ["de"],
        "models": ["own"],
        "region": None,
        "made": "2026-11-02T09:30:00+00:00",
        "is_listed": True,
    }
    assert [(row["id"], row["alias"], row["is_listed"]) for row in rows[1:]] == [
        ("own-designed-x-2", None, True),
        ("own-cloned-g-0", "gone", False),
        ("ann", "clear", True),
    ]
    lines = voice("list", "-p", "acme").stdout.splitlines()
    assert [line.split()[-1] for line in lines[2:4]] == ["book", "provider"]
    assert lines[2].endswith("not in the book")
    assert lines[3].endswith("not at the provider")


def test_list_reads_all_pages(voice, maker):
    """Every page of the provider's list is read."""
    for number in range(5):
        maker.own_voices[f"own-cloned-n-{number}"] = own(f"own-cloned-n-{number}")
    assert len(read(voice("list", "acme", "--json"))) == 5


@pytest.mark.usefixtures("narrator")
def test_list_of_book(voice, maker, book):
    """Without a provider the book is listed, for all providers, and nobody is asked."""
    book.add("narrator", "other", BookedVoice(id="eva"))
    rows = read(voice("list", "--json"))
    assert [(r["alias"], r["provider"], r["is_listed"]) for r in rows] == [
        ("narrator", "acme", None),
        ("narrator", "other", None),
    ]
    assert maker.configs == []


def test_list_of_nothing(voice):
    """Nothing to list is said, and is no failure."""
    for args in (("list",), ("list", "acme"), ("list", "other")):
        result = voice(*args)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "that fits" in result.stderr or "fits." in result.stderr
    assert read(voice("list", "--json")) == []


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize(
    ("args", "ids"),
    [
        ((), ["own-cloned-n-1", "own-designed-x-2"]),
        (("--origin", "cloned"), ["own-cloned-n-1"]),
        (("--origin", "designed"), ["own-designed-x-2"]),
        (("--origin", "stock"), ["ann", "bär"]),
        (("--origin", "stock", "--language", "en"), ["ann"]),
        # What it was made in is in the book; a voice that says nothing fits.
        (("--language", "de"), ["own-cloned-n-1", "own-designed-x-2"]),
        (("--language", "en"), ["own-designed-x-2"]),
        (("--model", "own"), ["own-cloned-n-1", "own-designed-x-2"]),
        (("--model", "one"), []),
    ],
    ids=" ".join,
)
def test_list_filters(voice, maker, args, ids):
    """--origin, --language and --model narrow the list; what is left out is not taken for gone."""
    maker.own_voices["own-designed-x-2"] = own("own-designed-x-2")
    assert [row["id"] for row in read(voice("list", "acme", "--json", *args))] == ids


def test_stock_needs_no_key(run_with, make_acme):
    """Stock voices are listed without a key; own ones need it."""
    acme = make_acme(makes_voices=True, credential_env=("ACME_TOKEN",))
    run = run_with(acme)
    assert len(read(run("voice", "list", "acme", "--origin", "stock", "--json"))) == 2
    result = run("voice", "list", "acme")
    assert result.exit_code == 3
    assert "ACME_TOKEN" in result.stderr


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize("place", ["option", "settings", "nowhere"])
def test_list_of_other_region(voice, maker, book, monkeypatch, place):
    """A voice of another region is not taken for gone, nor where the region is not known."""
    change(book, region="us")
    maker.own_voices.clear()
    if place == "settings":
        monkeypatch.setenv("VIVAVOCE_ACME_REGION", "eu")
    args = ("--region", "eu") if place == "option" else ()
    (row,) = read(voice("list", "acme", "--json", *args))
    assert (row["region"], row["is_listed"]) == ("us", None)
    assert maker.configs[0].region == (None if place == "nowhere" else "eu")


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize(("lives", "is_listed"), [("eu", False), ("us", None)])
def test_list_of_usual_region(run_with, maker, book, lives, is_listed):
    """Where no region is named, that is asked in which the provider makes voices first."""
    change(book, region=lives)
    maker.own_voices.clear()
    (info,) = maker.vivavoce_voice_customizers()
    offer = attrs.evolve(info.clone, regions=("eu", "us"))

    class Regional:
        vivavoce_synthesizers = maker.vivavoce_synthesizers

        @hookimpl
        def vivavoce_voice_customizers(self):
            return [attrs.evolve(info, clone=offer)]

    (row,) = read(run_with(Regional())("voice", "list", "acme", "--json"))
    assert row["is_listed"] is is_listed


@pytest.mark.usefixtures("narrator")
def test_list_of_the_region(voice, maker, book):
    """A voice of the region asked that is not there is gone."""
    change(book, region="us")
    maker.own_voices.clear()
    (row,) = read(voice("list", "acme", "--region", "us", "--json"))
    assert row["is_listed"] is False


# show


@pytest.mark.parametrize("given", ["narrator", "own-cloned-n-1"])
def test_show(voice, narrator, given):
    """What the book and the provider say of a voice is shown, by alias or id."""
    shown = read(voice("show", given, "-p", "acme", "--json"))
    assert (shown["provider"], shown["id"], shown["alias"]) == ("acme", narrator.id, "narrator")
    assert shown["booked"]["consent"] == {"by": "Ann Li", "how": "signed release", "on": CONSENT.on}
    assert shown["booked"]["recording_sha256"] == "5f" * 32
    assert (shown["booked"]["origin"], shown["booked"]["model"]) == ("cloned", "own")
    assert shown["listed"]["models"] == ["own"]
    text = voice("show", given, "-p", "acme").stdout
    assert "consent by        Ann Li" in text
    assert text.splitlines()[-1].split()[-1] == "acme"


def test_show_unbooked(voice, maker):
    """A voice that is not in the book is shown as the provider tells it."""
    maker.own_voices["own-cloned-x-1"] = own("own-cloned-x-1", description="deep")
    shown = read(voice("show", "own-cloned-x-1", "-p", "acme", "--json"))
    assert (shown["alias"], shown["booked"]) == (None, None)
    assert shown["listed"]["description"] == "deep"


def test_show_stock(voice, maker):
    """A stock voice is shown without asking anybody."""
    assert read(voice("show", "ann", "-p", "acme", "--json"))["listed"]["name"] == "Ann"
    assert maker.configs == []


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_show_gone(voice, maker, flag):
    """Where the provider has no such voice the book's record is shown, and the code tells."""
    maker.own_voices.clear()
    result = voice("show", "narrator", "-p", "acme", *flag)
    assert result.exit_code == 2
    assert "Ann Li" in result.stdout
    assert "no voice 'own-cloned-n-1' of yours" in result.stderr
    if flag:
        assert json.loads(result.stdout)["listed"] is None


def test_show_unknown(voice):
    """A voice that neither knows is refused."""
    result = voice("show", "own-cloned-none", "-p", "acme")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no voice 'own-cloned-none'" in result.stderr


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize("command", ["show", "delete"])
def test_region_of_voice(voice, maker, book, command):
    """A voice is asked for where it lives; another region is refused."""
    change(book, region="eu")
    more = ["--yes"] if command == "delete" else []
    result = voice(command, "narrator", "-p", "acme", "--region", "us", *more)
    assert result.exit_code == 2
    assert "lives in the region 'eu'" in result.stderr
    assert maker.configs == []
    assert voice(command, "narrator", "-p", "acme", *more).exit_code == 0
    assert maker.configs[0].region == "eu"


# delete


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize("given", ["narrator", "own-cloned-n-1"])
def test_delete(voice, maker, book, given):
    """A voice is deleted at the provider and from the book, by alias or id."""
    result = voice("delete", given, "-p", "acme", "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "vivavoce: deleted 'own-cloned-n-1' of acme (your 'narrator')\n"
    assert maker.own_voices == {}
    assert book.get("narrator") is None


@pytest.mark.usefixtures("narrator")
def test_delete_json(voice):
    """--json tells whether there was one."""
    first = read(voice("delete", "narrator", "-p", "acme", "--yes", "--json"))
    assert first == {
        "provider": "acme",
        "id": "own-cloned-n-1",
        "alias": "narrator",
        "existed": True,
    }
    again = read(voice("delete", "own-cloned-n-1", "-p", "acme", "--yes", "--json"))
    assert (again["alias"], again["existed"]) == (None, False)


@pytest.mark.usefixtures("narrator")
def test_delete_gone(voice, maker, book):
    """To find it gone already is no failure; the book forgets it, and a preview is told of."""
    change(book, preview="p.wav")
    maker.own_voices.clear()
    result = voice("delete", "narrator", "-p", "acme", "--yes")
    assert result.exit_code == 0
    assert "there was no voice" in result.stderr
    assert "its preview stays: p.wav" in result.stderr
    assert book.get("narrator") is None


@pytest.mark.usefixtures("narrator")
def test_delete_without_terminal(voice, maker):
    """Without a terminal and without --yes nothing is deleted, and the code is of usage."""
    result = voice("delete", "narrator", "-p", "acme")
    assert result.exit_code == 2
    assert "cannot be brought back" in result.stderr
    assert "add --yes" in result.stderr
    assert len(maker.own_voices) == 1


@pytest.mark.usefixtures("narrator", "terminal")
@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 130, 1)])
def test_delete_asks(voice, maker, answer, code, left):
    """On a terminal it is asked, with the name and the alias."""
    result = voice("delete", "narrator", "-p", "acme", stdin=answer)
    assert "'own-cloned-n-1' of acme (your 'narrator')" in result.stderr
    assert (result.exit_code, len(maker.own_voices)) == (code, left)


def test_delete_stock(voice, book):
    """A stock voice cannot be deleted; how to drop its alias is told."""
    book.add("clear", "acme", BookedVoice(id="ann"))
    result = voice("delete", "clear", "-p", "acme", "--yes")
    assert result.exit_code == 2
    assert "nobody can delete" in result.stderr
    assert "vivavoce voice alias clear acme --remove" in result.stderr


def test_delete_origin(voice, maker, monkeypatch):
    """--origin is taken where the id does not tell, and the list need not be read."""
    maker.own_voices["x1"] = own("x1", origin="designed")
    monkeypatch.delattr("vivavoce.testing._FakeCustomizer._page")
    args = ("x1", "-p", "acme", "--origin", "designed", "--yes")
    assert voice("delete", *args).exit_code == 0
    assert voice("delete", "x", "-p", "acme", "--origin", "stock").exit_code == 2


def test_delete_where_none_are_made(voice):
    """A provider that makes no voices has none to delete."""
    result = voice("delete", "x", "-p", "other", "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'other' has no voices but its own" in result.stderr


# try


@pytest.mark.usefixtures("narrator")
def test_try(voice, maker):
    """A voice says a sentence of its language into the file named, with its own model."""
    result = voice("try", "narrator", "-p", "acme", "-o", "out.wav")
    assert result.exit_code == 0
    assert spoken("out.wav") == samples_of(SENTENCES["de"])
    assert "wrote out.wav" in result.stderr
    (request,) = maker.requests
    assert (request.model.name, request.voice.id) == ("own", "own-cloned-n-1")


@pytest.mark.usefixtures("narrator")
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("narrator", "Guten Tag."), "Guten Tag."),
        (("narrator", "--language", "en"), SENTENCES["en"]),
        (("ann",), SENTENCES["en"]),
        (("bär",), SENTENCES["de"]),
    ],
)
def test_what_is_tried(voice, maker, args, said):
    """The text given is said, else a sentence of the language asked for or of the voice."""
    assert voice("try", *args, "-p", "acme", "-o", "a.wav").exit_code == 0
    assert "".join(request.text for request in maker.requests) == said


@pytest.mark.parametrize(("language", "said"), [("", SENTENCES["en"]), ("sw", DIGITS)])
def test_language_not_known(voice, maker, book, language, said):
    """Of a language without a sentence digits are said; of none, an English one."""
    maker.own_voices["own-cloned-x-1"] = own("own-cloned-x-1")
    booked = BookedVoice(id="own-cloned-x-1", origin="cloned", model="own", language=language)
    book.add("x", "acme", booked)
    assert voice("try", "x", "-p", "acme", "-o", "a.wav").exit_code == 0
    assert maker.requests[0].text == said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("ann",), "Give -o FILE, or --play"),
        (("ann", "-o", "a.xyz"), "xyz"),
        (("nobody", "-o", "a.wav"), "no voice 'nobody'"),
        (("ann", "", "-o", "a.wav"), "speak"),
        (("ann", "-o", "a.wav", "--language", "tlh-x"), "language"),
    ],
)
def test_bad_try(voice, maker, args, said):
    """What cannot be spoken, or where nobody would hear it, is refused as `say` does."""
    result = voice("try", *args, "-p", "acme")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert maker.requests == []


# alias


def test_alias(voice, maker, book):
    """A name stands for a voice at each provider, and says who may stand in."""
    given = ("narrator", "acme:ann", "other:eva", "--language", "en", "--gender", "female")
    result = voice("alias", *given, "--style", "calm")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "acme               ann (stock)" in result.stdout
    assert "stand-in gender    female" in result.stdout
    alias = book.get("narrator")
    assert {at: v.id for at, v in alias.voices.items()} == {"acme": "ann", "other": "eva"}
    assert (alias.language, alias.gender.value, alias.style) == ("en", "female", "calm")
    assert alias.voices["acme"].model == ""  # a stock voice is not bound
    assert maker.configs == []  # and is looked up here
    shown = voice("alias", "narrator")
    assert shown.stdout == result.stdout


def test_alias_json(voice, book):
    """--json prints the alias, whole."""
    told = read(voice("alias", "narrator", "acme:ann", "--style", "calm", "--json"))
    assert (told["alias"], told["exists"], told["style"]) == ("narrator", True, "calm")
    assert (told["language"], told["gender"]) == ("", "unknown")
    assert told["voices"]["acme"]["id"] == "ann"
    gone = read(voice("alias", "narrator", "--remove", "--json"))
    assert (gone["exists"], gone["voices"]) == (False, {})
    assert book.get("narrator") is None


def test_alias_of_own(voice, maker, book):
    """An own voice is asked for at its provider, and is bound to its model."""
    maker.own_voices["own-cloned-x-1"] = own("own-cloned-x-1", languages=("de",))
    assert voice("alias", "late", "acme:own-cloned-x-1").exit_code == 0
    booked = book.get("late").voices["acme"]
    assert (booked.origin.value, booked.model, booked.language) == ("cloned", "own", "de")
    assert booked.made == "2026-11-02T09:30:00+00:00"
    assert voice("try", "late", "-p", "acme", "-o", "a.wav").exit_code == 0
    assert maker.requests[0].model.name == "own"


def test_alias_grows(voice, book):
    """Voices are added to an alias that is there; to add one again changes nothing."""
    voice("alias", "narrator", "acme:ann")
    assert voice("alias", "narrator", "acme:ann", "other:eva").exit_code == 0
    assert list(book.get("narrator").voices) == ["acme", "other"]


def test_attributes_alone(voice, book):
    """An alias may say who stands in before it has any voice; empty ones take it back."""
    assert voice("alias", "narrator", "--gender", "male", "--language", "en").exit_code == 0
    assert book.get("narrator").gender.value == "male"
    assert voice("alias", "narrator", "--gender", "unknown", "--language", "").exit_code == 0
    assert not book.get("narrator").describes


def test_remove(voice, book):
    """--remove forgets one provider, or all; the voices stay."""
    voice("alias", "narrator", "acme:ann", "other:eva")
    assert voice("alias", "narrator", "acme", "--remove").exit_code == 0
    assert list(book.get("narrator").voices) == ["other"]
    result = voice("alias", "narrator", "--remove")
    assert (result.exit_code, result.stderr) == (0, "vivavoce: forgot the alias 'narrator'\n")
    assert book.get("narrator") is None


@pytest.mark.usefixtures("narrator")
def test_remove_record(voice, maker, book):
    """With the record of an own voice goes its consent: that is asked first."""
    result = voice("alias", "narrator", "--remove")
    assert result.exit_code == 2
    assert "consent included, is only in the voice book" in result.stderr
    assert book.get("narrator") is not None
    assert voice("alias", "narrator", "--remove", "--yes").exit_code == 0
    assert book.get("narrator") is None
    assert len(maker.own_voices) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("narrater",), "Did you mean 'narrator'?"),
        (("narrater", "--remove"), "There is no alias 'narrater'"),
        (("narrator", "other", "--remove"), "none at 'other'"),
        (("narrator", "--remove", "--style", "calm"), "--remove takes no"),
        (("narrator", "acme:bär"), "means the voice 'ann' at 'acme' already"),
        (("x", "acme"), "names no voice"),
        (("x", "nobody:ann"), "No provider 'nobody'"),
        (("x", "acme:nobody"), "no voice 'nobody'"),
        (("x", "acme:own-cloned-9"), "no voice 'own-cloned-9' of yours"),
        (("x", "acme:ann", "acme:bär"), "two voices of 'acme'"),
        (("eva", "other:tom"), "a voice 'eva' of its own"),
        (("a b", "acme:ann"), "is no alias"),
        (("x", "--gender", "deep"), "deep"),
        (("x", "--language", "xx-yy-zz"), "BCP-47"),
        (("x", "other:eva", "acme:nobody"), "no voice 'nobody'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_alias(voice, book, args, said):
    """Bad names are refused, and nothing is written, not even of what was good."""
    voice("alias", "narrator", "acme:ann")
    before = book.path.read_bytes()
    result = voice("alias", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert book.path.read_bytes() == before


def test_book_unreadable(voice, book):
    """A book that is no TOML is told, as a fault of the set-up."""
    book.path.parent.mkdir()
    book.path.write_text("[narrator")
    for args in (("list",), ("alias", "narrator"), ("show", "x", "-p", "acme")):
        result = voice(*args)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "is no TOML" in result.stderr


# Aliases where one speaks


@pytest.mark.usefixtures("narrator")
def test_say_alias(run_makers, maker):
    """An alias is used like any voice."""
    result = run_makers("say", "Guten Tag.", "-p", "acme:narrator", "-o", "a.wav")
    assert result.exit_code == 0
    assert maker.requests[0].voice.id == "own-cloned-n-1"


def test_no_stand_in(run_makers, book):
    """An alias without a voice at the provider is refused, and --stand-in is offered."""
    book.describe("narrator", gender="female", language="en")
    result = run_makers("say", "Hello.", "-p", "other:narrator", "-o", "a.wav")
    assert result.exit_code == 2
    assert "--stand-in" in result.stderr


def test_stand_in(run_makers, book):
    """With --stand-in another voice speaks, and is told."""
    book.describe("narrator", gender="male", language="en")
    args = ("Hello.", "-p", "other:narrator", "--stand-in")
    plan = read(run_makers("explain", *args, "--json"))
    assert plan["voice"] == "tom"
    result = run_makers("say", *args, "-o", "a.wav")
    assert result.exit_code == 0
    assert "'tom' stands in for 'narrator'" in result.stderr


def test_voices_tells_of_own(run_makers):
    """`voices` lists the provider's own, and its help tells where those of one's own are."""
    assert "vivavoce voice list" in run_makers("voices", "--help").stdout


def test_providers_tell_who_makes(run_makers):
    """`providers` shows who makes voices."""
    acme, other = run_makers("providers").stdout.splitlines()[1:]
    assert " yes " in acme
    assert " yes " not in other


def test_error_of_provider(voice, monkeypatch):
    """What the provider refuses while listing has its own code."""

    def refuse(*_args):
        msg = "Not now."
        raise errors.RateLimited(msg)

    monkeypatch.setattr("vivavoce.testing._FakeCustomizer._page", refuse)
    monkeypatch.setattr("vivavoce.pipeline.retry.Retry.wait_s", lambda *_a, **_k: None)
    result = voice("list", "acme")
    assert (result.exit_code, result.stdout) == (4, "")
