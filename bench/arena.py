"""How many games the adaptive order of `evalkit arena` needs, beside a full design that plays all pairs evenly.

    python bench/arena.py [--runs 20] [--prompts 1000]

Both stop by the same rule: every rank sure, or nothing left that could settle it. Games on one prompt hang together, as
answers to it are better or worse for all opponents. Prints games, the share of runs in which all ranks were sure, the
share with any wrong order called sure, and the ratio.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evalkit.ranking.arena.choosing import Draw, Fixture

Floats = NDArray[np.float64]
FIELDS: dict[str, Floats] = {
    "5 models, equal gaps": np.arange(5) * 0.35,
    "5 models, two of them close": np.array([0, 1, 2, 2.2, 3.2]),
    "5 models, uneven gaps": np.array([0, 1, 1.3, 2.3, 3.0]),
    "8 models, normal": np.random.default_rng(7).normal(0, 1.2, 8),
    "10 models, two close pairs": np.cumsum([0, 0.8, 0.8, 0.3, 0.8, 0.8, 0.3, 0.8, 0.8, 0.8]),
}


def one(true: Floats, prompts: int, seed: int, *, adaptive: bool) -> tuple[int, bool, bool]:
    """Games played, whether all ranks are sure, and whether a wrong order is called sure."""
    rng = np.random.default_rng(seed)
    count = len(true)
    quality = true[:, None] + rng.normal(0, 0.7, (count, prompts))
    luck = rng.random((count, count, prompts))
    keys = [str(number) for number in range(prompts)]
    draw = Draw.shuffled(count, {(i, j): keys for i in range(count) for j in range(i + 1, count)}, seed)

    def points(game: Fixture) -> float:
        prompt = int(game.prompt)
        gap = quality[game.first, prompt] - quality[game.second, prompt]
        return float(luck[game.first, game.second, prompt] < 1 / (1 + np.exp(-gap)))

    (_adaptive if adaptive else _evenly)(draw, points)
    wrong = any(draw.above[i, j] and true[i] < true[j] for i in range(count) for j in range(count))
    return draw.played, draw.sure, wrong


def _adaptive(draw: Draw, points: Callable[[Fixture], float]) -> None:
    while games := draw.next():
        for game in games:
            draw.record(game, points(game))


def _evenly(draw: Draw, points: Callable[[Fixture], float]) -> None:
    """All pairs in turn, looked at as often as the adaptive order is."""
    games = draw.everything()
    draw.give_back(games)
    size = 6 * len(draw.prompts)
    while games:
        batch, games = games[:size], games[size:]
        draw.play(batch)
        for game in batch:
            draw.record(game, points(game))
        draw.look()
        if draw.sure:
            return
        size = max(draw.played // 4, draw.models)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=1000)
    asked = parser.parse_args()
    print("| field | all games | full design | adaptive | ratio | sure full / adaptive | wrong full / adaptive |")
    print("|---|---|---|---|---|---|---|")
    for name, field in FIELDS.items():
        true = np.random.default_rng(9).permutation(field)
        full, adaptive = (
            np.array([one(true, asked.prompts, seed, adaptive=how) for seed in range(asked.runs)], float)
            for how in (False, True)
        )
        games = [found[:, 0].mean() for found in (full, adaptive)]
        shares = " | ".join(f"{full[:, k].mean():.2f} / {adaptive[:, k].mean():.2f}" for k in (1, 2))
        total = asked.prompts * len(field) * (len(field) - 1) // 2
        print(
            f"| {name} | {total:,} | {games[0]:,.0f} | {games[1]:,.0f} | {games[1] / games[0]:.2f} | {shares} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
