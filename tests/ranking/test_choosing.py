"""Which games are played next: fewer than in a full design, and no order called sure that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.ranking.arena.choosing import Draw, Fixture
from evalkit.ranking.arena.precision import precision_of


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
    assert draw.next() == []
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


def test_games_go_where_they_tell_most_of_what_is_open() -> None:
    """Two models whose own prompts are used up are compared through others, evenly on both sides."""
    first = np.array([0, 1, 0, 1, 2, 2] * 40)
    second = np.array([1, 2, 3, 3, 3, 0] * 40)
    rng = np.random.default_rng(1)
    points = (rng.random(len(first)) < 0.5).astype(float)
    now = precision_of(first, second, np.arange(len(first)), points, 4)
    full = dict.fromkeys(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)), 100)
    assert now.best_games([(0, 1)], full, 80) == {(0, 1): 80}, "their own games tell most"
    through = now.best_games([(0, 1)], {**full, (0, 1): 0}, 80)
    assert sum(through.values()) == 80
    assert abs(sum(count for pair, count in through.items() if 0 in pair) - 40) <= 8
    assert (2, 3) not in through
    assert now.best_games([(0, 1)], dict.fromkeys(full, 0), 80) == {}


def test_a_full_design_is_as_precise_as_it_is_said_to_be() -> None:
    """Games on a prompt share their luck, which a count of games alone would not see."""
    rng = np.random.default_rng(3)
    models, prompts, errors = 5, 200, []
    for _ in range(40):
        quality = rng.normal(0, 0.9, (models, prompts))
        i, j = np.triu_indices(models, 1)
        first, second = np.repeat(i, prompts), np.repeat(j, prompts)
        number = np.tile(np.arange(prompts), len(i))
        chance = 1 / (1 + np.exp(quality[second, number] - quality[first, number]))
        now = precision_of(first, second, number, (rng.random(len(first)) < chance).astype(float), models)
        errors.append((now.ratings[0] - now.ratings[1], now.full_error(0, 1, prompts)))
    spread = np.std([gap for gap, _ in errors])
    assert np.mean([error for _, error in errors]) == pytest.approx(spread, rel=0.3)
    assert spread > 1.2 * np.sqrt(1 / (prompts * models / 2 * 0.25))
