"""A description of a voice to be designed, and the text for its proof: what to change, and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vivavoce.errors import InvalidValue
from vivavoce.model.customizing import DesignOffer, Finding, Level
from vivavoce.text.language import Doubt, look_at_language, primary_language
from vivavoce.text.speakable import check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["advise_description", "examine_description", "examine_preview"]

# A description that tells fewer of the dimensions below leaves most of the voice to chance.
LEAST_DIMENSIONS = 3
MOST_INTENSIFIERS = 2
MOST_SYNONYMS = 2


def examine_description(text: str, offer: DesignOffer) -> tuple[Finding, ...]:
    """
    Compare a description with what a provider takes.

    Args:
        text: How the voice shall sound.
        offer: What the provider takes.

    Returns:
        Refusals first; nothing if all is well. A warning where the language is in doubt, or
        could not be checked since the extra ``voices`` is absent.
    """
    return tuple(
        _examine(
            text,
            about="description",
            most=offer.max_description,
            languages=offer.description_languages,
        )
    )


def examine_preview(text: str, language: str | None, offer: DesignOffer) -> tuple[Finding, ...]:
    """
    Compare the text a new voice says for a proof with what a provider takes.

    Args:
        text: What the voice says.
        language: BCP-47 tag of the language it is in, or None if that is left open.
        offer: What the provider takes.

    Returns:
        As for :func:`examine_description`.
    """
    found = list(_check_language(language, offer)) if language is not None else []
    languages = offer.languages if language is None else (language,)
    return (
        *found,
        *_examine(
            text,
            about="preview_text",
            least=offer.min_preview,
            most=offer.max_preview,
            languages=() if found else languages,
        ),
    )


def advise_description(text: str, language: str | None = None) -> tuple[Finding, ...]:
    """
    Return what would make a description better; nothing of it must be done.

    It should name what can be heard, in several dimensions, without taste, without a model
    in real life, and without a word too many.

    Args:
        text: How the voice shall sound, in Chinese or English.
        language: Of the advice: ``zh`` or ``en``; None for the description's own.

    Raises:
        InvalidValue: If *language* is neither.
    """
    if language is None:
        language = "zh" if _HAN.search(text) else "en"
    if language not in _ADVICE:
        msg = f"Advice is given in 'zh' or 'en', not in {language!r}."
        raise InvalidValue(msg)
    said = _ADVICE[language]
    return tuple(
        Finding(about=about, level=Level.ADVISED, message=said[about].format(found=found))
        for about, found in _advice(text, language)
    )


# --- what is refused ---


def _examine(
    text: object,
    *,
    about: str,
    least: int | None = None,
    most: int | None = None,
    languages: tuple[str, ...],
) -> Iterator[Finding]:
    name = "The description" if about == "description" else "The text of the preview"
    if not isinstance(text, str):
        yield _refused(about, f"{name} is a text, not {type(text).__name__}. Give words.")
        return
    try:
        check_text(text)
    except InvalidValue as error:
        message = error.message.replace("The text", name, 1)
        yield _refused(about, message)
        return
    count = len(text)
    if most is not None and count > most:
        yield _refused(
            about,
            f"{name} has {count} characters; {most} are the most. Leave out {count - most}.",
        )
    if least is not None and count < least:
        yield _refused(
            about,
            f"{name} has {count} characters; {least} are the least. Add a sentence.",
        )
    yield from _check_text_language(text, about, name, languages)


def _check_text_language(
    text: str, about: str, name: str, languages: tuple[str, ...]
) -> Iterator[Finding]:
    look = look_at_language(text, languages)
    wanted = " or ".join(repr(tag) for tag in languages)
    if look.doubt is Doubt.OTHER:
        what = "Translate it." if about == "description" else "Give both in one language."
        yield _refused(about, f"{name} is in {look.found}; it must be in {wanted}. {what}")
    elif look.doubt is Doubt.LIKELY:
        message = f"{name} is probably in {look.found}; it must be in {wanted}. Look at it again."
        yield Finding(about=about, level=Level.WARNED, message=message)
    elif look.doubt is Doubt.NO_LIBRARY:
        message = (
            f"Whether {name[0].lower()}{name[1:]} is in {wanted} was not checked, since "
            "py3langid is not installed. Run: pip install 'vivavoce[voices]'"
        )
        yield Finding(about=about, level=Level.WARNED, message=message)


def _check_language(language: str, offer: DesignOffer) -> Iterator[Finding]:
    try:
        wanted = primary_language(language)
    except InvalidValue as error:
        yield _refused("language", error.message)
        return
    if offer.languages and wanted not in {primary_language(tag) for tag in offer.languages}:
        offered = ", ".join(offer.languages)
        yield _refused(
            "language",
            f"The language {language!r} is not offered for a designed voice. "
            f"Choose one of {offered}.",
        )


def _refused(about: str, message: str) -> Finding:
    return Finding(about=about, level=Level.REFUSED, message=message)


# --- what is advised ---

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def _words(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{text})\b", re.IGNORECASE)


_HEARD_EN = r"pace|speed|pitch|volume|tempo|rate|tone|rhythm|loudness"
_CLEAR_EN = r"diction|articulation|enunciation|pronunciation"
_VAGUE = {
    "en": re.compile(
        r"\b(?:nice|lovely|beautiful|pleasant|amazing|awesome|wonderful|great|decent|attractive|"
        rf"good(?! (?:{_CLEAR_EN}))|"
        rf"(?:normal|regular|ordinary|average)(?! (?:\w+ )?(?:{_HEARD_EN})))\b(?![-‐’'])",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"好听|动听|悦耳|美妙|不错|很棒|优质|完美|普通(?!话)|"
        r"(?<!语速)(?<!音量)(?<!音调)(?:正常|一般)(?!的?(?:语速|音量|音调|速度|来说))(?<!像一般)"
    ),
}

_DIMENSIONS = {
    "gender": (
        _words(
            r"(?:fe)?male|m[ae]n|wom[ae]n|boys?|girls?|ladys?|ladies|gentlem[ae]n|gu[yi]s?|"
            r"(?:grand)?(?:mother|father|ma|pa)|aunt(?:ie)?|uncle|masculine|feminine|androgynous|"
            r"sister|brother|king|queen|princess?|baritone|soprano|tenor|alto|genderless"
        ),
        re.compile(
            r"[男女]|先生|女士|小姐|姑娘|少年|爷爷|奶奶|叔|阿姨|大妈|大爷|哥|姐|弟|妹|"
            r"爸|妈|父|母|中性|公子|公主|王子|老翁|老妪"
        ),
    ),
    "age": (
        _words(
            r"young(?:er|ish)?|old(?:er)?|elderly|aged|middle-?\s?aged|teen(?:age[dr]?)?s?|adult|"
            r"child(?:ren|like|ish)?|kid|boys?|girls?|senior|mature|youthful|toddler|infant|"
            r"\d+-?\s?(?:years?|yo|s|something)|(?:twent|thirt|fort|fift|sixt|sevent|eight)ies|"
            r"grand\w+|ancient|adolescent|student"
        ),
        re.compile(
            r"\d+\s*[多几来]?[岁后]|[一二三四五六七八九十]+[多几来]?岁|年轻|青年|少年|少女|中年|"
            r"老[年人者师头太爷奶翁妇]?|儿童|小孩|孩子|孩童|幼|婴|青春|成熟|爷爷|奶奶|"
            r"小男孩|小女孩|大学生|中学生|小学生|少儿|妙龄|苍老|年迈|大叔"
        ),
    ),
    "pitch": (
        _words(
            r"(?:low|high|deep|mid)(?:er)?(?:[- ](?:pitch(?:ed)?|register|voiced?|toned?))?|pitch|"
            r"bass|baritone|soprano|tenor|alto|falsetto|shrill|register"
        ),
        re.compile(
            r"音调|音高|高音|低音|中音|低沉|高亢|尖细|尖锐|音域|调子|嗓音偏[高低]|声调|深沉"
        ),
    ),
    "pace": (
        _words(
            r"fast(?:er|-paced)?|slow(?:er|ly|-paced)?|quick(?:ly)?|rapid(?:ly)?|pace|speed|tempo|"
            r"unhurried|leisurely|brisk|hurried|measured|rhythm(?:ic)?|deliberate"
        ),
        re.compile(r"语速|快速|缓慢|偏快|偏慢|速度|节奏|慢条斯理|不紧不慢|急促|从容|缓缓|快节奏"),
    ),
    "emotion": (
        _words(
            r"calm(?:ly)?|warm(?:ly|th)?|cheerful|happy|sad|angry|serious|gentle|lively|energetic|"
            r"excited|friendly|kind|confident|shy|stern|soothing|playful|melancholic|authoritative|"
            r"passionate|composed|patient|mysterious|sinister|wise|cold|caring|bubbly|enthusiastic|"
            r"relaxed|solemn|dramatic|sarcastic|humorous|dignified|naughty|mischievous|healing|"
            r"nervous|tired|weary|optimistic|affectionate|arrogant|heroic|tense|neutral|upbeat|"
            r"reassuring|empathetic|sincere|witty|grumpy|jolly|bright|professional|commanding"
        ),
        re.compile(
            r"开朗|沉稳|温柔|严肃|活泼|冷静|治愈|热情|温暖|亲切|悲伤|忧郁|愤怒|欢快|平静|自信|"
            r"俏皮|稳重|幽默|紧张|激动|慈祥|慈爱|庄重|冷酷|高冷|阳光|害羞|傲娇|坚定|威严|神秘|"
            r"情绪|语气|性格|知性|优雅|可爱|调皮|平和|从容|睿智|豪爽|直率|关怀|活力|元气|柔和|哭腔"
        ),
    ),
    "timbre": (
        _words(
            r"hoarse|husky|raspy|gravelly|gruff|smooth|silky|velvety|crisp|clear|bright|dark|rich|"
            r"breathy|nasal|resonant|mellow|sweet|metallic|thin|full|soft|rough|smoky|magnetic|"
            r"airy|warm|timbre|creaky|booming|powerful|soft-spoken|whisper(?:y|ing|ed)?|robotic|"
            r"throaty|reedy|round|harsh|strong|sonorous|texture"
        ),
        re.compile(
            r"磁性|清脆|沙哑|圆润|甜美|浑厚|有力|音色|清亮|清澈|厚重|柔软|柔美|嘶哑|鼻音|气声|明亮|"
            r"低哑|烟嗓|洪亮|细腻|空灵|金属|通透|绵软|清晰|奶声奶气|字正腔圆|轻柔|醇厚|苍劲|稚嫩"
        ),
    ),
    "use": (
        _words(
            r"for (?!(?:me|you|us|him|her|it|them|example|instance)\b)[\w-]+(?: [\w-]+){0,3}|"
            r"narrat(?:or|ion|ing)|announcer|anchor|"
            r"audiobooks?|podcasts?|news|documentar(?:y|ies)|advert\w*|commercials?|assistant|"
            r"games?|animation|cartoon|commentator|teacher|lecturer|storyteller|host|presenter|"
            r"customer service|bedtime|trailer|broadcast\w*|dubbing|e-?learning|voice-?over"
        ),
        re.compile(
            r"新闻|播报|播音|广告|配音|有声书|有声读物|动画|角色|助手|纪录片|解说|旁白|讲故事|故事|"
            r"主持|客服|教学|课程|游戏|适合|用于|朗读|电台|播客|直播|导航|讲解|宣传片|广播"
        ),
    ),
}
_NAMES = {
    "en": {
        "gender": "gender",
        "age": "age",
        "pitch": "pitch",
        "pace": "pace",
        "emotion": "mood or character",
        "timbre": "timbre",
        "use": "what it is for",
    },
    "zh": {
        "gender": "性别",
        "age": "年龄",
        "pitch": "音调",
        "pace": "语速",
        "emotion": "情感或性格",
        "timbre": "音色",
        "use": "用途",
    },
}

_TASTE = {
    "en": re.compile(
        r"\b(?:my|our) favou?rite\b|\bI (?:\w+ )?(?:like|love|adore|enjoy|prefer|hate)\b|"
        r"\bto my (?:taste|liking)\b|\bin my opinion\b|\bI (?:think|find|feel)\b|"
        r"\bthe best voice\b|\bI[’']d (?:like|love|prefer) (?!a\b|an\b|to\b)",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"我们?(?:个人|自己)?[最很也就]?(?:非常|特别|比较)?(?:喜欢|喜爱|爱听|偏爱|讨厌|中意)|"
        r"我(?:觉得|认为)|最喜欢的|合我(?:的)?(?:口味|心意)|最好的声音"
    ),
}

# Words with a capital that are no names: who sounds British imitates nobody.
_NO_NAMES = (
    r"American|British|English|Scottish|Irish|Welsh|Australian|Canadian|French|German|Italian|"
    r"Spanish|Portuguese|Brazilian|Russian|Chinese|Japanese|Korean|Indian|Mandarin|Cantonese|"
    r"African|Asian|European|Latin|Mexican|Southern|Northern|Western|Eastern|Victorian|Santa|"
    r"Shakespearean|Hollywood|Disney|Christmas|Sunday|New|I|A|An|The|One|Someone|Your"
)
_NAME_EN = rf"(?!(?:{_NO_NAMES})\b)[A-Z][a-zà-ÿ’'-]+"
_IMITATION = {
    "en": (
        re.compile(
            r"(?i:\bsound(?:s|ing)?(?: \w+ly| just| a lot| a bit| much)? like|\bvoice like|"
            r"\bin the (?:voice|style|manner) of|\bthe voice of|\bsimilar to|\bresembl(?:es?|ing)|"
            r"\bimitat(?:es?|ing|ion of)|\bimpersonat(?:es?|ing|ion of)|\bmimic(?:s|king)?|"
            r"\breminiscent of|\b(?:a )?(?:clone|copy) of)"
            r"(?i:(?: the)?(?: late| famous| actor| actress| singer| president| host)+)? "
            rf"{_NAME_EN}(?: {_NAME_EN})*"
        ),
        re.compile(
            r"(?i:\b(?:like|imitat\w+|impersonat\w+|mimic\w*|style of|voice of)"
            r"(?: an?| the| some| any)?(?: \w+)? "
            r"(?:celebrit(?:y|ies)|famous (?:\w+ )?(?:actor|actress|singer|person|politician|host)|"
            r"movie star|film star|pop star))\b"
        ),
        re.compile(rf"\b{_NAME_EN}(?: {_NAME_EN})+[’']s? (?:voice|way of speaking|accent)\b"),
    ),
    "zh": (
        re.compile(r"某某|[像仿学似][^，。；,;]{0,6}(?:明星|名人|某个?(?:演员|歌手|主持人|主播))"),
        re.compile(
            r"(?:模仿|仿照|仿效|复刻)(?!一[个位只名种段]|机器|动物|孩子|小孩|儿童|老人|自然|人声)"
            r"[^，。；,;]{2,8}(?:的|[，。；,;]|$)"
        ),
        re.compile(r"(?:像|类似|似|如同|模仿|学)[^，。；,;]{0,3}[\u4e00-\u9fff]{1,5}[·•・]"),
        re.compile(
            r"(?:像|类似|酷似|神似|如同|模仿|学)(?:演员|歌手|主持人|主播|明星)?\s?[A-Z][a-z]+"
        ),
        re.compile(
            r"(?:像|类似|酷似|神似|如同|学)(?:演员|歌手|主持人|主播|导演|艺人)?"
            r"(?!王[子者后]|孙[子女]|熊猫|周末|唐僧|胡同|罗汉|何时|余音|程序|任何|姜茶|曹操|史诗|严[父师母])"
            r"[王李张刘陈杨赵黄周吴徐孙朱胡郭何罗郑梁谢宋唐许邓韩冯曹彭曾萧董潘袁蔡蒋余杜程苏魏吕丁任沈姚卢"
            r"姜崔谭陆汪范廖贾韦邹孟秦邱侯尹薛闫段黎史陶贺顾郝龚邵严]"
            r"[\u4e00-\u9fff]{1,2}?"
            r"(?:的|一样|那样|那种|一般|似的|本人|老师|[，。；,;！!]|$)"
        ),
    ),
}

_INTENSIFIERS = {
    "en": _words(r"very|really|extremely|super|incredibly|truly|so|absolutely|totally|highly"),
    "zh": re.compile(r"非常|特别|十分|极其|极为|超级|真的|无比|相当"),
}
_REPEATED = {
    "en": re.compile(r"\b(\w{2,})[\s,]+\1\b", re.IGNORECASE),
    "zh": re.compile(r"([\u4e00-\u9fff]{2,3})[、，]?\1|([很超太真好])\2+(?=[\u4e00-\u9fff])"),
}
_SYNONYMS = {
    "en": (
        "happy cheerful joyful merry glad jolly",
        "deep low bass low-pitched",
        "fast quick rapid swift speedy",
        "slow unhurried leisurely",
        "soft gentle tender mild",
        "calm peaceful serene tranquil placid",
        "loud booming thunderous",
        "young youthful juvenile",
    ),
    "zh": (
        "温柔 柔和 轻柔 柔美 温和",
        "低沉 深沉 浑厚 厚重 醇厚",
        "开心 快乐 欢快 愉快 高兴",
        "沉稳 稳重 平稳 沉着",
        "清脆 清亮 清澈 明亮",
        "甜美 甜蜜 香甜 甜腻",
        "平静 宁静 安静 恬静",
    ),
}


def _advice(text: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield what there is advice about, and what was found or is missing."""
    vague = _first(text, _VAGUE.values())
    if vague:
        yield "vague", vague
    missing = [
        _NAMES[language][name]
        for name, patterns in _DIMENSIONS.items()
        if not any(pattern.search(text) for pattern in patterns)
    ]
    if len(_DIMENSIONS) - len(missing) < LEAST_DIMENSIONS:
        yield "dimensions", ("、" if language == "zh" else ", ").join(missing)
    taste = _first(text, _TASTE.values())
    if taste:
        yield "taste", taste
    imitated = _first(text, (pattern for patterns in _IMITATION.values() for pattern in patterns))
    if imitated:
        yield "imitation", imitated
    wordy = _wordy(text)
    if wordy:
        yield "wordy", wordy


