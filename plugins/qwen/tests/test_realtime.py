import base64
import json
import re
import struct

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qwen_wire import FORMAT, card, pieces, request

from vivavoce.authoring import (
    AudioData,
    AudioFormat,
    CapabilityError,
    ConnectionLost,
    CredentialError,
    Facts,
    Failed,
    Finished,
    MessageReceived,
    PeerClosed,
    Prosody,
    ProviderConfig,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    Secret,
    SettingsError,
    SocketOpened,
    TextTooLong,
    TruncatedAudio,
    TurnEnded,
    UnexpectedReply,
    VivavoceError,
    Voice,
)
from vivavoce_qwen import realtime, replies
from vivavoce_qwen.exchange import QwenSynthesizer
from vivavoce_qwen.realtime import RealtimeExchange, SpokenWhole, realtime_url

URL = "wss://dashscope.aliyuncs.com/api-ws/v1/realtime"
KEY = "sk-very-secret"
MODEL = "qwen3-tts-flash-realtime"
SAMPLES = struct.pack("<300h", *range(300))
MP3 = AudioFormat(sample_rate_hz=24_000, encoding="mp3", container="mp3")
COMMIT = {"mode": "commit"}
EMPTY = {"code": "invalid_value", "message": "The text buffer is empty; nothing to commit."}


def ask(**changes):
    return request(**{"model": card(MODEL), **changes})


def session(**changes):
    """Return a session that has been opened."""
    talk = RealtimeExchange(ask(**changes), URL, Secret(KEY))
    talk.open()
    return talk


def texts(messages):
    """Return what messages to be sent say, without their ids."""
    told = [json.loads(getattr(message, "data", message)) for message in messages]
    return [{name: value for name, value in one.items() if name != "event_id"} for one in told]


def kinds(messages):
    return [one["type"].removeprefix("input_text_buffer.") for one in texts(messages)]


def wished(**changes):
    """Return the session that is asked for."""
    (update,) = texts(RealtimeExchange(ask(**changes), URL, Secret(KEY)).open().first)
    assert update["type"] == "session.update"
    return update["session"]


# What the service sends


def told(kind, **fields):
    message = {"event_id": "event_x", "type": kind, **fields}
    return json.dumps(message, separators=(",", ":")).encode()


def delta(data, *, response="resp_1", **more):
    text = base64.b64encode(data).decode()
    ids = {"item_id": "item_1", "output_index": 0, "content_index": 0}
    return told("response.audio.delta", response_id=response, **ids, delta=text, **more)


def created(response="resp_1"):
    return told("response.created", response={"id": response, "status": "in_progress"})


COMMITTED = told("input_text_buffer.committed", item_id="")


def done(response="resp_1", *, status="completed", usage=6, **more):
    usage = {"characters": usage} if isinstance(usage, int) else usage
    told_of = {"id": response, "status": status, "usage": usage, **more}
    return told("response.done", response=told_of)


def error(**fields):
    return told("error", error=fields)


FINISHED = told("session.finished")


def outputs(talk, *messages):
    return [output for data in messages for output in talk.receive(MessageReceived(data))]


def audio(found):
    return b"".join(output.data for output in found if isinstance(output, AudioData))


def failure(found):
    """Return the error that *found* ends with."""
    assert [isinstance(output, Failed) for output in found[-1:]] == [True]
    return found[-1].error


def shape(found):
    return [type(output).__name__ for output in found]


def warnings(found):
    return [text for output in found if isinstance(output, Facts) for text in output.warnings]


# Where it is sent


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({}, URL),
        ({"region": "cn-beijing"}, URL),
        ({"region": "ap-southeast-1"}, "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime"),
        (
            {"extra": {"workspace": "ws-1"}},
            "wss://ws-1.cn-beijing.maas.aliyuncs.com/api-ws/v1/realtime",
        ),
        (
            {"region": "ap-southeast-1", "extra": {"workspace": "ws_2"}},
            "wss://ws_2.ap-southeast-1.maas.aliyuncs.com/api-ws/v1/realtime",
        ),
        ({"base_url": "http://127.0.0.1:8765/api/v1"}, "ws://127.0.0.1:8765/api-ws/v1/realtime"),
        ({"base_url": "https://gw.example/api/v1/"}, "wss://gw.example/api-ws/v1/realtime"),
        ({"base_url": "https://gw.example/a/api/v1"}, "wss://gw.example/a/api-ws/v1/realtime"),
        ({"base_url": "https://gw.example/tts"}, "wss://gw.example/tts/api-ws/v1/realtime"),
        (
            {
                "base_url": "https://gw.example",
                "region": "ap-southeast-1",
                "extra": {"workspace": "w"},
            },
            "wss://gw.example/api-ws/v1/realtime",
        ),
        (
            {
                "base_url": "https://gw.example",
                "extra": {"workspace": "w", "websocket_url": "ws://own.example/socket"},
            },
            "ws://own.example/socket",
        ),
    ],
)
def test_addresses(config, url):
    """The socket lies beside the HTTP service, unless its own address is given."""
    config = ProviderConfig(**config)
    assert realtime_url(config) == url
    assert QwenSynthesizer(config).exchange(ask()).open().url == f"{url}?model={MODEL}"
    assert QwenSynthesizer(config).session(ask()).open().url == f"{url}?model={MODEL}"


