"""Bradley–Terry ratings at equal length: one more coefficient takes up what the length of the answers explains.

P(i beats j) = σ(rᵢ − rⱼ + γx), with x = (length i − length j) / (length i + length j), as LMArena's style control has
it (Li, Angelopoulos & Chiang 2024). With x = 0 what is left is the difference at equal length; compare Dubois et al.
(2024), "Length-Controlled AlpacaEval", arXiv:2404.04475.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.stats.bradley_terry import fit_ratings

__all__ = ["ControlledFit", "fit_controlled"]

Floats = NDArray[np.float64]
_STEPS = 100
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class ControlledFit:
    ratings: Floats
    """As in `PairwiseFit`: +inf, −inf and NaN where no finite rating fits."""
    effect: float
    """γ: log-odds gained by an answer that is infinitely longer. NaN where all answers have the same length."""


def fit_controlled(
    pairs: NDArray[np.intp],
    points: ArrayLike,
    lengths: ArrayLike,
    anchor: int,
    models: int,
    start: ArrayLike | None = None,
) -> ControlledFit:
    """`pairs[k]` = (i, j), `points[k]` = (points of i, points of j), `lengths[k]` = (length of i's answer, of j's)."""
    won, size = np.asarray(points, float), np.asarray(lengths, float)
    table = np.zeros((models, models))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), won[:, 0])
    np.add.at(table, (pairs[:, 1], pairs[:, 0]), won[:, 1])
    plain = fit_ratings(table, anchor)
    ratings = plain.ratings.copy()
    kept = plain.tied[pairs].all(axis=1) & (won.sum(axis=1) > 0)
    total = size.sum(axis=1)
    x = np.divide(size[:, 0] - size[:, 1], total, out=np.zeros(len(total)), where=total > 0)[kept]
    if x.size == 0 or np.ptp(x) == 0 or plain.tied.sum() < 2:
        return ControlledFit(ratings, float("nan"))
    tied = np.flatnonzero(plain.tied)
    place = np.zeros(models, dtype=np.intp)
    place[tied] = np.arange(tied.size)
    first = ratings[tied] if start is None else np.asarray(start, float)[tied]
    begin = np.append(np.where(np.isfinite(first), first, ratings[tied]), 0.0)
    estimates = _maximise(place[pairs[kept]], won[kept], x, int(place[anchor]), begin)
    ratings[tied] = estimates[:-1]
    return ControlledFit(ratings, float(estimates[-1]))


def _maximise(pairs: NDArray[np.intp], won: Floats, x: Floats, anchor: int, start: Floats) -> Floats:
    """Newton's method over the ratings without the anchor's, and the effect. A slight pull keeps the effect finite."""
    size = start.size
    free = np.flatnonzero(np.arange(size) != anchor)
    games = won.sum(axis=1)
    i, j = pairs[:, 0], pairs[:, 1]
    value = start.copy()
    value[:-1] -= value[anchor]
    best = _likelihood(won, _gaps(value, i, j, x)) - _pull(value)
    for _ in range(_STEPS):
        chance = 0.5 * (1 + np.tanh(_gaps(value, i, j, x) / 2))
        rest, curve = won[:, 0] - games * chance, games * chance * (1 - chance)
        gradient = np.zeros(size)
        gradient[:-1] = np.bincount(i, rest, size - 1) - np.bincount(j, rest, size - 1)
        gradient[-1] = rest @ x - _PULL * value[-1]
        hessian = np.zeros((size, size))
        cells = np.bincount(i * (size - 1) + j, curve, (size - 1) ** 2).reshape(size - 1, size - 1)
        cells = cells + cells.T
        hessian[:-1, :-1] = np.diag(cells.sum(axis=1)) - cells
        mixed = np.bincount(i, curve * x, size - 1) - np.bincount(j, curve * x, size - 1)
        hessian[:-1, -1] = hessian[-1, :-1] = mixed
        hessian[-1, -1] = curve @ x**2 + _PULL
        step = np.zeros(size)
        step[free] = np.linalg.lstsq(hessian[np.ix_(free, free)], gradient[free], rcond=None)[0]
        scale = 1.0
        while scale > 1e-8:
            there = value + scale * step
            now = _likelihood(won, _gaps(there, i, j, x)) - _pull(there)
            if now >= best - 1e-12 * abs(best):
                break
            scale /= 2
        value, best = value + scale * step, now
        if np.abs(step).max() < _CLOSE * max(1.0, np.abs(value).max()):
            break
    return value


_PULL = 1e-3
"""A normal prior of variance 1,000 on the effect: without one, lengths that tell the winners apart have no maximum."""


def _pull(value: Floats) -> float:
    return float(_PULL * value[-1] ** 2 / 2)


def _gaps(value: Floats, i: NDArray[np.intp], j: NDArray[np.intp], x: Floats) -> Floats:
    return np.asarray(value[i] - value[j] + value[-1] * x)


def _likelihood(won: Floats, gaps: Floats) -> float:
    return float(-(won[:, 0] @ np.logaddexp(0.0, -gaps) + won[:, 1] @ np.logaddexp(0.0, gaps)))
