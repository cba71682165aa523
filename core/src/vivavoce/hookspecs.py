"""
Every extension point, in one file.

Hooks register and announce; they never stream. A plugin implements those it
needs with ``@hookimpl`` from :mod:`vivavoce.authoring` and is found by its entry
point in the group ``vivavoce``. Each moment is named below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from vivavoce.model.report import Report
    from vivavoce.model.secret import Secret
    from vivavoce.pipeline.middleware import Middleware
    from vivavoce.pipeline.plan import Plan
    from vivavoce.provider import SynthesizerInfo, VoiceCustomizerInfo

__all__ = [
    "GROUP",
    "CommandSpec",
    "PipelineSpec",
    "SynthesizerSpec",
    "VoiceCustomizerSpec",
    "hookimpl",
    "hookspec",
]

GROUP = "vivavoce"
"""Entry-point group and pluggy project name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class SynthesizerSpec:
    """Providers that speak."""

    @hookspec
    def vivavoce_synthesizers(self) -> list[SynthesizerInfo]:
        """Return the providers of this plugin. Once, at load; pure and cheap."""
        raise NotImplementedError


class VoiceCustomizerSpec:
    """Providers that make voices."""

    @hookspec
    def vivavoce_voice_customizers(self) -> list[VoiceCustomizerInfo]:
        """Return the customizers of this plugin. Once, at load; pure and cheap."""
        raise NotImplementedError


class PipelineSpec:
    """What happens around a synthesis."""

    @hookspec
    def vivavoce_stream_middleware(self, plan: Plan) -> Middleware | None:
        """
        Return something that sees each chunk, or None. Once per synthesis, before it.

        A session that was interrupted goes on with others, so that nothing held back is heard.

        What the hooks return is composed in call order (``tryfirst`` is nearest
        to the provider).
        """

    @hookspec
    def vivavoce_synthesis_started(self, plan: Plan) -> None:
        """Be told that a synthesis begins. An error here is logged and spoils nothing."""

    @hookspec
    def vivavoce_synthesis_finished(self, plan: Plan, report: Report) -> None:
        """Be told that one ended, complete or cancelled. Errors are logged."""

    @hookspec
    def vivavoce_synthesis_failed(self, plan: Plan, report: Report, error: BaseException) -> None:
        """Be told that one failed. Errors are logged."""

    @hookspec(firstresult=True)
    def vivavoce_resolve_credential(self, provider: str) -> Secret | None:
        """
        Return the credential of *provider*, or None to leave it to the next.

        When a provider object is made, before settings and environment are read.
        """


class CommandSpec:
    """The command line."""

    @hookspec
    def vivavoce_register_commands(self, cli: click.Group) -> None:
        """Add commands to *cli*. Each time the command line starts: import lazily."""
