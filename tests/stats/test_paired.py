"""Paired tests, corrections for many tests, groups and ranks against scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from evalkit.stats import (
    benjamini_hochberg,
    chance_normalised_mean,
    clustered_mean,
    group_mean,
    holm,
    holm_levels,
    mcnemar_exact,
    mcnemar_midp,
    paired_bootstrap,
    paired_difference,
    paired_t,
    pairwise_better,
    plain_mean,
    rank_intervals,
    sign_flip,
)

RNG = np.random.default_rng(20261121)

# ── paired tests ───────────────────────────────────────────────────────────────


@given(lost=st.integers(0, 60), gained=st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_mcnemar_equals_statsmodels_and_the_definition_of_mid_p(lost: int, gained: int) -> None:
    exact = mcnemar([[50, lost], [gained, 50]], exact=True).pvalue if lost + gained else 1.0
    assert mcnemar_exact(lost, gained) == pytest.approx(exact)
    n, k = lost + gained, min(lost, gained)
    half = sps.binom.pmf(k, n, 0.5) / 2
    mid = 1 - half if lost == gained else 2 * (sps.binom.cdf(k, n, 0.5) - half)
    assert mcnemar_midp(lost, gained) == pytest.approx(mid if n else 1.0)


def test_mcnemar_of_the_published_example() -> None:
    """Fagerland et al. (2013), table 1: airway responsiveness, 1 against 7: exact .0703, mid-p .0391."""
    assert mcnemar_exact(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_midp(1, 7) == pytest.approx(0.0391, abs=5e-5)


def test_paired_t_equals_scipy() -> None:
    a, b = RNG.normal(0, 1, 80), RNG.normal(0.2, 1, 80)
    found, expected = paired_t(b - a), sps.ttest_rel(b, a)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert paired_t([0.0, 0.0]).p == 1.0
    assert paired_t([0.5]).p == 1.0


def test_clustered_paired_difference_equals_statsmodels() -> None:
    groups = RNG.integers(0, 25, 300)
    d = RNG.normal(0.1, 1, 300) + RNG.normal(0, 0.5, 25)[groups]
    fit = sm.OLS(d, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    assert paired_difference(d, clusters=groups).p == pytest.approx(float(fit.pvalues[0]))


def test_sign_flip_equals_scipy() -> None:
    d = np.array([0.4, -0.1, 0.3, 0.0, 0.8, 0.25, -0.2, 0.5, 0.1])
    exact = sps.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip(d) == pytest.approx(exact)
    long = RNG.normal(0.15, 1, 200)
    drawn = sps.permutation_test((long,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1).pvalue
    assert sign_flip(long, resamples=20_000) == pytest.approx(drawn, abs=0.012)


def test_sign_flip_of_clusters_flips_them_whole() -> None:
    d = np.repeat([0.3, -0.1, 0.2, 0.4], 5)
    assert sign_flip(d, clusters=np.repeat(np.arange(4), 5)) == sign_flip([0.3, -0.1, 0.2, 0.4])
    assert sign_flip([0.0, 0.0]) == 1.0


def test_paired_bootstrap_agrees_with_the_t_test() -> None:
    d = RNG.normal(0.1, 1, 500)
    boot, t = paired_bootstrap(d), paired_t(d)
    assert boot.stderr == pytest.approx(t.stderr, rel=0.05)
    assert boot.p == pytest.approx(t.p, abs=0.02)
    groups = np.repeat(np.arange(50), 10)
    shared = d + RNG.normal(0, 1, 50)[groups]
    assert paired_bootstrap(shared, clusters=groups).stderr == pytest.approx(
        clustered_mean(shared, clusters=groups).stderr, rel=0.1
    )


# ── multiplicity ───────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_corrections_equal_statsmodels(p_values: list[float]) -> None:
    assert list(holm(p_values)) == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert list(benjamini_hochberg(p_values)) == pytest.approx(list(multipletests(p_values, method="fdr_bh")[1]))


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
