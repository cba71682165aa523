"""
For each clause about the network a provider that breaks that promise, seen to fail by its id.

What fails besides is named with the reason why it must.
"""

from __future__ import annotations

import asyncio
import functools
import html
import http.client
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlsplit

import attrs
import pytest
from local_providers import Plugin, claimed, denied
from network_providers import (
    BASE_PATH,
    CODES,
    INFO,
    Speaker,
    Speech,
    Talk,
    contract_of,
    failing,
    made,
    talker,
    tapes_of,
    tapes_with_session,
)

from vivavoce.authoring import (
    AudioData,
    BodyData,
    BodyEnd,
    CapabilityError,
    ConnectFailed,
    ConnectionLost,
    Facts,
    Failed,
    Finished,
    HttpCall,
    LocalCall,
    LocalEnd,
    NextCall,
    PeerClosed,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    ResponseStarted,
    Secret,
    UnexpectedReply,
    Voice,
    VoiceOrigin,
)
from vivavoce_contract import Deviation
from vivavoce_contract.case import KEY
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.engine import examine
from vivavoce_contract.results import Verdict
from vivavoce_contract.tapes import Match, Tape

# --- what they do wrong --------------------------------------------------------------------


class Collects(Speech):
    """Gives no audio before it has all."""

    def lines(self):
        outputs = super().lines()
        if failed := [one for one in outputs if isinstance(one, Failed)]:
            return failed
        self.kept = [*getattr(self, "kept", ()), *outputs]
        return self.kept if self.is_done else [one for one in outputs if isinstance(one, Facts)]


class ReadsEachPieceAlone(Speech):
    """Takes a piece of the body for whole lines."""

    def data(self, data):
        if self.is_events:
            self.held.clear()
        return super().data(data)


class TakesACutForAnEnd(Speech):
    """Is content when the body ends, whether the service was done or not."""

    def end(self):
        return (Finished(),) if self.is_events else super().end()


class MistakesACode(Speech):
    """Takes a used-up account for a passing crowd."""

    codes: ClassVar = {**CODES, "no-credit": RateLimited}


class GivesUpOnACrowd(Speech):
    """Takes a passing crowd for a used-up account."""

    codes: ClassVar = {**CODES, "too-fast": QuotaExceeded}


class LosesTheCode(Speech):
    def error_of(self, message, status):
        error = super().error_of(message, status)
        error.code = None
        return error


class LosesTheIdOfAnError(Speech):
    def error_of(self, message, status):
        error = super().error_of(message, status)
        error.request_id = None
        return error


class SwallowsAnErrorEvent(Speech):
    """Passes over what it does not look for."""

    def take(self, message):
        return () if "code" in message and self.is_events else super().take(message)


class FindsOurFault(Speech):
    """Takes a failure of the service's for one of the request's."""

    def explain_error(self, status, headers, body):
        if status == 500:
            return RequestRejected("Refused.", status=status)
        return super().explain_error(status, headers, body)


class ForgetsTheWait(Speech):
    """Does not read how long it is to wait."""

    def explain_error(self, status, headers, body):
        return super().explain_error(status, {}, body)


class SpeaksPages(Speech):
    """Takes whatever comes with status 200 for audio."""

    def end(self):
        if self.status == 200 and b'"audio"' not in self.held and not self.is_events:
            return (AudioData(bytes(self.held)), Finished())
        return super().end()


class LeavesOutWhatItCannotRead(Speech):
    def read(self, data):
        try:
            return super().read(data)
        except UnexpectedReply:
            return {}


class NamesAnother(Speech):
    """Says that somebody else failed."""

    def explain_error(self, status, headers, body):
        error = super().explain_error(status, headers, body)
        error.provider = "somebody"
        return error


class ResumesNowhere(Speech):
    """Says that it goes on where nothing was begun."""

    def resume(self):
        return HttpCall(method="GET", url=f"{self.speaker.base_url()}/resumed")


class AsksAgainByItself(Speech):
    """Begins anew when the reply ends too early, whatever was heard already."""

    is_second = False

    def end(self):
        if self.is_events and not self.is_second:
            self.is_second = True
            return (NextCall(self.open()),)
        return super().end()


