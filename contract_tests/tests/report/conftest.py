"""A run to show: every verdict, and texts that a provider might use to do harm."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from vivavoce_contract.results import (
    Cell,
    ClauseRow,
    Deviation,
    Evidence,
    ProviderColumn,
    Run,
    Verdict,
    marks_of,
)

HOSTILE = (
    "</td><script>alert(1)</script>\x1b[2J\u202e\"'><img src=x onerror=alert(2)>|`x`\n# h @you"
)

AREAS = {
    "declaration": ("DEC", "The card names a licence", 7),
    "synthesis": ("SYN", "What was asked for is spoken, and the audio has its length", 5),
    "streaming": ("STR", "The first chunk is out before the tape has sent its last", 6),
    "text": ("TXT", "A text of one more than the limit is refused before anything is sent", 6),
    "languages and voices": ("LNG", "Every voice that is listed speaks on the models it names", 6),
    "instructions": ("INS", "Instructions reach the service as they were given", 3),
    "prosody": ("PRO", "A rate of 2.0 halves the time, or is refused", 4),
    "marks": ("MRK", "Marks ascend and lie inside the audio", 4),
    "formats": ("FMT", "A header tells the rate that the samples have", 5),
    "errors": ("ERR", "Each documented code becomes the right error, retryable or not", 7),
    "lifecycle": ("LIF", "Nothing is delivered after a cancel", 6),
    "timeouts": ("TIM", "A service that falls silent between chunks ends in TimedOut", 4),
    "secrets": ("SEC", "The key is seen nowhere but in what is sent", 3),
    "parity": ("PAR", "The sync and the async face give the same bytes", 3),
}
COLUMNS = {
    "tone": ("sine",),
    "espeak": ("espeak-ng",),
    "qwen": (
        "qwen3-tts-flash",
        "qwen3-tts-instruct-flash",
        "qwen3-tts-vd-2026-01-26",
        "qwen-tts-latest",
    ),
}
BAD = [verdict for verdict in Verdict if not verdict.is_good]


def clause_rows() -> list[ClauseRow]:
    return [
        ClauseRow(
            id=f"{prefix}-{n:02d}",
            sentence=f"{sentence}{f' ({n})' if n > 1 else ''}.",
            level="should" if n % 4 == 3 else "must",
            area=area,
            capability="streaming" if area == "streaming" else "",
            where=f"The module about {area}, where it begins.",
            each_model=area != "declaration",
        )
        for area, (prefix, sentence, count) in AREAS.items()
        for n in range(1, count + 1)
    ]


def cells_of(rows: list[ClauseRow]) -> list[Cell]:
    cells = []
    bad = iter([*BAD, *BAD[:2]])
    number = 0
    for provider, models in COLUMNS.items():
        for row in rows:
            for model in models if row.each_model else ("",):
                number += 1
                kinds = ["emulator"] if number % 3 else ["documentation", "synthetic"]
                verdict = Verdict.DECLINED if number % 6 == 5 else Verdict.PASS
                if row.area == "timeouts" and provider != "qwen":
                    verdict = Verdict.NOT_ASKED
                elif number % 41 == 40:
                    verdict = Verdict.DEVIATES
                elif provider == "qwen" and number % 17 == 3:
                    verdict = next(bad, verdict)
                if verdict is Verdict.NOT_RUN:
                    continue
                is_played = provider == "qwen" and row.area != "declaration"
                cells.append(
                    Cell(
                        clause=row.id,
                        provider=provider,
                        model=model,
                        verdict=verdict,
                        marks=marks_of(kinds, is_stale=number % 29 == 1) if is_played else "",
                        message=""
                        if verdict is Verdict.PASS
                        else "It sent one chunk of 48000 bytes, and the tape has 9.",
                        claim="streaming: yes" if row.capability else "",
                        evidence=[
                            Evidence(
                                tape=f"{model}.speak",
                                kind=kind,
                                name="qwen emulator 0.1.0",
                                recorded_at="2026-11-20",
                                url="https://example.org/tapes",
                            )
                            for kind in kinds
                            if is_played
                        ],
                        seconds=number % 7 / 10,
                    )
                )
    return cells


@pytest.fixture
def run() -> Run:
    """67 clauses and six models, with every verdict there is."""
    rows = clause_rows()
    return Run(
        made_at=datetime(2026, 11, 25, 9, 30, tzinfo=UTC),
        versions={"vivavoce": "0.1.0", "vivavoce-contract": "0.1.0", "Python": "3.11.7"},
        clauses=rows,
        providers=[
            ProviderColumn(
                provider="tone", models=COLUMNS["tone"], distribution="vivavoce-tone 0.1.0"
            ),
            ProviderColumn(
                provider="espeak", models=COLUMNS["espeak"], distribution="vivavoce-espeak 0.1.0"
            ),
            ProviderColumn(
                provider="qwen",
                models=COLUMNS["qwen"],
                sample="4 of 23 models: one of each family. The others differ in name alone.",
                provenance={
                    "verified": 0,
                    "documented": 14,
                    "self-consistent": 38,
                    "synthetic": 6,
                },
                distribution="vivavoce-qwen 0.1.0",
            ),
        ],
        cells=cells_of(rows),
        deviations=[
            Deviation(
                clause="LNG-04",
                provider="qwen",
                model="qwen-tts-latest",
                reason="The service renames this voice without notice.",
                link="https://example.org/issues/12",
                expires=date(2027, 3, 1),
            ),
            Deviation(
                clause="MRK-02",
                provider="espeak",
                reason="Late by a phrase.",
                expires=date(2026, 11, 1),
            ),
        ],
    )


@pytest.fixture
def hostile() -> Run:
    """A run in which every text a provider has a hand in is an attack."""
    return Run(
        made_at=datetime(2026, 11, 25, tzinfo=UTC),
        versions={HOSTILE: HOSTILE},
        clauses=[
            ClauseRow(id=HOSTILE, sentence=HOSTILE, area=HOSTILE, capability=HOSTILE, where=HOSTILE)
        ],
        providers=[
            ProviderColumn(
                provider=HOSTILE,
                models=[HOSTILE],
                sample=HOSTILE,
                provenance={HOSTILE: 1},
                distribution=HOSTILE,
            )
        ],
        cells=[
            Cell(
                clause=HOSTILE,
                provider=HOSTILE,
                model=HOSTILE,
                verdict=Verdict.FAIL,
                message=HOSTILE,
                claim=HOSTILE,
                evidence=[
                    Evidence(tape=HOSTILE, kind=HOSTILE, name=HOSTILE, url="javascript:alert(3)")
                ],
            )
        ],
        deviations=[
            Deviation(
                clause=HOSTILE,
                provider=HOSTILE,
                model=HOSTILE,
                reason=HOSTILE,
                link="javascript:alert(4)",
                expires=date(2027, 1, 1),
            )
        ],
        selection=HOSTILE,
    )
