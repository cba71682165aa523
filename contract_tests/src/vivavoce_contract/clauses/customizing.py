"""Making voices: what is offered, what comes of it, and that nobody pays twice."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from vivavoce import (
    AudioFormat,
    CapabilityError,
    CredentialError,
    InvalidValue,
    MaybeCreated,
    RateLimited,
    Retry,
    SetupError,
    UnknownVoice,
    UsageError,
    VivavoceError,
    Voice,
)
from vivavoce import errors as tree
from vivavoce.audio.wav import read_wav
from vivavoce.authoring import (
    INTERFACE,
    CloneOffer,
    Container,
    DesignOffer,
    ProviderConfig,
)
from vivavoce_contract.case import KEY, Case
from vivavoce_contract.clause import Clauses, Unmet, need
from vivavoce_contract.clauses.conduct import is_hidden, listening, shown
from vivavoce_contract.clauses.speech import anything, level_of
from vivavoce_contract.making import (
    KINDS,
    Fault,
    Life,
    Making,
    Workshop,
    live,
    making_of,
    moment_of,
    name_for,
    workshop,
)
from vivavoce_contract.tapes import Tape

if TYPE_CHECKING:
    from vivavoce_contract.tapes.player import Player

making = Clauses("making voices", "VOI")

_OFFER = "the offers of the customizer (VoiceCustomizerInfo)"
_MAKE = "clone() and design() of the customizer"
_LIST = "list() of the customizer"
_CORE = "core's planning and recording of new voices"

_EITHER = "clone or design"
_REFUSAL = (CapabilityError, InvalidValue)
_CONTAINERS = {"wav", "mp3", "m4a", "flac", "ogg"}
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_SOFTEST = 30.0
_TWICE = Retry(attempts=2, first_wait_s=0)
_OFTEN = Retry(attempts=3, first_wait_s=0)


def _makes(case: Case) -> bool:
    return case.customizer is not None


def _networked(case: Case) -> bool:
    return case.is_networked


def _offers(case: Case) -> Iterator[tuple[str, CloneOffer | DesignOffer]]:
    for kind in KINDS:
        offer = case.offer(kind)
        if offer is not None:
            yield kind, offer


# What is offered


@making(where=_OFFER, each_model=False, applies=_makes)
def offers_agree_with_the_cards(case: Case) -> None:
    """A voice is offered for models that claim it; a model that claims it and is not has a note."""
    assert case.customizer is not None
    cards = {card.name: card for card in case.info.models}
    need(list(_offers(case)), "it offers neither to clone nor to design")
    for kind in KINDS:
        offer = case.offer(kind)
        offered = () if offer is None else offer.models
        need(offer is None or offered, f"it offers to {kind} for no model")
        for name in offered:
            need(name in cards, f"it offers to {kind} for {name!r}, which is not listed")
            claims = cards[name].capabilities
            need(claims[kind], f"it offers to {kind} for {name!r}, which claims no such voices")
        note = case.customizer.note + (offer.note if offer is not None else "")
        for card in case.info.models:
            if card.capabilities[kind] and not (card.unavailable or card.alias_of):
                is_told = card.name in offered or card.name in note
                need(is_told, f"{card.name} claims {kind}, is not offered, and no note says why")


@making(where="the class that the customizer names", each_model=False, applies=_makes)
def the_customizer_is_in_the_code(case: Case) -> None:
    """It was written for this interface, and its class loads and has what the offers need."""
    info = case.customizer
    assert info is not None
    need(info.interface == INTERFACE, f"it was written for interface {info.interface}")
    need(info.max_voices is None or info.max_voices > 0, f"max_voices is {info.max_voices}")
    info.load_customizer()(ProviderConfig()).close()


@making(where="the offers' name rules", each_model=False, applies=_makes)
def names_have_a_rule(case: Case) -> None:
    """The rule for names is a pattern that takes a plain one and not an empty one, in words too."""
    for kind, offer in _offers(case):
        try:
            re.compile(offer.name.pattern)
        except re.error as error:
            msg = f"{kind}: {offer.name.pattern!r} is no pattern: {error}"
            raise Unmet(msg) from error
        name = name_for(offer.name)
        need(re.fullmatch(offer.name.pattern, name), f"{kind}: no plain name is taken, as {name!r}")
        need(not re.fullmatch(offer.name.pattern, ""), f"{kind}: an empty name is taken")
        need(offer.name.meaning.strip(), f"{kind}: the rule is not told in words")


@making(where="the offers' prices and regions", each_model=False, applies=_makes)
def voices_have_sound_prices(case: Case) -> None:
    """Prices are of one voice, above nothing, in a currency and an offered region, and read."""
    for kind, offer in _offers(case):
        for price in offer.prices:
            need(price.unit == "voices", f"{kind}: a price is of {price.unit!r}, not of voices")
            need(price.amount > 0 and price.per > 0, f"{kind}: {price.amount} per {price.per}")
            need(re.fullmatch("[A-Z]{3}", price.currency), f"{price.currency!r} is no currency")
            known = not price.region or not offer.regions or price.region in offer.regions
            need(known, f"{kind}: a price is of the region {price.region!r}, which is not offered")
            need(price.evidence is not None, f"{kind}: the price in {price.region!r} is unread")


@making(where=_OFFER, each_model=False, applies=_makes)
def offers_are_sound(case: Case) -> None:
    """Limits have their least below their greatest, formats and tags exist, with evidence."""
    for kind, offer in _offers(case):
        need(offer.evidence is not None, f"the offer to {kind} has no evidence")
        for tag in offer.languages:
            need(_TAG.fullmatch(tag), f"{kind}: {tag!r} is no tag of a language")
        for low, high in _limits(offer):
            need(low is None or low >= 0, f"{kind}: a least of {low}")
            need(high is None or high > 0, f"{kind}: a greatest of {high}")
            ordered = low is None or high is None or low <= high
            need(ordered, f"{kind}: {low} is above its greatest, {high}")
        if isinstance(offer, CloneOffer):
            unread = set(offer.recording.containers) - _CONTAINERS
            need(offer.recording.containers, "recordings come in no container")
            need(not unread, f"recordings come as {sorted(unread)}, which nobody can look at")
        else:
            for tag in offer.description_languages:
                need(_TAG.fullmatch(tag), f"{kind}: {tag!r} is no tag of a language")
            need(offer.preview_formats and offer.preview_rates_hz, "a preview has no format")
            for name in offer.preview_formats:
                for rate_hz in offer.preview_rates_hz:
                    AudioFormat.named(name, sample_rate_hz=rate_hz)


def _limits(offer: CloneOffer | DesignOffer) -> Iterator[tuple[float | None, float | None]]:
    if isinstance(offer, DesignOffer):
        yield None, offer.max_description
        yield offer.min_preview, offer.max_preview
        return
    rules = offer.recording
    yield rules.min_s, rules.max_s
    yield None, rules.max_bytes
    yield None, rules.max_channels
    if rules.advised_s is not None:
        low, high = rules.advised_s
        yield low, high
        yield rules.min_s, low
        yield high, rules.max_s


# What comes of it


@making(where="clone() of the customizer", capability="clone", by_offer=True, refusal=_REFUSAL)
def clones_a_voice(case: Case) -> None:
    """A recording becomes a cloned voice with an id, for the model asked for and no other."""
    with workshop(case, *_tapes(case, "clone")) as shop:
        new = shop.make(making_of(case, "clone")).value()
        _is_bound(case, shop, new, "cloned")


@making(where="design() of the customizer", capability="design", by_offer=True, refusal=_REFUSAL)
def designs_a_voice(case: Case) -> None:
    """A description becomes a designed voice, with a preview as it was asked for, audible."""
    with workshop(case, *_tapes(case, "design")) as shop:
        asked = making_of(case, "design")
        new = shop.make(asked).value()
        _is_bound(case, shop, new, "designed")
    need(new.preview is not None, f"no preview came: {'; '.join(new.warnings)}")
    name, rate_hz = asked.wishes["format"], asked.wishes["sample_rate_hz"]
    wanted = AudioFormat.named(name, sample_rate_hz=rate_hz)
    told = new.preview.format
    need(told == wanted, f"the preview is {told}, and {wanted} was asked for")
    samples = new.preview.data
    if wanted.container is Container.WAV:
        found, samples = read_wav(samples)
        has_hz = found.sample_rate_hz
        need(has_hz == rate_hz, f"the preview's file has {has_hz} Hz, not {rate_hz}")
    need(len(samples) > 0, "the preview is empty")
    if wanted.is_pcm:
        level, _ = level_of(samples)
        need(level > _SOFTEST, f"the preview's amplitude is {level:.0f} of 32767: that is silence")


def _is_bound(case: Case, shop: Workshop, new: Any, origin: str) -> None:
    voice: Voice = new.voice
    need(voice.id.strip(), "the new voice has no id")
    need(voice.origin == origin, f"the new voice is {voice.origin.value}, not {origin}")
    need(
        voice.models == (case.card.name,),
        f"the new voice is for {', '.join(voice.models) or 'no model'}, not for {case.card.name}",
    )
    booked = shop.book.find(case.info.name, voice.id)
    need(booked is not None, f"it was not recorded: {'; '.join(new.warnings)}")


def _tapes(case: Case, kind: str) -> tuple[Tape, ...]:
    return case.tapes_for(kind)


def _each(case: Case) -> Iterator[tuple[Case, str, tuple[Tape, ...]]]:
    """Give each kind that is offered with a model it is for; where none is, ask, and be refused."""
    if not case.is_claimed:
        with workshop(case) as shop:
            shop.make(making_of(case, "clone")).value()
        return
    for kind, offer in _offers(case):
        known = {card.name: card for card in case.info.models}
        # The usual one, unless another has a tape.
        names = [name for name in offer.models if name in known]
        need(names, f"it offers to {kind} for no model that is listed")
        taped = [name for name in names if case.of_model(known[name]).has_tape(kind)]
        target = case.of_model(known[(taped or names)[0]])
        yield target, kind, _tapes(target, kind)


def _lives(case: Case) -> Iterator[tuple[Case, str, Workshop, Life]]:
    """Give the life of a voice of each kind that is offered."""
    for target, kind, tapes in _each(case):
        with workshop(target, *tapes) as shop:
            yield target, kind, shop, live(shop.ask, making_of(target, kind))


def _ids(voices: list[Voice]) -> list[str]:
    return [voice.id for voice in voices]


@making(where=_LIST, capability=_EITHER, by_offer=True, each_model=False, refusal=_REFUSAL)
def lists_the_voices_made(case: Case) -> None:
    """A voice that was made is in the list, which is read to its last page, each voice once."""
    for target, kind, shop, life in _lives(case):
        made, listed = life.made.value(), life.listed.value()
        ids = _ids(listed)
        need(made.voice.id in ids, f"{kind}: the voice made is not among the {len(ids)} listed")
        need(len(set(ids)) == len(ids), f"{kind}: a voice is listed twice")
        found = next(voice for voice in listed if voice.id == made.voice.id)
        need(found.origin == made.voice.origin, f"{kind}: it is listed as {found.origin.value}")
        need(target.card.name in found.models, f"{kind}: it is listed for {found.models}")
        strangers = [voice.id for voice in listed if voice.origin != made.voice.origin]
        need(not strangers, f"{kind}: voices of another origin are listed: {strangers[:2]}")
        if not target.is_networked:
            _reads_all_pages(target, kind, shop)
    for tape in _documented(case, "voices"):
        _reads_page_after_page(case, tape)


# More than anybody has on one page of an engine in this process that has pages at all.
_SEVERAL = 5


def _reads_all_pages(case: Case, kind: str, shop: Workshop) -> None:
    asked = making_of(case, kind)
    made = []
    for number in range(_SEVERAL):
        wishes = {**asked.wishes, "alias": f"several-{number}"}
        made.append(shop.ask(kind, asked.given, **wishes).value().voice.id)
    ids = _ids(shop.ask("list", origin=asked.origin).value())
    need(sorted(ids) == sorted(made), f"{kind}: of {_SEVERAL} voices made {len(ids)} are listed")


def _reads_page_after_page(case: Case, tape: Tape) -> None:
    case.used.append(tape)
    wanted = list(tape.header.expects["voices"])
    with workshop(_taped(case), tape) as shop:
        ids = _ids(shop.ask("list", origin=tape.header.expects["origin"]).value())
        asked = len(tape.exchanges())
        need(ids == wanted, f"{tape.header.scenario}: {len(ids)} are listed, not {len(wanted)}")
        need(shop.count("list") == asked, f"it was asked {shop.count('list')} times, not {asked}")


def _taped(case: Case) -> Case:
    """Return the case of a model that voices are made for: a tape of its list is of none."""
    return next(target for target, _, _ in _each(case))


def _documented(case: Case, what: str, kind: str = "") -> list[Tape]:
    """Return the tapes of what was documented of voices: they say what they expect."""
    found = []
    for name in case.subject.library:
        tape = case.subject.library.get(name) if name.startswith("voices-") else None
        expects = {} if tape is None else tape.header.expects
        if tape is not None and what in expects and expects.get("making", kind) in ("", kind):
            found.append(tape)
    return found


@making(
    where="get() of the customizer, or its list",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def finds_a_voice(case: Case) -> None:
    """A voice that was made is found by its id; one that is not there is an unknown voice."""
    for target, kind, _, life in _lives(case):
        made = life.made.value().voice
        found = life.got.value()
        need(found.id == made.id, f"{kind}: another was found, {found.id!r}")
        need(found.origin == made.origin, f"{kind}: what was found is {found.origin.value}")
        need(target.card.name in found.models, f"{kind}: what was found is for {found.models}")
        if life.deleted.error is None:
            gone = life.gone.error
            need(isinstance(gone, UnknownVoice), f"{kind}: deleted, asking for it gives {gone!r}")


@making(
    where="delete() of the customizer",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def deletes_a_voice(case: Case) -> None:
    """Deleting says whether there was a voice, and to find none is no failure; then it is gone."""
    for _, kind, shop, life in _lives(case):
        made = life.made.value().voice
        need(life.deleted.value() is True, f"{kind}: a voice that was there is said not to be")
        need(life.again.value() is False, f"{kind}: a voice deleted before is said to be there")
        if life.left.error is None:
            need(made.id not in _ids(life.left.result), f"{kind}: what was deleted is listed")
        booked = shop.book.find(case.info.name, made.id)
        need(booked is None, f"{kind}: what was deleted is in the voice book")


@making(
    where="the new voice's models, and recognise_voice",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def speaks_with_what_was_made(case: Case) -> None:
    """The voice made speaks with its model; with another it is refused and nothing is sent."""
    for target, kind, tapes in _each(case):
        with workshop(target, *tapes) as shop:
            new = shop.make(making_of(target, kind)).value()
            speak = [anything(tape) for tape in target.tapes_for("speak")]
            with target.stage(*speak) as stage:
                stage.hear(target.scenario(), voice=new.voice).spoken()
                asked = stage.log.requests[0].voice
                need(asked is not None and asked.id == new.voice.id, f"{kind}: {asked!r} was asked")
                if stage.player is not None:
                    _is_on_the_wire(new.voice, stage.player)
            with shop.client() as client:
                plan = client.explain(target.sentence(), voice=new.alias)
                spoken = plan.voice.id if plan.voice is not None else ""
                need(spoken == new.voice.id, f"{kind}: by its alias {spoken!r} would speak")
            for other in _others(case, new.voice):
                _refuses_the_voice(other, shop, new.voice)


def _refuses_the_voice(case: Case, shop: Workshop, voice: Voice) -> None:
    for given in (voice, voice.id):
        with shop.client(case.selector) as client:
            try:
                client.stream(case.sentence(), voice=given)
            except UsageError:
                continue
            msg = f"with {case.selector} it is not refused"
            raise Unmet(msg)


def _is_on_the_wire(voice: Voice, player: Player) -> None:
    said = [seen.path.encode() + seen.body for seen in player.requests]
    said += [message.data for seen in player.requests for message in seen.messages]
    need(any(voice.id.encode() in part for part in said), "the voice's id was not sent")


def _others(case: Case, voice: Voice) -> Iterator[Case]:
    """Give two other models: one that speaks with such voices, if there is one, and any."""
    others = [card for card in case.info.models if card.name not in voice.models]
    usable = [card for card in others if not card.unavailable]
    kind = "clone" if voice.origin == "cloned" else "design"
    alike = [card for card in usable if card.capabilities[kind]]
    for card in {card.name: card for card in (*alike[:1], *usable[:1])}.values():
        yield case.of_model(card)


# What is not sent


@making(where=_OFFER, capability=_EITHER, by_offer=True, each_model=False, refusal=_REFUSAL)
def refuses_before_it_asks(case: Case) -> None:
    """What the offer excludes, or comes without key or consent, is refused and nothing is sent."""
    for target, kind, _ in _each(case):
        good = making_of(target, kind, is_said=True)
        for what, wishes, given, client in _excluded(target, kind, good):
            with workshop(target) as shop:
                made = shop.ask(kind, given, client=client, **{**good.wishes, **wishes})
                is_typed = isinstance(made.error, UsageError | SetupError)
                need(is_typed, f"{kind} with {what} gave {made.error or made.result!r}")
                need(not shop.was_sent, f"{kind} with {what} was sent before it was refused")


_Excluded = tuple[str, dict[str, Any], Any, dict[str, Any]]


def _excluded(case: Case, kind: str, good: Making) -> Iterator[_Excluded]:
    """Give what the offer does not take: what it is, wishes, what it is made from, the client's."""
    offer = case.offer(kind)
    assert offer is not None
    for name in ("", " ", "a b\n", "näme…", "x" * 4_000):
        if not re.fullmatch(offer.name.pattern, name):
            yield f"the name {name[:9]!r}", {"name": name}, good.given, {}
    others = [card.name for card in case.info.models if card.name not in offer.models]
    for model in (*others[:1], "no-such-model"):
        yield f"the model {model!r}", {"target_model": model}, good.given, {}
    if offer.languages:
        yield "a language that is not offered", {"language": "tlh"}, good.given, {}
    if offer.regions:
        yield "a region that is not offered", {}, good.given, {"region": "atlantis-1"}
    if case.info.credential_env:
        yield "no key", {}, good.given, {"api_key": None}
    if isinstance(offer, CloneOffer):
        yield from _no_clone(offer, good)
    else:
        yield from _no_design(offer, good)


