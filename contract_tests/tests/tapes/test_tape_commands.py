"""``vivavoce tape``, without what opens sockets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from vivavoce import VivavoceError
from vivavoce_contract import tape_commands
from vivavoce_contract.tapes import Event, Header, Origin, Source, Tape


def make(body: bytes = b'{"a":1}', **header: Any) -> Tape:
    plain: dict[str, Any] = {
        "provider": "acme",
        "scenario": "speak",
        "source": Source(kind=Origin.EMULATOR, name="emu", driver="acme-sdk 2.0"),
        "recorded_at": "2026-11-25",
        "review_by": "2999-01-01",
    }
    common: dict[str, Any] = {"conn": 1}
    return Tape(
        header=Header(**{**plain, **header}),
        events=[
            Event(t=0, **common, dir="c", k="request", line="POST /a HTTP/1.1", data=b"{}"),
            Event(t=0.25, **common, dir="s", k="response", line="HTTP/1.1 200 OK"),
            Event(t=0.5, **common, dir="s", k="chunk", data=body),
            Event(t=0.5, **common, dir="s", k="end"),
        ],
    )


def run(*arguments: object) -> Result:
    return CliRunner().invoke(tape_commands.tape, [str(each) for each in arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    make().write(tmp_path / "good.tape")
    return tmp_path / "good.tape"


def test_show_prints_origin_and_events(good: Path) -> None:
    """A tape is shown with its origin, its mark, and each event with time, side and size."""
    done = run("show", good)
    assert done.exit_code == 0
    for word in ("[E] emulator: emu", "acme-sdk 2.0", "0.250", "service", "POST /a", "chunk"):
        assert word in done.output
    assert next(line for line in done.output.splitlines() if "chunk" in line).split() == [
        *("0.500", "1", "service", "chunk", "7"),
        '{"a":1}',
    ]


def test_show_as_json_is_complete(good: Path) -> None:
    """As JSON there are header, provenance and all events."""
    plain = json.loads(run("show", good, "--json").output)
    assert plain["header"]["provider"] == "acme"
    assert plain["provenance"] == {"kind": "emulator", "mark": "E", "reasons": []}
    assert [event["bytes"] for event in plain["events"]] == [2, 0, 7, 0]


def test_show_steers_no_terminal(tmp_path: Path) -> None:
    """Nothing on a tape gets to the terminal as a control character."""
    make(b"\x1b]0;owned\x07", scenario="a\x1b[2J").write(tmp_path / "a.tape")
    output = run("show", tmp_path / "a.tape").output
    assert "\x1b" not in output
    assert "\x07" not in output


def test_show_names_the_fault_of_what_is_no_tape(tmp_path: Path) -> None:
    """What is no tape is refused with the file and the line."""
    (tmp_path / "a.tape").write_text("{}\n")
    done = run("show", tmp_path / "a.tape")
    assert isinstance(done.exception, VivavoceError)
    assert "a.tape, line 1" in str(done.exception)


def test_verify_passes_good_tapes_in_folders(good: Path) -> None:
    """Tapes in a folder and below it are checked, and good ones end with 0."""
    (good.parent / "sub").mkdir()
    make().write(good.parent / "sub" / "other.tape")
    done = run("verify", good.parent, "--json")
    assert done.exit_code == 0
    assert [Path(row["tape"]).name for row in json.loads(done.output)] == [
        "good.tape",
        "other.tape",
    ]


def _edited() -> bytes:
    return make().to_bytes().replace(b"200 OK", b"201 OK")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_edited(), "seal does not fit"),
        (_edited().replace(b"emulator", b"synthetic"), "seal does not fit"),
        (make(review_by="2026-11-26").to_bytes(), "was to be reviewed by 2026-11-26"),
        (make(b'{"key":"sk-0123456789abcdefgh"}').to_bytes(), "line 4: it has 'sk-012…'"),
        (make(b"\xffsk-0123456789abcdefgh").to_bytes(), "line 4: it has 'sk-012…'"),
        (make().to_bytes()[:-20], "line 5: It is not JSON"),
        (b"", "line 1: It is not JSON"),
    ],
    ids=["edited", "edited synthetic", "stale", "key", "key in base64", "torn", "empty"],
)
def test_verify_names_each_fault(tmp_path: Path, good: Path, data: bytes, words: str) -> None:
    """A tape that was edited, is stale, torn or has a key on it ends with 2 and the reason."""
    (tmp_path / "bad.tape").write_bytes(data)
    done = run("verify", good, tmp_path / "bad.tape", "--today", "2026-11-27")
    assert done.exit_code == 2
    rows = [line for line in done.output.splitlines() if ".tape" in line]
    assert rows[0].endswith("ok")
    assert words in rows[1]


def test_verify_of_nothing_fails(tmp_path: Path) -> None:
    """A folder without tapes is a fault: nothing was checked."""
    assert run("verify", tmp_path).exit_code == 2


def test_verify_refuses_what_is_no_day(good: Path) -> None:
    """A day that is none is a usage error."""
    assert run("verify", good, "--today", "tomorrow").exit_code == 2


def test_diff_prints_the_difference_in_shape(tmp_path: Path, good: Path) -> None:
    """Tapes of the same shape end with 0 and no word, others with 2 and the lines that differ."""
    make(b'{"a":2}').write(tmp_path / "same.tape")
    make(b'{"a":"2"}').write(tmp_path / "other.tape")
    assert (run("diff", good, tmp_path / "same.tape").output) == ""
    done = run("diff", good, tmp_path / "other.tape")
    assert done.exit_code == 2
    assert done.output.splitlines() == ["- POST /a reply: $.a number", "+ POST /a reply: $.a text"]


def test_a_cassette_goes_out_and_comes_in(tmp_path: Path, good: Path) -> None:
    """A tape exported to vcrpy and imported again has the same shape."""
    pytest.importorskip("vcr")
    assert run("export-vcr", good, tmp_path / "c.yaml").exit_code == 0
    assert run("import-vcr", tmp_path / "c.yaml", tmp_path / "back.tape").exit_code == 0
    assert run("diff", good, tmp_path / "back.tape").exit_code == 0


def test_an_imported_cassette_is_scrubbed(tmp_path: Path) -> None:
    """What a cassette has in its headers is dropped on the way in, unless it is listed."""
    pytest.importorskip("vcr")
    tape = make()
    asked = attrs.evolve(tape.events[0], headers=[("Authorization", "Bearer k"), ("X-A", "b")])
    from vivavoce_contract.tapes.vcr import to_vcr

    to_vcr(attrs.evolve(tape, events=[asked, *tape.events[1:]]), tmp_path / "c.yaml")
    run("import-vcr", tmp_path / "c.yaml", tmp_path / "back.tape", "--keep-header", "x-a")
    read = Tape.read(tmp_path / "back.tape")
    assert read.events[0].headers == (("Authorization", "<dropped>"), ("X-A", "b"))


def test_an_archive_is_written(tmp_path: Path, good: Path) -> None:
    """An HTTP archive is JSON with one entry for each request."""
    assert run("export-har", good, tmp_path / "a.har").exit_code == 0
    assert len(json.loads((tmp_path / "a.har").read_bytes())["log"]["entries"]) == 1


def test_the_help_lists_the_commands() -> None:
    """The help names every command, those with sockets too, without importing those."""
    output = run("--help").output
    for name in ("show", "verify", "diff", "import-vcr", "export-vcr", "export-har"):
        assert name in output


def test_looking_at_tapes_loads_no_network() -> None:
    """The commands come without the modules that open sockets, vcrpy or pytest."""
    code = (
        "import sys, vivavoce_contract.tape_commands as t;"
        "from click.testing import CliRunner; CliRunner().invoke(t.tape, ['--help']);"
        "print([m for m in ('vcr', 'httpx2', 'websockets', 'pytest') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