def test_the_model_is_quoted():
    """The model stands in the query, whatever its name."""
    model = attrs.evolve(card(MODEL), name="a b&c=é", alias_of="")
    call = RealtimeExchange(ask(model=model), URL, Secret(KEY)).open()
    assert call.url == f"{URL}?model=a%20b%26c%3D%C3%A9"


def test_a_workspace_that_is_no_id():
    """A workspace that cannot stand in a host name is refused for the socket too."""
    with pytest.raises(SettingsError, match="is no id"):
        QwenSynthesizer(ProviderConfig(extra={"workspace": "evil.example/"}))


def test_only_realtime_models_have_sessions():
    """The model decides the wire: only a realtime model has a session, and it has no other wire."""
    synthesizer = QwenSynthesizer(ProviderConfig(credential=Secret(KEY)))
    with pytest.raises(CapabilityError) as caught:
        synthesizer.session(request())
    assert caught.value.capability == "stream_in"
    assert type(synthesizer.session(ask())) is RealtimeExchange
    assert type(synthesizer.exchange(ask())) is SpokenWhole


def test_the_call():
    """The key goes in the handshake, a message is bounded, and the session is asked for first."""
    call = RealtimeExchange(ask(), URL, Secret(KEY)).open()
    assert call.headers == {"authorization": Secret(f"Bearer {KEY}")}
    assert call.max_message_bytes == 16 << 20
    assert kinds(call.first) == ["session.update"]


# What is sent


def test_the_plainest_session():
    """What nobody wished for is not sent."""
    assert wished(language=None) == {
        "voice": "Cherry",
        "mode": "server_commit",
        "language_type": "Auto",
        "response_format": "pcm",
        "sample_rate": 24_000,
    }


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"voice": Voice(id="Eldric Sage")}, {"voice": "Eldric Sage"}),
        ({"options": COMMIT}, {"mode": "commit"}),
        ({"options": {"mode": "server_commit"}}, {"mode": "server_commit"}),
        ({"language": "en"}, {"language_type": "English"}),
        ({"language": "yue"}, {"language_type": "Chinese"}),
        ({"format": AudioFormat(sample_rate_hz=48_000)}, {"sample_rate": 48_000}),
        ({"format": AudioFormat(sample_rate_hz=8_000)}, {"sample_rate": 8_000}),
        ({"format": MP3}, {"response_format": "mp3"}),
        ({"prosody": Prosody(rate_ratio=0.5)}, {"speech_rate": 0.5}),
        ({"prosody": Prosody(rate_ratio=2.0)}, {"speech_rate": 2.0}),
        ({"prosody": Prosody(pitch_semitones=12)}, {"pitch_rate": 2.0}),
        ({"prosody": Prosody(pitch_semitones=-12)}, {"pitch_rate": 0.5}),
        ({"prosody": Prosody(pitch_semitones=7)}, {"pitch_rate": 1.4983}),
        ({"prosody": Prosody(pitch_semitones=-1)}, {"pitch_rate": 0.9439}),
        ({"instructions": "Cheerful."}, {"instructions": "Cheerful."}),
        ({"options": {"volume": 0}}, {"volume": 0}),
        ({"options": {"volume": 100}}, {"volume": 100}),
        ({"options": {"bit_rate": 64}}, {"bit_rate": 64}),
        (
            {"instructions": "Calm.", "options": {"optimize_instructions": True}},
            {"instructions": "Calm.", "optimize_instructions": True},
        ),
        ({"options": {"transport": "http"}}, {}),
    ],
)
def test_every_wish(changes, sent):
    """Each wish is one field of the session, and changes no other."""
    assert wished(**changes) == {**wished(), **sent}


def test_ids():
    """Each message has an id of its own, in the form of the official client's."""
    talk = RealtimeExchange(ask(options=COMMIT), URL, Secret(KEY))
    messages = [*talk.open().first]
    for _ in range(20):
        messages += [one.data for one in (*talk.send("a"), *talk.flush(), *talk.clear())]
    messages += [one.data for one in talk.finish()] + [*talk.interrupt().first]
    ids = [json.loads(message)["event_id"] for message in messages]
    assert len(set(ids)) == len(ids) == 63
    assert all(re.fullmatch(r"event_[0-9a-f]{32}", one) for one in ids)


def test_text_is_sent_as_it_is():
    """Text goes unchanged and with no escapes."""
    text = '今天天气 "怎么样"？\n€ 👋 \u2028'
    (message,) = session().send(text)
    assert isinstance(message.data, str)
    assert "今天天气" in message.data
    assert texts([message]) == [{"type": "input_text_buffer.append", "text": text}]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["session.update", "append", "session.finish"]),
        (COMMIT, ["session.update", "append", "commit", "session.finish"]),
    ],
)
def test_a_text_spoken_whole(options, expected):
    """A whole text goes at once, committed where nobody else would, and at once again anew."""
    talk = SpokenWhole(ask(text="Hello, you.", options=options), URL, Secret(KEY))
    for call in (talk.open(), talk.interrupt()):
        assert kinds(call.first) == expected
        assert texts(call.first)[1]["text"] == "Hello, you."
        assert call.url == f"{URL}?model={MODEL}"
        assert call.headers == {"authorization": Secret(f"Bearer {KEY}")}


