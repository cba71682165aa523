import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from vivavoce_contract.tapes import ORIGIN, Match, Player

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMIT_S = 10.0
PIECES = [bytes([65 + n]) * (n + 1) for n in range(10)]


def ten(talk, **header):
    return talk().asked(b'{"text": "one"}').answered().chunks(*PIECES).ended().tape(**header)


# Replies


def test_keeps_every_border(talk, client):
    """Each recorded chunk is a chunk of its own when it is played, in order."""
    with Player(ten(talk)) as player:
        asking = client(player.http_url)
        asking.ask(body=b'{"text": "one"}')
        asking.head()
        assert asking.body() == PIECES
        assert (player.differences, player.unplayed()) == ([], [])


def test_each_chunk_is_a_write_of_its_own(talk, client):
    """A chunk reaches the client before the next one is written, length known or not."""
    headers = (("Content-Length", "6"),)
    tape = talk().asked().answered(headers).chunks(b"abc", b"def").ended().tape()
    with Player(tape) as player:
        player.hold_after(chunks=1)
        asking = client(player.http_url)
        asking.ask()
        assert asking.head()[1]["content-length"] == "6"
        assert asking.exactly(3) == b"abc"
        player.release()
        assert asking.exactly(3) == b"def"


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("framing", [("Transfer-Encoding", "chunked"), ("Content-Length", "9")])
def test_plays_a_cut_as_it_was(talk, client, how, framing):
    """A body that was cut is cut at the same byte, by FIN or by RST."""
    tape = talk().asked().answered((framing,)).chunks(b"abc").add("s", "cut", how=how).tape()
    with Player(tape) as player:
        asking = client(player.http_url)
        asking.ask()
        asking.head()
        body, end = asking.rest()
        assert (b"abc" in body, body.endswith(b"0\r\n\r\n"), end) == (True, False, how)
        assert player.sent_all()


def test_resets_only_when_all_has_arrived(talk, client):
    """What was sent before a reset reaches a client that reads late."""
    pieces = [b"x" * 20_000] * 20
    tape = talk().asked().answered().chunks(*pieces).add("s", "cut", how="reset").tape()
    with Player(tape) as player:
        asking = client(player.http_url, window=4096)
        asking.ask()
        # All is with the system by now, and most of it not yet with the client's.
        assert player._wait(lambda: bool(player._plays) and player.sent_all(), LIMIT_S)
        asking.head()
        assert [asking.chunk() for _ in pieces] == pieces
        assert asking.rest() == (b"", "reset")


def test_stalls_until_the_client_leaves(talk, client):
    """After a stall nothing comes, and the exchange is over when the client has left."""
    tape = talk().asked().answered().chunks(b"abc").add("s", "stall").tape()
    with Player(tape) as player:
        asking = client(player.http_url)
        asking.ask()
        asking.head()
        assert asking.chunk() == b"abc"
        assert (player.open_exchanges, player.sent_all()) == (1, False)
        asking.close()
        assert player.wait_closed(LIMIT_S)


def test_puts_in_its_own_address(talk, client):
    """The placeholder becomes the player's own address, and the length follows."""
    data = b'{"url": "' + ORIGIN.encode() + b'/a.wav"}'
    headers = (("Content-Length", str(len(data))), ("Location", ORIGIN + "/x"))
    tape = talk().asked().answered(headers).chunks(data[:9], data[9:]).ended().tape()
    with Player(tape) as player:
        _, found, body = client(player.http_url).fetch()
        assert json.loads(body) == {"url": f"{player.http_url}/a.wav"}
        assert found["location"] == f"{player.http_url}/x"


def test_sends_no_dropped_headers(talk, client):
    """A header whose value was dropped when recording is not made up."""
    headers = (("Content-Length", "0"), ("X-Request-Id", "<dropped>"))
    with Player(talk().asked().answered(headers).ended().tape()) as player:
        assert "x-request-id" not in client(player.http_url).fetch()[1]


def test_answers_head_without_a_body(talk, client):
    """A reply to HEAD keeps its length and has no body."""
    headers = (("Content-Length", "5"),)
    tape = talk().asked(method="HEAD").answered(headers).ended().tape()
    with Player(tape) as player:
        asking = client(player.http_url)
        for _ in range(2):
            asking.ask(method="HEAD")
            assert asking.head()[1]["content-length"] == "5"


def test_a_body_without_a_length_ends_with_the_connection(talk, client):
    """A reply that tells no length is ended by closing the connection."""
    with Player(talk().asked().answered(()).chunks(b"abc", b"d").ended().tape()) as player:
        assert client(player.http_url).fetch()[2] == b"abcd"


