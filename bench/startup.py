"""
Cold processes: what importing and listing cost, against what they stand on.

``import vivavoce`` loads no module but its own, since its names are resolved when they are first
used. So the larger figure is measured as well: a program that speaks also pays for ``Client``.
"""

from __future__ import annotations

import sys

from common import machine, median, paired, process_s, program, show

ROUNDS = 15

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


def main() -> None:
    """Measure in turn, print medians and ratios."""
    for command in COMMANDS.values():
        process_s(command)  # writes the byte code
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            seconds[name].append(process_s(command))
    bare = median(seconds["python -c pass"])
    httpx = median(seconds["import httpx2"]) - bare
    click = median(seconds["import click"])
    rows = [
        (
            name,
            f"{median(values) * 1e3:.0f}",
            f"{(median(values) - bare) / httpx:.2f}",
            f"{median(values) / click:.2f}",
        )
        for name, values in seconds.items()
    ]
    print(machine())
    head = (
        "process",
        "ms, median",
        "x `import httpx2`, start subtracted",
        "x `import click`, whole",
    )
    show(f"Start-up, {ROUNDS} rounds in turn", head, rows)
    goals = [
        ("import vivavoce", "import httpx2, start subtracted", bare, "import httpx2", 0.6),
        ("vivavoce --help", "import click, whole process", 0.0, "import click", 3.0),
        ("vivavoce voices", "import click, whole process", 0.0, "import click", 3.0),
    ]
    rows = [
        (
            name,
            against,
            paired([s - less for s in seconds[name]], [s - less for s in seconds[other]]),
            f"{goal:g}",
        )
        for name, against, less, other, goal in goals
    ]
    head = ("process", "against", "ratio in turn, median [least..greatest]", "goal, at most")
    show("Against the goals", head, rows)


if __name__ == "__main__":
    main()
