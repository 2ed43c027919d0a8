"""Ratings corrected by people's results of some games: near the truth, with intervals that hold it."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.bradley_terry import fit_ratings
from evalkit.stats.powered_ratings import PoweredRatings, powered_ratings

STRENGTH = np.array([0.0, 0.5, 1.0, 1.5])


def games(
    seed: int,
    prompts: int,
    labels: int,
    favour: float = 0.3,
    right: float = 0.75,
    spread: float = 0.3,
    strength: np.ndarray = STRENGTH,
) -> tuple[np.ndarray, ...]:
    """A full design: pairs, the judge's points, people's (NaN where not labelled), prompts.

    The judge names people's winner in `right` of the games and favours the last model in a share of its games.
    """
    rng = np.random.default_rng([seed, prompts, labels])
    i, j = np.triu_indices(len(strength), 1)
    pairs = np.repeat(np.stack([i, j], axis=1), prompts, axis=0)
    quality = strength[:, None] + rng.normal(0, spread, (len(strength), prompts))
    number = np.tile(np.arange(prompts), len(i))
    gap = quality[pairs[:, 1], number] - quality[pairs[:, 0], number]
    people = (rng.random(len(pairs)) < 1 / (1 + np.exp(gap))).astype(float)
    judge = np.where(rng.random(len(pairs)) < right, people, 1 - people)
    judge[(pairs[:, 1] == len(strength) - 1) & (rng.random(len(pairs)) < favour)] = 0.0
    seen = np.full(len(pairs), np.nan)
    chosen = rng.permutation(len(pairs))[:labels]
    seen[chosen] = people[chosen]
    return pairs, judge, seen, number, people


def estimate(seed: int, prompts: int = 150, labels: int = 100) -> PoweredRatings:
    pairs, judge, seen, number, _ = games(seed, prompts, labels)
    return powered_ratings(pairs, judge, seen, number, anchor=0, models=len(STRENGTH))


@pytest.mark.parametrize("labels", [60, 150])
def test_intervals_hold_what_people_would_say(labels: int) -> None:
    # Luck of the prompts draws all ratings a little together: people's own rating over many prompts is the truth.
    pairs, _, _, _, people = games(0, 60_000, 0)
    wins = np.zeros((len(STRENGTH), len(STRENGTH)))
    np.add.at(wins, (pairs[:, 0], pairs[:, 1]), people)
    np.add.at(wins, (pairs[:, 1], pairs[:, 0]), 1 - people)
    truth = fit_ratings(wins, 0).ratings
    found = [estimate(seed, labels=labels) for seed in range(100)]
    ends = np.array([one.interval(0.05) for one in found])[:, :, 1:]
    held = np.mean((ends[:, 0] <= truth[1:]) & (truth[1:] <= ends[:, 1]))
    assert 0.925 < held < 0.99


def test_with_all_games_labelled_they_are_people_s_ratings() -> None:
    pairs, judge, _, number, people = games(1, 200, 0)
    found = powered_ratings(pairs, judge, people, number, anchor=0, models=len(STRENGTH))
    wins = np.zeros((len(STRENGTH), len(STRENGTH)))
    np.add.at(wins, (pairs[:, 0], pairs[:, 1]), people)
    np.add.at(wins, (pairs[:, 1], pairs[:, 0]), 1 - people)
    assert found.ratings == pytest.approx(fit_ratings(wins, 0).ratings, abs=0.01)


def test_a_weight_counts_as_so_many_games() -> None:
    pairs, judge, seen, number, _ = games(2, 80, 200)
    twice = powered_ratings(
        pairs, judge, seen, number, anchor=0, models=len(STRENGTH), weights=np.full(len(pairs), 2.0)
    )
    once = powered_ratings(pairs, judge, seen, number, anchor=0, models=len(STRENGTH))
    assert twice.ratings == pytest.approx(once.ratings, abs=0.02)
    assert np.stack(twice.interval(0.05)) == pytest.approx(np.stack(once.interval(0.05)), abs=0.03)


def test_intervals_of_few_labels_hold_a_rating_far_from_the_anchor() -> None:
    """The rating plus and minus standard errors missed it 19 times of 190, always on the same side."""
    strength, missed = np.array([0.0, -1.0, 2.5]), 0
    for seed in range(200):
        pairs, judge, seen, number, _ = games(seed, 200, 60, favour=0.0, right=0.9, spread=0.0, strength=strength)
        found = powered_ratings(pairs, judge, seen, number, anchor=0, models=3)
        if np.isfinite(found.ratings[2]):
            low, high = found.interval(0.05)
            missed += not low[2] <= strength[2] <= high[2]
    assert missed <= 13


def test_draws_have_the_estimate_s_mean_and_spread() -> None:
    found = estimate(3)
    drawn = found.draws(4000, 0)
    assert drawn.mean(axis=0) == pytest.approx(found.ratings, abs=0.05)
    assert drawn[:, 1:].std(axis=0) == pytest.approx(np.sqrt(np.diag(found.covariance))[1:], rel=0.1)
    assert (drawn[:, 0] == 0).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ordered", [False, True])
def test_a_model_that_nobody_saw_lose_has_no_rating_and_moves_no_other(seed: int, ordered: bool) -> None:
    """Labels drawn at random: the corrected points of its games are more or fewer than the games, as it happens."""
    dice = np.random.default_rng(seed)
    pairs = np.repeat(np.array([[0, 1], [2, 0], [2, 1]]), 60, axis=0)
    number = np.tile(np.arange(60), 3)
    people = np.where(ordered | (pairs[:, 0] == 2), 1.0, (dice.random(180) < 0.6).astype(float))
    judge = np.where((pairs[:, 0] == 2) | (dice.random(180) < 0.8) | ordered, people, 1 - people)
    seen = np.full(180, np.nan)
    chosen = dice.permutation(180)[:60]
    seen[chosen] = people[chosen]
    found = powered_ratings(pairs, judge, seen, number, anchor=0, models=3)
    assert np.isfinite(found.ratings).tolist() == [True, not ordered, False]
    if ordered:
        assert not found.covariance.any()
        return
    low, high = found.interval(0.05)
    assert 0.6 < high[1] - low[1] < 3
    assert np.isfinite(found.draws(10, 0)[:, :2]).all()
    best = powered_ratings(pairs, judge, seen, number, anchor=2, models=3)
    assert np.isfinite(best.ratings).tolist() == [False, False, True]


def test_labels_of_one_prompt_are_refused() -> None:
    pairs, judge, seen, number, people = games(4, 30, 0)
    seen[number == 3] = people[number == 3]
    with pytest.raises(ValueError, match="two prompts"):
        powered_ratings(pairs, judge, seen, number, anchor=0, models=len(STRENGTH))
