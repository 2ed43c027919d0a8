"""Intervals of a task's figures."""

from __future__ import annotations

import pytest

from evalkit.registry.figures import figure


@pytest.mark.parametrize("metric", ["rouge2_max", "bleu_diff", "chrf", "rougeL"])
def test_a_score_of_overlap_that_is_0_everywhere_has_no_interval_of_a_share(metric: str) -> None:
    assert figure(0.0, 0.0, [0.0] * 5, True, metric).ci95 is None


@pytest.mark.parametrize("metric", ["acc", "exact_match", "bleu_acc"])
def test_a_share_that_is_0_everywhere_is_not_certain(metric: str) -> None:
    low, high = figure(0.0, 0.0, [0.0] * 5, True, metric).ci95 or (None, None)
    assert low == 0
    assert high == pytest.approx(0.434, abs=1e-3)
