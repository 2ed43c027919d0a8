"""Ratings from pairwise games with draws by the model of Davidson (1970), J. Am. Stat. Assoc. 65:317.

P(i beats j) : P(draw) : P(j beats i) = exp(d/2) : ν : exp(−d/2), with d = rᵢ − rⱼ. The ratings and ν maximise the
likelihood of wins, losses and draws. As with Bradley & Terry's model, ratings are finite among models that reach each
other along wins and draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from evalkit.stats.bradley_terry import fit_ratings

__all__ = ["DavidsonFit", "bootstrap_davidson", "fit_davidson"]

_STEPS = 200
_CLOSE = 1e-11

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DavidsonFit:
    ratings: Floats
    """As in `PairwiseFit`: +inf, −inf and NaN where no finite rating fits."""
    draws: float
    """ν: how likely draws are. 0 where there is none."""


def fit_davidson(wins: ArrayLike, draws: ArrayLike, anchor: int, start: ArrayLike | None = None) -> DavidsonFit:
    """`wins[i, j]`: weighted wins of i over j. `draws[i, j]`: weighted draws of both, the same as `draws[j, i]`."""
    w, t = np.asarray(wins, float), np.asarray(draws, float)
    halves = fit_ratings(w + t / 2, anchor, start)
    if not t.any():
        return DavidsonFit(halves.ratings, 0.0)
    tied = np.flatnonzero(halves.tied)
    ratings = halves.ratings.copy()
    inside = np.ix_(tied, tied)
    fitted, nu = _maximise(w[inside], t[inside], ratings[tied], int(np.flatnonzero(tied == anchor)[0]))
    ratings[tied] = fitted
    return DavidsonFit(ratings, nu)


def _maximise(w: Floats, t: Floats, ratings: Floats, anchor: int) -> tuple[Floats, float]:
    """Newton's method over the ratings without the anchor's, and log ν."""
    n = w + w.T + t
    drawn = float(t.sum()) / 2
    if len(w) < 2 or drawn == 0:
        return ratings, 0.0
    log_nu = float(np.log(max(drawn / max(float(n.sum()) / 2 - drawn, 0.5), 1e-3) * 2))
    free = np.append(np.flatnonzero(np.arange(len(w)) != anchor), len(w))
    x = np.append(ratings - ratings[anchor], log_nu)
    value = _likelihood(w, t, x)
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(w, t, n, x)
        step = np.zeros(len(x))
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        size = 1.0
        while size > 1e-8 and _likelihood(w, t, x + size * step) < value - 1e-12 * abs(value):
            size /= 2
        x = x + size * step
        value = _likelihood(w, t, x)
        if np.abs(step).max() < _CLOSE * max(1.0, np.abs(x).max()):
            break
    return x[:-1], float(np.exp(x[-1]))


def _shares(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The logarithm of the sum, and the chances that i wins, that j wins, and of a draw."""
    half = (x[:-1, None] - x[None, :-1]) / 2
    whole = np.logaddexp(np.logaddexp(half, -half), x[-1])
    return whole, np.exp(half - whole), np.exp(-half - whole), np.exp(x[-1] - whole)


def _likelihood(w: Floats, t: Floats, x: Floats) -> float:
    half = (x[:-1, None] - x[None, :-1]) / 2
    whole = np.logaddexp(np.logaddexp(half, -half), x[-1])
    return float((w * (half - whole)).sum() + (t * (x[-1] - whole)).sum() / 2)


def _derivatives(w: Floats, t: Floats, n: Floats, x: Floats) -> tuple[Floats, Floats]:
    """The gradient, and the negative of the second derivatives."""
    _, win, lose, draw = _shares(x)
    ahead = win - lose
    by_gap = (w - w.T - n * ahead) / 2
    gradient = np.append(by_gap.sum(axis=1), (t - n * draw).sum() / 2)
    curve = n * (win + lose - ahead**2) / 4
    mixed = -(n * ahead * draw / 2).sum(axis=1)
    hessian = np.zeros((len(x), len(x)))
    hessian[:-1, :-1] = np.diag(curve.sum(axis=1)) - curve
    hessian[:-1, -1] = hessian[-1, :-1] = mixed
    hessian[-1, -1] = (n * draw * (1 - draw)).sum() / 2
    return gradient, hessian


def bootstrap_davidson(
    pairs: NDArray[np.intp],
    wins: ArrayLike,
    draws: ArrayLike,
    clusters: NDArray[np.intp],
    models: int,
    anchor: int,
    rounds: int,
    seed: int,
) -> Floats:
    """Ratings of `rounds` resamples of whole clusters, as rows. `draws[k]`: the weight of game k where it was drawn."""
    won, drawn = np.asarray(wins, float), np.asarray(draws, float)
    ahead, back = pairs[:, 0] * models + pairs[:, 1], pairs[:, 1] * models + pairs[:, 0]
    cells, rows = np.concatenate([ahead, back]), np.concatenate([clusters, clusters])
    shape = (int(clusters.max()) + 1, models**2)
    tables = [
        csr_matrix((np.concatenate(values), (rows, cells)), shape)
        for values in ((won[:, 0], won[:, 1]), (drawn, drawn))
    ]
    whole = [np.asarray(table.sum(axis=0)).reshape(models, models) for table in tables]
    start = fit_davidson(whole[0], whole[1], anchor).ratings
    rng = np.random.default_rng(seed)
    ratings = np.empty((rounds, models))
    for number in range(rounds):
        counts = np.bincount(rng.integers(0, shape[0], shape[0]), minlength=shape[0])
        w, t = (np.asarray(table.T @ counts).reshape(models, models) for table in tables)
        ratings[number] = fit_davidson(w, t, anchor, start).ratings
    return ratings
