"""Coverage of the intervals of corpus figures, and how often a gate calls a drop that is just tolerated a regression.

    python bench/corpus.py [--repeats 2000] [--markdown FILE]

Documents are drawn from a large made-up population whose figure is known. Coverage: the share of 95% intervals that
hold it. False regressions: two models, the second worse by exactly the tolerated drop; the share of paired one-sided
95% bounds that lie below it. Both with their Monte Carlo error.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.stats import Contributions, corpus_difference, corpus_figure
from evalkit.stats.corpus_kinds import KINDS

Floats = NDArray[np.float64]
_POPULATION = 400_000


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    make: Callable[[np.random.Generator, int], tuple[Floats, Floats, NDArray[np.int64] | None]]
    """Two runs' documents and the clusters that they belong to."""


def classes(shares: list[float], right: float, worse: float) -> Callable[..., tuple[Floats, Floats, None]]:
    """Gold labels with these shares; two models that agree where they can, the second right less often."""

    def make(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, None]:
        gold = rng.choice(len(shares), n, p=shares)
        luck, shared = rng.random(n), rng.random(n)
        wrong = (gold + rng.integers(1, len(shares), n)) % len(shares)
        first = np.where(luck < right, gold, wrong)
        second = np.where(np.where(shared < 0.7, luck, rng.random(n)) < right - worse, gold, wrong)
        return (*(np.stack([gold, said], axis=1).astype(float) for said in (first, second)), None)

    return make


def words(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, None]:
    """Log-likelihoods of texts of very different lengths."""
    length = rng.lognormal(4, 0.8, n).round() + 1
    level = rng.normal(-3, 0.5, n)
    first, second = (np.stack([length * (level - gap + rng.normal(0, 0.1, n)), length], axis=1) for gap in (0.0, 0.03))
    return first, second, None


def characters(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, None]:
    """chrF's counts: answers that share more or less with their references."""
    length = rng.integers(20, 200, n)
    share = rng.beta(4, 3, n)
    runs = []
    for gap in (0.0, 0.02):
        columns = []
        for order in range(1, 7):
            said = np.maximum(length - order + 1, 0)
            columns += [said, said, rng.binomial(said, np.clip(share - gap, 0, 1) ** order)]
        runs.append(np.stack(columns, axis=1).astype(float))
    return runs[0], runs[1], None


def stereotypes(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Four questions to a template, each answered with the stereotype, against it, or not at all."""
    cluster = np.arange(n) // 4
    lean = rng.normal(0, 0.1, n // 4 + 1)[cluster]
    runs = []
    for gap in (0.0, 0.05):
        draw = rng.random(n)
        biased, against = draw < 0.3 + lean + gap, draw > 0.8 + lean
        runs.append(np.stack([biased.astype(float) - against, (rng.random(n) < 0.95).astype(float)], axis=1))
        runs[-1][:, 0] *= runs[-1][:, 1]
    return runs[0], runs[1], cluster


CASES = (
    Case("macro-F1, two classes 50:50", "macro_f1", classes([0.5, 0.5], 0.7, 0.03)),
    Case("macro-F1, two classes 85:15", "macro_f1", classes([0.85, 0.15], 0.8, 0.03)),
    Case("macro-F1, four classes, one rare", "macro_f1", classes([0.4, 0.35, 0.2, 0.05], 0.6, 0.03)),
    Case("Matthews, two classes 70:30", "mcc", classes([0.7, 0.3], 0.75, 0.03)),
    Case("F1, two classes 70:30", "f1", classes([0.7, 0.3], 0.75, 0.03)),
    Case("chrF", "chrf", characters),
    Case("word perplexity", "perplexity", words),
    Case("bias, clusters of four", "ratio", stereotypes),
)


def true_figures(case: Case) -> tuple[float, float]:
    first, second, _ = case.make(np.random.default_rng(1), _POPULATION)
    kind = KINDS[case.kind]
    labels = kind.labels(first, second)
    values = [float(kind.value(kind.summands(part, labels).sum(axis=0))) for part in (first, second)]
    return values[0], values[1]


def simulate(case: Case, n: int, repeats: int) -> tuple[float, float]:
    """The share of intervals that hold the truth, and of drops just tolerated that are called regressions."""
    here, there = true_figures(case)
    sign = -1 if case.kind in ("perplexity", "ratio") else 1
    drop = sign * (there - here)
    held = false = 0
    for seed in range(repeats):
        first, second, clusters = case.make(np.random.default_rng(10_000 + seed), n)
        held += here in corpus_figure([Contributions(case.kind, (first,), clusters)], seed).interval()
        found = corpus_difference([Contributions(case.kind, (first, second), clusters)], sign, seed)
        false += found.upper(0.95) < drop
    return held / repeats, false / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    lines = ["| figure | documents | coverage of 95% | false regressions at 5% |", "|---|---|---|---|"]
    for case in CASES:
        for n in asked.sizes:
            held, false = simulate(case, n, asked.repeats)
            errors = [100 * math.sqrt(max(p * (1 - p), 1e-9) / asked.repeats) for p in (held, false)]
            cells = (f"{held:.1%} ± {errors[0]:.1f}", f"{false:.1%} ± {errors[1]:.1f}")
            lines.append(f"| {case.name} | {n:,} | {cells[0]} | {cells[1]} |")
            print(lines[-1], flush=True)
    if asked.markdown:
        asked.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
