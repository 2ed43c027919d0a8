"""Tests for two answers to the same documents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, stdtr, stdtrit

from evalkit.stats.cluster import Design, codes
from evalkit.stats.intervals import Interval

__all__ = [
    "PairedTest",
    "mcnemar_exact",
    "mcnemar_midp",
    "paired_bootstrap",
    "paired_difference",
    "paired_t",
    "sign_flip",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedTest:
    delta: float
    stderr: float
    df: float
    p: float
    """Two-sided."""
    interval: Interval


def mcnemar_exact(lost: int, gained: int) -> float:
    """Two-sided p-value, binomial in the discordant pairs: McNemar (1947), Psychometrika 12:153."""
    if lost + gained == 0:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(lost, gained), lost + gained, 0.5)))


def mcnemar_midp(lost: int, gained: int) -> float:
    """Exact p less the probability of the observed table, half of it where both counts are equal.

    Fagerland, Lydersen & Laake (2013), BMC Med Res Methodol 13:91, supplement, eq. (2).
    """
    total = lost + gained
    if total == 0:
        return 1.0
    observed = _binomial_half(min(lost, gained), total)
    if lost == gained:
        return 1 - observed / 2
    return 2 * float(bdtr(min(lost, gained), total, 0.5)) - observed


def _binomial_half(k: int, n: int) -> float:
    return math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))


def paired_difference(
    differences: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> PairedTest:
    """Mean difference with clustered standard error and t(G−1): Miller (2024), on paired differences."""
    d = np.asarray(differences, float)
    design = Design(d.size, strata=strata, clusters=clusters, weights=weights)
    delta = design.mean(d)
    if design.df < 1:
        return PairedTest(delta, math.nan, 0.0, 1.0, Interval(-math.inf, math.inf, level))
    stderr = math.sqrt(float(design.covariance(d)[0, 0]))
    t = abs(delta) / stderr if stderr else math.inf if delta else 0.0
    p = 2 * float(stdtr(design.df, -t))
    half = float(stdtrit(design.df, 0.5 + level / 2)) * stderr
    return PairedTest(delta, stderr, float(design.df), p, Interval(delta - half, delta + half, level))


def paired_t(differences: ArrayLike, level: float = 0.95) -> PairedTest:
    """Student (1908), Biometrika 6:1, on the differences."""
    return paired_difference(differences, level=level)


def sign_flip(
    differences: ArrayLike, *, clusters: ArrayLike | None = None, resamples: int = 9999, seed: int = 0
) -> float:
    """Two-sided p-value of the sign-flip permutation test: Fisher (1935), The Design of Experiments, section 21.

    Exact up to 2^14 sign patterns; beyond, random patterns with the observed one counted among them, as Phipson & Smyth
    (2010, SAGMB 9:39) ask: (b + 1)/(m + 1). Whole clusters flip together.
    """
    d = np.asarray(differences, float)
    group = codes(clusters, d.size)
    totals = d if group is None else np.bincount(group, d)
    totals = totals[totals != 0]  # a zero has no sign to flip
    observed = abs(float(totals.sum()))
    # Sums of the same numbers in another order differ in their last bits; they are still ties.
    reach = observed - 1e-9 * max(1.0, float(np.abs(totals).sum()))
    m = totals.size
    if m <= 14:
        patterns = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
        return float(np.mean(np.abs((1 - 2 * patterns) @ totals) >= reach))
    rng = np.random.default_rng(seed)
    extreme, done = 0, 0
    while done < resamples:
        rows = min(resamples - done, max(1, 4_000_000 // m))
        signs = rng.integers(0, 2, (rows, m), dtype=np.int8) * 2 - 1
        extreme += int(np.sum(np.abs(signs @ totals) >= reach))
        done += rows
    return (extreme + 1) / (resamples + 1)


def paired_bootstrap(
    differences: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> PairedTest:
    """Percentile interval, p-value by shifting to the null: Efron & Tibshirani (1993), sections 13.3 and 16.4.

    Whole clusters are drawn (Davison & Hinkley 1997, section 3.8).
    """
    d = np.asarray(differences, float)
    group = codes(clusters, d.size)
    totals = d if group is None else np.bincount(group, d)
    sizes = np.ones(d.size) if group is None else np.bincount(group).astype(float)
    rng = np.random.default_rng(seed)
    g = totals.size
    draws = np.empty(resamples)
    step = max(1, 4_000_000 // g)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        picked = rng.integers(0, g, (rows, g))
        draws[start : start + rows] = totals[picked].sum(axis=1) / sizes[picked].sum(axis=1)
    delta = float(d.mean())
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    extreme = int(np.sum(np.abs(draws - delta) >= abs(delta) - 1e-12))
    p = (extreme + 1) / (resamples + 1)
    interval = Interval(float(low), float(high), level)
    return PairedTest(delta, float(draws.std(ddof=1)), float(g - 1), p, interval)
