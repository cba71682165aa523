"""A provider over the network, through the whole pipeline, on loopback."""

import asyncio
import base64
import json
import logging

import attrs
import pytest

from vivavoce import AsyncClient, Client, Retry, Secret, Settings, Timeouts
from vivavoce.authoring import (
    AudioData,
    ConnectFailed,
    ConnectionLost,
    CredentialError,
    Exchange,
    Facts,
    Finished,
    HttpCall,
    MessageReceived,
    NoAudio,
    PeerClosed,
    ProviderUnavailable,
    RateLimited,
    Synthesizer,
    TimedOut,
    UnexpectedReply,
    WebSocketCall,
)
from vivavoce.testing import FakeProvider, samples_of

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
        if request.param == "sync":
            with Client("fake", **values) as client:
                return client.synthesize(TEXT)

        async def run():
            async with AsyncClient("fake", **values) as client:
                return await client.synthesize(TEXT)

        return asyncio.run(run())

    return speak


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
