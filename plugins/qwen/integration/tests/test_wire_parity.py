"""
The same call by the vendor's client and by the plugin is the same request.

Compared field by field as the emulator received it: the request line, every header, every
path in the JSON. Where the two differ on purpose the reason stands below; a difference that
is no longer there must leave the list.
"""

import asyncio

import pytest

from vivavoce import AsyncClient, Retry, Settings

REASONS = {
    "header user-agent": "each says who it is",
    "header x-dashscope-sdk-client": "statistics of the vendor's client, which we do not pose as",
    "header x-dashscope-sdk-session-id": "likewise",
    "header accept": "a plain reply is asked for without its charset: JSON is UTF-8",
    "header accept-encoding": "compressed, audio gets no smaller and its pieces are held back",
    "header connection": "keeping a connection is what HTTP/1.1 does unasked",
    "header content-length": "follows from the body",
    "header content-type": "without the charset: JSON is UTF-8",
    "body parameters": "empty: the vendor's client sends it always, the page does not show it",
    "body parameters.language_type": "the older entry sends it there, the page names input",
    "body input.language_type": "likewise",
    "body parameters.instructions": "the vendor's client sends it there, the page names input",
    "body input.instructions": "likewise",
    "body parameters.optimize_instructions": "the vendor's client sends it there",
    "body input.optimize_instructions": "likewise",
}

TEXT = 'Hello "there".\n今天天气怎么样？ €'
ASKED = {"text": TEXT, "voice": "Cherry", "language_type": "Chinese"}
SPOKEN = {"text": TEXT, "language": "zh"}
INSTRUCTED = {"instructions": "Fast, please.", "optimize_instructions": True}
OURS_INSTRUCTED = {
    "instructions": "Fast, please.",
    "options": {"optimize_instructions": True},
}
# Model, entry, whether async, streamed, further arguments of theirs, and of ours.
CASES = [
    ("qwen3-tts-flash", "new", False, False, {}, {}),
    ("qwen3-tts-flash", "new", False, True, {}, {}),
    ("qwen3-tts-flash", "new", True, False, {}, {}),
    ("qwen3-tts-flash", "new", True, True, {}, {}),
    ("qwen3-tts-instruct-flash", "new", False, True, INSTRUCTED, OURS_INSTRUCTED),
    ("qwen-tts", "old", False, False, {}, {}),
    ("qwen-tts", "old", False, True, {}, {}),
]


def leaves(value, path):
    """Return every leaf of a JSON value by its path; an empty object is one."""
    if isinstance(value, dict) and value:
        return {
            name: leaf
            for key, below in value.items()
            for name, leaf in leaves(below, f"{path}.{key}" if path else key).items()
        }
    return {path: value}


def fields(received):
    found = {"line": (received.method, received.path, received.query)}
    found |= {f"header {name}": value for name, value in received.headers}
    found |= {f"body {path}": value for path, value in leaves(received.body, "").items()}
    return found


def differences(theirs, ours):
    theirs, ours = fields(theirs), fields(ours)
    return {
        name: (theirs.get(name), ours.get(name))
        for name in theirs.keys() | ours.keys()
        if theirs.get(name) != ours.get(name)
    }


async def speak(emulator, key, case):
    model, _, _, streams, _, more = case
    options = {"transport": "http-sse" if streams else "http", **more.get("options", {})}
    wishes = {**SPOKEN, **more, "options": options}
    async with AsyncClient(
        f"qwen/{model}:Cherry",
        api_key=key,
        base_url=emulator.base_url,
        settings=Settings(),
        retry=Retry(attempts=1),
    ) as client:
        await client.synthesize(**wishes)


def posts(emulator):
    return [received for received in emulator.requests() if received.method == "POST"]


@pytest.mark.slow
def test_the_requests_are_the_same(emulator, by_sdk, key):
    """Every difference between the two requests is one with a reason, and each reason is needed."""
    by_sdk(
        *(
            (entry, is_async, {"model": model, **ASKED, **more, "stream": streams})
            for model, entry, is_async, streams, more, _ in CASES
        )
    )
    # The driver makes the asynchronous calls first.
    theirs = posts(emulator)
    order = sorted(CASES, key=lambda case: not case[2])
    emulator.clear()
    for case in order:
        asyncio.run(speak(emulator, key, case))
    ours = posts(emulator)
    assert len(theirs) == len(ours) == len(CASES)

    found = {}
    for case, one, other in zip(order, theirs, ours, strict=True):
        for name, values in differences(one, other).items():
            assert name in REASONS, f"{case[:4]}: {name}: {values[0]!r} by theirs, {values[1]!r}"
            found[name] = values
    assert sorted(found) == sorted(REASONS), "a reason for a difference that is no longer there"


@pytest.mark.slow
def test_the_faces_send_the_same(emulator, client, key):
    """The sync face and the async one send the same request."""
    case = CASES[4]
    asyncio.run(speak(emulator, key, case))
    options = {"transport": "http-sse", "optimize_instructions": True}
    client("qwen3-tts-instruct-flash:Cherry").synthesize(
        **SPOKEN, instructions="Fast, please.", options=options
    )
    one, other = posts(emulator)
    assert differences(one, other) == {}
