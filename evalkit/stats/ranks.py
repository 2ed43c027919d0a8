"""Ranks that say how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from evalkit.stats.multiplicity import holm

__all__ = ["Rank", "pairwise_better", "rank_intervals"]


@dataclass(frozen=True, slots=True)
class Rank:
    low: int
    """The best rank that the data allow."""
    high: int


def pairwise_better(
    values: ArrayLike, stderrs: ArrayLike, *, confidence: float = 0.95, covariance: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """better[i, j]: i is above j, all pairs at once at this confidence (two-sided z tests, Holm over the pairs).

    Without `covariance` the values count as independent, which is on the safe side where models answered the same
    documents. A value without a standard error (NaN) is separated from none.
    """
    v, se = np.asarray(values, float), np.asarray(stderrs, float)
    i, j = np.triu_indices(v.size, 1)
    shared = 0.0 if covariance is None else 2 * np.asarray(covariance, float)[i, j]
    spread = np.sqrt(np.maximum(se[i] ** 2 + se[j] ** 2 - shared, 0.0))
    gap = v[i] - v[j]
    known = np.isfinite(spread) & np.isfinite(gap) & (spread > 0)
    z = np.divide(np.abs(gap), spread, out=np.zeros_like(gap), where=known)
    sure = (holm(2 * ndtr(-z)) < 1 - confidence) & known
    better = np.zeros((v.size, v.size), dtype=bool)
    better[i[sure & (gap > 0)], j[sure & (gap > 0)]] = True
    better[j[sure & (gap < 0)], i[sure & (gap < 0)]] = True
    return better


def rank_intervals(better: ArrayLike) -> list[Rank]:
    """Simultaneous intervals for ranks: Mogstad, Romano, Shaikh & Wilhelm (2024), Rev. Econ. Stud. 91:476.

    From 1 + how many are surely above, to K − how many are surely below.
    """
    above = np.asarray(better, bool)
    k = above.shape[0]
    return [Rank(1 + int(above[:, i].sum()), k - int(above[i].sum())) for i in range(k)]
