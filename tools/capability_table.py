"""
Write docs/reference/capabilities.md from the plugins of this repository.

    python tools/capability_table.py            # writes the page
    python tools/capability_table.py --check    # fails if the page is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

from vivavoce import Capabilities, Claim, ModelCard, SynthesizerInfo, providers
from vivavoce.model.capability import NAMES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "capabilities.md"
LONGEST_LIST = 8

HEAD = """\
# Capability table

Written by `tools/capability_table.py` from what the plugins of this repository claim; a
test fails when it is stale. The same is had at run time, with all values, limits, notes
and evidence: `vivavoce capabilities PROVIDER/MODEL`, or `vivavoce.capabilities(...)`.

"""


def main() -> None:
    """Write the page, or compare it."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != page:
        sys.exit(f"{PAGE.name} is stale. Run: python tools/capability_table.py")


def render() -> str:
    """Return the page for the providers whose plugins lie in this repository."""
    ours = {folder.name for folder in (ROOT / "plugins").iterdir()}
    models = [(info, card) for info in providers() if info.name in ours for card in info.models]
    return HEAD + _overview(models) + _details(models)


def _overview(models: list[tuple[SynthesizerInfo, ModelCard]]) -> str:
    names = [f"{info.name}/{card.name}" for info, card in models]
    lines = ["| capability | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for name in NAMES:
        cells = [_cell(card.capabilities[name]) for _, card in models]
        lines.append(f"| `{name}`: {Capabilities.meaning(name)} | " + " | ".join(cells) + " |")
    unknown = [str(sum(c.support == "unknown" for _, c in card.capabilities)) for _, card in models]
    lines.append("| **unknown** | " + " | ".join(unknown) + " |")
    return "\n".join(lines) + "\n"


def _cell(claim: Claim) -> str:
    if len(claim.values) > LONGEST_LIST:
        return f"{claim.support.value}: {len(claim.values)} values"
    return str(claim)


def _details(models: list[tuple[SynthesizerInfo, ModelCard]]) -> str:
    parts = []
    for info, card in models:
        notes = [(name, claim) for name, claim in card.capabilities if claim.note]
        lines = [f"\n## {info.name}/{card.name}\n", f"{info.title}. {card.note}".strip() + "\n"]
        lines += [f"- `{name}`: {claim.note}" for name, claim in notes]
        lines += [f"- option `{option.name}`: {option.meaning}" for option in card.options]
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    main()
