"""A provider over the network, through the whole pipeline, on loopback."""

import asyncio
import base64
import json
import logging
import time

import attrs
import pytest

from vivavoce import AsyncClient, Client, Retry, Secret, Settings, Timeouts
from vivavoce.authoring import (
    AudioData,
    BodyData,
    BodyEnd,
    ConnectFailed,
    ConnectionLost,
    CredentialError,
    Exchange,
    Facts,
    Failed,
    Finished,
    HttpCall,
    MessageReceived,
    NextCall,
    NoAudio,
    PeerClosed,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    ResponseStarted,
    Synthesizer,
    TextTooLong,
    TimedOut,
    TruncatedAudio,
    UnexpectedReply,
    WebSocketCall,
)
from vivavoce.testing import FakeProvider, samples_of
from vivavoce.transport.aio import AsyncRuntime
from vivavoce.transport.blocking import BlockingRuntime

KEY = "sk-canary-4711-abcdef"
TEXT = "Hello there."


class PlainExchange(Exchange):
    """Posts the text, gets samples."""

    def __init__(self, config, request):
        self.format = request.format
        self.call = HttpCall(
            url=config.base_url,
            headers={"authorization": config.credential.prefixed("Bearer ")},
            body=request.text.encode(),
            max_body_bytes=100_000,
        )

    def open(self):
        return self.call


class SocketExchange(Exchange):
    """Sends the text as a message, gets JSON messages with base64 in them."""

    def __init__(self, config, request):
        self.format = request.format
        self.call = WebSocketCall(
            url=config.base_url,
            headers={"authorization": config.credential.prefixed("Bearer ")},
            first=(json.dumps({"text": request.text}),),
        )

    def open(self):
        return self.call

    def receive(self, event):
        if isinstance(event, MessageReceived):
            message = json.loads(event.data)
            if "audio" in message:
                return [AudioData(base64.b64decode(message["audio"]))]
            return [Facts(request_id=message["id"], usage={"characters": 12.0}), Finished()]
        return super().receive(event) if isinstance(event, PeerClosed) else ()


class DeafExchange(SocketExchange):
    """Overlooks that the peer has closed."""

    def receive(self, event):
        return () if isinstance(event, PeerClosed) else super().receive(event)


def provider_of(exchange_type):
    fake = FakeProvider(credential_env=("ACME_KEY",))

    class Networked(Synthesizer):
        def exchange(self, request):
            return exchange_type(self.config, request)

    fake.info = attrs.evolve(fake.info, synthesizer=Networked)
    return fake.registry()


@pytest.fixture(params=["sync", "async"])
def speak(request):
    """Speak by an exchange at an address, in either face; return audio or what was raised."""
    usual = {
        "api_key": Secret(KEY),
        "settings": Settings(),
        "retry": Retry(attempts=1),
        "timeouts": Timeouts(connect_s=5, first_audio_s=5, between_chunks_s=5),
    }

    def speak(exchange_type, url, **values):
        values = {**usual, "registry": provider_of(exchange_type), "base_url": url, **values}
        wishes = {"text": values.pop("text", TEXT)}
        if "segment_chars" in values:
            wishes["segment_chars"] = values.pop("segment_chars")
        if request.param == "sync":
            with Client("fake", **values) as client:
                return client.synthesize(**wishes)

        async def run():
            async with AsyncClient("fake", **values) as client:
                return await client.synthesize(**wishes)

        return asyncio.run(run())

    return speak


@pytest.fixture
def opened(monkeypatch):
    """What is opened, as pairs of time limit and conversation, none of it left to the collector."""
    opened = []
    for runtime in (AsyncRuntime, BlockingRuntime):
        original = runtime.open

        async def kept(self, call, timeout_s, original=original):
            conversation = await original(self, call, timeout_s)
            opened.append((timeout_s, conversation))
            return conversation

        monkeypatch.setattr(runtime, "open", kept)
    return opened


def message(**fields):
    return json.dumps(fields).encode()


def speech_messages():
    audio = samples_of(TEXT)
    third = len(audio) // 3
    parts = (audio[:third], audio[third : 2 * third], audio[2 * third :])
    return [message(audio=base64.b64encode(part).decode()) for part in parts]


