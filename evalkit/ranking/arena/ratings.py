"""Computes ratings, rank intervals and win rates of models from their games."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import UsageError, nearest
from evalkit.ranking.arena.games import Game
from evalkit.stats import Rank, rank_intervals
from evalkit.stats.bradley_terry import bootstrap_ratings, fit_ratings, simultaneously_better

__all__ = ["SCALES", "Arena", "Standing", "rate_games"]

SCALES = {"elo": (400 / math.log(10), 1000.0), "logit": (1.0, 0.0)}
"""For each scale: the points for one unit of log-odds, and the rating of the anchor."""

_ROUNDS = 1000
_POINTS = {"model_a": (1.0, 0.0), "model_b": (0.0, 1.0), "tie": (0.5, 0.5)}


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's rating and rank. If the rating or the interval is missing, `reason` says why."""

    model: str
    games: int
    score: float | None
    """Share of points in all its games against others; a tie is half a point. None if it only played itself."""
    rating: float | None = None
    ci95: tuple[float, float] | None = None
    rank: int | None = None
    rank_low: int | None = None
    """The best rank that the games allow at 95%."""
    rank_high: int | None = None
    win_rate: float | None = None
    """Share of points against the anchor that the ratings predict."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Arena:
    """The ratings of all models."""

    standings: tuple[Standing, ...]
    """The models, best first; those without a rating last, by name."""
    anchor: str
    scale: str
    questions: int
    unseparated: tuple[tuple[str, str], ...]
    """Pairs of neighbours in rank whose order the games do not settle."""
    scores: dict[tuple[str, str], float]
    """(i, j): share of points of i in its games against j."""


def rate_games(
    games: Sequence[Game], anchor: str | None = None, scale: str = "elo", rounds: int = _ROUNDS, seed: int = 0
) -> Arena:
    """Fit Bradley–Terry ratings by maximum likelihood, with intervals from a bootstrap over questions."""
    if scale not in SCALES:
        raise UsageError(f"--scale {scale}: one of {', '.join(SCALES)}{nearest(scale, SCALES)}")
    played = Counter(name for game in games for name in {game.model_a, game.model_b})
    # The default is the model with most games: if all played against one baseline, this is the baseline.
    anchor = anchor or min(played, key=lambda name: (-played[name], name))
    if anchor not in played:
        hint = nearest(anchor, played) or f"; the models are {', '.join(sorted(played)[:20])}"
        raise UsageError(f"--anchor {anchor}: plays in no game{hint}")
    names = sorted(played)
    place = {name: number for number, name in enumerate(names)}
    questions = {question: number for number, question in enumerate(dict.fromkeys(game.question for game in games))}
    # A game of a model against itself has no weight, but its question is part of the resampling.
    pairs = np.array([(place[game.model_a], place[game.model_b]) for game in games], dtype=np.intp)
    differ = (pairs[:, 0] != pairs[:, 1])[:, None]
    points = np.array([np.multiply(_POINTS[game.winner], game.weight) for game in games]) * differ
    clusters = np.array([questions[game.question] for game in games], dtype=np.intp)
    wins = np.zeros((len(names), len(names)))
    np.add.at(wins, (pairs[:, 0], pairs[:, 1]), points[:, 0])
    np.add.at(wins, (pairs[:, 1], pairs[:, 0]), points[:, 1])

    ratings = fit_ratings(wins, place[anchor]).ratings
    drawn = bootstrap_ratings(
        pairs, points, clusters, models=len(names), anchor=place[anchor], rounds=rounds, seed=seed
    )
    better = simultaneously_better(ratings, drawn)
    rated = sorted((name for name in names if np.isfinite(ratings[place[name]])), key=lambda n: -ratings[place[n]])
    chosen = [place[name] for name in rated]
    ranks = dict(zip(rated, rank_intervals(better[np.ix_(chosen, chosen)]), strict=True))
    without = [name for name in names if name not in ranks]
    standings = tuple(
        _standing(
            name,
            played[name],
            _share(wins[place[name]].sum(), wins[:, place[name]].sum()),
            float(ratings[place[name]]),
            drawn[:, place[name]],
            (number, ranks[name]) if name in ranks else None,
            (anchor, scale),
        )
        for number, name in enumerate([*rated, *without], 1)
    )
    met = np.argwhere(wins + wins.T > 0)
    scores = {(names[i], names[j]): float(wins[i, j] / (wins[i, j] + wins[j, i])) for i, j in met}
    unseparated = tuple((a, b) for a, b in pairwise(rated) if not better[place[a], place[b]])
    return Arena(standings, anchor, scale, len(questions), unseparated, scores)


def _standing(
    name: str,
    games: int,
    score: float | None,
    rating: float,
    drawn: NDArray[np.float64],
    rank: tuple[int, Rank] | None,
    measure: tuple[str, str],
) -> Standing:
    anchor, scale = measure
    if rank is None:
        return Standing(name, games, score, reason=_why_unrated(rating, anchor))
    unit, zero = SCALES[scale]
    # The bounds are NaN if a resample has no rating for the model.
    low, high = (float(bound) for bound in np.quantile(drawn, [0.025, 0.975], method="nearest"))
    sure = bool(np.isfinite([low, high]).all())
    return Standing(
        name,
        games,
        score,
        rating=zero + unit * rating,
        ci95=(zero + unit * low, zero + unit * high) if sure else None,
        rank=rank[0],
        rank_low=rank[1].low,
        rank_high=rank[1].high,
        win_rate=float(1 / (1 + np.exp(-rating))),
        reason=None if sure else "wins or loses every game in too many resamples for an interval",
    )


def _share(won: float, lost: float) -> float | None:
    return float(won / (won + lost)) if won + lost > 0 else None


def _why_unrated(rating: float, anchor: str) -> str:
    if rating == np.inf:
        return f"never lost to {anchor} and the models tied with it: no finite rating fits"
    if rating == -np.inf:
        return f"never won against {anchor} and the models tied with it: no finite rating fits"
    return f"no chain of games connects it with {anchor}"
