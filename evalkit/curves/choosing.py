"""Which runs make a task's points, and by which metric it is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from evalkit.comparison import requested_names, usable, whole
from evalkit.curves.axis import Placed
from evalkit.curves.records import Number
from evalkit.errors import ConfigError, EvalkitError, UnknownTask, nearest
from evalkit.results import Entry, Run

__all__ = ["choose_metric", "newest_of_task", "task_names", "whole_runs"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def whole_runs(placed: Sequence[Placed]) -> tuple[list[Placed], list[str]]:
    """The runs that came to their end, and a note for each other one."""
    kept, notes = [], []
    for place in placed:
        try:
            usable(place.run)
            whole(place.run)
        except EvalkitError as error:
            notes.append(f"{place.run.run_id} is left out: {error}")
        else:
            kept.append(place)
    return kept, notes


def task_names(placed: Sequence[Placed], asked: Sequence[str]) -> list[str]:
    """The names that were asked for, or all that the runs were asked for."""
    if not asked:
        return list(dict.fromkeys(name for place in placed for name in requested_names(place.run)))
    known = {
        name: None
        for place in placed
        for name in (*place.run.requested, *place.run.record.results.groups, *place.run.record.results.tasks)
    }
    for name in asked:
        if all(place.run.entry(name) is None for place in placed):
            hint = nearest(name, known) or f"; they have {', '.join([*known][:8]) or 'no task'}"
            raise UnknownTask(f"{name} is in none of these runs{hint}")
    return list(asked)


def newest_of_task(placed: Sequence[Placed], name: str) -> tuple[list[Placed], list[tuple[Number, Run, Run]]]:
    """The points of a task in order, and where a newer run stands in for an older one at the same place."""
    at: dict[Number, Placed] = {}
    twice = []
    for place in sorted(placed, key=lambda place: (place.run.dated or _LONG_AGO, place.run.run_id)):
        if place.run.entry(name) is None:
            continue
        if place.x in at:
            twice.append((place.x, place.run, at[place.x].run))
        at[place.x] = place
    return [at[x] for x in sorted(at)], twice


def choose_metric(name: str, placed: Sequence[Placed], headlines: Mapping[str, str], asked: str | None) -> str | None:
    """The metric that was asked for, else the task's headline, else acc, else the first. None: there is no figure."""
    entries = [entry for place in reversed(placed) if (entry := place.run.entry(name)) is not None]
    counts: dict[str, int] = {}
    for entry in entries:
        for metric in entry.metrics:
            counts[metric] = counts.get(metric, 0) + 1
    if asked is not None:
        matching = [metric for metric in counts if asked in (metric, metric.partition(",")[0])]
        if not matching:
            raise ConfigError(
                f"{name} has no metric {asked}{nearest(asked, counts) or '; it has ' + ', '.join(counts)}"
            )
        return max(matching, key=lambda metric: (metric == asked, counts[metric]))
    wanted = [*_stated(entries), headlines.get(name), "acc,none", *(m for m in counts if m.startswith("acc,")), *counts]
    usable_ones = [metric for metric in wanted if metric in counts]
    # One that a single run has makes no curve.
    return next((metric for metric in usable_ones if counts[metric] > 1), next(iter(usable_ones), None))


def _stated(entries: Sequence[Entry]) -> list[str]:
    return [entry.headline for entry in entries if entry.headline is not None]
