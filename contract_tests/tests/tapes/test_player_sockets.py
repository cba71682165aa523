"""
The player tells WebSocket recordings apart by what the client says.

Recordings of one kind differ in who spoke first where both sides talk at once. So one recording
is begun, and the client's message shows later that another was meant.
"""

import itertools

import pytest

from vivavoce_contract.tapes import Match, Player

LIMIT_S = 20.0
READY = ("ready 1", "ready 2")
ORDERS = tuple(sorted({"".join(order) for order in itertools.permutations("ccSS")}))
"""Of two messages of the client's and two of the service's, every order."""


def recording(talk, order, *said, audio, match=None):
    """Return a tape: what is said and READY in the order given, then the audio and the end."""
    tape, client, service = talk().opened(), iter(said), iter(READY)
    for side in order:
        tape = tape.client(next(client)) if side == "c" else tape.service(next(service))
    for each in audio:
        tape = tape.service(each)
    return tape.closed().tape(scenario=audio[0], match=match)


def hear(asking, *said):
    """Say all at once, and return what is heard up to the close frame."""
    assert "101" in asking.open_websocket()
    for each in said:
        asking.say(each)
    found = []
    while (frame := asking.frame())[0] == 1:
        found.append(frame[1].decode())
    asking.send_frame(8, b"\x03\xe8", is_masked=True)
    return found, frame


ENDED = (8, b"\x03\xe8")


def refused(frame):
    return frame[0] == 8 and frame[1][:2] == b"\x03\xf0"


@pytest.mark.parametrize("begun", ORDERS)
@pytest.mark.parametrize("meant", ORDERS)
def test_the_order_of_the_sides_does_not_matter(talk, client, begun, meant):
    """Whatever was sent before the message that tells, all is heard once, of the right tape."""
    one = recording(talk, begun, "hello", "one", audio=("audio 1a", "audio 1b"))
    two = recording(talk, meant, "hello", "two", audio=("audio 2a", "audio 2b"))
    with Player(one, two) as player:
        assert hear(client(player.ws_url), "hello", "two") == (
            [*READY, "audio 2a", "audio 2b"],
            ENDED,
        )
        assert player.wait_closed(LIMIT_S)
        # The second is new no more; the first is, and is begun again.
        assert hear(client(player.ws_url), "hello", "two") == (
            [*READY, "audio 2a", "audio 2b"],
            ENDED,
        )
        assert player.wait_closed(LIMIT_S)
        assert player.unplayed() == ["acme/audio 1a exchange 1 (GET /live)"]
        assert hear(client(player.ws_url), "hello", "one") == (
            [*READY, "audio 1a", "audio 1b"],
            ENDED,
        )
        assert (player.differences, player.unplayed()) == ([], [])


@pytest.mark.parametrize("begun", ORDERS)
@pytest.mark.parametrize("meant", ORDERS)
def test_what_was_heard_before_does_not_matter(talk, client, begun, meant):
    """A client that hears what comes before it says the telling message hears the rest once."""
    one = recording(talk, begun, "hello", "one", audio=("audio 1",))
    two = recording(talk, meant, "hello", "two", audio=("audio 2",))
    before = begun[: begun.rindex("c")].count("S")
    with Player(one, two) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.say("hello")
        first = [asking.frame()[1].decode() for _ in range(before)]
        asking.say("two")
        rest = [asking.frame()[1].decode() for _ in range(3 - before)]
        assert [*first, *rest] == [*READY, "audio 2"]
        assert asking.frame() == ENDED
        assert player.differences == []


@pytest.mark.parametrize("meant", ORDERS)
def test_a_message_of_no_recording_is_noted(talk, client, meant):
    """A message that fits no recording is told by that which was begun, and closed with 1008."""
    one = recording(talk, "cSSc", "hello", "one", audio=("audio 1",))
    two = recording(talk, meant, "hello", "two", audio=("audio 2",))
    with Player(one, two) as player:
        found, frame = hear(client(player.ws_url), "hello", "three")
        assert (found, refused(frame)) == (list(READY), True)
        (said,) = player.differences
        assert said == (
            "Message 2 of the client is not the one of acme/audio 1 exchange 1 (GET /live): "
            "message: recorded b'one', sent b'three'"
        )


def test_a_message_that_is_wrong_later_is_noted(talk, client):
    """What differs after another recording was found is told by that one."""
    one = recording(talk, "cScS", "hello", "one", audio=("audio 1",))
    two = talk().opened().client("hello").client("two").service("yes").client("more").closed()
    with Player(one, two.tape()) as player:
        found, frame = hear(client(player.ws_url), "hello", "two", "less")
        # What was sent in place of another message is not taken back.
        assert (found, refused(frame)) == (["ready 1"], True)
        (said,) = player.differences
        assert said.startswith("Message 3 of the client is not the one of acme/speak")


