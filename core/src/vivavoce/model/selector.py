"""``provider[/model][:voice]``: the one string a program changes to swap providers."""

from __future__ import annotations

import re

from attrs import frozen

from vivavoce.errors import InvalidValue

__all__ = ["PROVIDER_NAME", "Selector"]

PROVIDER_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@frozen(kw_only=True)
class Selector:
    """
    Which provider, model and voice.

    Attributes:
        provider: Provider name, or None for the default one.
        model: Model name, or None for the provider's default.
        voice: Voice id, or None for the model's default.
    """

    provider: str | None = None
    model: str | None = None
    voice: str | None = None

    @classmethod
    def parse(cls, text: str) -> Selector:
        """
        Read ``provider``, ``provider/model``, ``provider:voice`` or ``provider/model:voice``.

        The provider ends at the first ``/`` or ``:``, the model at the first
        ``:`` after it; the voice is all the rest, so it may hold either sign.

        Raises:
            InvalidValue: If the provider is no lower-case name, or a part
                announced by its sign is empty.
        """
        head, colon, voice = text.partition(":")
        provider, slash, model = head.partition("/")
        is_complete = (model or not slash) and (voice or not colon)
        if not PROVIDER_NAME.fullmatch(provider) or not is_complete:
            msg = (
                f"{text!r} is no selector. Write provider, provider/model, provider:voice "
                "or provider/model:voice; the provider is a lower-case name."
            )
            raise InvalidValue(msg)
        return cls(provider=provider, model=model or None, voice=voice or None)

    def __str__(self) -> str:
        model = f"/{self.model}" if self.model else ""
        voice = f":{self.voice}" if self.voice else ""
        return f"{self.provider or ''}{model}{voice}"
