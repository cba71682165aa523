"""What is asked of a voice on the command line; ``say`` and ``explain`` take the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vivavoce.cli.options import provider_option
from vivavoce.cli.text import read_text

if TYPE_CHECKING:
    from vivavoce.blocking import Client
    from vivavoce.model.card import ModelCard, Option

__all__ = ["NO_WISHES", "Asked", "wish_options"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.argument("text"),
    provider_option,
    click.option("--language", metavar="TAG", help="BCP-47 tag, such as en or pt-BR."),
    click.option("--voice", metavar="ID", help="Voice; wins over the selector's."),
    click.option("--instructions", metavar="TEXT", help="Style in plain words, where a model can."),
    click.option("--rate", type=float, metavar="RATIO", help="0.1 to 10; 2 is twice as fast."),
    click.option("--pitch", type=float, metavar="SEMITONES", help="-24 to 24; 12 is an octave up."),
    click.option("--volume", type=float, metavar="DB", help="-60 to 24 decibels; 0 is as it is."),
    click.option("--ssml", is_flag=True, help="The text is SSML."),
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(allow_dash=True, readable=False),
        help="Where the audio goes; - is standard output. The ending names the format.",
    ),
    click.option("--format", metavar="NAME", help="wav, mp3, ogg, flac, pcm, mulaw or alaw."),
    click.option("--sample-rate", type=int, metavar="HZ", help="Else the model's own."),
    click.option(
        "--marks",
        metavar="FILE",
        type=click.Path(readable=False),
        help="Where the times of words go: .json, .srt or .vtt.",
    ),
    click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the provider's own; may be repeated.",
    ),
    click.option(
        "--segment-chars",
        type=int,
        metavar="N",
        help="Most characters of one request; else the model's limit.",
    ),
    click.option("--strict", is_flag=True, help="Refuse what would have to be emulated."),
    click.option(
        "--stand-in",
        is_flag=True,
        help="Let another voice speak where an alias has none at this provider.",
    ),
    click.option("--region", metavar="ID", help="The provider's region."),
    click.option("--base-url", metavar="URL", help="Address in place of the provider's own."),
)

# Command-line option to wish, where a value is passed on as it is.
_WISHES = {
    "voice": "voice",
    "language": "language",
    "instructions": "instructions",
    "rate": "rate",
    "pitch": "pitch",
    "volume": "volume",
    "format": "format",
    "sample_rate": "sample_rate_hz",
    "segment_chars": "segment_chars",
}

NO_WISHES: Mapping[str, Any] = {
    **dict.fromkeys(_WISHES),
    **dict.fromkeys(("selector", "output", "marks", "region", "base_url")),
    **dict.fromkeys(("ssml", "strict", "stand_in"), False),
    "options": (),
}
"""What :class:`Asked` is given where nothing but a text is asked for."""


def wish_options(command: F) -> F:
    """Add the text and every wish to *command*; :class:`Asked` reads them."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


class Asked:
    """
    What was asked for.

    Args:
        values: The values of :func:`wish_options`.
        is_session: Whether the text comes while it is spoken, and is not read yet.

    Attributes:
        output: Where the audio goes, or None.
        marks: Where the marks go, or None.
        text: The text itself, read from where it is.
    """

    def __init__(self, values: Mapping[str, Any], *, is_session: bool = False) -> None:
        self._values = values
        self.output: str | None = values["output"]
        self.marks: str | None = values["marks"]
        self.text = "" if is_session else read_text(values["text"])

    def client(self) -> Client:
        """
        Return a client for what was asked.

        Raises:
            VivavoceError: See :class:`vivavoce.Client`.
        """
        from vivavoce import registry
        from vivavoce.blocking import Client

        return Client(
            self._values["selector"],
            region=self._values["region"],
            base_url=self._values["base_url"],
            strict=self._values["strict"],
            stand_in=self._values["stand_in"],
            registry=registry.installed(),
        )

    def wishes(self, card: ModelCard) -> dict[str, Any]:
        """
        Return the keyword arguments for a client's calls.

        Args:
            card: The model, which says of what type its options are.

        Raises:
            InvalidValue: If an option is not of the form ``NAME=VALUE``.
        """
        values = self._values
        wishes = {wish: values[name] for name, wish in _WISHES.items() if values[name] is not None}
        if values["ssml"]:
            wishes["ssml"] = True
        if values["options"]:
            wishes["options"] = _read_options(values["options"], card)
        if self.marks is not None:
            wishes["marks"] = {_mark_kind(card)}
        return wishes

    def file_wishes(self, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """Return *wishes* with the format the output has unless one is given."""
        if "format" in wishes:
            return dict(wishes)
        if self.output in (None, "-"):
            return {**wishes, "format": "wav"}
        from vivavoce.face import wishes_for_file

        return wishes_for_file(Path(str(self.output)), wishes)


def _mark_kind(card: ModelCard) -> str:
    """Return the marks captions are made of; where a model has none, the plan refuses words."""
    claims = card.capabilities
    return "sentence" if claims.sentence_marks and not claims.word_marks else "word"


def _read_options(pairs: Iterable[str], card: ModelCard) -> dict[str, Any]:
    known = {option.name: option for option in card.options}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            from vivavoce.errors import InvalidValue

            msg = f"{pair!r} is no option. Write it as NAME=VALUE."
            raise InvalidValue(msg)
        values[name] = _typed(known[name], value) if name in known else value
    return values


_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _typed(option: Option, value: str) -> object:
    """Return *value* as the option's type; what cannot be one is left for its check."""
    if option.type is bool:
        return _TRUTH.get(value.lower(), value)
    try:
        return option.type(value)
    except ValueError:
        return value
