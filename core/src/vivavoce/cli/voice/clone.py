"""``vivavoce voice clone``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.text import read_file, read_text
from vivavoce.cli.voice.make import make_voice, making_options

if TYPE_CHECKING:
    from vivavoce.blocking import Client
    from vivavoce.pipeline.customize import VoicePlan

__all__ = ["clone"]

_HELP = """\
Have a voice made from a recording.

RECORDING is a file, or an http address where the provider fetches one itself. It is listened to
first; what is wrong with it, the price and the model the voice is bound to are shown before you are
asked. A voice is cloned only with the consent of the person whose voice it is.

\b
  vivavoce voice clone ann.wav -p acme --name ann \\
      --consent-by "Ann Li" --consent-how "signed release of 2026-11-02"

Exits with 6 if the answer was lost, so that the voice may have been made: look before you ask
again.
"""


@click.command("clone", help=_HELP, short_help="Have a voice made from a recording.")
@click.argument("recording")
@click.option("--consent-by", metavar="WHO", required=True, help="Who agreed to be cloned.")
@click.option("--consent-how", metavar="HOW", required=True, help="In what form they agreed.")
@click.option("--consent-on", metavar="DATE", default="", help="ISO date of it; else today.")
@click.option("--transcript", metavar="TEXT", help="What is said in the recording.")
@click.option(
    "--transcript-file",
    metavar="FILE",
    type=click.Path(allow_dash=True, readable=False),
    help="The same from a UTF-8 file, which the shell's history does not show.",
)
@click.option("--fix", is_flag=True, help="Repair what can be: rate, channels, silence, container.")
@making_options
def clone(recording: str, **values: Any) -> None:
    """Clone; see the help above."""
    from vivavoce.model.customizing import Consent

    if values["name"] is None:
        msg = "Missing option '--name': what the provider is to name the voice"
        raise click.UsageError(msg, click.get_current_context())
    transcript = _transcript(values["transcript"], values["transcript_file"])
    consent = Consent(by=values["consent_by"], how=values["consent_how"], on=values["consent_on"])

    def explain(client: Client) -> VoicePlan:
        return client.voices.explain_clone(
            recording,
            name=values["name"],
            consent=consent,
            transcript=transcript,
            language=values["language"],
            target_model=values["target_model"],
            alias=values["alias"],
            fix=values["fix"],
        )

    make_voice(values, explain)


def _transcript(text: str | None, file: str | None) -> str | None:
    if text is not None and file is not None:
        msg = "--transcript and --transcript-file are two transcripts. Give one of them."
        raise click.UsageError(msg, click.get_current_context())
    if file is None:
        return text
    return (read_text("-") if file == "-" else read_file(file, "The transcript")).strip()
