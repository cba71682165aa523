"""
Write docs/reference/clauses.md: every clause of the contract, and what the tapes here are.

    python tools/clauses_page.py            # writes the page
    python tools/clauses_page.py --check    # fails if it, or the README's counts, are stale
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.tapes import Tape
from vivavoce_contract.tapes.provenance import count, sentence

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "clauses.md"
README = ROOT / "README.md"

HEAD = """\
# Clauses

Written by `tools/clauses_page.py` from the contract kit; a test fails when it is stale.
`vivavoce contract --list` prints the same.

A clause about a capability is asked of every model. Where the capability is claimed, the
promise must be kept; where it is not, the wish must be refused by type before anything is
sent. What is about a network is asked only of models that are reached over one, and reported
as n/a of others. A *should* fails a run like a *must*: a provider that has its reasons names
them as a deviation.

"""


def main() -> None:
    """Write the page, or compare it."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, "utf-8")
        return
    if not PAGE.exists() or PAGE.read_text("utf-8") != page:
        sys.exit(f"{PAGE.name} is stale. Run: python tools/clauses_page.py")
    for said in sentences():
        if said not in " ".join(README.read_text("utf-8").split()):
            sys.exit(f"The README does not say: {said}")


def sentences() -> list[str]:
    """Return what the tapes of each provider are, in a sentence."""
    today = datetime.now(UTC).date()
    told = []
    for folder in sorted((ROOT / "cassettes").iterdir()):
        tapes = [Tape.read(path) for path in sorted(folder.glob("*.tape"))]
        if tapes:
            told.append(sentence(folder.name, count(tapes, today)))
    return told


def render() -> str:
    """Return the page."""
    parts = [HEAD, f"There are {len(CLAUSES)} clauses.\n"]
    area = ""
    for clause in CLAUSES:
        if clause.area != area:
            area = clause.area
            parts.append(f"\n## {area[0].upper()}{area[1:]}\n")
            parts.append("| id | promise | level | about | where to look |\n|---|---|---|---|---|")
        about = f"`{clause.capability}`" if clause.capability else ""
        parts.append(
            f"| {clause.id} | {clause.sentence} | {clause.level} | {about} | {clause.where} |"
        )
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
