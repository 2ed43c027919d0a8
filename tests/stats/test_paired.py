"""Paired tests, corrections for many tests, groups and ranks against scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps
from statsmodels.stats.multitest import multipletests

from evalkit.stats import (
    chance_normalised_mean,
    clustered_mean,
    group_mean,
    holm,
    holm_levels,
    pairwise_better,
    plain_mean,
    rank_intervals,
)
from tests.helpers.paired import paired_difference

RNG = np.random.default_rng(20261121)

# ── paired tests ───────────────────────────────────────────────────────────────


def test_unclustered_paired_difference_equals_scipy() -> None:
    a, b = RNG.normal(0, 1, 80), RNG.normal(0.2, 1, 80)
    found, expected = paired_difference(b - a), sps.ttest_rel(b, a)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert paired_difference([0.0, 0.0]).p == 1.0
    assert paired_difference([0.5]).p == 1.0


def test_clustered_paired_difference_equals_statsmodels() -> None:
    groups = RNG.integers(0, 25, 300)
    d = RNG.normal(0.1, 1, 300) + RNG.normal(0, 0.5, 25)[groups]
    fit = sm.OLS(d, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    assert paired_difference(d, clusters=groups).p == pytest.approx(float(fit.pvalues[0]))


# ── multiplicity ───────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_corrections_equal_statsmodels(p_values: list[float]) -> None:
    assert list(holm(p_values)) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_holm_levels_decide_as_holm_does(p_values: list[float]) -> None:
    adjusted, levels = holm(p_values), holm_levels(p_values, 0.05)
    near = np.abs(adjusted - 0.05) < 1e-9
    assert np.array_equal((adjusted < 0.05)[~near], (np.asarray(p_values) < levels)[~near])


# ── pass@k, groups, ranks ──────────────────────────────────────────────────────


def test_group_error_is_that_of_the_weighted_sum() -> None:
    parts = [(RNG.random(n) < p).astype(float) for n, p in ((100, 0.3), (300, 0.6), (600, 0.9))]
    values, sizes = [p.mean() for p in parts], [p.size for p in parts]
    errors = [sps.sem(p) for p in parts]
    value, stderr = group_mean(values, errors, sizes)
    pooled = clustered_mean(np.concatenate(parts), strata=np.repeat([0, 1, 2], sizes))
    assert (value, stderr) == pytest.approx((pooled.value, pooled.stderr))
    assert stderr != pytest.approx(np.mean(errors), rel=0.2)
    assert group_mean(values, errors, sizes, weight_by_size=False)[0] == pytest.approx(np.mean(values))


def test_chance_normalised_mean() -> None:
    value, stderr = chance_normalised_mean([0.625, 0.5], [0.01, 0.02], [0.25, 0.0])
    assert value == pytest.approx((0.5 + 0.5) / 2)
    assert stderr == pytest.approx(math.hypot(0.01 / 0.75, 0.02) / 2)
    assert plain_mean([0.2, 0.4], [0.0, 0.0]) == pytest.approx((0.3, 0.0))


def test_ranks_that_cannot_be_separated_overlap() -> None:
    better = pairwise_better([0.9, 0.5, 0.501, 0.1, 0.4], [0.01, 0.01, 0.01, 0.01, math.nan])
    ranks = [(rank.low, rank.high) for rank in rank_intervals(better)]
    assert ranks == [(1, 2), (2, 4), (2, 4), (4, 5), (1, 5)]


def test_rank_intervals_cover_the_true_ranks() -> None:
    true = np.array([0.3, 0.5, 0.52, 0.55, 0.7, 0.72])
    order = np.argsort(np.argsort(-true)) + 1
    missed = 0
    for _ in range(2000):
        seen = true + RNG.normal(0, 0.02, true.size)
        ranks = rank_intervals(pairwise_better(seen, np.full(true.size, 0.02)))
        missed += any(not rank.low <= place <= rank.high for rank, place in zip(ranks, order, strict=True))
    assert missed / 2000 <= 0.05
