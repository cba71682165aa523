"""How much a process grows while it speaks a long text into a file."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine, median, prose, show

ROUNDS = 1
SIZES = {"10 kB": 10_000, "1 MB": 1_000_000}


def peak_mb(characters: int) -> float:
    """Return the peak resident size of a fresh process that speaks so much, in MB."""
    done = subprocess.run(
        [sys.executable, __file__, str(characters)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def speak(characters: int) -> None:
    """Speak into a file, print this process's peak."""
    from vivavoce import Client

    with tempfile.TemporaryDirectory() as folder, Client("espeak") as client:
        client.save(prose(characters), Path(folder, "speech.wav"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure in turn."""
    print(machine())
    peaks: dict[str, list[float]] = {name: [] for name in SIZES}
    for _ in range(ROUNDS):
        for name, characters in SIZES.items():
            peaks[name].append(peak_mb(characters))
    least = median(peaks["10 kB"])
    rows = [
        (name, f"{median(all_):.1f}", f"{median(all_) - least:+.1f}")
        for name, all_ in peaks.items()
    ]
    show(f"Peak resident memory, {ROUNDS} processes each", ("text", "MB", "above 10 kB"), rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        speak(int(sys.argv[1]))
    else:
        main()
