"""What a tape counts as: its first line is not simply believed."""

from __future__ import annotations

from datetime import date

import attrs
import pytest

from vivavoce_contract.results import LETTERS
from vivavoce_contract.tapes import Event, Header, Origin, Source, Tape, TapeError
from vivavoce_contract.tapes.provenance import (
    WORDS,
    count,
    make_source,
    provenance,
    sentence,
)

TODAY = date(2026, 11, 25)
HERE = [
    "localhost",
    "LOCALHOST.",
    "api.localhost",
    "127.0.0.1",
    "127.1.2.3",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0.0.0.0",
    "::1",
    "[::1]",
    "[::1]:8080",
    "::ffff:127.0.0.1",
    "::",
    "127.0.0.1:8080",
    "localhost:80",
    "",
]


def make(kind: str, **header: object) -> Tape:
    url = "https://api.acme.example" if kind == "live" else ""
    plain: dict[str, object] = {
        "provider": "acme",
        "scenario": "speak",
        "source": Source(kind=Origin(kind), url=url),
        "recorded_at": "2026-11-25",
    }
    request = Event(t=0, conn=1, dir="c", k="request", line="GET / HTTP/1.1")
    return Tape(header=Header(**{**plain, **header}), events=[request]).sealed()  # type: ignore[arg-type]


@pytest.mark.parametrize("host", HERE)
def test_this_machine_is_never_live(host: str) -> None:
    """No spelling of this machine as upstream makes a live source."""
    with pytest.raises(TapeError, match="this machine"):
        make_source("live", host, url="https://api.acme.example")


@pytest.mark.parametrize("host", [host for host in HERE if host not in ("::1", "::")])
def test_a_live_tape_names_a_service(host: str) -> None:
    """A live source whose address is this machine or nothing cannot be made, read or written."""
    url = f"https://{host}/" if host.count(":") < 2 or "[" in host else f"https://[{host}]/"
    with pytest.raises(TapeError, match="kind is live"):
        Source(kind=Origin.LIVE, url=url)


def test_a_service_elsewhere_is_live() -> None:
    """An upstream elsewhere makes a live source, which names it."""
    source = make_source("live", "api.acme.example", name="acme", version="2026-01")
    assert (source.kind, source.url) == ("live", "https://api.acme.example")


def test_an_emulator_on_this_machine_is_an_emulator() -> None:
    """Other kinds may come from this machine."""
    assert make_source("emulator", "127.0.0.1", name="emu").kind is Origin.EMULATOR


@pytest.mark.parametrize("kind", list(Origin))
def test_a_sealed_tape_counts_as_what_it_says(kind: Origin) -> None:
    """A tape whose seal fits counts as what its first line says."""
    found = provenance(make(kind), TODAY)
    assert (found.kind, found.is_stale, found.reasons) == (kind, False, ())
    assert found.mark == LETTERS[kind]


@pytest.mark.parametrize("kind", ["live", "sdk", "emulator"])
@pytest.mark.parametrize("seal", ["", "0" * 64])
def test_what_was_changed_by_hand_is_documentation(kind: str, seal: str) -> None:
    """A recorded tape whose seal is missing or does not fit counts as typed."""
    tape = make(kind)
    tape = attrs.evolve(tape, header=attrs.evolve(tape.header, sha256=seal))
    found = provenance(tape, TODAY)
    assert found.kind is Origin.DOCUMENTATION
    assert kind in found.reasons[0]


def test_renaming_the_origin_gains_nothing() -> None:
    """A tape of an emulator whose first line is edited to live does not count as live."""
    text = make("emulator").to_bytes().decode()
    forged = text.replace('"kind":"emulator"', '"kind":"live","url":"https://api.acme.example"')
    read = Tape.parse(forged.encode())
    assert read.header.source.kind is Origin.LIVE
    assert provenance(read, TODAY).kind is Origin.DOCUMENTATION


def test_a_tape_goes_stale_after_its_review_day() -> None:
    """On its review day a tape is fresh, on the next it is stale and keeps its kind."""
    tape = make("emulator", review_by="2026-12-01")
    assert not provenance(tape, date(2026, 12, 1)).is_stale
    stale = provenance(tape, date(2026, 12, 2))
    assert (stale.mark, stale.kind) == ("E!", Origin.EMULATOR)
    assert "2026-12-01" in stale.reasons[0]


def test_the_sentence_says_what_is_not_verified() -> None:
    """The counts in words name what there is none of, so that it is seen."""
    edited = attrs.evolve(make("live"), header=attrs.evolve(make("live").header, sha256="1" * 64))
    tapes = [make("documentation"), make("emulator"), make("emulator"), edited, make("sdk")]
    counts = count(tapes, TODAY)
    assert sentence("acme", counts) == (
        "acme: 0 verified, 2 documented, 2 self-consistent, 1 verified for requests only, "
        "0 synthetic"
    )


def test_the_sentence_without_any_tape() -> None:
    """A provider without tapes has its zeros said."""
    assert sentence("acme", {}) == "acme: 0 verified, 0 documented, 0 self-consistent, 0 synthetic"


def test_each_kind_has_a_word_and_a_letter() -> None:
    """No kind of origin is left without a letter and a word in the reports."""
    assert set(WORDS) == set(Origin) == set(LETTERS)
