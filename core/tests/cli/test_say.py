import contextlib
import io
import json
import os
import re
import signal
import sys
import types
import wave
from pathlib import Path

import attrs
import pytest

from vivavoce.model.capability import no, yes
from vivavoce.testing import FAKE_CAPABILITIES, samples_of


def frames(data):
    with wave.open(io.BytesIO(data)) as sound:
        return sound.getframerate(), sound.readframes(sound.getnframes())


def complaint(result):
    """Return the one paragraph on standard error, without its beginning."""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("vivavoce: error: ")
    return result.stderr.removeprefix("vivavoce: error: ")


def files():
    return sorted(path.name for path in Path.cwd().iterdir())


# What is spoken


def test_file(run):
    """A text is spoken into the file named, in the format its ending names."""
    result = run("say", "Good day.", "-o", "day.wav")
    assert (result.exit_code, result.stdout) == (0, "")
    assert frames(Path("day.wav").read_bytes()) == (16_000, samples_of("Good day."))
    assert files() == ["day.wav"]


def test_last_line(run):
    """The last lines tell the file, its length, the real-time factor and what was emulated."""
    result = run("say", "Good day.", "-o", "day.wav", "--volume", "-6")
    first, second = result.stderr.splitlines()
    assert first.startswith("vivavoce: wrote day.wav: 0.04 s of speech, RTF ")
    assert second == "vivavoce: note: volume_db: emulated: -6 dB by core, saturating"


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_quiet(run, flag):
    """With --quiet nothing at all is said when it goes well."""
    result = run("say", "Good day.", "-o", "day.wav", "--volume", "-6", flag)
    assert (result.exit_code, result.output) == (0, "")


def test_wishes(run, acme):
    """Every wish reaches the provider."""
    result = run(
        *("say", "Guten Tag.", "-o", "tag.pcm", "-p", "acme/one", "--language", "de"),
        *("--rate", "1.5", "--option", "warmth=3", "--option", "slow=yes", "--sample-rate", "8000"),
    )
    assert result.exit_code == 0
    (request,) = acme.requests
    assert request.text == "Guten Tag."
    assert request.voice.id == "bär"
    assert request.language == "de"
    assert request.prosody.rate_ratio == 1.5
    assert request.options == {"warmth": 3, "slow": True}
    assert request.format.sample_rate_hz == 8_000


def test_ssml_wish(run_with, make_acme):
    """With --ssml the text is read as markup."""
    acme = make_acme(capabilities=attrs.evolve(FAKE_CAPABILITIES, ssml=yes("speak")))
    result = run_with(acme)("say", "--ssml", "<speak>Hello.</speak>", "-o", "a.wav")
    assert result.exit_code == 0
    assert acme.requests[0].ssml


def test_voice_wins(run, acme):
    """--voice wins over the voice of the selector."""
    run("say", "Hello.", "-o", "a.wav", "-p", "acme:ann", "--voice", "bär")
    assert acme.requests[0].voice.id == "bär"


def test_region_and_address(run, dear, monkeypatch):
    """--region and --base-url reach the provider."""
    monkeypatch.setenv("DEAR_TOKEN", "t0ken")
    result = run(
        *("say", "Hello.", "-o", "a.wav", "-p", "dear"),
        *("--region", "eu", "--base-url", "http://localhost:1"),
    )
    assert result.exit_code == 0
    (config,) = dear.configs
    assert (config.region, config.base_url) == ("eu", "http://localhost:1")
    assert "cost 0.30 EUR" in result.stderr


def test_format_wins(run):
    """--format wins over the ending."""
    run("say", "Hello.", "-o", "sound.bin", "--format", "pcm")
    assert Path("sound.bin").read_bytes() == samples_of("Hello.")


def test_strict(run):
    """--strict refuses what would be emulated, and writes nothing."""
    result = run("say", "Hello.", "-o", "a.wav", "--volume", "-6", "--strict")
    assert result.exit_code == 2
    assert "would be emulated" in complaint(result)
    assert files() == []


@pytest.mark.parametrize("ending", ["json", "srt", "vtt"])
def test_marks(run, ending):
    """--marks writes the times of the words, in the format its ending names."""
    result = run("say", "Good day.", "-o", "a.wav", "--marks", f"a.{ending}")
    assert result.exit_code == 0
    assert f"wrote a.wav and a.{ending}: " in result.stderr
    marks = Path(f"a.{ending}").read_text(encoding="utf-8")
    if ending == "json":
        assert [mark["text"] for mark in json.loads(marks)] == ["Good", "day."]
    else:
        assert "00:00:00" in marks
        assert "Good day." in marks


