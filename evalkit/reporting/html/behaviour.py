"""The behaviour section's data: rates of groups of documents, and the worst answers, which the page keeps folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from evalkit.results import GroupResult, Metric, Run

__all__ = ["behaviour_entries"]

Json: TypeAlias = "dict[str, object]"

_WORST = 5
_LONGEST = 1200
"""Characters of a prompt and of an answer."""


def behaviour_entries(runs: Sequence[Run]) -> list[Json]:
    """An entry for each task whose documents fall into groups, in any of the runs."""
    names = dict.fromkeys(
        group.part_of for run in runs for group in run.record.results.groups.values() if group.part_of
    )
    return [_entry(name, runs) for name in names]


def _entry(task: str, runs: Sequence[Run]) -> Json:
    parts = dict.fromkeys(part for run in runs for part in run.record.results.parts(task))
    metrics = dict.fromkeys(
        metric for run in runs for part in parts if (group := _group(run, part)) for metric in group.metrics
    )
    return {
        "name": task,
        "metrics": list(metrics),
        "parts": [{"name": part, "runs": [_figures(run, part) for run in runs]} for part in parts],
        "worst": [list(_worst(run, task)) for run in runs],
    }


def _group(run: Run, part: str) -> GroupResult | None:
    return run.record.results.groups.get(part)


def _figures(run: Run, part: str) -> Json | None:
    group = _group(run, part)
    if group is None:
        return None
    return {"n": group.n, "figures": {name: _figure(metric) for name, metric in group.metrics.items()}}


def _figure(metric: Metric) -> Json:
    return {
        "value": metric.value,
        "ci95": None if metric.ci95 is None else list(metric.ci95),
        "higher_is_better": metric.higher_is_better,
        "reason": metric.reason,
    }


def _worst(run: Run, task: str) -> Iterator[Json]:
    """The first documents with the worst value of the bias score, or else of the headline."""
    entry = run.record.results.tasks.get(task)
    if entry is None or not run.has_rows(task):
        return
    chosen = next((name for name in entry.metrics if name.startswith("bias_score,")), entry.headline)
    if chosen is None or chosen not in entry.metrics:
        return
    name, _, filter_name = chosen.partition(",")
    better_high = entry.metrics[chosen].higher_is_better is not False
    rows = [row for row in run.rows(task) if row.get("filter") == filter_name and _is_number(row.get(name))]
    values = [float(row[name]) for row in rows]
    if not values or min(values) == max(values) == (1.0 if better_high else 0.0):
        return
    worst = min(values) if better_high else max(values)
    of_worst = (row for row, value in zip(rows, values, strict=True) if value == worst)
    for row in islice(of_worst, _WORST):
        yield {"doc_id": row.get("doc_id"), "metric": chosen, "value": worst, **_texts(row)}


def _texts(row: Mapping[str, object]) -> Json:
    return {"prompt": _text(row.get("arguments")), "answer": _text(row.get("resps"))}


def _text(value: object) -> str:
    """The first text inside nested lists."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    text = value if isinstance(value, str) else ""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
