"""Sessions as they are when nothing goes wrong."""

import base64
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

OPENING = ["response.created", "response.output_item.added", "response.content_part.added"]
CLOSING = [
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]
RESPONSE = [*OPENING, "response.audio.delta", *CLOSING]
ONE, TWO = "Hello there.", "How are you?"


def speak(service, text=ONE, *, mode="commit", model="qwen3-tts-flash-realtime", **session):
    """Return the events of a session that speaks one text."""
    with service.talk(model) as talk:
        talk.update(mode=mode, **session)
        talk.append(text)
        talk.commit()
        talk.finish()
        return talk.until("session.finished")


def audio(service, text=ONE, **session):
    return b"".join(service.deltas(speak(service, text, **session)))


def errors(events):
    return [event["error"] for event in events if event["type"] == "error"]


# --- the handshake -----------------------------------------------------------


@pytest.mark.parametrize("key", [None, "sk-other", ""])
def test_key_is_checked_in_the_handshake(serve, key):
    """Without a key of the region the handshake is refused with JSON and a request id."""
    service = serve(keys={"cn-beijing": ["sk-test"]})
    with pytest.raises(InvalidStatus) as caught, service.talk(key=key):
        pass
    response = caught.value.response
    body = json.loads(response.body)
    assert (response.status_code, body["code"]) == (401, "InvalidApiKey")
    assert response.headers["x-request-id"] == body["request_id"]
    assert service.emulator.wait_for_end() == "complete"
    (received,) = service.emulator.requests()
    assert (received.status, received.close_code) == (401, None)


def test_session_created(service):
    """The first event tells the session's id, its model, and the defaults."""
    with service.talk() as talk:
        created = talk.hear()
    session = created["session"]
    assert created["type"] == "session.created"
    assert session.pop("id").startswith("sess_")
    assert session == {
        "object": "realtime.session",
        "model": "qwen3-tts-flash-realtime",
        "mode": "server_commit",
        "voice": "Cherry",
        "response_format": "pcm",
        "sample_rate": 24_000,
    }


@pytest.mark.parametrize("model", ["nobody", "qwen3-tts-flash", ""])
def test_unknown_models_are_silent(service, model):
    """A name of no realtime model gets session.created, and then nothing."""
    with service.talk(model) as talk:
        assert talk.hear()["session"]["model"] == model
        talk.update()
        talk.append(ONE)
        talk.finish()
        assert talk.is_quiet()


def test_models_of_other_regions_are_silent(serve):
    """A model that is not in the region is as good as unknown."""
    with serve(region="ap-southeast-1").talk("qwen-tts-realtime") as talk:
        talk.hear()
        talk.update()
        assert talk.is_quiet()


def test_too_many_sessions(serve):
    """A session over the model's limit is closed with 1011 before its first event."""
    service = serve(rpm=1)
    with service.talk() as talk:
        talk.hear()
    with service.talk() as talk, pytest.raises(ConnectionClosed) as caught:
        talk.hear()
    assert caught.value.rcvd.code == 1011
    assert caught.value.rcvd.reason.startswith("Too many requests")


# --- session.update ----------------------------------------------------------


def test_session_updated(service):
    """An update is answered with what was set and no more, its language in lower case."""
    with service.talk() as talk:
        session_id = talk.hear()["session"]["id"]
        talk.update(language_type="Chinese", mode="commit", volume=None, unknown=1)
        talk.update(voice="Ethan")
        first, second = talk.hear(), talk.hear()
    about = {"id": session_id, "object": "realtime.session", "model": "qwen3-tts-flash-realtime"}
    assert first["session"] == about | {
        "voice": "Cherry",
        "language_type": "chinese",
        "mode": "commit",
    }
    assert second["session"] == first["session"] | {"voice": "Ethan"}


