"""What a tape may be called evidence of, whatever its first line says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from attrs import frozen

from vivavoce_contract.results import LETTERS
from vivavoce_contract.tapes.event import TapeError
from vivavoce_contract.tapes.format import Tape
from vivavoce_contract.tapes.header import Origin, Source, is_loopback

__all__ = ["WORDS", "Provenance", "count", "make_source", "provenance", "sentence"]

WORDS: Mapping[Origin, str] = {
    Origin.LIVE: "verified",
    Origin.DOCUMENTATION: "documented",
    Origin.EMULATOR: "self-consistent",
    Origin.SDK: "verified for requests only",
    Origin.SYNTHETIC: "synthetic",
}
"""What each kind counts as, in a report and in the README."""

_RECORDED = (Origin.LIVE, Origin.SDK, Origin.EMULATOR)
# These are said of every provider, 0 too: that nothing is verified must be seen.
_ALWAYS = (Origin.LIVE, Origin.DOCUMENTATION, Origin.EMULATOR, Origin.SYNTHETIC)


@frozen(kw_only=True)
class Provenance:
    """
    What a tape counts as.

    Attributes:
        kind: As what; not always what its first line says.
        is_stale: Whether its review is overdue.
        reasons: Why it counts as less than it says, or is stale; a sentence each.
    """

    kind: Origin
    is_stale: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """Its letter in a report, with ``!`` when it is stale."""
        return LETTERS[self.kind] + ("!" if self.is_stale else "")


def provenance(tape: Tape, today: date) -> Provenance:
    """
    Return what *tape* counts as.

    A tape that says it was recorded and whose seal does not fit was changed by hand, so it
    counts as typed from documentation; on the day after ``review_by`` it is stale.
    """
    header = tape.header
    reasons = []
    kind = header.source.kind
    if kind in _RECORDED and not tape.is_sealed:
        what = "does not fit" if header.sha256 else "is missing"
        reasons.append(f"Its seal {what}, so it does not count as {kind}: record it again.")
        kind = Origin.DOCUMENTATION
    is_stale = today > header.review_by
    if is_stale:
        reasons.append(f"It was to be reviewed by {header.review_by}: record it again.")
    return Provenance(kind=kind, is_stale=is_stale, reasons=tuple(reasons))


def make_source(kind: str, upstream_host: str = "", **facts: Any) -> Source:
    """
    Return the source of a tape that is being recorded.

    Args:
        kind: What is recorded.
        upstream_host: The host that requests go to, or empty where nothing is recorded.
        **facts: The other fields of :class:`Source`; ``url`` is made of the host, if not given.

    Raises:
        TapeError: If *kind* is live and the host, or that of ``url``, is this machine.
    """
    if kind == Origin.LIVE:
        # The host that is really asked counts, whatever address is given.
        if is_loopback(upstream_host):
            msg = (
                f"kind is live and upstream_host is {upstream_host!r:.80}, which is this machine. "
                "Use emulator for a stand-in."
            )
            raise TapeError(msg)
        facts["url"] = facts.get("url") or f"https://{upstream_host}"
    return Source(kind=Origin(kind), **facts)


def count(tapes: Iterable[Tape], today: date) -> Counter[Origin]:
    """Return how many of *tapes* count as what; stale ones count as what they are."""
    return Counter(provenance(tape, today).kind for tape in tapes)


def sentence(provider: str, counts: Mapping[Origin, int]) -> str:
    """
    Return the counts in words, as they stand in the README.

    Example: ``qwen: 0 verified, 14 documented, 9 self-consistent, 6 synthetic``
    """
    kinds = [kind for kind in WORDS if kind in _ALWAYS or counts.get(kind)]
    return f"{provider}: " + ", ".join(f"{counts.get(kind, 0)} {WORDS[kind]}" for kind in kinds)
