import pytest

CANARY = "sk-canary-7f3c"


def received(service):
    return service.http.get(f"{service.root}/_emulator/requests").json()["requests"]


def arm(service, **body):
    return service.http.post(f"{service.root}/_emulator/faults", json=body)


def test_health(service):
    """A test can ask whether the emulator is there, and for which region."""
    body = service.http.get(f"{service.root}/_emulator/health").json()
    assert body == {"status": "ok", "region": "cn-beijing"}


def test_what_was_received(service):
    """Method, path, headers and parsed body of each request can be read, in order."""
    service.ask(headers={"X-Mark": "yes"}, text="One.")
    service.ask(body=b"not JSON")
    first, second = received(service)
    assert (first["method"], first["status"], first["ended"]) == ("POST", 200, "complete")
    assert first["path"] == "/api/v1/services/aigc/multimodal-generation/generation"
    assert ["x-mark", "yes"] in first["headers"]
    assert first["body"]["input"]["text"] == "One."
    assert (second["body"], second["status"]) == ("not JSON", 400)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [(f"Bearer {CANARY}", "Bearer ***"), (f"bearer {CANARY}", "Bearer ***"), (CANARY, "***")],
)
def test_keys_are_masked(service, sent, shown):
    """A key is never shown, only whether it came in the right form; nor is a signature."""
    service.ask(headers={"authorization": sent, "x-api-key": CANARY})
    service.http.get(f"{service.root}/results/a.wav?Signature={CANARY}")
    assert ["authorization", shown] in received(service)[0]["headers"]
    assert CANARY not in str(received(service))
    assert CANARY not in str(service.emulator.requests())


def test_downloads_are_received_too(service):
    """Reading finished audio is noted, so a test sees which headers came with it."""
    service.wav()
    download = service.emulator.requests()[1]
    assert download.method == "GET"
    assert download.query["Signature"] == "***"
    assert download.header("authorization") is None
    assert download.header("Host") is not None


def test_forgetting(service):
    """What was received can be forgotten."""
    service.ask()
    assert service.http.delete(f"{service.root}/_emulator/requests").status_code == 204
    assert received(service) == []


def test_half_a_character_is_shown(service):
    """Even a text that is no Unicode can be read back."""
    service.ask(text="\ud800")
    assert received(service)[0]["body"]["input"]["text"] == "\ud800"


def test_armed_faults(service):
    """An armed fault is done to the next requests it fits, as often as said, then no more."""
    armed = arm(service, fault="status", params={"status": 503}, times=2, model="qwen-tts")
    assert armed.status_code == 201
    assert armed.json()["waiting"][0]["times"] == 2
    statuses = [
        service.ask(model=model).status_code
        for model in ("qwen-tts", "qwen3-tts-flash", "qwen-tts", "qwen-tts")
    ]
    assert statuses == [503, 200, 503, 200]
    assert [entry["fault"] for entry in received(service)] == ["status", "", "status", ""]


def test_armed_for_streams(service):
    """A fault can wait for streams alone; one of streams does so by itself."""
    arm(service, fault="html", stream=True)
    arm(service, fault="no-stop")
    assert service.ask().status_code == 200
    assert service.ask(stream=True).status_code == 502
    assert service.ask().status_code == 200
    assert service.stream()[-1]["output"]["finish_reason"] == "null"


def test_disarming(service):
    """What is armed can be disarmed."""
    arm(service, fault="html")
    service.http.delete(f"{service.root}/_emulator/faults")
    assert service.ask().status_code == 200


def test_listing_faults(service):
    """The known faults are listed with their meaning and parameters."""
    known = service.http.get(f"{service.root}/_emulator/faults").json()["known"]
    (cut,) = [entry for entry in known if entry["fault"] == "cut"]
    assert cut["meaning"].endswith(".")
    assert cut["params"][0].startswith("at=0: ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "There is no fault ''"),
        ({"fault": "cutt"}, "Did you mean 'cut'?"),
        ({"fault": "cut", "params": {"after": 1}}, "It takes: at, reset."),
        ({"fault": "cut", "params": {"at": "x"}}, "a whole number from 0"),
        ({"fault": "cut", "params": {"at": -1}}, "a whole number from 0"),
        ({"fault": "cut", "params": {"at": True}}, "a whole number from 0"),
        ({"fault": "cut", "params": {"reset": "perhaps"}}, "true or false"),
        ({"fault": "status", "params": {"status": 99}}, "from 200 to 599"),
        ({"fault": "status", "params": {"shape": "odd"}}, "flat, nested, msg, json"),
        ({"fault": "cut", "params": [1]}, "an object"),
        ({"fault": "cut", "times": 0}, "a whole number from 1"),
        ({"fault": "cut", "stream": "yes"}, "true, false or null"),
        ({"fault": "cut", "at": 1}, "'at' means nothing here"),
    ],
)
def test_refused_faults(service, body, words):
    """What cannot be armed is refused with what could be."""
    reply = arm(service, **body)
    assert reply.status_code == 400
    assert words in reply.json()["error"]
    assert service.ask().status_code == 200


def test_faults_that_are_no_object(service):
    """A body that is no object is refused with an example."""
    reply = service.http.post(f"{service.root}/_emulator/faults", content=b"[")
    assert '{"fault": "cut"' in reply.json()["error"]


def test_how_an_answer_ended(service):
    """A client that leaves in the middle is noted."""
    service.emulator.fault("stall", after=1)
    with service.http.stream(
        "POST",
        service.synthesis,
        json={"model": "qwen3-tts-flash", "input": {"text": "Hello.", "voice": "Cherry"}},
        headers={"authorization": "Bearer sk-x", "x-dashscope-sse": "enable"},
    ) as reply:
        pieces = reply.iter_bytes()
        assert next(pieces)
        with pytest.raises(TimeoutError):
            service.emulator.wait_for_end(timeout_s=0)
    assert service.emulator.wait_for_end() == "left"
