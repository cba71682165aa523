import itertools
import json
import tomllib
from datetime import UTC, datetime

import attrs
import pytest

from vivavoce import errors
from vivavoce.hookspecs import hookimpl
from vivavoce.model.card import Price
from vivavoce.model.customizing import CloneRequest, DesignRequest
from vivavoce.model.voice import Voice

CONSENT = ("--consent-by", "Ann Li", "--consent-how", "signed release of 2026-11-02")
DESCRIPTION = (
    "A woman of about thirty, low pitch, unhurried pace, warm and confident, for documentaries."
)
PREVIEW = "Good evening, and welcome to the news."
TRANSCRIPT = "We went along the river, and nobody said a word."


def clone_args(recording, *more):
    return ("clone", recording, "-p", "acme", "--name", "narrator", *CONSENT, *more)


def design_args(*more, description=DESCRIPTION):
    given = ("--name", "anchor", "--preview-text", PREVIEW, "--language", "en")
    return ("design", description, "-p", "acme", *given, *more)


def table(text):
    """Return a table of two columns as a dictionary."""
    heading, *rows = text.splitlines()
    at = heading.index("IS")
    return {row[:at].strip(): row[at:].strip() for row in rows}


def document(result):
    return json.loads(result.stdout_bytes.decode("utf-8"))


# What is made


def test_clone(voice, maker, recording, book):
    """A recording becomes a voice under an alias; standard output tells what was made."""
    result = voice(*clone_args(recording, "--yes"))
    assert result.exit_code == 0
    assert table(result.stdout) == {
        "alias": "narrator",
        "id": "own-cloned-narrator-1",
        "bound to": "acme/own",
        "cost": "0.5 EUR",
    }
    (request,) = maker.requests
    assert isinstance(request, CloneRequest)
    assert request.recording.data == recording.read_bytes()
    booked = book.get("narrator").voices["acme"]
    assert (booked.id, booked.model) == ("own-cloned-narrator-1", "own")
    assert (booked.consent.by, booked.consent.how) == (CONSENT[1], CONSENT[3])


def test_design(voice, maker, book):
    """A description becomes a voice; its preview is kept, and the result tells where."""
    result = voice(*design_args("--yes"))
    assert result.exit_code == 0
    told = table(result.stdout)
    preview = book.path.parent / "previews" / "anchor.acme.wav"
    assert (told["alias"], told["id"]) == ("anchor", "own-designed-anchor-1")
    assert told["preview"] == str(preview)
    assert preview.read_bytes().startswith(b"RIFF")
    (request,) = maker.requests
    assert isinstance(request, DesignRequest)
    assert (request.description, request.preview_text) == (DESCRIPTION, PREVIEW)


def test_wishes_of_clone(voice, maker, recording, tmp_path):
    """Every wish reaches the provider or the voice book."""
    words = tmp_path / "words.txt"
    words.write_text(f"\ufeff{TRANSCRIPT}\n", encoding="utf-8")
    result = voice(
        *clone_args(recording, "--transcript-file", words, "--language", "en-US"),
        *("--target-model", "own", "--alias", "storyteller", "--consent-on", "2026-11-02"),
        *("--region", "eu", "--base-url", "http://localhost:1", "--yes"),
    )
    assert result.exit_code == 0
    (request,) = maker.requests
    assert (request.transcript, request.language) == (TRANSCRIPT, "en")
    (config,) = maker.configs
    assert (config.region, config.base_url) == ("eu", "http://localhost:1")
    assert table(result.stdout)["alias"] == "storyteller"
    assert "voice try storyteller -p acme --base-url http://localhost:1" in result.stderr


def test_transcript_of_stdin(voice, maker, recording):
    """--transcript-file - reads standard input."""
    result = voice(*clone_args(recording, "--transcript-file", "-", "--yes"), stdin=TRANSCRIPT)
    assert result.exit_code == 0
    assert maker.requests[0].transcript == TRANSCRIPT


def test_wishes_of_design(voice, maker, tmp_path):
    """A description may come from a file, and the preview has the format asked for."""
    words = tmp_path / "voice.txt"
    words.write_text(f"{DESCRIPTION}\n", encoding="utf-8")
    given = ("--format", "wav", "--sample-rate", "16000", "--yes")
    assert voice(*design_args(*given, description=f"@{words}")).exit_code == 0
    assert maker.requests[0].description == DESCRIPTION
    assert maker.requests[0].format.sample_rate_hz == 16_000