class ChimesAtTheEnd(Speech):
    """Makes up a sound where none came."""

    def take(self, message):
        if message.get("done") and "audio" not in message and not hasattr(self, "spoke"):
            return (AudioData(b"\x00\x20" * 800), *super().take(message))
        self.spoke = True
        return super().take(message)


class QuotesAll(Speech):
    """Repeats the whole body in its message."""

    def explain_error(self, status, headers, body):
        error = super().explain_error(status, headers, body)
        error.message = f"{error.message} {body.decode('utf-8', 'replace')}"
        error.args = (error.message,)
        return error


class LeavesATask(Speech):
    """Runs something beside the reader that only a good end stops."""

    task = None

    def open(self):
        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            self.task = loop.create_task(asyncio.Event().wait())
        return super().open()

    def finished(self):
        if self.task is not None:
            self.task.cancel()
        return super().finished()


class SharesItsAudio(Speech):
    """Holds one piece back, where others find it."""

    def begin(self, event):
        super().begin(event)
        self.speaker.piece = b""

    def take(self, message):
        outputs = []
        for output in super().take(message):
            if isinstance(output, AudioData):
                outputs.append(AudioData(self.speaker.piece))
                self.speaker.piece = output.data
                continue
            if isinstance(output, Finished):
                outputs.append(AudioData(self.speaker.piece))
            outputs.append(output)
        return outputs


class KeepsWhatWasLeft(Speech):
    """Gives what a stream that was left did not take to the next."""

    def take(self, message):
        outputs = list(super().take(message))
        if not hasattr(self, "left"):
            self.left = b"".join(one.data for one in getattr(self.speaker, "pieces", []))
            self.speaker.pieces = []
            outputs = [AudioData(self.left[: len(self.left) & ~1]), *outputs]
        self.speaker.pieces += [one for one in outputs if isinstance(one, AudioData)]
        if self.is_done:
            self.speaker.pieces = []
        return outputs


class FewAtOnce(Speaker):
    """Serves ten, and turns the others away."""

    under_way = 0

    def exchange(self, request):
        self.under_way += 1
        if self.under_way > 10:
            msg = "There are too many."
            raise RateLimited(msg)
        return super().exchange(request)


class CountsDown(Speech):
    def finished(self):
        self.speaker.under_way -= 1
        return super().finished()


class SulksAfterAnError(Speaker):
    """Speaks no more once it was refused."""

    is_hurt = False

    def exchange(self, request):
        if self.is_hurt:
            msg = "It failed before."
            raise RequestRejected(msg)
        return super().exchange(request)


class Sulks(Speech):
    def refusal(self):
        self.speaker.is_hurt = True
        return super().refusal()


class HangsUp(Speech):
    """Asks for the connection to be closed each time."""

    def headers(self):
        return {**super().headers(), "connection": "close"}


class GoesElsewhere(Speaker):
    """Knows better than its settings where the service is."""

    def base_url(self):
        return "http://127.0.0.1:9/v1"


class PhonesHome(Speech):
    """Tells somebody else that it spoke."""

    def finished(self):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1).close()
        return super().finished()


class LooksFirst(Speech):
    """Connects by itself, to see whether anybody is there."""

    def open(self):
        place = urlsplit(self.url())
        try:
            socket.create_connection((place.hostname, place.port), timeout=5).close()
        except OSError as error:
            msg = "The service is away."
            raise RequestRejected(msg) from error
        return super().open()


class ClicksAtOnce(Speech):
    """Gives a sample of silence as soon as the head of the reply comes."""

    def receive(self, event):
        outputs = super().receive(event)
        if isinstance(event, ResponseStarted) and self.status == 200 and self.kind:
            return (AudioData(b"\0\0"), *outputs)
        return outputs


class LateLogger(Speech):
    """Logs the key when all went well."""

    def finished(self):
        logging.getLogger("net").debug("done with %s", self.key().reveal())
        return super().finished()


class ShowsTheKey(Speaker):
    def __repr__(self):
        return f"Speaker({self.config.credential.reveal() if self.config.credential else ''})"


class LogsRefusals(Speech):
    def refusal(self):
        logging.getLogger("net").warning("refused with %s", self.key().reveal())
        return super().refusal()


class RemembersTheKey(Speech):
    """Makes an error that holds the key where no message shows it."""

    def refusal(self):
        error = super().refusal()
        error.request_headers = {"authorization": self.key().reveal()}
        return error


