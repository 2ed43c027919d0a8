"""Language consistency: whether an answer to a Korean prompt is in Korean."""

from __future__ import annotations

from evalkit.checks.language import LANGUAGES, prose
from evalkit.checks.scripts import letters

__all__ = ["IN_KOREAN", "in_korean"]

IN_KOREAN = "in_korean"
"""The metric: the share of answers in Korean, of those that have letters."""


def in_korean(answer: str) -> tuple[float, float]:
    """Whether at least half of the answer's letters are Hangul, and whether it has letters at all."""
    scripts, share = LANGUAGES["ko"]
    counts = letters(prose(answer))
    total = sum(counts.values())
    if not total:
        return 0.0, 0.0
    return float(sum(counts[script] for script in scripts) >= share * total), 1.0
