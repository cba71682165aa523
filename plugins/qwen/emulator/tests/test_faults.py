import json
import struct

import httpx2
import pytest

from vivavoce_qwen_emulator.faults import FAULTS, BadFault, describe_faults, parse_fault

CANARY = "sk-canary-7f3c"


def faulty(service, fault, **given):
    """Ask for speech that goes wrong in the way a header says."""
    headers = {"x-emulator-fault": fault} | given.pop("headers", {})
    return service.ask(headers=headers, **given)


def faulty_wav(service, fault):
    return service.http.get(faulty(service, fault).json()["output"]["audio"]["url"])


def all_audio(service, events):
    return b"".join(service.audio_in(event["data"]) for event in events)


def test_a_header_says_what_goes_wrong():
    """A header names a fault and its parameters; a value may stand in quotes."""
    fault = parse_fault('status; status=418; message="a; b"; retry-after=3')
    assert (fault.status, fault.message, fault.retry_after) == (418, "a; b", "3")
    assert parse_fault("cut").at == 0
    assert parse_fault("cut;at=7 ; reset=yes").reset is True


@pytest.mark.parametrize("header", ["", "cut at=3", "cut; at", "cut; at=1; =2", 'cut; at="1'])
def test_unreadable_headers(header):
    """A header that cannot be read is refused."""
    with pytest.raises(BadFault):
        parse_fault(header)


def test_unknown_fault_in_a_header(service):
    """A fault there is not is answered with those there are."""
    reply = faulty(service, "cutt")
    assert (reply.status_code, reply.json()["code"]) == (400, "BadFault")
    assert "'cut'" in reply.json()["message"]


def test_fault_of_streams_alone(service):
    """A fault of streams is refused where no stream is asked for, rather than ignored."""
    assert faulty(service, "no-stop").json()["code"] == "BadFault"


def test_every_fault_is_described():
    """Each fault has a meaning in one sentence, and each of its parameters has one."""
    for name, meaning, params in describe_faults():
        assert meaning.endswith("."), name
        assert "\n" not in meaning, name
        assert all(": " in line for line in params.splitlines()), name


def test_no_fault_depends_on_the_text(service):
    """Text that looks like a fault is spoken."""
    assert service.ask(text="cut; at=10").status_code == 200


# --- other answers -----------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_status(service, stream):
    """Any status, code and message can be answered."""
    fault = "status; status=400; code=DataInspectionFailed; message=No."
    reply = faulty(service, fault, stream=stream)
    assert reply.status_code == 400
    body = reply.json()
    assert (body["code"], body["message"]) == ("DataInspectionFailed", "No.")
    assert "retry-after" not in reply.headers


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ("flat", {"request_id", "code", "message"}),
        ("nested", {"error"}),
        ("msg", {"request_id", "code", "msg"}),
        ("json", {"request_id", "code", "message"}),
    ],
)
def test_shapes_of_an_error(service, shape, keys):
    """An error is told in each of the ways that were seen."""
    body = faulty(service, f"status; code=Arrearage; shape={shape}").json()
    assert body.keys() == keys
    if shape == "json":
        assert json.loads(body["message"])["code"] == "Arrearage"


def test_code_in_success(service):
    """A code can come with status 200."""
    reply = faulty(service, "status; status=200; code=VoiceNotFound")
    assert (reply.status_code, reply.json()["code"]) == (200, "VoiceNotFound")


def test_throttled(service):
    """Too many requests are answered with a time to wait, or without one."""
    reply = faulty(service, "throttled; retry_after=2")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "2")
    assert reply.json()["code"] == "Throttling.RateQuota"
    assert "retry-after" not in faulty(service, "throttled").headers


@pytest.mark.parametrize("status", [200, 403])
def test_empty_object(service, status):
    """The body can be an empty object, whatever the status."""
    reply = faulty(service, f"empty-object; status={status}")
    assert (reply.status_code, reply.text) == (status, "{}")