class ChainsTheKey(Speech):
    def refusal(self):
        error = super().refusal()
        error.__cause__ = ValueError(f"the key was {self.key().reveal()}")
        return error


class KeyInTheAddress(Speech):
    def url(self):
        return f"{super().url()}?key={self.key().reveal()}"


class KeyInTheBody(Speech):
    def message(self):
        return {**super().message(), "key": self.key().reveal()}


class ForgetsTheId(Speech):
    def facts(self, message):
        return attrs.evolve(super().facts(message), request_id=None)


class SumsUp(Speech):
    """Adds up what was billed so far, which each message says anew."""

    total = 0.0

    def facts(self, message):
        self.total += message.get("usage", {}).get("characters", 0)
        return attrs.evolve(super().facts(message), usage={"characters": self.total})


class NamesAnotherUnit(Speech):
    def facts(self, message):
        return attrs.evolve(super().facts(message), usage={"tokens": 3.0})


def _is_async() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class FailsOtherwiseInAsync(Speech):
    def explain_error(self, status, headers, body):
        if _is_async():
            return UnexpectedReply("It failed.", status=status)
        return super().explain_error(status, headers, body)


class SendsOtherwiseInAsync(Speech):
    def headers(self):
        return {**super().headers(), **({"x-face": "async"} if _is_async() else {})}


class DropsTheLastPiece(Speech):
    """Loses what came right before the end, where it comes in events."""

    def take(self, message):
        outputs = super().take(message)
        if not self.is_events:
            return outputs
        before, self.before = getattr(self, "before", ()), outputs
        if self.is_done:
            before = [one for one in before if not isinstance(one, AudioData)]
            # Of the piece before it enough is lost that whole samples are left.
            return [*before, *outputs]
        return before


class SwapsPieces(Speech):
    """Gives the second piece before the first."""

    def take(self, message):
        outputs = super().take(message)
        if self.is_events and "audio" in message and not hasattr(self, "first"):
            self.first = outputs
            return ()
        if self.is_events and getattr(self, "first", ()):
            outputs, self.first = [*outputs, *self.first], ()
        return outputs


class SaysTheFirstTextAgain(Speech):
    """Sends what the first request of the client said."""

    def message(self):
        first = vars(self.speaker).setdefault("first_text", self.request.text)
        return {**super().message(), "text": first}


class SendsNoVoice(Speech):
    """Leaves the choice of the voice to the service."""

    def message(self):
        message = super().message()
        if "language" not in message:
            message["voice"] = "ann"
        return message


class MixesLanguages(Speech):
    def message(self):
        message = super().message()
        if message.get("language") == "de":
            message["language"] = "en"
        return message


class EscapesTheText(Speech):
    def message(self):
        message = super().message()
        text = message["text"]
        return {**message, "text": text if self.request.ssml else html.escape(text)}


