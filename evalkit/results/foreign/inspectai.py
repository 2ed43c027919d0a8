"""Logs of inspect_ai as a run: one task for each log, one metric for each figure of its scorers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import RunFolderError
from evalkit.results.foreign.inspect_figures import View, expected, headline_of, read_views, reported
from evalkit.results.foreign.inspect_log import Log
from evalkit.results.foreign.inspect_samples import Sample, answer, given, question, read_samples, stable_hash
from evalkit.results.foreign.inspect_values import averaged, part_of, to_float, unscored
from evalkit.results.foreign.reading import finite, listed, mapping
from evalkit.results.foreign.run import Columns, ForeignRun
from evalkit.results.record import Count, Manifest, Results, RunRecord, TaskResult, TaskSettings
from evalkit.types import JsonObject
from evalkit.validation import parse

__all__ = ["read"]

_KEEP_ROWS = "the log has no samples; run inspect without --no-log-samples"
_CLOSE = 1e-6
_PACE = (
    "max_connections", "max_retries", "timeout", "attempt_timeout", "adaptive_connections", "batch", "cache",
)  # fmt: skip
"""Settings of generation that change how fast answers come, not what they are."""


def read(logs: Sequence[Log], path: Path) -> ForeignRun:
    """Logs of one model, each of another task."""
    columns = Columns()
    tasks: dict[str, TaskResult] = {}
    settings: dict[str, TaskSettings] = {}
    rows = {}
    statuses = []
    for log in (log.with_reductions() for log in logs):
        views = read_views(log)
        samples = read_samples(log, {view.clustered_by for view in views} - {None})  # type: ignore[arg-type]
        logged = any(sample.epochs for sample in samples.values())
        values = {view.filter: _values(log, view, samples) for view in views} if logged else {}
        tasks[log.task] = _task(log, views, samples, values)
        settings[log.task] = _settings(log)
        statuses.append(_status(log, tasks[log.task], logged))
        for view in views if logged else ():
            _check_figures(log, view, values[view.filter])
            _add(columns, log.task, view, samples, values[view.filter])
        if logged:
            rows[log.task] = partial(_rows, log, views, samples, values)
    status = next(status for status in ("partial", "limited", "complete") if status in statuses)
    first = logs[0]
    finished = max(str(log.stats.get("completed_at") or log.created) for log in logs)
    run_id = path.stem
    results = Results(
        schema=1,
        run_id=run_id,
        model=first.model,
        requested=tuple(tasks),
        status=status,
        limited="limited" in statuses,
        tasks=tasks,
        groups={},
    )
    manifest = {
        "schema": 1,
        "run_id": run_id,
        "imported": {"tool": "inspect_ai", "version": _packages(first).get("inspect_ai"), "file": path.name},
        "created": min(log.created for log in logs) or None,
        **({"finished": finished} if finished else {}),
        "limit": _limit(first) if len({str(_limit(log)) for log in logs}) == 1 else None,
        "requested": list(tasks),
        "model": {"typed": first.model, "source": first.model},
        "adapter": None,
        "engine": {"name": f"inspect_ai {first.model.partition('/')[0]}"},
        "tasks": settings,
    }
    return ForeignRun(
        path=path,
        record=RunRecord(parse(Manifest, manifest, str(path), RunFolderError), results),
        table=columns.table(),
        _rows=rows,
        how_to_keep_rows=_KEEP_ROWS,
    )


# ── what a log says ──────────────────────────────────────────────────────────


def _task(
    log: Log, views: Sequence[View], samples: Mapping[str, Sample], values: Mapping[str, Mapping[str, float | None]]
) -> TaskResult:
    metrics = {name: figure for view in views for name, figure in reported(view).items()} or expected(log)
    headline = headline_of(log, views)
    main = values.get(headline.partition(",")[2] if headline else "", {})
    answered = {id for id, value in main.items() if value is not None}
    failed = {id for id, sample in samples.items() if sample.epochs and id not in answered}
    missing = {id for id, sample in samples.items() if not sample.epochs}
    counted: dict[str, int] = {}
    if values or any(sample.epochs for sample in samples.values()):
        counted = {"n": len(answered), "missing": len(missing), "errors": len(failed)}
        counted["unfinished"] = sum(sample.unfinished for sample in samples.values())
    elif views and isinstance(scored := _scored_samples(log), int):
        counted = {"n": scored, "missing": 0}
    return TaskResult.model_validate(
        {
            "version": log.spec.get("task_version"),
            **counted,
            "truncated_prompts": Count.unknown("inspect_ai does not write which prompts were cut"),
            "unparsed": Count.unknown("inspect_ai's scorers need not say that they found no answer"),
            "metrics": metrics,
            "headline": headline,
        }
    )


def _scored_samples(log: Log) -> Any:
    return log.results["scores"][0].get("scored_samples")


def _status(log: Log, task: TaskResult, logged: bool) -> str:
    if log.status != "success" or task.missing.value or task.errors.value or log.results.get("early_stopping"):
        return "partial"
    total, completed = (log.results.get(key) for key in ("total_samples", "completed_samples"))
    if not logged and isinstance(total, int) and isinstance(completed, int) and completed < total:
        return "partial"
    return "limited" if _limit(log) is not None else "complete"


def _limit(log: Log) -> Any:
    """How many samples were asked for, or which."""
    config = mapping(log.spec.get("config"), f"{log.path}: config")
    return config.get("limit") if config.get("limit") is not None else config.get("sample_id")


def _settings(log: Log) -> TaskSettings:
    scorers = [
        {key: scorer.get(key) for key in ("name", "options")}
        for scorer in listed(log.spec.get("scorers"), f"{log.path}: scorers")
        if isinstance(scorer, dict)
    ]
    steps = [
        [step.get("solver"), step.get("params")]
        for step in listed(log.plan.get("steps"), f"{log.path}: plan")
        if isinstance(step, dict)
    ]
    asked = {**mapping(log.plan.get("config"), "plan"), **mapping(log.spec.get("model_generate_config"), "config")}
    return TaskSettings(
        version=log.spec.get("task_version"),
        output_type="inspect_ai",
        config_hash=stable_hash([log.spec.get("task_args"), scorers]),
        prompts_hash=stable_hash(steps),
        generation={key: value for key, value in asked.items() if value is not None and key not in _PACE},
    )


def _packages(log: Log) -> JsonObject:
    return mapping(log.spec.get("packages"), f"{log.path}: packages")


# ── its samples ──────────────────────────────────────────────────────────────


def _values(log: Log, view: View, samples: Mapping[str, Sample]) -> dict[str, float | None]:
    """By id: the mean over epochs, or what the log says its reducer came to."""
    if view.reducer in (None, "mean"):
        return {
            id: averaged(part_of(value, view.name) for value in sample.scores.get(view.scorer, ()))
            for id, sample in samples.items()
        }
    out: dict[str, float | None] = dict.fromkeys(samples)
    for reduced in log.reductions:
        if reduced.get("scorer") != view.scorer or reduced.get("reducer") != view.reducer:
            continue
        for sample in listed(reduced.get("samples"), f"{log.path}: reductions"):
            entry = mapping(sample, f"{log.path}: reductions")
            value = part_of(entry.get("value"), view.name)
            if str(entry.get("sample_id")) in out and not unscored(value):
                out[str(entry["sample_id"])] = to_float(value)
    return out


def _check_figures(log: Log, view: View, values: Mapping[str, float | None]) -> None:
    scores = [value for value in values.values() if value is not None]
    for name, metric in view.means.items():
        stated = finite(metric, "value")
        if stated is None or not scores:
            continue
        mean = math.fsum(scores) / len(scores)
        if not abs(mean - stated) <= _CLOSE * max(1.0, abs(stated)):
            raise RunFolderError(
                f"{log.path}: its samples come to {name},{view.filter} = {mean:.6g}, and its results say {stated:.6g}:"
                " the log was edited, or scored again in part"
            )


def _add(
    columns: Columns, task: str, view: View, samples: Mapping[str, Sample], values: Mapping[str, float | None]
) -> None:
    for metric in view.means:
        for doc_id, (id, sample) in enumerate(samples.items()):
            columns.add(
                task,
                doc_id,
                sample.doc_hash,
                sample.prompt_hash,
                view.filter,
                metric,
                values[id],
                ",".join(_flags(sample, view, values[id])),
                _cluster(sample, view),
            )


def _flags(sample: Sample, view: View, value: float | None) -> Iterator[str]:
    if value is None:
        yield "error" if sample.epochs else "missing"
    if sample.unfinished or (sample.failed and value is not None):
        yield "unfinished"
    if any(part_of(score, view.name) == "N" for score in sample.scores.get(view.scorer, ())):
        yield "unparsed"


def _cluster(sample: Sample, view: View) -> str | None:
    key = view.clustered_by
    label = None if key is None else sample.metadata.get(key)
    return None if label is None else str(label)


def _rows(
    log: Log,
    views: Sequence[View],
    samples: Mapping[str, Sample],
    values: Mapping[str, Mapping[str, float | None]],
) -> Iterator[JsonObject]:
    """As evalkit's own: one for each document and filter, all epochs in it."""
    words: dict[str, dict[str, Any]] = {}
    for _, content in log.samples():
        row = words.setdefault(
            str(content.get("id")),
            {
                "doc": {
                    **{key: content[key] for key in ("id", "choices", "metadata") if content.get(key)},
                    "input": given(content),
                },
                "target": content.get("target"),
                "arguments": [[question(content)]],
                "resps": [[]],
                "answers": {},
                "error": None,
            },
        )
        row["resps"][0].append(answer(content))
        error = content.get("error")
        row["error"] = row["error"] or (error.get("message") if isinstance(error, dict) else error)
        for scorer, score in (content.get("scores") or {}).items():
            row["answers"].setdefault(scorer, []).append(score.get("answer"))
    for doc_id, (id, sample) in enumerate(samples.items()):
        if id not in words:
            continue
        for view in views:
            names = list(view.means)
            answers = words[id]["answers"].get(view.scorer, [])
            yield {
                "doc_id": doc_id,
                **{key: value for key, value in words[id].items() if key != "answers"},
                "filtered_resps": [text for text in answers if text is not None],
                "filter": view.filter,
                "metrics": names,
                "doc_hash": sample.doc_hash,
                "prompt_hash": sample.prompt_hash,
                **dict.fromkeys(names, values[view.filter][id]),
                "unparsed": "unparsed" in _flags(sample, view, values[view.filter][id]),
            }
