"""
Sine waves in place of speech: the plugin to copy.

It needs no engine, network or key, and claims only what it does. Every word of
the text becomes one beep, as long as the word; see ``exchange.py``.
"""

from __future__ import annotations

from vivavoce.authoring import SynthesizerInfo, hookimpl
from vivavoce_tone.capabilities import MODELS, VOICES

__all__ = ["vivavoce_synthesizers"]


@hookimpl
def vivavoce_synthesizers() -> list[SynthesizerInfo]:
    """Introduce the one provider of this plugin."""
    return [
        SynthesizerInfo(
            name="tone",
            title="Sine waves, for tests and as an example",
            interface=1,
            models=MODELS,
            # Named rather than imported: it is loaded when first spoken with.
            synthesizer="vivavoce_tone.exchange:ToneSynthesizer",
            voices=lambda: VOICES,
            default_rank=0,
            licence="Apache-2.0",
        )
    ]
