"""Run folders written by hand from the contract alone, as another tool would write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.results import Manifest, Reporter, Results, Run, RunWriter
from evalkit.runner import Outcome


@dataclass
class TaskRows:
    """One task's documents: a value each, NaN for one without an answer."""

    values: Sequence[float] | np.ndarray
    metric: str = "exact_match,strict-match"
    flags: Mapping[int, str] = field(default_factory=dict)
    stratum: str | None = None
    clusters: Sequence[str | None] | None = None
    higher_is_better: bool = True
    prompts: str | None = "p"
    """Prefix of the prompt hashes; None: there are none."""
    hashes: Sequence[str] | None = None
    figure: Any = "mean"
    corpus: tuple[str, np.ndarray] | None = None
    """Of a figure of all documents together: its kind and what each document adds."""
    entry: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_run(
    root: Path,
    run_id: str,
    tasks: Mapping[str, TaskRows],
    *,
    model: str = "model",
    groups: Mapping[str, Sequence[str]] | None = None,
    requested: Sequence[str] | None = None,
    status: str = "complete",
    results: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    samples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Path:
    """Write <root>/<model>/<run_id>; returns the folder."""
    folder = root / model / run_id
    folder.mkdir(parents=True)
    columns: dict[str, list[Any]] = {name: [] for name in _TYPES}
    entries: dict[str, Any] = {}
    for name, rows in tasks.items():
        _add(columns, name, rows)
        entries[name] = _entry(rows)
    if not any(columns["corpus"]):  # as in folders of other tools and of older versions
        columns = {key: column for key, column in columns.items() if key not in ("corpus", "parts")}
    table = {key: pa.array(column, _TYPES[key]) for key, column in columns.items()}
    pq.write_table(pa.table(table), folder / "scores.parquet")
    (folder / "results.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "run_id": run_id,
                "model": model,
                "requested": list(requested if requested is not None else (groups or tasks)),
                "status": status,
                "tasks": entries,
                "groups": {name: _group(tasks, members) for name, members in (groups or {}).items()},
                **(results or {}),
            }
        )
    )
    settings = {
        name: {"version": 1.0, "num_fewshot": 5, "prompts_hash": "P", "data_hash": "D", **rows.settings}
        for name, rows in tasks.items()
    }
    (folder / "manifest.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "run_id": run_id,
                "created": "2026-11-20T10:00:00Z",
                "finished": "2026-11-20T11:00:00Z",
                "model": {"typed": model},
                "limit": None,
                "tasks": settings,
                "chat_template": {"applied": False, "hash": None, "system_instruction": None},
                **(manifest or {}),
            }
        )
    )
    for task, lines in (samples or {}).items():
        (folder / "samples").mkdir(exist_ok=True)
        (folder / "samples" / f"{task}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def _add(columns: dict[str, list[Any]], name: str, rows: TaskRows) -> None:
    n = len(rows.values)
    metric, _, filter_name = rows.metric.rpartition(",")
    values = [None if np.isnan(value) else float(value) for value in rows.values]
    flags = [rows.flags.get(i, "missing" if values[i] is None else "") for i in range(n)]
    hashes = rows.hashes or [f"{name}-{i}" for i in range(n)]
    columns["task"] += [name] * n
    columns["doc_id"] += range(n)
    columns["doc_hash"] += hashes
    columns["prompt_hash"] += [None if rows.prompts is None else f"{rows.prompts}-{h}" for h in hashes]
    columns["filter"] += [filter_name] * n
    columns["stratum"] += [rows.stratum] * n
    columns["cluster"] += rows.clusters or [None] * n
    columns["metric"] += [metric] * n
    columns["value"] += values
    columns["flags"] += flags
    kind, parts = rows.corpus or (None, [None] * n)
    columns["corpus"] += [kind] * n
    columns["parts"] += [None if part is None or np.isnan(part).any() else list(part) for part in parts]


def _entry(rows: TaskRows) -> dict[str, Any]:
    values = np.asarray(rows.values, float)
    known = values[~np.isnan(values)]
    figure = rows.figure
    if isinstance(figure, str) and figure == "mean":
        figure = {"value": float(known.mean()) if known.size else None, "higher_is_better": rows.higher_is_better}
    return {
        "version": 1.0,
        "num_fewshot": 5,
        "n": int(known.size),
        "missing": int(values.size - known.size),
        "metrics": {rows.metric: figure},
        **rows.entry,
    }


def _group(tasks: Mapping[str, TaskRows], members: Sequence[str]) -> dict[str, Any]:
    values = np.concatenate([np.asarray(tasks[member].values, float) for member in members])
    known = values[~np.isnan(values)]
    metric = tasks[members[0]].metric
    return {"n": int(known.size), "metrics": {metric: {"value": float(known.mean()), "higher_is_better": True}}}


_TYPES = {
    "task": pa.string(),
    "doc_id": pa.int64(),
    "doc_hash": pa.string(),
    "prompt_hash": pa.string(),
    "filter": pa.string(),
    "stratum": pa.string(),
    "cluster": pa.string(),
    "metric": pa.string(),
    "value": pa.float64(),
    "flags": pa.string(),
    "corpus": pa.string(),
    "parts": pa.list_(pa.float64()),
}


def results_of(run: Run | Outcome) -> Any:
    """results.json of a run, as it was when the run was opened."""
    return json.loads(json.dumps(_opened(run).record.results.as_json()))


def manifest_of(run: Run | Outcome) -> Any:
    """manifest.json of a run, as it was when the run was opened."""
    return json.loads(json.dumps(_opened(run).record.manifest.as_json()))


def _opened(run: Run | Outcome) -> Run:
    opened = run.run if isinstance(run, Outcome) else run
    assert opened is not None
    return opened


def commit(writer: RunWriter, manifest: Any, results: Any, report: Reporter | None = None) -> Run:
    """Commit a run whose files are to hold this content."""
    return writer.commit(Manifest.model_validate(manifest), Results.model_validate(results), report)
