"""The plugin through the client, against the emulator: both faces, real connections."""

import asyncio
import gc
import logging
import threading
import time

import pytest

from vivavoce import (
    AsyncClient,
    CapabilityError,
    ConnectionLost,
    CredentialError,
    InvalidValue,
    NoAudio,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    Retry,
    Settings,
    TextTooLong,
    TimedOut,
    Timeouts,
    TruncatedAudio,
    UnexpectedReply,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    VivavoceError,
    Voice,
)
from vivavoce_qwen_emulator.testing import running_emulator

TEXT = "Hello there. How are you today?"
VC = "qwen3-tts-vc-2026-01-22"
VD = "qwen3-tts-vd-2026-01-26"
CLONED = "qwen-tts-vc-guanyu-voice-20260101120000000-0a1b"
DESIGNED = "qwen-tts-vd-teller-voice-20260101120000000-0a1b"


@pytest.fixture(params=["sync", "async"])
def speak(request, emulator, key, client):
    """Speak in either face; return the audio, or raise."""

    def speak(model="qwen3-tts-flash:Cherry", text=TEXT, wishes=None, **values):
        wishes = wishes or {}
        if request.param == "sync":
            return client(model, **values).synthesize(text, **wishes)

        async def run():
            given = {
                "api_key": key,
                "base_url": emulator.base_url,
                "settings": Settings(),
                "retry": Retry(attempts=1),
                **values,
            }
            async with AsyncClient(f"qwen/{model}", **given) as one:
                return await one.synthesize(text, **wishes)

        return asyncio.run(run())

    return speak


WAYS = [{"transport": "http-sse"}, {"transport": "http"}]


@pytest.mark.parametrize("options", WAYS, ids=["events", "plain"])
def test_speech(speak, options):
    """A text is spoken, and the report tells usage, cost, ids and where the audio can be had."""
    audio = speak(wishes={"options": options, "language": "en"})
    report = audio.report
    assert 1.0 < audio.duration_s < 5.0
    assert report.usage == {"characters": float(len(TEXT))}
    assert (f"{report.cost:.6f}", report.currency) == ("0.002480", "CNY")
    assert len(report.request_ids) == 1
    (url,) = report.facts["audio_url"]
    assert url.reveal().startswith("http://127.0.0.1:")
    assert int(report.facts["audio_expires_at"][0]) > time.time() + 80_000
    assert "Signature" not in repr(report)


def test_long_text(speak, emulator):
    """A text above the limit is spoken in requests well below it; usage is summed over them."""
    text = "The quick brown fox jumps over the lazy dog. " * 30
    report = speak(text=text).report
    sent = [received.body["input"]["text"] for received in emulator.requests()]
    assert "".join(sent) == text
    assert max(map(len, sent)) <= 600
    assert report.segments == len(sent) == len(report.facts["audio_url"]) >= 3
    assert report.usage == {"characters": float(len(text))}


def test_the_limit_is_settable(speak, emulator):
    """Requests are held to the length the caller sets."""
    speak(text=TEXT * 4, wishes={"segment_chars": 50})
    assert max(len(received.body["input"]["text"]) for received in emulator.requests()) <= 50


def test_instructions_and_custom_voices(speak, emulator, key):
    """Instructions go to a model that takes them, a voice of one's own to the model of its kind."""
    wishes = {"instructions": "Fast.", "options": {"optimize_instructions": True}}
    speak("qwen3-tts-instruct-flash:Cherry", wishes=wishes)
    assert emulator.requests()[-1].body["input"]["instructions"] == "Fast."
    for model in (VC, VD):
        voice = emulator.make_voice(model, key)
        speak(model, wishes={"voice": voice})
        assert emulator.requests()[-1].body["input"]["voice"] == voice


@pytest.mark.parametrize(
    ("tag", "voices"),
    [("yue", {"Rocky", "Kiki"}), ("wuu", {"Jada"}), ("zh-CN-sichuan", {"Sunny", "Eric"})],
)
def test_a_variety_chooses_its_voice(speak, emulator, tag, voices):
    """A Chinese variety is spoken by a voice of it, and named Chinese to the service."""
    speak("qwen3-tts-flash", "今天天气怎么样？", wishes={"language": tag})
    sent = emulator.requests()[-1].body["input"]
    assert sent["voice"] in voices
    assert sent["language_type"] == "Chinese"


