"""What is done with a run's chunks: gathered into one piece, or written to a file."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from pathlib import Path

from vivavoce.audio.captions import CaptionWriter
from vivavoce.audio.encode import FileEncoder
from vivavoce.audio.output import atomic_output
from vivavoce.audio.result import Audio
from vivavoce.model.audio import Chunk
from vivavoce.model.report import Report
from vivavoce.model.timing import Mark
from vivavoce.pipeline.run import SpeechRun

__all__ = ["gather", "write"]


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
        text=run.plan.utterance.text,
    )


async def write(
    run: SpeechRun,
    path: str | os.PathLike[str],
    captions: str | os.PathLike[str] | None,
) -> Report:
    """
    Write *run* to a file, and its marks to another; both appear whole or not at all.

    Memory does not grow with the text.

    Args:
        run: Made with ``encode=False``.
        path: Where the audio goes, in the plan's target format.
        captions: Where the marks go (``.vtt``, ``.srt``, ``.json``), or None.
    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(atomic_output(path))
            encoder = FileEncoder(file, run.format, run.plan.target)
            writer = None
            if captions is not None:
                text_file = stack.enter_context(atomic_output(captions, encoding="utf-8"))
                kind = Path(captions).suffix.lower().removeprefix(".")
                writer = CaptionWriter(text_file, kind, run.plan.utterance.text)
            while (chunk := await run.next_chunk()) is not None:
                _write_chunk(chunk, encoder, writer)
            encoder.finish()
            if writer is not None:
                writer.close()
    finally:
        await run.close()
    return run.report


def _write_chunk(chunk: Chunk, encoder: FileEncoder, writer: CaptionWriter | None) -> None:
    encoder.feed(chunk.data)
    if writer is not None:
        for mark in chunk.marks:
            writer.add(mark)
