"""Davidson's model of draws and ratings at equal length, against other optimisers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from evalkit.stats.bradley_terry import fit_ratings, fit_soft_ratings
from evalkit.stats.controlled import fit_controlled
from evalkit.stats.davidson import bootstrap_davidson, fit_davidson


def test_davidson_s_ratings_are_the_maximum_likelihood_ones() -> None:
    rng = np.random.default_rng(1)
    wins = rng.integers(1, 30, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    upper = np.triu(rng.integers(0, 20, (5, 5)), 1)
    draws = (upper + upper.T).astype(float)
    fit = fit_davidson(wins, draws, anchor=2)

    def loss(x: np.ndarray) -> float:
        ratings = np.insert(x[:-1], 2, 0.0)
        half = (ratings[:, None] - ratings[None, :]) / 2
        whole = np.log(np.exp(half) + np.exp(-half) + np.exp(x[-1]))
        return float(-(wins * (half - whole)).sum() - (draws * (x[-1] - whole)).sum() / 2)

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(fit.ratings, np.insert(best[:-1], 2, 0.0), atol=1e-5)
    assert fit.draws == pytest.approx(np.exp(best[-1]), rel=1e-5)


def test_without_draws_davidson_is_bradley_and_terry() -> None:
    wins = np.array([[0, 3.0, 5], [2, 0, 4], [1, 3, 0]])
    fit = fit_davidson(wins, np.zeros((3, 3)), anchor=0)
    assert fit.draws == 0.0
    np.testing.assert_array_equal(fit.ratings, fit_ratings(wins, 0).ratings)


def test_resamples_of_davidson_lie_around_its_ratings() -> None:
    rng = np.random.default_rng(5)
    pairs = np.array([(i, j) for i in range(3) for j in range(i)] * 60, dtype=np.intp)
    drawn = (rng.random(len(pairs)) < 0.2).astype(float)
    won = (rng.random(len(pairs)) < 0.6) * (1 - drawn)
    wins = np.stack([won, 1 - won - drawn], axis=1)
    found = bootstrap_davidson(pairs, wins, drawn, np.arange(len(pairs)), 3, 0, 60, 1)
    assert np.isfinite(found).all()
    assert (found[:, 0] == 0).all()
    assert 0.1 < found[:, 1].std() < 0.6


def test_ratings_at_equal_length_take_the_length_out() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(4)
    true = np.array([0.0, 0.5, 0.5])
    pairs = np.array([(i, j) for i in range(3) for j in range(i)] * 800, dtype=np.intp)
    lengths = np.exp(rng.normal(5, 0.3, (len(pairs), 2)) + 0.8 * (pairs == 2))  # model 2 writes at length
    x = (lengths[:, 0] - lengths[:, 1]) / lengths.sum(axis=1)
    won = rng.random(len(pairs)) < 1 / (1 + np.exp(-(true[pairs[:, 0]] - true[pairs[:, 1]] + 2.0 * x)))
    points = np.stack([won, ~won], axis=1).astype(float)
    columns = np.zeros((len(pairs), 4))
    columns[np.arange(len(pairs)), pairs[:, 0]] = 1
    columns[np.arange(len(pairs)), pairs[:, 1]] = -1
    columns[:, 3] = x
    reference = sm.GLM(points[:, 0], columns[:, 1:], family=sm.families.Binomial()).fit(tol=1e-12).params
    fit = fit_controlled(pairs, points, lengths, anchor=0, models=3)
    np.testing.assert_allclose([*fit.ratings[1:], fit.effect], reference, atol=1e-3)
    plain = fit_ratings(
        np.array(
            [
                [
                    points[(pairs == (i, j)).all(axis=1), 0].sum() + points[(pairs == (j, i)).all(axis=1), 1].sum()
                    for j in range(3)
                ]
                for i in range(3)
            ]
        ),
        0,
    )
    assert plain.ratings[2] - plain.ratings[1] > 0.4 > fit.ratings[2] - fit.ratings[1] + 0.2


def test_equal_lengths_have_no_effect_that_could_be_known() -> None:
    pairs = np.array([[0, 1]] * 4, dtype=np.intp)
    fit = fit_controlled(pairs, [[1, 0], [1, 0], [0, 1], [1, 0]], np.full((4, 2), 7.0), anchor=0, models=2)
    assert np.isnan(fit.effect)
    assert fit.ratings[1] == pytest.approx(np.log(1 / 3))


def test_corrected_points_may_be_negative() -> None:
    wins = np.array([[0, 12.0, 6.0], [-2.0, 0, 5.0], [4.0, 5.0, 0]])
    ratings = fit_soft_ratings(wins, anchor=0)
    assert np.isfinite(ratings).all()
    assert ratings[0] == 0.0
    # Its points exceed its games, with no chain of wins back to it; and with one that corrections alone make up.
    for beyond in ([[0, 50.0, 60], [50, 0, 52], [-8, -4, 0]], [[0, 50.0, 102], [50, 0, 99], [-2, 1, 0]]):
        for anchor in (0, 1):
            assert np.isfinite(fit_soft_ratings(np.array(beyond), anchor)).tolist() == [True, True, False]
        assert np.isfinite(fit_soft_ratings(np.array(beyond), 2)).tolist() == [False, False, True]
    far = np.array([[0, 50.0, 140], [50, 0, 130], [-40, 1, 0]])  # the prior alone would hold it at 1,000 logits
    assert np.isfinite(fit_soft_ratings(far, 0)).tolist() == [True, True, False]
    ordinary = np.array([[0, 30.0, 20.0], [20.0, 0, 25.0], [30.0, 25.0, 0]])
    np.testing.assert_allclose(fit_soft_ratings(ordinary, 0), fit_ratings(ordinary, 0).ratings, atol=2e-3)