@pytest.mark.parametrize(
    ("model", "session"),
    [
        ("qwen3-tts-flash-realtime", {"mode": "auto"}),
        ("qwen3-tts-flash-realtime", {"voice": 3}),
        ("qwen3-tts-flash-realtime", {"language_type": "Klingon"}),
        ("qwen3-tts-flash-realtime", {"response_format": "flac"}),
        ("qwen3-tts-flash-realtime", {"sample_rate": 22_050}),
        ("qwen3-tts-flash-realtime", {"sample_rate": True}),
        ("qwen3-tts-flash-realtime", {"speech_rate": 2.1}),
        ("qwen3-tts-flash-realtime", {"pitch_rate": 0.4}),
        ("qwen3-tts-flash-realtime", {"volume": 101}),
        ("qwen3-tts-flash-realtime", {"volume": 50.5}),
        ("qwen3-tts-flash-realtime", {"bit_rate": 5}),
        ("qwen3-tts-flash-realtime", {"enable_tn": "yes"}),
        ("qwen3-tts-flash-realtime", {"instructions": "Fast."}),
        ("qwen3-tts-flash-realtime", {"optimize_instructions": True}),
        ("qwen3-tts-instruct-flash-realtime", {"instructions": "字" * 1_601}),
        ("qwen-tts-realtime", {"response_format": "mp3"}),
        ("qwen-tts-realtime", {"sample_rate": 16_000}),
        ("qwen-tts-realtime", {"speech_rate": 1.0}),
        ("qwen-tts-realtime", {"volume": 50}),
        ("qwen-tts-realtime", {"language_type": "German"}),
    ],
)
def test_values_a_model_does_not_take(service, model, session):
    """An unusable value is an error that names it, and the session stays as it was."""
    with service.talk(model) as talk:
        talk.hear()
        talk.update(**session)
        (told,) = errors([talk.hear()])
        assert told["code"] == "invalid_value"
        assert next(iter(session)) in told["message"]
        talk.update()
        assert talk.hear()["session"].keys() == {"id", "object", "model", "voice"}


def test_session_that_is_no_object(service):
    """An update needs an object."""
    with service.talk() as talk:
        talk.say("session.update", session=[])
        assert talk.until("error")[-1]["error"]["code"] == "invalid_value"


def test_update_comes_too_late(service):
    """After speech has begun, and after the end, an update is an error and the speech goes on."""
    with service.talk() as talk:
        talk.update(mode="commit")
        talk.append(ONE)
        talk.commit()
        talk.update(voice="Ethan")
        talk.finish()
        talk.update()
        events = talk.until("error", times=2)
        while "session.finished" not in service.kinds(events):
            events.append(talk.hear())
    for told in errors(events):
        assert told["code"] == "invalid_value"
        assert "already started or finished or failed" in told["message"]
    assert service.dones(events)[0]["status"] == "completed"


# --- the order of events -----------------------------------------------------


def test_commit(service):
    """In commit mode each commit is confirmed and becomes one response, with every event of it."""
    with service.talk() as talk:
        talk.update(mode="commit")
        talk.append("Hello ")
        talk.append("there.")
        talk.commit()
        first = talk.until("response.done")
        talk.append(TWO)
        talk.commit()
        second = talk.until("response.done")
        talk.finish()
        assert talk.hear().keys() == {"event_id", "type"}
    committed = ["input_text_buffer.committed", *RESPONSE]
    assert service.kinds(first) == ["session.created", "session.updated", *committed]
    assert service.kinds(second) == committed
    ids = [response["id"] for response in service.dones(first + second)]
    assert len(set(ids)) == 2


def test_append_alone_does_not_speak(service):
    """In commit mode nothing is spoken before a commit, however much is appended."""
    with service.talk() as talk:
        talk.update(mode="commit")
        talk.append("One. Two. Three. ")
        talk.until("session.updated")
        assert talk.is_quiet()


def test_server_commit(service):
    """By itself the service speaks each sentence once it is complete, without confirmations."""
    with service.talk() as talk:
        talk.update()
        talk.append("Hello there. How are")
        first = talk.until("response.done")
        talk.append(" you?")
        assert talk.is_quiet()
        talk.finish()
        rest = talk.until("session.finished")
    assert service.kinds(first) == ["session.created", "session.updated", *RESPONSE]
    assert service.kinds(rest) == [*RESPONSE, "session.finished"]
    assert b"".join(service.deltas(first)) == audio(service, ONE)
    assert b"".join(service.deltas(rest)) == audio(service, TWO)


