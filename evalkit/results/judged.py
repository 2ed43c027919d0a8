"""Judges' figures in a run: what they are called, which files they rest on, and what a rewritten run keeps of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalkit.results.names import judgments_file, slug
from evalkit.results.record import Entry, GroupResult, Metric, Results, TaskResult

if TYPE_CHECKING:
    import pyarrow as pa

    from evalkit.results.run import Run

__all__ = [
    "Kept",
    "filter_of",
    "judge_names",
    "keep_judged",
    "older_filters",
    "rename_older",
    "with_entries",
    "without_lost_rows",
]

E = TypeVar("E", TaskResult, GroupResult)


def filter_of(rubric: str, judges: Sequence[str]) -> str:
    """The part of a judged metric's name behind the comma, which is the filter of its lines in scores.parquet."""
    return f"{rubric}@{'+'.join(judges)}"


def judge_names(metric: Metric) -> tuple[str, list[str]] | None:
    """Rubric and judges of a figure in results.json; None where no judge gave it, or it does not say which."""
    names = [judge.name for judge in metric.judge if judge.name]
    return (metric.rubric.id, names) if metric.rubric and metric.rubric.id and names else None


# ── names that older runs have ───────────────────────────────────────────────


def rename_older(results: Results) -> tuple[Results, dict[str, dict[str, str]]]:
    """The figures with `<dimension>,<rubric>@<judge>` where an older evalkit wrote `<dimension>,<rubric>`.

    Beside it, for each task, the filters in scores.parquet that are renamed so.
    """
    filters: dict[str, dict[str, str]] = {}
    tasks = {name: _renamed(task, filters.setdefault(name, {})) for name, task in results.tasks.items()}
    groups = {name: _renamed(group, filters.setdefault(name, {})) for name, group in results.groups.items()}
    filters = {task: names for task, names in filters.items() if names}
    return results.model_copy(update={"tasks": tasks, "groups": groups}) if filters else results, filters


def _renamed(entry: E, filters: dict[str, str]) -> E:
    names = {key: _new_name(key, metric, filters) for key, metric in entry.metrics.items()}
    if all(key == name for key, name in names.items()):
        return entry
    changes: dict[str, Any] = {"metrics": {names[key]: metric for key, metric in entry.metrics.items()}}
    if entry.headline in names:
        changes["headline"] = names[entry.headline]
    return entry.model_copy(update=changes)


def _new_name(key: str, metric: Metric, filters: dict[str, str]) -> str:
    judges = judge_names(metric)
    dimension, comma, rest = key.partition(",")
    if judges is None or not comma or rest != judges[0]:
        return key
    filters[rest] = filter_of(*judges)
    return f"{dimension},{filters[rest]}"


def older_filters(table: pa.Table, filters: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """The score table with the filters renamed in the same way."""
    import pyarrow as pa

    if not filters:
        return table
    tasks, old = table.column("task").to_pylist(), table.column("filter").to_pylist()
    new = [filters.get(task, {}).get(name, name) for task, name in zip(tasks, old, strict=True)]
    place = table.column_names.index("filter")
    return table.set_column(place, "filter", pa.array(new, table.schema.field("filter").type))


# ── figures and the files that they rest on ──────────────────────────────────


def without_lost_rows(results: Results, folder: Path) -> Results:
    """The figures without those judged ones whose judgments do not lie in the folder."""

    def kept(entry: E) -> E:
        metrics = {key: metric for key, metric in entry.metrics.items() if _has_rows(metric, folder)}
        return entry if len(metrics) == len(entry.metrics) else entry.model_copy(update={"metrics": metrics})

    return with_entries(
        results,
        {name: kept(task) for name, task in results.tasks.items()},
        {name: kept(group) for name, group in results.groups.items()},
    )


def with_entries(results: Results, tasks: Mapping[str, TaskResult], groups: Mapping[str, GroupResult]) -> Results:
    """The same figures with other entries; a part that is not stated stays so."""
    parts = {"tasks": tasks, "groups": groups}
    return results.model_copy(update={part: entries for part, entries in parts.items() if results.states(part)})


def _has_rows(metric: Metric, folder: Path) -> bool:
    judges = judge_names(metric)
    return judges is None or all(_is_there(folder, f"{judges[0]}@{name}") for name in judges[1])


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / judgments_file(name, older=older)).is_file() for older in (False, True))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run that is written again keeps of its judges."""

    results: Results
    """The new figures with the judged ones of the earlier state."""
    lines: pa.Table | None
    """Their lines of the score table."""
    judging: Mapping[str, Any] | None
    """Their entry of the manifest."""


def keep_judged(old: Run, staged: Path, results: Results) -> Kept:
    """What the folder's earlier state has of judges, put into the new one where every judged answer is unchanged."""
    import pyarrow as pa
    import pyarrow.compute as pc

    earlier = old.record.results
    judged = {name for name, task in earlier.tasks.items() if any(metric.judged for metric in task.metrics.values())}
    same = {name for name in judged if name in results.tasks and _same_answers(old, staged, name)}
    if not same:
        return Kept(results, None, None)
    groups = {name for name in earlier.groups if judged & _leaves(old, name) <= same}
    content = with_entries(
        results,
        {n: _with_judged(task, earlier.tasks[n]) if n in same else task for n, task in results.tasks.items()},
        {n: _with_judged(group, earlier.groups[n]) if n in groups else group for n, group in results.groups.items()},
    )
    filters = {key.partition(",")[2] for name in same for key, m in earlier.tasks[name].metrics.items() if m.judged}
    table = old.scores()
    chosen = pc.and_(
        pc.is_in(table.column("task"), value_set=pa.array(sorted(same), pa.string())),
        pc.is_in(table.column("filter"), value_set=pa.array(sorted(filters), pa.string())),
    )
    return Kept(content, table.filter(chosen), old.record.manifest.judging or None)


def _with_judged(entry: E, earlier: Entry) -> E:
    """The entry with the judges' figures of its earlier state."""
    judged = {key: metric for key, metric in earlier.metrics.items() if judge_names(metric)}
    return entry.model_copy(update={"metrics": {**entry.metrics, **judged}})


def _leaves(run: Run, name: str) -> set[str]:
    waiting, seen = [name], set()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        group = run.record.results.groups.get(at)
        waiting += group.all_members if group else ()
    return seen


def _same_answers(old: Run, staged: Path, task: str) -> bool:
    """Whether every document of the earlier state has the same answers now. Documents may have come to it."""
    try:
        before, now = _answers(old.rows_path(task)), _answers(staged / "samples" / f"{slug(task)}.jsonl")
    except (OSError, ValueError):
        return False
    return all(now.get(place) == answer for place, answer in before.items() if answer is not None)


def _answers(path: Path) -> dict[str, str | None]:
    """By document and filter, what was answered; None where there is no answer."""
    answers: dict[str, str | None] = {}
    with path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            given = row.get("resps")
            place = f"{row.get('doc_id')} {row.get('doc_hash')} {row.get('filter')}"
            answers[place] = json.dumps(given) if given else None
    return answers
