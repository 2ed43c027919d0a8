"""Intervals for agreement by a bootstrap of whole groups: answers to one prompt are not independent of each other.

Cluster bootstrap, percentile form: Davison & Hinkley (1997), "Bootstrap Methods and their Application", section 3.8.
A draw is a vector of weights (how often each item came up), so that many draws are a few matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.judging.agreement import GroupMeans, kendall

__all__ = ["agreement_intervals", "draw_groups", "group_mean_intervals", "rank_resamples"]

Floats = NDArray[np.float64]

_ALL_PAIRS = 1000
"""Items up to which τ is computed from all pairs at once; with more, sorting each draw is faster."""
_RANKED = 6_000_000
"""Items that all draws together may sort, which takes some seconds. With more than 3,000 items, Spearman's ρ and
Kendall's τ therefore have fewer draws, and the figures say how many."""
_FEWEST = 200
_BLOCK = 20_000_000
"""Weights in memory at once."""


def draw_groups(groups: NDArray[np.int64], resamples: int, seed: int) -> Floats:
    """How often each group came up in each draw."""
    count = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(float)


def rank_resamples(items: int, resamples: int) -> int:
    """How many draws the intervals of Spearman's ρ and Kendall's τ rest on."""
    return min(resamples, max(_FEWEST, _RANKED // max(items, 1)))


def agreement_intervals(
    x: ArrayLike, y: ArrayLike, groups: NDArray[np.int64], *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float] | None]:
    """For pearson, spearman, kendall, qwk, alpha and bias; None where too few draws give a value."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    names = ("pearson", "spearman", "kendall", "qwk", "alpha", "bias")
    if a.size < 3 or int(groups.max()) < 1:
        return dict.fromkeys(names)
    parts: dict[str, list[Floats]] = {name: [] for name in names}
    for weights in _blocks(groups, resamples, seed):
        parts["pearson"].append(_pearson_of_sums(weights, a - a.mean(), b - b.mean()))
        for name, values in _of_differences(weights, a, b).items():
            parts[name].append(values)
    fewer = rank_resamples(a.size, resamples)
    for weights in _blocks(groups, fewer, seed):
        parts["spearman"].append(_pearson(weights, _ranks(weights, a), _ranks(weights, b)))
    parts["kendall"] = list(_taus(a, b, groups, fewer, seed))
    return {name: _percentiles(np.concatenate(values), level) for name, values in parts.items()}


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
        step = max(1, _BLOCK // own.size)
        draws = [
            own[rng.integers(0, own.size, (min(step, resamples - done), own.size))].mean(axis=1)
            for done in range(0, resamples, step)
        ]
        intervals[name] = _percentiles(np.concatenate(draws), level)
    return intervals


def _blocks(groups: NDArray[np.int64], resamples: int, seed: int) -> Iterator[Floats]:
    """Each item's weights, for as many draws at once as memory takes."""
    step = max(1, _BLOCK // groups.size)
    draws = draw_groups(groups, resamples, seed)
    for start in range(0, resamples, step):
        yield draws[start : start + step][:, groups]


def _pearson(weights: Floats, x: Floats, y: Floats) -> Floats:
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        top = (weights * x * y).sum(axis=1)
        value: Floats = top / np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    return value.clip(-1.0, 1.0)


def _pearson_of_sums(weights: Floats, x: Floats, y: Floats) -> Floats:
    """The same for x and y that do not change with the draw. Both are centred already, for precision."""
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x = np.maximum(weights @ (x * x) / total - mean_x**2, 0)
        spread_y = np.maximum(weights @ (y * y) / total - mean_y**2, 0)
        value = (weights @ (x * y) / total - mean_x * mean_y) / np.sqrt(spread_x * spread_y)
    told_apart = (spread_x > 1e-15 * (x @ x)) & (spread_y > 1e-15 * (y @ y))
    return np.where(told_apart, np.clip(value, -1.0, 1.0), np.nan)


def _ranks(weights: Floats, values: Floats) -> Floats:
    """Each item's mean rank in each draw, where an item that came up k times takes k places."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(distinct.size))
    taken = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(taken, axis=1) - taken / 2)[:, place]
    return ranks


def _taus(a: Floats, b: Floats, groups: NDArray[np.int64], count: int, seed: int) -> Iterator[Floats]:
    if a.size <= _ALL_PAIRS:
        sx, sy = np.sign(a[:, None] - a[None, :]), np.sign(b[:, None] - b[None, :])
        for weights in _blocks(groups, count, seed):
            yield _tau(weights, sx, sy)
        return
    for draw in draw_groups(groups, count, seed):
        items = np.repeat(np.arange(a.size), draw[groups].astype(np.int64))
        yield np.array([kendall(a[items], b[items]) if items.size > 1 else math.nan])


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
