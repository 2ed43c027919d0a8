"""Every document of a view as columns: where it stands, both values, what became of it."""

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
    """A document whose texts may be shown: where its rows stand in each run."""

    leaf: str
    filter: str
    metric: str
    first: bool
    """Its outcome changed or something went wrong with it: its texts come before the others'."""
    rows: dict[int, int]
    """Run's place on the page → doc_id in that run."""


@dataclass
class Index:
    """Columns of all views, and the documents behind them, each once however many views show it."""

    views: list[dict[str, Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)


def index(views: Sequence[View], runs: Sequence[Run]) -> Index:
    found = Index()
    places = {id(run): place for place, run in enumerate(runs)}
    known: dict[tuple[Any, ...], int] = {}
    for view in views:
        here, there = places[id(view.baseline)], places[id(view.run)]
        columns: dict[str, list[Any]] = {key: [] for key in ("name", "leaf", "id", "out", "a", "b", "fa", "fb", "text")}
        for part in view.parts:
            _add(found, columns, part, here, there, known)
        found.views.append(columns)
    return found


def _add(
    found: Index, columns: dict[str, list[Any]], part: Part, here: int, there: int, known: dict[tuple[Any, ...], int]
) -> None:
    pairs, target = part.found.pairs, part.target
    name = _place(found.names, target.name)
    leaves = {leaf: _place(found.leaves, leaf) for leaf in dict.fromkeys(pairs.task)}
    outcomes = _outcomes(part)
    troubled = ((pairs.baseline_flags | pairs.candidate_flags) & _TROUBLES) > 0
    filter_name = target.metric.partition(",")[2]
    one = _ids(part.lines[0], pairs.baseline_line)
    other = _ids(part.lines[1], pairs.candidate_line)
    columns["name"] += [name] * len(pairs.task)
    columns["leaf"] += [leaves[leaf] for leaf in pairs.task]
    columns["id"] += [b if a is None else a for a, b in zip(one, other, strict=True)]
    columns["out"] += outcomes.tolist()
    columns["a"] += _values(pairs.baseline)
    columns["b"] += _values(pairs.candidate)
    columns["fa"] += pairs.baseline_flags.tolist()
    columns["fb"] += pairs.candidate_flags.tolist()
    for k, leaf in enumerate(pairs.task):
        rows = {run: doc for run, doc in ((here, one[k]), (there, other[k])) if doc is not None}
        # The baseline's document is the same in every view; one that only another run has is that run's.
        owner = (here, one[k]) if one[k] is not None else (there, other[k])
        key = (target.metric, leaf, *owner)
        first = bool(outcomes[k] in (_LOST, _GAINED) or troubled[k])
        place = known.get(key)
        if place is None:
            place = known[key] = len(found.wanted)
            found.wanted.append(Wanted(leaf, filter_name, target.metric, first, rows))
        else:
            before = found.wanted[place]
            found.wanted[place] = Wanted(leaf, filter_name, target.metric, before.first or first, before.rows | rows)
        columns["text"].append(place)


def _outcomes(part: Part) -> Any:
    """As compare counts them: lost and gained are worse and better by the metric's own direction."""
    pairs, sign = part.found.pairs, part.target.sign
    both = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    out = np.full(both.size, _UNANSWERED)
    out[both] = _SAME
    if part.found.ends is not None:
        low, high = part.found.ends if sign > 0 else part.found.ends[::-1]
        out[both & (pairs.baseline == low) & (pairs.candidate == low)] = _WRONG
        out[both & (pairs.baseline == high) & (pairs.candidate == high)] = _RIGHT
    out[both & (sign * pairs.candidate < sign * pairs.baseline)] = _LOST
    out[both & (sign * pairs.candidate > sign * pairs.baseline)] = _GAINED
    return out


def _ids(lines: Lines, places: Any) -> list[int | None]:
    return [lines.doc_id[place] if place >= 0 else None for place in places.tolist()]


def _values(column: Any) -> list[float | int | None]:
    """Whole numbers without a point: most of a page's index is zeros and ones."""
    return [None if v != v else int(v) if v == int(v) else float(v) for v in column.tolist()]


def _place(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)
