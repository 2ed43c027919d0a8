"""Weights of a jury: better judges weigh more, and the labels that taught them may correct its scores."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.jury import jury_weights
from evalkit.stats.powered import powered_difference

JUDGES = ((0.9, 0.85), (0.7, 0.75))
"""Sensitivity and specificity."""


def test_corrected_with_the_labels_that_taught_it_intervals_hold_the_truth_and_are_narrower() -> None:
    n, labels, held, narrower = 400, 60, 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        people = (rng.random((2, n)) < np.array([[0.6], [0.55]])).astype(float)
        judged = np.stack(
            [np.where(people > 0, rng.random((2, n)) < s, rng.random((2, n)) >= p).astype(float) for s, p in JUDGES],
            axis=-1,
        )
        chosen = rng.permutation(n)[:labels]
        seen = np.full((2, n), np.nan)
        seen[:, chosen] = people[:, chosen]
        weights = jury_weights(
            np.concatenate(judged[:, chosen]),
            np.concatenate(people[:, chosen]),
            [*chosen, *chosen],
            [0] * labels + [1] * labels,
        )
        each = np.array([weights.of(document) for document in range(n)])
        assert each.sum(axis=1) == pytest.approx(1.0)
        assert (each >= 0).all()
        jury = powered_difference(*(judged * each).sum(axis=-1), *seen, scale=1.0)
        held += -0.05 in jury.interval()
        narrower.append(jury.stderr / powered_difference(*judged[..., 0], *seen, scale=1.0).stderr)
    assert held >= 90
    assert np.mean(narrower) < 0.99


def test_judges_that_agree_with_nobody_or_are_all_perfect_weigh_the_same() -> None:
    people = np.tile([1.0, 0.0, 0.5, 1.0], 10)
    documents, strata = list(range(40)), [0] * 40
    for judge in (1 - people, people, np.zeros(40)):
        weights = jury_weights(np.stack([judge, judge, judge], axis=1), people, documents, strata)
        assert weights.mean == pytest.approx([1 / 3] * 3)
        assert weights.reason is not None
    perfect = jury_weights(np.stack([people, 1 - people], axis=1), people, documents, strata)
    assert perfect.mean == pytest.approx([1.0, 0.0])
    assert perfect.reason is None
