"""
Makes calls with the vendor's own client, in a process of its own.

Reads a JSON list of calls from standard input, writes one of results. A call is an object with
``entry`` (``new`` or ``old``), ``is_async`` and ``arguments``; a result tells for its replies the
statuses, codes, messages and request ids, and the audio as base64: that of the events, and that
of the last address.
"""

import asyncio
import base64
import json
import sys

import dashscope
import requests
from dashscope.audio.qwen_tts import SpeechSynthesizer


def field(audio, name):
    return audio.get(name) if isinstance(audio, dict) else getattr(audio, name, None)


def told(replies):
    audio = [reply.output.audio for reply in replies if reply.output and reply.output.audio]
    streamed = b"".join(base64.b64decode(field(one, "data") or "") for one in audio)
    url = field(audio[-1], "url") if audio else None
    wav = requests.get(url, timeout=30).content if url else b""
    last = replies[-1]
    return {
        "status": last.status_code,
        "code": last.code or "",
        "message": last.message or "",
        "request_id": last.request_id or "",
        "streamed": base64.b64encode(streamed).decode(),
        "wav": base64.b64encode(wav).decode(),
        "replies": len(replies),
        "usage": dict(last.usage) if last.usage else {},
    }


def call(entry, arguments):
    client = SpeechSynthesizer if entry == "old" else dashscope.MultiModalConversation
    reply = client.call(**arguments)
    return list(reply) if arguments.get("stream") else [reply]


async def call_async(arguments):
    reply = await dashscope.AioMultiModalConversation.call(**arguments)
    return [one async for one in reply] if arguments.get("stream") else [reply]


async def all_async(calls):
    try:
        return [await call_async(one["arguments"]) for one in calls]
    finally:
        await dashscope.close_shared_aio_session()


def main():
    calls = json.load(sys.stdin)
    waiting = iter(asyncio.run(all_async([one for one in calls if one["is_async"]])))
    results = [
        told(next(waiting) if one["is_async"] else call(one["entry"], one["arguments"]))
        for one in calls
    ]
    json.dump(results, sys.stdout)


main()
