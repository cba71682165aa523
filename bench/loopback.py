"""
What the benchmarks of wires share: a server and clients in processes of their own, in turn.

In each chunk of audio the server notes when it had been asked and when it sent the chunk, on
the clock all processes share; what a client needs above the server's own time is the rest.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import random
import resource
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from common import median, paired, show

STAMP = struct.Struct("<QQ8x")  # 24 bytes, so 32 characters without padding
CHUNK_BYTES = 4800  # 100 ms
LIMIT_S = 120.0

OnAudio = Callable[[bytes], object]
Figures = dict[str, list[float]]
now = time.monotonic_ns


# The server


@functools.cache
def speech(chunk_bytes: int, after: bytes) -> list[bytes]:
    """Return chunks of audio in base64, less the stamp each begins with, and *after* behind."""
    source = random.Random(7)
    return [base64.b64encode(source.randbytes(chunk_bytes))[32:] + after for _ in range(4)]


async def serve(service: Callable[[], asyncio.Protocol]) -> None:
    """Serve on a port of the system's choice, which is printed, until the parent is done."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(service, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def loopback_server(program: str) -> Iterator[str]:
    """Run ``program serve``; give its host and port."""
    command = [sys.executable, program, "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield f"127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


# One client in its process


def cpu_s() -> float:
    """Return the processor seconds this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Stamped:
    """Notes when the first audio came, and what is stamped on it."""

    def __init__(self) -> None:
        self.first: tuple[int, int, int] | None = None

    def __call__(self, pcm: bytes) -> None:
        if self.first is None:
            self.first = (now(), *STAMP.unpack_from(pcm))

    def first_ms(self, begun: int) -> float:
        """Return milliseconds from *begun* to the first audio, above the server's own."""
        assert self.first is not None
        arrived, asked, sent = self.first
        return (arrived - begun - (sent - asked)) / 1e6


async def work(make_worker: Callable[[], Any]) -> None:
    """Run what the parent orders, a line each, and answer with a number."""
    worker = make_worker()
    loop = asyncio.get_running_loop()
    while order := await loop.run_in_executor(None, sys.stdin.readline):
        what, text = json.loads(order)
        print(json.dumps(await getattr(worker, what)(text)), flush=True)


class Asked:
    """The process of one client, ``program client name address``, seen from the parent."""

    def __init__(self, program: str, name: str, address: str) -> None:
        self.name = name
        command = [sys.executable, program, "client", name, address]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, what: str, text: str) -> float:
        """Have it do *what*; killed when that takes too long."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(LIMIT_S, self.process.kill)
        watch.start()
        self.process.stdin.write(json.dumps([what, text]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        watch.cancel()
        return float(json.loads(answer))

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


# What is measured


def in_turn(clients: list[Asked], what: str, text: str, rounds: int, each: int = 1) -> Figures:
    """Ask each client in turn; of several answers in a round the median counts."""
    figures: Figures = {client.name: [] for client in clients}
    for turn in range(rounds + 1):
        for client in clients:
            value = median(client(what, text) for _ in range(each))
            if turn:  # the first round warms up
                figures[client.name].append(value)
    return figures


def table(title: str, unit: str, figures: Figures, against: tuple[str, ...], scale: float) -> None:
    """Print the medians, and the ratios within a round to those named."""
    against = tuple(name for name in against if name in figures)
    rows = [
        (
            name,
            f"{median(values) * scale:.3g} [{min(values) * scale:.3g}..{max(values) * scale:.3g}]",
            *(paired(values, figures[other]) for other in against),
        )
        for name, values in figures.items()
    ]
    show(title, ("client", unit, *(f"x {name}" for name in against)), rows)
