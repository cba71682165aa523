"""
Our client as adapters for a harness that measures many clients against a loopback server.

The harness is named by ``BENCH_ADAPTERS=qwen_adapters`` with its own folder and this one on
``PYTHONPATH``, and asked for these with ``--extra ours-sse,ours-aio-sse,ours-ws,ours-aio-ws`` (and
``ours-kept-ws,ours-aio-kept-ws``). It gives each adapter the server's address, and takes its audio
through a callback that may say to stop. The key is made up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters import ABase, Base, adapter

from vivavoce import AsyncClient, Client, Secret, Settings

OnAudio = Callable[[bytes], bool | None]

VOICE = "qwen/qwen3-tts-flash:Cherry"
REALTIME_VOICE = "qwen/qwen3-tts-flash-realtime:Cherry"
COMMIT = {"mode": "commit"}


def _values(base: str) -> dict[str, Any]:
    return {
        "api_key": Secret("sk-bench-made-up"),
        "base_url": f"{base}/api/v1",
        "settings": Settings(),
    }


@adapter
class OursSse(Base):
    """``Client.stream``; the audio comes in events."""

    name = "ours-sse"

    def open(self) -> None:
        self.client = Client(VOICE, **_values(self.base))

    def run(self, text: str, on_audio: OnAudio) -> None:
        with self.client.stream(text) as stream:
            for chunk in stream:
                if on_audio(chunk.data):
                    return

    def fresh(self) -> None:
        self.client.close()
        self.open()

    def close(self) -> None:
        self.client.close()


@adapter
class OursAsyncSse(ABase):
    """``AsyncClient.stream``."""

    name = "ours-aio-sse"

    def open(self) -> None:
        self.client = AsyncClient(VOICE, **_values(self.base))

    async def run(self, text: str, on_audio: OnAudio) -> None:
        async with self.client.stream(text) as stream:
            async for chunk in stream:
                if on_audio(chunk.data):
                    return

    async def fresh(self) -> None:
        await self.client.aclose()
        self.open()

    async def close(self) -> None:
        await self.client.aclose()


@adapter
class OursJson(OursSse):
    """``Client.synthesize`` with a plain reply, which tells where to fetch the audio."""

    name, kind = "ours-json", "json"

    def run(self, text: str, on_audio: OnAudio) -> None:
        on_audio(self.client.synthesize(text, options={"transport": "http"}).data)


@adapter
class OursWs(Base):
    """``Client.session``, a new one for each text."""

    name, kind = "ours-ws", "ws"

    def open(self) -> None:
        self.client = Client(REALTIME_VOICE, **_values(self.base))

    def run(self, text: str, on_audio: OnAudio) -> None:
        with self.client.session(options=COMMIT) as session:
            session.send(text)
            session.finish()
            for chunk in session:
                if on_audio(chunk.data):
                    return

    def close(self) -> None:
        self.client.close()


@adapter
class OursKeptWs(OursWs):
    """The same, each session opened ahead, behind the last one."""

    name, KEEP = "ours-kept-ws", True

    def open(self) -> None:
        super().open()
        self.client.prewarm(options=COMMIT)

    def run(self, text: str, on_audio: OnAudio) -> None:
        super().run(text, on_audio)
        self.client.prewarm(options=COMMIT)


@adapter
class OursAsyncWs(ABase):
    """``AsyncClient.session``, a new one for each text."""

    name, kind = "ours-aio-ws", "ws"

    def open(self) -> None:
        self.client = AsyncClient(REALTIME_VOICE, **_values(self.base))

    async def run(self, text: str, on_audio: OnAudio) -> None:
        async with self.client.session(options=COMMIT) as session:
            await session.send(text)
            await session.finish()
            async for chunk in session:
                if on_audio(chunk.data):
                    return

    async def close(self) -> None:
        await self.client.aclose()


@adapter
class OursAsyncKeptWs(OursAsyncWs):
    """The same, each session opened ahead, behind the last one."""

    name, KEEP = "ours-aio-kept-ws", True

    async def run(self, text: str, on_audio: OnAudio) -> None:
        await super().run(text, on_audio)
        await self.client.prewarm(options=COMMIT)