class LosesWhatComesBeforeTheLast(Speech):
    """Gives but the beginning of a request that is not the last."""

    def decoded(self, text):
        data = super().decoded(text)
        return data if self.request.is_last else data[: len(data) // 2 & ~1]


class KeepsAWish(Speech):
    """Leaves one wish out of what it sends."""

    wish = ""

    def message(self):
        return {name: value for name, value in super().message().items() if name != self.wish}


def keeping(wish: str) -> type[Speech]:
    return type("Keeps", (KeepsAWish,), {"wish": wish})


class SendsMore(Speech):
    """Sends a field that the vendor's own client does not send."""

    def message(self):
        return {**super().message(), "trace": "on"}


class OwnClient(Speech):
    """
    Sends by itself, beside the reader, and does not look whether it was left.

    In the sync face it does, so that the kit need not wait in the clauses about time.
    """

    is_careless = False

    def open(self):
        self.is_careless = _is_async()
        return LocalCall(run=self.run)

    def run(self, sink):
        place = urlsplit(self.url())
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
        try:
            connection.connect()
        except OSError as error:
            msg = "Nobody is there."
            raise ConnectFailed(msg) from error
        over = threading.Event()
        looking = threading.Thread(target=self.look, args=(connection.sock, sink, over))
        looking.start()
        try:
            self.speak(connection, place.path, sink)
        except (OSError, http.client.HTTPException) as error:
            msg = "It broke."
            raise ConnectionLost(msg) from error
        finally:
            over.set()
            looking.join()
            connection.close()

    def look(self, sock, sink, over):
        while not over.wait(0.01):
            if sink.stopped and not self.is_careless:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                return

    def speak(self, connection, path, sink):
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.headers().items()
        }
        connection.request("POST", path, self.body(), headers)
        reply = connection.getresponse()
        names = {name.lower(): value for name, value in reply.getheaders()}
        self.begin(ResponseStarted(status=reply.status, headers=names))
        while data := reply.read1(65536):
            if not self.hand_out(super().receive(BodyData(data)), sink):
                return
        self.hand_out(super().receive(BodyEnd()), sink)

    def hand_out(self, outputs, sink):
        for output in outputs:
            if isinstance(output, AudioData):
                is_read = sink.audio(output.data)
                if not (is_read or self.is_careless):
                    return False
            if hasattr(output, "error"):
                raise output.error
            if isinstance(output, Facts):
                self.told = output
        return True

    def refusal(self):
        error = super().refusal()
        error.redact(lambda text: text.replace(self.key().reveal(), "***"))
        return error

    def receive(self, event):
        if isinstance(event, LocalEnd):
            return (self.told, Finished()) if self.is_done else ()
        return super().receive(event)


class WarmsUp(Speaker):
    """Connects when it is made, before it is asked for anything."""

    def __init__(self, config):
        super().__init__(config)
        place = urlsplit(self.base_url())
        if config.base_url:
            with suppress(OSError):
                socket.create_connection((place.hostname, place.port), timeout=5).close()


class ForgetsWhatWasBilled(Talk):
    def take(self, message):
        return self.speech.take({**message, "usage": {}})


class TakesACloseForAnEnd(Talk):
    """Is content when the service hangs up, done or not."""

    def receive(self, event):
        return (Finished(),) if isinstance(event, PeerClosed) else super().receive(event)


class SpeaksOnAfterAnInterruption(Talk):
    """Holds one piece back, and forgets about it when it is interrupted."""

    piece = b""

    def take(self, message):
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


class TalksUnasked(Speaker):
    def session(self, request):
        return Talk(request, self)


class RefusesByAnotherName(Speaker):
    def session(self, request):
        msg = "not yet"
        raise NotImplementedError(msg)


class RefusesAfterSending(Speech):
    """Lets the service refuse, and says so by our type."""

    def explain_error(self, status, headers, body):
        if self.request.voice.origin == "cloned":
            msg = "The service has no such voice for this model."
            return CapabilityError(msg, capability="clone")
        return super().explain_error(status, headers, body)


def any_cloned(_card, voice_id):
    """Take an id for a cloned voice of any model."""
    if not voice_id.startswith("cloned-"):
        return None
    return Voice(id=voice_id, origin=VoiceOrigin.CLONED, models=("swift", "mine"))


def anybody(card, voice_id):
    """Take any id for a voice of one's own."""
    return Voice(id=voice_id, origin=VoiceOrigin.CLONED, models=(card.name,))


def any_designed(card, voice_id):
    """Take a cloned voice for a designed one."""
    return Voice(id=voice_id, origin=VoiceOrigin.DESIGNED, models=(card.name,))


# --- their tapes, where what they send was recorded so --------------------------------------


def recorded_with(change: Callable[[Tape], Tape]) -> dict[str, Tape]:
    return {name: change(tape) for name, tape in tapes_of().items()}


def with_key_in_address(tape: Tape) -> Tape:
    line = f"POST {BASE_PATH}/speak?key=<dropped> HTTP/1.1"
    return attrs.evolve(tape, events=[attrs.evolve(tape.events[0], line=line), *tape.events[1:]])


def ignoring(*names: str) -> Callable[[Tape], Tape]:
    def change(tape: Tape) -> Tape:
        return attrs.evolve(tape, header=attrs.evolve(tape.header, match=Match(ignore=names)))

    return change


def own_and_of_another_client() -> dict[str, Tape]:
    tapes = recorded_with(ignoring("trace"))
    return {**tapes, "swift.client-other": tapes_of()["swift.client-other"]}