def _no_clone(offer: CloneOffer, good: Making) -> Iterator[_Excluded]:
    yield "no consent", {"consent": None}, good.given, {}
    yield "an empty recording", {}, b"", {}
    yield "what is no recording", {}, b"This is no sound. " * 9, {}
    if not offer.takes_transcript:
        yield "a transcript", {"transcript": "One, two."}, good.given, {}
    if not offer.recording.takes_url:
        yield "an address", {}, "https://voices.example/one.wav", {}


def _no_design(offer: DesignOffer, good: Making) -> Iterator[_Excluded]:
    yield "an empty description", {}, "", {}
    yield "a format that is none", {"format": "wax"}, good.given, {}
    yield "a rate that is none", {"sample_rate_hz": 1}, good.given, {}
    if offer.max_description is not None:
        yield "a long description", {}, "." * (offer.max_description + 1), {}
    if offer.max_preview is not None:
        yield "a long preview", {"preview_text": "." * (offer.max_preview + 1)}, good.given, {}


# What goes wrong


_STATUSES = ((400, VivavoceError), (401, CredentialError), (404, VivavoceError), (429, RateLimited))


@making(
    where="explain_error() of the customizer's tasks",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
    applies=_networked,
)
def refusals_are_typed(case: Case) -> None:
    """A refused making is the right error of the tree, with code and id, and nothing was made."""
    for target, kind, tapes in _each(case):
        for status, wanted in _STATUSES:
            with workshop(target, *tapes) as shop:
                shop.fail(kind, Fault(name=f"HTTP {status}", status=status))
                error = shop.make(making_of(target, kind)).error
            need(isinstance(error, wanted), f"{kind}: HTTP {status} gave {error!r}")
            need(not isinstance(error, MaybeCreated), f"{kind}: HTTP {status} may have made one")
        for tape in _documented(case, "error", kind):
            case.used.append(tape)
            with workshop(target, anything(tape)) as shop:
                error = shop.make(making_of(target, kind)).error
            _is_as_documented(tape, error)


