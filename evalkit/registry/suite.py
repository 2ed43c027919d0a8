"""A suite: the requested tasks in lm-eval's order, the groups over them, and the figures of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.registry.aggregating import Part
from evalkit.registry.cards import Sized
from evalkit.registry.figures import group_figure, pooled_figure
from evalkit.registry.task import Task
from evalkit.types import Figure, Row

__all__ = ["Group", "Suite", "SuiteFigures"]


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    alias: str
    members: tuple[str, ...]
    """Direct children, tasks and groups."""
    tasks: tuple[str, ...]
    """Leaves, in order."""
    version: str
    headline: str | None
    chance: float | None = None
    macro: str | None = None
    """The metric whose plain mean over the leaves is a figure too, `acc_macro,none` of `acc,none`."""
    sized: Sized | None = None
    """The drop that its parts are sized to find; None: every document is asked."""
    _group: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SuiteFigures:
    tasks: dict[str, dict[str, Figure]]
    groups: dict[str, dict[str, Figure]]
    parts: dict[str, dict[str, Part]] = field(default_factory=dict)
    """The groups of a task's documents by name, if the task has such groups."""


@dataclass(frozen=True, slots=True)
class Suite:
    typed: tuple[str, ...]
    requested: tuple[str, ...]
    """The requested names of tasks and groups, with tags and globs expanded."""
    tasks: dict[str, Task]
    groups: dict[str, Group]
    notes: tuple[str, ...] = ()
    """Notes for the user, a line each."""

    def leaves(self, name: str) -> tuple[str, ...]:
        return self.groups[name].tasks if name in self.groups else (name,)

    def headline(self, name: str) -> str | None:
        return self.groups[name].headline if name in self.groups else self.tasks[name].headline

    def aggregate(self, rows_by_task: Mapping[str, Sequence[Row]]) -> SuiteFigures:
        """The figures of every task with rows, and of every group with such a task."""
        tasks = {
            name: task.aggregate(rows_by_task[name]) for name, task in self.tasks.items() if rows_by_task.get(name)
        }
        sizes = {name: _sample_len(rows_by_task[name]) for name in tasks}
        groups = {name: self._group_figures(group, tasks, sizes) for name, group in self.groups.items()}
        parts = {name: part for name in tasks if (part := self.tasks[name].parts(rows_by_task[name]))}
        return SuiteFigures(tasks, {name: figures for name, figures in groups.items() if figures}, parts)

    def _group_figures(
        self, group: Group, tasks: Mapping[str, Mapping[str, Figure]], sizes: Mapping[str, int]
    ) -> dict[str, Figure]:
        from evalkit.registry import lmeval

        metrics: dict[str, dict[str, float | str]] = {}
        for name in group.tasks:
            if name not in tasks:
                continue
            values: dict[str, float | str] = {"sample_len": sizes[name]}
            for key, figure in tasks[name].items():
                if figure.value is None:
                    continue
                metric, _, filter_name = key.partition(",")
                values[key] = figure.value
                values[f"{metric}_stderr,{filter_name}"] = "N/A" if figure.stderr is None else figure.stderr
            metrics[name] = values
        if not metrics:
            return {}
        aggregated = lmeval.group_figures(group._group, metrics)
        figures = {}
        for key, value in aggregated.items():
            metric, comma, filter_name = key.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            stderr = aggregated.get(f"{metric}_stderr,{filter_name}")
            members = [tasks[name][key] for name in group.tasks if name in tasks and key in tasks[name]]
            bounds = [member.ci95 for member in members if member.ci95 is not None]
            n = sum(sizes[name] for name in group.tasks if name in tasks and key in tasks[name])
            unit = bool(bounds) and all(low >= 0.0 and high <= 1.0 for low, high in bounds)
            whole = group_figure(value, stderr, members[0].higher_is_better, unit=unit, n=n)
            # If no member has an interval, a standard error of 0 does not mean that the value is certain.
            figures[key] = whole if bounds or whole.stderr else replace(whole, ci95=None)
        return {**figures, **_of_samples(group, tasks, sizes), **_macro(group, tasks)} if figures else {}


def _of_samples(group: Group, tasks: Mapping[str, Mapping[str, Figure]], sizes: Mapping[str, int]) -> dict[str, Figure]:
    """The figures over several answers per document that every member has; lm-eval's groups know none."""
    members = [name for name in group.tasks if name in tasks]
    keys = [key for key in tasks[members[0]] if key.startswith(("avg@", "maj@", "pass@"))]
    return {
        key: pooled_figure([tasks[name][key] for name in members], [sizes[name] for name in members])
        for key in keys
        if any(name.startswith("avg@") for name in keys) and all(key in tasks[name] for name in members)
    }


def _macro(group: Group, tasks: Mapping[str, Mapping[str, Figure]]) -> dict[str, Figure]:
    """The plain mean over the group's tasks, where every one of them has the figure."""
    from evalkit.stats import plain_mean

    if group.macro is None:
        return {}
    figures = [tasks[name][group.macro] for name in group.tasks if name in tasks and group.macro in tasks[name]]
    values = [figure.value for figure in figures if figure.value is not None]
    if len(values) < len(group.tasks):
        return {}
    stderrs = [math.nan if figure.stderr is None else figure.stderr for figure in figures]
    value, stderr = plain_mean(values, stderrs)
    metric, _, filter_name = group.macro.partition(",")
    unit = all(0 <= value <= 1 for value in values)
    figure = group_figure(value, stderr, figures[0].higher_is_better, unit=unit, n=len(values))
    return {f"{metric}_macro,{filter_name}": figure}


def _sample_len(rows: Sequence[Row]) -> int:
    """lm-eval's sample length: the largest number of values of any metric."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        for metric, value in row.metrics.items():
            if value is not None:
                counts[metric, row.filter] = counts.get((metric, row.filter), 0) + 1
    return max(counts.values(), default=0)
