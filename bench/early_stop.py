"""How often stopping early errs, and how many documents it takes, by simulation on MMLU's shape.

    python bench/early_stop.py [--json FILE] [--runs 10000]

14,042 documents in 57 subjects, tolerance 0.01, confidence 0.95; drops differ from subject to subject. Each line is
`--runs` runs through the product's own drawing and confidence sequence, with the gate's look at the end. Beside it: the
gate on all documents, and the gate's bounds looked at after each round as if each look were the only one.

    these documents   a fixed set with exactly this drop, drawn in another order each time
    population        each run has documents of its own from a population with this drop

"ever" counts every end of a round, not only the looks that a run takes: the error at any stopping time.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.gating import EARLY_SHARE
from evalkit.stats import draw, log_capital, looks, mover_limits, stakes

Floats = NDArray[np.float64]

N, SUBJECTS, TOLERANCE, CONFIDENCE = 14_042, 57, 0.01, 0.95
CHUNK = 1_000


@dataclass(frozen=True)
class Outcome:
    """Of many runs, the share that ended so; `used` is the share of documents that a run took."""

    truth: str
    drop: float
    discordance: float
    runs: int
    regression: float
    passed: float
    open: float
    ever_regression: float
    ever_passed: float
    used_mean: float
    used_p95: float
    gate_regression: float
    gate_passed: float
    peeking_regression: float
    peeking_passed: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=10_000, help="simulated runs for each line")
    options = parser.parse_args()
    began = time.process_time()
    print(
        f"{options.runs:,} runs a line; {N:,} documents, {SUBJECTS} subjects, max_drop {TOLERANCE}, {CONFIDENCE:.0%}\n"
    )
    print(f"{'':34}{'sequence':>30}{'ever':>14}{'documents':>18}{'gate at the end':>18}{'peeking':>16}")
    print(
        f"{'truth':16}{'drop':>7}{'changed':>10}"
        f"{'REGR':>11}{'PASS':>9}{'open':>9}{'REGR':>9}{'PASS':>8}{'mean':>9}{'95%':>7}{'ratio':>8}"
        f"{'REGR':>9}{'PASS':>8}{'REGR':>9}{'PASS':>8}"
    )
    found = []
    for drop, truths in (
        (0.05, ("these documents",)),
        (0.01, ("these documents", "population")),
        (0.0, ("population",)),
    ):
        for truth in truths:
            for changed in (0.05, 0.10, 0.15):
                one = simulate(options.runs, drop, changed, population=truth == "population")
                found.append(one)
                print(line(one), flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time. {verdict(found)}")
    others = peers(max(100, options.runs // 20))
    if options.json:
        content = {"lines": [asdict(one) for one in found], "methods": others}
        options.json.write_text(json.dumps(content, indent=2))


def line(one: Outcome) -> str:
    def shares(values: tuple[float, ...], widths: tuple[int, ...]) -> str:
        return "".join(f"{value * 100:{width - 1}.2f}%" for value, width in zip(values, widths, strict=True))

    return (
        f"{one.truth:16}{one.drop * 100:6.1f}p{one.discordance * 100:9.0f}%"
        + shares((one.regression, one.passed, one.open), (11, 9, 9))
        + shares((one.ever_regression, one.ever_passed), (9, 8))
        + shares((one.used_mean, one.used_p95), (9, 7))
        + f"{1 / one.used_mean:7.1f}×"
        + shares((one.gate_regression, one.gate_passed), (9, 8))
        + shares((one.peeking_regression, one.peeking_passed), (9, 8))
    )


def verdict(found: list[Outcome]) -> str:
    fallen = [one for one in found if one.drop == 0.05]
    level = [one for one in found if one.drop == TOLERANCE]
    slowest = max(one.used_mean for one in fallen)
    worst = max(max(one.ever_regression, one.ever_passed) for one in level)
    return (
        f"A 5-point drop: {slowest * 100:.1f}% of the documents at most, on average (limit 25%)."
        f" A drop at the tolerance: wrong in {worst * 100:.2f}% of runs at most, whenever one stops (limit 5%)."
    )


# ── simulation ───────────────────────────────────────────────────────────────


def simulate(
    runs: int, drop: float, changed: float, *, population: bool, seed: int = 0, n: int = N, subjects: int = SUBJECTS
) -> Outcome:
    dice = np.random.default_rng([seed, round(drop * 1e4), round(changed * 1e4), population])
    strata = np.sort(np.arange(n) % subjects)
    whole = differences(n, strata, drop, changed, dice)
    parts = []
    for start in range(0, runs, CHUNK):
        size = min(CHUNK, runs - start)
        drawn = [_counts(n, strata, whole, (drop, changed), population, dice) for _ in range(size)]
        counts, slots = np.stack([one for one, _ in drawn]), drawn[0][1]
        parts.append(judged(counts, n, slots))
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    used = joined.pop("used")
    shares = {key: float(values.mean()) for key, values in joined.items()}
    return Outcome(
        truth="population" if population else "these documents",
        drop=drop,
        discordance=changed,
        runs=runs,
        used_mean=float(used.mean()),
        used_p95=float(np.quantile(used, 0.95)),
        **shares,
    )


def differences(n: int, strata: NDArray[np.intp], drop: float, changed: float, dice: np.random.Generator) -> Floats:
    """A fixed set with exactly this drop, its losses and gains crowded into some subjects."""
    lost, gained = round(n * (changed + drop) / 2), round(n * (changed - drop) / 2)
    weight = dice.gamma(2.0, size=int(strata.max()) + 1)[strata]
    places = dice.choice(n, size=lost + gained, replace=False, p=weight / weight.sum())
    found = np.zeros(n)
    found[places[:lost]], found[places[lost:]] = -1.0, 1.0
    return found


def _counts(
    n: int,
    strata: NDArray[np.intp],
    whole: Floats,
    truth: tuple[float, float],
    population: bool,
    dice: np.random.Generator,
) -> tuple[NDArray[np.float64], int]:
    """Lost, unchanged and gained documents of each round."""
    drop, changed = truth
    drawing = draw(n, seed=int(dice.integers(2**63)), strata=None if population else strata)
    sizes = np.array([len(order) for order in drawing.order])
    if population:
        # Documents that are drawn at random each time are as good in one order as in another.
        shares = ((changed + drop) / 2, 1 - changed, (changed - drop) / 2)
        return dice.multinomial(sizes, shares).astype(float), drawing.slots
    values = whole[np.concatenate(drawing.order)]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    lost, gained = (np.add.reduceat((values == value).astype(float), starts) for value in (-1.0, 1.0))
    return np.stack([lost, sizes - lost - gained, gained], axis=1), drawing.slots


def judged(counts: Floats, n: int, slots: int) -> dict[str, Any]:
    """Verdicts of runs with these counts per round, and of the gate on the same."""
    rounds, alpha = counts.shape[1], 1 - CONFIDENCE
    values, shares = np.array([-1.0, 0.0, 1.0]) + TOLERANCE, stakes(n)

    def crossed(side: int) -> NDArray[np.bool_]:
        capital = [
            log_capital(side * values, counts, lowest=min(side * values), slots=slots, rounds=remaining, shares=shares)
            for remaining in (rounds, None)
        ]
        return np.minimum(*capital) > -math.log(EARLY_SHARE * alpha)

    falls, passes = crossed(-1), crossed(+1)
    at = np.array(looks(rounds)) - 1
    seen = np.cumsum(counts, axis=1)
    decided = (falls | passes)[:, at]
    early = decided.any(axis=1)
    first = np.where(early, decided.argmax(axis=1), len(at) - 1)
    used = seen.sum(axis=2)[np.arange(len(counts)), at[first]] / n
    fell_early = early & falls[np.arange(len(counts)), at[first]]
    end_fell, end_passed = gate(seen[:, -1], (1 - EARLY_SHARE) * alpha)
    fell, passed = np.where(early, fell_early, end_fell), np.where(early, ~fell_early, end_passed)
    gate_fell, gate_passed = gate(seen[:, -1], alpha)
    peeks = [gate(seen[:, look], alpha) for look in at]
    return {
        "regression": fell,
        "passed": passed,
        "open": ~fell & ~passed,
        "ever_regression": falls.any(axis=1) | end_fell,
        "ever_passed": passes.any(axis=1) | end_passed,
        "used": used,
        "gate_regression": gate_fell,
        "gate_passed": gate_passed,
        "peeking_regression": np.any([down for down, _ in peeks], axis=0),
        "peeking_passed": np.any([up for _, up in peeks], axis=0),
    }


def gate(counts: Floats, alpha: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """REGRESSION and PASS of the gate's bounds on these counts of lost, unchanged and gained documents."""
    low, high = mover_limits(counts[:, 0], counts[:, 2], counts.sum(axis=1), alpha)
    return high < -TOLERANCE, low > -TOLERANCE


