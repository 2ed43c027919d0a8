"""How often the corrected interval of `evalkit rate` covers the true rate, and how wide it is.

    python bench/corrected_rates.py [--runs 2000]

Labels are a random part of the answers; people are right, the detector is as bad as stated. Prints, for each number of
labels, the lowest and the highest coverage over true rates and detectors, and the mean width.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from evalkit.stats.corrected import corrected_interval

RATES = (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97)
DETECTORS = ((0.3, 0.95), (0.3, 0.7), (0.3, 1.0), (0.6, 0.9), (0.9, 0.9), (0.95, 0.95))
LABELS = (30, 50, 100, 200, 400)


def covered(rate: float, detector: tuple[float, float], labels: int, answers: int, runs: int) -> tuple[float, float]:
    """The share of runs in which the interval holds the true rate, and its mean width."""
    chance = np.random.default_rng([labels, answers, int(rate * 1000), int(detector[0] * 100), int(detector[1] * 100)])
    hits, width = 0, 0.0
    for _ in range(runs):
        people = chance.random(answers) < rate
        found = np.where(people, chance.random(answers) < detector[0], chance.random(answers) >= detector[1])
        low, high = corrected_interval(people[:labels].tolist(), found[:labels].tolist(), found[labels:].tolist())
        hits += low <= rate <= high
        width += high - low
    return hits / runs, width / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=2000)
    asked = parser.parse_args()
    print("labels  rates      lowest coverage             highest coverage            mean width")
    for labels in LABELS:
        for name, rates in (("all", RATES), ("0.1–0.9", [rate for rate in RATES if 0.1 <= rate <= 0.9])):
            found = [
                (*covered(rate, detector, labels, asked.answers, asked.runs), rate, detector)
                for rate, detector in itertools.product(rates, DETECTORS)
            ]
            low, high = min(found), max(found)
            width = sum(one[1] for one in found) / len(found)
            print(
                f"{labels:6}  {name:9} {low[0]:.3f} at {low[2]:g}, {low[3]}   {high[0]:.3f} at {high[2]:g}, {high[3]}"
                f"   {width:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
