import pytest


@pytest.fixture
def complete(run, monkeypatch):
    """Return what is offered behind the words given."""

    def ask(*words):
        monkeypatch.setenv("_VIVAVOCE_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["vivavoce", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        lines = run().stdout.splitlines()
        return [line.partition(",")[2] for line in lines if line]

    return ask


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script(run, shell):
    """The script of a shell is printed."""
    result = run("completion", shell)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_VIVAVOCE_COMPLETE={shell}_complete" in result.stdout


def test_other_shell(run):
    """A shell that is not known is a usage error which names those that are."""
    result = run("completion", "csh")
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


def test_commands(complete):
    """Commands are completed."""
    assert complete("pro") == ["providers"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["say", "-p", "a"], ["acme"]),
        (["say", "-p", ""], ["acme", "dear"]),
        (["say", "-p", "acme/"], ["acme/one"]),
        (["say", "-p", "nobody/"], []),
        (["voices", "d"], ["dear"]),
        (["models", "--provider", "d"], ["dear"]),
        (["doctor", "ac"], ["acme"]),
    ],
    ids=" ".join,
)
def test_selectors(complete, words, offered):
    """Providers and models are completed wherever a selector may stand."""
    assert complete(*words) == offered