# --- the table ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Row:
    """
    A liar.

    Attributes:
        clause: The clause it breaks.
        broken: What is wrong with it, in two or three words; part of the test's name.
        provider: Makes it.
        verdict: Of the clause.
        also: What it breaks besides by necessity, and why.
        model: The model that is examined.
        tapes: Its tapes, where they are not those of the right one.
        is_slow: Whether it makes the kit wait for seconds.
    """

    clause: str
    broken: str
    provider: Callable[[], Plugin]
    verdict: Verdict = Verdict.FAIL
    also: Mapping[str, str] = attrs.field(factory=dict)
    model: str = "swift"
    tapes: Callable[[], dict[str, Tape]] = tapes_of
    is_slow: bool = False


def row(clause: str, broken: str, *what: Any, **named: Any) -> Row:
    known = {each.name for each in attrs.fields(Row)}
    of_row = {name: named.pop(name) for name in list(named) if name in known}
    provider = functools.partial(made, *what, **named)
    return Row(clause=clause, broken=broken, provider=provider, **of_row)


def talking(clause: str, broken: str, talk: type[Talk]) -> Row:
    """Return a row about a session that is claimed."""
    return Row(
        clause=clause,
        broken=broken,
        provider=functools.partial(talker, talk),
        verdict=Verdict.OVER_CLAIM,
        tapes=tapes_with_session,
    )


def together(reason: str, *clauses: str) -> dict[str, str]:
    return dict.fromkeys(clauses, reason)


SENDING_NOTHING = ("DEC", "TXT-01", "TXT-02", "TXT-03", "VOC-02", "VOC-03", "VOC-05", "VOC-06")
_SILENT_TOO = ("VOC-07", "INS-02", "PRO-04", "SML-02", "FMT-04", "FMT-05", "SES", "OWN", "MRK")
_OFFLINE = ("SEC-04", "PAR-02")
SPEAKING = [
    clause.id
    for clause in CLAUSES
    if not clause.id.startswith((*SENDING_NOTHING, *_SILENT_TOO, *_OFFLINE))
]
OWN_CONNECTION = "each utterance opens a connection of its own"
COLLECTING = together(
    "what is held back is not heard before the end", "STR-01", "ERR-06", "LIF-06", "TMO-03"
)
SESSIONS = together("all of them open a session", "SES-02", "SES-03", "SES-04", "SES-05", "SES-06")

OVER, UNDER = Verdict.OVER_CLAIM, Verdict.UNDER_CLAIM
BAD_REFUSAL = Verdict.BAD_REFUSAL

