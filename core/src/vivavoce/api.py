"""Calls of the library itself: say something, without keeping a client."""

from __future__ import annotations

import os
from typing import Unpack

from vivavoce.audio.result import Audio
from vivavoce.blocking import Client
from vivavoce.face import Wishes
from vivavoce.model.report import Report

__all__ = ["save", "say"]


def say(text: str, selector: str | None = None, **wishes: Unpack[Wishes]) -> Audio:
    """
    Return *text* as audio, spoken by the provider of *selector* or the default one.

    For more than one call make a :class:`vivavoce.Client`, which keeps connections.

    Raises:
        VivavoceError: See :meth:`vivavoce.Client.synthesize`.
    """
    with Client(selector) as client:
        return client.synthesize(text, **wishes)


def save(
    text: str,
    path: str | os.PathLike[str],
    selector: str | None = None,
    *,
    captions: str | os.PathLike[str] | None = None,
    **wishes: Unpack[Wishes],
) -> Report:
    """
    Speak *text* into a file; see :meth:`vivavoce.Client.save`.

    Raises:
        VivavoceError: As there.
    """
    with Client(selector) as client:
        return client.save(text, path, captions=captions, **wishes)
