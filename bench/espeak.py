"""
espeak through the client, against a bare loop over the same engine with ctypes.

The bare loop is the least a program can do, and does less than the plugin: it has one library for
all calls, so it is neither repeatable nor safe in threads, and its events become no marks. It asks
the engine for 100 ms at a time, as the engine's own examples do; a second one asks for as much as
the plugin does, since larger buffers alone save processor time.
"""

from __future__ import annotations

import asyncio
import ctypes as c
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable

import espeakng_loader
from common import machine, median, paired, prose, show

from vivavoce import AsyncClient, Client
from vivavoce_espeak import _engine

ROUNDS = 11
FIRST_ROUNDS = 61
CHARACTERS = 10_700
SENTENCE = "Hello there, this is the first sentence of many."
PLUGIN_BUFFER_MS = _engine._BUFFER_MS  # noqa: SLF001 - compared with what it really uses

BARE = "bare ctypes, 100 ms"
SAME_BUFFER = f"bare ctypes, {PLUGIN_BUFFER_MS} ms as the plugin"

_SYNCHRONOUS, _DO_NOT_EXIT = 2, 0x8000
_CHARACTER_POSITION, _UTF8_AND_END_PAUSE = 1, 0x1001


class _Event(c.Structure):
    # Only the kind is looked at; the rest keeps the size.
    _fields_ = (("kind", c.c_int), ("rest", c.c_char * 36))


_Callback = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.POINTER(_Event))


class Bare:
    """One loaded engine, events looked through, audio copied."""

    def __init__(self, library: str, buffer_ms: int) -> None:
        self._lib = c.CDLL(library)
        data = str(espeakng_loader.get_data_path()).encode()
        self._lib.espeak_Initialize(_SYNCHRONOUS, buffer_ms, data, _DO_NOT_EXIT)
        self._lib.espeak_SetVoiceByName(b"gmw/en-US")

    def speak(self, text: str, on_audio: Callable[[bytes], None]) -> None:
        def called(audio: int | None, samples: int, events: c._Pointer[_Event]) -> int:
            index = 0
            while events[index].kind:
                index += 1
            if audio and samples > 0:
                on_audio(c.string_at(audio, 2 * samples))
            return 0

        callback = _Callback(called)
        self._lib.espeak_SetSynthCallback(callback)
        raw = text.encode() + b"\0"
        size = c.c_size_t(len(raw))
        self._lib.espeak_Synth(
            raw, size, 0, _CHARACTER_POSITION, 0, _UTF8_AND_END_PAUSE, None, None
        )


class Taken:
    """What one run took; the pause after it belongs to it."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._begun = time.perf_counter()
        self.first_s = 0.0
        self.count = 0
        self.cpu_s = 0.0

    def chunk(self, data: bytes) -> None:
        if not self.count:
            self.first_s = time.perf_counter() - self._begun
        self.count += len(data)

    def end(self, rest_s: float) -> None:
        # A pause is a program's own work between two calls. The plugin loads the next call's
        # library meanwhile, on a thread, and that processor time has to be counted too.
        time.sleep(rest_s)
        self.cpu_s = time.process_time() - self._cpu


def run_bare(bare: Bare, text: str) -> Taken:
    """Speak *text* with the bare loop."""
    taken = Taken()
    bare.speak(text, taken.chunk)
    return taken


def run_sync(client: Client, text: str) -> Taken:
    """Speak *text* through the sync face."""
    taken = Taken()
    with client.stream(text) as stream:
        for chunk in stream:
            taken.chunk(chunk.data)
    return taken


async def run_async(client: AsyncClient, text: str) -> Taken:
    """Speak *text* through the async face."""
    taken = Taken()
    async with client.stream(text) as stream:
        async for chunk in stream:
            taken.chunk(chunk.data)
    return taken


def measure(text: str, rounds: int, rest_s: float) -> dict[str, list[Taken]]:
    """Run all ways in turn, *rest_s* seconds apart."""
    library = str(espeakng_loader.get_library_path())
    with (
        tempfile.TemporaryDirectory() as folder,
        Client("espeak") as client,
        asyncio.Runner() as runner,
    ):
        # A file of its own, or the system would hand out the library that is loaded already.
        copy = shutil.copy(library, folder)
        bare, same_buffer = Bare(library, 100), Bare(copy, PLUGIN_BUFFER_MS)
        other = AsyncClient("espeak")
        ways: dict[str, Callable[[], Taken]] = {
            BARE: lambda: run_bare(bare, text),
            SAME_BUFFER: lambda: run_bare(same_buffer, text),
            "Client": lambda: run_sync(client, text),
            "AsyncClient": lambda: runner.run(run_async(other, text)),
        }
        taken: dict[str, list[Taken]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, way in ways.items():
                one = way()
                one.end(rest_s)
                if turn:  # the first round warms up
                    taken[name].append(one)
        runner.run(other.aclose())
    return taken


def cpu_of(runs: Iterable[Taken]) -> list[float]:
    """Return the processor seconds of each run."""
    return [one.cpu_s for one in runs]


def show_cpu() -> None:
    """Measure processor time on ten minutes of speech."""
    taken = measure(prose(CHARACTERS), ROUNDS, 0.05)
    rows = [
        (
            name,
            f"{runs[0].count / 44_100:.0f}",
            f"{median(cpu_of(runs)):.3f}",
            paired(cpu_of(runs), cpu_of(taken[BARE])),
            paired(cpu_of(runs), cpu_of(taken[SAME_BUFFER])),
        )
        for name, runs in taken.items()
    ]
    head = (
        "way",
        "speech, s",
        "processor s, median",
        "x bare (goal: at most 1.3)",
        "x bare with the plugin's buffer",
    )
    show(f"Ten minutes of speech, {ROUNDS} rounds in turn", head, rows)


def show_first(rest_s: float) -> None:
    """Measure the first chunk of a sentence."""
    taken = measure(SENTENCE, FIRST_ROUNDS, rest_s)
    firsts = {name: sorted(one.first_s * 1e3 for one in runs) for name, runs in taken.items()}
    rows = [
        (
            name,
            f"{median(all_):.2f}",
            f"{all_[len(all_) * 9 // 10]:.2f}",
            f"{median(all_) - median(firsts[BARE]):+.2f}",
        )
        for name, all_ in firsts.items()
    ]
    pause = f"{rest_s * 1e3:.0f} ms apart" if rest_s else "without a pause"
    head = ("way", "ms, median", "nine of ten within", "above bare (goal: 3 sync, 2 async)")
    show(f"First chunk of a sentence, {FIRST_ROUNDS} rounds in turn, {pause}", head, rows)


def main() -> None:
    """Measure, the engine warm in all ways."""
    print(machine())
    show_cpu()
    show_first(0.03)
    show_first(0.0)


if __name__ == "__main__":
    main()
