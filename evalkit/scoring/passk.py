"""pass@k: the chance that one of k samples solves a problem."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = ["figures", "pass_at_k"]

_USUAL_KS = (10, 64, 100)
"""These are always reported if there are enough samples, in addition to the task's own k."""


def pass_at_k(samples: int, correct: int, k: int) -> float | None:
    """The chance that at least one of k samples, drawn without replacement, is right; None for fewer than k samples.

    Chen et al. (2021), "Evaluating Large Language Models Trained on Code", eq. (1): 1 - C(n-c, k) / C(n, k), as a
    product of k ratios, because the binomials themselves overflow.
    """
    if not 0 <= correct <= samples or k < 1:
        raise ValueError(f"{correct} right of {samples} samples, k = {k}")
    if samples < k:
        return None
    if samples - correct < k:
        return 1.0
    return 1.0 - math.prod((samples - correct - drawn) / (samples - drawn) for drawn in range(k))


def figures(passed: Sequence[bool], ks: Iterable[int]) -> dict[str, float]:
    """`pass@k` of one problem, for each of `ks` and of the usual ks that its number of samples allows."""
    values = {k: pass_at_k(len(passed), sum(passed), k) for k in sorted({*ks, *_USUAL_KS})}
    return {f"pass@{k}": value for k, value in values.items() if value is not None}