def test_description_of_stdin(voice, maker):
    """A description of - is standard input."""
    assert voice(*design_args("--yes", description="-"), stdin=DESCRIPTION).exit_code == 0
    assert maker.requests[0].description == DESCRIPTION


def test_model_of_selector(voice, maker, recording):
    """-p PROVIDER/MODEL says the model the voice is for."""
    args = [arg if arg != "acme" else "acme/own" for arg in clone_args(recording, "--yes")]
    assert voice(*args).exit_code == 0
    assert maker.requests[0].model.name == "own"


# The plan


def test_plan_is_shown(voice, recording):
    """Before anything is sent the plan is shown: binding, region, consent and price."""
    result = voice(*clone_args(recording, "--region", "eu", "--yes"))
    plan = result.stderr.partition("hear it")[0]
    assert "bound to   acme/own, the only model it will speak with\n" in plan
    assert "region     eu\n" in plan
    assert "recording  3.0 s, 16000 Hz, mono\n" in plan
    assert f"consent    by Ann Li: {CONSENT[3]} (kept in the voice book only)\n" in plan
    assert "cost       0.5 EUR per voice\n" in plan


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_dry_run(voice, maker, recording, book, flag):
    """--dry-run prints the plan on standard output, sends nothing, writes nothing, asks nobody."""
    result = voice(*clone_args(recording, "--dry-run", *flag))
    assert (result.exit_code, result.stderr) == (0, "")
    assert maker.requests == []
    assert not book.path.exists()
    if flag:
        assert document(result)["state"] == "planned"
    else:
        assert "cost       0.5 EUR per voice" in result.stdout


@pytest.mark.parametrize(
    ("prices", "said"),
    [([], "not known"), (["0"], "nothing"), (["0.2"], "0.2 EUR per voice")],
)
def test_cost(run_with, maker, recording, prices, said):
    """The price is told with its currency and the provider's note; what is not known, too."""
    run = run_with(with_offer(maker, prices=prices, note="The first one is free."))
    plan = run("voice", *clone_args(recording, "--dry-run")).stdout
    assert f"cost       {said}\n" in plan
    assert "note       The first one is free.\n" in plan


def with_offer(maker, *, prices, **changes):
    """Return a plugin like *maker* that offers to clone in another way."""
    (info,) = maker.vivavoce_voice_customizers()
    own = tuple(Price(amount=a, currency="EUR", per=1, unit="voices") for a in prices)
    offer = attrs.evolve(info.clone, prices=own, **changes)

    class Changed:
        vivavoce_synthesizers = maker.vivavoce_synthesizers

        @hookimpl
        def vivavoce_voice_customizers(self):
            return [attrs.evolve(info, clone=offer)]

    return Changed()


def test_json_of_clone(voice, recording):
    """--json prints one document, with plan and voice."""
    result = voice(*clone_args(recording, "--yes", "--json"))
    assert (result.exit_code, result.stderr) == (0, "")
    told = document(result)
    assert told.keys() == {"state", "plan", "voice", "candidates"}
    assert told["state"] == "made"
    plan = told["plan"]
    assert (plan["origin"], plan["model"], plan["is_refused"]) == ("cloned", "own", False)
    assert (plan["cost"], plan["currency"]) == ("0.5", "EUR")
    assert plan["recording"]["duration_s"] == pytest.approx(3.0)
    assert told["voice"] == {
        "provider": "acme",
        "id": "own-cloned-narrator-1",
        "alias": "narrator",
        "origin": "cloned",
        "model": "own",
        "region": None,
        "preview": None,
        "cost": "0.5",
        "currency": "EUR",
        "request_id": "fake-1",
        "warnings": [],
    }


def test_nothing_private_is_shown(voice, recording):
    """Neither transcript, description nor preview text is ever repeated."""
    result = voice(*clone_args(recording, "--transcript", TRANSCRIPT, "--yes"))
    more = voice(
        *clone_args(recording, "--transcript", TRANSCRIPT, "--alias", "b", "--yes", "--json")
    )
    designed = voice(*design_args("--yes"))
    as_json = voice(*design_args("--yes", "--json", "--alias", "c"))
    for shown in (result, more, designed, as_json):
        assert shown.exit_code == 0
        for text in (TRANSCRIPT, DESCRIPTION, PREVIEW):
            assert text not in shown.output


