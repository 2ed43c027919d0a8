"""Ratings of the games so far, how precise their differences are, and how precise a full design would make them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from evalkit.stats.bradley_terry import fit_ratings

__all__ = ["Precision", "precision_of"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

_PRIOR = 0.5
_STEPS = 40
"""Steps in which the games of a round are shared out."""


@dataclass(frozen=True, slots=True)
class Precision:
    ratings: Floats
    spread: Floats
    """Standard errors of all differences; infinite where no chain of wins ties the two models."""
    information: Floats
    """Fisher information of the ratings."""
    dependence: float
    """Covariance of a model's results in two games on one prompt, beyond what the ratings explain."""

    def best_games(
        self, unsure: Sequence[tuple[int, int]], left: Mapping[tuple[int, int], int], games: int
    ) -> dict[tuple[int, int], int]:
        """How many of so many games to play of each pair, so that the differences `unsure` become most precise.

        In steps: each takes the pair whose games remove the largest share of the variances of all of them together.
        A pair has `left` games at most.
        """
        pairs = sorted(pair for pair, count in left.items() if count > 0)
        if not pairs:
            return {}
        first, second = np.array(pairs, np.intp).T
        room = np.array([left[pair] for pair in pairs])
        chance = 1 / (1 + np.exp(self.ratings[second] - self.ratings[first]))
        weight = chance * (1 - chance)
        contrasts = np.zeros((len(unsure), len(self.ratings)))
        for number, (a, b) in enumerate(unsure):
            contrasts[number, a], contrasts[number, b] = 1.0, -1.0
        # Models that no game ties yet differ by anything: their variance is large, and not infinite.
        inverse = np.linalg.inv(self.information + 1e-6 * np.eye(len(self.ratings)))
        wanted = dict.fromkeys(pairs, 0)
        step = max(math.ceil(games / _STEPS), 1)
        while games > 0 and (room > 0).any():
            seen = inverse @ contrasts.T
            variances = np.maximum(np.einsum("kr,rk->k", contrasts, seen), 1e-12)
            moved = ((seen[first] - seen[second]) ** 2 / variances).sum(axis=1)
            own = np.diag(inverse)[first] + np.diag(inverse)[second] - 2 * inverse[first, second]
            best = int(np.argmax(np.where(room > 0, weight * moved / (1 + step * weight * own), -1.0)))
            count = min(step, int(room[best]), games)
            change = inverse[:, first[best]] - inverse[:, second[best]]
            inverse -= count * weight[best] * np.outer(change, change) / (1 + count * weight[best] * own[best])
            wanted[pairs[best]] += count
            room[best] -= count
            games -= count
        return {pair: count for pair, count in wanted.items() if count}

    def full_error(self, a: int, b: int, prompts: int) -> float:
        """The standard error of a difference that a full design of so many prompts would have.

        Each of K models plays K − 1 games on a prompt. They carry K/2 times the information of the pair's own
        game, less what they share: an answer that is good or bad against every opponent.
        """
        models = len(self.ratings)
        chance = 1 / (1 + math.exp(-abs(self.ratings[a] - self.ratings[b])))
        weight = max(chance * (1 - chance), 1e-9)
        return math.sqrt((1 + models * self.dependence / weight) / max(prompts * models / 2 * weight, 1e-9))

    def chance_of_separating(self, a: int, b: int, prompts: int, limit: float) -> float:
        """How likely the difference is `limit` standard errors from 0 in the end, by what is seen now."""
        error = self.full_error(a, b, prompts)
        gap = abs(self.ratings[a] - self.ratings[b])
        # What the games left may still move the estimate by.
        open_part = math.sqrt(max(self.spread[a, b] ** 2 - error**2, 1e-18))
        return float(ndtr((gap - limit * error) / open_part) + ndtr((-gap - limit * error) / open_part))


def precision_of(first: Numbers, second: Numbers, prompts: Numbers, points: Floats, models: int) -> Precision:
    """Ratings with half a game of each result added to every pair that met, and the errors of their differences.

    `points` are those of the first model. The error is the larger of the one that the model expects and the one that
    the prompts show (games on a prompt hang together): the second is far too small where one model wins every game.
    """
    wins = np.zeros((models, models))
    np.add.at(wins, (first, second), points)
    np.add.at(wins, (second, first), 1 - points)
    met = (wins + wins.T) > 0
    wins = wins + _PRIOR * met
    fit = fit_ratings(wins, 0)
    ratings = np.nan_to_num(fit.ratings, nan=0.0, posinf=0.0, neginf=0.0)
    chance = 0.5 * (1 + np.tanh((ratings[:, None] - ratings[None, :]) / 2))
    weight = (wins + wins.T) * chance * (1 - chance)
    information = np.diag(weight.sum(axis=1)) - weight
    inverse = np.asarray(np.linalg.pinv(information), float)
    rest = points - chance[first, second]
    count = int(prompts.max()) + 1 if prompts.size else 0
    residuals, games = np.zeros((2, count, models))
    np.add.at(residuals, (prompts, first), rest)
    np.add.at(residuals, (prompts, second), -rest)
    np.add.at(games, (prompts, first), 1)
    np.add.at(games, (prompts, second), 1)
    clusters = max(count, 2)
    robust = np.asarray(inverse @ (residuals.T @ residuals) @ inverse * clusters / (clusters - 1), float)
    spread = np.sqrt(np.maximum(_of_differences(inverse), _of_differences(robust)))
    spread[~fit.tied[:, None] | ~fit.tied[None, :]] = np.inf
    shared = float((residuals**2).sum() - 2 * (rest**2).sum())
    return Precision(ratings, spread, information, max(shared / max(float((games**2 - games).sum()), 1.0), 0.0))


def _of_differences(covariance: Floats) -> Floats:
    """The variance of each difference."""
    own = np.diag(covariance)
    return np.asarray(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0))
