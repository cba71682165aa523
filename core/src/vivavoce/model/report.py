"""What happened: who spoke, how fast, at what cost, and what was not native."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal

from attrs import field, frozen

from vivavoce.model.secret import Secret

__all__ = ["Decision", "End", "How", "Report"]


class How(enum.StrEnum):
    """How a wish is met: by the model, by core, or not at all."""

    NATIVE = "native"
    EMULATED = "emulated"
    REFUSED = "refused"


class End(enum.StrEnum):
    """How a stream ended. A failure is an error instead, with its own report."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    FAILED = "failed"


@frozen(kw_only=True)
class Decision:
    """
    What the plan says of one wish.

    Attributes:
        wish: Capability or field it is about, such as ``sample_rate_hz``.
        how: Native, emulated or refused.
        detail: What exactly, in a sentence.
    """

    wish: str
    how: How
    detail: str

    def __str__(self) -> str:
        return f"{self.wish}: {self.how.value}: {self.detail}"


@frozen(kw_only=True)
class Report:
    """
    What is known after a synthesis, or so far.

    Attributes:
        provider: Who spoke.
        model: The model asked.
        voice: Voice id used; empty when the provider chose.
        end: How it ended; None while it runs.
        request_ids: The provider's ids, one a request, in order.
        segments: Requests the text was split into so far.
        characters: Characters (code points) of text spoken so far.
        ttfa_s: Seconds from the start to the first playable sample, or None.
        total_s: Seconds from the start to the end, or so far.
        audio_s: Seconds of audio delivered.
        usage: Billed units as the provider counts them, by name.
        cost: Money by the price table, or None when it is not known.
        currency: ISO 4217 code of the cost; empty when there is none.
        warnings: What was not native, and what the provider warned of.
        facts: Other facts the provider told, such as where the audio can be had again and
            until when; of each, one value a request that told it, in order. A
            :class:`~vivavoce.Secret` among them opens something to whoever has it.
    """

    provider: str
    model: str
    voice: str = ""
    end: End | None = None
    request_ids: tuple[str, ...] = ()
    segments: int = 0
    characters: int = 0
    ttfa_s: float | None = None
    total_s: float = 0.0
    audio_s: float = 0.0
    usage: Mapping[str, float] = field(factory=dict)
    cost: Decimal | None = None
    currency: str = ""
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, tuple[str | Secret, ...]] = field(factory=dict)

    @property
    def rtf(self) -> float | None:
        """Real-time factor: synthesis time over audio time; None without audio."""
        return self.total_s / self.audio_s if self.audio_s else None
