"""``vivavoce voice try``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.options import debug_option
from vivavoce.cli.say import speak
from vivavoce.cli.voice.clients import asking_options, find_kept, provider_of, user_book
from vivavoce.cli.wishes import NO_WISHES

if TYPE_CHECKING:
    from vivavoce.cli.voice.clients import Kept
    from vivavoce.provider import SynthesizerInfo

__all__ = ["trial"]

# By BCP-47 tag; of a language that is not here, digits are read in it.
SENTENCES = {
    "en": "The quick brown fox is fast asleep, and dreams of lazy dogs.",
    "zh": "今天天气很好，我们一起出去走走吧。",
    "de": "Heute scheint die Sonne, und wir gehen zusammen in den Park.",
    "fr": "Il fait beau aujourd'hui, allons nous promener ensemble.",
    "it": "Oggi c'è il sole, andiamo a fare una passeggiata insieme.",
    "es": "Es un día muy bonito, vamos a dar un paseo juntos.",
    "pt": "Hoje faz bom tempo, vamos dar um passeio juntos.",
    "ja": "今日はいい天気ですね。一緒に散歩に行きましょう。",
    "ko": "오늘은 날씨가 좋으니 같이 산책하러 가요.",
    "ru": "Сегодня хорошая погода, давайте погуляем вместе.",
}
DIGITS = "1, 2, 3, 4, 5."

_HELP = """\
Hear a voice say a short sentence.

VOICE is an id or an alias, TEXT what it says; else a sentence of its language, or of --language.
Like `vivavoce say`, which it is, it writes a file with -o and is heard with --play. The sentence is
billed like any other.
"""


@click.command("try", help=_HELP, short_help="Hear a voice say a short sentence.")
@click.argument("voice")
@click.argument("text", required=False)
@asking_options
@click.option("--language", metavar="TAG", help="BCP-47 tag to speak in.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(allow_dash=True, readable=False),
    help="Where the audio goes; - is standard output. The ending names the format.",
)
@click.option("--play", is_flag=True, help="Play it while it is made (extra: play).")
@debug_option
def trial(voice: str, text: str | None, play: bool, **values: Any) -> None:  # noqa: FBT001 - by click, by name
    """Try; see the help above."""
    info = provider_of(values["selector"])
    kept = find_kept(user_book(), info, voice)
    said = _sentence(info, kept, values["language"]) if text is None else text
    selector = values["selector"] or info.name
    speak({**NO_WISHES, **values, "selector": selector, "voice": voice, "text": said}, play=play)


def _sentence(info: SynthesizerInfo, kept: Kept, wanted: str | None) -> str:
    """Return what to say: in the language wanted, the voice's own, or English."""
    language = wanted or _language(info, kept)
    if not language:
        return SENTENCES["en"]
    from vivavoce.pipeline.languages import match_language

    found = match_language(language, SENTENCES)
    return SENTENCES[found[0]] if found is not None else DIGITS


def _language(info: SynthesizerInfo, kept: Kept) -> str:
    if kept.booked is not None and kept.booked.language:
        return kept.booked.language
    stock = {voice.id: voice for voice in info.voices()}
    if kept.voice_id in stock and stock[kept.voice_id].languages:
        return stock[kept.voice_id].languages[0]
    return kept.alias.language if kept.alias is not None else ""
