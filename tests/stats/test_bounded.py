"""Bounds on a paired difference, and how many documents it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps

from evalkit.stats import (
    Design,
    bounded_difference,
    decision_probability,
    documents_needed,
    mover_limits,
    repeats_needed,
    smallest_detectable_drop,
)
from tests.helpers.paired import paired_difference
from tests.helpers.simulated import tables

RNG = np.random.default_rng(20261121)


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
    ours, t = bounded_difference(d).interval(), paired_difference(d).interval
    assert (ours.low, ours.high) == pytest.approx((t.low, t.high), abs=1e-4)
    graded = RNG.normal(0, 0.1, 3000)
    ours, t = bounded_difference(graded).interval(), paired_difference(graded).interval
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
    expected = paired_difference(contrast, level=0.9).interval
    found = bounded_difference(candidate - base, baseline=base)
    assert found.lower(0.95, relative=0.02) == pytest.approx(expected.low, abs=2e-4)
    assert found.upper(0.95, relative=0.02) == pytest.approx(expected.high, abs=2e-4)


def test_no_pairs_are_no_difference() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        bounded_difference([])


# ── power ──────────────────────────────────────────────────────────────────────


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


# ── clustered and stratified simulations ───────────────────────────────────────


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
