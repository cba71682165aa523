import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qwen_wire import (
    AUDIO_URL,
    JSON,
    REQUEST_ID,
    URL,
    Heard,
    card,
    event,
    exchange,
    hear,
    message,
    pieces,
    reply,
    request,
    stream,
)

from vivavoce.authoring import (
    InvalidValue,
    ProviderConfig,
    ProviderUnavailable,
    RequestRejected,
    Secret,
    SettingsError,
    UnexpectedReply,
    VivavoceError,
)
from vivavoce_qwen.exchange import QwenSynthesizer

SAMPLES = struct.pack("<300h", *range(300))
CHUNKS = (SAMPLES[:101], SAMPLES[101:350], SAMPLES[350:])
BODY = stream(*CHUNKS)


def wav(samples=SAMPLES, *, rate=24_000, size=None, riff=None, tail=b""):
    size = len(samples) if size is None else size
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    riff = 36 + size if riff is None else riff
    return b"RIFF" + struct.pack("<I", riff & 0xFFFFFFFF) + chunks + samples + tail


# What is sent


def sent(**given):
    call = exchange(**given).open()
    return call, json.loads(call.body)


def test_the_request():
    """A request is one POST with model, text, voice and the service's word for the language."""
    call, body = sent(language="en")
    assert (call.method, call.url) == ("POST", URL)
    assert body == {
        "model": "qwen3-tts-flash",
        "input": {"text": "Hello.", "voice": "Cherry", "language_type": "English"},
    }
    assert {name: str(value) for name, value in call.headers.items()} == {
        "authorization": "Secret('***')",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "x-accel-buffering": "no",
        "x-dashscope-sse": "enable",
    }


def test_the_plain_request():
    """A plain request differs in that it does not ask for events."""
    call, _ = sent(wants_events=False)
    assert sorted(call.headers) == ["accept", "authorization", "content-type"]
    assert call.headers["accept"] == "application/json"


@pytest.mark.parametrize("key", ["sk-1", "k" * 35, "sk-ws-" + "x" * 200])
def test_a_key_of_any_length(key):
    """The key is sent as it is, however long."""
    assert sent(key=key)[0].headers["authorization"] == Secret(f"Bearer {key}")


@pytest.mark.parametrize(
    ("tag", "word"),
    [(None, "Auto"), ("zh", "Chinese"), ("yue", "Chinese"), ("zh-CN-sichuan", "Chinese")],
)
def test_a_language_without_a_name_of_its_own(tag, word):
    """No language is "Auto"; a Chinese variety is "Chinese", since the voice decides."""
    assert sent(language=tag)[1]["input"]["language_type"] == word


def test_text_is_sent_as_it_is():
    """Text goes as UTF-8, with no escapes and nothing changed."""
    text = '今天天气 "怎么样"？\n€ 👋 \u2028'
    call, body = sent(text=text)
    assert body["input"]["text"] == text
    assert "今天天气".encode() in call.body


def test_the_way_can_be_chosen():
    """Events are asked for unless the option says to ask for a plain reply."""
    synthesizer = QwenSynthesizer(ProviderConfig(credential=Secret("sk-1")))
    accepted = [
        synthesizer.exchange(request(options=options)).open().headers["accept"]
        for options in ({}, {"transport": "http-sse"}, {"transport": "http"})
    ]
    assert accepted == ["text/event-stream", "text/event-stream", "application/json"]


def test_instructions_go_where_the_page_says():
    """Instructions are sent in "input", and optimising them only where it is asked for."""
    model = card("qwen3-tts-instruct-flash")
    _, body = sent(model=model, instructions="Cheerful.")
    assert body["input"]["instructions"] == "Cheerful."
    assert "optimize_instructions" not in body["input"]
    options = {"optimize_instructions": True}
    _, body = sent(model=model, instructions="Cheerful.", options=options)
    assert body["input"]["optimize_instructions"] is True
    assert set(body) == {"model", "input"}


# Where it is sent


