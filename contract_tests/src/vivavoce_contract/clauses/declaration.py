"""What a provider says of itself before anything is sent."""

from __future__ import annotations

import math
import re
import subprocess
import sys

from vivavoce import AudioFormat, ModelCard
from vivavoce.authoring import INTERFACE, Synthesizer
from vivavoce_contract.case import Case, is_networked
from vivavoce_contract.clause import Clauses, need

clause = Clauses("declaration", "DEC")

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_CARDS = "the model cards (capabilities.py of the plugin)"

# Run in an interpreter of its own, where nothing is loaded and no variable set.
_LISTING = """
import socket, sys

def refuse(*arguments, **options):
    raise SystemExit("opened a socket")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from vivavoce.registry import installed
info = installed().get(sys.argv[1])
voices = len(info.voices())
heavy = {"httpx2", "httpx", "websockets", "numpy"} & set(sys.modules)
print("heavy:" + ",".join(sorted(heavy)), len(info.models), voices)
"""


def _is_installed(case: Case) -> bool:
    """A provider made on the spot has no entry point that another interpreter could find."""
    return bool(case.subject.registry.origin(case.info.name))


@clause(where="the hook vivavoce_synthesizers", each_model=False, applies=_is_installed)
def lists_without_key_or_network(case: Case) -> None:
    """It is listed with no key and no network, and loads no library for either."""
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own program
        [sys.executable, "-c", _LISTING, case.info.name],
        env={"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    need(done.returncode == 0, f"listing failed: {(done.stderr or done.stdout).strip()[-300:]}")
    need(done.stdout.startswith("heavy: "), f"listing loads {done.stdout.split()[0]}")


# What a service may hold its users to without a word.
_LIMITS = ("max_text", "max_instructions", "rpm", "tpm")


@clause(where=_CARDS, level="should")
def says_of_each_capability(case: Case) -> None:
    """Of each capability the card says yes or no; a limit nobody documents is unknown, and why."""
    silent = [
        name
        for name, claim in case.card.capabilities
        if claim.support == "unknown" and not (name in _LIMITS and claim.note)
    ]
    need(not silent, f"unknown: {', '.join(silent)}")


@clause(where=_CARDS)
def shows_evidence(case: Case) -> None:
    """Each yes says where it was read, and when."""
    for name, claim in case.card.capabilities:
        if claim:
            need(claim.evidence is not None, f"{name} is claimed without evidence")
            assert claim.evidence is not None
            need(claim.evidence.source.strip(), f"the evidence of {name} names no source")
            date = claim.evidence.date
            need(_DATE.fullmatch(date), f"the evidence of {name} is of {date!r}, which is no date")


@clause(where=_CARDS)
def limits_are_sound(case: Case) -> None:
    """Limits have their least below their greatest, and are finite numbers."""
    for name, claim in case.card.capabilities:
        for limit in (claim.minimum, claim.maximum):
            need(limit is None or math.isfinite(limit), f"a limit of {name} is {limit!r}")
        if claim.minimum is not None and claim.maximum is not None:
            need(claim.minimum <= claim.maximum, f"{name}: {claim.minimum} is above its greatest")


@clause(where="the card's stream_in and the method session() of the synthesizer")
def streaming_in_is_in_the_code(case: Case) -> None:
    """Text while speaking is claimed only where the code has a session for it."""
    has = case.info.load_synthesizer().session is not Synthesizer.session
    claimed = bool(case.card.capabilities.stream_in)
    need(has or not claimed, "stream_in is claimed, and there is no session()")


@clause(where=_CARDS)
def formats_exist(case: Case) -> None:
    """Sample rates, encodings and containers are stated, and exist."""
    claims = case.card.capabilities
    need(claims.sample_rates_hz.values, "no sample rate is stated")
    for rate in claims.sample_rates_hz.values:
        AudioFormat(sample_rate_hz=int(rate))
    need(claims.encodings.values, "no encoding is stated")
    need(claims.containers.values, "no container is stated")


@clause(where="the card's default_voice, and the voices' models")
def the_default_voice_is_one(case: Case) -> None:
    """The default voice is listed, and for this model; without one there are none of its own."""
    voices = {voice.id: voice for voice in case.info.voices()}
    if case.card.default_voice:
        voice = voices.get(case.card.default_voice)
        need(voice is not None, f"the default voice {case.card.default_voice!r} is not listed")
        assert voice is not None
        need(case.card.name in voice.models, f"{voice.id!r} does not name {case.card.name!r}")
    else:
        stock = case.card.capabilities.stock_voices
        need(not stock, "it claims voices of its own and names no default")


@clause(where="the table of voices", each_model=False)
def voices_are_in_order(case: Case) -> None:
    """Voices have different ids, tags of languages, and models that exist."""
    seen: set[str] = set()
    models = {card.name for card in case.info.models}
    for voice in case.info.voices():
        need(voice.id and voice.id not in seen, f"the voice {voice.id!r} is listed twice")
        seen.add(voice.id)
        for tag in (*voice.languages, *voice.dialects):
            need(_TAG.fullmatch(tag), f"{voice.id!r} speaks {tag!r}, which is no tag")
        need(voice.models, f"{voice.id!r} names no model")
        unknown = set(voice.models) - models
        need(not unknown, f"{voice.id!r} names {sorted(unknown)[:3]}, which are no models")


@clause(where="the cards' alias_of and family", each_model=False)
def aliases_lead_somewhere(case: Case) -> None:
    """A name that stands for another model names one that is listed, and no alias."""
    cards = {card.name: card for card in case.info.models}
    for card in case.info.models:
        if card.alias_of:
            target = cards.get(card.alias_of)
            need(target is not None, f"{card.name} stands for {card.alias_of!r}, not listed")
            assert target is not None
            need(not target.alias_of, f"{card.name} stands for {target.name}, an alias itself")


@clause(where="the card's prices and regions")
def prices_are_sound(case: Case) -> None:
    """Prices are of the model's regions, above nothing, with a currency and evidence."""
    card: ModelCard = case.card
    need(not (card.is_free and card.prices), "it is free and has a price")
    for price in card.prices:
        need(price.amount > 0 and price.per > 0, f"a price of {price.amount} per {price.per}")
        need(re.fullmatch("[A-Z]{3}", price.currency), f"{price.currency!r} is no currency")
        need(not price.region or price.region in card.regions, f"{price.region!r} is no region")
        need(price.evidence is not None, f"the price in {price.region!r} has no evidence")


@clause(where="the card's options")
def options_are_sound(case: Case) -> None:
    """Options have different names, a meaning, and values that they accept themselves."""
    seen: set[str] = set()
    for option in case.card.options:
        need(option.name not in seen, f"the option {option.name!r} is there twice")
        seen.add(option.name)
        need(option.meaning.strip(), f"the option {option.name!r} says not what it does")
        for value in option.values:
            option.check(value)


@clause(where="SynthesizerInfo", each_model=False)
def introduces_itself(case: Case) -> None:
    """It was written for this interface, and one that needs a key is never the default."""
    need(case.info.interface == INTERFACE, f"it was written for interface {case.info.interface}")
    need(case.info.title.strip(), "it has no title for people")
    if case.info.credential_env:
        need(case.info.default_rank == 0, "it needs a key and offers itself as the default")
    if any(is_networked(card) for card in case.info.models):
        need(case.info.homepage, "it is reached over a network and names no page to read on")
