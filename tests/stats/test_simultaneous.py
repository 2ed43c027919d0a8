"""Bounds that hold together: against Dunnett's and Šidák's known values, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from evalkit.stats import joint_error, sidak_level


def test_independent_estimates_get_sidaks_level() -> None:
    error = joint_error(np.eye(5), np.eye(5), two_sided=True, draws=200_000)
    assert 1 - 2 * error == pytest.approx(sidak_level(5), abs=5e-4)


def test_estimates_that_move_together_need_less() -> None:
    same = np.full((6, 6), 1.0) + 1e-3 * np.eye(6)
    assert joint_error(same, np.eye(6), two_sided=True) == pytest.approx(0.025, abs=2e-3)


def test_comparisons_with_a_control_have_dunnetts_error() -> None:
    k, n = 4, 8
    contrasts = np.hstack([np.eye(k), -np.ones((k, 1))])
    df = (k + 1) * (n - 1)
    error = joint_error(np.eye(k + 1) / n, contrasts, df=df, two_sided=True, draws=200_000)
    # Dunnett (1964), Biometrics 20:482, two-sided 5%, 4 treatments, 35 degrees of freedom: 2.58
    assert -t.ppf(error, df) == pytest.approx(2.58, abs=0.02)


def test_never_smaller_than_bonferroni_and_constants_need_nothing() -> None:
    contrasts = np.eye(3)
    assert joint_error(np.zeros((3, 3)), contrasts) == pytest.approx(0.05 / 3)
    alone = joint_error(np.diag([1.0, 0.0, 0.0]), contrasts, draws=100_000)
    assert norm.isf(alone) == pytest.approx(norm.isf(0.05), abs=0.02)