def test_the_text_of_a_session_comes_later():
    """A session is opened without the request's text."""
    assert "Hello" not in str(RealtimeExchange(ask(), URL, Secret(KEY)).open().first)


@pytest.mark.parametrize("options", [{}, COMMIT], ids=["server_commit", "commit"])
def test_flushing(options):
    """A flush commits what was given since the last, and sends nothing where that is nothing."""
    talk = session(options=options)
    assert kinds(talk.flush()) == []
    assert kinds([*talk.send("a"), *talk.send("b")]) == ["append", "append"]
    assert texts(talk.flush()) == [{"type": "input_text_buffer.commit"}]
    assert kinds(talk.flush()) == []
    talk.send("c")
    assert kinds(talk.flush()) == ["commit"]


@pytest.mark.parametrize("options", [{}, COMMIT], ids=["server_commit", "commit"])
def test_clearing(options):
    """A cleared buffer is empty: neither a flush nor the end commits it."""
    talk = session(options=options)
    talk.send("a")
    assert texts(talk.clear()) == [{"type": "input_text_buffer.clear"}]
    assert kinds(talk.flush()) == []
    assert kinds(talk.finish()) == ["session.finish"]


@pytest.mark.parametrize(
    ("options", "is_flushed", "expected"),
    [
        ({}, False, ["session.finish"]),
        ({}, True, ["session.finish"]),
        (COMMIT, False, ["commit", "session.finish"]),
        (COMMIT, True, ["session.finish"]),
    ],
)
def test_finishing(options, is_flushed, expected):
    """The end commits what is left where only a commit has text spoken."""
    talk = session(options=options)
    talk.send("a")
    if is_flushed:
        talk.flush()
    assert kinds(talk.finish()) == expected


def test_leaving_early():
    """Who leaves early sends nothing: nobody promises that the service takes a cancellation."""
    assert list(session().cancel()) == []


# What comes


def test_the_session_is_named():
    """The session's id is the id of the request."""
    assert outputs(session(), told("session.created", session={"id": "sess_1"})) == [
        Facts(request_id="sess_1")
    ]


@pytest.mark.parametrize("given", [None, "sess_1", {}, {"id": None}, {"id": 7}])
def test_a_session_without_a_name(given):
    """A session without an id in words goes without."""
    assert outputs(session(), told("session.created", session=given)) == []


def test_a_whole_session():
    """Audio, usage and ends come in the order in which the service tells them."""
    talk = session(options=COMMIT)
    talk.send("Hello.")
    talk.flush()
    found = outputs(
        talk,
        told("session.created", session={"id": "sess_1"}),
        told("session.updated", session={"voice": "Cherry"}),
        told("input_text_buffer.committed", item_id=""),
        created(),
        told("response.output_item.added", response_id="resp_1", item={"id": "item_1"}),
        told("response.content_part.added", response_id="resp_1", part={"type": "audio"}),
        delta(SAMPLES[:200]),
        delta(SAMPLES[200:]),
        told("response.audio.done", response_id="resp_1"),
        told("response.content_part.done", response_id="resp_1", part={"type": "audio"}),
        told("response.output_item.done", response_id="resp_1", item={"status": "completed"}),
        done(),
        FINISHED,
    )
    assert found == [
        Facts(request_id="sess_1"),
        AudioData(SAMPLES[:200]),
        AudioData(SAMPLES[200:]),
        Facts(usage={"characters": 6.0}),
        TurnEnded(),
        Finished(),
    ]


@pytest.mark.parametrize(
    "data",
    [
        told("response.audio.done", response_id="resp_1"),
        told("input_text_buffer.cleared"),
        told("conversation.unheard_of", delta="AAAA"),
        told("conversation.unheard_of", about="response.audio.delta", delta="AAAA"),
        told("response.audio.delta", response_id="r", inner={"delta": "AAAA"}),
        told("response.audio.delta", response_id="r", delta=None),
        told("response.audio.delta", response_id="r", delta=""),
        told("response.audio.delta", response_id="r"),
        told(None),
        told(["error"]),
        b"{}",
        b"[]",
        b"null",
        b'"response.audio.delta"',
    ],
)
def test_what_means_nothing(data):
    """What is of no known kind, or has nothing in it, is passed over."""
    assert outputs(session(), data) == []


def test_the_handshake_means_nothing():
    """An open socket is no answer."""
    talk = session()
    assert list(talk.receive(SocketOpened())) == []
    assert not talk.has_begun


# Audio


@given(st.lists(st.integers(0, 200), max_size=15), st.booleans())
def test_any_cut_of_the_samples_gives_the_same(sizes, is_escaped):
    """However samples are cut into deltas, they join to the same, in whole samples."""
    cuts, at = [], 0
    for size in sizes:
        cuts.append(SAMPLES[at : at + size])
        at += size
    more = {"note": "\\"} if is_escaped else {}
    found = outputs(session(), *[delta(cut, **more) for cut in [*cuts, SAMPLES[at:]]])
    assert audio(found) == SAMPLES
    assert all(output.data and len(output.data) % 2 == 0 for output in found)


def test_a_sample_cut_in_two():
    """Half a sample waits for the rest of it."""
    talk = session()
    assert outputs(talk, delta(b"a")) == []
    assert outputs(talk, delta(b"b")) == [AudioData(b"ab")]
    assert outputs(talk, delta(b"abc")) == [AudioData(b"ab")]
    assert outputs(talk, delta(b"def")) == [AudioData(b"cdef")]


