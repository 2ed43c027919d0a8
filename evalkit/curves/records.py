"""A curve as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Curves", "Forgotten", "Number", "Point", "TaskCurve"]

Number: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class Point:
    """One checkpoint's figure of a task. What is not known is None, and `reason` says why."""

    x: Number
    value: float | None
    stderr: float | None
    low: float | None
    """The bands of all points of a task hold together at 95%."""
    high: float | None
    run_id: str
    against: Literal["better", "worse"] | None = None
    """Surely better or worse than the baseline, or than the first point where there is none."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A document that the best point answered better than the last one."""

    task: str
    """Of a group, the member."""
    doc_id: int
    since: Number
    """From here on every point answers it worse than the best."""
    before: float
    after: float
    """The document's values at the best and at the last point."""


@dataclass(frozen=True, slots=True)
class TaskCurve:
    name: str
    metric: str
    higher_is_better: bool | None
    points: tuple[Point, ...]
    best: Point | None
    """Its band allows for having chosen it from all points."""
    declined: bool | None
    """Whether the last point is surely worse than the best. False: that is not shown. None: it can't be judged."""
    reason: str
    declined_from: Number | None = None
    """From here on every point is surely worse than the best."""
    worse_from: Number | None = None
    """From here on every point is surely worse than the baseline, or than the first point."""
    enough: Number | None = None
    """The first point that is surely within the tolerance of the best."""
    baseline: float | None = None
    """The baseline run's figure, where one is given."""
    documents: int | None = None
    """On which all points are paired; None where they are not."""
    forgotten: tuple[Forgotten, ...] = ()
    """By when they were forgotten. Some are lost by chance at any two points, as some are gained."""

    @property
    def last(self) -> Point:
        return self.points[-1]


@dataclass(frozen=True, slots=True)
class Curves:
    axis: str
    tasks: tuple[TaskCurve, ...]
    notes: tuple[str, ...]
    tolerance: str
    baseline: str | None = None
    """Which run, where one is given."""