def url_of(**config):
    return QwenSynthesizer(ProviderConfig(**config)).exchange(request()).open().url


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({}, "dashscope.aliyuncs.com"),
        ({"region": "cn-beijing"}, "dashscope.aliyuncs.com"),
        ({"region": "ap-southeast-1"}, "dashscope-intl.aliyuncs.com"),
        ({"extra": {"workspace": "ws-1"}}, "ws-1.cn-beijing.maas.aliyuncs.com"),
        (
            {"region": "ap-southeast-1", "extra": {"workspace": "ws_2"}},
            "ws_2.ap-southeast-1.maas.aliyuncs.com",
        ),
    ],
)
def test_hosts(config, host):
    """Region and workspace decide the host."""
    path = "/api/v1/services/aigc/multimodal-generation/generation"
    assert url_of(**config) == f"https://{host}{path}"


@pytest.mark.parametrize("base", ["https://gateway.example/tts", "https://gateway.example/tts/"])
def test_any_base_url(base):
    """An address of the user's own goes before region and workspace, kept as it is."""
    assert url_of(base_url=base, region="ap-southeast-1", extra={"workspace": "w"}) == (
        "https://gateway.example/tts/services/aigc/multimodal-generation/generation"
    )


@pytest.mark.parametrize("workspace", ["a b", "-a", "a.evil.example/", "é", "x" * 65])
def test_a_workspace_that_is_no_id(workspace):
    """A workspace that cannot stand in a host name is refused."""
    with pytest.raises(SettingsError, match="is no id"):
        QwenSynthesizer(ProviderConfig(extra={"workspace": workspace}))


def test_the_probe_has_no_key():
    """The call of the doctor goes to the same host without a key, and reads little."""
    call = QwenSynthesizer(ProviderConfig(credential=Secret("sk-1"))).probe()
    assert (call.method, call.url, dict(call.headers)) == (
        "GET",
        "https://dashscope.aliyuncs.com/api/v1",
        {},
    )
    assert call.max_body_bytes == 1 << 20


def test_optimising_without_instructions():
    """Optimising instructions that are not there is refused."""
    synthesizer = QwenSynthesizer(ProviderConfig())
    with pytest.raises(InvalidValue, match="nothing to work on"):
        synthesizer.exchange(request(options={"optimize_instructions": True}))


# Events


def test_a_whole_stream():
    """Audio is what the events bring, in order; the last event's facts are kept."""
    heard = hear(BODY)
    assert (heard.audio, heard.is_finished, heard.error) == (SAMPLES, True, None)
    last = heard.facts[-1]
    assert last.request_id == REQUEST_ID
    assert last.usage == {"characters": 6.0}
    assert last.other["audio_expires_at"] == "1766113409"
    assert last.other["audio_url"] == Secret(AUDIO_URL)
    assert "Signature" not in repr(last)


def test_events_that_differ_in_their_audio_alone():
    """What events repeat beside their audio is told once."""
    assert len(hear(BODY).facts) == 2


@pytest.mark.parametrize("place", [{"note": {"data": "AAAA"}}, {"audio": {"x": {"data": "AAAA"}}}])
def test_data_that_is_no_audio(place):
    """Data that stands elsewhere than the audio is never spoken, however often it comes."""
    heard = hear(event({"output": place}) * 3 + BODY)
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


@pytest.mark.parametrize("reason", ["length", "", None, 7])
def test_another_reason_is_no_end(reason):
    """Only "stop" says that all was spoken."""
    heard = hear(event(message(SAMPLES, finish=reason)))
    assert (heard.audio, heard.is_finished, heard.error) == (SAMPLES, False, None)


def test_an_expiry_of_another_form():
    """A time of expiry that is no number is left out."""
    told = message(SAMPLES, finish="stop")
    told["output"]["audio"]["expires_at"] = "soon"
    heard = hear(event(told))
    assert (heard.is_finished, heard.facts[-1].other) == (True, {})


