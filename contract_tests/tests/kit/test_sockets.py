"""
A right provider over a WebSocket passes; one that breaks a promise fails the clause about it.

What fails besides is named with the reason why it must.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from local_providers import Plugin, claimed, denied
from network_providers import REQUEST_ID, Speech, contract_of, failing, verdicts
from socket_providers import BASE_PATH, INFO, MODEL, Live, LiveSpeaker, made, tapes_of

from vivavoce.authoring import (
    AudioData,
    Claim,
    CredentialError,
    Facts,
    Finished,
    NextCall,
    RequestRejected,
    SendMessage,
    SocketOpened,
    TurnEnded,
    UnexpectedReply,
)
from vivavoce_contract import case as case_module
from vivavoce_contract.case import Case
from vivavoce_contract.contract import subject_of
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Verdict
from vivavoce_contract.tapes import Match, Tape


def contract(plugin: Plugin, tapes: Mapping[str, Tape] | None = None, **more: Any):
    """Return what the author of a provider over a WebSocket would write."""
    tapes = tapes_of() if tapes is None else tapes
    return contract_of(plugin, MODEL, tapes=tapes, ways={}, **more)


def _is_async() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# --- the right one --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    return examine(contract(Plugin(info=INFO)))


def test_a_right_provider_over_a_websocket_passes_all(run):
    """A right provider over a WebSocket, with sessions, fails no clause."""
    assert [f"{cell.clause} {cell.message}" for cell in run.failures()] == []
    assert run.is_good


NOT_OF_SOCKETS = {
    "DEC-01": "only of what is installed, which this is not",
    "SYN-06": "only where another client was recorded",
    "STR-06": "messages have borders",
    "LIF-08": "each utterance opens a WebSocket of its own",
    **{f"VOI-0{n}": "only of who makes voices" for n in range(1, 6)},
}


def test_every_clause_is_asked_of_a_websocket(run):
    """Of a right provider over a WebSocket every clause is asked but those named here."""
    found = verdicts(run)
    unasked = {name for name in found if set(found[name].values()) == {Verdict.NOT_ASKED}}
    assert unasked == set(NOT_OF_SOCKETS)


def test_what_a_websocket_does_not_claim_is_declined(run):
    """What is not claimed is declined; sessions are claimed and pass."""
    found = {name: of[MODEL] for name, of in verdicts(run).items() if MODEL in of}
    declined = {name for name, verdict in found.items() if verdict is Verdict.DECLINED}
    assert {name[:3] for name in declined} == {"MRK", "FMT", "OWN", "VOI"}
    assert {found[name] for name in found if name.startswith("SES-")} == {Verdict.PASS}


def test_a_provider_without_sessions_is_declined():
    """A right provider whose model claims no sessions, and has none, is declined by each clause."""
    plugin = made(speaker=WithoutSessions, claims={"stream_in": denied()})
    run = examine(contract(plugin))
    assert failing(run) == {}
    sessions = [cell.verdict for cell in run.every_cell() if cell.clause.startswith("SES-")]
    assert set(sessions) == {Verdict.DECLINED}


# --- what they do wrong ---------------------------------------------------------------------


class Utterance(Live):
    """Is right in sessions."""

    def wrong(self, outputs):
        raise NotImplementedError

    def take(self, message):
        outputs = super().take(message)
        return outputs if self.is_session else self.wrong(list(outputs))


class TakesACloseForAnEnd(Live):
    """Is content when the service hangs up, done or not."""

    in_sessions = False

    def closed(self, event):
        if self.is_session is self.in_sessions:
            return (Finished(),)
        return super().closed(event)


class TakesACloseForTheEndOfASession(TakesACloseForAnEnd):
    in_sessions = True


class TakesAnOrderlyCloseForAnEnd(Live):
    """Is content when the service hangs up with code 1000."""

    def closed(self, event):
        if event.code == 1000 and not self.is_session:
            return (Finished(),)
        return super().closed(event)


class DoesNotWaitForTheEnd(Live):
    """Is done when it has heard something."""

    def take(self, message):
        outputs = super().take(message)
        if self.is_session or not any(isinstance(one, AudioData) for one in outputs):
            return outputs
        self.heard = getattr(self, "heard", 0) + 1
        return [*outputs, Finished()] if self.heard == 2 else outputs


class SpeaksOnAfterAnInterruption(Live):
    """Holds one piece back, and forgets about it when it is interrupted."""

    piece = b""

    def take(self, message):
        if not self.is_session:
            return super().take(message)
        outputs = []
        for output in super().take(message):
            if isinstance(output, AudioData):
                outputs.append(AudioData(self.piece))
                self.piece = output.data
                continue
            if isinstance(output, Finished):
                outputs.append(AudioData(self.piece))
            outputs.append(output)
        return outputs


class GoesOnWhereItWas(Live):
    """After an interruption passes over what it thinks was heard already."""

    heard = 0

    def interrupt(self):
        self.skipped = self.heard
        return super().interrupt()

    def take(self, message):
        outputs = super().take(message)
        if self.is_session and "audio" in message:
            self.heard += 1
            if getattr(self, "skipped", 0):
                self.skipped -= 1
                return ()
        return outputs


class TakesATurnForTheEnd(Live):
    """Takes the end of a sentence for that of the session."""

    def take(self, message):
        outputs = super().take(message)
        return (
            [Finished() if isinstance(one, TurnEnded) else one for one in outputs]
            if (self.is_session)
            else outputs
        )


class FinishesTooEarly(Live):
    """Says that this is all at the end of the first sentence."""

    is_over = False

    def send(self, text):
        if self.is_over:
            return ()
        self.is_over = "." in text
        return (*super().send(text), *(super().finish() if self.is_over else ()))

    def finish(self):
        return () if self.is_over else super().finish()


class DropsTheLastPieceOfText(Live):
    """Holds a piece of text back until the next, and forgets the last."""

    held = ""

    def send(self, text):
        before, self.held = self.held, text
        return super().send(before) if before else ()


class DiffersByFace(Live):
    """Is louder in async."""

    def take(self, message):
        outputs = super().take(message)
        if not (self.is_session and _is_async()):
            return outputs
        return [AudioData(one.data[:-2]) if isinstance(one, AudioData) else one for one in outputs]


class ForgetsWhatASessionBilled(Live):
    def take(self, message):
        return super().take({**message, "usage": {}} if self.is_session else message)


class ForgetsWhatWasBilled(Live):
    def take(self, message):
        return super().take(message if self.is_session else {**message, "usage": {}})


class SumsUp(Live):
    """Adds up what was billed so far, which each message says anew."""

    total = 0.0

    def take(self, message):
        if "usage" in message and not self.is_session:
            self.total += message["usage"]["characters"]
            message = {**message, "usage": {"characters": self.total}}
        return super().take(message)


class ForgetsTheId(Utterance):
    def wrong(self, outputs):
        return [
            attrs.evolve(one, request_id=None) if isinstance(one, Facts) else one for one in outputs
        ]


class SpeaksErrors(Live):
    """Makes audio of the message of an error."""

    def take(self, message):
        if "code" in message:
            text = message["message"].encode()
            return (AudioData(text[: len(text) & ~1]),)
        return super().take(message)


class SwallowsErrors(Live):
    """Passes over what it does not look for."""

    def take(self, message):
        return () if "code" in message else super().take(message)


class LosesTheCode(Speech):
    def error_of(self, message, status):
        error = super().error_of(message, status)
        error.code = None
        return error


class FindsOurFault(Live):
    """Takes a failure of the service's for one of the request's."""

    def explain_error(self, status, headers, body):
        if status == 500:
            return RequestRejected("Refused.", status=status)
        return super().explain_error(status, headers, body)


class BlamesTheKey(Live):
    """Takes every refused handshake that tells no code for a wrong key."""

    def explain_error(self, status, headers, body):
        if b"code" not in body:
            return CredentialError("The key was refused.", status=status)
        return super().explain_error(status, headers, body)


class ForgetsTheWait(Live):
    """Does not read how long it is to wait."""

    def explain_error(self, status, headers, body):
        return super().explain_error(status, {}, body)


class LosesTheCodeOfARefusal(Live):
    """Looks at the status of a refused handshake alone."""

    def explain_error(self, status, headers, body):
        return super().explain_error(status, headers, b"")


class QuotesAll(Live):
    """Repeats the whole body in its message."""

    def explain_error(self, status, headers, body):
        error = super().explain_error(status, headers, body)
        error.message = f"{error.message} {body.decode('utf-8', 'replace')}"
        error.args = (error.message,)
        return error


class RemembersTheKey(Live):
    """Makes an error that holds the key where no message shows it."""

    def explain_error(self, status, headers, body):
        error = super().explain_error(status, headers, body)
        error.request_headers = {"authorization": self.key().reveal()}
        return error


class ChainsTheKey(Live):
    def explain_error(self, status, headers, body):
        error = super().explain_error(status, headers, body)
        error.__cause__ = ValueError(f"the key was {self.key().reveal()}")
        return error


class LogsRefusals(Live):
    def explain_error(self, status, headers, body):
        logging.getLogger("socket").warning("refused with %s", self.key().reveal())
        return super().explain_error(status, headers, body)


class NamesAnother(Live):
    """Says that somebody else failed."""

    def explain_error(self, status, headers, body):
        error = super().explain_error(status, headers, body)
        error.provider = "somebody"
        return error


class LeavesOutWhatItCannotRead(Live):
    def read(self, event):
        try:
            return super().read(event)
        except UnexpectedReply:
            return {}


class SpeaksWhatItCannotRead(Live):
    """Takes what is no JSON for audio."""

    def receive(self, event):
        try:
            return super().receive(event)
        except UnexpectedReply:
            return (AudioData(event.data[: len(event.data) & ~1]),)


class AsksAgainByItself(Live):
    """Connects anew when the service hangs up too early, whatever was heard already."""

    is_second = False

    def closed(self, event):
        if self.is_session or self.is_second:
            return super().closed(event)
        self.is_second = True
        return (NextCall(self.open()),)


class ChimesAtTheEnd(Live):
    """Makes up a sound where none came."""

    has_spoken = False

    def take(self, message):
        self.has_spoken |= "audio" in message
        outputs = super().take(message)
        if message.get("done") and not self.has_spoken:
            return [AudioData(b"\x00\x20" * 800), *outputs]
        return outputs


class ClicksAtOnce(Live):
    """Gives a sample of silence as soon as the handshake is done."""

    def receive(self, event):
        if isinstance(event, SocketOpened) and not self.is_session:
            return (AudioData(b"\0\0"),)
        return super().receive(event)


class Collects(Live):
    """Gives no audio before it has all."""

    kept = b""

    def take(self, message):
        outputs = super().take(message)
        if self.is_session:
            return outputs
        self.kept += b"".join(one.data for one in outputs if isinstance(one, AudioData))
        others = [one for one in outputs if not isinstance(one, AudioData)]
        return [AudioData(self.kept), *others] if message.get("done") else others


class KeyInTheAddress(Live):
    def url(self):
        return f"{super().url()}?key={self.key().reveal()}"


class KeyInTheFirstMessage(Live):
    def __init__(self, request, speaker, *, is_session):
        super().__init__(request, speaker, is_session=is_session)
        self.begin["key"] = self.key().reveal()


class SharesItsAudio(Utterance):
    """Holds one piece back, where others find it."""

    @property
    def place(self):
        return vars(self.speech.speaker)

    def open(self):
        self.place["piece"] = b""
        return super().open()

    def wrong(self, outputs):
        found = []
        for output in outputs:
            if isinstance(output, AudioData):
                found.append(AudioData(self.place["piece"]))
                self.place["piece"] = output.data
                continue
            if isinstance(output, Finished):
                found.append(AudioData(self.place["piece"]))
            found.append(output)
        return found


class SendsOtherwiseInAsync(Live):
    def headers(self):
        return {**super().headers(), **({"x-face": "async"} if _is_async() else {})}


class EscapesTheText(Live):
    def text(self, text):
        return super().text(text if self.is_session else text.replace("&", "&amp;"))


class FinishesAlone(Live):
    """Has no message for the end of a session."""

    def finish(self):
        return ()


class CannotDrop(Live):
    """Has no message for dropping text."""

    def clear(self):
        return ()


class SaysMore(Live):
    """Ends a session with a word that the recorded one did not say."""

    def finish(self):
        return (SendMessage('{"do": "end", "now": true}'),)


class WithoutSessions(LiveSpeaker):
    def session(self, request):
        return super(LiveSpeaker, self).session(request)


class WarmsUp(LiveSpeaker):
    """Refuses sessions after the service has been called."""

    def session(self, request):
        import socket
        from contextlib import suppress
        from urllib.parse import urlsplit

        place = urlsplit(self.base_url())
        with suppress(OSError):
            socket.create_connection((place.hostname, place.port), timeout=5).close()
        return super(LiveSpeaker, self).session(request)


class RefusesByAnotherName(LiveSpeaker):
    def session(self, request):
        msg = "not yet"
        raise NotImplementedError(msg)


# --- their tapes, where what they send was recorded so --------------------------------------


def with_key_in_address() -> dict[str, Tape]:
    line = f"GET {BASE_PATH}/live?key=<dropped> HTTP/1.1"
    return {
        name: attrs.evolve(tape, events=[attrs.evolve(tape.events[0], line=line), *tape.events[1:]])
        for name, tape in tapes_of().items()
    }


def ignoring(*names: str) -> Callable[[], dict[str, Tape]]:
    def changed() -> dict[str, Tape]:
        return {
            name: attrs.evolve(tape, header=attrs.evolve(tape.header, match=Match(ignore=names)))
            for name, tape in tapes_of().items()
        }

    return changed


# --- the table ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Row:
    """
    A liar.

    Attributes:
        clause: The clause it breaks.
        broken: What is wrong with it, in a few words; part of the test's name.
        provider: Makes it.
        verdict: Of the clause.
        also: What it breaks besides by necessity, and why.
        tapes: Its tapes, where they are not those of the right one.
        is_slow: Whether it makes the kit wait for seconds.
    """

    clause: str
    broken: str
    provider: Callable[[], Plugin]
    verdict: Verdict = Verdict.FAIL
    also: Mapping[str, str] = attrs.field(factory=dict)
    tapes: Callable[[], dict[str, Tape]] = tapes_of
    is_slow: bool = False


OF_ROW = {each.name for each in attrs.fields(Row)}


def row(clause: str, broken: str, *live: Any, **named: Any) -> Row:
    of_row = {name: named.pop(name) for name in list(named) if name in OF_ROW}
    provider = functools.partial(made, *live, **named)
    return Row(clause=clause, broken=broken, provider=provider, **of_row)


def together(reason: str, *clauses: str) -> dict[str, str]:
    return dict.fromkeys(clauses, reason)


SESSIONS = tuple(f"SES-0{n}" for n in range(1, 7))
HEARD = ("SES-04", "SES-05", "SES-06")
OVER, UNDER, BAD_REFUSAL = Verdict.OVER_CLAIM, Verdict.UNDER_CLAIM, Verdict.BAD_REFUSAL
COLLECTING = ("STR-01", "ERR-06", "LIF-06", "TMO-03")
NO_ERROR = together("what breaks off is over well there too", "ERR-06", "PAR-03")


def of_sessions(
    clause: str, broken: str, speaker: type[LiveSpeaker], verdict: Verdict, claim: Claim
) -> Row:
    """Return a row about a provider whose sessions are not what it claims."""
    also = together("all of them open a session", *SESSIONS)
    claims = {"stream_in": claim}
    return row(clause, broken, speaker=speaker, claims=claims, verdict=verdict, also=also)


SOCKET_ROWS: tuple[Row, ...] = (
    # Sessions
    row(
        "SES-02",
        "has-no-word-for-the-end",
        FinishesAlone,
        verdict=OVER,
        also=together("the service is not told that this is all", *HEARD),
    ),
    row("SES-03", "cannot-drop", CannotDrop, verdict=OVER),
    row(
        "SES-04",
        "takes-a-turn-for-the-end",
        TakesATurnForTheEnd,
        verdict=OVER,
        also=together("it is over early, however the service ends", "SES-05", "SES-06"),
    ),
    row(
        "SES-04",
        "finishes-too-early",
        FinishesTooEarly,
        verdict=OVER,
        also={
            **together("what it sends is refused", "SES-05", "SES-06"),
            **together("the end was said already", "SES-02"),
        },
    ),
    row(
        "SES-04",
        "drops-the-last-piece",
        DropsTheLastPieceOfText,
        verdict=OVER,
        also=together("what it sends is refused", "SES-02", "SES-05", "SES-06"),
    ),
    row(
        "SES-04",
        "says-more",
        SaysMore,
        verdict=OVER,
        also=together("what it sends is refused", "SES-05", "SES-06"),
    ),
    row("SES-04", "differs-by-face", DiffersByFace, verdict=OVER),
    row("SES-04", "forgets-what-was-billed", ForgetsWhatASessionBilled, verdict=OVER),
    row("SES-05", "takes-a-close-for-an-end", TakesACloseForTheEndOfASession, verdict=OVER),
    row("SES-06", "speaks-on-after-an-interruption", SpeaksOnAfterAnInterruption, verdict=OVER),
    row("SES-06", "goes-on-where-it-was", GoesOnWhereItWas, verdict=OVER),
    *(of_sessions(clause, "has-none", WithoutSessions, OVER, claimed()) for clause in SESSIONS),
    *(
        of_sessions(clause, broken, speaker, verdict, denied())
        # Of the others core refuses what is not claimed.
        for clause in ("SES-01", "SES-02", "SES-03")
        for broken, speaker, verdict in (
            ("talks-unasked", LiveSpeaker, UNDER),
            ("refuses-by-another-name", RefusesByAnotherName, BAD_REFUSAL),
            ("calls-before-it-refuses", WarmsUp, BAD_REFUSAL),
        )
    ),
    # Streaming and texts
    row(
        "STR-01",
        "collects",
        Collects,
        verdict=OVER,
        is_slow=True,
        also=together("what is held back is not heard before the end", *COLLECTING),
    ),
    row("STR-07", "takes-a-close-for-an-end", TakesACloseForAnEnd, also=NO_ERROR),
    row("STR-07", "takes-an-orderly-close-for-an-end", TakesAnOrderlyCloseForAnEnd),
    row(
        "STR-07",
        "does-not-wait-for-the-end",
        DoesNotWaitForTheEnd,
        also={
            **NO_ERROR,
            **together("what comes later is not waited for", "ERR-04", "TMO-03", "TMO-04"),
        },
    ),
    row("TXT-04", "escapes-the-text", EscapesTheText),
    # Errors
    row("ERR-01", "speaks-errors", SpeaksErrors),
    row("ERR-01", "swallows-errors", SwallowsErrors),
    row("ERR-01", "loses-the-code", speech=LosesTheCode),
    row("ERR-01", "loses-the-code-of-a-refusal", LosesTheCodeOfARefusal),
    row("ERR-02", "finds-our-fault", FindsOurFault),
    row(
        "ERR-02",
        "blames-the-key",
        BlamesTheKey,
        also=together("with a wrong key nothing is asked again", "ERR-07"),
    ),
    row("ERR-02", "forgets-the-wait", ForgetsTheWait),
    row("ERR-04", "leaves-out-what-it-cannot-read", LeavesOutWhatItCannotRead),
    row("ERR-04", "speaks-what-it-cannot-read", SpeaksWhatItCannotRead),
    row("ERR-05", "names-another", NamesAnother),
    row(
        "ERR-08",
        "asks-again-by-itself",
        AsksAgainByItself,
        also=together("what was heard is heard again", "STR-07"),
    ),
    row("ERR-09", "chimes-at-the-end", ChimesAtTheEnd),
    row("ERR-10", "quotes-all", QuotesAll),
    # Life, time and secrets
    row(
        "LIF-03",
        "shares-its-audio",
        SharesItsAudio,
        also=together("fifty are eight, and more", "LIF-04"),
    ),
    row("TMO-02", "clicks-at-once", ClicksAtOnce),
    row("SEC-02", "remembers-the-key", RemembersTheKey),
    row("SEC-02", "chains-the-key", ChainsTheKey),
    row("SEC-02", "logs-refusals", LogsRefusals),
    row("SEC-03", "key-in-the-address", KeyInTheAddress, tapes=with_key_in_address),
    row("SEC-03", "key-in-the-first-message", KeyInTheFirstMessage, tapes=ignoring("key")),
    # Reports and parity
    row("REP-01", "forgets-what-was-billed", ForgetsWhatWasBilled),
    row("REP-02", "sums-up", SumsUp),
    row("REP-03", "forgets-the-id", ForgetsTheId),
    row("PAR-04", "sends-otherwise-in-async", SendsOtherwiseInAsync),
)


def _is_later(liar: Row) -> bool:
    """Of several liars about one clause the first is enough while working."""
    return liar.is_slow or liar is not next(x for x in SOCKET_ROWS if x.clause == liar.clause)


@pytest.mark.parametrize(
    "liar",
    [
        pytest.param(
            each,
            id=f"{each.clause}-{each.broken}",
            marks=[pytest.mark.slow] if _is_later(each) else [],
        )
        for each in SOCKET_ROWS
    ],
)
def test_a_liar_on_a_websocket_is_named(liar, monkeypatch):
    """A provider that breaks one promise fails that clause, and none that has no part in it."""
    # A liar that never ends is waited for each time; everything here is on this machine.
    patient = attrs.evolve(case_module._WAITS, first_audio_s=4.0, between_chunks_s=4.0)
    monkeypatch.setattr(case_module, "_WAITS", patient)
    run = examine(contract(liar.provider(), liar.tapes()))
    said = {cell.clause: f"{cell.verdict} {cell.message}" for cell in run.failures()}
    assert failing(run).get(liar.clause) is liar.verdict, said
    said.pop(liar.clause)
    assert {clause: why for clause, why in said.items() if clause not in liar.also} == {}


@pytest.mark.parametrize("name", sorted(tapes_of()))
def test_a_tape_is_needed_and_whole(name):
    """Each tape is read as it is written, and is of a scenario the kit asks for, or an error."""
    tape = tapes_of()[name]
    assert Tape.parse(tape.to_bytes()) == tape.sealed()
    subject = subject_of(contract(Plugin(info=INFO)))
    case = Case(subject=subject, card=subject.registry.model(subject.info, MODEL))
    asked = {f"{MODEL}.{each.name}".replace(" ", "_") for each in case.scenarios()}
    assert name in asked or tape.header.expects["request_id"] == REQUEST_ID
