"""Small runs of one task, `quiz`, through the writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.results import Run, RunWriter
from evalkit.types import Row
from tests.helpers.runfolders import commit


def row(doc_id: int, value: Any = 1.0, *, task: str = "quiz", flags: tuple[str, ...] = (), **sample: Any) -> Row:
    metrics = {} if value is None else {"acc": value}
    return Row(task, doc_id, f"d{doc_id}", f"p{doc_id}", "none", {"doc_id": doc_id, **sample}, metrics, flags=flags)


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "created": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:10:00+00:00",
        "requested": ["quiz"],
        "limit": None,
        "model": {"typed": "nano", "alias": "nano", "source": "org/nano", "fingerprint": "f0"},
        **more,
    }


def figures(n: int = 1, status: str = "complete", **more: Any) -> dict[str, Any]:
    task = {"version": 1.0, "num_fewshot": 0, "n": n, "missing": 0, "metrics": {"acc,none": {"value": 1.0}}}
    return {"model": "nano", "requested": ["quiz"], "status": status, "tasks": {"quiz": task}, **more}


def make(root: Path, run_id: str = "r1", model: str = "nano", rows: list[Row] | None = None, **more: Any) -> Run:
    with RunWriter(root, model, run_id) as writer:
        writer.rows("quiz", rows or [row(0)])
        return commit(writer, manifest(**more), figures())
