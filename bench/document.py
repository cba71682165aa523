"""A whole document, spoken to WAV and to MP3 with captions: `document.py [PATH]`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import LICENCE, machine, peak_mb, show


def speak(document: Path, ending: str) -> None:
    """Speak *document* in this process and print what it took as JSON."""
    from vivavoce import Client

    text = document.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder, Client("espeak") as client:
        audio, captions = Path(folder, f"speech{ending}"), Path(folder, "speech.vtt")
        begun = time.perf_counter()
        report = client.save(text, audio, captions=captions)
        took = {
            "characters": len(text),
            "audio_s": report.audio_s,
            "total_s": time.perf_counter() - begun,
            "requests": report.segments,
            "megabytes": audio.stat().st_size / 1e6,
            "captions": captions.read_text("utf-8").count(" --> "),
            "peak_mb": peak_mb(),
        }
    print(json.dumps(took))


def main(document: Path) -> None:
    """Speak to both formats, each in a fresh process."""
    print(machine())
    rows = []
    for ending in (".wav", ".mp3"):
        command = [sys.executable, __file__, str(document), ending]
        took = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        rows.append(
            (
                ending,
                took["characters"],
                took["requests"],
                f"{took['audio_s'] / 60:.1f} min",
                f"{took['total_s']:.2f} s",
                f"{took['total_s'] / took['audio_s']:.4f}",
                f"{took['megabytes']:.1f}",
                took["captions"],
                f"{took['peak_mb']:.0f} MB",
            )
        )
    head = (
        "file",
        "characters",
        "requests",
        "speech",
        "time",
        "RTF",
        "MB",
        "captions",
        "peak memory",
    )
    show(f"A whole document ({document.name}) with captions", head, rows)


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LICENCE
    if len(sys.argv) > 2:
        speak(path, sys.argv[2])
    else:
        main(path)
