"""
Examines a provider against what it claims, offline, from recorded tapes.

>>> from vivavoce_contract import ProviderContract
>>> class TestAcme(ProviderContract):
...     provider = "acme"

or, with no file at all, ``vivavoce contract acme``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vivavoce_contract.contract import Deviation, ProviderContract

__all__ = ["Deviation", "ProviderContract"]


def __getattr__(name: str) -> object:
    # Loaded when asked for: pytest imports this package in every run, to find the plugin.
    if name in __all__:
        from vivavoce_contract import contract

        return getattr(contract, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