def test_findings_in_plan(voice, maker, poor_recording):
    """What is refused is shown with what would help, and nothing is sent; the code is of usage."""
    result = voice(*clone_args(poor_recording, "--yes"))
    assert (result.exit_code, result.stdout, maker.requests) == (2, "", [])
    assert (
        "  refused    sample_rate: The recording 'low.wav' has a sample rate of 8000"
        in result.stderr
    )
    assert "--fix" in result.stderr
    assert "fix=True" not in result.stderr
    assert "vivavoce: error: Nothing was sent." in result.stderr


def test_fix(voice, maker, poor_recording):
    """--fix repairs it; what was repaired and what it cannot mend is told once."""
    result = voice(*clone_args(poor_recording, "--fix", "--yes"))
    assert result.exit_code == 0
    assert maker.requests[0].recording.sample_rate_hz == 16_000
    assert "  repaired   sample_rate: " in result.stderr
    assert result.stderr.count("gains no quality") == 1


@pytest.mark.parametrize("more", [("--dry-run",), ("--yes",)])
def test_json_of_refused(voice, poor_recording, more):
    """A refused plan is one document too, and the code is of usage."""
    result = voice(*clone_args(poor_recording, "--json", *more))
    assert result.exit_code == 2
    told = document(result)
    assert (told["state"], told["plan"]["is_refused"], told["voice"]) == ("refused", True, None)
    assert told["plan"]["findings"][0]["level"] == "refused"


def test_advice_in_plan(voice):
    """What could be better in a description is in the plan, and stops nothing."""
    result = voice(*design_args("--yes", description="A nice voice for the evening."))
    assert result.exit_code == 0
    assert "  advised   vague: 'nice' tells nothing" in result.stderr


# Asking


def test_no_terminal(voice, maker, recording):
    """Without a terminal and without --yes it is refused as wrong usage, and says so."""
    result = voice(*clone_args(recording))
    assert (result.exit_code, maker.requests) == (2, [])
    assert "cost       0.5 EUR per voice" in result.stderr
    assert "There is no terminal to ask on: add --yes" in result.stderr


def test_no_terminal_json(voice, maker, recording):
    """With --json the plan is the one document, and tells that nothing was made."""
    result = voice(*clone_args(recording, "--json"))
    assert (result.exit_code, maker.requests) == (2, [])
    assert document(result)["state"] == "planned"


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("answer", "code", "made"), [("y\n", 0, 1), ("n\n", 130, 0), ("\n", 130, 0)]
)
@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_question(voice, maker, recording, answer, code, made, flag):
    """On a terminal it is asked, after the plan and on standard error; only a yes has it made."""
    result = voice(*clone_args(recording, *flag), stdin=answer)
    assert (result.exit_code, len(maker.requests)) == (code, made)
    plan, asked, _ = result.stderr.partition("Have the voice 'narrator' made? [y/N]")
    assert asked
    assert "cost       0.5 EUR per voice" in plan
    if flag:
        assert document(result)["state"] == ("made" if made else "planned")


@pytest.mark.usefixtures("terminal")
def test_end_of_input_is_no_yes(voice, maker, recording):
    """Who closes the terminal has not agreed."""
    result = voice(*clone_args(recording), stdin="")
    assert (result.exit_code, maker.requests) == (130, [])


@pytest.mark.usefixtures("terminal")
def test_key_first(run_with, make_acme, recording):
    """A missing key is told before anybody is asked."""
    acme = make_acme(makes_voices=True, credential_env=("ACME_TOKEN",))
    result = run_with(acme)("voice", *clone_args(recording), stdin="y\n")
    assert result.exit_code == 3
    assert "ACME_TOKEN" in result.stderr
    assert "[y/N]" not in result.stderr


def test_plan_needs_no_key(run_with, make_acme, recording):
    """The plan alone needs no key."""
    acme = make_acme(makes_voices=True, credential_env=("ACME_TOKEN",))
    assert run_with(acme)("voice", *clone_args(recording, "--dry-run")).exit_code == 0


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("alias", ["narrator", "a b"])
def test_book_first(voice, recording, book, alias):
    """A book or an alias that cannot be written is told before anybody is asked."""
    if alias == "narrator":
        # Where the lock should be there is a folder: the book can be read, but not written.
        book.path.with_name("voices.toml.lock").mkdir(parents=True)
    result = voice(*clone_args(recording, "--alias", alias), stdin="y\n")
    assert result.exit_code == 2
    assert "[y/N]" not in result.stderr


