"""
Write docs/reference/seeded-faults.md from the table of seeded faults.

    python tools/seeded_faults_page.py            # writes the page
    python tools/seeded_faults_page.py --check    # fails if the page is stale
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

KIT = Path(__file__).resolve().parent.parent / "contract_tests" / "tests" / "kit"


def main() -> None:
    """Write the page, or compare it."""
    sys.path.insert(0, str(KIT))
    table = importlib.import_module("seeded_faults")  # it stands among tests, not in a package
    page, path = table.render(), table.PAGE
    if "--check" not in sys.argv[1:]:
        path.write_text(page, "utf-8")
    elif not path.exists() or path.read_text("utf-8") != page:
        sys.exit(f"{path.name} is stale. Run: python tools/seeded_faults_page.py")


if __name__ == "__main__":
    main()
