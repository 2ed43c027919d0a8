"""Confidence intervals beside lm-eval's values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from evalkit.types import Figure

__all__ = ["figure", "group_figure"]

_Z95 = 1.959963984540054


def figure(value: Any, stderr: Any, values: Sequence[Any], higher_is_better: bool) -> Figure:
    """A task's figure: Wilson's interval for a share of documents, else value ± 1.96 standard errors."""
    number = _number(value)
    if number is None:
        return Figure(None, higher_is_better=higher_is_better, reason=f"the metric is not a number: {value!r}"[:200])
    error = _number(stderr)
    ci: tuple[float, float] | None = None
    if _is_share(number, values):
        ci = _wilson(number, len(values))
    elif error is not None:
        ci = (number - _Z95 * error, number + _Z95 * error)
        if _within_unit(values):
            ci = (max(0.0, ci[0]), min(1.0, ci[1]))
    return Figure(number, error, ci, higher_is_better)


def group_figure(value: Any, stderr: Any, higher_is_better: bool, *, share: bool) -> Figure:
    number, error = _number(value), _number(stderr)
    if number is None:
        return Figure(None, higher_is_better=higher_is_better, reason="no member has a figure")
    ci = None
    if error is not None:
        low, high = number - _Z95 * error, number + _Z95 * error
        ci = (max(0.0, low), min(1.0, high)) if share else (low, high)
    return Figure(number, error, ci, higher_is_better)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _within_unit(values: Sequence[Any]) -> bool:
    return all(number is not None and 0.0 <= number <= 1.0 for number in map(_number, values))


def _is_share(mean: float, values: Sequence[Any]) -> bool:
    if not values or not all(isinstance(v, (int, float)) or hasattr(v, "dtype") for v in values):
        return False
    numbers = [float(v) for v in values]
    return set(numbers) <= {0.0, 1.0} and abs(sum(numbers) / len(numbers) - mean) < 1e-12


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson (1927), equation for the score interval."""
    z2 = _Z95 * _Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