def test_marks_of_sentences(run_with, make_acme):
    """A model without times of words gives those of sentences."""
    claims = attrs.evolve(FAKE_CAPABILITIES, word_marks=no("none"), sentence_marks=yes())
    result = run_with(make_acme(capabilities=claims))(
        "say", "Hi.", "-o", "a.wav", "--marks", "a.srt"
    )
    assert result.exit_code == 0


def test_marks_refused(run, monkeypatch):
    """A model without any times refuses --marks rather than write an empty file."""
    monkeypatch.setenv("DEAR_TOKEN", "t0ken")
    result = run("say", "Hi.", "-p", "dear", "-o", "a.wav", "--marks", "a.srt")
    assert result.exit_code == 2
    assert "cannot give word marks" in complaint(result)
    assert files() == []


def test_marks_ending(run, acme):
    """Marks of a format not known are refused before anything is sent."""
    result = run("say", "Hi.", "-o", "a.wav", "--marks", "a.txt")
    assert result.exit_code == 2
    assert "'txt' is no caption format" in complaint(result)
    assert (files(), acme.requests) == ([], [])


# Where the text comes from


def test_text_file(run, acme):
    """@FILE is a UTF-8 file; a byte order mark is no part of the text."""
    Path("text.txt").write_bytes("\ufeffGrüße.".encode())
    assert run("say", "@text.txt", "-o", "a.wav").exit_code == 0
    assert acme.requests[0].text == "Grüße."


def test_text_of_stdin(run, acme):
    """A - is standard input, in UTF-8."""
    assert run("say", "-", "-o", "a.wav", stdin="Grüße.".encode()).exit_code == 0
    assert acme.requests[0].text == "Grüße."


@pytest.mark.parametrize(
    ("arguments", "text"), [(["@@home"], "@home"), (["--", "-5 degrees"], "-5 degrees")]
)
def test_literal_text(run, acme, arguments, text):
    """@@ stands for a text that begins with @, and -- comes before one that begins with -."""
    assert run("say", "-o", "a.wav", *arguments).exit_code == 0
    assert acme.requests[0].text == text


# Where the audio goes


def test_nowhere(run, acme):
    """Without -o and --play the error names the two."""
    result = run("say", "Hello.")
    assert result.exit_code == 2
    message = complaint(result)
    assert "-o FILE" in message
    assert "--play" in message
    assert acme.requests == []


def test_stdout(run):
    """-o - streams a WAV whose header does not tell the length; the last line is on stderr."""
    result = run("say", "Good day.", "-o", "-")
    assert result.exit_code == 0
    assert result.stdout_bytes[:8] == b"RIFF\xff\xff\xff\xff"
    assert result.stdout_bytes[44:] == samples_of("Good day.")
    assert result.stderr.startswith("vivavoce: spoke: 0.04 s of speech, first audio after ")


def test_stdout_raw(run):
    """-o - with --format pcm gives bare samples."""
    result = run("say", "Good day.", "-o", "-", "--format", "pcm", "-q")
    assert result.stdout_bytes == samples_of("Good day.")


def test_stdout_marks(run):
    """Marks are written beside a stream as well."""
    result = run("say", "Good day.", "-o", "-", "--marks", "a.json")
    assert result.exit_code == 0
    assert len(json.loads(Path("a.json").read_text())) == 2


def test_format_without_file(run):
    """--format without a file is refused: nothing is written that could have one."""
    assert "give -o FILE" in complaint(run("say", "Hi.", "--play", "--format", "mp3"))


class Loudspeaker(types.ModuleType):
    """Stands in for sounddevice."""

    class PortAudioError(Exception):
        pass

    def __init__(self, fails=False):
        super().__init__("sounddevice")
        self.heard = b""
        self.calls = []
        self.fails = fails

    def RawOutputStream(self, **settings):  # noqa: N802 - its name there
        if self.fails:
            raise self.PortAudioError("no device")
        self.calls.append(settings)
        return self

    def write(self, data):
        self.heard += data
        self.calls.append(len(data))

    def __getattr__(self, name):
        if name in ("start", "stop", "abort", "close"):
            return lambda: self.calls.append(name)
        raise AttributeError(name)


