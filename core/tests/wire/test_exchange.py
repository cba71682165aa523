"""What an exchange does by default: plain audio, and errors by their status."""

from __future__ import annotations

import pytest

from vivavoce.errors import (
    ConnectionLost,
    CredentialError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    UnexpectedReply,
)
from vivavoce.model.audio import AudioFormat
from vivavoce.model.timing import Mark, MarkKind
from vivavoce.wire.exchange import ERROR_BODY_MAX_BYTES, AudioData, Exchange, Finished, Marks
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted
from vivavoce.wire.local import LocalEnd, LocalOutput
from vivavoce.wire.websocket import MessageReceived, PeerClosed, SocketOpened

MARK = Mark(kind=MarkKind.WORD, start_s=0.0, end_s=0.5, text_start=0, text_end=2)


class PlainExchange(Exchange):
    format = AudioFormat(sample_rate_hz=16000)

    def open(self):
        return HttpCall(url="https://tts.example/")


def feed(*events, exchange=None):
    exchange = exchange or PlainExchange()
    return [output for event in events for output in exchange.receive(event)]


def refused(status, body=b"", headers=None):
    """Return the error a refusal ends in."""
    exchange = PlainExchange()
    events = [ResponseStarted(status=status, headers=headers or {})]
    events += [BodyData(body[i : i + 1000]) for i in range(0, len(body), 1000)]
    assert feed(*events, exchange=exchange) == []
    with pytest.raises((ProviderError, CredentialError)) as caught:
        exchange.receive(BodyEnd())
    return caught.value


class TestAudio:
    def test_http(self):
        """The body of a reply is audio, and its end is the end."""
        outputs = feed(
            ResponseStarted(status=200, headers={}), BodyData(b"ab"), BodyData(b"c"), BodyEnd()
        )
        assert outputs == [AudioData(b"ab"), AudioData(b"c"), Finished()]

    @pytest.mark.parametrize(
        ("event", "outputs"),
        [
            (LocalOutput(b"ab"), [AudioData(b"ab")]),
            (LocalOutput(b"ab", [MARK]), [Marks([MARK]), AudioData(b"ab")]),
            (LocalOutput(b"", [MARK]), [Marks([MARK])]),
            (LocalEnd(), [Finished()]),
        ],
    )
    def test_local(self, event, outputs):
        """What an engine puts out is audio, then marks, and its end is the end."""
        assert feed(event) == outputs

    def test_opened(self):
        """An open WebSocket means nothing by itself."""
        assert feed(SocketOpened()) == []

    def test_message(self):
        """A message to an exchange that reads none is an unexpected reply that names it."""
        with pytest.raises(UnexpectedReply, match="PlainExchange"):
            feed(MessageReceived(b"{}"))

    def test_closed(self):
        """A closing the exchange does not expect is a lost connection, with its code."""
        with pytest.raises(ConnectionLost, match="1011") as caught:
            feed(PeerClosed(1011, "over\nloaded" * 100))
        assert caught.value.close_code == 1011
        assert caught.value.retryable
        assert len(str(caught.value)) < 400
        assert "\n" not in str(caught.value)

    def test_cancel(self):
        """Leaving early needs nothing to be sent."""
        assert PlainExchange().cancel() == ()


@pytest.mark.parametrize(
    ("status", "kind", "is_retryable"),
    [
        (300, ProviderError, False),
        (302, ProviderError, False),
        (400, RequestRejected, False),
        (401, CredentialError, False),
        (403, CredentialError, False),
        (404, RequestRejected, False),
        (408, ProviderUnavailable, True),
        (413, RequestRejected, False),
        (422, RequestRejected, False),
        (429, RateLimited, True),
        (500, ProviderUnavailable, True),
        (503, ProviderUnavailable, True),
        (599, ProviderUnavailable, True),
    ],
)
def test_status(status, kind, is_retryable):
    """A refusal has the error by which its reader knows what to do, with status and reason."""
    error = refused(status, b'{"message": "no\n such voice"}')
    assert type(error) is kind
    assert error.retryable is is_retryable
    assert str(status) in str(error)
    assert getattr(error, "status", status) == status
    assert ("no such voice" in str(error)) is (status >= 400)


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("soon", None)])
def test_retry_after(value, seconds):
    """A refusal for too many requests carries the wait it asks for."""
    assert refused(429, headers={"retry-after": value}).retry_after_s == seconds


def test_empty_refusal():
    """A refusal without a body makes a whole sentence."""
    assert str(refused(500)) == "The provider failed (HTTP 500)."


@pytest.mark.parametrize("piece", [1, 1000, ERROR_BODY_MAX_BYTES - 1, 10 * ERROR_BODY_MAX_BYTES])
def test_bounded(piece):
    """Of an error body the first 64 KiB are kept and no more, however it is cut."""
    seen = []

    class Noting(PlainExchange):
        def explain_error(self, status, headers, body):
            seen.append(body)
            return super().explain_error(status, headers, body)

    total = ERROR_BODY_MAX_BYTES + 1000 if piece == 1 else 3 * max(piece, ERROR_BODY_MAX_BYTES)
    exchange = Noting()
    exchange.receive(ResponseStarted(status=500, headers={}))
    for _ in range(0, total, piece):
        assert exchange.receive(BodyData(b"x" * piece)) == ()
    with pytest.raises(ProviderUnavailable):
        exchange.receive(BodyEnd())
    assert seen == [b"x" * ERROR_BODY_MAX_BYTES]


def test_second_call():
    """A good reply after a refused one, as after another call, is audio again."""
    exchange = PlainExchange()
    exchange.receive(ResponseStarted(status=404, headers={}))
    outputs = feed(
        ResponseStarted(status=200, headers={}), BodyData(b"ab"), BodyEnd(), exchange=exchange
    )
    assert outputs == [AudioData(b"ab"), Finished()]
