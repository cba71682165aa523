"""espeak through the client, against a bare loop over the same engine with ctypes."""

from __future__ import annotations

import asyncio
import ctypes as c
import time
from collections.abc import Callable

import espeakng_loader
from common import machine, median, paired, prose, show

from vivavoce import AsyncClient, Client

ROUNDS = 9
FIRST_ROUNDS = 41
CHARACTERS = 10_700


class _Event(c.Structure):
    # Only the kind is looked at; the rest keeps the size.
    _fields_ = (("kind", c.c_int), ("rest", c.c_char * 36))


_Callback = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.POINTER(_Event))


class Bare:
    """The least a program can do: one loaded engine, events looked through, audio copied."""

    def __init__(self) -> None:
        self._lib = c.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self._lib.espeak_Initialize(2, 100, data, 0x8000)
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
        self._lib.espeak_Synth(raw, c.c_size_t(len(raw)), 0, 1, 0, 0x1001, None, None)


class Taken:
    """What one run took."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._begun = time.perf_counter()
        self.first_s: float | None = None
        self.count = 0
        self.cpu_s = 0.0

    def chunk(self, data: bytes) -> None:
        if self.first_s is None:
            self.first_s = time.perf_counter() - self._begun
        self.count += len(data)

    def end(self) -> Taken:
        self.cpu_s = time.process_time() - self._cpu
        return self


def run_bare(bare: Bare, text: str) -> Taken:
    """Speak *text* with the bare loop."""
    taken = Taken()
    bare.speak(text, taken.chunk)
    return taken.end()


def run_sync(client: Client, text: str) -> Taken:
    """Speak *text* through the sync face."""
    taken = Taken()
    with client.stream(text) as stream:
        for chunk in stream:
            taken.chunk(chunk.data)
    return taken.end()


async def run_async(client: AsyncClient, text: str) -> Taken:
    """Speak *text* through the async face."""
    taken = Taken()
    async with client.stream(text) as stream:
        async for chunk in stream:
            taken.chunk(chunk.data)
    return taken.end()


def measure(text: str, rounds: int, rest_s: float) -> dict[str, list[Taken]]:
    """Run all three in turn."""
    taken: dict[str, list[Taken]] = {"bare ctypes": [], "Client": [], "AsyncClient": []}
    bare = Bare()
    with Client("espeak") as client, asyncio.Runner() as runner:
        other = AsyncClient("espeak")
        for turn in range(rounds + 1):
            found = []
            # The pause is a program's own work between two calls; the engine's next
            # library is loaded meanwhile.
            time.sleep(rest_s)
            found.append(run_bare(bare, text))
            time.sleep(rest_s)
            found.append(run_sync(client, text))
            time.sleep(rest_s)
            found.append(runner.run(run_async(other, text)))
            if turn:  # the first round warms up
                for name, one in zip(taken, found, strict=True):
                    taken[name].append(one)
        runner.run(other.aclose())
    return taken


def main() -> None:
    """Measure processor time on ten minutes of speech, and the first chunk on a sentence."""
    print(machine())
    long = measure(prose(CHARACTERS), ROUNDS, 0.05)
    bare_cpu = [one.cpu_s for one in long["bare ctypes"]]
    rows = [
        (
            name,
            f"{all_[0].count / 44_100:.0f}",
            f"{median(one.cpu_s for one in all_):.3f}",
            paired([one.cpu_s for one in all_], bare_cpu),
        )
        for name, all_ in long.items()
    ]
    head = ("way", "speech, s", "processor s, median", "x bare, in turn")
    show(f"Ten minutes of speech, {ROUNDS} rounds in turn", head, rows)
    short = measure("Hello there, this is the first sentence of many.", FIRST_ROUNDS, 0.03)
    bare_first = median(one.first_s or 0.0 for one in short["bare ctypes"])
    rows = [
        (
            name,
            f"{median(one.first_s or 0.0 for one in all_) * 1e3:.2f}",
            f"{(median(one.first_s or 0.0 for one in all_) - bare_first) * 1e3:+.2f}",
        )
        for name, all_ in short.items()
    ]
    head = ("way", "first chunk, ms", "above bare, ms")
    show(f"First chunk, {FIRST_ROUNDS} rounds in turn", head, rows)


if __name__ == "__main__":
    main()
