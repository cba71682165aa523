"""Which of the offered languages answers a wish."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from vivavoce.errors import UnknownLanguage

__all__ = ["match_language"]

# langcodes' scale: 0 the same, up to 9 differences of region that speakers take
# in their stride (en-AU for en-GB), 10 and more another script or language.
FARTHEST = 9


def match_language(wanted: str, offered: Iterable[str]) -> tuple[str, bool] | None:
    """
    Return the offered tag that answers *wanted*, and whether it is the same language.

    Args:
        wanted: A BCP-47 tag.
        offered: BCP-47 tags; order decides between equals.

    Returns:
        The tag as offered, and True where nothing is lost (``en`` answered by
        ``en-US``), False for a neighbour (``en-AU`` answered by ``en-GB``). None when
        nothing is near.

    Raises:
        UnknownLanguage: If *wanted* is no registered tag.
    """
    return _match(wanted, tuple(offered))


@functools.lru_cache(maxsize=256)
def _match(wanted: str, offered: tuple[str, ...]) -> tuple[str, bool] | None:
    folded = wanted.casefold()
    for tag in offered:
        if tag.casefold() == folded:
            return tag, True
    import langcodes  # 70 ms: only where the easy answer does not do

    if not langcodes.tag_is_valid(wanted):
        if _is_variety(wanted):
            return None  # well formed, registered by nobody: what is not offered is not near
        msg = f"{wanted!r} is no registered BCP-47 language tag. Write it like 'en' or 'pt-BR'."
        raise UnknownLanguage(msg, name=wanted)
    distance, tag = min(
        ((langcodes.tag_distance(wanted, tag), tag) for tag in offered),
        key=lambda pair: pair[0],
        default=(FARTHEST + 1, ""),
    )
    if distance <= FARTHEST:
        return tag, distance == 0
    # Scripts are far apart to a reader; a voice may well speak what it is not written in.
    primary = langcodes.Language.get(wanted).language
    tag = next((tag for tag in offered if langcodes.Language.get(tag).language == primary), "")
    return (tag, False) if tag else None


def _is_variety(tag: str) -> bool:
    """Return whether nothing but the variants of *tag* keeps it from being registered."""
    import langcodes

    try:
        parsed = langcodes.Language.get(tag)
    except ValueError:
        return False
    plain = langcodes.Language.make(
        language=parsed.language, script=parsed.script, territory=parsed.territory
    )
    return bool(parsed.variants) and plain.is_valid()