@pytest.fixture
def loudspeaker(monkeypatch):
    device = Loudspeaker()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    return device


def test_play(run, loudspeaker):
    """--play plays the samples as they come, in pieces that Ctrl-C need not wait for."""
    text = "a" * 150
    result = run("say", text, "--play")
    assert result.exit_code == 0
    assert loudspeaker.heard == samples_of(text)
    settings, *calls = loudspeaker.calls
    assert settings == {"samplerate": 16_000, "channels": 1, "dtype": "int16"}
    assert calls[0] == "start"
    assert calls[-2:] == ["stop", "close"]
    assert max(calls[1:-2]) <= 3_200
    assert result.stderr.startswith("vivavoce: spoke: ")


def test_play_and_file(run, loudspeaker):
    """--play with -o FILE does both, and the file is as without it."""
    result = run("say", "Good day.", "--play", "-o", "a.wav")
    assert result.exit_code == 0
    assert loudspeaker.heard == samples_of("Good day.")
    assert frames(Path("a.wav").read_bytes()) == (16_000, samples_of("Good day."))


def test_play_fails(run_with, make_acme, loudspeaker):
    """A failure in the middle stops the loudspeaker at once and is the error told."""
    acme = make_acme(lambda _request: [samples_of("a"), ZeroDivisionError("broke")])
    result = run_with(acme)("say", "Hello.", "--play")
    assert result.exit_code == 4
    assert loudspeaker.calls[-2:] == ["abort", "close"]


def test_no_loudspeaker(run, monkeypatch, acme):
    """A loudspeaker that cannot be used is told before anything is sent."""
    monkeypatch.setitem(sys.modules, "sounddevice", Loudspeaker(fails=True))
    result = run("say", "Hello.", "--play")
    assert result.exit_code == 2
    assert "loudspeaker cannot be used: no device" in complaint(result)
    assert acme.requests == []


def test_play_without_extra(run, monkeypatch):
    """Without the extra, --play names it."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = run("say", "Hello.", "--play")
    assert result.exit_code == 3
    assert "pip install 'vivavoce[play]'" in complaint(result)


def test_play_to_pipe(run, loudspeaker):
    """--play and -o - together are refused: one would set the other's pace."""
    assert "cannot be used together" in complaint(run("say", "Hello.", "--play", "-o", "-"))


# Bad input


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   \n ", "nothing to speak"),
        ("... ?! -", "nothing to speak"),
        ("a\udcff", "lone surrogate, '\\udcff', at index 1"),
    ],
    ids=["empty", "spaces", "punctuation", "surrogate"],
)
def test_unspeakable(run, acme, text, says):
    """A text without anything to speak is refused, and no file is made."""
    result = run("say", text, "-o", "a.wav")
    assert result.exit_code == 2
    assert says in complaint(result)
    assert (files(), acme.requests) == ([], [])


def test_surrogate_argument(process):
    """Bytes of an argument that are not UTF-8 are refused as the lone surrogate they become."""
    result = process("say", b"gr\xfc\xdfe", "-o", "a.wav", "-p", "acme")
    assert result.returncode == 2
    assert rb"lone surrogate, '\udcfc', at index 2" in result.stderr


def test_nul_in_file(run):
    """A NUL in a file is refused, with its place."""
    Path("text.txt").write_bytes(b"one\x00two")
    result = run("say", "@text.txt", "-o", "a.wav")
    assert result.exit_code == 2
    assert "NUL character at index 3" in complaint(result)


def test_not_utf8(run):
    """A file or standard input that is not UTF-8 is refused, with the offset of the byte."""
    Path("text.txt").write_bytes("Grüße.".encode("latin-1"))
    for argument, name in (("@text.txt", "text file 'text.txt'"), ("-", "Standard input")):
        result = run("say", argument, "-o", "a.wav", stdin="Grüße.".encode("latin-1"))
        assert result.exit_code == 2
        assert f"{name} is not UTF-8: byte 0xfc at offset 2" in complaint(result)


@pytest.mark.parametrize(
    ("argument", "says"),
    [("@gone.txt", "No such file"), ("@.", "Is a directory"), ("@", "names no file")],
)
def test_text_file_missing(run, argument, says):
    """A text file that cannot be read is a usage error."""
    result = run("say", argument, "-o", "a.wav")
    assert result.exit_code == 2
    assert says in complaint(result)


