"""Conduct: errors, life, time, secrets, what is reported, and both faces alike."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import attrs

from vivavoce import (
    CapabilityError,
    ConnectFailed,
    CredentialError,
    NoAudio,
    ProviderUnavailable,
    Retry,
    SetupError,
    TimedOut,
    Timeouts,
    UnknownVoice,
    UsageError,
    VivavoceError,
    Voice,
)
from vivavoce import errors as tree
from vivavoce_contract.case import KEY, Case, Heard, NoEvidence, Stage, check_player
from vivavoce_contract.clause import Clauses, Unmet, need
from vivavoce_contract.clauses.speech import (
    WAIT_FOR_FIRST_S,
    anything,
    ended_early,
    source_format,
)
from vivavoce_contract.tapes import Tape, derive

errors = Clauses("errors", "ERR")
lifecycle = Clauses("lifecycle", "LIF")
timeouts = Clauses("timeouts", "TMO")
secrets = Clauses("secrets", "SEC")
report = Clauses("report", "REP")
parity = Clauses("parity", "PAR")
sessions = Clauses("sessions", "SES")
own_voices = Clauses("own voices", "OWN")

_EXPLAIN = "explain_error() of the exchange, and what receive() makes of an error"


def _networked(case: Case) -> bool:
    return case.is_networked


def _on_http(case: Case) -> bool:
    return case.is_networked and not case.is_on_websocket


def _error_of(case: Case, *tapes: Tape, **given: Any) -> tuple[VivavoceError, Heard, Stage]:
    with case.stage(*tapes) as stage:
        heard = stage.hear(case.scenario(), **given)
    error = heard.error
    need(error is not None, "it ended as if all were well")
    need(isinstance(error, VivavoceError), f"{error!r} is no error of the tree")
    assert isinstance(error, VivavoceError)
    return error, heard, stage


# Errors


def _documented(case: Case) -> list[Tape]:
    """Return the tapes of documented errors: they say what they expect."""
    found = []
    for name in case.subject.library:
        if name.startswith("error"):
            tape = case.subject.library.get(name)
            if tape is not None and tape.header.expects:
                # Of whatever model it is: the refusal does not depend on what was said.
                found.append(anything(tape))
    return found


@errors(where=_EXPLAIN, each_model=False, applies=_networked)
def documented_codes_are_typed(case: Case) -> None:
    """Each documented error is of the right type, with its code, and says if asking again helps."""
    tapes = _documented(case)
    if not tapes:
        case.tape("error-...")
    for tape in tapes:
        case.used.append(tape)
        wanted = tape.header.expects
        error, _, _ = _error_of(case, tape)
        what = tape.header.scenario
        kind = getattr(tree, str(wanted["error"]))
        need(type(error) is kind, f"{what}: {type(error).__name__}, not {kind.__name__}")
        if "retryable" in wanted:
            need(error.retryable is wanted["retryable"], f"{what}: retryable is {error.retryable}")
        if "code" in wanted:
            need(error.code == (wanted["code"] or None), f"{what}: code {error.code!r}")
        if wanted.get("request_id"):
            need(error.request_id == wanted["request_id"], f"{what}: id {error.request_id!r}")


_STATUSES = (
    (400, VivavoceError, False),
    (401, CredentialError, False),
    (404, VivavoceError, False),
    (429, VivavoceError, True),
    (500, ProviderUnavailable, True),
    (503, ProviderUnavailable, True),
)


@errors(where=_EXPLAIN, applies=_networked)
def statuses_are_typed(case: Case) -> None:
    """An HTTP status without a word is an error of its kind, and says if asking again helps."""
    for status, kind, retryable in _STATUSES:
        for body in (b"", b"{}", b"<html><title>Sorry</title></html>"):
            faulty = derive.status(case.tape(), status, (), body)
            error, _, _ = _error_of(case, faulty)
            need(isinstance(error, kind), f"HTTP {status} {body!r}: {type(error).__name__}")
            need(error.retryable is retryable, f"HTTP {status}: retryable is {error.retryable}")
    busy = derive.status(case.tape(), 429, (("Retry-After", "7"),), b"{}")
    waits_s = getattr(_error_of(case, busy)[0], "retry_after_s", None)
    need(waits_s == 7, f"told to wait 7 s, the error says {waits_s}")


@errors(where="the exchange's reading of a reply with status 200", applies=_networked)
def a_page_is_no_speech(case: Case) -> None:
    """A reply of status 200 that is a page, empty or an empty object is an error, no silence."""
    for body in (b"<html>Please sign in</html>", b"", b"{}", b"null"):
        error, heard, _ = _error_of(case, derive.status(case.tape(), 200, (), body))
        need(not heard.data, f"{body!r} was spoken")
        need(not error.retryable or not isinstance(error, UsageError), f"{body!r}: {error!r}")


@errors(where="what the exchange does with an event that it cannot read", applies=_networked)
def malformed_pieces_are_errors(case: Case) -> None:
    """A piece of the reply that cannot be read ends the speech with an error; no noise is heard."""
    expected = case.hear().spoken()
    if _is_bare(case.tape()):
        return  # any bytes are samples
    pieces = derive.count_pieces(case.tape())
    for n in sorted({1, pieces // 2, pieces - 1} - {0}):
        with case.stage(derive.malformed_chunk(case.tape(), n)) as stage:
            heard = stage.hear(case.scenario())
        need(isinstance(heard.error, VivavoceError), f"piece {n} malformed: {heard.error!r}")
        need(expected.startswith(heard.data), f"piece {n} malformed: other audio was heard")


def _is_bare(tape: Tape) -> bool:
    """Return whether the reply is the audio itself, with nothing around it that could break."""
    response = tape.exchanges()[0].response
    headers = response.headers if response is not None else ()
    kinds = [value.lower() for name, value in headers if name.lower() == "content-type"]
    return any(kind.startswith(("audio/", "application/octet-stream")) for kind in kinds)


@errors(where="the error's context: add_context fills in what core knows")
def errors_tell_where(case: Case) -> None:
    """An error names provider and model."""
    if case.is_networked:
        error, _, _ = _error_of(case, derive.status(case.tape(), 500, (), b"{}"))
    else:
        with case.stage() as stage:
            found = stage.hear(case.scenario(), rate=9.9, ssml=True).error
        if not isinstance(found, VivavoceError):
            found = _refusal_of_anything(case)
        error = found
    need(error.provider == case.info.name, f"provider is {error.provider!r}")
    need(error.model == case.card.name, f"model is {error.model!r}")


def _refusal_of_anything(case: Case) -> VivavoceError:
    with case.stage() as stage:
        error = stage.hear(case.scenario(), options={"no such option": 1}).error
    need(isinstance(error, VivavoceError), f"an unknown option gave {error!r}")
    assert isinstance(error, VivavoceError)
    return error


@errors(where="whether audio that came before an error is handed out", applies=_networked)
def errors_tell_what_came(case: Case) -> None:
    """An error after audio tells the seconds delivered, and they are those that were heard."""
    tape = case.tape()
    pieces = derive.count_pieces(tape)
    streams = case.card.capabilities.stream_out
    for faulty in (derive.cut_after_chunk(tape, pieces // 2, how="fin"), *_in_one_piece(case)):
        error, heard, _ = _error_of(case, faulty)
        seconds = source_format(case).duration_s(len(heard.data))
        # Who does not claim to stream may need the whole reply before anything can be heard.
        need(heard.data or not streams, "of what came before the error nothing was heard")
        told = error.audio_delivered_s
        need(abs(told - seconds) < 1e-6, f"{told} s, not {seconds}")


def _in_one_piece(case: Case) -> Iterator[Tape]:
    """Give tapes where audio and a documented error come in the same piece of the reply."""
    tape = case.tape()
    kind = _kind_of_reply(tape)
    for documented in _documented(case):
        said = b"".join(event.data for event in documented.events if event.k == "chunk")
        if said and kind and _kind_of_reply(documented) == kind:
            yield derive.rechunk(derive.error_after_chunk(tape, 2, said), (1 << 20,))
            return


def _kind_of_reply(tape: Tape) -> str:
    """Return what a good reply says it is, without its parameters; empty for a refusal."""
    for event in tape.events:
        if event.k == "response" and " 200 " in event.line:
            found = {name.lower(): value for name, value in event.headers}
            return found.get("content-type", "").partition(";")[0]
    return ""


@errors(where="core's retry; whether the error is marked retryable", applies=_networked)
def asks_again_before_audio(case: Case) -> None:
    """A failure that may pass is asked for again while no audio has come."""
    expected = case.hear().spoken()
    tape = case.tape()
    retry = Retry(attempts=2, first_wait_s=0)
    with case.stage(derive.status(tape, 503, (), b"{}"), tape) as stage:
        heard = stage.hear(case.scenario(), client={"retry": retry})
    need(heard.spoken() == expected, "the second answer is not what was heard")


@errors(where="core's retry", applies=_networked)
def does_not_ask_again_after_audio(case: Case) -> None:
    """Once audio has come nothing is asked again."""
    tape = case.tape()
    pieces = derive.count_pieces(tape)
    retry = Retry(attempts=3, first_wait_s=0)
    for faulty in (derive.cut_after_chunk(tape, pieces // 2), ended_early(tape, pieces // 2)):
        with case.stage(faulty) as stage:
            if not stage.hear(case.scenario()).data:
                continue  # no audio comes before the fault
        with case.stage(faulty, tape) as stage:
            stage.hear(case.scenario(), client={"retry": retry})
            assert stage.player is not None
            # On the wire: an exchange may ask again by itself.
            asked = len(stage.player.requests)
        once = len(faulty.exchanges())
        need(asked <= once, f"after audio it was asked {asked} times, not {once}")


@errors(
    where="the exchange's end: a provider that says it is done must have spoken", applies=_networked
)
def silence_is_no_success(case: Case) -> None:
    """A reply that ends well without audio is an error."""
    tape = case.tape()
    silent = tape.header.expects.get("silent")
    if not isinstance(silent, str):
        # Without a documented form, an end right after the headers is all that can be made.
        error, _, _ = _error_of(case, derive.cut_after_chunk(tape, 0))
        need(error is not None, "it ended as if all were well")
        return
    faulty = derive.only_chunk(tape, silent.encode())
    error, _, _ = _error_of(case, faulty)
    need(isinstance(error, NoAudio), f"without audio it gave {type(error).__name__}")


@errors(where="messages: long texts and bodies are cut")
def errors_are_short(case: Case) -> None:
    """An error does not repeat a whole text, nor a whole body."""
    if case.is_networked:
        body = b"x" * 20_000
        error, _, _ = _error_of(case, derive.status(case.tape(), 500, (), body))
        need(len(str(error)) < 2_000, f"the error has {len(str(error))} characters")
    said = "." * 20_000
    with case.stage() as stage:
        found = stage.hear(attrs.evolve(case.scenario(), text=said)).error
    need(found is not None and len(str(found)) < 2_000, "a refused text is repeated whole")


# Lifecycle


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _cancel_at(stage: Stage, steps: int) -> bool:
    """Cancel an utterance after the loop has gone round *steps* times; whether it was running."""
    scenario = stage.case.scenario()

    async def read() -> int:
        async with (
            stage.aclient() as client,
            client.stream(scenario.text, **scenario.wishes) as stream,
        ):
            return len([chunk async for chunk in stream])

    async def run() -> bool:
        task = asyncio.ensure_future(read())
        await _steps(steps)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        need(not left, f"cancelled at step {steps}, it left {len(left)} tasks")
        if isinstance(result, asyncio.CancelledError):
            return True
        need(isinstance(result, int), f"cancelled at step {steps}: {result!r}")
        return False

    return asyncio.run(run())


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Whatever is left open is a warning of Python's when collected, and is told here."""
    threads = set(threading.enumerate())
    with warnings.catch_warnings():
        # What others have left before is no fault of this one.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    left = [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)]
    need(not left, f"left open: {left[:2]}")
    for thread in set(threading.enumerate()) - threads:
        thread.join(5.0)
    alive = [t.name for t in set(threading.enumerate()) - threads if t.is_alive()]
    alive = [name for name in alive if not name.startswith("asyncio_")]
    need(not alive, f"threads go on: {alive}")


