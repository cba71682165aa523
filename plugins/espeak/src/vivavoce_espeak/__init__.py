"""
The embedded voice: eSpeak NG, with no account and no network.

GPL-3.0-or-later, as the engine is; see COPYING and NOTICE.
"""

from __future__ import annotations

from vivavoce.authoring import SynthesizerInfo, hookimpl
from vivavoce_espeak.capabilities import MODELS, list_voices

__all__ = ["vivavoce_synthesizers"]


@hookimpl
def vivavoce_synthesizers() -> list[SynthesizerInfo]:
    """Introduce the one provider of this plugin; the engine is not loaded."""
    return [
        SynthesizerInfo(
            name="espeak",
            title="eSpeak NG, in this process",
            interface=1,
            models=MODELS,
            synthesizer="vivavoce_espeak.exchange:EspeakSynthesizer",
            voices=list_voices,
            default_rank=50,
            homepage="https://github.com/espeak-ng/espeak-ng",
            licence="GPL-3.0-or-later",
        )
    ]