NETWORK_ROWS: tuple[Row, ...] = (
    # Synthesis, texts, voices
    row(
        "SYN-03",
        "says-the-first-text-again",
        SaysTheFirstTextAgain,
        also=together("two texts are said by one client", "LIF-03", "LIF-04", "LIF-05"),
    ),
    row("SYN-04", "drops-the-last-piece", DropsTheLastPiece),
    row("SYN-04", "swaps-pieces", SwapsPieces),
    row("SYN-06", "sends-more-than-the-vendor", SendsMore, tapes=own_and_of_another_client),
    row("TXT-04", "escapes-the-text", EscapesTheText),
    row("TXT-06", "loses-what-comes-before-the-last", LosesWhatComesBeforeTheLast),
    row(
        "VOC-01",
        "mixes-languages",
        MixesLanguages,
        also=together("what is billed is counted in several languages", "REP-02"),
    ),
    row("VOC-04", "sends-one-voice", SendsNoVoice),
    row(
        "VOC-05",
        "takes-any-id",
        recognise_voice=anybody,
        also=together("an unknown voice stands for one that is not claimed", "OWN-01", "OWN-02"),
    ),
    # Streaming
    row("STR-01", "collects", Collects, verdict=OVER, also=COLLECTING, is_slow=True),
    row("STR-01", "says-it-does-not", claims={"stream_out": denied()}, verdict=UNDER),
    row(
        "STR-06",
        "reads-each-piece-alone",
        ReadsEachPieceAlone,
        also=together("there too replies come in pieces that end anywhere", "LIF-03", "LIF-04"),
    ),
    row("STR-07", "takes-a-cut-for-an-end", TakesACutForAnEnd),
    # Wishes
    row("INS-01", "sends-none", keeping("style"), verdict=OVER),
    row("PRO-01", "sends-none", keeping("speed"), verdict=OVER),
    row("PRO-02", "sends-none", keeping("higher"), verdict=OVER),
    row("PRO-03", "sends-none", keeping("louder"), verdict=OVER),
    row("SML-01", "sends-no-word-of-it", keeping("markup"), verdict=OVER),
    row("FMT-05", "has-no-option", claims={"bit_rate": claimed()}, verdict=OVER),
    row(
        "MRK-01",
        "gives-none",
        claims={"word_marks": claimed()},
        verdict=OVER,
        also=together("without marks none is right", "MRK-02", "MRK-03", "MRK-04"),
    ),
    row("MRK-05", "gives-none", claims={"sentence_marks": claimed()}, verdict=OVER),
    row("MRK-06", "gives-none", claims={"phoneme_marks": claimed()}, verdict=OVER),
    row("MRK-07", "gives-none", claims={"bookmarks": claimed()}, verdict=OVER),
    # Errors
    row("ERR-01", "mistakes-a-code", MistakesACode),
    row("ERR-01", "gives-up-on-a-crowd", GivesUpOnACrowd),
    row("ERR-01", "loses-the-code", LosesTheCode),
    row("ERR-01", "loses-the-id", LosesTheIdOfAnError),
    row("ERR-01", "swallows-an-event", SwallowsAnErrorEvent),
    row("ERR-02", "finds-our-fault", FindsOurFault),
    row("ERR-02", "forgets-the-wait", ForgetsTheWait),
    row("ERR-03", "speaks-pages", SpeaksPages),
    row("ERR-04", "leaves-out-what-it-cannot-read", LeavesOutWhatItCannotRead),
    row("ERR-05", "names-another", NamesAnother),
    row("ERR-06", "collects", Collects, also=COLLECTING, is_slow=True),
    row("ERR-07", "resumes-nowhere", ResumesNowhere),
    row("ERR-08", "asks-again-by-itself", AsksAgainByItself),
    row("ERR-09", "chimes-at-the-end", ChimesAtTheEnd),
    row("ERR-10", "quotes-all", QuotesAll),
    # Life and time
    row("LIF-01", "leaves-a-task", LeavesATask),
    row(
        "LIF-03",
        "shares-its-audio",
        SharesItsAudio,
        also=together("fifty are eight, and more", "LIF-04"),
    ),
    row("LIF-04", "serves-ten", CountsDown, speaker=FewAtOnce),
    row(
        "LIF-05",
        "keeps-what-was-left",
        KeepsWhatWasLeft,
        also=together("what is kept for the next is there for those beside", "LIF-03", "LIF-04"),
    ),
    row(
        "LIF-06",
        "reads-on-beside",
        OwnClient,
        also=together(OWN_CONNECTION, "LIF-08"),
        is_slow=True,
    ),
    row(
        "LIF-07",
        "sulks",
        Sulks,
        speaker=SulksAfterAnError,
        also=together("asking again asks the same synthesizer", "ERR-07"),
    ),
    row("LIF-08", "hangs-up", HangsUp),
    row("LIF-09", "phones-home", PhonesHome),
    row(
        "LIF-09",
        "goes-elsewhere",
        speaker=GoesElsewhere,
        also=together("nobody is there, so nothing is spoken", *SPEAKING),
    ),
    row("TMO-01", "looks-first", LooksFirst, also=together(OWN_CONNECTION, "LIF-08")),
    row("TMO-02", "clicks-at-once", ClicksAtOnce),
    row("TMO-03", "collects", Collects, also=COLLECTING, is_slow=True),
    # Secrets
    row("SEC-01", "logs-the-key", LateLogger),
    row("SEC-01", "shows-the-key", speaker=ShowsTheKey),
    row("SEC-02", "logs-refusals", LogsRefusals),
    row("SEC-02", "remembers-the-key", RemembersTheKey),
    row("SEC-02", "chains-the-key", ChainsTheKey),
    row(
        "SEC-03",
        "key-in-the-address",
        KeyInTheAddress,
        tapes=lambda: recorded_with(with_key_in_address),
    ),
    row("SEC-03", "key-in-the-body", KeyInTheBody, tapes=lambda: recorded_with(ignoring("key"))),
    row("SEC-04", "names-no-variable", credential_env=()),
    # Reports and parity
    row("REP-01", "names-another-unit", NamesAnotherUnit),
    row("REP-02", "sums-up", SumsUp),
    row("REP-03", "forgets-the-id", ForgetsTheId),
    row("PAR-03", "fails-otherwise-in-async", FailsOtherwiseInAsync),
    row("PAR-04", "sends-otherwise-in-async", SendsOtherwiseInAsync),
    # Sessions and voices of one's own
    row("SES-01", "talks-unasked", speaker=TalksUnasked, verdict=UNDER, also=SESSIONS),
    row(
        "SES-01",
        "says-it-talks",
        speaker=RefusesByAnotherName,
        claims={"stream_in": claimed()},
        verdict=OVER,
        also=SESSIONS,
        tapes=tapes_with_session,
    ),
    row(
        "SES-01",
        "refuses-by-another-name",
        speaker=RefusesByAnotherName,
        verdict=BAD_REFUSAL,
        also=SESSIONS,
    ),
    row("SES-01", "sends-before-it-refuses", speaker=WarmsUp, verdict=BAD_REFUSAL, also=SESSIONS),
    talking("SES-04", "forgets-what-was-billed", ForgetsWhatWasBilled),
    talking("SES-05", "takes-a-close-for-an-end", TakesACloseForAnEnd),
    talking("SES-06", "speaks-on-after-an-interruption", SpeaksOnAfterAnInterruption),
    row("OWN-01", "takes-it-to-the-service", recognise_voice=any_cloned, verdict=BAD_REFUSAL),
    row(
        "OWN-01",
        "refuses-after-sending",
        RefusesAfterSending,
        recognise_voice=any_cloned,
        verdict=BAD_REFUSAL,
    ),
    row(
        "OWN-01", "takes-it-for-designed", recognise_voice=any_designed, verdict=OVER, model="mine"
    ),
    row("OWN-02", "has-none", claims={"design": claimed()}, verdict=Verdict.NO_EVIDENCE),
)


