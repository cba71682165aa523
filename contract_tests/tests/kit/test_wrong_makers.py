"""
For every clause about making voices a provider that breaks just that promise.

Each liar is a right maker of ``making_providers`` with one thing changed, in this process or
behind a network. It is held to all clauses about making voices, one whose offer is wrong to those
about offers: the one it breaks fails, and no other does, but for those named with a reason. What
core keeps in every provider's place is broken in core.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from local_providers import MODEST_INFO, Plugin, Speech, contract_of
from making_providers import (
    CLONE,
    PRICES,
    Asking,
    Local,
    Maker,
    NetMaker,
    customizer,
    made,
    net_contract_of,
    net_made,
    net_tapes,
    sound,
)
from making_providers import contract_of as local_contract_of

from vivavoce.authoring import (
    AudioFormat,
    CloneRequest,
    DesignRequest,
    HttpCall,
    LocalSink,
    MadeVoice,
    NameRule,
    NextCall,
    Reply,
    RequestRejected,
    Task,
    VivavoceError,
    Voice,
    VoiceOrigin,
    VoicePage,
)
from vivavoce.client import AsyncVoices
from vivavoce.pipeline.customize import OwnVoices
from vivavoce_contract.case import Case
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.contract import subject_of
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Run, Verdict

MAKING = [clause for clause in CLAUSES if clause.area == "making voices"]
BY_ID = {clause.id: clause for clause in MAKING}
OFFERING = [clause for clause in MAKING if not clause.capability]
CLONED, DESIGNED = VoiceOrigin.CLONED, VoiceOrigin.DESIGNED


@attrs.frozen(kw_only=True)
class MakerLie:
    """
    One maker that breaks one promise.

    Attributes:
        clause: The clause that it breaks.
        name: In a word or two, for the test's id.
        what: What it does.
        make: Makes the plugin.
        is_net: Whether it is behind a network.
        with_it: Clauses that cannot but break too, each with the reason.
    """

    clause: str
    name: str
    what: str
    make: Callable[[], object]
    is_net: bool
    with_it: Mapping[str, str]


MAKER_LIES: list[MakerLie] = []


def lies(
    clause: str, *, is_net: bool = False, with_it: Mapping[str, str] | None = None
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Enter the function below as one that makes a liar; its docstring says what it does."""

    def enter(make: Callable[[], object]) -> Callable[[], object]:
        MAKER_LIES.append(
            MakerLie(
                clause=clause,
                name=make.__name__.strip("_").replace("_", "-"),
                what=make.__doc__ or "",
                make=make,
                is_net=is_net,
                with_it=with_it or {},
            )
        )
        return make

    return enter


def never(reason: str, *clauses: str) -> dict[str, str]:
    """Return clauses that cannot but break too, all for one reason."""
    return dict.fromkeys((f"VOI-{number}" for number in clauses), reason)


# What is offered


@lies("VOI-01")
def _offers_an_unclaimed_model() -> object:
    """It offers to clone for a model too that claims no such voices."""
    return made(clone={"models": ("free", "paid")})


@lies("VOI-01")
def _offers_an_unlisted_model() -> object:
    """It offers to design for a model too that there is not."""
    return made(design={"models": ("paid", "gone")})


@lies("VOI-01")
def _offers_not_what_is_claimed() -> object:
    """A model claims designed voices, nothing is offered for it, and no note says why."""
    return made(design=None, info={}) if False else made_without_design()


def made_without_design(note: str = "") -> Plugin:
    """Return a maker that clones only, though a model claims designed voices."""
    from local_providers import made as provider

    return provider(customizers=(customizer(design=None, note=note),))


@lies("VOI-02")
def _no_limit_is_one() -> object:
    """It keeps nought voices at most."""
    return made(max_voices=0)


