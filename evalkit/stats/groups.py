"""Figures made of figures: a group of tasks, a leaderboard's mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["chance_normalised_mean", "group_mean", "plain_mean"]


def group_mean(
    values: ArrayLike, stderrs: ArrayLike, sizes: ArrayLike, *, weight_by_size: bool = True
) -> tuple[float, float]:
    """A group's figure as lm-eval weighs it, and the standard error of that weighted sum.

    The members are fixed strata: Var = Σ W² · se² (Cochran 1977, chapter 5), neither the mean of the
    members' standard errors nor their pooled one.
    """
    v, se, n = (np.asarray(x, float) for x in (values, stderrs, sizes))
    weights = n / n.sum() if weight_by_size else np.full(v.size, 1 / v.size)
    return float(weights @ v), float(np.sqrt(np.sum((weights * se) ** 2)))


def plain_mean(values: Sequence[float], stderrs: Sequence[float]) -> tuple[float, float]:
    """Mean over benchmarks, which are fixed, and its standard error: Var = Σ se² / K²."""
    return group_mean(values, stderrs, np.ones(len(values)), weight_by_size=False)


def chance_normalised_mean(
    values: Sequence[float], stderrs: Sequence[float], chances: Sequence[float]
) -> tuple[float, float]:
    """Mean of (value − chance)/(1 − chance), and its standard error by the same scaling.

    Open LLM Leaderboard v2 (Fourrier et al. 2024), "Setup": 0 is guessing, 1 is perfect. Below chance stays below 0,
    so that the mean keeps its standard error.
    """
    v, se, chance = (np.asarray(x, float) for x in (values, stderrs, chances))
    room = 1 - chance
    return plain_mean(list((v - chance) / room), list(se / room))
