"""Joins the runs of all shards into the run that one process would have made."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalkit.errors import NotComparable, RunFolderError
from evalkit.registry import Suite, Task
from evalkit.results import (
    Count,
    Manifest,
    Reporter,
    Results,
    Run,
    RunWriter,
    TaskResult,
    Timing,
    Tokens,
    same_settings,
)
from evalkit.runner.figures import group_entries, task_entry
from evalkit.runner.manifest import now
from evalkit.runner.writing import Outcome
from evalkit.scoring.samples import level
from evalkit.types import JsonObject, Row, Samples

__all__ = ["check_shards", "join"]

_TIMES = ("load", "build", "inference", "scoring", "total")
_TOKENS = ("prompt", "computed", "cached", "unique", "generated")


def check_shards(runs: Sequence[Run]) -> list[Run]:
    """The runs in the order of their shards. NotComparable if one is missing, stands twice or does not belong here."""
    by_index: dict[int, Run] = {}
    first = runs[0]
    for run in runs:
        index, count = _shard(run)
        if count != _shard(first)[1]:
            raise NotComparable(f"{run.path} is one of {count} shards, and {first.path} is one of {_shard(first)[1]}")
        if index in by_index:
            raise NotComparable(f"shard {index}/{count} stands twice: {by_index[index].path} and {run.path}")
        if differences := same_settings(_whole(first.record.manifest), _whole(run.record.manifest)):
            raise NotComparable(
                f"{run.path} was made with other settings than {first.path}: {'; '.join(differences[:3])}"
            )
        if run.status == "incomplete":
            raise NotComparable(f"{run.path} is not finished: give its command again, then merge")
        by_index[index] = run
    count = _shard(first)[1]
    absent = (f"{index}/{count}" for index in range(1, count + 1) if index not in by_index)
    if missing := list(itertools.islice(absent, 5)):  # the count may be that of a manifest that was tampered with
        verb = "shard {} is missing" if len(missing) == 1 else "shards {} are missing"
        raise NotComparable(f"{verb.format(', '.join(missing))}: merge takes all {count} runs")
    return [by_index[index] for index in sorted(by_index)]


def join(runs: Sequence[Run], suite: Suite, output_path: Path, run_id: str, report: Reporter) -> Outcome:
    """Write one run of all documents. The runs are those that `check_shards` gave."""
    first = runs[0].record
    rows = {name: _rows(runs, task) for name, task in suite.tasks.items()}
    figures = suite.aggregate(rows)
    tasks = {name: _entry(task, rows[name], figures.tasks.get(name, {}), runs) for name, task in suite.tasks.items()}
    results = Results(
        model=first.results.model,
        requested=first.results.requested,
        status="limited" if first.manifest.limit is not None else _status(tasks),
        limited=first.manifest.limit is not None,
        tasks=tasks,
        groups=group_entries(suite, tasks, figures),
        timing=Timing(**{name: _sum([getattr(run.record.results.timing, name) for run in runs]) for name in _TIMES}),
        tokens=Tokens(**{name: _total([getattr(run.record.results.tokens, name) for run in runs]) for name in _TOKENS}),
        notes=(),
    )
    manifest = _whole(first.manifest).model_copy(update={"name": run_id, "finished": now()})
    slug = runs[0].path.parent.name
    with RunWriter(output_path, slug, run_id) as writer:
        for name, task in suite.tasks.items():
            writer.rows(name, rows[name], [metric.partition(",")[0] for metric in task.metrics])
        return Outcome(writer.commit(manifest, results, report))


def _shard(run: Run) -> tuple[int, int]:
    shard = run.record.manifest.shard or {}
    index, count = shard.get("index"), shard.get("count")
    if not isinstance(index, int) or not isinstance(count, int):
        raise NotComparable(f"{run.path} is no shard: merge takes runs of evalkit run --shard I/N")
    return index, count


def _whole(manifest: Manifest) -> Manifest:
    """The manifest of a run of all documents."""
    content = manifest.as_json()
    return Manifest.model_validate({key: value for key, value in content.items() if key not in ("shard", "replicas")})


def _status(tasks: Mapping[str, TaskResult]) -> str:
    return "partial" if any(task.missing.value for task in tasks.values()) else "complete"


def _entry(task: Task, rows: Sequence[Row], figures: Mapping[str, object], runs: Sequence[Run]) -> TaskResult:
    entry = task_entry(task, rows, figures)  # type: ignore[arg-type]
    stated = runs[0].record.results.tasks[task.name]
    return entry.model_copy(update={"version": stated.version, "num_fewshot": stated.num_fewshot})


def _rows(runs: Sequence[Run], task: Task) -> list[Row]:
    """The rows of all shards in document order, as they were before they were written."""
    rows: list[Row] = []
    for run in runs:
        labels = _labels(run, task.name)
        try:
            own = [_row(task, line, labels) for line in (run.rows(task.name) if run.has_rows(task.name) else ())]
        except (KeyError, TypeError, ValueError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise RunFolderError(f"{run.path}: {task.name} has a row that evalkit did not write ({what})") from error
        if lost := len(labels.keys() - {(row.doc_id, row.filter) for row in own}):
            raise RunFolderError(
                f"{run.path}: {task.name} lacks {lost:,} rows that its scores.parquet has: copy it again"
            )
        rows += own
    filters = {name: place for place, name in enumerate(dict.fromkeys(row.filter for row in rows))}
    rows.sort(key=lambda row: (row.doc_id, filters[row.filter]))
    for before, after in itertools.pairwise(rows):
        if (before.doc_id, before.filter) == (after.doc_id, after.filter):
            raise RunFolderError(f"{task.name}: document {after.doc_id} stands in two shards")
    return level(rows)


_Labels = Mapping[tuple[int, str], tuple[str | None, str | None, tuple[str, ...]]]


def _labels(run: Run, task: str) -> _Labels:
    """Stratum, cluster and flags of each document and filter: they stand in the score table alone."""
    import pyarrow.compute as pc

    table = run.scores()
    table = table.filter(pc.equal(table.column("task"), task))
    names = ("doc_id", "filter", "stratum", "cluster", "flags", "doc_hash")
    labels = {}
    for doc_id, filter_name, stratum, cluster, flags, doc_hash in zip(
        *(table.column(name).to_pylist() for name in names), strict=True
    ):
        several = "#" in doc_hash and cluster == doc_hash.partition("#")[0]
        labels[doc_id, filter_name] = (stratum, None if several else cluster, tuple(filter(None, flags.split(","))))
    return labels


def _row(task: Task, line: JsonObject, labels: _Labels) -> Row:
    doc_id, filter_name = int(line["doc_id"]), str(line["filter"])
    stratum, cluster, flags = labels.get((doc_id, filter_name), (None, None, ()))
    return Row(
        task=task.name,
        doc_id=doc_id,
        doc_hash=line["doc_hash"],
        prompt_hash=line["prompt_hash"],
        filter=filter_name,
        sample=line,
        metrics={name: line[name] for name in line["metrics"]},
        stratum=stratum,
        cluster=cluster,
        flags=flags,
        samples=_samples(line, task.headline.partition(",")[0]),
    )


def _samples(line: JsonObject, metric: str) -> Samples | None:
    """The scores and votes of several answers; the votes of a code task are its programs."""
    scores = line.get("scores")
    if not isinstance(scores, list):
        return None
    votes = line.get("votes", line.get("program"))
    return Samples(metric, tuple(scores), tuple(votes) if isinstance(votes, list) else (None,) * len(scores))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _total(counts: Sequence[Count]) -> Count:
    for count in counts:
        if count.value is None:
            return count
    return Count(value=sum(count.value or 0 for count in counts))
