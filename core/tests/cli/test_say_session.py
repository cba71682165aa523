"""``say - --session``: text that is spoken while it still comes."""

import io
import json
import os
import signal
import struct
import sys
import threading
import wave
from pathlib import Path

import attrs
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from vivavoce.authoring import (
    AudioData,
    DuplexExchange,
    Failed,
    Finished,
    MessageReceived,
    ProviderUnavailable,
    SendMessage,
    Synthesizer,
    WebSocketCall,
    yes,
)
from vivavoce.cli.text import read_pieces
from vivavoce.errors import InvalidValue
from vivavoce.testing import FAKE_CAPABILITIES, FakeProvider, samples_of

LIMIT_S = 10.0
TEXT = "Grüße aus Köln. It is late; 熊 sleeps! Good night"
SAY = ("say", "-", "--session")


def frames(data):
    with wave.open(io.BytesIO(data)) as sound:
        return sound.getframerate(), sound.readframes(sound.getnframes())


def files():
    return sorted(path.name for path in Path.cwd().iterdir())


def complaint(result):
    """Return the one paragraph on standard error, without its beginning."""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("vivavoce: error: ")
    return result.stderr.removeprefix("vivavoce: error: ")


# A provider that takes text as it comes


class PieceExchange(DuplexExchange):
    """Pieces of text go as they are, audio comes as binary messages."""

    def __init__(self, config, request):
        self.format = request.format
        self._call = WebSocketCall(url=config.base_url)

    def open(self):
        return self._call

    def interrupt(self):
        return self._call

    @property
    def has_begun(self):
        return True

    def send(self, text):
        return [SendMessage(json.dumps(text))]

    def flush(self):
        return []

    def clear(self):
        return []

    def finish(self):
        return [SendMessage("null")]

    def receive(self, event):
        if not isinstance(event, MessageReceived):
            return super().receive(event)
        if not event.is_text:
            return [AudioData(event.data)]
        if event.data == b"end":
            return [Finished()]
        return [Failed(ProviderUnavailable(event.data.decode()))]


def native(name):
    fake = FakeProvider(name=name, capabilities=attrs.evolve(FAKE_CAPABILITIES, stream_in=yes()))

    class Duplex(Synthesizer):
        def exchange(self, request):
            raise NotImplementedError

        def session(self, request):
            return PieceExchange(self.config, request)

    fake.info = attrs.evolve(fake.info, synthesizer=Duplex)
    return fake


class Service:
    """The server of the native provider; speaks each piece, and fails at one with ``bad``."""

    def __init__(self):
        self.pieces = []
        self._server = serve(self._handle, "127.0.0.1", 0, compression=None, close_timeout=0.1)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _handle(self, connection):
        try:
            for message in connection:
                piece = json.loads(message)
                if piece is None:
                    connection.send("end")
                elif "bad" in piece:
                    connection.send("It broke.")
                else:
                    self.pieces.append(piece)
                    connection.send(samples_of(piece))
        except ConnectionClosed:
            pass

    def close(self):
        self._server.shutdown()
        self._thread.join(LIMIT_S)


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