@lifecycle(where="what runs beside the reader: tasks, threads, connections")
def leaves_nothing_when_cancelled(case: Case) -> None:
    """Cancelled at any await, it leaves no task, thread, connection or warning."""
    with _nothing_left(), case.stage(*case.tapes_for("speak")) as stage:
        for steps in (*range(12), 16, 20, 28, 40, 60, 90):
            if not _cancel_at(stage, steps):
                break
        if stage.player is not None:
            need(stage.player.wait_closed(5.0), "a connection is open after its stream was left")


@lifecycle(where="close() of streams, clients and synthesizers")
def closes_twice(case: Case) -> None:
    """Closing is harmless when repeated, and a closed client refuses to speak."""
    scenario = case.scenario()
    with case.stage(*case.tapes_for("speak")) as stage:
        client = stage.client()
        stream = client.stream(scenario.text, **scenario.wishes)
        with stream:
            next(stream)
        stream.close()
        client.close()
        client.close()
        try:
            client.synthesize(scenario.text, **scenario.wishes)
        except UsageError:
            return
    msg = "a closed client spoke"
    raise Unmet(msg)


def _together(case: Case, count: int) -> None:
    names = ("speak", "second")
    # In pieces that end anywhere, so that what is half read of one is there when another comes.
    tapes = list(case.tapes_for(*names))
    if not case.is_on_websocket:
        tapes = [derive.rechunk(tape, (997, 1499)) for tape in tapes]
    with case.stage(*tapes) as stage:
        alone = [stage.hear(case.scenario(name)).spoken() for name in names]

        async def read(client: Any, number: int) -> tuple[int, bytes]:
            scenario = case.scenario(names[number % 2])
            async with client.stream(scenario.text, **scenario.wishes) as stream:
                pieces = [chunk.data async for chunk in stream]
            return number % 2, b"".join(pieces)

        async def run() -> list[tuple[int, bytes]]:
            async with stage.aclient() as client:
                reading = asyncio.gather(*(read(client, n) for n in range(count)))
                if stage.player is not None:
                    # All have begun before any goes on: else one might end before the next begins.
                    player = stage.player
                    await asyncio.to_thread(player.wait_held, 2.0, count=count)
                    player.release()
                return await reading

        if stage.player is not None:
            stage.player.hold_after(chunks=_half(tapes[0]) if case.is_on_websocket else 2)
        for which, data in asyncio.run(run()):
            same = data == alone[which]
            alike = not case.is_networked and abs(len(data) - len(alone[which])) * 5 <= len(data)
            need(same or alike, f"of {count} at once one got other audio than alone")
            need(data != alone[1 - which], f"of {count} at once one got the other's audio")
        check_player(stage)


