"""What a session's events look like, and what faults may know of those before."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from vivavoce_qwen_emulator.checks import Order, Refused
from vivavoce_qwen_emulator.replies import token_usage
from vivavoce_qwen_emulator.script import Close, Cut, Wait
from vivavoce_qwen_emulator.settings import Shape

if TYPE_CHECKING:
    from vivavoce_qwen.tables import ModelRow

__all__ = [
    "DELTA",
    "Message",
    "Outgoing",
    "Response",
    "Sent",
    "Spot",
    "closing_events",
    "created",
    "delta",
    "engine_refusal",
    "error",
    "new_id",
    "opening_events",
    "updated",
]

DELTA = "response.audio.delta"

Message = dict[str, Any]
"""The JSON of one event."""

Outgoing = Message | str | bytes | Wait | Close | Cut
"""What is sent or done: an event, a frame of text, a binary one, or no frame at all."""

Spot = Literal["before", "here", "past"]


def new_id(kind: str) -> str:
    """Return an id such as ``event_`` and 32 hexadecimal digits."""
    return f"{kind}_{uuid.uuid4().hex}"


@dataclass(slots=True, kw_only=True)
class Sent:
    """What a session has sent before an event, had nothing gone wrong."""

    events: int = 0
    deltas: int = 0
    last_delta: Message | None = None
    """The last one with audio, or None."""

    def add(self, event: Message) -> None:
        """Count *event*."""
        self.events += 1
        if event["type"] == DELTA:
            self.deltas += 1
            self.last_delta = event

    def spot(self, event: Message, after: int, of: str) -> Spot:
        """
        Return where *event* lies.

        Args:
            event: The one that comes next.
            after: How many come before the spot.
            of: Of which kind those are: ``events`` or ``deltas``.
        """
        count = self.deltas if of == "deltas" else self.events
        if count != after:
            return "before" if count < after else "past"
        return "here" if of == "events" or event["type"] == DELTA else "before"


@dataclass(slots=True, kw_only=True)
class Response:
    """One response, while it is being spoken."""

    order: Order
    """What is asked for, but for the text."""

    id: str = field(default_factory=lambda: new_id("resp"))
    item_id: str = field(default_factory=lambda: new_id("item"))
    text: str = ""
    seconds: float = 0.0
    """How long it is so far."""

    status: str = "completed"
    """How it ends."""


def created(session_id: str, model: str) -> Message:
    """Return the first event of a session, with what holds unless the client says otherwise."""
    session = {
        "id": session_id,
        "object": "realtime.session",
        "model": model,
        "mode": "server_commit",
        "voice": "Cherry",
        "response_format": "pcm",
        "sample_rate": 24_000,
    }
    return {"type": "session.created", "session": session}


def updated(session_id: str, model: str, given: Mapping[str, Any]) -> Message:
    """Return the answer to an update: what the client set, and nothing that it did not."""
    session = {"id": session_id, "object": "realtime.session", "model": model, **given}
    if "language_type" in session:
        # The service does this to languages alone.
        session["language_type"] = session["language_type"].lower()
    return {"type": "session.updated", "session": session}


def error(code: str, message: str) -> Message:
    """Return the event that tells of an error."""
    return {"type": "error", "error": {"code": code, "message": message}}


def engine_refusal() -> Refused:
    """Return what the engine says where a voice is none of the model's."""
    return Refused(400, "CLIENT_ERROR", "[qwen-tts:]Engine return error code: 411")


def opening_events(response: Response) -> list[Message]:
    """Return what comes before the audio of a response."""
    return [
        {
            "type": "response.created",
            "response": {
                "id": response.id,
                "object": "realtime.response",
                "conversation_id": "",
                "status": "in_progress",
                "voice": response.order.voice,
                "output": [],
            },
        },
        {
            "type": "response.output_item.added",
            "response_id": response.id,
            "output_index": 0,
            "item": _item(response, "in_progress") | {"content": []},
        },
        {
            "type": "response.content_part.added",
            **_place(response),
            "part": {"type": "audio", "text": ""},
        },
    ]


def delta(response: Response, audio: bytes) -> Message:
    """Return an event with some audio."""
    return {"type": DELTA, **_place(response), "delta": base64.b64encode(audio).decode()}


def closing_events(response: Response, shape: Shape) -> list[Message]:
    """Return what comes after the audio of a response."""
    part = {"type": "audio", "text": ""}
    item, usage = _item(response, response.status), _usage(response, shape)
    item |= {"content": [part]} if shape == "documented" else {"output": {"usage": usage}}
    return [
        {"type": "response.audio.done", **_place(response)},
        {"type": "response.content_part.done", **_place(response), "part": part},
        {
            "type": "response.output_item.done",
            "response_id": response.id,
            "output_index": 0,
            "item": item,
        },
        {
            "type": "response.done",
            "response": {
                "id": response.id,
                "object": "realtime.response",
                "conversation_id": "",
                "status": response.status,
                "modalities": ["text", "audio"],
                "voice": response.order.voice,
                "output": [item],
                "usage": usage,
            },
        },
    ]


def _place(response: Response) -> Message:
    return {
        "response_id": response.id,
        "item_id": response.item_id,
        "output_index": 0,
        "content_index": 0,
    }


def _item(response: Response, status: str) -> Message:
    return {
        "id": response.item_id,
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": "assistant",
    }


def _usage(response: Response, shape: Shape) -> Message:
    from vivavoce_qwen.tables import count_billed_characters

    tokens = token_usage(response.text, response.seconds)
    if _is_billed_by_tokens(response.order.model):
        return tokens
    characters = {"characters": count_billed_characters(response.text)}
    return characters if shape == "documented" else characters | tokens


def _is_billed_by_tokens(model: ModelRow) -> bool:
    return any(price.unit.endswith("tokens") for price in model.prices)