def _is_as_documented(tape: Tape, error: Exception | None) -> None:
    wanted, what = tape.header.expects, tape.header.scenario
    kind = getattr(tree, str(wanted["error"]))
    need(type(error) is kind, f"{what}: {error!r}, not {kind.__name__}")
    assert isinstance(error, VivavoceError)
    need(error.code == wanted.get("code", error.code), f"{what}: code {error.code!r}")
    asked = wanted.get("request_id", error.request_id)
    need(error.request_id == asked, f"{what}: request id {error.request_id!r}")
    again = wanted.get("retryable", error.retryable)
    need(error.retryable is again, f"{what}: retryable is {error.retryable}")


_CUT = Fault(name="the connection is cut", is_done=True)
_LOST = (
    _CUT,
    Fault(name="no answer comes", is_silence=True, is_done=True),
    Fault(name="HTTP 500", status=500, body=b"{}", is_done=True),
    Fault(name="HTTP 502 with a page", status=502, body=b"<html>Sorry</html>", is_done=True),
    Fault(name="an empty answer", status=200, is_done=True),
    Fault(name="an empty object", status=200, body=b"{}", is_done=True),
    Fault(name="a page", status=200, body=b"<html>Please sign in</html>", is_done=True),
    Fault(name="half an answer", status=200, body=b'{"output": {"voi', is_done=True),
)


