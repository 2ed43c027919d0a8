"""Ratings from pairwise games by the model of Bradley & Terry (1952), Biometrika 39:324.

P(i beats j) = σ(rᵢ − rⱼ). The ratings maximise Σ wᵢⱼ log σ(rᵢ − rⱼ), where wᵢⱼ is how often i beat j, a tie being half
a win for each. Ford (1957), Am. Math. Monthly 64:28: the maximum is finite exactly when every model can be reached from
every other along wins. A model that never lost to the rest has no rating; it is reported as such.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

__all__ = [
    "PRIOR_VARIANCE",
    "PairwiseFit",
    "bootstrap_ratings",
    "fit_ratings",
    "fit_soft_ratings",
    "simultaneously_better",
]

_STEPS = 100
_CLOSE = 1e-12
_MOVED = 0.5
"""How far a rating may move, in log-odds, with a prior twice as wide. Where games hold it, it moves far less."""
PRIOR_VARIANCE = 25.0
"""Of the slight pull towards the anchor that keeps the steps to a rating finite."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairwiseFit:
    ratings: Floats
    """On the logit scale, the anchor at 0. +inf: never lost to those tied with the anchor; −inf: never won; NaN: not
    connected with the anchor by any game."""
    tied: NDArray[np.bool_]
    """Models whose rating against the anchor is finite."""


def fit_ratings(wins: ArrayLike, anchor: int, start: ArrayLike | None = None) -> PairwiseFit:
    """`wins[i, j]`: weighted wins of i over j. `start`: ratings to begin from, where near ones are known."""
    w = np.asarray(wins, float)
    tied = _strongly_connected(w)[anchor]
    ratings = np.full(len(w), np.nan)
    ratings[tied] = _maximise(w[np.ix_(tied, tied)], _start(start, tied))
    ratings[tied] -= ratings[anchor]
    above, below = _reach(w, tied), _reach(w.T, tied)
    ratings[above & ~tied & ~below] = np.inf
    ratings[below & ~tied & ~above] = -np.inf
    return PairwiseFit(ratings, tied)


def fit_soft_ratings(wins: ArrayLike, anchor: int) -> Floats:
    """Ratings from points that may be negative, as corrections make them: `wins[i, j] + wins[j, i]` is what was played.

    NaN: no finite rating fits. That is so of a model that does not reach the anchor along points above 0, or is not
    reached from it, as in `fit_ratings`; and of one whose points are more than its games in a way that no chain shows.
    """
    w = np.asarray(wins, float)
    ratings = np.full(len(w), np.nan)
    ratings[anchor] = 0.0
    chosen = np.arange(len(w))
    while True:
        tied = _strongly_connected(np.maximum(w[np.ix_(chosen, chosen)], 0.0))[np.flatnonzero(chosen == anchor)[0]]
        chosen = chosen[tied]
        inside, place = w[np.ix_(chosen, chosen)], int(np.flatnonzero(chosen == anchor)[0])
        usual, wider = (_maximise_soft(inside, place, variance) for variance in (PRIOR_VARIANCE, 4 * PRIOR_VARIANCE))
        # Where the prior alone holds a rating, a wider one lets it run further out.
        held = np.abs(wider - usual) <= _MOVED
        if held.all():
            ratings[chosen] = usual
            return ratings
        chosen = chosen[held]


def _maximise_soft(w: Floats, anchor: int, variance: float) -> Floats:
    """Newton's method with a slight pull towards the anchor (a normal prior).

    Where it does not come to an end, the rating that is the furthest out is NaN.
    """
    played, value = w + w.T, np.zeros(len(w))
    free = np.flatnonzero(np.arange(len(w)) != anchor)
    if not free.size:
        return value
    for _ in range(_STEPS):
        chance = _sigmoid(value[:, None] - value[None, :])
        gradient = (w - played * chance).sum(axis=1) - value / variance
        weight = played * chance * (1 - chance)
        hessian = np.diag(weight.sum(axis=1) + 1 / variance) - weight
        step = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        value[free] += step
        if np.abs(step).max() < 1e-9:
            return value
    value[np.abs(value).argmax()] = np.nan
    return value