def test_megabyte_without_full_stop(run_with, make_acme):
    """A megabyte without a full stop is spoken, all of it."""
    text = "word " * 200_000
    claims = attrs.evolve(FAKE_CAPABILITIES, max_text=yes(maximum=10_000, unit="characters"))
    acme = make_acme(lambda request: [samples_of(request.text[:1])], capabilities=claims)
    result = run_with(acme)("say", "-", "-o", "a.wav", stdin=text)
    assert result.exit_code == 0
    assert "".join(request.text for request in acme.requests).split() == text.split()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "acne"], "No provider 'acne' is installed. Did you mean 'acme'?"),
        (["-p", "acme/ones"], "has no model 'ones'. Did you mean 'one'?"),
        (["-p", "acme:anne"], "has no voice 'anne'. Did you mean 'ann'?"),
        (["--voice", "an"], "has no voice 'an'. Did you mean 'ann'?"),
        (["--language", "den"], "does not speak 'den'. Did you mean 'de'?"),
        (["--language", "german!"], "no BCP-47 language tag"),
        (["-p", "Acme Voice"], "is no selector"),
        (["--rate", "175"], "175.0 is not from 0.1 to 10.0"),
        (["--rate", "nan"], "nan is not from"),
        (["--rate", "3"], "takes rate_ratio from 0.5 to 2"),
        (["--rate", "fast"], "'--rate': 'fast' is not a valid float"),
        (["--sample-rate", "10"], "10 Hz is no sample rate"),
        (["--pitch", "99"], "99.0 is not from"),
        (["--format", "aiff"], "'aiff' is no audio format"),
        (["--instructions", "calm"], "cannot follow style instructions"),
        (["--option", "warm=1"], "has no option 'warm'. Did you mean 'warmth'?"),
        (["--option", "warmth=hot"], "Option 'warmth' cannot be 'hot': it is a int"),
        (["--option", "warmth=10"], "from 0 up to 9"),
        (["--option", "slow=2"], "Option 'slow' cannot be '2'"),
        (["--option", "warmth"], "Write it as NAME=VALUE"),
        (["--colour", "red"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_wishes(run, acme, arguments, says):
    """A wish that cannot be met exits with 2, tells the nearest names and makes no file."""
    result = run("say", "Hello.", "-o", "a.wav", *arguments)
    assert result.exit_code == 2
    assert says in complaint(result)
    assert (files(), acme.requests) == ([], [])


def test_wrong_ssml(run):
    """SSML that does not parse is refused with line and column."""
    result = run("say", "<speak>\n <s>a</p></speak>", "--ssml", "-o", "a.wav", "-p", "dear")
    assert result.exit_code == 2
    assert "(line 2, column 8)" in complaint(result)


# Places that cannot be written


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("folder", "'folder' is a folder"),
        ("folder.wav", "'folder.wav' is a folder"),
        ("missing/a.wav", "the folder 'missing' does not exist"),
        ("file.txt/a.wav", "the folder 'file.txt' does not exist"),
        ("a.doc", "ending '.doc'"),
        ("a", "ending ''"),
    ],
)
def test_wrong_place(run, acme, path, says):
    """A place that cannot be written is told before anything is sent."""
    Path("folder").mkdir()
    Path("folder.wav").mkdir()
    Path("file.txt").touch()
    before = files()
    result = run("say", "Hello.", "-o", path)
    assert result.exit_code == 2
    assert says in complaint(result)
    assert (files(), acme.requests) == (before, [])


