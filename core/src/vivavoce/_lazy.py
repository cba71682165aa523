"""Names of a door, each resolved when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """
    Return a module-level ``__getattr__`` that imports each name from its home.

    Args:
        module: Name of the door.
        homes: Public name to the module that defines it.
    """

    def resolve(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            msg = f"module {module!r} has no attribute {name!r}"
            raise AttributeError(msg)
        return getattr(importlib.import_module(home), name)

    return resolve
