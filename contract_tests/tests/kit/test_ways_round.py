"""The ways round the contract, tried one by one with pytest itself: each is seen, and fails."""

from __future__ import annotations

import json
from pathlib import Path

import local_providers
import numpy as np
import pytest
import soxr

from vivavoce_contract import engine, report
from vivavoce_contract.report import html, markdown, terminal
from vivavoce_contract.tapes import player

pytest_plugins = ["pytester"]

# A run in this process forgets what it was the first to load; of these there must not be two.
LOADED = (engine, html, local_providers, markdown, np, player, report, soxr, terminal)

HERE = Path(__file__).parent

PROVIDER = """
import sys
sys.path.insert(0, {here!r})
from local_providers import Modest, MODEST_INFO, Speaker, made
from vivavoce_contract import ProviderContract
from vivavoce_contract.clauses import CLAUSES

PLUGIN = made(base=MODEST_INFO)

"""
RIGHT = "class TestIt(ProviderContract):\n    provider = PLUGIN\n"
# These are of the plan alone, and take a moment.
QUICK = "test_txt_01 or test_txt_02 or test_dec_02"


@pytest.fixture
def examine(pytester):
    """Write a contract, run pytest on it in this process or beside it, and return its result."""

    def run(text, *arguments, beside=False):
        source = PROVIDER.format(here=str(HERE)) + text
        pytester.makepyfile(test_contract=source)
        pytester.makeini("[pytest]\nfilterwarnings = error\n")
        given = ("-p", "no:cacheprovider", "--contract-report", "report", *arguments)
        if beside:
            return pytester.runpytest_subprocess(*given)
        return pytester.runpytest_inprocess(*given)

    return run


@pytest.fixture
def cells(pytester):
    """Return what the written report says of each clause."""

    def read():
        plain = json.loads((pytester.path / "report" / "report.json").read_text("utf-8"))
        return {cell["clause"]: cell for cell in plain["cells"]}

    return read


def test_a_right_provider_ends_well(examine, cells, pytester):
    """A right provider's run ends with 0, and its report is written in three forms."""
    result = examine(RIGHT)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*contract of providers*", "*Every promise is kept*"])
    written = sorted(path.name for path in (pytester.path / "report").iterdir())
    assert written == ["report.html", "report.json", "report.md"]
    assert len(cells()) > 90


