"""
Write docs/reference/capabilities.md from the plugins of this repository.

    python tools/capability_table.py            # writes the page
    python tools/capability_table.py --check    # fails if the page is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from vivavoce import Capabilities, Claim, ModelCard, SynthesizerInfo, providers
from vivavoce.model.capability import NAMES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "capabilities.md"
LONGEST_LIST = 12

HEAD = """\
# Capability table

Written by `tools/capability_table.py` from what the plugins of this repository claim; a
test fails when it is stale. The same is had at run time, with all values, limits, notes
and evidence: `vivavoce capabilities PROVIDER/MODEL`, or `vivavoce.capabilities(...)`.

Models that claim the same are one column; what all models of a provider that are reached in the
same way claim alike stands apart.
"""


@frozen(kw_only=True)
class Column:
    """
    Models of one family that claim the same.

    Attributes:
        cards: At least one; the first gives the column its name.
    """

    cards: tuple[ModelCard, ...]

    @property
    def name(self) -> str:
        """Name of the first model."""
        return self.cards[0].name

    @property
    def claims(self) -> Capabilities:
        """What each of them claims."""
        return self.cards[0].capabilities


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
    return HEAD + "".join(_provider(info) for info in providers() if info.name in ours)


def _provider(info: SynthesizerInfo) -> str:
    columns = _columns(info.models)
    ways = list(dict.fromkeys(column.cards[0].transports for column in columns))
    parts = [f"\n## {info.name}\n\n{info.title}.\n"]
    for way in ways:
        chosen = [column for column in columns if column.cards[0].transports == way]
        whose = info.name if len(ways) == 1 else f"{info.name} over {' and '.join(way)}"
        if len(ways) > 1:
            parts.append(f"\n### {whose}\n")
        parts.append(_tables(info, chosen))
        parts.append(_notes(f"{'###' if len(ways) == 1 else '####'} Notes on {whose}", chosen))
    return "".join(parts)


def _columns(cards: tuple[ModelCard, ...]) -> list[Column]:
    columns: dict[tuple[object, ...], list[ModelCard]] = {}
    for card in cards:
        key = (card.family or card.name, card.transports, card.capabilities)
        columns.setdefault(key, []).append(card)
    return [Column(cards=tuple(group)) for group in columns.values()]


def _tables(info: SynthesizerInfo, columns: list[Column]) -> str:
    if len(columns) == 1:
        heads = [f"{info.name}/{columns[0].name}"]
        return _table(NAMES, columns, heads) + _unknown(columns) + _members(columns)
    alike = [name for name in NAMES if len({_cell(c.claims[name]) for c in columns}) == 1]
    differing = [name for name in NAMES if name not in alike]
    return (
        _table(differing, columns, [column.name for column in columns])
        + _unknown(columns)
        + _members(columns)
        + _table(alike, columns[:1], ["all of them"])
    )


def _table(names: tuple[str, ...] | list[str], columns: list[Column], heads: list[str]) -> str:
    lines = ["", "| capability | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in names:
        cells = [_cell(column.claims[name]) for column in columns]
        lines.append(f"| `{name}`: {Capabilities.meaning(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _unknown(columns: list[Column]) -> str:
    counts = (sum(claim.support == "unknown" for _, claim in c.claims) for c in columns)
    return "| **unknown** | " + " | ".join(map(str, counts)) + " |\n"


def _cell(claim: Claim) -> str:
    if len(claim.values) > LONGEST_LIST:
        return f"{claim.support.value}: {len(claim.values)} values"
    return str(claim)


def _members(columns: list[Column]) -> str:
    """Return which other models a column stands for."""
    lines = []
    for column in columns:
        others = [f"`{card.name}`" for card in column.cards[1:]]
        if others:
            lines.append(f"- The column `{column.name}` holds for {', '.join(others)} too.")
    return "\n".join(["", *lines]) + "\n" if lines else ""


def _notes(heading: str, columns: list[Column]) -> str:
    lines = [f"\n{heading}\n"]
    lines += [line for column in columns for card in column.cards for line in _of_card(card)]
    for name in NAMES:
        found: dict[str, list[str]] = {}
        for column in columns:
            if note := column.claims[name].note:
                found.setdefault(note, []).append(column.name)
        for note, holders in found.items():
            whose = "" if len(holders) == len(columns) else f" ({', '.join(holders)})"
            lines.append(f"- `{name}`{whose}: {note}")
    return "\n".join([*lines, *_options(columns)]) + "\n"


def _of_card(card: ModelCard) -> Iterator[str]:
    alias = f"Means `{card.alias_of}` today." if card.alias_of else ""
    unavailable = f"Unavailable: {card.unavailable}" if card.unavailable else ""
    said = " ".join(part for part in (card.note, alias, unavailable) if part)
    if said:
        yield f"- model `{card.name}`: {said}"


def _options(columns: list[Column]) -> Iterator[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for column in columns:
        for option in column.cards[0].options:
            found.setdefault((option.name, option.meaning), []).append(column.name)
    for (name, meaning), holders in found.items():
        whose = "" if len(holders) == len(columns) else f" ({', '.join(holders)})"
        yield f"- option `{name}`{whose}: {meaning}"


if __name__ == "__main__":
    main()