def test_plays_at_the_recorded_pace(talk, client):
    """At speed 1 nothing comes earlier than it did when it was recorded."""
    tape = talk().asked().answered().chunks(b"a", b"b", dt=0.06).ended().tape()
    with Player(tape, speed=1.0) as player:
        player.hold_after(chunks=2)
        asking = client(player.http_url)
        asking.ask()
        assert player.wait_held(LIMIT_S)
        # Measured by the player's own clock, of which a busy machine cannot have less.
        assert not player.sent_all()
        assert time.monotonic() - player._began_s - player.requests[0].t >= 0.12


# Matching


def test_an_unknown_request_is_told_from_the_nearest(talk, client):
    """A request that is not on the tape gets 599 and a text that names the paths that differ."""
    with Player(ten(talk)) as player:
        line, _, body = client(player.http_url).fetch(body=b'{"text": "two", "rate": 2}')
        assert line.startswith("HTTP/1.1 599")
        (said,) = player.differences
        assert said == (
            "POST /speech is like no request on the tapes. Nearest is acme/speak exchange 1 "
            '(POST /speech): body rate: recorded nothing, sent 2; body text: recorded "one", '
            'sent "two".'
        )
        assert player.differences[0].encode() in body
        assert player.unplayed() == ["acme/speak exchange 1 (POST /speech)"]


@pytest.mark.parametrize(
    ("match", "body", "is_found"),
    [
        (Match(), {"b": [1, {"c": "x"}], "a": 1}, True),
        (Match(), {"b": [1, {"c": "y"}], "a": 1}, False),
        (Match(), {"b": [1, {"c": "x"}], "a": 1.0}, False),
        (Match(body=("a",)), {"a": 1}, True),
        (Match(body=("b.1.c",)), {"b": [9, {"c": "x"}]}, True),
        (Match(body=("b.*.c",)), {"b": [9, {"c": "z"}]}, False),
        (Match(body=("b",)), {"a": 2, "b": [1, {"c": "x"}]}, True),
        (Match(body=()), {"z": 1}, True),
        (Match(ignore=("a",)), {"b": [1, {"c": "x"}], "a": 7}, True),
    ],
)
def test_compares_what_is_declared(talk, client, match, body, is_found):
    """Of a JSON body the declared paths are compared, else all of it, whatever its order."""
    recorded = b'{"a": 1, "b": [1, {"c": "x"}]}'
    tape = talk().asked(recorded).answered().ended().tape(match=match)
    with Player(tape) as player:
        line = client(player.http_url).fetch(body=json.dumps(body).encode())[0]
        assert (line.split()[1] == "200") is is_found
        assert (player.differences == []) is is_found


def test_compares_query_and_declared_headers(talk, client):
    """A query is compared but for what was dropped, headers where they are declared."""
    tape = (
        talk()
        .add(
            "c",
            "request",
            line="GET /a?v=1&Signature=<dropped> HTTP/1.1",
            headers=(("X-Mode", "sse"),),
        )
        .answered()
        .ended()
        .tape(match=Match(headers=("x-mode",)))
    )
    with Player(tape) as player:
        asking = client(player.http_url)
        said = {"method": "GET", "headers": "x-mode: sse\r\n"}
        assert "200" in asking.fetch("/a?Signature=other&v=1", **said)[0]
        assert "599" in asking.fetch("/a?Signature=other&v=2", **said)[0]
        assert "599" in asking.fetch("/a?v=1&Signature=x", method="GET")[0]
        assert "header x-mode: recorded sse, sent nothing" in player.differences[1]


def test_a_key_is_not_shown(talk, client):
    """What looks like a key is not repeated in what differs."""
    with Player(ten(talk)) as player:
        said = client(player.http_url).fetch("/speech?key=sk-0123456789abcdefghij")[2]
        assert "query key: recorded nothing, sent a key" in player.differences[0]
        assert b"0123456789" not in said


def test_an_overwritten_value_is_like_any(talk, client):
    """A value in a body that scrubbing overwrote is not compared."""
    tape = talk().asked(b'{"token": "dropped-dropp"}').answered().ended().tape()
    with Player(tape) as player:
        assert "200" in client(player.http_url).fetch(body=b'{"token": "sdkljfhsd"}')[0]


def test_of_a_dropped_recording_what_is_left_is_compared(talk, client):
    """Where a recording was dropped any data is like it, of the same media type."""
    tape = talk().asked(b'{"a": "data:audio/wav;base64,<dropped>"}').answered().ended().tape()
    with Player(tape) as player:
        for said, status in (("wav;base64,UklG", "200"), ("mpeg;base64,SUQz", "599")):
            body = b'{"a": "data:audio/%s"}' % said.encode()
            assert status in client(player.http_url).fetch(body=body)[0]
        assert "recorded" in player.differences[0]


