"""Curves along a training run: on a terminal, as markdown, as CSV, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from evalkit import safe
from evalkit.curves import Curves, Point, TaskCurve, number, place
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console, say
from evalkit.types import JsonObject

__all__ = [
    "as_json",
    "as_markdown",
    "band",
    "findings",
    "notes",
    "point_head",
    "point_rows",
    "records",
    "show",
    "sparkline",
]

_UNKNOWN = "–"
_BARS = "▁▂▃▄▅▆▇█"
_FEW = 4
"""Up to so many tasks each get a table of their points."""


def as_json(curves: Curves) -> str:
    tasks = {}
    for task in curves.tasks:
        best = task.best
        tasks[task.name] = {
            "metric": task.metric,
            "points": [
                {"x": p.x, "value": p.value, "stderr": p.stderr, "low": p.low, "high": p.high} for p in task.points
            ],
            "best": {"x": None if best is None else best.x, "value": None if best is None else best.value},
            "last": {"x": task.last.x, "value": task.last.value},
            "declined": task.declined,
            "reason": task.reason,
        }
    return json.dumps({"tasks": tasks}, ensure_ascii=False, indent=1, allow_nan=False)


def records(curves: Curves) -> list[JsonObject]:
    """One flat record for each task and point, unrounded."""
    return [
        {
            "task": task.name,
            "metric": task.metric,
            curves.axis: point.x,
            "value": point.value,
            "stderr": point.stderr,
            "low": point.low,
            "high": point.high,
            "best": point is task.best,
            "against": point.against,
            "run": point.run_id,
            "reason": point.reason,
        }
        for task in curves.tasks
        for point in task.points
    ]


def findings(curves: Curves) -> list[JsonObject]:
    """One flat record for each task: what its curve says."""
    return [
        {
            "task": task.name,
            "metric": task.metric,
            "best_x": None if task.best is None else task.best.x,
            "best": None if task.best is None else task.best.value,
            "best_low": None if task.best is None else task.best.low,
            "best_high": None if task.best is None else task.best.high,
            "last_x": task.last.x,
            "last": task.last.value,
            "declined": task.declined,
            "declined_from": task.declined_from,
            "worse_from": task.worse_from,
            "enough": task.enough,
            "baseline": task.baseline,
            "documents": task.documents,
            "reason": task.reason,
        }
        for task in curves.tasks
    ]


def as_markdown(curves: Curves) -> str:
    head = _head(curves)
    lines = [row(head), rule(len(head), words=3)]
    lines += [row(_cells(task)) for task in curves.tasks]
    return "\n".join([*lines, "", *(f"- {safe.markdown(note)}" for note in notes(curves))]) + "\n"


def show(curves: Curves) -> None:
    console = open_console()
    # The name and the finding stay; if there is little room the sparkline goes first.
    drops = (0, 2, 1, 6, 5, 3, 4, 0)
    columns = [
        Column(title, "prose" if title == "decline" else "name" if at < 3 else "figure", drop, least=10)
        for at, (title, drop) in enumerate(zip(_head(curves), drops, strict=True))
    ]
    body = [_styled(_cells(task), task) for task in curves.tasks]
    draw(console, Table(columns, body))
    if len(curves.tasks) <= _FEW:
        for task in curves.tasks:
            console.print()
            draw(console, _points(task, curves.axis))
    for note in notes(curves):
        say(console, note, "dim")


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, from the lowest to the highest; a dot where it is not known.

    Where figures differ by more than a factor of 100, the bars are of their logarithms.
    """
    known = [value for value in values if value is not None]
    if not known:
        return "·" * len(values)
    logs = min(known) > 0 and max(known) / min(known) > 100
    scaled = [math.log(value) if logs else value for value in known]
    low, spread = min(scaled), max(scaled) - min(scaled)
    bars = iter(_BARS[round((value - low) / spread * (len(_BARS) - 1)) if spread > 0 else 3] for value in scaled)
    return "".join("·" if value is None else next(bars) for value in values)


def _head(curves: Curves) -> list[str]:
    return ["task", "metric", "curve", f"best {curves.axis}", "best", "95% band", "last", "decline"]


def _cells(task: TaskCurve) -> list[str]:
    best = task.best
    line = sparkline([point.value for point in task.points])
    return [
        task.name,
        task.metric,
        line,
        _UNKNOWN if best is None else place(best.x),
        _number(None if best is None else best.value),
        band(best),
        _number(task.last.value),
        _decline(task),
    ]


def _styled(cells: list[str], task: TaskCurve) -> list[Cell | str]:
    return [*cells[:-1], Cell(cells[-1], "red" if task.declined else "dim" if task.declined is None else "")]


def _decline(task: TaskCurve) -> str:
    if task.declined is None:
        return f"unknown: {task.reason}"
    if not task.declined:
        return "none: the last is the best" if task.best is task.last else "not shown"
    return f"DECLINED, from {place(task.declined_from or task.last.x)} on"


def point_head(task: TaskCurve, axis: str) -> list[str]:
    return [axis, task.metric, "95% band", "stderr", ""]


def point_rows(task: TaskCurve) -> list[list[str]]:
    """A row for each point, under `point_head`."""
    return [
        [place(point.x), _number(point.value), band(point), _number(point.stderr), ", ".join(_marks(task, point))]
        for point in task.points
    ]


def _points(task: TaskCurve, axis: str) -> Table:
    titles = point_head(task, axis)
    columns = [Column(title, "figure" if at < 4 else "name") for at, title in enumerate(titles)]
    return Table(columns, [[*row] for row in point_rows(task)], title=f"{task.name}: {task.reason}")


def _marks(task: TaskCurve, point: Point) -> list[str]:
    marks = ["best"] if point is task.best else []
    if task.declined and task.declined_from is not None and point.x >= task.declined_from:
        marks.append("worse than the best")
    if point.against is not None:
        marks.append(f"{point.against} than {'the baseline' if task.baseline is not None else 'the first'}")
    if point.x == task.enough and point is not task.best:
        marks.append("good enough")
    return marks + ([point.reason] if point.reason else [])


def notes(curves: Curves) -> list[str]:
    count = len(curves.tasks)
    lines = [
        "bands hold together over all points of a task at 95%, so the best one's allows for having chosen it;"
        " DECLINED: the last is surely worse than the best"
    ]
    if count >= 10:
        lines.append(
            f"each task is judged by itself: of {count} that don't change, up to {count * 0.05:.0f} may say so"
        )
    if curves.baseline is not None:
        lines.append(f"baseline: {curves.baseline}")
    worse = [f"{task.name} from {place(task.worse_from)}" for task in curves.tasks if task.worse_from is not None]
    if worse:
        against = "the baseline" if curves.baseline is not None else "the first point"
        lines.append(f"surely worse than {against}: {_some(worse)}")
    enough = [
        f"{task.name} at {place(task.enough)}"
        for task in curves.tasks
        if task.enough is not None and task.best is not None and task.enough != task.best.x
    ]
    if enough:
        lines.append(f"surely within {curves.tolerance} of the best before it: {_some(enough)}")
    return [*lines, *curves.notes]


def _some(names: Sequence[str], most: int = 8) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def band(point: Point | None) -> str:
    if point is None or point.low is None or point.high is None:
        return _UNKNOWN
    return f"{_number(point.low)} to {_number(point.high)}"


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else number(value)
