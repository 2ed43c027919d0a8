"""Judges' figures in a run: what they are called, which files they rest on, and what a rewritten run keeps of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.results.names import judgments_file, slug
from evalkit.results.record import Metric

if TYPE_CHECKING:
    import pyarrow as pa

    from evalkit.results.run import Run

__all__ = ["Kept", "filter_of", "judge_names", "keep_judged", "older_filters", "rename_older", "without_lost_rows"]

Contents = dict[str, Any]
"""The content of results.json or of a part of it, on its way from or to the file."""


def filter_of(rubric: str, judges: Sequence[str]) -> str:
    """The part of a judged metric's name behind the comma, which is the filter of its lines in scores.parquet."""
    return f"{rubric}@{'+'.join(judges)}"


def judge_names(metric: Any) -> tuple[str, list[str]] | None:
    """Rubric and judges of a figure in results.json; None where no judge gave it, or it does not say which."""
    if not isinstance(metric, Mapping) or "rubric" not in metric:
        return None
    found = Metric.model_validate(metric)
    names = [judge.name for judge in found.judge if judge.name]
    return (found.rubric.id, names) if found.rubric and found.rubric.id and names else None


# ── names that older runs have ───────────────────────────────────────────────


def rename_older(results: Mapping[str, Any]) -> tuple[Contents, dict[str, dict[str, str]]]:
    """results.json with `<dimension>,<rubric>@<judge>` where an older evalkit wrote `<dimension>,<rubric>`.

    Beside it, for each task, the filters in scores.parquet that are renamed so.
    """
    filters: dict[str, dict[str, str]] = {}
    content = dict(results)
    for part in ("tasks", "groups"):
        if isinstance(content.get(part), Mapping):
            content[part] = {
                name: _renamed(entry, filters.setdefault(str(name), {})) for name, entry in content[part].items()
            }
    return content, {task: names for task, names in filters.items() if names}


def _renamed(entry: Any, filters: dict[str, str]) -> Any:
    metrics = entry.get("metrics") if isinstance(entry, Mapping) else None
    if not isinstance(metrics, Mapping):
        return entry
    names = {key: _new_name(key, metric, filters) for key, metric in metrics.items()}
    if all(key == name for key, name in names.items()):
        return entry
    headline = {"headline": names.get(entry["headline"], entry["headline"])} if "headline" in entry else {}
    return {**entry, "metrics": {names[key]: metric for key, metric in metrics.items()}, **headline}


def _new_name(key: str, metric: Any, filters: dict[str, str]) -> str:
    said = judge_names(metric)
    dimension, comma, rest = key.partition(",")
    if said is None or not comma or rest != said[0]:
        return key
    filters[rest] = filter_of(*said)
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


def without_lost_rows(results: Mapping[str, Any], folder: Path) -> Contents:
    """results.json without those judged figures whose judgments do not lie in the folder."""
    content = dict(results)
    for part in ("tasks", "groups"):
        entries: Contents = {}
        for name, entry in (content.get(part) or {}).items():
            metrics = entry.get("metrics") or {}
            kept = {key: metric for key, metric in metrics.items() if _has_rows(metric, folder)}
            entries[name] = entry if len(kept) == len(metrics) else {**entry, "metrics": kept}
        if part in content:
            content[part] = entries
    return content


def _has_rows(metric: Any, folder: Path) -> bool:
    said = judge_names(metric)
    return said is None or all(_is_there(folder, f"{said[0]}@{name}") for name in said[1])


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / judgments_file(name, older=older)).is_file() for older in (False, True))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run that is written again keeps of its judges."""

    results: Contents
    """The new results.json with the judged figures of the earlier one."""
    lines: pa.Table | None
    """Their lines of the score table."""
    manifest: Contents
    """Their entries of the manifest."""


def keep_judged(old: Run, staged: Path, results: Mapping[str, Any]) -> Kept:
    """What the folder's earlier state has of judges, put into the new one where every judged answer is unchanged."""
    import pyarrow as pa
    import pyarrow.compute as pc

    record = old.record.results
    judged = {name for name, entry in record.tasks.items() if any(metric.judged for metric in entry.metrics.values())}
    same = {name for name in judged if name in results.get("tasks", {}) and _same_answers(old, staged, name)}
    if not same:
        return Kept(dict(results), None, {})
    groups = {name for name in record.groups if judged & _leaves(old, name) <= same}
    content = dict(results)
    for part, names in (("tasks", same), ("groups", groups)):
        entries = dict(content.get(part) or {})
        for name in names & set(entries):
            earlier = old.results[part][name].get("metrics") or {}
            judges = {key: metric for key, metric in earlier.items() if judge_names(metric)}
            entries[name] = {**entries[name], "metrics": {**(entries[name].get("metrics") or {}), **judges}}
        content[part] = entries
    filters = {key.partition(",")[2] for name in same for key, m in record.tasks[name].metrics.items() if m.judged}
    table = old.scores()
    chosen = pc.and_(
        pc.is_in(table.column("task"), value_set=pa.array(sorted(same), pa.string())),
        pc.is_in(table.column("filter"), value_set=pa.array(sorted(filters), pa.string())),
    )
    judging = old.record.manifest.judging
    return Kept(content, table.filter(chosen), {"judging": dict(judging)} if judging else {})


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
    found: dict[str, str | None] = {}
    with path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            given = row.get("resps")
            place = f"{row.get('doc_id')} {row.get('doc_hash')} {row.get('filter')}"
            found[place] = json.dumps(given) if given else None
    return found