class Stdin(io.RawIOBase):
    """Gives one piece at each reading."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._pieces.pop(0) if self._pieces else b""
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture
def reading(monkeypatch):
    """Let standard input come in the pieces given; return those that are read."""

    def read(*pieces):
        stdin = io.TextIOWrapper(io.BufferedReader(Stdin(*pieces)), encoding="ascii")
        monkeypatch.setattr(sys, "stdin", stdin)
        return read_pieces()

    return read


@pytest.fixture(params=["native", "emulated"])
def say(request, run_with, make_acme, service):
    """Speak standard input through a model of either kind."""
    is_native = request.param == "native"

    def script(asked):
        yield samples_of(asked.text)
        if "bad" in asked.text:
            raise ZeroDivisionError("It broke.")

    provider = native("acme") if is_native else make_acme(script)
    run = run_with(provider)
    way = ("--base-url", service.url) if is_native else ()

    def say(stdin, *args):
        return run(*SAY, "-p", "acme", *way, *args, stdin=stdin)

    say.is_native = is_native
    say.provider = provider
    return say


def is_empty_handed(say, service):
    """Return whether nothing at all was asked of the provider."""
    return not say.provider.requests and not service.pieces


# What is read


def test_pieces_as_they_come(reading):
    """What there is is given on, however little."""
    assert list(reading(b"One", b" ", b"two.")) == ["One", " ", "two."]


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_character_in_two_readings(reading, cut):
    """A character whose bytes come in two readings is one character."""
    data = "ü熊€".encode()
    pieces = list(reading(data[:cut], data[cut:]))
    assert "".join(pieces) == "ü熊€"
    assert all(pieces)


def test_byte_by_byte(reading):
    """Text that comes byte by byte is whole; a byte order mark is no part of it."""
    data = ("\ufeff" + TEXT).encode()
    assert list(reading(*(bytes([byte]) for byte in data))) == list(TEXT)


def test_a_byte_order_mark_inside(reading):
    """What looks like a byte order mark later in the text is kept."""
    assert list(reading(b"a", "\ufeffb".encode())) == ["a", "\ufeffb"]


@pytest.mark.parametrize(
    "pieces", [(b"One. ", b"gr\xfc\xdfe"), (b"One. gr\xc3",), (b"One. \xc3", b"(")]
)
def test_pieces_not_utf8(reading, pieces):
    """What is no UTF-8, or ends inside a character, is refused after what came before it."""
    given = []
    with pytest.raises(InvalidValue, match="Standard input is not UTF-8"):
        given.extend(reading(*pieces))
    given = "".join(given)
    assert "One. gr".startswith(given)


@pytest.mark.parametrize("pieces", [(), (b" \n",), (b"...", b"?!"), ("\ufeff".encode(),)])
def test_nothing_in_pieces(reading, pieces):
    """Where nothing can be spoken in all of it, its end is an error."""
    with pytest.raises(InvalidValue, match="nothing to speak"):
        list(reading(*pieces))


# What is spoken


def test_file(say):
    """The whole text is spoken in order into the file, which tells its length."""
    result = say(TEXT.encode(), "-o", "a.wav")
    assert (result.exit_code, result.stdout) == (0, "")
    assert frames(Path("a.wav").read_bytes()) == (16_000, samples_of(TEXT))
    assert files() == ["a.wav"]


def test_stdout(say):
    """-o - streams a WAV whose header does not tell the length."""
    result = say(TEXT.encode(), "-o", "-")
    assert result.exit_code == 0
    assert result.stdout_bytes[:8] == b"RIFF\xff\xff\xff\xff"
    assert result.stdout_bytes[44:] == samples_of(TEXT)
    assert result.stderr.startswith("vivavoce: spoke: 0.2")
    assert ", first audio after " in result.stderr


def test_raw(say):
    """With --format pcm it is bare samples."""
    result = say(TEXT.encode(), "-o", "-", "--format", "pcm", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == samples_of(TEXT)


@pytest.mark.parametrize("to_file", [True, False], ids=["file", "stdout"])
def test_mp3(say, to_file):
    """An MP3 has all of the audio, written to a file or streamed."""
    soundfile = pytest.importorskip("soundfile")
    text = TEXT * 4
    result = say(text.encode(), "-o", "a.mp3" if to_file else "-", "--format", "mp3")
    assert result.exit_code == 0
    data = Path("a.mp3").read_bytes() if to_file else result.stdout_bytes
    sound, rate_hz = soundfile.read(io.BytesIO(data))
    # An encoder adds a frame or two of silence at the ends.
    assert len(text) * 80 <= len(sound) <= len(text) * 80 + 4 * 1152
    assert rate_hz == 16_000


def test_converted(say):
    """Rate and volume are met over the whole text, once, and across sentences."""
    text = "aaaa. bbbb. cccc."
    result = say(text.encode(), "-o", "a.wav", "--sample-rate", "24000", "--volume", "-6")
    rate_hz, data = frames(Path("a.wav").read_bytes())
    sound = [value for (value,) in struct.iter_unpack("<h", data)]
    assert (result.exit_code, rate_hz) == (0, 24_000)
    assert abs(len(sound) - len(text) * 120) <= 1
    middles = sound[60::120]
    assert middles == pytest.approx([(500 + ord(sign)) * 10**-0.3 for sign in text], abs=5)


def test_last_line(say):
    """The last lines tell the file, its length, the real-time factor and what was emulated."""
    result = say(b"Good day. It is I.", "-o", "a.wav")
    first, *others = result.stderr.splitlines()
    assert first.startswith("vivavoce: wrote a.wav: 0.09 s of speech, RTF ")
    emulated = "vivavoce: note: stream_in: emulated: each sentence is a request of its own"
    assert [line.startswith(emulated) for line in others] == ([] if say.is_native else [True])


def test_what_is_asked(say, service):
    """A model that takes text as it comes gets the pieces; another gets sentences."""
    assert say(b"One two. Three four.", "-o", "a.wav").exit_code == 0
    if say.is_native:
        assert service.pieces == ["One two. Three four."]
    else:
        asked = [request.text for request in say.provider.requests]
        assert asked == ["One two. ", "Three four."]


def test_wishes(run, acme):
    """Wishes reach the provider with each sentence."""
    result = run(
        *(*SAY, "-o", "a.wav", "-p", "acme", "--voice", "bär", "--rate", "1.5"),
        *("--option", "warmth=3"),
        stdin=b"One. Two.",
    )
    assert result.exit_code == 0
    assert len(acme.requests) == 2
    for request in acme.requests:
        assert request.voice.id == "bär"
        assert (request.prosody.rate_ratio, request.options) == (1.5, {"warmth": 3})


def test_without_the_flag(run, acme):
    """Without --session standard input is read whole."""
    assert run("say", "-", "-o", "a.wav", stdin=b"One. Two.").exit_code == 0
    assert [request.text for request in acme.requests] == ["One. Two."]


# What is refused

REFUSED = {
    "a text": (("say", "Hello.", "--session"), "write - for the text"),
    "a file": (("say", "@text.txt", "--session"), "write - for the text"),
    "marks": ((*SAY, "--marks", "a.srt"), "--marks cannot be used with --session"),
    "SSML": ((*SAY, "--ssml"), "SSML cannot be cut"),
    "strict": ((*SAY, "--strict"), "would be emulated"),
    "a voice": ((*SAY, "--voice", "an"), "Did you mean 'ann'?"),
    "a rate": ((*SAY, "--rate", "3"), "takes rate_ratio from 0.5 to 2"),
    "an option": ((*SAY, "--option", "warm=1"), "Did you mean 'warmth'?"),
    "a format": ((*SAY, "--format", "aiff"), "'aiff' is no audio format"),
}


@pytest.mark.parametrize(("args", "says"), REFUSED.values(), ids=REFUSED)
def test_refused(run, acme, args, says):
    """What cannot be done is refused with 2 before anything is read or sent."""
    Path("text.txt").write_text("Hello.")
    result = run(*args, "-o", "a.wav", "-p", "acme", stdin=b"Hello.")
    assert result.exit_code == 2
    assert says in complaint(result)
    assert (files(), acme.requests) == (["text.txt"], [])


def test_nowhere(run, acme):
    """Without -o and --play the error names the two, as without --session."""
    result = run(*SAY, "-p", "acme", stdin=b"Hello.")
    assert result.exit_code == 2
    assert "--play" in complaint(result)
    assert acme.requests == []


@pytest.mark.parametrize("stdin", [b"", b" \n", b"... ?!"], ids=["empty", "spaces", "signs"])
@pytest.mark.parametrize("output", ["a.wav", "-"])
def test_nothing_to_speak(say, stdin, output):
    """Input without anything to speak is an error, and no file is made."""
    result = say(stdin, "-o", output)
    assert result.exit_code == 2
    assert "Standard input holds nothing to speak" in complaint(result)
    assert (files(), result.stdout) == ([], "")


def test_not_utf8(say):
    """Input that is no UTF-8 is an error, and what was spoken of it makes no file."""
    result = say(b"One. Two. gr\xfc\xdfe", "-o", "a.wav")
    assert result.exit_code == 2
    assert "Standard input is not UTF-8" in complaint(result)
    assert files() == []


@pytest.mark.parametrize("character", ["\x00", "\u0000 "])
def test_nul(say, character):
    """A NUL in the input is refused, and no file is made."""
    result = say(f"One. {character}Two.".encode(), "-o", "a.wav")
    assert result.exit_code == 2
    assert "NUL character" in complaint(result)
    assert files() == []


# What goes wrong


def test_provider_fails(say):
    """A failure in the middle exits with 4; a file that was there stays as it is."""
    Path("a.wav").write_bytes(b"old")
    result = say(b"One. bad two. Three.", "-o", "a.wav")
    assert result.exit_code == 4
    assert "It broke." in complaint(result)
    assert Path("a.wav").read_bytes() == b"old"
    assert files() == ["a.wav"]


def test_no_server(run_with):
    """A provider that cannot be reached exits with 5, and no file is made."""
    run = run_with(native("acme"))
    way = ("--base-url", "ws://127.0.0.1:9/")
    result = run(*SAY, "-p", "acme", *way, "-o", "a.wav", stdin=b"One.")
    assert result.exit_code == 5
    assert files() == []


@pytest.mark.parametrize("path", ["missing/a.wav", "folder.wav", "a.doc"])
def test_wrong_place(run, acme, path):
    """A place that cannot be written is told before anything is sent."""
    Path("folder.wav").mkdir()
    result = run(*SAY, "-p", "acme", "-o", path, stdin=b"One. Two.")
    assert result.exit_code == 2
    assert (files(), acme.requests) == (["folder.wav"], [])


# As a program, with an input that stays open

TOLD = """
import sys, threading