@given(st.lists(st.integers(1, 400), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same(sizes):
    """However the body is cut into pieces, audio and end are the same."""
    body, at = [], 0
    for size in sizes:
        body.append(BODY[at : at + size])
        at += size
    heard = hear(*body, BODY[at:])
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_tiny_pieces_give_the_same(size):
    """Pieces of a few bytes give the same audio and end."""
    heard = hear(*pieces(BODY, size))
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


def test_truncation_at_every_byte():
    """A stream cut at any byte gives a beginning of the audio, and is never taken for whole."""
    # Once the stop event's line is whole, all has been said, with or without the blank line.
    said = BODY.rindex(b"}") + 1
    for cut in range(len(BODY)):
        heard = hear(BODY[:cut])
        assert SAMPLES.startswith(heard.audio)
        assert heard.is_finished is (cut >= said), cut
        assert heard.is_finished or heard.error is None or isinstance(heard.error, VivavoceError)


def test_the_last_event_may_bring_audio():
    """Audio in the stop event counts."""
    heard = hear(stream(SAMPLES[:100], last=SAMPLES[100:]))
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


def test_nothing_counts_after_the_end():
    """What comes behind the stop event is not spoken."""
    heard = hear(BODY + event(message(b"late")))
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


def test_usage_is_the_last_value():
    """Usage that grows from event to event is a total each time."""
    body = b"".join(
        event(message(SAMPLES[:2], usage=n, finish="stop" if n == 3 else "null"), number=n)
        for n in (1, 2, 3)
    )
    assert [facts.usage["characters"] for facts in hear(body).facts] == [1.0, 2.0, 3.0]


def test_token_usage():
    """Tokens are kept by name; details and units of zero are not."""
    usage = {
        "input_tokens": 76,
        "output_tokens": 1045,
        "total_tokens": 1121,
        "characters": 0,
        "input_tokens_details": {"text_tokens": 76},
    }
    heard = hear(event(message(SAMPLES, finish="stop") | {"usage": usage}))
    assert heard.facts[-1].usage == {
        "input_tokens": 76.0,
        "output_tokens": 1045.0,
        "total_tokens": 1121.0,
    }


@pytest.mark.parametrize("usage", [None, [], "6", {"characters": "6"}, {"characters": True}])
def test_usage_of_another_form(usage):
    """Usage in a form nobody knows is left out, and the audio is spoken."""
    heard = hear(event(message(SAMPLES, finish="stop") | {"usage": usage}))
    assert (heard.audio, heard.facts[-1].usage) == (SAMPLES, {})


def framed(lines, end="\n"):
    return end.join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BODY.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(BODY.replace(b"\n", b"\r"), id="CR"),
        pytest.param(b"\xef\xbb\xbf" + BODY, id="BOM"),
        pytest.param(BODY.replace(b"data:", b"data: "), id="a space after the colon"),
        pytest.param(BODY.replace(b":HTTP_STATUS/200\n", b""), id="no status"),
        pytest.param(BODY.replace(b"event:result\n", b""), id="no event type"),
        pytest.param(b":hello\n\n:\n" + BODY, id="comments"),
        pytest.param(BODY.replace(b',"finish_reason"', b'\ndata:,"finish_reason"'), id="two lines"),
        pytest.param(BODY.replace(b'"data":', b'"data" : '), id="blanks in the JSON"),
        pytest.param(BODY.replace(b"/", b"\\/"), id="escaped slashes"),
        pytest.param(
            BODY.replace(b'"url":', b'"note":"\\"data\\":\\"AAAA\\"","url":'), id="quoted"
        ),
        pytest.param(BODY.replace(b'"usage"', b'"data":"AAAA","usage"'), id="another data"),
        pytest.param(BODY.removesuffix(b"\n"), id="no blank line at the end"),
    ],
)
def test_other_ways_to_write_it(body):
    """Whatever the standards of events and JSON allow gives the same audio."""
    if b"\\/" in body:
        body = body.replace(b"HTTP_STATUS\\/", b"HTTP_STATUS/")
    heard = hear(body)
    assert (heard.audio, heard.is_finished, heard.error) == (SAMPLES, True, None)


