import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.errors import ConnectionLost, ProviderUnavailable, RateLimited, RequestRejected
from vivavoce.pipeline.retry import Retry


@given(attempt=st.integers(1, 9))
def test_never_after_audio(attempt):
    """Once audio has come nothing is asked again."""
    error = ProviderUnavailable("down")
    assert Retry(attempts=10).wait_s(error, attempt=attempt, audio_came=True) is None


@given(attempt=st.integers(1, 30), longest=st.floats(0, 100))
def test_waits_grow_within_bounds(attempt, longest):
    """A wait doubles each time, a quarter more or less, up to the longest."""
    retry = Retry(attempts=99, first_wait_s=0.5, longest_wait_s=longest)
    wait = retry.wait_s(ConnectionLost("cut"), attempt=attempt, audio_came=False)
    expected = min(0.5 * 2 ** (attempt - 1), longest)
    assert 0.75 * expected <= wait <= 1.25 * expected


def test_only_what_can_help():
    """A request that is wrong stays wrong however often it is sent."""
    assert Retry().wait_s(RequestRejected("bad"), attempt=1, audio_came=False) is None


def test_attempts_are_bounded():
    """After the last attempt there is none more."""
    retry = Retry(attempts=2)
    assert retry.wait_s(ConnectionLost("cut"), attempt=1, audio_came=False) is not None
    assert retry.wait_s(ConnectionLost("cut"), attempt=2, audio_came=False) is None


@pytest.mark.parametrize(("asked", "wait"), [(3.0, 3.0), (20.0, 20.0), (21.0, None)])
def test_the_provider_says_when(asked, wait):
    """Retry-After is obeyed to the second, and where it is too long nothing is asked again."""
    error = RateLimited("slow down", retry_after_s=asked)
    assert wait == Retry(longest_wait_s=20.0).wait_s(error, attempt=1, audio_came=False)
