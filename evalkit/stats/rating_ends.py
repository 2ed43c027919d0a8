"""Ends of intervals of corrected ratings, found where the score equation itself comes to its limit.

Far from the anchor a rating that luck puts too low has a standard error that is too small, as its games then seem to
tell more, and "rating ± standard errors" misses on one side. The score (points less expected points) has no such fault:
its error hardly depends on the rating. So an end is the rating at which the profile score over its standard error is
the quantile (Cox & Hinkley 1974, "Theoretical Statistics", section 9.3). No end is further out than one and a half
times the plain one: beyond that, the score may never come to the quantile at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["RatingEquation", "degrees_of_freedom"]

Floats = NDArray[np.float64]

_STEPS = 30
_FURTHEST = 1.5
_CLOSE = 1e-3
"""Of a logit: a sixth of a point of 400 a factor of ten."""


def degrees_of_freedom(shares: Floats, labelled: int) -> Floats:
    """Of the variance Σ shares² of each column, by how few rows it rests on (Satterthwaite 1946, Biometrics 2:110).

    Where the judge and people differ in a handful of labelled games, these alone make up the variance.
    """
    variance, fourth = (shares**2).sum(axis=0), (shares**4).sum(axis=0)
    spread = fourth - variance**2 / len(shares)
    freedom = np.full(shares.shape[1], float(labelled - 1))
    known = spread > 0
    freedom[known] = 2 * variance[known] ** 2 / spread[known]
    return np.clip(freedom, 1.0, max(labelled - 1, 1))


@dataclass(frozen=True, slots=True)
class RatingEquation:
    """The score equation of ratings. `points[i, j]`: what i got against j; `free`: the ratings that are unknown."""

    points: Floats
    free: NDArray[np.intp]
    errors: Floats
    """The covariance of the free ratings' scores."""
    prior_variance: float

    def end(self, ratings: Floats, rated: int, reach: float, quantile: float, side: int) -> float:
        """The end of one rating's interval: above it (`side` 1) or below it (−1). `reach`: of the plain interval."""
        start, furthest = float(ratings[rated]), float(ratings[rated]) + side * _FURTHEST * reach
        _, information, variance = self._profile(ratings, rated, start)

        def beyond(value: float) -> float:
            score, told, _ = self._profile(ratings, rated, value)
            # Where games tell more, people's results scatter more and the judge's errors do not: the middle of both.
            return side * score + quantile * float(np.sqrt(variance * np.sqrt(max(told / information, 1.0))))

        if not reach or beyond(furthest) >= 0:
            return furthest
        return float(brentq(beyond, start, furthest, xtol=_CLOSE))

    def _profile(self, ratings: Floats, rated: int, value: float) -> tuple[float, float, float]:
        """The score of one rating at a value, the others at their best; its information, and its variance."""
        at = ratings.copy()
        at[rated] = value
        others = self.free[self.free != rated]
        played = self.points + self.points.T
        for _ in range(_STEPS):
            chance = 0.5 * (1 + np.tanh((at[:, None] - at[None, :]) / 2))
            score = (self.points - played * chance).sum(axis=1) - at / self.prior_variance
            told = played * chance * (1 - chance)
            information = np.diag(told.sum(axis=1) + 1 / self.prior_variance) - told
            if not others.size:
                break
            inside = information[np.ix_(others, others)]
            step = np.linalg.solve(inside, score[others])
            furthest = float(np.abs(step).max())
            if furthest < _CLOSE:
                break
            at[others] += step * min(1.0, 2.0 / furthest)
        share, own = (self.free == rated).astype(float), float(information[rated, rated])
        if others.size:
            moved = np.linalg.solve(inside, information[others, rated])
            share[self.free != rated] = -moved
            own -= float(information[rated, others] @ moved)
        return float(score[rated]), own, float(share @ self.errors @ share)