def test_read_only_place(run, acme, monkeypatch):
    """A file there is no permission to write stays as it is."""
    Path("a.wav").write_bytes(b"old")
    # Whoever runs the tests may have every permission.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    result = run("say", "Hello.", "-o", "a.wav")
    assert result.exit_code == 2
    assert "no permission" in complaint(result)
    assert (Path("a.wav").read_bytes(), acme.requests) == (b"old", [])


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on files is POSIX")
def test_disk_full(process):
    """A disk that is full in the middle is told; nothing is under the name, nor beside it."""
    Path("old").mkdir()
    result = process(
        *("say", "a" * 5_000, "-o", "a.wav", "-p", "acme"),
        # The kernel refuses the write itself, as it would on a full disk.
        before="import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (100_000, 100_000))",
    )
    assert result.returncode == 2
    assert result.stderr.startswith(b"vivavoce: error: Cannot write 'a.wav': the disk is full.")
    assert files() == ["old"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_stdout_full(process):
    """Standard output that cannot be written is told, once."""
    with Path("/dev/full").open("wb") as full:
        result = process("say", "Hello.", "-o", "-", "-p", "acme", stdout=full)
    assert result.returncode == 2
    assert result.stderr.startswith(b"vivavoce: error: Cannot write to standard output: No space")
    assert result.stderr.count(b"\n") == 1


# Leaving early

ENDLESS = """
import sys, threading


def script(request):
    from vivavoce.testing import samples_of

    yield samples_of(request.text)
    print("speaking", file=sys.stderr, flush=True)
    yield threading.Event()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_interrupted(process):
    """Ctrl-C exits with 130; nothing is under the final name, and no temporary file is left."""
    process.script(ENDLESS)
    with process.start(
        *("say", "Hello.", "-o", "a.wav", "--marks", "a.srt", "-p", "acme"),
        # A shell starts background jobs deaf to Ctrl-C; this one is to hear it.
        before="import signal as s; s.signal(s.SIGINT, s.default_int_handler)",
    ) as child:
        assert child.stderr.readline() == b"speaking\n"
        assert [name for name in files() if name.endswith(".part")]
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"\nvivavoce: interrupted\n")
    assert files() == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_reader_gone(process):
    """When the reader of the pipe goes away it ends quietly, with the code of SIGPIPE."""
    process.script(ENDLESS.replace("yield threading.Event()", "yield samples_of('a' * 99_999)"))
    with process.start("say", "Hello.", "-o", "-", "-p", "acme") as child:
        assert child.stdout.read(4) == b"RIFF"
        child.stdout.close()
        err = child.stderr.read()
    assert (child.returncode, err) == (141, b"speaking\n")


# On a terminal


@pytest.fixture
def on_terminal(process):
    """Run a command on a terminal (stdout or stderr); return its code and what was shown."""
    pty = pytest.importorskip("pty")

    def start(*args, stream):
        inner, outer = pty.openpty()
        with process.start(*args, **{stream: outer}) as child:
            os.close(outer)
            shown = b""
            # Linux tells the end of a terminal as an error.
            with contextlib.suppress(OSError):
                while data := os.read(inner, 65_536):
                    shown += data
            os.close(inner)
            child.communicate(timeout=60)
        return child.returncode, shown.decode()

    return start


def test_no_audio_to_terminal(on_terminal):
    """-o - on a terminal is refused."""
    code, shown = on_terminal("say", "Hello.", "-o", "-", "-p", "acme", stream="stdout")
    assert (code, shown) == (2, "")


@pytest.mark.parametrize(
    ("text", "flags", "is_shown"),
    [
        ("a " * 2_000, [], True),
        ("Hello.", [], False),
        ("Hello.", ["--progress"], True),
        ("a " * 2_000, ["--quiet"], False),
    ],
    ids=["long", "short", "asked for", "quiet"],
)
def test_progress(on_terminal, text, flags, is_shown):
    """A long text shows how many of its characters are spoken, on a terminal."""
    code, shown = on_terminal("say", text, "-o", "a.wav", "-p", "acme", *flags, stream="stderr")
    assert code == 0
    assert (f"of {len(text):,} characters" in shown) == is_shown


def test_progress_moves(on_terminal):
    """The bar counts the characters spoken."""
    _, shown = on_terminal("say", "a " * 2_000, "-o", "a.wav", "-p", "acme", stream="stderr")
    counts = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) of 4,000", shown)]
    assert 3_000 < max(counts) <= 4_000


def test_no_progress_elsewhere(process):
    """No bar is drawn where standard error is no terminal, even when asked for."""
    result = process("say", "a " * 2_000, "-o", "a.wav", "-p", "acme", "--progress")
    first, second = result.stderr.splitlines()
    assert first.startswith(b"vivavoce: wrote a.wav: ")
    assert second.startswith(b"vivavoce: note: text: emulated: 4000 characters are spoken in")


def test_table_on_terminal(on_terminal):
    """On a terminal a listing is a drawn table."""
    code, shown = on_terminal("providers", stream="stdout")
    assert code == 0
    assert "acme" in shown
    assert "─" in shown
