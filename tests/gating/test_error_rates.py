"""How often the gate errs, over 10,000 pairs of runs each."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.gating import Evidence, decide
from evalkit.policy import Drop, TaskPolicy
from evalkit.stats import decision_probability
from tests.helpers.gates import GSM8K, RUNS, of_values


def paired_counts(n: int, lost: float, gained: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(n, [lost, gained, 1 - lost - gained], RUNS)


def verdict_rates(n: int, counts: np.ndarray, policy: TaskPolicy) -> dict[str, float]:
    """The gate's own decision on every distinct table, counted as often as it came up."""
    tables, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    rates = {"pass": 0.0, "regression": 0.0, "cannot_tell": 0.0}
    for (lost, gained), count in zip(tables, times, strict=True):
        base, other = np.zeros(n), np.zeros(n)
        base[:lost] = 1.0
        other[lost : lost + gained] = 1.0
        (decision,) = decide([of_values("t", base, other, policy)])
        rates[decision.verdict] += count / len(counts)
    return rates


@pytest.mark.parametrize(("n", "discordance"), [(164, 0.05), (164, 0.2), (500, 0.1), (GSM8K, 0.05), (GSM8K, 0.1)])
def test_no_difference_is_a_regression_at_most_as_often_as_said(n: int, discordance: float) -> None:
    counts = paired_counts(n, discordance / 2, discordance / 2, seed=n)
    for tolerance in (0.0, 0.01):
        assert verdict_rates(n, counts, TaskPolicy(max_drop=Drop(tolerance)))["regression"] <= 0.05


@pytest.mark.parametrize(("n", "discordance"), [(164, 0.05), (164, 0.2), (500, 0.1), (GSM8K, 0.05), (GSM8K, 0.1)])
def test_a_drop_of_exactly_the_tolerance_errs_at_most_as_often_as_said(n: int, discordance: float) -> None:
    counts = paired_counts(n, (discordance + 0.01) / 2, (discordance - 0.01) / 2, seed=n + 1)
    rates = verdict_rates(n, counts, TaskPolicy(max_drop=Drop(0.01)))
    assert rates["regression"] <= 0.05
    assert rates["pass"] <= 0.05


def test_a_five_point_drop_on_gsm8k_is_found(  # the fixed rule of 8 points sees it once in a hundred
) -> None:
    counts = paired_counts(GSM8K, 0.075, 0.025, seed=5)
    rates = verdict_rates(GSM8K, counts, TaskPolicy(max_drop=Drop(0.01)))
    assert rates["regression"] >= 0.95
    fixed = np.mean((counts[:, 1] - counts[:, 0]) / GSM8K < -0.08)
    assert fixed < 0.02


@pytest.mark.parametrize(("lost", "gained", "tolerance"), [(0.06, 0.04, 0.0), (0.07, 0.03, 0.01), (0.055, 0.02, 0.01)])
def test_power_is_what_was_predicted(lost: float, gained: float, tolerance: float) -> None:
    counts = paired_counts(GSM8K, lost, gained, seed=7)
    rates = verdict_rates(GSM8K, counts, TaskPolicy(max_drop=Drop(tolerance)))
    predicted = decision_probability(GSM8K, lost, gained, tolerance=tolerance)
    assert rates["regression"] == pytest.approx(predicted, abs=0.02)


@pytest.mark.parametrize(("drop", "tolerance"), [(0.0, 0.01), (0.02, 0.02)])
def test_clustered_pairs_err_at_most_as_often_as_said(drop: float, tolerance: float) -> None:
    rng, clusters, size = np.random.default_rng(11), 80, 8
    labels = np.repeat(np.arange(clusters), size)
    policy = TaskPolicy(max_drop=Drop(tolerance))
    wrong = {"pass": 0, "regression": 0, "cannot_tell": 0}
    for _ in range(RUNS):
        # Whole sources move together: each has its own chance to be lost or gained.
        lost, gained = (rng.beta(p * 2, (1 - p) * 2, clusters) for p in (0.08 + drop, 0.08))
        u = rng.random((clusters, size))
        d = np.where(u < lost[:, None], -1.0, np.where(u > 1 - gained[:, None], 1.0, 0.0)).ravel()
        proof = of_values("t", (d < 0).astype(float), (d > 0).astype(float), policy, clusters=labels)
        bound = proof.best
        assert bound is not None
        wrong["regression"] += bound.upper(0.95) < -tolerance
        wrong["pass"] += bound.lower(0.95) > -tolerance
    assert wrong["regression"] / RUNS <= 0.05
    if drop == tolerance:
        assert wrong["pass"] / RUNS <= 0.05


def test_a_family_errs_at_most_as_often_as_said() -> None:
    """Five tasks, each dropped by exactly what is tolerated: some REGRESSION in at most 5% of gates."""
    policy = TaskPolicy(max_drop=Drop(0.01))
    rng = np.random.default_rng(13)
    gates = 2000
    failed = 0
    for _ in range(gates):
        evidence: list[Evidence] = []
        for k in range(5):
            lost, gained = rng.multinomial(500, [0.04, 0.03, 0.93])[:2]
            base, other = np.zeros(500), np.zeros(500)
            base[:lost], other[lost : lost + gained] = 1.0, 1.0
            evidence.append(of_values(f"t{k}", base, other, policy))
        failed += any(decision.verdict == "regression" for decision in decide(evidence))
    assert failed / gates <= 0.05


def test_a_relative_tolerance_errs_at_most_as_often_as_said() -> None:
    rng, n, share = np.random.default_rng(17), 600, 0.05
    policy = TaskPolicy(max_drop=Drop(share, relative=True))
    wrong = {"pass": 0, "regression": 0, "cannot_tell": 0}
    for _ in range(RUNS // 2):
        base = (rng.random(n) < 0.5).astype(float)
        chance = rng.random(n)
        other = np.where(base == 1, chance >= (0.03 + share * 0.5) / 0.5, chance < 0.03 / 0.5).astype(float)
        bound = of_values("t", base, other, policy).best
        assert bound is not None
        wrong["regression"] += bound.upper(0.95, share) < 0
        wrong["pass"] += bound.lower(0.95, share) > 0
    assert wrong["regression"] / (RUNS // 2) <= 0.05
    assert wrong["pass"] / (RUNS // 2) <= 0.05
