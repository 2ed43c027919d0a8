"""Confidence intervals beside lm-eval's values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from evalkit.metrics import may_be_share
from evalkit.types import Figure

__all__ = ["figure", "group_figure", "pooled_figure"]

_Z95 = 1.959963984540054


def figure(value: Any, stderr: Any, values: Sequence[Any], higher_is_better: bool | None, metric: str = "") -> Figure:
    """Wilson's interval for a share of documents, Student's for another mean, otherwise value ± 1.96 standard errors.

    If a document has several verdicts, such as IFEval's instructions, each document is a cluster.
    """
    number, error = _number(value), _number(stderr)
    if number is None:
        return Figure(None, higher_is_better=higher_is_better, reason=f"the metric is not a number: {value!r}"[:200])
    if error is None and _are_verdicts(values):
        return _pooled(number, values, higher_is_better)
    each = [_number(v) for v in values]
    known = [v for v in each if v is not None]
    is_mean = len(known) == len(each) and bool(known) and math.isclose(sum(known) / len(known), number, abs_tol=1e-12)
    if not may_be_share(metric) and not any(known):
        # All 0 on a scale that may end at 100: there is no spread, and Wilson's interval is for shares only.
        return Figure(number, error, None, higher_is_better)
    return Figure(number, error, _interval(number, error, known if is_mean else []), higher_is_better)


def _interval(value: float, error: float | None, averaged: Sequence[float]) -> tuple[float, float] | None:
    from evalkit.stats import mean_t, wilson

    if averaged and set(averaged) <= {0.0, 1.0}:
        share = wilson(sum(averaged), len(averaged))
        return share.low, share.high
    if error is None:
        return None
    if averaged:
        mean = mean_t(averaged)
        return _clipped((mean.low, mean.high), unit=min(averaged) >= 0.0 and max(averaged) <= 1.0)
    return value - _Z95 * error, value + _Z95 * error


def _are_verdicts(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(v, list) and v and all(isinstance(x, bool) for x in v) for v in values)


def _pooled(value: float, values: Sequence[Sequence[bool]], higher_is_better: bool | None) -> Figure:
    from evalkit.stats import clustered_mean

    verdicts = [float(verdict) for item in values for verdict in item]
    if not math.isclose(sum(verdicts) / len(verdicts), value, abs_tol=1e-12):
        return Figure(value, higher_is_better=higher_is_better)
    mean = clustered_mean(verdicts, clusters=[place for place, item in enumerate(values) for _ in item])
    if mean.df < 1:
        return Figure(value, higher_is_better=higher_is_better)
    interval = mean.interval()
    return Figure(value, mean.stderr, _clipped((interval.low, interval.high), unit=True), higher_is_better)


def group_figure(value: Any, stderr: Any, higher_is_better: bool | None, *, unit: bool, n: int) -> Figure:
    """`unit`: the members' values all lie between 0 and 1. `n`: the documents of all members."""
    number, error = _number(value), _number(stderr)
    if number is None:
        return Figure(None, higher_is_better=higher_is_better, reason="no member has a figure")
    ci = None if error is None else _clipped((number - _Z95 * error, number + _Z95 * error), unit=unit)
    if error == 0.0 and unit and n and number in (0.0, 1.0):
        from evalkit.stats import wilson

        # All wrong or all right: there is no spread, but the value is still not certain.
        share = wilson(number * n, n)
        ci = share.low, share.high
    return Figure(number, error, ci, higher_is_better)


def pooled_figure(members: Sequence[Figure], sizes: Sequence[int]) -> Figure:
    """The mean over the documents of several tasks, each with its figure and its number of documents."""
    total = sum(sizes)
    known = [(m.value, m.stderr, n) for m, n in zip(members, sizes, strict=True) if m.value is not None]
    if len(known) < len(members) or not total:
        return Figure(None, higher_is_better=members[0].higher_is_better, reason="a member has no figure")
    value = sum(each * n for each, _, n in known) / total
    errors = [None if error is None else error * n / total for _, error, n in known]
    if None in errors:
        return Figure(value, higher_is_better=members[0].higher_is_better)
    stderr = math.sqrt(sum(error**2 for error in errors if error is not None))
    unit = all(m.ci95 is not None and m.ci95[0] >= 0.0 and m.ci95[1] <= 1.0 for m in members)
    return group_figure(value, stderr, members[0].higher_is_better, unit=unit, n=total)


def _clipped(interval: tuple[float, float], *, unit: bool) -> tuple[float, float]:
    return (max(0.0, interval[0]), min(1.0, interval[1])) if unit else interval


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
