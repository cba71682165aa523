"""Addresses below ``/_emulator`` by which a test looks in and makes things go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce_qwen_emulator.faults import (
    ACTIONS,
    BadFault,
    Fault,
    Kind,
    describe_faults,
    make_fault,
)
from vivavoce_qwen_emulator.journal import Journal

__all__ = ["Armed", "Armory", "control_routes", "read_action"]


@dataclass(slots=True, kw_only=True)
class Armed:
    """A fault that waits for the requests it is meant for."""

    fault: Fault
    times: int = 1
    """How many requests it is still done to."""

    model: str | None = None
    """Only requests for this model; None for any."""

    stream: bool | None = None
    """Only streams, or only answers in one piece; None for any the fault can be done to."""

    action: str | None = None
    """Only requests that ask to do this with voices; None for any."""

    def fits(self, model: object, kind: Kind, action: str) -> bool:
        """Return whether a request is one it is meant for."""
        wanted = {None: kind, True: "stream", False: "plain"}[self.stream]
        return (
            self.model in (None, model)
            and self.action in (None, action)
            and wanted == kind
            and self.fault.fits(kind)
            and self.fault.fits_action(action)
        )


class Armory:
    """The faults that wait, the one that was armed first being done first. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Armed] = []

    def arm(self, armed: Armed) -> None:
        """Let a fault wait for its requests."""
        with self._lock:
            self._waiting.append(armed)

    def take(self, model: object, kind: Kind, action: str = "") -> Fault | None:
        """Return what is to go wrong with a request, used up by that; None for nothing."""
        with self._lock:
            for armed in self._waiting:
                if armed.fits(model, kind, action):
                    armed.times -= 1
                    if not armed.times:
                        self._waiting.remove(armed)
                    return armed.fault
            return None

    def waiting(self) -> list[Armed]:
        """Return what waits, the next first."""
        with self._lock:
            return list(self._waiting)

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._waiting.clear()


def control_routes(journal: Journal, armory: Armory, region: str) -> list[Route]:
    """Return the addresses below ``/_emulator``."""

    async def health(_request: Request) -> Response:
        return _json({"status": "ok", "region": region})

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            journal.clear()
            return Response(status_code=204)
        # Escaped to ASCII: a client may have sent half of a surrogate pair.
        return _json({"requests": journal.as_json()})

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            armory.clear()
            return Response(status_code=204)
        if request.method == "POST":
            try:
                armory.arm(_read_armed(await _body(request)))
            except BadFault as error:
                return _json({"error": str(error)}, 400)
        waiting = [_as_json(armed) for armed in armory.waiting()]
        known = [
            {"fault": name, "meaning": meaning, "params": params.splitlines()}
            for name, meaning, params in describe_faults()
        ]
        return _json({"waiting": waiting, "known": known}, 201 if request.method == "POST" else 200)

    return [
        Route("/_emulator/health", health),
        Route("/_emulator/requests", requests, methods=["GET", "DELETE"]),
        Route("/_emulator/faults", faults, methods=["GET", "POST", "DELETE"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        msg = 'The body is no JSON object. Send one such as {"fault": "cut", "params": {"at": 99}}.'
        raise BadFault(msg)
    return body


def _read_armed(body: Mapping[str, Any]) -> Armed:
    unknown = sorted(body.keys() - {"fault", "params", "times", "model", "stream", "action"})
    if unknown:
        msg = (
            f"{unknown[0]!r} means nothing here. Give: fault, params, times, model, stream, action."
        )
        raise BadFault(msg)
    times, params, stream = body.get("times", 1), body.get("params", {}), body.get("stream")
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        msg = f"times={times!r} is unusable. Give a whole number from 1."
        raise BadFault(msg)
    if not isinstance(params, dict):
        msg = f"params={params!r} is unusable. Give an object of the fault's parameters."
        raise BadFault(msg)
    if not isinstance(stream, bool | None):
        msg = f"stream={stream!r} is unusable. Give true, false or null."
        raise BadFault(msg)
    fault = make_fault(str(body.get("fault", "")), params)
    return Armed(
        fault=fault,
        times=times,
        model=body.get("model"),
        stream=stream,
        action=read_action(body.get("action")),
    )


def read_action(action: object) -> str | None:
    """
    Return *action* if a request can ask for it.

    Raises:
        BadFault: If none can.
    """
    if action is None or (isinstance(action, str) and action in ACTIONS):
        return action
    msg = f"action={action!r} is unusable. Give null or one of: {', '.join(ACTIONS)}."
    raise BadFault(msg)


def _as_json(armed: Armed) -> dict[str, Any]:
    return {
        "fault": armed.fault.name,
        "params": vars(armed.fault),
        "times": armed.times,
        "model": armed.model,
        "stream": armed.stream,
        "action": armed.action,
    }