def test_echo_key(service):
    """The key can come back in the error's message."""
    reply = faulty(service, "echo-key", headers={"authorization": f"Bearer {CANARY}"})
    assert reply.status_code == 401
    assert CANARY in reply.json()["message"]


def test_html(service):
    """A proxy's page can come in place of an answer."""
    reply = faulty(service, "html; status=200")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html")


def test_events_in_an_error(service):
    """An error's body can be framed as an event."""
    reply = faulty(service, "events-in-error; status=403; code=AccessDenied", stream=True)
    assert reply.status_code == 403
    assert reply.headers["content-type"].startswith("text/event-stream")
    (event,) = service.read_events(reply.text)
    assert (event["name"], event["status"]) == ("error", 403)
    assert event["data"]["code"] == "AccessDenied"


# --- other audio -------------------------------------------------------------


def test_no_audio(service):
    """An answer can end as if all were well, without audio."""
    (only,) = service.read_events(faulty(service, "no-audio", stream=True).text)
    assert only["data"]["output"]["finish_reason"] == "stop"
    assert only["data"]["output"]["audio"]["data"] == ""
    assert len(faulty_wav(service, "no-audio").content) == 44


def test_silence(service):
    """Silence is zeros, as long as the speech."""
    events = service.read_events(faulty(service, "silence", stream=True).text)
    assert all_audio(service, events) == bytes(len(service.pcm()))
    assert set(faulty_wav(service, "silence").content[44:]) == {0}


@pytest.mark.parametrize("stream", [False, True])
def test_no_url(service, stream):
    """The address can be missing."""
    reply = faulty(service, "no-url", stream=stream)
    body = service.read_events(reply.text)[-1]["data"] if stream else reply.json()
    assert body["output"]["finish_reason"] == "stop"
    assert "url" not in body["output"]["audio"]


def test_foreign_url(service):
    """The address can be on another host."""
    url = faulty(service, "foreign-url; host=evil.test:81").json()["output"]["audio"]["url"]
    assert url.startswith("http://evil.test:81/results/")


# --- the way the answer is sent ----------------------------------------------


def read_some(service, fault, *, stream):
    """Return what came before the connection ended, and how it ended."""
    headers = {"authorization": "Bearer sk-x", "x-emulator-fault": fault}
    if stream:
        headers["x-dashscope-sse"] = "enable"
    body = {"model": "qwen3-tts-flash", "input": {"text": "Hello there.", "voice": "Cherry"}}
    got = b""
    try:
        with service.http.stream("POST", service.synthesis, json=body, headers=headers) as reply:
            for piece in reply.iter_raw():
                got += piece
    except httpx2.TransportError as error:
        return got, type(error)
    return got, None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("at", [0, 1, 100])
def test_cut(service, at, stream):
    """The connection ends after so many bytes, and the client sees that more was to come."""
    got, error = read_some(service, f"cut; at={at}", stream=stream)
    assert len(got) == at
    assert error is httpx2.RemoteProtocolError
    assert service.emulator.wait_for_end() == "cut"


def test_cut_at_the_very_end(service):
    """A stream that is cut after all of its events has not ended properly."""
    got, error = read_some(service, "cut; at=1000000", stream=True)
    assert got.endswith(b"\n\n")
    assert b'"finish_reason":"stop"' in got
    assert error is httpx2.RemoteProtocolError


def test_reset(service):
    """The connection can be reset rather than closed."""
    _, error = read_some(service, "cut; at=0; reset=1", stream=True)
    assert error is httpx2.ReadError


@pytest.mark.parametrize("headers", ["0", "1"])
def test_slow_start(service, headers):
    """A slow answer is the same answer."""
    fault = f"slow-start; seconds=0.01; headers={headers}"
    assert faulty(service, fault).json()["usage"] == {"characters": 12}