def _first(text: str, patterns: Iterable[re.Pattern[str]]) -> str:
    for pattern in patterns:
        match = pattern.search(text)
        if match:
            return match.group().strip("，。；,;！! ")
    return ""


def _wordy(text: str) -> str:
    """Return what is said more often than needed, or nothing."""
    repeated = _first(text, _REPEATED.values())
    if repeated:
        return repeated
    for pattern in _INTENSIFIERS.values():
        found = pattern.findall(text)
        if len(found) > MOST_INTENSIFIERS:
            return ", ".join(found)
    for groups in _SYNONYMS.values():
        for group in groups:
            said = [word for word in group.split() if _says(text, word)]
            if len(said) > MOST_SYNONYMS:
                return ", ".join(said)
    return ""


def _says(text: str, word: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE) is not None


_ADVICE = {
    "en": {
        "vague": (
            "{found!r} tells nothing that can be heard, so any voice would fit. Name what the ear "
            "notices: 'low and slightly husky' rather than 'nice'."
        ),
        "dimensions": (
            "Little of the voice is told, so the rest is left to chance. Nothing is said of: "
            "{found}. For example: 'A woman of about thirty, low pitch, unhurried pace, warm "
            "and confident, for documentaries.'"
        ),
        "taste": (
            "{found!r} speaks of you, not of the voice; what you like cannot be heard from it. "
            "Say what it is that you like: 'high pitch, full of energy'."
        ),
        "imitation": (
            "{found!r} asks for somebody's voice. Providers do not imitate people, and a voice "
            "belongs to its owner. Describe what is special about it: 'deep, slow, with long "
            "pauses'."
        ),
        "wordy": (
            "{found!r} says one thing several times, which adds nothing and blurs the rest. "
            "Say it once and exactly: 'loud and fast' rather than 'very, very energetic'."
        ),
    },
    "zh": {
        "vague": (
            "“{found}”没有说出听得见的特征，什么声音都能套用。请写出耳朵能分辨的特点，"
            "例如用“低沉、略带沙哑”代替“好听”。"
        ),
        "dimensions": (
            "描述的方面太少，其余只能由模型随意决定。还没有提到：{found}。"
            "例如：“三十岁左右的女性，音调偏低，语速从容，语气温暖自信，用于纪录片旁白。”"
        ),
        "taste": (
            "“{found}”说的是您的喜好，不是声音本身，模型无从得知。"
            "请写出您喜欢它的哪一点，例如“音调偏高，充满活力”。"
        ),
        "imitation": (
            "“{found}”是要求模仿真人。服务商不支持模仿，而且声音属于本人。"
            "请描述那个声音的特质，例如“嗓音浑厚，语速缓慢，停顿较长”。"
        ),
        "wordy": (
            "“{found}”重复表达了同一个意思，不会增加信息，反而冲淡其他特征。"
            "请只说一次并说得准确，例如用“音量大、语速快”代替“非常非常有活力”。"
        ),
    },
}
