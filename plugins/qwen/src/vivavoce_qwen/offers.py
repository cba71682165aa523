"""What the service offers to whoever wants a voice of their own; the facts are the tables'."""

from __future__ import annotations

from vivavoce.authoring import (
    CloneOffer,
    DesignOffer,
    NameRule,
    RecordingRules,
    VoiceCustomizerInfo,
)
from vivavoce_qwen.capabilities import prices_of
from vivavoce_qwen.tables import SOURCES, ManagementRow, management

__all__ = ["CLONING", "DESIGNING", "customizer_info", "largest_recording"]

CLONING = "qwen-voice-enrollment"
DESIGNING = "qwen-voice-design"


def customizer_info() -> VoiceCustomizerInfo:
    """Introduce the customizer; it is not loaded."""
    cloning, designing = management()[CLONING], management()[DESIGNING]
    return VoiceCustomizerInfo(
        name="qwen",
        interface=1,
        customizer="vivavoce_qwen.customizing:QwenVoiceCustomizer",
        clone=_clone_offer(cloning),
        design=_design_offer(designing),
        max_voices=cloning.voices_per_account,
        note=(
            "A voice that nobody speaks with for "
            f"{cloning.unused_deleted_after_days} days is deleted by the service. "
            "Voices belong to the account of the key, in its region."
        ),
    )


def largest_recording(limit_bytes: int, media_type: str) -> int:
    """Return the most bytes of a file whose data URL is shorter than *limit_bytes*."""
    room = limit_bytes - 1 - len(f"data:{media_type};base64,")
    return room // 4 * 3


def _clone_offer(row: ManagementRow) -> CloneOffer:
    limits, asked = row.limits, row.recording
    media_types = asked["media_types"]
    low, high = asked["advised_s"]
    return CloneOffer(
        models=row.target_models,
        regions=row.regions,
        languages=row.languages,
        recording=RecordingRules(
            containers=tuple(media_types),
            min_sample_rate_hz=limits["sample_rate_hz_minimum"],
            max_channels=asked["channels"],
            min_s=limits["audio_s_minimum"],
            max_s=limits["audio_s"],
            advised_s=(low, high),
            max_bytes=min(
                largest_recording(limits["audio_bytes"], kind) for kind in media_types.values()
            ),
            wav_bits=tuple(asked["wav_bits"]),
            takes_url=asked["takes_url"],
        ),
        takes_transcript=True,
        name=_name_rule(row),
        prices=prices_of(row.prices),
        note=(
            "The recording has one clear voice, no music, no noise, no singing, no pause of more "
            f"than 2 s. {_free(row)} Deleting one gives no free one back. {row.uncertain}"
        ),
        evidence=SOURCES[row.evidence],
    )


def _design_offer(row: ManagementRow) -> DesignOffer:
    return DesignOffer(
        models=row.target_models,
        regions=row.regions,
        languages=row.languages,
        description_languages=row.description_languages,
        max_description=row.limits["voice_prompt_characters"],
        max_preview=row.limits["preview_text_characters"],
        preview_formats=tuple(row.preview["formats"]),
        preview_rates_hz=tuple(row.preview["sample_rates_hz"]),
        name=_name_rule(row),
        prices=prices_of(row.prices),
        note=(
            "Where no language is given the service takes zh, and the preview's text must be in "
            "it. The preview comes once, when the voice is made. "
            f"{_free(row)} {row.uncertain}"
        ),
        evidence=SOURCES[row.evidence],
    )


def _name_rule(row: ManagementRow) -> NameRule:
    most = row.limits["preferred_name_characters"]
    return NameRule(
        pattern=f"[A-Za-z0-9_]{{1,{most}}}",
        meaning=f"1 to {most} of the letters A to Z and a to z, digits and _",
    )


def _free(row: ManagementRow) -> str:
    free = row.free_voices
    return (
        f"The first {free['count']} voices made within {free['days']} days are free in "
        f"{' and '.join(free['regions'])}."
    )