def test_speech_over_http(server, speak):
    """Samples that come as an HTTP body, cut anywhere, are the audio; the key goes as a header."""
    audio = samples_of(TEXT)

    def script(peer):
        peer.read_request()
        peer.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(audio)}\r\n\r\n".encode())
        for at in range(0, len(audio), 333):
            peer.send(audio[at : at + 333])

    assert speak(PlainExchange, server.http(script)).data == audio
    assert f"bearer {KEY}".encode() in server.requests[0].lower()
    assert server.requests[0].endswith(TEXT.encode())


def test_speech_over_websocket(server, speak):
    """Samples that come in messages are the audio; request id and usage are in the report."""

    def script(peer):
        peer.shake_hands()
        assert json.loads(peer.read_frame()[1]) == {"text": TEXT}
        for each in speech_messages():
            peer.send_frame(1, each)
        peer.send_frame(1, message(id="r-1"))
        peer.is_left()

    audio = speak(SocketExchange, server.ws(script))
    assert audio.data == samples_of(TEXT)
    assert (audio.report.request_ids, audio.report.usage) == (("r-1",), {"characters": 12.0})


def test_a_socket_is_left_at_the_end(server, speak, monkeypatch):
    """Over WebSocket nothing is waited for once the provider has said that this is all."""
    monkeypatch.setattr("vivavoce.pipeline.run.DRAIN_LIMIT_S", 8.0)

    def script(peer):
        peer.shake_hands()
        for each in [*speech_messages(), message(id="r-1")]:
            peer.send_frame(1, each)
        peer.is_left()

    assert speak(SocketExchange, server.ws(script)).report.total_s < 5


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        ("401 Unauthorized", "", CredentialError),
        ("429 Too Many Requests", "retry-after: 7\r\n", RateLimited),
        ("503 Service Unavailable", "", ProviderUnavailable),
    ],
)
def test_refusals(server, speak, status, headers, error, caplog):
    """An HTTP refusal is the typed error for its status, and shows no key anywhere."""
    caplog.set_level(logging.DEBUG)

    def script(peer):
        peer.read_request()
        peer.reply(b"no speech today", status=status, headers=headers)

    with pytest.raises(error, match="no speech today") as caught:
        speak(PlainExchange, server.http(script))
    assert (caught.value.provider, caught.value.model) == ("fake", "one")
    assert KEY not in caplog.text + repr(caught.value)


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        ("401 Unauthorized", "", CredentialError),
        ("429 Too Many Requests", "retry-after: 7\r\n", RateLimited),
        ("500 Internal Server Error", "", ProviderUnavailable),
        ("200 OK", "", ConnectFailed),
    ],
)
def test_refused_handshakes(server, speak, status, headers, error, caplog):
    """A refused handshake is what the exchange says it is, and shows no key anywhere."""
    caplog.set_level(logging.DEBUG)

    def script(peer):
        peer.read_request()
        peer.reply(f"no speech today {KEY}".encode(), status=status, headers=headers)

    with pytest.raises(error, match="no speech today") as caught:
        speak(SocketExchange, server.ws(script))
    assert (caught.value.provider, caught.value.model) == ("fake", "one")
    found = caught.value
    while found is not None:
        assert KEY not in caplog.text + repr(found) + repr(vars(found))
        found = found.__cause__ or found.__context__


def test_a_cut_body_tells_what_was_delivered(server, speak):
    """A connection that ends in the body is an error with the seconds delivered, never the end."""
    audio = samples_of(TEXT)

    def script(peer):
        peer.read_request()
        peer.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(audio)}\r\n\r\n".encode())
        peer.send(audio[:640])

    with pytest.raises(ConnectionLost) as caught:
        speak(PlainExchange, server.http(script))
    assert caught.value.audio_delivered_s == pytest.approx(320 / 16_000)


def test_a_socket_closed_before_the_end(server, speak):
    """A WebSocket closed before the provider said it was done is an error with code and reason."""

    def script(peer):
        peer.shake_hands()
        peer.read_frame()
        peer.send_frame(1, speech_messages()[0])
        peer.send_frame(8, (1011).to_bytes(2, "big") + b"overloaded")
        peer.is_left()

    with pytest.raises(ConnectionLost, match=r"1011.*overloaded") as caught:
        speak(SocketExchange, server.ws(script))
    assert caught.value.close_code == 1011
    assert caught.value.audio_delivered_s > 0