def forms(data):
    """Return one delta as different encoders write it."""
    plain = delta(data)
    value = json.loads(plain)
    text = value["delta"]
    return {
        "compact": plain,
        "with blanks": json.dumps(value).encode(),
        "over lines": json.dumps(value, indent=2).encode(),
        "delta first": json.dumps({"delta": text, **value}).encode(),
        "blanks before the colon": plain.replace(b'"delta":', b'"delta" : '),
        "escapes": plain.replace(b"item_1", b"item\\/1"),
        "escaped type": plain.replace(b"response.audio.delta", b"response\\u002eaudio.delta"),
        "escaped delta": plain.replace(text.encode(), text.replace("/", "\\/").encode()),
        "two deltas": plain[:-1] + b',"inner":{"delta":"AAAA"}}',
        "a delta before": b'{"inner":{"delta":"AAAA"},' + plain[1:],
    }


@pytest.mark.parametrize("form", sorted(forms(b"")))
def test_every_way_to_write_a_delta(form):
    """A delta means the same however it is written."""
    data = b"\xff\xff\xfe" + SAMPLES[3:]
    assert b"/" in delta(data)
    talk = session()
    assert outputs(talk, forms(data)[form]) == [AudioData(data)]
    assert outputs(talk, forms(data + b"x")[form]) == [AudioData(data)]
    assert outputs(talk, forms(b"y")[form]) == [AudioData(b"xy")]


def test_the_long_text_is_not_parsed(monkeypatch):
    """A delta is cut out of its message before the rest is parsed."""
    seen = []
    parsed = realtime.parsed
    monkeypatch.setattr(realtime, "parsed", lambda data: seen.append(len(data)) or parsed(data))
    assert audio(outputs(session(), delta(SAMPLES))) == SAMPLES
    assert len(seen) == 1
    assert seen[0] < 200


def test_what_is_like_the_last_is_not_parsed(monkeypatch):
    """After the first delta those are not parsed that differ in their id and audio alone."""
    talk = session()
    outputs(talk, delta(SAMPLES[:100]))
    monkeypatch.setattr(realtime, "parsed", None)
    following = delta(SAMPLES[100:]).replace(b"event_x", b"event_12")
    assert outputs(talk, following) == [AudioData(SAMPLES[100:])]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(forms(b""))),
            st.sampled_from(["resp_1", "resp_2"]),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_deltas_of_different_forms_in_turn(told_in):
    """Whatever came before it, a delta is read as if it came first."""
    talk, expected, ended = session(), [], set()
    for number, (form, response, is_over) in enumerate(told_in):
        data = SAMPLES[number * 20 : number * 20 + 20]
        message = forms(data)[form].replace(b"resp_1", response.encode())
        found = outputs(talk, message)
        assert found == ([] if response in ended else outputs(session(), message))
        expected.append(found)
        if is_over:
            outputs(talk, done(response))
            ended.add(response)


@pytest.mark.parametrize("text", ["AAA", "A", "====", "\u00e9", "QUJD ", 'AAAA","x":"AAAA'])
def test_wrong_base64_after_audio(text):
    """A delta like the last, but for what is no base64, is refused, or read as what it is."""
    talk = session()
    outputs(talk, delta(b"ab"))
    good = delta(b"ab")
    message = good.replace(b'"delta":"YWI="', f'"delta":"{text}"'.encode())
    assert message != good
    if "x" in text:
        assert outputs(talk, message) == [AudioData(bytes(2))]
        assert outputs(talk, good) == [AudioData(b"\0a")]
        return
    with pytest.raises(UnexpectedReply):
        outputs(talk, message)
    assert outputs(talk, good) == [AudioData(b"ab")]


@pytest.mark.parametrize("text", [b' {"a": "\xc3\xa9"}\r\n', b'\xef\xbb\xbf{"a": "\xc3\xa9"}'])
def test_any_json_is_read(text):
    """White space around a message and a byte order mark before it change nothing."""
    assert replies.parsed(text) == {"a": "\u00e9"}


def test_compressed_audio_has_no_samples():
    """Compressed audio is given out as it comes, of whatever length, and cannot be torn."""
    talk = session(format=MP3)
    cuts = pieces(SAMPLES[:99], 7)
    assert outputs(talk, *map(delta, cuts)) == [AudioData(cut) for cut in cuts]
    assert shape(outputs(talk, done())) == ["Facts", "TurnEnded"]


@pytest.mark.parametrize("form", ["compact", "escapes"])
def test_late_audio(form):
    """What comes late of a response that has ended is neither spoken nor mixed with the next."""
    talk = session()
    outputs(talk, delta(SAMPLES), done())
    assert outputs(talk, forms(b"late!")[form]) == []
    found = outputs(talk, delta(b"ab", response="resp_2"), delta(b"x"))
    assert found == [AudioData(b"ab")]
    assert shape(outputs(talk, done("resp_2"))) == ["Facts", "TurnEnded"]


# The end of a response


