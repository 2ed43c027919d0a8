"""The statistics against scipy, statsmodels and published tables, and by simulation."""

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
from statsmodels.stats.proportion import proportion_confint

from evalkit.stats import (
    Design,
    bca_bootstrap,
    benjamini_hochberg,
    bounded_difference,
    chance_normalised_mean,
    clopper_pearson,
    clustered_mean,
    decision_probability,
    documents_needed,
    group_mean,
    holm,
    holm_levels,
    mcnemar_exact,
    mcnemar_midp,
    mean_t,
    mover_limits,
    paired_bootstrap,
    paired_difference,
    paired_t,
    pairwise_better,
    plain_mean,
    rank_intervals,
    repeats_needed,
    sign_flip,
    smallest_detectable_drop,
    wilson,
)

RNG = np.random.default_rng(20261121)


# ── intervals ────────────────────────────────────────────────────────────────


@given(n=st.integers(1, 3000), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=150, deadline=None)
def test_proportion_intervals_equal_statsmodels(n: int, share: float, level: float) -> None:
    k = round(n * share)
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "beta")):
        found, expected = ours(k, n, level), proportion_confint(k, n, 1 - level, name)
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def test_clopper_pearson_of_the_textbook() -> None:
    """Zero of ten: the rule of three's exact form; 95% of no event in n trials is 1 − 0.05^(1/n) one-sided."""
    assert clopper_pearson(0, 10, 0.9).high == pytest.approx(1 - 0.05 ** (1 / 10))
    assert clopper_pearson(4, 20).low == pytest.approx(0.0573, abs=1e-4)
    assert clopper_pearson(4, 20).high == pytest.approx(0.4366, abs=1e-4)


def test_impossible_proportions_are_refused() -> None:
    for k, n in ((3, 2), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="does not exist"):
            wilson(k, n)


def test_mean_interval_equals_scipy() -> None:
    x = RNG.normal(3, 2, 25)
    expected = sps.t.interval(0.95, 24, loc=x.mean(), scale=sps.sem(x))
    assert (mean_t(x).low, mean_t(x).high) == pytest.approx(expected)
    assert mean_t([1.0]).low == -math.inf


def test_bca_equals_scipy_up_to_the_draws() -> None:
    x = np.random.default_rng(5).exponential(1.0, 60)
    ours = bca_bootstrap(x, resamples=200_000, seed=1)
    theirs = sps.bootstrap((x,), np.mean, n_resamples=200_000, method="BCa", rng=1).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)
    assert bca_bootstrap(x, seed=3) == bca_bootstrap(x, seed=3)
    assert bca_bootstrap([2.0] * 9).low == 2.0


# ── clusters, strata, weights ────────────────────────────────────────────────


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


# ── paired tests ─────────────────────────────────────────────────────────────


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


# ── multiplicity ─────────────────────────────────────────────────────────────


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


# ── pass@k, groups, ranks ────────────────────────────────────────────────────


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


# ── bounds on a paired difference ────────────────────────────────────────────


