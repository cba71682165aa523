"""All benchmarks, one after the other, or those named: `make bench [ARGS="startup memory"]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ALL = ("startup", "espeak", "memory", "sync_face", "document", "sse", "ws")


def main() -> None:
    """Run each in a process of its own."""
    for name in sys.argv[1:] or ALL:
        if name not in ALL:
            sys.exit(f"There is no benchmark {name!r}. Choose of: {', '.join(ALL)}.")
        print(f"\n## {name}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py"))], check=True)


if __name__ == "__main__":
    main()
