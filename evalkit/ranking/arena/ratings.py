"""Computes ratings, rank intervals and win rates of models from their games."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import UsageError, nearest
from evalkit.ranking.arena.games import Game
from evalkit.stats import Rank, rank_intervals
from evalkit.stats.bradley_terry import bootstrap_ratings, fit_ratings, simultaneously_better
from evalkit.stats.controlled import fit_controlled
from evalkit.stats.davidson import bootstrap_davidson, fit_davidson

__all__ = ["SCALES", "TIES", "Arena", "Standing", "rate_games"]

TIES = ("half", "davidson")

SCALES = {"elo": (400 / math.log(10), 1000.0), "logit": (1.0, 0.0)}
"""For each scale: the points for one unit of log-odds, and the rating of the anchor."""

_ROUNDS = 1000
_ROUNDS_OF_LENGTH = 200
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
    equal_length: float | None = None
    """The rating with the effect of the answers' lengths taken out. None where games do not say lengths."""
    equal_length_ci95: tuple[float, float] | None = None


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
    ties: str = "half"
    draws: float | None = None
    """ν of Davidson's model. None where a tie counts as half a win."""
    length_effect: float | None = None
    """Log-odds that a far longer answer gains. None where games do not say lengths."""
    notes: tuple[str, ...] = ()


def rate_games(
    games: Sequence[Game],
    anchor: str | None = None,
    scale: str = "elo",
    rounds: int = _ROUNDS,
    seed: int = 0,
    ties: str = "half",
    settled: Collection[tuple[str, str]] | None = None,
) -> Arena:
    """Fit ratings by maximum likelihood, with intervals from a bootstrap over questions.

    `ties`: half a win for each, or a model of its own (`davidson`). `settled`: pairs of which the first is surely above
    the second, as an arena that looked at its games while they were played knows; else the resamples decide.
    """
    if scale not in SCALES:
        raise UsageError(f"--scale {scale}: one of {', '.join(SCALES)}{nearest(scale, SCALES)}")
    if ties not in TIES:
        raise UsageError(f"--ties {ties}: one of {', '.join(TIES)}{nearest(ties, TIES)}")
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

    sizes = [game.lengths for game in games]
    table = _Table(pairs, points, clusters, len(names), place[anchor], rounds, seed)
    nu = None
    if ties == "davidson":
        tied = np.array([game.winner == "tie" for game in games]) * differ[:, 0]
        ratings, drawn, nu = table.davidson(tied * points.sum(axis=1), points * (1 - tied)[:, None])
    else:
        ratings, drawn = table.halves(wins)
    lengths = np.array([size for size in sizes if size is not None], float) if all(sizes) else None
    equal = None if lengths is None else table.controlled(lengths)
    better = simultaneously_better(ratings, drawn)
    if settled is not None:
        better = np.zeros_like(better)
        for above, below in settled:
            better[place[above], place[below]] = True
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
            None if equal is None else (float(equal[0][place[name]]), equal[1][:, place[name]]),
        )
        for number, name in enumerate([*rated, *without], 1)
    )
    met = np.argwhere(wins + wins.T > 0)
    scores = {(names[i], names[j]): float(wins[i, j] / (wins[i, j] + wins[j, i])) for i, j in met}
    unseparated = tuple((a, b) for a, b in pairwise(rated) if not better[place[a], place[b]])
    effect = None if equal is None or not np.isfinite(equal[2]) else equal[2]
    return Arena(standings, anchor, scale, len(questions), unseparated, scores, ties, nu, effect)


@dataclass(frozen=True, slots=True)
class _Table:
    """The games as numbers, ready to be fitted and resampled."""

    pairs: NDArray[np.intp]
    points: NDArray[np.float64]
    clusters: NDArray[np.intp]
    models: int
    anchor: int
    rounds: int
    seed: int

    def halves(self, wins: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        drawn = bootstrap_ratings(
            self.pairs, self.points, self.clusters, self.models, self.anchor, self.rounds, self.seed
        )
        return fit_ratings(wins, self.anchor).ratings, drawn

    def davidson(
        self, draws: NDArray[np.float64], wins: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Ratings, those of the resamples, and ν."""
        w, t = np.zeros((2, self.models, self.models))
        ahead, back = (self.pairs[:, 0], self.pairs[:, 1]), (self.pairs[:, 1], self.pairs[:, 0])
        for cells, won in ((ahead, wins[:, 0]), (back, wins[:, 1])):
            np.add.at(w, cells, won)
            np.add.at(t, cells, draws)
        fit = fit_davidson(w, t, self.anchor)
        drawn = bootstrap_davidson(
            self.pairs, wins, draws, self.clusters, self.models, self.anchor, self.rounds, self.seed
        )
        return fit.ratings, drawn, fit.draws

    def controlled(self, lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Ratings at equal length, those of fewer resamples, and the effect."""
        fit = fit_controlled(self.pairs, self.points, lengths, self.anchor, self.models)
        rng = np.random.default_rng(self.seed)
        count = int(self.clusters.max()) + 1
        drawn = np.empty((min(self.rounds, _ROUNDS_OF_LENGTH), self.models))
        for number in range(len(drawn)):
            times = np.bincount(rng.integers(0, count, count), minlength=count)[self.clusters]
            drawn[number] = fit_controlled(
                self.pairs, self.points * times[:, None], lengths, self.anchor, self.models, fit.ratings
            ).ratings
        return fit.ratings, drawn, fit.effect


def _standing(
    name: str,
    games: int,
    score: float | None,
    rating: float,
    drawn: NDArray[np.float64],
    rank: tuple[int, Rank] | None,
    measure: tuple[str, str],
    equal: tuple[float, NDArray[np.float64]] | None = None,
) -> Standing:
    anchor, scale = measure
    if rank is None:
        return Standing(name, games, score, reason=_why_unrated(rating, anchor))
    unit, zero = SCALES[scale]
    interval = _interval(drawn, scale)
    return Standing(
        name,
        games,
        score,
        rating=zero + unit * rating,
        ci95=interval,
        rank=rank[0],
        rank_low=rank[1].low,
        rank_high=rank[1].high,
        win_rate=float(1 / (1 + np.exp(-rating))),
        reason=None if interval else "wins or loses every game in too many resamples for an interval",
        equal_length=None if equal is None else zero + unit * equal[0],
        equal_length_ci95=None if equal is None else _interval(equal[1], scale),
    )


def _interval(drawn: NDArray[np.float64], scale: str) -> tuple[float, float] | None:
    """The 95% interval; None if too many resamples have no rating for the model."""
    unit, zero = SCALES[scale]
    low, high = (float(bound) for bound in np.quantile(drawn, [0.025, 0.975], method="nearest"))
    return (zero + unit * low, zero + unit * high) if np.isfinite([low, high]).all() else None


def _share(won: float, lost: float) -> float | None:
    return float(won / (won + lost)) if won + lost > 0 else None


def _why_unrated(rating: float, anchor: str) -> str:
    if rating == np.inf:
        return f"never lost to {anchor} and the models tied with it: no finite rating fits"
    if rating == -np.inf:
        return f"never won against {anchor} and the models tied with it: no finite rating fits"
    return f"no chain of games connects it with {anchor}"
