"""
Speech over a WebSocket: our sessions against bare sockets, tuned websockets and the SDK.

A process of its own speaks the service's realtime events on this machine, made beforehand. In
each chunk of audio stands when the server had been told to speak and when it sent the chunk, on
the clock all processes share; what a client needs above the server's own time is the rest. Each
client runs in a process of its own and is asked in turn. Only ratios mean something.

Clients: plain sockets with the standard library; websockets with all switched off that costs
time; the vendor's SDK (the group ``sdk``); ours in both faces, a new session for each text or
one opened ahead.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import importlib.util
import json
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from common import machine, paired, show
from loopback import (
    CHUNK_BYTES,
    STAMP,
    Asked,
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

PATH = "/api-ws/v1/realtime"
MODEL = "qwen3-tts-flash-realtime"
STREAMS = 50
PACED_S = 4.0
ROUNDS = 9
# Streams are not kept up when more than this share of their chunks comes later than this.
LATE_SHARE, LATE_MS = 0.001, 40.0
MOST_STREAMS = 1600
COMMIT = {"mode": "commit"}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


# Frames, as much of them as both sides here need


def _head(length: int, mask_bit: int = 0) -> bytes:
    if length < 126:
        return bytes((0x81, mask_bit | length))
    if length < 1 << 16:
        return struct.pack(">BBH", 0x81, mask_bit | 126, length)
    return struct.pack(">BBQ", 0x81, mask_bit | 127, length)


def _masked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    number = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
    return number.to_bytes(size, "big")


def _frames(held: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole frames, masked or not, from the begin of *held*: opcode and payload."""
    while len(held) >= 2:
        size, at = held[1] & 127, 2
        if size > 125:
            at = 4 if size == 126 else 10
            size = int.from_bytes(held[2:at], "big")
        mask_at, at = at, at + (4 if held[1] & 128 else 0)
        if len(held) < at + size:
            return
        opcode, data = held[0] & 15, bytes(held[at : at + size])
        if at > mask_at:
            data = _masked(data, bytes(held[mask_at:at]))
        del held[: at + size]
        yield opcode, data


def _event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"event_id": "event_7", "type": kind, **fields}).encode()
    return _head(len(data)) + data


# The server


