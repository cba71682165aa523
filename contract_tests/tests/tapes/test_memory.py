import asyncio
import itertools
import json

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce import (
    ConnectFailed,
    ConnectionLost,
    Registry,
    Retry,
    Settings,
    StreamStateError,
    TimedOut,
    Timeouts,
)
from vivavoce.authoring import (
    AudioData,
    BodyData,
    Exchange,
    Finished,
    HttpCall,
    LocalCall,
    MessageReceived,
    PeerClosed,
    Synthesizer,
    WebSocketCall,
    hookimpl,
)
from vivavoce.face import ClientCore
from vivavoce.testing import FakeProvider, samples_of
from vivavoce.transport.base import Runtime, run_blocking
from vivavoce_contract.tapes import ORIGIN, Match
from vivavoce_contract.tapes.memory import MemoryRuntime, NotOnTheTape

AUDIO = samples_of("Hello there.")
PIECES = [AUDIO[:1], AUDIO[1:501], AUDIO[501:]]
KEY = "sk-canary-1"


class HttpExchange(Exchange):
    def __init__(self, request, config):
        self.format = request.format
        self._call = HttpCall(
            url=f"{config.base_url}/speech",
            headers={"authorization": config.credential.prefixed("Bearer ")},
            body=json.dumps({"text": request.text}).encode(),
        )

    def open(self):
        return self._call


class SocketExchange(Exchange):
    def __init__(self, request, config):
        self.format = request.format
        url = config.base_url.replace("http", "ws", 1)
        self._call = WebSocketCall(url=f"{url}/live", first=(json.dumps({"text": request.text}),))

    def open(self):
        return self._call

    def receive(self, event):
        if isinstance(event, MessageReceived):
            return (Finished(),) if event.is_text else (AudioData(event.data),)
        return super().receive(event) if isinstance(event, PeerClosed) else ()


def provider(exchange_type):
    """Return a registry of a provider behind a network."""

    class Acme(Synthesizer):
        def exchange(self, request):
            return exchange_type(request, self.config)

    fake = FakeProvider()
    card = attrs.evolve(fake.info.models[0], transports=("http",))
    info = attrs.evolve(fake.info, name="acme", models=(card,), synthesizer=Acme)

    class Plugin:
        @hookimpl
        def vivavoce_synthesizers(self):
            return [info]

    return Registry.of(Plugin())


def started(runtime, exchange_type=HttpExchange, text="Hello there.", **timeouts):
    """Return the run of an utterance over *runtime*: what both faces of a client drive."""
    core = ClientCore(
        "acme",
        runtime=lambda: runtime,
        api_key=KEY,
        base_url=runtime.base_url(),
        region=None,
        timeouts=Timeouts(**timeouts),
        retry=Retry(attempts=1),
        strict=False,
        settings=Settings(),
        registry=provider(exchange_type),
    )
    return core.run(core.plan(text, {}), wants_stream=True, encode=True)


async def read(run, heard=None):
    heard = [] if heard is None else heard
    try:
        while (chunk := await run.next_chunk()) is not None:
            heard.append(chunk.data)
    finally:
        await run.close()
    return b"".join(heard)


def asked(talk):
    return talk().asked(b'{"text": "Hello there."}')


@pytest.fixture
def speech(talk):
    return asked(talk).answered().chunks(*PIECES, dt=1.0).ended().tape()


@pytest.fixture
def live(talk):
    said = talk().opened().client('{"text": "Hello there."}')
    said.add("s", "bin", 1.0, data=AUDIO[:101]).add("s", "bin", 1.0, data=AUDIO[101:])
    return said.service("done").closed().tape()


def test_is_a_runtime(speech):
    """It has what a pipeline asks of a runtime."""
    runtime: Runtime = MemoryRuntime(speech)
    assert runtime.now() == 0.0
    run_blocking(runtime.sleep(2.5))
    run_blocking(runtime.close())
    assert runtime.now() == 2.5


