"""Slots of a sweep: what has not begun comes first, then the run with the most work left, if loading pays."""

from __future__ import annotations

import math

import pytest

from evalkit.runner.slots import Slots
from tests.helpers.fleet_clock import heavy_tailed, plan_of, sweep, uneven


def test_runs_that_have_not_begun_come_first_in_their_order() -> None:
    slots = Slots(2, ["a", "b", "c"])
    assert [slots.next(10).name for _ in range(2)] == ["a", "b"]  # type: ignore[union-attr]
    assert slots.next(10) is None
    assert slots.upcoming == "c"
    slots.end("a")
    begun = slots.next(10)
    assert begun is not None
    assert (begun.name, begun.replicas, slots.waiting) == ("c", 1, 0)


def test_a_free_slot_goes_to_the_run_with_the_most_work_left_if_loading_pays() -> None:
    slots = Slots(4, ["a", "b"])
    for _ in range(2):
        slots.next(10)
    slots.active["a"].left, slots.active["b"].left = 100, 60
    assert slots.next(10) is slots.active["a"]  # now 50 seconds for each of its two replicas
    assert slots.next(10) is slots.active["b"]
    slots.end("a")
    slots.active["b"].left = 18
    assert slots.next(10) is None  # the two would be done before a third is loaded
    assert slots.next(8) is slots.active["b"]


def test_spare_slots_are_handed_out_evenly_before_anything_is_known() -> None:
    slots = Slots(5, ["a", "b"])
    while slots.next(0) is not None:
        pass
    assert {name: run.replicas for name, run in slots.active.items()} == {"a": 3, "b": 2}
    assert all(run.left == math.inf for run in slots.active.values())
    slots.drop_waiting()
    assert slots.upcoming is None


@pytest.mark.parametrize("seed", range(5))
def test_six_checkpoints_on_two_slots_end_near_the_lower_bound(seed: int) -> None:
    plans = [plan_of(heavy_tailed(5, 400, seed=seed))] * 6
    made = sweep(list(uneven(plans, 0.25, seed=seed)), 2, load=8)
    assert made.makespan <= 1.15 * made.bound