class _Demanding(Maker):
    """Cannot be made without a key."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        config.credential.reveal()


@lies("VOI-02")
def _needs_a_key_to_be_made() -> object:
    """Its class breaks down when it is made without a key."""
    return made(_Demanding)


@lies("VOI-02")
def _is_nowhere() -> object:
    """It names a class that there is not."""
    plugin = made()
    info = attrs.evolve(plugin.customizers[0], customizer="no.such.place:Maker")
    return attrs.evolve(plugin, customizers=(info,))


@lies("VOI-02")
def _designs_not() -> object:
    """It offers to design, and its class does not."""
    plugin = made()
    # By its place: core looks at a class that is given at once.
    info = attrs.evolve(plugin.customizers[0], customizer="making_providers:OnlyClones")
    return attrs.evolve(plugin, customizers=(info,))


@lies("VOI-03")
def _no_pattern() -> object:
    """Its rule for names is no pattern."""
    return made(clone={"name": NameRule(pattern="[a-z", meaning="letters")})


@lies("VOI-03")
def _takes_empty_names() -> object:
    """Its rule takes an empty name."""
    return made(design={"name": NameRule(pattern="[a-z]*", meaning="letters")})


@lies("VOI-03")
def _takes_no_plain_name() -> object:
    """Its rule takes no plain name."""
    return made(clone={"name": NameRule(pattern="[0-9]{40}", meaning="40 digits")})


@lies("VOI-03")
def _says_not_what_a_name_is() -> object:
    """Its rule is not told in words."""
    return made(clone={"name": NameRule(pattern="[a-z]{1,20}", meaning=" ")})


_UNSOUND: Mapping[str, Mapping[str, Any]] = {
    "by the character": {"unit": "characters"},
    "for nothing": {"amount": 0},
    "in no currency": {"currency": "euro"},
    "unread": {"evidence": None},
}


def _enter_prices() -> None:
    for name, change in _UNSOUND.items():

        def make(change: Mapping[str, Any] = change) -> object:
            return made(clone={"prices": tuple(attrs.evolve(one, **change) for one in PRICES)})

        make.__name__, make.__doc__ = f"priced_{name.replace(' ', '_')}", f"Its price is {name}."
        lies("VOI-04")(make)


_enter_prices()


@lies("VOI-04")
def _priced_elsewhere() -> object:
    """Its price is of a region that is not offered."""
    prices = tuple(attrs.evolve(price, region="mars") for price in PRICES)
    return made(clone={"prices": prices, "regions": ("moon",)})


_WRONG_RULES = {
    "turned seconds": {"min_s": 1.0, "max_s": 0.5},
    "no bytes": {"max_bytes": 0},
    "turned advice": {"advised_s": (9.0, 3.0)},
    "advice beyond": {"max_s": 5.0, "advised_s": (3.0, 9.0)},
    "unheard container": {"containers": ("wav", "wax")},
}


def _enter_rules() -> None:
    for name, change in _WRONG_RULES.items():

        def make(change: Mapping[str, Any] = change) -> object:
            return made(clone={"recording": attrs.evolve(CLONE.recording, **change)})

        make.__name__ = f"has_{name.replace(' ', '_')}"
        make.__doc__ = f"Its rules for recordings have {name}."
        lies("VOI-05")(make)


_enter_rules()


@lies("VOI-05")
def _offer_unread() -> object:
    """Its offer does not say where it was read."""
    return made(design={"evidence": None})


@lies("VOI-05")
def _no_tag() -> object:
    """A description may be in what is no tag of a language."""
    return made(design={"description_languages": ("en", "plain English")})


@lies("VOI-05")
def _no_format() -> object:
    """A preview comes in a format that there is not."""
    return made(design={"preview_formats": ("wav", "wax")})


# What comes of it


class _Renaming(Maker):
    """Makes voices that are other than it says: see what is changed in each."""

    changed: Mapping[str, Any] = {}

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        def run() -> MadeVoice:
            voice = self.keep(request, CLONED)
            return MadeVoice(voice=attrs.evolve(voice, **self.changed), request_id="made-1")

        return Local(run)


def _renaming(**changed: Any) -> Plugin:
    return made(type("Renamed", (_Renaming,), {"changed": changed}))


@lies("VOI-06", with_it=never("bound to no model it is bound to none in the list", "11"))
def _bound_to_nothing() -> object:
    """What it clones is bound to no model."""
    return _renaming(models=())


@lies("VOI-06")
def _bound_to_several() -> object:
    """What it clones is said to speak with another model too."""
    return _renaming(models=("free", "elsewhere"))


@lies("VOI-06", with_it=never("what it is in the list is another thing than it was", "08", "09"))
def _clones_are_stock() -> object:
    """What it clones is said to be the provider's own."""
    return _renaming(origin=VoiceOrigin.STOCK)


class _Preview(Maker):
    """Gives previews that are otherwise than asked for."""

    def changed(self, request: DesignRequest) -> DesignRequest:
        return attrs.evolve(request, format=AudioFormat.named("wav", sample_rate_hz=16_000))


class _Faster(_Preview):
    """Says another rate, too."""

    def designed(self, request: DesignRequest) -> MadeVoice:
        return super().designed(self.changed(request))


