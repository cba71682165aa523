"""Whether a text is in the language it should be in: by its script first, then by a library."""

from __future__ import annotations

import enum
import functools
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import frozen

from vivavoce.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Doubt", "LanguageLook", "look_at_language", "primary_language"]

# Fewer letters than this tell no language, nor do fewer Chinese characters that it is not Japanese.
LEAST_LETTERS = 12
LEAST_HAN = 15
# Of the letters, so many make a script the text's own; a syllable counts as three letters.
OWN_SHARE = 0.6
KANA_SHARE = 0.15
# The library is believed from here on, and if it gives the stated languages no more than this.
# A few words can be borrowed ones ("baritone, sotto voce"), so it must be surer of them.
POSSIBLE = 0.05
LIKELY = 0.6
SURE = 0.8
SURE_OF_FEW_WORDS = 0.95
FEW_WORDS = 4

_HAN, _KANA, _HANGUL, _LATIN = "Chinese characters", "kana", "hangul", "Latin letters"
_BLOCKS = {
    "CJK": _HAN,
    "IDEOGRAPHIC": _HAN,
    "HIRAGANA": _KANA,
    "KATAKANA": _KANA,
    "KATAKANA-HIRAGANA": _KANA,
    "HALFWIDTH": _KANA,
    "HANGUL": _HANGUL,
    "LATIN": _LATIN,
    "FULLWIDTH": _LATIN,
}
_SYLLABIC = frozenset({_HAN, _KANA, _HANGUL})
# ISO 15924 codes of languages' usual scripts to what is counted above.
_OF_CODE = {
    "Hans": {_HAN},
    "Hant": {_HAN},
    "Hani": {_HAN},
    "Jpan": {_HAN, _KANA},
    "Kore": {_HANGUL},
    "Latn": {_LATIN},
    "Cyrl": {"CYRILLIC"},
    "Grek": {"GREEK"},
    "Arab": {"ARABIC"},
    "Hebr": {"HEBREW"},
    "Thai": {"THAI"},
    "Deva": {"DEVANAGARI"},
    "Armn": {"ARMENIAN"},
    "Geor": {"GEORGIAN"},
    "Taml": {"TAMIL"},
    "Telu": {"TELUGU"},
    "Khmr": {"KHMER"},
}
# What a text in Latin letters is taken for if it is none of the languages asked for. Dialects and
# small neighbours are left out: they would share the certainty of the large ones.
_LARGE_LATIN = {
    *("ca", "cs", "da", "de", "en", "es", "fi", "fr", "hr", "hu", "id", "it"),
    *("nl", "no", "pl", "pt", "ro", "sk", "sv", "sw", "tl", "tr", "vi"),
}


class Doubt(enum.Enum):
    """What became of the look."""

    NONE = "it is one of them, or too short to tell"
    LIKELY = "it is probably another language"
    OTHER = "it is another language"
    NO_LIBRARY = "the library that would tell is absent"


@frozen(kw_only=True)
class LanguageLook:
    """
    What was seen.

    Attributes:
        doubt: Whether there is any.
        found: What the text is or probably is, such as ``'fr'`` or ``Cyrillic``; else empty.
    """

    doubt: Doubt
    found: str = ""


_FINE = LanguageLook(doubt=Doubt.NONE)


def primary_language(tag: str) -> str:
    """
    Return the language of a BCP-47 tag without region or script, such as ``zh`` of ``cmn-CN``.

    Raises:
        InvalidValue: If it is no tag of a language.
    """
    import langcodes
    from langcodes.tag_parser import LanguageTagError

    try:
        language = langcodes.Language.get(langcodes.standardize_tag(tag, macro=True)).language
    except (LanguageTagError, AttributeError, TypeError) as error:
        msg = f"{tag!r} is no language tag. Give one such as 'en' or 'zh'."
        raise InvalidValue(msg) from error
    return language or "und"


