"""The rows of one task of lm-eval, and whether they come to what its results file says."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import RunFolderError
from evalkit.metrics import facts
from evalkit.results.foreign.reading import listed, mapping, read_rows
from evalkit.results.foreign.run import Columns
from evalkit.results.record import TaskResult
from evalkit.results.table import is_verdicts
from evalkit.types import JsonObject

__all__ = ["read_task"]

_CLOSE = 1e-6


def read_task(file: Path, name: str, task: TaskResult, config: JsonObject, columns: Columns) -> dict[str, str]:
    """Add the task's lines to the table; returns the hashes over all its documents and prompts."""
    values: dict[str, list[float | None]] = {}
    hashes: dict[str, dict[int, tuple[str, str | None]]] = {}
    for place, row in read_rows(file):
        doc_id, filter_name = row.get("doc_id"), str(row.get("filter", "none"))
        if not isinstance(doc_id, int) or isinstance(doc_id, bool):
            raise RunFolderError(f"{place}: doc_id is {doc_id!r}, not the number of a document")
        seen = hashes.setdefault(filter_name, {})
        if doc_id in seen:
            raise RunFolderError(f"{place}: document {doc_id} of {name} stands twice with filter {filter_name}")
        doc_hash, prompt_hash = seen[doc_id] = _doc_hash(row, place), _prompt_hash(row)
        for metric in listed(row.get("metrics"), f"{place}: metrics"):
            if is_verdicts(row.get(metric)):
                for part, verdict in enumerate(row[metric], 1):
                    line = name, doc_id, f"{doc_hash}#{part}", prompt_hash, filter_name, str(metric), float(verdict)
                    columns.add(*line, cluster=doc_hash)
                continue
            value = _number(row.get(metric))
            columns.add(name, doc_id, doc_hash, prompt_hash, filter_name, str(metric), value)
            values.setdefault(f"{metric},{filter_name}", []).append(value)
    _check_count(file, name, task, hashes)
    _check_figures(file, name, task, config, values)
    documents = next(iter(hashes.values()), {})
    ordered = [documents[doc_id] for doc_id in sorted(documents)]
    return {
        "data_hash": _hash("".join(doc_hash for doc_hash, _ in ordered)),
        "prompts_hash": _hash("".join(prompt_hash or "" for _, prompt_hash in ordered)),
    }


def _check_count(file: Path, name: str, task: TaskResult, hashes: Mapping[str, Mapping[int, Any]]) -> None:
    # Without figures (--predict_only) there is nothing that the rows should come to, and lm-eval counts none.
    n = task.n if task.metrics else None
    for filter_name, documents in hashes.items() or [("none", {})]:
        if n is not None and len(documents) != n:
            raise RunFolderError(
                f"{file} has {len(documents)} documents with filter {filter_name}, and the results file counts {n} of"
                f" {name}: one of the two is cut short, or they are not of one run"
            )


def _check_figures(
    file: Path, name: str, task: TaskResult, config: JsonObject, values: Mapping[str, list[float | None]]
) -> None:
    """Rows that come to another figure than the summary's are not the rows of that figure."""
    ways = _aggregations(config)
    for key, figure in task.metrics.items():
        scores, value = values.get(key), figure.value
        metric = key.partition(",")[0]
        averaged = ways.get(metric, "mean" if facts(metric).mean_of_documents and not ways else "")
        if averaged != "mean" or not scores or value is None or not math.isfinite(value):
            continue
        known = [score for score in scores if score is not None]
        if len(known) < len(scores):
            continue
        mean = math.fsum(known) / len(known)
        if not abs(mean - value) <= _CLOSE * max(1.0, abs(value)):
            raise RunFolderError(
                f"{file}: the rows of {name} come to {key} = {mean:.6g}, and the results file says {value:.6g}:"
                " they are not of one run, or one was edited"
            )


def _aggregations(config: JsonObject) -> dict[str, str]:
    entries = config.get("metric_list")
    entries = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("metric")): str(entry.get("aggregation", "mean")) for entry in entries}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, bool | int | float) else None


def _doc_hash(row: JsonObject, place: str) -> str:
    stated = row.get("doc_hash")
    if isinstance(stated, str):
        return stated
    if "doc" not in row:
        raise RunFolderError(f"{place} has neither doc_hash nor doc: nothing can be paired by it")
    return _hash(json.dumps(row["doc"], indent=2, ensure_ascii=False))


def _prompt_hash(row: JsonObject) -> str | None:
    stated = row.get("prompt_hash")
    if isinstance(stated, str):
        return stated
    arguments = row.get("arguments")
    first = mapping(arguments, "arguments").get("gen_args_0") if isinstance(arguments, dict) else None
    prompt = first.get("arg_0") if isinstance(first, dict) else None
    return _hash(prompt) if isinstance(prompt, str) else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