@lies("VOI-07")
def _preview_at_another_rate() -> object:
    """Its preview is at another rate than asked for, and it says so."""
    return made(_Faster)


class _Mislabelled(_Preview):
    """Says the rate that was asked for."""

    def preview(self, request: DesignRequest) -> bytes:
        return super().preview(self.changed(request))


@lies("VOI-07")
def _preview_with_another_rate_inside() -> object:
    """Its preview says the rate that was asked for, and the file within says another."""
    return made(_Mislabelled)


class _Bare(Maker):
    """Leaves the header out."""

    def preview(self, request: DesignRequest) -> bytes:
        return super().preview(request)[44:]


@lies("VOI-07")
def _preview_without_a_header() -> object:
    """Its preview is said to be WAV, and is samples alone."""
    return made(_Bare)


class _Silent(Maker):
    """Says nothing."""

    def preview(self, request: DesignRequest) -> bytes:
        whole = sound(request.format, request.preview_text)
        return whole[:44] + bytes(len(whole) - 44)


@lies("VOI-07")
def _silent_preview() -> object:
    """Its preview is silent."""
    return made(_Silent)


class _Unheard(Maker):
    """Keeps the preview to itself."""

    def preview(self, request: DesignRequest) -> bytes:  # the base class's signature
        return b"" * len(request.preview_text)


@lies("VOI-07")
def _no_preview() -> object:
    """No preview comes."""
    return made(_Unheard)


class _FirstPage(Maker):
    """Has one page."""

    def page(self, origin: VoiceOrigin, begin: int) -> VoicePage:
        return attrs.evolve(super().page(origin, begin), next_page=None)


@lies("VOI-08")
def _lists_its_first_page() -> object:
    """It says that the first page of its list is the last."""
    return made(_FirstPage)


class _Forgetful(Maker):
    """Lists what was there before."""

    def page(self, origin: VoiceOrigin, begin: int) -> VoicePage:
        page = super().page(origin, begin)
        return page if len(page.voices) > 1 else attrs.evolve(page, voices=())


@lies("VOI-08", with_it=never("what is not listed is not found there", "15", "16"))
def _lists_nothing_new() -> object:
    """A voice that is the only one is not in its list."""
    return made(_Forgetful)


class _Mixing(Maker):
    """Makes no difference."""

    def page(self, origin: VoiceOrigin, begin: int) -> VoicePage:
        page = super().page(origin, begin)
        return attrs.evolve(
            page, voices=tuple(attrs.evolve(voice, origin=CLONED) for voice in page.voices)
        )


@lies("VOI-08", with_it=never("what is found in the list is said to be cloned", "15"))
def _lists_all_as_cloned() -> object:
    """It lists designed voices as cloned ones."""
    return made(_Mixing)


class _NoNext(NetMaker):
    """Does not read where the list goes on."""

    def next_page(self, answer: Mapping[str, Any]) -> str | None:
        return None


@lies("VOI-08", is_net=True)
def _reads_one_page() -> object:
    """It does not see that the list goes on."""
    return net_made(_NoNext)


class _Blind(Maker):
    """Finds nothing."""

    def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:
        return Local(lambda: None)


@lies("VOI-09")
def _finds_nothing() -> object:
    """It finds no voice."""
    return made(_Blind)


class _Dreaming(Maker):
    """Finds whatever is looked for."""

    def get(self, voice_id: str, origin: VoiceOrigin) -> Task[Voice | None] | None:
        model = "free" if origin is CLONED else "paid"
        return Local(lambda: Voice(id=voice_id, origin=origin, models=(model,)))


@lies("VOI-09")
def _finds_what_is_not_there() -> object:
    """It finds a voice that was deleted."""
    return made(_Dreaming)


class _Strict(Asking):
    """Takes a voice that is not there for a failure."""

    def refused(self, reply: Reply) -> Any:
        raise self.explain_error(reply.status, reply.headers, reply.body)


@lies(
    "VOI-10",
    is_net=True,
    with_it=never("a missing voice is a refusal to who asks for it too", "09"),
)
def _fails_to_delete_twice() -> object:
    """To delete a voice that is gone is a failure."""
    return net_made(type("StrictMaker", (NetMaker,), {"asking": _Strict}))


class _Gentle(Maker):
    """Deletes nothing."""

    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
        return Local(lambda: voice_id in self.kept)


