"""What every difference with one-sided bounds can say: intervals and p-values, each read off the bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from evalkit.stats.intervals import Interval

__all__ = ["Bounds"]

_SMALLEST = 1e-60
"""p-values below it are given as 0: the beta quantiles are not exact much below it."""


@dataclass(frozen=True, slots=True)
class Bounds(ABC):
    """A difference between two runs with a bound on either side at any level."""

    delta: float
    lost: float
    """Share lost, in units of the scale: for right and wrong, the share of documents that turned wrong."""
    gained: float
    n: int
    effective_n: float
    """Documents that an independent sample of yes/no answers would need for the same precision."""
    scale: float
    stderr: float
    base: float
    """The baseline's figure, for bounds on a relative drop."""

    @abstractmethod
    def _bound(self, alpha: float, relative: float, side: int) -> float:
        """One-sided bound on delta + relative · baseline, wrong with probability `alpha`; side −1 is the lower one."""

    @property
    def discordance(self) -> float:
        return self.lost + self.gained

    @property
    def design_effect(self) -> float:
        return self.n / self.effective_n if self.effective_n > 0 else float("inf")

    def lower(self, level: float, relative: float = 0.0) -> float:
        """One-sided lower bound on delta + relative · baseline."""
        return self._bound(1 - level, relative, -1)

    def upper(self, level: float, relative: float = 0.0) -> float:
        return self._bound(1 - level, relative, +1)

    def interval(self, level: float = 0.95) -> Interval:
        """Two-sided: a bound on either side at half the error each."""
        one_sided = 0.5 + level / 2
        return Interval(self.lower(one_sided), self.upper(one_sided), level)

    def p_below(self, at: float, relative: float = 0.0) -> float:
        """One-sided p-value against 'the difference is `at` or more': small means that it is below."""
        return self._p_value(at, relative, +1)

    def p_above(self, at: float, relative: float = 0.0) -> float:
        return self._p_value(at, relative, -1)

    def p_two_sided(self, at: float = 0.0) -> float:
        """The level at which the two-sided interval just reaches `at`."""
        return min(1.0, 2 * min(self.p_below(at), self.p_above(at)))

    def _p_value(self, at: float, relative: float, side: int) -> float:
        def excludes(alpha: float) -> bool:
            return (self._bound(alpha, relative, side) - at) * side < 0

        if not excludes(0.5):
            # Beyond one half the limits are no longer limits; the other side knows how far beyond.
            if self._reaches(at, relative, -side):
                return max(0.5, 1 - self._p_value(at, relative, -side))
            return 0.5
        if excludes(_SMALLEST):
            return 0.0

        def beyond(z: float) -> float:
            return (self._bound(float(ndtr(-z)), relative, side) - at) * side

        return float(ndtr(-_root(beyond, 0.0, -float(ndtri(_SMALLEST)))))

    def _reaches(self, at: float, relative: float, side: int) -> bool:
        return (self._bound(0.5, relative, side) - at) * side < 0


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses 0: the Illinois form of the false position (Dowell & Jarratt 1971, BIT 11:168).

    In z a bound is almost a straight line, so that this takes a handful of steps. Of the last bracket the lower end is
    returned, which errs towards the larger p-value.
    """
    at_low, at_high = rising(low), rising(high)
    kept = 0
    for _ in range(60):
        if high - low < 1e-9 or at_high - at_low <= 0:
            break
        middle = high - at_high * (high - low) / (at_high - at_low)
        middle = min(max(middle, low + 1e-12), high - 1e-12)
        value = rising(middle)
        if abs(value) < 1e-13:
            return middle
        if value > 0:
            high, at_high = middle, value
            at_low, kept = (at_low / 2, kept) if kept > 0 else (at_low, 1)
        else:
            low, at_low = middle, value
            at_high, kept = (at_high / 2, kept) if kept < 0 else (at_high, -1)
    return low
