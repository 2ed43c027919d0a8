"""How often `evalkit curve` errs, by simulation, and how long it takes on a training run's published figures.

    python bench/curve.py [--runs 400] [--f1-runs 0] [--points 10] [--documents 500] [--json FILE] [--sweep DIR]

Each run is a curve of `--points` checkpoints that all have the same true accuracy, judged by the product's own code.
Checkpoints share their documents: an answer depends on the document's difficulty and on luck of its own.

    called a change   the last worse than the best, or any point better or worse than the first; nominally 5% at most
    best covered      the interval of the checkpoint that came out best holds its true value; nominally 95%
    naive             the same with a 95% interval that takes no account of having chosen it
    found             one checkpoint in the middle is better by 8 points: the last is called worse
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.curves import Bands, Evidence, Paired, decide
from evalkit.curves.corpus import Resampled
from evalkit.stats import Contributions, Interval, corpus_figure, wilson

Floats = NDArray[np.float64]

TRUE, GAIN = 0.5, 0.08


@dataclass(frozen=True)
class Outcome:
    """Shares of runs."""

    evidence: str
    runs: int
    called_a_change: float
    best_covered: float
    naive_covered: float
    found: float


def answers(points: int, documents: int, rng: np.random.Generator, gain: float = 0.0) -> Floats:
    """Right and wrong of each checkpoint; the middle one is better by `gain`."""
    chance = np.tile(rng.beta(2, 2, documents), (points, 1))
    chance[points // 2] = np.minimum(chance[points // 2] + gain, 1.0)
    return (rng.random((points, documents)) < chance).astype(float)


def simulate(evidence: str, runs: int, points: int, documents: int, *, draws: int = 4_000, seed: int = 0) -> Outcome:
    rng = np.random.default_rng(seed)
    changed = covered = naive = found = 0
    for _ in range(runs):
        values = answers(points, documents, rng)
        judge = _judge(evidence, values, draws)
        means = _figures(judge, values)
        verdict = decide(means, judge, tolerance=0.01)
        changed += bool(verdict.declined) or any(verdict.against)
        band = judge.band(verdict.best)
        covered += band is not None and TRUE in band
        naive += TRUE in _naive(evidence, values[verdict.best])
        better = answers(points, documents, rng, GAIN)
        judge = _judge(evidence, better, draws)
        found += bool(decide(_figures(judge, better), judge, tolerance=0.01).declined)
    return Outcome(evidence, runs, changed / runs, covered / runs, naive / runs, found / runs)


def _f1(*right: Floats) -> list[Contributions]:
    """Two classes of the same size, of which either is taken for the other where an answer is wrong."""
    gold = np.arange(right[0].size) % 2
    parts = tuple(np.stack([gold, np.where(run > 0, gold, 1 - gold)], axis=1).astype(float) for run in right)
    return [Contributions("macro_f1", parts)]


def _figures(judge: Evidence, values: Floats) -> list[float]:
    return judge.values if isinstance(judge, Resampled) else [float(mean) for mean in values.mean(axis=1)]


def _naive(evidence: str, values: Floats) -> Interval:
    if evidence == "macro F1":
        return corpus_figure(_f1(values)).interval()
    return wilson(float(values.sum()), values.size)


def _judge(evidence: str, values: Floats, draws: int) -> Evidence:
    if evidence == "paired":
        return Paired(values, draws=draws)
    if evidence == "macro F1":
        return Resampled(_f1(*values))
    n = values.shape[1]
    means = [float(mean) for mean in values.mean(axis=1)]
    return Bands(means, [float(np.sqrt(mean * (1 - mean) / (n - 1))) for mean in means])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--f1-runs", type=int, default=0, help="runs of a figure of all documents together, slower")
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--sweep", metavar="DIR", help="a folder of lm-eval result folders, read and judged")
    args = parser.parse_args()
    print(f"{args.points} checkpoints, {args.documents} documents, {args.runs} runs")
    print(f"{'':10}{'called a change':>18}{'best covered':>15}{'naive':>9}{'found':>9}")
    outcomes = []
    for evidence, runs in (("paired", args.runs), ("unpaired", args.runs), ("macro F1", args.f1_runs)):
        if not runs:
            continue
        outcome = simulate(evidence, runs, args.points, args.documents)
        outcomes.append(outcome)
        print(
            f"{evidence:10}{outcome.called_a_change:>17.1%} {outcome.best_covered:>14.1%} {outcome.naive_covered:>8.1%}"
            f" {outcome.found:>8.1%}"
        )
    if args.sweep:
        import evalkit as ek

        start = time.perf_counter()
        drawn = ek.curve(import_=args.sweep).result
        seconds = time.perf_counter() - start
        points = sum(len(task.points) for task in drawn.tasks)
        print(f"{args.sweep}: {len(drawn.tasks)} tasks, {points} points in {seconds:.1f} s")
    if args.json:
        Path(args.json).write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


if __name__ == "__main__":
    main()