REFUSED = {
    "an unknown model": ("qwen3-tts-flsh", {}, UnknownModel, "Did you mean 'qwen3-tts-flash'"),
    "a voice the model lacks": (
        "qwen3-tts-instruct-flash",
        {"voice": "Jennifer"},
        UnknownVoice,
        "belongs to qwen3-tts-flash,",
    ),
    "an unknown voice": ("qwen3-tts-flash", {"voice": "Chery"}, UnknownVoice, "mean 'Cherry'"),
    "a system voice on a vc model": (VC, {"voice": "Cherry"}, UnknownVoice, "cloned voices only"),
    "a system voice on a vd model": (VD, {"voice": "Cherry"}, UnknownVoice, "designed voices only"),
    "no voice on a vc model": (VC, {}, InvalidValue, "give voice="),
    "a designed voice on a vc model": (VC, {"voice": DESIGNED}, UnknownVoice, f"belongs to {VD}"),
    "a cloned voice on a vd model": (VD, {"voice": CLONED}, UnknownVoice, f"belongs to {VC}"),
    "a cloned voice on a system model": (
        "qwen3-tts-flash",
        {"voice": CLONED},
        UnknownVoice,
        f"belongs to {VC}",
    ),
    "a voice made for another target model": (
        VC,
        {"voice": Voice(id=CLONED, models=("qwen3-tts-vc-realtime-2026-01-15",))},
        UnknownVoice,
        "belongs to qwen3-tts-vc-realtime-2026-01-15",
    ),
    "a language the model lacks": ("qwen3-tts-flash", {"language": "tr"}, UnknownLanguage, "'tr'"),
    "a variety the model lacks": (
        "qwen3-tts-instruct-flash",
        {"language": "yue"},
        UnknownLanguage,
        "'yue'",
    ),
    "instructions": (
        "qwen3-tts-flash",
        {"instructions": "Fast."},
        CapabilityError,
        "cannot follow style instructions",
    ),
    "optimising nothing": (
        "qwen3-tts-instruct-flash",
        {"options": {"optimize_instructions": True}},
        InvalidValue,
        "nothing to work on",
    ),
    "an option the model lacks": (
        "qwen3-tts-flash",
        {"options": {"optimize_instructions": True}},
        InvalidValue,
        "no option",
    ),
    "SSML": ("qwen3-tts-flash", {"ssml": True}, CapabilityError, "SSML"),
    "a rate": ("qwen3-tts-flash", {"rate": 1.5}, CapabilityError, "rate"),
    "word marks": ("qwen3-tts-flash", {"marks": {"word"}}, CapabilityError, "word marks"),
}


