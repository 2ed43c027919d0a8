"""Caps the score of an answer that failed a verifiable check at the middle of the scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.judging.judgment import Judgment
from evalkit.judging.rubric import Rubric
from evalkit.judging.scale import Scale

__all__ = ["beside", "cap_of", "capped", "capped_score"]


def cap_of(scale: Scale) -> float:
    """The highest score of an answer with a failed check."""
    return (scale.low + scale.high) / 2


def capped_score(judgment: Judgment, rubric: Rubric) -> float | None:
    """The score that counts."""
    if judgment.score is None or not judgment.item.failed_check or rubric.kind == "pairwise":
        return judgment.score
    return min(judgment.score, cap_of(rubric.dimension(judgment.dimension).scale))


def capped(judgments: Sequence[Judgment], rubric: Rubric) -> list[Judgment]:
    """The judgments with capped scores. A score that is low enough stays as it is."""
    return [
        judgment if (score := capped_score(judgment, rubric)) == judgment.score else replace(judgment, score=score)
        for judgment in judgments
    ]


def beside(
    entries: Mapping[str, dict[str, Any]], said: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Capped figures with what the judge itself said beside them; `counts`: how many answers failed a check."""
    return {
        name: {
            **entry,
            "capped": counts[name],
            "uncapped": {key: said[name][key] for key in ("value", "stderr", "ci95") if key in said[name]},
        }
        if counts.get(name)
        else entry
        for name, entry in entries.items()
    }