@lies(
    "VOI-10",
    with_it=never("what is not deleted is still there", "08", "09", "15", "20"),
)
def _deletes_nothing() -> object:
    """It says that a voice is deleted, and keeps it."""
    return made(_Gentle)


class _Agreeing(Maker):
    """Says yes."""

    def delete(self, voice_id: str, origin: VoiceOrigin) -> Task[bool]:
        return Local(lambda: self.kept.pop(voice_id, None) is None or True)


@lies("VOI-10")
def _always_deletes_one() -> object:
    """It says of a voice deleted before that it was there."""
    return made(_Agreeing)


class _Shy(Speech):
    """Does not speak with voices that were just made."""

    def run(self, sink: LocalSink) -> None:
        voice = self.request.voice
        if voice is not None and "contract" in voice.id:
            raise RequestRejected("no such voice")
        super().run(sink)


@lies("VOI-11")
def _does_not_speak_with_it() -> object:
    """A voice that was made does not speak."""
    return made(speech=_Shy)


# What goes wrong


class _Mild(Asking):
    """Takes every refusal for a wrong request."""

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        found = super().explain_error(status, headers, body)
        if status >= 500 or status == 429:
            return found
        error = RequestRejected(found.message, code=found.code, status=status)
        error.request_id = found.request_id
        return error


@lies("VOI-13", is_net=True)
def _takes_a_wrong_key_for_a_wrong_request() -> object:
    """A refused key is a wrong request to it."""
    return net_made(type("MildMaker", (NetMaker,), {"asking": _Mild}))


class _Codeless(Asking):
    """Does not read codes."""

    def told(self, body: bytes) -> Mapping[str, Any]:
        told = dict(super().told(body))
        if told.get("code") != "none":
            told.pop("code", None)
        return told


@lies("VOI-13", is_net=True)
def _reads_no_codes() -> object:
    """It does not see what a refusal is called."""
    return net_made(type("CodelessMaker", (NetMaker,), {"asking": _Codeless}))


class _Stubborn(Asking):
    """Asks again by itself."""

    tries = 0

    def refused(self, reply: Reply) -> Any:
        if reply.status >= 500 and not self.tries:
            self.tries += 1
            return NextCall(self.open())
        return super().refused(reply)


@lies("VOI-14", is_net=True)
def _asks_twice() -> object:
    """Where the service fails it asks again by itself, and two voices are made and billed."""
    return net_made(type("StubbornMaker", (NetMaker,), {"asking": _Stubborn}))


class _Sure(Asking):
    """Takes an answer it cannot read for a refusal."""

    def unreadable(self, reply: Reply) -> VivavoceError:
        return RequestRejected(f"Refused with {len(reply.body)} bytes.")


@lies("VOI-14", is_net=True)
def _takes_garbage_for_a_refusal() -> object:
    """It says of an answer that nobody can read that the voice was refused."""
    return net_made(type("SureMaker", (NetMaker,), {"asking": _Sure}))


class _Nameless(Maker):
    """Knows no names."""

    def is_named(self, voice: Voice, name: str) -> bool:
        return False


@lies("VOI-15")
def _knows_no_names() -> object:
    """It cannot tell under which name a voice was made."""
    return made(_Nameless)


class _Lumping(NetMaker):
    """Takes any voice for the one that was lost."""

    def is_named(self, voice: Voice, name: str) -> bool:
        return True


@lies("VOI-15", is_net=True)
def _takes_another_for_it() -> object:
    """It takes a voice of another name for the one whose answer was lost."""
    return net_made(_Lumping)


class _Final(Asking):
    """Says that nothing passes."""

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        error = super().explain_error(status, headers, body)
        if status in (429, 503):
            error.retryable = False
        return error


@lies("VOI-16", is_net=True)
def _says_that_nothing_passes() -> object:
    """It says of a busy service that asking again does not help."""
    tapes = {"asking": _Final}
    return net_made(type("FinalMaker", (NetMaker,), tapes))


# What is shown and told


class _Logging(Maker):
    """Logs what is said in a recording."""

    def clone(self, request: CloneRequest) -> Task[MadeVoice]:
        logging.getLogger(__name__).debug("asked to clone from %r", request.transcript)
        return super().clone(request)


@lies("VOI-17")
def _logs_the_transcript() -> object:
    """It logs the transcript."""
    return made(_Logging)


class _Showing(Maker):
    """Shows its key."""

    def __repr__(self) -> str:
        key = self.config.credential
        return f"Maker({key.reveal() if key else None})"


