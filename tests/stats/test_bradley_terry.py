"""Ratings from games: against statsmodels, in graphs that fall apart, and the cover of rank intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.stats import rank_intervals
from evalkit.stats.bradley_terry import bootstrap_ratings, fit_ratings, simultaneously_better


def played(ratings: np.ndarray, games: int, rng: np.random.Generator, design: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and points of simulated games: all pairs, a star around model 0, a ring, or few pairs."""
    count = len(ratings)
    pairs = {
        "full": [(i, j) for i in range(count) for j in range(i)],
        "star": [(0, j) for j in range(1, count)],
        "ring": [(i, (i + 1) % count) for i in range(count)],
        # A chain, and one pair more that is played three times as often.
        "sparse": [*((i, i + 1) for i in range(count - 1)), *[(0, count - 2)] * 3],
    }[design]
    chosen = np.array([pairs[k % len(pairs)] for k in range(games)])
    chance = 1 / (1 + np.exp(ratings[chosen[:, 1]] - ratings[chosen[:, 0]]))
    won = (rng.random(games) < chance).astype(float)
    return chosen, np.stack([won, 1 - won], axis=1)


def table(pairs: np.ndarray, points: np.ndarray, count: int) -> np.ndarray:
    wins = np.zeros((count, count))
    np.add.at(wins, (pairs[:, 0], pairs[:, 1]), points[:, 0])
    np.add.at(wins, (pairs[:, 1], pairs[:, 0]), points[:, 1])
    return wins


@pytest.mark.parametrize("design", ["full", "star", "ring"])
def test_ratings_are_the_maximum_likelihood_ones(design: str) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    true = rng.normal(0, 1, 6)
    pairs, points = played(true, 3000, rng, design)
    columns = np.zeros((len(pairs), 6))
    columns[np.arange(len(pairs)), pairs[:, 0]] = 1
    columns[np.arange(len(pairs)), pairs[:, 1]] = -1
    reference = sm.GLM(points[:, 0], columns[:, 1:], family=sm.families.Binomial()).fit(tol=1e-12).params
    fit = fit_ratings(table(pairs, points, 6), anchor=0)
    assert fit.ratings[0] == 0
    np.testing.assert_allclose(fit.ratings[1:], reference, atol=1e-8)


def test_a_tie_is_half_a_win_for_each() -> None:
    decided = fit_ratings([[0, 3.0], [1.0, 0]], anchor=0)
    tied = fit_ratings([[0, 2.0 + 1.0], [0.0 + 1.0, 0]], anchor=0)
    assert decided.ratings[1] == pytest.approx(np.log(1 / 3))
    assert tied.ratings[1] == decided.ratings[1]


def test_models_without_a_finite_rating_say_which_way() -> None:
    # 0 and 1 beat each other; 2 always wins, 3 always loses; 4 and 5 only meet each other.
    wins = np.zeros((6, 6))
    wins[0, 1], wins[1, 0], wins[2, 0], wins[1, 3], wins[4, 5], wins[5, 4] = 3, 1, 5, 5, 2, 2
    fit = fit_ratings(wins, anchor=1)
    assert fit.ratings[0] == pytest.approx(np.log(3))
    assert fit.ratings[2] == np.inf
    assert fit.ratings[3] == -np.inf
    assert np.isnan(fit.ratings[4:]).all()
    assert list(fit.tied) == [True, True, False, False, False, False]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=5, max_size=5), min_size=5, max_size=5))
def test_any_table_gives_ratings_or_says_why_not(rows: list[list[int]]) -> None:
    wins = np.array(rows, float)
    np.fill_diagonal(wins, 0)
    fit = fit_ratings(wins, anchor=0)
    finite = np.isfinite(fit.ratings)
    assert (finite == fit.tied).all()
    games = wins + wins.T
    r = fit.ratings[finite]
    expected = (games[np.ix_(finite, finite)] / (1 + np.exp(r[None, :] - r[:, None]))).sum(axis=1)
    # At the maximum each model has as many points as its ratings expect.
    np.testing.assert_allclose(wins[np.ix_(finite, finite)].sum(axis=1), expected, atol=1e-6)


def test_resamples_draw_whole_prompts() -> None:
    """Three equal rows a prompt: the interval must be that of the prompts, not of three times as many games."""
    rng = np.random.default_rng(0)
    won = (rng.random(200) < 0.6).astype(float)
    pairs = np.array([(0, 1)] * 600)
    points = np.repeat(np.stack([won, 1 - won], axis=1), 3, axis=0)
    options = {"models": 2, "anchor": 0, "rounds": 300, "seed": 1}
    clustered = bootstrap_ratings(pairs, points, np.repeat(np.arange(200), 3), **options)[:, 1].std()
    alone = bootstrap_ratings(pairs, points, np.arange(600), **options)[:, 1].std()
    assert clustered / alone == pytest.approx(np.sqrt(3), rel=0.15)


@pytest.mark.parametrize("design", ["full", "star", "ring", "sparse"])
def test_rank_intervals_cover(design: str) -> None:
    """Of 60 simulated arenas, each model's interval holds its true rank in 95% or more, Monte Carlo error aside."""
    rng = np.random.default_rng(11)
    true = np.array([0.0, 0.15, -0.1, 0.5, -0.6])
    rank = (-true).argsort().argsort() + 1
    held = np.zeros(5)
    arenas = 60
    for _ in range(arenas):
        pairs, points = played(true, 600, rng, design)
        ratings = fit_ratings(table(pairs, points, 5), 0).ratings
        drawn = bootstrap_ratings(
            pairs, points, np.arange(600), models=5, anchor=0, rounds=60, seed=int(rng.integers(2**31))
        )
        intervals = rank_intervals(simultaneously_better(ratings, drawn))
        held += [low.low <= place <= low.high for low, place in zip(intervals, rank, strict=True)]
    print(f"{design}: share of intervals that hold the true rank {held / arenas}")
    assert (held / arenas >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / arenas)).all()
