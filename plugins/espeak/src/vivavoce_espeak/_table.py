"""
What a card needs to know of the engine (eSpeak NG 1.52.0) without loading it.

Languages and variants are its own table; a test compares them with the engine, so that
they cannot go stale unseen.
"""

from __future__ import annotations

__all__ = [
    "LANGUAGES",
    "RATE_RATIO_MAX",
    "RATE_RATIO_MIN",
    "SEMITONES_MAX",
    "SEMITONES_MIN",
    "VARIANTS",
    "VOLUME_DB_MAX",
    "VOLUME_DB_MIN",
]

# Measured, see the tables in _engine.py.
RATE_RATIO_MIN, RATE_RATIO_MAX = 0.5, 4.0
SEMITONES_MIN, SEMITONES_MAX = -6.0, 8.0
VOLUME_DB_MIN, VOLUME_DB_MAX = -20.0, 5.5

LANGUAGES = (
    "af", "am", "an", "ar", "art-x-belta", "art-x-pyash", "as", "az", "ba", "be", "bg", "bn",
    "bpy", "bs", "ca", "ca-valencia", "ca-x-balearic", "ca-x-nw", "chr-US-x-west", "cmn",
    "cmn-Latn-pinyin", "cs", "cv", "cy", "da", "de", "el", "en", "en-029", "en-GB",
    "en-GB-scotland", "en-GB-x-gbclan", "en-GB-x-gbcwmd", "en-GB-x-rp", "en-Shaw", "en-US",
    "en-US-x-nyc", "eo", "es", "es-419", "es-MX", "et", "eu", "fa", "fa-Latn", "fi", "fr",
    "fr-BE", "fr-CH", "fr-FR", "ga", "gd", "gn", "grc", "gu", "hak", "haw", "he", "hi", "hr",
    "ht", "hu", "hy", "hyw", "ia", "id", "io", "is", "it", "ja", "jbo", "ka", "kk", "kl", "kn",
    "ko", "kok", "ku", "ky", "la", "lb", "lfn", "lt", "ltg", "lv", "mi", "mk", "ml", "mr", "ms",
    "mt", "mto", "my", "nb", "nci", "ne", "nl", "no", "nog", "om", "or", "pa", "pap", "pl",
    "pt", "pt-BR", "pt-PT", "qu", "quc", "qya", "ro", "ru", "ru-LV", "ru-x-classic", "sd", "sh",
    "shn", "si", "sjn", "sk", "sl", "smj", "sq", "sr", "sv", "sw", "ta", "te", "th", "ti", "tk",
    "tlh-Piqd", "tn", "tr", "tt", "ug", "uk", "ur", "uz", "vi", "vi-VN-x-central",
    "vi-VN-x-south", "yue", "yue-Latn-jyutping", "zh",
)  # fmt: skip
"""Every language of every voice, BCP-47, sorted."""

VARIANTS = (
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "AnxiousAndy", "Demonic", "Denis", "Diogo",
    "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike",
    "Mr serious", "Nguyen", "Reed", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm",
    "Tweaky", "UniRobot", "adam", "anika", "anikaRobot", "announcer", "antonio", "aunty",
    "belinda", "benjamin", "boris", "caleb", "croak", "david", "ed", "edward", "edward2", "f1",
    "f2", "f3", "f4", "f5", "fast", "grandma", "grandpa", "gustave", "ian", "iven", "iven2",
    "iven3", "iven4", "john", "kaukovalta", "klatt", "klatt2", "klatt3", "klatt4", "klatt5",
    "klatt6", "linda", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "marcelo", "max",
    "michel", "miguel", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5", "robosoft6", "robosoft7",
    "robosoft8", "sandro", "shelby", "steph", "steph2", "steph3", "travis", "victor", "whisper",
    "whisperf", "zac",
)  # fmt: skip
"""Timbres that may be added to any voice, sorted."""
