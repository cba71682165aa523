"""``python -m vivavoce`` is the command ``vivavoce``."""

from __future__ import annotations

from vivavoce.cli import main

main()