def test_null_fields():
    """Fields that are null, as the official client shows them, are as good as absent."""
    nulls = message(SAMPLES) | {"code": "", "message": "", "status_code": 200}
    nulls["output"] |= {"text": None, "choices": None}
    nulls["output"]["audio"]["url"] = None
    end = message(finish="stop")
    end["output"]["audio"]["data"] = None
    heard = hear(event(nulls) + event(end))
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


@pytest.mark.parametrize("size", [1, 5, 11, 12, 43, 44, 1000])
def test_a_stream_that_begins_with_a_wav_header(size):
    """A WAV header at the beginning is taken off, however it is cut and whatever it says."""
    data = wav(size=50)
    heard = hear(stream(*pieces(data, size)))
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


def test_a_stream_that_ends_in_doubt():
    """Samples that might be the beginning of tags are spoken when nothing follows them."""
    samples = SAMPLES[:50] + b"LI"
    heard = hear(stream(wav(samples, size=50)))
    assert (heard.audio, heard.is_finished) == (samples, True)


def test_a_header_alone():
    """A WAV header with nothing behind it is an error, and no sound."""
    heard = hear(stream(b"RIFF\0\0\0\0WAVE"))
    assert (heard.audio, heard.is_finished) == (b"", False)
    assert isinstance(heard.error, UnexpectedReply)


@pytest.mark.parametrize("samples", [b"RI", b"RIFF\0\0", b"RIFX" * 20, b"RIFF....WAVX" * 9])
@pytest.mark.parametrize("size", [10, 1000])
def test_samples_that_look_like_a_header(samples, size):
    """Samples that only begin like a WAV are samples, however they are cut."""
    heard = hear(stream(*pieces(samples, size)))
    assert (heard.audio, heard.is_finished) == (samples, True)


# Errors in the stream


def test_an_error_after_good_chunks():
    """An error event ends the speech with its code, and what came before it is spoken."""
    error = {"code": "InternalError", "message": "Try again.", "request_id": "r-9"}
    body = event(message(SAMPLES)) + event(error, kind="error", status=500)
    for cut in (1, 50, len(body)):
        heard = hear(*pieces(body, cut))
        assert (heard.audio, heard.is_finished) == (SAMPLES, False)
        assert isinstance(heard.error, ProviderUnavailable)
        assert (heard.error.code, heard.error.status) == ("InternalError", 500)
        assert (heard.error.request_id, heard.error.retryable) == ("r-9", True)


def test_a_code_without_an_error_event():
    """An event with a code is an error, whatever it is called and whatever its status."""
    heard = hear(event({"code": "InvalidParameter", "message": "No."}))
    assert isinstance(heard.error, RequestRejected)
    assert heard.error.code == "InvalidParameter"


@pytest.mark.parametrize(("status", "kind"), [(400, RequestRejected), (503, ProviderUnavailable)])
def test_a_status_without_a_code(status, kind):
    """An event whose status is an error's is one, though it is called a result."""
    assert isinstance(hear(event({}, status=status)).error, kind)
    # Another comment does not take it away.
    body = event({}, status=status).replace(b"\ndata:", b"\n:hello\ndata:")
    assert isinstance(hear(body).error, kind)


@pytest.mark.parametrize("signs", [{"status": 503}, {"kind": "error"}], ids=["status", "kind"])
def test_an_error_in_the_form_of_the_audio_before(signs):
    """An event that says it is an error is one, though it differs from speech in nothing else."""
    heard = hear(event(message(SAMPLES)) + event(message(b"late"), **signs))
    assert (heard.audio, heard.is_finished) == (SAMPLES, False)
    assert heard.error is not None


