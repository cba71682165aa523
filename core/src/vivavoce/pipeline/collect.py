"""What is done with a run's chunks: gathered into one piece, or written to a file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vivavoce.audio.captions import CaptionWriter
from vivavoce.audio.encode import FileEncoder
from vivavoce.audio.output import atomic_output
from vivavoce.audio.result import Audio
from vivavoce.model.audio import Chunk
from vivavoce.model.report import Report
from vivavoce.model.timing import Mark
from vivavoce.pipeline.run import SpeechRun

__all__ = ["gather", "open_captions", "write"]


async def gather(run: SpeechRun) -> Audio:
    """
    Return all of *run* as one piece.

    Args:
        run: Made with ``encode=False``, so that headers get their true sizes.
    """
    pieces: list[bytes] = []
    marks: list[Mark] = []
    try:
        while (chunk := await run.next_chunk()) is not None:
            pieces.append(chunk.data)
            marks += chunk.marks
    finally:
        await run.close()
    data = b"".join(pieces)
    target = run.plan.target
    if target != run.format:
        file = io.BytesIO()
        encoder = FileEncoder(file, run.format, target)
        encoder.feed(data)
        encoder.finish()
        data = file.getvalue()
    return Audio(
        data=data,
        format=target,
        marks=tuple(marks),
        report=run.report,
        text=run.plan.shown_text,
    )


async def write(
    run: SpeechRun,
    path: str | os.PathLike[str],
    captions: str | os.PathLike[str] | None,
    *,
    on_chunk: Callable[[Chunk], None] | None = None,
    on_progress: Callable[[Report], None] | None = None,
) -> Report:
    """
    Write *run* to a file, and its marks to another; both appear whole or not at all.

    Memory does not grow with the text.

    Args:
        run: Made with ``encode=False``.
        path: Where the audio goes, in the plan's target format.
        captions: Where the marks go (``.vtt``, ``.srt``, ``.json``), or None.
        on_chunk: Given each chunk of plain samples, once it is written.
        on_progress: Given the report so far, after each chunk. Whatever one of the
            two raises ends the synthesis, and no file appears.
    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(atomic_output(path))
            encoder = FileEncoder(file, run.format, run.plan.target)
            writer = None
            if captions is not None:
                writer = stack.enter_context(open_captions(captions, run.plan.shown_text))
            while (chunk := await run.next_chunk()) is not None:
                _write_chunk(chunk, encoder, writer)
                if on_chunk is not None:
                    on_chunk(chunk)
                if on_progress is not None:
                    on_progress(run.report)
            encoder.finish()
    finally:
        await run.close()
    return run.report


@contextmanager
def open_captions(path: str | os.PathLike[str], text: str) -> Iterator[CaptionWriter]:
    """Give a writer of marks whose file appears at the end, whole or not at all."""
    with atomic_output(path, encoding="utf-8") as file:
        writer = CaptionWriter(file, Path(path).suffix.lower().removeprefix("."), text)
        yield writer
        writer.close()


def _write_chunk(chunk: Chunk, encoder: FileEncoder, writer: CaptionWriter | None) -> None:
    encoder.feed(chunk.data)
    if writer is not None:
        for mark in chunk.marks:
            writer.add(mark)