def test_a_closed_socket_is_an_end(server, speak):
    """A WebSocket that closes before the end is a truncation, though the exchange overlooks it."""

    def script(peer):
        peer.shake_hands()
        peer.read_frame()
        peer.send_frame(1, speech_messages()[0])
        peer.send_frame(8, (1000).to_bytes(2, "big"))
        peer.is_left()

    with pytest.raises(TruncatedAudio, match="before saying that it was complete"):
        speak(DeafExchange, server.ws(script))


@pytest.mark.parametrize("reply", [b"{}", b"not json", b'{"audio": 3}'])
def test_a_reply_that_breaks_the_reader(server, speak, reply):
    """A reply the provider's code cannot read is an UnexpectedReply with its cause, not retried."""

    def script(peer):
        peer.shake_hands()
        peer.read_frame()
        peer.send_frame(1, reply)
        peer.is_left()

    with pytest.raises(UnexpectedReply) as caught:
        speak(SocketExchange, server.ws(script), retry=Retry(attempts=3, first_wait_s=0))
    assert caught.value.__cause__ is not None
    assert server.connections == 1


def test_an_empty_reply_is_no_success(server, speak):
    """A reply of nothing is NoAudio."""

    def script(peer):
        peer.read_request()
        peer.reply()

    with pytest.raises(NoAudio):
        speak(PlainExchange, server.http(script))


def test_a_silent_server(server, speak):
    """A server that takes the request and says nothing is given up in time."""

    def script(peer):
        peer.read_request()
        peer.is_left()

    with pytest.raises(TimedOut) as caught:
        speak(PlainExchange, server.http(script), timeouts=Timeouts(first_audio_s=0.1))
    assert caught.value.phase == "first_audio"


def test_connecting_is_part_of_the_whole(server, speak, opened):
    """A connection is waited for no longer than is left of the whole."""

    def script(peer):
        peer.read_request()
        peer.reply(samples_of(TEXT))

    speak(PlainExchange, server.http(script), timeouts=Timeouts(connect_s=60, total_s=7))
    ((limit_s, _),) = opened
    assert 0 < limit_s <= 7


def test_nobody_there(speak):
    """Where nobody listens the error says so, and may be retried."""
    with pytest.raises(ConnectFailed) as caught:
        speak(PlainExchange, "http://127.0.0.1:9/speech")
    assert caught.value.retryable


def test_asks_again_over_http(server, speak):
    """A server that fails once is asked again, and the audio is whole."""

    def script(peer):
        peer.read_request()
        if server.connections == 1:
            peer.reply(status="500 Oops", headers="connection: close\r\n")
        else:
            peer.reply(samples_of(TEXT))

    retry = Retry(attempts=2, first_wait_s=0)
    audio = speak(PlainExchange, server.http(script), retry=retry)
    assert audio.data == samples_of(TEXT)
    assert audio.report.warnings == ("attempt 2 after ProviderUnavailable",)


def test_waits_as_long_as_it_is_asked_to(server, speak):
    """Before asking again the provider's wait is kept, but never past the limit of the whole."""

    def script(peer):
        peer.read_request()
        if server.connections == 1:
            peer.reply(status="429 Slow", headers="retry-after-ms: 300\r\nconnection: close\r\n")
        elif server.connections == 2:
            peer.reply(samples_of(TEXT), headers="connection: close\r\n")
        else:
            peer.reply(status="429 Slow", headers="retry-after: 9\r\nconnection: close\r\n")

    url = server.http(script)
    assert speak(PlainExchange, url, retry=Retry()).report.total_s >= 0.3
    begin = time.monotonic()
    with pytest.raises((TimedOut, RateLimited)):
        speak(PlainExchange, url, retry=Retry(), timeouts=Timeouts(total_s=0.3))
    assert time.monotonic() - begin < 6


