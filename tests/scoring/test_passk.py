"""pass@k against exact counting and against the binomials."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.scoring.passk import figures, pass_at_k


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(samples: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    draws = list(itertools.combinations([True] * correct + [False] * (samples - correct), k))
    assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-12)


def test_pass_at_k_at_its_edges() -> None:
    assert pass_at_k(5, 0, 3) == 0.0
    assert pass_at_k(5, 5, 3) == 1.0
    assert pass_at_k(2, 1, 3) is None
    exact = 1 - math.comb(190, 100) / math.comb(200, 100)
    assert pass_at_k(200, 10, 100) == pytest.approx(exact, rel=1e-12)
    assert pass_at_k(10**5, 10, 64) == pytest.approx(1 - math.comb(10**5 - 10, 64) / math.comb(10**5, 64), rel=1e-9)
    for wrong in ((3, 4, 1), (3, -1, 1), (3, 1, 0)):
        with pytest.raises(ValueError, match="samples"):
            pass_at_k(*wrong)


@given(n=st.integers(1, 60), data=st.data())
@settings(max_examples=100, deadline=None)
def test_pass_at_k_equals_the_binomials(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_at_k(n, c, k) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k))


def test_figures_hold_every_k_that_there_are_samples_for() -> None:
    assert figures([True, False], (1, 2, 3)) == {"pass@1": 0.5, "pass@2": 1.0}
    assert list(figures([True] * 64, (1,))) == ["pass@1", "pass@10", "pass@64"]
    assert figures([False], (1,)) == {"pass@1": 0.0}