def name_of(liar: Row) -> str:
    return f"{liar.clause}-{liar.broken}"


def is_slow(liar: Row) -> bool:
    """Of several liars about one clause the first is enough while working."""
    first = next(each for each in NETWORK_ROWS if each.clause == liar.clause)
    return liar.is_slow or liar is not first


@functools.cache
def collecting():
    """One examination for all rows about the provider that collects: it takes seconds."""
    return examine(contract_of(made(Collects), "swift"))


def examined(liar: Row):
    if liar.broken == "collects":
        return collecting()
    return examine(contract_of(liar.provider(), liar.model, tapes=liar.tapes()))


@pytest.mark.parametrize(
    "liar",
    [
        pytest.param(each, id=name_of(each), marks=[pytest.mark.slow] if is_slow(each) else [])
        for each in NETWORK_ROWS
    ],
)
def test_a_liar_is_named(liar):
    """A provider that breaks one promise fails that clause, and none that has no part in it."""
    run = examined(liar)
    assert failing(run).get(liar.clause) is liar.verdict
    said = {cell.clause: cell.message for cell in run.failures()}
    said.pop(liar.clause)
    assert {clause: why for clause, why in said.items() if clause not in liar.also} == {}


def test_every_clause_about_the_network_has_its_liar():
    """Each clause that is asked of providers behind a network alone stands in the table."""
    of_the_network = {
        clause.id
        for clause in CLAUSES
        # Those about making voices have theirs in test_wrong_makers.py.
        if clause.applies.__name__ in ("_networked", "_on_network") and not clause.by_offer
    }
    assert of_the_network
    assert of_the_network - {liar.clause for liar in NETWORK_ROWS} == set()


# --- evidence and deviations ----------------------------------------------------------------


def one_cell(clause: str, plugin: Plugin | None = None, **contract: Any):
    """Return what comes of one clause and the model swift."""
    asked = [each for each in CLAUSES if each.id == clause]
    on = contract.pop("on", date(2026, 11, 25))
    run = examine(
        contract_of(plugin or Plugin(info=INFO), "swift", **contract), clauses=asked, on=on
    )
    (cell,) = run.every_cell()
    return cell, run