def test_commit_forces(service):
    """A commit in server_commit speaks what there is, and the session stays in its mode."""
    with service.talk() as talk:
        talk.update()
        talk.append("Hello")
        talk.commit()
        first = talk.until("response.done")
        talk.append("One. Two.")
        second = talk.until("response.done")
        assert talk.is_quiet()
    assert service.kinds(first)[2:] == ["input_text_buffer.committed", *RESPONSE]
    assert service.kinds(second) == RESPONSE


def test_defaults_without_update(service):
    """A session that is never updated speaks with the defaults."""
    with service.talk() as talk:
        talk.append(ONE)
        talk.finish()
        events = talk.until("session.finished")
    assert service.kinds(events) == ["session.created", *RESPONSE, "session.finished"]
    assert b"".join(service.deltas(events)) == audio(service, ONE)


@pytest.mark.parametrize("step", [1, 2, 3, 1_000])
def test_grouping_does_not_depend_on_the_cuts(service, step):
    """However a text is cut into appends, it becomes the same responses."""
    text = '... It costs 3.14 euros... "Really?" she said. 「你好。」今天！\nEnd: '
    with service.talk() as talk:
        for start in range(0, len(text), step):
            talk.append(text[start : start + step])
        talk.finish()
        events = talk.until("session.finished")
    assert [done["usage"]["characters"] for done in service.dones(events)] == [26, 9, 9, 7, 5, 4]


def test_grouping_by_length(serve):
    """A text without ends of sentences is spoken in pieces, cut at a space."""
    service = serve(group_characters=12)
    with service.talk() as talk:
        talk.append("one two three four five")
        talk.finish()
        events = talk.until("session.finished")
    assert [done["usage"]["characters"] for done in service.dones(events)] == [7, 10, 4]


def test_open_responses(serve):
    """A response that stays open takes further sentences, and ends with the commit or the end."""
    service = serve(open_responses=True)
    with service.talk() as talk:
        talk.append("Hello there. How are you? ")
        talk.until("response.audio.delta")
        talk.append("Fine. ")
        talk.commit()
        first = talk.until("response.done")
        talk.append("Bye. ")
        talk.until("response.audio.delta")
        while not talk.is_quiet():
            pass
        talk.finish()
        second = talk.until("session.finished")
    assert service.kinds(first)[-4:] == CLOSING
    assert OPENING[0] not in service.kinds(first)
    assert service.dones(first)[0]["usage"] == {"characters": 12 + 12 + 5}
    assert service.kinds(second) == [*CLOSING, "session.finished"]


