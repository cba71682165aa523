"""The names that look like one that is not there, for messages."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return up to three of *known* that look like *name*, best first."""
    import difflib  # only on the way to an error

    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    return tuple(by_folded[folded] for folded in found)


def did_you_mean(near: tuple[str, ...]) -> str:
    """Return the question to put into a message, with a space after it; empty for none."""
    return f"Did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
