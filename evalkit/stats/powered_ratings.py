"""Ratings that people's results would give, from a judge's results of all games and people's of some.

Prediction-powered inference (Angelopoulos, Duchi & Zrnic 2023, "PPI++", arXiv:2311.01453) for Bradley–Terry: the points
of every game as the judge gives them, plus what people gave more or less in the labelled games, raised to all of them.
The labelled games have to be drawn at random. Errors are the sandwich's over whole prompts, as games on one prompt hang
together, and quantiles are Student's with the degrees of freedom of that variance; `evalkit.stats.rating_ends` has the
intervals' ends, and `bench/judge_error.py` how often they hold the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evalkit.stats.bradley_terry import PRIOR_VARIANCE, fit_ratings, fit_soft_ratings
from evalkit.stats.rating_ends import RatingEquation, degrees_of_freedom

__all__ = ["PoweredRatings", "powered_ratings"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PoweredRatings:
    ratings: Floats
    """On the logit scale, the anchor at 0. NaN: no finite rating fits."""
    covariance: Floats
    labelled: int
    """Prompts with a labelled game."""
    power: float
    """λ: how far the judge is used."""

    freedom: Floats
    """Degrees of freedom of each variance."""
    _equation: RatingEquation = field(repr=False)

    def interval(self, alpha: float) -> tuple[Floats, Floats]:
        """The lower and the upper end of each rating's interval at the confidence 1 − alpha."""
        quantile = -stdtrit(self.freedom, alpha / 2)
        reach = quantile * np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        ratings = np.where(np.isfinite(self.ratings), self.ratings, 0.0)
        low, high = self.ratings - reach, self.ratings + reach
        for ends, side in ((low, -1), (high, 1)):
            for k in self._equation.free:
                ends[k] = self._equation.end(ratings, int(k), float(reach[k]), float(quantile[k]), side)
        return low, high

    def draws(self, rounds: int, seed: int) -> Floats:
        """Ratings drawn from the estimate's distribution (a multivariate t), as rows."""
        values, vectors = np.linalg.eigh(self.covariance)
        rng = np.random.default_rng(seed)
        normal = rng.normal(size=(rounds, len(values))) * np.sqrt(np.maximum(values, 0.0))
        freedom = float(self.freedom.min())
        spread = np.sqrt(freedom / rng.chisquare(freedom, size=(rounds, 1)))
        return np.asarray(self.ratings + normal @ vectors.T * spread)


def powered_ratings(
    pairs: NDArray[np.intp],
    judge: Floats,
    people: Floats,
    prompts: NDArray[np.intp],
    *,
    anchor: int,
    models: int,
    weights: Floats | None = None,
) -> PoweredRatings:
    """`pairs[k]` = (i, j) of game k; `judge` and `people`: the points of i, people's NaN where nobody labelled it.

    At least two prompts have to have a labelled game.
    """
    times = np.ones(len(pairs)) if weights is None else weights
    labelled = np.isfinite(people)
    n, rest = int(labelled.sum()), int((~labelled).sum())
    power = _power(judge[labelled], people[labelled], n, rest)
    points = power * judge + (1 - power) * 0.5
    beyond = np.where(labelled, np.nan_to_num(people) - points, 0.0)
    raised = points + (n + rest) / max(n, 1) * beyond
    table = np.zeros((models, models))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), raised * times)
    np.add.at(table, (pairs[:, 1], pairs[:, 0]), (1 - raised) * times)
    # λ below 1 gives the loser of every game a share of it, and a model that nobody saw lose would have lost some.
    seen = np.zeros((models, models))
    for given in (judge, np.where(labelled, people, judge)):
        np.add.at(seen, (pairs[:, 0], pairs[:, 1]), given)
        np.add.at(seen, (pairs[:, 1], pairs[:, 0]), 1 - given)
    tied = fit_ratings(seen, anchor).tied
    ratings = fit_soft_ratings(table * np.outer(tied, tied), anchor)

    # Games with a model that has no rating tell nothing of the others.
    rated = np.isfinite(ratings)
    times = np.where(rated[pairs].all(axis=1), times, 0.0)
    finite = np.where(rated, ratings, 0.0)
    chance = 0.5 * (1 + np.tanh((finite[pairs[:, 0]] - finite[pairs[:, 1]]) / 2))
    signs = np.zeros((len(pairs), models))
    rows = np.arange(len(pairs))
    signs[rows, pairs[:, 0]] += 1
    signs[rows, pairs[:, 1]] -= 1
    design = signs * times[:, None]
    # What each game adds to the score equation. The labelled ones' share is a mean over them, and so is centred.
    moved = design * beyond[:, None]
    correction = (moved - labelled[:, None] * moved.sum(axis=0) / max(n, 1)) * ((n + rest) / max(n, 1))
    added = design * (points - chance)[:, None] + correction
    sums = np.zeros((int(prompts.max()) + 1, models))
    np.add.at(sums, prompts, added)
    sums -= sums.mean(axis=0)
    clusters = len(np.unique(prompts[labelled]))
    if clusters < 2:
        raise ValueError("labels of two prompts at least")

    free = np.flatnonzero(rated & (np.arange(models) != anchor))
    covariance = np.zeros((models, models))
    freedom = np.full(models, float(clusters - 1))
    errors = clusters / (clusters - 1) * sums[:, free].T @ sums[:, free]
    if free.size:
        weighted = design[:, free] * (chance * (1 - chance))[:, None]
        information = signs[:, free].T @ weighted + np.eye(free.size) / PRIOR_VARIANCE
        inverse = np.linalg.inv(information)
        covariance[np.ix_(free, free)] = inverse @ errors @ inverse
        freedom[free] = degrees_of_freedom(sums[:, free] @ inverse, clusters)
    equation = RatingEquation(table * np.outer(rated, rated), free, errors, PRIOR_VARIANCE)
    return PoweredRatings(ratings, covariance, clusters, power, freedom, equation)


def _power(judge: Floats, people: Floats, n: int, rest: int) -> float:
    if n < 2 or rest < 1:
        return 0.0
    spread = float(np.var(judge))
    if spread == 0:
        return 0.0
    together = float(np.mean((judge - judge.mean()) * (people - people.mean())))
    return float(min(max(together / ((1 + n / rest) * spread), 0.0), 1.0))
