"""Bounds on a paired difference that hold at any size: few documents, few changes, none at all.

A t interval collapses to a point when nothing changed, and passes a model that it knows nothing about. Here the
share of documents lost and the share gained each get a Clopper–Pearson limit, and the two are joined by the method of
variance estimates recovery (MOVER). With many changes this is the t interval to three digits; with none it is the
exact bound on an event not seen in n trials. Clusters, strata, weights and graded values enter as an effective number
of documents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from evalkit.stats.cluster import Design
from evalkit.stats.intervals import Interval, clopper_pearson_limits

__all__ = ["BoundedDifference", "bounded_difference", "mover_limits"]

Floats = NDArray[np.float64]

_ENOUGH = 20
"""Graded documents that must vary before their own spread is trusted."""

_SMALLEST = 1e-60
"""p-values below it are 0; the beta quantiles lose their footing not far beyond."""


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
class BoundedDifference:
    """A mean of paired differences within ±scale, and what its bounds need."""

    delta: float
    lost: float
    """Share lost, in units of the scale: for right and wrong, the share of documents that turned wrong."""
    gained: float
    n: int
    effective_n: float
    """Documents that an independent sample of yes/no answers would need for the same precision."""
    df: float
    """Infinite where the variance is known from the counts alone."""
    scale: float
    sparse: bool
    """Graded, and almost all differences are the same one: what varies is too little to speak for what may."""
    stderr: float
    base: float
    """Mean of the baseline, for bounds on a relative drop."""
    base_stderr: float
    base_correlation: float

    @property
    def discordance(self) -> float:
        return self.lost + self.gained

    @property
    def design_effect(self) -> float:
        return self.n / self.effective_n if self.effective_n > 0 else math.inf

    def lower(self, level: float, relative: float = 0.0) -> float:
        """One-sided lower bound on delta + relative · baseline."""
        return self._bound(1 - level, relative, -1)

    def upper(self, level: float, relative: float = 0.0) -> float:
        return self._bound(1 - level, relative, +1)

    def interval(self, level: float = 0.95) -> Interval:
        """Two-sided: a bound on either side at half the error each."""
        one_sided = 0.5 + level / 2
        return Interval(self.lower(one_sided), self.upper(one_sided), level)

    def p_below(self, at: float, relative: float = 0.0) -> float:
        """One-sided p-value against 'the difference is `at` or more': small means that it is below."""
        return self._p_value(at, relative, +1)

    def p_above(self, at: float, relative: float = 0.0) -> float:
        return self._p_value(at, relative, -1)

    def p_two_sided(self, at: float = 0.0) -> float:
        """The level at which the two-sided interval just reaches `at`."""
        return min(1.0, 2 * min(self.p_below(at), self.p_above(at)))

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

    def _p_value(self, at: float, relative: float, side: int) -> float:
        def excludes(alpha: float) -> bool:
            return (self._bound(alpha, relative, side) - at) * side < 0

        if not excludes(0.5):
            # Beyond one half the limits are no longer limits; the other side knows how far beyond.
            if self._reaches(at, relative, -side):
                return max(0.5, 1 - self._p_value(at, relative, -side))
            return 0.5
        if excludes(_SMALLEST):
            return 0.0

        def beyond(z: float) -> float:
            return (self._bound(float(ndtr(-z)), relative, side) - at) * side

        return float(ndtr(-_root(beyond, 0.0, -float(ndtri(_SMALLEST)))))

    def _reaches(self, at: float, relative: float, side: int) -> bool:
        return (self._bound(0.5, relative, side) - at) * side < 0


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses 0: the Illinois form of the false position (Dowell & Jarratt 1971, BIT 11:168).

    In z a bound is almost a straight line, so that this takes a handful of steps. Of the last bracket the lower end is
    returned, which errs towards the larger p-value.
    """
    at_low, at_high = rising(low), rising(high)
    kept = 0
    for _ in range(60):
        if high - low < 1e-9 or at_high - at_low <= 0:
            break
        middle = high - at_high * (high - low) / (at_high - at_low)
        middle = min(max(middle, low + 1e-12), high - 1e-12)
        value = rising(middle)
        if abs(value) < 1e-13:
            return middle
        if value > 0:
            high, at_high = middle, value
            at_low, kept = (at_low / 2, kept) if kept > 0 else (at_low, 1)
        else:
            low, at_low = middle, value
            at_high, kept = (at_high / 2, kept) if kept < 0 else (at_high, -1)
    return low


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
