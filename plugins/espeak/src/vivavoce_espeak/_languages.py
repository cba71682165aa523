"""
The engine's language codes as BCP-47 tags.

Most codes are tags already but for their letter case. The table has those which are not valid, or
which are valid but say something else ("ca-ba" would be Catalan of Bosnia, "ru-cl" Russian of
Chile).
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["bcp47_tag", "voice_tags"]

_CODES = {
    "ca-ba": "ca-x-balearic",
    "ca-nw": "ca-x-nw",
    "ca-va": "ca-valencia",
    "chr-us-qaaa-x-west": "chr-US-x-west",
    "en-us-nyc": "en-US-x-nyc",
    "hbs": "sh",  # the registry has the two-letter code only
    "hy-arevela": "hy",  # deprecated in favour of these two
    "hy-arevmda": "hyw",
    "piqd": "tlh-Piqd",  # Klingon, by the name of its script
    "py": "art-x-pyash",  # constructed languages without a code of their own
    "qdb": "art-x-belta",
    "ru-cl": "ru-x-classic",
    "xex": "art-x-xextan",
    "zh-cmn": "cmn",  # the extended form is no longer preferred
    "zh-yue": "yue",
}

# A voice whose codes do not tell it from its sibling.
_IDENTIFIERS = {"sit/yue-Latn-jyutping": ("yue-Latn-jyutping",)}


def bcp47_tag(code: str) -> str:
    """
    Return the BCP-47 tag of the engine's language *code*, in the usual letter case.

    Example: "en-us" gives "en-US", "cmn-latn-pinyin" gives "cmn-Latn-pinyin".
    """
    if tag := _CODES.get(code.lower()):
        return tag
    language, *rest = code.lower().split("-")
    parts = [language]
    for part in rest:
        if "x" in parts or not part.isalpha():
            parts.append(part)
        elif len(part) == 4:
            parts.append(part.capitalize())
        elif len(part) == 2:
            parts.append(part.upper())
        else:
            parts.append(part)
    return "-".join(parts)


def voice_tags(identifier: str, codes: Iterable[str]) -> tuple[str, ...]:
    """
    Return the tags of a voice, the one that fits best first and none twice.

    Args:
        identifier: The engine's identifier of the voice, e.g. "sit/cmn".
        codes: The engine's language codes of it, in its order.
    """
    tags = _IDENTIFIERS.get(identifier) or tuple(bcp47_tag(code) for code in codes)
    return tuple(dict.fromkeys(tags))
