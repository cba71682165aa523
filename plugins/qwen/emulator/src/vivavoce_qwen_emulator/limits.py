"""How many requests a minute a model takes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from vivavoce_qwen_emulator.settings import Rpm

__all__ = ["RateLimiter"]

_WINDOW_S = 60.0


class RateLimiter:
    """
    Counts the requests of the last minute, for each model.

    Args:
        rpm: The limit; see :class:`Settings`.
        clock: Seconds; only differences matter.
    """

    def __init__(self, rpm: Rpm, clock: Callable[[], float]) -> None:
        self._rpm = rpm
        self._clock = clock
        self._admitted: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, model: str, model_rpm: int | None) -> bool:
        """
        Return whether *model* takes one more request now, and count it if so.

        Args:
            model: What shares one limit.
            model_rpm: The model's own limit; None for no limit.
        """
        limit = self._limit(model_rpm)
        if limit is None:
            return True
        now_s, admitted = self._clock(), self._admitted[model]
        while admitted and now_s - admitted[0] >= _WINDOW_S:
            admitted.popleft()
        if len(admitted) >= limit:
            return False
        admitted.append(now_s)
        return True

    def _limit(self, model_rpm: int | None) -> int | None:
        if self._rpm == "off":
            return None
        return model_rpm if self._rpm == "on" else self._rpm