# ── other ways to look early ─────────────────────────────────────────────────


def peers(runs: int) -> dict[str, dict[str, float]]:
    """Ways to bound the same differences at any time, at the error that looking early may spend, 10% changed."""
    print(
        f"\n{runs:,} runs each of a population, 10% of answers change, error {EARLY_SHARE * (1 - CONFIDENCE):.2%}"
        " a side, no last look; the grids are read after each round, the other two after each document\n"
    )
    print(
        f"{'method':34}{'5 points down: documents':>26}{'no drop: documents':>20}{'at the tolerance: REGR / PASS':>32}"
    )
    found: dict[str, dict[str, float]] = {}
    truths = {drop: _population(runs, drop, 0.10) for drop in (0.05, 0.0, TOLERANCE)}
    for name, method in METHODS.items():
        fell, passed = method(truths[0.05], -1), method(truths[0.0], +1)
        wrong = [float(np.isfinite(method(truths[TOLERANCE], side)).mean()) for side in (-1, +1)]
        used = [float(np.minimum(first, 1.0).mean()) for first in (fell, passed)]
        found[name] = {"fell": used[0], "passed": used[1], "wrong_regression": wrong[0], "wrong_pass": wrong[1]}
        print(f"{name:34}{used[0]:26.1%}{used[1]:20.1%}{wrong[0]:23.1%} /{wrong[1]:6.1%}")
    return found


