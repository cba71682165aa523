import asyncio

import pytest

from vivavoce.pipeline.retry import Retry
from vivavoce.settings import Settings, Timeouts
from vivavoce.testing import FakeProvider


class SyncFace:
    """Drives the sync face."""

    name = "sync"

    def client(self, fake, selector=None, **values):
        from vivavoce.blocking import Client

        return Client(selector or fake.info.name, **_given(fake, values))

    def read(self, client, text, **wishes):
        """Return the chunks and the report, or what was raised, with the chunks before it."""
        chunks, error = [], None
        with client.stream(text, **wishes) as stream:
            try:
                chunks.extend(stream)
            except Exception as caught:  # noqa: BLE001 - the test looks at it
                error = caught
        return chunks, stream.report, error

    def synthesize(self, client, text, **wishes):
        return client.synthesize(text, **wishes)

    def save(self, client, *args, **wishes):
        return client.save(*args, **wishes)


class AsyncFace:
    """Drives the async face, each call on a loop of its own."""

    name = "async"

    def client(self, fake, selector=None, **values):
        from vivavoce.client import AsyncClient

        return AsyncClient(selector or fake.info.name, **_given(fake, values))

    def read(self, client, text, **wishes):
        async def read():
            chunks, error = [], None
            async with client.stream(text, **wishes) as stream:
                try:
                    async for chunk in stream:
                        chunks.append(chunk)  # noqa: PERF401 - those before an error count
                except Exception as caught:  # noqa: BLE001 - the test looks at it
                    error = caught
            return chunks, stream.report, error

        return asyncio.run(read())

    def synthesize(self, client, text, **wishes):
        return asyncio.run(client.synthesize(text, **wishes))

    def save(self, client, *args, **wishes):
        return asyncio.run(client.save(*args, **wishes))


def _given(fake, values):
    return {
        "registry": fake.registry(*values.pop("plugins", ())),
        "settings": Settings(),
        "retry": Retry(attempts=1),
        "timeouts": Timeouts(first_audio_s=5.0, between_chunks_s=5.0),
        **values,
    }


@pytest.fixture(params=[SyncFace, AsyncFace], ids=["sync", "async"])
def face(request):
    """Each test that asks for this runs in both faces."""
    return request.param()


@pytest.fixture
def fake():
    """A provider that speaks what it is told."""
    return FakeProvider()


@pytest.fixture
def both_faces():
    """The sync and the async face, for comparing them."""
    return SyncFace(), AsyncFace()
