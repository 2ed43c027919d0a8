"""Intervals for one proportion and for one mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainccinv, betaincinv, ndtri, stdtrit

__all__ = ["Interval", "clopper_pearson_limits", "mean_t", "wilson"]


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float
    level: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson (1927), JASA 22:209: (p + z²/2n ± z · √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)."""
    _check_counts(successes, n)
    z = float(ndtri(0.5 + level / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Interval(low, high, level)


def clopper_pearson_limits(successes: ArrayLike, n: ArrayLike, alpha: float) -> tuple[Any, Any]:
    """Both one-sided limits, each wrong with probability `alpha` at most: Clopper & Pearson (1934), Biometrika 26:404.

    They are the beta quantiles B(α; k, n−k+1) and B(1−α; k+1, n−k). Counts need not be whole: fractional
    counts come from effective sample sizes: Korn & Graubard (1998), Survey Methodology 24:193.
    """
    k = np.clip(np.asarray(successes, float), 0.0, n)
    rest = np.asarray(n, float) - k
    # Beta quantiles are not defined at a zero shape, where the limits are the ends of the scale.
    low = np.where(k > 0, betaincinv(np.maximum(k, 1e-12), rest + 1, alpha), 0.0)
    high = np.where(rest > 0, betainccinv(k + 1, np.maximum(rest, 1e-12), alpha), 1.0)
    return low, high


def mean_t(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student (1908): mean ± t(n−1) · s/√n. With one value the interval is the whole line."""
    x = np.asarray(values, float)
    if x.size < 2:
        return Interval(-math.inf, math.inf, level)
    half = float(stdtrit(x.size - 1, 0.5 + level / 2)) * float(x.std(ddof=1)) / math.sqrt(x.size)
    middle = float(x.mean())
    return Interval(middle - half, middle + half, level)


def _check_counts(successes: float, n: float) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"a proportion of {successes} in {n} does not exist")
