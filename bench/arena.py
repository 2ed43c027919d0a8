"""How many games the adaptive order of `evalkit arena` needs, beside full designs.

    python bench/arena.py [--runs 20] [--prompts 1000]

Three ways with the same simulated results: the adaptive order; an even design, which plays all pairs in turn and stops
by the same rule; and all games (`--full`), read once at the end. Games on one prompt hang together, as answers to it
are better or worse for all opponents. Prints the games of each, how many pairs of models each one tells apart, and the
share of runs in which the adaptive order called a wrong order sure.

`bound` is the least share of an even design's games that any choice of games could need, with the ratings known
beforehand and independent games: the division of games over the pairs that makes all neighbours equally certain with
the fewest games, found numerically and bounded from below by duality (Pukelsheim 2006, Optimal Design of Experiments,
chapter 7).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from evalkit.ranking.arena.choosing import Draw, Fixture
from evalkit.stats.bradley_terry import bootstrap_ratings, fit_ratings, simultaneously_better

Floats = NDArray[np.float64]
Points = Callable[[int, int, int], float]
FIELDS: dict[str, Floats] = {
    "5 models, equal gaps": np.arange(5) * 0.35,
    "5 models, two of them close": np.array([0, 1, 2, 2.2, 3.2]),
    "5 models, uneven gaps": np.array([0, 1, 1.3, 2.3, 3.0]),
    "8 models, normal": np.random.default_rng(7).normal(0, 1.2, 8),
    "10 models, two close pairs": np.cumsum([0, 0.8, 0.8, 0.3, 0.8, 0.8, 0.3, 0.8, 0.8, 0.8]),
}
_RESAMPLES = 150


def simulated(true: Floats, prompts: int, seed: int) -> Points:
    """Whether model i beats model j on a prompt. The same for the same seed, whichever games are asked for."""
    rng = np.random.default_rng(seed)
    quality = true[:, None] + rng.normal(0, 0.7, (len(true), prompts))
    luck = rng.random((len(true), len(true), prompts))
    return lambda i, j, prompt: float(luck[i, j, prompt] < 1 / (1 + np.exp(quality[j, prompt] - quality[i, prompt])))


def new_draw(models: int, prompts: int, seed: int) -> Draw:
    keys = [str(number) for number in range(prompts)]
    return Draw.shuffled(models, dict.fromkeys(combinations(range(models), 2), keys), seed)


def play_adaptively(draw: Draw, points: Points) -> None:
    while games := draw.next():
        _record(draw, games, points)


def play_evenly(draw: Draw, games: list[Fixture], points: Points) -> None:
    """All pairs in turn, looked at as often as the adaptive order is."""
    size = 6 * len(draw.prompts)
    while games and not draw.sure:
        batch, games = games[:size], games[size:]
        draw.play(batch)
        _record(draw, batch, points)
        draw.look()
        size = max(draw.played // 4, draw.models)


def _record(draw: Draw, games: list[Fixture], points: Points) -> None:
    for game in games:
        draw.record(game, points(game.first, game.second, int(game.prompt)))


def apart_by_all_games(models: int, prompts: int, points: Points, seed: int) -> int:
    """Pairs that are told apart when every game is played and read once."""
    games = [(i, j, prompt) for i, j in combinations(range(models), 2) for prompt in range(prompts)]
    pairs = np.array([game[:2] for game in games], np.intp)
    won = np.array([points(*game) for game in games])
    both = np.stack([won, 1 - won], axis=1)
    wins = np.zeros((models, models))
    np.add.at(wins, (pairs[:, 0], pairs[:, 1]), won)
    np.add.at(wins, (pairs[:, 1], pairs[:, 0]), 1 - won)
    clusters = np.array([game[2] for game in games], np.intp)
    drawn = bootstrap_ratings(pairs, both, clusters, models, 0, _RESAMPLES, seed)
    return int(simultaneously_better(fit_ratings(wins, 0).ratings, drawn).sum())


def least_share(true: Floats) -> float:
    """At least this share of an even design's games makes all neighbours as certain, whatever games are chosen."""
    ratings = np.sort(true)[::-1]
    i, j = np.triu_indices(len(ratings), 1)
    contrasts = np.zeros((len(i), len(ratings)))
    contrasts[np.arange(len(i)), i], contrasts[np.arange(len(i)), j] = 1, -1
    contrasts = contrasts[:, 1:]
    gap = ratings[i] - ratings[j]
    weight = 1 / (2 + np.exp(gap) + np.exp(-gap))
    near = np.flatnonzero(j == i + 1)
    wanted = contrasts[near] / gap[near][:, None]

    def variances(shares: Floats) -> tuple[Floats, Floats]:
        inverse = np.linalg.inv((contrasts.T * (shares * weight)) @ contrasts)
        return np.einsum("ka,ab,kb->k", wanted, inverse, wanted), inverse

    def slope(importance: Floats, inverse: Floats) -> Floats:
        inner = inverse @ (wanted.T * importance) @ wanted @ inverse
        return np.asarray(weight * np.einsum("ea,ab,eb->e", contrasts, inner, contrasts))

    def largest(logs: Floats, power: float) -> tuple[float, Floats]:
        """The logarithm of the largest variance, smoothed, and its gradient."""
        shares = np.exp(logs - logs.max())
        shares /= shares.sum()
        values, inverse = variances(shares)
        relative = (values / values.max()) ** power
        value = values.max() * relative.mean() ** (1 / power)
        importance = relative / (values / values.max()) * relative.mean() ** (1 / power - 1) / len(values)
        steep = -slope(importance, inverse)
        return float(np.log(value)), np.asarray(shares * (steep - steep @ shares) / value)

    shares = np.full(len(i), 0.02 / len(i))
    shares[near] = 1 / (weight[near] * gap[near] ** 2) / (1 / (weight[near] * gap[near] ** 2)).sum()
    logs = np.log(shares / shares.sum())
    for power in (4, 16, 64, 200):
        found = minimize(largest, logs, (power,), jac=True, method="L-BFGS-B", options={"maxiter": 3000})
        logs = np.maximum(found.x - found.x.max(), -30.0)
    best = np.exp(logs) / np.exp(logs).sum()
    values, inverse = variances(best)
    importance = (values / values.max()) ** 200
    importance /= importance.sum()
    bound = float(importance @ values) ** 2 / slope(importance, inverse).max()
    return float(bound / variances(np.full(len(i), 1 / len(i)))[0].max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=1000)
    given = parser.parse_args()
    print("| field | all games | adaptive / all | adaptive / even | bound | pairs apart: adaptive, even, all | wrong |")
    print("|---|---|---|---|---|---|---|")
    for name, field in FIELDS.items():
        true = np.random.default_rng(9).permutation(field)
        count, rows = len(true), []
        for seed in range(given.runs):
            points = simulated(true, given.prompts, seed)
            adaptive, even, schedule = (new_draw(count, given.prompts, seed) for _ in range(3))
            play_adaptively(adaptive, points)
            play_evenly(even, schedule.everything(), points)
            wrong = bool((adaptive.above & (true[:, None] < true[None, :])).any())
            everything = apart_by_all_games(count, given.prompts, points, seed)
            rows.append((adaptive.played, even.played, adaptive.above.sum(), even.above.sum(), everything, wrong))
        games, evenly, *apart, wrong_share = np.array(rows, float).mean(axis=0)
        total = given.prompts * count * (count - 1) // 2
        told = ", ".join(f"{pairs:.1f}" for pairs in apart)
        print(
            f"| {name} | {total:,} | {games / total:.2f} | {games / evenly:.2f} | {least_share(field):.2f} |"
            f" {told} of {count * (count - 1) // 2} | {wrong_share:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