def test_what_failed_is_left_before_asking_again(server, speak, opened):
    """The connection of a failed attempt is given up before the next begins."""

    def script(peer):
        peer.read_request()
        if server.connections == 1:
            peer.send(b"HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\n")
            peer.is_left()
        else:
            assert server.left.wait(3)
            peer.send(chunked(spoken() + b"end\n") + b"0\r\n\r\n")

    retry = Retry(attempts=2, first_wait_s=0)
    assert speak(LinesExchange, server.http(script), retry=retry).data == samples_of(TEXT)


class LinesExchange(PlainExchange):
    """
    Gets lines: audio in base64, "error" for an error, "end" for the end.

    "at PATH" leads to another address, which it can fetch again.
    """

    def __init__(self, config, request):
        super().__init__(config, request)
        self.host = config.base_url.rpartition("/")[0]
        self.rest = b""
        self.download = None

    def resume(self):
        return self.download

    def receive(self, event):
        if isinstance(event, ResponseStarted):
            self.rest = b""
            if event.status == 413:
                limit = int(event.headers["x-limit"])
                raise TextTooLong("Too long.", code="Long", status=413, limit=limit)
            if event.status >= 300:
                raise self.explain_error(event.status, event.headers, b"")
            return ()
        if isinstance(event, BodyEnd):
            return ()
        assert isinstance(event, BodyData)
        *lines, self.rest = (self.rest + event.data).split(b"\n")
        return [self.output(line.decode()) for line in lines]

    def output(self, line):
        if line == "end":
            return Finished()
        if line == "error" or line.startswith("refuse "):
            return Failed(self.error(line.partition(" ")[2]))
        if line.startswith("use "):
            return Facts(usage={"characters": float(line[4:])})
        if line.startswith("at "):
            self.download = HttpCall(method="GET", url=self.host + line[3:])
            return NextCall(self.download)
        if line.startswith("say "):
            name, _, value = line[4:].partition(" ")
            value = Secret(value) if name == "secret" else value
            return Facts(request_id=f"r-{value}", warnings=(f"w {value}",), other={name: value})
        return AudioData(base64.b64decode(line))

    def error(self, code):
        if not code:
            return ProviderUnavailable("It broke.", code="Broken")
        error = RequestRejected("No.", code=code)
        error.request_id = code
        return error


def spoken(text=TEXT):
    return base64.b64encode(samples_of(text)) + b"\n"


def chunked(*pieces):
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + body


@pytest.mark.parametrize("together", [True, False], ids=["in one piece", "in two"])
def test_audio_before_an_error_is_delivered(server, speak, together):
    """What a reply brought before it told of an error is delivered, and is not asked for again."""

    def script(peer):
        peer.read_request()
        parts = [spoken() + b"error\n"] if together else [spoken(), b"error\n"]
        peer.send(chunked(*parts) + b"0\r\n\r\n")

    with pytest.raises(ProviderUnavailable, match="It broke") as caught:
        speak(LinesExchange, server.http(script), retry=Retry(attempts=3, first_wait_s=0))
    assert caught.value.audio_delivered_s == pytest.approx(len(TEXT) * 80 / 16_000)
    assert caught.value.code == "Broken"
    assert server.connections == 1


def speak_twice(face_name, url):
    """Speak twice with one client, in either face."""
    values = {
        "api_key": KEY,
        "settings": Settings(),
        "registry": provider_of(LinesExchange),
        "base_url": url,
    }
    if face_name == "sync":
        with Client("fake", **values) as client:
            return [client.synthesize(TEXT).data for _ in range(2)]

    async def run():
        async with AsyncClient("fake", **values) as client:
            return [(await client.synthesize(TEXT)).data for _ in range(2)]

    return asyncio.run(run())


@pytest.mark.parametrize("face_name", ["sync", "async"])
def test_a_connection_is_kept_after_the_end(server, face_name):
    """The end of the body that follows the provider's own end is read: the connection is kept."""

    def script(peer):
        while peer.read_request():
            peer.send(chunked(spoken() + b"end\n"))
            peer.send(b"5\r\nmore\n\r\n")
            peer.send(b"0\r\n\r\n")

    assert speak_twice(face_name, server.http(script)) == [samples_of(TEXT)] * 2
    assert server.connections == 1