def test_contents_of_a_response(service):
    """The events of a response name it, its item and its voice."""
    events = speak(service, voice="Ethan")
    created, added, part_added, first = events[3:7]
    audio_done, part_done, item_done, done = events[-5:-1]
    response_id, item_id = created["response"]["id"], added["item"]["id"]
    assert created["response"] == {
        "id": response_id,
        "object": "realtime.response",
        "conversation_id": "",
        "status": "in_progress",
        "voice": "Ethan",
        "output": [],
    }
    assert added["item"] == {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    place = {
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
    }
    for event in (part_added, first, audio_done, part_done):
        assert place.items() <= event.items()
    part = {"type": "audio", "text": ""}
    assert part_added["part"] == part_done["part"] == part
    item = added["item"] | {"status": "completed", "content": [part]}
    assert (item_done["item"], item_done["response_id"]) == (item, response_id)
    assert done["response"] == {
        "id": response_id,
        "object": "realtime.response",
        "conversation_id": "",
        "status": "completed",
        "modalities": ["text", "audio"],
        "voice": "Ethan",
        "output": [item],
        "usage": {"characters": 12},
    }
    assert events[2]["item_id"] == ""


# --- how it ends -------------------------------------------------------------


def test_socket_stays_open(service):
    """After session.finished the client closes, and the journal says so."""
    with service.talk() as talk:
        talk.update()
        talk.finish()
        talk.until("session.finished")
        assert talk.is_quiet()
    assert service.emulator.wait_for_end() == "complete"
    assert service.emulator.requests()[0].close_code == 1000


def test_server_closes(serve):
    """The server closes after session.finished where that is set."""
    service = serve(after_finish="close")
    with service.talk() as talk:
        talk.finish()
        talk.until("session.finished")
        with pytest.raises(ConnectionClosed) as caught:
            talk.hear()
    assert caught.value.rcvd.code == 1000
    assert service.emulator.wait_for_end() == "complete"


def test_text_that_was_not_committed(serve):
    """Text that was not committed is dropped at the end, or spoken where that is set."""
    for uncommitted, expected in (("dropped", []), ("spoken", RESPONSE)):
        service = serve(uncommitted=uncommitted)
        with service.talk() as talk:
            talk.update(mode="commit")
            talk.append(ONE)
            talk.finish()
            events = talk.until("session.finished")
        assert service.kinds(events)[2:] == [*expected, "session.finished"]


@pytest.mark.parametrize("kind", ["append", "commit", "clear", "finish"])
def test_too_late(service, kind):
    """After the client has finished, all it sends is an error."""
    with service.talk() as talk:
        talk.finish()
        talk.until("session.finished")
        talk.append(ONE) if kind == "append" else getattr(talk, kind)()
        assert errors([talk.hear()])[0]["code"] == "invalid_value"


@pytest.mark.parametrize("code", [1000, 1011])
def test_idle_sessions_are_closed(serve, code):
    """A session in which nothing is said for long enough is closed by the server."""
    service = serve(idle_s=0.05, idle_code=code)
    with service.talk() as talk:
        talk.hear()
        with pytest.raises(ConnectionClosed) as caught:
            talk.hear()
    assert caught.value.rcvd.code == code
    assert service.emulator.wait_for_end() == "closed"
    assert service.emulator.requests()[0].close_code == code


def test_speaking_is_not_idle(serve):
    """A session that is being spoken in is not closed."""
    service = serve(idle_s=0.05, chunk_bytes=100_000)
    with service.talk(fault="ws-slow; seconds=0.15") as talk:
        talk.update(mode="commit")
        talk.append("Yes")
        talk.commit()
        assert service.dones(talk.until("response.done"))


# --- clear and cancel --------------------------------------------------------


def test_clear_drops_the_buffer(service):
    """Text that is cleared is never spoken."""
    with service.talk() as talk:
        talk.update(mode="commit")
        talk.append("Never mind.")
        talk.clear()
        talk.append(ONE)
        talk.commit()
        events = talk.until("response.done")
    assert service.kinds(events)[2] == "input_text_buffer.cleared"
    assert b"".join(service.deltas(events)) == audio(service)


@pytest.mark.parametrize(("clear", "responses"), [("unspoken", 1), ("buffer", 2)])
def test_clear_while_speaking(serve, clear, responses):
    """What is being spoken goes on; what waits for it is dropped, or not, as is set."""
    service = serve(clear=clear)
    service.emulator.fault("ws-slow", seconds=0.02)
    with service.talk() as talk:
        talk.append("Hello there. How are you? Fine")
        talk.until("response.audio.delta")
        talk.clear()
        talk.finish()
        events = talk.until("session.finished")
    assert "input_text_buffer.cleared" in service.kinds(events)
    assert len(service.dones(events)) == responses
    assert service.dones(events)[0]["usage"] == {"characters": 12}


def test_cancel(service):
    """A cancelled response ends at once as incomplete, and the session goes on."""
    service.emulator.fault("ws-slow", seconds=0, after=2)
    with service.talk() as talk:
        talk.update(mode="commit")
        talk.append("Hello there, this is a long one.")
        talk.commit()
        begun = talk.until("response.audio.delta", times=2)
        talk.cancel()
        rest = talk.until("response.done")
        talk.finish()
        talk.until("session.finished")
    assert service.kinds(rest) == CLOSING
    assert service.dones(rest)[0]["status"] == "incomplete"
    assert rest[2]["item"]["status"] == "incomplete"
    assert len(service.deltas(begun)) == 2


def test_cancel_at_full_speed(service):
    """At full speed too the client is heard between two deltas."""
    # Small enough to be sent in one go, and so many that an answer can come in between.
    with service.talk(fault="ws-torn; size=20") as talk:
        talk.update(mode="commit")
        talk.append(ONE)
        talk.commit()
        talk.until("response.audio.delta")
        talk.cancel()
        assert service.dones(talk.until("response.done"))[0]["status"] == "incomplete"


def test_cancel_of_an_open_response(serve):
    """A response that waits for more text can be cancelled as well."""
    service = serve(open_responses=True)
    with service.talk() as talk:
        talk.append("Yes. ")
        talk.until("response.audio.delta")
        while not talk.is_quiet():
            pass
        talk.cancel()
        events = talk.until("response.done")
    assert service.dones(events)[0]["status"] == "incomplete"


def test_cancel_of_nothing(service):
    """Where nothing is being spoken, a cancel changes nothing."""
    with service.talk() as talk:
        talk.update(mode="commit")
        talk.cancel()
        talk.append(ONE)
        talk.commit()
        events = talk.until("response.done")
    assert service.kinds(events)[2:] == ["input_text_buffer.committed", *RESPONSE]


def test_cancel_is_unknown(serve):
    """Where that is set, a cancel is an error like any unknown event."""
    with serve(cancel="error").talk() as talk:
        talk.cancel()
        assert talk.until("error")[-1]["error"] == {
            "code": "invalid_value",
            "message": "There is no event 'response.cancel'.",
        }


# --- mistakes of a client ----------------------------------------------------


@pytest.mark.parametrize("mode", ["commit", "server_commit"])
@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_commit(service, mode, text):
    """A commit of nothing is an error, and the session goes on."""
    with service.talk() as talk:
        talk.update(mode=mode)
        talk.append(text)
        talk.commit()
        assert "empty" in talk.until("error")[-1]["error"]["message"]
        talk.append(ONE)
        talk.commit()
        assert service.dones(talk.until("response.done"))[0]["status"] == "completed"


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        b"{}",
        '{"event_id": "a"}',
        '{"type": "input_text_buffer.clear"}',
        '{"type": "input_text_buffer.clear", "event_id": 1}',
        '{"type": "input_text_buffer.clear", "event_id": "taken"}',
        '{"type": "input_text_buffer.append", "event_id": "a"}',
        '{"type": "input_text_buffer.append", "event_id": "a", "text": null}',
        '{"type": "weather.update", "event_id": "a"}',
    ],
)
def test_unreadable_messages(service, said):
    """What is no event with a type, a new id and its fields is an error, and changes nothing."""
    with service.talk() as talk:
        talk.say("input_text_buffer.clear", event_id="taken")
        talk.until("input_text_buffer.cleared")
        talk.socket.send(said)
        assert errors([talk.hear()])[0]["code"] == "invalid_value"


