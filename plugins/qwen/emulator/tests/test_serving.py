import logging
import socket
import subprocess
import sys
import threading

import httpx2
import pytest
from click.testing import CliRunner

from vivavoce_qwen_emulator import Settings
from vivavoce_qwen_emulator.cli import _read_voices, main
from vivavoce_qwen_emulator.serving import is_loopback
from vivavoce_qwen_emulator.testing import running_emulator

VC, VD = "qwen3-tts-vc-2026-01-22", "qwen3-tts-vd-2026-01-26"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.2", False),
        ("example.org", False),
    ],
)
def test_what_is_loopback(host, expected):
    """A loopback address is one that other machines cannot reach."""
    assert is_loopback(host) is expected


def test_refuses_to_be_exposed():
    """An address other machines can reach is refused unless it is asked for."""
    done = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0"])
    assert done.exit_code == 2
    assert "--expose" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--region", "mars"], "ap-southeast-1, cn-beijing"),
        (["--rpm", "many"], "a number from 1"),
        (["--rpm", "0"], "a number from 1"),
        (["--chunk-bytes", "0"], "x>=1"),
        (["--voice", "qwen3-tts-flash=qwen-tts-vc-a"], "qwen3-tts-vc-2026-01-22"),
        (["--voice", "qwen-tts-vc-a"], "qwen3-tts-vc-2026-01-22"),
    ],
)
def test_refuses_bad_settings(arguments, words):
    """What is unusable is refused with what is not."""
    done = CliRunner().invoke(main, ["serve", *arguments])
    assert done.exit_code == 2
    assert words in done.output


def test_voices_on_the_command_line(tmp_path):
    """Voices to begin with come one by one and from a table, such as a contract's."""
    table = tmp_path / "contract.toml"
    table.write_text(f'[own_voices]\n{VD} = "qwen-tts-vd-b"\n{VC} = "qwen-tts-vc-b"\n')
    assert _read_voices((f"{VC}=qwen-tts-vc-a",), str(table)) == {
        VC: ["qwen-tts-vc-a", "qwen-tts-vc-b"],
        VD: ["qwen-tts-vd-b"],
    }
    assert _read_voices((), None) == {}


@pytest.mark.parametrize("text", ["", "own_voices = 1", "[[own_voices"])
def test_a_table_without_voices(tmp_path, text):
    """A file without such a table is told so."""
    table = tmp_path / "contract.toml"
    table.write_text(text)
    done = CliRunner().invoke(main, ["serve", "--port", "0", "--voices-of", str(table)])
    assert done.exit_code == 2
    assert "own_voices" in done.output


def test_a_file_that_keeps_no_voices(tmp_path):
    """A file that is no database is told in a sentence, and is left as it was."""
    path = tmp_path / "voices.sqlite"
    path.write_bytes(b"something else" * 100)
    done = CliRunner().invoke(main, ["serve", "--port", "0", "--voices-path", str(path)])
    assert done.exit_code == 1
    assert f"Cannot keep voices in '{path}'" in done.output
    assert path.read_bytes() == b"something else" * 100