@lifecycle(where="what the synthesizer and its exchanges share")
def serves_eight_at_once(case: Case) -> None:
    """Of eight utterances read at once each gets its own audio."""
    _together(case, 8)


@lifecycle(where="what the synthesizer and its exchanges share")
def serves_fifty_at_once(case: Case) -> None:
    """Of fifty utterances read at once each gets its own audio."""
    _together(case, 50)


def _stops_when_left(case: Case) -> None:
    # Long, so that the engine is still at it when its reader leaves.
    said = " ".join([case.sentence(), case.sentence(number=1)] * 96)
    with (
        _nothing_left(),
        case.stage() as stage,
        stage.client() as client,
        client.stream(said, **case.scenario().wishes) as stream,
    ):
        next(stream)
    need(stage.log.late < 2, "the engine went on although its reader had left")


@lifecycle(where="the stream's end; late events of a request that was left")
def nothing_comes_after_leaving(case: Case) -> None:
    """Nothing is handed out once a stream was left, and the next one is untouched by it."""
    if not case.is_networked:
        _stops_when_left(case)
    scenario, other = case.scenario(), case.scenario("second")
    with case.stage(*case.tapes_for("speak", "second")) as stage, stage.client() as client:
        alone = stage.hear(other).spoken()
        stream = client.stream(scenario.text, **scenario.wishes)
        with stream:
            next(stream)
        try:
            late = next(stream, None)
        except UsageError:
            late = None
        need(late is None, "a chunk came after the stream was left")
        need(stream.report.end == "cancelled", f"the report says {stream.report.end}")
        data = client.synthesize(other.text, **other.wishes).data
        alike = abs(len(data) - len(alone)) * 5 <= len(alone)
        need(data == alone if case.is_networked else alike, "the next utterance is another")


