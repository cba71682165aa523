"""A speaker a model can use."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import field, frozen

__all__ = ["Gender", "Voice", "VoiceOrigin"]


class VoiceOrigin(enum.StrEnum):
    """Where a voice comes from: the provider, a recording, a description."""

    STOCK = "stock"
    CLONED = "cloned"
    DESIGNED = "designed"


class Gender(enum.StrEnum):
    """How the provider describes the voice; ``unknown`` where it says nothing."""

    FEMALE = "female"
    MALE = "male"
    NEUTRAL = "neutral"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Voice:
    """
    A speaker a model can use.

    Attributes:
        id: What the provider is sent, exactly (case counts, spaces may occur).
        name: Name for people; the id where there is no other.
        native_name: The name in the provider's own script, or empty.
        languages: BCP-47 tags it speaks, its own language first.
        dialects: BCP-47 tags of varieties it speaks in place of the standard.
        gender: As the provider describes it.
        description: One line, in our words.
        origin: Stock, cloned or designed.
        models: Names of the models it may be used with.
        created_at: When it was made, as the provider says; without a zone where it names
            none. None for stock voices.
    """

    id: str
    name: str = ""
    native_name: str = ""
    languages: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    gender: Gender = field(default=Gender.UNKNOWN, converter=Gender)
    description: str = ""
    origin: VoiceOrigin = field(default=VoiceOrigin.STOCK, converter=VoiceOrigin)
    models: tuple[str, ...] = ()
    created_at: datetime | None = None
