"""Ratings from a judge's games, corrected by the winners that people named in some of them.

Prediction-powered (Angelopoulos, Duchi & Zrnic 2023, "PPI++", arXiv:2311.01453): the points of every game as the judge
gives them, and what people gave more or less in the labelled ones, in place of all. The labelled games have to be drawn
at random from all of them. Bradley–Terry's estimate is linear in the points up to its curvature, so that the correction
enters as points of each pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import UsageError
from evalkit.ranking.arena.games import Game
from evalkit.ranking.arena.ratings import SCALES, Arena
from evalkit.stats import rank_intervals
from evalkit.stats.bradley_terry import fit_soft_ratings, simultaneously_better

__all__ = ["corrected"]

_POINTS = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5}
_FEWEST = 20
_ROUNDS = 400
Floats = NDArray[np.float64]


def corrected(arena: Arena, games: Sequence[Game], labels: Sequence[Game], rounds: int, seed: int) -> Arena:
    """The arena with the ratings, intervals and ranks that people would give, as far as their labels tell."""
    names = [standing.model for standing in arena.standings]
    place = {name: number for number, name in enumerate(names)}
    people = _Labels(labels)
    said = np.array([people.points(game) for game in games])
    judged = np.array([_POINTS[game.winner] for game in games])
    labelled = np.isfinite(said)
    if labelled.sum() < _FEWEST:
        raise UsageError(
            f"--labels: {int(labelled.sum())} of the games have a label, {_FEWEST} at least are needed; a label is a"
            " row with question_id, model_a, model_b and winner as in games.jsonl"
        )
    pairs = np.array([(place[game.model_a], place[game.model_b]) for game in games], dtype=np.intp)
    _, clusters = np.unique([game.question for game in games], return_inverse=True)
    anchor = place[arena.anchor]
    weights = np.ones(len(games))

    def ratings(times: Floats) -> Floats:
        return fit_soft_ratings(_table(pairs, judged, said, labelled, times, len(names)), anchor)

    point = ratings(weights)
    rng = np.random.default_rng(seed)
    count = int(clusters.max()) + 1
    drawn = np.array(
        [
            ratings(np.bincount(rng.integers(0, count, count), minlength=count)[clusters].astype(float))
            for _ in range(min(rounds, _ROUNDS))
        ]
    )
    better = simultaneously_better(point, drawn)
    order = np.argsort(-np.where(np.isfinite(point), point, -np.inf), kind="stable")
    ranks = dict(zip(order, rank_intervals(better[np.ix_(order, order)]), strict=True))
    unit, zero = SCALES[arena.scale]
    standings = []
    for number, index in enumerate(order, 1):
        standing, value = arena.standings[index], point[index]
        low, high = np.nanquantile(drawn[:, index], [0.025, 0.975])
        known = bool(np.isfinite(value))
        standings.append(
            replace(
                standing,
                rating=zero + unit * float(value) if known else None,
                ci95=(zero + unit * float(low), zero + unit * float(high)) if known else None,
                rank=number if known else None,
                rank_low=ranks[index].low if known else None,
                rank_high=ranks[index].high if known else None,
                win_rate=float(1 / (1 + np.exp(-value))) if known else None,
                reason=None if known else "people's labels allow no finite rating",
            )
        )
    agree = float(np.mean(said[labelled] == judged[labelled]))
    note = (
        f"corrected by {int(labelled.sum()):,} games that people decided (prediction-powered): the judge names the same"
        f" result in {agree:.0%} of them"
    )
    apart = tuple((names[a], names[b]) for a, b in pairwise(order) if not better[a, b])
    return replace(arena, standings=tuple(standings), unseparated=apart, notes=(*arena.notes, note))


def _table(
    pairs: NDArray[np.intp], judged: Floats, said: Floats, labelled: NDArray[np.bool_], times: Floats, models: int
) -> Floats:
    """Points of each model against each other one. A pair's points may lie outside what its games allow."""
    n, rest = float(times[labelled].sum()), float(times[~labelled].sum())
    power = _power(judged[labelled], said[labelled], times[labelled], n, rest)
    points = power * judged + (1 - power) * 0.5
    if n:
        points[labelled] += (n + rest) / n * (said[labelled] - power * judged[labelled] - (1 - power) * 0.5)
    table = np.zeros((models, models))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), points * times)
    np.add.at(table, (pairs[:, 1], pairs[:, 0]), (1 - points) * times)
    return table


def _power(judged: Floats, said: Floats, times: Floats, n: float, rest: float) -> float:
    """λ: how far the judge is used, by how far its points go with people's."""
    if n < 2 or rest < 1:
        return 0.0
    f, y = judged - np.average(judged, weights=times), said - np.average(said, weights=times)
    spread = float(np.average(f**2, weights=times))
    if spread == 0:
        return 0.0
    return float(min(max(np.average(f * y, weights=times) / ((1 + n / rest) * spread), 0.0), 1.0))


def _key(game: Game) -> tuple[str, str, str]:
    first, second = sorted((game.model_a, game.model_b))
    return game.question, first, second


class _Labels:
    """Points that people gave to the first model of a game, whichever way round the label names the two."""

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
