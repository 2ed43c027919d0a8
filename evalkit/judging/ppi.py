"""Estimates the mean rating that people would give, from few labels and many judgments.

Angelopoulos, Duchi & Zrnic (2023), "PPI++: Efficient Prediction-Powered Inference", arXiv:2311.01453: the estimate of
equation (2) for a mean, its variance and the power tuning of section 6 (λ kept between 0 and 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["PoweredMean", "powered_mean"]


@dataclass(frozen=True, slots=True)
class PoweredMean:
    value: float
    stderr: float
    ci: tuple[float, float]
    power: float
    """λ: 0 does not use the judge, 1 uses it fully."""
    labelled: int
    unlabelled: int


def powered_mean(
    people: ArrayLike, judged: ArrayLike, judged_only: ArrayLike, *, level: float = 0.95, power: float | None = None
) -> PoweredMean:
    """`judged` are the judge's scores of the items that people labelled, `judged_only` those of all others."""
    y, f, rest = (np.asarray(values, float) for values in (people, judged, judged_only))
    n, unlabelled = y.size, rest.size
    if n < 2 or y.size != f.size:
        raise ValueError("two labelled items at least, each with its judgment")
    if unlabelled < 2:
        power = 0.0
    if power is None:
        power = _tuned(y, f, rest)
    value = float((y - power * f).mean() + (power * rest.mean() if unlabelled else 0.0))
    variance = float(np.var(y - power * f)) / n
    if power and unlabelled:
        variance += power**2 * float(np.var(rest)) / unlabelled
    stderr = math.sqrt(variance)
    half = NormalDist().inv_cdf(0.5 + level / 2) * stderr
    return PoweredMean(value, stderr, (value - half, value + half), power, n, unlabelled)


def _tuned(y: np.ndarray, f: np.ndarray, rest: np.ndarray) -> float:
    spread = float(np.var(np.concatenate([f, rest]), ddof=1))
    if spread == 0:
        return 0.0
    together = float(np.mean((y - y.mean()) * (f - f.mean())))
    return min(max(together / ((1 + y.size / rest.size) * spread), 0.0), 1.0)
