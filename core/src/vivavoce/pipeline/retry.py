"""Whether and when to ask again: one rule for all providers."""

from __future__ import annotations

import random

from attrs import field, frozen, validators

from vivavoce.errors import RateLimited, VivavoceError

__all__ = ["Retry"]


@frozen(kw_only=True)
class Retry:
    """
    How often to ask again, while no audio has come.

    Attributes:
        attempts: Requests in all, the first included; 1 never asks again.
        first_wait_s: Wait before the second request; doubled each time, with up to
            a quarter more or less, so that many clients do not come back together.
        longest_wait_s: Bound on one wait. A provider that asks for a longer one
            (``Retry-After``) is not asked again: the caller decides.
    """

    attempts: int = field(default=3, validator=validators.ge(1))
    first_wait_s: float = field(default=0.5, validator=validators.ge(0))
    longest_wait_s: float = field(default=20.0, validator=validators.ge(0))

    def wait_s(self, error: VivavoceError, *, attempt: int, audio_came: bool) -> float | None:
        """
        Return the seconds to wait before asking again, or None to give up.

        Args:
            error: What ended the attempt.
            attempt: Its number, from 1.
            audio_came: Whether any audio of the utterance has come already. Then
                asking again could say it twice, so it is never done.
        """
        if audio_came or not error.retryable or attempt >= self.attempts:
            return None
        if isinstance(error, RateLimited) and error.retry_after_s is not None:
            fits = error.retry_after_s <= self.longest_wait_s
            return error.retry_after_s if fits else None
        wait_s: float = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        return wait_s * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
