"""How sure a curve is: bands over its points, and bounds on the difference of two, all holding together at 95%.

Paired   every document of one checkpoint beside the same document of another
Bands    figures and standard errors alone: nothing is paired, bounds are those of two bands that do not overlap

Values are oriented: more is better. A baseline that is no point of the curve is the last column, `outside`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from evalkit.stats import Design, Interval, bounded_difference, joint_error, sidak_level, wilson

__all__ = ["LEVEL", "Bands", "Evidence", "Paired", "contrasts"]

LEVEL = 0.95

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]


class Evidence(Protocol):
    @property
    def points(self) -> int:
        """How many points the curve has, without the baseline."""

    def band(self, k: int) -> Interval | None:
        """Of a point's true value; those of all points hold together. None: nothing is known of its error."""

    def lower(self, k: int, j: int) -> float:
        """How much better k is than j, at least. Holds for every earlier k and later j, and against the reference."""


class Bands:
    """From figures alone. Bands at Šidák's level hold whatever the correlation between the checkpoints."""

    def __init__(
        self,
        values: Sequence[float | None],
        stderrs: Sequence[float | None],
        counts: Sequence[int | None] | None = None,
        *,
        outside: bool = False,
        sign: int = 1,
    ) -> None:
        self.points = len(values) - outside
        finite = [value for value in values if value is not None]
        share = bool(finite) and min(finite) >= 0 and max(finite) <= 1
        level = sidak_level(len(finite), LEVEL)
        sizes = counts or [None] * len(values)
        spread = [_size(v, se) for v, se in zip(values, stderrs, strict=True)]
        usual = [size for size in spread if size is not None]
        self._bands = []
        for value, stderr, size, count in zip(values, stderrs, spread, sizes, strict=True):
            # A share of 0 or 1 has a standard error of 0, which says nothing: its number of documents does.
            documents = size or count or (float(np.median(usual)) + 1 if usual else None)
            band = _band(value, stderr, documents if share else None, math.inf, level)
            self._bands.append(None if band is None else _oriented(band, sign))

    def band(self, k: int) -> Interval | None:
        return self._bands[k]

    def lower(self, k: int, j: int) -> float:
        band, other = self._bands[k], self._bands[j]
        return -math.inf if band is None or other is None else band.low - other.high


class Paired:
    """From the documents: one row of `values` for each point, and one more for a baseline outside the curve."""

    def __init__(
        self,
        values: Floats,
        design: Callable[[Chosen], Design] | None = None,
        *,
        outside: bool = False,
        scale: float | None = None,
        draws: int = 20_000,
    ) -> None:
        self.values = values
        self.points = len(values) - outside
        self._make = design or (lambda chosen: Design(int(chosen.sum())))
        self._designs: dict[bytes, Design] = {}
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        self._negated = low < 0
        self._share = (low >= 0 and high <= 1) or (low >= -1 and high <= 0)
        self._scale = scale or (1.0 if self._share else high - low) or 1.0
        whole: Chosen = np.asarray(np.isfinite(values).all(axis=0))
        self.documents = int(whole.sum())
        self._errors(whole, draws)

    def _errors(self, whole: Chosen, draws: int) -> None:
        count = len(self.values)
        pairs = contrasts(count, self.points)
        plan = self._design(whole) if whole.any() else None
        if plan is None or plan.df < 1:
            self._band_error = (1 - sidak_level(self.points, LEVEL)) / 2
            self._pair_error = (1 - LEVEL) / max(len(pairs), 1)
            return
        sigma = plan.covariance(self.values[:, whole].T)
        each = np.eye(count)[: self.points]
        self._band_error = joint_error(sigma, each, level=LEVEL, df=plan.df, two_sided=True, draws=draws)
        self._pair_error = joint_error(sigma, pairs, level=LEVEL, df=plan.df, draws=draws)

    def band(self, k: int) -> Interval | None:
        chosen = np.isfinite(self.values[k])
        if not chosen.any():
            return None
        plan, x = self._design(chosen), self.values[k, chosen]
        if plan.df < 1:
            return None
        level, value = 1 - 2 * self._band_error, plan.mean(x)
        stderr = math.sqrt(float(plan.covariance(x)[0, 0]))
        flipped = self._share and self._negated
        size = _size(abs(value), stderr) or plan.units
        band = _band(abs(value) if flipped else value, stderr, size if self._share else None, plan.df, level)
        return None if band is None else _oriented(band, -1 if flipped else 1)

    def lower(self, k: int, j: int) -> float:
        chosen = np.isfinite(self.values[k]) & np.isfinite(self.values[j])
        if k == j or not chosen.any():
            return 0.0 if k == j else -math.inf
        difference = self.values[k, chosen] - self.values[j, chosen]
        bounds = bounded_difference(difference, scale=self._scale, design=self._design(chosen))
        return bounds.lower(1 - self._pair_error)

    def _design(self, chosen: Chosen) -> Design:
        key = chosen.tobytes()
        if key not in self._designs:
            self._designs[key] = self._make(chosen)
        return self._designs[key]


def contrasts(count: int, points: int) -> Floats:
    """Each earlier point less each later one; every point against the first, or both ways against a baseline."""
    eye = np.eye(count)
    pairs = list(combinations(range(points), 2))
    if count > points:
        pairs += [(k, points) for k in range(points)] + [(points, k) for k in range(points)]
    else:
        pairs += [(k, 0) for k in range(1, points)]
    return np.array([eye[k] - eye[j] for k, j in pairs]).reshape(len(pairs), count)


def _size(value: float | None, stderr: float | None) -> float | None:
    """How many independent yes/no documents have this standard error; None where it is no share's."""
    if value is None or stderr is None or stderr <= 0 or not 0 < value < 1:
        return None
    return value * (1 - value) / stderr**2


def _band(value: float | None, stderr: float | None, size: float | None, df: float, level: float) -> Interval | None:
    """Wilson's interval for a share that is worth `size` documents, else value ± t · stderr."""
    if value is None or (size is None and not stderr):
        return None
    quantile = 0.5 + level / 2
    z = float(ndtri(quantile))
    t = z if math.isinf(df) else float(stdtrit(df, quantile))
    if size is not None and (stderr or value in (0.0, 1.0)):
        worth = size * (z / t) ** 2
        return wilson(min(value * worth, worth), worth, level)
    return Interval(value - t * stderr, value + t * stderr, level) if stderr else None


def _oriented(band: Interval, sign: int) -> Interval:
    return band if sign > 0 else Interval(-band.high, -band.low, band.level)