def test_what_was_said_before_counts(talk, client):
    """A recording in which something else was said before is not gone on with."""
    one = recording(talk, "ccSS", "hello", "one", audio=("audio 1",))
    two = recording(talk, "ccSS", "good day", "two", audio=("audio 2",))
    with Player(one, two) as player:
        found, frame = hear(client(player.ws_url), "hello", "two")
        assert (found, refused(frame)) == ([], True)
        assert len(player.differences) == 1


CONVERSATIONS = {
    "audio a": ("hello", "one", "end"),
    "audio b": ("hello", "two", "end"),
    "audio c": ("hello", "two", "more"),
    "audio d": ("good day", "two", "more"),
}
LONGER = ("cccSS", "cSccS", "SccSc", "cScSc", "SSccc")


@pytest.mark.parametrize("turn", range(len(LONGER)))
@pytest.mark.parametrize("meant", CONVERSATIONS)
def test_the_telling_message_may_come_late(talk, client, turn, meant):
    """Of several recordings the right one is found, however late a message tells, and twice."""
    orders = LONGER[turn:] + LONGER[:turn]
    tapes = [
        recording(talk, order, *said, audio=(audio,))
        for order, (audio, said) in zip(orders, CONVERSATIONS.items(), strict=False)
    ]
    with Player(*tapes) as player:
        found = hear(client(player.ws_url), *CONVERSATIONS[meant])
        assert found == ([*READY, meant], ENDED)
        assert player.wait_closed(LIMIT_S)
        assert player.differences == []
        assert len(player.unplayed()) == len(CONVERSATIONS) - 1


def test_what_is_ignored_does_not_tell(talk, client):
    """Messages are compared with another recording by what that one declares."""
    match = Match(ignore=("id",))
    tapes = [
        recording(
            talk,
            order,
            '{"id": 1}',
            f'{{"id": 2, "text": "{name}"}}',
            audio=(f"audio {name}",),
            match=match,
        )
        for name, order in (("one", "cSSc"), ("two", "SccS"))
    ]
    with Player(*tapes) as player:
        found, frame = hear(client(player.ws_url), '{"id": 71}', '{"text": "two", "id": 72}')
        assert (found, frame) == ([*READY, "audio two"], ENDED)
        assert player.differences == []


def test_what_is_owed_passes_the_gate(talk, client):
    """The gate counts what is sent because another recording had it earlier."""
    one = recording(talk, "ccSS", "hello", "one", audio=("audio 1",))
    two = recording(talk, "cSSc", "hello", "two", audio=("audio 2",))
    with Player(one, two) as player:
        player.hold_after(chunks=1)
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.say("hello")
        asking.say("two")
        assert asking.frame() == (1, b"ready 1")
        assert player.wait_held(LIMIT_S)
        player.release()
        assert [asking.frame()[1] for _ in range(2)] == [b"ready 2", b"audio 2"]
        assert asking.frame() == ENDED


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_an_end_that_is_owed_is_the_end(talk, client, how):
    """Where the other recording broke before the client's message, it breaks."""
    one = recording(talk, "ccSS", "hello", "one", audio=("audio 1",))
    broken = talk().opened().client("hello").service("audio 2").add("s", "cut", how=how)
    two = broken.client("two").tape()
    with Player(one, two) as player:
        asking = client(player.ws_url)
        asking.open_websocket()
        asking.say("hello")
        asking.say("two")
        assert asking.frame() == (1, b"audio 2")
        assert asking.rest() == (b"", how)
        assert player.wait_closed(LIMIT_S)
        assert player.differences == []


@pytest.mark.parametrize("order", ORDERS)
def test_many_are_told_apart_at_once(talk, client, order):
    """Clients that say different things at once each hear their own."""
    names = [f"{n}" for n in range(5)]
    tapes = [
        recording(talk, each, "hello", name, audio=(f"audio {name}",))
        for name, each in zip(names, [order, *ORDERS], strict=False)
    ]
    with Player(*tapes) as player:
        asking = {name: client(player.ws_url) for name in names}
        for each in asking.values():
            each.open_websocket()
            each.say("hello")
        for name, each in asking.items():
            each.say(name)
        for name, each in asking.items():
            assert [each.frame()[1].decode() for _ in range(3)] == [*READY, f"audio {name}"]
            assert each.frame() == ENDED
        assert player.differences == []