@pytest.mark.parametrize(("model", "wishes", "kind", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_before_anything_is_sent(speak, emulator, model, wishes, kind, said):
    """What cannot be done is refused by its kind, with what to do, and not a byte is sent."""
    text = "<speak>Hello.</speak>" if wishes.get("ssml") else TEXT
    with pytest.raises(kind, match=said):
        speak(model, text, wishes=wishes)
    assert emulator.requests() == []


@pytest.mark.parametrize("text", ["", "  \n", "…!?", "\u200b\u200d", "。、"])
def test_nothing_speakable(speak, emulator, text):
    """A text with nothing to speak is refused, and not a byte is sent."""
    with pytest.raises(InvalidValue):
        speak(text=text)
    assert emulator.requests() == []


@pytest.mark.parametrize(
    ("region", "model", "kind"),
    [("ap-southeast-1", "qwen-tts", UnknownModel), ("mars-1", "qwen3-tts-flash", InvalidValue)],
)
def test_a_region_without_the_model(speak, emulator, region, model, kind):
    """A model that is not in the region, and a region that is none, are refused unsent."""
    with pytest.raises(kind, match=region):
        speak(model, region=region)
    assert emulator.requests() == []


# What goes wrong

EVENTS, PLAIN = {"options": WAYS[0]}, {"options": WAYS[1]}
FAULTS = [
    ("status", {"status": 500}, EVENTS, ProviderUnavailable),
    ("status", {"status": 503, "code": "ModelUnavailable"}, PLAIN, ProviderUnavailable),
    ("status", {"status": 400, "code": "Arrearage", "shape": "nested"}, EVENTS, VivavoceError),
    ("status", {"status": 400, "code": "DataInspectionFailed"}, PLAIN, RequestRejected),
    ("throttled", {}, EVENTS, RateLimited),
    ("throttled", {"retry_after": "3"}, PLAIN, RateLimited),
    ("empty-object", {"status": 400}, EVENTS, RequestRejected),
    ("empty-object", {"status": 200}, EVENTS, UnexpectedReply),
    ("empty-object", {"status": 200}, PLAIN, UnexpectedReply),
    ("echo-key", {}, EVENTS, CredentialError),
    ("html", {"status": 502}, EVENTS, ProviderUnavailable),
    ("html", {"status": 200}, PLAIN, UnexpectedReply),
    ("events-in-error", {}, EVENTS, RequestRejected),
    ("no-audio", {}, EVENTS, NoAudio),
    ("silence", {}, EVENTS, NoAudio),
    ("silence", {}, PLAIN, NoAudio),
    ("no-url", {}, PLAIN, UnexpectedReply),
    ("foreign-url", {}, PLAIN, UnexpectedReply),
    ("cut", {"at": 0}, EVENTS, VivavoceError),
    ("cut", {"at": 20_000}, EVENTS, ConnectionLost),
    ("cut", {"at": 20_000, "reset": True}, EVENTS, ConnectionLost),
    ("cut", {"at": 50}, PLAIN, VivavoceError),
    ("error-event", {"after": 3}, EVENTS, ProviderUnavailable),
    ("error-event", {"after": 3, "marked": False}, EVENTS, ProviderUnavailable),
    ("bad-json", {"event": 3}, EVENTS, UnexpectedReply),
    ("bad-base64", {"event": 3}, EVENTS, UnexpectedReply),
]


@pytest.mark.parametrize(("name", "params", "wishes", "kind"), FAULTS)
def test_every_fault_is_a_typed_error(speak, emulator, name, params, wishes, kind):
    """What goes wrong at the service is an error of its kind, and never a quiet end."""
    emulator.fault(name, **params)
    with pytest.raises(kind) as caught:
        speak(wishes=wishes)
    error = caught.value
    assert (error.provider, error.model) == ("qwen", "qwen3-tts-flash")
    if params.get("after") or params.get("event") or params.get("at", 0) > 1000:
        assert error.audio_delivered_s > 0.09
        assert error.request_id


DOWNLOAD_FAULTS = [
    ("wav-status", {"status": 404}, RequestRejected),
    ("wav-status", {"status": 503}, ProviderUnavailable),
    ("wav-html", {}, UnexpectedReply),
    ("wav-cut", {"at": 1000}, ConnectionLost),
    ("wav-redirect", {"host": "foreign.invalid"}, UnexpectedReply),
    ("wav-oversized", {}, UnexpectedReply),
]


@pytest.mark.parametrize(("name", "params", "kind"), DOWNLOAD_FAULTS)
def test_every_fault_of_the_download(speak, emulator, name, params, kind):
    """What goes wrong with the finished audio is an error of its kind; it is not made twice."""
    emulator.fault(name, **params)
    with pytest.raises(kind):
        speak(wishes=PLAIN)
    assert [received.method for received in emulator.requests()].count("POST") == 1


def test_a_stream_without_its_end(speak, emulator):
    """A stream that ends without the event that says so is cut short, whatever it brought."""
    emulator.fault("no-stop")
    with pytest.raises(TruncatedAudio) as caught:
        speak(wishes=EVENTS)
    assert caught.value.audio_delivered_s > 1
    assert caught.value.request_id


HARMLESS = [
    ("torn", {"size": 1}, EVENTS),
    ("torn", {"size": 7}, EVENTS),
    ("torn", {"size": 3}, PLAIN),
    ("audio-in-stop", {}, EVENTS),
    ("wav-in-stream", {}, EVENTS),
    ("framing", {"crlf": True, "bom": True}, EVENTS),
    ("framing", {"comments": True, "spaces": True}, EVENTS),
    ("framing", {"split": True}, EVENTS),
    ("framing", {"bare": True}, EVENTS),
    ("wav-sizes", {"size": 0}, PLAIN),
    ("wav-sizes", {"size": 0xFFFFFFFF}, PLAIN),
    ("wav-sizes", {"size": 1000}, PLAIN),
    ("wav-redirect", {}, PLAIN),
]


@pytest.mark.parametrize(("name", "params", "wishes"), HARMLESS)
def test_what_harms_nothing(speak, emulator, name, params, wishes):
    """What the standards allow, and wrong sizes in a WAV, leave the audio as it is."""
    expected = speak(wishes=wishes).data
    emulator.fault(name, **params)
    assert speak(wishes=wishes).data == expected
    assert name in [received.fault for received in emulator.requests()]


@pytest.mark.parametrize(
    ("name", "params", "phase"),
    [
        ("slow-start", {"seconds": 30.0}, "first_audio"),
        ("slow-start", {"seconds": 30.0, "headers": True}, "first_audio"),
        ("stall", {"after": 0}, "first_audio"),
        ("stall", {"after": 3}, "between_chunks"),
    ],
)
def test_a_service_that_falls_silent(speak, emulator, name, params, phase):
    """A service that sends nothing is given up in time, and the error says in which phase."""
    emulator.fault(name, **params)
    timeouts = Timeouts(first_audio_s=0.4, between_chunks_s=0.4)
    with pytest.raises(TimedOut) as caught:
        speak(wishes=EVENTS, timeouts=timeouts)
    assert caught.value.phase == phase
    assert (caught.value.audio_delivered_s > 0) is (phase == "between_chunks")
    assert emulator.wait_for_end() == "left"


# Asking again

AGAIN = Retry(attempts=3, first_wait_s=0)


@pytest.mark.parametrize("name", ["status", "throttled", "cut"])
def test_asks_again(speak, emulator, name):
    """What may pass is asked for again while no audio has come, and then it is whole."""
    expected = speak().data
    emulator.fault(name)
    audio = speak(retry=AGAIN)
    assert audio.data == expected
    assert [warning[:9] for warning in audio.report.warnings] == ["attempt 2"]


def test_fetches_again_what_is_paid(speak, emulator):
    """A failed download is tried again by itself: the speech is not made, nor billed, twice."""
    expected = speak().data
    emulator.clear()
    emulator.fault("wav-status", status=503, reads=2)
    audio = speak(wishes=PLAIN, retry=AGAIN)
    assert audio.data == expected
    methods = [received.method for received in emulator.requests()]
    assert methods == ["POST", "GET", "GET", "GET"]
    assert audio.report.usage == {"characters": float(len(TEXT))}


@pytest.mark.parametrize("name", ["error-event", "cut", "no-stop", "bad-base64"])
def test_does_not_ask_again_after_audio(speak, emulator, name):
    """Once audio has come nothing is asked again, whatever happens."""
    emulator.fault(name, times=3, **({"at": 20_000} if name == "cut" else {}))
    with pytest.raises(VivavoceError):
        speak(retry=AGAIN, wishes=EVENTS)
    assert len(emulator.requests()) == 1


def test_a_rate_limit_passes(key):
    """Past the model's rate the service's wait is obeyed, or told where it is too long."""
    now = [1000.0]
    with running_emulator(rpm=2, clock=lambda: now[0]) as emulator:
        given = {"api_key": key, "base_url": emulator.base_url, "settings": Settings()}
        with_no_retry = {**given, "retry": Retry(attempts=1)}

        async def run():
            async with AsyncClient("qwen/qwen3-tts-flash:Cherry", **with_no_retry) as client:
                for _ in range(2):
                    await client.synthesize(TEXT)
                with pytest.raises(RateLimited) as caught:
                    await client.synthesize(TEXT)
                now[0] += 61
                await client.synthesize(TEXT)
            return caught.value

        error = asyncio.run(run())
        assert (error.status, error.retryable) == (429, True)
        assert error.code.startswith("Throttling")


@pytest.mark.parametrize("unit", ["bytes", "billed"])
def test_a_limit_that_counts_otherwise(key, unit):
    """Where the service counts a text in another way, smaller pieces are tried, and it is whole."""
    text = "今天天气很好，我们一起去公园散步吧。" * 22
    assert len(text) < 400
    with running_emulator(length_unit=unit) as emulator:
        given = {"api_key": key, "base_url": emulator.base_url, "settings": Settings()}

        async def run():
            async with AsyncClient("qwen/qwen3-tts-flash:Cherry", **given) as client:
                return await client.synthesize(text, language="zh")

        report = asyncio.run(run()).report
        sent = [received.body["input"]["text"] for received in emulator.requests()]
    assert sent[0] == text
    assert "".join(sent[1:]) == text
    assert report.characters == len(text)
    assert report.segments == len(sent) - 1
    assert any("too long for one request" in warning for warning in report.warnings)


def test_a_limit_that_no_piece_keeps(speak, emulator):
    """Smaller pieces are tried once; then the service's own error is told."""
    message = "Range of input length should be [0, 100]"
    emulator.fault("status", status=400, code="InvalidParameter", message=message, times=5)
    with pytest.raises(TextTooLong) as caught:
        speak(text=TEXT * 8)
    assert caught.value.limit == 100
    assert len(emulator.requests()) == 2


# Many at once, and leaving early


def given_for(emulator, key):
    return {
        "api_key": key,
        "base_url": emulator.base_url,
        "settings": Settings(),
        "retry": Retry(attempts=1),
    }


def test_fifty_streams_at_once(emulator, key):
    """Of fifty streams read at once each gets its own audio and its own usage."""
    texts = [f"Number {n}. " * (1 + n % 5) for n in range(50)]

    async def run():
        async with AsyncClient("qwen/qwen3-tts-flash:Cherry", **given_for(emulator, key)) as client:
            alone = [(await client.synthesize(text)).data for text in texts]

            async def read(text):
                async with client.stream(text) as stream:
                    pieces = [chunk.data async for chunk in stream]
                return b"".join(pieces), stream.report

            together = await asyncio.gather(*map(read, texts))
        return alone, together

    alone, together = asyncio.run(run())
    assert [data for data, _ in together] == alone
    assert len(set(alone)) == 50
    usage = [report.usage["characters"] for _, report in together]
    assert usage == [float(len(text)) for text in texts]


def test_fifty_threads_at_once(emulator, client):
    """One client of the sync face serves many threads, each with its own audio."""
    texts = [f"Number {n}." for n in range(50)]
    one = client()
    alone = [one.synthesize(text).data for text in texts]
    found = {}

    def read(text):
        found[text] = one.synthesize(text).data

    threads = [threading.Thread(target=read, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[text] for text in texts] == alone


@pytest.mark.parametrize("options", WAYS, ids=["events", "plain"])
def test_cancelled_at_every_await(key, options):
    """Cancelled at any of its awaits, a stream leaves no task, no connection and no warning."""
    with running_emulator(chunk_bytes=20_000) as emulator:

        async def read(client):
            async with client.stream(TEXT, options=options) as stream:
                return [chunk async for chunk in stream]

        async def cancelled_after(steps):
            """Return whether it was cancelled: the loop has gone round *steps* times before."""
            async with AsyncClient(
                "qwen/qwen3-tts-flash:Cherry", **given_for(emulator, key)
            ) as client:
                task = asyncio.ensure_future(read(client))
                for _ in range(steps):
                    await asyncio.sleep(0)
                    if task.done():
                        break
                task.cancel()
                (result,) = await asyncio.gather(task, return_exceptions=True)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if isinstance(result, asyncio.CancelledError):
                return True
            assert len(result) >= 2, result
            return False

        async def run():
            async with AsyncClient(
                "qwen/qwen3-tts-flash:Cherry", **given_for(emulator, key)
            ) as client:
                await read(client)  # so that the speech is at hand
            was_cancelled = [await cancelled_after(steps) for steps in range(400)]
            gc.collect()  # a connection left open warns now, and a warning is an error
            return was_cancelled

        was_cancelled = asyncio.run(run())
    assert was_cancelled[0]
    assert sum(was_cancelled) > 10


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_leaving_early(emulator, key, client, chunks):
    """A reader who leaves ends the connection; the service sees it, and the next call works."""
    emulator.fault("stall", after=5)
    one = client()
    with one.stream(TEXT) as stream:
        for _ in range(chunks):
            next(stream)
    assert stream.report.end == "cancelled"
    if chunks:
        assert emulator.wait_for_end() == "left"
        emulator.clear()
    else:
        assert emulator.requests() == []
        emulator.clear()
    assert one.synthesize(TEXT).data


# The key


def test_the_key_is_nowhere(speak, emulator, key, caplog):
    """The key is in no log, repr, error, report or address, whatever the service sends back."""
    caplog.set_level(logging.DEBUG)
    shown = []
    for wishes in (EVENTS, PLAIN):
        report = speak(wishes=wishes).report
        shown += [repr(report), report.facts["audio_url"][0].reveal()]
        for name in ("echo-key", "throttled", "no-url", "bad-json"):
            emulator.fault(name)
            try:
                speak(wishes=wishes)
            except VivavoceError as error:
                chain = [error, error.__cause__, error.__context__]
                shown += [text for each in chain for text in (str(each), repr(each))]
                shown += [repr(vars(error))]
    with pytest.raises(CredentialError) as caught:
        speak(api_key=f"{key}-wrong")
    shown += [str(caught.value), caplog.text, repr(emulator.requests())]
    assert key not in "\n".join(shown)
    assert "***" in "\n".join(shown)
