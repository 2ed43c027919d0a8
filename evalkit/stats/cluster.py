"""The one place where strata, clusters and weights become a variance. Everything else calls it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from evalkit.stats.intervals import Interval

__all__ = ["Design", "Mean", "clustered_mean", "codes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def codes(labels: ArrayLike | None, n: int) -> Ints | None:
    """Integer labels; a null label is a unit of its own. None where no two documents share a label."""
    if labels is None:
        return None
    raw = np.asarray(labels)
    if raw.dtype.kind in "iu":
        distinct, dense = np.unique(raw, return_inverse=True)
        return None if distinct.size == n else dense.astype(np.intp)
    known = np.array([not _is_null(label) for label in raw], dtype=bool)
    out = np.arange(n, dtype=np.intp)
    if not known.any():
        return None
    _, inverse = np.unique(raw[known].astype(str), return_inverse=True)
    out[known] = inverse + n
    _, dense = np.unique(out, return_inverse=True)
    return None if int(dense.max()) + 1 == n else dense.astype(np.intp)


def _is_null(label: object) -> bool:
    return label is None or (isinstance(label, float) and math.isnan(label))


@dataclass(frozen=True, slots=True)
class Mean:
    value: float
    stderr: float
    df: float
    """Degrees of freedom: clusters less strata. Zero: the spread cannot be estimated."""
    n: int
    clusters: int

    def interval(self, level: float = 0.95) -> Interval:
        if self.df < 1:
            return Interval(-math.inf, math.inf, level)
        half = float(stdtrit(self.df, 0.5 + level / 2)) * self.stderr
        return Interval(self.value - half, self.value + half, level)


class Design:
    """How documents were drawn: fixed strata, sampled clusters within them, a weight for each document.

    Weights sum to 1 and are a stratum's share of the figure over its number of documents; without any, each
    document counts the same, as in lm-eval's size-weighted groups.
    """

    def __init__(
        self,
        n: int,
        *,
        strata: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        weights: ArrayLike | None = None,
    ) -> None:
        self.n = n
        self.weights: Floats | None = None
        if weights is not None:
            raw = np.asarray(weights, float)
            self.weights = raw / raw.sum()
        cluster = codes(clusters, n)
        self.clustered = cluster is not None
        stratum = _strata(strata, n)
        if cluster is not None and stratum is not None:
            # A source that appears in two strata is drawn once in each.
            _, cluster = np.unique(stratum * (int(cluster.max()) + 1) + cluster, return_inverse=True)
        self._cluster: Ints | None = cluster
        self._stratum = _collapse(stratum, cluster)
        self.clusters = n if cluster is None else int(cluster.max(initial=-1)) + 1
        self.strata = 1 if self._stratum is None else int(self._stratum.max(initial=-1)) + 1
        self.df = max(0, self.clusters - self.strata)

    @property
    def simple(self) -> bool:
        """Equal weights, one stratum, no clusters."""
        return self._cluster is None and self._stratum is None and self.weights is None

    @property
    def units(self) -> float:
        """How many equally weighted clusters the design is worth: (Σw)²/Σw², Kish (1965)."""
        if self.weights is None:
            return float(self.clusters)
        totals = self.weights if self._cluster is None else np.bincount(self._cluster, self.weights)
        return float(1.0 / np.sum(totals**2))

    def mean(self, values: Floats) -> float:
        return float(values.mean()) if self.weights is None else float(self.weights @ values)

    def covariance(self, values: Floats, *, clustered: bool = True) -> Floats:
        """Covariance matrix of the weighted means of the columns of `values`.

        Strata: Σ W² · s²/n (Cochran 1977, Sampling Techniques, chapter 5). Clusters: Σ over clusters of (Σ of their
        documents' deviations)² / n² (Miller 2024, "Adding Error Bars to Evals", on clustered standard errors), times
        the usual small-sample factor G/(G − 1).
        """
        x = values if values.ndim == 2 else values[:, None]
        if self._stratum is None:
            middle = (x - (x.mean(axis=0) if self.weights is None else self.weights @ x)).astype(float)
        else:
            middle = x - _group_means(x, self._stratum, self.weights)[self._stratum]
        parts = middle / self.n if self.weights is None else middle * self.weights[:, None]
        stratum = self._stratum
        if self._cluster is not None and clustered:
            if stratum is not None:
                owner = np.zeros(self.clusters, dtype=np.intp)
                owner[self._cluster] = stratum
                stratum = owner
            parts = _sums(parts, self._cluster, self.clusters)
        if stratum is None:
            g = parts.shape[0]
            return np.asarray(parts.T @ parts * (g / (g - 1) if g > 1 else math.nan))
        counts = np.bincount(stratum)
        factor = counts / np.maximum(counts - 1, 1)
        return np.asarray(parts.T @ (parts * factor[stratum][:, None]))


def clustered_mean(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Mean:
    """Mean with the standard error that its design calls for, and t(G−1): Miller (2024)."""
    x = np.asarray(values, float)
    design = Design(x.size, strata=strata, clusters=clusters, weights=weights)
    variance = float(design.covariance(x)[0, 0]) if design.df else math.nan
    return Mean(design.mean(x), math.sqrt(variance), float(design.df), x.size, design.clusters)


def _strata(labels: ArrayLike | None, n: int) -> Ints | None:
    if labels is None or n == 0:
        return None
    text = np.array(["" if _is_null(label) else str(label) for label in np.asarray(labels, object)])
    names, inverse = np.unique(text, return_inverse=True)
    return None if len(names) == 1 else inverse.astype(np.intp)


def _collapse(stratum: Ints | None, cluster: Ints | None) -> Ints | None:
    """Merge strata that hold a single cluster: alone they show no spread (Cochran 1977, section 5A.12)."""
    if stratum is None:
        return None
    if cluster is None:
        counts = np.bincount(stratum)
    else:
        owner = np.zeros(int(cluster.max()) + 1, dtype=np.intp)
        owner[cluster] = stratum
        counts = np.bincount(owner, minlength=int(stratum.max()) + 1)
    lonely = np.flatnonzero(counts == 1)
    if lonely.size == 0:
        return stratum
    if lonely.size == 1:
        others = np.flatnonzero(counts > 1)
        lonely = np.append(lonely, others[np.argmin(counts[others])]) if others.size else lonely
    target = np.arange(len(counts))
    target[lonely] = lonely[0]
    _, merged = np.unique(target[stratum], return_inverse=True)
    return None if int(merged.max()) == 0 else merged.astype(np.intp)


def _sums(x: Floats, group: Ints, groups: int) -> Floats:
    return np.stack([np.bincount(group, x[:, j], minlength=groups) for j in range(x.shape[1])], axis=1)


def _group_means(x: Floats, group: Ints, weights: Floats | None) -> Floats:
    w = np.ones(len(group)) if weights is None else weights
    groups = int(group.max()) + 1
    return _sums(x * w[:, None], group, groups) / np.bincount(group, w, minlength=groups)[:, None]
