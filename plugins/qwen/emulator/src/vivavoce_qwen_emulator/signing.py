"""Addresses that can be read for a while and cannot be made up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlencode

__all__ = ["Signer"]

_KEY_ID = "emulator"


class Signer:
    """
    Signs paths with a secret that is new in each process.

    Args:
        lifetime_s: Seconds for which a signature holds.
        clock: Seconds since 1970.
    """

    def __init__(self, lifetime_s: int, clock: Callable[[], float]) -> None:
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._secret = secrets.token_bytes(32)

    def expires_at(self) -> int:
        """Return when a signature made now ends, in UNIX seconds."""
        return int(self._clock()) + self._lifetime_s

    def query(self, path: str, expires_at: int) -> str:
        """Return the query that lets *path* be read until *expires_at*, in UNIX seconds."""
        return urlencode(
            {
                "Expires": expires_at,
                "OSSAccessKeyId": _KEY_ID,
                "Signature": self._signature(path, str(expires_at)),
            }
        )

    def verdict(self, path: str, query: Mapping[str, str]) -> Literal["good", "expired", "forged"]:
        """Return what to think of *query* on *path*."""
        expires = query.get("Expires", "")
        expected = self._signature(path, expires)
        is_genuine = hmac.compare_digest(
            expected.encode(), query.get("Signature", "").encode(errors="replace")
        )
        if not is_genuine or query.get("OSSAccessKeyId") != _KEY_ID:
            return "forged"
        # A genuine signature covers the number, so this is one of ours.
        return "good" if self._clock() < int(expires) else "expired"

    def _signature(self, path: str, expires: str) -> str:
        message = f"GET\n{expires}\n{path}".encode(errors="replace")
        return base64.b64encode(hmac.digest(self._secret, message, hashlib.sha256)).decode()