@pytest.mark.parametrize("exchange_type", [HttpExchange, SocketExchange])
def test_drives_an_exchange_in_both_faces(speech, live, exchange_type):
    """A provider's exchange gives the audio of the tape, on an event loop and without one."""
    tape = speech if exchange_type is HttpExchange else live
    runtime = MemoryRuntime(tape)
    assert run_blocking(read(started(runtime, exchange_type))) == AUDIO
    assert (runtime.unplayed(), runtime.differences, runtime.open_conversations) == ([], [], 0)

    runtime = MemoryRuntime(tape, suspends=True)
    assert asyncio.run(read(started(runtime, exchange_type))) == AUDIO


def test_the_clock_is_that_of_the_tape(speech):
    """Moments are those of the tape, and no second of them is waited."""
    runtime = MemoryRuntime(speech)
    run = started(runtime)
    assert run_blocking(read(run)) == AUDIO
    assert (runtime.now(), run.report.ttfa_s) == (3.0, 2.0)  # the first byte is half a sample


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(0, len(AUDIO)), max_size=20))
def test_any_borders_give_the_same(talk, cuts):
    """However a body is cut, what is heard is the same."""
    places = [0, *sorted(cuts), len(AUDIO)]
    tape = asked(talk).answered().chunks(*PIECES).ended().tape()
    runtime = MemoryRuntime(
        tape, pieces=lambda body: [body[a:b] for a, b in itertools.pairwise(places)]
    )
    assert run_blocking(read(started(runtime))) == AUDIO


def test_an_address_is_whole_before_it_is_cut(talk):
    """The own address in a body is filled in before the body is cut anew."""
    body = f'"{ORIGIN}/a"'.encode()
    tape = talk().asked(method="GET").answered().chunks(body[:7], body[7:]).ended().tape()

    async def fetch():
        runtime = MemoryRuntime(tape, pieces=lambda body: [bytes([byte]) for byte in body])
        call = HttpCall(method="GET", url=f"{runtime.base_url()}/speech")
        conversation = await runtime.open(call, None)
        await conversation.receive(None)
        heard = []
        while isinstance(event := await conversation.receive(None), BodyData):
            heard.append(event.data)
        await conversation.close()
        return b"".join(heard)

    assert run_blocking(fetch()) == b'"http://127.0.0.1:9/a"'


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_cut_is_a_lost_connection(talk, how):
    """A cut on the tape is the error that a real transport raises, behind the audio before it."""
    tape = asked(talk).answered().chunks(AUDIO[:200]).add("s", "cut", how=how).tape()
    heard = []
    with pytest.raises(ConnectionLost):
        run_blocking(read(started(MemoryRuntime(tape)), heard))
    assert b"".join(heard) == AUDIO[:200]


def test_a_stall_is_a_timeout_at_once(talk):
    """A stall ends with the limit on waiting, of which the clock says that it has passed."""
    tape = asked(talk).answered().chunks(AUDIO[:200]).add("s", "stall").tape()
    runtime = MemoryRuntime(tape)
    with pytest.raises(TimedOut) as caught:
        run_blocking(read(started(runtime, between_chunks_s=7.0)))
    assert (caught.value.phase, runtime.now()) == ("between_chunks", 7.0)


def test_what_comes_too_late_is_a_timeout(speech):
    """An event behind the limit on waiting is a timeout, at the moment of the limit."""
    runtime = MemoryRuntime(speech)
    with pytest.raises(TimedOut) as caught:
        run_blocking(read(started(runtime, between_chunks_s=0.25)))
    assert (caught.value.phase, runtime.now()) == ("between_chunks", 2.25)