@lies("VOI-17")
def _shows_the_key() -> object:
    """Its representation shows the key."""
    return made(_Showing)


class _Quoting(Asking):
    """Quotes what the service says."""

    def explain_error(self, status: int, headers: Mapping[str, str], body: bytes) -> VivavoceError:
        error = super().explain_error(status, headers, body)
        said = str(self.told(body).get("message", ""))
        error.redact(lambda text: f"{text} {said}" if " " in text else text)  # but for the code
        return error


@lies("VOI-17", is_net=True)
def _quotes_the_recording() -> object:
    """It quotes all that the service says, which repeats the recording."""
    return net_made(type("QuotingMaker", (NetMaker,), {"asking": _Quoting}))


_TAPED = [clause.id[4:] for clause in MAKING if clause.capability and clause.id != "VOI-12"]


class _Addressing(NetMaker):
    """Writes the key where logs keep it."""

    def call(self, message: Mapping[str, Any]) -> HttpCall:
        call = super().call(message)
        key = self.config.credential
        query = f"?key={key.reveal()}" if key else ""
        return attrs.evolve(call, url=call.url + query)


@lies(
    "VOI-17",
    is_net=True,
    with_it=never("nothing is recorded at such an address", *_TAPED),
)
def _writes_the_key_into_the_address() -> object:
    """It asks at an address with the key in it."""
    return net_made(_Addressing)


class _Unwarned(NetMaker):
    """Reads no warnings."""

    def warnings(self, answer: Mapping[str, Any]) -> tuple[str, ...]:
        return ()


@lies("VOI-18", is_net=True)
def _passes_over_a_warning() -> object:
    """It does not tell that the voice was made in a simpler way."""
    return net_made(_Unwarned)


class _Unnumbered(NetMaker):
    """Reads no ids of requests."""

    def read_made(self, *given: Any) -> MadeVoice:
        return attrs.evolve(super().read_made(*given), request_id="")


@lies("VOI-19", is_net=True)
def _tells_no_request() -> object:
    """It does not tell the service's id of the request."""
    return net_made(_Unnumbered)


class _Numbering(NetMaker):
    """Puts a number by chance into each call."""

    def call(self, message: Mapping[str, Any]) -> HttpCall:
        return super().call({**message, "nonce": uuid.uuid4().hex})


@lies("VOI-20", is_net=True)
def _sends_otherwise_each_time() -> object:
    """It puts a number by chance into each call, which the tapes here do not compare."""
    return net_made(_Numbering)


# What core keeps in every provider's place


@attrs.frozen(kw_only=True)
class CoreFault:
    """A fault put into core, for a promise that core keeps; *why* no provider can break it."""

    clause: str
    why: str
    fault: Callable[[pytest.MonkeyPatch], None]
    is_net: bool = False


def _checks_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NameRule, "check", lambda _rule, _name: None)


def _passes_no_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    true = OwnVoices._recorded

    def recorded(self: OwnVoices, plan: Any, made: MadeVoice, *rest: Any) -> Any:
        return true(self, plan, attrs.evolve(made, warnings=()), *rest)

    monkeypatch.setattr(OwnVoices, "_recorded", recorded)


def _faces_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    true = AsyncVoices.delete

    async def delete(self: AsyncVoices, voice_id: str, **wishes: Any) -> bool:
        return not await true(self, voice_id, **wishes)

    monkeypatch.setattr(AsyncVoices, "delete", delete)


MAKER_CORE = (
    CoreFault(
        clause="VOI-12",
        why="core refuses what an offer excludes before a customizer is asked",
        fault=_checks_no_names,
    ),
    CoreFault(
        clause="VOI-18",
        why="core hands a customizer's warnings on",
        fault=_passes_no_warnings,
        is_net=True,
    ),
    CoreFault(clause="VOI-20", why="both faces share the code", fault=_faces_differ, is_net=True),
)

MAKER_ROWS = frozenset(row.clause for row in (*MAKER_LIES, *MAKER_CORE))
"""The clauses that somebody here has been seen to break."""


def _ignoring(name: str) -> Mapping[str, Any]:
    """Return the tapes, where a part of what is sent is not compared."""
    changed = {}
    for key, tape in net_tapes().items():
        match = attrs.evolve(tape.header.match, ignore=(*tape.header.match.ignore, name))
        changed[key] = attrs.evolve(tape, header=attrs.evolve(tape.header, match=match))
    return changed