def test_a_status_is_of_its_event_alone():
    """A status holds for the event it stands in and not for those that follow."""
    body = BODY.replace(b"id:2\n", b":HTTP_STATUS/202\nid:2\n")
    assert hear(body).is_finished
    bare = event({"code": "Unheard.Of"}).replace(b":HTTP_STATUS/200\n", b"")
    heard = hear(event(message(SAMPLES), status=202) + bare)
    assert isinstance(heard.error, RequestRejected)
    assert heard.error.status == 200


@pytest.mark.parametrize("text", ["not json", '{"output":', "[" * 100_000, '{"a":1}}'])
def test_an_event_that_is_no_json(text):
    """An event that cannot be read ends the speech; the text is not repeated."""
    heard = hear(event(message(SAMPLES)) + event(text))
    assert isinstance(heard.error, UnexpectedReply)
    assert heard.audio == SAMPLES
    assert text not in str(heard.error)
    assert heard.error.__cause__ is None


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"output":null}', '{"output":{"audio":[]}}'])
def test_an_event_with_nothing_in_it(text):
    """An event with neither audio nor an error is passed over, and is no end."""
    heard = hear(event(text))
    assert (heard.audio, heard.is_finished, heard.error) == (b"", False, None)
    assert hear(event(text) + BODY).audio == SAMPLES


@pytest.mark.parametrize("data", ["AAA", "A A=", "AAAA\\n", "\\u00e9", "é===", "AA-_"])
def test_wrong_base64(data):
    """Audio that is no base64 ends the speech."""
    body = BODY + b""
    text = json.dumps(message(SAMPLES)).replace('"data": "', f'"data": "{data}', 1)
    heard = hear(event(text) + body)
    assert isinstance(heard.error, UnexpectedReply)
    assert not heard.is_finished


def test_an_event_without_an_end():
    """An event that never ends is refused at a bound, not kept for ever."""
    heard = Heard()
    talk = exchange()
    reply(heard, talk, b"data:", *[b"A" * 65_536] * 300, ends=False)
    assert isinstance(heard.error, UnexpectedReply)


# Replies that are no stream


@pytest.mark.parametrize("wants_events", [True, False])
def test_a_plain_reply_is_fetched(wants_events):
    """A plain reply leads to the address it names, with TLS and without the key."""
    talk = exchange(wants_events=wants_events)
    talk.open()
    body = json.dumps(message(finish="stop", url=AUDIO_URL)).encode()
    heard = reply(Heard(), talk, *pieces(body, 40), headers=JSON)
    (call,) = heard.calls
    assert (call.method, call.url) == ("GET", AUDIO_URL.replace("http://", "https://"))
    assert dict(call.headers) == {}
    assert call.max_body_bytes == 64 << 20
    reply(heard, talk, *pieces(wav(), 33), headers={"content-type": "audio/wav"})
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)
    assert heard.facts[0].usage == {"characters": 6.0}


def fetched(*body, status=200, headers=None, url=AUDIO_URL, asked=URL):
    talk = exchange(url=asked)
    talk.open()
    answer = json.dumps(message(finish="stop", url=url)).encode()
    heard = reply(Heard(), talk, answer, headers=JSON)
    if heard.error is None:
        reply(heard, talk, *body, status=status, headers=headers or {})
    return talk, heard


@pytest.mark.parametrize(
    "body",
    [
        wav(size=0, riff=0),
        wav(size=0xFFFFFFFF),
        wav(size=0x7FFFFFFF),
        wav(size=20),
        wav(size=5000),
        wav(tail=b"LIST\x04\0\0\0abcd"),
    ],
    ids=["0", "most", "half", "too small", "too large", "tags"],
)
@pytest.mark.parametrize("size", [1, 44, 10_000])
def test_sizes_of_the_wav_are_not_trusted(body, size):
    """Whatever sizes the WAV states, all its samples are spoken and nothing else is."""
    _, heard = fetched(*pieces(body, size))
    assert (heard.audio, heard.is_finished) == (SAMPLES, True)