def test_slow_start_outlasts_patience(service):
    """The first byte can be later than a client waits."""
    for headers in "01":
        with pytest.raises(httpx2.ReadTimeout):
            service.http.post(
                service.synthesis,
                json={"model": "qwen3-tts-flash", "input": {"text": "Hi", "voice": "Cherry"}},
                headers={
                    "authorization": "Bearer sk-x",
                    "x-emulator-fault": f"slow-start; seconds=60; headers={headers}",
                },
                timeout=0.2,
            )
        assert service.emulator.wait_for_end() == "left"


@pytest.mark.parametrize("stream", [False, True])
def test_torn(service, stream):
    """The body can come in small pieces; together they are the same."""
    reply = faulty(service, "torn; size=501", stream=stream)
    if stream:
        audio = all_audio(service, service.read_events(reply.text))
        assert audio == service.pcm()
    else:
        assert reply.json()["output"]["finish_reason"] == "stop"


# --- streams -----------------------------------------------------------------


@pytest.mark.parametrize(("after", "marked"), [(0, "1"), (2, "1"), (2, "0")])
def test_error_event(service, after, marked):
    """A stream can break off with an error, which may go without the name of one."""
    fault = f"error-event; after={after}; status=429; code=Throttling; marked={marked}"
    *before, error = service.read_events(faulty(service, fault, stream=True).text)
    assert len(before) == after
    assert all(service.audio_in(event["data"]) for event in before)
    assert (error["number"], error["status"]) == (after + 1, 429)
    assert error["name"] == ("error" if marked == "1" else "result")
    assert error["data"]["code"] == "Throttling"
    assert error["data"]["request_id"]


def test_stall_for_a_while(service):
    """A stream that stalls goes on with what is missing."""
    reply = faulty(service, "stall; after=2; seconds=0.01", stream=True)
    audio = all_audio(service, service.read_events(reply.text))
    assert audio == service.pcm()


def test_bad_json(service):
    """The JSON of one event can be broken."""
    reply = faulty(service, "bad-json; event=2", stream=True)
    data = [line[5:] for line in reply.text.splitlines() if line.startswith("data:")]
    assert json.loads(data[0])
    with pytest.raises(json.JSONDecodeError):
        json.loads(data[1])
    assert json.loads(data[2])


def test_bad_base64(service):
    """The audio of one event can be no base64."""
    first, second, *_ = service.read_events(
        faulty(service, "bad-base64; event=2", stream=True).text
    )
    assert service.audio_in(first["data"])
    with pytest.raises(ValueError, match="base64"):
        service.audio_in(second["data"])


def test_no_stop(service):
    """A stream can end properly without having said so."""
    events = service.read_events(faulty(service, "no-stop", stream=True).text)
    assert {event["data"]["output"]["finish_reason"] for event in events} == {"null"}
    assert all_audio(service, events) == service.pcm()


def test_audio_in_the_last_event(service):
    """The last event can have the end of the audio."""
    events = service.read_events(faulty(service, "audio-in-stop", stream=True).text)
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["data"]["output"]["finish_reason"] == "stop"
    assert service.audio_in(events[-1]["data"])
    assert all_audio(service, events) == service.pcm()


def test_wav_in_a_stream(service):
    """A stream can begin with the header of a WAV."""
    events = service.read_events(faulty(service, "wav-in-stream", stream=True).text)
    audio = all_audio(service, events)
    assert (audio[:4], audio[8:12], audio[36:40]) == (b"RIFF", b"WAVE", b"data")
    assert audio[44:] == service.pcm()