class Service(asyncio.Protocol):
    """Says in events what the text asks for: seconds, bytes a chunk, 1 for real time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = bytearray()
        self.is_open = False
        self.is_gone = False
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.text = ""
        self.job: asyncio.Task[None] | None = None
        self.end: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.is_gone = True
        self.may_write.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.is_open:
            head, end, _ = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            del self.received[: len(head) + 4]
            self.shake_hands(bytes(head))
        for opcode, payload in _frames(self.received):
            if opcode == 1:
                self.told(json.loads(payload))
            elif opcode == 8:
                self.transport.write(b"\x88\x00")
                self.transport.close()

    def shake_hands(self, head: bytes) -> None:
        (key,) = (
            line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-k")
        )
        proof = hashlib.sha1(key.partition(b":")[2].strip() + _GUID).digest()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: "
            + base64.b64encode(proof)
            + b"\r\n\r\n"
            # The service says this by itself.
            + _event("session.created", session={"id": "sess_7", "model": MODEL})
        )
        self.is_open = True

    def told(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "session.update":
            self.transport.write(_event("session.updated", session=event["session"]))
        elif kind == "input_text_buffer.append":
            self.text += event["text"]
        elif kind == "input_text_buffer.commit":
            self.transport.write(_event("input_text_buffer.committed", item_id="item_7"))
            self.speak()
        elif kind == "session.finish":
            self.end = asyncio.get_running_loop().create_task(self.finish())

    def speak(self) -> None:
        text, self.text = self.text, ""
        if text:
            self.job = asyncio.get_running_loop().create_task(self.say(text, now()))

    async def finish(self) -> None:
        self.speak()
        if self.job is not None:
            await asyncio.wait([self.job])
        if not self.is_gone:
            self.transport.write(_event("session.finished"))

    async def say(self, text: str, asked: int) -> None:
        seconds, chunk_bytes, is_paced = (float(word) for word in text.split()[:3])
        response = {"id": "resp_7", "status": "in_progress"}
        self.transport.write(_event("response.created", response=response))
        before = (
            b'{"event_id":"event_7","type":"response.audio.delta","response_id":"resp_7",'
            b'"item_id":"item_7","output_index":0,"content_index":0,"delta":"'
        )
        tails = speech(int(chunk_bytes), b'"}')
        head = _head(len(before) + 32 + len(tails[0])) + before
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
            self.transport.write(head + stamp + tails[number % len(tails)])
        done = {**response, "status": "completed", "usage": {"characters": 9}}
        self.transport.write(_event("response.done", response=done))


# The clients


def _told(text: str) -> Iterator[str]:
    """What a client without a library says: configure, give the text, have it spoken."""
    session = {
        "voice": "Cherry",
        "mode": "commit",
        "response_format": "pcm",
        "sample_rate": 24000,
    }
    for kind, fields in (
        ("session.update", {"session": session}),
        ("input_text_buffer.append", {"text": text}),
        ("input_text_buffer.commit", {}),
    ):
        yield json.dumps({"event_id": f"event_{secrets.token_hex(16)}", "type": kind, **fields})


def _heard(data: bytes, on_audio: OnAudio) -> bool:
    """Give out the audio of a message; return whether to stop."""
    if b'"response.audio.delta"' in data[:128]:
        start = data.find(b'"delta":"') + 9
        return bool(on_audio(binascii.a2b_base64(data[start : data.find(b'"', start)])))
    return b'"response.done"' in data[:128]


class Sockets:
    """The least that can be done with the standard library; a new connection for each text."""

    is_async = False

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self.place = host, int(port)

    def run(self, text: str, on_audio: OnAudio) -> None:
        with socket.create_connection(self.place) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(
                f"GET {PATH}?model={MODEL} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"
                "connection: upgrade\r\nauthorization: Bearer sk-made-up\r\n"
                "sec-websocket-version: 13\r\n"
                f"sec-websocket-key: {base64.b64encode(secrets.token_bytes(16)).decode()}"
                "\r\n\r\n".encode()
            )
            held = bytearray()
            while b"\r\n\r\n" not in held:
                held += sock.recv(65536)
            del held[: held.index(b"\r\n\r\n") + 4]
            said = [message.encode() for message in _told(text)]
            mask = secrets.token_bytes(4)
            sock.sendall(b"".join(_head(len(one), 128) + mask + _masked(one, mask) for one in said))
            while True:
                for _, data in _frames(held):
                    if _heard(data, on_audio):
                        return
                held += sock.recv(65536)

    def close(self) -> None:
        pass


class Websockets:
    """The library with its asyncio face, without compression, limits and decoding of text."""

    is_async = True

    def __init__(self, address: str) -> None:
        from websockets.asyncio.client import connect

        self.connect = connect
        self.url = f"ws://{address}{PATH}?model={MODEL}"

    async def run(self, text: str, on_audio: OnAudio) -> None:
        async with self.connect(
            self.url,
            compression=None,
            max_size=None,
            user_agent_header=None,
            proxy=None,
            additional_headers={"authorization": "Bearer sk-made-up"},
        ) as connection:
            for message in _told(text):
                await connection.send(message)
            while not _heard(await connection.recv(decode=False), on_audio):
                pass

    async def close(self) -> None:
        pass


class Sdk:
    """The vendor's own client, as its documentation shows it; a thread for each text."""

    is_async = False

    def __init__(self, address: str) -> None:
        import dashscope
        from dashscope.audio import qwen_tts_realtime

        dashscope.api_key = "sk-made-up"
        self.sdk = qwen_tts_realtime
        self.url = f"ws://{address}{PATH}"

    def run(self, text: str, on_audio: OnAudio) -> None:
        done = threading.Event()

        class Callback(self.sdk.QwenTtsRealtimeCallback):  # type: ignore[name-defined,misc]
            def on_event(self, event: dict[str, Any]) -> None:
                if event["type"] == "response.audio.delta":
                    if on_audio(base64.b64decode(event["delta"])):
                        done.set()
                elif event["type"] == "response.done":
                    done.set()

            def on_close(self, _code: object, _reason: object) -> None:
                done.set()

        session = self.sdk.QwenTtsRealtime(MODEL, callback=Callback(), url=self.url)
        session.connect()
        session.update_session(voice="Cherry", mode="commit")
        session.append_text(text)
        session.commit()
        done.wait()
        session.close()

    def close(self) -> None:
        pass