# How it ends


def test_lost_and_found(voice, maker, recording):
    """A voice whose answer was lost, and that the list has, is a success with a warning."""
    maker.lost_answers.append(errors.ConnectionLost("The line broke."))
    result = voice(*clone_args(recording, "--yes"))
    assert result.exit_code == 0
    assert table(result.stdout)["id"] == "own-cloned-narrator-1"
    assert "vivavoce: warning: the answer was lost" in result.stderr


@pytest.fixture
def lost(maker):
    """Let the next answer be lost, and another voice look like the one asked for."""
    twin = Voice(
        id="own-cloned-narrator-0",
        origin="cloned",
        models=("own",),
        created_at=datetime.now(UTC),
    )
    maker.own_voices[twin.id] = twin
    maker.lost_answers.append(errors.ConnectionLost("The line broke."))


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_perhaps_made(voice, recording, book, flag):
    """A voice that may have been made has a code of its own, and tells which it may be."""
    result = voice(*clone_args(recording, "--yes", *flag))
    assert result.exit_code == 6
    assert "vivavoce voice list acme" in result.stderr
    ids = ["own-cloned-narrator-0", "own-cloned-narrator-2"]
    for voice_id in ids:
        assert f"it may be {voice_id!r}" in result.stderr
    assert book.get("narrator") is None
    if flag:
        told = document(result)
        assert (told["state"], told["candidates"]) == ("maybe_made", ids)


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_interrupted(voice, maker, recording, flag):
    """Ctrl-C while it is made says that it may have been made, and how to look."""
    maker.lost_answers.append(KeyboardInterrupt())
    result = voice(*clone_args(recording, "--yes", *flag))
    assert result.exit_code == 130
    assert "it may have been made, and billed" in result.stderr
    assert "`vivavoce voice list acme`" in result.stderr
    assert result.stderr.endswith("vivavoce: interrupted\n")
    if flag:
        assert document(result)["state"] == "maybe_made"


def test_refused_by_provider(voice, maker, recording, book):
    """A provider that says no gives code 4; nothing is in the book."""
    maker.lost_answers.append(errors.RequestRejected("Not this voice."))
    result = voice(*clone_args(recording, "--yes", "--json"))
    assert result.exit_code == 4
    assert document(result)["state"] == "failed"
    assert result.stderr == "vivavoce: error: Not this voice.\n"
    assert book.get("narrator") is None


def test_not_recorded(voice, maker, recording, book, monkeypatch):
    """A voice that could not be recorded is told by its id, and tried by it."""

    def full(*_args):
        msg = "The disk is full."
        raise errors.OutputError(msg)

    monkeypatch.setattr("vivavoce.book.VoiceBook.add_anyhow", full)
    result = voice(*clone_args(recording, "--yes"))
    assert result.exit_code == 0
    assert "vivavoce: warning: the voice was made" in result.stderr
    assert "voice try own-cloned-narrator-1 -p acme" in result.stderr


