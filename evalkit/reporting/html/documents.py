"""Lists every document of a view as columns: its task and id, both values, and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evalkit.comparison import FLAGS, Lines
from evalkit.reporting.views import Part, View
from evalkit.results import Run

__all__ = ["OUTCOMES", "Index", "Wanted", "index"]

OUTCOMES = ("lost", "gained", "wrong", "right", "same", "unanswered")
"""wrong, right: in both runs. same: a value between. unanswered: by one run or both."""

_LOST, _GAINED, _WRONG, _RIGHT, _SAME, _UNANSWERED = range(6)
_TROUBLES = sum(FLAGS.values())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document whose texts may be shown, and its doc_id in each run."""

    leaf: str
    filter: str
    metric: str
    first: bool
    """Whether its outcome changed or something went wrong: such texts are packed first."""
    rows: dict[int, int]
    """Maps the run's number on the page to the doc_id in that run."""


@dataclass
class Index:
    """The columns of all views, and their documents; a document that several views show is listed once."""

    views: list[dict[str, Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)


def index(views: Sequence[View], runs: Sequence[Run]) -> Index:
    """List the documents of all views."""
    content = Index()
    numbers = {id(run): number for number, run in enumerate(runs)}
    places: dict[tuple[Any, ...], int] = {}
    for view in views:
        sides = numbers[id(view.baseline)], numbers[id(view.run)]
        columns: dict[str, list[Any]] = {key: [] for key in ("name", "leaf", "id", "out", "a", "b", "fa", "fb", "text")}
        for part in view.parts:
            _add(content, columns, part, sides, places)
        content.views.append(columns)
    return content


def _add(
    content: Index,
    columns: dict[str, list[Any]],
    part: Part,
    sides: tuple[int, int],
    places: dict[tuple[Any, ...], int],
) -> None:
    """Add the documents of one target to the columns. `sides`: the numbers of the baseline and of the run."""
    baseline, candidate = sides
    pairs, target = part.measured.pairs, part.target
    name = _place(content.names, target.name)
    leaves = {leaf: _place(content.leaves, leaf) for leaf in dict.fromkeys(pairs.task)}
    outcomes = _outcomes(part)
    troubled = ((pairs.baseline_flags | pairs.candidate_flags) & _TROUBLES) > 0
    filter_name = target.metric.partition(",")[2]
    baseline_ids = _ids(part.lines[0], pairs.baseline_line)
    candidate_ids = _ids(part.lines[1], pairs.candidate_line)
    columns["name"] += [name] * len(pairs.task)
    columns["leaf"] += [leaves[leaf] for leaf in pairs.task]
    columns["id"] += [b if a is None else a for a, b in zip(baseline_ids, candidate_ids, strict=True)]
    columns["out"] += outcomes.tolist()
    columns["a"] += _values(pairs.baseline)
    columns["b"] += _values(pairs.candidate)
    columns["fa"] += pairs.baseline_flags.tolist()
    columns["fb"] += pairs.candidate_flags.tolist()
    for k, leaf in enumerate(pairs.task):
        in_runs = ((baseline, baseline_ids[k]), (candidate, candidate_ids[k]))
        rows = {run: doc_id for run, doc_id in in_runs if doc_id is not None}
        # All views share the baseline's documents; a document that the baseline lacks belongs to its run.
        owner = in_runs[0] if baseline_ids[k] is not None else in_runs[1]
        key = (target.metric, leaf, *owner)
        first = bool(outcomes[k] in (_LOST, _GAINED) or troubled[k])
        place = places.get(key)
        if place is None:
            place = places[key] = len(content.wanted)
            content.wanted.append(Wanted(leaf, filter_name, target.metric, first, rows))
        else:
            before = content.wanted[place]
            content.wanted[place] = Wanted(leaf, filter_name, target.metric, before.first or first, before.rows | rows)
        columns["text"].append(place)


def _outcomes(part: Part) -> Any:
    """The outcomes as `compare` counts them: lost is worse and gained is better by the metric's direction."""
    pairs, sign = part.measured.pairs, part.target.sign
    both = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    out = np.full(both.size, _UNANSWERED)
    out[both] = _SAME
    if part.measured.ends is not None:
        low, high = part.measured.ends if sign > 0 else part.measured.ends[::-1]
        out[both & (pairs.baseline == low) & (pairs.candidate == low)] = _WRONG
        out[both & (pairs.baseline == high) & (pairs.candidate == high)] = _RIGHT
    out[both & (sign * pairs.candidate < sign * pairs.baseline)] = _LOST
    out[both & (sign * pairs.candidate > sign * pairs.baseline)] = _GAINED
    return out


def _ids(lines: Lines, places: Any) -> list[int | None]:
    return [lines.doc_id[place] if place >= 0 else None for place in places.tolist()]


def _values(column: Any) -> list[float | int | None]:
    """The values for JSON, whole numbers as integers to save space: most values are 0 or 1."""
    return [None if v != v else int(v) if v == int(v) else float(v) for v in column.tolist()]


def _place(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)
