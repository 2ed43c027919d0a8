"""The paired t-test with clustered standard errors (Miller 2024): what the tests hold the bounds against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from evalkit.stats.cluster import Design
from evalkit.stats.intervals import Interval

__all__ = ["PairedTest", "paired_difference"]


@dataclass(frozen=True, slots=True)
class PairedTest:
    delta: float
    stderr: float
    df: float
    p: float
    """Two-sided."""
    interval: Interval


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
