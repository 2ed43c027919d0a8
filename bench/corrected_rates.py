"""How often the corrected interval of `evalkit rate` covers the true rate, and how wide it is.

    python bench/corrected_rates.py [--runs 2000]

Labels are a random part of the answers; people are right, the detector is as bad as stated. Prints, for each number of
labels, the lowest and the highest coverage over true rates and detectors, and the mean width.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from evalkit.stats.corrected import intervals_of_counts

RATES = (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97)
DETECTORS = ((0.3, 0.95), (0.3, 0.7), (0.3, 1.0), (0.6, 0.9), (0.9, 0.9), (0.95, 0.95))
LABELS = (30, 50, 100, 200, 400)
DRAWS = 2000


def covered(rate: float, detector: tuple[float, float], labels: int, answers: int, runs: int) -> tuple[float, float]:
    """The share of runs in which the interval holds the true rate, and its mean width.

    The counts of labelled and other answers are drawn instead of the answers; the intervals are those of `evalkit rate`
    with fewer draws from the posterior.
    """
    chance = np.random.default_rng([labels, answers, int(rate * 1000), int(detector[0] * 100), int(detector[1] * 100)])
    sensitivity, specificity = detector
    cells = [rate * sensitivity, (1 - rate) * (1 - specificity), rate * (1 - sensitivity), (1 - rate) * specificity]
    hits, width = 0, 0.0
    for start in range(0, runs, 500):
        some = min(500, runs - start)
        labelled = chance.multinomial(labels, cells, some).T
        flagged = labelled[0] + labelled[1] + chance.binomial(answers - labels, cells[0] + cells[1], some)
        counts = np.vstack([labelled, flagged]).astype(float)
        low, high = intervals_of_counts(counts, answers, chance, draws=DRAWS)
        hits += int(np.sum((low <= rate) & (rate <= high)))
        width += float(np.sum(high - low))
    return hits / runs, width / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--answers", type=int, default=2000)
    asked = parser.parse_args()
    print("labels  rates      lowest coverage             highest coverage            mean width")
    for labels in LABELS:
        every = [
            (*covered(rate, detector, labels, asked.answers, asked.runs), rate, detector)
            for rate, detector in itertools.product(RATES, DETECTORS)
        ]
        for name, least, most in (("all", 0.0, 1.0), ("0.1–0.9", 0.1, 0.9)):
            found = [one for one in every if least <= one[2] <= most]
            low, high = min(found), max(found)
            width = sum(one[1] for one in found) / len(found)
            print(
                f"{labels:6}  {name:9} {low[0]:.3f} at {low[2]:g}, {low[3]}   {high[0]:.3f} at {high[2]:g}, {high[3]}"
                f"   {width:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
