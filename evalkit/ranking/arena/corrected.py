"""Ratings from a judge's games, corrected by the winners that people named in some of them.

The labelled games have to be drawn at random from all of them. `evalkit.stats.powered_ratings` has the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from evalkit.errors import UsageError
from evalkit.ranking.arena.games import Game
from evalkit.ranking.arena.ratings import SCALES, Arena, Standing
from evalkit.stats import rank_intervals
from evalkit.stats.bradley_terry import simultaneously_better
from evalkit.stats.powered_ratings import powered_ratings

__all__ = ["corrected"]

_POINTS = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5}
_FEWEST = 20
_DRAWS = 2000
"""Draws by which all models are compared at once."""


def corrected(arena: Arena, games: Sequence[Game], labels: Sequence[Game], seed: int) -> Arena:
    """The arena with the ratings, intervals and ranks that people would give, as far as their labels tell."""
    names = [standing.model for standing in arena.standings]
    place = {name: number for number, name in enumerate(names)}
    given = _Labels(labels)
    people = np.array([given.points(game) for game in games])
    judged = np.array([_POINTS[game.winner] for game in games])
    labelled = np.isfinite(people)
    _, prompts = np.unique([game.question for game in games], return_inverse=True)
    if labelled.sum() < _FEWEST or len(np.unique(prompts[labelled])) < 2:
        raise UsageError(
            f"--labels: {int(labelled.sum())} of the games have a label, {_FEWEST} at least are needed, drawn at random"
            " from all questions; a label is a row with question_id, model_a, model_b and winner as in games.jsonl"
        )
    pairs = np.array([(place[game.model_a], place[game.model_b]) for game in games], dtype=np.intp)
    weights = np.array([game.weight for game in games])
    estimate = powered_ratings(
        pairs, judged, people, prompts, anchor=place[arena.anchor], models=len(names), weights=weights
    )
    point, (lows, highs) = estimate.ratings, estimate.interval(0.05)
    better = simultaneously_better(point, estimate.draws(_DRAWS, seed))
    order = np.argsort(-np.where(np.isfinite(point), point, -np.inf), kind="stable")
    rated = [index for index in order if np.isfinite(point[index])]
    ranks = dict(zip(rated, rank_intervals(better[np.ix_(rated, rated)]), strict=True))
    unit, zero = SCALES[arena.scale]
    standings = []
    for number, index in enumerate(order, 1):
        standing, value = arena.standings[index], point[index]
        low, high = lows[index], highs[index]
        finite = bool(np.isfinite(value))
        standings.append(
            replace(
                standing,
                rating=zero + unit * float(value) if finite else None,
                ci95=(zero + unit * float(low), zero + unit * float(high)) if finite else None,
                rank=number if finite else None,
                rank_low=ranks[index].low if finite else None,
                rank_high=ranks[index].high if finite else None,
                win_rate=float(1 / (1 + np.exp(-value))) if finite else None,
                reason=None if finite else _why_unrated(standing, arena.anchor),
            )
        )
    agree = float(np.mean(people[labelled] == judged[labelled]))
    note = (
        f"corrected by {int(labelled.sum()):,} games that people decided (prediction-powered): the judge names the same"
        f" result in {agree:.0%} of them"
    )
    apart = tuple((names[a], names[b]) for a, b in pairwise(rated) if not better[a, b])
    return replace(arena, standings=tuple(standings), unseparated=apart, notes=(*arena.notes, note))


def _why_unrated(standing: Standing, anchor: str) -> str:
    more = f"label more games of {standing.model}, drawn at random"
    if standing.rating is None and standing.reason:
        return f"{standing.reason}; people's labels allow none either: {more}"
    return f"people's labels allow no finite rating against {anchor}: {more}"


def _key(game: Game) -> tuple[str, str, str]:
    first, second = sorted((game.model_a, game.model_b))
    return game.question, first, second


class _Labels:
    """People's points for the first model of a game, for labels that name the two models in either order."""

    def __init__(self, labels: Sequence[Game]) -> None:
        self._first: dict[tuple[str, str, str], list[float]] = {}
        for label in labels:
            points = _POINTS[label.winner]
            swapped = label.model_a > label.model_b
            self._first.setdefault(_key(label), []).append(1 - points if swapped else points)

    def points(self, game: Game) -> float:
        given = self._first.get(_key(game))
        if not given:
            return float("nan")
        mean = sum(given) / len(given)
        return 1 - mean if game.model_a > game.model_b else mean