def script(request):
    from vivavoce.testing import samples_of

    yield samples_of(request.text)
    if "bad" in request.text:
        raise ZeroDivisionError("It broke.")
    print("speaking", file=sys.stderr, flush=True)
"""


def test_spoken_before_the_end(process):
    """Audio of a sentence comes while the input is still open, and then that of the rest."""
    process.script("")
    first, rest = samples_of("One. "), samples_of("Two. Three.")
    with process.start(*SAY, "-o", "-", "--format", "pcm", "-p", "acme") as child:
        child.stdin.write(b"One. Two")
        child.stdin.flush()
        assert child.stdout.read(len(first)) == first
        child.stdin.write(b". Three.")
        child.stdin.close()
        assert child.stdout.read() == rest
        assert child.wait(LIMIT_S) == 0


def test_fails_with_open_input(process):
    """A failure ends the program at once, though more text may come, and tells nothing else."""
    process.script(TOLD)
    with process.start(*SAY, "-o", "a.wav", "-p", "acme") as child:
        child.stdin.write(b"This is bad. Two")
        child.stdin.flush()
        assert child.wait(LIMIT_S) == 4
        err = child.stderr.read()
    assert err.startswith(b"vivavoce: error: The engine raised ZeroDivisionError: It broke.")
    assert err.count(b"\n") == 1
    assert files() == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_interrupted(process):
    """Ctrl-C while text is waited for exits with 130, leaves no file and says one line."""
    process.script(TOLD)
    with process.start(
        *(*SAY, "-o", "a.wav", "-p", "acme"),
        # A shell starts background jobs deaf to Ctrl-C; this one is to hear it.
        before="import signal as s; s.signal(s.SIGINT, s.default_int_handler)",
    ) as child:
        child.stdin.write(b"One. Two")
        child.stdin.flush()
        assert child.stderr.readline() == b"speaking\n"
        assert [name for name in files() if name.endswith(".part")]
        child.send_signal(signal.SIGINT)
        assert child.wait(LIMIT_S) == 130
        err = child.stderr.read()
    assert err == b"\nvivavoce: interrupted\n"
    assert files() == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_reader_gone(process):
    """When the reader of the pipe goes away it ends quietly, though more text may come."""
    process.script("")
    with process.start(*SAY, "-o", "-", "--format", "pcm", "-p", "acme") as child:
        child.stdin.write(b"One. Two")
        child.stdin.flush()
        assert child.stdout.read(4) == samples_of("O")[:4]
        child.stdout.close()
        child.stdin.write(b". Three. Four")
        child.stdin.flush()
        assert child.wait(LIMIT_S) == 141
        assert child.stderr.read() == b""


def test_progress(process):
    """A bar that is asked for counts characters, and tells no total where there is none yet."""
    pty = pytest.importorskip("pty")
    inner, outer = pty.openpty()
    with process.start(*(*SAY, "-o", "a.wav", "-p", "acme", "--progress"), stderr=outer) as child:
        os.close(outer)
        child.communicate(b"One. Two.", timeout=60)
        shown = os.read(inner, 1 << 16)
        os.close(inner)
    assert child.returncode == 0
    assert b" 0 characters" in shown
    assert b" of 0 " not in shown
