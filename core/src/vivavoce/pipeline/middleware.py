"""What a plugin may put between the provider and the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from vivavoce.model.audio import Chunk
from vivavoce.pipeline.plan import Plan
from vivavoce.registry import Registry

__all__ = ["Middleware", "compose", "finish_all", "pass_through"]


class Middleware(Protocol):
    """
    Sees each chunk of one synthesis, in the provider's format, before conversion.

    No I/O: it serves both faces. It may change samples or marks, hold chunks
    back and give them later; it may not change the format.
    """

    def feed(self, chunk: Chunk) -> Iterable[Chunk]:
        """Return what becomes of *chunk*; whole samples, possibly none."""
        ...

    def finish(self) -> Iterable[Chunk]:
        """Return what was held back."""
        ...


def compose(registry: Registry, plan: Plan) -> tuple[Middleware, ...]:
    """Return the middleware for *plan* that the plugins offer, nearest to the provider first."""
    offered = registry.hook.vivavoce_stream_middleware(plan=plan)
    return tuple(middleware for middleware in offered if middleware is not None)


def pass_through(stages: Sequence[Middleware], chunks: Iterable[Chunk]) -> list[Chunk]:
    """Return *chunks* after all *stages*."""
    current = list(chunks)
    for stage in stages:
        current = [out for chunk in current for out in stage.feed(chunk)]
    return current


def finish_all(stages: Sequence[Middleware]) -> list[Chunk]:
    """Return what the stages held back, each passed through those after it."""
    held: list[Chunk] = []
    for index, stage in enumerate(stages):
        held += pass_through(stages[index + 1 :], stage.finish())
    return held