def _population(runs: int, drop: float, changed: float) -> NDArray[np.float64]:
    dice = np.random.default_rng(round(drop * 1e4) + 5)
    shares = [(changed + drop) / 2, 1 - changed, (changed - drop) / 2]
    return dice.choice(np.array([-1.0, 0.0, 1.0]), p=shares, size=(runs, N))


def _grid(documents: Floats, side: int, *, both: bool) -> Floats:
    """Share of the documents at which it is sure; infinite where it never is."""
    rounds = draw(N, seed=0).rounds
    edges = np.linspace(0, N, rounds + 1).round().astype(int)
    parts = [documents[:, a:b] for a, b in pairwise(edges)]
    counts = np.stack([np.stack([(part == v).sum(axis=1) for v in (-1, 0, 1)], axis=1) for part in parts], axis=1)
    values, slots = side * (np.array([-1.0, 0.0, 1.0]) + TOLERANCE), -(-N // rounds)
    found = [
        log_capital(values, counts, lowest=min(values), slots=slots, rounds=remaining, shares=stakes(N))
        for remaining in ((rounds, None) if both else (rounds,))
    ]
    return _first(np.min(found, axis=0) > _NEEDED, edges[1:] / N)


def _empirical_bernstein(documents: Floats, side: int) -> Floats:
    """Waudby-Smith & Ramdas (2023), theorem 2, one-sided, with its plug-in stakes; values put into [0, 1]."""
    x, m = (side * documents + 1) / 2, (1 - side * TOLERANCE) / 2
    total, spread, evidence = np.full(len(x), 0.5), np.full(len(x), 0.25), np.zeros(len(x))
    sure = np.full(len(x), np.inf)
    for t in range(1, N + 1):
        mean = total / t
        stake = np.minimum(np.sqrt(2 * _NEEDED / (spread * np.log(1 + t))), 0.5)
        now = x[:, t - 1]
        evidence += stake * (now - m) - (now - mean) ** 2 * (-np.log1p(-stake) - stake)
        total, spread = total + now, spread + (now - (total + now) / (t + 1)) ** 2
        sure = np.where(np.isinf(sure) & (evidence > _NEEDED), t / N, sure)
    return sure


def _plug_in(documents: Floats, side: int) -> Floats:
    """One stake that follows the data: the same paper's approximation of the one that grows fastest."""
    z = side * (documents + TOLERANCE)
    total, squares, capital = np.zeros(len(z)), np.full(len(z), 0.25), np.zeros(len(z))
    sure = np.full(len(z), np.inf)
    for t in range(1, N + 1):
        mean, square = total / t, squares / t
        now = z[:, t - 1]
        capital += np.log1p(np.clip(mean / square, 0.0, 0.5) * now)
        total, squares = total + now, squares + now**2
        sure = np.where(np.isinf(sure) & (capital > _NEEDED), t / N, sure)
    return sure


def _first(crossed: NDArray[np.bool_], at: Floats) -> Floats:
    return np.where(crossed.any(axis=1), at[crossed.argmax(axis=1)], np.inf)


_NEEDED = -math.log(EARLY_SHARE * (1 - CONFIDENCE))
METHODS: dict[str, Callable[[Floats, int], Floats]] = {
    "grid of stakes, both meanings": lambda documents, side: _grid(documents, side, both=True),
    "the same, these documents alone": lambda documents, side: _grid(documents, side, both=False),
    "one stake, following the data": _plug_in,
    "empirical Bernstein": _empirical_bernstein,
}


if __name__ == "__main__":
    main()