def test_equal_requests_are_played_in_order(talk, client):
    """Of a request recorded three times the answers come in order, and the last lasts."""
    tapes = [
        talk().asked().answered((), status=status).ended().tape() for status in ("429 a", "500 b")
    ]
    with Player(*tapes, ten(talk)) as player:
        lines = [client(player.http_url).fetch()[0] for _ in range(4)]
        assert [line.split()[1] for line in lines] == ["429", "500", "500", "500"]


def test_plays_once_if_asked_to(talk, client):
    """Without repeats a request that comes again is a difference."""
    with Player(ten(talk), repeats=False) as player:
        asking = client(player.http_url)
        asking.fetch(body=b'{"text": "one"}')
        assert "599" in asking.fetch(body=b'{"text": "one"}')[0]
        assert "came again" in player.differences[0]


def test_not_strict_plays_the_nearest(talk, client):
    """A player that is not strict plays the nearest recording of the same path, and notes it."""
    with Player(ten(talk), strict=False) as player:
        asking = client(player.http_url)
        assert asking.fetch(body=b'{"text": "two"}')[2] == b"".join(PIECES)
        assert 'sent "two"' in player.differences[0]
        assert "599" in asking.fetch("/other")[0]


def test_what_is_no_request_is_refused(talk, client):
    """What is no HTTP gets 400 and is noted."""
    with Player(ten(talk)) as player:
        asking = client(player.http_url)
        asking.send(b"hello\r\n\r\n")
        assert asking.head()[0] == "HTTP/1.1 400 Bad Request"
        assert "no request" in player.differences[0]


# What clauses look at


def test_counts_what_came(talk, client):
    """Connections, requests and bytes are counted; a connection kept idle is no exchange."""
    with Player(ten(talk, base_path="/api")) as player:
        assert player.base_url(ten(talk, base_path="/api")) == player.http_url + "/api"
        assert (player.connections, player.bytes_received) == (0, 0)
        asking = client(player.http_url)
        asking.fetch(body=b'{"text": "one"}')
        asking.fetch(body=b'{"text": "one"}', headers="X-A: b\r\n")
        assert player.wait_closed(LIMIT_S)
        assert (player.connections, player.open_connections, player.open_exchanges) == (1, 1, 0)
        first, second = player.requests
        assert (first.method, first.path, first.body) == ("POST", "/speech", b'{"text": "one"}')
        assert ("X-A", "b") in second.headers
        assert second.t >= first.t
        assert player.bytes_received > 2 * len(first.body)


def test_holds_and_releases(talk, client):
    """At the gate an exchange has sent some chunks and no more, until it is released."""
    with Player(ten(talk)) as player:
        player.hold_after(chunks=4)
        asking = client(player.http_url)
        asking.ask(body=b'{"text": "one"}')
        asking.head()
        assert [asking.chunk() for _ in range(4)] == PIECES[:4]
        assert player.wait_held(LIMIT_S)
        assert not player.sent_all()
        player.release()
        assert asking.body() == PIECES[4:]
        assert player.wait_closed(LIMIT_S)
        assert player.sent_all(0)
        assert client(player.http_url).fetch(body=b'{"text": "one"}')[2] == b"".join(PIECES)


def test_a_client_that_leaves_at_the_gate_is_over(talk, client):
    """A client that leaves while its exchange is held ends it."""
    with Player(ten(talk)) as player:
        player.hold_after(chunks=0)
        asking = client(player.http_url)
        asking.ask(body=b'{"text": "one"}')
        assert player.wait_held(LIMIT_S)
        asking.close()
        assert player.wait_closed(LIMIT_S)
        assert not player.sent_all()


def test_many_at_once(talk, client):
    """An exchange is played to fifty clients at once, each whole."""
    with Player(ten(talk)) as player, ThreadPoolExecutor(50) as pool:
        start = threading.Barrier(50, timeout=LIMIT_S)

        def run(asking):
            start.wait()
            return asking.fetch(body=b'{"text": "one"}')[2]

        clients = [client(player.http_url) for _ in range(50)]
        assert set(pool.map(run, clients)) == {b"".join(PIECES)}
        assert player.differences == []


def test_stops_in_the_middle(talk, client):
    """A player that stops cuts what is open, and can be stopped again."""
    tape = talk().asked().answered().add("s", "stall").tape()
    player = Player(tape)
    player.start()
    asking = client(player.http_url)
    asking.ask()
    asking.head()
    player.stop()
    assert asking.rest()[0] == b""
    player.stop()
    player.release()


