"""
Tapes: recorded conversations with a service, in place of which they are played.

What is on one and how it is read stands here; what opens sockets is loaded when it is named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vivavoce_contract.tapes.format import (
    BLOB_ABOVE_BYTES,
    ORIGIN,
    Direction,
    Event,
    Exchange,
    Header,
    Headers,
    Kind,
    Limits,
    Match,
    Origin,
    Scrub,
    Source,
    Tape,
    TapeError,
)

if TYPE_CHECKING:
    from vivavoce_contract.tapes.player import Player
    from vivavoce_contract.tapes.recorder import Recorder

__all__ = [
    "BLOB_ABOVE_BYTES",
    "ORIGIN",
    "Direction",
    "Event",
    "Exchange",
    "Header",
    "Headers",
    "Kind",
    "Limits",
    "Match",
    "Origin",
    "Player",
    "Recorder",
    "Scrub",
    "Source",
    "Tape",
    "TapeError",
]

_LAZY = {"Player": "player", "Recorder": "recorder"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = importlib.import_module(f"{__name__}.{_LAZY[name]}")
    return getattr(module, name)
