"""What a jury with weights learnt from labels is worth, beside its best member and an unweighted one.

    python bench/jury.py --runs 1000

Two runs share 1,000 documents, which people find good in 60% and 55% of cases. Three judges (sensitivity and
specificity .9/.85, .75/.8 and .65/.75) score all of them; people label a random 60, 100 or 300. Where judges err
together, each takes a common chance instead of its own in the share given. Prints how often 95% intervals of the
corrected difference hold the truth, the width of the jury's over that of its best member and of an unweighted jury, and
the learnt weights.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.jury import JuryWeights, jury_weights
from evalkit.stats.powered import PoweredDifference, powered_difference

Floats = NDArray[np.float64]

_JUDGES = ((0.9, 0.85), (0.75, 0.8), (0.65, 0.75))
_RATE, _DROP = 0.6, 0.05


def answers(rng: np.random.Generator, n: int, together: float) -> tuple[Floats, Floats]:
    """People's verdicts of both runs, and those of each judge along the last axis."""
    shared, own = rng.random(n), rng.random((2, n))
    kept = rng.random(n) < 0.6
    people = np.array([(np.where(kept, shared, own[k]) < _RATE - k * _DROP).astype(float) for k in (0, 1)])
    common, judged = rng.random((2, n)), []
    for sensitivity, specificity in _JUDGES:
        luck = np.where(rng.random((2, n)) < together, common, rng.random((2, n)))
        judged.append(np.where(people > 0, luck < sensitivity, luck >= specificity).astype(float))
    return people, np.stack(judged, axis=-1)


def one(rng: np.random.Generator, n: int, labels: int, together: float) -> tuple[JuryWeights, list[PoweredDifference]]:
    """The weights, and the corrected differences of each judge, of an unweighted jury and of the weighted one."""
    people, judged = answers(rng, n, together)
    chosen = rng.permutation(n)[:labels]
    seen = np.full((2, n), np.nan)
    seen[:, chosen] = people[:, chosen]
    documents, strata = [*chosen, *chosen], [0] * labels + [1] * labels
    weights = jury_weights(np.concatenate(judged[:, chosen]), np.concatenate(people[:, chosen]), documents, strata)
    each = np.array([weights.of(document) for document in range(n)])
    scores = [*np.moveaxis(judged, -1, 0), judged.mean(axis=-1), (judged * each).sum(axis=-1)]
    return weights, [powered_difference(*score, *seen, scale=1.0) for score in scores]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--labels", type=int, nargs="+", default=[60, 100, 300])
    asked = parser.parse_args()
    print(
        "| err together | labels | coverage: best member | unweighted | jury | width / best | / unweighted | weights |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for together in (0.0, 0.4):
        for labels in asked.labels:
            held, width, learnt = np.zeros(5), np.zeros(5), np.zeros(len(_JUDGES))
            for seed in range(asked.runs):
                rng = np.random.default_rng([seed, labels, round(10 * together)])
                weights, differences = one(rng, asked.documents, labels, together)
                intervals = [difference.interval() for difference in differences]
                held += [-_DROP in interval for interval in intervals]
                width += [interval.high - interval.low for interval in intervals]
                learnt += weights.mean
            best = int(width[: len(_JUDGES)].argmin())
            shares = " | ".join(f"{share:.1%}" for share in held[[best, 3, 4]] / asked.runs)
            ratios = f"{width[4] / width[best]:.3f} | {width[4] / width[3]:.3f}"
            told = ", ".join(f"{share:.2f}" for share in learnt / asked.runs)
            print(f"| {together:.0%} | {labels} | {shares} | {ratios} | {told} |", flush=True)


if __name__ == "__main__":
    main()