@making(
    where="what is repeated by the customizer itself, and what receive() makes of a bad answer",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def asks_for_a_voice_once(case: Case) -> None:
    """Where the answer is lost it is not asked for again: it is found, or may have been made."""
    for target, kind, tapes in _each(case):
        asked = making_of(target, kind)
        with workshop(target, *tapes) as shop:
            shop.make(asked).value()
            once = shop.count(kind)
        for fault in _LOST:
            with workshop(target, *tapes) as shop:
                shop.fail(kind, fault)
                made = shop.make(asked, retry=_OFTEN)
                times = shop.count(kind)
            what = f"{kind}: {fault.name}"
            need(times <= once, f"{what}: it was asked for {times} times, not {once}")
            if made.error is None:
                need(made.result.warnings, f"{what}: it was found, and nobody is warned")
            else:
                maybe = isinstance(made.error, MaybeCreated)
                need(maybe, f"{what}: it gave {made.error!r}, not that it may have been made")


@making(
    where="is_named() of the customizer, and created_at of what it lists",
    level="should",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def finds_what_was_lost(case: Case) -> None:
    """A voice whose answer was lost is found again in the list, by its name and time."""
    for target, kind, tapes in _each(case):
        asked = making_of(target, kind)
        with workshop(target, *tapes) as shop:
            made = shop.make(asked).value().voice
            listed = {voice.id: voice for voice in shop.ask("list", origin=asked.origin).value()}
        with workshop(target, *tapes) as shop:
            if target.is_networked:
                shop.moment = moment_of(listed.get(made.id))
            shop.fail(kind, _CUT)
            new = shop.make(asked).value()
            if target.is_networked:
                need(new.voice.id == made.id, f"{kind}: another was found, {new.voice.id!r}")
            _is_bound(target, shop, new, asked.origin.value)
        if not target.is_networked:
            continue
        with workshop(target, *tapes) as shop:
            # Of another name: what is in the list is not the voice.
            shop.moment = moment_of(listed.get(made.id))
            shop.fail(kind, _CUT)
            other = {**asked.wishes, "name": _another_name(target, kind, asked.wishes["name"])}
            if other["name"]:
                error = shop.ask(kind, asked.given, **other).error
                lost = isinstance(error, MaybeCreated)
                need(lost, f"{kind}: a voice of another name was taken for it ({error!r})")


def _another_name(case: Case, kind: str, name: str) -> str:
    offer = case.offer(kind)
    assert offer is not None
    near = (f"{name}2", f"{name}_2", f"my{name}", "another", "b2", "b")
    return next((other for other in near if re.fullmatch(offer.name.pattern, other)), "")


_BUSY = Fault(name="HTTP 503", status=503, body=b"{}")
_TOO_MANY = Fault(name="HTTP 429", status=429, body=b"{}")


@making(
    where="core's retry; whether the errors are marked retryable",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def asks_again_where_it_may(case: Case) -> None:
    """Reading and deleting are asked for again when they fail, making when it was refused."""
    for target, kind, tapes in _each(case):
        asked = making_of(target, kind)
        with workshop(target, *tapes) as shop:
            for verb, fault in ((kind, _TOO_MANY), ("list", _BUSY), ("delete", _BUSY)):
                shop.fail(verb, fault)

            def ask(verb: str, *given: Any, shop: Workshop = shop, **wishes: Any) -> Any:
                return shop.ask(verb, *given, client={"retry": _TWICE}, **wishes)

            life = live(ask, asked)
            made = life.made.value().voice
            need(shop.count(kind) >= (2 if target.is_networked else 1), f"{kind}: asked once")
            need(made.id in _ids(life.listed.value()), f"{kind}: it is not in the second list")
            need(life.deleted.value() is True, f"{kind}: asked twice, there was none to delete")


# What is not shown


_RUN = re.compile(r"[A-Za-z0-9+/]{40,}")


@making(
    where="reprs, logs and errors of the customizer",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def hides_key_recording_and_transcript(case: Case) -> None:
    """The key, the recording and its transcript are in no log, repr, address or error."""
    for target, kind, tapes in _each(case):
        asked = making_of(target, kind)
        with listening() as lines, workshop(target, *tapes) as shop:
            life = live(shop.ask, asked)
            with shop.client() as client:
                plan = getattr(client.voices, f"explain_{kind}")(asked.given, **asked.wishes)
                own = client._core.own_voices()  # noqa: SLF001 - it is nobody else's
                said = [repr(own._customizer), repr(plan), repr(shop.settings())]  # noqa: SLF001
            said += [repr(outcome) for outcome in attrs.astuple(life, recurse=False)]
            for sent in shop.sent:
                said.append(repr(sent.call))
                address = sent.call.url if sent.call is not None else ""
                need(KEY not in address, f"{kind}: the key is in the address")
                body = sent.call.body if sent.call is not None else b""
                need(KEY.encode() not in body, f"{kind}: the key is in the body")
        _nothing_of_it(said, asked, f"{kind}: a repr")
        for error in _echoed(target, kind, asked, tapes):
            _nothing_of_it(list(shown(error)), asked, f"{kind}: an error")
        _nothing_of_it(lines, asked, f"{kind}: the log")


def _echoed(case: Case, kind: str, asked: Making, tapes: tuple[Tape, ...]) -> Iterator[Exception]:
    """Give the errors of a service that repeats what it was sent, and a refusal of core's."""
    data = base64.b64encode(asked.given).decode() if isinstance(asked.given, bytes) else ""
    private = f"bad key {KEY}; {asked.wishes.get('transcript', '')}; {data[:400]}"
    body = json.dumps({"code": "X", "message": private, "detail": private}).encode()
    for status in (400, 401, 500, 200) if case.is_networked else ():
        with workshop(case, *tapes) as shop:
            shop.fail(kind, Fault(name="an echo", status=status, body=body))
            error = shop.make(asked).error
            if error is not None:
                yield error
    with workshop(case) as shop:
        error = shop.ask(kind, asked.given, **{**asked.wishes, "name": ""}).error
        if error is not None:
            yield error


def _nothing_of_it(said: list[str], asked: Making, what: str) -> None:
    is_hidden(said, what)
    transcript = asked.wishes.get("transcript")
    need(
        not (transcript and any(transcript in each for each in said)), f"{what} has the transcript"
    )
    if isinstance(asked.given, bytes):
        data = base64.b64encode(asked.given).decode()
        for each in said:
            runs = [run for run in _RUN.findall(each) if run[:40] in data]
            need(not runs and "WAVEfmt" not in each, f"{what} has the recording")


# What is told


@making(
    where="warnings of MadeVoice",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
)
def passes_warnings_on(case: Case) -> None:
    """What the service warns of when it makes a voice is among the new voice's warnings."""
    for target, kind, tapes in _each(case):
        for taped in (tapes, *((anything(tape),) for tape in _documented(case, "warns", kind))):
            expected = taped[0].header.expects.get("warns", "") if taped else ""
            target.used += [tape for tape in taped if tape not in target.used]
            with workshop(target, *taped) as shop:
                new = shop.make(making_of(target, kind)).value()
                made = shop.made[-1]
            lost = [warning for warning in made.warnings if warning not in new.warnings]
            need(not lost, f"{kind}: nobody is told: {lost}")
            told = any(expected in warning for warning in new.warnings)
            need(told or not expected, f"{kind}: of {expected!r} nobody is warned")


@making(
    where="request_id of MadeVoice",
    level="should",
    capability=_EITHER,
    by_offer=True,
    each_model=False,
    refusal=_REFUSAL,
    applies=_networked,
)
def tells_the_request_of_a_voice(case: Case) -> None:
    """A new voice comes with the service's id of the request that made it."""
    for target, kind, tapes in _each(case):
        with workshop(target, *tapes) as shop:
            need(shop.make(making_of(target, kind)).value().request_id, f"{kind}: no id is told")


@making(where=_CORE, capability=_EITHER, by_offer=True, each_model=False, refusal=_REFUSAL)
def both_faces_make_alike(case: Case) -> None:
    """Both faces send the same and get the same, from the voice's making to its end."""
    for target, kind, tapes in _each(case):
        asked, found = making_of(target, kind), []
        for face in ("sync", "async"):
            with workshop(target, *tapes) as shop:

                def ask(
                    verb: str, *given: Any, shop: Workshop = shop, face: Any = face, **wishes: Any
                ) -> Any:
                    return shop.ask(verb, *given, face=face, **wishes)

                life = live(ask, asked)
                life.made.value()
                came = [_came(one, target) for one in attrs.astuple(life, recurse=False)]
                found.append((came, [sent.as_plain for sent in shop.sent]))
        (one, sent), (other, also) = found
        need(one == other, f"{kind}: {one}, {other}")
        need(sent == also, f"{kind}: by sync and by async something else is sent")


def _came(outcome: Any, case: Case) -> Any:
    """Return what is compared: of an engine in this process, whose ids are new, the types."""
    if outcome.error is not None:
        return type(outcome.error).__name__, str(outcome.error) if case.is_networked else ""
    result = outcome.result
    if not case.is_networked:
        return type(result).__name__, len(result) if isinstance(result, list) else 0
    if hasattr(result, "voice"):
        return result.voice, result.request_id, result.warnings
    return result
