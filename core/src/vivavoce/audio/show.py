"""What a notebook shows of audio: a player and a waveform, in one piece of HTML."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from vivavoce.audio.pcm import FULL_SCALE, samples_of
from vivavoce.audio.wav import wav_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vivavoce.model.audio import AudioFormat
    from vivavoce.model.timing import Mark

__all__ = ["audio_html", "peaks"]

COLUMNS = 600
HEIGHT = 80
# Written into the page as base64, a third larger; beyond this a notebook chokes.
PLAYER_MAX_BYTES = 10_000_000
MARKS_MAX = 200
_COLOUR = "#7f8c9b"  # seen on white and on black


def audio_html(pcm: bytes, audio_format: AudioFormat, marks: Sequence[Mark] = ()) -> str:
    """
    Return an HTML fragment with a player and a waveform; it needs no network and no script.

    Args:
        pcm: Interleaved ``pcm_s16le`` samples.
        audio_format: Their rate and channels.
        marks: Shown as ticks under the waveform, at most 200 of them, evenly chosen.

    Returns:
        A ``<div>``. Above 10 MB of samples it has a note in place of the player.
    """
    duration_s = audio_format.duration_s(len(pcm))
    parts = [
        '<div style="max-width:600px">',
        _player(pcm, audio_format),
        _waveform(pcm, audio_format, marks, duration_s),
        _note(f"{_duration_text(duration_s)}, {audio_format}"),
        "</div>",
    ]
    return "".join(parts)


def peaks(pcm: bytes, columns: int = COLUMNS, channels: int = 1) -> list[tuple[int, int]]:
    """
    Return the smallest and largest sample of each column of a waveform.

    Args:
        pcm: Interleaved ``pcm_s16le`` samples.
        columns: Most columns to return; shorter audio gives one a frame.
        channels: Interleaved channels, seen as one.
    """
    frame_bytes = 2 * channels
    frames = len(pcm) // frame_bytes
    columns = min(columns, frames)
    view = memoryview(pcm)
    found = []
    for column in range(columns):
        begin = frames * column // columns * frame_bytes
        end = frames * (column + 1) // columns * frame_bytes
        samples = samples_of(view[begin:end])
        found.append((min(samples), max(samples)))
    return found


def _player(pcm: bytes, audio_format: AudioFormat) -> str:
    if len(pcm) > PLAYER_MAX_BYTES:
        note = (
            f"{len(pcm) / 1e6:.0f} MB of audio are too many for a player in a notebook. "
            "Save the audio to a file to hear it."
        )
        return _note(note)
    encoded = base64.b64encode(wav_header(audio_format, len(pcm)) + pcm).decode("ascii")
    return (
        '<audio controls preload="metadata" style="width:100%" '
        f'src="data:audio/wav;base64,{encoded}"></audio>'
    )


def _waveform(
    pcm: bytes, audio_format: AudioFormat, marks: Sequence[Mark], duration_s: float
) -> str:
    columns = peaks(pcm, COLUMNS, audio_format.channels)
    middle = HEIGHT / 2
    scale = middle / FULL_SCALE
    width = COLUMNS / max(len(columns), 1)
    lines = "".join(
        f"M{(index + 0.5) * width:.4g} {middle - high * scale:.4g}V{middle - low * scale + 0.5:.4g}"
        for index, (low, high) in enumerate(columns)
    )
    ticks = (
        "".join(f"M{mark.start_s / duration_s * COLUMNS:.4g} {HEIGHT}v6" for mark in _chosen(marks))
        if duration_s
        else ""
    )
    return (
        f'<svg viewBox="0 0 {COLUMNS} {HEIGHT + 6}" width="100%" role="img" '
        f'aria-label="waveform" style="display:block">'
        f'<path d="M0 {middle:g}H{COLUMNS}" stroke="{_COLOUR}" stroke-opacity=".4"/>'
        f'<path d="{lines}" stroke="{_COLOUR}" stroke-width="{min(width, 2):.3g}"/>'
        f'<path d="{ticks}" stroke="{_COLOUR}"/></svg>'
    )


def _note(text: str) -> str:
    return f'<div style="color:{_COLOUR};font:12px sans-serif">{html.escape(text)}</div>'


def _chosen(marks: Sequence[Mark]) -> Sequence[Mark]:
    step = -(-len(marks) // MARKS_MAX) or 1
    return marks[::step]


def _duration_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"
