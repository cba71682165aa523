import importlib.util
import json
import os
import subprocess
import sys

import pytest

# The vendor's own client, in a process of its own: it reads the address when it is imported.
PROGRAM = """
import asyncio, base64, dashscope, json
from dashscope.audio.qwen_tts import SpeechSynthesizer

ASKED = {"api_key": "sk-x", "text": "Hello there.", "voice": "Cherry"}
NEW = {"model": "qwen3-tts-flash", "language_type": "English"} | ASKED
OLD = {"model": "qwen-tts", "language_type": "English"} | ASKED


def told(replies):
    replies = list(replies)
    audio = [reply.output.audio for reply in replies]
    get = lambda one, name: one[name] if isinstance(one, dict) else getattr(one, name)
    return {
        "status": sorted({reply.status_code for reply in replies}),
        "bytes": sum(len(base64.b64decode(get(one, "data") or "")) for one in audio),
        "url": get(audio[-1], "url"),
    }


async def asynchronous():
    one = await dashscope.AioMultiModalConversation.call(**NEW)
    many = await dashscope.AioMultiModalConversation.call(stream=True, **NEW)
    return told([one]), told([reply async for reply in many])


refused = dashscope.MultiModalConversation.call(**NEW | {"voice": "Nobody"})
print(json.dumps({
    "new": told([dashscope.MultiModalConversation.call(**NEW)]),
    "new-stream": told(dashscope.MultiModalConversation.call(stream=True, **NEW)),
    "old": told([SpeechSynthesizer.call(**OLD)]),
    "old-stream": told(SpeechSynthesizer.call(stream=True, **OLD)),
    **dict(zip(("aio", "aio-stream"), asyncio.run(asynchronous()))),
    "refused": [refused.status_code, refused.code, refused.message],
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("dashscope") is None, reason="the vendor's SDK is not installed"
)
def test_vendors_sdk(service):
    """The vendor's SDK speaks with the emulator as it is: sync, async, streamed and not."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "DASHSCOPE_HTTP_BASE_URL": service.emulator.base_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    length = len(service.pcm())
    status, code, message = told.pop("refused")
    assert (status, code) == (400, "InvalidParameter")
    assert message.startswith("Invalid voice specified")
    for name, reply in told.items():
        assert reply["status"] == [200], name
        assert reply["bytes"] == (length if name.endswith("-stream") else 0), name
        assert len(service.http.get(reply["url"]).content) == 44 + length, name
