"""
How much a process grows while it speaks a long text into a file.

The long text is some 16 hours of speech: a WAV of 2.6 GB in the temporary folder, and minutes of
work.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine, median, peak_mb, prose, show

ROUNDS = 3
SIZES = {"10 kB": 10_000, "1 MB": 1_000_000}


def peak_of_process(characters: int) -> float:
    """Return the peak resident size of a fresh process that speaks so much, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text(prose(characters), "utf-8")
        command = [sys.executable, __file__, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def speak(path: str) -> None:
    """Speak the file's text into a file, print this process's peak."""
    from vivavoce import Client

    text = Path(path).read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder, Client("espeak") as client:
        client.save(text, Path(folder, "speech.wav"))
    print(peak_mb())


def main() -> None:
    """Measure in turn."""
    print(machine())
    peaks: dict[str, list[float]] = {name: [] for name in SIZES}
    for _ in range(ROUNDS):
        for name, characters in SIZES.items():
            peaks[name].append(peak_of_process(characters))
    least = median(peaks["10 kB"])
    rows = [
        (
            name,
            f"{median(all_):.1f}",
            f"{min(all_):.1f} to {max(all_):.1f}",
            f"{median(all_) - least:+.1f}",
        )
        for name, all_ in peaks.items()
    ]
    head = ("text", "MB, median", "least to greatest", "above 10 kB (goal: at most +8)")
    show(f"Peak resident memory, {ROUNDS} processes each", head, rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        speak(sys.argv[1])
    else:
        main()
