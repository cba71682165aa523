"""What the benchmarks share: medians, a table, a text to speak, the machine in neutral words."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[1]
LICENCE = ROOT / "LICENSE"


def machine() -> str:
    """Return what was measured on, and how busy it was."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"{platform.python_implementation()} {platform.python_version()}, load average {load}"
    )


def prose(characters: int) -> str:
    """Return English prose of this length: the licence's text, as often as needed."""
    text = " ".join(LICENCE.read_text("utf-8").split())
    return (text * (characters // len(text) + 1))[:characters]


@frozen
class Process:
    """What a whole process took, in seconds: by the clock, and of the processor."""

    wall_s: float
    cpu_s: float


def process(command: Sequence[str]) -> Process:
    """Run a process whose byte code an earlier one has compiled."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_environment())
    wall_s = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Process(wall_s, user_s + system_s)


@cache
def _environment() -> dict[str, str]:
    # Where byte code is not written, as in some containers, every start compiles every
    # module anew, and that is what would be measured. So it goes to a folder of its own.
    kept = {name: value for name, value in os.environ.items() if not _is_about_byte_code(name)}
    return {**kept, "PYTHONPYCACHEPREFIX": _byte_code().name}


def _is_about_byte_code(name: str) -> bool:
    return name in {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}


@cache
def _byte_code() -> tempfile.TemporaryDirectory[str]:
    # Kept, since the folder goes with the object.
    return tempfile.TemporaryDirectory(prefix="byte-code-")


def peak_mb() -> float:
    """
    Return the largest resident size this process has had, in MB of 2**20 bytes.

    Raises:
        OSError: If the system does not tell it (Linux does).
    """
    # Not getrusage(): its ru_maxrss also counts what the parent had when it forked.
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def program(name: str) -> str:
    """Return the path of a program beside this interpreter."""
    return str(Path(sys.executable).with_name(name))


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def paired(values: Sequence[float], others: Sequence[float]) -> str:
    """Return the ratios of two runs taken in turn: the median, and least and greatest."""
    ratios = sorted(value / other for value, other in zip(values, others, strict=True))
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}..{ratios[-1]:.2f}]"


def show(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
