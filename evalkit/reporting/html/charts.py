"""A curve as an SVG drawing: points with their band, the baseline, and where a decline begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.curves import Point, TaskCurve, number, place

__all__ = ["Chart", "Mark", "chart"]

WIDTH, HEIGHT = 680, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 34
_FAR = 100
"""Axes whose ends differ by more than this factor are logarithmic."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point on the drawing, and what is said of it."""

    x: float
    y: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    height: int
    line: str
    """Corners as SVG writes them; over points without a figure the line goes straight on."""
    bands: tuple[str, ...]
    marks: tuple[Mark, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    baseline: float | None
    declined: float | None
    """From this x to the right edge every point is surely worse than the best."""
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    top: float = _TOP


class _Scale:
    """Numbers to places on the drawing; by logarithms where they go over more than two powers of ten."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, logs: bool) -> None:
        self.logs = logs
        turned = [self._turn(value) for value in values]
        self._low, self._spread = min(turned), (max(turned) - min(turned)) or 1.0
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (self._turn(value) - self._low) / self._spread
        return round(self._start + share * (self._end - self._start), 1)

    def _turn(self, value: float) -> float:
        return math.log1p(value) if self.logs else value


def chart(task: TaskCurve, axis: str) -> Chart | None:
    """None: no point has a figure."""
    known = [point for point in task.points if point.value is not None]
    if not known:
        return None
    xs = [float(point.x) for point in task.points]
    heights = [v for point in known for v in (point.value, point.low, point.high) if v is not None]
    heights += [] if task.baseline is None else [task.baseline]
    room = (max(heights) - min(heights)) * 0.05 or 0.01
    across = _Scale(xs, _LEFT, WIDTH - _RIGHT, logs=min(xs) >= 0 and max(xs) > _FAR * (1 + min(xs)))
    far = min(heights) >= 0 and max(heights) > _FAR * max(min(heights), 1e-9) and max(heights) > _FAR
    ends = [*heights] if far else [min(heights) - room, max(heights) + room]
    up = _Scale(ends, HEIGHT - _BOTTOM, _TOP, logs=far)
    return Chart(
        WIDTH,
        HEIGHT,
        line=" ".join(f"{across(point.x)},{up(_value(point))}" for point in known),
        bands=_bands(known, across, up),
        marks=tuple(_mark(task, point, axis, across, up) for point in known),
        x_ticks=_x_ticks(task.points, across),
        y_ticks=tuple((up(value), number(value)) for value in _y_ticks(min(heights), max(heights), far)),
        baseline=None if task.baseline is None else up(task.baseline),
        declined=None if task.declined_from is None else across(task.declined_from),
    )


def _bands(known: Sequence[Point], across: _Scale, up: _Scale) -> tuple[str, ...]:
    """An area for each stretch of points that have bands."""
    stretches: list[list[Point]] = [[]]
    for point in known:
        if point.low is None or point.high is None:
            stretches.append([])
        else:
            stretches[-1].append(point)
    drawn = []
    for stretch in stretches:
        over = [(across(point.x), up(point.high)) for point in stretch if point.high is not None]
        under = [(across(point.x), up(point.low)) for point in reversed(stretch) if point.low is not None]
        if len(over) == 1:  # a single point's band has no width: it is drawn as a narrow bar
            (x, high), (_, low) = over[0], under[0]
            over, under = [(x - 2, high), (x + 2, high)], [(x + 2, low), (x - 2, low)]
        if over:
            drawn.append(" ".join(f"{x},{y}" for x, y in (*over, *under)))
    return tuple(drawn)


def _mark(task: TaskCurve, point: Point, axis: str, across: _Scale, up: _Scale) -> Mark:
    declined = task.declined_from is not None and point.x >= task.declined_from
    kind = "best" if point is task.best else "worse" if declined or point.against == "worse" else ""
    parts = [f"{axis} {place(point.x)}: {number(_value(point))}"]
    if point.low is not None and point.high is not None:
        parts.append(f"band {number(point.low)} to {number(point.high)}")
    if point is task.best:
        parts.append("the best")
    if declined:
        parts.append("surely worse than the best")
    if point.against is not None:
        parts.append(f"surely {point.against} than {'the baseline' if task.baseline is not None else 'the first'}")
    return Mark(across(point.x), up(_value(point)), kind, ", ".join(parts))


def _x_ticks(points: Sequence[Point], across: _Scale) -> tuple[tuple[float, str], ...]:
    """The points' own places, as far as their labels have room."""
    kept: list[tuple[float, str]] = []
    for point in reversed(points):  # the last one is always labelled
        at, text = across(point.x), place(point.x)
        if not kept or kept[-1][0] - at > 7 * max(len(text), len(kept[-1][1])) + 8:
            kept.append((at, text))
    return tuple(reversed(kept))


def _y_ticks(low: float, high: float, far: bool) -> list[float]:
    if far:
        return sorted({low, math.expm1((math.log1p(low) + math.log1p(high)) / 2), high})
    return [low, (low + high) / 2, high] if high > low else [low]


def _value(point: Point) -> float:
    assert point.value is not None
    return point.value