@pytest.mark.parametrize(
    ("model", "session"),
    [
        ("qwen3-tts-vc-realtime-2026-01-15", {}),
        ("qwen3-tts-vc-realtime-2026-01-15", {"voice": "qwen-tts-vd-a-voice-1-0000"}),
        ("qwen3-tts-vd-realtime-2026-01-15", {"voice": "Cherry"}),
        ("qwen3-tts-flash-realtime", {"voice": "cherry"}),
        ("qwen3-tts-instruct-flash-realtime", {"voice": "Dylan"}),
        ("qwen-tts-realtime", {"voice": "Dylan"}),
    ],
)
def test_voices_of_other_models(service, model, session):
    """A voice that is none of the model's, the default too, is refused by the engine."""
    with service.talk(model) as talk:
        if session:
            talk.say("session.update", session=session)
        talk.append(ONE)
        talk.commit()
        talk.finish()
        events = talk.until("error")
        assert errors(events) == [
            {"code": "CLIENT_ERROR", "message": "[qwen-tts:]Engine return error code: 411"}
        ]
        assert talk.is_quiet()
        # Whatever comes now is not answered.
        talk.finish()
        assert talk.is_quiet()


@pytest.mark.parametrize(
    "model", ["qwen3-tts-vc-realtime-2026-01-15", "qwen3-tts-vd-realtime-2025-12-16"]
)
def test_custom_voices(service, model):
    """Cloned and designed voices speak on the models they are made for."""
    voice = service.emulator.make_voice(model, "sk-test")
    assert service.dones(speak(service, model=model, voice=voice))[0]["voice"] == voice


