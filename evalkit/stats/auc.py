"""How well a number tells two groups apart: the area under the ROC curve, with an interval.

The area is the share of pairs in which the member of the first group has the larger number, ties for half (Hanley and
McNeil 1982, Radiology 143:29). The interval is DeLong's (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Area", "area_under_curve"]

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Area:
    value: float
    ci95: tuple[float, float]
    n_first: int
    n_second: int

    @property
    def tells_apart(self) -> bool:
        """Whether the interval excludes .5."""
        return not self.ci95[0] <= 0.5 <= self.ci95[1]


def area_under_curve(first: Sequence[float], second: Sequence[float]) -> Area | None:
    """None where a group has fewer than two members."""
    x, y = np.asarray(first, float), np.asarray(second, float)
    if len(x) < 2 or len(y) < 2:
        return None
    wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    of_first, of_second = wins.mean(axis=1), wins.mean(axis=0)
    value = float(wins.mean())
    variance = float(np.var(of_first, ddof=1)) / len(x) + float(np.var(of_second, ddof=1)) / len(y)
    reach = _Z * math.sqrt(variance)
    return Area(value, (max(0.0, value - reach), min(1.0, value + reach)), len(x), len(y))
