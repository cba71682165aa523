import copy
import io
import logging
import pickle
import traceback

import pytest

from vivavoce.model.secret import Secret

CANARY = "sk-canary-9f8e7d6c"


def test_is_never_shown():
    """repr, str, format and a container's repr do not show the secret."""
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr({"key": [secret]})]
    assert not any(CANARY in text for text in shown)


def test_is_not_logged():
    """A log line with the secret as an argument does not show it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("test-secret")
    logger.addHandler(handler)
    logger.warning("key %s %r", Secret(CANARY), {"k": Secret(CANARY)})
    logger.removeHandler(handler)
    assert "***" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_is_not_in_a_traceback_with_locals():
    """A traceback that prints local variables does not show the secret."""

    def fail():
        key = Secret(CANARY)  # noqa: F841 - it is to be seen in the traceback
        raise KeyError

    with pytest.raises(KeyError) as caught:
        fail()
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    text = "".join(lines)
    assert "Secret('***')" in text
    assert CANARY not in text.replace(f'CANARY = "{CANARY}"', "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_is_not_pickled(protocol):
    """Pickling is refused, whatever the protocol."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(CANARY), protocol)


def test_is_copied_as_itself():
    """Copying values that hold a secret keeps working."""
    secret = Secret(CANARY)
    assert secret is copy.deepcopy({"key": secret})["key"]
    assert secret is copy.copy(secret)


def test_reveals_when_asked():
    """Only reveal gives it out, without the white space copied along."""
    assert Secret(f"  {CANARY}\n").reveal() == CANARY
    assert f"Bearer {CANARY}" == Secret(CANARY).prefixed("Bearer ").reveal()


def test_compares_by_value():
    """Equal secrets are equal, and equal to nothing else."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.parametrize(("value", "truth"), [("", False), ("  ", False), ("k", True)])
def test_an_empty_one_is_false(value, truth):
    """A secret of nothing counts as none."""
    assert truth is bool(Secret(value))