def look_at_language(text: str, tags: Iterable[str]) -> LanguageLook:
    """
    Look whether *text* is in one of the languages *tags*.

    A text is only said to be in another where that is plain: what is short, mixed or could be
    either is taken for what it should be.

    Raises:
        InvalidValue: If one of them is no language tag.
    """
    wanted = {primary_language(tag) for tag in tags}
    letters = _count_letters(text)
    if not wanted or not letters:
        return _FINE
    scripts = [_scripts_of(language) for language in wanted]
    own = _own_script(letters)
    if own is None or not all(scripts):
        return _FINE
    allowed = set[str]().union(*scripts)
    if own not in allowed:
        return LanguageLook(doubt=Doubt.OTHER, found=own if own in _SHOWN else own.capitalize())
    if own in {_HAN, _KANA}:
        return _look_at_east_asian(letters, wanted)
    if own == _LATIN:
        return _look_at_latin(text, letters[_LATIN], wanted)
    return _FINE


_SHOWN = frozenset({_HAN, _KANA, _HANGUL, _LATIN})


def _count_letters(text: str) -> Counter[str]:
    letters: Counter[str] = Counter()
    for character in text:
        if character.isalpha():
            block = unicodedata.name(character, "?").split(" ")[0]
            letters[_BLOCKS.get(block, block)] += 1
    return letters


def _own_script(letters: Counter[str]) -> str | None:
    """Return the script most of the text is in, or None if it is mixed; kana is for Japanese."""
    weights = {script: (3 if script in _SYLLABIC else 1) * n for script, n in letters.items()}
    japanese = weights.pop(_KANA, 0) + weights.get(_HAN, 0)
    if letters[_KANA] >= KANA_SHARE * (letters[_KANA] + letters[_HAN]) and letters[_KANA]:
        weights[_KANA] = japanese
        weights.pop(_HAN, None)
    elif letters[_KANA]:
        weights[_HAN] = japanese
    script = max(weights, key=weights.__getitem__)
    return script if weights[script] >= OWN_SHARE * sum(weights.values()) else None


def _scripts_of(language: str) -> set[str]:
    import langcodes

    code = langcodes.Language.get(language).maximize().script or ""
    return _OF_CODE.get(code, set())


def _look_at_east_asian(letters: Counter[str], wanted: set[str]) -> LanguageLook:
    is_japanese = letters[_KANA] >= KANA_SHARE * (letters[_KANA] + letters[_HAN])
    if not is_japanese and letters[_KANA] == 0 and letters[_HAN] >= LEAST_HAN:
        others = {language for language in wanted if _scripts_of(language) == {_HAN}}
        if not others and "ja" in wanted:
            return LanguageLook(doubt=Doubt.OTHER, found=f"{_HAN} without kana")
    return _FINE


def _look_at_latin(text: str, count: int, wanted: set[str]) -> LanguageLook:
    latin = {language for language in wanted if _LATIN in _scripts_of(language)}
    if count < LEAST_LETTERS:
        return _FINE
    identifier = _identifier()
    if identifier is None:
        return LanguageLook(doubt=Doubt.NO_LIBRARY)
    known = set(identifier.labels)
    if not latin <= known:
        return _FINE
    words = "".join(c for c in text if not c.isalpha() or "LATIN" in unicodedata.name(c, ""))
    chances = {
        language: chance
        for language, chance in identifier.rank(words)
        if language in latin | _LARGE_LATIN
    }
    total = sum(chances.values())
    if not total:
        return _FINE
    best = max(chances, key=chances.__getitem__)
    stated = sum(chances[language] for language in latin)
    if best in latin or chances[best] < LIKELY * total or stated > POSSIBLE * total:
        return _FINE
    sure = SURE_OF_FEW_WORDS if len(words.split()) <= FEW_WORDS else SURE
    doubt = Doubt.OTHER if chances[best] >= sure * total else Doubt.LIKELY
    return LanguageLook(doubt=doubt, found=repr(best))


@functools.cache
def _identifier() -> Any:
    """Return the library's identifier, made once, or None where it is absent."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
