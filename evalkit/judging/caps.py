"""Caps the score of an answer that failed a verifiable check at the middle of the scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalkit.judging.judgment import Judgment
from evalkit.judging.rubric import Rubric
from evalkit.judging.scale import Scale
from evalkit.results import Metric

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
    figures: Mapping[str, Metric], uncapped: Mapping[str, Metric], counts: Mapping[str, int]
) -> dict[str, Metric]:
    """Capped figures with the uncapped ones beside them. `counts`: how many answers failed a check, by figure."""
    return {
        name: _with_uncapped(figure, uncapped[name], counts[name]) if counts.get(name) else figure
        for name, figure in figures.items()
    }


def _with_uncapped(figure: Metric, uncapped: Metric, count: int) -> Metric:
    values = {key: value for key, value in uncapped.as_json().items() if key in ("value", "stderr", "ci95")}
    return Metric.model_validate({**figure.as_json(), "capped": count, "uncapped": values})
