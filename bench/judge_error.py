"""What a judge's errors do to the gate's verdict and to an arena's ratings, with labels by people and without.

    python bench/judge_error.py [--runs 1000] [--documents 1000] [--labels 100 200]
    python bench/judge_error.py --arena [--runs 300]

A judge says yes or no with a sensitivity of .7 and a specificity of .8. It judges both models alike, or is harder
on the candidate (sensitivity .6). Candidates are as good as the baseline or worse by just the tolerated drop: in both
cases a REGRESSION is false. Prints the share of one-sided 95% bounds below the tolerance
with the judge's scores alone and with the corrected difference, and how often its 95% interval holds the truth.

`--arena`: a judge that names people's winner in three of four games and favours one model in 30% of its games, in full
designs of 200 prompts. Prints how often 95% intervals of ratings hold what people would say: of the judge alone (a
bootstrap over prompts), and of the corrected ratings as `evalkit arena` has them.

`--gaps`: how often intervals hold the rating of the model furthest from the anchor, at wider and wider gaps, with a
judge that favours nobody, and on which side they miss; beside them the rating plus and minus standard errors.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evalkit.stats import bounded_difference
from evalkit.stats.bradley_terry import bootstrap_ratings, fit_ratings
from evalkit.stats.powered import powered_difference
from evalkit.stats.powered_ratings import powered_ratings

Floats = NDArray[np.float64]
Pairs = NDArray[np.intp]

_SPECIFICITY = 0.8


def one(rng: np.random.Generator, n: int, labels: int, rate: float, drop: float, sensitivity: tuple[float, float]):  # type: ignore[no-untyped-def]
    """The judge's and people's scores of two runs; people's of the labelled documents alone."""
    shared, own = rng.random(n), rng.random((2, n))
    kept = rng.random(n) < 0.6
    luck = [np.where(kept, shared, own[k]) for k in (0, 1)]
    people = [(luck[k] < rate - k * drop).astype(float) for k in (0, 1)]
    judge = [
        np.where(people[k] > 0, rng.random(n) < sensitivity[k], rng.random(n) >= _SPECIFICITY).astype(float)
        for k in (0, 1)
    ]
    chosen = rng.permutation(n)[:labels]
    seen = [np.full(n, np.nan) for _ in people]
    for k in (0, 1):
        seen[k][chosen] = people[k][chosen]
    return judge, seen


def rate_arenas(runs: int, prompts: int = 200, rounds: int = 100) -> None:
    print("| models | labels | judge alone | corrected | mean width |")
    print("|---|---|---|---|---|")
    for count, labels in ((3, 30), (3, 100), (5, 100), (5, 200), (8, 100)):
        strength = np.linspace(0, 1.5, count)
        pairs, _, people, _ = full_design(np.random.default_rng(0), strength, 60_000)
        truth = fit_ratings(_table(pairs, people, count), 0).ratings[1:]
        held, width = np.zeros(2), 0.0
        for seed in range(runs):
            rng = np.random.default_rng([seed, count, labels])
            pairs, number, people, judge = full_design(rng, strength, prompts)
            seen = np.full(len(pairs), np.nan)
            chosen = rng.permutation(len(pairs))[:labels]
            seen[chosen] = people[chosen]
            points = np.stack([judge, 1 - judge], axis=1)
            alone = bootstrap_ratings(pairs, points, number, count, 0, rounds, seed)[:, 1:]
            found = powered_ratings(pairs, judge, seen, number, anchor=0, models=count)
            ends = [np.quantile(alone, [0.025, 0.975], axis=0), np.stack(found.interval(0.05))[:, 1:]]
            held += [np.mean((low <= truth) & (truth <= high)) for low, high in ends]
            width += np.nanmedian(ends[1][1] - ends[1][0])
        shares = " | ".join(f"{share:.1%}" for share in held / runs)
        print(f"| {count} | {labels} | {shares} | {width / runs:.2f} |", flush=True)


