"""``vivavoce voice``: voices of one's own, and the names they have in the voice book."""

from __future__ import annotations

from vivavoce.cli.group import Home, HomeGroup
from vivavoce.cli.options import debug_option

__all__ = ["VOICE_COMMANDS", "voice"]

VOICE_COMMANDS = {
    "clone": Home("voice.clone", "clone", "Have a voice made from a recording."),
    "design": Home("voice.design", "design", "Have a voice made from a description."),
    "list": Home("voice.list", "list_voices", "List voices of your own, and aliases."),
    "show": Home("voice.show", "show", "Show all that is known of one voice."),
    "try": Home("voice.trial", "trial", "Hear a voice say a short sentence."),
    "alias": Home("voice.alias", "alias", "Name voices across providers."),
    "delete": Home("voice.delete", "delete", "Delete a voice of your own."),
}
"""Static like :data:`vivavoce.cli.group.COMMANDS`, and for the same reason."""

_HELP = """\
Make, list, try, name and delete voices of your own.

What is made is written into the voice book, a file of yours, under an alias that is then used like
any voice: `vivavoce say "Hello." -p acme:narrator -o hello.wav`.
"""

voice = debug_option(
    HomeGroup(
        name="voice",
        homes=VOICE_COMMANDS,
        help=_HELP,
        short_help="Make, list, try, name and delete voices of your own.",
    )
)
