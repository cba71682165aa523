"""The clauses, in the order in which they are listed."""

from __future__ import annotations

from vivavoce_contract.clause import Clause
from vivavoce_contract.clauses import conduct, customizing, declaration, speech, wishes

__all__ = ["CLAUSES"]

CLAUSES: tuple[Clause, ...] = tuple(
    clause
    for area in (
        declaration.clause,
        speech.synthesis,
        speech.streaming,
        speech.text,
        wishes.languages,
        wishes.instructions,
        wishes.prosody,
        wishes.ssml,
        wishes.marks,
        wishes.formats,
        conduct.errors,
        conduct.lifecycle,
        conduct.timeouts,
        conduct.secrets,
        conduct.report,
        conduct.parity,
        conduct.sessions,
        conduct.own_voices,
        customizing.making,
    )
    for clause in area
)
"""All clauses; the rows of every report."""