def tables(n: int, lost: float, gained: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (lost, gained) table that may come up, with its probability."""
    most = [min(n, int(n * p + 8 * math.sqrt(n * p)) + 12) for p in (lost, gained)]
    b, c = (grid.ravel() for grid in np.meshgrid(np.arange(most[0] + 1), np.arange(most[1] + 1), indexing="ij"))
    keep = b + c <= n
    b, c = b[keep], c[keep]
    return b, c, sps.multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [lost, gained, 1 - lost - gained])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 30, 100, 164, 400])
@pytest.mark.parametrize("tolerance", [0.0, 0.01, 0.02, 0.05, 0.1, 0.3])
def test_bounds_err_at_most_as_often_as_they_say(n: int, tolerance: float) -> None:
    """Exact, by summing all tables: at a true drop of the tolerance, neither verdict comes more often than 5%."""
    for gained in (0.0, 0.001, 0.01, 0.03, 0.1, 0.3):
        if 2 * gained + tolerance > 1:
            continue
        b, c, chance = tables(n, gained + tolerance, gained)
        low, high = mover_limits(b, c, n, 0.05)
        assert chance[low > -tolerance + 1e-12].sum() <= 0.05
        assert chance[high < -tolerance - 1e-12].sum() <= 0.05


def test_nothing_changed_is_not_certainty() -> None:
    """No flip in 164 documents bounds the drop at 1.8 points, as an event not seen in 164 trials is bounded."""
    found = bounded_difference(np.zeros(164))
    assert found.lower(0.95) == pytest.approx(-(1 - 0.05 ** (1 / 164)))
    assert found.upper(0.95) == pytest.approx(1 - 0.05 ** (1 / 164))
    graded = bounded_difference(np.full(5, -0.1))
    assert graded.lower(0.95) < -0.3


def test_one_document_bounds_nothing() -> None:
    for value in (-1.0, 0.0, 1.0):
        found = bounded_difference([value])
        assert found.upper(0.95) - found.lower(0.95) > 0.9


def test_with_many_changes_it_is_the_t_interval() -> None:
    d = RNG.choice([-1.0, 0.0, 1.0], 14_042, p=[0.06, 0.9, 0.04])
    ours, t = bounded_difference(d).interval(), paired_t(d).interval
    assert (ours.low, ours.high) == pytest.approx((t.low, t.high), abs=1e-4)
    graded = RNG.normal(0, 0.1, 3000)
    ours, t = bounded_difference(graded).interval(), paired_t(graded).interval
    assert (ours.low, ours.high) == pytest.approx((t.low, t.high), abs=4e-4)


def test_p_values_are_the_levels_at_which_bounds_touch() -> None:
    d = RNG.choice([-1.0, 0.0, 1.0], 500, p=[0.08, 0.87, 0.05])
    found = bounded_difference(d)
    for at in (-0.05, -0.01, 0.02):
        below, above = found.p_below(at), found.p_above(at)
        if below < 0.5:
            assert found.upper(1 - below) == pytest.approx(at, abs=1e-6)
        if above < 0.5:
            assert found.lower(1 - above) == pytest.approx(at, abs=1e-6)
    for few in (1, 2, 5, 20):
        sparse = bounded_difference(np.concatenate([np.full(few, -1.0), np.zeros(1000 - few)]))
        assert 0 < sparse.p_below(0.005) < 0.5 < sparse.p_below(-0.1) <= 1
    assert (found.p_two_sided() < 0.05) == (0.0 not in found.interval(0.95))
    assert bounded_difference(np.full(2000, -1.0)).p_below(0.0) < 1e-50


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=60), st.floats(0.51, 0.999))
@settings(max_examples=150, deadline=None)
def test_bounds_hold_the_estimate_and_widen_with_the_level(d: list[float], level: float) -> None:
    found = bounded_difference(d)
    assert found.lower(level) <= found.delta + 1e-12 <= found.upper(level) + 2e-12
    assert found.lower(0.9995) <= found.lower(level) + 1e-12
    mirrored = bounded_difference(-np.asarray(d))
    assert mirrored.lower(level) == pytest.approx(-found.upper(level), abs=1e-9)


def test_a_relative_bound_is_the_contrast_with_the_scaled_baseline() -> None:
    """candidate − 0.98 · baseline, document by document: its t bound, where there are enough of them."""
    base = (RNG.random(8000) < 0.6).astype(float)
    candidate = np.where(RNG.random(8000) < 0.1, RNG.random(8000) < 0.5, base).astype(float)
    contrast = candidate - 0.98 * base
    expected = paired_t(contrast, 0.9).interval
    found = bounded_difference(candidate - base, baseline=base)
    assert found.lower(0.95, relative=0.02) == pytest.approx(expected.low, abs=2e-4)
    assert found.upper(0.95, relative=0.02) == pytest.approx(expected.high, abs=2e-4)


def test_no_pairs_are_no_difference() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        bounded_difference([])


# ── power ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("n", "points"), [(14_042, 0.5), (10_042, 0.6), (6_511, 0.7), (1_319, 1.5), (541, 2.4), (164, 4.3)]
)
def test_smallest_detectable_drop_at_5_percent_discordance(n: int, points: float) -> None:
    """(z.95 + z.80) · √(discordance / n): the figures known for the usual benchmarks, to a tenth of a point."""
    normal = (sps.norm.ppf(0.95) + sps.norm.ppf(0.8)) * math.sqrt(0.05 / n) * 100
    assert round(normal, 1) == points
    found = smallest_detectable_drop(n, 0.05)
    assert found is not None
    assert found * 100 == pytest.approx(points, abs=0.1)


@pytest.mark.parametrize(
    ("n", "lost", "gained", "tolerance"),
    [
        (1319, 0.075, 0.025, 0.01),
        (1319, 0.06, 0.04, 0.0),
        (164, 0.12, 0.03, 0.01),
        (6511, 0.03, 0.02, 0.0),
        (14042, 0.055, 0.045, 0.005),
    ],
)
def test_power_is_what_simulation_finds(n: int, lost: float, gained: float, tolerance: float) -> None:
    drawn = RNG.multinomial(n, [lost, gained, 1 - lost - gained], 40_000)
    low, high = mover_limits(drawn[:, 0], drawn[:, 1], n, 0.05)
    predicted = decision_probability(n, lost, gained, tolerance=tolerance)
    assert np.mean(high < -tolerance) == pytest.approx(predicted, abs=0.008)
    passed = decision_probability(n, lost, gained, tolerance=tolerance, side="pass")
    assert np.mean(low > -tolerance) == pytest.approx(passed, abs=0.008)


def test_the_needed_number_is_enough_and_not_much_too_much() -> None:
    for lost, gained, tolerance in ((0.05, 0.05, 0.01), (0.08, 0.02, 0.01), (0.02, 0.03, 0.005)):
        n = documents_needed(lost, gained, tolerance=tolerance)
        assert n is not None
        side = "pass" if gained - lost + tolerance > 0 else "regression"
        assert decision_probability(n, lost, gained, tolerance=tolerance, side=side) == pytest.approx(0.8, abs=0.02)
    assert documents_needed(0.0, 0.0, tolerance=0.01) == math.ceil(math.log(0.05) / math.log(0.99))
    assert documents_needed(0.05, 0.04, tolerance=0.01) is None or documents_needed(0.05, 0.04, tolerance=0.01) > 10**6


def test_repeats_average_only_the_noise() -> None:
    # Of a variance of 0.10, 0.06 is noise: twice the documents' work takes k with 0.04 + 0.06/k = 0.05.
    assert repeats_needed(0.10, 0.06, 1000, 2000) == 6
    assert repeats_needed(0.10, 0.04, 1000, 2000) is None
    assert repeats_needed(0.10, 0.0, 1000, 2000) is None


# ── clustered and stratified simulations ─────────────────────────────────────


def clustered_tables(
    rng: np.random.Generator, clusters: int, size: int, lost: float, gained: float, icc: float
) -> np.ndarray:
    """Differences whose documents share their cluster's own rates: a Dirichlet around the true ones."""
    spread = (1 - icc) / icc
    rates = rng.dirichlet(np.array([lost, gained, 1 - lost - gained]) * spread, clusters)
    drawn = rng.random((clusters, size))
    return np.where(drawn < rates[:, :1], -1.0, np.where(drawn < rates[:, :1] + rates[:, 1:2], 1.0, 0.0)).ravel()


@pytest.mark.parametrize(("clusters", "size", "icc"), [(20, 10, 0.3), (60, 10, 0.1), (150, 6, 0.5)])
def test_clustered_bounds_err_at_most_as_often_as_they_say(clusters: int, size: int, icc: float) -> None:
    """10,000 pairs of runs with a true drop of exactly the tolerated one."""
    rng, tolerance, runs = np.random.default_rng(clusters), 0.01, 10_000
    plan = Design(clusters * size, clusters=np.repeat(np.arange(clusters), size))
    passed = failed = 0
    for _ in range(runs):
        found = bounded_difference(clustered_tables(rng, clusters, size, 0.065, 0.055, icc), design=plan)
        passed += found.lower(0.95) > -tolerance
        failed += found.upper(0.95) < -tolerance
    assert passed / runs <= 0.05
    assert failed / runs <= 0.05
    # Not by never deciding: as if independent, documents of one source would claim several times the nominal.
    assert passed + failed > 0.01 * runs


def test_clustered_power_is_what_was_predicted() -> None:
    """At an intra-class correlation of 0.3, ten of a source count as 10/(1 + 9 · 0.3) (Kish 1965)."""
    rng, clusters, size, icc, runs = np.random.default_rng(23), 100, 10, 0.3, 6000
    plan = Design(clusters * size, clusters=np.repeat(np.arange(clusters), size))
    found = sum(
        bounded_difference(clustered_tables(rng, clusters, size, 0.14, 0.06, icc), design=plan).upper(0.95) < -0.01
        for _ in range(runs)
    )
    effective = round(clusters * size / (1 + (size - 1) * icc))
    assert found / runs == pytest.approx(decision_probability(effective, 0.14, 0.06, tolerance=0.01), abs=0.02)
