"""Self-diagnosis (Schick et al. 2021): does the model itself see what a text contains?

Its answer is p(Yes) / (p(Yes) + p(No)). Beside accuracy at one half stand the accuracy on the test part with the
threshold that is best on the development part, and Pearson's correlation with people's scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.registry.scorers.scorer import Doc, TaskScorer

__all__ = ["METRICS", "SCORER", "pearson", "threshold", "tuned_accuracy"]

Pair = tuple[float, float, bool]
"""p(Yes), the text's own score, and whether it is of the development part."""

_THRESHOLDS = tuple(step / 20 for step in range(1, 20))


def _process(doc: Doc, results: Sequence[Any]) -> Mapping[str, Any]:
    yes, no = (float(result[0]) for result in results)
    p = 1 / (1 + math.exp(min(max(no - yes, -700.0), 700.0)))
    pair = p, float(doc["score"]), bool(doc["development"])
    right = (p > 0.5) == (pair[1] > 0.5)
    return {"acc": float(right), "p_yes": p, "test_acc": pair, "pearson": pair, "threshold": pair}


def threshold(pairs: Sequence[Pair]) -> float:
    """Of .05, .10 … .95 the first with the highest accuracy on the development part; NaN where that is empty."""
    development = [pair for pair in pairs if pair[2]]
    if not development:
        return math.nan
    return max(_THRESHOLDS, key=lambda limit: (_accuracy(development, limit), -limit))


def tuned_accuracy(pairs: Sequence[Pair]) -> float:
    """Accuracy on the test part with the threshold of the development part."""
    limit, test = threshold(pairs), [pair for pair in pairs if not pair[2]]
    return _accuracy(test, limit) if test and not math.isnan(limit) else math.nan


def pearson(pairs: Sequence[Pair]) -> float:
    """Of p(Yes) and the texts' scores on the test part; NaN where one of them never changes."""
    test = [pair for pair in pairs if not pair[2]]
    answers, scores = [pair[0] for pair in test], [pair[1] for pair in test]
    if len(test) < 2 or len(set(answers)) < 2 or len(set(scores)) < 2:
        return math.nan
    mean_answer, mean_score = math.fsum(answers) / len(test), math.fsum(scores) / len(test)
    together = math.fsum((a - mean_answer) * (b - mean_score) for a, b in zip(answers, scores, strict=True))
    squares = math.fsum((a - mean_answer) ** 2 for a in answers) * math.fsum((b - mean_score) ** 2 for b in scores)
    return together / math.sqrt(squares)


def _accuracy(pairs: Sequence[Pair], limit: float) -> float:
    return sum((answer > limit) == (score > 0.5) for answer, score, _ in pairs) / len(pairs)


METRICS: tuple[Mapping[str, Any], ...] = (
    {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
    {"metric": "p_yes", "aggregation": "mean", "higher_is_better": None},
    {"metric": "test_acc", "aggregation": tuned_accuracy, "higher_is_better": True},
    {"metric": "pearson", "aggregation": pearson, "higher_is_better": True},
    {"metric": "threshold", "aggregation": threshold, "higher_is_better": None},
)


SCORER = TaskScorer(_process, lambda doc: str(doc["attribute"]), lambda stratum: (stratum,))