def test_usage_is_summed():
    """Each response tells its own usage; what is told here is that of all so far."""
    talk = session()
    found = outputs(
        talk,
        *[
            data
            for n in (1, 2, 3)
            for data in (delta(b"ab", response=f"r{n}"), done(f"r{n}", usage=n))
        ],
    )
    usage = [output.usage for output in found if isinstance(output, Facts)]
    assert usage == [{"characters": 1.0}, {"characters": 3.0}, {"characters": 6.0}]


def test_units_are_summed_each():
    """Characters and tokens may come together; details and zeros are no usage."""
    both = {
        "characters": 6,
        "input_tokens": 5,
        "output_tokens": 70,
        "total_tokens": 75,
        "input_tokens_details": {"text_tokens": 5},
    }
    found = outputs(session(), delta(b"ab"), done(usage=both), done("r2", usage={"characters": 0}))
    assert [output.usage for output in found if isinstance(output, Facts)] == 2 * [
        {"characters": 6.0, "input_tokens": 5.0, "output_tokens": 70.0, "total_tokens": 75.0}
    ]


@pytest.mark.parametrize("usage", [None, [], "6", {"characters": "6"}, {"characters": True}])
def test_usage_of_another_form(usage):
    """Usage in a form nobody knows is left out."""
    assert outputs(session(), delta(b"ab"), done(usage=usage))[1:] == [Facts(), TurnEnded()]


def test_a_response_is_over_once():
    """The end of a response told again counts for nothing."""
    talk = session(options=COMMIT)
    for text in ("a", "b"):
        talk.send(text)
        talk.flush()
    assert shape(outputs(talk, delta(b"ab"), done())) == ["AudioData", "Facts"]
    assert outputs(talk, done()) == []
    found = outputs(talk, delta(b"ab", response="r2"), done("r2"))
    assert found[1:] == [Facts(usage={"characters": 12.0}), TurnEnded()]


