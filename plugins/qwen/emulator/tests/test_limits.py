import pytest

from vivavoce_qwen_emulator.limits import RateLimiter


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_so_many_in_any_minute():
    """A model takes its limit in any 60 seconds, and what was refused does not count."""
    clock = Clock()
    limiter = RateLimiter(2, clock)
    assert [limiter.admit("a", None) for _ in range(3)] == [True, True, False]
    clock.now_s = 59.9
    assert not limiter.admit("a", None)
    clock.now_s = 60.0
    assert [limiter.admit("a", None) for _ in range(3)] == [True, True, False]


def test_models_are_counted_apart():
    """What one model took leaves another alone."""
    limiter = RateLimiter(1, Clock())
    assert limiter.admit("a", None)
    assert limiter.admit("b", None)


@pytest.mark.parametrize(
    ("rpm", "own", "admitted"), [("off", 1, 3), ("on", 1, 1), ("on", None, 3), (2, 1, 2)]
)
def test_which_limit(rpm, own, admitted):
    """The limit is none, the model's own, or the given one."""
    limiter = RateLimiter(rpm, Clock())
    assert sum(limiter.admit("a", own) for _ in range(3)) == admitted


def test_too_many_requests(serve):
    """One request too many is refused with 429; a model and its alias share the limit."""
    service = serve(rpm=2)
    assert service.ask(model="qwen3-tts-flash").status_code == 200
    assert service.ask(model="qwen3-tts-flash-2025-11-27").status_code == 200
    reply = service.ask(model="qwen3-tts-flash", stream=True)
    assert (reply.status_code, reply.json()["code"]) == (429, "Throttling.RateQuota")
    assert service.ask(model="qwen3-tts-instruct-flash").status_code == 200


def test_own_limit(serve):
    """Switched on, a model has the limit of the table."""
    service = serve(rpm="on")
    statuses = [service.ask(model="qwen-tts", text="Hi").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