class Ours:
    """``Client.session``, a new one for each text."""

    is_async = False

    def __init__(self, address: str) -> None:
        import vivavoce

        kind = vivavoce.AsyncClient if self.is_async else vivavoce.Client
        self.client = kind(
            f"qwen/{MODEL}:Cherry",
            api_key="sk-made-up",
            base_url=f"http://{address}/api/v1",
            settings=vivavoce.Settings(),
        )

    def run(self, text: str, on_audio: OnAudio) -> None:
        with self.client.session(options=COMMIT) as session:
            session.send(text)
            session.finish()
            for chunk in session:
                if on_audio(chunk.data):
                    return

    def ready(self) -> None:
        pass

    def close(self) -> None:
        self.client.close()


class AsyncOurs(Ours):
    """``AsyncClient.session``, a new one for each text."""

    is_async = True

    async def run(self, text: str, on_audio: OnAudio) -> None:
        async with self.client.session(options=COMMIT) as session:
            await session.send(text)
            await session.finish()
            async for chunk in session:
                if on_audio(chunk.data):
                    return

    async def ready(self) -> None:
        pass

    async def interrupt_ms(self, text: str) -> float:
        """Milliseconds that ``interrupt`` takes in the middle of a text, until it returns."""
        async with self.client.session(options=COMMIT) as session:
            await session.send(text)
            await session.flush()
            for _ in range(3):
                await anext(session)
            begun = now()
            await session.interrupt()
            return (now() - begun) / 1e6

    async def close(self) -> None:
        await self.client.aclose()


class Kept(Ours):
    """A session opened ahead."""

    def ready(self) -> None:
        self.client.prewarm(options=COMMIT)
        time.sleep(0.005)


class AsyncKept(AsyncOurs):
    """A session opened ahead."""

    async def ready(self) -> None:
        await self.client.prewarm(options=COMMIT)
        await asyncio.sleep(0.005)


CLIENTS: dict[str, Callable[[str], Any]] = {
    "sockets": Sockets,
    "websockets": Websockets,
    "SDK": Sdk,
    "ours": Ours,
    "ours, async": AsyncOurs,
    "ours, ahead": Kept,
    "ours, async, ahead": AsyncKept,
}
NEEDS = {"websockets": "websockets", "SDK": "dashscope", "ours": "vivavoce_qwen"}


# One client in its process


