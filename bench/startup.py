"""
Cold processes: what importing and listing cost, against what they stand on.

``import vivavoce`` loads no module but its own, since its names are resolved when they are first
used. So the larger figure is measured as well: a program that speaks also pays for ``Client``.
"""

from __future__ import annotations

import sys

from common import Process, machine, median, paired, process, program, show

ROUNDS = 25

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import click": [sys.executable, "-c", "import click"],
    "import httpx2": [sys.executable, "-c", "import httpx2"],
    "import attrs, pluggy": [sys.executable, "-c", "import attrs, pluggy"],
    "import vivavoce": [sys.executable, "-c", "import vivavoce"],
    "from vivavoce import Client": [sys.executable, "-c", "from vivavoce import Client"],
    "vivavoce --help": [program("vivavoce"), "--help"],
    "vivavoce voices": [program("vivavoce"), "voices"],
}


GOALS = (
    ("import vivavoce", "import httpx2", 0.6),
    ("vivavoce --help", "import click", 3.0),
    ("vivavoce voices", "import click", 3.0),
)


def main() -> None:
    """Measure in turn, print medians and ratios."""
    print(machine())
    for command in COMMANDS.values():
        process(command)  # writes the byte code
    taken: dict[str, list[Process]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            taken[name].append(process(command))
    wall = {name: [one.wall_s for one in all_] for name, all_ in taken.items()}
    cpu = {name: [one.cpu_s for one in all_] for name, all_ in taken.items()}
    rows = [
        (name, f"{median(wall[name]) * 1e3:.0f}", f"{median(cpu[name]) * 1e3:.0f}")
        for name in COMMANDS
    ]
    show(f"Start-up, {ROUNDS} rounds in turn", ("process", "ms, median", "processor ms"), rows)
    ratios: list[tuple[str, ...]] = [
        (name, against, _ratio(wall, name, against), _ratio(cpu, name, against), f"{goal:g}")
        for name, against, goal in GOALS
    ]
    also = ("from vivavoce import Client", "import attrs, pluggy")
    ratios += [
        (name, "import httpx2", *(_ratio(by, name, "import httpx2") for by in (wall, cpu)), "-")
        for name in also
    ]
    head = ("process", "against", "by the clock", "processor time", "goal, at most")
    show("Ratios in turn, median [least..greatest]", head, ratios)
    print("\nAgainst `import httpx2` a bare interpreter's start is subtracted from both.")


def _ratio(seconds: dict[str, list[float]], name: str, against: str) -> str:
    start = median(seconds["python -c pass"]) if against == "import httpx2" else 0.0
    return paired([s - start for s in seconds[name]], [s - start for s in seconds[against]])


if __name__ == "__main__":
    main()
