"""Sessions in which something goes wrong."""

import json
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vivavoce_qwen_emulator.faults import BadFault, make_fault

TEXT = "Hello there."


@pytest.fixture
def faulty(service):
    """Return a function that speaks one text, and returns the events up to the last."""

    def speak(fault):
        with service.talk(fault=fault) as talk:
            talk.update(mode="commit")
            talk.append(TEXT)
            talk.commit()
            talk.finish()
            return talk.until("session.finished")

    return speak


@pytest.fixture
def expected(service):
    return service.pcm(text=TEXT, language_type=None)


def refusal(service, fault, **talk):
    with pytest.raises(InvalidStatus) as caught, service.talk(fault=fault, **talk):
        pass
    return caught.value.response


def closing(talk):
    """Return the events until the connection ends, and how it ended."""
    events = []
    while True:
        try:
            events.append(talk.hear())
        except ConnectionClosed as closed:
            return events, closed.rcvd


# --- the handshake -----------------------------------------------------------


def test_handshake_refused(service):
    """A handshake can be refused with any status, code and message."""
    response = refusal(service, "status; status=403; code=AccessDenied; retry-after=2")
    body = json.loads(response.body)
    assert (response.status_code, body["code"]) == (403, "AccessDenied")
    assert response.headers["retry-after"] == "2"
    assert response.headers["x-request-id"] == body["request_id"]
    assert service.emulator.wait_for_end() == "complete"
    (received,) = service.emulator.requests()
    assert (received.status, received.fault, received.messages) == (403, "status", [])


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("throttled", 429, b"Throttling"),
        ("empty-object; status=401", 401, b"{}"),
        ("echo-key", 401, b"sk-canary"),
        ("html", 502, b"<html>"),
    ],
)
def test_other_refusals(service, fault, status, words):
    """What can be answered to a request can be answered to a handshake."""
    response = refusal(service, fault, key="sk-canary")
    assert response.status_code == status
    assert words in response.body


def test_slow_handshake(service):
    """A handshake can take its time."""
    started = time.monotonic()
    with service.talk(fault="slow-start; seconds=0.1") as talk:
        assert talk.hear()["type"] == "session.created"
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("fault", ["cut", "error-event", "wav-status", "unheard-of"])
def test_faults_of_other_requests(service, fault):
    """A fault that cannot be done to a session is refused, rather than ignored."""
    response = refusal(service, fault)
    assert (response.status_code, json.loads(response.body)["code"]) == (400, "BadFault")


def test_faults_of_sessions_elsewhere(service):
    """A fault of sessions is refused where something else is asked for."""
    reply = service.ask(headers={"x-emulator-fault": "ws-close"})
    assert "'realtime'" in reply.json()["message"]


def test_armed_faults(service):
    """A fault that was armed waits for a session that it fits, and is done once."""
    service.emulator.fault("ws-no-finished", model="qwen-tts-realtime")
    service.emulator.fault("events-in-error")
    service.emulator.fault("html", stream=False)
    with service.talk() as talk:
        talk.finish()
        talk.until("session.finished")
    with service.talk("qwen-tts-realtime") as talk:
        talk.finish()
        talk.hear()
        assert talk.is_quiet()
    assert [received.fault for received in service.emulator.requests()] == ["", "ws-no-finished"]
    assert [service.ask().status_code for _ in range(3)] == [400, 502, 200]


# --- silence, errors, closes -------------------------------------------------


def test_silence(service):
    """With the defaults a session is created, and that is all."""
    with service.talk(fault="ws-silence") as talk:
        assert talk.hear()["type"] == "session.created"
        talk.update()
        talk.append(TEXT)
        talk.finish()
        assert talk.is_quiet()


def test_silence_in_the_middle(service, expected):
    """The silence can begin after some audio."""
    with service.talk(fault="ws-silence; after=2; of=deltas") as talk:
        talk.append(TEXT)
        talk.commit()
        events = talk.until("response.audio.delta", times=2)
        assert talk.is_quiet()
    assert b"".join(service.deltas(events)) == expected[:9_600]


@pytest.mark.parametrize("after", [0, 3])
def test_error(service, after):
    """An error comes after so many deltas, and nothing after it."""
    fault = f"ws-error; after={after}; code=Throttling; message=Slowly."
    with service.talk(fault=fault) as talk:
        talk.append(TEXT)
        talk.commit()
        events = talk.until("error")
        talk.finish()
        assert talk.is_quiet()
    assert len(service.deltas(events)) == after
    assert events[-1]["error"] == {"code": "Throttling", "message": "Slowly."}


def test_error_and_close(service):
    """An error can come in the older form, and be followed by a close."""
    with service.talk(fault="ws-error; after=1; of=events; older=yes; close=yes") as talk:
        talk.update()
        events, end = closing(talk)
    assert service.kinds(events) == ["session.created", "error"]
    assert events[-1]["error"].keys() == {"code", "message", "type", "param", "event_id"}
    assert (end.code, end.reason) == (1011, "InternalError.Algo")


@pytest.mark.parametrize("code", [1000, 1011, 1012, 1013, 4000])
def test_close(service, code):
    """The server closes with any code and reason, at a chosen point."""
    with service.talk(fault=f"ws-close; code={code}; reason=As you wished.; after=2") as talk:
        talk.append(TEXT)
        talk.commit()
        events, end = closing(talk)
    assert (end.code, end.reason) == (code, "As you wished.")
    assert len(service.deltas(events)) == 2
    assert service.emulator.wait_for_end() == "closed"
    assert service.emulator.requests()[0].close_code == code


