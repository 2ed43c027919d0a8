"""What a judge's errors do to the gate's verdict, with labels by people and without.

    python bench/judge_error.py [--runs 1000] [--documents 1000] [--labels 100 200]

A judge says yes or no with a sensitivity of .7 and a specificity of .8. It judges both models alike, or is harder
on the candidate (sensitivity .6). Candidates are as good as the baseline or worse by just the tolerated drop: in both
cases a REGRESSION is false. Prints the share of one-sided 95% bounds below the tolerance
with the judge's scores alone and with the corrected difference, and how often its 95% interval holds the truth.
"""

from __future__ import annotations

import argparse

import numpy as np

from evalkit.stats import bounded_difference
from evalkit.stats.powered import powered_difference

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--tolerance", type=float, default=0.05)
    asked = parser.parse_args()
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