@pytest.mark.parametrize(
    "body",
    [b"", b"RIFF", wav()[:30], b"<html>", wav(rate=16_000)],
    ids=["nothing", "RIFF", "no samples", "HTML", "16 kHz"],
)
def test_what_is_no_wav_of_ours(body):
    """A download that is no WAV, or of another rate, ends the speech."""
    _, heard = fetched(body)
    assert isinstance(heard.error, UnexpectedReply)
    assert not heard.is_finished


@pytest.mark.parametrize(
    ("url", "called"),
    [
        (
            "http://b.oss-cn-beijing.aliyuncs.com:80/a?S=1",
            "https://b.oss-cn-beijing.aliyuncs.com/a?S=1",
        ),
        (
            "https://b.oss-cn-wulanchabu.aliyuncs.com/a",
            "https://b.oss-cn-wulanchabu.aliyuncs.com/a",
        ),
        ("https://dashscope.aliyuncs.com/a", "https://dashscope.aliyuncs.com/a"),
        ("http://dashscope.aliyuncs.com/a", "https://dashscope.aliyuncs.com/a"),
        ("https://b.oss.aliyuncs.com:443/a#b", "https://b.oss.aliyuncs.com/a"),
        ("http://b.oss.aliyuncs.com:8080/a", "https://b.oss.aliyuncs.com:8080/a"),
    ],
)
def test_addresses_that_are_fetched(url, called):
    """The service's own hosts are asked, always with TLS."""
    talk = exchange()
    heard = reply(Heard(), talk, json.dumps(message(url=url)).encode(), headers=JSON)
    assert [call.url for call in heard.calls] == [called]


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/a.wav",
        "https://aliyuncs.com.evil.example/a",
        "https://evilaliyuncs.com/a",
        "http://127.0.0.1/a",
        "http://169.254.169.254/latest",
        "http://b.oss.aliyuncs.com@evil.example/a",
        "https://user:pass@b.oss-cn-beijing.aliyuncs.com/a",
        "file:///etc/passwd",
        "ftp://b.oss-cn-beijing.aliyuncs.com/a",
        "http://[::1/a",
        "//b.oss-cn-beijing.aliyuncs.com/a",
        "a.wav",
    ],
)
def test_addresses_that_are_not_fetched(url):
    """An address that leads elsewhere is not asked, and the error does not show its query."""
    talk = exchange()
    body = json.dumps(message(url=f"{url}?Signature=abc")).encode()
    heard = reply(Heard(), talk, body, headers=JSON)
    assert heard.calls == []
    assert isinstance(heard.error, UnexpectedReply)
    assert "Signature" not in str(heard.error)


def test_a_gateway_of_the_users_own():
    """Where the user names an address, the audio may lie there, and on its port only."""
    asked = "http://127.0.0.1:8765/api/v1/generation"
    _, heard = fetched(wav(), url="http://127.0.0.1:8765/a.wav", asked=asked)
    assert heard.audio == SAMPLES
    _, heard = fetched(wav(), url="http://127.0.0.1:22/a.wav", asked=asked)
    assert isinstance(heard.error, UnexpectedReply)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status):
    """A redirect to a host of the service is followed, three times at the most."""
    talk, heard = fetched(status=status, headers={"location": "/b0.wav?Signature=x"})
    for n in (1, 2):
        reply(heard, talk, status=status, headers={"location": f"/b{n}.wav?Signature=x"})
    assert heard.error is None
    assert heard.calls[-1].url == "https://bucket.oss-cn-beijing.aliyuncs.com/b2.wav?Signature=x"
    assert len(heard.calls) == 4
    reply(heard, talk, status=status, headers={"location": "/b.wav"})
    assert isinstance(heard.error, UnexpectedReply)
    assert len(heard.calls) == 4


def test_an_address_without_a_redirects_status():
    """Another status is a refusal, wherever it points."""
    _, heard = fetched(status=404, headers={"location": "/b.wav"})
    assert isinstance(heard.error, RequestRejected)
    assert len(heard.calls) == 1


