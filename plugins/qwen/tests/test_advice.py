"""What the rules of the advice make of this plugin's claims and prices."""

import pytest

import vivavoce_qwen
from vivavoce import Registry, advise

USES = [
    ("brand-voice-from-text", "qwen3-tts-vd-2026-01-26"),
    ("brand-voice-from-audio", "qwen3-tts-vc-2026-01-22"),
    ("emotional", "qwen3-tts-instruct-flash"),
    ("navigation", "qwen3-tts-flash"),
    ("courseware", "qwen3-tts-flash"),
    ("audiobook", "qwen3-tts-flash"),
]


@pytest.mark.parametrize("region", [None, "cn-beijing", "ap-southeast-1"])
@pytest.mark.parametrize(("use", "model"), USES)
def test_first_advice(use, model, region):
    """The first advice for a use is the model that the service's own page names, in each region."""
    found = advise(use, region=region, registry=Registry.of(vivavoce_qwen))
    assert found[0].selector == f"qwen/{model}"


def test_reasons():
    """The reasons quote the claims and the price."""
    first = advise("emotional", registry=Registry.of(vivavoce_qwen))[0]
    assert "takes style instructions (up to 1600 tokens)" in first.reasons
    assert "180 requests a minute" in first.reasons
    assert "0.8 CNY per 10000 characters in cn-beijing" in first.reasons
    assert "stands for qwen3-tts-instruct-flash-2026-01-26 today" in first.reasons


def test_models_over_a_socket_are_not_advised():
    """Models that this release cannot speak with are never advised."""
    registry = Registry.of(vivavoce_qwen)
    found = [advice for use, _ in USES for advice in advise(use, registry=registry)]
    assert found
    assert not [advice.selector for advice in found if advice.model.card.unavailable]


def test_advice_for_cantonese():
    """Of the models only those that speak a variety are advised for it, by their voices."""
    registry = Registry.of(vivavoce_qwen)
    first = advise("navigation", language="yue", registry=registry)[0]
    assert first.selector == "qwen/qwen3-tts-flash"
    assert any(reason.endswith("voices for yue") for reason in first.reasons)
