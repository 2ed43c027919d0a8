"""The drawing of documents, and bounds that hold at any time."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.stats import ConfidenceSequence, Drawing, draw, log_capital, looks, stakes
from tests.conftest import ROOT
from tests.helpers.early import ALPHA, too_many

# ── the drawing ────────────────────────────────────────────────────────────────


@given(st.integers(48, 400), st.integers(1, 6), st.integers(1, 60), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_document_is_drawn_once_and_units_stay_whole(
    n: int, strata: int, sources: int, clustered: bool, seed: int
) -> None:
    labels = [f"s{i % strata}" for i in range(n)]
    clusters = [None if i % 3 else f"c{i % sources}" for i in range(n)] if clustered else None
    drawing = draw(n, seed=seed, strata=labels, clusters=clusters)
    assert sorted(np.concatenate(drawing.order)) == list(range(n))
    round_of = {int(i): number for number, order in enumerate(drawing.order) for i in order}
    for i in range(n):
        for j in range(i + 1, n):
            if clusters and clusters[i] is not None and clusters[i] == clusters[j] and labels[i] == labels[j]:
                assert round_of[i] == round_of[j], "a source is drawn as one"
    again = draw(n, seed=seed, strata=labels, clusters=clusters)
    assert all(np.array_equal(a, b) for a, b in zip(drawing.order, again.order, strict=True))


def test_strata_come_in_proportion_at_the_end_of_every_round() -> None:
    strata = np.repeat([0, 1, 2], [1400, 500, 100])
    shuffled = np.random.default_rng(0).permutation(strata)
    drawing = draw(2000, seed=5, strata=shuffled)
    for done in range(1, drawing.rounds + 1):
        drawn = shuffled[drawing.drawn(done)]
        expected = np.array([1400, 500, 100]) * done / drawing.rounds
        # Two slots straddle two strata each, and a few places are empty.
        assert np.all(np.abs(np.bincount(drawn, minlength=3) - expected) <= 4 + math.sqrt(done) * 2)


def test_another_seed_draws_another_order_and_each_document_is_first_alike() -> None:
    first = np.zeros(240)
    for seed in range(2000):
        first[draw(240, seed=seed).order[0]] += 1
    share = first / 2000
    assert abs(share.mean() - 0.1) < 0.002
    assert share.min() > 0.07
    assert share.max() < 0.13


def test_looks_are_few_and_end_with_the_last_round() -> None:
    assert looks(1) == [1]
    assert looks(40)[-1] == 40
    assert len(looks(40)) < 20
    assert all(a < b for a, b in zip(looks(40), looks(40)[1:], strict=False))


# ── the capital ────────────────────────────────────────────────────────────────


def by_hand(units: Sequence[Sequence[float]], lowest: float, slots: int, rounds: int | None, share: float) -> float:
    """One stake, unit by unit, from the definition."""
    capital, drawn, places = 1.0, 0.0, 0
    best = 1.0
    for values in units:
        z = 0.0 if rounds is None else -drawn / (slots * rounds - places)
        stake = min(share / -lowest, 0.9 / (z - lowest))
        for value in [*values, *[0.0] * (slots - len(values))]:
            capital *= 1 + stake * (value - z)
        drawn, places = drawn + sum(values), places + slots
        best = max(best, capital)
    return math.log(best)


@pytest.mark.parametrize("rounds", [6, None])
def test_capital_is_the_product_of_the_paper(rounds: int | None) -> None:
    dice = np.random.default_rng(3)
    units = [list(dice.choice([-0.95, 0.05, 1.05], size=int(dice.integers(5, 8)))) for _ in range(4)]
    values = np.array([-0.95, 0.05, 1.05])
    counts = [[sum(abs(u - v) < 1e-9 for u in one) for v in values] for one in units]
    for share in (0.9, 0.3, 0.02):
        found = log_capital(values, counts, lowest=-0.95, slots=7, rounds=rounds, shares=[share])
        assert found[-1] == pytest.approx(by_hand(units, -0.95, 7, rounds, share), abs=1e-9)


def rejected(values: np.ndarray, drawing: Drawing, side: int) -> bool:
    sequence = ConfidenceSequence(drawing, np.full(values.size, values.min()), np.full(values.size, values.max()))
    p = sequence.p_above(values, drawing.rounds) if side > 0 else sequence.p_below(values, drawing.rounds)
    return p <= ALPHA


@pytest.mark.parametrize("clustered", [False, True], ids=["documents", "sources"])
@pytest.mark.parametrize("side", [+1, -1], ids=["above", "below"])
def test_a_fixed_set_whose_mean_is_the_hypothesis_is_hardly_ever_rejected(side: int, clustered: bool) -> None:
    """The mean of this set is 0 exactly; strata differ; some values are rare and large."""
    n, runs = 240, 400
    dice = np.random.default_rng(11)
    strata = np.arange(n) % 5
    values = np.where(dice.random(n) < 0.15, dice.choice([-1.0, 1.0], size=n), 0.0) + (strata - 2) * 0.05
    clusters = [f"c{i // 3}" for i in range(n)] if clustered else None
    values -= values.mean()
    errors = sum(rejected(values, draw(n, seed=seed, strata=strata, clusters=clusters), side) for seed in range(runs))
    assert not too_many(errors, runs)


@pytest.mark.parametrize("side", [+1, -1], ids=["above", "below"])
def test_a_population_whose_mean_is_the_hypothesis_is_hardly_ever_rejected(side: int) -> None:
    n, runs = 240, 400
    dice = np.random.default_rng(12)
    errors = 0
    for seed in range(runs):
        values = dice.choice([-1.0, 0.0, 1.0], p=[0.06, 0.88, 0.06], size=n)
        errors += rejected(values, draw(n, seed=seed), side)
    assert not too_many(errors, runs)


def test_sources_that_stand_or_fall_together_are_counted_as_one() -> None:
    """Of a population of sources with six documents each, all alike: taken one by one, they would claim too much."""
    sources, runs = 80, 300
    dice = np.random.default_rng(16)
    labels = np.repeat([f"c{i}" for i in range(sources)], 6)
    together, apart = 0, 0
    for seed in range(runs):
        values = np.repeat(dice.choice([-1.0, 0.0, 1.0], p=[0.15, 0.7, 0.15], size=sources), 6)
        together += rejected(values, draw(values.size, seed=seed, clusters=labels), -1)
        apart += rejected(values, draw(values.size, seed=seed), -1)
    assert not too_many(together, runs)
    assert too_many(apart, runs)


def test_the_fixed_set_alone_would_err_about_its_population() -> None:
    """Why both meanings are held to: of its own mean, the set is sure in the end, whatever it stands for."""
    n, runs, errors = 240, 300, 0
    dice = np.random.default_rng(13)
    for seed in range(runs):
        values = dice.choice([-1.0, 0.0, 1.0], p=[0.06, 0.88, 0.06], size=n)
        drawing = draw(n, seed=seed)
        totals, _, counts = drawing.tally(values, drawing.rounds)
        found = log_capital(totals, counts, lowest=-1.0, slots=drawing.slots, rounds=drawing.rounds, shares=stakes(n))
        errors += bool(found[-1] > -math.log(ALPHA))
    assert too_many(errors, runs)


def test_the_interval_holds_the_mean_at_all_times_at_once() -> None:
    n, runs, misses = 240, 60, 0
    dice = np.random.default_rng(14)
    values = np.clip(dice.normal(0.05, 0.3, size=n), -1, 1)
    mean = float(values.mean())
    for seed in range(runs):
        drawing = draw(n, seed=seed)
        sequence = ConfidenceSequence(drawing, np.full(n, -1.0), np.full(n, 1.0))
        # Below and above the mean: rejecting the mean itself is what it means to miss it.
        misses += any(
            min(sequence.p_above(values, done, mean), sequence.p_below(values, done, mean)) <= ALPHA / 2
            for done in (1, 2, 4, 8, drawing.rounds)
        )
    assert not too_many(misses, runs)


def test_the_interval_is_where_the_p_value_crosses_and_shrinks() -> None:
    dice = np.random.default_rng(15)
    values = dice.choice([-1.0, 0.0, 1.0], p=[0.1, 0.85, 0.05], size=1200)
    drawing = draw(1200, seed=1)
    sequence = ConfidenceSequence(drawing, np.full(1200, -1.0), np.full(1200, 1.0))
    widths = []
    for done in (2, 10, drawing.rounds):
        low, high = sequence.lower(values, done, 0.05), sequence.upper(values, done, 0.05)
        assert sequence.p_above(values, done, low - 1e-3) < 0.05 < sequence.p_above(values, done, low + 1e-3)
        assert sequence.p_below(values, done, high + 1e-3) < 0.05 < sequence.p_below(values, done, high - 1e-3)
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]
    assert low < values.mean() < high


# ── the requirement, smaller than bench/early_stop.py does it ──────────────────


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "bench"))
    yield importlib.import_module("early_stop")
    sys.path.remove(str(ROOT / "bench"))


@pytest.mark.parametrize("changed", [0.05, 0.15])
def test_a_drop_of_five_points_shows_in_a_quarter_of_mmlu(bench: Any, changed: float) -> None:
    found = bench.simulate(60, 0.05, changed, population=False, seed=1)
    assert found.regression == 1.0
    assert found.used_mean <= 0.25


@pytest.mark.parametrize("population", [False, True])
def test_a_drop_at_the_tolerance_is_hardly_ever_decided(bench: Any, population: bool) -> None:
    runs = 300
    found = bench.simulate(runs, 0.01, 0.10, population=population, seed=2)
    assert not too_many(round(found.ever_regression * runs), runs)
    assert not too_many(round(found.ever_passed * runs), runs)


def test_looking_with_the_gates_own_bounds_would_not_hold(bench: Any) -> None:
    """The two tests above can fail: this is what they would see without a confidence sequence."""
    runs = 300
    found = bench.simulate(runs, 0.01, 0.10, population=True, seed=2)
    assert too_many(round(found.peeking_regression * runs), runs)
    assert too_many(round(found.peeking_passed * runs), runs)
