"""Scores that are best at 0: how much nearer one run is than the other, whichever side of 0 they lie on."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats import Contributions, CorpusDistance, corpus_distance


def scores(rng: np.random.Generator, bias: float, about: float, n: int) -> np.ndarray:
    """Documents of a signed mean: 1 or −1 where it is about them, else nothing."""
    counts = rng.random(n) < about
    sign = np.where(rng.random(n) < (1 + bias) / 2, 1.0, -1.0)
    return np.stack([sign * counts, counts.astype(float)], axis=1)


def distance(here: np.ndarray, there: np.ndarray) -> CorpusDistance:
    return corpus_distance([Contributions("ratio_signed", (here, there))])


def test_what_counts_is_the_distance_from_0() -> None:
    rng = np.random.default_rng(1)
    near, far = scores(rng, 0.05, 0.9, 800), scores(rng, -0.6, 0.9, 800)
    worse, better = distance(near, far), distance(far, near)
    assert worse.upper(0.95) < 0 < better.lower(0.95), "−0.6 is further from 0 than 0.05, though it is less"
    assert worse.delta == pytest.approx(-better.delta)
    mirrored = far * np.array([-1.0, 1.0])
    assert distance(far, mirrored).delta == pytest.approx(0.0)
    assert distance(far, mirrored).lower(0.95) > -0.2
    assert worse.p_below(0.0) < 0.001


def test_a_document_that_it_is_not_about_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    here, there = scores(rng, 0.3, 0.8, 300), scores(rng, 0.1, 0.8, 300)
    more = np.zeros((100, 2))
    longer = distance(np.concatenate([here, more]), np.concatenate([there, more]))
    assert longer.delta == pytest.approx(distance(here, there).delta)


@pytest.mark.parametrize(("baseline", "candidate"), [(0.3, 0.3), (0.3, -0.3), (0.0, 0.0), (0.1, 0.4)])
def test_bounds_are_wrong_no_oftener_than_stated(baseline: float, candidate: float) -> None:
    rng, runs = np.random.default_rng(3), 60
    true = abs(baseline) - abs(candidate)
    above = below = 0
    for _ in range(runs):
        found = distance(scores(rng, baseline, 0.7, 200), scores(rng, candidate, 0.7, 200))
        above += found.lower(0.95) > true
        below += found.upper(0.95) < true
    assert above <= 8  # 5% of 60 is 3; more than 8 happens once in 300 times
    assert below <= 8