@pytest.mark.parametrize(
    ("clause", "missing"),
    [("SYN-01", "swift.speak"), ("INS-01", "swift.instructions"), ("VOC-01", "swift.language-de")],
)
def test_a_missing_tape_is_no_evidence(clause, missing):
    """A clause whose tape is missing is neither passed nor skipped, and fails the run."""
    tapes = {name: tape for name, tape in tapes_of().items() if name != missing}
    cell, run = one_cell(clause, tapes=tapes)
    assert cell.verdict is Verdict.NO_EVIDENCE
    assert cell.marks == "?" or "S" in cell.marks
    assert missing in cell.message
    assert not run.is_good


def test_no_documented_errors_are_no_evidence():
    """Without a tape of a documented error ERR-01 has no evidence."""
    tapes = {name: tape for name, tape in tapes_of().items() if not name.startswith("error")}
    cell, _ = one_cell("ERR-01", tapes=tapes)
    assert cell.verdict is Verdict.NO_EVIDENCE


def test_a_tape_is_marked_by_what_it_is_made_from():
    """A verdict that rests on synthetic tapes bears their letter, and names them."""
    cell, _ = one_cell("SYN-01")
    assert cell.marks == "S"
    assert [(each.tape, each.kind) for each in cell.evidence] == [("swift.speak", "synthetic")]


def test_a_stale_tape_is_marked_and_still_counts():
    """Past its review a tape is played, and its verdict marked."""
    cell, run = one_cell("SYN-01", on=date(2027, 12, 1))
    assert cell.verdict is Verdict.PASS
    assert cell.marks == "S!"
    assert run.is_good


def deviation(expires: str) -> Deviation:
    return Deviation(reason="It is known.", link="https://speech.invalid/issues/1", expires=expires)


FORGETFUL = functools.partial(made, ForgetsTheId)


def test_a_live_deviation_fails_nothing():
    """A broken promise that is named with a reason, a link and a date to come is no failure."""
    cell, run = one_cell("REP-03", FORGETFUL(), deviations={"REP-03": deviation("2026-11-25")})
    assert cell.verdict is Verdict.DEVIATES
    assert "It is known. (https://speech.invalid/issues/1, until 2026-11-25)" in cell.message
    assert run.is_good


def test_a_deviation_of_one_model_is_of_that_alone():
    """A deviation of one model says nothing of another."""
    cell, _ = one_cell("REP-03", FORGETFUL(), deviations={"REP-03@swift": deviation("2027-01-01")})
    assert cell.verdict is Verdict.DEVIATES
    cell, _ = one_cell("REP-03", FORGETFUL(), deviations={"REP-03@mine": deviation("2027-01-01")})
    assert cell.verdict is Verdict.FAIL


def test_an_expired_deviation_is_stale():
    """On the day after its last one a deviation fails the run, and what is broken is told."""
    cell, run = one_cell("REP-03", FORGETFUL(), deviations={"REP-03": deviation("2026-11-24")})
    assert cell.verdict is Verdict.STALE_DEVIATION
    assert "has expired" in cell.message
    assert not run.is_good


def test_a_deviation_of_a_kept_promise_is_stale():
    """A promise that is kept and said to deviate fails the run."""
    cell, run = one_cell("REP-03", deviations={"REP-03": deviation("2027-01-01")})
    assert cell.verdict is Verdict.STALE_DEVIATION
    assert not run.is_good


def test_a_deviation_does_not_stand_in_for_a_tape():
    """A missing tape shows no broken promise, so that a deviation does not cover it."""
    tapes = {name: tape for name, tape in tapes_of().items() if name != "swift.speak"}
    cell, _ = one_cell("REP-03", tapes=tapes, deviations={"REP-03": deviation("2027-01-01")})
    assert cell.verdict is Verdict.NO_EVIDENCE


def test_the_key_of_the_kit_is_in_no_message():
    """What fails tells no key, not even that of the kit."""
    for liar in (LogsRefusals, RemembersTheKey, SendsOtherwiseInAsync):
        clauses = [each for each in CLAUSES if each.id in ("SEC-02", "PAR-04")]
        run = examine(contract_of(made(liar), "swift"), clauses=clauses)
        assert run.failures()
        assert not any(KEY in cell.message for cell in run.cells)
