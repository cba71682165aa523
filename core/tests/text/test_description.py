import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.errors import InvalidValue
from vivavoce.model.customizing import DesignOffer, Level, NameRule
from vivavoce.text import language as languages
from vivavoce.text.description import (
    advise_description,
    examine_description,
    examine_preview,
)

OFFER = DesignOffer(
    models=("m",),
    languages=("zh", "en", "de", "it", "pt", "es", "ja", "ko", "fr", "ru"),
    description_languages=("zh", "en"),
    max_description=2048,
    min_preview=6,
    max_preview=1024,
    name=NameRule(pattern=r"\w+", meaning="letters"),
)
ANY = DesignOffer(models=("m",), name=NameRule(pattern=r"\w+", meaning="letters"))


def told(findings):
    return [(finding.about, finding.level) for finding in findings]


def advised(text, **settings):
    return {finding.about for finding in advise_description(text, **settings)}


# --- descriptions: language ---


@pytest.mark.parametrize(
    "text",
    [
        "A calm old man.",
        "Deep voice.",
        "calm",
        "young woman, cheerful, fast",
        "male, 40s, gravelly baritone",
        "Baritone, legato, sotto voce",
        "femme fatale, breathy, noir",
        "Italian-accented maestro, vibrato",
        "Señora Gomez, an old lady from Mexico",
        "Mature, sensual, confident contralto",
        "Tiny robot; metallic, staccato.",
        "A warm middle-aged female narrator with a low pitch and a slow pace, for audiobooks.",
        "温柔的女声",
        "中年男性，音调偏低，语速缓慢，沉稳，适合纪录片解说。",
        "一位 calm old man，语速 slow",
        "沉稳 baritone 男声",
        "A young woman with a 温柔 voice and a 慢 pace",
        "可爱の少女音，语速偏快，活泼",
        "老人 😀 123",
    ],
)
def test_chinese_and_english_pass(text):
    """A description in a language that is taken passes, short, mixed or with borrowed words."""
    assert [f for f in examine_description(text, OFFER) if f.level is Level.REFUSED] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Une femme jeune à la voix douce et posée, pour livres audio.", "'fr'"),
        ("Voix grave, lente, chaleureuse", "'fr'"),
        ("Une voix d’homme, grave et posée.", "'fr'"),
        ("Eine junge Frau mit warmer Stimme.", "'de'"),
        ("Ein ruhiger alter Mann, tiefe Stimme", "'de'"),
        ("Una mujer joven con voz dulce", "'es'"),
        ("Um homem idoso e calmo", "'pt'"),
        ("Una voce maschile profonda e calda, adatta ai documentari", "'it'"),
        ("Een rustige oude man met een lage stem", "'nl'"),
        ("落ち着いた年配の男性の声", "kana"),
        ("차분한 노인 남성", "hangul"),
        ("Спокойный пожилой мужчина", "Cyrillic"),
        ("صوت رجل هادئ", "Arabic"),
    ],
)
def test_another_language_is_refused(text, found):
    """A description in a language that is not taken is refused, with both languages."""
    (finding,) = examine_description(text, OFFER)
    assert (finding.about, finding.level) == ("description", Level.REFUSED)
    assert f"is in {found}; it must be in 'zh' or 'en'" in finding.message


def test_a_likely_other_language_is_a_warning():
    """Four words that are likely another language are not refused, but doubted."""
    (finding,) = examine_description("Un vieil homme calme.", OFFER)
    assert finding.level is Level.WARNED
    assert "probably in 'fr'" in finding.message


class Identifier:
    """A library that gives chances of its own to French and English."""

    labels = ("en", "fr", "de")

    def __init__(self, french, english):
        self.chances = {"fr": french, "en": english, "de": 1 - french - english}

    def rank(self, _text):
        return self.chances.items()