def bootstrap_ratings(
    pairs: NDArray[np.intp],
    wins: ArrayLike,
    clusters: NDArray[np.intp],
    models: int,
    anchor: int,
    rounds: int,
    seed: int,
) -> Floats:
    """Ratings of `rounds` resamples, as rows. Whole clusters (prompts) are drawn, as games on one hang together.

    `pairs[k]` = (i, j) and `wins[k]` = (points of i, points of j) of game k.
    """
    points = np.asarray(wins, float)
    cells = np.concatenate([pairs[:, 0] * models + pairs[:, 1], pairs[:, 1] * models + pairs[:, 0]])
    rows = np.concatenate([clusters, clusters])
    table = csr_matrix((np.concatenate([points[:, 0], points[:, 1]]), (rows, cells)), (clusters.max() + 1, models**2))
    whole = np.asarray(table.sum(axis=0)).reshape(models, models)
    start = fit_ratings(whole, anchor).ratings
    rng = np.random.default_rng(seed)
    drawn = np.empty((rounds, models))
    for number in range(rounds):
        counts = np.bincount(rng.integers(0, table.shape[0], table.shape[0]), minlength=table.shape[0])
        resampled = np.asarray(table.T @ counts).reshape(models, models)
        drawn[number] = fit_ratings(resampled, anchor, start).ratings
    return drawn


def simultaneously_better(ratings: ArrayLike, drawn: Floats, confidence: float = 0.95) -> NDArray[np.bool_]:
    """better[i, j]: i is above j, as far as the resamples tell, for all j at once at this confidence for each i.

    The bound for each i is the quantile of the largest standardised error of rᵢ − rⱼ over j (Mogstad et al. 2024, who
    build rank intervals from such comparisons). A resample in which a rating is not finite separates nobody.
    """
    values = np.asarray(ratings, float)
    usable = np.isfinite(values)
    finite = drawn[np.isfinite(drawn[:, usable]).all(axis=1)]
    better = np.zeros((len(values), len(values)), dtype=bool)
    if len(finite) < len(drawn) * 0.9:
        return better
    for i in np.flatnonzero(usable):
        others = np.flatnonzero(usable & (np.arange(len(values)) != i))
        gap = values[i] - values[others]
        errors = finite[:, [i]] - finite[:, others] - gap
        spread = errors.std(axis=0, ddof=1)
        known = spread > 0
        if not known.any():
            continue
        largest = np.abs(errors[:, known] / spread[known]).max(axis=1)
        sure = known & (np.abs(gap) > np.quantile(largest, confidence) * spread)
        better[i, others[sure & (gap > 0)]] = True
        better[others[sure & (gap < 0)], i] = True
    return better


def _maximise(w: Floats, start: Floats) -> Floats:
    """Newton's method with halved steps; the first rating stays where it is, since only differences count."""
    ratings = start - start[0]
    games = w + w.T
    value = _likelihood(w, ratings)
    for _ in range(_STEPS if len(w) > 1 else 0):
        chance = _sigmoid(ratings[:, None] - ratings[None, :])
        gradient = (w - games * chance).sum(axis=1)
        weight = games * chance * (1 - chance)
        hessian = np.diag(weight.sum(axis=1)) - weight
        step = np.zeros(len(w))
        step[1:] = np.linalg.solve(hessian[1:, 1:], gradient[1:])
        size = 1.0
        while size > 1e-8 and _likelihood(w, ratings + size * step) < value:
            size /= 2
        ratings = ratings + size * step
        value = _likelihood(w, ratings)
        if np.abs(step).max() < _CLOSE * max(1.0, np.abs(ratings).max()):
            break
    return np.asarray(ratings, float)


def _likelihood(w: Floats, ratings: Floats) -> float:
    return float(-(w * np.logaddexp(0.0, ratings[None, :] - ratings[:, None])).sum())


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), float)


def _start(start: ArrayLike | None, tied: NDArray[np.bool_]) -> Floats:
    if start is None:
        return np.zeros(int(tied.sum()))
    values = np.asarray(start, float)[tied]
    return np.asarray(np.where(np.isfinite(values), values, 0.0), float)


def _strongly_connected(w: Floats) -> NDArray[np.bool_]:
    """same[i, j]: i and j reach each other along wins."""
    _, label = connected_components(csr_matrix((w > 0).astype(float)), directed=True, connection="strong")
    return np.asarray(label[:, None] == label[None, :])


def _reach(w: Floats, tied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Models that reach one of `tied` along wins: above it or tied with it."""
    reached = tied.copy()
    while True:
        more = reached | (w[:, reached] > 0).any(axis=1)
        if (more == reached).all():
            return reached
        reached = more
