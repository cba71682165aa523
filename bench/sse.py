"""
Speech that comes as server-sent events: our client against bare sockets, httpx and the SDK.

A process of its own serves the service's events on this machine, made beforehand. In each
chunk of audio stands when the server had read the request and when it sent the chunk, on
the clock all processes share; what a client needs above the server's own time is the rest.
Each client runs in a process of its own and is asked in turn. Only ratios mean something.

Clients: plain sockets with the standard library; httpx and httpx2 as their READMEs show;
the vendor's SDK (the group ``sdk``); ours in both faces.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib.util
import json
import socket
import sys
from pathlib import Path
from typing import Any

from common import machine, median, show
from loopback import (
    CHUNK_BYTES,
    STAMP,
    Asked,
    Figures,
    OnAudio,
    Stamped,
    cpu_s,
    in_turn,
    loopback_server,
    now,
    serve,
    speech,
    table,
    work,
)

PATH = "/api/v1/services/aigc/multimodal-generation/generation"
MODEL = "qwen3-tts-flash"
AFTER = b'","id":"audio_7"},"finish_reason":"null"},"usage":{"characters":9},"request_id":"7"}'
BIG_BYTES = 786_432  # 1 MB of base64
STREAMS = 50
BURST_S, BIG_S, PACED_S = 600.0, 163.84, 4.0
ROUNDS = 9


# The server


class Service(asyncio.Protocol):
    """
    Says in events what the text asks for: seconds, bytes a chunk, 1 for real time.

    Only as much HTTP as the clients here need.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.is_gone = False
        self.task: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.is_gone = True
        self.may_write.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, rest = self.received.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length:")
        size = int(length.split(b"\r\n")[0] or 0)
        if not end or len(rest) < size:
            return
        self.received = rest[size:]
        text = json.loads(rest[:size])["input"]["text"]
        seconds, chunk_bytes, is_paced = (float(word) for word in text.split()[:3])
        speak = self.speak(seconds, int(chunk_bytes), is_paced=bool(is_paced), asked=now())
        self.task = asyncio.get_running_loop().create_task(speak)

    async def speak(self, seconds: float, chunk_bytes: int, *, is_paced: bool, asked: int) -> None:
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream;charset=UTF-8\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        tails = speech(chunk_bytes, AFTER)
        chunk_s = chunk_bytes / 48_000
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(round(seconds / chunk_s)):
            if is_paced and (wait_s := begun + number * chunk_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            await self.may_write.wait()
            if self.is_gone:
                return
            stamp = binascii.b2a_base64(STAMP.pack(asked, now()), newline=False)
            self.transport.write(_event(number, stamp + tails[number % len(tails)]))
        last = _event(0, b'"},"finish_reason":"stop"},"usage":{"characters":9},"request_id":"7"}')
        self.transport.write(last + b"0\r\n\r\n")


def _event(number: int, data: bytes) -> bytes:
    event = b'id:%d\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"audio":{"data":"%b\n\n' % (
        number + 1,
        data,
    )
    return b"%x\r\n%b\r\n" % (len(event), event)


# The clients


def _content(text: str) -> dict[str, object]:
    return {"model": MODEL, "input": {"text": text, "voice": "Cherry", "language_type": "Auto"}}


HEADERS = {"Authorization": "Bearer sk-made-up", "X-DashScope-SSE": "enable"}


class Sockets:
    """The least that can be done with the standard library; understands this server only."""

    is_async = False

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        self.sock = socket.create_connection((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, text: str, on_audio: OnAudio) -> None:
        body = json.dumps(_content(text)).encode()
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        self.sock.sendall(head.encode() + b"\r\n" + body)
        held = bytearray(1 << 21)
        view, begin, end = memoryview(held), 0, 0
        while True:
            if end > len(held) - 65536:
                view[: end - begin] = view[begin:end]
                begin, end = 0, end - begin
            count = self.sock.recv_into(view[end:])
            end += count
            # Events come with their HTTP chunks' borders between them, which hold no quote.
            while (start := held.find(b'"data":"', begin, end)) >= 0:
                stop = held.find(b'"', start + 8, end)
                if stop < 0:
                    break
                begin = stop
                if stop > start + 8:
                    on_audio(binascii.a2b_base64(view[start + 8 : stop]))
            if not count or held.endswith(b"0\r\n\r\n", begin, end):
                return

    def close(self) -> None:
        self.sock.close()


def _line(line: str, on_audio: OnAudio) -> None:
    if line.startswith("data:"):
        data = json.loads(line[5:])["output"]["audio"]["data"]
        if data:
            on_audio(base64.b64decode(data))


class Httpx:
    """As a README shows it: ``iter_lines``, ``json.loads``, ``b64decode``."""

    is_async = False
    library = "httpx"

    def __init__(self, address: str) -> None:
        module = importlib.import_module(self.library)
        limits = module.Limits(max_connections=None, max_keepalive_connections=None)
        kind = module.AsyncClient if self.is_async else module.Client
        self.client = kind(base_url=address, timeout=60, limits=limits, headers=HEADERS)

    def run(self, text: str, on_audio: OnAudio) -> None:
        with self.client.stream("POST", PATH, json=_content(text)) as response:
            for line in response.iter_lines():
                _line(line, on_audio)

    def close(self) -> None:
        self.client.close()


class AsyncHttpx(Httpx):
    """The same with ``AsyncClient``."""

    is_async = True

    async def run(self, text: str, on_audio: OnAudio) -> None:
        async with self.client.stream("POST", PATH, json=_content(text)) as response:
            async for line in response.aiter_lines():
                _line(line, on_audio)

    async def close(self) -> None:
        await self.client.aclose()


class Httpx2(Httpx):
    """httpx2, which carries httpx on."""

    library = "httpx2"


class AsyncHttpx2(AsyncHttpx):
    """The same with ``AsyncClient``."""

    library = "httpx2"


class Sdk:
    """The vendor's own client, as its documentation shows it."""

    is_async = False

    def __init__(self, address: str) -> None:
        import dashscope

        dashscope.api_key = "sk-made-up"
        dashscope.base_http_api_url = f"{address}/api/v1"
        self.sdk = dashscope

    def run(self, text: str, on_audio: OnAudio) -> None:
        for reply in self.sdk.MultiModalConversation.call(
            model=MODEL, text=text, voice="Cherry", stream=True
        ):
            if reply.output.audio["data"]:
                on_audio(base64.b64decode(reply.output.audio["data"]))

    def close(self) -> None:
        pass


class AsyncSdk(Sdk):
    """Its async client."""

    is_async = True

    async def run(self, text: str, on_audio: OnAudio) -> None:
        replies = await self.sdk.AioMultiModalConversation.call(
            model=MODEL, text=text, voice="Cherry", stream=True
        )
        async for reply in replies:
            if reply.output.audio["data"]:
                on_audio(base64.b64decode(reply.output.audio["data"]))

    async def close(self) -> None:
        await self.sdk.close_shared_aio_session()


class Ours:
    """``Client.stream``."""

    is_async = False

    def __init__(self, address: str) -> None:
        import vivavoce

        kind = vivavoce.AsyncClient if self.is_async else vivavoce.Client
        self.client = kind(
            f"qwen/{MODEL}:Cherry",
            api_key="sk-made-up",
            base_url=f"{address}/api/v1",
            settings=vivavoce.Settings(),
        )

    def run(self, text: str, on_audio: OnAudio) -> None:
        with self.client.stream(text) as stream:
            for chunk in stream:
                on_audio(chunk.data)

    def close(self) -> None:
        self.client.close()


class AsyncOurs(Ours):
    """``AsyncClient.stream``."""

    is_async = True

    async def run(self, text: str, on_audio: OnAudio) -> None:
        async with self.client.stream(text) as stream:
            async for chunk in stream:
                on_audio(chunk.data)

    async def close(self) -> None:
        await self.client.aclose()


CLIENTS: dict[str, Any] = {
    "sockets": Sockets,
    "httpx": Httpx,
    "httpx2": Httpx2,
    "SDK": Sdk,
    "ours": Ours,
    "httpx, async": AsyncHttpx,
    "httpx2, async": AsyncHttpx2,
    "SDK, async": AsyncSdk,
    "ours, async": AsyncOurs,
}
NEEDS = {"httpx": "httpx", "SDK": "dashscope", "ours": "vivavoce_qwen"}


# One client in its process


def _resident_kb() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class Worker:
    """Runs what it is told, a line each, and answers with a number."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def speak(self, text: str, on_audio: OnAudio) -> None:
        done = self.client.run(text, on_audio)
        if self.client.is_async:
            await done

    async def first_ms(self, text: str) -> float:
        """Milliseconds to the first audio, above the server's own."""
        arrived = Stamped()
        begun = now()
        await self.speak(text, arrived)
        return arrived.first_ms(begun)

    async def cpu(self, text: str) -> float:
        """Processor seconds of one stream."""
        begun = cpu_s()
        await self.speak(text, lambda _pcm: None)
        return cpu_s() - begun

    async def many_cpu(self, text: str) -> float:
        """Processor seconds of many streams at once, begun within a second."""

        async def one(number: int) -> None:
            await asyncio.sleep(number / STREAMS)
            await self.speak(text, lambda _pcm: None)

        begun = cpu_s()
        await asyncio.gather(*(one(number) for number in range(STREAMS)))
        return cpu_s() - begun

    async def growth_mb(self, text: str) -> float:
        """How much larger the process is at the end of a stream than near its begin."""
        sizes: list[int] = []
        count = 0

        def look(_pcm: bytes) -> None:
            nonlocal count
            count += 1
            if count % 600 == 0:
                sizes.append(_resident_kb())

        await self.speak(text, look)
        return (sizes[-1] - sizes[0]) / 1024


# What is measured


def _per_byte(small: Figures, big: Figures) -> None:
    rows = [
        (name, f"{median(big[name]) / BIG_S / (median(small[name]) / BURST_S):.2f}") for name in big
    ]
    show("A byte of 1 MB lines against one of 6.4 kB lines", ("client", "ratio"), rows)


def _measure(address: str) -> None:
    names = [name for name in CLIENTS if importlib.util.find_spec(_module(name)) is not None]
    clients = [Asked(__file__, name, address) for name in names]
    try:
        short = f"0.2 {CHUNK_BYTES} 0"
        first = in_turn(clients, "first_ms", short, 4 * ROUNDS, each=5)
        against = ("httpx", "httpx, async", "SDK", "SDK, async")
        table("First audio on a kept connection, above the server's time", "ms", first, against, 1)
        few = [client for client in clients if not client.name.startswith("httpx2")]
        burst = in_turn(few, "cpu", f"{BURST_S} {CHUNK_BYTES} 0", ROUNDS)
        title = f"Processor time, {BURST_S:g} s of speech as fast as it is taken"
        table(title, "s an hour", burst, ("sockets", "SDK"), 3600 / BURST_S)
        some = [client for client in few if client.name in {"sockets", "ours", "ours, async"}]
        big = in_turn(some, "cpu", f"{BIG_S} {BIG_BYTES} 0", ROUNDS)
        _per_byte(burst, big)
        streaming = [client for client in few if "async" in client.name]
        paced = in_turn(streaming, "many_cpu", f"{PACED_S} {CHUNK_BYTES} 1", 5)
        title = f"Processor time, {STREAMS} streams at once in real time"
        table(title, "s an hour", paced, ("SDK, async",), 3600 / (STREAMS * PACED_S))
        ours = [client for client in clients if client.name.startswith("ours")]
        growth = in_turn(ours, "growth_mb", f"3600 {CHUNK_BYTES} 0", 1)
        table("Growth over one hour of audio", "MB", growth, (), 1)
    finally:
        for client in clients:
            client.close()


def _module(name: str) -> str:
    return NEEDS.get(name.partition(",")[0], "json")


def main() -> None:
    """Serve, run one client, or measure them all."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve(Service))
        return
    if sys.argv[1:2] == ["client"]:
        asyncio.run(work(lambda: Worker(CLIENTS[sys.argv[2]](sys.argv[3]))))
        return
    print(machine())
    with loopback_server(__file__) as address:
        _measure(f"http://{address}")
    print(machine())


if __name__ == "__main__":
    main()