@pytest.mark.parametrize(
    ("french", "english", "words", "level"),
    [
        (0.81, 0.04, 5, Level.REFUSED),
        (0.79, 0.04, 5, Level.WARNED),
        (0.94, 0.04, 4, Level.WARNED),
        (0.96, 0.04, 4, Level.REFUSED),
        (0.81, 0.06, 5, None),
        (0.61, 0.04, 5, Level.WARNED),
        (0.59, 0.04, 5, None),
        (0.04, 0.81, 5, None),
    ],
)
def test_the_library_is_heard_where_it_is_sure(monkeypatch, french, english, words, level):
    """The library refuses where it is sure, surer of few words; doubts; or is not heard."""
    monkeypatch.setattr(languages, "_identifier", lambda: Identifier(french, english))
    found = examine_description(" ".join(["morning"] * words), OFFER)
    assert [finding.level for finding in found] == ([level] if level else [])


def test_any_language_passes_where_the_offer_says_nothing():
    """Where a provider names no languages, none is looked for."""
    assert examine_description("Eine junge Frau mit warmer Stimme.", ANY) == ()
    assert examine_preview("Eine junge Frau mit warmer Stimme.", "en", OFFER) != ()
    assert examine_preview("Eine junge Frau mit warmer Stimme.", None, ANY) == ()


def test_a_script_that_is_not_known_here_is_not_judged():
    """Where a language asked for has a script that is not known here, nothing is refused."""
    both = DesignOffer(models=("m",), languages=("en", "bn"), name=ANY.name)
    assert examine_preview("শুভ সন্ধ্যা, কেমন আছেন", None, both) == ()
    assert examine_preview("Добрый вечер, друзья", "bn", both) == ()


def test_without_the_library_it_is_said_that_nothing_was_checked(monkeypatch):
    """Without the extra, a warning names it; scripts are still told apart."""
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    languages._identifier.cache_clear()
    try:
        (finding,) = examine_description("Une femme jeune à la voix douce.", OFFER)
        assert finding.level is Level.WARNED
        assert "vivavoce[voices]" in finding.message
        assert told(examine_description("Спокойный мужчина", OFFER)) == [
            ("description", Level.REFUSED)
        ]
        assert examine_description("温柔的女声", OFFER) == ()
        assert examine_description("Calm man.", OFFER) == ()
    finally:
        languages._identifier.cache_clear()


# --- descriptions: length and characters ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The description is empty"),
        ("  \n", "nothing to speak"),
        ("...!", "nothing to speak"),
        ("calm\x00", "NUL"),
        ("calm \ud83d", "surrogate"),
        (None, "not NoneType"),
        ("高" * 2049, "2049 characters; 2048 are the most. Leave out 1."),
        ("deep " * 500, "2500 characters"),
    ],
)
def test_what_cannot_be_sent_is_refused(text, words):
    """Empty, too long and broken descriptions are refused with what to change."""
    finding = examine_description(text, OFFER)[0]
    assert finding.level is Level.REFUSED
    assert words in finding.message


def test_the_limit_is_counted_in_characters():
    """As many characters as the limit pass, however many bytes they are."""
    assert examine_description("低" * 2048, OFFER) == ()


