"""What a paired comparison of n documents can see, and how many it takes to see more.

Every figure is about the bounds that the gate really uses (`mover_limits`), summed over the tables that they decide on.
As n grows they tend to the normal formula n = (z_α + z_β)² · Var(d) / δ² (Miller 2024, on power analysis).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, gammaln, ndtri, xlog1py, xlogy

from evalkit.stats.bounded import mover_limits

__all__ = ["Side", "decision_probability", "documents_needed", "repeats_needed", "smallest_detectable_drop"]

Floats = NDArray[np.float64]
Side = Literal["regression", "pass"]

_MOST = 1_000_000_000
"""Beyond a thousand million documents the answer is 'the drop sits on the tolerance'."""


def decision_probability(
    n: int,
    lost: float,
    gained: float,
    *,
    tolerance: float = 0.0,
    level: float = 0.95,
    side: Side = "regression",
) -> float:
    """The chance of this verdict on n independent documents of which these shares are lost and gained.

    For each count of lost documents the bound is monotone in the gained ones, so that one edge splits the tables, and
    the multinomial is a binomial times a binomial tail.
    """
    lost_count = _likely_counts(n, lost)
    rest = n - lost_count
    edge = _edge(lost_count, n, tolerance, level, side)
    share = min(gained / (1 - lost), 1.0) if lost < 1 else 0.0
    below = np.where(edge >= 0, bdtr(np.clip(edge, 0, rest), rest, share), 0.0)
    weight = _binomial(lost_count, n, lost)
    return float(np.sum(weight * (below if side == "regression" else 1 - below)))


def smallest_detectable_drop(
    n: int, discordance: float, *, tolerance: float = 0.0, level: float = 0.95, power: float = 0.8
) -> float | None:
    """The smallest true drop that would be found below the tolerance with this probability, at this discordance.

    None where even losing every document would not show. A drop larger than the discordance needs more of it: then
    nothing is gained.
    """

    def is_seen(drop: float) -> bool:
        lost, gained = max((discordance + drop) / 2, drop), max((discordance - drop) / 2, 0.0)
        return decision_probability(n, lost, gained, tolerance=tolerance, level=level) >= power

    if n < 1 or not is_seen(1.0):
        return None
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high


def documents_needed(
    lost: float,
    gained: float,
    *,
    tolerance: float,
    level: float = 0.95,
    power: float = 0.8,
    side: Side | None = None,
) -> int | None:
    """How many independent documents settle it with this probability, if these shares are the true ones.

    The side is that of the difference: above −tolerance a pass is waited for, below it a regression. None where the
    difference sits on the tolerance, so that no number will do.
    """
    gap = gained - lost + tolerance
    wanted: Side = side or ("pass" if gap > 0 else "regression")
    # A gap whose square is too small for a float asks for more documents than there are numbers.
    if gap**2 == 0 or (gap > 0) != (wanted == "pass"):
        return None

    def settles(n: int) -> bool:
        return decision_probability(n, lost, gained, tolerance=tolerance, level=level, side=wanted) >= power

    spread = lost + gained - (gained - lost) ** 2
    guess = float(ndtri(level) + ndtri(power)) ** 2 * spread / gap**2
    if guess > _MOST:
        return None
    low, high = 0, max(2, math.ceil(guess))
    if guess > 1000 and not settles(math.floor(0.9 * guess)):
        low = math.floor(0.9 * guess)
    while not settles(high):
        low, high = high, math.ceil(high * (1.1 if guess > 1000 else 2))
        if high > _MOST:
            return None
    while high - low > max(1, high // 500):
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high


def repeats_needed(
    variance: float, noise_variance: float, documents: int, needed: int, answers: float = 1
) -> int | None:
    """How many answers per document do the work of `needed` documents, answers being averaged.

    Var = (between + noise/k) / n: Miller (2024), on resampling. `variance` is that of one document's difference between
    the runs, with `answers` averaged; `noise_variance` is the part that two runs of one model show with one answer
    each. None where the documents are the limit.
    """
    between = max(variance - noise_variance / answers, 0.0)
    target = variance * documents / needed
    if noise_variance <= 0 or target <= between:
        return None
    return max(2, math.ceil(noise_variance / (target - between) - 1e-9))


def _edge(lost_count: Any, n: int, tolerance: float, level: float, side: Side) -> Floats:
    """For each count lost, the largest count gained below which a regression, or no pass yet, is said; −1 for none."""
    if lost_count.size > 200:
        # The edge is smooth: with thousands of counts a few points and straight lines between them say the same.
        few = np.unique(np.linspace(lost_count[0], lost_count[-1], 25).round())
        edge = np.interp(lost_count, few, _edge(few, n, tolerance, level, side))
        return np.asarray(np.floor(edge + 1e-9))
    low = np.full(lost_count.size, -1.0)
    high = (n - lost_count + 1).astype(float)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        lower, upper = mover_limits(lost_count, np.maximum(middle, 0), n, 1 - level)
        holds = upper < -tolerance if side == "regression" else lower <= -tolerance
        holds = holds | (middle < 0)
        moved = high - low > 1
        low, high = np.where(moved & holds, middle, low), np.where(moved & ~holds, middle, high)
    return low


def _likely_counts(n: int, share: float) -> Any:
    reach = 8 * math.sqrt(n * share * (1 - share)) + 8
    return np.arange(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1)


def _binomial(k: Any, n: int, share: float) -> Floats:
    chosen = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(chosen + xlogy(k, share) + xlog1py(n - k, -share)))