def rate_gaps(runs: int, prompts: int = 200) -> None:
    print("| models, labels, judge right in | gap | no rating | ± errors: held, too low, too high | now | all models |")
    print("|---|---|---|---|---|---|")
    for between, labels, right in (
        ((), 60, 0.75),
        ((), 100, 0.9),
        ((0.5,), 60, 0.9),
        ((-0.5,), 60, 0.9),
        ((0.5,), 100, 0.75),
        ((0.5,), 100, 0.9),
        ((0.25, 0.5, 0.75), 200, 0.9),
    ):
        for gap in (2.0, 2.8, 3.3):
            strength = np.array([0.0, *(gap * place for place in between), gap])
            pairs, _, people, _ = full_design(np.random.default_rng(0), strength, 60_000)
            truth = fit_ratings(_table(pairs, people, len(strength)), 0).ratings
            missed, every, rated = np.zeros((2, 2)), [], 0
            for seed in range(runs):
                rng = np.random.default_rng([seed, len(strength), labels, round(100 * right), round(10 * gap)])
                pairs, number, people, judge = full_design(rng, strength, prompts, right, 0.0)
                seen = np.full(len(pairs), np.nan)
                chosen = rng.permutation(len(pairs))[:labels]
                seen[chosen] = people[chosen]
                found = powered_ratings(pairs, judge, seen, number, anchor=0, models=len(strength))
                reach = -stdtrit(found.labelled - 1, 0.025) * np.sqrt(np.diag(found.covariance))
                low, high = found.interval(0.05)
                known = np.isfinite(found.ratings) & (np.arange(len(strength)) > 0)
                every += list(((low <= truth) & (truth <= high))[known])
                if known[-1]:
                    rated += 1
                    for place, ends in enumerate(((found.ratings - reach, found.ratings + reach), (low, high))):
                        missed[place] += ends[1][-1] < truth[-1], ends[0][-1] > truth[-1]
            sides = [f"{1 - share.sum():.1%}, {share[0]:.1%}, {share[1]:.1%}" for share in missed / rated]
            name = f"{len(strength)}{' (one below)' if min(strength) < 0 else ''}, {labels}, {right:.0%}"
            lacking = f"{1 - rated / runs:.0%}"
            print(f"| {name} | {gap} | {lacking} | {' | '.join(sides)} | {np.mean(every):.1%} |", flush=True)


def full_design(
    rng: np.random.Generator, strength: Floats, prompts: int, right: float = 0.75, favour: float = 0.3
) -> tuple[Pairs, Pairs, Floats, Floats]:
    """Pairs and prompts of all games, and the points that people and the judge give the first model.

    The judge names people's winner in the share `right` of games, and the last model in the share `favour` of its own.
    """
    i, j = np.triu_indices(len(strength), 1)
    pairs = np.repeat(np.stack([i, j], axis=1), prompts, axis=0)
    number = np.tile(np.arange(prompts), len(i))
    quality = strength[:, None] + rng.normal(0, 0.5, (len(strength), prompts))
    gap = quality[pairs[:, 1], number] - quality[pairs[:, 0], number]
    people = (rng.random(len(pairs)) < 1 / (1 + np.exp(gap))).astype(float)
    judge = np.where(rng.random(len(pairs)) < right, people, 1 - people)
    judge[(pairs[:, 1] == len(strength) - 1) & (rng.random(len(pairs)) < favour)] = 0.0
    return pairs, number, people, judge


def _table(pairs: Pairs, points: Floats, models: int) -> Floats:
    table = np.zeros((models, models))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), points)
    np.add.at(table, (pairs[:, 1], pairs[:, 0]), 1 - points)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--tolerance", type=float, default=0.05)
    parser.add_argument("--arena", action="store_true")
    parser.add_argument("--gaps", action="store_true")
    asked = parser.parse_args()
    if asked.arena:
        rate_arenas(asked.runs)
    if asked.gaps:
        rate_gaps(asked.runs)
    if asked.arena or asked.gaps:
        return
    print("| judge | true drop | labels | false regressions: alone | corrected | coverage: alone | corrected |")
    print("|---|---|---|---|---|---|---|")
    for name, sensitivity in (("as hard on both", (0.7, 0.7)), ("harder on the candidate", (0.7, 0.6))):
        for drop in (0.0, asked.tolerance):
            for labels in asked.labels:
                counts = np.zeros(4)
                for seed in range(asked.runs):
                    rng = np.random.default_rng([seed, labels, round(100 * drop), round(100 * sensitivity[1])])
                    judge, seen = one(rng, asked.documents, labels, 0.6, drop, sensitivity)
                    alone = bounded_difference(judge[1] - judge[0], scale=1.0)
                    corrected = powered_difference(*judge, *seen, scale=1.0)
                    for place, found in enumerate((alone, corrected)):
                        counts[place] += found.upper(0.95) < -asked.tolerance
                        counts[2 + place] += -drop in found.interval()
                shares = " | ".join(f"{share:.1%}" for share in counts / asked.runs)
                print(f"| {name} | {drop:g} | {labels} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