@pytest.mark.parametrize("options", [{}, COMMIT], ids=["server_commit", "commit"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_turn_ends_with_its_last_response(options, count):
    """A turn is over when as many responses have ended as were asked for."""
    talk = session(options=options)
    for n in range(count):
        talk.send(f"Number {n}.")
        talk.flush()
        outputs(talk, COMMITTED)
    ends = [
        TurnEnded() in outputs(talk, delta(b"ab", response=f"r{n}"), done(f"r{n}"))
        for n in range(count)
    ]
    assert ends == [*[False] * (count - 1), True]


def test_the_commit_of_the_end_counts():
    """The commit that goes with the end is answered by a response as well."""
    talk = session(options=COMMIT)
    talk.send("a")
    talk.flush()
    talk.send("b")
    talk.finish()
    assert shape(outputs(talk, delta(b"ab"), done())) == ["AudioData", "Facts"]
    assert shape(outputs(talk, delta(b"ab", response="r2"), done("r2")))[-1] == "TurnEnded"


def test_responses_nobody_asked_for():
    """What the service speaks by itself ends a turn each time, and is not counted ahead."""
    talk = session()
    for name in ("r1", "r2"):
        found = outputs(talk, delta(b"ab", response=name), done(name))
        assert shape(found) == ["AudioData", "Facts", "TurnEnded"]
    talk.send("a")
    talk.flush()
    found = outputs(talk, COMMITTED, delta(b"ab", response="r3"), done("r3"))
    assert shape(found)[-1] == "TurnEnded"


def test_a_response_before_its_commit():
    """What ended before the service had taken a flush does not end the turn of that flush."""
    talk = session()
    talk.send("Zero.")
    talk.flush()
    assert TurnEnded() in outputs(talk, COMMITTED, delta(b"ab", response="r0"), done("r0"))
    talk.send("One. Tw")
    outputs(talk, created("r1"), delta(b"ab", response="r1"))
    talk.flush()
    assert shape(outputs(talk, done("r1"))) == ["Facts"]
    found = outputs(talk, COMMITTED, created("r2"), delta(b"ab", response="r2"), done("r2"))
    assert shape(found) == ["AudioData", "Facts", "TurnEnded"]


def test_a_response_that_a_commit_ends():
    """A response that was open when a flush was taken may be its answer, and ends its turn."""
    talk = session()
    talk.send("One. Tw")
    outputs(talk, created("r1"), delta(b"ab", response="r1"))
    talk.flush()
    assert shape(outputs(talk, COMMITTED, done("r1"))) == ["Facts", "TurnEnded"]


def test_a_commit_nobody_sent():
    """A commit that is told of but was never sent is not answered by a later response."""
    talk = session()
    outputs(talk, COMMITTED)
    talk.send("a")
    talk.flush()
    assert shape(outputs(talk, delta(b"ab"), done())) == ["AudioData", "Facts"]
    assert shape(outputs(talk, COMMITTED, created("r2"), done("r2")))[-1] == "TurnEnded"


def test_a_response_without_audio():
    """A response that brought no audio is warned of, and that of a response only."""
    talk = session()
    silent = ["a response came without audio"]
    assert warnings(outputs(talk, created(), done())) == silent
    assert warnings(outputs(talk, delta(b"ab", response="r2"), done("r2"))) == []
    assert warnings(outputs(talk, delta(b"", response="r3"), done("r3"))) == silent


@pytest.mark.parametrize("response", [None, "resp_1", [], {}])
def test_a_response_of_another_form(response):
    """The end of a response that tells nothing of it is an end."""
    assert TurnEnded() in outputs(session(), told("response.done", response=response))


def test_a_torn_sample():
    """A response that ends within a sample is truncated, and what was whole is spoken."""
    found = outputs(session(), delta(SAMPLES[:101]), done())
    assert audio(found) == SAMPLES[:100]
    assert isinstance(failure(found), TruncatedAudio)
    assert "1 bytes" in str(failure(found))
    assert TurnEnded() not in found
    assert found[1].usage == {"characters": 6.0}


@pytest.mark.parametrize("status", ["failed", "incomplete"])
def test_a_response_that_failed(status):
    """A response that is not whole is a failure that may pass, and its usage counts."""
    found = outputs(session(), delta(SAMPLES), done(status=status))
    assert shape(found) == ["AudioData", "Facts", "Failed"]
    assert type(failure(found)) is ProviderUnavailable
    assert (failure(found).code, failure(found).retryable) == (status, True)
    assert repr(status) in str(failure(found))


@pytest.mark.parametrize(
    ("details", "kind", "code"),
    [
        ({"error": {"code": "DataInspectionFailed"}}, RequestRejected, "DataInspectionFailed"),
        ({"error": {"code": "Throttling"}}, RateLimited, "Throttling"),
        ({"error": {"message": "No code."}}, ProviderUnavailable, "failed"),
        ({"error": "odd"}, ProviderUnavailable, "failed"),
        ({}, ProviderUnavailable, "failed"),
        ("odd", ProviderUnavailable, "failed"),
    ],
)
def test_why_a_response_failed(details, kind, code):
    """A response that tells why it failed is the error of that."""
    found = outputs(session(), delta(SAMPLES), done(status="failed", status_details=details))
    assert type(failure(found)) is kind
    assert failure(found).code == code


@pytest.mark.parametrize("status", ["completed", "in_progress", None, "", 7])
def test_another_status_is_no_failure(status):
    """Only the words for it say that a response failed."""
    assert TurnEnded() in outputs(session(), delta(SAMPLES), done(status=status))


# Errors


@pytest.mark.parametrize(
    ("code", "message", "kind", "retryable"),
    [
        ("invalid_value", "Session update error: already started.", RequestRejected, False),
        ("CLIENT_ERROR", "[qwen-tts:]Engine return error code: 411", RequestRejected, False),
        ("InvalidParameter", "Invalid voice specified.", RequestRejected, False),
        ("InvalidParameter", "Range of input length should be [0, 600]", TextTooLong, False),
        ("DataInspectionFailed", "", RequestRejected, False),
        ("ModelNotFound", "", RequestRejected, False),
        ("Unheard.Of", "Odd.", RequestRejected, False),
        ("Arrearage", "good standing", QuotaExceeded, False),
        ("AllocationQuota.FreeTierOnly", "", QuotaExceeded, False),
        ("Throttling.AllocationQuota", "Free quota used up.", QuotaExceeded, False),
        ("InvalidApiKey", "", CredentialError, False),
        ("Model.AccessDenied", "", CredentialError, False),
        ("NOT AUTHORIZED", "", SettingsError, False),
        ("Throttling.RateQuota", "", RateLimited, True),
        ("Throttling.AllocationQuota", "Token rate exceeded.", RateLimited, True),
        ("InternalError", "", ProviderUnavailable, True),
        ("InternalError.Algo", "Engine failed.", ProviderUnavailable, True),
        ("InternalError.Algo", "An invalid parameter was given.", RequestRejected, False),
        ("ModelUnavailable", "", ProviderUnavailable, True),
    ],
)
@pytest.mark.parametrize("options", [{}, COMMIT], ids=["server_commit", "commit"])
def test_errors(options, code, message, kind, retryable):
    """An error event is the error of its code, with no HTTP status; what came before is spoken."""
    talk = session(options=options)
    found = outputs(talk, delta(SAMPLES), error(code=code, message=message))
    assert shape(found) == ["AudioData", "Failed"]
    problem = failure(found)
    assert type(problem) is kind
    assert (problem.code, problem.retryable, problem.status) == (code, retryable, None)
    assert message.rstrip(".") in str(problem)
    assert "HTTP" not in str(problem)
    assert KEY not in str(problem)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"code": "Throttling", "message": "Slow."}, "Throttling"),
        ({"error": "busy", "code": "Throttling"}, "Throttling"),
        ({"error": {"type": "Throttling", "param": None, "event_id": "event_1"}}, "Throttling"),
        ({"error": {"message": "<429> Throttling: Slow."}}, "Throttling"),
    ],
)
def test_other_forms_of_an_error(fields, code):
    """An error is read where the older edition of the page has it, and without its object."""
    problem = failure(outputs(session(), told("error", **fields)))
    assert isinstance(problem, RateLimited)
    assert problem.code == code


@pytest.mark.parametrize("fields", [{}, {"error": None}, {"error": {}}, {"error": {"message": 7}}])
def test_an_error_that_says_nothing(fields):
    """An error is one, whatever it leaves out."""
    assert isinstance(failure(outputs(session(), told("error", **fields))), RequestRejected)


