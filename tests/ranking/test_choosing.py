"""Which games are played next: fewer than in a full design, and no order called sure that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.ranking.arena.choosing import Draw, Fixture


def arena(models: int, prompts: int, seed: int, **more: object) -> Draw:
    keys = [str(number) for number in range(prompts)]
    pairs = {(i, j): keys for i in range(models) for j in range(i + 1, models)}
    return Draw.shuffled(models, pairs, seed, **more)


def result(fixture: Fixture, true: np.ndarray, seed: int) -> float:
    luck = np.random.default_rng([seed, fixture.first, fixture.second, int(fixture.prompt)]).random()
    return float(luck < 1 / (1 + np.exp(true[fixture.second] - true[fixture.first])))


def play(draw: Draw, true: np.ndarray, seed: int) -> Draw:
    while fixtures := draw.next():
        for fixture in fixtures:
            draw.record(fixture, result(fixture, true, seed))
    return draw


@pytest.mark.parametrize("seed", range(3))
def test_an_uneven_field_needs_less_than_half_of_all_games_and_is_ranked_rightly(seed: int) -> None:
    true = np.array([0.0, 1.6, 0.6, 3.2, 2.3])
    draw = play(arena(5, 400, seed), true, seed)
    assert draw.sure
    assert draw.played < draw.total / 2
    assert (draw.above == (true[:, None] > true[None, :])).all()


def test_wrong_orders_are_rare_however_often_one_looks() -> None:
    # Two equal models: whatever is called sure of them is wrong.
    true = np.array([0.0, 0.0, 2.0])
    wrong = [play(arena(3, 120, seed), true, seed).above[:2, :2].any() for seed in range(60)]
    assert sum(wrong) <= 6


def test_only_the_ranks_that_are_asked_for_have_to_be_sure() -> None:
    true = np.array([0.0, 0.05, 2.0])
    draw = play(arena(3, 300, 1, top=1), true, 1)
    assert draw.sure
    assert draw.above[2].sum() == 2
    assert draw.played < 300


def test_games_that_cannot_settle_a_rank_are_not_played() -> None:
    draw = play(arena(2, 400, 3), np.array([0.0, 0.0]), 3)
    assert not draw.sure
    assert draw.hopeless
    assert draw.played < 400


def test_a_game_without_a_result_counts_as_played_and_tells_nothing() -> None:
    draw = arena(2, 10, 1)
    fixtures = draw.next()
    for fixture in fixtures:
        draw.record(fixture, None)
    assert draw.played == len(fixtures)
    while more := draw.next():
        for fixture in more:
            draw.record(fixture, None)
    assert draw.played == 10
    assert not draw.above.any()


def test_models_that_share_no_prompt_are_never_matched() -> None:
    draw = Draw.shuffled(3, {(0, 1): ["a", "b"], (1, 2): ["c"]}, 1)
    assert {(f.first, f.second) for f in draw.everything()} == {(0, 1), (1, 2)}