def test_port_in_use():
    """A port in use is told in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(main, ["serve", "--port", port])
    assert done.exit_code == 1
    assert f"port {port}" in done.output


def test_lists_faults():
    """The command lists each fault with its parameters."""
    done = CliRunner().invoke(main, ["faults"])
    assert done.exit_code == 0
    assert "cut\n  Closes the connection" in done.output


def test_serves_as_a_command():
    """The command says where it serves, does, and ends with Ctrl-C, without further words."""
    import signal

    command = [sys.executable, "-c", "from vivavoce_qwen_emulator.cli import main; main()"]
    arguments = ["serve", "--port", "0", "--key", "sk-a", "--key", "ap-southeast-1=sk-b"]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said = process.stdout.readline()
            assert said.startswith("Serving cn-beijing at http://127.0.0.1:")
            assert process.stdout.readline().startswith("and realtime sessions at ws://127.0.0.1:")
            url = f"{said.split()[-1]}/services/aigc/multimodal-generation/generation"
            statuses = [
                httpx2.post(url, json={}, headers={"authorization": f"Bearer {key}"}).status_code
                for key in ("sk-a", "sk-b", "sk-c")
            ]
            assert statuses == [400, 401, 401]
        finally:
            process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=10)
    assert rest == "Stopped.\n"
    assert process.returncode == 0


def test_leaves_nothing_behind(caplog):
    """After the block the port is free, no thread is left, and nothing was logged."""
    caplog.set_level(logging.DEBUG)
    before = threading.active_count()
    with running_emulator() as emulator:
        emulator.fault("stall", after=0)
        url = httpx2.URL(emulator.base_url)
        # A stream that stalls for ever must not hold up the end.
        stalled = socket.create_connection((url.host, url.port))
        stalled.sendall(b"GET /_emulator/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert stalled.recv(12) == b"HTTP/1.1 200"
    stalled.close()
    assert threading.active_count() == before
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(emulator.base_url)


def test_ends_while_an_answer_stalls(caplog):
    """An answer that stalls for ever does not hold up the end."""
    body = {"model": "qwen3-tts-flash", "input": {"text": "Hi", "voice": "Cherry"}}
    headers = {"authorization": "Bearer sk-x", "x-dashscope-sse": "enable"}
    with httpx2.Client() as http:
        with running_emulator() as emulator:
            emulator.fault("stall", after=1)
            url = f"{emulator.base_url}/services/aigc/multimodal-generation/generation"
            reply = http.send(
                http.build_request("POST", url, json=body, headers=headers), stream=True
            )
            pieces = reply.iter_bytes()
            assert next(pieces)
        assert emulator.wait_for_end() == "left"
        with pytest.raises(httpx2.RemoteProtocolError):
            list(pieces)
    assert caplog.records == []


def test_ends_while_a_session_lasts(caplog):
    """A session in which speech stalls for ever does not hold up the end."""
    from contextlib import ExitStack

    from websockets.exceptions import ConnectionClosedError
    from websockets.sync.client import connect

    with ExitStack() as stack:
        with running_emulator() as emulator:
            emulator.fault("ws-slow", seconds=0)
            url = f"{emulator.ws_url}?model=qwen3-tts-flash-realtime"
            headers = {"authorization": "Bearer sk-x"}
            session = stack.enter_context(connect(url, additional_headers=headers, proxy=None))
            session.send('{"event_id": "1", "type": "input_text_buffer.append", "text": "Yes"}')
            session.send('{"event_id": "2", "type": "input_text_buffer.commit"}')
            while "content_part.added" not in session.recv(timeout=5):
                pass
        assert emulator.wait_for_end() == "left"
        with pytest.raises(ConnectionClosedError):
            session.recv(timeout=5)
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_command_takes_every_setting():
    """Each setting but the clock is an option of the command, most with the same default."""
    from dataclasses import fields

    options = main.commands["serve"].make_context("serve", []).params
    assert {"keys", "voices"} <= options.keys()
    for field in fields(Settings):
        if field.name not in {"clock", "keys", "voices"}:
            assert options[field.name] == getattr(Settings(), field.name)


def test_unusable_settings():
    """An unusable setting is refused with what may be chosen."""
    with pytest.raises(ValueError, match=r"pace='slow'.*full, real"):
        Settings(pace="slow")
    with pytest.raises(ValueError, match="cn-beijing"), running_emulator(keys={"mars": ["a"]}):
        pass
    with pytest.raises(ValueError, match=r"cancel='maybe'.*obeyed, error"):
        Settings(cancel="maybe")
    with pytest.raises(ValueError, match=r"idle_code=1006.*1000, 1001, 1011"):
        Settings(idle_code=1006)


def test_errors_of_the_test_pass_through():
    """What a test raises comes out as it was."""
    with pytest.raises(KeyError), running_emulator():
        raise KeyError("mine")


def test_importing_loads_nothing_heavy():
    """Importing the package loads neither a server nor a client."""
    code = (
        "import sys, vivavoce_qwen_emulator.cli;"
        "print(sorted({'uvicorn', 'starlette', 'httpx2', 'vivavoce'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
