"""pass@k: the chance that one of k samples solves a problem."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pass_at_k", "pass_at_k_mean"]


def pass_at_k(samples: ArrayLike, correct: ArrayLike, k: int) -> NDArray[np.float64]:
    """Unbiased, for each problem: Chen et al. (2021), "Evaluating Large Language Models Trained on Code", eq. (1)."""
    n, c = np.broadcast_arrays(np.asarray(samples, float), np.asarray(correct, float))
    if np.any(n < k):
        raise ValueError(f"pass@{k} needs {k} samples of every problem; one has {int(n.min())}")
    steps = np.arange(k, dtype=float)
    # 1 − C(n−c, k)/C(n, k) as a product of k ratios, so that no binomial overflows.
    left = np.clip(n[..., None] - c[..., None] - steps, 0.0, None) / (n[..., None] - steps)
    return np.asarray(1.0 - np.prod(left, axis=-1))


def pass_at_k_mean(samples: ArrayLike, correct: ArrayLike, k: int) -> tuple[float, float]:
    """Mean over problems and its standard error, problems being the units drawn (Miller 2024)."""
    each = pass_at_k(samples, correct, k)
    if each.size < 2:
        return float(each.mean()), math.nan
    return float(each.mean()), float(each.std(ddof=1) / math.sqrt(each.size))
