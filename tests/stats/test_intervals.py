"""Intervals, clusters and strata against scipy, statsmodels and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps
from statsmodels.stats.proportion import proportion_confint

from evalkit.stats import (
    clopper_pearson_limits,
    clustered_mean,
    mean_t,
    wilson,
)

RNG = np.random.default_rng(20261121)

# ── intervals ──────────────────────────────────────────────────────────────────


@given(n=st.integers(1, 3000), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=150, deadline=None)
def test_proportion_intervals_equal_statsmodels(n: int, share: float, level: float) -> None:
    k = round(n * share)
    ours = wilson(k, n, level)
    assert (ours.low, ours.high) == pytest.approx(proportion_confint(k, n, 1 - level, "wilson"), abs=1e-9)
    limits = clopper_pearson_limits(k, n, (1 - level) / 2)
    assert tuple(map(float, limits)) == pytest.approx(proportion_confint(k, n, 1 - level, "beta"), abs=1e-9)


def test_clopper_pearson_of_the_textbook() -> None:
    """Zero of ten: the rule of three's exact form; 95% of no event in n trials is 1 − 0.05^(1/n) one-sided."""
    assert clopper_pearson_limits(0, 10, 0.05)[1] == pytest.approx(1 - 0.05 ** (1 / 10))
    assert clopper_pearson_limits(4, 20, 0.025)[0] == pytest.approx(0.0573, abs=1e-4)
    assert clopper_pearson_limits(4, 20, 0.025)[1] == pytest.approx(0.4366, abs=1e-4)


def test_impossible_proportions_are_refused() -> None:
    for k, n in ((3, 2), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="does not exist"):
            wilson(k, n)


def test_mean_interval_equals_scipy() -> None:
    x = RNG.normal(3, 2, 25)
    expected = sps.t.interval(0.95, 24, loc=x.mean(), scale=sps.sem(x))
    assert (mean_t(x).low, mean_t(x).high) == pytest.approx(expected)
    assert mean_t([1.0]).low == -math.inf


# ── clusters, strata, weights ──────────────────────────────────────────────────


def test_clustered_standard_error_equals_statsmodels() -> None:
    groups = RNG.integers(0, 30, 400)
    x = RNG.normal(0, 1, 400) + RNG.normal(0, 1, 30)[groups]
    fit = sm.OLS(x, np.ones(400)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    found = clustered_mean(x, clusters=[f"c{g}" for g in groups])
    # statsmodels also multiplies by (N−1)/(N−K), which is 1 for a mean.
    assert found.stderr == pytest.approx(float(fit.bse[0]), rel=1e-9)
    assert found.df == 29
    assert (found.interval().low, found.interval().high) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-9)


def test_without_clusters_it_is_the_ordinary_standard_error() -> None:
    x = RNG.normal(0, 1, 50)
    assert clustered_mean(x).stderr == pytest.approx(sps.sem(x))
    assert clustered_mean(x, clusters=[None] * 50).stderr == pytest.approx(sps.sem(x))
    assert clustered_mean(x, clusters=np.arange(50)).df == 49


def test_null_clusters_are_each_their_own() -> None:
    labels = ["a", "a", None, None, "b", float("nan")]
    assert clustered_mean(np.arange(6.0), clusters=labels).clusters == 5
    assert clustered_mean(np.arange(6.0), clusters=[7, 7, -3, 900, 900, 4]).clusters == 4


def test_strata_add_their_own_variances() -> None:
    sizes, shift = (40, 100, 260), (0.0, 3.0, 9.0)
    parts = [RNG.normal(m, 1, n) for n, m in zip(sizes, shift, strict=True)]
    labels = np.repeat(["a", "b", "c"], sizes)
    found = clustered_mean(np.concatenate(parts), strata=labels)
    by_hand = math.sqrt(sum((n / 400) ** 2 * sps.sem(part) ** 2 for n, part in zip(sizes, parts, strict=True)))
    assert found.stderr == pytest.approx(by_hand)
    assert found.df == 397
    # Differences between the strata are no sampling error: pooling them would be six times too wide.
    assert found.stderr < sps.sem(np.concatenate(parts)) / 2


def test_a_stratum_of_one_document_joins_another() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 9.0])
    assert clustered_mean(x, strata=["a", "a", "a", "a", "b"]).stderr == pytest.approx(sps.sem(x))
    assert math.isfinite(clustered_mean(x, strata=list("abcde")).stderr)


def test_weights_make_tasks_count_alike() -> None:
    small, large = RNG.normal(0, 1, 20), RNG.normal(2, 1, 500)
    weights = np.concatenate([np.full(20, 1 / 40), np.full(500, 1 / 1000)])
    found = clustered_mean(np.concatenate([small, large]), strata=[0] * 20 + [1] * 500, weights=weights)
    assert found.value == pytest.approx((small.mean() + large.mean()) / 2)
    assert found.stderr == pytest.approx(math.hypot(sps.sem(small), sps.sem(large)) / 2)


def test_one_cluster_says_nothing_of_the_spread() -> None:
    found = clustered_mean([1.0, 2.0, 3.0], clusters=["a", "a", "a"])
    assert math.isnan(found.stderr)
    assert found.interval().low == -math.inf