@pytest.mark.parametrize("face_name", ["sync", "async"])
@pytest.mark.parametrize("end", ["cut", "silent", "nonsense", "endless"])
def test_what_follows_the_end_is_not_waited_for(server, face_name, end):
    """A reply that has said all is whole, though its connection then is cut, silent or broken."""

    def script(peer):
        peer.read_request()
        peer.send(chunked(spoken() + b"end\n"))
        if end == "nonsense":
            peer.send(b"no size\r\n")
        if end == "endless":
            peer.send(b"%x\r\n%b\r\n" % (200_000, bytes(200_000)))
        if end != "cut":
            peer.is_left()

    begin = time.monotonic()
    assert speak_twice(face_name, server.http(script)) == [samples_of(TEXT)] * 2
    assert server.connections == 2
    assert time.monotonic() - begin < 5


def test_only_the_last_call_is_made_again(server, speak):
    """An exchange that can go on where it failed is not begun anew."""

    def script(peer):
        while head := peer.read_request():
            if head.startswith(b"POST"):
                peer.send(chunked(b"at /audio\n") + b"0\r\n\r\n")
            elif len(server.requests) < 4:
                peer.reply(status="503 Busy", headers="connection: close\r\n")
                return
            else:
                peer.send(chunked(spoken() + b"end\n") + b"0\r\n\r\n")

    retry = Retry(attempts=4, first_wait_s=0)
    audio = speak(LinesExchange, server.http(script), retry=retry)
    assert audio.data == samples_of(TEXT)
    methods = [request.split(b" ")[0] for request in server.requests]
    assert methods == [b"POST", b"GET", b"GET", b"GET"]
    assert audio.report.warnings[-1] == "attempt 3 after ProviderUnavailable"


def test_the_last_call_has_its_own_time(server, speak):
    """What is made again after a limit has passed may take as long as the limit says."""

    def script(peer):
        head = peer.read_request()
        if head.startswith(b"POST"):
            peer.send(chunked(b"at /audio\n"))
            peer.is_left()
        elif len(server.requests) == 2:
            peer.is_left()
        else:
            peer.send(chunked(spoken() + b"end\n") + b"0\r\n\r\n")

    limits = Timeouts(first_audio_s=0.5)
    retry = Retry(attempts=2, first_wait_s=0)
    audio = speak(LinesExchange, server.http(script), timeouts=limits, retry=retry)
    assert audio.data == samples_of(TEXT)
    assert audio.report.warnings[-1] == "attempt 2 after TimedOut"


def test_a_reply_is_left_for_the_next(server, speak, opened):
    """The connection of a reply that leads elsewhere is given up before going there."""

    def script(peer):
        if peer.read_request().startswith(b"POST"):
            peer.send(chunked(b"at /audio\n"))
            peer.is_left()
        else:
            assert server.left.wait(3)
            peer.send(chunked(spoken() + b"end\n") + b"0\r\n\r\n")

    assert speak(LinesExchange, server.http(script)).data == samples_of(TEXT)


LONG = "One two three. " * 12


def test_smaller_requests_after_too_long_a_text(server, speak):
    """A text the server finds too long is spoken in smaller requests, whole and in order."""

    def script(peer):
        while request := peer.read_request():
            text = request.partition(b"\r\n\r\n")[2].decode()
            if len(text) > 60:
                peer.reply(status="413 Long", headers="x-limit: 60\r\n")
            else:
                peer.send(chunked(spoken(text) + b"end\n") + b"0\r\n\r\n")

    audio = speak(LinesExchange, server.http(script), text=LONG, retry=Retry(attempts=1))
    assert audio.data == samples_of(LONG)
    assert audio.report.segments >= 3
    assert audio.report.characters == len(LONG)
    assert any("too long for one request" in warning for warning in audio.report.warnings)


def test_smaller_requests_are_tried_once(server, speak):
    """A server that still finds it too long is not asked a third time."""

    def script(peer):
        while peer.read_request():
            peer.reply(status="413 Long", headers="x-limit: 100\r\n")

    with pytest.raises(TextTooLong) as caught:
        speak(LinesExchange, server.http(script), text=LONG)
    error = caught.value
    assert (error.limit, error.code, error.status) == (100, "Long", 413)
    assert len(server.requests) == 2


