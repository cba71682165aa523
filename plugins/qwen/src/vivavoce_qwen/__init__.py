"""Qwen-TTS, the speech models of Alibaba Cloud Model Studio (DashScope)."""

from __future__ import annotations

from vivavoce.authoring import SynthesizerInfo, VoiceCustomizerInfo, hookimpl
from vivavoce_qwen.capabilities import MODELS, count_billed, list_voices, recognise_voice
from vivavoce_qwen.offers import customizer_info

__all__ = ["vivavoce_synthesizers", "vivavoce_voice_customizers"]


@hookimpl
def vivavoce_synthesizers() -> list[SynthesizerInfo]:
    """Introduce the one provider of this plugin; its exchange is not loaded."""
    return [
        SynthesizerInfo(
            name="qwen",
            title="Qwen-TTS on Alibaba Cloud Model Studio",
            interface=1,
            models=MODELS,
            synthesizer="vivavoce_qwen.exchange:QwenSynthesizer",
            voices=list_voices,
            credential_env=("DASHSCOPE_API_KEY",),
            settings={
                "base_url": ("DASHSCOPE_HTTP_BASE_URL",),
                "region": ("DASHSCOPE_API_REGION",),
                "workspace": ("DASHSCOPE_WORKSPACE_ID",),
                "websocket_url": (),
            },
            recognise_voice=recognise_voice,
            count_billed=count_billed,
            homepage="https://help.aliyun.com/zh/model-studio/qwen-tts",
        )
    ]


@hookimpl
def vivavoce_voice_customizers() -> list[VoiceCustomizerInfo]:
    """Introduce what makes voices of one's own."""
    return [customizer_info()]