class Worker:
    """Runs what it is told, and answers with a number."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def speak(self, text: str, on_audio: OnAudio) -> None:
        done = self.client.run(text, on_audio)
        if self.client.is_async:
            await done

    async def first_ms(self, text: str) -> float:
        """Milliseconds to the first audio, above the server's own."""
        if hasattr(self.client, "ready"):
            done = self.client.ready()
            if self.client.is_async:
                await done
        arrived = Stamped()
        begun = now()
        await self.speak(text, arrived)
        return arrived.first_ms(begun)

    async def leave_ms(self, text: str) -> float:
        """Milliseconds from the wish to stop, in the middle of a text, until the caller is free."""
        stopped: list[int] = []
        count = 0

        def stop(_pcm: bytes) -> bool:
            nonlocal count
            count += 1
            if count == 3:
                stopped.append(now())
            return count >= 3

        await self.speak(text, stop)
        return (now() - stopped[0]) / 1e6

    async def cancel_ms(self, text: str) -> float:
        """Milliseconds from cancelling a task that reads until it has ended."""
        reading = asyncio.Event()
        task = asyncio.create_task(self.speak(text, lambda _pcm: reading.set()))
        await reading.wait()
        await asyncio.sleep(0.03)
        begun = now()
        task.cancel()
        await asyncio.wait([task])
        return (now() - begun) / 1e6

    async def interrupt_ms(self, text: str) -> float:
        return float(await self.client.interrupt_ms(text))

    async def _many(self, text: str, count: int, on_audio: OnAudio) -> None:
        """Speak *count* texts at once, begun within a second."""

        async def one(number: int) -> None:
            await asyncio.sleep(number / count)
            await self.speak(text, on_audio)

        def one_blocking(number: int) -> None:
            time.sleep(number / count)
            self.client.run(text, on_audio)

        if self.client.is_async:
            await asyncio.gather(*(one(number) for number in range(count)))
            return
        threads = [
            threading.Thread(target=one_blocking, args=(number,), daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    async def many_cpu(self, text: str) -> float:
        """Processor seconds of many streams at once."""
        begun = cpu_s()
        await self._many(text, STREAMS, lambda _pcm: None)
        return cpu_s() - begun

    async def late_share(self, text: str) -> float:
        """Share of chunks that come late with as many streams as the text's last word says."""
        count = int(text.rsplit(maxsplit=1)[-1])
        late = chunks = 0

        def note(pcm: bytes) -> None:
            nonlocal late, chunks
            chunks += 1
            late += now() - STAMP.unpack_from(pcm)[1] > LATE_MS * 1e6

        begun = now()
        await self._many(text, count, note)
        # All are done a second after the first, and a second more may be lost in connecting.
        is_over = (now() - begun) / 1e9 > float(text.split(maxsplit=1)[0]) + 2
        return 1.0 if is_over else late / chunks


# What is measured


def _most_streams(client: Asked, begin: int) -> int:
    """Return how many streams at once in real time are kept up, of *begin*, half more, ..."""
    good, count = 0, begin
    while count <= MOST_STREAMS:
        text = f"{PACED_S} {CHUNK_BYTES} 1 {count}"
        if all(client("late_share", text) > LATE_SHARE for _ in range(3)):
            break
        good, count = count, round(count * 1.5)
    return good


def _measure(address: str) -> None:
    names = [name for name in CLIENTS if importlib.util.find_spec(NEEDS.get(_kind(name), "json"))]
    clients = [Asked(__file__, name, address) for name in names]

    def those(*wanted: str) -> list[Asked]:
        return [client for client in clients if client.name in wanted]

    try:
        short, long = f"0.2 {CHUNK_BYTES} 0", f"4 {960} 1"
        first = in_turn(clients, "first_ms", short, 3 * ROUNDS, each=3)
        title = "First audio above the server's time"
        table(title, "ms", first, ("sockets", "websockets"), 1)
        if "SDK" in first:
            rows = [(name, paired(first["SDK"], values)) for name, values in first.items()]
            show("How many times sooner than the SDK", ("client", "ratio"), rows)
        some = those("websockets", "SDK", "ours", "ours, async")
        paced = in_turn(some, "many_cpu", f"{PACED_S} {CHUNK_BYTES} 1", 5)
        title = f"Processor time, {STREAMS} streams at once in real time"
        table(title, "s an hour", paced, ("websockets", "SDK"), 3600 / (STREAMS * PACED_S))
        left = in_turn(some, "leave_ms", long, ROUNDS, each=3)
        table("Left in the middle, until the caller is free", "ms", left, (), 1)
        ours = those("ours, async")
        for what, title in (
            ("cancel_ms", "Task cancelled, until it has ended"),
            ("interrupt_ms", "interrupt(), until it returns"),
        ):
            table(title, "ms", in_turn(ours, what, long, ROUNDS, each=3), (), 1)
        most = {one.name: _most_streams(one, 6 if one.name == "SDK" else 60) for one in some}
        show("Streams at once in real time", ("client", "streams"), list(most.items()))
    finally:
        for client in clients:
            client.close()


def _kind(name: str) -> str:
    return name.partition(",")[0]


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
        _measure(address)
    print(machine())


if __name__ == "__main__":
    main()