def test_nothing_to_say(serve):
    """A commit of signs alone ends the session with an error; the server may close then."""
    service = serve(after_error="close")
    with service.talk() as talk:
        talk.append("?!")
        talk.commit()
        assert talk.until("error")[-1]["error"]["code"] == "InvalidParameter"
        with pytest.raises(ConnectionClosed) as caught:
            talk.hear()
    assert (caught.value.rcvd.code, service.emulator.wait_for_end()) == (1011, "closed")


# --- audio -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["commit", "server_commit"])
def test_audio_is_that_of_http(service, mode):
    """A committed text sounds as it does over HTTP."""
    text = "Hello there, 今天天气怎么样？"
    expected = service.pcm(text=text, language_type="Chinese")
    with service.talk() as talk:
        talk.update(mode=mode, language_type="Chinese")
        talk.append(text)
        talk.commit()
        talk.finish()
        events = talk.until("session.finished")
    assert b"".join(service.deltas(events)) == expected
    assert {len(piece) for piece in service.deltas(events)[:-1]} == {4_800}


def length_s(data):
    """Return how long an audio file is, read to its end."""
    import io

    import soundfile

    if data.startswith(b"RIFF"):
        # The length that a stream's header tells is not known.
        return (len(data) - 44) / 48_000
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return len(file.read()) / file.samplerate


@pytest.mark.parametrize(
    ("response_format", "magic"),
    [("wav", b"RIFF"), ("mp3", b"\xff"), ("opus", b"OggS")],
)
def test_formats(service, response_format, magic):
    """Each format comes as one file in pieces, as long as the samples."""
    seconds = len(audio(service)) / 48_000
    data = audio(service, response_format=response_format, bit_rate=64)
    assert data.startswith(magic)
    assert length_s(data) == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
def test_sample_rates(service, sample_rate):
    """At each rate there are as many samples as it takes."""
    seconds = len(audio(service)) / 48_000
    data = audio(service, sample_rate=sample_rate)
    assert len(data) / 2 / sample_rate == pytest.approx(seconds, abs=0.01)


def loudness(pcm):
    return max(abs(sample) for sample in memoryview(pcm).cast("h"))


def test_prosody(service):
    """Rate, pitch and volume change how it sounds, each in its direction."""
    plain = audio(service)
    assert len(audio(service, speech_rate=1.5)) < 0.8 * len(plain)
    assert len(audio(service, speech_rate=0.7)) > 1.2 * len(plain)
    assert audio(service, pitch_rate=1.3) not in {plain, audio(service, pitch_rate=0.8)}
    assert loudness(audio(service, volume=80)) > 1.3 * loudness(plain)
    assert loudness(audio(service, volume=20)) < 0.6 * loudness(plain)
    assert loudness(audio(service, volume=0)) < 0.05 * loudness(plain)
    assert audio(service, speech_rate=1, pitch_rate=1.0, volume=50) == plain


def test_instructions(service):
    """A model with instructions heeds them."""
    model = "qwen3-tts-instruct-flash-realtime"
    plain = audio(service, model=model)
    assert len(audio(service, model=model, instructions="Fast, please.")) < len(plain)


