"""An answer as bytes, waits and cuts; and the sending of it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive, Scope, Send

__all__ = [
    "Close",
    "Connection",
    "Cut",
    "Reply",
    "Script",
    "Step",
    "Wait",
    "cut_connection",
    "wait_for",
    "whole",
]

# "Reset rather than close": linger for no time at all.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Wait:
    """Send nothing for a while."""

    seconds: float
    """0 waits until the client leaves."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection in the middle of the answer."""

    with_reset: bool = False
    """Whether the client sees a reset rather than an end."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close a WebSocket, politely."""

    code: int = 1_000
    reason: str = ""


Step = bytes | Wait | Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is answered, in order."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    steps: Iterable[Step] = ()
    """May be made as it is sent."""

    delay_s: float = 0.0
    """Seconds before the status is sent."""

    lost: Cut | None = None
    """How the connection is closed in place of all that."""


class Connection(Protocol):
    """What is known of a connection: uvicorn's protocols have both."""

    client: tuple[str, int] | None
    transport: asyncio.Transport


def whole(status: int, kind: str, body: bytes, *headers: tuple[str, str]) -> Script:
    """Return an answer that is sent in one piece, its length known before."""
    return Script(
        status=status,
        headers=(("content-type", kind), ("content-length", str(len(body))), *headers),
        steps=(body,),
    )


class Reply:
    """
    Sends a script; stops when the client leaves.

    Args:
        script: What to send.
        connections: The server's open connections, for cuts.
        on_end: Told how it ended: ``complete``, ``left`` (by the client) or ``cut``.
    """

    def __init__(
        self,
        script: Script,
        connections: Callable[[], Iterable[Connection]],
        on_end: Callable[[str], None],
    ) -> None:
        self._script = script
        self._connections = connections
        self._on_end = on_end
        self._has_cut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the script, as ASGI has it."""
        sending = asyncio.ensure_future(self._send(scope, send))
        leaving = asyncio.ensure_future(_wait_for_leaving(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            is_complete = sending.done()
        finally:
            sending.cancel()
            leaving.cancel()
            ends = await asyncio.gather(sending, leaving, return_exceptions=True)
        self._on_end("cut" if self._has_cut else "complete" if is_complete else "left")
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _send(self, scope: Scope, send: Send) -> None:
        script = self._script
        await asyncio.sleep(script.delay_s)
        if script.lost is not None:
            await self._cut(scope, script.lost)
        await send(
            {
                "type": "http.response.start",
                "status": script.status,
                "headers": [(name.encode(), value.encode()) for name, value in script.headers],
            }
        )
        for step in script.steps:
            if isinstance(step, Wait):
                await wait_for(step)
            elif isinstance(step, Cut):
                await self._cut(scope, step)
            else:
                await send({"type": "http.response.body", "body": step, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _cut(self, scope: Scope, cut: Cut) -> None:
        self._has_cut = True
        cut_connection(self._connections(), scope, cut)
        await wait_for(Wait(0))


def cut_connection(connections: Iterable[Connection], scope: Scope, cut: Cut) -> None:
    """Close the connection of *scope* once what was sent has gone out."""
    for connection in list(connections):
        if connection.client == scope["client"]:
            transport = connection.transport
            if cut.with_reset:
                its_socket = transport.get_extra_info("socket")
                its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.close()
            return
    msg = "A connection can be cut only where the emulator runs its own server."
    raise RuntimeError(msg)


async def wait_for(wait: Wait) -> None:
    """Wait as long as *wait* says."""
    if wait.seconds:
        await asyncio.sleep(wait.seconds)
    else:
        await asyncio.get_running_loop().create_future()


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