@pytest.mark.parametrize(
    "where", ["https://evil.example/a", "http://127.0.0.1/a", "//evil.example"]
)
def test_redirects_elsewhere(where):
    """A redirect that leads elsewhere is not followed."""
    _, heard = fetched(status=302, headers={"location": where})
    assert isinstance(heard.error, UnexpectedReply)
    assert len(heard.calls) == 1


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (403, RequestRejected, False),
        (404, RequestRejected, False),
        (302, RequestRejected, False),
        (408, ProviderUnavailable, True),
        (429, ProviderUnavailable, True),
        (500, ProviderUnavailable, True),
        (503, ProviderUnavailable, True),
    ],
)
def test_an_address_that_refuses(status, kind, retryable):
    """A refusal of the address is told by its status; its body is not repeated."""
    _, heard = fetched(b"<Error><Signature>abc</Signature></Error>", status=status)
    assert isinstance(heard.error, kind)
    assert (heard.error.status, heard.error.retryable) == (status, retryable)
    assert "abc" not in str(heard.error)


def test_only_the_download_is_tried_again():
    """After a failed download the address is asked again, and nothing is made, or paid, twice."""
    assert exchange().resume() is None
    talk, heard = fetched(wav()[:100])
    call = talk.resume()
    assert call == heard.calls[0]
    again = reply(Heard(), talk, wav())
    assert (again.audio, again.is_finished) == (SAMPLES, True)


def test_audio_inside_a_plain_reply():
    """Audio that a plain reply brings itself is spoken, bare or as a WAV."""
    short = SAMPLES[:20] + b"LI"
    for data, samples in (
        (SAMPLES, SAMPLES),
        (wav(), SAMPLES),
        (b"RIFF\0\0", b"RIFF\0\0"),
        (wav(short, size=20), short),
    ):
        body = json.dumps(message(data, finish="stop")).encode()
        heard = hear(body, headers=JSON)
        assert (heard.audio, heard.is_finished) == (samples, True)
        assert (heard.facts[0].request_id, heard.facts[0].usage) == (
            REQUEST_ID,
            {"characters": 6.0},
        )


def test_audio_inside_a_plain_reply_that_is_none():
    """What is not ASCII is no base64, and ends the speech."""
    told = message(SAMPLES, finish="stop")
    told["output"]["audio"]["data"] += "é"
    heard = hear(json.dumps(told).encode(), headers=JSON)
    assert isinstance(heard.error, UnexpectedReply)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", JSON),
        (b"", JSON),
        (b"", {}),
        (b"null", JSON),
        (b"{", JSON),
        (b"<html>Sign in</html>", {"content-type": "text/html"}),
        (json.dumps(message(finish="stop")).encode(), JSON),
        (b"\xff\xfe" * 50, {"content-type": "application/octet-stream"}),
        (b"[" * 2_000_000, JSON),
        (b" " * (1 << 20) + json.dumps(message(SAMPLES)).encode(), JSON),
    ],
    ids=[
        "empty object",
        "empty",
        "nothing",
        "null",
        "cut",
        "HTML",
        "no audio",
        "binary",
        "deep",
        "too long",
    ],
)
def test_a_200_that_is_no_answer(body, headers):
    """A reply with neither audio nor an error is an error, and a short one."""
    heard = hear(body, headers=headers)
    assert isinstance(heard.error, UnexpectedReply)
    assert not heard.is_finished
    assert len(str(heard.error)) < 700


def test_a_200_with_a_code():
    """A code makes a plain reply an error, whatever its status and whatever else it brings."""
    told = {"code": "Arrearage", "message": "Overdue.", "request_id": "r-1"}
    for more in ({}, message(SAMPLES), message(url=AUDIO_URL)):
        heard = hear(json.dumps({**more, **told}).encode(), headers=JSON)
        assert (heard.error.code, heard.error.request_id) == ("Arrearage", "r-1")
        assert (heard.audio, heard.calls) == (b"", [])