def _examined(plugin: object, *, is_net: bool, is_offer: bool = False) -> Run:
    contract = net_contract_of(plugin, _ignoring("nonce")) if is_net else local_contract_of(plugin)
    return examine(contract, clauses=OFFERING if is_offer else MAKING)


def _broken(run: Run) -> dict[str, Verdict]:
    return {cell.clause: cell.verdict for cell in run.failures()}


@pytest.mark.parametrize("lie", MAKER_LIES, ids=lambda lie: f"{lie.clause}:{lie.name}")
def test_a_maker_that_lies_is_told_by_the_clause_it_breaks(lie: MakerLie) -> None:
    """A maker that breaks one promise fails that clause, and none that is unrelated."""
    is_offer = not BY_ID[lie.clause].capability
    run = _examined(lie.make(), is_net=lie.is_net, is_offer=is_offer)
    told = [f"{cell.clause} {cell.model} {cell.message}" for cell in run.failures()]
    assert set(_broken(run)) == {lie.clause, *lie.with_it}, f"{lie.what} {told}"
    wanted = Verdict.OVER_CLAIM if BY_ID[lie.clause].capability else Verdict.FAIL
    assert _broken(run)[lie.clause] is wanted


@pytest.mark.parametrize("fault", MAKER_CORE, ids=lambda fault: fault.clause)
def test_a_fault_of_core_is_told(fault: CoreFault, monkeypatch: pytest.MonkeyPatch) -> None:
    """What core promises of voices in a provider's place is examined all the same."""
    fault.fault(monkeypatch)
    run = _examined(net_made() if fault.is_net else made(), is_net=fault.is_net)
    assert set(_broken(run)) == {fault.clause}, fault.why


@pytest.mark.parametrize("is_net", [False, True], ids=["local", "network"])
def test_a_right_maker_passes(is_net: bool) -> None:
    """A right maker fails no clause, and every clause passes that is asked of it."""
    run = _examined(net_made() if is_net else made(), is_net=is_net)
    assert [f"{cell.clause} {cell.message}" for cell in run.failures()] == []
    passed = {cell.clause for cell in run.cells if cell.verdict is Verdict.PASS}
    assert {clause.id for clause in MAKING} - passed == (set() if is_net else {"VOI-13", "VOI-19"})


def test_a_note_says_why_a_model_is_not_offered() -> None:
    """A model that claims such voices and is not offered is in order where a note names it."""
    run = examine(
        local_contract_of(made_without_design("Voices for paid are designed on a page.")),
        clauses=MAKING,
    )
    assert _broken(run) == {}


def test_without_a_maker_all_is_declined() -> None:
    """Of a provider that makes no voices nothing fails, and what can be asked is declined."""
    run = examine(contract_of(Plugin(info=MODEST_INFO), "plain"), clauses=MAKING)
    assert {cell.verdict for cell in run.cells} == {Verdict.DECLINED, Verdict.NOT_ASKED}
    declined = {cell.clause for cell in run.cells if cell.verdict is Verdict.DECLINED}
    # That a customizer is in order can be asked of nobody who has none, nor about a network.
    assert set(BY_ID) - declined == {*(f"VOI-0{n}" for n in range(1, 6)), "VOI-13", "VOI-19"}


def test_without_a_tape_there_is_no_evidence() -> None:
    """A maker behind a network without tapes of its voices is examined by nobody."""
    tapes = {name: tape for name, tape in net_tapes().items() if name.startswith("mine.speak")}
    run = examine(net_contract_of(net_made(), tapes), clauses=MAKING)
    assert set(_broken(run).values()) == {Verdict.NO_EVIDENCE}


def test_nothing_is_left_of_what_was_made() -> None:
    """Of a maker in this process no voice is left behind by the examination."""
    plugin = made()
    kind = plugin.customizers[0].customizer
    _examined(plugin, is_net=False)
    assert kind.kept == {}  # type: ignore[union-attr]


def test_every_clause_about_making_has_a_liar() -> None:
    """A clause that nobody has been seen to break is no clause."""
    assert set(BY_ID) == MAKER_ROWS
    subject = subject_of(local_contract_of(made()))
    asked = {
        clause.id
        for clause in MAKING
        for card in subject.info.models
        if clause.applies(Case(subject=subject, card=card))
    }
    here = {row.clause for row in MAKER_LIES if not row.is_net} | {"VOI-12"}
    assert asked - here <= {"VOI-14", "VOI-16", "VOI-18", "VOI-20"}  # what a wire alone can break
