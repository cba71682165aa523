"""Tells observers; one that raises is logged and spoils nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from vivavoce.model.report import Report
from vivavoce.pipeline.plan import Plan
from vivavoce.registry import Registry

__all__ = ["Announcer"]

logger = logging.getLogger(__name__)


class Announcer:
    """
    Announces one synthesis.

    Args:
        registry: Whose plugins are told.
        plan: What is spoken.
    """

    def __init__(self, registry: Registry, plan: Plan) -> None:
        self._registry = registry
        self._plan = plan

    def started(self) -> None:
        """Announce the beginning."""
        self._tell("vivavoce_synthesis_started", plan=self._plan)

    def finished(self, report: Callable[[], Report]) -> None:
        """Announce the end, complete or cancelled."""
        self._tell("vivavoce_synthesis_finished", plan=self._plan, report=report)

    def failed(self, report: Callable[[], Report], error: BaseException) -> None:
        """Announce a failure."""
        self._tell("vivavoce_synthesis_failed", plan=self._plan, report=report, error=error)

    def _tell(self, hook: str, **values: Any) -> None:
        # One by one: pluggy's own call stops at the first that raises, and the
        # observers after it would hear nothing.
        implementations = getattr(self._registry.hook, hook).get_hookimpls()
        if implementations and "report" in values:
            values["report"] = values["report"]()  # made for nobody otherwise
        for implementation in reversed(implementations):
            arguments = [values[name] for name in implementation.argnames]
            try:
                implementation.function(*arguments)
            except Exception:  # an observer's bug is its own; speech goes on
                logger.exception("%s of plugin %r failed.", hook, implementation.plugin_name)
