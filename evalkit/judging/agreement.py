"""Measures of agreement between a judge and people: correlations, kappa, alpha, ordered pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CORRELATIONS",
    "GroupMeans",
    "ceiling",
    "group_index",
    "kendall",
    "krippendorff_alpha",
    "pairwise_accuracy",
    "pearson",
    "per_group",
    "quadratic_kappa",
    "spearman",
]

Floats = NDArray[np.float64]


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson (1895). NaN if either side is constant."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.size < 2 or _constant(a) or _constant(b):
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    # Scaled first: squares of tiny or huge values would leave the range of floats.
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip(a @ b / math.sqrt(float(a @ a) * float(b @ b)), -1.0, 1.0))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman (1904): Pearson's of the ranks, ties at their mean rank."""
    return pearson(_ranks(np.asarray(x, float)), _ranks(np.asarray(y, float)))


def kendall(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's τ-b (1945), Biometrika 33:239: pairs tied on one side shrink it."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.size < 2 or _constant(a) or _constant(b):
        return math.nan
    if a.size == 2:  # scipy's p-value, not wanted here, divides by n − 2
        return float(np.sign(a[1] - a[0]) * np.sign(b[1] - b[0]))
    from scipy.stats import kendalltau

    return float(kendalltau(a, b, method="asymptotic").statistic)


CORRELATIONS: Mapping[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
}


def group_index(groups: Sequence[str | None]) -> NDArray[np.int64]:
    """Number the groups by name. An item without a group is a group of its own."""
    numbers: dict[object, int] = {}
    return np.array(
        [numbers.setdefault((i,) if name is None else name, len(numbers)) for i, name in enumerate(groups)], np.int64
    )


@dataclass(frozen=True, slots=True)
class GroupMeans:
    """The mean of the correlations inside groups: does the judge order answers to one prompt as people do?"""

    means: Mapping[str, float]
    values: Mapping[str, Floats]
    """Each group's own value; NaN where left out."""
    groups: int
    """Groups that count."""
    constant: int
    """Groups left out, because the judge or the people gave all of them the same."""


def per_group(x: ArrayLike, y: ArrayLike, groups: NDArray[np.int64]) -> GroupMeans:
    a, b = np.asarray(x, float), np.asarray(y, float)
    members = [np.flatnonzero(groups == g) for g in range(int(groups.max()) + 1 if groups.size else 0)]
    values = {
        name: np.array([function(a[m], b[m]) if m.size > 1 else math.nan for m in members])
        for name, function in CORRELATIONS.items()
    }
    counted = np.isfinite(values["pearson"]) if members else np.zeros(0, bool)
    several = sum(m.size > 1 for m in members)
    return GroupMeans(
        {name: float(v[counted].mean()) if counted.any() else math.nan for name, v in values.items()},
        values,
        int(counted.sum()),
        several - int(counted.sum()),
    )


def pairwise_accuracy(x: ArrayLike, y: ArrayLike, groups: NDArray[np.int64] | None = None) -> tuple[float, int]:
    """The share of pairs with different ratings by people that the judge puts in the same order; its ties count half.

    Only pairs inside a group count, if there are any. Returned with the number of pairs.
    """
    a, b = np.asarray(x, float), np.asarray(y, float)
    sets = [np.arange(a.size)]
    if groups is not None and groups.size:
        inside = [np.flatnonzero(groups == g) for g in range(int(groups.max()) + 1)]
        sets = [m for m in inside if m.size > 1] or sets
    right, pairs = 0.0, 0
    for members in sets:
        for k in range(len(members) - 1):
            i, rest = members[k], members[k + 1 :]
            differ = b[rest] != b[i]
            order = np.sign(a[rest] - a[i]) * np.sign(b[rest] - b[i])
            right += float(np.sum((order[differ] + 1) / 2))
            pairs += int(differ.sum())
    return (right / pairs if pairs else math.nan), pairs


def quadratic_kappa(x: ArrayLike, y: ArrayLike) -> float:
    """Cohen (1968), Psychological Bulletin 70:213, with squared weights; not rounded, so that means may be rated too.

    One minus the mean squared difference, divided by its value for two independent raters.
    """
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.size == 0:
        return math.nan
    by_chance = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    return float(1 - np.mean((a - b) ** 2) / by_chance) if by_chance > 0 else math.nan


def krippendorff_alpha(ratings: ArrayLike) -> float:
    """Interval α: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", with gaps (NaN) allowed.

    `ratings` has one row per rater and one column per item.
    """
    table = np.asarray(ratings, float)
    given = np.isfinite(table)
    pairable = given.sum(axis=0) >= 2
    table, given = table[:, pairable], given[:, pairable]
    values = table[given]
    if values.size < 2 or _constant(values):
        return math.nan
    per_item = given.sum(axis=0)
    filled = np.where(given, table, 0.0)
    # Σ over ordered pairs of (a − b)² is 2(m Σ a² − (Σ a)²), in an item of m ratings.
    spread = 2 * (per_item * (filled**2).sum(axis=0) - filled.sum(axis=0) ** 2)
    observed = float(np.sum(spread / (per_item - 1))) / values.size
    expected = 2 * (values.size * float(values @ values) - float(values.sum()) ** 2) / (values.size * (values.size - 1))
    return float(1 - observed / expected)


def ceiling(people: Sequence[Sequence[float]]) -> dict[str, float]:
    """How far people agree with each other: the mean correlation of one person with the mean of the others; and α.

    A judge cannot be expected to agree with people more than they do.
    """
    width = max((len(ratings) for ratings in people), default=0)
    table = np.full((width, len(people)), math.nan)
    for column, ratings in enumerate(people):
        table[: len(ratings), column] = ratings
    figures: dict[str, list[float]] = {name: [] for name in CORRELATIONS}
    for rater in range(width):
        others = np.delete(table, rater, axis=0)
        both = np.isfinite(table[rater]) & np.isfinite(others).any(axis=0)
        if both.sum() < 2:
            continue
        mean = np.nanmean(others[:, both], axis=0)
        for name, function in CORRELATIONS.items():
            figures[name].append(function(table[rater, both], mean))
    means = {name: _mean([v for v in values if math.isfinite(v)]) for name, values in figures.items()}
    return {**means, "alpha": krippendorff_alpha(table) if width > 1 else math.nan, "raters": float(width)}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _constant(values: Floats) -> bool:
    return bool(np.all(values == values[0]))


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), float)
