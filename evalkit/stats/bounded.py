"""Bounds on a paired difference that hold at any size: few documents, few changes, none at all.

A t interval collapses to a point when nothing changed, and passes a model that it knows nothing about. Here the
share of documents lost and the share gained each get a Clopper–Pearson limit, and the two are joined by the method of
variance estimates recovery (MOVER). With many changes this is the t interval to three digits; with none it is the
exact bound on an event not seen in n trials. Clusters, strata, weights and graded values enter as an effective number
of documents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from evalkit.stats.bounds import Bounds
from evalkit.stats.cluster import Design
from evalkit.stats.intervals import clopper_pearson_limits

__all__ = ["BoundedDifference", "bounded_difference", "mover_limits"]

Floats = NDArray[np.float64]

_ENOUGH = 20
"""Graded documents that must vary before their own spread is trusted."""


def mover_limits(lost: ArrayLike, gained: ArrayLike, n: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """One-sided limits for (gained − lost)/n, each wrong with probability `alpha` at most. Vectorised.

    Zou & Donner (2008), Statistics in Medicine 27:1693: with δ = p₁ − p₂ and limits (l, u) of each, the lower one is
    δ − √((p₁ − l₁)² + (u₂ − p₂)² − 2ρ(p₁ − l₁)(u₂ − p₂)). Here p₁ is the share gained, p₂ the share lost,
    with Clopper–Pearson limits each. ρ is the multinomial correlation, at the estimates or at the limits, whichever
    leaves more room: at the estimates alone a handful of documents would be trusted too much.
    """
    size = np.asarray(n, float)
    p_lost, p_gained = np.asarray(lost, float) / size, np.asarray(gained, float) / size
    lost_low, lost_high = clopper_pearson_limits(lost, size, alpha)
    gained_low, gained_high = clopper_pearson_limits(gained, size, alpha)
    delta, rho = p_gained - p_lost, _correlation(p_lost, p_gained)
    room = np.minimum(rho, _correlation(lost_high, gained_low))
    down, up = p_gained - gained_low, lost_high - p_lost
    low = delta - np.sqrt(down**2 + up**2 - 2 * room * down * up)
    room = np.minimum(rho, _correlation(lost_low, gained_high))
    down, up = p_lost - lost_low, gained_high - p_gained
    high = delta + np.sqrt(down**2 + up**2 - 2 * room * down * up)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def _correlation(p: Floats, q: Floats) -> Floats:
    """Of two cells of one multinomial; it cannot be below −1, though limits taken apart may claim so."""
    odds = p * q / np.maximum((1 - p) * (1 - q), 1e-300)
    return np.asarray(-np.sqrt(np.minimum(odds, 1.0)))


@dataclass(frozen=True, slots=True)
class BoundedDifference(Bounds):
    """A mean of paired differences within ±scale, and what its bounds need."""

    df: float
    """Infinite where the variance is known from the counts alone."""
    sparse: bool
    """Graded, and almost all differences are equal: too few vary to estimate their spread."""
    base_stderr: float
    base_correlation: float

    def _bound(self, alpha: float, relative: float, side: int) -> float:
        point = self.delta + relative * self.base
        size = self.effective_n * self._df_factor(alpha)
        if size <= 0:
            return side * math.inf
        arm = self._arm(size, alpha, side)
        if relative:
            other = relative * self.base_stderr * self._quantile(alpha)
            cross = 2 * self.base_correlation * arm * other
            arm = math.sqrt(max(arm * arm + other * other + cross, 0.0))
        return point + side * arm

    def _arm(self, size: float, alpha: float, side: int) -> float:
        low, high = mover_limits(self.lost * size, self.gained * size, size, alpha)
        reach = float(high) if side > 0 else float(low)
        arm = abs(reach - (self.gained - self.lost)) * self.scale
        if self.sparse:
            # Their spread alone would shrink the interval to nothing; documents not seen may differ by the whole scale.
            unseen = 1 - alpha ** (1 / min(self.n, max(size, 1.0)))
            arm = max(arm, unseen * (self.scale - side * self.delta))
        return arm

    def _df_factor(self, alpha: float) -> float:
        if math.isinf(self.df):
            return 1.0
        if self.df < 1:
            return 0.0
        quantile = self._quantile(alpha)
        return float(ndtri(alpha) / quantile) ** 2 if quantile > 1e-9 else 1.0

    def _quantile(self, alpha: float) -> float:
        # From the lower tail: near 1 a level has no digits left for what is small.
        return -float(ndtri(alpha)) if math.isinf(self.df) else -float(stdtrit(self.df, alpha))


def bounded_difference(
    differences: ArrayLike,
    *,
    scale: float = 1.0,
    baseline: ArrayLike | None = None,
    design: Design | None = None,
) -> BoundedDifference:
    """Mean of paired differences within ±`scale`, with bounds.

    The effective sample size is Korn & Graubard's (1998), Survey Methodology 24:193: the number of independent yes/no
    documents whose variance equals the design's, n* = p(1 − p)/Var · (z/t(df))².
    """
    d = np.asarray(differences, float)
    if d.size == 0:
        raise ValueError("no pairs: there is no difference to bound")
    plan = design or Design(d.size)
    unit = d / scale
    gained, lost = plan.mean(np.maximum(unit, 0.0)), plan.mean(np.maximum(-unit, 0.0))
    graded = bool(np.any((unit != 0) & (np.abs(unit) != 1)))
    base = np.zeros_like(d) if baseline is None else np.asarray(baseline, float)
    size, df, covariance = _effective_size(unit, base, plan, gained, lost, graded)
    spread = covariance[0, 0] * covariance[1, 1]
    return BoundedDifference(
        delta=(gained - lost) * scale,
        lost=lost,
        gained=gained,
        n=d.size,
        effective_n=size,
        df=df,
        scale=scale,
        sparse=graded and _departing(unit) < _ENOUGH,
        stderr=math.sqrt(covariance[0, 0]) * scale,
        base=plan.mean(base),
        base_stderr=math.sqrt(covariance[1, 1]),
        base_correlation=float(covariance[0, 1] / math.sqrt(spread)) if spread > 0 else 0.0,
    )


def _departing(unit: Floats) -> int:
    """Documents whose difference is not the commonest one."""
    return int(unit.size - np.unique(unit, return_counts=True)[1].max())


def _effective_size(
    unit: Floats, base: Floats, plan: Design, gained: float, lost: float, graded: bool
) -> tuple[float, float, Floats]:
    if plan.df < 1:
        # One document, or one cluster: its exact limits still hold where it is a plain yes or no.
        alone = 1.0 if plan.n == 1 and not graded else 0.0
        return alone, math.inf, np.zeros((2, 2))
    columns = np.stack([unit, base], axis=1)
    covariance = plan.covariance(columns)
    variance = float(covariance[0, 0])
    if plan.clustered:
        # Clusters that look alike by chance must not buy more documents than there are.
        variance = max(variance, float(plan.covariance(columns, clustered=False)[0, 0]))
        covariance[0, 0] = variance
    if plan.simple and not graded:
        return float(plan.n), math.inf, covariance
    yes_no = gained + lost - (gained - lost) ** 2
    if variance <= 1e-18 or yes_no <= 0:
        return plan.units, float(plan.df), covariance
    correction = plan.n / (plan.n - 1)
    return yes_no * correction / variance, float(plan.df), covariance
