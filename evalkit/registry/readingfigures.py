"""Figures of all documents together that the tasks of reading comprehension and of stereotypes have."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["best_score", "best_threshold", "ratio", "ratio_difference", "signed_mean"]


def ratio(items: Sequence[tuple[float, float]]) -> float:
    """The sum of the first numbers over the sum of the second: a mean over the documents that it is about."""
    whole = math.fsum(item[1] for item in items)
    return math.fsum(item[0] for item in items) / whole if whole else math.nan


def signed_mean(items: Sequence[float]) -> float:
    """The mean of values from −1 to 1."""
    return math.fsum(items) / len(items)


def ratio_difference(items: Sequence[tuple[float, float, float, float]]) -> float:
    """The ratio of the first two columns less that of the last two."""
    return ratio([item[:2] for item in items]) - ratio([item[2:] for item in items])


def best_score(items: Sequence[tuple[float, float, float, float]]) -> float:
    """The best mean that a threshold on the probability of no answer gives, as SQuAD v2.0's script finds it.

    Each item is a document's score, its probability of no answer, whether it has an answer, and whether one was given.
    """
    return _best(items)[0]


def best_threshold(items: Sequence[tuple[float, float, float, float]]) -> float:
    """That threshold: questions whose probability of no answer is above it are taken as unanswered."""
    return _best(items)[1]


def _best(items: Sequence[tuple[float, float, float, float]]) -> tuple[float, float]:
    current = best = float(sum(not has_answer for _, _, has_answer, _ in items))
    threshold = 0.0
    for score, sure, has_answer, answered in sorted(items, key=lambda item: item[1]):
        current += score if has_answer else -float(bool(answered))
        if current > best:
            best, threshold = current, sure
    return best / len(items), threshold