@lifecycle(where="what runs on when a stream is left", applies=_networked)
def leaving_closes_the_connection(case: Case) -> None:
    """A stream that is left early lets go of its connection at once."""
    need(_is_closed_when_cancelled(case), "the connection stayed open after it was cancelled")
    # Who does not claim to stream may have nothing to read while the service waits.
    if case.card.capabilities.stream_out:
        need(_is_closed_when_left(case), "the connection stayed open after its stream was left")


def _half(tape: Tape) -> int:
    """Return after how many pieces a reply is held, some of its audio being among them."""
    return max(2, derive.count_pieces(tape) // 2)


def _is_closed_when_cancelled(case: Case) -> bool:
    scenario = case.scenario()
    with case.stage(*case.tapes_for("speak")) as stage:
        player = stage.player
        assert player is not None
        player.hold_after(chunks=_half(case.used[-1]))

        async def read(heard: asyncio.Event) -> None:
            async with (
                stage.aclient() as client,
                client.stream(scenario.text, **scenario.wishes) as stream,
            ):
                async for _ in stream:
                    heard.set()

        async def run() -> bool:
            heard = asyncio.Event()
            reading = asyncio.ensure_future(read(heard))
            await asyncio.to_thread(player.wait_held, 5.0)
            if case.card.capabilities.stream_out:
                # Then it waits for what is held, and not for what is on its way.
                with suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), WAIT_FOR_FIRST_S)
            reading.cancel()
            await asyncio.wait([reading])
            return await asyncio.to_thread(player.wait_closed, 2.0)

        closed = asyncio.run(run())
        player.release()
        return closed


def _is_closed_when_left(case: Case) -> bool:
    scenario = case.scenario()
    with case.stage(*case.tapes_for("speak")) as stage:
        assert stage.player is not None
        stage.player.hold_after(chunks=_half(case.used[-1]))
        limits = attrs.evolve(stage.settings()["timeouts"], first_audio_s=WAIT_FOR_FIRST_S)
        client = stage.client(timeouts=limits)
        with client, client.stream(scenario.text, **scenario.wishes) as stream:
            next(stream)
            stream.close()
            closed = stage.player.wait_closed(2.0)
        stage.player.release()
        return closed


@lifecycle(where="what the synthesizer keeps after an error", applies=_networked)
def goes_on_after_an_error(case: Case) -> None:
    """After a failed utterance the same client speaks the next."""
    expected = case.hear().spoken()
    scenario, tape = case.scenario(), case.tape()
    with case.stage(derive.status(tape, 503, (), b"{}"), tape) as stage, stage.client() as client:
        with suppress(VivavoceError):
            client.synthesize(scenario.text, **scenario.wishes)
        need(client.synthesize(scenario.text, **scenario.wishes).data == expected, "other audio")


@lifecycle(where="reading a reply to its end", level="should", applies=_on_http)
def keeps_its_connection(case: Case) -> None:
    """One client asks twice over one connection."""
    scenario = case.scenario()
    with case.stage(*case.tapes_for("speak")) as stage, stage.client() as client:
        assert stage.player is not None
        client.synthesize(scenario.text, **scenario.wishes)
        once = stage.player.connections
        client.synthesize(scenario.text, **scenario.wishes)
        need(stage.player.connections == once, "the second utterance opened another connection")


@lifecycle(where="base_url of ProviderConfig", applies=_networked)
def goes_where_it_is_told(case: Case) -> None:
    """Everything it sends goes to the address it was given."""
    with case.stage(*case.tapes_for("speak")) as stage:
        assert stage.player is not None
        with _connecting() as places:
            heard = stage.hear(case.scenario())
        told = stage.player.http_url
        elsewhere = [place for place in places if not told.endswith(f"//{place}")]
        need(not elsewhere, f"it went to {', '.join(elsewhere)}, not to {told} alone")
        heard.spoken()
        check_player(stage)
        need(stage.player.requests, "nothing came to the address it was given")


