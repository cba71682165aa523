"""``vivavoce say``: text in, speech out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.ends import tell, writing_stdout
from vivavoce.cli.options import debug_option
from vivavoce.cli.text import read_pieces
from vivavoce.cli.wishes import Asked, wish_options

if TYPE_CHECKING:
    from vivavoce.blocking import Client
    from vivavoce.model.report import Report
    from vivavoce.pipeline.plan import Plan

__all__ = ["say", "speak"]

_HELP = """\
Speak a text into a file, aloud or to standard output.

TEXT is the text itself; @FILE reads a UTF-8 file and - reads standard input. A text that begins
with @ is written with @@, and one that begins with - comes after --.

\b
  vivavoce say "Good morning." -o morning.wav
  vivavoce say @book.txt -p acme/large:ann -o book.mp3 --marks book.vtt
  vivavoce say "Good morning." -o - | aplay
  vivavoce say -o cold.wav -- "-5 degrees"
  some-llm | vivavoce say - --session -o - | aplay

A file appears only when it is whole. To standard output a WAV is streamed, whose header does not
tell the length; --format pcm gives bare samples.
"""


@click.command(
    "say", help=_HELP, short_help="Speak a text into a file, aloud or to standard output."
)
@wish_options
@click.option(
    "--session", is_flag=True, help="Speak the text of standard input while it still comes."
)
@click.option("--play", is_flag=True, help="Play it while it is made (extra: play).")
@click.option(
    "--progress/--quiet",
    " /-q",
    "progress",
    default=None,
    help="Show a progress bar, or say nothing at all. Else: a bar for long texts.",
)
@debug_option
def say(session: bool, play: bool, progress: bool | None, **values: Any) -> None:  # noqa: FBT001 - by click, by name
    """Speak; see the help above."""
    speak(values, play=play, is_session=session, progress=progress)


def speak(
    values: Mapping[str, Any], *, play: bool, is_session: bool = False, progress: bool | None = None
) -> None:
    """
    Speak a text to where it shall go, and tell what was made.

    Args:
        values: Those of :func:`vivavoce.cli.wishes.wish_options`.
        play: Whether to play it too.
        is_session: Whether to speak standard input while it comes.
        progress: Whether to show a bar; False for no word at all, None for long texts.

    Raises:
        VivavoceError: As the client does.
        click.UsageError: If nobody would hear it.
    """
    _check_ways(values["output"], values["format"], play=play)
    if is_session:
        _check_session(values)
    asked = Asked(values, is_session=is_session)
    with asked.client() as client, ExitStack() as stack:
        job = _SessionJob(client, asked) if is_session else _Job(client, asked)
        if play:
            from vivavoce.cli.play import Player

            job.on_samples = stack.enter_context(Player(job.plan.samples)).write
        if progress is not False:
            from vivavoce.cli.progress import progress_bar

            job.on_progress = stack.enter_context(progress_bar(len(asked.text), is_wanted=progress))
        report = job.run()
    if progress is not False:
        _tell_end(report, asked)


def _check_ways(output: str | None, name: str | None, *, play: bool) -> None:
    """Refuse where nobody would hear it, or where it would spoil a terminal."""
    if output is None and not play:
        msg = "Where shall the audio go? Give -o FILE, or --play to hear it."
        raise click.UsageError(msg, click.get_current_context())
    if output is None and name is not None:
        msg = "--format is of the audio written; give -o FILE with it."
        raise click.UsageError(msg, click.get_current_context())
    if output == "-" and play:
        msg = "--play and -o - cannot be used together. Pipe into `tee` and a player instead."
        raise click.UsageError(msg, click.get_current_context())
    if output == "-" and sys.stdout.isatty():
        msg = "Audio is not written to a terminal. Give -o FILE, or pipe it into a program."
        raise click.UsageError(msg, click.get_current_context())
    if output is not None and Path(output).is_dir():
        # Before the ending is looked at: a folder has none, and that is not the point.
        msg = f"{output!r} is a folder. Give the name of a file in it."
        raise click.UsageError(msg, click.get_current_context())


def _check_session(values: Mapping[str, Any]) -> None:
    """Refuse what needs the whole text before any of it is spoken."""
    if values["text"] != "-":
        msg = "--session speaks standard input while it comes: write - for the text."
        raise click.UsageError(msg, click.get_current_context())
    if values["marks"] is not None:
        msg = "--marks cannot be used with --session: captions need the whole text."
        raise click.UsageError(msg, click.get_current_context())


class _Job:
    """One synthesis and where its audio goes."""

    def __init__(self, client: Client, asked: Asked) -> None:
        self._client = client
        self._asked = asked
        wishes = asked.wishes(client.model)
        is_heard_only = asked.output is None
        self._wishes = {**wishes, "format": "pcm"} if is_heard_only else asked.file_wishes(wishes)
        self.plan = self._planned()
        self.plan.check()
        self.on_samples: Callable[[bytes], None] | None = None
        self.on_progress: Callable[[Report], None] | None = None

    def _planned(self) -> Plan:
        return self._client.explain(self._asked.text, **self._wishes)

    def run(self) -> Report:
        """Speak, and return what happened."""
        if self._asked.output is None:
            assert self.on_samples is not None
            return self._stream(self.on_samples)
        if self._asked.output == "-":
            return self._to_stdout()
        return self._to_file(self._asked.output)

    def _to_file(self, path: str) -> Report:
        on_samples = self.on_samples
        return self._client.save(
            self._asked.text,
            path,
            captions=self._asked.marks,
            on_chunk=None if on_samples is None else lambda chunk: on_samples(chunk.data),
            on_progress=self.on_progress,
            **self._wishes,
        )

    def _to_stdout(self) -> Report:
        out = sys.stdout.buffer

        def write(data: bytes) -> None:
            with writing_stdout():
                out.write(data)
                # A player at the other end wants to begin now.
                out.flush()

        return self._stream(write)

    def _stream(self, write: Callable[[bytes], None]) -> Report:
        from vivavoce.pipeline.collect import open_captions

        with ExitStack() as stack:
            stream = stack.enter_context(self._client.stream(self._asked.text, **self._wishes))
            captions = None
            if self._asked.marks is not None:
                shown = stream.plan.shown_text
                captions = stack.enter_context(open_captions(self._asked.marks, shown))
            for chunk in stream:
                write(chunk.data)
                if captions is not None:
                    for mark in chunk.marks:
                        captions.add(mark)
                if self.on_progress is not None:
                    self.on_progress(stream.report)
        return stream.report


class _SessionJob(_Job):
    """A text that is spoken while it still comes."""

    def _planned(self) -> Plan:
        return self._client.session(**self._wishes).plan

    def _stream(self, write: Callable[[bytes], None]) -> Report:
        with self._client.session(read_pieces(), **self._wishes) as session:
            for chunk in session:
                write(chunk.data)
                if self.on_progress is not None:
                    self.on_progress(session.report)
            return session.report

    def _to_file(self, path: str) -> Report:
        from vivavoce.audio.encode import FileEncoder
        from vivavoce.audio.output import atomic_output

        target = self.plan.target
        samples = {"format": "pcm", "sample_rate_hz": target.sample_rate_hz}
        self._wishes = {**self._wishes, **samples}
        with atomic_output(path) as file:
            encoder = FileEncoder(file, self.plan.samples, target)

            def write(data: bytes) -> None:
                encoder.feed(data)
                if self.on_samples is not None:
                    self.on_samples(data)

            report = self._stream(write)
            encoder.finish()
        return report


def _tell_end(report: Report, asked: Asked) -> None:
    """Say on standard error what was made, and what was not as asked."""
    is_file = asked.output not in (None, "-")
    made = f"wrote {asked.output}" if is_file else "spoke"
    if asked.marks is not None:
        made += f" and {asked.marks}" if is_file else f", wrote {asked.marks}"
    facts = [f"{report.audio_s:.2f} s of speech"]
    # Who listens or reads slowly sets the pace of the others: the time taken says nothing there.
    if is_file and report.rtf is not None:
        facts.append(f"RTF {report.rtf:.3f}")
    elif report.ttfa_s is not None:
        facts.append(f"first audio after {report.ttfa_s:.3f} s")
    if report.cost:
        facts.append(f"cost {report.cost} {report.currency}".rstrip())
    tell(f"{made}: {', '.join(facts)}")
    for warning in report.warnings:
        tell(f"note: {warning}")
