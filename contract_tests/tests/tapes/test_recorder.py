import asyncio
import itertools
import json
import socket
import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce_contract.tapes import Match, Player, Recorder, Tape, TapeError
from vivavoce_contract.tapes._addresses import Addresses, Held, Place
from vivavoce_contract.tapes._loopback import Connection, Ended
from vivavoce_contract.tapes.recorder import _Talk
from vivavoce_contract.tapes.scrub import SecretFound

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMIT_S = 10.0
PIECES = [f"data: {n} é\n\n".encode() * (n + 1) for n in range(10)]
# A certificate of localhost, and the authority that vouches for it.
PEM = Path(__file__).with_name("localhost.pem")
ACME = {"provider": "acme", "scenario": "speak"}


def kinds(tape):
    return " ".join(f"{event.dir}:{event.k}" for event in tape.events)


def stream(*pieces):
    def script(peer):
        while peer.request()[0]:
            peer.begin()
            for piece in pieces:
                peer.send_chunk(piece)
            peer.send(b"0\r\n\r\n")

    return script


# HTTP


def test_keeps_borders_order_and_moments(service, client):
    """Ten chunks are ten on the tape and at the client, in order, at rising moments."""
    with Recorder(service.serve(stream(*PIECES)) + "/api", **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask(body=b"{}")
        line, headers = asking.head()
        assert (line, headers["transfer-encoding"]) == ("HTTP/1.1 200 OK", "chunked")
        assert asking.body() == PIECES
    tape = recorder.tape()
    chunks = [event for event in tape.events if event.k == "chunk"]
    assert [event.data for event in chunks] == PIECES
    moments = [event.t for event in tape.events]
    assert moments == sorted(moments)
    assert kinds(tape) == "c:request s:response " + "s:chunk " * 10 + "s:end"
    assert tape.header.base_path == "/api"
    assert service.requests[0][0] == "POST /api/speech HTTP/1.1"


def test_passes_each_chunk_on_at_once(service, client):
    """The first chunk is with the client before the service has sent its last."""

    def script(peer):
        peer.request()
        peer.begin()
        peer.send_chunk(b"one")
        service.wait()
        peer.send_chunk(b"two")
        peer.send(b"0\r\n\r\n")

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask()
        asking.head()
        assert asking.chunk() == b"one"
        service.go.set()
        assert asking.body() == [b"two"]


@pytest.mark.parametrize("speed", [0.0, 1.0])
def test_what_was_recorded_plays_the_same(service, client, speed):
    """A player gives a client the chunks that the service gave the recorder."""
    with Recorder(service.serve(stream(*PIECES)), **ACME) as recorder:
        client(recorder.base_url).fetch(body=b'{"text": "one"}')
    tape = Tape.parse(recorder.tape().to_bytes())
    assert tape.is_sealed
    with Player(tape, speed=speed) as player:
        asking = client(player.base_url(tape))
        asking.ask(body=b'{"text": "one"}')
        asking.head()
        assert asking.body() == PIECES
        assert (player.differences, player.unplayed()) == ([], [])


def test_asks_for_plain_bodies(service, client):
    """Compression is not asked for, and the service's own name is in Host."""
    with Recorder(service.serve(stream()), **ACME) as recorder:
        client(recorder.base_url).fetch(headers="Accept-Encoding: gzip\r\nX-Other: kept\r\n")
    _, headers, _ = service.requests[0]
    assert "accept-encoding" not in headers
    assert headers["x-other"] == "kept"
    assert headers["host"] == f"127.0.0.1:{service.port}"


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_cut_reaches_the_client_and_the_tape(service, client, how, is_chunked):
    """A body that is cut is cut for the client too, by FIN or RST, and the tape says by which."""

    def script(peer):
        peer.request()
        if is_chunked:
            peer.begin()
            peer.send(b"9\r\nabc")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        service.wait()
        if how == "reset":
            peer.reset()

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask()
        asking.head()
        service.go.set()
        body, end = asking.rest()
        assert b"abc" in body
        assert end == how
    tape = recorder.tape()
    assert kinds(tape) == "c:request s:response s:chunk s:cut"
    assert tape.events[-1].how == how
    with Player(tape) as player:
        asking = client(player.http_url)
        asking.ask()
        asking.head()
        body, end = asking.rest()
        assert b"abc" in body
        assert end == how


def test_a_service_that_never_answers_is_a_cut(service, client):
    """A connection that ends before the head of a reply is a cut."""
    with Recorder(service.serve(lambda peer: peer.request()), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask()
        assert asking.rest() == (b"", "fin")
    assert kinds(recorder.tape()) == "c:request s:cut"


def test_a_client_that_leaves_is_noted(service, client):
    """When the client leaves in the middle the service is left too, and the tape says by whom."""

    def script(peer):
        peer.request()
        peer.begin()
        peer.send_chunk(b"one")
        if peer.is_left():
            service.told.set()

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask()
        asking.head()
        asking.chunk()
        asking.close()
        assert service.told.wait(LIMIT_S)
    assert kinds(recorder.tape()) == "c:request s:response s:chunk c:cut"


def test_a_body_that_ends_with_the_connection(service, client):
    """A body without a length goes to the end of the connection, which is in order."""

    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\n\r\nabc")

    with Recorder(service.serve(script), **ACME) as recorder:
        assert client(recorder.base_url).fetch()[2] == b"abc"
    assert kinds(recorder.tape()) == "c:request s:response s:chunk s:end s:eof"


def test_a_client_that_leaves_such_a_body(service, client):
    """A body without a length that the client leaves in the middle has no end on the tape."""

    def script(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\n\r\nabc")
        if peer.is_left():
            service.told.set()

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask()
        asking.head()
        assert asking.exactly(3) == b"abc"
        asking.close()
        assert service.told.wait(LIMIT_S)
    assert kinds(recorder.tape()) == "c:request s:response s:chunk c:cut"


@pytest.mark.parametrize("failure", [None, ConnectionResetError()])
def test_what_came_before_an_end_can_be_read_after_it(failure):
    """An end, polite or not, takes nothing with it that came before."""

    async def read():
        connection = Connection()
        connection.data_received(b"abcdef")
        connection.connection_lost(failure)
        assert await connection.read_exactly(2) == b"ab"
        assert await connection.read_some() == b"cdef"
        with pytest.raises(Ended) as caught:
            await connection.read_some()
        return caught.value.how

    assert asyncio.run(read()) == ("reset" if failure else "fin")


def test_one_connection_carries_many_requests(service, client):
    """Requests on one connection of the client are on one connection of the tape."""
    with Recorder(service.serve(stream(b"a")), **ACME) as recorder:
        asking = client(recorder.base_url)
        for _ in range(3):
            assert asking.fetch()[2] == b"a"
        client(recorder.base_url).fetch()
    events = recorder.tape().events
    assert [event.conn for event in events if event.k == "request"] == [1, 1, 1, 2]


def test_a_request_in_chunks_is_read(service, client):
    """A request whose body comes in chunks is passed on and written down whole."""

    def script(peer):
        peer.request()
        peer.reply(b"{}")

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.send(
            b"POST /speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert asking.head()[0] == "HTTP/1.1 100 Continue"
        asking.send(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        assert asking.head()[0] == "HTTP/1.1 200 OK"
    assert service.requests[0][2] == b"abcde"
    assert recorder.tape().events[0].data == b"abcde"


def test_a_service_that_is_not_there(client):
    """Without a service the client gets 502, nothing is on the tape, and the failure is told."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with Recorder(f"http://127.0.0.1:{port}", **ACME) as recorder:
        assert "502" in client(recorder.base_url).fetch()[0]
    assert recorder.tape().events == ()
    assert f"127.0.0.1:{port} cannot be reached" in recorder.failures[0]


def test_a_service_that_speaks_no_http(service, client):
    """What is no HTTP is told, and is a cut."""

    def script(peer):
        peer.request()
        peer.send(b"SSH-2.0-hello\r\n\r\n")

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.base_url)
        asking.ask()
        assert asking.rest()[0] == b""
    assert kinds(recorder.tape()) == "c:request s:cut"
    assert "no HTTP" in recorder.failures[0]


# Addresses


def test_leads_the_client_back(service, client):
    """The service's own address becomes the recorder's for the client, a placeholder on tape."""

    def script(peer):
        while (line := peer.request()[0]) != "":
            if "/a.wav" in line:
                peer.reply(b"RIFF", headers="content-type: audio/wav")
            else:
                told = {"url": f"{service.url}/a.wav?Signature=abc", "u": "http://other.org/x"}
                location = f"location: {service.url}/there\r\n"
                headers = location + "content-type: application/json"
                peer.reply(json.dumps(told).encode(), headers=headers)

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.origin)
        _, headers, body = asking.fetch()
        told = json.loads(body)
        assert told["url"] == f"{recorder.origin}/a.wav?Signature=abc"
        assert told["u"] == "http://other.org/x"
        assert headers["location"] == f"{recorder.origin}/there"
        assert asking.fetch("/a.wav?Signature=abc", method="GET")[2] == b"RIFF"
    tape = recorder.tape()
    written = tape.to_bytes()
    assert b"{{origin}}/a.wav" in written
    assert service.url.encode() not in written
    assert recorder.origin.encode() not in written
    assert b"abc" not in written
    with Player(tape) as player:
        asking = client(player.http_url)
        told = json.loads(asking.fetch()[2])
        target = told["url"].removeprefix(player.http_url)
        assert asking.fetch(target, method="GET")[2] == b"RIFF"
        assert (player.differences, player.unplayed()) == ([], [])


def test_fetches_from_hosts_that_are_named(service, client):
    """An address of a host that is named leads over the recorder, others are left alone."""
    other = type(service)()

    def bucket(peer):
        peer.request()
        peer.reply(b"RIFF" + peer.service.url.encode(), headers="content-type: audio/wav")

    other.serve(bucket)

    def script(peer):
        peer.request()
        address = f"http:\\/\\/127.0.0.1:{other.port}\\/a.wav?x=1"
        peer.reply(f'{{"url": "{address}"}}'.encode())

    try:
        also = [f"127.0.0.1:{other.port}"]
        with Recorder(service.serve(script), also=also, **ACME) as recorder:
            url = json.loads(client(recorder.base_url).fetch()[2])["url"]
            place = f"/_elsewhere/http/127.0.0.1:{other.port}/a.wav?x=1"
            assert url == recorder.origin + place
            body = client(recorder.origin).fetch(place, method="GET")[2]
            assert body == b"RIFF" + other.url.encode()
            refused = client(recorder.origin).fetch("/_elsewhere/http/127.0.0.1:1/", method="GET")
            assert "403" in refused[0]
        assert other.requests[0][0] == "GET /a.wav?x=1 HTTP/1.1"
        assert other.requests[0][1]["host"] == f"127.0.0.1:{other.port}"
        tape = recorder.tape()
        assert b"{{origin}}/_elsewhere/http/" in tape.events[2].data
    finally:
        other.close()


ADDRESSES = Addresses(Place.of("https://api.acme.org/v1"), ("*.store.org",))
TEXTS = st.lists(
    st.sampled_from(
        [
            b"https://api.acme.org",
            b"http:\\/\\/b.store.org:80",
            b"https://api.acme.org:443/x",
            b"https://api.acme.organ/",
            b"https://me@api.acme.org/",
            b"https://b.store.org",
            b"http",
            b"xhttps:",
            b" \xe9\n",
            b'/a?b=c"',
        ]
    ),
    max_size=8,
).map(b"".join)


@settings(deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_a_border_inside_an_address_hides_nothing(text, cuts):
    """However a text is cut, the same addresses are replaced, for the client and on the tape."""
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    expected = ADDRESSES.lead_back(text, b"http://127.0.0.1:9")

    held = Held(lambda data: ADDRESSES.lead_back(data, b"http://127.0.0.1:9"))
    assert b"".join([*(held.feed(piece) for piece in pieces), held.finish()]) == expected
    led = ADDRESSES.lead_back_pieces(pieces, b"http://127.0.0.1:9")
    assert b"".join(led) == expected
    assert len(led) == len(pieces)
    # A player finds its placeholder chunk by chunk.
    assert sum(piece.count(b"http://127.0.0.1:9") for piece in led) == expected.count(
        b"http://127.0.0.1:9"
    )


def test_what_is_led_back_leads_on():
    """An address given back by the client is the service's own again."""
    origin = "http://127.0.0.1:9"
    text = b'["https://api.acme.org/a", "http://b.store.org:81/?x", "http://other.org"]'
    led = ADDRESSES.lead_back(text, origin.encode())
    assert led.count(origin.encode()) == 2
    assert ADDRESSES.lead_on(led, origin) == text


def test_only_addresses_themselves_are_replaced():
    """A longer host, another port, or a name before @ is another address."""
    origin = b"http://me"
    for text in (
        b"https://api.acme.organ/",
        b"https://api.acme.org:8443/",
        b"https://a@b.store.org/",
    ):
        assert ADDRESSES.lead_back(text, origin) == text
    assert ADDRESSES.lead_back(b"https://api.acme.org/x", origin) == b"http://me/x"


# WebSocket


def echo(peer):
    peer.shake_hands()
    while True:
        opcode, data = peer.frame()
        if opcode < 0:
            return
        if opcode == 8:
            peer.send_frame(8, data)
            return
        peer.send_frame(opcode, b"echo " + data)


def test_records_a_websocket(service, client):
    """Messages of both sides are on the tape in order, with close codes, and play the same."""

    def talk(url):
        asking = client(url)
        assert "101" in asking.open_websocket()
        asking.say("one")
        heard = [asking.frame()]
        asking.send_frame(1, b"tw", is_masked=True, is_final=False)
        asking.send_frame(0, b"o", is_masked=True)
        return asking, [*heard, asking.frame(), asking.frame()]

    def script(peer):
        peer.shake_hands()
        peer.frame()
        peer.send_frame(2, b"\x00\xff")
        peer.frame()
        peer.frame()
        peer.send_frame(1, b"a" * 300)
        peer.send_frame(8, b"\x03\xf3done")
        peer.frame()

    with Recorder(service.serve(script), **ACME) as recorder:
        asking, heard = talk(recorder.ws_url)
        asking.send_frame(8, b"\x03\xf3", is_masked=True)
        assert asking.rest()[1] == "fin"
    assert heard == [(2, b"\x00\xff"), (1, b"a" * 300), (8, b"\x03\xf3done")]
    tape = recorder.tape()
    assert kinds(tape) == ("c:ws-open s:ws-accept c:text s:bin c:text s:text s:close c:close s:eof")
    assert [event.data for event in tape.events if event.k == "text"] == [
        b"one",
        b"two",
        b"a" * 300,
    ]
    assert (tape.events[6].code, tape.events[6].reason) == (1011, "done")
    with Player(tape) as player:
        asking, again = talk(player.ws_url)
        assert again == heard
        asking.close()
        assert player.wait_closed(LIMIT_S)
        assert (player.differences, player.unplayed()) == ([], [])


def test_no_extension_is_agreed(service, client):
    """Compression of frames is not asked for, so that they can be read."""
    with Recorder(service.serve(echo), **ACME) as recorder:
        asking = client(recorder.ws_url)
        asking.open_websocket()
    assert "sec-websocket-extensions" not in service.requests[0][1]


def test_what_a_client_says_last_arrives(service, client):
    """What a client sends right before it leaves reaches the service and the tape."""
    said = "last" * 12_500

    def script(peer):
        peer.shake_hands()
        heard = [peer.frame()[1] for _ in range(40)]
        if heard == [said.encode()] * 40:
            service.told.set()

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.ws_url)
        asking.open_websocket()
        for _ in range(40):
            asking.say(said)
        asking.close()
        assert service.told.wait(LIMIT_S)
    tape = recorder.tape()
    assert kinds(tape) == "c:ws-open s:ws-accept " + "c:text " * 40 + "c:cut"


@pytest.mark.parametrize("is_websocket", [True, False])
def test_only_a_reply_is_left_at_once(is_websocket):
    """A client's end cuts a reply at once, but no WebSocket, to which more is to be passed on."""

    class Spy(Connection):
        is_aborted = False

        def abort(self):
            self.is_aborted = True

    async def leave():
        talk = _Talk(Connection(), 1, Spy(), is_websocket)
        talk.client.connection_lost(None)
        await Recorder("http://127.0.0.1:1", **ACME)._watch(talk)
        return talk.service.is_aborted

    assert asyncio.run(leave()) is not is_websocket


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_websocket_that_breaks(service, client, how):
    """A WebSocket that breaks without a close frame breaks for the client the same way."""

    def script(peer):
        peer.shake_hands()
        peer.send_frame(1, b"a")
        service.wait()
        if how == "reset":
            peer.reset()

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.ws_url)
        asking.open_websocket()
        assert asking.frame() == (1, b"a")
        service.go.set()
        assert asking.rest() == (b"", how)
    tape = recorder.tape()
    assert kinds(tape) == "c:ws-open s:ws-accept s:text s:cut"
    assert tape.events[-1].how == how


def test_a_refused_handshake(service, client):
    """A handshake that is refused is a response with its body."""

    def script(peer):
        peer.request()
        peer.reply(b"no", status="401 Unauthorized")

    with Recorder(service.serve(script), **ACME) as recorder:
        asking = client(recorder.ws_url)
        assert asking.open_websocket() == "HTTP/1.1 401 Unauthorized"
        assert asking.chunk() == b"no"
    assert kinds(recorder.tape()) == "c:ws-open s:response s:chunk s:end"


# The tape


def test_a_secret_is_refused(service, client):
    """A tape on which a secret is found is not given out."""

    def script(peer):
        peer.request()
        peer.reply(b'{"echo": "my secret words"}')

    with Recorder(service.serve(script), secrets=["my secret words"], **ACME) as recorder:
        client(recorder.base_url).fetch()
    with pytest.raises(SecretFound):
        recorder.tape()


def test_the_key_is_not_on_the_tape(service, client):
    """The value of a header that is not allowed is dropped; one that is allowed is kept."""
    key = "sk-0123456789abcdefghij"
    with Recorder(
        service.serve(stream(b"a")), secrets=[key], allowed_headers=["x-mode"], **ACME
    ) as recorder:
        client(recorder.base_url).fetch(headers=f"Authorization: Bearer {key}\r\nX-Mode: sse\r\n")
    assert service.requests[0][1]["authorization"] == f"Bearer {key}"
    tape = recorder.tape()
    assert tape.events[0].header("authorization") == "<dropped>"
    assert tape.events[0].header("x-mode") == "sse"
    assert key.encode() not in tape.to_bytes()


def test_this_machine_is_never_live():
    """What was recorded from this machine cannot say that it is live."""
    with pytest.raises(TapeError, match="live"):
        Recorder("http://127.0.0.1:1", kind="live", **ACME)


def test_says_what_it_was_made_from(service, client):
    """The first line says provider, scenario, source, recorder, and what is compared."""
    with Recorder(
        service.serve(stream(b"a")),
        model="one",
        source={"name": "acme-emulator", "version": "1", "driver": "acme-sdk 2"},
        match=Match(body=("text",)),
        claims=["stream_out"],
        **ACME,
    ) as recorder:
        client(recorder.base_url).fetch()
    header = recorder.tape().header
    assert (header.provider, header.scenario, header.model) == ("acme", "speak", "one")
    assert (header.source.kind, header.source.driver) == ("emulator", "acme-sdk 2")
    assert header.recorder.startswith("vivavoce-contract ")
    assert header.match == Match(body=("text",))
    assert header.claims == ("stream_out",)


def test_an_address_must_be_one():
    """An upstream that is no address is refused."""
    with pytest.raises(ValueError, match="no http"):
        Recorder("127.0.0.1", **ACME)


def test_records_over_tls(service, client, monkeypatch):
    """A service behind TLS is recorded, though its client speaks plainly to the recorder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    def script(peer):
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        with peer.sock:
            peer.request()
            peer.reply(b"{}")

    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    service.serve(script)
    with Recorder(f"https://localhost:{service.port}", **ACME) as recorder:
        assert client(recorder.base_url).fetch()[2] == b"{}"
    assert service.requests[0][1]["host"] == f"localhost:{service.port}"
    assert kinds(recorder.tape()) == "c:request s:response s:chunk s:end"


def test_a_service_nobody_vouches_for(service, client):
    """A service whose certificate is not trusted is not asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    service.serve(lambda peer: context.wrap_socket(peer.sock, server_side=True))
    with Recorder(f"https://localhost:{service.port}", **ACME) as recorder:
        assert "502" in client(recorder.base_url).fetch()[0]
    assert "CERTIFICATE_VERIFY_FAILED" in recorder.failures[0]
