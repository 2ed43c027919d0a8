"""Intervals for agreement, by drawing whole groups again: answers to one prompt are not independent of each other.

Cluster bootstrap, percentile form: Davison & Hinkley (1997), "Bootstrap Methods and their Application", section 3.8.
A draw is a vector of weights (how often each item came up), so that all draws are a few matrix products.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.judging.agreement import GroupMeans

__all__ = ["agreement_intervals", "draw_groups", "group_mean_intervals"]

Floats = NDArray[np.float64]

_LARGEST = 3000
"""Items up to which all pairs are held at once; above, ranks take their place and τ has no interval."""


def draw_groups(groups: NDArray[np.int64], resamples: int, seed: int) -> Floats:
    """How often each group came up in each draw."""
    count = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(float)


def agreement_intervals(
    x: ArrayLike, y: ArrayLike, groups: NDArray[np.int64], *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float] | None]:
    """For pearson, spearman, kendall, qwk, alpha and bias; None where too few draws say anything."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.size < 3 or int(groups.max()) < 1:
        return dict.fromkeys(("pearson", "spearman", "kendall", "qwk", "alpha", "bias"))
    weights = draw_groups(groups, resamples, seed)[:, groups]
    draws: dict[str, Floats] = {"pearson": _pearson(weights, a[None], b[None])}
    if a.size <= _LARGEST:
        sx = np.sign(a[:, None] - a[None, :])
        sy = np.sign(b[:, None] - b[None, :])
        draws["spearman"] = _pearson(weights, weights @ sx.T, weights @ sy.T)
        draws["kendall"] = _tau(weights, sx, sy)
    else:
        from scipy.stats import rankdata

        draws["spearman"] = _pearson(weights, rankdata(a)[None], rankdata(b)[None])
    draws |= _of_differences(weights, a, b)
    intervals = {name: _percentiles(values, level) for name, values in draws.items()}
    return {"kendall": None, **intervals}


def group_mean_intervals(
    means: GroupMeans, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float] | None]:
    intervals: dict[str, tuple[float, float] | None] = {}
    for name, values in means.values.items():
        own = values[np.isfinite(values)]
        if own.size < 2:
            intervals[name] = None
            continue
        rng = np.random.default_rng(seed)
        drawn = own[rng.integers(0, own.size, (resamples, own.size))].mean(axis=1)
        intervals[name] = _percentiles(drawn, level)
    return intervals


def _pearson(weights: Floats, x: Floats, y: Floats) -> Floats:
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        top = (weights * x * y).sum(axis=1)
        value: Floats = top / np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    return value


def _tau(weights: Floats, sx: Floats, sy: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        concordant = ((weights @ (sx * sy)) * weights).sum(axis=1)
        told_x = ((weights @ (sx * sx)) * weights).sum(axis=1)
        told_y = ((weights @ (sy * sy)) * weights).sum(axis=1)
        value: Floats = concordant / np.sqrt(told_x * told_y)
    return value


def _of_differences(weights: Floats, a: Floats, b: Floats) -> Mapping[str, Floats]:
    total = weights.sum(axis=1)
    mean_a, mean_b = weights @ a / total, weights @ b / total
    square_a, square_b = weights @ (a * a) / total, weights @ (b * b) / total
    apart = weights @ ((a - b) ** 2) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = square_a + square_b - 2 * mean_a * mean_b
        kappa = np.where(by_chance > 0, 1 - apart / by_chance, np.nan)
        n = 2 * total
        pooled = (square_a + square_b) / 2 - ((mean_a + mean_b) / 2) ** 2
        alpha = np.where(pooled > 0, 1 - apart / (2 * pooled * n / (n - 1)), np.nan)
    return {"qwk": kappa, "alpha": alpha, "bias": mean_a - mean_b}


def _percentiles(draws: Floats, level: float) -> tuple[float, float] | None:
    finite = draws[np.isfinite(draws)]
    if finite.size < draws.size / 2:
        return None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