# --- previews ---


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Guten Tag und willkommen zu den Nachrichten.", "de"),
        ("Hallo Anna!", "de"),
        ("Computer, Internet, Software", "de"),
        ("OK, OK!", "de"),
        ("12345678", "de"),
        ("Hello and welcome to the evening news.", "en-GB"),
        ("Hello! I'm Ana Lucía from Bogotá.", "en"),
        ("Boa noite a todos.", "pt-BR"),
        ("Buenas noches a todos.", "es"),
        ("Ciao a tutti, sono Marco", "it"),
        ("Bonjour et bienvenue au journal.", "fr"),
        ("Привет, как дела?", "ru"),
        ("안녕하세요, 반갑습니다", "ko"),
        ("今日は晴天です。散歩に行きましょう。", "ja"),
        ("東京都知事選挙", "ja"),
        ("大家好，欢迎收听今天的新闻节目，我是主持人。", "zh"),
        ("大家好，欢迎收听今天的新闻节目，我是主持人。", "cmn-Hans-CN"),
        ("我喜欢用 iPhone 拍照片", "zh"),
        ("今天学 Python 和 JavaScript", "zh"),
        ("Hello and welcome to the evening news.", None),
        ("大家好，欢迎收听", None),
    ],
)
def test_a_preview_in_its_language_passes(text, language):
    """A preview in the language stated passes, short and ambiguous ones too."""
    assert examine_preview(text, language, OFFER) == ()


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Hello and welcome to the evening news.", "de", "'en'"),
        ("大家好，欢迎收听今天的新闻节目。", "de", "Chinese characters"),
        ("Guten Tag und willkommen zu den Nachrichten.", "en", "'de'"),
        ("Bonjour et bienvenue au journal.", "es", "'fr'"),
        ("Buenas noches y bienvenidos al programa de hoy.", "pt", "'es'"),
        ("Hello there, my friend", "zh", "Latin letters"),
        ("こんにちは、ニュースの時間です", "zh", "kana"),
        ("大家好，欢迎收听今天的新闻节目，我是主持人。", "ja", "Chinese characters without kana"),
        ("Добрый вечер, друзья", "ko", "Cyrillic"),
        ("Spokojny starszy mężczyzna o niskim głosie", None, "'pl'"),
    ],
)
def test_a_preview_in_another_language_is_refused(text, language, found):
    """A preview that is plainly in another language than stated is refused."""
    (finding,) = examine_preview(text, language, OFFER)
    assert (finding.about, finding.level) == ("preview_text", Level.REFUSED)
    assert f"is in {found}; it must be in " in finding.message


@pytest.mark.parametrize(
    ("text", "language", "about", "words"),
    [
        ("Hello", "en", "preview_text", "5 characters; 6 are the least"),
        ("Hello. " * 200, "en", "preview_text", "1400 characters; 1024 are the most"),
        ("", "en", "preview_text", "The text of the preview is empty"),
        ("Hyvää päivää kaikille.", "fi", "language", "'fi' is not offered"),
        ("Good evening.", "not a tag", "language", "no language tag"),
    ],
)
def test_previews_have_bounds(text, language, about, words):
    """Too short, too long, empty, or in a language that is not offered is refused."""
    (finding, *_rest) = examine_preview(text, language, OFFER)
    assert (finding.about, finding.level) == (about, Level.REFUSED)
    assert words in finding.message


@given(text=st.text(max_size=60), language=st.sampled_from([None, "de", "zh", "ja", "en-US"]))
@settings(max_examples=150, deadline=None)
def test_any_text_is_examined(text, language):
    """Whatever the text, it is examined without an error."""
    examine_description(text, OFFER)
    examine_preview(text, language, OFFER)
    advise_description(text)


# --- advice ---

