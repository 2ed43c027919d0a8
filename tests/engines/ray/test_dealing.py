"""Work is dealt to replicas: each request exactly once, whatever is lost, and with its prefix group where possible."""

from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.engines.ray.dealing import SHARED, STRIKES, Dealer
from evalkit.types import Failed, Generate, Sampling, Score, Work
from tests.helpers.fleet_clock import tokens_read


def score(first: int, prefix: int, number: int, continuations: int = 1, length: int = SHARED + 10) -> Score:
    """A scoring item in prefix group `prefix`."""
    context = array("i", [prefix] * length + [number])
    ids = tuple(range(first, first + continuations))
    return Score(ids, context, tuple(array("i", [i]) for i in ids))


def generate(first: int, prefix: int, samples: int = 1) -> Generate:
    return Generate(
        tuple(range(first, first + samples)),
        array("i", [prefix] * (SHARED + 1) + [first]),
        Sampling(8),
        tuple(range(samples)),
    )


@st.composite
def plans(draw: st.DrawFn) -> list[Work]:
    items: list[Work] = []
    first = 0
    for prefix, size in enumerate(draw(st.lists(st.integers(1, 60), min_size=1, max_size=6))):
        for number in range(size):
            several = draw(st.integers(1, 4)) if number % 7 == 0 else 1
            items.append(
                generate(first, prefix, several)
                if (prefix + number) % 5 == 0
                else score(first, prefix, number, several)
            )
            first += several
    return items


@settings(max_examples=150)
@given(plans(), st.integers(1, 9), st.integers(0, 2**32))
def test_each_request_is_answered_once_whatever_is_lost_and_whoever_joins(
    items: list[Work], count: int, seed: int
) -> None:
    rng = random.Random(seed)
    dealer = Dealer()
    alive = [f"r{number}" for number in range(count)]
    for name in alive:
        dealer.join(name)
    held: dict[str, list[int]] = {name: [] for name in alive}
    wanted = {id_ for item in items for id_ in item.ids}
    got: list[int] = []
    coming = list(items)
    born = count
    while coming or not dealer.done:
        for _ in range(rng.randint(0, 40)):
            if coming:
                dealer.add(coming.pop(0))
        if rng.random() < 0.05 and len(alive) > 1:
            lost = alive.pop(rng.randrange(len(alive)))
            got += [failed.id for failed in dealer.lose(lost)]
            late = held.pop(lost)
            assert not any(dealer.answered(lost, id_) for id_ in late)
        if rng.random() < 0.05 and born < 40:
            alive.append(f"r{born}")
            held[alive[-1]] = []
            dealer.join(alive[-1])
            born += 1
        for name in alive:
            held[name] += [id_ for item in dealer.deal(name) for id_ in item.ids]
            rng.shuffle(held[name])
            for _ in range(rng.randint(0, 30)):
                if held[name]:
                    id_ = held[name].pop()
                    assert dealer.answered(name, id_)
                    assert not dealer.answered(name, id_)
                    got.append(id_)
    assert sorted(got) == sorted(wanted)


@settings(max_examples=60)
@given(st.integers(0, 119), st.integers(1, 4), st.integers(1, 5))
def test_a_request_that_ends_its_replica_is_failed_and_all_others_are_answered(
    bad: int, count: int, continuations: int
) -> None:
    dealer = Dealer()
    items = [score(number * continuations, number // 40, number, continuations) for number in range(120)]
    for item in items:
        dealer.add(item)
    bad_id = bad * continuations + continuations // 2
    failed: list[Failed] = []
    got: list[int] = []
    born = 0
    losses = 0
    while not dealer.done:
        while len(dealer.replicas) < count:
            dealer.join(f"r{born}")
            born += 1
        for name in dealer.replicas:
            ids = [id_ for item in dealer.deal(name) for id_ in item.ids]
            if bad_id in ids:
                failed += dealer.lose(name)
                losses += 1
                continue
            for id_ in ids:
                assert dealer.answered(name, id_)
                got.append(id_)
    assert [answer.id for answer in failed] == [bad_id]
    assert sorted([*got, bad_id]) == list(range(120 * continuations))
    assert losses <= STRIKES + 1  # one more where it is one of several continuations


def test_a_group_stays_with_one_replica_until_others_have_nothing_to_do() -> None:
    dealer = Dealer()
    for prefix in range(8):
        for number in range(100):
            dealer.add(score(prefix * 100 + number, prefix, number))
    owners: dict[int, set[str]] = {prefix: set() for prefix in range(8)}
    names = [f"r{number}" for number in range(4)]
    for name in names:
        dealer.join(name)
    while not dealer.done:
        for name in names:
            for item in dealer.deal(name):
                owners[item.ids[0] // 100].add(name)
                for id_ in item.ids:
                    dealer.answered(name, id_)
    assert dealer.split_groups <= 4
    assert sum(len(names) > 1 for names in owners.values()) <= dealer.split_groups
    assert dealer.sent_again == 0


def test_a_single_group_is_shared_by_all_and_the_pieces_are_small_at_the_end() -> None:
    dealer = Dealer()
    for number in range(1000):
        dealer.add(score(number, 0, number))
    sizes: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for name in sizes:
        dealer.join(name)
    while not dealer.done:
        for name, given_sizes in sizes.items():
            piece = dealer.deal(name)
            if piece:
                given_sizes.append(len(piece))
            for item in piece:
                dealer.answered(name, item.ids[0])
    totals = [sum(given_sizes) for given_sizes in sizes.values()]
    assert sum(totals) == 1000
    assert min(totals) > 200
    assert all(given_sizes[0] <= 16 and given_sizes[-1] <= 16 for given_sizes in sizes.values())


def test_dropping_forgets_what_nobody_has_and_keeps_what_is_in_flight() -> None:
    dealer = Dealer()
    for number in range(500):
        dealer.add(score(number, 0, number))
    dealer.join("a")
    given_ids = [id_ for item in dealer.deal("a") for id_ in item.ids]
    assert dealer.drop() == 500 - len(given_ids)
    assert not dealer.done
    assert all(dealer.answered("a", id_) for id_ in given_ids)
    assert dealer.done
    assert dealer.deal("a") == []


SUBJECTS = """100 135 152 100 265 144 100 100 100 173 102 100 235 114 145 378 126 100 310 203 100 165 198 193 390 270
238 151 545 216 204 237 223 131 121 108 163 112 103 234 100 783 346 895 306 311 324 282 1534 272 612 110 245 201 100
166 171
"""
"""Questions in each subject of MMLU."""


@pytest.mark.parametrize(("replicas", "most"), [(8, 1.02), (64, 1.10)])
def test_replicas_read_little_more_than_one_cache_would_on_a_plan_of_mmlus_shape(replicas: int, most: float) -> None:
    """bench/fleet_simulation.py does the same with the real prompts."""
    sizes = [int(size) for size in SUBJECTS.split()]
    length = 500  # of five examples; a question has 80 tokens
    items = [
        Score((number,), array("i", [subject] * length + [number] * 80), (array("i", [1]),))
        for subject, size in enumerate(sizes)
        for number in range(sum(sizes[:subject]), sum(sizes[:subject]) + size)
    ]
    floor = sum(length + 80 * size for size in sizes)
    read, _ = tokens_read(items, replicas)
    assert 1.0 <= read / floor <= most
