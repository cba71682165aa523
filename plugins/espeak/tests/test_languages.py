"""Every language the engine lists has a valid tag that says what the voice speaks."""

from __future__ import annotations

import langcodes
import pytest

from vivavoce_espeak._engine import EngineVoice, engine
from vivavoce_espeak._languages import bcp47_tag, voice_tags

CODES = sorted({code for voice in engine().voices() for code, _ in voice.languages})


@pytest.mark.parametrize("code", CODES)
def test_every_listed_code_gives_a_valid_tag(code: str) -> None:
    """Each language code the engine lists becomes a valid BCP-47 tag in the usual letter case."""
    tag = bcp47_tag(code)
    assert langcodes.tag_is_valid(tag)
    assert tag == str(langcodes.Language.get(tag, normalize=False))


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("en-us", "en-US"),
        ("en-gb-scotland", "en-GB-scotland"),
        ("en-gb-x-rp", "en-GB-x-rp"),
        ("en-us-nyc", "en-US-x-nyc"),
        ("en-029", "en-029"),
        ("es-419", "es-419"),
        ("en-shaw", "en-Shaw"),
        ("fa-latn", "fa-Latn"),
        ("vi-vn-x-south", "vi-VN-x-south"),
        ("cmn", "cmn"),
        ("cmn-latn-pinyin", "cmn-Latn-pinyin"),
        ("zh", "zh"),
        ("zh-yue", "yue"),
        ("hak", "hak"),
        ("ca-va", "ca-valencia"),
        ("chr-US-Qaaa-x-west", "chr-US-x-west"),
        ("piqd", "tlh-Piqd"),
        ("py", "art-x-pyash"),
    ],
)
def test_tags_follow_the_registry(code: str, tag: str) -> None:
    """Regions are upper case, scripts capitalised, variants and private parts lower case."""
    assert bcp47_tag(code) == tag


@pytest.mark.parametrize("code", ["ca-ba", "ca-nw", "ru-cl"])
def test_no_dialect_turns_into_a_country(code: str) -> None:
    """A dialect code that looks like a region does not become that region."""
    assert langcodes.get(bcp47_tag(code)).territory is None


@pytest.mark.parametrize("voice", engine().voices(), ids=lambda voice: voice.identifier)
def test_every_voice_has_tags(voice: EngineVoice) -> None:
    """Each voice has at least one tag, and no tag twice."""
    tags = voice_tags(voice.identifier, [code for code, _ in voice.languages])
    assert tags
    assert len(set(tags)) == len(tags)
    assert all(langcodes.tag_is_valid(tag) for tag in tags)


def test_every_voice_has_a_first_tag_of_its_own() -> None:
    """No two voices share their first tag, so a tag can choose any voice."""
    first = [
        voice_tags(v.identifier, [code for code, _ in v.languages])[0] for v in engine().voices()
    ]
    assert sorted(first) == sorted(set(first))