@pytest.mark.parametrize(
    ("flag", "is_seen"),
    [
        ("crlf", lambda raw: raw.count(b"\r\n") == raw.count(b"\n")),
        ("bom", lambda raw: raw.startswith(b"\xef\xbb\xbfid:1")),
        ("comments", lambda raw: b"\n: still here\nid:2\n" in raw),
        ("spaces", lambda raw: b"event: result\n" in raw and b"data: {" in raw),
        ("split", lambda raw: raw.count(b"\ndata:") > 50),
        ("bare", lambda raw: raw.startswith(b"event:result\ndata:{")),
    ],
)
def test_framing(service, flag, is_seen):
    """Events can be written in other ways that are allowed, and say the same."""
    raw = faulty(service, f"framing; {flag}=1", stream=True).content
    assert is_seen(raw)
    assert not is_seen(service.ask(stream=True).content)
    audio = b""
    for block in raw.decode("utf-8-sig").replace("\r\n", "\n").strip().split("\n\n"):
        lines = [line[5:] for line in block.split("\n") if line.startswith("data:")]
        audio += service.audio_in(json.loads("\n".join(lines)))
    assert audio == service.pcm()


# --- downloads ---------------------------------------------------------------


def test_wav_status(service):
    """The finished audio can be refused."""
    reply = faulty_wav(service, "wav-status; status=503; code=SlowDown")
    assert reply.status_code == 503
    assert "<Code>SlowDown</Code>" in reply.text


def test_a_download_that_fails_a_few_times(service):
    """With a number of readings the finished audio is refused so often, and handed out then."""
    reply = faulty(service, "wav-status; status=503; reads=2")
    url = reply.json()["output"]["audio"]["url"]
    assert [service.http.get(url).status_code for _ in range(4)] == [503, 503, 200, 200]


def test_wav_html(service):
    """A page can come in place of the finished audio."""
    assert faulty_wav(service, "wav-html").headers["content-type"] == "text/html"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_wav_sizes(service, size):
    """Both sizes in the WAV's header can be wrong; the audio is whole."""
    wav = faulty_wav(service, f"wav-sizes; size={size}").content
    assert struct.unpack_from("<I", wav, 4) == struct.unpack_from("<I", wav, 40) == (size,)
    assert wav[44:] == service.pcm()


def test_wav_cut(service):
    """The WAV can end too soon, with or without the client being told."""
    assert faulty_wav(service, "wav-cut; at=99; clean=1").content == service.wav().content[:99]
    with pytest.raises(httpx2.RemoteProtocolError):
        faulty_wav(service, "wav-cut; at=99")


def test_wav_stall(service):
    """The WAV can stall, and goes on with what is missing."""
    assert faulty_wav(service, "wav-stall; at=9; seconds=0.01").content == service.wav().content


def test_wav_redirect(service):
    """The WAV can be elsewhere: at the same host, where it is, or at another."""
    reply = faulty_wav(service, "wav-redirect; status=307")
    assert reply.status_code == 307
    assert reply.headers["location"].startswith("/moved/results/")
    moved = service.http.get(service.root + reply.headers["location"])
    assert moved.content == service.wav().content
    foreign = faulty_wav(service, "wav-redirect; host=evil.test")
    assert foreign.headers["location"].startswith("http://evil.test/moved/results/")


@pytest.mark.parametrize("declared", [True, False])
def test_wav_oversized(service, declared):
    """The WAV can be longer than anybody wants, which may be declared."""
    reply = faulty(service, f"wav-oversized; size=200000; declared={declared}")
    wav = service.http.get(reply.json()["output"]["audio"]["url"])
    assert len(wav.content) == 200_044
    assert ("content-length" in wav.headers) == declared


def test_faults_of_downloads_leave_streams_alone(service):
    """What goes wrong with the finished audio does not go wrong with a stream."""
    events = service.read_events(faulty(service, "wav-status", stream=True).text)
    assert all_audio(service, events) == service.pcm()
    url = events[-1]["data"]["output"]["audio"]["url"]
    assert service.http.get(url).status_code == 404


def test_every_fault_is_tested():
    """Each fault is named in this file, or in those of sessions' and voices' faults."""
    from pathlib import Path

    here = Path(__file__)
    names = ("test_realtime_faults.py", "test_customization_faults.py")
    files = (here, *map(here.with_name, names))
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    assert [name for name in FAULTS if name not in text] == []
