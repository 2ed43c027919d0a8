"""Curves of all tasks over the runs of a training run."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from evalkit.comparison import better_when_higher, check
from evalkit.curves.axis import Placed, place_runs
from evalkit.curves.choosing import choose_metric, newest_of_task, task_names, whole_runs
from evalkit.curves.documents import read_documents
from evalkit.curves.records import Curves, Number, TaskCurve
from evalkit.curves.task import Figure, judge_task
from evalkit.curves.texts import NotesOnce
from evalkit.errors import EvalkitError, NotComparable
from evalkit.results import Run

__all__ = ["draw_curves"]


class _Asked(NamedTuple):
    axis: str
    metric: str | None
    headlines: Mapping[str, str]
    allow: Collection[str]
    tolerance: float | str
    baseline: Run | None


def draw_curves(
    runs: Sequence[Run],
    *,
    axis: str = "step",
    table: Mapping[str, Number] | None = None,
    baseline: Run | None = None,
    tasks: Sequence[str] = (),
    metric: str | None = None,
    headlines: Mapping[str, str] | None = None,
    allow: Collection[str] = (),
    tolerance: float | str = 0.01,
    notes: Sequence[str] = (),
) -> Curves:
    """A curve for each task that two runs or more have figures of.

    `headlines`: the metric that a task is known by, where its run does not say. `table`: places of runs.
    `tolerance`: a difference that does not matter, on the metric's scale or as "2%" of the best. `notes`: what is
    known already of runs that could not be read.
    """
    placed, nowhere = place_runs(runs, axis, table)
    placed, unfinished = whole_runs(placed)
    remarks = NotesOnce([*notes, *nowhere, *unfinished])
    if len({place.x for place in placed}) < 2:
        raise NotComparable(_too_few(runs, placed, axis, remarks.lines))
    names = task_names(placed, tasks)
    _check_settings(placed, names, baseline, allow, remarks)
    asked = _Asked(axis, metric, headlines or {}, allow, tolerance, baseline)
    judged_tasks = []
    for name in names:
        points, twice = newest_of_task(placed, name)
        for x, newer, older in twice:
            remarks.add(f"two runs at {axis} {x}: {newer.path} counts, it is newer than {older.path}")
        if len(points) < 2:
            remarks.add(f"{name} is left out: {len(points)} of these runs has it, and a curve needs two")
            continue
        judged = _curve(name, points, asked, remarks)
        if judged is not None:
            judged_tasks.append(judged)
    if not judged_tasks:
        raise NotComparable(
            "no task has figures in two of these runs" + "".join(f"\n  {note}" for note in remarks.lines)
        )
    label = None if baseline is None else f"{baseline.label} ({baseline.run_id})"
    return Curves(axis, tuple(judged_tasks), tuple(remarks.lines), str(tolerance), label)


def _curve(name: str, points: Sequence[Placed], asked: _Asked, remarks: NotesOnce) -> TaskCurve | None:
    metric = choose_metric(name, points, asked.headlines, asked.metric)
    if metric is None:
        remarks.add(f"{name} is left out: no run has a figure of it")
        return None
    figures = [_figure(point.run, name, metric) for point in points]
    outside = None
    if asked.baseline is not None:
        outside = _figure(asked.baseline, name, metric)
        if outside.value is None:
            remarks.add(
                f"{name}: the baseline {asked.baseline.run_id} has no {metric}; the first point stands in for it"
            )
            outside = None
    known = [k for k, figure in enumerate(figures) if figure.value is not None]
    documents, why = None, ""
    if len(known) > 1:
        whose = [points[k].run for k in known] + ([asked.baseline] if asked.baseline and outside else [])
        # The points' documents count, not those of a baseline with more or fewer of them.
        order = [*whose[len(known) :], *whose[: len(known)]]
        try:
            read = read_documents(order, name, metric, asked.allow)
        except EvalkitError as error:
            why = str(error)
            remarks.add(f"not paired: {why}")
        else:
            documents = read
    judge = partial(
        judge_task,
        name,
        metric,
        [point.x for point in points],
        figures,
        outside,
        axis=asked.axis,
        higher=_direction(points, name, metric),
        tolerance=asked.tolerance,
    )
    try:
        return judge(documents=documents)
    except NotComparable as error:
        # The documents that all runs share are too few, or none.
        if documents is None:
            raise
        remarks.add(f"not paired: {name}: {error}")
        return judge(documents=None)


def _figure(run: Run, name: str, metric: str) -> Figure:
    entry = run.entry(name)
    stated = None if entry is None else entry.metrics.get(metric)
    if entry is None or stated is None:
        return Figure(run.run_id, None, None, None, f"{run.run_id} has no {metric} of {name}")
    if stated.value is None or not math.isfinite(stated.value):
        return Figure(run.run_id, None, None, None, stated.reason or f"{stated.value} is not a number")
    stderr = (
        stated.stderr if stated.stderr is not None and math.isfinite(stated.stderr) and stated.stderr >= 0 else None
    )
    return Figure(run.run_id, float(stated.value), None if stderr is None else float(stderr), entry.n, None)


def _direction(points: Sequence[Placed], name: str, metric: str) -> bool | None:
    ways = []
    for point in points:
        entry = point.run.entry(name)
        if entry is not None and metric in entry.metrics:
            ways.append(better_when_higher(entry.metrics[metric], metric))
    if len(set(ways)) > 1:
        raise NotComparable(f"{name}: {metric} is better when higher in one run and not in another")
    return ways[0] if ways else None


def _check_settings(
    placed: Sequence[Placed], names: Sequence[str], baseline: Run | None, allow: Collection[str], remarks: NotesOnce
) -> None:
    """Refuse runs that measured different things."""
    last = max(placed, key=lambda place: place.x).run
    others = [place.run for place in placed if place.run is not last] + ([baseline] if baseline is not None else [])
    for run in others:
        for note in check(
            run, last, [leaf for leaf in _leaves(run, names) if leaf in last.record.results.tasks], allow
        ):
            remarks.add(note)
    models = list(dict.fromkeys(place.run.model.source or place.run.label for place in placed))
    statuses = [place.run.run_id for place in placed if place.run.status != "complete"]
    if statuses:
        remarks.add(f"not every document: {', '.join(statuses[:5])}{' …' if len(statuses) > 5 else ''}")
    if len(models) > 1 and len(models) < len(placed):
        remarks.add(f"these are runs of several models: {', '.join(models[:5])}{' …' if len(models) > 5 else ''}")


def _leaves(run: Run, names: Sequence[str]) -> list[str]:
    waiting, seen = list(names), dict.fromkeys(names)
    while waiting:
        entry = run.entry(waiting.pop())
        for member in entry.all_members if entry is not None else ():
            if member not in seen:
                seen[member] = None
                waiting.append(member)
    return [name for name in seen if name in run.record.results.tasks]


def _too_few(runs: Sequence[Run], placed: Sequence[Placed], axis: str, notes: Sequence[str]) -> str:
    places = sorted({place.x for place in placed})
    at = f" (at {axis} {places[0]})" if places else ""
    listed = "".join(f"\n  {note}" for note in notes[:5]) + (f"\n  and {len(notes) - 5} more" if len(notes) > 5 else "")
    return f"a curve needs two points or more: of {len(runs)} runs {len(places)} has a place of its own{at}{listed}"