def test_nothing_to_commit():
    """Where the service takes text by itself, a flush that found none is a warning."""
    talk = session()
    outputs(talk, created("r0"), delta(b"ab", response="r0"), done("r0"))
    talk.send("a")
    talk.flush()
    found = outputs(talk, error(**EMPTY))
    assert warnings(found) == ["a flush came when all text had been taken"]
    # No response answers that flush, so the turn is over and the next one counts anew.
    assert shape(found) == ["Facts", "TurnEnded"]
    talk.send("b")
    talk.flush()
    found = outputs(talk, COMMITTED, delta(b"ab"), done())
    assert shape(found) == ["AudioData", "Facts", "TurnEnded"]


def test_nothing_to_commit_while_it_speaks():
    """A flush that found nothing leaves the turn to the response that has the text."""
    talk = session()
    talk.send("a")
    talk.flush()
    assert shape(outputs(talk, created(), delta(b"ab"), error(**EMPTY))) == ["AudioData", "Facts"]
    assert shape(outputs(talk, done())) == ["Facts", "TurnEnded"]


def test_nothing_to_commit_and_more_to_come():
    """A flush that found nothing does not end the turn of one that found something."""
    talk = session()
    for text in ("a", "b"):
        talk.send(text)
        talk.flush()
    assert shape(outputs(talk, error(**EMPTY))) == ["Facts"]
    assert shape(outputs(talk, COMMITTED, delta(b"ab"), done()))[-1] == "TurnEnded"


def test_nothing_to_commit_after_the_response():
    """Where the service's own response had all the text, the refused flush ends the turn."""
    talk = session()
    talk.send("a")
    talk.flush()
    assert shape(outputs(talk, delta(b"ab"), done())) == ["AudioData", "Facts"]
    assert shape(outputs(talk, error(**EMPTY))) == ["Facts", "TurnEnded"]
    assert shape(outputs(talk, error(**EMPTY))) == ["Facts"]


def test_nothing_to_commit_where_the_caller_decides():
    """In the other mode an empty buffer means that text was lost, which is an error."""
    problem = failure(outputs(session(options=COMMIT), error(**EMPTY)))
    assert isinstance(problem, RequestRejected)
    assert problem.code == "invalid_value"


@pytest.mark.parametrize("message", ["The buffer is full.", "The voice is empty."])
def test_what_sounds_like_nothing_to_commit(message):
    """Another error that speaks of a buffer, or of something empty, is an error."""
    assert isinstance(
        failure(outputs(session(), error(code="invalid_value", message=message))), RequestRejected
    )


# Replies that cannot be read


@pytest.mark.parametrize("data", [b"", SAMPLES, delta(SAMPLES), FINISHED])
def test_binary_messages(data):
    """A binary message is nothing this wire knows, whatever is in it."""
    with pytest.raises(UnexpectedReply, match=f"{len(data)} bytes is binary"):
        session().receive(MessageReceived(data, is_text=False))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b'{"type":',
        delta(SAMPLES)[:-1],
        delta(SAMPLES) + b"}",
        delta(SAMPLES).replace(b'"item_1"', b"item_1"),
        b"[" * 100_000,
        b"\xff\xfe{}",
    ],
    ids=["empty", "words", "cut", "cut delta", "too much", "no quotes", "deep", "no UTF-8"],
)
def test_what_is_no_json(data):
    """A message that is no JSON ends the speech; it is not repeated."""
    with pytest.raises(UnexpectedReply, match="is no JSON") as caught:
        session().receive(MessageReceived(data))
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "text", ["AAA", "A A=", "AAAA\n", "é===", "AA-_", "AAAA====", "AAAAé", "?"]
)
@pytest.mark.parametrize("is_escaped", [False, True])
def test_wrong_base64(text, is_escaped):
    """Audio that is no base64 ends the speech."""
    message = {"type": "response.audio.delta", "response_id": "resp_1", "delta": text}
    data = json.dumps(message, ensure_ascii=is_escaped).encode()
    with pytest.raises(UnexpectedReply, match="base64"):
        session().receive(MessageReceived(data))


# The end of the connection


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1006, ""), (1011, "Too many requests"), (1012, ""), (4000, "x" * 2000)],
)
def test_a_close_before_the_end(code, reason):
    """A connection that is closed before the session's end was lost, whatever code it tells."""
    talk = session()
    outputs(talk, delta(SAMPLES), done())
    with pytest.raises(ConnectionLost) as caught:
        talk.receive(PeerClosed(code, reason))
    assert (caught.value.close_code, caught.value.retryable) == (code, True)
    assert str(code) in str(caught.value)
    assert reason[:100] in str(caught.value)
    assert len(str(caught.value)) < 400


def test_only_the_session_tells_its_end():
    """Neither the end of audio nor of a response is the end; only the session's is."""
    talk = session()
    found = outputs(talk, delta(SAMPLES), told("response.audio.done", response_id="resp_1"), done())
    assert Finished() not in found
    assert outputs(talk, FINISHED) == [Finished()]