def test_a_stall_without_a_limit_is_refused(talk):
    """What would wait for ever is refused instead."""
    tape = asked(talk).answered().add("s", "stall").tape()
    with pytest.raises(StreamStateError, match="without a limit"):
        run_blocking(
            read(
                started(
                    MemoryRuntime(tape), first_audio_s=None, between_chunks_s=None, total_s=None
                )
            )
        )


def test_another_request_is_refused(speech):
    """A request that is not on the tape is raised as what it differs in."""
    runtime = MemoryRuntime(speech)
    with pytest.raises(NotOnTheTape, match=r'sent "Other\."'):
        run_blocking(read(started(runtime, text="Other.")))
    assert len(runtime.differences) == 1


def test_another_message_is_refused(live):
    """A message that is not on the tape is raised as what it differs in."""
    runtime = MemoryRuntime(live)
    with pytest.raises(NotOnTheTape, match=r'message text: recorded "Hello there\.", sent "No\."'):
        run_blocking(read(started(runtime, SocketExchange, text="No.")))


def test_what_goes_over_no_wire_is_refused(speech):
    """An engine in this process is not on any tape."""
    with pytest.raises(NotOnTheTape, match="LocalCall"):
        run_blocking(MemoryRuntime(speech).open(LocalCall(run=print), None))


def test_a_socket_that_breaks(talk):
    """A WebSocket that broke is closed with 1006."""
    tape = talk().opened().client('{"text": "Hello there."}').add("s", "cut", how="fin").tape()
    with pytest.raises(ConnectionLost) as caught:
        run_blocking(read(started(MemoryRuntime(tape), SocketExchange)))
    assert caught.value.close_code == 1006


def test_a_refused_handshake(talk):
    """A handshake that was refused is a failure to connect."""
    tape = (
        talk()
        .add("c", "ws-open", line="GET /live HTTP/1.1")
        .answered(status="401 No")
        .ended()
        .tape()
    )
    with pytest.raises(ConnectFailed, match="401"):
        run_blocking(read(started(MemoryRuntime(tape), SocketExchange)))


def test_a_socket_waits_for_its_client(talk):
    """What the service said after the client is not given before the client has said it."""
    said = talk().opened().service("a").client("1").service("b").client("2")
    tape = said.service("c").tape(match=Match())

    async def converse():
        runtime = MemoryRuntime(tape)
        call = WebSocketCall(url=f"{runtime.base_url()}/live".replace("http", "ws", 1))
        socket = await runtime.open(call, None)
        heard = [await socket.receive(1.0), await socket.receive(1.0)]
        with pytest.raises(TimeoutError):
            await socket.receive(1.0)
        await socket.send("1")
        await socket.send("2")
        heard += [await socket.receive(1.0), await socket.receive(1.0)]
        with pytest.raises(TimeoutError):
            await socket.receive(1.0)
        with pytest.raises(NotOnTheTape):
            await socket.send("3")
        await socket.close()
        with pytest.raises(StreamStateError):
            await socket.receive(1.0)
        return [event.data for event in heard[1:]]

    assert run_blocking(converse()) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("exchange_type", [HttpExchange, SocketExchange])
def test_can_be_cancelled_at_every_await(speech, live, exchange_type):
    """Cancelled at whichever await, a run leaves no conversation open and gives a prefix."""
    tape = speech if exchange_type is HttpExchange else live

    async def cancelled_at(tick):
        def on_tick(number):
            if number == tick:
                task.cancel()

        runtime = MemoryRuntime(tape, on_tick=on_tick, suspends=True)
        heard = []
        task = asyncio.ensure_future(read(started(runtime, exchange_type), heard))
        await asyncio.wait([task])
        assert runtime.open_conversations == 0
        assert AUDIO.startswith(b"".join(heard))
        return task.cancelled(), runtime.ticks

    cancelled, total = asyncio.run(cancelled_at(0))
    assert not cancelled
    assert total >= 5
    outcomes = [asyncio.run(cancelled_at(tick))[0] for tick in range(1, total + 1)]
    assert all(outcomes)