def test_a_provider_that_skips_is_seen(examine, cells):
    """A provider that calls pytest.skip fails by SELF-SKIP."""
    result = examine(
        "import pytest\n"
        "class Skips(Modest):\n"
        "    def open(self):\n"
        "        pytest.skip('not today')\n"
        "PLUGIN = made(Skips, base=MODEST_INFO)\n" + RIGHT,
        "-k",
        "test_syn_01",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    assert cells()["SYN-01"]["verdict"] == "SELF-SKIP"


def test_a_provider_that_expects_to_fail_is_seen(examine, cells):
    """A provider that calls pytest.xfail fails by SELF-SKIP."""
    result = examine(
        "import pytest\n"
        "class Fails(Modest):\n"
        "    def open(self):\n"
        "        pytest.xfail('it always did')\n"
        "PLUGIN = made(Fails, base=MODEST_INFO)\n" + RIGHT,
        "-k",
        "test_syn_01",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    assert cells()["SYN-01"]["verdict"] == "SELF-SKIP"


def test_a_fixture_that_skips_is_seen(examine, cells):
    """A fixture put in the place of the kit's own that skips fails by SELF-SKIP."""
    result = examine(
        "import pytest\n" + RIGHT + "    @pytest.fixture\n"
        "    def vivavoce_ask(self, request):\n"
        "        pytest.skip('no time')\n",
        "-k",
        QUICK,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes().get("skipped", 0) == 0
    assert {cells()[each]["verdict"] for each in ("TXT-01", "DEC-02")} == {"SELF-SKIP"}


def test_an_autouse_fixture_that_skips_is_seen(examine, cells):
    """A fixture that is used without being asked for, and skips, fails by SELF-SKIP."""
    result = examine(
        "import pytest\n" + RIGHT + "    @pytest.fixture(autouse=True)\n"
        "    def needs_a_key(self):\n"
        "        pytest.skip('no key')\n",
        "-k",
        QUICK,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes().get("skipped", 0) == 0
    assert {cells()[each]["verdict"] for each in ("TXT-01", "DEC-02")} == {"SELF-SKIP"}


def test_a_fixture_that_does_nothing_is_seen(examine, cells):
    """A fixture that lets every test pass leaves cells that did NOT RUN, and ends with 1."""
    result = examine(
        "import pytest\n" + RIGHT + "    @pytest.fixture\n"
        "    def vivavoce_ask(self, request):\n"
        "        return lambda *given: None\n"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "TXT-01" not in cells()
    result.stdout.fnmatch_lines(["TXT-01*NOT RUN*"])


@pytest.mark.parametrize(
    "marked",
    [
        "@pytest.mark.skip(reason='later')\n" + RIGHT,
        "@pytest.mark.skipif(True, reason='later')\n" + RIGHT,
        "pytestmark = pytest.mark.xfail(reason='it always did')\n" + RIGHT,
        "pytestmark = [pytest.mark.skip]\n" + RIGHT,
        RIGHT + "    pytestmark = pytest.mark.xfail\n",
    ],
    ids=["skip", "skipif", "xfail-module", "skip-module", "xfail-class"],
)
def test_a_mark_is_seen(examine, cells, marked):
    """A mark that skips or expects to fail, on class or module, fails by MARKED."""
    result = examine("import pytest\n" + marked, "-k", QUICK)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=3)
    assert {cell["verdict"] for cell in cells().values()} == {"MARKED"}


def test_marks_of_others_in_the_file_count(examine):
    """A test beside the contract may be skipped, for reasons of its own."""
    result = examine(
        "import pytest\n" + RIGHT + "@pytest.mark.skip(reason='of its own')\n"
        "def test_other():\n"
        "    raise AssertionError\n",
        "-k",
        f"{QUICK} or test_other",
    )
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, skipped=1)


@pytest.mark.parametrize(
    "body",
    [
        "    def test_txt_01(self): pass\n",
        "    def test_txt_01(self, vivavoce_ask): pass\n",
        "    test_txt_01 = lambda self: None\n",
    ],
    ids=["plain", "with-the-fixture", "lambda"],
)
def test_a_test_in_the_place_of_a_clause_is_seen(examine, cells, body):
    """A method put in the place of a clause's fails by OVERRIDDEN."""
    result = examine(RIGHT + body, "-k", QUICK)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert cells()["TXT-01"]["verdict"] == "OVERRIDDEN"
    assert cells()["TXT-02"]["verdict"] == "pass"


def test_a_dropped_test_is_seen(examine, cells):
    """A clause whose test is set to None did NOT RUN, which ends the run with 1."""
    result = examine(RIGHT + "    test_txt_01 = None\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "TXT-01" not in cells()
    result.stdout.fnmatch_lines(["TXT-01*NOT RUN*"])
    assert result.parseoutcomes().get("failed", 0) == 0


def test_a_selection_is_told_and_is_no_failure(examine, cells, pytester):
    """What -k leaves out is told in the report, and does not fail the run."""
    result = examine(RIGHT, "-k", "test_txt_01")
    assert result.ret == pytest.ExitCode.OK
    assert set(cells()) == {"TXT-01"}
    plain = json.loads((pytester.path / "report" / "report.json").read_text("utf-8"))
    assert plain["selection"] == "-k test_txt_01"


def test_a_selection_does_not_hide_a_failure(examine):
    """A clause that is selected and broken fails a part of a run as well."""
    result = examine(RIGHT + "    def test_txt_01(self): pass\n", "-k", "test_txt_01")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_runtest_protocol(item):\n    return 'txt_01' in item.name or None\n",
        (
            "def pytest_collection_modifyitems(items):\n"
            "    items[:] = [item for item in items if 'txt_01' not in item.name]\n"
        ),
    ],
    ids=["does-not-run", "does-not-collect"],
)
def test_a_hook_that_leaves_a_test_out_is_seen(examine, cells, pytester, hook):
    """A hook of the project's own that quietly leaves a test out leaves a cell that did NOT RUN."""
    pytester.makeconftest(hook)
    result = examine(RIGHT)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "TXT-01" not in cells()
    result.stdout.fnmatch_lines(["TXT-01*NOT RUN*"])


@pytest.mark.slow
def test_with_workers_it_is_the_same(examine, cells, pytester):
    """With pytest-xdist the cells of all workers come together in one report."""
    result = examine(RIGHT, "-n", "2", beside=True)
    assert result.ret == pytest.ExitCode.OK
    assert len(cells()) > 90
    written = sorted(path.name for path in (pytester.path / "report").iterdir())
    assert written == ["report.html", "report.json", "report.md"]


@pytest.mark.slow
def test_with_workers_a_dropped_test_is_seen(examine, cells):
    """With pytest-xdist what is dropped did NOT RUN too, what is overridden is seen."""
    result = examine(
        RIGHT + "    test_txt_01 = None\n    def test_txt_02(self): pass\n", "-n", "2", beside=True
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "TXT-01" not in cells()
    assert cells()["TXT-02"]["verdict"] == "OVERRIDDEN"
    result.stdout.fnmatch_lines(["TXT-01*NOT RUN*"])


@pytest.mark.slow
def test_with_workers_a_selection_is_told(examine, pytester):
    """With pytest-xdist a selection is told as well, and is no failure."""
    result = examine(RIGHT, "-k", QUICK, "-n", "2", beside=True)
    assert result.ret == pytest.ExitCode.OK
    plain = json.loads((pytester.path / "report" / "report.json").read_text("utf-8"))
    assert plain["selection"] == f"-k {QUICK}"