def test_wav_of_an_open_response_has_one_header(serve):
    """Further sentences of an open response come without a header of their own."""
    service = serve(open_responses=True)
    with service.talk() as talk:
        talk.update(response_format="wav")
        talk.append("Yes. No. ")
        talk.finish()
        events = talk.until("session.finished")
    assert b"".join(service.deltas(events)).count(b"RIFF") == 1


def test_real_pace(serve):
    """At a real pace audio comes as fast as it plays."""
    import time

    service = serve(pace="real")
    events = []
    with service.talk() as talk:
        talk.append("Yes")
        talk.commit()
        talk.until("response.audio.delta")
        started = time.monotonic()
        events = talk.until("response.done")
    expected = 0.1 * len(service.deltas(events))
    assert expected <= time.monotonic() - started + 0.02
    assert expected > 0.1


# --- usage -------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["documented", "observed"])
def test_usage(serve, shape):
    """Usage is told in characters, with tokens beside them in the shape that was observed."""
    service = serve(shape=shape)
    events = speak(service, "Hi 你好")
    seconds = sum(map(len, service.deltas(events))) / 48_000
    usage = service.dones(events)[0]["usage"]
    item = events[-3]["item"]
    assert usage["characters"] == 7
    if shape == "documented":
        assert usage.keys() == {"characters"}
        assert item["content"] == [{"type": "audio", "text": ""}]
    else:
        assert usage["output_tokens"] == max(50, -(-50 * seconds // 1))
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert item["output"] == {"usage": usage}
        assert "content" not in item


def test_usage_in_tokens(service):
    """The oldest model is billed by tokens."""
    usage = service.dones(speak(service, model="qwen-tts-realtime"))[0]["usage"]
    assert usage == {
        "total_tokens": 59,
        "input_tokens": 3,
        "output_tokens": 56,
        "input_tokens_details": {"text_tokens": 3},
        "output_tokens_details": {"text_tokens": 0, "audio_tokens": 56},
    }


# --- the journal -------------------------------------------------------------


def test_journal(service):
    """The handshake is noted with its key masked, and what the client said in order."""
    with service.talk(key="sk-canary-7f3c") as talk:
        talk.update()
        talk.append("Hi 你好")
        talk.socket.send("no JSON")
        talk.socket.send(b"123")
        talk.until("error", times=2)
    service.emulator.wait_for_end()
    (received,) = service.emulator.requests()
    assert (received.method, received.path) == ("GET", "/api-ws/v1/realtime")
    assert received.query == {"model": "qwen3-tts-flash-realtime"}
    assert received.header("authorization") == "Bearer ***"
    assert (received.status, received.body, received.fault) == (101, None, "")
    assert received.messages[1:] == [
        {"event_id": "event_2", "type": "input_text_buffer.append", "text": "Hi 你好"},
        "no JSON",
        {"binary": 3},
    ]
    shown = service.http.get(f"{service.root}/_emulator/requests").json()["requests"]
    assert shown[0]["messages"] == received.messages
    assert "sk-canary" not in str(shown)


@pytest.mark.parametrize("is_polite", [True, False])
def test_client_that_leaves(service, is_polite):
    """A client that leaves in the middle is noted, with its code or without a close."""
    import socket

    with service.talk(fault="ws-slow; seconds=0.01") as talk:
        talk.append(ONE)
        talk.commit()
        talk.until("response.audio.delta")
        if is_polite:
            talk.socket.close(3000)
        else:
            talk.socket.socket.shutdown(socket.SHUT_RDWR)
    assert service.emulator.wait_for_end() == "left"
    assert service.emulator.requests()[0].close_code == (3000 if is_polite else 1006)


def test_two_sessions_at_once(service):
    """Sessions beside each other do not mix."""
    with service.talk() as one, service.talk() as two:
        for talk, text in ((one, ONE), (two, TWO)):
            talk.update(mode="commit")
            talk.append(text)
            talk.commit()
        spoken = [
            b"".join(
                base64.b64decode(event["delta"])
                for event in talk.until("response.done")
                if event["type"] == "response.audio.delta"
            )
            for talk in (two, one)
        ]
    assert spoken == [audio(service, TWO), audio(service, ONE)]