def test_no_smaller_requests_after_audio(server, speak):
    """Once audio has come, a text found too long ends the speech."""

    def script(peer):
        peer.read_request()
        peer.send(chunked(spoken() + b"end\n") + b"0\r\n\r\n")
        peer.read_request()
        peer.reply(status="413 Long", headers="x-limit: 60\r\n")

    with pytest.raises(TextTooLong) as caught:
        speak(LinesExchange, server.http(script), text=LONG, segment_chars=50)
    assert caught.value.audio_delivered_s > 0
    assert len(server.requests) == 2


def test_facts_of_each_request(server, speak):
    """Of each fact the report has a value a request; of one request, the last; usage is summed."""

    def script(peer):
        number = 0
        while peer.read_request():
            number += 1
            facts = b"say until first\nuse 3\nuse 5\nsay until %d\n" % number
            peer.send(chunked(facts + spoken() + b"end\n") + b"0\r\n\r\n")

    report = speak(LinesExchange, server.http(script), text=LONG, segment_chars=100).report
    assert report.segments == 2
    assert report.facts == {"until": ("1", "2")}
    assert report.usage == {"characters": 10.0}
    assert report.request_ids == ("r-first", "r-1", "r-2")
    assert [text for text in report.warnings if text.startswith("w ")] == ["w first", "w 1", "w 2"]


def test_an_error_is_of_the_last_request(server, speak):
    """An error tells the id of the request it came in."""

    def script(peer):
        peer.read_request()
        peer.send(chunked(b"say id 1\n" + spoken() + b"end\n") + b"0\r\n\r\n")
        peer.read_request()
        peer.send(chunked(b"say id 2\nerror\n") + b"0\r\n\r\n")

    with pytest.raises(ProviderUnavailable) as caught:
        speak(LinesExchange, server.http(script), text=LONG, segment_chars=100)
    assert caught.value.request_id == "r-2"


def test_a_key_that_is_sent_back(server, speak, caplog):
    """A provider that repeats the key in errors, ids, warnings or facts does not make it seen."""
    caplog.set_level(logging.DEBUG)

    def script(peer):
        peer.read_request()
        peer.send(chunked(b"say fact %b\n" % KEY.encode(), spoken(), b"end\n") + b"0\r\n\r\n")

    report = speak(LinesExchange, server.http(script)).report
    assert report.request_ids == ("r-***",)
    assert KEY not in caplog.text + repr(report)


def test_a_key_that_another_call_sends_back(server, speak):
    """The key of the first call is not shown where a later one, that has none, repeats it."""

    def script(peer):
        while head := peer.read_request():
            line = b"at /audio\n" if head.startswith(b"POST") else b"refuse %b\n" % KEY.encode()
            peer.send(chunked(line) + b"0\r\n\r\n")

    with pytest.raises(RequestRejected) as caught:
        speak(LinesExchange, server.http(script))
    assert (caught.value.code, caught.value.request_id) == ("***", "***")


def test_a_key_that_comes_in_a_message(server, speak):
    """A key that a WebSocket sends back is not shown."""

    def script(peer):
        peer.shake_hands()
        for each in [*speech_messages(), message(id=KEY)]:
            peer.send_frame(1, each)
        peer.is_left()

    assert speak(SocketExchange, server.ws(script)).report.request_ids == ("***",)


@pytest.mark.parametrize("status", ["400 No", "401 No", "429 No", "500 No"])
def test_a_key_in_a_refusal(server, speak, status):
    """A key quoted in a refusal's body is taken out of the error, wherever that shows it."""

    def script(peer):
        peer.read_request()
        peer.reply(f"bad key Bearer {KEY}".encode(), status=status)

    with pytest.raises(
        (CredentialError, RequestRejected, RateLimited, ProviderUnavailable)
    ) as caught:
        speak(PlainExchange, server.http(script))
    error = caught.value
    shown = [str(error), repr(error), repr(error.args), error.message, repr(error.__cause__)]
    assert "bad key" in shown[0]
    assert KEY not in "".join(shown)