GOOD = [
    "A woman of about thirty, low pitch, unhurried pace, warm and confident, for documentaries.",
    "Elderly male storyteller, deep and gravelly, slow, kind, for bedtime stories.",
    "A good-natured old man with good diction, speaking at a normal pace.",
    "A teenage girl, high-pitched and bubbly; sounds like a friend next door.",
    "Male news anchor in his forties, crisp, at regular speed, with a British accent.",
    "A boy whose voice sounds like British English of the fifties, bright and quick.",
    "A great-grandmother, soft and slow, telling stories like a lullaby.",
    "A young man, husky, for the style of American radio advertising.",
    "A very old wizard, really slow, deep.",
    "A soft and gentle young woman, slow.",
    "Middle-aged man with a voice like warm honey, low and smooth.",
    "中年男性，音调偏低，语速缓慢，沉稳，适合纪录片解说。",
    "语速偏慢，音调温柔甜美，语气治愈温暖，像贴心朋友般关怀",
    "普通话标准的年轻女性，语速正常，声音清脆。",
    "像邻家女孩一样活泼，音调偏高，语速偏快。",
    "像王子一样优雅的青年男性，音色圆润，语速从容。",
    "老爷爷慢慢地讲故事，声音沙哑，像钟声一样浑厚。",
    "哭腔导致发音略微含糊，略显沙哑，带有明显哭腔的紧张感，青年女性",
    "像机器人一样的中性声音，金属质感，节奏均匀。",
    "少年音，清亮，擅长模仿动物叫声，语速快。",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_description_gets_no_advice(text):
    """What is concrete, of several dimensions, objective, original and concise is left alone."""
    assert advise_description(text) == ()


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("A nice young woman, slow and warm.", "vague"),
        ("An ordinary male voice, deep, slow.", "vague"),
        ("A good voice: male, deep, slow.", "vague"),
        ("好听的年轻女声，语速偏慢，温柔", "vague"),
        ("普通的中年男声，低沉，缓慢", "vague"),
        ("声音一般的青年男性，音调偏高", "vague"),
        ("High pitch.", "dimensions"),
        ("A man.", "dimensions"),
        ("高音", "dimensions"),
        ("女声，温柔", "dimensions"),
        ("My favourite voice: a deep old man, slow.", "taste"),
        ("A deep old man, slow, the kind I really love.", "taste"),
        ("我最喜欢的声音，低沉的中年男性，语速慢", "taste"),
        ("我觉得应该是低沉的中年男性，缓慢", "taste"),
        ("Sounds like Morgan Freeman, old, deep, slow.", "imitation"),
        ("A deep, slow man in the style of James Earl Jones.", "imitation"),
        ("Deep old man, slow, imitating a famous actor.", "imitation"),
        ("Old, deep, slow: David Attenborough's voice.", "imitation"),
        ("像周杰伦的声音，年轻男性，语速快", "imitation"),
        ("年轻男性，语速快，像周杰伦一样", "imitation"),
        ("模仿某位著名主持人，中年女性，沉稳", "imitation"),
        ("像某某明星的嗓音，低沉，缓慢，男", "imitation"),
        ("声音像摩根·弗里曼，老年男性，低沉", "imitation"),
        ("A very, very deep old man, slow.", "wordy"),
        ("A really deep, extremely old, very slow man.", "wordy"),
        ("A slow old man, deep, low, bass.", "wordy"),
        ("非常非常低沉的中年男性，缓慢", "wordy"),
        ("温柔、柔和、轻柔的年轻女性，语速慢", "wordy"),
    ],
)
def test_each_fault_gets_its_advice(text, about):
    """Each fault alone is found, with why it is one and an example, in the text's language."""
    findings = advise_description(text)
    assert told(findings) == [(about, Level.ADVISED)]
    is_chinese = re.search("[\u4e00-\u9fff]", text) is not None
    assert ("例如" in findings[0].message) is is_chinese
    assert ("'" in findings[0].message) is not is_chinese


def test_many_faults_are_told_together():
    """One look finds all that could be better."""
    text = "My favourite voice, very very nice, sounds like Morgan Freeman"
    assert advised(text) == {"vague", "dimensions", "taste", "imitation", "wordy"}
    assert advised("我最喜欢的好听的声音，非常非常棒，像周杰伦") == {
        "vague",
        "dimensions",
        "taste",
        "imitation",
        "wordy",
    }


def test_advice_names_what_is_missing():
    """Of the dimensions, those that are not told are named."""
    (finding,) = advise_description("A man.")
    assert "Nothing is said of: age, pitch, pace, mood or character, timbre, what it is for" in (
        finding.message
    )


def test_the_language_of_the_advice_can_be_chosen():
    """Advice comes in the language asked for, and only in those there are."""
    (english,) = advise_description("高音", language="en")
    assert "left to chance" in english.message
    (chinese,) = advise_description("High pitch.", language="zh")
    assert "描述的方面太少" in chinese.message
    with pytest.raises(InvalidValue, match="'zh' or 'en'"):
        advise_description("High pitch.", language="fr")