# A handshake that is refused


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "code"),
    [
        (401, {}, b"", CredentialError, None),
        (401, {}, b"{}", CredentialError, None),
        (403, {}, b"<html>No.</html>", CredentialError, None),
        (400, {}, b'{"code":"InvalidApiKey","message":"No."}', CredentialError, "InvalidApiKey"),
        (401, {}, b'{"code":"NOT AUTHORIZED"}', SettingsError, "NOT AUTHORIZED"),
        (429, {}, b"", RateLimited, None),
        (429, {}, b'{"code":"CommodityNotPurchased"}', QuotaExceeded, "CommodityNotPurchased"),
        (404, {}, b"", RequestRejected, None),
        (302, {}, b"", RequestRejected, None),
        (500, {}, b"", ProviderUnavailable, None),
        (503, {}, b"<html>Busy.</html>", ProviderUnavailable, None),
    ],
)
def test_refused_handshakes(status, headers, body, kind, code):
    """A refused handshake is the error of its code, or of its status where it tells none."""
    for talk in (session(), SpokenWhole(ask(), URL, Secret(KEY))):
        problem = talk.explain_error(status, headers, body)
        assert type(problem) is kind
        assert (problem.status, problem.code) == (status, code)
        assert KEY not in str(problem)


def test_facts_of_a_refused_handshake():
    """A refusal's headers tell its id and when to come again."""
    headers = {"x-request-id": "r-1", "retry-after": "7"}
    problem = session().explain_error(429, headers, b"")
    assert (problem.request_id, problem.retry_after_s, problem.retryable) == ("r-1", 7.0, True)
    headers["x-should-retry"] = "false"
    assert not session().explain_error(429, headers, b"").retryable


# Beginning, and beginning again


@pytest.mark.parametrize(
    ("data", "has_begun"),
    [
        (told("session.created", session={"id": "sess_1"}), False),
        (told("session.updated", session={}), False),
        (told("input_text_buffer.cleared"), False),
        (error(code="InvalidApiKey"), False),
        (told("input_text_buffer.committed", item_id=""), True),
        (created(), True),
        (delta(SAMPLES), True),
        (delta(b"a"), True),
    ],
)
@pytest.mark.parametrize("make", [RealtimeExchange, SpokenWhole])
def test_when_text_is_taken(make, data, has_begun):
    """The service has taken text when it says so or speaks; another session has taken none."""
    talk = make(ask(), URL, Secret(KEY))
    talk.open()
    talk.send("a")
    assert not talk.has_begun
    outputs(talk, data)
    assert talk.has_begun is has_begun
    talk.interrupt()
    assert not talk.has_begun


def test_an_interruption_opens_a_new_session():
    """An interruption is a call like the first, but for its ids."""
    talk = RealtimeExchange(ask(instructions="Calm.", options=COMMIT), URL, Secret(KEY))
    first = talk.open()
    talk.send("a")
    again = talk.interrupt()
    assert (again.url, again.headers) == (first.url, first.headers)
    assert texts(again.first) == texts(first.first)
    assert again.first != first.first


@pytest.mark.parametrize("options", [{}, COMMIT], ids=["server_commit", "commit"])
def test_nothing_of_before_an_interruption(options):
    """Text, commits, half a sample and ended responses of before are forgotten."""
    talk = session(options=options)
    for text in ("a", "b", "c"):
        talk.send(text)
        talk.flush()
    talk.send("d")
    outputs(talk, created("r0"), delta(b"abc", response="r0"), done("other"))
    talk.interrupt()
    assert kinds(talk.flush()) == []
    assert kinds(talk.finish()) == ["session.finish"]
    # No half sample, no outstanding commit; the name of an ended response may come again.
    found = outputs(talk, delta(b"xy", response="other"), done("other"))
    assert found == [AudioData(b"xy"), Facts(usage={"characters": 12.0}), TurnEnded()]
    assert warnings(outputs(talk, done("r0"))) == ["a response came without audio"]


def test_nothing_is_spoken_on_after_an_interruption():
    """A response that was begun before an interruption is not waited for."""
    talk = session()
    outputs(talk, created())
    talk.interrupt()
    talk.send("a")
    talk.flush()
    assert shape(outputs(talk, error(**EMPTY))) == ["Facts", "TurnEnded"]


def test_what_was_billed_stays_billed():
    """Usage goes on over an interruption: it is that of the request."""
    talk = session()
    outputs(talk, delta(b"ab"), done(usage=5))
    talk.interrupt()
    assert outputs(talk, delta(b"ab"), done(usage=2))[1].usage == {"characters": 7.0}


def test_two_sessions_are_apart():
    """What one session has heard is nothing to another."""
    one, other = session(), session()
    outputs(one, delta(b"abc"), told("input_text_buffer.committed"))
    assert outputs(other, delta(b"xy"), done())[0] == AudioData(b"xy")
    assert not session().has_begun


# The key


@pytest.mark.parametrize("make", [RealtimeExchange, SpokenWhole])
def test_the_key_is_hidden(make):
    """No text made of an exchange, its calls or its errors shows the key."""
    talk = make(ask(), URL, Secret(KEY))
    shown = [repr(talk), repr(vars(talk)), repr(talk.open()), str(talk.interrupt())]
    for event in (MessageReceived(b"{"), MessageReceived(b"", is_text=False), PeerClosed(1006)):
        with pytest.raises(VivavoceError) as caught:
            talk.receive(event)
        shown += [str(caught.value), repr(caught.value)]
    assert all(KEY not in text for text in shown)
    assert talk.open().headers["authorization"].reveal() == f"Bearer {KEY}"


def test_the_format():
    """The exchange tells the format that was asked for."""
    assert [session(format=form).format for form in (FORMAT, MP3)] == [FORMAT, MP3]