@pytest.mark.parametrize("reset", ["yes", "no"])
def test_cut(service, reset):
    """1006 ends the connection without a close."""
    with service.talk(fault=f"ws-close; code=1006; after=0; of=events; reset={reset}") as talk:
        events, end = closing(talk)
    assert (events, end) == ([], None)
    assert service.emulator.wait_for_end() == "cut"
    assert service.emulator.requests()[0].close_code == 1006


@pytest.mark.parametrize("params", [{"code": 1005}, {"code": 2000}, {"reason": "字" * 42}])
def test_closes_that_cannot_be_sent(params):
    """What no close can carry is refused."""
    with pytest.raises(BadFault, match="'ws-close' cannot take"):
        make_fault("ws-close", params)


# --- odd deltas --------------------------------------------------------------


def test_late_delta_after_clear(service):
    """A delta of an earlier response can come after the confirmation of a clear."""
    with service.talk(fault="ws-late-delta") as talk:
        talk.update(mode="commit")
        talk.append(TEXT)
        talk.commit()
        spoken = talk.until("response.done")
        talk.append("Never mind.")
        talk.clear()
        cleared, late = talk.hear(), talk.hear()
        assert talk.is_quiet()
    assert cleared["type"] == "input_text_buffer.cleared"
    assert service.deltas([late]) == service.deltas(spoken)[-1:]


def test_late_delta_after_cancel(service):
    """A delta of a cancelled response can come after it is done."""
    with service.talk(fault="ws-late-delta; after=cancel") as talk:
        talk.update(mode="commit")
        talk.append(TEXT * 20)
        talk.commit()
        talk.until("response.audio.delta")
        talk.cancel()
        done, late = talk.until("response.done")[-1], talk.hear()
    assert done["response"]["status"] == "incomplete"
    assert late["response_id"] == done["response"]["id"]
    assert service.deltas([late])


def test_late_delta_after_any_response(service, faulty):
    """A delta can come after a response that is done as usual."""
    assert service.kinds(faulty("ws-late-delta; after=done"))[-3:] == [
        "response.done",
        "response.audio.delta",
        "session.finished",
    ]


def test_duplicate_done(service, faulty):
    """A response can be done twice."""
    events = faulty("ws-duplicate-done")
    first, second = service.dones(events)
    assert first == second


def test_big_delta(service, faulty, expected):
    """A delta can be very large."""
    sizes = [len(piece) for piece in service.deltas(faulty("ws-big-delta"))]
    assert sizes[0] == 1_000_000
    assert sum(sizes[1:]) == len(expected)


def test_torn_samples(service, faulty, expected):
    """Deltas can end in the middle of a sample."""
    pieces = service.deltas(faulty("ws-torn; size=777"))
    assert {len(piece) for piece in pieces[:-1]} == {777}
    assert b"".join(pieces) == expected


def test_slow_deltas(service, faulty, expected):
    """Deltas can come slowly, from the beginning or later."""
    started = time.monotonic()
    events = faulty("ws-slow; seconds=0.05; after=2")
    assert time.monotonic() - started >= 0.05 * (len(service.deltas(events)) - 2)
    assert b"".join(service.deltas(events)) == expected


def test_bad_base64(service, faulty):
    """A delta can be no base64."""
    events = faulty("ws-bad-base64; after=2")
    audio = [event["delta"] for event in events if event["type"] == "response.audio.delta"]
    assert [index for index, data in enumerate(audio) if "%" in data] == [2]


def test_no_audio(service, faulty):
    """A response can end as if all were well, without any audio."""
    events = faulty("no-audio")
    assert service.deltas(events) == []
    assert service.dones(events)[0]["status"] == "completed"


# --- odd events --------------------------------------------------------------


def test_binary_frame(service):
    """A binary frame can come between the events."""
    with service.talk(fault="ws-binary; after=1; of=events; size=3") as talk:
        talk.update()
        talk.hear()
        assert talk.socket.recv(timeout=5) == bytes(3)
        assert talk.hear()["type"] == "session.updated"


def test_bad_json(service):
    """A frame can be broken JSON."""
    with service.talk(fault="ws-bad-json; after=0; of=events") as talk:
        talk.update()
        with pytest.raises(json.JSONDecodeError):
            talk.hear()
        assert talk.hear()["type"] == "session.updated"


def test_unknown_events_and_fields(service, faulty, expected):
    """Unknown events come between those that are known, and unknown fields are in all of them."""
    events = faulty("ws-unknown")
    assert [event["type"] for event in events[::2]] == ["weather.updated"] * (len(events) // 2)
    assert all("colour" in event for event in events[1::2])
    assert "colour" in service.dones(events)[0]["usage"]
    assert b"".join(service.deltas(events[1::2])) == expected


def test_no_finished(service):
    """The end of a session can stay unsaid."""
    with service.talk(fault="ws-no-finished") as talk:
        talk.append(TEXT)
        talk.finish()
        talk.until("response.done")
        assert talk.is_quiet()


def test_empty_ids(faulty):
    """The ids of items can be empty."""
    events = faulty("ws-empty-ids")
    assert {event["item_id"] for event in events if "item_id" in event} == {""}
    assert {event["item"]["id"] for event in events if "item" in event} == {""}


@pytest.mark.parametrize("status", ["failed", "incomplete", "in_progress"])
def test_status_of_done(service, faulty, status):
    """A response can end otherwise than completed, its audio cut short."""
    events = faulty(f"ws-done-status; status={status}; after=2")
    assert service.dones(events)[0]["status"] == status
    assert len(service.deltas(events)) == 2
    assert service.kinds(events)[-1] == "session.finished"