# What is no good


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("clone", "{wav}", "-p", "acme", "--name", "a", *CONSENT[2:]), "--consent-by"),
        (("clone", "{wav}", "-p", "acme", "--name", "a", *CONSENT[:2]), "--consent-how"),
        (("clone", "{wav}", "-p", "acme", *CONSENT), "Missing option '--name'"),
        (("clone", "{wav}", "-p", "acme", "--name", "A 1", *CONSENT), "cannot be named 'A 1'"),
        (("clone", "{wav}", "-p", "other", "--name", "a", *CONSENT), "'other' clones no voices"),
        (("clone", "{wav}", "-p", "acme:ann", "--name", "a", *CONSENT), "'ann' stands for itself"),
        (("clone", "none.wav", "-p", "acme", "--name", "a", *CONSENT), "'none.wav' cannot be read"),
        (
            ("clone", "https://x.example/a.wav", "-p", "acme", "--name", "a", *CONSENT),
            "this provider fetches none",
        ),
        (
            (*clone_args("{wav}"), "--transcript", "a", "--transcript-file", "b"),
            "two transcripts",
        ),
        ((*clone_args("{wav}"), "--transcript-file", "none.txt"), "'none.txt' cannot be read"),
        ((*clone_args("{wav}"), "--consent-on", "today"), "ISO date"),
        ((*clone_args("{wav}"), "--consent-on", "2026-02-30"), "ISO date"),
        ((*clone_args("{wav}"), "--language", "fr"), "makes no voice from 'fr'"),
        ((*clone_args("{wav}"), "--target-model", "one"), "acme/one takes no cloned voices"),
        ((*clone_args("{wav}"), "--alias", "ann"), "has a voice 'ann' of its own"),
        ((*clone_args("{wav}"), "--alias", "a b"), "'a b' is no alias"),
        (("design", "x", "-p", "acme", "--preview-text", "b"), "Missing option '--name'"),
        (("design", "x", "-p", "acme", "--name", "b"), "Missing option '--preview-text'"),
        (("design", "-", "--preview-text", "-"), "cannot be both"),
        (("design", "x", "--advise-language", "zh"), "is of --advise"),
        (("design", "@none.txt", "-p", "acme"), "'none.txt' cannot be read"),
        (design_args("--format", "mp3"), "does not come as 'mp3'"),
        (design_args("--sample-rate", "8000"), "does not come at 8000 Hz"),
        (design_args(description="x" * 501), "501 characters; 500 are the most"),
        (("design", "x", "-p", "other", "--name", "b", "--preview-text", "c"), "designs no voices"),
    ],
    ids=itertools.count(),
)
def test_bad_input(voice, maker, recording, book, args, said):
    """Bad input is refused as wrong usage before anything is sent; what to do is told."""
    result = voice(*(recording if arg == "{wav}" else arg for arg in args), "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert maker.requests == []
    assert not book.path.exists() or book.aliases() == {}


def test_alias_taken(voice, maker, recording):
    """A taken alias is refused before anything is sent."""
    assert voice(*clone_args(recording, "--yes")).exit_code == 0
    result = voice(*clone_args(recording, "--yes"))
    assert result.exit_code == 2
    assert "'narrator' means the voice 'own-cloned-narrator-1'" in result.stderr
    assert len(maker.requests) == 1


# Advice alone


def test_advise(voice, maker, book):
    """--advise needs no provider, name or preview text, and sends nothing."""
    result = voice("design", "A nice voice.", "--advise")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "vague" in result.stdout
    assert "'nice' tells nothing" in result.stdout
    assert maker.requests == []
    assert maker.configs == []
    assert not book.path.exists()


def test_advise_of_good(voice):
    """A description without fault prints nothing but a word on standard error."""
    result = voice("design", DESCRIPTION, "--advise", "-p", "acme")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to advise" in result.stderr


@pytest.mark.parametrize(
    ("description", "language", "said"),
    [
        ("很好听的声音", (), "听得见"),
        ("A nice voice.", (), "can be heard"),
        ("A nice voice.", ("--advise-language", "zh"), "听得见"),
        ("很好听的声音", ("--advise-language", "en"), "can be heard"),
    ],
)
def test_advise_language(voice, description, language, said):
    """Advice is in the description's language, or the one asked for."""
    found = document(voice("design", description, "--advise", "--json", *language))
    assert found[0].keys() == {"about", "level", "message"}
    assert said in found[0]["message"]


def test_advise_by_rules(voice):
    """With a provider its rules are checked too, of the preview as well; a refusal has code 2."""
    result = voice(
        *("design", "x" * 501, "-p", "acme", "--advise", "--json"),
        *("--preview-text", "y" * 201, "--language", "en"),
    )
    assert result.exit_code == 2
    refused = [f["about"] for f in document(result) if f["level"] == "refused"]
    assert refused == ["description", "preview_text"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("  ", "--advise"), "speak"),
        (("x", "--advise", "-p", "other"), "'other' designs no voices"),
        (("x", "--advise", "-p", "nobody"), "No provider 'nobody'"),
    ],
)
def test_bad_advise(voice, args, said):
    """Nothing to advise on, or nobody who designs, is wrong usage."""
    result = voice("design", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_previews_survive(voice, book):
    """The book that was written is TOML that a person can read."""
    voice(*design_args("--yes"))
    read = tomllib.loads(book.path.read_text(encoding="utf-8"))
    assert read["anchor"]["at"]["acme"]["description"] == DESCRIPTION
