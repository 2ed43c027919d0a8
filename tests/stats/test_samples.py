"""The mean over several answers per document: its parts, and how often its interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats import own_discordance, sample_mean


def test_the_standard_error_separates_documents_from_answers() -> None:
    rng = np.random.default_rng(1)
    chances = rng.beta(2, 2, 20_000)
    scores = (rng.random((20_000, 4)) < chances[:, None]).astype(float)
    mean = sample_mean(scores.mean(axis=1), scores.var(axis=1, ddof=1), np.full(20_000, 4))
    assert mean.stderr**2 == pytest.approx(mean.stderr_documents**2 + mean.stderr_samples**2)
    assert mean.stderr_documents * np.sqrt(20_000) == pytest.approx(np.sqrt(1 / 20), rel=0.03)
    assert mean.stderr_samples * np.sqrt(20_000 * 4) == pytest.approx(np.sqrt(1 / 4 - 1 / 20), rel=0.03)


def test_how_often_two_answers_differ() -> None:
    assert own_discordance(np.var([[1, 0], [1, 1]], axis=1, ddof=1)) == pytest.approx(0.5)


@pytest.mark.parametrize(("documents", "answers"), [(30, 64), (100, 8), (1000, 2)])
@pytest.mark.parametrize("graded", [False, True])
def test_intervals_hold_the_truth_as_often_as_they_say(documents: int, answers: int, graded: bool) -> None:
    """`bench/samples.py` is the long form."""
    rng = np.random.default_rng(documents)
    held = 0
    for _ in range(600):
        chances = rng.beta(2.4, 0.6, documents)[:, None]
        if graded:
            scores = rng.beta(4 * chances + 1e-9, 4 * (1 - chances) + 1e-9, (documents, answers))
        else:
            scores = (rng.random((documents, answers)) < chances).astype(float)
        mean = sample_mean(scores.mean(axis=1), scores.var(axis=1, ddof=1), np.full(documents, answers))
        held += 0.8 in mean.interval()
    assert 0.93 - 0.02 < held / 600 < 0.97 + 0.02


def test_one_document_or_no_spread_is_not_certain() -> None:
    alone = sample_mean([1.0], [0.0], [8]).interval()
    assert (alone.low, alone.high) == (-np.inf, np.inf)
    alike = sample_mean([1.0] * 20, [0.0] * 20, [8] * 20).interval()
    assert alike.low < 0.9
    assert alike.high == 1.0
    free = sample_mean([10.0, 20.0, 30.0], [1.0] * 3, [2] * 3).interval()
    assert free.low < 0 < 40 < free.high
