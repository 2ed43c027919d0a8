"""Several answers per document: how often the intervals hold the truth, by simulation.

    python bench/samples.py [--json FILE] [--runs 4000]

Documents are drawn from a population with a chance of being answered rightly each (or with a mean score, for graded
ones), and K answers are drawn for each document. An interval of 95% should hold the population's mean in 93 to 97% of
the runs, from few documents with many answers to many documents with few.

Second table: the gate on the documents' means. Without a true drop a REGRESSION is an error, at a drop as large as the
tolerance a PASS is; both may happen in 5% of runs. Third: what `evalkit plan` asks for, tried: how often the drop is
found with so many documents and answers, where each document gets somewhat harder, and where some are lost for good.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.gating import decide, of_values
from evalkit.policy import Drop, TaskPolicy
from evalkit.stats import documents_needed, own_discordance, repeats_needed, sample_mean

SHAPES = ((30, 64), (30, 16), (60, 32), (100, 8), (300, 4), (1000, 2), (1319, 4))
POPULATIONS = {
    "half, all alike": (50.0, 50.0),
    "half, spread out": (0.5, 0.5),
    "easy": (2.4, 0.6),
    "hard": (0.5, 2.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=4_000)
    options = parser.parse_args()
    found = {
        f"{kind}, {name}": covered(kind, shape, options.runs)
        for kind in ("binary", "graded")
        for name, shape in POPULATIONS.items()
    }
    print(f"share of {options.runs:,} intervals of 95% that hold the mean of the population")
    print(f"{'':28}" + "".join(f"{f'{n}x{k}':>9}" for n, k in SHAPES))
    for name, shares in found.items():
        print(f"{name:28}" + "".join(f"{share:9.3f}" for share in shares))
    wrong = {name: errors(shape, options.runs // 4) for name, shape in POPULATIONS.items()}
    print("\nshare of wrong verdicts: REGRESSION without a drop / PASS at a drop of the tolerance, 0.02")
    print(f"{'':28}" + "".join(f"{f'{n}x{k}':>15}" for n, k in GATED))
    for name, shares in wrong.items():
        print(f"{name:28}" + "".join(f"{f'{one:.3f} / {other:.3f}':>15}" for one, other in shares))
    tried = {name: planned(shape, options.runs // 8) for name, shape in POPULATIONS.items()}
    print("\na drop of 0.03 to be found four times in five: planned documents x answers, and how often it was found")
    for name, plans in tried.items():
        print(f"{name:28}" + "".join(f"  {n}x{k}: {slower:.2f} / {lost:.2f}" for n, k, slower, lost in plans))
    if options.json:
        tables = {"shapes": SHAPES, "coverage": found, "gate": wrong, "plan": tried}
        options.json.write_text(json.dumps(tables, indent=2))


def covered(kind: str, population: tuple[float, float], runs: int) -> list[float]:
    rng = np.random.default_rng(20261130)
    truth = population[0] / sum(population)
    return [sum(_holds(draw(rng, kind, population, n, k), truth) for _ in range(runs)) / runs for n, k in SHAPES]


def draw(
    rng: np.random.Generator, kind: str, population: tuple[float, float], documents: int, answers: int
) -> NDArray[np.float64]:
    """Scores, one row for each document."""
    chances = rng.beta(*population, documents)
    if kind == "binary":
        return (rng.random((documents, answers)) < chances[:, None]).astype(float)
    return rng.beta(4 * chances[:, None] + 1e-9, 4 * (1 - chances[:, None]) + 1e-9, (documents, answers))


def _holds(scores: NDArray[np.float64], truth: float) -> bool:
    answers = scores.shape[1]
    mean = sample_mean(scores.mean(axis=1), scores.var(axis=1, ddof=1), np.full(scores.shape[0], answers))
    return truth in mean.interval()


# ── the gate ─────────────────────────────────────────────────────────────────

GATED = ((100, 16), (300, 8), (1000, 4))


def errors(population: tuple[float, float], runs: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(7)
    out = []
    for documents, answers in GATED:
        false_alarms = passes = 0
        for _ in range(runs):
            chances = rng.beta(*population, documents)
            false_alarms += _verdict(rng, chances, chances, answers, 0.0) == "regression"
            passes += _verdict(rng, chances, _slower(chances, population, 0.02), answers, 0.02) == "pass"
        out.append((false_alarms / runs, passes / runs))
    return out


def planned(population: tuple[float, float], runs: int) -> list[tuple[int, int, float, float]]:
    """With documents to spare, and with 400 documents that there are."""
    rng = np.random.default_rng(8)
    pilot = draw(rng, "binary", population, 400, 4)
    own, drop = own_discordance(pilot.var(axis=1, ddof=1)), 0.03
    needed = documents_needed(own / 2 + drop, own / 2, tolerance=0.0, power=0.8, side="regression") or 0
    more = repeats_needed(own + drop * (1 - drop), own, 400, needed) if needed > 400 else None
    out = []
    for documents, answers in ((needed, 1), *([(400, more)] if more is not None else [])):
        found = [0, 0]
        for _ in range(runs):
            chances = rng.beta(*population, documents)
            lost = np.where(rng.random(documents) < drop / (population[0] / sum(population)), 0.0, chances)
            for place, worse in enumerate((_slower(chances, population, drop), lost)):
                found[place] += _verdict(rng, chances, worse, answers, 0.0) == "regression"
        out.append((documents, answers, found[0] / runs, found[1] / runs))
    return out


def _slower(chances: NDArray[np.float64], population: tuple[float, float], drop: float) -> NDArray[np.float64]:
    """Every document harder by the same factor, so that the population's mean falls by `drop`."""
    return chances * (1 - drop / (population[0] / sum(population)))


def _verdict(
    rng: np.random.Generator,
    chances: NDArray[np.float64],
    others: NDArray[np.float64],
    answers: int,
    tolerance: float,
) -> str:
    here, there = (rng.binomial(answers, chance) / answers for chance in (chances, others))
    proof = of_values("task", here, there, TaskPolicy(max_drop=Drop(tolerance)))
    return decide([proof])[0].metric


if __name__ == "__main__":
    main()