@contextmanager
def _connecting() -> Iterator[list[str]]:
    """Note where sockets of Python's lead, whoever opens them."""
    places: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def noted_connect(self: socket.socket, address: Any) -> None:
        places.append(f"{address[0]}:{address[1]}" if isinstance(address, tuple) else f"{address}")
        connect(self, address)

    def noted_look_up(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        places.append(f"{host}:{port}")
        return look_up(host, port, *more, **named)

    socket.socket.connect = noted_connect  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = noted_look_up
    try:
        yield places
    finally:
        del socket.socket.connect  # the one it inherits comes back
        socket.getaddrinfo = look_up


# Timeouts


@timeouts(where="core's limits; an exchange that connects by itself", applies=_networked)
def tells_when_nobody_answers(case: Case) -> None:
    """Where nobody listens it is a transport error that may be retried, and nothing else."""
    with case.stage() as stage:
        heard = stage.hear(case.scenario(), client={"base_url": "http://127.0.0.1:9/api"})
    need(isinstance(heard.error, ConnectFailed), f"it gave {heard.error!r}")


def _times_out(case: Case, tape: Tape, phase: str, limits: Timeouts) -> None:
    error, heard, _ = _error_of(case, tape, client={"timeouts": limits})
    if not (heard.data or case.card.capabilities.stream_out) and phase == "between_chunks":
        phase = "first_audio"  # of half a reply there need not be any
    need(isinstance(error, TimedOut), f"a silent service gave {type(error).__name__}")
    assert isinstance(error, TimedOut)
    need(error.phase == phase, f"the phase is {error.phase!r}, not {phase!r}")
    need(bool(heard.data) is (error.audio_delivered_s > 0), "what was delivered is not told")


@timeouts(where="core's limits", applies=_networked)
def waits_so_long_for_the_first_audio(case: Case) -> None:
    """A service that takes the request and says nothing is given up in time."""
    tape = derive.stall_after_chunk(case.tape(), 0)
    _times_out(case, tape, "first_audio", Timeouts(first_audio_s=0.1, between_chunks_s=2.0))


@timeouts(where="core's limits", applies=_networked)
def waits_so_long_between_chunks(case: Case) -> None:
    """A service that falls silent in the middle is given up in time."""
    tape = case.tape()
    pieces = derive.count_pieces(tape)
    stalled = derive.stall_after_chunk(tape, pieces // 2)
    # Who does not claim to stream is waited for in vain.
    first_s = 2.0 if case.card.capabilities.stream_out else 0.1
    limits = Timeouts(first_audio_s=first_s, between_chunks_s=0.1)
    _times_out(case, stalled, "between_chunks", limits)


@timeouts(where="core's limits")
def keeps_the_whole_limit(case: Case) -> None:
    """A limit on the whole holds, whatever the others allow."""
    if case.is_networked:
        tape = case.tape()
        pieces = derive.count_pieces(tape)
        stalled = derive.stall_after_chunk(tape, pieces // 2)
        _times_out(case, stalled, "total", Timeouts(total_s=0.15))
        return
    scenario = case.scenario()
    said = " ".join([scenario.text] * 200)
    with case.stage() as stage, stage.client(timeouts=Timeouts(total_s=0.001)) as client:
        try:
            with client.stream(said, **scenario.wishes) as stream:
                for _ in stream:
                    time.sleep(0.001)  # a reader that takes its time, for the limit to pass
        except TimedOut as error:
            need(error.phase == "total", f"the phase is {error.phase!r}")
            return
    msg = "the limit of a millisecond was not kept"
    raise Unmet(msg)


# Secrets


class _Hearing(logging.Handler):
    """Keeps all that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if record.exc_info:
            self.lines.append(repr(record.exc_info[1]))


@contextmanager
def listening() -> Iterator[list[str]]:
    """Give what is logged meanwhile, by whomever."""
    root, hearing = logging.getLogger(), _Hearing()
    level = root.level
    root.addHandler(hearing)
    root.setLevel(logging.DEBUG)
    try:
        yield hearing.lines
    finally:
        root.setLevel(level)
        root.removeHandler(hearing)


def shown(error: BaseException | None) -> Iterator[str]:
    """Give all that an error shows, and what it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield from (str(error), repr(error), repr(error.args))
        yield repr({name: value for name, value in vars(error).items() if name != "__cause__"})
        error = error.__cause__ or error.__context__


def is_hidden(shown: list[str], what: str) -> None:
    """Accept texts without the key in them, or refuse them."""
    need(not any(KEY in text for text in shown), f"the key is shown in {what}")


@secrets(where="logging, repr and reports of the plugin")
def the_key_is_not_shown(case: Case) -> None:
    """The key is in no log, repr or report of an utterance that goes well."""
    with listening() as lines, case.stage(*case.tapes_for("speak")) as stage:
        heard = stage.hear(case.scenario())
        heard.spoken()
        with stage.client() as client:
            plan = client.explain(case.scenario().text, **case.scenario().wishes)
            synthesizer = client._core.synthesizer(plan)  # noqa: SLF001 - it is nobody else's
    is_hidden([repr(heard.report), repr(stage.settings()), repr(synthesizer)], "a repr")
    is_hidden(lines, "the log")


@secrets(where=_EXPLAIN)
def errors_hide_the_key(case: Case) -> None:
    """The key is in no error and no log of what fails, though the service repeats it."""
    with listening() as lines:
        if case.is_networked:
            echo = json.dumps({"code": "X", "message": f"bad key {KEY}", "error": KEY}).encode()
            for status in (400, 401, 500):
                error, _, _ = _error_of(case, derive.status(case.tape(), status, (), echo))
                is_hidden(list(shown(error)), f"the error for HTTP {status}")
        error = _refusal_of_anything(case)
        is_hidden(list(shown(error)), "a refusal")
    is_hidden(lines, "the log")


@secrets(where="the addresses the exchange calls", applies=_networked)
def the_key_is_in_no_address(case: Case) -> None:
    """The key goes as a header, to the service alone, and never in an address, which logs keep."""
    for name in ("speak", *(f"way-{way}" for way in case.ways)):
        tape = case.tape(name)
        asked = tape.exchanges()[0].request.target.partition("?")[0]
        with case.stage(tape) as stage:
            stage.hear(case.scenario(name)).spoken()
            assert stage.player is not None
            for seen in stage.player.requests:
                need(KEY not in seen.path, "the key is in the address")
                bodies = (seen.body, *(message.data for message in seen.messages))
                need(not any(KEY.encode() in body for body in bodies), "the key is in the body")
                # Where a reply leads to is another's, and whoever may read it needs no key.
                is_told = seen.path.startswith((tape.header.base_path, asked))
                need(is_told or KEY not in str(seen.headers), f"the key went to {seen.path[:40]}")


@secrets(where="credential_env", each_model=False, applies=_networked)
def a_missing_key_is_told(case: Case) -> None:
    """Without a key it is refused before anything is sent, with where to put one."""
    if not case.info.credential_env:
        with case.stage(*case.tapes_for("speak")) as stage:
            stage.hear(case.scenario()).spoken()
            assert stage.player is not None
            sent = [value for seen in stage.player.requests for _, value in seen.headers]
        need(not any(KEY in value for value in sent), "it sends a key and names no variable")
        return
    with case.stage() as stage:
        error = stage.hear(case.scenario(), client={"api_key": None}).error
        need(isinstance(error, SetupError), f"without a key: {error!r}")
        need(case.info.credential_env[0] in str(error), "the error does not name the variable")
        need(not stage.was_sent, "something was sent without a key")


# Report


@report(where="Facts(usage=...) of the exchange, and count_billed")
def tells_usage_and_cost(case: Case) -> None:
    """The report tells what was billed, and its cost is that of the price table."""
    with case.stage(*case.tapes_for("speak")) as stage:
        heard = stage.hear(case.scenario())
        heard.spoken()
        with stage.client() as client:
            plan = client.explain(case.scenario().text, **case.scenario().wishes)
    assert heard.report is not None
    if case.card.is_free:
        need(heard.report.cost == 0, f"it is free and costs {heard.report.cost}")
        return
    if case.card.prices:
        need(heard.report.usage, "it is billed, and the report tells no usage")
        expected = plan.cost_of(heard.report.usage)
        need(expected is not None, f"no price is of {sorted(heard.report.usage)}")
        need(heard.report.cost == expected, f"the cost is {heard.report.cost}, not {expected}")
        need(heard.report.currency, "the cost has no currency")


@report(where="Facts(usage=...): totals of a request, not additions")
def usage_is_what_was_said(case: Case) -> None:
    """Usage by the character is what was counted before, and is summed over requests."""
    # In its languages too: scripts may be counted differently.
    for name in ("speak", *(f"language-{tag}" for tag in case.sample_languages())):
        with case.stage(*case.tapes_for(name)) as stage, stage.client() as client:
            scenario = case.scenario(name)
            before = dict(client.explain(scenario.text, **scenario.wishes).estimate.units)
            after = dict(client.synthesize(scenario.text, **scenario.wishes).report.usage)
        for unit in before.keys() & after.keys():
            found = f"{name}: {before[unit]:g} {unit} were expected, {after[unit]:g}"
            need(before[unit] == after[unit], found)


@report(where="Facts(request_id=...) of the exchange", applies=_networked, level="should")
def tells_the_request(case: Case) -> None:
    """The report has the service's id of each request."""
    heard = case.hear()
    heard.spoken()
    assert heard.report is not None
    need(len(heard.report.request_ids) == heard.report.segments, f"{heard.report.request_ids}")


@report(where="core's measuring")
def tells_its_times(case: Case) -> None:
    """The first audio is before the end, and both are told, with the seconds of audio."""
    heard = case.hear()
    heard.spoken()
    told = heard.report
    assert told is not None
    need(told.ttfa_s is not None and 0 <= told.ttfa_s <= told.total_s, f"{told.ttfa_s} s")
    need(told.audio_s > 0 and told.segments == 1, f"{told.audio_s} s in {told.segments}")
    need(told.characters == len(case.scenario().text), f"{told.characters} characters")


@report(where="core's ends")
def tells_how_it_ended(case: Case) -> None:
    """A report says complete of the whole, and cancelled of what was left."""
    scenario = case.scenario()
    with case.stage(*case.tapes_for("speak")) as stage, stage.client() as client:
        with client.stream(scenario.text, **scenario.wishes) as stream:
            next(stream)
        need(stream.report.end == "cancelled", f"left, it says {stream.report.end}")
        whole = client.synthesize(scenario.text, **scenario.wishes).report
        need(whole.end == "complete", f"whole, it says {whole.end}")
        need((whole.provider, whole.model) == (case.info.name, case.card.name), f"{whole}")


# Parity


@parity(where="code that differs between sync and async")
def both_faces_speak_alike(case: Case) -> None:
    """The sync face and the async one give the same bytes."""
    with case.stage(*case.tapes_for("speak")) as stage:
        sync = stage.hear(case.scenario(), face="sync").spoken()
        for as_whole in (False, True):
            other = stage.hear(case.scenario(), face="async", as_whole=as_whole).spoken()
            need(other == sync, f"{len(sync)} bytes in sync, {len(other)} in async, or others")


@parity(where="code that differs between sync and async")
def both_faces_refuse_alike(case: Case) -> None:
    """Both faces refuse by the same type with the same words."""
    wishes: dict[str, Any]
    for wishes in ({"options": {"none such": 1}}, {"language": "xx"}, {"marks": {"phoneme"}}):
        with case.stage() as stage:
            found = [stage.hear(case.scenario(), face=face, **wishes).error for face in _FACES]
        one, other = found
        need(type(one) is type(other) and str(one) == str(other), f"{one!r}, {other!r}")


_FACES: tuple[Any, ...] = ("sync", "async")


@parity(where="code that differs between sync and async", applies=_networked)
def both_faces_fail_alike(case: Case) -> None:
    """Both faces make the same error of the same failure, with the same seconds delivered."""
    tape = case.tape()
    pieces = derive.count_pieces(tape)
    faults = (derive.status(tape, 500, (), b"{}"), derive.cut_after_chunk(tape, pieces // 2, "fin"))
    for faulty in faults:
        one, _, _ = _error_of(case, faulty, face="sync")
        other, _, _ = _error_of(case, faulty, face="async")
        need(type(one) is type(other), f"{type(one).__name__}, {type(other).__name__}")
        need(one.audio_delivered_s == other.audio_delivered_s, "other seconds were delivered")


_MADE_ANEW = ("host", "sec-websocket-key")


@parity(where="code that differs between sync and async", applies=_networked)
def both_faces_send_alike(case: Case) -> None:
    """Both faces send the same request."""
    sent = []
    for face in _FACES:
        with case.stage(*case.tapes_for("speak")) as stage:
            stage.hear(case.scenario(), face=face).spoken()
            assert stage.player is not None
            check_player(stage)  # on a WebSocket each message is compared with the tape
            seen = stage.player.requests[0]
            headers = {k.lower(): v for k, v in seen.headers if k.lower() not in _MADE_ANEW}
            sent.append({"method": seen.method, "path": seen.path, "body": seen.body, **headers})
    one, other = sent
    # By name only: the values of some are secrets.
    differing = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    need(not differing, f"by sync and by async these differ: {', '.join(differing)}")


# Sessions


def _session(case: Case) -> Any:
    with case.stage() as stage, stage.client() as client:
        plan = client.explain(case.sentence(), **case.scenario().wishes)
        request = plan.request(next(plan.segments()), wants_stream=True)
        synthesizer = client._core.synthesizer(plan)  # noqa: SLF001 - what it says to send is looked at, unsent
        return synthesizer.session(attrs.evolve(request, text=""))


@sessions(where="the synthesizer's session()", capability="stream_in")
def opens_a_session(case: Case) -> None:
    """Text can be given while audio comes; where not claimed it is refused by type."""
    _session(case).open()


@sessions(where="the exchange of a session", capability="stream_in")
def a_session_takes_text(case: Case) -> None:
    """A session says what to send for a piece of text, for speaking it now, and for the end."""
    session = _session(case)
    session.open()
    for messages in (session.send("One. "), session.flush(), session.finish()):
        need(messages, "it says nothing to send")


@sessions(where="the exchange of a session", capability="stream_in")
def a_session_drops_text(case: Case) -> None:
    """A session says what to send so that text not yet spoken is dropped."""
    session = _session(case)
    session.open()
    session.send("One. ")
    need(session.clear(), "it says nothing to send")


@sessions(where="the exchange of a session", capability="stream_in", applies=_networked)
def a_session_speaks_piece_by_piece(case: Case) -> None:
    """Text given piece by piece is spoken to its end, in both faces alike, and reported."""
    for name in case.sessions() or ["session"]:
        with case.stage(*case.tapes_for(name)) as stage:
            found = []
            for face in _FACES:
                heard = stage.hear_session(case.scenario(name), face=face)
                found.append(heard.spoken())
                assert heard.report is not None
                need(heard.report.end == "complete", f"the report says {heard.report.end}")
                need(heard.report.usage or case.card.is_free, "the report tells no usage")
            check_player(stage)
        need(found[0] == found[1], f"{name}: the faces gave other audio")
        once = len(case.hear().spoken())
        size = len(found[0])
        need(size > 1.4 * once, f"{name}: two sentences have {size} bytes, one {once}")


@sessions(
    where="the exchange of a session: its one end", capability="stream_in", applies=_networked
)
def a_broken_session_is_no_end(case: Case) -> None:
    """A session that breaks off is a typed error, with the seconds delivered, never an end."""
    scenario = case.scenario("session")
    if not case.is_claimed:
        with case.stage() as stage:
            stage.hear_session(scenario).spoken()
        return
    tape = case.tape("session")
    with case.stage(tape) as stage:
        whole = stage.hear_session(scenario).spoken()
    half = derive.count_pieces(tape) // 2
    broken = [derive.cut_after_chunk(tape, half), derive.without_end(tape)]
    broken += [derive.close_after(tape, half, code) for code in (1000, 1011)]
    for faulty in broken:
        with case.stage(faulty) as stage:
            heard = stage.hear_session(scenario, client={"timeouts": Timeouts(total_s=1.0)})
        what = faulty.header.source.name
        error = heard.error
        need(isinstance(error, VivavoceError), f"{what}: it gave {error!r}")
        assert isinstance(error, VivavoceError)
        need(whole.startswith(heard.data), f"{what}: other audio came")
        told = error.audio_delivered_s
        seconds = source_format(case).duration_s(len(heard.data))
        need(abs(told - seconds) < 1e-6, f"{what}: {told} s are told, {seconds} s came")


@sessions(where="interrupt() of a session's exchange", capability="stream_in", applies=_networked)
def nothing_is_heard_after_an_interruption(case: Case) -> None:
    """After an interruption the next text is heard, and nothing of what was before it."""
    scenario = case.scenario("session")
    with case.stage(*case.tapes_for("session")) as stage, stage.client(strict=True) as client:

        def give(session: Any) -> None:
            for piece in scenario.pieces:
                session.send(piece)
            session.finish()

        with client.session(**scenario.wishes) as session:
            give(session)
            whole = b"".join(chunk.data for chunk in session)
        with client.session(**scenario.wishes) as session:
            give(session)
            first = next(session)
            told = session.interrupt()
            heard_s = source_format(case).duration_s(len(first.data))
            need(abs(told.audio_s - heard_s) < 1e-6, f"{told.audio_s} s are told, not {heard_s} s")
            give(session)
            again = b"".join(chunk.data for chunk in session)
            need(session.report.end == "complete", f"the report says {session.report.end}")
    need(again == whole, "after an interruption the audio is another")


# Voices of one's own


@own_voices(
    where="recognise_voice, and the voices' models",
    capability="clone",
    refusal=(CapabilityError, UnknownVoice),
)
def speaks_with_cloned_voices(case: Case) -> None:
    """A voice cloned from a recording speaks; where not claimed it is refused."""
    _speaks_with_own(case, "cloned")


@own_voices(
    where="recognise_voice, and the voices' models",
    capability="design",
    refusal=(CapabilityError, UnknownVoice),
)
def speaks_with_designed_voices(case: Case) -> None:
    """A voice designed from a description speaks; where not claimed it is refused."""
    _speaks_with_own(case, "designed")


def _speaks_with_own(case: Case, origin: str) -> None:
    if not case.is_claimed:
        with case.stage() as stage:
            stage.hear(case.scenario(), voice=_foreign_voice(case, origin)).spoken()
        return
    voice = case.subject.own_voices.get(case.card.name)
    if voice is None:
        msg = f"{case.card.name} claims {case.capability}. Name a {origin} voice in own_voices."
        raise NoEvidence(msg)
    with case.stage(*case.tapes_for("speak")) as stage:
        stage.hear(case.scenario(), voice=voice).spoken()
        asked = stage.log.requests[0].voice
    need(asked is not None and asked.origin == origin, f"{voice!r} was asked as {asked!r}")


def _foreign_voice(case: Case, origin: str) -> str | Voice:
    """Return a voice of a kind that the model does not claim."""
    for card in case.info.models:
        if card.capabilities[case.capability] and card.name in case.subject.own_voices:
            return case.subject.own_voices[card.name]
    own = [name for name in ("clone", "design") if case.card.capabilities[name]]
    if own:
        # Ids of voices of one's own mean nothing to anybody but the service.
        return Voice(id=f"somebody-{origin}", origin=origin, models=("a model that is not this",))
    return f"somebody-{origin}"


@own_voices(where="the customizer that the plugin registers", each_model=False)
def makers_are_registered_in_order(case: Case) -> None:
    """A customizer is registered under its provider's name, for a provider that speaks with it."""
    registry = case.subject.registry
    known = {info.name for info in registry}
    for offered in registry.hook.vivavoce_voice_customizers():
        for one in offered:
            need(one.name in known, f"a customizer is of {one.name!r}, which is no provider")
    if registry.customizer(case.info.name) is None:
        return
    claims = [(card.capabilities.clone, card.capabilities.design) for card in case.info.models]
    need(any(clone or design for clone, design in claims), "no model speaks with what it makes")
