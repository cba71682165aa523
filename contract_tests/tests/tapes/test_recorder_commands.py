import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from vivavoce_contract.tapes import Tape, recorder_commands

pytestmark = pytest.mark.usefixtures("nothing_left")

KEY = "sk-0123456789abcdefghij"


@pytest.fixture
def run(monkeypatch):
    """Run a command; when it serves, call *use* with the address it prints, then Ctrl-C."""

    def run(command, *arguments, use=lambda _url: None, **env):
        served = []

        def until_interrupted():
            use(served[-1])

        def echo(message, **options):
            served.extend(re.findall(r"http://127\.0\.0\.1:\d+\S*", str(message))[-1:])
            shown(message, **options)

        shown = recorder_commands.click.echo
        with monkeypatch.context() as patch:
            patch.setattr(recorder_commands, "_until_interrupted", until_interrupted)
            patch.setattr(recorder_commands.click, "echo", echo)
            return CliRunner().invoke(command, [str(each) for each in arguments], env=env)

    return run


def answer(peer):
    while peer.request()[0]:
        peer.begin()
        peer.send_chunk(b"one")
        peer.send_chunk(b"two")
        peer.send(b"0\r\n\r\n")


ACME = ("--provider", "acme", "--scenario", "speak")


def test_records_and_plays(run, service, client, tmp_path):
    """What ``record`` has written ``play`` plays, and each says what came of it."""
    path = tmp_path / "new" / "speak.tape"
    url = service.serve(answer) + "/v1"

    def use(url):
        head = f"Authorization: Bearer {KEY}\r\nX-Mode: sse\r\n"
        assert client(url).fetch(body=b'{"text": "a", "id": 1}', headers=head)[2] == b"onetwo"

    options = ("--match", "text", "--keep-header", "x-mode", "--secret-env", "ACME_KEY")
    done = run(recorder_commands.record, url, "-o", path, *ACME, *options, use=use, ACME_KEY=KEY)
    assert done.exit_code == 0, done.output
    assert f"{path}: 1 request, 2 chunks." in done.output
    tape = Tape.read(path)
    assert (tape.header.match.body, tape.header.source.kind) == (("text",), "emulator")
    assert tape.events[0].header("x-mode") == "sse"
    assert KEY not in path.read_text()

    def use_again(url):
        assert url.endswith("/v1")
        assert client(url).fetch(body=b'{"text": "a", "id": 2}')[2] == b"onetwo"

    done = run(recorder_commands.play, path, use=use_again)
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        0,
        "All was played: 1 requests, as recorded.",
    )


def test_play_lists_what_went_wrong(run, talk, client, tmp_path):
    """Differences and what was not played are listed, and the exit code is 4."""
    path = tmp_path / "a.tape"
    talk().asked(b'{"text": "one"}').answered().ended().tape().write(path)
    done = run(recorder_commands.play, path, use=lambda url: client(url).fetch(body=b"{}"))
    assert done.exit_code == 4
    assert "different: POST /speech is like no request" in done.output
    assert "not played: acme/speak exchange 1 (POST /speech)" in done.output


def test_nothing_recorded_writes_nothing(run, service, tmp_path):
    """Without a request no file is written, and the exit code is 2."""
    path = tmp_path / "a.tape"
    done = run(recorder_commands.record, service.url, "-o", path, *ACME)
    assert done.exit_code == 2
    assert "Nothing was recorded" in done.output
    assert not path.exists()


def test_a_tape_with_a_key_is_not_written(run, service, client, tmp_path):
    """A tape on which the key is found is refused, and what was there stays."""
    path = tmp_path / "a.tape"
    path.write_text("before")

    def echo(peer):
        peer.request()
        peer.reply(b'{"you": "my secret words"}')

    done = run(
        recorder_commands.record,
        service.serve(echo),
        *("-o", path, *ACME, "--secret-env", "ACME_KEY"),
        use=lambda url: client(url).fetch(),
        ACME_KEY="my secret words",
    )
    assert done.exit_code != 0
    assert path.read_text() == "before"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("127.0.0.1", "-o", "x.tape"), "no http"),
        (("http://127.0.0.1:1", "-o", "x.tape", "--kind", "live"), "kind is live"),
        (("http://127.0.0.1:1", "-o", "x.tape", "--secret-env", "NOT_SET"), "NOT_SET"),
    ],
)
def test_refuses_before_it_serves(run, arguments, said):
    """An address that is none, a lie about it, and a variable that is not set are refused."""
    done = run(recorder_commands.record, *arguments, *ACME, NOT_SET=None)
    assert done.exit_code != 0
    assert said in f"{done.output} {done.exception}"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no Ctrl-C to send")
def test_ends_with_ctrl_c(service, client, tmp_path):
    """Ctrl-C ends the recording and writes the tape."""
    path = tmp_path / "a.tape"
    url = service.serve(answer)
    program = [sys.executable, "-m", "vivavoce"]
    with subprocess.Popen(
        [*program, "tape", "record", url, "-o", path, *ACME],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as running:
        watchdog = threading.Timer(30, running.kill)
        watchdog.start()
        assert running.stdout is not None
        address = running.stdout.readline().split()[-1]
        assert client(address).fetch()[2] == b"onetwo"
        running.send_signal(signal.SIGINT)
        assert "1 request, 2 chunks" in running.stdout.read()
        assert running.wait() == 0
        watchdog.cancel()
        watchdog.join()
    assert len(Tape.read(path).events) == 5