def test_stops_under_a_client_that_does_not_read(talk, client):
    """A player that stops does not wait for a client to take what is written."""
    tape = talk().asked().answered().chunks(b"x" * 9_000_000).ended().tape()
    with Player(tape) as player:
        asking = client(player.http_url, window=4096)
        asking.ask()
        asking.head()


# WebSocket


def live(talk, **header):
    return (
        talk()
        .opened()
        .service("hello")
        .client('{"id": "1", "text": "one"}')
        .service("audio 1")
        .client('{"id": "2", "text": "two"}')
        .service("audio 2")
        .closed(1000, "done")
        .tape(**header)
    )


def test_a_websocket_is_causal(talk, client):
    """What the service said comes only after what the client said before it."""
    with Player(live(talk)) as player:
        asking = client(player.ws_url)
        assert "101" in asking.open_websocket()
        assert asking.frame() == (1, b"hello")
        asking.send_frame(9, b"ping", is_masked=True)
        # Were the next message on its way already, it would come before the pong.
        assert asking.frame() == (10, b"ping")
        asking.say('{"text": "one", "id": "1"}')
        assert asking.frame() == (1, b"audio 1")
        asking.say('{"text": "two", "id": "2"}')
        assert asking.frame() == (1, b"audio 2")
        assert asking.frame() == (8, b"\x03\xe8done")
        asking.send_frame(8, b"\x03\xe8", is_masked=True)
        assert asking.rest()[1] == "fin"
        assert player.wait_closed(LIMIT_S)
        assert (player.differences, player.unplayed(), player.sent_all()) == ([], [], True)
        assert [message.data for message in player.requests[0].messages] == [
            b'{"text": "one", "id": "1"}',
            b'{"text": "two", "id": "2"}',
        ]


def test_another_message_is_a_difference(talk, client):
    """A client's message that differs is told by path, and ends the conversation."""
    with Player(live(talk, match=Match(ignore=("id",)))) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.frame()
        asking.say('{"text": "one", "id": "77"}')
        assert asking.frame() == (1, b"audio 1")
        asking.say('{"text": "three", "id": "78"}')
        opcode, data = asking.frame()
        assert (opcode, data[:2]) == (8, b"\x03\xf0")
        (said,) = player.differences
        assert said == (
            "Message 2 of the client is not the one of acme/speak exchange 1 (GET /live): "
            'message text: recorded "two", sent "three"'
        )


def test_not_strict_goes_on(talk, client):
    """A player that is not strict notes a message that differs, and goes on."""
    with Player(live(talk), strict=False) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.frame()
        asking.say("other")
        assert asking.frame() == (1, b"audio 1")
        assert len(player.differences) == 1


def test_finds_the_websocket_by_what_is_said(talk, client):
    """Of recordings with the same handshake that one goes on whose message the client sends."""
    other = talk().opened().service("hello").client("zwei").service("Ton 2").closed().tape()
    with Player(live(talk), other) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.frame()
        asking.say("zwei")
        assert asking.frame() == (1, b"Ton 2")
        assert asking.frame()[0] == 8
        asking.close()
        assert player.wait_closed(LIMIT_S)
        assert player.differences == []
        assert player.unplayed() == ["acme/speak exchange 1 (GET /live)"]


def test_a_message_after_the_last_is_a_difference(talk, client):
    """What a client says beyond the recording is noted."""
    with Player(talk().opened().service("hello").tape()) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.frame()
        asking.say("more")
        assert asking.frame()[0] == 8
        assert "recorded nothing more" in player.differences[0]


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_websocket_is_cut(talk, client, how):
    """A WebSocket that broke without a close frame breaks again, by FIN or RST."""
    tape = talk().opened().service("a").add("s", "cut", how=how).tape()
    with Player(tape) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        assert asking.frame() == (1, b"a")
        assert asking.rest() == (b"", how)


def test_a_refused_handshake_is_refused(talk, client):
    """A handshake that was refused is refused with the same status and body."""
    tape = (
        talk()
        .add("c", "ws-open", line="GET /live HTTP/1.1")
        .answered((("Content-Length", "2"),), status="401 Unauthorized")
        .chunks(b"no")
        .ended()
        .tape()
    )
    with Player(tape) as player:
        asking = client(player.ws_url)
        assert asking.open_websocket() == "HTTP/1.1 401 Unauthorized"
        assert asking.exactly(2) == b"no"


def test_a_client_that_closes_early_is_no_difference(talk, client):
    """A client that closes before the recorded end is answered; that is no difference."""
    with Player(live(talk)) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.frame()
        asking.send_frame(8, b"\x03\xe9", is_masked=True)
        assert asking.frame() == (8, b"\x03\xe9")
        assert player.wait_closed(LIMIT_S)
        assert player.differences == []
